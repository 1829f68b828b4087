//! The ruled block of facts under the title.

use afterwatch_core::Timestamp;
use serde::Serialize;

use super::Review;
use crate::{section::Page, text::one_line};

/// A name and what it is; the block has two of them beside each other.
#[derive(Debug, Serialize)]
pub(crate) struct Fact {
    pub name: String,
    pub value: String,
}

/// In reading order: left, right, left, right.
pub(super) fn facts(page: &Page<'_>, label: &str, author: &str, review: Review) -> Vec<Fact> {
    let i = page.incident;
    let clock = &page.clock;
    let day = |at: Timestamp| at.to_zoned(page.input.zone.clone()).date();
    let first = i.started_at_range.map(|(from, _)| from).or(i.started_at).unwrap_or(i.detected_at);
    // The date is said once, unless another day has come since.
    let later = |at: Option<Timestamp>, none: &str| match at {
        None => none.to_owned(),
        Some(at) if day(at) == day(first) => clock.of_day(at),
        Some(at) => clock.full(at),
    };
    let started = match (i.started_at_range, i.started_at) {
        (Some((from, to)), _) => format!("between {} and {}", clock.full(from), later(Some(to), "")),
        (None, Some(at)) => clock.full(at),
        (None, None) => "not established".to_owned(),
    };
    let detected = if i.started_at.is_none() && i.started_at_range.is_none() {
        clock.full(i.detected_at)
    } else {
        later(Some(i.detected_at), "")
    };
    let subject = &i.subject;
    let namespace = subject.namespace.as_ref().map(|n| format!(" / {n}")).unwrap_or_default();
    let place = format!("{label}, {}{namespace} / {} {}", i.cluster, subject.kind, subject.name);
    let [detect, acknowledge, mitigate, resolve] = page.metric_words();
    let rows = [
        (("Incident", place), ("Severity", i.severity.word().to_owned())),
        (("Started", started), (detect.0, detect.1)),
        (("Detected", detected), (acknowledge.0, acknowledge.1)),
        (("Acknowledged", later(i.acknowledged_at, "not acknowledged")), (mitigate.0, mitigate.1)),
        (("Mitigated", later(i.mitigated_at, "not mitigated")), (resolve.0, resolve.1)),
        (("Resolved", later(i.resolved_at, "not resolved")), ("State", i.state.word().to_owned())),
        (("Author", author.to_owned()), ("Status", review.words().to_owned())),
    ];
    let fact = |(name, value): (&str, String)| Fact { name: name.to_owned(), value: one_line(&value) };
    rows.into_iter().flat_map(|(left, right)| [fact(left), fact(right)]).collect()
}
