//! Two processes, one file.

use std::{sync::Barrier, thread, time::Duration};

use afterwatch_core::{
    incident::Incident,
    port::{
        Store, StoreError,
        store::{IncidentKey, IncidentQuery, Saved},
    },
};
use afterwatch_store::{Options, SqliteStore};
use rusqlite::Connection;

use crate::sample::{at, incident, open, place, quick, saved};

#[test]
fn a_lock_held_by_another_program_is_named_and_reading_goes_on() {
    let (_folder, path) = place();
    let store = open(&path);
    let one = saved(&store, incident());
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let locked = StoreError::Locked { path: path.display().to_string(), seconds: 0 };
    assert_eq!(store.save_notes(one.id, "typed", at(0)), Err(locked.clone()));
    assert_eq!(store.save(std::slice::from_ref(&one), &[], &[]), Err(locked));
    assert_eq!(store.incident(&IncidentKey::Number(1)).unwrap(), one);
    assert_eq!(open(&path).incidents(&IncidentQuery::default()).unwrap().len(), 1, "opening needs no lock");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(store.save_notes(one.id, "typed", at(0)).unwrap().version, 1);
}

#[test]
fn a_short_lock_is_waited_for() {
    let (_folder, path) = place();
    let store = SqliteStore::open_with(&path, &Options { busy_timeout: Duration::from_secs(20), ..quick() }).unwrap();
    let one = saved(&store, incident());
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    thread::scope(|scope| {
        let writer = scope.spawn(|| store.save_notes(one.id, "typed", at(0)));
        thread::sleep(Duration::from_millis(200));
        other.execute_batch("ROLLBACK").unwrap();
        assert_eq!(writer.join().unwrap().unwrap().version, 1);
    });
}

#[test]
fn the_second_of_two_writers_learns_what_the_first_wrote() {
    let (_folder, path) = place();
    let (app, cli) = (open(&path), open(&path));
    let read = saved(&app, incident());
    let acknowledged = saved(&cli, Incident { title: "by the command line".into(), ..read.clone() });
    let outcome = app.save(&[Incident { title: "by the app".into(), ..read }], &[], &[]).unwrap();
    assert_eq!(outcome, [Saved::Conflict(Box::new(acknowledged.clone()))]);
    let merged = saved(&app, Incident { reopened: 3, ..acknowledged });
    assert_eq!(cli.incident(&IncidentKey::Number(1)).unwrap(), merged);
}

#[test]
fn the_data_version_tells_of_others_writes_and_not_of_our_own() {
    let (_folder, path) = place();
    let (app, cli) = (open(&path), open(&path));
    let before = app.data_version().unwrap();
    let one = saved(&app, incident());
    app.save_notes(one.id, "mine", at(0)).unwrap();
    assert_eq!(app.data_version().unwrap(), before);
    cli.save_notes(one.id, "theirs", at(1)).unwrap();
    let after = app.data_version().unwrap();
    assert_ne!(after, before);
    assert_eq!(app.data_version().unwrap(), after);
    assert_eq!(app.notes(one.id).unwrap().text, "theirs");
}

#[test]
fn a_fresh_database_may_be_made_by_many_at_the_same_moment() {
    let (_folder, path) = place();
    let start = Barrier::new(6);
    let patient = Options { busy_timeout: Duration::from_secs(30), ballast: 4096 };
    thread::scope(|scope| {
        let openers: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    let store = SqliteStore::open_with(&path, &patient).unwrap();
                    (0..10).map(|_| saved(&store, incident()).number).collect::<Vec<_>>()
                })
            })
            .collect();
        let mut numbers: Vec<u64> = openers.into_iter().flat_map(|o| o.join().unwrap()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=60).collect::<Vec<_>>());
    });
    assert_eq!(open(&path).revision().unwrap(), 60);
}

#[test]
fn copies_made_at_the_same_moment_have_names_of_their_own() {
    let (folder, path) = place();
    saved(&open(&path), incident());
    let (start, backups) = (Barrier::new(4), folder.path().join("backups"));
    let copies: Vec<_> = thread::scope(|scope| {
        let makers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let store = open(&path);
                    start.wait();
                    store.backup(&backups).unwrap()
                })
            })
            .collect();
        makers.into_iter().map(|m| m.join().unwrap()).collect()
    });
    let names: std::collections::BTreeSet<_> = copies.iter().collect();
    assert_eq!(names.len(), 4);
    assert!(copies.iter().all(|copy| open(copy).revision().unwrap() == 1));
    let left =
        std::fs::read_dir(&backups).unwrap().flatten().filter(|e| e.path().extension().is_some_and(|x| x == "tmp"));
    assert_eq!(left.count(), 0);
}
