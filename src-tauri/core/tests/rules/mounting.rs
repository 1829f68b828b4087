//! Pods whose volumes cannot be mounted, or whose sandbox cannot be made.

use super::support::*;
use afterwatch_testkit::World;

/// A pod that waits for its volumes or its sandbox, with an event of it.
fn creating(app: &App, reason: &str, message: &str) -> World {
    let pod = app.pod("a", status::waiting("ContainerCreating", "", -90));
    let mut world = world(app, [pod.clone()]);
    world.upsert(event(&pod, "Warning", reason, message, -80, -5, 6));
    world
}

const MOUNT: Expect = Expect { rule: "volume-not-mounted", cause: "volume-held-elsewhere", ..CHECKOUT };

fn with_claim() -> App {
    checkout().spec(json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "orders"}}]}))
}

fn bound(world: &mut World, volume: Value) {
    world.upsert(object(
        "PersistentVolumeClaim shop/orders",
        json!({"spec": {"accessModes": ["ReadWriteOnce"], "volumeName": "pv-1"}, "status": {"phase": "Bound"}}),
    ));
    world.upsert(object("PersistentVolume pv-1", json!({"spec": volume, "status": {"phase": "Bound"}})));
}

#[test]
fn a_volume_that_another_node_has_names_the_pod_that_holds_it() {
    let app = with_claim().replicas(2);
    let message = "Multi-Attach error for volume \"pv-1\" Volume is already used by pod(s) checkout-r1-b";
    let mut world = creating(&app, "FailedAttachVolume", message);
    bound(&mut world, json!({}));
    world.upsert(World::node("node-b", "True"));
    world.upsert(app.pod_with("b", status::ready(-600), json!({"spec": {"nodeName": "node-b"}})));
    let expect = Expect {
        severity: High,
        field: "spec.strategy",
        says: &["orders", "ReadWriteOnce", "checkout-r1-b", "node-b", "node-a", "Recreate"],
        ..MOUNT
    };
    check(&world, expect);
}

#[test]
fn a_volume_that_is_handed_over_is_given_thirty_seconds() {
    let app = with_claim();
    let pod = app.pod("a", status::waiting("ContainerCreating", "", 0));
    let mut world = world(&app, [pod.clone()]);
    bound(&mut world, json!({}));
    world.upsert(event(&pod, "Warning", "FailedAttachVolume", "Multi-Attach error for volume \"pv-1\" Volume is already exclusively attached to one node and can't be attached to another", 0, 0, 1));
    held(&mut world, 0, 30);
}

#[test]
fn what_keeps_a_volume_from_being_mounted_is_told_apart() {
    let nfs = json!({"nfs": {"server": "files.corp.test", "path": "/export/orders"}});
    let csi = json!({"csi": {"driver": "disk.corp.test"}});
    let local = json!({"local": {"path": "/mnt/orders"}});
    type Case = (
        &'static str,
        Value,
        &'static str,
        &'static str,
        afterwatch_core::severity::Confidence,
        &'static [&'static str],
    );
    let cases: Vec<Case> = vec![
        (
            "MountVolume.SetUp failed for volume \"pv-1\" : mount failed: exit status 32\nOutput: mount.nfs: Failed to resolve server files.corp.test: Name or service not known",
            nfs.clone(),
            "file-server-failing",
            "spec.nfs.server",
            Likely,
            &["files.corp.test", "/export/orders", "does not resolve", "orders"],
        ),
        (
            "MountVolume.SetUp failed for volume \"pv-1\" : mount failed: exit status 32\nOutput: mount.nfs: Connection timed out",
            nfs.clone(),
            "file-server-failing",
            "spec.nfs.server",
            Likely,
            &["files.corp.test", "cannot be reached"],
        ),
        (
            "MountVolume.SetUp failed for volume \"pv-1\" : mount failed: exit status 32\nOutput: mount.nfs: access denied by server while mounting files.corp.test:/export/orders",
            nfs.clone(),
            "file-server-failing",
            "spec.nfs.path",
            Likely,
            &["/export/orders", "denies access"],
        ),
        (
            "MountVolume.SetUp failed for volume \"pv-1\" : mount failed: exit status 32\nMounting arguments: -t nfs files.corp.test:/export/orders /var/lib/x\nOutput: mount: /var/lib/x: unknown filesystem type 'nfs'.",
            json!({"hostPath": {"path": "/x"}}),
            "file-system-unknown",
            "spec.nfs",
            Established,
            &["node-a knows no file system of type nfs", "files.corp.test:/export/orders"],
        ),
        (
            "MountVolume.MountDevice failed for volume \"pv-1\" : kubernetes.io/csi: attacher.MountDevice failed to create newCsiDriverClient: driver name disk.corp.test not found in the list of registered CSI drivers",
            csi.clone(),
            "csi-driver-missing",
            "spec.csi.driver",
            Established,
            &["disk.corp.test", "node-a", "pv-1"],
        ),
        (
            "MountVolume.NewMounter initialization failed for volume \"pv-1\" : path \"/mnt/orders\" does not exist",
            local.clone(),
            "volume-path-missing",
            "spec.local.path",
            Established,
            &["/mnt/orders", "node-a", "pv-1"],
        ),
        (
            "MountVolume.MountDevice failed for volume \"pv-1\" : mount failed: exit status 32: wrong fs type, bad option, bad superblock on /dev/sdb",
            csi.clone(),
            "file-system-wrong",
            "spec.csi.fsType",
            Likely,
            &["pv-1", "orders"],
        ),
    ];
    for (message, volume, cause, field, verdict, says) in cases {
        let mut world = creating(&with_claim(), "FailedMount", message);
        bound(&mut world, volume);
        check(&world, Expect { cause, field, verdict, entity: "PersistentVolume//pv-1", says, ..MOUNT });
    }
}

