//! Metrics, what was ruled out, and the gaps in the record.

use afterwatch_core::{
    Timestamp,
    coverage::in_gap,
    metrics::{self, Span, Times},
    object::kind::Mode,
};

use super::Page;
use crate::{
    ReportInput,
    clock::{self, Clock},
    text::inert,
};

/// The four times over the gaps of the record.
pub(crate) fn times(input: &ReportInput<'_>) -> Times {
    metrics::times(&input.incident.instants(), input.gaps)
}

/// Why a time that ends there is not known.
pub(super) fn why_unknown(input: &ReportInput<'_>, clock: &Clock, end: Option<Timestamp>) -> String {
    let gap_at = |at: Timestamp| input.gaps.iter().find(|g| g.from < at && at < g.to);
    if let Some(gap) = end.and_then(gap_at) {
        return format!("the end lies in a gap ({})", clock.range(gap.from, gap.to));
    }
    // Whoever wakes up into a broken cluster does not know when it broke.
    let before = input.gaps.iter().filter(|g| g.to <= input.incident.detected_at).max_by_key(|g| g.to);
    match before {
        Some(gap) => format!("the start lies in a gap ({})", clock.range(gap.from, gap.to)),
        None => "the start was not seen".to_owned(),
    }
}

impl Page<'_> {
    /// The four times in words, each with what it is and how it is counted.
    pub(crate) fn metric_words(&self) -> [(&'static str, String, &'static str); 4] {
        let i = self.incident;
        let times = times(self.input);
        let value = |span: Span, pending: &str, end: Option<Timestamp>| match span {
            Span::Seconds(s) => clock::seconds(s),
            Span::Range(a, b) => format!("between {} and {}", clock::seconds(a), clock::seconds(b)),
            Span::Pending => pending.to_owned(),
            Span::Unknown => format!("unknown, {}", why_unknown(self.input, &self.clock, end)),
        };
        let acknowledge = match i.acknowledged_at {
            Some(at) if in_gap(self.input.gaps, i.detected_at) => value(Span::Unknown, "", Some(at)),
            at => value(times.to_acknowledge, "not acknowledged", at),
        };
        [
            (
                "Time to detect",
                value(times.to_detect, "not detected", Some(i.detected_at)),
                "started to detected: from the first sign in the cluster to the opened incident",
            ),
            ("Time to acknowledge", acknowledge, "detected to acknowledged by a person"),
            (
                "Time to mitigate",
                value(times.to_mitigate, "not mitigated", i.mitigated_at),
                "started to mitigated: how long it hurt",
            ),
            (
                "Time to resolve (MTTR)",
                value(times.to_resolve, "not resolved", i.resolved_at),
                "started to resolved, the time it had to stay well included",
            ),
        ]
    }

    pub(crate) fn metrics(&mut self) {
        self.heading("Metrics");
        let rows = self.metric_words().map(|(name, value, how)| vec![name.to_owned(), value, how.to_owned()]);
        self.table(&["Metric", "Value", "Definition"], &rows);
    }

    pub(crate) fn ruled_out(&mut self) {
        self.heading("Ruled out");
        let items: Vec<String> = self
            .incident
            .ruled_out
            .iter()
            .filter(|r| r.result == "no")
            .map(|r| self.cite.statement(&r.statement, &r.evidence))
            .collect();
        if items.is_empty() {
            self.paragraph("*Not established:* whether it was anything else; nothing was ruled out.");
        }
        self.list(&items);
    }

    pub(crate) fn gaps(&mut self) {
        self.heading("Gaps in the record");
        let gaps = self.sorted_gaps();
        let items: Vec<String> =
            gaps.iter().map(|gap| format!("{} ({}).", self.clock.gap(gap), clock::between(gap.from, gap.to))).collect();
        self.list(&items);
        let kinds = |how: Mode| {
            let mut kinds: Vec<&str> =
                self.input.coverage.iter().filter(|c| c.how == how).map(|c| c.kind.as_str()).collect();
            kinds.sort_unstable();
            kinds.dedup();
            inert(&kinds.join(", "))
        };
        if self.input.coverage.is_empty() {
            let when = if gaps.is_empty() { "throughout" } else { "the rest of the time" };
            self.paragraph(&format!("*Not established:* whether it was watched {when}; no coverage is recorded."));
            return;
        }
        let mut text = if gaps.is_empty() { "No gap is recorded.".to_owned() } else { String::new() };
        for (how, label) in [(Mode::Watch, "Watched"), (Mode::Poll, "Listed every minute or two")] {
            let kinds = kinds(how);
            if !kinds.is_empty() {
                text.push_str(&format!("\n{label}: {kinds}."));
            }
        }
        self.paragraph(text.trim_start());
    }
}
