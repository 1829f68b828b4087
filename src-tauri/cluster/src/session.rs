//! The cluster as core's port sees it.

use std::{path::PathBuf, sync::Arc, sync::atomic::Ordering::Relaxed, time::Duration};

use afterwatch_core::{
    observation::{LogRead, LogWant},
    port::{BoxFuture, Cluster, ObservationSink, WatchHandle, cluster::ClusterMetrics},
};
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

/// One context of the kubeconfig. Cheap to make; nothing is contacted before it is used.
pub struct KubeCluster {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub connector: Connector,
    pub options: ClusterOptions,
    /// Logs being read at once.
    pub log_turns: Semaphore,
}

impl KubeCluster {
    pub(crate) fn new(entry: Entry, options: ClusterOptions) -> KubeCluster {
        let inner = Inner { connector: Connector::new(entry), options, log_turns: Semaphore::new(logs::AT_ONCE) };
        KubeCluster { inner: Arc::new(inner) }
    }

    /// Gives credential plugins another limit than 60 s. Must be called before the cluster is used.
    #[must_use]
    pub fn with_plugin_limit(mut self, limit: Duration) -> KubeCluster {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.connector.plugin_limit = limit;
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
        let task = tokio::spawn(watch::supervise(self.inner.clone(), Arc::new(Emitter::new(sink)), again.clone()));
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
