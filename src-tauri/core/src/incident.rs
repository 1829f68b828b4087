//! Incidents: one for one fault, with everything known about it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    change::IncidentChange,
    evidence::Evidence,
    finding::{Finding, Signs},
    graph::Graph,
    object::ObjectRef,
    remediation::{Action, ActionKind},
    severity::{Confidence, Severity},
    timeline::TimelineEntry,
};

/// Identity of an incident: UUIDv7, minted by the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IncidentId(pub Uuid);

impl std::fmt::Display for IncidentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Where an incident stands. *Open* in the wider sense means every state but resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Open,
    Acknowledged,
    /// The impact is over; set by itself, acknowledged or not.
    Mitigated,
    /// Stayed so for the stability window, or closed by a person.
    Resolved,
}

impl State {
    /// The word shown to people.
    pub fn word(self) -> &'static str {
        match self {
            State::Open => "Open",
            State::Acknowledged => "Acknowledged",
            State::Mitigated => "Mitigated",
            State::Resolved => "Resolved",
        }
    }

    /// Every state but resolved.
    pub fn is_open(self) -> bool {
        self != State::Resolved
    }
}

/// Who opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenedBy {
    Rule,
    User,
}

/// A cause as an incident holds it: the draft with evidence ids in place of keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// From 1, the first is the one the incident stands by.
    pub rank: u32,
    pub rule_id: String,
    pub confidence: Confidence,
    pub signs: Signs,
    pub entity: ObjectRef,
    pub referrer: Option<ObjectRef>,
    pub field: Option<String>,
    pub statement: String,
    pub evidence: Vec<String>,
    pub needs: Vec<String>,
}

/// Something looked at and found not to be the cause, with evidence ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuledOut {
    pub statement: String,
    pub result: String,
    pub evidence: Vec<String>,
}

/// A finding as an incident holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingRecord {
    pub fingerprint: String,
    pub rule_id: String,
    pub object: ObjectRef,
    /// The workload hit; absent in what earlier versions wrote.
    #[serde(default)]
    pub subject: Option<ObjectRef>,
    pub severity: Severity,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    pub count: u32,
    pub message: String,
    pub evidence: Vec<String>,
    /// False once the problem was gone.
    pub active: bool,
}

/// What stays in an incident of its own: the findings of a rule on a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub rule_id: String,
    /// `Kind/namespace/name` of the workload hit, or of the object itself where that was not noted.
    pub subject: String,
    /// Which of several on one object, such as a container; `None` for any.
    #[serde(default)]
    pub part: Option<String>,
}

impl Part {
    /// Whether a finding is meant.
    pub fn is_of(&self, finding: &Finding) -> bool {
        self.rule_id == finding.rule_id
            && (self.subject == finding.subject.key() || self.subject == finding.object.key())
            && self.part.as_ref().is_none_or(|part| *part == finding.part)
    }
}

/// The moments of whatever has them under these names.
macro_rules! instants {
    ($of:expr) => {
        Instants {
            started_at: $of.started_at,
            started_at_range: $of.started_at_range,
            detected_at: $of.detected_at,
            acknowledged_at: $of.acknowledged_at,
            mitigated_at: $of.mitigated_at,
            resolved_at: $of.resolved_at,
        }
    };
}

/// An earlier time the same fault hurt, before it was resolved and came back under the same number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occurrence {
    pub started_at: Option<Timestamp>,
    pub detected_at: Timestamp,
    pub acknowledged_at: Option<Timestamp>,
    pub mitigated_at: Option<Timestamp>,
    pub resolved_at: Option<Timestamp>,
    /// What had put it right that time, and did not hold.
    #[serde(default)]
    pub recovered_by: Option<String>,
}

/// One fault: what is wrong, since when, why, and what was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    pub id: IncidentId,
    /// Counted per database from 1; 0 until the store has numbered it.
    pub number: u64,
    /// What makes it the same fault when it comes back: cluster, subject and rule family of the first cause.
    pub fingerprint: String,
    pub title: String,
    pub opened_by: OpenedBy,
    pub state: State,
    pub severity: Severity,
    /// The cluster's name (its context).
    pub cluster: String,
    /// The uid of kube-system, or server and CA where that may not be read.
    pub cluster_uid: String,
    pub subject: ObjectRef,
    pub started_at: Option<Timestamp>,
    /// When the start is only known to lie between two moments.
    pub started_at_range: Option<(Timestamp, Timestamp)>,
    pub started_at_basis: String,
    pub detected_at: Timestamp,
    pub acknowledged_at: Option<Timestamp>,
    pub mitigated_at: Option<Timestamp>,
    pub resolved_at: Option<Timestamp>,
    /// `itself`, a change (`C3`) or an action (`A1`).
    pub recovered_by: Option<String>,
    pub verdict: Confidence,
    pub causes: Vec<Cause>,
    pub needs: Vec<String>,
    pub ruled_out: Vec<RuledOut>,
    pub findings: Vec<FindingRecord>,
    pub changes: Vec<IncidentChange>,
    pub actions: Vec<Action>,
    pub evidence: Vec<Evidence>,
    pub timeline: Vec<TimelineEntry>,
    /// Notifications that opened this incident: never more than 1.
    pub notifications: u32,
    /// Since when everything has been well, while it waits for the stability window.
    pub quiet_since: Option<Timestamp>,
    pub reopened: u32,
    /// When the fault was there before, oldest first; the times above are those of the last time.
    #[serde(default)]
    pub earlier: Vec<Occurrence>,
    /// The incident this one turned out to be a part of; it is resolved here and goes on there.
    #[serde(default)]
    pub merged_into: Option<IncidentId>,
    /// A link to the ticket a person keeps of it elsewhere.
    #[serde(default)]
    pub ticket: Option<String>,
    /// What a person split off into this incident: it stays apart from the one it came from.
    #[serde(default)]
    pub split_off: Vec<Part>,
    /// The objects around the fault as they stood when its cause was last determined; absent in what earlier versions
    /// wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<Graph>,
    /// The store's revision this copy was read or written at; 0 when it never was. Writing over a newer one is refused.
    pub revision: u64,
}

