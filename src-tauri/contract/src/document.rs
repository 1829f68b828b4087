//! The document that `scan`, `watch`, `inspect`, `incidents`, `incident` and `replay` print.

use afterwatch_core as core;
use core::{coverage::Gap, metrics::times};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::times::TimesDto;

/// `afterwatch.incident/v1`.
pub const SCHEMA: &str = "afterwatch.incident/v1";

/// A document: coverage, what could not be read, incidents, figures.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Document {
    pub schema: String,
    pub coverage: Vec<CoverageSpan>,
    pub unreadable: Vec<UnreadableKind>,
    pub incidents: Vec<IncidentDto>,
    pub notifications_sent: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Metrics>,
}

/// A span in which a kind was really watched.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct CoverageSpan {
    pub cluster: String,
    pub kind: String,
    pub namespace: Option<String>,
    pub from: String,
    pub to: String,
    /// `watch` or `poll`.
    pub how: String,
    /// Null while it goes on.
    pub ended_by: Option<String>,
}

/// A kind that could not be read.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct UnreadableKind {
    pub cluster: String,
    pub kind: String,
    pub namespace: Option<String>,
    pub reason: String,
    pub message: String,
    pub since: String,
}

/// An object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ObjectRefDto {
    pub api_version: String,
    pub kind: String,
    pub namespace: Option<String>,
    pub name: String,
    pub uid: Option<String>,
}

/// An incident, whole.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct IncidentDto {
    pub id: String,
    #[ts(type = "number")]
    pub number: u64,
    pub title: String,
    pub opened_by: String,
    pub state: String,
    pub severity: String,
    pub cluster: String,
    pub subject: ObjectRefDto,
    pub started_at: Option<String>,
    pub started_at_range: Option<(String, String)>,
    pub started_at_basis: String,
    pub detected_at: String,
    pub acknowledged_at: Option<String>,
    pub mitigated_at: Option<String>,
    pub resolved_at: Option<String>,
    pub recovered_by: Option<String>,
    /// The incident this one turned out to be a part of.
    pub merged_into: Option<String>,
    /// A link to the ticket a person keeps of it elsewhere.
    pub ticket: Option<String>,
    pub times: TimesDto,
    pub verdict: String,
    pub causes: Vec<CauseDto>,
    pub needs: Vec<String>,
    pub ruled_out: Vec<RuledOutDto>,
    pub findings: Vec<FindingDto>,
    pub changes: Vec<ChangeDto>,
    pub actions: Vec<ActionDto>,
    pub evidence: Vec<EvidenceDto>,
    pub timeline: Vec<TimelineDto>,
    pub notifications: u32,
    /// Grows with every write of this incident.
    #[ts(type = "number")]
    pub revision: u64,
}

/// A possible cause.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct CauseDto {
    pub rank: u32,
    pub rule_id: String,
    pub confidence: String,
    pub signs: SignsDto,
    pub entity: ObjectRefDto,
    pub referrer: Option<ObjectRefDto>,
    pub field: Option<String>,
    pub statement: String,
    pub evidence: Vec<String>,
    pub needs: Vec<String>,
}

/// The tally behind a confidence.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SignsDto {
    #[serde(rename = "for")]
    pub pro: u32,
    pub against: u32,
    pub unchecked: u32,
}

/// Something looked at and found not to be the cause.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RuledOutDto {
    pub statement: String,
    pub result: String,
    pub evidence: Vec<String>,
}

/// One problem on one object.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct FindingDto {
    /// What names it within its incident, for splitting it off.
    pub fingerprint: String,
    pub rule_id: String,
    pub object: ObjectRefDto,
    pub severity: String,
    pub first_seen: String,
    pub last_seen: String,
    pub count: u32,
    pub message: String,
    pub evidence: Vec<String>,
    pub active: bool,
}

/// A change of a watched object.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ChangeDto {
    pub id: String,
    pub object: ObjectRefDto,
    pub at: String,
    pub who: Option<String>,
    pub verb: String,
    pub summary: String,
    pub suspect: bool,
    pub observed: String,
    pub fields: Vec<FieldChangeDto>,
}

/// One field of a change.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct FieldChangeDto {
    pub path: String,
    pub from: Option<String>,
    pub to: Option<String>,
}

