//! Budgets that keep a node from being drained, and those that are only strict.

use super::support::*;
use afterwatch_core::{object::Object, severity::Severity::Low};
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[
    ("budget-blocks-drain", a_budget_that_never_lets_a_pod_go_blocks_a_drain),
    ("budget-cannot-count", a_budget_that_cannot_be_computed_is_told_low),
];

const BUDGET: Expect = Expect {
    rule: "budget-blocks-drain",
    object: "PodDisruptionBudget/shop/checkout",
    subject: "PodDisruptionBudget/shop/checkout",
    entity: "PodDisruptionBudget/shop/checkout",
    cause: "budget-allows-none",
    field: "spec.minAvailable",
    severity: Medium,
    ..CHECKOUT
};

const ALL: &str = "PodDisruptionBudget/shop/all-of-shop";
const OVERLAP: Expect =
    Expect { object: ALL, subject: ALL, entity: ALL, cause: "budgets-overlap", field: "spec.selector", ..BUDGET };

fn budget(name: &str, spec: Value, healthy: i32, must: i32, pods: i32, allowed: i32) -> Object {
    let mut value = json!({
        "spec": {"selector": {"matchLabels": {"app": "checkout"}}},
        "status": {"currentHealthy": healthy, "desiredHealthy": must, "expectedPods": pods, "disruptionsAllowed": allowed},
    });
    merge(&mut value, &json!({"spec": spec}));
    object(&format!("PodDisruptionBudget shop/{name}"), value)
}

fn cordoned(name: &str) -> Object {
    let mut node = World::node(name, "True");
    if let Object::Node(n) = &mut node {
        n.spec.unschedulable = true;
    }
    node
}

fn on(app: &App, suffix: &str, node: &str, status: Value) -> Object {
    app.pod_with(suffix, status, json!({"spec": {"nodeName": node}}))
}

/// Two ready pods of `checkout`, one on each node, and a pod of `cart` on `node-b`.
fn two_nodes() -> (World, App, Object) {
    let app = checkout().replicas(2);
    let mut world =
        world(&app, [on(&app, "a", "node-a", status::ready(-600)), on(&app, "b", "node-b", status::ready(-600))]);
    world.upsert(World::node("node-b", "True"));
    let cart = App::deployment("shop/cart");
    let beside = on(&cart, "a", "node-b", status::ready(-600));
    world.run(&cart, [beside.clone()]);
    (world, app, beside)
}

/// `node-b` is cordoned, and the pod of `cart` has left it.
fn draining(b: Object) -> World {
    let (mut world, _, beside) = two_nodes();
    world.upsert(b);
    world.upsert(cordoned("node-b"));
    world.set_time(2);
    world.delete(beside);
    world.set_time(60);
    world
}

#[test]
fn a_budget_that_never_lets_a_pod_go_blocks_a_drain() {
    let world = draining(budget("checkout", json!({"minAvailable": 2}), 2, 2, 2, 0));
    let fault = check(
        &world,
        Expect {
            says: &["minAvailable 2", "2 pods", "Deployment checkout", "Node node-b", "checkout-r1-b", "0 may go"],
            ..BUDGET
        },
    );
    assert!(fault.actions.iter().any(|a| a.command.contains("kubectl edit pdb checkout -n shop")));
}

#[test]
fn no_pod_unavailable_blocks_as_well() {
    let world = draining(budget("checkout", json!({"maxUnavailable": 0}), 2, 2, 2, 0));
    check(&world, Expect { field: "spec.maxUnavailable", says: &["maxUnavailable 0"], ..BUDGET });
    let world = draining(budget("checkout", json!({"minAvailable": "100%"}), 2, 2, 2, 0));
    check(&world, Expect { says: &["100%"], ..BUDGET });
    // More than there are.
    let world = draining(budget("checkout", json!({"minAvailable": 3}), 2, 3, 2, 0));
    check(&world, Expect { says: &["minAvailable 3", "3 must stay"], ..BUDGET });
}

#[test]
fn a_drain_takes_its_time() {
    let (mut world, _, beside) = two_nodes();
    world.upsert(budget("checkout", json!({"minAvailable": 2}), 2, 2, 2, 0));
    world.upsert(cordoned("node-b"));
    world.delete(beside);
    held(&mut world, 0, 30);
}

#[test]
fn a_strict_budget_without_a_drain_is_silent() {
    let (mut world, _, _) = two_nodes();
    world.upsert(budget("checkout", json!({"minAvailable": 2}), 2, 2, 2, 0));
    silent(&world);
}

#[test]
fn a_node_that_is_only_cordoned_keeps_other_pods_too() {
    let (mut world, _, _) = two_nodes();
    world.upsert(budget("checkout", json!({"minAvailable": 2}), 2, 2, 2, 0));
    world.upsert(cordoned("node-b"));
    world.set_time(300);
    silent(&world);
}

#[test]
fn a_cordon_of_a_node_with_nothing_else_on_it_is_only_likely_a_drain() {
    let (mut world, _, beside) = two_nodes();
    world.delete(beside);
    world.set_time(10);
    world.upsert(budget("checkout", json!({"minAvailable": 2}), 2, 2, 2, 0));
    world.upsert(cordoned("node-b"));
    world.set_time(60);
    check(&world, Expect { verdict: Likely, ..BUDGET });
}

