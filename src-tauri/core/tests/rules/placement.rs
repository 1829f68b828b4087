//! Pods without a place, told with both sides: what they ask, and what the nodes, the volumes and other pods say to it.

use super::support::*;
use afterwatch_core::object::{Kind, Object};
use afterwatch_testkit::World;

pub const NO_NODE: Expect = Expect { rule: "pod-unschedulable", cause: "no-room", ..CHECKOUT };

/// The only pod of the workload waits, for this reason.
pub fn waits(app: &App, message: &str) -> World {
    world(app, [app.pod("a", status::unschedulable(message, -30))])
}

/// A node with these fields laid over it.
pub fn node(name: &str, fields: Value) -> Object {
    let mut value = serde_json::to_value(World::node(name, "True")).expect("a node");
    merge(&mut value, &fields);
    Object::from_value(Kind::Node, value).expect("a node")
}

pub fn asks(resource: &str, amount: &str) -> App {
    checkout().container(json!({"resources": {"requests": {resource: amount}}}))
}

fn required(which: &str, terms: Value) -> Value {
    json!({"affinity": {which: {"requiredDuringSchedulingIgnoredDuringExecution": terms}}})
}

pub const SHUT: &[(&str, &str)] = &[("node.kubernetes.io/unschedulable", "NoSchedule")];

pub fn tainted(taints: &[(&str, &str)]) -> Value {
    let taints: Vec<Value> = taints.iter().map(|(k, e)| json!({"key": k, "effect": e})).collect();
    json!({"spec": {"taints": taints, "unschedulable": taints.iter().any(|t| t["key"] == SHUT[0].0)}})
}

#[test]
fn full_nodes_are_told_with_who_fills_them() {
    let app = asks("cpu", "2");
    let hog = App::deployment("batch/cruncher").replicas(3).container(json!({"resources": {"requests": {"cpu": "1"}}}));
    let mut world = waits(
        &app,
        "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
    );
    world.run(&hog, ["a", "b", "c"].map(|p| hog.pod(p, status::ready(-600))));
    let says =
        &["no room", "cpu 2", "node-a offers 4, of which 1 are free", "Deployment cruncher in batch (3 by 3 pods)"];
    let field = "spec.template.spec.containers[app].resources.requests.cpu";
    check(&world, Expect { field, says, ..NO_NODE });
}

#[test]
fn what_finished_pods_asked_for_is_free_again() {
    let app = asks("cpu", "2");
    let hog = App::of(Kind::Job, "batch/once").container(json!({"resources": {"requests": {"cpu": "3"}}}));
    let mut world = waits(&app, "0/1 nodes are available: 1 Insufficient cpu.");
    world.run(&hog, [hog.pod("a", status::finished(0, -20))]);
    check(&world, Expect { says: &["of which 4 are free"], ..NO_NODE });
}

#[test]
fn a_node_with_all_the_pods_it_may_have_is_told_so() {
    let app = checkout().replicas(2);
    let mut world = waits(
        &app,
        "0/1 nodes are available: 1 Too many pods. preemption: 0/1 nodes are available: 1 No preemption victims found.",
    );
    world.upsert(node("node-a", json!({"status": {"allocatable": {"pods": "1"}}})));
    world.upsert(app.pod("b", status::ready(-600)));
    check(
        &world,
        Expect {
            field: "spec.replicas",
            severity: Medium,
            says: &["pods", "node-a offers 1", "0 are free", "checkout (1 pod)"],
            ..NO_NODE
        },
    );
}

#[test]
fn the_container_that_asks_for_too_much_is_the_field() {
    let app = checkout().spec(json!({"containers": [
        {"name": "app", "image": "a", "resources": {"requests": {"memory": "1Gi"}}},
        {"name": "cache", "image": "b", "resources": {"requests": {"memory": "64Gi"}}},
    ]}));
    let world = waits(&app, "0/1 nodes are available: 1 Insufficient memory.");
    let field = "spec.template.spec.containers[cache].resources.requests.memory";
    check(&world, Expect { cause: "request-too-large", field, says: &["1Gi + 64Gi", "8Gi"], ..NO_NODE });
}

#[test]
fn an_init_container_that_asks_for_too_much_is_the_field() {
    let app = checkout()
        .spec(json!({"initContainers": [{"name": "load", "image": "l", "resources": {"requests": {"cpu": "16"}}}]}));
    let world = waits(&app, "0/1 nodes are available: 1 Insufficient cpu.");
    let field = "spec.template.spec.initContainers[load].resources.requests.cpu";
    check(&world, Expect { cause: "request-too-large", field, says: &["cpu 16", "offers 4"], ..NO_NODE });
}

