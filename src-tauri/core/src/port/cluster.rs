//! One cluster.

use super::BoxFuture;
use crate::observation::{LogRead, LogWant, Observation};

/// Takes observations in. Sending waits when the index is behind (back-pressure on the network, never on the disk).
pub trait ObservationSink: Send + Sync {
    /// Hands one observation over; `false` means nobody listens any more and the watch should end.
    fn send(&self, observation: Observation) -> BoxFuture<'_, bool>;
}

/// A running watch. Dropping it stops the watch.
pub trait WatchHandle: Send + Sync {
    /// Drops every connection and starts again now, for example after sleep or when the user asks to retry.
    fn restart(&self);

    /// Figures for diagnostics and `--metrics`.
    fn metrics(&self) -> ClusterMetrics;
}

/// What the adapter did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClusterMetrics {
    /// Watches open now.
    pub watches: u64,
    pub requests: u64,
    pub bytes_received: u64,
}

/// One cluster of the kubeconfig. Nothing here changes the cluster.
pub trait Cluster: Send + Sync {
    /// The name people know it by: its context.
    fn name(&self) -> &str;

    /// Starts watching all kinds the user's rights allow; observations go to `sink`. Never blocks and never fails:
    /// trouble arrives as observations.
    fn watch(&self, sink: Box<dyn ObservationSink>) -> Box<dyn WatchHandle>;

    /// Lists every readable kind once, as `watch` does, and ends when each has delivered or failed.
    fn scan(&self, sink: Box<dyn ObservationSink>) -> BoxFuture<'_, ()>;

    /// Reads the tail of a container's log (bounded in lines, bytes and time), redacted.
    fn read_log(&self, want: LogWant) -> BoxFuture<'_, LogRead>;
}
