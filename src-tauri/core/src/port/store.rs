//! The local history. Calls may block for the disk: never make them on the watch path.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    change::Change,
    coverage::Coverage,
    incident::{Head, Incident, IncidentId},
    postmortem::{Edit, StatusChange, Version},
    severity::Severity,
    silence::Silence,
    writing::Exchange,
};

/// Why the history could not be read or written. Each says what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error(
        "The database {path} is being written by another program and stayed locked for {seconds} s. Close it, or wait and try again."
    )]
    Locked { path: String, seconds: u64 },
    #[error("The database {path} cannot be written: {message}. Check its permissions, or name another with --db.")]
    ReadOnly { path: String, message: String },
    #[error(
        "The database {path} was written by a newer Afterwatch (format {found}; this one knows up to {known}). Update Afterwatch, or name another database with --db."
    )]
    Newer { path: String, found: u32, known: u32 },
    #[error(
        "The database {path} is damaged: {message}. It was left as it is; move it away or restore a backup from the folder backups beside it."
    )]
    Corrupt { path: String, message: String },
    #[error(
        "The disk that holds {path} is full. Recording stopped; what was recorded is safe. Free some space and recording goes on by itself."
    )]
    DiskFull { path: String },
    #[error("The incident was changed by another window or command in the meantime. Read it again and repeat.")]
    Conflict,
    #[error("There is no incident {0}. `kubectl afterwatch incidents` lists them.")]
    NoIncident(String),
    #[error("{0} fits several incidents. Write more of the id.")]
    Ambiguous(String),
    /// What was asked for makes no sense for these incidents; the words say why.
    #[error("{0}")]
    Refused(String),
    #[error("The database {path} could not be used: {message}")]
    Other { path: String, message: String },
}

/// How a person names an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IncidentKey {
    Id(IncidentId),
    Number(u64),
    /// A unique beginning of the UUID.
    Prefix(String),
}

impl IncidentKey {
    /// Reads `47`, `INC-47`, a UUID or the beginning of one. No number begins with 0; every id does for centuries.
    pub fn parse(text: &str) -> IncidentKey {
        let text = text.trim();
        let digits = text.strip_prefix("INC-").or_else(|| text.strip_prefix("inc-")).unwrap_or(text);
        if let Ok(number) = digits.parse()
            && !digits.starts_with('0')
        {
            return IncidentKey::Number(number);
        }
        match Uuid::parse_str(text) {
            Ok(id) => IncidentKey::Id(IncidentId(id)),
            Err(_) => IncidentKey::Prefix(text.to_lowercase()),
        }
    }
}

/// Which incidents to list, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncidentQuery {
    /// Only states other than resolved.
    pub open: bool,
    /// Open at any time since then: not resolved before it.
    pub since: Option<Timestamp>,
    /// Full text over title, causes, evidence, timeline and notes.
    pub search: Option<String>,
    /// Cluster names; empty for all.
    pub clusters: Vec<String>,
    /// Identity of the cluster.
    pub cluster_uid: Option<String>,
    pub severity: Option<Severity>,
    /// Namespaces the incident touches; empty for all.
    pub namespaces: Vec<String>,
    pub limit: Option<u32>,
    pub offset: u32,
}

/// What happened to one incident of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saved {
    /// Written; the incident's number and the new revision.
    Written { number: u64, revision: u64 },
    /// Somebody else wrote it since this copy was read: nothing of this incident was written.
    Conflict(Box<Incident>),
    /// A person deleted it since this copy was read: nothing was written.
    Gone,
}

/// The notes document of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    pub text: String,
    pub updated_at: Option<Timestamp>,
    /// Counts saves from 1; 0 while nothing was ever written.
    pub version: u64,
}

/// Who records a cluster into this database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    pub holder: Uuid,
    /// For people: `the app`, `kubectl afterwatch watch (pid 4711)`.
    pub holder_name: String,
    pub expires_at: Timestamp,
}

