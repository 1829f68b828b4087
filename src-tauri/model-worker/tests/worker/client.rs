//! What asks the worker, with the real one.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use afterwatch_assistant::{
    generator::{Generator, Heard, Prompt},
    worker::{WorkerGenerator, WorkerOptions},
};
use afterwatch_core::port::model::ModelPhase;
use afterwatch_model_protocol::Role;

use crate::talk::{ENDLESS, SHORT, long_text, program, say, tiny};

pub fn prompt(question: &str, grammar: &str, max_tokens: u32) -> Prompt {
    Prompt {
        messages: vec![say(Role::System, "You word what was recorded."), say(Role::User, question)],
        fixed: 1,
        grammar: grammar.into(),
        schema: serde_json::Value::Null,
        max_tokens,
        temperature: 0.8,
        seed: 7,
    }
}

fn options() -> WorkerOptions {
    let mut options = WorkerOptions::new(program(), tiny());
    options.context = 32_768;
    options.threads = 1;
    options
}

/// Whether the process is gone within that time.
pub async fn ended(process: u32, within: Duration) -> bool {
    let began = Instant::now();
    while began.elapsed() < within {
        if !alive(process) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

#[cfg(target_os = "linux")]
fn alive(process: u32) -> bool {
    let gone = |stat: String| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'));
    // One that is gone and not yet waited for is no longer one; but while other threads of it are ending it cannot be
    // waited for.
    let threads = || std::fs::read_dir(format!("/proc/{process}/task")).map_or(0, Iterator::count);
    std::fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !gone(stat) || threads() > 1)
}

#[cfg(not(target_os = "linux"))]
fn alive(process: u32) -> bool {
    let asked = std::process::Command::new("ps").args(["-p", &process.to_string()]).output();
    asked.is_ok_and(|out| out.status.success())
}

/// Waits until the state satisfies.
async fn until(worker: &WorkerGenerator, is: impl Fn(&afterwatch_assistant::worker::WorkerState) -> bool) {
    let mut state = worker.state();
    let waited = tokio::time::timeout(Duration::from_secs(10), state.wait_for(|s| is(s))).await;
    waited.unwrap_or_else(|_| panic!("it stays {:?}", worker.state().borrow())).unwrap();
}

#[tokio::test]
async fn it_starts_loads_and_writes_on_the_first_request() {
    let worker = WorkerGenerator::new(options());
    assert_eq!(worker.state().borrow().phase, ModelPhase::Idle);
    assert_eq!(worker.context().await.unwrap(), 32_768);
    assert_eq!(worker.state().borrow().process, None, "the file's header is enough for that");

    let heard = Mutex::new(Vec::new());
    let answer = worker.generate(prompt("Why?", SHORT, 60), &|h| heard.lock().unwrap().push(h)).await.unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&answer.text).is_ok(), "{}", answer.text);
    assert!(answer.complete && answer.prompt_tokens > 10 && answer.generated_tokens > 3);

    let heard = heard.into_inner().unwrap();
    let place = |is: fn(&Heard) -> bool| heard.iter().position(is).unwrap();
    let loading = place(|h| matches!(h, Heard::Loading(_)));
    let reading = place(|h| matches!(h, Heard::Reading { .. }));
    let piece = place(|h| matches!(h, Heard::Piece { .. }));
    assert!(loading < reading && reading < piece);
    let text = heard
        .iter()
        .filter_map(|h| match h {
            Heard::Piece { text, tokens_per_second } => {
                assert!(*tokens_per_second > 0.0);
                Some(text.as_str())
            }
            _ => None,
        })
        .collect::<String>();
    assert_eq!(text, answer.text);
    assert_eq!(worker.state().borrow().phase, ModelPhase::Ready);
    assert_eq!(worker.state().borrow().problem, None);
}

