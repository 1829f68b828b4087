//! Services and Ingresses that lead nowhere.

mod selector;

use jiff::Timestamp;

use super::{
    Context, Hold, Rule,
    context::{action, cause, edit, finding, hold, ns_flag, object_evidence},
    crash::endpoints_ready,
};
use crate::{
    change::{Change, ChangeVerb},
    evidence::EvidenceKind,
    finding::Finding,
    index::Index,
    object::{Container, Ingress, Kind, Object, ObjectRef, Pod, Service, network::PortRef},
    remediation::ActionKind,
    severity::{Confidence, Severity},
    words,
};

/// The rules of this family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "service-without-endpoints",
        means: "A Service has a selector and no ready endpoint.",
        source: "kubernetes.io/docs/tasks/debug/debug-application/debug-service",
        reads: &[Kind::Service, Kind::EndpointSlice, Kind::Pod],
        holds: &[
            Hold::JoinsOnly("when the selector finds pods and none is ready: the pods have findings of their own"),
            Hold::Exactly(selector::HOLD, "when the selector finds no pod, and that is news"),
        ],
        severities: &[(Severity::High, "always")],
        limits: &[
            "A Service without selector, of type ExternalName, or (for pods that are not ready) with `publishNotReadyAddresses`.",
            "When the selector fits the template of a workload: one scaled to zero, or whose pods are on their way.",
            "A selector that finds no pod opens an incident only where it is news: it looks misspelt, its pods were seen to go, or people wrote it within the last hour.",
        ],
        threshold: None,
        advises: &[ActionKind::SetServiceSelector],
    },
    Rule {
        id: "service-port-wrong",
        means: "A Service sends traffic to a port its pods do not offer.",
        source: "kubernetes.io/docs/concepts/services-networking/service#field-spec-ports",
        reads: &[Kind::Service, Kind::Pod],
        holds: &[Hold::Exactly(PORT, "")],
        severities: &[(Severity::High, "always")],
        limits: &[
            "A port number that no container declares, unless every container declares its ports and the Service's other ports fit none of them or its ports were changed.",
            "A Service whose selector finds no pod: that is `service-without-endpoints`.",
        ],
        threshold: None,
        advises: &[ActionKind::SetServicePort],
    },
    Rule {
        id: "ingress-backend-wrong",
        means: "An Ingress names a Service, a port, a class or a certificate that does not exist.",
        source: "kubernetes.io/docs/concepts/services-networking/ingress",
        reads: &[Kind::Ingress, Kind::Service, Kind::IngressClass],
        holds: &[Hold::Exactly(INGRESS, "")],
        severities: &[(Severity::High, "always")],
        limits: &[
            "The backend `use-annotation` of load balancer controllers.",
            "Services, classes or Secrets that may not be listed: what is not known is not missing.",
        ],
        threshold: None,
        advises: &[ActionKind::SetIngressBackend, ActionKind::Patch, ActionKind::CreateSecret],
    },
];

/// Hold times in seconds.
const PORT: i64 = 10;
const INGRESS: i64 = 15;

/// Looks at every Service and Ingress.
pub fn all(cx: &mut Context<'_>) {
    let index = cx.index;
    for o in index.all(Kind::Service) {
        if let Object::Service(s) = &**o
            && !s.metadata.deleting()
        {
            service(cx, s);
        }
    }
    for o in index.all(Kind::Ingress) {
        if let Object::Ingress(i) = &**o
            && !i.metadata.deleting()
        {
            ingress(cx, i);
        }
    }
}

