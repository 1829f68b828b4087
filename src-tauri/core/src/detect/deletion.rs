//! Deletions that do not end: finalizers nobody removes, content that stays, nodes that cannot confirm.

mod namespace;

use jiff::{SignedDuration, Timestamp};

use super::{
    Context, Hold, Rule,
    context::{action, cause, event_evidence, finding, hold, ns_flag, object_evidence},
    rule::BY_WORKLOAD,
};
use crate::{
    evidence::{EvidenceDraft, EvidenceKind},
    finding::{CauseDraft, Finding},
    index::Now,
    object::{Condition, Kind, Meta, Object, ObjectRef, Pod},
    remediation::{ActionDraft, ActionKind},
    severity::{Confidence, Severity},
    words,
};

/// The rules of this family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "namespace-stuck-terminating",
        means: "A namespace is being deleted and does not go away.",
        source: "Namespace conditions NamespaceContentRemaining, NamespaceFinalizersRemaining, NamespaceDeletionDiscoveryFailure",
        reads: &[Kind::Namespace],
        holds: &[Hold::Exactly(STUCK, "since its deletion was asked for")],
        severities: &[(Severity::Medium, "always")],
        limits: &[
            "For its first seconds, while its pods are within their grace period, and for three minutes where a ready node's kubelet is ending them.",
            "For three minutes content that nobody is seen to hold, by a finalizer or otherwise: it is being deleted.",
        ],
        threshold: None,
        advises: &[ActionKind::RemoveFinalizer, ActionKind::ManualCheck],
    },
    Rule {
        id: "pod-stuck-terminating",
        means: "A pod is being deleted and outlives its grace period.",
        source: "kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle#pod-termination",
        reads: &[Kind::Pod],
        holds: &[
            Hold::Exactly(STUCK, "past the grace period, where a finalizer holds it"),
            Hold::Exactly(OVERDUE, "past the grace period, where the kubelet does not confirm"),
            Hold::JoinsOnly("where no finalizer, no node and no event says why"),
        ],
        severities: BY_WORKLOAD,
        limits: &["Within the grace period, however long.", "One finding for each workload."],
        threshold: None,
        advises: &[ActionKind::RemoveFinalizer, ActionKind::RecreatePod, ActionKind::ManualCheck],
    },
    Rule {
        id: "claim-stuck-terminating",
        means: "A claim or a volume is being deleted while something still uses it.",
        source: "kubernetes.io/docs/concepts/storage/persistent-volumes#storage-object-in-use-protection",
        reads: &[Kind::PersistentVolumeClaim, Kind::PersistentVolume, Kind::Pod],
        holds: &[
            Hold::Exactly(STUCK, "since its deletion was asked for"),
            Hold::Exactly(OUTSIDE, "where something outside the cluster must be taken down first"),
        ],
        severities: &[(Severity::Medium, "always")],
        limits: &[
            "While the pods that use it are being deleted themselves: within their grace period, and for three minutes where a ready node's kubelet is ending them.",
        ],
        threshold: None,
        advises: &[ActionKind::RemoveFinalizer, ActionKind::ManualCheck],
    },
    Rule {
        id: "object-stuck-terminating",
        means: "An object is being deleted and a finalizer keeps it.",
        source: "kubernetes.io/docs/concepts/overview/working-with-objects/finalizers",
        reads: &[Kind::Deployment],
        holds: &[
            Hold::Exactly(OVERDUE, "since its deletion was asked for"),
            Hold::Exactly(OUTSIDE, "where something outside the cluster must be taken down first"),
        ],
        severities: &[(Severity::Medium, "always")],
        limits: &[
            "Nodes: what drains them takes its time.",
            "While pods that it waits for are within their grace period, or are told themselves.",
            "Custom resources, which are not read.",
        ],
        threshold: None,
        advises: &[ActionKind::RemoveFinalizer, ActionKind::ManualCheck],
    },
];

