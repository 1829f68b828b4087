//! What is only known when every rule has spoken: what was changed in another workload that this one calls.
//!
//! A program that ran well until then, and of which nothing was changed, fails for what it is answered. Where its own
//! words, or the way its configuration names, lead to a workload that was changed just before, that change is to be
//! looked at first: the objects of the one that fails are as they were when it worked.

use std::{collections::BTreeSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use super::{Context, drift, family};
use crate::{
    change::{Change, ChangeVerb},
    evidence::EvidenceDraft,
    explain::{
        diff_evidence,
        reach::{Hangs, Reach, is_controller, routine},
    },
    finding::{CauseDraft, Finding, Signs},
    object::{Condition, Kind, Object, ObjectRef, Pod, PodSpec},
    remediation::ActionKind,
    severity::Confidence,
    words,
};

/// A change of what is called is tied to failures that begin within this time.
const JUST: SignedDuration = SignedDuration::from_mins(5);
/// The same where nothing is said that leads there.
const AT_ONCE: SignedDuration = SignedDuration::from_mins(2);
/// Clocks differ by seconds.
const SLACK: SignedDuration = SignedDuration::from_secs(3);

/// A probe that is answered so, and was answered well before, says nothing of why.
const ANSWERS: &[&str] = &["probe-bad-status", "probe-path-wrong"];
/// What is wrong by these is the container's own, whatever it calls.
const OWN: &[&str] = &[
    "memory-without-limit",
    "log-exec-format",
    "log-missing-module",
    "log-missing-file",
    "log-out-of-memory",
    "log-disk-full",
    "log-address-in-use",
    "log-missing-variable",
    "log-permission",
    "probe-port-wrong",
    "probe-command-missing",
    "probe-timeout",
];

/// Looks at every finding once more.
pub fn all(cx: &mut Context<'_>) {
    let telling = |c: &&Change| {
        c.verb == ChangeVerb::Modified
            && c.object.read_as().is_some_and(|kind| {
                matches!(kind, Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet | Kind::ConfigMap | Kind::Secret)
            })
            && !routine(c)
            && c.fields.iter().any(|f| f.path != "spec.replicas" && f.path != "spec.paused")
            && !c.who.as_deref().is_some_and(is_controller)
    };
    let index = cx.index;
    let changes: Vec<&Change> = index.changes().filter(telling).collect();
    if changes.is_empty() {
        return;
    }
    let found: Vec<(usize, CauseDraft, EvidenceDraft)> = cx
        .found()
        .iter()
        .enumerate()
        .filter_map(|(i, f)| source(cx, f, &changes).map(|(cause, item)| (i, cause, item)))
        .collect();
    let findings = cx.findings_mut();
    for (i, cause, item) in found {
        let finding = Arc::make_mut(&mut findings[i]);
        finding.evidence.push(item);
        // Nothing of it was changed, and it worked.
        finding.actions.retain(|a| a.kind != ActionKind::SetProbe);
        finding.causes.insert(0, cause);
    }
}

/// A change, who is served by what was changed, and how plainly the one that fails speaks of it.
struct Candidate<'a> {
    change: &'a Change,
    /// The workload that was changed, or that uses what was changed.
    server: &'a Object,
    spoken: u8,
    /// The key or the variable that the log speaks of.
    word: Option<String>,
}

