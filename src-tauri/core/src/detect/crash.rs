//! Containers that end: crash loops, memory kills, programs that cannot start.

pub(super) mod blame;
mod endless;
mod seen;
mod waits;
mod why;

pub(super) use seen::log_evidence;
use seen::status_evidence;
pub(super) use why::unmountable;

use jiff::{SignedDuration, Timestamp};

use super::{
    Context, Hold, Rule, Threshold,
    context::{Owner, finding, hold},
    rule::BY_WORKLOAD,
};
use crate::{
    finding::Finding,
    index::Now,
    logs::{self, Reading},
    object::{Condition, Container, ContainerStatus, Kind, ObjectRef, Pod, pod::Terminated},
    observation::{LogRead, LogWant},
    remediation::ActionKind,
    severity::Severity,
    words,
};

/// The rules of this family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "container-crash-loop",
        means: "A container ends with an error again and again.",
        source: "kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle: container restarts; since 1.35 the state stays `terminated` during the back-off",
        reads: &[Kind::Pod],
        holds: &[
            Hold::Exactly(FIRST, "for the first crash, which may be a start-up race, and for one after hours"),
            Hold::Exactly(0, "from the second on; the first log of the container is waited for"),
        ],
        severities: CRASHING,
        limits: &[
            "Once a container has run for twice as long as it lived before (at least 45 s, at most 10 minutes).",
            "A container that crashed once and runs again (in one look: for ten seconds longer than it lived, and not a minute), or that ran for hours before it crashed.",
            "A container that ends with exit code 0, unless its pod restarts it always and it has ended so three times.",
            "A pod of a Job that failed once: `job-failed` judges the Job.",
            "A pod that the cluster ended (evicted, preempted, its node shut down), that its controller has replaced, or that ended more than an hour ago.",
        ],
        threshold: Some(ENDS),
        advises: PUT_RIGHT,
    },
    Rule {
        id: "container-oom-killed",
        means: "A container was killed for exceeding its memory limit.",
        source: "kubernetes.io/docs/tasks/configure-pod-container/assign-memory-resource; on cgroup v1 the exit code may be 1",
        reads: &[Kind::Pod],
        holds: &[Hold::Exactly(0, "")],
        severities: CRASHING,
        limits: &[
            "Once the container has run for twice as long as it lived before (at least 45 s, at most 10 minutes).",
            "A pod of a Job that failed once: `job-failed` judges the Job.",
            "A pod that the cluster ended, that its controller has replaced, or that ended more than an hour ago.",
        ],
        threshold: Some(ENDS),
        advises: &[ActionKind::SetResources],
    },
    Rule {
        id: "container-cannot-start",
        means: "The container's command could not be started.",
        source: "kubelet: StartError, RunContainerError, CreateContainerError; exit codes 126, 127 and 128 of what wrote no log",
        reads: &[Kind::Pod],
        holds: &[Hold::Exactly(FIRST, "for the first time"), Hold::Exactly(0, "from the second on")],
        severities: CRASHING,
        limits: &[
            "Exit codes 126, 127 and 128 of a container that wrote a log: then its program did start, and the crash is `container-crash-loop`.",
            "A pod that the cluster ended, that its controller has replaced, or that ended more than an hour ago.",
        ],
        threshold: Some(ENDS),
        advises: &[ActionKind::Patch, ActionKind::SetConfigmapKey, ActionKind::CreateConfigmap],
    },
    Rule {
        id: "init-container-failing",
        means: "An init container ends with an error, so the pod's containers never start.",
        source: "kubernetes.io/docs/concepts/workloads/pods/init-containers",
        reads: &[Kind::Pod],
        holds: &[
            Hold::Exactly(FIRST, "for the first failure"),
            Hold::Exactly(0, "from the second on; the first log of the container is waited for"),
        ],
        severities: BY_WORKLOAD,
        limits: &[
            "An init container that is still running, or ended with exit code 0.",
            "A pod that the cluster ended, that its controller has replaced, or that ended more than an hour ago.",
        ],
        threshold: Some(ENDS),
        advises: PUT_RIGHT,
    },
    Rule {
        id: "init-container-waiting",
        means: "An init container runs on and on: it waits for a host that is not there, for its own pod or for a file, or has no end.",
        source: "kubernetes.io/docs/concepts/workloads/pods/init-containers: scripts that wait for a Service",
        reads: &[Kind::Pod, Kind::Service],
        holds: &[Hold::Exactly(waits::HOLD, "")],
        severities: BY_WORKLOAD,
        limits: &[
            "An init container whose host's Service has ready endpoints, and one that neither waits in a loop nor writes the same line again and again for a minute: it may be at work.",
            "Init containers that are restarted always (sidecars).",
        ],
        threshold: None,
        advises: PUT_RIGHT,
    },
];

