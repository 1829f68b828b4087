//! Moving the times of a recording by one span, wherever they stand.

use std::{borrow::Cow, sync::LazyLock};

use jiff::{SignedDuration, civil::DateTime};
use regex::{Captures, Regex};
use serde_json::Value;

/// A date and a time as RFC 3339 has them, or as logs do, with a space between or slashes in the date. What follows
/// (a fraction, a zone) stays as it is.
static MOMENT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\b(\d{4})([-/])(\d{2})([-/])(\d{2})([T ])(\d{2}):(\d{2}):(\d{2})").ok());

/// Every moment in a text, moved.
pub fn text(text: &str, span: SignedDuration) -> Cow<'_, str> {
    // Most texts hold none.
    match &*MOMENT {
        Some(moment) if text.len() >= 19 => moment.replace_all(text, |found: &Captures<'_>| {
            moved(found, span).unwrap_or_else(|| found.get(0).map_or("", |m| m.as_str()).to_owned())
        }),
        _ => Cow::Borrowed(text),
    }
}

/// Every moment in an object, moved.
pub fn value(value: &mut Value, span: SignedDuration) {
    match value {
        Value::String(content) => {
            if let Cow::Owned(moved) = text(content, span) {
                *content = moved;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| self::value(item, span)),
        Value::Object(fields) => fields.values_mut().for_each(|field| self::value(field, span)),
        _ => {}
    }
}

fn moved(found: &Captures<'_>, span: SignedDuration) -> Option<String> {
    let number = |i: usize| found.get(i)?.as_str().parse::<i16>().ok();
    let small = |i: usize| found.get(i)?.as_str().parse::<i8>().ok();
    let before = DateTime::new(number(1)?, small(3)?, small(5)?, small(7)?, small(8)?, small(9)?, 0).ok()?;
    let after = before.checked_add(span).ok()?;
    let part = |i: usize| found.get(i).map_or("", |m| m.as_str());
    Some(format!(
        "{:04}{}{:02}{}{:02}{}{:02}:{:02}:{:02}",
        after.year(),
        part(2),
        after.month(),
        part(4),
        after.day(),
        part(6),
        after.hour(),
        after.minute(),
        after.second()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_moved_and_everything_else_stays() {
        let hour = SignedDuration::from_secs(3_601);
        for (before, after) in [
            ("2026-11-22T23:34:05Z", "2026-11-23T00:34:06Z"),
            ("2026-11-22T23:34:05.798835Z failed", "2026-11-23T00:34:06.798835Z failed"),
            ("at 2026-11-22T19:34:05+01:00, again", "at 2026-11-22T20:34:06+01:00, again"),
            ("2026/11/22 19:34:05 connection refused", "2026/11/22 20:34:06 connection refused"),
            ("level=info ts=2026-11-22 19:34:05,123", "level=info ts=2026-11-22 20:34:06,123"),
            ("checkout-7d9c5b8f6-x2x9k", "checkout-7d9c5b8f6-x2x9k"),
            ("2026-13-40T19:34:05Z", "2026-13-40T19:34:05Z"),
        ] {
            assert_eq!(text(before, hour), after);
        }
        let mut object = serde_json::json!({"a": ["2026-11-22T19:34:05Z", 7], "b": {"c": "2026-11-22T19:34:05Z"}});
        value(&mut object, -hour);
        assert_eq!(object, serde_json::json!({"a": ["2026-11-22T18:34:04Z", 7], "b": {"c": "2026-11-22T18:34:04Z"}}));
    }
}
