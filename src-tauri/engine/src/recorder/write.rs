//! Handing over what changed: at most one write is under way.

use std::sync::Arc;

use afterwatch_core::{
    change::Change,
    coverage::EndedBy,
    incident::{Incident, IncidentId},
    port::store::Saved,
};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

use super::{Recorder, notice};
use crate::{event::IncidentStep, writer::Job};

/// A write that is under way is waited for this long.
const FLIGHT: Duration = Duration::from_millis(1200);

impl Recorder {
    /// Hands what changed to the writer, unless a write is under way.
    pub(super) fn hand_over(&mut self, coverage_too: bool) {
        if self.in_flight.is_some() {
            return;
        }
        let Some(ledger) = &self.ledger else { return };
        let ids: Vec<(IncidentId, IncidentStep)> = std::mem::take(&mut self.dirty_incidents).into_iter().collect();
        let incidents: Vec<Incident> =
            ids.iter().filter_map(|(id, _)| ledger.incidents().iter().find(|i| i.id == *id)).cloned().collect();
        let name = self.name();
        let changes: Vec<(String, Change)> =
            std::mem::take(&mut self.new_changes).into_iter().map(|c| (name.clone(), c)).collect();
        let coverage = if coverage_too || self.coverage.urgent() { self.coverage.take() } else { Vec::new() };
        if incidents.is_empty() && changes.is_empty() && coverage.is_empty() {
            return;
        }
        let (reply, receiver) = oneshot::channel();
        self.in_flight_ids = ids.into_iter().filter(|(id, _)| incidents.iter().any(|i| i.id == *id)).collect();
        let job = Job { incidents, changes, coverage, reply };
        match self.engine.0.writer.try_send(job) {
            Ok(()) => self.in_flight = Some(receiver),
            Err(mpsc::error::TrySendError::Full(job) | mpsc::error::TrySendError::Closed(job)) => {
                // The writer is behind: everything is kept and handed over at the next occasion.
                self.dirty_incidents.extend(std::mem::take(&mut self.in_flight_ids));
                self.new_changes.extend(job.changes.into_iter().map(|(_, c)| c));
                self.coverage.give_back(job.coverage);
                self.next_due = Some(self.clock().after(Duration::from_millis(300)));
            }
        }
    }

    /// A write ended; true when the rules should look again.
    pub(super) fn saved(&mut self, saved: Vec<Saved>) -> bool {
        self.in_flight = None;
        let ids = std::mem::take(&mut self.in_flight_ids);
        let mut again = false;
        let mut told = Vec::new();
        let Some(ledger) = &mut self.ledger else { return false };
        for ((id, step), result) in ids.into_iter().zip(saved) {
            match result {
                Saved::Written { number, revision } => {
                    self.figures.wrote.insert((id, revision));
                    if let Some(incident) = ledger.get_mut(id) {
                        incident.number = number;
                        incident.revision = revision;
                        told.push((Arc::new(incident.clone()), step));
                    }
                }
                Saved::Gone => ledger.forget(id),
                Saved::Conflict(current) => {
                    ledger.adopt(*current);
                    again = true;
                }
            }
        }
        // The figures first: who polls for foreign writes must know which were ours.
        self.engine.set_figures(self.cluster.name(), self.figures.clone());
        self.notices.stored(&self.engine, &told);
        for (incident, step) in told {
            self.engine.tell(step, incident);
        }
        self.answer_written();
        self.settle();
        again
    }

    /// Drops an incident, and waits for a write of it that is under way.
    pub(super) async fn drop_incident(&mut self, id: IncidentId) {
        if let Some(flight) = self.in_flight.take() {
            match tokio::time::timeout(FLIGHT, flight).await {
                Ok(saved) => _ = self.saved(saved.unwrap_or_default()),
                Err(_) => tracing::warn!("a write is still under way while its incident is deleted"),
            }
        }
        if let Some(ledger) = &mut self.ledger {
            ledger.forget(id);
        }
        self.dirty_incidents.remove(&id);
        self.notices.forget(id);
    }

    /// What became of a notification is a line of its incidents' timelines.
    pub(super) fn note(&mut self, outcome: notice::Outcome) {
        let now = self.now();
        let Some(ledger) = &mut self.ledger else { return };
        for id in outcome.note(ledger, now) {
            self.dirty_incidents.entry(id).or_insert(IncidentStep::Updated);
        }
    }

    /// Writes everything that is still to be written, then lets go.
    pub(super) async fn finish(&mut self, ended_by: EndedBy) {
        if self.followed.is_none() {
            self.coverage.close(self.now(), ended_by);
        }
        for _ in 0..6 {
            if let Some(flight) = self.in_flight.take() {
                let ended = tokio::time::timeout(FLIGHT, flight).await;
                match ended {
                    Ok(Ok(saved)) => {
                        if self.saved(saved) {
                            let sender = mpsc::channel(1).0;
                            self.look(&sender, true);
                        }
                    }
                    _ => break,
                }
            }
            self.hand_over(true);
            if self.in_flight.is_none() {
                break;
            }
        }
        self.release().await;
        self.show();
    }
}