#[test]
fn pods_of_daemons_and_of_the_node_itself_do_not_count() {
    let (mut world, _, beside) = two_nodes();
    let agent = App::of(afterwatch_core::object::Kind::DaemonSet, "ops/agent");
    world.run(&agent, [on(&agent, "b", "node-b", status::ready(-600))]);
    world.upsert(budget("checkout", json!({"minAvailable": 2}), 2, 2, 2, 0));
    world.upsert(cordoned("node-b"));
    world.set_time(2);
    world.delete(beside);
    world.set_time(60);
    check(&world, BUDGET);
}

#[test]
fn a_budget_that_waits_for_a_replacement_is_silent() {
    // One of three was evicted and its replacement starts.
    let world = draining(budget("checkout", json!({"minAvailable": 2}), 2, 2, 3, 0));
    patient(&world);
    // One may still go.
    silent(&draining(budget("checkout", json!({"minAvailable": 1}), 2, 1, 2, 1)));
}

#[test]
fn a_refused_eviction_that_somebody_wrote_down_is_proof() {
    let (mut world, app, _) = two_nodes();
    world.upsert(budget("checkout", json!({"minAvailable": 2}), 2, 2, 2, 0));
    let pod = on(&app, "b", "node-b", status::ready(-600));
    world.upsert(event(
        &pod,
        "Warning",
        "EvictionBlocked",
        "Cannot evict pod as it would violate the pod's disruption budget.",
        0,
        40,
        5,
    ));
    world.set_time(60);
    check(&world, BUDGET);
}

#[test]
fn an_autoscaler_that_empties_a_node_marks_it() {
    let (mut world, _, beside) = two_nodes();
    world.delete(beside);
    world.set_time(10);
    world.upsert(budget("checkout", json!({"minAvailable": 2}), 2, 2, 2, 0));
    let mut node = World::node("node-b", "True");
    merge_taint(&mut node);
    world.upsert(node);
    world.set_time(600);
    check(&world, BUDGET);
}

fn merge_taint(node: &mut Object) {
    if let Object::Node(n) = node {
        n.spec.taints =
            serde_json::from_value(json!([{"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule"}]))
                .expect("taints");
    }
}

#[test]
fn a_pod_that_two_budgets_cover_is_never_evicted() {
    let (mut world, _, beside) = two_nodes();
    world.upsert(budget("checkout", json!({"minAvailable": 1}), 2, 1, 2, 0));
    let mut second = budget("all-of-shop", json!({"minAvailable": 1}), 2, 1, 2, 0);
    second.meta_mut().creation_timestamp = Some(t(-60));
    world.upsert(second);
    world.upsert(cordoned("node-b"));
    world.set_time(2);
    world.delete(beside);
    world.set_time(60);
    check(&world, Expect { says: &["2 PodDisruptionBudgets", "all-of-shop", "more than one"], ..OVERLAP });
}

#[test]
fn two_budgets_that_would_each_allow_one_to_go_allow_none() {
    let (mut world, _, beside) = two_nodes();
    world.delete(beside);
    for name in ["checkout", "all-of-shop"] {
        let mut b = budget(name, json!({"maxUnavailable": 1}), 2, 1, 2, 1);
        b.meta_mut().creation_timestamp = Some(t(if name == "checkout" { -900 } else { -60 }));
        world.upsert(b);
    }
    world.set_time(60);
    silent(&world);
    world.upsert(cordoned("node-b"));
    world.set_time(120);
    let fault =
        check(&world, Expect { verdict: Likely, says: &["checkout", "all-of-shop", "more than one"], ..OVERLAP });
    assert_eq!(fault.causes.len(), 1);
}

#[test]
fn a_budget_of_nobody_is_silent() {
    let (mut world, _, _) = two_nodes();
    let nobody = json!({"minAvailable": 1, "selector": {"matchLabels": {"app": "gone"}}});
    world.upsert(budget("gone", nobody, 0, 1, 0, 0));
    world.upsert(cordoned("node-b"));
    world.set_time(300);
    silent(&world);
}

#[test]
fn a_budget_that_cannot_be_computed_is_told_low() {
    let (mut world, _, _) = two_nodes();
    let mut b = budget("checkout", json!({"maxUnavailable": 1}), 0, 0, 0, 0);
    if let Object::PodDisruptionBudget(b) = &mut b {
        b.status.conditions = serde_json::from_value(json!([{
            "type": "DisruptionAllowed", "status": "False", "reason": "SyncFailed",
            "message": "found no controllers for pod \"checkout-r1-a\"", "lastTransitionTime": at(-120),
        }]))
        .expect("conditions");
    }
    world.upsert(b);
    check(
        &world,
        Expect {
            rule: "budget-cannot-count",
            cause: "budget-cannot-count",
            field: "spec.selector",
            severity: Low,
            says: &["SyncFailed", "found no controllers"],
            ..BUDGET
        },
    );
}
