//! The model on this computer: the worker process, started when something is to be written and ended when nothing has
//! been for a while.
//!
//! llama.cpp may crash, hang, or run out of memory; all of that happens in the worker, and becomes a sentence here.
//! Requests are served one after the other. Whoever stops waiting stops the work: the worker is told to, and ended
//! when it does not listen.

mod problem;
mod process;
mod turn;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use afterwatch_core::port::{BoxFuture, ModelError, model::ModelPhase};
use afterwatch_model_protocol::{Ask, Generate, Say, gguf};
use tokio::sync::{Mutex, watch};

use self::{
    process::Process,
    turn::{Seat, Turn},
};
use crate::{
    generator::{Generated, Generator, Heard, Prompt},
    machine,
};

/// The worker's name, without the ending that programs have on Windows.
const PROGRAM: &str = "afterwatch-model";
/// Names how many layers a worker that was built for a graphics card puts there.
pub const GPU_LAYERS: &str = "AFTERWATCH_GPU_LAYERS";

/// Which model is run, and how.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// The worker, see [`program`].
    pub program: PathBuf,
    pub model: PathBuf,
    /// The model's SHA-256. Without it nothing is kept of what was read.
    pub sha256: Option<String>,
    /// Tokens of context, at most; the model's own limit holds too.
    pub context: u32,
    pub threads: u32,
    /// Layers on a graphics card; without effect in a build for none.
    pub gpu_layers: u32,
    /// A folder for what was read of fixed beginnings of prompts.
    pub prefix_cache: Option<PathBuf>,
    /// The model's memory is given back when nothing was asked for so long.
    pub idle: Duration,
    /// A worker that says nothing for so long while it should has hung.
    pub hang: Duration,
    /// How long a worker may take to stop.
    pub grace: Duration,
}

impl WorkerOptions {
    /// The usual ones for a model: 8,192 tokens of context, [`machine::threads`], five minutes until it is unloaded.
    pub fn new(program: impl Into<PathBuf>, model: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            model: model.into(),
            sha256: None,
            context: machine::CONTEXT,
            threads: machine::threads(),
            gpu_layers: gpu_layers(),
            prefix_cache: None,
            idle: Duration::from_secs(5 * 60),
            hang: Duration::from_secs(60),
            grace: Duration::from_secs(2),
        }
    }
}

/// Where the worker is: beside the program that runs. `None` when it is not there.
pub fn program() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let name = format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX);
    let beside = own.parent()?;
    // Test programs lie a folder deeper than what Cargo builds.
    [beside.join(&name), beside.parent()?.join(&name)].into_iter().find(|path| path.is_file())
}

/// Layers that go to a graphics card: none, unless the environment names a number.
fn gpu_layers() -> u32 {
    std::env::var(GPU_LAYERS).ok().and_then(|layers| layers.trim().parse().ok()).unwrap_or(0)
}

/// How the worker stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkerState {
    pub phase: ModelPhase,
    /// How much of the model is in memory, from 0 to 1.
    pub loaded: f32,
    /// The worker's process; `None` while there is none.
    pub process: Option<u32>,
    /// What went wrong last, and what to do; gone when something was written again.
    pub problem: Option<String>,
}

/// Generates with a model on this computer. Dropping it ends the worker.
pub struct WorkerGenerator {
    shared: Arc<Shared>,
}

struct Shared {
    options: WorkerOptions,
    seat: Arc<Mutex<Seat>>,
    state: watch::Sender<WorkerState>,
    /// Counts the turns, so that an idle worker is known by nothing having changed.
    turns: AtomicU64,
    /// Tokens of context the model was found to have.
    context: OnceLock<u32>,
}

