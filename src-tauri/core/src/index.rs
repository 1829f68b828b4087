//! The index of one cluster: a pure fold over observations.
//!
//! One task owns it and applies observations in the order in which they arrive. Lists replace, upserts and deletes
//! change single objects; repeating an observation changes nothing. What is not readable is remembered as such, so
//! that no rule takes it for empty.

mod change;
pub(crate) mod deployer;
mod extension;
mod logs;
mod lookup;
mod now;
mod query;
mod reads;
mod touch;

pub use now::Now;
pub(crate) use reads::Once;
use reads::Place;
pub use reads::{Changed, Mark, Reads};

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    change::Change,
    coverage::{EndedBy, UnreadableReason},
    evidence::Observed,
    object::{Kind, Object},
    observation::{Connection, Fact, LogRead, Observation},
};

/// Namespace and name.
pub type Key = (String, String);

/// Changes older than this are forgotten by the index (the store keeps those an incident took in).
const CHANGE_MEMORY: SignedDuration = SignedDuration::from_hours(6);
const CHANGES_KEPT: usize = 4_000;
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
    lookup: lookup::Lookup,
    readings: BTreeMap<(Kind, Option<String>), Reading>,
    changes: VecDeque<Change>,
    logs: logs::Logs,
    /// The containers, by their pod's uid, of which a log was read or refused once: it may be forgotten since.
    answered: HashMap<String, BTreeSet<String>>,
    graves: VecDeque<(Timestamp, Arc<Object>)>,
    connection: Option<Connection>,
    skipped: BTreeMap<(Kind, Option<String>), (u32, String, Timestamp)>,
    /// Kinds of extensions that are read only in part.
    extensions: extension::Extensions,
    observations: u64,
    /// Kinds that were listed at least once: a later new object is a creation we saw.
    settled: BTreeSet<(Kind, Option<String>)>,
    /// Since when each place is watched without a gap.
    since: BTreeMap<(Kind, Option<String>), Timestamp>,
    tracker: reads::Tracker,
}

impl Index {
    /// An index that knows nothing.
    pub fn new() -> Index {
        Index::default()
    }

    /// Takes one observation in and returns the changes of objects it shows.
    pub fn apply(&mut self, observation: Observation) -> Vec<Change> {
        self.observations += 1;
        self.tracker.touch(Place::Anything);
        let at = observation.at;
        let changes = match observation.fact {
            Fact::Listed { kind, namespace, objects, .. } => self.reset(kind, namespace, objects, at),
            Fact::Upserted(object) => self.upsert(object, at).into_iter().collect(),
            Fact::Deleted(object) => self.delete(&object, at).into_iter().collect(),
            Fact::Alive { kind, namespace } => {
                let key = (kind, namespace);
                if self.settled.contains(&key) {
                    self.by_namespace(&key);
                    self.begin(key, at);
                }
                Vec::new()
            }
            Fact::Lost { kind, namespace, ended_by, reason, message } => {
                self.lose(kind, namespace, ended_by, reason, message, at);
                Vec::new()
            }
            Fact::Partly { kinds, count, message } => {
                self.extensions.announce(kinds);
                self.lacks(count, message, at);
                Vec::new()
            }
            Fact::NotServed { kind } => {
                self.set((kind, None), Reading::NotServed);
                Vec::new()
            }
            Fact::Skipped { kind, namespace, count, message } => {
                self.tracker.touch(Place::Skipped);
                let entry = self.skipped.entry((kind, namespace)).or_insert((0, String::new(), at));
                entry.0 = entry.0.saturating_add(count);
                entry.1 = message;
                Vec::new()
            }
            Fact::Log(read) => {
                self.keep(read, at);
                Vec::new()
            }
            Fact::Connection(connection) => {
                self.tracker.touch(Place::Connection);
                self.connection = Some(connection);
                Vec::new()
            }
        };
        for change in &changes {
            self.tracker.touch_change(change);
            self.changes.push_back(change.clone());
        }
        while self.changes.len() > CHANGES_KEPT
            || self.changes.front().is_some_and(|c| at.duration_since(c.at) > CHANGE_MEMORY)
        {
            if let Some(old) = self.changes.pop_front() {
                self.tracker.touch_change(&old);
            }
        }
        changes
    }

