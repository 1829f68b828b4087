//! Loud neighbours: what is old, over, or somebody else's neither joins a fault nor stands before it.

use std::sync::Arc;

use super::support::*;
use afterwatch_core::{
    correlate::Fault,
    object::{Kind, Object},
};
use afterwatch_testkit::World;

/// The fault that all of these tests have: `checkout` exceeds its memory limit.
fn trouble(world: &mut World) {
    let app = checkout().container(json!({"resources": {"limits": {"memory": "64Mi"}}}));
    world.run(&app, [app.pod("a", status::crashed(137, "OOMKilled", 3, -5))]);
    world.upsert_all([app.service(json!({})), app.endpoints(&[false])]);
}

/// It is the first fault, alone in it, and there are so many.
#[track_caller]
fn stays_alone(world: &World, faults: usize) -> Fault {
    let all = world.diagnose().faults;
    let titles: Vec<&str> = all.iter().map(|f| f.title.as_str()).collect();
    assert_eq!(all.len(), faults, "{titles:?}");
    let fault = all.into_iter().find(|f| f.subject.key() == "Deployment/shop/checkout").expect("its fault");
    sound(world, &fault);
    assert_eq!(fault.causes[0].rule_id, "memory-limit-too-low");
    let others: Vec<&str> =
        fault.findings.iter().map(|f| f.subject.name.as_str()).filter(|n| *n != "checkout").collect();
    assert!(others.is_empty(), "{others:?} are not part of it");
    Arc::unwrap_or_clone(fault)
}

#[test]
fn a_pod_with_old_restarts_is_no_fault() {
    let mut world = World::new();
    trouble(&mut world);
    let old = App::deployment("shop/cart");
    world.run(&old, [old.pod("a", status::restarted(1, "Error", 41, -7200, -7190))]);
    stays_alone(&world, 1);
}

#[test]
fn a_crash_loop_in_another_namespace_is_a_fault_of_its_own() {
    let mut world = World::new();
    trouble(&mut world);
    let loud = App::deployment("legacy/importer");
    let pod = loud.pod("a", status::backing_off(1, "Error", 800, -100));
    world.run(&loud, [pod.clone()]);
    world.upsert(event(&pod, "Warning", "BackOff", "Back-off restarting failed container app in pod", -3500, -2, 4000));
    world.refuse_logs();
    stays_alone(&world, 2);
}

#[test]
fn a_crash_loop_in_the_same_namespace_is_a_fault_of_its_own() {
    let mut world = World::new();
    trouble(&mut world);
    let loud = App::deployment("shop/importer");
    world.run(&loud, [loud.pod("a", status::backing_off(1, "Error", 800, -100))]);
    world.refuse_logs();
    stays_alone(&world, 2);
}

#[test]
fn warnings_about_what_is_well_say_nothing() {
    let mut world = World::new();
    trouble(&mut world);
    let well = App::deployment("shop/cart");
    let pod = well.pod("a", status::ready(-3000));
    world.run(&well, [pod.clone()]);
    for (reason, message) in [
        ("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"),
        ("BackOff", "Back-off restarting failed container app in pod"),
        ("FailedScheduling", "0/3 nodes are available: 3 Insufficient cpu."),
        ("FailedMount", "MountVolume.SetUp failed for volume \"config\" : configmap \"flags\" not found"),
        ("Failed", "Error: ImagePullBackOff"),
        ("FailedCreatePodSandBox", "Failed to create pod sandbox: network is not ready"),
    ] {
        world.upsert(event(&pod, "Warning", reason, message, -2990, -2980, 3));
    }
    world.upsert(event(&well.top(json!({})), "Warning", "FailedCreate", "Error creating: quota", -2990, -2980, 3));
    stays_alone(&world, 1);
}

#[test]
fn completed_jobs_and_evicted_leftovers_are_no_faults() {
    let mut world = World::new();
    trouble(&mut world);
    let job = App::of(Kind::Job, "shop/import").spec(json!({"restartPolicy": "Never"}));
    world.run(&job, [job.pod("a", status::finished(0, -600)), job.pod("b", status::finished(1, -700))]);
    world.upsert(job.top(json!({"status": {"succeeded": 1, "failed": 1, "conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": at(-600)}]}})));
    let well = App::deployment("shop/cart");
    let mut evicted = status::finished(137, -1200);
    merge(
        &mut evicted,
        &json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}),
    );
    world.run(&well, [well.pod("a", status::ready(-1100)), well.pod("old", evicted)]);
    stays_alone(&world, 1);
}

