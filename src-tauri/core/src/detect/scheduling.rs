//! Pods that no node takes: the scheduler's reasons, parsed.

mod near;
mod node;
mod room;
mod unseen;
mod volume;

use std::rc::Rc;

use jiff::SignedDuration;

use super::{
    Context, Hold, Rule,
    context::{Owner, cause, event_evidence, evidence, finding, hold},
    placement,
};
use crate::{
    evidence::{EvidenceDraft, EvidenceKind},
    finding::{CauseDraft, Finding},
    object::{Condition, Kind, Node, Object, ObjectRef, Pod},
    remediation::{ActionDraft, ActionKind},
    severity::{Confidence, Severity},
    words,
};

/// The rules of this family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "pod-unschedulable",
        means: "No node takes the pod.",
        source: "kube-scheduler: condition PodScheduled=False, reason Unschedulable; messages of the scheduler's plugins",
        reads: &[Kind::Pod, Kind::Node],
        holds: &[
            Hold::Exactly(HOLD, ""),
            Hold::AtMost(
                CLAIM,
                "when it waits for a claim and it is not proven that nothing can serve that: as long as the claim is given",
            ),
            Hold::Exactly(PREEMPTING, "when room is being made for it by ending pods of lower priority"),
            Hold::Exactly(SCALING, "when a cluster autoscaler said within the last ten minutes that it makes room"),
        ],
        severities: SEVERITIES,
        limits: &["Taints of nodes that are not meant for the pod explain nothing and are not blamed."],
        threshold: None,
        advises: &[
            ActionKind::SetResources,
            ActionKind::SetLimitRange,
            ActionKind::Scale,
            ActionKind::SetAffinity,
            ActionKind::SetNodeSelector,
            ActionKind::SetTolerations,
            ActionKind::RemoveTaint,
            ActionKind::PatchLabels,
            ActionKind::Uncordon,
            ActionKind::CreateClaim,
            ActionKind::SetStorageClass,
            ActionKind::Patch,
            ActionKind::ManualCheck,
        ],
    },
    Rule {
        id: "pod-without-scheduler",
        means: "No scheduler has looked at the pod: its `schedulerName` is nobody's, or the cluster's scheduler is silent.",
        source: "kubernetes.io/docs/tasks/extend-kubernetes/configure-multiple-schedulers: a pod whose scheduler does not run stays Pending",
        reads: &[Kind::Pod, Kind::KubeEvent],
        holds: &[
            Hold::Exactly(FOREIGN, "when it names a scheduler of its own"),
            Hold::Exactly(SILENT, "when the cluster's own scheduler is to place it"),
        ],
        severities: SEVERITIES,
        limits: &[
            "A pod about which a scheduler said anything, be it an event or a condition.",
            "A pod with a claim that is not bound: its node may be chosen, and its volume is being made.",
            "Younger pods, even at one look: a scheduler works through a queue.",
        ],
        threshold: None,
        advises: &[ActionKind::Patch, ActionKind::ManualCheck],
    },
    Rule {
        id: "pod-gated",
        means: "Pods of a serving workload wait behind a scheduling gate that nobody lifts.",
        source: "kubernetes.io/docs/concepts/scheduling-eviction/pod-scheduling-readiness",
        reads: &[Kind::Pod],
        holds: &[Hold::Exactly(GATED, "")],
        severities: SEVERITIES,
        limits: &[
            "Jobs and pods without a controller: queues hold those back on purpose.",
            "While another pod of the workload is ready.",
        ],
        threshold: None,
        advises: &[ActionKind::Patch],
    },
    Rule {
        id: "pod-on-missing-node",
        means: "A pod is pinned to a node that does not exist.",
        source: "kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node#nodename",
        reads: &[Kind::Pod, Kind::Node],
        holds: &[Hold::Exactly(PINNED, "")],
        severities: SEVERITIES,
        limits: &["Pods that a scheduler placed, and pods that a kubelet has seen.", "Where nodes may not be read."],
        threshold: None,
        advises: &[ActionKind::Patch],
    },
];

const SEVERITIES: &[(Severity, &str)] = &[
    (Severity::Critical, "it belongs to a workload that serves, of which no pod is ready"),
    (Severity::Medium, "others of the workload are ready, or it serves nothing"),
];

