//! A death and a log as evidence.

use jiff::Timestamp;

use super::super::{Context, context::evidence};
use crate::{
    evidence::EvidenceKind,
    logs,
    object::{Container, ContainerStatus, ObjectRef, pod::Terminated},
    observation::LogRead,
    words,
};

/// How a container ended. Restarts beyond ten are told by their order of magnitude: each is the same evidence.
pub(super) fn status_evidence(
    pod: &ObjectRef,
    spec: &Container,
    status: &ContainerStatus,
    ended: &Terminated,
    at: Timestamp,
) -> crate::evidence::EvidenceDraft {
    let reason = ended.reason.as_deref().unwrap_or("not said");
    let restarts = match status.restart_count {
        n @ 0..=10 => n,
        n => 1 << n.ilog2(),
    };
    let mut lines = vec![
        format!("pod: {}", pod.name),
        format!("container: {}", spec.name),
        format!("image: {}", spec.image),
        format!("restartCount: {restarts}{}", if restarts == status.restart_count { "" } else { " or more" }),
        format!("reason: {reason}"),
        format!("exitCode: {}", ended.exit_code),
    ];
    lines.extend(ended.started_at.map(|t| format!("startedAt: {t}")));
    lines.extend(ended.finished_at.map(|t| format!("finishedAt: {t}")));
    for (name, list) in [("requests", &spec.resources.requests), ("limits", &spec.resources.limits)] {
        lines.extend(list.iter().map(|(k, v)| format!("{name}.{k}: {v}")));
    }
    lines.extend(ended.message.as_ref().map(|m| format!("message: {m}")));
    evidence(
        EvidenceKind::ContainerStatus,
        format!(
            "container|{}|{}|{restarts}|{reason}|{}",
            pod.uid.as_deref().unwrap_or(&pod.name),
            spec.name,
            ended.exit_code
        ),
        at,
        pod.clone(),
        format!(
            "Container {} ended: {reason}, exit code {}, restarts {}",
            spec.name, ended.exit_code, status.restart_count
        ),
        lines.join("\n"),
    )
}

/// A log as evidence: the tail around the telling line.
pub(in crate::detect) fn log_evidence(
    cx: &Context<'_>,
    pod: &ObjectRef,
    spec: &Container,
    log: &LogRead,
    at: Timestamp,
) -> crate::evidence::EvidenceDraft {
    let words = cx.index.said(&log.want).and_then(|r| r.words.as_ref()).map(|(_, w)| w.as_str()).unwrap_or_default();
    let (summary, excerpt) = match &log.lines {
        Ok(lines) if lines.is_empty() => (format!("Container {} wrote no log", spec.name), "(empty)".to_owned()),
        Ok(lines) => {
            let tail = &lines[lines.len().saturating_sub(200)..];
            let run = log.later.map(|run| format!(", of a later run (restart {run})")).unwrap_or_default();
            (format!("Log of container {}{run}: {}", spec.name, words::clip(words, 140)), tail.join("\n"))
        }
        Err(why) => (format!("The log of container {} could not be read", spec.name), why.clone()),
    };
    // Crash after crash writes the same log: the same last words are the same evidence.
    let same = match &log.lines {
        Ok(_) => logs::template(words),
        Err(_) => "unread".to_owned(),
    };
    let key = format!("log|{}|{}|{same}", pod.uid.as_deref().unwrap_or(&pod.name), spec.name);
    let mut item = evidence(EvidenceKind::Log, key, at, pod.clone(), summary, excerpt);
    item.truncated = log.truncated || log.lines.as_ref().is_ok_and(|l| l.len() > 200);
    item
}
