//! Probes: readiness, liveness and start-up, judged after their own budget.

mod command;
mod explained;
mod listening;
mod slow;
mod verdict;

use jiff::{SignedDuration, Timestamp};

use self::{
    explained::{log, log_item},
    slow::{AT_WORK, never_asked},
    verdict::{Case, verdict},
};
use super::{
    Context, Hold, Rule, Threshold,
    context::{cause, edit, event_evidence, evidence, finding, hold},
    crash,
    rule::BY_WORKLOAD,
};
use crate::{
    evidence::EvidenceKind,
    finding::{CauseDraft, Finding},
    object::{
        Condition, Container, ContainerStatus, Kind, KubeEvent, Pod,
        pod::{Probe, Terminated},
    },
    observation::LogWant,
    remediation::ActionKind,
    severity::Confidence,
    words,
};

/// The rules of this family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "readiness-failing",
        means: "A running container does not pass its readiness probe within the probe's own budget.",
        source: "kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes",
        reads: &[Kind::Pod, Kind::KubeEvent],
        holds: &[
            Hold::Exactly(LOST, "for a pod that was ready before"),
            Hold::AtMost(
                BUDGET_MAX,
                "for a new pod: the budget of its own probes (initial delay + period × failures, at least 10 s; 30 s where the connection is refused or a file is awaited and nothing else is wrong; a minute where the kubelet has said nothing; two where its log tells of work that a start takes)",
            ),
        ],
        severities: BY_WORKLOAD,
        limits: &[
            "Before the container's start-up probe has passed.",
            "For a minute after the container crashed: that is `container-crash-loop`.",
            "One look (`scan`) tells it of a new pod only where the kubelet has said that the probe fails.",
        ],
        threshold: None,
        advises: crash::PUT_RIGHT,
    },
    Rule {
        id: "liveness-failing",
        means: "The kubelet restarts a container because its liveness probe fails.",
        source: "kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes",
        reads: &[Kind::Pod, Kind::KubeEvent],
        holds: &[Hold::Exactly(0, "")],
        severities: BY_WORKLOAD,
        limits: &[
            "Failed probes after which the kubelet restarted nothing.",
            "Five minutes after the last restart by the probe, or after twice the probe's budget and 30 s where that is longer.",
            "Sooner, when the container is ready again and has outlived that budget, or 45 s, twice over.",
        ],
        threshold: Some(RESTARTS),
        advises: crash::PUT_RIGHT,
    },
    Rule {
        id: "startup-failing",
        means: "The kubelet restarts a container because its start-up probe fails, or waits for ever because it cannot be asked.",
        source: "kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes",
        reads: &[Kind::Pod, Kind::KubeEvent],
        holds: &[Hold::Exactly(0, ""), Hold::Exactly(UNASKED, "where its command cannot be run")],
        severities: BY_WORKLOAD,
        limits: &[
            "Failed probes after which the kubelet restarted nothing, but where they cannot be asked at all.",
            "Five minutes after the last restart by the probe, or after twice the probe's budget and 30 s where that is longer.",
            "Sooner, when the container is ready again and has outlived that budget, or 45 s, twice over.",
        ],
        threshold: Some(RESTARTS),
        advises: crash::PUT_RIGHT,
    },
    Rule {
        id: "readiness-gate-unmet",
        means: "Every container is ready, but a readiness gate of the pod is not set.",
        source: "kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle#pod-readiness-gate",
        reads: &[Kind::Pod],
        holds: &[Hold::Exactly(GATE_PATIENCE, ""), Hold::Exactly(BALANCER_PATIENCE, "where a load balancer sets it")],
        severities: BY_WORKLOAD,
        limits: &["Pods with a container that is not ready: that has a rule of its own."],
        threshold: None,
        advises: &[ActionKind::Patch, ActionKind::ManualCheck],
    },
];

/// Seconds that a start-up probe may be one that cannot be asked: a container that only just runs.
const UNASKED: i64 = 10;
/// The kubelet tells of a failing probe this often at least, once it has told often.
const EVENTS: SignedDuration = SignedDuration::from_mins(6);
/// Seconds that a pod which was ready may be unready.
const LOST: i64 = 5;
/// Seconds: no probe's budget is waited for longer.
const BUDGET_MAX: i64 = 600;
/// Seconds that whoever sets a readiness gate may take.
const GATE_PATIENCE: i64 = 45;
/// The same for a load balancer, which takes a pod in only after health checks of its own.
const BALANCER_PATIENCE: i64 = 180;