/// The post-mortem document a person edited; none while the template keeps it current.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    pub markdown: String,
    pub updated_at: Timestamp,
    pub version: u64,
}

/// What the history spans.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// When recording began: the first watched moment, or the first incident.
    pub since: Option<Timestamp>,
    /// The clusters there are incidents of, by name.
    pub clusters: Vec<String>,
}

/// What is let go of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruning {
    /// Excerpts of the evidence of incidents resolved before this.
    pub evidence_before: Option<Timestamp>,
    /// Changes seen before this that no incident took in.
    pub changes_before: Option<Timestamp>,
}

/// What was let go of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub excerpts: u64,
    pub changes: u64,
}

/// The local history.
pub trait Store: Send + Sync {
    /// Writes incidents, changes and coverage in one transaction. Numbers new incidents. One incident's conflict does
    /// not keep the others from being written. Results are in the order of `incidents`.
    ///
    /// # Errors
    /// When nothing could be written.
    fn save(
        &self,
        incidents: &[Incident],
        changes: &[(String, Change)],
        coverage: &[Coverage],
    ) -> Result<Vec<Saved>, StoreError>;

    /// Writes incidents in one transaction: all of them, or, where somebody else wrote one since it was read, none.
    ///
    /// # Errors
    /// [`StoreError::Conflict`], or when nothing could be written.
    fn save_together(&self, incidents: &[Incident]) -> Result<Vec<Saved>, StoreError>;

    /// One incident whole.
    ///
    /// # Errors
    /// [`StoreError::NoIncident`] or [`StoreError::Ambiguous`], or when the database cannot be read.
    fn incident(&self, key: &IncidentKey) -> Result<Incident, StoreError>;

    /// Incidents, newest first, each whole.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn incidents(&self, query: &IncidentQuery) -> Result<Vec<Incident>, StoreError>;

    /// The same incidents without what is recorded under them: for lists.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn heads(&self, query: &IncidentQuery) -> Result<Vec<Head>, StoreError>;

    /// How many incidents fit, whatever the query's limit and offset.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn count(&self, query: &IncidentQuery) -> Result<u32, StoreError>;

    /// What the history spans.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn extent(&self) -> Result<Extent, StoreError>;

    /// Deletes an incident with everything recorded and written under it. Its number is not given again.
    ///
    /// # Errors
    /// When there is none, or it could not be written.
    fn delete(&self, id: IncidentId) -> Result<(), StoreError>;

    /// Lets go of what is older than its time, and gives the room back; what people wrote stays.
    ///
    /// # Errors
    /// When the database cannot be written.
    fn prune(&self, older: &Pruning) -> Result<Pruned, StoreError>;

    /// Writes a verified copy of the database into the folder `backups` beside it, and returns the copy's path.
    ///
    /// # Errors
    /// When there is nothing on disk to copy, or the copy cannot be written.
    fn back_up(&self) -> Result<String, StoreError>;

    /// The ids of incidents written after this revision, with their revisions, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn changed_since(&self, revision: u64) -> Result<Vec<(IncidentId, u64)>, StoreError>;

    /// The newest revision of anything.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn revision(&self) -> Result<u64, StoreError>;

    /// Changes whenever another process wrote the database (`PRAGMA data_version`).
    ///
    /// # Errors
    /// When the database cannot be read.
    fn data_version(&self) -> Result<i64, StoreError>;

    /// The notes document.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn notes(&self, id: IncidentId) -> Result<Notes, StoreError>;

    /// Saves the notes document, keeping what it replaces.
    ///
    /// # Errors
    /// When it could not be written; the caller must keep the text.
    fn save_notes(&self, id: IncidentId, text: &str, at: Timestamp) -> Result<Notes, StoreError>;

    /// Earlier versions of the notes, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn notes_history(&self, id: IncidentId) -> Result<Vec<Notes>, StoreError>;

