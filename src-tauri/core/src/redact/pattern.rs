//! The common forms of secrets in free text.

use std::{borrow::Cow, sync::LazyLock};

use regex::{Captures, Regex, RegexSet};

struct Form {
    pattern: &'static str,
    /// What is written in its place; group `keep` stays before it, `after` behind it.
    what: &'static str,
}

const FORMS: &[Form] = &[
    Form {
        pattern: r"(?P<keep>)-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----)?(?P<after>)",
        what: "private key",
    },
    Form { pattern: r"(?P<keep>\b)eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*(?P<after>)", what: "token" },
    Form { pattern: r"(?P<keep>(?i:\bbearer\s+))[A-Za-z0-9._~+/=-]{12,}(?P<after>)", what: "token" },
    Form { pattern: r"(?P<keep>(?i:\bbasic\s+))[A-Za-z0-9+/]{12,}={0,2}(?P<after>)", what: "credentials" },
    Form {
        pattern: r"(?P<keep>\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s:/@'\x22]*:)[^\s@/'\x22‹]+(?P<after>@)",
        what: "password",
    },
    Form { pattern: r"(?P<keep>\b)(?:AKIA|ASIA)[0-9A-Z]{16}\b(?P<after>)", what: "access key" },
    Form {
        pattern: r"(?P<keep>\b)(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}|glpat-[A-Za-z0-9_-]{16,})(?P<after>)",
        what: "token",
    },
    Form { pattern: r"(?P<keep>\b)xox[abeoprs]-[A-Za-z0-9-]{10,}(?P<after>)", what: "token" },
    Form {
        pattern: r"(?P<keep>\b)(?:sk|pk|rk)[-_](?:live|test|proj|ant)[-_][A-Za-z0-9_-]{12,}(?P<after>)",
        what: "key",
    },
    Form { pattern: r"(?P<keep>\b)AIza[0-9A-Za-z_-]{35}(?P<after>)", what: "key" },
    Form { pattern: r"(?P<keep>\b)ya29\.[0-9A-Za-z_-]{20,}(?P<after>)", what: "token" },
    Form {
        // A quoted value after a name that says what it is.
        pattern: r#"(?P<keep>(?i:\b[a-z0-9_.-]*(?:password|passwd|passphrase|secret|api[_-]?key|access[_-]?key|private[_-]?key|token|accountkey))["']?\s*(?:=|:|:=)\s*["'])[^"'‹]{3,}(?P<after>["'])"#,
        what: "secret",
    },
    Form {
        // name=value without quotes; prose such as `token expired` or `secret: not found` has no equals sign.
        pattern: r#"(?P<keep>(?i:\b[a-z0-9_.-]*(?:password|passwd|passphrase|secret|api[_-]?key|access[_-]?key|private[_-]?key|token|accountkey))=)[^\s"'‹,;&)]{3,}(?P<after>)"#,
        what: "secret",
    },
];

static SET: LazyLock<Option<(RegexSet, Vec<Regex>)>> = LazyLock::new(|| {
    let set = RegexSet::new(FORMS.iter().map(|f| f.pattern)).ok()?;
    let each: Result<Vec<Regex>, _> = FORMS.iter().map(|f| Regex::new(f.pattern)).collect();
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
