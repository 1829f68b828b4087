//! The cluster of the story at its present moment: objects, who may read what, logs, and every change since it began.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

use afterwatch_core::{
    object::{Kind, ValueDigest},
    recording::{Line, Log, What, kind_of, shift},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::select::Selector;

/// Resource versions begin above this; the version is this and the number of changes so far.
const FIRST: u64 = 1000;
/// The server refuses larger objects, and so no value of a ConfigMap is longer.
const MOST_BYTES: u64 = 1 << 20;
/// A log is noted when it has been read, and may be asked for so much earlier when it is played.
const AHEAD: SignedDuration = SignedDuration::from_secs(5);

/// Where an object stands. Objects of extensions' kinds lie together: there the name begins with what they are.
pub(crate) type Key = (Kind, String, String);

/// The cluster.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// By how much every time in the recording is moved.
    moved: SignedDuration,
    version: Option<String>,
    objects: BTreeMap<Key, Arc<Value>>,
    changes: Vec<Change>,
    refused: BTreeMap<(Kind, Option<String>), String>,
    served: BTreeSet<(Kind, Option<String>)>,
    absent: BTreeSet<Kind>,
    /// In the order of time, those of the future too: a log is asked for a moment before or after it was in the story.
    logs: Vec<(Timestamp, Log)>,
}

/// A change of one object.
#[derive(Debug)]
pub(crate) struct Change {
    pub key: Key,
    /// `ADDED`, `MODIFIED` or `DELETED`.
    pub verb: &'static str,
    pub object: Arc<Value>,
}

/// A resource that an extension brought.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Extension {
    pub api_version: String,
    pub resource: String,
    pub kind: String,
    pub namespaced: bool,
}

/// Which objects are asked for.
#[derive(Debug)]
pub(crate) struct Scope {
    pub kind: Kind,
    pub extension: Option<Extension>,
    pub namespace: Option<String>,
    pub selector: Selector,
}

impl Scope {
    pub fn holds(&self, key: &Key, object: &Value) -> bool {
        // A server has every object in every version of its group.
        let group = |api: &str| api.split('/').next().map(str::to_owned);
        let same = |e: &Extension| object["apiVersion"].as_str().and_then(group) == group(&e.api_version);
        let of = |e: &Extension| same(e) && object["resource"] == e.resource;
        key.0 == self.kind
            && self.extension.as_ref().is_none_or(of)
            && self.namespace.as_ref().is_none_or(|n| *n == key.1)
            && self.selector.holds(object)
    }
}

impl World {
    /// A world before its beginning. The logs are those of the whole story.
    pub fn new(moved: SignedDuration, lines: &[Line]) -> World {
        let logs = lines.iter().filter_map(|line| match &line.what {
            What::Log(log) => {
                let mut log = log.clone();
                for text in log.lines.iter_mut().chain(&mut log.error) {
                    *text = shift::text(text, moved).into_owned();
                }
                Some((line.at.saturating_add(moved).unwrap_or(line.at), log))
            }
            _ => None,
        });
        World { moved, logs: logs.collect(), ..World::default() }
    }

    /// The newest resource version.
    pub fn now(&self) -> u64 {
        FIRST + self.changes.len() as u64
    }

    /// The server's version.
    pub fn server(&self) -> &str {
        self.version.as_deref().unwrap_or("v1.30.0")
    }

    /// Takes in what a line says.
    pub fn apply(&mut self, what: &What) {
        match what {
            What::Server { version, .. } => self.version = Some(version.clone()),
            What::Served { kind, namespace } => {
                self.refused.remove(&(*kind, namespace.clone()));
                self.absent.remove(kind);
                self.served.insert((*kind, namespace.clone()));
            }
            What::Refused { kind, namespace, message } => {
                self.served.remove(&(*kind, namespace.clone()));
                self.refused.insert((*kind, namespace.clone()), message.clone());
            }
            What::Absent { kind } => _ = self.absent.insert(*kind),
            What::Put { object } => self.put(object),
            What::Delete { object } => self.delete(object),
            What::Log(_) | What::End => {}
        }
    }

    fn put(&mut self, object: &Value) {
        let Some(key) = key(object) else { return };
        let mut object = object.clone();
        shift::value(&mut object, self.moved);
        if key.0 == Kind::ConfigMap {
            fill(&mut object);
        }
        // A cluster is known by this uid: what is played must not be taken for the cluster it was recorded from.
        if key.0 == Kind::Namespace && key.2 == "kube-system" {
            let uid = object["metadata"]["uid"].as_str().map(|uid| format!("drill-{uid}"));
            object["metadata"]["uid"] = uid.map_or(Value::Null, Value::String);
        }
        let verb = if self.objects.contains_key(&key) { "MODIFIED" } else { "ADDED" };
        self.change(key, verb, object);
    }

