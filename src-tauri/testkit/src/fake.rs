//! Stand-ins for the ports of core.

mod cluster;
mod model;

use std::sync::{Mutex, MutexGuard, PoisonError};

use afterwatch_core::{
    Timestamp,
    port::{BoxFuture, Clock, Notice, NoticeError, Notifier},
};
use jiff::SignedDuration;

pub use cluster::FakeCluster;
pub use model::FakeModel;

use crate::t;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A clock that stands until it is moved. It begins at the beginning.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl Default for ManualClock {
    fn default() -> ManualClock {
        ManualClock(Mutex::new(t(0)))
    }
}

impl ManualClock {
    /// Moves it on.
    pub fn advance(&self, seconds: i64) {
        let mut now = lock(&self.0);
        *now += SignedDuration::from_secs(seconds);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *lock(&self.0)
    }
}

/// Keeps what it was to show; can be told to fail.
#[derive(Debug, Default)]
pub struct RecordingNotifier {
    shown: Mutex<Vec<Notice>>,
    failing: Mutex<Option<String>>,
}

impl RecordingNotifier {
    /// What was shown so far.
    pub fn shown(&self) -> Vec<Notice> {
        lock(&self.shown).clone()
    }

    /// From now on nothing can be shown, for this reason; `None` mends it.
    pub fn fail(&self, why: Option<&str>) {
        *lock(&self.failing) = why.map(str::to_owned);
    }
}

impl Notifier for RecordingNotifier {
    fn show(&self, notice: Notice) -> BoxFuture<'_, Result<(), NoticeError>> {
        Box::pin(async move {
            if let Some(message) = lock(&self.failing).clone() {
                return Err(NoticeError { message });
            }
            lock(&self.shown).push(notice);
            Ok(())
        })
    }
}
