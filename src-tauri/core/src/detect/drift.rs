//! What is only known when every rule has spoken: what was changed under a workload that fails.
//!
//! A change that is no fault by itself explains one: a ConfigMap or Secret that new containers read differently than
//! old ones did.

use std::{cell::LazyCell, collections::BTreeSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use super::Context;
use crate::{
    change::{Change, ChangeVerb},
    evidence::EvidenceDraft,
    explain::{diff_evidence, reach::is_controller},
    finding::{CauseDraft, Finding, Signs},
    logs,
    object::{
        Kind, Object, ObjectRef, Pod, PodSpec,
        pod::{ContainerStatus, SourceRef},
    },
    severity::Confidence,
    words,
};

/// A change of configuration is tied to failures that begin within this time; mounted files take a minute to arrive.
const SOON: SignedDuration = SignedDuration::from_mins(10);
/// Clocks differ by seconds.
const SLACK: SignedDuration = SignedDuration::from_secs(3);

/// What is wrong by these is not a matter of configuration.
const ELSEWHERE: &[&str] = &[
    "memory-without-limit",
    "log-exec-format",
    "log-missing-module",
    "log-out-of-memory",
    "log-disk-full",
    "probe-port-wrong",
    "probe-path-wrong",
    "probe-command-missing",
    "probe-timeout",
];
/// Without a word of the log the change must have come this shortly before.
const JUST: SignedDuration = SignedDuration::from_mins(5);

/// Changes of one moment: none of them came first.
const TOGETHER: SignedDuration = SignedDuration::from_secs(30);

/// Looks at every finding once more.
pub fn all(cx: &mut Context<'_>) {
    let found: Vec<(usize, CauseDraft, Vec<EvidenceDraft>)> = cx
        .found()
        .iter()
        .enumerate()
        .filter_map(|(i, f)| {
            let (cause, item) = source(cx, f)?;
            Some((i, cause, item))
        })
        .collect();
    let findings = cx.findings_mut();
    for (i, cause, item) in found {
        let finding = Arc::make_mut(&mut findings[i]);
        finding.evidence.extend(item);
        finding.causes.insert(0, cause);
    }
}

/// A ConfigMap or a Secret that the failing container reads was changed, and what has started since fails.
fn source(cx: &Context<'_>, f: &Finding) -> Option<(CauseDraft, Vec<EvidenceDraft>)> {
    // What is proven otherwise is not explained once more; what only the log says may have a reason that lies deeper.
    let lead = f.causes.first()?;
    let said = lead.rule_id.starts_with("log-") || lead.rule_id == "container-exits";
    // The log is understood to speak of what a ConfigMap or a Secret gives.
    let given = matches!(lead.entity.read_as(), Some(Kind::ConfigMap | Kind::Secret)) && lead.entity.uid.is_some();
    let open = (lead.confidence < Confidence::Established || said)
        && (lead.entity.same_name(&f.subject) || given)
        && !ELSEWHERE.contains(&lead.rule_id.as_str());
    let family = matches!(
        f.rule_id.as_str(),
        "container-crash-loop"
            | "init-container-failing"
            | "readiness-failing"
            | "liveness-failing"
            | "startup-failing"
            | "job-failed"
    );
    if !open || !family {
        return None;
    }
    let (pod, part) = failing(cx, f)?;
    let ns = pod.metadata.namespace.as_deref();
    let own = |kind| ObjectRef::missing(kind, ns, "");
    let uses: Vec<(ObjectRef, SourceRef)> =
        [(Kind::ConfigMap, pod.spec.config_map_refs()), (Kind::Secret, pod.spec.secret_refs())]
            .into_iter()
            .flat_map(|(kind, refs)| {
                refs.into_iter().map(move |r| (ObjectRef { name: r.name.clone(), ..own(kind) }, r))
            })
            .collect();
    if uses.is_empty() {
        return None;
    }
    // The workload's own change explains more.
    let revised = cx.index.changes().any(|c| {
        c.object.same_name(&f.subject)
            && pod.metadata.creation_timestamp.is_none_or(|made| c.at >= made.saturating_sub(SOON).unwrap_or(made))
            && c.at <= f.started_at
            && c.fields.iter().any(|x| x.path.contains("template.spec."))
    });
    if revised {
        return None;
    }
    let text = LazyCell::new(|| log_text(cx, pod, &part, false));
    let spoken = LazyCell::new(|| spoken(&log_text(cx, pod, &part, true)));
    // The key that is to blame already.
    let named = lead.field.as_deref().filter(|_| given).and_then(|f| f.strip_prefix("data[")?.strip_suffix(']'));
    // The best so far: quoted by the log or not, when, what, and which key.
    let mut best: Option<(u8, Timestamp, &Change, Option<String>)> = None;
    let mut unspoken: Vec<&Change> = Vec::new();
    let credentials = f
        .causes
        .iter()
        .any(|c| matches!(c.rule_id.as_str(), "log-authentication" | "log-certificate" | "log-host-key"));
    let tried = |c: &Change| near(c.at, f.started_at) || later(cx, f, pod, c.at);
    let used =
        |c: &Change| uses.iter().any(|(o, _)| o.same_name(&c.object)) && (!given || lead.entity.same_name(&c.object));
    for change in cx.index.changes().filter(|c| c.verb == ChangeVerb::Modified && used(c) && tried(c)) {
        if change.who.as_deref().is_some_and(is_controller) {
            continue;
        }
        for (_, r) in uses.iter().filter(|(o, _)| o.same_name(&change.object)) {
            let touched: Vec<&str> = change.keys().filter(|k| r.key.as_deref().is_none_or(|own| own == *k)).collect();
            let secret = change.object.is(Kind::Secret);
            if touched.is_empty() && !secret {
                continue;
            }
            // Of a Secret it is not seen whether its data changed: the log must speak of credentials, or only what has
            // started since fails.
            let split_by_it = || {
                let of_labels = change.fields.iter().any(|x| x.path.starts_with("labels"));
                said && !of_labels && split(cx, f, change.at).0 > 0 && made_after(pod, change.at)
            };
            if secret && !given && !credentials && !split_by_it() {
                continue;
            }
            // Environment is read when a container starts, and never again.
            if r.via.starts_with("env")
                && began(pod, &part).is_none_or(|t| t < change.at.saturating_sub(SLACK).unwrap_or(t))
            {
                continue;
            }
            if named.is_some_and(|key| !secret && !touched.contains(&key)) {
                continue;
            }
            let speaks = || touched.iter().copied().find(|k| quotes(&text, k, &pod.spec));
            let quoted = named.filter(|_| !secret).or_else(speaks).map(str::to_owned);
            let key = quoted.clone().or_else(|| meant(&touched, &spoken).map(str::to_owned));
            let score = u8::from(quoted.is_some());
            let ahead = f.started_at.duration_since(change.at);
            if score == 0 && ahead > JUST && ahead <= SOON && !later(cx, f, pod, change.at) {
                continue;
            }
            if score == 0 {
                unspoken.push(change);
            }
            if best.as_ref().is_none_or(|(s, at, _, _)| (score, change.at) > (*s, *at)) {
                best = Some((score, change.at, change, key));
            }
        }
    }
    let (score, at, change, key) = best?;
    // Where the log proves something, a change that it does not speak of adds nothing.
    if lead.confidence == Confidence::Established && score == 0 {
        return None;
    }
    let (before, after) = split(cx, f, at);
    let who = change.who.as_deref().unwrap_or("somebody");
    let what = key.as_ref().map_or_else(|| change.object.to_string(), |k| format!("key {k} of {}", change.object));
    let well = match before {
        0 => String::new(),
        n => format!(
            " {} that started before it {} ready.",
            words::capital(&words::count(n, "pod")),
            if n == 1 { "is" } else { "are" }
        ),
    };
    let item = diff_evidence(change);
    let mut evidence = lead.evidence.clone();
    evidence.push(item.key.clone());
    // Only its number says that it was changed, perhaps no more than an annotation of it.
    let number = change.object.is(Kind::Secret) && !given && !credentials && change.keys().next().is_none();
    let unseen = number && f.started_at.duration_since(at) > SOON;
    let proven = score > 0 && change.object.is(Kind::ConfigMap);
    // What was changed with it explains as much where the log speaks of neither.
    let with = |c: &&&Change| !c.object.same_name(&change.object) && c.at.duration_since(at).abs() <= TOGETHER;
    let other = unspoken.iter().filter(|_| score == 0).find(with);
    let or = other.map(|c| {
        format!(
            " {} changed {} at the same time, which may as well be why.",
            c.who.as_deref().unwrap_or("Somebody"),
            c.object
        )
    });
    let cause = CauseDraft {
        rule_id: "configuration-changed".into(),
        confidence: match proven {
            true => Confidence::Established,
            false if or.is_some() || unseen => Confidence::Possible,
            false => Confidence::Likely,
        },
        signs: Signs { pro: 2 + u32::from(before > 0) + u32::from(proven), against: 0, unchecked: 0 },
        entity: cx.index.resolve(&change.object).map_or_else(|| change.object.clone(), |o| o.reference()),
        referrer: Some(f.subject.clone()),
        field: key.as_ref().map(|k| format!("data[{k}]")).or_else(|| lead.field.clone().filter(|_| given)),
        statement: format!(
            "{who} changed {what} at {}, and {} of {} that started with it {} since.{well}{} {}",
            at.strftime("%H:%M:%S UTC"),
            words::count(after.max(1), "pod"),
            f.subject,
            if after <= 1 { "fails" } else { "fail" },
            or.clone().unwrap_or_default(),
            words::clip_middle(&lead.statement, 480)
        ),
        evidence,
        needs: match (proven, &or) {
            (true, _) => Vec::new(),
            (false, None) if unseen => vec!["whether what it holds was changed: values are not read".to_owned()],
            (false, None) => vec!["what the value was before: values are not kept".to_owned()],
            (false, Some(_)) => vec!["which of the changes it is that the program cannot live with".to_owned()],
        },
    };
    Some((cause, vec![item]))
}

/// The pod that fails, and which container of it; of a Job the last.
pub(super) fn failing<'a>(cx: &Context<'a>, f: &Finding) -> Option<(&'a Pod, String)> {
    let index = cx.index;
    match &**index.resolve(&f.object)? {
        Object::Pod(pod) => Some((pod, f.part.clone())),
        Object::Job(job) => index.pods_of(&job.metadata.uid).into_iter().rev().find_map(|pod| {
            let failed = |s: &ContainerStatus| s.state.terminated.as_ref().is_some_and(|t| t.exit_code != 0);
            let (spec, _, _) = pod.containers().find(|(_, s, _)| s.is_some_and(failed))?;
            Some((pod, spec.name.clone()))
        }),
        _ => None,
    }
}

