//! Rights: what the Kubernetes API forbids, and ports that cannot be opened.

use std::sync::LazyLock;

use regex::Regex;

use super::{Blame, Case, disk::security};
use crate::{
    change::{Change, FieldChange},
    detect::context::{action, edit},
    index::Now,
    logs::Signal,
    object::{
        Kind, Object, ObjectRef,
        access::{PolicyRule, RoleRef, Subject},
    },
    remediation::ActionKind,
    severity::Confidence,
};

/// What was asked of the API and refused.
struct Refused {
    user: String,
    verb: String,
    /// With its subresource: `pods/log`.
    resource: String,
    group: String,
    /// `None`: in every namespace.
    namespace: Option<String>,
    /// The one object that was asked for.
    name: Option<String>,
}

fn parse(text: &str) -> Option<Refused> {
    static FORM: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(concat!(
            r#"User \\*"([^"\\]+)\\*" cannot (\w+) resource \\*"([^"\\]+)\\*" in API group \\*"([^"\\]*)\\*""#,
            r#"(?: (?:in the namespace \\*"([^"\\]+)\\*"|at the cluster scope))?"#
        ))
        .ok()
    });
    static NAME: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"[\w.-]+ \\*"([^"\\]+)\\*" is forbidden: User"#).ok());
    let c = FORM.as_ref()?.captures(text)?;
    let name = NAME.as_ref().and_then(|r| r.captures(text)).map(|m| m[1].to_owned());
    Some(Refused {
        user: c[1].to_owned(),
        verb: c[2].to_owned(),
        resource: c[3].to_owned(),
        group: c[4].to_owned(),
        namespace: c.get(5).map(|m| m.as_str().to_owned()),
        name,
    })
}

/// A grant: who has which role, and in which namespace (`None`: everywhere).
struct Grant<'a> {
    object: &'a Object,
    subjects: &'a [Subject],
    role: &'a RoleRef,
    namespace: Option<&'a str>,
}

fn grants<'a>(case: &Case<'_, 'a>) -> Vec<Grant<'a>> {
    let index = case.cx.index;
    let of = |kind| index.all(kind).map(|o| &**o);
    of(Kind::RoleBinding)
        .chain(of(Kind::ClusterRoleBinding))
        .filter_map(|object| match object {
            Object::RoleBinding(b) => Some(Grant {
                object,
                subjects: &b.subjects,
                role: &b.role_ref,
                namespace: b.metadata.namespace.as_deref(),
            }),
            Object::ClusterRoleBinding(b) => {
                Some(Grant { object, subjects: &b.subjects, role: &b.role_ref, namespace: None })
            }
            _ => None,
        })
        .collect()
}

fn role<'a>(case: &Case<'_, 'a>, grant: &Grant<'_>) -> Option<(&'a Object, &'a [PolicyRule])> {
    let kind = Kind::parse(&grant.role.kind)?;
    match case.cx.index.get(kind, grant.namespace, &grant.role.name).map(|o| &**o)? {
        object @ Object::Role(r) => Some((object, &r.rules)),
        object @ Object::ClusterRole(r) => Some((object, &r.rules)),
        _ => None,
    }
}

/// The change that took an account out of what a binding names.
fn moved<'a>(case: &Case<'_, 'a>, grant: &Grant<'_>, ns: &str, account: &str) -> Option<&'a Change> {
    let took = |c: &&Change| {
        let of = |part: &str| {
            let path = format!("subjects[{account}].{part}");
            c.fields.iter().find(|f| f.path == path)
        };
        let gone = |f: &FieldChange| f.from.is_some() && f.to.is_none();
        // It is another's where the namespace that was named is another.
        let mine = |f: &FieldChange| f.from.as_deref() == Some(ns) && f.to.as_deref() != Some(ns);
        match of("namespace") {
            Some(f) => mine(f),
            None => of("kind").is_some_and(gone),
        }
    };
    case.changes(&grant.object.reference()).into_iter().find(took)
}

