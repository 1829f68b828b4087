//! What people write beside the record.

use afterwatch_contract::window::NotesDto;
use afterwatch_core::port::store::IncidentKey;

use super::{Answer, Held, check_size, error, incidents::notes_dto};
use crate::shell::person;

/// Earlier versions of the notes, newest first.
#[tauri::command]
pub async fn notes_history(shell: Held<'_>, id: String) -> Answer<Vec<NotesDto>> {
    let versions = shell.desk().await?.engine.notes_history(IncidentKey::parse(&id)).await.map_err(error)?;
    Ok(versions.iter().map(notes_dto).collect())
}

/// Adds a dated entry to the timeline.
#[tauri::command]
pub async fn add_entry(shell: Held<'_>, id: String, text: String) -> Answer<()> {
    check_size(&text)?;
    let text = text.trim();
    if text.is_empty() {
        return Err(error("An entry needs words."));
    }
    let desk = shell.desk().await?;
    desk.engine.add_entry(IncidentKey::parse(&id), &person(), text).await.map(drop).map_err(error)
}

/// Saves the notes document; what it replaces is kept.
#[tauri::command]
pub async fn save_notes(shell: Held<'_>, id: String, text: String) -> Answer<NotesDto> {
    check_size(&text)?;
    let desk = shell.desk().await?;
    let notes = desk.engine.save_notes(IncidentKey::parse(&id), &text).await.map_err(error)?;
    Ok(notes_dto(&notes))
}
