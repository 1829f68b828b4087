//! Services whose selector finds no pod.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::super::{
    Context,
    context::{cause, edit, finding, hold, object_evidence, undo},
};
use super::{changed_at, changes_of, selector_text, touches};
use crate::{
    change::{Change, ChangeVerb},
    evidence::EvidenceKind,
    finding::Finding,
    index::Now,
    object::{Kind, Object, ObjectRef, Pod, Service, has_all},
    remediation::ActionKind,
    severity::{Confidence, Severity},
};

/// Seconds: manifests are applied one after another.
pub(super) const HOLD: i64 = 20;
/// A Service made this long before it was watched is still new.
pub(super) const LATELY: SignedDuration = SignedDuration::from_hours(1);

/// A Service whose selector finds no pod.
pub(super) fn selects_nothing(cx: &mut Context<'_>, s: &Service, me: &ObjectRef, pods: &[&Pod]) {
    let ns = s.metadata.namespace.as_deref().unwrap_or("");
    // A workload that is scaled to zero, or has not made its pods yet, is not a wrong selector.
    let templates = [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::ReplicaSet];
    let meant: Vec<&Object> = templates
        .iter()
        .flat_map(|k| cx.index.in_namespace(*k, ns))
        .map(|o| &**o)
        // What a Deployment keeps of its past means nobody any more.
        .filter(|o| o.kind() != Kind::ReplicaSet || o.meta().controller().is_none_or(|c| c.kind != "Deployment"))
        .filter(|o| o.pod_template().is_some_and(|t| has_all(&t.metadata.labels, &s.spec.selector)))
        .collect();
    if !meant.is_empty() && !turned(cx, me, &meant) {
        return;
    }
    let near = near(cx, s, me, pods);
    if !meant.is_empty() && near.as_ref().is_none_or(|n| !n.pod.ready()) {
        return;
    }
    let since = [Some(me.clone()), near.as_ref().map(|n| cx.owner(n.pod).subject)]
        .into_iter()
        .flatten()
        .filter_map(|o| changed_at(cx, &o))
        .chain(lost_at(cx, s))
        .max()
        .or(s.metadata.creation_timestamp)
        .unwrap_or_else(|| cx.now.get());
    let mut f = finding("service-without-endpoints", me.clone(), me, Severity::High, since);
    f.headline = "selects no pod".into();
    f.started_basis = "Service created or changed".into();
    // Manifests are applied one after another: the workload may be on its way. Where nothing shows that the Service
    // ever led somewhere, or was meant to, it may well be empty on purpose.
    f.hold = if news(cx, s, me, near.as_ref()) { hold(HOLD) } else { Finding::JOINS_ONLY };
    let selector = selector_text(s);
    f.message =
        format!("Service {} selects {selector}, and no pod in {ns} has these labels: it has no endpoints", me.name);
    let item = object_evidence(
        EvidenceKind::Object,
        me.clone(),
        "selector",
        format!("Service {} selects {selector}", me.name),
        &[("selector", selector.clone()), ("pods that match", "0".into())],
        since,
    );
    let mut keys = vec![item.key.clone()];
    f.evidence.push(item);
    let (confidence, text, referrer) = match &near {
        Some(Near { pod, other }) => {
            let owner = cx.owner(pod).subject;
            let labels = pod
                .metadata
                .labels
                .iter()
                .filter(|(k, _)| *k != "pod-template-hash")
                .map(|(k, v)| format!("{k}={v}"))
                .collect::<Vec<_>>()
                .join(",");
            let item = object_evidence(
                EvidenceKind::Object,
                pod.reference(),
                "labels",
                format!("The pods of {owner} have the labels {labels}"),
                &[("labels", labels.clone())],
                Now::STAMP,
            );
            keys.push(item.key.clone());
            f.evidence.push(item);
            let lacks: Vec<&str> =
                s.spec.selector.keys().filter(|k| !pod.metadata.labels.contains_key(*k)).map(String::as_str).collect();
            let diff = match (other.is_empty(), lacks.as_slice()) {
                (false, []) => format!("the pods of {owner} have {other}"),
                (false, lacks) => format!("the pods of {owner} have {other} and no label {}", lacks.join(", ")),
                (true, []) => format!("its pods have {labels}"),
                (true, lacks) => format!("the pods of {owner} have no label {} (they have {labels})", lacks.join(", ")),
            };
            (
                Confidence::Established,
                format!("The selector {selector} of Service {} matches no pod (no endpoints): {diff}.", me.name),
                Some(owner),
            )
        }
        None => (
            Confidence::Likely,
            format!("The selector {selector} of Service {} matches no pod in namespace {ns} (no endpoints).", me.name),
            None,
        ),
    };
    let deleted = deleted(cx, s).filter(|_| meant.is_empty());
    if let Some(change) = deleted {
        let text = format!(
            "{}, to whose pods Service {} leads, was deleted: no pod has the labels {selector} any more (no endpoints).",
            change.object, me.name
        );
        let mut c = cause("selected-workload-deleted", Confidence::Established, change.object.clone(), text);
        c.referrer = Some(me.clone());
        c.evidence = keys;
        c.signs.pro = 2;
        f.causes.push(c);
        return cx.report(f);
    }
    let text = match meant.first() {
        Some(o) => format!("{text} These are the labels of {}, which is scaled to zero.", o.reference()),
        None => text,
    };
    let mut c = cause("service-selector-wrong", confidence, me.clone(), text);
    c.field = Some("spec.selector".into());
    c.referrer = referrer;
    c.evidence = keys;
    c.signs.pro = 2;
    // Whoever was changed last broke it: the selector was right before the pods' labels were changed.
    if let Some(owner) = c.referrer.clone()
        && let Some(path) = relabelled(cx, s, me, &owner)
    {
        c.entity = owner.clone();
        c.referrer = Some(me.clone());
        c.field = Some(path);
        f.actions.extend(undo(&owner, "its pods had the labels that the Service selects"));
    }
    f.causes.push(c);
    f.actions.push(edit(ActionKind::SetServiceSelector, me, "the selector must name labels its pods have"));
    cx.report(f);
}

