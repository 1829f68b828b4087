//! Containers that never come to run: their configuration, their volumes, their sandbox.

mod config;
mod evicted;
mod hook;
mod mount;
mod rejected;
mod sandbox;

use jiff::SignedDuration;

use super::{Context, Hold, Rule, rule::BY_WORKLOAD, source::LATER};
use crate::{
    object::{Condition, Kind, KubeEvent, Pod},
    remediation::ActionKind,
};

pub use evicted::evicted;
pub use rejected::rejected;

/// The rules of this family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "container-config-error",
        means: "A container cannot be made from its configuration: a missing ConfigMap, Secret or key, or a refused security setting.",
        source: "kubelet: CreateContainerConfigError, CreateContainerError, RunContainerError, PostStartHookError",
        reads: &[Kind::Pod, Kind::ConfigMap, Kind::Secret],
        holds: &[
            Hold::Exactly(CONFIG, ""),
            Hold::Exactly(LATER, "when a ConfigMap or Secret is missing that was not there before: it may come"),
        ],
        severities: BY_WORKLOAD,
        limits: &[
            "References marked `optional`.",
            "A Secret's values are never read; which keys it has is known where its metadata says who wrote them (managedFields), else from the kubelet's own words.",
        ],
        threshold: None,
        advises: &[
            ActionKind::Patch,
            ActionKind::CreateConfigmap,
            ActionKind::CreateSecret,
            ActionKind::SetConfigmapKey,
            ActionKind::SetResources,
            ActionKind::ManualCheck,
        ],
    },
    Rule {
        id: "hook-failing",
        means: "The postStart hook of a container fails, so the kubelet kills the container.",
        source: "kubernetes.io/docs/concepts/containers/container-lifecycle-hooks; event FailedPostStartHook",
        reads: &[Kind::Pod, Kind::KubeEvent],
        holds: &[Hold::Exactly(HOOK, "")],
        severities: BY_WORKLOAD,
        limits: &[
            "When the last failed hook is more than eight minutes old.",
            "When the container is ready.",
            "Failed preStop hooks: their container ends all the same.",
        ],
        threshold: None,
        advises: &[ActionKind::Patch],
    },
    Rule {
        id: "volume-not-mounted",
        means: "A volume of the pod cannot be mounted.",
        source: "kubelet events FailedMount and FailedAttachVolume",
        reads: &[Kind::Pod, Kind::KubeEvent],
        holds: &[
            Hold::Exactly(MOUNT, ""),
            Hold::Exactly(LATER, "when a ConfigMap or Secret is missing that was not there before: it may come"),
            Hold::Exactly(HANDOVER, "when a volume for one node is still held by another: its pod there may be ending"),
            Hold::Exactly(REGISTERING, "when a node that has just joined has no driver yet"),
        ],
        severities: BY_WORKLOAD,
        limits: &[
            "Failed mounts after which an image was pulled or a container started.",
            "When the last failed mount is more than eight minutes old.",
            "A pod whose sandbox is made: its volumes are mounted then.",
            "Sources that the kubelet has not registered yet.",
        ],
        threshold: None,
        advises: &[
            ActionKind::Patch,
            ActionKind::Scale,
            ActionKind::ManualCheck,
            ActionKind::CreateConfigmap,
            ActionKind::CreateSecret,
            ActionKind::SetConfigmapKey,
        ],
    },
    Rule {
        id: "sandbox-failing",
        means: "The pod's sandbox (network, runtime class) cannot be made.",
        source: "kubelet events FailedCreatePodSandBox and NetworkNotReady",
        reads: &[Kind::Pod, Kind::KubeEvent],
        holds: &[Hold::Exactly(SANDBOX, "")],
        severities: BY_WORKLOAD,
        limits: &[
            "Failures after which an image was pulled or a container started.",
            "When the last failure is more than eight minutes old.",
            "While a volume of the pod is not mounted: that is `volume-not-mounted`.",
        ],
        threshold: None,
        advises: &[ActionKind::Patch, ActionKind::ManualCheck],
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
    Rule {
        id: "pod-rejected",
        means: "The kubelet of its node does not take the pod in (a sysctl, an affinity, room, devices), and its controller makes one after the other.",
        source: "kubelet admission: phase Failed and \"Pod was rejected: …\" (pkg/kubelet/kubelet.go, rejectPod)",
        reads: &[Kind::Pod],
        holds: &[
            Hold::Exactly(REJECTED, ""),
            Hold::JoinsOnly("while it is one pod of a controller, rejected for what the next node may have"),
        ],
        severities: BY_WORKLOAD,
        limits: &[
            "When a pod that was made since was taken in, and when none is wanted any more.",
            "Rejections that are more than a quarter of an hour old.",
            "Nodes that shut down.",
        ],
        threshold: None,
        advises: &[ActionKind::Patch, ActionKind::SetResources, ActionKind::SetNodeSelector, ActionKind::ManualCheck],
    },
];

