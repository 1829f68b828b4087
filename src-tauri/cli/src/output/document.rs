//! The document that `scan`, `watch`, `incidents` and `incident` print.

use afterwatch_contract::document::{CoverageSpan, Document, IncidentDto, Metrics, SCHEMA, UnreadableKind};
use serde::Serialize;
use serde_json::{Value, json};

/// What stands around the incidents.
#[derive(Clone, Debug, Default)]
pub struct Closing {
    pub coverage: Vec<CoverageSpan>,
    pub unreadable: Vec<UnreadableKind>,
    pub notifications_sent: u32,
    pub metrics: Option<Metrics>,
}

impl Closing {
    pub fn document(self, incidents: Vec<IncidentDto>) -> Document {
        Document {
            schema: SCHEMA.to_owned(),
            coverage: self.coverage,
            unreadable: self.unreadable,
            incidents,
            notifications_sent: self.notifications_sent,
            metrics: self.metrics,
        }
    }
}

/// `{"type":"incident","incident":{…}}`.
pub fn incident_line(incident: &IncidentDto) -> Value {
    json!({ "type": "incident", "incident": incident })
}

/// `{"type":"result", …document}`: the last line.
#[derive(Serialize)]
struct Result<'a> {
    r#type: &'static str,
    #[serde(flatten)]
    document: &'a Document,
}

pub fn closing(document: &Document) -> Value {
    serde_json::to_value(Result { r#type: "result", document }).unwrap_or_default()
}
