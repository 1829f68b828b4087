//! From observations to the lines of a recording.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use serde_json::{Map, Value};

use super::{Line, Log, What};
use crate::{
    coverage::EndedBy,
    object::{Kind, Object},
    observation::{Connection, Fact, LogRead, Observation, Partly},
    redact,
};

/// Where an object stands: kind, namespace, name; of an extension's kind, what it is and how it is asked for.
type Key = (Kind, Option<String>, String, Option<Extension>);

/// API version, kind and resource.
type Extension = (String, String, String);

/// What is on the tape already, so that only differences are written: a kind that is listed anew each minute, or after
/// a connection broke, costs nothing while nothing changes.
#[derive(Debug, Default)]
pub struct Tape {
    known: BTreeMap<Key, Known>,
    /// Whether it may be read, as it was said last.
    served: BTreeMap<(Kind, Option<String>), bool>,
    absent: BTreeSet<Kind>,
    /// Kinds of extensions of which a list does not have everything.
    partly: Vec<Partly>,
}

/// An object as it was written last: a digest of its text, and enough to say that it is gone.
#[derive(Debug)]
struct Known {
    digest: u64,
    uid: String,
}

impl Tape {
    /// An empty tape.
    pub fn new() -> Tape {
        Tape::default()
    }

    /// The lines one observation is worth; none where it says nothing new.
    pub fn observe(&mut self, observation: &Observation) -> Vec<Line> {
        let mut out = Vec::new();
        self.fact(&observation.fact, &mut out);
        out.into_iter().map(|what| Line { at: observation.at, what }).collect()
    }

    fn fact(&mut self, fact: &Fact, out: &mut Vec<What>) {
        match fact {
            Fact::Connection(Connection::Connected { cluster_uid, server_version }) => {
                out.push(What::Server { uid: cluster_uid.clone(), version: server_version.clone() });
            }
            Fact::Listed { kind, namespace, objects, .. } => {
                let back = self.absent.remove(kind);
                if self.served.insert((*kind, namespace.clone()), true) != Some(true) || back {
                    out.push(What::Served { kind: *kind, namespace: namespace.clone() });
                }
                let here = |key: &Key| key.0 == *kind && (namespace.is_none() || key.1 == *namespace);
                let listed: BTreeSet<Key> = objects.iter().map(key).collect();
                let gone = self.known.keys().filter(|k| here(k) && !listed.contains(k) && !self.hides(k));
                let gone: Vec<Key> = gone.cloned().collect();
                for key in gone {
                    if let Some(known) = self.known.remove(&key) {
                        out.push(What::Delete { object: stub(&key, &known.uid) });
                    }
                }
                for object in objects {
                    self.put(object, out);
                }
            }
            Fact::Upserted(object) => self.put(object, out),
            Fact::Deleted(object) => {
                self.known.remove(&key(object));
                out.push(What::Delete { object: written(object) });
            }
            Fact::Lost { kind, namespace, ended_by: EndedBy::Forbidden, message, .. } => {
                if self.served.insert((*kind, namespace.clone()), false) != Some(false) {
                    let message = redact::text(message).into_owned();
                    out.push(What::Refused { kind: *kind, namespace: namespace.clone(), message });
                }
            }
            Fact::Partly { kinds, .. } => self.partly.clone_from(kinds),
            Fact::NotServed { kind } => {
                if self.absent.insert(*kind) {
                    out.push(What::Absent { kind: *kind });
                }
            }
            Fact::Log(read) => out.push(What::Log(log(read))),
            // A connection that breaks is told by what changed meanwhile; signs of life say nothing about a cluster.
            Fact::Lost { .. } | Fact::Alive { .. } | Fact::Skipped { .. } | Fact::Connection(_) => {}
        }
    }

    /// Nobody looked whether it is still there.
    fn hides(&self, (_, namespace, _, extension): &Key) -> bool {
        let Some((api_version, kind, _)) = extension else { return false };
        let group = api_version.split('/').next().unwrap_or_default();
        let of = |p: &&Partly| p.group == group && (p.kind.is_empty() || p.kind == *kind);
        self.partly.iter().filter(of).any(|p| p.read.hides(namespace.as_deref()))
    }

    fn put(&mut self, object: &Object, out: &mut Vec<What>) {
        let value = written(object);
        let mut hasher = DefaultHasher::new();
        value.to_string().hash(&mut hasher);
        let known = Known { digest: hasher.finish(), uid: object.meta().uid.clone() };
        // A heartbeat changes nothing but the version, which is not written.
        let before = self.known.get(&key(object)).map(|k| k.digest);
        if before != Some(known.digest) {
            self.known.insert(key(object), known);
            out.push(What::Put { object: value });
        }
    }
}

fn key(object: &Object) -> Key {
    let meta = object.meta();
    let extension = match object {
        Object::CustomResource(o) => Some((o.api_version.clone(), o.kind.clone(), o.resource.clone())),
        _ => None,
    };
    (object.kind(), meta.namespace.clone(), meta.name.clone(), extension)
}

