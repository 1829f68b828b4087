//! Workloads: roll-outs that stand still, pods that are never made, jobs that fail.

mod create;
mod job;
mod kept;
mod refusal;
pub mod rollout;

use super::{Context, Hold, Rule, Threshold};
use crate::{
    object::{Kind, Object},
    remediation::ActionKind,
    severity::Severity,
};

/// The rules of this family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "pods-not-created",
        means: "A controller cannot make its pods: quota, limits, admission, a webhook that does not answer, a missing service account.",
        source: "controller-manager events FailedCreate and ReplicaSetCreateError; ReplicaSet condition ReplicaFailure",
        reads: &[Kind::ReplicaSet, Kind::KubeEvent],
        holds: &[
            Hold::Exactly(HOLD, ""),
            Hold::Exactly(
                GOING,
                "while pods of the namespace are going that its quota still counts, or just went, or it has room again",
            ),
            Hold::JoinsOnly("in one look, for so long"),
        ],
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
    Rule {
        id: "job-kept-running",
        means: "A Job's work is done, but a helper beside it in its pod runs on, so the Job never completes.",
        source: "kubernetes.io/docs/concepts/workloads/pods/sidecar-containers#jobs-with-sidecar-containers",
        reads: &[Kind::Job, Kind::Pod],
        holds: &[
            Hold::Exactly(KEPT, ""),
            Hold::JoinsOnly("at one look, before that time is up, or where what is left may be at work"),
        ],
        severities: &[(Severity::Medium, "always")],
        limits: &[
            "A container counts as a helper by its name, its image, a probe or a declared port; another one may have more to do.",
            "A container that failed, or was restarted: that has a rule of its own.",
            "Init containers that stay (sidecars): they end with the others by themselves.",
        ],
        threshold: None,
        advises: &[ActionKind::Patch],
    },
];

/// Seconds that a controller's pods may be refused.
const HOLD: i64 = 5;
/// Seconds while pods are going whose place they may get.
const GOING: i64 = 30;
/// Seconds that a helper may take to end after the work is done.
const KEPT: i64 = 60;
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
    rollout::all(cx);
    create::all(cx);
    for o in index.all(Kind::Job) {
        if let Object::Job(j) = &**o {
            job::job(cx, j);
            kept::job(cx, j);
        }
    }
}