#[test]
fn a_neighbour_on_the_same_node_is_no_part_of_it() {
    let mut world = World::new();
    trouble(&mut world);
    for n in 0..3 {
        let app = App::deployment(&format!("other/app-{n}")).container(json!({"image": "x:9"}));
        world.run(&app, [app.pod("a", status::waiting("ErrImagePull", "x:9: not found", -60))]);
    }
    stays_alone(&world, 4);
}

#[test]
fn who_only_names_the_broken_service_and_is_well_is_no_part_of_it() {
    let mut world = World::new();
    trouble(&mut world);
    let web =
        App::deployment("shop/web").container(json!({"env": [{"name": "CHECKOUT_URL", "value": "http://checkout"}]}));
    world.run(&web, [web.pod("a", status::ready(-3000))]);
    stays_alone(&world, 1);
}

#[test]
fn a_node_of_another_workload_under_pressure_is_a_fault_of_its_own() {
    let mut world = World::new();
    trouble(&mut world);
    world.upsert(object(
        "Node node-z",
        json!({"status": {"conditions": [
            {"type": "Ready", "status": "True"},
            {"type": "DiskPressure", "status": "True", "reason": "KubeletHasDiskPressure", "lastTransitionTime": at(-60)},
        ]}}),
    ));
    stays_alone(&world, 2);
}

#[test]
fn changes_all_around_are_not_tied_to_it() {
    let mut world = World::new().at(-60);
    let mut neighbours = Vec::new();
    for n in 0..20 {
        let app = App::deployment(&format!("shop/app-{n}"));
        world.run(&app, [app.pod("a", status::ready(-3000))]);
        neighbours.push(app);
    }
    world.set_time(-20);
    for app in neighbours {
        world.upsert(app.container(json!({"image": "registry.test/new:2"})).top(json!({})));
    }
    world.set_time(0);
    trouble(&mut world);
    let fault = stays_alone(&world, 1);
    assert!(fault.changes.iter().all(|(c, _)| !c.object.name.starts_with("app-")), "{:?}", fault.changes);
}

#[test]
fn twenty_faults_of_twenty_workloads_are_twenty() {
    let mut world = World::new();
    for n in 0..20 {
        let app =
            App::deployment(&format!("shop/app-{n}")).container(json!({"resources": {"limits": {"memory": "64Mi"}}}));
        world.run(&app, [app.pod("a", status::crashed(137, "OOMKilled", 3, -5))]);
    }
    let faults = world.diagnose().faults;
    assert_eq!(faults.len(), 20);
    assert!(faults.iter().all(|f| f.findings.len() == 1));
}

// What was ruled out.

#[track_caller]
fn ruled_out(fault: &Fault, words: &[&str], result: &str) {
    let found = fault.ruled_out.iter().find(|r| words.iter().all(|w| r.statement.contains(w)));
    let all: Vec<&str> = fault.ruled_out.iter().map(|r| r.statement.as_str()).collect();
    let found = found.unwrap_or_else(|| panic!("{words:?} is not among {all:#?}"));
    assert_eq!(found.result, result, "{}", found.statement);
    assert!(result == "open" || !found.evidence.is_empty(), "nothing shows: {}", found.statement);
}

fn caller(world: &mut World, words: &str) -> Object {
    let app =
        App::deployment("shop/web").container(json!({"env": [{"name": "DB_URL", "value": "postgres://db:5432/x"}]}));
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    world.run(&app, [pod.clone()]);
    world.log(&pod, "app", 3, words);
    pod
}

#[track_caller]
fn only(world: &World) -> Fault {
    let mut faults = world.diagnose().faults;
    assert_eq!(faults.len(), 1);
    let fault = faults.remove(0);
    sound(world, &fault);
    Arc::unwrap_or_clone(fault)
}

fn dns(world: &mut World) {
    let app = App::deployment("kube-system/coredns").replicas(2);
    world.run(&app, [app.pod("a", status::ready(-3000)), app.pod("b", status::ready(-3000))]);
    world.upsert(object("Service kube-system/kube-dns", json!({"metadata": {"labels": {"k8s-app": "kube-dns"}}, "spec": {"clusterIP": "10.96.0.10", "selector": {"app": "coredns"}}})));
    world.upsert(object("EndpointSlice kube-system/kube-dns-1", json!({"metadata": {"labels": {"kubernetes.io/service-name": "kube-dns"}}, "endpoints": [{"addresses": ["10.1.0.9"], "conditions": {"ready": true}}, {"addresses": ["10.1.0.10"], "conditions": {"ready": true}}]})));
}

