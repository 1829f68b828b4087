//! What is only known when every rule has spoken: what was changed in another workload that this one calls.
//!
//! A program that ran well until then, and of which nothing was changed, fails for what it is answered. Where its own
//! words, or the way its configuration names, lead to a workload that was changed just before, that change is to be
//! looked at first: the objects of the one that fails are as they were when it worked.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

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
    object::{Condition, Kind, Object, ObjectRef, Pod, PodSpec, has_all},
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

/// Words that stand in any log, and that settings and workloads are called.
const EVERYDAY: &[&str] = &[
    "access",
    "admin",
    "auth",
    "backend",
    "cache",
    "client",
    "config",
    "connection",
    "data",
    "database",
    "debug",
    "default",
    "error",
    "events",
    "frontend",
    "gateway",
    "health",
    "image",
    "level",
    "login",
    "manager",
    "message",
    "metrics",
    "monitor",
    "orders",
    "payment",
    "payments",
    "proxy",
    "queue",
    "request",
    "requests",
    "router",
    "search",
    "server",
    "service",
    "session",
    "status",
    "storage",
    "store",
    "test",
    "timeout",
    "token",
    "user",
    "users",
    "version",
    "worker",
];

/// Looks at every finding once more.
pub fn all(cx: &mut Context<'_>) {
    let telling = |c: &&Change| {
        c.verb == ChangeVerb::Modified
            && c.object.read_as().is_some_and(|kind| {
                matches!(kind, Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet | Kind::ConfigMap | Kind::Secret)
                    || kind == Kind::Service && leads_elsewhere(c)
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
    let mut look = Look { changes, ..Look::default() };
    let mut found: Vec<(usize, CauseDraft, EvidenceDraft)> = Vec::new();
    for (i, f) in cx.found().iter().enumerate() {
        found.extend(source(cx, f, &mut look).map(|(cause, item)| (i, cause, item)));
    }
    let findings = cx.findings_mut();
    for (i, cause, item) in found {
        let finding = Arc::make_mut(&mut findings[i]);
        finding.evidence.push(item);
        // Nothing of it was changed, and it worked.
        finding.actions.retain(|a| a.kind != ActionKind::SetProbe);
        if let Some(lead) = finding.causes.first_mut().filter(|c| ANSWERS.contains(&c.rule_id.as_str())) {
            lead.confidence = lead.confidence.min(Confidence::Possible);
        }
        finding.causes.insert(0, cause);
    }
}

/// What is worked out once for all findings.
#[derive(Default)]
struct Look<'a> {
    changes: Vec<&'a Change>,
    /// The workloads, or the Service, that a change concerns, by its place among the changes.
    concerned: BTreeMap<usize, Vec<&'a Object>>,
    /// What hangs on a subject, by its key.
    around: BTreeMap<String, Around<'a>>,
}

struct Around<'a> {
    hangs: Hangs,
    /// Its pods that are ready and have never died, and when they were made.
    well: Vec<(&'a str, Timestamp)>,
}

impl<'a> Look<'a> {
    fn around(&mut self, cx: &Context<'a>, subject: &ObjectRef) -> &Around<'a> {
        self.around.entry(subject.key()).or_insert_with(|| {
            let pods = subject.uid.as_deref().map(|uid| cx.index.pods_of(uid)).unwrap_or_default();
            let well = |p: &&Pod| p.ready() && p.status.container_statuses.iter().all(|s| s.restart_count == 0);
            Around {
                hangs: Hangs::of(cx.index, subject),
                well: pods
                    .into_iter()
                    .filter(well)
                    .filter_map(|p| Some((&*p.metadata.uid, p.metadata.creation_timestamp?)))
                    .collect(),
            }
        })
    }

    fn concerned(&mut self, cx: &Context<'a>, at: usize) -> &[&'a Object] {
        let change = self.changes[at];
        self.concerned.entry(at).or_insert_with(|| {
            let ns = change.object.namespace.as_deref().unwrap_or("");
            if change.object.is(Kind::Service) {
                return cx.index.resolve(&change.object).map(|o| &**o).into_iter().collect();
            }
            [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet]
                .into_iter()
                .flat_map(|kind| cx.index.in_namespace(kind, ns))
                .map(|o| &**o)
                .filter(|o| concerns(cx, change, o))
                .collect()
        })
    }
}

/// A change, who is served by what was changed, and how plainly the one that fails speaks of it.
struct Candidate<'a> {
    change: &'a Change,
    /// The workload or Service that was changed, or the workload that uses what was changed.
    server: &'a Object,
    called: bool,
    spoken: u8,
    /// The key or the variable that the log speaks of.
    word: Option<String>,
}

fn source<'a>(cx: &Context<'a>, f: &Finding, look: &mut Look<'a>) -> Option<(CauseDraft, EvidenceDraft)> {
    let lead = f.causes.first()?;
    let is_near = |c: &Change| {
        let ahead = f.started_at.duration_since(c.at);
        ahead >= -SLACK && ahead <= JUST
    };
    let family = matches!(f.rule_id.as_str(), "container-crash-loop" | "readiness-failing" | "liveness-failing");
    if !family
        || lead.confidence >= Confidence::Established
        || OWN.contains(&lead.rule_id.as_str())
        || !look.changes.iter().any(|c| is_near(c))
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
    let near: Vec<usize> = (0..look.changes.len())
        .filter(|at| is_near(look.changes[*at]) && made < look.changes[*at].at && was_well(pod, look.changes[*at].at))
        .collect();
    if near.is_empty() {
        return None;
    }
    let index = cx.index;
    // What was changed of itself, or of what it is made with, explains more.
    let hangs = &look.around(cx, &f.subject).hangs;
    let itself = |c: &Change| hangs.reach(c).is_some_and(|reach| reach <= Reach::Used);
    if index.changes().any(|c| is_near(c) && !routine(c) && !c.who.as_deref().is_some_and(is_controller) && itself(c)) {
        return None;
    }
    let ns = pod.metadata.namespace.as_deref()?;
    let text = drift::log_text(cx, pod, &part, true);
    let mut all: Vec<Candidate<'_>> = Vec::new();
    for at in near {
        let change = look.changes[at];
        if lead.entity.same_name(&change.object) {
            continue;
        }
        let servers: Vec<&Object> = look.concerned(cx, at).to_vec();
        let hangs = &look.around(cx, &f.subject).hangs;
        for server in servers {
            let me = server.reference();
            let called = hangs.of_object(&me) == Some(Reach::Called);
            if me.same_name(&f.subject) || !called && me.namespace.as_deref() != Some(ns) {
                continue;
            }
            let word = quoted(change, &text).filter(|word| !has_setting(cx, pod, word));
            let spoken = match () {
                () if !everyday(&me.name) && says(&text, &me.name) => 3,
                () if word.is_some() => 3,
                () if lead.entity.same_name(&me) => 3,
                () if called && family::fits(server, &text) => 2,
                () if called => 1,
                () => 0,
            };
            all.push(Candidate { change, server, called, spoken, word });
        }
    }
    // What it calls would have broken all of its pods; one that goes on with the same configuration speaks against that.
    let well = &look.around(cx, &f.subject).well;
    let goes_on = |at: Timestamp| well.iter().any(|(uid, made)| *uid != pod.metadata.uid && *made < at);
    all.retain(|c| c.called && c.spoken >= 3 || !goes_on(c.change.at));
    let silent = ANSWERS.contains(&lead.rule_id.as_str());
    let only = all.iter().map(|c| c.change.object.key()).collect::<BTreeSet<_>>().len() == 1;
    let enough = |c: &Candidate<'_>| {
        let may = c.spoken == 1 || only && c.change.object.same_name(&c.server.reference()) && serves(cx, c.server);
        c.spoken >= 2 || silent && may && f.started_at.duration_since(c.change.at) <= AT_ONCE
    };
    let best = all.iter().filter(|c| enough(c)).max_by_key(|c| (c.spoken, c.change.at, c.change.key()))?;
    // What is failing itself tells of its own fault.
    if cx.tells_of(&best.server.reference()) {
        return None;
    }
    Some(cause(cx, f, lead, best))
}

