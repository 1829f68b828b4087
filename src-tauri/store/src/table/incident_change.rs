//! The changes an incident took in. Suspicion may come and go: rows are rewritten where they differ.

use afterwatch_core::change::IncidentChange;
use rusqlite::{Connection, Transaction};

use super::bodies;
use crate::error::Fail;

pub(crate) fn save(tx: &Transaction<'_>, row: i64, changes: &[IncidentChange]) -> Result<(), Fail> {
    let mut put = tx.prepare_cached(
        "INSERT INTO incident_changes (incident, ordinal, id, body) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (incident, ordinal) DO UPDATE SET id = excluded.id, body = excluded.body
         WHERE body <> excluded.body",
    )?;
    for (ordinal, change) in (0_i64..).zip(changes) {
        put.execute((row, ordinal, &change.id, serde_json::to_string(change)?))?;
    }
    tx.prepare_cached("DELETE FROM incident_changes WHERE incident = ?1 AND ordinal >= ?2")?
        .execute((row, changes.len()))?;
    Ok(())
}

pub(crate) fn load(connection: &Connection, row: i64) -> Result<Vec<IncidentChange>, Fail> {
    bodies(connection, "a change", "SELECT body FROM incident_changes WHERE incident = ?1 ORDER BY ordinal", [row])
}
