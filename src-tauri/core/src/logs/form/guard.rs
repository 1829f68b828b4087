//! What fits a form and yet is not what the line says.

use crate::logs::Class;

/// Words that stand where a host could.
const NO_HOST: &[&str] = &[
    "a",
    "address",
    "all",
    "an",
    "any",
    "at",
    "bean",
    "caused",
    "dependencies",
    "dependency",
    "for",
    "from",
    "host",
    "hostname",
    "import",
    "in",
    "module",
    "name",
    "node",
    "of",
    "on",
    "or",
    "reference",
    "the",
    "this",
    "to",
    "type",
    "via",
    "with",
];
/// The line goes on to say that nothing comes of it.
const HARMLESS: &[&str] = &[
    "skipping",
    "skipped",
    "disabled",
    "disabling",
    "default ",
    "defaults to",
    "defaulting",
    "optional",
    "ignoring",
    "ignored",
    "falling back",
    "fallback",
    "fall back",
    "using the default",
    "using default",
    "continuing",
    "not enabled",
    "will not be",
    "won't be",
];
/// It must be given all the same.
const NEEDED: &[&str] = &["must", "required", "fatal", "panic", "no default", "cannot start", "exiting", "aborting"];
/// Variables that nothing needs.
const UNNEEDED: &[&str] = &["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "NODE_ENV", "NO_COLOR", "LC_ALL"];
/// What expired is made anew.
const RENEWED: &[&str] = &[
    "refreshing",
    "renewing",
    "re-authenticating",
    "reauthenticating",
    "requesting a new",
    "fetching a new",
    "new token",
];
/// Why a file that is there cannot be opened.
const OTHERWISE: &[&str] = &[
    "permission denied",
    "not permitted",
    "access is denied",
    "eacces",
    "i/o error",
    "input/output error",
    "no such device",
    "read-only file",
    "no space left",
    "too many open files",
    "is a directory",
    "errcode: 13",
    "exec format",
];
const ABSENT: &[&str] = &[
    "no such file",
    "not found",
    "notfound",
    "not exist",
    "n't exist",
    "enoent",
    "is missing",
    "cannot be found",
    "could not be found",
    "can't be found",
    "cannot find",
    "could not find",
    "couldn't find",
    "can't find",
    "unable to find",
    // The number of the kernel's own word for it; others begin with that digit, too.
    "error 2)",
    "errno 2)",
    "errno 2]",
    "(2:",
];

fn has(line: &str, words: &[&str]) -> bool {
    words.iter().any(|w| line.contains(w))
}

/// `2026-11-30T18:48`: the beginning of a time looks like a host with a port.
fn is_time(name: &str) -> bool {
    let form = |c: char, at: usize| match at {
        4 | 7 => c == '-',
        10 => c == 'T',
        _ => c.is_ascii_digit(),
    };
    name.len() >= 13 && name.chars().take(13).enumerate().all(|(at, c)| form(c, at))
}

/// After what could not be opened the line goes on to say why: `cannot open /data: unknown format`.
fn has_reason(lower: &str, subject: &str) -> bool {
    let subject = subject.to_ascii_lowercase();
    let Some((_, after)) = lower.rsplit_once(&subject) else { return false };
    let after = after.trim_start_matches(['"', '\'', '`', ')', ']', '>', ' ']);
    let why =
        [": ", ":\t", " - ", "- ", "(", "because ", ", because ", "; "].iter().find_map(|w| after.strip_prefix(w));
    why.is_some_and(|why| why.split(|c: char| !c.is_ascii_alphabetic()).filter(|w| w.len() > 1).count() > 1)
}

/// A form found this class in the line, and the line says something else.
pub(super) fn is_misread(class: Class, weight: u32, subject: Option<&str>, line: &str) -> bool {
    let lower = || line.to_ascii_lowercase();
    match class {
        Class::MissingEnv => {
            // Codes of errors look like names of variables.
            if subject.is_some_and(|s| s.starts_with("EAI_") || s.starts_with("ERR_")) {
                return true;
            }
            let needless = subject.is_some_and(|s| UNNEEDED.contains(&s));
            let lower = lower();
            // Its own name says nothing of what comes of it, and neither does what stands before.
            let after = subject.and_then(|s| lower.split_once(&s.to_ascii_lowercase())).map_or(&*lower, |(_, a)| a);
            (needless || has(after, HARMLESS)) && !has(&lower, NEEDED)
        }
        Class::MissingFile => {
            let lower = lower();
            // Java's exception of that name is for every file that cannot be opened.
            let absent = |text: &str| has(text, ABSENT);
            has(&lower, OTHERWISE) && !absent(&lower.replace("filenotfoundexception", ""))
                || !absent(&lower) && subject.is_some_and(|s| has_reason(&lower, s))
        }
        // A token that is renewed when it expires works.
        Class::Authentication => has(&lower(), RENEWED),
        // A time of day.
        _ if class.is_connection() && subject.is_some_and(is_time) => true,
        // A form of greater weight says more plainly where the name stands.
        _ if class.is_connection() && weight < 88 => {
            subject.is_some_and(|s| NO_HOST.contains(&s.to_ascii_lowercase().as_str()))
        }
        _ => false,
    }
}

/// What frameworks call their settings in words.
const CALLED: &[(&str, &str)] =
    &[("application encryption key", "APP_KEY"), ("cipher or incorrect key length", "APP_KEY")];

/// What it comes to: a file below `/dev` is a device, and a setting has a name.
pub(super) fn meant(class: Class, subject: Option<String>) -> (Class, Option<String>) {
    let Some(name) = subject.as_deref() else { return (class, subject) };
    if let Some((_, setting)) = CALLED.iter().find(|(words, _)| name.eq_ignore_ascii_case(words)) {
        return (class, Some((*setting).to_owned()));
    }
    let device = name.strip_prefix("/dev/").is_some_and(|d| {
        !["shm", "std", "fd", "tty", "pts", "null", "termination-log"].iter().any(|other| d.starts_with(other))
    });
    (if class == Class::MissingFile && device { Class::Device } else { class }, subject)
}
