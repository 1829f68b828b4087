//! Changes: what was different about a watched object, who wrote it and when.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    evidence::Observed,
    object::{Object, ObjectRef},
};

/// One field that changed. `None` on a side means absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// For example `spec.template.spec.containers[app].resources.limits.memory`.
    pub path: String,
    pub from: Option<String>,
    pub to: Option<String>,
}

/// A change of a watched object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub object: ObjectRef,
    pub at: Timestamp,
    /// The field manager of the last write, for example `helm`. Who ran it is not in the cluster.
    pub who: Option<String>,
    pub verb: ChangeVerb,
    /// One line: `limits.memory 512Mi → 64Mi`.
    pub summary: String,
    pub fields: Vec<FieldChange>,
    pub observed: Observed,
}

/// What happened to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeVerb {
    Created,
    Modified,
    Deleted,
}

impl Change {
    /// Identity: object, verb and time to the second with the summary.
    pub fn key(&self) -> String {
        format!("{}|{:?}|{}|{}", self.object.key(), self.verb, self.at.as_second(), self.summary)
    }

    /// The keys of a ConfigMap that it touches.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().filter_map(|f| f.path.strip_prefix("data."))
    }

    /// It touches keys of a ConfigMap, and none of these.
    pub fn spares(&self, these: impl Fn(&str) -> bool) -> bool {
        self.keys().next().is_some() && !self.keys().any(these)
    }
}

/// A change as an incident holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentChange {
    /// `C1`, `C2`, … counted per incident and never renumbered.
    pub id: String,
    /// It came just before and touches what failed.
    pub suspect: bool,
    #[serde(flatten)]
    pub change: Change,
}

/// What is different between two states of one object, as far as it matters for running workloads.
pub fn diff(old: &Object, new: &Object) -> Vec<FieldChange> {
    differ::fields(old, new)
}

#[path = "change_diff.rs"]
mod differ;
pub use differ::summarise;
