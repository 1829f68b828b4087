//! Why a container ended: memory, a command that cannot start, a program that gives up.

use super::super::{
    Context, backing,
    context::{Owner, cause, edit, read_log, set},
    placement, probe,
};
use super::blame::{Blame, Case, blame, guess, runtime::heap_option, stated::stated};
use jiff::Timestamp;

use crate::{
    finding::{CauseDraft, Finding},
    logs::{self, Class, Reading, Signal},
    object::{
        Condition, Container, Kind, Object, ObjectRef, Pod, Quantity,
        pod::{Terminated, VolumeMount},
    },
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
            let heap = heap_option(spec).map(|(name, option)| format!(" {name} sets {option}.")).unwrap_or_default();
            let mut c = cause(
                "memory-limit-too-low",
                Confidence::Established,
                entity,
                format!(
                    "Container {} was killed (OOMKilled, out of memory) for exceeding its {limit} memory limit {}.{heap}",
                    spec.name,
                    words::times(times)
                ),
            );
            let mut lowered = before(cx, &owner.subject, limit, |path| path == field);
            if let Some(range) = placement::given_by(cx, pod, &spec.name, "limits", "memory") {
                c.statement
                    .push_str(&format!(" The workload itself sets no limit: it comes from LimitRange {}.", range.name));
                lowered = lowered.or_else(|| before(cx, &range, limit, |path| path.ends_with(".default.memory")));
                c.referrer = Some(range);
            }
            if let Some(volume) = in_memory(pod, spec) {
                c.statement.push_str(&format!(
                    " It mounts volume {volume}, which lies in memory (emptyDir, medium Memory): what is written there counts as well."
                ));
            }
            c.field = Some(field);
            c.evidence.push(key.to_owned());
            if let Some(short) = short_node(cx, pod, f.started_at) {
                c.confidence = Confidence::Likely;
                c.statement.push_str(&format!(
                    " {short}: the kernel may have chosen it for the node's lack of memory and not for its limit."
                ));
                c.needs.push("memory metrics of the node and the container".into());
            }
            f.causes.push(c);
            let doubled = limit.milli().map(|m| m * 2 / 1000 / (1024 * 1024)).map(|mi| format!("{mi}Mi"));
            let had = lowered.as_ref().map(|l| format!(", and had {l}")).unwrap_or_default();
            let bigger = lowered.or(doubled).unwrap_or_else(|| "MEMORY".to_owned());
            f.actions.push(set(
                ActionKind::SetResources,
                &owner.subject,
                format!("the container needs more than {limit}{had}"),
                "replaces its pods; they need room on a node",
                ("resources", format!("-c {} --limits=memory={bigger}", spec.name)),
            ));
        }
        None if pod.spec.resources.limits.contains_key("memory") => {
            let limit = &pod.spec.resources.limits["memory"];
            f.message = format!(
                "Container {} of {pod_name} was killed (OOMKilled), {}: its pod has a memory limit of {limit}",
                spec.name,
                words::times(times)
            );
            let others: Vec<String> =
                pod.spec.containers.iter().map(|c| c.name.clone()).filter(|n| *n != spec.name).collect();
            let shared = if others.is_empty() {
                String::new()
            } else {
                format!(", which it shares with {}", words::list(&others, 4))
            };
            let mut c = cause(
                "memory-limit-too-low",
                Confidence::Established,
                entity,
                format!(
                    "Container {} was killed (OOMKilled, out of memory) {} because its pod exceeded the pod's memory limit of {limit}{shared}. It has no limit of its own.",
                    spec.name,
                    words::times(times)
                ),
            );
            c.field = Some(owner.pod_field("resources.limits.memory"));
            c.evidence.push(key.to_owned());
            f.causes.push(c);
            f.actions.push(edit(ActionKind::SetResources, &owner.subject, format!("the pod needs more than {limit}")));
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
}

/// The pod was over its own deadline, and the kubelet ended it.
pub(super) fn deadline(f: &mut Finding, pod: &Pod, spec: &Container, owner: &Owner, key: &str) {
    let seconds = pod.spec.active_deadline_seconds.unwrap_or_default();
    f.headline = "ran longer than it may".into();
    f.message = format!("Pod {} was ended at its deadline of {seconds} s (activeDeadlineSeconds)", pod.metadata.name);
    let mut c = cause(
        "pod-deadline",
        Confidence::Established,
        owner.subject.clone(),
        format!(
            "Pod {} ran longer than its deadline of {seconds} s (activeDeadlineSeconds, DeadlineExceeded), and the kubelet ended its container {}.",
            pod.metadata.name, spec.name
        ),
    );
    c.field = Some(owner.pod_field("activeDeadlineSeconds"));
    c.evidence.push(key.to_owned());
    c.signs.pro = 2;
    f.causes.push(c);
    f.actions.push(edit(ActionKind::Patch, &owner.subject, "a longer deadline, or work that ends in time"));
}

