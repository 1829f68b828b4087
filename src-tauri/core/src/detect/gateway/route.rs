//! HTTPRoutes: their Gateways, listeners and backends.

use serde_json::Value;

use super::{HOLD, Problem, told};
use crate::{
    detect::{
        Context,
        backing::{deleted_at, ports},
        network::resembles,
    },
    object::{
        Gateway, HTTPRoute, Kind, LabelSelector, Object, ObjectRef,
        gateway::{Listener, RouteRef},
    },
    severity::Confidence,
    words,
};

pub(super) fn route(cx: &mut Context<'_>, r: &HTTPRoute) {
    let me = r.reference();
    let mut problems: Vec<Problem> =
        r.spec.parent_refs.iter().enumerate().filter_map(|(i, p)| parent(cx, r, &me, i, p)).collect();
    for (i, rule) in r.spec.rules.iter().enumerate() {
        for (j, b) in rule.backend_refs.iter().enumerate() {
            problems.extend(backend(cx, r, &me, &format!("spec.rules[{i}].backendRefs[{j}]"), b));
        }
    }
    if problems.is_empty() {
        problems.extend(refused(cx, r, &me));
    }
    for p in problems {
        told(cx, "route-wrong", &me, "leads nowhere", r.metadata.creation_timestamp, HOLD, p);
    }
}

/// What exists beside it under a similar name.
fn instead(cx: &Context<'_>, kind: Kind, ns: &str, name: &str) -> String {
    let near: Vec<String> =
        cx.index.in_namespace(kind, ns).map(|o| o.meta().name.clone()).filter(|n| resembles(n, name)).collect();
    match near.is_empty() {
        true => String::new(),
        false => format!(" There is {kind} {}.", words::list(&near, 3)),
    }
}

