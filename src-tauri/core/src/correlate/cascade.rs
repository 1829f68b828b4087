//! Cascades: a workload that fails because another one, which it calls, has a fault of its own.
//!
//! A finding is a symptom of another object's fault where three things hold: it is of a kind that a dead dependency
//! brings about (a refused connection, a timeout, a probe that fails), it names that dependency (its log does, or its
//! own configuration), and the dependency's fault began before it or about then. So is a program that lacks a table where
//! the Job that was to make it, in the same database, failed. Nothing else links two faults: not one namespace, not one
//! node, not one moment.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock},
};

use jiff::SignedDuration;
use regex::Regex;

use super::route::{Routes, Suspected};
use crate::{
    finding::{CauseDraft, Finding},
    logs::Class,
    object::{
        ObjectRef, PodSpec, Service,
        pod::{EnvVar, SourceRef},
    },
    severity::Confidence,
    words,
};

/// What its log names began at most this long after it: the first deaths of a crash loop are soon forgotten.
const NAMED: SignedDuration = SignedDuration::from_mins(10);
/// What it is only configured with began at most this long after it …
pub(super) const ABOUT: SignedDuration = SignedDuration::from_secs(90);
/// … and at most this long before.
pub(super) const BEFORE: SignedDuration = SignedDuration::from_mins(30);

/// What a finding says about the objects its workload calls.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symptom {
    /// Something did not answer.
    Network,
    /// A name could not be resolved.
    Dns,
    /// It may be a dead dependency as well as anything else, and says nothing of either.
    Weak,
    /// It says why; a dependency only where its own words name one.
    Told,
    /// It has a cause of its own.
    Own,
}

pub(super) fn symptom(finding: &Finding) -> Symptom {
    finding.causes.first().map_or(Symptom::Own, kind_of)
}

/// What a cause is of, judged by its rule.
pub(crate) fn kind_of(cause: &CauseDraft) -> Symptom {
    let id = cause.rule_id.as_str();
    let any = |words: &[&str]| words.iter().any(|w| id.contains(w));
    match id {
        "host-name-unknown" | "service-missing" | "dependency-changed" | "probe-port-wrong" | "probe-path-wrong" => {
            Symptom::Own
        }
        "container-exits" if cause.confidence <= Confidence::Possible => Symptom::Weak,
        "container-exits" | "log-panic" => Symptom::Told,
        // A pool is empty where too many ask as well as where nobody answers.
        "log-pool-exhausted" => Symptom::Weak,
        "deployment-stuck" => Symptom::Weak,
        _ if any(&["policy"]) => Symptom::Own,
        _ if any(&["dns"]) => Symptom::Dns,
        _ if any(&["refused", "timeout", "timed-out", "unreachable", "connection", "dependency"])
            && !id.starts_with("probe-")
            && !id.starts_with("image") =>
        {
            Symptom::Network
        }
        _ if id.starts_with("probe-") && cause.confidence < Confidence::Established => Symptom::Weak,
        _ => Symptom::Own,
    }
}

/// Objects other than workloads that say so when what they call does not answer.
fn caller(finding: &Finding) -> Option<&ObjectRef> {
    let calls = |kind: &str| {
        matches!(
            kind,
            "ValidatingWebhookConfiguration"
                | "MutatingWebhookConfiguration"
                | "APIService"
                | "Ingress"
                | "HTTPRoute"
                | "HorizontalPodAutoscaler"
        )
    };
    let cause = finding.causes.first()?;
    let object = [&cause.entity, &finding.object].into_iter().find(|o| calls(&o.kind))?;
    let text = format!("{} {}", cause.statement, finding.message).to_lowercase();
    let silent = [
        "cannot be called",
        "refused",
        "timeout",
        "timed out",
        "deadline",
        "endpoint",
        "unavailable",
        "not available",
        "unreachable",
        "does not answer",
        "unable to get metrics",
        "no metrics",
        "could not find the requested resource",
    ];
    silent.iter().any(|w| text.contains(w)).then_some(object)
}

