//! Nodes that are lost or short of something.

use super::support::*;
use afterwatch_core::object::Kind;
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[
    ("node-not-ready", a_node_that_stopped_reporting_is_found),
    ("pod-on-lost-node", a_lost_node_takes_its_workloads_in),
    ("node-pressure", a_node_short_of_memory_is_found),
];

const LOST: Expect = Expect {
    rule: "node-not-ready",
    object: "Node//node-a",
    subject: "Node//node-a",
    entity: "Node//node-a",
    cause: "node-lost",
    says: &["node-a", "stopped reporting"],
    ..CHECKOUT
};

fn lost(status: &str) -> World {
    let mut world = World::new();
    world.upsert(World::node_since("node-a", status, -60));
    world
}

#[test]
fn a_node_that_stopped_reporting_is_found() {
    check(&lost("Unknown"), LOST);
}

#[test]
fn a_node_that_says_it_is_not_ready_is_found() {
    check(&lost("False"), Expect { says: &["node-a", "container runtime network not ready"], ..LOST });
}

#[test]
fn a_lost_node_takes_its_workloads_in() {
    let mut world = lost("Unknown");
    for path in ["shop/checkout", "shop/cart", "stock/depot"] {
        let app = App::deployment(path).replicas(2);
        world.run(&app, [app.pod("a", status::ready(-3600)), app.pod("b", status::ready(-3600))]);
    }
    let agent = App::of(Kind::DaemonSet, "ops/agent");
    world.run(&agent, [agent.pod("a", status::ready(-3600))]);
    let fault = check(&world, Expect { rule: "pod-on-lost-node", object: "Pod/shop/cart-r1-a", ..LOST });
    assert_eq!(
        fault.findings.iter().filter(|f| f.rule_id == "pod-on-lost-node").count(),
        3,
        "each workload once, DaemonSets are at home there"
    );
    assert!(fault.title.contains("node-a") && fault.title.contains("not ready"), "{}", fault.title);
}

#[test]
fn pods_that_fall_silent_with_their_node_are_part_of_its_fault() {
    let app = checkout().container(json!({"readinessProbe": {"tcpSocket": {"port": 8080}}}));
    let mut world = lost("Unknown");
    world.run(&app, [app.pod("a", status::unready(-58))]);
    check(&world, LOST);
}

#[test]
fn a_node_is_held_for_a_moment_and_a_new_one_is_given_time() {
    let mut world = World::new();
    world.upsert(World::node_since("node-a", "Unknown", 0));
    held(&mut world, 0, 10);
    let mut world = World::new();
    let mut young = World::node_since("node-b", "False", 0);
    young.meta_mut().creation_timestamp = Some(t(-5));
    world.upsert(young.clone());
    held(&mut world, 0, 180);
    // Its agents come before it is ready; what the scheduler puts there comes after.
    let on_it = |app: App| app.spec(json!({"nodeName": "node-b"}));
    for (app, hold) in
        [(on_it(App::of(Kind::DaemonSet, "ops/agent")), 180), (on_it(App::deployment("shop/checkout")), 10)]
    {
        let mut world = World::new();
        world.upsert(young.clone());
        world.run(&app, [app.pod("a", status::ready(-2))]);
        held(&mut world, 0, hold);
    }
}

#[test]
fn a_node_short_of_memory_is_found() {
    let mut world = World::new();
    let mut fields = json!({"status": {"conditions": [
        {"type": "Ready", "status": "True"},
        {"type": "MemoryPressure", "status": "True", "reason": "KubeletHasInsufficientMemory", "message": "kubelet has insufficient memory available", "lastTransitionTime": at(-30)},
    ]}});
    merge(&mut fields, &json!({"metadata": {"uid": "node-node-a"}}));
    world.upsert(object("Node node-a", fields));
    let expect = Expect {
        rule: "node-pressure",
        cause: "node-under-pressure",
        severity: High,
        says: &["node-a", "memory pressure", "insufficient memory"],
        ..LOST
    };
    check(&world, expect);
}

#[test]
fn healthy_cordoned_and_departing_nodes_are_silent() {
    silent(&World::new());
    let mut world = World::new();
    world.upsert(object(
        "Node node-a",
        json!({"spec": {"unschedulable": true}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
    ));
    silent(&world);
    let mut world = World::new();
    let mut leaving = World::node_since("node-a", "Unknown", -60);
    leaving.meta_mut().deletion_timestamp = Some(t(-5));
    world.upsert(leaving);
    silent(&world);
}
