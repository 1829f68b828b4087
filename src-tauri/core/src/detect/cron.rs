//! CronJobs that do not run: bad schedules, missed starts, runs that stand in each other's way.

use jiff::{SignedDuration, Timestamp};

use super::{
    Context, Hold, Rule,
    context::{cause, edit, event_evidence, finding, hold, object_evidence},
};
use crate::{
    evidence::EvidenceKind,
    finding::CauseDraft,
    object::{CronJob, Job, Kind, KubeEvent, Object, ObjectRef},
    remediation::{ActionDraft, ActionKind},
    severity::{Confidence, Severity},
    words,
};

/// The rules of this family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "cron-job-not-scheduled",
        means: "A CronJob makes no Jobs: its schedule or time zone is refused, or its starts are missed.",
        source: "CronJob controller events UnparseableSchedule, UnknownTimeZone, InvalidSchedule, TooManyMissedTimes, MissSchedule",
        reads: &[Kind::CronJob, Kind::KubeEvent],
        holds: &[Hold::Exactly(HOLD, "")],
        severities: &[(Severity::Medium, "always")],
        limits: &[
            "A CronJob that is suspended or being deleted.",
            "When it has started a Job since it was said, or it was said more than an hour ago.",
            "One missed start, unless its startingDeadlineSeconds is under 10.",
            "A schedule that never comes, such as 31 February: people write it for what they start by hand.",
        ],
        threshold: None,
        advises: &[ActionKind::Patch],
    },
    Rule {
        id: "cron-job-blocked",
        means: "A run of a CronJob does not end, and its policy lets no other start, or each run is replaced before it ends.",
        source: "kubernetes.io/docs/concepts/workloads/controllers/cron-jobs#concurrency-policy",
        reads: &[Kind::CronJob, Kind::Job, Kind::KubeEvent],
        holds: &[Hold::Exactly(HOLD, "")],
        severities: &[(Severity::Medium, "always")],
        limits: &[
            "A CronJob that is suspended or being deleted.",
            "Fewer than three starts that were skipped, or three runs that were replaced: a run may take longer than a period.",
            "When the running Job has ended.",
        ],
        threshold: None,
        advises: &[ActionKind::Patch, ActionKind::ManualCheck],
    },
];

/// Seconds.
const HOLD: i64 = 5;
/// So many skipped starts are no accident.
const SKIPPED: u32 = 3;
/// What a controller said is news for this long.
const NEWS: SignedDuration = SignedDuration::from_hours(1);

/// Looks at every CronJob.
pub fn all(cx: &mut Context<'_>) {
    let index = cx.index;
    for o in index.all(Kind::CronJob).filter(|o| !o.meta().deleting()) {
        if let Object::CronJob(c) = &**o
            && !c.spec.suspend
        {
            unscheduled(cx, c);
            blocked(cx, c);
        }
    }
}

