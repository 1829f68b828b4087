//! `v1.Event`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Meta, ObjectRef};

/// A Kubernetes event. Repeats are folded by the server: `count` or `series` says how many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KubeEvent {
    pub metadata: Meta,
    pub involved_object: Involved,
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub severity: Option<String>,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub count: Option<u32>,
    pub series: Option<Series>,
    pub first_timestamp: Option<Timestamp>,
    pub last_timestamp: Option<Timestamp>,
    pub event_time: Option<Timestamp>,
    pub source: Source,
    pub reporting_component: Option<String>,
}

/// The object the event speaks of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Involved {
    pub api_version: Option<String>,
    pub kind: String,
    pub namespace: Option<String>,
    pub name: String,
    pub uid: Option<String>,
    /// For example `spec.containers{app}`.
    pub field_path: Option<String>,
}

/// How often a series repeated. Events by events.k8s.io have this and no `count`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Series {
    pub count: u32,
    pub last_observed_time: Option<Timestamp>,
}

/// Who reported it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Source {
    pub component: Option<String>,
    pub host: Option<String>,
}

impl KubeEvent {
    /// The event is a warning.
    pub fn is_warning(&self) -> bool {
        self.severity.as_deref() == Some("Warning")
    }

    /// When it was seen first, by the server's clock.
    pub fn first_seen(&self) -> Option<Timestamp> {
        self.first_timestamp.or(self.event_time).or(self.metadata.creation_timestamp)
    }

    /// When it was seen last, by the server's clock.
    pub fn last_seen(&self) -> Option<Timestamp> {
        self.series.as_ref().and_then(|s| s.last_observed_time).or(self.last_timestamp).or(self.first_seen())
    }

    /// How often it was seen.
    pub fn times(&self) -> u32 {
        self.series.as_ref().map(|s| s.count).or(self.count).unwrap_or(1).max(1)
    }

    /// The reason, empty when none is given.
    pub fn reason(&self) -> &str {
        self.reason.as_deref().unwrap_or("")
    }

    /// The message, empty when none is given.
    pub fn message(&self) -> &str {
        self.message.as_deref().unwrap_or("")
    }

    /// The object the event speaks of, as a reference.
    pub fn object(&self) -> ObjectRef {
        ObjectRef {
            api_version: self.involved_object.api_version.clone().unwrap_or_default(),
            kind: self.involved_object.kind.clone(),
            namespace: self.involved_object.namespace.clone(),
            name: self.involved_object.name.clone(),
            uid: self.involved_object.uid.clone(),
        }
    }
}