fn parent(cx: &Context<'_>, r: &HTTPRoute, me: &ObjectRef, i: usize, p: &RouteRef) -> Option<Problem> {
    if p.kind.as_deref().is_some_and(|k| k != "Gateway") {
        return None;
    }
    let own = r.metadata.namespace.as_deref().unwrap_or("");
    let ns = p.namespace.as_deref().unwrap_or(own);
    if !cx.index.knows(Kind::Gateway, Some(ns)) {
        return None;
    }
    let problem = |rule, entity: &ObjectRef, referrer, field: String, text| Problem {
        part: format!("parent {}", p.name),
        rule,
        confidence: Confidence::Established,
        entity: entity.clone(),
        referrer,
        field,
        text,
    };
    let at = |field: &str| format!("spec.parentRefs[{i}].{field}");
    let Some(Object::Gateway(g)) = cx.index.get(Kind::Gateway, Some(ns), &p.name).map(|o| &**o) else {
        let missing = ObjectRef::missing(Kind::Gateway, Some(ns), &p.name);
        let text = format!(
            "HTTPRoute {} is to hang on Gateway {} (parentRefs), which does not exist (not found) in namespace {ns}.{}",
            me.name,
            p.name,
            instead(cx, Kind::Gateway, ns, &p.name)
        );
        // One that was deleted, or that several routes wait for, is what is missing; else the name may be wrong.
        let waits =
            |o: &Object| match o {
                Object::HTTPRoute(r) => r.spec.parent_refs.iter().any(|q| {
                    q.name == p.name && q.namespace.as_deref().or(r.metadata.namespace.as_deref()) == Some(ns)
                }),
                _ => false,
            };
        let lost = deleted_at(cx, &missing).is_some() || cx.index.all(Kind::HTTPRoute).filter(|o| waits(o)).count() > 1;
        return Some(match lost {
            true => problem("route-gateway-missing", &missing, Some(me.clone()), at("name"), text),
            false => problem("route-gateway-missing", me, Some(missing), at("name"), text),
        });
    };
    let gateway = g.reference();
    let names: Vec<String> = g.spec.listeners.iter().map(|l| format!("{} ({})", l.name, l.port)).collect();
    let all = words::list(&names, 4);
    let by_name: Vec<&Listener> =
        g.spec.listeners.iter().filter(|l| p.section_name.as_ref().is_none_or(|s| *s == l.name)).collect();
    if by_name.is_empty() {
        let section = p.section_name.as_deref().unwrap_or("");
        let text = format!(
            "HTTPRoute {} is to hang on listener {section} (sectionName) of Gateway {}, which has no such listener: it has {all}.",
            me.name, g.metadata.name
        );
        return Some(problem("route-listener-missing", me, Some(gateway), at("sectionName"), text));
    }
    let listeners: Vec<&Listener> = by_name.into_iter().filter(|l| p.port.is_none_or(|n| n == l.port)).collect();
    if listeners.is_empty() {
        let text = format!(
            "HTTPRoute {} is to hang on port {} of Gateway {}, which has no such listener: it has {all}.",
            me.name,
            p.port.unwrap_or(0),
            g.metadata.name
        );
        return Some(problem("route-listener-missing", me, Some(gateway), at("port"), text));
    }
    let open: Vec<&Listener> = listeners.iter().copied().filter(|l| admits(cx, l, g, own)).collect();
    if open.is_empty() {
        let l = listeners[0];
        let text = format!(
            "Listener {} of Gateway {} in namespace {ns} does not take routes from namespace {own} (allowedRoutes: {}), so HTTPRoute {} is not attached (NotAllowedByListeners).",
            l.name,
            g.metadata.name,
            allowed_text(l),
            me.name
        );
        let field = format!("spec.listeners[{}].allowedRoutes", l.name);
        return Some(problem("route-not-allowed", &gateway, Some(me.clone()), field, text));
    }
    let meets = |l: &&Listener| {
        let Some(host) = l.hostname.as_deref().filter(|h| !h.is_empty()) else { return true };
        r.spec.hostnames.is_empty() || r.spec.hostnames.iter().any(|h| intersect(h, host))
    };
    if !open.iter().any(meets) {
        let theirs: Vec<String> =
            open.iter().filter_map(|l| Some(format!("{} ({})", l.hostname.clone()?, l.name))).collect();
        let text = format!(
            "HTTPRoute {} is for {}, and Gateway {} listens for {} only: the host names have nothing in common (NoMatchingListenerHostname).",
            me.name,
            words::list(&r.spec.hostnames, 3),
            g.metadata.name,
            words::list(&theirs, 3)
        );
        return Some(problem("route-hostname-wrong", me, Some(gateway), "spec.hostnames".into(), text));
    }
    None
}

/// The listener takes routes from this namespace.
fn admits(cx: &Context<'_>, l: &Listener, g: &Gateway, from: &str) -> bool {
    let namespaces = l.allowed_routes.as_ref().and_then(|a| a.get("namespaces"));
    match namespaces.and_then(|n| n.get("from")).and_then(Value::as_str).unwrap_or("Same") {
        "Same" => g.metadata.namespace.as_deref() == Some(from),
        "Selector" => {
            let selector = namespaces
                .and_then(|n| n.get("selector"))
                .and_then(|s| serde_json::from_value::<LabelSelector>(s.clone()).ok());
            match (selector, cx.index.get(Kind::Namespace, None, from)) {
                (Some(selector), Some(o)) => {
                    let mut labels = o.meta().labels.clone();
                    labels.entry("kubernetes.io/metadata.name".into()).or_insert_with(|| from.to_owned());
                    selector.matches(&labels)
                }
                _ => true,
            }
        }
        "None" => false,
        _ => true,
    }
}

