//! Files and folders: what is mounted where they lie.

use super::{Blame, Case};
use crate::{
    change::{Change, ChangeVerb},
    detect::context::{action, edit, ns_flag},
    explain::reach::is_controller,
    index::Now,
    logs::Signal,
    object::{
        Kind, Object,
        pod::VolumeMount,
        volume::{ConfigMapVolume, KeyToPath, Volume},
    },
    remediation::ActionKind,
    severity::Confidence,
    words,
};

/// The mount a path lies under, and its path within the volume.
pub(super) struct Place<'c> {
    pub mount: &'c VolumeMount,
    pub volume: &'c Volume,
    pub within: String,
}

pub(super) fn place<'c>(case: &'c Case<'_, '_>, path: &str) -> Option<Place<'c>> {
    let path = path.split(':').next().unwrap_or(path);
    let mount = case
        .spec
        .volume_mounts
        .iter()
        .filter(|m| {
            let at = m.mount_path.trim_end_matches('/');
            path == at || path.strip_prefix(at).is_some_and(|rest| rest.starts_with('/'))
        })
        .max_by_key(|m| m.mount_path.trim_end_matches('/').len())?;
    let volume = case.pod.spec.volumes.iter().find(|v| v.name == mount.name)?;
    let below = path[mount.mount_path.trim_end_matches('/').len()..].trim_start_matches('/');
    let within = match (mount.sub_path.as_deref(), below) {
        (Some(sub), "") => sub.to_owned(),
        (Some(sub), below) => format!("{}/{below}", sub.trim_end_matches('/')),
        (None, below) => below.to_owned(),
    };
    Some(Place { mount, volume, within })
}

/// The ConfigMap a file of a volume comes from, and the key.
fn map_of(volume: &Volume, within: &str) -> Option<(String, String, bool)> {
    let projected = volume.projected.iter().flat_map(|p| &p.sources).filter_map(|s| s.config_map.as_ref());
    let maps: Vec<&ConfigMapVolume> = volume.config_map.iter().chain(projected).collect();
    let key = |items: &[KeyToPath]| items.iter().find(|i| i.path == within).map(|i| i.key.clone());
    let listed = maps.iter().find_map(|m| key(&m.items).map(|k| (m.name.clone(), k, true)));
    listed.or_else(|| {
        let whole = maps.iter().find(|m| m.items.is_empty()).or(maps.first())?;
        Some((whole.name.clone(), within.to_owned(), whole.items.is_empty()))
    })
}

/// The Secret a volume shows.
fn secret_of(volume: &Volume, within: &str) -> Option<(String, String)> {
    let of = |name: &str, items: &[KeyToPath]| {
        let key = items.iter().find(|i| i.path == within).map_or(within, |i| &i.key);
        (name.to_owned(), key.to_owned())
    };
    if let Some(s) = &volume.secret {
        return Some(of(&s.secret_name, &s.items));
    }
    let secret = volume.projected.iter().flat_map(|p| &p.sources).find_map(|s| s.secret.as_ref())?;
    Some(of(&secret.name, &secret.items))
}

/// The path is a file of a mounted ConfigMap.
pub(super) fn from_map(case: &Case<'_, '_>, path: &str) -> bool {
    place(case, path).is_some_and(|p| map_of(p.volume, &p.within).is_some() && !p.within.is_empty())
}

/// The path is a file of a mounted ConfigMap or Secret.
pub(super) fn from_volume(case: &Case<'_, '_>, path: &str) -> bool {
    let secret = |p: &Place<'_>| secret_of(p.volume, &p.within).is_some() && !p.within.is_empty();
    from_map(case, path) || place(case, path).is_some_and(|p| secret(&p))
}

