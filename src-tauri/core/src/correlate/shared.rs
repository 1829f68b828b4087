//! One thing that several workloads hang on: what is missing for all of them, or was changed just before all of them
//! failed. Each rule sees one workload and blames that; only together they show what they have in common.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::SignedDuration;

use super::{CLOCK_SLACK, route::Routes};
use crate::{
    change::{Change, ChangeVerb},
    detect::context::{cause, object_evidence},
    evidence::EvidenceKind,
    finding::Finding,
    object::{Kind, ObjectRef},
    severity::Confidence,
    words,
};

/// A change this long before the first of them failed may have broken them all.
const LATELY: SignedDuration = SignedDuration::from_mins(10);

/// Clocks, and retries before anything is noticed.
const SLACK: SignedDuration = SignedDuration::from_secs(90);

/// What does not exist and is named by the causes of several workloads is the cause, whatever each of them is told to
/// change by itself.
/// So is what was there and was deleted, even where only one workload misses it.
pub(super) fn missing(routes: &Routes<'_>, findings: &mut [Arc<Finding>]) {
    let mut named_by: BTreeMap<String, BTreeMap<String, ObjectRef>> = BTreeMap::new();
    for finding in findings.iter() {
        if let Some(referrer) = lacking(finding) {
            let by = named_by.entry(referrer.key()).or_default();
            by.insert(finding.subject.key(), finding.subject.clone());
        }
    }
    for finding in findings.iter_mut() {
        let Some(thing) = lacking(finding).cloned() else { continue };
        let by = &named_by[&thing.key()];
        let deleted = routes
            .index
            .changes()
            .filter(|c| c.verb == ChangeVerb::Deleted && c.object.same_name(&thing))
            .filter(|c| finding.started_at.duration_since(c.at) >= -SLACK)
            .max_by_key(|c| c.at);
        if by.len() < 2 && deleted.is_none() {
            continue;
        }
        let first = &finding.causes[0];
        let gone =
            deleted.map(|c| format!(" It was deleted at {}.", c.at.strftime("%H:%M:%S UTC"))).unwrap_or_default();
        let verb = if by.len() == 1 { "names" } else { "name" };
        let names: Vec<String> = by.values().map(ToString::to_string).collect();
        let place = thing.namespace.as_ref().map(|ns| format!(" in namespace {ns}")).unwrap_or_default();
        let mut c = cause(
            "shared-object-missing",
            if deleted.is_some() { Confidence::Established } else { first.confidence },
            thing.clone(),
            format!("{thing} does not exist (not found){place}: {} {verb} it.{gone}", words::list(&names, 4)),
        );
        c.referrer = Some(finding.subject.clone());
        c.evidence.clone_from(&first.evidence);
        c.signs = first.signs;
        c.signs.pro = c.signs.pro.max(by.len() as u32);
        c.needs.clone_from(&first.needs);
        Arc::make_mut(finding).causes.insert(0, c);
    }
}

/// The cause of several workloads that the same registry fails.
pub(super) const REGISTRY: &str = "registry-failing";

/// So many workloads do not all name their images wrong.
const SEVERAL: usize = 3;

/// A registry that fails several workloads in the same way is what they have in common. One whose name does not resolve
/// stays a name that is written wrong.
pub(super) fn registry(findings: &mut [Arc<Finding>]) {
    let of = |finding: &Finding| {
        let cause = finding.causes.first()?;
        let registry = cause.referrer.clone().filter(|r| r.kind == "External")?;
        let alike = matches!(cause.rule_id.as_str(), "image-rate-limited" | "image-registry-unreachable");
        alike.then(|| (registry, cause.rule_id.clone()))
    };
    let mut failed: BTreeMap<(ObjectRef, String), BTreeMap<String, ObjectRef>> = BTreeMap::new();
    for finding in findings.iter() {
        if let Some(key) = of(finding) {
            failed.entry(key).or_default().insert(finding.subject.key(), finding.subject.clone());
        }
    }
    for finding in findings.iter_mut() {
        let Some(key) = of(finding) else { continue };
        let by = &failed[&key];
        if by.len() < SEVERAL {
            continue;
        }
        let first = &finding.causes[0];
        let (registry, rule) = key;
        let what = match rule.as_str() {
            "image-rate-limited" => "refuses to serve for too many requests (rate limit)",
            _ => "cannot be reached",
        };
        let namespaces: BTreeSet<&Option<String>> = by.values().map(|s| &s.namespace).collect();
        let name = |s: &ObjectRef| match &s.namespace {
            Some(ns) if namespaces.len() > 1 => format!("{s} in {ns}"),
            _ => s.to_string(),
        };
        let names: Vec<String> = by.values().map(name).collect();
        let text = format!("Registry {} {what}: {} cannot pull their images.", registry.name, words::list(&names, 4));
        let mut c = cause(REGISTRY, Confidence::Likely, registry, text);
        c.referrer = Some(finding.subject.clone());
        c.evidence.clone_from(&first.evidence);
        c.signs.pro = by.len() as u32;
        Arc::make_mut(finding).causes.insert(0, c);
    }
}