#[test]
fn devices_are_told_apart_none_at_all_and_all_taken() {
    let gpu = checkout().container(json!({"resources": {"limits": {"nvidia.com/gpu": "2"}}}));
    let message = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.";
    let field = "spec.template.spec.containers[app].resources.limits.nvidia.com/gpu";
    check(
        &waits(&gpu, message),
        Expect { cause: "request-too-large", field, says: &["nvidia.com/gpu 2", "no node offers"], ..NO_NODE },
    );
    let mut world = waits(&gpu, message);
    world.upsert(node("node-a", json!({"status": {"allocatable": {"nvidia.com/gpu": "2"}}})));
    let train = App::of(Kind::Job, "ml/train").container(json!({"resources": {"limits": {"nvidia.com/gpu": "1"}}}));
    world.run(&train, [train.pod("a", status::ready(-60))]);
    check(
        &world,
        Expect { field, says: &["nvidia.com/gpu 2", "of which 1 are free", "Job train in ml (1 by 1 pod)"], ..NO_NODE },
    );
}

#[test]
fn local_disk_that_is_not_there_is_named() {
    let app = asks("ephemeral-storage", "500Gi");
    let mut world = waits(&app, "0/1 nodes are available: 1 Insufficient ephemeral-storage.");
    world.upsert(node("node-a", json!({"status": {"allocatable": {"ephemeral-storage": "40Gi"}}})));
    check(&world, Expect { cause: "request-too-large", says: &["ephemeral-storage 500Gi", "40Gi"], ..NO_NODE });
}

#[test]
fn a_cordoned_node_that_has_the_room_is_the_one_to_change() {
    let app = asks("cpu", "3");
    let mut world = waits(&app, "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable.");
    let other = App::deployment("shop/search").container(json!({"resources": {"requests": {"cpu": "3"}}}));
    world.run(&other, [other.pod("a", status::ready(-600))]);
    world.upsert(node("node-b", tainted(SHUT)));
    let expect = Expect {
        cause: "node-cordoned",
        entity: "Node//node-b",
        field: "spec.unschedulable",
        says: &["node-b", "cordoned"],
        ..NO_NODE
    };
    check(&world, expect);
    // Where the cordoned node has no room either, it would not help.
    let full = App::deployment("shop/index")
        .spec(json!({"nodeName": "node-b"}))
        .container(json!({"resources": {"requests": {"cpu": "3"}}}));
    world.run(&full, [full.pod("a", status::ready(-600))]);
    check(&world, NO_NODE);
}

#[test]
fn every_node_cordoned_names_them_all() {
    let mut world = waits(&checkout(), "0/2 nodes are available: 2 node(s) were unschedulable.");
    world.upsert(node("node-a", tainted(SHUT)));
    world.upsert(node("node-b", tainted(SHUT)));
    let fault = check(
        &world,
        Expect {
            cause: "node-cordoned",
            entity: "Node//node-a",
            says: &["node-a and node-b", "are cordoned"],
            ..NO_NODE
        },
    );
    assert!(fault.actions.iter().any(|a| a.command == "kubectl uncordon node-b"));
}

#[test]
fn a_node_that_is_lost_is_the_cause_of_pods_without_a_place() {
    let mut world = waits(
        &checkout(),
        "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }.",
    );
    let lost = World::node_since("node-a", "Unknown", -60);
    let mut value = serde_json::to_value(lost).expect("a node");
    merge(&mut value, &tainted(&[("node.kubernetes.io/unreachable", "NoSchedule")]));
    world.upsert(Object::from_value(Kind::Node, value).expect("a node"));
    let fault = world.diagnose().faults.remove(0);
    assert_eq!(fault.causes[0].entity.key(), "Node//node-a", "{}", fault.causes[0].statement);
    assert_eq!(world.diagnose().faults.len(), 1, "node and pod are one fault");
}

#[test]
fn a_node_under_pressure_is_the_cause() {
    let mut world = waits(
        &checkout(),
        "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }.",
    );
    world.upsert(node("node-a", tainted(&[("node.kubernetes.io/disk-pressure", "NoSchedule")])));
    check(
        &world,
        Expect { cause: "node-under-pressure", entity: "Node//node-a", says: &["node-a", "disk-pressure"], ..NO_NODE },
    );
}