/// The Kubernetes API forbids what the container asks of it: who lacks which right, and where it should stand.
pub(super) fn cluster(case: &Case<'_, '_>, signal: &Signal) -> Blame {
    let mut own = case.own(signal);
    let Some(asked) = parse(&signal.text) else { return own };
    let place =
        asked.namespace.as_ref().map_or_else(|| "at the cluster scope".to_owned(), |n| format!("in namespace {n}"));
    let group = if asked.group.is_empty() { String::new() } else { format!(" of API group {}", asked.group) };
    let parts: Vec<&str> = asked.user.splitn(4, ':').collect();
    let ["system", "serviceaccount", ns, account] = parts.as_slice() else {
        own.phrase = format!(
            "the Kubernetes API forbids {} to {} {}{group} {place} (RBAC)",
            asked.user, asked.verb, asked.resource
        );
        return own;
    };
    own.phrase = format!(
        "the Kubernetes API forbids ServiceAccount {account} of namespace {ns} to {} {}{group} {place} (RBAC, forbidden)",
        asked.verb, asked.resource
    );
    let me = case
        .cx
        .index
        .get(Kind::ServiceAccount, Some(ns), account)
        .map_or_else(|| ObjectRef::missing(Kind::ServiceAccount, Some(ns), account), |o| o.reference());
    let step = grant_step(&asked, ns, account, &me);
    let known = [Kind::RoleBinding, Kind::ClusterRoleBinding, Kind::Role, Kind::ClusterRole]
        .iter()
        .all(|k| case.cx.index.knows(*k, asked.namespace.as_deref().or(Some(ns))));
    if !known {
        return own.on(me, None, case).step(step);
    }
    let all = grants(case);
    let holds = |g: &Grant<'_>| {
        g.subjects.iter().any(|s| match s.kind.as_str() {
            "ServiceAccount" => s.name == *account && s.namespace.as_deref().or(g.namespace) == Some(ns),
            "Group" => {
                s.name == "system:serviceaccounts"
                    || s.name == format!("system:serviceaccounts:{ns}")
                    || s.name == "system:authenticated"
            }
            _ => s.name == asked.user,
        })
    };
    let direct = |g: &&Grant<'_>| g.subjects.iter().any(|s| s.kind == "ServiceAccount") && holds(g);
    let reaches = |g: &Grant<'_>| g.namespace.is_none() || g.namespace == asked.namespace.as_deref();
    let allows = |g: &Grant<'_>| {
        role(case, g).is_some_and(|(_, rules)| {
            rules.iter().any(|r| match &asked.name {
                Some(name) => r.allows_named(&asked.verb, &asked.group, &asked.resource, name),
                None => r.allows(&asked.verb, &asked.group, &asked.resource),
            })
        })
    };
    // What refused it is not what holds now.
    let now = all.iter().filter(|g| holds(g) && reaches(g) && allows(g));
    if let Some((g, object)) = now.filter_map(|g| Some((g, role(case, g)?.0))).next() {
        return granted_since(case, g, object, own);
    }
    // A binding to a role that is not there.
    if let Some(g) = all.iter().filter(direct).find(|g| reaches(g) && role(case, g).is_none()) {
        let kind = Kind::parse(&g.role.kind).unwrap_or(Kind::Role);
        let missing = ObjectRef::missing(kind, g.namespace, &g.role.name);
        let binding = g.object.reference();
        let mut blame = own
            .says(format!(
                "; {} {} grants it {} {}, which does not exist (not found)",
                binding.kind, binding.name, kind, g.role.name
            ))
            .sure(Confidence::Established)
            .on(missing, Some("rules".into()), case)
            .seen(g.object, "grant", format!("{binding} grants {kind} {}", g.role.name), &grant_lines(g), Now::STAMP)
            .step(step);
        blame.referrer = Some(binding);
        return blame;
    }
    // A role that is bound and lacks it; a role that covers the resource before one that does not.
    let lacking = all.iter().filter(direct).filter(|g| reaches(g)).filter_map(|g| Some((g, role(case, g)?)));
    let near = lacking.max_by_key(|(g, (object, rules))| {
        let covers = rules.iter().any(|r| r.speaks_of(&asked.group, &asked.resource));
        (covers, g.namespace.is_some(), std::cmp::Reverse(object.meta().name.clone()))
    });
    if let Some((g, (object, rules))) = near {
        let reference = object.reference();
        let has = lets(rules, &asked);
        return own
            .says(format!(
                "; {} {}, which it is bound to, {has} and lacks {}{}",
                reference.kind,
                reference.name,
                asked.verb,
                asked.name.as_ref().map(|n| format!(" on {n}")).unwrap_or_default()
            ))
            .sure(Confidence::Established)
            .on(reference.clone(), Some("rules".into()), case)
            .seen(object, "rules", format!("{reference} {has}"), &rule_lines(rules), Now::STAMP)
            .seen(g.object, "grant", format!("{} grants it", g.object.reference()), &grant_lines(g), Now::STAMP)
            .step(action(
                ActionKind::GrantRole,
                &reference,
                format!("it lacks {} on {}", asked.verb, asked.resource),
                "everyone bound to the role may do so then",
                "patch roles.rbac.authorization.k8s.io",
                format!("kubectl edit {}{}", reference.kubectl(), crate::detect::context::ns_flag(&reference)),
            ))
            .step(step);
    }
    // A binding of the right role that names somebody else, or holds in another namespace.
    let mut right = all.iter().filter(|g| allows(g));
    let mine = right.clone().find(|g| holds(g) && !reaches(g));
    if let Some(g) = mine {
        let reference = g.object.reference();
        let there = g.namespace.unwrap_or("");
        return own
            .says(format!("; {reference} grants it, but in namespace {there} only"))
            .sure(Confidence::Established)
            .on(reference.clone(), None, case)
            .seen(g.object, "grant", format!("{reference} holds in {there}"), &grant_lines(g), Now::STAMP)
            .step(step);
    }
    // A binding that granted it until somebody changed whom it names.
    if let Some((g, change)) =
        right.clone().filter(|g| reaches(g)).find_map(|g| Some((g, moved(case, g, ns, account)?)))
    {
        let reference = g.object.reference();
        return own
            .says(format!(
                "; {reference} granted it until {} changed its subjects at {}",
                change.who.as_deref().unwrap_or("somebody"),
                change.at.strftime("%H:%M:%S UTC")
            ))
            .sure(Confidence::Established)
            .on(reference.clone(), Some("subjects".into()), case)
            .seen(g.object, "grant", format!("{reference} does not name {account}"), &grant_lines(g), Now::STAMP)
            .step(edit(ActionKind::GrantRole, &reference, format!("it must name ServiceAccount {account} again")))
            .step(step);
    }
    // The right account stands beside: the workload runs with another.
    if *account == "default"
        && let Some((g, other)) = right.clone().filter(|g| reaches(g)).find_map(|g| {
            let s = g.subjects.iter().find(|s| {
                s.kind == "ServiceAccount" && s.namespace.as_deref().or(g.namespace) == Some(ns) && s.name != *account
            })?;
            case.cx.index.get(Kind::ServiceAccount, Some(ns), &s.name).map(|_| (g, s.name.clone()))
        })
    {
        return own
            .says(format!("; ServiceAccount {other} has the right, but the pods run as {account} (serviceAccountName)"))
            .field(case.owner.pod_field("serviceAccountName"))
            .seen(
                g.object,
                "grant",
                format!("{} grants it to {other}", g.object.reference()),
                &grant_lines(g),
                Now::STAMP,
            )
            .step(case.edit(ActionKind::Patch, format!("run it as ServiceAccount {other}")));
    }
    let wrong = right.find(|g| {
        reaches(g)
            && g.subjects.iter().filter(|s| s.kind == "ServiceAccount").any(|s| {
                let there = s.namespace.as_deref().or(g.namespace);
                let misspelt = || {
                    crate::words::misspelt(&s.name, account)
                        && case.cx.index.get(Kind::ServiceAccount, there, &s.name).is_none()
                };
                // Every namespace has an account `default`.
                (s.name == *account && *account != "default") || misspelt()
            })
    });
    if let Some(g) = wrong {
        let reference = g.object.reference();
        let named: Vec<String> = g
            .subjects
            .iter()
            .map(|s| format!("{} {}/{}", s.kind, s.namespace.as_deref().or(g.namespace).unwrap_or(""), s.name))
            .collect();
        return own
            .says(format!("; {reference} grants it to {} instead", crate::words::list(&named, 3)))
            .sure(Confidence::Established)
            .on(reference.clone(), Some("subjects".into()), case)
            .seen(
                g.object,
                "grant",
                format!("{reference} grants it to {}", named.join(", ")),
                &grant_lines(g),
                Now::STAMP,
            )
            .step(step);
    }
    // A binding that was there until just before.
    let lost = case.lost(&[Kind::RoleBinding, Kind::ClusterRoleBinding], asked.namespace.as_deref());
    // Of several, the one that is called like who lacks it.
    let mut alike = lost.iter().filter(|c| c.object.name == *account || c.object.name == case.owner.subject.name);
    let gone = match lost.as_slice() {
        [gone] => Some(gone),
        _ => alike.next().filter(|_| alike.next().is_none()),
    };
    if let Some(gone) = gone {
        let binding = gone.object.clone();
        let who = gone.who.as_ref().map(|w| format!(" by {w}")).unwrap_or_default();
        return own
            .says(format!(
                "; {} {} was deleted{who} shortly before, and nothing else grants it",
                binding.kind, binding.name
            ))
            .on(ObjectRef { uid: None, ..binding }, None, case)
            .step(step);
    }
    let blame = own.says("; no RoleBinding or ClusterRoleBinding grants it (missing)").sure(Confidence::Established);
    let seen = case.cx.index.get(Kind::ServiceAccount, Some(ns), account);
    let blame = match seen {
        Some(o) => blame.seen(
            o,
            "grants",
            format!("Nothing grants ServiceAccount {account} anything"),
            &[("grants", "none".into())],
            Now::STAMP,
        ),
        None => blame,
    };
    blame.on(me, None, case).step(step)
}

