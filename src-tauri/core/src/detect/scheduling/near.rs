//! What pods want of each other: to be near, to be apart, to be spread, to have a host port for themselves.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::super::{
    Context,
    context::{Owner, cause, edit, scale},
    placement,
};
use super::{nodes, replicas};
use crate::{
    change::ChangeVerb,
    finding::{CauseDraft, Finding},
    object::{Kind, LabelSelector, Node, Object, ObjectRef, Pod},
    remediation::ActionKind,
    severity::Confidence,
    words,
};

/// A required term of pod affinity or anti-affinity.
struct Term {
    key: String,
    /// None selects no pod.
    selector: Option<LabelSelector>,
    namespaces: Vec<String>,
}

fn terms(pod: &Pod, which: &str) -> Vec<Term> {
    let path = format!("/{which}/requiredDuringSchedulingIgnoredDuringExecution");
    let found = pod.spec.affinity.as_ref().and_then(|a| a.pointer(&path)).and_then(Value::as_array);
    let own = pod.metadata.namespace.clone().unwrap_or_default();
    found
        .into_iter()
        .flatten()
        .map(|t| {
            let named = placement::list(t, "namespaces").iter().filter_map(Value::as_str).map(str::to_owned);
            let mut namespaces: Vec<String> = named.collect();
            if namespaces.is_empty() && t.get("namespaceSelector").is_none() {
                namespaces.push(own.clone());
            }
            Term {
                key: placement::text(t, "topologyKey").to_owned(),
                selector: placement::selector(t.get("labelSelector")),
                namespaces,
            }
        })
        .collect()
}

impl Term {
    /// The pod is one the term speaks of. No namespaces stand for all of them.
    fn means(&self, pod: &Pod) -> bool {
        !pod.finished() && self.selects(pod)
    }

    /// The same of a pod that may have ended.
    fn selects(&self, pod: &Pod) -> bool {
        let there = pod.metadata.namespace.as_deref().unwrap_or("");
        (self.namespaces.is_empty() || self.namespaces.iter().any(|n| n == there))
            && self.selector.as_ref().is_some_and(|s| s.matches(&pod.metadata.labels))
    }
}

impl Term {
    /// The only workload whose pods it speaks of, where that is scaled to zero.
    fn asleep(&self, cx: &Context<'_>, owner: &Owner) -> Option<ObjectRef> {
        let selector = self.selector.as_ref()?;
        let mut meant = [Kind::Deployment, Kind::StatefulSet].into_iter().flat_map(|k| cx.index.all(k)).filter(|o| {
            let there = o.meta().namespace.as_deref().unwrap_or("");
            (self.namespaces.is_empty() || self.namespaces.iter().any(|n| n == there))
                && o.pod_template().is_some_and(|t| selector.matches(&t.metadata.labels))
                && !o.reference().same_name(&owner.subject)
        });
        let only = meant.next().filter(|_| meant.next().is_none())?;
        (only.replicas() == Some(0)).then(|| only.reference())
    }

