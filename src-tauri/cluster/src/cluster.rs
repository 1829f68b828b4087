//! The cluster as core's port sees it.

use std::{path::PathBuf, sync::Arc, sync::atomic::Ordering::Relaxed, time::Duration};

use afterwatch_core::{
    observation::{LogRead, LogWant},
    port::{BoxFuture, Clock, Cluster, ObservationSink, WatchHandle, cluster::ClusterMetrics},
};
use jiff::Timestamp;
use tokio::sync::{Notify, Semaphore};

use crate::{connect::Connector, emit::Emitter, kubeconfig::Entry, logs, scan, watch};

/// What the caller decides about a cluster.
#[derive(Clone, Debug, Default)]
pub struct ClusterOptions {
    /// The kubeconfig the context came from, when it was named explicitly.
    pub kubeconfig: Option<PathBuf>,
    /// Salts the digests of ConfigMap values; the same for one installation.
    pub salt: [u8; 16],
    /// Namespaces to try beside the context's own where the whole cluster may not be read.
    pub extra_namespaces: Vec<String>,
}

/// How long things may take. The defaults are right; tests have less patience.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Until the server begins its answer, and between two pieces of a list.
    pub answer: Duration,
    /// Until a silent watch is asked about; bookmarks come about once a minute.
    pub idle: Duration,
    /// Between two lists of a kind that is not watched.
    pub poll: Duration,
    /// Kinds that extensions brought are listed this long after something was found to be missing that one of them may be
    /// to make: who is to make it takes a moment to say why it does not.
    pub missed: Duration,
    /// One look at all kinds that extensions brought; what was not read by then counts as failed.
    pub look: Duration,
    /// For credential plugins: single sign-on in a browser takes this long.
    pub plugin: Duration,
    /// Until the server is asked again after it, or something before it, refused credentials or showed a certificate
    /// that is not its own. Doubles up to five times as long.
    pub refused: Duration,
    /// Until rights are asked about again after something that could be read was forbidden. Doubles up to ten minutes.
    pub forbidden: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            answer: Duration::from_secs(30),
            idle: Duration::from_secs(75),
            poll: Duration::from_secs(60),
            missed: Duration::from_secs(5),
            look: Duration::from_secs(60),
            plugin: Duration::from_secs(60),
            refused: Duration::from_secs(60),
            forbidden: Duration::from_secs(5),
        }
    }
}

/// The clock of this machine.
struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// One context of the kubeconfig. Cheap to make; nothing is contacted before it is used.
pub struct KubeCluster {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub connector: Connector,
    pub options: ClusterOptions,
    /// What observations are stamped by, and how long the pause between two lists is.
    pub clock: Arc<dyn Clock>,
    /// Logs being read at once.
    pub log_turns: Semaphore,
}

impl KubeCluster {
    pub(crate) fn new(entry: Entry, options: ClusterOptions) -> KubeCluster {
        let inner = Inner {
            connector: Connector::new(entry),
            options,
            clock: Arc::new(WallClock),
            log_turns: Semaphore::new(logs::AT_ONCE),
        };
        KubeCluster { inner: Arc::new(inner) }
    }

    /// Goes by another clock than this machine's: that of a drill. Must be called before the cluster is used.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> KubeCluster {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.clock = clock;
        }
        self
    }

    /// Takes other limits. Must be called before the cluster is used.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> KubeCluster {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.connector.limits = limits;
        }
        self
    }
}

impl Cluster for KubeCluster {
    fn name(&self) -> &str {
        &self.inner.connector.entry.name
    }

    fn watch(&self, sink: Box<dyn ObservationSink>) -> Box<dyn WatchHandle> {
        let again = Arc::new(Notify::new());
        let task = tokio::spawn(watch::supervise(
            self.inner.clone(),
            Arc::new(Emitter::new(sink, self.inner.clock.clone())),
            again.clone(),
        ));
        Box::new(Running { inner: self.inner.clone(), again, task })
    }

    fn scan(&self, sink: Box<dyn ObservationSink>) -> BoxFuture<'_, ()> {
        Box::pin(scan::scan(self.inner.clone(), sink))
    }

    fn read_log(&self, want: LogWant) -> BoxFuture<'_, LogRead> {
        Box::pin(logs::read(&self.inner, want))
    }
}

struct Running {
    inner: Arc<Inner>,
    again: Arc<Notify>,
    task: tokio::task::JoinHandle<()>,
}

impl WatchHandle for Running {
    fn restart(&self) {
        self.again.notify_one();
    }

    fn metrics(&self) -> ClusterMetrics {
        let counters = &self.inner.connector.counters;
        ClusterMetrics {
            watches: counters.watches.load(Relaxed),
            requests: counters.requests.load(Relaxed),
            bytes_received: counters.bytes.load(Relaxed),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}
