//! Lines that explain a failure, the one that explains most first.

use std::{cell::LazyCell, collections::HashMap, sync::LazyLock};

use regex::Regex;

use super::{
    Class, around, form,
    level::Level,
    line::{self, Line},
    source,
};

/// One telling line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    pub class: Class,
    /// Index of the line.
    pub line: usize,
    /// The file, variable, host or port the line names.
    pub subject: Option<String>,
    /// The refused value, the verb of an API call, the other version.
    pub value: Option<String>,
    /// The file with its line that a fault lies in, where the line names one.
    pub file: Option<String>,
    /// What a fault of names or certificates is nearer.
    pub detail: Option<&'static str>,
    /// What the line says, with what of the next lines belongs to it.
    pub text: String,
    /// Greater explains more.
    pub weight: u32,
}

impl Signal {
    /// What happened, as the middle of a sentence about the container.
    pub fn phrase(&self) -> String {
        self.class.phrase(self)
    }
}

/// What a log says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Telling lines, the one that explains most first.
    pub signals: Vec<Signal>,
    /// The line that best tells why a container ended: its place and what is quoted of it.
    pub words: Option<(usize, String)>,
    /// These words look like those of a failure.
    pub telling: bool,
}

impl Reading {
    /// What a pod of this name wrote: that a logger names its own host is who writes, not whom it could not reach.
    pub(crate) fn of(mut self, pod: &str) -> Reading {
        let beside = |text: &str| {
            text.match_indices(pod).all(|(at, _)| text[..at].ends_with(" host=") || text[..at].ends_with(" hostname="))
        };
        for signal in self.signals.iter_mut().filter(|s| s.class.is_connection()) {
            let own =
                signal.subject.as_deref().is_some_and(|s| s.split(':').next() == Some(pod)) && beside(&signal.text);
            signal.subject = signal.subject.take().filter(|_| !own);
        }
        self
    }

    /// The line that explains most.
    pub fn signal(&self) -> Option<&Signal> {
        self.signals.first()
    }
}

/// Reads a log.
pub fn read(raw: &[String]) -> Reading {
    let lines = line::read(raw);
    let signals = signals(&lines, raw);
    let quote = |i: usize| (i, crate::words::clip_middle(lines[i].text.trim(), super::QUOTE));
    let words = match signals.first() {
        Some(best) => Some(match led_to(&lines, best) {
            Some(error) => {
                let (why, end) = (lines[error].text.trim(), lines[best.line].text.trim());
                (best.line, format!("{} … {}", crate::words::clip(why, super::QUOTE), crate::words::clip(end, 80)))
            }
            None => quote(best.line),
        }),
        None => last_error(&lines)
            .or_else(|| lines.iter().rposition(|l| !l.quiet))
            .or_else(|| lines.iter().rposition(|l| !l.text.trim().is_empty()))
            .map(quote),
    };
    let telling = !signals.is_empty() || words.as_ref().is_some_and(|(i, _)| is_error(&lines[*i]));
    Reading { signals, words, telling }
}

/// The error just above a panic that the program itself asked for: that says why, the panic only that it gives up.
fn led_to(lines: &[Line], best: &Signal) -> Option<usize> {
    const ABOVE: usize = 3;
    let asked = best.class == Class::Panic && best.text.starts_with("panic: ") && !best.text.contains("runtime error");
    if !asked {
        return None;
    }
    let from = best.line.saturating_sub(ABOVE);
    let error =
        |l: &Line| !l.quiet && matches!(l.level, Some(Level::Error | Level::Fatal)) && !l.text.starts_with("panic: ");
    Some(from + lines[from..best.line].iter().rposition(error)?)
}

/// The last line that calls itself fatal, else the root of the last trace, else the last that looks like an error.
/// What only says that it ends because of something else comes last.
///
/// What was only warned of is not among them where something was called an error.
fn last_error(lines: &[Line]) -> Option<usize> {
    let errs = lines.iter().any(|l| !l.quiet && matches!(l.level, Some(Level::Error | Level::Fatal)));
    let counts = |l: &Line| !(l.quiet || errs && l.level == Some(Level::Warn));
    let last = |wanted: &dyn Fn(&Line) -> bool| lines.iter().rposition(|l| counts(l) && wanted(l));
    last(&|l| l.level == Some(Level::Fatal) && !only_ends(&l.text))
        .or_else(|| last(&|l| l.text.starts_with("Caused by: ")))
        .or_else(|| last(&|l| is_error(l) && !only_ends(&l.text)).map(|at| more_telling(lines, at)))
        .or_else(|| last(&is_error))
}

