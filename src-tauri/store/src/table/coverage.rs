//! When each cluster and kind was really being watched.

use afterwatch_core::coverage::{Coverage, EndedBy};
use jiff::Timestamp;
use rusqlite::{Connection, Transaction};

use super::{moment, read_moment, read_word, word};
use crate::error::Fail;

/// Opens, carries on or closes a span. A message that is older than what is known changes nothing, so that a late
/// heartbeat does not open a closed span again.
pub(crate) fn save(tx: &Transaction<'_>, span: &Coverage) -> Result<(), Fail> {
    let ended_by = span.ended_by.as_ref().map(word).transpose()?;
    let namespace = span.namespace.as_deref().unwrap_or("");
    tx.prepare_cached(
        "INSERT INTO coverage (cluster, kind, namespace, from_at, to_at, how, ended_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (cluster, kind, namespace, from_at) DO UPDATE SET
             to_at = excluded.to_at, how = excluded.how, ended_by = excluded.ended_by
         WHERE excluded.to_at > to_at OR (excluded.to_at = to_at AND excluded.ended_by IS NOT NULL)",
    )?
    .execute((
        &span.cluster,
        &span.kind,
        namespace,
        moment(span.from),
        moment(span.to),
        word(&span.how)?,
        ended_by,
    ))?;
    Ok(())
}

/// Spans that overlap the window, by time, and of each place the last one that ended before it: a gap may have begun
/// there.
pub(crate) fn between(
    connection: &Connection,
    cluster: &str,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Coverage>, Fail> {
    let mut statement = connection.prepare_cached(
        "SELECT kind, namespace, from_at, to_at, how, ended_by FROM coverage
         WHERE cluster = ?1 AND from_at <= ?3 AND (to_at >= ?2 OR (kind, namespace, from_at) IN (
             SELECT kind, namespace, max(from_at) FROM coverage WHERE cluster = ?1 AND to_at < ?2 GROUP BY kind, namespace
         )) ORDER BY from_at, kind, namespace",
    )?;
    let mut rows = statement.query((cluster, moment(from), moment(to)))?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        let (from, to, how): (String, String, String) = (row.get(2)?, row.get(3)?, row.get(4)?);
        let ended_by: Option<String> = row.get(5)?;
        out.push(Coverage {
            cluster: cluster.to_owned(),
            kind: row.get(0)?,
            namespace: Some(row.get(1)?).filter(|n: &String| !n.is_empty()),
            from: read_moment(&from)?,
            to: read_moment(&to)?,
            how: read_word(&how)?,
            ended_by: ended_by.as_deref().map(read_word).transpose()?,
        });
    }
    Ok(out)
}

/// Closes open spans at their last heartbeat. For whoever holds the cluster's lease: nobody else records it then.
pub(crate) fn close_stale(tx: &Transaction<'_>, cluster: &str) -> Result<(), Fail> {
    tx.prepare_cached("UPDATE coverage SET ended_by = ?2 WHERE cluster = ?1 AND ended_by IS NULL")?
        .execute((cluster, word(&EndedBy::Crash)?))?;
    Ok(())
}
