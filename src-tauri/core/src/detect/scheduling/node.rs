//! Why the nodes there are do not take a pod: selectors, taints, cordons, nodes that are lost.

use jiff::{SignedDuration, Timestamp};

use super::super::{
    Context,
    context::{Owner, action, cause, edit},
    placement,
};
use super::{node_ref, nodes, room::names};
use crate::{
    change::{Change, ChangeVerb},
    correlate::CLOCK_SLACK,
    explain::reach::is_controller,
    finding::{CauseDraft, Finding},
    object::{Condition, Kind, Node, Pod},
    remediation::ActionKind,
    severity::Confidence,
    words,
};

/// A change this long before may be why a pod finds no node.
const LATELY: SignedDuration = SignedDuration::from_mins(30);

/// No node has the labels the pod asks for.
pub(super) fn selector(cx: &Context<'_>, f: &mut Finding, pod: &Pod, owner: &Owner, tail: &str) -> CauseDraft {
    if let Some(c) = newly_labelled(cx, f, pod, owner, tail) {
        return c;
    }
    let labelled = nodes(cx).any(|n| placement::labelled(&pod.spec, n));
    if !pod.spec.node_selector.is_empty() && !labelled {
        return node_selector(cx, f, pod, owner, tail);
    }
    affinity(cx, f, pod, owner, tail)
}

fn node_selector(cx: &Context<'_>, f: &mut Finding, pod: &Pod, owner: &Owner, tail: &str) -> CauseDraft {
    let wanted = &pod.spec.node_selector;
    let nobody = |k: &str, v: &str| !nodes(cx).any(|n| n.metadata.labels.get(k).is_some_and(|h| h == v));
    let why = match wanted.iter().find(|(k, v)| nobody(k, v)) {
        Some((key, value)) => lacks(cx, key, &[value.as_str()]),
        // Each label is on some node, and no node has them all.
        None => {
            let has = |n: &Node| wanted.iter().filter(|(k, v)| n.metadata.labels.get(*k) == Some(v)).count();
            let best = nodes(cx).max_by_key(|n| (has(n), std::cmp::Reverse(n.metadata.name.clone())));
            best.map_or_else(
                || "there is no node".to_owned(),
                |n| {
                    let missing: Vec<String> = wanted
                        .iter()
                        .filter(|(k, v)| n.metadata.labels.get(*k) != Some(v))
                        .map(|(k, v)| format!("{k}={v}"))
                        .collect();
                    format!("no node has all of them ({} lacks {})", n.metadata.name, words::list(&missing, 3))
                },
            )
        }
    };
    let all = wanted.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(", ");
    f.headline = "cannot be scheduled: no node matches its node selector".into();
    f.actions.push(edit(ActionKind::SetNodeSelector, &owner.subject, format!("no node carries {all}")));
    let mut c = cause(
        "node-selector-unmatched",
        if cx.index.knows(Kind::Node, None) { Confidence::Established } else { Confidence::Likely },
        owner.subject.clone(),
        format!("The node selector {all} of {} matches no node: {why}. The scheduler says: {tail}", owner.subject),
    );
    let added =
        placement::template(cx, pod).is_some_and(|t| wanted.iter().any(|(k, v)| t.node_selector.get(k) != Some(v)));
    if let Some(class) = pod.spec.runtime_class_name.as_ref().filter(|_| added) {
        // Admission adds the class's own node selector (kubernetes.io/docs/concepts/containers/runtime-class#scheduling).
        c.confidence = Confidence::Likely;
        c.field = Some(owner.pod_field("runtimeClassName"));
        c.statement.push_str(&format!(
            " The workload's template does not ask for that: it was added when the pod was made, most likely by RuntimeClass {class} (runtimeClassName), whose scheduling.nodeSelector its pods take over."
        ));
        c.needs.push(format!("scheduling.nodeSelector of RuntimeClass {class}"));
    } else if added {
        // Whoever adds it is to be changed, or what it goes by; which it is the pod does not say.
        c.confidence = Confidence::Likely;
        f.actions.pop();
        f.actions.push(action(
            ActionKind::ManualCheck,
            &owner.subject,
            "one of them adds it to pods as they are made",
            "reads only",
            "get mutatingwebhookconfigurations and mutatingadmissionpolicies",
            "kubectl get mutatingwebhookconfigurations ; kubectl get mutatingadmissionpolicies".into(),
        ));
        c.needs.push(
            "which admission webhook or policy adds it (MutatingWebhookConfiguration, MutatingAdmissionPolicy)".into(),
        );
        c.statement.push_str(
            " The workload's template does not ask for that: it was added when the pod was made (by an admission webhook or policy).",
        );
    } else {
        c.field = Some(owner.pod_field("nodeSelector"));
    }
    c.signs.pro = 2;
    c
}