/// Hold times in seconds.
const HOLD: i64 = 5;
const CLAIM: i64 = 120;
const PREEMPTING: i64 = 60;
const SCALING: i64 = 600;
const FOREIGN: i64 = 15;
const SILENT: i64 = 60;
const GATED: i64 = 15;
const PINNED: i64 = 10;

/// Looks at a pod that waits for a node.
pub fn pod(cx: &mut Context<'_>, pod: &Pod) {
    if pod.status.phase.as_deref() != Some("Pending") {
        return;
    }
    let condition = Condition::find(&pod.status.conditions, "PodScheduled");
    match condition {
        _ if pod.spec.node_name.is_some() => unseen::pinned(cx, pod),
        None => unseen::ignored(cx, pod),
        Some(c) if c.is_false() => match c.reason.as_deref() {
            Some("Unschedulable" | "SchedulerError") => refused(cx, pod, c),
            Some("SchedulingGated") => unseen::gated(cx, pod, c),
            _ => {}
        },
        Some(_) => {}
    }
}

/// How bad it is that a pod of this workload finds no node.
fn severity(cx: &Context<'_>, owner: &Owner) -> Severity {
    let ready = owner.subject.uid.as_deref().is_some_and(|uid| cx.serving(uid).ready > 0);
    if serves(owner) && !ready { Severity::Critical } else { Severity::Medium }
}

fn serves(owner: &Owner) -> bool {
    matches!(owner.subject.kind.as_str(), "Deployment" | "StatefulSet" | "ReplicaSet" | "DaemonSet")
}

fn refused(cx: &mut Context<'_>, pod: &Pod, condition: &Condition) {
    let message = condition.message.clone().unwrap_or_default();
    let reason = condition.reason.as_deref().unwrap_or("");
    let me = pod.reference();
    let owner = cx.owner(pod);
    let started = condition.last_transition_time.or(pod.metadata.creation_timestamp).unwrap_or_else(|| cx.now.get());
    let mut f = finding("pod-unschedulable", me.clone(), &owner.subject, severity(cx, &owner), started);
    f.headline = "cannot be scheduled".into();
    f.started_basis = "first refusal by the scheduler".into();
    f.message = format!("No node takes {}: {}", me.name, words::clip(&message, 300));
    f.hold = hold(HOLD);
    let item = evidence(
        EvidenceKind::PodStatus,
        format!("unschedulable|{}|{message}", me.uid.as_deref().unwrap_or(&me.name)),
        started,
        me.clone(),
        format!("{} is unschedulable: {}", me.name, words::clip(&message, 140)),
        format!("pod: {}\ncondition: PodScheduled=False\nreason: {reason}\nmessage: {message}", me.name),
    );
    let mut keys = vec![item.key.clone()];
    f.evidence.push(item);
    if let Some(e) = cx.index.events_of(&me).into_iter().rev().find(|e| e.reason() == "FailedScheduling") {
        let item = event_evidence(e, cx.now);
        keys.push(item.key.clone());
        f.evidence.push(item);
    }
    let mut c = explain_once(cx, &mut f, pod, &owner, &message);
    c.evidence.splice(0..0, keys);
    if ordered(cx, &owner) {
        c.statement.push_str(" The pods after it are not made before it is ready (OrderedReady).");
    }
    f.causes.push(c);
    // A volume that is being made takes its time; one look waits for that a little as well.
    if f.hold > hold(HOLD) && cx.options.waive_holds && cx.now.within(started, hold(2 * HOLD)) {
        return;
    }
    // The pods it preempts are still ending.
    if pod.status.nominated_node_name.as_deref().is_some_and(|n| !n.is_empty()) {
        f.hold = hold(PREEMPTING);
    }
    // An autoscaler that says it makes room is given time.
    let scaling = cx.index.events_of(&me).iter().any(|e| {
        matches!(e.reason(), "TriggeredScaleUp" | "Nominated")
            && e.last_seen().is_some_and(|t| cx.now.within(t, SignedDuration::from_mins(10)))
    });
    if scaling {
        f.hold = hold(SCALING);
    }
    cx.report(f);
}

/// Why no node takes a pod: what [`explain`] adds to its finding.
pub(super) struct Why {
    cause: CauseDraft,
    headline: String,
    actions: Vec<ActionDraft>,
    evidence: Vec<EvidenceDraft>,
}

