//! What is worth a notification, and its words (at most 45 characters of title, 110 of body).

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::{
    incident::Incident,
    port::notifier::{Notice, NoticeKind},
    severity::{Confidence, Severity},
    words::clip,
};

/// The notification that opens an incident.
pub fn opened(incident: &Incident, zone: &TimeZone) -> Notice {
    let cause = match incident.top_cause() {
        Some(c) if c.confidence > Confidence::NotEstablished => c.statement.as_str(),
        _ => "Cause not established yet.",
    };
    notice(NoticeKind::Opened, incident, incident.title.clone(), format!("{} {}", place(incident, zone), cause))
}

/// The incident became more severe.
pub fn worse(incident: &Incident, zone: &TimeZone) -> Notice {
    let title = format!("{}: now {}", incident.subject.name, incident.severity.word());
    notice(NoticeKind::Worse, incident, title, format!("{} {}", place(incident, zone), incident.title))
}

/// The same fault came back after it was resolved.
pub fn back(incident: &Incident, zone: &TimeZone) -> Notice {
    let before = match incident.earlier.last().and_then(|o| o.resolved_at) {
        Some(at) => format!("It is back: it was resolved at {}.", clock(at, zone)),
        None => "It is back.".to_owned(),
    };
    notice(NoticeKind::Opened, incident, incident.title.clone(), format!("{} {before}", place(incident, zone)))
}

/// What was notified is well again.
pub fn recovered(incident: &Incident, zone: &TimeZone) -> Notice {
    let since = incident.mitigated_at.or(incident.resolved_at);
    let body = match since {
        Some(at) => format!("Since {}. {}", clock(at, zone), recovery(incident)),
        None => recovery(incident),
    };
    notice(NoticeKind::Recovered, incident, format!("{} is well again", incident.subject.name), body)
}

/// What was already broken when watching began, as one notification.
pub fn summary(incidents: &[&Incident], zone: &TimeZone) -> Option<Notice> {
    let worst = incidents.iter().max_by_key(|i| i.severity)?;
    if incidents.len() == 1 {
        return Some(opened(worst, zone));
    }
    let title = format!("{} problems were there at the start", incidents.len());
    let body = format!("Worst: {}, {}.", worst.title, place(worst, zone).trim_end_matches('.'));
    Some(Notice { incident: Some(worst.id), ..notice(NoticeKind::Summary, worst, title, body) })
}

/// A cluster cannot be watched any more.
pub fn lost_sight(cluster: &str, reason: &str, at: Timestamp, zone: &TimeZone) -> Notice {
    Notice {
        kind: NoticeKind::LostSight,
        incident: None,
        title: clip(&format!("{cluster} cannot be watched"), 45),
        body: clip(&format!("{reason} at {}. Nothing is recorded until it answers again.", clock(at, zone)), 110),
        severity: Severity::Medium,
    }
}

/// What waited for the morning, in one: those that are over first counted, then those that are open.
pub fn morning(held: &[&Incident], since: Timestamp, zone: &TimeZone) -> Option<Notice> {
    let worst = held.iter().max_by_key(|i| (i.state.is_open(), i.severity))?;
    let count = |open: bool, word: &str| {
        let all: Vec<&&Incident> = held.iter().filter(|i| i.state.is_open() == open).collect();
        let severest = all.iter().map(|i| i.severity).max()?;
        Some(match all.len() {
            1 => format!("1 {} {word}", severest.word()),
            n => format!("{n} {word}, the worst {}", severest.word()),
        })
    };
    let parts: Vec<String> = [count(true, "open"), count(false, "resolved")].into_iter().flatten().collect();
    let mut lines: Vec<&&Incident> = held.iter().collect();
    lines.sort_by_key(|i| std::cmp::Reverse((i.state.is_open(), i.severity)));
    let body = lines.iter().take(3).map(|i| i.title.as_str()).collect::<Vec<_>>().join("\n");
    let title = format!("Since {}: {}", clock(since, zone), parts.join(", "));
    Some(Notice { body: clip(&body, 220), ..notice(NoticeKind::Morning, worst, title, String::new()) })
}

/// The same notification with the names of objects and namespaces left out.
pub fn hidden(notice: Notice, incident: &Incident, zone: &TimeZone) -> Notice {
    let at = incident.started_at.unwrap_or(incident.detected_at);
    let (title, body) = match notice.kind {
        NoticeKind::Recovered => {
            (format!("An incident in {} is over", incident.cluster), format!("It began at {}.", clock(at, zone)))
        }
        NoticeKind::Summary | NoticeKind::Morning => return Notice { body: String::new(), ..notice },
        _ => (
            format!("{} incident in {}", incident.severity.word(), incident.cluster),
            format!("Since {}.", clock(at, zone)),
        ),
    };
    Notice { title: clip(&title, 45), body, ..notice }
}

fn notice(kind: NoticeKind, incident: &Incident, title: String, body: String) -> Notice {
    Notice {
        kind,
        incident: Some(incident.id),
        title: clip(&title, 45),
        body: clip(&body, 110),
        severity: incident.severity,
    }
}

fn place(incident: &Incident, zone: &TimeZone) -> String {
    let at = incident.started_at.unwrap_or(incident.detected_at);
    match &incident.subject.namespace {
        Some(ns) => format!("{} / {ns}, since {}.", incident.cluster, clock(at, zone)),
        None => format!("{}, since {}.", incident.cluster, clock(at, zone)),
    }
}

fn recovery(incident: &Incident) -> String {
    let held = incident.quiet_since.zip(incident.resolved_at).map(|(a, b)| b.duration_since(a));
    match held {
        Some(span) if span >= SignedDuration::from_mins(1) => format!("It has held for {}.", crate::words::span(span)),
        _ => "Watching whether it holds.".to_owned(),
    }
}

fn clock(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M").to_string()
}
