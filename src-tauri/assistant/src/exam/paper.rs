//! The bundled incidents a model is tried on.

use afterwatch_core::{Timestamp, coverage::Gap, incident::Incident, writing::Case};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// An incident with a question, and what a good answer looks like.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Paper {
    /// In kebab case, for people who read the results.
    pub name: String,
    pub question: String,
    /// Ids of the steps of which one must come first; empty where none is recommended.
    pub right: Vec<String>,
    pub notes: String,
    pub gaps: Vec<Gap>,
    pub now: Timestamp,
    pub incident: Incident,
}

impl Paper {
    /// What is written from it, in UTC.
    pub fn case(&self) -> Case {
        Case {
            incident: self.incident.clone(),
            notes: self.notes.clone(),
            gaps: self.gaps.clone(),
            now: self.now,
            zone: TimeZone::UTC,
        }
    }
}

/// The bundled incidents, made by the project's own rules; always the same, in the same order. Lines that cannot be
/// read are left out.
pub fn papers() -> Vec<Paper> {
    include_str!("../../exam/incidents.jsonl").lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}
