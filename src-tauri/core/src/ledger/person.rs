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
    line(incident, now, EntryKind::State, Some("acknowledged"), format!("Acknowledged by {who}"), who);
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
    line(incident, now, EntryKind::State, Some("resolved"), format!("Closed by {who}{broken}{reason}"), who);
}

/// A dated line of a person.
pub fn note(incident: &mut Incident, now: Timestamp, who: &str, text: &str) {
    line(incident, now, EntryKind::Note, None, text.to_owned(), who);
}

/// A person says that this is no incident: it is closed, and says so. What its rules find there from now on is the
/// settings' business.
pub fn not_an_incident(incident: &mut Incident, now: Timestamp, who: &str, reason: Option<&str>) {
    let reason = reason.map(|r| format!(": {r}")).unwrap_or_default();
    let text = format!("{who} said that this is not an incident{reason}");
    line(incident, now, EntryKind::State, None, text, who);
    resolve(incident, now, who, Some("not an incident"));
}

/// Ties it to a ticket kept elsewhere, or unties it.
pub fn set_ticket(incident: &mut Incident, now: Timestamp, who: &str, url: Option<&str>) {
    if incident.ticket.as_deref() == url {
        return;
    }
    let text = match url {
        Some(url) => format!("Ticket: {url}"),
        None => "Ticket link taken away".to_owned(),
    };
    incident.ticket = url.map(str::to_owned);
    line(incident, now, EntryKind::Note, None, text, who);
}

/// A line of what somebody did.
fn line(incident: &mut Incident, now: Timestamp, kind: EntryKind, label: Option<&str>, text: String, who: &str) {
    push(incident, now, kind, label, text, Vec::new(), Observed::Live);
    if let Some(entry) = incident.timeline.last_mut() {
        entry.who = Some(who.to_owned());
    }
}