/// Pods of one template that were refused in the same words at the same time have one explanation. Pods with claims
/// of their own each have theirs.
fn explain_once(cx: &Context<'_>, f: &mut Finding, pod: &Pod, owner: &Owner, message: &str) -> CauseDraft {
    let set = pod.metadata.controller().filter(|o| o.kind == "ReplicaSet" && pod.spec.claims().next().is_none());
    let Some(set) = set else { return explain(cx, f, pod, owner, message) };
    let key = (set.uid.clone(), message.to_owned(), f.started_at);
    let why = cx.unplaced.get(cx.index, key, |_| {
        let mut alone = f.clone();
        let (actions, evidence) = (f.actions.len(), f.evidence.len());
        let cause = explain(cx, &mut alone, pod, owner, message);
        Rc::new(Why {
            cause,
            headline: alone.headline,
            actions: alone.actions.split_off(actions),
            evidence: alone.evidence.split_off(evidence),
        })
    });
    f.headline.clone_from(&why.headline);
    f.actions.extend_from_slice(&why.actions);
    f.evidence.extend_from_slice(&why.evidence);
    why.cause.clone()
}

fn explain(cx: &Context<'_>, f: &mut Finding, pod: &Pod, owner: &Owner, message: &str) -> CauseDraft {
    let lower = message.to_lowercase();
    let tail = words::clip(message, 260);
    // The pod's claims come first: the scheduler does not even look at nodes before they exist.
    if let Some(c) = volume::claims(cx, f, pod, owner, &lower, &tail) {
        return c;
    }
    // The filters run one after another: only what keeps the pod off the nodes that passed the earlier ones counts.
    // Taints of nodes meant for others are in every message and explain nothing.
    let known = cx.index.knows(Kind::Node, None);
    let selected: Vec<&Node> = nodes(cx).filter(|n| placement::selected(pod, n)).collect();
    if known && asks_for_nodes(pod) && selected.is_empty() {
        return node::selector(cx, f, pod, owner, &tail);
    }
    let tied = volume::tied(cx, pod);
    let meant: Vec<&Node> =
        selected.iter().copied().filter(|n| tied.iter().all(|(_, v)| volume::allows(v, n))).collect();
    if known && !tied.is_empty() && !selected.is_empty() && meant.is_empty() {
        return volume::elsewhere(cx, f, pod, owner, &tied, &tail);
    }
    let open: Vec<&Node> = meant.iter().copied().filter(|n| placement::untolerated(pod, n).is_none()).collect();
    let mut c = if known && !meant.is_empty() && open.is_empty() {
        node::taints(cx, f, pod, owner, &meant, &tail)
    } else {
        match told_most(&lower, !open.is_empty()) {
            Some(Told::Room) => room::resources(cx, &meant, &open, f, pod, owner, message, &tail),
            Some(Told::Spread) => near::spread(cx, &open, f, pod, owner, &tail),
            Some(Told::Anti) => near::anti(cx, &open, f, pod, owner, &tail),
            Some(Told::Near) => near::affinity(cx, f, pod, owner, &tail),
            Some(Told::Ports) => near::ports(cx, &open, f, pod, owner, &tail),
            Some(Told::Volume) => volume::unbindable(cx, f, pod, owner, &lower, &tail),
            Some(Told::Selector) => node::selector(cx, f, pod, owner, &tail),
            Some(Told::Taint) => node::taints(cx, f, pod, owner, &meant, &tail),
            Some(Told::Devices) => unseen::no_devices(pod, owner, &tail),
            Some(Told::Cordon) => node::cordoned(&nodes(cx).collect::<Vec<_>>(), f, owner, &tail),
            None if lower.contains("no nodes available") => cause(
                "no-nodes",
                Confidence::Established,
                owner.subject.clone(),
                format!("The cluster has no node that could take {}: {tail}", owner.subject),
            ),
            None => {
                let mut c = cause(
                    "unschedulable",
                    Confidence::Likely,
                    owner.subject.clone(),
                    format!("No node takes {}: {tail}", owner.subject),
                );
                c.signs.pro = 2;
                c
            }
        }
    };
    if let [(claim, volume), ..] = tied.as_slice()
        && c.rule_id != "claim-not-bindable"
        && meant.len() < selected.len()
    {
        c.statement.push_str(&format!(
            " Its volume {} (claim {claim}) keeps it on {}.",
            volume.metadata.name,
            words::list(&meant.iter().map(|n| format!("node {}", n.metadata.name)).collect::<Vec<_>>(), 3)
        ));
    }
    c.signs.pro = c.signs.pro.max(1);
    c
}

