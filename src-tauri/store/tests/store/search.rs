//! Full text.

use afterwatch_core::{
    incident::Incident,
    port::{Store, store::IncidentQuery},
};
use afterwatch_store::SqliteStore;
use proptest::prelude::*;

use crate::sample::{at, evidence, incident, saved};

fn found(store: &SqliteStore, text: &str) -> Vec<u64> {
    let query = IncidentQuery { search: Some(text.into()), ..IncidentQuery::default() };
    store.incidents(&query).unwrap().iter().map(|i| i.number).collect()
}

#[test]
fn an_incident_is_found_by_every_part_of_it() {
    let store = SqliteStore::open_in_memory().unwrap();
    let one = saved(&store, incident());
    saved(
        &store,
        Incident {
            title: "disk".into(),
            causes: vec![],
            evidence: vec![],
            timeline: vec![],
            subject: crate::sample::object("PersistentVolumeClaim", Some("db"), "data-0"),
            ..incident()
        },
    );
    store.save_notes(one.id, "The **Straße** was blocked, naïvely", at(0)).unwrap();
    for text in [
        "no ready pods",         // the title
        "shop checkout",         // the subject
        "384 MiB",               // a cause
        "exit code 137",         // evidence, its summary
        "OutOfMemoryError",      // evidence, its excerpt
        "checkout-5f8b97c6d-k2", // evidence, its object
        "killed for memory",     // the timeline
        "straße naive",          // the notes, without accents
        "INC-1",
        "137 blocked ready", // words of several parts
        "outofmem",          // the beginning of the last word
    ] {
        assert_eq!(found(&store, text), [1], "{text}");
    }
    assert_eq!(found(&store, "PersistentVolumeClaim data"), [2]);
    assert!(found(&store, "rea pods").is_empty(), "only the last word may be unfinished");
    assert!(found(&store, "elephants").is_empty());
    assert_eq!(found(&store, "  "), [2, 1], "blank text asks for nothing");
}

#[test]
fn the_index_follows_what_was_rewritten() {
    let store = SqliteStore::open_in_memory().unwrap();
    let one = saved(&store, incident());
    store.save_notes(one.id, "walrus", at(0)).unwrap();
    store.save_notes(one.id, "penguin", at(1)).unwrap();
    let one = saved(&store, Incident { title: "renamed".into(), ..one });
    assert!(found(&store, "walrus").is_empty());
    assert!(found(&store, "\"has no ready pods\"").is_empty());
    assert_eq!(found(&store, "penguin renamed"), [1]);
    let mut more = one;
    more.evidence.push(evidence(3, "late", "giraffe"));
    saved(&store, more);
    assert_eq!(found(&store, "giraffe heap"), [1]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn nothing_typed_is_a_syntax_error(text in "[\\PC\u{0}\"'*()^:+{}-]{0,24}|.{0,24}") {
        let store = SqliteStore::open_in_memory().unwrap();
        saved(&store, incident());
        let query = IncidentQuery { search: Some(text), ..IncidentQuery::default() };
        prop_assert!(store.incidents(&query).is_ok());
    }
}