/// The Service was turned within the hour to workloads that slept already then.
fn turned(cx: &Context<'_>, me: &ObjectRef, meant: &[&Object]) -> bool {
    let moved = |c: &&Change| c.verb == ChangeVerb::Modified && touches(c, "spec.selector");
    let Some(at) = changes_of(cx, me).filter(moved).map(|c| c.at).max() else { return false };
    let slept = |o: &&Object| {
        let scaled = |c: &Change| c.at > at && c.fields.iter().any(|f| f.path == "spec.replicas");
        o.replicas() == Some(0) && !changes_of(cx, &o.reference()).any(scaled)
    };
    !cx.now.beyond(at, LATELY) && meant.iter().all(slept)
}

/// The workload whose pods it led to, where that was deleted within the hour.
fn deleted<'a>(cx: &Context<'a>, s: &Service) -> Option<&'a Change> {
    let index = cx.index;
    let ns = s.metadata.namespace.as_deref();
    let made_by = |pod: &Pod, workload: &ObjectRef| {
        let made =
            |name: &str| name == workload.name || name.rsplit_once('-').is_some_and(|(of, _)| of == workload.name);
        pod.metadata.controller().is_some_and(|c| made(&c.name))
    };
    let led_to = |workload: &ObjectRef| {
        index.graves().any(|(_, o)| match &**o {
            Object::Pod(p) => {
                p.metadata.namespace.as_deref() == ns
                    && has_all(&p.metadata.labels, &s.spec.selector)
                    && made_by(p, workload)
            }
            _ => false,
        })
    };
    let lately = |c: &&Change| {
        c.verb == ChangeVerb::Deleted
            && c.object.namespace.as_deref() == ns
            && matches!(c.object.read_as(), Some(Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet))
            && !cx.now.beyond(c.at, LATELY)
            && index.resolve(&c.object).is_none()
    };
    index.changes().filter(lately).filter(|c| led_to(&c.object)).last()
}

/// The path of the label that was taken from the workload's pods after the Service was last changed.
fn relabelled(cx: &Context<'_>, s: &Service, me: &ObjectRef, owner: &ObjectRef) -> Option<String> {
    let own = changes_of(cx, me).filter(|c| touches(c, "spec.selector")).map(|c| c.at).max();
    changes_of(cx, owner).filter(|c| own.is_none_or(|t| c.at > t)).find_map(|c| {
        c.fields
            .iter()
            .find(|f| {
                f.path
                    .strip_prefix("spec.template.metadata.labels.")
                    .is_some_and(|key| s.spec.selector.get(key).is_some_and(|v| f.from.as_ref() == Some(v)))
            })
            .map(|f| f.path.clone())
    })
}

/// When the last pod it selected went; now, while one is still going.
fn lost_at(cx: &Context<'_>, s: &Service) -> Option<jiff::Timestamp> {
    let ns = s.metadata.namespace.as_deref().unwrap_or("");
    let going = cx.index.pods_matching(ns, &s.spec.selector).iter().any(|p| p.metadata.deleting() && !p.finished());
    let finds = |labels: &BTreeMap<String, String>| has_all(labels, &s.spec.selector);
    let gone = cx.index.graves().filter(|(_, o)| o.meta().namespace.as_deref() == Some(ns) && finds(&o.meta().labels));
    if going { Some(cx.now.get()) } else { gone.map(|(t, _)| *t).max() }
}

