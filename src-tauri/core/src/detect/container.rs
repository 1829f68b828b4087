//! Containers that never come to run: their configuration, their volumes, their sandbox.

use jiff::{SignedDuration, Timestamp};

use super::{
    Context, Hold, Rule,
    context::{Owner, cause, edit, event_evidence, evidence, finding, hold, pod_ref},
    rule::BY_WORKLOAD,
    source,
};
use crate::{
    evidence::EvidenceKind,
    finding::Finding,
    object::{Condition, Kind, KubeEvent, ObjectRef, Pod},
    remediation::ActionKind,
    severity::Confidence,
    words,
};

/// The rules of this family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "container-config-error",
        means: "A container cannot be made from its configuration: a missing ConfigMap, Secret or key, or a refused security setting.",
        source: "kubelet: CreateContainerConfigError, CreateContainerError",
        reads: &[Kind::Pod, Kind::ConfigMap, Kind::Secret],
        holds: &[Hold::Exactly(CONFIG, "")],
        severities: BY_WORKLOAD,
        limits: &[
            "References marked `optional`.",
            "A Secret's keys are never read: that one is missing is known from the kubelet's own words alone.",
        ],
        threshold: None,
        advises: &[
            ActionKind::Patch,
            ActionKind::CreateConfigmap,
            ActionKind::CreateSecret,
            ActionKind::SetConfigmapKey,
        ],
    },
    Rule {
        id: "volume-not-mounted",
        means: "A volume of the pod cannot be mounted.",
        source: "kubelet events FailedMount and FailedAttachVolume",
        reads: &[Kind::Pod, Kind::KubeEvent],
        holds: &[Hold::Exactly(MOUNT, "")],
        severities: BY_WORKLOAD,
        limits: &[
            "Failed mounts after which an image was pulled or a container started.",
            "When the last failed mount is more than eight minutes old.",
            "A pod whose sandbox is made: its volumes are mounted then.",
        ],
        threshold: None,
        advises: &[
            ActionKind::Patch,
            ActionKind::CreateConfigmap,
            ActionKind::CreateSecret,
            ActionKind::SetConfigmapKey,
        ],
    },
    Rule {
        id: "sandbox-failing",
        means: "The pod's sandbox (network, runtime class) cannot be made.",
        source: "kubelet event FailedCreatePodSandBox",
        reads: &[Kind::Pod, Kind::KubeEvent],
        holds: &[Hold::Exactly(SANDBOX, "")],
        severities: BY_WORKLOAD,
        limits: &[
            "Failures after which an image was pulled or a container started.",
            "When the last failure is more than eight minutes old.",
            "While a volume of the pod is not mounted: that is `volume-not-mounted`.",
        ],
        threshold: None,
        advises: &[],
    },
    Rule {
        id: "pod-evicted",
        means: "The kubelet evicted the pod, for a node's or the pod's own lack of a resource.",
        source: "kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction",
        reads: &[Kind::Pod],
        holds: &[Hold::Exactly(EVICTED, "")],
        severities: BY_WORKLOAD,
        limits: &[
            "Evictions that are more than an hour old.",
            "Two minutes after the eviction, when the workload has a ready pod and none that is not.",
        ],
        threshold: None,
        advises: &[ActionKind::SetResources],
    },
];

/// Hold times in seconds.
const CONFIG: i64 = 3;
const MOUNT: i64 = 5;
const SANDBOX: i64 = 45;
const EVICTED: i64 = 5;

/// The kubelet tries again every two minutes at the latest, and tells of it every five once it has told often.
const STILL: SignedDuration = SignedDuration::from_mins(8);

/// Looks at a pod whose containers have not been made.
pub fn pod(cx: &mut Context<'_>, pod: &Pod) {
    if pod.status.phase.as_deref() != Some("Pending") && !waits(pod) {
        return;
    }
    config(cx, pod);
    if pod.spec.node_name.is_some() && pod.status.phase.as_deref() == Some("Pending") {
        mounts(cx, pod);
    }
}

fn waits(pod: &Pod) -> bool {
    pod.containers().any(|(_, s, _)| s.is_some_and(|s| s.state.waiting.is_some()))
}