/// When the container that fails was started last.
fn began(pod: &Pod, container: &str) -> Option<Timestamp> {
    let (_, status, _) = pod.containers().find(|(spec, _, _)| spec.name == container)?;
    let status = status?;
    let ended = [&status.state, &status.last_state].into_iter().filter_map(|s| s.terminated.as_ref()?.started_at);
    ended.chain(status.state.running.as_ref().and_then(|r| r.started_at)).max()
}

/// The pod was made after the change.
fn made_after(pod: &Pod, change: Timestamp) -> bool {
    pod.metadata.creation_timestamp.is_some_and(|made| made >= change.saturating_sub(SLACK).unwrap_or(change))
}

/// The change came shortly before the failure began.
fn near(change: Timestamp, failure: Timestamp) -> bool {
    let lead = failure.duration_since(change);
    lead >= -SLACK && lead <= SOON
}

/// The change came long before, and only now a pod has started with it: those that started before it are well, and
/// none that started after it is.
fn later(cx: &Context<'_>, f: &Finding, pod: &Pod, change: Timestamp) -> bool {
    let made = pod.metadata.creation_timestamp.or(pod.status.start_time);
    let (before, _) = split(cx, f, change);
    let (all, _) = split(cx, f, Timestamp::MAX);
    change < f.started_at && made.is_some_and(|t| t >= change) && before > 0 && before == all
}

