//! The findings of an incident. They change while it lasts: rows are rewritten where they differ.

use afterwatch_core::incident::FindingRecord;
use rusqlite::{Connection, Transaction};

use super::bodies;
use crate::error::Fail;

pub(crate) fn save(tx: &Transaction<'_>, row: i64, findings: &[FindingRecord]) -> Result<(), Fail> {
    let mut put = tx.prepare_cached(
        "INSERT INTO findings (incident, ordinal, fingerprint, rule_id, active, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (incident, ordinal) DO UPDATE SET fingerprint = excluded.fingerprint,
             rule_id = excluded.rule_id, active = excluded.active, body = excluded.body
         WHERE body <> excluded.body",
    )?;
    for (ordinal, finding) in (0_i64..).zip(findings) {
        let body = serde_json::to_string(finding)?;
        put.execute((row, ordinal, &finding.fingerprint, &finding.rule_id, finding.active, body))?;
    }
    tx.prepare_cached("DELETE FROM findings WHERE incident = ?1 AND ordinal >= ?2")?.execute((row, findings.len()))?;
    Ok(())
}

pub(crate) fn load(connection: &Connection, row: i64) -> Result<Vec<FindingRecord>, Fail> {
    bodies(connection, "a finding", "SELECT body FROM findings WHERE incident = ?1 ORDER BY ordinal", [row])
}