/// A recommended step.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ActionDto {
    pub id: String,
    pub kind: String,
    pub applicable: bool,
    pub target: ObjectRefDto,
    pub because: String,
    pub risk: String,
    pub requires: Vec<String>,
    pub command: String,
    /// True where it is not offered any more: the diagnosis that advised it has changed, or going back would undo the
    /// repair.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[ts(optional, as = "Option<bool>")]
    pub withdrawn: bool,
}

/// A recorded item. The excerpt itself is asked for by id.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct EvidenceDto {
    pub id: String,
    pub kind: String,
    pub at: String,
    pub observed: String,
    pub object: ObjectRefDto,
    pub summary: String,
    pub truncated: bool,
    /// Only where one item is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub excerpt: Option<String>,
}

/// One line of the timeline.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct TimelineDto {
    #[ts(type = "number")]
    pub seq: u64,
    pub at: String,
    pub until: Option<String>,
    pub kind: String,
    pub label: Option<String>,
    pub text: String,
    pub evidence: Vec<String>,
    pub observed: String,
    pub who: Option<String>,
}

/// Figures of the run.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Metrics {
    #[ts(type = "number")]
    pub watches: u64,
    #[ts(type = "number")]
    pub requests: u64,
    #[ts(type = "number")]
    pub bytes_received: u64,
    #[ts(type = "number")]
    pub objects_indexed: u64,
    #[ts(type = "number")]
    pub observations: u64,
    #[ts(type = "number")]
    pub dropped: u64,
    #[ts(type = "number")]
    pub rss_bytes: u64,
    pub cpu_seconds: f64,
    #[ts(type = "number")]
    pub db_bytes: u64,
}

/// Writes an enum of core as its snake_case word.
pub fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(s)) => s,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

impl From<&core::object::ObjectRef> for ObjectRefDto {
    fn from(o: &core::object::ObjectRef) -> ObjectRefDto {
        ObjectRefDto {
            api_version: o.api_version.clone(),
            kind: o.kind.clone(),
            namespace: o.namespace.clone(),
            name: o.name.clone(),
            uid: o.uid.clone(),
        }
    }
}

impl From<&core::coverage::Coverage> for CoverageSpan {
    fn from(c: &core::coverage::Coverage) -> CoverageSpan {
        CoverageSpan {
            cluster: c.cluster.clone(),
            kind: c.kind.clone(),
            namespace: c.namespace.clone(),
            from: c.from.to_string(),
            to: c.to.to_string(),
            how: word(&c.how),
            ended_by: c.ended_by.as_ref().map(word),
        }
    }
}

impl From<&core::coverage::Unreadable> for UnreadableKind {
    fn from(u: &core::coverage::Unreadable) -> UnreadableKind {
        UnreadableKind {
            cluster: u.cluster.clone(),
            kind: u.kind.clone(),
            namespace: u.namespace.clone(),
            reason: word(&u.reason),
            message: u.message.clone(),
            since: u.since.to_string(),
        }
    }
}

impl From<&core::evidence::Evidence> for EvidenceDto {
    fn from(e: &core::evidence::Evidence) -> EvidenceDto {
        EvidenceDto {
            id: e.id.clone(),
            kind: word(&e.draft.kind),
            at: e.draft.at.to_string(),
            observed: word(&e.draft.observed),
            object: (&e.draft.object).into(),
            summary: e.draft.summary.clone(),
            truncated: e.draft.truncated,
            excerpt: None,
        }
    }
}

impl EvidenceDto {
    /// The item with its excerpt.
    pub fn whole(e: &core::evidence::Evidence) -> EvidenceDto {
        EvidenceDto { excerpt: Some(e.draft.excerpt.clone()), ..e.into() }
    }
}

impl From<&core::timeline::TimelineEntry> for TimelineDto {
    fn from(t: &core::timeline::TimelineEntry) -> TimelineDto {
        TimelineDto {
            seq: t.seq,
            at: t.at.to_string(),
            until: t.until.map(|u| u.to_string()),
            kind: word(&t.kind),
            label: t.label.clone(),
            text: t.text.clone(),
            evidence: t.evidence.clone(),
            observed: word(&t.observed),
            who: t.who.clone(),
        }
    }
}

