//! Asking about an incident: by rules, by a model file, and by what is none.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{
    afterwatch::{Ended, Home},
    database::recorded,
    server::Server,
};

/// A home with an incident, and the words that name its database.
struct Desk {
    _folder: tempfile::TempDir,
    _server: Server,
    home: Home,
    database: String,
}

impl Desk {
    fn new() -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        let (server, home) = recorded(&path);
        Desk { _folder: folder, _server: server, home, database: path.display().to_string() }
    }

    fn words<'a>(&'a self, words: &[&'a str]) -> Vec<&'a str> {
        [words, &["--db", &self.database]].concat()
    }

    fn run(&self, words: &[&str]) -> Ended {
        self.home.run(&self.words(words))
    }
}

/// The tiny model whose weights are random: it writes nonsense, in the form that is asked for.
fn tiny() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let file = root.join("models/fixture/tiny.gguf");
    assert!(file.is_file(), "{}", file.display());
    file.display().to_string()
}

/// The worker as `cargo build -p afterwatch-model` made it.
fn worker() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let place = own.parent().and_then(Path::parent).unwrap().join("afterwatch-model");
    assert!(place.is_file(), "build it first: cargo build -p afterwatch-model ({})", place.display());
    place
}

/// Every id that is cited belongs to the incident.
fn cites_what_is_there(answer: &Value, incident: &Value) {
    let held: Vec<&Value> = ["evidence", "changes", "actions"]
        .iter()
        .flat_map(|part| incident[part].as_array().unwrap())
        .map(|item| &item["id"])
        .collect();
    for statement in answer["statements"].as_array().unwrap() {
        for id in statement["cites"].as_array().unwrap() {
            assert!(held.contains(&id), "{id} is not there: {statement}");
        }
    }
}

