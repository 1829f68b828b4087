//! Silences: they mute notifications until an end; the incident still opens and counts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A mute with an end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    pub id: Uuid,
    pub matcher: SilenceMatcher,
    pub until: Timestamp,
    pub reason: String,
    pub created_at: Timestamp,
}

/// What is muted. Every field that is set must match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SilenceMatcher {
    pub cluster: Option<String>,
    pub namespace: Option<String>,
    /// `Kind/namespace/name` of the subject.
    pub subject: Option<String>,
    pub rule_id: Option<String>,
}

impl SilenceMatcher {
    /// False when an incident of this head cannot be meant, whatever its findings.
    pub fn may_match(&self, head: &crate::incident::Head) -> bool {
        let is = |want: &Option<String>, have: &str| want.as_deref().is_none_or(|w| w == have);
        is(&self.cluster, &head.cluster)
            && is(&self.namespace, head.subject.namespace.as_deref().unwrap_or(""))
            && is(&self.subject, &head.subject.key())
    }

    /// True when the incident's notifications are muted by this.
    pub fn matches(&self, incident: &crate::incident::Incident) -> bool {
        let is = |want: &Option<String>, have: &str| want.as_deref().is_none_or(|w| w == have);
        is(&self.cluster, &incident.cluster)
            && is(&self.namespace, incident.subject.namespace.as_deref().unwrap_or(""))
            && is(&self.subject, &incident.subject.key())
            && self.rule_id.as_ref().is_none_or(|r| incident.findings.iter().any(|f| &f.rule_id == r))
    }
}

impl Silence {
    /// True while the mute holds.
    pub fn active(&self, now: Timestamp) -> bool {
        now < self.until
    }
}
