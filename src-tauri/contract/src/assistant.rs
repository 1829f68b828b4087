//! Ask, advice, and the local models.

use afterwatch_core::{
    port::model::{ModelPhase, ModelState, Step},
    writing::{Author, Exchange, Section, Standing, Statement, Writing},
};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::document::{ActionDto, word};

/// How the chosen model stands.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ModelStateDto {
    /// `None`: rules and templates write everything.
    pub name: Option<String>,
    /// The address where it is a server of the user's; `None`: on this computer.
    pub server: Option<String>,
    /// `none`, `idle`, `loading`, `ready`, `busy` or `unusable`.
    pub phase: String,
    /// What is wrong and what to do.
    pub problem: Option<String>,
}

/// One sentence with what it stands on.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct StatementDto {
    pub text: String,
    pub cites: Vec<String>,
    /// `tied`, `not_established` or `struck`.
    pub standing: String,
    /// Why it is not tied.
    pub why: Option<String>,
}

/// What was written.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct WritingDto {
    /// `rules` or `model`.
    pub by: String,
    /// The model's name.
    pub model: Option<String>,
    /// The server's address where one wrote.
    pub server: Option<String>,
    pub statements: Vec<StatementDto>,
    /// For advice: ids of the recommended actions in the order to take them.
    pub actions: Vec<String>,
    /// Statements that are tied to the record.
    #[ts(type = "number")]
    pub tied: u64,
    #[ts(type = "number | null")]
    pub first_token_ms: Option<u32>,
    pub tokens_per_second: Option<f32>,
    /// Why the rules wrote although a model was asked for, with what to do.
    pub instead: Option<String>,
}

/// A question and its answer.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ExchangeDto {
    pub id: String,
    pub asked_at: String,
    pub question: String,
    pub answer: WritingDto,
}

/// What comes over the channel while something is written.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
#[ts(export)]
pub enum WritingStep {
    /// The model is read into memory; from 0 to 1.
    Loading { done: f32 },
    /// Others are served first.
    Waiting,
    /// The prompt is read: tokens done, of all, and how many recorded items are in it.
    Reading { done: u32, all: u32, items: u32 },
    /// More of the text, unchecked, without ids.
    Words { more: String, tokens_per_second: f32 },
}

/// A section of the post-mortem worded anew, to take or to leave.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct WordedSection {
    /// `summary`, `impact`, `trigger`, `contributing_factors`, `root_cause`, `detection`, `response`, `not_known` or
    /// `action_items`.
    pub section: String,
    /// Its heading in the post-mortem, without its marks.
    pub heading: String,
    /// The section's body as Markdown, with citations; what is not established says so, what was struck is left out.
    pub markdown: String,
    pub writing: WritingDto,
}

/// The screen Settings, Models.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ModelsPage {
    pub state: ModelStateDto,
    /// Memory of this computer, in bytes.
    #[ts(type = "number")]
    pub memory_bytes: u64,
    #[ts(type = "number")]
    pub memory_free_bytes: u64,
    /// Processor cores it would use.
    pub threads: u32,
    /// False where the processor lacks AVX2 (x86-64): no model can run here.
    pub processor_fits: bool,
    /// Where model files lie.
    pub folder: String,
    pub installed: Vec<InstalledModelDto>,
    pub catalogue: Vec<CatalogueModelDto>,
    pub server: Option<ModelServerDto>,
    /// A download or an exam under way.
    pub job: Option<ModelJobDto>,
}

/// A model file that is here.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct InstalledModelDto {
    /// The file's name without `.gguf`.
    pub id: String,
    pub name: String,
    pub architecture: String,
    pub licence: Option<String>,
    #[ts(type = "number")]
    pub size_bytes: u64,
    #[ts(type = "number")]
    pub parameters: u64,
    pub context: u32,
    /// Memory it needs, estimated.
    #[ts(type = "number")]
    pub memory_bytes: u64,
    pub sha256: String,
    /// The hash is that of the catalogue.
    pub verified: bool,
    pub chosen: bool,
    pub exam: Option<ExamDto>,
}

