//! Network policies: whether one keeps a pod from reaching what it asks for.

use std::net::IpAddr;

use super::Case;
use crate::{
    object::{Kind, Object, Pod},
    policy::{self, Direction, Peer},
};

/// Where the pod wants to go.
pub(super) enum Goal<'a> {
    /// The cluster's DNS server.
    Dns,
    /// A pod, on a port of its own.
    Pod { pod: &'a Pod, port: Option<u16> },
    /// These addresses, of which one that may be reached is enough.
    Addresses(&'a [(IpAddr, Option<u16>)]),
    /// A host outside the cluster.
    Outside { port: Option<u16> },
}

/// A policy that does not allow the way, and which way.
pub(super) struct Blocked<'a> {
    pub policy: &'a Object,
    pub direction: Direction,
    /// What it lets through, in words.
    pub lets: String,
}

/// The policy that keeps the pod from its goal, if the policies there are do.
pub(super) fn blocked<'a>(case: &Case<'_, 'a>, goal: &Goal<'_>) -> Option<Blocked<'a>> {
    let out = |peer, port| stops(case, case.pod, Direction::Egress, peer, port);
    match goal {
        Goal::Outside { port } => out(Peer::Outside, *port),
        Goal::Pod { pod, port } => {
            out(Peer::Pod(pod), *port).or_else(|| stops(case, pod, Direction::Ingress, Peer::Pod(case.pod), *port))
        }
        Goal::Addresses(all) => {
            let each = all.iter().map(|(address, port)| out(Peer::Address(*address), *port));
            each.collect::<Option<Vec<_>>>()?.into_iter().next()
        }
        // One server that may be asked is enough.
        Goal::Dns => {
            let all = policy::dns_servers(case.cx.index).into_iter().map(|server| out(Peer::Pod(server), Some(53)));
            all.collect::<Option<Vec<_>>>()?.into_iter().next()
        }
    }
}

/// The policies that select a pod allow what any of them allows; where none is, everything is allowed. Of several the
/// one that was written last is named; else the narrowest, which was meant for these pods.
fn stops<'a>(
    case: &Case<'_, 'a>,
    pod: &Pod,
    direction: Direction,
    peer: Peer<'_>,
    port: Option<u16>,
) -> Option<Blocked<'a>> {
    let index = case.cx.index;
    if !index.knows(Kind::NetworkPolicy, pod.metadata.namespace.as_deref()) {
        return None;
    }
    let selecting: Vec<_> = policy::selecting(index, pod, direction).collect();
    if selecting.iter().any(|(_, p)| policy::allows(index, p, pod, direction, peer, port, None)) {
        return None;
    }
    let (reference, p) = selecting.into_iter().max_by_key(|(reference, p)| {
        let changed = case.changes(reference).first().map(|c| c.at);
        let narrow = p.spec.pod_selector.match_labels.len() + p.spec.pod_selector.match_expressions.len();
        (changed, narrow, std::cmp::Reverse(reference.name.clone()))
    })?;
    Some(Blocked { policy: index.resolve(&reference)?, direction, lets: policy::describe(p, direction) })
}
