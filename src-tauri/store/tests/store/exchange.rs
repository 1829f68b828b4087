//! What was asked about an incident and answered.

use afterwatch_core::{
    incident::{Incident, IncidentId},
    ledger,
    port::{Store, StoreError, store::Saved},
    writing::{Author, Exchange, Standing, Statement, Writing},
};
use afterwatch_store::SqliteStore;
use uuid::Uuid;

use crate::sample::{at, evidence, incident, open, place};

fn statement(text: &str, cites: &[&str]) -> Statement {
    let cites = cites.iter().map(|id| (*id).to_owned()).collect();
    Statement { text: text.to_owned(), cites, standing: Standing::Tied }
}

fn exchange(second: i64, question: &str, statements: Vec<Statement>) -> Exchange {
    let author = Author::Model { name: "some model".into(), server: None };
    let answer = Writing { author, statements, actions: vec!["A1".into()], figures: None, instead: None };
    Exchange { id: Uuid::now_v7(), asked_at: at(second), question: question.to_owned(), answer }
}

/// Saves an incident and gives it back as it was written.
fn saved(store: &SqliteStore, mut incident: Incident) -> Incident {
    match store.save(std::slice::from_ref(&incident), &[], &[]).unwrap().pop() {
        Some(Saved::Written { number, revision }) => (incident.number, incident.revision) = (number, revision),
        other => panic!("{other:?}"),
    }
    incident
}

#[test]
fn questions_are_kept_in_the_order_they_were_asked_and_outlive_the_program() {
    let (_folder, path) = place();
    let (first, second) = (exchange(1, "Why?", vec![statement("So.", &["E1"])]), exchange(2, "Since when?", vec![]));
    let id = {
        let store = open(&path);
        let id = saved(&store, incident()).id;
        store.save_exchange(id, &second).unwrap();
        store.save_exchange(id, &first).unwrap();
        id
    };
    let store = open(&path);
    assert_eq!(store.exchanges(id).unwrap(), [first.clone(), second.clone()]);
    store.delete_exchange(id, first.id).unwrap();
    store.delete_exchange(id, first.id).unwrap();
    assert_eq!(store.exchanges(id).unwrap(), [second]);
}

#[test]
fn an_answer_belongs_to_an_incident_and_goes_with_it() {
    let store = SqliteStore::open_in_memory().unwrap();
    let nowhere = store.save_exchange(IncidentId(Uuid::now_v7()), &exchange(1, "Why?", vec![]));
    assert!(matches!(nowhere, Err(StoreError::NoIncident(_))), "{nowhere:?}");
    let (one, other) = (saved(&store, incident()), saved(&store, incident()));
    let asked = exchange(1, "Why?", vec![]);
    store.save_exchange(one.id, &asked).unwrap();
    store.delete_exchange(other.id, asked.id).unwrap();
    assert_eq!(store.exchanges(one.id).unwrap().len(), 1, "only its own incident forgets it");
    store.delete(one.id).unwrap();
    assert_eq!(store.exchanges(one.id).unwrap(), []);
}

#[test]
fn what_was_asked_goes_along_into_the_incident_it_became_a_part_of_under_its_ids() {
    let store = SqliteStore::open_in_memory().unwrap();
    let mut one = saved(&store, Incident { evidence: vec![evidence(1, "a log", "killed")], ..incident() });
    let mut other = saved(&store, Incident { evidence: vec![evidence(7, "another", "calm")], ..incident() });
    other.evidence[0].id = "E1".into();
    let asked = exchange(1, "Why?", vec![statement("It was killed.", &["E1"]), statement("Gone.", &["E9"])]);
    store.save_exchange(one.id, &asked).unwrap();
    ledger::merge_into(&mut one, &mut other, at(300));
    assert_eq!(other.evidence[1].draft.key, "key-1", "it has another number there");
    store.save_together(&[one.clone(), other.clone()]).unwrap();
    assert_eq!(store.exchanges(one.id).unwrap(), []);
    let carried = store.exchanges(other.id).unwrap();
    assert_eq!(carried.len(), 1);
    assert_eq!(carried[0].question, "Why?");
    assert_eq!(carried[0].answer.statements[0], statement("It was killed.", &["E2"]));
    let lost = &carried[0].answer.statements[1];
    assert!(lost.cites.is_empty() && matches!(lost.standing, Standing::NotEstablished(_)), "{lost:?}");
}