/// Where the only file of a mounted ConfigMap or Secret lies whose name has this word.
pub(super) fn mounted_as(case: &Case<'_, '_>, word: &str) -> Option<String> {
    let named = |name: &str| name.contains(word);
    let mut found = case.spec.volume_mounts.iter().filter_map(|m| {
        let volume = case.pod.spec.volumes.iter().find(|v| v.name == m.name)?;
        let at = m.mount_path.trim_end_matches('/');
        let (name, items, keys): (&str, &[KeyToPath], Vec<String>) = match (&volume.config_map, &volume.secret) {
            (Some(map), _) => (&map.name, &map.items, keys_of(case, Kind::ConfigMap, &map.name)),
            (None, Some(secret)) => {
                (&secret.secret_name, &secret.items, keys_of(case, Kind::Secret, &secret.secret_name))
            }
            (None, None) => return None,
        };
        if let Some(sub) = m.sub_path.as_deref() {
            return (named(sub) || named(at)).then(|| at.to_owned());
        }
        let paths: Vec<&str> = match items.is_empty() {
            true => keys.iter().map(String::as_str).collect(),
            false => items.iter().map(|i| i.path.as_str()).collect(),
        };
        // Where its keys are not known, what it is called tells what it holds.
        let by_name = || named(&name.replace(['-', '.'], "_")).then_some(word).filter(|_| paths.is_empty());
        paths.iter().copied().find(|p| named(p)).or_else(by_name).map(|p| format!("{at}/{p}"))
    });
    found.next().filter(|_| found.next().is_none())
}

/// The keys of a ConfigMap or Secret, as far as they are known.
fn keys_of(case: &Case<'_, '_>, kind: Kind, name: &str) -> Vec<String> {
    match case.get(kind, name) {
        Some(Object::ConfigMap(map)) => map.digests.keys().cloned().collect(),
        Some(Object::Secret(secret)) => secret.keys.iter().flatten().cloned().collect(),
        _ => Vec::new(),
    }
}

/// The Secrets the container mounts, and where.
pub(super) fn secrets<'c>(case: &'c Case<'_, '_>) -> impl Iterator<Item = (&'c str, &'c str)> {
    case.spec.volume_mounts.iter().filter_map(|m| {
        let volume = case.pod.spec.volumes.iter().find(|v| v.name == m.name)?;
        Some((volume.secret.as_ref()?.secret_name.as_str(), m.mount_path.as_str()))
    })
}

/// A program or a certificate, and no configuration.
pub(super) fn sets_nothing(name: &str) -> bool {
    const ENDINGS: [&str; 17] = [
        "py",
        "js",
        "mjs",
        "cjs",
        "ts",
        "rb",
        "sh",
        "bash",
        "php",
        "pl",
        "lua",
        "jar",
        "exs",
        "go",
        "crt",
        "pem",
        "ca-bundle",
    ];
    name.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}

/// The only ConfigMap the container mounts, and its only key; programs do not count.
pub(super) fn only_map(case: &Case<'_, '_>) -> Option<(String, Option<String>)> {
    let mounted = |v: &&Volume| case.spec.volume_mounts.iter().any(|m| m.name == v.name);
    let keys = |name: &str| match case.get(Kind::ConfigMap, name) {
        Some(Object::ConfigMap(m)) => m.digests.keys().filter(|k| !sets_nothing(k)).cloned().collect(),
        _ => vec![String::new()],
    };
    let maps = case.pod.spec.volumes.iter().filter(mounted).filter_map(|v| v.config_map.as_ref());
    let mut maps = maps.map(|m| (m.name.clone(), keys(&m.name))).filter(|(_, keys)| !keys.is_empty());
    let (name, keys) = maps.next().filter(|_| maps.next().is_none())?;
    let key = keys.first().filter(|k| keys.len() == 1 && !k.is_empty()).cloned();
    Some((name, key))
}