/// What a role allows on what was asked for.
fn lets(rules: &[PolicyRule], asked: &Refused) -> String {
    let resource = &asked.resource;
    let on_it: Vec<&PolicyRule> = rules.iter().filter(|r| r.speaks_of(&asked.group, resource)).collect();
    if let Some(limited) = on_it.iter().find(|r| r.has_verb(&asked.verb)) {
        let names = crate::words::list(&limited.resource_names, 4);
        return format!("allows {} on {resource} only by the names {names} (resourceNames)", asked.verb);
    }
    let mut verbs: Vec<String> = on_it.iter().flat_map(|r| r.verbs.clone()).collect();
    verbs.sort();
    verbs.dedup();
    if !verbs.is_empty() {
        return format!("allows only {} on {resource}", crate::words::list(&verbs, 6));
    }
    let elsewhere = rules.iter().filter(|r| r.resources.contains(resource)).flat_map(|r| &r.api_groups);
    let groups: Vec<String> = elsewhere.map(|g| format!("“{g}”")).collect();
    match groups.is_empty() {
        true => format!("does not name {resource}"),
        false => format!("names {resource} of API group {} only", crate::words::list(&groups, 3)),
    }
}

/// The right is there now: where it came after the refusal, what gave it is named, and the next start will tell.
fn granted_since(case: &Case<'_, '_>, g: &Grant<'_>, object: &Object, own: Blame) -> Blame {
    let (binding, role) = (g.object.reference(), object.reference());
    let index = case.cx.index;
    let last = |o: &Object| {
        let seen = index.changes().filter(|c| c.object.same_name(&o.reference())).map(|c| c.at).max();
        let meta = o.meta();
        [seen, meta.creation_timestamp, meta.last_writer().and_then(|(_, t)| t)].into_iter().flatten().max()
    };
    let (bound, allowed) = (last(g.object), last(object));
    let own = own.seen(g.object, "grant", format!("{binding} grants {role}"), &grant_lines(g), Now::STAMP);
    if bound.max(allowed).is_none_or(|t| t <= case.died) {
        return own
            .says(format!("; {role} allows it and {binding} grants it, so it is not this cluster's RBAC that refuses"))
            .needs("which API server it asks, and whether another authorizer has a say there");
    }
    let given = if bound > allowed { binding.clone() } else { role.clone() };
    own.says(format!("; {role} allows it now, and {binding} grants it: the right was given after this refusal"))
        .on(given, None, case)
}