/// Seconds for what a finalizer holds.
const STUCK: i64 = 45;
/// Seconds for what may only be slow.
const OVERDUE: i64 = 60;
/// Seconds for what is taken down outside the cluster, which takes minutes: load balancers, disks.
const OUTSIDE: i64 = 300;
/// Finalizers of what takes its time in good health.
const SLOW: &[&str] =
    &["load-balancer", "ingress", "elbv2", "networking.gke.io", "provisioner", "attacher", "azure", "aws", "gcp"];
/// How long a node that came back may take to end pods that were deleted while it was away.
const RETURN: SignedDuration = SignedDuration::from_mins(5);
/// How long a busy kubelet may take to end a pod beyond its grace period while others wait for that.
const BUSY: SignedDuration = SignedDuration::from_mins(3);
/// Even one look does not call a deletion stuck before it is this old.
const FRESH: SignedDuration = SignedDuration::from_secs(20);
/// Set by whoever waits for dependants; no object holds itself up by them.
const ORDERED: &[&str] = &["foregroundDeletion", "orphan"];

/// Looks at everything that is being deleted.
pub fn all(cx: &mut Context<'_>) {
    let index = cx.index;
    for o in index.deleting(Kind::Namespace) {
        if let Object::Namespace(ns) = &**o {
            namespace::stuck(cx, ns);
        }
    }
    let mut told: Vec<String> = Vec::new();
    for o in index.deleting(Kind::Pod) {
        if let Object::Pod(pod) = &**o {
            stuck_pod(cx, pod, &mut told);
        }
    }
    for kind in Kind::ALL {
        match kind {
            Kind::Pod | Kind::Namespace | Kind::Node | Kind::KubeEvent | Kind::EndpointSlice | Kind::ReplicaSet => {}
            Kind::PersistentVolumeClaim | Kind::PersistentVolume => {
                index.deleting(*kind).for_each(|o| volume(cx, o));
            }
            _ => index.deleting(*kind).for_each(|o| other(cx, o)),
        }
    }
}

/// Since when a deletion is due: of pods the timestamp lies a grace period ahead of the request.
fn due(meta: &Meta, now: Now<'_>) -> Option<Timestamp> {
    meta.deletion_timestamp.filter(|t| now.reached(*t))
}

/// The pod is being deleted and still has time for it; a kubelet at work whom nothing hinders is given some more.
fn in_grace(cx: &Context<'_>, pod: &Pod) -> bool {
    let ready = |node: &str| match cx.index.get(Kind::Node, None, node).map(|o| &**o) {
        Some(Object::Node(n)) => Condition::find(&n.status.conditions, "Ready").is_some_and(Condition::is_true),
        _ => false,
    };
    let at_work = own(&pod.metadata.finalizers).is_empty() && pod.spec.node_name.as_deref().is_some_and(ready);
    let patience = if at_work { BUSY } else { FRESH };
    pod.metadata.deleting() && due(&pod.metadata, cx.now).is_none_or(|t| cx.now.within(t, patience))
}

/// What these finalizers wait for is taken down outside the cluster.
fn is_slow(finalizers: &[String]) -> bool {
    !finalizers.is_empty() && finalizers.iter().all(|f| SLOW.iter().any(|s| f.contains(s)))
}

/// Since when a node is ready.
fn back(cx: &Context<'_>, node: &str) -> Option<Timestamp> {
    let Object::Node(node) = &**cx.index.get(Kind::Node, None, node)? else { return None };
    Condition::find(&node.status.conditions, "Ready").filter(|c| c.is_true())?.last_transition_time
}

fn own(finalizers: &[String]) -> Vec<String> {
    finalizers.iter().filter(|f| !ORDERED.contains(&f.as_str())).cloned().collect()
}

