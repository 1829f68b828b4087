//! Pods that no node takes: the scheduler's reasons, parsed.

mod node;

use std::sync::LazyLock;

use jiff::SignedDuration;
use regex::Regex;

use super::{
    Context, Hold, Rule,
    context::{Owner, action, cause, edit, event_evidence, evidence, finding, hold, ns_flag, pod_ref},
    placement,
};
use crate::{
    evidence::EvidenceKind,
    finding::{CauseDraft, Finding},
    object::{Condition, Kind, Node, Object, ObjectRef, Pod},
    remediation::ActionKind,
    severity::{Confidence, Severity},
    words,
};

/// The rules of this family.
pub const RULES: &[Rule] = &[Rule {
    id: "pod-unschedulable",
    means: "No node takes the pod.",
    source: "kube-scheduler: condition PodScheduled=False, reason Unschedulable; messages of the scheduler's plugins",
    reads: &[Kind::Pod, Kind::Node],
    holds: &[
        Hold::Exactly(HOLD, ""),
        Hold::Exactly(SCALING, "when a cluster autoscaler said within the last ten minutes that it makes room"),
    ],
    severities: &[
        (Severity::Critical, "it belongs to a workload that serves, of which no pod is ready"),
        (Severity::Medium, "others of the workload are ready, or it serves nothing"),
    ],
    limits: &[
        "A pod whose scheduling is gated (`schedulingGates`): it waits on purpose.",
        "Taints of nodes that are not meant for the pod explain nothing and are not blamed.",
    ],
    threshold: None,
    advises: &[
        ActionKind::SetResources,
        ActionKind::Scale,
        ActionKind::SetAffinity,
        ActionKind::SetNodeSelector,
        ActionKind::SetTolerations,
        ActionKind::RemoveTaint,
        ActionKind::Uncordon,
        ActionKind::CreateClaim,
        ActionKind::SetStorageClass,
        ActionKind::Patch,
    ],
}];

/// Seconds.
const HOLD: i64 = 5;
/// Seconds that an autoscaler may take.
const SCALING: i64 = 600;

/// Looks at a pod that waits for a node.
pub fn pod(cx: &mut Context<'_>, pod: &Pod) {
    if pod.spec.node_name.is_some() || pod.status.phase.as_deref() != Some("Pending") {
        return;
    }
    let Some(condition) = Condition::find(&pod.status.conditions, "PodScheduled").filter(|c| c.is_false()) else {
        return;
    };
    if condition.reason.as_deref() != Some("Unschedulable") {
        return;
    }
    let message = condition.message.clone().unwrap_or_default();
    let me = pod_ref(pod);
    let owner = cx.owner(pod);
    let started = condition.last_transition_time.or(pod.metadata.creation_timestamp).unwrap_or(cx.now);
    let ready = owner.subject.uid.as_deref().is_some_and(|uid| cx.serving(uid).ready > 0);
    let serves = matches!(owner.subject.kind.as_str(), "Deployment" | "StatefulSet" | "ReplicaSet" | "DaemonSet");
    let severity = if serves && !ready { Severity::Critical } else { Severity::Medium };
    let mut f = finding("pod-unschedulable", me.clone(), &owner.subject, severity, started);
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
        format!("pod: {}\ncondition: PodScheduled=False\nreason: Unschedulable\nmessage: {message}", me.name),
    );
    let mut keys = vec![item.key.clone()];
    f.evidence.push(item);
    if let Some(e) = cx.index.events_of(&me).into_iter().rev().find(|e| e.reason() == "FailedScheduling") {
        let item = event_evidence(e, cx.now);
        keys.push(item.key.clone());
        f.evidence.push(item);
    }
    let mut c = explain(cx, &mut f, pod, &owner, &message);
    c.evidence.splice(0..0, keys);
    f.causes.push(c);
    // An autoscaler that says it makes room is given time.
    let scaling = cx.index.events_of(&me).iter().any(|e| {
        e.reason() == "TriggeredScaleUp"
            && e.last_seen().is_some_and(|t| cx.now.duration_since(t) < SignedDuration::from_mins(10))
    });
    if scaling {
        f.hold = hold(SCALING);
    }
    cx.report(f);
}

