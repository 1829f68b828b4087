//! Variables, settings, options and credentials: where their values come from.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    Blame, Case, contains_word, file,
    origin::{
        Origin, as_long, connection_string, given, longer, map, mentioned, normal, origin, read_by_code, spoken_of,
    },
    removed::{of_code, removed},
};
use crate::{
    detect::{
        context::{action, ns_flag, set},
        drift,
    },
    index::Now,
    logs::{self, Class, Signal},
    object::{Kind, Object, pod::EnvVar},
    remediation::ActionKind,
    severity::Confidence,
    words,
};

/// A failure of no known form: the variable or the mounted file that its words name.
pub(super) fn guess(case: &Case<'_, '_>, signal: &Signal) -> Option<Blame> {
    let signal = &Signal { text: logs::without_head(&signal.text).to_owned(), ..signal.clone() };
    if let Some(name) = mentioned(case, &signal.text) {
        let named = Signal { subject: Some(name), ..signal.clone() };
        return Some(bad(case, &named));
    }
    if let Some(e) = spoken_of(case, &signal.text) {
        return Some(
            case.own(signal)
                .says(format!("; it speaks of the value of {}", e.name))
                .field(case.path(&format!("env[{}]", e.name)))
                .step(set_env(case, &e.name)),
        );
    }
    // Or a word that is as long as the value of a key whose name the line speaks of, too.
    let lower = signal.text.to_ascii_lowercase();
    let named = |name: &str| {
        name.split(['_', '.', '-']).any(|w| w.len() >= 4 && contains_word(&lower, &w.to_ascii_lowercase()))
    };
    let words = signal.text.split(|c: char| !c.is_ascii_alphanumeric() && !"-_./:@".contains(c));
    let telling = |w: &&str| w.len() >= 5 && w.contains(['-', '_', '.', '/', ':', '@']);
    let words: Vec<&str> = words.map(|w| w.trim_end_matches([':', '.'])).filter(telling).collect();
    if let Some(found @ Origin::Map { .. }) = as_long(case, &words, named) {
        return Some(of_map(case, case.own(signal), found));
    }
    let path = signal
        .text
        .split(|c: char| c.is_whitespace() || "\"'(),=".contains(c))
        .map(|w| w.trim_end_matches([':', '.', ';']))
        .find(|w| w.starts_with('/') && file::from_volume(case, w));
    if let Some(path) = path {
        return Some(file::content(case, path, case.own(signal)));
    }
    static OF_CONFIGURATION: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r"(?i)config|\bsection\b|directive|\bplugin\b|must be (?:specified|set|provided|given)|mutually exclusive",
        )
        .ok()
    });
    OF_CONFIGURATION.as_ref().filter(|r| r.is_match(&signal.text))?;
    Some(from_files(case, case.own(signal))).filter(|b| !b.entity.same_name(&case.owner.subject))
}

/// The key of a ConfigMap that holds the name of a database, or its URL: the only one that can.
pub(super) fn database(case: &Case<'_, '_>, signal: &Signal, name: &str) -> Option<Blame> {
    static SPOKEN: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?i)(?:database|schema|keyspace|dbname):? ?=? ?['\x22`(]?([\w.-]+)").ok());
    let mut spoken = SPOKEN.as_ref()?.captures_iter(&signal.text);
    if !spoken.any(|m| &m[1] == name) {
        return None;
    }
    let words = ["DATABASE", "DB", "DBNAME", "SCHEMA", "PGDATABASE", "KEYSPACE"];
    let whole = |n: &str| normal(n).split('_').any(|w| words.contains(&w));
    let url = |n: &str| {
        let name = normal(n);
        ["DATABASE", "DATASOURCE", "DSN", "JDBC", "DB_", "POSTGRES", "MYSQL", "MONGO"].iter().any(|w| name.contains(w))
            && ["URL", "URI", "DSN", "CONN_STR", "CONNECTION_STRING"].iter().any(|w| name.contains(w))
    };
    let found = as_long(case, &[name], whole).or_else(|| longer(case, name, url))?;
    Some(of_map(case, case.own(signal), found))
}

