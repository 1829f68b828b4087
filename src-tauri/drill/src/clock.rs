//! The time of the story.
//!
//! The story's times are moved so that its end is the real present when it gets there; until then the clock runs ahead
//! `speed` times as fast as the real one, from that far back. It is never in the future. Before the story begins it
//! walks at the pace of the real clock and waits at the beginning, however long those who watch take to connect; after
//! the end it walks on in step.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use afterwatch_core::port::Clock;
use jiff::{SignedDuration, Timestamp};

/// What is left for connecting before a story begins. It begins later when that takes longer.
pub(crate) const LEAD: SignedDuration = SignedDuration::from_secs(2);

/// The clock of one drill.
#[derive(Debug)]
pub struct DrillClock {
    /// The story's first and last moment, by this clock.
    starts: Timestamp,
    ends: Timestamp,
    speed: f64,
    made: Timestamp,
    /// When the story began, by the real clock.
    begun: Mutex<Option<Timestamp>>,
}

impl DrillClock {
    /// A clock for a story of this length that has not begun; it is `made` now, by the real clock.
    pub(crate) fn new(length: SignedDuration, speed: f64, made: Timestamp) -> DrillClock {
        let played = SignedDuration::try_from_secs_f64(length.as_secs_f64() / speed).unwrap_or(length);
        let ends = made.saturating_add(LEAD + played).unwrap_or(made);
        // Kubernetes' times are of whole seconds: the end is one, so that what is moved stays one.
        let ends = Timestamp::from_second(ends.as_second()).unwrap_or(ends);
        let starts = ends.saturating_sub(length).unwrap_or(ends);
        DrillClock { starts, ends, speed, made, begun: Mutex::new(None) }
    }

    /// The story's first moment, by this clock.
    pub fn starts(&self) -> Timestamp {
        self.starts
    }

    /// The story's last moment, by this clock.
    pub fn ends(&self) -> Timestamp {
        self.ends
    }

    /// How many times as fast as the real clock the story runs.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// The story begins now, once the time for connecting is over.
    pub fn begin(&self) {
        let earliest = self.made.saturating_add(LEAD).unwrap_or(self.made);
        self.begun().get_or_insert_with(|| Timestamp::now().max(earliest));
    }

    /// When the story began, or will in a moment, by the real clock.
    pub fn begun_at(&self) -> Option<Timestamp> {
        *self.begun()
    }

    fn begun(&self) -> MutexGuard<'_, Option<Timestamp>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the story is over, by the real clock, if it began then.
    fn over(&self, begun: Timestamp) -> Timestamp {
        begun.saturating_add(shrunk(self.ends.duration_since(self.starts), self.speed)).unwrap_or(begun)
    }

    fn at(&self, real: Timestamp) -> Timestamp {
        let begun = *self.begun();
        let begun = begun.filter(|begun| real >= *begun);
        let Some(begun) = begun else {
            let walked = real.duration_since(self.made) - LEAD;
            return self.starts.saturating_add(walked.min(SignedDuration::ZERO)).unwrap_or(self.starts);
        };
        let over = self.over(begun);
        let shown = if real < over {
            self.ends.saturating_sub(stretched(over.duration_since(real), self.speed))
        } else {
            self.ends.saturating_add(real.duration_since(over))
        };
        shown.unwrap_or(self.ends)
    }

    fn wait(&self, real: Timestamp, until: Timestamp) -> Duration {
        let begun = self.begun().unwrap_or(real).max(real);
        // The clock stands still, or walks, until the story begins; what is left of that is waited for too.
        let lead = begun.duration_since(real);
        let from = self.at(real).max(if begun > real { self.starts } else { Timestamp::MIN });
        let fast = until.min(self.ends).duration_since(from).max(SignedDuration::ZERO);
        let slow = until.duration_since(self.ends.max(from)).max(SignedDuration::ZERO);
        let wait = if until <= self.at(real) { SignedDuration::ZERO } else { lead + shrunk(fast, self.speed) + slow };
        Duration::try_from(wait).unwrap_or(Duration::ZERO)
    }
}

impl Clock for DrillClock {
    fn now(&self) -> Timestamp {
        self.at(Timestamp::now())
    }

    fn until(&self, at: Timestamp) -> Duration {
        self.wait(Timestamp::now(), at)
    }

    fn after(&self, wait: Duration) -> Timestamp {
        let real = Timestamp::now();
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::ZERO);
        self.at(real.saturating_add(wait).unwrap_or(real))
    }
}

fn shrunk(span: SignedDuration, speed: f64) -> SignedDuration {
    SignedDuration::try_from_secs_f64(span.as_secs_f64() / speed).unwrap_or(span)
}

fn stretched(span: SignedDuration, speed: f64) -> SignedDuration {
    SignedDuration::try_from_secs_f64(span.as_secs_f64() * speed).unwrap_or(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(s: i64) -> SignedDuration {
        SignedDuration::from_secs(s)
    }

    fn close(a: Timestamp, b: Timestamp) -> bool {
        a.duration_since(b).abs() < SignedDuration::from_millis(1)
    }

    #[test]
    fn the_story_runs_fast_to_the_real_present_and_then_walks_with_it() {
        let made: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let clock = DrillClock::new(secs(600), 60.0, made);
        assert_eq!(clock.ends(), made + secs(12), "2 s to connect, 10 s of story");
        *clock.begun() = Some(made + secs(2));
        assert!(close(clock.at(made + secs(2)), clock.starts()));
        assert!(close(clock.at(made + secs(3)), clock.starts() + secs(60)));
        assert!(close(clock.at(made + secs(12)), made + secs(12)));
        assert!(close(clock.at(made + secs(99)), made + secs(99)));
        assert_eq!(clock.wait(made + secs(3), clock.starts() + secs(120)), Duration::from_secs(1));
        assert_eq!(clock.wait(made + secs(11), clock.ends() + secs(5)), Duration::from_secs(6));
        assert_eq!(clock.wait(made + secs(11), clock.starts()), Duration::ZERO);
    }

    #[test]
    fn the_clock_waits_at_the_beginning_and_is_never_in_the_future() {
        let made: Timestamp = "2026-11-22T10:00:00.7Z".parse().unwrap();
        let clock = DrillClock::new(secs(600), 60.0, made);
        assert!(close(clock.at(made), clock.starts() - secs(2)));
        assert_eq!(clock.at(made + secs(9)), clock.starts(), "nobody has said that it begins");
        *clock.begun() = Some(made + secs(9));
        let mut last = Timestamp::MIN;
        for tenth in 0..400 {
            let real = made + SignedDuration::from_millis(tenth * 100);
            assert!(clock.at(real) <= real && clock.at(real) >= last, "at {tenth}");
            last = clock.at(real);
        }
    }

    #[test]
    fn a_speed_of_one_is_the_real_clock() {
        let made: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let clock = DrillClock::new(secs(600), 1.0, made);
        *clock.begun() = Some(made + secs(2));
        assert!(close(clock.at(made + secs(60)), made + secs(60)));
        assert_eq!(clock.wait(made + secs(60), made + secs(70)), Duration::from_secs(10));
    }
}
