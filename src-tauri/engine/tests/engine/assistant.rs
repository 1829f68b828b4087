//! Asking, and having things written.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use afterwatch_core::{
    incident::Incident,
    port::{
        StoreError,
        model::{Progress, Step},
        store::IncidentKey,
    },
    writing::{Author, By, Section, Task},
};
use afterwatch_engine::WriteError;

use crate::desk::{Desk, all, app, killed};

/// Keeps the steps.
#[derive(Default)]
struct Steps(Mutex<Vec<Step>>);

impl Progress for Steps {
    fn step(&self, step: Step) {
        self.0.lock().unwrap().push(step);
    }
}

async fn with_incident() -> (Desk, Incident) {
    let (desk, app) = (Desk::new(), app("checkout"));
    desk.cluster.upsert(all(&app, killed(&app, 3, -5)));
    desk.watch().await;
    let incident = desk.incident("opened", |_| true).await;
    (desk, incident)
}

#[tokio::test]
async fn an_answer_is_kept_with_its_incident_until_it_is_forgotten() {
    let (desk, incident) = with_incident().await;
    let key = || IncidentKey::Number(incident.number);
    let steps = Steps::default();
    let first = desk.engine.ask(key(), "  Why did it start? ", By::Model, &steps).await.unwrap();
    assert_eq!(first.question, "Why did it start?");
    assert_eq!(first.answer.author, Author::Model { name: "fake".into(), server: None });
    assert_eq!(*steps.0.lock().unwrap(), [Step::Words { more: "It".into(), tokens_per_second: 7.0 }]);
    let second = desk.engine.ask(key(), "And then?", By::Rules, &steps).await.unwrap();
    let Task::Ask { question, earlier } = desk.model.tasks().pop().unwrap().0 else { panic!("not a question") };
    assert_eq!((question.as_str(), earlier.as_slice()), ("And then?", std::slice::from_ref(&first)));
    assert_eq!(desk.engine.exchanges(key()).await.unwrap(), [first.clone(), second.clone()]);
    desk.engine.forget_exchange(key(), first.id).await.unwrap();
    assert_eq!(desk.engine.exchanges(key()).await.unwrap(), [second]);
}