/// How often the probe must have had its container restarted before it is told.
const RESTARTS: Threshold = Threshold {
    means: "tells of a container that was restarted at least",
    unit: "times",
    usual: 1,
    least: 1,
    most: 100,
};
/// Kills by a probe are news for this long after the last one.
const KILL_MEMORY: SignedDuration = SignedDuration::from_mins(5);

/// Looks at the probes of every container.
pub fn pod(cx: &mut Context<'_>, pod: &Pod) {
    if pod.finished() || pod.spec.node_name.is_none() {
        return;
    }
    gates(cx, pod);
    for (spec, status, init) in pod.containers() {
        // Of the init containers only those that stay (sidecars) have probes.
        if init && spec.restart_policy.as_deref() != Some("Always") {
            continue;
        }
        let Some(status) = status else { continue };
        if spec.liveness_probe.is_some() || spec.startup_probe.is_some() {
            killed(cx, pod, spec, status, init);
        }
        readiness(cx, pod, spec, status, init);
    }
}

/// Readiness gates that controllers of load balancers put in: no template has them.
const BALANCERS: &[&str] = &["target-health.", "cloud.google.com/"];

fn gates(cx: &mut Context<'_>, pod: &Pod) {
    let conditions = &pod.status.conditions;
    let containers = Condition::find(conditions, "ContainersReady").filter(|c| c.is_true());
    let (Some(containers), false) = (containers, pod.ready()) else { return };
    let unmet: Vec<String> = pod
        .spec
        .readiness_gates
        .iter()
        .map(|g| g.condition_type.clone())
        .filter(|g| !Condition::find(conditions, g).is_some_and(Condition::is_true))
        .collect();
    if unmet.is_empty() {
        return;
    }
    let me = pod.reference();
    let owner = cx.owner(pod);
    let since = containers.last_transition_time.unwrap_or_else(|| cx.now.get());
    let mut f =
        finding("readiness-gate-unmet", me.clone(), &owner.subject, cx.workload_severity(&owner.subject), since);
    f.headline = "does not become ready: a readiness gate is not set".into();
    f.started_basis = "containers ready since".into();
    f.message =
        format!("Every container of {} is ready, but its readiness gate {} is not", me.name, words::list(&unmet, 3));
    let balancer = unmet.iter().any(|g| BALANCERS.iter().any(|b| g.starts_with(b)));
    f.hold = hold(if balancer { BALANCER_PATIENCE } else { GATE_PATIENCE });
    let item = evidence(
        EvidenceKind::PodStatus,
        format!("gate|{}|{}", me.uid.as_deref().unwrap_or(&me.name), unmet.join(",")),
        since,
        me.clone(),
        format!("{}: containers ready, readiness gate {} not True", me.name, words::list(&unmet, 3)),
        conditions
            .iter()
            .map(|c| format!("{}: {}", c.kind, c.status))
            .chain(unmet.iter().map(|g| format!("readiness gate {g}: not True")))
            .collect::<Vec<_>>()
            .join("\n"),
    );
    let ready = format!(
        "Every container of {} is ready, but readiness gate {} is not set to True, so its pods never count as ready and no roll-out can progress",
        owner.subject,
        words::list(&unmet, 3)
    );
    let mut c = if balancer {
        let text = format!("{ready}: the load balancer does not take the pod in, or its controller does not run.");
        cause("readiness-gate-unmet", Confidence::Likely, owner.subject.clone(), text)
    } else {
        cause("readiness-gate-unmet", Confidence::Established, owner.subject.clone(), format!("{ready}."))
    };
    if balancer {
        c.needs.push("the health of its target, and the log of the load balancer's controller".into());
        let why = "its target group or its controller's log says why";
        f.actions.push(edit(ActionKind::ManualCheck, &owner.subject, why));
    } else {
        c.field = Some(owner.pod_field("readinessGates"));
        f.actions.push(edit(ActionKind::Patch, &owner.subject, "whoever sets the gate must run, or the gate must go"));
    }
    c.evidence = vec![item.key.clone()];
    f.evidence.push(item);
    f.causes.push(c);
    cx.report(f);
}

