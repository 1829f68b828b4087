//! The ledger of one cluster's incidents: a pure state machine from diagnoses to incidents.
//!
//! It keeps the incidents that are open, and those resolved within the last hour, in which the same fault reopens the
//! same number. Evidence, changes and actions are numbered here, once, and never renumbered.

mod merge;

use jiff::{SignedDuration, Timestamp};

use crate::{
    correlate::{Diagnosis, Fault},
    evidence::Observed,
    incident::{Incident, IncidentId, OpenedBy, State},
    severity::{Confidence, Severity},
    timeline::{EntryKind, TimelineEntry},
};

/// The same fault within this time reopens the incident.
const REOPEN: SignedDuration = SignedDuration::from_hours(1);

/// What happened to an incident in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Opened,
    Updated,
    Worse,
    Mitigated,
    Resolved,
    Reopened,
}

/// How the ledger judges time.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// How long everything must be well before an incident resolves by itself.
    pub stability: SignedDuration,
}

/// The incidents of one cluster that may still change by themselves.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub cluster: String,
    pub cluster_uid: String,
    incidents: Vec<Incident>,
}

impl Ledger {
    /// A ledger over what the store has kept of this cluster: open incidents and those resolved in the last hour.
    pub fn new(cluster: &str, cluster_uid: &str, kept: Vec<Incident>) -> Ledger {
        Ledger { cluster: cluster.to_owned(), cluster_uid: cluster_uid.to_owned(), incidents: kept }
    }

    /// The incidents held.
    pub fn incidents(&self) -> &[Incident] {
        &self.incidents
    }

    /// One incident, to be changed by what is not a diagnosis (a number given by the store, a notice that failed).
    pub fn get_mut(&mut self, id: IncidentId) -> Option<&mut Incident> {
        self.incidents.iter_mut().find(|i| i.id == id)
    }

    /// Takes over another writer's version of an incident.
    pub fn adopt(&mut self, incident: Incident) {
        match self.get_mut(incident.id) {
            Some(known) => *known = incident,
            None => self.incidents.push(incident),
        }
    }

    /// One step: what is wrong now against what was. Returns the ids of incidents that changed and how, in order.
    pub fn step(
        &mut self,
        now: Timestamp,
        diagnosis: &Diagnosis,
        policy: Policy,
        mint: &mut dyn FnMut() -> IncidentId,
    ) -> Vec<(IncidentId, Step)> {
        let mut steps = Vec::new();
        let mut hit: Vec<IncidentId> = Vec::new();
        for fault in &diagnosis.faults {
            match self.find(now, fault) {
                Some(i) => {
                    let before = self.incidents[i].clone();
                    let incident = &mut self.incidents[i];
                    hit.push(incident.id);
                    let mut step = if incident.state == State::Resolved {
                        reopen(incident, now, "the same fault came back");
                        Step::Reopened
                    } else {
                        if incident.state == State::Mitigated {
                            relapse(incident, now);
                        }
                        Step::Updated
                    };
                    incident.quiet_since = None;
                    merge::fault(incident, fault, now);
                    if step == Step::Updated && incident.severity > before.severity {
                        step = Step::Worse;
                    }
                    if *incident != before {
                        steps.push((incident.id, step));
                    }
                }
                None => {
                    let mut incident = self.open(now, fault, mint());
                    merge::fault(&mut incident, fault, now);
                    hit.push(incident.id);
                    steps.push((incident.id, Step::Opened));
                    self.incidents.push(incident);
                }
            }
        }
        for incident in &mut self.incidents {
            if hit.contains(&incident.id) || incident.state == State::Resolved || incident.opened_by == OpenedBy::User {
                continue;
            }
            if incident.quiet_since.is_none() {
                merge::recent(incident, &diagnosis.recent, now);
            }
            if let Some(step) = quiet(incident, now, policy) {
                steps.push((incident.id, step));
            }
        }
        self.incidents
            .retain(|i| i.state != State::Resolved || i.resolved_at.is_some_and(|t| now.duration_since(t) < REOPEN));
        steps
    }

    /// When the next incident would resolve by itself, if nothing changes.
    pub fn next_due(&self, policy: Policy) -> Option<Timestamp> {
        self.incidents
            .iter()
            .filter(|i| i.state == State::Mitigated)
            .filter_map(|i| i.quiet_since?.checked_add(policy.stability).ok())
            .min()
    }

