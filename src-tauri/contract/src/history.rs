//! The history screen: past incidents, what comes back, and how long things took.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    times::TimesDto,
    window::{GapDto, IncidentSummary},
};

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct HistoryQuery {
    /// Words over titles, causes, evidence, timelines and notes.
    pub search: Option<String>,
    pub cluster: Option<String>,
    /// One of the four severities.
    pub severity: Option<String>,
    /// Only what was open at some time in so many days.
    pub days: Option<u32>,
    pub offset: u32,
    /// At most 500.
    pub limit: u32,
}

/// A part of the list, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct HistoryPage {
    pub incidents: Vec<HistoryRow>,
    /// How many match.
    pub total: u32,
    /// How many there are in the whole history.
    pub of: u32,
    /// Before this nothing was recorded; null where nothing ever was.
    pub recorded_since: Option<String>,
    /// The clusters the history knows.
    pub clusters: Vec<String>,
}

/// A past incident.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct HistoryRow {
    pub incident: IncidentSummary,
    pub mitigated_at: Option<String>,
    pub times: TimesDto,
    /// How often it came back under its number.
    pub reopened: u32,
    pub ticket: Option<String>,
}

/// What the charts show, over everything that matches (offset and limit do not count).
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct HistoryInsights {
    /// Faults that came more than once, most often first.
    pub recurring: Vec<RecurrenceDto>,
    /// One plot each for detect, acknowledge, mitigate and resolve, in this order.
    pub plots: Vec<MetricPlot>,
    pub recorded_since: Option<String>,
}

/// A fault that came more than once: same workload, same cause.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RecurrenceDto {
    /// The newest title.
    pub title: String,
    pub cluster: String,
    pub namespace: Option<String>,
    pub subject_kind: String,
    pub subject_name: String,
    /// Oldest first.
    pub occurrences: Vec<OccurrenceDto>,
    /// The longest time it stayed well before it came back, in seconds.
    pub longest_well_s: f64,
}

/// One time it hurt.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct OccurrenceDto {
    pub id: String,
    #[ts(type = "number")]
    pub number: u64,
    pub started_at: String,
    /// When it was well again; null while it is not.
    pub well_at: Option<String>,
    /// What put it right: `itself`, a change (`C3`) or an action (`A1`) of that incident.
    pub recovered_by: Option<String>,
    /// When it came back; null for the last one.
    pub back_at: Option<String>,
    /// What of the time it was well was not watched.
    pub gaps: Vec<GapDto>,
}

/// One metric over time.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct MetricPlot {
    /// `detect`, `acknowledge`, `mitigate` or `resolve`.
    pub metric: String,
    /// How it is counted.
    pub definition: String,
    /// Oldest first.
    pub dots: Vec<MetricDot>,
    /// Medians by calendar quarter of the incidents that have a number, at least 3 in each.
    pub medians: Vec<MedianDto>,
    /// Of all that have a number; null under 3.
    pub median_s: Option<f64>,
    /// Incidents whose time is not known, because an end lies in a gap.
    pub unknown: u32,
    /// Incidents to which it has not happened (yet).
    pub pending: u32,
}

/// One incident in a plot: a number, or a range.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct MetricDot {
    pub id: String,
    #[ts(type = "number")]
    pub number: u64,
    /// When the incident was detected.
    pub at: String,
    pub seconds: Option<f64>,
    pub range_s: Option<(f64, f64)>,
}

/// The median of a span.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct MedianDto {
    pub from: String,
    pub to: String,
    pub seconds: f64,
    /// Of so many incidents.
    pub of: u32,
}
