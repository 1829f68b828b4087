//! Ingresses that lead nowhere, that nobody serves, or that claim what another one has.

use std::collections::{BTreeMap, HashSet};

use super::super::{
    Context,
    backing::{deleted_at, ports},
    context::{action, cause, edit, finding, hold, ns_flag, object_evidence},
    crash::endpoints_ready,
};
use super::{CLAIM, INGRESS, ISSUING, changed_at, selector};
use crate::{
    evidence::EvidenceKind,
    finding::Finding,
    object::{Ingress, Kind, Object, ObjectRef, Service},
    remediation::ActionKind,
    severity::{Confidence, Severity},
    words,
};

pub(super) fn ingress(cx: &mut Context<'_>, i: &Ingress) {
    let me = i.reference();
    let ns = i.metadata.namespace.as_deref();
    // What broke it may be a change of a Service, the class or a certificate as well as of the Ingress itself.
    let backends = i.backends().map(|(_, b)| ObjectRef::missing(Kind::Service, ns, &b.name));
    let class = i.spec.ingress_class_name.iter().map(|c| ObjectRef::missing(Kind::IngressClass, None, c));
    let secrets = i.spec.tls.iter().filter_map(|t| t.secret_name.as_deref());
    let secrets = secrets.map(|name| ObjectRef::missing(Kind::Secret, ns, name));
    let since = std::iter::once(me.clone())
        .chain(backends)
        .chain(class)
        .chain(secrets)
        .filter_map(|o| changed_at(cx, &o))
        .max()
        .or(i.metadata.creation_timestamp)
        .unwrap_or_else(|| cx.now.get());
    let mut problems = Vec::new();
    if cx.index.knows(Kind::Service, ns) {
        // `use-annotation` names no port: the load balancer's controller reads an action from an annotation.
        for (path, backend) in i.backends().filter(|(_, b)| b.port.name.as_deref() != Some("use-annotation")) {
            match cx.index.get(Kind::Service, ns, &backend.name).map(|o| &**o) {
                None => {
                    let missing = ObjectRef::missing(Kind::Service, ns, &backend.name);
                    // One that was there is missing; else the name may be wrong.
                    let (entity, referrer) = match deleted_at(cx, &missing) {
                        Some(_) => (missing, me.clone()),
                        None => (me.clone(), missing),
                    };
                    problems.push(Problem {
                        part: backend.name.clone(),
                        rule: "ingress-service-missing",
                        entity,
                        referrer: Some(referrer),
                        field: match path.starts_with("every ") {
                            true => "spec.defaultBackend.service.name",
                            false => "spec.rules[].http.paths[].backend.service.name",
                        },
                        hold: INGRESS,
                        text: format!(
                            "Ingress {} sends {path} to Service {}, which does not exist (not found) in namespace {}.",
                            me.name,
                            backend.name,
                            ns.unwrap_or("")
                        ),
                        kind: ActionKind::SetIngressBackend,
                        confidence: Confidence::Established,
                    });
                }
                Some(Object::Service(s)) => {
                    let named = backend.port.name.as_ref();
                    let ok = match (named, backend.port.number) {
                        (Some(name), _) => s.spec.ports.iter().any(|p| p.name.as_ref() == Some(name)),
                        (None, Some(n)) => s.spec.ports.iter().any(|p| p.port == n),
                        (None, None) => true,
                    };
                    let external = s.spec.kind.as_deref() == Some("ExternalName") && s.spec.ports.is_empty();
                    let ok = ok || external;
                    if ok && let Some(problem) = by_hand(cx, s, &me, &path) {
                        problems.push(problem);
                    }
                    if !ok {
                        let have = ports(s);
                        problems.push(Problem {
                            part: format!("{}:{}", backend.name, backend.port),
                            rule: "ingress-port-missing",
                            entity: me.clone(),
                            referrer: Some(s.reference()),
                            field: match path.starts_with("every ") {
                                true => "spec.defaultBackend.service.port",
                                false => "spec.rules[].http.paths[].backend.service.port",
                            },
                            hold: INGRESS,
                            text: format!(
                                "Ingress {} sends {path} to port {} of Service {}, which has no such port: it has {}.",
                                me.name,
                                backend.port,
                                backend.name,
                                words::list(&have, 4)
                            ),
                            kind: ActionKind::SetIngressBackend,
                            confidence: Confidence::Established,
                        });
                    }
                }
                Some(_) => {}
            }
        }
    }
    if let Some(class) = &i.spec.ingress_class_name
        && cx.index.knows(Kind::IngressClass, None)
        && cx.index.get(Kind::IngressClass, None, class).is_none()
    {
        let have: Vec<String> = cx.index.all(Kind::IngressClass).map(|o| o.meta().name.clone()).collect();
        let have = if have.is_empty() {
            "the cluster has none".to_owned()
        } else {
            format!("the cluster has {}", words::list(&have, 4))
        };
        problems.push(Problem {
            part: format!("class {class}"),
            rule: "ingress-class-missing",
            entity: me.clone(),
            referrer: Some(ObjectRef::missing(Kind::IngressClass, None, class)),
            field: "spec.ingressClassName",
            hold: INGRESS,
            text: format!("Ingress {} names IngressClass {class}, which does not exist (not found): no controller serves it; {have}.", me.name),
            kind: ActionKind::Patch,
            confidence: Confidence::Established,
        });
    }
    let issued = cx.index.all(Kind::APIService).any(|o| o.meta().name.ends_with(".cert-manager.io"));
    if cx.index.knows(Kind::Secret, ns) {
        for secret in i.spec.tls.iter().filter_map(|t| t.secret_name.as_ref()) {
            let found = cx.index.get(Kind::Secret, ns, secret);
            if let Some(Object::Secret(s)) = found.map(|o| &**o)
                && let Some(lacks) = s.lacks_of_certificate()
            {
                problems.push(Problem {
                    part: format!("tls {secret}"),
                    rule: "ingress-certificate-unusable",
                    entity: Object::Secret(s.clone()).reference(),
                    referrer: Some(me.clone()),
                    field: "data",
                    hold: if issued { ISSUING } else { INGRESS },
                    text: format!(
                        "Secret {secret} of Ingress {} holds no usable certificate: {lacks} is missing, which every Secret of type kubernetes.io/tls has.{}",
                        me.name,
                        s.has()
                    ),
                    kind: ActionKind::CreateSecret,
                    confidence: Confidence::Established,
                });
            }
            if found.is_none() {
                problems.push(Problem {
                    part: format!("tls {secret}"),
                    rule: "ingress-certificate-missing",
                    entity: ObjectRef::missing(Kind::Secret, ns, secret),
                    referrer: Some(me.clone()),
                    field: "spec.tls[].secretName",
                    // Where certificates are issued in the cluster, this one may be on its way.
                    hold: if issued { ISSUING } else { INGRESS },
                    text: format!("Secret {secret} with the certificate of Ingress {} does not exist (not found) in namespace {}.", me.name, ns.unwrap_or("")),
                    kind: ActionKind::CreateSecret,
                    confidence: Confidence::Established,
                });
            }
        }
    }
    for p in problems {
        let mut f = finding("ingress-backend-wrong", me.clone(), &me, Severity::High, since);
        f.part = p.part;
        let certificate = p.rule.starts_with("ingress-certificate-");
        f.headline = if certificate { "has no certificate that serves" } else { "leads nowhere" }.into();
        f.started_basis = "Ingress created or changed".into();
        f.message.clone_from(&p.text);
        // Its Service or Secret may be on its way.
        f.hold = hold(p.hold);
        if p.hold == ISSUING {
            cx.ordinary_until_due(&mut f);
        }
        // The controller serves one of its own instead; where that has been so for long, somebody lives with it.
        if certificate {
            f.severity = Severity::Medium;
            if cx.now.beyond(since, selector::LATELY) {
                f.hold = Finding::JOINS_ONLY;
            }
        }
        let item = object_evidence(
            EvidenceKind::Object,
            me.clone(),
            p.rule,
            words::clip(&p.text, 140),
            &[("ingress", me.name.clone()), ("found", p.text.clone())],
            since,
        );
        let mut c = cause(p.rule, p.confidence, p.entity.clone(), p.text);
        c.referrer = p.referrer;
        c.field = Some(p.field.into());
        c.evidence = vec![item.key.clone()];
        c.signs.pro = 2;
        f.evidence.push(item);
        f.causes.push(c);
        let step = match p.kind {
            ActionKind::CreateSecret => action(
                p.kind,
                &p.entity,
                "the certificate it names",
                "none",
                "create secrets",
                format!("kubectl create secret tls {}{} --cert=FILE --key=FILE", p.entity.name, ns_flag(&me)),
            ),
            kind => edit(kind, &me, "it must name what exists"),
        };
        f.actions.push(step);
        cx.report(f);
    }
}

