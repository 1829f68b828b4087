//! A is down because B is down because C is broken: one incident, and C's cause stands first.

mod apart;
mod common;

use std::sync::Arc;

use super::support::*;
use afterwatch_core::{
    correlate::Fault,
    object::{Kind, Object},
    remediation::ActionKind,
};
use afterwatch_testkit::World;

/// The only fault there is, sound.
#[track_caller]
fn one(world: &World) -> Fault {
    let mut faults = world.diagnose().faults;
    let titles: Vec<&str> = faults.iter().map(|f| f.title.as_str()).collect();
    assert_eq!(faults.len(), 1, "{titles:?}");
    let fault = Arc::unwrap_or_clone(faults.remove(0));
    sound(world, &fault);
    fault
}

#[track_caller]
fn several(world: &World, n: usize) -> Vec<Fault> {
    let faults = world.diagnose().faults;
    let titles: Vec<&str> = faults.iter().map(|f| f.title.as_str()).collect();
    assert_eq!(faults.len(), n, "{titles:?}");
    faults.into_iter().map(Arc::unwrap_or_clone).collect()
}

/// The first cause and what must be changed for it.
#[track_caller]
fn cause(fault: &Fault, rule: &str, entity: &str) {
    let first = &fault.causes[0];
    assert_eq!((first.rule_id.as_str(), first.entity.key().as_str()), (rule, entity), "{}", first.statement);
}

