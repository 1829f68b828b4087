//! Other hosts: the Service, the pods and the policies behind a name, and who wrote the name.

use std::net::IpAddr;

use super::{
    Blame, Case, api, bound, listens,
    name::{beyond, infer, port_field, port_source, unknown, unset, written_port},
    policy::{Goal, blocked},
    server::outside,
    setting::of_map,
};
use crate::{
    detect::{
        backing::{ON_NO_NODE, nowhere},
        context::{edit, scale},
    },
    host::{self, Holder},
    index::Now,
    logs::{Class, Signal},
    object::{
        Kind, Object, ObjectRef, Pod, Service, has_all,
        network::{PortRef, ServicePort},
    },
    policy::Direction,
    remediation::ActionKind,
    severity::Confidence,
    words,
};

/// Host and port as a line names them.
pub(super) struct Target {
    pub host: String,
    pub port: Option<u16>,
}

pub(super) fn target(text: &str) -> Target {
    let (host, port) = host::split(text);
    Target { host: host.to_owned(), port }
}

/// A host that cannot be resolved, reached, or that refuses.
pub(super) fn host(case: &Case<'_, '_>, signal: &Signal) -> Blame {
    // A runtime that names no host (Python's gaierror) still has it in its environment or command.
    let inferred = if signal.subject.is_none() { infer(case, signal.class) } else { None };
    let signal = &Signal { subject: signal.subject.clone().or(inferred), ..signal.clone() };
    if let Some(blame) = bound::hasty(case, signal) {
        return blame;
    }
    let own = case.own(signal);
    let Some(text) = signal.subject.as_deref() else {
        return match dns_trouble(case, signal, None) {
            Some(blame) => blame,
            None => own,
        };
    };
    let at = target(text);
    if matches!(at.host.as_str(), "localhost" | "127.0.0.1" | "::1" | "0.0.0.0") {
        return local(case, &at, own);
    }
    if let Some(blame) = unset(case, signal, &at.host, &own) {
        return blame;
    }
    let index = case.cx.index;
    if let Ok(address) = at.host.parse() {
        return match host::holder(index, address, case.ended()) {
            Some(Holder::Service(service)) => behind(case, signal, &at, service, own),
            Some(Holder::Node(node)) => on_node(case, signal, address, &at, node, own),
            Some(Holder::Pod(pod)) => {
                let whose = case.cx.owner(pod).subject;
                let own = own.says(format!("; this is pod {} of {whose}", pod.metadata.name));
                policy(case, signal, &Goal::Pod { pod, port: at.port }).unwrap_or(own)
            }
            None => match meant(case, signal, address, at.port) {
                Some(name) => {
                    let subject = at.port.map_or_else(|| name.clone(), |p| format!("{name}:{p}"));
                    host(case, &Signal { subject: Some(subject), ..signal.clone() })
                        .says(format!("; the log names {}, an address that nothing in the cluster has now", at.host))
                }
                None => outside(case, signal, &at, own),
            },
        };
    }
    let place = host::place(index, case.ns(), &at.host);
    let found = place.as_ref().and_then(|p| index.get(Kind::Service, Some(&p.namespace), &p.name));
    if let Some(Object::Service(service)) = found.map(|o| &**o) {
        if signal.class == Class::Dns
            && let Some(blame) = beyond(case, &at.host, service, signal)
        {
            return blame;
        }
        return behind(case, signal, &at, service, own);
    }
    if signal.class == Class::Dns
        && let Some(blame) = dns_trouble(case, signal, Some(&at))
    {
        return blame;
    }
    match place {
        Some(place) if signal.class == Class::Dns && index.knows(Kind::Service, Some(&place.namespace)) => {
            unknown(case, &at.host, &place, own)
        }
        Some(_) => own.field(case.written(&at.host).unwrap_or_else(|| case.path("env"))),
        None if index.get(Kind::Node, None, &at.host).is_some() => own.says(format!("; this is node {}", at.host)),
        None => outside(case, signal, &at, own),
    }
}