/// A file that is there and wrong.
pub(super) fn content(case: &Case<'_, '_>, path: &str, own: Blame) -> Blame {
    let bare = path.rsplit_once(':').filter(|(_, n)| n.chars().all(|c| c.is_ascii_digit())).map_or(path, |(p, _)| p);
    let Some(p) = place(case, bare) else {
        // Not mounted: it is part of the image, or written by the command.
        return match case.written(bare) {
            Some(field) => own.field(field),
            None => own,
        };
    };
    if let Some((name, key, _)) = map_of(p.volume, &p.within) {
        let known = case.get(Kind::ConfigMap, &name);
        if matches!(known, Some(Object::ConfigMap(m)) if !key.is_empty() && !m.digests.contains_key(&key)) {
            return own
                .says(format!("; ConfigMap {name}, mounted at {}, has no key {key} (not found)", p.mount.mount_path))
                .on(case.reference(Kind::ConfigMap, &name), Some(format!("data[{key}]")), case)
                .step(edit_map(case, &name, &key));
        }
        let lately = case.wrote(&name, &key);
        let blame = own
            .says(format!("; the file is key {key} of ConfigMap {name}, mounted at {}", p.mount.mount_path))
            .says(if lately { " and written anew shortly before" } else { "" })
            .on(case.reference(Kind::ConfigMap, &name), Some(format!("data[{key}]")), case)
            .step(edit_map(case, &name, &key));
        return match known {
            Some(object) => blame.seen(
                object,
                "mount",
                format!("ConfigMap {name} is mounted at {}", p.mount.mount_path),
                &[("key", key), ("mountPath", p.mount.mount_path.clone())],
                Now::STAMP,
            ),
            None => blame,
        };
    }
    if let Some((name, key)) = secret_of(p.volume, &p.within) {
        let secret = case.reference(Kind::Secret, &name);
        let by_person = |c: &Change| c.verb == ChangeVerb::Modified && !c.who.as_deref().is_some_and(is_controller);
        let lately = case.changes(&secret).into_iter().any(by_person);
        return own
            .says(format!("; the file is key {key} of Secret {name}, mounted at {}", p.mount.mount_path))
            .says(if lately { "; that Secret was changed shortly before" } else { "" })
            .on(secret, Some(format!("data[{key}]")), case);
    }
    own
}

fn edit_map(case: &Case<'_, '_>, name: &str, key: &str) -> crate::remediation::ActionDraft {
    let target = case.reference(Kind::ConfigMap, name);
    let (kind, command) = if target.uid.is_some() {
        (ActionKind::SetConfigmapKey, format!("kubectl edit configmap {name}{}", ns_flag(&target)))
    } else {
        let file = format!("kubectl create configmap {name}{} --from-file={key}=FILE", ns_flag(&target));
        (ActionKind::CreateConfigmap, file)
    };
    action(
        kind,
        &target,
        format!("{} reads {key} from it", case.owner.subject),
        "its pods take it in when they start again",
        "patch configmaps",
        command,
    )
}

/// A file that is not there.
pub(super) fn missing(case: &Case<'_, '_>, signal: &Signal) -> Blame {
    let own = case.own(signal);
    let Some(path) = signal.subject.as_deref() else { return own };
    let written = case.written(path);
    if path.starts_with("/var/run/secrets/kubernetes.io/serviceaccount") {
        return without_token(case, own);
    }
    let Some(p) = place(case, path) else {
        let executed = signal.text.contains(&format!("exec {path}"));
        return unmounted(case, path, executed, written, own);
    };
    if let Some((name, key, all)) = map_of(p.volume, &p.within) {
        let runs = case.spec.command.first().is_some_and(|c| c == path) || signal.text.contains("exec ");
        if let Some(blame) = interpreter(case, &p, &name, &key, case.own(signal)).filter(|_| runs && all) {
            return blame;
        }
        return not_in_map(case, &p, &name, &key, all, written, own);
    }
    if let Some((name, key)) = secret_of(p.volume, &p.within) {
        let gone = case.get(Kind::Secret, &name).is_none() && case.knows(Kind::Secret);
        let secret = match case.get(Kind::Secret, &name) {
            Some(Object::Secret(s)) => Some(s),
            _ => None,
        };
        let lacks = secret.is_some_and(|s| s.lacks(&key));
        let why = match secret {
            _ if gone => " does not exist (not found)".to_owned(),
            Some(s) if lacks => format!(" has no key {key} (not found).{}", s.has().trim_end_matches('.')),
            Some(s) if s.keys.is_some() => format!(" has the key {key} now"),
            _ => format!(" lacks the key {key}"),
        };
        return own
            .says(format!("; Secret {name}, mounted at {},{why}", p.mount.mount_path))
            .sure(if gone || lacks { Confidence::Established } else { Confidence::Likely })
            .on(case.reference(Kind::Secret, &name), Some(format!("data[{key}]")), case);
    }
    let own = match &p.volume.persistent_volume_claim {
        Some(claim) => {
            own.says(format!("; it would lie on claim {}, mounted at {}", claim.claim_name, p.mount.mount_path))
        }
        None if p.volume.empty_dir.is_some() => {
            own.says(format!("; volume {} at {} is an emptyDir: it begins empty", p.volume.name, p.mount.mount_path))
        }
        None => own,
    };
    own.field(written.unwrap_or_else(|| case.path(&format!("volumeMounts[{}]", p.mount.name))))
}