/// An error a few lines above one that says no more than that something failed.
fn more_telling(lines: &[Line], at: usize) -> usize {
    const ABOVE: usize = 10;
    static FAILED: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?i)\b(?:fail\w*|errors?|abort\w*|crash\w*|unsuccessful\w*)\b").ok());
    static TELLS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r#"(?i)["'`“/=:(\d]|\b(?:must|required|missing|invalid|unknown|unsupported|cannot|can't|could|not|no)\b"#,
        )
        .ok()
    });
    let general = |text: &str| {
        let bare = text.rsplit(']').next().unwrap_or(text);
        bare.split_whitespace().count() <= 7
            && FAILED.as_ref().is_some_and(|r| r.is_match(bare))
            && !TELLS.as_ref().is_some_and(|r| r.is_match(bare))
    };
    if !general(&lines[at].text) {
        return at;
    }
    let from = at.saturating_sub(ABOVE);
    let told =
        |l: &Line| !l.quiet && l.level != Some(Level::Warn) && is_error(l) && !only_ends(&l.text) && !general(&l.text);
    lines[from..at].iter().rposition(told).map_or(at, |above| from + above)
}

/// A closing word: `configuration file contains errors, aborting.`
fn only_ends(text: &str) -> bool {
    static FORM: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)^(?:\[\w+\]\s+\(\d+\) : )?[^\x22'=/\d]{0,90}(?:\b(?:aborting|exiting|terminating|bailing out|giving up|shutting down)\b|(?:contains?|due to|because of|see|had) (?:the )?(?:above|previous|these|following)? ?errors?\b(?: above)?|\berrors? found in (?:the )?config(?:uration)?|\binitiali[sz]ation failed|\bexit after [\w ]*failure)[\s.!,]*$").ok()
    });
    FORM.as_ref().is_some_and(|r| r.is_match(text.trim()))
}

fn is_error(line: &Line) -> bool {
    match line.level {
        Some(Level::Debug | Level::Routine) => false,
        Some(Level::Error | Level::Fatal) => true,
        _ => looks_like_error(&without_negations(&line.text)),
    }
}

fn signals(lines: &[Line], raw: &[String]) -> Vec<Signal> {
    let mut out: Vec<Signal> = Vec::new();
    // The same line again and again is read once.
    let mut known: HashMap<String, Option<form::Match>> = HashMap::new();
    let count = (lines.len() as u32).max(1);
    let fatal = lines.iter().rposition(|l| !l.quiet && matches!(l.level, Some(Level::Error | Level::Fatal)));
    let otherwise = LazyCell::new(|| fatal.is_some_and(|f| tells_otherwise(&lines[f..])));
    let own_end = around::own_end(lines, raw);
    let mut recovered: Vec<usize> = Vec::new();
    for (i, line) in lines.iter().enumerate().rev() {
        if is_recovery(line) {
            recovered.push(i);
        }
        if line.quiet || line.level == Some(Level::Debug) {
            continue;
        }
        let found = known.entry(line.search.clone()).or_insert_with(|| form::best(&without_negations(&line.search)));
        let Some(mut found) = found.clone() else { continue };
        // What a server says of its clients does not explain its own end.
        if own_end.is_some_and(|end| end > i) && around::is_session(&raw[i]) || around::is_guess_at_memory(lines, i) {
            continue;
        }
        if found.class == Class::MissingEnv && around::is_of_dictionary(lines, raw, i, found.subject.as_deref()) {
            found = form::Match { class: Class::Unhandled, weight: 58, subject: None, value: None };
        }
        let routine = line.level == Some(Level::Routine);
        // An INFO line that reports a failure is chatter, unless it is the only one that does, in so many words.
        if routine && (found.weight < 80 || !looks_like_error(&line.text) || fatal.is_some() || is_retry(&line.text)) {
            continue;
        }
        // What was wrong for a while and then was right did not kill it; nor did what was only warned of.
        let host = found.subject.as_deref().map(|s| s.split(':').next().unwrap_or(s));
        if found.class.is_connection() && recovered.iter().any(|r| *r > i && speaks_of(&lines[*r].text, host)) {
            continue;
        }
        let only_warned = line.level == Some(Level::Warn) && fatal.is_some_and(|f| f > i);
        if only_warned && (!found.class.is_connection() || *otherwise) {
            continue;
        }
        let level = match line.level {
            Some(Level::Fatal) => 15,
            Some(Level::Error) => 8,
            Some(Level::Warn | Level::Routine) => -6,
            _ => 0,
        };
        let root = if line.text.starts_with("Caused by: ") || line.text.contains("---> ") { 8 } else { 0 };
        // What is only counted and reported elsewhere: a program lives on without it.
        let aside = match found.class.is_connection() && line.level != Some(Level::Fatal) && is_telemetry(&line.text) {
            true => 45,
            false => 0,
        };
        // A line near the end explains more.
        let recency = 20 * (i as i64 + 1) / i64::from(count);
        let weight = (i64::from(found.weight) + recency + level + root - aside).max(0) as u32;
        let mut text = line.text.trim().to_owned();
        if text.len() < line.search.len() {
            text.clone_from(&line.search);
        }
        out.push(Signal {
            file: file(&line.search, found.class)
                .or_else(|| found.class.is_crash().then(|| around::place(raw, i)).flatten()),
            detail: detail(&line.search, found.class),
            class: found.class,
            line: i,
            subject: found.subject.or_else(|| {
                host_beside(&source::without_places(&line.text), &source::without_places(&line.search), found.class)
            }),
            value: found.value,
            text,
            weight,
        });
    }
    out.sort_by(|a, b| b.weight.cmp(&a.weight).then(b.line.cmp(&a.line)));
    out
}