/// The log speaks of the key, of the variable it becomes, or of a file of its name.
fn quotes(text: &str, key: &str, spec: &PodSpec) -> bool {
    let variables = spec.containers.iter().chain(&spec.init_containers).flat_map(|c| &c.env).filter(|e| {
        let from = e.value_from.as_ref();
        from.and_then(|f| f.config_map_key_ref.as_ref()).is_some_and(|r| r.key == key)
    });
    // Words such as `level` stand in any log.
    let distinct = |w: &str| w.len() > 2 && (w.contains(['_', '.', '-']) || w.chars().any(|c| c.is_ascii_uppercase()));
    let says = |w: &str| words::has_word(text, w);
    distinct(key) && says(key) || variables.into_iter().any(|e| distinct(&e.name) && says(&e.name))
}

/// The words of a text: `MongoServerSelectionError` speaks of a server, `replicaSet` of a set.
pub(super) fn spoken(text: &str) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let mut word = String::new();
    let mut lower = false;
    for c in text.chars().chain(['\n']) {
        if !c.is_ascii_alphabetic() || (lower && c.is_ascii_uppercase()) {
            out.insert(std::mem::take(&mut word));
        }
        lower = c.is_ascii_lowercase();
        if c.is_ascii_alphabetic() {
            word.push(c.to_ascii_lowercase());
        }
    }
    out
}

