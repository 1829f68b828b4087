//! Init containers that cannot end, whatever else is there: what their command says, and what they write again and again.

use std::sync::LazyLock;

use jiff::Timestamp;
use regex::Regex;

use super::{
    super::context::hold,
    blame::{Blame, Case, blame},
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
const LONG: i64 = 60;
/// How often it must have written the same before that is what it does.
const OFTEN: usize = 4;

/// Why a running init container does not end; none where it may just be at work. Where its command asks for a host, it
/// is known elsewhere whether that is there.
pub(super) fn why(case: &Case<'_, '_>, want: &LogWant, since: Timestamp, asks_a_host: bool) -> Option<Blame> {
    let command = command(case.spec);
    let long = !case.cx.now.within(since, hold(LONG));
    for_ever(case, &command)
        .or_else(|| own_pod(case, &command))
        .or_else(|| long.then(|| fails_again(case, want)).flatten())
        .or_else(|| (long && !asks_a_host).then(|| looped(case, &command)).flatten())
        .or_else(|| long.then(|| server(case)).flatten())
        .or_else(|| (long && !asks_a_host).then(|| says_again(case, want)).flatten())
}

fn command(spec: &Container) -> String {
    spec.command.iter().chain(&spec.args).cloned().collect::<Vec<_>>().join(" ")
}

fn form(pattern: &'static str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

/// Its command has no end.
fn for_ever(case: &Case<'_, '_>, command: &str) -> Option<Blame> {
    static SLEEPS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        form(r"\b(?:sleep\s+inf(?:inity)?|tail\s+(?:(?:-\S+|\d+)\s+)*-\w*[fF]\w*\s+\S+)\s*(?P<then>[&|]*)")
    });
    static LOOPS: LazyLock<Option<Regex>> =
        LazyLock::new(|| form(r"\b(?:while\s+(?:true|:|\[\s*1\s*\]|1)\s*(?:;|\n)|for\s*\(\(\s*;\s*;\s*\)\))"));
    static LEAVES: LazyLock<Option<Regex>> = LazyLock::new(|| form(r"\b(?:break|exit|return|exec|kill)\b"));
    let sleeps = SLEEPS.as_ref()?.captures(command).filter(|c| matches!(&c["then"], "" | "&&"));
    let what = match sleeps {
        Some(found) => found.get(0)?.as_str().trim_end_matches('&').trim().to_owned(),
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
        form(r"\b(?:until|while)\b[^;\n]*?\b(?P<host>localhost|127\.0\.0\.1)\b(?:[:\s]+(?P<port>\d{2,5}))?")
    });
    let found = ASKS.as_ref()?.captures(command)?;
    // A helper that is started before it may answer.
    let before = case.pod.spec.init_containers.iter().take_while(|c| c.name != case.spec.name);
    if before.into_iter().any(|c| c.restart_policy.as_deref() == Some("Always")) {
        return None;
    }
    let host = &found["host"];
    let place = found.name("port").map_or_else(|| host.to_owned(), |port| format!("{host}:{}", port.as_str()));
    let phrase = format!(
        "it waits for {place}, which is its own pod, whose containers start only after every init container has ended \
         (deadlock)"
    );
    Some(own(case, "init-waits-for-own-pod", phrase, "command").sure(Confidence::Established))
}

/// It fails in the same way again and again, and says how.
fn fails_again(case: &Case<'_, '_>, want: &LogWant) -> Option<Blame> {
    let signal: &Signal = case.cx.index.said(want)?.signal()?;
    let lines = lines(case, want)?;
    let told = logs::template(lines.get(signal.line)?);
    let again = lines.iter().filter(|line| logs::template(line) == told).count();
    (again >= OFTEN).then(|| blame(case, signal))
}

/// It asks for something in a loop.
fn looped(case: &Case<'_, '_>, command: &str) -> Option<Blame> {
    static LOOP: LazyLock<Option<Regex>> =
        LazyLock::new(|| form(r"\b(?:until|while)\s+(?P<what>[^;\n]+?)\s*(?:;|\n)\s*do\b"));
    static FILE: LazyLock<Option<Regex>> =
        LazyLock::new(|| form(r"(?:\[\[?|\btest)\s+(?:!\s+)?-[a-zA-Z]\s+(?P<path>[^\s\]]+)|\bls\s+(?P<listed>/\S+)"));
    let found = LOOP.as_ref()?.captures(command)?;
    let what = found["what"].trim();
    if !command[found.get(0)?.end()..].contains("sleep") {
        return None;
    }
    let path = FILE.as_ref()?.captures(what).and_then(|c| c.name("path").or_else(|| c.name("listed")));
    let phrase = match path {
        Some(path) => format!(
            "it waits in a loop for the file {}, which has not appeared (not found) and which nothing in this pod can \
             write before it ends",
            path.as_str().trim_matches(['"', '\''])
        ),
        None => format!("it waits in a loop for `{}`, which has not come true", words::clip(what, 160)),
    };
    Some(own(case, "init-waits-in-a-loop", phrase, "command"))
}

/// It declares a port: a server does not end.
fn server(case: &Case<'_, '_>) -> Option<Blame> {
    let port = case.spec.ports.first()?;
    let phrase = format!(
        "it offers port {}, as a server does that runs on, and an init container has to end before the next container \
         starts; a helper that is to run on beside the others needs restartPolicy: Always",
        port.container_port
    );
    Some(own(case, "init-never-ends", phrase, "restartPolicy"))
}

/// It writes the same again and again.
fn says_again(case: &Case<'_, '_>, want: &LogWant) -> Option<Blame> {
    let lines = lines(case, want)?;
    let mut last = lines.iter().rev().filter(|line| !line.trim().is_empty());
    let line = last.next()?;
    let told = logs::template(line);
    if last.take_while(|line| logs::template(line) == told).count() + 1 < OFTEN {
        return None;
    }
    let said = logs::message(line);
    let phrase = format!("it writes “{}” again and again and waits", words::clip(said.trim(), logs::QUOTE));
    Some(own(case, "init-waits-in-a-loop", phrase, "command"))
}

fn lines<'a>(case: &Case<'_, 'a>, want: &LogWant) -> Option<&'a [String]> {
    let log = case.cx.index.log(&case.pod.metadata.uid, &want.container, want.restart)?;
    log.lines.as_deref().ok()
}

fn own(case: &Case<'_, '_>, rule: &str, phrase: String, field: &str) -> Blame {
    Blame {
        rule: rule.to_owned(),
        confidence: Confidence::Likely,
        entity: case.owner.subject.clone(),
        referrer: None,
        field: Some(case.path(field)),
        phrase,
        evidence: Vec::new(),
        actions: Vec::new(),
        needs: Vec::new(),
    }
    .step(case.edit(ActionKind::Patch, "the init container has to end"))
}
