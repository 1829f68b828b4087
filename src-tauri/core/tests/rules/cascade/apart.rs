//! What sleeps, hubs that everybody has in common, and faults that have nothing to do with each other.

use super::*;

// Asleep.

fn asleep(world: &mut World) -> App {
    let backend = App::deployment("shop/backend").replicas(0);
    world.run(&backend, []);
    world.upsert_all([backend.service(json!({})), backend.endpoints(&[])]);
    backend
}

#[test]
fn a_backend_that_is_scaled_to_zero_and_called_is_the_cause() {
    let mut world = World::new();
    asleep(&mut world);
    crashing(&mut world, &calls("shop/web", "backend"), -20, &refused("backend"));
    let fault = one(&world);
    cause(&fault, "dependency-scaled-to-zero", "Deployment/shop/backend");
    assert_eq!(fault.causes[0].field.as_deref(), Some("spec.replicas"));
    assert_eq!(fault.verdict(), Established);
    says(&fault.causes[0], &["backend", "zero", "spec.replicas: 0", "web"]);
    let scale = fault.actions.iter().find(|a| a.kind == ActionKind::Scale).expect("a step that wakes it");
    assert_eq!(scale.command, "kubectl scale deployment/backend -n shop --replicas=1");
    assert_eq!(fault.subject.key(), "Deployment/shop/web");
}

#[test]
fn who_scaled_it_to_zero_is_told_and_suspect() {
    let mut world = World::new().at(-60);
    let backend = App::deployment("shop/backend").replicas(2);
    world.run(&backend, []);
    world.upsert_all([backend.service(json!({})), backend.endpoints(&[])]);
    world.set_time(-40);
    world.upsert(backend.replicas(0).top(
        json!({"metadata": {"managedFields": [{"manager": "night-saver", "operation": "Update", "time": at(-40)}]}}),
    ));
    world.set_time(0);
    crashing(&mut world, &calls("shop/web", "backend"), -20, &refused("backend"));
    let fault = one(&world);
    says(&fault.causes[0], &["night-saver", "from 2 to 0"]);
    assert!(fault.changes.iter().any(|(c, suspect)| c.object.name == "backend" && *suspect), "{:?}", fault.changes);
    assert!(fault.actions.iter().any(|a| a.command.ends_with("--replicas=2")));
}

#[test]
fn two_callers_of_what_is_asleep_are_one_fault() {
    let mut world = World::new();
    asleep(&mut world);
    for name in ["web", "cart"] {
        crashing(&mut world, &calls(&format!("shop/{name}"), "backend"), -20, &refused("backend"));
    }
    cause(&one(&world), "dependency-scaled-to-zero", "Deployment/shop/backend");
}

#[test]
fn what_is_asleep_and_called_by_nobody_who_fails_is_silent() {
    let mut world = World::new();
    asleep(&mut world);
    let web = calls("shop/web", "backend");
    world.run(&web, [web.pod("a", status::ready(-3000))]);
    silent(&world);
}

#[test]
fn what_sleeps_for_long_is_not_blamed_for_what_does_not_name_it() {
    let mut world = World::new();
    asleep(&mut world);
    crashing(&mut world, &calls("shop/web", "backend"), -20, "exiting");
    let fault = one(&world);
    assert_eq!(fault.causes[0].rule_id, "container-exits", "{}", fault.causes[0].statement);
}

// DNS and other hubs.

fn dns(world: &mut World, ready: bool) -> App {
    let dns = App::deployment("kube-system/coredns");
    let service = json!({"metadata": {"labels": {"k8s-app": "kube-dns"}}, "spec": {"clusterIP": "10.96.0.10", "selector": {"app": "coredns"}}});
    world.upsert(object("Service kube-system/kube-dns", service));
    let slice = json!({"metadata": {"labels": {"kubernetes.io/service-name": "kube-dns"}}, "endpoints": [{"addresses": ["10.1.0.9"], "conditions": {"ready": ready}}], "ports": [{"port": 53}]});
    world.upsert(object("EndpointSlice kube-system/kube-dns-1", slice));
    dns
}

#[test]
fn a_broken_dns_takes_in_who_cannot_resolve_names() {
    let mut world = World::new();
    let coredns = dns(&mut world, false);
    crashing(
        &mut world,
        &coredns,
        -60,
        "plugin/forward: unknown directive 'forwrad' /etc/coredns/Corefile:3 - Error during parsing",
    );
    for name in ["web", "cart"] {
        crashing(
            &mut world,
            &App::deployment(&format!("shop/{name}")),
            -20,
            "lookup db.example.com on 10.96.0.10:53: server misbehaving",
        );
    }
    let fault = one(&world);
    assert_eq!(fault.causes[0].entity.key(), "Deployment/kube-system/coredns", "{}", fault.causes[0].statement);
}

