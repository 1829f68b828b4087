//! ConfigMaps and Secrets a pod refers to: which one, or which key, is missing.

use jiff::{SignedDuration, Timestamp};

use super::{
    Context,
    backing::deleted_at,
    context::{Owner, action, cause, hold, ns_flag},
    placement::nearest,
};
use crate::{
    finding::{CauseDraft, Finding},
    object::{Kind, Object, ObjectRef, Pod, PodSpec, pod::SourceRef},
    remediation::ActionKind,
    severity::Confidence,
};

/// A source that is missing, or lacks a key.
pub(super) struct Missing {
    pub kind: Kind,
    pub reference: SourceRef,
    /// The object exists and the key does not.
    pub key_only: bool,
}

/// What of the pod's sources is missing, as far as objects tell.
pub(super) fn missing(cx: &Context<'_>, pod: &Pod) -> Vec<Missing> {
    let ns = pod.metadata.namespace.as_deref();
    let mut out = Vec::new();
    for (kind, refs) in [(Kind::ConfigMap, pod.spec.config_map_refs()), (Kind::Secret, pod.spec.secret_refs())] {
        if !cx.index.knows(kind, ns) {
            continue;
        }
        for reference in refs.into_iter().filter(|r| !r.optional) {
            match cx.index.get(kind, ns, &reference.name).map(|o| &**o) {
                None => out.push(Missing { kind, reference, key_only: false }),
                Some(Object::ConfigMap(map)) => {
                    if reference.key.as_ref().is_some_and(|k| !map.digests.contains_key(k)) {
                        out.push(Missing { kind, reference, key_only: true });
                    }
                }
                Some(Object::Secret(secret)) => {
                    if reference.key.as_ref().is_some_and(|k| secret.lacks(k)) {
                        out.push(Missing { kind, reference, key_only: true });
                    }
                }
                Some(_) => {}
            }
        }
    }
    out
}

/// Seconds in which what a pod refers to may still be made: a controller writes a Secret a little later than its user.
pub(super) const LATER: i64 = 10;

/// How long the kubelet may take until it tries again.
const RETRY: SignedDuration = SignedDuration::from_secs(150);

/// What the kubelet misses was made since: it has only not tried again.
pub(super) fn arrived(cx: &Context<'_>, pod: &Pod, message: &str, since: Timestamp) -> bool {
    let Some(missing) = from_message(message, &pod.spec).filter(|m| !m.key_only) else { return false };
    let found = cx.index.get(missing.kind, pod.metadata.namespace.as_deref(), &missing.reference.name);
    let made = found.and_then(|o| o.meta().creation_timestamp);
    made.is_some_and(|t| t >= since && !cx.now.beyond(t, RETRY))
}

/// The source a kubelet message names: `configmap "x" not found`, `couldn't find key y in Secret ns/x`,
/// `references non-existent secret key: y`.
pub(super) fn from_message(message: &str, spec: &PodSpec) -> Option<Missing> {
    // Places in one are places in the other: outside ASCII lower case may be longer.
    let lower = message.to_ascii_lowercase();
    for (kind, word) in [(Kind::ConfigMap, "configmap"), (Kind::Secret, "secret")] {
        let refs = if kind == Kind::ConfigMap { spec.config_map_refs() } else { spec.secret_refs() };
        let known = |name: &str, key: Option<&str>| {
            refs.iter()
                .find(|r| r.name == name && (key.is_none() || r.key.as_deref() == key))
                .or_else(|| refs.iter().find(|r| r.name == name))
                .map_or_else(|| "the pod".to_owned(), |r| r.via.clone())
        };
        let quoted = quoted_after(message, &lower, &format!("{word} \""));
        if let Some(name) = &quoted
            && lower.contains("not found")
            && !lower.contains("find key")
        {
            let reference = SourceRef { via: known(name, None), name: name.clone(), key: None, optional: false };
            return Some(Missing { kind, reference, key_only: false });
        }
        if let Some(at) = lower.find("find key ").filter(|_| lower.contains(&format!(" in {word} "))) {
            let key = message[at + 9..].split_whitespace().next().unwrap_or("").trim_matches(['"', ',']).to_owned();
            let path = lower.find(&format!(" in {word} ")).map(|i| &message[i + 5 + word.len()..]).unwrap_or("");
            let name = path.split_whitespace().next().unwrap_or("").trim_matches(['"', ',', '.']);
            let name = name.rsplit('/').next().unwrap_or(name).to_owned();
            let reference = SourceRef { via: known(&name, Some(&key)), name, key: Some(key), optional: false };
            return Some(Missing { kind, reference, key_only: true });
        }
        if let Some(at) = lower.find(&format!(
            "references non-existent {} key: ",
            if kind == Kind::ConfigMap { "config" } else { "secret" }
        )) {
            let key =
                message[at..].rsplit("key: ").next().unwrap_or("").split_whitespace().next().unwrap_or("").to_owned();
            let name = refs.iter().find(|r| r.key.as_deref() == Some(&key)).map(|r| r.name.clone())?;
            let reference = SourceRef { via: known(&name, Some(&key)), name, key: Some(key), optional: false };
            return Some(Missing { kind, reference, key_only: true });
        }
    }
    None
}

