//! The Gateway API: classes nobody serves, listeners that cannot work, routes that lead nowhere.

mod route;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    Context, Hold, Rule,
    backing::changes,
    context::{action, cause, edit, finding, hold, ns_flag, object_evidence},
};
use crate::{
    evidence::EvidenceKind,
    object::{Condition, Gateway, GatewayClass, Kind, Object, ObjectRef, gateway::Listener},
    remediation::ActionKind,
    severity::{Confidence, Severity},
    words,
};

/// The rules of this family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "gateway-wrong",
        means: "A Gateway names a class or a certificate that does not exist, has listeners in conflict, or is refused by its controller.",
        source: "gateway-api.sigs.k8s.io/reference/spec: Gateway, GatewayClass",
        reads: &[Kind::GatewayClass, Kind::Gateway],
        holds: &[
            Hold::Exactly(HOLD, ""),
            Hold::Exactly(CONTROLLER, "when no controller has spoken of the class yet"),
            Hold::JoinsOnly("at one look, before a controller's time is up"),
        ],
        severities: &[(Severity::High, "always")],
        limits: &[
            "Classes or Secrets that may not be listed: what is not known is not missing.",
            "A class nobody has accepted, while no Gateway names it or something else of the Gateway API is wrong.",
        ],
        threshold: None,
        advises: &[ActionKind::Patch, ActionKind::CreateSecret],
    },
    Rule {
        id: "route-wrong",
        means: "An HTTPRoute names a Gateway, a listener, a Service or a port that does not exist, or its Gateway does not take it.",
        source: "gateway-api.sigs.k8s.io/reference/spec: HTTPRoute",
        reads: &[Kind::HTTPRoute, Kind::Gateway, Kind::Service],
        holds: &[Hold::Exactly(HOLD, "")],
        severities: &[(Severity::High, "always")],
        limits: &[
            "Parents and backends of other kinds than Gateway and Service.",
            "Gateways or Services that may not be listed: what is not known is not missing.",
        ],
        threshold: None,
        advises: &[ActionKind::Patch],
    },
];

/// Seconds: manifests are applied one after another.
const HOLD: i64 = 15;
/// Seconds that a controller may take to speak.
const CONTROLLER: i64 = 60;

/// Looks at every Gateway and every route.
pub fn all(cx: &mut Context<'_>) {
    let index = cx.index;
    for o in index.all(Kind::HTTPRoute) {
        if let Object::HTTPRoute(r) = &**o
            && !r.metadata.deleting()
        {
            route::route(cx, r);
        }
    }
    for o in index.all(Kind::Gateway) {
        if let Object::Gateway(g) = &**o
            && !g.metadata.deleting()
        {
            gateway(cx, g);
        }
    }
    for o in index.all(Kind::GatewayClass) {
        if let Object::GatewayClass(c) = &**o
            && !c.metadata.deleting()
        {
            class(cx, c);
        }
    }
}

/// Something wrong with an object of the Gateway API.
struct Problem {
    part: String,
    rule: &'static str,
    confidence: Confidence,
    entity: ObjectRef,
    referrer: Option<ObjectRef>,
    field: String,
    text: String,
}

/// Since when the object is as it is: its last change, or that of what it names.
fn since(cx: &Context<'_>, me: &ObjectRef, other: Option<&ObjectRef>, made: Option<Timestamp>) -> Timestamp {
    [Some(me), other]
        .into_iter()
        .flatten()
        .flat_map(|o| changes(cx, o))
        .map(|c| c.at)
        .max()
        .or(made)
        .unwrap_or_else(|| cx.now.get())
}

fn told(
    cx: &mut Context<'_>,
    id: &str,
    me: &ObjectRef,
    headline: &str,
    made: Option<Timestamp>,
    seconds: i64,
    p: Problem,
) {
    let since = since(cx, me, p.referrer.as_ref(), made);
    let mut f = finding(id, me.clone(), me, Severity::High, since);
    f.part = p.part;
    f.headline = headline.into();
    f.started_basis = "made or changed".into();
    f.hold = hold(seconds);
    if seconds == CONTROLLER {
        cx.ordinary_until_due(&mut f);
    }
    f.message.clone_from(&p.text);
    let item = object_evidence(
        EvidenceKind::Object,
        me.clone(),
        p.rule,
        words::clip(&p.text, 140),
        &[("field", p.field.clone()), ("found", p.text.clone())],
        since,
    );
    let mut c = cause(p.rule, p.confidence, p.entity.clone(), p.text);
    c.field = Some(p.field);
    c.referrer = p.referrer;
    c.evidence = vec![item.key.clone()];
    c.signs.pro = 2;
    f.evidence.push(item);
    f.causes.push(c);
    f.actions.push(match p.entity.kind.as_str() {
        "Secret" => action(
            ActionKind::CreateSecret,
            &p.entity,
            "the certificate it names",
            "none",
            "create secrets",
            format!("kubectl create secret tls {}{} --cert=FILE --key=FILE", p.entity.name, ns_flag(&p.entity)),
        ),
        _ if p.entity.uid.is_some() => edit(ActionKind::Patch, &p.entity, "it must name what exists"),
        _ => edit(ActionKind::Patch, me, "it must name what exists"),
    });
    cx.report(f);
}

