//! Numbers of a sentence with what they count, compared by value with those of the record.

use std::sync::LazyLock;

use regex::Regex;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Bytes.
    Bytes,
    /// Cores.
    Cores,
    /// Seconds.
    Seconds,
    Percent,
    /// How often.
    Times,
    Exit,
    Port,
    /// Anything else.
    Plain,
}

/// A number as it is said.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Number {
    pub unit: Unit,
    pub value: f64,
    /// As it is written.
    pub text: String,
    /// Said to be near, not exact.
    pub about: bool,
}

/// Numbers that are written as a word.
const WORDS: &[(&str, f64)] = &[
    ("one", 1.0),
    ("two", 2.0),
    ("three", 3.0),
    ("four", 4.0),
    ("five", 5.0),
    ("six", 6.0),
    ("seven", 7.0),
    ("eight", 8.0),
    ("nine", 9.0),
    ("ten", 10.0),
    ("eleven", 11.0),
    ("twelve", 12.0),
    ("a dozen", 12.0),
    ("thirteen", 13.0),
    ("fourteen", 14.0),
    ("fifteen", 15.0),
    ("sixteen", 16.0),
    ("seventeen", 17.0),
    ("eighteen", 18.0),
    ("nineteen", 19.0),
    ("twenty", 20.0),
    ("thirty", 30.0),
    ("forty", 40.0),
    ("fifty", 50.0),
    ("sixty", 60.0),
    ("seventy", 70.0),
    ("eighty", 80.0),
    ("ninety", 90.0),
    ("a hundred", 100.0),
    ("a thousand", 1000.0),
];
/// The same in a pattern.
const SAID: &str = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|a dozen|thirteen|fourteen|fifteen|\
                    sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|\
                    a hundred|a thousand";

static FORMS: LazyLock<Vec<(Kind, Regex)>> = LazyLock::new(|| {
    let n = format!(r"(\d+(?:\.\d+)?|{SAID})");
    let unit = r"(?:milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|months?|years?)";
    [
        (Kind::Exit, format!(r"(?i)\b(?:exit(?:ed)?(?:[ -]?(?:code|status))?(?: of| was| is| with(?: code| status)?)?|code|status code|exitcode)[: =]+{n}\b")),
        (Kind::Port, format!(r"(?i)\bports?(?: number)?[: ]+{n}\b")),
        (Kind::Percent, format!(r"(?i)\b{n} ?(?:%|percent|per cent)")),
        (Kind::Span, format!(r"(?i)\b((?:\d+(?:\.\d+)?|{SAID})[ -]?(?:full |quiet |whole |long |more )?{unit}\b(?:,? (?:and )?\d+(?:\.\d+)? ?(?:milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h)\b|\d+(?:m|s)\b)*)")),
        (Kind::Article, r"(?i)\b((?:half an?|an?)[ -](?:full |quiet |whole )?(?:minute|hour|day|week|month|year))\b".to_owned()),
        (Kind::Short, r"\b((?:\d+h)?(?:\d+m)?\d+(?:h|m|s|ms))\b".to_owned()),
        (Kind::Bytes, format!(r"\b{n}[ -]?(Ki|Mi|Gi|Ti|KiB|MiB|GiB|TiB|kB|KB|MB|GB|TB|B|K|M|G|[Mm]ebibytes?|[Gg]ibibytes?|[Mm]egabytes?|[Gg]igabytes?|bytes?)\b")),
        (Kind::Cores, format!(r"(?i)\b{n} ?(cores?|cpus?|millicores?|vcpus?)\b|\bcpu (\d+(?:\.\d+)?)\b")),
        (Kind::Times, format!(r"(?i)\b{n} ?(?:times|×|x|restarts?|crashes|retries|attempts|occasions|occurrences|deaths|terminations|kills)\b")),
        (Kind::Restarts, format!(r"(?i)\b(?:restarts?|restart ?count|count|failed pods|retried|failed)[: =]+{n}\b")),
        (Kind::Ordinal, r"(?i)\b(third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|\d+(?:st|nd|rd|th)) (?:restart|death|kill|crash|termination|attempt|try|time)\b".to_owned()),
        (Kind::Once, r"(?i)\b(once|twice|thrice)\b".to_owned()),
        (Kind::Plain, format!(r"(?i)(?:^|[^\w.:/-]){n}(?:$|[^\w:/%-]|\.(?:\s|$)|-(?:pod|node|replica)\b)")),
    ]
    .into_iter()
    .filter_map(|(kind, pattern)| Some((kind, Regex::new(&pattern).ok()?)))
    .collect()
});

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Exit,
    Port,
    Percent,
    Span,
    /// `an hour`.
    Article,
    Short,
    Bytes,
    Cores,
    Times,
    Restarts,
    /// `the third restart`.
    Ordinal,
    Once,
    Plain,
}

