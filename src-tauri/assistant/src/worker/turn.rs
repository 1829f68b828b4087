//! One request: the worker is started and the model loaded where they are not, then it is asked and listened to.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use afterwatch_core::port::{ModelError, model::ModelPhase};
use afterwatch_model_protocol::{Ask, Load, RequestId, Say};
use tokio::{sync::OwnedMutexGuard, time::timeout};

use super::{
    Shared, header,
    problem::{self, Kind, Problem},
    process::{End, Process, ends},
};
use crate::{generator::Heard, machine::Machine};

/// A pause that is simply waited for; a longer one is told.
const SHORT_PAUSE: Duration = Duration::from_secs(4);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What whoever's turn it is has to themselves.
#[derive(Default)]
pub(super) struct Seat {
    pub(super) process: Option<Process>,
    /// The model is in the worker's memory.
    pub(super) loaded: bool,
    /// How often the worker crashed since it last did what it was asked.
    crashes: u32,
    not_before: Option<Instant>,
}

impl Seat {
    /// How it stands between two turns.
    fn phase(&self) -> ModelPhase {
        if self.loaded { ModelPhase::Ready } else { ModelPhase::Idle }
    }
}

/// Somebody's turn. When it is dropped before its end, the request is cancelled.
pub(super) struct Turn {
    shared: Arc<Shared>,
    seat: Option<OwnedMutexGuard<Seat>>,
    under_way: Option<RequestId>,
}

impl Turn {
    /// Waits for its turn.
    pub(super) async fn begin(shared: &Arc<Shared>, hear: &(dyn Fn(Heard) + Send + Sync)) -> Self {
        let seat = match shared.seat.clone().try_lock_owned() {
            Ok(seat) => seat,
            Err(_) => {
                hear(Heard::Waiting);
                shared.seat.clone().lock_owned().await
            }
        };
        shared.turns.fetch_add(1, Ordering::Relaxed);
        Self { shared: shared.clone(), seat: Some(seat), under_way: None }
    }

    /// Loads the model where it is not there, and asks.
    pub(super) async fn run(&mut self, ask: Ask, hear: &(dyn Fn(Heard) + Send + Sync)) -> Result<Say, Problem> {
        self.load(hear).await?;
        self.show(ModelPhase::Busy);
        self.ask(ask, hear).await
    }

    /// Ends the turn: says how it stands, and sees to it that memory is given back later.
    pub(super) fn finish(mut self, outcome: Result<Say, Problem>) -> Result<Say, ModelError> {
        let seat = self.seat.as_mut().expect("the seat is held until the end");
        let here = seat.phase();
        match &outcome {
            Ok(_) => {
                seat.crashes = 0;
                seat.not_before = None;
                self.shared.state.send_modify(|state| state.problem = None);
                self.shared.set(here, seat);
            }
            Err(problem) => {
                let unusable = problem.kind == Kind::Unusable;
                if problem.kind == Kind::Crash {
                    seat.crashes += 1;
                    seat.not_before = pause(seat.crashes).map(|pause| Instant::now() + pause);
                }
                self.shared.state.send_modify(|state| state.problem = Some(problem.message.clone()));
                self.shared.set(if unusable { ModelPhase::Unusable } else { here }, seat);
            }
        }
        let running = seat.process.is_some();
        self.seat = None;
        if running {
            self.shared.end_when_idle();
        }
        Ok(outcome?)
    }

    async fn load(&mut self, hear: &(dyn Fn(Heard) + Send + Sync)) -> Result<(), Problem> {
        let shared = self.shared.clone();
        let options = &shared.options;
        let seat = self.seat();
        // It may have ended since it was last asked.
        if seat.process.as_mut().is_some_and(|process| !process.lives()) {
            seat.process = None;
            seat.loaded = false;
        }
        if seat.loaded && seat.process.is_some() {
            return Ok(());
        }
        self.rest(hear).await?;
        self.show(ModelPhase::Loading);
        let header = header(&options.model).await.map_err(problem::unfit)?;
        let context = options.context.min(header.trained_context);
        enough_memory(header.memory_bytes(context)).await?;
        if self.seat().process.is_none() {
            let process =
                Process::start(&options.program).map_err(|error| problem::no_program(&options.program, &error))?;
            tracing::info!(process = process.id(), model = %options.model.display(), "the model is being loaded");
            self.seat().process = Some(process);
            self.show(ModelPhase::Loading);
        }
        let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
        let load = Load {
            path: path(&options.model),
            context: options.context,
            threads: options.threads,
            gpu_layers: options.gpu_layers,
            prefix_cache: options.prefix_cache.as_deref().map(path),
            sha256: options.sha256.clone(),
        };
        match self.ask(Ask::Load(load), hear).await? {
            Say::Loaded(model) => {
                self.seat().loaded = true;
                let _ = self.shared.context.set(model.context);
                Ok(())
            }
            other => {
                Err(Problem { message: problem::unexpected(&other).message, so_far: String::new(), kind: Kind::Crash })
            }
        }
    }

    /// Waits out what is left of the pause after a crash, unless that is long.
    async fn rest(&mut self, hear: &(dyn Fn(Heard) + Send + Sync)) -> Result<(), Problem> {
        let seat = self.seat();
        let left = seat.not_before.map(|at| at.saturating_duration_since(Instant::now())).unwrap_or_default();
        if left > SHORT_PAUSE {
            return Err(problem::resting(seat.crashes, left));
        }
        if !left.is_zero() {
            hear(Heard::Waiting);
            tokio::time::sleep(left).await;
        }
        Ok(())
    }

