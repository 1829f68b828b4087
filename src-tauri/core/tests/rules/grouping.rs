//! One incident for one fault.

use std::sync::Arc;

use super::support::*;
use afterwatch_core::{correlate::Fault, object::Kind, remediation::ActionKind};
use afterwatch_testkit::World;

fn faults(world: &World) -> Vec<Fault> {
    let faults = world.diagnose().faults;
    for fault in &faults {
        sound(world, fault);
    }
    faults.into_iter().map(Arc::unwrap_or_clone).collect()
}

fn reads(secret: &str) -> Value {
    json!({"env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": secret, "key": "k"}}}]})
}

#[test]
fn several_pods_of_one_deployment_are_one_fault() {
    let app = checkout().replicas(3).container(json!({"resources": {"limits": {"memory": "64Mi"}}}));
    let pods = ["a", "b", "c"].map(|p| app.pod(p, status::crashed(137, "OOMKilled", 3, -5)));
    let faults = faults(&world(&app, pods));
    assert_eq!(faults.len(), 1);
    assert_eq!((faults[0].findings.len(), faults[0].causes.len()), (3, 1), "three findings, one cause");
    assert_eq!(faults[0].causes[0].evidence.len(), 3, "all three speak for it");
}

#[test]
fn three_workloads_that_miss_one_secret_are_one_fault_of_the_secret() {
    let mut world = World::new();
    for name in ["checkout", "cart", "invoice"] {
        let app = App::deployment(&format!("shop/{name}")).container(reads("payment"));
        world.run(
            &app,
            [app.pod("a", status::waiting("CreateContainerConfigError", "secret \"payment\" not found", -10))],
        );
    }
    let faults = faults(&world);
    assert_eq!(faults.len(), 1, "{:?}", faults.iter().map(|f| &f.title).collect::<Vec<_>>());
    let fault = &faults[0];
    assert_eq!((fault.subject.key().as_str(), fault.subject.uid.as_deref()), ("Secret/shop/payment", None));
    assert_eq!(fault.causes[0].entity, fault.subject);
    for name in ["checkout", "cart", "invoice"] {
        assert!(fault.title.contains(name), "{}", fault.title);
    }
}

#[test]
fn secrets_of_one_name_in_two_namespaces_are_two_faults() {
    let mut world = World::new();
    for ns in ["shop", "stock"] {
        let app = App::deployment(&format!("{ns}/web")).container(reads("payment"));
        world.run(
            &app,
            [app.pod("a", status::waiting("CreateContainerConfigError", "secret \"payment\" not found", -10))],
        );
    }
    assert_eq!(faults(&world).len(), 2);
}

#[test]
fn the_service_of_a_crashing_deployment_joins_its_fault() {
    let app = checkout();
    let mut world = world(&app, [app.pod("a", status::crashed(1, "Error", 3, -5))]);
    world.upsert_all([app.service(json!({})), app.endpoints(&[false])]);
    world.refuse_logs();
    let faults = faults(&world);
    assert_eq!(faults.len(), 1);
    let rules: Vec<&str> = faults[0].findings.iter().map(|f| f.rule_id.as_str()).collect();
    assert!(rules.contains(&"container-crash-loop") && rules.contains(&"service-without-endpoints"), "{rules:?}");
    assert_eq!(faults[0].subject.key(), "Deployment/shop/checkout");
}

