//! Findings: one problem on one object.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    evidence::EvidenceDraft,
    object::ObjectRef,
    remediation::ActionDraft,
    severity::{Confidence, Severity},
};

/// A possible cause as a rule states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseDraft {
    /// The rule that names the cause, for example `memory-limit-too-low`.
    pub rule_id: String,
    pub confidence: Confidence,
    pub signs: Signs,
    /// The object somebody must change to put it right, not the one that shows the symptom.
    pub entity: ObjectRef,
    /// The object that refers to the entity, where the entity does not exist.
    pub referrer: Option<ObjectRef>,
    /// The field to change, for example `spec.template.spec.containers[app].image`.
    pub field: Option<String>,
    /// One or two sentences with the names and numbers an engineer needs.
    pub statement: String,
    /// Keys of the evidence that carries the statement.
    pub evidence: Vec<String>,
    /// What would settle it, where it is not established.
    pub needs: Vec<String>,
}

/// The tally behind a confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signs {
    #[serde(rename = "for")]
    pub pro: u32,
    pub against: u32,
    pub unchecked: u32,
}

/// Something looked at and found not to be the cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EliminationDraft {
    pub statement: String,
    /// `no` (ruled out) or `open` (could not be checked).
    pub result: String,
    pub evidence: Vec<String>,
}

/// One problem on one object, as a rule sees it now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable, kebab case.
    pub rule_id: String,
    /// The object that shows the problem.
    pub object: ObjectRef,
    /// Tells several findings of one rule on one object apart: a container, a port; else empty.
    pub part: String,
    /// The workload hit: the highest owner of the object, or the object itself.
    pub subject: ObjectRef,
    pub severity: Severity,
    /// What is wrong, as the headline's second half: `keeps running out of memory`.
    pub headline: String,
    /// A full sentence with names and numbers.
    pub message: String,
    /// When it began, by the cluster's clock, and on what basis.
    pub started_at: Timestamp,
    pub started_basis: String,
    /// How often it happened, where that is counted.
    pub count: u32,
    /// How long it must have lasted before it is said. Waived by `scan`.
    pub hold: SignedDuration,
    /// A log that would name the cause is being read: the finding waits for it (the engine bounds the wait).
    pub awaits_log: bool,
    /// The rule's own causes, surest first.
    pub causes: Vec<CauseDraft>,
    pub ruled_out: Vec<EliminationDraft>,
    pub evidence: Vec<EvidenceDraft>,
    pub actions: Vec<ActionDraft>,
}

impl Finding {
    /// The hold of a symptom that never opens an incident by itself: it only joins one.
    pub const JOINS_ONLY: SignedDuration = SignedDuration::MAX;

    /// Identity over time: rule, object by name and part. A replaced pod is a new object of the same owner.
    pub fn fingerprint(&self) -> String {
        format!("{}|{}|{}", self.rule_id, self.object.key(), self.part)
    }

    /// True when the hold time has passed.
    pub fn is_due(&self, now: Timestamp) -> bool {
        now.duration_since(self.started_at) >= self.hold
    }
}