fn unscheduled(cx: &mut Context<'_>, c: &CronJob) {
    let me = c.reference();
    let events: Vec<&KubeEvent> = cx.index.events_of(&me).into_iter().filter(|e| matters(cx, e, c)).collect();
    let schedule = &c.spec.schedule;
    let zone = c.spec.time_zone.as_deref();
    let of = |reasons: &[&str]| events.iter().rev().find(|e| reasons.contains(&e.reason())).copied();
    let said = |e: &KubeEvent| words::clip(e.message().trim_end_matches('.'), 200);
    let tight = c.spec.starting_deadline_seconds.filter(|s| *s < 10);
    let missed = of(&["MissSchedule"]).filter(|e| tight.is_some() || e.times() >= SKIPPED);
    let deadline = c.spec.starting_deadline_seconds.map_or("not set".to_owned(), |s| format!("{s} s"));
    let (rule, confidence, field, event, statement) = if let Some(e) = of(&["UnknownTimeZone"]) {
        let statement =
            format!("{me} makes no Jobs: its time zone {} is not known ({}).", zone.unwrap_or("(none)"), said(e));
        ("cron-time-zone-unknown", Confidence::Established, "spec.timeZone", Some(e), statement)
    } else if let Some(e) = of(&["UnparseableSchedule", "UnParseableCronJobSchedule", "InvalidSchedule"]) {
        let statement = format!("{me} makes no Jobs: its schedule “{schedule}” cannot be read ({}).", said(e));
        ("cron-schedule-invalid", Confidence::Established, "spec.schedule", Some(e), statement)
    } else if let Some(e) = of(&["TooManyMissedTimes", "TooManyMissedStartTimes"]) {
        let statement = format!(
            "{me} starts no Job: it has missed too many start times of its schedule “{schedule}” (more than 100; startingDeadlineSeconds is {deadline}). The controller says: {}.",
            said(e)
        );
        ("cron-starts-missed", Confidence::Established, "spec.startingDeadlineSeconds", Some(e), statement)
    } else if let Some(e) = missed {
        let why = match tight {
            Some(s) => format!("its startingDeadlineSeconds is {s}, and the controller looks only every 10 s"),
            None => format!(
                "{} were missed, its startingDeadlineSeconds is {deadline}",
                words::count(e.times() as usize, "start")
            ),
        };
        let statement =
            format!("{me} misses the starts of its schedule “{schedule}”: {why}. The controller says: {}.", said(e));
        let confidence = if tight.is_some() { Confidence::Established } else { Confidence::Likely };
        ("cron-starts-missed", confidence, "spec.startingDeadlineSeconds", Some(e), statement)
    } else {
        return;
    };
    let since = event.and_then(|e| e.first_seen()).or(c.metadata.creation_timestamp).unwrap_or_else(|| cx.now.get());
    let mut f = finding("cron-job-not-scheduled", me.clone(), &me, Severity::Medium, since);
    f.headline = "makes no Jobs".into();
    f.started_basis = if event.is_some() { "the controller's first event" } else { "creation of the CronJob" }.into();
    f.hold = hold(HOLD);
    let item = object_evidence(
        EvidenceKind::Object,
        me.clone(),
        "schedule",
        format!("{me} runs at “{schedule}”"),
        &[
            ("schedule", schedule.clone()),
            ("timeZone", zone.unwrap_or("not set").to_owned()),
            ("startingDeadlineSeconds", deadline),
            ("lastScheduleTime", c.status.last_schedule_time.map_or("never".to_owned(), |t| t.to_string())),
        ],
        since,
    );
    let mut draft = cause(rule, confidence, me.clone(), statement);
    draft.field = Some(field.into());
    draft.signs.pro = 2;
    draft.evidence = vec![item.key.clone()];
    if confidence < Confidence::Established {
        draft.needs.push("the log of kube-controller-manager".into());
    }
    f.evidence.push(item);
    if let Some(e) = event {
        let item = event_evidence(e, cx.now);
        draft.evidence.push(item.key.clone());
        f.evidence.push(item);
    }
    f.message = draft.statement.clone();
    f.causes.push(draft);
    f.actions.push(edit(ActionKind::Patch, &me, format!("put {field} right")));
    cx.report(f);
}

/// The event is news, and no Job was started since: of a start that is late the schedule's own time is written down,
/// so the Jobs themselves are asked, too.
fn matters(cx: &Context<'_>, e: &KubeEvent, c: &CronJob) -> bool {
    let Some(last) = e.last_seen().filter(|t| !cx.now.beyond(*t, NEWS)) else { return false };
    let about = last.saturating_sub(SignedDuration::from_secs(10)).unwrap_or(last);
    let made = cx.index.owned_by(&c.metadata.uid).filter_map(|o| o.meta().creation_timestamp).any(|t| t >= about);
    !made && c.status.last_schedule_time.is_none_or(|t| t < last)
}

fn blocked(cx: &mut Context<'_>, c: &CronJob) {
    let me = c.reference();
    let (draft, since, evidence, steps) = match c.spec.concurrency_policy.as_deref() {
        Some("Forbid") => match forbidden(cx, c, &me) {
            Some(found) => found,
            None => return,
        },
        Some("Replace") => match replaced(cx, c, &me) {
            Some(found) => found,
            None => return,
        },
        _ => return,
    };
    let mut f = finding("cron-job-blocked", me.clone(), &me, Severity::Medium, since);
    f.headline = "does not get its runs done".into();
    f.started_basis = "start of the run".into();
    f.hold = hold(HOLD);
    f.message = draft.statement.clone();
    f.evidence = evidence;
    f.causes.push(draft);
    f.actions = steps;
    cx.report(f);
}

type Found = (CauseDraft, Timestamp, Vec<crate::evidence::EvidenceDraft>, Vec<ActionDraft>);

