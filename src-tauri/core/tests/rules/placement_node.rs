//! Nodes that took a workload's pods until somebody changed them, and nodes that the cluster itself keeps pods off.

use super::placement::{NO_NODE, node, waits};
use super::support::*;
use afterwatch_core::object::{Kind, Object};
use afterwatch_testkit::World;

/// A workload that asks for a node whose fields were other ones until `ops` changed them 40 s ago.
fn changed(app: &App, message: &str, before: Value, after: Value) -> World {
    let mut world = waits(app, message);
    world.set_time(-3000);
    world.upsert(node("node-a", before));
    world.set_time(-40);
    let mut now = json!({"metadata": {"managedFields": [{"manager": "ops", "operation": "Update", "time": at(-40)}]}});
    merge(&mut now, &after);
    world.upsert(node("node-a", now));
    world.set_time(0);
    world
}

const SELECTOR: &str = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";

#[test]
fn a_label_that_somebody_took_off_a_node_is_the_nodes() {
    let labels = |tier: &str| json!({"metadata": {"labels": {"tier": tier, "disk": "ssd"}}});
    let terms =
        json!({"nodeSelectorTerms": [{"matchExpressions": [{"key": "tier", "operator": "In", "values": ["fast"]}]}]});
    let affinity = json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}});
    for asks in [json!({"nodeSelector": {"tier": "fast"}}), affinity] {
        let world = changed(&checkout().spec(asks), SELECTOR, labels("fast"), labels("slow"));
        let expect = Expect {
            cause: "node-label-lost",
            entity: "Node//node-a",
            field: "labels.tier",
            says: &["node-a", "tier=fast", "ops changed it"],
            ..NO_NODE
        };
        let fault = check(&world, expect);
        assert!(fault.changes.iter().any(|(c, suspect)| *suspect && c.who.as_deref() == Some("ops")));
    }
    // Another label went, or the workload came later: it never had a place there.
    let other = checkout().spec(json!({"nodeSelector": {"tier": "medium"}}));
    let expect = Expect { cause: "node-selector-unmatched", ..NO_NODE };
    check(&changed(&other, SELECTOR, labels("fast"), labels("slow")), expect);
    let late = checkout().spec(json!({"nodeSelector": {"tier": "fast"}}));
    let mut world = changed(&late, SELECTOR, labels("fast"), labels("slow"));
    world.upsert(late.top(json!({"metadata": {"creationTimestamp": at(-35)}})));
    check(&world, expect);
}

#[test]
fn who_only_takes_a_label_away_leaves_no_entry_and_nobody_else_is_named() {
    let written = |at_: i64| json!([{"manager": "ops", "operation": "Update", "time": at(at_)}]);
    const SOMEBODY: &[&str] = &["tier=fast", "somebody changed it"];
    const OPS: &[&str] = &["tier=fast", "ops changed it"];
    for (entry, says) in [(-3000, SOMEBODY), (-41, OPS)] {
        let mut world = waits(&checkout().spec(json!({"nodeSelector": {"tier": "fast"}})), SELECTOR);
        world.set_time(entry);
        let fields = json!({"metadata": {"labels": {"tier": "fast"}, "managedFields": written(entry)}});
        world.upsert(node("node-a", fields));
        world.set_time(-40);
        world.upsert(node("node-a", json!({"metadata": {"managedFields": written(entry)}})));
        world.set_time(0);
        let fault = check(
            &world,
            Expect { cause: "node-label-lost", entity: "Node//node-a", field: "labels.tier", says, ..NO_NODE },
        );
        assert!(fault.changes.iter().any(|(c, suspect)| *suspect && c.summary.contains("tier removed")));
    }
}

#[test]
fn a_taint_that_somebody_gave_a_node_is_the_nodes() {
    let taint = |key: &str, value: &str| json!({"key": key, "value": value, "effect": "NoExecute"});
    let tainted = |taints: Value| json!({"spec": {"taints": taints}});
    let message = "0/1 nodes are available: 1 node(s) had untolerated taint {window: monday}.";
    let now = tainted(json!([taint("window", "monday")]));
    let expect = Expect {
        cause: "node-newly-tainted",
        entity: "Node//node-a",
        field: "spec.taints.window:NoExecute",
        says: &["window=monday:NoExecute", "node-a", "ops changed it"],
        ..NO_NODE
    };
    let fault = check(&changed(&checkout(), message, json!({}), now.clone()), expect);
    assert!(fault.changes.iter().any(|(c, suspect)| *suspect && c.object.key() == "Node//node-a"));
    // Made, placed and thrown off within one second.
    let app = checkout();
    let mut world = changed(&app, message, json!({}), now.clone());
    world.upsert(app.top(json!({"metadata": {"creationTimestamp": at(-40)}})));
    check(&world, expect);
    // It bore the taint before, and only another one is new.
    let both = tainted(json!([taint("window", "monday"), taint("zeal", "low")]));
    check(&changed(&checkout(), message, now, both), Expect { cause: "taint-not-tolerated", ..NO_NODE });
}

#[test]
fn what_the_cluster_taints_a_node_for_is_the_nodes_trouble() {
    for (key, cause, says) in [
        ("node.kubernetes.io/network-unavailable", "node-without-network", "has no network"),
        ("node.cloudprovider.kubernetes.io/uninitialized", "node-uninitialized", "uninitialized"),
    ] {
        let mut world =
            waits(&checkout(), &format!("0/1 nodes are available: 1 node(s) had untolerated taint {{{key}: }}."));
        world.upsert(node("node-a", json!({"spec": {"taints": [{"key": key, "effect": "NoSchedule"}]}})));
        let fault = check(&world, Expect { cause, entity: "Node//node-a", says: &["node-a"], ..NO_NODE });
        assert!(fault.causes[0].statement.contains(says), "{}", fault.causes[0].statement);
    }
}

#[test]
fn a_change_of_what_an_extension_calls_a_node_is_none_of_the_node() {
    let labels = json!({"metadata": {"labels": {"disk": "ssd"}}});
    let asks = checkout().spec(json!({"nodeSelector": {"tier": "fast"}}));
    let mut world = changed(&asks, SELECTOR, labels.clone(), labels);
    // Longhorn has an object of its own for each node.
    let longhorn = |tier: &str, since: i64| {
        let fields = json!({
            "apiVersion": "longhorn.io/v1beta2", "kind": "Node", "resource": "nodes",
            "metadata": {"name": "node-a", "namespace": "longhorn-system", "uid": "longhorn-node-a", "labels": {"tier": tier},
                "managedFields": [{"manager": "ops", "operation": "Update", "time": at(since)}]},
        });
        Object::from_value(Kind::CustomResource, fields).unwrap()
    };
    world.set_time(-3000);
    world.upsert(longhorn("fast", -3000));
    world.set_time(-40);
    assert!(world.upsert(longhorn("slow", -40)).is_some());
    world.set_time(0);
    let fault = check(&world, Expect { cause: "node-selector-unmatched", ..NO_NODE });
    assert!(fault.changes.iter().all(|(c, suspect)| !suspect || c.object.api_version == "v1"), "{:?}", fault.changes);
}
