//! Incidents come back as they were saved, in order, and are found again.

use afterwatch_core::{
    evidence::Observed,
    incident::{Incident, IncidentId, State},
    port::{
        Store, StoreError,
        store::{IncidentKey, IncidentQuery, Saved},
    },
    postmortem::{Edit, Origin},
    severity::Severity,
    timeline::EntryKind,
};
use afterwatch_store::SqliteStore;
use proptest::prelude::*;
use uuid::Uuid;

use crate::sample::{at, change, entry, evidence, incident, object, open, place, saved};

#[test]
fn an_incident_with_every_field_comes_back_equal() {
    let (_folder, path) = place();
    let written = saved(&open(&path), incident());
    assert_eq!((written.number, written.revision), (1, 1));
    // Another process, later.
    let store = open(&path);
    assert_eq!(store.incident(&IncidentKey::Id(written.id)).unwrap(), written);
    assert_eq!(store.incidents(&IncidentQuery::default()).unwrap(), [written]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_and_time_comes_back_equal(
        title in any::<String>(),
        excerpt in any::<String>(),
        note in any::<String>(),
        namespace in proptest::option::of(any::<String>()),
        seconds in -62_135_596_800_i64..253_402_207_200,
        nanoseconds in 0..1_000_000_000_i32,
        count in any::<u32>(),
    ) {
        let store = SqliteStore::open_in_memory().unwrap();
        let mut one = incident();
        one.title = title;
        one.subject.namespace = namespace;
        one.started_at = jiff::Timestamp::new(seconds, nanoseconds).ok();
        one.findings[0].count = count;
        one.evidence[0].draft.excerpt = excerpt;
        one.timeline[0].text = note.clone();
        let one = saved(&store, one);
        prop_assert_eq!(store.incident(&IncidentKey::Number(1)).unwrap(), one.clone());
        store.save_notes(one.id, &note, at(0)).unwrap();
        prop_assert_eq!(store.notes(one.id).unwrap().text, note);
    }
}

#[test]
fn a_changed_incident_is_rewritten_and_what_is_gone_from_its_lists_is_gone() {
    let store = SqliteStore::open_in_memory().unwrap();
    let mut one = incident();
    one.findings.push(one.findings[0].clone());
    let mut one = saved(&store, one);
    one.title = "checkout is ready again".into();
    one.state = State::Resolved;
    one.severity = Severity::Low;
    one.resolved_at = Some(at(900));
    one.acknowledged_at = None;
    one.findings.pop();
    one.findings[0].active = false;
    one.changes[0].suspect = false;
    one.causes.clear();
    one.evidence.push(evidence(3, "Ready", "3 of 3"));
    one.timeline.push(entry(3, "Resolved"));
    let one = saved(&store, one);
    assert_eq!((one.number, one.revision), (1, 2));
    assert_eq!(store.incident(&IncidentKey::Number(1)).unwrap(), one);
}

#[test]
fn an_incident_that_was_written_before_there_was_a_graph_is_read() {
    let (_folder, path) = place();
    let store = open(&path);
    let one = saved(&store, incident());
    assert!(one.graph.is_some());
    assert_eq!(store.incident(&IncidentKey::Id(one.id)).unwrap().graph, one.graph);
    let other = rusqlite::Connection::open(&path).unwrap();
    assert_eq!(other.execute("UPDATE incidents SET body = json_remove(body, '$.graph')", []).unwrap(), 1);
    assert_eq!(store.incident(&IncidentKey::Id(one.id)).unwrap(), Incident { graph: None, ..one });
}

#[test]
fn evidence_and_timeline_keep_what_was_first_written() {
    let store = SqliteStore::open_in_memory().unwrap();
    let first = saved(&store, incident());
    let mut forged = first.clone();
    forged.evidence[0].draft.excerpt = "something else".into();
    forged.evidence.remove(1);
    forged.timeline[0].text = "it never happened".into();
    forged.timeline[1].observed = Observed::Live;
    saved(&store, forged);
    let kept = store.incident(&IncidentKey::Id(first.id)).unwrap();
    assert_eq!(kept.evidence, first.evidence);
    assert_eq!(kept.timeline, first.timeline);
}

#[test]
fn only_the_entry_that_says_when_it_started_may_move() {
    let store = SqliteStore::open_in_memory().unwrap();
    let mut one = incident();
    one.timeline[1].label = Some("started".into());
    let mut one = saved(&store, one);
    one.timeline[1].at = at(-500);
    one.timeline[1].evidence.push("E2".into());
    let one = saved(&store, one);
    assert_eq!(store.incident(&IncidentKey::Id(one.id)).unwrap().timeline, one.timeline);
    let mut forged = one.clone();
    forged.timeline[0].label = Some("started".into());
    saved(&store, forged);
    assert_eq!(store.incident(&IncidentKey::Id(one.id)).unwrap().timeline, one.timeline);
}

#[test]
fn which_change_set_it_off_may_be_seen_otherwise_later() {
    let store = SqliteStore::open_in_memory().unwrap();
    let mut one = incident();
    for (entry, label) in one.timeline.iter_mut().zip([Some("trigger"), None]) {
        (entry.kind, entry.label) = (EntryKind::Change, label.map(str::to_owned));
    }
    let mut one = saved(&store, one);
    let kept = |one: &Incident| store.incident(&IncidentKey::Id(one.id)).unwrap().timeline;
    one.timeline[0].label = None;
    one.timeline[1].label = Some("trigger".into());
    let one = saved(&store, one);
    assert_eq!(kept(&one), one.timeline);
    // Nothing else of them, and no other label.
    let mut forged = one.clone();
    (forged.timeline[0].label, forged.timeline[0].text) = (Some("trigger".into()), "it never happened".into());
    let forged = saved(&store, forged);
    assert_eq!(kept(&one), one.timeline);
    let other = Incident { timeline: one.timeline.clone(), ..forged };
    let mut other = saved(&store, other);
    other.timeline[0].label = Some("resolved".into());
    assert!(store.save(std::slice::from_ref(&other), &[], &[]).is_err());
    assert_eq!(kept(&one), one.timeline);
}

#[test]
fn writing_over_a_newer_copy_is_refused_and_leaves_the_others_of_the_batch_alone() {
    let store = SqliteStore::open_in_memory().unwrap();
    let read = saved(&store, incident());
    let newer = saved(&store, Incident { title: "by somebody else".into(), ..read.clone() });
    let mut mine = read;
    mine.title = "mine".into();
    mine.evidence.push(evidence(9, "must not be written", ""));
    let outcome = store.save(&[mine, incident()], &[], &[]).unwrap();
    assert_eq!(outcome[0], Saved::Conflict(Box::new(newer.clone())));
    assert_eq!(outcome[1], Saved::Written { number: 2, revision: 3 });
    assert_eq!(store.incident(&IncidentKey::Number(1)).unwrap(), newer);
}

#[test]
fn numbers_count_up_and_one_brought_along_is_kept_while_it_is_free() {
    let store = SqliteStore::open_in_memory().unwrap();
    assert_eq!(saved(&store, incident()).number, 1);
    assert_eq!(saved(&store, Incident { number: 40, ..incident() }).number, 40);
    assert_eq!(saved(&store, Incident { number: 40, ..incident() }).number, 41);
    assert_eq!(saved(&store, incident()).number, 42);
}

#[test]
fn incidents_are_found_by_number_id_and_beginning_of_the_id() {
    let store = SqliteStore::open_in_memory().unwrap();
    let with_id = |id: &str| Incident { id: IncidentId(Uuid::parse_str(id).unwrap()), ..incident() };
    let one = saved(&store, with_id("aaaa1111-0000-7000-8000-000000000001"));
    let two = saved(&store, with_id("aaaa2222-0000-7000-8000-000000000002"));
    let find = |said: &str| store.incident(&IncidentKey::parse(said));
    assert_eq!(find("INC-2").unwrap(), two);
    assert_eq!(find("aaaa1").unwrap(), one);
    assert_eq!(find(&two.id.to_string()).unwrap(), two);
    assert_eq!(find("AAAA"), Err(StoreError::Ambiguous("aaaa".into())));
    assert_eq!(find("7"), Err(StoreError::NoIncident("INC-7".into())));
    assert_eq!(find("18446744073709551615"), Err(StoreError::NoIncident("INC-18446744073709551615".into())));
    assert_eq!(find("%"), Err(StoreError::NoIncident("%".into())));
    assert_eq!(find(""), Err(StoreError::NoIncident(String::new())));
}

#[test]
fn lists_are_newest_first_and_narrowed_by_every_condition() {
    let store = SqliteStore::open_in_memory().unwrap();
    let old = saved(
        &store,
        Incident { state: State::Resolved, detected_at: at(0), resolved_at: Some(at(500)), ..incident() },
    );
    let open = saved(&store, Incident { detected_at: at(1000), cluster_uid: "other".into(), ..incident() });
    let mut elsewhere = Incident { detected_at: at(900), cluster: "staging".into(), ..incident() };
    elsewhere.subject = object("Namespace", None, "payments");
    elsewhere.findings.clear();
    elsewhere.causes.clear();
    let elsewhere = saved(&store, elsewhere);
    let numbers =
        |query: IncidentQuery| -> Vec<u64> { store.incidents(&query).unwrap().iter().map(|i| i.number).collect() };
    let all = IncidentQuery::default;
    assert_eq!(numbers(all()), [open.number, elsewhere.number, old.number]);
    assert_eq!(numbers(IncidentQuery { open: true, ..all() }), [open.number, elsewhere.number]);
    assert_eq!(numbers(IncidentQuery { since: Some(at(501)), ..all() }), [open.number, elsewhere.number]);
    assert_eq!(numbers(IncidentQuery { since: Some(at(500)), ..all() }).len(), 3);
    assert_eq!(numbers(IncidentQuery { clusters: vec!["staging".into(), "x".into()], ..all() }), [elsewhere.number]);
    assert_eq!(numbers(IncidentQuery { cluster_uid: Some("other".into()), ..all() }), [open.number]);
    assert_eq!(numbers(IncidentQuery { namespaces: vec!["payments".into()], ..all() }), [elsewhere.number]);
    // By the cause's referrer, which lies in another namespace than the subject.
    assert_eq!(numbers(IncidentQuery { namespaces: vec!["storefront".into()], ..all() }), [open.number, old.number]);
    assert_eq!(numbers(IncidentQuery { limit: Some(1), offset: 1, ..all() }), [elsewhere.number]);
    for query in ["shop", "payments", "nothing"] {
        let by_core: Vec<u64> =
            [&open, &elsewhere, &old].iter().filter(|i| i.touches(query)).map(|i| i.number).collect();
        assert_eq!(numbers(IncidentQuery { namespaces: vec![query.into()], ..all() }), by_core);
    }
}

#[test]
fn changes_since_a_revision_name_each_incident_once_with_its_newest_write() {
    let store = SqliteStore::open_in_memory().unwrap();
    let one = saved(&store, incident());
    let two = saved(&store, incident());
    let two = saved(&store, two);
    assert_eq!(store.revision().unwrap(), 3);
    assert_eq!(store.changed_since(0).unwrap(), [(one.id, 1), (two.id, 3)]);
    assert_eq!(store.changed_since(1).unwrap(), [(two.id, 3)]);
    store.save_notes(one.id, "typed", at(0)).unwrap();
    store.save_draft(one.id, &Edit { markdown: Some("# Draft"), origin: Origin::Typed, by: "mara" }, at(0)).unwrap();
    assert_eq!(store.changed_since(3).unwrap(), [(one.id, 5)]);
    assert_eq!(store.changed_since(u64::MAX).unwrap(), []);
    // Notes are a document of their own: whoever holds the incident may go on writing it.
    saved(&store, one);
}

#[test]
fn a_change_is_kept_once_per_cluster_however_often_it_is_seen() {
    let store = SqliteStore::open_in_memory().unwrap();
    let (early, late) = (change(10, "replicas 3 → 0"), change(20, "image a → b"));
    let of = |cluster: &str, change: &afterwatch_core::change::Change| (cluster.to_owned(), change.clone());
    store.save(&[], &[of("prod-eu", &early), of("prod-eu", &late), of("staging", &early)], &[]).unwrap();
    let revision = store.revision().unwrap();
    store.save(&[], &[of("prod-eu", &early)], &[]).unwrap();
    assert_eq!(store.revision().unwrap(), revision);
    assert_eq!(store.changes("prod-eu", at(0), at(100)).unwrap(), [late, early.clone()]);
    assert_eq!(store.changes("prod-eu", at(0), at(15)).unwrap(), [early]);
}
