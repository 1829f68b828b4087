//! Nodes that are lost or under pressure; their pods' trouble is theirs.

mod problem;

use std::collections::BTreeMap;

use super::{
    Context, Hold, Rule,
    context::{action, cause, event_evidence, finding, hold, object_evidence},
};
use crate::{
    evidence::EvidenceKind,
    object::{Condition, Kind, Node, ObjectRef, Pod},
    remediation::ActionKind,
    severity::{Confidence, Severity},
    words,
};

/// The rules of this family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "node-not-ready",
        means: "A node does not report that it is ready.",
        source: "kubernetes.io/docs/concepts/architecture/nodes: condition Ready False or Unknown",
        reads: &[Kind::Node],
        holds: &[
            Hold::Exactly(HOLD, ""),
            Hold::Exactly(JOINING, "for a node that has just joined and carries no scheduled pod"),
            Hold::Exactly(LEAVING, "for one that an autoscaler takes away, or that was cordoned and emptied"),
            Hold::JoinsOnly("at one look, before that time is up"),
        ],
        severities: &[
            (Severity::Critical, "always"),
            (Severity::Low, "for one that is taken away or emptied on purpose"),
        ],
        limits: &["A node that is being deleted."],
        threshold: None,
        advises: &[ActionKind::ManualCheck, ActionKind::Drain],
    },
    Rule {
        id: "pod-on-lost-node",
        means: "A pod runs on a node that is not ready: what it says of itself is old.",
        source: "kubernetes.io/docs/concepts/architecture/nodes",
        reads: &[Kind::Node, Kind::Pod],
        holds: &[
            Hold::Exactly(HOLD, ""),
            Hold::Exactly(JOINING, "for a node that has just joined"),
            Hold::Exactly(LEAVING, "for one that is taken away"),
        ],
        severities: &[(Severity::High, "always; the node's own finding is critical")],
        limits: &[
            "Pods of a DaemonSet, which belong to their node, and pods that are finished.",
            "One finding for each workload, however many of its pods are on the node.",
        ],
        threshold: None,
        advises: &[],
    },
    Rule {
        id: "node-pressure",
        means: "A node lacks memory, disk or process ids and evicts pods.",
        source: "kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction",
        reads: &[Kind::Node],
        holds: &[Hold::Exactly(HOLD, "")],
        severities: &[(Severity::High, "always")],
        limits: &["As soon as the node's condition is False again."],
        threshold: None,
        advises: &[ActionKind::ManualCheck],
    },
    Rule {
        id: "node-problem",
        means: "A node reports a problem of its kernel, its disks, its network or its runtime, or its kubelet says that it cannot cope.",
        source: "github.com/kubernetes/node-problem-detector; kubelet events SystemOOM, FreeDiskSpaceFailed, ImageGCFailed",
        reads: &[Kind::Node, Kind::KubeEvent],
        holds: &[Hold::Exactly(HOLD, ""), Hold::Exactly(JOINING, "for the network of a node that has just joined")],
        severities: &[
            (Severity::High, "for what breaks pods: a dead kernel, a read-only disk, no network, no memory"),
            (Severity::Medium, "for the rest"),
            (Severity::Low, "for clean-up that fails while the node reports no disk pressure yet"),
        ],
        limits: &[
            "Conditions whose good side is not known, and those that only announce something (maintenance, changed settings).",
            "Kills within a container's own memory limit, however the kubelet tells of them: that is `container-oom-killed`.",
            "Ten minutes after the last event of its kind.",
            "Clean-up that fails once, or because the kubelet has only just started.",
        ],
        threshold: None,
        advises: &[ActionKind::ManualCheck, ActionKind::Drain],
    },
];

/// Seconds.
const HOLD: i64 = 10;
/// Seconds that the network of a new node may take.
const JOINING: i64 = 180;
/// Seconds that a machine may take to restart, or to go.
const LEAVING: i64 = 900;

/// Looks at every node.
pub fn all(cx: &mut Context<'_>) {
    let index = cx.index;
    for node in index.unsettled_nodes().filter(|node| !node.metadata.deleting()) {
        ready(cx, node);
        pressure(cx, node);
        problem::all(cx, node);
    }
}

