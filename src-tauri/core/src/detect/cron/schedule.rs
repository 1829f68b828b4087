//! Schedules that are well formed and never come.

/// The schedule names only days that none of its months has, such as 31 February.
pub(super) fn never(schedule: &str) -> bool {
    let fields: Vec<&str> =
        schedule.split_whitespace().filter(|f| !f.starts_with("TZ=") && !f.starts_with("CRON_TZ=")).collect();
    let [_, _, days, months, weekday] = fields.as_slice() else { return false };
    // With a day of the week either of the two will do.
    if !matches!(*weekday, "*" | "?") {
        return false;
    }
    let (Some(days), Some(months)) = (numbers(days, 1, 31), numbers(months, 1, 12)) else { return false };
    let longest = months.iter().map(|m| match m {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    });
    longest.max().zip(days.iter().min()).is_some_and(|(longest, first)| *first > longest)
}

/// The numbers of a field; none where it is not made of numbers.
fn numbers(field: &str, low: u32, high: u32) -> Option<Vec<u32>> {
    const NAMES: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let number = |t: &str| {
        let named = NAMES.iter().position(|n| t.eq_ignore_ascii_case(n)).map(|i| i as u32 + 1);
        t.parse().ok().or(named.filter(|_| high == 12))
    };
    let mut out = Vec::new();
    for part in field.split(',') {
        let (range, step) = part.split_once('/').map_or((part, 1), |(r, s)| (r, s.parse().unwrap_or(0)));
        let (from, to) = match range.split_once('-') {
            _ if matches!(range, "*" | "?") => (low, high),
            Some((a, b)) => (number(a)?, number(b)?),
            None if part.contains('/') => (number(range)?, high),
            None => (number(range)?, number(range)?),
        };
        if step == 0 || from > to || to > high {
            return None;
        }
        out.extend((from..=to).step_by(step as usize));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::never;

    #[test]
    fn days_that_no_month_has_never_come() {
        for schedule in ["0 0 31 2 *", "0 0 30 FEB *", "0 0 31 4,6,9,11 *", "0 0 30-31 2 ?", "CRON_TZ=UTC 0 0 31 2 *"] {
            assert!(never(schedule), "{schedule}");
        }
        for schedule in [
            "*/5 * * * *",
            "0 0 29 2 *",
            "0 0 31 2 1",
            "0 0 31 * *",
            "0 0 31 2,3 *",
            "0 0 1-31 2 *",
            "@daily",
            "0 0 */10 2 *",
            "nonsense",
            "0 0 L 2 *",
        ] {
            assert!(!never(schedule), "{schedule}");
        }
    }
}
