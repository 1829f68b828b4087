//! Containers that are never made, told apart by the kubelet's, the runtime's and the drivers' words.

use super::support::*;
use afterwatch_core::object::Object;
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[
    ("hook-failing", a_post_start_hook_that_fails_names_its_command),
    ("init-container-waits", an_init_container_that_waits_for_a_service_that_is_missing_is_found),
];

const CONFIG: Expect = Expect { rule: "container-config-error", cause: "container-refused", ..CHECKOUT };

fn refused(app: &App, reason: &str, message: &str) -> World {
    world(app, [app.pod("a", status::waiting(reason, message, -10))])
}

#[test]
fn refusals_of_kubelet_and_runtime_name_the_field_that_must_change() {
    let app = checkout().container(json!({
        "command": ["/app/serve"],
        "workingDir": "/srv",
        "resources": {"limits": {"memory": "4Mi"}},
        "volumeMounts": [{"name": "conf", "mountPath": "/etc/app.conf", "subPath": "app.yml"}],
    }));
    let cases: &[(&str, &str, &str, &str, &[&str])] = &[
        (
            "CreateContainerConfigError",
            "container has runAsNonRoot and image has non-numeric user (nginx), cannot verify user is non-root (pod: \"x\", container: app)",
            "runs-as-root",
            "securityContext.runAsUser",
            &["runAsNonRoot", "nginx", "number"],
        ),
        (
            "CreateContainerConfigError",
            "container's runAsUser breaks non-root policy (pod: \"x\", container: app)",
            "runs-as-root",
            "securityContext.runAsUser",
            &["runAsUser", "runAsNonRoot"],
        ),
        (
            "CreateContainerConfigError",
            "failed to create subPath directory for volumeMount \"conf\" of container \"app\"",
            "sub-path-failed",
            "volumeMounts[conf].subPath",
            &["app.yml", "conf"],
        ),
        (
            "RunContainerError",
            "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: \"/app/serve\": stat /app/serve: no such file or directory",
            "command-cannot-start",
            "command",
            &["/app/serve", "no such file", "registry.test/checkout:1"],
        ),
        (
            "CreateContainerError",
            "failed to generate container \"c1\" spec: failed to generate spec: no command specified",
            "command-cannot-start",
            "command",
            &["no command specified"],
        ),
        (
            "RunContainerError",
            "failed to create shim task: OCI runtime create failed: error mounting \"/var/lib/kubelet/pods/1/volume-subpaths/conf\" to rootfs at \"/etc/app.conf\": not a directory: unknown: Are you trying to mount a directory onto a file (or vice-versa)?",
            "mount-path-wrong",
            "volumeMounts[conf].mountPath",
            &["/etc/app.conf", "conf"],
        ),
        (
            "RunContainerError",
            "OCI runtime create failed: chdir to cwd (\"/srv\") set in config.json failed: no such file or directory: unknown",
            "working-dir-missing",
            "workingDir",
            &["/srv"],
        ),
        (
            "RunContainerError",
            "container init was OOM-killed (memory limit too low?): unknown",
            "memory-limit-too-low",
            "resources.limits.memory",
            &["4Mi"],
        ),
        (
            "CreateContainerError",
            "cannot load seccomp profile \"/var/lib/kubelet/seccomp/strict.json\": open /var/lib/kubelet/seccomp/strict.json: no such file or directory",
            "security-profile-missing",
            "securityContext.seccompProfile",
            &["strict.json", "node-a"],
        ),
        (
            "CreateContainerError",
            "failed to generate apparmor spec opts: apparmor profile not found: apparmor failed to apply profile: k8s-strict",
            "security-profile-missing",
            "securityContext.appArmorProfile",
            &["k8s-strict", "node-a"],
        ),
        (
            "CreateContainerError",
            "failed to generate spec: unknown capability CAP_FLY",
            "capability-unknown",
            "securityContext.capabilities",
            &["CAP_FLY"],
        ),
        (
            "CreateContainerError",
            "error gathering device information while adding custom device \"/dev/kvm\": no such file or directory",
            "device-missing",
            "resources.limits",
            &["/dev/kvm", "node-a"],
        ),
    ];
    for (reason, message, cause, field, says) in cases {
        let fault = check(&refused(&app, reason, message), Expect { cause, says, ..CONFIG });
        let field = format!("spec.template.spec.containers[app].{field}");
        assert_eq!(fault.causes[0].field.as_deref(), Some(field.as_str()), "{message}");
    }
}

