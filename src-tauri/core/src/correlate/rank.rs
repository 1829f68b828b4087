//! Which cause stands first, whose incident it is, and what it is called.

use std::collections::BTreeMap;

use crate::{
    finding::{CauseDraft, Finding},
    index::Index,
    object::ObjectRef,
    severity::Confidence,
};

/// The causes of a group: the same cause named by several findings is one, with their evidence together. Upstream
/// comes first: what explains more findings, then what is surer.
pub(super) fn causes(_index: &Index, findings: &[Finding]) -> Vec<CauseDraft> {
    let mut merged: BTreeMap<(String, String, String), (CauseDraft, usize, usize)> = BTreeMap::new();
    for (order, finding) in findings.iter().enumerate() {
        for cause in &finding.causes {
            let key = (cause.rule_id.clone(), cause.entity.key(), cause.field.clone().unwrap_or_default());
            match merged.get_mut(&key) {
                Some((known, hits, _)) => {
                    *hits += 1;
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
                    merged.insert(key, (cause.clone(), 1, order));
                }
            }
        }
    }
    let mut out: Vec<(CauseDraft, usize, usize)> = merged.into_values().collect();
    out.sort_by(|(a, hits_a, order_a), (b, hits_b, order_b)| {
        tier(a)
            .cmp(&tier(b))
            .then(b.confidence.cmp(&a.confidence))
            .then(hits_b.cmp(hits_a))
            .then(order_a.cmp(order_b))
            .then_with(|| a.rule_id.cmp(&b.rule_id))
    });
    let mut causes: Vec<CauseDraft> = out.into_iter().map(|(c, _, _)| c).collect();
    causes.truncate(5);
    for cause in &mut causes {
        cause.signs.pro = cause.signs.pro.max(cause.evidence.len() as u32);
    }
    causes
}

/// Upstream before downstream: what is proven and breaks others comes before what merely shows it.
fn tier(cause: &CauseDraft) -> u8 {
    let shown_elsewhere = matches!(
        cause.rule_id.as_str(),
        "deployment-stuck"
            | "service-without-endpoints"
            | "backend-not-ready"
            | "job-failed"
            | "container-exits"
            | "pod-not-ready"
    );
    match (cause.entity.kind.as_str(), cause.confidence) {
        _ if shown_elsewhere => 2,
        ("Node", c) if c >= Confidence::Likely => 0,
        _ => 1,
    }
}

/// The workload hit; of several, the shared cause's object, else the highest owner in name order.
pub(super) fn subject(_index: &Index, findings: &[Finding], causes: &[CauseDraft]) -> ObjectRef {
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