/// The node itself ran out of memory at about this time, in its own words.
fn short_node(cx: &Context<'_>, pod: &Pod, at: Timestamp) -> Option<String> {
    let node = cx.index.get(Kind::Node, None, pod.spec.node_name.as_deref()?)?;
    let Object::Node(of) = &**node else { return None };
    let name = &of.metadata.name;
    let near = |t: Timestamp| t.duration_since(at).abs().as_secs() <= 60;
    let events = cx.index.events_of(&node.reference());
    if events.iter().any(|e| e.reason() == "SystemOOM" && e.last_seen().is_some_and(near)) {
        return Some(format!("Node {name} ran out of memory at that time (SystemOOM)"));
    }
    let pressure = Condition::find(&of.status.conditions, "MemoryPressure").filter(|c| c.is_true());
    pressure.map(|_| format!("Node {name} is under memory pressure"))
}

pub(super) fn cannot_start(case: &Case<'_, '_>, f: &mut Finding, ended: &Terminated, key: &str) {
    let (spec, owner, init) = (case.spec, case.owner, case.init);
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
    if let Some(c) = unmountable(case, f, why) {
        f.causes.push(CauseDraft { evidence: [vec![key.to_owned()], c.evidence].concat(), ..c });
        return;
    }
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
            "Container {} cannot start {line} in image {} (exit code {}){said}.{kind}{}",
            spec.name,
            spec.image,
            ended.exit_code,
            unset(spec)
        ),
    );
    c.field = Some(owner.field(init, &spec.name, if spec.command.is_empty() { "image" } else { "command" }));
    let entered =
        |dir: &&str| [format!("chdir to cwd (\"{dir}\")"), format!("mkdir {dir}:")].iter().any(|w| why.contains(w));
    if let Some(dir) = spec.working_dir.as_deref().filter(entered) {
        c.statement
            .push_str(&format!(" {dir} is its working directory (workingDir), which cannot be entered in this image."));
        c.field = Some(owner.field(init, &spec.name, "workingDir"));
    }
    if let Some(mount) = hides(spec).filter(|_| why.contains("not found in $PATH")) {
        c.statement.push_str(&format!(
            " Volume {} is mounted at {}, and hides the programs that the image has there.",
            mount.name, mount.mount_path
        ));
        c.field = Some(owner.field(init, &spec.name, &format!("volumeMounts[{}].mountPath", mount.name)));
    }
    c.evidence.push(key.to_owned());
    c.signs.pro = 2;
    // The runtime's words may lead to a mounted script, its mode, or the node's architecture.
    let read = logs::read(&[short_runtime_error(why)]);
    if let Some(signal) = read.signal()
        && matches!(signal.class, Class::ExecFormat | Class::PermissionDenied | Class::MissingFile)
    {
        let blame = blame(case, signal);
        let mounted = signal.class != Class::MissingFile || !blame.entity.same_name(&owner.subject);
        if mounted {
            if let Some((_, more)) = blame.phrase.split_once("; ") {
                c.statement.push_str(&format!(" In detail: {more}."));
            }
            c.entity = blame.entity;
            c.referrer = blame.referrer;
            c.field = blame.field.or(c.field);
            for item in blame.evidence {
                c.evidence.push(item.key.clone());
                f.evidence.push(item);
            }
        }
    }
    f.causes.push(c);
    f.actions.push(edit(ActionKind::Patch, &owner.subject, "the command must be one that the image has"));
}

