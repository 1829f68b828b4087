//! Names of hosts: the Service a name means, the one that was probably meant, and who wrote the name.

use super::{
    Blame, Case,
    origin::{Origin, as_long, longer},
    setting::{self, set_key},
};
use crate::{
    change::ChangeVerb,
    detect::context::action,
    host::{self, Place},
    index::Now,
    logs::{Class, Signal},
    object::{Kind, Object, ObjectRef, Service},
    remediation::ActionKind,
    severity::Confidence,
    words,
};

/// What programs write for a value that is not there.
const UNSET: [&str; 6] = ["undefined", "null", "none", "nil", "<nil>", "nan"];

/// A host that is no name but a variable without a value: whose variable it is.
pub(super) fn unset(case: &Case<'_, '_>, signal: &Signal, host: &str, own: &Blame) -> Option<Blame> {
    let first = host.split('.').next().unwrap_or(host);
    let variable = first.strip_prefix('$').map(|v| v.trim_matches(['{', '}', '(', ')']).to_owned());
    if variable.is_none() && !first.is_empty() && !UNSET.contains(&first.to_ascii_lowercase().as_str()) {
        return None;
    }
    if host::service(case.cx.index, case.ns(), host).is_some() {
        return None;
    }
    let own = Blame { phrase: own.phrase.clone(), ..case.own(signal) };
    let own = own.says(format!("; “{host}” is no host name but what a variable without a value becomes"));
    if let Some(field) = case.written(host).filter(|_| variable.is_none()) {
        return Some(own.field(field));
    }
    let empty: Vec<String> = match variable {
        Some(name) => vec![name],
        None => {
            let all = case.spec.env.iter().filter(|e| sounds_like_host(&e.name) && setting::is_empty(case, e));
            all.map(|e| e.name.clone()).collect()
        }
    };
    let [name] = empty.as_slice() else { return Some(own.field(case.path("env"))) };
    let missing = Signal {
        class: Class::MissingEnv,
        subject: Some(name.clone()),
        value: None,
        file: None,
        text: String::new(),
        ..signal.clone()
    };
    let found = setting::missing(case, &missing);
    let confidence = found.confidence.min(Confidence::Likely);
    Some(Blame { rule: own.rule, confidence, phrase: format!("{}: {}", own.phrase, found.phrase), ..found })
}

/// The pod of a StatefulSet that a name means, of which the StatefulSet has not so many.
pub(super) fn beyond(case: &Case<'_, '_>, host: &str, service: &Service, signal: &Signal) -> Option<Blame> {
    let (set, number) = host.split('.').next()?.rsplit_once('-')?;
    let number: i32 = number.parse().ok()?;
    let namespace = service.metadata.namespace.as_deref();
    let object = case.cx.index.get(Kind::StatefulSet, namespace, set)?;
    let Object::StatefulSet(stateful) = &**object else { return None };
    let replicas = stateful.spec.replicas.unwrap_or(1);
    if stateful.spec.service_name != service.metadata.name || number < replicas {
        return None;
    }
    let reference = object.reference();
    let own = case.own(signal).rule("stateful-pod-missing").sure(Confidence::Established).says(format!(
        "; StatefulSet {set} has {replicas} {}, so that there is no pod {set}-{number} (not found)",
        if replicas == 1 { "replica" } else { "replicas" }
    ));
    let own = own.seen(
        object,
        "replicas",
        format!("StatefulSet {set} has {replicas} replicas"),
        &[("spec.replicas", replicas.to_string())],
        Now::STAMP,
    );
    // Which of the two is wrong tells only which was changed.
    let scaled = case.changes(&reference).iter().any(|c| c.fields.iter().any(|f| f.path == "spec.replicas"));
    Some(match case.written(host).filter(|_| !scaled) {
        Some(field) => own.field(field).step(case.edit(ActionKind::SetEnv, "it names pods that are not there")),
        None => own.on(reference, Some("spec.replicas".into()), case),
    })
}