fn config(cx: &mut Context<'_>, pod: &Pod) {
    for (spec, status, init) in pod.containers() {
        let Some(waiting) = status.and_then(|s| s.state.waiting.as_ref()) else { continue };
        let reason = waiting.reason.as_deref().unwrap_or("");
        let known = matches!(
            reason,
            "CreateContainerConfigError"
                | "CreateContainerError"
                | "PreStartHookError"
                | "PostStartHookError"
                | "RunContainerError"
        );
        if !known || (reason == "RunContainerError" && status.is_some_and(|s| s.last_state.terminated.is_some())) {
            continue;
        }
        let me = pod_ref(pod);
        let owner = cx.owner(pod);
        let message = waiting.message.clone().unwrap_or_default();
        let events = cx.index.events_of(&me);
        let failed: Vec<&&KubeEvent> = events.iter().filter(|e| e.is_warning() && e.reason() == "Failed").collect();
        let started = failed.iter().filter_map(|e| e.first_seen()).min().or(pod.status.start_time).unwrap_or(cx.now);
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
        let missing = source::from_message(&message, &pod.spec).or_else(|| source::missing(cx, pod).into_iter().next());
        let mut c = match missing.filter(|_| reason == "CreateContainerConfigError") {
            Some(m) => {
                let what = if m.key_only {
                    format!("key {} of {} {}", m.reference.key.as_deref().unwrap_or("?"), m.kind, m.reference.name)
                } else {
                    format!("{} {}", m.kind, m.reference.name)
                };
                f.headline = format!("cannot start: {what} is missing");
                source::cause_of(cx, pod, &owner, &m, &mut f)
            }
            None => refused(&mut f, pod, &owner, spec.name.as_str(), init, &message),
        };
        c.evidence = keys;
        f.message =
            format!("Container {} of {} cannot be made ({reason}): {}", spec.name, me.name, words::clip(&message, 240));
        f.causes.push(c);
        cx.report(f);
    }
}

/// A configuration the kubelet or the runtime refuses.
fn refused(
    f: &mut Finding,
    pod: &Pod,
    owner: &Owner,
    container: &str,
    init: bool,
    message: &str,
) -> crate::finding::CauseDraft {
    let lower = message.to_lowercase();
    f.headline = "cannot start its container".into();
    let image = pod
        .spec
        .containers
        .iter()
        .chain(&pod.spec.init_containers)
        .find(|c| c.name == container)
        .map_or("", |c| c.image.as_str());
    let (rule, field, statement) = if lower.contains("runasnonroot")
        || lower.contains("run as root")
        || lower.contains("non-numeric user")
    {
        f.headline = "cannot start: its image would run as root".into();
        (
            "runs-as-root",
            "securityContext.runAsUser",
            format!(
                "Container {container} must not run as root (runAsNonRoot is set), but image {image} runs as root: {}.",
                words::clip(message, 200)
            ),
        )
    } else {
        (
            "container-refused",
            "securityContext",
            format!("Container {container} cannot be made: {}.", words::clip(message, 260)),
        )
    };
    f.actions.push(edit(ActionKind::Patch, &owner.subject, "the refused setting must change"));
    let mut c = cause(rule, Confidence::Established, owner.subject.clone(), statement);
    c.field = Some(owner.field(init, container, field));
    c
}

