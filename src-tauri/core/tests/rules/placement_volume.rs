//! Volumes that keep a pod from being placed: claims without a volume, volumes that are elsewhere.

use super::{
    placement::{NO_NODE, SHUT, node, tainted, waits},
    support::*,
};
use afterwatch_core::remediation::ActionKind;
use afterwatch_testkit::World;

/// A claim that is bound to a volume that can be used in this place only.
fn volume(world: &mut World, key: &str, value: &str) {
    let terms = json!([{"matchExpressions": [{"key": key, "operator": "In", "values": [value]}]}]);
    world.upsert(object(
        "PersistentVolume pv-1",
        json!({"spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": terms}}}, "status": {"phase": "Bound"}}),
    ));
    world.upsert(object(
        "PersistentVolumeClaim shop/orders",
        json!({"spec": {"volumeName": "pv-1"}, "status": {"phase": "Bound"}}),
    ));
}

pub fn with_claim() -> App {
    checkout().spec(json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "orders"}}]}))
}

#[test]
fn a_volume_whose_node_is_gone_is_the_one_to_change() {
    for message in [
        "0/1 nodes are available: 1 node(s) had volume node affinity conflict.",
        "0/1 nodes are available: 1 node(s) didn't match PersistentVolume's node affinity.",
    ] {
        let mut world = waits(&with_claim(), message);
        volume(&mut world, "kubernetes.io/hostname", "node-gone");
        let expect = Expect {
            cause: "volume-node-affinity",
            entity: "PersistentVolume//pv-1",
            field: "spec.nodeAffinity",
            says: &["pv-1", "orders", "node-gone", "node-a"],
            ..NO_NODE
        };
        check(&world, expect);
    }
}

#[test]
fn a_selector_that_leads_away_from_the_volume_is_the_workloads() {
    let app = with_claim().spec(json!({"nodeSelector": {"zone": "z2"}}));
    let mut world = waits(
        &app,
        "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had volume node affinity conflict.",
    );
    world.upsert(node("node-a", json!({"metadata": {"labels": {"zone": "z1"}}})));
    world.upsert(node("node-b", json!({"metadata": {"labels": {"zone": "z2"}}})));
    volume(&mut world, "zone", "z1");
    let expect = Expect {
        cause: "volume-node-affinity",
        field: "spec.template.spec.nodeSelector",
        says: &["pv-1", "zone In z1", "node-a", "zone=z2"],
        ..NO_NODE
    };
    check(&world, expect);
}

#[test]
fn a_volume_that_ties_the_pod_to_a_cordoned_node_leaves_the_node_to_blame() {
    let mut world = waits(
        &with_claim(),
        "0/2 nodes are available: 1 node(s) were unschedulable, 1 node(s) had volume node affinity conflict.",
    );
    world.upsert(node("node-b", tainted(SHUT)));
    volume(&mut world, "kubernetes.io/hostname", "node-b");
    check(
        &world,
        Expect { cause: "node-cordoned", entity: "Node//node-b", says: &["node-b", "pv-1", "orders"], ..NO_NODE },
    );
}

#[test]
fn a_claim_that_waits_for_its_pod_is_not_why_the_pod_has_no_place() {
    let app = with_claim().container(json!({"resources": {"requests": {"cpu": "16"}}}));
    let message = "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
    let mut world = waits(&app, message);
    world.upsert(object(
        "StorageClass local",
        json!({"provisioner": "disk.test", "volumeBindingMode": "WaitForFirstConsumer"}),
    ));
    world.upsert(object(
        "PersistentVolumeClaim shop/orders",
        json!({"spec": {"storageClassName": "local"}, "status": {"phase": "Pending"}}),
    ));
    check(&world, Expect { cause: "request-too-large", says: &["cpu 16"], ..NO_NODE });
}

#[test]
fn a_claim_for_one_pod_names_the_pod_that_has_it() {
    let app = with_claim().replicas(2);
    let mut world = waits(
        &app,
        "0/1 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode.",
    );
    world.upsert(object(
        "PersistentVolumeClaim shop/orders",
        json!({"spec": {"accessModes": ["ReadWriteOncePod"], "volumeName": "pv-1"}, "status": {"phase": "Bound"}}),
    ));
    world.upsert(object("PersistentVolume pv-1", json!({"status": {"phase": "Bound"}})));
    world.upsert(app.pod("b", status::ready(-600)));
    let expect = Expect {
        cause: "claim-used-by-one-pod",
        field: "spec.replicas",
        severity: Medium,
        says: &["orders", "ReadWriteOncePod", "checkout-r1-b"],
        ..NO_NODE
    };
    check(&world, expect);
}

