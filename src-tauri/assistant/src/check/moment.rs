//! Times of a sentence, compared with those of the record in the case's zone and in UTC.

use std::sync::LazyLock;

use afterwatch_core::Timestamp;
use jiff::{
    civil::{Date, Weekday},
    tz::TimeZone,
};
use regex::Regex;

/// A clock time or a date as it is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Hour, minute and, where it is said, second.
    Clock(i8, i8, Option<i8>),
    /// Year where it is said, month, day.
    Day(Option<i16>, i8, i8),
    /// A day of the week.
    Weekday(Weekday),
    /// Counted from a day that is not said.
    Relative,
}

struct Forms {
    instant: Regex,
    date: Regex,
    written: Regex,
    american: Regex,
    clock: Regex,
    word: Regex,
}

static FORMS: LazyLock<Option<Forms>> = LazyLock::new(|| {
    let months = "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?";
    Some(Forms {
        instant: Regex::new(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?").ok()?,
        date: Regex::new(r"\b(\d{4})-(\d\d)-(\d\d)\b").ok()?,
        written: Regex::new(&format!(r"(?i)\b(\d{{1,2}})(?:st|nd|rd|th)? (?:of )?({months})\b\.?(?:,? (\d{{4}}))?"))
            .ok()?,
        american: Regex::new(&format!(r"(?i)\b({months})\.? (\d{{1,2}})(?:st|nd|rd|th)?\b(?:,? (\d{{4}}))?")).ok()?,
        clock: Regex::new(r"(?i)\b(\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d+)?)?\b(?:\s?(am|pm|a\.m\.|p\.m\.))?Z?").ok()?,
        word: Regex::new(r"(?i)\b(?:(mon|tues|wednes|thurs|fri|satur|sun)days?|(midnight|noon|midday)|(?:yesterday|tonight|tomorrow|(?:last|this) (?:night|morning|afternoon|evening|week|month|year)))\b").ok()?,
    })
});

/// The times of a text, each with what was said, and the text with blanks in their place.
pub(super) fn take(text: &str) -> (Vec<(Said, String)>, String) {
    let mut out = Vec::new();
    let mut rest = text.to_owned();
    let Some(forms) = &*FORMS else { return (out, rest) };
    let mut take = |form: &Regex, read: &dyn Fn(&regex::Captures<'_>) -> Option<Vec<Said>>| {
        let mut from = 0;
        while let Some(found) = form.captures_at(&rest.clone(), from) {
            let Some(whole) = found.get(0) else { break };
            if let Some(said) = read(&found) {
                out.extend(said.into_iter().map(|s| (s, whole.as_str().to_owned())));
                rest.replace_range(whole.range(), &" ".repeat(whole.len()));
            }
            from = whole.end();
        }
    };
    let n = |c: &regex::Captures<'_>, i: usize| c.get(i).and_then(|m| m.as_str().parse::<i16>().ok());
    let small = |c: &regex::Captures<'_>, i: usize| n(c, i).and_then(|n| i8::try_from(n).ok());
    take(&forms.instant, &|c| {
        let whole = &c[0];
        let clock = whole.get(11..)?.trim_end_matches('Z');
        let mut parts = clock.split(':');
        let hour = parts.next()?.parse().ok()?;
        let minute = parts.next()?.parse().ok()?;
        let second = parts.next().and_then(|s| s.get(..2)?.parse().ok());
        let date: Date = whole.get(..10)?.parse().ok()?;
        Some(vec![Said::Day(Some(date.year()), date.month(), date.day()), Said::Clock(hour, minute, second)])
    });
    take(&forms.date, &|c| Some(vec![Said::Day(n(c, 1), small(c, 2)?, small(c, 3)?)]));
    take(&forms.written, &|c| Some(vec![Said::Day(n(c, 3), month(&c[2])?, small(c, 1)?)]));
    take(&forms.american, &|c| Some(vec![Said::Day(n(c, 3), month(&c[1])?, small(c, 2)?)]));
    take(&forms.clock, &|c| {
        let (mut hour, minute) = (small(c, 1)?, small(c, 2)?);
        let second = small(c, 3);
        if let Some(half) = c.get(4) {
            let after_noon = half.as_str().to_lowercase().starts_with('p');
            hour = hour % 12 + if after_noon { 12 } else { 0 };
        }
        (hour < 24 && minute < 60).then(|| vec![Said::Clock(hour, minute, second)])
    });
    take(&forms.word, &|c| {
        let day = c.get(1).map(|day| day.as_str().to_lowercase()).and_then(|day| weekday(&day)).map(Said::Weekday);
        let clock = c
            .get(2)
            .map(|hour| Said::Clock(if hour.as_str().eq_ignore_ascii_case("midnight") { 0 } else { 12 }, 0, None));
        Some(vec![day.or(clock).unwrap_or(Said::Relative)])
    });
    (out, rest)
}

fn weekday(beginning: &str) -> Option<Weekday> {
    Some(match beginning {
        "mon" => Weekday::Monday,
        "tues" => Weekday::Tuesday,
        "wednes" => Weekday::Wednesday,
        "thurs" => Weekday::Thursday,
        "fri" => Weekday::Friday,
        "satur" => Weekday::Saturday,
        "sun" => Weekday::Sunday,
        _ => return None,
    })
}

fn month(name: &str) -> Option<i8> {
    const NAMES: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let name = name.to_lowercase();
    NAMES.iter().position(|m| name.starts_with(m)).and_then(|n| i8::try_from(n + 1).ok())
}

/// Whether one of the moments is the one that was said.
pub(super) fn is_among(said: &Said, moments: &[Timestamp], zone: &TimeZone) -> bool {
    moments.iter().any(|at| {
        [zone, &TimeZone::UTC].into_iter().any(|zone| {
            let at = at.to_zoned(zone.clone());
            match said {
                Said::Clock(hour, minute, second) => {
                    at.hour() == *hour && at.minute() == *minute && second.is_none_or(|s| at.second() == s)
                }
                Said::Day(year, month, day) => {
                    year.is_none_or(|y| at.year() == y) && at.month() == *month && at.day() == *day
                }
                Said::Weekday(day) => at.weekday() == *day,
                Said::Relative => false,
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, expected) in [
            ("at 19:34:13 UTC", vec![Said::Clock(19, 34, Some(13))]),
            ("at 7:34 pm", vec![Said::Clock(19, 34, None)]),
            ("on 22 Nov 2026", vec![Said::Day(Some(2026), 11, 22)]),
            ("on November 22nd", vec![Said::Day(None, 11, 22)]),
            ("2026-11-22T19:34:15Z", vec![Said::Day(Some(2026), 11, 22), Said::Clock(19, 34, Some(15))]),
            ("on Sunday evening", vec![Said::Weekday(Weekday::Sunday)]),
            ("at midnight", vec![Said::Clock(0, 0, None)]),
            ("it began yesterday", vec![Said::Relative]),
            ("busybox:1.36 on 10.1.0.7:8080", vec![]),
        ] {
            let said: Vec<Said> = take(text).0.into_iter().map(|(s, _)| s).collect();
            assert_eq!(said, expected, "{text}");
        }
    }

    #[test]
    fn a_time_is_the_same_in_the_zone_and_in_utc() {
        let at: Timestamp = "2026-11-22T19:34:15Z".parse().unwrap();
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        for (text, expected) in [("19:34:15", true), ("20:34", true), ("20:34:16", false), ("21:34", false)] {
            let said = take(text).0.remove(0).0;
            assert_eq!(is_among(&said, &[at], &zone), expected, "{text}");
        }
    }
}
