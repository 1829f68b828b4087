//! Why the API server refuses a pod, by its own words.

mod policy;
mod webhook;

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::super::{
    Context,
    context::{Owner, action, cause, edit, ns_flag},
    placement,
};
use crate::{
    change::{Change, ChangeVerb, FieldChange},
    evidence::EvidenceDraft,
    finding::CauseDraft,
    object::{Kind, LimitRange, Object, ObjectRef, PodSpec, Quantity},
    remediation::{ActionDraft, ActionKind},
    severity::Confidence,
    words,
};

/// What a refusal comes to.
pub(super) struct Told {
    pub cause: CauseDraft,
    pub steps: Vec<ActionDraft>,
    /// The quota it is about, whose numbers are evidence.
    pub quota: Option<ObjectRef>,
    /// What else was seen on live objects.
    pub evidence: Vec<EvidenceDraft>,
}

impl From<(CauseDraft, Vec<ActionDraft>)> for Told {
    fn from((cause, steps): (CauseDraft, Vec<ActionDraft>)) -> Told {
        Told { cause, steps, quota: None, evidence: Vec::new() }
    }
}

macro_rules! pattern {
    ($text:literal) => {{
        static PATTERN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new($text).ok());
        PATTERN.as_ref()
    }};
}

/// The template of the workload, as far as it is known.
fn spec<'a>(cx: &Context<'a>, owner: &Owner) -> Option<&'a PodSpec> {
    let index = cx.index;
    index.resolve(&owner.subject).and_then(|o| o.pod_template()).map(|t| &t.spec)
}