    fn delete(&mut self, object: &Value) {
        let Some(key) = key(object) else { return };
        let mut gone = object.clone();
        shift::value(&mut gone, self.moved);
        let known = self.objects.remove(&key);
        // Of what went while nobody watched only the name is known.
        let bare =
            gone.as_object().is_some_and(|o| o.keys().all(|k| ["apiVersion", "kind", "metadata"].contains(&&**k)));
        let last = match known {
            Some(known) if bare => (*known).clone(),
            Some(_) => gone,
            None => return,
        };
        self.change(key, "DELETED", last);
    }

    fn change(&mut self, key: Key, verb: &'static str, mut object: Value) {
        let version = self.now() + 1;
        object["metadata"]["resourceVersion"] = Value::String(version.to_string());
        let object = Arc::new(object);
        if verb != "DELETED" {
            self.objects.insert(key.clone(), object.clone());
        }
        self.changes.push(Change { key, verb, object });
    }

    /// One object.
    pub fn object(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        self.objects.get(&(kind, namespace.to_owned(), name.to_owned()))
    }

    /// The objects of a scope behind this one, in the order of their names.
    pub fn list<'a>(
        &'a self,
        scope: &'a Scope,
        behind: Option<(String, String)>,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Value>)> {
        let from = match behind {
            Some((namespace, name)) => Bound::Excluded((scope.kind, namespace, name)),
            None => Bound::Included((scope.kind, String::new(), String::new())),
        };
        self.objects
            .range((from, Bound::Unbounded))
            .take_while(|(key, _)| key.0 == scope.kind)
            .filter(|(key, object)| scope.holds(key, object))
    }

    /// The resources of extensions' kinds of which there is an object now.
    pub fn extensions(&self) -> BTreeSet<Extension> {
        let from = (Kind::CustomResource, String::new(), String::new());
        let objects = self.objects.range(from..).take_while(|(key, _)| key.0 == Kind::CustomResource);
        objects
            .map(|(key, object)| {
                let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
                let (api_version, resource, kind) = (text("apiVersion"), text("resource"), text("kind"));
                Extension { api_version, resource, kind, namespaced: !key.1.is_empty() }
            })
            .collect()
    }

    /// What changed after this version.
    pub fn since(&self, version: u64) -> &[Change] {
        let done = usize::try_from(version.saturating_sub(FIRST)).unwrap_or(usize::MAX).min(self.changes.len());
        &self.changes[done..]
    }

    /// The server knows the kind.
    pub fn serves(&self, kind: Kind) -> bool {
        !self.absent.contains(&kind)
    }

    /// Somebody may read everything.
    pub fn is_open(&self) -> bool {
        self.refused.is_empty()
    }

    /// Why a kind may not be read there.
    pub fn refusal(&self, kind: Kind, namespace: Option<&str>) -> Option<String> {
        let here = (kind, namespace.map(str::to_owned));
        if let Some(words) = self.refused.get(&here) {
            return Some(words.clone());
        }
        if self.served.contains(&here) || self.served.contains(&(kind, None)) {
            return None;
        }
        // Read in some namespaces means: not in the others.
        let somewhere = self.served.range((kind, None)..).next().is_some_and(|(k, _)| *k == kind);
        let everywhere = self.refused.get(&(kind, None)).cloned();
        everywhere.or_else(|| somewhere.then(String::new))
    }

    /// The log that the story has of the present instance of a container or of the one before it: the one that was
    /// read nearest to this moment, and rather one with lines than the reason why there were none.
    pub fn log(&self, namespace: &str, pod: &str, container: &str, previous: bool, now: Timestamp) -> Option<&Log> {
        let object = self.object(Kind::Pod, namespace, pod);
        let uid = object.and_then(|o| o["metadata"]["uid"].as_str());
        let status = object.and_then(|o| status(o, container));
        let restarts = status.and_then(|s| s["restartCount"].as_u64()).unwrap_or(0);
        // The instance that counts is the one that was meant when the log was recorded: it was read as the present
        // one while it lay dead, or as the previous one after the next had begun.
        // While its back-off is waited for, the dead one is the last there was.
        let waits = status.is_some_and(|s| s["state"]["waiting"].is_object());
        let instance = restarts.checked_sub(u64::from(previous && !waits))?;
        let meant = |log: &Log| {
            u64::from(log.restart) == instance
            // Recordings of an earlier format count it as the one before.
            || (previous && waits && u64::from(log.restart) + 1 == instance)
        };
        // What a container says later is not in its log while it runs.
        let runs = !previous && status.is_some_and(|s| s["state"]["running"].is_object());
        let said = |at: Timestamp| !runs || at.duration_since(now) <= AHEAD;
        self.logs
            .iter()
            .filter(|(at, log)| {
                log.namespace == namespace
                    && log.pod == pod
                    && log.container == container
                    && (uid.is_none() || log.uid.is_none() || log.uid.as_deref() == uid)
                    && meant(log)
                    && said(*at)
            })
            .min_by_key(|(at, log)| {
                (log.error.is_some(), u64::from(log.restart) != instance, at.duration_since(now).abs())
            })
            .map(|(_, log)| log)
    }

    /// The only container of a pod, or its first.
    pub fn first_container(&self, namespace: &str, pod: &str) -> Option<&str> {
        self.object(Kind::Pod, namespace, pod)?["spec"]["containers"][0]["name"].as_str()
    }
}