fn ready(cx: &mut Context<'_>, node: &Node) {
    let Some(condition) = Condition::find(&node.status.conditions, "Ready").filter(|c| !c.is_true()) else { return };
    let me = node.reference();
    let since = condition.last_transition_time.unwrap_or_else(|| cx.now.get());
    // A node that has just joined reports NotReady from its first moment until its network is there. One that
    // carries pods the scheduler put there was ready before, however young it is.
    let joined = node.metadata.creation_timestamp.is_some_and(|t| since.duration_since(t).as_secs() <= 5);
    let young = joined && !cx.pods_on(&me.name).into_iter().any(placed);
    let mut f = finding("node-not-ready", me.clone(), &me, Severity::Critical, since);
    f.headline = "is not ready".into();
    f.started_basis = "Ready condition changed".into();
    let unknown = condition.status == "Unknown";
    let said = condition.message.clone().unwrap_or_default();
    let reason = condition.reason.clone().unwrap_or_default();
    f.message = format!("Node {} is not ready ({reason}): {}", me.name, words::clip(&said, 200));
    let leaving = leaving(cx, node);
    f.hold = hold(match (young, leaving) {
        (_, true) => LEAVING,
        (true, _) => JOINING,
        _ => HOLD,
    });
    if leaving {
        f.severity = Severity::Low;
        cx.ordinary_until_due(&mut f);
    }
    let lines: Vec<(&str, String)> = node
        .status
        .conditions
        .iter()
        .map(|c| {
            (
                c.kind.as_str(),
                format!("{} {} {}", c.status, c.reason.as_deref().unwrap_or(""), c.message.as_deref().unwrap_or("")),
            )
        })
        .collect();
    let item = object_evidence(
        EvidenceKind::Node,
        me.clone(),
        "conditions",
        format!("Node {} reports Ready={} ({reason})", me.name, condition.status),
        &lines,
        since,
    );
    let mut keys = vec![item.key.clone()];
    let condition_item = item.clone();
    f.evidence.push(item);
    if let Some(e) = cx.index.events_of(&me).into_iter().rev().find(|e| e.reason() == "NodeNotReady") {
        let item = event_evidence(e, cx.now);
        keys.push(item.key.clone());
        f.evidence.push(item);
    }
    // The kubelet's silence proves that the node is lost to the cluster; why it is silent is not in the cluster.
    let (hint, told) = (hint(&said), said.trim_end_matches('.'));
    let statement = if unknown {
        format!(
            "Node {} stopped reporting (Ready=Unknown, {reason}): {said} Its kubelet, its network or the machine itself is down.",
            me.name
        )
    } else {
        format!("Node {} reports that it is not ready ({reason}): {told}.{hint}", me.name)
    };
    let mut c = cause("node-lost", Confidence::Established, me.clone(), statement);
    c.evidence = keys;
    c.needs.push("the kubelet's log on the node, or the machine's console".into());
    f.causes.push(c.clone());
    f.actions.push(action(
        ActionKind::ManualCheck,
        &me,
        "the machine, its network and its kubelet",
        "reads only",
        "get nodes",
        format!("kubectl describe node {}", me.name),
    ));
    f.actions.push(action(
        ActionKind::Drain,
        &me,
        "its pods start elsewhere",
        "evicts every pod of the node",
        "create pods/eviction",
        format!("kubectl drain {} --ignore-daemonsets --delete-emptydir-data", me.name),
    ));
    let node_hold = f.hold;
    cx.report(f);
    // Its pods, by workload: each once.
    let mut hit: BTreeMap<String, (&Pod, ObjectRef, usize)> = BTreeMap::new();
    for pod in cx.pods_on(&me.name).into_iter().filter(|p| !p.finished()) {
        let subject = cx.owner(pod).subject;
        if subject.kind != "DaemonSet" {
            hit.entry(subject.key()).or_insert((pod, subject, 0)).2 += 1;
        }
    }
    for (pod, subject, count) in hit.into_values() {
        let mut f = finding("pod-on-lost-node", pod.reference(), &subject, Severity::High, since);
        f.headline = format!("has {} on lost node {}", words::count(count, "pod"), me.name);
        f.started_basis = "the node's Ready condition changed".into();
        f.message = format!("{subject} has {} on node {}, which is not ready", words::count(count, "pod"), me.name);
        f.hold = node_hold;
        f.causes.push(c.clone());
        f.evidence.push(condition_item.clone());
        cx.report(f);
    }
}