/// A key that is to be mounted as a file of its own and that its source does not have: the runtime finds a folder in its
/// place.
pub(in crate::detect) fn unmountable(case: &Case<'_, '_>, f: &mut Finding, message: &str) -> Option<CauseDraft> {
    let lower = message.to_lowercase();
    if !lower.contains("not a directory") && !lower.contains("is a directory") {
        return None;
    }
    let named = case.spec.volume_mounts.iter().filter(|m| message.contains(&format!("\"{}\"", m.mount_path)));
    let mount = named.max_by_key(|m| m.mount_path.len()).filter(|m| m.sub_path.is_some())?;
    let signal = Signal {
        class: Class::MissingFile,
        line: 0,
        subject: Some(mount.mount_path.clone()),
        value: None,
        file: None,
        detail: None,
        text: String::new(),
        weight: 0,
    };
    let blame = blame(case, &signal);
    let (_, more) = blame.phrase.split_once("; ").filter(|_| blame.confidence == Confidence::Established)?;
    f.headline = "cannot start: a file of its volume is missing".into();
    let mut c = cause(
        "mounted-key-missing",
        blame.confidence,
        blame.entity,
        format!(
            "Volume {} cannot be mounted at {} in container {} (subPath {}): {more}. The runtime finds a folder where a file should be (not a directory).",
            mount.name,
            mount.mount_path,
            case.spec.name,
            mount.sub_path.as_deref().unwrap_or("")
        ),
    );
    c.referrer = blame.referrer;
    c.field = blame.field;
    c.signs.pro = 2;
    c.evidence = blame.evidence.iter().map(|e| e.key.clone()).collect();
    f.evidence.extend(blame.evidence);
    f.actions.extend(blame.actions);
    Some(c)
}

/// The runtime's message without its own wrapping.
fn short_runtime_error(message: &str) -> String {
    let at = message.rfind("exec: ").or_else(|| message.rfind("error during container init: "));
    at.map_or(message, |i| &message[i..]).to_owned()
}

/// How a container ended, and what its log says.
pub(super) struct Ended<'e> {
    pub exit: &'e str,
    pub terminated: &'e Terminated,
    pub times: u32,
    pub log: Option<&'e LogRead>,
    pub said: Option<&'e Reading>,
    /// The keys of the evidence: the log's, if there is one, and the status's.
    pub log_key: Option<String>,
    pub status_key: String,
}

pub(super) fn exits(case: &Case<'_, '_>, f: &mut Finding, ended: &Ended<'_>) {
    let (spec, owner, init) = (case.spec, case.owner, case.init);
    let which = if init { "Init container" } else { "Container" };
    let me = case.pod.reference();
    let found = ended.said.and_then(Reading::signal);
    let lines = ended.log.and_then(|log| log.lines.as_deref().ok());
    let stated = lines.and_then(|lines| stated(case, lines)).filter(|_| found.is_none_or(|s| s.class.is_connection()));
    let words = stated.as_ref().map(|s| (s.line, words::clip_middle(&s.text, logs::QUOTE)));
    let quoted = words.as_ref().or_else(|| ended.said.and_then(|r| r.words.as_ref()));
    let said = quoted.map(|(_, q)| format!(" Its last words: “{q}”.")).unwrap_or_default();
    let often = words::times(ended.times);
    let keys: Vec<String> = ended.log_key.iter().cloned().chain([ended.status_key.clone()]).collect();
    let base = |phrase: &str| format!("{which} {} ends with {} ({often}): {phrase}.{said}", spec.name, ended.exit);
    let telling = ended.said.filter(|r| r.telling && r.signals.is_empty());
    let guessed = telling.and_then(|r| r.words.as_ref()).and_then(|(_, q)| guess(case, q));
    match stated.as_ref().or(found) {
        Some(signal) => {
            let blame = blame(case, signal);
            f.message = format!("{}: {}", f.message, blame.phrase);
            let statement = base(&blame.phrase);
            take(f, blame, statement, keys);
        }
        // The kubelet ended it: the probe's own finding says why.
        None if probe::ended(case.cx, case.pod, spec, ended.terminated) => return,
        None if ended.terminated.exit_code == 0 => {
            let kind = &owner.subject.kind;
            let phrase = format!(
                "its command runs to its end, and a {kind} starts it again each time (restartPolicy Always); it must keep running, or be a Job"
            );
            let mut c = cause("container-completes", Confidence::Established, owner.subject.clone(), base(&phrase));
            c.evidence = keys;
            c.signs.pro = 2;
            c.field = Some(owner.field(init, &spec.name, "command"));
            f.causes.push(c);
        }
        None if guessed.is_some() => {
            let Some(blame) = guessed else { return };
            let statement = base(&blame.phrase);
            take(f, blame, statement, keys);
        }
        None => {
            let (phrase, confidence) = match (quoted, ended.log.map(|l| &l.lines)) {
                (Some(_), _) if ended.said.is_some_and(|r| r.telling) => {
                    ("its own log says why".to_owned(), Confidence::Likely)
                }
                (Some(_), Some(Ok(lines))) if ended.log.is_some_and(|log| log.truncated) => (
                    format!("the last {} of its log do not say why", words::count(lines.len(), "line")),
                    Confidence::Possible,
                ),
                (Some(_), _) => ("its log does not say why".to_owned(), Confidence::Possible),
                (None, Some(Ok(_))) => ("it wrote nothing that says why".to_owned(), Confidence::NotEstablished),
                (None, Some(Err(why))) => {
                    (format!("its log could not be read ({})", words::clip(why, 160)), Confidence::NotEstablished)
                }
                (None, None) => ("its log is not recorded".to_owned(), Confidence::NotEstablished),
            };
            let phrase = match ended.terminated.exit_code {
                137 => format!("{phrase}; something outside the program killed it"),
                143 => format!("{phrase}; something outside the program asked it to end"),
                134 => format!("{phrase}; it aborted itself (SIGABRT)"),
                _ => phrase,
            };
            let mut c = cause("container-exits", confidence, owner.subject.clone(), base(&phrase));
            c.evidence = keys;
            c.signs.pro = if quoted.is_some() { 2 } else { 1 };
            // What its own words are about is not the command.
            let telling = ended.said.is_some_and(|r| r.telling);
            c.field = (!telling).then(|| owner.field(init, &spec.name, "command"));
            if confidence <= Confidence::Possible {
                c.needs.push(format!("a log line of container {} that says why it ends", spec.name));
            }
            f.causes.push(c);
        }
    }
    f.actions.push(read_log(&owner.subject, &me, &spec.name, "its own words say what it misses", "--previous"));
    if !f.actions.iter().any(|a| a.kind == ActionKind::Patch && a.target.same_name(&owner.subject)) {
        f.actions.push(edit(ActionKind::Patch, &owner.subject, "put right what the container's last words name"));
    }
}

