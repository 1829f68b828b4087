//! What the rules ask the index.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;

use super::{Index, Key, Reading, custom_name, reads::Place};
use crate::{
    change::Change,
    logs,
    object::{Kind, KubeEvent, Meta, Object, ObjectRef, Pod, kind::extension},
    observation::{Connection, LogRead, LogWant},
};

impl Index {
    /// The objects of a kind, in order of namespace and name.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = &Arc<Object>> {
        self.note(Place::Kind(kind));
        self.objects.get(&kind).into_iter().flat_map(BTreeMap::values)
    }

    /// The objects of a kind in one namespace.
    pub fn in_namespace<'a>(&'a self, kind: Kind, namespace: &'a str) -> impl Iterator<Item = &'a Arc<Object>> {
        self.note(Place::Within(kind, namespace));
        self.objects
            .get(&kind)
            .into_iter()
            .flat_map(move |m| m.range((namespace.to_owned(), String::new())..))
            .take_while(move |(k, _)| k.0 == namespace)
            .map(|(_, o)| o)
    }

    /// One object by name; the namespace is ignored for kinds outside namespaces.
    pub fn get(&self, kind: Kind, namespace: Option<&str>, name: &str) -> Option<&Arc<Object>> {
        let namespace = if kind.namespaced() { namespace.unwrap_or("") } else { "" };
        self.note(Place::Object(kind, namespace, name));
        self.objects.get(&kind)?.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// One object by uid.
    pub fn by_uid(&self, uid: &str) -> Option<&Arc<Object>> {
        self.note(Place::Uid(uid));
        let (kind, key) = self.by_uid.get(uid)?;
        self.objects.get(kind)?.get(key)
    }

    /// The object a reference names, in its present lifetime.
    pub fn resolve(&self, reference: &ObjectRef) -> Option<&Arc<Object>> {
        match reference.read_as()? {
            Kind::CustomResource => self.custom(reference),
            kind => self.get(kind, reference.namespace.as_deref(), &reference.name),
        }
    }

    /// An object of an extension's kind, whatever its version; one outside namespaces is found from within one, too.
    fn custom(&self, reference: &ObjectRef) -> Option<&Arc<Object>> {
        let name = custom_name(&reference.kind, extension(&reference.api_version)?, &reference.name);
        let within = reference.namespace.clone().unwrap_or_default();
        self.note(Place::Object(Kind::CustomResource, &within, &name));
        self.note(Place::Object(Kind::CustomResource, "", &name));
        let all = self.objects.get(&Kind::CustomResource)?;
        all.get(&(within, name.clone())).or_else(|| all.get(&(String::new(), name)))
    }

    /// What an object owns directly.
    pub fn owned_by(&self, uid: &str) -> impl Iterator<Item = &Arc<Object>> {
        self.note(Place::Children(uid));
        self.children
            .get(uid)
            .into_iter()
            .flatten()
            .filter_map(|(kind, key)| self.objects.get(kind).and_then(|m| m.get(key)))
    }

    /// The highest owner that is known, or named, starting at the object itself.
    pub fn top_owner(&self, object: &Object) -> ObjectRef {
        self.top_owner_of(object.reference(), object.meta())
    }

    /// The highest owner, from a reference and its metadata.
    pub fn top_owner_of(&self, reference: ObjectRef, meta: &Meta) -> ObjectRef {
        let mut at = reference;
        let mut meta = meta;
        for _ in 0..6 {
            let Some(owner) = meta.controller() else { break };
            // Static pods belong to their node in the API, which is no workload.
            if owner.kind == "Node" {
                break;
            }
            at = owner.in_namespace(meta.namespace.as_deref());
            match self.by_uid(&owner.uid) {
                Some(o) => {
                    // Of a kind outside namespaces, what it owns within one does not know.
                    if o.kind() == Kind::CustomResource {
                        at = o.reference();
                    }
                    meta = o.meta();
                }
                None => break,
            }
        }
        at
    }

    /// Every pod below an owner, however deep.
    pub fn pods_of(&self, uid: &str) -> Vec<&Pod> {
        let mut out = Vec::new();
        let mut queue = vec![uid.to_owned()];
        // Owners may name each other in a circle.
        let mut seen = HashSet::new();
        while let Some(uid) = queue.pop() {
            if !seen.insert(uid.clone()) {
                continue;
            }
            for child in self.owned_by(&uid) {
                match &**child {
                    Object::Pod(pod) => out.push(pod),
                    other => queue.push(other.meta().uid.clone()),
                }
            }
        }
        out.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
        out
    }

    /// The pods, in order.
    pub fn pods(&self) -> impl Iterator<Item = &Pod> {
        self.all(Kind::Pod).filter_map(|o| match &**o {
            Object::Pod(p) => Some(p),
            _ => None,
        })
    }

    /// The events that speak of an object in its present lifetime, oldest first.
    pub fn events_of(&self, object: &ObjectRef) -> Vec<&KubeEvent> {
        let key = object.key();
        self.note(Place::Events(&key));
        let mut out: Vec<&KubeEvent> = self
            .events
            .get(&key)
            .into_iter()
            .flatten()
            .filter_map(|key| match &**self.objects.get(&Kind::KubeEvent)?.get(key)? {
                Object::KubeEvent(e) => Some(e),
                _ => None,
            })
            .filter(|e| match (&e.involved_object.uid, &object.uid) {
                (Some(a), Some(b)) => a == b,
                _ => true,
            })
            .collect();
        out.sort_by_key(|e| (e.last_seen(), e.metadata.name.clone()));
        out
    }

    /// The log of a container's death, or of its present run, if it was read.
    pub fn log(&self, pod_uid: &str, container: &str, restart: u32) -> Option<&LogRead> {
        self.note(Place::Logs(pod_uid));
        self.logs
            .of(pod_uid, container)
            .map(|l| &l.read)
            .filter(|l| l.want.restart == restart)
            .max_by_key(|l| l.lines.is_ok())
    }

    /// The newest log of a container that could be read.
    pub fn newest_log(&self, pod_uid: &str, container: &str) -> Option<&LogRead> {
        self.note(Place::Logs(pod_uid));
        let read = || self.logs.of(pod_uid, container).filter(|l| l.read.lines.is_ok());
        let newest = read().map(|l| l.read.want.restart).max()?;
        // A run that has said nothing yet does not hide what the one before it said.
        let says = |l: &super::logs::Log| l.read.lines.as_ref().is_ok_and(|lines| !lines.is_empty());
        read()
            .filter(|l| l.read.want.restart + 1 >= newest)
            .max_by_key(|l| (says(l), l.read.want.restart, l.at))
            .map(|l| &l.read)
    }

    /// When this log was read.
    pub fn log_read_at(&self, want: &LogWant) -> Option<Timestamp> {
        self.kept_log(want).map(|l| l.at)
    }

    /// When somebody last tried to read a log that was asked for.
    pub fn log_tried_at(&self, want: &LogWant) -> Option<Timestamp> {
        self.kept_log(want).map(|l| l.tried)
    }

    /// A log was read while the run that wrote it went on: there may be more of it by now.
    pub fn log_may_have_grown(&self, want: &LogWant) -> bool {
        self.kept_log(want).is_some_and(|l| l.running)
    }

    /// What a log says, if it could be read.
    pub fn said(&self, want: &LogWant) -> Option<&logs::Reading> {
        self.kept_log(want)?.said()
    }

    /// True when this wish was answered already.
    pub fn has_log(&self, want: &LogWant) -> bool {
        self.kept_log(want).is_some()
    }

    fn kept_log(&self, want: &LogWant) -> Option<&super::logs::Log> {
        self.note(Place::Logs(want.pod.uid.as_deref().unwrap_or("")));
        self.logs.get(want)
    }

    /// True when a log of this container was asked for and answered, be it refused or forgotten since.
    pub fn answered(&self, pod_uid: &str, container: &str) -> bool {
        self.note(Place::Logs(pod_uid));
        self.answered.get(pod_uid).is_some_and(|c| c.contains(container))
    }

    /// Changes seen in the last hours, oldest first.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.note(Place::Changes);
        self.changes.iter()
    }

    /// The same of one object, whatever its lifetime.
    pub fn changes_of<'a, 'o>(&'a self, object: &'o ObjectRef) -> impl Iterator<Item = &'a Change> + use<'a, 'o> {
        self.note(Place::ChangesOf(&object.kind, object.namespace.as_deref(), &object.name));
        self.changes.iter().filter(|c| c.object.same_name(object))
    }

    /// Pods that are gone, newest last, with when that was seen.
    pub fn graves(&self) -> impl Iterator<Item = (&Timestamp, &Arc<Object>)> {
        self.note(Place::Graves);
        self.graves.iter().map(|(t, o)| (t, o))
    }

    /// True when what exists of this kind in this namespace is known completely and now.
    pub fn knows(&self, kind: Kind, namespace: Option<&str>) -> bool {
        self.note(Place::Reading(kind));
        let complete = |ns: Option<String>| matches!(self.readings.get(&(kind, ns)), Some(Reading::Complete));
        complete(None) || (kind.namespaced() && namespace.is_some_and(|ns| complete(Some(ns.to_owned()))))
    }

    /// Since when this kind is watched without a gap (the latest of its places).
    pub fn watched_since(&self, kind: Kind) -> Option<Timestamp> {
        self.note(Place::Reading(kind));
        self.since.iter().filter(|((k, _), _)| *k == kind).map(|(_, t)| *t).max()
    }

    /// True when this kind has been read, refused or found not to be served, somewhere.
    pub fn has_reading(&self, kind: Kind) -> bool {
        self.note(Place::Reading(kind));
        self.readings.keys().any(|(k, _)| *k == kind)
    }

    /// How each kind is read, by place.
    pub fn readings(&self) -> impl Iterator<Item = (&(Kind, Option<String>), &Reading)> {
        self.note(Place::Anything);
        self.readings.iter()
    }

    /// Objects that could not be decoded: how many, the last reason, since when.
    pub fn skipped(&self) -> impl Iterator<Item = (&(Kind, Option<String>), &(u32, String, Timestamp))> {
        self.note(Place::Skipped);
        self.skipped.iter()
    }

    /// The connection as last reported.
    pub fn connection(&self) -> Option<&Connection> {
        self.note(Place::Connection);
        self.connection.as_ref()
    }

    /// How many objects are known.
    pub fn len(&self) -> usize {
        self.note(Place::Anything);
        self.objects.values().map(BTreeMap::len).sum()
    }

    /// True when nothing is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many observations were applied.
    pub fn observations(&self) -> u64 {
        self.note(Place::Anything);
        self.observations
    }

    /// The state for comparisons in tests: every object by kind and name.
    pub fn snapshot(&self) -> Vec<(Kind, Key, Arc<Object>)> {
        self.note(Place::Anything);
        self.objects.iter().flat_map(|(k, m)| m.iter().map(move |(n, o)| (*k, n.clone(), o.clone()))).collect()
    }
}