/// The numbers of a text of which names and times were taken out already. A form takes its letters with it, so that
/// no number is read twice.
pub(super) fn numbers(text: &str) -> Vec<Number> {
    let mut rest = text.to_owned();
    let mut out = Vec::new();
    for (kind, form) in FORMS.iter() {
        // The last form looks at a sign on each side, so neighbours are found in further rounds.
        for _ in 0..64 {
            let Some(found) = form.captures(&rest) else { break };
            let Some(group) = (1..found.len()).find_map(|n| found.get(n)) else { break };
            let whole = found.get(0).map_or(group.range(), |m| m.range());
            let said = rest[whole.clone()].trim().to_owned();
            let before = rest[..whole.start].to_lowercase();
            if let Some((unit, value)) = read(*kind, &said, group.as_str(), found.get(2).map(|m| m.as_str())) {
                let one = value == 1.0 && group.as_str().eq_ignore_ascii_case("one");
                // "One" is mostly an article or a pronoun.
                if !(one && matches!(unit, Unit::Plain)) {
                    let about = *kind == Kind::Article || ABOUT.iter().any(|word| before.trim_end().ends_with(word));
                    out.push(Number { unit, value, text: group_text(*kind, &said, group.as_str()), about });
                }
            }
            let hide = if *kind == Kind::Plain { group.range() } else { whole };
            let blank = " ".repeat(hide.len());
            rest.replace_range(hide, &blank);
        }
    }
    out
}

const ABOUT: &[&str] = &[
    "about",
    "around",
    "roughly",
    "nearly",
    "almost",
    "approximately",
    "some",
    "over",
    "under",
    "than",
    "least",
    "most",
    "within",
    "~",
    "close to",
];

fn group_text(kind: Kind, said: &str, group: &str) -> String {
    match kind {
        Kind::Plain | Kind::Span | Kind::Article | Kind::Short => group.to_owned(),
        _ => said.to_owned(),
    }
}

fn read(kind: Kind, said: &str, group: &str, second: Option<&str>) -> Option<(Unit, f64)> {
    Some(match kind {
        Kind::Exit => (Unit::Exit, number(group)?),
        Kind::Port => (Unit::Port, number(group)?),
        Kind::Percent => (Unit::Percent, number(group)?),
        Kind::Span | Kind::Short => (Unit::Seconds, span(said)?),
        Kind::Article => (Unit::Seconds, article(said)?),
        Kind::Bytes => (Unit::Bytes, number(group)? * factor(second?)?),
        Kind::Cores => {
            let milli = second.is_some_and(|unit| unit.to_lowercase().starts_with("milli"));
            (Unit::Cores, number(group)? * if milli { 0.001 } else { 1.0 })
        }
        Kind::Times | Kind::Restarts => (Unit::Times, number(group)?),
        Kind::Ordinal => (Unit::Times, ordinal(group)?),
        Kind::Once => (
            Unit::Times,
            match group.to_lowercase().as_str() {
                "once" => 1.0,
                "twice" => 2.0,
                _ => 3.0,
            },
        ),
        Kind::Plain => (Unit::Plain, number(group)?),
    })
}

fn number(text: &str) -> Option<f64> {
    let text = text.to_lowercase();
    WORDS.iter().find(|(word, _)| *word == text).map(|(_, n)| *n).or_else(|| text.parse().ok())
}

