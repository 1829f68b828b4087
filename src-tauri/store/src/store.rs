//! The store as a whole: opening, reading, writing, closing.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use afterwatch_core::port::StoreError;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::{
    backup,
    ballast::{Ballast, beside},
    connection::{self, create_folders, create_private},
    error::{Fail, Place},
    migration::{self, MIGRATIONS},
};

/// Files up to this many bytes are looked through at once after an unclean end, larger ones in the background.
const CHECK_AT_ONCE: u64 = 64 * 1024 * 1024;

/// What may differ between the product and a test.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long a lock of another process is waited for.
    pub busy_timeout: Duration,
    /// Size in bytes of the ballast file beside the database; 0 for none.
    pub ballast: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { busy_timeout: Duration::from_secs(5), ballast: 8 * 1024 * 1024 }
    }
}

/// The local history in one SQLite file.
pub struct SqliteStore {
    place: Place,
    file: Option<PathBuf>,
    /// `None` for a database in memory, which has one connection. Dropped before the writer, so that the writer is
    /// the last to close and folds the write-ahead log in.
    reader: Option<Mutex<Connection>>,
    writer: Mutex<Connection>,
    ballast: Option<Ballast>,
    damage: Arc<Mutex<Option<String>>>,
    /// Held shared as long as the database is open: whoever gets it exclusively is alone.
    _presence: Option<fs::File>,
}

impl SqliteStore {
    /// Opens the database, making it and missing parent folders (0700; the files 0600) where there is none, and
    /// brings it to the newest format after a backup into `backups` beside it.
    ///
    /// # Errors
    /// [`StoreError::Newer`], [`StoreError::Corrupt`] (the file is left as it is), [`StoreError::ReadOnly`],
    /// [`StoreError::Locked`], [`StoreError::DiskFull`].
    pub fn open(path: &Path) -> Result<SqliteStore, StoreError> {
        SqliteStore::open_with(path, &Options::default())
    }

    /// The same with a shorter patience or without ballast.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_with(path: &Path, options: &Options) -> Result<SqliteStore, StoreError> {
        let place = Place { path: path.display().to_string(), busy_timeout: options.busy_timeout };
        match open_file(path, options, &place) {
            Ok(store) => Ok(store),
            Err(fail) => match place.explain(fail) {
                // Opening needs room, too: the ballast is there for that.
                StoreError::DiskFull { .. } if std::fs::remove_file(beside(path, "-ballast")).is_ok() => {
                    open_file(path, options, &place).map_err(|fail| place.explain(fail))
                }
                error => Err(error),
            },
        }
    }

    /// A database that is gone with the process: for tests, and for watching on when the file cannot be used.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn open_in_memory() -> Result<SqliteStore, StoreError> {
        let place = Place { path: ":memory:".to_owned(), busy_timeout: Duration::from_secs(5) };
        let open = || -> Result<Connection, Fail> {
            connection::check_library(&place)?;
            let mut writer = Connection::open_in_memory()?;
            connection::prepare_writer(&writer, &place)?;
            migration::migrate(&mut writer, &place, None, MIGRATIONS)?;
            Ok(writer)
        };
        match open() {
            Ok(writer) => Ok(SqliteStore {
                place,
                file: None,
                reader: None,
                writer: Mutex::new(writer),
                ballast: None,
                damage: Arc::default(),
                _presence: None,
            }),
            Err(fail) => Err(place.explain(fail)),
        }
    }

    /// Writes a compact, verified copy into the folder and returns its path. The newest 5 copies are kept.
    ///
    /// # Errors
    /// When the database cannot be read or the copy cannot be written; an unfinished copy is removed.
    pub fn backup(&self, folder: &Path) -> Result<PathBuf, StoreError> {
        let Some(file) = &self.file else {
            return Err(self.place.other("a database in memory cannot be backed up"));
        };
        backup::write(file, folder, &self.place).map_err(|fail| self.place.explain(fail))
    }

    /// Folds the write-ahead log into the database; for quiet moments and before sleep. Does nothing while somebody
    /// reads.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        let writer = lock(&self.writer);
        let result = writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        result.map_err(|error| self.explain(error.into()))
    }

    /// What the look through a large file after an unclean end found, once it found something.
    pub fn damage(&self) -> Option<String> {
        lock(&self.damage).clone()
    }

    /// True while the disk is full and only what people type is written.
    pub fn is_recording_stopped(&self) -> bool {
        self.ballast.as_ref().is_some_and(|ballast| !ballast.is_aboard())
    }

    /// The folder and file name as the user gave it.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Bytes on disk, write-ahead log included.
    pub(crate) fn bytes(&self) -> u64 {
        let size = |path: PathBuf| fs::metadata(path).map_or(0, |m| m.len());
        self.file.as_ref().map_or(0, |file| size(file.clone()) + size(beside(file, "-wal")))
    }

    /// Reads with one consistent view.
    pub(crate) fn read<T>(&self, f: impl FnOnce(&Connection) -> Result<T, Fail>) -> Result<T, StoreError> {
        let connection = lock(self.reader.as_ref().unwrap_or(&self.writer));
        let run = || {
            let tx = connection.unchecked_transaction()?;
            f(&tx)
        };
        run().map_err(|fail| self.explain(fail))
    }

    /// Reads on the writer's connection, for what only it can tell.
    pub(crate) fn ask_writer<T>(&self, f: impl FnOnce(&Connection) -> Result<T, Fail>) -> Result<T, StoreError> {
        f(&lock(&self.writer)).map_err(|fail| self.explain(fail))
    }

    /// Writes in one transaction: all or nothing.
    pub(crate) fn write<T>(&self, f: impl FnOnce(&Transaction<'_>) -> Result<T, Fail>) -> Result<T, StoreError> {
        let mut writer = lock(&self.writer);
        transact(&mut writer, f).map_err(|fail| self.explain(fail))
    }

    /// The same, and on the disk before it returns: what people typed also survives a power cut.
    pub(crate) fn write_durably<T>(&self, f: impl Fn(&Transaction<'_>) -> Result<T, Fail>) -> Result<T, StoreError> {
        let mut writer = lock(&self.writer);
        let mut run = || {
            writer.execute_batch("PRAGMA synchronous = FULL")?;
            let result = transact(&mut writer, &f);
            writer.execute_batch("PRAGMA synchronous = NORMAL")?;
            result
        };
        // What a person wrote is tried again at once where throwing off the ballast made room for it.
        match run().map_err(|fail| self.explain(fail)) {
            Err(StoreError::DiskFull { .. }) => run().map_err(|fail| self.explain(fail)),
            result => result,
        }
    }

    /// Refuses what the recorder writes while the disk is full.
    pub(crate) fn check_room(&self) -> Result<(), StoreError> {
        if self.is_recording_stopped() { Err(self.place.disk_full()) } else { Ok(()) }
    }

    fn explain(&self, fail: Fail) -> StoreError {
        let error = self.place.explain(fail);
        if matches!(error, StoreError::DiskFull { .. })
            && let Some(ballast) = &self.ballast
        {
            ballast.release();
        }
        error
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.place.path).finish_non_exhaustive()
    }
}

