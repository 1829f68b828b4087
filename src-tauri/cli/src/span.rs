//! Times as people type them: `90s`, `5m`, `1h30m`, `7d`.

use jiff::SignedDuration;

/// The longest time that makes sense anywhere: ten years.
const MOST: i64 = 10 * 366 * 86_400;

/// Reads a time. Plain digits are refused: whether they mean seconds or minutes is anybody's guess.
pub fn parse(text: &str) -> Result<SignedDuration, String> {
    let hint = "write a number with its unit, for example 90s, 5m, 1h30m or 7d";
    let mut total: i64 = 0;
    let mut digits = String::new();
    let mut last = i64::MAX;
    for c in text.trim().chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let unit = match c {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return Err(format!("`{c}` is not a unit of time; {hint}")),
        };
        let number: i64 = digits.parse().map_err(|_| hint.to_owned())?;
        if unit >= last {
            return Err(format!("units go from great to small; {hint}"));
        }
        (last, total) = (unit, number.checked_mul(unit).and_then(|n| total.checked_add(n)).unwrap_or(i64::MAX));
        digits.clear();
    }
    match (total, digits.is_empty()) {
        (_, false) => Err(format!("`{digits}` has no unit; {hint}")),
        (0, _) => Err(format!("the time is zero; {hint}")),
        (MOST.., _) => Err("that is more than ten years".to_owned()),
        (seconds, _) => Ok(SignedDuration::from_secs(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_type_them() {
        for (text, seconds) in
            [("90s", 90), ("5m", 300), ("1h30m", 5400), ("7d", 604_800), (" 1w ", 604_800), ("1d2h3m4s", 93_784)]
        {
            assert_eq!(parse(text), Ok(SignedDuration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_time_is_refused_with_a_hint() {
        for text in ["", "5", "m", "1m1h", "1h1h", "-5m", "5 m", "0s", "1y", "99999999999999999999s", "9999999d", "५m"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("5").unwrap_err().contains("90s"));
    }
}
