//! Making, opening, closing and backing up.

use std::{fs, path::Path};

use afterwatch_core::port::{Store, store::IncidentKey};
use afterwatch_store::{Options, SqliteStore};
use rusqlite::Connection;

use crate::sample::{at, incident, newest_format, open, place, quick, saved};

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[cfg(unix)]
#[test]
fn everything_that_is_made_is_for_this_user_only() {
    let (folder, _) = place();
    let home = folder.path().join("data/afterwatch");
    let path = home.join("history.db");
    let store = SqliteStore::open_with(&path, &Options { ballast: 4096, ..quick() }).unwrap();
    let one = saved(&store, incident());
    store.save_notes(one.id, "a note", at(0)).unwrap();
    let copy = store.backup(&home.join("backups")).unwrap();
    assert_eq!((mode(&folder.path().join("data")), mode(&home)), (0o700, 0o700));
    assert_eq!(mode(copy.parent().unwrap()), 0o700);
    assert_eq!(mode(&copy), 0o600);
    let files = ["history.db", "history.db-ballast", "history.db-open", "history.db-shm", "history.db-wal"];
    assert_eq!(names(&home)[1..], files);
    for file in files {
        assert_eq!(mode(&home.join(file)), 0o600, "{file}");
    }
    drop(store);
    assert_eq!(names(&home)[1..], files[..3], "closed cleanly");
}

#[cfg(unix)]
#[test]
fn a_folder_that_was_there_keeps_its_rights_and_a_loose_file_loses_them() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = place();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    drop(open(&path));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    drop(open(&path));
    assert_eq!((mode(folder.path()), mode(&path)), (0o755, 0o600));
}

#[test]
fn a_new_database_has_the_newest_format_and_is_set_up_for_two_processes() {
    let (folder, path) = place();
    let store = open(&path);
    let other = Connection::open(&path).unwrap();
    let ask = |pragma: &str| -> String {
        let value: rusqlite::types::Value = other.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).unwrap();
        format!("{value:?}")
    };
    assert_eq!(ask("user_version"), format!("Integer({})", newest_format()));
    assert_eq!(ask("application_id"), format!("Integer({})", 0x4146_5457));
    assert_eq!(ask("journal_mode"), "Text(\"wal\")");
    assert_eq!(ask("auto_vacuum"), "Integer(2)");
    assert_eq!(ask("integrity_check"), "Text(\"ok\")");
    assert!(!folder.path().join("backups").exists(), "there was nothing to back up");
    assert_eq!(store.path(), path.display().to_string());
    assert!(store.size_bytes() > 0);
}

#[test]
fn a_database_in_memory_works_like_one_on_disk() {
    let store = SqliteStore::open_in_memory().unwrap();
    let one = saved(&store, incident());
    assert_eq!(store.incident(&IncidentKey::Number(1)).unwrap(), one);
    assert_eq!((store.path().as_str(), store.size_bytes()), (":memory:", 0));
    assert!(store.backup(Path::new("/nowhere")).is_err());
}

#[test]
fn a_backup_opens_as_a_database_of_its_own_and_five_are_kept() {
    let (folder, path) = place();
    let store = open(&path);
    let one = saved(&store, incident());
    store.save_notes(one.id, "a note", at(0)).unwrap();
    let backups = folder.path().join("backups");
    fs::create_dir(&backups).unwrap();
    fs::write(backups.join("history-mine.db"), "not ours").unwrap();
    fs::write(backups.join("history-20200101T000000Z.db"), "the oldest").unwrap();
    let copies: Vec<_> = (0..6).map(|_| store.backup(&backups).unwrap()).collect();
    let kept = names(&backups);
    assert_eq!(kept.len(), 6, "{kept:?}");
    assert!(kept.contains(&"history-mine.db".to_owned()), "{kept:?}");
    let copy = open(copies.last().unwrap());
    assert_eq!(copy.incident(&IncidentKey::Number(1)).unwrap(), one);
    assert_eq!(copy.notes(one.id).unwrap().text, "a note");
}

#[test]
fn a_checkpoint_folds_the_log_in() {
    let (folder, path) = place();
    let store = open(&path);
    saved(&store, incident());
    let log = folder.path().join("history.db-wal");
    assert!(fs::metadata(&log).unwrap().len() > 0);
    store.checkpoint().unwrap();
    assert_eq!(fs::metadata(&log).unwrap().len(), 0);
}
