//! What happens in the cluster: a Deployment that is well, then one whose pods fail.

use serde_json::{Value, json};

use super::stub::Stub;

pub const NAMESPACE: &str = "shop";
pub const NAME: &str = "checkout";

const REPLICA_SET: &str = "checkout-7d9c5b8f6d";
const POD: &str = "checkout-7d9c5b8f6d-x2x7k";

/// What the failing container writes before it ends.
pub const LAST_WORDS: &str = "panic: dial tcp 10.0.0.7:5432: connect: connection refused";

/// A node, a namespace and a Deployment with one pod, all well.
pub fn calm(stub: &Stub) {
    stub.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}, "status": {"phase": "Active"}}));
    stub.put(json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}, "spec": {},
        "status": {"conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "lastTransitionTime": now(3600)}]},
    }));
    workload(stub, 1);
    stub.put(pod(stub, true, 0));
}

/// The pod's container ends again and again.
pub fn crash(stub: &Stub) {
    stub.log(NAMESPACE, POD, "app", true, &format!("starting\n{LAST_WORDS}\n"));
    stub.log(NAMESPACE, POD, "app", false, &format!("starting\n{LAST_WORDS}\n"));
    workload(stub, 0);
    stub.put(pod(stub, false, 4));
    stub.put(json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": format!("{POD}.1"), "namespace": NAMESPACE},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": NAMESPACE, "name": POD, "fieldPath": "spec.containers{app}"},
        "type": "Warning", "reason": "BackOff", "message": "Back-off restarting failed container app in pod",
        "count": 3, "firstTimestamp": now(60), "lastTimestamp": now(5), "source": {"component": "kubelet"},
    }));
}

/// A pod of its own whose image has been refused for so long that no hold time is left.
pub fn stray(stub: &Stub, name: &str) {
    let image = "registry.local/stray:1";
    let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "reason": "ContainersNotReady", "lastTransitionTime": now(120)});
    stub.put(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"nodeName": "node-1", "containers": [{"name": "app", "image": image}]},
        "status": {
            "phase": "Pending", "startTime": now(120),
            "conditions": [condition("PodScheduled", "True"), condition("Ready", "False"), condition("ContainersReady", "False")],
            "containerStatuses": [{"name": "app", "image": image, "imageID": "", "ready": false, "restartCount": 0,
                "state": {"waiting": {"reason": "ImagePullBackOff", "message":
                    format!("Back-off pulling image \"{image}\": ErrImagePull: {image}: not found")}}}],
        },
    }));
}

/// So many pods that are well and belong to nobody.
pub fn crowd(stub: &Stub, pods: usize) {
    for n in 0..pods {
        let mut one = pod(stub, true, 0);
        one["metadata"] = json!({"name": format!("quiet-{n:05}"), "namespace": NAMESPACE});
        stub.put(one);
    }
}

/// Everything runs again.
pub fn mend(stub: &Stub) {
    workload(stub, 1);
    stub.put(pod(stub, true, 4));
}

fn workload(stub: &Stub, ready: u32) {
    let labels = json!({"app": NAME});
    let template = json!({"metadata": {"labels": labels}, "spec": spec()});
    stub.put(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "generation": 1, "labels": labels,
            "annotations": {"deployment.kubernetes.io/revision": "1"}},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template, "progressDeadlineSeconds": 600},
        "status": {
            "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1,
            "readyReplicas": ready, "availableReplicas": ready, "unavailableReplicas": 1 - ready,
            "conditions": [
                {"type": "Available", "status": if ready > 0 { "True" } else { "False" }, "reason": "MinimumReplicas",
                 "lastTransitionTime": now(30), "lastUpdateTime": now(30)},
                {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable",
                 "lastTransitionTime": now(3000), "lastUpdateTime": now(3000)},
            ],
        },
    }));
    stub.put(json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": REPLICA_SET, "namespace": NAMESPACE, "labels": labels,
            "annotations": {"deployment.kubernetes.io/revision": "1"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME, "controller": true,
                "uid": stub.uid("apps/v1", "Deployment", NAMESPACE, NAME)}]},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
        "status": {"replicas": 1, "readyReplicas": ready, "availableReplicas": ready},
    }));
}

fn spec() -> Value {
    json!({"nodeName": "node-1", "containers": [{
        "name": "app", "image": "registry.local/checkout:1.4.2",
        "resources": {"limits": {"memory": "256Mi"}, "requests": {"memory": "128Mi"}},
    }]})
}

fn pod(stub: &Stub, well: bool, restarts: u32) -> Value {
    let condition = |kind: &str, status: bool| json!({"type": kind, "status": if status { "True" } else { "False" }, "lastTransitionTime": now(20)});
    let state = match well {
        true => json!({"running": {"startedAt": now(20)}}),
        false => json!({"waiting": {"reason": "CrashLoopBackOff",
            "message": "back-off 40s restarting failed container=app pod=checkout"}}),
    };
    let ended = json!({"terminated": {"exitCode": 2, "reason": "Error", "startedAt": now(25), "finishedAt": now(20)}});
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": POD, "namespace": NAMESPACE, "labels": {"app": NAME},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": REPLICA_SET, "controller": true,
                "uid": stub.uid("apps/v1", "ReplicaSet", NAMESPACE, REPLICA_SET)}]},
        "spec": spec(),
        "status": {
            "phase": "Running", "startTime": now(600),
            "conditions": [condition("PodScheduled", true), condition("Initialized", true),
                condition("ContainersReady", well), condition("Ready", well)],
            "containerStatuses": [{
                "name": "app", "image": "registry.local/checkout:1.4.2", "imageID": "", "ready": well, "started": well,
                "restartCount": restarts, "state": state, "lastState": if restarts > 0 { ended } else { json!({}) },
            }],
        },
    })
}

/// So many seconds ago, as the API writes it.
fn now(ago: i64) -> String {
    let at = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(ago);
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
