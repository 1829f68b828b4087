//! Who records a cluster: one process at a time, the others follow its record.

use afterwatch_core::{
    index::Index,
    ledger::Ledger,
    port::store::{IncidentQuery, Lease},
};
use jiff::SignedDuration;
use tokio::time::Instant;

use super::{Kind, LEASE, Recorder};
use crate::{event::EngineEvent, session::blocking};

impl Recorder {
    /// The cluster's identity is known: take the lease and load its open incidents.
    pub(super) async fn connected(&mut self) {
        let Some((uid, _)) = self.identity.clone() else { return };
        if self.ledger.as_ref().is_some_and(|l| l.cluster_uid == uid) || self.followed.is_some() {
            return;
        }
        if self.kind == Kind::Watch && !self.try_lease().await {
            return;
        }
        let (since, key, name) = (self.now() - SignedDuration::from_hours(1), uid.clone(), self.name());
        let kept = blocking(&self.engine.0.ports.store, move |s| {
            s.close_stale_coverage(&name)?;
            s.incidents(&IncidentQuery { since: Some(since), cluster_uid: Some(key), ..IncidentQuery::default() })
        })
        .await
        .unwrap_or_else(|error| {
            tracing::warn!(%error, "the history could not be read");
            let _ = self.engine.0.events.send(EngineEvent::Trouble(Some(error.to_string())));
            Vec::new()
        });
        for incident in kept.iter().filter(|i| i.state.is_open()) {
            self.engine.saw(incident.id);
        }
        self.ledger = Some(Ledger::new(self.cluster.name(), &uid, kept));
    }

    /// True when this process may record the cluster.
    pub(super) async fn try_lease(&mut self) -> bool {
        let Some((uid, _)) = self.identity.clone() else { return true };
        let now = self.now();
        let lease = Lease {
            holder: self.engine.0.holder,
            holder_name: self.engine.0.options.recorder.clone(),
            expires_at: now.saturating_add(LEASE).unwrap_or(now),
        };
        match blocking(&self.engine.0.ports.store, move |s| s.take_lease(&uid, &lease, now)).await {
            Ok(Err(other)) => {
                let fresh = self.followed.is_none();
                self.followed = Some(other.holder_name);
                if fresh {
                    self.follow().await;
                }
                self.show();
                false
            }
            Ok(Ok(())) => {
                if self.followed.take().is_some() {
                    self.index = Index::new();
                    self.ledger = None;
                    self.synced = false;
                    self.started = Instant::now();
                    self.show();
                }
                true
            }
            // Without a database there is nobody to share it with.
            Err(_) => true,
        }
    }

    /// Another process records: its open incidents are ours to show.
    async fn follow(&mut self) {
        let Some((uid, _)) = self.identity.clone() else { return };
        let query = IncidentQuery { open: true, cluster_uid: Some(uid), ..IncidentQuery::default() };
        if let Ok(open) = blocking(&self.engine.0.ports.store, move |s| s.incidents(&query)).await {
            for incident in open {
                self.engine.saw(incident.id);
            }
        }
    }

    pub(super) async fn release(&self) {
        if let (Some((uid, _)), None, Kind::Watch) = (&self.identity, &self.followed, self.kind) {
            let (uid, holder) = (uid.clone(), self.engine.0.holder);
            let _ = blocking(&self.engine.0.ports.store, move |s| s.release_lease(&uid, holder)).await;
        }
    }
}