struct Problem {
    part: String,
    rule: &'static str,
    entity: ObjectRef,
    referrer: Option<ObjectRef>,
    field: &'static str,
    text: String,
    kind: ActionKind,
    confidence: Confidence,
    /// Seconds.
    hold: i64,
}

/// A Service whose endpoints are written by hand, and are not: nothing is behind it.
fn by_hand(cx: &Context<'_>, s: &Service, me: &ObjectRef, path: &str) -> Option<Problem> {
    let service = s.reference();
    let plain = s.spec.selector.is_empty() && s.spec.kind.as_deref() != Some("ExternalName");
    if !plain || s.metadata.controller().is_some() || endpoints_ready(cx, &service) != Some(false) {
        return None;
    }
    Some(Problem {
        part: format!("{} by hand", service.name),
        rule: "service-has-no-endpoints",
        text: format!(
            "Ingress {} sends {path} to Service {}, which has no selector and no endpoints: nobody is behind it.",
            me.name, service.name
        ),
        entity: service,
        referrer: Some(me.clone()),
        field: "spec.selector",
        kind: ActionKind::Patch,
        confidence: Confidence::Established,
        hold: INGRESS,
    })
}

/// The class an Ingress names, by field or by the older annotation.
fn class(i: &Ingress) -> Option<&str> {
    i.spec
        .ingress_class_name
        .as_deref()
        .or_else(|| i.metadata.annotations.get("kubernetes.io/ingress.class").map(String::as_str))
}