#[test]
fn a_toleration_that_misses_by_its_value_is_told_beside_the_taint() {
    let app = checkout()
        .spec(json!({"tolerations": [{"key": "pool", "operator": "Equal", "value": "cpu", "effect": "NoSchedule"}]}));
    let mut world = waits(&app, "0/1 nodes are available: 1 node(s) had untolerated taint {pool: gpu}.");
    world
        .upsert(node("node-a", json!({"spec": {"taints": [{"key": "pool", "value": "gpu", "effect": "NoSchedule"}]}})));
    let expect = Expect {
        cause: "taint-not-tolerated",
        field: "spec.template.spec.tolerations",
        says: &["pool=gpu:NoSchedule", "node-a", "tolerates pool=cpu:NoSchedule"],
        ..NO_NODE
    };
    check(&world, expect);
}

#[test]
fn a_taint_that_only_prefers_keeps_nobody_away() {
    let mut world = waits(&asks("cpu", "16"), "0/1 nodes are available: 1 Insufficient cpu.");
    world.upsert(node("node-a", tainted(&[("pool", "PreferNoSchedule")])));
    check(&world, Expect { cause: "request-too-large", ..NO_NODE });
}

#[test]
fn a_label_that_is_almost_right_is_offered() {
    for (selector, labels, says) in [
        (json!({"disktype": "sdd"}), json!({"disktype": "ssd"}), &["disktype=sdd", "is disktype=ssd meant?"][..]),
        (
            json!({"disk-type": "ssd"}),
            json!({"disktype": "ssd"}),
            &["no node has the label disk-type", "there is disktype"][..],
        ),
    ] {
        let app = checkout().spec(json!({"nodeSelector": selector}));
        let mut world = waits(&app, "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.");
        world.upsert(node("node-a", json!({"metadata": {"labels": labels}})));
        check(
            &world,
            Expect { cause: "node-selector-unmatched", field: "spec.template.spec.nodeSelector", says, ..NO_NODE },
        );
    }
}

#[test]
fn labels_that_are_on_different_nodes_are_told_so() {
    let app = checkout().spec(json!({"nodeSelector": {"disk": "ssd", "zone": "z2"}}));
    let mut world = waits(&app, "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.");
    world.upsert(node("node-a", json!({"metadata": {"labels": {"disk": "ssd", "zone": "z1"}}})));
    world.upsert(node("node-b", json!({"metadata": {"labels": {"zone": "z2"}}})));
    check(
        &world,
        Expect {
            cause: "node-selector-unmatched",
            says: &["no node has all of them", "node-a lacks zone=z2"],
            ..NO_NODE
        },
    );
}

#[test]
fn an_affinity_is_to_blame_where_the_selector_is_met() {
    let mut spec = required(
        "nodeAffinity",
        json!({"nodeSelectorTerms": [{"matchExpressions": [{"key": "arch", "operator": "In", "values": ["arm64"]}]}]}),
    );
    merge(&mut spec, &json!({"nodeSelector": {"kubernetes.io/hostname": "node-a"}}));
    let mut world =
        waits(&checkout().spec(spec), "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.");
    world.upsert(node("node-a", json!({"metadata": {"labels": {"arch": "amd64"}}})));
    check(
        &world,
        Expect { cause: "node-affinity-unmatched", says: &["arch In arm64", "nodes have arch=amd64"], ..NO_NODE },
    );
}

#[test]
fn nodes_that_may_not_be_read_prove_nothing() {
    let app = checkout().spec(json!({"nodeSelector": {"disk": "ssd"}}));
    let mut world = waits(&app, "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.");
    world.list(Kind::Node, Vec::new());
    world.lose(Kind::Node, afterwatch_core::coverage::UnreadableReason::Forbidden);
    check(&world, Expect { cause: "node-selector-unmatched", verdict: Likely, says: &["disk=ssd"], ..NO_NODE });
}

