//! How a Service stands that somebody must reach, and who is to blame when nothing answers there.

use jiff::Timestamp;

use super::{
    Context,
    context::{action, cause, edit, ns_flag, scale},
    crash::endpoints_ready,
};
use crate::{
    change::{Change, ChangeVerb},
    finding::Finding,
    index::Index,
    object::{Condition, DaemonSet, Kind, Object, ObjectRef, Pod, Service, admission::ServiceTarget, has_all},
    remediation::{ActionDraft, ActionKind},
    severity::Confidence,
    words,
};

/// The kinds that make pods which a Service may stand for.
pub(super) const SERVING: [Kind; 4] = [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::ReplicaSet];

/// What is wrong with a Service, or that nothing is.
pub(super) enum Standing {
    /// It answers, or what is needed to tell may not be read.
    Fine,
    Missing(ObjectRef),
    /// It has no such port: those it has.
    NoPort(ObjectRef, Vec<String>),
    /// No pod and no workload has the labels it selects: the selector.
    SelectsNothing(ObjectRef, String),
    /// Its workload is scaled to zero.
    ScaledToZero(ObjectRef, ObjectRef),
    /// None of so many pods of its workload is ready.
    NotReady(ObjectRef, ObjectRef, usize),
}

/// The cause of who calls a DaemonSet that no node is to run.
pub(crate) const ON_NO_NODE: &str = "dependency-on-no-node";

/// Why no node is to run a DaemonSet.
pub(crate) struct Nowhere {
    /// The field that keeps it off them, where one does by itself.
    pub field: Option<String>,
    pub why: String,
}

/// A DaemonSet whose controller has looked and wants it on no node. Not an error to the controller: it has no pod that
/// could wait, and says nothing.
pub(crate) fn nowhere(index: &Index, set: &DaemonSet) -> Option<Nowhere> {
    let status = &set.status;
    let looked = status.observed_generation.is_some() && status.observed_generation >= set.metadata.generation;
    if !looked || status.desired_number_scheduled != 0 || !index.knows(Kind::Node, None) {
        return None;
    }
    let wanted = &set.spec.template.spec.node_selector;
    let fits = |o: &std::sync::Arc<Object>| has_all(&o.meta().labels, wanted);
    if !wanted.is_empty() && !index.all(Kind::Node).any(fits) {
        let all: Vec<String> = wanted.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let why = format!("its nodeSelector {} matches none", words::list(&all, 4));
        return Some(Nowhere { field: Some("spec.template.spec.nodeSelector".into()), why });
    }
    Some(Nowhere { field: None, why: "by its node selector, its affinity or their taints none is fit for it".into() })
}

/// How the Service stands that is called on a port.
pub(super) fn standing(cx: &Context<'_>, target: &ServiceTarget, default_port: u16) -> Standing {
    let ns = Some(target.namespace.as_str());
    if !cx.index.knows(Kind::Service, ns) {
        return Standing::Fine;
    }
    let Some(Object::Service(s)) = cx.index.get(Kind::Service, ns, &target.name).map(|o| &**o) else {
        return Standing::Missing(target.reference());
    };
    let me = s.reference();
    if s.spec.kind.as_deref() == Some("ExternalName") {
        return Standing::Fine;
    }
    let port = target.port.unwrap_or(default_port);
    if !s.spec.ports.iter().any(|p| p.port == port) {
        return Standing::NoPort(me, ports(s));
    }
    if s.spec.selector.is_empty() || endpoints_ready(cx, &me) != Some(false) || !cx.index.knows(Kind::Pod, ns) {
        return Standing::Fine;
    }
    behind(cx, s, me)
}

/// Why a Service with a selector has no ready endpoint.
pub(super) fn behind(cx: &Context<'_>, s: &Service, me: ObjectRef) -> Standing {
    let pods = selected(cx, s);
    if pods.iter().any(|p| p.ready()) {
        return Standing::Fine;
    }
    let workload = pods.first().map(|p| cx.owner(p).subject).or_else(|| template(cx, s));
    match workload {
        None => Standing::SelectsNothing(me, selector(s)),
        Some(w) if pods.is_empty() && cx.index.resolve(&w).and_then(|o| o.replicas()) == Some(0) => {
            Standing::ScaledToZero(me, w)
        }
        Some(w) => Standing::NotReady(me, w, pods.len()),
    }
}

/// The pods a Service finds that are there to stay.
pub(super) fn selected<'s>(cx: &'s Context<'_>, s: &'s Service) -> Vec<&'s Pod> {
    let Some(ns) = s.metadata.namespace.as_deref().filter(|_| !s.spec.selector.is_empty()) else { return Vec::new() };
    let stays = |p: &&Pod| !p.finished() && !p.metadata.deleting();
    cx.index.pods_matching(ns, &s.spec.selector).into_iter().filter(stays).collect()
}

/// The workload whose pods would have the labels.
fn template(cx: &Context<'_>, s: &Service) -> Option<ObjectRef> {
    let ns = s.metadata.namespace.as_deref().unwrap_or("");
    SERVING
        .iter()
        .flat_map(|k| cx.index.in_namespace(*k, ns))
        .find(|o| o.pod_template().is_some_and(|t| has_all(&t.metadata.labels, &s.spec.selector)))
        .map(|o| cx.index.top_owner(o))
}