    /// Watching ends on purpose: what is known is old from now on, and what comes after was not seen coming.
    pub fn forget_readings(&mut self) {
        self.readings.clear();
        self.since.clear();
        self.tracker.touch_all();
    }

    /// A place is read completely and watched from now on, or still.
    fn begin(&mut self, place: (Kind, Option<String>), at: Timestamp) {
        if !self.since.contains_key(&place) {
            self.tracker.touch(Place::Reading(place.0));
            self.since.insert(place.clone(), at);
        }
        self.set(place, Reading::Complete);
    }

    fn set(&mut self, place: (Kind, Option<String>), reading: Reading) {
        if self.readings.get(&place) != Some(&reading) {
            self.tracker.touch(Place::Reading(place.0));
            self.readings.insert(place, reading);
        }
    }

    fn keep(&mut self, read: LogRead, at: Timestamp) {
        if let Some(uid) = read.want.pod.uid.as_ref().filter(|uid| self.by_uid.contains_key(*uid)) {
            self.answered.entry(uid.clone()).or_default().insert(read.want.container.clone());
        }
        let uid = read.want.pod.uid.as_deref().unwrap_or("");
        let pod = self.by_uid.get(uid).and_then(|(kind, key)| self.objects.get(kind)?.get(key));
        let running = match pod.map(|o| &**o) {
            Some(Object::Pod(pod)) => pod.containers().any(|(spec, status, _)| {
                let run = status.filter(|s| s.restart_count == read.want.restart && s.state.running.is_some());
                spec.name == read.want.container && run.is_some()
            }),
            _ => false,
        };
        self.tracker.touch(Place::Logs(uid));
        for forgotten in self.logs.keep(read, at, running, |uid| self.by_uid.contains_key(uid)) {
            self.tracker.touch(Place::Logs(&forgotten));
        }
    }

    /// What should be read of extensions' kinds and is not.
    fn lacks(&mut self, count: u32, message: String, at: Timestamp) {
        self.tracker.touch(Place::Skipped);
        let place = (Kind::CustomResource, None);
        if count == 0 {
            self.skipped.remove(&place);
        } else {
            let entry = self.skipped.entry(place).or_insert((0, String::new(), at));
            (entry.0, entry.1) = (count, message);
        }
    }

    fn reset(&mut self, kind: Kind, namespace: Option<String>, objects: Vec<Object>, at: Timestamp) -> Vec<Change> {
        if kind == Kind::CustomResource && self.extensions.begin() {
            self.tracker.touch(Place::Reading(kind));
        }
        let listed: BTreeSet<Key> = objects.iter().map(key_of).collect();
        let gone: Vec<Arc<Object>> = self
            .objects
            .get(&kind)
            .into_iter()
            .flatten()
            .filter(|(k, _)| namespace.as_ref().is_none_or(|ns| &k.0 == ns) && !listed.contains(*k))
            .filter(|(_, o)| !self.extensions.hides(o))
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
        // What is not read of those is told before each list.
        if kind != Kind::CustomResource && self.skipped.remove(&place).is_some() {
            self.tracker.touch(Place::Skipped);
        }
        self.by_namespace(&place);
        self.begin(place.clone(), at);
        self.settled.insert(place);
        changes
    }

    /// What is read by namespace is no longer unreadable everywhere. What is forbidden there stays told: it speaks of
    /// the namespaces that are not read.
    fn by_namespace(&mut self, place: &(Kind, Option<String>)) {
        use UnreadableReason::Forbidden;
        let everywhere = (place.0, None);
        let stays = match self.readings.get(&everywhere) {
            Some(Reading::Unreadable { reason, .. } | Reading::Stale { reason, .. }) => *reason == Forbidden,
            Some(Reading::Complete) => true,
            Some(Reading::NotServed) | None => false,
        };
        if place.1.is_some() && !stays && self.readings.remove(&everywhere).is_some() {
            self.tracker.touch(Place::Reading(place.0));
        }
    }

    fn upsert(&mut self, object: Object, at: Timestamp) -> Option<Change> {
        let known = self.objects.get(&object.kind()).and_then(|m| m.get(&key_of(&object)));
        if let Some(known) = known
            && known.meta().uid == object.meta().uid
            && older(&object.meta().resource_version, &known.meta().resource_version)
        {
            return None;
        }
        self.put(object, at, true)
    }

