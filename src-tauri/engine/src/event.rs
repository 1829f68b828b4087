//! What the engine tells those who listen.

use std::sync::Arc;

use afterwatch_core::{
    coverage::{Coverage, Unreadable},
    incident::Incident,
    observation::Connection,
};
use jiff::Timestamp;

/// A change somebody may want to show. Incidents are told only after they are stored.
#[derive(Clone, Debug)]
pub enum EngineEvent {
    /// An incident was written at `revision`; the engine's last told revision before it was `previous`.
    Incident { revision: u64, previous: u64, step: IncidentStep, incident: Arc<Incident> },
    /// Incidents are gone from the list: list again.
    Listed,
    /// A cluster's connection, coverage or readability changed.
    Cluster(Arc<ClusterView>),
    /// Another process wrote the database: its settings may be others now.
    Settings,
    /// Something is wrong with the recording itself; `None` when it is well again.
    Trouble(Option<String>),
}

/// What happened to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IncidentStep {
    Opened,
    Updated,
    Worse,
    Mitigated,
    Resolved,
    Reopened,
    /// It turned out to be part of another incident's fault.
    Merged,
    /// A person, or another process, changed it.
    Edited,
}

/// How one cluster is doing.
#[derive(Clone, Debug)]
pub struct ClusterView {
    pub name: String,
    pub state: ClusterState,
    pub cluster_uid: Option<String>,
    pub server_version: Option<String>,
    pub unreadable: Vec<Unreadable>,
    /// Spans of coverage of this run.
    pub coverage: Vec<Coverage>,
    pub objects: u64,
    pub last_heard: Option<Timestamp>,
    /// Who records this cluster into the same database, when it is not us.
    pub followed: Option<String>,
}

/// The connection as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterState {
    Connection(Connection),
    /// Another process records it into the same database; its incidents are shown.
    Following,
}

impl ClusterView {
    /// A cluster of which nothing is known yet.
    pub(crate) fn idle(name: &str) -> ClusterView {
        ClusterView {
            name: name.to_owned(),
            state: ClusterState::Connection(Connection::Connecting),
            cluster_uid: None,
            server_version: None,
            unreadable: Vec::new(),
            coverage: Vec::new(),
            objects: 0,
            last_heard: None,
            followed: None,
        }
    }
}
