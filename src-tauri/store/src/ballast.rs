//! A file of dead weight beside the database, thrown off when the disk is full.
//!
//! In write-ahead mode even deleting rows needs room to write. Without the ballast a full disk would also keep people
//! from saving their notes and from making room.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::Mutex,
    time::{Duration, Instant},
};

use crate::{connection::create_private, error::is_full};

/// How often a missing ballast is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// The ballast of one database.
#[derive(Debug)]
pub(crate) struct Ballast {
    path: PathBuf,
    /// Size in bytes; 0 for none.
    size: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Aboard,
    /// Not made yet, thrown off, or there was no room for it. When it was last tried.
    Gone(Option<Instant>),
}

impl Ballast {
    /// The ballast as it is. It is filled by the first who records: a program that only takes a note must not eat the
    /// room that was set free for it.
    pub fn new(database: &Path, size: u64) -> Ballast {
        let path = beside(database, "-ballast");
        let whole = fs::metadata(&path).is_ok_and(|found| found.len() >= size);
        let state = if whole { State::Aboard } else { State::Gone(None) };
        Ballast { path, size, state: Mutex::new(state) }
    }

    /// Makes room. Called when a write found the disk full.
    pub fn release(&self) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.size == 0 {
            return;
        }
        match fs::remove_file(&self.path) {
            Ok(()) => {
                tracing::warn!(path = %self.path.display(), "the disk is full, the ballast file was removed")
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "the ballast file cannot be removed")
            }
        }
        *state = State::Gone(Some(Instant::now()));
    }

    /// True while there is room for more than what people type: recording waits until the ballast is back, so that
    /// it does not eat up what was set free for them.
    pub fn is_aboard(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match *state {
            State::Aboard => true,
            State::Gone(Some(tried)) if tried.elapsed() < RETRY => false,
            State::Gone(tried) => {
                let back = match fill(&self.path, self.size) {
                    Ok(()) => true,
                    // A folder in which it cannot be made for another reason than room goes without: the database may
                    // still work there.
                    Err(error) => !is_full(&error),
                };
                *state = if back { State::Aboard } else { State::Gone(Some(Instant::now())) };
                if back && tried.is_some() {
                    tracing::info!(path = %self.path.display(), "there is room again, recording goes on");
                }
                back
            }
        }
    }
}

/// `history.db` and `-wal` give `history.db-wal`.
pub(crate) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Writes the file unless it is there whole. A file system that compresses would store zeros in nothing, hence noise.
fn fill(path: &Path, size: u64) -> io::Result<()> {
    if size == 0 || fs::metadata(path).is_ok_and(|m| m.len() == size) {
        return Ok(());
    }
    let attempt = (|| {
        create_private(path)?;
        let mut file = fs::OpenOptions::new().write(true).truncate(true).open(path)?;
        let mut noise = 0x9E37_79B9_7F4A_7C15_u64;
        let mut block = Vec::with_capacity(64 * 1024);
        let mut left = size;
        while left > 0 {
            block.clear();
            let length = left.min(64 * 1024) as usize;
            while block.len() < length {
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                block.extend_from_slice(&noise.to_le_bytes());
            }
            file.write_all(&block[..length])?;
            left -= length as u64;
        }
        // Some file systems tell only now that there was no room.
        file.sync_all()
    })();
    if attempt.is_err() {
        let _ = fs::remove_file(path);
    }
    attempt
}
