//! Containers that cannot be made from their configuration.

use super::super::{
    Context,
    context::{Owner, action, cause, edit, event_evidence, evidence, finding, hold},
    crash::{blame::Case, unmountable},
    source,
};
use super::CONFIG;
use crate::{
    evidence::EvidenceKind,
    finding::{CauseDraft, Finding},
    object::{Container, Kind, KubeEvent, ObjectRef, Pod, pod::ResourceFieldRef},
    remediation::ActionKind,
    severity::Confidence,
    words,
};

const REASONS: &[&str] = &[
    "CreateContainerConfigError",
    "CreateContainerError",
    "PreStartHookError",
    "PostStartHookError",
    "RunContainerError",
];

/// Looks at every container the kubelet or the runtime refuses to make.
pub(super) fn refused(cx: &mut Context<'_>, pod: &Pod) {
    for (spec, status, init) in pod.containers() {
        let Some(waiting) = status.and_then(|s| s.state.waiting.as_ref()) else { continue };
        let reason = waiting.reason.as_deref().unwrap_or("");
        if !REASONS.contains(&reason)
            || (reason == "RunContainerError" && status.is_some_and(|s| s.last_state.terminated.is_some()))
        {
            continue;
        }
        let me = pod.reference();
        let owner = cx.owner(pod);
        let message = waiting.message.clone().unwrap_or_default();
        let events = cx.index.events_of(&me);
        let failed: Vec<&&KubeEvent> = events.iter().filter(|e| e.is_warning() && e.reason() == "Failed").collect();
        let started = failed
            .iter()
            .filter_map(|e| e.first_seen())
            .min()
            .or(pod.status.start_time)
            .unwrap_or_else(|| cx.now.get());
        if reason == "CreateContainerConfigError" && source::arrived(cx, pod, &message, started) {
            continue;
        }
        let mut f = finding(
            "container-config-error",
            me.clone(),
            &owner.subject,
            cx.workload_severity(&owner.subject),
            started,
        );
        f.part.clone_from(&spec.name);
        f.hold = hold(CONFIG);
        f.started_basis = "first refusal by the kubelet".into();
        let item = evidence(
            EvidenceKind::ContainerStatus,
            format!("config|{}|{}|{message}", me.uid.as_deref().unwrap_or(&me.name), spec.name),
            started,
            me.clone(),
            format!("Container {} waits: {reason}: {}", spec.name, words::clip(&message, 140)),
            format!(
                "pod: {}\ncontainer: {}\nimage: {}\nreason: {reason}\nmessage: {message}",
                me.name, spec.name, spec.image
            ),
        );
        let mut keys = vec![item.key.clone()];
        f.evidence.push(item);
        if let Some(e) = failed.last() {
            let item = event_evidence(e, cx.now);
            keys.push(item.key.clone());
            f.evidence.push(item);
        }
        // The reason may be a word while the whole story stands in the event.
        let told = match message.trim().len() {
            0..=24 => failed.last().map_or(message.as_str(), |e| e.message()).to_owned(),
            _ => message.clone(),
        };
        let mut c = why(cx, &mut f, pod, spec, init, &owner, reason, &told);
        c.evidence.splice(0..0, keys);
        f.message =
            format!("Container {} of {} cannot be made ({reason}): {}", spec.name, me.name, words::clip(&told, 240));
        f.causes.push(c);
        cx.report(f);
    }
}

#[allow(clippy::too_many_arguments, reason = "one container's whole situation")]
fn why(
    cx: &Context<'_>,
    f: &mut Finding,
    pod: &Pod,
    spec: &Container,
    init: bool,
    owner: &Owner,
    reason: &str,
    message: &str,
) -> CauseDraft {
    f.headline = "cannot start its container".into();
    let hook = reason == "PostStartHookError";
    let known = if hook { None } else { classify(&Situation { pod, spec, lower: &message.to_lowercase(), message }) };
    let named = source::from_message(message, &pod.spec);
    // What the kubelet does not name is looked for where its words say nothing else.
    let missing = named.or_else(|| source::missing(cx, pod).into_iter().next().filter(|_| known.is_none()));
    if let Some(m) = missing.filter(|_| reason == "CreateContainerConfigError") {
        let what = match m.key_only {
            true => format!("key {} of {} {}", m.reference.key.as_deref().unwrap_or("?"), m.kind, m.reference.name),
            false => format!("{} {}", m.kind, m.reference.name),
        };
        f.headline = format!("cannot start: {what} is missing");
        return source::cause_of(cx, pod, owner, &m, f);
    }
    if hook {
        return super::hook::cause_of(f, spec, owner, init, message);
    }
    let case = Case { cx, pod, spec, owner, init, died: f.started_at };
    if let Some(c) = unmountable(&case, f, message) {
        return c;
    }
    let told = known.unwrap_or_else(|| Known {
        rule: "container-refused",
        field: "securityContext".into(),
        headline: "cannot start its container",
        statement: format!("Container {} cannot be made: {}.", spec.name, words::clip(message, 260)),
        of_node: false,
    });
    f.headline = told.headline.into();
    if told.of_node {
        return on_node(cx, f, pod, owner, &told);
    }
    let step = if told.field.starts_with("resources") { ActionKind::SetResources } else { ActionKind::Patch };
    f.actions.push(edit(step, &owner.subject, "the refused setting must change"));
    let mut c = cause(told.rule, Confidence::Established, owner.subject.clone(), told.statement);
    c.field = Some(owner.field(init, &spec.name, &told.field));
    c
}

