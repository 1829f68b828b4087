//! Measures instead of testing. Run by itself, on an idle computer:
//!
//! `cargo test --release -p afterwatch-model --test worker figures -- --ignored --nocapture`
//!
//! | variable | means |
//! |---|---|
//! | `AFTERWATCH_BENCH_MODEL` | the model; else one of random weights and the size of half a billion is made (Python) |
//! | `AFTERWATCH_BENCH_THREADS` | threads; else as the app would take |
//! | `AFTERWATCH_LLAMA_BENCH` | each `llama-bench` to compare with, between colons: of the same build (`.ci/build-llama-bench`), Debian's (`.ci/debian-llama-bench`) |

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use afterwatch_assistant::machine;
use afterwatch_model_protocol::{Ask, Generate, Generated, Load, Role, Say, gguf};

use crate::talk::{Worker, long_text, say};

/// Tokens that are read and written, as `llama-bench` does by default.
const READ: usize = 512;
/// How many of those that are read the chat template and the question take.
const AROUND: usize = 24;
const WRITTEN: u32 = 128;
const ROUNDS: usize = 5;

fn figure(name: &str, value: f64, unit: &str) {
    println!("FIGURE {name} {value:.3} {unit}");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn model(folder: &Path) -> PathBuf {
    if let Some(given) = std::env::var_os("AFTERWATCH_BENCH_MODEL") {
        return given.into();
    }
    let made = folder.join("made.gguf");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/fixture/make.py");
    let size = "--layers 24 --dim 896 --heads 14 --kv-heads 2 --ffn 4864 --vocabulary 151936 --type q8_0";
    let status = Command::new("python3").arg(script).arg("--out").arg(&made).args(size.split(' ')).status();
    assert!(status.expect("Python is needed").success());
    made
}

fn resident(worker: &mut Worker) -> f64 {
    match worker.asks(Ask::Info) {
        Say::Info(info) => info.rss_bytes as f64 / 1e6,
        other => panic!("{other:?}"),
    }
}

fn generated(say: Say) -> Generated {
    match say {
        Say::Generated(generated) => generated,
        other => panic!("{other:?}"),
    }
}

/// A prompt of about so many tokens in this model, which begins differently each time.
fn of_tokens(worker: &mut Worker, tokens: usize, round: usize) -> String {
    let text = format!("Round {round}. {}", long_text(tokens / 4));
    let words = text.split_inclusive('\n').map(String::from).collect::<Vec<_>>();
    let Say::Tokens { counts } = worker.asks(Ask::Tokenise { texts: words.clone() }) else { panic!() };
    let mut all = 0;
    words
        .iter()
        .zip(counts)
        .take_while(|(_, n)| {
            all += *n as usize;
            all <= tokens
        })
        .map(|(w, _)| w.as_str())
        .collect()
}

fn request(system: &str, user: &str, max_tokens: u32, grammar: Option<&str>) -> Ask {
    Ask::Generate(Box::new(Generate {
        messages: vec![say(Role::System, system), say(Role::User, user)],
        fixed: 1,
        grammar: grammar.map(Into::into),
        max_tokens,
        temperature: 0.8,
        seed: 3,
    }))
}

#[test]
#[ignore = "measures; it is run by itself"]
fn figures() {
    let folder = tempfile::tempdir().unwrap();
    let path = model(folder.path());
    let threads =
        std::env::var("AFTERWATCH_BENCH_THREADS").ok().and_then(|n| n.parse().ok()).unwrap_or(machine::threads());
    let header = gguf::read(&path).unwrap();
    println!(
        "{} {} {}, {} parameters, {threads} threads",
        path.display(),
        header.architecture,
        header.weights,
        header.parameters
    );
    let loaded = |cache: Option<&Path>| {
        let mut worker = Worker::start();
        worker.asks(Ask::Info);
        let began = Instant::now();
        worker
            .load(Load {
                path: path.to_string_lossy().into_owned(),
                context: 4096,
                threads,
                gpu_layers: 0,
                prefix_cache: cache.map(|folder| folder.to_string_lossy().into_owned()),
                sha256: Some("bench".into()),
            })
            .unwrap();
        (worker, began.elapsed())
    };

    let starts = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            Worker::start().asks(Ask::Info);
            began.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    figure("worker_start", median(starts), "ms");

    let mut empty = Worker::start();
    figure("worker_memory_empty", resident(&mut empty), "MB");
    drop(empty);
    let (mut worker, took) = loaded(None);
    figure("model_load", took.as_secs_f64(), "s");
    figure("model_file", header.size_bytes as f64 / 1e6, "MB");
    figure("worker_memory_loaded", resident(&mut worker), "MB");
    figure("memory_estimate", header.memory_bytes(4096) as f64 / 1e6, "MB");

    let benches = std::env::var_os("AFTERWATCH_LLAMA_BENCH").unwrap_or_default();
    let benches: Vec<PathBuf> = std::env::split_paths(&benches).filter(|program| program.exists()).collect();
    let (mut read, mut written, mut held) = (Vec::new(), Vec::new(), Vec::new());
    let mut against: Vec<(Vec<f64>, Vec<f64>)> = benches.iter().map(|_| Default::default()).collect();
    // llama-bench reads such a prompt before it measures; so is it done here.
    let warm = of_tokens(&mut worker, READ - AROUND, ROUNDS);
    worker.asks(request(&warm, "Go on.", 1, None));
    for round in 0..ROUNDS {
        let text = of_tokens(&mut worker, READ - AROUND, round);
        let speed = |tokens: u32, ms: u32| f64::from(tokens) * 1e3 / f64::from(ms.max(1));
        let writing = |a: &Generated| speed(a.generated_tokens.saturating_sub(1), a.total_ms - a.first_token_ms);
        let answer = generated(worker.asks(request(&text, "Go on.", WRITTEN, None)));
        read.push(speed(answer.prompt_tokens - answer.cached_tokens, answer.first_token_ms));
        written.push(writing(&answer));
        for (bench, against) in benches.iter().zip(&mut against) {
            let (their_read, their_written) =
                theirs(bench, &path, threads, answer.prompt_tokens - answer.cached_tokens);
            against.0.push(read[round] / their_read);
            against.1.push(written[round] / their_written);
        }
        let json = r#"root ::= "{\"text\":\"" [^"\\\x00-\x1f]{400,600} "\"}""#;
        held.push(writing(&generated(worker.asks(request(&text, "Once more.", WRITTEN, Some(json))))));
    }
    figure("prompt_speed", median(read), "tokens/s");
    figure("generation_speed", median(written), "tokens/s");
    figure("generation_speed_with_grammar", median(held), "tokens/s");
    figure("worker_memory_after", resident(&mut worker), "MB");
    drop(worker);
    if benches.is_empty() {
        println!("llama-bench was not compared with: AFTERWATCH_LLAMA_BENCH names none");
    }
    for (bench, (read, written)) in benches.iter().zip(against) {
        let which = bench.parent().and_then(Path::file_name).unwrap_or(bench.as_os_str()).to_string_lossy();
        figure(&format!("prompt_speed_against_{which}"), median(read), "of it");
        figure(&format!("generation_speed_against_{which}"), median(written), "of it");
    }

    let cache = folder.path().join("prefixes");
    let (mut worker, _) = loaded(Some(&cache));
    let instructions = of_tokens(&mut worker, 1500, 0);
    let cold = generated(worker.asks(request(&instructions, "What is the cause?", 8, None)));
    drop(worker);
    let (mut worker, _) = loaded(Some(&cache));
    let warm = generated(worker.asks(request(&instructions, "What changed before?", 8, None)));
    figure("prompt_tokens", f64::from(cold.prompt_tokens), "tokens");
    figure("first_token_cold", f64::from(cold.first_token_ms) / 1e3, "s");
    figure("first_token_with_kept_prefix", f64::from(warm.first_token_ms) / 1e3, "s");
    assert!(warm.cached_tokens * 10 > warm.prompt_tokens * 9 && warm.first_token_ms < cold.first_token_ms);

    let id = worker.ask(request("Other instructions.", &long_text(100), 8, None));
    while !matches!(worker.hear().unwrap().say, Say::Reading { done, .. } if done > 64) {}
    std::thread::sleep(Duration::from_millis(150));
    worker.ask(Ask::Cancel { request: id });
    let began = Instant::now();
    assert_eq!(worker.answer(id).0, Some(Say::Cancelled));
    figure("cancel_while_reading", began.elapsed().as_secs_f64() * 1e3, "ms");
}

/// The same file with `llama-bench`, in the same minute and with the same priority: tokens a second, as many read as the
/// worker has read, and written.
fn theirs(bench: &Path, path: &Path, threads: u32, read: u32) -> (f64, f64) {
    let (prompt, depth, tokens) = (read.to_string(), READ.to_string(), WRITTEN.to_string());
    let speed = |what: &[&str]| {
        let mut command = Command::new(if cfg!(unix) { "nice".as_ref() } else { bench.as_os_str() });
        if cfg!(unix) {
            command.args(["-n", "10"]).arg(bench);
        }
        let out = command
            .arg("-m")
            .arg(path)
            .args(what)
            // Loaded as the worker loads it: read into memory, not mapped.
            .args(["-lm", "none", "-r", "1", "-t", &threads.to_string(), "-ngl", "0", "-o", "json"])
            .output()
            .expect("llama-bench could not be run");
        let rows: Vec<serde_json::Value> = serde_json::from_slice(&out.stdout).expect("llama-bench writes JSON");
        rows[0]["avg_ts"].as_f64().unwrap()
    };
    // It writes after as many tokens as the worker has read when it writes.
    (speed(&["-p", &prompt, "-n", "0"]), speed(&["-p", "0", "-n", &tokens, "-d", &depth]))
}
