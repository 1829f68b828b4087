//! The ledger of one cluster's incidents: a pure state machine from diagnoses to incidents.
//!
//! It keeps the incidents that are open, and those resolved within the last hour, in which the same fault reopens the
//! same number. Evidence, changes and actions are numbered here, once, and never renumbered.

mod asked;
mod merge;
mod part;
mod person;
mod picture;
mod well;

use jiff::{SignedDuration, Timestamp};

use crate::{
    correlate::{Diagnosis, Fault},
    evidence::Observed,
    incident::{Incident, IncidentId, Occurrence, OpenedBy, State},
    index::Index,
    object::Kind,
    remediation::{Action, ActionKind},
    severity::{Confidence, Severity},
    timeline::{EntryKind, TimelineEntry},
};

pub use part::{SplitError, merge_into, parts, split};
pub use person::{acknowledge, not_an_incident, note, resolve, set_ticket};

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
    /// It turned out to be part of another incident's fault.
    Merged,
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

    /// Lets go of one that a person deleted. Trouble that is still there opens a new one.
    pub fn forget(&mut self, id: IncidentId) {
        self.incidents.retain(|i| i.id != id);
    }

    /// Takes over another writer's version of an incident.
    pub fn adopt(&mut self, incident: Incident) {
        match self.get_mut(incident.id) {
            Some(known) => *known = incident,
            None => self.incidents.push(incident),
        }
    }

    /// One step: what is wrong now against what was. What is not wrong any more is well only where the index shows
    /// that it was looked at. Returns the ids of incidents that changed and how, in order.
    pub fn step(
        &mut self,
        now: Timestamp,
        diagnosis: &Diagnosis,
        index: &Index,
        policy: Policy,
        mint: &mut dyn FnMut() -> IncidentId,
    ) -> Vec<(IncidentId, Step)> {
        let mut steps = Vec::new();
        let mut hit: Vec<IncidentId> = Vec::new();
        for (fault, owner) in &part::divided(&diagnosis.faults, &self.incidents) {
            let found = match owner {
                Some(id) => self.incidents.iter().position(|i| i.id == *id),
                None => self.find(now, fault),
            };
            let Some(i) = found else {
                let mut incident = self.open(now, fault, mint());
                merge::fault(&mut incident, fault, now);
                picture::draw(&mut incident, None, index, now);
                hit.push(incident.id);
                steps.push((incident.id, Step::Opened));
                self.incidents.push(incident);
                continue;
            };
            let incident = &mut self.incidents[i];
            if hit.contains(&incident.id) {
                let before = incident.clone();
                merge::more(incident, fault, now);
                picture::draw(incident, Some(&before), index, now);
                if *incident != before && !steps.iter().any(|(id, _)| *id == incident.id) {
                    steps.push((incident.id, Step::Updated));
                }
                continue;
            }
            hit.push(incident.id);
            if incident.closed_while_broken() && fault.severity <= incident.severity {
                continue;
            }
            let before = incident.clone();
            let mut step = match incident.state {
                State::Resolved => {
                    match incident.closed_while_broken() {
                        true => reopen(incident, now, "it grew worse"),
                        false => recur(incident, fault, now),
                    }
                    Step::Reopened
                }
                State::Mitigated => {
                    relapse(incident, now);
                    Step::Updated
                }
                State::Open | State::Acknowledged => Step::Updated,
            };
            incident.quiet_since = None;
            merge::fault(incident, fault, now);
            picture::draw(incident, Some(&before), index, now);
            if step == Step::Updated && incident.severity > before.severity {
                step = Step::Worse;
            }
            if *incident != before {
                steps.push((incident.id, step));
            }
        }
        steps.extend(self.join(&hit, now));
        for incident in &mut self.incidents {
            if hit.contains(&incident.id) || asked::stays(incident) || !well::is_well(index, diagnosis, incident) {
                continue;
            }
            if incident.closed_while_broken() {
                // What a person closed while it was broken is well at last: from now on it may come back.
                incident.findings.iter_mut().for_each(|f| f.active = false);
                steps.push((incident.id, Step::Updated));
                continue;
            }
            if incident.state == State::Resolved {
                continue;
            }
            if incident.quiet_since.is_none() {
                merge::recent(incident, &diagnosis.recent, now);
            }
            if let Some(step) = quiet(incident, now, index.watched_since(Kind::Pod), policy) {
                steps.push((incident.id, step));
            }
        }
        // What changed is still to be written.
        let changed = |i: &Incident| steps.iter().any(|(id, _)| *id == i.id);
        self.incidents.retain(|i| i.state.is_open() || i.closed_while_broken() || recent(i, now) || changed(i));
        steps
    }

    /// Incidents whose trouble turned out to be part of another's fault: they end here and go on there.
    fn join(&mut self, hit: &[IncidentId], now: Timestamp) -> Vec<(IncidentId, Step)> {
        let mut steps = Vec::new();
        for at in 0..self.incidents.len() {
            let one = &self.incidents[at];
            if hit.contains(&one.id) || !one.state.is_open() || asked::stays(one) {
                continue;
            }
            let goes_on = |other: &Incident| {
                other.state.is_open()
                    && other
                        .findings
                        .iter()
                        .filter(|f| f.active)
                        .any(|f| one.findings.iter().any(|own| own.active && own.fingerprint == f.fingerprint))
            };
            let Some(into) = (0..self.incidents.len())
                .find(|i| *i != at && hit.contains(&self.incidents[*i].id) && goes_on(&self.incidents[*i]))
            else {
                continue;
            };
            let mut one = self.incidents[at].clone();
            merge_into(&mut one, &mut self.incidents[into], now);
            steps.push((one.id, Step::Merged));
            let other = self.incidents[into].id;
            if !steps.iter().any(|(id, _)| *id == other) {
                steps.push((other, Step::Updated));
            }
            self.incidents[at] = one;
        }
        steps
    }

    /// When the next incident would resolve by itself, if nothing changes. One that cannot be looked at does not.
    pub fn next_due(&self, index: &Index, diagnosis: &Diagnosis, policy: Policy) -> Option<Timestamp> {
        self.incidents
            .iter()
            .filter(|i| i.state == State::Mitigated && well::is_well(index, diagnosis, i))
            .filter_map(|i| i.quiet_since?.checked_add(policy.stability).ok())
            .min()
    }

    /// The incident a fault belongs to: the oldest that shares a finding, the subject or the first cause's object.
    fn find(&self, now: Timestamp, fault: &Fault) -> Option<usize> {
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
        for (at, incident) in
            self.incidents.iter().enumerate().filter(|(_, i)| usable(i, now) || i.closed_while_broken())
        {
            // What a person split off takes in its own part and nothing else.
            if !incident.split_off.is_empty() {
                continue;
            }
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
            earlier: Vec::new(),
            merged_into: None,
            ticket: None,
            split_off: Vec::new(),
            graph: None,
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

/// Whether a fault may belong to it: open, or resolved within the hour and not merged away.
fn usable(incident: &Incident, now: Timestamp) -> bool {
    incident.merged_into.is_none() && (incident.state.is_open() || recent(incident, now))
}

/// Resolved within the hour.
fn recent(incident: &Incident, now: Timestamp) -> bool {
    incident.resolved_at.is_some_and(|t| now.duration_since(t) < REOPEN)
}

/// What makes it the same fault when it comes back.
fn fingerprint(fault: &Fault) -> String {
    let cause = fault.causes.first().map_or("none", |c| c.rule_id.as_str());
    format!("{}|{cause}", fault.subject.key())
}

/// Nothing of the incident is wrong any more: mitigated at once, resolved after the stability window. What was not
/// watched does not count: the window begins when watching did.
fn quiet(incident: &mut Incident, now: Timestamp, watched: Option<Timestamp>, policy: Policy) -> Option<Step> {
    if let (Some(since), Some(watched)) = (incident.quiet_since, watched)
        && watched > since
    {
        incident.quiet_since = Some(watched);
    }
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
            // What was changed since is what put it right: the revision before is the one that broke.
            if let Some(mended) = incident.changes.iter().find(|c| c.id == by).map(|c| c.change.object.clone()) {
                let back =
                    |a: &&mut Action| a.draft.kind == ActionKind::RolloutUndo && a.draft.target.same_name(&mended);
                incident.actions.iter_mut().filter(back).for_each(|a| a.withdrawn = true);
            }
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

/// The newest change after the start that is not the suspect one, first of what the first cause names, else itself.
fn recovered_by(incident: &Incident, now: Timestamp) -> String {
    let start = incident.detected_at.min(incident.started_at.unwrap_or(incident.detected_at));
    // What put a node right is done to the node; roll-outs of what ran on it go on beside it.
    let node = incident.top_cause().is_some_and(|c| c.entity.is(Kind::Node));
    incident
        .changes
        .iter()
        .filter(|c| {
            !c.suspect && c.change.at > start && now.duration_since(c.change.at) < SignedDuration::from_mins(30)
        })
        .filter(|c| !node || c.change.object.is(Kind::Node))
        .filter(|c| crate::explain::reach::mends(&c.change))
        .max_by_key(|c| (incident.top_cause().is_some_and(|top| top.entity.same_name(&c.change.object)), c.change.at))
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

/// The same fault came back after it was resolved: the times of before are put away, and it begins anew.
fn recur(incident: &mut Incident, fault: &Fault, now: Timestamp) {
    let well_until = incident.mitigated_at.or(incident.resolved_at);
    incident.earlier.push(Occurrence {
        started_at: incident.started_at,
        detected_at: incident.detected_at,
        acknowledged_at: incident.acknowledged_at,
        mitigated_at: incident.mitigated_at,
        resolved_at: incident.resolved_at,
        recovered_by: incident.recovered_by.clone(),
    });
    incident.acknowledged_at = None;
    reopen(incident, now, "the same fault came back");
    // What set it off the first time is background now.
    for change in &mut incident.changes {
        change.suspect = false;
    }
    let started = well_until.map_or(fault.started_at, |t| fault.started_at.max(t));
    incident.started_at = Some(started);
    incident.started_at_range = None;
    incident.started_at_basis.clone_from(&fault.started_basis);
    incident.detected_at = now;
    let text = format!("{}: {}", fault.title, fault.started_basis);
    push(incident, started, EntryKind::Symptom, Some("started"), text, Vec::new(), fault.observed(started));
}

/// Opens a resolved incident again under the same number.
pub fn reopen(incident: &mut Incident, now: Timestamp, why: &str) {
    incident.state = if incident.acknowledged_at.is_some() { State::Acknowledged } else { State::Open };
    incident.resolved_at = None;
    incident.mitigated_at = None;
    incident.recovered_by = None;
    incident.quiet_since = None;
    incident.merged_into = None;
    incident.reopened += 1;
    push(incident, now, EntryKind::State, Some("reopened"), format!("Reopened: {why}"), Vec::new(), Observed::Live);
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
