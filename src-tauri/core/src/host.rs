//! What a host name or an address means to a pod: a Service, a node, another pod, or something outside the cluster. One
//! answer for everybody who asks.

use std::net::IpAddr;

use jiff::Timestamp;

use crate::{
    index::Index,
    object::{Kind, Object, Pod, Service},
    words,
};

/// A Service as a host name writes it, be it there or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub name: String,
    pub namespace: String,
}

impl Place {
    /// Where a Service is.
    pub(crate) fn of(service: &Service) -> Place {
        let meta = &service.metadata;
        Place { name: meta.name.clone(), namespace: meta.namespace.clone().unwrap_or_default() }
    }
}

/// Who has an address.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Holder<'a> {
    Service(&'a Service),
    /// The name of a node: its own address, or that of a pod on its network.
    Node(&'a str),
    Pod(&'a Pod),
}

/// Endings of public and private domains: seldom a namespace.
const DOMAINS: &[&str] = &[
    "com",
    "org",
    "net",
    "io",
    "dev",
    "local",
    "internal",
    "invalid",
    "test",
    "example",
    "app",
    "cloud",
    "info",
    "biz",
    "xyz",
    "online",
    "site",
    "tech",
    "gov",
    "edu",
    "mil",
    "int",
    "lan",
    "corp",
    "home",
    "localdomain",
    "intranet",
];

/// Host and port of a text such as `db:5432`, `[::1]:80` or `db.shop.svc.`.
pub(crate) fn split(text: &str) -> (&str, Option<u16>) {
    let text = text.trim_matches('/');
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|t| t.split_once(']')) {
        return (host, rest.strip_prefix(':').and_then(|p| p.parse().ok()));
    }
    match text.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>())) {
        Some((host, Ok(port))) if !host.contains(':') => (host.trim_end_matches('.'), Some(port)),
        _ => (text.trim_end_matches('.'), None),
    }
}

/// The Service that a host name or an address means to a pod of this namespace, if it exists.
pub(crate) fn service<'a>(index: &'a Index, own: &str, host: &str) -> Option<&'a Service> {
    let (host, _) = split(host);
    if let Ok(address) = host.parse() {
        return match holder(index, address, Timestamp::MAX)? {
            Holder::Service(service) => Some(service),
            Holder::Node(_) | Holder::Pod(_) => None,
        };
    }
    readings(host, own).into_iter().find_map(|reading| {
        let found = named(index, reading.namespace, reading.name)?;
        // A pod has a name of its own behind a headless Service.
        let fits = reading.sure || headless(found) || reading.pod.is_none_or(ends_in_number);
        fits.then_some(found)
    })
}

/// The Service of the cluster that a host name can only mean, be it there or not; none for what lies outside.
pub(crate) fn place(index: &Index, own: &str, host: &str) -> Option<Place> {
    let (host, _) = split(host);
    if host.is_empty() || host.parse::<IpAddr>().is_ok() {
        return None;
    }
    if let Some(found) = service(index, own, host) {
        return Some(Place::of(found));
    }
    if index.get(Kind::Node, None, host).is_some() {
        return None;
    }
    if let Some(place) = governing(index, own, host) {
        return Some(place);
    }
    let first = readings(host, own).into_iter().next()?;
    let inside = first.sure
        || match first.pod {
            None => can_be_namespace(index, first.namespace),
            Some(pod) => {
                ends_in_number(pod)
                    && !DOMAINS.contains(&first.namespace)
                    && index.get(Kind::Namespace, None, first.namespace).is_some()
            }
        };
    inside.then(|| Place { name: first.name.to_owned(), namespace: first.namespace.to_owned() })
}

/// The address is near that of the API server's own Service, where a cluster's Services have theirs: a range of theirs is
/// hardly smaller than that.
pub(crate) fn within(index: &Index, address: IpAddr) -> bool {
    const RANGE: u32 = 20;
    // Where Services of other namespaces cannot be read, it may be one of those.
    if !index.knows(Kind::Service, None) {
        return false;
    }
    let api = index.get(Kind::Service, Some("default"), "kubernetes");
    let own = match api.map(|o| &**o) {
        Some(Object::Service(s)) => s.spec.cluster_ip.as_deref().and_then(|ip| ip.parse().ok()),
        _ => None,
    };
    match (own, address) {
        (Some(IpAddr::V4(own)), IpAddr::V4(other)) => (u32::from(own) ^ u32::from(other)) >> (32 - RANGE) == 0,
        _ => false,
    }
}

