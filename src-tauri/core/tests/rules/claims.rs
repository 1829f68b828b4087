//! Claims told with both sides: what they ask, and what volumes, classes and provisioners there are.

use super::support::*;
use afterwatch_core::{
    object::{Kind, Object},
    severity::Severity::Low,
};
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[
    ("claim-not-resized", a_resize_that_fails_is_told_with_both_sizes),
    ("volume-failed", a_volume_that_cannot_be_reclaimed_is_told_quietly),
];

const PENDING: Expect = Expect {
    rule: "claim-pending",
    object: "PersistentVolumeClaim/shop/orders",
    subject: "PersistentVolumeClaim/shop/orders",
    entity: "PersistentVolumeClaim/shop/orders",
    cause: "no-volume-fits",
    severity: Medium,
    ..CHECKOUT
};

fn claim(fields: Value) -> Object {
    let mut value = json!({
        "metadata": {"creationTimestamp": at(-60)},
        "spec": {"storageClassName": "manual", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}},
        "status": {"phase": "Pending"},
    });
    merge(&mut value, &fields);
    object("PersistentVolumeClaim shop/orders", value)
}

fn volume(name: &str, fields: Value) -> Object {
    let mut value = json!({
        "spec": {"storageClassName": "manual", "capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteOnce"]},
        "status": {"phase": "Available"},
    });
    merge(&mut value, &fields);
    object(&format!("PersistentVolume {name}"), value)
}

fn with(objects: impl IntoIterator<Item = Object>) -> World {
    let mut world = World::new();
    world.upsert_all(objects);
    world
}

fn class(name: &str, provisioner: &str) -> Object {
    object(&format!("StorageClass {name}"), json!({"provisioner": provisioner}))
}

#[test]
fn the_condition_that_the_nearest_volume_misses_is_named_with_both_sides() {
    let cases = [
        (
            json!({}),
            json!({"spec": {"capacity": {"storage": "5Gi"}}}),
            "spec.resources.requests.storage",
            &["pv-a", "5Gi", "10Gi"][..],
        ),
        (
            json!({"spec": {"accessModes": ["ReadWriteMany"]}}),
            json!({}),
            "spec.accessModes",
            &["ReadWriteOnce", "ReadWriteMany"][..],
        ),
        (json!({"spec": {"volumeMode": "Block"}}), json!({}), "spec.volumeMode", &["Filesystem", "Block"][..]),
        (
            json!({"spec": {"selector": {"matchLabels": {"tier": "gold"}}}}),
            json!({"metadata": {"labels": {"tier": "silver"}}}),
            "spec.selector",
            &["tier=silver", "tier=gold"][..],
        ),
        (
            json!({"spec": {"storageClassName": ""}}),
            json!({}),
            "spec.storageClassName",
            &["class manual", "no class"][..],
        ),
    ];
    for (asked, offered, field, says) in cases {
        check(&with([claim(asked), volume("pv-a", offered)]), Expect { field, says, ..PENDING });
    }
}

#[test]
fn the_volume_with_the_fewest_reasons_against_it_is_the_nearest() {
    let far = volume("pv-a", json!({"spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadOnlyMany"]}}));
    let near = volume("pv-b", json!({"spec": {"capacity": {"storage": "8Gi"}}}));
    check(&with([claim(json!({})), far, near]), Expect { says: &["pv-b", "8Gi"], ..PENDING });
}

#[test]
fn a_class_without_provisioner_and_without_volumes_is_told_so() {
    let world = with([claim(json!({})), class("manual", "kubernetes.io/no-provisioner")]);
    check(&world, Expect { says: &["there is no PersistentVolume", "manual", "10Gi"], ..PENDING });
}