/// What nodes have instead of a label: other values of its key, or a key that is written almost like it.
fn lacks(cx: &Context<'_>, key: &str, values: &[&str]) -> String {
    let mut have: Vec<String> = nodes(cx).filter_map(|n| n.metadata.labels.get(key).cloned()).collect();
    have.sort();
    have.dedup();
    if !have.is_empty() {
        let near = values.iter().find_map(|v| placement::nearest(v, have.iter().map(String::as_str)));
        let meant = near.map(|n| format!(" (is {key}={n} meant?)")).unwrap_or_default();
        return format!("nodes have {key}={}{meant}", words::list(&have, 4));
    }
    let mut keys: Vec<&str> = nodes(cx).flat_map(|n| n.metadata.labels.keys()).map(String::as_str).collect();
    keys.sort_unstable();
    keys.dedup();
    match placement::nearest(key, keys.into_iter()) {
        Some(near) => format!("no node has the label {key}, but there is {near}"),
        None => format!("no node has the label {key}"),
    }
}

fn affinity(cx: &Context<'_>, f: &mut Finding, pod: &Pod, owner: &Owner, tail: &str) -> CauseDraft {
    let terms = placement::required_terms(pod).map(Vec::as_slice).unwrap_or_default();
    let wanted = placement::describe(terms);
    let unmet = terms
        .iter()
        .flat_map(|t| placement::list(t, "matchExpressions"))
        .find(|e| !nodes(cx).any(|n| placement::expression(e, n)));
    let why =
        unmet.map_or(String::new(), |e| format!(": {}", lacks(cx, placement::text(e, "key"), &placement::values(e))));
    f.headline = "cannot be scheduled: no node matches its node affinity".into();
    f.actions.push(edit(ActionKind::SetAffinity, &owner.subject, "no node satisfies its required node affinity"));
    let mut c = cause(
        "node-affinity-unmatched",
        if cx.index.knows(Kind::Node, None) { Confidence::Established } else { Confidence::Likely },
        owner.subject.clone(),
        format!(
            "The required node affinity ({wanted}) of {} matches no node{why}. The scheduler says: {tail}",
            owner.subject
        ),
    );
    c.field = Some(owner.pod_field("affinity.nodeAffinity"));
    c.signs.pro = 2;
    c
}

/// The node does not report that it is ready.
pub(super) fn lost(node: &Node) -> bool {
    let tainted = |t: &crate::object::node::Taint| {
        matches!(t.key.as_str(), "node.kubernetes.io/not-ready" | "node.kubernetes.io/unreachable")
    };
    node.spec.taints.iter().any(tainted)
        || Condition::find(&node.status.conditions, "Ready").is_some_and(|c| !c.is_true())
}

/// Nodes that are not ready take no pods.
pub(super) fn gone(lost: &[&Node], owner: &Owner, tail: &str) -> CauseDraft {
    let are = if lost.len() == 1 { "is" } else { "are" };
    let takes = if lost.len() == 1 { "it takes" } else { "they take" };
    let mut c = cause(
        "nodes-not-ready",
        Confidence::Likely,
        lost.first().map_or_else(|| owner.subject.clone(), |n| node_ref(n)),
        format!(
            "Node {} {are} not ready, so {takes} no pods of {}. The scheduler says: {tail}",
            names(lost, 3),
            owner.subject
        ),
    );
    c.signs.pro = 2;
    c.referrer = Some(owner.subject.clone());
    c
}

