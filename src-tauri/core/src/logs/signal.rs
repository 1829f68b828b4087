//! Lines that explain a failure, by the usual forms of many runtimes.

use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// What a line speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    MissingEnv,
    MissingFile,
    MissingModule,
    BadConfig,
    ExecFormat,
    PermissionDenied,
    ReadOnly,
    DiskFull,
    PortInUse,
    OutOfMemory,
    Dns,
    ConnectionRefused,
    Timeout,
    Authentication,
    Authorization,
    Certificate,
    RateLimit,
    PoolExhausted,
    Database,
    Panic,
}

impl Class {
    /// What happened, as the middle of a sentence about the container; `subject` is what the line named.
    pub fn phrase(self, subject: Option<&str>) -> String {
        let s = subject.unwrap_or("");
        let with = |known: String, unknown: &str| if s.is_empty() { unknown.to_owned() } else { known };
        match self {
            Class::MissingEnv => with(
                format!("the environment variable {s} is missing (not set)"),
                "an environment variable is missing (not set)",
            ),
            Class::MissingFile => {
                with(format!("the file {s} does not exist (no such file)"), "a file does not exist (no such file)")
            }
            Class::MissingModule => {
                with(format!("the module {s} is missing from the image"), "a module is missing from the image")
            }
            Class::BadConfig => with(format!("the configuration value {s} is invalid"), "its configuration is invalid"),
            Class::ExecFormat => with(
                format!("{s} is built for another processor architecture (exec format error)"),
                "the program is built for another processor architecture (exec format error)",
            ),
            Class::PermissionDenied => with(format!("permission denied on {s}"), "permission is denied"),
            Class::ReadOnly => with(format!("{s} lies on a read-only file system"), "the file system is read-only"),
            Class::DiskFull => {
                with(format!("no space is left on the disk that holds {s}"), "no space is left on the disk")
            }
            Class::PortInUse => with(format!("port {s} is already in use"), "its port is already in use"),
            Class::OutOfMemory => "the runtime ran out of memory".to_owned(),
            Class::Dns => {
                with(format!("the host name {s} cannot be resolved (DNS)"), "a host name cannot be resolved (DNS)")
            }
            Class::ConnectionRefused => with(format!("the connection to {s} is refused"), "a connection is refused"),
            Class::Timeout => with(format!("{s} does not answer in time (timeout)"), "a connection timed out"),
            Class::Authentication => with(
                format!("authentication failed for {s} (wrong password or credentials)"),
                "authentication failed (wrong credentials)",
            ),
            Class::Authorization => {
                with(format!("{s} is forbidden (missing permission)"), "access is forbidden (missing permission)")
            }
            Class::Certificate => {
                with(format!("the TLS certificate of {s} is not accepted"), "a TLS certificate is not accepted")
            }
            Class::RateLimit => "a server refuses for too many requests (rate limit)".to_owned(),
            Class::PoolExhausted => "the connection pool is exhausted".to_owned(),
            Class::Database => {
                with(format!("the database lacks {s}, or refuses the statement"), "the database refuses the statement")
            }
            Class::Panic => "the program panicked".to_owned(),
        }
    }
}

/// One telling line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    pub class: Class,
    /// Index of the line.
    pub line: usize,
    /// The file, variable, host or port the line names.
    pub subject: Option<String>,
    /// Greater explains more.
    pub weight: u32,
}

struct Form {
    class: Class,
    regex: Regex,
    weight: u32,
}

