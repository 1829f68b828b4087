//! Pods of which no scheduler speaks.

use super::{placement_volume::with_claim, support::*};
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[
    ("pod-without-scheduler", a_scheduler_that_nobody_runs_is_found),
    ("pod-gated", a_gate_that_nobody_lifts_is_found),
    ("pod-on-missing-node", a_node_name_that_does_not_exist_is_found),
];

fn unseen(app: &App, spec: Value) -> World {
    let mut fields = json!({"spec": {"nodeName": null}, "metadata": {"creationTimestamp": at(-90)}});
    merge(&mut fields, &spec);
    world(app, [app.pod_with("a", json!({"phase": "Pending"}), fields)])
}

const UNSEEN: Expect =
    Expect { rule: "pod-without-scheduler", cause: "scheduler-missing", verdict: Likely, ..CHECKOUT };

#[test]
fn a_scheduler_that_nobody_runs_is_found() {
    let app = checkout().spec(json!({"schedulerName": "gang-scheduler"}));
    let world = unseen(&app, json!({}));
    check(
        &world,
        Expect {
            field: "spec.template.spec.schedulerName",
            says: &["gang-scheduler", "schedulerName", "checkout"],
            ..UNSEEN
        },
    );
}

#[test]
fn a_scheduler_that_placed_others_may_only_be_slow() {
    let app = checkout().spec(json!({"schedulerName": "gang-scheduler"}));
    let mut world = unseen(&app, json!({}));
    world.upsert(app.pod("b", status::ready(-600)));
    check(
        &world,
        Expect { verdict: Possible, severity: Medium, says: &["gang-scheduler", "placed other pods"], ..UNSEEN },
    );
}

#[test]
fn a_scheduler_that_says_nothing_to_anybody_is_one_fault() {
    let mut world = unseen(&checkout(), json!({}));
    let other = App::deployment("ops/mailer");
    world.run(&other, [other.pod_with("a", json!({"phase": "Pending"}), json!({"spec": {"nodeName": null}}))]);
    let faults = world.diagnose().faults;
    assert_eq!(faults.len(), 1, "one scheduler, one fault");
    assert_eq!(faults[0].causes[0].rule_id, "scheduler-silent");
    assert_eq!(faults[0].causes[0].confidence, Possible);
    assert!(!faults[0].causes[0].needs.is_empty());
}

/// Many pods at once, and a queue that takes half a minute: what else is wrong with one of them is not shared by all.
#[test]
fn pods_that_wait_for_a_busy_scheduler_have_nothing_in_common() {
    let mut world = unseen(&checkout(), json!({"metadata": {"creationTimestamp": at(-30)}}));
    let other = App::deployment("ops/mailer");
    world.run(&other, [other.pod("a", status::waiting("ErrImagePull", "x:9: not found", -60))]);
    let faults = world.diagnose().faults;
    assert_eq!(faults.len(), 1);
    assert!(faults[0].findings.iter().all(|f| f.subject.name == "mailer"), "{:?}", faults[0].findings);
}

#[test]
fn pods_of_which_a_scheduler_spoke_or_that_are_young_are_silent() {
    let app = checkout().spec(json!({"schedulerName": "gang-scheduler"}));
    silent(&unseen(&app, json!({"metadata": {"creationTimestamp": at(-10)}})));
    let mut world = unseen(&app, json!({}));
    let pod = app.pod_with("a", json!({"phase": "Pending"}), json!({"spec": {"nodeName": null}}));
    world.upsert(event(&pod, "Warning", "FailedScheduling", "waiting for the gang", -60, -10, 4));
    silent(&world);
}

#[test]
fn a_pod_whose_volume_is_being_made_on_the_chosen_node_is_not_forgotten_by_the_scheduler() {
    let app = with_claim();
    let mut world = unseen(&app, json!({}));
    world.upsert(object(
        "StorageClass late",
        json!({"provisioner": "disk.test", "volumeBindingMode": "WaitForFirstConsumer"}),
    ));
    world.upsert(object(
        "PersistentVolumeClaim shop/orders",
        json!({"spec": {"storageClassName": "late"}, "status": {"phase": "Pending"}}),
    ));
    silent(&world);
}

