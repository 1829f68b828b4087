//! What can be ruled out, each with what it was read from.

mod around;

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    correlate::{Fault, route::Routes},
    detect::context::object_evidence,
    evidence::{EvidenceDraft, EvidenceKind},
    finding::EliminationDraft,
    index::Index,
    object::{Condition, Kind, Object},
};

pub(super) fn explain(routes: &Routes<'_>, now: Timestamp, fault: &mut Fault) {
    let index = routes.index;
    fault.ruled_out.extend(fault.findings.iter().flat_map(|f| f.ruled_out.clone()));
    nodes(index, now, fault);
    sources(index, now, fault);
    around::explain(routes, now, fault);
}

/// Ruled out, by this evidence.
fn rule_out(fault: &mut Fault, statement: String, item: EvidenceDraft) {
    fault.ruled_out.push(EliminationDraft { statement, result: "no".into(), evidence: vec![item.key.clone()] });
    if fault.evidence.iter().all(|e| e.key != item.key) {
        fault.evidence.push(item);
    }
}

/// It could not be checked.
fn leave_open(fault: &mut Fault, statement: String) {
    fault.ruled_out.push(EliminationDraft { statement, result: "open".into(), evidence: Vec::new() });
}

/// The nodes of the failing pods: ready, and without pressure.
fn nodes(index: &Index, now: Timestamp, fault: &mut Fault) {
    if fault.causes.first().is_some_and(|c| c.entity.kind == "Node") {
        return;
    }
    let mut names = BTreeSet::new();
    for finding in &fault.findings {
        if finding.object.kind == "Pod"
            && let Some(Object::Pod(pod)) = index.resolve(&finding.object).map(|o| &**o)
            && let Some(node) = &pod.spec.node_name
        {
            names.insert(node.clone());
        }
    }
    if names.is_empty() {
        return;
    }
    if !index.knows(Kind::Node, None) {
        fault.ruled_out.push(EliminationDraft {
            statement: "Node trouble: nodes cannot be read".into(),
            result: "open".into(),
            evidence: Vec::new(),
        });
        return;
    }
    for name in names.into_iter().take(3) {
        let Some(Object::Node(node)) = index.get(Kind::Node, None, &name).map(|o| &**o) else { continue };
        let conditions = &node.status.conditions;
        let ready = Condition::find(conditions, "Ready").is_some_and(Condition::is_true);
        let pressure: Vec<&str> = conditions
            .iter()
            .filter(|c| c.kind.ends_with("Pressure") && c.is_true())
            .map(|c| c.kind.as_str())
            .collect();
        if !ready || !pressure.is_empty() {
            continue;
        }
        let lines: Vec<(&str, String)> = conditions.iter().map(|c| (c.kind.as_str(), c.status.clone())).collect();
        let item = object_evidence(
            EvidenceKind::Node,
            node.reference(),
            "conditions",
            format!("Node {name} is ready and reports no pressure"),
            &lines,
            now,
        );
        fault.ruled_out.push(EliminationDraft {
            statement: format!("Node trouble: node {name} is ready and reports no memory, disk or process pressure"),
            result: "no".into(),
            evidence: vec![item.key.clone()],
        });
        fault.evidence.push(item);
    }
}

/// Every ConfigMap and Secret the workload needs exists.
fn sources(index: &Index, now: Timestamp, fault: &mut Fault) {
    let subject = fault.subject.clone();
    let ns = subject.namespace.as_deref();
    let Some(object) = index.resolve(&subject) else { return };
    let Some(template) = object.pod_template() else { return };
    if fault.causes.iter().any(|c| matches!(c.entity.kind.as_str(), "ConfigMap" | "Secret")) {
        return;
    }
    let mut names = Vec::new();
    for (kind, refs) in
        [(Kind::ConfigMap, template.spec.config_map_refs()), (Kind::Secret, template.spec.secret_refs())]
    {
        for r in refs.iter().filter(|r| !r.optional) {
            if !index.knows(kind, ns) || index.get(kind, ns, &r.name).is_none() {
                return;
            }
            names.push((kind.as_str(), r.name.clone()));
        }
    }
    names.sort();
    names.dedup();
    if names.is_empty() {
        return;
    }
    let item = object_evidence(
        EvidenceKind::Object,
        subject.clone(),
        "sources",
        format!("Every ConfigMap and Secret that {} refers to exists", subject.name),
        &names.iter().map(|(k, n)| (*k, format!("{n}: present"))).collect::<Vec<_>>(),
        now,
    );
    fault.ruled_out.push(EliminationDraft {
        statement: "A missing ConfigMap or Secret: every one it refers to exists".into(),
        result: "no".into(),
        evidence: vec![item.key.clone()],
    });
    fault.evidence.push(item);
}
