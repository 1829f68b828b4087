//! The post-mortem leaves as a file: PDF, Markdown or HTML, or as a few lines for a chat.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Instant,
};

use afterwatch_contract::{postmortem::ExportedDto, window::WindowError};
use afterwatch_core::{incident::Incident, port::store::IncidentKey, redact};
use afterwatch_engine::MarkdownSource;
use afterwatch_report::{ReportInput, last_moment};
use tauri::Manager;
use tauri_plugin_dialog::DialogExt;

use super::{input, options};
use crate::{
    commands::{Answer, Held, check_size, error},
    window,
};

/// Where files are written without asking, for automation: a dialog of the system cannot be driven from outside.
const WITHOUT_ASKING: &str = "AFTERWATCH_SAVE_DIR";

/// What this window wrote. Only these are opened and shown: the page may not name any file it likes.
static WRITTEN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A way out of the history.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Pdf,
    Markdown,
    Html,
}

impl Format {
    fn parse(word: &str) -> Answer<Format> {
        match word {
            "pdf" => Ok(Format::Pdf),
            "md" => Ok(Format::Markdown),
            "html" => Ok(Format::Html),
            other => Err(error(format!("Nothing is written as {other}."))),
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Format::Pdf => "pdf",
            Format::Markdown => "md",
            Format::Html => "html",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Format::Pdf => "PDF",
            Format::Markdown => "Markdown",
            Format::Html => "Web page",
        }
    }
}

/// A file before it is written, and what belongs beside it.
struct Made {
    bytes: Vec<u8>,
    beside: Vec<(String, Vec<u8>)>,
}

/// Asks where and writes the post-mortem there; nothing when the person changed their mind.
#[tauri::command]
pub async fn export_postmortem(
    shell: Held<'_>,
    id: String,
    markdown: String,
    format: String,
    front_matter: bool,
) -> Answer<Option<ExportedDto>> {
    check_size(&markdown)?;
    let format = Format::parse(&format)?;
    let source = shell.desk().await?.engine.source(IncidentKey::parse(&id)).await.map_err(error)?;
    let Some(path) = place(&shell, &source.incident, format).await? else { return Ok(None) };
    let began = Instant::now();
    // Setting a long page takes seconds: it blocks nobody here.
    let work = move || {
        let made = make(source, &markdown, format, front_matter)?;
        let failed = |problem: io::Error| WindowError {
            code: Some("not_written".to_owned()),
            message: format!("{} not written: {}.", format.name(), why(&problem, &path)),
        };
        for (name, bytes) in &made.beside {
            write(&path.with_file_name(name), bytes).map_err(failed)?;
        }
        write(&path, &made.bytes).map_err(failed)?;
        WRITTEN.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone());
        Ok(ExportedDto {
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            path: path.display().to_string(),
            beside: made.beside.into_iter().map(|(name, _)| name).collect(),
            bytes: made.bytes.len() as u64,
            milliseconds: u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX),
        })
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map(Some),
        Err(problem) => Err(error(format!("{} not written: {problem}.", format.name()))),
    }
}

/// Asks where and writes Markdown that may be of several incidents there.
#[tauri::command]
pub async fn save_markdown_file(shell: Held<'_>, id: String, markdown: String) -> Answer<Option<String>> {
    check_size(&markdown)?;
    let incident = shell.desk().await?.engine.incident(IncidentKey::parse(&id)).await.map_err(error)?;
    let Some(path) = place(&shell, &incident, Format::Markdown).await? else { return Ok(None) };
    // Once more before it leaves the history: a person may have pasted a token since.
    let clean = redact::text(&markdown).into_owned();
    let target = path.clone();
    match tokio::task::spawn_blocking(move || write(&target, clean.as_bytes())).await {
        Ok(Ok(())) => Ok(Some(path.display().to_string())),
        Ok(Err(problem)) => Err(error(format!("Not written: {}. Choose another place.", why(&problem, &path)))),
        Err(problem) => Err(error(format!("Not written: {problem}."))),
    }
}

/// Opens a file that was written from this window.
#[tauri::command]
pub async fn open_exported(path: String) -> Answer<()> {
    let path = written(&path)?;
    open(path.clone(), &path).await
}

/// Shows a file that was written from this window in the system's file browser.
#[tauri::command]
pub async fn show_exported(path: String) -> Answer<()> {
    let path = written(&path)?;
    if reveal(&path).await {
        return Ok(());
    }
    // Not every file browser can point at a file.
    open(path.parent().unwrap_or(Path::new("/")).to_owned(), &path).await
}

/// A few lines of Markdown for a chat.
#[tauri::command]
pub async fn chat_summary(shell: Held<'_>, id: String, markdown: String) -> Answer<String> {
    check_size(&markdown)?;
    let source = shell.desk().await?.engine.source(IncidentKey::parse(&id)).await.map_err(error)?;
    let clean = afterwatch_report::marked(&redact::text(&markdown), &source.incident);
    let text = afterwatch_report::chat(&input(&source), &clean, &options(&source));
    Ok(redact::text(&text).into_owned())
}

