//! The common forms of secrets in free text.

use std::{borrow::Cow, sync::LazyLock};

use regex::{Captures, Regex, RegexSet};

struct Form {
    pattern: String,
    /// What is written in its place; group `keep` stays before it, `after` behind it.
    what: &'static str,
    /// The form is also that of ordinary sentences: a value that is a word of prose stays.
    prose: bool,
}

/// Names that say that a secret follows.
const NAMES: &str = "password|passwd|passphrase|passcode|secret|api[_-]?key|access[_-]?key|private[_-]?key|secret[_-]?key|signing[_-]?key|encryption[_-]?key|auth[_-]?key|token|accountkey|credentials?";
/// Of these, those after which a colon hardly ever begins a sentence; `secret: not found` does.
const SURE: &str = "password|passwd|passphrase|passcode|api[_-]?key|access[_-]?key|private[_-]?key|secret[_-]?key|signing[_-]?key|encryption[_-]?key|client[_-]?secret|app[_-]?secret|(?:auth|access|refresh|bearer|id|api)[_-]?token|accountkey|(?:[a-z0-9]+[_-])(?:pass|pwd)";
/// Words that follow such a name where people write of it.
const PROSE: &[&str] = &[
    "null",
    "nil",
    "none",
    "true",
    "false",
    "undefined",
    "empty",
    "missing",
    "required",
    "invalid",
    "expired",
    "wrong",
    "incorrect",
    "unset",
    "not",
    "is",
    "are",
    "was",
    "were",
    "must",
    "may",
    "can",
    "cannot",
    "could",
    "unknown",
    "error",
    "failed",
    "denied",
    "rejected",
    "redacted",
    "and",
    "or",
    "the",
    "for",
    "to",
    "in",
    "of",
    "on",
    "has",
    "have",
    "should",
    "needs",
    "given",
    "set",
    "provided",
    "flag",
    "option",
    "value",
    "authentication",
    "file",
    "from",
];

