//! A database that can be told to refuse, or to hang.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use afterwatch_core::{
    Timestamp,
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
use afterwatch_store::SqliteStore;
use uuid::Uuid;

pub struct FlakyStore {
    inner: SqliteStore,
    pub full: AtomicBool,
    pub hangs: AtomicBool,
    pub refused: AtomicU32,
}

impl FlakyStore {
    pub fn new() -> Arc<FlakyStore> {
        let inner = SqliteStore::open_in_memory().unwrap();
        Arc::new(FlakyStore {
            inner,
            full: AtomicBool::new(false),
            hangs: AtomicBool::new(false),
            refused: AtomicU32::new(0),
        })
    }
}

type Result<T> = std::result::Result<T, StoreError>;

impl Store for FlakyStore {
    fn save(&self, incidents: &[Incident], changes: &[(String, Change)], coverage: &[Coverage]) -> Result<Vec<Saved>> {
        while self.hangs.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(20));
        }
        if self.full.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(StoreError::DiskFull { path: "/data/afterwatch.db".to_owned() });
        }
        self.inner.save(incidents, changes, coverage)
    }

    fn save_together(&self, incidents: &[Incident]) -> Result<Vec<Saved>> {
        self.inner.save_together(incidents)
    }

    fn incident(&self, key: &IncidentKey) -> Result<Incident> {
        self.inner.incident(key)
    }

    fn incidents(&self, query: &IncidentQuery) -> Result<Vec<Incident>> {
        self.inner.incidents(query)
    }

    fn heads(&self, query: &IncidentQuery) -> Result<Vec<Head>> {
        self.inner.heads(query)
    }

    fn count(&self, query: &IncidentQuery) -> Result<u32> {
        self.inner.count(query)
    }

    fn extent(&self) -> Result<Extent> {
        self.inner.extent()
    }

    fn delete(&self, id: IncidentId) -> Result<()> {
        self.inner.delete(id)
    }

    fn prune(&self, older: &Pruning) -> Result<Pruned> {
        self.inner.prune(older)
    }

    fn back_up(&self) -> Result<String> {
        self.inner.back_up()
    }

    fn changed_since(&self, revision: u64) -> Result<Vec<(IncidentId, u64)>> {
        self.inner.changed_since(revision)
    }

    fn revision(&self) -> Result<u64> {
        self.inner.revision()
    }

    fn data_version(&self) -> Result<i64> {
        self.inner.data_version()
    }

    fn notes(&self, id: IncidentId) -> Result<Notes> {
        self.inner.notes(id)
    }

    fn save_notes(&self, id: IncidentId, text: &str, at: Timestamp) -> Result<Notes> {
        self.inner.save_notes(id, text, at)
    }

    fn notes_history(&self, id: IncidentId) -> Result<Vec<Notes>> {
        self.inner.notes_history(id)
    }

    fn draft(&self, id: IncidentId) -> Result<Option<Draft>> {
        self.inner.draft(id)
    }

    fn save_draft(&self, id: IncidentId, edit: &Edit<'_>, at: Timestamp) -> Result<()> {
        self.inner.save_draft(id, edit, at)
    }

    fn draft_versions(&self, id: IncidentId) -> Result<Vec<Version>> {
        self.inner.draft_versions(id)
    }

    fn draft_statuses(&self, id: IncidentId) -> Result<Vec<StatusChange>> {
        self.inner.draft_statuses(id)
    }

    fn set_draft_status(&self, id: IncidentId, change: &StatusChange) -> Result<()> {
        self.inner.set_draft_status(id, change)
    }

    fn draft_shape(&self, id: IncidentId) -> Result<Option<String>> {
        self.inner.draft_shape(id)
    }

    fn set_draft_shape(&self, id: IncidentId, shape: &str) -> Result<()> {
        self.inner.set_draft_shape(id, shape)
    }

    fn coverage(&self, cluster: &str, from: Timestamp, to: Timestamp) -> Result<Vec<Coverage>> {
        self.inner.coverage(cluster, from, to)
    }

    fn close_stale_coverage(&self, cluster: &str) -> Result<()> {
        self.inner.close_stale_coverage(cluster)
    }

    fn silences(&self, now: Timestamp) -> Result<Vec<Silence>> {
        self.inner.silences(now)
    }

    fn save_silence(&self, silence: &Silence) -> Result<()> {
        self.inner.save_silence(silence)
    }

    fn delete_silence(&self, id: Uuid) -> Result<()> {
        self.inner.delete_silence(id)
    }

    fn exchanges(&self, id: IncidentId) -> Result<Vec<Exchange>> {
        self.inner.exchanges(id)
    }

    fn save_exchange(&self, id: IncidentId, exchange: &Exchange) -> Result<()> {
        self.inner.save_exchange(id, exchange)
    }

    fn delete_exchange(&self, id: IncidentId, exchange: Uuid) -> Result<()> {
        self.inner.delete_exchange(id, exchange)
    }

    fn setting(&self, key: &str) -> Result<Option<serde_json::Value>> {
        self.inner.setting(key)
    }

    fn set_setting(&self, key: &str, value: &serde_json::Value) -> Result<()> {
        self.inner.set_setting(key, value)
    }

    fn take_lease(&self, cluster: &str, lease: &Lease, now: Timestamp) -> Result<std::result::Result<(), Lease>> {
        self.inner.take_lease(cluster, lease, now)
    }

    fn release_lease(&self, cluster: &str, holder: Uuid) -> Result<()> {
        self.inner.release_lease(cluster, holder)
    }

    fn path(&self) -> String {
        self.inner.path()
    }

    fn size_bytes(&self) -> u64 {
        self.inner.size_bytes()
    }
}
