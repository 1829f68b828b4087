//! Disruption budgets that keep a node from being drained.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    Context, Hold, Rule,
    backing::changes,
    context::{action, cause, event_evidence, finding, hold, ns_flag, object_evidence},
};
use crate::{
    evidence::EvidenceKind,
    finding::Finding,
    index::Index,
    object::{Condition, Kind, KubeEvent, Object, ObjectRef, Pod, PodDisruptionBudget},
    remediation::ActionKind,
    severity::{Confidence, Severity},
    words,
};

/// The rules of this family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "budget-blocks-drain",
        means: "A node is being emptied, and a PodDisruptionBudget never lets its pods go.",
        source: "kubernetes.io/docs/tasks/run-application/configure-pdb; kubernetes.io/docs/tasks/administer-cluster/safely-drain-node",
        reads: &[Kind::PodDisruptionBudget, Kind::Node, Kind::Pod],
        holds: &[
            Hold::Exactly(DRAIN, ""),
            Hold::JoinsOnly("when pods of the budget are not healthy: they have findings of their own"),
        ],
        severities: &[(Severity::Medium, "always")],
        limits: &[
            "A budget that allows nothing while no node is being emptied.",
            "A node that is only cordoned: other pods stay on it too.",
            "A budget that allows nothing while its pods are being replaced.",
        ],
        threshold: None,
        advises: &[ActionKind::SetPdb, ActionKind::Uncordon],
    },
    Rule {
        id: "budget-cannot-count",
        means: "A PodDisruptionBudget cannot be computed, so no pod it covers may be evicted.",
        source: "disruption controller: condition DisruptionAllowed with reason SyncFailed",
        reads: &[Kind::PodDisruptionBudget],
        holds: &[Hold::Exactly(SYNC, "")],
        severities: &[(Severity::Low, "always")],
        limits: &["A budget that covers no pod."],
        threshold: None,
        advises: &[ActionKind::SetPdb],
    },
];

/// Seconds that pods may take to go.
const DRAIN: i64 = 30;
/// Seconds that a budget may take to be counted.
const SYNC: i64 = 60;

/// Looks at every budget.
pub fn all(cx: &mut Context<'_>) {
    let index = cx.index;
    let budgets: Vec<&PodDisruptionBudget> = index
        .all(Kind::PodDisruptionBudget)
        .filter_map(|o| match &**o {
            Object::PodDisruptionBudget(b) if !b.metadata.deleting() => Some(b),
            _ => None,
        })
        .collect();
    for b in &budgets {
        let pods = covered(index, b);
        if pods.is_empty() {
            continue;
        }
        if !uncounted(cx, b) {
            blocks(cx, b, &pods, &budgets);
        }
    }
}

fn selects(b: &PodDisruptionBudget, pod: &Pod) -> bool {
    b.metadata.namespace == pod.metadata.namespace
        && b.spec.selector.as_ref().is_some_and(|s| s.matches(&pod.metadata.labels))
}

fn covered<'s>(index: &'s Index, b: &'s PodDisruptionBudget) -> Vec<&'s Pod> {
    index
        .in_namespace(Kind::Pod, b.metadata.namespace.as_deref().unwrap_or(""))
        .filter_map(|o| match &**o {
            Object::Pod(p) => Some(p),
            _ => None,
        })
        .filter(|p| selects(b, p) && !p.finished() && !p.metadata.deleting())
        .collect()
}

/// `minAvailable: 2`, as the object writes it, with the field.
fn demand(b: &PodDisruptionBudget) -> (&'static str, String) {
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    match (&b.spec.min_available, &b.spec.max_unavailable) {
        (_, Some(v)) => ("maxUnavailable", text(v)),
        (Some(v), None) => ("minAvailable", text(v)),
        (None, None) => ("minAvailable", "1".into()),
    }
}

/// Pods that a drain evicts: not those of a DaemonSet or of the node itself.
fn evictable(cx: &Context<'_>, pod: &Pod) -> bool {
    !pod.finished()
        && !pod.metadata.deleting()
        && cx.owner(pod).subject.kind != "DaemonSet"
        && !pod.metadata.owner_references.iter().any(|o| o.kind == "Node")
}

/// A node that is being emptied: cordoned, with nothing left on it but what budgets keep there.
struct Emptied {
    node: ObjectRef,
    kept: Vec<String>,
    since: Option<Timestamp>,
    /// Pods were seen to leave it since it was cordoned.
    left: bool,
}

/// The node is cordoned, or an autoscaler marks it with a taint of its own as one that it empties (true).
fn leaving(o: &Object) -> Option<(&crate::object::Node, bool)> {
    let Object::Node(n) = o else { return None };
    let marked = n.to_be_removed();
    ((n.spec.unschedulable || marked) && !n.metadata.deleting()).then_some((n, marked))
}