fn key(object: &Value) -> Option<Key> {
    let meta = &object["metadata"];
    let text = |field: &str| meta[field].as_str().unwrap_or_default().to_owned();
    let (kind, name) = (kind_of(object)?, text("name"));
    let name = match kind {
        Kind::CustomResource => extension_name(object["apiVersion"].as_str()?, object["resource"].as_str()?, &name),
        _ => name,
    };
    Some((kind, text("namespace"), name))
}

/// Under which name an object of an extension's kind lies.
pub(crate) fn extension_name(api_version: &str, resource: &str, name: &str) -> String {
    format!("{api_version}/{resource}/{name}")
}

fn status<'a>(pod: &'a Value, container: &str) -> Option<&'a Value> {
    let statuses = ["containerStatuses", "initContainerStatuses"];
    let mut all = statuses.iter().filter_map(|list| pod["status"][*list].as_array()).flatten();
    all.find(|s| s["name"] == container)
}

/// Values in place of the digests of a ConfigMap: of the same length, and other ones where the digest is another.
fn fill(object: &mut Value) {
    let Some(fields) = object.as_object_mut() else { return };
    let digests = fields.remove("digests").unwrap_or(Value::Null);
    let digests: BTreeMap<String, ValueDigest> = serde_json::from_value(digests).unwrap_or_default();
    let data: Map<String, Value> = digests.iter().map(|(key, d)| (key.clone(), Value::String(filler(d)))).collect();
    fields.insert("data".to_owned(), Value::Object(data));
}

