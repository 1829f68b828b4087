//! Init containers that cannot end, whatever else is there: what their command says, and what they write again and again.

use std::sync::LazyLock;

use jiff::Timestamp;
use regex::Regex;

use super::{
    super::context::hold,
    blame::{Blame, Case, blame, is_visible},
};
use crate::{
    logs::{self, Signal},
    object::Container,
    observation::LogWant,
    remediation::ActionKind,
    severity::Confidence,
    words,
};

/// Seconds after which a loop that waits is no longer taken for a short one.
pub(super) const LONG: i64 = 60;
/// How often it must have written the same before that is what it does.
const OFTEN: usize = 4;
/// Among so many last lines.
const LAST: usize = 20;

/// Why a running init container does not end; none where it may just be at work. Where its command asks for a host, it
/// is known elsewhere whether that is there.
pub(super) fn why(case: &Case<'_, '_>, want: &LogWant, since: Timestamp, asks_a_host: bool) -> Option<Blame> {
    if case.cx.now.within(since, hold(LONG)) {
        return None;
    }
    let command = command(case.spec);
    let waits = || looped(case, &command).or_else(|| says_again(case, want)).filter(|_| !asks_a_host);
    for_ever(case, &command)
        .or_else(|| own_pod(case, &command))
        .or_else(|| fails_again(case, want))
        .or_else(waits)
        .or_else(|| server(case))
}

fn command(spec: &Container) -> String {
    spec.command.iter().chain(&spec.args).cloned().collect::<Vec<_>>().join(" ")
}

fn form(pattern: &'static str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

/// A sidecar that was started before it, or a job of its own in the background, may do what it waits for.
fn has_help(case: &Case<'_, '_>, command: &str) -> bool {
    static BACKGROUND: LazyLock<Option<Regex>> = LazyLock::new(|| form(r"[^&>|]&(?:[^&>\d]|$)"));
    let mut before = case.pod.spec.init_containers.iter().take_while(|c| c.name != case.spec.name);
    before.any(|c| c.restart_policy.as_deref() == Some("Always"))
        || BACKGROUND.as_ref().is_some_and(|r| r.is_match(command))
}

/// Its command has no end.
fn for_ever(case: &Case<'_, '_>, command: &str) -> Option<Blame> {
    // As a command of its own, at the end of the script.
    static SLEEPS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        form(
            r"(?:^|[;\n]|&&|\bexec|\b(?:ba|a|da)?sh -\w*c)\s*(?P<what>sleep\s+inf(?:inity)?|tail\s+(?:(?:-[^\s-]\S*|\d+)\s+)*-\w*[fF]\w*\s+[^\s&|;<>]+)\s*$",
        )
    });
    static LOOPS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        form(r"(?s)\b(?:while\s+(?:true|:|\[\s*1\s*\]|1)\s*(?:;|\n)|for\s*\(\(\s*;\s*;\s*\)\)).*\bdone\s*$")
    });
    static LEAVES: LazyLock<Option<Regex>> = LazyLock::new(|| form(r"\b(?:break|exit|return|exec|kill)\b"));
    let what = match SLEEPS.as_ref()?.captures(command) {
        Some(found) => found["what"].trim().to_owned(),
        None if LOOPS.as_ref()?.is_match(command) && !LEAVES.as_ref()?.is_match(command) => words::clip(command, 120),
        None => return None,
    };
    let phrase = format!(
        "its command has no end (`{what}`), and an init container has to end before the next container starts; a helper \
         that is to run on beside the others needs restartPolicy: Always"
    );
    Some(own(case, "init-never-ends", phrase, "command").sure(Confidence::Established))
}

/// It waits for a container of its own pod, which starts only after it.
fn own_pod(case: &Case<'_, '_>, command: &str) -> Option<Blame> {
    static ASKS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        form(r"\b(?:until|while)\b(?P<what>[^;\n]*?)\b(?P<host>localhost|127\.0\.0\.1)\b(?:[:\s]+(?P<port>\d{2,5}))?")
    });
    static ELSEWHERE: LazyLock<Option<Regex>> = LazyLock::new(|| form(r"\b(?:exec|ssh|grep -v)\b"));
    let found = ASKS.as_ref()?.captures(command)?;
    // The node may answer, or a pod in which the question is asked.
    let elsewhere = case.pod.spec.host_network || ELSEWHERE.as_ref()?.is_match(&found["what"]);
    if elsewhere || has_help(case, command) {
        return None;
    }
    let host = &found["host"];
    let place = found.name("port").map_or_else(|| host.to_owned(), |port| format!("{host}:{}", port.as_str()));
    let phrase = format!(
        "it waits for {place}, which is its own pod, whose containers start only after every init container has ended \
         (deadlock)"
    );
    Some(own(case, "init-waits-for-own-pod", phrase, "command"))
}

