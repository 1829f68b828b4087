//! Where the values of variables come from, and which variable a text speaks of.

use std::sync::LazyLock;

use regex::Regex;

use super::{Case, contains_word};
use crate::{
    logs::Signal,
    object::{ConfigMap, Kind, Object, pod::EnvVar},
};

/// Where a variable's value comes from.
pub(super) enum Origin {
    Literal {
        name: String,
        value: String,
    },
    /// A key of a ConfigMap, named or by `envFrom`.
    Map {
        name: String,
        map: String,
        key: String,
    },
    Secret {
        name: String,
        secret: String,
        key: String,
    },
    /// The container does not set it.
    Absent,
}

/// `payment.api.url`, `paymentApiUrl` and `Payment:Api:Url` are all `PAYMENT_API_URL` as a variable.
pub(super) fn normal(name: &str) -> String {
    let mut out = String::new();
    let mut lower = false;
    for c in name.trim_matches(['-', '<', '>', '$', '{', '}']).chars() {
        if c.is_ascii_uppercase() && lower {
            out.push('_');
        }
        lower = c.is_ascii_lowercase();
        let c = if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        if !(c == '_' && out.ends_with('_')) {
            out.push(c);
        }
    }
    out.trim_matches('_').to_owned()
}

pub(super) fn map<'a>(case: &Case<'_, 'a>, name: &str) -> Option<&'a ConfigMap> {
    match case.get(Kind::ConfigMap, name) {
        Some(Object::ConfigMap(m)) => Some(m),
        _ => None,
    }
}

pub(super) fn origin(case: &Case<'_, '_>, wanted: &str) -> Origin {
    let wanted = normal(wanted);
    let ending = format!("_{wanted}");
    let exact = case.spec.env.iter().find(|e| normal(&e.name) == wanted);
    let loose = || {
        let mut with = case.spec.env.iter().filter(|e| wanted.len() >= 4 && normal(&e.name).ends_with(&ending));
        with.next().filter(|_| with.next().is_none())
    };
    if let Some(e) = exact.or_else(loose) {
        let from = e.value_from.as_ref();
        if let Some(k) = from.and_then(|f| f.config_map_key_ref.as_ref()) {
            return Origin::Map { name: e.name.clone(), map: k.name.clone(), key: k.key.clone() };
        }
        if let Some(k) = from.and_then(|f| f.secret_key_ref.as_ref()) {
            return Origin::Secret { name: e.name.clone(), secret: k.name.clone(), key: k.key.clone() };
        }
        return Origin::Literal { name: e.name.clone(), value: e.value.clone().unwrap_or_default() };
    }
    for from in &case.spec.env_from {
        let Some(r) = &from.config_map_ref else { continue };
        let prefix = from.prefix.as_deref().unwrap_or("");
        let key = map(case, &r.name).and_then(|m| m.digests.keys().find(|k| normal(&format!("{prefix}{k}")) == wanted));
        if let Some(key) = key {
            return Origin::Map { name: format!("{prefix}{key}"), map: r.name.clone(), key: key.clone() };
        }
    }
    Origin::Absent
}

/// The names of its variables, as far as they are known: those of a Secret taken whole are not.
pub(super) fn variables(case: &Case<'_, '_>) -> Vec<String> {
    let keys = case.spec.env_from.iter().filter_map(|f| {
        let map = map(case, &f.config_map_ref.as_ref()?.name)?;
        let prefix = f.prefix.clone().unwrap_or_default();
        Some(map.digests.keys().map(move |k| format!("{prefix}{k}")))
    });
    case.spec.env.iter().map(|e| e.name.clone()).chain(keys.flatten()).collect()
}

