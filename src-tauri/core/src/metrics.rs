//! The four times of an incident, honest about gaps.
//!
//! Detect = started → detected; acknowledge = detected → acknowledged; mitigate = started → mitigated (the time users
//! suffered); resolve (MTTR here) = started → resolved, the stability window included.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    coverage::{Gap, in_gap},
    incident::Instants,
};

/// A time between two instants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// It has not happened yet.
    Pending,
    /// An end lies in a gap of coverage, or the start is not known.
    Unknown,
    /// Seconds.
    Seconds(f64),
    /// Between these many seconds: the start is only known to lie in a range.
    Range(f64, f64),
}

impl Span {
    /// The number, where there is one.
    pub fn seconds(self) -> Option<f64> {
        match self {
            Span::Seconds(s) => Some(s),
            _ => None,
        }
    }
}

/// The four times.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Times {
    pub to_detect: Span,
    pub to_acknowledge: Span,
    pub to_mitigate: Span,
    pub to_resolve: Span,
}

/// Computes the times over the gaps of coverage.
pub fn times(incident: &Instants, gaps: &[Gap]) -> Times {
    // A start that lies in a gap is the earliest sign that was left of it: it began then or before, at the earliest
    // when the gap began.
    let gap_around = |at: Timestamp| gaps.iter().find(|g| g.from < at && at < g.to);
    let start = match (incident.started_at_range, incident.started_at) {
        (Some((a, b)), _) => Start::Between(a, b),
        (None, Some(at)) => gap_around(at).map_or(Start::At(at), |g| Start::Between(g.from, at)),
        (None, None) => Start::Unknown,
    };
    let from_start = |end: Option<Timestamp>| match (start, end) {
        (_, None) => Span::Pending,
        (_, Some(end)) if in_gap(gaps, end) => Span::Unknown,
        (Start::Unknown, _) => Span::Unknown,
        (Start::At(at), Some(end)) => Span::Seconds(seconds(at, end)),
        (Start::Between(a, b), Some(end)) => Span::Range(seconds(b, end), seconds(a, end)),
    };
    Times {
        to_detect: from_start(Some(incident.detected_at)),
        to_acknowledge: match incident.acknowledged_at {
            Some(at) => Span::Seconds(seconds(incident.detected_at, at)),
            None => Span::Pending,
        },
        to_mitigate: from_start(incident.mitigated_at),
        to_resolve: from_start(incident.resolved_at),
    }
}

#[derive(Clone, Copy)]
enum Start {
    Unknown,
    At(Timestamp),
    Between(Timestamp, Timestamp),
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    (to.duration_since(from).as_millis() as f64 / 1000.0).max(0.0)
}
