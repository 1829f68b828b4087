//! Lists without what is recorded, deleting, letting go of what is old.

use afterwatch_core::{
    incident::{Head, Incident, State},
    port::{
        Store, StoreError,
        store::{IncidentKey, IncidentQuery, Pruning, Saved},
    },
    severity::Severity,
};
use afterwatch_store::SqliteStore;

use crate::sample::{at, change, incident, saved, span};

fn store() -> SqliteStore {
    SqliteStore::open_in_memory().unwrap()
}

#[test]
fn a_head_is_the_incident_without_what_is_recorded_under_it() {
    let store = store();
    let whole = saved(&store, incident());
    let heads = store.heads(&IncidentQuery::default()).unwrap();
    assert_eq!(heads, [Head::from(&whole)]);
}

#[test]
fn incidents_are_counted_as_they_are_listed() {
    let store = store();
    saved(&store, incident());
    saved(&store, Incident { severity: Severity::Low, state: State::Resolved, ..incident() });
    let count = |query: IncidentQuery| (store.count(&query).unwrap(), store.heads(&query).unwrap().len());
    assert_eq!(count(IncidentQuery::default()), (2, 2));
    assert_eq!(count(IncidentQuery { severity: Some(Severity::Low), ..IncidentQuery::default() }), (1, 1));
    assert_eq!(count(IncidentQuery { search: Some("heap".into()), ..IncidentQuery::default() }), (2, 2));
    assert_eq!(count(IncidentQuery { search: Some("kafka".into()), ..IncidentQuery::default() }), (0, 0));
    assert_eq!(store.count(&IncidentQuery { limit: Some(1), ..IncidentQuery::default() }).unwrap(), 2);
}

#[test]
fn the_history_says_since_when_it_reaches() {
    let store = store();
    assert_eq!(store.extent().unwrap(), Default::default());
    let one = saved(&store, incident());
    assert_eq!(store.extent().unwrap().since, Some(one.detected_at));
    store.save(&[], &[], &[span("pods", -500, 0, None)]).unwrap();
    let extent = store.extent().unwrap();
    assert_eq!((extent.since, extent.clusters), (Some(at(-500)), vec!["prod-eu".to_owned()]));
}

#[test]
fn a_deleted_incident_takes_everything_with_it_and_its_number_is_not_given_again() {
    let store = store();
    let one = saved(&store, incident());
    store.save_notes(one.id, "written by hand", at(5)).unwrap();
    store.delete(one.id).unwrap();
    assert!(matches!(store.incident(&IncidentKey::Id(one.id)), Err(StoreError::NoIncident(_))));
    assert!(matches!(store.delete(one.id), Err(StoreError::NoIncident(_))));
    for word in ["heap", "hand"] {
        let query = IncidentQuery { search: Some(word.into()), ..IncidentQuery::default() };
        assert_eq!(store.count(&query).unwrap(), 0, "{word} is forgotten");
    }
    let late = store.save(std::slice::from_ref(&one), &[], &[]).unwrap();
    assert_eq!(late, [Saved::Gone], "who still holds a copy does not bring it back");
    assert_eq!(saved(&store, incident()).number, one.number + 1);
}

#[test]
fn incidents_are_written_together_or_not_at_all() {
    let store = store();
    let (one, two) = (saved(&store, incident()), saved(&store, incident()));
    let newer = saved(&store, Incident { title: "newer".into(), ..two.clone() });
    let (mine, stale) = (Incident { title: "mine".into(), ..one.clone() }, Incident { title: "stale".into(), ..two });
    assert!(matches!(store.save_together(&[mine.clone(), stale]), Err(StoreError::Conflict)));
    assert_eq!(store.incident(&IncidentKey::Id(one.id)).unwrap().title, one.title);
    store.save_together(&[mine, Incident { title: "together".into(), ..newer }]).unwrap();
    assert_eq!(store.incident(&IncidentKey::Id(one.id)).unwrap().title, "mine");
}

#[test]
fn old_excerpts_go_and_what_they_were_stays() {
    let store = store();
    let old = saved(&store, Incident { state: State::Resolved, resolved_at: Some(at(300)), ..incident() });
    let open = saved(&store, incident());
    let older = Pruning { evidence_before: Some(at(301)), changes_before: None };
    assert_eq!(store.prune(&older).unwrap().excerpts, 2);
    assert_eq!(store.prune(&older).unwrap().excerpts, 0, "once is enough");
    let kept = store.incident(&IncidentKey::Id(old.id)).unwrap();
    for (before, after) in old.evidence.iter().zip(&kept.evidence) {
        assert_eq!((&before.id, &before.draft.summary), (&after.id, &after.draft.summary));
        assert!(after.draft.excerpt.contains("removed") && after.draft.truncated);
    }
    assert_eq!(kept.timeline, old.timeline);
    assert_eq!(store.incident(&IncidentKey::Id(open.id)).unwrap().evidence, open.evidence);
    let found = IncidentQuery { search: Some("OutOfMemoryError".into()), ..IncidentQuery::default() };
    assert_eq!(store.count(&found).unwrap(), 1, "what is gone is not found any more");
}

#[test]
fn old_changes_go() {
    let store = store();
    let changes = [-100, 100].map(|s| ("prod-eu".to_owned(), change(s, "image a → b")));
    store.save(&[], &changes, &[]).unwrap();
    let older = Pruning { evidence_before: None, changes_before: Some(at(0)) };
    assert_eq!(store.prune(&older).unwrap().changes, 1);
    assert_eq!(store.changes("prod-eu", at(-1000), at(1000)).unwrap().len(), 1);
}