/// No Service has that name.
pub(super) fn unknown(case: &Case<'_, '_>, host: &str, place: &Place, own: Blame) -> Blame {
    let index = case.cx.index;
    let missing = ObjectRef::missing(Kind::Service, Some(&place.namespace), &place.name);
    let (name, ns) = (&place.name, &place.namespace);
    // A resolver completes names: the log may have more of it than the workload writes.
    let same = |h: &&String| host::place(index, case.ns(), h).as_ref() == Some(place);
    let named = case.hosts();
    let written = case.written(host).or_else(|| named.iter().filter(same).find_map(|h| case.written(h)));
    let no_namespace = index.knows(Kind::Namespace, None) && index.get(Kind::Namespace, None, ns).is_none();
    let gone = if no_namespace && ns != case.ns() {
        format!("; namespace {ns} does not exist (not found)")
    } else {
        format!("; there is no Service {name} in namespace {ns} (not found)")
    };
    let deleted = case.changes(&missing).iter().any(|c| c.verb == ChangeVerb::Deleted);
    // A Service that the pod names besides is what it is.
    let called = |o: &Object| {
        let mut all = named.iter().filter_map(|h| host::service(index, case.ns(), h));
        all.any(|s| s.metadata.name == o.meta().name && s.metadata.namespace == o.meta().namespace)
    };
    let near: Vec<&Object> = index
        .in_namespace(Kind::Service, ns)
        .map(|o| &**o)
        .filter(|o| words::misspelt(&o.meta().name, name) && !called(o))
        .collect();
    let there = |o: &&Object| o.meta().name == *name && o.meta().namespace.as_deref() != Some(ns);
    let elsewhere: Vec<&Object> = index.all(Kind::Service).map(|o| &**o).filter(there).collect();
    // A workload that runs under this name lacks its Service.
    let runs = [Kind::Deployment, Kind::StatefulSet].iter().any(|k| index.get(*k, Some(ns), name).is_some());
    let own = own.says(gone);
    // The Service that gives the pods of the set their names.
    let owner = index.resolve(&case.owner.subject);
    if !deleted
        && ns == case.ns()
        && owner.is_some_and(|o| matches!(&**o, Object::StatefulSet(set) if set.spec.service_name == *name))
    {
        return own
            .says(format!(", which {} is to have its names from (serviceName)", case.owner.subject))
            .rule("statefulset-service-missing")
            .sure(Confidence::Established)
            .on(missing, Some("spec.serviceName".into()), case);
    }
    if deleted || (runs && near.is_empty()) {
        let own = if runs && !deleted { own.says(", though a workload of this name runs there") } else { own };
        let served = index.get(Kind::Deployment, Some(ns), name).filter(|_| deleted);
        let ports: Vec<u16> = served
            .and_then(|o| o.pod_template())
            .map(|t| t.spec.containers.iter().flat_map(|c| &c.ports).map(|p| p.container_port).collect())
            .unwrap_or_default();
        let own = match (served, ports.as_slice()) {
            (Some(served), [port]) => {
                let asked = written_port(case, host).unwrap_or(*port);
                let line = format!(
                    "kubectl expose {} -n {ns} --name={name} --port={asked} --target-port={port}",
                    served.reference().kubectl()
                );
                own.step(action(
                    ActionKind::ManualCheck,
                    &missing,
                    "makes a Service in front of the pods of the same name",
                    "none for what runs already; the one that was deleted may have had more ports or other labels",
                    "create services",
                    line,
                ))
            }
            _ => own,
        };
        return own
            .rule("service-missing")
            .sure(if deleted { Confidence::Established } else { Confidence::Likely })
            .on(missing, None, case)
            .step(case.edit(ActionKind::Patch, format!("or name a Service that exists instead of {name}")));
    }
    let (meant, hint) = hint(name, &near, &elsewhere);
    let own = own.says(hint);
    let own = match meant {
        Some(o) => own.seen(
            o,
            "name",
            format!("{} exists", o.reference()),
            &[("name", o.meta().name.clone()), ("namespace", o.meta().namespace.clone().unwrap_or_default())],
            Now::STAMP,
        ),
        None => own,
    };
    let suggested = !near.is_empty() || !elsewhere.is_empty();
    // Two that may be meant prove neither.
    let meant = meant.is_some();
    let step = case.edit(ActionKind::SetEnv, format!("the host name {} may be misspelt", host));
    match written {
        // Which side is wrong, the name or the Service, only a Service that must be meant tells; who wrote the name
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
        None => match source(case, host, meant) {
            Some((map, key)) => own
                .rule("host-name-unknown")
                .says(match &key {
                    Some(key) => format!("; it comes from key {key} of ConfigMap {map}"),
                    None => format!("; its settings come from ConfigMap {map}"),
                })
                .step(set_key(case, &map, key.as_deref()))
                .on(case.reference(Kind::ConfigMap, &map), key.map(|k| format!("data[{k}]")), case),
            None if suggested => own.rule("host-name-unknown").step(step),
            None => own.rule("service-missing").on(missing, None, case).step(step),
        },
    }
}