/// The variable of the container that a text speaks of, by its name or in its words (`log level`); only where one does.
pub(super) fn mentioned(case: &Case<'_, '_>, text: &str) -> Option<String> {
    let words = |t: &str| {
        let spaced: String =
            t.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' }).collect();
        format!(" {} ", spaced.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let all = variables(case);
    let only = |fits: &dyn Fn(&str) -> bool| {
        let mut found = all.iter().filter(|n| n.len() >= 3 && fits(n));
        found.next().filter(|_| found.next().is_none()).cloned()
    };
    let spoken = words(text);
    // A plain word is a name where a value follows it: `unsupported cipher "x"`.
    let lower = text.to_ascii_lowercase();
    let valued = |n: &str| {
        let name = n.to_ascii_lowercase();
        lower.match_indices(&name).any(|(at, _)| {
            !lower[..at].ends_with(|c: char| c.is_ascii_alphanumeric())
                && lower[at + name.len()..].starts_with([' ', ':', '='])
                && { lower[at + name.len() + 1..].trim_start().starts_with(['"', '\'', '`', '“']) }
        })
    };
    only(&|n| contains_word(text, n))
        .or_else(|| only(&|n| n.contains('_') && spoken.contains(&words(n))))
        .or_else(|| only(&|n| n.len() >= 4 && valued(n)))
}

/// The key of a ConfigMap it has as a variable that a text speaks of in a part of its name (`listeners`); only where
/// one does.
pub(super) fn given(case: &Case<'_, '_>, text: &str) -> Option<Origin> {
    let lower = text.to_ascii_lowercase();
    let spoken =
        |n: &String| n.split(['_', '.', '-']).any(|w| w.len() >= 6 && contains_word(&lower, &w.to_ascii_lowercase()));
    let mut found = variables(case)
        .into_iter()
        .filter(spoken)
        .map(|n| origin(case, &n))
        .filter(|o| matches!(o, Origin::Map { .. }));
    found.next().filter(|_| found.next().is_none())
}

/// A value that stands in many lines that do not speak of it: an environment, a level, a switch, a zone, a format.
fn is_everyday(value: &str) -> bool {
    const WORDS: &[&str] = &[
        "production",
        "prod",
        "staging",
        "stage",
        "development",
        "develop",
        "dev",
        "testing",
        "test",
        "preview",
        "local",
        "localhost",
        "default",
        "release",
        "debug",
        "trace",
        "verbose",
        "info",
        "information",
        "notice",
        "warn",
        "warning",
        "error",
        "critical",
        "fatal",
        "emergency",
        "true",
        "false",
        "enabled",
        "disabled",
        "enable",
        "disable",
        "always",
        "never",
        "auto",
        "automatic",
        "none",
        "null",
        "utc",
        "etc/utc",
        "gmt",
        "europe/london",
        "utf-8",
        "utf8",
        "posix",
        "console",
        "stdout",
        "stderr",
        "logfmt",
        "json",
        "plain",
        "string",
        "number",
        "server",
        "client",
        "worker",
        "master",
        "primary",
        "secondary",
        "replica",
        "database",
        "service",
        "timeout",
        "connection",
    ];
    let lower = value.to_ascii_lowercase();
    let plain = lower.split('.').next().unwrap_or(&lower);
    // `en_US`, `de_DE.UTF-8`.
    let locale = plain.len() == 5
        && plain.bytes().enumerate().all(|(at, b)| if at == 2 { b == b'_' } else { b.is_ascii_lowercase() });
    locale || WORDS.contains(&lower.as_str())
}

/// The variable whose value, or whose URL's last part (a database, a virtual host), a text names; only where one does.
pub(super) fn spoken_of<'c>(case: &'c Case<'_, '_>, text: &str) -> Option<&'c EnvVar> {
    let named = |e: &&EnvVar| {
        let value = e.value.as_deref().unwrap_or("");
        let last = value.split_once("://").and_then(|(_, rest)| rest.split(['?', '#']).next()?.split_once('/'));
        let last = last.map_or("", |(_, path)| path.rsplit('/').next().unwrap_or(path));
        let telling = |t: &str, least: usize| {
            let number = t.bytes().all(|b| b.is_ascii_digit());
            t.len() >= least
                && !is_everyday(t)
                && (number || !t.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
                && contains_word(text, t)
        };
        telling(value, 6) || telling(last, 4)
    };
    let mut found = case.spec.env.iter().filter(named);
    found.next().filter(|_| found.next().is_none())
}

/// The key of a ConfigMap it has as a variable that may hold one of these texts, though no value is ever known: of
/// those whose names fit the only one that is just as long.
pub(super) fn as_long(case: &Case<'_, '_>, texts: &[&str], fits: impl Fn(&str) -> bool) -> Option<Origin> {
    let lengths: Vec<u64> = texts.iter().map(|t| t.len() as u64).collect();
    only(case, fits, |bytes| lengths.contains(&bytes))
}

/// The same of a text that is a part of the value: the only one that is longer.
pub(super) fn longer(case: &Case<'_, '_>, text: &str, fits: impl Fn(&str) -> bool) -> Option<Origin> {
    only(case, fits, |bytes| bytes > text.len() as u64)
}

fn only(case: &Case<'_, '_>, fits: impl Fn(&str) -> bool, length: impl Fn(u64) -> bool) -> Option<Origin> {
    let holds = |origin: &Origin| match origin {
        Origin::Map { map: from, key, .. } => {
            map(case, from).and_then(|m| m.digests.get(key)).is_some_and(|d| length(d.bytes))
        }
        _ => false,
    };
    let mut found = variables(case).into_iter().filter(|n| fits(n)).map(|n| origin(case, &n)).filter(holds);
    found.next().filter(|_| found.next().is_none())
}

/// The variable that the line of code reads which a trace names last.
pub(super) fn read_by_code(case: &Case<'_, '_>, signal: &Signal) -> Option<Origin> {
    const ABOVE: usize = 8;
    let log = case.cx.index.newest_log(&case.pod.metadata.uid, &case.spec.name)?.lines.as_ref().ok()?;
    let from = signal.line.saturating_sub(ABOVE);
    let reads = |line: &&String| ["environ", "getenv", "process.env", "ENV["].iter().any(|w| line.contains(w));
    let line = log.get(from..signal.line)?.iter().rev().find(reads)?;
    let mut named = variables(case).into_iter().filter(|n| contains_word(line, n));
    named.next().filter(|_| named.next().is_none()).map(|n| origin(case, &n))
}

/// The only variable that holds a connection string, where one is refused.
pub(super) fn connection_string(case: &Case<'_, '_>, text: &str) -> Option<Origin> {
    static FORM: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)connection ?string|Couldn't set \S+ \(Parameter '|Keyword not supported: '").ok()
    });
    FORM.as_ref().filter(|r| r.is_match(text))?;
    let sounds = |n: &String| {
        let name = normal(n);
        ["CONNECTION_STRING", "CONN_STR", "CONNSTR", "CONNECTIONSTRING", "DSN"].iter().any(|w| name.contains(w))
    };
    let mut all = variables(case).into_iter().filter(sounds);
    all.next().filter(|_| all.next().is_none()).map(|n| origin(case, &n))
}