#[tokio::test]
async fn getting_ready_loads_and_counting_counts() {
    let worker = WorkerGenerator::new(options());
    let heard = Mutex::new(0);
    worker.ready(&|_| *heard.lock().unwrap() += 1).await.unwrap();
    assert!(*heard.lock().unwrap() > 0, "loading is heard of");
    assert_eq!(worker.state().borrow().phase, ModelPhase::Ready);
    let counts = worker.count(vec!["a".into(), "<|im_end|>".into()]).await.unwrap();
    assert_eq!(counts[0], 1);
    assert!(counts[1] > 3);
}

#[tokio::test]
async fn two_windows_may_ask_at_once_and_the_second_hears_that_it_waits() {
    let worker = Arc::new(WorkerGenerator::new(options()));
    let ask = |question: &'static str| {
        let worker = worker.clone();
        tokio::spawn(async move {
            let waited = Mutex::new(false);
            let answer = worker
                .generate(prompt(question, SHORT, 60), &|h| *waited.lock().unwrap() |= h == Heard::Waiting)
                .await
                .unwrap();
            (answer, waited.into_inner().unwrap())
        })
    };
    let (first, second) = (ask("Why?"), ask("Since when?"));
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    assert!(first.0.complete && second.0.complete);
    assert_eq!([first.1, second.1].iter().filter(|waited| **waited).count(), 1);
}

#[tokio::test]
async fn who_stops_waiting_stops_the_work_and_the_model_stays() {
    for (question, in_the_middle) in [("Why?", false), (&*long_text(600), true)] {
        let worker = WorkerGenerator::new(options());
        worker.ready(&|_| {}).await.unwrap();
        let process = worker.state().borrow().process;
        let (sender, heard) = tokio::sync::oneshot::channel();
        let sender = Mutex::new(Some(sender));
        let hear = |h: Heard| {
            let far = match h {
                Heard::Piece { .. } => !in_the_middle,
                Heard::Reading { done, .. } => in_the_middle && done > 0,
                _ => false,
            };
            if let Some(sender) = far.then(|| sender.lock().unwrap().take()).flatten() {
                let _ = sender.send(());
            }
        };
        tokio::select! {
            done = worker.generate(prompt(question, ENDLESS, 8_000), &hear) => panic!("{done:?}"),
            _ = heard => {}
        }
        let began = Instant::now();
        until(&worker, |state| state.phase == ModelPhase::Ready).await;
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        let next = worker.generate(prompt("Why?", SHORT, 60), &|_| {}).await.unwrap();
        assert!(next.complete);
        assert_eq!(worker.state().borrow().process, process, "it need not be started again");
    }
}

#[tokio::test]
#[cfg(unix)]
async fn a_worker_that_is_killed_in_the_middle_becomes_a_sentence_and_the_next_request_works() {
    let worker = Arc::new(WorkerGenerator::new(options()));
    let written = Arc::new(Mutex::new(String::new()));
    let asked = {
        let (worker, written) = (worker.clone(), written.clone());
        tokio::spawn(async move {
            let hear = |h: Heard| {
                if let Heard::Piece { text, .. } = h {
                    written.lock().unwrap().push_str(&text);
                }
            };
            worker.generate(prompt("Why?", ENDLESS, 30_000), &hear).await
        })
    };
    while written.lock().unwrap().len() < 20 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let process = worker.state().borrow().process.unwrap();
    assert!(std::process::Command::new("kill").args(["-9", &process.to_string()]).status().unwrap().success());
    let error = asked.await.unwrap().unwrap_err();
    assert!(error.message.contains("The system ended it") && error.message.contains("try again"), "{error}");
    assert!(error.so_far.starts_with("word word"), "{}", error.so_far);
    assert_eq!(worker.state().borrow().problem.as_ref(), Some(&error.message));

    let next = worker.generate(prompt("Why?", SHORT, 60), &|_| {}).await.unwrap();
    assert!(next.complete);
    let state = worker.state().borrow().clone();
    assert_eq!((state.phase, state.problem), (ModelPhase::Ready, None));
    assert_ne!(state.process, Some(process));
}

