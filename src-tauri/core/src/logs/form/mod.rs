//! The usual forms in which many runtimes say why they fail.
//!
//! Forms lie in families; a family is only tried on lines that have one of its key words, which one pass finds for all
//! families. In a pattern a group `s…` is what the line speaks of, `p…` its port, `v…` a refused value, and a group
//! without a name is what the line speaks of too.

mod access;
mod data;
mod guard;
mod missing;
mod network;
mod program;
mod setup;
mod state;

use std::sync::{LazyLock, OnceLock};

// Bytes and ASCII classes: that compiles and runs several times faster, and what is looked for is ASCII.
use regex::bytes::{Captures, Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use super::{Class, source};

/// Patterns and the words, in lower case, without one of which none of them can fit.
pub(super) struct Family {
    keys: &'static [&'static str],
    forms: &'static [(Class, u32, &'static str)],
}

/// What a form found in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub class: Class,
    pub weight: u32,
    pub subject: Option<String>,
    pub value: Option<String>,
}

struct Compiled {
    families: Vec<(&'static Family, Vec<OnceLock<Option<Regex>>>)>,
    /// Which family each pattern of the set leads to.
    leads: Vec<usize>,
    keys: RegexSet,
}

static COMPILED: LazyLock<Compiled> = LazyLock::new(|| {
    let families: Vec<_> = missing::FAMILIES
        .iter()
        .chain(setup::FAMILIES)
        .chain(program::FAMILIES)
        .chain(state::FAMILIES)
        .chain(data::FAMILIES)
        .chain(network::FAMILIES)
        .chain(access::FAMILIES)
        .map(|f| (f, f.forms.iter().map(|_| OnceLock::new()).collect()))
        .collect();
    let (mut leads, mut words) = (Vec::new(), Vec::new());
    for (i, (family, _)) in families.iter().enumerate() {
        let keys: &Vec<OnceLock<Option<Regex>>> = &families[i].1;
        debug_assert_eq!(keys.len(), family.forms.len());
        for key in family.keys {
            leads.push(i);
            words.push(regex::escape(key));
        }
    }
    let keys = RegexSetBuilder::new(&words).case_insensitive(true).unicode(false).build().unwrap_or_default();
    Compiled { families, leads, keys }
});

fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).unicode(false).build()
}

/// What a line speaks of by the form that fits best. Of equal weights the earlier form wins.
pub(super) fn best(line: &str) -> Option<Match> {
    let compiled = &*COMPILED;
    let mut hit = vec![false; compiled.families.len()];
    for word in compiled.keys.matches(line.as_bytes()) {
        hit[compiled.leads[word]] = true;
    }
    // A host is looked for only where no file of a program and its line stand.
    let hosts = source::without_places(line);
    let mut best: Option<Match> = None;
    for (family, regexes) in compiled.families.iter().zip(&hit).filter(|(_, h)| **h).map(|(f, _)| f) {
        for ((class, weight, pattern), regex) in family.forms.iter().zip(regexes) {
            // What cannot win is not tried.
            if best.as_ref().is_some_and(|b| b.weight >= weight + 5) {
                continue;
            }
            let Some(regex) = regex.get_or_init(|| compile(pattern).ok()) else { continue };
            let names_host = class.is_connection() || *class == Class::Certificate;
            let read = if names_host { &*hosts } else { line };
            let Some(found) = regex.captures(read.as_bytes()) else { continue };
            let (subject, value) =
                (subject(regex, &found), group(regex, &found, |n| n.is_some_and(|n| n.starts_with('v'))));
            if guard::is_misread(*class, *weight, subject.as_deref(), line) {
                continue;
            }
            let (class, subject) = guard::meant(*class, subject);
            let weight = weight + if subject.is_some() { 5 } else { u32::from(value.is_some()) * 2 };
            if best.as_ref().is_none_or(|b| weight > b.weight) {
                best = Some(Match { class, weight, subject, value: value.filter(|v| !is_filler(v)) });
            }
        }
    }
    best
}

/// What a line speaks of, with its port.
fn subject(regex: &Regex, found: &Captures<'_>) -> Option<String> {
    let subject = group(regex, found, |n| n.is_none_or(|n| n.starts_with('s'))).filter(|s| !is_level(s))?;
    match group(regex, found, |n| n.is_some_and(|n| n.starts_with('p'))) {
        Some(port) if !subject.contains(':') => Some(format!("{subject}:{port}")),
        _ => Some(subject),
    }
}

fn group(regex: &Regex, found: &Captures<'_>, wanted: impl Fn(Option<&str>) -> bool) -> Option<String> {
    regex
        .capture_names()
        .enumerate()
        .skip(1)
        .filter(|(_, name)| wanted(*name))
        .filter_map(|(i, _)| found.get(i))
        .map(|m| String::from_utf8_lossy(m.as_bytes()).trim().trim_end_matches([':', '.', ',', ';']).to_owned())
        .find(|s| !s.is_empty())
}

/// A level that stands where a name could, and the numbers that systems give to errors.
fn is_level(name: &str) -> bool {
    let words = [
        "FATAL", "ERROR", "WARN", "WARNING", "INFO", "PANIC", "CRITICAL", "SEVERE", "DEBUG", "EMERG", "ALERT", "ERRNO",
    ];
    words.contains(&name) || matches!(name, "98" | "10048")
}

/// Words that stand between a name and its value.
fn is_filler(value: &str) -> bool {
    matches!(
        value.to_ascii_lowercase().as_str(),
        "is" | "was"
            | "must"
            | "has"
            | "value"
            | "for"
            | "of"
            | "in"
            | "a"
            | "an"
            | "the"
            | "not"
            | "to"
            | "be"
            | "are"
            | "and"
            | "or"
            | "with"
            | "from"
            | "at"
            | "on"
            | "as"
            | "it"
            | "this"
            | "that"
            | "format"
            | "found"
            | "given"
            | "provided"
            | "specified"
            | "set"
            | "name"
            | "type"
            | "file"
            | "env"
            | "variable"
            | "configuration"
            | "config"
            | "value(s)"
            | "parse"
            | "parsing"
    )
}

#[cfg(test)]
mod tests;