    /// The post-mortem as a person edited it.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn draft(&self, id: IncidentId) -> Result<Option<Draft>, StoreError>;

    /// Saves the edited post-mortem, keeping what it replaces. One that was reviewed is a draft again.
    ///
    /// # Errors
    /// When it could not be written; the caller must keep the text.
    fn save_draft(&self, id: IncidentId, edit: &Edit<'_>, at: Timestamp) -> Result<(), StoreError>;

    /// Every version of the post-mortem, the current one included, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn draft_versions(&self, id: IncidentId) -> Result<Vec<Version>, StoreError>;

    /// Every status the post-mortem was given, oldest first; none while it is a draft that nobody moved.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn draft_statuses(&self, id: IncidentId) -> Result<Vec<StatusChange>, StoreError>;

    /// Gives the post-mortem a status.
    ///
    /// # Errors
    /// When there is no such incident, or it could not be written.
    fn set_draft_status(&self, id: IncidentId, change: &StatusChange) -> Result<(), StoreError>;

    /// The name of the shape the record fills the post-mortem in, where one was chosen.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn draft_shape(&self, id: IncidentId) -> Result<Option<String>, StoreError>;

    /// Chooses the shape.
    ///
    /// # Errors
    /// When there is no such incident, or it could not be written.
    fn set_draft_shape(&self, id: IncidentId, shape: &str) -> Result<(), StoreError>;

    /// Spans of coverage that overlap the window.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn coverage(&self, cluster: &str, from: Timestamp, to: Timestamp) -> Result<Vec<Coverage>, StoreError>;

    /// Closes spans a killed process left open, at their last heartbeat.
    ///
    /// # Errors
    /// When the database cannot be written.
    fn close_stale_coverage(&self, cluster: &str) -> Result<(), StoreError>;

    /// Silences that have not ended.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn silences(&self, now: Timestamp) -> Result<Vec<Silence>, StoreError>;

    /// Adds or replaces a silence.
    ///
    /// # Errors
    /// When the database cannot be written.
    fn save_silence(&self, silence: &Silence) -> Result<(), StoreError>;

    /// Ends a silence.
    ///
    /// # Errors
    /// When the database cannot be written.
    fn delete_silence(&self, id: Uuid) -> Result<(), StoreError>;

    /// What was asked about an incident and answered, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn exchanges(&self, id: IncidentId) -> Result<Vec<Exchange>, StoreError>;

    /// Keeps a question and its answer with an incident. They go along when it becomes part of another one, and go
    /// with it when it is deleted.
    ///
    /// # Errors
    /// When there is no such incident, or it could not be written.
    fn save_exchange(&self, id: IncidentId, exchange: &Exchange) -> Result<(), StoreError>;

    /// Forgets a question and its answer; one that is gone already is no error.
    ///
    /// # Errors
    /// When the database cannot be written.
    fn delete_exchange(&self, id: IncidentId, exchange: Uuid) -> Result<(), StoreError>;

    /// A setting as JSON.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn setting(&self, key: &str) -> Result<Option<serde_json::Value>, StoreError>;

    /// Writes a setting.
    ///
    /// # Errors
    /// When the database cannot be written.
    fn set_setting(&self, key: &str, value: &serde_json::Value) -> Result<(), StoreError>;

    /// Takes or renews the lease to record a cluster. `Err(lease)` inside `Ok` is the other holder's.
    ///
    /// # Errors
    /// When the database cannot be written.
    fn take_lease(&self, cluster: &str, lease: &Lease, now: Timestamp) -> Result<Result<(), Lease>, StoreError>;

    /// Gives the lease back.
    ///
    /// # Errors
    /// When the database cannot be written.
    fn release_lease(&self, cluster: &str, holder: Uuid) -> Result<(), StoreError>;

    /// Where the database lies; `:memory:` when it is nowhere.
    fn path(&self) -> String;

    /// Size on disk in bytes, write-ahead log included.
    fn size_bytes(&self) -> u64;
}