/// What a program's last words may lead to, or the probe that ended it.
pub(super) const PUT_RIGHT: &[ActionKind] = &[
    ActionKind::SetProbe,
    ActionKind::ManualCheck,
    ActionKind::Patch,
    ActionKind::SetEnv,
    ActionKind::SetConfigmapKey,
    ActionKind::CreateConfigmap,
    ActionKind::SetResources,
    ActionKind::ExpandClaim,
    ActionKind::Scale,
    ActionKind::SetServicePort,
    ActionKind::SetServiceSelector,
    ActionKind::SetNetworkPolicy,
    ActionKind::GrantRole,
];
/// Seconds a first crash is held back: it may be a start-up race that mends itself.
const FIRST: i64 = 8;
/// How often a container must have ended before it is told.
const ENDS: Threshold =
    Threshold { means: "tells of a container that has ended at least", unit: "times", usual: 1, least: 1, most: 100 };
/// How bad a crash is: a container that keeps failing is never less than high, however many serve beside it.
const CRASHING: &[(Severity, &str)] = &[
    (Severity::Critical, "no pod of the workload is ready and steady"),
    (Severity::High, "others serve"),
    (Severity::Medium, "the pod is of a Job"),
];
/// A container that has run this long since its last death counts as well again, unless its runs usually last longer.
const STEADY: SignedDuration = SignedDuration::from_secs(45);
/// One look does not take a container for well that has not yet run this much longer than the one before it.
const JUST_STARTED: SignedDuration = SignedDuration::from_secs(10);
const STEADY_MAX: SignedDuration = SignedDuration::from_mins(10);
/// A pod that is over for good stays until it is collected: how it ended is news for this long.
const NEWS: SignedDuration = SignedDuration::from_hours(1);

/// What the last death was.
struct Death<'a> {
    ended: &'a Terminated,
    /// The restart count at which this death is logged.
    restart: u32,
    /// The dead container's log is the previous one, not the current.
    previous: bool,
    running: bool,
}

/// Looks at every container of a pod.
pub fn pod(cx: &mut Context<'_>, pod: &Pod) {
    waits::pod(cx, pod);
    let over = over(cx, pod);
    for (spec, status, init) in pod.containers() {
        let Some(status) = status else { continue };
        let ends = init && spec.restart_policy.as_deref() != Some("Always");
        // A sidecar is ended when the work is done, however it takes that.
        if init && !ends && pod.work_ended() {
            continue;
        }
        let Some(death) = death(cx.now, cx.options.waive_holds, pod, status, ends) else { continue };
        // Pods of Jobs end on purpose: one failure is the Job's to judge, unless the container is restarted in place.
        let once = status.restart_count == 0 && pod.spec.restart_policy.as_deref() == Some("Never");
        let owner = cx.owner(pod);
        if once && !init && matches!(owner.subject.kind.as_str(), "Job" | "CronJob") {
            // Its log is still worth having: the Job's finding quotes it.
            want_log(cx, pod, spec, &death);
            continue;
        }
        if over {
            continue;
        }
        report(cx, pod, spec, status, init, &death, owner);
    }
}