impl Incident {
    /// `INC-47`.
    pub fn label(&self) -> String {
        format!("INC-{}", self.number)
    }

    /// The steps that the diagnosis advises as it is now, the first one first.
    pub fn advised(&self) -> impl Iterator<Item = &Action> {
        self.actions.iter().filter(|a| self.offers(a))
    }

    /// This step of its own is still advised. Going back is only while it still hurts: afterwards it would undo the
    /// repair.
    pub fn offers(&self, action: &Action) -> bool {
        let over = !matches!(self.state, State::Open | State::Acknowledged);
        !(action.withdrawn || over && action.draft.kind == ActionKind::RolloutUndo)
    }

    /// The evidence with this id (`E7`, case ignored).
    pub fn evidence_by_id(&self, id: &str) -> Option<&Evidence> {
        self.evidence.iter().find(|e| e.id.eq_ignore_ascii_case(id))
    }

    /// True when a person closed it and its trouble has not gone away since. It stays closed until it was well once.
    pub fn closed_while_broken(&self) -> bool {
        self.state == State::Resolved && self.merged_into.is_none() && self.findings.iter().any(|f| f.active)
    }

    /// The moments its times are counted from.
    pub fn instants(&self) -> Instants {
        instants!(self)
    }

    /// The first cause.
    pub fn top_cause(&self) -> Option<&Cause> {
        self.causes.first()
    }

    /// True when the incident touches the namespace by subject, cause or symptom.
    pub fn touches(&self, namespace: &str) -> bool {
        let is =
            |o: &ObjectRef| o.namespace.as_deref() == Some(namespace) || (o.kind == "Namespace" && o.name == namespace);
        is(&self.subject)
            || self.causes.iter().any(|c| is(&c.entity) || c.referrer.as_ref().is_some_and(is))
            || self.findings.iter().any(|f| is(&f.object))
    }

    /// The entry of the timeline that carries this label.
    pub fn labelled(&self, label: &str) -> Option<&TimelineEntry> {
        self.timeline.iter().rev().find(|e| e.label.as_deref() == Some(label))
    }
}

/// The moments that carry an incident's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instants {
    pub started_at: Option<Timestamp>,
    pub started_at_range: Option<(Timestamp, Timestamp)>,
    pub detected_at: Timestamp,
    pub acknowledged_at: Option<Timestamp>,
    pub mitigated_at: Option<Timestamp>,
    pub resolved_at: Option<Timestamp>,
}

/// An incident without what is recorded under it (findings, changes, evidence, timeline): for lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub id: IncidentId,
    pub number: u64,
    pub fingerprint: String,
    pub title: String,
    pub state: State,
    pub severity: Severity,
    pub cluster: String,
    pub cluster_uid: String,
    pub subject: ObjectRef,
    pub started_at: Option<Timestamp>,
    pub started_at_range: Option<(Timestamp, Timestamp)>,
    pub detected_at: Timestamp,
    pub acknowledged_at: Option<Timestamp>,
    pub mitigated_at: Option<Timestamp>,
    pub resolved_at: Option<Timestamp>,
    pub recovered_by: Option<String>,
    pub verdict: Confidence,
    pub causes: Vec<Cause>,
    pub notifications: u32,
    pub reopened: u32,
    #[serde(default)]
    pub earlier: Vec<Occurrence>,
    #[serde(default)]
    pub merged_into: Option<IncidentId>,
    #[serde(default)]
    pub ticket: Option<String>,
    pub revision: u64,
}

impl Head {
    /// The moments its times are counted from.
    pub fn instants(&self) -> Instants {
        instants!(self)
    }
}

impl From<&Incident> for Head {
    fn from(i: &Incident) -> Head {
        Head {
            id: i.id,
            number: i.number,
            fingerprint: i.fingerprint.clone(),
            title: i.title.clone(),
            state: i.state,
            severity: i.severity,
            cluster: i.cluster.clone(),
            cluster_uid: i.cluster_uid.clone(),
            subject: i.subject.clone(),
            started_at: i.started_at,
            started_at_range: i.started_at_range,
            detected_at: i.detected_at,
            acknowledged_at: i.acknowledged_at,
            mitigated_at: i.mitigated_at,
            resolved_at: i.resolved_at,
            recovered_by: i.recovered_by.clone(),
            verdict: i.verdict,
            causes: i.causes.clone(),
            notifications: i.notifications,
            reopened: i.reopened,
            earlier: i.earlier.clone(),
            merged_into: i.merged_into,
            ticket: i.ticket.clone(),
            revision: i.revision,
        }
    }
}