/// The host whose address it must have been, where nothing has it any more: the only Service of those the pod is
/// configured with, or its namespace has, that the same line names or that is asked for on this port.
fn meant(case: &Case<'_, '_>, signal: &Signal, address: IpAddr, port: Option<u16>) -> Option<String> {
    let within = match address {
        IpAddr::V4(a) => a.is_private() || a.octets()[0] == 100 && a.octets()[1] & 0xc0 == 64,
        IpAddr::V6(a) => a.is_unique_local(),
    };
    if !within {
        return None;
    }
    let known = |name: &String| host::service(case.cx.index, case.ns(), name).is_some();
    let only = |mut all: Vec<String>| {
        all.sort();
        all.dedup();
        (all.len() == 1).then(|| all.remove(0))
    };
    let mut configured = case.hosts();
    configured.retain(known);
    let services = case.cx.index.in_namespace(Kind::Service, case.ns()).map(|o| o.meta().name.clone());
    let named = |name: &String| super::contains_word(&signal.text, name);
    only(configured.iter().filter(|n| named(n)).cloned().collect())
        .or_else(|| only(services.filter(|n| n.len() >= 4 && named(n)).collect()))
        .or_else(|| {
            only(configured.iter().filter(|n| port.is_some() && written_port(case, n) == port).cloned().collect())
        })
}

/// A node's own address: a server on its network, or a port of a Service.
fn on_node(case: &Case<'_, '_>, signal: &Signal, address: IpAddr, at: &Target, node: &str, own: Blame) -> Blame {
    if let Some(found) = policy(case, signal, &Goal::Addresses(&[(address, at.port)])) {
        return found;
    }
    let opens = |p: &&Pod| {
        let mut ports = p.spec.containers.iter().flat_map(|c| &c.ports);
        let here = |n: u16| at.port == Some(n);
        ports.any(|d| d.host_port.is_some_and(here) || (p.spec.host_network && here(d.container_port)))
    };
    let server = case.cx.pods_on(node).into_iter().filter(|p| !p.finished()).find(opens);
    let who = server.map(|p| format!(", whose port is that of pod {}", p.metadata.name)).unwrap_or_default();
    own.says(format!("; this is the address of node {node}{who}"))
}

/// Its own network: another container of the pod, or nobody.
fn local(case: &Case<'_, '_>, at: &Target, own: Blame) -> Blame {
    let own = own.says("; that is the pod itself");
    let written = case.written(&at.host).unwrap_or_else(|| case.path("env"));
    let Some(port) = at.port else { return own.field(written) };
    let other = case
        .pod
        .spec
        .containers
        .iter()
        .chain(&case.pod.spec.init_containers)
        .find(|c| c.name != case.spec.name && c.ports.iter().any(|p| p.container_port == port));
    match other {
        Some(c) => own.says(format!(": container {} has port {port} and does not serve it yet", c.name)).field(written),
        None => own.says(format!(", and no other container of it has port {port}")).field(written),
    }
}

