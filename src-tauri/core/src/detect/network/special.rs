//! Services of a special kind: names for something else, load balancers, the names of a StatefulSet's pods.

use serde_json::json;

use super::super::{
    Context,
    backing::deleted_at,
    context::{action, cause, edit, event_evidence, finding, hold, ns_flag, object_evidence},
};
use super::{BALANCER, NAMES, changed_at, resembles, selector};
use crate::{
    evidence::EvidenceKind,
    finding::Finding,
    object::{Kind, Object, ObjectRef, Service, StatefulSet, has_all},
    remediation::ActionKind,
    severity::{Confidence, Severity},
    words,
};

/// The domain of a cluster that was given no other.
const DOMAIN: &str = "cluster.local";

/// Almost that: a cluster that is given a domain of its own is numbered, or has more parts.
fn misspelt(domain: &str) -> bool {
    !domain.contains(|c: char| c.is_ascii_digit()) && (1..=2).contains(&words::edits(domain, DOMAIN))
}

/// A Service that stands for a name which cannot be resolved.
pub(super) fn external(cx: &mut Context<'_>, s: &Service, me: &ObjectRef) {
    let Some(name) = s.spec.external_name.as_deref().map(|n| n.trim_end_matches('.')) else { return };
    let ns = s.metadata.namespace.as_deref().unwrap_or("");
    let inside = name.split_once(".svc").filter(|(_, tail)| tail.is_empty() || tail.starts_with('.')).map(|(n, _)| n);
    let mut referrer = None;
    let (rule, confidence, text) = if name.parse::<std::net::IpAddr>().is_ok() {
        (
            "external-name-is-address",
            Confidence::Established,
            format!(
                "Service {} is an ExternalName for {name}, which is an address and not a name: it resolves to nothing.",
                me.name
            ),
        )
    } else if let Some((_, domain)) = name.split_once(".svc.").filter(|(_, d)| misspelt(d)) {
        (
            "external-name-domain",
            Confidence::Likely,
            format!(
                "Service {} is an ExternalName for {name}, which ends in {domain}: the domain of a cluster is {DOMAIN}, unless it was given another.",
                me.name
            ),
        )
    } else if let Some((service, place)) = inside.and_then(|n| n.rsplit_once('.')) {
        // A pod's own name stands before that of its Service.
        let service = service.rsplit('.').next().unwrap_or(service);
        if !cx.index.knows(Kind::Service, Some(place)) || cx.index.get(Kind::Service, Some(place), service).is_some() {
            return;
        }
        let near: Vec<String> = cx
            .index
            .in_namespace(Kind::Service, place)
            .map(|o| o.meta().name.clone())
            .filter(|n| resembles(n, service))
            .collect();
        let instead =
            if near.is_empty() { String::new() } else { format!(" There is Service {}.", words::list(&near, 3)) };
        referrer = Some(ObjectRef::missing(Kind::Service, Some(place), service));
        (
            "external-name-service-missing",
            Confidence::Established,
            format!(
                "Service {} is an ExternalName for {name}: Service {service} does not exist (not found) in namespace {place}.{instead}",
                me.name
            ),
        )
    } else if !name.contains('.')
        && cx.index.knows(Kind::Service, Some(ns))
        && cx.index.get(Kind::Service, Some(ns), name).is_some()
    {
        (
            "external-name-not-full",
            Confidence::Likely,
            format!(
                "Service {} is an ExternalName for {name}: that is the short name of a Service, and only full names resolve ({name}.{ns}.svc.cluster.local).",
                me.name
            ),
        )
    } else {
        return;
    };
    let since = [Some(me), referrer.as_ref()]
        .into_iter()
        .flatten()
        .filter_map(|o| changed_at(cx, o))
        .max()
        .or(s.metadata.creation_timestamp)
        .unwrap_or_else(|| cx.now.get());
    let mut f = finding("external-name-wrong", me.clone(), me, Severity::Medium, since);
    f.headline = format!("stands for {name}, which does not resolve");
    f.started_basis = "Service created or changed".into();
    f.hold = hold(selector::HOLD);
    f.message = format!("Service {} is an ExternalName for {name}, which does not resolve", me.name);
    let item = object_evidence(
        EvidenceKind::Object,
        me.clone(),
        "externalName",
        format!("Service {}: externalName {name}", me.name),
        &[("externalName", name.to_owned()), ("found", text.clone())],
        since,
    );
    let mut c = cause(rule, confidence, me.clone(), text);
    // A Service that was there is what is missing.
    match referrer {
        Some(missing) if deleted_at(cx, &missing).is_some() => {
            c.entity = missing;
            c.referrer = Some(me.clone());
        }
        other => c.referrer = other,
    }
    c.field = Some("spec.externalName".into());
    c.evidence = vec![item.key.clone()];
    c.signs.pro = 2;
    f.evidence.push(item);
    f.causes.push(c);
    f.actions.push(edit(ActionKind::Patch, me, "it must be the full name of something that exists"));
    cx.report(f);
}

/// What the controllers of load balancers say when they fail: those of the clouds' providers, MetalLB's, and AWS's own.
const BALANCER_FAILED: [&str; 4] =
    ["SyncLoadBalancerFailed", "AllocationFailed", "FailedBuildModel", "FailedDeployModel"];

