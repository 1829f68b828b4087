//! Roll-outs that stand still.

use jiff::{SignedDuration, Timestamp};

use super::super::{
    Context, Hold, Rule,
    context::{action, cause, edit, finding, hold, ns_flag, object_evidence, undo},
};
use crate::{
    evidence::EvidenceKind,
    object::{Condition, Deployment, Kind, Object, Pod, StatefulSet},
    remediation::ActionKind,
    severity::{Confidence, Severity},
    words,
};

/// The rules of this family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "deployment-stuck",
        means: "A roll-out made no progress within its deadline.",
        source: "kubernetes.io/docs/concepts/workloads/controllers/deployment#progress-deadline-seconds",
        reads: &[Kind::Deployment],
        holds: &[Hold::Exactly(0, "after the Deployment's own progress deadline (600 s unless it says otherwise)")],
        severities: &[(Severity::Critical, "no replica is available"), (Severity::Medium, "some still serve")],
        limits: &[
            "A Deployment that is paused, or whose present specification the controller has not looked at yet.",
            "A roll-out that makes progress, however slow.",
        ],
        threshold: None,
        advises: &[ActionKind::RolloutUndo],
    },
    Rule {
        id: "rollout-waits-for-old-pods",
        means: "A Deployment with strategy Recreate has no pod, since its old pods take their time to end.",
        source: "kubernetes.io/docs/concepts/workloads/controllers/deployment#recreate-deployment",
        reads: &[Kind::Deployment, Kind::Pod],
        holds: &[Hold::Exactly(DRAIN, "since the first old pod was told to end")],
        severities: &[(Severity::Critical, "no pod of it is ready"), (Severity::Medium, "some are")],
        limits: &["Strategy RollingUpdate, which waits for no pod to end.", "Scaling down to zero."],
        threshold: None,
        advises: &[ActionKind::Patch, ActionKind::RecreatePod],
    },
    Rule {
        id: "statefulset-stuck",
        means: "A StatefulSet waits for a broken pod of an earlier revision, which it never replaces by itself.",
        source: "kubernetes.io/docs/concepts/workloads/controllers/statefulset#forced-rollback",
        reads: &[Kind::StatefulSet, Kind::Pod],
        holds: &[Hold::Exactly(BROKEN, "")],
        severities: &[
            (Severity::Critical, "no pod of it is ready"),
            (Severity::High, "some are"),
            (Severity::Medium, "as many are ready as wanted"),
        ],
        limits: &[
            "Update strategy OnDelete, and pods below the partition: their old revision is intended.",
            "Pod management policy Parallel, under which a broken pod holds up no other.",
            "A pod that is ready, being deleted, or of the present revision.",
        ],
        threshold: None,
        advises: &[ActionKind::RecreatePod],
    },
];

/// Seconds that old pods may take to end.
const DRAIN: i64 = 90;
/// Seconds that a pod of an earlier revision may be unready.
const BROKEN: i64 = 45;

pub(super) fn all(cx: &mut Context<'_>) {
    let index = cx.index;
    for o in index.all(Kind::Deployment).filter(|o| !o.meta().deleting()) {
        if let Object::Deployment(d) = &**o {
            stuck(cx, d);
            drains(cx, d);
        }
    }
    for o in index.all(Kind::StatefulSet).filter(|o| !o.meta().deleting()) {
        if let Object::StatefulSet(s) = &**o {
            forced_back(cx, s);
        }
    }
}