/// What is said of an object whose last state nobody saw.
fn stub((kind, namespace, name, extension): &Key, uid: &str) -> Value {
    let mut object = serde_json::json!({
        "apiVersion": kind.api_version(), "kind": kind.as_str(), "metadata": {"name": name, "uid": uid},
    });
    if let Some((api_version, kind, resource)) = extension {
        object["apiVersion"] = Value::String(api_version.clone());
        object["kind"] = Value::String(kind.clone());
        object["resource"] = Value::String(resource.clone());
    }
    if let Some(namespace) = namespace {
        object["metadata"]["namespace"] = Value::String(namespace.clone());
    }
    object
}

/// An object as the API would write it: what was read of it, without version and without fields that say nothing,
/// redacted once more since it leaves the program.
fn written(object: &Object) -> Value {
    let (kind, mut bare) = (object.kind(), object.clone());
    // Of a Secret nothing but its version says that it was changed.
    if kind != Kind::Secret {
        bare.meta_mut().resource_version.clear();
    }
    let Ok(mut whole) = serde_json::to_value(&bare) else { return Value::Null };
    let named = object.reference();
    if let Some(fields) = whole.as_object_mut() {
        fields.remove("objectKind");
        fields.insert("kind".to_owned(), Value::String(named.kind.clone()));
    }
    let same = |short: &Value| Object::from_value(kind, short.clone()).is_ok_and(|o| o == bare);
    let short = stripped(&whole, "", says_nothing);
    let mut out = if same(&short) { short } else { stripped(&whole, "", Value::is_null) };
    clean(&mut out);
    out["apiVersion"] = Value::String(named.api_version);
    out["kind"] = Value::String(named.kind);
    out
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// Fields whose emptiness says something.
fn telling(key: &str) -> bool {
    matches!(key, "value" | "emptyDir" | "ready" | "started" | "serving" | "terminating")
        || key.ends_with("elector")
        || key.ends_with("SecurityContext")
}

fn stripped(value: &Value, key: &str, drop: fn(&Value) -> bool) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().map(|(k, v)| (k, stripped(v, k, drop)));
            let kept: Map<String, Value> = kept
                .filter(|(k, v)| !v.is_null() && (telling(k) || telling(key) || !drop(v)))
                .map(|(k, v)| (k.clone(), v))
                .collect();
            Value::Object(kept)
        }
        Value::Array(items) => Value::Array(items.iter().map(|v| stripped(v, "", drop)).collect()),
        other => other.clone(),
    }
}

fn clean(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let std::borrow::Cow::Owned(clean) = redact::text(text) {
                *text = clean;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(clean),
        Value::Object(fields) => fields.values_mut().for_each(clean),
        _ => {}
    }
}

