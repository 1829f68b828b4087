//! The database: missing, locked, newer, damaged, somebody else's. It is never repaired, replaced or emptied.

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::json;

use crate::{
    afterwatch::Home,
    server::{Reply, Server, broken_pod, items_of},
};

/// A home with a database that holds one incident.
pub fn recorded(database: &Path) -> (Server, Home) {
    let server = Server::plain(|request| {
        let list = request.path == "/api/v1/pods" && !request.watches();
        list.then(|| -> Reply { items_of(&[broken_pod("checkout", "Back-off pulling image")]) })
    });
    let home = Home::with_kubeconfig(&server.kubeconfig());
    let ended = home.run(&["scan", "-o", "json", "--db", &database.display().to_string()]);
    assert_eq!(ended.code, Some(3), "{ended:#?}");
    (server, home)
}

fn in_home(name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    (folder, path)
}

/// Every command that would read or write the history.
fn touching(database: &str) -> Vec<Vec<&str>> {
    vec![
        vec!["incidents", "--db", database],
        vec!["incident", "1", "--db", database],
        vec!["ack", "1", "--db", database],
        vec!["report", "1", "--db", database],
        vec!["silence", "-n", "shop", "--db", database],
        vec!["watch", "--for", "2s", "-o", "json", "--db", database],
    ]
}

#[test]
fn a_mistyped_database_is_not_made() {
    let home = Home::new();
    home.run(&["incidents", "--db", "typo.db"]).failed(&["no database at typo.db", "--db"]);
    assert!(!home.path("typo.db").exists());
}

#[test]
fn a_folder_is_no_database() {
    let home = Home::new();
    let folder = home.folder.path().display().to_string();
    home.run(&["incidents", "--db", &folder]).failed(&[&folder, "folder"]);
}

#[test]
fn files_that_are_no_database_are_refused_and_left_as_they_are() {
    let header = |application: u32| {
        let mut bytes = b"SQLite format 3\0".to_vec();
        bytes.resize(4096, 0);
        bytes[16..20].copy_from_slice(&[0x10, 0, 1, 1]);
        bytes[60..64].copy_from_slice(&7u32.to_be_bytes());
        bytes[68..72].copy_from_slice(&application.to_be_bytes());
        bytes
    };
    for (bytes, words) in [
        (b"this is a letter to my mother, not a database; she would not like to lose it. ".repeat(3), "damaged"),
        (b"short".to_vec(), "damaged"),
        (header(0x1234_5678), "another program"),
    ] {
        let (_folder, path) = in_home("letter.db");
        std::fs::write(&path, &bytes).unwrap();
        let (server, database) = (Server::usual(), path.display().to_string());
        let home = Home::with_kubeconfig(&server.kubeconfig());
        for command in touching(&database) {
            home.run(&command).failed(&[&database, words]);
        }
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "the file was changed");
    }
}

#[test]
fn a_newer_database_is_refused_and_left_as_it_is() {
    let (_folder, path) = in_home("newer.db");
    let (_server, home) = recorded(&path);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[60..64].copy_from_slice(&9999u32.to_be_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let database = path.display().to_string();
    for command in touching(&database) {
        home.run(&command).failed(&[&database, "newer Afterwatch", "9999", "Update"]);
    }
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "the file was changed");
}

#[test]
fn a_damaged_database_is_told_and_left_as_it_is() {
    let (_folder, path) = in_home("damaged.db");
    let (_server, home) = recorded(&path);
    let mut bytes = std::fs::read(&path).unwrap();
    // The first page stays, so that it looks like a database; everything behind it is noise.
    for (i, byte) in bytes.iter_mut().enumerate().skip(4096) {
        *byte = (i * 37 % 251) as u8;
    }
    std::fs::write(&path, &bytes).unwrap();
    let database = path.display().to_string();
    for command in [vec!["incidents", "--db", &database], vec!["incident", "1", "--db", &database]] {
        home.run(&command).failed(&[&database, "damaged"]);
    }
    let now = std::fs::read(&path).unwrap();
    assert_eq!(now[4096..], bytes[4096..], "the file was changed");
}