/// The host of the address that the message says was asked, else one that a structured line names in a field of its own.
fn host_beside(text: &str, search: &str, class: Class) -> Option<String> {
    static ASKED: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(concat!(
            r#"(?i)\b(?:to|get|post|put|patch|head|delete|fetch(?:ing)?|call(?:ing)?|request(?:ing)?|reach(?:ing)?|ur[li]|for|from"#,
            r#"|with|against|endpoint|upstream|contact(?:ing)?|poll(?:ing)?)\b["'`:=\s]*[a-z][a-z+]*://(?:[^@\s/]*@)?([\w.-]+(?::\d+)?)"#
        ))
        .ok()
    });
    static HOST: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r" (?:addr|address|host|hostname|endpoint|broker|server|target|upstream|url|uri)=(?:[a-z+]+://)?(?:[^@\s/]*@)?([\w.-]+(?::\d+)?)").ok()
    });
    let wanted = class.is_connection() || class == Class::Certificate;
    if !wanted {
        return None;
    }
    // `refer to https://…` names where to read on.
    let asks = |before: &str| {
        let word = before.split_whitespace().next_back().unwrap_or("").to_ascii_lowercase();
        !["refer", "see", "go", "according", "visit"].contains(&word.as_str())
    };
    let host = |found: regex::Captures<'_>| Some(found.get(1)?.as_str().trim_end_matches('.').to_owned());
    let asked = ASKED.as_ref().and_then(|form| {
        form.captures_iter(text).find(|c| c.get(0).is_some_and(|m| asks(&text[..m.start()]))).and_then(host)
    });
    asked.or_else(|| HOST.as_ref()?.captures(search).and_then(host))
}