fn mounts(cx: &mut Context<'_>, pod: &Pod) {
    // The kubelet makes the sandbox when every volume is mounted.
    let sandboxed = |name: &str| Condition::find(&pod.status.conditions, name).is_some_and(Condition::is_true);
    if sandboxed("PodReadyToStartContainers") || sandboxed("PodHasNetwork") {
        return;
    }
    let me = pod_ref(pod);
    let events = cx.index.events_of(&me);
    // What was mounted or started since was not kept by what failed before.
    let done = |e: &&&KubeEvent| matches!(e.reason(), "Pulling" | "Pulled" | "Created" | "Started");
    let attached = |e: &&&KubeEvent| e.reason() == "SuccessfulAttachVolume";
    let last = |list: &mut dyn Iterator<Item = &&KubeEvent>| list.filter_map(|e| e.last_seen()).max();
    let (done, attached) = (last(&mut events.iter().filter(done)), last(&mut events.iter().filter(attached)));
    let current = |e: &KubeEvent| {
        let after = if e.reason() == "FailedAttachVolume" { done.max(attached) } else { done };
        e.last_seen().is_none_or(|t| cx.now.duration_since(t) < STILL && after.is_none_or(|a| t > a))
    };
    let failing = |e: &&&KubeEvent| {
        e.is_warning() && matches!(e.reason(), "FailedMount" | "FailedAttachVolume" | "FailedMapVolume") && current(e)
    };
    // The time-out that follows names no cause; the first failure does.
    let mount: Vec<&&KubeEvent> =
        events.iter().filter(failing).filter(|e| !e.message().contains("timed out waiting")).collect();
    let mount = if mount.is_empty() { events.iter().filter(failing).collect() } else { mount };
    let sandbox: Vec<&&KubeEvent> =
        events.iter().filter(|e| e.is_warning() && e.reason() == "FailedCreatePodSandBox" && current(e)).collect();
    let owner = cx.owner(pod);
    let severity = cx.workload_severity(&owner.subject);
    let seen = |list: &[&&KubeEvent], now: Timestamp| list.iter().filter_map(|e| e.first_seen()).min().unwrap_or(now);
    if let Some(last) = mount.last() {
        let mut f = finding("volume-not-mounted", me.clone(), &owner.subject, severity, seen(&mount, cx.now));
        f.headline = "waits for a volume".into();
        f.started_basis = "first failed mount".into();
        f.count = last.times();
        f.hold = hold(MOUNT);
        f.message = format!("{} cannot mount a volume: {}", me.name, words::clip(last.message(), 240));
        let keys: Vec<String> = mount
            .iter()
            .rev()
            .take(2)
            .map(|e| {
                let item = event_evidence(e, cx.now);
                let key = item.key.clone();
                f.evidence.push(item);
                key
            })
            .collect();
        let named = mount.iter().rev().find_map(|e| source::from_message(e.message(), &pod.spec));
        let missing =
            named.or_else(|| source::missing(cx, pod).into_iter().find(|m| m.reference.via.starts_with("volume")));
        let mut c = match missing {
            Some(m) => {
                f.headline = format!("cannot start: {} {} is missing", m.kind, m.reference.name);
                source::cause_of(cx, pod, &owner, &m, &mut f)
            }
            None => {
                let volume = quoted(last.message(), "volume \"");
                let claim = volume.as_deref().and_then(|v| {
                    pod.spec
                        .claims()
                        .find(|(_, name)| *name == v || last.message().contains(*name))
                        .map(|(c, _)| c.to_owned())
                });
                let entity = claim
                    .as_ref()
                    .and_then(|c| {
                        cx.index
                            .get(Kind::PersistentVolumeClaim, pod.metadata.namespace.as_deref(), c)
                            .map(|o| o.reference())
                    })
                    .unwrap_or_else(|| owner.subject.clone());
                let mut c = cause(
                    "volume-mount-failing",
                    Confidence::Likely,
                    entity,
                    format!("A volume of {} cannot be mounted: {}.", me.name, words::clip(last.message(), 300)),
                );
                c.referrer = Some(owner.subject.clone());
                c.signs.pro = 2;
                f.actions.push(edit(
                    ActionKind::Patch,
                    &owner.subject,
                    "the volume it names must exist and be mountable on its node",
                ));
                c
            }
        };
        c.evidence = keys;
        f.causes.push(c);
        cx.report(f);
    } else if let Some(last) = sandbox.last() {
        let mut f = finding("sandbox-failing", me.clone(), &owner.subject, severity, seen(&sandbox, cx.now));
        f.headline = "cannot start its sandbox".into();
        f.started_basis = "first failed sandbox".into();
        f.count = last.times();
        f.hold = hold(SANDBOX);
        f.message = format!("{}: {}", me.name, words::clip(last.message(), 240));
        let item = event_evidence(last, cx.now);
        let node = pod.spec.node_name.clone().unwrap_or_default();
        let entity = cx
            .index
            .get(Kind::Node, None, &node)
            .map_or_else(|| ObjectRef::missing(Kind::Node, None, &node), |o| o.reference());
        let mut c = cause(
            "sandbox-failing",
            Confidence::Likely,
            entity,
            format!("Node {node} cannot make the pod's sandbox: {}.", words::clip(last.message(), 300)),
        );
        c.evidence = vec![item.key.clone()];
        c.signs.pro = 2;
        f.evidence.push(item);
        f.causes.push(c);
        cx.report(f);
    }
}

