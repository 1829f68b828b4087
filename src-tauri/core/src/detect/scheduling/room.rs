//! Why no node has room for a pod: what it asks, what nodes offer, who has it.

use std::sync::LazyLock;

use jiff::SignedDuration;
use regex::Regex;

use super::super::{
    Context,
    context::{Owner, action, cause, edit, event_evidence, ns_flag, set},
    placement::{self, Ask},
};
use super::{node, node_ref, replicas};
use crate::{
    change::{Change, ChangeVerb, FieldChange},
    finding::{CauseDraft, Finding},
    object::{Kind, KubeEvent, Node, Object, ObjectRef, Pod, Quantity},
    remediation::ActionKind,
    severity::Confidence,
    words,
};

/// A preemption explains a lack of room for so long.
const PREEMPTED: SignedDuration = SignedDuration::from_hours(1);

/// What is lacking, by the scheduler's count of nodes.
fn lacking(message: &str) -> Vec<String> {
    static NAMES: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(\d+) Insufficient ([\w./-]+)").ok());
    let mut found: Vec<(u64, String)> = NAMES
        .as_ref()
        .map(|r| r.captures_iter(message))
        .into_iter()
        .flatten()
        .map(|c| (c[1].parse().unwrap_or(0), c[2].trim_end_matches('.').to_owned()))
        .collect();
    if message.contains("Too many pods") {
        found.push((0, "pods".to_owned()));
    }
    found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let mut out: Vec<String> = Vec::new();
    for (_, name) in found {
        if !out.contains(&name) {
            out.push(name);
        }
    }
    out
}

/// How much of a resource a node offers in all, in thousandths and as it writes it.
fn offered<'n>(node: &'n Node, name: &str) -> Option<(i128, &'n Quantity)> {
    let q = node.status.allocatable.get(name)?;
    Some((q.milli()?, q))
}

/// What the pod needs of a resource; a place where it is places that are counted.
fn needed(pod: &Pod, name: &str) -> i128 {
    if name == "pods" { 1000 } else { placement::asked(&pod.spec, name).map_or(0, |a| a.milli) }
}

#[allow(clippy::too_many_arguments, reason = "one pod's whole situation")]
pub(super) fn resources(
    cx: &Context<'_>,
    meant: &[&Node],
    open: &[&Node],
    f: &mut Finding,
    pod: &Pod,
    owner: &Owner,
    message: &str,
    tail: &str,
) -> CauseDraft {
    let lacking = lacking(message);
    if !cx.index.knows(Kind::Node, None) {
        return unread(f, pod, owner, &lacking, tail);
    }
    let impossible = lacking.iter().any(|name| {
        let most = open.iter().filter_map(|n| offered(n, name)).map(|(m, _)| m).max();
        needed(pod, name) > most.unwrap_or(0)
    });
    // Nodes that are out of service would have had the room.
    let fits = |n: &&&Node| {
        lacking.iter().all(|name| {
            let free = offered(n, name).map_or(0, |(m, _)| m) - cx.room(name).taken(&n.metadata.name);
            free >= needed(pod, name)
        })
    };
    let out: Vec<&Node> = meant
        .iter()
        .filter(|n| n.spec.unschedulable || node::lost(n))
        .filter(|n| placement::untolerated(pod, n).is_some())
        .filter(fits)
        .copied()
        .collect();
    if !out.is_empty() && !lacking.is_empty() {
        let lost: Vec<&Node> = out.iter().copied().filter(|n| node::lost(n)).collect();
        return if lost.is_empty() { node::cordoned(&out, f, owner, tail) } else { node::gone(&lost, owner, tail) };
    }
    if let Some(c) = preempted(cx, f, owner) {
        return c;
    }
    headline(f, &lacking);
    advise(f, pod, owner, &lacking, impossible);
    let (rule, statement) = if impossible {
        ("request-too-large", too_large(open, pod, owner, &lacking, tail))
    } else {
        ("no-room", full(cx, open, pod, owner, &lacking, tail))
    };
    let mut c = cause(rule, Confidence::Established, owner.subject.clone(), statement);
    let first = lacking.first().map_or("memory", String::as_str);
    c.field = match placement::asked(&pod.spec, first) {
        Some(ask) => {
            if let Some(range) = placement::given_by(cx, pod, &ask.container, "requests", first) {
                c.statement.push_str(&format!(
                    " The workload itself sets no {first} request for container {}: it comes from LimitRange {}.",
                    ask.container, range.name
                ));
                if let Some((change, path)) = raised(cx, pod, owner, &range, first) {
                    c.statement.push_str(&format!(
                        " {} changed that at {}, and the workload was there before.",
                        change.who.as_deref().unwrap_or("Somebody"),
                        change.at.strftime("%H:%M:%S UTC")
                    ));
                    let why = "its default is for every container that asks for nothing";
                    f.actions.insert(0, edit(ActionKind::SetLimitRange, &range, why));
                    c.referrer = Some(owner.subject.clone());
                    c.field = Some(path);
                    c.entity = range;
                    return c;
                }
                c.referrer = Some(range);
            }
            Some(owner.field(ask.init, &ask.container, &format!("resources.{}.{first}", ask.list)))
        }
        None if first == "pods" => Some("spec.replicas".into()).filter(|_| replicas(cx, owner).is_some()),
        None => {
            pod.spec.containers.first().map(|c| owner.field(false, &c.name, &format!("resources.requests.{first}")))
        }
    };
    c
}