#[test]
fn a_locked_database_is_waited_for_and_then_told() {
    let (_folder, path) = in_home("locked.db");
    let (_server, home) = recorded(&path);
    // Any program that writes it alone holds such a lock over the bytes SQLite locks.
    let file = File::options().read(true).write(true).open(&path).unwrap();
    rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let database = path.display().to_string();
    let ended = home.run(&["ack", "1", "--db", &database]);
    ended.failed(&[&database, "locked", "wait and try again"]);
    assert!(ended.took > Duration::from_secs(1), "it was not waited for: {ended:#?}");
    drop(file);
    let ended = home.run(&["ack", "1", "--db", &database]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn of_two_who_edit_the_notes_at_once_neither_loses_a_word() {
    let (_folder, path) = in_home("shared.db");
    let (_server, home) = recorded(&path);
    let database = path.display().to_string();
    let words = ["notes", "1", "--edit", "--db", &database];
    let slow = home
        .script("slow", "echo 'from the slow one' > \"$1\"\ntouch typed\nwhile [ ! -e saved ]; do sleep 0.05; done");
    let quick = home.script("quick", "echo 'from the quick one' > \"$1\"");
    let slow = home.env("EDITOR", slow).start(&words);
    wait_for(&home.path("typed"));
    let quick = home.env("EDITOR", quick).run(&words);
    assert_eq!(quick.code, Some(0), "{quick:#?}");
    home.write("saved", "");
    let slow = slow.end();
    slow.failed(&["another window or command", "kept in"]);
    assert_eq!(std::fs::read_to_string(kept(&slow.stderr)).unwrap(), "from the slow one\n");
    assert_eq!(home.run(&["notes", "1", "--db", &database]).stdout, "from the quick one\n");
}

#[test]
fn an_empty_note_is_refused() {
    let (_folder, path) = in_home("notes.db");
    let (_server, home) = recorded(&path);
    let database = path.display().to_string();
    home.run_with(&["note", "1", "-", "--db", &database], " \n").failed(&["empty"]);
    home.run(&["note", "99", "text", "--db", &database]).failed(&["no incident INC-99", "incidents"]);
}

#[test]
fn an_editor_that_fails_costs_nothing_that_was_typed() {
    let (_folder, path) = in_home("notes.db");
    let (_server, home) = recorded(&path);
    let database = path.display().to_string();
    let editor = home.script("editor", "echo typed words > \"$1\"; exit 3");
    let home = home.env("EDITOR", &editor);
    let ended = home.run(&["notes", "1", "--edit", "--db", &database]);
    ended.failed(&["not saved", "kept in"]);
    assert_eq!(std::fs::read_to_string(kept(&ended.stderr)).unwrap(), "typed words\n");
    let home = home.env("EDITOR", "/nonexistent/editor");
    home.run(&["notes", "1", "--edit", "--db", &database]).told(1, &["/nonexistent/editor"]);
}

#[test]
fn what_was_recorded_survives_a_killed_watch() {
    let (_folder, path) = in_home("killed.db");
    let (_server, home) = recorded(&path);
    let database = path.display().to_string();
    let mut watch = home.start(&["watch", "--db", &database]);
    watch.says("Watching stub");
    std::thread::sleep(Duration::from_secs(1));
    watch.signal("KILL");
    watch.end();
    let ended = home.run(&["incidents", "-o", "json", "--db", &database]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.document()["incidents"][0]["number"], json!(1));
}

/// The file that a message says a text is kept in.
pub fn kept(message: &str) -> PathBuf {
    let behind = message.split("kept in ").nth(1).unwrap_or_else(|| panic!("nothing was kept: {message}"));
    PathBuf::from(behind.split_whitespace().next().unwrap_or_default().trim_end_matches('.'))
}

fn wait_for(path: &Path) {
    for _ in 0..600 {
        if path.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{} did not come", path.display());
}