/// Looks at a pod that is over.
pub fn evicted(cx: &mut Context<'_>, pod: &Pod) {
    if pod.status.phase.as_deref() != Some("Failed") || pod.status.reason.as_deref() != Some("Evicted") {
        return;
    }
    let me = pod_ref(pod);
    let message = pod.status.message.clone().unwrap_or_default();
    let events = cx.index.events_of(&me);
    let event = events.iter().rev().find(|e| e.reason() == "Evicted");
    let at = event.and_then(|e| e.first_seen()).or(pod.status.start_time).unwrap_or(cx.now);
    // An evicted pod lies about until it is collected: it is news for an hour.
    if cx.now.duration_since(at) > SignedDuration::from_hours(1) {
        return;
    }
    let owner = cx.owner(pod);
    let replaced = owner.subject.uid.as_deref().is_some_and(|uid| {
        let pods = cx.index.pods_of(uid);
        let ready = pods.iter().filter(|p| p.ready() && !p.metadata.deleting()).count();
        ready > 0 && !pods.iter().any(|p| !p.finished() && !p.ready())
    });
    if replaced && cx.now.duration_since(at) > SignedDuration::from_mins(2) {
        return;
    }
    let mut f = finding("pod-evicted", me.clone(), &owner.subject, cx.workload_severity(&owner.subject), at);
    f.headline = "lost a pod to eviction".into();
    f.started_basis = "eviction by the kubelet".into();
    f.message = format!("{} was evicted: {}", me.name, words::clip(&message, 240));
    f.hold = hold(EVICTED);
    let item = evidence(
        EvidenceKind::PodStatus,
        format!("evicted|{}", me.uid.as_deref().unwrap_or(&me.name)),
        at,
        me.clone(),
        format!("{} was evicted: {}", me.name, words::clip(&message, 140)),
        format!(
            "phase: Failed\nreason: Evicted\nnode: {}\nmessage: {message}",
            pod.spec.node_name.as_deref().unwrap_or("")
        ),
    );
    let lower = message.to_lowercase();
    let own = lower.contains("exceeds the total limit")
        || lower.contains("exceeded its local ephemeral storage")
        || lower.contains("usage exceeds")
        || lower.contains("emptydir");
    let node = pod.spec.node_name.clone().unwrap_or_default();
    let mut c = if own {
        let mut c = cause(
            "ephemeral-storage-exceeded",
            Confidence::Established,
            owner.subject.clone(),
            format!("Pod {} was evicted for exceeding its own storage limit: {}", me.name, words::clip(&message, 260)),
        );
        c.field = Some(owner.pod_field("containers[].resources.limits.ephemeral-storage"));
        f.actions.push(edit(
            ActionKind::SetResources,
            &owner.subject,
            "it needs more ephemeral storage, or must write less",
        ));
        c
    } else {
        let entity = cx.index.get(Kind::Node, None, &node).map_or_else(|| owner.subject.clone(), |o| o.reference());
        cause(
            "node-pressure-eviction",
            Confidence::Likely,
            entity,
            format!("Node {node} evicted pod {}: {}", me.name, words::clip(&message, 260)),
        )
    };
    c.referrer = Some(owner.subject.clone());
    c.evidence = vec![item.key.clone()];
    c.signs.pro = 2;
    f.evidence.push(item);
    f.causes.push(c);
    cx.report(f);
}

fn quoted(message: &str, start: &str) -> Option<String> {
    let at = message.find(start)? + start.len();
    message[at..].split('"').next().map(str::to_owned)
}
