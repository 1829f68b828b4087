//! The tail of a container's log: bounded, plain, redacted.

use std::time::Duration;

use afterwatch_core::{
    observation::{LogRead, LogWant},
    redact,
};
use bytes::Bytes;
use serde::Deserialize;

use crate::{
    cluster::Inner,
    scope::encoded,
    server::{Failure, Server},
    wire::OutlineMeta,
};

/// Logs read at once.
pub(crate) const AT_ONCE: usize = 8;
const LINES: usize = 1000;
const BYTES: usize = 512 << 10;
const LINE_BYTES: usize = 4 << 10;
/// What the kubelet says of a container it has removed.
const EXCUSE: &str = "unable to retrieve container logs for ";
/// What it says of a log file that it removes or moves at this moment; the file's path follows.
const FILE_EXCUSES: [&str; 4] = [
    "failed to try resolving symlinks in path ",
    "failed to open log file ",
    "failed to tail ",
    "failed to read log file ",
];
/// What is said where the kubelet has put nothing in its place yet.
const NOT_YET: &str = "the log of this run of the container is not there";
/// What is said where later runs have taken its place, and none of them has ended.
const PASSED: &str = "the container was restarted again before its log was read";
/// The times in which a kubelet puts the new container in the dead one's place, also where the node is busy.
const SETTLE: [Duration; 3] = [Duration::from_millis(400), Duration::from_millis(800), Duration::from_millis(1600)];
/// How long a log is waited for.
const LIMIT: Duration = Duration::from_secs(10);
/// The pause before one that did not arrive is asked for once more.
const PAUSE: Duration = Duration::from_millis(500);

/// Reads the log that is wanted, or says why it cannot be. That of a run that has ended is there only for a while, and is
/// asked for twice where it does not arrive; one that goes on is read again anyway.
pub(crate) async fn read(inner: &Inner, want: LogWant) -> LogRead {
    let mut reason = "no more logs are read".to_owned();
    let attempts = if want.previous { 2 } else { 1 };
    for attempt in 0..attempts {
        if attempt > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let Ok(_turn) = inner.log_turns.acquire().await else { break };
        reason = match tokio::time::timeout(LIMIT, fetch(inner, &want)).await {
            Ok(Ok(tail)) => {
                return LogRead { want, lines: Ok(tail.lines), truncated: tail.truncated, later: tail.later };
            }
            Ok(Err(problem @ Failure::Transport(_))) => problem.to_string(),
            Ok(Err(answer)) => {
                reason = answer.to_string();
                break;
            }
            Err(_) => format!("the log did not arrive within {} s", LIMIT.as_secs()),
        };
    }
    LogRead { want, lines: Err(redact::text(&reason).into_owned()), truncated: false, later: None }
}

/// Lines of one run of a container.
struct Tail {
    lines: Vec<String>,
    truncated: bool,
    /// See [`LogRead::later`].
    later: Option<u32>,
}

async fn fetch(inner: &Inner, want: &LogWant) -> Result<Tail, Failure> {
    let mut link = inner.connector.link().await.map_err(Failure::Transport)?;
    let (mut previous, mut renewed, mut settle) = (want.previous, false, SETTLE.iter());
    let mut first: Option<Failure> = None;
    loop {
        let failure = match attempt(&link.query, want, previous, first.is_some()).await {
            Ok(Read::Tail(tail)) => return Ok(tail),
            // The container was made anew meanwhile: the one that is meant is the previous one now.
            Ok(Read::OfTheNext) => {
                previous = true;
                continue;
            }
            Ok(Read::NotThere(words)) => Failure::Nonsense(words.into()),
            Err(Failure::Refused(r)) if r.code == 401 && !renewed => {
                renewed = true;
                link = inner.connector.renew(link.generation, Some(&r.message)).await.map_err(Failure::Transport)?;
                continue;
            }
            Err(failure) => failure,
        };
        // It is being made anew: in a moment the one that is meant is the previous one. Or it is gone for good, and the
        // run after it has ended as well.
        if !gone(&failure) {
            return Err(failure);
        }
        let Some(time) = settle.next() else { return Err(first.unwrap_or(failure)) };
        previous = first.is_none() || !previous;
        first = first.or(Some(failure));
        tokio::time::sleep(*time).await;
    }
}

/// The kubelet has no such container: not this one any more, or not yet as the previous one.
fn gone(failure: &Failure) -> bool {
    match failure {
        Failure::Refused(r) => r.code == 400 && r.message.contains("not found"),
        Failure::Nonsense(text) => is_excuse(text) || text == NOT_YET || text == PASSED,
        _ => false,
    }
}

