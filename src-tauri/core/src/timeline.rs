//! The timeline of an incident.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::evidence::Observed;

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A watched object was changed.
    Change,
    /// Something showed that it is broken.
    Symptom,
    /// Something showed that it is well again.
    Recovery,
    /// The incident changed state.
    State,
    /// A person wrote a line.
    Note,
    /// A notification was sent or could not be.
    Notification,
    /// Nothing was recorded for a while.
    Gap,
    /// Something was done to the cluster.
    Action,
}

/// One line: when, what, on what evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// Counted per incident, in the order in which entries were recorded (not their time).
    pub seq: u64,
    pub at: Timestamp,
    /// For a span such as a gap: its end.
    pub until: Option<Timestamp>,
    pub kind: EntryKind,
    /// `trigger`, `started`, `detected`, `acknowledged`, `mitigated`, `resolved`: the instants that carry the metrics.
    pub label: Option<String>,
    pub text: String,
    /// Ids of evidence or changes (`E7`, `C2`).
    pub evidence: Vec<String>,
    pub observed: Observed,
    /// Who did it, for what people did.
    pub who: Option<String>,
}
