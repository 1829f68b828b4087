//! The document that `scan`, `watch`, `incidents` and `incident` print.

use afterwatch_contract::document::{CoverageSpan, Document, IncidentDto, Metrics, SCHEMA, UnreadableKind};
use afterwatch_core::incident::Incident;
use serde::{Serialize, Serializer, ser::SerializeMap};

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
pub fn incident_line(incident: &IncidentDto) -> String {
    line(&Row { r#type: "incident", name: "incident", item: incident })
}

/// `{"type":"result", …document}`: the last line.
pub fn closing(document: &Document) -> String {
    #[derive(Serialize)]
    struct Closing<'a> {
        r#type: &'static str,
        #[serde(flatten)]
        document: &'a Document,
    }
    line(&Closing { r#type: "result", document })
}

/// `{"type": "evidence", "evidence": {…}}` per item.
pub fn rows<T: Serialize>(name: &'static str, items: &[T]) -> Vec<String> {
    items.iter().map(|item| line(&Row { r#type: name, name, item })).collect()
}

/// A line of `-o jsonl`. The types written here always serialise.
pub fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

struct Row<'a, T> {
    r#type: &'static str,
    name: &'static str,
    item: &'a T,
}

impl<T: Serialize> Serialize for Row<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("type", self.r#type)?;
        map.serialize_entry(self.name, self.item)?;
        map.end()
    }
}

/// A part of an incident: `{"schema": "afterwatch.timeline/v1", "incident": "0198…", "number": 47, "timeline": […]}`.
pub struct Part<'a, T> {
    pub incident: &'a Incident,
    pub name: &'static str,
    pub items: &'a [T],
}

impl<T: Serialize> Serialize for Part<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("schema", &format!("afterwatch.{}/v1", self.name))?;
        map.serialize_entry("incident", &self.incident.id.to_string())?;
        map.serialize_entry("number", &self.incident.number)?;
        map.serialize_entry(self.name, self.items)?;
        map.end()
    }
}
