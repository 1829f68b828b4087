//! A question about an incident, by rules and by a model file that runs in the real worker.

use fantoccini::{Locator, key::Key};

use crate::support::{
    alone,
    desktop::Offers,
    eventually, story,
    window::{Window, repository},
};

async fn ask(window: &Window, question: &str) {
    let field = window.find("textarea[aria-label='Question']").await;
    field.send_keys(question).await.unwrap();
    field.send_keys(&char::from(Key::Enter).to_string()).await.unwrap();
}

/// What stands under a question now: what is being written makes room for the answer.
async fn answered(window: &Window, question: &str) -> Option<String> {
    let css = format!("article[aria-label='{question}']");
    window.client.find(Locator::Css(&css)).await.ok()?.text().await.ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_is_answered_by_rules_kept_and_put_to_an_imported_model() {
    let _alone = alone().await;
    let (stub, desktop) = crate::support::calm(Offers::default()).await;
    let tiny = repository().join("models/fixture/tiny.gguf").display().to_string();
    let window = Window::open_with(&desktop, &[("AFTERWATCH_OPEN_FILE", &tiny)]).await;
    window.watch("kind-dev").await;
    story::crash(&stub);
    window.click_incident(story::NAME).await;
    window.find("#incident-title").await;

    // Without a model the rules answer, and the answer cites what was recorded.
    window.chord(Key::Control, 'j').await;
    window.reads("No model is chosen.").await;
    ask(&window, "Why did it start?").await;
    eventually("the answer with a chip", async || {
        let text = answered(&window, "Why did it start?").await?;
        (text.contains("E1") && text.contains("tied to")).then_some(())
    })
    .await;
    assert_eq!(window.violations().await, Vec::<String>::new());
    window.picture("ask-1-rules").await;
    assert!(desktop.cli(&["ask", "1", "What changed?", "--no-model"]).await.contains("Written by rules"));

    // A model file is taken in, chosen, and asked. Its weights are random: whatever it says, nothing of it may stand as
    // an answer without proof.
    assert_eq!(window.invoke("import_model", "{path: null}").await, true);
    let installed = eventually("the model to be taken in", async || {
        let page = window.invoke("models", "{}").await;
        let model = page["installed"].as_array()?.first()?.clone();
        model["sha256"].as_str().is_some_and(|sum| sum.len() == 64).then_some(model)
    })
    .await;
    assert_eq!(installed["id"], "tiny", "{installed}");
    window.invoke("choose_model", "{id: 'tiny'}").await;
    eventually("the window to know the model", async || {
        let field = window.find("textarea[aria-label='Question']").await;
        let hint = field.attr("placeholder").await.ok()??;
        (hint == "Ask about the recorded evidence").then_some(())
    })
    .await;
    ask(&window, "Which container was it?").await;
    eventually("an answer", async || {
        let text = answered(&window, "Which container was it?").await?;
        text.contains("tied to").then_some(())
    })
    .await;
    window.picture("ask-2-model").await;
    let state = window.invoke("model_state", "{}").await;
    assert!(["ready", "idle"].contains(&state["phase"].as_str().unwrap_or_default()), "{state}");

    // The conversation is there again after a restart, and so is the choice.
    window.close().await;
    let window = Window::open(&desktop).await;
    window.click_incident(story::NAME).await;
    window.find("#incident-title").await;
    window.chord(Key::Control, 'j').await;
    for question in ["Why did it start?", "What changed?", "Which container was it?"] {
        window.find(&format!("article[aria-label='{question}']")).await;
    }
    assert_ne!(window.invoke("model_state", "{}").await["phase"], "none");
    window.close().await;
}
