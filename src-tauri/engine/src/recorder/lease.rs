//! Who records a cluster: one process at a time, the others follow its record.

use afterwatch_core::{
    coverage::EndedBy,
    index::Index,
    ledger::Ledger,
    port::store::{IncidentQuery, Lease},
};
use jiff::SignedDuration;
use tokio::time::Instant;

use super::{Kind, LEASE, Recorder, coverage::Keeper};
use crate::{
    event::EngineEvent,
    session::{blocking, lock},
};

impl Recorder {
    /// The cluster's identity is known: take the lease and load its open incidents. Without the history nothing is
    /// recorded, or everything in it would open a second time; it is tried again with the next heartbeat.
    pub(super) async fn connected(&mut self) {
        let Some((uid, _)) = self.identity.clone() else { return };
        if self.followed.is_some() {
            return;
        }
        if self.ledger.as_ref().is_some_and(|l| l.cluster_uid == uid) {
            if self.kind == Kind::Watch && !self.holds {
                self.try_lease().await;
            }
            return;
        }
        if self.kind == Kind::Scan && !lock(&self.engine.0.scanned).insert(uid.clone()) {
            self.followed = Some("another of the contexts".to_owned());
            return;
        }
        if self.kind == Kind::Watch && !self.try_lease().await {
            return;
        }
        let (since, key, name) = (self.now() - SignedDuration::from_hours(1), uid.clone(), self.name());
        let stale = self.kind == Kind::Watch;
        let kept = blocking(&self.engine.0.ports.store, move |s| {
            if stale {
                s.close_stale_coverage(&name)?;
            }
            s.incidents(&IncidentQuery { since: Some(since), cluster_uid: Some(key), ..IncidentQuery::default() })
        })
        .await;
        match kept {
            Ok(kept) => {
                for incident in kept.iter().filter(|i| i.state.is_open()) {
                    self.engine.saw(incident.id);
                }
                self.ledger = Some(Ledger::new(self.cluster.name(), &uid, kept));
            }
            Err(error) => {
                tracing::warn!(%error, "the history could not be read");
                let _ = self.engine.0.events.send(EngineEvent::Trouble(Some(error.to_string())));
            }
        }
    }

    /// True when this recorder may record the cluster.
    pub(super) async fn try_lease(&mut self) -> bool {
        let Some((uid, _)) = self.identity.clone() else { return true };
        let now = self.now();
        let lease = Lease {
            holder: self.holder,
            holder_name: self.engine.0.options.recorder.clone(),
            expires_at: now.saturating_add(LEASE).unwrap_or(now),
        };
        let alone = self.engine.0.options.alone;
        let ours = lock(&self.engine.0.holders).clone();
        let taken = blocking(&self.engine.0.ports.store, move |s| match s.take_lease(&uid, &lease, now)? {
            Err(other) if alone && other.holder_name == lease.holder_name && !ours.contains(&other.holder) => {
                s.release_lease(&uid, other.holder)?;
                s.take_lease(&uid, &lease, now)
            }
            answer => Ok(answer),
        });
        match taken.await {
            Ok(Err(other)) => {
                if self.followed.is_none() {
                    self.begin_to_follow().await;
                }
                self.followed = Some(other.holder_name);
                self.show();
                false
            }
            Ok(Ok(())) => {
                self.holds = true;
                if self.followed.take().is_some() {
                    self.forget();
                    self.show();
                }
                true
            }
            // Who holds it already goes on; who does not must not record beside another.
            Err(error) => {
                tracing::warn!(%error, "the lease could not be taken");
                self.holds
            }
        }
    }

    /// From now on another one records: what this one covered ends here.
    async fn begin_to_follow(&mut self) {
        if self.holds {
            self.coverage.close(self.now(), EndedBy::Disconnect);
            self.hand_over(true);
        }
        self.holds = false;
        self.forget();
        self.follow().await;
    }

    /// Begins anew, as if nothing had been seen yet.
    fn forget(&mut self) {
        self.index = Index::new();
        self.asked.clear();
        self.reading.clear();
        self.coverage = Keeper::new(self.cluster.name());
        self.ledger = None;
        self.new_changes.clear();
        self.dirty_incidents.clear();
        self.synced = false;
        self.at_start = true;
        self.next_due = None;
        self.started = Instant::now();
    }

    /// Another process records: its open incidents are ours to show.
    async fn follow(&mut self) {
        let Some((uid, _)) = self.identity.clone() else { return };
        let query = IncidentQuery { open: true, cluster_uid: Some(uid), ..IncidentQuery::default() };
        if let Ok(open) = blocking(&self.engine.0.ports.store, move |s| s.heads(&query)).await {
            for incident in open {
                self.engine.saw(incident.id);
            }
        }
    }

    pub(super) async fn release(&self) {
        if let (Some((uid, _)), None, Kind::Watch) = (&self.identity, &self.followed, self.kind) {
            let (uid, holder) = (uid.clone(), self.holder);
            let _ = blocking(&self.engine.0.ports.store, move |s| s.release_lease(&uid, holder)).await;
        }
    }
}