/// What the first cause says is missing, where that is not the entity itself.
fn lacking(finding: &Finding) -> Option<&ObjectRef> {
    let cause = finding.causes.first()?;
    let referrer = cause.referrer.as_ref().filter(|r| r.uid.is_none() && r.kind != "External")?;
    (cause.entity.same_name(&finding.subject) && cause.confidence >= Confidence::Likely).then_some(referrer)
}

/// A ConfigMap or Secret that several workloads read was changed, and then they failed, each in a way that its
/// configuration may be to blame for.
pub(super) fn changed(routes: &Routes<'_>, findings: &mut [Arc<Finding>]) {
    let changes: Vec<&Change> = routes
        .index
        .changes()
        .filter(|c| {
            c.verb == ChangeVerb::Modified && matches!(c.object.read_as(), Some(Kind::ConfigMap | Kind::Secret))
        })
        .filter(|c| c.fields.iter().any(|f| !f.path.starts_with("labels")))
        .collect();
    if changes.is_empty() {
        return;
    }
    let mut broken: BTreeMap<String, (&Change, BTreeMap<String, ObjectRef>)> = BTreeMap::new();
    let mut of: Vec<Vec<String>> = Vec::with_capacity(findings.len());
    for finding in findings.iter() {
        let mut mine = Vec::new();
        if may_be_configured_wrong(finding) {
            let read = sources(routes, &finding.subject);
            for change in &changes {
                let lead = finding.started_at.duration_since(change.at);
                let key = change.object.key();
                if lead >= -CLOCK_SLACK && lead <= LATELY && read.contains(&key) {
                    let entry = broken.entry(key.clone()).or_insert((change, BTreeMap::new()));
                    // Of several changes the last one counts.
                    if change.at > entry.0.at {
                        entry.0 = change;
                    }
                    entry.1.insert(finding.subject.key(), finding.subject.clone());
                    mine.push(key);
                }
            }
        }
        of.push(mine);
    }
    for (finding, mine) in findings.iter_mut().zip(of) {
        // What most of them read comes first.
        let shared = mine.into_iter().filter(|key| broken[key].1.len() >= 2);
        let Some(key) = shared.max_by(|a, b| broken[a].1.len().cmp(&broken[b].1.len()).then(b.cmp(a))) else {
            continue;
        };
        let (change, by) = &broken[&key];
        let names: Vec<String> = by.values().map(ToString::to_string).collect();
        let at = change.at.strftime("%H:%M:%S UTC");
        let who = change.who.as_deref().unwrap_or("somebody");
        let item = object_evidence(
            EvidenceKind::Diff,
            change.object.clone(),
            "shared",
            format!("{} was changed at {at}", change.object),
            &[("change", change.summary.clone()), ("by", who.to_owned()), ("read by", names.join(", "))],
            change.at,
        );
        let mut c = cause(
            "shared-config-changed",
            Confidence::Likely,
            change.object.clone(),
            format!(
                "{} was changed by {who} at {at} ({}), and {} that read it fail since.",
                change.object,
                words::clip_parts(&change.summary, 180),
                words::list(&names, 4)
            ),
        );
        c.referrer = Some(finding.subject.clone());
        c.field = change.fields.iter().map(|f| f.path.clone()).find(|p| p.starts_with("data"));
        c.signs.pro = 1 + by.len() as u32;
        c.evidence = vec![item.key.clone()];
        c.evidence.extend(finding.causes.first().and_then(|c| c.evidence.first()).cloned());
        let finding = Arc::make_mut(finding);
        finding.evidence.push(item);
        finding.causes.insert(0, c);
    }
}

/// The workload itself is blamed, for something that its configuration decides.
fn may_be_configured_wrong(finding: &Finding) -> bool {
    let Some(cause) = finding.causes.first() else { return false };
    let id = cause.rule_id.as_str();
    let own = cause.entity.same_name(&finding.subject);
    let kind = id == "container-exits"
        || (id.starts_with("probe-") && !matches!(id, "probe-port-wrong" | "probe-path-wrong"))
        || (id.starts_with("log-") && !["memory", "exec", "module", "disk"].iter().any(|w| id.contains(w)))
        || matches!(id, "host-name-unknown" | "service-missing");
    kind && (own || matches!(cause.entity.kind.as_str(), "External" | "Service"))
}

/// The ConfigMaps and Secrets a workload reads.
fn sources(routes: &Routes<'_>, subject: &ObjectRef) -> BTreeSet<String> {
    let Some(spec) = routes.spec(subject) else { return BTreeSet::new() };
    let ns = subject.namespace.as_deref();
    let maps = spec.config_map_refs().into_iter().map(|r| (Kind::ConfigMap, r.name));
    let secrets = spec.secret_refs().into_iter().map(|r| (Kind::Secret, r.name));
    maps.chain(secrets).map(|(kind, name)| ObjectRef::missing(kind, ns, &name).key()).collect()
}
