//! A model that says what it was told to say.

use std::sync::Mutex;

use afterwatch_core::{
    port::{
        BoxFuture, Model, ModelError,
        model::{ModelPhase, ModelState, Progress, Step},
    },
    writing::{Author, By, Case, Standing, Statement, Task, Writing},
};

use super::lock;

/// Writes by fixed statements, and remembers what it was given.
#[derive(Debug, Default)]
pub struct FakeModel {
    tasks: Mutex<Vec<(Task, By)>>,
    notes: Mutex<Vec<String>>,
    failing: Mutex<Option<ModelError>>,
    hangs: Mutex<bool>,
}

impl FakeModel {
    /// The tasks it was given so far.
    pub fn tasks(&self) -> Vec<(Task, By)> {
        lock(&self.tasks).clone()
    }

    /// The notes of the cases it was given so far.
    pub fn notes(&self) -> Vec<String> {
        lock(&self.notes).clone()
    }

    /// From now on it ends in the middle, for this reason; `None` mends it.
    pub fn fail(&self, why: Option<&str>) {
        *lock(&self.failing) = why.map(|why| ModelError { message: why.to_owned(), so_far: "It".to_owned() });
    }

    /// From now on it never ends.
    pub fn hang(&self) {
        *lock(&self.hangs) = true;
    }
}

impl Model for FakeModel {
    fn state(&self) -> ModelState {
        ModelState { name: Some("fake".to_owned()), phase: ModelPhase::Ready, ..ModelState::default() }
    }

    fn write<'a>(
        &'a self,
        case: &'a Case,
        task: Task,
        by: By,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Writing, ModelError>> {
        Box::pin(async move {
            lock(&self.tasks).push((task.clone(), by));
            lock(&self.notes).push(case.notes.clone());
            progress.step(Step::Words { more: "It".to_owned(), tokens_per_second: 7.0 });
            if *lock(&self.hangs) {
                std::future::pending::<()>().await;
            }
            if let Some(error) = lock(&self.failing).clone() {
                return Err(error);
            }
            let author = match by {
                By::Rules => Author::Rules,
                By::Model => Author::Model { name: "fake".to_owned(), server: None },
            };
            let actions: Vec<String> = match task {
                Task::Advise => case.incident.actions.iter().map(|a| a.id.clone()).collect(),
                Task::Ask { .. } | Task::Section(_) => Vec::new(),
            };
            let text = format!("About {}.", case.incident.title);
            let cites = case.incident.evidence.iter().map(|e| e.id.clone()).take(1).collect();
            let statements = vec![Statement { text, cites, standing: Standing::Tied }];
            Ok(Writing { author, statements, actions, figures: None, instead: None })
        })
    }
}
