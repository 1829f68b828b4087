//! Formats of the database, by `PRAGMA user_version`.

use std::path::Path;

use afterwatch_core::port::StoreError;
use rusqlite::{Connection, TransactionBehavior};

use crate::{
    backup,
    error::{Fail, Place},
};

/// The steps from nothing to the newest format. Released ones are never edited.
pub(crate) const MIGRATIONS: &[&str] = &[include_str!("../migrations/0001_history.sql")];

/// The format of the file; 0 while it is empty.
pub(crate) fn format(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Refuses a file from a newer program.
pub(crate) fn refuse_newer(connection: &Connection, place: &Place, migrations: &[&str]) -> Result<(), Fail> {
    let (found, known) = (format(connection)?, migrations.len() as u32);
    if found > known {
        return Err(StoreError::Newer {
            path: place.path.clone(),
            found,
            known,
        }
        .into());
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
