//! What writes at this moment, by what the user chose: the assistant with its model, which is put in its place here.
//! The choice may change while something is written; what was begun ends with who began it.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use afterwatch_core::{
    port::{
        BoxFuture, Model, ModelError,
        model::{ModelPhase, ModelState, Progress},
    },
    writing::{By, Case, Task, Writing},
};
use tokio::{sync::watch, task::AbortHandle};

use crate::{
    Assistant, ModelInUse,
    chosen::{Chosen, ModelChoice},
    exam::Verdict,
    generator::Generator,
    library::Installed,
    marks::Marks,
    models::Models,
    worker::{self, WorkerGenerator, WorkerOptions, WorkerState},
};

/// Names another worker than the one that came with the program.
pub const WORKER: &str = "AFTERWATCH_MODEL_WORKER";

/// Writes with whatever is chosen now.
pub struct Writer {
    assistant: Assistant,
    choice: Mutex<Choice>,
    state: Arc<watch::Sender<ModelState>>,
}

#[derive(Default)]
struct Choice {
    worker: Option<Arc<WorkerGenerator>>,
    /// What follows the worker's state.
    follows: Option<AbortHandle>,
    /// Why the chosen model is not asked.
    barred: Option<String>,
    /// It is a server of the user's, which has no state but what became of the last request.
    server: bool,
}

impl Default for Writer {
    /// Rules alone.
    fn default() -> Writer {
        let state = Arc::new(watch::Sender::new(ModelState::default()));
        Writer { assistant: Assistant::default(), choice: Mutex::default(), state }
    }
}

impl Writer {
    /// From now on writes what the user chose, of what is there. Nothing is loaded before it is needed.
    pub async fn choose(&self, chosen: &Chosen, models: &Models, marks: &Marks) {
        match &chosen.choice {
            ModelChoice::None => self.use_rules(),
            ModelChoice::File { id } => match models.installed_of(id).await {
                Ok(file) => {
                    let (options, verdict) = (options(models, &file), marks.verdict(file.sha256.as_deref()));
                    self.use_file(models.name_of(&file), options, verdict);
                }
                Err(problem) => self.cannot_use(id, problem.message),
            },
            ModelChoice::Server { url, model } => match models.server(chosen) {
                Ok(Some(server)) => self.use_server(model.clone(), url.clone(), Arc::new(server)),
                Ok(None) => self.use_rules(),
                Err(problem) => self.cannot_use(model, problem.message),
            },
        }
    }

    /// From now on the rules write everything.
    pub fn use_rules(&self) {
        self.put(None, Choice::default(), ModelState::default());
    }

    /// From now on this model writes, on this computer. It is loaded when it is needed. Must be called inside a tokio
    /// runtime.
    pub fn use_file(&self, name: String, options: WorkerOptions, verdict: Option<Verdict>) {
        let generator = Arc::new(WorkerGenerator::new(options));
        let worker = generator.state();
        let state = ModelState { name: Some(name.clone()), phase: ModelPhase::Idle, ..ModelState::default() };
        let follows = tokio::spawn(follow(worker, state.clone(), Arc::clone(&self.state))).abort_handle();
        let worker = Some(Arc::clone(&generator));
        let model = ModelInUse { name, server: None, generator, verdict };
        self.put(Some(model), Choice { worker, follows: Some(follows), ..Choice::default() }, state);
    }

    /// From now on this server of the user's writes.
    pub fn use_server(&self, name: String, url: String, generator: Arc<dyn Generator>) {
        let (name_there, server) = (Some(name.clone()), Some(url.clone()));
        let state = ModelState { name: name_there, server, phase: ModelPhase::Idle, problem: None };
        let model = ModelInUse { name, server: Some(url), generator, verdict: None };
        self.put(Some(model), Choice { server: true, ..Choice::default() }, state);
    }

    /// The chosen model is not there or cannot be used: the rules write, and say why.
    pub fn cannot_use(&self, name: &str, problem: String) {
        let (name, barred) = (Some(name.to_owned()), Some(problem.clone()));
        let state = ModelState { name, server: None, phase: ModelPhase::Unusable, problem: Some(problem) };
        self.put(None, Choice { barred, ..Choice::default() }, state);
    }

