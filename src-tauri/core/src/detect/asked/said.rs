//! Whether a running container's log tells of a failure that goes on.
//!
//! A dead container's last words explain its death. A running one writes errors now and then and lives on: what counts
//! is what it says again and again, and still says at the end.

use std::{collections::BTreeMap, sync::LazyLock};

use jiff::{SignedDuration, Timestamp};
use regex::Regex;

use crate::{
    index::Now,
    logs::{self, QUOTE, Signal},
    words::clip,
};

/// From so many times on, the same line is no accident.
const AGAIN: usize = 3;
/// A failure that was last told so long ago is over, where lines carry their time.
const OLD: SignedDuration = SignedDuration::from_mins(10);
/// So many other lines after the last one, and it is over.
const CALM: usize = 20;
/// Requests answered with 5xx, as a share of all: below that a client's bad luck.
const SERVER_ERRORS: usize = 5;
const SHARE: usize = 10;

/// What a log says again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::detect) struct Said {
    pub what: What,
    /// How often, and the line it was said last on.
    pub count: usize,
    pub first: usize,
    pub last: usize,
    pub quote: String,
}

/// What kind of line it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::detect) enum What {
    /// It speaks of something that is understood.
    Signal(Box<Signal>),
    /// The container answers requests with 5xx: so many of so many.
    ServerErrors(usize, usize),
    /// It calls itself an error, and says no more that is understood.
    Error,
}

/// Lines of one kind.
struct Group {
    what: What,
    lines: Vec<usize>,
    weight: u32,
}

/// What the log of a running container tells most of, of the failures that go on.
pub(in crate::detect) fn said(lines: &[String], now: Now<'_>) -> Option<Said> {
    let mut groups: BTreeMap<(u8, String), Group> = BTreeMap::new();
    let mut known = vec![false; lines.len()];
    for signal in logs::signals(lines) {
        if is_request(&lines[signal.line]) {
            continue;
        }
        known[signal.line] = true;
        let key = (0, format!("{:?}|{}", signal.class, signal.subject.as_deref().unwrap_or("")));
        let what = What::Signal(Box::new(signal.clone()));
        let group = groups.entry(key).or_insert(Group { what, lines: Vec::new(), weight: 0 });
        group.lines.push(signal.line);
        group.weight = group.weight.max(signal.weight);
    }
    for (at, line) in lines.iter().enumerate() {
        if !known[at] && !is_request(line) && calls_itself_an_error(line) {
            let key = (1, logs::template(line));
            groups.entry(key).or_insert(Group { what: What::Error, lines: Vec::new(), weight: 0 }).lines.push(at);
        }
    }
    groups.extend(server_errors(lines).map(|group| ((1, String::new()), group)));
    let mut best: Option<(bool, u8, u32, usize, Said)> = None;
    for ((tier, _), mut group) in groups {
        group.lines.sort_unstable();
        group.lines.dedup();
        let enough = match group.what {
            What::Signal(..) => group.lines.len() >= 2,
            What::Error | What::ServerErrors(..) => group.lines.len() >= AGAIN,
        };
        if !enough || !goes_on(lines, &group, now) {
            continue;
        }
        let (count, last) = (group.lines.len(), group.lines[group.lines.len() - 1]);
        let found = Said {
            what: group.what,
            count,
            first: group.lines[0],
            last,
            quote: clip(&logs::message(&lines[last]), QUOTE),
        };
        let better = (count >= AGAIN, u8::MAX - tier, group.weight, count);
        if best.as_ref().is_none_or(|(a, b, c, d, _)| better > (*a, *b, *c, *d)) {
            best = Some((better.0, better.1, better.2, better.3, found));
        }
    }
    best.map(|(.., found)| found)
}

impl Said {
    /// The same thing was said often enough to be no accident.
    pub fn again(&self) -> bool {
        self.count >= AGAIN
    }
}