/// `https (443)`, `8080`.
pub(super) fn ports(s: &Service) -> Vec<String> {
    let text = |p: &crate::object::network::ServicePort| {
        p.name.as_ref().map_or_else(|| p.port.to_string(), |n| format!("{n} ({})", p.port))
    };
    s.spec.ports.iter().map(text).collect()
}

pub(super) fn selector(s: &Service) -> String {
    s.spec.selector.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",")
}

/// Who must be changed so that the Service answers again.
pub(super) struct Blame {
    pub entity: ObjectRef,
    pub referrer: Option<ObjectRef>,
    /// The path in the entity, where one is known.
    pub field: Option<String>,
    /// `Service x in namespace y does not exist (not found)`: half a sentence.
    pub why: String,
    /// The workload that fails, where one does.
    pub workload: Option<ObjectRef>,
    pub since: Option<Timestamp>,
}

/// The blame for a Service that does not answer, seen from the object that needs it; `None` where it does.
pub(super) fn blame(
    cx: &Context<'_>,
    standing: Standing,
    needs: &ObjectRef,
    port: u16,
    port_field: String,
) -> Option<Blame> {
    let seen = |o: &ObjectRef| changes(cx, o).map(|c| c.at).max();
    let place = |o: &ObjectRef| format!("{o} in namespace {}", o.namespace.as_deref().unwrap_or(""));
    Some(match standing {
        Standing::Fine => return None,
        Standing::Missing(service) => Blame {
            why: format!("{} does not exist (not found)", place(&service)),
            since: seen(&service),
            referrer: Some(needs.clone()).filter(|n| !n.same_name(&service)),
            field: None,
            workload: None,
            entity: service,
        },
        Standing::NoPort(service, have) => Blame {
            why: format!("{} has no port {port}: it has {}", place(&service), words::list(&have, 4)),
            since: seen(&service),
            entity: needs.clone(),
            field: Some(port_field),
            workload: None,
            referrer: Some(service),
        },
        Standing::SelectsNothing(service, selector) => Blame {
            why: format!("{} selects {selector}, which no pod has: it has no endpoints", place(&service)),
            since: seen(&service),
            referrer: Some(needs.clone()),
            field: Some("spec.selector".into()),
            workload: None,
            entity: service,
        },
        Standing::ScaledToZero(service, workload) => Blame {
            why: format!(
                "{} behind {service} in namespace {} is scaled to 0 replicas, so nothing answers (no endpoints)",
                workload,
                service.namespace.as_deref().unwrap_or("")
            ),
            since: changes(cx, &workload)
                .filter(|c| c.fields.iter().any(|f| f.path == "spec.replicas"))
                .map(|c| c.at)
                .max(),
            referrer: Some(service),
            field: Some("spec.replicas".into()),
            workload: Some(workload.clone()),
            entity: workload,
        },
        Standing::NotReady(service, workload, n) => {
            let pods = workload.uid.as_deref().map(|uid| cx.index.pods_of(uid)).unwrap_or_default();
            let lost =
                pods.iter().filter_map(|p| Condition::find(&p.status.conditions, "Ready")?.last_transition_time).max();
            Blame {
                why: format!(
                    "{} has no ready endpoint: none of the {} of {workload} is ready",
                    place(&service),
                    words::count(n, "pod")
                ),
                since: lost,
                referrer: Some(service),
                field: None,
                workload: Some(workload.clone()),
                entity: workload,
            }
        }
    })
}

/// The changes seen of an object, whatever its lifetime.
pub(super) fn changes<'c>(cx: &'c Context<'_>, object: &'c ObjectRef) -> impl Iterator<Item = &'c Change> {
    cx.index.changes_of(object)
}

/// When the object was seen to be deleted.
pub(super) fn deleted_at(cx: &Context<'_>, object: &ObjectRef) -> Option<Timestamp> {
    changes(cx, object).filter(|c| c.verb == ChangeVerb::Deleted).map(|c| c.at).max()
}

/// Puts the cause and the steps into the finding. A workload that has findings of its own tells why itself: then the
/// finding joins them.
pub(super) fn told(cx: &Context<'_>, f: &mut Finding, blame: Blame, rule: &str, statement: String, key: String) {
    if let Some(workload) = blame.workload.as_ref().filter(|w| cx.tells_of(w)) {
        f.subject = workload.clone();
        return;
    }
    let mut c = cause(rule, Confidence::Established, blame.entity.clone(), words::capital(&statement));
    c.field = blame.field.clone();
    c.referrer = blame.referrer.clone();
    c.evidence = vec![key];
    c.signs.pro = 2;
    f.causes.push(c);
    f.actions.extend(step(&blame));
}

fn step(blame: &Blame) -> Option<ActionDraft> {
    let entity = &blame.entity;
    Some(match blame.field.as_deref() {
        Some("spec.replicas") => scale(entity, "something must answer", "1"),
        Some("spec.selector") => {
            edit(ActionKind::SetServiceSelector, entity, "the selector must name labels its pods have")
        }
        None if entity.uid.is_none() => action(
            ActionKind::ManualCheck,
            entity,
            "the Service must exist, or nothing may refer to it",
            "none",
            "get services",
            format!("kubectl get services{}", ns_flag(entity)),
        ),
        None => action(
            ActionKind::ManualCheck,
            entity,
            "its pods must become ready",
            "none",
            "get pods",
            format!("kubectl describe {}{}", entity.kubectl(), ns_flag(entity)),
        ),
        Some(_) => return None,
    })
}