/// The pod that was probably meant by a selector that finds none.
struct Near<'a> {
    pod: &'a Pod,
    /// Its own values of the selector's keys.
    other: String,
}

/// The pods that were probably meant: they share a selector key with another value, or the Service's name.
fn near<'a>(cx: &Context<'_>, s: &Service, me: &ObjectRef, pods: &[&'a Pod]) -> Option<Near<'a>> {
    let selector = &s.spec.selector;
    pods.iter()
        .filter_map(|p| {
            let labels = &p.metadata.labels;
            let same = selector.iter().filter(|(k, v)| labels.get(*k) == Some(*v)).count();
            let other: Vec<String> = selector
                .iter()
                .filter_map(|(k, v)| labels.get(k).filter(|have| *have != v).map(|have| format!("{k}={have}")))
                .collect();
            let owner = cx.owner(p).subject;
            let alike = owner.name == me.name || labels.values().any(|v| *v == me.name);
            // Another value of the same key explains something only where it looks like the one that is asked for.
            let close = |labels: &BTreeMap<String, String>| {
                selector.iter().any(|(k, v)| labels.get(k).is_some_and(|have| have != v && resembles(v, have)))
            };
            let score = same * 4 + usize::from(alike) * 2 + usize::from(close(labels));
            (score > 0).then(|| (Near { pod: p, other: other.join(",") }, score))
        })
        .max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.pod.metadata.name.cmp(&a.0.pod.metadata.name)))
        .map(|(near, _)| near)
}

/// That a Service selects nothing is news where its selector is proven wrong, its pods were seen to go, or people
/// wrote it lately. Operators keep Services for roles that nobody has at the moment.
fn news(cx: &Context<'_>, s: &Service, me: &ObjectRef, near: Option<&Near<'_>>) -> bool {
    let finds = |labels: &BTreeMap<String, String>| has_all(labels, &s.spec.selector);
    let lost = || cx.index.graves().any(|(_, o)| o.meta().namespace == s.metadata.namespace && finds(&o.meta().labels));
    // Counted from when it was first seen: what is news does not become old while it is watched.
    let watched = cx.index.watched_since(Kind::Service).map_or_else(|| cx.now.get(), |since| cx.now.min(since));
    let owner = near.map(|n| cx.owner(n.pod).subject);
    let written = || {
        s.metadata.creation_timestamp.is_none_or(|t| watched.duration_since(t) <= LATELY)
            || changes_of(cx, me).any(|c| touches(c, "spec.selector"))
            || owner.as_ref().is_some_and(|o| changes_of(cx, o).any(|c| touches(c, "labels")))
    };
    near.is_some_and(|n| typo(cx, s, n.pod)) || (s.metadata.controller().is_none() && written()) || lost()
}

/// The pod's workload gives it a label that the selector misspells. A label that a program gives to running pods,
/// such as a role, is in no template and proves nothing.
fn typo(cx: &Context<'_>, s: &Service, pod: &Pod) -> bool {
    let owner = cx.owner(pod).subject;
    let Some(template) = cx.index.resolve(&owner).and_then(|o| o.pod_template()) else { return false };
    let labels = &template.metadata.labels;
    // A longer or shorter name may be somebody else's, who has a Service already.
    let served = || {
        cx.index.in_namespace(Kind::Service, s.metadata.namespace.as_deref().unwrap_or("")).any(|o| match &**o {
            Object::Service(other) => !other.spec.selector.is_empty() && has_all(labels, &other.spec.selector),
            _ => false,
        })
    };
    // Names that differ in their number only are counted, not misspelt.
    let number = |a: &str, b: &str| {
        let rest = |t: &str| t.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
        rest(a) == rest(b)
    };
    s.spec.selector.iter().any(|(k, v)| {
        labels.get(k).is_some_and(|have| {
            have != v && !number(v, have) && (misspelt(v, have) || (resembles(v, have) && !served()))
        })
    })
}

/// One contains the other, or they differ in at most two letters: a typing error, a renamed version.
pub(in crate::detect) fn resembles(a: &str, b: &str) -> bool {
    if a.len().min(b.len()) >= 3 && (a.contains(b) || b.contains(a)) {
        return true;
    }
    misspelt(a, b)
}

/// They differ in at most two letters.
fn misspelt(a: &str, b: &str) -> bool {
    let (one, other) = (a.chars().count(), b.chars().count());
    one.min(other) >= 4 && one.abs_diff(other) <= 2 && crate::words::edits(a, b) <= 2
}
