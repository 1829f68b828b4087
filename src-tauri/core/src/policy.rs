//! What network policies allow: given a client, a server, a port and a protocol, which policies select either side and
//! whether they let the traffic through. The same for a pod's way to the cluster's DNS.
//!
//! Pure and unforgiving towards itself: what cannot be decided (a namespace or an address that is not known) counts as
//! allowed, so that no policy is accused falsely. Whether the cluster's network enforces policies at all is not known
//! here.

use std::{collections::BTreeMap, net::IpAddr, sync::LazyLock};

use serde_json::Value;

use crate::{
    host,
    index::Index,
    object::{Kind, LabelSelector, NetworkPolicy, Object, ObjectRef, Pod, Service, network::PortRef},
};

/// Seen from the pod that a policy selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// Traffic that comes in.
    Ingress,
    /// Traffic that goes out.
    Egress,
}

impl Direction {
    /// As `policyTypes` writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Ingress => "Ingress",
            Direction::Egress => "Egress",
        }
    }

    /// The field that has the rules.
    pub fn field(self) -> &'static str {
        match self {
            Direction::Ingress => "spec.ingress",
            Direction::Egress => "spec.egress",
        }
    }
}

/// The other end of the traffic, seen from the selected pod.
#[derive(Clone, Copy, Debug)]
pub enum Peer<'a> {
    Pod(&'a Pod),
    /// Something outside the cluster, or a node.
    Address(IpAddr),
    /// Something outside the cluster of which no address is known.
    Outside,
}

/// The policies of one direction that concern one pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// The policies that select the pod in this direction; without any, everything is allowed.
    pub selecting: Vec<ObjectRef>,
    /// Those of them that allow the traffic.
    pub allowing: Vec<ObjectRef>,
}

impl Side {
    /// A policy selects the pod in this direction: what none allows is dropped.
    pub fn isolated(&self) -> bool {
        !self.selecting.is_empty()
    }

    /// The traffic passes on this side.
    pub fn allows(&self) -> bool {
        self.selecting.is_empty() || !self.allowing.is_empty()
    }
}

/// Both sides of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passage {
    /// The client's policies.
    pub egress: Side,
    /// The server's policies.
    pub ingress: Side,
}

impl Passage {
    /// Neither side drops it.
    pub fn allows(&self) -> bool {
        self.egress.allows() && self.ingress.allows()
    }

    /// The policies that drop it: the client's if they do, else the server's; empty where it passes.
    pub fn blocked_by(&self) -> (Direction, &[ObjectRef]) {
        if !self.egress.allows() {
            return (Direction::Egress, &self.egress.selecting);
        }
        match self.ingress.allows() {
            true => (Direction::Ingress, &[]),
            false => (Direction::Ingress, &self.ingress.selecting),
        }
    }
}

/// Whether a client pod may connect to a server pod's port (the container's, not the Service's: see [`target`]).
/// `None` where the policies of one side may not be read.
pub fn between(index: &Index, client: &Pod, server: &Pod, port: u16, protocol: &str) -> Option<Passage> {
    Some(Passage {
        egress: side(index, client, Direction::Egress, Peer::Pod(server), port, protocol)?,
        ingress: side(index, server, Direction::Ingress, Peer::Pod(client), port, protocol)?,
    })
}

/// What the policies of one pod say of traffic with a peer; the port is the server's. `None` where they may not be read.
pub fn side(index: &Index, pod: &Pod, direction: Direction, peer: Peer<'_>, port: u16, protocol: &str) -> Option<Side> {
    let ns = pod.metadata.namespace.as_deref().unwrap_or("");
    if !index.knows(Kind::NetworkPolicy, Some(ns)) {
        return None;
    }
    let mut side = Side::default();
    for (reference, policy) in selecting(index, pod, direction) {
        if allows(index, policy, pod, direction, peer, Some(port), Some(protocol)) {
            side.allowing.push(reference.clone());
        }
        side.selecting.push(reference);
    }
    Some(side)
}

