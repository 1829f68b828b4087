//! How a command ends when it cannot do what was asked.

use std::io;

use afterwatch_core::port::StoreError;

/// What a command ends with when nothing went wrong, or only in part.
pub mod exit {
    pub const DONE: u8 = 0;
    pub const FAILED: u8 = 1;
    pub const OPEN_INCIDENTS: u8 = 3;
    pub const IN_PART: u8 = 4;
    pub const INTERRUPTED: u8 = 130;
}

/// What happened, why, and what to do next. Shown once, by `main`, as `afterwatch: …`.
#[derive(Debug)]
pub enum Failure {
    /// Sentences for a person.
    Told { message: String, code: u8 },
    /// Nobody reads our output any more (`… | head`): not worth a word.
    NobodyReads,
}

pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// Joins the sentences; each gets its full stop.
    pub fn new(what: impl AsRef<str>, why: impl AsRef<str>, next: impl AsRef<str>) -> Failure {
        let parts = [what.as_ref(), why.as_ref(), next.as_ref()];
        let message = parts.iter().map(|p| sentence(p)).filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" ");
        Failure::Told { message, code: exit::FAILED }
    }
}

/// A text as a sentence: trimmed, with its full stop.
pub fn sentence(text: &str) -> String {
    let text = text.trim();
    match text.chars().last() {
        None => String::new(),
        Some('.' | '…' | '!' | '?' | ':') => text.to_owned(),
        Some('”' | '"') if text.trim_end_matches(['”', '"']).ends_with('.') => text.to_owned(),
        Some(_) => format!("{text}."),
    }
}

impl From<StoreError> for Failure {
    /// Store errors say everything themselves.
    fn from(error: StoreError) -> Failure {
        Failure::new(error.to_string(), "", "")
    }
}

impl From<io::Error> for Failure {
    /// Errors of writing the result.
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::NobodyReads,
            io::ErrorKind::StorageFull => {
                Failure::new("The result could not be written", "the disk it goes to is full", "Free some space, or write it elsewhere")
            }
            _ => Failure::new("The result could not be written", error.to_string(), ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_as_sentences() {
        let Failure::Told { message, code } = Failure::new("It broke", "no reason.", "Mend it…") else { panic!() };
        assert_eq!((message.as_str(), code), ("It broke. no reason. Mend it…", exit::FAILED));
        let Failure::Told { message, .. } = Failure::new("It broke", "", "") else { panic!() };
        assert_eq!(message, "It broke.");
    }
}