/// Whether it is still being said: the last line is young by its own time and by the rhythm of those before, and no
/// line after it says that all is well again.
fn goes_on(lines: &[String], group: &Group, now: Now<'_>) -> bool {
    let (first, last) = (group.lines[0], group.lines[group.lines.len() - 1]);
    let rhythm = group.lines.windows(2).map(|w| w[1] - w[0]).max().unwrap_or(1);
    let after = lines.len() - 1 - last;
    if let (Some(from), Some(to)) = (stamp(&lines[first]), stamp(&lines[last])) {
        let pace = to.duration_since(from) / i32::try_from(group.lines.len().max(2) - 1).unwrap_or(1);
        // A clock that runs ahead says nothing.
        if now.beyond(to, OLD.max(pace * 3)) {
            return false;
        }
    }
    let well = |lines: &[String]| lines.iter().any(|l| tells_recovery(l));
    // A sign of health between two failures heals nothing; the first one after them does.
    let recovered = matches!(group.what, What::Signal(..)) && well(&lines[last + 1..]) && !well(&lines[first..last]);
    !recovered && after <= CALM.max(rhythm * 2)
}

/// The time a line begins with, or that its JSON names, where it says its zone.
pub(in crate::detect) fn stamp(line: &str) -> Option<Timestamp> {
    let trimmed = line.trim_start().trim_start_matches('[');
    if trimmed.starts_with('{') {
        let value: serde_json::Value = serde_json::from_str(trimmed).ok()?;
        return ["time", "ts", "timestamp", "@timestamp"].iter().find_map(|key| value.get(key)?.as_str()?.parse().ok());
    }
    let word = trimmed.split([' ', ']', '\t']).next()?;
    word.parse().ok().or_else(|| {
        let rest = trimmed.strip_prefix("time=\"")?;
        rest.split('"').next()?.parse().ok()
    })
}

static REQUEST: LazyLock<Option<Regex>> = LazyLock::new(|| {
    // nginx and its like: "GET /x HTTP/1.1" 502; servers of many frameworks: GET /x 502, status=502
    Regex::new(
        r#"\b(?:GET|POST|PUT|DELETE|HEAD|PATCH|OPTIONS)\b["']? +["']?(?:https?:/)?/[^\s"]*(?: HTTP/[\d.]+)?["']?(?: from \S+)?[,:]?(?: +(?:-+>?|=>|\|))? *\b([1-5]\d\d)(?:[\s,;)"'\]|]|$)|\b(?:GET|POST|PUT|DELETE|HEAD|PATCH|OPTIONS)\b[^\n]*\bstatus(?:_?code)?["']?[=: ]+["']?([1-5]\d\d)\b|\bstatus(?:_?code)?["']?[=: ]+["']?([1-5]\d\d)\b[^\n]*\b(?:GET|POST|PUT|DELETE|HEAD|PATCH|OPTIONS)\b"#,
    )
    .ok()
});

/// The status with which a line of an access log says a request was answered.
fn answered(line: &str) -> Option<u16> {
    let found = REQUEST.as_ref()?.captures(line)?;
    (1..found.len()).find_map(|i| found.get(i)).and_then(|m| m.as_str().parse().ok())
}

/// A line about a client's request: what the client did wrong is in every access log.
pub(in crate::detect) fn is_request(line: &str) -> bool {
    answered(line).is_some() || logs::is_of_client(line)
}

/// Requests that were answered with 5xx, where they are more than bad luck.
fn server_errors(lines: &[String]) -> Option<Group> {
    let answers: Vec<(usize, u16)> = lines.iter().enumerate().filter_map(|(i, l)| Some((i, answered(l)?))).collect();
    let failed: Vec<usize> = answers.iter().filter(|(_, status)| *status >= 500).map(|(i, _)| *i).collect();
    let many = failed.len() >= SERVER_ERRORS && failed.len() * SHARE >= answers.len();
    many.then_some(Group { what: What::ServerErrors(failed.len(), answers.len()), lines: failed, weight: 10 })
}