#[test]
fn a_volume_that_still_refers_to_its_last_claim_is_the_one_to_change() {
    let old = json!({"spec": {"claimRef": {"namespace": "shop", "name": "orders", "uid": "another"}}, "status": {"phase": "Released"}});
    let world = with([claim(json!({})), volume("pv-a", old)]);
    let expect = Expect {
        cause: "volume-released",
        entity: "PersistentVolume//pv-a",
        field: "spec.claimRef",
        says: &["pv-a", "Released", "shop/orders", "claimRef"],
        ..PENDING
    };
    check(&world, expect);
    let first = &world.diagnose().faults[0].actions[0];
    assert_eq!((&*first.target.kind, &*first.requires[0]), ("PersistentVolume", "patch persistentvolumes"));
    assert!(first.command.contains("patch persistentvolume/pv-a") && first.command.contains(r#""value":"another""#));
    // What another claim left, or was promised, is not for this one.
    for (phase, name) in [("Released", "invoices"), ("Failed", "orders"), ("Available", "invoices")] {
        let reference = json!({"namespace": "shop", "name": name, "uid": "another"});
        let other = json!({"spec": {"claimRef": reference}, "status": {"phase": phase}});
        let fault = &with([claim(json!({})), volume("pv-a", other)]).diagnose().faults[0];
        assert!(!fault.actions.iter().any(|a| a.command.contains("patch persistentvolume")), "{:?}", fault.actions);
    }
}

#[test]
fn what_a_claim_asks_for_is_not_edited_in_place() {
    let world = with([claim(json!({})), volume("pv-a", json!({"spec": {"capacity": {"storage": "5Gi"}}}))]);
    let first = &world.diagnose().faults[0].actions[0];
    assert!(first.command.ends_with("kubectl replace --force -f orders.yaml"), "{}", first.command);
}

#[test]
fn a_volume_that_another_claim_has_is_not_for_this_one() {
    let taken =
        json!({"spec": {"claimRef": {"namespace": "blog", "name": "files", "uid": "x"}}, "status": {"phase": "Bound"}});
    let world = with([claim(json!({"spec": {"volumeName": "pv-a"}})), volume("pv-a", taken)]);
    check(&world, Expect { cause: "volume-taken", field: "spec.volumeName", says: &["pv-a", "blog/files"], ..PENDING });
}

#[test]
fn a_volume_name_that_does_not_exist_is_found() {
    let world = with([claim(json!({"spec": {"volumeName": "pv-orders"}})), volume("pv-order", json!({}))]);
    check(
        &world,
        Expect {
            cause: "volume-missing",
            field: "spec.volumeName",
            says: &["pv-orders", "not found", "Is pv-order meant?"],
            ..PENDING
        },
    );
}

#[test]
fn a_claim_that_lost_its_volume_is_found() {
    let world = with([claim(json!({"spec": {"volumeName": "pv-a"}, "status": {"phase": "Lost"}}))]);
    check(&world, Expect { cause: "volume-lost", says: &["pv-a", "Lost"], ..PENDING });
}

#[test]
fn volumes_that_may_not_be_read_prove_nothing() {
    let mut world = with([claim(json!({})), class("manual", "kubernetes.io/no-provisioner")]);
    world.lose(Kind::PersistentVolume, afterwatch_core::coverage::UnreadableReason::Forbidden);
    check(&world, Expect { verdict: Likely, ..PENDING });
}

#[test]
fn a_class_whose_name_is_almost_right_is_offered() {
    let template = json!([{"metadata": {"name": "data"}}]);
    let set = object("StatefulSet shop/db", json!({"spec": {"volumeClaimTemplates": template}}));
    let asked = object(
        "PersistentVolumeClaim shop/data-db-0",
        json!({"metadata": {"creationTimestamp": at(-60)}, "spec": {"storageClassName": "standrad"}, "status": {"phase": "Pending"}}),
    );
    let world = with([set, asked, class("standard", "disk.test")]);
    let expect = Expect {
        object: "PersistentVolumeClaim/shop/data-db-0",
        subject: "PersistentVolumeClaim/shop/data-db-0",
        entity: "PersistentVolumeClaim/shop/data-db-0",
        cause: "storage-class-missing",
        says: &["standrad", "Is standard meant?", "volumeClaimTemplates[data]", "StatefulSet db"],
        ..PENDING
    };
    check(&world, expect);
}

const WAITING: &str = "Waiting for a volume to be created either by the external provisioner 'disk.corp.test' or manually by the system administrator.";

#[test]
fn a_provisioner_that_nobody_runs_is_the_class_to_change() {
    let asked = claim(json!({"spec": {"storageClassName": "fast"}}));
    let mut world = with([asked.clone(), class("fast", "disk.corp.test")]);
    world.upsert(event(&asked, "Normal", "ExternalProvisioning", WAITING, -55, -5, 6));
    let expect = Expect {
        cause: "provisioner-missing",
        entity: "StorageClass//fast",
        field: "provisioner",
        verdict: Likely,
        says: &["orders", "disk.corp.test", "fast", "10Gi"],
        ..PENDING
    };
    assert_eq!(check(&world, expect).findings[0].hold.as_secs(), 15);
}

#[test]
fn a_provisioner_that_is_scaled_to_zero_is_the_one_to_change() {
    let asked = claim(json!({"spec": {"storageClassName": "fast"}}));
    let mut world = with([asked.clone(), class("fast", "corp.test/local-disk")]);
    world.upsert(App::deployment("ops/local-disk-provisioner").replicas(0).top(json!({})));
    world.upsert(event(&asked, "Normal", "ExternalProvisioning", WAITING, -55, -5, 6));
    let expect = Expect {
        cause: "provisioner-down",
        entity: "Deployment/ops/local-disk-provisioner",
        field: "spec.replicas",
        says: &["local-disk-provisioner", "scaled to zero", "orders"],
        ..PENDING
    };
    check(&world, expect);
}

#[test]
fn a_provisioner_that_runs_is_given_two_minutes() {
    let asked = claim(json!({"metadata": {"creationTimestamp": at(0)}, "spec": {"storageClassName": "fast"}}));
    let provisioner = App::deployment("ops/local-disk-provisioner").top(json!({"status": {"readyReplicas": 1}}));
    let mut world = with([asked, class("fast", "corp.test/local-disk"), provisioner]);
    silent(&world.clone().at(5));
    world.set_time(119);
    patient(&world);
    world.set_time(120);
    check(&world, Expect { cause: "provisioner-slow", verdict: Possible, ..PENDING });
}

#[test]
fn a_claim_that_waits_for_its_first_pod_is_silent_until_a_node_was_chosen_and_making_it_failed() {
    let later =
        object("StorageClass late", json!({"provisioner": "disk.test", "volumeBindingMode": "WaitForFirstConsumer"}));
    let app = checkout().spec(json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "orders"}}]}));
    let asked = claim(json!({"spec": {"storageClassName": "late"}}));
    let mut world = with([asked.clone(), later]);
    let fresh = app.pod_with(
        "a",
        json!({"phase": "Pending"}),
        json!({"spec": {"nodeName": null}, "metadata": {"creationTimestamp": at(-5)}}),
    );
    world.run(&app, [fresh]);
    silent(&world);
    let message = "running PreBind plugin \"VolumeBinding\": binding volumes: context deadline exceeded";
    world.upsert(app.pod("a", status::unschedulable(message, -30)));
    world.upsert(event(&asked, "Warning", "ProvisioningFailed", "disk quota of 100 exceeded", -50, -5, 3));
    check(
        &world,
        Expect {
            subject: "Deployment/shop/checkout",
            cause: "volume-not-provisioned",
            verdict: Likely,
            severity: Critical,
            says: &["disk quota of 100", "late"],
            ..PENDING
        },
    );
}