fn of_container<'e>(events: &[&'e KubeEvent], spec: &Container, words: &str) -> Vec<&'e KubeEvent> {
    let path = format!("{{{}}}", spec.name);
    events
        .iter()
        .copied()
        .filter(|e| e.reason() == "Unhealthy" && e.message().to_lowercase().contains(words))
        .filter(|e| e.involved_object.field_path.as_deref().is_none_or(|p| p.ends_with(&path)))
        .collect()
}

/// The kubelet's words that it restarts the container because of this probe.
fn kills<'e>(events: &[&'e KubeEvent], pod: &Pod, spec: &Container, word: &str) -> Vec<&'e KubeEvent> {
    let failed = format!(" failed {word}");
    let of_it = |event: &KubeEvent| {
        let Some((before, _)) = event.message().split_once(&failed) else { return false };
        let named = before.rsplit(' ').next().unwrap_or("");
        match pod.containers().any(|(c, _, _)| c.name == named) {
            true => named == spec.name,
            // Some runtimes name it by an id.
            false => pod.containers().count() == 1,
        }
    };
    events.iter().copied().filter(|e| e.reason() == "Killing" && of_it(e)).collect()
}

/// A probe had the kubelet end this run of the container, so that how it ended says nothing of the program.
pub(super) fn ended(cx: &Context<'_>, pod: &Pod, spec: &Container, run: &Terminated) -> bool {
    let Some(end) = run.finished_at else { return false };
    let grace = pod.spec.termination_grace_period_seconds.unwrap_or(30);
    let events = cx.index.events_of(&pod.reference());
    ["liveness probe", "startup probe"]
        .iter()
        .flat_map(|word| kills(&events, pod, spec, word))
        .filter_map(KubeEvent::last_seen)
        .any(|told| (-5..=grace + 10).contains(&end.duration_since(told).as_secs()))
}

fn killed(cx: &mut Context<'_>, pod: &Pod, spec: &Container, status: &ContainerStatus, init: bool) {
    let me = pod.reference();
    let events = cx.index.events_of(&me);
    for (rule, word, probe) in [
        ("liveness-failing", "liveness probe", spec.liveness_probe.as_ref()),
        ("startup-failing", "startup probe", spec.startup_probe.as_ref()),
    ] {
        let Some(probe) = probe else { continue };
        let kill = kills(&events, pod, spec, word);
        let unhealthy = of_container(&events, spec, word);
        // A probe that cannot be asked never fails, so that the kubelet ends nothing and waits for ever.
        let unasked = kill.is_empty() && rule == "startup-failing" && never_asked(cx.now, status, &unhealthy);
        let telling = if unasked { &unhealthy } else { &kill };
        let Some(last) = telling.iter().filter_map(|e| e.last_seen()).max() else { continue };
        // A container that has been up for long since the last kill is well again.
        let up = status.state.running.as_ref().and_then(|r| r.started_at);
        let budget = SignedDuration::from_secs(probe.budget_seconds() + 30);
        let well = cx.now.beyond(last, KILL_MEMORY.max(budget * 2))
            || (cx.now.beyond(last, budget.max(SignedDuration::from_secs(45)) * 2) && up.is_some() && status.ready);
        if well {
            continue;
        }
        let owner = cx.owner(pod);
        let first = unhealthy.iter().chain(&kill).filter_map(|e| e.first_seen()).min().unwrap_or(last);
        let times = kill.iter().map(|e| e.times()).max().unwrap_or(1).max(status.restart_count);
        let mut f = finding(rule, me.clone(), &owner.subject, cx.workload_severity(&owner.subject), first);
        f.part.clone_from(&spec.name);
        f.count = times;
        f.started_basis = format!("first failed {word}");
        if unasked {
            f.headline = "does not start: its startup probe cannot be asked".into();
            f.message = format!(
                "Container {} of {} runs, but its {word} cannot be asked ({})",
                spec.name,
                me.name,
                probe.describe()
            );
            f.hold = hold(UNASKED);
        } else {
            f.headline = format!("is restarted by its {word}");
            f.message = format!(
                "Container {} of {} was restarted {} because its {word} fails ({})",
                spec.name,
                me.name,
                words::times(times),
                probe.describe()
            );
            f.hold = if times < cx.threshold(rule, &RESTARTS) { Finding::JOINS_ONLY } else { hold(0) };
        }
        state(&mut f, pod, spec, status, last);
        let said = said(&unhealthy);
        let mut keys = push_events(cx, &mut f, unhealthy.iter().rev().take(2).chain(kill.last()).copied());
        keys.extend(f.evidence.first().map(|e| e.key.clone()));
        let field = if rule == "liveness-failing" { "livenessProbe" } else { "startupProbe" };
        let case = Case {
            pod,
            owner: &owner,
            spec,
            init,
            status,
            probe,
            word,
            field,
            said,
            kills: if unasked { 0 } else { times },
            log: log(cx, pod, spec),
        };
        judge(cx, &mut f, &case, keys);
        want_current(cx, pod, spec, status, first);
        cx.report(f);
    }
}

