//! Detection, response and resolution, and what the author has to say about them.

use afterwatch_core::{
    incident::{OpenedBy, State},
    metrics::Span,
    timeline::{EntryKind, TimelineEntry},
    words,
};

use super::{Page, record};
use crate::clock;

impl Page<'_> {
    pub(crate) fn detection(&mut self) {
        self.heading("Detection");
        let i = self.incident;
        let who = match i.opened_by {
            OpenedBy::Rule => {
                let rules: Vec<String> = i.findings.first().map(|f| f.rule_id.clone()).into_iter().collect();
                if rules.is_empty() { "by a rule".to_owned() } else { format!("by the rule {}", rules.join(", ")) }
            }
            OpenedBy::User => "by a person".to_owned(),
        };
        let after = match record::times(self.input).to_detect {
            Span::Seconds(s) => format!(", {} after the start", clock::seconds(s)),
            Span::Range(a, b) => format!(", {} to {} after the start", clock::seconds(a), clock::seconds(b)),
            Span::Pending | Span::Unknown => String::new(),
        };
        let entry = i.labelled("detected").map(|e| e.evidence.clone()).unwrap_or_default();
        let text = format!("Opened at {} {who}{after}", self.clock.time(i.detected_at));
        let mut items = vec![self.cite.recorded(&text, &entry)];
        if record::times(self.input).to_detect == Span::Unknown {
            let why = record::why_unknown(self.input, &self.clock, Some(i.detected_at));
            items.push(format!("*Not established:* the time to detect; {why}."));
        }
        items.extend(self.entries(|entry| entry.kind == EntryKind::Notification));
        if i.timeline.iter().all(|e| e.kind != EntryKind::Notification) {
            items.push(match i.notifications {
                0 => "No notification is recorded [timeline].".to_owned(),
                n => format!("Notified {} [timeline].", words::times(n)),
            });
        }
        self.list(&items);
    }

    pub(crate) fn response(&mut self) {
        self.heading("Response and resolution");
        let i = self.incident;
        let mut items = Vec::new();
        let first = i.earlier.first().map_or(i.detected_at, |o| o.detected_at);
        if i.acknowledged_at.is_none() {
            items.push("No acknowledgement is recorded [timeline].".to_owned());
        }
        items.extend(self.entries(|entry| match entry.kind {
            EntryKind::State | EntryKind::Action | EntryKind::Recovery | EntryKind::Note => true,
            // What was changed before is trigger or background.
            EntryKind::Change => entry.at > first,
            EntryKind::Symptom | EntryKind::Notification | EntryKind::Gap => false,
        }));
        if i.reopened > 0 {
            items.push(format!("It came back {} and was reopened [timeline].", words::times(i.reopened)));
        }
        if i.state != State::Resolved {
            items.push("It is not resolved [timeline].".to_owned());
        }
        self.list(&items);
    }

    /// Entries as sentences, by time. What opened the incident has its own sentence.
    fn entries(&self, wanted: impl Fn(&TimelineEntry) -> bool) -> Vec<String> {
        let mut entries: Vec<_> =
            self.incident.timeline.iter().filter(|e| wanted(e) && e.label.as_deref() != Some("detected")).collect();
        entries.sort_by_key(|e| (e.at, e.seq));
        entries
            .into_iter()
            .map(|e| {
                let said = match (e.kind, &e.who) {
                    (EntryKind::Note, Some(who)) => format!("{who} wrote: “{}”", e.text),
                    (EntryKind::Note, None) => format!("Note: “{}”", e.text),
                    _ => e.text.clone(),
                };
                self.cite.recorded(&format!("{}: {said}", self.clock.time(e.at)), &e.evidence)
            })
            .collect()
    }
}