fn filler(digest: &ValueDigest) -> String {
    let length = usize::try_from(digest.bytes.min(MOST_BYTES)).unwrap_or(0);
    // Short values have room for little of the digest.
    let number = u64::from_str_radix(&digest.hash, 16).unwrap_or(0);
    let first = char::from(b'!' + u8::try_from(number % 94).unwrap_or(0));
    std::iter::once(first).chain(digest.hash.chars().cycle()).take(length).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn world() -> World {
        World::new(SignedDuration::from_secs(60), &[])
    }

    fn put(world: &mut World, object: Value) {
        world.apply(&What::Put { object });
    }

    #[test]
    fn times_are_moved_and_versions_grow() {
        let mut world = world();
        let pod = |phase: &str| json!({"kind": "Pod", "metadata": {"name": "a", "namespace": "shop", "creationTimestamp": "2026-11-22T10:00:00Z"}, "status": {"phase": phase}});
        put(&mut world, pod("Pending"));
        put(&mut world, pod("Running"));
        let name = json!({"kind": "Pod", "metadata": {"name": "a", "namespace": "shop"}});
        world.apply(&What::Delete { object: name.clone() });
        world.apply(&What::Delete { object: name });
        let verbs: Vec<&str> = world.since(FIRST).iter().map(|c| c.verb).collect();
        assert_eq!(verbs, ["ADDED", "MODIFIED", "DELETED"]);
        let last = &world.since(FIRST + 2)[0].object;
        assert_eq!(last["metadata"]["creationTimestamp"], "2026-11-22T10:01:00Z");
        assert_eq!(
            (&last["metadata"]["resourceVersion"], &last["status"]["phase"]),
            (&json!("1003"), &json!("Running"))
        );
        assert_eq!(world.since(99_999).len(), 0);
    }

    #[test]
    fn objects_of_two_extensions_and_one_name_are_two_and_say_how_they_are_asked_for() {
        let mut world = world();
        let thing = |api: &str| json!({"apiVersion": api, "kind": "Database", "resource": "databases", "metadata": {"name": "a", "namespace": "shop"}});
        put(&mut world, thing("db.example.com/v1"));
        put(&mut world, thing("example.org/v1"));
        put(&mut world, json!({"apiVersion": "example.org/v1", "kind": "Odd", "metadata": {"name": "a"}}));
        let names: Vec<String> =
            world.extensions().into_iter().map(|e| format!("{}.{}", e.resource, e.api_version)).collect();
        assert_eq!(names, ["databases.db.example.com/v1", "databases.example.org/v1"]);
        world.apply(&What::Delete { object: thing("example.org/v1") });
        assert_eq!(world.extensions().len(), 1);
    }

    #[test]
    fn a_config_map_has_values_of_the_recorded_length_that_change_when_they_did() {
        let map = |hash: &str, bytes: u64| json!({"kind": "ConfigMap", "metadata": {"name": "m"}, "digests": {"k": {"hash": hash, "bytes": bytes}}});
        let mut world = world();
        put(&mut world, map("00000000000000a1", 20));
        put(&mut world, map("00000000000000b2", 20));
        let values: Vec<&str> = world.since(FIRST).iter().filter_map(|c| c.object["data"]["k"].as_str()).collect();
        assert_eq!((values[0].len(), values[1].len()), (20, 20));
        assert_ne!(values[0], values[1]);
        assert!(world.since(FIRST).iter().all(|c| c.object.get("digests").is_none()));
    }

    #[test]
    fn rights_are_those_of_the_recording() {
        let mut world = world();
        let shop = Some("shop".to_owned());
        world.apply(&What::Refused { kind: Kind::Pod, namespace: None, message: "no".into() });
        world.apply(&What::Served { kind: Kind::Pod, namespace: shop });
        world.apply(&What::Served { kind: Kind::Node, namespace: None });
        assert_eq!(world.refusal(Kind::Pod, Some("shop")), None);
        assert_eq!(world.refusal(Kind::Pod, Some("pay")), Some("no".into()));
        assert_eq!(world.refusal(Kind::Pod, None), Some("no".into()));
        assert_eq!(world.refusal(Kind::Node, None), None);
        assert_eq!(world.refusal(Kind::Secret, None), None);
        assert!(!world.is_open());
    }

    #[test]
    fn the_log_is_that_of_the_death_that_is_meant() {
        let line = |second: i64, previous: bool, restart: u32, text: &str| Line {
            at: Timestamp::from_second(second).unwrap(),
            what: What::Log(Log {
                namespace: "shop".into(),
                pod: "a".into(),
                uid: None,
                container: "app".into(),
                previous,
                restart,
                lines: vec![text.into()],
                error: None,
                truncated: false,
            }),
        };
        let lines = [
            line(10, true, 0, "first death"),
            line(50, false, 1, "second death"),
            line(60, true, 1, "second death"),
            line(90, false, 2, "third death"),
        ];
        let mut world = World::new(SignedDuration::ZERO, &lines);
        let pod = |restarts: u32, state: &str| json!({"kind": "Pod", "metadata": {"name": "a", "namespace": "shop"}, "status": {"containerStatuses": [{"name": "app", "restartCount": restarts, "state": {state: {}}}]}});
        let asked = |world: &World, second: i64, previous: bool| {
            let at = Timestamp::from_second(second).unwrap();
            world.log("shop", "a", "app", previous, at).map(|l| l.lines[0].clone())
        };
        put(&mut world, pod(0, "terminated"));
        assert_eq!(asked(&world, 9, false).as_deref(), Some("first death"), "it was recorded as the previous one");
        assert_eq!(asked(&world, 9, true), None, "there is none before the first");
        put(&mut world, pod(1, "running"));
        assert_eq!(asked(&world, 12, true).as_deref(), Some("first death"), "it is the previous one now");
        assert_eq!(asked(&world, 12, false), None, "the second has not died yet");
        put(&mut world, pod(1, "terminated"));
        assert_eq!(asked(&world, 40, false).as_deref(), Some("second death"), "it lies dead");
        assert_eq!(asked(&world, 40, true).as_deref(), Some("first death"), "however near the others are");
        put(&mut world, pod(2, "running"));
        assert_eq!(asked(&world, 88, true).as_deref(), Some("second death"));
        put(&mut world, pod(3, "running"));
        assert_eq!(asked(&world, 95, true).as_deref(), Some("third death"), "it was recorded as the present one");
        assert_eq!(asked(&world, 95, false), None, "nothing was recorded of this one");
        assert_eq!(world.log("shop", "a", "other", false, Timestamp::MIN), None);
    }
}
