//! Files, disks, what may not be written, ports and memory of the pod itself.

use super::*;

#[test]
fn a_missing_file_leads_to_the_volume_it_should_lie_in() {
    let file = Expect { cause: "log-missing-file", ..DEAD };
    let log = "open /etc/app/routes.toml: no such file or directory";
    let volume = || json!({"configMap": {"name": "app-config"}});
    let app = mounted(volume(), json!({"mountPath": "/etc/app"}));
    one(
        &app,
        log,
        [map("app-config", &["app.toml"])],
        Expect {
            verdict: Established,
            entity: "ConfigMap/shop/app-config",
            field: "data[routes.toml]",
            says: &["/etc/app/routes.toml", "no key routes.toml (not found)", "app.toml"],
            ..file
        },
    );
    // The name is misspelt where the workload writes it.
    one(
        &mounted(volume(), json!({"mountPath": "/etc/app"}))
            .container(json!({"env": [{"name": "ROUTES", "value": "/etc/app/routes.toml"}]})),
        log,
        [map("app-config", &["route.toml"])],
        Expect {
            verdict: Established,
            field: "spec.template.spec.containers[app].env[ROUTES]",
            says: &["has route.toml and no routes.toml"],
            ..file
        },
    );
    // The volume lists other keys only.
    one(
        &mounted(
            json!({"configMap": {"name": "app-config", "items": [{"key": "app.toml", "path": "app.toml"}]}}),
            json!({"mountPath": "/etc/app"}),
        ),
        log,
        [map("app-config", &["app.toml", "routes.toml"])],
        Expect {
            verdict: Established,
            field: "spec.template.spec.volumes[v].configMap.items",
            says: &["does not list it"],
            ..file
        },
    );
    // Mounted elsewhere, and not mounted.
    one(
        &mounted(volume(), json!({"mountPath": "/config"})),
        log,
        [map("app-config", &["routes.toml"])],
        Expect {
            field: "spec.template.spec.containers[app].volumeMounts[v].mountPath",
            says: &["mounted at /config"],
            ..file
        },
    );
    one(
        &checkout(),
        log,
        [map("app-config", &["routes.toml"])],
        Expect {
            field: "spec.template.spec.containers[app].volumeMounts",
            says: &["app-config", "does not mount it"],
            ..file
        },
    );
    one(
        &mounted(json!({"secret": {"secretName": "keys"}}), json!({"mountPath": "/etc/app"})),
        log,
        [object("Secret shop/keys", json!({}))],
        Expect { entity: "Secret/shop/keys", field: "data[routes.toml]", says: &["Secret keys", "/etc/app"], ..file },
    );
    one(&checkout(), log, [], Expect { says: &["/etc/app/routes.toml", "no such file"], ..file });
    // A key mounted as a single file becomes a folder when it is not there.
    one(
        &mounted(volume(), json!({"mountPath": "/etc/app/routes.toml", "subPath": "routes.toml"})),
        "read /etc/app/routes.toml: is a directory",
        [map("app-config", &["app.toml"])],
        Expect {
            cause: "log-not-a-file",
            verdict: Established,
            entity: "ConfigMap/shop/app-config",
            field: "data[routes.toml]",
            says: &["is a directory"],
            ..file
        },
    );
}

#[test]
fn a_full_disk_is_the_claims_or_the_folders() {
    let full = Expect { cause: "log-disk-full", ..DEAD };
    let log = "write /data/wal/3: no space left on device";
    let claim = object(
        "PersistentVolumeClaim shop/wal",
        json!({"spec": {"resources": {"requests": {"storage": "1Gi"}}}, "status": {"phase": "Bound"}}),
    );
    one(
        &mounted(json!({"persistentVolumeClaim": {"claimName": "wal"}}), json!({"mountPath": "/data"})),
        log,
        [claim],
        Expect {
            entity: "PersistentVolumeClaim/shop/wal",
            field: "spec.resources.requests.storage",
            says: &["/data/wal/3", "1Gi", "wal"],
            ..full
        },
    );
    one(
        &mounted(json!({"emptyDir": {"sizeLimit": "16Mi"}}), json!({"mountPath": "/data"})),
        log,
        [],
        Expect {
            verdict: Established,
            field: "spec.template.spec.volumes[v].emptyDir.sizeLimit",
            says: &["16Mi", "emptyDir"],
            ..full
        },
    );
    one(&checkout(), log, [], Expect { says: &["no space is left"], ..full });
}