/// A Service of that name exists: what of it, or on the way to it, is wrong.
fn behind(case: &Case<'_, '_>, signal: &Signal, at: &Target, service: &Service, own: Blame) -> Blame {
    let object = Object::Service(service.clone());
    let me = object.reference();
    let name = &me.name;
    let ns = service.metadata.namespace.as_deref().unwrap_or("");
    let dns = signal.class == Class::Dns;
    if service.spec.kind.as_deref() == Some("ExternalName")
        && let Some(outside) = service.spec.external_name.as_deref()
    {
        // A name for a host elsewhere has no endpoints: who does not answer is that host.
        let own = own.says(format!("; Service {name} is a name for {outside} (ExternalName)"));
        let field = "spec.externalName".to_owned();
        let lately = case.changes(&me).iter().any(|c| c.fields.iter().any(|f| f.path == field));
        let said = if lately { ", and was one for another until shortly before" } else { "" };
        let own = own.says(said);
        return match dns || lately {
            true => own.on(me, Some(field), case),
            false => {
                let port = at.port.map(|p| format!(":{p}")).unwrap_or_default();
                own.on(ObjectRef::external(&format!("{outside}{port}")), None, case)
            }
        };
    }
    if dns {
        return match dns_trouble(case, signal, Some(at)) {
            Some(blame) => blame,
            None => own.says(format!("; Service {name} exists in namespace {ns}")),
        };
    }
    // Clients such as wget name an address and no port: the workload wrote both.
    let at = &Target { host: at.host.clone(), port: at.port.or_else(|| written_port(case, name)) };
    let headless = host::headless(service);
    let ports = &service.spec.ports;
    let ports_text = words::list(&ports.iter().map(|p| p.port.to_string()).collect::<Vec<_>>(), 4);
    let port = at.port.and_then(|n| ports.iter().find(|p| p.port == n));
    let item = |blame: Blame, aspect: &str, summary: String| {
        let selector: Vec<String> = service.spec.selector.iter().map(|(k, v)| format!("{k}={v}")).collect();
        blame.seen(
            &object,
            aspect,
            summary,
            &[("ports", ports_text.clone()), ("selector", selector.join(","))],
            Now::STAMP,
        )
    };
    let pods = case.cx.index.pods_matching(ns, &service.spec.selector);
    let pods: Vec<&Pod> = pods.into_iter().filter(|p| !p.finished()).collect();
    let ready = super::super::endpoints_ready(case.cx, &me);
    let selects = !service.spec.selector.is_empty();
    // Where nobody is behind the Service, no port of it would answer.
    if selects && (ready == Some(false) || (pods.is_empty() && case.cx.index.knows(Kind::Pod, Some(ns)))) {
        return without_endpoints(case, service, &object, &pods, own);
    }
    if let Some(asked) = at.port.filter(|_| port.is_none() && !headless && !ports.is_empty()) {
        let text = format!("; Service {name} has port {ports_text} and no port {asked}");
        let mine = case.changes(&me).iter().any(|c| c.fields.iter().any(|f| f.path.starts_with("spec.ports")));
        let written = port_field(case, &[&at.host, name], asked);
        let blame =
            item(own.says(text).rule("service-port-unknown"), "ports", format!("Service {name} has port {ports_text}"));
        return match written {
            Some((field, sure)) if !mine => blame
                .sure(if sure { Confidence::Established } else { Confidence::Likely })
                .field(field)
                .step(case.edit(ActionKind::SetEnv, format!("Service {name} has port {ports_text}"))),
            _ if mine => blame.on(me.clone(), Some(format!("spec.ports[{}].port", part(&ports[0]))), case).step(edit(
                ActionKind::SetServicePort,
                &me,
                format!("port {asked} is asked for"),
            )),
            _ => match port_source(case, &at.host, asked) {
                Some(found) => of_map(case, blame, found).sure(Confidence::Likely),
                None => blame.field(case.path("env")),
            },
        };
    }
    if service.spec.selector.is_empty() {
        return api::by_hand(case, signal, at, service, own);
    }
    if let Some(port) = port.or(ports.first().filter(|_| ports.len() == 1 && !headless)) {
        let declared: Vec<(Option<&str>, u16)> = pods
            .iter()
            .flat_map(|p| &p.spec.containers)
            .flat_map(|c| &c.ports)
            .map(|p| (p.name.as_deref(), p.container_port))
            .collect();
        let lacks = match &port.target_port {
            PortRef::Name(n) => !pods.is_empty() && !declared.iter().any(|(d, _)| *d == Some(n)),
            PortRef::Number(0) => !declared.is_empty() && !declared.iter().any(|(_, d)| *d == port.port),
            PortRef::Number(n) => !declared.is_empty() && !declared.iter().any(|(_, d)| d == n),
        };
        if lacks && !headless {
            let goal = match &port.target_port {
                PortRef::Number(0) => port.port.to_string(),
                other => other.to_string(),
            };
            let offers = words::list(&declared.iter().map(|(_, n)| n.to_string()).collect::<Vec<_>>(), 4);
            let offers = if offers.is_empty() { "declare no port".to_owned() } else { format!("declare {offers}") };
            let sure = matches!(port.target_port, PortRef::Name(_));
            return item(
                own.says(format!(
                    "; port {} of Service {name} leads to target port {goal}, and its pods {offers}",
                    port.port
                )),
                "ports",
                format!("Service {name}: port {} leads to {goal}", port.port),
            )
            .rule("service-target-port-wrong")
            .sure(if sure { Confidence::Established } else { Confidence::Likely })
            .on(me.clone(), Some(format!("spec.ports[{}].targetPort", part(port))), case)
            .step(edit(ActionKind::SetServicePort, &me, "its target port must be one its pods open"));
        }
    }
    if let Some(pod) = pods.iter().find(|p| p.ready()).or(pods.first()) {
        let number = port.and_then(|p| number_of(p, &[pod]));
        if let Some(found) = policy(case, signal, &Goal::Pod { pod, port: number.or(at.port.filter(|_| headless)) }) {
            return found;
        }
    }
    if ready == Some(true)
        && signal.class == Class::ConnectionRefused
        && let Some(port) = port.or(ports.first().filter(|_| ports.len() == 1))
        && let Some(target) = number_of(port, &pods)
        && let Some(found) = listens::nobody(case, &object, &pods, target, &own)
    {
        return found;
    }
    let state = if ready == Some(true) { " and has ready endpoints" } else { "" };
    let own =
        item(own.says(format!("; Service {name} exists{state}")), "ports", format!("Service {name} exists{state}"));
    match case.written(&at.host) {
        Some(field) => own.field(field),
        None => own,
    }
}

