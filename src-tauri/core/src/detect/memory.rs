//! What the rules found of each object, kept so that it need not be found again while nothing it was made from changes.

use std::{collections::HashMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use super::Detection;
use crate::{
    correlate::{Fault, Group, Options, route::Ways},
    index::{Changed, Index, Mark, Now, Reads},
    object::Meta,
};

/// A piece of the rules' work: the family of rules, and the object it looks at.
pub(super) type Unit = (&'static str, String);

/// Everything is found anew so often, whatever is remembered.
const ANEW: SignedDuration = SignedDuration::from_mins(10);

/// What was made in earlier looks at one index. It is bounded by what is there: what a look has no use for is dropped.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    units: HashMap<Unit, Kept<Detection>>,
    /// The faults, by the fingerprint of the first of the findings that they were made from.
    faults: HashMap<String, (Group, Kept<Arc<Fault>>)>,
    /// The ways along which failures travel.
    pub(crate) ways: Ways,
    /// The look before; none before the first.
    last: Option<Last>,
    /// What was touched since then.
    changed: Changed,
    /// When all of this began, and how many looks there were.
    since: Timestamp,
    looks: u64,
}

/// How a look was made, and when.
#[derive(Clone, Debug)]
struct Last {
    options: Options,
    at: Timestamp,
    mark: Mark,
}

#[derive(Clone, Debug)]
struct Kept<T> {
    made: T,
    reads: Reads,
    /// The look that last had a use for it.
    used: u64,
}

impl<T> Kept<T> {
    /// What was made, where it still holds in this look.
    fn recall(&mut self, look: u64, changed: &Changed, now: Now<'_>) -> Option<(&T, &Reads)> {
        if self.used != look && !self.reads.hold(changed, now) {
            return None;
        }
        self.used = look;
        Some((&self.made, &self.reads))
    }
}

impl Memory {
    /// A look begins: what happened since the last one is known, or else everything is forgotten. Time that went back,
    /// or other settings, leave nothing to rely on.
    pub(crate) fn begin(&mut self, index: &Index, now: Timestamp, options: &Options) {
        let young = now.duration_since(self.since) < ANEW;
        let last = self.last.take().filter(|last| last.options == *options && last.at <= now && young);
        match last.and_then(|last| index.changed_since(&last.mark)) {
            Some(changed) => self.changed = changed,
            None => *self = Memory { since: now, ..Memory::default() },
        }
        self.ways.look_again(&self.changed, Now::new(index, now));
        self.last = Some(Last { options: options.clone(), at: now, mark: index.mark() });
        self.looks += 1;
    }

    /// The look is over.
    pub(crate) fn end(&mut self) {
        let looks = self.looks;
        self.units.retain(|_, kept| kept.used == looks);
        self.faults.retain(|_, (_, kept)| kept.used == looks);
        self.changed = Changed::default();
    }

    /// What was found then, where that still holds.
    pub(super) fn recall(&mut self, unit: &Unit, now: Now<'_>) -> Option<(&Detection, &Reads)> {
        self.units.get_mut(unit)?.recall(self.looks, &self.changed, now)
    }

    pub(super) fn keep(&mut self, unit: Unit, made: Detection, reads: Reads) {
        self.units.insert(unit, Kept { made, reads, used: self.looks });
    }

    /// The fault that these findings came to, where it still holds.
    pub(crate) fn fault(&mut self, first: &str, of: &Group, now: Now<'_>) -> Option<Arc<Fault>> {
        let (then, kept) = self.faults.get_mut(first)?;
        if !then.are(of) {
            return None;
        }
        kept.recall(self.looks, &self.changed, now).map(|(fault, _)| fault.clone())
    }

    pub(crate) fn keep_fault(&mut self, first: String, of: Group, made: Arc<Fault>, reads: Reads) {
        self.faults.insert(first, (of, Kept { made, reads, used: self.looks }));
    }

    /// How much is kept.
    pub fn entries(&self) -> usize {
        let units = self.units.values().map(|kept| kept.reads.len());
        let faults = self.faults.values().map(|(_, kept)| kept.reads.len());
        units.chain(faults).map(|reads| 1 + reads).sum::<usize>() + self.ways.entries()
    }
}

/// The unit of a family of rules that is this object.
pub(super) fn unit(family: &'static str, object: &Meta) -> Unit {
    (family, format!("{}/{}", object.namespace.as_deref().unwrap_or(""), object.name))
}
