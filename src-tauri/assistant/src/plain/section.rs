//! The sections of the post-mortem that can be worded: what the report's template says, as statements.

use std::collections::BTreeSet;

use afterwatch_core::{
    Timestamp,
    coverage::in_gap,
    incident::{FindingRecord, OpenedBy, State},
    metrics::Span,
    severity::Confidence,
    timeline::{EntryKind, TimelineEntry},
    words,
    writing::{Section, Statement},
};
use jiff::SignedDuration;

use super::unknown;
use crate::record::{Record, action_name, between, entity, object, offered};

/// More findings than this are counted instead of told.
const IMPACT_CAP: usize = 20;

/// The statements of a section; never none.
pub(super) fn write(r: &Record<'_>, section: Section) -> Vec<Statement> {
    match section {
        Section::Summary => summary(r),
        Section::Impact => impact(r),
        Section::Trigger => trigger(r),
        Section::ContributingFactors => contributing(r),
        Section::RootCause => root_cause(r),
        Section::Detection => detection(r),
        Section::Response => response(r),
        Section::NotKnown => not_known(r),
        Section::ActionItems => action_items(r),
    }
}

fn summary(r: &Record<'_>) -> Vec<Statement> {
    let mut out = vec![what_is_wrong(r)];
    out.extend(r.suspect().map(|c| r.cited(&format!("Just before: {}", r.change(c)), std::slice::from_ref(&c.id))));
    out.push(cause_in_a_sentence(r));
    out.push(end(r));
    out
}

/// What broke, and where.
pub(super) fn what_is_wrong(r: &Record<'_>) -> Statement {
    let i = r.incident;
    let first = i.labelled("started").map(|e| e.evidence.clone()).unwrap_or_default();
    r.cited(&format!("{}: {} in {}", i.title, object(&i.subject), i.cluster), &first)
}

/// The first cause with how sure it is, or that there is none.
pub(super) fn cause_in_a_sentence(r: &Record<'_>) -> Statement {
    match r.cause() {
        Some(cause) => {
            let text = format!("{} cause: {}", r.incident.verdict.word(), cause.statement);
            r.cited(&text, &cause.evidence)
        }
        None => unknown("The cause is not established", "no rule could establish one"),
    }
}

/// How the impact ended, if it did.
pub(super) fn end(r: &Record<'_>) -> Statement {
    let Some(at) = r.incident.mitigated_at else { return r.recorded("The impact is not over", &[]) };
    if in_gap(&r.case.gaps, at) {
        return unknown("When the impact ended is not established", "it was not recorded");
    }
    let when = r.time(at);
    match r.incident.recovered_by.as_deref() {
        Some("itself") | None => r.recorded(&format!("The impact ended at {when}, without a recorded change"), &[]),
        Some(id) => r.cited(&format!("The impact ended at {when}, after {}", r.name_of(id)), &[id.to_owned()]),
    }
}

pub(super) fn impact(r: &Record<'_>) -> Vec<Statement> {
    let i = r.incident;
    let mut out = Vec::new();
    // What hurt an earlier time only is told with that time.
    let this_time = |f: &&FindingRecord| i.earlier.is_empty() || i.started_at.is_none_or(|t| f.last_seen >= t);
    for finding in i.findings.iter().filter(this_time).take(IMPACT_CAP) {
        let message = finding.message.trim().trim_end_matches('.');
        out.push(r.cited(&format!("{message} (since {})", r.time(finding.first_seen)), &finding.evidence));
    }
    if i.findings.len() > IMPACT_CAP {
        out.push(r.recorded(&format!("{} more findings are in the record", i.findings.len() - IMPACT_CAP), &[]));
    }
    out.push(duration(r));
    for before in &i.earlier {
        let time = |at: Option<Timestamp>| at.map_or("an unknown time".to_owned(), |at| r.time(at));
        let (from, to) = (time(before.started_at), time(before.mitigated_at.or(before.resolved_at)));
        let text = format!("It had been there before, from {from} to {to}");
        out.push(match before.recovered_by.as_deref().filter(|by| *by != "itself") {
            Some(id) => r.cited(&format!("{text}; {} did not hold", r.name_of(id)), &[id.to_owned()]),
            None => r.recorded(&text, &[]),
        });
    }
    out.push(users(r));
    out
}