fn factor(unit: &str) -> Option<f64> {
    Some(match unit.to_lowercase().as_str() {
        "ki" | "kib" => 1024.0,
        "mi" | "mib" | "mebibyte" | "mebibytes" => 1024.0 * 1024.0,
        "gi" | "gib" | "gibibyte" | "gibibytes" => 1024.0 * 1024.0 * 1024.0,
        "ti" | "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        "k" | "kb" => 1e3,
        "m" | "mb" | "megabyte" | "megabytes" => 1e6,
        "g" | "gb" | "gigabyte" | "gigabytes" => 1e9,
        "tb" => 1e12,
        "b" | "byte" | "bytes" => 1.0,
        _ => return None,
    })
}

/// `17 m 48 s`, `1h2m`, `90 seconds` in seconds.
pub(super) fn span(text: &str) -> Option<f64> {
    let text = text.to_lowercase().replace("a dozen", "12").replace("a hundred", "100").replace("a thousand", "1000");
    let mut seconds = 0.0;
    let mut digits = String::new();
    let mut unit = String::new();
    let mut any = false;
    let mut take = |digits: &mut String, unit: &mut String| {
        if digits.is_empty() || unit.is_empty() {
            return true;
        }
        let Some(n) = number(digits) else { return false };
        let factor = match unit.as_str() {
            "ms" | "millisecond" | "milliseconds" => 0.001,
            u if u.starts_with('s') => 1.0,
            u if u.starts_with("month") => 30.0 * 86_400.0,
            u if u.starts_with('m') => 60.0,
            u if u.starts_with('h') => 3600.0,
            u if u.starts_with('d') => 86_400.0,
            u if u.starts_with('w') => 7.0 * 86_400.0,
            u if u.starts_with('y') => 365.0 * 86_400.0,
            _ => return false,
        };
        seconds += n * factor;
        any = true;
        digits.clear();
        unit.clear();
        true
    };
    // Numbers written as a word come first and alone.
    let words =
        text.split([' ', '-']).filter(|w| !matches!(*w, "" | "and" | "full" | "quiet" | "whole" | "long" | "more"));
    for word in words {
        let word = word.trim_end_matches(',');
        if number(word).is_some() {
            digits = word.to_owned();
            continue;
        }
        if word.chars().all(char::is_alphabetic) {
            unit = word.to_owned();
            if !take(&mut digits, &mut unit) {
                return None;
            }
            continue;
        }
        for c in word.chars() {
            if c.is_ascii_digit() || c == '.' {
                if !unit.is_empty() && !take(&mut digits, &mut unit) {
                    return None;
                }
                digits.push(c);
            } else {
                unit.push(c);
            }
        }
        if !take(&mut digits, &mut unit) {
            return None;
        }
    }
    any.then_some(seconds)
}

/// A quantity as Kubernetes writes it, in small letters: `256mi`, `500m`, `3`.
pub(super) fn amount(text: &str) -> Option<f64> {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let unit = match &text[digits.len()..] {
        "" => 1.0,
        "m" => 0.001,
        unit => factor(unit)?,
    };
    Some(digits.parse::<f64>().ok()? * unit)
}

fn ordinal(text: &str) -> Option<f64> {
    const WORDS: [&str; 10] =
        ["third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"];
    let text = text.to_lowercase();
    let word = WORDS.iter().position(|word| *word == text).map(|n| n as f64 + 3.0);
    word.or_else(|| text.trim_end_matches(char::is_alphabetic).parse().ok())
}

/// `an hour`, `half a day` in seconds.
fn article(text: &str) -> Option<f64> {
    let lower = text.to_lowercase();
    let unit = lower.split([' ', '-']).next_back()?;
    let one = span(&format!("1 {unit}"))?;
    Some(if lower.starts_with("half") { one / 2.0 } else { one })
}

