//! One notification per incident: planned when an incident opens, sent once it is stored.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use afterwatch_core::{
    evidence::Observed,
    incident::{Incident, IncidentId},
    ledger::{self, Ledger},
    notification,
    port::notifier::Notice,
    timeline::EntryKind,
};
use jiff::Timestamp;

use crate::{
    event::IncidentStep,
    session::{Engine, NotifyMode, lock},
};

/// What is planned and what failed.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// True: it was already broken when watching began, and joins the summary.
    planned: BTreeMap<IncidentId, bool>,
    /// An opening is announced once, even where the announcement failed.
    attempted: BTreeSet<IncidentId>,
    failed: Arc<Mutex<Vec<(IncidentId, String)>>>,
}

impl Notices {
    /// Decides which of the incidents that changed are to be announced, and notes it in them before they are stored.
    pub(super) fn plan(
        &mut self,
        engine: &Engine,
        ledger: Option<&mut Ledger>,
        changed: &BTreeMap<IncidentId, IncidentStep>,
        at_start: bool,
        now: Timestamp,
    ) {
        let Some(ledger) = ledger else { return };
        let silences = engine.known_silences();
        for id in changed.keys() {
            let Some(incident) = ledger.get_mut(*id) else { continue };
            let wanted = incident.notifications == 0
                && incident.state.is_open()
                && !self.attempted.contains(id)
                && notification::wants_notice(incident, &silences, now);
            if !wanted {
                continue;
            }
            self.attempted.insert(*id);
            incident.notifications = 1;
            if engine.0.options.notify == NotifyMode::Send {
                let text =
                    if at_start { "Announced with what was already broken at the start" } else { "Notification sent" };
                ledger::push(incident, now, EntryKind::Notification, None, text.into(), Vec::new(), Observed::Live);
            }
            self.planned.insert(*id, at_start);
        }
    }

    /// Sends what was planned for incidents that are stored now.
    pub(super) fn stored(&mut self, engine: &Engine, told: &[(Arc<Incident>, IncidentStep)]) {
        let zone = &engine.0.options.zone;
        let mut summary: Vec<Arc<Incident>> = Vec::new();
        for (incident, step) in told {
            match (self.planned.remove(&incident.id), step) {
                (Some(true), _) => summary.push(incident.clone()),
                (Some(false), _) => self.show(engine, notification::opened(incident, zone), vec![incident.id], true),
                (None, IncidentStep::Worse) if incident.notifications > 0 => {
                    self.show(engine, notification::worse(incident, zone), Vec::new(), false);
                }
                (None, IncidentStep::Resolved) if incident.notifications > 0 => {
                    self.show(engine, notification::recovered(incident, zone), Vec::new(), false);
                }
                _ => {}
            }
        }
        let all: Vec<&Incident> = summary.iter().map(|i| &**i).collect();
        if let Some(notice) = notification::summary(&all, zone) {
            self.show(engine, notice, all.iter().map(|i| i.id).collect(), true);
        }
    }

    /// Tells that a cluster cannot be watched; it opens no incident and is not counted.
    pub(super) fn lost_sight(&self, engine: &Engine, cluster: &str, reason: &str, since: Timestamp) {
        let notice = notification::lost_sight(cluster, reason, since, &engine.0.options.zone);
        self.show(engine, notice, Vec::new(), false);
    }

    fn show(&self, engine: &Engine, notice: Notice, opens: Vec<IncidentId>, counts: bool) {
        match engine.0.options.notify {
            NotifyMode::Count => {
                if counts {
                    engine.count_notice();
                }
            }
            NotifyMode::Send => {
                let (engine, failed) = (engine.clone(), self.failed.clone());
                tokio::spawn(async move {
                    match engine.0.ports.notifier.show(notice).await {
                        Ok(()) if counts => engine.count_notice(),
                        Ok(()) => {}
                        Err(error) => {
                            tracing::warn!(%error, "a notification could not be shown");
                            lock(&failed).extend(opens.into_iter().map(|id| (id, error.message.clone())));
                        }
                    }
                });
            }
        }
    }

    /// Announcements that could not be shown since the last call.
    pub(super) fn failures(&self) -> Vec<(IncidentId, String)> {
        std::mem::take(&mut *lock(&self.failed))
    }
}

/// Notes in the incident that its notification was not shown.
pub(super) fn failed(incident: &mut Incident, now: Timestamp, why: &str) {
    incident.notifications = 0;
    let text = format!("The notification could not be shown: {why}");
    ledger::push(incident, now, EntryKind::Notification, None, text, Vec::new(), Observed::Live);
}