#[test]
fn local_volumes_that_are_all_taken_are_told_with_the_pod() {
    let late = object(
        "StorageClass manual",
        json!({"provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer"}),
    );
    let taken =
        json!({"spec": {"claimRef": {"namespace": "blog", "name": "files", "uid": "x"}}, "status": {"phase": "Bound"}});
    let app = checkout().spec(json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "orders"}}]}));
    let mut world = with([claim(json!({})), late, volume("pv-a", taken)]);
    let message = "0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind.";
    world.run(&app, [app.pod("a", status::unschedulable(message, -30))]);
    let expect = Expect {
        rule: "pod-unschedulable",
        object: "Pod/shop/checkout-r1-a",
        subject: "Deployment/shop/checkout",
        severity: Critical,
        cause: "volume-taken",
        says: &["orders", "pv-a", "blog/files"],
        ..PENDING
    };
    check(&world, expect);
}

fn growing(status: Value) -> World {
    let mut fields = json!({"spec": {"volumeName": "pv-a", "resources": {"requests": {"storage": "20Gi"}}}, "status": {"phase": "Bound", "capacity": {"storage": "10Gi"}}});
    merge(&mut fields, &status);
    let class = object("StorageClass manual", json!({"provisioner": "disk.test", "allowVolumeExpansion": true}));
    with([claim(fields), class])
}

