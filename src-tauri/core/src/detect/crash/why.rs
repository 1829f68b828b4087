//! Why a container ended: memory, a command that cannot start, a program that gives up.

use super::super::{
    Context,
    context::{Owner, action, cause, edit, ns_flag, pod_ref},
    host,
};
use super::{endpoints_ready, log_key};
use crate::{
    finding::{CauseDraft, Finding},
    logs::{self, Class},
    object::{Container, Kind, Object, ObjectRef, Pod, pod::Terminated},
    observation::LogRead,
    remediation::ActionKind,
    severity::Confidence,
    words,
};

#[allow(clippy::too_many_arguments, reason = "one container's whole situation")]
pub(super) fn memory(
    cx: &Context<'_>,
    f: &mut Finding,
    pod: &Pod,
    spec: &Container,
    owner: &Owner,
    init: bool,
    times: u32,
    key: &str,
) {
    f.headline = "keeps running out of memory".into();
    let limit = spec.resources.limits.get("memory");
    let pod_name = &pod.metadata.name;
    let entity = owner.subject.clone();
    let field = owner.field(init, &spec.name, "resources.limits.memory");
    match limit {
        Some(limit) => {
            f.message = format!(
                "Container {} of {pod_name} was killed for exceeding its {limit} memory limit (OOMKilled), {}",
                spec.name,
                words::times(times)
            );
            let mut c = cause(
                "memory-limit-too-low",
                Confidence::Established,
                entity,
                format!(
                    "Container {} was killed (OOMKilled, out of memory) for exceeding its {limit} memory limit {}.",
                    spec.name,
                    words::times(times)
                ),
            );
            c.field = Some(field);
            c.evidence.push(key.to_owned());
            f.causes.push(c);
            let bigger = limit
                .milli()
                .map(|m| m * 2 / 1000 / (1024 * 1024))
                .map_or_else(|| "MEMORY".to_owned(), |mi| format!("{mi}Mi"));
            f.actions.push(action(
                ActionKind::SetResources,
                &owner.subject,
                format!("the container needs more than {limit}"),
                "replaces its pods; they need room on a node",
                &format!("patch {}s", owner.subject.kind.to_lowercase()),
                format!(
                    "kubectl set resources {}{} -c {} --limits=memory={bigger}",
                    owner.subject.kubectl(),
                    ns_flag(&owner.subject),
                    spec.name
                ),
            ));
        }
        None => {
            f.message = format!(
                "Container {} of {pod_name} was killed for memory (OOMKilled), {}; it has no memory limit of its own",
                spec.name,
                words::times(times)
            );
            let node = pod.spec.node_name.as_deref().unwrap_or("its node");
            let mut c = cause(
                "memory-without-limit",
                Confidence::Likely,
                entity,
                format!(
                    "Container {} was killed for memory (OOMKilled) {} and has no memory limit: node {node} or the pod ran out of memory.",
                    spec.name,
                    words::times(times)
                ),
            );
            c.field = Some(field);
            c.evidence.push(key.to_owned());
            c.needs.push("memory metrics of the node and the container".into());
            f.causes.push(c);
            f.actions.push(edit(
                ActionKind::SetResources,
                &owner.subject,
                "requests and limits let the scheduler keep room for it",
            ));
        }
    }
    let _ = cx;
}

pub(super) fn cannot_start(
    f: &mut Finding,
    spec: &Container,
    owner: &Owner,
    init: bool,
    ended: &Terminated,
    key: &str,
) {
    f.headline = "cannot start its program".into();
    let why = ended.message.as_deref().unwrap_or("").trim();
    let command: Vec<String> = spec.command.iter().chain(&spec.args).cloned().collect();
    let line = if command.is_empty() {
        format!("the image's own command ({})", spec.image)
    } else {
        format!("`{}`", words::clip(&command.join(" "), 120))
    };
    let said =
        if why.is_empty() { String::new() } else { format!(": {}", words::clip(&short_runtime_error(why), 260)) };
    f.message = format!("Container {} cannot start {line} (exit code {}){said}", spec.name, ended.exit_code);
    let kind = match ended.exit_code {
        126 => " It exists but cannot be executed (permission denied or not a program).",
        127 => " The command was not found (no such file in the image).",
        _ => "",
    };
    let mut c = cause(
        "command-cannot-start",
        if why.is_empty() { Confidence::Likely } else { Confidence::Established },
        owner.subject.clone(),
        format!(
            "Container {} cannot start {line} in image {} (exit code {}){said}.{kind}",
            spec.name, spec.image, ended.exit_code
        ),
    );
    c.field = Some(owner.field(init, &spec.name, if spec.command.is_empty() { "image" } else { "command" }));
    c.evidence.push(key.to_owned());
    c.signs.pro = 2;
    f.causes.push(c);
    f.actions.push(edit(ActionKind::Patch, &owner.subject, "the command must be one that the image has"));
}