/// For each finding the keys of the subjects whose faults it is a symptom of. Only the first so many are due: one that
/// is held may be a pod that is only starting, and belongs to what its own words name and to nothing else.
pub(super) fn upstream(routes: &Routes<'_>, findings: &[Arc<Finding>], due: usize) -> Vec<BTreeSet<String>> {
    let mut by_subject: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, finding) in findings.iter().enumerate() {
        by_subject.entry(finding.subject.key()).or_default().push(i);
    }
    let symptoms: Vec<Symptom> = findings.iter().map(|f| symptom(f)).collect();
    let mut own: BTreeSet<String> = BTreeSet::new();
    for (finding, _) in findings.iter().zip(&symptoms).filter(|(_, s)| **s == Symptom::Own) {
        let proven = finding.causes.first().is_some_and(|c| c.confidence >= Confidence::Likely);
        if proven && !super::rank::shown_elsewhere(&finding.causes[0].rule_id) {
            own.insert(finding.subject.key());
        }
    }
    let mut up: Vec<BTreeSet<String>> = vec![BTreeSet::new(); findings.len()];
    // Who fails for no reason of its own calls whom? Only that is asked, and only of those.
    for (i, finding) in findings.iter().enumerate() {
        let me = finding.subject.key();
        for Suspect { service, how } in suspects_again(routes, finding, symptoms[i], own.contains(&me)) {
            if how == How::Configured && i >= due {
                continue;
            }
            let down = service
                .metadata
                .namespace
                .as_deref()
                .and_then(|ns| routes.index.has_endpoint(ns, &service.metadata.name))
                == Some(false);
            let behind = routes.behind(service);
            if behind.iter().any(|o| o.key() == me) {
                continue;
            }
            let itself = service.reference().key();
            for target in behind.iter().map(ObjectRef::key).chain([itself.clone()]) {
                let Some(theirs) = by_subject.get(&target).filter(|_| target != me) else { continue };
                // A Service whose only port leads nowhere, or that stands for a wrong name, answers nobody, whatever
                // endpoints it has.
                let silent = |f: &Finding| match f.rule_id.as_str() {
                    "service-port-wrong" => service.spec.ports.len() == 1,
                    rule => rule == "external-name-wrong",
                };
                let down = |f: &Finding| down || target == itself && silent(f);
                if theirs.iter().any(|j| explains(&findings[*j], finding, how, down(&findings[*j]))) {
                    up[i].insert(target);
                }
            }
        }
        // A policy that keeps it from what it calls is why it fails.
        if symptoms[i] != Symptom::Own {
            let policies = findings.iter().filter(|f| {
                f.causes.first().is_some_and(|c| {
                    c.entity.kind == "NetworkPolicy"
                        && c.confidence >= Confidence::Likely
                        && c.referrer.as_ref().is_some_and(|r| r.same_name(&finding.subject))
                })
            });
            up[i].extend(policies.map(|f| f.subject.key()).filter(|key| *key != me));
        }
        // What it waits for, by its own words, is a Job.
        if finding.causes.first().is_some_and(|c| c.rule_id == "init-waits-in-a-loop") {
            let said = |name: &str| name.len() >= 4 && words::has_word(&finding.causes[0].statement, name);
            let awaited = findings.iter().filter(|f| {
                f.subject.kind == "Job"
                    && f.subject.namespace == finding.subject.namespace
                    && explains(f, finding, How::Named, false)
                    && finding.started_at.duration_since(f.started_at) <= BEFORE
                    && said(&f.subject.name)
            });
            up[i].extend(awaited.map(|f| f.subject.key()).filter(|key| *key != me));
        }
        if lacks_schema(routes, finding) {
            let migrations = findings.iter().filter(|f| {
                f.subject.kind == "Job"
                    && f.subject.namespace == finding.subject.namespace
                    && symptom(f) != Symptom::Weak
                    && explains(f, finding, How::Named, false)
                    && finding.started_at.duration_since(f.started_at) <= BEFORE
                    && routes.spec(&f.subject).is_some_and(|spec| migrates(&f.subject.name, spec))
                    && share(routes, &f.subject, &finding.subject)
            });
            up[i].extend(migrations.map(|f| f.subject.key()).filter(|key| *key != me));
        }
        if let Some(object) = caller(finding) {
            let (services, others) = routes.calls(object);
            let behind = services.into_iter().flat_map(|s| {
                let mut targets: Vec<String> = routes.behind(s).iter().map(ObjectRef::key).collect();
                targets.push(s.reference().key());
                targets
            });
            for target in behind.chain(others.iter().map(ObjectRef::key)).filter(|t| *t != me) {
                let theirs = by_subject.get(&target).into_iter().flatten();
                if theirs.into_iter().any(|j| explains(&findings[*j], finding, How::Named, true)) {
                    up[i].insert(target);
                }
            }
        }
    }
    // What a workload shows besides is a symptom of the same: a roll-out that stands still, a Service without endpoints.
    let mut inherited: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (i, finding) in findings.iter().enumerate() {
        if !up[i].is_empty() {
            inherited.entry(finding.subject.key()).or_default().extend(up[i].iter().cloned());
        }
    }
    for (i, finding) in findings.iter().enumerate() {
        let shows = finding.causes.first().is_none_or(|c| super::rank::shown_elsewhere(&c.rule_id));
        if up[i].is_empty() && shows && !own.contains(&finding.subject.key()) {
            up[i] = inherited.get(&finding.subject.key()).cloned().unwrap_or_default();
        }
    }
    up
}

