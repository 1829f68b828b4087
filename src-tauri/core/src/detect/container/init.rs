//! Init containers that run on: told only where what they wait for is known, and is not there.

use std::sync::LazyLock;

use jiff::SignedDuration;
use regex::Regex;

use super::super::{
    Context,
    context::{action, cause, evidence, finding, hold, ns_flag, pod_ref},
    host, placement,
};
use super::{STARTING, WAITING};
use crate::{
    evidence::EvidenceKind,
    finding::CauseDraft,
    object::{Container, Kind, Object, ObjectRef, Pod, PodSpec},
    remediation::ActionKind,
    severity::Confidence,
    words,
};

/// Looks at the init container that runs now.
pub(super) fn waiting(cx: &mut Context<'_>, pod: &Pod) {
    let running = pod.containers().find_map(|(spec, status, init)| {
        let since = status?.state.running.as_ref()?.started_at;
        (init && spec.restart_policy.as_deref() != Some("Always")).then_some((spec, since))
    });
    let Some((spec, Some(since))) = running else { return };
    let ns = pod.metadata.namespace.as_deref().unwrap_or("");
    let found = hosts(spec).into_iter().find_map(|(host, waits)| {
        let (name, place) = in_cluster(&host, ns)?;
        absent(cx, &name, &place, waits).map(|(c, patience)| (host, c, patience))
    });
    let Some((host, mut c, patience)) = found else { return };
    // One look waits as well: what was started a moment ago may be through in the next.
    if cx.options.waive_holds && cx.now.duration_since(since) < SignedDuration::from_secs(patience) {
        return;
    }
    let owner = cx.owner(pod);
    let me = pod_ref(pod);
    let mut f =
        finding("init-container-waits", me.clone(), &owner.subject, cx.workload_severity(&owner.subject), since);
    f.part.clone_from(&spec.name);
    f.headline = format!("cannot start: init container {} waits for {host}", spec.name);
    f.started_basis = "start of the init container".into();
    f.hold = hold(patience);
    f.message = format!("Init container {} of {} runs on and waits for {host}", spec.name, me.name);
    let line = spec.command.iter().chain(&spec.args).cloned().collect::<Vec<_>>().join(" ");
    let item = evidence(
        EvidenceKind::ContainerStatus,
        format!("init|{}|{}", me.uid.as_deref().unwrap_or(&me.name), spec.name),
        since,
        me.clone(),
        format!("Init container {} of {} still runs", spec.name, me.name),
        format!(
            "pod: {}\ninit container: {}\nimage: {}\nstate: running since {since}\ncommand: {}",
            me.name,
            spec.name,
            spec.image,
            words::clip(&line, 300)
        ),
    );
    c.statement = format!(
        "Init container {} of {} never ends because it waits for {host}: {}",
        spec.name, owner.subject, c.statement
    );
    c.referrer = Some(owner.subject.clone());
    c.evidence.push(item.key.clone());
    c.signs.pro = 2;
    f.evidence.push(item);
    f.actions.push(action(
        ActionKind::ManualCheck,
        &me,
        "its log says what it waits for",
        "reads only",
        "get pods/log",
        format!("kubectl logs {}{} -c {} --tail=20", me.name, ns_flag(&me), spec.name),
    ));
    f.causes.push(c);
    cx.report(f);
}