/// The line's own level is that of an error.
pub(in crate::detect) fn calls_itself_an_error(line: &str) -> bool {
    static HEAD: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"(?:^|[\s\["'=:|(])(?:ERROR|FATAL|CRITICAL|SEVERE|PANIC|EMERG|ALERT|Error|Fatal|error|fatal|panic|crit|emerg)(?:[\s\]"':|,;)]|$)|^[EF]\d{4} \d\d:|Exception\b"#).ok()
    });
    static FIELD: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"(?i)["']?(?:level|severity|lvl)["']?\s*[=:]\s*["']?(?:error|err|fatal|critical|crit|alert|emerg|panic)\b"#).ok()
    });
    static NONE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"(?i)\b(?:0|no|without|zero)\s+(?:errors?|failures?)\b|\berrors?\s*[=:]\s*(?:0|null|nil|none)\b|"error"\s*:\s*(?:null|""|\{\})"#).ok()
    });
    if NONE.as_ref().is_some_and(|r| r.is_match(line)) || is_routine(line) {
        return false;
    }
    if FIELD.as_ref().is_some_and(|r| r.is_match(line)) {
        return true;
    }
    let json = line.trim_start().starts_with('{');
    let head: String = line.chars().take(60).collect();
    !json && HEAD.as_ref().is_some_and(|r| r.is_match(&head))
}

/// The line calls itself chatter or a warning.
fn is_routine(line: &str) -> bool {
    static LEVEL: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"(?:^|[\s\["'=:|(])(?:INFO|DEBUG|TRACE|NOTICE|WARN|WARNING|LOG|info|debug|trace|notice|warn|warning)(?:[\s\]"':|,;)]|$)|^[IW]\d{4} \d\d:"#).ok()
    });
    let head: String =
        if line.trim_start().starts_with('{') { line.to_owned() } else { line.chars().take(60).collect() };
    LEVEL.as_ref().is_some_and(|r| r.is_match(&head))
}

