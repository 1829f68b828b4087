//! Workloads: roll-outs that stand still, pods that are never made, jobs that fail.

mod create;
mod job;
mod refusal;

use super::{
    Context, Hold, Rule, Threshold,
    context::{cause, finding, object_evidence, undo},
};
use crate::{
    evidence::EvidenceKind,
    object::{Condition, Deployment, Kind, Object},
    remediation::ActionKind,
    severity::{Confidence, Severity},
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
        limits: &["A Deployment that is paused.", "A roll-out that makes progress, however slow."],
        threshold: None,
        advises: &[ActionKind::RolloutUndo],
    },
    Rule {
        id: "pods-not-created",
        means: "A controller cannot make its pods: quota, limits, admission, a webhook that does not answer, a missing service account.",
        source: "controller-manager events FailedCreate and ReplicaSetCreateError; ReplicaSet condition ReplicaFailure",
        reads: &[Kind::ReplicaSet, Kind::KubeEvent],
        holds: &[Hold::Exactly(HOLD, "")],
        severities: &[
            (Severity::Critical, "no pod of the workload is ready"),
            (Severity::Medium, "some still serve, or it is a Job"),
        ],
        limits: &[
            "When the controller has all the pods it wants.",
            "When the last refusal is older than the threshold says and no condition says that it lasts.",
        ],
        threshold: Some(CREATE_MEMORY),
        advises: &[
            ActionKind::RaiseQuota,
            ActionKind::SetResources,
            ActionKind::ManualCheck,
            ActionKind::Patch,
            ActionKind::FixWebhook,
            ActionKind::SetLimitRange,
            ActionKind::Scale,
        ],
    },
    Rule {
        id: "job-failed",
        means: "A Job gave up: its back-off limit or its deadline is reached.",
        source: "kubernetes.io/docs/concepts/workloads/controllers/job#pod-backoff-failure-policy",
        reads: &[Kind::Job],
        holds: &[Hold::Exactly(JOB, "")],
        severities: &[(Severity::Medium, "always")],
        limits: &[
            "A Job that failed longer ago than the threshold says.",
            "When a later run of the same CronJob has succeeded.",
            "Pods that fail while the Job still tries again.",
        ],
        threshold: Some(JOB_MEMORY),
        advises: &[ActionKind::RerunJob, ActionKind::Patch],
    },
];

/// Seconds that a controller's pods may be refused.
const HOLD: i64 = 5;
/// Seconds for a failed Job.
const JOB: i64 = 1;
/// A failed Job is news for this long; a CronJob's next success ends it sooner.
const JOB_MEMORY: Threshold =
    Threshold { means: "a Job that failed is told of for", unit: "hours", usual: 6, least: 1, most: 168 };
/// A refusal to create pods is current while its last event is not older than this.
const CREATE_MEMORY: Threshold =
    Threshold { means: "the last refusal is told of for", unit: "minutes", usual: 20, least: 1, most: 1440 };

/// Looks at every workload.
pub fn all(cx: &mut Context<'_>) {
    let index = cx.index;
    for o in index.all(Kind::Deployment) {
        if let Object::Deployment(d) = &**o {
            stuck(cx, d);
        }
    }
    create::all(cx);
    for o in index.all(Kind::Job) {
        if let Object::Job(j) = &**o {
            job::job(cx, j);
        }
    }
}

fn stuck(cx: &mut Context<'_>, d: &Deployment) {
    if d.spec.paused || d.metadata.deleting() {
        return;
    }
    let Some(condition) = Condition::find(&d.status.conditions, "Progressing").filter(|c| c.is_false()) else { return };
    if condition.reason.as_deref() != Some("ProgressDeadlineExceeded") {
        return;
    }
    let me = Object::Deployment(d.clone()).reference();
    let at = condition.last_transition_time.or(condition.last_update_time).unwrap_or(cx.now);
    let severity = if d.status.available_replicas == 0 && d.spec.replicas.unwrap_or(1) > 0 {
        Severity::Critical
    } else {
        Severity::Medium
    };
    let mut f = finding("deployment-stuck", me.clone(), &me, severity, at);
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
            "The new pods of {} did not become ready within the progress deadline of {deadline} s: {} of {wanted} replicas are new, and {} of {wanted} are ready, old ones included.",
            me.name, d.status.updated_replicas, d.status.ready_replicas
        ),
    );
    c.evidence = vec![item.key.clone()];
    c.needs.push("the state and log of the newest pods".into());
    f.evidence.push(item);
    f.causes.push(c);
    f.actions.extend(undo(&me, "the revision before was serving"));
    cx.report(f);
}