/// The policies that select a pod in a direction. Pods on the host's network are not subject to any.
pub fn selecting<'i>(
    index: &'i Index,
    pod: &'i Pod,
    direction: Direction,
) -> impl Iterator<Item = (ObjectRef, &'i NetworkPolicy)> {
    let ns = pod.metadata.namespace.as_deref().unwrap_or("");
    index
        .in_namespace(Kind::NetworkPolicy, ns)
        .filter(|_| !pod.spec.host_network)
        .filter_map(|o| match &**o {
            Object::NetworkPolicy(p) => Some((o.reference(), p)),
            _ => None,
        })
        .filter(move |(_, p)| isolates(p, direction) && p.spec.pod_selector.matches(&pod.metadata.labels))
}

/// The policy governs this direction: by `policyTypes`, or by the API's defaults (ingress always, egress where it has
/// egress rules).
pub fn isolates(policy: &NetworkPolicy, direction: Direction) -> bool {
    let types = &policy.spec.policy_types;
    match direction {
        _ if !types.is_empty() => types.iter().any(|t| t == direction.as_str()),
        Direction::Ingress => true,
        Direction::Egress => !policy.spec.egress.is_empty(),
    }
}

fn rules(policy: &NetworkPolicy, direction: Direction) -> &[Value] {
    match direction {
        Direction::Ingress => &policy.spec.ingress,
        Direction::Egress => &policy.spec.egress,
    }
}

/// One of the rules of a policy that selects the pod lets this traffic through; a port or a protocol that is not known
/// is no reason not to.
pub fn allows(
    index: &Index,
    policy: &NetworkPolicy,
    pod: &Pod,
    direction: Direction,
    peer: Peer<'_>,
    port: Option<u16>,
    protocol: Option<&str>,
) -> bool {
    let ns = policy.metadata.namespace.as_deref().unwrap_or("");
    // Port names are those of the pod that is connected to.
    let server = match (direction, peer) {
        (Direction::Ingress, _) => Some(pod),
        (Direction::Egress, Peer::Pod(peer)) => Some(peer),
        (Direction::Egress, Peer::Address(_) | Peer::Outside) => None,
    };
    rules(policy, direction).iter().any(|rule| {
        let (peers, ports) =
            (list(rule, if direction == Direction::Ingress { "from" } else { "to" }), list(rule, "ports"));
        (ports.is_empty() || ports.iter().any(|p| port_fits(p, server, port, protocol)))
            && (peers.is_empty() || peers.iter().any(|p| peer_fits(index, p, ns, peer)))
    })
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn port_fits(rule: &Value, server: Option<&Pod>, port: Option<u16>, protocol: Option<&str>) -> bool {
    let same = |of: Option<&str>| protocol.is_none_or(|p| of.unwrap_or("TCP").eq_ignore_ascii_case(p));
    let Some(port) = port else { return true };
    if !same(rule.get("protocol").and_then(Value::as_str)) {
        return false;
    }
    match rule.get("port") {
        None | Some(Value::Null) => true,
        Some(Value::String(name)) => server.is_some_and(|pod| {
            pod.spec
                .containers
                .iter()
                .chain(&pod.spec.init_containers)
                .flat_map(|c| &c.ports)
                .any(|p| p.name.as_deref() == Some(name) && p.container_port == port && same(p.protocol.as_deref()))
        }),
        Some(number) => {
            let from = number.as_u64().unwrap_or(0);
            let to = rule.get("endPort").and_then(Value::as_u64).unwrap_or(from);
            (from..=to).contains(&u64::from(port))
        }
    }
}

fn peer_fits(index: &Index, rule: &Value, policy_ns: &str, peer: Peer<'_>) -> bool {
    if let Some(block) = rule.get("ipBlock").filter(|b| !b.is_null()) {
        let address = match peer {
            Peer::Address(address) => Some(address),
            Peer::Pod(pod) => pod.status.pod_ip.as_ref().and_then(|ip| ip.parse().ok()),
            Peer::Outside => None,
        };
        // What has no known address may well lie within.
        return address.is_none_or(|a| block_has(block, a));
    }
    let Peer::Pod(pod) = peer else { return false };
    let ns = pod.metadata.namespace.as_deref().unwrap_or("");
    let namespace = match rule.get("namespaceSelector").and_then(selector) {
        None => ns == policy_ns,
        Some(selector) => {
            let known = index.get(Kind::Namespace, None, ns);
            let mut labels = known.map(|o| o.meta().labels.clone()).unwrap_or_default();
            // The API server sets it on every namespace.
            labels.entry(NAME.into()).or_insert_with(|| ns.to_owned());
            let by_name = selector
                .match_labels
                .keys()
                .chain(selector.match_expressions.iter().map(|r| &r.key))
                .all(|k| k == NAME);
            (known.is_none() && !by_name) || selector.matches(&labels)
        }
    };
    namespace && rule.get("podSelector").and_then(selector).is_none_or(|s| s.matches(&pod.metadata.labels))
}

/// The label that has a namespace's own name.
const NAME: &str = "kubernetes.io/metadata.name";

fn selector(value: &Value) -> Option<LabelSelector> {
    if value.is_null() {
        return None;
    }
    serde_json::from_value(value.clone()).ok()
}

fn block_has(block: &Value, address: IpAddr) -> bool {
    let within = |cidr: &Value| cidr.as_str().is_some_and(|c| cidr_has(c, address));
    block.get("cidr").is_some_and(within) && !list(block, "except").iter().any(within)
}

/// The address lies in the block, for example `10.0.0.0/8`.
pub fn cidr_has(cidr: &str, address: IpAddr) -> bool {
    let (base, bits) = cidr.split_once('/').unwrap_or((cidr, ""));
    let Ok(base) = base.parse::<IpAddr>() else { return false };
    let number = |a: IpAddr| match a {
        IpAddr::V4(a) => (u128::from(u32::from(a)), 32u32),
        IpAddr::V6(a) => (u128::from(a), 128),
    };
    let ((base, width), (address, other)) = (number(base), number(address));
    let bits = bits.parse::<u32>().unwrap_or(width).min(width);
    let shift = width - bits;
    width == other && (shift >= 128 || base >> shift == address >> shift)
}

/// A pod's way to the cluster's DNS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dns {
    /// The policies that select the pod for egress; empty where nothing is restricted.
    pub selecting: Vec<ObjectRef>,
    /// UDP to port 53 of the DNS pods passes. Resolvers ask by UDP first, and by TCP only what is too long.
    pub udp: bool,
    /// The same by TCP.
    pub tcp: bool,
    /// The policy that keeps clients away from the DNS pods themselves, where one does.
    pub refused_by: Vec<ObjectRef>,
}