#[tokio::test]
async fn a_question_is_redacted_before_anybody_reads_it() {
    let (desk, incident) = with_incident().await;
    let key = IncidentKey::Id(incident.id);
    let asked = "Is password=hunter2hunter2 still valid?";
    let exchange = desk.engine.ask(key.clone(), asked, By::Model, &Steps::default()).await.unwrap();
    let Task::Ask { question, .. } = desk.model.tasks().pop().unwrap().0 else { panic!("not a question") };
    let kept = desk.engine.exchanges(key).await.unwrap().pop().unwrap().question;
    for text in [exchange.question, question, kept] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn only_the_newest_of_a_long_conversation_is_read_again() {
    let (desk, incident) = with_incident().await;
    for n in 0..9 {
        let key = IncidentKey::Id(incident.id);
        desk.engine.ask(key, &format!("Question {n}?"), By::Rules, &Steps::default()).await.unwrap();
    }
    let Task::Ask { earlier, .. } = desk.model.tasks().pop().unwrap().0 else { panic!("not a question") };
    let read: Vec<&str> = earlier.iter().map(|e| e.question.as_str()).collect();
    assert_eq!(read.len(), 6);
    assert_eq!(read.last(), Some(&"Question 7?"));
}

#[tokio::test]
async fn advice_and_sections_are_written_from_the_incident_and_its_notes() {
    let (desk, incident) = with_incident().await;
    let key = || IncidentKey::Id(incident.id);
    desk.engine.save_notes(key(), "We rolled back.").await.unwrap();
    let advice = desk.engine.advise(key(), By::Model, &Steps::default()).await.unwrap();
    assert_eq!(advice.actions, incident.actions.iter().map(|a| a.id.clone()).collect::<Vec<_>>());
    desk.engine.word_section(key(), Section::RootCause, By::Rules, &Steps::default()).await.unwrap();
    let tasks = desk.model.tasks();
    assert_eq!(tasks, [(Task::Advise, By::Model), (Task::Section(Section::RootCause), By::Rules)]);
    assert_eq!(desk.model.notes(), ["We rolled back.", "We rolled back."]);
    assert_eq!(desk.engine.exchanges(key()).await.unwrap(), [], "neither is a conversation");
}

#[tokio::test]
async fn a_model_that_ends_in_the_middle_leaves_nothing_behind_but_its_reason() {
    let (desk, incident) = with_incident().await;
    let key = || IncidentKey::Id(incident.id);
    desk.model.fail(Some("The model ran out of memory. Choose a smaller one."));
    let failed = desk.engine.ask(key(), "Why?", By::Model, &Steps::default()).await.unwrap_err();
    assert!(failed.to_string().contains("Choose a smaller one"), "{failed}");
    assert_eq!(desk.engine.exchanges(key()).await.unwrap(), []);
    desk.model.fail(None);
    desk.engine.ask(key(), "Why?", By::Model, &Steps::default()).await.unwrap();
}

#[tokio::test]
async fn an_empty_question_and_an_unknown_incident_are_refused_before_the_model_is_asked() {
    let (desk, incident) = with_incident().await;
    let empty = desk.engine.ask(IncidentKey::Id(incident.id), " \n", By::Rules, &Steps::default()).await;
    assert_eq!(empty.unwrap_err(), WriteError::NoQuestion);
    let unknown = desk.engine.advise(IncidentKey::Number(99), By::Rules, &Steps::default()).await;
    assert!(matches!(unknown, Err(WriteError::Store(StoreError::NoIncident(_)))), "{unknown:?}");
    assert_eq!(desk.model.tasks(), []);
}

#[tokio::test]
async fn a_model_that_hangs_holds_nothing_up() {
    let (desk, incident) = with_incident().await;
    desk.model.hang();
    let (engine, key) = (desk.engine.clone(), IncidentKey::Id(incident.id));
    let asked = key.clone();
    let asking = tokio::spawn(async move { engine.ask(asked, "Why?", By::Model, &Steps::default()).await });
    desk.until("asked", || (!desk.model.tasks().is_empty()).then_some(())).await;
    let other = app("cart");
    desk.cluster.upsert(all(&other, killed(&other, 3, -5)));
    desk.until("recorded beside it", || (desk.incidents().len() == 2).then_some(())).await;
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(desk.engine.exchanges(key).await.unwrap(), [], "nothing comes of what was cancelled");
    assert_eq!(Arc::strong_count(&desk.model), 2, "the question's copy is gone");
}

#[tokio::test]
async fn what_was_asked_goes_on_in_the_incident_it_is_merged_into() {
    let (desk, one) = with_incident().await;
    let other = app("cart");
    desk.cluster.upsert(all(&other, killed(&other, 3, -5)));
    let two = desk.until("second", || desk.incidents().into_iter().find(|i| i.id != one.id)).await;
    let (from, into) = (IncidentKey::Id(two.id), IncidentKey::Id(one.id));
    let asked = desk.engine.ask(from.clone(), "Why?", By::Rules, &Steps::default()).await.unwrap();
    desk.engine.merge(into.clone(), vec![from.clone()]).await.unwrap();
    assert_eq!(desk.engine.exchanges(from).await.unwrap(), []);
    let carried = desk.engine.exchanges(into.clone()).await.unwrap();
    assert_eq!(carried.len(), 1);
    let target = desk.engine.incident(into.clone()).await.unwrap();
    let key_of = |incident: &Incident, id: &str| incident.evidence_by_id(id).map(|e| e.draft.key.clone());
    let (was, is) = (&asked.answer.statements[0].cites[0], &carried[0].answer.statements[0].cites[0]);
    assert_eq!(key_of(&target, is), key_of(&two, was), "it cites the same item");
    assert!(key_of(&target, is).is_some());
    desk.engine.delete(into.clone()).await.unwrap();
    assert!(desk.engine.exchanges(into).await.is_err(), "they went with it");
}