/// The change that raised the default that a LimitRange gave to the pod, and its field, where the workload was there
/// before it. A default limit is the request, too, where there is no default request.
fn raised<'a>(
    cx: &Context<'a>,
    pod: &Pod,
    owner: &Owner,
    range: &ObjectRef,
    resource: &str,
) -> Option<(&'a Change, String)> {
    let there = cx.index.resolve(&owner.subject)?.meta().creation_timestamp?;
    let made = pod.metadata.creation_timestamp?;
    let Some(Object::LimitRange(now)) = cx.index.resolve(range).map(|o| &**o) else { return None };
    let of_request = now.spec.limits.iter().any(|l| l.default_request.contains_key(resource));
    let end = format!("{}{resource}", if of_request { ".defaultRequest." } else { ".default." });
    let amount = |text: &Option<String>| text.as_ref().and_then(|t| Quantity::new(t.as_str()).milli());
    let more = |f: &&FieldChange| f.path.ends_with(&end) && amount(&f.to) > amount(&f.from);
    let found = cx.index.changes_of(range).filter(|c| c.verb == ChangeVerb::Modified && c.at > there && c.at <= made);
    let found = found.filter_map(|c| Some((c, c.fields.iter().find(more)?.path.clone())));
    found.max_by_key(|(c, _)| c.at)
}

/// Nodes may not be read: the scheduler's word is all there is.
fn unread(f: &mut Finding, pod: &Pod, owner: &Owner, lacking: &[String], tail: &str) -> CauseDraft {
    headline(f, lacking);
    advise(f, pod, owner, lacking, false);
    let asked: Vec<String> =
        lacking.iter().filter_map(|n| Some(format!("{n} {}", placement::asked(&pod.spec, n)?.text))).collect();
    let asks = if asked.is_empty() { String::new() } else { format!(" requests {} and", words::list(&asked, 3)) };
    let mut c = cause(
        "no-room",
        Confidence::Likely,
        owner.subject.clone(),
        format!(
            "{}{asks} finds no node with room (insufficient {}). The scheduler says: {tail}",
            owner.subject,
            words::list(lacking, 3)
        ),
    );
    c.signs.pro = 2;
    c
}

fn headline(f: &mut Finding, lacking: &[String]) {
    f.headline = match lacking {
        [] => "cannot be scheduled: not enough room".into(),
        [one] if one == "pods" => "cannot be scheduled: the nodes have all the pods they may have".into(),
        _ => format!("cannot be scheduled: not enough {}", words::list(lacking, 2)),
    };
}

