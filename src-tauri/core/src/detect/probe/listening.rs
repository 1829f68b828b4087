//! Where a program says it listens, or is told to.

use std::sync::LazyLock;

use jiff::Timestamp;
use regex::Regex;

use super::{
    super::{Context, context::cause, crash},
    verdict::Case,
};
use crate::{finding::CauseDraft, object::Container, severity::Confidence};

impl Case<'_> {
    /// Its log says that it listens on the loopback address, where only the container itself reaches it.
    pub(super) fn only_within(&self, cx: &Context<'_>, since: Timestamp) -> Option<CauseDraft> {
        static FORM: LazyLock<Option<Regex>> = LazyLock::new(|| {
            Regex::new(r"(?i)\b(?:listen\w*|serving|running|started|bound|bind\w*)\b[^\n]*?\b(127\.0\.0\.1|localhost):(\d{2,5})\b").ok()
        });
        if !self.refused() || self.probe.exec.is_some() {
            return None;
        }
        let said = self.log?.iter().rev().find_map(|l| FORM.as_ref()?.captures(l))?;
        let (address, port) = (said[1].to_owned(), said[2].to_owned());
        let asked = self.probe.port()?;
        let named = self.spec.ports.iter().find(|p| p.name.as_deref() == Some(asked.as_str()));
        if named.map_or(asked.clone(), |p| p.container_port.to_string()) != port || self.passes_beside(cx) {
            return None;
        }
        let statement = format!(
            "{}, but nothing listens on port {asked} of the pod's address (connection refused): its log says that the program listens on {address}:{port}, which only the container itself reaches.{}",
            self.asks(),
            self.told()
        );
        let (pod, spec, owner) = (self.pod, self.spec, self.owner);
        let case = crash::blame::Case { cx, pod, spec, owner, init: self.init, died: since };
        let written = case.holds(&|value| value.contains(&address));
        // Many programs print `localhost` and listen on every address.
        let sure = written.is_some() || address != "localhost";
        let confidence = if sure { Confidence::Established } else { Confidence::Likely };
        let mut c = cause("listens-on-loopback", confidence, self.owner.subject.clone(), statement);
        c.field = Some(written.unwrap_or_else(|| owner.field(self.init, &spec.name, "command")));
        c.signs.pro = 2;
        Some(c)
    }
}

/// The port that the program which stays is told to listen on by its command, where that has the other one nowhere.
pub(super) fn told_to_listen(spec: &Container, asked: &str) -> Option<String> {
    static FORM: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?:^|\s)(?:-p|--?(?:port|listen|http-port|bind|web\.listen-address)|http\.server)[ =](?:[\w.\[\]]*:)?(\d{2,5})\b").ok()
    });
    const CLIENTS: [&str; 14] = [
        "pg_isready",
        "psql",
        "mysql",
        "mysqladmin",
        "redis-cli",
        "mongosh",
        "mongo",
        "nc",
        "ncat",
        "curl",
        "wget",
        "ssh",
        "mkdir",
        "telnet",
    ];
    let whole = spec.command.iter().chain(&spec.args).cloned().collect::<Vec<_>>().join(" ");
    // What comes before has ended, or only waits for something.
    let line =
        [";", "&&", "||", "\n", "exec "].iter().fold(whole.as_str(), |line, w| line.rsplit(w).next().unwrap_or(line));
    let program = line.split_whitespace().next().and_then(|w| w.rsplit('/').next())?;
    if CLIENTS.contains(&program) {
        return None;
    }
    let number = |at: usize| line[at..].chars().take_while(char::is_ascii_digit).count() == asked.len();
    if line.match_indices(asked).any(|(at, _)| number(at) && !line[..at].ends_with(|c: char| c.is_ascii_digit())) {
        return None;
    }
    let mut ports: Vec<String> = FORM.as_ref()?.captures_iter(line).map(|m| m[1].to_owned()).collect();
    ports.dedup();
    (ports.len() == 1).then(|| ports.remove(0))
}

/// The port that a program says it listens on.
pub(super) fn listens(lines: &[String]) -> Option<String> {
    static FORM: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:listen\w*|serving|server (?:started|running|up)|running on|started on|bound to|accepting connections)\b[^\n]*?(?:\bport[ =:]+|:)(\d{2,5})\b").ok()
    });
    let form = FORM.as_ref()?;
    lines.iter().rev().find_map(|l| form.captures(l).map(|m| m[1].to_owned()))
}