/// A panic elsewhere left no transaction behind (dropping one rolls it back), so the connection is as good as before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn transact<T>(writer: &mut Connection, f: impl FnOnce(&Transaction<'_>) -> Result<T, Fail>) -> Result<T, Fail> {
    let tx = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let result = f(&tx)?;
    tx.commit()?;
    Ok(result)
}

fn open_file(path: &Path, options: &Options, place: &Place) -> Result<SqliteStore, Fail> {
    connection::check_library(place)?;
    connection::check_header(path, place, MIGRATIONS.len() as u32)?;
    create_folders(path.parent().unwrap_or(Path::new("")))?;
    create_private(path)?;
    let (presence, alone) = announce(path);
    // SQLite removes the write-ahead log when the last connection closes; one that is left over while nobody else is
    // here means that the last one to use the database was killed or lost power.
    let unclean = alone && fs::metadata(beside(path, "-wal")).is_ok_and(|m| m.len() > 0);

    let mut writer = connection::open_existing(path, place.busy_timeout)?;
    connection::fold_on_close(&writer, false)?;
    if writer.is_readonly("main")? {
        return Err(place.read_only("it is read-only").into());
    }
    // Once more, since the newest state of the header may lie in the write-ahead log.
    migration::refuse_newer(&writer, place, MIGRATIONS)?;
    refuse_foreign(&writer, place)?;
    connection::prepare_writer(&writer, place)?;
    let damage: Arc<Mutex<Option<String>>> = Arc::default();
    if unclean {
        if fs::metadata(path)?.len() <= CHECK_AT_ONCE {
            connection::quick_check(&writer, place)?;
        } else {
            check_in_background(path.to_owned(), place.clone(), Arc::clone(&damage));
        }
    }
    migration::migrate(&mut writer, place, Some(path), MIGRATIONS)?;
    let reader = connection::open_existing(path, place.busy_timeout)?;
    connection::harden(&reader)?;
    reader.execute_batch("PRAGMA query_only = ON")?;
    connection::fold_on_close(&writer, true)?;

    Ok(SqliteStore {
        ballast: Some(Ballast::new(path, options.ballast)),
        place: place.clone(),
        file: Some(path.to_owned()),
        reader: Some(Mutex::new(reader)),
        writer: Mutex::new(writer),
        damage,
        _presence: presence,
    })
}

/// An empty header says nothing; tables in it do.
fn refuse_foreign(connection: &Connection, place: &Place) -> Result<(), Fail> {
    let tables: u32 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && migration::format(connection)? == 0 {
        return Err(place.other("it belongs to another program").into());
    }
    Ok(())
}

/// Says that this process uses the database, by a lock that goes with the process. True when nobody else does. File
/// systems without locks give no answer, and then nothing is concluded.
fn announce(path: &Path) -> (Option<fs::File>, bool) {
    let name = beside(path, "-open");
    let open = || {
        create_private(&name)?;
        let file = fs::OpenOptions::new().read(true).write(true).open(&name)?;
        let alone = file.try_lock().is_ok();
        file.lock_shared()?;
        Ok::<_, std::io::Error>((file, alone))
    };
    match open() {
        Ok((file, alone)) => (Some(file), alone),
        Err(error) => {
            tracing::warn!(path = %name.display(), %error, "the database cannot be marked as open");
            (None, false)
        }
    }
}

fn check_in_background(path: PathBuf, place: Place, damage: Arc<Mutex<Option<String>>>) {
    let check = move || {
        let run = || {
            let connection = connection::open_existing(&path, place.busy_timeout)?;
            connection.execute_batch("PRAGMA query_only = ON")?;
            connection::quick_check(&connection, &place)
        };
        if let Err(fail) = run() {
            let error = place.explain(fail);
            tracing::error!(%error, "the database was not closed cleanly and is damaged");
            *lock(&damage) = Some(error.to_string());
        }
    };
    if let Err(error) = std::thread::Builder::new().name("history-check".to_owned()).spawn(check) {
        tracing::warn!(%error, "the database could not be looked through");
    }
}
