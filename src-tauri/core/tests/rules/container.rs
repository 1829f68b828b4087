//! Containers that are never made.

use super::support::*;
use afterwatch_core::{
    coverage::UnreadableReason,
    object::{Kind, Object},
};
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[
    ("container-config-error", a_missing_secret_is_the_entity),
    ("volume-not-mounted", a_volume_whose_secret_is_missing_is_found),
    ("sandbox-failing", a_node_that_makes_no_sandboxes_is_found),
    ("pod-evicted", an_eviction_for_the_pods_own_storage_is_found),
    ("pod-rejected", pods_that_the_kubelet_rejects_one_after_the_other_are_one_fault),
];

const CONFIG: Expect = Expect { rule: "container-config-error", cause: "source-missing", field: "", ..CHECKOUT };

fn env(kind: &str, name: &str, key: &str) -> Value {
    json!({"env": [{"name": "TOKEN", "valueFrom": {kind: {"name": name, "key": key}}}]})
}

fn refused(app: &App, message: &str) -> World {
    world(app, [app.pod("a", status::waiting("CreateContainerConfigError", message, -10))])
}

#[test]
fn a_missing_secret_is_the_entity() {
    let app = checkout().container(env("secretKeyRef", "mail-login", "password"));
    let world = refused(&app, "secret \"mail-login\" not found");
    let fault =
        check(&world, Expect { entity: "Secret/shop/mail-login?", says: &["mail-login", "shop", "TOKEN"], ..CONFIG });
    assert_eq!(fault.causes[0].referrer.as_ref().map(|r| r.key()).as_deref(), Some("Deployment/shop/checkout"));
}

#[test]
fn a_missing_config_map_is_the_entity() {
    let app = checkout().container(json!({"envFrom": [{"configMapRef": {"name": "settings"}}]}));
    let world = refused(&app, "configmap \"settings\" not found");
    check(&world, Expect { entity: "ConfigMap/shop/settings?", says: &["settings", "envFrom"], ..CONFIG });
}

#[test]
fn a_missing_key_is_named_with_the_keys_there_are() {
    let app = checkout().container(env("configMapKeyRef", "settings", "region"));
    let mut world = refused(&app, "couldn't find key region in ConfigMap shop/settings");
    world.upsert(object("ConfigMap shop/settings", json!({"digests": {"regoin": {"hash": "a1", "bytes": 2}}})));
    check(
        &world,
        Expect {
            cause: "source-key-missing",
            entity: "ConfigMap/shop/settings",
            field: "data[region]",
            says: &["region", "settings", "regoin"],
            ..CONFIG
        },
    );
}

#[test]
fn a_missing_key_of_a_secret_is_known_from_the_kubelets_words_alone() {
    let app = checkout().container(env("secretKeyRef", "mail-login", "smtp-password"));
    let mut world = refused(&app, "couldn't find key smtp-password in Secret shop/mail-login");
    world.upsert(object("Secret shop/mail-login", json!({})));
    check(
        &world,
        Expect {
            cause: "source-key-missing",
            entity: "Secret/shop/mail-login",
            field: "data[smtp-password]",
            says: &["smtp-password", "mail-login"],
            ..CONFIG
        },
    );
}

#[test]
fn keys_that_a_secrets_metadata_names_are_told_and_a_near_one_with_them() {
    let app = checkout().container(env("secretKeyRef", "mail-login", "smtp-password"));
    // The kubelet's words name nothing.
    let mut world = refused(&app, "failed to sync configuration");
    let login = |keys: Value| object("Secret shop/mail-login", json!({"keys": keys}));
    let expect = Expect {
        cause: "source-key-missing",
        entity: "Secret/shop/mail-login",
        field: "data[smtp-password]",
        says: &["smtp-password", "mail-login", "Is smtp-pasword meant?"],
        ..CONFIG
    };
    world.upsert(login(json!(["smtp-pasword", "user"])));
    check(&world, expect);
    for keys in [json!(["smtp-password"]), Value::Null] {
        world.upsert(login(keys));
        check(&world, Expect { cause: "container-refused", ..CONFIG });
    }
}

#[test]
fn a_secret_that_may_not_be_listed_is_still_named_by_the_kubelet() {
    let app = checkout().container(env("secretKeyRef", "mail-login", "password"));
    let mut world = refused(&app, "secret \"mail-login\" not found");
    world.lose(Kind::Secret, UnreadableReason::Forbidden);
    check(&world, Expect { entity: "Secret/shop/mail-login?", says: &["mail-login"], ..CONFIG });
}