fn gateway(cx: &mut Context<'_>, g: &Gateway) {
    let me = g.reference();
    let ns = g.metadata.namespace.as_deref();
    let made = g.metadata.creation_timestamp;
    let headline = "lets no traffic in";
    let name = &g.spec.gateway_class_name;
    if cx.index.knows(Kind::GatewayClass, None) && cx.index.get(Kind::GatewayClass, None, name).is_none() {
        let have: Vec<String> = cx.index.all(Kind::GatewayClass).map(|o| o.meta().name.clone()).collect();
        let have = match have.is_empty() {
            true => "the cluster has none".to_owned(),
            false => format!("the cluster has {}", words::list(&have, 4)),
        };
        let p = Problem {
            part: "class".into(),
            rule: "gateway-class-missing",
            confidence: Confidence::Established,
            entity: me.clone(),
            referrer: Some(ObjectRef::missing(Kind::GatewayClass, None, name)),
            field: "spec.gatewayClassName".into(),
            text: format!(
                "Gateway {} names GatewayClass {name}, which does not exist (not found): no controller serves it; {have}.",
                me.name
            ),
        };
        told(cx, "gateway-wrong", &me, headline, made, HOLD, p);
        return;
    }
    let mut problems = Vec::new();
    for listener in &g.spec.listeners {
        for (namespace, secret) in certificates(listener) {
            let place = namespace.or(ns);
            let found = cx.index.get(Kind::Secret, place, secret);
            if let Some(Object::Secret(s)) = found.map(|o| &**o)
                && let Some(lacks) = s.lacks_of_certificate()
            {
                problems.push(Problem {
                    part: format!("certificate {}", listener.name),
                    rule: "gateway-certificate-unusable",
                    confidence: Confidence::Established,
                    entity: Object::Secret(s.clone()).reference(),
                    referrer: Some(me.clone()),
                    field: "data".into(),
                    text: format!(
                        "Secret {secret} of listener {} of Gateway {} holds no usable certificate: {lacks} is missing, which every Secret of type kubernetes.io/tls has.{}",
                        listener.name,
                        me.name,
                        s.has()
                    ),
                });
            }
            if cx.index.knows(Kind::Secret, place) && found.is_none() {
                problems.push(Problem {
                    part: format!("certificate {}", listener.name),
                    rule: "gateway-certificate-missing",
                    confidence: Confidence::Established,
                    entity: ObjectRef::missing(Kind::Secret, place, secret),
                    referrer: Some(me.clone()),
                    field: format!("spec.listeners[{}].tls.certificateRefs", listener.name),
                    text: format!(
                        "Secret {secret} with the certificate of listener {} of Gateway {} does not exist (not found) in namespace {}.",
                        listener.name,
                        me.name,
                        place.unwrap_or("")
                    ),
                });
            }
        }
    }
    if problems.is_empty() {
        problems.extend(conflict(g, &me));
    }
    if problems.is_empty() {
        problems.extend(refused(g, &me));
    }
    for p in problems {
        told(cx, "gateway-wrong", &me, headline, made, HOLD, p);
    }
}

fn certificates(listener: &Listener) -> impl Iterator<Item = (Option<&str>, &str)> {
    let refs = listener.tls.as_ref().and_then(|t| t.get("certificateRefs")).and_then(Value::as_array);
    refs.into_iter()
        .flatten()
        .filter(|r| r.get("kind").and_then(Value::as_str).is_none_or(|k| k == "Secret"))
        .filter_map(|r| Some((r.get("namespace").and_then(Value::as_str), r.get("name")?.as_str()?)))
}