fn advise(f: &mut Finding, pod: &Pod, owner: &Owner, lacking: &[String], impossible: bool) {
    let first = lacking.first().map_or("memory", String::as_str);
    let asked = placement::asked(&pod.spec, first);
    let target = asked.map(|a| a.container).or_else(|| pod.spec.containers.first().map(|c| c.name.clone()));
    if first != "pods" {
        f.actions.push(set(
            ActionKind::SetResources,
            &owner.subject,
            "a request that fits on a node",
            "replaces its pods",
            ("resources", format!("-c {} --requests={first}=LESS", target.unwrap_or_default())),
        ));
    }
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
}

/// More than any node has, however empty it is.
fn too_large(open: &[&Node], pod: &Pod, owner: &Owner, lacking: &[String], tail: &str) -> String {
    let mut parts = Vec::new();
    for name in lacking {
        let ask = placement::asked(&pod.spec, name);
        let milli = ask.as_ref().map_or(0, |a| a.milli);
        let text = ask.as_ref().map_or_else(|| name.clone(), |a| format!("{name} {}{}", a.text, asker(pod, a)));
        let largest = open
            .iter()
            .filter_map(|n| offered(n, name).map(|(m, q)| (m, q, n.metadata.name.as_str())))
            .max_by_key(|(m, _, _)| *m);
        parts.push(match largest {
            Some((most, q, node)) if milli > most && most > 0 => {
                format!("requests {text}, more than any node has (the largest, {node}, offers {q})")
            }
            Some((most, q, node)) if most > 0 => format!("requests {text} ({node} offers {q} in all)"),
            _ => format!("requests {text}, which no node offers"),
        });
    }
    format!(
        "{} {} (insufficient {}). The scheduler says: {tail}",
        owner.subject,
        parts.join("; "),
        words::list(lacking, 3)
    )
}

/// Which of several containers asks for that, or for the most of it.
fn asker(pod: &Pod, ask: &Ask) -> String {
    let which = if ask.init { "init container" } else { "container" };
    match pod.spec.containers.len() + pod.spec.init_containers.len() {
        0 | 1 => String::new(),
        _ if ask.text.contains('+') => format!(" (the most by {which} {})", ask.container),
        _ => format!(" ({which} {})", ask.container),
    }
}

/// It would fit on an empty node: what is free, and who has the rest.
fn full(cx: &Context<'_>, open: &[&Node], pod: &Pod, owner: &Owner, lacking: &[String], tail: &str) -> String {
    let mut parts = Vec::new();
    for name in lacking {
        let room = cx.room(name);
        let text = match placement::asked(&pod.spec, name) {
            Some(a) => format!("requests {name} {}{}", a.text, asker(pod, &a)),
            None if name == "pods" => "needs a place for one more pod".to_owned(),
            None => format!("needs {name}"),
        };
        let most_free = open
            .iter()
            .filter_map(|n| {
                let (all, q) = offered(n, name)?;
                Some(((all - room.taken(&n.metadata.name)).max(0), q, n.metadata.name.as_str()))
            })
            .max_by_key(|(free, _, _)| *free);
        let nodes = match (open.len(), most_free) {
            (_, None) => "which no node has free".to_owned(),
            (1, Some((free, q, node))) => {
                format!(
                    "which no node has free ({node} offers {q}, of which {} are free)",
                    placement::amount(name, free)
                )
            }
            (n, Some((free, q, node))) => format!(
                "which none of {n} nodes has free (the most, {} of {q}, on {node})",
                placement::amount(name, free)
            ),
        };
        let takers: Vec<String> = room
            .takers
            .iter()
            .take(3)
            .map(|(who, pods, milli)| {
                let place = who.namespace.as_deref().filter(|n| Some(*n) != owner.subject.namespace.as_deref());
                let place = place.map(|n| format!(" in {n}")).unwrap_or_default();
                let much =
                    if name == "pods" { String::new() } else { format!("{} by ", placement::amount(name, *milli)) };
                format!("{who}{place} ({much}{})", words::count(*pods, "pod"))
            })
            .collect();
        let most =
            if takers.is_empty() { String::new() } else { format!("; most is taken by {}", words::list(&takers, 3)) };
        parts.push(format!("{text}, {nodes}{most}"));
    }
    if parts.is_empty() {
        parts.push("requests more than any node has free".into());
    }
    format!(
        "The cluster has no room (insufficient {}): {} {}. The scheduler says: {tail}",
        words::list(lacking, 3),
        owner.subject,
        parts.join("; ")
    )
}