#[test]
fn a_stuck_roll_out_is_the_same_fault_as_the_image_that_sticks() {
    let app = checkout().replicas(2).container(json!({"image": "registry.test/shop/web:7"}));
    let mut world = world(
        &app,
        [
            app.pod("old", status::ready(-3000)),
            app.pod("a", status::waiting("ImagePullBackOff", "registry.test/shop/web:7: not found", -700)),
        ],
    );
    let late = json!({"status": {"availableReplicas": 1, "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "lastTransitionTime": at(-60)}]}});
    world.upsert(app.top(late));
    let faults = faults(&world);
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].causes[0].rule_id, "image-not-found", "the image comes before what it causes");
    assert!(faults[0].title.contains("image"), "{}", faults[0].title);
}

#[test]
fn two_independent_faults_are_two_incidents() {
    let mut world = World::new();
    let (one, two) =
        (App::deployment("shop/checkout"), App::deployment("shop/cart").container(json!({"image": "x:1"})));
    world.run(&one, [one.pod("a", status::crashed(1, "Error", 3, -5))]);
    world.run(&two, [two.pod("a", status::waiting("ErrImagePull", "x:1: not found", -20))]);
    world.refuse_logs();
    assert_eq!(faults(&world).len(), 2);
    world.look();
    assert_eq!(world.incidents().len(), 2);
}

#[test]
fn two_that_miss_the_same_host_outside_the_cluster_stay_two() {
    let mut world = World::new();
    for name in ["checkout", "cart"] {
        let app = App::deployment(&format!("shop/{name}"));
        let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
        world.run(&app, [pod.clone()]);
        world.log(&pod, "app", 3, "dial tcp: lookup db.example.com on 10.96.0.10:53: no such host");
    }
    let faults = faults(&world);
    assert_eq!(faults.len(), 2);
    assert!(
        faults
            .iter()
            .all(|f| f.causes[0].entity.kind == "External" && f.causes[0].entity.name.starts_with("db.example.com"))
    );
}

#[test]
fn a_lost_node_stays_one_fault_when_its_pods_also_fail_elsewhere() {
    let mut world = World::new();
    world.upsert(World::node_since("node-a", "Unknown", -60));
    for name in ["checkout", "cart"] {
        let app = App::deployment(&format!("shop/{name}")).replicas(2);
        world.run(&app, [app.pod("a", status::ready(-3600))]);
        world.upsert_all([app.service(json!({})), app.endpoints(&[false])]);
    }
    let faults = faults(&world);
    assert_eq!(faults.len(), 1, "{:?}", faults.iter().map(|f| &f.title).collect::<Vec<_>>());
    assert_eq!(faults[0].subject.key(), "Node//node-a");
    assert_eq!(faults[0].severity, Critical);
}

#[test]
fn a_cordoned_node_that_keeps_two_workloads_out_is_not_called_lost() {
    let mut world = World::new();
    world.upsert(object(
        "Node node-a",
        json!({"spec": {"unschedulable": true}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
    ));
    for name in ["checkout", "cart"] {
        let app = App::deployment(&format!("shop/{name}"));
        world.run(
            &app,
            [app.pod("a", status::unschedulable("0/1 nodes are available: 1 node(s) were unschedulable.", -30))],
        );
    }
    let faults = faults(&world);
    assert_eq!((faults.len(), faults[0].subject.key().as_str()), (1, "Node//node-a"));
    assert!(!faults[0].title.contains("not ready"), "{}", faults[0].title);
    assert!(
        faults[0].title.contains("cart, checkout") || faults[0].title.contains("cart and checkout"),
        "{}",
        faults[0].title
    );
}

#[test]
fn a_pod_that_is_only_starting_adds_neither_cause_nor_step_to_its_workloads_fault() {
    let probed = json!({
        "resources": {"limits": {"memory": "64Mi"}},
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10, "failureThreshold": 3},
    });
    let app = checkout().container(probed);
    let starting = app.pod("b", status::unready(-5));
    let told = event(&starting, "Warning", "Unhealthy", "Readiness probe failed: connection refused", -3, -3, 1);
    let mut world = world(&app, [app.pod("a", status::crashed(137, "OOMKilled", 3, -5)), starting]);
    world.upsert(told);
    let fault = |world: &World| world.diagnose().faults.into_iter().next().expect("a fault");
    let steps = |fault: &Fault| fault.actions.iter().filter(|a| a.kind == ActionKind::SetProbe).count();
    let early = fault(&world);
    assert!(early.findings.iter().any(|f| f.rule_id == "readiness-failing"), "it belongs to the fault");
    assert_eq!((early.causes.len(), steps(&early)), (1, 0), "it may be well in a moment");
    world.set_time(26);
    let late = fault(&world);
    assert_eq!((late.causes.len(), steps(&late)), (2, 1), "its budget is over");
}

#[test]
fn what_is_held_joins_a_fault_that_is_due() {
    // One pod crashed often, the other for the first time just now: its finding is held, but the fault is open.
    let app = checkout().replicas(2);
    let mut world = world(
        &app,
        [app.pod("a", status::crashed(1, "Error", 3, -5)), app.pod("b", status::crashed(1, "Error", 0, 0))],
    );
    world.refuse_logs();
    assert_eq!(faults(&world)[0].findings.len(), 2);
}

#[test]
fn a_quota_that_stops_two_workloads_is_one_fault_of_the_quota() {
    let mut world = World::new();
    world.upsert(object("ResourceQuota shop/team", json!({"status": {"hard": {"pods": "4"}, "used": {"pods": "4"}}})));
    for name in ["checkout", "cart"] {
        let app = App::deployment(&format!("shop/{name}"));
        let set = app.between(json!({"status": {"replicas": 0}})).expect("a ReplicaSet");
        world.upsert_all([app.top(json!({})), set.clone()]);
        world.upsert(event(&set, "Warning", "FailedCreate", "Error creating: pods \"x\" is forbidden: exceeded quota: team, requested: pods=1, used: pods=4, limited: pods=4", -30, -5, 2));
    }
    let faults = faults(&world);
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].subject.key(), "ResourceQuota/shop/team");
}