fn explain(cx: &Context<'_>, f: &mut Finding, pod: &Pod, owner: &Owner, message: &str) -> CauseDraft {
    let lower = message.to_lowercase();
    let tail = words::clip(message, 260);
    // The pod's claims come first: the scheduler does not even look at nodes before they exist.
    if let Some(c) = claims(cx, f, pod, owner, &lower, &tail) {
        return c;
    }
    // The filters run one after another: only what keeps the pod off the nodes that passed the earlier ones counts.
    // Taints of nodes meant for others are in every message and explain nothing.
    let asks = asks_for_nodes(pod);
    let meant: Vec<&Node> = nodes(cx).filter(|n| placement::selected(pod, n)).collect();
    let known = cx.index.knows(Kind::Node, None);
    let open: Vec<&Node> = meant.iter().copied().filter(|n| placement::untolerated(pod, n).is_none()).collect();
    let mut c = if known && asks && meant.is_empty() {
        node::selector(cx, f, pod, owner, &tail)
    } else if known && !meant.is_empty() && open.is_empty() {
        node::taints(cx, f, pod, owner, &meant, &tail)
    } else if lower.contains("insufficient ") {
        node::resources(&open, f, pod, owner, message, &tail)
    } else if lower.contains("topology spread") {
        node::spread(cx, f, pod, owner, &tail)
    } else if lower.contains("anti-affinity") {
        f.actions.push(edit(ActionKind::SetAffinity, &owner.subject, "its pods forbid each other the nodes there are"));
        let n = replicas(cx, owner);
        let keys = affinity_keys(pod);
        let mut c = cause(
            "anti-affinity-unsatisfiable",
            Confidence::Established,
            owner.subject.clone(),
            format!(
                "The pod anti-affinity of {} cannot be satisfied{n}: each pod wants a node of its own{keys}. The scheduler says: {tail}",
                owner.subject
            ),
        );
        c.field = Some(owner.pod_field("affinity.podAntiAffinity"));
        c
    } else if lower.contains("pod affinity") {
        f.actions.push(edit(ActionKind::SetAffinity, &owner.subject, "no node has the pods it wants to be near"));
        let keys = affinity_keys(pod);
        let mut c = cause(
            "pod-affinity-unsatisfiable",
            Confidence::Established,
            owner.subject.clone(),
            format!("The pod affinity of {} matches no running pod{keys}. The scheduler says: {tail}", owner.subject),
        );
        c.field = Some(owner.pod_field("affinity.podAffinity"));
        c
    } else if lower.contains("node affinity/selector")
        || lower.contains("node affinity")
        || lower.contains("node selector")
    {
        node::selector(cx, f, pod, owner, &tail)
    } else if lower.contains("untolerated taint") || lower.contains("taint") {
        node::taints(cx, f, pod, owner, &meant, &tail)
    } else if lower.contains("unschedulable") && lower.contains("were unschedulable") {
        node::cordoned(cx, f, owner, &tail)
    } else if lower.contains("free ports") {
        f.actions.push(edit(ActionKind::Patch, &owner.subject, "another pod holds the host port"));
        let ports: Vec<String> =
            pod.spec.containers.iter().flat_map(|c| &c.ports).map(|p| p.container_port.to_string()).collect();
        cause(
            "host-port-taken",
            Confidence::Established,
            owner.subject.clone(),
            format!(
                "The host port {} of {} is taken on every node (didn't have free ports). The scheduler says: {tail}",
                words::list(&ports, 3),
                owner.subject
            ),
        )
    } else if lower.contains("no nodes available") {
        cause(
            "no-nodes",
            Confidence::Established,
            owner.subject.clone(),
            format!("The cluster has no node that could take {}: {tail}", owner.subject),
        )
    } else {
        let mut c = cause(
            "unschedulable",
            Confidence::Likely,
            owner.subject.clone(),
            format!("No node takes {}: {tail}", owner.subject),
        );
        c.signs.pro = 2;
        c
    };
    c.signs.pro = c.signs.pro.max(1);
    c
}

fn nodes<'a>(cx: &Context<'a>) -> impl Iterator<Item = &'a Node> {
    let index = cx.index;
    index.all(Kind::Node).filter_map(|o| match &**o {
        Object::Node(n) => Some(n),
        _ => None,
    })
}

