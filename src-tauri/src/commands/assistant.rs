//! Asking, advice, and sections of the post-mortem worded anew.

use afterwatch_contract::assistant::{
    ExchangeDto, ModelStateDto, WordedSection, WritingDto, WritingStep, section as section_of,
};
use afterwatch_core::{
    port::{
        Model,
        model::{Progress, Step},
        store::IncidentKey,
    },
    writing::By,
};
use afterwatch_engine::WriteError;
use tauri::ipc::Channel;
use uuid::Uuid;

use super::{Answer, Failure, Held, error};

/// No question is longer.
const LARGEST_QUESTION: usize = 16 * 1024;

/// Answers a question about an incident, and keeps both with it.
#[tauri::command]
pub async fn ask(
    shell: Held<'_>,
    id: String,
    question: String,
    use_model: bool,
    writing_id: String,
    on_step: Channel<WritingStep>,
) -> Answer<ExchangeDto> {
    if question.len() > LARGEST_QUESTION {
        return Err(error("The question is too long. Ask in fewer words."));
    }
    let engine = shell.desk().await?.engine.clone();
    let steps = ToWindow(on_step);
    let asking = engine.ask(IncidentKey::parse(&id), &question, by(use_model), &steps);
    Ok(ExchangeDto::from(&until_cancelled(&shell, &writing_id, asking).await?))
}

/// Cancels what is being written under this name.
#[tauri::command]
pub fn cancel_writing(shell: Held<'_>, writing_id: String) {
    shell.writings.cancel(&writing_id);
}

/// What was asked about an incident, oldest first.
#[tauri::command]
pub async fn exchanges(shell: Held<'_>, id: String) -> Answer<Vec<ExchangeDto>> {
    let kept = shell.desk().await?.engine.exchanges(IncidentKey::parse(&id)).await.map_err(error)?;
    Ok(kept.iter().map(Into::into).collect())
}

/// Forgets a question and its answer.
#[tauri::command]
pub async fn forget_exchange(shell: Held<'_>, id: String, exchange: String) -> Answer<()> {
    let exchange = Uuid::parse_str(&exchange).map_err(|_| error("There is no such answer."))?;
    shell.desk().await?.engine.forget_exchange(IncidentKey::parse(&id), exchange).await.map_err(error)
}

/// Which of the recommended steps to take, in which order, and why.
#[tauri::command]
pub async fn advise(
    shell: Held<'_>,
    id: String,
    use_model: bool,
    writing_id: String,
    on_step: Channel<WritingStep>,
) -> Answer<WritingDto> {
    let engine = shell.desk().await?.engine.clone();
    let steps = ToWindow(on_step);
    let advising = engine.advise(IncidentKey::parse(&id), by(use_model), &steps);
    Ok(WritingDto::from(&until_cancelled(&shell, &writing_id, advising).await?))
}

/// A section of the post-mortem worded anew, to take or to leave.
#[tauri::command]
pub async fn word_section(
    shell: Held<'_>,
    id: String,
    section: String,
    use_model: bool,
    writing_id: String,
    on_step: Channel<WritingStep>,
) -> Answer<WordedSection> {
    let section = section_of(&section)
        .ok_or_else(|| error(format!("The section “{section}” is the record itself and is not reworded.")))?;
    let engine = shell.desk().await?.engine.clone();
    let (key, steps) = (IncidentKey::parse(&id), ToWindow(on_step));
    let incident = engine.incident(key.clone()).await.map_err(error)?;
    let wording = engine.word_section(key, section, by(use_model), &steps);
    let writing = until_cancelled(&shell, &writing_id, wording).await?;
    Ok(WordedSection::new(section, afterwatch_report::worded(&incident, section, &writing), &writing))
}

/// How the chosen model stands.
#[tauri::command]
pub fn model_state(shell: Held<'_>) -> ModelStateDto {
    (&shell.writer.state()).into()
}

fn by(use_model: bool) -> By {
    if use_model { By::Model } else { By::Rules }
}

async fn until_cancelled<T>(
    shell: &Held<'_>,
    name: &str,
    work: impl Future<Output = Result<T, WriteError>>,
) -> Answer<T> {
    match shell.writings.run(name, work).await {
        Some(done) => done.map_err(error),
        None => Err(error(Cancelled)),
    }
}

/// A person, or the page that went, no longer wanted it.
pub struct Cancelled;

impl From<Cancelled> for Failure {
    fn from(_: Cancelled) -> Failure {
        Failure::coded("cancelled", "Cancelled.")
    }
}

impl From<WriteError> for Failure {
    fn from(problem: WriteError) -> Failure {
        match problem {
            WriteError::Store(problem) => problem.into(),
            WriteError::Model(problem) => Failure::coded("model", problem.message),
            WriteError::NoQuestion => WriteError::NoQuestion.to_string().into(),
        }
    }
}

/// Tells the page how far it is. A page that is gone hears nothing.
struct ToWindow(Channel<WritingStep>);

impl Progress for ToWindow {
    fn step(&self, step: Step) {
        let _ = self.0.send(step.into());
    }
}
