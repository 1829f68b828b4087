//! Formats of the database, by `PRAGMA user_version`.

use std::path::Path;

use afterwatch_core::port::StoreError;
use rusqlite::{Connection, TransactionBehavior};

use crate::{
    backup,
    error::{Fail, Place},
};

/// The steps from nothing to the newest format. Released ones are never edited.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_history.sql"),
    include_str!("../migrations/0002_assistant.sql"),
    include_str!("../migrations/0003_postmortem.sql"),
    include_str!("../migrations/0004_trigger.sql"),
];

/// The format of the file; 0 while it is empty.
pub(crate) fn format(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Refuses a file from a newer program.
pub(crate) fn refuse_newer(connection: &Connection, place: &Place, migrations: &[&str]) -> Result<(), Fail> {
    let (found, known) = (format(connection)?, migrations.len() as u32);
    if found > known {
        return Err(StoreError::Newer { path: place.path.clone(), found, known }.into());
    }
    Ok(())
}

/// Brings the database to the newest format, each step in one transaction. A file with something in it is backed up
/// first.
pub(crate) fn migrate(
    connection: &mut Connection,
    place: &Place,
    file: Option<&Path>,
    migrations: &[&str],
) -> Result<(), Fail> {
    refuse_newer(connection, place, migrations)?;
    let found = format(connection)?;
    if found == migrations.len() as u32 {
        return Ok(());
    }
    if let Some(file) = file.filter(|_| found > 0) {
        let folder = file.parent().unwrap_or(Path::new("")).join("backups");
        let copy = backup::write(file, &folder, place)?;
        tracing::info!(copy = %copy.display(), format = found, "backed up before the new format");
    }
    for (next, step) in (found..).zip(&migrations[found as usize..]) {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if format(&tx)? > next {
            // Another process was faster.
            continue;
        }
        tx.execute_batch(step)?;
        tx.pragma_update(None, "user_version", next + 1)?;
        tx.commit()?;
    }
    refuse_newer(connection, place, migrations)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf, time::Duration};

    use super::*;
    use crate::connection;

    const ONE: &[&str] = &[MIGRATIONS[0]];
    const TWO: &[&str] = &[MIGRATIONS[0], "CREATE TABLE added (x INTEGER) STRICT; INSERT INTO added VALUES (42);"];
    const BROKEN: &[&str] = &[MIGRATIONS[0], "CREATE TABLE added (x INTEGER) STRICT; SELECT nonsense();"];

    fn place() -> Place {
        Place { path: "history.db".into(), busy_timeout: Duration::from_millis(100) }
    }

    fn database(folder: &tempfile::TempDir) -> (PathBuf, Connection) {
        let path = folder.path().join("history.db");
        connection::create_private(&path).unwrap();
        let mut connection = connection::open_existing(&path, Duration::from_millis(100)).unwrap();
        migrate(&mut connection, &place(), Some(&path), ONE).unwrap();
        (path, connection)
    }

    #[test]
    fn an_older_format_is_backed_up_and_brought_forward() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut connection) = database(&folder);
        connection.execute_batch("INSERT INTO settings VALUES ('kept', '1')").unwrap();
        migrate(&mut connection, &place(), Some(&path), TWO).unwrap();
        assert_eq!(format(&connection).unwrap(), 2);
        let value: i64 = connection.query_row("SELECT x FROM added", [], |row| row.get(0)).unwrap();
        assert_eq!(value, 42);
        // Once is enough.
        migrate(&mut connection, &place(), Some(&path), TWO).unwrap();
        let copies: Vec<_> = fs::read_dir(folder.path().join("backups")).unwrap().flatten().collect();
        assert_eq!(copies.len(), 1);
        let copy = Connection::open(copies[0].path()).unwrap();
        assert_eq!(format(&copy).unwrap(), 1);
        let kept: String = copy.query_row("SELECT value FROM settings", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, "1");
    }

    #[test]
    fn a_step_that_fails_leaves_the_format_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut connection) = database(&folder);
        assert!(migrate(&mut connection, &place(), Some(&path), BROKEN).is_err());
        assert_eq!(format(&connection).unwrap(), 1);
        let tables: u32 = connection
            .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'added'", [], |row| row.get(0))
            .unwrap();
        assert_eq!(tables, 0);
        migrate(&mut connection, &place(), Some(&path), TWO).unwrap();
    }

    #[test]
    fn a_format_beyond_the_known_ones_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut connection) = database(&folder);
        migrate(&mut connection, &place(), Some(&path), TWO).unwrap();
        let refused = migrate(&mut connection, &place(), Some(&path), ONE);
        assert!(matches!(refused, Err(Fail::Store(StoreError::Newer { found: 2, known: 1, .. }))));
    }

    #[test]
    fn an_index_of_the_search_forgets_what_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let (_path, connection) = database(&folder);
        connection::harden(&connection).unwrap();
        connection
            .execute_batch(
                "INSERT INTO incidents (row, id, number, revision, fingerprint, cluster, cluster_uid, state, severity,
                     title, subject_kind, subject_name, detected_at, body)
                 VALUES (1, 'a', 1, 1, '', '', '', '', '', '', '', '', '', '');
                 INSERT INTO search_documents VALUES (9, 1, 'head');
                 INSERT INTO search (rowid, text) VALUES (9, 'walrus');
                 DELETE FROM incidents;",
            )
            .unwrap();
        let left: u32 = connection
            .query_row("SELECT count(*) FROM search WHERE search MATCH 'walrus'", [], |row| row.get(0))
            .unwrap();
        assert_eq!(left, 0);
    }
}
