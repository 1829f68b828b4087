//! The post-mortem as a person edited it: every version of it, its status, its shape. A version without text went back
//! to the template.

use afterwatch_core::{
    incident::IncidentId,
    port::store::Draft,
    postmortem::{Edit, Origin, Status, StatusChange, Version},
};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Transaction};

use super::{moment, next, read_moment, read_word, row_of, row_of_known, word};
use crate::error::Fail;

/// Saves come every few hundred milliseconds while somebody types: those of one person within this span are one
/// version. Everything else, and what stood before a pause, is kept for good.
const ONE_VERSION: SignedDuration = SignedDuration::from_secs(60);
/// Unless more than so many bytes went: what was just written and taken out again is a version of its own.
const MUCH: usize = 200;

/// The newest version with text, unless the newest went back to the template.
pub(crate) fn current(connection: &Connection, id: IncidentId) -> Result<Option<Draft>, Fail> {
    let Some(row) = row_of(connection, id)? else {
        return Ok(None);
    };
    Ok(newest(connection, row)?.and_then(|newest| {
        let Version { version, at, markdown, .. } = newest.version;
        markdown.map(|markdown| Draft { markdown, updated_at: at, version })
    }))
}

/// Adds a version. Saving the same again is not an edit. A post-mortem that was reviewed is a draft again when its text
/// changes: what was reviewed was another text.
pub(crate) fn save(tx: &Transaction<'_>, id: IncidentId, edit: &Edit<'_>, at: Timestamp) -> Result<(), Fail> {
    let row = row_of_known(tx, id)?;
    let before = newest(tx, row)?;
    if before.as_ref().and_then(|before| before.version.markdown.as_deref()) == edit.markdown {
        return Ok(());
    }
    if statuses_of(tx, row)?.last().is_some_and(|last| last.status == Status::Reviewed) {
        add_status(tx, row, &StatusChange { status: Status::Draft, at, by: edit.by.to_owned() })?;
    }
    let revision = next(tx, "revision")?;
    if let Some(before) = before.as_ref().filter(|before| before.goes_on_with(edit, at)) {
        tx.prepare_cached(
            "UPDATE drafts SET revision = ?3, updated_at = ?4, markdown = ?5 WHERE incident = ?1 AND version = ?2",
        )?
        .execute((row, before.version.version, revision, moment(at), edit.markdown))?;
        return Ok(());
    }
    let version = before.map_or(0, |before| before.version.version) + 1;
    tx.prepare_cached(
        "INSERT INTO drafts (incident, version, revision, updated_at, markdown, origin, by_whom, began_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?4)",
    )?
    .execute((row, version, revision, moment(at), edit.markdown, word(&edit.origin)?, edit.by))?;
    Ok(())
}

/// All versions, newest first.
pub(crate) fn versions(connection: &Connection, id: IncidentId) -> Result<Vec<Version>, Fail> {
    let Some(row) = row_of(connection, id)? else {
        return Ok(Vec::new());
    };
    Ok(read(connection, row, -1)?.into_iter().map(|stored| stored.version).collect())
}

/// Every status it was given, oldest first; none while it is a draft that nobody moved.
pub(crate) fn statuses(connection: &Connection, id: IncidentId) -> Result<Vec<StatusChange>, Fail> {
    row_of(connection, id)?.map_or(Ok(Vec::new()), |row| statuses_of(connection, row))
}

/// Gives it a status; the one it has is no change.
pub(crate) fn set_status(tx: &Transaction<'_>, id: IncidentId, change: &StatusChange) -> Result<(), Fail> {
    let row = row_of_known(tx, id)?;
    let now = statuses_of(tx, row)?.last().map_or(Status::Draft, |last| last.status);
    if now == change.status { Ok(()) } else { add_status(tx, row, change) }
}

/// The shape the record fills it in, where one was chosen.
pub(crate) fn shape(connection: &Connection, id: IncidentId) -> Result<Option<String>, Fail> {
    let Some(row) = row_of(connection, id)? else {
        return Ok(None);
    };
    let mut statement = connection.prepare_cached("SELECT shape FROM draft_shapes WHERE incident = ?1")?;
    Ok(statement.query_row([row], |r| r.get(0)).optional()?)
}

/// Chooses the shape.
pub(crate) fn set_shape(tx: &Transaction<'_>, id: IncidentId, shape: &str) -> Result<(), Fail> {
    let row = row_of_known(tx, id)?;
    tx.prepare_cached(
        "INSERT INTO draft_shapes (incident, shape) VALUES (?1, ?2)
         ON CONFLICT (incident) DO UPDATE SET shape = excluded.shape",
    )?
    .execute((row, shape))?;
    Ok(())
}

struct Stored {
    version: Version,
    began_at: Option<Timestamp>,
}

impl Stored {
    /// Whether this edit belongs to the same minute of typing.
    fn goes_on_with(&self, edit: &Edit<'_>, at: Timestamp) -> bool {
        let typed = edit.origin == Origin::Typed && self.version.origin == Origin::Typed;
        let kept = match (&self.version.markdown, edit.markdown) {
            (Some(before), Some(after)) => before.len() <= after.len() + MUCH,
            _ => false,
        };
        let same = self.version.by.as_deref() == Some(edit.by);
        // A clock that was put back makes a version of its own.
        let soon = self.began_at.is_some_and(|began| at >= began && at.duration_since(began) < ONE_VERSION);
        typed && kept && same && soon
    }
}

fn newest(connection: &Connection, row: i64) -> Result<Option<Stored>, Fail> {
    Ok(read(connection, row, 1)?.pop())
}

fn read(connection: &Connection, row: i64, limit: i64) -> Result<Vec<Stored>, Fail> {
    let mut statement = connection.prepare_cached(
        "SELECT version, updated_at, markdown, origin, by_whom, began_at FROM drafts WHERE incident = ?1
         ORDER BY version DESC LIMIT ?2",
    )?;
    let mut rows = statement.query((row, limit))?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        let (at, origin, began): (String, String, Option<String>) = (row.get(1)?, row.get(3)?, row.get(5)?);
        out.push(Stored {
            version: Version {
                version: row.get(0)?,
                at: read_moment(&at)?,
                by: row.get(4)?,
                origin: read_word(&origin)?,
                markdown: row.get(2)?,
            },
            began_at: began.as_deref().map(read_moment).transpose()?,
        });
    }
    Ok(out)
}

fn statuses_of(connection: &Connection, row: i64) -> Result<Vec<StatusChange>, Fail> {
    let mut statement = connection
        .prepare_cached("SELECT status, at, by_whom FROM draft_statuses WHERE incident = ?1 ORDER BY ordinal")?;
    let mut rows = statement.query([row])?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        let (status, at): (String, String) = (row.get(0)?, row.get(1)?);
        out.push(StatusChange { status: read_word(&status)?, at: read_moment(&at)?, by: row.get(2)? });
    }
    Ok(out)
}

fn add_status(connection: &Connection, row: i64, change: &StatusChange) -> Result<(), Fail> {
    connection
        .prepare_cached(
            "INSERT INTO draft_statuses (incident, ordinal, status, at, by_whom)
             SELECT ?1, coalesce(max(ordinal), 0) + 1, ?2, ?3, ?4 FROM draft_statuses WHERE incident = ?1",
        )?
        .execute((row, word(&change.status)?, moment(change.at), &change.by))?;
    Ok(())
}