    fn put(&mut self, object: Object, at: Timestamp, settled: bool) -> Option<Change> {
        let (kind, key) = (object.kind(), key_of(&object));
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
            Some(old) if old.meta().uid == object.meta().uid => change::changed(old, &object, at),
            // Deleted and made anew under the same name between two looks: compare the content.
            Some(old) => change::changed(old, &object, at),
            None if settled => change::created(&object, at),
            None => None,
        };
        let object = Arc::new(object);
        self.link(kind, &key, &object);
        if old.map_or(kind == Kind::Pod, |old| touch::stands_elsewhere(&old, &object)) {
            self.tracker.touch(Place::Placed);
        }
        self.objects.entry(kind).or_default().insert(key, object);
        change
    }

    fn delete(&mut self, object: &Object, at: Timestamp) -> Option<Change> {
        let key = key_of(object);
        let known = self.objects.get(&object.kind())?.get(&key)?.clone();
        // A late delete of an earlier object of the same name must not take the new one away.
        (known.meta().uid == object.meta().uid || object.meta().uid.is_empty()).then(|| self.remove(&known, at))?
    }

    fn remove(&mut self, known: &Arc<Object>, at: Timestamp) -> Option<Change> {
        let (kind, key) = (known.kind(), key_of(known));
        self.unlink(known);
        self.objects.get_mut(&kind)?.remove(&key);
        if kind == Kind::Pod {
            self.answered.remove(&known.meta().uid);
            self.tracker.touch(Place::Logs(&known.meta().uid));
            self.tracker.touch(Place::Graves);
            self.tracker.touch(Place::Placed);
            self.graves.push_back((at, known.clone()));
            if self.graves.len() > GRAVES_KEPT {
                self.graves.pop_front();
            }
        }
        change::deleted(known, at)
    }

    fn link(&mut self, kind: Kind, key: &Key, object: &Arc<Object>) {
        self.lookup.link(object, &mut self.tracker);
        self.tracker.touch_object(object);
        let meta = object.meta();
        if !meta.uid.is_empty() {
            self.by_uid.insert(meta.uid.clone(), (kind, key.clone()));
        }
        for owner in &meta.owner_references {
            self.children.entry(owner.uid.clone()).or_default().insert((kind, key.clone()));
        }
        if let Object::KubeEvent(event) = &**object {
            self.events.entry(event.object().key()).or_default().insert(key.clone());
        }
    }

    fn unlink(&mut self, object: &Object) {
        self.lookup.unlink(object, &mut self.tracker);
        self.tracker.touch_object(object);
        let (kind, key, meta) = (object.kind(), key_of(object), object.meta());
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
        if self.since.remove(&place).is_some() {
            self.tracker.touch(Place::Reading(place.0));
        }
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
        self.set(place, reading);
    }
}

fn key_of(object: &Object) -> Key {
    let meta = object.meta();
    let name = match object {
        Object::CustomResource(o) => custom_name(&o.kind, o.group(), &meta.name),
        _ => meta.name.clone(),
    };
    (meta.namespace.clone().unwrap_or_default(), name)
}

/// Objects of all kinds that extensions brought lie together: two of one name are two.
fn custom_name(kind: &str, group: &str, name: &str) -> String {
    format!("{kind}.{group}/{name}")
}

/// Resource versions of built-in kinds are decimal and grow (promised since Kubernetes 1.35; true before). What does
/// not parse is never older.
fn older(new: &str, known: &str) -> bool {
    match (new.parse::<u128>(), known.parse::<u128>()) {
        (Ok(a), Ok(b)) => a < b,
        _ => false,
    }
}

/// Objects whose changes are worth a line of history.
fn tells_changes(object: &Object) -> bool {
    match object {
        // What a controller made for another object comes and goes without anybody's doing.
        Object::CustomResource(o) => o.metadata.owner_references.is_empty(),
        other => {
            !matches!(other.kind(), Kind::Pod | Kind::KubeEvent | Kind::EndpointSlice | Kind::ReplicaSet | Kind::Job)
        }
    }
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