/// Its own words say that a table, a column or a whole database is not there, and nothing that it is set up with but the
/// database's address names it.
fn lacks_schema(routes: &Routes<'_>, finding: &Finding) -> bool {
    static FORM: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"(?i)\b(?:relation|table|column|database|schema)\b[^\n]{0,80}(?:does not|doesn't) exist|no such table|unknown column|invalid object name"#).ok()
    });
    let Some(cause) = finding.causes.first().filter(|c| c.rule_id == "log-database") else { return false };
    let containers =
        || routes.spec(&finding.subject).into_iter().flat_map(|s| s.init_containers.iter().chain(&s.containers));
    let address = |field: &str| {
        let named = |e: &&EnvVar| field.ends_with(&format!("env[{}]", e.name));
        containers().flat_map(|c| &c.env).filter(named).any(|e| e.value.as_deref().is_some_and(|v| v.contains("://")))
    };
    cause.entity.same_name(&finding.subject)
        && cause.field.as_deref().is_none_or(address)
        && FORM.as_ref().is_some_and(|r| r.is_match(&cause.statement))
}

/// They are set up with one host, or their environments with one ConfigMap or Secret.
fn share(routes: &Routes<'_>, one: &ObjectRef, other: &ObjectRef) -> bool {
    // Where everybody sends what is only measured.
    const ALL: [&str; 6] = ["otel", "jaeger", "collector", "statsd", "sentry", "proxy"];
    let hosts = |subject: &ObjectRef| -> BTreeSet<String> {
        let all = routes.configured(subject);
        all.iter().filter(|host| !ALL.iter().any(|w| host.contains(w))).cloned().collect()
    };
    let sources = |subject: &ObjectRef| -> BTreeSet<(bool, String)> {
        let of = |secret: bool, refs: Vec<SourceRef>| refs.into_iter().map(move |r| (secret, r));
        let spec = routes.spec(subject).into_iter();
        let all = spec.flat_map(|s| of(false, s.config_map_refs()).chain(of(true, s.secret_refs())));
        all.filter(|(_, r)| r.via.starts_with("env")).map(|(secret, r)| (secret, r.name)).collect()
    };
    !hosts(one).is_disjoint(&hosts(other)) || !sources(one).is_disjoint(&sources(other))
}

/// What it is called or runs says that it makes the tables of a database.
fn migrates(name: &str, spec: &PodSpec) -> bool {
    static FORM: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?i)migrat|flyway|liquibase|alembic|\binit-?db\b|\bdb-?init\b").ok());
    let of = |text: &str| FORM.as_ref().is_some_and(|r| r.is_match(text));
    let mut containers = spec.init_containers.iter().chain(&spec.containers);
    of(name) || containers.any(|c| of(&c.name) || of(&c.image) || c.command.iter().chain(&c.args).any(|a| of(a)))
}

/// How a workload is known to call a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Its own words name it.
    Named,
    /// Its configuration names it.
    Configured,
}