#[test]
fn the_pods_it_wants_to_be_near_are_named() {
    let term = json!([{"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "cahce"}}}]);
    let app = checkout().spec(required("podAffinity", term));
    let mut world = waits(&app, "0/1 nodes are available: 1 node(s) didn't match pod affinity rules.");
    let cache = App::deployment("shop/cache");
    world.run(&cache, [cache.pod("a", status::ready(-600))]);
    let expect = Expect {
        cause: "pod-affinity-unsatisfiable",
        field: "spec.template.spec.affinity.podAffinity",
        says: &["no pod in namespace shop has app=cahce", "app=cache"],
        ..NO_NODE
    };
    check(&world, expect);
}

#[test]
fn anti_affinity_is_told_with_its_numbers() {
    let term =
        json!([{"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "checkout"}}}]);
    let app = checkout().replicas(3).spec(required("podAntiAffinity", term));
    let mut world = waits(&app, "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.");
    world.upsert(World::node("node-b", "True"));
    world.upsert(app.pod("b", status::ready(-600)));
    check(
        &world,
        Expect {
            cause: "anti-affinity-unsatisfiable",
            severity: Medium,
            says: &["3 replicas on 2 nodes", "node-a and node-b"],
            ..NO_NODE
        },
    );
}

#[test]
fn another_workloads_anti_affinity_is_that_workloads() {
    let guard =
        json!([{"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "checkout"}}}]);
    let lonely = App::deployment("shop/lonely").spec(required("podAntiAffinity", guard));
    let mut world =
        waits(&checkout(), "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules.");
    world.run(&lonely, [lonely.pod("a", status::ready(-600))]);
    let expect = Expect {
        cause: "anti-affinity-of-others",
        entity: "Deployment/shop/lonely",
        field: "spec.template.spec.affinity.podAntiAffinity",
        says: &["lonely", "checkout"],
        ..NO_NODE
    };
    check(&world, expect);
}

#[test]
fn an_uneven_spread_is_told_with_its_counts() {
    let spread = json!({"topologySpreadConstraints": [{"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"app": "checkout"}}}]});
    let app = checkout().replicas(2).spec(spread);
    let mut world = waits(
        &app,
        "0/2 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 node(s) had untolerated taint {pool: db}.",
    );
    world.upsert(node("node-a", json!({"metadata": {"labels": {"zone": "z1"}}})));
    world.upsert(node("node-b", json!({"metadata": {"labels": {"zone": "z2"}}, "spec": {"taints": [{"key": "pool", "value": "db", "effect": "NoSchedule"}]}})));
    world.upsert(app.pod("b", status::ready(-600)));
    check(
        &world,
        Expect {
            cause: "topology-spread-unsatisfiable",
            severity: Medium,
            says: &["maxSkew is 1", "z1 has 1", "z2 has 0", "in z1"],
            ..NO_NODE
        },
    );
}

#[test]
fn the_holder_of_a_host_port_is_named() {
    let port =
        |name: &str| App::deployment(name).container(json!({"ports": [{"containerPort": 80, "hostPort": 8080}]}));
    let (app, proxy) = (port("shop/checkout"), port("edge/proxy"));
    let mut world =
        waits(&app, "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.");
    world.run(&proxy, [proxy.pod("a", status::ready(-600))]);
    check(
        &world,
        Expect {
            cause: "host-port-taken",
            field: "spec.template.spec.containers[app].ports",
            says: &["host port 8080", "proxy-r1-a", "node-a"],
            ..NO_NODE
        },
    );
}

/// The victim's pod was preempted by the winner's, and its replacement has no place.
fn preempted() -> (World, App) {
    let (victim, winner) = (
        asks("cpu", "3"),
        App::deployment("prod/payments")
            .spec(json!({"priorityClassName": "gold", "priority": 1000}))
            .container(json!({"resources": {"requests": {"cpu": "3"}}})),
    );
    let mut world = waits(&victim, "0/1 nodes are available: 1 Insufficient cpu.");
    let old = victim.pod("old", status::ready(-600));
    world.upsert(old.clone());
    world.run(&winner, [winner.pod("a", status::ready(-20))]);
    let uid = winner.pod("a", status::ready(-20)).meta().uid.clone();
    world.upsert(event(&old, "Normal", "Preempted", &format!("Preempted by pod {uid} on node node-a"), -35, -35, 1));
    world.delete(old);
    (world, winner)
}

#[test]
fn who_was_pushed_out_by_a_higher_priority_names_the_one_that_pushed() {
    let (world, _) = preempted();
    let expect = Expect {
        cause: "preempted-by-priority",
        entity: "Deployment/prod/payments",
        field: "spec.template.spec.priorityClassName",
        says: &["checkout-r1-old", "payments", "PriorityClass gold (1000)", "node-a"],
        ..NO_NODE
    };
    check(&world, expect);
}

#[test]
fn a_preemption_whose_victim_found_another_place_is_silent() {
    let (mut world, _) = preempted();
    world.upsert(asks("cpu", "3").pod("a", status::ready(-10)));
    silent(&world);
}

#[test]
fn who_preempts_is_given_the_time_its_victims_take_to_end() {
    let app = asks("cpu", "3");
    let mut state = status::unschedulable("0/1 nodes are available: 1 Insufficient cpu.", 0);
    state["nominatedNodeName"] = json!("node-a");
    let mut world = world(&app, [app.pod("a", state)]);
    held(&mut world, 0, 60);
}

#[test]
fn the_pod_of_a_daemon_set_is_told_with_the_node_it_is_for() {
    let agent = App::of(Kind::DaemonSet, "ops/agent")
        .spec(required("nodeAffinity", json!({"nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-b"]}]}]})))
        .container(json!({"resources": {"requests": {"cpu": "6"}}}));
    let mut world = waits(
        &agent,
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match Pod's node affinity/selector.",
    );
    world.upsert(node("node-b", json!({"status": {"allocatable": {"cpu": "2"}}})));
    let expect = Expect {
        object: "Pod/ops/agent-a",
        subject: "DaemonSet/ops/agent",
        entity: "DaemonSet/ops/agent",
        cause: "request-too-large",
        says: &["cpu 6", "node-b", "offers 2"],
        ..NO_NODE
    };
    check(&world, expect);
}

#[test]
fn room_on_nodes_that_may_not_be_read_is_not_counted() {
    let mut world = waits(&asks("cpu", "3"), "0/1 nodes are available: 1 Insufficient cpu.");
    world.list(Kind::Node, Vec::new());
    world.lose(Kind::Node, afterwatch_core::coverage::UnreadableReason::Forbidden);
    check(&world, Expect { verdict: Likely, says: &["cpu 3", "insufficient cpu"], ..NO_NODE });
}

#[test]
fn the_first_pod_of_an_ordered_set_keeps_the_others_from_being_made() {
    let db =
        App::of(Kind::StatefulSet, "shop/db").replicas(3).container(json!({"resources": {"requests": {"cpu": "16"}}}));
    let expect = Expect {
        object: "Pod/shop/db-0",
        subject: "StatefulSet/shop/db",
        entity: "StatefulSet/shop/db",
        cause: "request-too-large",
        ..NO_NODE
    };
    let mut world =
        world(&db, [db.pod("0", status::unschedulable("0/1 nodes are available: 1 Insufficient cpu.", -30))]);
    world.upsert(db.top(json!({"status": {"replicas": 1}})));
    check(&world, Expect { says: &["cpu 16", "OrderedReady"], ..expect });
    world.upsert(db.top(json!({"spec": {"podManagementPolicy": "Parallel"}, "status": {"replicas": 3}})));
    let fault = check(&world, expect);
    assert!(!fault.causes[0].statement.contains("OrderedReady"));
}

#[test]
fn devices_that_nobody_offers_are_told_and_not_the_taints_of_others() {
    let claims = |claim: Value| checkout().spec(json!({"resourceClaims": [claim]}));
    let message = "0/3 nodes are available: 1 cannot allocate all claims, 2 node(s) had untolerated taint(s). still not schedulable";
    let named = claims(json!({"name": "f", "resourceClaimName": "shared-fpga"}));
    let mut world = waits(&named, message);
    world.upsert(World::node("node-1", "True"));
    let expect = Expect { cause: "resource-claim-unsatisfied", verdict: Likely, ..NO_NODE };
    check(
        &world,
        Expect {
            entity: "ResourceClaim/shop/shared-fpga?",
            field: "spec.devices.requests",
            says: &["shared-fpga", "devices"],
            ..expect
        },
    );
    // What no rule knows is told in the scheduler's words, and no taint is blamed for it.
    let odd = "0/3 nodes are available: 1 Insufficient luck of plugin Odd, 2 node(s) had untolerated taint(s).";
    let odd = odd.replace("Insufficient luck of plugin Odd", "didn't satisfy plugin Odd");
    let mut world = waits(&checkout(), &odd);
    world.upsert(World::node("node-1", "True"));
    let cause = world.diagnose().faults[0].causes[0].clone();
    assert_eq!((cause.rule_id.as_str(), cause.confidence), ("unschedulable", Likely), "{}", cause.statement);
}
