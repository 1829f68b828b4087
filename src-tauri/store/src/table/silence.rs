//! Silences.

use afterwatch_core::silence::Silence;
use jiff::Timestamp;
use rusqlite::{Connection, Transaction};
use uuid::Uuid;

use super::{bodies, moment, next};
use crate::error::Fail;

/// Those that hold, the first to end first.
pub(crate) fn active(connection: &Connection, now: Timestamp) -> Result<Vec<Silence>, Fail> {
    let sql = "SELECT body FROM silences WHERE until_at > ?1 ORDER BY until_at, id";
    bodies(connection, "a silence", sql, [moment(now)])
}

/// Adds or replaces.
pub(crate) fn save(tx: &Transaction<'_>, silence: &Silence) -> Result<(), Fail> {
    next(tx, "revision")?;
    tx.prepare_cached(
        "INSERT INTO silences (id, until_at, body) VALUES (?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET until_at = excluded.until_at, body = excluded.body",
    )?
    .execute((silence.id.to_string(), moment(silence.until), serde_json::to_string(silence)?))?;
    Ok(())
}

/// Ends one; one that is not there has ended already.
pub(crate) fn delete(tx: &Transaction<'_>, id: Uuid) -> Result<(), Fail> {
    next(tx, "revision")?;
    tx.prepare_cached("DELETE FROM silences WHERE id = ?1")?.execute([id.to_string()])?;
    Ok(())
}
