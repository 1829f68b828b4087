//! Taking a diagnosis into an incident: numbering what is new, keeping what was.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use crate::{
    change::{Change, ChangeVerb, IncidentChange},
    correlate::{
        Fault,
        cascade::{Symptom, kind_of},
    },
    evidence::{Evidence, Observed},
    finding::Finding,
    incident::{Cause, FindingRecord, Incident, RuledOut},
    remediation::{Action, ActionDraft, in_context},
    severity::Confidence,
    timeline::{EntryKind, TimelineEntry},
};

/// A flood of evidence helps nobody: past this many items only what a cause cites is taken in.
const EVIDENCE_CAP: usize = 120;

/// A further fault of this step that belongs to the same incident: what it found is added, the rest stays.
pub(super) fn more(incident: &mut Incident, fault: &Fault, now: Timestamp) {
    evidence(incident, fault, now);
    changes(incident, fault, now);
    findings(incident, fault, now);
    incident.severity = super::worst(incident).unwrap_or(incident.severity);
    actions(incident, fault);
}

pub(super) fn fault(incident: &mut Incident, fault: &Fault, now: Timestamp) {
    for record in &mut incident.findings {
        record.active = false;
    }
    evidence(incident, fault, now);
    changes(incident, fault, now);
    findings(incident, fault, now);
    let cited = |keys: &[String], i: &Incident| -> Vec<String> {
        let mut ids: Vec<String> =
            keys.iter().filter_map(|k| i.evidence.iter().find(|e| &e.draft.key == k)).map(|e| e.id.clone()).collect();
        ids.dedup();
        ids
    };
    if outlives(incident, fault, now) {
        incident.severity = super::worst(incident).unwrap_or(incident.severity);
        return actions(incident, fault);
    }
    acquit(incident, fault);
    let was_top = incident.causes.first().map(|c| (c.rule_id.clone(), c.entity.key()));
    incident.causes = fault
        .causes
        .iter()
        .enumerate()
        .map(|(rank, c)| Cause {
            rank: rank as u32 + 1,
            rule_id: c.rule_id.clone(),
            confidence: c.confidence,
            signs: c.signs,
            entity: c.entity.clone(),
            referrer: c.referrer.clone(),
            field: c.field.clone(),
            statement: c.statement.clone(),
            evidence: cited(&c.evidence, incident),
            needs: c.needs.clone(),
        })
        .collect();
    incident.verdict = fault.verdict();
    incident.needs = incident.causes.first().map(|c| c.needs.clone()).unwrap_or_default();
    incident.ruled_out = fault
        .ruled_out
        .iter()
        .map(|r| RuledOut {
            statement: r.statement.clone(),
            result: r.result.clone(),
            evidence: cited(&r.evidence, incident),
        })
        .collect();
    // The subject and title follow the diagnosis while nobody has acknowledged it; later the name stays.
    if incident.acknowledged_at.is_none() {
        incident.subject = fault.subject.clone();
        incident.title.clone_from(&fault.title);
        incident.fingerprint = super::fingerprint(fault);
    }
    incident.severity = super::worst(incident).unwrap_or(fault.severity);
    if incident.started_at.is_none_or(|t| fault.started_at < t) && incident.earlier.is_empty() {
        incident.started_at = Some(fault.started_at);
        incident.started_at_basis.clone_from(&fault.started_basis);
        if let Some(e) = incident.timeline.iter_mut().rfind(|e| e.label.as_deref() == Some("started")) {
            e.at = fault.started_at;
        }
    }
    advise(incident, fault);
    let top = incident.causes.first().map(|c| (c.rule_id.clone(), c.entity.key()));
    if top != was_top
        && incident.verdict > Confidence::NotEstablished
        && let Some(cause) = incident.causes.first().cloned()
    {
        let text = format!("{} cause: {}", cause.confidence.word(), cause.statement);
        super::push(incident, now, EntryKind::Symptom, Some("cause"), text, cause.evidence, Observed::Live);
    }
}

/// How long after a cause was put right what only shows that something did not answer is taken for a thing of the past.
const PUT_RIGHT: SignedDuration = SignedDuration::from_mins(10);

/// The first cause was proven and has just been put right, and what would take its place only shows that something else
/// did not answer a while ago. So does what kept a Job from its work until its time was up stay its cause.
fn outlives(incident: &Incident, fault: &Fault, now: Timestamp) -> bool {
    let (Some(was), Some(is)) = (incident.causes.first(), fault.causes.first()) else { return false };
    if was.confidence < Confidence::Established {
        return false;
    }
    let symptom = is.confidence < Confidence::Established
        && !is.entity.same_name(&was.entity)
        && matches!(kind_of(is), Symptom::Network | Symptom::Dns | Symptom::Weak);
    let put_right = |c: &IncidentChange| {
        let at = c.change.at;
        c.change.object.same_name(&was.entity) && at > incident.detected_at && now.duration_since(at) < PUT_RIGHT
    };
    let over = is.rule_id == "job-deadline" && was.rule_id != is.rule_id && fault.subject.kind == "Job";
    over || symptom && incident.changes.iter().any(put_right)
}

