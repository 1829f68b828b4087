//! What can go wrong with the worker, in words: what happened, why, and what to do next.

use std::{path::Path, process::ExitStatus, time::Duration};

use afterwatch_core::port::ModelError;
use afterwatch_model_protocol::{FailureKind, Say, gguf};

/// Something that went wrong.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) message: String,
    /// The words that had come until then.
    pub(super) so_far: String,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It stays so until somebody changes something.
    Unusable,
    /// The worker died or had to be ended; trying again at once may do the same again.
    Crash,
    /// This request failed; the next may not.
    Request,
}

impl Problem {
    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { message: message.into(), so_far: String::new(), kind }
    }

    pub(super) fn after(mut self, so_far: &str) -> Self {
        so_far.clone_into(&mut self.so_far);
        self
    }
}

impl From<Problem> for ModelError {
    fn from(problem: Problem) -> Self {
        ModelError { message: problem.message, so_far: problem.so_far }
    }
}

/// The file is no model that can be used.
pub(super) fn unfit(unfit: gguf::Unfit) -> Problem {
    Problem::new(Kind::Unusable, format!("The model cannot be used. {unfit}"))
}

/// The worker's program cannot be started.
pub(super) fn no_program(program: &Path, error: &std::io::Error) -> Problem {
    let message = match error.kind() {
        std::io::ErrorKind::NotFound => format!(
            "The program that runs models is missing ({}). Install Afterwatch again; until then rules and templates \
             write everything.",
            program.display()
        ),
        _ => format!(
            "The program that runs models ({}) could not be started: {error}. Check that it may be run; until then \
             rules and templates write everything.",
            program.display()
        ),
    };
    Problem::new(Kind::Unusable, message)
}

/// The model needs more memory than there is.
pub(super) fn too_large(needed: u64, free: u64, all: u64) -> Problem {
    let gb = |bytes: u64| bytes as f64 / 1e9;
    if needed > all {
        return Problem::new(
            Kind::Unusable,
            format!(
                "The model needs about {:.1} GB of memory, and this computer has {:.1} GB. Choose a smaller model in \
                 Settings, Models.",
                gb(needed),
                gb(all)
            ),
        );
    }
    Problem::new(
        Kind::Request,
        format!(
            "The model needs about {:.1} GB of memory, and {:.1} GB are free. Close other programs and try again, or \
             choose a smaller model in Settings, Models.",
            gb(needed),
            gb(free)
        ),
    )
}

/// The worker says that it could not.
pub(super) fn failed(kind: FailureKind, message: String) -> Problem {
    match kind {
        FailureKind::Processor => Problem::new(Kind::Unusable, message),
        FailureKind::Unfit => Problem::new(Kind::Unusable, format!("The model cannot be used. {message}")),
        _ => Problem::new(Kind::Request, message),
    }
}

/// The worker said nothing for too long, and was ended.
pub(super) fn hung(after: Duration) -> Problem {
    Problem::new(
        Kind::Crash,
        format!(
            "The model said nothing for {} seconds and was stopped. Try again; if it happens again, choose a smaller \
             model in Settings, Models.",
            after.as_secs().max(1)
        ),
    )
}

/// The worker ended by itself. `complaints` are its last words on standard error.
pub(super) fn ended(status: Option<ExitStatus>, complaints: &str) -> Problem {
    let lower = complaints.to_lowercase();
    let memory =
        ["bad_alloc", "memory allocation", "out of memory", "failed to allocate"].iter().any(|w| lower.contains(w));
    let signal = signal(status);
    let message = match signal {
        _ if memory => out_of_memory("It ran out of memory"),
        Some(9) => out_of_memory("The system ended it, most likely because memory ran out"),
        Some(4) => "The model's process met an instruction that this processor does not know, and ended. Install the \
                    build of Afterwatch for this computer; until then rules and templates write everything."
            .to_owned(),
        Some(n) => crash(&format!("signal {n}")),
        None => crash(&status.and_then(|s| s.code()).map_or("no reason given".into(), |code| format!("code {code}"))),
    };
    let kind = if signal == Some(4) { Kind::Unusable } else { Kind::Crash };
    tracing::warn!(?status, complaints, "the model's process ended");
    Problem::new(kind, message)
}

fn crash(how: &str) -> String {
    format!(
        "The model's process ended unexpectedly ({how}). Nothing else is affected: try again, and it is started anew. If \
         it happens again, choose another model in Settings, Models."
    )
}

fn out_of_memory(what: &str) -> String {
    format!(
        "The model's process is gone. {what}. Close other programs and try again, or choose a smaller model in Settings, \
         Models."
    )
}

/// It crashed several times in a row, and is not tried again yet.
pub(super) fn resting(times: u32, left: Duration) -> Problem {
    Problem::new(
        Kind::Request,
        format!(
            "The model's process ended unexpectedly {times} times in a row. It is tried again in {} seconds at the \
             earliest; until then rules and templates write. Another model can be chosen in Settings, Models.",
            left.as_secs() + 1
        ),
    )
}

/// An answer of another kind than was asked for.
pub(super) fn unexpected(say: &Say) -> ModelError {
    tracing::error!(?say, "the worker answered something else than it was asked");
    ModelError {
        message:
            "The model's process answered something that Afterwatch does not understand. Install Afterwatch again, \
                  so that both are of one version."
                .into(),
        so_far: String::new(),
    }
}

#[cfg(unix)]
fn signal(status: Option<ExitStatus>) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status?)
}

#[cfg(not(unix))]
fn signal(_: Option<ExitStatus>) -> Option<i32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    fn by_signal(n: i32) -> Option<ExitStatus> {
        Some(std::os::unix::process::ExitStatusExt::from_raw(n))
    }

    #[test]
    #[cfg(unix)]
    fn each_end_says_what_happened_and_what_to_do() {
        for (signal, complaints, says, kind) in [
            (6, "GGML_ASSERT(!stacks.empty()) failed", "signal 6", Kind::Crash),
            (6, "terminate called after throwing an instance of 'std::bad_alloc'", "ran out of memory", Kind::Crash),
            (6, "memory allocation of 1073741824 bytes failed", "ran out of memory", Kind::Crash),
            (9, "", "most likely because memory ran out", Kind::Crash),
            (4, "", "does not know", Kind::Unusable),
            (11, "", "signal 11", Kind::Crash),
        ] {
            let problem = ended(by_signal(signal), complaints);
            assert!(problem.message.contains(says), "{}", problem.message);
            assert_eq!(problem.kind, kind);
        }
    }

    #[test]
    fn a_model_larger_than_the_computer_is_unusable_and_one_larger_than_what_is_free_is_not() {
        let problem = too_large(9_000_000_000, 2_000_000_000, 8_000_000_000);
        assert_eq!(problem.kind, Kind::Unusable);
        assert!(problem.message.contains("9.0 GB") && problem.message.contains("8.0 GB"));
        let problem = too_large(7_000_000_000, 2_000_000_000, 8_000_000_000);
        assert_eq!(problem.kind, Kind::Request);
        assert!(problem.message.contains("2.0 GB are free"));
    }
}
