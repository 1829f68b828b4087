//! The times of an incident on the wire.

use afterwatch_core::metrics::{Span, Times};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The four times in seconds; null while pending or unknown (`*_basis` says which).
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct TimesDto {
    pub to_detect_s: Option<f64>,
    pub to_acknowledge_s: Option<f64>,
    pub to_mitigate_s: Option<f64>,
    pub to_resolve_s: Option<f64>,
    /// Per time: `known`, `pending`, `unknown`, or `range`.
    pub basis: TimesBasis,
    /// Where a time is a range: least and most seconds.
    pub to_detect_range_s: Option<(f64, f64)>,
    pub to_mitigate_range_s: Option<(f64, f64)>,
    pub to_resolve_range_s: Option<(f64, f64)>,
}

/// How well each time is known.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct TimesBasis {
    pub to_detect: String,
    pub to_acknowledge: String,
    pub to_mitigate: String,
    pub to_resolve: String,
}

impl From<&Times> for TimesDto {
    fn from(t: &Times) -> TimesDto {
        TimesDto {
            to_detect_s: t.to_detect.seconds(),
            to_acknowledge_s: t.to_acknowledge.seconds(),
            to_mitigate_s: t.to_mitigate.seconds(),
            to_resolve_s: t.to_resolve.seconds(),
            basis: TimesBasis {
                to_detect: basis(t.to_detect),
                to_acknowledge: basis(t.to_acknowledge),
                to_mitigate: basis(t.to_mitigate),
                to_resolve: basis(t.to_resolve),
            },
            to_detect_range_s: range(t.to_detect),
            to_mitigate_range_s: range(t.to_mitigate),
            to_resolve_range_s: range(t.to_resolve),
        }
    }
}

fn basis(span: Span) -> String {
    match span {
        Span::Pending => "pending",
        Span::Unknown => "unknown",
        Span::Seconds(_) => "known",
        Span::Range(..) => "range",
    }
    .to_owned()
}

fn range(span: Span) -> Option<(f64, f64)> {
    match span {
        Span::Range(a, b) => Some((a, b)),
        _ => None,
    }
}