/// A load balancer that its controller fails to make.
pub(super) fn balancer(cx: &mut Context<'_>, s: &Service, me: &ObjectRef) {
    if !s.status.load_balancer.ingress.is_empty() {
        return;
    }
    let events = cx.index.events_of(me);
    let failed = events
        .iter()
        .rfind(|e| e.is_warning() && BALANCER_FAILED.contains(&e.reason()))
        .filter(|e| e.last_seen().is_some_and(|t| cx.now.within(t, hold(20 * 60))));
    let Some(event) = failed else { return };
    let since = event.first_seen().unwrap_or_else(|| cx.now.get());
    let mut f = finding("load-balancer-failed", me.clone(), me, Severity::Medium, since);
    f.headline = "gets no load balancer".into();
    f.started_basis = "first failed attempt".into();
    f.hold = hold(BALANCER);
    f.count = event.times();
    f.message = format!("Service {} gets no load balancer: {}", me.name, words::clip(event.message(), 220));
    let item = event_evidence(event, cx.now);
    let mut c = cause(
        "load-balancer-failed",
        Confidence::Likely,
        me.clone(),
        format!(
            "Service {} of type LoadBalancer has no address: its controller failed {} to make one ({}): {}",
            me.name,
            words::times(event.times()),
            event.reason(),
            words::clip(event.message(), 260)
        ),
    );
    c.evidence = vec![item.key.clone()];
    c.signs.pro = 2;
    f.evidence.push(item);
    f.causes.push(c);
    f.actions.push(action(
        ActionKind::ManualCheck,
        me,
        "the message is the provider's own",
        "none",
        "get services",
        format!("kubectl describe service {}{}", me.name, ns_flag(me)),
    ));
    cx.report(f);
}

/// The Service that gives the pods of a StatefulSet their names.
pub(super) fn governing(cx: &mut Context<'_>, set: &StatefulSet) {
    let ns = set.metadata.namespace.as_deref();
    let name = &set.spec.service_name;
    if name.is_empty()
        // Nobody has a name.
        || set.spec.replicas == Some(0)
        || set.metadata.controller().is_some()
        || !cx.index.knows(Kind::Service, ns)
        || cx.index.get(Kind::Service, ns, name).is_some()
    {
        return;
    }
    let me = set.reference();
    let missing = ObjectRef::missing(Kind::Service, ns, name);
    let since = [&me, &missing]
        .into_iter()
        .filter_map(|o| changed_at(cx, o))
        .max()
        .or(set.metadata.creation_timestamp)
        .unwrap_or_else(|| cx.now.get());
    let watched = cx.index.watched_since(Kind::Service).map_or_else(|| cx.now.get(), |t| cx.now.min(t));
    let hurts = if cx.serves_as_wanted(&me) { Severity::Low } else { Severity::Medium };
    let mut f = finding("statefulset-service-missing", me.clone(), &me, hurts, since);
    f.headline = "has no Service for the names of its pods".into();
    f.started_basis = "StatefulSet created or changed, or its Service deleted".into();
    // One that has run without for long needs no names.
    f.hold = if watched.duration_since(since) <= selector::LATELY { hold(NAMES) } else { Finding::JOINS_ONLY };
    f.message =
        format!("{me} names Service {name} (serviceName), which does not exist: its pods have no names of their own");
    // One beside it that finds the pods was meant, perhaps.
    let fits = |o: &Object| match o {
        Object::Service(s) => {
            !s.spec.selector.is_empty() && has_all(&set.spec.template.metadata.labels, &s.spec.selector)
        }
        _ => false,
    };
    let near = cx
        .index
        .in_namespace(Kind::Service, ns.unwrap_or(""))
        .filter(|o| fits(o) && resembles(&o.meta().name, name))
        .map(|o| o.reference())
        .next();
    let item = object_evidence(
        EvidenceKind::Object,
        me.clone(),
        "serviceName",
        format!("{me}: serviceName {name}, not found"),
        &[("serviceName", name.clone()), ("beside it", near.as_ref().map_or("none".into(), |n| n.name.clone()))],
        since,
    );
    let gone = deleted_at(cx, &missing).is_some();
    let text = format!(
        "{me} names Service {name} (serviceName), which does not exist (not found) in namespace {}, so its pods have no names in DNS ({}-0.{name}).",
        ns.unwrap_or(""),
        me.name
    );
    let mut c = match near.filter(|_| !gone) {
        Some(near) => {
            let mut c = cause(
                "statefulset-service-missing",
                Confidence::Established,
                me.clone(),
                format!("{text} There is {near}, which selects its pods."),
            );
            c.referrer = Some(near);
            c
        }
        None => {
            let mut c = cause("statefulset-service-missing", Confidence::Established, missing.clone(), text);
            c.referrer = Some(me.clone());
            c
        }
    };
    c.field = Some("spec.serviceName".into());
    c.evidence = vec![item.key.clone()];
    c.signs.pro = 2;
    f.evidence.push(item);
    f.actions.push(match c.entity.uid {
        Some(_) => edit(ActionKind::Patch, &me, "serviceName cannot be changed: it is deleted and made anew"),
        None => action(
            ActionKind::ManualCheck,
            &missing,
            "a headless Service (clusterIP None) of this name gives the pods their names",
            "none",
            "create services",
            format!("echo '{}' | kubectl create{} -f -", headless(set), ns_flag(&me)),
        ),
    });
    f.causes.push(c);
    cx.report(f);
}

/// The manifest of a Service that gives the pods of the set their names, for which it needs no ports: `kubectl create
/// service` would select other pods.
fn headless(set: &StatefulSet) -> serde_json::Value {
    let selector = match set.spec.selector.match_labels.is_empty() {
        true => &set.spec.template.metadata.labels,
        false => &set.spec.selector.match_labels,
    };
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": set.spec.service_name},
        "spec": {"clusterIP": "None", "selector": selector},
    })
}