fn node_ref(node: &Node) -> ObjectRef {
    Object::Node(node.clone()).reference()
}

/// The pod asks for certain nodes.
fn asks_for_nodes(pod: &Pod) -> bool {
    !pod.spec.node_selector.is_empty() || placement::required_terms(pod).is_some()
}

fn replicas(cx: &Context<'_>, owner: &Owner) -> String {
    let wanted = match cx.index.resolve(&owner.subject).map(|o| &**o) {
        Some(Object::Deployment(d)) => d.spec.replicas,
        Some(Object::StatefulSet(s)) => s.spec.replicas,
        _ => None,
    };
    wanted.map(|n| format!(" for {n} replicas")).unwrap_or_default()
}

fn affinity_keys(pod: &Pod) -> String {
    let text = pod.spec.affinity.as_ref().map(ToString::to_string).unwrap_or_default();
    static KEY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#""topologyKey":"([^"]+)""#).ok());
    let mut keys: Vec<String> =
        KEY.as_ref().map(|r| r.captures_iter(&text).map(|c| c[1].to_owned()).collect()).unwrap_or_default();
    keys.sort();
    keys.dedup();
    if keys.is_empty() { String::new() } else { format!(" (topology key {})", words::list(&keys, 3)) }
}

fn claims(cx: &Context<'_>, f: &mut Finding, pod: &Pod, owner: &Owner, lower: &str, tail: &str) -> Option<CauseDraft> {
    let ns = pod.metadata.namespace.as_deref();
    let volume = lower.contains("persistentvolumeclaim") || lower.contains("volume") || lower.contains("claim");
    if !volume {
        return None;
    }
    for (claim, volume_name) in pod.spec.claims() {
        let known = cx.index.get(Kind::PersistentVolumeClaim, ns, claim);
        let said = lower.contains(&format!("persistentvolumeclaim \"{claim}\" not found"));
        if (known.is_none() && cx.index.knows(Kind::PersistentVolumeClaim, ns)) || said {
            let entity = ObjectRef::missing(Kind::PersistentVolumeClaim, ns, claim);
            let mut c = cause(
                "claim-missing",
                Confidence::Established,
                entity.clone(),
                format!(
                    "PersistentVolumeClaim {claim} does not exist (not found) in namespace {}; volume {volume_name} of {} needs it.",
                    ns.unwrap_or(""),
                    owner.subject
                ),
            );
            c.referrer = Some(owner.subject.clone());
            f.headline = format!("cannot be scheduled: PersistentVolumeClaim {claim} is missing");
            f.actions.push(action(
                ActionKind::CreateClaim,
                &entity,
                format!("{} waits for it", owner.subject),
                "none for what runs already",
                "create persistentvolumeclaims",
                format!("kubectl apply{} -f CLAIM.yaml", ns_flag(&owner.subject)),
            ));
            return Some(c);
        }
        if let Some(Object::PersistentVolumeClaim(pvc)) = known.map(|o| &**o)
            && pvc.status.phase.as_deref() != Some("Bound")
        {
            let (mut c, steps) = super::storage::why_pending(cx, pvc);
            c.referrer = Some(owner.subject.clone());
            f.headline = format!("cannot be scheduled: PersistentVolumeClaim {claim} is not bound");
            f.actions.extend(steps);
            return Some(c);
        }
    }
    if lower.contains("volume node affinity conflict") {
        let claims: Vec<String> = pod.spec.claims().map(|(c, _)| c.to_owned()).collect();
        let entity = pod
            .spec
            .claims()
            .next()
            .and_then(|(c, _)| cx.index.get(Kind::PersistentVolumeClaim, ns, c))
            .map_or_else(|| owner.subject.clone(), |o| o.reference());
        let mut c = cause(
            "volume-node-affinity",
            Confidence::Established,
            entity,
            format!(
                "The volume of claim {} can only be used on nodes the pod may not run on (volume node affinity conflict). The scheduler says: {tail}",
                words::list(&claims, 3)
            ),
        );
        c.referrer = Some(owner.subject.clone());
        return Some(c);
    }
    None
}