#[test]
fn what_the_runtime_of_a_node_does_not_manage_is_the_nodes() {
    for (message, cause) in [
        (
            "failed to reserve container name \"app_checkout_1\": name \"app_checkout_1\" is reserved for \"3f2a\"",
            "container-name-taken",
        ),
        ("context deadline exceeded", "runtime-slow"),
    ] {
        let world = refused(&checkout(), "CreateContainerError", message);
        check(&world, Expect { cause, entity: "Node//node-a", verdict: Likely, says: &["node-a", "app"], ..CONFIG });
    }
}

#[test]
fn a_refused_user_is_not_blamed_on_a_secret_that_is_missing_elsewhere() {
    let app = checkout().spec(json!({"volumes": [{"name": "tls", "secret": {"secretName": "gone"}}]}));
    let world = refused(&app, "CreateContainerConfigError", "container has runAsNonRoot and image will run as root");
    check(&world, Expect { cause: "runs-as-root", ..CONFIG });
}

#[test]
fn a_name_or_key_that_is_almost_right_is_offered() {
    let app = checkout().container(json!({"envFrom": [{"configMapRef": {"name": "setings"}}]}));
    let mut world = refused(&app, "CreateContainerConfigError", "configmap \"setings\" not found");
    world.upsert(object("ConfigMap shop/settings", json!({})));
    check(
        &world,
        Expect {
            cause: "source-missing",
            entity: "ConfigMap/shop/setings?",
            says: &["setings", "not found", "There is ConfigMap settings."],
            ..CONFIG
        },
    );
    let app = checkout().container(
        json!({"env": [{"name": "REGION", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "region"}}}]}),
    );
    let mut world = refused(&app, "CreateContainerConfigError", "couldn't find key region in ConfigMap shop/settings");
    world.upsert(object(
        "ConfigMap shop/settings",
        json!({"digests": {"regoin": {"hash": "a", "bytes": 1}, "zone": {"hash": "b", "bytes": 1}}}),
    ));
    check(
        &world,
        Expect {
            cause: "source-key-missing",
            entity: "ConfigMap/shop/settings",
            says: &["REGION", "Is regoin meant?"],
            ..CONFIG
        },
    );
}

#[test]
fn a_source_that_lies_in_another_namespace_is_told_so() {
    let app = checkout().container(json!({"envFrom": [{"secretRef": {"name": "db-login"}}]}));
    let mut world = refused(&app, "CreateContainerConfigError", "secret \"db-login\" not found");
    world.upsert(object("Secret data/db-login", json!({})));
    check(
        &world,
        Expect {
            cause: "source-missing",
            entity: "Secret/shop/db-login?",
            says: &["db-login", "in namespace data"],
            ..CONFIG
        },
    );
}

#[test]
fn a_source_that_goes_while_its_pods_run_is_silent_until_one_starts_again() {
    let app = checkout().container(json!({"envFrom": [{"configMapRef": {"name": "settings"}}]}));
    let settings = object("ConfigMap shop/settings", json!({}));
    let mut world = world(&app, [app.pod("a", status::ready(-600))]);
    world.upsert(settings.clone());
    world.delete(settings);
    silent(&world);
    world.upsert(app.pod("a", status::waiting("CreateContainerConfigError", "configmap \"settings\" not found", -10)));
    check(
        &world,
        Expect { cause: "source-missing", entity: "ConfigMap/shop/settings?", says: &["settings"], ..CONFIG },
    );
}

fn hooked() -> App {
    checkout().container(json!({"lifecycle": {"postStart": {"exec": {"command": ["/bin/register", "--now"]}}}}))
}

const HOOK: Expect = Expect {
    rule: "hook-failing",
    cause: "post-start-hook-failed",
    field: "spec.template.spec.containers[app].lifecycle.postStart",
    says: &["/bin/register --now", "postStart", "app"],
    ..CHECKOUT
};

#[test]
fn a_post_start_hook_that_fails_names_its_command() {
    let app = hooked();
    let pod = app.pod("a", status::unready(-20));
    let mut world = world(&app, [pod.clone()]);
    world.upsert(event(&pod, "Warning", "FailedPostStartHook", "PostStartHook failed", -18, -4, 3));
    check(&world, HOOK);
}

#[test]
fn a_post_start_hook_is_told_by_the_waiting_container_too() {
    let message = "command '/bin/register --now' exited with 7: cannot reach registry";
    let world = refused(&hooked(), "PostStartHookError", message);
    check(&world, Expect { rule: "container-config-error", says: &["exited with 7", "/bin/register"], ..HOOK });
}