fn service(cx: &mut Context<'_>, s: &Service) {
    let ns = s.metadata.namespace.as_deref().unwrap_or("");
    if s.spec.selector.is_empty()
        || s.spec.kind.as_deref() == Some("ExternalName")
        || !cx.index.knows(Kind::Pod, Some(ns))
    {
        return;
    }
    let me = Object::Service(s.clone()).reference();
    let here = |p: &&Pod| !p.finished() && !p.metadata.deleting();
    let matching: Vec<&Pod> = cx.index.pods_matching(ns, &s.spec.selector).into_iter().filter(here).collect();
    if matching.is_empty() {
        let pods = cx.index.in_namespace(Kind::Pod, ns).filter_map(|o| match &**o {
            Object::Pod(p) => Some(p),
            _ => None,
        });
        let pods: Vec<&Pod> = pods.filter(here).collect();
        selector::selects_nothing(cx, s, &me, &pods);
        return;
    }
    wrong_port(cx, s, &me, &Index::one_per_template(&matching));
    if endpoints_ready(cx, &me) == Some(false)
        && matching.iter().all(|p| !p.ready())
        && !s.spec.publish_not_ready_addresses
    {
        // The pods have findings of their own; this one tells that traffic is lost and joins them.
        let since = matching
            .iter()
            .filter_map(|p| crate::object::Condition::find(&p.status.conditions, "Ready")?.last_transition_time)
            .max()
            .or(s.metadata.creation_timestamp)
            .unwrap_or(cx.now);
        let mut f =
            finding("service-without-endpoints", me.clone(), &cx.owner(matching[0]).subject, Severity::High, since);
        f.headline = format!("leaves Service {} without endpoints", me.name);
        f.started_basis = "last ready pod lost".into();
        f.message = format!(
            "Service {} has no ready endpoint: none of its {} is ready",
            me.name,
            words::count(matching.len(), "pod")
        );
        let lines = [("selector", selector_text(s)), ("ready endpoints", "0".to_owned())];
        f.evidence.push(object_evidence(
            EvidenceKind::Object,
            me.clone(),
            "endpoints",
            format!("Service {} has no ready endpoint", me.name),
            &lines,
            since,
        ));
        // Never opens by itself: within a roll-out's budget unready pods are ordinary.
        f.hold = Finding::JOINS_ONLY;
        cx.report(f);
    }
}

fn selector_text(s: &Service) -> String {
    s.spec.selector.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",")
}

fn changes_of<'c>(cx: &'c Context<'_>, object: &'c ObjectRef) -> impl Iterator<Item = &'c Change> {
    cx.index.changes().filter(|c| c.object.same_name(object))
}

fn changed_at(cx: &Context<'_>, object: &ObjectRef) -> Option<Timestamp> {
    changes_of(cx, object).map(|c| c.at).max()
}

/// The object is new, or the change concerns this part of it.
fn touches(change: &Change, path: &str) -> bool {
    change.verb == ChangeVerb::Created || change.fields.iter().any(|f| f.path.contains(path))
}

/// The containers that run as long as the pod: its own, and init containers that stay (native sidecars).
fn serving(pod: &Pod) -> impl Iterator<Item = &Container> {
    let sidecars = pod.spec.init_containers.iter().filter(|c| c.restart_policy.as_deref() == Some("Always"));
    pod.spec.containers.iter().chain(sidecars)
}

fn wrong_port(cx: &mut Context<'_>, s: &Service, me: &ObjectRef, pods: &[&Pod]) {
    let declares = |n: u16| pods.iter().any(|p| serving(p).flat_map(|c| &c.ports).any(|d| d.container_port == n));
    let beside = s.spec.ports.iter().any(|p| match &p.target_port {
        PortRef::Number(0) => declares(p.port),
        PortRef::Number(n) => declares(*n),
        PortRef::Name(_) => true,
    });
    // Every container says its ports; metrics and the like are often left out beside one that is declared.
    let told = pods.iter().all(|p| serving(p).all(|c| !c.ports.is_empty()))
        && (!beside || changes_of(cx, me).any(|c| touches(c, "spec.ports")));
    for port in &s.spec.ports {
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        let target = match &port.target_port {
            PortRef::Number(0) => PortRef::Number(port.port),
            other => other.clone(),
        };
        let declared = |p: &Pod| -> Vec<(Option<String>, u16)> {
            serving(p)
                .flat_map(|c| &c.ports)
                .filter(|d| d.protocol.as_deref().unwrap_or("TCP") == protocol)
                .map(|d| (d.name.clone(), d.container_port))
                .collect()
        };
        let all: Vec<(Option<String>, u16)> = pods.iter().flat_map(|p| declared(p)).collect();
        let (missing, confidence) = match &target {
            // A name that no pod declares is proof: the Service has no endpoint port.
            PortRef::Name(name) => (!all.iter().any(|(n, _)| n.as_deref() == Some(name)), Confidence::Established),
            // A number works without being declared; where every container declares others it is probably wrong.
            PortRef::Number(n) => (told && !all.iter().any(|(_, p)| p == n), Confidence::Likely),
        };
        if !missing {
            continue;
        }
        let mut offered: Vec<String> =
            all.iter().map(|(n, p)| n.as_ref().map_or_else(|| p.to_string(), |n| format!("{n} ({p})"))).collect();
        offered.sort();
        offered.dedup();
        let owner = cx.owner(pods[0]).subject;
        let since = [me, &owner]
            .into_iter()
            .filter_map(|o| changed_at(cx, o))
            .max()
            .or(s.metadata.creation_timestamp)
            .unwrap_or(cx.now);
        let mut f = finding("service-port-wrong", me.clone(), me, Severity::High, since);
        f.part = port.name.clone().unwrap_or_else(|| port.port.to_string());
        f.headline = format!("sends traffic to port {target}, which its pods do not offer");
        f.started_basis = "Service created or changed".into();
        f.hold = hold(PORT);
        let offers = if offered.is_empty() {
            "declare no port".to_owned()
        } else {
            format!("declare {}", words::list(&offered, 4))
        };
        f.message = format!("Service {} port {} has target port {target}, but its pods {offers}", me.name, port.port);
        let item = object_evidence(
            EvidenceKind::Object,
            me.clone(),
            "ports",
            format!("Service {}: port {} → target port {target}", me.name, port.port),
            &[
                ("port", port.port.to_string()),
                ("targetPort", target.to_string()),
                ("pods declare", offered.join(", ")),
            ],
            since,
        );
        let mut c = cause(
            "service-target-port-wrong",
            confidence,
            me.clone(),
            format!(
                "Port {} of Service {} leads to target port {target}, which no container of {owner} has: they {offers}.",
                port.port, me.name
            ),
        );
        c.field = Some(format!("spec.ports[{}].targetPort", f.part));
        c.referrer = Some(owner);
        c.evidence = vec![item.key.clone()];
        c.signs.pro = 2;
        f.evidence.push(item);
        f.causes.push(c);
        f.actions.push(edit(ActionKind::SetServicePort, me, "the target port must be one its pods offer"));
        cx.report(f);
    }
}

