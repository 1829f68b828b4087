//! Network policies: whether one keeps a pod from reaching what it asks for.

use serde_json::Value;

use super::Case;
use crate::object::{Kind, NetworkPolicy, Object, Pod, workload::LabelSelector};

/// Where the pod wants to go.
pub(super) enum Goal<'a> {
    /// The cluster's DNS server.
    Dns,
    /// A pod, on a port of its own.
    Pod { pod: &'a Pod, port: Option<u16> },
    /// A host outside the cluster.
    Outside { port: Option<u16> },
}

/// A policy that does not allow the way, and which way: `egress` or `ingress`.
pub(super) struct Blocked<'a> {
    pub policy: &'a Object,
    pub name: &'a str,
    pub direction: &'static str,
    /// What it allows, in words.
    pub allows: String,
}

/// The policy that keeps the pod from its goal, if the policies there are do.
pub(super) fn blocked<'a>(case: &Case<'_, 'a>, goal: &Goal<'_>) -> Option<Blocked<'a>> {
    let here = case.ns();
    if let Some(found) = direction(case, here, case.pod, "egress", |rule| egress_allows(case, rule, goal)) {
        return Some(found);
    }
    let Goal::Pod { pod, port } = goal else { return None };
    let there = pod.metadata.namespace.as_deref()?;
    direction(case, there, pod, "ingress", |rule| {
        port_allowed(rule, *port, pod) && peer_allowed(case, rule.get("from"), case.pod, there)
    })
}

/// The policies that select a pod allow what any of them allows; where none is, everything is allowed.
fn direction<'a>(
    case: &Case<'_, 'a>,
    ns: &str,
    pod: &Pod,
    direction: &'static str,
    allows: impl Fn(&Value) -> bool,
) -> Option<Blocked<'a>> {
    if !case.cx.index.knows(Kind::NetworkPolicy, Some(ns)) {
        return None;
    }
    let policies: Vec<(&'a Object, &'a NetworkPolicy)> = case
        .cx
        .index
        .all(Kind::NetworkPolicy)
        .filter_map(|o| match &**o {
            Object::NetworkPolicy(p) if p.metadata.namespace.as_deref() == Some(ns) => Some((&**o, p)),
            _ => None,
        })
        .filter(|(_, p)| p.spec.pod_selector.matches(&pod.metadata.labels))
        .filter(|(_, p)| {
            let types = &p.spec.policy_types;
            match direction {
                "egress" => types.iter().any(|t| t == "Egress") || (types.is_empty() && !p.spec.egress.is_empty()),
                _ => types.is_empty() || types.iter().any(|t| t == "Ingress"),
            }
        })
        .collect();
    let rules = |p: &'a NetworkPolicy| if direction == "egress" { &p.spec.egress } else { &p.spec.ingress };
    if policies.is_empty() || policies.iter().any(|(_, p)| rules(p).iter().any(&allows)) {
        return None;
    }
    // The one that was written last; else the narrowest, which was meant for these pods.
    let (object, policy) = policies.into_iter().max_by_key(|(o, p)| {
        let changed = case.changes(&o.reference()).first().map(|c| c.at);
        let narrow = p.spec.pod_selector.match_labels.len() + p.spec.pod_selector.match_expressions.len();
        (changed, narrow, std::cmp::Reverse(p.metadata.name.clone()))
    })?;
    let rules = rules(policy);
    let allows = if rules.is_empty() { "nothing".to_owned() } else { describe(rules, direction) };
    Some(Blocked { policy: object, name: &policy.metadata.name, direction, allows })
}

/// The rules in a few words.
fn describe(rules: &[Value], direction: &str) -> String {
    let peer = if direction == "egress" { "to" } else { "from" };
    let parts: Vec<String> = rules
        .iter()
        .map(|rule| {
            let ports: Vec<String> = rule
                .get("ports")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|p| p.get("port"))
                .map(|p| p.as_str().map_or_else(|| p.to_string(), str::to_owned))
                .collect();
            let labels: Vec<String> = rule
                .get(peer)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .map(|p| {
                    let pairs: Vec<String> = ["namespaceSelector", "podSelector"]
                        .iter()
                        .filter_map(|s| p.pointer(&format!("/{s}/matchLabels"))?.as_object())
                        .flatten()
                        .map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or("")))
                        .collect();
                    let block = p.pointer("/ipBlock/cidr").and_then(Value::as_str).map(str::to_owned);
                    block.unwrap_or_else(|| if pairs.is_empty() { "any pod".into() } else { pairs.join(" and ") })
                })
                .collect();
            let who = if labels.is_empty() { "anyone".to_owned() } else { labels.join(" or ") };
            if ports.is_empty() {
                format!("{peer} {who}")
            } else {
                format!("{peer} {who} on port {}", ports.join(", "))
            }
        })
        .collect();
    crate::words::list(&parts, 3)
}