    /// The incident a fault belongs to: the oldest that shares a finding, the subject or the first cause's object.
    fn find(&self, now: Timestamp, fault: &Fault) -> Option<usize> {
        let usable =
            |i: &Incident| i.state != State::Resolved || i.resolved_at.is_some_and(|t| now.duration_since(t) < REOPEN);
        let prints: Vec<String> = fault.findings.iter().map(|f| f.fingerprint()).collect();
        let score = |i: &Incident| {
            let shared = i.findings.iter().any(|f| f.active && prints.contains(&f.fingerprint));
            let known = i.findings.iter().any(|f| prints.contains(&f.fingerprint));
            let subject = i.subject.same_name(&fault.subject);
            let member = i.findings.iter().any(|f| fault.findings.iter().any(|g| g.object.same_name(&f.object)));
            let cause = match (i.top_cause(), fault.causes.first()) {
                (Some(a), Some(b)) => a.entity.same_name(&b.entity) && a.rule_id == b.rule_id,
                _ => false,
            };
            let print = i.fingerprint == fingerprint(fault);
            match i.state {
                // A resolved incident comes back only for the same fault, not for any fault of the same workload.
                State::Resolved => u8::from(known && (subject || cause)) * 2 + u8::from(print && subject),
                _ => u8::from(shared) * 8 + u8::from(cause) * 4 + u8::from(subject) * 2 + u8::from(member || known),
            }
        };
        let mut best: Option<(usize, u8)> = None;
        for (at, incident) in self.incidents.iter().enumerate().filter(|(_, i)| usable(i)) {
            let s = score(incident);
            let open = incident.state != State::Resolved;
            let better = match best {
                None => s > 0,
                Some((b, known)) => {
                    let known_open = self.incidents[b].state != State::Resolved;
                    s > 0 && ((open && !known_open) || (open == known_open && s > known))
                }
            };
            if better {
                best = Some((at, s));
            }
        }
        best.map(|(i, _)| i)
    }

    fn open(&self, now: Timestamp, fault: &Fault, id: IncidentId) -> Incident {
        let mut incident = Incident {
            id,
            number: 0,
            fingerprint: fingerprint(fault),
            title: fault.title.clone(),
            opened_by: OpenedBy::Rule,
            state: State::Open,
            severity: fault.severity,
            cluster: self.cluster.clone(),
            cluster_uid: self.cluster_uid.clone(),
            subject: fault.subject.clone(),
            started_at: Some(fault.started_at),
            started_at_range: None,
            started_at_basis: fault.started_basis.clone(),
            detected_at: now,
            acknowledged_at: None,
            mitigated_at: None,
            resolved_at: None,
            recovered_by: None,
            verdict: Confidence::NotEstablished,
            causes: Vec::new(),
            needs: Vec::new(),
            ruled_out: Vec::new(),
            findings: Vec::new(),
            changes: Vec::new(),
            actions: Vec::new(),
            evidence: Vec::new(),
            timeline: Vec::new(),
            notifications: 0,
            quiet_since: None,
            reopened: 0,
            revision: 0,
        };
        // The instant the impact began is that of the first finding; its evidence is added by the merge.
        let text = format!("{}: {}", fault.title, fault.started_basis);
        let observed = fault.observed(fault.started_at);
        push(&mut incident, fault.started_at, EntryKind::Symptom, Some("started"), text, Vec::new(), observed);
        push(
            &mut incident,
            now,
            EntryKind::State,
            Some("detected"),
            "Afterwatch opened the incident".into(),
            Vec::new(),
            Observed::Live,
        );
        incident
    }
}

/// What makes it the same fault when it comes back.
fn fingerprint(fault: &Fault) -> String {
    let cause = fault.causes.first().map_or("none", |c| c.rule_id.as_str());
    format!("{}|{cause}", fault.subject.key())
}

/// Nothing of the incident is wrong any more: mitigated at once, resolved after the stability window.
fn quiet(incident: &mut Incident, now: Timestamp, policy: Policy) -> Option<Step> {
    match incident.quiet_since {
        None => {
            incident.quiet_since = Some(now);
            incident.mitigated_at = Some(now);
            incident.state = State::Mitigated;
            for f in &mut incident.findings {
                f.active = false;
            }
            let by = recovered_by(incident, now);
            let text = match by.strip_prefix('C').and(incident.changes.iter().find(|c| c.id == by)) {
                Some(c) => format!("The impact is over, after {}: {}", c.change.object, c.change.summary),
                None => "The impact is over".to_owned(),
            };
            let evidence = if by == "itself" { Vec::new() } else { vec![by.clone()] };
            incident.recovered_by = Some(by);
            push(incident, now, EntryKind::Recovery, Some("mitigated"), text, evidence, Observed::Live);
            Some(Step::Mitigated)
        }
        Some(since) if now.duration_since(since) >= policy.stability => {
            incident.state = State::Resolved;
            incident.resolved_at = Some(now);
            let text = format!(
                "Resolved by itself: everything was well for {}",
                crate::words::span(now.duration_since(since))
            );
            push(incident, now, EntryKind::State, Some("resolved"), text, Vec::new(), Observed::Live);
            Some(Step::Resolved)
        }
        Some(_) => None,
    }
}

