//! What writes: rules and templates always, a language model where the user chose one.

use super::BoxFuture;
use crate::writing::{By, Case, Task, Writing};

/// How the chosen model stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelState {
    /// The chosen model's name; `None`: rules and templates write everything.
    pub name: Option<String>,
    /// The address where it is a server of the user's; `None`: it runs on this computer.
    pub server: Option<String>,
    pub phase: ModelPhase,
    /// What is wrong and what to do, in words.
    pub problem: Option<String>,
}

/// What the model is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModelPhase {
    /// None is chosen.
    #[default]
    None,
    /// Chosen, not in memory; it is loaded when it is needed.
    Idle,
    Loading,
    /// In memory, waiting.
    Ready,
    Busy,
    /// It cannot be used; `problem` says why.
    Unusable,
}

/// What a person sees while it is written.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The model is being read into memory; from 0 to 1.
    Loading(f32),
    /// Others are being served first.
    Waiting,
    /// The prompt is being read: tokens done, of all, and how many recorded items are in it.
    Reading { done: u32, all: u32, items: u32 },
    /// Words as they come, in plain text without ids: more of the text.
    Words { more: String, tokens_per_second: f32 },
}

/// Takes the steps in. It never blocks.
pub trait Progress: Send + Sync {
    fn step(&self, step: Step);
}

/// Why nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ModelError {
    /// What happened, why, and what to do next.
    pub message: String,
    /// The words that had come until then; unchecked.
    pub so_far: String,
}

/// Writes. Dropping the future cancels: a model stops within two seconds.
pub trait Model: Send + Sync {
    /// How the chosen model stands.
    fn state(&self) -> ModelState;

    /// Carries a task out. With [`By::Model`] and no usable model the rules write, and `Writing::instead` says why.
    ///
    /// # Errors
    /// When a model had begun and could not end: it crashed, hung, or ran out of memory.
    fn write<'a>(
        &'a self,
        case: &'a Case,
        task: Task,
        by: By,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Writing, ModelError>>;
}