fn stuck_pod(cx: &mut Context<'_>, pod: &Pod, told: &mut Vec<String>) {
    let Some(since) = due(&pod.metadata, cx.now) else { return };
    if cx.now.within(since, FRESH) {
        return;
    }
    let me = pod.reference();
    let subject = cx.owner(pod).subject;
    if told.contains(&subject.key()) {
        return;
    }
    let held = own(&pod.metadata.finalizers);
    let over = pod.finished() || pod.status.container_statuses.iter().all(|s| s.state.terminated.is_some());
    let node = pod.spec.node_name.as_deref();
    let lost =
        node.filter(|_| cx.index.knows(Kind::Node, None)).and_then(|name| match cx.index.get(Kind::Node, None, name) {
            None => Some((ObjectRef::missing(Kind::Node, None, name), "does not exist any more".to_owned())),
            Some(o) => match &**o {
                Object::Node(n) => Condition::find(&n.status.conditions, "Ready")
                    .filter(|c| !c.is_true())
                    .map(|c| (o.reference(), format!("is not ready ({})", c.reason.as_deref().unwrap_or(&c.status)))),
                _ => None,
            },
        });
    // Without a finalizer a pod goes as soon as its kubelet confirms.
    let by_finalizer = !held.is_empty() && (over || lost.is_none());
    // A kubelet that was away is given its time to end what it was asked to end meanwhile.
    let back = node.and_then(|n| back(cx, n)).is_some_and(|back| cx.now.within(back, RETURN));
    if back && !by_finalizer {
        return;
    }
    let mut f = finding("pod-stuck-terminating", me.clone(), &subject, cx.workload_severity(&subject), since);
    f.headline = format!("has pod {} stuck in deletion", me.name);
    f.started_basis = "end of the pod's grace period".into();
    f.hold = hold(if by_finalizer { STUCK } else { OVERDUE });
    let item = object_evidence(
        EvidenceKind::PodStatus,
        me.clone(),
        "deletion",
        format!("Pod {} is being deleted since {since}", me.name),
        &[
            ("deletionTimestamp", since.to_string()),
            (
                "finalizers",
                if pod.metadata.finalizers.is_empty() { "none".into() } else { pod.metadata.finalizers.join(", ") },
            ),
            ("node", node.unwrap_or("none").to_owned()),
            ("containers ended", over.to_string()),
        ],
        since,
    );
    let mut keys = vec![item.key.clone()];
    f.evidence.push(item);
    let mut c = if by_finalizer {
        let c = finalizer_cause(&me, &held, None);
        f.actions.push(remove(&me, &held));
        c
    } else if let Some((node, state)) = lost {
        let mut c = cause(
            "node-lost",
            Confidence::Established,
            node.clone(),
            format!(
                "Pod {} cannot be deleted: its node {} {state}, so nobody confirms that its containers have ended.",
                me.name, node.name
            ),
        );
        c.referrer = Some(me.clone());
        f.actions.push(force(&me));
        c
    } else {
        let event = cx
            .index
            .events_of(&me)
            .into_iter()
            .rev()
            .find(|e| matches!(e.reason(), "FailedKillPod" | "ExceededGracePeriod" | "FailedPreStopHook"));
        let said = event
            .map(|e| format!(" The kubelet says: {}.", words::clip(e.message().trim_end_matches('.'), 200)))
            .unwrap_or_default();
        if let Some(e) = event {
            let item = event_evidence(e, cx.now);
            keys.push(item.key.clone());
            f.evidence.push(item);
        }
        let name = node.unwrap_or("");
        let entity = cx.index.get(Kind::Node, None, name).map_or_else(|| me.clone(), |o| o.reference());
        let confidence = if event.is_some() { Confidence::Likely } else { Confidence::Possible };
        // Nothing says why: a kubelet that is busy, or only just back, ends it in a while.
        if event.is_none() {
            f.hold = Finding::JOINS_ONLY;
        }
        let mut c = cause(
            "pod-not-killed",
            confidence,
            entity,
            format!(
                "The kubelet of node {name} has not ended the containers of pod {} though its grace period is over, and no finalizer holds it.{said}",
                me.name
            ),
        );
        c.signs.pro = 2;
        c.needs.push("the kubelet's and the runtime's log on the node".into());
        f.actions.push(force(&me));
        c
    };
    c.evidence = keys;
    f.message = c.statement.clone();
    f.causes.push(c);
    told.push(subject.key());
    cx.report(f);
}

