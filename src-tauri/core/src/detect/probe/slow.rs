//! Starts that take longer than a probe allows, and what makes them slow.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    super::{
        Context,
        asked::said::calls_itself_an_error,
        backing,
        context::{edit, set},
    },
    EVENTS,
    command::sleeps,
    explained::is_timeout,
    listening::listens,
    verdict::{Case, Verdict},
};
use crate::{
    index::Now,
    logs,
    object::{ContainerStatus, KubeEvent, Quantity},
    remediation::{ActionDraft, ActionKind},
    severity::Confidence,
    words,
};

/// How far something is, in the words of a log.
const PROGRESS: &str = r"\b(?:warm|load|import|index|cach|restor|sync|process|done|progress|complet|build|built|download|fetch|read|replay|migrat|recover|unpack|compil)\w*[^\n]{0,40}?(?:\b\d+ (?:of|out of) \d+\b|[\s(\[]\d+/\d+\b|\b\d{1,3} ?%)";

/// Work of a start that may take minutes, by its stem.
const WORK: &str =
    r"(?:replay|recover|restor|download|re-?build|(?:re-?)?index|compil|import|unpack|hydrat|(?:pre-?)?load)";

/// What a start waits for, in the words of a log.
static STARTING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?i)\b(?:start(?: up)?|load|warm|(?:start|warm|prepar|wait|connect|{WORK})(?:ing|e?s)|(?:initiali[sz]|migrat|boot|replay|compil|recover)\w*)\b|{PROGRESS}"
    ))
    .ok()
});

/// The last line of its log tells how far a start has got, or of work that may take minutes, and none before it that the
/// program serves.
fn prepares(lines: &[String]) -> bool {
    static WORKS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let things = r"(?:models?|weights?|shards?|caches?|index(?:es)?|dataset|snapshots?|journals?|wal|segments?|partitions?|records|rows|dump|backup|artifacts?)";
        Regex::new(&format!(r"(?i)please wait|\bmay take\b|\bwarming up\b|\b{WORK}ing\b.*\b{things}\b|{PROGRESS}")).ok()
    });
    static OTHERWISE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?i)\b(?:attempt|retr(?:y|ies|ying)|waiting for|connecting)\b").ok());
    let fits = |form: &LazyLock<Option<Regex>>, text: &str| form.as_ref().is_some_and(|r| r.is_match(text));
    let Some(last) = lines.iter().rfind(|l| !l.trim().is_empty()) else { return false };
    let message = logs::message(last);
    fits(&WORKS, &message) && !fits(&OTHERWISE, &message) && !calls_itself_an_error(last) && !serves(lines)
}

/// A line of its log says that the program serves.
fn serves(lines: &[String]) -> bool {
    static SERVES: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:listen\w*|serving|accepting|running on|bound to|(?:is|now|server|application|service) (?:ready|started|up)|started (?:server|application|on|in \d)|ready (?:to|for|in)|start worker process)\b").ok()
    });
    SERVES.as_ref().is_some_and(|r| lines.iter().any(|l| r.is_match(l)))
}

/// Seconds that nothing may listen in a first start, where nothing else is wrong with it.
const USUAL: i64 = 30;
/// The same where the kubelet has not said that the probe fails: a busy one asks late.
const UNHEARD: i64 = 60;
/// The same where its log tells how far its start has got.
pub(super) const AT_WORK: i64 = 120;

/// The runtime cannot run what the probe of a container that has not started yet is to run.
pub(super) fn never_asked(now: Now<'_>, status: &ContainerStatus, unhealthy: &[&KubeEvent]) -> bool {
    status.started == Some(false)
        && status.state.running.is_some()
        && unhealthy
            .last()
            .is_some_and(|e| e.message().contains("errored") && e.last_seen().is_some_and(|t| !now.beyond(t, EVENTS)))
}

/// That a container may use less of the processor since shortly before its pod was made.
pub(super) struct Slowed {
    /// A sentence about it.
    pub statement: String,
    pub field: String,
    pub step: ActionDraft,
}