fn emptied(cx: &Context<'_>, b: &PodDisruptionBudget, budgets: &[&PodDisruptionBudget]) -> Option<Emptied> {
    let index = cx.index;
    index.all(Kind::Node).find_map(|o| {
        let (n, marked) = leaving(o)?;
        let pods: Vec<&Pod> = cx.pods_on(&n.metadata.name).into_iter().filter(|p| evictable(cx, p)).collect();
        let kept: Vec<String> = pods.iter().filter(|p| selects(b, p)).map(|p| p.metadata.name.clone()).collect();
        let held = |p: &&Pod| {
            let over: Vec<_> = budgets.iter().filter(|b| selects(b, p)).collect();
            over.len() > 1 || over.iter().any(|b| b.status.disruptions_allowed == 0)
        };
        if kept.is_empty() || !pods.iter().all(held) {
            return None;
        }
        let node = o.reference();
        let cordoned =
            changes(cx, &node).filter(|c| c.fields.iter().any(|f| f.path == "spec.unschedulable")).map(|c| c.at).max();
        let left = marked
            || index.graves().any(|(at, o)| match &**o {
                Object::Pod(p) => {
                    p.spec.node_name.as_deref() == Some(&n.metadata.name)
                        && cordoned.is_none_or(|cordoned| *at >= cordoned)
                }
                _ => false,
            });
        Some(Emptied { node, kept, since: cordoned, left })
    })
}

/// What refused to evict one of the pods, where somebody wrote it down.
fn refusal<'a>(cx: &Context<'a>, pods: &[&Pod]) -> Option<&'a KubeEvent> {
    let index = cx.index;
    pods.iter()
        .flat_map(|p| index.events_of(&p.reference()))
        .filter(|e| e.message().to_lowercase().contains("disruption budget"))
        .filter(|e| e.last_seen().is_some_and(|t| cx.now.duration_since(t).as_mins() < 20))
        .max_by_key(|e| e.last_seen())
}

fn blocks(cx: &mut Context<'_>, b: &PodDisruptionBudget, pods: &[&Pod], budgets: &[&PodDisruptionBudget]) {
    // The ordinary case first: no node is being emptied, and nobody complains.
    let leaves = cx.index.all(Kind::Node).any(|o| leaving(o).is_some());
    let refused = if leaves || b.status.disruptions_allowed == 0 { refusal(cx, pods) } else { None };
    if !leaves && refused.is_none() {
        return;
    }
    let several: Vec<&PodDisruptionBudget> =
        budgets.iter().copied().filter(|o| pods.iter().any(|p| selects(o, p))).collect();
    let twice = several.len() > 1;
    if b.status.disruptions_allowed > 0 && !twice {
        return;
    }
    // A pod that two budgets cover cannot be evicted at all: the younger one is told.
    if twice
        && several
            .iter()
            .max_by_key(|o| (o.metadata.creation_timestamp, &o.metadata.name))
            .is_some_and(|last| last.metadata.name != b.metadata.name)
    {
        return;
    }
    let emptied = emptied(cx, b, budgets);
    if refused.is_none() && emptied.is_none() {
        return;
    }
    let me = b.reference();
    let status = &b.status;
    let owner = cx.owner(pods[0]).subject;
    let unhealthy = !twice && status.current_healthy < status.expected_pods;
    let since = [
        emptied.as_ref().and_then(|e| e.since),
        refused.and_then(KubeEvent::first_seen),
        changes(cx, &me).map(|c| c.at).max(),
    ]
    .into_iter()
    .flatten()
    .max()
    .or(b.metadata.creation_timestamp)
    .unwrap_or_else(|| cx.now.get());
    let subject = if unhealthy && cx.tells_of(&owner) { owner.clone() } else { me.clone() };
    let mut f = finding("budget-blocks-drain", me.clone(), &subject, Severity::Medium, since);
    f.headline = "keeps a node from being drained".into();
    f.started_basis = "node cordoned or budget changed".into();
    f.hold = hold(DRAIN);
    let (field, value) = demand(b);
    let numbers = format!(
        "{} of {} pods healthy, {} must stay, {} may go",
        status.current_healthy, status.expected_pods, status.desired_healthy, status.disruptions_allowed
    );
    let item = object_evidence(
        EvidenceKind::Object,
        me.clone(),
        "budget",
        format!("{me}: {field} {value}, {numbers}"),
        &[
            (field, value.clone()),
            ("disruptionsAllowed", status.disruptions_allowed.to_string()),
            ("currentHealthy", status.current_healthy.to_string()),
            ("desiredHealthy", status.desired_healthy.to_string()),
            ("expectedPods", status.expected_pods.to_string()),
        ],
        since,
    );
    let mut keys = vec![item.key.clone()];
    f.evidence.push(item);
    let mut stays = String::new();
    if let Some(e) = &emptied {
        stays = format!(
            " {} on the cordoned {} cannot be evicted ({}), so the drain does not end.",
            words::count(e.kept.len(), "pod"),
            e.node,
            words::list(&e.kept, 3)
        );
        let item = object_evidence(
            EvidenceKind::Node,
            e.node.clone(),
            "cordoned",
            format!("{} is cordoned and keeps {}", e.node, words::list(&e.kept, 3)),
            &[("unschedulable", "true".into()), ("pods that stay", e.kept.join(", "))],
            since,
        );
        keys.push(item.key.clone());
        f.evidence.push(item);
        f.actions.push(action(
            ActionKind::Uncordon,
            &e.node,
            "if the node is to stay after all",
            "pods may be placed on it again",
            "patch nodes",
            format!("kubectl uncordon {}", e.node.name),
        ));
    }
    if let Some(event) = refused {
        let item = event_evidence(event, cx.now);
        keys.push(item.key.clone());
        f.evidence.push(item);
    }
    f.message = format!("{me} ({field} {value}) allows no eviction: {numbers}");
    if unhealthy {
        // While its pods are replaced or fail, it is right to allow none.
        f.hold = Finding::JOINS_ONLY;
        f.subject = owner;
        cx.report(f);
        return;
    }
    let (rule, text) = if twice {
        let names: Vec<String> = several.iter().map(|o| o.metadata.name.clone()).collect();
        (
            "budgets-overlap",
            format!(
                "The pods of {owner} are covered by {} PodDisruptionBudgets, {}: the API server evicts no pod that has more than one.{stays}",
                names.len(),
                words::list(&names, 4)
            ),
        )
    } else {
        (
            "budget-allows-none",
            format!(
                "PodDisruptionBudget {} demands {field} {value} of the {} of {owner}, so it never allows a disruption: {} healthy, {} must stay, 0 may go.{stays}",
                me.name,
                words::count(status.expected_pods.max(0) as usize, "pod"),
                status.current_healthy,
                status.desired_healthy
            ),
        )
    };
    let seen = refused.is_some() || emptied.as_ref().is_some_and(|e| e.left);
    let mut c = cause(rule, if seen { Confidence::Established } else { Confidence::Likely }, me.clone(), text);
    c.field = Some(if twice { "spec.selector".into() } else { format!("spec.{field}") });
    c.referrer = emptied.map(|e| e.node);
    c.evidence = keys;
    c.signs.pro = 2;
    f.causes.push(c);
    f.actions.insert(
        0,
        action(
            ActionKind::SetPdb,
            &me,
            "it must allow at least one pod to go, or the workload needs one more",
            "a pod may be missing for a while",
            "patch poddisruptionbudgets",
            format!("kubectl edit pdb {}{}", me.name, ns_flag(&me)),
        ),
    );
    cx.report(f);
}

