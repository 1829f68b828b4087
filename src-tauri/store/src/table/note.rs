//! The notes document of an incident, every version of it.

use afterwatch_core::{incident::IncidentId, port::store::Notes};
use jiff::Timestamp;
use rusqlite::{Connection, Transaction};

use super::{next, read_moment, row_of, row_of_known, search};
use crate::error::Fail;

/// The newest version; empty while nothing was written.
pub(crate) fn current(connection: &Connection, id: IncidentId) -> Result<Notes, Fail> {
    let newest = versions(connection, id, Some(1))?.pop();
    Ok(newest.unwrap_or(Notes { text: String::new(), updated_at: None, version: 0 }))
}

/// Adds a version. Saving the same text again is not an edit.
pub(crate) fn save(tx: &Transaction<'_>, id: IncidentId, text: &str, at: Timestamp) -> Result<Notes, Fail> {
    let row = row_of_known(tx, id)?;
    let before = current(tx, id)?;
    if before.text == text {
        return Ok(before);
    }
    let (version, revision) = (before.version + 1, next(tx, "revision")?);
    tx.prepare_cached("INSERT INTO notes (incident, version, revision, updated_at, text) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute((row, version, revision, super::moment(at), text))?;
    search::put(tx, row, "notes", text)?;
    Ok(Notes { text: text.to_owned(), updated_at: Some(at), version })
}

/// Versions before the newest, newest first.
pub(crate) fn history(connection: &Connection, id: IncidentId) -> Result<Vec<Notes>, Fail> {
    let mut all = versions(connection, id, None)?;
    if !all.is_empty() {
        all.remove(0);
    }
    Ok(all)
}

fn versions(connection: &Connection, id: IncidentId, limit: Option<i64>) -> Result<Vec<Notes>, Fail> {
    let Some(row) = row_of(connection, id)? else {
        return Ok(Vec::new());
    };
    let mut statement = connection.prepare_cached(
        "SELECT version, updated_at, text FROM notes WHERE incident = ?1 ORDER BY version DESC LIMIT ?2",
    )?;
    let mut rows = statement.query((row, limit.unwrap_or(-1)))?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        let at: String = row.get(1)?;
        out.push(Notes { version: row.get(0)?, updated_at: Some(read_moment(&at)?), text: row.get(2)? });
    }
    Ok(out)
}
