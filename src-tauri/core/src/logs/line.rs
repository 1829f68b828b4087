//! One line of a log: its message without time and wrapping, its level, and what of the next lines belongs to it.

use std::{collections::HashMap, sync::LazyLock};

use regex::{Captures, Regex};
use serde_json::{Map, Value};

use super::{
    around,
    level::{Level, level, level_of},
    source::{is_place, is_source},
};

/// A line as it is searched.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// What is quoted.
    pub text: String,
    /// What is searched: the text, the named fields beside it, and what belongs to it of the lines after.
    pub search: String,
    pub level: Option<Level>,
    /// A line of a stack trace, a blank, or chatter of a tool about a failure it only passes on.
    pub quiet: bool,
}

fn regex(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

/// The lines of a log.
pub(super) fn read(lines: &[String]) -> Vec<Line> {
    let mut out: Vec<Line> = Vec::with_capacity(lines.len());
    let mut code = false;
    for raw in lines {
        let said = message(raw);
        let frame = is_frame(raw) || (code && raw.starts_with("    "));
        // Python shows the line of code after each file it names.
        code = raw.trim_start().starts_with("File \"") && raw.contains("\", line ");
        // A line that is only drawn: `[error] =======`.
        let mut rest = said.text.trim();
        while let Some((_, after)) = rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
            rest = after.trim_start();
        }
        let drawn = !rest.is_empty() && !rest.chars().any(char::is_alphanumeric);
        let quiet = frame || drawn || said.text.trim().is_empty() || is_noise(&said.text);
        out.push(Line { quiet, ..said });
    }
    // Node shows the line of code that threw, with a mark below it: where it stands, the code, the mark.
    for i in 2..lines.len() {
        let mark = lines[i].trim();
        if !mark.is_empty() && mark.bytes().all(|b| b == b'^') && is_place(&lines[i - 2]) {
            out[i - 2..i].iter_mut().for_each(|line| line.quiet = true);
        }
    }
    join(&mut out, lines);
    out
}

/// A list of what is wrong with what a program is given is read so many lines far.
const ISSUES: usize = 60;

