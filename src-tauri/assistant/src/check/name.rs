//! Names in a sentence: those that look like one, and plain words that stand beside a kind of object.

use afterwatch_core::incident::Incident;

use super::{
    lexicon::{DESCRIBING, FUNCTION, PROSE},
    word::{self, Word, occurs},
};

/// Kinds as people write them, with the kind they mean.
const KINDS: &[(&str, &str)] = &[
    ("pod", "Pod"),
    ("deployment", "Deployment"),
    ("statefulset", "StatefulSet"),
    ("daemonset", "DaemonSet"),
    ("replicaset", "ReplicaSet"),
    ("cronjob", "CronJob"),
    ("job", "Job"),
    ("service", "Service"),
    ("node", "Node"),
    ("namespace", "Namespace"),
    ("container", ""),
    ("secret", "Secret"),
    ("configmap", "ConfigMap"),
    ("ingress", "Ingress"),
    ("persistentvolumeclaim", "PersistentVolumeClaim"),
    ("claim", "PersistentVolumeClaim"),
    ("storageclass", "StorageClass"),
    ("resourcequota", "ResourceQuota"),
    ("workload", ""),
    ("app", ""),
    ("application", ""),
    ("image", ""),
    ("cluster", ""),
    ("variable", ""),
];

/// Other things that are called by a name after them; what follows with an `s` at its end is mostly a verb.
const NAMED: &[&str] = &["volume", "plugin", "webhook", "quota", "key", "host", "user", "manager", "class", "called"];

/// The names of a text, in its order, each once.
pub(super) fn names<'t>(text: &'t str, world: &str) -> Vec<Word<'t>> {
    let words = word::words(text);
    let mut out: Vec<Word<'t>> = Vec::new();
    let mut take = |w: Word<'t>| {
        if !out.iter().any(|o| o.text.eq_ignore_ascii_case(w.text)) {
            out.push(w);
        }
    };
    for (n, w) in words.iter().enumerate() {
        if word::is_name(w.text) && !is_amount(w.text) && !is_kind_word(w.text) {
            take(*w);
            continue;
        }
        if NAMED.contains(&w.text.to_lowercase().as_str())
            && let Some(next) = words.get(n + 1).filter(|next| adjacent(text, w, next))
            && !is_prose(next.text)
            && !next.text.ends_with('s')
            && !word::is_name(next.text)
            && kind_of(next.text).is_none()
            && next.text.chars().all(char::is_alphabetic)
        {
            take(*next);
        }
        let Some(kind) = kind_of(w.text) else { continue };
        let plural = w.text.to_lowercase().ends_with('s') && !kind.0.ends_with('s');
        // `pod checkout`: what follows a kind is its name, unless it is a word of prose.
        if let Some(next) = words.get(n + 1).filter(|next| adjacent(text, w, next))
            && !plural
            && !is_prose(next.text)
            && !word::is_name(next.text)
            && kind_of(next.text).is_none()
            && next.text.chars().any(char::is_alphabetic)
        {
            take(*next);
        }
        // `the checkout deployment`: what stands before a kind is its name, unless it describes it.
        if let Some(before) = n.checked_sub(1).map(|b| words[b]).filter(|before| adjacent(text, before, w))
            && !is_prose(before.text)
            && !describes(before.text)
            && !word::is_name(before.text)
            && kind_of(before.text).is_none()
            && before.text.chars().all(|c| c.is_alphabetic() || c == '-')
            && (!before.first || occurs(world, &before.text.to_lowercase()))
        {
            take(before);
        }
    }
    out
}

/// Whether nothing but blanks stands between two words.
fn adjacent(text: &str, a: &Word<'_>, b: &Word<'_>) -> bool {
    let between = &text[a.at + a.text.len()..b.at];
    between.chars().all(|c| c.is_whitespace() || matches!(c, '"' | '“' | '‘' | '\'' | '`'))
}

fn kind_of(word: &str) -> Option<(&'static str, &'static str)> {
    let lower = word.to_lowercase();
    let single = lower.strip_suffix('s').filter(|_| lower != "ingress").unwrap_or(&lower);
    KINDS.iter().copied().find(|(kind, _)| *kind == single || *kind == lower)
}

/// `StatefulSet`, `OOMKilled` and the like: words of Kubernetes that look like names.
fn is_kind_word(word: &str) -> bool {
    const WORDS: &[&str] = &[
        "kubernetes",
        "utc",
        "api",
        "cpu",
        "oomkilled",
        "oom-killed",
        "oom",
        "k8s",
        "crashloopbackoff",
        "post-mortem",
        "networkpolicy",
        "limitrange",
        "ram",
        "kube-apiserver",
    ];
    let lower = word.to_lowercase();
    kind_of(word).is_some() || WORDS.contains(&lower.as_str())
}

