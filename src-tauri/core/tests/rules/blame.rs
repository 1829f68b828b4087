//! Who must be changed for what a container's last words say: a log, the objects around it, and the object, the field
//! and the words that must come of both.

use super::support::*;
use afterwatch_core::object::{Kind, Object};
use afterwatch_testkit::World;

const DEAD: Expect = Expect { rule: "container-crash-loop", verdict: Likely, ..CHECKOUT };

/// `checkout` crashed with this log, and these objects are there too.
fn dead(app: &App, log: &str, others: impl IntoIterator<Item = Object>) -> World {
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    let mut world = world(app, [pod.clone()]);
    world.upsert_all(others);
    world.log(&pod, "app", 3, log);
    world
}

fn env(variables: Value) -> App {
    checkout().container(json!({"env": variables}))
}

fn map(name: &str, keys: &[&str]) -> Object {
    let digests: serde_json::Map<String, Value> =
        keys.iter().map(|k| ((*k).to_owned(), json!({"hash": format!("h{k}"), "bytes": 9}))).collect();
    object(&format!("ConfigMap shop/{name}"), json!({"digests": digests}))
}

fn from_map(name: &str, map: &str, key: &str) -> Value {
    json!([{"name": name, "valueFrom": {"configMapKeyRef": {"name": map, "key": key}}}])
}

/// `checkout` with a volume mounted.
fn mounted(volume: Value, mount: Value) -> App {
    let mut volume = volume;
    let mut mount = mount;
    merge(&mut volume, &json!({"name": "v"}));
    merge(&mut mount, &json!({"name": "v"}));
    checkout().spec(json!({"volumes": [volume]})).container(json!({"volumeMounts": [mount]}))
}

fn one(app: &App, log: &str, others: impl IntoIterator<Item = Object>, expect: Expect) {
    check(&dead(app, log, others), expect);
}

#[test]
fn a_variable_that_is_not_set_is_the_workloads() {
    let missing = Expect { cause: "log-missing-env", ..DEAD };
    let log = "required environment variable QUEUE_URL is not set";
    one(
        &checkout(),
        log,
        [],
        Expect {
            verdict: Established,
            field: "spec.template.spec.containers[app].env[QUEUE_URL]",
            says: &["QUEUE_URL", "not set", "does not set it"],
            ..missing
        },
    );
    // Nearly the same name is set.
    one(
        &env(json!([{"name": "QUEUE_ULR", "value": "amqp://q"}])),
        log,
        [],
        Expect { verdict: Established, says: &["QUEUE_ULR instead"], ..missing },
    );
    one(
        &env(json!([{"name": "QUEUE_URL", "value": ""}])),
        log,
        [],
        Expect { verdict: Established, says: &["empty value"], ..missing },
    );
}

