//! What is written about an incident: advice, sections of the post-mortem, answers to questions.
//!
//! Code establishes facts; a model only words them. Whoever wrote it, a text is a list of [`Statement`]s, and each
//! says which recorded items it stands on. What could not be tied to one is shown as *not established*, and what the
//! record speaks against is struck, both with the reason.

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{coverage::Gap, incident::Incident};

/// What is written from: an incident and what belongs to it.
#[derive(Clone, Debug)]
pub struct Case {
    pub incident: Incident,
    /// The notes document; empty for none.
    pub notes: String,
    /// When the cluster was not recorded, around the incident.
    pub gaps: Vec<Gap>,
    pub now: Timestamp,
    /// The zone times are written in.
    pub zone: TimeZone,
}

/// What is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// An answer to a person's question, after what was asked before (oldest first).
    Ask { question: String, earlier: Vec<Exchange> },
    /// Which of the recommended steps to take, in which order, and why.
    Advise,
    /// A section of the post-mortem.
    Section(Section),
}

/// A section of the post-mortem that can be worded. Timeline, metrics, what was ruled out, gaps and the appendix are
/// the record itself and are never reworded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    Summary,
    Impact,
    Trigger,
    ContributingFactors,
    RootCause,
    Detection,
    Response,
    NotKnown,
    ActionItems,
}

impl Section {
    /// All, in the order of the page.
    pub const ALL: [Section; 9] = [
        Section::Summary,
        Section::Impact,
        Section::Trigger,
        Section::ContributingFactors,
        Section::RootCause,
        Section::Detection,
        Section::Response,
        Section::NotKnown,
        Section::ActionItems,
    ];

    /// The heading in the post-mortem, without its marks.
    pub fn heading(self) -> &'static str {
        match self {
            Section::Summary => "Summary",
            Section::Impact => "Impact",
            Section::Trigger => "Trigger",
            Section::ContributingFactors => "Contributing factors",
            Section::RootCause => "Root cause",
            Section::Detection => "Detection",
            Section::Response => "Response and resolution",
            Section::NotKnown => "What is not known",
            Section::ActionItems => "Action items",
        }
    }
}

/// Who is to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Rules and templates: at once, always.
    Rules,
    /// The chosen model where it can be used, else the rules.
    Model,
}

/// Who wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Author {
    Rules,
    Model {
        name: String,
        /// The server's address; `None`: on this computer.
        server: Option<String>,
    },
}

/// Whether a statement stands on the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", content = "why", rename_all = "snake_case")]
pub enum Standing {
    /// Everything it says occurs in what it cites.
    Tied,
    /// It cites nothing that could carry it, or says something that does not occur there. Shown, and marked.
    NotEstablished(String),
    /// The record speaks against it. Shown only on request.
    Struck(String),
}

/// One sentence with what it stands on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    pub text: String,
    /// Ids of evidence, changes and actions (`E3`, `C2`, `A1`); only such as the incident holds.
    pub cites: Vec<String>,
    pub standing: Standing,
}

/// How the writing went, where a model wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    pub prompt_tokens: u32,
    pub generated_tokens: u32,
    /// From the request to the first generated token.
    pub first_token_ms: u32,
    pub tokens_per_second: f32,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Writing {
    pub author: Author,
    pub statements: Vec<Statement>,
    /// For advice: ids of the recommended actions in the order to take them. The statement at the same place says why.
    pub actions: Vec<String>,
    pub figures: Option<Figures>,
    /// Why the rules wrote although a model was asked for, with what to do.
    pub instead: Option<String>,
}

impl Writing {
    /// How many statements are tied to the record.
    pub fn tied(&self) -> usize {
        self.statements.iter().filter(|s| s.standing == Standing::Tied).count()
    }
}

/// A question and its answer, kept with the incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    pub id: Uuid,
    pub asked_at: Timestamp,
    pub question: String,
    pub answer: Writing,
}

impl Eq for Writing {}
impl Eq for Exchange {}