/// The Service that must be meant, where only one can be, and what is said of those that may be.
fn hint<'o>(name: &str, near: &[&'o Object], elsewhere: &[&'o Object]) -> (Option<&'o Object>, String) {
    let names = |all: &[&Object], of: fn(&Object) -> Option<&str>| {
        words::list(&all.iter().filter_map(|o| of(o)).map(str::to_owned).collect::<Vec<_>>(), 3)
    };
    match (near, elsewhere) {
        ([one], _) => (Some(one), format!("; Service {} exists there, which is called nearly so", one.meta().name)),
        ([], [one]) => {
            let there = one.meta().namespace.as_deref().unwrap_or("");
            (Some(one), format!("; Service {name} exists in namespace {there}: there it is {name}.{there}"))
        }
        ([], []) => (None, String::new()),
        ([], all) => {
            let there = names(all, |o| o.meta().namespace.as_deref());
            (None, format!("; Services of this name exist in the namespaces {there}"))
        }
        (all, _) => {
            let alike = names(all, |o| Some(&o.meta().name));
            (None, format!("; Services {alike} exist there, which are called nearly so"))
        }
    }
}

/// The name of a variable that holds a host or an address.
fn sounds_like_host(name: &str) -> bool {
    let words = ["HOST", "URL", "URI", "ADDR", "ENDPOINT", "SERVER", "BROKER", "DSN", "UPSTREAM", "SERVICE"];
    let name = name.to_ascii_uppercase();
    words.iter().any(|w| name.contains(w))
}

/// The ConfigMap that holds the name of a host, where only one can: the key of a variable that sounds like a host and
/// is as long, or what was written lately.
fn source(case: &Case<'_, '_>, host: &str, meant: bool) -> Option<(String, Option<String>)> {
    if let Some(Origin::Map { map, key, .. }) =
        as_long(case, &[host], sounds_like_host).or_else(|| longer(case, host, sounds_like_host).filter(|_| meant))
    {
        return Some((map, Some(key)));
    }
    let named: Vec<(String, Option<String>)> = case
        .spec
        .env
        .iter()
        .filter(|e| sounds_like_host(&e.name))
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
    let mut ports: Vec<u16> = case.texts().flat_map(|text| ports_beside(&text, host)).collect();
    ports.dedup();
    (ports.len() == 1).then(|| ports[0])
}

/// The ports that stand beside a host in a text.
fn ports_beside(text: &str, host: &str) -> Vec<u16> {
    let mut ports = Vec::new();
    for (at, _) in text.match_indices(host) {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.') {
            continue;
        }
        let rest = &text[at + host.len()..];
        let domain = |c: char| c == '.' || c == '-' || c.is_ascii_lowercase() || c.is_ascii_digit();
        let rest = if rest.starts_with('.') { rest.trim_start_matches(domain) } else { rest };
        // `db:5432`, `nc db 5432`, `('db', 5432)`.
        let bare = rest.trim_start_matches(['\'', '"', ',', ' ', ':']);
        if bare.len() == rest.len() || rest.len() - bare.len() > 4 {
            continue;
        }
        let digits: String = bare.chars().take_while(char::is_ascii_digit).collect();
        ports.extend(digits.parse::<u16>().ok().filter(|_| digits.len() >= 2));
    }
    ports
}