/// Class, weight, pattern. Group 1..n: the first that matched is what the line speaks of.
const FORMS: &[(Class, u32, &str)] = &[
    // Environment
    (Class::MissingEnv, 90, r#"KeyError: ['"]([A-Z][A-Z0-9_]{2,})['"]"#),
    (
        Class::MissingEnv,
        90,
        r#"\b(?i:environment variable|env var(?:iable)?|env)s?[ :]*['"`$]*\b([A-Z][A-Z0-9_]{2,}|[a-z][a-z0-9]*_[a-z0-9_]+)\b['"`]*\s*(?i:is |was |are |must be |has )*(?i:not set|not defined|unset|missing|required|empty|undefined|not found|not provided)"#,
    ),
    (
        Class::MissingEnv,
        88,
        r#"\b(?i:missing|required|undefined|unset|needs?|needed|must set|please set|expected|no)\s+(?i:required\s+|mandatory\s+)?(?i:environment variable|env var(?:iable)?|env|variable)s?\b[ :]*['"`$]*\b([A-Z][A-Z0-9_]{2,}|[a-z][a-z0-9]*_[a-z0-9_]+)\b"#,
    ),
    (
        Class::MissingEnv,
        88,
        r#"\b(?i:missing|required|undefined|unset|no)\s+(?i:required\s+|mandatory\s+)?(?i:setting|configuration)s?\b[ :]*['"`$]*\b([A-Z][A-Z0-9]*_[A-Z0-9_]+)\b"#,
    ),
    (
        Class::MissingEnv,
        86,
        r#"['"`$]*\b([A-Z][A-Z0-9]*_[A-Z0-9_]+)['"`]*:?\s*(?:is |was |must be |has )*(?i:not set|not defined|unset|missing|is required|required but|undefined|not provided|parameter not set|cannot be empty|is empty)"#,
    ),
    (
        Class::MissingEnv,
        80,
        r"(?i)\b([A-Z][A-Z0-9_]{2,}): (?:parameter not set|unbound variable|parameter null or not set)",
    ),
    // Program and files
    (Class::ExecFormat, 95, r"(?i)(?:exec |fork/exec )?['\x22]?([/\w.-]*)['\x22]?:? ?exec format error"),
    (
        Class::MissingModule,
        85,
        r#"(?:ModuleNotFoundError: No module named|ImportError: No module named|Error: Cannot find module|ClassNotFoundException:?|NoClassDefFoundError:?|cannot load such file --) ?['"]?([\w@./-]+)"#,
    ),
    (Class::MissingModule, 84, r"error while loading shared libraries: ([\w.+-]+)"),
    (Class::MissingFile, 84, r#"(?i)no such file or directory:? ?['"(]?(/[^\s'"):,]+)"#),
    (
        Class::MissingFile,
        84,
        r#"(?i)['"(]?((?:/|\./|~/)[^\s'"):,]+)['")]?:? (?:[\w ]*: )?(?:no such file or directory|not found|does not exist|file not found)"#,
    ),
    (
        Class::MissingFile,
        82,
        r#"(?i)(?:no such file or directory|file not found|filenotfoundexception|cannot open|can't open|could not open|could not read|unable to open|failed to (?:open|read|load)|cannot find|ENOENT)[^/'"]*['"(]?((?:/|\./)?[\w.~-]+(?:/[\w.@~-]+)*\.[\w]+|/[\w./@~-]+)"#,
    ),
    (Class::MissingFile, 60, r"(?i)(?:no such file or directory|ENOENT|filenotfound)"),
    (Class::MissingFile, 72, r"(?i)(?:sh|bash|ash)(?:: line \d+|: \d+)?: ([\w./-]+): (?:command )?not found"),
    (Class::ReadOnly, 84, r#"(?i)(/[^\s'":,]+)[^/]*read-only file ?system"#),
    (Class::ReadOnly, 82, r"(?i)read-only file ?system|EROFS"),
    (Class::DiskFull, 86, r#"(?i)(/[^\s'":,]+)[^/]*no space left on device"#),
    (Class::DiskFull, 84, r#"(?i)no space left on device[^/]*(/[^\s'":,]+)?"#),
    (Class::DiskFull, 84, r"(?i)ENOSPC|disk quota exceeded|disk is full|could not extend file"),
    (Class::PermissionDenied, 78, r#"(?i)permission denied:? ?['"(]?(/[^\s'"):,]+)"#),
    (
        Class::PermissionDenied,
        78,
        r#"(?i)['"]?(/[^\s'":,]+)['"]?:? ?\(?(?:\d+: )?(?:permission denied|operation not permitted|EACCES)"#,
    ),
    (Class::PermissionDenied, 60, r"(?i)EACCES|operation not permitted|permission denied(?: \(13\))?$"),
    // Ports
    (
        Class::PortInUse,
        88,
        r"(?i)(?:[\d.\[\]:]*?[: ])(\d{2,5})\)?[^\d]*(?:failed )?\(?(?:\d+: )?(?:bind: )?address already in use",
    ),
    (Class::PortInUse, 88, r"EADDRINUSE[^\d]*(?:[\d.:]*:)?(\d{2,5})"),
    (Class::PortInUse, 86, r"(?i)port (\d{2,5}) (?:is )?(?:already )?(?:in use|was already in use|allocated)"),
    (Class::PortInUse, 70, r"(?i)address already in use"),
    // Configuration
    (
        Class::BadConfig,
        83,
        r#"(?i)(?:invalid|unknown|unsupported|illegal|bad|unrecognized|unexpected)\s+(?:value|option|setting|level|mode|log level|argument)[ :]*(?:['"`]?[^'"`\s]*['"`]? )?(?:for|of|in)\s+(?:option |key |variable |setting |environment variable )?['"`]?([\w.-]+)"#,
    ),
    (
        Class::BadConfig,
        82,
        r#"\b([A-Z][A-Z0-9]*_[A-Z0-9_]+)['"`]?[ :=]+['"`]?[^'"`\s]*['"`]?:? ?(?i:is |must be |has )*(?i:invalid|not valid|not a valid|malformed|unknown|not one of|must be|unsupported|not supported|cannot be parsed)"#,
    ),
    (
        Class::BadConfig,
        80,
        r#"(?i)(?:invalid|malformed|bad|unknown|unsupported|cannot parse|failed to parse|could not parse|unable to parse|parse error in|error parsing|syntax error in) (?:the )?(?:configuration|config|setting|option|value|yaml|json|toml|env(?:ironment)?)[^:]*:? ?['"`]?([\w./-]+)?"#,
    ),
    (
        Class::BadConfig,
        80,
        r#"(?i)(?:unknown|unrecognized|invalid|illegal|undefined) (?:option|flag|argument|directive|parameter|command|log ?level|level|subcommand):? ?['"`]?([\w./-]+)?"#,
    ),
    (Class::BadConfig, 78, r#"nginx: \[emerg\] ([^\n]{0,80})"#),
    (
        Class::BadConfig,
        74,
        r#"(?i)(?:invalid literal for int\(\)[^:]*: ?|NumberFormatException: For input string: ?|strconv\.\w+: parsing )['"]?([^'"\s]*)"#,
    ),
    (
        Class::BadConfig,
        72,
        r"(?i)yaml: (?:line \d+)|yaml\.scanner|JSONDecodeError|unexpected token .{1,20} in JSON|toml: |did not find expected",
    ),
    // Names and connections
    (
        Class::Dns,
        86,
        r#"(?i)lookup ([\w.-]+)(?: on [\d.:\[\]a-f]+)?: (?:no such host|server misbehaving|.*i/o timeout|temporary failure)"#,
    ),
    (Class::Dns, 86, r"(?:ENOTFOUND|EAI_AGAIN) ([\w.-]+)"),
    (Class::Dns, 86, r"UnknownHostException:? ([\w.-]+)"),
    (
        Class::Dns,
        86,
        r#"(?i)(?:could not translate host name|could not resolve host(?: ?name)?|couldn't resolve host|failed to resolve(?: host)?|cannot resolve|unable to resolve(?: host(?: address)?)?|name resolution failed for|host not found in upstream|bad address|unknown host|Unknown (?:MySQL )?server host|getaddrinfo (?:for|failed for)?)[: ]*['"`]?([\w.-]+)"#,
    ),
    (
        Class::Dns,
        70,
        r"(?i)(?:name or service not known|temporary failure in name resolution|nodename nor servname|no address associated with hostname|name does not resolve|NXDOMAIN|\[Errno -[235]\])",
    ),
    (Class::ConnectionRefused, 84, r"(?:ECONNREFUSED|ECONNRESET) ([\w.:\[\]-]+)"),
    (Class::ConnectionRefused, 84, r"(?i)dial tcp ([\w.\[\]:-]+):? (?:connect: )?connection (?:refused|reset)"),
    (
        Class::ConnectionRefused,
        84,
        r#"(?i)connection to (?:server at )?['"]?([\w.-]+)['"]?(?: \([\d.:a-f]+\))?,? port (?:\d+) failed: connection refused"#,
    ),
    (
        Class::ConnectionRefused,
        83,
        r#"(?i)(?:connect(?:ion)? (?:to|with)|connecting to|can't connect to|cannot connect to|could not connect to|failed to connect to|unable to connect to|reach)(?: server| host| database| redis| broker| MySQL server on)?(?: at)? ['"`(]?(?:[a-z+]+://)?(?:[^@\s/]*@)?([\w.-]+(?::\d+)?)[^\n]*(?:refused|failed|111)"#,
    ),
    (Class::ConnectionRefused, 82, r#"(?i)([\w.-]+:\d{2,5})[^\n]{0,40}connection refused"#),
    (Class::ConnectionRefused, 82, r#"(?i)connection refused[^\n]{0,40}?[ (/]([\w.-]+:\d{2,5})"#),
    (Class::ConnectionRefused, 64, r"(?i)connection refused|\[Errno 111\]|ConnectException"),
    (
        Class::Timeout,
        80,
        r#"(?i)(?:timed? ?out|deadline exceeded|ETIMEDOUT|i/o timeout)[^\n]*?(?:[a-z+]+://)([\w.-]+(?::\d+)?)"#,
    ),
    (Class::Timeout, 80, r#"(?i)(?:[a-z+]+://)([\w.-]+(?::\d+)?)[^\n]*?(?:timed? ?out|deadline exceeded|i/o timeout)"#),
    (
        Class::Timeout,
        80,
        r"(?i)dial tcp ([\w.\[\]:-]+):? (?:connect: )?(?:i/o timeout|connection timed out|no route to host)",
    ),
    (Class::Timeout, 80, r"ETIMEDOUT ([\w.:-]+)"),
    (Class::Timeout, 78, r"(?i)([\w.-]+:\d{2,5})[^\n]{0,60}(?:timed? ?out|i/o timeout|no route to host)"),
    (
        Class::Timeout,
        60,
        r"(?i)(?:connection|connect|request|operation|read|dial) timed? ?out|i/o timeout|context deadline exceeded|no route to host|EHOSTUNREACH",
    ),
    // Rights and trust
    (
        Class::Authentication,
        88,
        r#"(?i)(?:password authentication failed for user|authentication failed for user|access denied for user|login failed for user)[: ]*['"`]?([\w.-]+)"#,
    ),
    (Class::Authentication, 88, r#"(?i)\brole ['"`]([\w.-]+)['"`] does not exist"#),
    (
        Class::Authentication,
        82,
        r"(?i)(?:authentication failed|auth(?:entication)? error|invalid (?:username|password|credentials|api key|token)|wrong password|bad credentials|WRONGPASS|NOAUTH|401 unauthorized|status(?: code)?:? 401|login incorrect|invalid_grant|SASL authentication failed)",
    ),
    (Class::Authorization, 82, r#"(?i)(\w+(?:\.\w+)*(?: "[\w.:-]+")?) is forbidden: User "[^"]+" cannot \w+ resource"#),
    (
        Class::Authorization,
        76,
        r"(?i)\b(?:403 forbidden|status(?: code)?:? 403|AccessDenied|permission denied for (?:table|relation|schema|database)|not authorized to perform|insufficient privileges?)",
    ),
    (
        Class::Certificate,
        86,
        r#"(?i)(?:x509: |certificate (?:has expired|is not yet valid|verify failed|signed by unknown|expired|is valid for|validation failed|unknown)|CERTIFICATE_VERIFY_FAILED|SSLHandshakeException|PKIX path building failed|self[- ]signed certificate|unable to get local issuer|bad certificate|tls: failed to verify|certificate is not trusted|CERT_HAS_EXPIRED)"#,
    ),
    (
        Class::RateLimit,
        74,
        r"(?i)too many requests|rate ?limit(?:ed| exceeded)?|status(?: code)?:? 429|throttl(?:ed|ing)",
    ),
    (
        Class::PoolExhausted,
        80,
        r"(?i)(?:connection )?pool (?:is )?(?:exhausted|timeout|timed out|size)|too many (?:connections|clients)|remaining connection slots|QueuePool limit|Timeout waiting for connection from pool|no connections? available",
    ),
    // Data
    (
        Class::Database,
        80,
        r#"(?i)(?:relation|table|column|database|schema|collection|index) ['"`]?([\w.]+)['"`]? (?:does not exist|doesn't exist|not found)"#,
    ),
    (Class::Database, 80, r#"(?i)(?:no such table|unknown database|unknown column|unknown table):? ?['"`]?([\w.]+)"#),
    (
        Class::Database,
        78,
        r#"(?i)(?:migration|migrate)[ :]*['"]?([\w./-]*\d[\w./-]*)?['"]?[^\n]{0,80}(?:failed|error|dirty|checksum|mismatch)|(?:dirty database version \d+)|flyway[^\n]*(?:failed|exception)|liquibase[^\n]*exception"#,
    ),
    (
        Class::Database,
        70,
        r"(?i)(?:psql: error|SQLSTATE|syntax error at or near|duplicate key value violates|deadlock detected|violates [\w-]+ constraint|could not serialize)",
    ),
    // Memory and crashes
    (
        Class::OutOfMemory,
        90,
        r"(?i)OutOfMemoryError|JavaScript heap out of memory|fatal error: runtime: out of memory|MemoryError\b|cannot allocate memory|std::bad_alloc|allocation failed - |out of memory|memory allocation of \d+ bytes failed|ENOMEM",
    ),
    (Class::Panic, 66, r"(?i)^(?:thread '.*' )?panic(?:ked)?(?:\(| at|:)|panicked at"),
    (Class::Panic, 64, r"(?i)segmentation fault|SIGSEGV|core dumped|stack overflow|SIGABRT|illegal instruction"),
    (
        Class::Panic,
        58,
        r"(?i)unhandled(?: promise)? ?(?:exception|rejection|error)|uncaught (?:exception|error|\w*Error)|Exception in thread|assertion (?:failed|error)|AssertionError",
    ),
];

static COMPILED: LazyLock<Vec<Form>> = LazyLock::new(|| {
    FORMS
        .iter()
        .filter_map(|(class, weight, pattern)| {
            Some(Form { class: *class, regex: Regex::new(pattern).ok()?, weight: *weight })
        })
        .collect()
});

/// Telling lines, the one that explains most first.
pub fn signals(lines: &[String]) -> Vec<Signal> {
    let mut out: Vec<Signal> = Vec::new();
    for (i, raw) in lines.iter().enumerate() {
        let line = super::message(raw);
        if line.is_empty() || super::is_frame(raw) {
            continue;
        }
        // Of equal weights the earlier form wins: `max_by_key` keeps the last.
        let Some((form, found)) = COMPILED
            .iter()
            .rev()
            .filter_map(|f| f.regex.captures(&line).map(|c| (f, c)))
            .max_by_key(|(f, c)| f.weight + if named(c).is_some() { 5 } else { 0 })
        else {
            continue;
        };
        let level = level(raw, &line);
        if level == Some(Level::Routine) {
            continue;
        }
        // A line near the end, and one that calls itself fatal, explains more.
        let recency = 20 * (i as u32 + 1) / (lines.len() as u32).max(1);
        let fatal = match level {
            Some(Level::Fatal) => 15,
            Some(Level::Error) => 8,
            _ => 0,
        };
        out.push(Signal { class: form.class, line: i, subject: named(&found), weight: form.weight + recency + fatal });
    }
    out.sort_by(|a, b| b.weight.cmp(&a.weight).then(b.line.cmp(&a.line)));
    out
}

fn named(c: &regex::Captures<'_>) -> Option<String> {
    (1..c.len())
        .filter_map(|i| c.get(i))
        .map(|m| m.as_str().trim_end_matches([':', '.', ',']).to_owned())
        .find(|s| !s.is_empty())
}

#[derive(PartialEq, Eq)]
enum Level {
    Fatal,
    Error,
    Routine,
}

fn level(raw: &str, message: &str) -> Option<Level> {
    static WORD: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"(?i)(?:^|[\s\["'=:|(])(fatal|panic|emerg|critical|crit|alert|error|err|severe|failed|exception|warn|warning|info|notice|debug|trace)(?:[\s\]"':|,;)]|$)"#).ok()
    });
    // The level stands in the head of a line; a JSON line says it in a field.
    let head: String = if raw.trim_start().starts_with('{') { raw.to_owned() } else { raw.chars().take(60).collect() };
    let found = WORD.as_ref()?.captures(&head)?;
    match found.get(1)?.as_str().to_ascii_lowercase().as_str() {
        "fatal" | "panic" | "emerg" | "critical" | "crit" | "alert" => Some(Level::Fatal),
        "error" | "err" | "severe" | "failed" | "exception" => Some(Level::Error),
        // An INFO line that reports a failure is still chatter, unless it says so itself.
        "info" | "notice" | "debug" | "trace" if !looks_like_error(message) => Some(Level::Routine),
        _ => None,
    }
}

/// Words of failure.
pub(super) fn looks_like_error(line: &str) -> bool {
    static WORDS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:error|fatal|panic|exception|fail(?:ed|ure)?|cannot|can't|could not|couldn't|unable|denied|refused|invalid|missing|not found|no such|abort(?:ed|ing)?|killed|critical|emerg|unexpected|exit(?:ing|ed)?)\b").ok()
    });
    WORDS.as_ref().is_some_and(|r| r.is_match(line))
}

/// The line without a leading time and level.
pub(super) fn strip_prefix(line: &str) -> &str {
    static HEAD: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"^(?:\[?\d{4}[-/]\d{2}[-/]\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?(?:Z|[+-]\d{2}:?\d{2}| ?UTC)?\]?\s*|\[?\d{2}:\d{2}:\d{2}(?:[.,]\d+)?\]?\s+|[IWEF]\d{4} \d{2}:\d{2}:\d{2}\.\d+\s+\d+ \S+\] )").ok()
    });
    let Some(head) = HEAD.as_ref() else { return line };
    head.find(line).map_or(line, |m| line[m.end()..].trim_start())
}
