//! Jobs that fail.

use jiff::{SignedDuration, Timestamp};

use super::super::{
    Context,
    context::{action, cause, edit, finding, hold, ns_flag, object_evidence},
    crash,
};
use super::{JOB, JOB_MEMORY};
use crate::{
    evidence::EvidenceKind,
    index::Index,
    logs::{self, Reading},
    object::{Condition, Job, Object, ObjectRef, Pod},
    remediation::ActionKind,
    severity::{Confidence, Severity},
    words,
};

pub(super) fn job(cx: &mut Context<'_>, job: &Job) {
    let Some((condition, at)) = failed(cx, job) else { return };
    if superseded(cx, job, at) {
        return;
    }
    let me = job.reference();
    let owner = cx.owner_of(&Object::Job(job.clone()));
    // The runs of a CronJob are one finding of the CronJob, told by the newest: a run each minute makes no record each.
    let runs = earlier(cx, job, at);
    if runs.iter().any(|run| *run > (at, &job.metadata.name)) {
        return;
    }
    let scheduled = owner.subject.kind == "CronJob";
    let reason = condition.reason.clone().unwrap_or_default();
    let mut f = finding("job-failed", me.clone(), &owner.subject, Severity::Medium, at);
    if scheduled {
        f.object = owner.subject.clone();
        f.count = runs.len() as u32 + 1;
        f.started_at = runs.iter().map(|(t, _)| *t).chain([at]).min().unwrap_or(at);
    }
    f.headline = "failed".into();
    f.started_basis = "Job condition Failed".into();
    f.message = format!("Job {} failed ({reason}): {}", me.name, condition.message.as_deref().unwrap_or(""));
    f.hold = hold(JOB);
    let mut item = object_evidence(
        EvidenceKind::Object,
        me.clone(),
        "job",
        format!("Job {} failed: {reason}", me.name),
        &[
            ("condition", format!("Failed=True {reason}")),
            ("message", condition.message.clone().unwrap_or_default()),
            ("backoffLimit", job.spec.backoff_limit.unwrap_or(6).to_string()),
            ("failed pods", job.status.failed.to_string()),
            ("activeDeadlineSeconds", job.spec.active_deadline_seconds.map(|s| s.to_string()).unwrap_or_default()),
        ],
        at,
    );
    if scheduled {
        // Run after run fails the same way: that is the same evidence.
        item.key = format!("object|{}|job|{}", owner.subject.key(), item.excerpt);
    }
    let mut keys = vec![item.key.clone()];
    f.evidence.push(item);
    let mut c = if reason == "DeadlineExceeded" {
        let s = job.spec.active_deadline_seconds.unwrap_or(0);
        let mut c = cause(
            "job-deadline",
            Confidence::Established,
            owner.subject.clone(),
            format!(
                "Job {} ran longer than its deadline of {s} s (activeDeadlineSeconds, DeadlineExceeded) and was stopped.",
                me.name
            ),
        );
        c.field = Some(format!("{}.activeDeadlineSeconds", if scheduled { "spec.jobTemplate.spec" } else { "spec" }));
        if let Some(why) = unstarted(cx, job) {
            c.statement.push_str(&format!(" {why}"));
        }
        c
    } else {
        let limit = job.spec.backoff_limit.unwrap_or(6);
        let mut why = String::new();
        let mut confidence = Confidence::Possible;
        let mut rule = "job-failed".to_owned();
        let (mut blamed, mut started) = (None, None);
        let index = cx.index;
        for pod in pods(index, job).into_iter().rev() {
            for (spec, status, init) in pod.containers() {
                let Some(ended) = status
                    .and_then(|s| s.state.terminated.as_ref().or(s.last_state.terminated.as_ref()))
                    .filter(|t| t.exit_code != 0)
                else {
                    continue;
                };
                let log = cx.index.newest_log(&pod.metadata.uid, &spec.name);
                let read = log.and_then(|l| cx.index.said(&l.want));
                let words_of = read.and_then(|r| r.words.as_ref()).map(|(_, w)| w);
                let of = cx.owner(pod);
                let case = crash::blame::Case { cx, pod, spec, owner: &of, init, died: at };
                let guess = |r: &Reading| {
                    let telling = r.telling && r.signals.is_empty();
                    r.words.as_ref().filter(|_| telling).and_then(|(_, w)| crash::blame::guess(&case, w))
                };
                blamed = read.and_then(|r| r.signal().map(|s| crash::blame::blame(&case, s)).or_else(|| guess(r)));
                started = crash::cannot_start(&case, ended);
                let phrase = blamed.as_ref().map(|b| format!(": {}", b.phrase)).unwrap_or_default();
                let oom = if ended.reason.as_deref() == Some("OOMKilled") { " (OOMKilled, out of memory)" } else { "" };
                let kind = if init { "init container" } else { "container" };
                why = format!(" Its {kind} {} ends with exit code {}{oom}{phrase}.", spec.name, ended.exit_code);
                if let Some(w) = words_of {
                    why.push_str(&format!(" Last words: “{w}”."));
                    confidence =
                        if read.is_some_and(|r| r.telling) { Confidence::Likely } else { Confidence::Possible };
                    "container-exits".clone_into(&mut rule);
                }
                if let Some(l) = log {
                    let mut item = crash::log_evidence(cx, &pod.reference(), spec, l, at);
                    if scheduled {
                        let said = words_of.map(|w| logs::template(w)).unwrap_or_default();
                        item.key = format!("log|{}|{}|{said}", owner.subject.key(), spec.name);
                    }
                    keys.push(item.key.clone());
                    f.evidence.push(item);
                }
                break;
            }
            if !why.is_empty() {
                break;
            }
        }
        let failed = words::times(job.status.failed.max(1) as u32);
        let said = words::clip(condition.message.as_deref().unwrap_or("").trim_end_matches('.'), 200);
        let indexes = job.status.failed_indexes.as_deref().filter(|i| !i.is_empty());
        let gave_up = match (reason.as_str(), indexes) {
            // A rule of the Job itself ended it at the first such exit, whatever its back-off limit.
            ("PodFailurePolicy", _) => format!("its podFailurePolicy ended it (PodFailurePolicy): {said}."),
            (_, Some(indexes)) => {
                let per =
                    job.spec.backoff_limit_per_index.map(|n| format!(", backoffLimitPerIndex {n}")).unwrap_or_default();
                format!("index {indexes} gave up; its pods failed {failed}{per} ({reason}).")
            }
            _ => format!("its pods failed {failed} (back-off limit {limit}, {reason})."),
        };
        let mut c = cause(&rule, confidence, owner.subject.clone(), format!("Job {} failed: {gave_up}{why}", me.name));
        c.signs.pro = 2;
        c.field = Some(match (reason.as_str(), confidence) {
            ("PodFailurePolicy", Confidence::Possible) => {
                format!("{}.podFailurePolicy", if scheduled { "spec.jobTemplate.spec" } else { "spec" })
            }
            _ => owner.pod_field("containers"),
        });
        if let Some(never) = started {
            c.statement = format!("Job {} failed: {gave_up} {}", me.name, never.statement);
            (c.rule_id, c.confidence, c.field) = (never.rule_id, never.confidence, never.field);
            (c.entity, c.referrer) = (never.entity, never.referrer);
        } else if let Some(blame) = blamed {
            c.rule_id = blame.rule;
            c.confidence = blame.confidence;
            c.entity = blame.entity;
            c.referrer = blame.referrer;
            c.field = blame.field.or(c.field);
            c.needs = blame.needs;
            for item in blame.evidence {
                keys.push(item.key.clone());
                f.evidence.push(item);
            }
        }
        if confidence < Confidence::Likely && c.confidence < Confidence::Established {
            c.needs.push("the log of a failed pod".into());
        }
        c
    };
    c.evidence.append(&mut keys);
    f.causes.push(c);
    f.actions.push(if scheduled {
        action(
            ActionKind::RerunJob,
            &owner.subject,
            "once the cause is put right, without waiting for its next run",
            "runs its work now",
            "create jobs.batch",
            format!("kubectl create job {0}-again{1} --from=cronjob/{0}", owner.subject.name, ns_flag(&me)),
        )
    } else {
        action(
            ActionKind::RerunJob,
            &me,
            "once the cause is put right",
            "replaces the failed Job and its pods by new ones",
            "delete and create jobs.batch",
            rerun(&me),
        )
    });
    let late = f.causes.first().is_some_and(|c| c.rule_id == "job-deadline");
    let because = if late { "it needs more time, or must do less" } else { "put right what its last words name" };
    let right = edit(ActionKind::Patch, &owner.subject, because);
    // A field of its own that is wrong is wrong in the next run, too.
    let first = late || f.causes.iter().take(1).any(|c| c.rule_id.starts_with("log-") && c.field.is_some());
    match scheduled && first {
        true => f.actions.insert(f.actions.len() - 1, right),
        false => f.actions.push(right),
    }
    cx.report(f);
}