/// The runtime's message without its own wrapping.
fn short_runtime_error(message: &str) -> String {
    let at = message.rfind("exec: ").or_else(|| message.rfind("error during container init: "));
    at.map_or(message, |i| &message[i..]).to_owned()
}

#[allow(clippy::too_many_arguments, reason = "one container's whole situation")]
pub(super) fn exits(
    cx: &Context<'_>,
    f: &mut Finding,
    pod: &Pod,
    spec: &Container,
    owner: &Owner,
    init: bool,
    exit: &str,
    times: u32,
    quoted: Option<(usize, String)>,
    log: Option<&LogRead>,
    status_key: &str,
) {
    let which = if init { "Init container" } else { "Container" };
    let me = pod_ref(pod);
    let log_key = log.map(|l| log_key(&me, &spec.name, l));
    let lines = log.and_then(|l| l.lines.as_ref().ok());
    let signal = lines.and_then(|l| logs::signals(l).into_iter().next());
    let said = quoted.as_ref().map(|(_, q)| format!(" Its last words: “{q}”.")).unwrap_or_default();
    let often = words::times(times);
    let mut evidence: Vec<String> = log_key.into_iter().chain([status_key.to_owned()]).collect();
    let base = |phrase: &str| format!("{which} {} ends with {exit} ({often}): {phrase}.{said}", spec.name);
    match signal {
        Some(signal) => {
            let (entity, referrer, phrase, confidence, rule) =
                upstream(cx, pod, owner, signal.class, signal.subject.as_deref(), &mut f.actions);
            let mut c: CauseDraft = cause(&rule, confidence, entity, base(&phrase));
            c.referrer = referrer;
            c.evidence.append(&mut evidence);
            c.signs.pro = 2;
            if let Some(name) =
                signal.subject.as_deref().filter(|_| matches!(signal.class, Class::MissingEnv | Class::BadConfig))
            {
                c.field = Some(owner.field(init, &spec.name, &format!("env[{name}]")));
            }
            f.causes.push(c);
            f.message = format!("{}: {phrase}", f.message);
        }
        None => {
            let (phrase, confidence) = match (&quoted, log.map(|l| &l.lines)) {
                (Some(_), _) => ("its own log says why".to_owned(), Confidence::Likely),
                (None, Some(Ok(_))) => ("it wrote nothing that says why".to_owned(), Confidence::NotEstablished),
                (None, Some(Err(why))) => {
                    (format!("its log could not be read ({})", words::clip(why, 160)), Confidence::NotEstablished)
                }
                (None, None) => ("its log is not recorded".to_owned(), Confidence::NotEstablished),
            };
            let confidence = if quoted.as_ref().is_some_and(|(_, q)| looks_telling(q)) {
                confidence
            } else {
                confidence.min(Confidence::Possible)
            };
            let mut c = cause("container-exits", confidence, owner.subject.clone(), base(&phrase));
            c.evidence.append(&mut evidence);
            c.signs.pro = if quoted.is_some() { 2 } else { 1 };
            c.field = Some(owner.field(init, &spec.name, "command"));
            if confidence <= Confidence::Possible {
                c.needs.push(format!("a log line of container {} that says why it ends", spec.name));
            }
            f.causes.push(c);
        }
    }
    f.actions.push(action(
        ActionKind::ManualCheck,
        &owner.subject,
        "its own words say what it misses",
        "reads only",
        "get pods/log",
        format!("kubectl logs {}{} -c {} --previous", me.kubectl(), ns_flag(&me), spec.name),
    ));
    f.actions.push(edit(ActionKind::Patch, &owner.subject, "put right what the container's last words name"));
}

fn looks_telling(line: &str) -> bool {
    !logs::signals(&[line.to_owned()]).is_empty()
        || [
            "error",
            "fail",
            "fatal",
            "panic",
            "exception",
            "invalid",
            "cannot",
            "missing",
            "denied",
            "unknown",
            "unable",
            "not ",
        ]
        .iter()
        .any(|w| line.to_lowercase().contains(w))
}