fn stuck(cx: &mut Context<'_>, d: &Deployment) {
    // What the controller says of an earlier specification says nothing of this one.
    let unseen = d.metadata.generation.zip(d.status.observed_generation).is_some_and(|(wanted, seen)| seen < wanted);
    if d.spec.paused || unseen {
        return;
    }
    let Some(condition) = Condition::find(&d.status.conditions, "Progressing").filter(|c| c.is_false()) else { return };
    if condition.reason.as_deref() != Some("ProgressDeadlineExceeded") {
        return;
    }
    let me = d.reference();
    let at = condition.last_transition_time.or(condition.last_update_time).unwrap_or_else(|| cx.now.get());
    let severity = if d.status.available_replicas == 0 && d.spec.replicas.unwrap_or(1) > 0 {
        Severity::Critical
    } else {
        Severity::Medium
    };
    let mut f = finding("deployment-stuck", me.clone(), &cx.index.top_owner_of(me.clone(), &d.metadata), severity, at);
    f.headline = "is stuck in its roll-out".into();
    f.started_basis = "progress deadline exceeded".into();
    let wanted = d.spec.replicas.unwrap_or(1);
    let deadline = d.spec.progress_deadline_seconds.unwrap_or(600);
    f.message = format!(
        "The roll-out of {} made no progress for {deadline} s: {} of {wanted} replicas are updated, {} ready",
        me.name, d.status.updated_replicas, d.status.ready_replicas
    );
    let item = object_evidence(
        EvidenceKind::Object,
        me.clone(),
        "rollout",
        format!("{} exceeded its progress deadline of {deadline} s", me.name),
        &[
            ("condition", "Progressing=False ProgressDeadlineExceeded".into()),
            ("message", condition.message.clone().unwrap_or_default()),
            ("replicas", wanted.to_string()),
            ("updatedReplicas", d.status.updated_replicas.to_string()),
            ("readyReplicas", d.status.ready_replicas.to_string()),
        ],
        at,
    );
    let mut c = cause(
        "deployment-stuck",
        Confidence::Possible,
        me.clone(),
        format!(
            "The new pods of {} ({}) did not become ready within the progress deadline of {deadline} s: {} of {wanted} replicas are new, and {} of {wanted} are ready, old ones included.",
            me.name,
            images(d),
            d.status.updated_replicas,
            d.status.ready_replicas
        ),
    );
    if d.spec.min_ready_seconds > 0 && d.status.ready_replicas >= wanted {
        c.statement.push_str(&format!(
            " They are ready, but must stay so for minReadySeconds ({} s) before they count as available.",
            d.spec.min_ready_seconds
        ));
        c.field = Some("spec.minReadySeconds".into());
    }
    c.evidence = vec![item.key.clone()];
    c.needs.push("the state and log of the newest pods".into());
    f.evidence.push(item);
    f.causes.push(c);
    f.actions.extend(undo(&me, "the revision before was serving"));
    cx.report(f);
}

/// What its pods run: `image web:2`.
fn images(d: &Deployment) -> String {
    let images: Vec<String> = d.spec.template.spec.containers.iter().map(|c| c.image.clone()).collect();
    format!("{} {}", if images.len() == 1 { "image" } else { "images" }, words::list(&images, 3))
}

/// Recreate: no new pod before the last old one is gone.
fn drains(cx: &mut Context<'_>, d: &Deployment) {
    let recreate = d.spec.strategy.as_ref().and_then(|s| s.get("type")).and_then(|t| t.as_str()) == Some("Recreate");
    if !recreate || d.spec.paused || d.spec.replicas.unwrap_or(1) == 0 {
        return;
    }
    let pods = cx.index.pods_of(&d.metadata.uid);
    let old: Vec<&Pod> = pods.iter().copied().filter(|p| p.metadata.deleting() && !p.finished()).collect();
    if old.is_empty() || old.len() < pods.iter().filter(|p| !p.finished()).count() {
        return;
    }
    let asked = |p: &Pod| {
        let grace = SignedDuration::from_secs(p.spec.termination_grace_period_seconds.unwrap_or(30));
        p.metadata.deletion_timestamp.and_then(|t| t.checked_sub(grace).ok())
    };
    let Some((since, pod)) =
        old.iter().filter_map(|p| Some((asked(p)?, *p))).min_by_key(|(t, p)| (*t, &p.metadata.name))
    else {
        return;
    };
    let ends = pod.metadata.deletion_timestamp.unwrap_or_else(|| cx.now.get());
    // Past its grace period the pod itself is what is stuck.
    if cx.now.reached(ends) || !cx.now.reached(since) || ends.duration_since(since) <= SignedDuration::from_secs(DRAIN)
    {
        return;
    }
    let me = d.reference();
    let grace = pod.spec.termination_grace_period_seconds.unwrap_or(30);
    let ready = pods.iter().filter(|p| p.ready() && !p.metadata.deleting()).count();
    let severity = if ready == 0 { Severity::Critical } else { Severity::Medium };
    let subject = cx.index.top_owner_of(me.clone(), &d.metadata);
    let mut f = finding("rollout-waits-for-old-pods", me.clone(), &subject, severity, since);
    f.headline = "waits for its old pods to end".into();
    f.started_basis = "deletion of the old pod".into();
    f.hold = hold(DRAIN);
    let names: Vec<String> = old.iter().map(|p| p.metadata.name.clone()).collect();
    let item = object_evidence(
        EvidenceKind::PodStatus,
        pod.reference(),
        "draining",
        format!("Pod {} may take until {ends} to end", pod.metadata.name),
        &[
            ("deletionTimestamp", ends.to_string()),
            ("terminationGracePeriodSeconds", grace.to_string()),
            ("strategy of the Deployment", "Recreate".into()),
        ],
        since,
    );
    let mut c = cause(
        "rollout-waits-for-old-pods",
        Confidence::Established,
        me.clone(),
        format!(
            "{} has strategy Recreate and makes no new pod before {} {} gone: it is Terminating since {} and may take until {} (terminationGracePeriodSeconds {grace}).",
            me.name,
            words::list(&names, 3),
            if names.len() == 1 { "is" } else { "are" },
            since.strftime("%H:%M:%S UTC"),
            ends.strftime("%H:%M:%S UTC"),
        ),
    );
    c.field = Some("spec.template.spec.terminationGracePeriodSeconds".into());
    c.evidence = vec![item.key.clone()];
    f.message = c.statement.clone();
    f.evidence.push(item);
    f.causes.push(c);
    f.actions.push(edit(ActionKind::Patch, &me, "a shorter grace period, or strategy RollingUpdate"));
    cx.report(f);
}

