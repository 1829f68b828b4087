//! Workloads: roll-outs that stand still, pods that are never made, jobs that fail.

mod job;

use std::sync::LazyLock;

use jiff::SignedDuration;
use regex::Regex;

use super::{
    Context, Hold, Rule, Threshold,
    context::{action, cause, edit, event_evidence, finding, hold, ns_flag, object_evidence, undo},
};
use crate::{
    evidence::EvidenceKind,
    finding::CauseDraft,
    object::{Condition, Deployment, Kind, KubeEvent, Object, ObjectRef},
    remediation::{ActionDraft, ActionKind},
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
        limits: &["A Deployment that is paused.", "A roll-out that makes progress, however slow."],
        threshold: None,
        advises: &[ActionKind::RolloutUndo],
    },
    Rule {
        id: "pods-not-created",
        means: "A controller cannot make its pods: quota, limits, admission or a missing service account.",
        source: "controller-manager event FailedCreate; ReplicaSet condition ReplicaFailure",
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
    for kind in [Kind::ReplicaSet, Kind::StatefulSet, Kind::DaemonSet, Kind::Job] {
        for o in index.told_of(kind) {
            if !o.meta().deleting() {
                not_created(cx, o);
            }
        }
    }
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

fn not_created(cx: &mut Context<'_>, o: &Object) {
    let me = o.reference();
    let events = cx.index.events_of(&me);
    let failing: Vec<&KubeEvent> =
        events.iter().copied().filter(|e| e.is_warning() && e.reason() == "FailedCreate").collect();
    let Some(last) = failing.last() else { return };
    let seen = last.last_seen().unwrap_or(cx.now);
    let (short, failure_condition) = match o {
        Object::ReplicaSet(r) => (
            r.spec.replicas.unwrap_or(1) > r.status.replicas,
            Condition::find(&r.status.conditions, "ReplicaFailure").is_some_and(Condition::is_true),
        ),
        Object::StatefulSet(s) => (s.spec.replicas.unwrap_or(1) > s.status.replicas, false),
        Object::DaemonSet(d) => {
            (cx.index.owned_by(&d.metadata.uid).count() < d.status.desired_number_scheduled as usize, false)
        }
        Object::Job(j) => {
            let finished =
                j.status.conditions.iter().any(|c| matches!(c.kind.as_str(), "Complete" | "Failed") && c.is_true());
            (
                !finished
                    && !j.spec.suspend
                    && j.status.active == 0
                    && j.status.succeeded < j.spec.completions.unwrap_or(1),
                false,
            )
        }
        _ => (false, false),
    };
    let lately = SignedDuration::from_mins(i64::from(cx.threshold("pods-not-created", &CREATE_MEMORY)));
    let current = failure_condition || (short && cx.now.duration_since(seen) <= lately);
    if !current {
        return;
    }
    let owner = cx.owner_of(o);
    let message = last.message().to_owned();
    let started = failing.iter().filter_map(|e| e.first_seen()).min().unwrap_or(seen);
    let serving = owner.subject.uid.as_deref().is_some_and(|uid| cx.serving(uid).ready > 0);
    let severity = match owner.subject.kind.as_str() {
        "Job" | "CronJob" => Severity::Medium,
        _ if serving => Severity::Medium,
        _ => Severity::Critical,
    };
    let mut f = finding("pods-not-created", me.clone(), &owner.subject, severity, started);
    f.headline = "cannot create its pods".into();
    f.started_basis = "first refused pod".into();
    f.count = failing.iter().map(|e| e.times()).sum();
    f.hold = hold(HOLD);
    f.message = format!("{} cannot create pods: {}", me, words::clip(&message, 260));
    let item = event_evidence(last, cx.now);
    let (mut c, steps) = refusal(cx, &owner.subject, &owner, &message);
    c.evidence.insert(0, item.key.clone());
    f.evidence.push(item);
    // The quota's own numbers, live.
    if c.entity.kind == "ResourceQuota"
        && let Some(Object::ResourceQuota(q)) = cx.index.resolve(&c.entity).map(|o| &**o)
    {
        let lines: Vec<(String, String)> = q
            .status
            .hard
            .iter()
            .map(|(k, v)| {
                (k.clone(), format!("{} used of {v}", q.status.used.get(k).map_or("0".to_owned(), ToString::to_string)))
            })
            .collect();
        let lines: Vec<(&str, String)> = lines.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
        let item = object_evidence(
            EvidenceKind::Object,
            c.entity.clone(),
            "quota",
            format!("ResourceQuota {}", c.entity.name),
            &lines,
            cx.now,
        );
        c.evidence.push(item.key.clone());
        f.evidence.push(item);
    }
    f.causes.push(c);
    f.actions.extend(steps);
    cx.report(f);
}

/// Why the API server refuses a pod, by its own words.
fn refusal(
    cx: &Context<'_>,
    subject: &ObjectRef,
    owner: &super::context::Owner,
    message: &str,
) -> (CauseDraft, Vec<ActionDraft>) {
    static QUOTA: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"exceeded quota: ([^,]+), requested: (.+), used: (.+), limited: (.+?)\s*$").ok());
    static MUST: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"failed quota: ([^:]+): must specify (.+?)\s*$").ok());
    static ACCOUNT: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"serviceaccount "([^"]+)" not found"#).ok());
    static WEBHOOK: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"admission webhook "([^"]+)" denied the request:? ?(.*)|failed calling webhook "([^"]+)":? ?(.*)"#)
            .ok()
    });
    static LIMIT: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"((?:maximum|minimum) \w[\w-]* usage per \w+ is [^,\]]+(?:, but (?:limit|request) is [^,\]]+)?|[\w-]+ max limit to request ratio[^,\]]*)").ok()
    });
    let ns = subject.namespace.as_deref();
    let find = |r: &LazyLock<Option<Regex>>| r.as_ref().and_then(|r| r.captures(message));
    let tail = words::clip(message.split_once(" is forbidden: ").map_or(message, |(_, t)| t), 260);
    if let Some(m) = find(&QUOTA) {
        let entity = named(cx, Kind::ResourceQuota, ns, &m[1]);
        let mut c = cause(
            "quota-exceeded",
            Confidence::Established,
            entity.clone(),
            format!(
                "ResourceQuota {} is exceeded: {subject} requests {}, used are {}, limited to {}.",
                &m[1], &m[2], &m[3], &m[4]
            ),
        );
        c.field = Some("spec.hard".into());
        c.referrer = Some(subject.clone());
        let raise = action(
            ActionKind::RaiseQuota,
            &entity,
            format!("{subject} fits then"),
            "the namespace may use more",
            "patch resourcequotas",
            format!("kubectl edit resourcequota {}{}", &m[1], ns_flag(subject)),
        );
        return (c, vec![raise, edit(ActionKind::SetResources, subject, "or it asks for less")]);
    }
    if let Some(m) = find(&MUST) {
        let mut c = cause(
            "quota-needs-resources",
            Confidence::Established,
            subject.clone(),
            format!(
                "ResourceQuota {} demands that every container specifies {}, and {subject} does not (must specify {}).",
                &m[1], &m[2], &m[2]
            ),
        );
        c.field = Some(owner.pod_field("containers[].resources"));
        return (c, vec![edit(ActionKind::SetResources, subject, format!("it must set {}", &m[2]))]);
    }
    if let Some(m) = find(&ACCOUNT) {
        let name = m[1].rsplit('/').next().unwrap_or(&m[1]).to_owned();
        let entity = named(cx, Kind::ServiceAccount, ns, &name);
        let mut c = cause(
            "service-account-missing",
            Confidence::Established,
            entity.clone(),
            format!(
                "ServiceAccount {name} does not exist (not found) in namespace {}; the pods of {subject} are to run under it.",
                ns.unwrap_or("")
            ),
        );
        c.referrer = Some(subject.clone());
        c.field = Some(owner.pod_field("serviceAccountName"));
        let make = action(
            ActionKind::ManualCheck,
            &entity,
            format!("{subject} waits for it"),
            "none for what runs already",
            "create serviceaccounts",
            format!("kubectl create serviceaccount {name}{}", ns_flag(subject)),
        );
        return (c, vec![make, edit(ActionKind::Patch, subject, "or it names an account that exists")]);
    }
    if let Some(m) = find(&WEBHOOK) {
        let called = m.get(3).is_some();
        let name = m.get(1).or(m.get(3)).map_or("", |g| g.as_str());
        let why = m.get(2).or(m.get(4)).map_or("", |g| g.as_str());
        let (rule, entity, statement) = if called {
            let hook = ObjectRef {
                api_version: "admissionregistration.k8s.io/v1".into(),
                kind: "ValidatingWebhookConfiguration".into(),
                namespace: None,
                name: name.to_owned(),
                uid: None,
            };
            (
                "webhook-unreachable",
                hook,
                format!(
                    "Admission webhook {name} cannot be called, so the pods of {subject} are refused: {}",
                    words::clip(why, 220)
                ),
            )
        } else {
            (
                "admission-denied",
                subject.clone(),
                format!("Admission webhook {name} denies the pods of {subject}: {}", words::clip(why, 220)),
            )
        };
        let mut c =
            cause(rule, if called { Confidence::Likely } else { Confidence::Established }, entity.clone(), statement);
        c.signs.pro = 2;
        c.referrer = Some(subject.clone());
        return (
            c,
            vec![edit(
                if called { ActionKind::FixWebhook } else { ActionKind::Patch },
                if called { &entity } else { subject },
                "the refusal names the rule",
            )],
        );
    }
    if let Some(m) = find(&LIMIT) {
        let range = ns.and_then(|ns| cx.index.in_namespace(Kind::LimitRange, ns).next()).map(|o| o.reference());
        let name = range.as_ref().map_or(String::new(), |r| format!(" of LimitRange {}", r.name));
        let mut c = cause(
            "limit-range-violated",
            Confidence::Established,
            subject.clone(),
            format!("{subject} breaks the limits{name}: {}.", &m[1]),
        );
        c.field = Some(owner.pod_field("containers[].resources"));
        c.referrer = range.clone();
        let mut steps =
            vec![edit(ActionKind::SetResources, subject, "it must stay within the limits of its namespace")];
        steps.extend(range.map(|r| edit(ActionKind::SetLimitRange, &r, "or the limits must allow it")));
        return (c, steps);
    }
    if message.contains("violates PodSecurity") {
        let mut c = cause(
            "pod-security-violated",
            Confidence::Established,
            subject.clone(),
            format!("The pods of {subject} are refused by Pod Security admission: {tail}"),
        );
        c.field = Some(owner.pod_field("securityContext"));
        return (c, vec![edit(ActionKind::Patch, subject, "its security settings must satisfy the namespace's level")]);
    }
    if message.contains("PriorityClass") {
        let mut c = cause(
            "priority-class-missing",
            Confidence::Established,
            subject.clone(),
            format!("The pods of {subject} are refused: {tail}"),
        );
        c.field = Some(owner.pod_field("priorityClassName"));
        return (c, vec![edit(ActionKind::Patch, subject, "its priority class must exist")]);
    }
    let c = cause(
        "pod-refused",
        Confidence::Established,
        subject.clone(),
        format!("The API server refuses the pods of {subject}: {tail}"),
    );
    (c, vec![edit(ActionKind::Patch, subject, "the refusal names what must change")])
}

fn named(cx: &Context<'_>, kind: Kind, ns: Option<&str>, name: &str) -> ObjectRef {
    cx.index.get(kind, ns, name).map_or_else(|| ObjectRef::missing(kind, ns, name), |o| o.reference())
}
