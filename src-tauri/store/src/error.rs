//! From SQLite's and the system's errors to the few that people can act on.

use std::{io, time::Duration};

use afterwatch_core::port::StoreError;
use rusqlite::{ErrorCode, ffi};

/// What went wrong inside, before it is put into words with the database's path.
#[derive(Debug)]
pub(crate) enum Fail {
    Sql(rusqlite::Error),
    Io(io::Error),
    /// A stored value did not decode: which one, and why.
    Data(String),
    Store(StoreError),
}

impl From<rusqlite::Error> for Fail {
    fn from(error: rusqlite::Error) -> Fail {
        Fail::Sql(error)
    }
}

impl From<io::Error> for Fail {
    fn from(error: io::Error) -> Fail {
        Fail::Io(error)
    }
}

impl From<StoreError> for Fail {
    fn from(error: StoreError) -> Fail {
        Fail::Store(error)
    }
}

impl From<serde_json::Error> for Fail {
    fn from(error: serde_json::Error) -> Fail {
        Fail::Data(error.to_string())
    }
}

/// The database as errors name it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// As the user wrote it, or `:memory:`.
    pub path: String,
    /// How long a lock is waited for.
    pub busy_timeout: Duration,
}

impl Place {
    /// Puts a failure into words.
    pub fn explain(&self, fail: Fail) -> StoreError {
        match fail {
            Fail::Store(error) => error,
            Fail::Data(message) => self.other(format!("a stored value does not decode ({message})")),
            Fail::Io(error) => self.explain_io(&error),
            Fail::Sql(error) => self.explain_sql(&error),
        }
    }

    pub fn corrupt(&self, message: impl Into<String>) -> StoreError {
        StoreError::Corrupt { path: self.path.clone(), message: message.into() }
    }

    pub fn read_only(&self, message: impl Into<String>) -> StoreError {
        StoreError::ReadOnly { path: self.path.clone(), message: message.into() }
    }

    pub fn disk_full(&self) -> StoreError {
        StoreError::DiskFull { path: self.path.clone() }
    }

    pub fn locked(&self) -> StoreError {
        StoreError::Locked { path: self.path.clone(), seconds: self.busy_timeout.as_secs() }
    }

    pub fn other(&self, message: impl Into<String>) -> StoreError {
        StoreError::Other { path: self.path.clone(), message: message.into() }
    }

    fn explain_io(&self, error: &io::Error) -> StoreError {
        use io::ErrorKind as Kind;
        match error.kind() {
            _ if is_full(error) => self.disk_full(),
            Kind::PermissionDenied
            | Kind::ReadOnlyFilesystem
            | Kind::NotADirectory
            | Kind::IsADirectory
            | Kind::NotFound
            | Kind::AlreadyExists => self.read_only(error.to_string()),
            _ => self.other(error.to_string()),
        }
    }

    fn explain_sql(&self, error: &rusqlite::Error) -> StoreError {
        let code = match error {
            rusqlite::Error::SqliteFailure(code, _) | rusqlite::Error::SqlInputError { error: code, .. } => *code,
            _ => return self.other(error.to_string()),
        };
        match code.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => self.locked(),
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => {
                self.read_only(error.to_string())
            }
            ErrorCode::DiskFull => self.disk_full(),
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => self.corrupt(error.to_string()),
            ErrorCode::SystemIoFailure => match code.extended_code {
                // A write that fails is a full disk, a quota or a file size limit in all but rare cases, and what
                // has to be done is the same: stop recording, say so, try again.
                ffi::SQLITE_IOERR_WRITE
                | ffi::SQLITE_IOERR_FSYNC
                | ffi::SQLITE_IOERR_DIR_FSYNC
                | ffi::SQLITE_IOERR_TRUNCATE
                | ffi::SQLITE_IOERR_SHMSIZE
                | ffi::SQLITE_IOERR_SHMMAP => self.disk_full(),
                ffi::SQLITE_IOERR_SHORT_READ | ffi::SQLITE_IOERR_CORRUPTFS | ffi::SQLITE_IOERR_DATA => {
                    self.corrupt(error.to_string())
                }
                _ => self.other(error.to_string()),
            },
            _ => self.other(error.to_string()),
        }
    }
}

/// True when there was no room to write.
pub(crate) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(error.kind(), Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge)
}
