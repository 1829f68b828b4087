//! What was read in a log is remembered: the same lines are looked at in every diagnosis, several times each, and some
//! seventy forms are tried on each line. Reading is a pure function of the lines, so that remembering decides nothing.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{LazyLock, Mutex, PoisonError},
};

use super::signal::{self, Signal};

/// More logs than the index keeps are not remembered: then it begins anew.
const REMEMBERED: usize = 2048;

type Key = (u64, usize, usize);
type Memory<T> = LazyLock<Mutex<HashMap<Key, T>>>;

/// The line to quote, with its place.
pub(super) type LastWords = Option<(usize, String)>;

static SIGNALS: Memory<Vec<Signal>> = LazyLock::new(Mutex::default);
static LAST_WORDS: Memory<LastWords> = LazyLock::new(Mutex::default);

/// The lines that explain a failure, strongest first.
pub fn signals(lines: &[String]) -> Vec<Signal> {
    remembered(&SIGNALS, lines, || signal::signals(lines))
}

pub(super) fn last_words(lines: &[String], read: impl FnOnce() -> LastWords) -> LastWords {
    remembered(&LAST_WORDS, lines, read)
}

fn remembered<T: Clone>(memory: &Memory<T>, lines: &[String], read: impl FnOnce() -> T) -> T {
    let mut hasher = DefaultHasher::new();
    lines.hash(&mut hasher);
    let key = (hasher.finish(), lines.len(), lines.iter().map(String::len).sum());
    let lock = || memory.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = lock().get(&key) {
        return known.clone();
    }
    let found = read();
    let mut known = lock();
    if known.len() >= REMEMBERED {
        known.clear();
    }
    known.insert(key, found.clone());
    found
}