/// Hold times in seconds.
const CONFIG: i64 = 3;
const MOUNT: i64 = 5;
const HANDOVER: i64 = 30;
const REGISTERING: i64 = 90;
const SANDBOX: i64 = 15;
const HOOK: i64 = 5;
const EVICTED: i64 = 5;
const REJECTED: i64 = 5;

/// The kubelet tries again every two minutes at the latest, and tells of it every five once it has told often.
const STILL: SignedDuration = SignedDuration::from_mins(8);

/// Looks at a pod whose containers have not been made.
pub fn pod(cx: &mut Context<'_>, pod: &Pod) {
    hook::failing(cx, pod);
    if pod.status.phase.as_deref() != Some("Pending") && !waits(pod) {
        return;
    }
    config::refused(cx, pod);
    if pod.spec.node_name.is_some() && pod.status.phase.as_deref() == Some("Pending") {
        volumes_and_sandbox(cx, pod);
    }
}

fn waits(pod: &Pod) -> bool {
    pod.containers().any(|(_, s, _)| s.is_some_and(|s| s.state.waiting.is_some()))
}

/// What keeps the pod from having its volumes, or else its sandbox: the kubelet makes the sandbox when every volume is
/// mounted.
fn volumes_and_sandbox(cx: &mut Context<'_>, pod: &Pod) {
    let made = |name: &str| Condition::find(&pod.status.conditions, name).is_some_and(Condition::is_true);
    if made("PodReadyToStartContainers") || made("PodHasNetwork") {
        return;
    }
    let events = cx.index.events_of(&pod.reference());
    // What was mounted or started since was not kept by what failed before.
    let done = |e: &&&KubeEvent| matches!(e.reason(), "Pulling" | "Pulled" | "Created" | "Started");
    let attached = |e: &&&KubeEvent| e.reason() == "SuccessfulAttachVolume";
    let last = |list: &mut dyn Iterator<Item = &&KubeEvent>| list.filter_map(|e| e.last_seen()).max();
    let (done, attached) = (last(&mut events.iter().filter(done)), last(&mut events.iter().filter(attached)));
    let current = |e: &KubeEvent| {
        let after = if e.reason() == "FailedAttachVolume" { done.max(attached) } else { done };
        e.is_warning() && e.last_seen().is_none_or(|t| cx.now.within(t, STILL) && after.is_none_or(|a| t > a))
    };
    let mount: Vec<&KubeEvent> = events
        .iter()
        .copied()
        .filter(|e| matches!(e.reason(), "FailedMount" | "FailedAttachVolume" | "FailedMapVolume") && current(e))
        .filter(|e| !e.message().contains("not registered"))
        .collect();
    if !mount.is_empty() {
        // The time-out that follows names no cause; the first failure does.
        let telling: Vec<&KubeEvent> =
            mount.iter().copied().filter(|e| !e.message().contains("timed out waiting")).collect();
        return mount::failing(cx, pod, if telling.is_empty() { &mount } else { &telling });
    }
    let sandbox: Vec<&KubeEvent> = events
        .iter()
        .copied()
        .filter(|e| matches!(e.reason(), "FailedCreatePodSandBox" | "NetworkNotReady") && current(e))
        .collect();
    if !sandbox.is_empty() {
        sandbox::failing(cx, pod, &sandbox);
    }
}

/// What stands between quotes after a word of the message.
fn quoted(message: &str, start: &str) -> Option<String> {
    let at = message.find(start)? + start.len();
    message[at..].split('"').next().map(str::to_owned)
}
