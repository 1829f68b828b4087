//! One notification per incident: planned when an incident opens, sent once it is stored.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use afterwatch_core::{
    evidence::Observed,
    incident::{Incident, IncidentId, OpenedBy},
    ledger::{self, Ledger},
    notification,
    port::notifier::{Notice, NoticeKind},
    settings::{Delivery, RecoveryNotice},
    severity::Severity,
    timeline::EntryKind,
};
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::{
    event::IncidentStep,
    session::{Engine, NotifyMode},
};

/// How an incident says that its notification waits.
const HELD: &str = "Held back for the morning note";

/// What became of a notification that opened incidents.
pub(super) struct Outcome {
    incidents: Vec<IncidentId>,
    at_start: bool,
    /// Why it could not be shown.
    shown: Result<(), String>,
}

/// What is planned.
#[derive(Debug)]
pub(super) struct Notices {
    /// True: it was already broken when watching began, and joins the summary.
    planned: BTreeMap<IncidentId, bool>,
    /// An opening is announced once, even where the announcement failed.
    attempted: BTreeSet<IncidentId>,
    /// What waits for the morning note, and how severe it was when it was held back.
    held: BTreeMap<IncidentId, Severity>,
    /// The worst severity that was told of each incident: one that goes up and down is told once.
    worst: BTreeMap<IncidentId, Severity>,
    /// What was broken when watching began, until all of it is known.
    summary: Vec<Arc<Incident>>,
    outcomes: mpsc::UnboundedSender<Outcome>,
}

impl Notices {
    /// Tells the outcomes to `outcomes`.
    pub(super) fn new(outcomes: mpsc::UnboundedSender<Outcome>) -> Notices {
        Notices {
            planned: BTreeMap::new(),
            attempted: BTreeSet::new(),
            held: BTreeMap::new(),
            worst: BTreeMap::new(),
            summary: Vec::new(),
            outcomes,
        }
    }

    /// Decides which of the incidents that changed are to be announced, and counts it in them before they are stored:
    /// whoever reads them next does not announce them again.
    pub(super) fn plan(
        &mut self,
        engine: &Engine,
        ledger: Option<&mut Ledger>,
        changed: &BTreeMap<IncidentId, IncidentStep>,
        at_start: bool,
        now: Timestamp,
    ) {
        let Some(ledger) = ledger else { return };
        for (id, step) in changed {
            let Some(incident) = ledger.get_mut(*id) else { continue };
            // Who asked knows it already, until it grows worse.
            if incident.opened_by == OpenedBy::User && *step != IncidentStep::Worse {
                continue;
            }
            if incident.notifications > 0 || !incident.state.is_open() || self.attempted.contains(id) {
                continue;
            }
            let waits = incident.timeline.iter().any(|e| e.kind == EntryKind::Notification && e.text.starts_with(HELD));
            match delivery(engine, incident, now) {
                // What waits for the morning is told then, in one; what grew worse since is not waited with.
                Delivery::Now if waits && self.held.get(id).is_none_or(|then| incident.severity <= *then) => {
                    self.held.entry(*id).or_insert(incident.severity);
                }
                Delivery::Now => {
                    self.attempted.insert(*id);
                    incident.notifications = 1;
                    self.planned.insert(*id, at_start);
                }
                // It may still grow worse, and is looked at again then.
                Delivery::Morning => {
                    let known = self.held.insert(*id, incident.severity).is_some();
                    if !waits && !known && engine.0.options.notify == NotifyMode::Send {
                        let at = engine.known_settings().notifications.morning_at.strftime("%H:%M");
                        let text = format!("{HELD} at {at}");
                        ledger::push(incident, now, EntryKind::Notification, None, text, Vec::new(), Observed::Live);
                        engine.hold(*id, now);
                    }
                }
                Delivery::Window => {}
            }
        }
    }

    /// Sends what was planned for incidents that are stored now.
    pub(super) fn stored(&mut self, engine: &Engine, told: &[(Arc<Incident>, IncidentStep)]) {
        let zone = &engine.0.options.zone;
        for (incident, step) in told.iter().filter(|(incident, _)| incident.merged_into.is_none()) {
            match (self.planned.remove(&incident.id), step) {
                (Some(true), _) => self.summary.push(incident.clone()),
                (Some(false), _) => {
                    self.worst.insert(incident.id, incident.severity);
                    let notice = dress(engine, notification::opened(incident, zone), incident);
                    self.open(engine, notice, vec![incident.id], false);
                }
                (None, IncidentStep::Worse) if incident.notifications > 0 && wanted(engine, incident) => {
                    let known = self.worst.insert(incident.id, incident.severity);
                    match known.filter(|k| *k >= incident.severity) {
                        Some(worse) => _ = self.worst.insert(incident.id, worse),
                        None => self.update(engine, dress(engine, notification::worse(incident, zone), incident)),
                    }
                }
                (None, IncidentStep::Reopened) if wanted(engine, incident) => {
                    self.worst.insert(incident.id, incident.severity);
                    self.update(engine, dress(engine, notification::back(incident, zone), incident));
                }
                (None, IncidentStep::Resolved) if tells_recovery(engine, incident) && wanted(engine, incident) => {
                    self.update(engine, dress(engine, notification::recovered(incident, zone), incident));
                }
                _ => {}
            }
        }
    }

