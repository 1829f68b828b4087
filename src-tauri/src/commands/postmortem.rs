//! The post-mortem: preview, edit, save.

use std::path::{Path, PathBuf};

use afterwatch_contract::window::PostmortemDto;
use afterwatch_core::{
    Timestamp,
    incident::Incident,
    port::store::{Draft, IncidentKey},
    redact,
};
use afterwatch_engine::MarkdownSource;
use afterwatch_report::ReportInput;
use jiff::tz::TimeZone;
use tauri_plugin_dialog::DialogExt;

use super::{Answer, Held, check_size, error};
use crate::window;

/// Where "Save as…" writes without asking, for automation: a dialog of the system cannot be driven from outside.
const WITHOUT_ASKING: &str = "AFTERWATCH_SAVE_DIR";

/// The post-mortem as a person edited it, else as the record fills it.
#[tauri::command]
pub async fn postmortem(shell: Held<'_>, id: String) -> Answer<PostmortemDto> {
    let source = shell.desk().await?.engine.source(IncidentKey::parse(&id)).await.map_err(error)?;
    Ok(dto(&source))
}

/// Saves the edited post-mortem; without a text the record fills it again.
#[tauri::command]
pub async fn save_postmortem(shell: Held<'_>, id: String, markdown: Option<String>) -> Answer<PostmortemDto> {
    check_size(markdown.as_deref().unwrap_or_default())?;
    let desk = shell.desk().await?;
    let key = IncidentKey::parse(&id);
    desk.engine.save_draft(key.clone(), markdown.as_deref()).await.map_err(error)?;
    Ok(dto(&desk.engine.source(key).await.map_err(error)?))
}

/// Markdown as sanitised HTML, for the preview.
#[tauri::command]
pub async fn render_markdown(markdown: String) -> Answer<String> {
    check_size(&markdown)?;
    Ok(afterwatch_report::html(&markdown))
}

/// Asks where and writes the Markdown there; nothing when the person changed their mind.
#[tauri::command]
pub async fn save_markdown_file(shell: Held<'_>, id: String, markdown: String) -> Answer<Option<String>> {
    check_size(&markdown)?;
    let incident = shell.desk().await?.engine.incident(IncidentKey::parse(&id)).await.map_err(error)?;
    let chosen = match std::env::var_os(WITHOUT_ASKING) {
        Some(folder) => Some(PathBuf::from(folder).join(afterwatch_report::file_name(&incident))),
        None => ask(&shell, &incident).await?,
    };
    let Some(path) = chosen else { return Ok(None) };
    // Once more before it leaves the history: a person may have pasted a token since.
    let clean = redact::text(&markdown).into_owned();
    let target = path.clone();
    match tokio::task::spawn_blocking(move || write(&target, &clean)).await {
        Ok(Ok(())) => Ok(Some(path.display().to_string())),
        Ok(Err(problem)) => Err(error(format!("Not written: {} ({problem}). Choose another place.", path.display()))),
        Err(problem) => Err(error(format!("Not written: {problem}."))),
    }
}

fn dto(source: &MarkdownSource) -> PostmortemDto {
    let markdown = match &source.draft {
        Some(Draft { markdown, .. }) => markdown.clone(),
        None => afterwatch_report::markdown(&input(source)),
    };
    PostmortemDto {
        html: afterwatch_report::html(&markdown),
        markdown,
        file_name: afterwatch_report::file_name(&source.incident),
        edited: source.draft.is_some(),
        updated_at: source.draft.as_ref().map(|draft| draft.updated_at.to_string()),
    }
}

fn input(source: &MarkdownSource) -> ReportInput<'_> {
    ReportInput {
        incident: &source.incident,
        notes: &source.notes.text,
        gaps: &source.gaps,
        coverage: &source.coverage,
        zone: TimeZone::system(),
        generated_at: Timestamp::now(),
        version: env!("CARGO_PKG_VERSION"),
    }
}

async fn ask(shell: &Held<'_>, incident: &Incident) -> Answer<Option<PathBuf>> {
    use tauri::Manager;
    let (told, answer) = tokio::sync::oneshot::channel();
    let mut dialog = shell
        .app
        .dialog()
        .file()
        .set_title("Save the post-mortem")
        .set_file_name(afterwatch_report::file_name(incident))
        .add_filter("Markdown", &["md"]);
    if let Some(window) = shell.app.get_webview_window(window::LABEL) {
        dialog = dialog.set_parent(&window);
    }
    dialog.save_file(move |path| {
        // Nobody waits any more when the page was closed under the dialog.
        let _ = told.send(path);
    });
    match answer.await {
        Ok(Some(path)) => path.into_path().map(Some).map_err(|problem| error(problem.to_string())),
        Ok(None) | Err(_) => Ok(None),
    }
}

/// Writes the whole file or leaves the one that is there.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        // The half-written file is of no use; that it could not be removed changes nothing about the error.
        let _ = std::fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_or_not_at_all() {
        let folder = std::env::temp_dir().join(format!("afterwatch-save-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("INC-1.md");
        write(&path, "# One\n").unwrap();
        write(&path, "# Two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "# Two\n");
        assert!(write(&folder.join("missing").join("INC-1.md"), "x").is_err());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