fn ingress(cx: &mut Context<'_>, i: &Ingress) {
    let me = Object::Ingress(i.clone()).reference();
    let ns = i.metadata.namespace.as_deref();
    // What broke it may be a change of the Service as well as of the Ingress itself.
    let backends = i.backends().map(|(_, b)| ObjectRef::missing(Kind::Service, ns, &b.name));
    let since = std::iter::once(me.clone())
        .chain(backends)
        .filter_map(|o| changed_at(cx, &o))
        .max()
        .or(i.metadata.creation_timestamp)
        .unwrap_or(cx.now);
    let mut problems = Vec::new();
    if cx.index.knows(Kind::Service, ns) {
        // `use-annotation` names no port: the load balancer's controller reads an action from an annotation.
        for (path, backend) in i.backends().filter(|(_, b)| b.port.name.as_deref() != Some("use-annotation")) {
            match cx.index.get(Kind::Service, ns, &backend.name).map(|o| &**o) {
                None => {
                    let missing = ObjectRef::missing(Kind::Service, ns, &backend.name);
                    problems.push(Problem {
                        part: backend.name.clone(),
                        rule: "ingress-service-missing",
                        entity: me.clone(),
                        referrer: Some(missing),
                        field: "spec.rules[].http.paths[].backend.service.name",
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
                    if !ok {
                        let have: Vec<String> = s
                            .spec
                            .ports
                            .iter()
                            .map(|p| {
                                p.name.as_ref().map_or_else(|| p.port.to_string(), |n| format!("{n} ({})", p.port))
                            })
                            .collect();
                        problems.push(Problem {
                            part: format!("{}:{}", backend.name, backend.port),
                            rule: "ingress-port-missing",
                            entity: me.clone(),
                            referrer: Some(Object::Service(s.clone()).reference()),
                            field: "spec.rules[].http.paths[].backend.service.port",
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
            text: format!("Ingress {} names IngressClass {class}, which does not exist (not found): no controller serves it; {have}.", me.name),
            kind: ActionKind::Patch,
            confidence: Confidence::Established,
        });
    }
    if cx.index.knows(Kind::Secret, ns) {
        for secret in i.spec.tls.iter().filter_map(|t| t.secret_name.as_ref()) {
            if cx.index.get(Kind::Secret, ns, secret).is_none() {
                problems.push(Problem {
                    part: format!("tls {secret}"),
                    rule: "ingress-certificate-missing",
                    entity: ObjectRef::missing(Kind::Secret, ns, secret),
                    referrer: Some(me.clone()),
                    field: "spec.tls[].secretName",
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
        f.headline = "leads nowhere".into();
        f.started_basis = "Ingress created or changed".into();
        f.message.clone_from(&p.text);
        // Its Service or Secret may be on its way.
        f.hold = hold(INGRESS);
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
}