#[test]
fn a_dns_that_answers_is_no_link_whatever_one_of_its_pods_does() {
    let mut world = World::new();
    let coredns = dns(&mut world, true);
    crashing(&mut world, &coredns, -60, "panic: runtime error");
    crashing(&mut world, &App::deployment("shop/web"), -20, "lookup db.example.com on 10.96.0.10:53: no such host");
    several(&world, 2);
}

#[test]
fn a_broken_dns_is_no_link_for_what_does_not_fail_by_names() {
    let mut world = World::new();
    let coredns = dns(&mut world, false);
    crashing(&mut world, &coredns, -60, "panic: runtime error");
    crashing(&mut world, &App::deployment("shop/web"), -20, "KeyError: 'DATABASE_URL'");
    several(&world, 2);
}

#[test]
fn the_api_server_is_everybodys_neighbour_and_no_link() {
    let mut world = World::new();
    let api = App::deployment("default/kubernetes");
    world.upsert_all([api.service(json!({"spec": {"clusterIP": "10.96.0.1"}})), api.endpoints(&[false])]);
    crashing(&mut world, &api, -60, "panic: boom");
    crashing(&mut world, &App::deployment("shop/web"), -20, "dial tcp 10.96.0.1:443: connect: connection refused");
    several(&world, 2);
}

// No link.

#[test]
fn two_faults_at_one_moment_on_one_node_in_one_namespace_stay_two() {
    let mut world = World::new();
    let db = database();
    crashing(&mut world, &db, -20, "FATAL: invalid value 'x' for max_connections");
    dead_service(&mut world, &db);
    crashing(&mut world, &App::deployment("shop/web"), -20, "KeyError: 'DATABASE_URL'");
    several(&world, 2);
}

#[test]
fn a_refused_connection_to_somebody_else_is_no_link() {
    let mut world = World::new();
    let db = database();
    crashing(&mut world, &db, -60, "FATAL: invalid value 'x' for max_connections");
    dead_service(&mut world, &db);
    crashing(&mut world, &calls("shop/web", "orders-db"), -20, "dial tcp 192.0.2.7:6379: connect: connection refused");
    // Its configuration names the database, which went down just before; the log names something outside.
    assert!(!world.diagnose().faults.is_empty());
    let two = several(&world, 2);
    assert!(two.iter().any(|f| f.subject.name == "web"));
}

#[test]
fn a_cause_of_its_own_is_not_explained_by_what_it_calls() {
    let mut world = World::new();
    let db = database();
    crashing(&mut world, &db, -60, "FATAL: invalid value 'x' for max_connections");
    dead_service(&mut world, &db);
    let web = calls("shop/web", "orders-db").container(json!({"image": "registry.test/web:9"}));
    world.run(&web, [web.pod("a", status::waiting("ErrImagePull", "registry.test/web:9: not found", -30))]);
    let two = several(&world, 2);
    assert!(two.iter().all(|f| subjects(f).len() == 1));
}

#[test]
fn a_stuck_roll_out_with_a_cause_of_its_own_stays_with_it() {
    let mut world = World::new();
    let db = database();
    crashing(&mut world, &db, -600, "FATAL: invalid value 'x' for max_connections");
    dead_service(&mut world, &db);
    let web = calls("shop/web", "orders-db").container(json!({"image": "registry.test/web:9"}));
    world.run(&web, [web.pod("a", status::waiting("ErrImagePull", "registry.test/web:9: not found", -700))]);
    world.upsert(web.top(json!({"status": {"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "lastTransitionTime": at(-60)}]}})));
    several(&world, 2);
}

#[test]
fn what_failed_long_after_its_caller_did_not_break_it() {
    let mut world = World::new();
    let db = database();
    crashing(&mut world, &db, -30, "FATAL: invalid value 'x' for max_connections");
    dead_service(&mut world, &db);
    crashing(&mut world, &calls("shop/web", "orders-db"), -3000, "exiting");
    several(&world, 2);
}

#[test]
fn what_is_broken_for_days_is_not_blamed_for_what_does_not_name_it() {
    let mut world = World::new();
    let db = database().container(json!({"image": "registry.test/db:9"}));
    world.run(
        &db,
        [db.pod_with(
            "0",
            status::waiting("ImagePullBackOff", "registry.test/db:9: not found", -86_400),
            json!({"metadata": {"creationTimestamp": at(-86_400)}}),
        )],
    );
    dead_service(&mut world, &db);
    crashing(&mut world, &calls("shop/web", "orders-db"), -20, "exiting");
    several(&world, 2);
}