fn grant_lines(g: &Grant<'_>) -> Vec<(&'static str, String)> {
    let subjects: Vec<String> =
        g.subjects.iter().map(|s| format!("{} {}/{}", s.kind, s.namespace.as_deref().unwrap_or(""), s.name)).collect();
    vec![("roleRef", format!("{} {}", g.role.kind, g.role.name)), ("subjects", subjects.join(", "))]
}

fn rule_lines(rules: &[PolicyRule]) -> Vec<(&'static str, String)> {
    rules.iter().map(|r| ("rule", format!("{} on {}", r.verbs.join(","), r.resources.join(",")))).collect()
}

fn grant_step(asked: &Refused, ns: &str, account: &str, me: &ObjectRef) -> crate::remediation::ActionDraft {
    let name = format!("{account}-{}-{}", asked.verb, asked.resource.replace('/', "-"));
    let dotted =
        if asked.group.is_empty() { asked.resource.clone() } else { format!("{}.{}", asked.resource, asked.group) };
    let (kind, at) = match &asked.namespace {
        Some(n) => ("role", format!(" -n {n}")),
        None => ("clusterrole", String::new()),
    };
    action(
        ActionKind::GrantRole,
        me,
        format!("it may not {} {}", asked.verb, asked.resource),
        "everything that runs as this ServiceAccount may do so then",
        "create rolebindings.rbac.authorization.k8s.io",
        format!(
            "kubectl create {kind} {name}{at} --verb={} --resource={dotted} && kubectl create {kind}binding {name}{at} --{kind}={name} --serviceaccount={ns}:{account}",
            asked.verb
        ),
    )
}