impl Dns {
    /// The names of the cluster cannot be looked up.
    pub fn blocked(&self) -> bool {
        !self.udp
    }
}

/// Whether a pod's policies let it ask the cluster's DNS. Where the DNS pods are not known, a pod of the usual name and
/// labels in `kube-system` stands for them. `None` where the policies may not be read, or the pod asks another server.
pub fn dns(index: &Index, client: &Pod) -> Option<Dns> {
    if matches!(client.spec.dns_policy.as_deref(), Some("None" | "Default")) {
        return None;
    }
    let servers = dns_servers(index);
    let mut dns = Dns::default();
    for (protocol, passes) in [("UDP", &mut dns.udp), ("TCP", &mut dns.tcp)] {
        for server in &servers {
            // Servers on the host's network (a cache on every node) have the node's address or one of their own.
            let host = server.spec.host_network.then_some(());
            let out = side(index, client, Direction::Egress, Peer::Pod(server), 53, protocol)?;
            let into = side(index, server, Direction::Ingress, Peer::Pod(client), 53, protocol).unwrap_or_default();
            *passes |= (out.allows() && into.allows()) || host.is_some();
            if protocol == "UDP" {
                if !into.allows() {
                    dns.refused_by.extend(into.selecting);
                }
                dns.selecting = out.selecting;
            }
        }
    }
    dns.refused_by.sort();
    dns.refused_by.dedup();
    Some(dns)
}

