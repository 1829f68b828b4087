//! The post-mortem.

use std::{
    io::{IsTerminal, Read, Write},
    path::{Path, PathBuf},
};

use afterwatch_contract::document::{Document, EvidenceDto, IncidentDto, word};
use afterwatch_core::{coverage::Gap, incident::Incident, port::store::IncidentKey, redact};
use afterwatch_engine::MarkdownSource;
use afterwatch_report::{
    PageOptions, ReportInput, Shape, front_matter, html_page, last_moment, markdown_files, markdown_shaped, marked,
    pdf, usual_font_folders,
};
use serde::Serialize;

use crate::{
    args::{Format, Report, ReportFormat},
    context::{Context, Database},
    failure::{Failure, Outcome, exit},
    output::{Closing, inert, say},
};

pub async fn run(context: &Context, args: &Report) -> Outcome<u8> {
    let desk = context.desk(Database::Existing).await?;
    let source = desk.engine.source(IncidentKey::parse(&args.one.id)).await?;
    let input = ReportInput {
        incident: &source.incident,
        notes: &source.notes.text,
        coverage: &source.coverage,
        gaps: &source.gaps,
        zone: context.out.look.zone.clone(),
        generated_at: context.out.look.now,
        version: env!("CARGO_PKG_VERSION"),
    };
    let markdown = text(&source, &input, args)?;
    // Whatever leaves the laptop goes through the redactor once more.
    let mut markdown = redact::text(&markdown).into_owned();
    if source.draft.is_some() {
        // What a person wrote and nothing carries says so, as it does when the window exports it.
        markdown = marked(&markdown, &source.incident);
    }
    let format = match context.out.format {
        Format::Json | Format::Jsonl => ReportFormat::Json,
        _ => args.format,
    };
    if format != ReportFormat::Md && (args.figure || args.front_matter) {
        return Err(Failure::new(
            "Nothing was written",
            "--figure and --front-matter are for Markdown",
            "Leave them out, or use --format md",
        ));
    }
    let review = source.status.as_ref().map(|change| change.status.into()).unwrap_or_default();
    let options = PageOptions { review, author: None };
    // A page is dated by what it was made from, so that exporting it again gives the same file.
    let as_of = source.changed_at().into_iter().fold(last_moment(&source.incident), Ord::max);
    let page = ReportInput { generated_at: as_of, ..input.clone() };
    let (bytes, extension) = match format {
        ReportFormat::Md if args.figure => return with_figure(context, args, &input, &markdown, &options),
        ReportFormat::Md if args.front_matter => ((front_matter(&input, &options) + &markdown).into_bytes(), "md"),
        ReportFormat::Md => (markdown.into_bytes(), "md"),
        ReportFormat::Html => (html_page(&page, &markdown, &options).into_bytes(), "html"),
        ReportFormat::Pdf => {
            let folders = usual_font_folders(std::env::home_dir().as_deref());
            let pdf = pdf(&page, &markdown, &options, &folders)
                .map_err(|error| Failure::new("No PDF was written", error.to_string(), ""))?;
            (pdf, "pdf")
        }
        ReportFormat::Json => {
            let dto = IncidentDto {
                evidence: source.incident.evidence.iter().map(EvidenceDto::whole).collect(),
                ..IncidentDto::new(&source.incident, &source.gaps)
            };
            let around = Closing {
                coverage: source.coverage.iter().map(Into::into).collect(),
                notifications_sent: source.incident.notifications,
                ..Closing::default()
            };
            let post_mortem = PostMortem {
                document: around.document(vec![dto]),
                gaps: source.gaps.iter().map(Into::into).collect(),
                notes: &redact::text(&source.notes.text),
                notes_updated_at: source.notes.updated_at.map(|t| t.to_string()),
                edited: source.draft.is_some(),
                markdown: &markdown,
            };
            let json = serde_json::to_string_pretty(&post_mortem).unwrap_or_default();
            (format!("{}\n", inert::json(&json)).into_bytes(), "json")
        }
    };
    match &args.out {
        Some(path) if path.as_os_str() != "-" => {
            let path = target(path, &source.incident, extension);
            write_whole(&path, &bytes)?;
            tell(context, &path);
        }
        _ if !std::io::stdout().is_terminal() => {
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(&bytes)?;
            stdout.flush()?;
        }
        _ if format == ReportFormat::Pdf => {
            return Err(Failure::new(
                "No PDF was written",
                "a terminal cannot show one",
                "Name a file with --out, or send it into a pipe",
            ));
        }
        // A pipe gets the text as it is; a terminal must not be moved by it.
        _ => context.out.write(&inert::lines(&String::from_utf8_lossy(&bytes)))?,
    }
    Ok(exit::DONE)
}