fn source(cx: &Context<'_>, f: &Finding, changes: &[&Change]) -> Option<(CauseDraft, EvidenceDraft)> {
    let lead = f.causes.first()?;
    let near = |c: &&&Change| {
        let ahead = f.started_at.duration_since(c.at);
        ahead >= -SLACK && ahead <= JUST
    };
    let family = matches!(f.rule_id.as_str(), "container-crash-loop" | "readiness-failing" | "liveness-failing");
    let mut near = changes.iter().filter(near).peekable();
    if near.peek().is_none()
        || !family
        || lead.confidence >= Confidence::Established
        || OWN.contains(&lead.rule_id.as_str())
    {
        return None;
    }
    let own = lead.entity.same_name(&f.subject);
    if !own && lead.entity.kind != "External" && !is_server(&lead.entity) {
        return None;
    }
    let (pod, part) = drift::failing(cx, f)?;
    let made = pod.metadata.creation_timestamp?;
    // It worked with what was there before.
    let near: Vec<&Change> = near.copied().filter(|c| made < c.at && was_well(pod, c.at)).collect();
    if near.is_empty() {
        return None;
    }
    let index = cx.index;
    let hangs = Hangs::of(index, &f.subject);
    // What was changed of itself, or of what it is made with, explains more.
    if near.iter().any(|c| hangs.reach(c).is_some_and(|reach| reach <= Reach::Used)) {
        return None;
    }
    let ns = pod.metadata.namespace.as_deref()?;
    let text = drift::log_text(cx, pod, &part, true);
    let servers: Vec<(&Object, bool)> = [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet]
        .into_iter()
        .flat_map(|kind| hangs.namespaces().map(move |ns| (kind, ns)))
        .flat_map(|(kind, ns)| index.in_namespace(kind, ns))
        .filter_map(|o| {
            let me = o.reference();
            let called = hangs.of_object(&me) == Some(Reach::Called);
            let here = me.namespace.as_deref() == Some(ns);
            (!me.same_name(&f.subject) && (called || here)).then_some((&**o, called))
        })
        .collect();
    let mut all: Vec<Candidate<'_>> = Vec::new();
    for change in near {
        if lead.entity.same_name(&change.object) {
            continue;
        }
        for (server, called) in servers.iter().filter(|(s, _)| concerns(cx, change, s)) {
            let me = server.reference();
            let word = quoted(change, &text);
            let spoken = match () {
                () if says(&text, &me.name) => 3,
                () if word.is_some() => 3,
                () if lead.entity.same_name(&me) => 3,
                () if *called && family::fits(server, &text) => 2,
                () if *called => 1,
                () => 0,
            };
            all.push(Candidate { change, server, spoken, word });
        }
    }
    // What it calls would have broken all of its pods; one that goes on with the same configuration speaks against that.
    let goes_on = |at: Timestamp| {
        let others = f.subject.uid.as_deref().map(|uid| index.pods_of(uid)).unwrap_or_default();
        others.iter().any(|p| {
            p.metadata.uid != pod.metadata.uid
                && p.ready()
                && p.metadata.creation_timestamp.is_some_and(|made| made < at)
                && p.status.container_statuses.iter().all(|s| s.restart_count == 0)
        })
    };
    all.retain(|c| c.spoken >= 3 || !goes_on(c.change.at));
    let silent = ANSWERS.contains(&lead.rule_id.as_str());
    let only = all.iter().map(|c| c.change.object.key()).collect::<BTreeSet<_>>().len() == 1;
    let enough = |c: &Candidate<'_>| {
        c.spoken >= 2 || silent && (only || c.spoken == 1) && f.started_at.duration_since(c.change.at) <= AT_ONCE
    };
    let best = all.iter().filter(|c| enough(c)).max_by_key(|c| (c.spoken, c.change.at, c.change.key()))?;
    // What is failing itself tells of its own fault.
    if cx.tells_of(&best.server.reference()) {
        return None;
    }
    Some(cause(cx, f, lead, best))
}