/// What the node's runtime does not manage, whatever the pod says.
fn on_node(cx: &Context<'_>, f: &mut Finding, pod: &Pod, owner: &Owner, told: &Known) -> CauseDraft {
    let node = pod.spec.node_name.clone().unwrap_or_default();
    let entity = cx
        .index
        .get(Kind::Node, None, &node)
        .map_or_else(|| ObjectRef::missing(Kind::Node, None, &node), |o| o.reference());
    f.actions.push(action(
        ActionKind::ManualCheck,
        &entity,
        "its container runtime and kubelet say more",
        "reads only",
        "get nodes",
        format!("kubectl describe node {node}"),
    ));
    let mut c = cause(told.rule, Confidence::Likely, entity, format!("Node {node}: {}", told.statement));
    c.signs.pro = 2;
    c.referrer = Some(owner.subject.clone());
    c
}

struct Situation<'a> {
    pod: &'a Pod,
    spec: &'a Container,
    lower: &'a str,
    message: &'a str,
}

/// A refusal that is understood.
struct Known {
    rule: &'static str,
    /// Of the container.
    field: String,
    headline: &'static str,
    statement: String,
    of_node: bool,
}

fn classify(s: &Situation<'_>) -> Option<Known> {
    let Situation { pod, spec, lower, message } = s;
    let name = &spec.name;
    let image = &spec.image;
    let has = |words: &[&str]| words.iter().any(|w| lower.contains(w));
    let said = |max| words::clip(&short(message), max);
    let node = pod.spec.node_name.as_deref().unwrap_or("its node");
    let known =
        |rule, field: String, headline, statement| Some(Known { rule, field, headline, statement, of_node: false });
    if has(&["breaks non-root policy"]) {
        return known(
            "runs-as-root",
            "securityContext.runAsUser".into(),
            "cannot start: it asks for root and forbids it",
            format!(
                "Container {name} sets runAsUser to root (0) though runAsNonRoot is set, which forbids root: {}.",
                said(200)
            ),
        );
    }
    if has(&["non-numeric user"]) {
        return known(
            "runs-as-root",
            "securityContext.runAsUser".into(),
            "cannot start: its image's user may be root",
            format!(
                "Container {name} must not run as root (runAsNonRoot is set), and image {image} names its user by a word, so that it cannot be verified not to be root; runAsUser must give a number: {}.",
                said(200)
            ),
        );
    }
    if has(&["runasnonroot", "run as root"]) {
        return known(
            "runs-as-root",
            "securityContext.runAsUser".into(),
            "cannot start: its image would run as root",
            format!(
                "Container {name} must not run as root (runAsNonRoot is set), but image {image} runs as root: {}.",
                said(200)
            ),
        );
    }
    if has(&["error mounting", "not a directory", "to rootfs", "read-only file system"]) && !has(&["exec:"]) {
        let mount =
            spec.volume_mounts.iter().filter(|m| message.contains(&m.mount_path)).max_by_key(|m| m.mount_path.len());
        let (path, volume) = mount.map_or(("a path", ""), |m| (m.mount_path.as_str(), m.name.as_str()));
        let hint = if has(&["not a directory"]) {
            " (a file is to be mounted onto a directory, or the other way round)"
        } else {
            ""
        };
        return known(
            "mount-path-wrong",
            format!("volumeMounts[{volume}].mountPath"),
            "cannot start: a volume cannot be mounted where it is to be",
            format!("Volume {volume} cannot be mounted at {path} in container {name}{hint}: {}.", said(240)),
        );
    }
    if has(&["subpath"]) {
        let mount =
            spec.volume_mounts.iter().find(|m| m.sub_path.as_ref().is_some_and(|p| message.contains(p.as_str())));
        let mount = mount.or_else(|| spec.volume_mounts.iter().find(|m| m.sub_path.is_some()));
        let path = mount.and_then(|m| m.sub_path.clone()).unwrap_or_default();
        let volume = mount.map_or("", |m| m.name.as_str());
        return known(
            "sub-path-failed",
            format!("volumeMounts[{volume}].subPath"),
            "cannot start: a subPath of its volume cannot be used",
            format!("Container {name} mounts subPath {path} of volume {volume}, which cannot be used: {}.", said(240)),
        );
    }
    if has(&["is reserved for", "is already in use by container"]) {
        return Some(Known {
            of_node: true,
            ..known(
                "container-name-taken",
                String::new(),
                "cannot start: its runtime still holds the container of before",
                format!(
                    "the runtime still holds container {name} of before (its name is reserved), so it is not made again: {}.",
                    said(240)
                ),
            )?
        });
    }
    if has(&["no command specified"]) {
        return known(
            "command-cannot-start",
            "command".into(),
            "cannot start: it has no command",
            format!("Container {name} has no command, and image {image} brings none (no command specified)."),
        );
    }
    if has(&["set in config.json failed", "chdir to cwd"]) {
        let dir = spec.working_dir.as_deref().unwrap_or("of the image");
        return known(
            "working-dir-missing",
            "workingDir".into(),
            "cannot start: its working directory is missing",
            format!(
                "The working directory {dir} (workingDir) of container {name} does not exist in image {image} or may not be entered: {}.",
                said(220)
            ),
        );
    }
    if has(&["oom-killed (memory limit too low", "minimum memory limit"]) {
        let limit = spec.resources.limits.get("memory").map(ToString::to_string).unwrap_or_default();
        return known(
            "memory-limit-too-low",
            "resources.limits.memory".into(),
            "cannot start: its memory limit is too low",
            format!("Container {name} cannot even start with its memory limit of {limit}: {}.", said(200)),
        );
    }
    if has(&["exec:", "executable file not found", "starting container process caused"]) {
        let line: Vec<String> = spec.command.iter().chain(&spec.args).cloned().collect();
        let line = if line.is_empty() {
            format!("the image's own command ({image})")
        } else {
            format!("`{}`", words::clip(&line.join(" "), 120))
        };
        let field = match (spec.command.is_empty(), spec.args.is_empty()) {
            (false, _) => "command",
            (true, false) => "args",
            _ => "image",
        };
        return known(
            "command-cannot-start",
            field.into(),
            "cannot start its program",
            format!("Container {name} cannot start {line} in image {image}: {}.", said(260)),
        );
    }
    if has(&["seccomp"]) {
        return known(
            "security-profile-missing",
            "securityContext.seccompProfile".into(),
            "cannot start: its seccomp profile is missing",
            format!("The seccomp profile of container {name} cannot be loaded on node {node}: {}.", said(240)),
        );
    }
    if has(&["apparmor"]) {
        return known(
            "security-profile-missing",
            "securityContext.appArmorProfile".into(),
            "cannot start: its AppArmor profile is missing",
            format!("The AppArmor profile of container {name} cannot be applied on node {node}: {}.", said(240)),
        );
    }
    if has(&["capabilit"]) {
        return known(
            "capability-unknown",
            "securityContext.capabilities".into(),
            "cannot start: a capability is not known",
            format!("Container {name} asks for a capability that the runtime refuses: {}.", said(240)),
        );
    }
    if has(&["device information", "no such device", "cdi device"]) {
        return known(
            "device-missing",
            "resources.limits".into(),
            "cannot start: a device is missing",
            format!("A device of container {name} is not on node {node}: {}.", said(240)),
        );
    }
    if has(&["context deadline exceeded", "deadlineexceeded"]) {
        return Some(Known {
            of_node: true,
            ..known(
                "runtime-slow",
                String::new(),
                "cannot start: the container runtime does not answer",
                format!("the container runtime does not make container {name} in time: {}.", said(240)),
            )?
        });
    }
    if let Some(other) = message
        .trim()
        .trim_start_matches("Error: ")
        .strip_prefix("container ")
        .and_then(|m| m.strip_suffix(" not found"))
    {
        let names = |from: &ResourceFieldRef| from.container_name.as_deref() == Some(other);
        let variable = spec
            .env
            .iter()
            .find(|v| v.value_from.as_ref().and_then(|from| from.resource_field_ref.as_ref()).is_some_and(names))?;
        let there: Vec<String> = pod.containers().map(|(c, _, _)| c.name.clone()).collect();
        return known(
            "field-reference-wrong",
            format!("env[{}].valueFrom.resourceFieldRef.containerName", variable.name),
            "cannot start: a variable asks for a container that is not there",
            format!(
                "Variable {} of container {name} is to hold a resource of container {other} (resourceFieldRef), which the pod does not have (not found): it has {}.",
                variable.name,
                words::list(&there, 5)
            ),
        );
    }
    if has(&["env"]) && has(&["invalid variable", "invalid environment"]) {
        return known(
            "container-refused",
            "env".into(),
            "cannot start: an environment variable is not valid",
            format!("An environment variable of container {name} is not valid: {}.", said(240)),
        );
    }
    None
}

/// The message without the runtime's wrapping.
fn short(message: &str) -> String {
    let marks = ["error during container init: ", "failed to create containerd task: ", "spec: "];
    let at = marks.iter().filter_map(|m| message.rfind(m).map(|i| i + m.len())).max().unwrap_or(0);
    message[at..].trim().trim_end_matches('.').to_owned()
}
