//! Network policies that were changed just before pods began to fail, and cut what these pods need.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{
    Context, Hold, Rule,
    backing::{changes, selected},
    context::{action, cause, finding, ns_flag, object_evidence},
};
use crate::{
    change::ChangeVerb,
    evidence::EvidenceKind,
    finding::Finding,
    host,
    object::{Kind, NetworkPolicy, Object, ObjectRef, Pod, Service},
    policy::{self, Direction},
    remediation::ActionKind,
    severity::{Confidence, Severity},
};

/// The rules of this family.
pub const RULES: &[Rule] = &[Rule {
    id: "traffic-cut-by-policy",
    means: "Pods began to fail right after a NetworkPolicy was made or changed that cuts what they need.",
    source: "kubernetes.io/docs/concepts/services-networking/network-policies",
    reads: &[Kind::NetworkPolicy, Kind::Pod],
    holds: &[Hold::JoinsOnly("the pods have findings of their own")],
    severities: &[(Severity::Medium, "always: the pods' findings say how bad it is")],
    limits: &[
        "A policy after which nothing fails, whatever it drops.",
        "A policy that lets through DNS and every Service the failing pods name in their environment or arguments.",
        "Pods that began to fail before the policy was changed, or more than half an hour after it.",
        "Pods whose logs speak of something else.",
    ],
    threshold: None,
    advises: &[ActionKind::SetNetworkPolicy],
}];

/// How long after a policy's change pods that fail are tied to it.
const AFTER: SignedDuration = SignedDuration::from_mins(30);
/// Clocks have whole seconds.
const SLACK: SignedDuration = SignedDuration::from_secs(3);

/// What fails in a pod for want of something it cannot reach.
const FAILING: [&str; 7] = [
    "container-crash-loop",
    "init-container-failing",
    "readiness-failing",
    "liveness-failing",
    "startup-failing",
    "job-failed",
    "pod-not-ready",
];

/// Ties the pods that fail to policies changed before.
pub fn all(cx: &mut Context<'_>) {
    let failing = failing(cx);
    if failing.is_empty() {
        return;
    }
    let recent: Vec<(&NetworkPolicy, ObjectRef, Timestamp)> = cx
        .index
        .all(Kind::NetworkPolicy)
        .filter_map(|o| match &**o {
            Object::NetworkPolicy(p) if !p.metadata.deleting() => {
                let me = o.reference();
                let seen = changes(cx, &me)
                    .filter(|c| c.verb != ChangeVerb::Deleted)
                    .filter(|c| c.verb == ChangeVerb::Created || c.fields.iter().any(|f| f.path.starts_with("spec")))
                    .map(|c| c.at)
                    .max();
                let at = seen.or(p.metadata.creation_timestamp)?;
                Some((p, me, at))
            }
            _ => None,
        })
        .collect();
    for (subject, object, started) in failing {
        let Some(Object::Pod(pod)) = cx.index.resolve(&object).map(|o| &**o) else { continue };
        let before = |at: Timestamp| (-SLACK..=AFTER).contains(&started.duration_since(at));
        let mut policies = recent.iter().filter(|(_, _, at)| before(*at)).peekable();
        if policies.peek().is_none() || speaks_of_else(cx, pod) {
            continue;
        }
        let cut = policies
            .filter_map(|(p, me, at)| Some((*p, me, *at, cut(cx, pod, me)?)))
            .max_by_key(|(_, me, at, _)| (*at, (*me).clone()));
        if let Some((p, me, at, cut)) = cut {
            let me = me.clone();
            report(cx, &subject, &object, p, &me, at, &cut);
        }
    }
}

/// Of each workload whose pods fail: the workload, its first pod that does, and since when.
fn failing(cx: &Context<'_>) -> Vec<(ObjectRef, ObjectRef, Timestamp)> {
    let mut failing: BTreeMap<String, (ObjectRef, ObjectRef, Timestamp)> = BTreeMap::new();
    for f in cx.found().iter().filter(|f| f.object.kind == "Pod" && FAILING.contains(&f.rule_id.as_str())) {
        let entry =
            failing.entry(f.subject.key()).or_insert_with(|| (f.subject.clone(), f.object.clone(), f.started_at));
        entry.2 = entry.2.min(f.started_at);
    }
    failing.into_values().collect()
}

/// The pod's logs were read, and none says a word of names, connections or time that ran out.
fn speaks_of_else(cx: &Context<'_>, pod: &Pod) -> bool {
    const WORDS: [&str; 14] = [
        "connect",
        "timeout",
        "timed out",
        "time out",
        "resolve",
        "resolution",
        "lookup",
        "unreachable",
        "eai_again",
        "no such host",
        "not known",
        "network",
        "dns",
        "deadline",
    ];
    let read: Vec<String> = pod
        .spec
        .containers
        .iter()
        .chain(&pod.spec.init_containers)
        .filter_map(|c| cx.index.newest_log(&pod.metadata.uid, &c.name))
        .filter_map(|l| l.lines.as_ref().ok())
        .flatten()
        .map(|line| line.to_lowercase())
        .collect();
    !read.is_empty() && !read.iter().any(|line| WORDS.iter().any(|w| line.contains(w)))
}

