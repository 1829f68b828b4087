//! What a pod asks for and its template does not: a LimitRange or an admission webhook added it.

use super::placement::{NO_NODE, asks, waits};
use super::support::*;
use afterwatch_core::object::Kind;
use afterwatch_testkit::World;

#[test]
fn what_a_limit_range_gives_is_not_the_workloads_own() {
    let range = |list: &str, name: &str, amount: &str| {
        object("LimitRange shop/defaults", json!({"spec": {"limits": [{"type": "Container", list: {name: amount}}]}}))
    };
    let app = asks("cpu", "12");
    let message = "0/1 nodes are available: 1 Insufficient cpu.";
    let mut world = waits(&app, message);
    let told = |world: &World| world.diagnose().faults[0].causes[0].statement.clone();
    world.upsert(range("defaultRequest", "cpu", "12"));
    assert!(!told(&world).contains("LimitRange"), "it asks for it itself");
    world.upsert(checkout().between(json!({})).expect("a ReplicaSet"));
    check(&world, Expect { cause: "request-too-large", says: &["comes from LimitRange defaults"], ..NO_NODE });
    // The same of a limit.
    let app = checkout().container(json!({"resources": {"limits": {"memory": "24Mi"}}}));
    let mut world = crate::support::world(&app, [app.pod("a", status::crashed(137, "OOMKilled", 3, -5))]);
    world.upsert_all([checkout().between(json!({})).expect("a ReplicaSet"), range("default", "memory", "24Mi")]);
    assert!(told(&world).contains("it comes from LimitRange defaults"), "{}", told(&world));
}

#[test]
fn a_selector_that_was_added_on_the_way_is_not_the_templates() {
    let app = checkout().spec(json!({"nodeSelector": {"pool": "green"}}));
    let mut world = waits(&app, "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.");
    world.upsert(checkout().between(json!({})).expect("a ReplicaSet"));
    let says = &["added when the pod was made"];
    let fault = check(&world, Expect { cause: "node-selector-unmatched", verdict: Likely, says, ..NO_NODE });
    assert_eq!(fault.causes[0].field, None);
    // A RuntimeClass adds its own.
    let class = |app: App| app.spec(json!({"runtimeClassName": "sandboxed", "nodeSelector": {"pool": "green"}}));
    let mut world =
        waits(&class(checkout()), "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.");
    world.upsert(checkout().spec(json!({"runtimeClassName": "sandboxed"})).between(json!({})).expect("a ReplicaSet"));
    let (says, field) = (&["RuntimeClass sandboxed", "pool=green"][..], "spec.template.spec.runtimeClassName");
    check(&world, Expect { cause: "node-selector-unmatched", verdict: Likely, field, says, ..NO_NODE });
    // A template that was changed since says nothing of the pods of before.
    let mut world = waits(&app, "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.");
    world.upsert(checkout().top(json!({})));
    let field = "spec.template.spec.nodeSelector";
    check(&world, Expect { cause: "node-selector-unmatched", field, ..NO_NODE });
}

#[test]
fn a_default_that_was_raised_is_to_be_changed_not_the_workload_that_asks_for_nothing() {
    let range = |amount: &str, when: i64| {
        let by = json!({"manager": "capacity", "operation": "Update", "time": at(when)});
        let limits = json!([{"type": "Container", "defaultRequest": {"cpu": amount}}]);
        object("LimitRange shop/defaults", json!({"metadata": {"managedFields": [by]}, "spec": {"limits": limits}}))
    };
    let pending = || {
        let app = asks("cpu", "12");
        let waiting = status::unschedulable("0/1 nodes are available: 1 Insufficient cpu.", -30);
        world(&app, [app.pod_with("a", waiting, json!({"metadata": {"creationTimestamp": at(-40)}}))])
    };
    let mut world = pending();
    world.upsert(range("10m", -3000));
    world.upsert(range("12", -400));
    world.upsert(checkout().between(json!({})).expect("a ReplicaSet"));
    let expect = Expect {
        cause: "request-too-large",
        entity: "LimitRange/shop/defaults",
        says: &["comes from LimitRange defaults", "capacity changed that"],
        ..NO_NODE
    };
    let fault = check(&world, expect);
    assert_eq!(fault.actions[0].target.kind, "LimitRange", "{:?}", fault.actions);
    // Who lowered it did not bring that about.
    let mut world = pending();
    world.upsert(range("24", -3000));
    world.upsert(range("12", -400));
    world.upsert(checkout().between(json!({})).expect("a ReplicaSet"));
    let said = world.diagnose().faults[0].causes[0].statement.clone();
    assert!(!said.contains("capacity changed that"), "{said}");
}

#[test]
fn what_cannot_be_changed_in_place_is_to_be_made_anew() {
    let no_room = "0/1 nodes are available: 1 Insufficient cpu.";
    for (app, step) in [
        (App::of(Kind::Job, "shop/import"), "kubectl get job/import -n shop -o yaml"),
        (App::deployment("shop/import"), "kubectl set resources deployment/import -n shop -c app --requests=cpu=LESS"),
    ] {
        let app = app.container(json!({"resources": {"requests": {"cpu": "12"}}}));
        let fault = waits(&app, no_room).diagnose().faults.remove(0);
        let commands: Vec<&str> = fault.actions.iter().map(|a| &*a.command).collect();
        assert!(commands.contains(&step), "{commands:?}");
        assert!(!commands.iter().any(|c| c.contains("set resources job")), "{commands:?}");
    }
}
