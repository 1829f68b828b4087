//! How grave a line calls itself: by a word, by a number, or by the error that stands in a field of its own.

use std::{collections::HashMap, sync::LazyLock};

use regex::Regex;
use serde_json::Value;

use super::line::text_of;

/// How grave a line calls itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Debug,
    Routine,
    Warn,
    Error,
    Fatal,
}

/// The level a structured line names, a number only where no word does; else that of its head; else an error where a
/// field holds one.
pub(super) fn level_of(map: &HashMap<String, &Value>, head: Option<Level>) -> Option<Level> {
    let of = ["level", "severity", "lvl", "log.level", "levelname", "@l", "level_name", "loglevel", "severity_text"];
    let values = || of.iter().filter_map(|key| map.get(*key).copied());
    let number = |v: &Value| v.as_u64().or_else(|| v.as_str()?.parse().ok());
    // MongoDB has a letter.
    let letter = || match map.get("s").and_then(|v| v.as_str())? {
        "F" => Some(Level::Fatal),
        "E" => Some(Level::Error),
        "W" => Some(Level::Warn),
        "I" => Some(Level::Routine),
        s if s.starts_with('D') => Some(Level::Debug),
        _ => None,
    };
    let named = values().find_map(|v| word(v.as_str()?));
    let error = || has_error(map).then_some(Level::Error);
    let counted = || match counts_verbosity(map) {
        true => values().find_map(number).map(verbosity),
        false => values().find_map(number).map(numbered),
    };
    // klog writes how verbose a line is, unless it is an error.
    let verbose = || map.get("v").and_then(|v| v.as_u64()).filter(|_| map.contains_key("msg")).map(verbosity);
    named.or_else(counted).or_else(letter).or(head).or_else(verbose).or_else(error)
}

/// A field of its own holds an error. Loggers that give an error no level (logr, zapr, klog) tell it from chatter by
/// that alone.
fn has_error(map: &HashMap<String, &Value>) -> bool {
    const NONE: [&str; 10] = ["", "-", "null", "nil", "<nil>", "none", "undefined", "false", "0", "ok"];
    ["error", "err", "error.message"].iter().filter_map(|key| text_of(map.get(*key)?)).any(|text| {
        let text = text.trim().to_ascii_lowercase();
        !NONE.contains(&text.as_str()) && !text.bytes().all(|b| b.is_ascii_digit())
    })
}

/// The number of a line is how verbose it is (logr): 0 is said to everybody, more to who asks for it. Who writes so names
/// the logger or the caller.
fn counts_verbosity(map: &HashMap<String, &Value>) -> bool {
    let has = |key: &str| map.contains_key(key);
    has("msg") && (has("caller") || has("logger")) && !has("short_message")
}

fn verbosity(level: u64) -> Level {
    match level {
        0 => Level::Routine,
        1..=20 => Level::Debug,
        _ => numbered(level),
    }
}

/// A level by number: up to 7 as syslog has it, up to 99 as pino and bunyan, from there on as Monolog.
fn numbered(level: u64) -> Level {
    match level {
        0..=2 | 60..=99 | 500.. => Level::Fatal,
        3 | 50..=59 | 400..=499 => Level::Error,
        4 | 40..=49 | 300..=399 => Level::Warn,
        5 | 6 | 30..=39 | 200..=299 => Level::Routine,
        _ => Level::Debug,
    }
}

/// The level that stands in the head of a line, or of what is left of it without its time.
pub(super) fn level(line: &str, plain: &str) -> Option<Level> {
    static WORD: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r#"(?i)(?:^|[\s\["=:|(<])(fatal|ftl|fata|panic|pani|emerg|critical|crit|alert|error|err!?|erro|severe|fail|failed|exception|warn|warning|wrn|info|inf|information|notice|note|debug|dbug|dbg|trace|trce)(?:[\s\]\["':|,;)>]|$)"#,
        )
        .ok()
    });
    // klog: the letter leads.
    let klog = line.len() > 5 && line.as_bytes()[1..5].iter().all(u8::is_ascii_digit) && line.as_bytes()[5] == b' ';
    match line.as_bytes().first() {
        Some(b'E') if klog => return Some(Level::Error),
        Some(b'F') if klog => return Some(Level::Fatal),
        Some(b'W') if klog => return Some(Level::Warn),
        Some(b'I') if klog => return Some(Level::Routine),
        _ => {}
    }
    // psql names the script and its line first.
    let plain = plain.strip_prefix("psql:").and_then(|rest| Some(rest.split_once(": ")?.1)).unwrap_or(plain);
    let head: String = plain.chars().take(40).collect();
    word(WORD.as_ref()?.captures(&head)?.get(1)?.as_str())
}

fn word(level: &str) -> Option<Level> {
    match level.to_ascii_lowercase().trim_end_matches('!') {
        "fatal" | "ftl" | "fata" | "panic" | "pani" | "emerg" | "emergency" | "critical" | "crit" | "alert"
        | "dpanic" => Some(Level::Fatal),
        "error" | "err" | "erro" | "severe" | "fail" | "failed" | "exception" | "eror" => Some(Level::Error),
        "warn" | "warning" | "wrn" => Some(Level::Warn),
        "info" | "inf" | "information" | "notice" | "note" => Some(Level::Routine),
        "debug" | "dbug" | "dbg" | "trace" | "trce" | "verbose" => Some(Level::Debug),
        _ => None,
    }
}
