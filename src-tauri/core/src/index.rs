//! The index of one cluster: a pure fold over observations.
//!
//! One task owns it and applies observations in the order in which they arrive. Lists replace, upserts and deletes
//! change single objects; repeating an observation changes nothing. What is not readable is remembered as such, so
//! that no rule takes it for empty.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    change::{Change, ChangeVerb, diff, summarise},
    coverage::{EndedBy, UnreadableReason},
    evidence::Observed,
    object::{Kind, KubeEvent, Meta, Object, ObjectRef, Pod},
    observation::{Connection, Fact, LogRead, LogWant, Observation},
};

/// Namespace and name.
pub type Key = (String, String);

/// Changes older than this are forgotten by the index (the store keeps those an incident took in).
const CHANGE_MEMORY: SignedDuration = SignedDuration::from_hours(6);
const CHANGES_KEPT: usize = 4_000;
const LOGS_KEPT: usize = 400;
/// Deleted objects whose last state is kept for a while: the evidence of what is gone.
const GRAVES_KEPT: usize = 500;

/// How a kind is read in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A complete list was received.
    Complete,
    /// It was complete once; since then it is stale.
    Stale { since: Timestamp, ended_by: EndedBy, reason: UnreadableReason, message: String },
    /// It could never be read.
    Unreadable { since: Timestamp, reason: UnreadableReason, message: String },
    /// The server does not have this kind.
    NotServed,
}

/// Everything known about one cluster now.
#[derive(Clone, Debug, Default)]
pub struct Index {
    objects: BTreeMap<Kind, BTreeMap<Key, Arc<Object>>>,
    by_uid: HashMap<String, (Kind, Key)>,
    children: HashMap<String, BTreeSet<(Kind, Key)>>,
    /// Events by the object they speak of (`Kind/namespace/name`).
    events: HashMap<String, BTreeSet<Key>>,
    readings: BTreeMap<(Kind, Option<String>), Reading>,
    changes: VecDeque<Change>,
    logs: BTreeMap<LogWant, (Timestamp, LogRead)>,
    graves: VecDeque<(Timestamp, Arc<Object>)>,
    connection: Option<Connection>,
    skipped: BTreeMap<(Kind, Option<String>), (u32, String, Timestamp)>,
    observations: u64,
    /// Kinds that were listed at least once: a later new object is a creation we saw.
    settled: BTreeSet<(Kind, Option<String>)>,
    /// Since when each place is watched without a gap.
    since: BTreeMap<(Kind, Option<String>), Timestamp>,
}

impl Index {
    /// An index that knows nothing.
    pub fn new() -> Index {
        Index::default()
    }

    /// Takes one observation in and returns the changes of objects it shows.
    pub fn apply(&mut self, observation: Observation) -> Vec<Change> {
        self.observations += 1;
        let at = observation.at;
        let changes = match observation.fact {
            Fact::Listed { kind, namespace, objects } => self.reset(kind, namespace, objects, at),
            Fact::Upserted(object) => self.upsert(object, at).into_iter().collect(),
            Fact::Deleted(object) => self.delete(&object, at).into_iter().collect(),
            Fact::Alive { kind, namespace } => {
                let key = (kind, namespace);
                if self.settled.contains(&key) {
                    self.since.entry(key.clone()).or_insert(at);
                    self.readings.insert(key, Reading::Complete);
                }
                Vec::new()
            }
            Fact::Lost { kind, namespace, ended_by, reason, message } => {
                self.lose(kind, namespace, ended_by, reason, message, at);
                Vec::new()
            }
            Fact::NotServed { kind } => {
                self.readings.insert((kind, None), Reading::NotServed);
                Vec::new()
            }
            Fact::Skipped { kind, namespace, count, message } => {
                let entry = self.skipped.entry((kind, namespace)).or_insert((0, String::new(), at));
                entry.0 = entry.0.saturating_add(count);
                entry.1 = message;
                Vec::new()
            }
            Fact::Log(read) => {
                self.logs.insert(read.want.clone(), (at, read));
                while self.logs.len() > LOGS_KEPT {
                    let oldest = self.logs.iter().min_by_key(|(_, (t, _))| *t).map(|(k, _)| k.clone());
                    if let Some(key) = oldest {
                        self.logs.remove(&key);
                    }
                }
                Vec::new()
            }
            Fact::Connection(connection) => {
                self.connection = Some(connection);
                Vec::new()
            }
        };
        for change in &changes {
            self.changes.push_back(change.clone());
        }
        while self.changes.len() > CHANGES_KEPT
            || self.changes.front().is_some_and(|c| at.duration_since(c.at) > CHANGE_MEMORY)
        {
            self.changes.pop_front();
        }
        changes
    }