/// A line that says of what failed before that it works now.
fn tells_recovery(line: &str) -> bool {
    static WELL: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:re-?)?connected\b|\bconnection (?:re-?)?(?:established|restored|acquired|successful)|\b(?:is |now |and )?(?:ready|healthy|listening)\b|\brecovered\b|\bsucceeded\b|\bsuccessful(?:ly)?\b|\bstarted\b").ok()
    });
    static NOT: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:not|never|isn't|un|dis)[ -]?(?:yet )?(?:connected|ready|healthy|listening|started|successful)|\bfail|\berror|\brefused|\btimed? ?out|\bretry").ok()
    });
    WELL.as_ref().is_some_and(|r| r.is_match(line)) && !NOT.as_ref().is_some_and(|r| r.is_match(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Index;

    fn now() -> Timestamp {
        "2026-11-12T03:00:00Z".parse().expect("a time")
    }

    fn judge(text: &str) -> Option<Said> {
        let index = Index::new();
        said(&text.lines().map(str::to_owned).collect::<Vec<_>>(), Now::new(&index, now()))
    }

    #[test]
    fn what_is_said_again_and_again_is_told() {
        let found = judge(
            "listening on :8080\nERROR dial tcp 10.0.0.9:5432: connect: connection refused\nGET /health 200\nERROR dial tcp 10.0.0.9:5432: connect: connection refused\nGET /health 200\nERROR dial tcp 10.0.0.9:5432: connect: connection refused",
        )
        .expect("it is told");
        let What::Signal(signal) = &found.what else { panic!("{found:?}") };
        assert_eq!((signal.class, signal.subject.as_deref()), (logs::Class::ConnectionRefused, Some("10.0.0.9:5432")));
        assert_eq!((found.count, found.again()), (3, true));
        let twice =
            judge("ERROR lookup db: no such host\nGET / 200\nERROR lookup db: no such host").expect("twice is a sign");
        assert!(!twice.again());
    }

    #[test]
    fn what_is_over_is_not_told() {
        let race = "connect ECONNREFUSED db:5432\nconnect ECONNREFUSED db:5432\nconnect ECONNREFUSED db:5432\nconnected to db\nlistening on :8080\n";
        assert_eq!(judge(race), None, "a start-up race");
        assert_eq!(judge(&format!("{race}{}", "GET / 200\n".repeat(30))), None);
        let quiet = format!("{}{}", "write /data: no space left on device\n".repeat(4), "rotated the log\n".repeat(40));
        assert_eq!(judge(&quiet), None, "forty calm lines");
        let old = "2026-11-12T01:00:00Z ERROR lookup db: no such host\n2026-11-12T01:00:05Z ERROR lookup db: no such host\n2026-11-12T01:00:10Z ERROR lookup db: no such host\n";
        assert_eq!(judge(old), None, "two hours ago");
        let hourly = "2026-11-12T00:50:00Z ERROR lookup db: no such host\n2026-11-12T01:50:00Z ERROR lookup db: no such host\n2026-11-12T02:50:00Z ERROR lookup db: no such host\n";
        assert!(judge(hourly).is_some(), "once an hour, the last ten minutes ago");
        assert_eq!(judge("connect ECONNREFUSED db:5432"), None, "once is an accident");
    }

    #[test]
    fn what_only_looks_telling_is_chatter() {
        for calm in [
            "INFO requests=12 errors=0\n",
            "INFO handled without errors\n",
            "10.1.0.1 - - [12/Nov/2026:02:59:00 +0000] \"GET /login HTTP/1.1\" 401 12 \"-\" \"curl\"\n",
            "10.1.0.1 - - [12/Nov/2026:02:59:00 +0000] \"GET /missing HTTP/1.1\" 404 12\n",
            "{\"level\":\"info\",\"msg\":\"done\",\"error\":null}\n",
            "WARN cache miss for error page\n",
            "level=info msg=\"reconciled\" error=nil\n",
        ] {
            assert_eq!(judge(&calm.repeat(40)), None, "{calm}");
        }
        let one_in_a_hundred = format!("{}GET /x HTTP/1.1\" 500 1\n", "\"GET /x HTTP/1.1\" 200 1\n".repeat(99));
        assert_eq!(judge(&one_in_a_hundred), None);
    }

    #[test]
    fn requests_that_fail_and_errors_of_any_kind_are_told() {
        let half = "\"GET /a HTTP/1.1\" 200 5\n\"GET /b HTTP/1.1\" 502 5\n".repeat(10);
        assert_eq!(judge(&half).map(|s| s.what), Some(What::ServerErrors(10, 20)));
        let json =
            "{\"level\":\"error\",\"msg\":\"cart 12 could not be priced\"}\n{\"level\":\"info\",\"msg\":\"ok\"}\n"
                .repeat(5);
        let found = judge(&json).expect("an error");
        assert_eq!((found.what, found.count), (What::Error, 5));
        assert!(found.quote.contains("could not be priced"));
    }

    #[test]
    fn a_status_follows_the_request_and_is_no_part_of_an_address() {
        for (line, status) in [
            ("10.1.0.1 - - [x] \"GET /api HTTP/1.1\" 502 12 \"-\" \"curl\"", Some(502)),
            ("INFO: 10.1.0.1:4411 - \"GET /api HTTP/1.1\" 200 OK", Some(200)),
            ("\"GET http://shop/api HTTP/1.1\" from 10.1.0.1:4411 - 204 0B in 1ms", Some(204)),
            ("GET /health 200", Some(200)),
            ("GET /health -> 503 in 3ms", Some(503)),
            ("level=info method=GET path=/a status=404", Some(404)),
            ("request: \"GET /api HTTP/1.1\", upstream: \"http://10.244.1.7:8080/api\", host: \"shop\"", None),
            ("GET /api took 244 ms", None),
        ] {
            assert_eq!(answered(line), status, "{line}");
        }
    }

    #[test]
    fn what_a_client_asks_for_in_vain_is_chatter_and_a_dead_upstream_is_not() {
        let icon = "2026/11/12 02:59:00 [error] 29#29: *1 open() \"/usr/share/nginx/html/favicon.ico\" failed (2: No such file or directory), client: 10.1.1.1, server: localhost, request: \"GET /favicon.ico HTTP/1.1\", host: \"shop\"\n";
        assert_eq!(judge(&icon.repeat(9)), None);
        let upstream = "2026/11/12 02:59:00 [error] 29#29: *1 connect() failed (111: Connection refused) while connecting to upstream, client: 10.1.1.1, server: _, request: \"GET /api HTTP/1.1\", upstream: \"http://10.244.1.7:8080/api\"\n";
        let found = judge(&upstream.repeat(9)).expect("it is told");
        let What::Signal(signal) = &found.what else { panic!("{found:?}") };
        assert_eq!(signal.subject.as_deref(), Some("10.244.1.7:8080"));
    }

    #[test]
    fn errors_between_signs_of_health_still_go_on() {
        let mixed = "ERROR dial tcp: lookup cache: no such host\nhealthy\nserved\nGET /health 200\n".repeat(6);
        assert_eq!(judge(&mixed).map(|s| s.count), Some(6));
    }
}