/// The pod is finished, and its containers' ends say nothing of how things are now: the cluster ended it, its
/// controller has replaced it, or it was long ago.
fn over(cx: &Context<'_>, pod: &Pod) -> bool {
    if !pod.finished() {
        return false;
    }
    let cluster = matches!(
        pod.status.reason.as_deref(),
        Some("Evicted" | "Terminated" | "NodeShutdown" | "Shutdown" | "Preempting" | "Preempted" | "NodeLost")
    ) || Condition::find(&pod.status.conditions, "DisruptionTarget").is_some_and(Condition::is_true);
    let ended = pod
        .status
        .container_statuses
        .iter()
        .chain(&pod.status.init_container_statuses)
        .filter_map(|s| s.state.terminated.as_ref()?.finished_at)
        .max()
        .or(pod.status.start_time);
    cluster || ended.is_some_and(|t| cx.now.beyond(t, NEWS)) || cx.serves_as_wanted(&cx.owner(pod).subject)
}

/// The death that makes a container count as failing now. One look (`glance`) cannot wait whether a container that has
/// only just been started again ends once more. A container that is to end (`ends`: init containers) has done its work
/// when it ended well, however often it had to try.
fn death<'a>(now: Now<'_>, glance: bool, pod: &Pod, status: &'a ContainerStatus, ends: bool) -> Option<Death<'a>> {
    let failed = |t: &Terminated| t.exit_code != 0 || t.reason.as_deref() == Some("OOMKilled");
    if let Some(ended) = &status.state.terminated {
        if !failed(ended) {
            // A service that ends with 0 again and again is a crash loop too.
            let looping = !ends
                && status.restart_count >= 2
                && pod.spec.restart_policy.as_deref().unwrap_or("Always") == "Always";
            return looping.then_some(Death { ended, restart: status.restart_count, previous: false, running: false });
        }
        return Some(Death { ended, restart: status.restart_count, previous: false, running: false });
    }
    let ended = status.last_state.terminated.as_ref()?;
    let waiting = status.state.waiting.as_ref().and_then(|w| w.reason.as_deref());
    if let Some(reason) = waiting {
        let backing_off = matches!(reason, "CrashLoopBackOff" | "RunContainerError" | "StartError");
        return backing_off.then_some(Death {
            ended,
            // Nothing has begun since it ended.
            restart: status.restart_count,
            previous: true,
            running: false,
        });
    }
    let since = status.state.running.as_ref().and_then(|r| r.started_at)?;
    if !failed(ended) && status.restart_count < 3 {
        return None;
    }
    // Running again: still failing while it has not outlived its usual life.
    let life = match (ended.started_at, ended.finished_at) {
        (Some(a), Some(b)) => b.duration_since(a),
        _ => SignedDuration::ZERO,
    };
    let steady = (life * 2).clamp(STEADY, STEADY_MAX);
    let usual = if life > STEADY_MAX { JUST_STARTED } else { life.min(STEADY) + JUST_STARTED };
    let again = (status.restart_count >= 2 && often(now, pod, status, ended))
        || ended.reason.as_deref() == Some("OOMKilled")
        || (glance && failed(ended) && now.within(since, usual));
    (again && now.within(since, steady)).then_some(Death {
        ended,
        restart: status.restart_count.saturating_sub(1),
        previous: true,
        running: true,
    })
}

/// It lived shortly, or it ends time and again. One that ran for hours, ended and runs again has had an accident.
fn often(now: Now<'_>, pod: &Pod, status: &ContainerStatus, ended: &Terminated) -> bool {
    let long = match (ended.started_at, ended.finished_at) {
        (Some(a), Some(b)) => b.duration_since(a) > STEADY_MAX,
        _ => false,
    };
    let young = NEWS * status.restart_count as i32;
    !long || pod.metadata.creation_timestamp.map_or(!young.is_zero(), |t| now.within(t, young))
}

/// The runtime could not start the program, which therefore wrote nothing.
fn never_ran(ended: &Terminated) -> bool {
    matches!(ended.reason.as_deref(), Some("StartError" | "ContainerCannotRun"))
}