fn log(read: &LogRead) -> Log {
    let LogRead { want, lines, truncated, later } = read;
    let clean = |line: &String| redact::text(line).into_owned();
    Log {
        namespace: want.pod.namespace.clone().unwrap_or_default(),
        pod: want.pod.name.clone(),
        uid: want.pod.uid.clone(),
        container: want.container.clone(),
        previous: want.previous,
        restart: later.unwrap_or(want.restart),
        lines: lines.iter().flatten().map(clean).collect(),
        error: lines.as_ref().err().map(clean),
        truncated: *truncated,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::{coverage::UnreadableReason, object::kind::Mode, observation::Part, recording::Recording};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn observed(tape: &mut Tape, second: i64, fact: Fact) -> Vec<What> {
        tape.observe(&Observation { at: at(second), fact }).into_iter().map(|l| l.what).collect()
    }

    fn pod(name: &str, version: &str, phase: &str) -> Object {
        let value = json!({"metadata": {"name": name, "namespace": "shop", "uid": format!("uid-{name}"), "resourceVersion": version},
            "spec": {"containers": [{"name": "app", "image": "x", "volumeMounts": []}], "volumes": [{"name": "tmp", "emptyDir": {}}]},
            "status": {"phase": phase, "containerStatuses": [{"name": "app", "ready": false, "started": false, "restartCount": 0}]}});
        Object::from_value(Kind::Pod, value).unwrap()
    }

    fn listed(objects: Vec<Object>) -> Fact {
        Fact::Listed { kind: Kind::Pod, namespace: None, how: Mode::Watch, objects }
    }

    #[test]
    fn what_is_written_reads_back_as_the_same_object() {
        let object = pod("a", "7", "Running");
        let value = written(&object);
        let mut bare = object.clone();
        bare.meta_mut().resource_version.clear();
        assert_eq!(Object::from_value(Kind::Pod, value.clone()).unwrap(), bare);
        assert_eq!((&value["apiVersion"], &value["kind"]), (&json!("v1"), &json!("Pod")));
        assert_eq!(value["spec"]["volumes"][0]["emptyDir"], json!({}));
        assert!(!value.to_string().contains("null") && !value.to_string().contains("volumeMounts"), "{value}");
    }

    #[test]
    fn an_object_of_an_extension_is_written_under_its_own_name_and_reads_back() {
        let value = json!({"apiVersion": "db.example.com/v1", "kind": "Database", "resource": "databases",
            "metadata": {"name": "a", "namespace": "shop", "uid": "u"}, "spec": {"paused": true},
            "status": {"conditions": [{"type": "Ready", "status": "False", "message": "password: hunter2"}]}});
        let object = Object::from_value(Kind::CustomResource, value).unwrap();
        let listed = |objects| Fact::Listed { kind: Kind::CustomResource, namespace: None, how: Mode::Poll, objects };
        let mut tape = Tape::new();
        let lines = observed(&mut tape, 0, listed(vec![object]));
        let [What::Served { kind: Kind::CustomResource, .. }, What::Put { object: put }] = &lines[..] else {
            panic!("{lines:?}")
        };
        assert_eq!((&put["kind"], &put["resource"]), (&json!("Database"), &json!("databases")));
        assert!(put.get("objectKind").is_none() && !put.to_string().contains("hunter2"), "{put}");
        assert_eq!(crate::recording::kind_of(put), Some(Kind::CustomResource));
        assert!(Object::from_value(Kind::CustomResource, put.clone()).unwrap().reference().kind == "Database");
        let unread = Partly { group: "db.example.com".into(), kind: "Database".into(), read: Part::Nothing };
        let partly = |kinds| Fact::Partly { kinds, count: 0, message: String::new() };
        assert_eq!(observed(&mut tape, 1, partly(vec![unread])), vec![]);
        assert_eq!(observed(&mut tape, 1, listed(vec![])), vec![], "nobody looked whether it is there");
        observed(&mut tape, 2, partly(vec![]));
        let gone = observed(&mut tape, 2, listed(vec![]));
        assert!(
            matches!(&gone[..], [What::Delete { object }] if crate::recording::kind_of(object).is_some()),
            "{gone:?}"
        );
    }

    #[test]
    fn only_differences_are_written() {
        let mut tape = Tape::new();
        let first = observed(&mut tape, 0, listed(vec![pod("a", "1", "Running"), pod("b", "2", "Running")]));
        assert!(matches!(&first[..], [What::Served { .. }, What::Put { .. }, What::Put { .. }]), "{first:?}");
        assert_eq!(observed(&mut tape, 1, Fact::Upserted(pod("a", "9", "Running"))), vec![]);
        let again = observed(&mut tape, 2, listed(vec![pod("a", "10", "Failed")]));
        assert!(matches!(&again[..], [What::Delete { .. }, What::Put { .. }]), "{again:?}");
        assert_eq!(observed(&mut tape, 3, Fact::Alive { kind: Kind::Pod, namespace: None }), vec![]);
        let lost =
            |ended_by, reason| Fact::Lost { kind: Kind::Node, namespace: None, ended_by, reason, message: "no".into() };
        assert_eq!(observed(&mut tape, 4, lost(EndedBy::Disconnect, UnreadableReason::Unreachable)), vec![]);
        let refused = observed(&mut tape, 5, lost(EndedBy::Forbidden, UnreadableReason::Forbidden));
        assert!(matches!(&refused[..], [What::Refused { kind: Kind::Node, .. }]), "{refused:?}");
    }

    #[test]
    fn what_may_be_read_is_written_when_it_changes_and_not_each_minute() {
        let mut tape = Tape::new();
        let absent = || Fact::NotServed { kind: Kind::Pod };
        assert!(matches!(&observed(&mut tape, 0, absent())[..], [What::Absent { .. }]));
        assert_eq!(observed(&mut tape, 1, absent()), vec![]);
        assert!(matches!(&observed(&mut tape, 2, listed(vec![]))[..], [What::Served { .. }]));
        assert!(matches!(&observed(&mut tape, 3, absent())[..], [What::Absent { .. }]));
        let back = observed(&mut tape, 4, listed(vec![]));
        assert!(matches!(&back[..], [What::Served { .. }]), "it was served, gone and came back: {back:?}");
        assert_eq!(observed(&mut tape, 5, listed(vec![])), vec![]);
    }

    #[test]
    fn a_line_survives_being_written_and_read() {
        let mut tape = Tape::new();
        let mut lines = tape.observe(&Observation { at: at(0), fact: listed(vec![pod("a", "1", "Running")]) });
        lines.push(Line { at: at(9), what: What::End });
        let mut text = serde_json::to_string(&crate::recording::Header::new("dev", at(0))).unwrap();
        for line in &lines {
            text += &format!("\n{}", serde_json::to_string(line).unwrap());
        }
        let read = Recording::read(text.as_bytes()).unwrap();
        assert_eq!((read.lines, read.problems), (lines, vec![]));
    }

    #[test]
    fn what_looks_like_a_secret_is_not_written() {
        let mut object = pod("a", "1", "Running");
        let meta = object.meta_mut();
        meta.annotations.insert("kubernetes.io/change-cause".into(), "helm upgrade --set password=hunter2".into());
        assert!(!written(&object).to_string().contains("hunter2"));
    }
}
