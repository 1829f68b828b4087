//! Files that cannot be used: each its own error, and not a byte of them changed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use afterwatch_core::port::{
    Store, StoreError,
    store::{IncidentKey, IncidentQuery},
};
use afterwatch_store::SqliteStore;
use rusqlite::{Connection, config::DbConfig};

use crate::sample::{evidence, incident, newest_format, open, place, quick, saved};

/// Opening fails and leaves the file as it was.
fn refused(path: &Path) -> StoreError {
    let before = fs::read(path).unwrap();
    let error = SqliteStore::open_with(path, &quick()).unwrap_err();
    assert!(before == fs::read(path).unwrap(), "the file was changed");
    error
}

/// A database of some size, closed.
fn filled(path: &Path) {
    let store = open(path);
    let mut one = incident();
    one.evidence = (1..200).map(|n| evidence(n, "a line", &format!("{n} ").repeat(500))).collect();
    saved(&store, one);
}

/// A database as a killed process leaves it, in a folder of its own: the newest writes lie in the log.
fn killed(from: &Path, folder: &Path) -> PathBuf {
    let path = folder.join("killed.db");
    fs::copy(from, &path).unwrap();
    fs::copy(from.with_file_name("history.db-wal"), folder.join("killed.db-wal")).unwrap();
    path
}

fn damage(path: &Path, from: usize, to: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[from..to].fill(0xA5);
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_newer_format_is_refused_and_named() {
    let (_folder, path) = place();
    drop(open(&path));
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 7").unwrap();
    let said = path.display().to_string();
    assert_eq!(refused(&path), StoreError::Newer { path: said, found: 7, known: newest_format() });
}

#[test]
fn a_newer_format_is_also_seen_while_it_lies_in_the_log() {
    let (_folder, path) = place();
    drop(open(&path));
    let newer = Connection::open(&path).unwrap();
    newer.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    newer.execute_batch("PRAGMA user_version = 7").unwrap();
    assert!(matches!(refused(&path), StoreError::Newer { found: 7, .. }));
    drop(newer);
    assert!(matches!(refused(&path), StoreError::Newer { found: 7, .. }));
}

#[test]
fn what_is_no_database_is_called_damaged() {
    let (_folder, path) = place();
    for content in ["short", &"not a database at all. ".repeat(1000)] {
        fs::write(&path, content).unwrap();
        assert!(matches!(refused(&path), StoreError::Corrupt { .. }));
    }
}

#[test]
fn a_broken_header_is_called_damaged() {
    let (_folder, path) = place();
    filled(&path);
    damage(&path, 0, 16);
    assert!(matches!(refused(&path), StoreError::Corrupt { .. }));
}

#[test]
fn a_truncated_file_is_called_damaged() {
    let (_folder, path) = place();
    filled(&path);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(matches!(refused(&path), StoreError::Corrupt { .. }));
}

#[test]
fn damage_inside_is_found_after_a_kill() {
    let (folder, path) = place();
    filled(&path);
    let store = open(&path);
    store.set_setting("newest", &true.into()).unwrap();
    let path = killed(&path, folder.path());
    assert!(open(&path).setting("newest").unwrap().is_some(), "without damage it opens");
    let path = killed(&folder.path().join("history.db"), folder.path());
    let size = fs::metadata(&path).unwrap().len() as usize;
    damage(&path, size / 2, size / 2 + 64 * 1024);
    assert!(matches!(refused(&path), StoreError::Corrupt { .. }));
    assert!(matches!(refused(&path), StoreError::Corrupt { .. }), "and again the next time");
}

#[test]
fn damage_that_is_met_while_reading_is_called_so() {
    let (_folder, path) = place();
    filled(&path);
    let size = fs::metadata(&path).unwrap().len() as usize;
    damage(&path, 64 * 1024, size);
    let error = match SqliteStore::open_with(&path, &quick()) {
        Err(error) => error,
        Ok(store) => store.incidents(&IncidentQuery::default()).unwrap_err(),
    };
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

#[test]
fn an_incident_that_does_not_decode_is_named() {
    let (_folder, path) = place();
    let store = open(&path);
    saved(&store, incident());
    Connection::open(&path).unwrap().execute_batch("UPDATE incidents SET body = '{}'").unwrap();
    let error = store.incident(&IncidentKey::Number(1)).unwrap_err().to_string();
    assert!(error.contains("INC-1: missing field"), "{error}");
}

#[test]
fn another_programs_database_is_left_alone() {
    let (_folder, path) = place();
    for setup in ["CREATE TABLE history (x)", "PRAGMA user_version = 1", "PRAGMA application_id = 5"] {
        let _ = fs::remove_file(&path);
        Connection::open(&path).unwrap().execute_batch(&format!("CREATE TABLE t (x); {setup}")).unwrap();
        let error = refused(&path);
        assert!(error.to_string().contains("belongs to another program"), "{error}");
    }
}

#[test]
fn a_place_where_no_file_can_be_says_why() {
    let (folder, path) = place();
    fs::write(&path, "a file").unwrap();
    for place in [folder.path().to_owned(), path.join("history.db"), path.join("deeper/history.db")] {
        let error = SqliteStore::open_with(&place, &quick()).unwrap_err();
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    }
}

/// What the child of the next test does, since permissions mean nothing to root.
#[test]
fn child_that_opens_without_rights() {
    let Ok(path) = std::env::var("AFTERWATCH_TEST_READ_ONLY") else { return };
    let error = SqliteStore::open_with(Path::new(&path), &quick()).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    println!("refused as it should be");
}

#[cfg(unix)]
#[test]
fn a_file_or_folder_that_may_not_be_written_is_called_read_only() {
    use std::os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    };
    let (folder, path) = place();
    filled(&path);
    let before = fs::read(&path).unwrap();
    let is_root = fs::metadata(folder.path()).unwrap().uid() == 0;
    // A file that may only be read, in a folder that may be written; then the other way round; then no folder for a
    // new file.
    for (file, place) in [(0o444, 0o777), (0o666, 0o555), (0o444, 0o555)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(file)).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(place)).unwrap();
        for target in [path.clone(), folder.path().join("new/history.db")] {
            if target != path && place == 0o777 {
                continue;
            }
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", "bad_file::child_that_opens_without_rights", "--nocapture"]);
            child.env("AFTERWATCH_TEST_READ_ONLY", &target);
            if is_root {
                child.uid(65534).gid(65534);
            }
            let output = match child.output() {
                Ok(output) => output,
                Err(error) => return println!("skipped: the test cannot run as nobody ({error})"),
            };
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{file:o} {place:o} {}: {said}", target.display());
            assert!(said.contains("refused as it should be"), "{said}");
        }
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    assert!(before == fs::read(&path).unwrap());
    assert!(open(&path).incident(&IncidentKey::Number(1)).is_ok());
}