#[test]
fn a_template_of_claims_for_devices_that_does_not_exist_is_the_entity() {
    let app = checkout();
    let mut world = unseen(&app, json!({}));
    let pod = app.pod_with("a", json!({"phase": "Pending"}), json!({"spec": {"nodeName": null}}));
    let told = "PodResourceClaim gpu: resource claim template \"single-gpu\": resourceclaimtemplate.resource.k8s.io \"single-gpu\" not found";
    world.upsert(event(&pod, "Warning", "FailedResourceClaimCreation", told, -60, -10, 13));
    let expect = Expect {
        rule: "pod-unschedulable",
        cause: "resource-claim-template-missing",
        entity: "ResourceClaimTemplate/shop/single-gpu?",
        field: "spec.template.spec.resourceClaims",
        says: &["single-gpu", "does not exist (not found)", "Deployment checkout"],
        ..CHECKOUT
    };
    check(&world, expect);
}

#[test]
fn a_claim_for_devices_that_nobody_made_is_not_the_schedulers_silence() {
    let app = checkout().spec(json!({"resourceClaims": [{"name": "gpu", "resourceClaimName": "shared-gpu"}]}));
    let mut world = unseen(&app, json!({}));
    let expect = Expect {
        rule: "pod-unschedulable",
        cause: "resource-claim-missing",
        entity: "ResourceClaim/shop/shared-gpu?",
        field: "spec.template.spec.resourceClaims",
        verdict: Likely,
        says: &["ResourceClaim shared-gpu", "no scheduler has looked at them"],
        ..CHECKOUT
    };
    check(&world, expect);
    // It was looked at.
    let pod = app.pod_with("a", json!({"phase": "Pending"}), json!({"spec": {"nodeName": null}}));
    world.upsert(event(&pod, "Warning", "FailedScheduling", "cannot allocate all claims", -60, -10, 4));
    silent(&world);
}

#[test]
fn a_gate_that_nobody_lifts_is_found() {
    let app = checkout().spec(json!({"schedulingGates": [{"name": "corp.test/approval"}]}));
    let gated = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": "Scheduling is blocked due to non-empty scheduling gates", "lastTransitionTime": at(-60)}]});
    let world = world(&app, [app.pod_with("a", gated, json!({"spec": {"nodeName": null}}))]);
    let expect = Expect {
        rule: "pod-gated",
        cause: "scheduling-gate",
        field: "spec.template.spec.schedulingGates",
        says: &["corp.test/approval", "SchedulingGated"],
        ..CHECKOUT
    };
    check(&world, expect);
    check_at_a_glance(&world, expect);
}

#[test]
fn a_node_name_that_does_not_exist_is_found() {
    let app = checkout().spec(json!({"nodeName": "node-x"}));
    let pod = app.pod_with("a", json!({"phase": "Pending"}), json!({"metadata": {"creationTimestamp": at(-20)}}));
    let mut world = world(&app, [pod]);
    let expect = Expect {
        rule: "pod-on-missing-node",
        cause: "node-name-unknown",
        field: "spec.template.spec.nodeName",
        says: &["node-x", "does not exist", "node-a", "Is node-a meant?"],
        ..CHECKOUT
    };
    check(&world, expect);
    // One look does not wait as long as a watch.
    world.set_time(-17);
    check_at_a_glance(&world, expect);
    patient(&world);
}

#[test]
fn pods_on_a_node_that_was_there_are_not_pinned_to_nowhere() {
    let app = checkout().spec(json!({"nodeName": "node-x"}));
    silent(&world(&app, [app.pod("a", status::waiting("ContainerCreating", "", -20))]));
    let placed = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": at(-20)}]});
    silent(&world(&app, [app.pod("a", placed)]));
    let app = checkout();
    silent(&world(&app, [app.pod("a", json!({"phase": "Pending"}))]));
}
