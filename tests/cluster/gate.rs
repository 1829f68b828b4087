//! Who may break things now.

use std::sync::{Condvar, Mutex, MutexGuard};

/// Lets so many in at one time; who wants to be alone waits until all the others have been in.
pub struct Gate {
    places: Mutex<Places>,
    changed: Condvar,
}

struct Places {
    free: usize,
    all: usize,
    /// How many of those that come together have not left yet.
    to_come: usize,
    alone: bool,
}

pub struct Turn<'a> {
    gate: &'a Gate,
    counts: bool,
    alone: bool,
}

impl Gate {
    pub fn new(places: usize, to_come: usize) -> Self {
        Self {
            places: Mutex::new(Places { free: places.max(1), all: places.max(1), to_come, alone: false }),
            changed: Condvar::new(),
        }
    }

    pub fn enter(&self, counts: bool) -> Turn<'_> {
        self.wait(|places| places.free > 0 && !places.alone).free -= 1;
        Turn { gate: self, counts, alone: false }
    }

    pub fn enter_alone(&self) -> Turn<'_> {
        self.wait(|places| places.to_come == 0 && places.free == places.all && !places.alone).alone = true;
        Turn { gate: self, counts: false, alone: true }
    }

    fn wait(&self, may: impl Fn(&Places) -> bool) -> MutexGuard<'_, Places> {
        let mut places = self.places.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        while !may(&places) {
            places = self.changed.wait(places).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        places
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut places = self.gate.places.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if self.alone {
            places.alone = false;
        } else {
            places.free += 1;
            places.to_come -= usize::from(self.counts);
        }
        self.gate.changed.notify_all();
    }
}