#[test]
fn a_disk_that_is_gone_is_the_volumes() {
    let message =
        "AttachVolume.Attach failed for volume \"pv-1\" : rpc error: code = NotFound desc = disk vol-123 not found";
    let mut world = creating(&with_claim(), "FailedAttachVolume", message);
    bound(&mut world, json!({"csi": {"driver": "disk.corp.test"}}));
    check(
        &world,
        Expect {
            cause: "disk-missing",
            entity: "PersistentVolume//pv-1",
            verdict: Likely,
            says: &["vol-123", "pv-1", "orders"],
            ..MOUNT
        },
    );
}

#[test]
fn a_path_of_the_node_that_is_not_of_its_type_is_the_workloads() {
    let app =
        checkout().spec(json!({"volumes": [{"name": "logs", "hostPath": {"path": "/var/app", "type": "Directory"}}]}));
    let world = creating(
        &app,
        "FailedMount",
        "MountVolume.SetUp failed for volume \"logs\" : hostPath type check failed: /var/app is not a directory",
    );
    check(
        &world,
        Expect {
            cause: "host-path-wrong",
            field: "spec.template.spec.volumes[logs].hostPath",
            says: &["logs", "/var/app", "node-a"],
            ..MOUNT
        },
    );
}

#[test]
fn a_volume_that_hangs_names_claim_and_node() {
    let message = "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process volumes=[]: timed out waiting for the condition";
    let mut world = creating(&with_claim(), "FailedMount", message);
    bound(&mut world, json!({}));
    check(
        &world,
        Expect {
            cause: "volume-mount-timeout",
            entity: "PersistentVolumeClaim/shop/orders",
            verdict: Likely,
            says: &["data", "orders", "pv-1", "node-a"],
            ..MOUNT
        },
    );
}

#[test]
fn a_service_account_that_went_away_keeps_new_pods_from_their_token() {
    let world = creating(
        &checkout(),
        "FailedMount",
        "MountVolume.SetUp failed for volume \"kube-api-access-x1\" : failed to fetch token: serviceaccounts \"robot\" not found",
    );
    check(
        &world,
        Expect {
            cause: "service-account-missing",
            entity: "ServiceAccount/shop/robot?",
            says: &["robot", "not found", "shop"],
            ..MOUNT
        },
    );
}

#[test]
fn sources_that_the_kubelet_has_not_registered_yet_are_silent() {
    silent(&creating(
        &checkout(),
        "FailedMount",
        "MountVolume.SetUp failed for volume \"kube-api-access-x1\" : object \"shop\"/\"kube-root-ca.crt\" not registered",
    ));
}

const SANDBOX: Expect = Expect {
    rule: "sandbox-failing",
    cause: "pod-network-failing",
    entity: "Node//node-a",
    verdict: Likely,
    ..CHECKOUT
};

#[test]
fn sandboxes_that_cannot_be_made_are_told_apart() {
    for (reason, message, says) in [
        (
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: rpc error: failed to setup network for sandbox: plugin type=\"flannel\" failed (add): open /run/flannel/subnet.env: no such file or directory",
            &["node-a", "flannel", "subnet.env"][..],
        ),
        (
            "NetworkNotReady",
            "network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:cni plugin not initialized",
            &["node-a", "cni plugin not initialized"][..],
        ),
    ] {
        check(&creating(&checkout(), reason, message), Expect { says, ..SANDBOX });
    }
    let addresses = "Failed to create pod sandbox: plugin type=\"host-local\" failed (add): no IP addresses available in range set: 10.1.0.1-10.1.0.6";
    check(
        &creating(&checkout(), "FailedCreatePodSandBox", addresses),
        Expect {
            cause: "pod-addresses-exhausted",
            field: "spec.podCIDR",
            says: &["no free IP address", "10.1.0.6"],
            ..SANDBOX
        },
    );
}

#[test]
fn a_runtime_class_that_its_node_does_not_have_is_the_workloads() {
    let app = checkout().spec(json!({"runtimeClassName": "gvisor"}));
    let message = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox runtime: no runtime for \"runsc\" is configured";
    let expect = Expect {
        cause: "runtime-class-not-configured",
        entity: "Deployment/shop/checkout",
        field: "spec.template.spec.runtimeClassName",
        verdict: Established,
        says: &["gvisor", "runsc", "node-a"],
        ..SANDBOX
    };
    check(&creating(&app, "FailedCreatePodSandBox", message), expect);
}

#[test]
fn a_secret_that_comes_a_little_later_is_no_fault() {
    let app = checkout().spec(json!({"volumes": [{"name": "tls", "secret": {"secretName": "web-tls"}}]}));
    let pod = app.pod("a", status::waiting("ContainerCreating", "", 0));
    let words = "MountVolume.SetUp failed for volume \"tls\" : secret \"web-tls\" not found";
    let mut world = world(&app, [pod.clone(), object("Secret shop/other", json!({}))]);
    world.upsert(event(&pod, "Warning", "FailedMount", words, 1, 8, 4));
    held(&mut world, 1, 10);
    world.set_time(10);
    world.upsert(object("Secret shop/web-tls", json!({"metadata": {"creationTimestamp": at(9)}})));
    world.set_time(40);
    assert_eq!(world.diagnose().faults.len(), 0);
}