/// Where the workload writes the port it asks a host for, and whether that can only be this port: beside the host, or
/// as the whole value of a variable for a port. A number that stands elsewhere may mean anything.
pub(super) fn port_field(case: &Case<'_, '_>, hosts: &[&str], port: u16) -> Option<(String, bool)> {
    let beside = |text: &str| hosts.iter().any(|h| ports_beside(text, h).contains(&port));
    if let Some(field) = case.holds(&beside) {
        return Some((field, true));
    }
    let number = port.to_string();
    let alone = |e: &&crate::object::pod::EnvVar| {
        e.name.to_ascii_uppercase().ends_with("_PORT") && e.value.as_deref() == Some(&number)
    };
    let named: Vec<String> =
        case.spec.env.iter().filter(alone).map(|e| case.path(&format!("env[{}]", e.name))).collect();
    // Its own port may be the same number.
    let own = case.spec.ports.iter().any(|p| p.container_port == port);
    if let Some(field) = named.first() {
        return Some((field.clone(), named.len() == 1 && !own));
    }
    let option = |list: &[String]| {
        let words: Vec<&str> = list.iter().flat_map(|w| w.split([' ', '='])).collect();
        words.windows(2).any(|w| w[0].starts_with('-') && w[0].contains("port") && w[1] == number)
    };
    let mut lists = [(&case.spec.args, "args"), (&case.spec.command, "command")].into_iter();
    lists.find(|(list, _)| option(list)).map(|(_, name)| (case.path(name), false))
}

/// The key of a ConfigMap that holds the port it asks a host for, where only one can: of the variables for a port the one
/// that has a word of the host's name, else the only one; or what holds the host with the port.
pub(super) fn port_source(case: &Case<'_, '_>, host: &str, port: u16) -> Option<Origin> {
    let words = |name: &str| -> Vec<String> {
        name.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_ascii_uppercase).filter(|w| w.len() > 1).collect()
    };
    let of_host = words(host);
    let for_port = |name: &str| words(name).iter().any(|w| w.ends_with("PORT"));
    let of_it = |name: &str| for_port(name) && words(name).iter().any(|w| of_host.contains(w));
    let number = port.to_string();
    as_long(case, &[&number], of_it)
        .or_else(|| as_long(case, &[&number], for_port))
        .or_else(|| longer(case, &format!("{host}:{port}"), sounds_like_host))
}

/// The host of the pod's own configuration that fits the failure: for a name that cannot be resolved one without a
/// Service, for a refused connection one whose Service has no ready endpoint. None where several fit or none does.
pub(super) fn infer(case: &Case<'_, '_>, class: Class) -> Option<String> {
    let index = case.cx.index;
    let all = case.hosts();
    let meant = |name: &str| host::service(index, case.ns(), name);
    let mut fits: Vec<String> = all.clone();
    fits.retain(|name| match (class, meant(name)) {
        (_, Some(s)) if s.spec.kind.as_deref() == Some("ExternalName") => false,
        (Class::Dns, Some(_)) => false,
        (Class::Dns, None) => {
            host::place(index, case.ns(), name).is_none_or(|p| index.knows(Kind::Service, Some(&p.namespace)))
        }
        (_, Some(s)) => super::super::endpoints_ready(case.cx, &s.reference()) == Some(false),
        (_, None) => false,
    });
    fits.sort();
    fits.dedup();
    if fits.is_empty() && class != Class::Dns {
        // It speaks of the only Service it is given.
        fits = all;
        fits.retain(|name| meant(name).is_some());
    }
    (fits.len() == 1).then(|| fits.remove(0))
}