/// A port below 1024 and a user who is not root.
pub(super) fn port_denied(case: &Case<'_, '_>, signal: &Signal) -> Blame {
    let own = case.own(signal);
    let dropped = case.spec.security_context.as_ref().and_then(|s| s.pointer("/capabilities/drop")).is_some();
    match security(case, "runAsUser").or_else(|| security(case, "runAsNonRoot")) {
        Some((value, field)) => {
            let name = field.rsplit('.').next().unwrap_or("runAsUser").to_owned();
            own.says(format!("; ports below 1024 need root or NET_BIND_SERVICE, and {name} is {value}")).field(field)
        }
        None if dropped => own
            .says("; its capabilities drop NET_BIND_SERVICE, which ports below 1024 need")
            .field(case.path("securityContext.capabilities")),
        None => own.field(case.path("ports")),
    }
}

/// Two containers of one pod, or two pods on the node's own network, open one port.
pub(super) fn port_in_use(case: &Case<'_, '_>, signal: &Signal) -> Blame {
    let own = case.own(signal);
    // Where the line names none: one that it is told to open and that another container of the pod declares.
    let declared = || {
        let others = case.pod.spec.containers.iter().filter(|c| c.name != case.spec.name);
        let mut told = others.flat_map(|c| &c.ports).map(|p| p.container_port);
        told.find(|port| case.written(&port.to_string()).is_some())
    };
    let Some(port) = signal.subject.as_deref().and_then(|s| s.parse::<u16>().ok()).or_else(declared) else {
        return own.field(case.path("ports"));
    };
    let text = port.to_string();
    let opens = |c: &crate::object::Container| {
        c.ports.iter().any(|p| p.container_port == port)
            || c.env.iter().any(|e| e.value.as_deref() == Some(&text) && e.name.to_uppercase().contains("PORT"))
            || c.args.iter().chain(&c.command).any(|a| super::contains_word(a, &text))
    };
    let sibling = |c: &&crate::object::Container| c.name != case.spec.name && opens(c);
    let other = case.pod.spec.containers.iter().find(sibling).or_else(|| {
        // Sidecars run beside the containers; other init containers are over.
        case.pod.spec.init_containers.iter().filter(|c| c.restart_policy.as_deref() == Some("Always")).find(sibling)
    });
    if let Some(other) = other {
        let field = match case.written(&text).filter(|_| !case.spec.ports.iter().any(|p| p.container_port == port)) {
            Some(field) => field,
            None => case.path("ports"),
        };
        return own
            .says(format!(
                "; container {} of the same pod opens port {port} too, and both share one network",
                other.name
            ))
            .sure(if opens(case.spec) { Confidence::Established } else { Confidence::Likely })
            .field(field);
    }
    if case.pod.spec.host_network {
        let node = case.pod.spec.node_name.as_deref().unwrap_or("");
        let neighbour = case.cx.pods_on(node).into_iter().find(|p| {
            p.metadata.uid != case.pod.metadata.uid
                && p.spec.host_network
                && !p.finished()
                && p.spec.containers.iter().any(opens)
        });
        let who = neighbour.map(|p| format!(": pod {} uses it", p.metadata.name)).unwrap_or_default();
        return own
            .says(format!("; with hostNetwork it is a port of node {node}{who}"))
            .field(case.owner.pod_field("hostNetwork"));
    }
    match case.written(&text) {
        Some(field) => own.field(field),
        None => own.field(case.path("ports")),
    }
}