/// What the pod needs and the policy drops.
struct Cut {
    what: String,
    direction: Direction,
}

fn cut(cx: &Context<'_>, pod: &Pod, me: &ObjectRef) -> Option<Cut> {
    let is = |list: &[ObjectRef]| list.iter().any(|p| p.same_name(me));
    if let Some(dns) = policy::dns(cx.index, pod).filter(policy::Dns::blocked) {
        if is(&dns.selecting) {
            return Some(Cut { what: "DNS (UDP and TCP port 53)".into(), direction: Direction::Egress });
        }
        if is(&dns.refused_by) {
            return Some(Cut { what: "the DNS pods (UDP port 53)".into(), direction: Direction::Ingress });
        }
    }
    named(cx, pod).into_iter().find_map(|service| {
        let servers = selected(cx, service);
        let first = servers.first()?;
        let port = service.spec.ports.first()?;
        let (number, protocol) = policy::target(service, port.port, first)?;
        let passages: Vec<policy::Passage> =
            servers.iter().filter_map(|s| policy::between(cx.index, pod, s, number, &protocol)).collect();
        if passages.is_empty() || passages.iter().any(policy::Passage::allows) {
            return None;
        }
        let (direction, by) = passages[0].blocked_by();
        is(by).then(|| Cut {
            what: format!("Service {} ({protocol} port {number} of its pods)", service.metadata.name),
            direction,
        })
    })
}

/// The Services that the pod names in its environment or arguments.
fn named<'s>(cx: &'s Context<'_>, pod: &Pod) -> Vec<&'s Service> {
    let own = pod.metadata.namespace.as_deref().unwrap_or("");
    let containers = pod.spec.containers.iter().chain(&pod.spec.init_containers);
    let texts: Vec<&str> = containers
        .flat_map(|c| {
            let env = c.env.iter().filter_map(|e| e.value.as_deref());
            env.chain(c.args.iter().map(String::as_str)).chain(c.command.iter().map(String::as_str))
        })
        .collect();
    let hosts: Vec<&str> = texts
        .iter()
        .flat_map(|t| t.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.')))
        .filter(|h| !h.is_empty())
        .collect();
    let mut out: Vec<&Service> = hosts.into_iter().filter_map(|h| host::service(cx.index, own, h)).collect();
    out.sort_by_key(|s| (&s.metadata.namespace, &s.metadata.name));
    out.dedup_by_key(|s| (&s.metadata.namespace, &s.metadata.name));
    out
}

fn report(
    cx: &mut Context<'_>,
    subject: &ObjectRef,
    pod: &ObjectRef,
    p: &NetworkPolicy,
    me: &ObjectRef,
    at: Timestamp,
    cut: &Cut,
) {
    let mut f = finding("traffic-cut-by-policy", pod.clone(), subject, Severity::Medium, at);
    f.headline = format!("is cut off by NetworkPolicy {}", me.name);
    f.started_basis = "policy made or changed".into();
    f.hold = Finding::JOINS_ONLY;
    let lets = policy::describe(p, cut.direction);
    let word = match cut.direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    };
    let selects = match policy::selector_text(&p.spec.pod_selector) {
        all if all.is_empty() => "every pod".to_owned(),
        some => format!("pods {some}"),
    };
    f.message = format!("{me} does not let {} reach {}", subject, cut.what);
    let item = object_evidence(
        EvidenceKind::Object,
        me.clone(),
        "rules",
        format!("{me} selects {selects} and lets through {lets} ({word})"),
        &[
            ("podSelector", selects.clone()),
            ("policyTypes", p.spec.policy_types.join(", ")),
            (word, lets.clone()),
            ("not allowed", cut.what.clone()),
        ],
        at,
    );
    let mut c = cause(
        "network-policy-blocks",
        Confidence::Likely,
        me.clone(),
        format!(
            "NetworkPolicy {} selects {selects} in namespace {} and blocks {word} to what {subject} needs: it allows {lets}, and not {}.{}",
            me.name,
            me.namespace.as_deref().unwrap_or(""),
            cut.what,
            // A change is told with what it changed.
            match changes(cx, me).any(|c| c.verb == ChangeVerb::Modified) {
                true => String::new(),
                false => format!(" It was created at {}, before the pods began to fail.", at.strftime("%H:%M:%S UTC")),
            }
        ),
    );
    c.field = Some(cut.direction.field().into());
    c.referrer = Some(subject.clone());
    c.evidence = vec![item.key.clone()];
    c.signs.pro = 2;
    f.evidence.push(item);
    f.causes.push(c);
    f.actions.push(action(
        ActionKind::SetNetworkPolicy,
        me,
        format!("it must allow {}", cut.what),
        "lets more traffic through",
        "patch networkpolicies",
        format!("kubectl edit networkpolicy {}{}", me.name, ns_flag(me)),
    ));
    cx.report(f);
}
