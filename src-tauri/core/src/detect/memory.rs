//! What the rules found of each object, kept so that it need not be found again while nothing it was made from changes.

use std::{cell::RefCell, collections::HashMap, hash::Hash};

use jiff::Timestamp;

use super::Detection;
use crate::{
    correlate::Options,
    index::{Changed, Index, Now, Reads},
    object::Meta,
};

/// A piece of the rules' work: the family of rules, and the object it looks at.
pub(super) type Unit = (&'static str, String);

/// What was made in earlier looks at one index. It is bounded by what is there: what a look has no use for is dropped.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    units: HashMap<Unit, Kept>,
    /// How the look before was made, and when; none before the first.
    last: Option<(Options, Timestamp)>,
    /// How often the index had been touched by then.
    touches: u64,
    /// What was touched since.
    changed: Changed,
    looks: u64,
}

#[derive(Clone, Debug)]
struct Kept {
    found: Detection,
    reads: Reads,
    /// The look that last had a use for it.
    used: u64,
}

impl Memory {
    /// A look begins: what happened since the last one is known, or else everything is forgotten. Time that went back,
    /// or other settings, leave nothing to rely on.
    pub(crate) fn begin(&mut self, index: &Index, now: Timestamp, options: &Options) {
        let goes_on = self.last.as_ref().is_some_and(|(before, at)| before == options && *at <= now);
        match index.changed_since(self.touches).filter(|_| goes_on) {
            Some(changed) => self.changed = changed,
            None => *self = Memory { looks: self.looks, ..Memory::default() },
        }
        self.touches = index.touches();
        self.last = Some((options.clone(), now));
        self.looks += 1;
    }

    /// The look is over.
    pub(crate) fn end(&mut self) {
        let looks = self.looks;
        self.units.retain(|_, kept| kept.used == looks);
        self.changed = Changed::default();
    }

    /// What was found then, where that still holds.
    pub(super) fn recall(&mut self, unit: &Unit, now: Now<'_>) -> Option<(&Detection, &Reads)> {
        let kept = self.units.get_mut(unit)?;
        if kept.used != self.looks {
            if !kept.reads.hold(&self.changed, now) {
                return None;
            }
            kept.used = self.looks;
        }
        Some((&kept.found, &kept.reads))
    }

    pub(super) fn keep(&mut self, unit: Unit, found: Detection, reads: Reads) {
        self.units.insert(unit, Kept { found, reads, used: self.looks });
    }

    /// How much is kept.
    pub fn entries(&self) -> usize {
        self.units.values().map(|kept| 1 + kept.reads.len()).sum()
    }
}

/// The unit of a family of rules that is this object.
pub(super) fn unit(family: &'static str, object: &Meta) -> Unit {
    (family, format!("{}/{}", object.namespace.as_deref().unwrap_or(""), object.name))
}

/// What is made once in a run. Whoever asks for it has read what it was made from.
#[derive(Debug)]
pub(super) struct Once<K, V>(RefCell<HashMap<K, (V, Reads)>>);

impl<K, V> Default for Once<K, V> {
    fn default() -> Once<K, V> {
        Once(RefCell::default())
    }
}

impl<K: Eq + Hash, V: Clone> Once<K, V> {
    pub fn get(&self, index: &Index, key: K, make: impl FnOnce(&K) -> V) -> V {
        if let Some((known, reads)) = self.0.borrow().get(&key) {
            index.noted(reads);
            return known.clone();
        }
        let (made, reads) = index.noting(|| make(&key));
        self.0.borrow_mut().insert(key, (made.clone(), reads));
        made
    }
}
