//! A change that is no fault by itself and explains one: configuration under pods, a dependency scaled to zero.

use super::support::*;
use afterwatch_core::object::{Kind, Object};
use afterwatch_testkit::World;

fn settings(key: &str, hash: &str, when: i64) -> Object {
    object(
        "ConfigMap shop/settings",
        json!({
            "metadata": {"managedFields": [{"manager": "kubectl-edit", "operation": "Update", "time": at(when)}]},
            "digests": {key: {"hash": hash, "bytes": 2}},
        }),
    )
}

fn reads_env() -> App {
    checkout().replicas(2).container(json!({"envFrom": [{"configMapRef": {"name": "settings"}}]}))
}

/// A key is changed at -20; a pod that started before it is ready, one that started after it fails with this log.
fn changed(app: &App, key: &str, log: &str) -> World {
    let mut world = world(app, [app.pod("a", status::ready(-3600))]);
    world.upsert(settings(key, "aa", -3600));
    world.set_time(-20);
    world.upsert(settings(key, "bb", -20));
    world.set_time(1);
    let pod = app.pod("b", status::crashed(1, "Error", 2, 0));
    world.upsert(pod.clone());
    world.log(&pod, "app", 2, log);
    world
}

const CHANGED: Expect = Expect {
    rule: "container-crash-loop",
    object: "Pod/shop/checkout-r1-b",
    cause: "configuration-changed",
    entity: "ConfigMap/shop/settings",
    severity: High,
    ..CHECKOUT
};

#[test]
fn a_key_that_the_log_quotes_and_that_was_changed_just_before_is_proven() {
    let world = changed(&reads_env(), "MAX_WORKERS", "FATAL: invalid value for MAX_WORKERS: four");
    let says = &[
        "kubectl-edit changed key MAX_WORKERS of ConfigMap settings",
        "1 pod that started before it is ready",
        "MAX_WORKERS: four",
    ];
    let fault = check(&world, Expect { field: "data[MAX_WORKERS]", says, ..CHANGED });
    assert!(fault.actions[0].command.contains("kubectl edit configmap/settings -n shop"), "{:?}", fault.actions[0]);
    assert!(fault.changes.iter().any(|(c, suspect)| *suspect && c.object.name == "settings"));
}

#[test]
fn a_key_that_nobody_quotes_is_likely() {
    let world = changed(&reads_env(), "MAX_WORKERS", "worker pool: cannot parse four");
    check(&world, Expect { verdict: Likely, field: "data[MAX_WORKERS]", ..CHANGED });
}

#[test]
fn a_mounted_file_that_the_log_names_is_proven() {
    let app = checkout().replicas(2).spec(json!({"volumes": [{"name": "etc", "configMap": {"name": "settings"}}]}));
    let world = changed(&app, "routes.yaml", "error parsing /etc/app/routes.yaml: line 7: did not find expected key");
    check(&world, Expect { field: "data[routes.yaml]", says: &["routes.yaml", "line 7"], ..CHANGED });
}