fn cause(cx: &Context<'_>, f: &Finding, lead: &CauseDraft, best: &Candidate<'_>) -> (CauseDraft, EvidenceDraft) {
    let Candidate { change, server, spoken, word } = best;
    let server = server.reference();
    let itself = change.object.same_name(&server);
    let key = word.clone().filter(|_| !itself).or_else(|| change.keys().next().map(str::to_owned));
    let field = match itself {
        true => change.fields.iter().map(|x| x.path.clone()).find(|p| p.starts_with("spec.")),
        false => key.as_ref().map(|k| format!("data[{k}]")),
    };
    let what = match (itself, &key) {
        (true, _) => format!("{server} ({})", words::clip_parts(&change.summary, 180)),
        (false, Some(key)) => format!("key {key} of {}, which {server} uses,", change.object),
        (false, None) => format!("{}, which {server} uses,", change.object),
    };
    let item = diff_evidence(change);
    let mut evidence = lead.evidence.clone();
    evidence.push(item.key.clone());
    let cause = CauseDraft {
        rule_id: if itself { "dependency-changed" } else { "configuration-changed" }.into(),
        confidence: Confidence::Likely,
        signs: Signs { pro: 2 + u32::from(*spoken >= 2), against: 0, unchecked: u32::from(*spoken < 3) },
        entity: cx.index.resolve(&change.object).map_or_else(|| change.object.clone(), |o| o.reference()),
        referrer: Some(f.subject.clone()),
        field,
        statement: format!(
            "{} changed {what} at {}, and {} has failed since; of {} itself nothing was changed. {}",
            change.who.as_deref().unwrap_or("Somebody"),
            change.at.strftime("%H:%M:%S UTC"),
            f.subject,
            f.subject.name,
            words::clip_middle(&lead.statement, 480)
        ),
        evidence,
        needs: Vec::new(),
    };
    (cause, item)
}

fn is_server(object: &ObjectRef) -> bool {
    matches!(object.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet")
}

/// What was changed is this workload, or something its pods have read since.
fn concerns(cx: &Context<'_>, change: &Change, server: &Object) -> bool {
    let me = server.reference();
    if change.object.same_name(&me) {
        return change.fields.iter().any(|f| f.path.starts_with("spec.template."));
    }
    if change.object.namespace != me.namespace || is_server(&change.object) {
        return false;
    }
    let Some(template) = server.pod_template() else { return false };
    let kind = if change.object.is(Kind::Secret) { Kind::Secret } else { Kind::ConfigMap };
    if !change.object.is(kind) {
        return false;
    }
    let refs = |spec: &PodSpec| if kind == Kind::Secret { spec.secret_refs() } else { spec.config_map_refs() };
    let restarted = || {
        cx.index.pods_of(&me.uid.clone().unwrap_or_default()).iter().any(|p| {
            let started = p.status.container_statuses.iter().filter_map(|s| s.state.running.as_ref()?.started_at).max();
            started.is_some_and(|t| t >= change.at.saturating_sub(SLACK).unwrap_or(t))
        })
    };
    refs(&template.spec).into_iter().any(|r| {
        let touched = kind == Kind::Secret
            || r.key.as_deref().is_none_or(|own| change.keys().any(|k| k == own)) && change.keys().next().is_some();
        r.name == change.object.name && touched && (!r.via.starts_with("env") || restarted())
    })
}

/// The pod had been ready, and has not been since about then; or it died first after that.
fn was_well(pod: &Pod, change: Timestamp) -> bool {
    let since = change.saturating_sub(SLACK).unwrap_or(change);
    let made = pod.metadata.creation_timestamp.unwrap_or(Timestamp::MIN);
    let turned = Condition::find(&pod.status.conditions, "Ready").and_then(|c| c.last_transition_time);
    turned.is_some_and(|t| t >= since && t.duration_since(made) > SLACK)
}

/// The key, or the variable, of a change that a log speaks of.
fn quoted(change: &Change, text: &str) -> Option<String> {
    let variable = |path: &str| {
        let (_, rest) = path.rsplit_once(".env[")?;
        Some(rest.split(']').next().unwrap_or(rest).to_owned())
    };
    let mut names = change.keys().map(str::to_owned).chain(change.fields.iter().filter_map(|f| variable(&f.path)));
    names.find(|name| name.len() >= 5 && !everyday(name) && says(text, name))
}

/// Words that stand in any log.
fn everyday(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["level", "error", "config", "server", "timeout", "message", "status", "debug", "image", "version"]
        .contains(&name.as_str())
        || name.contains("log_level")
        || name.contains("loglevel")
}

/// The text has this name as a word of its own.
fn says(text: &str, name: &str) -> bool {
    if name.len() < 4 {
        return false;
    }
    let (text, name) = (text.to_ascii_lowercase(), name.to_ascii_lowercase());
    text.match_indices(&name).any(|(at, _)| {
        let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '-');
        edge(text[..at].chars().next_back()) && edge(text[at + name.len()..].chars().next())
    })
}
