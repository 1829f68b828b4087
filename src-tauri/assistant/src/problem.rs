//! What goes wrong around models, in words for people.

/// What happened, why, and what to do next. There is nothing to branch on: every caller shows it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    pub message: String,
}

impl Problem {
    pub fn new(message: impl Into<String>) -> Problem {
        Problem { message: message.into() }
    }
}

impl From<Problem> for afterwatch_core::port::ModelError {
    fn from(problem: Problem) -> Self {
        Self { message: problem.message, so_far: String::new() }
    }
}

/// A size as people read it on a disk's box: `2.5 GB`, `808 MB`, `3 kB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// Text from outside, fit to stand in a sentence: one line, no control characters, not too long.
pub(crate) fn quoted(text: &str) -> String {
    const MOST: usize = 240;
    let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words = flat.split_whitespace().collect::<Vec<_>>().join(" ");
    // Marks that turn the direction of writing around could make a sentence read as another one.
    let safe = words
        .chars()
        .filter(|c| !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
    let mut out: String = safe.clone().take(MOST).collect();
    if safe.count() > MOST {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_on_a_disks_box() {
        let told: Vec<String> = [7, 1_500, 807_694_464, 2_497_281_120, 10_800_000_000].into_iter().map(size).collect();
        assert_eq!(told, ["7 B", "1 kB", "807 MB", "2.5 GB", "10.8 GB"]);
    }

    #[test]
    fn text_from_outside_stays_on_one_line_and_cannot_turn_a_sentence_around() {
        assert_eq!(quoted("a\r\nb\u{1b}[31m \u{202e}c"), "a b [31m c");
        assert_eq!(quoted(&"x".repeat(900)).chars().count(), 241);
    }
}
