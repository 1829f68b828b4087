//! Title, the block of facts, summary and impact.

use afterwatch_core::{
    Timestamp, coverage::in_gap, incident::FindingRecord, metrics::Span, severity::Confidence, words,
};

use super::{Page, plain_object, record};
use crate::{clock, text::inert};

/// More findings than this are counted instead of listed.
const IMPACT_CAP: usize = 20;

impl Page<'_> {
    /// The block of facts under the title.
    pub(crate) fn facts(&mut self) {
        let i = self.incident;
        let label = i.label();
        let row = |name: &str, value: String| vec![name.to_owned(), value];
        let instant = |at: Option<Timestamp>, none: &str| at.map_or(none.to_owned(), |at| self.clock.full(at));
        let started = match (i.started_at_range, i.started_at) {
            (Some((from, to)), _) => {
                format!(
                    "between {} and {} ({})",
                    self.clock.full(from),
                    self.clock.full(to),
                    inert(&i.started_at_basis)
                )
            }
            (None, Some(at)) => format!("{} ({})", self.clock.full(at), inert(&i.started_at_basis)),
            (None, None) => "*not established*".to_owned(),
        };
        let rows = vec![
            row("Where", format!("{} / {}", inert(&i.cluster), self.object(&i.subject))),
            row("Severity", i.severity.word().to_owned()),
            row("State", i.state.word().to_owned()),
            row("Started", started),
            row("Detected", self.clock.full(i.detected_at)),
            row("Acknowledged", instant(i.acknowledged_at, "not acknowledged")),
            row("Mitigated", instant(i.mitigated_at, "not mitigated")),
            row("Resolved", instant(i.resolved_at, "not resolved")),
            row("Author", "not named".to_owned()),
            row("Status", "Draft, not reviewed".to_owned()),
        ];
        let head = ["Incident", if i.number == 0 { "not numbered" } else { label.as_str() }];
        self.table(&head, &rows);
    }

    /// By what it was written, when, and in which zone its times are.
    pub(crate) fn written(&mut self) {
        let zone = self.clock.zone_name(self.incident.detected_at);
        let generated = self.clock.full(self.input.generated_at);
        self.paragraph(&format!(
            "Written by Afterwatch {} on {generated}. Times are {zone}.",
            inert(self.input.version)
        ));
    }

    pub(crate) fn summary(&mut self) {
        self.heading("Summary");
        let i = self.incident;
        let first = i.labelled("started").map(|e| e.evidence.clone()).unwrap_or_default();
        let what = format!("{}: {} in {}", i.title, plain_object(&i.subject), i.cluster);
        let mut lines = vec![self.cite.statement(&what, &first)];
        if let Some(change) = self.suspect_change() {
            let text = format!("Just before: {}", self.change_in_words(change));
            lines.push(self.cite.statement(&text, std::slice::from_ref(&change.id)));
        }
        lines.push(match i.top_cause() {
            Some(cause) if i.verdict > Confidence::NotEstablished => {
                let text = format!("{} cause: {}", i.verdict.word(), cause.statement);
                self.cite.statement(&text, &cause.evidence)
            }
            _ => "The cause is *not established*.".to_owned(),
        });
        lines.push(self.end_in_words());
        self.paragraph(&lines.join("\n"));
    }

    pub(crate) fn impact(&mut self) {
        self.heading("Impact");
        let i = self.incident;
        let mut items: Vec<String> = Vec::new();
        // What hurt an earlier time only is told with that time.
        let this_time = |f: &&FindingRecord| i.earlier.is_empty() || i.started_at.is_none_or(|t| f.last_seen >= t);
        for finding in i.findings.iter().filter(this_time).take(IMPACT_CAP) {
            let message = finding.message.trim().trim_end_matches('.');
            let text = format!("{message} (since {})", self.clock.time(finding.first_seen));
            items.push(self.cite.statement(&text, &finding.evidence));
        }
        if i.findings.len() > IMPACT_CAP {
            items.push(format!("{} more findings are in the record [timeline].", i.findings.len() - IMPACT_CAP));
        }
        items.push(self.duration_in_words());
        for before in &i.earlier {
            let time = |at: Option<Timestamp>| at.map_or("an unknown time".to_owned(), |at| self.clock.time(at));
            let from = time(before.started_at);
            let to = time(before.mitigated_at.or(before.resolved_at));
            let by = before.recovered_by.as_deref().filter(|by| *by != "itself");
            items.push(match by {
                Some(id) => {
                    let text =
                        format!("It had been there before, from {from} to {to}; {} did not hold", self.name_of(id));
                    self.cite.statement(&text, &[id.to_owned()])
                }
                None => format!("It had been there before, from {from} to {to} [timeline]."),
            });
        }
        let cluster = inert(&i.cluster);
        items.push(format!(
            "*Not established:* how many requests and users were hit; no request metrics are read for {cluster}."
        ));
        self.list(&items);
    }

    /// How long it lasted, honest about gaps.
    fn duration_in_words(&self) -> String {
        let i = self.incident;
        let times = record::times(self.input);
        let unrecorded: Vec<String> = self
            .sorted_gaps()
            .iter()
            .filter(|g| i.started_at.is_none_or(|s| g.to > s) && i.mitigated_at.is_none_or(|m| g.from < m))
            .map(|g| format!("{} ({})", clock::between(g.from, g.to), self.clock.range(g.from, g.to)))
            .collect();
        let of_which = if unrecorded.is_empty() {
            String::new()
        } else {
            format!(", of which not recorded: {}", words::list(&unrecorded, 4))
        };
        match times.to_mitigate {
            Span::Seconds(s) => {
                format!("It lasted {} from start to mitigation{of_which} [timeline].", clock::seconds(s))
            }
            Span::Range(a, b) => format!(
                "It lasted between {} and {} from start to mitigation{of_which} [timeline].",
                clock::seconds(a),
                clock::seconds(b)
            ),
            Span::Pending => "It is not over [timeline].".to_owned(),
            Span::Unknown => {
                format!(
                    "*Not established:* how long it lasted; {}.",
                    record::why_unknown(self.input, &self.clock, i.mitigated_at)
                )
            }
        }
    }

    /// How the impact ended, if it did.
    fn end_in_words(&self) -> String {
        let i = self.incident;
        let Some(at) = i.mitigated_at else { return "The impact is not over [timeline].".to_owned() };
        if in_gap(self.input.gaps, at) {
            return "When the impact ended is *not established*: it was not recorded.".to_owned();
        }
        let when = self.clock.time(at);
        match i.recovered_by.as_deref() {
            Some("itself") | None => format!("The impact ended at {when}, without a recorded change [timeline]."),
            Some(id) => {
                let by = self.name_of(id);
                self.cite.statement(&format!("The impact ended at {when}, after {by}"), &[id.to_owned()])
            }
        }
    }
}