impl Case<'_> {
    /// How long a first start may take that this rule tells of, in seconds; 0 where it is no matter of time. The right port
    /// is refused, too, for as long as the program loads, and the file is not there yet that says that it has; and where
    /// the kubelet has said nothing, it may not have asked.
    pub(super) fn usual_start(&self, rule: &str, unheard: bool) -> i64 {
        let ordinary = rule == "probe-refused" || rule == "probe-failing" && self.only_looks();
        let passes = ordinary || rule == "probe-timeout" || self.lower().contains("statuscode: 503");
        match () {
            () if !rule.starts_with("probe-") => 0,
            () if (passes || unheard) && self.log.is_some_and(prepares) => AT_WORK,
            () if unheard => UNHEARD,
            // What serves by now may have begun to since it was asked last: it is asked once more.
            () if ordinary && self.log.is_some_and(serves) => {
                USUAL + self.probe.period_seconds.unwrap_or(10).clamp(1, 10) + 2
            }
            () if ordinary => USUAL,
            () => 0,
        }
    }

    /// It says that it waits to take over from another: as its probe's answer, or last in its log.
    pub(super) fn stands_by(&self) -> bool {
        static WAITS: LazyLock<Option<Regex>> = LazyLock::new(|| {
            Regex::new(r#"(?i)(?:^|: |[=:]"? ?|\b(?:in|as|on) )stand-?by(?: (?:mode|state))?(?:$|[:,;."\n])|\bnot (?:the |a |currently )*(?:leader|primary)\b|attempting to acquire leader lease|\bwaiting (?:to become|for) (?:the )?lead(?:er|ership)\b"#).ok()
        });
        let last = self.log.and_then(|lines| lines.iter().rfind(|l| !l.trim().is_empty()));
        let last = last.filter(|line| !calls_itself_an_error(line));
        [Some(&self.said), last].into_iter().flatten().any(|text| WAITS.as_ref().is_some_and(|r| r.is_match(text)))
    }

    /// The kubelet gives up before the program has started.
    pub(super) fn slow_start(&self) -> Option<Verdict> {
        if self.word == "readiness probe" || self.kills == 0 {
            return None;
        }
        let lower = self.lower();
        let silent =
            self.refused() || is_timeout(&lower) || lower.contains("statuscode: 503") || self.probe.exec.is_some();
        if !silent {
            return None;
        }
        let p = self.probe;
        let budget = p.budget_seconds();
        // A program that had served for long before it was killed did start.
        let lived = self
            .status
            .last_state
            .terminated
            .as_ref()
            .and_then(|t| Some(t.finished_at?.duration_since(t.started_at?).as_secs()));
        let grace = self.pod.spec.termination_grace_period_seconds.unwrap_or(30);
        if lived.is_some_and(|s| s > budget + p.period_seconds.unwrap_or(10) + grace + 5) {
            return None;
        }
        let sleeps = sleeps(self.spec);
        // What does nothing but sleep never serves, however long it is given.
        if sleeps.is_some_and(|(_, goes_on)| !goes_on) {
            return None;
        }
        let sleeps = sleeps.map(|(s, _)| s).filter(|s| *s >= budget);
        let words_said = self.log.filter(|l| listens(l).is_none()).and_then(|l| {
            let last = l.iter().rev().map(|x| logs::message(x)).find(|x| !x.trim().is_empty())?;
            STARTING.as_ref().is_some_and(|r| r.is_match(&last)).then(|| words::clip(&last, 120))
        });
        let startup = self.word == "startup probe";
        // Refused on a port that fits nothing else known is a slow start for a start-up probe; of a liveness probe it
        // takes a sign.
        let ready_later = self.status.ready && self.spec.readiness_probe.is_some();
        if !startup && (self.spec.startup_probe.is_some() || sleeps.is_none() && words_said.is_none() && !ready_later) {
            return None;
        }
        let sum = format!(
            "{budget} s (initialDelaySeconds {} + periodSeconds {} × failureThreshold {})",
            p.initial_delay_seconds.unwrap_or(0),
            p.period_seconds.unwrap_or(10),
            p.failure_threshold.unwrap_or(3)
        );
        let longer = match (sleeps, words_said) {
            (Some(s), _) => format!("its command alone sleeps {s} s before it serves"),
            (None, Some(w)) => format!("when it is killed it still says “{w}”"),
            (None, None) => "it has not answered by then".to_owned(),
        };
        let killed = lived.map(|s| format!(" The last run was killed after {s} s.")).unwrap_or_default();
        let times = words::times(self.kills);
        let told = self.told();
        let (rule, statement, below) = if startup {
            let statement = format!(
                "The startup probe of container {} ({}) allows its start {sum}, and the start takes longer: {longer}. It was restarted {times}.{killed}{told}",
                self.spec.name,
                p.describe()
            );
            ("startup-budget-too-short", statement, ".failureThreshold")
        } else {
            let statement = format!(
                "The liveness probe of container {} ({}) kills it before it has started (slow start): it is given {sum} and has no startupProbe, and {longer}. It was restarted {times}.{killed}{told}",
                self.spec.name,
                p.describe()
            );
            ("probe-kills-slow-start", statement, ".initialDelaySeconds")
        };
        Some(self.found(rule, Confidence::Likely, statement, below))
    }

    /// The change that left its start less of the processor than before: a CPU limit that is a third lower at least, or
    /// a low one where there was none. A change that also gives the container another program or other settings may be
    /// slow, or wrong, for those.
    pub(super) fn slowed(&self, cx: &Context<'_>) -> Option<Slowed> {
        const LOW: i128 = 250;
        let (owner, made) = (&self.owner.subject, self.pod.metadata.creation_timestamp?);
        let path = |field: &str| self.owner.field(self.init, &self.spec.name, field);
        let field = path("resources.limits.cpu");
        let others = ["image", "command", "args", "env", "ports"].map(path);
        let cores = |text: &Option<String>| text.as_deref().and_then(|t| Quantity::new(t).milli());
        let recent = backing::changes(cx, owner).filter(|c| (-5..=3600).contains(&made.duration_since(c.at).as_secs()));
        let lowered = recent.filter_map(|c| {
            let limit = c.fields.iter().find(|f| f.path == field)?;
            let now = cores(&limit.to)?;
            let less = cores(&limit.from).map_or(now <= LOW, |before| now * 3 <= before * 2);
            let more = c.fields.iter().any(|f| others.iter().any(|o| f.path.starts_with(o.as_str())));
            (less && !more).then_some((c, limit))
        });
        let (change, limit) = lowered.max_by_key(|(c, _)| c.at)?;
        let (to, who) = (limit.to.as_deref()?, change.who.as_deref().unwrap_or("somebody"));
        let at = change.at.strftime("%H:%M:%S UTC");
        let why = format!("it may use {to} of a processor, and needs more to start in time");
        let (what, step) = match limit.from.as_deref() {
            Some(from) => (
                format!("Its CPU limit was lowered from {from} to {to}"),
                set(
                    ActionKind::SetResources,
                    owner,
                    why,
                    "replaces its pods",
                    ("resources", format!("-c {} --limits=cpu={from}", self.spec.name)),
                ),
            ),
            None => (
                format!("It was given a CPU limit of {to}, where it had none,"),
                edit(ActionKind::SetResources, owner, why),
            ),
        };
        Some(Slowed { statement: format!(" {what} by {who} at {at}: a start takes longer with less."), field, step })
    }
}
