//! The time, as those who remember what they made need it.

use jiff::{SignedDuration, Timestamp};

use super::Index;

/// The time of a look. Whoever asks what time it is makes something that holds for this moment; who only asks whether a
/// moment has come, something that holds until that changes.
#[derive(Clone, Copy, Debug)]
pub struct Now<'a> {
    at: Timestamp,
    index: &'a Index,
}

impl<'a> Now<'a> {
    /// A time to look at this index.
    pub fn new(index: &'a Index, at: Timestamp) -> Now<'a> {
        Now { at, index }
    }

    /// The moment itself.
    pub fn get(self) -> Timestamp {
        self.index.holds_until(self.at.checked_add(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MAX));
        self.at
    }

    /// In place of the moment where it is only told, as the time of evidence: [`Now::put`] puts the moment there. What
    /// is told so holds at any time.
    pub const STAMP: Timestamp = Timestamp::MAX;

    /// Puts the moment where [`Now::STAMP`] holds its place.
    pub fn put(self, time: &mut Timestamp) {
        if *time == Now::STAMP {
            *time = self.at;
        }
    }

    /// The moment has come.
    pub fn reached(self, time: Timestamp) -> bool {
        let reached = self.at >= time;
        if !reached {
            self.index.holds_until(time);
        }
        reached
    }

    /// Less than this has passed since then.
    pub fn within(self, since: Timestamp, span: SignedDuration) -> bool {
        !self.reached(later(since, span))
    }

    /// More than this has passed since then.
    pub fn beyond(self, since: Timestamp, span: SignedDuration) -> bool {
        self.reached(later(since, span.saturating_add(SignedDuration::from_nanos(1))))
    }

    /// The earlier of the two.
    pub fn min(self, time: Timestamp) -> Timestamp {
        if self.reached(time) { time } else { self.get() }
    }

    /// How long ago that was, at this moment.
    pub fn duration_since(self, time: Timestamp) -> SignedDuration {
        self.get().duration_since(time)
    }
}

fn later(time: Timestamp, span: SignedDuration) -> Timestamp {
    time.checked_add(span).unwrap_or(if span.is_negative() { Timestamp::MIN } else { Timestamp::MAX })
}
