//! Helm releases: what the labels of their Secrets say. What is in them is never asked for.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use crate::{
    detect::{
        Context, Hold, Rule,
        context::{action, cause, finding, hold, object_evidence},
    },
    evidence::EvidenceKind,
    finding::Finding,
    index::deployer::release,
    object::{Kind, Object, ObjectRef, config::HelmRelease},
    remediation::ActionKind,
    severity::{Confidence, Severity},
};

/// Few installations take longer than this: whoever waits for slow pods or hooks gives them half an hour.
const HANGS: i64 = 3600;
/// A failure that somebody looked at and left.
const OLD: SignedDuration = SignedDuration::from_hours(24);
const FAILED: i64 = 60;

/// The rule of this file.
pub(super) const RULE: Rule = Rule {
    id: "helm-release-failed",
    means: "The newest revision of a Helm release failed, or has been half installed for long, so that no further upgrade is possible.",
    source: "helm.sh/docs/topics/advanced: storage backends; helm.sh/docs/helm/helm_status: release states",
    reads: &[Kind::Secret],
    holds: &[
        Hold::Exactly(FAILED, "for one that failed"),
        Hold::Exactly(HANGS, "for one that is pending"),
        Hold::JoinsOnly(
            "where a workload of the release or the Flux HelmRelease fails, or it failed more than a day ago",
        ),
    ],
    severities: &[
        (Severity::Low, "it failed, and what it deployed is well"),
        (Severity::Medium, "it is half installed, and Helm refuses the next upgrade"),
    ],
    limits: &[
        "An installation that takes longer than an hour looks like one that was interrupted.",
        "Only the names and labels of Secrets are read: why it failed is known to whoever ran Helm.",
        "Releases that Helm keeps in ConfigMaps or a database are not seen.",
    ],
    threshold: None,
    advises: &[ActionKind::ManualCheck],
};

/// Looks at the newest revision of each release.
pub(super) fn all(cx: &mut Context<'_>) {
    let index = cx.index;
    let mut newest: BTreeMap<(&str, &str), (HelmRelease<'_>, &Object)> = BTreeMap::new();
    for object in index.all(Kind::Secret) {
        let (Some(found), Some(ns)) = (HelmRelease::of(object), object.meta().namespace.as_deref()) else { continue };
        let known = newest.entry((ns, found.name)).or_insert((found, object));
        if found.revision > known.0.revision {
            *known = (found, object);
        }
    }
    newest.retain(|_, (found, secret)| {
        !secret.meta().deleting() && (found.status.starts_with("pending-") || found.status == "failed")
    });
    if newest.is_empty() {
        return;
    }
    let joins = joined(cx);
    for ((ns, name), (found, secret)) in newest {
        release_of(cx, ns, name, found, secret, joins.get(&(ns.to_owned(), name.to_owned())));
    }
}

fn release_of(
    cx: &mut Context<'_>,
    ns: &str,
    name: &str,
    found: HelmRelease<'_>,
    secret: &Object,
    joins: Option<&ObjectRef>,
) {
    let pending = found.status.starts_with("pending-");
    let me = secret.reference();
    let since = cx.now.min(found.since.unwrap_or_else(|| cx.now.get()));
    let revision = found.revision;
    let severity = if pending { Severity::Medium } else { Severity::Low };
    let mut f = finding(RULE.id, me.clone(), joins.unwrap_or(&me), severity, since);
    f.hold = hold(if pending { HANGS } else { FAILED });
    cx.ordinary_until_due(&mut f);
    if joins.is_some() || (!pending && cx.now.beyond(since, OLD)) {
        f.hold = Finding::JOINS_ONLY;
    }
    f.headline = match pending {
        true => format!("of Helm release {name} is still in {}", found.status),
        false => format!("of Helm release {name} says that revision {revision} failed"),
    };
    f.started_basis = "the release got this status".into();
    let text = match pending {
        true => format!(
            "Helm release {name} in namespace {ns} is in {} with revision {revision} since {}: it has not finished, or was interrupted. As long as it is so, Helm refuses the next upgrade (another operation is in progress).",
            found.status,
            since.strftime("%H:%M:%S UTC")
        ),
        false => format!(
            "Helm release {name} in namespace {ns}: revision {revision} failed at {}.",
            since.strftime("%H:%M:%S UTC")
        ),
    };
    let item = object_evidence(
        EvidenceKind::Object,
        me.clone(),
        "release",
        found.words(),
        &[("release", name.to_owned()), ("revision", revision.to_string()), ("status", found.status.to_owned())],
        since,
    );
    f.message.clone_from(&text);
    if joins.is_none() {
        let rule = if pending { "helm-release-pending" } else { "helm-release-failed" };
        let mut c = cause(rule, Confidence::Likely, me.clone(), text);
        c.evidence = vec![item.key.clone()];
        f.causes.push(c);
        let command = match pending {
            true => format!("helm history {name} -n {ns}"),
            false => format!("helm status {name} -n {ns}"),
        };
        let because = if pending {
            "if nobody is at it any more, a rollback to the revision before frees it"
        } else {
            "it says what failed"
        };
        f.actions.push(action(ActionKind::ManualCheck, &me, because, "none", "get secrets", command));
    }
    f.evidence.push(item);
    cx.report(f);
}

/// The subjects of faults by the release they are of, namespace and name: a workload of it, or the object from which
/// Flux made it. Of several the first.
fn joined(cx: &Context<'_>) -> BTreeMap<(String, String), ObjectRef> {
    let mut out: BTreeMap<(String, String), ObjectRef> = BTreeMap::new();
    for f in cx.found().iter().filter(|f| f.rule_id != RULE.id && f.severity >= Severity::Medium) {
        for object in [&f.subject, &f.object] {
            for of in cx.index.resolve(object).map(|o| releases(o)).unwrap_or_default() {
                let first = out.entry(of).or_insert_with(|| f.subject.clone());
                if f.subject < *first {
                    first.clone_from(&f.subject);
                }
            }
        }
    }
    out
}

/// The releases that an object may be of. Flux keeps one where it deploys to, or beside its own object.
fn releases(object: &Object) -> Vec<(String, String)> {
    let (namespaces, name) = match object {
        Object::CustomResource(c) if c.is("helm.toolkit.fluxcd.io", "HelmRelease") => {
            let (target, own) = (c.spec.target_namespace.as_deref(), c.metadata.name.as_str());
            let prefixed = target.map(|target| format!("{target}-{own}"));
            let called = c.spec.release_name.as_deref().or(prefixed.as_deref()).unwrap_or(own);
            (vec![target, c.metadata.namespace.as_deref()], called.to_owned())
        }
        other => {
            let Some((namespace, name)) = release(other.meta()) else { return Vec::new() };
            (vec![Some(namespace)], name.to_owned())
        }
    };
    namespaces.into_iter().flatten().map(|ns| (ns.to_owned(), name.clone())).collect()
}
