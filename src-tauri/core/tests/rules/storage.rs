//! Claims that get no volume.

use super::support::*;
use afterwatch_core::{coverage::UnreadableReason, object::Kind};
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[("claim-pending", a_class_that_does_not_exist_is_found)];

const PENDING: Expect = Expect {
    rule: "claim-pending",
    object: "PersistentVolumeClaim/shop/orders",
    subject: "PersistentVolumeClaim/shop/orders",
    entity: "PersistentVolumeClaim/shop/orders",
    cause: "storage-class-missing",
    field: "spec.storageClassName",
    severity: Medium,
    ..CHECKOUT
};

fn claim(class: Value) -> Value {
    json!({
        "metadata": {"creationTimestamp": at(-60)},
        "spec": {"storageClassName": class, "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}},
        "status": {"phase": "Pending"},
    })
}

fn with(claim: Value, classes: &[(&str, Value)]) -> World {
    let mut world = World::new();
    for (name, fields) in classes {
        world.upsert(object(&format!("StorageClass {name}"), fields.clone()));
    }
    world.upsert(object("PersistentVolumeClaim shop/orders", claim));
    world
}

#[test]
fn a_class_that_does_not_exist_is_found() {
    let world = with(claim(json!("fast")), &[("standard", json!({}))]);
    check(&world, Expect { says: &["orders", "fast", "standard"], ..PENDING });
}

#[test]
fn a_cluster_without_a_default_class_is_found() {
    let world = with(claim(Value::Null), &[("standard", json!({}))]);
    check(&world, Expect { cause: "no-default-storage-class", says: &["10Gi", "standard", "default"], ..PENDING });
}

#[test]
fn what_the_provisioner_says_is_quoted() {
    let mut world = with(claim(json!("standard")), &[("standard", json!({"provisioner": "disk.test"}))]);
    let orders = object("PersistentVolumeClaim shop/orders", claim(json!("standard")));
    world.upsert(event(
        &orders,
        "Warning",
        "ProvisioningFailed",
        "failed to provision volume: quota of 500 GB exceeded",
        -50,
        -5,
        3,
    ));
    check(
        &world,
        Expect {
            cause: "volume-not-provisioned",
            verdict: Likely,
            field: "",
            says: &["standard", "10Gi", "quota of 500 GB exceeded"],
            ..PENDING
        },
    );
}

#[test]
fn what_is_proven_is_said_soon_and_a_provisioner_is_given_time() {
    let fresh = |class: &str| {
        let mut value = claim(json!(class));
        merge(&mut value, &json!({"metadata": {"creationTimestamp": at(0)}}));
        value
    };
    held(&mut with(fresh("fast"), &[("standard", json!({}))]), 0, 10);
    held(&mut with(fresh("standard"), &[("standard", json!({}))]).at(11), 0, 30);
}

#[test]
fn the_workload_that_waits_for_the_claim_is_the_subject() {
    let app = checkout().spec(json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "orders"}}]}));
    let mut world = with(claim(json!("fast")), &[]);
    let message = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/1 nodes are available.";
    world.run(&app, [app.pod("a", status::unschedulable(message, -30))]);
    let fault = check(&world, Expect { subject: "Deployment/shop/checkout", severity: Critical, ..PENDING });
    assert_eq!(fault.causes.len(), 1, "pod and claim have one cause");
}

#[test]
fn claims_that_are_bound_or_wait_for_their_first_pod_are_silent() {
    let later = [("local", json!({"volumeBindingMode": "WaitForFirstConsumer"}))];
    silent(&with(claim(json!("local")), &later));
    let mut bound = claim(json!("fast"));
    merge(&mut bound, &json!({"status": {"phase": "Bound"}}));
    silent(&with(bound, &[]));
    let mut going = claim(json!("fast"));
    merge(&mut going, &json!({"metadata": {"deletionTimestamp": at(-1)}}));
    silent(&with(going, &[]));
}

#[test]
fn a_class_that_may_not_be_read_is_not_called_missing() {
    let mut world = with(claim(json!("fast")), &[]);
    world.lose(Kind::StorageClass, UnreadableReason::Forbidden);
    let fault = world.diagnose().faults.remove(0);
    assert_ne!(fault.causes[0].rule_id, "storage-class-missing");
    assert!(fault.causes[0].confidence < Established, "{}", fault.causes[0].statement);
}
