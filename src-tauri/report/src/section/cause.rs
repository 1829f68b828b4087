//! Trigger, contributing factors, root cause.

use afterwatch_core::{
    change::{ChangeVerb, FieldChange, IncidentChange},
    incident::Cause,
    severity::Confidence,
};

use super::{Page, plain_object};
use crate::text::inert;

/// Fields of a change beyond this many are counted.
const FIELD_CAP: usize = 8;

impl Page<'_> {
    pub(crate) fn trigger(&mut self) {
        self.heading("Trigger");
        let Some(change) = self.suspect_change() else {
            self.paragraph("*Not established:* no recorded change came just before and touches what failed.");
            return;
        };
        let mut text = self.cite.statement(&self.change_in_words(change), std::slice::from_ref(&change.id));
        if let Some(who) = &change.change.who {
            text.push_str(&format!(
                "\n“{}” names a field manager, not a person; the cluster does not record who ran it [{}].",
                inert(who),
                inert(&change.id)
            ));
        }
        let cited = format!(" [{}]", inert(&change.id));
        let fields: Vec<String> = field_lines(&change.change.fields).into_iter().map(|l| l + &cited).collect();
        self.paragraph(&text);
        self.list(&fields);
    }

    pub(crate) fn contributing_factors(&mut self) {
        self.heading("Contributing factors");
        let mut items: Vec<String> = Vec::new();
        for cause in self.incident.causes.iter().skip(1) {
            let text = format!("{}: {}", cause.confidence.word(), cause.statement);
            items.push(self.cite.statement(&text, &cause.evidence));
        }
        let trigger = self.suspect_change().map(|c| c.id.as_str());
        for change in self.incident.changes.iter().filter(|c| c.suspect && Some(c.id.as_str()) != trigger) {
            let text = format!("Changed about the same time: {}", self.change_in_words(change));
            items.push(self.cite.statement(&text, std::slice::from_ref(&change.id)));
        }
        if items.is_empty() {
            self.paragraph("*Not established:* the record names none.");
        }
        self.list(&items);
        self.prompt("what made it possible or worse, such as a missing check, a limit set in two places, no alert?");
    }

    pub(crate) fn root_cause(&mut self) {
        self.heading("Root cause");
        let i = self.incident;
        let Some(cause) = i.top_cause().filter(|_| i.verdict > Confidence::NotEstablished) else {
            self.paragraph("The root cause is *not established*.");
            self.what_would_tell(&i.needs);
            return;
        };
        let signs = cause.signs;
        let tally = format!("{} for, {} against, {} could not be checked", signs.pro, signs.against, signs.unchecked);
        let statement = self.cite.statement(&cause.statement, &cause.evidence);
        self.paragraph(&format!("**{}** ({tally}). {statement}", i.verdict.word()));
        let what = self.cite.statement(&format!("To be changed: {}", entity(cause)), &cause.evidence);
        self.paragraph(&what);
        self.what_would_tell(&cause.needs);
    }

    /// The change that came just before: the one the timeline calls the trigger, else the last suspect one. A trigger
    /// of an earlier time is not one of this time.
    pub(crate) fn suspect_change(&self) -> Option<&IncidentChange> {
        let trigger = self.incident.labelled("trigger");
        let named =
            trigger.and_then(|e| self.incident.changes.iter().find(|c| c.suspect && e.evidence.contains(&c.id)));
        named.or_else(|| self.incident.changes.iter().filter(|c| c.suspect).max_by_key(|c| c.change.at))
    }

    /// `Deployment shop/checkout changed by helm at 02:54:07: limits.memory 512Mi → 192Mi`, not yet inert.
    pub(crate) fn change_in_words(&self, change: &IncidentChange) -> String {
        let change = &change.change;
        let verb = match change.verb {
            ChangeVerb::Created => "created",
            ChangeVerb::Modified => "changed",
            ChangeVerb::Deleted => "deleted",
        };
        let by = change.who.as_ref().map(|who| format!(" by {who}")).unwrap_or_default();
        let summary = if change.summary.is_empty() { String::new() } else { format!(": {}", change.summary) };
        format!("{} {verb}{by} at {}{summary}", plain_object(&change.object), self.clock.time(change.at))
    }

    /// A change or an action by its id, in words, not yet inert.
    pub(super) fn name_of(&self, id: &str) -> String {
        let i = self.incident;
        if let Some(change) = i.changes.iter().find(|c| c.id == id) {
            return self.change_in_words(change);
        }
        match i.actions.iter().find(|a| a.id == id) {
            Some(action) => {
                format!("{} of {}", kind_in_words(action.draft.kind), plain_object(&action.draft.target))
            }
            None => id.to_owned(),
        }
    }

    /// What a list of needs is called.
    pub(super) fn needs_label(&self) -> &'static str {
        match self.incident.verdict {
            Confidence::Established => "What would tell more",
            _ => "What would settle it",
        }
    }

    fn what_would_tell(&mut self, needs: &[String]) {
        if needs.is_empty() {
            if self.incident.verdict == Confidence::NotEstablished {
                self.paragraph("What would settle it is not known either.");
            }
            return;
        }
        self.paragraph(&format!("{}:", self.needs_label()));
        self.list(&needs.iter().map(|need| inert(need)).collect::<Vec<_>>());
    }
}

/// `rollout undo` and so on.
pub(crate) fn kind_in_words(kind: afterwatch_core::remediation::ActionKind) -> String {
    let mut words = String::new();
    for c in format!("{kind:?}").chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(c.to_ascii_lowercase());
    }
    words
}

/// The object to change and where, not yet inert.
fn entity(cause: &Cause) -> String {
    let mut text = plain_object(&cause.entity);
    if let Some(field) = &cause.field {
        text = format!("{field} in {text}");
    }
    if let Some(referrer) = &cause.referrer {
        text.push_str(&format!(", which {} refers to", plain_object(referrer)));
    }
    text
}

/// Finished lines, one per field.
fn field_lines(fields: &[FieldChange]) -> Vec<String> {
    let side = |value: &Option<String>| value.as_deref().map_or("absent".to_owned(), inert);
    let mut lines: Vec<String> = fields
        .iter()
        .take(FIELD_CAP)
        .map(|f| format!("{}: {} → {}", inert(&f.path), side(&f.from), side(&f.to)))
        .collect();
    if fields.len() > FIELD_CAP {
        lines.push(format!("{} more fields", fields.len() - FIELD_CAP));
    }
    lines
}