fn readiness(cx: &mut Context<'_>, pod: &Pod, spec: &Container, status: &ContainerStatus, init: bool) {
    let Some(since) = status.state.running.as_ref().and_then(|r| r.started_at) else { return };
    let Some(probe) = &spec.readiness_probe else { return };
    if status.ready
        || status.restart_count > 0
            && status.last_state.terminated.as_ref().is_some_and(|t| {
                cx.now.within(t.finished_at.unwrap_or(since), SignedDuration::from_secs(60)) && t.exit_code != 0
            })
    {
        return;
    }
    // Before the start-up probe has passed, readiness is not asked.
    if spec.startup_probe.is_some() && status.started == Some(false) {
        return;
    }
    let me = pod.reference();
    let owner = cx.owner(pod);
    let condition = Condition::find(&pod.status.conditions, "Ready");
    let unready_since =
        condition.filter(|c| c.is_false()).and_then(|c| c.last_transition_time).unwrap_or(since).max(since);
    let events = cx.index.events_of(&me);
    let was_ready = unready_since.duration_since(since) > SignedDuration::from_secs(5);
    let mut unhealthy = of_container(&events, spec, "readiness probe");
    if was_ready {
        // What was said while it started, before it was ready, is not why it is unready now.
        let failing = probe.budget_seconds() - probe.initial_delay_seconds.unwrap_or(0);
        let failing = SignedDuration::from_secs(failing + 10);
        // Of one that is told often the kubelet tells more seldom.
        let seldom = |e: &KubeEvent, t: Timestamp| e.times() >= 20 && cx.now.within(t, EVENTS);
        unhealthy.retain(|e| {
            e.last_seen().is_some_and(|t| t >= since && (unready_since.duration_since(t) <= failing || seldom(e, t)))
        });
    }
    let mut f =
        finding("readiness-failing", me.clone(), &owner.subject, cx.workload_severity(&owner.subject), unready_since);
    f.part.clone_from(&spec.name);
    f.count = unhealthy.iter().map(|e| e.times()).sum::<u32>().max(1);
    f.headline = "does not become ready".into();
    f.started_basis = "pod not ready since".into();
    f.message = format!(
        "Container {} of {} runs but is not ready: its readiness probe fails ({})",
        spec.name,
        me.name,
        probe.describe()
    );
    // The probe's own budget: what it may take before the kubelet itself calls it failed; a start-up probe adds its own.
    let startup = spec.startup_probe.as_ref().map_or(0, Probe::budget_seconds);
    let budget = if was_ready {
        LOST
    } else {
        let usual = 2 * owner.subject.uid.as_deref().map_or(0, |uid| cx.usual_start(uid, &spec.name));
        probe.budget_seconds().max(10).max(usual) + if status.started == Some(true) { 0 } else { startup }
    };
    f.hold = hold(budget.min(BUDGET_MAX));
    // One look waives the budget only where the kubelet has said that the probe fails.
    if cx.options.waive_holds && unhealthy.is_empty() && !was_ready && !cx.is_due(&f) {
        return;
    }
    state(&mut f, pod, spec, status, unready_since);
    let said = said(&unhealthy);
    let mut keys = push_events(cx, &mut f, unhealthy.iter().rev().take(2).copied());
    keys.extend(f.evidence.first().map(|e| e.key.clone()));
    let (word, field, log) = ("readiness probe", "readinessProbe", log(cx, pod, spec));
    let case = Case { pod, owner: &owner, spec, init, status, probe, word, field, said, kills: 0, log };
    judge(cx, &mut f, &case, keys);
    // Within its budget a container is only starting: it has written next to nothing, and is nobody's business yet.
    if cx.options.waive_holds || cx.is_due(&f) {
        want_current(cx, pod, spec, status, unready_since);
    }
    if !was_ready && status.restart_count == 0 {
        let usual = case.usual_start(f.causes.first().map_or("", |c| c.rule_id.as_str()), unhealthy.is_empty());
        f.hold = f.hold.max(hold(usual));
        if usual == AT_WORK {
            cx.ordinary_until_due(&mut f);
        }
    }
    // Of a pair of which one works and the other waits, the one that waits is well.
    let vague = |c: &CauseDraft| c.rule_id.starts_with("probe-") && c.confidence < Confidence::Established;
    if f.causes.first().is_some_and(vague)
        && case.stands_by()
        && owner.subject.uid.as_deref().is_some_and(|uid| cx.serving(uid).ready > 0)
    {
        f.hold = Finding::JOINS_ONLY;
    }
    cx.report(f);
}