/// The hosts of the container's command and environment, those first that its command asks for in a loop.
fn hosts(spec: &Container) -> Vec<(String, bool)> {
    static ASKED: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        [
            r"\b(?:nslookup|getent(?: ahosts| hosts)?|dig(?: \+short)?|host|ping(?: -c ?\d+)?(?: -W ?\d+)?)\s+(?:-\w+\s+)*([a-z][a-z0-9.-]*)",
            r"\bnc\s+(?:-\w+(?:\s+\d+)?\s+)*([a-z][a-z0-9.-]*)\s+\d+",
            r"\b(?:pg_isready|mysqladmin|redis-cli|mysql|psql)\b[^;&|]*?(?:-h\s*|--host[= ])([a-z][a-z0-9.-]*)",
            r"\b(?:curl|wget)\b[^;&|]*?https?://([a-z][a-z0-9.-]*)",
            r"/dev/tcp/([a-z][a-z0-9.-]*)/\d+",
        ]
        .iter()
        .filter_map(|p| Regex::new(p).ok())
        .collect()
    });
    let mut out: Vec<(String, bool)> = Vec::new();
    let line = spec.command.iter().chain(&spec.args).cloned().collect::<Vec<_>>().join(" ");
    let waits = ["until ", "while ", "wait", "for i in", "retry"].iter().any(|w| line.contains(w));
    for form in ASKED.iter() {
        for m in form.captures_iter(&line) {
            out.push((m[1].trim_end_matches('.').to_owned(), waits));
        }
    }
    let alone = PodSpec { containers: vec![spec.clone()], ..PodSpec::default() };
    for host in host::hosts(&alone) {
        if !out.iter().any(|(h, _)| *h == host) {
            out.push((host, waits));
        }
    }
    out
}

/// The Service a host names, if it can be one: `db`, `db.shop`, `db.shop.svc…`.
fn in_cluster(host: &str, ns: &str) -> Option<(String, String)> {
    let host = host.trim_end_matches(".cluster.local");
    let parts: Vec<&str> = host.split('.').collect();
    match parts.as_slice() {
        ["localhost"] => None,
        [name] => Some(((*name).to_owned(), ns.to_owned())),
        [name, place] => Some(((*name).to_owned(), (*place).to_owned())),
        [.., name, place, "svc"] => Some(((*name).to_owned(), (*place).to_owned())),
        _ => None,
    }
}

/// What is not there of a Service, if that is certain, and how many seconds it may still come.
fn absent(cx: &Context<'_>, name: &str, ns: &str, waits: bool) -> Option<(CauseDraft, i64)> {
    if !cx.index.knows(Kind::Service, Some(ns)) {
        return None;
    }
    let Some(service) = cx.index.get(Kind::Service, Some(ns), name) else {
        // A host of two parts may be outside the cluster, unless its second part is a namespace.
        let here = cx.index.in_namespace(Kind::Service, ns).next().is_some()
            || cx.index.in_namespace(Kind::Pod, ns).next().is_some()
            || cx.index.get(Kind::Namespace, None, ns).is_some();
        if !here || (!waits && !cx.index.knows(Kind::Pod, Some(ns))) {
            return None;
        }
        let all = cx.index.in_namespace(Kind::Service, ns).map(|o| o.meta().name.as_str());
        let near = placement::nearest(name, all).map(|n| format!(" Is {n} meant?")).unwrap_or_default();
        let c = cause(
            "init-waits-for-missing-service",
            Confidence::Likely,
            ObjectRef::missing(Kind::Service, Some(ns), name),
            format!("Service {name} does not exist (not found) in namespace {ns}.{near}"),
        );
        return Some((c, WAITING));
    };
    let Object::Service(s) = &**service else { return None };
    if s.spec.selector.is_empty() || !cx.index.knows(Kind::EndpointSlice, Some(ns)) {
        return None;
    }
    let ready = cx.index.in_namespace(Kind::EndpointSlice, ns).any(|o| match &**o {
        Object::EndpointSlice(e) => {
            e.metadata.labels.get("kubernetes.io/service-name").is_some_and(|n| n == name)
                && e.endpoints.iter().any(|p| p.conditions.ready.unwrap_or(true))
        }
        _ => false,
    });
    if ready {
        return None;
    }
    // Its pods may only be starting.
    let starting = cx
        .index
        .in_namespace(Kind::Pod, ns)
        .any(|p| s.spec.selector.iter().all(|(k, v)| p.meta().labels.get(k) == Some(v)));
    let c = cause(
        "init-waits-for-service",
        Confidence::Likely,
        service.reference(),
        format!("Service {name} in namespace {ns} has no ready endpoints."),
    );
    Some((c, if starting { STARTING } else { WAITING }))
}