/// What the cluster itself taints a node for: that is the node's trouble, and no pod should tolerate it.
fn ailment(node: &Node) -> Option<(&str, (&'static str, &'static str))> {
    node.spec.taints.iter().find_map(|t| {
        let what = match t.key.as_str() {
            "node.kubernetes.io/network-unavailable" => ("node-without-network", "has no network"),
            "node.cloudprovider.kubernetes.io/uninitialized" => {
                ("node-uninitialized", "waits for the cloud's controller to take it in (uninitialized)")
            }
            key if key.starts_with("node.kubernetes.io/") && key.ends_with("-pressure") => {
                ("node-under-pressure", "is under pressure")
            }
            _ => return None,
        };
        Some((t.key.as_str(), what))
    })
}

/// Changes of nodes that were made while the workload was there and shortly before the pod was refused, by somebody and
/// not by the cluster; the newest first.
fn before_it<'c>(cx: &'c Context<'_>, owner: &Owner, refused: Timestamp, path: &str) -> Vec<&'c Change> {
    let there = cx.index.resolve(&owner.subject).and_then(|o| o.meta().creation_timestamp);
    let in_time = |c: &Change| {
        let lead = refused.duration_since(c.at);
        // Both have whole seconds only.
        there.is_some_and(|t| t <= c.at) && lead >= -CLOCK_SLACK && lead <= LATELY
    };
    let mut found: Vec<&Change> = cx
        .index
        .changes()
        .filter(|c| c.object.is(Kind::Node) && c.verb == ChangeVerb::Modified && in_time(c))
        .filter(|c| !c.who.as_deref().is_some_and(is_controller))
        .filter(|c| c.fields.iter().any(|f| f.path.starts_with(path)))
        .collect();
    found.reverse();
    found
}

/// Who made the change, and when.
fn by(change: &Change) -> String {
    let who = change.who.as_deref().unwrap_or("somebody");
    format!("{who} changed it at {}", change.at.strftime("%H:%M:%S UTC"))
}

/// A node that would take the pod but for a taint that somebody gave it lately.
fn newly_tainted(
    cx: &Context<'_>,
    f: &mut Finding,
    pod: &Pod,
    owner: &Owner,
    bearers: &[&Node],
    tail: &str,
) -> Option<CauseDraft> {
    let (node, taint, change) = before_it(cx, owner, f.started_at, "spec.taints").into_iter().find_map(|c| {
        let node = bearers.iter().find(|n| n.metadata.name == c.object.name)?;
        let taint = placement::untolerated(pod, node)?;
        let path = format!("spec.taints.{}:{}", taint.key, taint.effect);
        let new = c.fields.iter().any(|f| f.path == path && f.to.is_some());
        new.then_some((*node, taint, c))
    })?;
    let value = taint.value.as_deref().filter(|v| !v.is_empty()).map(|v| format!("={v}")).unwrap_or_default();
    let said = format!("{}{value}:{}", taint.key, taint.effect);
    f.headline = "cannot be scheduled: a new taint keeps it away".into();
    f.actions.push(action(
        ActionKind::RemoveTaint,
        &node_ref(node),
        "the node takes its pods again",
        "other pods may come to the node too",
        "patch nodes",
        format!("kubectl taint nodes {} {}-", node.metadata.name, taint.key),
    ));
    f.actions.push(edit(ActionKind::SetTolerations, &owner.subject, format!("or it tolerates {said}")));
    let mut c = cause(
        "node-newly-tainted",
        Confidence::Established,
        node_ref(node),
        format!(
            "Node {} was given the taint {said} ({}), which {} does not tolerate. The scheduler says: {tail}",
            node.metadata.name,
            by(change),
            owner.subject
        ),
    );
    c.field = Some(format!("spec.taints.{}:{}", taint.key, taint.effect));
    c.referrer = Some(owner.subject.clone());
    c.signs.pro = 2;
    Some(c)
}

