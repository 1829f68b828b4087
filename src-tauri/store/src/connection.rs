//! Files and connections: private files, the pragmas, and a look at a file before SQLite touches it.

use std::{
    fs,
    io::{self, Read},
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use crate::error::{Fail, Place};

/// The first release without the bug that could damage a database with two connections during a checkpoint.
const SQLITE_AT_LEAST: i32 = 3_051_003;

/// `AFTW`: tells our databases from other programs'.
const APPLICATION_ID: u32 = 0x4146_5457;

/// Stops a binary that was linked against a SQLite that can damage databases.
pub(crate) fn check_library(place: &Place) -> Result<(), Fail> {
    let version = rusqlite::version_number();
    if version < SQLITE_AT_LEAST {
        let message = format!("this build uses SQLite {version}, which can damage it; 3.51.3 or newer is needed");
        return Err(place.other(message).into());
    }
    Ok(())
}

/// Makes missing parent folders, for this user only. Folders that exist are left as they are: they may be anybody's.
pub(crate) fn create_folders(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes an empty file for this user only, whatever the umask; one that exists is an error.
pub(crate) fn create_new_private(path: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(|_| ())
}

/// Makes an empty file for this user only, whatever the umask; one that exists keeps its content and loses the rights
/// of others. SQLite gives `-wal` and `-shm` the rights of the database.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    match create_new_private(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
                    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
                }
            }
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Reads the first bytes of an existing file. A file that is no database, or not ours, or newer, is refused here,
/// before anything is opened for writing.
pub(crate) fn check_header(path: &Path, place: &Place, known: u32) -> Result<(), Fail> {
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    if metadata.is_dir() {
        return Err(place.read_only("it is a folder").into());
    }
    if metadata.len() == 0 {
        return Ok(());
    }
    let mut header = [0u8; 100];
    if let Err(error) = fs::File::open(path)?.read_exact(&mut header) {
        return Err(match error.kind() {
            io::ErrorKind::UnexpectedEof => place.corrupt("it is too short to be a database").into(),
            _ => error.into(),
        });
    }
    if &header[..16] != b"SQLite format 3\0" {
        return Err(place.corrupt("it is not an SQLite database").into());
    }
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let (format, application) = (number(60), number(68));
    if application != APPLICATION_ID && (application != 0 || format != 0) {
        return Err(place.other("it belongs to another program").into());
    }
    if format > known {
        let path = place.path.clone();
        return Err(afterwatch_core::port::StoreError::Newer { path, found: format, known }.into());
    }
    Ok(())
}

/// Opens the file for writing, without changing it yet.
pub(crate) fn open_existing(path: &Path, busy_timeout: Duration) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(busy_timeout)?;
    Ok(connection)
}

/// Whether closing the last connection may fold the write-ahead log into the database. Not before the file is known
/// to be sound.
pub(crate) fn fold_on_close(connection: &Connection, yes: bool) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !yes).map(drop)
}

/// What every connection needs.
pub(crate) fn harden(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "PRAGMA foreign_keys = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON;
         PRAGMA mmap_size = 0;
         PRAGMA temp_store = MEMORY;",
    )?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// What the writer needs besides. Changes a fresh file: `auto_vacuum` must come before the first table.
pub(crate) fn prepare_writer(connection: &Connection, place: &Place) -> Result<(), Fail> {
    harden(connection)?;
    let pages: u32 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    if pages == 0 {
        // On a database that has tables it would do nothing but take the write lock.
        connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL;")?;
    }
    write_ahead(connection, place)?;
    connection.execute_batch(
        "PRAGMA synchronous = NORMAL;
         PRAGMA journal_size_limit = 67108864;",
    )?;
    Ok(())
}

/// Turns write-ahead mode on. Two processes that make one database at the same moment are in each other's way here,
/// and SQLite does not wait by itself for this lock.
fn write_ahead(connection: &Connection, place: &Place) -> Result<(), Fail> {
    let started = Instant::now();
    loop {
        let mode = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0));
        match mode {
            Ok(mode) if matches!(mode.as_str(), "wal" | "memory") => return Ok(()),
            Ok(mode) => {
                return Err(place.other(format!("write-ahead mode is refused ({mode})")).into());
            }
            Err(rusqlite::Error::SqliteFailure(error, _))
                if error.code == rusqlite::ErrorCode::DatabaseBusy && started.elapsed() < place.busy_timeout =>
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Looks through the whole file for damage.
pub(crate) fn quick_check(connection: &Connection, place: &Place) -> Result<(), Fail> {
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" { Ok(()) } else { Err(place.corrupt(verdict).into()) }
}
