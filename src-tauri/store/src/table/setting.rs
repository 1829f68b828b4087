//! Settings: JSON values by name.

use rusqlite::{Connection, OptionalExtension, Transaction};
use serde_json::Value;

use super::{next, read_body};
use crate::error::Fail;

pub(crate) fn get(connection: &Connection, key: &str) -> Result<Option<Value>, Fail> {
    let mut statement = connection.prepare_cached("SELECT value FROM settings WHERE key = ?1")?;
    let text: Option<String> = statement.query_row([key], |row| row.get(0)).optional()?;
    text.map(|text| read_body(&format!("the setting {key}"), &text)).transpose()
}

pub(crate) fn set(tx: &Transaction<'_>, key: &str, value: &Value) -> Result<(), Fail> {
    next(tx, "revision")?;
    tx.prepare_cached(
        "INSERT INTO settings (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )?
    .execute((key, value.to_string()))?;
    Ok(())
}
