//! The tables, a file each, and what they share.

pub(crate) mod change;
pub(crate) mod coverage;
pub(crate) mod draft;
pub(crate) mod evidence;
pub(crate) mod exchange;
pub(crate) mod finding;
pub(crate) mod incident;
pub(crate) mod incident_change;
pub(crate) mod lease;
pub(crate) mod note;
pub(crate) mod search;
pub(crate) mod setting;
pub(crate) mod silence;
pub(crate) mod timeline;

use afterwatch_core::{incident::IncidentId, port::StoreError};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use serde::{Serialize, de::DeserializeOwned};

use crate::error::Fail;

/// A moment as it is stored: of one width, so that text order is the order of time, and to the nanosecond.
pub(crate) fn moment(at: Timestamp) -> String {
    format!("{at:.9}")
}

/// Reads a stored moment.
pub(crate) fn read_moment(text: &str) -> Result<Timestamp, Fail> {
    text.parse().map_err(|error| Fail::Data(format!("the time {text}: {error}")))
}

/// A unit variant as its one word.
pub(crate) fn word(value: &impl Serialize) -> Result<String, Fail> {
    match serde_json::to_value(value)? {
        serde_json::Value::String(word) => Ok(word),
        other => Err(Fail::Data(format!("{other} is not one word"))),
    }
}

/// Reads a unit variant.
pub(crate) fn read_word<T: DeserializeOwned>(word: &str) -> Result<T, Fail> {
    Ok(serde_json::from_value(serde_json::Value::String(word.to_owned()))?)
}

/// Reads a stored value; the failure names it.
pub(crate) fn read_body<T: DeserializeOwned>(what: &str, body: &str) -> Result<T, Fail> {
    serde_json::from_str(body).map_err(|error| Fail::Data(format!("{what}: {error}")))
}

/// All bodies a query gives, in its order.
pub(crate) fn bodies<T: DeserializeOwned>(
    connection: &Connection,
    what: &str,
    sql: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<T>, Fail> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        out.push(read_body(what, row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?);
    }
    Ok(out)
}

/// The newest revision of anything.
pub(crate) fn revision(connection: &Connection) -> Result<u64, Fail> {
    Ok(connection.query_row("SELECT value FROM counters WHERE name = 'revision'", [], |row| row.get(0))?)
}

/// Counts one on and returns the new value.
pub(crate) fn next(connection: &Connection, counter: &str) -> Result<u64, Fail> {
    let mut statement =
        connection.prepare_cached("UPDATE counters SET value = value + 1 WHERE name = ?1 RETURNING value")?;
    Ok(statement.query_row([counter], |row| row.get(0))?)
}

/// The row of an incident.
pub(crate) fn row_of(connection: &Connection, id: IncidentId) -> Result<Option<i64>, Fail> {
    let mut statement = connection.prepare_cached("SELECT row FROM incidents WHERE id = ?1")?;
    Ok(statement.query_row([id.to_string()], |row| row.get(0)).optional()?)
}

/// The row of an incident that must be there.
pub(crate) fn row_of_known(connection: &Connection, id: IncidentId) -> Result<i64, Fail> {
    row_of(connection, id)?.ok_or_else(|| StoreError::NoIncident(id.to_string()).into())
}
