//! Variables that nobody wrote: what Kubernetes tells every container of the Services of its namespace.

use super::{Blame, Case};
use crate::{
    detect::context::edit,
    index::Now,
    logs::Signal,
    object::{Kind, Object},
    remediation::ActionKind,
};

/// A program that reads its own setting `NAME_PORT` finds the address of a Service of that name there, as Docker's links
/// once had it (kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
pub(super) fn linked(case: &Case<'_, '_>, signal: &Signal) -> Option<Blame> {
    let (_, rest) = signal.text.split_once("tcp://")?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').unwrap_or(rest.len());
    let url = format!("tcp://{}", &rest[..end]);
    let (address, port) = rest[..end].rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    let found = case.cx.index.in_namespace(Kind::Service, case.ns()).find(|o| match &***o {
        Object::Service(s) => {
            s.spec.cluster_ip.as_deref() == Some(address) && s.spec.ports.first().is_some_and(|p| p.port == port)
        }
        _ => false,
    })?;
    let name = &found.meta().name;
    let variable = format!("{}_PORT", name.to_ascii_uppercase().replace('-', "_"));
    let links = case.pod.spec.enable_service_links != Some(false);
    let (made, started) = (found.meta().creation_timestamp, case.pod.metadata.creation_timestamp);
    let older = made.is_none() || started.is_none() || made <= started;
    // Its own setting may hold such an address as well: a broker's, for example.
    let own = case.spec.env.iter().any(|e| e.name == variable) || case.texts().any(|t| t.contains(&url));
    let number =
        ["invalid literal for int", "NumberFormat", "For input string", "strconv.", "invalid digit", "ParseInt"];
    let speaks = signal.text.contains(&variable) || number.iter().any(|w| signal.text.contains(w));
    if !links || !older || own || !speaks {
        return None;
    }
    let subject = &case.owner.subject;
    let mut blame = case
        .own(signal)
        .says(format!(
            "; {variable} is not the workload's own: Kubernetes gives it to every container that starts after Service {name} was made (service links)"
        ))
        .field(case.owner.pod_field("enableServiceLinks"))
        .step(edit(ActionKind::Patch, subject, format!("enableServiceLinks: false, or set {variable} itself")))
        .seen(
            found,
            "address",
            format!("Service {name} has the address {address}:{port}"),
            &[("clusterIP", address.to_owned()), ("port", port.to_string())],
            Now::STAMP,
        );
    blame.referrer = Some(found.reference());
    Some(blame)
}