/// Why the container of a pod that has ended for good never ran, in the runtime's own words.
pub(super) fn cannot_start(case: &blame::Case<'_, '_>, ended: &Terminated) -> Option<crate::finding::CauseDraft> {
    if !never_ran(ended) {
        return None;
    }
    let subject = &case.owner.subject;
    let mut f = finding("container-cannot-start", case.pod.reference(), subject, Severity::Low, case.died);
    why::cannot_start(case, &mut f, ended, "");
    f.causes.pop()
}

fn want_log(cx: &mut Context<'_>, pod: &Pod, spec: &Container, death: &Death<'_>) -> bool {
    if never_ran(death.ended) {
        return false;
    }
    let (container, previous, restart) = (spec.name.clone(), death.previous, death.restart);
    cx.want_whole(LogWant { pod: pod.reference(), container, previous, restart })
}

#[allow(clippy::too_many_arguments, reason = "one container's whole situation")]
fn report(
    cx: &mut Context<'_>,
    pod: &Pod,
    spec: &Container,
    status: &ContainerStatus,
    init: bool,
    death: &Death<'_>,
    owner: Owner,
) {
    let me = pod.reference();
    let ended = death.ended;
    let at = ended.finished_at.unwrap_or_else(|| cx.now.get());
    let times = deaths(status, death);
    let oom = ended.reason.as_deref() == Some("OOMKilled");
    let log = log_of(cx, pod, spec, death);
    let read = log.and_then(|l| cx.index.said(&l.want));
    // A shell that ends with such a code wrote something; what wrote nothing was never there.
    let mute = log.is_some_and(|l| l.lines.is_ok()) && read.is_none_or(|r| r.words.is_none());
    // What the program left as its last message stands in for a log that is not there or says nothing.
    let message = ended.message.as_deref().filter(|_| read.is_none_or(|r| r.words.is_none()) && !never_ran(ended));
    let message: Option<Reading> = message.map(|m| logs::read(&m.lines().map(str::to_owned).collect::<Vec<_>>()));
    let said = message.as_ref().or(read);
    let not_started = never_ran(ended) || (matches!(ended.exit_code, 126..=128) && mute);
    let rule = if oom {
        "container-oom-killed"
    } else if not_started {
        "container-cannot-start"
    } else if init {
        "init-container-failing"
    } else {
        "container-crash-loop"
    };
    // Without any log of this container the cause is a guess: the first one is waited for.
    let pending = want_log(cx, pod, spec, death) && !cx.index.answered(&pod.metadata.uid, &spec.name);
    let severity = if init { cx.workload_severity(&owner.subject) } else { severity(cx, &owner) };
    let started = first_death(cx, pod, status, at);
    let mut f = finding(rule, me.clone(), &owner.subject, severity, started);
    f.part.clone_from(&spec.name);
    f.count = times;
    f.started_basis = if times > 1 && status.restart_count > 1 {
        "earliest container termination known".into()
    } else {
        "first container termination".into()
    };
    let status_item = status_evidence(&me, spec, status, ended, at);
    f.evidence.push(status_item.clone());
    let which = if init { "Init container" } else { "Container" };
    let mut key = None;
    if let Some(l) = log {
        let item = log_evidence(cx, &me, spec, l, at);
        key = Some(item.key.clone());
        f.evidence.push(item);
    }
    for event in cx
        .index
        .events_of(&me)
        .into_iter()
        .filter(|e| e.is_warning() && matches!(e.reason(), "BackOff" | "Failed"))
        .take(2)
    {
        f.evidence.push(super::context::event_evidence(event, cx.now));
    }
    let late = pod.finished() && pod.status.reason.as_deref() == Some("DeadlineExceeded");
    if late {
        why::deadline(&mut f, pod, spec, &owner, &status_item.key);
    } else if oom {
        why::memory(cx, &mut f, pod, spec, &owner, init, times, &status_item.key);
    } else if not_started {
        let case = blame::Case { cx, pod, spec, owner: &owner, init, died: started };
        why::cannot_start(&case, &mut f, ended, &status_item.key);
    } else {
        f.headline = if init {
            format!("cannot start: init container {} keeps failing", spec.name)
        } else {
            "keeps crashing".into()
        };
        let exit = exit_words(ended);
        f.message = format!("{which} {} of {} ended with {exit}, {}", spec.name, me.name, words::times(times));
        let case = blame::Case { cx, pod, spec, owner: &owner, init, died: started };
        let status_key = status_item.key.clone();
        let ended = why::Ended { exit: &exit, terminated: ended, times, log, said, log_key: key, status_key };
        why::exits(&case, &mut f, &ended);
    }
    // The first crash of a container may be a start-up race that mends itself; the second is not.
    let first = status.restart_count == 0 || !often(cx.now, pod, status, ended);
    f.hold = if first && !oom && !death.running { hold(FIRST) } else { hold(0) };
    if times < cx.threshold(rule, &ENDS) {
        f.hold = Finding::JOINS_ONLY;
    }
    f.awaits_log = pending && !oom && !late;
    cx.report(f);
}