/// Joins what several lines say together.
fn join(lines: &mut [Line], raw: &[String]) {
    let indented = |i: usize| raw.get(i).is_some_and(|l| l.starts_with([' ', '\t']) && !l.trim().is_empty());
    for i in 0..lines.len() {
        let text = lines[i].text.trim().to_owned();
        if lines[i].quiet && !text.starts_with("FATAL CONFIG FILE") {
            continue;
        }
        let mut more: Vec<usize> = Vec::new();
        let next = (i + 1..lines.len()).find(|&j| !lines[j].text.trim().is_empty());
        let opens = |t: &str| {
            t.ends_with(':')
                && [
                    "missing",
                    "invalid",
                    "required",
                    "panicked",
                    "error",
                    "unset",
                    "undefined",
                    "fail",
                    "fatal",
                    "specify",
                ]
                .iter()
                .any(|w| t.to_ascii_lowercase().contains(w))
        };
        if opens(&text) || text.starts_with("thread '") && text.contains("panicked at") {
            more.extend(next);
        } else if text.starts_with("Property: ") {
            more.extend((i + 1..lines.len()).take_while(|&j| !lines[j].text.trim().is_empty()).take(4));
        } else if text.starts_with(">>> '") {
            more.extend(next);
        } else if text.ends_with("ZodError: [") {
            // zod lists its issues as JSON over many lines.
            let end = (i + 1..lines.len()).take(ISSUES).find(|&j| raw.get(j).is_some_and(|l| l.starts_with(']')));
            more.extend(end.into_iter().flat_map(|end| i + 1..=end));
        } else if let Some(n) = next {
            let after = lines[n].text.trim();
            // pydantic names the field on one line and its fault, indented, on the next.
            let field = indented(n)
                && !indented(i)
                && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.".contains(c))
                && (after.contains("[type=") || after.starts_with("Field required") || after.contains("(type="));
            let place = (after.starts_with("in \"") || after.starts_with("in '")) && indented(n);
            // libpq asks for the host on the lines after the refusal.
            let question = after.starts_with("Is the server running on host \"");
            let detail = after.starts_with("DETAIL:")
                || after.contains(" DETAIL:  ")
                || after.contains(": detail: ")
                || after.starts_with("HINT:");
            if field {
                lines[i].text.push(':');
                lines[i].search.push(':');
            }
            if field || place || detail || question {
                more.push(n);
            }
            // Flyway names the script below what the database says.
            if text.starts_with("Message ")
                && let Some(j) = (n..lines.len()).take(3).find(|&j| lines[j].text.trim().starts_with("Location "))
            {
                more.push(j);
            }
            // The driver of MongoDB shows below the error what it knows of the servers: a set of another name than the one
            // that is asked for.
            if text.starts_with("MongoServerSelectionError") {
                let dump = (n..lines.len()).take(20).filter(|&j| indented(j) && lines[j].text.contains("setName: '"));
                let dump: Vec<usize> = dump.collect();
                let name = |j: &usize| lines[*j].text.split("setName: '").nth(1)?.split('\'').next();
                if dump.iter().any(|j| name(j) != name(&dump[0])) {
                    more.extend(dump);
                }
            }
            // Node names what it could not use among the fields of the error, below the stack.
            if text.contains("Invalid URL")
                && let Some(j) = (n..lines.len()).take(15).find(|&j| lines[j].text.trim().starts_with("input: "))
            {
                more.push(j);
            }
            if question && lines.get(n + 1).is_some_and(|l| l.text.trim().starts_with("TCP/IP connections")) {
                more.push(n + 1);
            }
        }
        for j in more {
            let (text, search) = (lines[j].text.trim().to_owned(), lines[j].search.trim().to_owned());
            lines[i].text.push(' ');
            lines[i].text.push_str(&text);
            lines[i].search.push(' ');
            lines[i].search.push_str(&search);
        }
    }
}

/// The message of one line.
pub(super) fn message(raw: &str) -> Line {
    let clean = without_colours(raw.trim());
    let plain = strip_prefix(&clean);
    if plain.starts_with('{')
        && let Ok(Value::Object(map)) = serde_json::from_str(plain)
        && let Some(line) = fields(&map, None)
    {
        return line;
    }
    if let Some(map) = logfmt(plain)
        && let Some(line) = fields(&map, level(&clean, plain))
    {
        return line;
    }
    let level = level(&clean, plain);
    Line { text: plain.to_owned(), search: plain.to_owned(), level, quiet: false }
}

const MESSAGE: &[&str] = &[
    "msg",
    "attr",
    "message",
    "@m",
    "@mt",
    "renderedmessage",
    "messagetemplate",
    "short_message",
    "log",
    "event",
    "fields",
    "error",
    "error.message",
    "err",
    "error_message",
    "errormessage",
    "error_msg",
    "exception",
    "exception.message",
    "exc",
    "ex",
    "cause",
    "reason",
    "detail",
    "details",
    "exc_info",
    "exc_text",
    "traceback",
    "stack",
    "stack_trace",
    "stacktrace",
    "error.stack_trace",
    "@x",
    "thrown",
    "context",
];
/// Fields that hold a message before its values were put in, beside the message.
const PATTERN: &[(&str, &str)] = &[("@mt", "@m"), ("messagetemplate", "renderedmessage")];
/// Fields that name what a message speaks of.
const BESIDE: &[&str] = &[
    "addr", "address", "host", "hostname", "port", "path", "file", "filename", "key", "variable", "env", "url", "uri",
    "endpoint", "broker", "brokers", "server", "target", "value", "got", "setting", "upstream",
];