fn quoted_after(message: &str, lower: &str, start: &str) -> Option<String> {
    let at = lower.find(start)? + start.len();
    message[at..].split('"').next().map(str::to_owned)
}

/// The cause and the step for a missing source.
pub(super) fn cause_of(cx: &Context<'_>, pod: &Pod, owner: &Owner, m: &Missing, f: &mut Finding) -> CauseDraft {
    let ns = pod.metadata.namespace.as_deref();
    let name = &m.reference.name;
    let kind = m.kind.as_str();
    let users = users(cx, m.kind, ns, name);
    let also = if users.len() > 1 { format!(" {} refer to it.", crate::words::list(&users, 4)) } else { String::new() };
    let (entity, statement, rule) = if m.key_only {
        let key = m.reference.key.as_deref().unwrap_or("?");
        let entity =
            cx.index.get(m.kind, ns, name).map_or_else(|| ObjectRef::missing(m.kind, ns, name), |o| o.reference());
        let have: Vec<String> = match cx.index.get(m.kind, ns, name).map(|o| &**o) {
            Some(Object::ConfigMap(map)) => map.digests.keys().cloned().collect(),
            Some(Object::Secret(secret)) => secret.keys.iter().flatten().cloned().collect(),
            _ => Vec::new(),
        };
        let near = nearest(key, have.iter().map(String::as_str));
        let near = near.map(|n| format!(" Is {n} meant?")).unwrap_or_default();
        let keys = match have.is_empty() {
            true => String::new(),
            false => format!(" It has the keys {}.{near}", crate::words::list(&have, 6)),
        };
        (
            entity,
            format!(
                "Key {key} does not exist (not found) in {kind} {name}, which {} of {} needs.{keys}{also}",
                m.reference.via, owner.subject
            ),
            "source-key-missing",
        )
    } else {
        let all = cx.index.in_namespace(m.kind, ns.unwrap_or("")).map(|o| o.meta().name.as_str());
        let near = nearest(name, all).map(|n| format!(" There is {kind} {n}.")).unwrap_or_default();
        // The name may be right and the place wrong.
        if near.is_empty() && deleted_at(cx, &ObjectRef::missing(m.kind, ns, name)).is_none() {
            f.hold = f.hold.max(hold(LATER));
        }
        let places: Vec<String> = cx
            .index
            .all(m.kind)
            .filter(|o| o.meta().name == *name)
            .filter_map(|o| o.meta().namespace.clone())
            .filter(|other| Some(other.as_str()) != ns)
            .collect();
        let near = match places.is_empty() || !near.is_empty() {
            true => near,
            false => format!(" One of that name is in namespace {}.", crate::words::list(&places, 3)),
        };
        (
            ObjectRef::missing(m.kind, ns, name),
            format!(
                "{kind} {name} does not exist (not found) in namespace {}; {} of {} needs it.{near}{also}",
                ns.unwrap_or(""),
                m.reference.via,
                owner.subject
            ),
            "source-missing",
        )
    };
    let mut c = cause(rule, Confidence::Established, entity.clone(), statement);
    c.referrer = Some(owner.subject.clone());
    c.field = m.key_only.then(|| format!("data[{}]", m.reference.key.as_deref().unwrap_or("?")));
    let flag = ns_flag(&owner.subject);
    let verb = if m.key_only { "patch" } else { "create" };
    let (action_kind, command) = match (m.kind, m.key_only) {
        (Kind::ConfigMap, true) => (ActionKind::SetConfigmapKey, format!("kubectl edit configmap {name}{flag}")),
        (Kind::ConfigMap, false) => {
            (ActionKind::CreateConfigmap, format!("kubectl create configmap {name}{flag} --from-literal=KEY=VALUE"))
        }
        (_, true) => (ActionKind::CreateSecret, format!("kubectl edit secret {name}{flag}")),
        (_, false) => {
            (ActionKind::CreateSecret, format!("kubectl create secret generic {name}{flag} --from-literal=KEY=VALUE"))
        }
    };
    f.actions.push(action(
        action_kind,
        &entity,
        format!("{} waits for it", owner.subject),
        "none for what runs already",
        &format!("{verb} {}", m.kind.plural()),
        command,
    ));
    if m.key_only {
        f.actions.push(super::context::edit(ActionKind::Patch, &owner.subject, "or name a key that exists"));
    }
    c
}

/// The workloads of the namespace that refer to a source by name.
fn users(cx: &Context<'_>, kind: Kind, ns: Option<&str>, name: &str) -> Vec<String> {
    let mut out = Vec::new();
    for k in [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::CronJob, Kind::Job] {
        for o in cx.index.in_namespace(k, ns.unwrap_or("")) {
            let Some(t) = o.pod_template() else { continue };
            let refs = if kind == Kind::ConfigMap { t.spec.config_map_refs() } else { t.spec.secret_refs() };
            if refs.iter().any(|r| r.name == name) && o.meta().controller().is_none() {
                out.push(o.reference().to_string());
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::from_message;
    use crate::object::PodSpec;

    #[test]
    fn letters_that_grow_in_lower_case_shift_nothing() {
        let message = "İİİİ: couldn't find key ü in Secret shop/payment";
        let found = from_message(message, &PodSpec::default()).map(|m| (m.reference.name, m.reference.key));
        assert_eq!(found, Some(("payment".to_owned(), Some("ü".to_owned()))));
    }
}