impl WorkerGenerator {
    /// For that model. Nothing is started yet.
    pub fn new(options: WorkerOptions) -> Self {
        let state = WorkerState { phase: ModelPhase::Idle, ..WorkerState::default() };
        let shared = Shared {
            options,
            seat: Arc::default(),
            state: watch::channel(state).0,
            turns: AtomicU64::new(0),
            context: OnceLock::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// How the worker stands, now and from now on.
    pub fn state(&self) -> watch::Receiver<WorkerState> {
        self.shared.state.subscribe()
    }

    /// Gives the model's memory back, after what is under way.
    pub async fn unload(&self) {
        let mut seat = self.shared.seat.lock().await;
        self.shared.end(&mut seat).await;
    }

    /// Carries one request out.
    async fn turn(&self, ask: Ask, hear: &(dyn Fn(Heard) + Send + Sync)) -> Result<Say, ModelError> {
        let mut turn = Turn::begin(&self.shared, hear).await;
        let outcome = turn.run(ask, hear).await;
        turn.finish(outcome)
    }
}

impl Generator for WorkerGenerator {
    fn context<'a>(&'a self) -> BoxFuture<'a, Result<u32, ModelError>> {
        Box::pin(async {
            if let Some(known) = self.shared.context.get() {
                return Ok(*known);
            }
            let header = header(&self.shared.options.model).await.map_err(problem::unfit)?;
            Ok(self.shared.options.context.min(header.trained_context))
        })
    }

    fn count<'a>(&'a self, texts: Vec<String>) -> BoxFuture<'a, Result<Vec<u32>, ModelError>> {
        Box::pin(async move {
            match self.turn(Ask::Tokenise { texts }, &|_| {}).await? {
                Say::Tokens { counts } => Ok(counts),
                other => Err(problem::unexpected(&other)),
            }
        })
    }

    fn ready<'a>(&'a self, hear: &'a (dyn Fn(Heard) + Send + Sync)) -> BoxFuture<'a, Result<(), ModelError>> {
        Box::pin(async move {
            match self.turn(Ask::Info, hear).await? {
                Say::Info(_) => Ok(()),
                other => Err(problem::unexpected(&other)),
            }
        })
    }

    fn generate<'a>(
        &'a self,
        prompt: Prompt,
        hear: &'a (dyn Fn(Heard) + Send + Sync),
    ) -> BoxFuture<'a, Result<Generated, ModelError>> {
        Box::pin(async move {
            let ask = Ask::Generate(Box::new(Generate {
                messages: prompt.messages,
                fixed: prompt.fixed,
                grammar: Some(prompt.grammar).filter(|g| !g.is_empty()),
                max_tokens: prompt.max_tokens,
                temperature: prompt.temperature,
                seed: prompt.seed,
            }));
            match self.turn(ask, hear).await? {
                Say::Generated(g) => Ok(Generated {
                    text: g.text,
                    prompt_tokens: g.prompt_tokens,
                    cached_tokens: g.cached_tokens,
                    generated_tokens: g.generated_tokens,
                    first_token_ms: g.first_token_ms,
                    total_ms: g.total_ms,
                    complete: g.complete,
                }),
                other => Err(problem::unexpected(&other)),
            }
        })
    }
}

impl Shared {
    fn set(&self, phase: ModelPhase, seat: &Seat) {
        self.state.send_modify(|state| {
            state.phase = phase;
            state.process = seat.process.as_ref().and_then(Process::id);
            if phase != ModelPhase::Loading {
                state.loaded = f32::from(u8::from(matches!(phase, ModelPhase::Ready | ModelPhase::Busy)));
            }
        });
    }

    /// Ends the worker, where there is one, and waits until it is gone.
    async fn end(&self, seat: &mut Seat) {
        if let Some(process) = seat.process.take() {
            process.end(self.options.grace).await;
        }
        seat.loaded = false;
        let unusable = self.state.borrow().phase == ModelPhase::Unusable;
        if unusable {
            self.set(ModelPhase::Unusable, seat);
        } else {
            self.set(ModelPhase::Idle, seat);
        }
    }

    /// Ends the worker when nothing was asked for a while.
    fn end_when_idle(self: &Arc<Self>) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (shared, turn) = (Arc::downgrade(self), self.turns.load(Ordering::Relaxed));
        let idle = self.options.idle;
        runtime.spawn(async move {
            tokio::time::sleep(idle).await;
            let Some(shared) = shared.upgrade() else { return };
            let Ok(mut seat) = shared.seat.try_lock() else { return };
            if shared.turns.load(Ordering::Relaxed) == turn {
                shared.end(&mut seat).await;
            }
        });
    }
}

/// Judges the model's file, away from the threads that must not wait.
async fn header(model: &Path) -> Result<gguf::Header, gguf::Unfit> {
    let model = model.to_owned();
    match tokio::task::spawn_blocking(move || gguf::read(&model)).await {
        Ok(judged) => judged,
        Err(error) => Err(gguf::Unfit::Unreadable(std::io::Error::other(error))),
    }
}
