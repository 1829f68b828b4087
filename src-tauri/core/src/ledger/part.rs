//! What a person takes apart and puts together: splitting findings off, and telling an incident's own from the rest.

use std::{borrow::Cow, sync::Arc};

use jiff::Timestamp;

use super::{merge, push};
use crate::{
    correlate::Fault,
    evidence::Observed,
    finding::Finding,
    incident::{Cause, FindingRecord, Incident, IncidentId, Part, State},
    severity::Confidence,
    timeline::EntryKind,
};

/// Why findings cannot be split off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    #[error("The incident has none of these findings. Read it again and choose from what it has now.")]
    NothingChosen,
    #[error("At least one finding that goes on has to stay. To close the incident, resolve it.")]
    NothingLeft,
    #[error("The incident is part of another one: split that.")]
    Merged,
}

/// Takes findings (by fingerprint) out of an incident into one of their own. What is recorded keeps its ids in both.
///
/// # Errors
/// When none of them is there, or nothing would be left.
pub fn split(
    incident: &mut Incident,
    findings: &[String],
    id: IncidentId,
    now: Timestamp,
    who: &str,
) -> Result<Incident, SplitError> {
    let chosen = |f: &FindingRecord| findings.contains(&f.fingerprint);
    let (own, rest): (Vec<FindingRecord>, Vec<FindingRecord>) =
        incident.findings.iter().cloned().partition(|f| chosen(f));
    let lead = own.iter().max_by_key(|f| f.severity).ok_or(SplitError::NothingChosen)?;
    if incident.merged_into.is_some() {
        return Err(SplitError::Merged);
    }
    if !rest.iter().any(|f| f.active || !incident.state.is_open()) {
        return Err(SplitError::NothingLeft);
    }
    let subject = lead.subject.clone().unwrap_or_else(|| lead.object.clone());
    let states = |findings: &[FindingRecord], cause: &Cause| {
        cause.evidence.iter().any(|id| findings.iter().any(|f| f.evidence.contains(id)))
    };
    let causes = incident
        .causes
        .iter()
        .filter(|c| states(&own, c))
        .cloned()
        .zip(1..)
        .map(|(cause, rank)| Cause { rank, ..cause })
        .collect::<Vec<_>>();
    let mut part = Incident {
        id,
        number: 0,
        revision: 0,
        title: crate::words::clip(&lead.message, 120),
        severity: lead.severity,
        started_at: own.iter().map(|f| f.first_seen).min(),
        started_at_range: None,
        started_at_basis: "first of the findings that were split off".to_owned(),
        verdict: causes.first().map_or(Confidence::NotEstablished, |c| c.confidence),
        fingerprint: format!("{}|{}", subject.key(), causes.first().map_or("none", |c| c.rule_id.as_str())),
        subject,
        causes,
        split_off: own
            .iter()
            .map(|f| Part { part: f.fingerprint.rsplit('|').next().map(str::to_owned), ..part_of(f) })
            .collect(),
        findings: own.clone(),
        timeline: Vec::new(),
        earlier: Vec::new(),
        ticket: None,
        // What it shows is the whole fault; the part is drawn when it is looked at again.
        graph: None,
        ..incident.clone()
    };
    part.split_off.dedup();
    let shared = |seq: &u64| incident.timeline.iter().find(|e| e.seq == *seq);
    let keep: Vec<u64> = incident
        .timeline
        .iter()
        .filter(|e| {
            matches!(e.label.as_deref(), Some("detected" | "acknowledged"))
                || matches!(e.kind, EntryKind::Change | EntryKind::Gap)
                || (e.label.is_none() && own.iter().any(|f| f.message == e.text))
        })
        .map(|e| e.seq)
        .collect();
    let started = part.started_at.unwrap_or(incident.detected_at);
    let first = own.iter().min_by_key(|f| f.first_seen).map(|f| f.evidence.clone()).unwrap_or_default();
    let text = format!("{}: {}", part.title, part.started_at_basis);
    push(&mut part, started, EntryKind::Symptom, Some("started"), text, first, Observed::Live);
    for entry in keep.iter().filter_map(shared) {
        push(
            &mut part,
            entry.at,
            entry.kind,
            entry.label.as_deref(),
            entry.text.clone(),
            entry.evidence.clone(),
            entry.observed,
        );
        if let Some(copy) = part.timeline.last_mut() {
            copy.who.clone_from(&entry.who);
        }
    }
    let text = format!("Split off from {} by {who}", incident.label());
    push(&mut part, now, EntryKind::State, None, text, Vec::new(), Observed::Live);
    for finding in incident.findings.iter_mut().filter(|f| findings.contains(&f.fingerprint)) {
        finding.active = false;
    }
    incident.causes.retain(|c| !states(&own, c) || states(&rest, c));
    incident.verdict = incident.causes.first().map_or(Confidence::NotEstablished, |c| c.confidence);
    incident.severity = super::worst(incident).unwrap_or(incident.severity);
    let text = format!("{who} split off “{}”; it goes on as an incident of its own", part.title);
    push(incident, now, EntryKind::State, None, text, Vec::new(), Observed::Live);
    Ok(part)
}

