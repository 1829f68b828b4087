//! Names of hosts: the Service a name means, the one that was probably meant, and who wrote the name.

use super::{Blame, Case, misspelt};
use crate::{
    change::ChangeVerb,
    detect::host,
    logs::Class,
    object::{Kind, Object, ObjectRef},
    remediation::ActionKind,
    severity::Confidence,
};

/// No Service has that name.
pub(super) fn unknown(case: &Case<'_, '_>, host: &str, place: &Place, own: Blame) -> Blame {
    let index = case.cx.index;
    let missing = ObjectRef::missing(Kind::Service, Some(&place.namespace), &place.name);
    let (name, ns) = (&place.name, &place.namespace);
    let written = case.written(host);
    let no_namespace = index.knows(Kind::Namespace, None) && index.get(Kind::Namespace, None, ns).is_none();
    let gone = if no_namespace && ns != case.ns() {
        format!("; namespace {ns} does not exist (not found)")
    } else {
        format!("; there is no Service {name} in namespace {ns} (not found)")
    };
    let deleted = case.changes(&missing).iter().any(|c| c.verb == ChangeVerb::Deleted);
    let elsewhere =
        index.all(Kind::Service).find(|o| o.meta().name == *name && o.meta().namespace.as_deref() != Some(ns));
    let near = index.in_namespace(Kind::Service, ns).find(|o| misspelt(&o.meta().name, name));
    // A workload that runs under this name lacks its Service.
    let runs = [Kind::Deployment, Kind::StatefulSet].iter().any(|k| index.get(*k, Some(ns), name).is_some());
    let own = own.says(gone);
    if deleted || (runs && near.is_none()) {
        let own = if runs && !deleted { own.says(", though a workload of this name runs there") } else { own };
        return own
            .rule("service-missing")
            .sure(if deleted { Confidence::Established } else { Confidence::Likely })
            .on(missing, None, case)
            .step(case.edit(ActionKind::Patch, format!("or name a Service that exists instead of {name}")));
    }
    let hint = near.or(elsewhere).map(|o| {
        let there = o.meta().namespace.as_deref().unwrap_or("");
        if o.meta().name == *name {
            (o, format!("; Service {name} exists in namespace {there}: there it is {name}.{there}"))
        } else {
            (o, format!("; Service {} exists there, which differs by a letter or two", o.meta().name))
        }
    });
    let (own, meant) = match &hint {
        Some((o, text)) => (
            own.says(text).seen(
                o,
                "name",
                format!("{} exists", o.reference()),
                &[("name", o.meta().name.clone()), ("namespace", o.meta().namespace.clone().unwrap_or_default())],
                case.cx.now,
            ),
            true,
        ),
        None => (own, false),
    };
    let step = case.edit(ActionKind::SetEnv, format!("the host name {} may be misspelt", host));
    match written {
        // Which side is wrong, the name or the Service, only a Service of nearly that name tells; who wrote the name
        // can change it.
        Some(field) => {
            let mut blame = own
                .rule("host-name-unknown")
                .sure(if meant { Confidence::Established } else { Confidence::Likely })
                .field(field)
                .step(step);
            blame.referrer = Some(missing);
            blame
        }
        None => match source(case, meant) {
            Some((map, key)) => own
                .rule("host-name-unknown")
                .says(format!("; its settings come from ConfigMap {map}"))
                .on(case.reference(Kind::ConfigMap, &map), key.map(|k| format!("data[{k}]")), case)
                .step(step),
            None if meant => own.rule("host-name-unknown").step(step),
            None => own.rule("service-missing").on(missing, None, case).step(step),
        },
    }
}

/// The ConfigMap that holds the name of a host, where only one can: the key of a variable that sounds like a host, or
/// what was written lately.
fn source(case: &Case<'_, '_>, meant: bool) -> Option<(String, Option<String>)> {
    let sounds = ["HOST", "URL", "URI", "ADDR", "ENDPOINT", "SERVER", "BROKER", "DSN", "UPSTREAM", "SERVICE"];
    let named: Vec<(String, Option<String>)> = case
        .spec
        .env
        .iter()
        .filter(|e| sounds.iter().any(|w| e.name.to_ascii_uppercase().contains(w)))
        .filter_map(|e| e.value_from.as_ref()?.config_map_key_ref.as_ref())
        .map(|k| (k.name.clone(), Some(k.key.clone())))
        .collect();
    let lately = |(map, _): &&(String, Option<String>)| !case.changes(&case.reference(Kind::ConfigMap, map)).is_empty();
    if let [one] = named.as_slice()
        && (meant || lately(&one))
    {
        return Some(one.clone());
    }
    let mut maps: Vec<(String, Option<String>)> = case
        .spec
        .env_from
        .iter()
        .filter_map(|f| f.config_map_ref.as_ref())
        .map(|r| (r.name.clone(), None))
        .chain(super::file::only_map(case))
        .collect();
    maps.dedup();
    match maps.as_slice() {
        [one] if meant || lately(&one) => Some(one.clone()),
        _ => None,
    }
}

