//! The timeline: entries are only ever added, and come back in the order of `seq`.

use std::collections::HashSet;

use afterwatch_core::timeline::TimelineEntry;
use rusqlite::{Connection, Transaction};

use super::{bodies, moment, search, word};
use crate::error::Fail;

pub(crate) fn save(tx: &Transaction<'_>, row: i64, timeline: &[TimelineEntry]) -> Result<(), Fail> {
    let mut kept: HashSet<u64> = tx
        .prepare_cached("SELECT seq FROM timeline WHERE incident = ?1")?
        .query_map([row], |r| r.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut put =
        tx.prepare_cached("INSERT INTO timeline (incident, seq, at, kind, body) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for entry in timeline {
        if !kept.insert(entry.seq) {
            continue;
        }
        put.execute((row, entry.seq, moment(entry.at), word(&entry.kind)?, serde_json::to_string(entry)?))?;
        search::put(tx, row, &format!("timeline {}", entry.seq), &entry.text)?;
    }
    Ok(())
}

pub(crate) fn load(connection: &Connection, row: i64) -> Result<Vec<TimelineEntry>, Fail> {
    bodies(connection, "an entry of a timeline", "SELECT body FROM timeline WHERE incident = ?1 ORDER BY seq", [row])
}