/// Ends an incident whose trouble is part of another's fault. What people wrote on it goes along.
pub fn merge_into(incident: &mut Incident, other: &mut Incident, now: Timestamp) {
    incident.state = State::Resolved;
    incident.resolved_at = Some(now);
    incident.merged_into = Some(other.id);
    // What goes on there is no longer a part alone.
    other.split_off.clear();
    incident.quiet_since = None;
    for f in &mut incident.findings {
        f.active = false;
    }
    let text = format!("Part of the same fault as {}; it goes on there", named(other));
    push(incident, now, EntryKind::State, Some("merged"), text, Vec::new(), Observed::Live);
    let text = format!("{} turned out to be part of this fault", named(incident));
    push(other, now, EntryKind::State, None, text, Vec::new(), Observed::Live);
    for entry in incident.timeline.iter().filter(|e| e.kind == EntryKind::Note) {
        push(other, entry.at, EntryKind::Note, None, entry.text.clone(), Vec::new(), entry.observed);
        if let Some(copy) = other.timeline.last_mut() {
            copy.who.clone_from(&entry.who);
        }
    }
    merge::absorb(other, incident);
    if let (None, Some(at)) = (other.acknowledged_at, incident.acknowledged_at) {
        other.acknowledged_at = Some(at.max(other.detected_at));
        if other.state == State::Open {
            other.state = State::Acknowledged;
        }
    }
}

/// `INC-7 (title)`, without the number where it has none yet.
fn named(incident: &Incident) -> String {
    match incident.number {
        0 => format!("“{}”", incident.title),
        _ => format!("{} (“{}”)", incident.label(), incident.title),
    }
}

/// The faults with what belongs to split-off incidents taken out of them, and whose it is.
pub(super) fn divided<'a>(
    faults: &'a [Arc<Fault>],
    incidents: &[Incident],
) -> Vec<(Cow<'a, Fault>, Option<IncidentId>)> {
    let apart: Vec<(IncidentId, &[Part])> = incidents
        .iter()
        .filter(|i| !i.split_off.is_empty() && i.merged_into.is_none())
        .map(|i| (i.id, i.split_off.as_slice()))
        .collect();
    let owner = |f: &Finding| apart.iter().find(|(_, parts)| parts.iter().any(|p| p.is_of(f))).map(|(id, _)| *id);
    let mut out = Vec::with_capacity(faults.len());
    for fault in faults {
        if apart.is_empty() || !fault.findings.iter().any(|f| owner(f).is_some()) {
            out.push((Cow::Borrowed(&**fault), None));
            continue;
        }
        out.extend(fault.part(|f| owner(f).is_none()).map(|rest| (Cow::Owned(rest), None)));
        for (id, _) in &apart {
            out.extend(fault.part(|f| owner(f) == Some(*id)).map(|part| (Cow::Owned(part), Some(*id))));
        }
    }
    out
}

fn part_of(finding: &FindingRecord) -> Part {
    let subject = finding.subject.as_ref().unwrap_or(&finding.object).key();
    Part { rule_id: finding.rule_id.clone(), subject, part: None }
}

/// What a person means by "this is not an incident": its rules on the workloads it hit.
pub fn parts(incident: &Incident) -> Vec<Part> {
    let mut parts: Vec<Part> = incident.findings.iter().map(part_of).collect();
    parts.sort_by(|a, b| (&a.rule_id, &a.subject).cmp(&(&b.rule_id, &b.subject)));
    parts.dedup();
    parts
}