fn evidence(incident: &mut Incident, fault: &Fault, now: Timestamp) {
    let cited: Vec<&String> = fault.causes.iter().flat_map(|c| &c.evidence).collect();
    for draft in &fault.evidence {
        let known = incident.evidence.iter().any(|e| e.draft.key == draft.key);
        if known || (incident.evidence.len() >= EVIDENCE_CAP && !cited.contains(&&draft.key)) {
            continue;
        }
        let id = format!("E{}", incident.evidence.len() + 1);
        incident.evidence.push(Evidence { id, draft: draft.clone().taken(now) });
    }
}

fn changes(incident: &mut Incident, fault: &Fault, now: Timestamp) {
    // When it came back, what was changed since it was well comes before what had broken it the last time.
    let well = incident.earlier.last().and_then(|o| o.mitigated_at.or(o.resolved_at));
    let since_well = |change: &Change| well.is_none_or(|t| change.at > t);
    let fresh = fault.changes.iter().any(|(change, suspect)| *suspect && since_well(change));
    // Oldest first, so that ids follow time.
    for (change, suspect) in fault.changes.iter().rev() {
        take(incident, change, *suspect && (!fresh || since_well(change)), now);
    }
}

/// Who was suspected while less was known is not any more, once another is: clears the changes that this diagnosis knows
/// of and does not suspect, and names the trigger anew where it was one of them.
fn acquit(incident: &mut Incident, fault: &Fault) {
    let told = fault.causes.first().is_some_and(|c| c.confidence >= Confidence::Likely);
    let known = |c: &IncidentChange| c.suspect && fault.changes.iter().any(|(f, s)| *s && f.key() == c.change.key());
    if !told || !incident.changes.iter().any(known) {
        return;
    }
    let innocent = |c: &Change| fault.changes.iter().any(|(known, suspect)| !suspect && known.key() == c.key());
    let mut cleared: Vec<String> = Vec::new();
    for known in incident.changes.iter_mut().filter(|c| c.suspect && innocent(&c.change)) {
        known.suspect = false;
        cleared.push(known.id.clone());
    }
    let label =
        |e: &TimelineEntry, of: &str| e.kind == EntryKind::Change && e.evidence.first().is_some_and(|id| id == of);
    let wrong = |e: &&mut TimelineEntry| e.label.as_deref() == Some("trigger") && cleared.iter().any(|id| label(e, id));
    let Some(entry) = incident.timeline.iter_mut().rfind(wrong) else { return };
    entry.label = None;
    let right = incident.changes.iter().filter(|c| c.suspect && c.change.verb == ChangeVerb::Modified);
    let Some(id) = right.max_by_key(|c| c.change.at).map(|c| c.id.clone()) else { return };
    if let Some(entry) = incident.timeline.iter_mut().rfind(|e| label(e, &id)) {
        entry.label = Some("trigger".into());
    }
}

/// Changes of what the incident hangs on, seen as its fault went away: one of them put it right.
pub(super) fn recent(incident: &mut Incident, changes: &[Change], now: Timestamp) {
    let mut own: Vec<String> = vec![incident.subject.key()];
    own.extend(incident.findings.iter().map(|f| f.object.key()));
    own.extend(incident.causes.iter().flat_map(|c| [Some(&c.entity), c.referrer.as_ref()]).flatten().map(|o| o.key()));
    own.extend(incident.changes.iter().map(|c| c.change.object.key()));
    let since = incident.detected_at;
    for change in changes.iter().filter(|c| c.at >= since && own.contains(&c.object.key())) {
        take(incident, change, false, now);
    }
}

fn take(incident: &mut Incident, change: &Change, suspect: bool, now: Timestamp) {
    let key = change.key();
    if let Some(known) = incident.changes.iter_mut().find(|c| c.change.key() == key) {
        known.suspect |= suspect;
        return;
    }
    let id = format!("C{}", incident.changes.len() + 1);
    let who = change.who.as_ref().map(|w| format!(" by {w}")).unwrap_or_default();
    let text = match change.verb {
        ChangeVerb::Modified => format!("{} changed{who}: {}", change.object, change.summary),
        ChangeVerb::Created => format!("{} created{who}", change.object),
        ChangeVerb::Deleted => format!("{} {}", change.object, change.summary),
    };
    // The first suspect one of this time; of an entry that was written only its label may change.
    let labels = |e: &&TimelineEntry| matches!(e.label.as_deref(), Some("trigger" | "reopened"));
    let told = incident.timeline.iter().rfind(labels).is_some_and(|e| e.label.as_deref() == Some("trigger"));
    let trigger = suspect && change.verb == ChangeVerb::Modified && !told;
    let mut cites = vec![id.clone()];
    cites.extend(incident.evidence.iter().find(|e| e.draft.key == format!("diff|{key}")).map(|e| e.id.clone()));
    super::push(
        incident,
        change.at.min(now),
        EntryKind::Change,
        trigger.then_some("trigger"),
        text,
        cites,
        change.observed,
    );
    incident.changes.push(IncidentChange { id, suspect, change: change.clone() });
}