/// A value of a ConfigMap is refused.
pub(super) fn of_map(case: &Case<'_, '_>, own: Blame, from: Origin) -> Blame {
    let Origin::Map { name, map: from, key } = from else { return own };
    let lately = case.wrote(&from, &key);
    let blame = own
        .says(format!("; {name} comes from key {key} of ConfigMap {from}"))
        .says(if lately { ", which was written anew shortly before" } else { "" })
        .on(case.reference(Kind::ConfigMap, &from), Some(format!("data[{key}]")), case)
        .step(set_key(case, &from, Some(&key)));
    with_keys(case, blame, &from)
}

/// A ConfigMap's key must get a value.
pub(super) fn set_key(case: &Case<'_, '_>, name: &str, key: Option<&str>) -> crate::remediation::ActionDraft {
    let target = case.reference(Kind::ConfigMap, name);
    action(
        ActionKind::SetConfigmapKey,
        &target,
        format!("{} takes it from there", case.owner.subject),
        "its pods take it in when they start again",
        "patch configmaps",
        format!(
            "kubectl edit configmap {name}{}{}",
            ns_flag(&target),
            key.map(|key| format!(" # key {key}")).unwrap_or_default()
        ),
    )
}

/// The keys of a ConfigMap as evidence.
fn with_keys(case: &Case<'_, '_>, blame: Blame, name: &str) -> Blame {
    match case.get(Kind::ConfigMap, name) {
        Some(object @ Object::ConfigMap(m)) => {
            let keys: Vec<String> = m.digests.iter().map(|(k, d)| format!("{k} ({} bytes)", d.bytes)).collect();
            let summary = format!("ConfigMap {name} has the keys {}", words::list(&keys, 8));
            blame.seen(object, "keys", summary, &[("keys", keys.join(", "))], Now::STAMP)
        }
        _ => blame,
    }
}

/// A variable or setting that is missing.
pub(super) fn missing(case: &Case<'_, '_>, signal: &Signal) -> Blame {
    let own = case.own(signal);
    let Some(name) = signal.subject.as_deref() else {
        return match &signal.file {
            Some(path) => file::content(case, path, own),
            None => own.field(case.path("env")),
        };
    };
    if name.starts_with('-') {
        return own.field(case.path("args")).step(case.edit(ActionKind::Patch, format!("{name} must be given")));
    }
    let set = set(
        ActionKind::SetEnv,
        &case.owner.subject,
        format!("{name} must be set"),
        "replaces its pods",
        ("env", format!("-c {} {}=VALUE", case.spec.name, normal(name))),
    );
    // A variable that is only called alike may be another.
    let same = |var: &str| normal(var) == normal(name);
    match origin(case, name) {
        Origin::Literal { name: var, value } if value.is_empty() => own
            .says(format!("; container {} sets {var} to an empty value", case.spec.name))
            .sure(if same(&var) { Confidence::Established } else { Confidence::Likely })
            .field(case.path(&format!("env[{var}]")))
            .step(set),
        Origin::Literal { name: var, .. } => own.field(case.path(&format!("env[{var}]"))).step(set),
        Origin::Map { name: var, map: from, key } => {
            let known = map(case, &from);
            let lacks = known.is_some_and(|m| !m.digests.contains_key(&key));
            let empty = known.is_some_and(|m| m.digests.get(&key).is_some_and(|d| d.bytes == 0));
            let gone = known.is_none() && case.knows(Kind::ConfigMap);
            let (why, sure) = match () {
                () if gone => (format!("; it comes from ConfigMap {from}, which does not exist (not found)"), true),
                () if lacks => (format!("; it comes from ConfigMap {from}, which has no key {key} (not found)"), true),
                () if empty => (format!("; it comes from key {key} of ConfigMap {from}, whose value is empty"), true),
                () => (format!("; {var} comes from key {key} of ConfigMap {from}"), false),
            };
            let blame = own
                .says(why)
                .sure(if sure && same(&var) { Confidence::Established } else { Confidence::Likely })
                .on(case.reference(Kind::ConfigMap, &from), Some(format!("data[{key}]")), case)
                .step(set_key(case, &from, Some(&key)));
            with_keys(case, blame, &from)
        }
        Origin::Secret { name: var, secret, key } => {
            let gone = case.get(Kind::Secret, &secret).is_none() && case.knows(Kind::Secret);
            let why = if gone { ", which does not exist (not found)" } else { "" };
            own.says(format!("; {var} comes from key {key} of Secret {secret}{why}"))
                .sure(if gone && same(&var) { Confidence::Established } else { Confidence::Likely })
                .on(case.reference(Kind::Secret, &secret), Some(format!("data[{key}]")), case)
        }
        // A dotted name is a property of the only file of properties it is given.
        Origin::Absent => match properties(case).filter(|_| name.contains('.')) {
            Some((map, key)) => own
                .says(format!("; its configuration is key {key} of ConfigMap {map}"))
                .on(case.reference(Kind::ConfigMap, &map), Some(format!("data[{key}]")), case)
                .step(set_key(case, &map, Some(&key))),
            None if signal.class == Class::MissingSetting => match removed(case, name, &own) {
                Some(blame) => blame,
                // What a parameter of its code is called is no name of a variable.
                None if of_code(signal) => match connection_string(case, &signal.text) {
                    Some(known) => of_map(case, own.field(case.path("env")), known),
                    None => own.field(case.path("env")),
                },
                None => absent(case, signal, name, own).step(set),
            },
            None => absent(case, signal, name, own).step(set),
        },
    }
}