#[test]
fn an_image_that_would_run_as_root_is_told_so() {
    let world = refused(&checkout(), "container has runAsNonRoot and image will run as root (pod: \"checkout\")");
    check(
        &world,
        Expect {
            cause: "runs-as-root",
            field: "spec.template.spec.containers[app].securityContext.runAsUser",
            says: &["root", "registry.test/checkout:1"],
            ..CONFIG
        },
    );
}

#[test]
fn a_refused_configuration_is_held_for_three_seconds_and_a_source_that_may_still_come_for_ten() {
    let app = checkout().container(env("secretKeyRef", "mail-login", "password"));
    let refused = |message: &str| app.pod("a", status::waiting("CreateContainerConfigError", message, 0));
    held(&mut world(&app, [refused("container has runAsNonRoot and image will run as root")]), 0, 3);
    held(&mut world(&app, [refused("secret \"mail-login\" not found")]), 0, 10);
    // One that is called almost so was meant, and will not come.
    let near = object("Secret shop/mail-logins", json!({}));
    held(&mut world(&app, [refused("secret \"mail-login\" not found"), near]), 0, 3);
}

#[test]
fn optional_sources_may_be_absent() {
    let app = checkout().container(json!({
        "env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "gone", "key": "k", "optional": true}}}],
        "envFrom": [{"configMapRef": {"name": "gone-too", "optional": true}}],
    }));
    silent(&world(&app, [app.pod("a", status::ready(-60))]));
    silent(&world(&app, [app.pod("a", status::waiting("ContainerCreating", "", -5))]));
}

/// A pod that waits for its volumes, with the kubelet's event of it.
fn mounting(app: &App, message: &str) -> World {
    let pod = app.pod("a", status::waiting("ContainerCreating", "", -40));
    let failed = event(&pod, "Warning", "FailedMount", message, -30, -5, 4);
    let mut world = world(app, [pod]);
    world.upsert(failed);
    world
}

#[test]
fn a_volume_whose_secret_is_missing_is_found() {
    let app = checkout().spec(json!({"volumes": [{"name": "tls", "secret": {"secretName": "web-tls"}}]}));
    let world = mounting(&app, "MountVolume.SetUp failed for volume \"tls\" : secret \"web-tls\" not found");
    check(
        &world,
        Expect { rule: "volume-not-mounted", entity: "Secret/shop/web-tls?", says: &["web-tls", "tls"], ..CONFIG },
    );
}

#[test]
fn a_volume_that_asks_for_a_key_that_is_not_there_is_found() {
    let items = json!([{"key": "tls.crt", "path": "crt"}]);
    let app =
        checkout().spec(json!({"volumes": [{"name": "tls", "secret": {"secretName": "web-tls", "items": items}}]}));
    let mut world =
        mounting(&app, "MountVolume.SetUp failed for volume \"tls\" : references non-existent secret key: tls.crt");
    world.upsert(object("Secret shop/web-tls", json!({})));
    check(
        &world,
        Expect {
            rule: "volume-not-mounted",
            cause: "source-key-missing",
            entity: "Secret/shop/web-tls",
            says: &["tls.crt", "web-tls"],
            ..CONFIG
        },
    );
}

#[test]
fn a_volume_that_hangs_is_told_with_its_claim() {
    let app = checkout().spec(json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "orders"}}]}));
    let mut world =
        mounting(&app, "MountVolume.MountDevice failed for volume \"pv-1\" : rpc error: device data is busy");
    world.upsert(object("PersistentVolumeClaim shop/orders", json!({"status": {"phase": "Bound"}})));
    let expect = Expect {
        rule: "volume-not-mounted",
        cause: "volume-mount-failing",
        verdict: Likely,
        entity: "PersistentVolumeClaim/shop/orders",
        says: &["device data is busy"],
        ..CONFIG
    };
    check(&world, expect);
}

#[test]
fn a_mount_that_failed_once_and_then_worked_is_silent() {
    let app = checkout().spec(json!({"volumes": [{"name": "tls", "secret": {"secretName": "web-tls"}}]}));
    let mut world = mounting(
        &app,
        "MountVolume.SetUp failed for volume \"tls\" : failed to sync secret cache: timed out waiting for the condition",
    );
    world.upsert(object("Secret shop/web-tls", json!({})));
    world.upsert(app.pod("a", status::ready(-2)));
    silent(&world);
}

