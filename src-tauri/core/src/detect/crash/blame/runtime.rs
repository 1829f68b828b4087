//! What a program runs with: the processor its image is for, the heap its runtime may take, its license.

use super::{Blame, Case, bound, file, setting};
use crate::{
    detect::context::set,
    index::Now,
    logs::{Class, Signal},
    object::{Container, Kind, Object},
    remediation::ActionKind,
    severity::Confidence,
};

/// The image is built for another machine than the node is; a script that is mounted lacks its first line instead.
pub(super) fn architecture(case: &Case<'_, '_>, signal: &Signal) -> Blame {
    if let Some(path) = signal.subject.as_deref().filter(|path| file::from_volume(case, path)) {
        let own = case.own(signal).happened(&format!(
            "{path} cannot be run (exec format error): it is mounted, and a script whose first line is not #! and its \
             interpreter"
        ));
        return file::content(case, path, own);
    }
    let own = case.own(signal).field(case.path("image")).says(format!("; its image is {}", case.spec.image));
    let node = case.pod.spec.node_name.as_deref().and_then(|n| case.cx.index.get(Kind::Node, None, n));
    match node.map(|o| &**o) {
        Some(object @ Object::Node(node)) if !node.status.node_info.architecture.is_empty() => {
            let arch = &node.status.node_info.architecture;
            let name = &node.metadata.name;
            own.says(format!(", and node {name} is {arch}")).seen(
                object,
                "architecture",
                format!("Node {name} is {arch}"),
                &[("architecture", arch.clone())],
                Now::STAMP,
            )
        }
        _ => own,
    }
}

/// The option that bounds a runtime's heap, and the variable or list it stands in.
pub(in crate::detect::crash) fn heap_option(spec: &Container) -> Option<(String, String)> {
    let bounds =
        ["-Xmx", "--max-old-space-size", "--max_old_space_size", "MaxRAMPercentage", "GOMEMLIMIT", "memory_limit"];
    let option = |value: &str| {
        bounds.iter().find_map(|b| {
            let at = value.find(b)?;
            value[at..].split([' ', '"', '\'']).next().map(str::to_owned)
        })
    };
    let of_env = spec.env.iter().find_map(|e| Some((e.name.clone(), e.value.as_deref().and_then(option)?)));
    let of_list = |list: &[String], name: &str| list.iter().find_map(|a| option(a)).map(|o| (name.to_owned(), o));
    of_env.or_else(|| of_list(&spec.args, "args")).or_else(|| of_list(&spec.command, "command"))
}

/// A runtime with a heap of its own: the option that bounds it, else the container's limit.
pub(super) fn heap(case: &Case<'_, '_>, signal: &Signal) -> Blame {
    let own = case.own(signal);
    let limit = case.spec.resources.limits.get("memory");
    let of = limit.map(|l| format!("; the container's memory limit is {l}")).unwrap_or_default();
    if let Some((name, option)) = heap_option(case.spec) {
        let variable = case.spec.env.iter().any(|e| e.name == name);
        let field = if variable { format!("env[{name}]") } else { name.clone() };
        let kind = if variable { ActionKind::SetEnv } else { ActionKind::Patch };
        return own
            .says(format!(": {name} sets {option}{of}"))
            .field(case.path(&field))
            .step(case.edit(kind, format!("{option} bounds the heap")));
    }
    if signal.text.contains("Allowed memory size of") {
        let own = own.says("; what is reached is PHP's own memory_limit, not the container's");
        let ini = |key: &Option<String>| key.as_ref().is_some_and(|k| k.ends_with(".ini") || k.ends_with(".conf"));
        return match file::only_map(case).filter(|(_, key)| ini(key)) {
            Some((name, key)) => own.says(format!(", and its configuration is mounted from ConfigMap {name}")).on(
                case.reference(Kind::ConfigMap, &name),
                key.map(|k| format!("data[{k}]")),
                case,
            ),
            None => {
                let blame = bound::bound(case, own.clone(), &["MEMORY_LIMIT"]);
                if blame.phrase == own.phrase { own.field(case.path("image")) } else { blame }
            }
        };
    }
    // What a ConfigMap gives it to run with, and did not give it before.
    let given = bound::bound(
        case,
        own.clone(),
        &["JAVA_TOOL_OPTIONS", "JAVA_OPT", "JVM", "HEAP", "XMX", "NODE_OPTIONS", "GOMEMLIMIT"],
    );
    if given.entity.kind == "ConfigMap" {
        return given.says(of);
    }
    let own = own.says(of).field(case.path("resources.limits.memory"));
    let subject = &case.owner.subject;
    own.step(set(
        ActionKind::SetResources,
        subject,
        "it needs more memory than it has",
        "replaces its pods; they need room on a node",
        ("resources", format!("-c {} --limits=memory=MEMORY", case.spec.name)),
    ))
}

/// A license: the mounted file the line names, the variable, or the only mount that is called so.
pub(super) fn license(case: &Case<'_, '_>, signal: &Signal) -> Blame {
    let own = case.own(signal);
    let sounds = |name: &str| name.to_ascii_lowercase().contains("licen");
    let named =
        signal.text.split_whitespace().find(|w| w.starts_with('/') && (sounds(w) || file::from_volume(case, w)));
    let mut mounts = case.spec.volume_mounts.iter().filter(|m| sounds(&m.mount_path) || sounds(&m.name));
    let mounted = mounts.next().filter(|_| mounts.next().is_none()).map(|m| m.mount_path.as_str());
    let mut variables = case.spec.env.iter().filter(|e| sounds(&e.name));
    let variable = variables.next().filter(|_| variables.next().is_none());
    match (named, variable, mounted) {
        (Some(path), _, _) => file::content(case, path.trim_end_matches([':', '.', ',', ')']), own),
        (None, Some(e), _) => {
            let named = Signal { class: Class::BadConfig, subject: Some(e.name.clone()), ..signal.clone() };
            let blame = setting::bad(case, &named).rule(&own.rule).happened(&own.phrase);
            let confidence = blame.confidence.min(Confidence::Likely);
            blame.sure(confidence)
        }
        (None, None, Some(path)) => file::content(case, path, own),
        (None, None, None) => own,
    }
}
