//! How bad it is.

use serde::{Deserialize, Serialize};

/// Severity of a finding or an incident. Greater is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is hurt yet.
    Low,
    /// A roll-out or job is stuck, new pods cannot come.
    Medium,
    /// Redundancy is lost or a container keeps failing.
    High,
    /// A serving workload has no ready pod left, or a node is lost.
    Critical,
}

impl Severity {
    /// The word shown to people.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Low => "Low",
            Severity::Medium => "Medium",
            Severity::High => "High",
            Severity::Critical => "Critical",
        }
    }
}

/// How sure a cause is. Greater is surer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// No cause could be established.
    NotEstablished,
    /// It fits, and so do others.
    Possible,
    /// At least two signs for it, none against.
    Likely,
    /// A rule's proof holds on live objects.
    Established,
}

impl Confidence {
    /// The word shown to people.
    pub fn word(self) -> &'static str {
        match self {
            Confidence::NotEstablished => "Not established",
            Confidence::Possible => "Possible",
            Confidence::Likely => "Likely",
            Confidence::Established => "Established",
        }
    }
}