/// The token of its service account is not mounted: the pod, or the account, says so.
fn without_token(case: &Case<'_, '_>, own: Blame) -> Blame {
    const SETTING: &str = "automountServiceAccountToken";
    let field = case.owner.pod_field(SETTING);
    let name = case.pod.spec.service_account_name.as_deref().unwrap_or("default");
    let account = match case.get(Kind::ServiceAccount, name) {
        Some(Object::ServiceAccount(account)) => account.automount_service_account_token,
        _ => None,
    };
    match (case.pod.spec.automount_service_account_token, account) {
        (Some(false), _) => own
            .says(format!("; the pod has {SETTING}: false, so the token of ServiceAccount {name} is not mounted"))
            .sure(Confidence::Established)
            .field(field),
        (None, Some(false)) => own
            .says(format!("; ServiceAccount {name} has {SETTING}: false, and the pod does not ask for its token"))
            .sure(Confidence::Established)
            .on(case.reference(Kind::ServiceAccount, name), Some(SETTING.into()), case)
            .step(edit(
                ActionKind::Patch,
                &case.reference(Kind::ServiceAccount, name),
                "its pods get its token again when they are made anew",
            )),
        _ => own.says(format!("; the token of ServiceAccount {name} is not mounted")).field(field),
    }
}

/// A script that was there all the time and of which it is said that it does not exist.
fn interpreter(case: &Case<'_, '_>, p: &Place<'_>, name: &str, key: &str, own: Blame) -> Option<Blame> {
    let Some(Object::ConfigMap(map)) = case.get(Kind::ConfigMap, name) else { return None };
    let reference = case.reference(Kind::ConfigMap, name);
    let path = format!("data.{key}");
    let changes = case.changes(&reference);
    let mut fields = changes.iter().flat_map(|c| &c.fields).filter(|f| f.path == path);
    // A key that came only lately may not have been there yet; one that was written anew was there all the time.
    if !map.digests.contains_key(key) || fields.clone().any(|f| f.from.is_none()) {
        return None;
    }
    let anew = if fields.next().is_some() { "; it was written anew shortly before" } else { "" };
    Some(
        own.happened("its script cannot be run (no such file)")
            .says(format!(
                "; the script is there (key {key} of ConfigMap {name}, mounted at {}), so what does not exist is the interpreter that its first line names (#!) in image {}, also where that line ends in a carriage return (CRLF)",
                p.mount.mount_path, case.spec.image
            ))
            .says(anew)
            .on(reference.clone(), Some(format!("data[{key}]")), case)
            .step(edit_map(case, name, key)),
    )
}

