//! The appendix: every recorded item that can be cited, in the order of its id.

use std::collections::HashSet;

use afterwatch_core::{
    evidence::{EvidenceKind, Observed},
    redact,
};
use serde::Serialize;

use super::short_hash;
use crate::{
    cite::is_id,
    section::{
        Page,
        appendix::{LINES, cut, kind, seen},
        cause::kind_in_words,
        plain_object,
    },
    text::{one_line, visible},
};

/// Lines of excerpts on one page, all items together. What comes after is named without its excerpt.
const ALL_LINES: usize = 3000;

/// One recorded item.
#[derive(Debug, Serialize)]
pub(crate) struct Item {
    pub id: String,
    pub title: String,
    pub provenance: String,
    /// Put together afterwards.
    pub reconstructed: bool,
    /// Whether the text cites it; then it leads back to the first mention.
    pub mentioned: bool,
    /// Lines of the excerpt.
    pub lines: usize,
    pub runs: Vec<Run>,
    /// What is not printed of it.
    pub more: Option<String>,
}

/// Lines that belong together.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Run {
    /// `same`, `added` or `removed`.
    pub kind: &'static str,
    pub v: String,
}

pub(super) fn items(page: &Page<'_>) -> Vec<Item> {
    let i = page.incident;
    let mut out = Writer { items: Vec::new(), seen: HashSet::new(), left: ALL_LINES };
    for held in &i.changes {
        let change = &held.change;
        let mut lines = Vec::new();
        for field in &change.fields {
            lines.extend(field.from.iter().map(|v| format!("- {}: {}", one_line(&field.path), one_line(v))));
            lines.extend(field.to.iter().map(|v| format!("+ {}: {}", one_line(&field.path), one_line(v))));
        }
        let provenance =
            format!("{} · {} {}", plain_object(&change.object), seen(change.observed), page.clock.full(change.at));
        let title = page.change_in_words(held);
        out.add(&held.id, &title, provenance, change.observed, &lines.join("\n"), true);
    }
    for evidence in &i.evidence {
        let draft = &evidence.draft;
        let cut = if draft.truncated { " · incomplete, the source had more than was kept" } else { "" };
        let provenance = format!(
            "{} · {} · {} {}{cut}",
            kind(draft.kind),
            plain_object(&draft.object),
            seen(draft.observed),
            page.clock.full(draft.at)
        );
        let diff = draft.kind == EvidenceKind::Diff;
        out.add(&evidence.id, &draft.summary, provenance, draft.observed, &draft.excerpt, diff);
    }
    for action in &i.actions {
        let draft = &action.draft;
        let words = kind_in_words(draft.kind);
        let title = format!("Step: {words} of {}", plain_object(&draft.target));
        let risk = if draft.risk.is_empty() { String::new() } else { format!(" · at worst: {}", draft.risk) };
        let provenance = format!(
            "{}: {}{risk}",
            if action.withdrawn { "Recommended at first, and withdrawn" } else { "Recommended by rule" },
            draft.because.trim().trim_end_matches('.')
        );
        out.add(&action.id, &title, provenance, Observed::Live, &draft.command, false);
    }
    out.items
}

struct Writer {
    items: Vec<Item>,
    seen: HashSet<String>,
    left: usize,
}

impl Writer {
    fn add(&mut self, id: &str, title: &str, provenance: String, observed: Observed, excerpt: &str, diff: bool) {
        if !is_id(id) || !self.seen.insert(id.to_owned()) {
            return;
        }
        let excerpt = visible(&redact::text(excerpt));
        let excerpt = excerpt.trim_end();
        let mut provenance = one_line(&redact::text(&provenance));
        if !excerpt.is_empty() {
            provenance.push_str(&format!(" · sha256 {}", short_hash(excerpt.as_bytes())));
        }
        let all = excerpt.lines().count();
        let shown = all.min(LINES).min(self.left);
        self.left -= shown;
        self.items.push(Item {
            id: id.to_owned(),
            title: one_line(&redact::text(title)),
            provenance,
            reconstructed: observed == Observed::Reconstructed,
            mentioned: false,
            lines: shown,
            runs: runs(excerpt.lines().take(shown), diff),
            more: match all - shown {
                0 => None,
                left if shown == 0 => Some(format!("Its {left} lines are in the record.")),
                left => Some(format!("{left} more lines are in the record.")),
            },
        });
    }
}

fn runs<'a>(lines: impl Iterator<Item = &'a str>, diff: bool) -> Vec<Run> {
    let mut out: Vec<Run> = Vec::new();
    for line in lines {
        let kind = match line.chars().next() {
            Some('+') if diff => "added",
            Some('-') if diff => "removed",
            _ => "same",
        };
        let line = cut(&line.replace('\t', "    "));
        match out.last_mut() {
            Some(last) if last.kind == kind => {
                last.v.push('\n');
                last.v.push_str(&line);
            }
            _ => out.push(Run { kind, v: line }),
        }
    }
    out
}
