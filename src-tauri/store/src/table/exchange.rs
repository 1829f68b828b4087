//! What was asked about an incident and answered.

use afterwatch_core::{
    incident::{Incident, IncidentId},
    port::store::IncidentKey,
    writing::Exchange,
};
use rusqlite::{Connection, Transaction};
use uuid::Uuid;

use super::{bodies, incident, moment, row_of, row_of_known};
use crate::error::Fail;

/// Of an incident, oldest first.
pub(crate) fn list(connection: &Connection, id: IncidentId) -> Result<Vec<Exchange>, Fail> {
    let Some(row) = row_of(connection, id)? else {
        return Ok(Vec::new());
    };
    let sql = "SELECT body FROM exchanges WHERE incident = ?1 ORDER BY asked_at, id";
    bodies(connection, "a kept answer", sql, [row])
}

/// Keeps one, in place of what was kept under its id.
pub(crate) fn save(tx: &Transaction<'_>, id: IncidentId, exchange: &Exchange) -> Result<(), Fail> {
    put(tx, row_of_known(tx, id)?, exchange)
}

/// Forgets one.
pub(crate) fn delete(tx: &Transaction<'_>, id: IncidentId, exchange: Uuid) -> Result<(), Fail> {
    let Some(row) = row_of(tx, id)? else {
        return Ok(());
    };
    tx.execute("DELETE FROM exchanges WHERE id = ?1 AND incident = ?2", (exchange.to_string(), row))?;
    Ok(())
}

/// Takes along what was asked about an incident that goes on in another one. Where that one is not there yet it stays.
pub(crate) fn carry(tx: &Transaction<'_>, merged: &Incident) -> Result<(), Fail> {
    let Some(target) = merged.merged_into else {
        return Ok(());
    };
    let asked = list(tx, merged.id)?;
    if asked.is_empty() {
        return Ok(());
    }
    let Some(row) = row_of(tx, target)? else {
        return Ok(());
    };
    let into = incident::find(tx, &IncidentKey::Id(target))?;
    for exchange in asked {
        put(tx, row, &exchange.carried(merged, &into))?;
    }
    Ok(())
}

fn put(tx: &Transaction<'_>, row: i64, exchange: &Exchange) -> Result<(), Fail> {
    tx.prepare_cached(
        "INSERT INTO exchanges (id, incident, asked_at, body) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET incident = excluded.incident, body = excluded.body",
    )?
    .execute((exchange.id.to_string(), row, moment(exchange.asked_at), serde_json::to_string(exchange)?))?;
    Ok(())
}