/// A StatefulSet updates its pods one by one, from the highest down, and waits until each is ready. A pod that a bad
/// revision broke is not replaced when the template is put right: it must be deleted.
fn forced_back(cx: &mut Context<'_>, s: &StatefulSet) {
    let strategy = s.spec.update_strategy.as_ref();
    let rolling =
        strategy.and_then(|u| u.get("type")).and_then(|t| t.as_str()).unwrap_or("RollingUpdate") == "RollingUpdate";
    let partition = strategy.and_then(|u| u.pointer("/rollingUpdate/partition")).and_then(|p| p.as_i64()).unwrap_or(0);
    let parallel = s.spec.pod_management_policy.as_deref() == Some("Parallel");
    let Some(wanted) = s.status.update_revision.as_deref().filter(|_| rolling && !parallel) else { return };
    let broken = |p: &Pod| !p.ready() && !p.metadata.deleting() && !p.finished() && p.spec.node_name.is_some();
    let found = cx.index.pods_of(&s.metadata.uid).into_iter().filter(|p| broken(p)).find_map(|p| {
        let revision = p.metadata.labels.get("controller-revision-hash").filter(|r| *r != wanted)?;
        let ordinal = p.metadata.name.rsplit('-').next()?.parse::<i64>().ok()?;
        let since = unready_since(p)?;
        // It may only be ending, or have just begun.
        let lasts = !cx.now.within(since, SignedDuration::from_secs(20));
        (ordinal >= partition && lasts).then(|| (p, revision.clone(), since))
    });
    let Some((pod, revision, since)) = found else { return };
    let me = s.reference();
    let name = pod.metadata.name.clone();
    let subject = cx.index.top_owner_of(me.clone(), &s.metadata);
    let mut f = finding("statefulset-stuck", me.clone(), &subject, cx.workload_severity(&me), since);
    f.headline = format!("is stuck at broken pod {name}");
    f.started_basis = "pod not ready since".into();
    f.hold = hold(BROKEN);
    let item = object_evidence(
        EvidenceKind::PodStatus,
        pod.reference(),
        "revision",
        format!("Pod {name} is of revision {revision} and not ready"),
        &[
            ("controller-revision-hash", revision.clone()),
            ("updateRevision of the StatefulSet", wanted.to_owned()),
            ("ready", "false".into()),
        ],
        since,
    );
    let mut c = cause(
        "statefulset-broken-pod",
        Confidence::Established,
        me.clone(),
        format!(
            "{me} is at revision {wanted}, but its pod {name} still runs revision {revision} and is not ready: pods are updated in order, and a broken pod is waited for and never replaced by itself. It must be deleted.",
        ),
    );
    c.referrer = Some(pod.reference());
    c.field = Some("status.updateRevision".into());
    c.evidence = vec![item.key.clone()];
    f.message = c.statement.clone();
    f.evidence.push(item);
    f.causes.push(c);
    let target = pod.reference();
    f.actions.push(action(
        ActionKind::RecreatePod,
        &target,
        "it is made again from the present template",
        "the pod is not ready as it is",
        "delete pods",
        format!("kubectl delete {}{}", target.kubectl(), ns_flag(&target)),
    ));
    // What the pod's own findings blame is a template that is no longer there.
    cx.outdated(&target);
    cx.report(f);
}

fn unready_since(pod: &Pod) -> Option<Timestamp> {
    let ready = Condition::find(&pod.status.conditions, "Ready");
    ready.and_then(|c| c.last_transition_time).or(pod.status.start_time).or(pod.metadata.creation_timestamp)
}
