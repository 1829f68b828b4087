//! The app itself.

use std::sync::{Mutex, PoisonError};

use afterwatch_contract::window::AppInfo;
use arboard::Clipboard;

use super::{Answer, Held, check_size, error};
use crate::{autostart, tray};

/// What the window asks first. A history that could not be opened is tried again.
#[tauri::command]
pub async fn app_info(shell: Held<'_>) -> Answer<AppInfo> {
    let opened = shell.open().await;
    let info = AppInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        database: shell.database.display().to_string(),
        first_run: shell.drill_desk().is_none() && opened.as_ref().is_ok_and(|desk| desk.contexts.first_run()),
        can_tray: tray::is_visible(),
        trouble: shell.trouble(),
        problem: opened.err().map(error),
        drill: shell.drill_now(),
    };
    shell.page_hears();
    Ok(info)
}

/// The page holds something typed that is not saved, or no longer does: it is not destroyed, and the app does not quit
/// without asking, while it does.
#[tauri::command]
pub async fn set_unsaved(shell: Held<'_>, unsaved: bool) -> Answer<()> {
    shell.closing.set_unsaved(unsaved);
    Ok(())
}

/// Whether Afterwatch starts at login.
#[tauri::command]
pub async fn autostart(shell: Held<'_>) -> Answer<bool> {
    autostart::is_on(&shell.app).map_err(error)
}

/// Starts Afterwatch at login, hidden in the tray, or no longer does.
#[tauri::command]
pub async fn set_autostart(shell: Held<'_>, on: bool) -> Answer<()> {
    autostart::set(&shell.app, on).map_err(error)
}

/// Puts a text on the clipboard.
#[tauri::command]
pub async fn copy_text(text: String) -> Answer<()> {
    // On X11 and Wayland a copied text lives as long as the program that offers it, so this is kept.
    static CLIPBOARD: Mutex<Option<Clipboard>> = Mutex::new(None);
    check_size(&text)?;
    let copy = move || {
        let mut clipboard = CLIPBOARD.lock().unwrap_or_else(PoisonError::into_inner);
        let open = match clipboard.take() {
            Some(open) => open,
            None => Clipboard::new()?,
        };
        clipboard.insert(open).set_text(text)
    };
    match tokio::task::spawn_blocking(copy).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(problem)) => Err(error(format!("Not copied: {problem}."))),
        Err(problem) => Err(error(format!("Not copied: {problem}."))),
    }
}

/// Reads the login shell's environment and the kubeconfig files again.
#[tauri::command]
pub async fn reload_environment(shell: Held<'_>) -> Answer<()> {
    let desk = shell.desk().await?;
    desk.contexts.reload_environment().await.map_err(error)
}