/// A model that can be had.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct CatalogueModelDto {
    pub id: String,
    pub name: String,
    pub maker: String,
    pub licence: String,
    pub licence_url: Option<String>,
    pub file: String,
    #[ts(type = "number")]
    pub size_bytes: u64,
    pub parameters: String,
    pub context: u32,
    #[ts(type = "number")]
    pub memory_bytes: u64,
    pub fits: bool,
    /// For whom it is, in a sentence.
    pub about: String,
    /// The page where it can be had.
    pub page: String,
    /// It may be downloaded from here: its hash is known.
    pub downloadable: bool,
    /// The installed model's id.
    pub installed: Option<String>,
}

/// What came of "Test my model".
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ExamDto {
    pub at: String,
    pub incidents: u32,
    /// Answers that were asked for.
    pub outputs: u32,
    /// Answers that were valid.
    pub valid: u32,
    pub statements: u32,
    /// Statements tied to the record.
    pub tied: u32,
    /// Wrong statements that were caught.
    pub caught: u32,
    /// Incidents for which steps are offered.
    pub advised: u32,
    /// The right action came first.
    pub right_first: u32,
    pub seconds: f32,
    pub tokens_per_second: f32,
    pub first_token_ms: u32,
    /// `good`, `usable` or `unsuited`: how the model is used.
    pub verdict: String,
    /// The verdict in a sentence.
    pub sentence: String,
}

/// An inference server of the user's.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ModelServerDto {
    /// For example `http://localhost:8080/v1`.
    pub url: String,
    pub model: String,
    /// A key is kept in the system's keychain.
    pub has_key: bool,
    /// It is what writes.
    pub chosen: bool,
    /// The address is this computer.
    pub local: bool,
}

/// Something that takes a while.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ModelJobDto {
    /// `import`, `download` or `exam`.
    pub kind: String,
    /// The model it is about.
    pub model: String,
    #[ts(type = "number")]
    pub done: u64,
    #[ts(type = "number")]
    pub all: u64,
    /// `bytes` or `incidents`.
    pub unit: String,
    /// Seconds left, where it can be said.
    pub left_s: Option<u32>,
    /// It ended with this problem; gone when it is read.
    pub failed: Option<String>,
}

/// What `ask` prints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AnswerDocument {
    /// `afterwatch.answer/v1`.
    pub schema: String,
    /// The incident's UUID and number.
    pub incident: String,
    pub number: u64,
    #[serde(flatten)]
    pub exchange: ExchangeDto,
}

/// What `advise` prints: the actions as recorded, and with `--explain` which to take and why.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AdviceDocument {
    /// `afterwatch.actions/v1`.
    pub schema: String,
    pub incident: String,
    pub number: u64,
    pub actions: Vec<ActionDto>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<WritingDto>,
}

impl From<&ModelState> for ModelStateDto {
    fn from(state: &ModelState) -> ModelStateDto {
        let phase = match state.phase {
            ModelPhase::None => "none",
            ModelPhase::Idle => "idle",
            ModelPhase::Loading => "loading",
            ModelPhase::Ready => "ready",
            ModelPhase::Busy => "busy",
            ModelPhase::Unusable => "unusable",
        };
        ModelStateDto {
            name: state.name.clone(),
            server: state.server.clone(),
            phase: phase.to_owned(),
            problem: state.problem.clone(),
        }
    }
}

impl From<&Statement> for StatementDto {
    fn from(statement: &Statement) -> StatementDto {
        let (standing, why) = match &statement.standing {
            Standing::Tied => ("tied", None),
            Standing::NotEstablished(why) => ("not_established", Some(why)),
            Standing::Struck(why) => ("struck", Some(why)),
        };
        StatementDto {
            text: statement.text.clone(),
            cites: statement.cites.clone(),
            standing: standing.to_owned(),
            why: why.cloned(),
        }
    }
}

