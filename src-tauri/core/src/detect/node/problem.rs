//! Problems that a node reports besides readiness and pressure: conditions of its agents, events of its kubelet.

use jiff::{SignedDuration, Timestamp};

use super::super::{
    Context,
    context::{action, cause, event_evidence, finding, hold, object_evidence},
};
use super::{HOLD, JOINING};
use crate::{
    evidence::{EvidenceDraft, EvidenceKind},
    object::{Condition, KubeEvent, Node, ObjectRef},
    remediation::ActionKind,
    severity::{Confidence, Severity},
    words,
};

/// A problem that is told by an event is over this long after its last telling.
const OVER: SignedDuration = SignedDuration::from_mins(10);

/// How a problem is told.
struct Problem {
    part: String,
    rule: &'static str,
    severity: Severity,
    since: Timestamp,
    basis: String,
    headline: String,
    statement: String,
    item: EvidenceDraft,
    hold: i64,
    count: u32,
}

pub(super) fn all(cx: &mut Context<'_>, node: &Node) {
    let me = node.reference();
    // A node that is lost says nothing new.
    let ready = Condition::find(&node.status.conditions, "Ready");
    if ready.is_some_and(|c| c.status == "Unknown") {
        return;
    }
    let conditions: Vec<Problem> =
        node.status.conditions.iter().filter_map(|c| of_condition(cx, node, &me, c)).collect();
    let events = of_events(cx, &me);
    for p in conditions.into_iter().chain(events) {
        report(cx, &me, p);
    }
}

fn report(cx: &mut Context<'_>, me: &ObjectRef, p: Problem) {
    let mut f = finding("node-problem", me.clone(), me, p.severity, p.since);
    f.part = p.part;
    f.headline = p.headline;
    f.started_basis = p.basis;
    f.hold = hold(p.hold);
    f.count = p.count;
    f.message.clone_from(&p.statement);
    let mut c = cause(p.rule, Confidence::Established, me.clone(), p.statement);
    c.evidence = vec![p.item.key.clone()];
    f.evidence.push(p.item);
    f.causes.push(c);
    f.actions.push(action(
        ActionKind::ManualCheck,
        me,
        "the machine's own log tells more",
        "reads only",
        "get nodes",
        format!("kubectl describe node {}", me.name),
    ));
    f.actions.push(action(
        ActionKind::Drain,
        me,
        "its pods start on a node that is well",
        "evicts every pod of the node",
        "create pods/eviction",
        format!("kubectl drain {} --ignore-daemonsets --delete-emptydir-data", me.name),
    ));
    cx.report(f);
}

/// What a condition of this type means when it has this status: what is wrong, and how bad; none where the type has no
/// bad side that is known.
fn bad(kind: &str, status: &str) -> Option<(String, Severity)> {
    let known = match kind {
        "Ready" | "MemoryPressure" | "DiskPressure" | "PIDPressure" => return None,
        "NetworkUnavailable" => Some(("has no network", Severity::High)),
        "KernelDeadlock" => Some(("has a deadlock in its kernel", Severity::High)),
        "ReadonlyFilesystem" => Some(("has a file system that went read-only", Severity::High)),
        "CorruptDockerOverlay2" | "FilesystemCorruptionProblem" => Some(("has a corrupt file system", Severity::High)),
        "KubeletUnhealthy" | "KubeletProblem" => Some(("has an unhealthy kubelet", Severity::High)),
        "ContainerRuntimeUnhealthy" | "ContainerRuntimeProblem" => {
            Some(("has an unhealthy container runtime", Severity::High))
        }
        "FrequentKubeletRestart" => Some(("restarts its kubelet again and again", Severity::Medium)),
        "FrequentContainerdRestart" | "FrequentDockerRestart" => {
            Some(("restarts its container runtime again and again", Severity::Medium))
        }
        "FrequentUnregisterNetDevice" => Some(("loses network devices", Severity::Medium)),
        "XfsShutdown" => Some(("has a file system that was shut down", Severity::High)),
        "CperHardwareErrorFatal" => Some(("has a fatal hardware error", Severity::High)),
        "OutOfDisk" => Some(("is out of disk", Severity::High)),
        _ => None,
    };
    if let Some((words, severity)) = known {
        return (status == "True").then(|| (words.to_owned(), severity));
    }
    let ends = |list: &[&str]| list.iter().any(|e| kind.ends_with(e));
    let wrong = ends(&["Problem", "Unhealthy", "Deadlock", "Failure", "Failing", "Corrupt", "Corruption"])
        || kind.starts_with("Frequent");
    // What ends in Unhealthy ends in healthy for nobody.
    let right = ends(&["Ready", "Healthy"]) && !wrong;
    let is_bad = wrong && status == "True" || right && status == "False";
    is_bad.then(|| (format!("reports {kind}={status}"), Severity::Medium))
}