/// The only file of properties it is given from a ConfigMap.
fn properties(case: &Case<'_, '_>) -> Option<(String, String)> {
    let (map, key) = file::only_map(case)?;
    let key = key.filter(|k| [".properties", ".yml", ".yaml"].iter().any(|e| k.ends_with(e)))?;
    Some((map, key))
}

/// The variable is set, and to nothing, or its ConfigMap lacks it.
pub(super) fn is_empty(case: &Case<'_, '_>, variable: &EnvVar) -> bool {
    match variable.value_from.as_ref().and_then(|f| f.config_map_key_ref.as_ref()) {
        Some(k) => map(case, &k.name).is_some_and(|m| m.digests.get(&k.key).is_none_or(|d| d.bytes == 0)),
        None => variable.value_from.is_none() && variable.value.as_deref().unwrap_or("").is_empty(),
    }
}

/// The line speaks of the environment itself, which what the image sets belongs to.
fn says_unset(signal: &Signal) -> bool {
    static FORM: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)environment|\benv(?:ironment)?[ _-]?var|\bos\.environ|getenv|process\.env|NotPresent").ok()
    });
    signal.class == Class::MissingEnv && FORM.as_ref().is_some_and(|r| r.is_match(&signal.text))
}

/// Somebody uses the variable or the key by this name: it is something in its own right.
fn is_used(case: &Case<'_, '_>, name: &str) -> bool {
    let keys = case.pod.spec.containers.iter().chain(&case.pod.spec.init_containers).flat_map(|c| &c.env);
    let mut refs = keys.filter_map(|e| e.value_from.as_ref()?.config_map_key_ref.as_ref());
    refs.any(|k| k.key == name) || case.texts().any(|t| contains_word(&t, name))
}