impl From<&Writing> for WritingDto {
    fn from(writing: &Writing) -> WritingDto {
        let (by, model, server) = match &writing.author {
            Author::Rules => ("rules", None, None),
            Author::Model { name, server } => ("model", Some(name.clone()), server.clone()),
        };
        WritingDto {
            by: by.to_owned(),
            model,
            server,
            statements: writing.statements.iter().map(Into::into).collect(),
            actions: writing.actions.clone(),
            tied: writing.tied() as u64,
            first_token_ms: writing.figures.map(|f| f.first_token_ms),
            tokens_per_second: writing.figures.map(|f| f.tokens_per_second),
            instead: writing.instead.clone(),
        }
    }
}

impl From<&Exchange> for ExchangeDto {
    fn from(exchange: &Exchange) -> ExchangeDto {
        ExchangeDto {
            id: exchange.id.to_string(),
            asked_at: exchange.asked_at.to_string(),
            question: exchange.question.clone(),
            answer: (&exchange.answer).into(),
        }
    }
}

impl From<Step> for WritingStep {
    fn from(step: Step) -> WritingStep {
        match step {
            Step::Loading(done) => WritingStep::Loading { done },
            Step::Waiting => WritingStep::Waiting,
            Step::Reading { done, all, items } => WritingStep::Reading { done, all, items },
            Step::Words { more, tokens_per_second } => WritingStep::Words { more, tokens_per_second },
        }
    }
}

impl WordedSection {
    /// A section that was worded anew, with its body as Markdown.
    pub fn new(section: Section, markdown: String, writing: &Writing) -> WordedSection {
        WordedSection {
            section: word(&section),
            heading: section.heading().to_owned(),
            markdown,
            writing: writing.into(),
        }
    }
}

/// The section of that name.
pub fn section(name: &str) -> Option<Section> {
    Section::ALL.into_iter().find(|section| word(section) == name)
}

#[cfg(test)]
mod tests {
    use afterwatch_core::writing::{Figures, Statement};

    use super::*;

    #[test]
    fn a_writing_says_who_wrote_it_and_what_is_tied() {
        let statement = |text: &str, standing| Statement { text: text.into(), cites: vec!["E1".into()], standing };
        let writing = Writing {
            author: Author::Model { name: "some model".into(), server: Some("http://localhost:8080/v1".into()) },
            statements: vec![
                statement("It ran out of memory.", Standing::Tied),
                statement("Users noticed.", Standing::NotEstablished("E1 does not say it.".into())),
                statement("The disk was full.", Standing::Struck("It was ruled out.".into())),
            ],
            actions: vec!["A2".into()],
            figures: Some(Figures { first_token_ms: 420, tokens_per_second: 11.5, ..Figures::default() }),
            instead: None,
        };
        let dto = WritingDto::from(&writing);
        assert_eq!((dto.by.as_str(), dto.model.as_deref(), dto.tied), ("model", Some("some model"), 1));
        assert_eq!(dto.first_token_ms, Some(420));
        let standings: Vec<&str> = dto.statements.iter().map(|s| s.standing.as_str()).collect();
        assert_eq!(standings, ["tied", "not_established", "struck"]);
        assert_eq!(dto.statements[2].why.as_deref(), Some("It was ruled out."));
        let rules = WritingDto::from(&Writing { author: Author::Rules, figures: None, ..writing });
        assert_eq!((rules.by.as_str(), rules.model, rules.tokens_per_second), ("rules", None, None));
    }

    #[test]
    fn sections_are_known_by_the_names_the_window_uses() {
        let names: Vec<String> = Section::ALL.iter().map(word).collect();
        assert_eq!(
            names.join(" "),
            "summary impact trigger contributing_factors root_cause detection response not_known action_items"
        );
        assert!(names.iter().zip(Section::ALL).all(|(name, s)| section(name) == Some(s)));
        assert_eq!(section("metrics"), None, "the record itself is never reworded");
    }
}