pub(super) struct Suspect<'a> {
    pub service: &'a Service,
    pub how: How,
}

/// What a failing finding's words or configuration say that its workload calls; none where it fails for a reason of its
/// own.
pub(crate) fn called<'a>(routes: &Routes<'a>, finding: &Finding) -> Vec<&'a Service> {
    suspects(routes, finding, false).into_iter().map(|s| s.service).collect()
}

/// The finding is about a name that cannot be resolved.
pub(crate) fn looks_up(finding: &Finding) -> bool {
    symptom(finding) == Symptom::Dns
        || finding.causes.first().is_some_and(|c| matches!(c.rule_id.as_str(), "host-name-unknown" | "service-missing"))
}

/// The Services that may be to blame for a finding, which is such a symptom: as they were found before, where that holds.
pub(super) fn suspects_again<'a>(
    routes: &Routes<'a>,
    finding: &Arc<Finding>,
    symptom: Symptom,
    has_own: bool,
) -> Vec<Suspect<'a>> {
    if symptom == Symptom::Own {
        return Vec::new();
    }
    let has_own = has_own && symptom == Symptom::Weak;
    let names = routes.suspects(finding, has_own, || {
        let called = suspects(routes, finding, has_own);
        let name = |s: Suspect<'_>| {
            let meta = &s.service.metadata;
            (meta.namespace.clone().unwrap_or_default(), meta.name.clone(), s.how)
        };
        called.into_iter().map(name).collect()
    });
    let found =
        |(namespace, name, how): &Suspected| Some(Suspect { service: routes.named(namespace, name)?, how: *how });
    names.iter().filter_map(found).collect()
}

/// The Services that may be to blame for a finding.
fn suspects<'a>(routes: &Routes<'a>, finding: &Finding, has_own: bool) -> Vec<Suspect<'a>> {
    let symptom = symptom(finding);
    let Some(namespace) = finding.subject.namespace.as_deref().or(finding.object.namespace.as_deref()) else {
        return Vec::new();
    };
    if symptom == Symptom::Own {
        return Vec::new();
    }
    let Named { services: named, elsewhere } = named(routes, finding, namespace);
    let with = |how: How| move |service: &'a Service| Suspect { service, how };
    if symptom == Symptom::Dns {
        // The cluster's own DNS, where it serves nobody; else names that exist only while a pod is ready.
        let mut out: Vec<Suspect<'_>> = routes
            .dns()
            .into_iter()
            .filter(|s| routes.index.has_endpoint("kube-system", &s.metadata.name) == Some(false))
            .map(with(How::Named))
            .collect();
        let headless = |s: &&Service| s.spec.cluster_ip.as_deref() == Some("None");
        out.extend(named.into_iter().filter(headless).map(with(How::Named)));
        return out;
    }
    if !named.is_empty() {
        return named.into_iter().map(with(How::Named)).collect();
    }
    let unsaid = (symptom == Symptom::Network && !elsewhere) || (symptom == Symptom::Weak && !has_own);
    if !unsaid {
        return Vec::new();
    }
    let hosts = routes.configured(&finding.subject);
    hosts.iter().filter_map(|host| routes.service(host, namespace)).map(with(How::Configured)).collect()
}

struct Named<'a> {
    services: Vec<&'a Service>,
    /// The words name a host that is no Service.
    elsewhere: bool,
}

/// Words that a host name follows.
const LEADS: [&str; 11] =
    ["to", "name", "host", "hostname", "lookup", "service", "resolve", "with", "reach", "server", "upstream"];

