//! What a program that answers its probe with an error says of it, and who must be changed for that.

use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use regex::{Captures, Regex};

use super::{
    super::{
        Context,
        asked::said::{What, calls_itself_an_error, is_request, said},
        context::cause,
        crash,
        host::hosts,
    },
    verdict::Case,
};
use crate::{
    evidence::EvidenceDraft,
    finding::CauseDraft,
    index::Now,
    logs::{self, Class, Signal},
    object::{Condition, Container, Pod, PodSpec},
    remediation::ActionDraft,
    severity::Confidence,
    words,
};

/// What the program's own words lead to, with the objects that show it.
pub(super) struct Explained {
    pub cause: CauseDraft,
    pub evidence: Vec<EvidenceDraft>,
    pub actions: Vec<ActionDraft>,
}

impl Case<'_> {
    /// The program is there and says that it cannot serve; of a command its own words say why, of a program its log.
    pub(super) fn explained(&self, cx: &Context<'_>, since: Timestamp) -> Option<Explained> {
        let lower = self.lower();
        let answers = lower.contains("statuscode: 5")
            || lower.contains("not_serving")
            || self.probe.exec.is_some()
            || self.lost_its_path();
        // A program that waits for something before it listens, or while it is asked, says so again and again. The kubelet
        // may not have told of a failure that has only begun.
        let silent = self.refused() || is_timeout(&lower) || lower.is_empty();
        // What served for a while does get that far.
        let waits = silent && self.since_its_start(since);
        if !answers && !waits {
            return None;
        }
        let signal = self.complaint(cx.now, answers)?;
        let (pod, spec, owner) = (self.pod, self.spec, self.owner);
        let case = crash::blame::Case { cx, pod, spec, owner, init: self.init, died: since };
        let blame = crash::blame::blame(&case, &signal);
        let elsewhere = !blame.entity.same_name(&owner.subject);
        // A dependency whose pods are not ready has a fault of its own, which is told of there.
        let known = crash::blame::is_visible(&blame) && blame.rule != "dependency-without-endpoints";
        let own = !signal.class.is_connection() && !signal.class.is_crash();
        let told = match signal.class {
            Class::Dns | Class::ConnectionRefused | Class::Timeout => signal.subject.is_some(),
            // Only what is known of whom says who is to answer for it.
            Class::ServerError | Class::NotReady => elsewhere,
            _ => false,
        };
        if !known && !own && !told {
            return None;
        }
        let rule = if known || own { blame.rule.clone() } else { "probe-dependency-fails".to_owned() };
        let what = match (answers, known || own) {
            (false, _) if lower.is_empty() => "is not told that it can serve",
            (false, _) => "gets no answer, for the program does not get that far",
            (true, true) => "is told that it cannot serve",
            (true, false) => "is told that a dependency fails",
        };
        let words = words::clip_middle(&logs::message(&signal.text), 200);
        let quote = if self.said.contains(&words) { String::new() } else { format!(" Its log says: “{words}”.") };
        let mut c = cause(
            &rule,
            // That it runs all the same is a sign against what only its log says.
            if known && answers { blame.confidence } else { blame.confidence.min(Confidence::Likely) },
            blame.entity,
            format!("{} and {what}: {}.{quote}{}", self.asks(), blame.phrase, self.told()),
        );
        c.referrer = blame.referrer;
        c.needs = blame.needs;
        // What its own words say is wrong is not put right at the probe.
        let asked = !elsewhere && !own;
        c.field = blame.field.or_else(|| asked.then(|| owner.field(self.init, &spec.name, self.field)));
        Some(Explained { cause: c, evidence: blame.evidence, actions: blame.actions })
    }

    /// What has been so since then has been so since the container's present start.
    pub(super) fn since_its_start(&self, since: Timestamp) -> bool {
        let started = self.status.state.running.as_ref().and_then(|r| r.started_at);
        started.is_some_and(|t| since.duration_since(t) <= SignedDuration::from_secs(5))
    }

    /// It is told that there is nothing of this path, and was ready with it in this run of the container.
    pub(super) fn lost_its_path(&self) -> bool {
        const SLACK: SignedDuration = SignedDuration::from_secs(3);
        let turned = Condition::find(&self.pod.status.conditions, "Ready").filter(|c| c.status == "False");
        let turned = turned.and_then(|c| c.last_transition_time);
        let started = self.status.state.running.as_ref().and_then(|r| r.started_at);
        self.word == "readiness probe"
            && self.lower().contains("statuscode: 404")
            && turned.zip(started).is_some_and(|(turned, started)| turned.duration_since(started) > SLACK)
    }

    /// The last line of its log that calls itself an error, where nothing of it is understood.
    pub(super) fn own_words(&self) -> Option<String> {
        let log = self.log?;
        let tail = &log[log.len().saturating_sub(60)..];
        let line = tail.iter().rev().find(|l| calls_itself_an_error(l) && !is_request(l))?;
        let words = words::clip_middle(&logs::message(line), 200);
        (!words.is_empty() && !self.said.contains(&words)).then(|| format!(" Its log says: “{words}”."))
    }

    /// The probe's command asks for a file or a process, and says nothing more.
    pub(super) fn only_looks(&self) -> bool {
        let command = self.probe.exec.as_ref().and_then(|e| e.get("command")).and_then(|c| c.as_array());
        let words: Vec<&str> = command.into_iter().flatten().filter_map(|w| w.as_str()).collect();
        let line = words.join(" ");
        let first = match line.split_once(" -c ") {
            Some((shell, rest)) if shell.ends_with("sh") => rest.split_whitespace().next(),
            _ => line.split_whitespace().next(),
        };
        first.is_some_and(|w| {
            matches!(w.rsplit('/').next().unwrap_or(w), "test" | "[" | "cat" | "ls" | "stat" | "pgrep" | "pidof")
        })
    }

    /// The only other host that the probe's command asks.
    fn asked_host(&self) -> Option<String> {
        let words = self.probe.exec.as_ref()?.get("command")?.as_array()?;
        // `$DB_SERVICE_HOST`: what Kubernetes tells every container of the Services of its namespace.
        static LINK: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new(r"\$\{?(?P<name>[A-Z][A-Z0-9_]*)_SERVICE_HOST\}?").ok());
        let named = |found: &Captures<'_>| found["name"].to_ascii_lowercase().replace('_', "-");
        let text = |w: &str| LINK.as_ref().map_or(w.to_owned(), |r| r.replace_all(w, named).into_owned());
        let command = words.iter().filter_map(|w| w.as_str()).map(text).collect();
        let asks = Container { command, ..Container::default() };
        let mut hosts = hosts(&PodSpec { containers: vec![asks], ..PodSpec::default() });
        hosts.retain(|h| !h.starts_with("localhost") && !h.starts_with("127.") && h != "0.0.0.0");
        hosts.pop().filter(|_| hosts.is_empty())
    }

    /// What it complains of: in the words of the probe, else again and again in its log; of a program that answers, and
    /// says in so many words that something is wrong, once is enough.
    fn complaint(&self, now: Now<'_>, answers: bool) -> Option<Signal> {
        let dependency = |s: &Signal| {
            let network = matches!(s.class, Class::Dns | Class::ConnectionRefused | Class::Timeout);
            (network || s.class == Class::Authentication) && s.subject.is_some()
        };
        let mut spoken = logs::signals(std::slice::from_ref(&self.said));
        // A client that says only that it was refused was refused by whom its command asks.
        if let Some(host) = self.asked_host() {
            let unnamed = |s: &&mut Signal| s.class.is_connection() && s.subject.is_none();
            spoken.iter_mut().filter(unnamed).for_each(|s| s.subject = Some(host.clone()));
        }
        if let Some(found) = spoken.into_iter().find(dependency).filter(|_| answers) {
            return Some(found);
        }
        // A command answers for itself, unless it only looks whether something is there.
        let log = self.log.filter(|_| self.probe.exec.is_none() || self.only_looks())?;
        let tail = &log[log.len().saturating_sub(60)..];
        if let Some(said) = said(tail, now).filter(|s| answers || s.again())
            && let What::Signal(found) = said.what
        {
            return Some(*found);
        }
        let signals = logs::signals(tail);
        let once = signals.iter().find(|s| dependency(s)).or_else(|| {
            let plain = |s: &&Signal| !s.class.is_connection() && !s.class.is_crash();
            // Whatever else it wrote after it, it got over it.
            let last = |s: &&Signal| tail[s.line + 1..].iter().all(|l| l.trim().is_empty() || is_request(l));
            signals.first().filter(plain).filter(last).filter(|s| calls_itself_an_error(&tail[s.line]))
        });
        once.filter(|_| answers).cloned()
    }
}

/// The log of the container's present or last run, where it was read.
pub(super) fn log<'a>(cx: &Context<'a>, pod: &Pod, spec: &Container) -> Option<&'a [String]> {
    let index = cx.index;
    index.newest_log(&pod.metadata.uid, &spec.name).and_then(|l| l.lines.as_ref().ok()).map(Vec::as_slice)
}

/// The key of that log as evidence.
pub(super) fn log_item(cx: &Context<'_>, pod: &Pod, spec: &Container) -> Option<EvidenceDraft> {
    let read = cx.index.newest_log(&pod.metadata.uid, &spec.name)?;
    Some(crash::log_evidence(cx, &pod.reference(), spec, read, Now::STAMP))
}

pub(super) fn is_timeout(lower: &str) -> bool {
    lower.contains("timeout") || lower.contains("deadline exceeded") || lower.contains("timed out")
}
