//! Pod statuses as a kubelet reports them, for pods with one container named `app`. Times are seconds after the
//! beginning.

use serde_json::{Value, json};

use crate::{at, merge};

/// A status with the given phase, `Ready` condition and state of the container, to be refined.
fn base(phase: &str, ready: bool, since: i64, container: Value) -> Value {
    let word = if ready { "True" } else { "False" };
    let mut container_status = json!({"name": "app", "image": "app", "ready": ready, "restartCount": 0});
    merge(&mut container_status, &container);
    json!({
        "phase": phase,
        "startTime": at(since),
        "conditions": [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": at(since)},
            {"type": "Ready", "status": word, "lastTransitionTime": at(since)},
        ],
        "containerStatuses": [container_status],
    })
}

/// Runs and is ready.
pub fn ready(since: i64) -> Value {
    base("Running", true, since, json!({"started": true, "state": {"running": {"startedAt": at(since)}}}))
}

/// Runs since then and is not ready.
pub fn unready(since: i64) -> Value {
    base("Running", false, since, json!({"started": true, "state": {"running": {"startedAt": at(since)}}}))
}

/// Ended and stays `terminated` for its back-off, as since Kubernetes 1.35.
pub fn crashed(exit: i32, reason: &str, restarts: u32, ended: i64) -> Value {
    let state = json!({"terminated": dead(exit, reason, ended)});
    base("Running", false, ended, json!({"restartCount": restarts, "state": state}))
}

/// Ended and waits in `CrashLoopBackOff`, as before Kubernetes 1.35 and in long back-offs.
pub fn backing_off(exit: i32, reason: &str, restarts: u32, ended: i64) -> Value {
    let state =
        json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container=app"}});
    let last = json!({"terminated": dead(exit, reason, ended)});
    base("Running", false, ended, json!({"restartCount": restarts, "state": state, "lastState": last}))
}

/// Ended, and runs again since then.
pub fn restarted(exit: i32, reason: &str, restarts: u32, ended: i64, since: i64) -> Value {
    let last = json!({"terminated": dead(exit, reason, ended)});
    let state = json!({"running": {"startedAt": at(since)}});
    base("Running", true, since, json!({"started": true, "restartCount": restarts, "state": state, "lastState": last}))
}

/// Waits for something, for example its image.
pub fn waiting(reason: &str, message: &str, since: i64) -> Value {
    base("Pending", false, since, json!({"state": {"waiting": {"reason": reason, "message": message}}}))
}

/// No node takes the pod.
pub fn unschedulable(message: &str, since: i64) -> Value {
    json!({
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message, "lastTransitionTime": at(since)}],
    })
}

/// Ended for good with this exit code.
pub fn finished(exit: i32, ended: i64) -> Value {
    let (phase, reason) = if exit == 0 { ("Succeeded", "Completed") } else { ("Failed", "Error") };
    base(phase, false, ended, json!({"state": {"terminated": dead(exit, reason, ended)}}))
}

fn dead(exit: i32, reason: &str, ended: i64) -> Value {
    json!({"exitCode": exit, "reason": reason, "startedAt": at(ended - 2), "finishedAt": at(ended)})
}