fn of_condition(cx: &Context<'_>, node: &Node, me: &ObjectRef, c: &Condition) -> Option<Problem> {
    let (what, severity) = bad(&c.kind, &c.status)?;
    let since = c.last_transition_time.unwrap_or_else(|| cx.now.get());
    let joined = node.metadata.creation_timestamp.is_some_and(|t| since.duration_since(t).as_secs() <= 60);
    let young = joined && c.kind == "NetworkUnavailable";
    let reason = c.reason.clone().unwrap_or_default();
    let said = c.message.as_deref().unwrap_or("").trim_end_matches('.').to_owned();
    let item = object_evidence(
        EvidenceKind::Node,
        me.clone(),
        &c.kind,
        format!("Node {} reports {}={}", me.name, c.kind, c.status),
        &[(c.kind.as_str(), format!("{} {reason} {said}", c.status))],
        since,
    );
    Some(Problem {
        part: c.kind.clone(),
        rule: "node-condition",
        severity,
        since,
        basis: format!("{} condition changed", c.kind),
        headline: what.clone(),
        statement: format!("Node {} {what}: condition {} is {} ({reason}): {said}.", me.name, c.kind, c.status),
        item,
        hold: if young { JOINING } else { HOLD },
        count: 1,
    })
}

/// One problem for each kind of event.
fn of_events(cx: &Context<'_>, me: &ObjectRef) -> Vec<Problem> {
    let mut out: Vec<Problem> = Vec::new();
    for event in cx.index.events_of(me).into_iter().rev().filter(|e| e.is_warning()) {
        let Some(last) = event.last_seen().filter(|t| !cx.now.beyond(*t, OVER)) else { continue };
        let Some((rule, what, severity)) = telling(event) else { continue };
        if out.iter().any(|p| p.part == event.reason()) || rule == "node-out-of-memory" && contained(cx, me, last) {
            continue;
        }
        let since = event.first_seen().unwrap_or(last);
        let times = event.times();
        let said = words::clip(event.message().trim_end_matches('.'), 240);
        out.push(Problem {
            part: event.reason().to_owned(),
            rule,
            severity,
            since,
            basis: "the node's first event".into(),
            headline: what.to_owned(),
            statement: format!("Node {} {what} ({}, {}): {said}.", me.name, event.reason(), words::times(times)),
            item: event_evidence(event, cx.now),
            hold: HOLD,
            count: times,
        });
    }
    out
}

/// A container of the node was killed at that moment: some kubelets tell of it as if it were the node's own.
fn contained(cx: &Context<'_>, me: &ObjectRef, at: Timestamp) -> bool {
    cx.pods_on(&me.name)
        .into_iter()
        .flat_map(|p| p.containers().filter_map(|(spec, status, _)| Some((spec, status?))))
        .any(|(spec, status)| {
            let ends = [&status.state, &status.last_state].into_iter().filter_map(|s| s.terminated.as_ref());
            let mut killed = ends.filter(|t| t.reason.as_deref() == Some("OOMKilled")).filter_map(|t| t.finished_at);
            spec.resources.limits.contains_key("memory") && killed.any(|t| t.duration_since(at).abs().as_secs() <= 15)
        })
}

fn telling(event: &KubeEvent) -> Option<(&'static str, &'static str, Severity)> {
    let lower = event.message().to_lowercase();
    match event.reason() {
        "SystemOOM" => {
            Some(("node-out-of-memory", "ran out of memory as a whole and killed a process", Severity::High))
        }
        // Within a container's limit the container is told.
        "OOMKilling" if !lower.contains("memory cgroup") => {
            Some(("node-out-of-memory", "ran out of memory as a whole and killed a process", Severity::High))
        }
        "FreeDiskSpaceFailed" => Some(("node-disk-full", "cannot free enough disk space", Severity::Low)),
        // At its start the kubelet knows no numbers yet.
        "ImageGCFailed" | "ContainerGCFailed" | "EvictionThresholdMet"
            if lower.contains("invalid capacity 0") || lower.contains("memory cache") =>
        {
            None
        }
        "ImageGCFailed" | "ContainerGCFailed" if event.times() >= 2 => {
            Some(("node-disk-full", "cannot clean up images or containers", Severity::Low))
        }
        "KernelOops" => Some(("node-kernel", "has an error in its kernel", Severity::High)),
        "TaskHung" => Some(("node-kernel", "has processes that hang in the kernel", Severity::Medium)),
        "FilesystemIsReadOnly" | "Ext4Error" | "IOError" => {
            Some(("node-disk-failing", "has errors on a disk", Severity::High))
        }
        _ => None,
    }
}