/// What a person edited is the post-mortem; until then the record keeps it current, in the shape that was asked for.
fn text(source: &MarkdownSource, input: &ReportInput<'_>, args: &Report) -> Outcome<String> {
    let Some(wanted) = &args.shape else {
        return Ok(match &source.draft {
            Some(draft) => draft.markdown.clone(),
            // The shape chosen in the app, unless it is a file of its own there.
            None => match source.shape.as_deref().and_then(Shape::named) {
                Some(shape) => {
                    markdown_shaped(input, &shape).map_err(|error| unusable(&shape.name, &error.to_string()))?
                }
                None => afterwatch_report::markdown(input),
            },
        });
    };
    if source.draft.is_some() {
        return Err(Failure::new(
            "Nothing was written",
            "This post-mortem was edited, and a shape would leave out what was written",
            "Leave out --shape, or go back to the record in the app first",
        ));
    }
    let shape = match Shape::named(wanted) {
        Some(shape) => shape,
        None => own_shape(Path::new(wanted))?,
    };
    markdown_shaped(input, &shape).map_err(|error| unusable(wanted, &error.to_string()))
}

/// A file of the user's own. Longer ones than a shape can be are not read whole.
fn own_shape(path: &Path) -> Outcome<Shape> {
    let wanted = path.display().to_string();
    let names: Vec<String> = Shape::bundled().into_iter().map(|shape| shape.name).collect();
    let unread = |why: String| {
        Failure::new(
            format!("The shape {wanted} cannot be read"),
            why,
            format!("Name a Markdown file, or one of {}", names.join(", ")),
        )
    };
    let file = std::fs::File::open(path).map_err(|e| unread(e.to_string()))?;
    let mut text = String::new();
    file.take(1 << 20).read_to_string(&mut text).map_err(|e| unread(e.to_string()))?;
    let name = path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    Shape::own(&name, text).map_err(|error| unusable(&wanted, &error.to_string()))
}

fn unusable(shape: &str, why: &str) -> Failure {
    Failure::new(format!("The shape {shape} cannot be used"), why, "Correct it, or choose another with --shape")
}

/// Markdown and figure, beside each other.
fn with_figure(
    context: &Context,
    args: &Report,
    input: &ReportInput<'_>,
    markdown: &str,
    options: &PageOptions,
) -> Outcome<u8> {
    let Some(path) = args.out.as_ref().filter(|path| path.as_os_str() != "-") else {
        return Err(Failure::new("Nothing was written", "two files do not fit into a pipe", "Name a file with --out"));
    };
    let path = target(path, input.incident, "md");
    let files = markdown_files(input, markdown, options, args.front_matter);
    for (n, file) in files.into_iter().enumerate() {
        // The first is the text, which has the name that was asked for; what it refers to keeps its own.
        let path = if n == 0 { path.clone() } else { path.with_file_name(&file.name) };
        write_whole(&path, &file.bytes)?;
        tell(context, &path);
    }
    Ok(exit::DONE)
}

/// The file that is meant: in a folder it gets a name of its own.
fn target(path: &Path, incident: &Incident, extension: &str) -> PathBuf {
    if !path.is_dir() {
        return path.to_path_buf();
    }
    path.join(Path::new(&afterwatch_report::file_name(incident)).with_extension(extension))
}

fn tell(context: &Context, path: &Path) {
    if !context.common.quiet {
        say(&format!("Written to {}.", path.display()));
    }
}

/// The document as everywhere, with the excerpts, and what only the post-mortem has.
#[derive(Serialize)]
struct PostMortem<'a> {
    #[serde(flatten)]
    document: Document,
    gaps: Vec<GapDto>,
    notes: &'a str,
    notes_updated_at: Option<String>,
    /// A person wrote this Markdown; else the template did.
    edited: bool,
    markdown: &'a str,
}

#[derive(Serialize)]
struct GapDto {
    from: String,
    to: String,
    cause: String,
}

impl From<&Gap> for GapDto {
    fn from(gap: &Gap) -> GapDto {
        GapDto { from: gap.from.to_string(), to: gap.to.to_string(), cause: word(&gap.cause) }
    }
}

/// Writes beside the target and moves it there: what was in the file stays until the new text is whole.
fn write_whole(path: &Path, bytes: &[u8]) -> Outcome {
    let failed = |error: std::io::Error| {
        let next = match error.kind() {
            std::io::ErrorKind::StorageFull => "Free some space, or name another place with --out",
            _ => "Name another place with --out",
        };
        Failure::new(format!("The post-mortem was not written to {}", path.display()), error.to_string(), next)
    };
    let folder =
        path.parent().filter(|p| !p.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    // A device or a pipe (/dev/stdout) can only be written to as it is.
    if path.exists() && !path.is_file() {
        return std::fs::write(path, bytes).map_err(failed);
    }
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any program's files: the umask decides. The temporary file's own default would hide a report that is
        // meant to be shared.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.prefix(".afterwatch-").tempfile_in(folder).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}
