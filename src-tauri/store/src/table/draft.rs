//! The post-mortem as a person edited it, every version of it. A version without text went back to the template.

use afterwatch_core::{incident::IncidentId, port::store::Draft};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction};

use super::{moment, next, read_moment, row_of, row_of_known};
use crate::error::Fail;

/// The newest version with text, unless the newest went back to the template.
pub(crate) fn current(connection: &Connection, id: IncidentId) -> Result<Option<Draft>, Fail> {
    let Some(row) = row_of(connection, id)? else {
        return Ok(None);
    };
    let Some((version, at, Some(markdown))) = newest(connection, row)? else {
        return Ok(None);
    };
    Ok(Some(Draft { markdown, updated_at: read_moment(&at)?, version }))
}

/// Adds a version. Saving the same again is not an edit.
pub(crate) fn save(tx: &Transaction<'_>, id: IncidentId, markdown: Option<&str>, at: Timestamp) -> Result<(), Fail> {
    let row = row_of_known(tx, id)?;
    let (version, before) = newest(tx, row)?.map_or((0, None), |(version, _, text)| (version, text));
    if before.as_deref() == markdown {
        return Ok(());
    }
    let revision = next(tx, "revision")?;
    tx.prepare_cached(
        "INSERT INTO drafts (incident, version, revision, updated_at, markdown) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((row, version + 1, revision, moment(at), markdown))?;
    Ok(())
}

type Newest = (u64, String, Option<String>);

fn newest(connection: &Connection, row: i64) -> Result<Option<Newest>, Fail> {
    let mut statement = connection.prepare_cached(
        "SELECT version, updated_at, markdown FROM drafts WHERE incident = ?1 ORDER BY version DESC LIMIT 1",
    )?;
    Ok(statement.query_row([row], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).optional()?)
}
