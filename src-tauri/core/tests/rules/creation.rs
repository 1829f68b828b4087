//! Containers that are never made, told apart by the kubelet's, the runtime's and the drivers' words.

use super::support::*;
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[("hook-failing", a_post_start_hook_that_fails_names_its_command)];

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