/// The pods of the cluster's DNS; where they are not known, one of the usual name and labels stands for them.
pub fn dns_servers(index: &Index) -> Vec<&Pod> {
    static USUAL: LazyLock<Pod> = LazyLock::new(|| {
        let mut pod = Pod::default();
        pod.metadata.name = "coredns".into();
        pod.metadata.namespace = Some("kube-system".into());
        pod.metadata.labels.insert("k8s-app".into(), "kube-dns".into());
        pod
    });
    let there = |p: &&Pod| !p.metadata.deleting() && !p.finished();
    let behind = |s: &Service| index.pods_matching(host::DNS_NAMESPACE, &s.spec.selector);
    let mut servers: Vec<&Pod> = host::dns_services(index).flat_map(behind).filter(there).collect();
    if servers.is_empty() {
        let labelled = |name: &&str| BTreeMap::from([("k8s-app".to_owned(), (*name).to_owned())]);
        let pods = host::DNS_NAMES.iter().flat_map(|n| index.pods_matching(host::DNS_NAMESPACE, &labelled(n)));
        servers = pods.filter(there).collect();
    }
    servers.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    servers.dedup_by(|a, b| a.metadata.name == b.metadata.name);
    if servers.is_empty() { vec![&USUAL] } else { servers }
}

/// The port of a pod that a Service's port leads to, with its protocol.
pub fn target(service: &Service, port: u16, pod: &Pod) -> Option<(u16, String)> {
    let found = service.spec.ports.iter().find(|p| p.port == port)?;
    let protocol = found.protocol.clone().unwrap_or_else(|| "TCP".into());
    let number = match &found.target_port {
        PortRef::Number(0) => port,
        PortRef::Number(n) => *n,
        PortRef::Name(name) => {
            let named = |p: &&crate::object::pod::ContainerPort| p.name.as_deref() == Some(name);
            pod.spec
                .containers
                .iter()
                .chain(&pod.spec.init_containers)
                .flat_map(|c| &c.ports)
                .find(named)?
                .container_port
        }
    };
    Some((number, protocol))
}

/// What a policy lets through in a direction, in a few words: `only from pods app=web on TCP 8080`, `nothing`.
pub fn describe(policy: &NetworkPolicy, direction: Direction) -> String {
    let rules = rules(policy, direction);
    if rules.is_empty() {
        return "nothing".into();
    }
    let (word, field) = match direction {
        Direction::Ingress => ("from", "from"),
        Direction::Egress => ("to", "to"),
    };
    let told: Vec<String> = rules
        .iter()
        .map(|rule| {
            let peers: Vec<String> = list(rule, field).iter().map(peer_text).collect();
            let ports: Vec<String> = list(rule, "ports").iter().map(port_text).collect();
            let whom = if peers.is_empty() { "anywhere".into() } else { crate::words::list(&peers, 3) };
            let on = if ports.is_empty() { String::new() } else { format!(" on {}", crate::words::list(&ports, 4)) };
            format!("{word} {whom}{on}")
        })
        .collect();
    format!("only {}", crate::words::list(&told, 3))
}

fn peer_text(peer: &Value) -> String {
    if let Some(cidr) = peer.pointer("/ipBlock/cidr").and_then(Value::as_str) {
        return cidr.to_owned();
    }
    let part = |name: &str, one: &str| {
        let selector = peer.get(name).and_then(selector)?;
        let text = selector_text(&selector);
        Some(if text.is_empty() { format!("all {one}") } else { format!("{one} {text}") })
    };
    match (part("podSelector", "pods"), part("namespaceSelector", "namespaces")) {
        (Some(pods), Some(ns)) => format!("{pods} in {ns}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "nothing".into(),
    }
}

fn port_text(port: &Value) -> String {
    let protocol = port.get("protocol").and_then(Value::as_str).unwrap_or("TCP");
    let number = |name: &str| port.get(name).map(|p| p.as_str().map_or_else(|| p.to_string(), str::to_owned));
    match (number("port"), number("endPort")) {
        (Some(from), Some(to)) => format!("{protocol} {from}-{to}"),
        (Some(one), None) => format!("{protocol} {one}"),
        _ => protocol.to_owned(),
    }
}

/// A selector as people write it: `app=web,tier in (a,b)`; empty for one that matches everything.
pub fn selector_text(selector: &LabelSelector) -> String {
    let labels = selector.match_labels.iter().map(|(k, v)| format!("{k}={v}"));
    let sets = selector.match_expressions.iter().map(|r| match r.operator.as_str() {
        "In" => format!("{} in ({})", r.key, r.values.join(",")),
        "NotIn" => format!("{} not in ({})", r.key, r.values.join(",")),
        "Exists" => r.key.clone(),
        _ => format!("!{}", r.key),
    });
    labels.chain(sets).collect::<Vec<_>>().join(",")
}