/// Who has this address; of pods, which come and go, one that was there at that time.
pub(crate) fn holder(index: &Index, address: IpAddr, at: Timestamp) -> Option<Holder<'_>> {
    let found = index.at_address(address);
    let service = found.iter().find_map(|o| match o {
        Object::Service(s) => Some(Holder::Service(s)),
        _ => None,
    });
    let node = || {
        found.iter().find_map(|o| match o {
            Object::Node(n) => Some(Holder::Node(n.metadata.name.as_str())),
            Object::Pod(p) if p.spec.host_network => p.spec.node_name.as_deref().map(Holder::Node),
            _ => None,
        })
    };
    let pod = || {
        let made = |p: &Pod| p.metadata.creation_timestamp;
        let pods = found.iter().filter_map(|o| match o {
            Object::Pod(p) if !p.spec.host_network && made(p).is_none_or(|t| t <= at) => Some(p),
            _ => None,
        });
        pods.max_by_key(|p| made(p)).map(Holder::Pod)
    };
    service.or_else(node).or_else(pod)
}

/// One way to read a host name as that of a Service.
struct Reading<'h> {
    name: &'h str,
    namespace: &'h str,
    /// The name is that of a pod behind the Service.
    pod: Option<&'h str>,
    /// The form leaves no doubt: `db`, `db.shop.svc`.
    sure: bool,
}

/// The ways to read a host name, in the order in which a resolver tries them.
fn readings<'h>(host: &'h str, own: &'h str) -> Vec<Reading<'h>> {
    let read = |name, namespace, pod, sure| Reading { name, namespace, pod, sure };
    let parts: Vec<&str> = host.split('.').collect();
    match parts.as_slice() {
        [name] => vec![read(name, own, None, true)],
        [name, ns, "svc", ..] => vec![read(name, ns, None, true)],
        [pod, name, ns, "svc", ..] => vec![read(name, ns, Some(pod), true)],
        [a, b] => vec![read(a, b, None, false), read(b, own, Some(a), false)],
        [pod, name, ns] => vec![read(name, ns, Some(pod), false)],
        _ => Vec::new(),
    }
}

/// A word behind a name's dot may be a namespace: there is one, was one, or is one of nearly that name.
fn can_be_namespace(index: &Index, word: &str) -> bool {
    if index.get(Kind::Namespace, None, word).is_some() {
        return true;
    }
    // Countries have two letters.
    if DOMAINS.contains(&word) || word.len() == 2 {
        return false;
    }
    let was = || {
        index.changes().any(|c| {
            let its = c.object.namespace.as_deref() == Some(word);
            its || (c.object.is(Kind::Namespace) && c.object.name == word)
        })
    };
    let nearly = || index.all(Kind::Namespace).any(|o| words::misspelt(&o.meta().name, word));
    !index.knows(Kind::Namespace, None) || was() || nearly()
}

/// `zk-0.zk` is a pod of StatefulSet zk of the namespace, whose Service is called zk.
fn governing(index: &Index, own: &str, host: &str) -> Option<Place> {
    let (pod, service) = host.split_once('.').filter(|(pod, service)| ends_in_number(pod) && !service.contains('.'))?;
    let (set, _) = pod.rsplit_once('-')?;
    match &**index.get(Kind::StatefulSet, Some(own), set)? {
        Object::StatefulSet(s) if s.spec.service_name == service => {
            Some(Place { name: service.to_owned(), namespace: own.to_owned() })
        }
        _ => None,
    }
}

fn ends_in_number(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(_, n)| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit()))
}

fn named<'a>(index: &'a Index, namespace: &str, name: &str) -> Option<&'a Service> {
    match &**index.get(Kind::Service, Some(namespace), name)? {
        Object::Service(s) => Some(s),
        _ => None,
    }
}

/// It has no address of its own: its name leads to its pods.
pub(crate) fn headless(service: &Service) -> bool {
    service.spec.cluster_ip.as_deref() == Some("None")
}

/// The Service of the API server.
pub(crate) fn is_api_server(service: &Service) -> bool {
    service.metadata.namespace.as_deref() == Some("default") && service.metadata.name == "kubernetes"
}

/// Where the cluster's DNS answers.
pub(crate) const DNS_NAMESPACE: &str = "kube-system";
/// What its Services are called.
pub(crate) const DNS_NAMES: [&str; 3] = ["kube-dns", "coredns", "rke2-coredns-rke2-coredns"];

/// A Service that answers the cluster's DNS.
pub(crate) fn is_dns(service: &Service) -> bool {
    let usual = |name: &str| DNS_NAMES.contains(&name);
    service.metadata.namespace.as_deref() == Some(DNS_NAMESPACE)
        && (usual(&service.metadata.name) || service.metadata.labels.get("k8s-app").is_some_and(|l| usual(l)))
}

/// The Services that answer the cluster's DNS.
pub(crate) fn dns_services(index: &Index) -> impl Iterator<Item = &Service> {
    index.in_namespace(Kind::Service, DNS_NAMESPACE).filter_map(|o| match &**o {
        Object::Service(s) if is_dns(s) => Some(s),
        _ => None,
    })
}