const GROWING: Expect = Expect {
    rule: "claim-not-resized",
    cause: "resize-failing",
    field: "spec.resources.requests.storage",
    verdict: Likely,
    ..PENDING
};

#[test]
fn a_resize_that_fails_is_told_with_both_sizes() {
    let mut world = growing(json!({}));
    let asked = claim(json!({}));
    world.upsert(event(
        &asked,
        "Warning",
        "VolumeResizeFailed",
        "resize volume \"pv-a\" failed: the disk cannot be larger than 16Gi",
        -50,
        -5,
        3,
    ));
    check(&world, Expect { says: &["20Gi", "10Gi", "larger than 16Gi"], ..GROWING });
}

#[test]
fn a_class_that_lets_nothing_grow_is_the_one_to_change() {
    let mut world = growing(json!({}));
    world.upsert(class("manual", "disk.test"));
    check(
        &world,
        Expect {
            cause: "expansion-not-allowed",
            entity: "StorageClass//manual",
            field: "allowVolumeExpansion",
            verdict: Established,
            says: &["20Gi", "10Gi", "manual"],
            ..GROWING
        },
    );
}

#[test]
fn a_resize_that_waits_for_a_restart_is_told_quietly_and_one_under_way_is_silent() {
    let pending = json!({"status": {"conditions": [{"type": "FileSystemResizePending", "status": "True", "lastTransitionTime": at(-200)}]}});
    check(
        &growing(pending),
        Expect {
            cause: "resize-waits-for-restart",
            verdict: Established,
            severity: Low,
            says: &["20Gi", "10Gi", "FileSystemResizePending"],
            ..GROWING
        },
    );
    silent(&growing(
        json!({"status": {"conditions": [{"type": "Resizing", "status": "True", "lastTransitionTime": at(-20)}]}}),
    ));
    silent(&growing(json!({"status": {"capacity": {"storage": "20Gi"}}})));
}

#[test]
fn a_volume_that_cannot_be_reclaimed_is_told_quietly() {
    let failed = json!({"spec": {"persistentVolumeReclaimPolicy": "Delete", "claimRef": {"namespace": "shop", "name": "old"}}, "status": {"phase": "Failed", "message": "error deleting disk: it is attached"}});
    let expect = Expect {
        rule: "volume-failed",
        object: "PersistentVolume//pv-a",
        subject: "PersistentVolume//pv-a",
        entity: "PersistentVolume//pv-a",
        cause: "volume-not-reclaimed",
        verdict: Likely,
        severity: Low,
        says: &["pv-a", "shop/old", "it is attached"],
        ..PENDING
    };
    check(&with([volume("pv-a", failed)]), expect);
    silent(&with([volume("pv-a", json!({"status": {"phase": "Released"}}))]));
    silent(&with([volume("pv-a", json!({}))]));
}

#[test]
fn a_claim_that_lost_its_volume_waits_for_no_pod_whatever_its_class() {
    let late =
        object("StorageClass manual", json!({"provisioner": "disk.test", "volumeBindingMode": "WaitForFirstConsumer"}));
    let world = with([claim(json!({"spec": {"volumeName": "pv-a"}, "status": {"phase": "Lost"}})), late]);
    check(&world, Expect { cause: "volume-lost", field: "spec.volumeName", says: &["pv-a", "Lost"], ..PENDING });
}

#[test]
fn what_a_provisioner_cannot_make_names_the_field() {
    for (said, field) in [
        ("failed to provision volume: Only support ReadWriteOnce access mode", "spec.accessModes"),
        ("failed to provision volume: quota of 500 GB exceeded", "spec.resources.requests.storage"),
    ] {
        let asked = claim(json!({"spec": {"accessModes": ["ReadWriteMany"]}}));
        let mut world = with([asked.clone(), class("manual", "disk.test")]);
        world.upsert(event(&asked, "Warning", "ProvisioningFailed", said, -50, -5, 3));
        check(
            &world,
            Expect {
                cause: "volume-not-provisioned",
                verdict: Likely,
                field,
                says: &["ReadWriteMany", "manual"],
                ..PENDING
            },
        );
    }
}