/// A node that had the labels which the pod asks for, until somebody changed them lately.
fn newly_labelled(cx: &Context<'_>, f: &mut Finding, pod: &Pod, owner: &Owner, tail: &str) -> Option<CauseDraft> {
    let (node, change, lost) = before_it(cx, owner, f.started_at, "labels.").into_iter().find_map(|c| {
        let node = nodes(cx).find(|n| n.metadata.name == c.object.name)?;
        let mut before = node.clone();
        let mut lost = Vec::new();
        for field in &c.fields {
            let Some(key) = field.path.strip_prefix("labels.") else { continue };
            match &field.from {
                Some(from) => {
                    lost.push((key.to_owned(), from.clone()));
                    before.metadata.labels.insert(key.to_owned(), from.clone());
                }
                None => drop(before.metadata.labels.remove(key)),
            }
        }
        (!lost.is_empty() && placement::selected(pod, &before)).then_some((node, c, lost))
    })?;
    let name = &node.metadata.name;
    let had: Vec<String> = lost.iter().map(|(k, v)| format!("{k}={v}")).collect();
    f.headline = "cannot be scheduled: a node lost the label it asks for".into();
    f.actions.push(action(
        ActionKind::PatchLabels,
        &node_ref(node),
        "the node takes its pods again",
        "none",
        "patch nodes",
        format!("kubectl label node {name} {} --overwrite", had.join(" ")),
    ));
    let mut c = cause(
        "node-label-lost",
        Confidence::Established,
        node_ref(node),
        format!(
            "Node {name} no longer has the label {} ({}), and no other node has what {} asks for. The scheduler says: {tail}",
            words::list(&had, 3),
            by(change),
            owner.subject
        ),
    );
    c.field = lost.first().map(|(k, _)| format!("labels.{k}"));
    c.referrer = Some(owner.subject.clone());
    c.signs.pro = 2;
    Some(c)
}