/// Pods of the workload had to go for pods of a higher priority, and their replacements find no room.
fn preempted(cx: &Context<'_>, f: &mut Finding, owner: &Owner) -> Option<CauseDraft> {
    static BY: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"[Pp]reempted by (?:pod )?(?:([a-z0-9.-]+)/)?([a-z0-9][a-z0-9.-]*)(?: on node ([a-z0-9.-]+))?").ok()
    });
    let ns = owner.subject.namespace.as_deref()?;
    let of_ours = |e: &KubeEvent| {
        let uid = e.involved_object.uid.as_deref();
        let grave = cx.index.graves().map(|(_, o)| o).find(|o| Some(o.meta().uid.as_str()) == uid);
        let pod = cx.index.resolve(&e.object()).or(grave)?;
        Some(cx.index.top_owner(pod)).filter(|o| o.same_name(&owner.subject))
    };
    let event = cx
        .index
        .in_namespace(Kind::KubeEvent, ns)
        .filter_map(|o| match &**o {
            Object::KubeEvent(e) if e.reason() == "Preempted" => Some(e),
            _ => None,
        })
        .filter(|e| e.last_seen().is_some_and(|t| cx.now.within(t, PREEMPTED)))
        .filter(|e| of_ours(e).is_some())
        .max_by_key(|e| e.last_seen())?;
    let m = BY.as_ref()?.captures(event.message())?;
    let named = &m[2];
    let winner = cx.index.pods().find(|p| {
        p.metadata.uid == named
            || (p.metadata.name == named
                && m.get(1).is_none_or(|n| p.metadata.namespace.as_deref() == Some(n.as_str())))
    })?;
    let who = cx.owner(winner);
    if who.subject.same_name(&owner.subject) {
        return None;
    }
    let item = event_evidence(event, cx.now);
    f.headline = format!("lost its place to {}, which has a higher priority", who.subject.name);
    let class = winner.spec.priority_class_name.as_deref();
    let value = winner.spec.priority.map(|p| format!(" ({p})")).unwrap_or_default();
    let class_said = class.map_or_else(|| format!("a higher priority{value}"), |c| format!("PriorityClass {c}{value}"));
    f.actions.push(edit(ActionKind::Patch, &who.subject, "a priority class that does not push others out"));
    let mut c = cause(
        "preempted-by-priority",
        Confidence::Established,
        who.subject.clone(),
        format!(
            "{} was preempted{}: {} in {} has {class_said} and took its place; {} finds no room elsewhere.",
            event.object(),
            m.get(3).map(|n| format!(" on node {}", n.as_str())).unwrap_or_default(),
            who.subject,
            who.subject.namespace.as_deref().unwrap_or(""),
            owner.subject
        ),
    );
    c.field = Some(who.pod_field("priorityClassName"));
    c.referrer = Some(owner.subject.clone());
    c.evidence.push(item.key.clone());
    f.evidence.push(item);
    Some(c)
}

/// A node in words, for lists.
pub(super) fn names(nodes: &[&Node], max: usize) -> String {
    words::list(&nodes.iter().map(|n| node_ref(n).name).collect::<Vec<_>>(), max)
}