#[test]
fn a_claim_that_is_missing_is_found_whatever_the_scheduler_says_first() {
    let mut world = waits(&with_claim(), "no nodes available to schedule pods");
    world.upsert(object("PersistentVolumeClaim shop/order", json!({"status": {"phase": "Bound"}})));
    let expect = Expect {
        cause: "claim-missing",
        entity: "PersistentVolumeClaim/shop/orders?",
        says: &["orders", "not found", "There is order."],
        ..NO_NODE
    };
    check(&world, expect);
}

#[test]
fn a_bound_claim_whose_volume_is_gone_is_found() {
    let mut world = waits(
        &with_claim(),
        "0/1 nodes are available: 1 node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s).",
    );
    world.upsert(object(
        "PersistentVolumeClaim shop/orders",
        json!({"spec": {"volumeName": "pv-9"}, "status": {"phase": "Bound"}}),
    ));
    let expect = Expect {
        cause: "volume-lost",
        entity: "PersistentVolumeClaim/shop/orders",
        says: &["orders", "pv-9", "not found"],
        ..NO_NODE
    };
    let fault = check(&world, expect);
    // A claim that held something is not to be thrown away for its class.
    assert!(fault.actions.iter().all(|a| a.kind != ActionKind::SetStorageClass), "{:?}", fault.actions);
    assert!(fault.actions[0].because.contains("make a volume of that name over it anew"), "{:?}", fault.actions);
    // Who deleted the volume, and when, is what set it off.
    let volume =
        object("PersistentVolume pv-9", json!({"spec": {"claimRef": {"namespace": "shop", "name": "orders"}}}));
    world.set_time(-320);
    world.upsert(volume.clone());
    world.delete(volume);
    world.set_time(0);
    let fault = check(&world, expect);
    assert!(fault.changes.iter().any(|(c, suspect)| *suspect && c.object.name == "pv-9"), "{:?}", fault.changes);
}

#[test]
fn a_claim_that_is_being_deleted_is_found() {
    let mut world = waits(&with_claim(), "0/1 nodes are available: persistentvolumeclaim \"orders\" is being deleted.");
    world.upsert(object("PersistentVolumeClaim shop/orders", json!({"metadata": {"deletionTimestamp": at(-60), "finalizers": ["kubernetes.io/pvc-protection"]}, "status": {"phase": "Bound"}})));
    check(
        &world,
        Expect {
            cause: "claim-being-deleted",
            entity: "PersistentVolumeClaim/shop/orders",
            says: &["orders", "pvc-protection"],
            ..NO_NODE
        },
    );
}

#[test]
fn a_pod_whose_volume_is_being_made_is_given_as_long_as_its_claim() {
    let app = with_claim();
    let mut world = World::new();
    let provisioner = App::deployment("ops/disk-provisioner").top(json!({"status": {"readyReplicas": 1}}));
    world.upsert_all([provisioner, object("StorageClass fast", json!({"provisioner": "corp.test/disk"}))]);
    world.upsert(object("PersistentVolumeClaim shop/orders", json!({"metadata": {"creationTimestamp": at(0)}, "spec": {"storageClassName": "fast"}, "status": {"phase": "Pending"}})));
    world.run(
        &app,
        [app.pod(
            "a",
            status::unschedulable("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.", 0),
        )],
    );
    silent(&world.clone().at(8));
    held(&mut world, 0, 120);
}

#[test]
fn a_claim_that_was_made_after_the_refusal_is_given_its_own_time() {
    let app = checkout().spec(json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "orders"}}]}));
    let message = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.";
    let mut world = world(&app, [app.pod("a", status::unschedulable(message, -300))]);
    let spec = json!({"accessModes": ["ReadWriteOnce"], "storageClassName": "", "resources": {"requests": {"storage": "1Gi"}}});
    let made = json!({"metadata": {"creationTimestamp": at(-2)}, "spec": spec, "status": {"phase": "Pending"}});
    world.upsert(object("PersistentVolumeClaim shop/orders", made));
    let spec = json!({"accessModes": ["ReadWriteOnce"], "storageClassName": "", "capacity": {"storage": "1Gi"}});
    world.upsert(object("PersistentVolume orders-disk", json!({"spec": spec, "status": {"phase": "Available"}})));
    assert!(world.diagnose().faults.is_empty(), "it is only being bound");
    world.set_time(600);
    let cause = &world.diagnose().faults[0].causes[0];
    assert_eq!(cause.rule_id, "claim-not-bindable", "{}", cause.statement);
}