fn users(r: &Record<'_>) -> Statement {
    let why = format!("no request metrics are read for {}", r.incident.cluster);
    unknown(&format!("How many requests and users were hit is not established: {why}"), &why)
}

/// How long it lasted, honest about gaps.
pub(super) fn duration(r: &Record<'_>) -> Statement {
    let unrecorded = r.unrecorded();
    let of_which = match unrecorded.is_empty() {
        true => String::new(),
        false => format!(", of which not recorded: {}", words::list(&unrecorded, 4)),
    };
    match r.times().to_mitigate {
        Span::Seconds(s) => r.recorded(&format!("It lasted {} from start to mitigation{of_which}", seconds(s)), &[]),
        Span::Range(a, b) => {
            let text = format!("It lasted between {} and {} from start to mitigation", seconds(a), seconds(b));
            r.recorded(&format!("{text}{of_which}"), &[])
        }
        Span::Pending => {
            let since = r.incident.started_at.unwrap_or(r.incident.detected_at);
            let so_far = between(since, r.case.now);
            r.recorded(&format!("It is not over; it has lasted {so_far} so far{of_which}"), &[])
        }
        Span::Unknown => {
            let why = r.why_unknown(r.incident.mitigated_at);
            unknown(&format!("How long it lasted is not established: {why}"), &why)
        }
    }
}

pub(super) fn trigger(r: &Record<'_>) -> Vec<Statement> {
    let Some(held) = r.suspect() else {
        let why = "no recorded change came just before and touches what failed";
        return vec![unknown(&format!("The trigger is not established: {why}"), why)];
    };
    let mut out = vec![r.cited(&r.change(held), std::slice::from_ref(&held.id))];
    out.extend(who(r));
    out
}

/// What is known of who made the suspect change.
pub(super) fn who(r: &Record<'_>) -> Option<Statement> {
    let held = r.suspect()?;
    let who = held.change.who.as_ref()?;
    let text = format!("“{who}” names a field manager, not a person; the cluster does not record who ran it");
    Some(r.cited(&text, std::slice::from_ref(&held.id)))
}

fn contributing(r: &Record<'_>) -> Vec<Statement> {
    let mut out: Vec<Statement> = Vec::new();
    for cause in r.incident.causes.iter().skip(1) {
        out.push(r.cited(&format!("{}: {}", cause.confidence.word(), cause.statement), &cause.evidence));
    }
    let trigger = r.suspect().map(|c| c.id.as_str());
    for held in r.incident.changes.iter().filter(|c| c.suspect && Some(c.id.as_str()) != trigger) {
        let text = format!("Changed about the same time: {}", r.change(held));
        out.push(r.cited(&text, std::slice::from_ref(&held.id)));
    }
    if out.is_empty() {
        let why = "the record names none";
        out.push(unknown(&format!("Contributing factors are not established: {why}"), why));
    }
    out
}

pub(super) fn root_cause(r: &Record<'_>) -> Vec<Statement> {
    let i = r.incident;
    let mut out = Vec::new();
    let needs = match r.cause() {
        None => {
            out.push(unknown("The root cause is not established", "no rule could establish one"));
            &i.needs
        }
        Some(cause) => {
            let signs = cause.signs;
            out.push(r.cited(&cause.statement, &cause.evidence));
            let tally = format!(
                "It is {}: {} for it, {} against, {} could not be checked",
                i.verdict.word().to_lowercase(),
                signs_in_words(signs.pro),
                signs.against,
                signs.unchecked
            );
            out.push(r.cited(&tally, &cause.evidence));
            out.push(r.cited(&format!("To be changed: {}", entity(cause)), &cause.evidence));
            &cause.needs
        }
    };
    out.extend(needs.iter().map(|need| r.recorded(&format!("{}: {need}", needs_label(r)), &[])));
    out
}