#[tokio::test]
#[cfg(unix)]
async fn a_worker_that_ended_while_nothing_was_asked_is_started_again() {
    let worker = WorkerGenerator::new(options());
    worker.ready(&|_| {}).await.unwrap();
    let process = worker.state().borrow().process.unwrap();
    std::process::Command::new("kill").args(["-9", &process.to_string()]).status().unwrap();
    assert!(ended(process, Duration::from_secs(2)).await);
    let next = worker.generate(prompt("Why?", SHORT, 60), &|_| {}).await.unwrap();
    assert!(next.complete);
}

#[tokio::test]
async fn nothing_asked_for_a_while_gives_the_memory_back() {
    let mut options = options();
    options.idle = Duration::from_millis(300);
    let worker = WorkerGenerator::new(options);
    worker.generate(prompt("Why?", SHORT, 60), &|_| {}).await.unwrap();
    let process = worker.state().borrow().process.unwrap();
    until(&worker, |state| state.phase == ModelPhase::Idle && state.process.is_none()).await;
    assert!(ended(process, Duration::from_secs(2)).await, "the process is gone, and its memory with it");
    assert!(worker.generate(prompt("Why?", SHORT, 60), &|_| {}).await.unwrap().complete);
}

#[tokio::test]
async fn what_is_asked_again_and_again_keeps_the_model() {
    let mut options = options();
    options.idle = Duration::from_millis(500);
    let worker = WorkerGenerator::new(options);
    worker.ready(&|_| {}).await.unwrap();
    let process = worker.state().borrow().process;
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        worker.generate(prompt("Why?", SHORT, 60), &|_| {}).await.unwrap();
    }
    assert_eq!(worker.state().borrow().process, process);
}

#[tokio::test]
async fn unloading_and_dropping_end_the_process() {
    let worker = WorkerGenerator::new(options());
    worker.ready(&|_| {}).await.unwrap();
    let process = worker.state().borrow().process.unwrap();
    worker.unload().await;
    assert!(ended(process, Duration::from_secs(2)).await);
    assert_eq!(worker.state().borrow().phase, ModelPhase::Idle);

    worker.ready(&|_| {}).await.unwrap();
    let process = worker.state().borrow().process.unwrap();
    drop(worker);
    assert!(ended(process, Duration::from_secs(2)).await);
}

#[tokio::test]
async fn a_file_that_is_no_model_makes_it_unusable_until_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.gguf");
    std::fs::write(&file, b"<!DOCTYPE html><html><body>Sign in</body></html>").unwrap();
    let mut options = options();
    options.model = file.clone();
    let worker = WorkerGenerator::new(options);
    let error = worker.generate(prompt("Why?", SHORT, 60), &|_| {}).await.unwrap_err();
    assert!(error.message.contains("cannot be used") && error.message.contains("web page"), "{error}");
    assert_eq!(worker.state().borrow().phase, ModelPhase::Unusable);
    assert_eq!(worker.state().borrow().process, None, "llama.cpp never saw it");
    assert!(worker.context().await.unwrap_err().message.contains("web page"));

    std::fs::copy(tiny(), &file).unwrap();
    assert!(worker.generate(prompt("Why?", SHORT, 60), &|_| {}).await.unwrap().complete);
    assert_eq!(worker.state().borrow().phase, ModelPhase::Ready);
}

#[tokio::test]
async fn a_prompt_that_does_not_fit_is_told_and_the_model_stays() {
    let mut options = options();
    options.context = 512;
    let worker = WorkerGenerator::new(options);
    let error = worker.generate(prompt(&long_text(100), SHORT, 60), &|_| {}).await.unwrap_err();
    assert!(error.message.contains("Ask about less"), "{error}");
    assert_eq!(worker.state().borrow().phase, ModelPhase::Ready);
    assert!(worker.generate(prompt("Why?", SHORT, 60), &|_| {}).await.unwrap().complete);
}