/// What all the Ingresses say together: one that no controller takes, two that claim the same path.
pub(super) fn together(cx: &mut Context<'_>) {
    let index = cx.index;
    let all: Vec<&Ingress> = index
        .all(Kind::Ingress)
        .filter_map(|o| match &**o {
            Object::Ingress(i) if !i.metadata.deleting() => Some(i),
            _ => None,
        })
        .collect();
    unclaimed(cx, &all);
    conflicts(cx, &all);
}

/// An Ingress without a class, where no class is the default and others are served.
fn unclaimed(cx: &mut Context<'_>, all: &[&Ingress]) {
    if !cx.index.knows(Kind::IngressClass, None) {
        return;
    }
    let default = |o: &Object| {
        o.meta().annotations.get("ingressclass.kubernetes.io/is-default-class").is_some_and(|v| v == "true")
    };
    let classes: Vec<String> = cx.index.all(Kind::IngressClass).map(|o| o.meta().name.clone()).collect();
    if classes.is_empty() || cx.index.all(Kind::IngressClass).any(|o| default(o)) {
        return;
    }
    let served = |i: &Ingress| !i.status.load_balancer.ingress.is_empty();
    // A controller that takes what has no class, or none that says what it takes: nothing is known then.
    if !all.iter().any(|i| served(i)) || all.iter().any(|i| class(i).is_none() && served(i)) {
        return;
    }
    for i in all.iter().filter(|i| class(i).is_none()) {
        let me = i.reference();
        let since = changed_at(cx, &me).or(i.metadata.creation_timestamp).unwrap_or_else(|| cx.now.get());
        let mut f = finding("ingress-unclaimed", me.clone(), &me, Severity::Medium, since);
        f.headline = "is served by no controller: it names no class".into();
        f.started_basis = "Ingress created or changed".into();
        f.hold = hold(CLAIM);
        cx.ordinary_until_due(&mut f);
        let have = words::list(&classes, 4);
        f.message = format!("Ingress {} names no class, and no class is the default", me.name);
        let item = object_evidence(
            EvidenceKind::Object,
            me.clone(),
            "class",
            format!("Ingress {} has no ingressClassName and no address", me.name),
            &[("ingressClassName", "not set".into()), ("default class", "none".into()), ("classes", have.clone())],
            since,
        );
        let mut c = cause(
            "ingress-class-not-set",
            Confidence::Likely,
            me.clone(),
            format!(
                "Ingress {} has no ingressClassName and no IngressClass is the default, so no controller serves it (no address, while other Ingresses have one); the cluster has {have}.",
                me.name
            ),
        );
        c.field = Some("spec.ingressClassName".into());
        c.evidence = vec![item.key.clone()];
        c.signs.pro = 2;
        f.evidence.push(item);
        f.causes.push(c);
        f.actions.push(edit(ActionKind::Patch, &me, "it must name a class"));
        cx.report(f);
    }
}

