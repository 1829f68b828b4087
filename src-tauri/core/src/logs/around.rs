//! What stands around a line and changes what it means.

use std::sync::LazyLock;

use regex::Regex;

use super::{level::Level, line::Line};

/// A traceback is looked through so far.
const TRACE: usize = 30;

/// The line reads or writes the environment.
pub(super) fn names_environment(line: &str) -> bool {
    ["environ", "getenv", "<frozen os>", "/os.py\""].iter().any(|word| line.contains(word))
}

/// A `KeyError` that may be that of any dictionary: the traceback above it, if there is one, does not read the
/// environment.
pub(super) fn is_of_dictionary(lines: &[Line], raw: &[String], at: usize, name: Option<&str>) -> bool {
    if !lines[at].search.contains("KeyError: ") || names_environment(&lines[at].search) {
        return false;
    }
    let above = raw[..at].iter().rev().take(TRACE);
    let mut framed = false;
    for line in above {
        if names_environment(line) {
            return false;
        }
        framed |= line.trim_start().starts_with("File \"");
        if line.contains("Traceback (most recent call last)") {
            break;
        }
    }
    framed || !name.is_some_and(|n| n.contains('_'))
}

/// Where in the program's own code it broke: of the frames of a trace, the innermost that belongs to no library. Go
/// writes them below the message, innermost first, Python above it, innermost last.
pub(super) fn place(raw: &[String], at: usize) -> Option<String> {
    const FRAMES: usize = 60;
    static GO: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\s+(/\S+\.go):(\d+)(?: \+0x[0-9a-f]+)?$").ok());
    static PYTHON: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"^\s*File "([^"<]+\.py)", line (\d+)"#).ok());
    let library = |path: &str| {
        [
            "/usr/local/go/",
            "/usr/lib/go",
            "/go/1.",
            "/sdk/go1",
            "/src/runtime/",
            "/pkg/mod/",
            "/vendor/",
            "site-packages/",
            "dist-packages/",
            "/lib/python",
        ]
        .iter()
        .any(|part| path.contains(part))
    };
    let frame = |form: &LazyLock<Option<Regex>>, line: &str| {
        let found = form.as_ref()?.captures(line)?;
        (!library(&found[1])).then(|| format!("{}:{}", &found[1], &found[2]))
    };
    let below = raw.iter().skip(at + 1).take(FRAMES).find_map(|line| frame(&GO, line));
    below.or_else(|| {
        let above =
            raw[..at].iter().rev().take(FRAMES).take_while(|l| !l.contains("Traceback (most recent call last)"));
        above.into_iter().find_map(|line| frame(&PYTHON, line))
    })
}

/// A supervisor killed the worker because it was slow, and only guesses at its memory.
pub(super) fn is_guess_at_memory(lines: &[Line], at: usize) -> bool {
    lines[at].text.contains("Perhaps out of memory")
        && lines[..at].iter().any(|l| l.text.to_ascii_uppercase().contains("WORKER TIMEOUT"))
}

/// What a database server writes in its own log, with the process that wrote it.
fn of_server(raw: &str) -> Option<u32> {
    static HEAD: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"^\S+ \S+(?: \S+)? \[(\d+)\](?:: \[[\d-]+\])? (?:\S+@\S+ )?(?:PANIC|FATAL|ERROR|WARNING|LOG): ")
            .ok()
    });
    HEAD.as_ref()?.captures(raw.trim())?.get(1)?.as_str().parse().ok()
}

/// What a server says of one client's session.
pub(super) fn is_session(raw: &str) -> bool {
    static WORDS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(concat!(
            r#"(?:FATAL|ERROR): +(?:[\w-]+ authentication failed|role "|database "|no pg_hba|sorry, too many|too many conn"#,
            r#"|remaining connection slots|the database system is|terminating connection|unsupported frontend|connection to client"#,
            r#"|unexpected EOF|no PostgreSQL user|permission denied for|relation "|column "|canceling |syntax error)"#
        ))
        .ok()
    });
    of_server(raw).is_some_and(|pid| pid != 1) && WORDS.as_ref().is_some_and(|r| r.is_match(raw))
}

/// The last line in which a database server speaks of its own end.
pub(super) fn own_end(lines: &[Line], raw: &[String]) -> Option<usize> {
    let ends = |text: &str| {
        ["aborting startup", "terminated by signal", "shutting down", "is shut down", "shutdown request"]
            .iter()
            .any(|w| text.contains(w))
    };
    lines.iter().zip(raw).rposition(|(line, raw)| {
        of_server(raw).is_some() && !is_session(raw) && (line.level == Some(Level::Fatal) || ends(&line.text))
    })
}
