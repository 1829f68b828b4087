//! The words of a sentence, and which of them must be names.

use super::lexicon::{CAPITALS, PARTS};

/// A word with its place in the text, without the signs around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word<'a> {
    pub text: &'a str,
    /// Of its first byte.
    pub at: usize,
    /// It begins a sentence.
    pub first: bool,
}

/// Signs that may stand around a word.
const AROUND: &[char] = &[
    ',', ';', ':', '.', '!', '?', '(', ')', '"', '“', '”', '„', '‘', '’', '\'', '`', '*', '…', '{', '}', '«', '»', '‹',
    '›', '|', '[', ']', '<', '>', '~',
];

/// The words of a text. Arrows, long dashes and plus signs part words, hyphens do not.
pub(super) fn words(text: &str) -> Vec<Word<'_>> {
    let mut out = Vec::new();
    let mut first = true;
    let mut from = None;
    let breaks = |c: char| c.is_whitespace() || matches!(c, '→' | '–' | '—' | '…' | '·' | '×');
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (breaks(c), from) {
            (false, None) => from = Some(at),
            (true, Some(begin)) => {
                let raw = &text[begin..at];
                let word = raw.trim_start_matches(AROUND);
                let lead = raw.len() - word.len();
                let mut word = word.trim_end_matches(AROUND);
                for ending in ["'s", "’s", "'", "’"] {
                    word = word.strip_suffix(ending).unwrap_or(word);
                }
                if !word.is_empty() {
                    out.push(Word { text: word, at: begin + lead, first });
                }
                let end = raw.trim_end_matches(['"', '”', ')', '’', '\'']);
                first = end.ends_with(['.', '!', '?', ':']) || (first && word.is_empty());
                from = None;
            }
            _ => {}
        }
    }
    out
}

/// Whether the name occurs in the text as a whole; both in small letters.
pub(super) fn occurs(text: &str, name: &str) -> bool {
    if name.is_empty() {
        return false;
    }
    let inside = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let mut before = text[..at].chars().rev();
        let open = match before.next() {
            None => true,
            Some('.') => before.next().is_none_or(|c| !c.is_alphanumeric()),
            Some(c) => !inside(c),
        };
        let mut after = text[at + name.len()..].chars();
        let shut = match after.next() {
            None => true,
            Some('.') => after.next().is_none_or(|c| !c.is_alphanumeric()),
            Some(c) => !inside(c),
        };
        open && shut
    })
}

/// Whether the word can only be a name: of an object, an image, a host, a variable, a path, a version, a reason.
pub(super) fn is_name(word: &str) -> bool {
    let inner = |c: char| matches!(c, '/' | ':' | '=' | '@' | '_');
    if word.chars().any(inner) {
        // `and/or`, `he/she`: words of prose with a stroke between them.
        return !word.split('/').all(|part| PARTS.has(&part.to_lowercase()));
    }
    let digits = word.chars().any(|c| c.is_ascii_digit());
    let letters = word.chars().any(char::is_alphabetic);
    if word.contains('.') && (letters || word.matches('.').count() > 1) {
        return !matches!(word, "e.g" | "i.e" | "etc");
    }
    if word.contains('-') {
        let prose = |part: &str| part.is_empty() || PARTS.has(&part.to_lowercase());
        return !word.split('-').all(|part| prose(part) || part.bytes().all(|b| b.is_ascii_digit()));
    }
    if digits && letters {
        return true;
    }
    // `STRIPE`, `THREADS`: capitals all through, unless everybody writes it so.
    if word.chars().count() > 2 && word.chars().all(char::is_uppercase) {
        return !CAPITALS.has(&word.to_lowercase());
    }
    // `OOMKilled`, `CrashLoopBackOff`: a capital after a small letter.
    let chars: Vec<char> = word.chars().collect();
    chars.windows(2).any(|pair| pair[0].is_lowercase() && pair[1].is_uppercase())
}