/// A structured line; the level is what its head says, if it has one.
fn fields(map: &Map<String, Value>, head: Option<Level>) -> Option<Line> {
    let map: HashMap<String, &Value> = map.iter().map(|(key, value)| (key.to_ascii_lowercase(), value)).collect();
    let mut parts: Vec<String> = Vec::new();
    for key in MESSAGE {
        if PATTERN.iter().any(|(pattern, filled)| pattern == key && map.contains_key(*filled)) {
            continue;
        }
        if let Some(text) = map.get(*key).copied().and_then(text_of)
            && !text.is_empty()
            && !parts.iter().any(|p| p.contains(&text))
        {
            parts.push(text);
        }
    }
    if parts.is_empty() {
        return None;
    }
    // What was escaped within the line is plain now.
    let mut text = crate::redact::text(&parts.join(": ")).into_owned();
    for key in ["file", "filename"] {
        let named = |p: &&str| p.starts_with('/') && !text.contains(*p) && !is_source(p);
        if let Some(path) = map.get(key).and_then(|v| v.as_str()).filter(named) {
            text.push_str(&format!(" ({key} {})", crate::redact::text(path)));
        }
    }
    let mut beside = String::new();
    // Who writes and not what is spoken of: the logger's own host, as bunyan, pino and GELF have it.
    let own =
        |key: &str| key == "hostname" && map.contains_key("pid") || key == "host" && map.contains_key("short_message");
    for key in BESIDE.iter().filter(|key| !own(key)) {
        let value = map.get(*key).copied().or_else(|| map.get("attr")?.get(key));
        if let Some(value) = value.filter(|v| v.is_string() || v.is_number()).and_then(text_of) {
            beside.push_str(&format!(" {key}={value}"));
        }
    }
    let search = if beside.is_empty() { text.clone() } else { format!("{text}{}", crate::redact::text(&beside)) };
    Some(Line { text, search, level: level_of(&map, head), quiet: false })
}

/// The text of a field; of an object what it says first.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(s) => Some(condense(s)),
        Value::Number(n) => Some(n.to_string()),
        Value::Array(items) => items.first().and_then(text_of),
        Value::Object(map) => {
            const SAID: [&str; 11] = [
                "message",
                "msg",
                "errmsg",
                "error",
                "err",
                "exception",
                "reason",
                "detail",
                "cause",
                "stack",
                "stack_trace",
            ];
            let said = SAID.iter().find_map(|k| map.get(*k).and_then(text_of).filter(|t| !t.is_empty()))?;
            let kind = ["type", "name", "class", "code", "codeName", "kind"]
                .iter()
                .find_map(|k| map.get(*k).and_then(Value::as_str))
                .filter(|k| !said.contains(*k));
            let nested = ["error", "err", "cause"]
                .iter()
                .find_map(|k| map.get(*k).and_then(text_of))
                .filter(|t| !said.contains(t.as_str()));
            let mut out = kind.map(|k| format!("{k}: ")).unwrap_or_default();
            out.push_str(&said);
            nested.iter().for_each(|n| out.push_str(&format!(": {n}")));
            Some(out)
        }
        _ => None,
    }
}

/// Of a trace within one field: its first line and its root.
fn condense(text: &str) -> String {
    let text = text.trim();
    if !text.contains('\n') {
        return text.to_owned();
    }
    let telling: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty() && !is_frame(l)).collect();
    let root = telling.iter().rev().find(|l| l.starts_with("Caused by: "));
    match (telling.first(), root) {
        (_, None) if text.starts_with("Traceback") => {
            let last = telling.last().copied().unwrap_or("");
            // Only the line of code tells which key was missing of what.
            let code = telling.iter().find(|l| last.starts_with("KeyError") && around::names_environment(l));
            code.map_or_else(|| last.to_owned(), |code| format!("{code}: {last}"))
        }
        (Some(first), Some(root)) => format!("{first}: {root}"),
        // What a line announces is on the next, or on those after it.
        (Some(first), None) if first.ends_with(':') && telling.len() > 1 => format!("{first} {}", telling[1]),
        (Some(_), None) => telling[..telling.len().min(3)].join("; "),
        (None, _) => String::new(),
    }
}