/// No container of the pod counts as failing now.
pub(super) fn steady(now: Now<'_>, pod: &Pod) -> bool {
    pod.status.container_statuses.iter().all(|s| death(now, false, pod, s, false).is_none())
}

/// The kubelet's brief `ready` between two crashes does not count.
fn severity(cx: &Context<'_>, owner: &Owner) -> Severity {
    let steady = owner.subject.uid.as_deref().map(|uid| cx.serving(uid).steady);
    // A container that keeps failing is never less than high, however many serve beside it; jobs are judged as jobs.
    match cx.severity_with(&owner.subject, steady) {
        Severity::Medium if !matches!(owner.subject.kind.as_str(), "Job" | "CronJob") => Severity::High,
        other => other,
    }
}

fn deaths(status: &ContainerStatus, death: &Death<'_>) -> u32 {
    if death.running || death.previous { status.restart_count.max(1) } else { status.restart_count + 1 }
}

/// The earliest death known: this container's last, or the first back-off event of the pod.
fn first_death(cx: &Context<'_>, pod: &Pod, status: &ContainerStatus, last: Timestamp) -> Timestamp {
    let events = cx.index.events_of(&pod.reference());
    let backoff = events
        .iter()
        .filter(|e| e.reason() == "BackOff" && e.message().contains("restarting failed container"))
        .filter_map(|e| e.first_seen())
        .min();
    let before = status.last_state.terminated.as_ref().and_then(|t| t.finished_at);
    [Some(last), before, backoff].into_iter().flatten().min().unwrap_or(last)
}

fn exit_words(t: &Terminated) -> String {
    match (t.signal.filter(|s| *s != 0), t.exit_code) {
        (Some(9), _) | (None, 137) => "exit code 137 (killed, SIGKILL)".into(),
        (_, 126) => "exit code 126 (a command cannot be executed)".into(),
        (_, 127) => "exit code 127 (a command was not found)".into(),
        (_, 139) => "exit code 139 (segmentation fault)".into(),
        (_, 143) => "exit code 143 (terminated, SIGTERM)".into(),
        (_, code) => format!("exit code {code}"),
    }
}

/// The log of this death; else, while it is being read, the newest earlier one.
fn log_of<'a>(cx: &Context<'a>, pod: &Pod, spec: &Container, death: &Death<'_>) -> Option<&'a LogRead> {
    let uid = &pod.metadata.uid;
    cx.index
        .log(uid, &spec.name, death.restart)
        .filter(|l| l.lines.is_ok())
        .or_else(|| cx.index.newest_log(uid, &spec.name))
        .or_else(|| cx.index.log(uid, &spec.name, death.restart))
}

/// Whether a Service has a ready endpoint; None when that is not known.
pub(super) fn endpoints_ready(cx: &Context<'_>, service: &ObjectRef) -> Option<bool> {
    cx.index.has_endpoint(service.namespace.as_deref()?, &service.name)
}