    /// The workload that was deleted lately whose pods it speaks of: its pods are known by their names.
    fn deleted(&self, cx: &Context<'_>) -> Option<(ObjectRef, Timestamp)> {
        let gone: Vec<&Pod> = cx
            .index
            .graves()
            .filter_map(|(_, o)| match &**o {
                Object::Pod(pod) if self.selects(pod) => Some(pod),
                _ => None,
            })
            .collect();
        let of = |pod: &Pod, workload: &ObjectRef| {
            pod.metadata.namespace == workload.namespace
                && pod.metadata.name.strip_prefix(&workload.name).is_some_and(|rest| rest.starts_with('-'))
        };
        let deleted = cx.index.changes().filter(|c| {
            c.verb == ChangeVerb::Deleted
                && matches!(c.object.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet")
                && cx.index.resolve(&c.object).is_none()
                && gone.iter().any(|pod| of(pod, &c.object))
        });
        deleted.max_by_key(|c| c.at).map(|c| (c.object.clone(), c.at))
    }
}

/// The values a label has on these nodes, sorted.
fn domains(nodes: &[&Node], key: &str) -> Vec<String> {
    let mut out: Vec<String> = nodes.iter().filter_map(|n| n.metadata.labels.get(key).cloned()).collect();
    out.sort();
    out.dedup();
    out
}

fn keys(terms: &[Term]) -> String {
    let mut keys: Vec<String> = terms.iter().map(|t| t.key.clone()).filter(|k| !k.is_empty()).collect();
    keys.sort();
    keys.dedup();
    if keys.is_empty() { String::new() } else { format!(" (topology key {})", words::list(&keys, 3)) }
}

/// Its own pods, or another workload's, forbid it the nodes there are.
pub(super) fn anti(
    cx: &Context<'_>,
    open: &[&Node],
    f: &mut Finding,
    pod: &Pod,
    owner: &Owner,
    tail: &str,
) -> CauseDraft {
    let own = terms(pod, "podAntiAffinity");
    f.headline = "cannot be scheduled: pods that must be apart have all the nodes".into();
    // Another workload wants no pod like this one beside its own.
    let other = cx.index.pods_apart().find(|p| {
        let theirs = terms(p, "podAntiAffinity");
        theirs.iter().any(|t| t.means(pod)) && !cx.owner(p).subject.same_name(&owner.subject)
    });
    if let Some(other) = other.filter(|_| own.is_empty() || tail.contains("existing pods anti-affinity")) {
        let them = cx.owner(other);
        f.actions.push(edit(ActionKind::SetAffinity, &them.subject, "its anti-affinity keeps other pods away"));
        let mut c = cause(
            "anti-affinity-of-others",
            Confidence::Established,
            them.subject.clone(),
            format!(
                "The required pod anti-affinity of {}{} keeps {} off the nodes where its pods run. The scheduler says: {tail}",
                them.subject,
                keys(&terms(other, "podAntiAffinity")),
                owner.subject
            ),
        );
        c.field = Some(them.pod_field("affinity.podAntiAffinity"));
        c.referrer = Some(owner.subject.clone());
        return c;
    }
    f.actions.push(edit(ActionKind::SetAffinity, &owner.subject, "its pods forbid each other the nodes there are"));
    let wanted = replicas(cx, owner);
    let places = own.first().map(|t| (t.key.clone(), domains(open, &t.key)));
    let many = match (&wanted, &places) {
        (Some(n), Some((key, have))) if !have.is_empty() => {
            let of = if key == "kubernetes.io/hostname" {
                words::count(have.len(), "node")
            } else {
                format!("{} of {key}", words::count(have.len(), "value"))
            };
            let deadlock = if *n as usize <= have.len() && owner.subject.kind == "Deployment" {
                ", and in a roll-out the old pods hold those that the new ones want"
            } else {
                ""
            };
            format!(" for {n} replicas on {of} ({}){deadlock}", words::list(have, 3))
        }
        (Some(n), _) => format!(" for {n} replicas"),
        (None, _) => String::new(),
    };
    let pods = cx.index.placed_pods().filter(|p| !own.is_empty() && p.spec.node_name.is_some());
    let mut holders: Vec<String> = pods
        .filter(|p| own.iter().any(|t| t.means(p)))
        .map(|p| cx.owner(p).subject)
        .filter(|s| !s.same_name(&owner.subject))
        .map(|s| s.to_string())
        .collect();
    holders.sort();
    holders.dedup();
    let others = if holders.is_empty() {
        String::new()
    } else {
        format!(" It must be apart from {} too.", words::list(&holders, 3))
    };
    let mut c = cause(
        "anti-affinity-unsatisfiable",
        Confidence::Established,
        owner.subject.clone(),
        format!(
            "The pod anti-affinity of {} cannot be satisfied{many}: each pod wants a node of its own{}.{others} The scheduler says: {tail}",
            owner.subject,
            keys(&own)
        ),
    );
    c.field = Some(owner.pod_field("affinity.podAntiAffinity"));
    c
}

/// There is no pod, or no place, for it to be near.
pub(super) fn affinity(cx: &Context<'_>, f: &mut Finding, pod: &Pod, owner: &Owner, tail: &str) -> CauseDraft {
    let own = terms(pod, "podAffinity");
    f.headline = "cannot be scheduled: no node has the pods it must be near".into();
    f.actions.push(edit(ActionKind::SetAffinity, &owner.subject, "no node has the pods it wants to be near"));
    let why = own.iter().find_map(|t| {
        if !t.key.is_empty()
            && cx.index.knows(Kind::Node, None)
            && !nodes(cx).any(|n| n.metadata.labels.contains_key(&t.key))
        {
            return Some(format!("no node has the label {}", t.key));
        }
        let selector = t.selector.as_ref()?;
        let meant: Vec<&Pod> = cx.index.pods().filter(|p| t.means(p)).collect();
        let said = placement::selector_words(selector);
        if meant.iter().any(|p| p.spec.node_name.is_some()) {
            return None;
        }
        if !meant.is_empty() {
            return Some(format!(
                "{} with {said} {} on no node",
                words::count(meant.len(), "pod"),
                if meant.len() == 1 { "is" } else { "are" }
            ));
        }
        let place = if t.namespaces.is_empty() {
            "any namespace".to_owned()
        } else {
            format!("namespace {}", words::list(&t.namespaces, 3))
        };
        let near = selector.match_labels.iter().find_map(|(k, v)| {
            let mut values: Vec<&str> =
                cx.index.pods().filter_map(|p| p.metadata.labels.get(k)).map(String::as_str).collect();
            values.sort_unstable();
            values.dedup();
            placement::nearest(v, values.into_iter()).map(|n| format!(" (there are pods with {k}={n})"))
        });
        Some(format!("no pod in {place} has {said}{}", near.unwrap_or_default()))
    });
    let alone: Vec<_> = own.iter().filter(|t| !cx.index.pods().any(|p| t.means(p))).collect();
    let asleep = alone.iter().find_map(|t| t.asleep(cx, owner));
    let mut c = cause(
        "pod-affinity-unsatisfiable",
        Confidence::Established,
        owner.subject.clone(),
        format!(
            "The pod affinity of {} matches no running pod{}{}{}. The scheduler says: {tail}",
            owner.subject,
            keys(&own),
            why.map(|w| format!(": {w}")).unwrap_or_default(),
            asleep.as_ref().map(|w| format!("; {w} would have it, and is scaled to 0 replicas")).unwrap_or_default()
        ),
    );
    if let Some((gone, at)) = alone.iter().filter(|_| asleep.is_none()).find_map(|t| t.deleted(cx)) {
        c.statement.push_str(&format!(" {gone}, whose pods had it, was deleted at {}.", at.strftime("%H:%M:%S UTC")));
        c.entity = gone;
        c.referrer = Some(owner.subject.clone());
        c.field = None;
        return c;
    }
    if let Some(asleep) = asleep {
        f.actions.insert(0, scale(&asleep, format!("{} must be near its pods", owner.subject), "1"));
        c.referrer = Some(owner.subject.clone());
        c.field = Some("spec.replicas".into());
        c.entity = asleep;
        return c;
    }
    c.field = Some(owner.pod_field("affinity.podAffinity"));
    c
}

/// Its pods must be spread more evenly than the nodes allow.
pub(super) fn spread(
    cx: &Context<'_>,
    open: &[&Node],
    f: &mut Finding,
    pod: &Pod,
    owner: &Owner,
    tail: &str,
) -> CauseDraft {
    let hard: Vec<&Value> = pod
        .spec
        .topology_spread_constraints
        .iter()
        .filter(|t| placement::text(t, "whenUnsatisfiable") != "ScheduleAnyway")
        .collect();
    let keys: Vec<String> = hard.iter().map(|t| placement::text(t, "topologyKey").to_owned()).collect();
    let missing: Vec<String> = keys
        .iter()
        .filter(|k| cx.index.knows(Kind::Node, None) && !nodes(cx).any(|n| n.metadata.labels.contains_key(*k)))
        .cloned()
        .collect();
    f.headline = "cannot be scheduled: its topology spread cannot be met".into();
    f.actions.push(edit(
        ActionKind::SetAffinity,
        &owner.subject,
        "its topology spread constraint must name a label the nodes have, or allow ScheduleAnyway",
    ));
    let why = if missing.is_empty() {
        hard.first().map(|t| format!(": {}", uneven(cx, open, pod, t))).unwrap_or_default()
    } else {
        let all: Vec<&str> = nodes(cx).flat_map(|n| n.metadata.labels.keys()).map(String::as_str).collect();
        let near = missing.iter().find_map(|m| placement::nearest(m, all.iter().copied()));
        let near = near.map(|n| format!(", but there is {n}")).unwrap_or_default();
        format!(": no node has the label {}{near}", words::list(&missing, 3))
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

/// How many pods each value of the label has, and what was allowed.
fn uneven(cx: &Context<'_>, open: &[&Node], pod: &Pod, constraint: &Value) -> String {
    let key = placement::text(constraint, "topologyKey");
    let skew = constraint.get("maxSkew").and_then(Value::as_i64).unwrap_or(1);
    let selector = placement::selector(constraint.get("labelSelector"));
    let at: BTreeMap<&str, &str> =
        nodes(cx).filter_map(|n| Some((n.metadata.name.as_str(), n.metadata.labels.get(key)?.as_str()))).collect();
    let mut counts: BTreeMap<&str, usize> = at.values().map(|v| (*v, 0)).collect();
    let ns = pod.metadata.namespace.as_deref().unwrap_or("");
    for p in cx.index.pods().filter(|p| p.metadata.namespace.as_deref() == Some(ns) && !p.finished()) {
        let Some(value) = p.spec.node_name.as_deref().and_then(|n| at.get(n)) else { continue };
        if selector.as_ref().is_some_and(|s| s.matches(&p.metadata.labels)) {
            *counts.entry(value).or_default() += 1;
        }
    }
    let said: Vec<String> = counts.iter().map(|(v, n)| format!("{v} has {n}")).collect();
    let places = domains(open, key);
    format!(
        "maxSkew is {skew} and of its pods {}; the nodes that take it are in {}",
        words::list(&said, 6),
        if places.is_empty() { "none of these".to_owned() } else { words::list(&places, 4) }
    )
}

/// Somebody has its host port.
pub(super) fn ports(
    cx: &Context<'_>,
    open: &[&Node],
    f: &mut Finding,
    pod: &Pod,
    owner: &Owner,
    tail: &str,
) -> CauseDraft {
    f.headline = "cannot be scheduled: its host port is taken".into();
    f.actions.push(edit(ActionKind::Patch, &owner.subject, "another pod holds the host port"));
    let wanted = host_ports(pod);
    let mut held: Vec<String> = Vec::new();
    let mut holder = None;
    for node in open {
        for p in cx.pods_on(&node.metadata.name).into_iter().filter(|p| !p.finished()) {
            let Some((port, _)) = host_ports(p).into_iter().find(|h| wanted.contains(h)) else { continue };
            let who = cx.owner(p).subject;
            held.push(format!("{} of {who} has {port} on {}", p.reference(), node.metadata.name));
            holder.get_or_insert(who);
        }
    }
    held.sort();
    held.dedup();
    let numbers: Vec<String> = wanted.iter().map(|(p, _)| p.to_string()).collect();
    let many = match replicas(cx, owner) {
        Some(n) if n as usize > open.len() && !open.is_empty() => {
            format!(
                " {n} replicas need {n} nodes, and {} there.",
                if open.len() == 1 { "1 is".to_owned() } else { format!("{} are", open.len()) }
            )
        }
        _ => String::new(),
    };
    let by = if held.is_empty() { String::new() } else { format!(": {}", words::list(&held, 2)) };
    let mut c = cause(
        "host-port-taken",
        Confidence::Established,
        owner.subject.clone(),
        format!(
            "The host port {} of {} is taken on every node (didn't have free ports){by}.{many} The scheduler says: {tail}",
            words::list(&numbers, 3),
            owner.subject
        ),
    );
    let container =
        pod.spec.containers.iter().find(|c| c.ports.iter().any(|p| p.host_port.is_some() || pod.spec.host_network));
    c.field = container.map(|c| owner.field(false, &c.name, "ports"));
    c.referrer = holder.filter(|h| !h.same_name(&owner.subject));
    c
}

/// The ports of its node a pod takes, with their protocols.
fn host_ports(pod: &Pod) -> Vec<(u16, String)> {
    let ports = pod.spec.containers.iter().chain(&pod.spec.init_containers).flat_map(|c| &c.ports);
    ports
        .filter_map(|p| {
            let port = p.host_port.filter(|p| *p > 0).or(pod.spec.host_network.then_some(p.container_port))?;
            Some((port, p.protocol.clone().unwrap_or_else(|| "TCP".to_owned())))
        })
        .collect()
}
