//! What a person asked about, and looks healthy: the logs of running containers, which are read for nobody else.

pub(super) mod said;

use std::sync::Arc;

use jiff::Timestamp;

use self::said::{Said, What, said};
use super::{
    Context, Hold, Rule,
    context::{cause, evidence, finding, hold, read_log},
    crash,
    host::hosts,
};
use crate::{
    correlate::Options,
    evidence::{EvidenceDraft, EvidenceKind},
    finding::{CauseDraft, Finding},
    host,
    index::Index,
    logs::{Class, template},
    object::{Container, Kind, Object, ObjectRef, Pod},
    observation::LogRead,
    severity::{Confidence, Severity},
    words,
};

/// The rule's name.
pub const RULE: &str = "asked-log-errors";

/// The rules of this family.
pub const RULES: &[Rule] = &[Rule {
    id: RULE,
    means: "A person asked about a workload, and the log of a running container tells of a failure again and again.",
    source: "kubectl afterwatch inspect: logs of healthy workloads are read only when a person asks",
    reads: &[Kind::Pod],
    holds: &[Hold::Exactly(0, "")],
    severities: &[(Severity::Medium, "the containers run, and what they write tells of a failure")],
    limits: &[
        "Where nobody asked.",
        "What was said once; what is followed by many calm lines, or by a line that says it works again; what is older than ten minutes by its own time and rhythm.",
        "Requests that were a client's mistake (4xx), and fewer than one in ten that failed.",
    ],
    threshold: None,
    advises: crash::PUT_RIGHT,
}];

/// A log that was read because a person asked.
pub struct Heard<'a> {
    pub read: &'a LogRead,
    /// The Service it stands behind, where it is not of the workload itself but of what that leans on.
    pub behind: Option<&'a ObjectRef>,
}

/// The Services that the pod's own configuration names.
pub(crate) fn services_named(index: &Index, pod: &Pod) -> Vec<ObjectRef> {
    let ns = pod.metadata.namespace.as_deref().unwrap_or("default");
    let mut out: Vec<ObjectRef> = Vec::new();
    for service in hosts(&pod.spec).iter().filter_map(|name| host::service(index, ns, name)) {
        let service = service.reference();
        if !out.contains(&service) {
            out.push(service);
        }
    }
    out
}

/// The pods that a Service's selector finds.
pub(crate) fn pods_behind<'a>(index: &'a Index, service: &ObjectRef) -> Vec<&'a Pod> {
    let Some(Object::Service(service)) = index.resolve(service).map(|o| &**o) else { return Vec::new() };
    let Some(ns) = service.metadata.namespace.as_deref().filter(|_| !service.spec.selector.is_empty()) else {
        return Vec::new();
    };
    index.pods_matching(ns, &service.spec.selector)
}

/// What the logs that were read tell. What a dependency says explains what is said about it.
pub(crate) fn findings(index: &Index, now: Timestamp, options: Options, heard: &[Heard<'_>]) -> Vec<Finding> {
    let mut cx = Context::new(index, now, options);
    let (upstream, own): (Vec<&Heard<'_>>, Vec<&Heard<'_>>) = heard.iter().partition(|h| h.behind.is_some());
    let mut blamed: Vec<(&ObjectRef, Finding)> =
        upstream.into_iter().filter_map(|h| Some((h.behind?, draft(&cx, h.read)?.0))).collect();
    for one in own {
        let Some((mut finding, said)) = draft(&cx, one.read) else { continue };
        let spoken = |service: &ObjectRef| speaks_of(&said, &finding, service);
        if let Some(at) = blamed.iter().position(|(service, _)| spoken(service)) {
            let (service, upstream) = blamed.remove(at);
            explain_by(&mut finding, &upstream, service);
            blamed.insert(at, (service, upstream));
        }
        cx.report(finding);
    }
    for (_, finding) in blamed {
        cx.report(finding);
    }
    cx.finish().0.findings.into_iter().map(Arc::unwrap_or_clone).collect()
}

/// Whether what a container says is about this Service.
fn speaks_of(said: &Said, finding: &Finding, service: &ObjectRef) -> bool {
    let words = said.quote.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).any(|word| word == service.name);
    let cause = finding.causes.first();
    let about = cause
        .is_some_and(|c| c.entity.same_name(service) || c.statement.contains(&format!("Service {} ", service.name)));
    words || about
}

/// The cause that a dependency tells of comes before what is only seen of it from here.
fn explain_by(finding: &mut Finding, upstream: &Finding, service: &ObjectRef) {
    let Some(first) = upstream.causes.first() else { return };
    let mut cause: CauseDraft = first.clone();
    cause.statement =
        format!("{} {} depends on it through Service {}.", cause.statement, finding.subject, service.name);
    let seen: Vec<String> = finding.causes.first().map(|c| c.evidence.clone()).unwrap_or_default();
    cause.evidence.extend(seen);
    cause.signs.pro += 1;
    finding.evidence.extend(upstream.evidence.iter().cloned());
    finding.causes.insert(0, cause);
}