#[test]
fn a_variable_made_of_the_key_is_the_key() {
    let env =
        json!({"env": [{"name": "POOL_SIZE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "pool"}}}]});
    let world = changed(&checkout().replicas(2).container(env), "pool", "POOL_SIZE must be a number");
    check(&world, Expect { field: "data[pool]", ..CHANGED });
}

#[test]
fn one_config_map_that_breaks_two_workloads_is_one_fault() {
    let (a, b) = (
        reads_env(),
        App::deployment("shop/cart").container(json!({"envFrom": [{"configMapRef": {"name": "settings"}}]})),
    );
    let mut world = changed(&a, "MAX_WORKERS", "FATAL: invalid value for MAX_WORKERS: four");
    let pod = b.pod("a", status::crashed(1, "Error", 2, 0));
    world.run(&b, [pod.clone()]);
    world.log(&pod, "app", 2, "FATAL: invalid value for MAX_WORKERS: four");
    check(&world, Expect { subject: "ConfigMap/shop/settings", severity: Critical, ..CHANGED });
}

/// The first cause of the only fault.
#[track_caller]
fn first(world: &World) -> (String, String) {
    let faults = world.diagnose().faults;
    assert_eq!(faults.len(), 1);
    let cause = &faults[0].causes[0];
    (cause.rule_id.clone(), cause.entity.key())
}

#[test]
fn a_change_that_the_failing_container_cannot_have_read_explains_nothing() {
    // A key it does not use.
    let env = json!({"env": [{"name": "POOL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "pool"}}}]});
    let world = changed(&checkout().replicas(2).container(env), "other", "ERROR cannot go on");
    assert_eq!(first(&world).1, "Deployment/shop/checkout");
    // A map it does not use.
    let world = changed(&checkout().replicas(2), "MAX_WORKERS", "FATAL: invalid value for MAX_WORKERS: four");
    assert_eq!(first(&world).1, "Deployment/shop/checkout");
    // A run that began before the change and read the old value.
    let app = reads_env();
    let mut world = World::new();
    world.run(&app, [app.pod("a", status::ready(-3600))]);
    world.upsert(settings("MAX_WORKERS", "aa", -3600));
    world.set_time(-1);
    world.upsert(settings("MAX_WORKERS", "bb", -1));
    world.set_time(12);
    let mut state = status::crashed(1, "Error", 0, 1);
    state["containerStatuses"][0]["state"]["terminated"]["startedAt"] = json!(at(-900));
    let pod = app.pod("b", state);
    world.upsert(pod.clone());
    world.log(&pod, "app", 0, "ERROR cannot go on");
    assert_eq!(first(&world).1, "Deployment/shop/checkout");
}

#[test]
fn a_change_after_the_failure_or_beside_a_release_explains_nothing() {
    let app = reads_env();
    for (changed, revise) in [(8, false), (-900, false), (-20, true)] {
        let mut world = World::new();
        world.run(&app, [app.pod("a", status::ready(-3600))]);
        world.upsert(settings("MAX_WORKERS", "aa", -3600));
        world.set_time(changed.min(0));
        if revise {
            world.upsert(app.clone().container(json!({"args": ["--workers=four"]})).top(json!({})));
        }
        world.set_time(changed);
        world.upsert(settings("MAX_WORKERS", "bb", changed));
        world.set_time(10);
        let pod = app.pod("b", status::crashed(1, "Error", 2, 0));
        world.upsert(pod.clone());
        world.log(&pod, "app", 2, "ERROR cannot go on");
        assert_eq!(first(&world).1, "Deployment/shop/checkout", "changed at {changed}");
    }
}

/// The key is changed an hour before a pod is made that fails; `well` pods that started before it are ready.
fn long_before(after_ready: bool) -> World {
    let app = reads_env().replicas(3);
    let mut world = world(&app, [app.pod("a", status::ready(-7200))]);
    world.set_time(-3500);
    world.upsert(settings("MAX_WORKERS", "aa", -7200));
    world.upsert(settings("MAX_WORKERS", "bb", -3500));
    world.set_time(1);
    let made = json!({"metadata": {"creationTimestamp": at(-30)}});
    if after_ready {
        world.upsert(app.pod_with("c", status::ready(-600), made.clone()));
    }
    let pod = app.pod_with("b", status::crashed(1, "Error", 2, 0), made);
    world.upsert(pod.clone());
    world.log(&pod, "app", 2, "ERROR cannot go on");
    world
}

#[test]
fn a_key_changed_long_before_breaks_the_next_pod_that_starts() {
    let world = long_before(false);
    let says = &["key MAX_WORKERS of ConfigMap settings", "started before it is ready"];
    let fault = check(&world, Expect { verdict: Likely, says, ..CHANGED });
    assert!(fault.changes.iter().any(|(c, suspect)| *suspect && c.object.name == "settings"));
    // Where another one started with it and is well, it is innocent.
    assert_eq!(first(&long_before(true)).1, "Deployment/shop/checkout");
}

#[test]
fn configuration_that_changes_under_healthy_pods_is_no_incident() {
    let app = reads_env();
    let mut world = world(&app, [app.pod("a", status::ready(-3600)), app.pod("b", status::ready(-3600))]);
    world.upsert(settings("MAX_WORKERS", "aa", -3600));
    world.set_time(-20);
    world.upsert(settings("MAX_WORKERS", "bb", -20));
    world.set_time(600);
    silent(&world);
}

#[test]
fn what_is_proven_otherwise_stays_so() {
    let app = reads_env().container(json!({"resources": {"limits": {"memory": "64Mi"}}}));
    let mut world = world(&app, [app.pod("a", status::ready(-3600))]);
    world.upsert(settings("MAX_WORKERS", "aa", -3600));
    world.set_time(-20);
    world.upsert(settings("MAX_WORKERS", "bb", -20));
    world.set_time(1);
    world.upsert(app.pod("b", status::crashed(137, "OOMKilled", 2, 0)));
    assert_eq!(first(&world), ("memory-limit-too-low".to_owned(), "Deployment/shop/checkout".to_owned()));
}

#[test]
fn a_secret_is_suspected_where_the_log_speaks_of_credentials() {
    let app = checkout().replicas(2).container(json!({"envFrom": [{"secretRef": {"name": "login"}}]}));
    let secret = |seen: &str| object("Secret shop/login", json!({"metadata": {"annotations": {"seen": seen}}}));
    for (log, entity) in [
        ("FATAL: password authentication failed for user \"app\"", "Secret/shop/login"),
        ("ERROR cannot go on", "Deployment/shop/checkout"),
    ] {
        let mut world = World::new();
        world.run(&app, [app.pod("a", status::ready(-3600))]);
        world.upsert(secret("a"));
        world.set_time(-20);
        world.upsert(secret("b"));
        world.set_time(1);
        let pod = app.pod("b", status::crashed(1, "Error", 2, 0));
        world.upsert(pod.clone());
        world.log(&pod, "app", 2, log);
        assert_eq!(first(&world).1, entity, "{log}");
        assert!(world.diagnose().faults[0].verdict() < Established, "what changed in it is not seen");
    }
}

/// `checkout` calls `orders-db`, whose workload has this many replicas and ready endpoints.
fn calls(replicas: i32, ready: &[bool]) -> World {
    let app = checkout().container(json!({"env": [{"name": "DB_HOST", "value": "orders-db"}]}));
    let db = App::of(Kind::StatefulSet, "shop/orders-db");
    let mut world = World::new();
    world.upsert_all([db.clone().replicas(3).top(json!({})), db.service(json!({})), db.endpoints(ready)]);
    world.set_time(-30);
    let by = json!({"metadata": {"managedFields": [{"manager": "kubectl", "operation": "Update", "subresource": "scale", "time": at(-30)}]}});
    world.upsert(db.replicas(replicas).top(by));
    world.set_time(1);
    let pod = app.pod("a", status::crashed(1, "Error", 2, 0));
    world.run(&app, [pod.clone()]);
    world.log(&pod, "app", 2, "could not connect to orders-db:5432: connection refused");
    world
}

#[test]
fn a_dependency_that_somebody_scaled_to_zero_is_the_cause() {
    let world = calls(0, &[]);
    let fault = check(
        &world,
        Expect {
            rule: "container-crash-loop",
            cause: "dependency-scaled-to-zero",
            entity: "StatefulSet/shop/orders-db",
            field: "spec.replicas",
            verdict: Established,
            says: &["orders-db in shop is scaled to zero", "kubectl scaled it from 3", "Service orders-db", "checkout"],
            ..CHECKOUT
        },
    );
    assert!(fault.actions[0].command.contains("kubectl scale statefulset/orders-db -n shop"));
    assert!(fault.changes.iter().any(|(c, suspect)| *suspect && c.summary == "replicas 3 → 0"));
}

#[test]
fn a_dependency_that_is_down_for_another_reason_is_not_scaled_to_zero() {
    let world = calls(3, &[false]);
    assert_ne!(first(&world).0, "dependency-scaled-to-zero");
}

#[test]
fn scaling_to_zero_is_routine_where_nobody_fails() {
    let db = App::of(Kind::StatefulSet, "shop/orders-db");
    let mut world = World::new();
    world.upsert_all([db.clone().replicas(3).top(json!({})), db.service(json!({})), db.endpoints(&[])]);
    world.upsert(db.replicas(0).top(json!({})));
    world.set_time(600);
    silent(&world);
}

#[test]
fn of_several_keys_that_were_changed_the_one_that_is_to_blame_is_named() {
    let both = |rate: &str, name: &str, when: i64| {
        object(
            "ConfigMap shop/settings",
            json!({
                "metadata": {"managedFields": [{"manager": "finance", "operation": "Update", "time": at(when)}]},
                "digests": {"TAX_NAME": {"hash": name, "bytes": 3}, "TAX_RATE": {"hash": rate, "bytes": 4}},
            }),
        )
    };
    let from = |name: &str| json!({"name": name, "valueFrom": {"configMapKeyRef": {"name": "settings", "key": name}}});
    let app = checkout().container(json!({"env": [from("TAX_NAME"), from("TAX_RATE")]}));
    let mut world = world(&app, []);
    world.upsert(both("aa", "aa", -3600));
    world.set_time(-20);
    world.upsert(both("bb", "bb", -20));
    world.set_time(1);
    let pod = app.pod("b", status::crashed(1, "Error", 2, 0));
    world.upsert(pod.clone());
    world.log(&pod, "app", 2, "Traceback (most recent call last):\n  File \"/app/main.py\", line 3, in <module>\n    rate = float(os.environ[\"TAX_RATE\"])\nValueError: could not convert string to float: '0,19'");
    let first = world.diagnose().faults[0].causes[0].clone();
    assert_eq!(
        (first.rule_id.as_str(), first.field.as_deref()),
        ("configuration-changed", Some("data[TAX_RATE]")),
        "{}",
        first.statement
    );
    assert!(first.statement.contains("key TAX_RATE") && first.statement.contains("0,19"), "{}", first.statement);
}

#[test]
fn a_secret_that_was_changed_before_only_the_new_pods_failed_is_to_be_looked_at_whatever_they_say() {
    let app = checkout().replicas(2).container(json!({"envFrom": [{"secretRef": {"name": "web"}}]}));
    let secret = |version: &str, when: i64| {
        let written = json!({"manager": "sealed-secrets", "operation": "Update", "time": at(when)});
        object("Secret shop/web", json!({"metadata": {"resourceVersion": version, "managedFields": [written]}}))
    };
    let played = |made: i64| {
        let mut world = world(&app, [app.pod("a", status::ready(-3600))]);
        world.upsert(secret("1", -3600));
        world.set_time(-20);
        world.upsert(secret("2", -20));
        let now = 1.max(made + 11);
        world.set_time(now);
        let created = json!({"metadata": {"creationTimestamp": at(made)}});
        let pod = app.pod_with("b", status::crashed(1, "Error", 2, now - 1), created);
        world.upsert(pod.clone());
        world.log(&pod, "app", 2, "OpenSSL::Cipher::CipherError: bad decrypt");
        world.diagnose().faults[0].causes[0].clone()
    };
    let cause = played(-10);
    assert_eq!((cause.rule_id.as_str(), cause.entity.key().as_str()), ("configuration-changed", "Secret/shop/web"));
    assert_eq!(cause.confidence, Likely);
    // One that is made much later may fail for anything.
    let late = played(-10 + 3 * 3600);
    assert!(late.rule_id != "configuration-changed" || late.confidence < Likely, "{late:?}");
    // One that ran before, and dies now, did not get it new.
    assert_ne!(played(-3000).rule_id, "configuration-changed");
}

#[test]
fn of_two_that_were_changed_in_one_moment_neither_is_likelier_where_the_log_speaks_of_neither() {
    let named = |name: &str, key: &str, hash: &str, who: &str, when: i64| {
        let by = json!([{"manager": who, "operation": "Update", "time": at(when)}]);
        let digests = json!({key: {"hash": hash, "bytes": 2}});
        object(&format!("ConfigMap shop/{name}"), json!({"metadata": {"managedFields": by}, "digests": digests}))
    };
    let from = json!([{"configMapRef": {"name": "ledger"}}, {"configMapRef": {"name": "fees"}}]);
    let app = checkout().replicas(2).container(json!({"envFrom": from}));
    let played = |log: &str| {
        let mut world = world(&app, [app.pod("a", status::ready(-3600))]);
        world.upsert_all([
            named("ledger", "LEDGER_MODE", "aa", "x", -3600),
            named("fees", "FEE_TABLE", "aa", "x", -3600),
        ]);
        world.set_time(-20);
        world.upsert(named("ledger", "LEDGER_MODE", "bb", "ledger-team", -20));
        world.upsert(named("fees", "FEE_TABLE", "bb", "fees-team", -20));
        world.set_time(1);
        let pod = app.pod("b", status::crashed(1, "Error", 2, 0));
        world.upsert(pod.clone());
        world.log(&pod, "app", 2, log);
        world.diagnose().faults[0].causes[0].clone()
    };
    let cause = played("fatal: balances do not reconcile (code 17)");
    assert_eq!((cause.rule_id.as_str(), cause.confidence), ("configuration-changed", Possible), "{}", cause.statement);
    assert!(cause.statement.contains("ledger-team") && cause.statement.contains("fees-team"), "{}", cause.statement);
    assert!(!cause.needs.is_empty());
    let cause = played("fatal: FEE_TABLE has no row for code 17");
    assert_eq!((cause.entity.name.as_str(), cause.confidence), ("fees", Established), "{}", cause.statement);
}

/// `checkout` reads two keys that are changed at once, and then fails with this log: the key that is named.
fn named_of(keys: [&str; 2], log: &str) -> String {
    let both = |hash: &str, when: i64| {
        object(
            "ConfigMap shop/settings",
            json!({
                "metadata": {"managedFields": [{"manager": "helm", "operation": "Update", "time": at(when)}]},
                "digests": {keys[0]: {"hash": hash, "bytes": 3}, keys[1]: {"hash": hash, "bytes": 9}},
            }),
        )
    };
    let app = reads_env();
    let mut world = world(&app, [app.pod("a", status::ready(-3600))]);
    world.upsert(both("aa", -3600));
    world.set_time(-20);
    world.upsert(both("bb", -20));
    world.set_time(1);
    let pod = app.pod("b", status::crashed(1, "Error", 2, 0));
    world.upsert(pod.clone());
    world.log(&pod, "app", 2, log);
    let cause = world.diagnose().faults[0].causes[0].clone();
    assert_eq!(cause.rule_id, "configuration-changed", "{}", cause.statement);
    cause.field.unwrap_or_default()
}

#[test]
fn of_several_keys_the_one_whose_words_the_log_has_is_named() {
    let mongo = "/app/node_modules/mongodb/lib/sdam/topology.js:278\n            const timeoutError = new error_1.MongoServerSelectionError(`Server selection timed out after ${timeoutMS} ms`, this.description);\n                                 ^\n\nMongoServerSelectionError: Server selection timed out after 2000 ms\n    at Topology.selectServer (/app/node_modules/mongodb/lib/sdam/topology.js:278:38) {\n  reason: TopologyDescription {\n    type: 'ReplicaSetNoPrimary',\n    servers: Map(1) { 'mongo-0.mongo:27017' => [ServerDescription] { setName: 'rs0', error: null } },\n    setName: 'clinic-rs',\n    maxElectionId: null\n  },\n  code: undefined\n}";
    assert_eq!(named_of(["LOG_LEVEL", "MONGO_REPLICA_SET"], mongo), "data[MONGO_REPLICA_SET]");
    // The words of a name, wherever they stand; and of how it logs only where that is what fails.
    let ledger = "level=error msg=\"ledgerWriter cannot start: window is beyond the end\"";
    assert_eq!(named_of(["LOG_LEVEL", "WRITER_WINDOW"], ledger), "data[WRITER_WINDOW]");
    assert_eq!(named_of(["LOG_FORMAT", "WRITER_WINDOW"], "ERROR cannot go on"), "data[WRITER_WINDOW]");
    assert_eq!(named_of(["DEBUG", "WRITER_WINDOW"], "ERROR widget 7 failed in debug build"), "data[WRITER_WINDOW]");
    assert_eq!(named_of(["DEBUG", "WRITER_WINDOW"], "DEBUG cannot go on beyond the window"), "data[WRITER_WINDOW]");
    assert_eq!(named_of(["LOG_LEVEL", "WRITER_WINDOW"], "ERROR unknown log level: loud"), "data[LOG_LEVEL]");
}