fn findings(incident: &mut Incident, fault: &Fault, now: Timestamp) {
    for finding in &fault.findings {
        let ids: Vec<String> = finding
            .evidence
            .iter()
            .filter_map(|d| incident.evidence.iter().find(|e| e.draft.key == d.key))
            .map(|e| e.id.clone())
            .collect();
        let print = finding.fingerprint();
        match incident.findings.iter_mut().find(|f| f.fingerprint == print) {
            Some(record) => {
                record.active = true;
                // It came back: it has been there since then, not since the first time.
                if !incident.earlier.is_empty() && incident.started_at.is_some_and(|t| record.last_seen < t) {
                    record.first_seen = finding.started_at;
                }
                record.last_seen = last_seen(finding, record.last_seen, now);
                record.count = record.count.max(finding.count);
                record.severity = finding.severity;
                record.message.clone_from(&finding.message);
                for id in ids {
                    if !record.evidence.contains(&id) {
                        record.evidence.push(id);
                    }
                }
            }
            None => {
                let observed = fault.observed(finding.started_at);
                let text = finding.message.clone();
                super::push(
                    incident,
                    finding.started_at.min(now),
                    EntryKind::Symptom,
                    None,
                    text,
                    ids.clone(),
                    observed,
                );
                incident.findings.push(FindingRecord {
                    fingerprint: print,
                    rule_id: finding.rule_id.clone(),
                    object: finding.object.clone(),
                    subject: Some(finding.subject.clone()),
                    severity: finding.severity,
                    first_seen: finding.started_at,
                    last_seen: now,
                    count: finding.count,
                    message: finding.message.clone(),
                    evidence: ids,
                    active: true,
                });
            }
        }
    }
    // The start is proven by the evidence of the first finding.
    let first = incident
        .findings
        .iter()
        .filter(|f| f.active)
        .min_by_key(|f| f.first_seen)
        .map(|f| f.evidence.clone())
        .unwrap_or_default();
    if let Some(e) = incident.timeline.iter_mut().rfind(|e| e.label.as_deref() == Some("started"))
        && e.evidence.is_empty()
    {
        e.evidence = first;
    }
}

/// Once a minute is often enough: every write of an incident is a revision for all who look.
fn last_seen(_finding: &Finding, known: Timestamp, now: Timestamp) -> Timestamp {
    if now.duration_since(known) >= SignedDuration::from_mins(1) { now } else { known }
}

/// Takes over what was recorded of an incident that is part of this one: no id of this one changes.
pub(super) fn absorb(incident: &mut Incident, other: &Incident) {
    let mut ids: HashMap<&str, String> = HashMap::new();
    for item in &other.evidence {
        let known = incident.evidence.iter().find(|e| e.draft.key == item.draft.key).map(|e| e.id.clone());
        let id = known.unwrap_or_else(|| {
            let id = format!("E{}", incident.evidence.len() + 1);
            incident.evidence.push(Evidence { id: id.clone(), draft: item.draft.clone() });
            id
        });
        ids.insert(&item.id, id);
    }
    for change in &other.changes {
        let known = incident.changes.iter().find(|c| c.change.key() == change.change.key()).map(|c| c.id.clone());
        let id = known.unwrap_or_else(|| {
            let id = format!("C{}", incident.changes.len() + 1);
            incident.changes.push(IncidentChange { id: id.clone(), suspect: false, change: change.change.clone() });
            id
        });
        ids.insert(&change.id, id);
    }
    for record in &other.findings {
        if !incident.findings.iter().any(|f| f.fingerprint == record.fingerprint) {
            let evidence = record.evidence.iter().filter_map(|id| ids.get(id.as_str()).cloned()).collect();
            incident.findings.push(FindingRecord { evidence, active: false, ..record.clone() });
        }
    }
}

/// Takes in the steps of a fault that was diagnosed anew: what its diagnosis does not advise any more is withdrawn.
fn advise(incident: &mut Incident, fault: &Fault) {
    incident.actions.iter_mut().for_each(|a| a.withdrawn = true);
    actions(incident, fault);
    let keys: Vec<_> = fault.actions.iter().map(ActionDraft::key).collect();
    let place = |a: &Action| keys.iter().position(|key| *key == a.draft.key()).unwrap_or(keys.len());
    incident.actions.sort_by_key(place);
}

fn actions(incident: &mut Incident, fault: &Fault) {
    for draft in &fault.actions {
        let draft = &ActionDraft { command: in_context(&draft.command, &incident.cluster), ..draft.clone() };
        match incident.actions.iter_mut().find(|a| a.draft.key() == draft.key()) {
            Some(known) => (known.draft, known.withdrawn) = (draft.clone(), false),
            None => {
                let id = format!("A{}", incident.actions.len() + 1);
                incident.actions.push(Action { id, applicable: false, withdrawn: false, draft: draft.clone() });
            }
        }
    }
}