/// `level=error msg="…" err="…"`.
fn logfmt(line: &str) -> Option<Map<String, Value>> {
    static PAIR: LazyLock<Option<Regex>> = LazyLock::new(|| regex(r#"([\w.@-]+)=("(?:[^"\\]|\\.)*"|\S*)"#));
    let at = line.find("msg=").or_else(|| line.find("message=")).or_else(|| line.find("err="))?;
    if at > 0 && !line[..at].ends_with([' ', '\t']) {
        return None;
    }
    let levelled = ["level=", "lvl=", "severity=", "ts=", "time=", "caller="].iter().any(|k| line.contains(k));
    if !levelled {
        return None;
    }
    let mut map = Map::new();
    for pair in PAIR.as_ref()?.captures_iter(line) {
        let value = pair[2].strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(&pair[2]);
        let value = value.replace("\\\"", "\"").replace("\\n", "\n");
        map.entry(pair[1].to_owned()).or_insert(Value::String(value));
    }
    Some(map)
}

/// Without colour sequences, also those that lost their escape character on the way.
fn without_colours(line: &str) -> String {
    static COLOUR: LazyLock<Option<Regex>> =
        LazyLock::new(|| regex(r"\x1b\[[0-9;]*[A-Za-z]|\[(?:\d{1,2};){0,3}(?:0|1|2|22|3[0-9]|4[0-9]|9[0-7])?m(\]?)"));
    if !line.contains("m") || !line.contains('[') {
        return line.to_owned();
    }
    let Some(colour) = COLOUR.as_ref() else { return line.to_owned() };
    colour
        .replace_all(line, |c: &Captures<'_>| match c.get(1) {
            // The name of a component in brackets begins as the end of a colour does.
            Some(close) if &c[0] == "[m" && line[close.end()..].starts_with(|n: char| n.is_ascii_alphabetic()) => {
                c[0].to_owned()
            }
            Some(close) if !close.as_str().is_empty() => c[0].to_owned(),
            _ => String::new(),
        })
        .trim()
        .to_owned()
}

/// The line without a leading time and process number.
pub(super) fn strip_prefix(line: &str) -> &str {
    static HEAD: LazyLock<Option<Regex>> = LazyLock::new(|| {
        regex(concat!(
            r"^(?:",
            r"\[?\d{4}[-/]\d{2}[-/]\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?\s?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})?\]?:?\s*",
            r"|\[?\d{2}:\d{2}:\d{2}(?:[.,]\d+)?\]?\s+",
            r"|[DIWEFA], \[\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)? #\d+\]\s+",
            r"|[IWEF]\d{4} \d{2}:\d{2}:\d{2}\.\d+\s+\d+ \S+\]\s",
            r"|\[\d{2}/\w{3}/\d{4}:\d{2}:\d{2}:\d{2}(?: [+-]\d{4})?\]\s*",
            r"|\[?(?:\w{3} )?\w{3} +\d{1,2} \d{2}:\d{2}:\d{2}(?:\.\d+)?(?: \d{4})?\]?\s+",
            r"|\d{1,2} \w{3} \d{4} \d{2}:\d{2}:\d{2}(?:\.\d+)?\s+[#*.-]?\s*",
            r"|\[\d+\](?: \[\d+\])?:?\s+|\d+:[CMSX]\s+|\d{10}(?:\.\d+)?\s+|\[\w*:?error\] \[pid \d+(?::tid \d+)?\]\s+",
            r")"
        ))
    });
    let Some(head) = HEAD.as_ref() else { return line };
    let mut rest = line;
    for _ in 0..3 {
        match head.find(rest) {
            Some(m) if m.end() > 0 && m.end() < rest.len() => rest = rest[m.end()..].trim_start(),
            _ => break,
        }
    }
    rest
}

/// A message without its channel, its level and the name of its logger: `production.ERROR: `, `ERROR c.acme.App - `.
pub(super) fn without_head(text: &str) -> &str {
    static HEAD: LazyLock<Option<Regex>> = LazyLock::new(|| {
        regex(concat!(
            r"^(?:[\w-]+\.|\[[\w./-]+\]\s*)?\[?(?:DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|ALERT|EMERGENCY|FATAL|SEVERE)\]?",
            r"(?:\s+[a-z]\w*(?:[./]\w+)+\s+(?:-{1,2}|:)\s+|(?:\s+\[[a-z]\w*(?:[./]\w+)+\])?(?:\s+-{1,2})?(?:\s*:)?\s+)"
        ))
    });
    HEAD.as_ref().and_then(|r| r.find(text)).map_or(text, |head| &text[head.end()..])
}

/// A line of a stack trace, which explains less than the message above or below it.
fn is_frame(line: &str) -> bool {
    let t = line.trim_start();
    let indented = line.starts_with(['\t', ' ']);
    t.starts_with("at ") && (t.contains('(') || t.contains(':') || t.contains(" in ") || t.contains("<anonymous>"))
        || t.starts_with("File \"")
        || t.starts_with("goroutine ")
        || t.starts_with("... ") && (t.ends_with(" more") || t.contains("frames"))
        || (indented && (t.ends_with(".go") || t.contains(".go:") || t.contains(".py\"")))
        || (indented && t.starts_with("from ") && t.contains(":in "))
        || t.starts_with('^')
        || t.starts_with("--- End of ")
        || t.starts_with("stack backtrace:")
        || t.starts_with("Stack trace:")
        || t.starts_with('#') && t[1..].starts_with(|c: char| c.is_ascii_digit()) && !t.contains("[emerg]")
        || t.starts_with("node:internal/")
        || t.starts_with("Traceback (most recent call last)")
        || t.starts_with("Require stack:")
        || matches!(t, "throw err;" | "throw er; // Unhandled 'error' event" | "throw new Error(" | "main.main()")
}

/// What a tool says about a failure that it only passes on.
fn is_noise(text: &str) -> bool {
    static NOISE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        regex(concat!(
            r"^(?:npm (?:ERR!|error) (?:code|errno|path|command|signal|A complete log|Lifecycle|Exit status|at |Failed at|This is probably|Make sure|\s*$)",
            r"|npm (?:notice|warn|WARN)|Node\.js v\d|note: run with|error Command failed|info Visit|exit status \d+$|\+ )",
            r"|A complete log of this run|command terminated with exit code|During handling of the above exception",
            r"|The above exception was the direct cause|^Is the server running|\[Worker-|Shutting down: Master|Worker failed to boot",
            r"|Reason: (?:App failed to load|Worker failed to boot)|^\[INFO\] Worker exiting|To see the full stack trace|Error starting ApplicationContext|^\*+$|^APPLICATION FAILED TO START|^Description:|^Action:",
            r"|^For more (?:details|information),? (?:run|see)|^(?:Use|See|Try|Run) .{0,40}--help\b",
            r"|^\(Background on this error at: |^\[SQL: |^\[parameters: ",
            r"|(?:^|:|\s)Unclosed (?:client session|connector|connection)\b|^Task was destroyed but it is pending|appears to have started a thread named",
            r"|exited (?:unexpectedly,? )?with (?:exit )?(?:code|status) \d+\.?$|^Aborted(?: \(core dumped\))?$"
        ))
    });
    if is_of_client(text) {
        return true;
    }
    NOISE.as_ref().is_some_and(|r| r.is_match(text))
}

/// What nginx says of a request it could not serve: the client asked for what is not there.
pub(super) fn is_of_client(text: &str) -> bool {
    text.starts_with("[error] ")
        && text.contains(", client: ")
        && (text.contains(", request: ") || text.contains(", server: "))
        && !text.contains("upstream")
        && !text.contains("(13: ")
}