fn forms() -> Vec<Form> {
    let form = |what: &'static str, prose: bool, pattern: String| Form { pattern, what, prose };
    let sure = |what: &'static str, pattern: &str| form(what, false, pattern.to_owned());
    vec![
        sure(
            "private key",
            r"(?P<keep>)(?P<value>-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----)?)(?P<after>)",
        ),
        sure("token", r"(?P<keep>\b)(?P<value>eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)(?P<after>)"),
        sure("token", r"(?P<keep>(?i:\bbearer\s+))(?P<value>[A-Za-z0-9._~+/=-]{12,})(?P<after>)"),
        sure("credentials", r"(?P<keep>(?i:\bbasic\s+))(?P<value>[A-Za-z0-9+/]{12,}={0,2})(?P<after>)"),
        // A password may hold an `@`: the last one ends it.
        sure("password", r"(?P<keep>\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s:/@'\x22]*:)(?P<value>[^\s/'\x22‹]+)(?P<after>@)"),
        sure("access key", r"(?P<keep>\b)(?P<value>(?:AKIA|ASIA)[0-9A-Z]{16}\b)(?P<after>)"),
        sure(
            "token",
            r"(?P<keep>\b)(?P<value>gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}|glpat-[A-Za-z0-9_-]{16,})(?P<after>)",
        ),
        sure("token", r"(?P<keep>\b)(?P<value>xox[abeoprs]-[A-Za-z0-9-]{10,})(?P<after>)"),
        sure("key", r"(?P<keep>\b)(?P<value>(?:sk|pk|rk)[-_](?:live|test|proj|ant)[-_][A-Za-z0-9_-]{12,})(?P<after>)"),
        sure("key", r"(?P<keep>\b)(?P<value>AIza[0-9A-Za-z_-]{35})(?P<after>)"),
        sure("token", r"(?P<keep>\b)(?P<value>ya29\.[0-9A-Za-z_-]{20,})(?P<after>)"),
        // A quoted value after a name that says what it is; the quotes may be escaped, as in JSON within JSON.
        form(
            "secret",
            false,
            format!(
                r#"(?P<keep>(?i:\b[a-z0-9_.-]*(?:{NAMES}|[_-](?:pass|pwd)|\bpass|\bpwd))["']?\s*(?::=|=>|=|:)\s*")(?P<value>(?:[^"\\‹]|\\.)(?:[^"\\]|\\.)*)(?P<after>")"#
            ),
        ),
        form(
            "secret",
            false,
            format!(
                r#"(?P<keep>(?i:\b[a-z0-9_.-]*(?:{NAMES}|[_-](?:pass|pwd)|\bpass|\bpwd))["']?\s*(?::=|=>|=|:)\s*')(?P<value>[^'‹][^']*)(?P<after>')"#
            ),
        ),
        form(
            "secret",
            false,
            format!(
                r#"(?P<keep>(?i:\b[a-z0-9_.-]*(?:{NAMES}|[_-](?:pass|pwd)|\bpass|\bpwd))\\*["']?\s*(?::=|=>|=|:)\s*\\+["'])(?P<value>[^"'\\‹][^\n]*?)(?P<after>\\+["'])"#
            ),
        ),
        // name=value without quotes; prose such as `token expired` or `secret: not found` has no equals sign.
        form(
            "secret",
            false,
            format!(
                r#"(?P<keep>(?i:\b[a-z0-9_.-]*(?:{NAMES}|[_-](?:pass|pwd)|\bpass))=)(?P<value>[^\s"'‹\\,;&)][^\s"'‹,;&)]{{2,}})(?P<after>)"#
            ),
        ),
        // A shell's own PWD is a folder.
        form(
            "secret",
            false,
            r#"(?P<keep>(?i:\bpwd)=)(?P<value>[^\s"'‹\\,;&)/][^\s"'‹,;&)]{2,})(?P<after>)"#.to_owned(),
        ),
        // `password: hunter2` is the last word of its line or clause, or holds more than letters.
        form(
            "secret",
            true,
            format!(
                r#"(?m)(?P<keep>(?i:\b[a-z0-9_.-]*(?:{SURE}))\\*["']?:[ \t]*)(?P<value>[^\s"'‹\\,;)}}\]]{{3,}})(?P<after>[ \t]*(?:[,;)}}\]]|$))"#
            ),
        ),
        form(
            "secret",
            true,
            format!(
                r#"(?P<keep>(?i:\b[a-z0-9_.-]*(?:{SURE}))\\*["']?:[ \t]*)(?P<value>[^\s"'‹\\,;)}}\]]*[^\sA-Za-z"'‹\\,;)}}\]][^\s"'‹\\,;)}}\]]*)(?P<after>)"#
            ),
        ),
        form("token", true, r#"(?P<keep>(?i:\btoken):[ \t]*)(?P<value>[A-Za-z0-9_./+=-]{16,})(?P<after>)"#.to_owned()),
        // `--password hunter2`, and the short options of well-known programs.
        form(
            "argument",
            true,
            format!(
                r#"(?P<keep>(?:^|[\s"'`])--?(?i:[a-z0-9-]*(?:{NAMES}|\bpass|\bpwd))\s+["']?)(?P<value>[^\s"'‹\\,;-][^\s"'‹]*)(?P<after>)"#
            ),
        ),
        sure(
            "argument",
            r#"(?P<keep>\b(?:(?:mysql|mariadb)[\w-]*\s(?:[^|;&\n]*?\s)?-p|(?:mongo\w*|sshpass)\s(?:[^|;&\n]*?\s)?-p\s?|redis-cli\s(?:[^|;&\n]*?\s)?-a\s?|curl\s(?:[^|;&\n]*?\s)?(?:-u|--user)\s?)["']?)(?P<value>[^\s"'‹\\-][^\s"'‹]*)(?P<after>)"#,
        ),
    ]
}

static FORMS: LazyLock<Vec<Form>> = LazyLock::new(forms);

static SET: LazyLock<Option<(RegexSet, Vec<Regex>)>> = LazyLock::new(|| {
    let set = RegexSet::new(FORMS.iter().map(|f| &f.pattern)).ok()?;
    let each: Result<Vec<Regex>, _> = FORMS.iter().map(|f| Regex::new(&f.pattern)).collect();
    Some((set, each.ok()?))
});

/// Replaces every form that is found.
pub(super) fn text(input: &str) -> Cow<'_, str> {
    let Some((set, each)) = &*SET else { return Cow::Borrowed(input) };
    // Most lines hold nothing: one pass over all patterns says so.
    if !set.is_match(input) {
        return Cow::Borrowed(input);
    }
    let mut out = input.to_owned();
    for (i, form) in FORMS.iter().enumerate() {
        if each[i].is_match(&out) {
            out = each[i]
                .replace_all(&out, |c: &Captures<'_>| {
                    let part = |name| c.name(name).map_or("", |m| m.as_str());
                    if form.prose && PROSE.contains(&part("value").to_ascii_lowercase().trim_end_matches(['.', ':'])) {
                        return c[0].to_owned();
                    }
                    format!("{}{}{}", part("keep"), super::mark(form.what), part("after"))
                })
                .into_owned();
        }
    }
    if out == input { Cow::Borrowed(input) } else { Cow::Owned(out) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_pattern_compiles() {
        assert!(super::SET.is_some());
    }
}