/// A variable that the container does not set at all.
fn absent(case: &Case<'_, '_>, signal: &Signal, name: &str, own: Blame) -> Blame {
    let var = normal(name);
    let own = own.field(case.path(&format!("env[{}]", if signal_like(name) { name } else { &var })));
    let mine = case.changes(&case.owner.subject);
    let at = case.path("env");
    let of =
        |path: &str| path.strip_prefix(&at).map(|p| normal(p.split(']').next().unwrap_or(p).trim_start_matches('[')));
    let moved = |wanted: &str, taken: bool| {
        let fields = mine.iter().flat_map(|c| &c.fields);
        fields
            .filter(|f| if taken { f.to.is_none() } else { f.from.is_none() })
            .any(|f| of(&f.path).as_deref() == Some(wanted))
    };
    let removed = moved(&var, true);
    let resembles = |other: &str| words::misspelt(&normal(other), &var) && !is_used(case, other);
    let maps: Vec<&str> =
        case.spec.env_from.iter().filter_map(|f| f.config_map_ref.as_ref()).map(|r| r.name.as_str()).collect();
    let secrets: Vec<&str> =
        case.spec.env_from.iter().filter_map(|f| f.secret_ref.as_ref()).map(|r| r.name.as_str()).collect();
    let unset = says_unset(signal) && secrets.is_empty() && maps.iter().all(|m| map(case, m).is_some());
    if let Some(near) = case.spec.env.iter().find(|e| resembles(&e.name)) {
        let sure = unset || removed || moved(&normal(&near.name), false);
        return own.says(format!("; container {} sets {} instead", case.spec.name, near.name)).sure(if sure {
            Confidence::Established
        } else {
            Confidence::Likely
        });
    }
    if removed {
        return own
            .says(format!("; it was removed from the env of container {} shortly before", case.spec.name))
            .sure(Confidence::Established);
    }
    for from in &maps {
        let Some(known) = map(case, from) else {
            if case.knows(Kind::ConfigMap) && maps.len() == 1 && secrets.is_empty() {
                return own.says(format!("; ConfigMap {from} (envFrom) does not exist (not found)")).on(
                    case.reference(Kind::ConfigMap, from),
                    None,
                    case,
                );
            }
            continue;
        };
        let near = known.digests.keys().find(|k| resembles(k));
        let reference = case.reference(Kind::ConfigMap, from);
        let changes = case.changes(&reference);
        let fields = || changes.iter().flat_map(|c| &c.fields).filter_map(|f| Some((f.path.strip_prefix("data.")?, f)));
        let removed = fields().any(|(k, f)| f.to.is_none() && normal(k) == var);
        if let Some(near) = near {
            let sure = removed || fields().any(|(k, f)| f.from.is_none() && k == near);
            let blame = own
                .says(format!("; ConfigMap {from} (envFrom) has {near} instead of {name}"))
                .sure(if sure { Confidence::Established } else { Confidence::Likely })
                .on(reference, Some(format!("data[{near}]")), case)
                .step(set_key(case, from, Some(name)));
            return with_keys(case, blame, from);
        }
        // Whoever takes all its settings from one ConfigMap misses this one there.
        if removed || (maps.len() == 1 && secrets.is_empty() && case.spec.env.is_empty()) {
            let blame = own
                .says(format!("; ConfigMap {from}, whose keys are its environment (envFrom), has no key {name}"))
                .sure(if removed { Confidence::Established } else { Confidence::Likely })
                .on(reference, Some(format!("data[{name}]")), case)
                .step(set_key(case, from, Some(name)));
            return with_keys(case, blame, from);
        }
    }
    for from in &secrets {
        let Some(Object::Secret(known)) = case.get(Kind::Secret, from) else { continue };
        if let Some(near) = known.keys.iter().flatten().find(|k| resembles(k)) {
            return own.says(format!("; Secret {from} (envFrom) has {near} instead of {name}")).on(
                case.reference(Kind::Secret, from),
                Some(format!("data[{near}]")),
                case,
            );
        }
    }
    if secrets.is_empty() && maps.iter().all(|m| map(case, m).is_some()) {
        // The image may set it, or a file: only a line that speaks of the environment itself proves that nobody does.
        return own.says(format!("; container {} does not set it", case.spec.name)).sure(if unset {
            Confidence::Established
        } else {
            Confidence::Likely
        });
    }
    own
}

