//! What a piece of work read of the index, and until when that holds: it is done again only when something it read has
//! changed.
//!
//! Every method that reads notes the *places* it looks at, while somebody listens ([`Index::noting`]); whatever changes
//! the index says which places it touches. Places are kept as numbers. That two may share one only causes needless
//! work.

use std::{
    collections::{HashMap, HashSet, VecDeque, hash_map::DefaultHasher},
    hash::{BuildHasherDefault, Hash, Hasher},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use jiff::Timestamp;

use super::{Index, Now};
use crate::object::Kind;

/// How many changes of places are remembered: who last looked before that starts anew.
const REMEMBERED: usize = 1 << 16;

/// Something that is read, and changes, as one.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) enum Place<'a> {
    /// Anything at all.
    Anything,
    /// Any object of a kind.
    Kind(Kind),
    /// Any object of a kind in a namespace.
    Within(Kind, &'a str),
    /// An object by namespace and name.
    Object(Kind, &'a str, &'a str),
    Uid(&'a str),
    /// The objects of a kind that are being deleted.
    Deleting(Kind),
    /// What the pods are and where, whatever else their status says.
    Placed,
    /// What an object with this uid owns.
    Children(&'a str),
    /// The events of an object, by its key.
    Events(&'a str),
    /// Which objects of a kind are spoken of.
    Told(Kind),
    /// The logs of a pod, by its uid.
    Logs(&'a str),
    /// How a kind is read.
    Reading(Kind),
    Skipped,
    Connection,
    Changes,
    /// The changes of an object, by kind, namespace and name.
    ChangesOf(&'a str, Option<&'a str>, &'a str),
    Graves,
    /// The pods of a namespace with this label.
    Labelled(&'a str, &'a str, &'a str),
    /// The EndpointSlices of a Service.
    Slices(&'a str, &'a str),
    Images,
    /// The pods that keep others away.
    Apart,
    Address(IpAddr),
    /// The pods on a node.
    On(&'a str),
}

impl Place<'_> {
    fn number(self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

/// What was read, and until when what was made of it holds while none of that changes.
#[derive(Clone, Debug)]
pub struct Reads {
    places: Vec<u64>,
    until: Timestamp,
}

impl Default for Reads {
    fn default() -> Reads {
        Reads { places: Vec::new(), until: Timestamp::MAX }
    }
}

impl Reads {
    /// True when what was made of this holds still, after these changes.
    pub fn hold(&self, changed: &Changed, now: Now<'_>) -> bool {
        !now.reached(self.until) && !self.places.iter().any(|p| changed.0.contains(p))
    }

    /// How many places it names.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// True when nothing was read, not even the time.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty() && self.until == Timestamp::MAX
    }

    fn take_in(&mut self, other: &Reads) {
        self.places.extend_from_slice(&other.places);
        self.until = self.until.min(other.until);
    }
}

/// The places that were touched since somebody last looked.
#[derive(Clone, Debug, Default)]
pub struct Changed(HashSet<u64, BuildHasherDefault<Number>>);

/// The numbers of places are hashes already.
#[derive(Clone, Copy, Debug, Default)]
struct Number(u64);

impl Hasher for Number {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|b| self.0 = self.0.rotate_left(8) ^ u64::from(*b));
    }
}

/// Who listens, and what changed.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    /// What each of those who listen has read so far, innermost last.
    listening: Mutex<Vec<Reads>>,
    /// Somebody listens: asked before each read.
    heard: AtomicBool,
    /// The last places that were touched.
    touched: VecDeque<u64>,
    /// How many there ever were.
    count: u64,
    /// What is made anew with every index and every copy of one.
    of: Arc<()>,
}

/// A moment in the life of one index.
#[derive(Clone, Debug)]
pub struct Mark {
    of: Arc<()>,
    count: u64,
}

/// Nobody listens to a copy.
impl Clone for Tracker {
    fn clone(&self) -> Tracker {
        Tracker { touched: self.touched.clone(), count: self.count, ..Tracker::default() }
    }
}

impl Tracker {
    fn listening(&self) -> MutexGuard<'_, Vec<Reads>> {
        self.listening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the innermost of those who listen.
    fn tell(&self, what: impl FnOnce(&mut Reads)) {
        if self.heard.load(Relaxed)
            && let Some(reads) = self.listening().last_mut()
        {
            what(reads);
        }
    }

    pub fn touch(&mut self, place: Place<'_>) {
        self.count += 1;
        self.touched.push_back(place.number());
        if self.touched.len() > REMEMBERED {
            self.touched.pop_front();
        }
    }

    /// All may be different now.
    pub fn touch_all(&mut self) {
        self.count += 1;
        self.touched.clear();
    }
}

impl Index {
    /// Does a piece of work, and says what it read.
    pub fn noting<T>(&self, work: impl FnOnce() -> T) -> (T, Reads) {
        self.tracker.listening().push(Reads::default());
        self.tracker.heard.store(true, Relaxed);
        let done = work();
        let mut listening = self.tracker.listening();
        let mut reads = listening.pop().unwrap_or_default();
        self.tracker.heard.store(!listening.is_empty(), Relaxed);
        drop(listening);
        reads.places.sort_unstable();
        reads.places.dedup();
        self.noted(&reads);
        (done, reads)
    }

    /// Whoever listens uses what was made of these reads.
    pub fn noted(&self, reads: &Reads) {
        self.tracker.tell(|outer| outer.take_in(reads));
    }

    /// What whoever listens makes of this holds no longer than until then.
    pub(super) fn holds_until(&self, time: Timestamp) {
        self.tracker.tell(|reads| reads.until = reads.until.min(time));
    }

    /// The present moment in the life of this index.
    pub fn mark(&self) -> Mark {
        Mark { of: self.tracker.of.clone(), count: self.tracker.count }
    }

    /// The places that were touched since then; `None` where that is too long ago to tell, or was in another index.
    pub fn changed_since(&self, mark: &Mark) -> Option<Changed> {
        let new = self.tracker.count.checked_sub(mark.count).filter(|_| Arc::ptr_eq(&self.tracker.of, &mark.of))?;
        let new = usize::try_from(new).ok()?;
        let from = self.tracker.touched.len().checked_sub(new)?;
        Some(Changed(self.tracker.touched.range(from..).copied().collect()))
    }

    pub(super) fn note(&self, place: Place<'_>) {
        self.tracker.tell(|reads| reads.places.push(place.number()));
    }
}

/// What is made once. Whoever asks for it has read what it was made from.
#[derive(Debug)]
pub(crate) struct Once<K, V>(Mutex<HashMap<K, Made<V>>>);

#[derive(Clone, Debug)]
struct Made<V> {
    made: V,
    reads: Reads,
    /// It was asked for in this look.
    used: bool,
}

impl<K, V> Default for Once<K, V> {
    fn default() -> Once<K, V> {
        Once(Mutex::default())
    }
}

impl<K: Clone, V: Clone> Clone for Once<K, V> {
    fn clone(&self) -> Once<K, V> {
        Once(Mutex::new(self.known().clone()))
    }
}

impl<K, V> Once<K, V> {
    fn known(&self) -> MutexGuard<'_, HashMap<K, Made<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much is kept.
    pub fn entries(&self) -> usize {
        self.known().values().map(|known| 1 + known.reads.len()).sum()
    }
}

impl<K: Eq + Hash, V: Clone> Once<K, V> {
    pub fn get(&self, index: &Index, key: K, make: impl FnOnce(&K) -> V) -> V {
        if let Some(known) = self.known().get_mut(&key) {
            known.used = true;
            index.noted(&known.reads);
            return known.made.clone();
        }
        let (made, reads) = index.noting(|| make(&key));
        self.known().insert(key, Made { made: made.clone(), reads, used: true });
        made
    }

    /// Another look begins: what the last one had a use for stays, where it still holds.
    pub fn look_again(&mut self, changed: &Changed, now: Now<'_>) {
        self.known().retain(|_, known| std::mem::take(&mut known.used) && known.reads.hold(changed, now));
    }
}

#[cfg(test)]
#[path = "reads_tests.rs"]
mod tests;
