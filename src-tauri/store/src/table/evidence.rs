//! Evidence: immutable. An id that is there already stays as it was first written, and none is ever taken away.

use std::collections::HashSet;

use afterwatch_core::evidence::Evidence;
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