fn signs_in_words(n: u32) -> String {
    if n == 1 { "1 sign".to_owned() } else { format!("{n} signs") }
}

fn needs_label(r: &Record<'_>) -> &'static str {
    match r.incident.verdict {
        Confidence::Established => "What would tell more",
        _ => "What would settle it",
    }
}

pub(super) fn detection(r: &Record<'_>) -> Vec<Statement> {
    let i = r.incident;
    let who = match i.opened_by {
        OpenedBy::Rule => match i.findings.first() {
            Some(first) => format!("by the rule {}", first.rule_id),
            None => "by a rule".to_owned(),
        },
        OpenedBy::User => "by a person".to_owned(),
    };
    let to_detect = r.times().to_detect;
    let after = match to_detect {
        Span::Seconds(s) => format!(", {} after the start", seconds(s)),
        Span::Range(a, b) => format!(", {} to {} after the start", seconds(a), seconds(b)),
        Span::Pending | Span::Unknown => String::new(),
    };
    let entry = i.labelled("detected").map(|e| e.evidence.clone()).unwrap_or_default();
    let mut out = vec![r.recorded(&format!("Opened at {} {who}{after}", r.time(i.detected_at)), &entry)];
    if to_detect == Span::Unknown {
        let why = r.why_unknown(Some(i.detected_at));
        out.push(unknown(&format!("The time to detect is not established: {why}"), &why));
    }
    out.extend(entries(r, |entry| entry.kind == EntryKind::Notification));
    if i.timeline.iter().all(|e| e.kind != EntryKind::Notification) {
        out.push(match i.notifications {
            0 => r.recorded("No notification is recorded", &[]),
            n => r.recorded(&format!("Notified {}", words::times(n)), &[]),
        });
    }
    out
}

fn response(r: &Record<'_>) -> Vec<Statement> {
    let i = r.incident;
    let mut out = Vec::new();
    let first = i.earlier.first().map_or(i.detected_at, |o| o.detected_at);
    if i.acknowledged_at.is_none() {
        out.push(r.recorded("No acknowledgement is recorded", &[]));
    }
    out.extend(entries(r, |entry| match entry.kind {
        EntryKind::State | EntryKind::Action | EntryKind::Recovery | EntryKind::Note => true,
        // What was changed before is trigger or background.
        EntryKind::Change => entry.at > first,
        EntryKind::Symptom | EntryKind::Notification | EntryKind::Gap => false,
    }));
    if i.reopened > 0 {
        out.push(r.recorded(&format!("It came back {} and was reopened", words::times(i.reopened)), &[]));
    }
    if i.state != State::Resolved {
        out.push(r.recorded("It is not resolved", &[]));
    }
    out
}

/// Entries as sentences, by time. What opened the incident has its own sentence.
fn entries(r: &Record<'_>, wanted: impl Fn(&TimelineEntry) -> bool) -> Vec<Statement> {
    let mut entries: Vec<&TimelineEntry> =
        r.incident.timeline.iter().filter(|e| wanted(e) && e.label.as_deref() != Some("detected")).collect();
    entries.sort_by_key(|e| (e.at, e.seq));
    let said = |e: &TimelineEntry| match (e.kind, &e.who) {
        (EntryKind::Note, Some(who)) => format!("{who} wrote: “{}”", e.text),
        (EntryKind::Note, None) => format!("Note: “{}”", e.text),
        _ => e.text.clone(),
    };
    entries.into_iter().map(|e| r.recorded(&format!("{}: {}", r.time(e.at), said(e)), &e.evidence)).collect()
}

pub(super) fn not_known(r: &Record<'_>) -> Vec<Statement> {
    let i = r.incident;
    let mut out = Vec::new();
    match i.verdict {
        Confidence::Established => {}
        Confidence::NotEstablished => out.push(r.recorded("The root cause is not known", &[])),
        word => {
            let text = format!("Whether the root cause is right: it is {}", word.word().to_lowercase());
            out.push(r.recorded(&text, &[]));
        }
    }
    if let Some((from, to)) = i.started_at_range {
        let text = format!("When exactly it started: between {} and {}", r.time(from), r.time(to));
        out.push(r.recorded(&text, &[]));
    } else if i.started_at.is_none() {
        out.push(r.recorded("When it started is not known", &[]));
    }
    out.extend(r.gaps().iter().map(|gap| r.recorded(&r.gap(gap), &[])));
    for open in i.ruled_out.iter().filter(|o| o.result != "no") {
        out.push(r.recorded(&format!("Could not be checked: {}", open.statement), &open.evidence));
    }
    let needs: BTreeSet<&String> = i.needs.iter().chain(i.causes.iter().flat_map(|c| &c.needs)).collect();
    out.extend(needs.into_iter().map(|need| r.recorded(&format!("{}: {need}", needs_label(r)), &[])));
    if let Some(change) = r.suspect() {
        let text = "Who made the change: the cluster does not record it";
        out.push(r.recorded(text, std::slice::from_ref(&change.id)));
    }
    let cut: Vec<String> = i.evidence.iter().filter(|e| e.draft.truncated).map(|e| e.id.clone()).collect();
    if !cut.is_empty() {
        out.push(r.recorded("What was left out of an excerpt: the source had more than was kept", &cut));
    }
    out.push(users(r));
    out
}

fn action_items(r: &Record<'_>) -> Vec<Statement> {
    let mut out = Vec::new();
    for step in offered(r.case) {
        let because = step.draft.because.trim().trim_end_matches('.');
        let because = if because.is_empty() { String::new() } else { format!(": {because}") };
        let text = format!("Repair: {}{because}", action_name(step));
        out.push(r.cited(&text, std::slice::from_ref(&step.id)));
    }
    for need in &r.incident.needs {
        out.push(r.recorded(&format!("Detect: make it possible to tell {}", need.trim()), &[]));
    }
    let why = "only the people who run it can say";
    out.push(unknown("Prevent: what keeps it from coming back is not established", why));
    out
}

/// What was looked at and is not it.
pub(super) fn ruled_out(r: &Record<'_>) -> Vec<Statement> {
    let mut out: Vec<Statement> = Vec::new();
    for (result, before) in [(true, "Ruled out"), (false, "Could not be checked")] {
        for one in r.incident.ruled_out.iter().filter(|o| (o.result == "no") == result) {
            let text = format!("{before}: {}", one.statement);
            out.push(if result { r.cited(&text, &one.evidence) } else { r.recorded(&text, &one.evidence) });
        }
    }
    if out.is_empty() {
        out.push(r.recorded("Nothing was ruled out", &[]));
    }
    out
}

/// When it began, or between which moments.
pub(super) fn start(r: &Record<'_>) -> Statement {
    let i = r.incident;
    let ids = i.labelled("started").map(|e| e.evidence.clone()).unwrap_or_default();
    let basis = if i.started_at_basis.is_empty() { String::new() } else { format!(" ({})", i.started_at_basis) };
    match (i.started_at_range, i.started_at) {
        (Some((from, to)), _) => {
            r.recorded(&format!("It started between {} and {}{basis}", r.time(from), r.time(to)), &ids)
        }
        (None, Some(at)) => r.recorded(&format!("It started at {}{basis}", r.time(at)), &ids),
        (None, None) => unknown("When it started is not established", "the start was not seen"),
    }
}

/// `17 m 48 s` for seconds.
fn seconds(seconds: f64) -> String {
    words::span(SignedDuration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// What a person is called who did something: for answers about people.
pub(super) fn people(r: &Record<'_>) -> Vec<Statement> {
    r.incident
        .timeline
        .iter()
        .filter_map(|e| {
            let who = e.who.as_ref()?;
            Some(r.recorded(&format!("{}: {} ({who})", r.time(e.at), words::capital(&e.text)), &e.evidence))
        })
        .collect()
}