#[test]
fn a_mount_or_sandbox_that_failed_before_the_image_is_pulled_is_not_what_the_pod_waits_for() {
    let app = checkout().spec(json!({"volumes": [{"name": "tls", "secret": {"secretName": "web-tls"}}]}));
    for (reason, message) in [
        (
            "FailedMount",
            "MountVolume.SetUp failed for volume \"tls\" : failed to sync secret cache: timed out waiting for the condition",
        ),
        ("FailedCreatePodSandBox", "Failed to create pod sandbox: no IP addresses available in range set"),
        ("FailedAttachVolume", "Multi-Attach error for volume \"pv-1\""),
    ] {
        let pod = app.pod("a", status::waiting("ContainerCreating", "", -100));
        let mut failed = world(&app, [pod.clone()]);
        failed.upsert(object("Secret shop/web-tls", json!({})));
        failed.upsert(event(&pod, "Warning", reason, message, -90, -80, 2));
        assert_eq!(failed.diagnose().faults.len(), 1, "{reason} is current");
        let mut pulling = failed.clone();
        pulling.upsert(event(&pod, "Normal", "Pulling", "Pulling image", -78, -78, 1));
        silent(&pulling);
        let mut state = status::waiting("ContainerCreating", "", -100);
        state["conditions"][1] = json!({"type": "PodReadyToStartContainers", "status": "True"});
        let mut sandboxed = failed.clone();
        sandboxed.upsert(app.pod("a", state));
        silent(&sandboxed);
        failed.set_time(600);
        silent(&failed);
    }
    // An attached volume may still not be mountable.
    let message = "MountVolume.MountDevice failed for volume \"pv-1\" : rpc error: device data is busy";
    let mut world = mounting(&app, message);
    world.upsert(object("Secret shop/web-tls", json!({})));
    let pod = app.pod("a", status::waiting("ContainerCreating", "", -40));
    world.upsert(event(&pod, "Normal", "SuccessfulAttachVolume", "AttachVolume.Attach succeeded", -3, -3, 1));
    assert_eq!(world.diagnose().faults.len(), 1);
}

#[test]
fn a_node_that_makes_no_sandboxes_is_found() {
    let app = checkout();
    let pod = app.pod("a", status::waiting("ContainerCreating", "", -90));
    let message =
        "Failed to create pod sandbox: plugin type=\"calico\" failed (add): no IP addresses available in range set";
    let failed = event(&pod, "Warning", "FailedCreatePodSandBox", message, -80, -5, 6);
    let mut world = world(&app, [pod]);
    world.upsert(failed);
    let expect = Expect {
        rule: "sandbox-failing",
        cause: "pod-addresses-exhausted",
        verdict: Likely,
        entity: "Node//node-a",
        says: &["node-a", "no IP addresses available"],
        ..CONFIG
    };
    let fault = check(&world, expect);
    assert_eq!(fault.findings[0].hold.as_secs(), 15);
}

fn evicted(message: &str) -> Value {
    json!({"phase": "Failed", "reason": "Evicted", "message": message, "startTime": at(-60)})
}

#[test]
fn an_eviction_for_the_pods_own_storage_is_found() {
    let app = checkout();
    let world = world(
        &app,
        [app.pod("a", evicted("Pod ephemeral local storage usage exceeds the total limit of containers 50Mi."))],
    );
    check(
        &world,
        Expect { rule: "pod-evicted", cause: "ephemeral-storage-exceeded", says: &["checkout-r1-a", "50Mi"], ..CONFIG },
    );
}

#[test]
fn an_eviction_for_the_nodes_need_blames_the_node() {
    let app = checkout();
    let world = world(&app, [app.pod("a", evicted("The node was low on resource: memory. Threshold quantity: 100Mi"))]);
    let expect = Expect {
        rule: "pod-evicted",
        cause: "node-pressure-eviction",
        verdict: Likely,
        entity: "Node//node-a",
        says: &["node-a", "memory"],
        ..CONFIG
    };
    check(&world, expect);
}

