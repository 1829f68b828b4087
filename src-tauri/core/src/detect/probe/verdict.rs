//! Why a probe fails, from what the kubelet says, what the container declares and what its log says.

use jiff::SignedDuration;

use super::{
    super::{
        Context,
        context::{Owner, cause, edit, read_log},
    },
    explained::{Explained, is_timeout},
    listening::{listens, told_to_listen},
    slow::Slowed,
};
use crate::{
    finding::{CauseDraft, Finding},
    object::{Container, ContainerStatus, Pod, pod::Probe},
    remediation::ActionKind,
    severity::Confidence,
    words,
};

/// Most programs are past their start after this long.
const STARTED: SignedDuration = SignedDuration::from_mins(2);

/// One probe's whole situation.
pub(super) struct Case<'a> {
    pub pod: &'a Pod,
    pub owner: &'a Owner,
    pub spec: &'a Container,
    /// It is an init container that stays.
    pub init: bool,
    pub status: &'a ContainerStatus,
    pub probe: &'a Probe,
    /// `liveness probe` and the like.
    pub word: &'static str,
    /// `livenessProbe` and the like.
    pub field: &'static str,
    /// What the kubelet said of the last failure; empty when it said nothing yet.
    pub said: String,
    /// How often it had the container restarted.
    pub kills: u32,
    pub log: Option<&'a [String]>,
}

/// What is concluded: the rule, how sure, in which words, and the field below the probe's own.
pub(super) struct Verdict {
    rule: &'static str,
    confidence: Confidence,
    statement: String,
    below: &'static str,
}

pub(super) fn verdict(cx: &Context<'_>, f: &mut Finding, case: &Case<'_>) -> CauseDraft {
    let v = case.command().or_else(|| case.port(cx)).or_else(|| case.scheme()).or_else(|| case.host());
    // A path that was there is not misspelt.
    let v = v.or_else(|| case.status_code().filter(|_| !case.lost_its_path()));
    if v.is_none()
        && let Some(c) = case.only_within(cx, f.started_at)
    {
        return c;
    }
    if v.is_none()
        && let Some(Explained { cause: mut c, evidence, actions }) = case.explained(cx, f.started_at)
    {
        c.statement.push_str(&format!("{}{}", case.restarts(), case.together(cx)));
        c.signs.pro = 2;
        if c.confidence < Confidence::Established {
            c.needs.push("what the program listens on and answers".into());
        }
        c.evidence.extend(evidence.iter().map(|item| item.key.clone()));
        f.evidence.extend(evidence);
        f.actions.extend(actions);
        return c;
    }
    let v = v.or_else(|| case.status_code()).or_else(|| case.slow_start()).unwrap_or_else(|| case.otherwise());
    let mut statement = v.statement;
    if !matches!(v.rule, "probe-kills-slow-start" | "startup-budget-too-short") {
        statement.push_str(&case.restarts());
    }
    if matches!(v.rule, "probe-bad-status" | "probe-timeout") {
        statement.push_str(&case.own_words().unwrap_or_default());
    }
    statement.push_str(&case.together(cx));
    let starting = match v.rule {
        "probe-kills-slow-start" | "startup-budget-too-short" => true,
        "probe-refused" | "probe-timeout" => case.status.restart_count == 0 && case.since_its_start(f.started_at),
        _ => false,
    };
    let slowed = starting.then(|| case.slowed(cx)).flatten();
    let mut c = cause(v.rule, v.confidence, case.owner.subject.clone(), statement);
    c.field = Some(case.owner.field(case.init, &case.spec.name, &format!("{}{}", case.field, v.below)));
    if let Some(Slowed { statement, field, step }) = slowed {
        c.statement.push_str(&statement);
        c.field = Some(field);
        f.actions.push(step);
    }
    c.signs.pro = 2;
    if v.confidence < Confidence::Established {
        c.needs.push("what the program listens on and answers".into());
    }
    let why = match v.rule {
        "probe-kills-slow-start" => "a startupProbe gives a slow start its time".to_owned(),
        "startup-budget-too-short" => "it must allow for as long as the start takes".to_owned(),
        _ => format!("the {} must ask what the program answers", case.word),
    };
    let subject = &case.owner.subject;
    f.actions.push(match v.rule {
        // It answers, and says itself that it cannot serve: another probe would only hide that.
        "probe-bad-status" if case.lower().contains("statuscode: 5") => {
            read_log(subject, subject, &case.spec.name, "its log may say why it cannot serve", "--tail=100")
        }
        _ => edit(ActionKind::SetProbe, subject, why),
    });
    c
}