/// The port of these pods that a Service's port leads to.
fn number_of(port: &ServicePort, pods: &[&Pod]) -> Option<u16> {
    match &port.target_port {
        PortRef::Number(0) => Some(port.port),
        PortRef::Number(n) => Some(*n),
        PortRef::Name(n) => {
            let mut all = pods.iter().flat_map(|p| &p.spec.containers).flat_map(|c| &c.ports);
            all.find(|d| d.name.as_deref() == Some(n)).map(|d| d.container_port)
        }
    }
}

/// How a Service's port is named in paths.
fn part(port: &ServicePort) -> String {
    port.name.clone().unwrap_or_else(|| port.port.to_string())
}

/// Nothing serves behind the Service: it finds no pod, its workload is scaled to zero, or its pods are not ready.
fn without_endpoints(case: &Case<'_, '_>, service: &Service, object: &Object, pods: &[&Pod], own: Blame) -> Blame {
    let me = object.reference();
    let name = &me.name;
    let ns = service.metadata.namespace.as_deref().unwrap_or("");
    let selector: Vec<String> = service.spec.selector.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let selector = selector.join(",");
    let own = own.rule("dependency-without-endpoints").seen(
        object,
        "endpoints",
        format!("Service {name} selects {selector} and has no ready endpoint"),
        &[("selector", selector.clone()), ("pods that match", pods.len().to_string())],
        Now::STAMP,
    );
    if pods.is_empty() {
        let templates = [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet];
        let meant = templates
            .iter()
            .flat_map(|k| case.cx.index.in_namespace(*k, ns))
            .find(|o| o.pod_template().is_some_and(|t| has_all(&t.metadata.labels, &service.spec.selector)));
        let Some(workload) = meant else {
            return own
                .says(format!(
                    "; Service {name} has no ready endpoints: its selector {selector} matches no pod in {ns}"
                ))
                .rule("dependency-selects-nothing")
                .on(me.clone(), Some("spec.selector".into()), case)
                .step(edit(ActionKind::SetServiceSelector, &me, "the selector must name labels its pods have"));
        };
        let replicas = match &**workload {
            Object::Deployment(d) => d.spec.replicas,
            Object::StatefulSet(s) => s.spec.replicas,
            _ => None,
        };
        let target = workload.reference();
        if replicas == Some(0) {
            return own
                .says(format!("; {target} behind Service {name} is scaled to 0 replicas, so it has no ready endpoints"))
                .rule("dependency-scaled-to-zero")
                .sure(Confidence::Established)
                .on(target.clone(), Some("spec.replicas".into()), case)
                .seen(workload, "replicas", format!("{target} has replicas 0"), &[("replicas", "0".into())], Now::STAMP)
                .step(scale(&target, format!("Service {name} has no pod to lead to"), "1"));
        }
        if let Object::DaemonSet(set) = &**workload
            && let Some(nowhere) = nowhere(case.cx.index, set)
        {
            let sure = if nowhere.field.is_some() { Confidence::Established } else { Confidence::Likely };
            let desired = ("desiredNumberScheduled", "0".to_owned());
            return own
                .says(format!(
                    "; {target} behind Service {name} runs on no node ({}), so it has no ready endpoints",
                    nowhere.why
                ))
                .rule(ON_NO_NODE)
                .sure(sure)
                .on(target.clone(), nowhere.field, case)
                .seen(workload, "replicas", format!("{target} is wanted on no node"), &[desired], Now::STAMP);
        }
        return own.says(format!("; Service {name} has no ready endpoints: {target} has no pod")).on(me, None, case);
    }
    let whose = case.cx.owner(pods[0]).subject;
    own.says(format!(
        "; Service {name} has no ready endpoints: none of the {} of {whose} is ready",
        words::count(pods.len(), "pod")
    ))
    .on(me, None, case)
}

