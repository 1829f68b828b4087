//! What a recorder publishes of its cluster.

use std::sync::Arc;

use afterwatch_core::{
    coverage::{Unreadable, UnreadableReason},
    index::Reading,
    observation::Connection,
};

use super::Recorder;
use crate::event::{ClusterState, ClusterView, EngineEvent};

impl Recorder {
    /// Publishes how the cluster is doing.
    pub(super) fn show(&self) {
        let view = Arc::new(ClusterView {
            name: self.name(),
            state: if self.followed.is_some() {
                ClusterState::Following
            } else {
                ClusterState::Connection(self.index.connection().cloned().unwrap_or(Connection::Connecting))
            },
            cluster_uid: self.identity.as_ref().map(|(u, _)| u.clone()),
            server_version: self.identity.as_ref().map(|(_, v)| v.clone()),
            unreadable: self.unreadable(),
            coverage: self.coverage.spans(),
            objects: self.index.len() as u64,
            last_heard: self.coverage.last_heard(),
            followed: self.followed.clone(),
        });
        self.view.send_replace(view.clone());
        let _ = self.engine.0.events.send(EngineEvent::Cluster(view));
    }

    fn unreadable(&self) -> Vec<Unreadable> {
        let cluster = self.name();
        let mut out: Vec<Unreadable> =
            self.index
                .readings()
                .filter_map(|((kind, namespace), reading)| {
                    let (since, reason, message) = match reading {
                        Reading::Complete | Reading::NotServed => return None,
                        Reading::Stale { since, reason, message, .. }
                        | Reading::Unreadable { since, reason, message } => (since, reason, message),
                    };
                    Some(Unreadable {
                        cluster: cluster.clone(),
                        kind: kind.plural().to_owned(),
                        namespace: namespace.clone(),
                        reason: *reason,
                        message: message.clone(),
                        since: *since,
                    })
                })
                .collect();
        out.extend(self.index.skipped().map(|((kind, namespace), (count, message, since))| Unreadable {
            cluster: cluster.clone(),
            kind: kind.plural().to_owned(),
            namespace: namespace.clone(),
            reason: UnreadableReason::Malformed,
            message: format!("{count} skipped: {message}"),
            since: *since,
        }));
        // A cluster that never answered has no readings yet: say so as one line.
        if out.is_empty() && !self.synced {
            let (reason, message) = match self.index.connection() {
                Some(Connection::Unreachable { message, .. }) => (UnreadableReason::Unreachable, message),
                Some(Connection::LoginNeeded { message, .. }) => (UnreadableReason::LoginNeeded, message),
                Some(Connection::Misconfigured { message, .. }) => (UnreadableReason::Misconfigured, message),
                _ => return out,
            };
            out.push(Unreadable {
                cluster,
                kind: "*".into(),
                namespace: None,
                reason,
                message: message.clone(),
                since: self.now(),
            });
        }
        out
    }
}
