//! Which cause stands first, whose incident it is, and what it is called.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    asleep::SCALED_TO_ZERO,
    cascade::{self, Symptom},
    group::Group,
};
use crate::{
    detect::backing::ON_NO_NODE,
    finding::{CauseDraft, Finding},
    object::ObjectRef,
    severity::Confidence,
};

/// A cause that several findings name, with what it explains.
struct Candidate {
    cause: CauseDraft,
    /// How far downstream the nearest finding lies that names it.
    depth: usize,
    /// The findings that name it, and those downstream of their subjects.
    explains: BTreeSet<usize>,
    order: usize,
}

/// The causes of a group: the same cause named by several findings is one, with their evidence together. Upstream
/// comes first: what is nobody's symptom, then what breaks others, then what explains everything, what is surer, and
/// what explains more.
pub(super) fn causes(group: &Group) -> Vec<CauseDraft> {
    let findings = &group.findings;
    let depths = cascade::depths(findings, &group.up);
    let mut merged: BTreeMap<(String, String, String), Candidate> = BTreeMap::new();
    for (order, finding) in findings.iter().enumerate() {
        for cause in &finding.causes {
            let key = (cause.rule_id.clone(), cause.entity.key(), cause.field.clone().unwrap_or_default());
            match merged.get_mut(&key) {
                Some(candidate) => {
                    candidate.depth = candidate.depth.min(depths[order]);
                    candidate.explains.insert(order);
                    let known = &mut candidate.cause;
                    if cause.confidence > known.confidence {
                        known.confidence = cause.confidence;
                        known.statement.clone_from(&cause.statement);
                    }
                    known.signs.pro = known.signs.pro.max(cause.signs.pro);
                    known.signs.unchecked = known.signs.unchecked.min(cause.signs.unchecked);
                    for e in &cause.evidence {
                        if !known.evidence.contains(e) && known.evidence.len() < 12 {
                            known.evidence.push(e.clone());
                        }
                    }
                }
                None => {
                    let explains = BTreeSet::from([order]);
                    merged.insert(key, Candidate { cause: cause.clone(), depth: depths[order], explains, order });
                }
            }
        }
    }
    let mut out: Vec<Candidate> = merged.into_values().collect();
    // What calls a subject that a cause explains is explained with it.
    let cascading = group.up.iter().any(|up| !up.is_empty());
    for candidate in &mut out {
        let signs = &mut candidate.cause.signs;
        signs.pro = signs.pro.max(candidate.cause.evidence.len() as u32);
    }
    for candidate in out.iter_mut().filter(|_| cascading) {
        let own = candidate.explains.len();
        loop {
            let subjects: BTreeSet<String> = candidate.explains.iter().map(|i| findings[*i].subject.key()).collect();
            let before = candidate.explains.len();
            let more = (0..findings.len()).filter(|i| group.up[*i].iter().any(|u| subjects.contains(u)));
            candidate.explains.extend(more);
            if candidate.explains.len() == before {
                break;
            }
        }
        // Each workload that fails as this cause predicts is a sign for it.
        if candidate.depth == 0 && candidate.explains.len() > own {
            let told: BTreeSet<String> = candidate.explains.iter().map(|i| findings[*i].subject.key()).collect();
            let pro = &mut candidate.cause.signs.pro;
            *pro = pro.saturating_add(told.len().saturating_sub(1) as u32);
        }
    }
    let told = findings.iter().filter(|f| !f.causes.is_empty()).count();
    let all = |c: &Candidate| {
        c.cause.confidence >= Confidence::Likely
            && c.explains.iter().filter(|i| !findings[**i].causes.is_empty()).count() == told
    };
    out.sort_by(|a, b| {
        (a.depth.cmp(&b.depth))
            .then_with(|| tier(&a.cause).cmp(&tier(&b.cause)))
            .then_with(|| all(b).cmp(&all(a)))
            .then_with(|| b.cause.confidence.cmp(&a.cause.confidence))
            .then_with(|| b.explains.len().cmp(&a.explains.len()))
            .then_with(|| a.order.cmp(&b.order))
            .then_with(|| a.cause.rule_id.cmp(&b.cause.rule_id))
    });
    let mut causes: Vec<CauseDraft> = out.into_iter().map(|c| c.cause).collect();
    causes.truncate(5);
    causes
}

/// The rule only shows that something is wrong elsewhere.
pub(super) fn shown_elsewhere(rule_id: &str) -> bool {
    matches!(
        rule_id,
        "deployment-stuck"
            | "service-without-endpoints"
            | "dependency-without-endpoints"
            | "backend-not-ready"
            | "job-failed"
            | "container-exits"
            | "pod-not-ready"
    )
}

