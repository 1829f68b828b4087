//! What is going on, on stderr: a line that is written over on a terminal, whole lines elsewhere.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use super::{inert, say};

/// Whatever is done within this time needs no words.
const AT_ONCE: Duration = Duration::from_millis(700);
/// A line that changes faster cannot be read.
const PACE: Duration = Duration::from_millis(100);

pub struct Progress {
    quiet: bool,
    terminal: bool,
    /// Before this a passing state is not shown.
    next: Instant,
    /// A line stands on the terminal that the next one replaces.
    standing: bool,
}

impl Progress {
    pub fn new(quiet: bool) -> Progress {
        Progress { quiet, terminal: io::stderr().is_terminal(), next: Instant::now() + AT_ONCE, standing: false }
    }

    /// A passing state, with a number that grows. Shown on a terminal only: in a log it would be noise.
    pub fn passing(&mut self, text: &str) {
        if self.quiet || !self.terminal || Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + PACE;
        let width = terminal_size::terminal_size_of(io::stderr()).map_or(80, |(w, _)| usize::from(w.0));
        let line = super::page::fold(&inert::line(text), width.saturating_sub(1).max(10)).swap_remove(0);
        let _ = io::stderr().write_all(format!("\r\u{1b}[K{line}").as_bytes());
        self.standing = true;
    }

    /// Something that is worth a line of its own.
    pub fn told(&mut self, text: &str) {
        self.clear();
        if !self.quiet {
            say(text);
        }
    }

    /// Something wrong: said even with `-q`.
    pub fn trouble(&mut self, text: &str) {
        self.clear();
        say(&format!("afterwatch: {text}"));
    }

    /// Takes the passing line away, so that results stand alone.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.standing) {
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