/// The policy that keeps the pod from its goal, as the cause.
pub(super) fn policy(case: &Case<'_, '_>, signal: &Signal, goal: &Goal<'_>) -> Option<Blame> {
    if !matches!(signal.class, Class::Timeout | Class::Unreachable | Class::Dns) {
        return None;
    }
    let found = blocked(case, goal)?;
    let reference = found.policy.reference();
    let what = match goal {
        Goal::Dns => "DNS (port 53)".to_owned(),
        Goal::Pod { pod, port: Some(p) } => format!("pod {} on port {p}", pod.metadata.name),
        Goal::Pod { pod, port: None } => format!("pod {}", pod.metadata.name),
        Goal::Addresses(all) => {
            let told = all.iter().map(|(address, port)| port.map_or(address.to_string(), |p| format!("{address}:{p}")));
            words::list(&told.collect::<Vec<_>>(), 2)
        }
        Goal::Outside { port: Some(p) } => format!("hosts outside the cluster on port {p}"),
        Goal::Outside { port: None } => "hosts outside the cluster".to_owned(),
    };
    let (name, way) = (&reference.name, found.direction.as_str().to_lowercase());
    let lets = match found.lets.as_str() {
        "nothing" => format!("no {way} at all"),
        lets => format!("{way} {lets}"),
    };
    let says = match found.direction {
        Direction::Egress => format!("; NetworkPolicy {name} selects its pods and allows {lets}, not to {what}"),
        Direction::Ingress => {
            format!("; NetworkPolicy {name} selects {what} and allows {lets}, not from {}", case.owner.subject)
        }
    };
    Some(
        case.own(signal)
            .says(says)
            .rule("network-policy-blocks")
            .on(reference.clone(), Some(found.direction.field().to_owned()), case)
            .seen(
                found.policy,
                &way,
                format!("NetworkPolicy {name} allows {lets}"),
                &[("allows", lets.clone())],
                Now::STAMP,
            )
            .step(edit(ActionKind::SetNetworkPolicy, &reference, format!("it does not allow {what}"))),
    )
}

/// Names are not resolved at all: a policy before the DNS server, the pod's own DNS policy, the server itself.
fn dns_trouble(case: &Case<'_, '_>, signal: &Signal, at: Option<&Target>) -> Option<Blame> {
    if signal.class != Class::Dns {
        return None;
    }
    let spec = &case.pod.spec;
    let mode = spec.dns_policy.as_deref().unwrap_or("ClusterFirst");
    let exists = at.is_some_and(|t| host::service(case.cx.index, case.ns(), &t.host).is_some());
    // The node's resolver knows no Service.
    if exists && (mode == "Default" || (spec.host_network && mode == "ClusterFirst")) {
        let why = if mode == "Default" {
            "dnsPolicy is Default, so the node's resolver is asked, which knows no Service".to_owned()
        } else {
            "with hostNetwork the dnsPolicy must be ClusterFirstWithHostNet, and it is ClusterFirst".to_owned()
        };
        return Some(
            case.own(signal)
                .says(format!("; the Service exists, but {why}"))
                .rule("dns-policy-wrong")
                .sure(Confidence::Established)
                .field(case.owner.pod_field("dnsPolicy"))
                .step(case.edit(ActionKind::Patch, "names of Services are resolved by the cluster's own DNS server")),
        );
    }
    if signal.detail.is_none() && at.is_some() && !exists {
        return None;
    }
    if let Some(found) = policy(case, signal, &Goal::Dns) {
        return Some(found);
    }
    let servers: Vec<&Service> = host::dns_services(case.cx.index).collect();
    let down = |s: &&Service| super::super::endpoints_ready(case.cx, &s.reference()) == Some(false);
    let service = *servers.first().filter(|_| servers.iter().all(down))?;
    let (reference, service) = (service.reference(), &Object::Service(service.clone()));
    let server = case.cx.index.get(Kind::Deployment, Some(host::DNS_NAMESPACE), "coredns").map(|o| o.reference());
    let entity = server.unwrap_or(reference);
    Some(
        case.own(signal)
            .says(format!("; the cluster's DNS server has no ready endpoints ({entity} in kube-system)"))
            .rule("dependency-without-endpoints")
            .seen(
                service,
                "endpoints",
                "The DNS Service has no ready endpoint".into(),
                &[("ready", "0".into())],
                Now::STAMP,
            )
            .on(entity, None, case),
    )
}
