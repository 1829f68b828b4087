//! The port of core over the tables.

use std::path::Path;

use afterwatch_core::{
    change::Change,
    coverage::Coverage,
    incident::{Head, Incident, IncidentId},
    port::{
        Store, StoreError,
        store::{Draft, Extent, IncidentKey, IncidentQuery, Lease, Notes, Pruned, Pruning, Saved},
    },
    postmortem::{Edit, StatusChange, Version},
    silence::Silence,
    writing::Exchange,
};
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::{SqliteStore, error::Fail, table};

impl Store for SqliteStore {
    fn save(
        &self,
        incidents: &[Incident],
        changes: &[(String, Change)],
        coverage: &[Coverage],
    ) -> Result<Vec<Saved>, StoreError> {
        if incidents.is_empty() && changes.is_empty() && coverage.is_empty() {
            return Ok(Vec::new());
        }
        self.check_room()?;
        self.write(|tx| {
            let mut added = false;
            for (cluster, change) in changes {
                added |= table::change::save(tx, cluster, change)?;
            }
            if added {
                table::next(tx, "revision")?;
            }
            for span in coverage {
                table::coverage::save(tx, span)?;
            }
            let saved: Vec<Saved> =
                incidents.iter().map(|incident| table::incident::save(tx, incident)).collect::<Result<_, _>>()?;
            carry(tx, incidents, &saved)?;
            Ok(saved)
        })
    }

    fn save_together(&self, incidents: &[Incident]) -> Result<Vec<Saved>, StoreError> {
        self.write_durably(|tx| {
            let saved: Vec<Saved> =
                incidents.iter().map(|incident| table::incident::save(tx, incident)).collect::<Result<_, _>>()?;
            if saved.iter().any(|s| !matches!(s, Saved::Written { .. })) {
                return Err(StoreError::Conflict.into());
            }
            carry(tx, incidents, &saved)?;
            Ok(saved)
        })
    }

    fn incident(&self, key: &IncidentKey) -> Result<Incident, StoreError> {
        self.read(|connection| table::incident::find(connection, key))
    }

    fn incidents(&self, query: &IncidentQuery) -> Result<Vec<Incident>, StoreError> {
        self.read(|connection| table::incident::list(connection, query))
    }

    fn heads(&self, query: &IncidentQuery) -> Result<Vec<Head>, StoreError> {
        self.read(|connection| table::incident::heads(connection, query))
    }

    fn count(&self, query: &IncidentQuery) -> Result<u32, StoreError> {
        self.read(|connection| table::incident::count(connection, query))
    }

    fn extent(&self) -> Result<Extent, StoreError> {
        self.read(table::incident::extent)
    }

    fn delete(&self, id: IncidentId) -> Result<(), StoreError> {
        self.write_durably(|tx| table::incident::delete(tx, id))
    }

    fn prune(&self, older: &Pruning) -> Result<Pruned, StoreError> {
        self.write(|tx| {
            Ok(Pruned {
                excerpts: older.evidence_before.map_or(Ok(0), |at| table::evidence::prune(tx, at))?,
                changes: older.changes_before.map_or(Ok(0), |at| table::change::prune(tx, at))?,
            })
        })
    }

    fn back_up(&self) -> Result<String, StoreError> {
        let folder = Path::new(&self.place().path).parent().unwrap_or(Path::new("")).join("backups");
        self.backup(&folder).map(|path| path.display().to_string())
    }

    fn changed_since(&self, revision: u64) -> Result<Vec<(IncidentId, u64)>, StoreError> {
        self.read(|connection| table::incident::changed_since(connection, revision))
    }

    fn revision(&self) -> Result<u64, StoreError> {
        self.read(table::revision)
    }

    fn data_version(&self) -> Result<i64, StoreError> {
        // On the reader it would also count our own writes.
        self.ask_writer(|connection| Ok(connection.query_row("PRAGMA data_version", [], |row| row.get(0))?))
    }

    fn notes(&self, id: IncidentId) -> Result<Notes, StoreError> {
        self.read(|connection| table::note::current(connection, id))
    }

    fn save_notes(&self, id: IncidentId, text: &str, at: Timestamp) -> Result<Notes, StoreError> {
        self.write_durably(|tx| table::note::save(tx, id, text, at))
    }