fn cause(cx: &Context<'_>, f: &Finding, lead: &CauseDraft, best: &Candidate<'_>) -> (CauseDraft, EvidenceDraft) {
    let Candidate { change, server, spoken, word, .. } = best;
    let server = server.reference();
    let itself = change.object.same_name(&server);
    let key = word.clone().filter(|_| !itself).or_else(|| change.keys().next().map(str::to_owned));
    let prefix = if server.is(Kind::Service) { "spec." } else { "spec.template." };
    let of_template = || change.fields.iter().map(|x| &x.path).filter(|p| p.starts_with(prefix));
    let field = match itself {
        true => of_template()
            .find(|p| word.as_ref().is_some_and(|w| p.contains(&format!(".env[{w}]"))))
            .or_else(|| of_template().next())
            .cloned(),
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
    let unnamed = *spoken == 0;
    let cause = CauseDraft {
        rule_id: if itself { "dependency-changed" } else { "configuration-changed" }.into(),
        confidence: if unnamed { Confidence::Possible } else { Confidence::Likely },
        signs: Signs { pro: 2 + u32::from(*spoken >= 2), against: 0, unchecked: u32::from(*spoken < 3) },
        entity: cx.index.resolve(&change.object).map_or_else(|| change.object.clone(), |o| o.reference()),
        referrer: Some(f.subject.clone()),
        field,
        statement: format!(
            "{} changed {what} at {}, and {} has failed since; of {} itself nothing was changed then. {}",
            change.who.as_deref().unwrap_or("Somebody"),
            change.at.strftime("%H:%M:%S UTC"),
            f.subject,
            f.subject.name,
            words::clip_middle(&lead.statement, 480)
        ),
        evidence,
        needs: match unnamed {
            true => vec![format!("whether {} calls {server}: nothing that was recorded says so", f.subject.name)],
            false => Vec::new(),
        },
    };
    (cause, item)
}

/// A container of the pod has a setting of this name, by itself or by a ConfigMap that it takes in whole.
fn has_setting(cx: &Context<'_>, pod: &Pod, name: &str) -> bool {
    let mut containers = pod.spec.containers.iter().chain(&pod.spec.init_containers);
    containers.any(|c| {
        let mut maps = c.env_from.iter().filter_map(|from| from.config_map_ref.as_ref());
        let ns = pod.metadata.namespace.as_deref();
        c.env.iter().any(|e| e.name == name)
            || maps.any(|map| match cx.index.get(Kind::ConfigMap, ns, &map.name).map(|o| &**o) {
                Some(Object::ConfigMap(map)) => map.digests.contains_key(name),
                _ => false,
            })
    })
}

/// The change of a Service sends who calls it somewhere else.
fn leads_elsewhere(change: &Change) -> bool {
    let way = |path: &str| {
        let port = path.starts_with("spec.ports") && (path.ends_with("targetPort") || path.ends_with("].port"));
        port || path == "spec.externalName" || path.starts_with("spec.selector")
    };
    // What was only added leaves what was there.
    change.fields.iter().any(|f| f.from.is_some() && way(&f.path))
}

/// A Service, or a workload that one leads to: others can call it.
fn serves(cx: &Context<'_>, workload: &Object) -> bool {
    if workload.kind() == Kind::Service {
        return true;
    }
    let (Some(ns), Some(template)) = (workload.meta().namespace.as_deref(), workload.pod_template()) else {
        return false;
    };
    cx.index.in_namespace(Kind::Service, ns).any(|o| match &**o {
        Object::Service(s) => !s.spec.selector.is_empty() && has_all(&template.metadata.labels, &s.spec.selector),
        _ => false,
    })
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
    EVERYDAY.contains(&name.as_str()) || name.contains("log_level") || name.contains("loglevel")
}

/// The text has this name as a word of its own.
fn says(text: &str, name: &str) -> bool {
    if name.len() < 4 {
        return false;
    }
    words::has_word(&text.to_ascii_lowercase(), &name.to_ascii_lowercase())
}