#[test]
fn rules_answer_without_a_model_with_citations_and_keep_the_answer() {
    let desk = Desk::new();
    let incident = desk.run(&["incident", "1", "-o", "json"]).document()["incidents"][0].clone();
    let ended = desk.run(&["ask", "1", "Why", "is", "it", "broken?", "--no-model", "-o", "json"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let document = ended.document();
    assert_eq!((&document["schema"], &document["number"]), (&json!("afterwatch.answer/v1"), &json!(1)));
    assert_eq!(document["question"], "Why is it broken?");
    let answer = &document["answer"];
    assert_eq!((&answer["by"], &answer["instead"]), (&json!("rules"), &Value::Null), "nobody asked for a model");
    assert!(answer["tied"].as_u64().unwrap() > 0, "{answer:#}");
    cites_what_is_there(answer, &incident);
    let page = desk.run(&["ask", "1", "Why is it broken?", "--no-model"]);
    assert!(page.stdout.contains(" [E1") && page.stdout.contains("Written by rules"), "{}", page.stdout);
    // Where no model is chosen the rules answer, and nothing has to be excused.
    let plain = desk.run(&["ask", "1", "-", "-o", "jsonl"]);
    assert_eq!(plain.code, Some(1), "an empty question is none: {plain:#?}");
    assert!(plain.stderr.contains("no question"), "{}", plain.stderr);
    let piped = desk.home.run_with(&desk.words(&["ask", "1", "-", "-o", "jsonl"]), "What changed?\n");
    let line: Value = serde_json::from_str(&piped.stdout).unwrap();
    assert_eq!((&line["type"], &line["answer"]["question"]), (&json!("answer"), &json!("What changed?")));
}

#[test]
fn advice_explains_the_steps_the_incident_holds() {
    let desk = Desk::new();
    let plain = desk.run(&["advise", "1", "-o", "json"]).document();
    assert_eq!(plain["advice"], Value::Null);
    let document = desk.run(&["advise", "1", "--explain", "--no-model", "-o", "json"]).document();
    assert_eq!(document["actions"], plain["actions"], "the steps themselves are the same");
    let ids: Vec<&Value> = plain["actions"].as_array().unwrap().iter().map(|a| &a["id"]).collect();
    let order = document["advice"]["actions"].as_array().unwrap();
    assert!(!order.is_empty() && order.iter().all(|id| ids.contains(&id)), "{document:#}");
    let page = desk.run(&["advise", "1", "--explain", "--no-model"]).stdout;
    assert!(page.contains("Why: ") && page.contains("Nothing was sent to the cluster"), "{page}");
}

#[test]
fn what_cannot_be_asked_is_told_before_anything_is_written() {
    let desk = Desk::new();
    desk.run(&["ask", "99", "Why?", "--no-model"]).failed(&["no incident INC-99"]);
    desk.run(&["ask", "1", "Why?", "--model", "nowhere.gguf"]).failed(&["no model file at nowhere.gguf", "--model"]);
    for words in [&["ask", "1"][..], &["ask", "1", "Why?", "--model", "x", "--no-model"]] {
        assert_eq!(desk.run(words).code, Some(2), "{words:?}");
    }
}

#[test]
fn a_file_that_is_no_model_and_a_missing_worker_leave_the_answer_to_the_rules() {
    let desk = Desk::new();
    let file =
        desk.home.write("weights.gguf", "This is a letter and no model, however it is called.").display().to_string();
    let answered = |ended: Ended, why: &str| {
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        let answer = &ended.document()["answer"];
        assert_eq!(answer["by"], "rules", "{answer:#}");
        assert!(answer["instead"].as_str().is_some_and(|text| text.contains(why)), "{answer:#}");
        assert!(ended.stderr.contains(why), "it is said to a person too: {}", ended.stderr);
    };
    answered(desk.run(&["ask", "1", "Why?", "--model", &file, "-o", "json"]), "not a model");
    let home = desk.home.env("AFTERWATCH_MODEL_WORKER", "/nonexistent/afterwatch-model");
    answered(
        home.run(&desk.words(&["ask", "1", "Why?", "--model", &tiny(), "-o", "json"])),
        "/nonexistent/afterwatch-model",
    );
}

#[test]
fn a_model_file_is_asked_through_the_real_worker_and_what_it_cannot_prove_is_marked() {
    let desk = Desk::new();
    let home = desk.home.env("AFTERWATCH_MODEL_WORKER", worker());
    let incident = desk.run(&["incident", "1", "-o", "json"]).document()["incidents"][0].clone();
    let ended = home.run(&desk.words(&["ask", "1", "Why is it broken?", "--model", &tiny(), "-o", "json"]));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.stderr.contains("Reading"), "it says what it does: {}", ended.stderr);
    let document = ended.document();
    let answer = &document["answer"];
    match answer["by"].as_str() {
        Some("model") => {
            assert_eq!(answer["model"], "tiny");
            // Random weights know nothing: whatever they say is tied to nothing.
            for statement in answer["statements"].as_array().unwrap() {
                assert!(
                    statement["standing"] != "tied" || statement["cites"].as_array().is_some_and(|c| !c.is_empty()),
                    "{statement}"
                );
            }
        }
        _ => assert!(answer["instead"].as_str().is_some_and(|why| !why.is_empty()), "{answer:#}"),
    }
    cites_what_is_there(answer, &incident);
}

#[test]
fn a_signal_ends_a_question_and_nothing_of_it_is_kept() {
    let desk = Desk::new();
    // A worker that takes everything in and never says anything.
    let silent = desk.home.script("silent", "exec sleep 60");
    let home = desk.home.env("AFTERWATCH_MODEL_WORKER", &silent);
    let tiny = tiny();
    let mut asking = home.start(&desk.words(&["ask", "1", "Why?", "--model", &tiny, "-o", "json", "-v"]));
    std::thread::sleep(std::time::Duration::from_millis(1500));
    asking.signal("INT");
    let ended = asking.end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(130), ""), "{ended:#?}");
    assert!(ended.took < std::time::Duration::from_secs(3), "{:?}", ended.took);
}