#[test]
fn a_dns_with_ready_endpoints_is_ruled_out_where_names_fail() {
    let mut world = World::new();
    dns(&mut world);
    caller(&mut world, "lookup db.example.com on 10.96.0.10:53: no such host");
    ruled_out(&only(&world), &["DNS", "kube-dns", "2 ready endpoints"], "no");
}

#[test]
fn a_dns_that_cannot_be_seen_stays_open() {
    let mut world = World::new();
    caller(&mut world, "lookup db.example.com on 10.96.0.10:53: no such host");
    ruled_out(&only(&world), &["DNS"], "open");
}

#[test]
fn dns_is_not_spoken_of_where_nothing_is_looked_up() {
    let mut world = World::new();
    dns(&mut world);
    trouble(&mut world);
    assert!(only(&world).ruled_out.iter().all(|r| !r.statement.contains("DNS")));
}

#[test]
fn a_dependency_that_is_ready_and_never_restarted_is_ruled_out() {
    let mut world = World::new();
    let db = App::of(Kind::StatefulSet, "shop/db");
    world.run(&db, [db.pod("0", status::ready(-3000))]);
    world.upsert_all([db.service(json!({})), db.endpoints(&[true])]);
    caller(&mut world, "dial tcp: connect to db:80 failed: connection refused");
    // What nobody asks is ready whatever it does.
    assert!(only(&world).ruled_out.iter().all(|r| !r.statement.contains("not restarted")));
    let db = db.container(json!({"readinessProbe": {"tcpSocket": {"port": 8080}}}));
    world.upsert(db.pod("0", status::ready(-3000)));
    ruled_out(&only(&world), &["StatefulSet db", "ready", "not restarted"], "no");
}

#[test]
fn a_dependency_that_restarted_just_before_is_not_ruled_out() {
    let mut world = World::new();
    let db = App::of(Kind::StatefulSet, "shop/db");
    world.run(&db, [db.pod("0", status::restarted(1, "Error", 1, -60, -58))]);
    world.upsert_all([db.service(json!({})), db.endpoints(&[true])]);
    caller(&mut world, "dial tcp: connect to db:80 failed: connection refused");
    assert!(only(&world).ruled_out.iter().all(|r| !r.statement.contains("not restarted")));
}

#[test]
fn no_change_in_the_hour_before_is_told_where_it_was_watched() {
    let mut world = World::unread().at(-7200);
    for kind in Kind::ALL {
        world.list(*kind, Vec::new());
    }
    world.set_time(0);
    let app = checkout().container(json!({"resources": {"limits": {"memory": "64Mi"}}}));
    world.set_time(-7000);
    world.run(&app, [app.pod("a", status::ready(-7000))]);
    world.set_time(0);
    world.upsert(app.pod("a", status::crashed(137, "OOMKilled", 3, -5)));
    ruled_out(&only(&world), &["change", "hour before"], "no");
}

#[test]
fn that_nothing_changed_stays_open_where_it_was_not_watched() {
    let mut world = World::unread().at(-60);
    for kind in Kind::ALL {
        world.list(*kind, Vec::new());
    }
    world.set_time(0);
    trouble(&mut world);
    ruled_out(&only(&world), &["change", "hour before"], "open");
}

#[test]
fn a_quota_with_room_is_ruled_out_where_pods_are_missing() {
    let mut world = World::new();
    world.upsert(object("ResourceQuota shop/team", json!({"status": {"hard": {"pods": "40"}, "used": {"pods": "4"}}})));
    let app = checkout();
    world.run(&app, [app.pod("a", status::unschedulable("0/1 nodes are available: 1 Insufficient cpu.", -60))]);
    ruled_out(&only(&world), &["quota", "team", "4 of 40"], "no");
}

#[test]
fn a_quota_that_is_nearly_used_up_is_not_ruled_out() {
    let mut world = World::new();
    world
        .upsert(object("ResourceQuota shop/team", json!({"status": {"hard": {"pods": "40"}, "used": {"pods": "39"}}})));
    let app = checkout();
    world.run(&app, [app.pod("a", status::unschedulable("0/1 nodes are available: 1 Insufficient cpu.", -60))]);
    assert!(only(&world).ruled_out.iter().all(|r| !r.statement.contains("quota")));
}

#[test]
fn an_image_that_others_run_well_with_is_ruled_out() {
    let app = checkout().replicas(3);
    let mut world = world(
        &app,
        [
            app.pod("a", status::crashed(1, "Error", 3, -5)),
            app.pod("b", status::ready(-3000)),
            app.pod("c", status::ready(-3000)),
        ],
    );
    world.refuse_logs();
    ruled_out(&only(&world), &["2 other pods", "same template", "ready"], "no");
}