#[test]
fn a_variable_from_a_config_map_is_the_config_maps() {
    let missing =
        Expect { cause: "log-missing-env", entity: "ConfigMap/shop/settings", field: "data[QUEUE_URL]", ..DEAD };
    let log = "required environment variable QUEUE_URL is not set";
    let whole = checkout().container(json!({"envFrom": [{"configMapRef": {"name": "settings"}}]}));
    one(&whole, log, [map("settings", &["LEVEL"])], Expect { says: &["no key QUEUE_URL", "settings"], ..missing });
    one(
        &whole,
        log,
        [map("settings", &["QUEUE_ULR"])],
        Expect { verdict: Established, field: "data[QUEUE_ULR]", says: &["QUEUE_ULR instead of QUEUE_URL"], ..missing },
    );
    // Optional, so that the pod starts without it.
    let optional = env(
        json!([{"name": "QUEUE_URL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "queue", "optional": true}}}]),
    );
    one(
        &optional,
        log,
        [map("settings", &["LEVEL"])],
        Expect { verdict: Established, field: "data[queue]", says: &["no key queue (not found)"], ..missing },
    );
    one(
        &optional,
        log,
        [],
        Expect {
            verdict: Established,
            entity: "ConfigMap/shop/settings?",
            field: "",
            says: &["does not exist (not found)"],
            ..missing
        },
    );
}

#[test]
fn a_key_that_was_removed_from_a_config_map_is_proven() {
    let app = checkout()
        .container(json!({"env": [{"name": "A", "value": "1"}], "envFrom": [{"configMapRef": {"name": "settings"}}]}));
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    let mut world = world(&app, [pod.clone()]);
    world.set_time(-60);
    world.upsert(map("settings", &["LEVEL", "QUEUE_URL"]));
    world.set_time(-20);
    world.upsert(map("settings", &["LEVEL"]));
    world.set_time(0);
    world.log(&pod, "app", 3, "required environment variable QUEUE_URL is not set");
    check(
        &world,
        Expect {
            cause: "configuration-changed",
            verdict: Established,
            entity: "ConfigMap/shop/settings",
            field: "data[QUEUE_URL]",
            says: &["QUEUE_URL", "settings"],
            ..DEAD
        },
    );
}

#[test]
fn a_refused_value_leads_to_who_wrote_it() {
    let bad = Expect { cause: "log-bad-config", ..DEAD };
    let log = "config: invalid LOG_LEVEL 'verbos'";
    one(
        &env(json!([{"name": "LOG_LEVEL", "value": "verbos"}])),
        log,
        [],
        Expect {
            verdict: Established,
            field: "spec.template.spec.containers[app].env[LOG_LEVEL]",
            says: &["LOG_LEVEL", "verbos", "invalid"],
            ..bad
        },
    );
    // The log names the value alone.
    one(
        &env(json!([{"name": "LOG_LEVEL", "value": "verbos"}])),
        "unknown log level: verbos",
        [],
        Expect {
            verdict: Established,
            field: "spec.template.spec.containers[app].env[LOG_LEVEL]",
            says: &["LOG_LEVEL", "verbos"],
            ..bad
        },
    );
    // The setting is called otherwise than its variable.
    one(
        &env(json!([{"name": "SERVER_PORT", "value": "http"}])),
        "    Property: server.port\n    Value: \"http\"\n    Reason: failed to convert",
        [],
        Expect {
            verdict: Established,
            field: "spec.template.spec.containers[app].env[SERVER_PORT]",
            says: &["server.port", "http"],
            ..bad
        },
    );
    one(
        &env(from_map("LOG_LEVEL", "settings", "level")),
        log,
        [map("settings", &["level"])],
        Expect {
            entity: "ConfigMap/shop/settings",
            field: "data[level]",
            says: &["LOG_LEVEL", "verbos", "key level of ConfigMap settings"],
            ..bad
        },
    );
    let whole = checkout().container(json!({"envFrom": [{"prefix": "LOG_", "configMapRef": {"name": "settings"}}]}));
    one(
        &whole,
        log,
        [map("settings", &["LEVEL"])],
        Expect { entity: "ConfigMap/shop/settings", field: "data[LEVEL]", says: &["verbos"], ..bad },
    );
    one(
        &checkout().container(json!({"args": ["serve", "--log-level=verbos"]})),
        "unknown log level: verbos",
        [],
        Expect { field: "spec.template.spec.containers[app].args", says: &["verbos"], ..bad },
    );
    one(
        &checkout().container(json!({"args": ["--listen-adr=:80"]})),
        "unknown flag: --listen-adr",
        [],
        Expect {
            cause: "log-unknown-flag",
            verdict: Established,
            field: "spec.template.spec.containers[app].args",
            says: &["--listen-adr", "args"],
            ..bad
        },
    );
}

#[test]
fn a_bad_file_is_the_config_map_it_comes_from() {
    let app = mounted(json!({"configMap": {"name": "site"}}), json!({"mountPath": "/etc/nginx/conf.d"}));
    let site = || [map("site", &["default.conf"])];
    let expect = Expect {
        cause: "log-bad-config",
        entity: "ConfigMap/shop/site",
        field: "data[default.conf]",
        says: &["proxy_passs", "default.conf:7", "site"],
        ..DEAD
    };
    one(&app, "nginx: [emerg] unknown directive \"proxy_passs\" in /etc/nginx/conf.d/default.conf:7", site(), expect);
    // The log names no file, the command line does.
    let redis = mounted(json!({"configMap": {"name": "site"}}), json!({"mountPath": "/etc/redis"}))
        .container(json!({"command": ["redis-server", "/etc/redis/redis.conf"]}));
    one(
        &redis,
        "*** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***\nReading the configuration file, at line 3\n>>> 'maxmemry 100mb'\nBad directive or wrong number of arguments",
        [map("site", &["redis.conf"])],
        Expect { field: "data[redis.conf]", says: &["maxmemry"], ..expect },
    );
    // Neither does: it mounts one ConfigMap only.
    one(
        &mounted(json!({"configMap": {"name": "site"}}), json!({"mountPath": "/etc/app"})),
        "yaml: line 3: did not find expected key",
        [map("site", &["app.yaml"])],
        Expect { field: "data[app.yaml]", says: &["configuration", "site"], ..expect },
    );
    // Not mounted at all.
    one(
        &checkout(),
        "nginx: [emerg] unknown directive \"proxy_passs\" in /etc/nginx/conf.d/default.conf:7",
        site(),
        Expect { entity: "Deployment/shop/checkout", field: "", ..Expect { says: &["proxy_passs"], ..expect } },
    );
}

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

const REFUSED: &str = "dial tcp 10.0.0.7:80: connect: connection refused";

#[test]
fn a_service_that_leads_nowhere_is_told_by_why() {
    let down = Expect { entity: "Service/shop/db", field: "", ..DEAD };
    // Its workload is scaled to zero.
    let db = App::deployment("shop/db").replicas(0);
    let mut world = dead(&checkout(), REFUSED, db.objects());
    world.upsert_all([db.service(json!({})), db.endpoints(&[])]);
    check(
        &world,
        Expect {
            cause: "dependency-scaled-to-zero",
            entity: "Deployment/shop/db",
            field: "spec.replicas",
            verdict: Established,
            says: &["db", "scaled to zero"],
            ..down
        },
    );
    // Its pods are not ready: the log of the caller names the Service, whose own trouble is another finding's.
    let db = App::deployment("shop/db");
    let mut world = dead(&checkout(), REFUSED, db.objects());
    world.upsert_all([db.pod("a", status::unready(-2)), db.service(json!({})), db.endpoints(&[false])]);
    let diagnosis = world.diagnose();
    let cause = diagnosis.faults.iter().flat_map(|f| &f.causes).find(|c| c.rule_id == "dependency-without-endpoints");
    says(cause.expect("the Service"), &["Service db has no ready endpoints", "1 pod of Deployment db"]);
}

#[test]
fn a_port_that_the_service_does_not_have_is_told_with_both_sides() {
    let db = App::deployment("shop/db");
    let port = || db.service(json!({"spec": {"ports": [{"name": "pg", "port": 5432, "targetPort": 5432}]}}));
    let log = "connection to server at \"db\" (10.0.0.7), port 5433 failed: timeout expired";
    let app = env(json!([{"name": "DATABASE_URL", "value": "postgres://app@db:5433/app"}]));
    let mut world = dead(&app, log, db.objects());
    world.upsert_all([db.pod("a", status::ready(-600)), port(), db.endpoints(&[true])]);
    check(
        &world,
        Expect {
            cause: "service-port-unknown",
            verdict: Established,
            field: "spec.template.spec.containers[app].env[DATABASE_URL]",
            says: &["db:5433", "port 5432", "no port 5433"],
            ..DEAD
        },
    );
    // The right port and a pod that is ready: nothing is wrong with the Service.
    let mut world =
        dead(&app, "connection to server at \"db\" (10.0.0.7), port 5432 failed: Connection refused", db.objects());
    world.upsert_all([db.pod("a", status::ready(-600)), port(), db.endpoints(&[true])]);
    check(&world, Expect { cause: "log-connection-refused", says: &["has ready endpoints"], ..DEAD });
}

#[test]
fn a_host_name_that_is_nearly_a_services() {
    let unknown = Expect { cause: "host-name-unknown", ..DEAD };
    let log = "dial tcp: lookup orders-bd on 10.96.0.10:53: no such host";
    let orders = App::deployment("shop/orders-db");
    let others = || {
        let mut all = orders.objects();
        all.extend([orders.pod("a", status::ready(-600)), orders.service(json!({})), orders.endpoints(&[true])]);
        all
    };
    one(
        &env(json!([{"name": "DB", "value": "orders-bd:5432"}])),
        log,
        others(),
        Expect {
            verdict: Established,
            field: "spec.template.spec.containers[app].env[DB]",
            says: &["orders-bd", "not found", "Service orders-db exists"],
            ..unknown
        },
    );
    // The name stands in a ConfigMap, whose values are not known.
    one(
        &env(from_map("DB_HOST", "settings", "db")),
        log,
        others().into_iter().chain([map("settings", &["db"])]),
        Expect { entity: "ConfigMap/shop/settings", field: "data[db]", says: &["orders-bd", "settings"], ..unknown },
    );
    // The Service lies in another namespace.
    let other = App::deployment("data/ledger");
    let mut world =
        dead(&env(json!([{"name": "DB", "value": "ledger:5432"}])), "getaddrinfo ENOTFOUND ledger", other.objects());
    world.upsert_all([other.pod("a", status::ready(-600)), other.service(json!({})), other.endpoints(&[true])]);
    check(
        &world,
        Expect {
            verdict: Established,
            field: "spec.template.spec.containers[app].env[DB]",
            says: &["exists in namespace data", "ledger.data"],
            ..unknown
        },
    );
}

#[test]
fn a_service_that_was_deleted_is_what_is_missing() {
    let app = env(json!([{"name": "DB", "value": "orders-db:5432"}]));
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    let mut world = world(&app, [pod.clone()]);
    let service = App::deployment("shop/orders-db").service(json!({"spec": {"selector": null}}));
    world.set_time(-40);
    world.upsert(service.clone());
    world.set_time(-20);
    world.delete(service);
    world.set_time(0);
    world.log(&pod, "app", 3, "dial tcp: lookup orders-db on 10.96.0.10:53: no such host");
    check(
        &world,
        Expect {
            cause: "service-missing",
            verdict: Established,
            entity: "Service/shop/orders-db?",
            says: &["orders-db", "not found"],
            ..DEAD
        },
    );
}

#[test]
fn a_workload_without_its_service_lacks_one() {
    let db = App::deployment("shop/orders-db");
    let mut world = dead(
        &env(json!([{"name": "DB", "value": "orders-db:5432"}])),
        "dial tcp: lookup orders-db on 10.96.0.10:53: no such host",
        db.objects(),
    );
    world.upsert(db.pod("a", status::ready(-600)));
    check(
        &world,
        Expect {
            cause: "service-missing",
            entity: "Service/shop/orders-db?",
            says: &["a workload of this name runs there"],
            ..DEAD
        },
    );
}

#[test]
fn a_host_outside_is_named_with_its_port() {
    one(
        &env(json!([{"name": "API", "value": "https://api.bank.example.com:8443"}])),
        "dial tcp: connect to api.bank.example.com:8443: connection refused",
        [],
        Expect {
            cause: "log-connection-refused",
            entity: "External//api.bank.example.com:8443?",
            says: &["api.bank.example.com:8443", "outside the cluster"],
            ..DEAD
        },
    );
}

#[test]
fn its_own_network_is_not_another_host() {
    let app = checkout().container(json!({"env": [{"name": "CACHE", "value": "localhost:6379"}]}));
    one(
        &app,
        "Error: connect ECONNREFUSED 127.0.0.1:6379",
        [],
        Expect { cause: "log-connection-refused", says: &["127.0.0.1:6379", "the pod itself"], ..DEAD },
    );
}

fn policy(name: &str, spec: Value) -> Object {
    object(&format!("NetworkPolicy shop/{name}"), json!({"spec": spec}))
}

#[test]
fn a_policy_that_keeps_pods_apart_is_named() {
    let blocked = Expect { cause: "network-policy-blocks", ..DEAD };
    let db = App::deployment("shop/db");
    let service = || db.service(json!({"spec": {"ports": [{"name": "pg", "port": 5432, "targetPort": 5432}]}}));
    let log = "connection to server at \"db\" (10.0.0.7), port 5432 failed: timeout expired";
    let scene = |policies: Vec<Object>| {
        let mut world = dead(&checkout(), log, db.objects());
        world.upsert_all([db.pod("a", status::ready(-600)), service(), db.endpoints(&[true])]);
        world.upsert_all(policies);
        world
    };
    let deny = |types: &str| policy("strict", json!({"podSelector": {}, "policyTypes": [types]}));
    check(
        &scene(vec![deny("Ingress")]),
        Expect {
            entity: "NetworkPolicy/shop/strict",
            field: "spec.ingress",
            says: &["strict", "no ingress at all", "db:5432"],
            ..blocked
        },
    );
    check(
        &scene(vec![deny("Egress")]),
        Expect {
            entity: "NetworkPolicy/shop/strict",
            field: "spec.egress",
            says: &["strict", "no egress at all"],
            ..blocked
        },
    );
    // Another port, other pods, another namespace.
    for from in [
        json!([{"from": [{"podSelector": {"matchLabels": {"app": "checkout"}}}], "ports": [{"port": 80}]}]),
        json!([{"from": [{"podSelector": {"matchLabels": {"app": "billing"}}}]}]),
        json!([{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "web"}}}]}]),
    ] {
        let only = policy(
            "db-only",
            json!({"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"], "ingress": from}),
        );
        check(
            &scene(vec![only]),
            Expect {
                entity: "NetworkPolicy/shop/db-only",
                field: "spec.ingress",
                says: &["db-only", "not from Deployment checkout"],
                ..blocked
            },
        );
    }
    // One that allows it makes up for one that does not.
    let allow = policy(
        "allow",
        json!({"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "checkout"}}}], "ports": [{"port": 5432}]}]}),
    );
    check(&scene(vec![deny("Ingress"), allow]), Expect { cause: "log-timeout", says: &["db:5432"], ..DEAD });
    // A refusal is an answer: no policy gives one.
    let mut world = dead(&checkout(), "dial tcp 10.0.0.7:5432: connect: connection refused", db.objects());
    world.upsert_all([db.pod("a", status::ready(-600)), service(), db.endpoints(&[true]), deny("Ingress")]);
    check(&world, Expect { cause: "log-connection-refused", ..DEAD });
}

#[test]
fn a_policy_before_the_dns_server_is_named() {
    let db = App::deployment("shop/db");
    let log = "dial tcp: lookup db on 10.96.0.10:53: read udp 10.1.0.4:4444->10.96.0.10:53: i/o timeout";
    let scene = |egress: Value| {
        let mut world = dead(&checkout(), log, db.objects());
        world.upsert_all([db.pod("a", status::ready(-600)), db.service(json!({})), db.endpoints(&[true])]);
        world.upsert(policy(
            "egress",
            json!({"podSelector": {"matchLabels": {"app": "checkout"}}, "policyTypes": ["Egress"], "egress": egress}),
        ));
        world
    };
    check(
        &scene(json!([{"to": [{"podSelector": {"matchLabels": {"app": "db"}}}]}])),
        Expect {
            cause: "network-policy-blocks",
            entity: "NetworkPolicy/shop/egress",
            field: "spec.egress",
            says: &["DNS (port 53)", "egress"],
            ..DEAD
        },
    );
    let open = scene(json!([{"ports": [{"port": 53, "protocol": "UDP"}]}]));
    check(&open, Expect { cause: "log-dns", says: &["db"], ..DEAD });
}

#[test]
fn the_nodes_resolver_knows_no_service() {
    let db = App::deployment("shop/db");
    let app = checkout().spec(json!({"dnsPolicy": "Default"}));
    let mut world = dead(&app, "getaddrinfo ENOTFOUND db", db.objects());
    world.upsert_all([db.pod("a", status::ready(-600)), db.service(json!({})), db.endpoints(&[true])]);
    check(
        &world,
        Expect {
            cause: "dns-policy-wrong",
            verdict: Established,
            field: "spec.template.spec.dnsPolicy",
            says: &["dnsPolicy is Default"],
            ..DEAD
        },
    );
}

const FORBIDDEN: &str = "E1101 10:00:00.000000       1 main.go:9] failed to list: pods is forbidden: User \"system:serviceaccount:shop:checkout\" cannot list resource \"pods\" in API group \"\" in the namespace \"shop\"";

fn role(verbs: &[&str]) -> Object {
    object("Role shop/reader", json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": verbs}]}))
}

fn binding(account: &str) -> Object {
    object(
        "RoleBinding shop/reader-of-pods",
        json!({"subjects": [{"kind": "ServiceAccount", "name": account, "namespace": "shop"}], "roleRef": {"kind": "Role", "name": "reader"}}),
    )
}

#[test]
fn a_missing_right_leads_to_the_role_the_binding_or_the_account() {
    let account = |name: &str| object(&format!("ServiceAccount shop/{name}"), json!({}));
    let app = checkout().spec(json!({"serviceAccountName": "checkout"}));
    let rights = Expect { cause: "log-cluster-access", verdict: Established, ..DEAD };
    one(
        &app,
        FORBIDDEN,
        [account("checkout"), role(&["get"]), binding("checkout")],
        Expect {
            entity: "Role/shop/reader",
            field: "rules",
            says: &["list pods", "allows only get on pods", "lacks list", "reader"],
            ..rights
        },
    );
    one(
        &app,
        FORBIDDEN,
        [account("checkout")],
        Expect {
            entity: "ServiceAccount/shop/checkout",
            says: &["list pods", "shop", "checkout", "forbids"],
            ..rights
        },
    );
    one(
        &app,
        FORBIDDEN,
        [account("checkout"), role(&["list"]), binding("chekout")],
        Expect {
            entity: "RoleBinding/shop/reader-of-pods",
            field: "subjects",
            says: &["chekout", "instead"],
            ..rights
        },
    );
    one(
        &app,
        FORBIDDEN,
        [account("checkout"), binding("checkout")],
        Expect { entity: "Role/shop/reader?", says: &["does not exist (not found)", "reader"], ..rights },
    );
    // The workload forgot to say as whom it runs.
    one(
        &checkout(),
        &FORBIDDEN.replace("shop:checkout", "shop:default"),
        [account("default"), account("checkout"), role(&["list"]), binding("checkout")],
        Expect {
            entity: "Deployment/shop/checkout",
            field: "spec.template.spec.serviceAccountName",
            verdict: Likely,
            says: &["serviceAccountName", "checkout has the right"],
            ..rights
        },
    );
    let world = dead(&app, FORBIDDEN, [account("checkout")]);
    let fault = world.diagnose().faults.remove(0);
    let step = fault.actions.iter().find(|a| a.command.contains("kubectl create role ")).expect("a grant");
    assert!(
        step.command.contains("--verb=list --resource=pods") && step.command.contains("--serviceaccount=shop:checkout"),
        "{}",
        step.command
    );
}

#[test]
fn wrong_credentials_are_the_workloads_unless_the_secret_is_new() {
    let app = env(json!([{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]));
    let log = "FATAL:  password authentication failed for user \"app\"";
    let secret = |version: &str| object("Secret shop/db", json!({"metadata": {"resourceVersion": version}}));
    let wrong = Expect { cause: "log-authentication", ..DEAD };
    one(
        &app,
        log,
        [secret("1")],
        Expect { field: "spec.template.spec.containers[app].env[DB_PASSWORD]", says: &["app", "Secret db"], ..wrong },
    );
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    let mut world = world(&app, [pod.clone()]);
    world.set_time(-60);
    world.upsert(secret("1"));
    world.set_time(-20);
    world.upsert(object("Secret shop/db", json!({"metadata": {"labels": {"rotated": "yes"}}})));
    world.set_time(0);
    world.log(&pod, "app", 3, log);
    let new = Expect { cause: "configuration-changed", entity: "Secret/shop/db", verdict: Likely, ..wrong };
    check(&world, Expect { field: "data[password]", says: &["Secret db", "password authentication"], ..new });
}

#[test]
fn a_command_that_runs_to_its_end_must_not_be_a_deployment() {
    let app = checkout().container(json!({"command": ["sh", "-c", "echo done"]}));
    let pod = app.pod("a", status::crashed(0, "Completed", 4, -5));
    let mut world = world(&app, [pod.clone()]);
    world.log(&pod, "app", 4, "done");
    check(
        &world,
        Expect {
            cause: "container-completes",
            verdict: Established,
            field: "spec.template.spec.containers[app].command",
            says: &["exit code 0", "runs to its end", "Deployment"],
            ..DEAD
        },
    );
}

#[test]
fn what_a_program_leaves_as_its_last_message_stands_in_for_its_log() {
    let app = checkout();
    let mut state = status::crashed(1, "Error", 3, -5);
    merge(
        &mut state["containerStatuses"][0],
        &json!({"state": {"terminated": {"message": "required environment variable QUEUE_URL is not set"}}}),
    );
    let mut world = world(&app, [app.pod("a", state)]);
    world.refuse_logs();
    check(&world, Expect { cause: "log-missing-env", verdict: Established, says: &["QUEUE_URL"], ..DEAD });
}

#[test]
fn what_is_not_listed_is_not_missing() {
    use afterwatch_core::coverage::UnreadableReason::Forbidden;
    let app = mounted(json!({"configMap": {"name": "app-config"}}), json!({"mountPath": "/etc/app"}));
    let mut world = dead(&app, "open /etc/app/routes.toml: no such file or directory", []);
    world.lose(Kind::ConfigMap, Forbidden);
    let fault = world.diagnose().faults.remove(0);
    assert_eq!(fault.causes[0].confidence, Likely, "{}", fault.causes[0].statement);
    assert!(!fault.causes[0].statement.contains("app-config, mounted at /etc/app, does not exist"));
    let app = env(json!([{"name": "DB", "value": "orders-db:5432"}]));
    let mut world = dead(&app, "dial tcp: lookup orders-db on 10.96.0.10:53: no such host", []);
    world.lose(Kind::Service, Forbidden);
    let fault = world.diagnose().faults.remove(0);
    assert!(!fault.causes[0].statement.contains("there is no Service"), "{}", fault.causes[0].statement);
}

#[test]
fn the_job_that_failed_names_who_must_be_changed_too() {
    let job = App::of(Kind::Job, "shop/import")
        .spec(json!({"restartPolicy": "Never"}))
        .container(json!({"env": from_map("LOG_LEVEL", "settings", "level")}));
    let pod = job.pod("a", status::finished(1, -20));
    let mut world = World::new();
    let failed = json!({"status": {"failed": 1, "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": at(-15)}]}});
    world.upsert_all([job.top(failed), pod.clone(), map("settings", &["level"])]);
    world.log(&pod, "app", 0, "config: invalid LOG_LEVEL 'verbos'");
    check(
        &world,
        Expect {
            rule: "job-failed",
            object: "Job/shop/import",
            subject: "Job/shop/import",
            cause: "log-bad-config",
            entity: "ConfigMap/shop/settings",
            field: "data[level]",
            verdict: Likely,
            severity: Medium,
            says: &["import", "LOG_LEVEL", "verbos"],
        },
    );
}

#[test]
fn words_of_no_known_form_lead_to_the_variable_they_name() {
    let app = env(from_map("PRICING_MODE", "settings", "mode"));
    one(
        &app,
        "ERROR: I do not like PRICING_MODE today",
        [map("settings", &["mode"])],
        Expect {
            cause: "container-exits",
            entity: "ConfigMap/shop/settings",
            field: "data[mode]",
            says: &["PRICING_MODE", "key mode of ConfigMap settings", "do not like"],
            ..DEAD
        },
    );
    // In words instead of its name.
    one(
        &env(from_map("LOG_LEVEL", "settings", "level")),
        "unknown log level: verbos",
        [map("settings", &["level"])],
        Expect {
            cause: "log-bad-config",
            entity: "ConfigMap/shop/settings",
            field: "data[level]",
            says: &["verbos", "LOG_LEVEL"],
            ..DEAD
        },
    );
    // A mounted file.
    one(
        &mounted(json!({"configMap": {"name": "rules"}}), json!({"mountPath": "/etc/rules"})),
        "ERROR while looking at /etc/rules/tax.lst: line 3 makes no sense",
        [map("rules", &["tax.lst"])],
        Expect {
            cause: "container-exits",
            entity: "ConfigMap/shop/rules",
            field: "data[tax.lst]",
            says: &["tax.lst", "rules"],
            ..DEAD
        },
    );
    // Nothing of it is known: its own words are all there is.
    one(
        &checkout(),
        "ERROR: the moon is full",
        [],
        Expect { cause: "container-exits", says: &["its own log says why", "moon"], ..DEAD },
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

/// `checkout` whose init container runs since then.
fn waiting(command: &str, since: i64) -> (App, Object) {
    let app = checkout()
        .spec(json!({"initContainers": [{"name": "wait", "image": "busybox", "command": ["sh", "-c", command]}]}));
    let mut state = status::waiting("PodInitializing", "", since);
    state["initContainerStatuses"] =
        json!([{"name": "wait", "restartCount": 0, "state": {"running": {"startedAt": at(since)}}}]);
    let pod = app.pod("a", state);
    (app, pod)
}

pub fn an_init_container_that_waits_for_a_service_is_found() {
    let wait = Expect {
        rule: "init-container-waiting",
        cause: "host-name-unknown",
        verdict: Likely,
        field: "spec.template.spec.initContainers[wait].command",
        says: &["Init container wait", "there is no Service ledger", "not found"],
        ..CHECKOUT
    };
    let (app, pod) = waiting("until nslookup ledger; do echo waiting for ledger; sleep 2; done", -60);
    check(&world(&app, [pod.clone()]), wait);
    let mut early = world(&app, [pod.clone()]);
    held(&mut early, -60, 45);
    // Its pods are not there yet.
    let ledger = App::deployment("shop/ledger").replicas(0);
    let mut scaled = world(&app, [pod]);
    scaled.run(&ledger, []);
    scaled.upsert_all([ledger.service(json!({})), ledger.endpoints(&[])]);
    check(
        &scaled,
        Expect {
            cause: "dependency-scaled-to-zero",
            verdict: Established,
            entity: "Deployment/shop/ledger",
            field: "spec.replicas",
            says: &["scaled to", "ledger"],
            ..wait
        },
    );
}

#[test]
fn a_waiting_init_container_and_its_look_alikes() {
    an_init_container_that_waits_for_a_service_is_found();
    // What it asks for is there: it is at work.
    let ledger = App::deployment("shop/ledger");
    let (app, pod) = waiting("migrate --db ledger:80", -600);
    let mut busy = world(&app, [pod]);
    busy.run(&ledger, [ledger.pod("a", status::ready(-900))]);
    busy.upsert_all([ledger.service(json!({})), ledger.endpoints(&[true])]);
    silent(&busy);
    // It asks for nobody, or for a host outside.
    for command in ["sleep 900", "curl https://dumps.example.com/all.sql"] {
        let (app, pod) = waiting(command, -600);
        silent(&world(&app, [pod]));
    }
    // Peers that look for each other.
    let (app, pod) = waiting("until nslookup checkout; do sleep 1; done", -600);
    let mut peers = world(&app, [pod]);
    peers.upsert_all([app.service(json!({})), app.endpoints(&[false])]);
    let faults = peers.glance().faults;
    let told = faults.iter().flat_map(|f| &f.findings).filter(|f| f.rule_id == "init-container-waiting").count();
    assert_eq!(told, 0);
}

#[test]
fn a_client_that_names_an_address_or_nothing_is_still_understood() {
    let api = App::deployment("shop/api");
    let scene = |app: &App, log: &str, policies: Vec<Object>| {
        let mut world = dead(app, log, api.objects());
        world.upsert_all([api.pod("a", status::ready(-600)), api.service(json!({})), api.endpoints(&[true])]);
        world.upsert_all(policies);
        world
    };
    // The port stands in the command alone.
    let wget =
        checkout().container(json!({"command": ["sh", "-c", "wget -T 3 -qO- http://api:8081/health || exit 1"]}));
    check(
        &scene(&wget, "wget: can't connect to remote host (10.0.0.7): Connection refused", Vec::new()),
        Expect {
            cause: "service-port-unknown",
            verdict: Established,
            field: "spec.template.spec.containers[app].command",
            says: &["Service api has port 80 and no port 8081"],
            ..DEAD
        },
    );
    // Neither host nor port: it has one host only.
    let wget = checkout().container(json!({"command": ["sh", "-c", "wget -T 3 -qO- http://api:80/health || exit 1"]}));
    check(
        &scene(
            &wget,
            "wget: download timed out",
            vec![policy("strict", json!({"podSelector": {}, "policyTypes": ["Ingress"]}))],
        ),
        Expect {
            cause: "network-policy-blocks",
            entity: "NetworkPolicy/shop/strict",
            field: "spec.ingress",
            says: &["strict", "no ingress at all", "api"],
            ..DEAD
        },
    );
}