fn not_in_map(
    case: &Case<'_, '_>,
    p: &Place<'_>,
    name: &str,
    key: &str,
    all: bool,
    written: Option<String>,
    own: Blame,
) -> Blame {
    let at = &p.mount.mount_path;
    let reference = case.reference(Kind::ConfigMap, name);
    let Some(Object::ConfigMap(map)) = case.get(Kind::ConfigMap, name) else {
        if !case.knows(Kind::ConfigMap) {
            return own.says(format!("; ConfigMap {name} is mounted at {at}")).on(reference, None, case);
        }
        return own
            .says(format!("; ConfigMap {name}, mounted at {at}, does not exist (not found)"))
            .sure(Confidence::Established)
            .on(reference, None, case)
            .step(edit_map(case, name, key));
    };
    let keys: Vec<String> = map.digests.keys().cloned().collect();
    let told = if keys.is_empty() { "it has no key".to_owned() } else { format!("it has {}", words::list(&keys, 6)) };
    let seen = |blame: Blame| {
        let object = Object::ConfigMap(map.clone());
        blame.seen(
            &object,
            "keys",
            format!("ConfigMap {name}: {told}"),
            &[("keys", keys.join(", ")), ("mountPath", at.clone())],
            Now::STAMP,
        )
    };
    if map.digests.contains_key(key) {
        // The key is there, and not shown.
        if !all {
            let field = case.owner.pod_field(&format!("volumes[{}].configMap.items", p.volume.name));
            return seen(
                own.says(format!(
                    "; ConfigMap {name} has the key {key}, but volume {} does not list it",
                    p.volume.name
                ))
                .sure(Confidence::Established)
                .field(field),
            );
        }
        return seen(own.says(format!("; ConfigMap {name} at {at} has the key {key} now")).on(
            reference,
            Some(format!("data[{key}]")),
            case,
        ));
    }
    // A key that the container uses is what it is.
    let used = |k: &str| {
        let shown = case.spec.volume_mounts.iter().any(|m| m.sub_path.as_deref() == Some(k));
        shown || case.written(&format!("{}/{k}", at.trim_end_matches('/'))).is_some()
    };
    let near = keys.iter().find(|k| words::misspelt(k, key) && !used(k));
    if let Some(near) = near
        && let Some(field) = written.or_else(|| {
            p.mount.sub_path.is_some().then(|| case.path(&format!("volumeMounts[{}].subPath", p.mount.name)))
        })
    {
        return seen(
            own.says(format!("; ConfigMap {name}, mounted at {at}, has {near} and no {key}"))
                .sure(Confidence::Established)
                .field(field)
                .step(case.edit(ActionKind::Patch, format!("the file is called {near}"))),
        );
    }
    seen(
        own.says(format!("; ConfigMap {name}, mounted at {at}, has no key {key} (not found): {told}"))
            .sure(Confidence::Established)
            .on(reference, Some(format!("data[{key}]")), case)
            .step(edit_map(case, name, key)),
    )
}

/// Nothing is mounted where the file should be.
fn unmounted(case: &Case<'_, '_>, path: &str, executed: bool, written: Option<String>, own: Blame) -> Blame {
    let file = path.rsplit('/').next().unwrap_or(path);
    // A ConfigMap of the pod has such a file, mounted elsewhere.
    if path.starts_with('/') && file.contains('.') {
        for mount in &case.spec.volume_mounts {
            let volume = case.pod.spec.volumes.iter().find(|v| v.name == mount.name);
            let Some(map) = volume.and_then(|v| v.config_map.as_ref()) else { continue };
            if let Some(Object::ConfigMap(known)) = case.get(Kind::ConfigMap, &map.name)
                && known.digests.contains_key(file)
            {
                // Where it is looked for may be written in a variable or an argument.
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                let asked = written.clone().or_else(|| case.written(folder).filter(|f| case.replaced(f)));
                return own
                    .says(format!("; ConfigMap {} has {file}, but is mounted at {}", map.name, mount.mount_path))
                    .field(asked.unwrap_or_else(|| case.path(&format!("volumeMounts[{}].mountPath", mount.name))));
            }
        }
        let mounted =
            |name: &str| case.pod.spec.volumes.iter().any(|v| v.config_map.as_ref().is_some_and(|c| c.name == name));
        let holder = case.cx.index.in_namespace(Kind::ConfigMap, case.ns()).find_map(|o| match &**o {
            Object::ConfigMap(m) if m.digests.contains_key(file) && !mounted(&m.metadata.name) => {
                Some(&m.metadata.name)
            }
            _ => None,
        });
        if let Some(holder) = holder {
            return own
                .says(format!("; ConfigMap {holder} has {file}, but the container does not mount it"))
                .field(case.path("volumeMounts"));
        }
    }
    let image = &case.spec.image;
    let own = match executed {
        // The kernel says the same of a script whose interpreter is not there.
        true => own.says(format!(
            "; it is not mounted, and image {image} lacks it or the interpreter that its first line names (#!)"
        )),
        false => own.says(format!("; it is neither mounted nor in image {image}")),
    };
    let other = if path.contains('/') { "volumeMounts" } else { "command" };
    own.field(written.unwrap_or_else(|| case.path(other)))
}
