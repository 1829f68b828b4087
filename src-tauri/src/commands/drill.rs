//! Trying the product on a recorded incident.

use std::path::PathBuf;

use afterwatch_contract::drill::StoryDto;
use tauri_plugin_dialog::DialogExt;

use super::{Answer, Held, error};
use crate::{drill, window};

/// What "Open a file…" opens without asking, for automation: a dialog of the system cannot be driven from outside.
const WITHOUT_ASKING: &str = "AFTERWATCH_OPEN_FILE";

/// The stories that come with the program.
#[tauri::command]
pub async fn drills() -> Answer<Vec<StoryDto>> {
    let read = || {
        let dto = |story: &afterwatch_drill::Story| {
            let recording = story.read();
            StoryDto {
                name: story.name.to_owned(),
                duration_s: recording.duration().as_secs(),
                title: recording.header.title,
                summary: recording.header.summary,
            }
        };
        afterwatch_drill::stories().iter().map(dto).collect()
    };
    tokio::task::spawn_blocking(read).await.map_err(|problem| error(problem.to_string()))
}

/// Plays a story, or a file that is asked for; false when the person changed their mind. The window is loaded anew and
/// works on the drill from then on.
#[tauri::command]
pub async fn start_drill(shell: Held<'_>, name: Option<String>, speed: f64) -> Answer<bool> {
    if !(0.1..=600.0).contains(&speed) {
        return Err(error("A drill is played at a speed from 0.1 to 600."));
    }
    let file = match (&name, std::env::var_os(WITHOUT_ASKING)) {
        (Some(_), _) => None,
        (None, Some(file)) => Some(PathBuf::from(file)),
        (None, None) => match ask(&shell).await? {
            Some(file) => Some(file),
            None => return Ok(false),
        },
    };
    let recording = drill::read(name.as_deref(), file).await?;
    shell.start_drill(recording, speed).await?;
    Ok(true)
}

/// Closes the drill and deletes its history; the window is loaded anew.
#[tauri::command]
pub async fn leave_drill(shell: Held<'_>) -> Answer<()> {
    shell.leave_drill().await;
    Ok(())
}

async fn ask(shell: &Held<'_>) -> Answer<Option<PathBuf>> {
    use tauri::Manager;
    let (told, answer) = tokio::sync::oneshot::channel();
    let mut dialog = shell
        .app
        .dialog()
        .file()
        .set_title("Open a recorded incident")
        .add_filter("Recordings", &["jsonl"])
        .add_filter("All files", &["*"]);
    if let Some(window) = shell.app.get_webview_window(window::LABEL) {
        dialog = dialog.set_parent(&window);
    }
    dialog.pick_file(move |path| {
        // Nobody waits any more when the page was closed under the dialog.
        let _ = told.send(path);
    });
    match answer.await {
        Ok(Some(path)) => path.into_path().map(Some).map_err(|problem| error(problem.to_string())),
        Ok(None) | Err(_) => Ok(None),
    }
}
