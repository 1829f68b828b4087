//! What people do with an incident.

use jiff::Timestamp;

use super::push;
use crate::{
    evidence::Observed,
    incident::{Incident, State},
    timeline::EntryKind,
};

/// A person takes it on. Does nothing to one that is acknowledged or resolved.
pub fn acknowledge(incident: &mut Incident, now: Timestamp, who: &str) {
    if incident.acknowledged_at.is_some() || incident.state == State::Resolved {
        return;
    }
    incident.acknowledged_at = Some(now);
    if incident.state == State::Open {
        incident.state = State::Acknowledged;
    }
    push(
        incident,
        now,
        EntryKind::State,
        Some("acknowledged"),
        format!("Acknowledged by {who}"),
        Vec::new(),
        Observed::Live,
    );
    if let Some(e) = incident.timeline.last_mut() {
        e.who = Some(who.to_owned());
    }
}

/// A person closes it.
pub fn resolve(incident: &mut Incident, now: Timestamp, who: &str, reason: Option<&str>) {
    if incident.state == State::Resolved {
        return;
    }
    incident.state = State::Resolved;
    incident.resolved_at = Some(now);
    let broken = if incident.closed_while_broken() { " while it was still broken" } else { "" };
    let reason = reason.map(|r| format!(": {r}")).unwrap_or_default();
    push(
        incident,
        now,
        EntryKind::State,
        Some("resolved"),
        format!("Closed by {who}{broken}{reason}"),
        Vec::new(),
        Observed::Live,
    );
    if let Some(e) = incident.timeline.last_mut() {
        e.who = Some(who.to_owned());
    }
}

/// A dated line of a person.
pub fn note(incident: &mut Incident, now: Timestamp, who: &str, text: &str) {
    push(incident, now, EntryKind::Note, None, text.to_owned(), Vec::new(), Observed::Live);
    if let Some(e) = incident.timeline.last_mut() {
        e.who = Some(who.to_owned());
    }
}
