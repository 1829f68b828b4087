//! Small helpers for the words people read.

use jiff::SignedDuration;

/// Cuts a text to at most `max` characters, at a word where possible, with `…` at the end.
pub fn clip(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let cut: String = text.chars().take(max.saturating_sub(1)).collect();
    let at = cut.rfind(' ').filter(|i| *i > max / 2).unwrap_or(cut.len());
    format!("{}…", cut[..at].trim_end_matches([' ', ',', ';', ':']))
}

/// The same for parts divided by semicolons: what does not fit goes as a whole, so that no change is told by half.
pub fn clip_parts(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let whole: String = text.chars().take(max).collect();
    match whole.rfind("; ") {
        Some(at) => format!("{}; and more", &whole[..at]),
        None => clip(text, max),
    }
}

/// `17 m 48 s`, `2 h 5 m`, `3 d 4 h`; under a second `under 1 s`.
pub fn span(duration: SignedDuration) -> String {
    let s = duration.as_secs().max(0);
    match s {
        0 => "under 1 s".to_owned(),
        1..=59 => format!("{s} s"),
        60..=3599 if s % 60 == 0 => format!("{} m", s / 60),
        60..=3599 => format!("{} m {} s", s / 60, s % 60),
        3600..=86_399 => format!("{} h {} m", s / 3600, s % 3600 / 60),
        _ => format!("{} d {} h", s / 86_400, s % 86_400 / 3600),
    }
}

/// `once`, `twice`, `6 times`.
pub fn times(n: u32) -> String {
    match n {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        n => format!("{n} times"),
    }
}

/// `a`, `a and b`, `a, b and c`; more than `max` become `a, b and 4 more`.
pub fn list(items: &[String], max: usize) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        _ if items.len() > max => format!("{} and {} more", items[..max].join(", "), items.len() - max),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

/// `1 pod`, `3 pods`.
pub fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// How many letters must be added, removed or changed to make one word the other (Levenshtein's distance).
pub fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let next = (before + usize::from(x != *y)).min(row[j] + 1).min(row[j + 1] + 1);
            before = row[j + 1];
            row[j + 1] = next;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_a_word() {
        assert_eq!(clip("checkout keeps running out of memory", 20), "checkout keeps…");
        assert_eq!(clip("short", 20), "short");
        assert_eq!(clip("ümläut-ohne-leerzeichen", 10).chars().count(), 10);
    }

    #[test]
    fn spans_read_as_people_say_them() {
        assert_eq!(span(SignedDuration::from_secs(1068)), "17 m 48 s");
        assert_eq!(span(SignedDuration::from_secs(7500)), "2 h 5 m");
        assert_eq!(span(SignedDuration::from_millis(400)), "under 1 s");
    }
}
