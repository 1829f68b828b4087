//! Moments and durations in words.

use afterwatch_core::{Timestamp, coverage::Gap, words};
use jiff::{SignedDuration, civil::Date, tz::TimeZone};

/// Writes moments of one incident in one zone.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    zone: TimeZone,
    /// The day everything falls on, unless it takes several.
    day: Option<Date>,
}

impl Clock {
    /// A clock for these moments.
    pub fn new(zone: TimeZone, moments: impl IntoIterator<Item = Timestamp>) -> Clock {
        let mut days = moments.into_iter().map(|at| at.to_zoned(zone.clone()).date());
        let first = days.next();
        let day = first.filter(|first| days.all(|day| day == *first));
        Clock { zone, day }
    }

    /// `03:14:51`, with the date before it when the incident goes over several days.
    pub fn time(&self, at: Timestamp) -> String {
        let at = at.to_zoned(self.zone.clone());
        let format = if self.day == Some(at.date()) { "%H:%M:%S" } else { "%-d %b %Y, %H:%M:%S" };
        at.strftime(format).to_string()
    }

    /// `03:14:51`, whatever the day.
    pub fn of_day(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string()
    }

    /// `12 Nov 2026, 03:14:51`.
    pub fn full(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%-d %b %Y, %H:%M:%S").to_string()
    }

    /// `03:04:10–03:06:38`.
    pub fn range(&self, from: Timestamp, to: Timestamp) -> String {
        format!("{}–{}", self.time(from), self.time(to))
    }

    /// `Not recorded 03:04:10–03:06:38: API server out of reach`.
    pub fn gap(&self, gap: &Gap) -> String {
        format!("Not recorded {}: {}", self.range(gap.from, gap.to), gap.cause.words())
    }

    /// `CET (UTC+01:00)`, as it is at that moment.
    pub fn zone_name(&self, at: Timestamp) -> String {
        let at = at.to_zoned(self.zone.clone());
        if at.offset().is_zero() {
            return "UTC".to_owned();
        }
        let offset = at.strftime("UTC%:z").to_string();
        let name = at.strftime("%Z").to_string();
        if name.starts_with(|c: char| c.is_ascii_alphabetic()) { format!("{name} ({offset})") } else { offset }
    }
}

/// `17 m 48 s` between two moments.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> String {
    words::span(to.duration_since(from))
}

/// `17 m 48 s` for seconds.
pub(crate) fn seconds(seconds: f64) -> String {
    words::span(SignedDuration::try_from_secs_f64(seconds).unwrap_or_default())
}
