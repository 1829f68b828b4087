//! How a command ends when it cannot do what was asked.

use std::io;

use afterwatch_core::port::StoreError;

/// What a command ends with when nothing went wrong, or only in part.
pub mod exit {
    pub const DONE: u8 = 0;
    pub const FAILED: u8 = 1;
    pub const WRONG_USAGE: u8 = 2;
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
    /// What happened: why. What to do next. A reason that begins as a sentence of its own stays one.
    pub fn new(what: impl AsRef<str>, why: impl AsRef<str>, next: impl AsRef<str>) -> Failure {
        let (what, why) = (what.as_ref().trim(), why.as_ref().trim());
        let goes_on = !why.is_empty() && !why.starts_with(char::is_uppercase);
        let told = if goes_on {
            format!("{}: {}", what.trim_end_matches('.'), sentence(why))
        } else {
            format!("{} {}", sentence(what), sentence(why))
        };
        let message = format!("{} {}", told.trim(), sentence(next.as_ref())).trim().to_owned();
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
            io::ErrorKind::StorageFull => Failure::new(
                "The result could not be written",
                "the disk it goes to is full",
                "Free some space, or write it elsewhere",
            ),
            _ => Failure::new("The result could not be written", error.to_string(), ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_as_sentences() {
        let told = |what, why, next| match Failure::new(what, why, next) {
            Failure::Told { message, code: exit::FAILED } => message,
            other => panic!("{other:?}"),
        };
        assert_eq!(told("It broke", "no reason.", "Mend it…"), "It broke: no reason. Mend it…");
        assert_eq!(told("It broke.", "Nobody knows why", "Mend it"), "It broke. Nobody knows why. Mend it.");
        assert_eq!(told("It broke", "", ""), "It broke.");
    }
}
