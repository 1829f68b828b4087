//! What an incident holds, in words: shared by what the rules write, what is packed and what is checked.

use std::collections::BTreeSet;

use afterwatch_core::{
    Timestamp,
    change::{ChangeVerb, IncidentChange},
    coverage::Gap,
    incident::{Cause, Incident},
    metrics::{self, Times},
    object::ObjectRef,
    remediation::{Action, ActionKind},
    severity::Confidence,
    words,
    writing::Case,
};
use jiff::civil::Date;

/// The steps that are offered.
pub fn offered(case: &Case) -> Vec<&Action> {
    case.incident.advised().collect()
}

/// A case, and the words for what is in it.
pub(crate) struct Record<'a> {
    pub case: &'a Case,
    pub incident: &'a Incident,
    /// The day everything falls on, unless it takes several.
    day: Option<Date>,
}

impl<'a> Record<'a> {
    pub fn new(case: &'a Case) -> Record<'a> {
        let incident = &case.incident;
        let moments = incident.timeline.iter().map(|e| e.at).chain(
            [
                incident.started_at,
                Some(incident.detected_at),
                incident.acknowledged_at,
                incident.mitigated_at,
                incident.resolved_at,
            ]
            .into_iter()
            .flatten(),
        );
        let days: BTreeSet<Date> = moments
            .chain(case.gaps.iter().flat_map(|g| [g.from, g.to]))
            .map(|at| at.to_zoned(case.zone.clone()).date())
            .collect();
        Record { case, incident, day: days.first().copied().filter(|_| days.len() == 1) }
    }

    /// `03:14:51`, with the date before it when the incident goes over several days.
    pub fn time(&self, at: Timestamp) -> String {
        let at = at.to_zoned(self.case.zone.clone());
        let format = if self.day == Some(at.date()) { "%H:%M:%S" } else { "%-d %b %Y, %H:%M:%S" };
        at.strftime(format).to_string()
    }

    /// `03:04:10–03:06:38`.
    pub fn range(&self, from: Timestamp, to: Timestamp) -> String {
        format!("{}–{}", self.time(from), self.time(to))
    }

    /// `Not recorded 03:04:10–03:06:38: API server out of reach`.
    pub fn gap(&self, gap: &Gap) -> String {
        format!("Not recorded {}: {}", self.range(gap.from, gap.to), gap.cause.words())
    }

    /// The gaps by time.
    pub fn gaps(&self) -> Vec<Gap> {
        let mut gaps = self.case.gaps.clone();
        gaps.sort_by_key(|g| (g.from, g.to));
        gaps
    }

    /// Those of the ids that are there, each once.
    pub fn known(&self, ids: &[String]) -> Vec<String> {
        let mut known: Vec<String> = Vec::new();
        for id in ids {
            if self.holds(id) && !known.contains(id) {
                known.push(id.clone());
            }
        }
        known
    }

    /// Whether something with this id is there.
    pub fn holds(&self, id: &str) -> bool {
        let i = self.incident;
        i.evidence.iter().any(|e| e.id == id)
            || i.changes.iter().any(|c| c.id == id)
            || i.actions.iter().any(|a| a.id == id)
    }

    /// The four times over the gaps.
    pub fn times(&self) -> Times {
        metrics::times(&self.incident.instants(), &self.case.gaps)
    }

    /// Why a time that ends there is not known.
    pub fn why_unknown(&self, end: Option<Timestamp>) -> String {
        let around = |at: Timestamp| self.case.gaps.iter().find(|g| g.from < at && at < g.to);
        if let Some(gap) = end.and_then(around) {
            return format!("the end lies in a gap ({})", self.range(gap.from, gap.to));
        }
        let before = self.case.gaps.iter().filter(|g| g.to <= self.incident.detected_at).max_by_key(|g| g.to);
        match before {
            Some(gap) => format!("the start lies in a gap ({})", self.range(gap.from, gap.to)),
            None => "the start was not seen".to_owned(),
        }
    }

    /// The first cause, where one is at least possible.
    pub fn cause(&self) -> Option<&'a Cause> {
        self.incident.top_cause().filter(|_| self.incident.verdict > Confidence::NotEstablished)
    }

    /// The change that came just before: the one the timeline calls the trigger, else the last suspect one.
    pub fn suspect(&self) -> Option<&'a IncidentChange> {
        let trigger = self.incident.labelled("trigger");
        let named =
            trigger.and_then(|e| self.incident.changes.iter().find(|c| c.suspect && e.evidence.contains(&c.id)));
        named.or_else(|| self.incident.changes.iter().filter(|c| c.suspect).max_by_key(|c| c.change.at))
    }

    /// `Deployment shop/checkout changed by helm at 02:54:07: limits.memory 512Mi → 192Mi`.
    pub fn change(&self, change: &IncidentChange) -> String {
        let change = &change.change;
        let verb = match change.verb {
            ChangeVerb::Created => "created",
            ChangeVerb::Modified => "changed",
            ChangeVerb::Deleted => "deleted",
        };
        let by = change.who.as_ref().map(|who| format!(" by {who}")).unwrap_or_default();
        let summary = if change.summary.is_empty() { String::new() } else { format!(": {}", change.summary) };
        format!("{} {verb}{by} at {}{summary}", object(&change.object), self.time(change.at))
    }

    /// A change or an action by its id, in words.
    pub fn name_of(&self, id: &str) -> String {
        let i = self.incident;
        if let Some(change) = i.changes.iter().find(|c| c.id == id) {
            return self.change(change);
        }
        match i.actions.iter().find(|a| a.id == id) {
            Some(action) => action_name(action),
            None => id.to_owned(),
        }
    }

    /// What was not recorded while it hurt: `2 m (03:04:10–03:06:10)`.
    pub fn unrecorded(&self) -> Vec<String> {
        let i = self.incident;
        self.gaps()
            .iter()
            .filter(|g| i.started_at.is_none_or(|s| g.to > s) && i.mitigated_at.is_none_or(|m| g.from < m))
            .map(|g| format!("{} ({})", between(g.from, g.to), self.range(g.from, g.to)))
            .collect()
    }
}

/// `rollout undo of Deployment shop/checkout`.
pub(crate) fn action_name(action: &Action) -> String {
    format!("{} of {}", kind_in_words(action.draft.kind), object(&action.draft.target))
}

/// `rollout undo` and so on.
pub(crate) fn kind_in_words(kind: ActionKind) -> String {
    let mut words = String::new();
    for c in format!("{kind:?}").chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(c.to_ascii_lowercase());
    }
    words
}

/// `Deployment shop/checkout`.
pub(crate) fn object(object: &ObjectRef) -> String {
    match &object.namespace {
        Some(namespace) => format!("{} {namespace}/{}", object.kind, object.name),
        None => format!("{} {}", object.kind, object.name),
    }
}

/// The object to change and where.
pub(crate) fn entity(cause: &Cause) -> String {
    let mut text = object(&cause.entity);
    if let Some(field) = &cause.field {
        text = format!("{field} in {text}");
    }
    if let Some(referrer) = &cause.referrer {
        text.push_str(&format!(", which {} refers to", object(referrer)));
    }
    text
}

/// `17 m 48 s` between two moments.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> String {
    words::span(to.duration_since(from))
}

/// The text as a sentence: with one full stop at its end.
pub(crate) fn sentence(text: &str) -> String {
    let text = text.trim();
    match text.chars().next_back() {
        None => String::new(),
        Some('.' | '!' | '?' | '…') => text.to_owned(),
        Some(_) => format!("{text}."),
    }
}