fn make(mut source: MarkdownSource, markdown: &str, format: Format, front_matter: bool) -> Answer<Made> {
    // Once more before it leaves the history: a person may have pasted a token since.
    let clean = afterwatch_report::marked(&redact::text(markdown), &source.incident);
    source.notes.text = redact::text(&source.notes.text).into_owned();
    // Dated by what it was made from, so that exporting it again gives the same file.
    let as_of = source.changed_at().into_iter().fold(last_moment(&source.incident), Ord::max);
    let input = ReportInput { generated_at: as_of, ..input(&source) };
    let options = options(&source);
    match format {
        Format::Pdf => {
            let fonts = afterwatch_report::usual_font_folders(std::env::home_dir().as_deref());
            let bytes = afterwatch_report::pdf(&input, &clean, &options, &fonts)
                .map_err(|problem| error(format!("PDF not written. {problem}")))?;
            Ok(Made { bytes, beside: Vec::new() })
        }
        Format::Html => {
            let bytes = afterwatch_report::html_page(&input, &clean, &options).into_bytes();
            Ok(Made { bytes, beside: Vec::new() })
        }
        Format::Markdown => {
            let mut files = afterwatch_report::markdown_files(&input, &clean, &options, front_matter).into_iter();
            let bytes = files.next().map(|file| file.bytes).unwrap_or_default();
            Ok(Made { bytes, beside: files.map(|file| (file.name, file.bytes)).collect() })
        }
    }
}

/// The place, from the system's dialog.
async fn place(shell: &Held<'_>, incident: &Incident, format: Format) -> Answer<Option<PathBuf>> {
    let name = Path::new(&afterwatch_report::file_name(incident)).with_extension(format.extension());
    if let Some(folder) = std::env::var_os(WITHOUT_ASKING) {
        return Ok(Some(PathBuf::from(folder).join(name)));
    }
    let (told, answer) = tokio::sync::oneshot::channel();
    let mut dialog = shell
        .app
        .dialog()
        .file()
        .set_title("Save the post-mortem")
        .set_file_name(name.to_string_lossy())
        .add_filter(format.name(), &[format.extension()]);
    if let Some(window) = shell.app.get_webview_window(window::LABEL) {
        dialog = dialog.set_parent(&window);
    }
    dialog.save_file(move |path| {
        // Nobody waits any more when the page was closed under the dialog.
        let _ = told.send(path);
    });
    match answer.await {
        Ok(Some(path)) => {
            let path = path.into_path().map_err(|problem| error(problem.to_string()))?;
            // Some dialogs give the name as it was typed, without its ending.
            Ok(Some(if path.extension().is_some() { path } else { path.with_extension(format.extension()) }))
        }
        Ok(None) | Err(_) => Ok(None),
    }
}

/// Why a file is not there: `no space in ~/Documents`.
fn why(problem: &io::Error, path: &Path) -> String {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| !home.as_os_str().is_empty());
    let place = match home.and_then(|home| folder.strip_prefix(home).ok().map(Path::to_owned)) {
        Some(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
        Some(rest) => format!("~/{}", rest.display()),
        None => folder.display().to_string(),
    };
    match problem.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => format!("no space in {place}"),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            format!("you may not write in {place}")
        }
        io::ErrorKind::NotFound => format!("there is no {place}"),
        _ => format!("{problem} in {place}"),
    }
}

/// Writes the whole file or leaves the one that is there.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = std::fs::write(&beside, bytes).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        // The half-written file is of no use; that it could not be removed changes nothing about the error.
        let _ = std::fs::remove_file(&beside);
    }
    written
}

fn written(path: &str) -> Answer<PathBuf> {
    let known = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner).get(Path::new(path)).cloned();
    let known = known.ok_or_else(|| error("Only a file that was written from this window is opened."))?;
    if known.is_file() { Ok(known) } else { Err(error(format!("{} is not there any more.", known.display()))) }
}

async fn open(what: PathBuf, file: &Path) -> Answer<()> {
    let words = |problem: String| error(format!("{} could not be opened: {problem}.", file.display()));
    match tokio::task::spawn_blocking(move || open::that_detached(what)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(problem)) => Err(words(problem.to_string())),
        Err(problem) => Err(words(problem.to_string())),
    }
}

/// Points at the file in the file browser; false where none can.
#[cfg(target_os = "linux")]
async fn reveal(path: &Path) -> bool {
    let Ok(address) = tauri::Url::from_file_path(path) else { return false };
    let asked = async {
        let bus = zbus::Connection::session().await?;
        let files = Some("org.freedesktop.FileManager1");
        bus.call_method(files, "/org/freedesktop/FileManager1", files, "ShowItems", &(vec![address.as_str()], "")).await
    };
    // A service that never answers must not keep the folder from being opened otherwise.
    matches!(tokio::time::timeout(std::time::Duration::from_secs(3), asked).await, Ok(Ok(_)))
}

#[cfg(target_os = "macos")]
async fn reveal(path: &Path) -> bool {
    std::process::Command::new("open").arg("-R").arg(path).spawn().is_ok()
}

#[cfg(windows)]
async fn reveal(path: &Path) -> bool {
    let mut argument = std::ffi::OsString::from("/select,");
    argument.push(path);
    std::process::Command::new("explorer").arg(argument).spawn().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_or_not_at_all() {
        let folder = std::env::temp_dir().join(format!("afterwatch-save-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("INC-1.md");
        write(&path, b"# One\n").unwrap();
        write(&path, b"# Two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "# Two\n");
        assert!(write(&folder.join("missing").join("INC-1.md"), b"x").is_err());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_failure_says_what_is_wrong_with_the_place() {
        let of = |kind: io::ErrorKind| why(&io::Error::from(kind), Path::new("/srv/reports/INC-1.pdf"));
        assert_eq!(of(io::ErrorKind::StorageFull), "no space in /srv/reports");
        assert_eq!(of(io::ErrorKind::PermissionDenied), "you may not write in /srv/reports");
        assert_eq!(of(io::ErrorKind::NotFound), "there is no /srv/reports");
    }

    #[test]
    fn only_what_was_written_from_the_window_is_opened() {
        assert!(written("/etc/passwd").is_err());
    }
}
