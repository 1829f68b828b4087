//! What is not known, and what is to be done.

use std::collections::BTreeSet;

use afterwatch_core::severity::Confidence;

use super::{Page, cause::kind_in_words};
use crate::text::inert;

impl Page<'_> {
    pub(crate) fn not_known(&mut self) {
        self.heading("What is not known");
        let i = self.incident;
        let mut items: Vec<String> = Vec::new();
        if i.verdict < Confidence::Established {
            items.push(match i.verdict {
                Confidence::NotEstablished => "The root cause.".to_owned(),
                word => format!("Whether the root cause is right: it is {}.", word.word().to_lowercase()),
            });
        }
        if let Some((from, to)) = i.started_at_range {
            let (from, to) = (self.clock.time(from), self.clock.time(to));
            items.push(format!("When exactly it started: between {from} and {to}."));
        } else if i.started_at.is_none() {
            items.push("When it started.".to_owned());
        }
        for gap in self.sorted_gaps() {
            items.push(format!("{}.", self.clock.gap(&gap)));
        }
        for open in i.ruled_out.iter().filter(|r| r.result != "no") {
            let text = inert(open.statement.trim().trim_end_matches('.'));
            let ids = self.cite.known(&open.evidence);
            let cited = if ids.is_empty() { String::new() } else { format!(" [{}]", ids.join(", ")) };
            items.push(format!("Could not be checked: {text}{cited}."));
        }
        let needs: BTreeSet<&String> = i.needs.iter().chain(i.causes.iter().flat_map(|c| &c.needs)).collect();
        for need in needs {
            items.push(format!("{}: {}.", self.needs_label(), inert(need.trim().trim_end_matches('.'))));
        }
        if let Some(change) = self.suspect_change() {
            items.push(format!("Who made the change [{}]: the cluster does not record it.", change.id));
        }
        let cut: Vec<&str> = i.evidence.iter().filter(|e| e.draft.truncated).map(|e| e.id.as_str()).collect();
        if !cut.is_empty() {
            items
                .push(format!("What was left out of [{}]: the source had more than was kept.", inert(&cut.join(", "))));
        }
        items.push(format!(
            "How many requests and users were hit: no request metrics are read for {}.",
            inert(&i.cluster)
        ));
        self.list(&items);
    }

    pub(crate) fn action_items(&mut self) {
        self.heading("Action items");
        let i = self.incident;
        let open = |kind: &str, action: String| {
            vec![kind.to_owned(), action, "no owner yet".to_owned(), "no date".to_owned(), "proposed".to_owned()]
        };
        let mut rows: Vec<Vec<String>> = Vec::new();
        for action in i.advised() {
            let draft = &action.draft;
            let mut because = draft.because.trim().trim_end_matches('.').to_owned();
            if !because.is_empty() {
                because.insert_str(0, ": ");
            }
            let text = format!("{} of {}", kind_in_words(draft.kind), super::plain_object(&draft.target));
            rows.push(open("Repair", format!("{}{} [{}]", inert(&text), inert(&because), inert(&action.id))));
        }
        for need in &i.needs {
            rows.push(open("Detect", format!("Make it possible to tell: {}", inert(need))));
        }
        rows.push(open("Prevent", "*For the author: what keeps it from coming back?*".to_owned()));
        self.table(&["Kind", "Action", "Owner", "Until", "Status"], &rows);
    }
}