/// Forbid: the running Job keeps every later one from starting.
fn forbidden(cx: &Context<'_>, c: &CronJob, me: &ObjectRef) -> Option<Found> {
    let (job, started) = running(cx, c).into_iter().min_by_key(|(j, t)| (*t, j.metadata.name.clone()))?;
    let skipped: Vec<&KubeEvent> = cx
        .index
        .events_of(me)
        .into_iter()
        .filter(|e| e.reason() == "JobAlreadyActive" && e.last_seen().is_some_and(|t| t >= started))
        .collect();
    // The event goes on counting from run to run: this one has kept from starting one a minute at most.
    let minutes = u32::try_from(cx.now.duration_since(started).as_mins()).unwrap_or(0);
    let times = skipped.iter().map(|e| e.times()).sum::<u32>().min(minutes);
    if times < SKIPPED {
        return None;
    }
    let last = skipped.last()?;
    let (evidence, keys) = items(cx, job, started, last);
    let deadline = c.spec.job_template.spec.active_deadline_seconds;
    let limit = deadline
        .map_or("has no activeDeadlineSeconds".to_owned(), |s| format!("may take {s} s (activeDeadlineSeconds)"));
    let mut draft = cause(
        "cron-run-hangs",
        Confidence::Likely,
        me.clone(),
        format!(
            "Job {} of {me} runs since {} ({}) and {limit}; concurrencyPolicy Forbid has skipped {} of schedule “{}” since then.",
            job.metadata.name,
            started.strftime("%H:%M:%S UTC"),
            words::span(cx.now.duration_since(started)),
            words::count(times as usize, "start"),
            c.spec.schedule
        ),
    );
    draft.field = Some("spec.jobTemplate.spec.activeDeadlineSeconds".into());
    draft.signs.pro = 2;
    draft.evidence = keys;
    draft.needs.push("what the running Job waits for: the log of its pod".into());
    let steps = vec![edit(ActionKind::Patch, me, "a deadline ends a run that hangs")];
    Some((draft, started, evidence, steps))
}

/// Replace: no run lives long enough to end.
fn replaced(cx: &Context<'_>, c: &CronJob, me: &ObjectRef) -> Option<Found> {
    let (job, started) = running(cx, c).into_iter().max_by_key(|(j, t)| (*t, j.metadata.name.clone()))?;
    let killed: Vec<&KubeEvent> = cx
        .index
        .events_of(me)
        .into_iter()
        .filter(|e| e.reason() == "SuccessfulDelete" && e.last_seen().is_some_and(|t| !cx.now.beyond(t, NEWS)))
        .collect();
    let first = killed.iter().filter_map(|e| e.first_seen()).min()?;
    let times: u32 = killed.iter().map(|e| e.times()).sum();
    let succeeded = c.status.last_successful_time.is_some_and(|t| t >= first);
    // The history of failed and finished Jobs is deleted with the same words.
    let history =
        cx.index.owned_by(&c.metadata.uid).any(|o| matches!(&**o, Object::Job(j) if !j.status.conditions.is_empty()));
    if times < SKIPPED || succeeded || history {
        return None;
    }
    let (evidence, keys) = items(cx, job, started, killed.last()?);
    let mut draft = cause(
        "cron-runs-replaced",
        Confidence::Likely,
        me.clone(),
        format!(
            "No run of {me} has ended since {}: concurrencyPolicy Replace stops each one when the next start of schedule “{}” comes ({}), so its runs take longer than a period.",
            first.strftime("%H:%M:%S UTC"),
            c.spec.schedule,
            words::times(times)
        ),
    );
    draft.field = Some("spec.concurrencyPolicy".into());
    draft.signs.pro = 2;
    draft.evidence = keys;
    draft.needs.push("how long a run takes".into());
    let steps = vec![edit(ActionKind::Patch, me, "a longer period, or policy Forbid")];
    Some((draft, first, evidence, steps))
}

/// The Jobs of it that run now, and since when.
fn running<'a>(cx: &Context<'a>, c: &CronJob) -> Vec<(&'a Job, Timestamp)> {
    let index = cx.index;
    index
        .owned_by(&c.metadata.uid)
        .filter_map(|o| match &**o {
            Object::Job(j) if !j.metadata.deleting() => {
                let over =
                    j.status.conditions.iter().any(|c| matches!(c.kind.as_str(), "Complete" | "Failed") && c.is_true());
                let since = j.status.start_time.or(j.metadata.creation_timestamp)?;
                (!over && !j.spec.suspend && j.status.active > 0).then_some((j, since))
            }
            _ => None,
        })
        .collect()
}

fn items(
    cx: &Context<'_>,
    job: &Job,
    started: Timestamp,
    event: &KubeEvent,
) -> (Vec<crate::evidence::EvidenceDraft>, Vec<String>) {
    let item = object_evidence(
        EvidenceKind::Object,
        job.reference(),
        "running",
        format!("Job {} runs since {started}", job.metadata.name),
        &[("startTime", started.to_string()), ("active", job.status.active.to_string())],
        started,
    );
    let said = event_evidence(event, cx.now);
    let keys = vec![item.key.clone(), said.key.clone()];
    (vec![item, said], keys)
}