fn draft(cx: &Context<'_>, read: &LogRead) -> Option<(Finding, Said)> {
    let lines = read.lines.as_ref().ok()?;
    let Object::Pod(pod) = &**cx.index.resolve(&read.want.pod)? else { return None };
    let (spec, _, _) = pod.containers().find(|(spec, _, _)| spec.name == read.want.container)?;
    let said = said(lines, cx.now)?;
    let owner = cx.owner(pod);
    let me = pod.reference();
    let of = format!("{} of its last {} log lines", said.count, lines.len());
    let made = pod.metadata.creation_timestamp.unwrap_or_else(|| cx.now.get());
    let first = said::stamp(&lines[said.first]).filter(|t| cx.now.reached(*t) && *t >= made);
    let case =
        crash::blame::Case { cx, pod, spec, owner: &owner, init: false, died: first.unwrap_or_else(|| cx.now.get()) };
    let (mut seen, mut actions) = (Vec::new(), Vec::new());
    let mut found = match &said.what {
        What::Signal(signal) => {
            let blame = crash::blame::blame(&case, signal);
            let statement =
                format!("Container {} runs, and {of} say: {}. It writes: “{}”.", spec.name, blame.phrase, said.quote);
            let mut found = cause(&blame.rule, blame.confidence, blame.entity, statement);
            found.referrer = blame.referrer;
            found.field = blame.field;
            found.needs = blame.needs;
            found.evidence.extend(blame.evidence.iter().map(|item| item.key.clone()));
            (seen, actions) = (blame.evidence, blame.actions);
            // What a server refuses may be the fault of who asks.
            if !said.again() || signal.class == Class::RateLimit {
                found.confidence = found.confidence.min(Confidence::Possible);
            }
            // That it runs all the same is a sign against any proof.
            found.confidence = found.confidence.min(Confidence::Likely);
            found
        }
        What::ServerErrors(failed, all) => {
            let statement = format!(
                "Container {} runs, and answers {failed} of its last {all} requests with a server error (5xx). It writes: “{}”.",
                spec.name, said.quote
            );
            cause("log-server-errors", Confidence::Possible, owner.subject.clone(), statement)
        }
        What::Error => {
            let statement = format!("Container {} runs, and {of} are the same error: “{}”.", spec.name, said.quote);
            cause("log-errors", Confidence::Possible, owner.subject.clone(), statement)
        }
    };
    let item = heard_evidence(&me, spec, read, lines, &said, cx.now.get());
    found.evidence.push(item.key.clone());
    found.signs.pro = if said.again() { 2 } else { 1 };
    if found.confidence <= Confidence::Possible {
        found.needs.push(format!(
            "what container {} was doing when it wrote “{}”",
            spec.name,
            words::clip(&said.quote, 80)
        ));
    }
    let mut f = finding(RULE, me.clone(), &owner.subject, Severity::Medium, first.unwrap_or_else(|| cx.now.get()));
    f.part.clone_from(&spec.name);
    f.count = u32::try_from(said.count).unwrap_or(u32::MAX);
    f.hold = hold(0);
    f.started_basis = match first {
        Some(_) => "the first such line of the log that was read".into(),
        None => "the log was read then; its lines say no time".into(),
    };
    f.headline = "runs, and its log tells of a failure".into();
    f.message =
        format!("Container {} of {} runs, and writes {}: “{}”", spec.name, me.name, words::times(f.count), said.quote);
    f.evidence.push(item);
    f.evidence.extend(seen);
    f.actions = actions;
    f.actions.push(read_log(&owner.subject, &me, &spec.name, "its own words say what fails", "--tail=200"));
    f.causes.push(found);
    Some((f, said))
}

/// The log as evidence: the tail, headed by what it says again and again.
fn heard_evidence(
    pod: &ObjectRef,
    spec: &Container,
    read: &LogRead,
    lines: &[String],
    said: &Said,
    now: Timestamp,
) -> EvidenceDraft {
    let tail = &lines[lines.len().saturating_sub(200)..];
    let key =
        format!("asked|{}|{}|{}", pod.uid.as_deref().unwrap_or(&pod.name), spec.name, template(&lines[said.last]));
    let at = said::stamp(&lines[said.last]).filter(|t| *t <= now).unwrap_or(now);
    let summary = format!(
        "Log of running container {}, {} of {} lines: {}",
        spec.name,
        said.count,
        lines.len(),
        words::clip(&said.quote, 140)
    );
    let mut item = evidence(EvidenceKind::Log, key, at, pod.clone(), summary, tail.join("\n"));
    item.truncated = read.truncated || lines.len() > tail.len();
    item
}