/// The file a fault of configuration lies in.
fn file(text: &str, class: Class) -> Option<String> {
    static FILE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        // What follows a letter is the rest of something longer: of a Go import path, of an address.
        Regex::new(r#"(?:^|[^\w./])(/[\w.@-][\w./@-]*\.(?:conf|cfg|cnf|ya?ml|json|toml|ini|properties|xml|hcl|rules|rego|lua|tmpl|env|crt|pem|key|xds)|/[\w.-]+/(?:[\w./-]*/)?[\w.-]*(?:config|cfg|conf|file)\b)"?(?:(?::|, line |\)? at line | on line | line )(\d+))?"#).ok()
    });
    static KEY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"Load key \\*"(/[^"\\]+)"#).ok());
    if let Some(found) = KEY.as_ref().and_then(|r| r.captures(text)) {
        return Some(found[1].to_owned());
    }
    let wanted = matches!(
        class,
        Class::BadConfig | Class::UnknownFlag | Class::Dns | Class::MissingSetting | Class::Certificate | Class::Script
    );
    let found = FILE.as_ref().filter(|_| wanted)?.captures(text)?;
    let path = found.get(1)?.as_str();
    Some(found.get(2).map_or_else(|| path.to_owned(), |n| format!("{path}:{}", n.as_str())))
}

/// What is said of a credential or a certificate whose time is over.
pub const EXPIRED: &str = "it has expired";
/// What is said of a name that nobody may log in with.
pub const NO_USER: &str = "there is no such user";
/// What is said of the id of a key that its issuer does not know.
pub const NO_KEY_ID: &str = "the id of the access key is not known";

fn detail(text: &str, class: Class) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| lower.contains(w));
    match class {
        Class::Dns => {
            has(&["i/o timeout", "eai_again", "temporary failure", "timed out", "misbehaving", "no servers could be"])
                .then_some("the DNS server does not answer")
        }
        Class::Locked if has(&["deadlock"]) => {
            Some("transactions in the database wait for each other's locks (deadlock)")
        }
        Class::Locked
            if has(&[
                "lock timeout",
                "wait timeout",
                "waittimeout",
                "locknotavailable",
                "lock request time",
                "locktimeout",
                "obtain lock on row",
                "obtain lock on relation",
                "obtain lock on tuple",
                "obtain lock on table",
                "ora-00054",
                "ora-30006",
                "lockacquisition",
                "acquirelock",
            ]) =>
        {
            Some("a lock in the database is held by another transaction for too long (lock timeout)")
        }
        Class::PoolExhausted if has(&["too many c", "connection slots", "max_user_conn"]) => {
            Some("the server takes no more connections: its own limit (max_connections) is reached")
        }
        Class::Authentication if has(&["header"]) && has(&["invalid header", "invalid character", "illegal char"]) => {
            Some("it holds a character that no header may have, such as a line break at its end")
        }
        Class::Authentication if has(&["expired"]) => Some(EXPIRED),
        Class::Authentication if has(&["role \""]) && has(&["does not exist"]) => Some(NO_USER),
        Class::Authentication if has(&["invalidaccesskeyid", "access key id you provided"]) => Some(NO_KEY_ID),
        Class::Certificate if has(&["not yet valid", "notyetvalid"]) && !has(&["expired"]) => {
            Some("it is not yet valid")
        }
        Class::Certificate if has(&["expired"]) => Some(EXPIRED),
        // Java's path validation says so of a certificate before it says which of the two.
        Class::Certificate if has(&["validity check failed"]) => {
            Some("it is not valid at this time (expired or not yet valid)")
        }
        Class::Certificate if has(&["private key", "key values"]) => Some("its private key does not match"),
        Class::Certificate if has(&["valid for", "altnames", "mismatch", "subject alternative", "host name"]) => {
            Some("it is for another host name")
        }
        Class::Certificate
            if has(&[
                "unknown authority",
                "self-signed",
                "self signed",
                "pkix path building",
                "certification path",
                "trust anchor",
                "local issuer",
                "unknown ca",
                "verify_leaf",
            ]) =>
        {
            Some("it is signed by an unknown authority")
        }
        Class::Certificate if has(&["pem", "start line"]) => Some("the file holds no certificate (PEM)"),
        Class::DataDirectory if has(&["not empty", "files in it"]) => Some("it is not empty"),
        Class::DataDirectory if has(&["checkpoint record"]) => Some("its data is damaged"),
        Class::DataDirectory if has(&["clusterid"]) => Some("it belongs to another cluster"),
        Class::Timeout if has(&["worker timeout"]) => Some("a worker does not answer in time (timeout)"),
        Class::Authentication
            if has(&[
                "nocredential",
                "unable to locate credentials",
                "unable to load credentials",
                "defaultcredentialserror",
                "defaultazurecredential",
                "could not load credentials",
            ]) =>
        {
            Some("no credentials are found")
        }
        Class::Migration if has(&["dirty"]) => Some("the database is marked dirty"),
        Class::Migration if has(&["checksum"]) => Some("its checksum differs"),
        _ => None,
    }
}

/// What was lost is there again.
fn is_recovery(line: &Line) -> bool {
    static FORM: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:re-?connected|connected to|connection (?:re-?)?established|(?:re)?connect(?:ion)? succe\w+|successfully (?:re)?connected|(?:is|are) (?:now )?(?:up|available|reachable|ready)\b|recovered|(?:accepting|ready to accept) connections|retry succeeded|succeeded after \d+)").ok()
    });
    if line.quiet || matches!(line.level, Some(Level::Error | Level::Fatal)) {
        return false;
    }
    FORM.as_ref().is_some_and(|r| r.is_match(&line.text)) && !looks_like_error(&without_negations(&line.text))
}

