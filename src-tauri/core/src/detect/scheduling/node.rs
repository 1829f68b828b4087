//! Why no node takes a pod: room, spread, selectors, taints, cordons.

use std::sync::LazyLock;

use regex::Regex;

use super::super::{
    Context,
    context::{Owner, action, cause, edit, ns_flag},
    placement,
};
use super::node_ref;
use crate::{
    finding::{CauseDraft, Finding},
    object::{Kind, Node, Object, Pod, Quantity},
    remediation::ActionKind,
    severity::Confidence,
    words,
};

pub(super) fn resources(
    open: &[&Node],
    f: &mut Finding,
    pod: &Pod,
    owner: &Owner,
    message: &str,
    tail: &str,
) -> CauseDraft {
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

pub(super) fn spread(cx: &Context<'_>, f: &mut Finding, pod: &Pod, owner: &Owner, tail: &str) -> CauseDraft {
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

pub(super) fn selector(cx: &Context<'_>, f: &mut Finding, pod: &Pod, owner: &Owner, tail: &str) -> CauseDraft {
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

pub(super) fn taints(
    cx: &Context<'_>,
    f: &mut Finding,
    pod: &Pod,
    owner: &Owner,
    meant: &[&Node],
    tail: &str,
) -> CauseDraft {
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

pub(super) fn cordoned(cx: &Context<'_>, f: &mut Finding, owner: &Owner, tail: &str) -> CauseDraft {
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
