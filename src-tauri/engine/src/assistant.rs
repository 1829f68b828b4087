//! What is written about an incident, on a person's request: answers, advice, sections of the post-mortem.
//!
//! None of it lies on the watch path. Whoever drops a future of these cancels the model.

use afterwatch_core::{
    incident::IncidentId,
    port::{ModelError, StoreError, model::Progress, store::IncidentKey},
    redact,
    writing::{By, Case, Exchange, Section, Task, Writing},
};
use uuid::Uuid;

use crate::session::{Engine, blocking};

/// A conversation's newest questions that go along with the next one.
const EARLIER: usize = 6;

/// Why nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error("There is no question. Write one, for example: Why did it start?")]
    NoQuestion,
}

impl Engine {
    /// Answers a question from what was recorded, and keeps both with the incident. The question is redacted before
    /// anybody reads it.
    ///
    /// # Errors
    /// When there is no such incident, the model ended in the middle, or the answer could not be kept.
    pub async fn ask(
        &self,
        key: IncidentKey,
        question: &str,
        by: By,
        progress: &dyn Progress,
    ) -> Result<Exchange, WriteError> {
        let question = redact::text(question.trim()).into_owned();
        if question.is_empty() {
            return Err(WriteError::NoQuestion);
        }
        let case = self.case(key).await?;
        let id = case.incident.id;
        let mut earlier = self.exchanges_of(id).await?;
        earlier.drain(..earlier.len().saturating_sub(EARLIER));
        let asked_at = self.0.ports.clock.now();
        let task = Task::Ask { question: question.clone(), earlier };
        let answer = self.0.ports.model.write(&case, task, by, progress).await?;
        let exchange = Exchange { id: Uuid::now_v7(), asked_at, question, answer };
        let kept = exchange.clone();
        blocking(&self.0.ports.store, move |s| s.save_exchange(id, &kept)).await?;
        Ok(exchange)
    }

    /// What was asked and answered, oldest first.
    ///
    /// # Errors
    /// When there is no such incident, or the database cannot be read.
    pub async fn exchanges(&self, key: IncidentKey) -> Result<Vec<Exchange>, StoreError> {
        blocking(&self.0.ports.store, move |s| s.exchanges(s.incident(&key)?.id)).await
    }

    /// Forgets a question and its answer.
    ///
    /// # Errors
    /// When there is no such incident, or the database cannot be written.
    pub async fn forget_exchange(&self, key: IncidentKey, exchange: Uuid) -> Result<(), StoreError> {
        blocking(&self.0.ports.store, move |s| s.delete_exchange(s.incident(&key)?.id, exchange)).await
    }

    /// Which of the recommended steps to take, in which order, and why.
    ///
    /// # Errors
    /// When there is no such incident, or the model ended in the middle.
    pub async fn advise(&self, key: IncidentKey, by: By, progress: &dyn Progress) -> Result<Writing, WriteError> {
        self.write(key, Task::Advise, by, progress).await
    }

    /// A section of the post-mortem, worded anew. Nothing of the post-mortem is changed by it.
    ///
    /// # Errors
    /// When there is no such incident, or the model ended in the middle.
    pub async fn word_section(
        &self,
        key: IncidentKey,
        section: Section,
        by: By,
        progress: &dyn Progress,
    ) -> Result<Writing, WriteError> {
        self.write(key, Task::Section(section), by, progress).await
    }

    async fn write(
        &self,
        key: IncidentKey,
        task: Task,
        by: By,
        progress: &dyn Progress,
    ) -> Result<Writing, WriteError> {
        let case = self.case(key).await?;
        Ok(self.0.ports.model.write(&case, task, by, progress).await?)
    }

    /// What is written from: what the history knows of the incident now.
    async fn case(&self, key: IncidentKey) -> Result<Case, StoreError> {
        let source = self.source(key).await?;
        Ok(Case {
            incident: source.incident,
            notes: source.notes.text,
            gaps: source.gaps,
            now: self.0.ports.clock.now(),
            zone: self.0.options.zone.clone(),
        })
    }

    async fn exchanges_of(&self, id: IncidentId) -> Result<Vec<Exchange>, StoreError> {
        blocking(&self.0.ports.store, move |s| s.exchanges(id)).await
    }
}