#[test]
fn the_runs_of_a_cron_job_are_one_fault_of_the_cron_job() {
    let mut cron = App::of(Kind::CronJob, "shop/report");
    let mut world = World::new();
    for run in 0..3 {
        cron = cron.revise(-300 + run * 60, json!({}));
        let failed = json!({"status": {"failed": 1, "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": at(-250 + run * 60)}]}});
        world.upsert_all([cron.top(json!({})), cron.between(failed).expect("a Job")]);
    }
    let faults = faults(&world);
    assert_eq!(faults.len(), 1);
    let fault = &faults[0];
    assert_eq!(fault.subject.key(), "CronJob/shop/report");
    // However often it runs, the record does not grow.
    assert_eq!((fault.findings.len(), fault.findings[0].count, fault.evidence.len()), (1, 3, 1));
    assert_eq!(fault.findings[0].fingerprint(), "job-failed|CronJob/shop/report|");
    assert_eq!(fault.started_at, t(-250), "since the first run that failed");
    assert!(fault.findings[0].message.contains("report-r4"), "the newest is told: {}", fault.findings[0].message);
}

#[test]
fn who_cannot_reach_a_crashing_database_is_part_of_its_fault() {
    let app = checkout();
    let database = App::of(Kind::StatefulSet, "shop/postgres");
    let (caller, called) =
        (app.pod("a", status::crashed(1, "Error", 3, -5)), database.pod("0", status::crashed(1, "Error", 3, -9)));
    let mut world = world(&app, [caller.clone()]);
    world.run(&database, [called.clone()]);
    world.upsert_all([database.service(json!({})), database.endpoints(&[false])]);
    world.log(&called, "app", 3, "PANIC: could not locate a valid checkpoint record");
    world.log(&caller, "app", 3, "dial tcp 10.0.0.7:80: connect: connection refused");
    let faults = faults(&world);
    assert_eq!(faults.len(), 1, "{:?}", faults.iter().map(|f| &f.title).collect::<Vec<_>>());
    let subjects: Vec<&str> = faults[0].findings.iter().map(|f| f.subject.name.as_str()).collect();
    assert!(subjects.contains(&"checkout") && subjects.contains(&"postgres"), "{subjects:?}");
}