#[test]
fn refused_writes_name_the_security_setting() {
    let denied = Expect { cause: "log-permission-denied", ..DEAD };
    let app = mounted(json!({"persistentVolumeClaim": {"claimName": "wal"}}), json!({"mountPath": "/data"}))
        .spec(json!({"securityContext": {"runAsUser": 1000}}));
    let claim = || object("PersistentVolumeClaim shop/wal", json!({"status": {"phase": "Bound"}}));
    one(
        &app,
        "mkdir /data/cache: permission denied",
        [claim()],
        Expect {
            field: "spec.template.spec.securityContext.fsGroup",
            says: &["/data/cache", "user 1000 (runAsUser)", "no fsGroup"],
            ..denied
        },
    );
    one(
        &checkout().container(json!({"securityContext": {"runAsUser": 101}})),
        "nginx: [emerg] mkdir() \"/var/cache/nginx/client_temp\" failed (13: Permission denied)",
        [],
        Expect {
            field: "spec.template.spec.containers[app].securityContext.runAsUser",
            says: &["/var/cache/nginx", "101"],
            ..denied
        },
    );
    one(
        &mounted(json!({"configMap": {"name": "scripts"}}), json!({"mountPath": "/scripts"})),
        "exec /scripts/run.sh: permission denied",
        [map("scripts", &["run.sh"])],
        Expect {
            field: "spec.template.spec.volumes[v].configMap.defaultMode",
            says: &["/scripts/run.sh", "0644"],
            ..denied
        },
    );
    let read_only = Expect { cause: "log-read-only", verdict: Established, ..DEAD };
    one(
        &checkout().container(json!({"securityContext": {"readOnlyRootFilesystem": true}})),
        "touch: /app/tmp/pid: Read-only file system",
        [],
        Expect {
            field: "spec.template.spec.containers[app].securityContext.readOnlyRootFilesystem",
            says: &["/app/tmp/pid", "readOnlyRootFilesystem"],
            ..read_only
        },
    );
    one(
        &mounted(json!({"emptyDir": {}}), json!({"mountPath": "/data", "readOnly": true})),
        "touch: /data/pid: Read-only file system",
        [],
        Expect {
            field: "spec.template.spec.containers[app].volumeMounts[v].readOnly",
            says: &["readOnly: true"],
            ..read_only
        },
    );
    one(
        &mounted(json!({"configMap": {"name": "c"}}), json!({"mountPath": "/etc/app"})),
        "sed: can't create temp file '/etc/app/x': Read-only file system",
        [map("c", &["x"])],
        Expect { says: &["always read-only"], ..read_only },
    );
    one(
        &checkout().container(json!({"securityContext": {"runAsUser": 101}})),
        "nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)",
        [],
        Expect {
            cause: "log-port-denied",
            field: "spec.template.spec.containers[app].securityContext.runAsUser",
            says: &["port 80", "101"],
            ..denied
        },
    );
}

#[test]
fn two_containers_of_a_pod_cannot_open_one_port() {
    let app = checkout().spec(json!({"containers": [
        {"name": "app", "image": "a:1", "ports": [{"containerPort": 8080}]},
        {"name": "proxy", "image": "p:1", "ports": [{"containerPort": 8080}]},
    ]}));
    one(
        &app,
        "listen tcp :8080: bind: address already in use",
        [],
        Expect {
            cause: "log-port-in-use",
            verdict: Established,
            field: "spec.template.spec.containers[app].ports",
            says: &["8080", "container proxy"],
            ..DEAD
        },
    );
}

#[test]
fn a_heap_that_is_too_small_or_too_large_for_the_limit() {
    let memory = Expect { cause: "log-out-of-memory", ..DEAD };
    let java = env(json!([{"name": "JAVA_OPTS", "value": "-Xms32m -Xmx48m"}]))
        .container(json!({"resources": {"limits": {"memory": "512Mi"}}}));
    one(
        &java,
        "Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space",
        [],
        Expect { field: "spec.template.spec.containers[app].env[JAVA_OPTS]", says: &["-Xmx48m", "512Mi"], ..memory },
    );
    one(
        &checkout().container(json!({"resources": {"limits": {"memory": "64Mi"}}})),
        "fatal error: runtime: out of memory",
        [],
        Expect { field: "spec.template.spec.containers[app].resources.limits.memory", says: &["64Mi"], ..memory },
    );
}

#[test]
fn an_image_for_another_machine_is_told_with_the_nodes() {
    let node = object(
        "Node node-a",
        json!({"status": {"nodeInfo": {"architecture": "arm64"}, "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": at(-3600)}]}}),
    );
    one(
        &checkout(),
        "exec /server: exec format error",
        [node],
        Expect {
            cause: "log-exec-format",
            field: "spec.template.spec.containers[app].image",
            says: &["/server", "architecture", "arm64", "checkout:1"],
            ..DEAD
        },
    );
}

#[test]
fn a_script_from_a_config_map_that_may_not_be_run() {
    let app = mounted(json!({"configMap": {"name": "scripts"}}), json!({"mountPath": "/scripts"}))
        .container(json!({"command": ["/scripts/run.sh"]}));
    let why = "failed to create containerd task: OCI runtime create failed: runc create failed: unable to start container process: exec: \"/scripts/run.sh\": permission denied";
    let mut state = status::crashed(126, "StartError", 2, -5);
    merge(&mut state["containerStatuses"][0], &json!({"state": {"terminated": {"message": why}}}));
    let mut world = world(&app, [app.pod("a", state)]);
    world.upsert(map("scripts", &["run.sh"]));
    check(
        &world,
        Expect {
            rule: "container-cannot-start",
            cause: "command-cannot-start",
            verdict: Established,
            field: "spec.template.spec.volumes[v].configMap.defaultMode",
            says: &["/scripts/run.sh", "permission denied", "0644"],
            ..DEAD
        },
    );
}

#[test]
fn a_mounted_script_of_which_the_kernel_knows_no_format_lacks_its_first_line() {
    let script = object("ConfigMap shop/entry", json!({"digests": {"run.sh": {"hash": "aa", "bytes": 40}}}));
    let app = checkout()
        .spec(json!({"volumes": [{"name": "entry", "configMap": {"name": "entry", "defaultMode": 493}}]}))
        .container(json!({"volumeMounts": [{"name": "entry", "mountPath": "/entry"}]}));
    let world = dead(&app, "exec /entry/run.sh: exec format error", [script]);
    let cause = world.diagnose().faults[0].causes[0].clone();
    assert_eq!(cause.entity.key(), "ConfigMap/shop/entry", "{}", cause.statement);
    says(&cause, &["/entry/run.sh cannot be run (exec format error)", "#!", "run.sh"]);
    assert!(!cause.statement.contains("architecture"), "{}", cause.statement);
}