impl Case<'_> {
    /// How often the kubelet restarted it for that.
    fn restarts(&self) -> String {
        match self.kills {
            0 => String::new(),
            n => {
                let (n, s) = (words::times(n), self.probe.budget_seconds());
                format!(" The kubelet has restarted it {n} for that, {s} s after its start at the earliest.")
            }
        }
    }

    /// That most pods of the workload were restarted at about the same time, where they were.
    fn together(&self, cx: &Context<'_>) -> String {
        match self.hit(cx).filter(|_| self.word == "liveness probe") {
            Some(n) => format!(
                " It restarted {n} pods of {} within a minute: what they share failed, not one of them.",
                self.owner.subject
            ),
            None => String::new(),
        }
    }

    /// How many pods of the workload the probe restarted at about the same time, where that is most of them.
    fn hit(&self, cx: &Context<'_>) -> Option<usize> {
        let uid = self.owner.subject.uid.as_deref()?;
        let last = |pod: &Pod| {
            let events = cx.index.events_of(&pod.reference());
            let kills =
                events.into_iter().filter(|e| e.reason() == "Killing" && e.message().contains("failed liveness probe"));
            kills.filter_map(|e| e.last_seen()).max()
        };
        let mine = last(self.pod)?;
        let pods = cx.index.pods_of(uid);
        // A few of many tell enough.
        let some: Vec<&&Pod> = pods.iter().filter(|p| !p.metadata.deleting() && !p.finished()).take(10).collect();
        let hit = some.iter().filter(|p| last(p).is_some_and(|t| t.duration_since(mine).abs().as_secs() <= 60)).count();
        (hit >= 2 && hit * 2 > some.len()).then_some(hit)
    }

    pub(super) fn lower(&self) -> String {
        self.said.to_lowercase()
    }

    pub(super) fn refused(&self) -> bool {
        self.lower().contains("connection refused")
    }

    /// The subject of every sentence: which probe asks what.
    pub(super) fn asks(&self) -> String {
        format!("The {} of container {} asks {}", self.word, self.spec.name, self.probe.describe())
    }

    /// The kubelet's own words, without its preamble.
    pub(super) fn told(&self) -> String {
        let text = ["failed: ", "errored: ", "state: "].iter().find_map(|p| self.said.split_once(p).map(|(_, t)| t));
        match text.unwrap_or(&self.said).trim() {
            text if text.is_empty() || text.ends_with("probe failed:") => String::new(),
            text => format!(" The kubelet says: {}.", words::clip(text.trim_end_matches('.'), 220)),
        }
    }

    pub(super) fn found(
        &self,
        rule: &'static str,
        confidence: Confidence,
        statement: String,
        below: &'static str,
    ) -> Verdict {
        Verdict { rule, confidence, statement, below }
    }

    /// The command of an exec probe is not in the image.
    fn command(&self) -> Option<Verdict> {
        let words = self.probe.exec.as_ref()?.get("command")?.as_array()?;
        let program = words.first()?.as_str()?;
        let lower = self.lower();
        let by_runtime = lower.contains("unable to start container process") || lower.contains("failed to exec");
        let missing = by_runtime && (lower.contains("not found") || lower.contains("no such file"));
        // Only a shell speaks so of a program; other programs miss other things.
        let inner = lower.contains("command not found") || lower.contains("sh: ") && lower.contains(": not found");
        if !missing && !inner {
            return None;
        }
        let what = if missing {
            format!("the program {program} does not exist")
        } else {
            "a program that it calls does not exist".to_owned()
        };
        let statement = format!(
            "The {} of container {} runs {}, but {what} (not found) in image {}.{}",
            self.word,
            self.spec.name,
            self.probe.describe(),
            self.spec.image,
            self.told()
        );
        let confidence = if missing { Confidence::Established } else { Confidence::Likely };
        Some(self.found("probe-command-missing", confidence, statement, ".exec.command"))
    }

    /// The probe asks another port than the one that is served.
    fn port(&self, cx: &Context<'_>) -> Option<Verdict> {
        let port = self.probe.port()?;
        let below = match (&self.probe.http_get, &self.probe.tcp_socket) {
            (Some(_), _) => ".httpGet.port",
            (_, Some(_)) => ".tcpSocket.port",
            _ => ".grpc.port",
        };
        let declared: Vec<String> = self
            .spec
            .ports
            .iter()
            .map(|p| p.name.as_ref().map_or(p.container_port.to_string(), |n| format!("{} ({n})", p.container_port)))
            .collect();
        let list = words::list(&declared, 4);
        let named = port.parse::<u16>().is_err();
        if named && !self.spec.ports.iter().any(|p| p.name.as_deref() == Some(port.as_str())) {
            let has = if declared.is_empty() { "declares no port".to_owned() } else { format!("declares port {list}") };
            let statement = format!(
                "{}, but the container has no port named {port} (not found): it {has}.{}",
                self.asks(),
                self.told()
            );
            return Some(self.found("probe-port-wrong", Confidence::Established, statement, below));
        }
        let grpc = self.lower().contains("failed to connect service");
        if !self.refused() && !grpc {
            return None;
        }
        let is_it = |p: &crate::object::pod::ContainerPort| {
            p.container_port.to_string() == port || p.name.as_deref() == Some(&port)
        };
        // Where it passes in a pod of the same template the port is right.
        if self.passes_beside(cx) {
            return None;
        }
        let number = self.spec.ports.iter().find(|p| is_it(p)).map_or(port.clone(), |p| p.container_port.to_string());
        let says = self.log.and_then(listens).filter(|p| *p != number);
        let answered = self.answered_elsewhere(&number);
        let shown = says.is_some() || answered.is_some();
        let other = match (says, answered, told_to_listen(self.spec, &number)) {
            (Some(other), _, _) => Some(format!("its log says that the program listens on port {other}")),
            (None, Some((word, other)), _) => Some(format!("its {word} is answered on port {other}")),
            (None, None, Some(other)) => Some(format!("its command has it listen on port {other}")),
            (None, None, None) => None,
        };
        if !declared.is_empty() && !self.spec.ports.iter().any(is_it) {
            // What is not declared may be served all the same, by a program that is only slow to start.
            if other.is_none() && self.slow_start().is_some() {
                return None;
            }
            // A gRPC probe says of a closed port only that it cannot connect.
            let (what, confidence) = match self.refused() {
                // While a program starts, nothing listens.
                true if shown || self.has_started(cx) => {
                    ("nothing listens there (connection refused)", Confidence::Established)
                }
                true => ("nothing listens there (connection refused)", Confidence::Likely),
                false => ("no connection comes about", Confidence::Likely),
            };
            let more = other.map(|o| format!(", and {o}")).unwrap_or_default();
            let statement =
                format!("{}, but {what}; the container declares port {list}{more}.{}", self.asks(), self.told());
            return Some(self.found("probe-port-wrong", confidence, statement, below));
        }
        let other = other?;
        let statement =
            format!("{}, but nothing listens there (connection refused); {other}.{}", self.asks(), self.told());
        Some(self.found("probe-port-wrong", Confidence::Likely, statement, below))
    }

    /// The container's program is past its start: its startup probe was passed, or it runs for long.
    fn has_started(&self, cx: &Context<'_>) -> bool {
        let up = self.status.state.running.as_ref().and_then(|r| r.started_at);
        let passed = self.spec.startup_probe.is_some() && self.status.started == Some(true);
        self.word == "readiness probe" && (passed || up.is_some_and(|t| !cx.now.within(t, STARTED)))
    }

    /// A pod of the same template is up for longer than the probe allows, and was never restarted.
    pub(super) fn passes_beside(&self, cx: &Context<'_>) -> bool {
        let Some(controller) = self.pod.metadata.controller() else { return false };
        let budget = self.probe.budget_seconds();
        let passes = |pod: &Pod| {
            pod.containers().any(|(c, s, _)| {
                c.name == self.spec.name
                    && s.is_some_and(|s| {
                        let up = s.state.running.as_ref().and_then(|r| r.started_at);
                        s.ready
                            && s.restart_count == 0
                            && up.is_some_and(|t| !cx.now.within(t, SignedDuration::from_secs(budget + 1)))
                    })
            })
        };
        cx.index.pods_of(&controller.uid).into_iter().any(|p| p.metadata.uid != self.pod.metadata.uid && passes(p))
    }

    /// Another probe of the container that passes on another port.
    fn answered_elsewhere(&self, number: &str) -> Option<(&'static str, String)> {
        let passes = [
            ("readiness probe", self.spec.readiness_probe.as_ref(), self.status.ready),
            ("startup probe", self.spec.startup_probe.as_ref(), self.status.started == Some(true)),
        ];
        passes
            .into_iter()
            .filter(|(word, _, passed)| *word != self.word && *passed)
            .find_map(|(word, probe, _)| Some((word, probe?.port().filter(|p| p != number)?)))
    }

    /// HTTP on one side, HTTPS on the other.
    fn scheme(&self) -> Option<Verdict> {
        let http = self.probe.http_get.as_ref()?;
        let lower = self.lower();
        let asked = http.get("scheme").and_then(|s| s.as_str()).unwrap_or("HTTP");
        let log = |words: &str| self.log.is_some_and(|l| l.iter().any(|x| x.to_lowercase().contains(words)));
        let tls = "http request to an https server";
        let served = if lower.contains("server gave http response to https client") {
            "HTTP"
        } else if lower.contains("malformed http response")
            || lower.contains(tls)
            || lower.contains("statuscode: 400") && log(tls)
        {
            "HTTPS (TLS)"
        } else {
            return None;
        };
        let statement = format!(
            "{} by {asked}, but the program speaks {served} there: the scheme is wrong.{}",
            self.asks(),
            self.told()
        );
        Some(self.found("probe-scheme-wrong", Confidence::Established, statement, ".httpGet.scheme"))
    }

    /// A `host` that leads elsewhere than to the pod.
    fn host(&self) -> Option<Verdict> {
        let host = self.probe.http_get.as_ref()?.get("host")?.as_str()?;
        let lower = self.lower();
        let unknown = lower.contains("no such host");
        if !unknown && !lower.contains(&host.to_lowercase()) {
            return None;
        }
        let what = if unknown {
            "cannot be resolved (no such host)"
        } else {
            "does not answer; without it the kubelet asks the pod itself"
        };
        let statement = format!("{} at host {host}, which {what}.{}", self.asks(), self.told());
        let confidence = if unknown { Confidence::Established } else { Confidence::Likely };
        Some(self.found("probe-host-wrong", confidence, statement, ".httpGet.host"))
    }

    /// What the path itself answers.
    fn status_code(&self) -> Option<Verdict> {
        let lower = self.lower();
        let code = lower.split_once("statuscode: ")?.1.chars().take_while(char::is_ascii_digit).collect::<String>();
        let (rule, what) = match code.as_str() {
            "404" => ("probe-path-wrong", "gets 404: the path does not exist there (not found)"),
            "401" | "403" => {
                ("probe-unauthorized", "is not let in: the path asks for credentials that a probe does not have")
            }
            "405" => ("probe-path-wrong", "gets 405: the path does not answer GET"),
            _ => return None,
        };
        let code = if rule == "probe-unauthorized" { format!(" (status {code})") } else { String::new() };
        let statement = format!("{} and {what}{code}.{}", self.asks(), self.told());
        Some(self.found(rule, Confidence::Likely, statement, ".httpGet.path"))
    }

    fn otherwise(&self) -> Verdict {
        let lower = self.lower();
        let (asks, told) = (self.asks(), self.told());
        if self.probe.exec.is_none() && self.refused()
            || lower.contains("failed to connect service") && !is_timeout(&lower)
        {
            let statement = format!("{asks}, and the connection is refused: nothing listens on that port.{told}");
            return self.found("probe-refused", Confidence::Likely, statement, "");
        }
        if lower.contains("unimplemented") || lower.contains("does not implement the grpc health") {
            let statement = format!("{asks}, but the program does not implement gRPC health checking.{told}");
            return self.found("probe-grpc-unimplemented", Confidence::Established, statement, ".grpc");
        }
        if lower.contains("failed to connect service") {
            let statement = format!(
                "{asks}, and no gRPC connection comes about: what listens on that port, if anything, does not speak gRPC. More time (timeoutSeconds) would not help.{told}"
            );
            return self.found("probe-grpc-unimplemented", Confidence::Likely, statement, ".grpc");
        }
        if is_timeout(&lower) {
            let limit = self.probe.timeout_seconds;
            let own = if limit.is_none() { ", the default" } else { "" };
            let statement = format!(
                "{asks} and gets no answer within its timeout of {} s (timeoutSeconds{own}).{told}",
                limit.unwrap_or(1)
            );
            return self.found("probe-timeout", Confidence::Likely, statement, ".timeoutSeconds");
        }
        if lower.contains("statuscode:") {
            return self.found(
                "probe-bad-status",
                Confidence::Likely,
                format!("{asks} and gets an error status.{told}"),
                "",
            );
        }
        if self.said.is_empty() {
            let statement =
                format!("The {} of container {} ({}) fails.", self.word, self.spec.name, self.probe.describe());
            return self.found("probe-failing", Confidence::Possible, statement, "");
        }
        let statement =
            format!("The {} of container {} ({}) fails.{told}", self.word, self.spec.name, self.probe.describe());
        self.found("probe-failing", Confidence::Likely, statement, "")
    }
}