fn allowed_text(l: &Listener) -> String {
    let namespaces = l.allowed_routes.as_ref().and_then(|a| a.get("namespaces"));
    match namespaces.and_then(|n| n.get("from")).and_then(Value::as_str).unwrap_or("Same") {
        "Selector" => {
            let selector = namespaces
                .and_then(|n| n.get("selector"))
                .and_then(|s| serde_json::from_value::<LabelSelector>(s.clone()).ok())
                .unwrap_or_default();
            format!("namespaces with {}", crate::policy::selector_text(&selector))
        }
        "Same" => "from Same, its own namespace".into(),
        other => format!("from {other}"),
    }
}

/// Two host names have something in common; `*.` stands for one label or more.
fn intersect(a: &str, b: &str) -> bool {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    let covers = |wild: &str, name: &str| {
        wild.strip_prefix('*').is_some_and(|tail| name.len() > tail.len() && name.ends_with(tail))
    };
    a == b || covers(&a, &b) || covers(&b, &a)
}

fn backend(cx: &Context<'_>, r: &HTTPRoute, me: &ObjectRef, path: &str, b: &RouteRef) -> Option<Problem> {
    if b.kind.as_deref().is_some_and(|k| k != "Service") {
        return None;
    }
    let ns = b.namespace.as_deref().or(r.metadata.namespace.as_deref()).unwrap_or("");
    if !cx.index.knows(Kind::Service, Some(ns)) {
        return None;
    }
    let problem = |rule, entity: ObjectRef, referrer, field: String, text| Problem {
        part: format!("backend {}:{}", b.name, b.port.unwrap_or(0)),
        rule,
        confidence: Confidence::Established,
        entity,
        referrer: Some(referrer),
        field,
        text,
    };
    let Some(Object::Service(s)) = cx.index.get(Kind::Service, Some(ns), &b.name).map(|o| &**o) else {
        let missing = ObjectRef::missing(Kind::Service, Some(ns), &b.name);
        let text = format!(
            "HTTPRoute {} sends traffic to Service {}, which does not exist (not found) in namespace {ns}.{}",
            me.name,
            b.name,
            instead(cx, Kind::Service, ns, &b.name)
        );
        let (entity, referrer) = match deleted_at(cx, &missing) {
            Some(_) => (missing, me.clone()),
            None => (me.clone(), missing),
        };
        return Some(problem("route-service-missing", entity, referrer, format!("{path}.name"), text));
    };
    let port = b.port?;
    if s.spec.ports.iter().any(|p| p.port == port) {
        return None;
    }
    let service = s.reference();
    let text = format!(
        "HTTPRoute {} sends traffic to port {port} of Service {}, which has no such port: it has {}.",
        me.name,
        b.name,
        words::list(&ports(s), 4)
    );
    Some(problem("route-port-missing", me.clone(), service, format!("{path}.port"), text))
}

/// What its Gateway says of it.
fn refused(cx: &Context<'_>, r: &HTTPRoute, me: &ObjectRef) -> Option<Problem> {
    let (parent, c) =
        r.status.parents.iter().flat_map(|p| p.conditions.iter().map(move |c| (&p.parent_ref, c))).find(|(_, c)| {
            matches!(c.kind.as_str(), "Accepted" | "ResolvedRefs")
                && c.is_false()
                && c.reason.as_deref() != Some("Pending")
        })?;
    let reason = c.reason.as_deref().unwrap_or("");
    let place = parent.namespace.as_deref().or(r.metadata.namespace.as_deref());
    let gateway = cx.index.get(Kind::Gateway, place, &parent.name).map(|o| o.reference());
    Some(Problem {
        part: format!("{} {reason}", c.kind),
        rule: "route-refused",
        confidence: Confidence::Established,
        entity: me.clone(),
        referrer: gateway,
        field: if c.kind == "ResolvedRefs" { "spec.rules[].backendRefs".into() } else { "spec.parentRefs".into() },
        text: format!(
            "Gateway {} does not take HTTPRoute {} ({}=False, {reason}): {}",
            parent.name,
            me.name,
            c.kind,
            words::clip(c.message.as_deref().unwrap_or("no message"), 240)
        ),
    })
}