/// Two Ingresses that send the same path of the same host to different Services: the older one wins.
fn conflicts(cx: &mut Context<'_>, all: &[&Ingress]) {
    let own = |i: &Ingress| {
        // Canaries and parts of one Ingress share their paths on purpose; some controllers make a balancer of each.
        let apart = class(i).and_then(|c| cx.index.get(Kind::IngressClass, None, c)).is_some_and(|o| match &**o {
            Object::IngressClass(c) => ["aws", "alb", "gce", "azure"].iter().any(|p| c.spec.controller.contains(p)),
            _ => false,
        });
        let annotations = &i.metadata.annotations;
        !apart
            && annotations.get("nginx.ingress.kubernetes.io/canary").is_none_or(|v| v != "true")
            && !annotations.contains_key("nginx.org/mergeable-ingress-type")
    };
    let mut sorted: Vec<&Ingress> = all.iter().copied().filter(|i| own(i)).collect();
    sorted.sort_by_key(|i| (i.metadata.creation_timestamp, i.metadata.namespace.clone(), i.metadata.name.clone()));
    let mut claimed: BTreeMap<(String, String, String, String), (&Ingress, String)> = BTreeMap::new();
    let mut found = Vec::new();
    for i in sorted {
        let ns = i.metadata.namespace.clone().unwrap_or_default();
        for (rule, host) in i.spec.rules.iter().filter_map(|r| Some((r, r.host.clone()?))) {
            for p in rule.http.iter().flat_map(|h| &h.paths) {
                let Some(backend) = &p.backend.service else { continue };
                let path = p.path.clone().unwrap_or_else(|| "/".into());
                let kind = p.path_type.clone().unwrap_or_default();
                let place = (class(i).unwrap_or("").to_owned(), host.clone(), path, kind);
                let to = format!("{ns}/{}:{}", backend.name, backend.port);
                match claimed.get(&place) {
                    Some((first, theirs)) if *theirs != to && !std::ptr::eq(*first, i) => {
                        found.push((*first, i, format!("{}{}", place.1, place.2), theirs.clone(), to));
                    }
                    Some(_) => {}
                    None => {
                        claimed.insert(place, (i, to));
                    }
                }
            }
        }
    }
    let mut seen = HashSet::new();
    found.retain(|f| seen.insert((std::ptr::from_ref(f.0), std::ptr::from_ref(f.1))));
    for (first, second, place, theirs, ours) in found {
        let (me, other) = (second.reference(), first.reference());
        let seen = [&me, &other].into_iter().filter_map(|o| changed_at(cx, o)).max();
        let since = seen.or(second.metadata.creation_timestamp).unwrap_or_else(|| cx.now.get());
        let watched = cx.index.watched_since(Kind::Ingress).map_or_else(|| cx.now.get(), |t| cx.now.min(t));
        let lately = watched.duration_since(since) <= selector::LATELY;
        let mut f = finding("ingress-conflict", me.clone(), &me, Severity::Medium, since);
        f.headline = "claims a path that another Ingress has".into();
        f.started_basis = "Ingress created or changed".into();
        f.hold = if lately { hold(INGRESS) } else { crate::finding::Finding::JOINS_ONLY };
        f.message = format!("Ingress {} and Ingress {} both claim {place}", other.name, me.name);
        let item = object_evidence(
            EvidenceKind::Object,
            me.clone(),
            "conflict",
            format!("{place} is claimed by Ingress {} and Ingress {}", other.name, me.name),
            &[("path", place.clone()), (other.name.as_str(), theirs.clone()), (me.name.as_str(), ours.clone())],
            since,
        );
        let place_of =
            |o: &ObjectRef| format!("Ingress {} in namespace {}", o.name, o.namespace.as_deref().unwrap_or(""));
        let mut c = cause(
            "ingress-path-taken",
            Confidence::Likely,
            me.clone(),
            format!(
                "{} sends {place} to {ours}, and the older {} sends the same host and path to {theirs}: a conflict in which the older one wins.",
                place_of(&me),
                place_of(&other)
            ),
        );
        c.field = Some("spec.rules[].http.paths[].path".into());
        c.referrer = Some(other);
        c.evidence = vec![item.key.clone()];
        c.signs.pro = 2;
        f.evidence.push(item);
        f.causes.push(c);
        f.actions.push(edit(ActionKind::SetIngressBackend, &me, "one path of a host may lead to one Service only"));
        cx.report(f);
    }
}