/// Puts a new Job of the same specification in its place. What the API server gave to the old one (its selector, the
/// labels with its uid) must not be in the new one, or it is refused when the old one is gone already; without jq nothing
/// is sent, and nothing happens.
fn rerun(job: &ObjectRef) -> String {
    let labels =
        r#"["controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name"]"#;
    format!(
        "kubectl get job {0}{1} -o json | jq '. as $old | {{apiVersion, kind, metadata: ($old.metadata | {{name, namespace, labels, annotations, ownerReferences}}), spec: ($old.spec | del(.selector, .manualSelector))}} | del(.metadata.labels{2}?, .spec.template.metadata.labels{2}?)' | kubectl replace --force -f -",
        job.name,
        ns_flag(job),
        labels
    )
}

/// The pods of a Job, those that are gone first: a Job that gives up deletes what still runs.
fn pods<'a>(index: &'a Index, job: &Job) -> Vec<&'a Pod> {
    let mine = |p: &Pod| p.metadata.controller().is_some_and(|o| o.uid == job.metadata.uid);
    let gone = index.graves().filter_map(|(_, o)| match &**o {
        Object::Pod(p) if mine(p) => Some(p),
        _ => None,
    });
    gone.chain(index.pods_of(&job.metadata.uid)).collect()
}

