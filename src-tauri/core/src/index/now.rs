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

    /// In place of the moment in what shows how things are at a look, so that it holds at any later one: whoever takes
    /// the evidence in puts the moment there ([`crate::evidence::EvidenceDraft::taken`]).
    pub const STAMP: Timestamp = Timestamp::MAX;

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
