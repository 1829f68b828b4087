//! Evidence: immutable excerpts with their provenance, cited by id.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{index::Now, object::ObjectRef};

/// What an excerpt is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    ContainerStatus,
    PodStatus,
    Log,
    KubeEvent,
    Object,
    Diff,
    Node,
    Coverage,
    Action,
    Note,
    Metric,
}

/// Whether it was seen as it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observed {
    /// Seen while it was so.
    Live,
    /// Put together afterwards from what the cluster still said.
    Reconstructed,
}

/// An excerpt as a rule hands it over: it gets its number when an incident takes it in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceDraft {
    /// Identity: the same key is the same evidence and is taken in once. It names the object, the aspect and what
    /// was seen of it, so that a new state is new evidence.
    pub key: String,
    pub kind: EvidenceKind,
    /// When the recorded state was so, by the cluster's clock where it says; [`Now::STAMP`] until it is taken in where
    /// the look itself saw it.
    pub at: Timestamp,
    pub observed: Observed,
    pub object: ObjectRef,
    /// One line that says what the excerpt shows.
    pub summary: String,
    /// The excerpt itself, redacted; many lines for logs and diffs.
    pub excerpt: String,
    /// True when the source had more than was kept.
    pub truncated: bool,
}

impl EvidenceDraft {
    /// The same, taken in at a look at this time.
    pub fn taken(mut self, now: Timestamp) -> EvidenceDraft {
        if self.at == Now::STAMP {
            self.at = now;
        }
        self
    }
}

/// An excerpt held by an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// `E1`, `E2`, … counted per incident and never renumbered.
    pub id: String,
    #[serde(flatten)]
    pub draft: EvidenceDraft,
}