/// It is taken away or put into service on purpose: an autoscaler or its cloud says so, or it was cordoned and emptied
/// before it fell silent.
fn leaving(cx: &Context<'_>, node: &Node) -> bool {
    node.to_be_removed()
        || node.spec.unschedulable
            && !cx
                .pods_on(&node.metadata.name)
                .into_iter()
                .any(|p| placed(p) && !p.finished() && !p.metadata.deleting())
}

/// What the kubelet's own words come to.
fn hint(said: &str) -> &'static str {
    let lower = said.to_lowercase();
    if lower.contains("networkpluginnotready")
        || lower.contains("cni plugin not initialized")
        || lower.contains("cni config")
    {
        " Its network plugin (CNI) is missing or not initialised: the plugin's own pod on the node tells why."
    } else if lower.contains("pleg is not healthy") {
        " Its container runtime answers too slowly (PLEG)."
    } else if lower.contains("container runtime is down")
        || lower.contains("runtime not ready")
        || lower.contains("runtimeready=false")
    {
        " Its container runtime is down."
    } else if lower.contains("csinode") || lower.contains("csi") {
        " Its storage driver is not registered."
    } else {
        ""
    }
}

/// Whether the scheduler put this pod on its node, which it does to ready nodes alone: pods of a DaemonSet tolerate
/// `not-ready`, and static pods belong to the node itself.
fn placed(pod: &Pod) -> bool {
    !pod.metadata.controller().is_some_and(|c| matches!(c.kind.as_str(), "DaemonSet" | "Node"))
}

fn pressure(cx: &mut Context<'_>, node: &Node) {
    for condition in node.status.conditions.iter().filter(|c| c.kind.ends_with("Pressure") && c.is_true()) {
        let me = node.reference();
        let since = condition.last_transition_time.unwrap_or_else(|| cx.now.get());
        let mut f = finding("node-pressure", me.clone(), &me, Severity::High, since);
        f.part.clone_from(&condition.kind);
        f.headline = format!("is under {}", spaced(&condition.kind));
        f.started_basis = format!("{} condition changed", condition.kind);
        f.message =
            format!("Node {} reports {}: {}", me.name, condition.kind, condition.message.as_deref().unwrap_or(""));
        f.hold = hold(HOLD);
        let item = object_evidence(
            EvidenceKind::Node,
            me.clone(),
            &condition.kind,
            format!("Node {} reports {}=True", me.name, condition.kind),
            &[(
                condition.kind.as_str(),
                format!(
                    "True {} {}",
                    condition.reason.as_deref().unwrap_or(""),
                    condition.message.as_deref().unwrap_or("")
                ),
            )],
            since,
        );
        let victims: Vec<String> = cx
            .pods_on(&me.name)
            .into_iter()
            .filter(|p| {
                p.status.reason.as_deref() == Some("Evicted") && p.status.start_time.is_none_or(|t| cx.now.reached(t))
            })
            .map(|p| p.metadata.name.clone())
            .collect();
        let evicted = match victims.len() {
            0 => String::new(),
            n => format!(" It has evicted {}: {}.", words::count(n, "pod"), words::list(&victims, 3)),
        };
        let mut c = cause(
            "node-under-pressure",
            Confidence::Established,
            me.clone(),
            format!(
                "Node {} is under {} ({}): {}.{evicted}",
                me.name,
                spaced(&condition.kind),
                condition.reason.as_deref().unwrap_or(&condition.kind),
                condition.message.as_deref().unwrap_or("it may evict pods").trim_end_matches('.')
            ),
        );
        c.evidence = vec![item.key.clone()];
        f.evidence.push(item);
        f.causes.push(c);
        f.actions.push(action(
            ActionKind::ManualCheck,
            &me,
            "what uses it up",
            "reads only",
            "get nodes",
            format!("kubectl describe node {}", me.name),
        ));
        cx.report(f);
    }
}

fn spaced(kind: &str) -> String {
    match kind {
        "MemoryPressure" => "memory pressure".into(),
        "DiskPressure" => "disk pressure".into(),
        "PIDPressure" => "process id pressure".into(),
        other => other.to_owned(),
    }
}