/// States the cause, with the log where it was read.
fn judge(cx: &Context<'_>, f: &mut Finding, case: &Case<'_>, mut keys: Vec<String>) {
    if let Some(item) = log_item(cx, case.pod, case.spec) {
        keys.push(item.key.clone());
        f.evidence.push(item);
    }
    let mut c = verdict(cx, f, case);
    keys.append(&mut c.evidence);
    c.evidence = keys;
    f.causes.push(c);
}

fn want_current(cx: &mut Context<'_>, pod: &Pod, spec: &Container, status: &ContainerStatus, since: Timestamp) {
    if status.state.running.is_some() {
        let (pod, container, restart) = (pod.reference(), spec.name.clone(), status.restart_count);
        cx.want_again(LogWant { pod, container, previous: false, restart }, since);
    }
}

/// What the kubelet said of the last failure.
fn said(events: &[&KubeEvent]) -> String {
    events.last().map(|e| e.message().trim().to_owned()).unwrap_or_default()
}

fn state(f: &mut Finding, pod: &Pod, spec: &Container, status: &ContainerStatus, at: Timestamp) {
    let me = pod.reference();
    let started = status.state.running.as_ref().and_then(|r| r.started_at).map(|t| t.to_string()).unwrap_or_default();
    let probe = |name: &str, p: Option<&Probe>| {
        p.map(|p| {
            format!(
                "{name}: {} every {} s after {} s, {} failures",
                p.describe(),
                p.period_seconds.unwrap_or(10),
                p.initial_delay_seconds.unwrap_or(0),
                p.failure_threshold.unwrap_or(3)
            )
        })
    };
    let ports: Vec<String> = spec
        .ports
        .iter()
        .map(|p| format!("{}{}", p.name.as_ref().map(|n| format!("{n}=")).unwrap_or_default(), p.container_port))
        .collect();
    let lines: Vec<String> = [
        Some(format!("pod: {}", me.name)),
        Some(format!("container: {}", spec.name)),
        Some(format!("ready: {}", status.ready)),
        Some(format!("restartCount: {}", status.restart_count)),
        Some(format!("running since: {started}")),
        Some(format!("ports: {}", if ports.is_empty() { "none declared".into() } else { ports.join(", ") })),
        probe("readinessProbe", spec.readiness_probe.as_ref()),
        probe("livenessProbe", spec.liveness_probe.as_ref()),
        probe("startupProbe", spec.startup_probe.as_ref()),
    ]
    .into_iter()
    .flatten()
    .collect();
    f.evidence.push(evidence(
        EvidenceKind::ContainerStatus,
        format!("probe|{}|{}|{}", me.uid.as_deref().unwrap_or(&me.name), spec.name, status.ready),
        at,
        me,
        format!(
            "Container {} is {}ready, restarts {}",
            spec.name,
            if status.ready { "" } else { "not " },
            status.restart_count
        ),
        lines.join("\n"),
    ));
}

fn push_events<'e>(cx: &Context<'_>, f: &mut Finding, events: impl Iterator<Item = &'e KubeEvent>) -> Vec<String> {
    let mut keys = Vec::new();
    for e in events {
        let item = event_evidence(e, cx.now);
        keys.push(item.key.clone());
        f.evidence.push(item);
    }
    keys
}