    /// Asks, and hands over what is heard until the last word.
    async fn ask(&mut self, ask: Ask, hear: &(dyn Fn(Heard) + Send + Sync)) -> Result<Say, Problem> {
        let hang = self.shared.options.hang;
        let asked = match self.process() {
            Some(process) => timeout(hang, process.ask(ask)).await,
            None => return Err(self.gone("").await),
        };
        let id = match asked {
            Ok(Ok(id)) => id,
            Ok(Err(_)) => return Err(self.gone("").await),
            Err(_) => return Err(self.hung("").await),
        };
        self.under_way = Some(id);
        let mut so_far = String::new();
        let mut begun = Instant::now();
        let outcome = loop {
            let heard = match self.process() {
                Some(process) => timeout(hang, process.hear()).await,
                None => Ok(None),
            };
            let reply = match heard {
                Ok(Some(reply)) => reply,
                Ok(None) => break Err(self.gone(&so_far).await),
                Err(_) => break Err(self.hung(&so_far).await),
            };
            // What belongs to no request is about the worker itself; what belongs to an earlier one is late.
            if reply.id != id && reply.id != 0 {
                continue;
            }
            let last = ends(&reply);
            match reply.say {
                Say::Failed { kind, message } => break Err(problem::failed(kind, message).after(&so_far)),
                say if last && reply.id == id => break Ok(say),
                Say::Loading { done } => {
                    self.shared.state.send_modify(|state| state.loaded = done);
                    hear(Heard::Loading(done));
                }
                Say::Reading { done, all } => {
                    begun = Instant::now();
                    hear(Heard::Reading { done, all });
                }
                Say::Piece { text, tokens } => {
                    so_far.push_str(&text);
                    let tokens_per_second = tokens as f32 / begun.elapsed().as_secs_f32().max(0.001);
                    hear(Heard::Piece { text, tokens_per_second });
                }
                _ => {}
            }
        };
        self.under_way = None;
        outcome
    }

    /// The worker has ended: why.
    async fn gone(&mut self, so_far: &str) -> Problem {
        let seat = self.seat();
        seat.loaded = false;
        let end = match seat.process.take() {
            Some(process) => process.ended().await,
            None => End::default(),
        };
        match end.said {
            Some((kind, message)) => problem::failed(kind, message).after(so_far),
            None => problem::ended(end.status, &end.complaints).after(so_far),
        }
    }

    /// The worker hangs: it is ended.
    async fn hung(&mut self, so_far: &str) -> Problem {
        let hang = self.shared.options.hang;
        let seat = self.seat();
        seat.loaded = false;
        if let Some(process) = seat.process.take() {
            process.kill().await;
        }
        problem::hung(hang).after(so_far)
    }

    fn show(&mut self, phase: ModelPhase) {
        let shared = self.shared.clone();
        shared.set(phase, self.seat());
    }

    fn seat(&mut self) -> &mut Seat {
        self.seat.as_mut().expect("the seat is held until the end")
    }

    fn process(&mut self) -> Option<&mut Process> {
        self.seat().process.as_mut()
    }
}

impl Drop for Turn {
    /// Somebody stopped waiting: the worker is told to stop, and ended when it does not listen.
    fn drop(&mut self) {
        let Some(mut seat) = self.seat.take() else { return };
        let shared = self.shared.clone();
        let Some(request) = self.under_way else {
            // Between two requests nothing runs. One that was half written cannot be followed by another; dropping the
            // process kills it.
            if seat.process.as_ref().is_some_and(Process::half_said) {
                seat.process = None;
                seat.loaded = false;
            }
            shared.set(seat.phase(), &seat);
            drop(seat);
            shared.end_when_idle();
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            // Dropping the process kills it.
            seat.process = None;
            seat.loaded = false;
            shared.set(ModelPhase::Idle, &seat);
            return;
        };
        runtime.spawn(async move {
            let listened = match seat.process.as_mut() {
                Some(process) => process.cancel(request, shared.options.grace).await,
                None => false,
            };
            if !listened {
                seat.loaded = false;
                if let Some(process) = seat.process.take() {
                    process.kill().await;
                }
            }
            shared.set(seat.phase(), &seat);
            drop(seat);
            shared.end_when_idle();
        });
    }
}

/// How long it is not tried again after so many crashes in a row: the first time at once.
fn pause(crashes: u32) -> Option<Duration> {
    let seconds = 1_u64.checked_shl(crashes.checked_sub(1)?).unwrap_or(u64::MAX);
    (crashes > 1).then(|| Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

/// Whether so many bytes can be had.
async fn enough_memory(needed: u64) -> Result<(), Problem> {
    match tokio::task::spawn_blocking(Machine::look).await {
        // A system that does not tell is tried.
        Ok(Machine { free_bytes: free, memory_bytes: all, .. }) if all > 0 && free > 0 && needed > free => {
            Err(problem::too_large(needed, free, all))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_minute() {
        let seconds = |n| pause(n).map(|p| p.as_secs());
        assert_eq!([0, 1, 2, 3, 4, 7, 200].map(seconds), [None, None, Some(2), Some(4), Some(8), Some(60), Some(60)]);
    }
}
