//! What the assistant makes of workers that misbehave. They are shell scripts, so that each misbehaves in one way only.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use afterwatch_assistant::{
    generator::Generator,
    worker::{WorkerGenerator, WorkerOptions},
};
use afterwatch_core::port::{ModelError, model::ModelPhase};

use crate::{
    client::{ended, prompt},
    talk::{SHORT, tiny},
};

fn pretended(name: &str) -> WorkerOptions {
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/worker/pretend").join(format!("{name}.sh"));
    let mut options = WorkerOptions::new(program, tiny());
    options.hang = Duration::from_millis(700);
    options.grace = Duration::from_millis(300);
    options
}

async fn asked(worker: &WorkerGenerator) -> ModelError {
    worker.generate(prompt("Why?", SHORT, 40), &|_| {}).await.expect_err("it should have failed")
}

#[tokio::test]
async fn one_that_hangs_is_ended_and_what_it_had_written_is_kept() {
    let worker = WorkerGenerator::new(pretended("loads-then-hangs"));
    let state = worker.state();
    let began = Instant::now();
    let error = asked(&worker).await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert!(error.message.contains("said nothing for") && error.message.contains("was stopped"), "{error}");
    assert_eq!(error.so_far, "Half a");
    let state = state.borrow().clone();
    assert_eq!((state.phase, state.process), (ModelPhase::Idle, None));
    assert_eq!(state.problem, Some(error.message));
}

#[tokio::test]
async fn one_that_never_says_a_word_is_ended() {
    let error = asked(&WorkerGenerator::new(pretended("says-nothing"))).await;
    assert!(error.message.contains("said nothing for"), "{error}");
}

#[tokio::test]
async fn one_that_does_not_listen_to_a_cancel_is_ended_within_its_grace() {
    let mut options = pretended("loads-then-hangs");
    options.hang = Duration::from_secs(60);
    let worker = WorkerGenerator::new(options);
    let state = worker.state();
    let (sender, heard) = tokio::sync::oneshot::channel();
    let sender = std::sync::Mutex::new(Some(sender));
    let hear = |_| {
        if let Some(sender) = sender.lock().unwrap().take() {
            let _ = sender.send(());
        }
    };
    tokio::select! {
        _ = worker.generate(prompt("Why?", SHORT, 40), &hear) => panic!("it cannot end"),
        _ = heard => {}
    }
    let process = state.borrow().process.unwrap();
    assert!(ended(process, Duration::from_secs(2)).await, "it lives on");
}

#[tokio::test]
async fn crashes_are_told_and_tried_again_more_and_more_rarely() {
    let worker = WorkerGenerator::new(pretended("crashes"));
    let first = asked(&worker).await;
    assert!(first.message.contains("ended unexpectedly (signal 6)"), "{first}");
    assert!(first.message.contains("try again"), "{first}");
    let began = Instant::now();
    asked(&worker).await;
    assert!(began.elapsed() < Duration::from_secs(1), "the second time is tried at once");
    // Then after a pause of two seconds, which is waited for, and of four.
    let began = Instant::now();
    asked(&worker).await;
    assert!(began.elapsed() > Duration::from_millis(1500), "{:?}", began.elapsed());
    asked(&worker).await;
    let began = Instant::now();
    let resting = asked(&worker).await;
    assert!(began.elapsed() < Duration::from_secs(1), "eight seconds are not waited for");
    assert!(resting.message.contains("4 times in a row"), "{resting}");
    assert_eq!(worker.state().borrow().phase, ModelPhase::Idle);
}

#[tokio::test]
async fn one_that_runs_out_of_memory_says_so() {
    let error = asked(&WorkerGenerator::new(pretended("runs-out-of-memory"))).await;
    assert!(error.message.contains("ran out of memory") && error.message.contains("smaller model"), "{error}");
}

#[tokio::test]
async fn a_processor_that_is_too_old_makes_the_model_unusable() {
    let worker = WorkerGenerator::new(pretended("old-processor"));
    let error = asked(&worker).await;
    assert!(error.message.contains("AVX2"), "{error}");
    assert_eq!(worker.state().borrow().phase, ModelPhase::Unusable);
}

#[tokio::test]
async fn one_that_babbles_is_ended() {
    let error = asked(&WorkerGenerator::new(pretended("babbles"))).await;
    assert!(error.message.contains("ended unexpectedly"), "{error}");
}

#[tokio::test]
async fn a_program_that_is_missing_is_named() {
    let mut options = pretended("crashes");
    options.program = "/nowhere/afterwatch-model".into();
    let worker = WorkerGenerator::new(options);
    let error = asked(&worker).await;
    assert!(error.message.contains("/nowhere/afterwatch-model") && error.message.contains("Install"), "{error}");
    assert_eq!(worker.state().borrow().phase, ModelPhase::Unusable);
}