/// The port with which the workload itself writes a host: `db:5432`, `nc db 5432`.
pub(super) fn written_port(case: &Case<'_, '_>, host: &str) -> Option<u16> {
    let values = case.spec.env.iter().filter_map(|e| e.value.as_deref());
    let mut ports: Vec<u16> = Vec::new();
    for text in values.chain(case.spec.args.iter().chain(&case.spec.command).map(String::as_str)) {
        for (at, _) in text.match_indices(host) {
            let before = text[..at].chars().next_back();
            if before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.') {
                continue;
            }
            let rest = &text[at + host.len()..];
            let domain = |c: char| c == '.' || c == '-' || c.is_ascii_lowercase() || c.is_ascii_digit();
            let rest = if rest.starts_with('.') { rest.trim_start_matches(domain) } else { rest };
            let Some(rest) = rest.strip_prefix([':', ' ']) else { continue };
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            ports.extend(digits.parse::<u16>().ok().filter(|_| digits.len() >= 2));
        }
    }
    ports.dedup();
    (ports.len() == 1).then(|| ports[0])
}

/// The host of the pod's own configuration that fits the failure: for a name that cannot be resolved one without a
/// Service, for a refused connection one whose Service has no ready endpoint. None where several fit or none does.
pub(super) fn infer(case: &Case<'_, '_>, class: Class) -> Option<String> {
    let index = case.cx.index;
    let mut fits: Vec<String> = host::hosts(&case.pod.spec)
        .into_iter()
        .filter(|host| {
            let place = service_name(case, host);
            let service = index.get(Kind::Service, Some(&place.namespace), &place.name);
            let external = service
                .is_some_and(|s| matches!(&**s, Object::Service(s) if s.spec.kind.as_deref() == Some("ExternalName")));
            match (class, service.map(|o| o.reference())) {
                _ if external => false,
                (Class::Dns, service) => {
                    !place.inside || (service.is_none() && index.knows(Kind::Service, Some(&place.namespace)))
                }
                (_, Some(service)) => super::super::endpoints_ready(case.cx, &service) == Some(false),
                (_, None) => false,
            }
        })
        .collect();
    fits.sort();
    fits.dedup();
    if fits.is_empty() && class != Class::Dns {
        // It speaks of the only Service it is given.
        fits = host::hosts(&case.pod.spec);
        fits.retain(|h| {
            let place = service_name(case, h);
            place.inside && index.get(Kind::Service, Some(&place.namespace), &place.name).is_some()
        });
    }
    (fits.len() == 1).then(|| fits.remove(0))
}

/// The Service a host name means.
pub(super) struct Place {
    pub name: String,
    pub namespace: String,
    /// The name can only mean a Service of the cluster.
    pub inside: bool,
}

/// Endings of public and private domains, which are no namespaces.
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
    "co",
    "uk",
    "de",
    "eu",
    "us",
    "fr",
    "info",
    "biz",
    "ai",
    "sh",
    "me",
    "tv",
    "gov",
    "edu",
    "lan",
    "corp",
    "home",
    "localdomain",
    "intranet",
];

pub(super) fn service_name(case: &Case<'_, '_>, host: &str) -> Place {
    let index = case.cx.index;
    let own = case.ns();
    let parts: Vec<&str> = host.trim_end_matches('.').split('.').collect();
    let place = |name: &str, ns: &str, inside| Place { name: name.to_owned(), namespace: ns.to_owned(), inside };
    let is_namespace = |n: &str| index.get(Kind::Namespace, None, n).is_some();
    match parts.as_slice() {
        [name] => place(name, own, true),
        [name, ns, "svc", ..] => place(name, ns, true),
        // A pod of a StatefulSet by its Service.
        [_, name, ns, "svc", ..] => place(name, ns, true),
        [pod, name] if index.get(Kind::Service, Some(own), name).is_some() && ends_in_number(pod) => {
            place(name, own, true)
        }
        [name, ns] if is_namespace(ns) || !DOMAINS.contains(ns) => place(name, ns, true),
        [_, name, ns] if is_namespace(ns) && index.get(Kind::Service, Some(ns), name).is_some() => {
            place(name, ns, true)
        }
        [name, ..] => place(name, own, false),
        [] => place(host, own, false),
    }
}

fn ends_in_number(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(_, n)| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit()))
}