/// Upstream before downstream: what is proven and breaks others comes before what merely shows it.
fn tier(cause: &CauseDraft) -> u8 {
    let own = cause.entity.kind != "Service" && cause.entity.kind != "External";
    match (cause.entity.kind.as_str(), cascade::kind_of(cause)) {
        // Words that tell why a container ends say more than what is not in its way.
        _ if cause.rule_id == "container-exits" && cause.confidence >= Confidence::Likely => 3,
        _ if shown_elsewhere(&cause.rule_id) => 5,
        ("Node", _) if cause.confidence >= Confidence::Likely => 0,
        // What is not there at all cannot answer, whatever its callers make of that.
        _ if matches!(cause.rule_id.as_str(), SCALED_TO_ZERO | ON_NO_NODE)
            && cause.confidence >= Confidence::Likely =>
        {
            1
        }
        // What several workloads have in common comes before what each of them says.
        _ if cause.rule_id.starts_with("shared-") => 1,
        // Names that cannot be looked up keep no pod from being placed or started.
        _ if cause.rule_id == "statefulset-service-missing" => 5,
        // What may not even have been changed says less than the log.
        ("Secret", _) if cause.rule_id == "configuration-changed" && cause.confidence < Confidence::Likely => 3,
        // That a probe fails says less than the log of what it asks.
        (_, Symptom::Weak) => 4,
        // That something did not answer says less than why it did not.
        (_, Symptom::Network | Symptom::Dns) if own => 3,
        _ => 2,
    }
}

/// The workload hit; of several, the shared cause's object, else the highest owner in name order.
pub(super) fn subject(findings: &[Finding], causes: &[CauseDraft]) -> ObjectRef {
    let mut subjects: Vec<&ObjectRef> = findings.iter().map(|f| &f.subject).collect();
    subjects.sort();
    subjects.dedup_by(|a, b| a.same_name(b));
    let workloads: Vec<&&ObjectRef> = subjects.iter().filter(|s| is_workload(&s.kind)).collect();
    match (workloads.as_slice(), causes.first()) {
        ([one], cause) => match cause {
            // A node in trouble is the subject of what it breaks, however few. One that merely keeps a pod out is not.
            Some(c) if c.entity.kind == "Node" && findings.iter().any(|f| f.object.same_name(&c.entity)) => {
                c.entity.clone()
            }
            _ => (**one).clone(),
        },
        ([], Some(cause)) if subjects.len() > 1 => cause.entity.clone(),
        ([], _) => findings[0].subject.clone(),
        (_, Some(cause)) if subjects.len() > 1 && !is_workload(&cause.entity.kind) => cause.entity.clone(),
        (many, Some(cause)) => {
            many.iter().find(|s| s.same_name(&cause.entity)).map_or_else(|| (**many[0]).clone(), |s| (**s).clone())
        }
        (many, None) => (**many[0]).clone(),
    }
}

fn is_workload(kind: &str) -> bool {
    matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" | "CronJob" | "Pod")
}

/// `checkout in shop keeps running out of memory`.
pub(super) fn title(subject: &ObjectRef, lead: &Finding, findings: &[Finding]) -> String {
    let place = subject.namespace.as_ref().map(|n| format!(" in {n}")).unwrap_or_default();
    if subject.same_name(&lead.subject) {
        return format!("{}{place} {}", named(subject), lead.headline);
    }
    // A workload that something else breaks is told by what it shows itself.
    if is_workload(&subject.kind)
        && let Some(own) = findings.iter().find(|f| f.subject.same_name(subject))
    {
        return format!("{}{place} {}", named(subject), own.headline);
    }
    let mut hit: Vec<String> = findings.iter().map(|f| f.subject.name.clone()).filter(|n| *n != subject.name).collect();
    hit.sort();
    hit.dedup();
    if subject.kind == "Node" && findings.iter().any(|f| f.rule_id == "node-not-ready") {
        return format!("Node {} is not ready: {} affected", subject.name, crate::words::count(hit.len(), "workload"));
    }
    format!("{} {}{place} stops {}", subject.kind, subject.name, crate::words::list(&hit, 3))
}

fn named(subject: &ObjectRef) -> String {
    match subject.kind.as_str() {
        "Deployment" | "StatefulSet" | "DaemonSet" => subject.name.clone(),
        kind => format!("{kind} {}", subject.name),
    }
}
