//! The post-mortem.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use afterwatch_contract::document::{Document, EvidenceDto, IncidentDto, word};
use afterwatch_core::{coverage::Gap, port::store::IncidentKey, redact};
use afterwatch_report::ReportInput;
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
    // What a person edited is the post-mortem; until then the template keeps it current.
    let markdown = match &source.draft {
        Some(draft) => draft.markdown.clone(),
        None => afterwatch_report::markdown(&input),
    };
    // Whatever leaves the laptop goes through the redactor once more.
    let markdown = redact::text(&markdown).into_owned();
    let format = match context.out.format {
        Format::Json | Format::Jsonl => ReportFormat::Json,
        _ => args.format,
    };
    let (text, extension) = match format {
        ReportFormat::Md => (markdown, "md"),
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
            (format!("{}\n", inert::json(&serde_json::to_string_pretty(&post_mortem).unwrap_or_default())), "json")
        }
    };
    match &args.out {
        Some(path) if path.as_os_str() != "-" => {
            let path = if path.is_dir() {
                let name = afterwatch_report::file_name(&source.incident);
                path.join(Path::new(&name).with_extension(extension))
            } else {
                path.clone()
            };
            write_whole(&path, &text)?;
            if !context.common.quiet {
                say(&format!("Written to {}.", path.display()));
            }
        }
        // A pipe gets the text as it is; a terminal must not be moved by it.
        _ if std::io::IsTerminal::is_terminal(&std::io::stdout()) => context.out.write(&inert::lines(&text))?,
        _ => context.out.write(&text)?,
    }
    Ok(exit::DONE)
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
fn write_whole(path: &Path, text: &str) -> Outcome {
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
        return std::fs::write(path, text).map_err(failed);
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
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}