/// Why a pod is refused.
pub(super) fn explain(cx: &Context<'_>, owner: &Owner, message: &str) -> Told {
    let ns = owner.subject.namespace.as_deref();
    let tail = words::clip(message.split_once(" is forbidden: ").map_or(message, |(_, t)| t), 260);
    if let Some(m) = pattern!(r"exceeded quota: ([^,]+), requested: (.+?), used: (.+?), limited: (.+?)\s*$")
        .and_then(|r| r.captures(message))
    {
        return quota(cx, owner, &m, message);
    }
    if let Some(m) = pattern!(r"failed quota: ([^:]+): must specify (.+?)\s*$").and_then(|r| r.captures(message)) {
        return must_specify(cx, owner, &m);
    }
    if let Some(m) = pattern!(r#"service ?accounts? "([^"]+)" not found"#).and_then(|r| r.captures(message)) {
        return account(cx, owner, ns, m[1].rsplit('/').next().unwrap_or(&m[1])).into();
    }
    if let Some(m) = pattern!(r#"failed calling webhook "([^"]+)":? ?(.*)"#).and_then(|r| r.captures(message)) {
        return webhook::unreachable(cx, owner, &m[1], &m[2]);
    }
    if let Some(m) = pattern!(r#"admission webhook "([^"]+)" denied the request(?: without explanation)?:? ?(.*)"#)
        .and_then(|r| r.captures(message))
    {
        return webhook::denied(cx, owner, &m[1], &m[2]).into();
    }
    if let Some(m) = pattern!(r"ValidatingAdmissionPolicy '([^']+)'(?: with binding '([^']+)')? denied request: ?(.*)")
        .and_then(|r| r.captures(message))
    {
        return policy::validation(owner, &m).into();
    }
    if let Some(m) = pattern!(r"policy '([^']+)' with binding '([^']*)' denied request: (error applying .*)")
        .and_then(|r| r.captures(message))
    {
        return policy::mutation(owner, &m).into();
    }
    if let Some(m) =
        pattern!(r"violates PodSecurity \x22([^:\x22]+):?([^\x22]*)\x22: ?(.*)").and_then(|r| r.captures(message))
    {
        return pod_security(cx, owner, &m).into();
    }
    if let Some(m) = pattern!(r"((?:maximum|minimum) [\w./-]+ usage per \w+ is [^,\]]+?(?:, but (limit|request) is ([^,\]]+)|\. +No (limit|request) is specified)?|([\w./-]+) max limit to request ratio per \w+ is [^,\]]+(?:, but [^,\]]+)?)(?:[,\]]|\s*$)").and_then(|r| r.captures(message)) {
        return limit_range(cx, owner, &m).into();
    }
    if let Some(m) = pattern!(r"no PriorityClass with name (\S+) was found").and_then(|r| r.captures(message)) {
        return priority(cx, owner, &m[1]).into();
    }
    if let Some(m) = pattern!(r"RuntimeClass \x22([^\x22]+)\x22 not found").and_then(|r| r.captures(message)) {
        return runtime(owner, &m[1]).into();
    }
    if let Some(m) = pattern!(r"(?s)\w+ \x22[^\x22]*\x22 is invalid: (.+)").and_then(|r| r.captures(message)) {
        return invalid(cx, owner, &m[1]).into();
    }
    let mut c = cause(
        "pod-refused",
        Confidence::Established,
        owner.subject.clone(),
        format!("The API server refuses the pods of {}: {tail}", owner.subject),
    );
    if message.contains("security context constraint") {
        c.rule_id = "pod-security-violated".into();
        c.field = Some(owner.pod_field("securityContext"));
    }
    if message.contains("unable to create new content in namespace") {
        c.rule_id = "namespace-terminating".into();
        c.entity = named(cx, Kind::Namespace, None, ns.unwrap_or(""));
        c.referrer = Some(owner.subject.clone());
    }
    (c, vec![edit(ActionKind::Patch, &owner.subject, "the refusal names what must change")]).into()
}

fn named(cx: &Context<'_>, kind: Kind, ns: Option<&str>, name: &str) -> ObjectRef {
    cx.index.get(kind, ns, name).map_or_else(|| ObjectRef::missing(kind, ns, name), |o| o.reference())
}

/// `requests.cpu=500m,pods=1` by resource.
fn amounts(text: &str) -> Vec<(&str, &str)> {
    text.split(',').filter_map(|p| p.trim().split_once('=')).collect()
}

fn quota(cx: &Context<'_>, owner: &Owner, m: &Captures<'_>, message: &str) -> Told {
    let subject = &owner.subject;
    let entity = named(cx, Kind::ResourceQuota, subject.namespace.as_deref(), &m[1]);
    let (used, limited) = (amounts(&m[3]), amounts(&m[4]));
    let of = |list: &[(&str, &str)], name: &str| {
        list.iter().find(|(n, _)| *n == name).map_or("?".to_owned(), |(_, v)| (*v).to_owned())
    };
    let parts: Vec<String> = amounts(&m[2])
        .into_iter()
        .map(|(name, asked)| {
            format!("{name}={asked} is requested, {name}={} is used of {name}={}", of(&used, name), of(&limited, name))
        })
        .collect();
    let what = match message {
        m if m.contains("persistentvolumeclaims \"") => "A claim",
        m if m.contains("jobs.batch \"") => "A Job",
        m if m.contains("services \"") => "A Service",
        _ => "A pod",
    };
    let alone = amounts(&m[2])
        .into_iter()
        .find(|(name, asked)| Quantity::new(*asked).milli() > Quantity::new(of(&limited, name)).milli());
    let alone =
        alone.map(|(name, _)| format!(" It asks for more {name} than the quota allows in all.")).unwrap_or_default();
    let counts = match cx.index.resolve(&entity).map(|o| &**o) {
        Some(Object::ResourceQuota(q)) => q.spec.counts_only(),
        _ => None,
    };
    let alone = match counts {
        Some(only) => format!("{alone} The quota counts only pods with {only}, which these have."),
        None => alone,
    };
    let mut c = cause(
        "quota-exceeded",
        Confidence::Established,
        entity.clone(),
        format!(
            "{what} of {subject} would exceed ResourceQuota {} (exceeded quota): {}.{alone}",
            &m[1],
            parts.join("; ")
        ),
    );
    let resource = amounts(&m[2]).first().map(|(name, _)| (*name).to_owned()).unwrap_or_default();
    c.field = Some(format!("spec.hard[{resource}]"));
    c.referrer = Some(subject.clone());
    let raise = action(
        ActionKind::RaiseQuota,
        &entity,
        format!("{subject} fits then"),
        "the namespace may use more",
        "patch resourcequotas",
        format!("kubectl edit resourcequota {}{}", &m[1], ns_flag(subject)),
    );
    let less = (what == "A pod").then(|| edit(ActionKind::SetResources, subject, "or it asks for less"));
    Told { quota: Some(entity), ..(c, [raise].into_iter().chain(less).collect()).into() }
}

fn must_specify(cx: &Context<'_>, owner: &Owner, m: &Captures<'_>) -> Told {
    let subject = &owner.subject;
    // `limits.cpu for: app,side; requests.cpu for: app`, in older versions `limits.cpu,requests.cpu`.
    let first = m[2].split([' ', ',', ';']).next().unwrap_or("").to_owned();
    let container = m[2].split("for: ").nth(1).map(|t| t.split([',', ';', ' ']).next().unwrap_or("").to_owned());
    let container = container.or_else(|| spec(cx, owner)?.containers.first().map(|c| c.name.clone()));
    let mut c = cause(
        "quota-needs-resources",
        Confidence::Established,
        subject.clone(),
        format!(
            "ResourceQuota {} demands that every container specifies {}, and {subject} does not (must specify {}).",
            &m[1], &m[2], &m[2]
        ),
    );
    let (list, name) = first.split_once('.').unwrap_or(("requests", &first));
    c.field = Some(match container {
        Some(container) => owner.field(false, &container, &format!("resources.{list}.{name}")),
        None => owner.pod_field("containers[].resources"),
    });
    let entity = named(cx, Kind::ResourceQuota, subject.namespace.as_deref(), &m[1]);
    c.referrer = Some(entity.clone());
    let step = edit(ActionKind::SetResources, subject, format!("it must set {}", &m[2]));
    Told { quota: Some(entity), ..(c, vec![step]).into() }
}

fn account(cx: &Context<'_>, owner: &Owner, ns: Option<&str>, name: &str) -> (CauseDraft, Vec<ActionDraft>) {
    let subject = &owner.subject;
    let entity = named(cx, Kind::ServiceAccount, ns, name);
    let all = cx.index.in_namespace(Kind::ServiceAccount, ns.unwrap_or(""));
    let near = placement::nearest(name, all.map(|o| o.meta().name.as_str()));
    let near = near.map(|n| format!(" Is {n} meant?")).unwrap_or_default();
    let mut c = cause(
        "service-account-missing",
        Confidence::Established,
        entity.clone(),
        format!(
            "ServiceAccount {name} does not exist (not found) in namespace {}; the pods of {subject} are to run under it.{near}",
            ns.unwrap_or("")
        ),
    );
    c.referrer = Some(subject.clone());
    c.field = Some(owner.pod_field("serviceAccountName"));
    let make = action(
        ActionKind::ManualCheck,
        &entity,
        format!("{subject} waits for it"),
        "none for what runs already",
        "create serviceaccounts",
        format!("kubectl create serviceaccount {name}{}", ns_flag(subject)),
    );
    (c, vec![make, edit(ActionKind::Patch, subject, "or it names an account that exists")])
}

fn pod_security(cx: &Context<'_>, owner: &Owner, m: &Captures<'_>) -> (CauseDraft, Vec<ActionDraft>) {
    let subject = &owner.subject;
    let ns = subject.namespace.as_deref().unwrap_or("");
    let said = &m[3];
    // The first thing that is named is the field to begin with.
    let container = pattern!(r#"container "([^"]+)""#).and_then(|r| r.captures(said)).map(|c| c[1].to_owned());
    let setting =
        pattern!(r"(securityContext\.[A-Za-z.]+[A-Za-z])").and_then(|r| r.captures(said)).map(|c| c[1].to_owned());
    let init = spec(cx, owner).is_some_and(|s| s.init_containers.iter().any(|c| Some(&c.name) == container.as_ref()));
    let volume = pattern!(r#"volumes? "([^"]+)""#).and_then(|r| r.captures(said)).map(|c| c[1].to_owned());
    let host = ["hostNetwork", "hostPID", "hostIPC"].into_iter().find(|h| said.contains(&format!("{h}=true")));
    let field = match (container, setting) {
        (Some(c), Some(s)) => owner.field(init, &c, &s),
        (Some(c), None) if said.contains("hostPort") => owner.field(init, &c, "ports"),
        (_, _) if host.is_some() => owner.pod_field(host.unwrap_or("hostNetwork")),
        (None, Some(s)) => owner.pod_field(&s),
        (None, None) if volume.is_some() => owner.pod_field(&format!("volumes[{}]", volume.unwrap_or_default())),
        (Some(c), None) => owner.field(init, &c, "securityContext"),
        (None, None) => owner.pod_field("securityContext"),
    };
    let label = "pod-security.kubernetes.io/enforce";
    let by = cx.index.get(Kind::Namespace, None, ns).and_then(|n| n.meta().labels.get(label).cloned());
    let by = by.map(|l| format!(" (label {label}={l})")).unwrap_or_default();
    let mut c = cause(
        "pod-security-violated",
        Confidence::Established,
        subject.clone(),
        format!(
            "Namespace {ns} enforces the Pod Security level {}{by}, and the pods of {subject} are refused (violates PodSecurity \"{}:{}\"): {}",
            &m[1],
            &m[1],
            &m[2],
            words::clip(said, 420)
        ),
    );
    c.field = Some(field);
    c.referrer = Some(named(cx, Kind::Namespace, None, ns));
    (c, vec![edit(ActionKind::Patch, subject, "its security settings must satisfy the namespace's level")])
}

fn limit_range(cx: &Context<'_>, owner: &Owner, m: &Captures<'_>) -> (CauseDraft, Vec<ActionDraft>) {
    let subject = &owner.subject;
    let said = m[1].trim().to_owned();
    let words_of: Vec<&str> = said.split_whitespace().collect();
    let (resource, bound) = match m.get(5) {
        Some(r) => (r.as_str(), "ratio"),
        None => (words_of.get(1).copied().unwrap_or(""), words_of.first().copied().unwrap_or("")),
    };
    let which = m.get(2).or(m.get(4)).map_or("limit", |g| g.as_str());
    let list = if which == "request" { "requests" } else { "limits" };
    let value = m.get(3).map(|v| Quantity::new(v.as_str().trim().trim_end_matches('.')));
    let ranges: Vec<&LimitRange> = cx
        .index
        .in_namespace(Kind::LimitRange, subject.namespace.as_deref().unwrap_or(""))
        .filter_map(|o| match &**o {
            Object::LimitRange(l) => Some(l),
            _ => None,
        })
        .collect();
    let has = |l: &&&LimitRange| {
        l.spec.limits.iter().any(|i| match bound {
            "maximum" => i.max.contains_key(resource),
            "minimum" => i.min.contains_key(resource),
            _ => i.max_limit_request_ratio.contains_key(resource),
        })
    };
    let range = ranges.iter().find(has).or(ranges.first()).map(|l| l.reference());
    let name = range.as_ref().map_or(String::new(), |r| format!(" of LimitRange {}", r.name));
    // The container whose amount is the one that is named; a default of the namespace may have put it there.
    let template = spec(cx, owner);
    let amount = |c: &crate::object::Container| {
        let lists = if list == "limits" {
            [&c.resources.limits, &c.resources.requests]
        } else {
            [&c.resources.requests, &c.resources.limits]
        };
        lists[0].get(resource).and_then(Quantity::milli)
    };
    let wrong = value.as_ref().and_then(Quantity::milli);
    let container = template.and_then(|t| {
        let found = t.init_containers.iter().map(|c| (c, true)).chain(t.containers.iter().map(|c| (c, false)));
        let all: Vec<_> = found.collect();
        all.iter()
            .find(|(c, _)| wrong.is_some() && amount(c) == wrong)
            .or_else(|| all.iter().find(|(_, init)| !init))
            .map(|(c, init)| (c.name.clone(), *init))
    });
    let by_default = template
        .is_some_and(|t| wrong.is_some() && !t.containers.iter().chain(&t.init_containers).any(|c| amount(c) == wrong))
        && said.contains("per Container");
    let hint = if by_default {
        format!(" The {which} is not the workload's own: a default put it there.")
    } else {
        String::new()
    };
    let of_claim = said.contains("per PersistentVolumeClaim");
    let at = container.as_ref().filter(|_| !of_claim).map(|(c, _)| format!(" (container {c})")).unwrap_or_default();
    let mut c = cause(
        "limit-range-violated",
        Confidence::Established,
        subject.clone(),
        format!("{subject} breaks the limits{name}{at}: {said}.{hint}"),
    );
    c.field = Some(match &container {
        _ if of_claim => "spec.volumeClaimTemplates[].spec.resources.requests.storage".into(),
        Some((container, init)) => owner.field(*init, container, &format!("resources.{list}.{resource}")),
        None => owner.pod_field("containers[].resources"),
    });
    c.referrer.clone_from(&range);
    if let Some((range, change, path)) = range.as_ref().and_then(|r| tightened(cx, subject, r, (bound, resource))) {
        c.entity = range.clone();
        c.referrer = Some(subject.clone());
        c.field = Some(format!("spec.{path}"));
        c.statement.push_str(&format!(
            " {} changed the LimitRange at {}, and what the workload asks for was not changed.",
            change.who.as_deref().unwrap_or("Somebody"),
            change.at.strftime("%H:%M:%S UTC")
        ));
        let steps = vec![
            edit(ActionKind::SetLimitRange, range, "the limits must allow what ran until then"),
            edit(ActionKind::SetResources, subject, "or it must stay within the limits of its namespace"),
        ];
        return (c, steps);
    }
    let mut steps = vec![edit(ActionKind::SetResources, subject, "it must stay within the limits of its namespace")];
    steps.extend(range.map(|r| edit(ActionKind::SetLimitRange, &r, "or the limits must allow it")));
    (c, steps)
}

/// The change by which the bound that is violated became too narrow, and its field: the workload was there before, and
/// asks for what it asked for then.
fn tightened<'a, 'r>(
    cx: &Context<'a>,
    subject: &ObjectRef,
    range: &'r ObjectRef,
    (bound, resource): (&str, &str),
) -> Option<(&'r ObjectRef, &'a Change, String)> {
    let (list, down) = match bound {
        "maximum" => (".max.", true),
        "minimum" => (".min.", false),
        _ => (".maxLimitRequestRatio.", true),
    };
    let index = cx.index;
    let modified = |c: &&Change| c.verb == ChangeVerb::Modified;
    let own = |c: &Change| c.fields.iter().any(|f| f.path.contains(".resources."));
    if index.changes_of(subject).filter(modified).any(own) {
        return None;
    }
    let there = index.resolve(subject)?.meta().creation_timestamp?;
    let narrower = |f: &FieldChange| {
        let amount = |text: &Option<String>| text.as_ref().and_then(|t| Quantity::new(t.as_str()).milli());
        match (amount(&f.from), amount(&f.to)) {
            (Some(from), Some(to)) => (to < from) == down && to != from,
            (None, Some(_)) => true,
            _ => false,
        }
    };
    let found = index.changes_of(range).filter(modified).filter(|c| c.at > there).filter_map(|c| {
        let path = |f: &FieldChange| f.path.trim_start_matches("spec.").to_owned();
        let of = |f: &&FieldChange| {
            let path = path(f);
            path.starts_with("limits[") && path.contains(list) && path.ends_with(&format!(".{resource}"))
        };
        Some((range, c, path(c.fields.iter().filter(of).find(|f| narrower(f))?)))
    });
    found.max_by_key(|(_, c, _)| c.at)
}

fn priority(cx: &Context<'_>, owner: &Owner, name: &str) -> (CauseDraft, Vec<ActionDraft>) {
    let subject = &owner.subject;
    let all: Vec<String> = cx.index.all(Kind::PriorityClass).map(|o| o.meta().name.clone()).collect();
    let near = placement::nearest(name, all.iter().map(String::as_str));
    let near = near.map(|n| format!(" Is {n} meant?")).unwrap_or_default();
    let have = if all.is_empty() { String::new() } else { format!("; the cluster has {}", words::list(&all, 4)) };
    let mut c = cause(
        "priority-class-missing",
        Confidence::Established,
        subject.clone(),
        format!(
            "The pods of {subject} are refused: PriorityClass {name} (priorityClassName) does not exist (not found){have}.{near}"
        ),
    );
    c.field = Some(owner.pod_field("priorityClassName"));
    c.referrer = Some(named(cx, Kind::PriorityClass, None, name));
    (c, vec![edit(ActionKind::Patch, subject, "its priority class must exist")])
}

fn runtime(owner: &Owner, name: &str) -> (CauseDraft, Vec<ActionDraft>) {
    let subject = &owner.subject;
    let mut c = cause(
        "runtime-class-missing",
        Confidence::Established,
        subject.clone(),
        format!(
            "The pods of {subject} are refused: RuntimeClass {name} (runtimeClassName) does not exist (not found)."
        ),
    );
    c.field = Some(owner.pod_field("runtimeClassName"));
    (c, vec![edit(ActionKind::Patch, subject, "its runtime class must exist")])
}

/// A pod that the API refuses to read: `spec.containers[0].resources.requests: Invalid value: "1Gi": must be …`.
fn invalid(cx: &Context<'_>, owner: &Owner, said: &str) -> (CauseDraft, Vec<ActionDraft>) {
    let subject = &owner.subject;
    let template = spec(cx, owner);
    let path = said.trim_start_matches(['[', ' ']).split(": ").next().unwrap_or("").to_owned();
    let place = pattern!(r"^spec\.(initContainers|containers)\[(\d+)\]\.?(.*)$").and_then(|r| r.captures(&path));
    let container = place.as_ref().and_then(|m| {
        let template = template?;
        let at: usize = m[2].parse().ok()?;
        let list = if &m[1] == "containers" { &template.containers } else { &template.init_containers };
        list.get(at)
    });
    let field = match (&place, container) {
        (Some(m), Some(c)) => owner.field(&m[1] == "initContainers", &c.name, &m[3]),
        _ => match path.strip_prefix("spec.") {
            Some(below) => owner.pod_field(below),
            None => format!("{}.{path}", owner.prefix.trim_end_matches(".spec")),
        },
    };
    let at = container.map(|c| format!(" (container {})", c.name)).unwrap_or_default();
    // Requests above a limit that the workload does not set: the namespace's default is that limit.
    let over = pattern!(r"must be less than or equal to (\S+) limit(?: of (\S+))?").and_then(|r| r.captures(said));
    let range = over.as_ref().and_then(|m| {
        let unset = container.is_some_and(|c| !c.resources.limits.contains_key(&m[1]));
        let ranges = cx.index.in_namespace(Kind::LimitRange, subject.namespace.as_deref().unwrap_or(""));
        let mut ranges = ranges.filter(
            |o| matches!(&***o, Object::LimitRange(l) if l.spec.limits.iter().any(|i| i.default.contains_key(&m[1]))),
        );
        ranges.next().filter(|_| unset).map(|o| o.reference())
    });
    let hint = match (&range, &over) {
        (Some(r), Some(m)) => format!(
            " It sets no {} limit: the default{} comes from LimitRange {}.",
            &m[1],
            m.get(2).map(|v| format!(" of {}", v.as_str())).unwrap_or_default(),
            r.name
        ),
        _ => String::new(),
    };
    let rule = if over.is_some() { "request-over-limit" } else { "pod-invalid" };
    let mut c = cause(
        rule,
        Confidence::Established,
        subject.clone(),
        format!(
            "The pods of {subject}{at} are invalid and refused: {}.{hint}",
            words::clip(said.trim_end_matches('.'), 300)
        ),
    );
    c.field = Some(field);
    c.referrer.clone_from(&range);
    let kind = if over.is_some() { ActionKind::SetResources } else { ActionKind::Patch };
    let mut steps = vec![edit(kind, subject, "the refusal names the field")];
    steps.extend(range.map(|r| edit(ActionKind::SetLimitRange, &r, "or the default limit must be larger")));
    (c, steps)
}