/// Of the keys that were changed at once the one whose words are spoken of most. How a program logs breaks it only where
/// it says so.
fn meant<'k>(touched: &[&'k str], spoken: &BTreeSet<String>) -> Option<&'k str> {
    let parts = |key: &str| -> BTreeSet<String> { self::spoken(key).into_iter().filter(|w| w.len() > 2).collect() };
    let of_log = |parts: &BTreeSet<String>| {
        parts
            .iter()
            .any(|w| matches!(w.as_str(), "log" | "logs" | "logging" | "loglevel" | "debug" | "verbose" | "verbosity"))
    };
    let rank = |key: &str| {
        let parts = parts(key);
        let said = parts.iter().filter(|w| spoken.contains(*w)).count();
        match of_log(&parts) {
            true if parts.len() > 1 && said == parts.len() => (1, said),
            true => (0, 0),
            false => (1, said),
        }
    };
    // Of equals the first.
    touched.iter().copied().rev().max_by_key(|key| rank(key))
}

/// What the log complains of, and, where that is wanted, what is set in below a complaint. That a program prints its
/// settings when it starts proves nothing.
pub(super) fn log_text(cx: &Context<'_>, pod: &Pod, container: &str, below: bool) -> String {
    const COMPLAINTS: &[&str] = &[
        "error",
        "fail",
        "fatal",
        "panic",
        "exception",
        "invalid",
        "cannot",
        "can't",
        "could not",
        "must ",
        "unknown",
        "missing",
        "unable",
        "not ",
        "bad ",
        "expected",
        "illegal",
        "unsupported",
        "denied",
        "refus",
        "malformed",
    ];
    let lines = cx.index.newest_log(&pod.metadata.uid, container).and_then(|l| l.lines.as_ref().ok());
    let tail = lines.map_or(&[][..], |l| &l[l.len().saturating_sub(60)..]);
    let complains = |l: &String| {
        let lower = l.to_lowercase();
        COMPLAINTS.iter().any(|w| lower.contains(w))
    };
    let mut out = Vec::new();
    let mut under = false;
    for line in tail {
        let set_in = under && line.starts_with([' ', '\t']);
        under = complains(line) || set_in;
        // The frames of a trace say where it happened and not what.
        if complains(line) || below && set_in && !line.trim_start().starts_with("at ") {
            out.push(logs::without_head(&logs::message(line)).to_owned());
        }
    }
    out.join("\n")
}

/// How many pods of the workload started before the change and are ready, and how many after it and are not.
fn split(cx: &Context<'_>, f: &Finding, at: Timestamp) -> (usize, usize) {
    let Some(uid) = f.subject.uid.as_deref() else { return (0, 1) };
    let started = |p: &Pod| {
        let running = p.status.container_statuses.iter().filter_map(|s| s.state.running.as_ref()?.started_at).max();
        running.or(p.status.start_time).or(p.metadata.creation_timestamp)
    };
    let pods: Vec<&Pod> =
        cx.index.pods_of(uid).into_iter().filter(|p| !p.metadata.deleting() && !p.finished()).collect();
    let before = pods.iter().filter(|p| p.ready() && started(p).is_some_and(|t| t < at)).count();
    let after = pods.iter().filter(|p| !p.ready()).count();
    (before, after)
}