/// Who must be changed for a log line of this class: the workload itself, or what it depends on.
pub(super) fn upstream(
    cx: &Context<'_>,
    pod: &Pod,
    owner: &Owner,
    class: Class,
    subject: Option<&str>,
    actions: &mut Vec<crate::remediation::ActionDraft>,
) -> (ObjectRef, Option<ObjectRef>, String, Confidence, String) {
    let me = owner.subject.clone();
    // A runtime that names no host (Python's gaierror) still has it in its environment or command.
    let inferred = match (class, subject) {
        (Class::Dns | Class::ConnectionRefused | Class::Timeout, None) => infer_host(cx, pod, class),
        _ => None,
    };
    let subject = subject.or(inferred.as_deref());
    let phrase = class.phrase(subject);
    let rule = format!(
        "log-{}",
        serde_json::to_value(class).ok().and_then(|v| v.as_str().map(|s| s.replace('_', "-"))).unwrap_or_default()
    );
    let ns = pod.metadata.namespace.as_deref().unwrap_or("default");
    match (class, subject) {
        (Class::Dns | Class::ConnectionRefused | Class::Timeout, Some(host)) => {
            let bare =
                host.rsplit_once(':').filter(|(_, p)| p.chars().all(|c| c.is_ascii_digit())).map_or(host, |(h, _)| h);
            let (name, in_ns, inside) = service_name(bare, ns);
            let by_ip = cx
                .index
                .all(Kind::Service)
                .find(|o| matches!(&***o, Object::Service(s) if s.spec.cluster_ip.as_deref() == Some(bare)));
            let service = by_ip.or_else(|| cx.index.get(Kind::Service, Some(&in_ns), &name).filter(|_| inside));
            if let Some(service) = service {
                let reference = service.reference();
                // A name for a host elsewhere has no endpoints: who does not answer is that host.
                if let Some(outside) = external_name(service) {
                    let text = format!("{phrase}; Service {} is a name for {outside} (ExternalName)", reference.name);
                    let entity = if class == Class::Dns { reference } else { ObjectRef::external(outside) };
                    return (entity, Some(me), text, Confidence::Likely, rule);
                }
                let ready = endpoints_ready(cx, &reference);
                if ready == Some(false) && class != Class::Dns {
                    let text = format!("{phrase}; Service {} has no ready endpoints", reference.name);
                    return (reference, Some(me), text, Confidence::Likely, "dependency-without-endpoints".into());
                }
                let text = format!(
                    "{phrase}; Service {} exists{}",
                    reference.name,
                    if ready == Some(true) { " and has ready endpoints" } else { "" }
                );
                return (me, None, text, Confidence::Likely, rule);
            }
            if class == Class::Dns && inside && cx.index.knows(Kind::Service, Some(&in_ns)) {
                let missing = ObjectRef::missing(Kind::Service, Some(&in_ns), &name);
                actions.push(edit(ActionKind::SetEnv, &me, format!("the host name {host} may be misspelt")));
                let text = format!("{phrase}: there is no Service {name} in namespace {in_ns} (not found)");
                // Which side is wrong, the name or the Service, the objects cannot say; who wrote the name can change it.
                let literal = host::hosts(&pod.spec).iter().any(|h| h == bare);
                return if literal {
                    (me, Some(missing), text, Confidence::Likely, "host-name-unknown".into())
                } else {
                    (missing, Some(me), text, Confidence::Likely, "service-missing".into())
                };
            }
            if !inside && bare.contains('.') {
                return (ObjectRef::external(host), Some(me), phrase, Confidence::Likely, rule);
            }
            (me, None, phrase, Confidence::Likely, rule)
        }
        _ => (me, None, phrase, Confidence::Likely, rule),
    }
}

/// The host of the pod's own configuration that fits the failure: for a name that cannot be resolved one without a
/// Service, for a refused connection one whose Service has no ready endpoint. None where several fit or none does.
fn infer_host(cx: &Context<'_>, pod: &Pod, class: Class) -> Option<String> {
    let ns = pod.metadata.namespace.as_deref().unwrap_or("default");
    let mut fits: Vec<String> = host::hosts(&pod.spec)
        .into_iter()
        .filter(|host| {
            let (name, in_ns, inside) = service_name(host, ns);
            let service = cx.index.get(Kind::Service, Some(&in_ns), &name);
            if service.is_some_and(|s| external_name(s).is_some()) {
                return false;
            }
            match (class, service.map(|o| o.reference())) {
                (Class::Dns, service) => !inside || (service.is_none() && cx.index.knows(Kind::Service, Some(&in_ns))),
                (_, Some(service)) => endpoints_ready(cx, &service) == Some(false),
                (_, None) => false,
            }
        })
        .collect();
    fits.sort();
    fits.dedup();
    (fits.len() == 1).then(|| fits.remove(0))
}

/// The host that a Service of type ExternalName stands for.
fn external_name(service: &Object) -> Option<&str> {
    match service {
        Object::Service(s) if s.spec.kind.as_deref() == Some("ExternalName") => s.spec.external_name.as_deref(),
        _ => None,
    }
}

/// Name and namespace of the Service a host name means, and whether it can only mean one inside the cluster.
fn service_name(host: &str, ns: &str) -> (String, String, bool) {
    let mut parts = host.split('.');
    let name = parts.next().unwrap_or(host).to_owned();
    let second = parts.next();
    let third = parts.next();
    match (second, third) {
        (None, _) => (name, ns.to_owned(), true),
        (Some(n), Some("svc")) => (name, n.to_owned(), true),
        (Some(n), None)
            if !matches!(
                n,
                "com" | "org" | "net" | "io" | "dev" | "local" | "internal" | "invalid" | "test" | "example"
            ) =>
        {
            (name, n.to_owned(), true)
        }
        _ => (name, ns.to_owned(), false),
    }
}
