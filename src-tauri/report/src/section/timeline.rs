//! The timeline as a table, gaps in their place.

use afterwatch_core::{
    Timestamp,
    evidence::Observed,
    timeline::{EntryKind, TimelineEntry},
};

use super::Page;
use crate::text::inert;

/// The head of the timeline's table.
pub(crate) const COLUMNS: [&str; 4] = ["Time", "What happened", "Evidence", "Seen"];

/// What the last column means.
const SEEN: &str =
    "*live*: seen as it happened. *reconstructed*: put together afterwards from what the cluster still said.";

impl Page<'_> {
    pub(crate) fn timeline(&mut self) {
        self.heading("Timeline");
        let mut rows: Vec<(Timestamp, u64, Vec<String>)> = Vec::new();
        for entry in &self.incident.timeline {
            if self.is_known_gap(entry) {
                continue;
            }
            rows.push((entry.at, entry.seq, self.row(entry)));
        }
        for gap in self.sorted_gaps() {
            let cells =
                vec![self.clock.time(gap.from), self.clock.gap(&gap), "–".to_owned(), "not recorded".to_owned()];
            rows.push((gap.from, 0, cells));
        }
        rows.sort_by_key(|(at, seq, _)| (*at, *seq));
        let rows: Vec<Vec<String>> = rows.into_iter().map(|(_, _, cells)| cells).collect();
        if rows.is_empty() {
            self.paragraph("The record holds no entries.");
            return;
        }
        self.table(&COLUMNS, &rows);
        self.paragraph(SEEN);
    }

    fn row(&self, entry: &TimelineEntry) -> Vec<String> {
        let text = match (entry.kind, &entry.who) {
            (EntryKind::Note, Some(who)) => format!("Note by {}: “{}”", inert(who), inert(&entry.text)),
            (EntryKind::Note, None) => format!("Note: “{}”", inert(&entry.text)),
            (EntryKind::Gap, _) => match entry.until {
                Some(until) => format!("Not recorded {}: {}", self.clock.range(entry.at, until), inert(&entry.text)),
                None => format!("Not recorded: {}", inert(&entry.text)),
            },
            _ => inert(&entry.text),
        };
        let label = entry.label.as_deref().map(|l| format!(" *{}*", inert(l))).unwrap_or_default();
        let seen = match (entry.kind, entry.observed) {
            (EntryKind::Gap, _) => "not recorded",
            (_, Observed::Live) => "live",
            (_, Observed::Reconstructed) => "reconstructed",
        };
        vec![self.clock.time(entry.at), format!("{text}{label}"), self.cite.cell(&entry.evidence), seen.to_owned()]
    }

    /// A gap that the incident noted itself and that the ledger of coverage knows, too.
    fn is_known_gap(&self, entry: &TimelineEntry) -> bool {
        let until = entry.until.unwrap_or(entry.at);
        entry.kind == EntryKind::Gap && self.input.gaps.iter().any(|g| g.from <= until && entry.at <= g.to)
    }
}
