//! Notes and the supporting evidence.

use afterwatch_core::evidence::{EvidenceKind, Observed};

use super::Page;
use crate::text::{fenced, inert, one_line};

/// Longer excerpts are cut here; the incident keeps them whole.
pub(crate) const LINES: usize = 60;

/// What is said of all that was kept.
pub(crate) const KEPT: &str =
    "Kept at the time and unchanged since. What looked like a secret was removed before it was stored.";

/// Characters of a line that are printed.
const LINE: usize = 500;

impl Page<'_> {
    /// The notes as their author wrote them, quoted, so that nothing left open in them reaches the rest of the page.
    pub(crate) fn notes(&mut self) {
        let notes = self.input.notes.trim();
        if notes.is_empty() {
            return;
        }
        self.heading("Notes");
        let quoted: Vec<String> = notes
            .lines()
            .map(|line| match line.trim_start().strip_prefix('[') {
                // A definition such as `[E3]: address` would make links of the page's own citations.
                Some(rest) if rest.contains("]:") => format!("> \\[{rest}"),
                _ => format!("> {line}").trim_end().to_owned(),
            })
            .collect();
        self.paragraph(&quoted.join("\n"));
    }

    pub(crate) fn appendix(&mut self) {
        self.heading("Supporting evidence");
        let i = self.incident;
        if i.evidence.is_empty() && i.changes.is_empty() {
            self.paragraph("Nothing was kept.");
            return;
        }
        self.paragraph(KEPT);
        for held in &i.changes {
            let change = &held.change;
            self.paragraph(&format!("### {} · {}", inert(&held.id), inert(&self.change_in_words(held))));
            self.paragraph(&format!(
                "{} · {} · {}",
                self.object(&change.object),
                seen(change.observed),
                self.clock.full(change.at)
            ));
            let mut lines = Vec::new();
            for field in &change.fields {
                lines.extend(field.from.iter().map(|v| format!("- {}: {}", one_line(&field.path), one_line(v))));
                lines.extend(field.to.iter().map(|v| format!("+ {}: {}", one_line(&field.path), one_line(v))));
            }
            if !lines.is_empty() {
                let block = self.excerpt("diff", &lines.join("\n"), &held.id);
                self.paragraph(&block);
            }
        }
        for evidence in &i.evidence {
            let draft = &evidence.draft;
            self.paragraph(&format!("### {} · {}", inert(&evidence.id), inert(&draft.summary)));
            let cut = if draft.truncated { " · incomplete, the source had more than was kept" } else { "" };
            self.paragraph(&format!(
                "{} · {} · {} {}{cut}",
                kind(draft.kind),
                self.object(&draft.object),
                seen(draft.observed),
                self.clock.full(draft.at)
            ));
            if !draft.excerpt.trim().is_empty() {
                let info = if draft.kind == EvidenceKind::Diff { "diff" } else { "text" };
                let block = self.excerpt(info, &draft.excerpt, &evidence.id);
                self.paragraph(&block);
            }
        }
    }

    /// The fence, and a line about what is not printed.
    fn excerpt(&self, info: &str, text: &str, id: &str) -> String {
        let all: Vec<&str> = text.lines().collect();
        let shown: Vec<String> = all.iter().take(LINES).map(|line| cut(line)).collect();
        let mut block = fenced(info, &shown.join("\n"));
        if all.len() > LINES {
            block.push_str(&format!("\n{} more lines of {} are in the record.\n", all.len() - LINES, inert(id)));
        }
        block.trim_end().to_owned()
    }
}

pub(crate) fn cut(line: &str) -> String {
    match line.char_indices().nth(LINE) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

pub(crate) fn seen(observed: Observed) -> &'static str {
    match observed {
        Observed::Live => "seen live",
        Observed::Reconstructed => "reconstructed from the state at",
    }
}

pub(crate) fn kind(kind: EvidenceKind) -> &'static str {
    match kind {
        EvidenceKind::ContainerStatus => "Container status",
        EvidenceKind::PodStatus => "Pod status",
        EvidenceKind::Log => "Log",
        EvidenceKind::KubeEvent => "Kubernetes event",
        EvidenceKind::Object => "Object",
        EvidenceKind::Diff => "Difference",
        EvidenceKind::Node => "Node",
        EvidenceKind::Coverage => "Coverage",
        EvidenceKind::Action => "Action",
        EvidenceKind::Note => "Note",
        EvidenceKind::Metric => "Metric",
    }
}