/// What is there again is this host, or none is named.
fn speaks_of(text: &str, host: Option<&str>) -> bool {
    static NAMED: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?i)connect\w* (?:to|with) (?:the )?\S|\S:\d{2,5}\b").ok());
    host.is_none_or(|h| text.contains(h)) || !NAMED.as_ref().is_some_and(|r| r.is_match(text))
}

/// A last error that is, with what its trace says, about something else than that nobody answers.
fn tells_otherwise(last: &[Line]) -> bool {
    static ANSWER: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)connect|dial|time(?:d )?-?out|unavailable|unreachable|reach|refused|resolv|\bhost\b|network|dns|retr(?:y|ies)|attempt|giv(?:e|ing) up|respon[ds]|database|broker|redis|server|upstream|dependency|start|exit|shut(?:ting)? ?down|terminat|abort|health").ok()
    });
    let answers = |line: &Line| ANSWER.as_ref().is_some_and(|r| r.is_match(&line.search));
    let Some((first, rest)) = last.split_first() else { return false };
    // What has a level of its own is another message.
    let mut trace = rest.iter().filter(|line| !line.quiet).take_while(|line| line.level.is_none()).take(5);
    looks_like_error(&without_negations(&first.search)) && !answers(first) && !trace.any(answers)
}

/// Traces and metrics could not be handed on.
fn is_telemetry(text: &str) -> bool {
    static FORM: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(concat!(
            r"(?i)\b(?:export|flush|send|sent|report|push|upload|ship|emit)\w*\b.{0,30}\b(?:spans?|traces?|telemetry|metrics?)\b",
            r"|\b(?:span|trace|metrics?|otlp\w*|opentelemetry|telemetry)[ _.-]?(?:export|reporter|processor|collector)\w*|\botlp\b|:(?:4317|4318)\b"
        ))
        .ok()
    });
    FORM.as_ref().is_some_and(|r| r.is_match(text))
}

fn is_retry(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["retry", "will try", "attempt", "backing off"].iter().any(|w| lower.contains(w))
}

/// Without what says that nothing failed: `0 errors`, `errors=0`, `error: null`.
fn without_negations(text: &str) -> String {
    static NONE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(concat!(
            r#"(?i)\b(?:0|no|zero|without(?: any)?|free of) (?:\w+ )?(?:errors?|failures?|failed|warnings?|exceptions?|timeouts?|problems?|panics?)\b"#,
            r#"|\b(?:\w+_)?(?:errors?|failed|failures?|err|exceptions?|timeouts?|timed[_ ]out|denied|refused|dropped|rejected|panics?)(?:_\w+)?["']?\s*[:=]\s*(?:0|null|nil|none|false|""|\[\]|\{\}|<nil>)(?:[,\s}\]]|$)"#,
            r#"|(?:^\s*|[{,(\[]\s*)["']?\w*timeouts?\w*["']?\s*[:=]\s*["']?\d+(?:\.\d+)?(?:ms|s|m)?["']?\s*(?:[,;)}\]]|$)"#,
            r#"|\b(?:\d+ passed, )?0 failed\b|\b(?:on|if|for|when|handl\w+|catch\w*) (?:any )?(?:errors?|exceptions?|panics?|timeouts?)\b"#
        ))
        .ok()
    });
    match NONE.as_ref() {
        Some(r) => r.replace_all(text, "").into_owned(),
        None => text.to_owned(),
    }
}

/// Words of failure.
fn looks_like_error(line: &str) -> bool {
    static WORDS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:\w*error|fatal|panic(?:ked)?|\w*exception|fail(?:ed|ure|s|ing)?|cannot|can't|could not|couldn't|unable|denied|refused|invalid|missing|not found|not set|no such|abort(?:ed|ing)?|killed|critical|emerg|unexpected|unknown|unsupported|required|does not exist|timed out|expired|forbidden|giving up|expected .{1,60}(?:found|got|but)|mismatch(?:ed)?|corrupt(?:ed)?|incompatible|conflicts?|violat(?:es?|ed|ion)|exceed(?:s|ed)|rejected|incorrect|wrong|mutually exclusive|must be (?:specified|set|provided|given|defined|accessible)|exhausted|insufficient|undefined|malformed|illegal|(?:is|are|was|were|does|did|do|could|can|may|must) not|too (?:large|long|many|old|small)|ERR!)(?:\b|$)").ok()
    });
    WORDS.as_ref().is_some_and(|r| r.is_match(line))
}