#[test]
fn hooks_that_worked_in_the_end_and_pre_stop_hooks_are_silent() {
    let app = hooked();
    let pod = app.pod("a", status::ready(-20));
    let mut ready = world(&app, [pod.clone()]);
    ready.upsert(event(&pod, "Warning", "FailedPostStartHook", "PostStartHook failed", -60, -40, 3));
    silent(&ready);
    let mut stopped = world(&app, [pod.clone()]);
    stopped.upsert(event(&pod, "Warning", "FailedPreStopHook", "PreStopHook failed", -18, -4, 3));
    silent(&stopped);
}

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
fn evictions_name_the_limit_that_was_exceeded() {
    let app = checkout();
    let cases = [
        (
            "Usage of EmptyDir volume \"cache\" exceeds the limit \"10Mi\". ",
            "spec.template.spec.volumes[cache].emptyDir.sizeLimit",
            &["cache", "10Mi"][..],
        ),
        (
            "Container app exceeded its local ephemeral storage limit \"50Mi\". ",
            "spec.template.spec.containers[app].resources.limits.ephemeral-storage",
            &["app", "50Mi"][..],
        ),
    ];
    for (message, field, says) in cases {
        let evicted = json!({"phase": "Failed", "reason": "Evicted", "message": message, "startTime": at(-60)});
        let expect = Expect { rule: "pod-evicted", cause: "ephemeral-storage-exceeded", field, says, ..CHECKOUT };
        check(&world(&app, [app.pod("a", evicted)]), expect);
    }
}

/// A pod whose init container runs on.
fn initialising(command: &str, since: i64) -> (World, App) {
    let app = checkout()
        .spec(json!({"initContainers": [{"name": "wait", "image": "busybox", "command": ["sh", "-c", command]}]}));
    let state = json!({
        "phase": "Pending",
        "startTime": at(since),
        "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "PodReadyToStartContainers", "status": "True"}],
        "initContainerStatuses": [{"name": "wait", "state": {"running": {"startedAt": at(since)}}}],
        "containerStatuses": [{"name": "app", "state": {"waiting": {"reason": "PodInitializing"}}}],
    });
    (world(&app, [app.pod("a", state)]), app)
}

const INIT: Expect =
    Expect { rule: "init-container-waits", cause: "init-waits-for-missing-service", verdict: Likely, ..CHECKOUT };

#[test]
fn an_init_container_that_waits_for_a_service_that_is_missing_is_found() {
    let commands = [
        "until nslookup orders-db; do sleep 2; done",
        "until nc -z orders-db 5432; do sleep 1; done",
        "while ! nc -z -w 2 orders-db.shop.svc.cluster.local 5432; do sleep 1; done",
        "until wget -q -O- http://orders-db:8080/ready; do sleep 1; done",
        "until pg_isready -h orders-db -p 5432; do sleep 1; done",
    ];
    for command in commands {
        let (mut world, _) = initialising(command, -60);
        world.upsert(object("Service shop/orders", json!({"spec": {"clusterIP": "10.0.0.8"}})));
        check(
            &world,
            Expect { entity: "Service/shop/orders-db?", says: &["wait", "orders-db", "does not exist"], ..INIT },
        );
    }
}

#[test]
fn an_init_container_that_waits_for_a_service_without_pods_is_found() {
    let (mut world, _) = initialising("until nc -z db 5432; do sleep 1; done", -60);
    let db = App::deployment("shop/db");
    world.upsert_all([db.service(json!({})), db.endpoints(&[false])]);
    let told = |world: &World| world.diagnose().faults.into_iter().find(|f| f.subject.name == "checkout");
    let fault = told(&world).expect("told");
    assert_eq!(fault.causes[0].entity.key(), "Service/shop/db", "{}", fault.causes[0].statement);
    // While its pods may only be starting, it is waited for.
    world.run(&db, [db.pod("a", status::unready(-20))]);
    assert!(told(&world).is_none_or(|f| f.causes.iter().all(|c| c.rule_id != "init-waits-for-service")));
}

#[test]
fn init_containers_that_may_have_much_to_do_are_silent() {
    let db = App::deployment("shop/db");
    let beside = |mut world: World, objects: Vec<Object>| {
        world.upsert_all(objects);
        world
    };
    let serving =
        vec![db.service(json!({})), db.endpoints(&[true]), db.top(json!({})), db.pod("a", status::ready(-600))];
    silent(&beside(initialising("until nc -z db 5432; do sleep 1; done", -60).0, serving));
    silent(&initialising("./migrate --all", -900).0);
    silent(&initialising("until nslookup db.example.com; do sleep 2; done", -60).0);
    silent(&initialising("until nslookup orders-db; do sleep 2; done", -10).0);
    silent(&initialising("until nc -z localhost 5432; do sleep 1; done", -900).0);
}