    fn reset(&mut self, kind: Kind, namespace: Option<String>, objects: Vec<Object>, at: Timestamp) -> Vec<Change> {
        let listed: BTreeSet<Key> = objects.iter().map(|o| key_of(o.meta())).collect();
        let gone: Vec<Arc<Object>> = self
            .objects
            .get(&kind)
            .into_iter()
            .flatten()
            .filter(|(k, _)| namespace.as_ref().is_none_or(|ns| &k.0 == ns) && !listed.contains(*k))
            .map(|(_, o)| o.clone())
            .collect();
        let mut changes = Vec::new();
        for object in gone {
            changes.extend(self.remove(&object, at));
        }
        let place = (kind, namespace);
        // What a list shows after a gap happened in the gap, unseen.
        let unseen = self.settled.contains(&place) && !self.since.contains_key(&place);
        for object in objects {
            // A list is complete: what it says replaces what was known, even where the versions went back (a restored etcd).
            changes.extend(self.put(object, at, self.settled.contains(&place)));
        }
        if unseen {
            changes.iter_mut().for_each(|c| c.observed = Observed::Reconstructed);
        }
        self.skipped.remove(&place);
        // What is read by namespace is no longer unreadable everywhere.
        if place.1.is_some() && !matches!(self.readings.get(&(kind, None)), Some(Reading::Complete)) {
            self.readings.remove(&(kind, None));
        }
        self.readings.insert(place.clone(), Reading::Complete);
        self.since.entry(place.clone()).or_insert(at);
        self.settled.insert(place);
        changes
    }

    fn upsert(&mut self, object: Object, at: Timestamp) -> Option<Change> {
        let known = self.objects.get(&object.kind()).and_then(|m| m.get(&key_of(object.meta())));
        if let Some(known) = known
            && known.meta().uid == object.meta().uid
            && older(&object.meta().resource_version, &known.meta().resource_version)
        {
            return None;
        }
        self.put(object, at, true)
    }

    fn put(&mut self, object: Object, at: Timestamp, settled: bool) -> Option<Change> {
        let (kind, key) = (object.kind(), key_of(object.meta()));
        let old = self.objects.entry(kind).or_default().get(&key).cloned();
        if let Some(old) = &old
            && old.meta().uid == object.meta().uid
            && old.meta().resource_version == object.meta().resource_version
        {
            return None;
        }
        if let Some(old) = &old {
            self.unlink(old);
        }
        let change = match &old {
            Some(old) if old.meta().uid == object.meta().uid => changed(old, &object, at),
            // Deleted and made anew under the same name between two looks: compare the content.
            Some(old) => changed(old, &object, at),
            None if settled => created(&object, at),
            None => None,
        };
        self.link(kind, &key, &object);
        self.objects.entry(kind).or_default().insert(key, Arc::new(object));
        change
    }

    fn delete(&mut self, object: &Object, at: Timestamp) -> Option<Change> {
        let key = key_of(object.meta());
        let known = self.objects.get(&object.kind())?.get(&key)?.clone();
        // A late delete of an earlier object of the same name must not take the new one away.
        (known.meta().uid == object.meta().uid || object.meta().uid.is_empty()).then(|| self.remove(&known, at))?
    }

    fn remove(&mut self, known: &Arc<Object>, at: Timestamp) -> Option<Change> {
        let (kind, key) = (known.kind(), key_of(known.meta()));
        self.unlink(known);
        self.objects.get_mut(&kind)?.remove(&key);
        if kind == Kind::Pod {
            self.graves.push_back((at, known.clone()));
            if self.graves.len() > GRAVES_KEPT {
                self.graves.pop_front();
            }
        }
        deleted(known, at)
    }

    fn link(&mut self, kind: Kind, key: &Key, object: &Object) {
        let meta = object.meta();
        if !meta.uid.is_empty() {
            self.by_uid.insert(meta.uid.clone(), (kind, key.clone()));
        }
        for owner in &meta.owner_references {
            self.children.entry(owner.uid.clone()).or_default().insert((kind, key.clone()));
        }
        if let Object::KubeEvent(event) = object {
            self.events.entry(event.object().key()).or_default().insert(key.clone());
        }
    }

    fn unlink(&mut self, object: &Object) {
        let (kind, key, meta) = (object.kind(), key_of(object.meta()), object.meta());
        self.by_uid.remove(&meta.uid);
        for owner in &meta.owner_references {
            if let Some(set) = self.children.get_mut(&owner.uid) {
                set.remove(&(kind, key.clone()));
                if set.is_empty() {
                    self.children.remove(&owner.uid);
                }
            }
        }
        if let Object::KubeEvent(event) = object {
            let of = event.object().key();
            if let Some(set) = self.events.get_mut(&of) {
                set.remove(&key);
                if set.is_empty() {
                    self.events.remove(&of);
                }
            }
        }
    }