/// The Services that a finding's own words name.
fn named<'a>(routes: &Routes<'a>, finding: &Finding, namespace: &str) -> Named<'a> {
    let Some(cause) = finding.causes.first() else { return Named { services: Vec::new(), elsewhere: false } };
    let mut elsewhere = cause.entity.kind == "External";
    let mut found: BTreeMap<String, &Service> = BTreeMap::new();
    let mut take = |service: &'a Service| {
        found.insert(service.reference().key(), service);
    };
    if cause.entity.kind == "Service"
        && let Some(service) = routes.service(
            &format!("{}.{}", cause.entity.name, cause.entity.namespace.as_deref().unwrap_or(namespace)),
            namespace,
        )
    {
        take(service);
    }
    // A container that runs and is not ready says in its log whom it waits for.
    if symptom(finding) == Symptom::Weak
        && let Some(log) = finding.object.uid.as_deref().and_then(|uid| routes.index.newest_log(uid, &finding.part))
        && let Some(read) = routes.index.said(&log.want)
    {
        let network = |c: Class| matches!(c, Class::Dns | Class::ConnectionRefused | Class::Timeout);
        for host in read.signals.iter().filter(|s| network(s.class)).filter_map(|s| s.subject.as_deref()) {
            if let Some(service) = routes.service(host, namespace) {
                take(service);
            }
        }
    }
    let configured = routes.configured(&finding.subject);
    for text in [cause.statement.as_str(), finding.message.as_str()] {
        let mut before = "";
        for word in text.split(|c: char| c.is_whitespace() || "“”\"'`,;()[]{}<>=/@|".contains(c)) {
            let word = word.trim_end_matches(['.', ':', '!', '?', '…']);
            if word.is_empty() {
                continue;
            }
            let host = word.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
            let bare = host.map_or(word, |(h, _)| h);
            let led = || LEADS.iter().any(|w| before.eq_ignore_ascii_case(w));
            if host.is_some() || bare.contains('.') || configured.contains(bare) || led() {
                match routes.service(bare, namespace) {
                    Some(service) => take(service),
                    None => elsewhere |= host.is_some_and(|(h, _)| !h.is_empty()),
                }
            }
            before = word;
        }
    }
    Named { services: found.into_values().collect(), elsewhere }
}

/// Whether a finding of what is called can be why the caller fails.
fn explains(theirs: &Finding, mine: &Finding, how: How, down: bool) -> bool {
    let lead = mine.started_at.duration_since(theirs.started_at);
    match how {
        How::Named => lead >= -NAMED,
        // Its configuration names many that it can do without: only one that went down lately.
        How::Configured => down && !theirs.causes.is_empty() && lead >= -ABOUT && lead <= BEFORE,
    }
}

/// How far each finding lies downstream of the faults in its own group: 0 where it stands by itself.
pub(super) fn depths(findings: &[Arc<Finding>], up: &[BTreeSet<String>]) -> Vec<usize> {
    if up.iter().all(BTreeSet::is_empty) {
        return vec![0; findings.len()];
    }
    let mut of_subject: BTreeMap<String, usize> = BTreeMap::new();
    let present: BTreeSet<String> = findings.iter().map(|f| f.subject.key()).collect();
    // Two that call each other are each other's symptom: neither lies downstream of the other.
    let mut reach: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (finding, up) in findings.iter().zip(up) {
        reach.entry(finding.subject.key()).or_default().extend(up.iter().filter(|u| present.contains(*u)).cloned());
    }
    loop {
        let mut grown = false;
        for key in &present {
            let further: BTreeSet<String> =
                reach.get(key).into_iter().flatten().filter_map(|u| reach.get(u)).flatten().cloned().collect();
            let known = reach.entry(key.clone()).or_default();
            let before = known.len();
            known.extend(further);
            grown |= known.len() > before;
        }
        if !grown {
            break;
        }
    }
    let above = |from: &str, to: &str| !reach.get(to).is_some_and(|r| r.contains(from));
    // As many rounds as there can be steps.
    for _ in 0..present.len().min(16) {
        for (finding, up) in findings.iter().zip(up) {
            let me = finding.subject.key();
            let d = up
                .iter()
                .filter(|u| present.contains(*u) && above(&me, u))
                .map(|u| 1 + of_subject.get(u).copied().unwrap_or(0))
                .max()
                .unwrap_or(0);
            let known = of_subject.entry(me).or_default();
            *known = (*known).max(d);
        }
    }
    findings
        .iter()
        .zip(up)
        .map(|(finding, up)| {
            let me = finding.subject.key();
            up.iter()
                .filter(|u| present.contains(*u) && above(&me, u))
                .map(|u| 1 + of_subject.get(u).copied().unwrap_or(0))
                .max()
                .unwrap_or(0)
        })
        .collect()
}
