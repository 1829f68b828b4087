//! Evidence: immutable. An id that is there already stays as it was first written, and none is ever taken away.

use std::collections::HashSet;

use afterwatch_core::evidence::Evidence;
use jiff::Timestamp;
use rusqlite::{Connection, Transaction};

use super::{bodies, moment, search, word};
use crate::error::Fail;

pub(crate) fn save(tx: &Transaction<'_>, row: i64, evidence: &[Evidence]) -> Result<(), Fail> {
    let mut kept: HashSet<String> = tx
        .prepare_cached("SELECT id FROM evidence WHERE incident = ?1")?
        .query_map([row], |r| r.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut put = tx.prepare_cached(
        "INSERT INTO evidence (incident, id, ordinal, key, kind, at, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for (ordinal, item) in (0_i64..).zip(evidence) {
        if !kept.insert(item.id.clone()) {
            continue;
        }
        let draft = &item.draft;
        let (kind, at) = (word(&draft.kind)?, moment(draft.at));
        put.execute((row, &item.id, ordinal, &draft.key, kind, at, serde_json::to_string(item)?))?;
        let text = format!("{}\n{} {}\n{}", draft.summary, draft.object.kind, draft.object.name, draft.excerpt);
        search::put(tx, row, &format!("evidence {}", item.id), &text)?;
    }
    Ok(())
}

pub(crate) fn load(connection: &Connection, row: i64) -> Result<Vec<Evidence>, Fail> {
    let sql = "SELECT body FROM evidence WHERE incident = ?1 ORDER BY ordinal, rowid";
    bodies(connection, "a piece of evidence", sql, [row])
}

/// What stands in place of an excerpt that was let go of.
const GONE: &str = "(The excerpt was removed after the time set for keeping evidence.)";

/// Lets go of the excerpts of incidents that were resolved before a time. What they were and when stays, and so do
/// their ids, which reports cite. A bounded number at a time; returns how many.
pub(crate) fn prune(tx: &Transaction<'_>, before: Timestamp) -> Result<u64, Fail> {
    let mut old = tx.prepare(
        "SELECT e.incident, e.id, e.ordinal, e.key, e.kind, e.at, e.body FROM evidence e JOIN incidents i ON i.row = e.incident
         WHERE i.state = 'resolved' AND i.resolved_at < ?1 AND instr(e.body, ?2) = 0 LIMIT 1000",
    )?;
    let mut rows = old.query((moment(before), GONE))?;
    let mut pruned = 0;
    let mut delete = tx.prepare("DELETE FROM evidence WHERE incident = ?1 AND id = ?2")?;
    let mut put = tx.prepare(
        "INSERT INTO evidence (incident, id, ordinal, key, kind, at, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let (incident, ordinal): (i64, i64) = (row.get(0)?, row.get(2)?);
        let (key, kind, at): (String, String, String) = (row.get(3)?, row.get(4)?, row.get(5)?);
        let item: Result<Evidence, Fail> =
            super::read_body("a piece of evidence", row.get_ref(6)?.as_str().map_err(rusqlite::Error::from)?);
        let mut item = match item {
            Ok(item) => item,
            // One that a newer program wrote stays, and must not keep the others.
            Err(Fail::Data(error)) => {
                tracing::warn!(error, "a piece of evidence cannot be read and is kept");
                continue;
            }
            Err(fail) => return Err(fail),
        };
        item.draft.excerpt = GONE.to_owned();
        item.draft.truncated = true;
        all.push((incident, ordinal, key, kind, at, item));
    }
    drop(rows);
    for (incident, ordinal, key, kind, at, item) in all {
        // Evidence cannot be rewritten; it is taken out and what is left of it put in its place.
        delete.execute((incident, &item.id))?;
        put.execute((incident, &item.id, ordinal, key, kind, at, serde_json::to_string(&item)?))?;
        let text = format!("{}\n{} {}", item.draft.summary, item.draft.object.kind, item.draft.object.name);
        search::put(tx, incident, &format!("evidence {}", item.id), &text)?;
        pruned += 1;
    }
    Ok(pruned)
}
