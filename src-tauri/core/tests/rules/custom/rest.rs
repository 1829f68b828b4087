//! What somebody stopped, or nobody calls.

use super::*;

#[test]
fn what_is_stopped_cancelled_or_without_traffic_is_silent() {
    for (api, what, conditions) in [
        (
            "kubevirt.io/v1",
            "VirtualMachine shop/build",
            json!([condition("Ready", "False", "VMINotExists", "VMI does not exist", -600)]),
        ),
        (
            "autoscaling.internal.knative.dev/v1alpha1",
            "PodAutoscaler shop/web-1",
            json!([
                condition("Active", "False", "NoTraffic", "The target is not receiving traffic.", -600),
                condition("Ready", "False", "NoTraffic", "The target is not receiving traffic.", -600),
            ]),
        ),
        (
            "tekton.dev/v1",
            "PipelineRun shop/build-7",
            json!([condition("Succeeded", "False", "Cancelled", "PipelineRun \"build-7\" was cancelled", -600)]),
        ),
        (
            "tekton.dev/v1",
            "TaskRun shop/build-7-unit",
            json!([condition("Succeeded", "False", "TaskRunCancelled", "it failed to finish: was cancelled", -600)]),
        ),
        (
            "hive.openshift.io/v1",
            "ClusterDeployment shop/night",
            json!([
                condition("Hibernating", "True", "Hibernating", "the cluster is stopped", -600),
                condition("Ready", "False", "Down", "no machine runs", -600),
            ]),
        ),
        (
            "kubevirt.io/v1",
            "VirtualMachineInstance shop/desk",
            json!([
                condition("Paused", "True", "PausedByUser", "VMI was paused by user", -600),
                condition("Ready", "False", "GuestNotRunning", "the guest does not run", -600),
            ]),
        ),
    ] {
        silent(&of([custom(api, what, json!({"status": {"conditions": conditions}}))]));
    }
}

#[test]
fn what_cannot_be_stopped_or_fails_while_it_rests_is_found() {
    check(&of([database(says("Ready", "False", "HibernationFailed", "a pod does not end"))]), CUSTOM);
    let fields = json!({"status": {"conditions": [
        condition("Paused", "True", "PausedByUser", "", -600),
        condition("Ready", "False", "BackupFailed", "no room", -600),
    ]}});
    check(&of([database(fields)]), CUSTOM);
}