    fn lose(
        &mut self,
        kind: Kind,
        namespace: Option<String>,
        ended_by: EndedBy,
        reason: UnreadableReason,
        message: String,
        at: Timestamp,
    ) {
        let place = (kind, namespace);
        self.since.remove(&place);
        let reading = if self.settled.contains(&place) {
            let since = match self.readings.get(&place) {
                Some(Reading::Stale { since, .. }) => *since,
                _ => at,
            };
            Reading::Stale { since, ended_by, reason, message }
        } else {
            let since = match self.readings.get(&place) {
                Some(Reading::Unreadable { since, .. }) => *since,
                _ => at,
            };
            Reading::Unreadable { since, reason, message }
        };
        self.readings.insert(place, reading);
    }

    /// The objects of a kind, in order of namespace and name.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = &Arc<Object>> {
        self.objects.get(&kind).into_iter().flat_map(BTreeMap::values)
    }

    /// The objects of a kind in one namespace.
    pub fn in_namespace<'a>(&'a self, kind: Kind, namespace: &'a str) -> impl Iterator<Item = &'a Arc<Object>> {
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
        self.objects.get(&kind)?.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// One object by uid.
    pub fn by_uid(&self, uid: &str) -> Option<&Arc<Object>> {
        let (kind, key) = self.by_uid.get(uid)?;
        self.objects.get(kind)?.get(key)
    }

    /// The object a reference names, in its present lifetime.
    pub fn resolve(&self, reference: &ObjectRef) -> Option<&Arc<Object>> {
        self.get(Kind::parse(&reference.kind)?, reference.namespace.as_deref(), &reference.name)
    }

    /// What an object owns directly.
    pub fn owned_by(&self, uid: &str) -> impl Iterator<Item = &Arc<Object>> {
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
            let named = ObjectRef {
                api_version: owner.api_version.clone(),
                kind: owner.kind.clone(),
                namespace: meta.namespace.clone().filter(|_| owner.kind != "Node"),
                name: owner.name.clone(),
                uid: Some(owner.uid.clone()),
            };
            // Static pods belong to their node in the API, which is no workload.
            if owner.kind == "Node" {
                break;
            }
            at = named;
            match self.by_uid(&owner.uid) {
                Some(o) => meta = o.meta(),
                None => break,
            }
        }
        at
    }

    /// Every pod below an owner, however deep.
    pub fn pods_of(&self, uid: &str) -> Vec<&Pod> {
        let mut out = Vec::new();
        let mut queue = vec![uid.to_owned()];
        while let Some(uid) = queue.pop() {
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
        let mut out: Vec<&KubeEvent> = self
            .events
            .get(&object.key())
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
        self.logs
            .values()
            .map(|(_, read)| read)
            .filter(|l| l.want.pod.uid.as_deref() == Some(pod_uid) && l.want.container == container)
            .filter(|l| l.want.restart == restart)
            .max_by_key(|l| l.lines.is_ok())
    }

    /// The newest log of a container that could be read.
    pub fn newest_log(&self, pod_uid: &str, container: &str) -> Option<&LogRead> {
        self.logs
            .values()
            .filter(|(_, l)| l.want.pod.uid.as_deref() == Some(pod_uid) && l.want.container == container)
            .filter(|(_, l)| l.lines.is_ok())
            .max_by_key(|(at, l)| (l.want.restart, *at))
            .map(|(_, l)| l)
    }

    /// True when this wish was answered already.
    pub fn has_log(&self, want: &LogWant) -> bool {
        self.logs.contains_key(want)
    }

    /// Changes seen in the last hours, oldest first.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter()
    }

    /// Pods that are gone, newest last, with when that was seen.
    pub fn graves(&self) -> impl Iterator<Item = (&Timestamp, &Arc<Object>)> {
        self.graves.iter().map(|(t, o)| (t, o))
    }

    /// True when what exists of this kind in this namespace is known completely and now.
    pub fn knows(&self, kind: Kind, namespace: Option<&str>) -> bool {
        let complete = |ns: Option<String>| matches!(self.readings.get(&(kind, ns)), Some(Reading::Complete));
        complete(None) || (kind.namespaced() && namespace.is_some_and(|ns| complete(Some(ns.to_owned()))))
    }

    /// Since when this kind is watched without a gap (the latest of its places).
    pub fn watched_since(&self, kind: Kind) -> Option<Timestamp> {
        self.since.iter().filter(|((k, _), _)| *k == kind).map(|(_, t)| *t).max()
    }

    /// True when this kind has been read, refused or found not to be served, somewhere.
    pub fn has_reading(&self, kind: Kind) -> bool {
        self.readings.keys().any(|(k, _)| *k == kind)
    }

    /// How each kind is read, by place.
    pub fn readings(&self) -> impl Iterator<Item = (&(Kind, Option<String>), &Reading)> {
        self.readings.iter()
    }

    /// Objects that could not be decoded: how many, the last reason, since when.
    pub fn skipped(&self) -> impl Iterator<Item = (&(Kind, Option<String>), &(u32, String, Timestamp))> {
        self.skipped.iter()
    }

    /// The connection as last reported.
    pub fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    /// How many objects are known.
    pub fn len(&self) -> usize {
        self.objects.values().map(BTreeMap::len).sum()
    }

    /// True when nothing is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many observations were applied.
    pub fn observations(&self) -> u64 {
        self.observations
    }

    /// The state for comparisons in tests: every object by kind and name.
    pub fn snapshot(&self) -> Vec<(Kind, Key, Arc<Object>)> {
        self.objects.iter().flat_map(|(k, m)| m.iter().map(move |(n, o)| (*k, n.clone(), o.clone()))).collect()
    }
}