/// Takes in who is to blame as the finding's cause.
pub(super) fn take(f: &mut Finding, blame: Blame, statement: String, mut keys: Vec<String>) {
    let mut c = cause(&blame.rule, blame.confidence, blame.entity, statement);
    c.referrer = blame.referrer;
    c.field = blame.field;
    c.needs = blame.needs;
    for item in blame.evidence {
        if !f.evidence.iter().any(|e| e.key == item.key) {
            keys.push(item.key.clone());
            f.evidence.push(item);
        }
    }
    c.evidence = keys;
    c.signs.pro = 2;
    f.causes.push(c);
    for step in blame.actions {
        if !f.actions.iter().any(|a| a.key() == step.key()) {
            f.actions.push(step);
        }
    }
}

/// The first word of the command is a variable that was not put in: Kubernetes leaves `$(NAME)` as it stands where the
/// container has no variable of that name.
fn unset(spec: &Container) -> String {
    let first = spec.command.iter().chain(&spec.args).next().map_or("", String::as_str);
    let name = first.strip_prefix("$(").and_then(|rest| rest.split_once(')')).map(|(name, _)| name);
    match name.filter(|name| spec.env_from.is_empty() && !spec.env.iter().any(|e| e.name == *name)) {
        Some(name) => format!(" $({name}) stands for a variable that the container does not have (not set)."),
        None => String::new(),
    }
}

/// What is mounted over a folder in which programs are looked for.
fn hides(spec: &Container) -> Option<&VolumeMount> {
    let folders = ["/bin", "/sbin", "/usr", "/usr/bin", "/usr/sbin", "/usr/local", "/usr/local/bin"];
    spec.volume_mounts.iter().find(|m| m.sub_path.is_none() && folders.contains(&m.mount_path.trim_end_matches('/')))
}

/// The volume of the container that lies in memory.
fn in_memory<'p>(pod: &'p Pod, spec: &Container) -> Option<&'p str> {
    let lies = |name: &str| {
        pod.spec
            .volumes
            .iter()
            .find(|v| v.name == name && v.empty_dir.as_ref().is_some_and(|dir| dir["medium"] == "Memory"))
    };
    spec.volume_mounts.iter().find_map(|m| lies(&m.name)).map(|v| v.name.as_str())
}

/// What the limit was before it was lowered, where that was seen.
fn before(cx: &Context<'_>, object: &ObjectRef, limit: &Quantity, is: impl Fn(&str) -> bool) -> Option<String> {
    let fields =
        backing::changes(cx, object).flat_map(|c| &c.fields).filter(|f| is(&f.path)).filter_map(|f| f.from.clone());
    fields.last().filter(|from| Quantity::new(from).milli() > limit.milli())
}
