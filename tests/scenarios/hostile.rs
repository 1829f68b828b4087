//! Hostile text in a cluster, through the assistant and onto the page: nothing of it is live there.

use std::sync::Arc;

use afterwatch_assistant::{
    Assistant, ModelInUse, exam,
    generator::{Generated, Generator, Heard, Prompt},
    plain,
};
use afterwatch_core::{
    port::{
        BoxFuture, Model, ModelError,
        model::{Progress, Step},
    },
    writing::{By, Case, Section, Task},
};
use afterwatch_report::{ReportInput, html, markdown};
use jiff::tz::TimeZone;

#[path = "../../src-tauri/assistant/tests/assistant/hostile_texts.rs"]
mod hostile_texts;

use hostile_texts::HOSTILE;

/// Says what the log says.
struct Parrot(String);

impl Generator for Parrot {
    fn context<'a>(&'a self) -> BoxFuture<'a, Result<u32, ModelError>> {
        Box::pin(async { Ok(8192) })
    }

    fn count<'a>(&'a self, texts: Vec<String>) -> BoxFuture<'a, Result<Vec<u32>, ModelError>> {
        Box::pin(async move { Ok(vec![10; texts.len()]) })
    }

    fn generate<'a>(
        &'a self,
        _: Prompt,
        _: &'a (dyn Fn(Heard) + Send + Sync),
    ) -> BoxFuture<'a, Result<Generated, ModelError>> {
        let part = serde_json::json!({"statements": [
            {"text": format!("STRIPE_KEY is not set. {}", self.0), "cites": ["E2"]},
            {"text": "STRIPE_KEY is not set.", "cites": ["E2"]},
        ]});
        Box::pin(async move { Ok(Generated { text: part.to_string(), complete: true, ..Generated::default() }) })
    }
}

struct Silent;

impl Progress for Silent {
    fn step(&self, _: Step) {}
}

fn poisoned(text: &str) -> Case {
    let papers = exam::papers();
    let paper = papers.iter().find(|p| p.name == "environment-variable-missing").expect("a paper");
    let mut case = paper.case();
    for e in &mut case.incident.evidence {
        e.draft.summary = format!("{} {text}", e.draft.summary);
        e.draft.excerpt = format!("{}\n{text}", e.draft.excerpt);
    }
    case.incident.title.push_str(text);
    case.incident.timeline[0].text.push_str(text);
    case
}

#[track_caller]
fn inert(name: &str, page: &str) {
    let lower = page.to_lowercase();
    for live in ["<img", "<a ", "<script", "<iframe", "<object", "<!--", "\u{1b}", "\u{202e}"] {
        assert!(!lower.contains(live), "{name}: {live} is in\n{page}");
    }
}

#[tokio::test]
async fn nothing_a_cluster_says_is_live_on_a_page() {
    for (name, text) in HOSTILE {
        let case = poisoned(text);
        let input = ReportInput {
            incident: &case.incident,
            notes: "",
            gaps: &case.gaps,
            coverage: &[],
            zone: TimeZone::UTC,
            generated_at: case.now,
            version: "0.0.0-test",
        };
        inert(name, &html(&markdown(&input)));
        let model = ModelInUse {
            name: "parrot".to_owned(),
            server: None,
            generator: Arc::new(Parrot((*text).to_owned())),
            verdict: None,
        };
        let task = Task::Ask { question: "What does the log say?".to_owned(), earlier: Vec::new() };
        let written = Assistant::new(Some(model)).write(&case, task, By::Model, &Silent).await.expect("written");
        if written.instead.is_none() {
            for statement in &written.statements {
                inert(name, &html(&statement.text));
            }
        }
        for section in Section::ALL {
            assert!(!plain::write(&case, &Task::Section(section)).statements.is_empty(), "{name}");
        }
    }
}
