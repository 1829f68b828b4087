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

/// The text as a sentence begins.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The text has this word, and not only as a part of a longer name.
pub fn has_word(text: &str, word: &str) -> bool {
    let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '-');
    text.match_indices(word)
        .any(|(at, _)| edge(text[..at].chars().next_back()) && edge(text[at + word.len()..].chars().next()))
}

/// The same with both ends: what wraps an error stands before it.
pub fn clip_middle(text: &str, max: usize) -> String {
    let long = text.chars().count();
    if long <= max {
        return text.to_owned();
    }
    let tail = max / 2;
    let rest: String = text.chars().skip(long - tail).collect();
    let rest = rest.split_once(' ').map_or(rest.as_str(), |(_, whole)| whole);
    format!("{} {rest}", clip(text, max - tail))
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

/// Words that names of hosts and variables are made of: each is something in its own right, whatever it resembles.
const WORDS: &[&str] = &[
    "access", "addr", "address", "api", "app", "auth", "broker", "client", "code", "core", "db", "dns", "dsn", "env",
    "form", "from", "host", "id", "ip", "key", "log", "mode", "model", "name", "node", "oauth", "order", "pass",
    "password", "path", "port", "public", "reader", "role", "route", "router", "rule", "server", "service", "stage",
    "start", "state", "stats", "status", "time", "token", "type", "uri", "url", "user", "write", "writer",
];

/// Words that are added to a name or left out.
const FILLERS: &[&str] = &["svc", "service", "srv"];

/// One name is probably the other, badly written: a slip within one of its words, or other signs between them. Names
/// that differ in their numbers only are counted, not misspelt.
pub fn misspelt(a: &str, b: &str) -> bool {
    let letters = |t: &str| t.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    if a == b || letters(a) == letters(b) {
        return false;
    }
    let (a, b) = (parts(a), parts(b));
    if a.concat() == b.concat() {
        return true;
    }
    let (short, long) = if a.len() < b.len() { (&a, &b) } else { (&b, &a) };
    if long.len() == short.len() + 1 {
        let last = &long[long.len() - 1];
        return long.starts_with(short) && FILLERS.contains(&last.as_str());
    }
    let mut unlike = a.iter().zip(&b).filter(|(x, y)| x != y);
    match (unlike.next(), unlike.next()) {
        (Some((x, y)), None) => a.len() == b.len() && slip(x, y),
        _ => false,
    }
}

/// The words of a name, in small letters.
fn parts(name: &str) -> Vec<String> {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
    words.map(str::to_ascii_lowercase).map(|w| if w == "yml" { "yaml".to_owned() } else { w }).collect()
}

/// Two letters that changed places, a plural, or one letter too few, too many or wrong behind the first of a long word.
fn slip(a: &str, b: &str) -> bool {
    if WORDS.contains(&a) && WORDS.contains(&b) {
        return false;
    }
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    let plural = short.len() >= 3 && long.strip_prefix(short).is_some_and(|rest| rest == "s" || rest == "es");
    let one = short.len() >= 5 && a.chars().next() == b.chars().next() && edits(a, b) == 1;
    plural || one || swapped(a, b)
}

/// Two neighbouring letters stand the other way round.
fn swapped(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = a.iter().zip(&b).position(|(x, y)| x != y).filter(|_| a.len() == b.len()) else { return false };
    at + 1 < a.len() && a[at] == b[at + 1] && a[at + 1] == b[at] && a[at + 2..] == b[at + 2..]
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
    fn a_slip_is_told_from_another_name() {
        for (a, b) in [
            ("QUEUE_ULR", "QUEUE_URL"),
            ("orders-bd", "orders-db"),
            ("honeycomp", "honeycomb"),
            ("chekout", "checkout"),
            ("DB_HOST", "DBHOST"),
            ("db-host", "DB_HOST"),
            ("routes.toml", "route.toml"),
            ("app.yml", "app.yaml"),
            ("LOG_FORMT", "LOG_FORMAT"),
            ("ledger", "ledger-svc"),
        ] {
            assert!(misspelt(a, b) && misspelt(b, a), "{a} {b}");
        }
        for (a, b) in [
            ("DB_HOST", "DB_PORT"),
            ("REDIS_HOST", "REDIS_PORT"),
            ("API_KEY", "APP_KEY"),
            ("API_URI", "API_URL"),
            ("LDAP_DSN", "LDAP_DNS"),
            ("api", "app"),
            ("cart", "card"),
            ("auth", "oauth"),
            ("db-1", "db-2"),
            ("DB_HOST", "READ_DB_HOST"),
            ("reader", "header"),
            ("orders", "orders"),
        ] {
            assert!(!misspelt(a, b) && !misspelt(b, a), "{a} {b}");
        }
    }

    #[test]
    fn spans_read_as_people_say_them() {
        assert_eq!(span(SignedDuration::from_secs(1068)), "17 m 48 s");
        assert_eq!(span(SignedDuration::from_secs(7500)), "2 h 5 m");
        assert_eq!(span(SignedDuration::from_millis(400)), "under 1 s");
    }
}
