//! Nothing was found: what was looked at, so that a person knows what the answer rests on.

use jiff::{SignedDuration, Timestamp};

use super::{around::Around, target::state};
use crate::{
    correlate::{
        Fault,
        route::{Routes, Ways},
    },
    detect::{
        self,
        asked::Heard,
        context::{event_evidence, evidence, finding, object_evidence},
    },
    evidence::{EvidenceDraft, EvidenceKind},
    explain,
    finding::EliminationDraft,
    index::{Index, Now},
    object::{Condition, Kind, Object, ObjectRef, Pod},
    severity::Severity,
    words,
};

/// Warnings older than this say little about now.
const RECENT: SignedDuration = SignedDuration::from_hours(1);
/// Pods that are told one by one.
const PODS: usize = 6;
/// Lines of a log that are kept of what tells of nothing.
const LINES: usize = 40;

/// What was looked at, and what would tell more.
pub(super) fn seen(
    index: &Index,
    now: Timestamp,
    subject: &ObjectRef,
    around: &Around<'_>,
    heard: &[Heard<'_>],
) -> (Fault, Vec<String>) {
    let place = subject.namespace.as_ref().map(|n| format!(" in {n}")).unwrap_or_default();
    let mut fault = Fault {
        subject: subject.clone(),
        title: format!("{subject}{place}: nothing was found"),
        severity: Severity::Low,
        started_at: now,
        started_basis: "nothing was found".into(),
        findings: Vec::new(),
        causes: Vec::new(),
        ruled_out: Vec::new(),
        changes: Vec::new(),
        evidence: Vec::new(),
        actions: Vec::new(),
        watched_since: Some(now),
    };
    let mut needs = vec!["when it went wrong, and what was seen of it".to_owned()];
    known_faults(index, now, subject, &mut fault);
    pods(index, now, around, &mut fault, &mut needs);
    warnings(index, now, subject, around, &mut fault);
    logs(now, around, heard, &mut fault, &mut needs);
    dependencies(index, now, around, &mut fault);
    // The nodes, the sources and the changes are looked at as for any fault: its pods stand in for findings.
    let stand_ins = around.pods.iter().take(PODS).map(|p| finding("", p.reference(), subject, Severity::Low, now));
    fault.findings = stand_ins.collect();
    if fault.findings.is_empty() {
        fault.findings.push(finding("", subject.clone(), subject, Severity::Low, now));
    }
    explain::explain(&Routes::new(index, Ways::default()), now, &mut fault);
    fault.findings.clear();
    fault.actions.clear();
    // Nothing is wrong: no change is to blame.
    fault.changes.iter_mut().for_each(|(_, suspect)| *suspect = false);
    needs.push("the figures of its requests and its memory, which are not read".to_owned());
    (fault, needs)
}

fn rule_out(fault: &mut Fault, statement: String, known: bool, items: Vec<EvidenceDraft>) {
    let evidence = items.iter().map(|e| e.key.clone()).collect();
    let result = if known { "no" } else { "open" };
    fault.ruled_out.push(EliminationDraft { statement, result: result.to_owned(), evidence });
    let new = items.into_iter().filter(|item| !fault.evidence.iter().any(|e| e.key == item.key));
    let new: Vec<EvidenceDraft> = new.collect();
    fault.evidence.extend(new);
}

fn known_faults(index: &Index, now: Timestamp, subject: &ObjectRef, fault: &mut Fault) {
    let Some(object) = index.resolve(subject) else { return };
    let said = state(object);
    let summary = if said.is_empty() { format!("{subject} exists") } else { format!("{subject}: {said}") };
    let mut lines = vec![("state", said)];
    if let Object::Node(node) = &**object {
        lines.extend(node.status.conditions.iter().map(|c| (c.kind.as_str(), c.status.clone())));
    }
    lines.retain(|(_, value)| !value.is_empty());
    let kind = if subject.kind == "Node" { EvidenceKind::Node } else { EvidenceKind::Object };
    let item = object_evidence(kind, subject.clone(), "state", summary.clone(), &lines, now);
    let rules = detect::rules().count();
    rule_out(
        fault,
        format!("A known fault: none of the {rules} rules finds one on it or around it; {summary}"),
        true,
        vec![item],
    );
}

fn pods(index: &Index, now: Timestamp, around: &Around<'_>, fault: &mut Fault, needs: &mut Vec<String>) {
    let ns = fault.subject.namespace.clone();
    if !index.knows(Kind::Pod, ns.as_deref()) {
        rule_out(fault, "Trouble of its pods: pods cannot be read".into(), false, Vec::new());
        needs.push("the right to read its pods".to_owned());
        return;
    }
    if around.pods.is_empty() {
        // What has no pods by its nature is not missing them.
        let runs =
            !matches!(fault.subject.kind.as_str(), "Node" | "Namespace" | "ConfigMap" | "Secret" | "StorageClass");
        if runs {
            rule_out(fault, "Trouble of its pods: it has none now".into(), false, Vec::new());
        }
        return;
    }
    let items: Vec<EvidenceDraft> = around.pods.iter().take(PODS).map(|p| pod_evidence(p, now)).collect();
    let count = words::count(around.pods.len(), "pod");
    let ready = around.pods.iter().filter(|p| p.ready()).count();
    let mut restarted: Vec<(u32, String)> = around
        .pods
        .iter()
        .flat_map(|p| p.status.container_statuses.iter().map(move |s| (p, s)))
        .filter(|(_, s)| s.restart_count > 0)
        .map(|(p, s)| {
            let end = s.last_state.terminated.as_ref().map(|t| {
                let reason = t.reason.as_deref().map(|r| format!(" ({r})")).unwrap_or_default();
                let at = t.finished_at.map(|t| format!(" at {}", t.strftime("%Y-%m-%d %H:%M UTC"))).unwrap_or_default();
                format!(", the last time with exit code {}{reason}{at}", t.exit_code)
            });
            let text = format!(
                "container {} of {} restarted {}{}",
                s.name,
                p.metadata.name,
                words::times(s.restart_count),
                end.unwrap_or_default()
            );
            (s.restart_count, text)
        })
        .collect();
    restarted.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    match restarted.first() {
        None => rule_out(fault, format!("Crashes: {ready} of {count} ready, no container has restarted"), true, items),
        Some((_, most)) => {
            rule_out(
                fault,
                format!("Crashes now: {ready} of {count} ready, and all containers run; {most}"),
                true,
                items,
            );
        }
    }
}

fn pod_evidence(pod: &Pod, now: Timestamp) -> EvidenceDraft {
    let restarts: u32 = pod.status.container_statuses.iter().map(|s| s.restart_count).sum();
    let ready = if pod.ready() { "ready" } else { "not ready" };
    let phase = pod.status.phase.as_deref().unwrap_or("unknown");
    let node = pod.spec.node_name.as_deref().unwrap_or("no node");
    let mut lines = vec![("phase", phase.to_owned()), ("node", node.to_owned())];
    lines.extend(pod.status.start_time.map(|t| ("startTime", t.to_string())));
    lines.extend(pod.status.conditions.iter().map(|c: &Condition| (c.kind.as_str(), c.status.clone())));
    for s in &pod.status.container_statuses {
        lines.push(("container", format!("{} ready={} restartCount={}", s.name, s.ready, s.restart_count)));
    }
    let summary =
        format!("Pod {}: {ready}, {} on {node}", pod.metadata.name, words::count(restarts as usize, "restart"));
    object_evidence(EvidenceKind::PodStatus, pod.reference(), "asked", summary, &lines, now)
}

fn warnings(index: &Index, now: Timestamp, subject: &ObjectRef, around: &Around<'_>, fault: &mut Fault) {
    if !index.knows(Kind::KubeEvent, subject.namespace.as_deref()) {
        rule_out(fault, "Warnings of the cluster: events cannot be read".into(), false, Vec::new());
        return;
    }
    let mut items = Vec::new();
    for object in [subject.clone()].into_iter().chain(around.pods.iter().map(|p| p.reference())) {
        let young = |at: Option<Timestamp>| at.is_some_and(|t| now.duration_since(t) < RECENT);
        let warns = index.events_of(&object).into_iter().filter(|e| e.is_warning() && young(e.last_seen()));
        items.extend(warns.map(|e| event_evidence(e, Now::new(index, now))));
    }
    items.truncate(PODS);
    match items.first() {
        None => rule_out(
            fault,
            "Warnings of the cluster: no warning event on it or its pods within the hour".into(),
            true,
            items,
        ),
        Some(first) => {
            let said =
                format!("Warnings of the cluster, none of which a rule takes for a fault now: {}", first.summary);
            rule_out(fault, said, true, items);
        }
    }
}

fn logs(now: Timestamp, around: &Around<'_>, heard: &[Heard<'_>], fault: &mut Fault, needs: &mut Vec<String>) {
    let mut lines_read = 0;
    let (mut items, mut unread, mut why) = (Vec::new(), Vec::new(), None);
    for Heard { read, behind } in heard {
        let (pod, container) = (&read.want.pod, &read.want.container);
        let of = behind.map(|s| format!(" (behind Service {})", s.name)).unwrap_or_default();
        match &read.lines {
            Ok(lines) => {
                lines_read += lines.len();
                let tail = &lines[lines.len().saturating_sub(LINES)..];
                let summary = match lines.len() {
                    0 => format!("Container {container} of {}{of} wrote no log", pod.name),
                    n => format!(
                        "Log of container {container} of {}{of}: {}, none tells of a failure that goes on",
                        pod.name,
                        words::count(n, "line")
                    ),
                };
                let key =
                    format!("heard|{}|{container}|{}", pod.uid.as_deref().unwrap_or(&pod.name), read.want.restart);
                let mut item = evidence(EvidenceKind::Log, key, now, pod.clone(), summary, tail.join("\n"));
                item.truncated = read.truncated || lines.len() > tail.len();
                items.push(item);
            }
            Err(reason) => {
                unread.push(format!("container {container} of {}{of}", pod.name));
                why.get_or_insert_with(|| words::clip(reason, 160));
            }
        }
    }
    if !items.is_empty() {
        let said = format!(
            "What its containers write: {} of {} tell of no failure that goes on",
            words::count(lines_read, "line"),
            words::count(items.len(), "log")
        );
        rule_out(fault, said, true, items);
    }
    if let Some(why) = why {
        let of = words::list(&unread, 3);
        rule_out(
            fault,
            format!("What its containers write: the log could not be read of {of} ({why})"),
            false,
            Vec::new(),
        );
        needs.insert(0, format!("the log of {of}"));
    }
    if heard.is_empty() && !around.pods.is_empty() {
        rule_out(fault, "What its containers write: none has run yet".into(), false, Vec::new());
    }
}

fn dependencies(index: &Index, now: Timestamp, around: &Around<'_>, fault: &mut Fault) {
    let mut items = Vec::new();
    for (service, pods) in around.leans_on.iter().take(PODS) {
        let ready = pods.iter().filter(|p| p.ready()).count();
        let selects =
            matches!(index.resolve(service).map(|o| &**o), Some(Object::Service(s)) if !s.spec.selector.is_empty());
        let summary = match selects {
            true => format!("Service {}: {ready} of {} ready", service.name, words::count(pods.len(), "pod")),
            false => format!("Service {} exists; it selects no pods", service.name),
        };
        items.push(object_evidence(
            EvidenceKind::Object,
            service.clone(),
            "leans-on",
            summary,
            &[("ready", ready.to_string())],
            now,
        ));
    }
    if !items.is_empty() {
        let said: Vec<String> = items.iter().map(|i| i.summary.clone()).collect();
        rule_out(fault, format!("What it names in its configuration: {}", said.join("; ")), true, items);
    }
}