fn volume(cx: &mut Context<'_>, o: &Object) {
    let Some(since) = due(o.meta(), cx.now) else { return };
    let me = o.reference();
    let finalizers = own(&o.meta().finalizers);
    let slow = is_slow(&finalizers);
    let patience = if slow { SignedDuration::from_secs(OUTSIDE) } else { FRESH };
    if finalizers.is_empty() || cx.now.within(since, patience) {
        return;
    }
    let (users, users_going) = match o {
        Object::PersistentVolumeClaim(c) => {
            let ns = c.metadata.namespace.as_deref().unwrap_or("");
            let mounts = |p: &&Pod| {
                !p.finished()
                    && p.metadata.namespace.as_deref() == Some(ns)
                    && p.spec.claims().any(|(n, _)| n == me.name)
            };
            let pods: Vec<&Pod> = cx.index.pods().filter(mounts).collect();
            let going = pods.iter().any(|p| in_grace(cx, p));
            (pods.iter().map(|p| (p.reference(), cx.owner(p).subject)).collect::<Vec<_>>(), going)
        }
        Object::PersistentVolume(v) => {
            let claim = v.spec.claim_ref.as_ref().filter(|_| v.status.phase.as_deref() == Some("Bound"));
            let users = claim.and_then(|c| cx.index.get(Kind::PersistentVolumeClaim, c.namespace.as_deref(), &c.name));
            // A claim that goes, be it with its namespace, lets go of its volume.
            let leaving = |ns: &str| cx.index.get(Kind::Namespace, None, ns).is_some_and(|o| o.meta().deleting());
            let going =
                users.is_some_and(|o| o.meta().deleting() || o.meta().namespace.as_deref().is_some_and(leaving));
            (users.map(|o| (o.reference(), o.reference())).into_iter().collect(), going)
        }
        _ => return,
    };
    // Who protects it needs a moment after its last user is gone.
    let gone = cx.index.graves().any(|(at, o)| {
        cx.now.within(*at, FRESH)
            && matches!(&**o, Object::Pod(p) if p.metadata.namespace == me.namespace && p.spec.claims().any(|(n, _)| n == me.name))
    });
    if users_going || gone {
        return;
    }
    let protected =
        finalizers.iter().any(|f| matches!(f.as_str(), "kubernetes.io/pvc-protection" | "kubernetes.io/pv-protection"));
    let mut f = finding("claim-stuck-terminating", me.clone(), &me, Severity::Medium, since);
    f.headline = "is stuck in deletion".into();
    f.started_basis = "deletion asked for".into();
    f.hold = hold(if slow { OUTSIDE } else { STUCK });
    let item = held_evidence(&me, o.meta(), since);
    let mut c = match users.first() {
        Some((user, owner)) if protected => {
            let names: Vec<String> = users.iter().map(|(u, _)| format!("{} {}", u.kind, u.name)).collect();
            let of = if owner.same_name(user) { String::new() } else { format!(" of {owner}") };
            let mut c = cause(
                "claim-in-use",
                Confidence::Established,
                me.clone(),
                format!(
                    "{me} is being deleted since {} and stays Terminating: finalizer {} protects it while {}{of} still uses it.",
                    since.strftime("%H:%M:%S UTC"),
                    words::list(&finalizers, 2),
                    words::list(&names, 3)
                ),
            );
            c.field = Some("metadata.finalizers".into());
            c.referrer = Some(owner.clone());
            f.actions.push(action(
                ActionKind::ManualCheck,
                owner,
                "the deletion ends once nothing uses it",
                "stops what uses it",
                "get pods",
                format!("kubectl describe {}{}", me.kubectl(), ns_flag(&me)),
            ));
            c
        }
        _ => {
            f.actions.push(remove(&me, &finalizers));
            finalizer_cause(&me, &finalizers, None)
        }
    };
    c.evidence = vec![item.key.clone()];
    f.evidence.push(item);
    f.message = c.statement.clone();
    f.causes.push(c);
    cx.report(f);
}

