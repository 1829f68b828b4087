//! The timeline: entries are only ever added, and come back in the order of `seq`. The one that says when the trouble
//! started may move, as more becomes known, and so may the label of the change that set it off.

use std::collections::HashSet;

use afterwatch_core::timeline::{EntryKind, TimelineEntry};
use rusqlite::{Connection, Transaction};

use super::{bodies, moment, search, word};
use crate::error::Fail;

pub(crate) fn save(tx: &Transaction<'_>, row: i64, timeline: &[TimelineEntry]) -> Result<(), Fail> {
    let mut kept: HashSet<u64> = tx
        .prepare_cached("SELECT seq FROM timeline WHERE incident = ?1")?
        .query_map([row], |r| r.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut put = tx.prepare_cached(
        "INSERT INTO timeline (incident, seq, at, kind, label, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (incident, seq) DO UPDATE SET at = excluded.at, body = excluded.body
         WHERE label = 'started' AND excluded.label = 'started' AND body <> excluded.body",
    )?;
    let mut label = tx.prepare_cached(
        "UPDATE timeline SET label = ?3, body = ?4
         WHERE incident = ?1 AND seq = ?2 AND kind = 'change' AND label IS NOT ?3
           AND json_remove(body, '$.label') = json_remove(?4, '$.label')",
    )?;
    for entry in timeline {
        let body = serde_json::to_string(entry)?;
        if !kept.insert(entry.seq) && entry.label.as_deref() != Some("started") {
            if entry.kind == EntryKind::Change {
                label.execute((row, entry.seq, &entry.label, body))?;
            }
            continue;
        }
        if put.execute((row, entry.seq, moment(entry.at), word(&entry.kind)?, &entry.label, body))? > 0 {
            search::put(tx, row, &format!("timeline {}", entry.seq), &entry.text)?;
        }
    }
    Ok(())
}

pub(crate) fn load(connection: &Connection, row: i64) -> Result<Vec<TimelineEntry>, Fail> {
    bodies(connection, "an entry of a timeline", "SELECT body FROM timeline WHERE incident = ?1 ORDER BY seq", [row])
}
