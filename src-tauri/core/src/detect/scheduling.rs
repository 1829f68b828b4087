//! Pods that no node takes: the scheduler's reasons, parsed.

use std::sync::LazyLock;

use jiff::SignedDuration;
use regex::Regex;

use super::{
    Context, Rule,
    context::{Owner, action, cause, edit, event_evidence, evidence, finding, hold, ns_flag, pod_ref},
    placement,
};
use crate::{
    evidence::EvidenceKind,
    finding::{CauseDraft, Finding},
    object::{Condition, Kind, Node, Object, ObjectRef, Pod, Quantity},
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
}];

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
    let ready = owner.subject.uid.as_deref().is_some_and(|uid| cx.index.pods_of(uid).iter().any(|p| p.ready()));
    let serves = matches!(owner.subject.kind.as_str(), "Deployment" | "StatefulSet" | "ReplicaSet" | "DaemonSet");
    let severity = if serves && !ready { Severity::Critical } else { Severity::Medium };
    let mut f = finding("pod-unschedulable", me.clone(), &owner.subject, severity, started);
    f.headline = "cannot be scheduled".into();
    f.started_basis = "first refusal by the scheduler".into();
    f.message = format!("No node takes {}: {}", me.name, words::clip(&message, 300));
    f.hold = hold(5);
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
        f.hold = hold(600);
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
        selector(cx, f, pod, owner, &tail)
    } else if known && !meant.is_empty() && open.is_empty() {
        taints(cx, f, pod, owner, &meant, &tail)
    } else if lower.contains("insufficient ") {
        resources(&open, f, pod, owner, message, &tail)
    } else if lower.contains("topology spread") {
        spread(cx, f, pod, owner, &tail)
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
        selector(cx, f, pod, owner, &tail)
    } else if lower.contains("untolerated taint") || lower.contains("taint") {
        taints(cx, f, pod, owner, &meant, &tail)
    } else if lower.contains("unschedulable") && lower.contains("were unschedulable") {
        cordoned(cx, f, owner, &tail)
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

fn resources(open: &[&Node], f: &mut Finding, pod: &Pod, owner: &Owner, message: &str, tail: &str) -> CauseDraft {
    static NAMES: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(\d+) Insufficient ([\w./-]+?)[.,\s]").ok());
    let padded = format!("{message} ");
    let mut lacking: Vec<(u64, String)> = NAMES
        .as_ref()
        .map(|r| {
            r.captures_iter(&padded)
                .map(|c| (c[1].parse().unwrap_or(0), c[2].trim_end_matches('.').to_owned()))
                .collect()
        })
        .unwrap_or_default();
    lacking.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    lacking.dedup_by(|a, b| a.1 == b.1);
    let mut parts = Vec::new();
    let mut impossible = false;
    for (_, name) in &lacking {
        let requests: Vec<(&str, &Quantity)> = pod
            .spec
            .containers
            .iter()
            .filter_map(|c| Some((c.name.as_str(), c.resources.requests.get(name).or(c.resources.limits.get(name))?)))
            .collect();
        let asked: i128 = requests.iter().filter_map(|(_, q)| q.milli()).sum();
        let text = match requests.as_slice() {
            [] => name.clone(),
            [(_, q)] => format!("{name} {q}"),
            many => format!("{name} {}", many.iter().map(|(_, q)| q.to_string()).collect::<Vec<_>>().join(" + ")),
        };
        let largest = open
            .iter()
            .filter_map(|n| {
                n.status.allocatable.get(name).and_then(|q| Some((q.milli()?, q.to_string(), n.metadata.name.clone())))
            })
            .max_by_key(|(m, _, _)| *m);
        match largest {
            Some((most, q, node)) if asked > most => {
                impossible = true;
                parts.push(format!("requests {text}, more than any node has (the largest, {node}, offers {q})"));
            }
            Some((_, q, node)) => {
                parts.push(format!("requests {text}, which no node has free (the largest, {node}, offers {q} in all)"))
            }
            None if asked > 0 => parts.push(format!("requests {text}, which no node offers")),
            None => parts.push(format!("needs {text}, which no node offers")),
        }
    }
    if parts.is_empty() {
        parts.push("requests more than any node has free".into());
    }
    f.headline = format!(
        "cannot be scheduled: not enough {}",
        words::list(&lacking.iter().map(|(_, n)| n.clone()).collect::<Vec<_>>(), 2)
    );
    let target = pod.spec.containers.first().map_or("", |c| c.name.as_str());
    let first = lacking.first().map_or("memory", |(_, n)| n.as_str());
    f.actions.push(action(
        ActionKind::SetResources,
        &owner.subject,
        "a request that fits on a node",
        "replaces its pods",
        &format!("patch {}s", owner.subject.kind.to_lowercase()),
        format!(
            "kubectl set resources {}{} -c {target} --requests={first}=LESS",
            owner.subject.kubectl(),
            ns_flag(&owner.subject)
        ),
    ));
    if !impossible {
        f.actions.push(action(
            ActionKind::Scale,
            &owner.subject,
            "fewer replicas fit on the nodes there are",
            "less capacity",
            "patch deployments/scale",
            format!("kubectl scale {}{} --replicas=N", owner.subject.kubectl(), ns_flag(&owner.subject)),
        ));
    }
    let mut c = cause(
        "request-too-large",
        Confidence::Established,
        owner.subject.clone(),
        format!(
            "{} {} (insufficient {}). The scheduler says: {tail}",
            owner.subject,
            parts.join("; "),
            words::list(&lacking.iter().map(|(_, n)| n.clone()).collect::<Vec<_>>(), 3)
        ),
    );
    c.field = Some(owner.field(false, target, &format!("resources.requests.{first}")));
    c
}

fn spread(cx: &Context<'_>, f: &mut Finding, pod: &Pod, owner: &Owner, tail: &str) -> CauseDraft {
    let keys: Vec<String> = pod
        .spec
        .topology_spread_constraints
        .iter()
        .filter(|t| t.get("whenUnsatisfiable").and_then(|w| w.as_str()) != Some("ScheduleAnyway"))
        .filter_map(|t| t.get("topologyKey").and_then(|k| k.as_str()).map(str::to_owned))
        .collect();
    let missing: Vec<String> = keys
        .iter()
        .filter(|k| {
            cx.index.knows(Kind::Node, None) && !cx.index.all(Kind::Node).any(|n| n.meta().labels.contains_key(*k))
        })
        .cloned()
        .collect();
    f.headline = "cannot be scheduled: its topology spread cannot be met".into();
    f.actions.push(edit(
        ActionKind::SetAffinity,
        &owner.subject,
        "its topology spread constraint must name a label the nodes have, or allow ScheduleAnyway",
    ));
    let why = if missing.is_empty() {
        String::new()
    } else {
        format!(": no node has the label {}", words::list(&missing, 3))
    };
    let mut c = cause(
        "topology-spread-unsatisfiable",
        Confidence::Established,
        owner.subject.clone(),
        format!(
            "The topology spread constraint of {} on {} cannot be met{why}. The scheduler says: {tail}",
            owner.subject,
            words::list(&keys, 3)
        ),
    );
    c.field = Some(owner.pod_field("topologySpreadConstraints"));
    c
}

fn selector(cx: &Context<'_>, f: &mut Finding, pod: &Pod, owner: &Owner, tail: &str) -> CauseDraft {
    let wanted: Vec<(&String, &String)> = pod.spec.node_selector.iter().collect();
    if let Some((key, value)) = wanted
        .iter()
        .find(|(k, v)| !cx.index.all(Kind::Node).any(|n| n.meta().labels.get(*k) == Some(v)))
        .or(wanted.first())
    {
        let mut have: Vec<String> =
            cx.index.all(Kind::Node).filter_map(|n| n.meta().labels.get(*key).cloned()).collect();
        have.sort();
        have.dedup();
        let have = if have.is_empty() {
            "no node has that label".to_owned()
        } else {
            format!("nodes have {key}={}", words::list(&have, 4))
        };
        f.headline = "cannot be scheduled: no node matches its node selector".into();
        f.actions.push(edit(ActionKind::SetNodeSelector, &owner.subject, format!("no node carries {key}={value}")));
        let all = wanted.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(", ");
        let mut c = cause(
            "node-selector-unmatched",
            Confidence::Established,
            owner.subject.clone(),
            format!("The node selector {all} of {} matches no node: {have}. The scheduler says: {tail}", owner.subject),
        );
        c.field = Some(owner.pod_field("nodeSelector"));
        return c;
    }
    let terms = pod
        .spec
        .affinity
        .as_ref()
        .and_then(|a| a.pointer("/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms"))
        .and_then(|t| t.as_array())
        .map(|terms| {
            terms
                .iter()
                .flat_map(|t| t.get("matchExpressions").and_then(|e| e.as_array()).into_iter().flatten())
                .map(|e| {
                    let text = |n: &str| e.get(n).and_then(|v| v.as_str()).unwrap_or("").to_owned();
                    let values: Vec<String> = e
                        .get("values")
                        .and_then(|v| v.as_array())
                        .into_iter()
                        .flatten()
                        .filter_map(|v| v.as_str().map(str::to_owned))
                        .collect();
                    format!("{} {} {}", text("key"), text("operator"), values.join(",")).trim().to_owned()
                })
                .collect::<Vec<_>>()
                .join("; ")
        })
        .unwrap_or_default();
    f.headline = "cannot be scheduled: no node matches its node affinity".into();
    f.actions.push(edit(ActionKind::SetAffinity, &owner.subject, "no node satisfies its required node affinity"));
    let mut c = cause(
        "node-affinity-unmatched",
        Confidence::Established,
        owner.subject.clone(),
        format!(
            "The required node affinity ({terms}) of {} matches no node. The scheduler says: {tail}",
            owner.subject
        ),
    );
    c.field = Some(owner.pod_field("affinity.nodeAffinity"));
    c
}

fn taints(cx: &Context<'_>, f: &mut Finding, pod: &Pod, owner: &Owner, meant: &[&Node], tail: &str) -> CauseDraft {
    let mut named: Vec<(String, String)> = Vec::new();
    let mut bearers: Vec<&Node> = Vec::new();
    for node in meant {
        if let Some(taint) = placement::untolerated(pod, node) {
            let pair = (taint.key.clone(), taint.value.clone().unwrap_or_default());
            bearers.push(node);
            if !named.contains(&pair) {
                named.push(pair);
            }
        }
    }
    // A node that is not ready, or cordoned, is tainted by the cluster: that is the fault, not the pod's toleration.
    let of_cluster =
        |key: &str| key.starts_with("node.kubernetes.io/") || key.starts_with("node.cloudprovider.kubernetes.io/");
    let lost = bearers.iter().find(|n| {
        n.spec
            .taints
            .iter()
            .any(|t| matches!(t.key.as_str(), "node.kubernetes.io/not-ready" | "node.kubernetes.io/unreachable"))
    });
    let cordon = bearers.iter().any(|n| n.spec.unschedulable);
    let pressure =
        bearers.iter().find_map(|n| n.spec.taints.iter().find(|t| t.key.ends_with("-pressure")).map(|t| (n, t)));
    if let Some(node) = lost {
        let mut c = cause(
            "nodes-not-ready",
            Confidence::Likely,
            node_ref(node),
            format!("Node {} is not ready, so it takes no pods. The scheduler says: {tail}", node.metadata.name),
        );
        c.signs.pro = 2;
        c.referrer = Some(owner.subject.clone());
        return c;
    }
    if cordon {
        return cordoned(cx, f, owner, tail);
    }
    if let Some((node, taint)) = pressure {
        let mut c = cause(
            "node-under-pressure",
            Confidence::Established,
            node_ref(node),
            format!(
                "Node {} is under pressure ({}), so it takes no new pods. The scheduler says: {tail}",
                node.metadata.name, taint.key
            ),
        );
        c.referrer = Some(owner.subject.clone());
        return c;
    }
    if named.iter().any(|(k, _)| !of_cluster(k)) {
        named.retain(|(k, _)| !of_cluster(k));
    }
    let list = named.iter().map(|(k, v)| if v.is_empty() { k.clone() } else { format!("{k}={v}") }).collect::<Vec<_>>();
    f.headline = "cannot be scheduled: a taint keeps it away".into();
    f.actions.push(edit(
        ActionKind::SetTolerations,
        &owner.subject,
        format!("it does not tolerate {}", words::list(&list, 3)),
    ));
    for node in bearers.iter().take(2) {
        if let Some((key, _)) = named.first() {
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
    let on: Vec<String> = bearers.iter().map(|n| n.metadata.name.clone()).collect();
    let mut c = cause(
        "taint-not-tolerated",
        Confidence::Established,
        owner.subject.clone(),
        format!(
            "{} does not tolerate the taint {} of {}. The scheduler says: {tail}",
            owner.subject,
            words::list(&list, 3),
            if on.is_empty() { "the nodes".to_owned() } else { format!("node {}", words::list(&on, 3)) }
        ),
    );
    c.field = Some(owner.pod_field("tolerations"));
    c
}

fn cordoned(cx: &Context<'_>, f: &mut Finding, owner: &Owner, tail: &str) -> CauseDraft {
    let nodes: Vec<&std::sync::Arc<Object>> =
        cx.index.all(Kind::Node).filter(|o| matches!(&***o, Object::Node(n) if n.spec.unschedulable)).collect();
    let names: Vec<String> = nodes.iter().map(|n| n.meta().name.clone()).collect();
    f.headline = "cannot be scheduled: nodes are cordoned".into();
    for n in nodes.iter().take(3) {
        f.actions.push(action(
            ActionKind::Uncordon,
            &n.reference(),
            "it takes pods again",
            "none",
            "patch nodes",
            format!("kubectl uncordon {}", n.meta().name),
        ));
    }
    let entity = nodes.first().map_or_else(|| owner.subject.clone(), |n| n.reference());
    let mut c = cause(
        "node-cordoned",
        if nodes.is_empty() { Confidence::Likely } else { Confidence::Established },
        entity,
        format!(
            "Node {} is cordoned (unschedulable), so {} finds no node. The scheduler says: {tail}",
            words::list(&names, 3),
            owner.subject
        ),
    );
    c.field = Some("spec.unschedulable".into());
    c.referrer = Some(owner.subject.clone());
    c.signs.pro = 2;
    c
}