    /// Gives the model's memory back, after what is under way. It is loaded again when it is needed.
    pub async fn unload(&self) {
        let worker = self.choice().worker.clone();
        if let Some(worker) = worker {
            worker.unload().await;
        }
    }

    /// How the model stands, now and from now on.
    pub fn watch(&self) -> watch::Receiver<ModelState> {
        self.state.subscribe()
    }

    fn put(&self, model: Option<ModelInUse>, choice: Choice, state: ModelState) {
        let mut held = self.choice();
        if let Some(before) = held.follows.take() {
            before.abort();
        }
        *held = choice;
        self.assistant.choose(model);
        self.state.send_replace(state);
    }

    fn choice(&self) -> MutexGuard<'_, Choice> {
        self.choice.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(follows) = self.choice().follows.take() {
            follows.abort();
        }
    }
}

impl Model for Writer {
    fn state(&self) -> ModelState {
        self.state.borrow().clone()
    }

    fn write<'a>(
        &'a self,
        case: &'a Case,
        task: Task,
        by: By,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Writing, ModelError>> {
        Box::pin(async move {
            let (barred, server) = {
                let choice = self.choice();
                (choice.barred.clone(), choice.server)
            };
            if let (By::Model, Some(why)) = (by, barred) {
                let writing = self.assistant.write(case, task, By::Rules, progress).await?;
                return Ok(Writing { instead: Some(why), ..writing });
            }
            let _told = (server && by == By::Model).then(|| AtServer::begin(self));
            self.assistant.write(case, task, by, progress).await
        })
    }
}

/// While a server writes. Afterwards, however it ended, the state is what the assistant made of it.
struct AtServer<'a>(&'a Writer);

impl<'a> AtServer<'a> {
    fn begin(writer: &'a Writer) -> AtServer<'a> {
        writer.state.send_modify(|state| state.phase = ModelPhase::Busy);
        AtServer(writer)
    }
}

impl Drop for AtServer<'_> {
    fn drop(&mut self) {
        let next = self.0.assistant.state();
        self.0.state.send_if_modified(|state| {
            // Another one may have been chosen meanwhile.
            let changed = state.server.is_some() && *state != next;
            if changed {
                *state = next;
            }
            changed
        });
    }
}

/// Carries the worker's state on until another model is chosen.
async fn follow(mut worker: watch::Receiver<WorkerState>, model: ModelState, to: Arc<watch::Sender<ModelState>>) {
    while worker.changed().await.is_ok() {
        let WorkerState { phase, problem, .. } = worker.borrow_and_update().clone();
        let next = ModelState { phase, problem, ..model.clone() };
        to.send_if_modified(|state| {
            let changed = *state != next;
            *state = next;
            changed
        });
    }
}

/// How a model that is here is run. What was read of fixed beginnings of prompts is kept beside it.
pub(crate) fn options(models: &Models, file: &Installed) -> WorkerOptions {
    let mut options = WorkerOptions::new(worker_program(), &file.path);
    options.prefix_cache = file.sha256.is_some().then(|| models.library().read_folder());
    options.sha256.clone_from(&file.sha256);
    options
}

/// The worker's program: the one the environment names, else the one beside this program, else where packages put it.
/// Where there is none it is the place it should be at.
pub fn worker_program() -> PathBuf {
    if let Some(named) = std::env::var_os(WORKER).filter(|path| !path.is_empty()) {
        return named.into();
    }
    let own = std::env::current_exe().unwrap_or_default();
    let name = format!("afterwatch-model{}", std::env::consts::EXE_SUFFIX);
    let folder = own.parent().unwrap_or(Path::new(""));
    let packaged = folder.parent().map(|above| above.join("lib/afterwatch").join(&name)).filter(|path| path.is_file());
    worker::program().or(packaged).unwrap_or_else(|| folder.join(&name))
}
