//! Services without a selector, whose endpoints somebody writes, and the API server, which writes its own.

use std::net::IpAddr;

use super::{
    Blame, Case,
    policy::Goal,
    reach::{Target, policy},
};
use crate::{
    host,
    index::Now,
    logs::Signal,
    object::{Condition, Kind, Object, ObjectRef, Pod, Service, kind::extension},
    severity::Confidence,
    words,
};

/// What a pod that carries a node's traffic is called.
const AGENTS: &[&str] = &[
    "kube-proxy",
    "cilium",
    "calico-node",
    "canal",
    "kube-flannel",
    "flannel",
    "weave-net",
    "antrea-agent",
    "kindnet",
    "kube-router",
    "aws-node",
    "azure-cns",
    "ovnkube-node",
];

/// The way to a Service without a selector: a policy before its endpoints, and who writes them.
pub(super) fn by_hand(case: &Case<'_, '_>, signal: &Signal, at: &Target, service: &Service, own: Blame) -> Blame {
    let mut ends = endpoints(case, service, at.port);
    let addresses: Vec<String> =
        ends.iter().map(|(a, port)| port.map_or(a.to_string(), |p| format!("{a}:{p}"))).collect();
    // Some networks judge a connection before the Service's address is replaced.
    ends.extend(service.spec.cluster_ip.as_deref().and_then(|ip| ip.parse().ok()).map(|ip: IpAddr| (ip, at.port)));
    let goal = match addresses.is_empty() {
        true => Goal::Outside { port: None },
        false => Goal::Addresses(&ends),
    };
    if let Some(found) = policy(case, signal, &goal) {
        return found;
    }
    if host::is_api_server(service) {
        return api_server(case, service, own);
    }
    let me = service.reference();
    let name = &me.name;
    let written = match addresses.is_empty() {
        true => "has no selector: its endpoints are written by hand".to_owned(),
        false => format!("has no selector: its endpoints ({}) are written by hand", words::list(&addresses, 3)),
    };
    own.says(format!("; Service {name} {written}")).on(me, None, case)
}

/// The addresses behind a Service, each with the port that its own port leads to.
fn endpoints(case: &Case<'_, '_>, service: &Service, port: Option<u16>) -> Vec<(IpAddr, Option<u16>)> {
    let ns = service.metadata.namespace.as_deref().unwrap_or("");
    let wanted = service.spec.ports.iter().find(|p| Some(p.port) == port).map(|p| p.name.as_deref().unwrap_or(""));
    let mut out = Vec::new();
    for slice in case.cx.index.slices_of(ns, &service.metadata.name) {
        let fits = |name: Option<&str>| wanted.is_none_or(|w| w == name.unwrap_or(""));
        let port = slice.ports.iter().find(|p| fits(p.name.as_deref())).and_then(|p| p.port);
        let addresses = slice.endpoints.iter().flat_map(|e| &e.addresses);
        out.extend(addresses.filter_map(|a| Some((a.parse().ok()?, port))));
    }
    out
}