impl From<&core::change::IncidentChange> for ChangeDto {
    fn from(c: &core::change::IncidentChange) -> ChangeDto {
        ChangeDto {
            id: c.id.clone(),
            object: (&c.change.object).into(),
            at: c.change.at.to_string(),
            who: c.change.who.clone(),
            verb: word(&c.change.verb),
            summary: c.change.summary.clone(),
            suspect: c.suspect,
            observed: word(&c.change.observed),
            fields: c
                .change
                .fields
                .iter()
                .map(|f| FieldChangeDto { path: f.path.clone(), from: f.from.clone(), to: f.to.clone() })
                .collect(),
        }
    }
}

impl From<&core::remediation::Action> for ActionDto {
    fn from(a: &core::remediation::Action) -> ActionDto {
        ActionDto {
            id: a.id.clone(),
            kind: word(&a.draft.kind),
            applicable: a.applicable,
            target: (&a.draft.target).into(),
            because: a.draft.because.clone(),
            risk: a.draft.risk.clone(),
            requires: a.draft.requires.clone(),
            command: a.draft.command.clone(),
            withdrawn: a.withdrawn,
        }
    }
}

impl IncidentDto {
    /// The incident as the promise has it; `gaps` are those of its cluster's coverage.
    pub fn new(i: &core::incident::Incident, gaps: &[Gap]) -> IncidentDto {
        IncidentDto {
            id: i.id.to_string(),
            number: i.number,
            title: i.title.clone(),
            opened_by: word(&i.opened_by),
            state: word(&i.state),
            severity: word(&i.severity),
            cluster: i.cluster.clone(),
            subject: (&i.subject).into(),
            started_at: i.started_at.map(|t| t.to_string()),
            started_at_range: i.started_at_range.map(|(a, b)| (a.to_string(), b.to_string())),
            started_at_basis: i.started_at_basis.clone(),
            detected_at: i.detected_at.to_string(),
            acknowledged_at: i.acknowledged_at.map(|t| t.to_string()),
            mitigated_at: i.mitigated_at.map(|t| t.to_string()),
            resolved_at: i.resolved_at.map(|t| t.to_string()),
            recovered_by: i.recovered_by.clone(),
            merged_into: i.merged_into.map(|id| id.to_string()),
            ticket: i.ticket.clone(),
            times: (&times(&i.instants(), gaps)).into(),
            verdict: word(&i.verdict),
            causes: i
                .causes
                .iter()
                .map(|c| CauseDto {
                    rank: c.rank,
                    rule_id: c.rule_id.clone(),
                    confidence: word(&c.confidence),
                    signs: SignsDto { pro: c.signs.pro, against: c.signs.against, unchecked: c.signs.unchecked },
                    entity: (&c.entity).into(),
                    referrer: c.referrer.as_ref().map(Into::into),
                    field: c.field.clone(),
                    statement: c.statement.clone(),
                    evidence: c.evidence.clone(),
                    needs: c.needs.clone(),
                })
                .collect(),
            needs: i.needs.clone(),
            ruled_out: i
                .ruled_out
                .iter()
                .map(|r| RuledOutDto {
                    statement: r.statement.clone(),
                    result: r.result.clone(),
                    evidence: r.evidence.clone(),
                })
                .collect(),
            findings: i
                .findings
                .iter()
                .map(|f| FindingDto {
                    fingerprint: f.fingerprint.clone(),
                    rule_id: f.rule_id.clone(),
                    object: (&f.object).into(),
                    severity: word(&f.severity),
                    first_seen: f.first_seen.to_string(),
                    last_seen: f.last_seen.to_string(),
                    count: f.count,
                    message: f.message.clone(),
                    evidence: f.evidence.clone(),
                    active: f.active,
                })
                .collect(),
            changes: i.changes.iter().map(Into::into).collect(),
            actions: i.actions.iter().map(|a| ActionDto { withdrawn: !i.offers(a), ..a.into() }).collect(),
            evidence: i.evidence.iter().map(Into::into).collect(),
            timeline: i.timeline.iter().map(Into::into).collect(),
            notifications: i.notifications,
            revision: i.revision,
        }
    }
}