fn subjects(fault: &Fault) -> Vec<String> {
    let mut names: Vec<String> = fault.findings.iter().map(|f| f.subject.name.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// A workload that calls a host, by its environment.
fn calls(path: &str, host: &str) -> App {
    App::deployment(path).container(json!({"env": [{"name": "BACKEND_URL", "value": format!("http://{host}:80/")}]}))
}

/// Its only pod ended a few times, with these last words.
fn crashing(world: &mut World, app: &App, ended: i64, words: &str) -> Object {
    let pod = app.pod("a", status::crashed(1, "Error", 3, ended));
    world.run(app, [pod.clone()]);
    world.log(&pod, "app", 3, words);
    pod
}

/// A Service in front of it that leads nowhere.
fn dead_service(world: &mut World, app: &App) {
    world.upsert_all([app.service(json!({})), app.endpoints(&[false])]);
}

fn refused(host: &str) -> String {
    format!("dial tcp: connect to {host}:80 failed: connection refused")
}

fn database() -> App {
    App::of(Kind::StatefulSet, "shop/orders-db")
}

// One link.

#[test]
fn a_caller_of_a_database_without_its_image_is_part_of_the_image_fault() {
    let mut world = World::new();
    let db = database().container(json!({"image": "registry.test/db:9"}));
    world.run(&db, [db.pod("0", status::waiting("ImagePullBackOff", "registry.test/db:9: not found", -120))]);
    dead_service(&mut world, &db);
    crashing(&mut world, &calls("shop/checkout", "orders-db"), -5, &refused("orders-db"));
    let fault = one(&world);
    cause(&fault, "image-not-found", "StatefulSet/shop/orders-db");
    assert_eq!(subjects(&fault), ["checkout", "orders-db"]);
    assert!(
        fault.causes.iter().skip(1).any(|c| c.rule_id == "dependency-without-endpoints"),
        "the symptom stays listed"
    );
    assert!(fault.causes[0].signs.pro > 1, "the caller that fails is a sign for it");
}

#[test]
fn a_caller_of_a_database_without_its_claim_is_part_of_the_claims_fault() {
    let mut world = World::new();
    let db = database().spec(json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-0"}}]}));
    world.run(
        &db,
        [db.pod(
            "0",
            status::unschedulable("0/1 nodes are available: persistentvolumeclaim \"data-0\" not found.", -90),
        )],
    );
    dead_service(&mut world, &db);
    crashing(&mut world, &calls("shop/checkout", "orders-db"), -5, &refused("orders-db"));
    let fault = one(&world);
    cause(&fault, "claim-missing", "PersistentVolumeClaim/shop/data-0");
}

#[test]
fn a_full_disk_of_the_database_comes_before_the_refused_connection() {
    let mut world = World::new();
    let db = database();
    crashing(&mut world, &db, -40, "FATAL: could not write /var/lib/postgresql/data/pg_wal/1: No space left on device");
    dead_service(&mut world, &db);
    crashing(&mut world, &calls("shop/checkout", "orders-db"), -5, &refused("orders-db"));
    let fault = one(&world);
    assert_eq!(fault.causes[0].rule_id, "log-disk-full", "{}", fault.causes[0].statement);
    says(&fault.causes[0], &["No space left"]);
}

#[test]
fn a_probe_that_fails_because_the_backend_is_down_is_part_of_its_fault() {
    let mut world = World::new();
    let db = database().container(json!({"resources": {"limits": {"memory": "64Mi"}}}));
    world.run(&db, [db.pod("0", status::crashed(137, "OOMKilled", 3, -30))]);
    dead_service(&mut world, &db);
    let web = calls("shop/web", "orders-db.shop.svc.cluster.local")
        .container(json!({"readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 5}}));
    let pod = web.pod_with("a", status::unready(-25), json!({}));
    world.run(&web, [pod.clone()]);
    world.upsert(event(
        &pod,
        "Warning",
        "Unhealthy",
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
        -25,
        -2,
        6,
    ));
    world.refuse_logs();
    let fault = one(&world);
    cause(&fault, "memory-limit-too-low", "StatefulSet/shop/orders-db");
    assert!(fault.causes[1..].iter().any(|c| c.rule_id.starts_with("probe-")), "the probe is told below");
}

#[test]
fn a_likely_cause_upstream_comes_before_an_established_symptom() {
    let mut world = World::new();
    let db = database();
    crashing(&mut world, &db, -60, "FATAL: password authentication failed for user \"app\"");
    dead_service(&mut world, &db);
    let web = calls("shop/web", "orders-db").replicas(2);
    crashing(&mut world, &web, -5, &refused("orders-db"));
    world.upsert(web.top(json!({"status": {"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "lastTransitionTime": at(-3)}]}})));
    let fault = one(&world);
    cause(&fault, "log-authentication", "StatefulSet/shop/orders-db");
    assert_eq!(fault.verdict(), Likely);
    assert!(fault.findings.iter().any(|f| f.rule_id == "deployment-stuck"));
}

#[test]
fn a_cluster_ip_in_the_log_leads_to_the_service_as_well() {
    let mut world = World::new();
    let db = database();
    crashing(&mut world, &db, -60, "KeyError: 'POSTGRES_PASSWORD'");
    dead_service(&mut world, &db);
    crashing(&mut world, &App::deployment("shop/web"), -5, "dial tcp 10.0.0.7:80: connect: connection refused");
    cause(&one(&world), "log-missing-env", "StatefulSet/shop/orders-db");
}

#[test]
fn a_database_in_another_namespace_is_found_by_its_full_name() {
    let mut world = World::new();
    let db = App::of(Kind::StatefulSet, "data/orders-db");
    crashing(&mut world, &db, -60, "KeyError: 'POSTGRES_PASSWORD'");
    dead_service(&mut world, &db);
    crashing(&mut world, &App::deployment("shop/web"), -5, &refused("orders-db.data.svc.cluster.local"));
    cause(&one(&world), "log-missing-env", "StatefulSet/data/orders-db");
}

#[test]
fn a_quota_that_keeps_the_backend_from_coming_comes_first() {
    let mut world = World::new();
    world.upsert(object("ResourceQuota shop/team", json!({"status": {"hard": {"pods": "4"}, "used": {"pods": "4"}}})));
    let backend = App::deployment("shop/backend");
    let set = backend.between(json!({"status": {"replicas": 0}})).expect("a ReplicaSet");
    world.upsert_all([backend.top(json!({})), set.clone()]);
    world.upsert(event(&set, "Warning", "FailedCreate", "Error creating: pods \"x\" is forbidden: exceeded quota: team, requested: pods=1, used: pods=4, limited: pods=4", -60, -5, 4));
    world.upsert_all([backend.service(json!({})), backend.endpoints(&[])]);
    crashing(&mut world, &calls("shop/web", "backend"), -5, &refused("backend"));
    let fault = one(&world);
    cause(&fault, "quota-exceeded", "ResourceQuota/shop/team");
    assert_eq!(subjects(&fault), ["backend", "web"], "no pod of it exists, its template is found all the same");
}

#[test]
fn a_wrong_selector_comes_before_the_refused_connection() {
    let mut world = World::new();
    let backend = App::deployment("shop/backend");
    world.run(&backend, [backend.pod("a", status::ready(-3000))]);
    world.upsert_all([
        backend.service(json!({"spec": {"selector": {"app": "backand"}}, "metadata": {"creationTimestamp": at(-100)}})),
        backend.endpoints(&[]),
    ]);
    crashing(&mut world, &calls("shop/web", "backend"), -5, &refused("backend"));
    let fault = one(&world);
    cause(&fault, "service-selector-wrong", "Service/shop/backend");
    assert_eq!(fault.subject.key(), "Deployment/shop/web", "the workload hit");
    assert!(fault.title.starts_with("web in shop"), "{}", fault.title);
}

#[test]
fn a_host_only_in_the_configuration_is_enough_where_it_went_down_just_before() {
    let mut world = World::new();
    let db = database().container(json!({"image": "registry.test/db:9"}));
    world.run(&db, [db.pod("0", status::waiting("ErrImagePull", "registry.test/db:9: not found", -60))]);
    dead_service(&mut world, &db);
    crashing(&mut world, &calls("shop/web", "orders-db"), -20, "exiting");
    cause(&one(&world), "image-not-found", "StatefulSet/shop/orders-db");
}

// Chains and fans.

#[test]
fn a_chain_of_three_ends_at_its_root() {
    let mut world = World::new();
    let db = database().container(json!({"resources": {"limits": {"memory": "64Mi"}}}));
    world.run(&db, [db.pod("0", status::crashed(137, "OOMKilled", 4, -90))]);
    dead_service(&mut world, &db);
    let api = calls("shop/api", "orders-db");
    crashing(&mut world, &api, -60, &refused("orders-db"));
    world.upsert_all([api.service(json!({"spec": {"clusterIP": "10.0.0.8"}})), api.endpoints(&[false])]);
    crashing(&mut world, &calls("shop/web", "api"), -20, &refused("api"));
    let fault = one(&world);
    cause(&fault, "memory-limit-too-low", "StatefulSet/shop/orders-db");
    assert_eq!(subjects(&fault), ["api", "orders-db", "web"]);
    assert_eq!(fault.subject.key(), "StatefulSet/shop/orders-db");
    let at = |service: &str| fault.causes.iter().position(|c| c.entity.key() == service);
    assert!(at("Service/shop/orders-db") < at("Service/shop/api"), "nearer to the root comes first");
    assert!(at("Service/shop/orders-db").is_some_and(|i| i > 0));
}

#[test]
fn five_clients_of_one_dead_database_are_one_incident() {
    let mut world = World::new();
    let db = database();
    crashing(&mut world, &db, -60, "PANIC: could not locate a valid checkpoint record");
    dead_service(&mut world, &db);
    for n in 0..5 {
        crashing(&mut world, &calls(&format!("shop/client-{n}"), "orders-db"), -20 + n, &refused("orders-db"));
    }
    let fault = one(&world);
    assert_eq!(fault.causes[0].entity.key(), "StatefulSet/shop/orders-db", "{}", fault.causes[0].statement);
    assert_eq!(subjects(&fault).len(), 6);
    world.look();
    assert_eq!(world.incidents().len(), 1);
}

#[test]
fn callers_in_three_namespaces_are_part_of_the_same_fault() {
    let mut world = World::new();
    let db = App::of(Kind::StatefulSet, "data/redis");
    crashing(&mut world, &db, -60, "FATAL: invalid value 'x' for maxmemory");
    dead_service(&mut world, &db);
    for ns in ["one", "two", "three"] {
        crashing(&mut world, &calls(&format!("{ns}/web"), "redis.data"), -20, &refused("redis.data"));
    }
    assert_eq!(one(&world).causes[0].entity.key(), "StatefulSet/data/redis");
}

#[test]
fn a_node_that_takes_the_database_along_takes_its_caller_along() {
    let mut world = World::new();
    world.upsert(World::node_since("node-b", "Unknown", -90));
    let db = database().spec(json!({"nodeName": "node-b"}));
    world.run(&db, [db.pod("0", status::unready(-90))]);
    dead_service(&mut world, &db);
    crashing(&mut world, &calls("shop/web", "orders-db"), -20, &refused("orders-db"));
    let fault = one(&world);
    cause(&fault, "node-lost", "Node//node-b");
    assert!(subjects(&fault).contains(&"web".to_owned()));
}

#[test]
fn two_that_call_each_other_and_both_fail_are_one_incident_that_ends() {
    let mut world = World::new();
    for (me, other, ip) in [("one", "two", "10.0.0.1"), ("two", "one", "10.0.0.2")] {
        let app = calls(&format!("shop/{me}"), other);
        world.upsert_all([app.service(json!({"spec": {"clusterIP": ip}})), app.endpoints(&[false])]);
        crashing(&mut world, &app, -20, &refused(other));
    }
    assert_eq!(subjects(&one(&world)), ["one", "two"]);
}

// One incident over time.

#[test]
fn a_caller_that_fails_later_joins_the_open_incident() {
    let mut world = World::new();
    let db = database().container(json!({"resources": {"limits": {"memory": "64Mi"}}}));
    world.run(&db, [db.pod("0", status::crashed(137, "OOMKilled", 3, 0))]);
    dead_service(&mut world, &db);
    world.look_at(1);
    assert_eq!(world.incidents().len(), 1);
    world.set_time(40);
    crashing(&mut world, &calls("shop/web", "orders-db"), 38, &refused("orders-db"));
    world.look_at(50);
    assert_eq!(world.incidents().len(), 1, "{:?}", world.incidents().iter().map(|i| &i.title).collect::<Vec<_>>());
    let incident = world.only();
    assert_eq!(incident.subject.key(), "StatefulSet/shop/orders-db");
    assert!(incident.findings.iter().any(|f| f.subject.as_ref().is_some_and(|s| s.name == "web")));
}

#[test]
fn a_caller_that_fails_first_hands_its_incident_over_to_the_root() {
    let mut world = World::new();
    let db = database().container(json!({"image": "registry.test/db:9"}));
    world.run(&db, [db.pod("0", json!({"phase": "Pending"}))]);
    dead_service(&mut world, &db);
    crashing(&mut world, &calls("shop/web", "orders-db"), -5, &refused("orders-db"));
    world.look_at(1);
    assert!(world.only().title.contains("web"), "{}", world.only().title);
    world.set_time(20);
    world.upsert(db.pod("0", status::waiting("ImagePullBackOff", "registry.test/db:9: not found", 2)));
    world.look_at(60);
    let incident = world.only();
    assert_eq!(incident.top_cause().expect("a cause").entity.key(), "StatefulSet/shop/orders-db");
}

#[test]
fn when_the_root_is_mended_the_incident_ends_with_all_of_it() {
    let mut world = World::new();
    let db = database().container(json!({"resources": {"limits": {"memory": "64Mi"}}}));
    world.run(&db, [db.pod("0", status::crashed(137, "OOMKilled", 3, -5))]);
    dead_service(&mut world, &db);
    let web = calls("shop/web", "orders-db");
    crashing(&mut world, &web, -5, &refused("orders-db"));
    world.look_at(1);
    let ready = |app: &App, name: &str, since: i64| {
        let mut state = status::ready(since);
        state["containerStatuses"][0]["restartCount"] = json!(4);
        app.pod(name, state)
    };
    world.set_time(60);
    world.upsert_all([ready(&db, "0", 30), ready(&web, "a", 40), db.endpoints(&[true])]);
    world.look_at(61);
    assert!(world.incidents().iter().all(|i| i.mitigated_at.is_some()));
    world.look_at(61 + 601);
    assert_eq!(world.incidents().len(), 1);
    assert!(world.incidents()[0].resolved_at.is_some());
}
