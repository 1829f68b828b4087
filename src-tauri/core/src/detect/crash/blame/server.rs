//! Whose a server is that answers and will not serve: its certificate, its errors, its limits.

use std::net::IpAddr;

use super::{
    Blame, Case, file, name,
    policy::Goal,
    reach::{Target, policy, target},
};
use crate::{
    detect::family,
    host,
    logs::{Class, Signal},
    object::{Kind, ObjectRef, Service},
};

/// A certificate from a mounted Secret, or that of a host.
pub(super) fn certificate(case: &Case<'_, '_>, signal: &Signal) -> Blame {
    let own = case.own(signal);
    if let Some(path) = signal.file.as_deref().filter(|_| signal.subject.is_none()) {
        return file::content(case, path, own);
    }
    // What has expired or is for another name must be put right by who serves it; what is not trusted, by either.
    let theirs = signal.detail.is_some_and(|d| d.contains("expired") || d.contains("another host"));
    if !theirs {
        return own;
    }
    // A runtime that names no host (Python's ssl) still has it in its configuration.
    let inferred = if signal.subject.is_none() { name::infer(case, signal.class) } else { None };
    match signal.subject.clone().or(inferred) {
        Some(host) => server_of(case, &host, own),
        None => own,
    }
}

/// Whose certificate it is that a host shows: the Secret its pods serve it from, where there is one, else the host.
pub(super) fn server_of(case: &Case<'_, '_>, text: &str, own: Blame) -> Blame {
    let at = target(text);
    let index = case.cx.index;
    match host::service(index, case.ns(), &at.host) {
        Some(service) => {
            let reference = service.reference();
            let own = own.says(format!("; {} is served by {reference}", at.host));
            match served_from(case, service) {
                Some((secret, whose)) => {
                    own.says(format!(", whose pods ({whose}) mount Secret {}", secret.name)).on(secret, None, case)
                }
                None => own.on(reference, None, case),
            }
        }
        None => outsider(case, text, own),
    }
}

/// The only Secret of certificates that the pods behind a Service mount, and whose pods they are.
fn served_from(case: &Case<'_, '_>, service: &Service) -> Option<(ObjectRef, ObjectRef)> {
    let ns = service.metadata.namespace.as_deref()?;
    let pod = case.cx.index.pods_matching(ns, &service.spec.selector).into_iter().find(|p| !p.finished())?;
    let sounds = |name: &str| ["tls", "cert", "ssl"].iter().any(|w| name.to_ascii_lowercase().contains(w));
    let mut names: Vec<&str> = pod
        .spec
        .volumes
        .iter()
        .filter_map(|v| Some((v, v.secret.as_ref()?)))
        .filter(|(v, secret)| {
            let mut at = pod.spec.containers.iter().flat_map(|c| &c.volume_mounts).filter(|m| m.name == v.name);
            sounds(&secret.secret_name) || at.any(|m| sounds(&m.mount_path))
        })
        .map(|(_, secret)| secret.secret_name.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    let [name] = names.as_slice() else { return None };
    let found = case.cx.index.get(Kind::Secret, Some(ns), name);
    let secret = found.map_or_else(|| ObjectRef::missing(Kind::Secret, Some(ns), name), |o| o.reference());
    Some((secret, case.cx.owner(pod).subject))
}

/// A host that only its owner can put right, where it lies outside the cluster.
pub(super) fn outsider(case: &Case<'_, '_>, text: &str, own: Blame) -> Blame {
    let at = target(text);
    if at.host.parse::<IpAddr>().is_ok() || host::place(case.cx.index, case.ns(), &at.host).is_some() {
        return own;
    }
    own.says("; this host lies outside the cluster").on(ObjectRef::external(text), None, case)
}

/// A host outside the cluster.
pub(super) fn outside(case: &Case<'_, '_>, signal: &Signal, at: &Target, own: Blame) -> Blame {
    let found = match at.host.parse() {
        Ok(address) => policy(case, signal, &Goal::Addresses(&[(address, at.port)])),
        Err(_) => policy(case, signal, &Goal::Outside { port: at.port }),
    };
    if let Some(found) = found {
        return found;
    }
    if at.host.parse().is_ok_and(|address| host::within(case.cx.index, address)) {
        let own = own.says("; this is probably an address of the cluster's own Services, which nothing has now");
        return own.field_if(case.written(&at.host));
    }
    let name = at.port.map_or_else(|| at.host.clone(), |p| format!("{}:{p}", at.host));
    own.says("; this host lies outside the cluster").on(ObjectRef::external(&name), None, case)
}

/// A server that was reached and answers with an error of its own: its owner's matter, within the cluster or outside.
pub(super) fn errs(case: &Case<'_, '_>, signal: &Signal) -> Blame {
    let own = case.own(signal);
    let Some(text) = signal.subject.as_deref() else { return relayed(case, signal).unwrap_or(own) };
    let at = target(text);
    let Some(service) = host::service(case.cx.index, case.ns(), &at.host) else { return outsider(case, text, own) };
    let ns = service.metadata.namespace.as_deref().unwrap_or("");
    let pods = case.cx.index.pods_matching(ns, &service.spec.selector);
    let Some(pod) = pods.into_iter().find(|p| !p.finished()) else { return own };
    let server = case.cx.owner(pod).subject;
    own.says(format!("; Service {} leads to {server}, whose own log may say why", service.metadata.name))
        .on(server, None, case)
        .needs("the log of the server that answers so")
}

/// What a program can only have been told by a server, of those failures that it may have by itself as well.
const TOLD: &[&str] = &[
    "psycopg",
    "psqlexception",
    "sqlstate",
    "pq: ",
    "pg::",
    "could not extend file",
    "misconf",
    "readonly you can't",
    "rediscommandexecutionexception",
    "responseerror",
    "replyerror",
    "mongoservererror",
    "cluster_block_exception",
    "error 1114",
    "(1114,",
];

/// What a server says of itself through its client (that its memory or its disk is full): the workload that serves, where
/// only one of those that are called is of the kind that the words are of. A server's own log is not its client's.
pub(super) fn relayed(case: &Case<'_, '_>, signal: &Signal) -> Option<Blame> {
    let told = || {
        let text = signal.text.to_ascii_lowercase();
        TOLD.iter().any(|word| text.contains(word))
    };
    // A program has memory and disks of its own.
    let either = matches!(signal.class, Class::DiskFull | Class::DiskError | Class::ReadOnly | Class::OutOfMemory);
    if either && !told() || family::is_of(&case.owner.subject.name, &case.pod.spec, &signal.text) {
        return None;
    }
    let index = case.cx.index;
    let mut servers: Vec<ObjectRef> = Vec::new();
    for host in case.hosts() {
        let Some(service) = host::service(index, case.ns(), &host) else { continue };
        let ns = service.metadata.namespace.as_deref().unwrap_or("");
        for pod in index.pods_matching(ns, &service.spec.selector).into_iter().filter(|p| !p.finished()) {
            let server = case.cx.owner(pod).subject;
            if family::is_of(&server.name, &pod.spec, &signal.text) && !servers.iter().any(|s| s.same_name(&server)) {
                servers.push(server);
            }
        }
    }
    let [server] = servers.as_slice() else { return None };
    Some(case.own(signal).says(format!("; so says {server}, which it calls, of itself")).on(server.clone(), None, case))
}