/// A family of the scheduler's reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Room,
    Spread,
    Anti,
    Near,
    Ports,
    Volume,
    Devices,
    Selector,
    Taint,
    Cordon,
}

/// The reason that most nodes gave, of those that are about the pod itself; what every message says of nodes meant for
/// others counts only where nothing else is said, and not where the pod may go to some and something unknown is said.
fn told_most(lower: &str, open: bool) -> Option<Told> {
    const OWN: &[(Told, &[&str])] = &[
        (Told::Room, &["insufficient ", "too many pods"]),
        (Told::Spread, &["topology spread"]),
        (Told::Anti, &["anti-affinity"]),
        (Told::Near, &["pod affinity"]),
        (Told::Ports, &["free ports"]),
        (
            Told::Volume,
            &[
                "persistent volumes to bind",
                "enough free storage",
                "max volume count",
                "bound to non-existent",
                "volume node affinity",
                "persistentvolume's node affinity",
                "available volume zone",
            ],
        ),
        (Told::Devices, &["allocate all claims", "resourceclaim", "resource claim", "allocate all devices"]),
    ];
    const OTHERS: &[(Told, &[&str])] = &[
        (Told::Selector, &["node affinity", "node selector"]),
        (Told::Taint, &["taint"]),
        (Told::Cordon, &["were unschedulable"]),
    ];
    // What preemption would not help with repeats the same words with other numbers.
    let first = lower.split(" preemption:").next().unwrap_or(lower);
    let parts: Vec<&str> = first.split_once(':').map_or(first, |(_, rest)| rest).split([',', '.', ';']).collect();
    let count = |words: &[&str]| {
        let of = parts.iter().filter(|p| words.iter().any(|w| p.contains(w)));
        let number = |p: &&&str| p.split_whitespace().find_map(|w| w.parse::<u64>().ok()).unwrap_or(1);
        of.map(|p| number(&p)).max()
    };
    let own = OWN.iter().filter_map(|(told, words)| Some((*told, count(words)?)));
    let most = own.fold(None, |best: Option<(Told, u64)>, next| match best {
        Some(b) if b.1 >= next.1 => Some(b),
        _ => Some(next),
    });
    let known = |part: &str| OTHERS.iter().any(|(_, words)| words.iter().any(|w| part.contains(w)));
    let unknown = parts.iter().any(|p| p.trim().starts_with(|c: char| c.is_ascii_digit()) && !known(p));
    let others = || OTHERS.iter().find(|(_, words)| count(words).is_some()).map(|(t, _)| *t);
    most.map(|(t, _)| t).or_else(|| others().filter(|_| !(open && unknown)))
}

fn nodes<'a>(cx: &Context<'a>) -> impl Iterator<Item = &'a Node> {
    let index = cx.index;
    index.all(Kind::Node).filter_map(|o| match &**o {
        Object::Node(n) => Some(n),
        _ => None,
    })
}

fn node_ref(node: &Node) -> ObjectRef {
    ObjectRef {
        uid: Some(node.metadata.uid.clone()).filter(|u| !u.is_empty()),
        ..ObjectRef::missing(Kind::Node, None, &node.metadata.name)
    }
}

/// The pod asks for certain nodes.
fn asks_for_nodes(pod: &Pod) -> bool {
    !pod.spec.node_selector.is_empty() || placement::required_terms(pod).is_some()
}

/// A StatefulSet that makes its pods one after another, and has not made them all.
fn ordered(cx: &Context<'_>, owner: &Owner) -> bool {
    matches!(cx.index.resolve(&owner.subject).map(|o| &**o), Some(Object::StatefulSet(s))
        if s.spec.pod_management_policy.as_deref() != Some("Parallel") && s.spec.replicas.unwrap_or(1) > s.status.replicas)
}

/// How many pods the workload is to have.
fn replicas(cx: &Context<'_>, owner: &Owner) -> Option<i32> {
    match cx.index.resolve(&owner.subject).map(|o| &**o) {
        Some(Object::Deployment(d)) => d.spec.replicas,
        Some(Object::StatefulSet(s)) => s.spec.replicas,
        Some(Object::ReplicaSet(r)) => r.spec.replicas,
        _ => None,
    }
}