/// It fails in the same way again and again, and says how.
fn fails_again(case: &Case<'_, '_>, want: &LogWant) -> Option<Blame> {
    let signal: &Signal = case.cx.index.said(want)?.signal()?;
    let lines = lines(case, want)?;
    let told = logs::template(lines.get(signal.line)?);
    let last = &lines[lines.len().saturating_sub(LAST)..];
    let again = last.iter().filter(|line| logs::template(line) == told).count();
    let blame = (again >= OFTEN).then(|| blame(case, signal))?;
    // Of a host it is known elsewhere whether it is there.
    (!signal.class.is_connection() || is_visible(&blame)).then_some(blame)
}

/// It ends with asking for something in a loop.
fn looped(case: &Case<'_, '_>, command: &str) -> Option<Blame> {
    static LOOP: LazyLock<Option<Regex>> = LazyLock::new(|| {
        form(r"(?s)\b(?P<how>until|while)\s+(?P<what>[^;\n]+?)\s*(?:;|\n)\s*do\b(?P<body>.*)\bdone\s*$")
    });
    static FILE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        form(r"^(?P<not>!\s*)?(?:\[\[?|test)\s+(?P<inner>!\s+)?-[efsdrS]\s+(?P<path>/[^\s\]]+)(?:\s*\]\]?)?$")
    });
    static COUNTS: LazyLock<Option<Regex>> =
        LazyLock::new(|| form(r"^(?:read|true|:|1|\[\s*1\s*\])(?:\s|$)|\bkill -0\b|\s-(?:lt|le|gt|ge|ne|eq)\s"));
    let found = LOOP.as_ref()?.captures(command)?;
    let what = found["what"].trim();
    if !found["body"].contains("sleep") || COUNTS.as_ref()?.is_match(what) || has_help(case, command) {
        return None;
    }
    let file = FILE.as_ref()?.captures(what).filter(|c| {
        let not = c.name("not").is_some() ^ c.name("inner").is_some();
        (&found["how"] == "until") != not
    });
    let phrase = match file {
        Some(file) => format!(
            "it waits in a loop for the file {}, which has not appeared (not found) and which no container of this pod \
             can write before it ends",
            &file["path"]
        ),
        None => format!(
            "it waits in a loop ({} `{}`), which has not come to its end",
            &found["how"],
            words::clip(what, 160)
        ),
    };
    Some(own(case, "init-waits-in-a-loop", phrase, "command"))
}

/// It declares a port and is started as its image says: a server does not end.
fn server(case: &Case<'_, '_>) -> Option<Blame> {
    let port = case.spec.ports.first().filter(|_| case.spec.command.is_empty() && case.spec.args.is_empty())?;
    let phrase = format!(
        "it offers port {}, as a server does that runs on, and an init container has to end before the next container \
         starts; a helper that is to run on beside the others needs restartPolicy: Always",
        port.container_port
    );
    Some(own(case, "init-never-ends", phrase, "restartPolicy"))
}

/// It writes again and again that it waits.
fn says_again(case: &Case<'_, '_>, want: &LogWant) -> Option<Blame> {
    static WAITS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        form(
            r"(?i)\b(?:wait\w*|retry\w*|retrying|trying again|not (?:yet )?(?:ready|there|available|up|found)|unavailable|refused|sleeping)\b",
        )
    });
    let lines = lines(case, want)?;
    let mut last = lines.iter().rev().filter(|line| !line.trim().is_empty());
    let line = last.next()?;
    let told = logs::template(line);
    if last.take_while(|line| logs::template(line) == told).count() + 1 < OFTEN {
        return None;
    }
    let said = logs::message(line);
    if !WAITS.as_ref()?.is_match(&said) {
        return None;
    }
    let phrase = format!("it writes “{}” again and again and waits", words::clip(said.trim(), logs::QUOTE));
    Some(own(case, "init-waits-in-a-loop", phrase, "command"))
}

fn lines<'a>(case: &Case<'_, 'a>, want: &LogWant) -> Option<&'a [String]> {
    let log = case.cx.index.log(&case.pod.metadata.uid, &want.container, want.restart)?;
    log.lines.as_deref().ok()
}

fn own(case: &Case<'_, '_>, rule: &str, phrase: String, field: &str) -> Blame {
    let step = case.edit(ActionKind::Patch, "the init container has to end");
    case.fault(rule.to_owned(), phrase).field(case.path(field)).step(step)
}