/// Whether a name occurs, as it is or as what it is made of.
pub(super) fn is_there(lower: &str, scope: &str) -> bool {
    if occurs(scope, lower) {
        return true;
    }
    // `shop/checkout` where the record says namespace and name apart, and `A=b` where it says `A` and `b`.
    for sign in ['/', '=', ':'] {
        let parts: Vec<&str> = lower.split(sign).filter(|p| !p.is_empty()).collect();
        // A tag and a path are more than their parts.
        let loose = sign != ':' && parts.len() == 2;
        if loose && parts.iter().all(|part| occurs(scope, part)) {
            return true;
        }
    }
    // `STRIPE_KEY's`, plural of a reason.
    lower.strip_suffix('s').is_some_and(|one| one.len() > 4 && occurs(scope, one))
}

/// `64Mi`, `17m`, `3s`: an amount and no name.
pub(super) fn is_amount(word: &str) -> bool {
    let digits = word.trim_start_matches('~').trim_end_matches(|c: char| c.is_alphabetic() || c == '%' || c == '×');
    let unit = &word[word.len().min(digits.len())..];
    let number =
        !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || c == '.') && digits.matches('.').count() < 2;
    let known = matches!(
        unit,
        "" | "Ki"
            | "Mi"
            | "Gi"
            | "Ti"
            | "KiB"
            | "MiB"
            | "GiB"
            | "TiB"
            | "kB"
            | "KB"
            | "MB"
            | "GB"
            | "TB"
            | "B"
            | "k"
            | "K"
            | "M"
            | "G"
            | "m"
            | "s"
            | "h"
            | "d"
            | "ms"
            | "%"
            | "×"
            | "x"
            | "min"
            | "st"
            | "nd"
            | "rd"
            | "th"
    );
    // `1h2m3s`
    let chained = !digits.is_empty() && word.chars().all(|c| c.is_ascii_digit() || "hms.".contains(c));
    (number && known)
        || (digits.is_empty() && unit.len() == 3 && unit.ends_with("iB"))
        || (chained && word.starts_with(|c: char| c.is_ascii_digit()) && word.ends_with(['h', 'm', 's']))
}

/// The sentence calls something by another kind than it is.
pub(super) fn wrong_kind(text: &str, incident: &Incident, scope: &str) -> Option<String> {
    let words = word::words(text);
    let mut objects: Vec<(&str, &str)> = vec![(&incident.subject.kind, &incident.subject.name)];
    objects.extend(incident.evidence.iter().map(|e| (e.draft.object.kind.as_str(), e.draft.object.name.as_str())));
    objects.extend(incident.changes.iter().map(|c| (c.change.object.kind.as_str(), c.change.object.name.as_str())));
    objects.extend(incident.causes.iter().map(|c| (c.entity.kind.as_str(), c.entity.name.as_str())));
    for pair in words.windows(2) {
        for (kind_word, name) in [(&pair[0], &pair[1]), (&pair[1], &pair[0])] {
            let Some((_, kind)) = kind_of(kind_word.text).filter(|(_, kind)| !kind.is_empty()) else { continue };
            let name = name.text.to_lowercase();
            let of_name: Vec<&str> =
                objects.iter().filter(|(_, n)| n.to_lowercase() == name).map(|(kind, _)| *kind).collect();
            let said = scope.contains(&format!("{} {name}", kind.to_lowercase()))
                || scope.contains(&format!("{}/{name}", kind.to_lowercase()))
                || occurs(scope, &format!("{name} {}", kind.to_lowercase()));
            let pods = kind == "Pod" && objects.iter().any(|(k, n)| *k == "Pod" && n.starts_with(&name));
            // `basket pods`: those of the Service or the workload of that name.
            let of_them = kind == "Pod" && std::ptr::eq(kind_word, &pair[1]);
            if !of_name.is_empty() && !of_name.contains(&kind) && !said && !pods && !of_them && !is_prose(&name) {
                return Some(format!("{name} is a {}, not a {kind}", of_name[0]));
            }
        }
    }
    None
}

/// Words that follow a kind and are no name.
fn is_prose(word: &str) -> bool {
    let lower = word.to_lowercase();
    is_function_word(&lower)
        || PROSE.has(&lower)
        || (lower.len() > 4 && ["ed", "ing", "ly"].iter().any(|ending| lower.ends_with(ending)))
}

/// Words that describe what follows.
fn describes(word: &str) -> bool {
    let lower = word.to_lowercase();
    DESCRIBING.has(&lower)
        || (lower.len() > 4
            && ["ed", "ing", "able", "ible", "ful", "ous", "ive", "less", "ical", "ly", "ary", "ant", "ent", "est"]
                .iter()
                .any(|ending| lower.ends_with(ending)))
        || lower.contains('-')
}

/// Words without a meaning of their own.
pub(super) fn is_function_word(lower: &str) -> bool {
    FUNCTION.has(lower)
}