fn egress_allows(case: &Case<'_, '_>, rule: &Value, goal: &Goal<'_>) -> bool {
    let to = rule.get("to");
    match goal {
        Goal::Pod { pod, port } => port_allowed(rule, *port, pod) && peer_allowed(case, to, pod, case.ns()),
        Goal::Outside { port } => number_allowed(rule, *port) && outside_allowed(to),
        Goal::Dns => {
            // Whichever pods serve it, they lie in kube-system.
            let server = case
                .cx
                .index
                .in_namespace(Kind::Pod, "kube-system")
                .filter_map(|o| match &**o {
                    Object::Pod(p) => Some(p),
                    _ => None,
                })
                .find(|p| p.metadata.labels.get("k8s-app").is_some_and(|v| v == "kube-dns" || v == "coredns"));
            let assumed = || {
                let mut p = Pod::default();
                p.metadata.namespace = Some("kube-system".into());
                p.metadata.labels.insert("k8s-app".into(), "kube-dns".into());
                p
            };
            let server = server.cloned().unwrap_or_else(assumed);
            number_allowed(rule, Some(53)) && peer_allowed(case, to, &server, case.ns())
        }
    }
}

fn ports(rule: &Value) -> Option<&Vec<Value>> {
    rule.get("ports").and_then(Value::as_array).filter(|p| !p.is_empty())
}

/// Ports by number; an unknown port counts as allowed.
fn number_allowed(rule: &Value, port: Option<u16>) -> bool {
    let (Some(ports), Some(port)) = (ports(rule), port) else { return true };
    let port = u64::from(port);
    ports.iter().any(|p| match p.get("port") {
        None | Some(Value::Null) => true,
        Some(Value::Number(n)) => {
            let end = p.get("endPort").and_then(Value::as_u64);
            n.as_u64().is_some_and(|n| n == port || end.is_some_and(|e| (n..=e).contains(&port)))
        }
        // A name is the target's to say.
        Some(_) => false,
    })
}

fn port_allowed(rule: &Value, port: Option<u16>, pod: &Pod) -> bool {
    let (Some(ports), Some(number)) = (ports(rule), port) else { return true };
    let named = ports.iter().filter_map(|p| p.get("port")?.as_str()).any(|name| {
        let mut all = pod.spec.containers.iter().flat_map(|c| &c.ports);
        all.any(|p| p.name.as_deref() == Some(name) && p.container_port == number)
    });
    named || number_allowed(rule, Some(number))
}

/// Without peers everyone is allowed. Addresses are compared as far as they are known.
fn peer_allowed(case: &Case<'_, '_>, peers: Option<&Value>, pod: &Pod, policy_ns: &str) -> bool {
    let Some(peers) = peers.and_then(Value::as_array).filter(|p| !p.is_empty()) else { return true };
    let ns = pod.metadata.namespace.as_deref().unwrap_or("");
    peers.iter().any(|peer| {
        if let Some(block) = peer.get("ipBlock") {
            let cidr = block.get("cidr").and_then(Value::as_str).unwrap_or("");
            return pod.status.pod_ip.as_deref().is_none_or(|ip| in_cidr(ip, cidr).unwrap_or(true));
        }
        let selector = |name: &str| {
            peer.get(name)
                .filter(|v| !v.is_null())
                .and_then(|v| serde_json::from_value::<LabelSelector>(v.clone()).ok())
        };
        let in_namespace = match selector("namespaceSelector") {
            None => ns == policy_ns,
            Some(s) => {
                let mut labels =
                    case.cx.index.get(Kind::Namespace, None, ns).map(|n| n.meta().labels.clone()).unwrap_or_default();
                // The API server writes this label on every namespace.
                labels.insert("kubernetes.io/metadata.name".into(), ns.to_owned());
                s.matches(&labels)
            }
        };
        in_namespace && selector("podSelector").is_none_or(|s| s.matches(&pod.metadata.labels))
    })
}

/// Selectors never find a host outside; address blocks may.
fn outside_allowed(peers: Option<&Value>) -> bool {
    let Some(peers) = peers.and_then(Value::as_array).filter(|p| !p.is_empty()) else { return true };
    peers.iter().any(|p| p.get("ipBlock").is_some())
}

/// Whether an IPv4 address lies in a block; `None` where that cannot be told.
fn in_cidr(ip: &str, cidr: &str) -> Option<bool> {
    let (base, bits) = cidr.split_once('/')?;
    let number = |t: &str| t.parse::<std::net::Ipv4Addr>().ok().map(u32::from);
    let (ip, base, bits) = (number(ip)?, number(base)?, bits.parse::<u32>().ok().filter(|b| *b <= 32)?);
    let mask = if bits == 0 { 0 } else { u32::MAX << (32 - bits) };
    Some(ip & mask == base & mask)
}