fn signal_like(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A value that is refused.
pub(super) fn bad(case: &Case<'_, '_>, signal: &Signal) -> Blame {
    let own = case.own(signal);
    if let Some(path) = &signal.file {
        let blame = file::content(case, path, case.own(signal));
        if !blame.entity.same_name(&case.owner.subject) || blame.field.is_some() {
            return blame;
        }
    }
    let value = signal.value.as_deref();
    let named = signal.subject.as_deref().map(|s| origin(case, s)).filter(|o| !matches!(o, Origin::Absent));
    // The value itself leads to who wrote it; else the words do.
    let held = value.is_some_and(|v| case.spec.env.iter().any(|e| e.value.as_deref() == Some(v)));
    let named = named.or_else(|| mentioned(case, &signal.text).filter(|_| !held).map(|n| origin(case, &n)));
    // A value that the workload does not write itself is one of the keys it is given.
    let given = || value.filter(|v| case.written(v).is_none()).and_then(|_| given(case, &signal.text));
    let named = named.or_else(given);
    // Or the only one that is just as long. Short values are as long as many; of the keys of a Secret nothing is known.
    const LONG: usize = 5;
    let secret = case.spec.env_from.iter().any(|f| f.secret_ref.is_some());
    let long = || {
        let value = value.filter(|v| v.len() >= LONG && !secret && case.written(v).is_none())?;
        // Of several as long the only one whose name has a word that the line speaks of.
        let spoken = || {
            let words = drift::spoken(&signal.text);
            as_long(case, &[value], |n| drift::spoken(n).iter().any(|w| w.len() >= 4 && words.contains(w)))
        };
        as_long(case, &[value], |_| true).or_else(spoken)
    };
    let named = named.or_else(|| read_by_code(case, signal)).or_else(long);
    let named = named.or_else(|| connection_string(case, &signal.text));
    match named {
        Some(Origin::Literal { name, value: set }) => {
            let same = value.is_some_and(|v| v == set);
            let told = if value.is_none() && !set.is_empty() && set.len() <= 80 && !set.contains('‹') {
                format!("; it is set to “{set}”")
            } else {
                String::new()
            };
            let by = if signal.subject.as_deref() == Some(&name) { String::new() } else { format!(", set by {name}") };
            return own
                .says(format!("{by}{told}"))
                .sure(if same { Confidence::Established } else { Confidence::Likely })
                .field(case.path(&format!("env[{name}]")))
                .step(set_env(case, &name));
        }
        Some(found @ Origin::Map { .. }) => return of_map(case, own, found),
        Some(Origin::Secret { name, secret, key }) => {
            return own.says(format!("; {name} comes from key {key} of Secret {secret}")).on(
                case.reference(Kind::Secret, &secret),
                Some(format!("data[{key}]")),
                case,
            );
        }
        Some(Origin::Absent) | None => {}
    }
    if let Some(value) = value.filter(|v| v.len() >= 2) {
        let mut holders = case.spec.env.iter().filter(|e| e.value.as_deref() == Some(value));
        if let (Some(e), None) = (holders.next(), holders.next()) {
            return own
                .says(format!("; it is the value of {}", e.name))
                .sure(Confidence::Established)
                .field(case.path(&format!("env[{}]", e.name)))
                .step(set_env(case, &e.name));
        }
        if let Some(field) = case.written(value) {
            return own.field(field).step(case.edit(ActionKind::Patch, format!("“{value}” is refused")));
        }
    }
    if let Some(field) = signal.subject.as_deref().and_then(|s| case.written(s)) {
        return own.field(field).step(case.edit(ActionKind::Patch, "the refused setting must change"));
    }
    let part = signal.subject.as_deref().map(|s| (format!(".{s}="), format!(".{s}")));
    let has = |list: &[String]| {
        part.as_ref().is_some_and(|(set, bare)| list.iter().any(|a| a.contains(set) || a.ends_with(bare)))
    };
    if has(&case.spec.args) || has(&case.spec.command) {
        let field = case.path(if has(&case.spec.args) { "args" } else { "command" });
        return own.field(field).step(case.edit(ActionKind::Patch, "the refused setting must change"));
    }
    from_files(case, own)
}

pub(super) fn set_env(case: &Case<'_, '_>, name: &str) -> crate::remediation::ActionDraft {
    let subject = &case.owner.subject;
    set(
        ActionKind::SetEnv,
        subject,
        format!("{name} must have a value that the program takes"),
        "replaces its pods",
        ("env", format!("-c {} {name}=VALUE", case.spec.name)),
    )
}

/// A fault of a file that the log does not name: the one its command line names, else the only ConfigMap it mounts.
fn from_files(case: &Case<'_, '_>, own: Blame) -> Blame {
    let values = case.spec.env.iter().filter_map(|e| e.value.as_ref());
    let words = case.spec.command.iter().chain(&case.spec.args).chain(values);
    let words = words.flat_map(|w| w.split(|c: char| c.is_whitespace() || "=\"';".contains(c)));
    let mut named: Vec<&str> =
        words.filter(|w| w.starts_with('/') && !file::sets_nothing(w) && file::from_map(case, w)).collect();
    named.sort_unstable();
    named.dedup();
    if let [path] = named.as_slice() {
        return file::content(case, path, own);
    }
    match file::only_map(case) {
        Some((name, key)) if own.field.is_none() => {
            let field = key.as_ref().map(|k| format!("data[{k}]"));
            let of = key.map(|k| format!(", key {k}")).unwrap_or_default();
            let blame = own.says(format!("; its configuration is mounted from ConfigMap {name}{of}")).on(
                case.reference(Kind::ConfigMap, &name),
                field,
                case,
            );
            with_keys(case, blame, &name)
        }
        _ => own,
    }
}