/// The kubelet's own complaint, which it sends in place of a log, as one line. Of files it names the one in which it
/// keeps the log; a program that itself collects logs says so among other lines.
fn is_excuse(text: &str) -> bool {
    let text = text.trim_end();
    let of_file = |excuse: &str| text.strip_prefix(excuse).is_some_and(|rest| rest.contains("\"/var/log/pods/"));
    !text.contains('\n') && (text.starts_with(EXCUSE) || FILE_EXCUSES.iter().any(|excuse| of_file(excuse)))
}

/// What came of asking once.
enum Read {
    /// The lines of the run that is meant, or of a later one that has ended.
    Tail(Tail),
    /// The present container is already the next one.
    OfTheNext,
    /// What is served is another run's, in these words.
    NotThere(&'static str),
}

/// Asks once. `lost`: the run that is meant was asked for already and is not there; a later one that has ended will do.
async fn attempt(server: &Server, want: &LogWant, previous: bool, lost: bool) -> Result<Read, Failure> {
    let namespace = encoded(want.pod.namespace.as_deref().unwrap_or("default"));
    let pod = format!("/api/v1/namespaces/{namespace}/pods/{}", encoded(&want.pod.name));
    let (log, truncated) = tail(server, &pod, want, previous).await?;
    // Asked after the log, so that it cannot be older than it. Without the right to read the pod the log is believed.
    let now: Instance = match server.read(&pod, "application/json").await {
        Ok(body) => serde_json::from_slice(&body).unwrap_or_default(),
        Err(_) => Instance::default(),
    };
    // A StatefulSet's pod comes back under the same name: the log must be that of the pod that was meant.
    if let Some(wanted) = want.pod.uid.as_deref()
        && !now.metadata.uid.is_empty()
        && wanted != now.metadata.uid
    {
        return Err(Failure::Nonsense("the pod was replaced by a new one of the same name; its log is gone".into()));
    }
    let mut later = None;
    if let Some(status) = now.container(&want.container) {
        let read = if previous { status.previous() } else { Some(status.restart_count) };
        if read != Some(want.restart) {
            let ended = previous || status.state.terminated.is_some();
            match () {
                () if lost && ended && read > Some(want.restart) => later = read,
                () if !previous && status.previous() == Some(want.restart) => return Ok(Read::OfTheNext),
                () if read < Some(want.restart) => return Ok(Read::NotThere(NOT_YET)),
                () => return Ok(Read::NotThere(PASSED)),
            }
        }
    }
    let text = String::from_utf8_lossy(&log);
    // Since 1.35 this answer comes with status 200: one dead container is kept per container, and it is not this one; or
    // its file is being put in place.
    if is_excuse(&text) {
        return Err(Failure::Nonsense(plain(text.trim_end())));
    }
    let (lines, shortened) = tidy(&text);
    Ok(Read::Tail(Tail { lines, truncated: truncated || shortened, later }))
}

/// The part of a pod that tells which pod it is, and which instance of each container is there.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Instance {
    metadata: OutlineMeta,
    status: Statuses,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Statuses {
    container_statuses: Vec<Restarts>,
    init_container_statuses: Vec<Restarts>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Restarts {
    name: String,
    restart_count: u32,
    state: State,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct State {
    waiting: Option<serde::de::IgnoredAny>,
    terminated: Option<serde::de::IgnoredAny>,
}

impl Instance {
    fn container(&self, name: &str) -> Option<&Restarts> {
        self.status.container_statuses.iter().chain(&self.status.init_container_statuses).find(|s| s.name == name)
    }
}

impl Restarts {
    /// Which instance the kubelet calls the previous one: while the next is waited for, the last there was.
    fn previous(&self) -> Option<u32> {
        if self.state.waiting.is_some() { Some(self.restart_count) } else { self.restart_count.checked_sub(1) }
    }
}

/// The newest lines that fit, and whether there were more. The server goes back so many lines and then writes forward
/// until its limit: where the lines are long, the last words are what is missing, and fewer are asked for.
async fn tail(server: &Server, pod: &str, want: &LogWant, previous: bool) -> Result<(Bytes, bool), Failure> {
    let mut lines = LINES;
    loop {
        let path = format!(
            "{pod}/log?container={}&tailLines={lines}&limitBytes={BYTES}&previous={}",
            encoded(&want.container),
            previous
        );
        let log = server.read(&path, "*/*").await?;
        let came = log.iter().filter(|b| **b == b'\n').count();
        if log.len() < BYTES || lines == 1 {
            return Ok((log, lines < LINES || came >= LINES));
        }
        lines = (lines / 2).min(came).max(1);
    }
}

/// Lines as they may be kept, and whether something was left out.
fn tidy(text: &str) -> (Vec<String>, bool) {
    let mut truncated = false;
    let mut lines: Vec<String> = Vec::new();
    let mut in_key = false;
    for raw in text.lines() {
        let mut line = plain(raw);
        if line.len() > LINE_BYTES {
            let cut = (0..=LINE_BYTES).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
            line.truncate(cut);
            line.push('…');
            truncated = true;
        }
        // A private key is a secret over many lines, none of which looks like one.
        if line.contains("PRIVATE KEY-----") {
            let begin = line.find("-----BEGIN");
            let ends = line.rfind("-----END").is_some_and(|at| begin.is_none_or(|begin| at > begin));
            match begin {
                Some(at) if !ends => {
                    lines.push(format!("{}{}", redact::text(&line[..at]), redact::mark("private key")));
                    (in_key, truncated) = (true, true);
                    continue;
                }
                None if ends => {
                    if !in_key {
                        // It began before the first line. Only the last line of one is short.
                        let mut short = true;
                        while lines.last().is_some_and(|l| of_key(l) && (short || l.len() >= 40)) {
                            lines.pop();
                            short = false;
                        }
                        lines.push(redact::mark("private key"));
                    }
                    (in_key, truncated) = (false, true);
                    continue;
                }
                _ => {}
            }
        }
        // A line that only speaks of a key is followed by lines that are none of one.
        in_key &= of_key(&line);
        if !in_key {
            lines.push(redact::text(&line).into_owned());
        }
    }
    (lines, truncated)
}

/// True for a line inside a key: base64, one of the old headers, or nothing. A logger may have put its own words
/// before the base64.
fn of_key(line: &str) -> bool {
    let base64 = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
    let last = line.split_whitespace().next_back().unwrap_or_default();
    let header = ["Proc-Type:", "DEK-Info:"].iter().any(|h| line.contains(h));
    header || base64(line.trim()) || (last.len() >= 40 && base64(last))
}

/// Without escape sequences and control characters; tabs stay.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => match rest.next() {
                // CSI: parameters, then one letter.
                Some('[') => while rest.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
                // OSC and the like: until BEL or ESC \.
                Some(']' | 'P' | '_' | '^') => {
                    while let Some(c) = rest.next() {
                        if c == '\u{7}' {
                            break;
                        }
                        if c == '\u{1b}' {
                            rest.next_if_eq(&'\\');
                            break;
                        }
                    }
                }
                _ => {}
            },
            '\t' | '\n' => out.push(c),
            // Invisible characters that reorder or hide what a person reads.
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{LINE_BYTES, plain, tidy};

    #[test]
    fn escape_sequences_and_control_characters_are_removed() {
        assert_eq!(plain("\u{1b}[31;1mred\u{1b}[0m\tplain\r\u{0}"), "red\tplain");
        assert_eq!(plain("\u{1b}]0;title\u{7}after\u{1b}]8;;http://x\u{1b}\\link"), "afterlink");
        assert_eq!(plain("a\u{202e}b\u{200b}c"), "abc");
        assert_eq!(plain("\u{1b}[31"), "");
    }

    #[test]
    fn long_lines_are_cut_at_a_character_and_said_to_be() {
        let (lines, truncated) = tidy(&"ä".repeat(LINE_BYTES));
        assert!(truncated);
        assert!(lines[0].len() <= LINE_BYTES + 4 && lines[0].ends_with("ä…"));
    }

    #[test]
    fn a_private_key_over_many_lines_is_removed_whole() {
        let text = "before\n-----BEGIN RSA PRIVATE KEY-----\nMIIabc\nMIIdef\n-----END RSA PRIVATE KEY-----\nafter\n";
        let (lines, _) = tidy(text);
        assert_eq!(lines, ["before", "‹removed: private key›", "after"]);
    }

    #[test]
    fn a_key_whose_beginning_is_not_in_the_log_is_removed_too() {
        let base64 = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7".to_owned() + "VJTUt9Us8cKj";
        let text = format!("started\n{base64}\n{base64}\nabcd==\n-----END PRIVATE KEY-----\nafter\n");
        let (lines, truncated) = tidy(&text);
        assert_eq!(lines, ["started", "‹removed: private key›", "after"]);
        assert!(truncated);
        let stamped = format!("12:00:01 INFO {base64}\n12:00:02 INFO -----END PRIVATE KEY-----\n");
        assert_eq!(tidy(&stamped).0, ["‹removed: private key›"]);
    }

    #[test]
    fn a_line_that_only_speaks_of_a_key_costs_itself() {
        let text = "reading\nexpected -----BEGIN PRIVATE KEY-----\npanic: no key in /etc/tls\nexit 1\n";
        let (lines, truncated) = tidy(text);
        assert_eq!(lines, ["reading", "expected ‹removed: private key›", "panic: no key in /etc/tls", "exit 1"]);
        assert!(truncated, "something was taken out");
    }
}