/// The controller says that it cannot count.
fn uncounted(cx: &mut Context<'_>, b: &PodDisruptionBudget) -> bool {
    let Some(condition) = Condition::find(&b.status.conditions, "DisruptionAllowed")
        .filter(|c| c.is_false() && c.reason.as_deref() == Some("SyncFailed"))
    else {
        return false;
    };
    let me = b.reference();
    let since = condition.last_transition_time.or(b.metadata.creation_timestamp).unwrap_or_else(|| cx.now.get());
    let said = condition.message.as_deref().unwrap_or("");
    let (field, value) = demand(b);
    let mut f = finding("budget-cannot-count", me.clone(), &me, Severity::Low, since);
    f.headline = "cannot be computed, so it allows no eviction".into();
    f.started_basis = "condition DisruptionAllowed=False".into();
    f.hold = hold(SYNC);
    f.message = format!("{me} cannot be computed: {}", words::clip(said, 200));
    let item = object_evidence(
        EvidenceKind::Object,
        me.clone(),
        "sync",
        format!("{me}: DisruptionAllowed=False, SyncFailed"),
        &[(field, value.clone()), ("message", words::clip(said, 400))],
        since,
    );
    let mut c = cause(
        "budget-cannot-count",
        Confidence::Established,
        me.clone(),
        format!(
            "PodDisruptionBudget {} ({field} {value}) cannot be computed, so none of its pods may be evicted (SyncFailed): {}",
            me.name,
            words::clip(said, 220)
        ),
    );
    c.field = Some("spec.selector".into());
    c.evidence = vec![item.key.clone()];
    f.evidence.push(item);
    f.causes.push(c);
    f.actions.push(action(
        ActionKind::SetPdb,
        &me,
        "it must cover pods of controllers that can be scaled, or demand a number",
        "none",
        "patch poddisruptionbudgets",
        format!("kubectl edit pdb {}{}", me.name, ns_flag(&me)),
    ));
    cx.report(f);
    true
}