/// The API server does not answer this pod, though it answers who looks at the cluster: the way there from its node.
fn api_server(case: &Case<'_, '_>, service: &Service, own: Blame) -> Blame {
    let own = own.says("; that is the API server of the cluster (Service kubernetes)");
    let index = case.cx.index;
    let node = case.pod.spec.node_name.as_deref().and_then(|n| index.get(Kind::Node, None, n));
    let Some(object @ Object::Node(node)) = node.map(|o| &**o) else {
        return own.needs("whether other pods reach the API server");
    };
    let (name, reference) = (&node.metadata.name, object.reference());
    let ready = Condition::find(&node.status.conditions, "Ready");
    if let Some(ready) = ready.filter(|c| !c.is_true()) {
        return own
            .says(format!(", and node {name} is not ready"))
            .seen(object, "ready", format!("Node {name} is not ready"), &[("Ready", ready.status.clone())], Now::STAMP)
            .on(reference, None, case);
    }
    let agent = |p: &&Pod| {
        AGENTS.iter().any(|a| p.metadata.name.starts_with(a))
            && p.spec.host_network
            && p.metadata.uid != case.pod.metadata.uid
            && !p.finished()
            && !p.ready()
    };
    if let Some(agent) = case.cx.pods_on(name).into_iter().find(agent) {
        let who = &agent.metadata.name;
        return own
            .says(format!(", and pod {who}, which carries the traffic of node {name}, is not ready"))
            .seen(
                &Object::Pod(agent.clone()),
                "agent",
                format!("Pod {who} on node {name} is not ready"),
                &[("node", name.clone()), ("ready", "false".into())],
                Now::STAMP,
            )
            .on(reference, None, case);
    }
    let (here, there): (Vec<&Pod>, Vec<&Pod>) =
        others(case).into_iter().partition(|p| p.spec.node_name.as_ref() == Some(name));
    let names = |pods: &[&Pod]| words::list(&pods.iter().map(|p| p.metadata.name.clone()).collect::<Vec<_>>(), 3);
    match (here.is_empty(), there.is_empty()) {
        (false, true) => own
            .says(format!(", and on its node {name} {} cannot reach it either, on no other node anybody", names(&here)))
            .seen(
                object,
                "cut off",
                format!("Pods on node {name} do not reach the API server"),
                &[("pods", names(&here))],
                Now::STAMP,
            )
            .sure(Confidence::Likely)
            .on(reference, None, case),
        (_, false) => own
            .says(format!("; {} on other nodes cannot reach it either", names(&there)))
            .on(service.reference(), None, case)
            .needs("the API server's own log, and its load"),
        (true, true) => own
            .says(format!("; it answers others, so the way from node {name} is to be looked at"))
            .on(reference, None, case)
            .needs(format!(
                "whether other pods on node {name} reach it, and the logs of kube-proxy and the network plugin there"
            )),
    }
}

/// Other pods whose logs say that the API server does not answer them.
fn others<'a>(case: &Case<'_, 'a>) -> Vec<&'a Pod> {
    let index = case.cx.index;
    let to_server = |pod: &Pod, signal: &Signal| {
        let host = signal.subject.as_deref().map(|s| host::split(s).0);
        let ns = pod.metadata.namespace.as_deref().unwrap_or("");
        signal.class.is_connection()
            && host.is_some_and(|h| host::service(index, ns, h).is_some_and(host::is_api_server))
    };
    let says = |pod: &Pod| {
        pod.containers().any(|(spec, _, _)| {
            let log = index.newest_log(&pod.metadata.uid, &spec.name);
            log.and_then(|l| index.said(&l.want)?.signal()).is_some_and(|s| to_server(pod, s))
        })
    };
    index.unsettled_pods().filter(|p| p.metadata.uid != case.pod.metadata.uid && says(p)).collect()
}

/// A kind of an extension that the API server does not know: its definition, by the name that Kubernetes would give it.
pub(super) fn definition(case: &Case<'_, '_>, signal: &Signal) -> Blame {
    let own = case.own(signal);
    let Some(kind) = signal.subject.as_deref() else { return own };
    let version = signal.text.split_once("in version ").map_or("", |(_, v)| v.trim_start_matches(['\\', '"']));
    // Of what Kubernetes itself no longer serves under this version there is no definition.
    let Some(group) = extension(version) else { return own };
    // What a server beside the API server offers has no definition.
    let served = |o: &std::sync::Arc<Object>| o.meta().name.ends_with(&format!(".{group}"));
    let by_server = |o: &std::sync::Arc<Object>| matches!(&**o, Object::APIService(a) if a.spec.service.is_some());
    if case.cx.index.all(Kind::APIService).any(|o| served(o) && by_server(o)) {
        return own;
    }
    // meta.UnsafeGuessKindToResource of k8s.io/apimachinery.
    let kind = kind.to_ascii_lowercase();
    let plural = match kind.strip_suffix('y') {
        _ if kind.ends_with('s') => format!("{kind}es"),
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{kind}s"),
    };
    let name = format!("{plural}.{group}");
    let definition = ObjectRef::unread("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, &name);
    own.says(format!(" (probably {name})")).on(definition, None, case)
}
