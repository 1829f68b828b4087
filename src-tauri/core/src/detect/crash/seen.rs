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
    let (at_line, words) =
        cx.index.said(&log.want).and_then(|r| r.words.as_ref()).map_or((usize::MAX, ""), |(i, w)| (*i, w.as_str()));
    let (summary, excerpt) = match &log.lines {
        // A log that is read soon after may hold what this one does not yet.
        Ok(lines) if lines.is_empty() => {
            let read = cx.index.log_read_at(&log.want).unwrap_or(at).strftime("%H:%M:%S UTC");
            (format!("Container {} had written no log when it was read at {read}", spec.name), "(empty)".to_owned())
        }
        Ok(lines) => {
            let excerpt = shown(lines, at_line);
            let run = log.later.map(|run| format!(", of a later run (restart {run})")).unwrap_or_default();
            (format!("Log of container {}{run}: {}", spec.name, words::clip(words, 140)), excerpt)
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
    item.truncated = log.truncated || log.lines.as_ref().is_ok_and(|l| l.len() > SHOWN);
    item
}

/// Lines of a log that are kept as evidence.
const SHOWN: usize = 200;

/// The last lines, and the telling one with its neighbours where it stands further up.
fn shown(lines: &[String], telling: usize) -> String {
    const AROUND: usize = 20;
    let from = lines.len().saturating_sub(SHOWN);
    if telling >= from {
        return lines[from..].join("\n");
    }
    let (first, last) = (telling.saturating_sub(AROUND), telling + AROUND);
    let from = from.max(last) + 2 * AROUND;
    let (above, below) = (lines[first..last].join("\n"), lines[from..].join("\n"));
    format!("{above}\n⋯ {} left out ⋯\n{below}", words::count(from - last, "line"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_telling_line_of_a_long_log_is_shown_with_its_neighbours() {
        let lines: Vec<String> = (0..1000).map(|n| format!("line {n}")).collect();
        let end = shown(&lines, 950);
        assert!(end.starts_with("line 800\n") && end.ends_with("line 999") && end.lines().count() == SHOWN);
        let far = shown(&lines, 300);
        assert!(far.starts_with("line 280\n") && far.contains("line 300\n") && far.ends_with("line 999"), "{far}");
        assert!(far.contains("\nline 319\n⋯ 520 lines left out ⋯\nline 840\n") && far.lines().count() == SHOWN + 1);
        for telling in [0, 5, 790, 799] {
            let text = shown(&lines, telling);
            assert!(text.contains(&format!("line {telling}\n")) && text.lines().count() <= SHOWN + 1, "{telling}");
        }
        assert_eq!(shown(&lines[..3], usize::MAX), "line 0\nline 1\nline 2");
    }
}