/// Every node that is meant for the pod is tainted.
pub(super) fn taints(
    cx: &Context<'_>,
    f: &mut Finding,
    pod: &Pod,
    owner: &Owner,
    meant: &[&Node],
    tail: &str,
) -> CauseDraft {
    let bearers: Vec<&Node> = meant.iter().copied().filter(|n| placement::untolerated(pod, n).is_some()).collect();
    // A node that is not ready, or cordoned, is tainted by the cluster: that is the fault, not the pod's toleration.
    let out: Vec<&Node> = bearers.iter().copied().filter(|n| lost(n)).collect();
    if !out.is_empty() {
        return gone(&out, owner, tail);
    }
    let shut: Vec<&Node> = bearers.iter().copied().filter(|n| n.spec.unschedulable).collect();
    if !shut.is_empty() {
        return cordoned(&shut, f, owner, tail);
    }
    if let Some((node, key, (rule, what))) = bearers.iter().find_map(|n| ailment(n).map(|(key, a)| (n, key, a))) {
        let mut c = cause(
            rule,
            Confidence::Established,
            node_ref(node),
            format!("Node {} {what} ({key}), so it takes no new pods. The scheduler says: {tail}", node.metadata.name),
        );
        c.referrer = Some(owner.subject.clone());
        f.actions.push(action(
            ActionKind::ManualCheck,
            &node_ref(node),
            "its conditions and events say more",
            "reads only",
            "get nodes",
            format!("kubectl describe node {}", node.metadata.name),
        ));
        return c;
    }
    if let Some(c) = newly_tainted(cx, f, pod, owner, &bearers, tail) {
        return c;
    }
    let of_cluster =
        |key: &str| key.starts_with("node.kubernetes.io/") || key.starts_with("node.cloudprovider.kubernetes.io/");
    // Taint in words, its key, and the nodes that have it.
    let mut named: Vec<(String, String, Vec<String>)> = Vec::new();
    for node in &bearers {
        let Some(taint) = placement::untolerated(pod, node) else { continue };
        let value = taint.value.as_deref().filter(|v| !v.is_empty()).map(|v| format!("={v}")).unwrap_or_default();
        let said = format!("{}{value}:{}", taint.key, taint.effect);
        match named.iter_mut().find(|(s, _, _)| *s == said) {
            Some((_, _, on)) => on.push(node.metadata.name.clone()),
            None => named.push((said, taint.key.clone(), vec![node.metadata.name.clone()])),
        }
    }
    if named.iter().any(|(_, k, _)| !of_cluster(k)) {
        named.retain(|(_, k, _)| !of_cluster(k));
    }
    let list: Vec<String> = named.iter().map(|(s, _, _)| s.clone()).collect();
    let spread: Vec<String> = named.iter().map(|(s, _, on)| format!("{s} of node {}", words::list(on, 3))).collect();
    f.headline = "cannot be scheduled: a taint keeps it away".into();
    f.actions.push(edit(
        ActionKind::SetTolerations,
        &owner.subject,
        format!("it does not tolerate {}", words::list(&list, 3)),
    ));
    for (_, key, on) in named.iter().take(2) {
        if let Some(node) = bearers.iter().find(|n| Some(&n.metadata.name) == on.first()) {
            f.actions.push(action(
                ActionKind::RemoveTaint,
                &node_ref(node),
                "if the node is meant for it",
                "other pods may come to the node too",
                "patch nodes",
                format!("kubectl taint nodes {} {key}-", node.metadata.name),
            ));
        }
    }
    // A toleration of the same key that fits in all but value or effect is what somebody meant.
    let close: Vec<String> = pod
        .spec
        .tolerations
        .iter()
        .filter(|t| named.iter().any(|(_, key, _)| t.key.as_ref() == Some(key)))
        .map(|t| {
            let value = t.value.as_deref().map(|v| format!("={v}")).unwrap_or_default();
            let effect = t.effect.as_deref().filter(|e| !e.is_empty()).map(|e| format!(":{e}")).unwrap_or_default();
            format!("{}{value}{effect}", t.key.as_deref().unwrap_or(""))
        })
        .collect();
    let but = if close.is_empty() { String::new() } else { format!(" (it tolerates {})", words::list(&close, 3)) };
    let on = if spread.is_empty() {
        "the taints of the nodes".to_owned()
    } else {
        format!("the taint {}", words::list(&spread, 3))
    };
    let mut c = cause(
        "taint-not-tolerated",
        if bearers.is_empty() { Confidence::Likely } else { Confidence::Established },
        owner.subject.clone(),
        format!("{} does not tolerate {on}{but}. The scheduler says: {tail}", owner.subject),
    );
    c.field = Some(owner.pod_field("tolerations"));
    c.signs.pro = 2;
    c
}

/// Nodes that somebody closed.
pub(super) fn cordoned(among: &[&Node], f: &mut Finding, owner: &Owner, tail: &str) -> CauseDraft {
    let shut: Vec<&Node> = among.iter().copied().filter(|n| n.spec.unschedulable).collect();
    f.headline = match shut.len() {
        1 => "cannot be scheduled: a node is cordoned".into(),
        _ => "cannot be scheduled: nodes are cordoned".into(),
    };
    for n in shut.iter().take(3) {
        f.actions.push(action(
            ActionKind::Uncordon,
            &node_ref(n),
            "it takes pods again",
            "none",
            "patch nodes",
            format!("kubectl uncordon {}", n.metadata.name),
        ));
    }
    let are = if shut.len() == 1 { "is" } else { "are" };
    let mut c = cause(
        "node-cordoned",
        if shut.is_empty() { Confidence::Likely } else { Confidence::Established },
        shut.first().map_or_else(|| owner.subject.clone(), |n| node_ref(n)),
        format!(
            "Node {} {are} cordoned (unschedulable), so {} finds no node. The scheduler says: {tail}",
            names(&shut, 3),
            owner.subject
        ),
    );
    c.field = Some("spec.unschedulable".into());
    c.referrer = Some(owner.subject.clone());
    c.signs.pro = 2;
    c
}