/// Whether one of the record's numbers bears the said one out.
pub(super) fn borne_out(said: &Number, record: &[Number], spans: &[f64]) -> bool {
    let same = |a: f64, b: f64| (a - b).abs() <= 1e-6 * a.abs().max(b.abs()).max(1.0);
    let near = |a: f64, b: f64| (a - b).abs() <= 0.15 * b.abs();
    let is = |n: &Number| same(n.value, said.value) || (said.about && near(said.value, n.value));
    let of = |unit: Unit| record.iter().any(|n| n.unit == unit && is(n));
    match said.unit {
        Unit::Seconds => {
            let minutes = said.value >= 60.0 && said.value % 60.0 == 0.0;
            // What is said in whole minutes is told to the minute.
            let slack = if minutes { 30.0 } else { 1.0 };
            of(Unit::Seconds)
                || spans.iter().any(|s| (s - said.value).abs() <= slack || (said.about && near(said.value, *s)))
                // `500m` is half a core as well as five hundred minutes.
                || record.iter().any(|n| n.unit == Unit::Cores && same(n.value * 60_000.0, said.value))
        }
        Unit::Times => {
            let after_first = |n: &Number| {
                n.unit == Unit::Times && n.text.to_lowercase().contains("restart") && same(n.value + 1.0, said.value)
            };
            of(Unit::Times) || record.iter().any(after_first)
        }
        Unit::Exit | Unit::Percent | Unit::Bytes => of(said.unit),
        Unit::Port | Unit::Cores => of(said.unit) || of(Unit::Plain) || of(Unit::Port),
        Unit::Plain => {
            record.iter().any(|n| n.unit == Unit::Times && is(n) && n.text.contains("pods"))
                || of(Unit::Plain)
                || of(Unit::Port)
                || of(Unit::Exit)
                || of(Unit::Cores)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(Unit, f64)> {
        numbers(text).into_iter().map(|n| (n.unit, n.value)).collect()
    }

    #[test]
    fn numbers_are_read_with_what_they_count() {
        let mi = 1024.0 * 1024.0;
        for (text, expected) in [
            ("ended with exit code 137", vec![(Unit::Exit, 137.0)]),
            ("limits.memory: 64Mi", vec![(Unit::Bytes, 64.0 * mi)]),
            ("a limit of 64 MiB", vec![(Unit::Bytes, 64.0 * mi)]),
            ("it lasted 17 m 48 s", vec![(Unit::Seconds, 1068.0)]),
            ("after ten minutes", vec![(Unit::Seconds, 600.0)]),
            ("killed four times", vec![(Unit::Times, 4.0)]),
            ("it died twice", vec![(Unit::Times, 2.0)]),
            ("restartCount: 3", vec![(Unit::Times, 3.0)]),
            ("two of 3 pods", vec![(Unit::Plain, 2.0), (Unit::Plain, 3.0)]),
            ("on port 8080", vec![(Unit::Port, 8080.0)]),
            ("one of them", vec![]),
            ("40s", vec![(Unit::Seconds, 40.0)]),
            ("95 % of it", vec![(Unit::Percent, 95.0)]),
            ("killed seventeen times", vec![(Unit::Times, 17.0)]),
            ("after the tenth restart", vec![(Unit::Times, 10.0)]),
            ("killed a dozen times", vec![(Unit::Times, 12.0)]),
            ("it lasted an hour", vec![(Unit::Seconds, 3600.0)]),
            ("half a day later", vec![(Unit::Seconds, 43_200.0)]),
            ("after two weeks", vec![(Unit::Seconds, 1_209_600.0)]),
            ("three months ago", vec![(Unit::Seconds, 7_776_000.0)]),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn quantities_are_equal_by_value() {
        assert_eq!(
            ["1gi", "500m", "3", "busybox:1.36", ""].map(amount),
            [Some(1_073_741_824.0), Some(0.5), Some(3.0), None, None]
        );
        let record = numbers("limits.memory: 1Gi");
        assert!(borne_out(&numbers("1024Mi")[0], &record, &[]));
        assert!(borne_out(&numbers("1024 MiB")[0], &record, &[]));
        assert!(!borne_out(&numbers("1000Mi")[0], &record, &[]));
        assert!(!borne_out(&numbers("64Mi")[0], &record, &[]));
    }
}