/// Why the pods of a Job that ran out of time never ran.
fn unstarted(cx: &Context<'_>, job: &Job) -> Option<String> {
    let index = cx.index;
    pods(index, job).into_iter().rev().find_map(|pod| {
        let waiting = pod.containers().find_map(|(spec, status, _)| {
            let waiting = status?.state.waiting.as_ref()?;
            let reason =
                waiting.reason.as_deref().filter(|r| !matches!(*r, "PodInitializing" | "ContainerCreating"))?;
            let said = waiting.message.as_deref().map(|m| format!(": {}", words::clip(m, 160))).unwrap_or_default();
            Some(format!("Its container {} never ran ({reason}{said}).", spec.name))
        });
        let unplaced = Condition::find(&pod.status.conditions, "PodScheduled").filter(|c| c.is_false()).map(|c| {
            format!(
                "Its pod was never placed on a node: {}.",
                words::clip(c.message.as_deref().unwrap_or("").trim_end_matches('.'), 200)
            )
        });
        waiting.or(unplaced)
    })
}

/// The condition that says the Job failed, and since when, while that is news.
fn failed<'j>(cx: &Context<'_>, job: &'j Job) -> Option<(&'j Condition, Timestamp)> {
    let condition = Condition::find(&job.status.conditions, "Failed").filter(|c| c.is_true())?;
    let at = condition.last_transition_time.unwrap_or_else(|| cx.now.get());
    let news = SignedDuration::from_hours(i64::from(cx.threshold("job-failed", &JOB_MEMORY)));
    (cx.now.duration_since(at) <= news && !job.metadata.deleting()).then_some((condition, at))
}

/// The other failed runs of the same CronJob: when, and their names.
fn earlier<'a>(cx: &Context<'a>, job: &Job, at: Timestamp) -> Vec<(Timestamp, &'a String)> {
    let Some(owner) = job.metadata.controller() else { return Vec::new() };
    let index = cx.index;
    index
        .owned_by(&owner.uid)
        .filter_map(|o| match &**o {
            Object::Job(other) if other.metadata.uid != job.metadata.uid => {
                let (_, when) = failed(cx, other)?;
                // Between the two nothing has succeeded, else the earlier one is history.
                (when >= at || !superseded(cx, other, when)).then_some((when, &other.metadata.name))
            }
            _ => None,
        })
        .collect()
}

/// A later Job of the same CronJob succeeded: the failure is history.
fn superseded(cx: &Context<'_>, job: &Job, at: Timestamp) -> bool {
    let Some(owner) = job.metadata.controller() else { return false };
    cx.index.owned_by(&owner.uid).any(|o| match &**o {
        Object::Job(other) => {
            other.metadata.uid != job.metadata.uid && other.status.completion_time.is_some_and(|t| t > at)
        }
        _ => false,
    })
}