fn key_of(meta: &Meta) -> Key {
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone())
}

/// Resource versions of built-in kinds are decimal and grow (promised since Kubernetes 1.35; true before). What does
/// not parse is never older.
fn older(new: &str, known: &str) -> bool {
    match (new.parse::<u128>(), known.parse::<u128>()) {
        (Ok(a), Ok(b)) => a < b,
        _ => false,
    }
}

/// Kinds whose changes are worth a line of history.
fn tells_changes(kind: Kind) -> bool {
    !matches!(kind, Kind::Pod | Kind::KubeEvent | Kind::EndpointSlice | Kind::ReplicaSet | Kind::Job)
}

fn changed(old: &Object, new: &Object, at: Timestamp) -> Option<Change> {
    if !tells_changes(new.kind()) {
        return None;
    }
    let fields = diff(old, new);
    let deleting = new.meta().deleting() && !old.meta().deleting();
    if fields.is_empty() {
        return (deleting && new.kind() != Kind::Node).then(|| Change {
            object: new.reference(),
            at: new.meta().deletion_timestamp.unwrap_or(at).min(at),
            who: None,
            verb: ChangeVerb::Deleted,
            summary: "deletion asked for".into(),
            fields: Vec::new(),
            observed: Observed::Live,
        });
    }
    let (who, when) = writer(old.meta(), new.meta());
    Some(Change {
        object: new.reference(),
        // The manager's time has seconds only and can lag behind our clock; ours is never earlier than the write.
        at: when.filter(|t| *t <= at).unwrap_or(at),
        who,
        verb: ChangeVerb::Modified,
        summary: summarise(&fields),
        fields,
        observed: Observed::Live,
    })
}

/// The manager whose entry is new or newer than before; else the last writer of the object itself.
fn writer(old: &Meta, new: &Meta) -> (Option<String>, Option<Timestamp>) {
    let fresh = new
        .managed_fields
        .iter()
        .filter(|f| f.subresource.as_deref() != Some("status"))
        .filter(|f| {
            !old.managed_fields.iter().any(|o| {
                o.manager == f.manager
                    && o.operation == f.operation
                    && o.time == f.time
                    && o.subresource == f.subresource
            })
        })
        .max_by_key(|f| f.time);
    match fresh {
        Some(f) => (Some(f.manager.clone()), f.time),
        None => new.last_writer().map_or((None, None), |(m, t)| (Some(m.to_owned()), t)),
    }
}

fn created(object: &Object, at: Timestamp) -> Option<Change> {
    if !tells_changes(object.kind()) || object.kind() == Kind::Namespace {
        return None;
    }
    let when = object.meta().creation_timestamp;
    // An object that is new to us but old in the cluster was not created now (a permission that came back).
    if when.is_some_and(|t| at.duration_since(t) > SignedDuration::from_secs(60)) {
        return None;
    }
    Some(Change {
        object: object.reference(),
        at: when.filter(|t| *t <= at).unwrap_or(at),
        who: object.meta().last_writer().map(|(m, _)| m.to_owned()),
        verb: ChangeVerb::Created,
        summary: "created".into(),
        fields: Vec::new(),
        observed: Observed::Live,
    })
}

fn deleted(object: &Object, at: Timestamp) -> Option<Change> {
    tells_changes(object.kind()).then(|| Change {
        object: object.reference(),
        at,
        // The cluster does not record who deleted an object.
        who: None,
        verb: ChangeVerb::Deleted,
        summary: "deleted".into(),
        fields: Vec::new(),
        observed: Observed::Live,
    })
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
