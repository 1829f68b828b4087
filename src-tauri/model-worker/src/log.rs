//! What llama.cpp has to say: warnings and errors, to standard error, and the last of them for the reason of a failure.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Mutex, PoisonError},
};

use llama_cpp_2::{LogOptions, send_logs_to_tracing};

/// Lines that are remembered.
const LAST: usize = 20;
static SAID: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());

/// From here on warnings and errors are written and remembered.
pub fn start() {
    let written = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(|| Both)
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .try_init();
    // In tests a second one is one too many.
    if written.is_ok() {
        send_logs_to_tracing(LogOptions::default().with_logs_enabled(true));
    }
}

/// Forgets what was said before.
pub fn forget() {
    SAID.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// The last lines, oldest first.
pub fn last() -> Vec<String> {
    SAID.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
}

struct Both;

impl Write for Both {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes).trim().to_owned();
        if !line.is_empty() {
            let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
            if said.len() == LAST {
                said.pop_front();
            }
            said.push_back(line);
        }
        io::stderr().write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
