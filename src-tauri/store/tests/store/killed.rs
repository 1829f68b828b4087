//! A process that is killed loses nothing it acknowledged.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

use afterwatch_core::port::{Store, store::IncidentKey};

use crate::sample::{at, incident, open, place, saved};

/// What the child of the next test does until it is killed: one line for each acknowledged version.
#[test]
fn child_that_types_notes() {
    let Ok(path) = std::env::var("AFTERWATCH_TEST_NOTES") else { return };
    let store = open(Path::new(&path));
    let id = store.incident(&IncidentKey::Number(1)).unwrap().id;
    let mut version = store.notes(id).unwrap().version;
    let mut out = std::io::stdout();
    loop {
        let notes = store.save_notes(id, &format!("typed {}", version + 1), at(version as i64)).unwrap();
        version = notes.version;
        writeln!(out, "acknowledged {version}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn a_killed_process_loses_no_note_it_acknowledged() {
    let (_folder, path) = place();
    let id = saved(&open(&path), incident()).id;
    let mut acknowledged = 0;
    for round in 1..=8 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::child_that_types_notes", "--nocapture"])
            .env("AFTERWATCH_TEST_NOTES", &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut read = |acknowledged: &mut u64| -> bool {
            let Some(Ok(line)) = lines.next() else { return false };
            if let Some(version) = line.strip_prefix("acknowledged ") {
                *acknowledged = version.parse().unwrap();
            }
            true
        };
        let target = acknowledged + 10 * round;
        while acknowledged < target && read(&mut acknowledged) {}
        child.kill().unwrap();
        child.wait().unwrap();
        // What was still in the pipe was acknowledged, too.
        while read(&mut acknowledged) {}
        assert!(acknowledged >= target, "the child ended early at {acknowledged}");

        let store = open(&path);
        let notes = store.notes(id).unwrap();
        assert!(notes.version >= acknowledged, "{} of {acknowledged} are there", notes.version);
        assert_eq!(notes.text, format!("typed {}", notes.version));
        let history = store.notes_history(id).unwrap();
        let expected: Vec<u64> = (1..notes.version).rev().collect();
        assert_eq!(history.iter().map(|n| n.version).collect::<Vec<_>>(), expected);
        acknowledged = notes.version;
    }
}