#[test]
fn an_eviction_that_was_made_good_is_old_news() {
    let app = checkout();
    let gone = app.pod("a", evicted("The node was low on resource: memory."));
    let mut world = world(&app, [gone, app.pod("b", status::ready(-50))]);
    world.set_time(300);
    silent(&world);
}

#[test]
fn a_variable_that_asks_for_another_container_names_itself_and_those_there_are() {
    let reference = json!({"resourceFieldRef": {"containerName": "sizer", "resource": "limits.memory"}});
    let app = checkout().container(json!({"env": [{"name": "MEMORY", "valueFrom": reference}]}));
    check(
        &refused(&app, "container sizer not found"),
        Expect {
            cause: "field-reference-wrong",
            field: "spec.template.spec.containers[app].env[MEMORY].valueFrom.resourceFieldRef.containerName",
            says: &["MEMORY", "sizer", "it has app"],
            ..CONFIG
        },
    );
}

/// A pod that its kubelet did not take in, made then.
fn rejected(app: &App, suffix: &str, since: i64, reason: &str, message: &str) -> Object {
    let status = json!({"phase": "Failed", "reason": reason, "message": message, "startTime": at(since)});
    app.pod_with(suffix, status, json!({"metadata": {"creationTimestamp": at(since)}}))
}

const REJECTED: Expect = Expect {
    rule: "pod-rejected",
    object: "ReplicaSet/shop/checkout-r1",
    cause: "sysctl-forbidden",
    field: "spec.template.spec.securityContext.sysctls",
    ..CHECKOUT
};

#[test]
fn pods_that_the_kubelet_rejects_one_after_the_other_are_one_fault() {
    let app = checkout();
    let message = "Pod was rejected: forbidden sysctl: \"net.core.somaxconn\" not allowlisted";
    let one = |n: i64| rejected(&app, &format!("p{n}"), -40 + n, "SysctlForbidden", message);
    let mut world = world(&app, [one(0)]);
    check_at_a_glance(&world, REJECTED);
    world.upsert_all((1..40).map(one));
    let says = &["node-a", "at least 10 rejected so far", "net.core.somaxconn", "--allowed-unsafe-sysctls"];
    let fault = check(&world, Expect { says, ..REJECTED });
    assert_eq!(fault.findings.len(), 1);
    // Pods that a DaemonSet or a StatefulSet took away again count as well.
    for n in 0..39 {
        world.delete(one(n));
    }
    assert_eq!(check(&world, REJECTED).started_at, t(-40));
    // The next one was taken in.
    let mut well = app.pod("well", status::ready(-1));
    well.meta_mut().creation_timestamp = Some(t(-1));
    world.upsert(well);
    silent(&world);
}

#[test]
fn what_is_not_wanted_or_was_rejected_once_is_no_fault() {
    let message = "Pod was rejected: Node didn't have enough resource: cpu, requested: 4000, used: 100, capacity: 4000";
    let app = checkout();
    let two = |app: &App| ["a", "b"].map(|suffix| rejected(app, suffix, -40, "OutOfcpu", message));
    let mut world = world(&app, two(&app));
    check(
        &world,
        Expect {
            cause: "node-rejects-pod",
            verdict: Likely,
            field: "spec.template.spec.containers[].resources.requests",
            says: &["requested: 4000"],
            ..REJECTED
        },
    );
    // One that found no room may be taken in elsewhere.
    let [one, _] = two(&app);
    silent(&self::world(&app, [one]));
    // Scaled away.
    world.upsert(app.between(json!({"spec": {"replicas": 0}, "status": {"replicas": 0}})).unwrap());
    silent(&world);
    // The node is shutting down.
    let down = "Pod was rejected as the node is shutting down.";
    silent(&self::world(&app, ["a", "b"].map(|suffix| rejected(&app, suffix, -40, "NodeShutdown", down))));
}

#[test]
fn a_pod_that_names_the_node_that_rejects_it_is_told_so() {
    let app = checkout();
    let message = "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector";
    let mut world = world(&app, ["a", "b"].map(|suffix| rejected(&app, suffix, -40, "NodeAffinity", message)));
    world.upsert(app.top(json!({"spec": {"template": {"spec": {"nodeName": "node-a"}}}})));
    let says = &["nodeName", "no scheduler"];
    check(&world, Expect { cause: "node-rejects-pod", field: "spec.template.spec.nodeName", says, ..REJECTED });
}
