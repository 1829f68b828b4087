//! The engine as its callers see it.

use std::sync::Arc;

use afterwatch_core::{
    incident::Incident,
    port::{Clock, Cluster, Notifier, Store, StoreError},
};
use jiff::{SignedDuration, tz::TimeZone};
use tokio::sync::broadcast;

use crate::event::{ClusterView, EngineEvent};

/// What the engine works over.
#[derive(Clone)]
pub struct Ports {
    pub store: Arc<dyn Store>,
    pub notifier: Arc<dyn Notifier>,
    pub clock: Arc<dyn Clock>,
}

/// What happens with notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyMode {
    /// Sent to the notifier.
    Send,
    /// Only counted: what the default policy would have sent.
    Count,
}

/// How this run behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long everything must be well before an incident resolves by itself (10 minutes; 1 in `watch --for`).
    pub stability: SignedDuration,
    pub notify: NotifyMode,
    /// The zone of the clock times in notifications.
    pub zone: TimeZone,
    /// How others see who records: `the app`, `kubectl afterwatch watch (pid 4711)`.
    pub recorder: String,
}

/// Figures of a run, for `--metrics`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunFigures {
    pub watches: u64,
    pub requests: u64,
    pub bytes_received: u64,
    pub objects_indexed: u64,
    pub observations: u64,
    pub dropped: u64,
}

/// The engine. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Engine {
    _ports: Ports,
}

impl Engine {
    /// An engine that watches nothing yet.
    pub fn new(_ports: Ports, _options: Options) -> Engine {
        unimplemented!()
    }

    /// Starts recording a cluster, or follows the one who already records it into this database. Returns at once.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub async fn watch(&self, _cluster: Arc<dyn Cluster>) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// Stops recording a cluster, closing its coverage.
    pub async fn unwatch(&self, _name: &str) {
        unimplemented!()
    }

    /// Drops a cluster's connections and starts again now (retry, after a login, after sleep).
    pub fn restart(&self, _name: &str) {
        unimplemented!()
    }

    /// Pauses or resumes all recording. Paused time is a gap of coverage.
    pub async fn set_paused(&self, _paused: bool) {
        unimplemented!()
    }

    /// Whether recording is paused.
    pub fn paused(&self) -> bool {
        unimplemented!()
    }

    /// Stops everything: what was recorded is written, coverage is closed, leases are given back. Within 2 s.
    pub async fn shutdown(&self) {
        unimplemented!()
    }

    /// One look at a cluster: lists, detects, correlates, explains. Hold times are waived.
    ///
    /// # Errors
    /// When the incidents found could not be stored.
    pub async fn scan(&self, _cluster: Arc<dyn Cluster>) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// What happens from now on. A slow reader may miss some and then sees `Lagged`: list again.
    pub fn subscribe(&self) -> broadcast::Receiver<EngineEvent> {
        unimplemented!()
    }

    /// The clusters that are watched (or were scanned) in this run.
    pub fn clusters(&self) -> Vec<Arc<ClusterView>> {
        unimplemented!()
    }

    /// Every incident that was open at any time during this run, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn seen(&self) -> Result<Vec<Incident>, StoreError> {
        unimplemented!()
    }

    /// Notifications sent in this run (or that would have been).
    pub fn notifications_sent(&self) -> u32 {
        unimplemented!()
    }

    /// Figures of this run.
    pub fn figures(&self) -> RunFigures {
        unimplemented!()
    }
}