/// Two listeners that cannot be told apart: the same port with the same host name, or with protocols that do not mix.
fn conflict(g: &Gateway, me: &ObjectRef) -> Option<Problem> {
    let layer = |l: &Listener| if l.protocol == "TLS" { "HTTPS".to_owned() } else { l.protocol.clone() };
    let pairs =
        g.spec.listeners.iter().enumerate().flat_map(|(i, a)| g.spec.listeners[i + 1..].iter().map(move |b| (a, b)));
    let said = |l: &Listener| {
        g.status
            .listeners
            .iter()
            .filter(|s| s.name == l.name)
            .find_map(|s| Condition::find(&s.conditions, "Conflicted").filter(|c| c.is_true()))
    };
    for (a, b) in pairs {
        let same = a.port == b.port
            && (layer(a) != layer(b) && layer(a) != "UDP" && layer(b) != "UDP"
                || (layer(a) == layer(b) && a.hostname == b.hostname));
        if same || (said(a).is_some() && said(b).is_some() && a.port == b.port) {
            let text = |l: &Listener| {
                format!(
                    "{} ({} on port {}, host {})",
                    l.name,
                    l.protocol,
                    l.port,
                    l.hostname.as_deref().unwrap_or("any")
                )
            };
            return Some(Problem {
                part: format!("conflict {}", b.name),
                rule: "gateway-listeners-conflict",
                confidence: Confidence::Established,
                entity: me.clone(),
                referrer: None,
                field: format!("spec.listeners[{}]", b.name),
                text: format!(
                    "Listeners {} and {} of Gateway {} are in conflict (Conflicted).",
                    text(a),
                    text(b),
                    me.name
                ),
            });
        }
    }
    None
}

/// What its controller says of it and of its listeners.
fn refused(g: &Gateway, me: &ObjectRef) -> Option<Problem> {
    let own = g.status.conditions.iter().map(|c| (None, c));
    let listeners = g.status.listeners.iter().flat_map(|l| l.conditions.iter().map(move |c| (Some(&l.name), c)));
    let bad = |c: &Condition| matches!(c.kind.as_str(), "Accepted" | "ResolvedRefs" | "Programmed") && c.is_false();
    // `Pending` is a load balancer on its way; what a listener says is closer to the fault than what the whole says.
    let (listener, c) = listeners.chain(own).find(|(_, c)| {
        bad(c) && !matches!(c.reason.as_deref(), Some("Pending" | "AddressNotAssigned" | "NoResources"))
    })?;
    let whose =
        listener.map_or_else(|| format!("Gateway {}", me.name), |l| format!("Listener {l} of Gateway {}", me.name));
    let reason = c.reason.as_deref().unwrap_or("");
    Some(Problem {
        part: format!("{} {reason}", c.kind),
        rule: "gateway-refused",
        confidence: Confidence::Established,
        entity: me.clone(),
        referrer: None,
        field: listener.map_or_else(|| "spec".into(), |l| format!("spec.listeners[{l}]")),
        text: format!(
            "{whose} is refused by its controller ({}=False, {reason}): {}",
            c.kind,
            words::clip(c.message.as_deref().unwrap_or("no message"), 240)
        ),
    })
}

fn class(cx: &mut Context<'_>, c: &GatewayClass) {
    let me = c.reference();
    let users: Vec<String> = cx
        .index
        .all(Kind::Gateway)
        .filter(|o| matches!(&***o, Object::Gateway(g) if g.spec.gateway_class_name == me.name))
        .map(|o| o.meta().name.clone())
        .collect();
    if users.is_empty() {
        return;
    }
    let accepted = Condition::find(&c.status.conditions, "Accepted");
    let for_whom = words::list(&users, 3);
    let (rule, confidence, seconds, text) = match accepted {
        Some(a) if a.is_true() => return,
        Some(a) if a.is_false() => (
            "gateway-class-refused",
            Confidence::Established,
            HOLD,
            format!(
                "GatewayClass {} is not accepted by its controller {} ({}): {} Gateways of it do nothing: {for_whom}.",
                me.name,
                c.spec.controller_name,
                a.reason.as_deref().unwrap_or(""),
                words::clip(a.message.as_deref().unwrap_or(""), 200)
            ),
        ),
        // What is proven wrong beside it goes first: without a controller nothing is served anyway.
        _ if cx.found().iter().any(|f| matches!(f.rule_id.as_str(), "gateway-wrong" | "route-wrong")) => return,
        _ => (
            "gateway-class-unserved",
            Confidence::Likely,
            CONTROLLER,
            format!(
                "No controller has accepted GatewayClass {}: nobody runs as {} (waiting for controller), so its Gateways do nothing: {for_whom}.",
                me.name, c.spec.controller_name
            ),
        ),
    };
    let p = Problem {
        part: String::new(),
        rule,
        confidence,
        entity: me.clone(),
        referrer: None,
        field: "spec.controllerName".into(),
        text,
    };
    told(cx, "gateway-wrong", &me, "is served by nobody", c.metadata.creation_timestamp, seconds, p);
}
