//! The time of the story.
//!
//! The story's times are moved so that its end is the real present when it gets there; until then the clock runs ahead
//! `speed` times as fast as the real one, from that far back. It is never in the future. Before the story begins it
//! walks at the pace of the real clock and waits at the beginning, however long those who watch take to connect; after
//! the end it walks on in step. On a machine that is too busy for the speed it stands still rather than run past what
//! has not been told yet: what is held for ten seconds is held for ten seconds of the story there too.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use afterwatch_core::port::Clock;
use jiff::{SignedDuration, Timestamp};

/// What is left for connecting before a story begins. It begins later when that takes longer.
pub(crate) const LEAD: SignedDuration = SignedDuration::from_secs(2);

/// What is told so late, by the story's time, makes the story no longer: timers are not exact, and every line has one.
const EXACT: SignedDuration = SignedDuration::from_secs(5);

/// The clock of one drill.
#[derive(Debug)]
pub struct DrillClock {
    /// The story's first and last moment, by this clock.
    starts: Timestamp,
    ends: Timestamp,
    speed: f64,
    made: Timestamp,
    course: Mutex<Course>,
}

/// How far the story is.
#[derive(Debug, Default)]
struct Course {
    /// When it began, by the real clock; later by what was waited for.
    begun: Option<Timestamp>,
    /// By this clock, when the next thing is told: the clock does not run past it.
    next: Option<Timestamp>,
}

impl DrillClock {
    /// A clock for a story of this length that has not begun; it is `made` now, by the real clock.
    pub(crate) fn new(length: SignedDuration, speed: f64, made: Timestamp) -> DrillClock {
        let played = SignedDuration::try_from_secs_f64(length.as_secs_f64() / speed).unwrap_or(length);
        let ends = made.saturating_add(LEAD + played).unwrap_or(made);
        // Kubernetes' times are of whole seconds: the end is one, so that what is moved stays one.
        let ends = Timestamp::from_second(ends.as_second()).unwrap_or(ends);
        let starts = ends.saturating_sub(length).unwrap_or(ends);
        DrillClock { starts, ends, speed, made, course: Mutex::default() }
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
        self.course().begun.get_or_insert_with(|| Timestamp::now().max(earliest));
    }

    /// When the story began, or will in a moment, by the real clock.
    pub fn begun_at(&self) -> Option<Timestamp> {
        self.course().begun
    }

    /// The clock stands still at this moment of the story until something is told, and what is told after it.
    pub(crate) fn stop_at(&self, next: Option<Timestamp>) {
        self.go_on(Timestamp::now(), next);
    }

    fn go_on(&self, real: Timestamp, next: Option<Timestamp>) {
        let mut course = self.course();
        if let (Some(begun), Some(stood)) = (course.begun, course.next) {
            let over = self.over(begun);
            let due = match stood < self.ends {
                true => over - shrunk(self.ends.duration_since(stood), self.speed),
                false => over + stood.duration_since(self.ends),
            };
            let late = real.duration_since(due);
            if stretched(late, self.speed) > EXACT {
                course.begun = begun.checked_add(late).ok().or(Some(begun));
            }
        }
        course.next = next;
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the story is over, by the real clock, if it began then.
    fn over(&self, begun: Timestamp) -> Timestamp {
        begun.saturating_add(shrunk(self.ends.duration_since(self.starts), self.speed)).unwrap_or(begun)
    }

    /// What the clock shows, were nothing waited for.
    fn runs(&self, begun: Timestamp, real: Timestamp) -> Timestamp {
        if real < begun {
            return self.starts;
        }
        let over = self.over(begun);
        let shown = if real < over {
            self.ends.saturating_sub(stretched(over.duration_since(real), self.speed))
        } else {
            self.ends.saturating_add(real.duration_since(over))
        };
        shown.unwrap_or(self.ends)
    }

    fn at(&self, real: Timestamp) -> Timestamp {
        let course = self.course();
        match course.begun.filter(|begun| real >= *begun) {
            Some(begun) => self.runs(begun, real).min(course.next.unwrap_or(Timestamp::MAX)),
            None => {
                let walked = real.duration_since(self.made) - LEAD;
                self.starts.saturating_add(walked.min(SignedDuration::ZERO)).unwrap_or(self.starts)
            }
        }
    }

    fn wait(&self, real: Timestamp, until: Timestamp) -> Duration {
        let begun = self.begun_at().unwrap_or(real).max(real);
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
        let real = real.saturating_add(wait).unwrap_or(real);
        // Not where it stands: what is to be done a moment later is done no sooner because the story waits.
        self.begun_at().map_or_else(|| self.at(real), |begun| self.runs(begun, real))
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
        clock.course().begun = Some(made + secs(2));
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
        clock.course().begun = Some(made + secs(9));
        let mut last = Timestamp::MIN;
        for tenth in 0..400 {
            let real = made + SignedDuration::from_millis(tenth * 100);
            assert!(clock.at(real) <= real && clock.at(real) >= last, "at {tenth}");
            last = clock.at(real);
        }
    }

    #[test]
    fn the_clock_does_not_run_past_what_was_not_told_yet() {
        let made: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let clock = DrillClock::new(secs(600), 60.0, made);
        clock.course().begun = Some(made + secs(2));
        let told = clock.starts() + secs(30);
        clock.course().next = Some(told);
        let on_time = made + SignedDuration::from_millis(2500);
        assert!(close(clock.at(on_time), told));
        assert_eq!(clock.at(made + secs(5)), told, "nobody has told it");
        assert_eq!(
            clock.wait(made + secs(5), told + secs(60)),
            Duration::from_secs(1),
            "no wait of nothing, again and again"
        );
        clock.go_on(made + secs(5), Some(told + secs(60)));
        assert!(close(clock.at(made + secs(5)), told), "it goes on from where it stood");
        assert!(close(clock.at(made + secs(5) + SignedDuration::from_millis(500)), told + secs(30)));
        // A timer's inaccuracy is no delay: the story would grow longer with every line.
        let begun = clock.begun_at();
        clock.go_on(made + SignedDuration::from_millis(6040), None);
        assert_eq!(clock.begun_at(), begun);
    }

    #[test]
    fn a_machine_that_slept_past_the_end_goes_on_where_it_was() {
        let made: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let clock = DrillClock::new(secs(600), 60.0, made);
        clock.course().begun = Some(made + secs(2));
        let told = clock.ends() - secs(60);
        clock.course().next = Some(told);
        let woken = made + secs(1000);
        clock.go_on(woken, Some(clock.ends()));
        assert!(close(clock.at(woken), told), "{}", clock.at(woken));
    }

    #[test]
    fn a_speed_of_one_is_the_real_clock() {
        let made: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let clock = DrillClock::new(secs(600), 1.0, made);
        clock.course().begun = Some(made + secs(2));
        assert!(close(clock.at(made + secs(60)), made + secs(60)));
        assert_eq!(clock.wait(made + secs(60), made + secs(70)), Duration::from_secs(10));
    }
}