    fn notes_history(&self, id: IncidentId) -> Result<Vec<Notes>, StoreError> {
        self.read(|connection| table::note::history(connection, id))
    }

    fn draft(&self, id: IncidentId) -> Result<Option<Draft>, StoreError> {
        self.read(|connection| table::draft::current(connection, id))
    }

    fn save_draft(&self, id: IncidentId, edit: &Edit<'_>, at: Timestamp) -> Result<(), StoreError> {
        self.write_durably(|tx| table::draft::save(tx, id, edit, at))
    }

    fn draft_versions(&self, id: IncidentId) -> Result<Vec<Version>, StoreError> {
        self.read(|connection| table::draft::versions(connection, id))
    }

    fn draft_statuses(&self, id: IncidentId) -> Result<Vec<StatusChange>, StoreError> {
        self.read(|connection| table::draft::statuses(connection, id))
    }

    fn set_draft_status(&self, id: IncidentId, change: &StatusChange) -> Result<(), StoreError> {
        self.write_durably(|tx| table::draft::set_status(tx, id, change))
    }

    fn draft_shape(&self, id: IncidentId) -> Result<Option<String>, StoreError> {
        self.read(|connection| table::draft::shape(connection, id))
    }

    fn set_draft_shape(&self, id: IncidentId, shape: &str) -> Result<(), StoreError> {
        self.write_durably(|tx| table::draft::set_shape(tx, id, shape))
    }

    fn coverage(&self, cluster: &str, from: Timestamp, to: Timestamp) -> Result<Vec<Coverage>, StoreError> {
        self.read(|connection| table::coverage::between(connection, cluster, from, to))
    }

    fn close_stale_coverage(&self, cluster: &str) -> Result<(), StoreError> {
        self.write(|tx| table::coverage::close_stale(tx, cluster))
    }

    fn silences(&self, now: Timestamp) -> Result<Vec<Silence>, StoreError> {
        self.read(|connection| table::silence::active(connection, now))
    }

    fn save_silence(&self, silence: &Silence) -> Result<(), StoreError> {
        self.write(|tx| table::silence::save(tx, silence))
    }

    fn delete_silence(&self, id: Uuid) -> Result<(), StoreError> {
        self.write(|tx| table::silence::delete(tx, id))
    }

    fn exchanges(&self, id: IncidentId) -> Result<Vec<Exchange>, StoreError> {
        self.read(|connection| table::exchange::list(connection, id))
    }

    fn save_exchange(&self, id: IncidentId, exchange: &Exchange) -> Result<(), StoreError> {
        self.write_durably(|tx| table::exchange::save(tx, id, exchange))
    }

    fn delete_exchange(&self, id: IncidentId, exchange: Uuid) -> Result<(), StoreError> {
        self.write_durably(|tx| table::exchange::delete(tx, id, exchange))
    }

    fn setting(&self, key: &str) -> Result<Option<Value>, StoreError> {
        self.read(|connection| table::setting::get(connection, key))
    }

    fn set_setting(&self, key: &str, value: &Value) -> Result<(), StoreError> {
        self.write(|tx| table::setting::set(tx, key, value))
    }

    fn take_lease(&self, cluster: &str, lease: &Lease, now: Timestamp) -> Result<Result<(), Lease>, StoreError> {
        self.write(|tx| table::lease::take(tx, cluster, lease, now))
    }

    fn release_lease(&self, cluster: &str, holder: Uuid) -> Result<(), StoreError> {
        self.write(|tx| table::lease::release(tx, cluster, holder))
    }

    fn path(&self) -> String {
        self.place().path.clone()
    }

    fn size_bytes(&self) -> u64 {
        self.bytes()
    }
}

/// What was asked about those that go on in another incident goes along, once all of the batch is written.
fn carry(tx: &rusqlite::Transaction<'_>, incidents: &[Incident], saved: &[Saved]) -> Result<(), Fail> {
    let written = incidents.iter().zip(saved).filter(|(_, saved)| matches!(saved, Saved::Written { .. }));
    written.map(|(incident, _)| incident).try_for_each(|incident| table::exchange::carry(tx, incident))
}

impl SqliteStore {
    /// Every change seen on the cluster in the window, both ends included, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn changes(&self, cluster: &str, from: Timestamp, to: Timestamp) -> Result<Vec<Change>, StoreError> {
        self.read(|connection| table::change::between(connection, cluster, from, to))
    }
}