/// The newest change after the start that is not the suspect one, else itself.
fn recovered_by(incident: &Incident, now: Timestamp) -> String {
    let start = incident.detected_at.min(incident.started_at.unwrap_or(incident.detected_at));
    incident
        .changes
        .iter()
        .filter(|c| {
            !c.suspect && c.change.at > start && now.duration_since(c.change.at) < SignedDuration::from_mins(30)
        })
        .max_by_key(|c| c.change.at)
        .map_or_else(|| "itself".to_owned(), |c| c.id.clone())
}

/// A mitigated incident is hurt again before it was resolved.
fn relapse(incident: &mut Incident, now: Timestamp) {
    incident.state = if incident.acknowledged_at.is_some() { State::Acknowledged } else { State::Open };
    incident.mitigated_at = None;
    incident.recovered_by = None;
    push(
        incident,
        now,
        EntryKind::Symptom,
        None,
        "The problem is back before it was resolved".into(),
        Vec::new(),
        Observed::Live,
    );
}

/// Opens a resolved incident again under the same number.
pub fn reopen(incident: &mut Incident, now: Timestamp, why: &str) {
    incident.state = if incident.acknowledged_at.is_some() { State::Acknowledged } else { State::Open };
    incident.resolved_at = None;
    incident.mitigated_at = None;
    incident.recovered_by = None;
    incident.quiet_since = None;
    incident.reopened += 1;
    push(incident, now, EntryKind::State, Some("reopened"), format!("Reopened: {why}"), Vec::new(), Observed::Live);
}

/// A person takes it on. Does nothing to one that is acknowledged or resolved.
pub fn acknowledge(incident: &mut Incident, now: Timestamp, who: &str) {
    if incident.acknowledged_at.is_some() || incident.state == State::Resolved {
        return;
    }
    incident.acknowledged_at = Some(now);
    if incident.state == State::Open {
        incident.state = State::Acknowledged;
    }
    push(
        incident,
        now,
        EntryKind::State,
        Some("acknowledged"),
        format!("Acknowledged by {who}"),
        Vec::new(),
        Observed::Live,
    );
    if let Some(e) = incident.timeline.last_mut() {
        e.who = Some(who.to_owned());
    }
}

/// A person closes it.
pub fn resolve(incident: &mut Incident, now: Timestamp, who: &str, reason: Option<&str>) {
    if incident.state == State::Resolved {
        return;
    }
    incident.state = State::Resolved;
    incident.resolved_at = Some(now);
    let reason = reason.map(|r| format!(": {r}")).unwrap_or_default();
    push(
        incident,
        now,
        EntryKind::State,
        Some("resolved"),
        format!("Closed by {who}{reason}"),
        Vec::new(),
        Observed::Live,
    );
    if let Some(e) = incident.timeline.last_mut() {
        e.who = Some(who.to_owned());
    }
}

/// A dated line of a person.
pub fn note(incident: &mut Incident, now: Timestamp, who: &str, text: &str) {
    push(incident, now, EntryKind::Note, None, text.to_owned(), Vec::new(), Observed::Live);
    if let Some(e) = incident.timeline.last_mut() {
        e.who = Some(who.to_owned());
    }
}

/// Adds a line to the timeline.
pub fn push(
    incident: &mut Incident,
    at: Timestamp,
    kind: EntryKind,
    label: Option<&str>,
    text: String,
    evidence: Vec<String>,
    observed: Observed,
) {
    let seq = incident.timeline.iter().map(|e| e.seq).max().unwrap_or(0) + 1;
    incident.timeline.push(TimelineEntry {
        seq,
        at,
        until: None,
        kind,
        label: label.map(str::to_owned),
        text,
        evidence,
        observed,
        who: None,
    });
}

/// The worst of what is still wrong.
pub(crate) fn worst(incident: &Incident) -> Option<Severity> {
    incident.findings.iter().filter(|f| f.active).map(|f| f.severity).max()
}