fn other(cx: &mut Context<'_>, o: &Object) {
    let Some(since) = due(o.meta(), cx.now) else { return };
    if cx.now.within(since, FRESH) || o.meta().finalizers.is_empty() {
        return;
    }
    let me = o.reference();
    let held = own(&o.meta().finalizers);
    let slow = is_slow(&held);
    if slow && cx.now.within(since, SignedDuration::from_secs(OUTSIDE)) {
        return;
    }
    // What is deleted after its pods waits for them; a pod that does not go is told itself.
    let pods = cx.index.pods_of(&o.meta().uid);
    if held.is_empty() && (!pods.is_empty() || o.meta().controller().is_some()) {
        return;
    }
    let waits = held.is_empty().then(|| {
        let below: Vec<String> = cx.index.owned_by(&o.meta().uid).map(|d| d.reference().to_string()).collect();
        if below.is_empty() { "dependants of a kind that is not read".to_owned() } else { words::list(&below, 3) }
    });
    let all = if held.is_empty() { o.meta().finalizers.clone() } else { held };
    let subject = cx.owner_of(o).subject;
    let mut f = finding("object-stuck-terminating", me.clone(), &subject, Severity::Medium, since);
    f.headline = format!("is stuck in deletion: finalizer {}", all[0]);
    f.started_basis = "deletion asked for".into();
    f.hold = hold(if slow { OUTSIDE } else { OVERDUE });
    let item = held_evidence(&me, o.meta(), since);
    let mut c = finalizer_cause(&me, &all, waits);
    c.evidence = vec![item.key.clone()];
    f.evidence.push(item);
    f.message = c.statement.clone();
    f.causes.push(c);
    f.actions.push(remove(&me, &all));
    cx.report(f);
}

/// The object holds itself: whoever set the finalizer has not removed it.
fn finalizer_cause(me: &ObjectRef, finalizers: &[String], waits_for: Option<String>) -> CauseDraft {
    let many = if finalizers.len() == 1 { "finalizer" } else { "finalizers" };
    let list = words::list(finalizers, 3);
    let rest = match waits_for {
        Some(what) => format!("{many} {list} keeps it until {what} is gone."),
        None => {
            format!("{many} {list} is still set, and the controller that is to remove it has not (it may be gone).")
        }
    };
    let mut c = cause(
        "finalizer-left",
        Confidence::Established,
        me.clone(),
        format!("{me} is being deleted and stays Terminating: {rest}"),
    );
    c.field = Some("metadata.finalizers".into());
    c
}

fn held_evidence(me: &ObjectRef, meta: &Meta, since: Timestamp) -> EvidenceDraft {
    object_evidence(
        EvidenceKind::Object,
        me.clone(),
        "deletion",
        format!("{me} is being deleted since {since}"),
        &[("deletionTimestamp", since.to_string()), ("finalizers", meta.finalizers.join(", "))],
        since,
    )
}

fn remove(me: &ObjectRef, finalizers: &[String]) -> ActionDraft {
    action(
        ActionKind::RemoveFinalizer,
        me,
        format!("the deletion ends; first see why nobody removes {}", words::list(finalizers, 2)),
        "what the finalizer was to clean up stays behind",
        &format!("patch {}s", me.kind.to_lowercase()),
        format!(
            "kubectl patch {}{} --type=merge -p '{{\"metadata\":{{\"finalizers\":null}}}}'",
            me.kubectl(),
            ns_flag(me)
        ),
    )
}

fn force(pod: &ObjectRef) -> ActionDraft {
    action(
        ActionKind::RecreatePod,
        pod,
        "it is replaced at once",
        "its containers may still run where nobody sees them: two copies may write to one volume",
        "delete pods",
        format!("kubectl delete {}{} --grace-period=0 --force", pod.kubectl(), ns_flag(pod)),
    )
}
