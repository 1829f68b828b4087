//! Every change that was seen, once, whether an incident took it in or not.

use afterwatch_core::change::Change;
use jiff::Timestamp;
use rusqlite::{Connection, Transaction};

use super::{bodies, moment};
use crate::error::Fail;

/// Adds the change unless it is there. True when it was added.
pub(crate) fn save(tx: &Transaction<'_>, cluster: &str, change: &Change) -> Result<bool, Fail> {
    let mut put = tx.prepare_cached(
        "INSERT INTO changes (cluster, key, at, namespace, body) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (cluster, key) DO NOTHING",
    )?;
    let namespace = &change.object.namespace;
    Ok(put.execute((cluster, change.key(), moment(change.at), namespace, serde_json::to_string(change)?))? > 0)
}

/// Changes in the window, both ends included, newest first.
pub(crate) fn between(
    connection: &Connection,
    cluster: &str,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Change>, Fail> {
    let sql = "SELECT body FROM changes WHERE cluster = ?1 AND at BETWEEN ?2 AND ?3 ORDER BY at DESC, key";
    bodies(connection, "a change", sql, (cluster, moment(from), moment(to)))
}

/// Lets go of what was seen before a time, a bounded number at once. Returns how many.
pub(crate) fn prune(tx: &Transaction<'_>, before: Timestamp) -> Result<u64, Fail> {
    Ok(tx.execute(
        "DELETE FROM changes WHERE rowid IN (SELECT rowid FROM changes WHERE at < ?1 LIMIT 5000)",
        [moment(before)],
    )? as u64)
}