    /// What was broken when watching began, as one notification.
    pub(super) fn tell_summary(&mut self, engine: &Engine) {
        let all = std::mem::take(&mut self.summary);
        self.worst.extend(all.iter().map(|i| (i.id, i.severity)));
        let incidents: Vec<&Incident> = all.iter().map(|i| &**i).collect();
        if let Some(mut notice) = notification::summary(&incidents, &engine.0.options.zone) {
            if let Some(incident) = incidents.iter().find(|i| Some(i.id) == notice.incident) {
                notice = dress(engine, notice, incident);
            }
            self.open(engine, notice, incidents.iter().map(|i| i.id).collect(), true);
        }
    }

    /// Tells that a cluster cannot be watched; it opens no incident and is not counted.
    pub(super) fn lost_sight(&self, engine: &Engine, cluster: &str, reason: &str, since: Timestamp) {
        if !engine.known_settings().notifications.lost_sight {
            return;
        }
        let notice = notification::lost_sight(cluster, reason, since, &engine.0.options.zone);
        self.update(engine, notice);
    }

    /// A person deleted it.
    pub(super) fn forget(&mut self, id: IncidentId) {
        self.planned.remove(&id);
        self.summary.retain(|incident| incident.id != id);
    }

    /// Shows what opens incidents; it is counted, and its outcome told.
    fn open(&self, engine: &Engine, notice: Notice, incidents: Vec<IncidentId>, at_start: bool) {
        match engine.0.options.notify {
            NotifyMode::Count => engine.count_notice(),
            NotifyMode::Send => {
                let (engine, outcomes) = (engine.clone(), self.outcomes.clone());
                tokio::spawn(async move {
                    let shown = engine.show(notice).await.map_err(|error| error.message);
                    match &shown {
                        Ok(()) => engine.count_notice(),
                        Err(error) => tracing::warn!(error, "a notification could not be shown"),
                    }
                    let _ = outcomes.send(Outcome { incidents, at_start, shown });
                });
            }
        }
    }

    /// Shows what opens nothing; it is not counted.
    fn update(&self, engine: &Engine, notice: Notice) {
        if engine.0.options.notify == NotifyMode::Send {
            let engine = engine.clone();
            tokio::spawn(async move {
                if let Err(error) = engine.show(notice).await {
                    tracing::warn!(%error, "a notification could not be shown");
                }
            });
        }
    }
}

fn wanted(engine: &Engine, incident: &Incident) -> bool {
    delivery(engine, incident, engine.0.ports.clock.now()) == Delivery::Now
}

fn delivery(engine: &Engine, incident: &Incident, now: Timestamp) -> Delivery {
    let settings = engine.known_settings();
    settings.notifications.delivery(incident, &engine.known_silences(), now, &engine.0.options.zone)
}

/// Whether the user wants to hear that it is over.
fn tells_recovery(engine: &Engine, incident: &Incident) -> bool {
    incident.notifications > 0
        && match engine.known_settings().notifications.recovered {
            RecoveryNotice::Notified => true,
            RecoveryNotice::Acknowledged => incident.acknowledged_at.is_some(),
            RecoveryNotice::Never => false,
        }
}

/// With or without names, as the user set it.
fn dress(engine: &Engine, notice: Notice, incident: &Incident) -> Notice {
    match engine.known_settings().notifications.hide_names && notice.kind != NoticeKind::LostSight {
        true => notification::hidden(notice, incident, &engine.0.options.zone),
        false => notice,
    }
}

impl Outcome {
    /// Notes on the timelines what became of it; returns the incidents it concerned.
    pub(super) fn note(self, ledger: &mut Ledger, now: Timestamp) -> Vec<IncidentId> {
        let text = match (&self.shown, self.at_start) {
            (Ok(()), false) => "Notification sent".to_owned(),
            (Ok(()), true) => "Announced with what was already broken at the start".to_owned(),
            (Err(why), _) => format!("The notification could not be shown: {why}"),
        };
        for id in &self.incidents {
            let Some(incident) = ledger.get_mut(*id) else { continue };
            if self.shown.is_err() {
                incident.notifications = 0;
            }
            ledger::push(incident, now, EntryKind::Notification, None, text.clone(), Vec::new(), Observed::Live);
        }
        self.incidents
    }
}
