//! Pods that no node takes. The messages are the scheduler's own.

use super::support::*;
use afterwatch_core::object::{Kind, Object};
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[("pod-unschedulable", a_request_larger_than_every_node_is_found)];

const NO_NODE: Expect = Expect { rule: "pod-unschedulable", cause: "request-too-large", ..CHECKOUT };

fn waits(app: &App, message: &str) -> World {
    world(app, [app.pod("a", status::unschedulable(message, -30))])
}

fn asks(resource: &str, amount: &str) -> App {
    checkout().container(json!({"resources": {"requests": {resource: amount}}}))
}

#[test]
fn a_request_larger_than_every_node_is_found() {
    let world = waits(
        &asks("memory", "64Gi"),
        "0/1 nodes are available: 1 Insufficient memory. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
    );
    let expect = Expect {
        field: "spec.template.spec.containers[app].resources.requests.memory",
        says: &["64Gi", "node-a", "8Gi", "memory"],
        ..NO_NODE
    };
    let fault = check(&world, expect);
    assert!(fault.causes[0].statement.contains("more than any node has"), "{}", fault.causes[0].statement);
}

#[test]
fn the_one_of_several_containers_that_asks_for_too_much_is_named() {
    let message = "0/1 nodes are available: 1 Insufficient memory.";
    let large = json!({"requests": {"memory": "64Gi"}});
    let init = checkout().spec(json!({"initContainers": [{"name": "warm", "image": "web:1", "resources": large}]}));
    let told = |app: &App| waits(app, message).diagnose().faults[0].causes[0].statement.clone();
    assert!(
        told(&init).contains("requests memory 64Gi (init container warm), more than any node has"),
        "{}",
        told(&init)
    );
    let two = checkout().spec(json!({"containers": [
        {"name": "a", "image": "web:1", "resources": {"requests": {"memory": "60Gi"}}},
        {"name": "b", "image": "web:1", "resources": {"requests": {"memory": "4Gi"}}},
    ]}));
    assert!(told(&two).contains("memory 60Gi + 4Gi (the most by container a), more than"), "{}", told(&two));
    assert!(told(&asks("memory", "64Gi")).contains("requests memory 64Gi, more than"));
}

#[test]
fn a_request_that_would_fit_on_an_empty_node_is_told_apart() {
    let fault = check(
        &waits(&asks("cpu", "3"), "0/1 nodes are available: 1 Insufficient cpu."),
        Expect { cause: "no-room", says: &["cpu 3", "node-a", "offers 4", "4 are free"], ..NO_NODE },
    );
    assert!(!fault.causes[0].statement.contains("more than any node has"), "{}", fault.causes[0].statement);
}

#[test]
fn a_device_that_no_node_offers_is_named() {
    check(
        &waits(&asks("nvidia.com/gpu", "1"), "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."),
        Expect { says: &["nvidia.com/gpu", "no node offers"], ..NO_NODE },
    );
}

#[test]
fn fake_nodes_taints_beside_a_real_lack_do_not_hide_it() {
    let mut world = waits(
        &asks("memory", "64Gi"),
        "0/2 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint(s) {kwok.x-k8s.io/node: fake}. no new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
    );
    let mut fake = World::node("kwok-1", "True");
    if let Object::Node(n) = &mut fake {
        n.status.allocatable.insert("memory".into(), afterwatch_core::object::Quantity::new("256Gi"));
        n.spec.taints =
            serde_json::from_value(json!([{"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}]))
                .expect("a taint");
    }
    world.upsert(fake);
    check(&world, Expect { says: &["64Gi", "insufficient memory"], ..NO_NODE });
}

#[test]
fn a_node_selector_that_nothing_matches_is_found() {
    let app = checkout().spec(json!({"nodeSelector": {"disk": "ssd"}}));
    let mut world = waits(
        &app,
        "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint {pool: gpu}. preemption: 0/2 nodes are available.",
    );
    let mut other = World::node("node-b", "True");
    other.meta_mut().labels.insert("disk".into(), "hdd".into());
    world.upsert(other);
    check(
        &world,
        Expect {
            cause: "node-selector-unmatched",
            field: "spec.template.spec.nodeSelector",
            says: &["disk=ssd", "disk=hdd"],
            ..NO_NODE
        },
    );
}

#[test]
fn a_node_affinity_that_nothing_matches_is_found() {
    let terms = json!([{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["z1", "z2"]}]}]);
    let app = checkout().spec(json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}}));
    let world = waits(&app, "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.");
    check(
        &world,
        Expect {
            cause: "node-affinity-unmatched",
            field: "spec.template.spec.affinity.nodeAffinity",
            says: &["zone In z1,z2"],
            ..NO_NODE
        },
    );
}

#[test]
fn a_taint_that_is_not_tolerated_is_found_with_its_node() {
    let mut world = World::new();
    let mut node = World::node("node-a", "True");
    if let Object::Node(n) = &mut node {
        n.spec.taints =
            serde_json::from_value(json!([{"key": "pool", "value": "gpu", "effect": "NoSchedule"}])).expect("a taint");
    }
    world.upsert(node);
    let app = checkout();
    // Both spellings are in the wild: 1.3x writes taint, later taint(s).
    for message in [
        "0/1 nodes are available: 1 node(s) had untolerated taint {pool: gpu}.",
        "0/1 nodes are available: 1 node(s) had untolerated taint(s) {pool: gpu}.",
    ] {
        world.run(&app, [app.pod("a", status::unschedulable(message, -30))]);
        check(
            &world,
            Expect {
                cause: "taint-not-tolerated",
                field: "spec.template.spec.tolerations",
                says: &["pool=gpu", "node-a"],
                ..NO_NODE
            },
        );
    }
}

#[test]
fn a_cordoned_node_is_the_one_to_change() {
    let app = checkout();
    let mut world = waits(&app, "0/1 nodes are available: 1 node(s) were unschedulable.");
    let mut node = World::node("node-a", "True");
    if let Object::Node(n) = &mut node {
        n.spec.unschedulable = true;
    }
    world.upsert(node);
    let fault = check(
        &world,
        Expect { cause: "node-cordoned", entity: "Node//node-a", says: &["node-a", "cordoned"], ..NO_NODE },
    );
    assert!(fault.actions.iter().any(|a| a.command == "kubectl uncordon node-a"));
}

#[test]
fn pods_that_repel_or_miss_each_other_are_told_apart() {
    let anti = checkout().replicas(3).spec(json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "kubernetes.io/hostname"}]}}}));
    let world = waits(&anti, "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.");
    check(
        &world,
        Expect {
            cause: "anti-affinity-unsatisfiable",
            field: "spec.template.spec.affinity.podAntiAffinity",
            says: &["3 replicas", "kubernetes.io/hostname"],
            ..NO_NODE
        },
    );
    let near = checkout().spec(json!({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}]}}}));
    let world = waits(&near, "0/1 nodes are available: 1 node(s) didn't match pod affinity rules.");
    check(&world, Expect { cause: "pod-affinity-unsatisfiable", says: &["topology key zone"], ..NO_NODE });
}

#[test]
fn a_topology_spread_over_a_label_no_node_has_is_found() {
    let app = checkout().spec(json!({"topologySpreadConstraints": [{"topologyKey": "rack", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}]}));
    let world = waits(
        &app,
        "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label).",
    );
    check(&world, Expect { cause: "topology-spread-unsatisfiable", says: &["rack"], ..NO_NODE });
}

#[test]
fn host_ports_that_are_taken_are_found() {
    let app = checkout().container(json!({"ports": [{"containerPort": 9100, "hostPort": 9100}]}));
    let world = waits(&app, "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.");
    check(&world, Expect { cause: "host-port-taken", says: &["9100"], ..NO_NODE });
}

#[test]
fn a_claim_that_does_not_exist_comes_before_the_nodes() {
    let app = checkout().spec(json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "orders"}}]}));
    let world = waits(
        &app,
        "0/1 nodes are available: persistentvolumeclaim \"orders\" not found. preemption: 0/1 nodes are available.",
    );
    check(
        &world,
        Expect {
            cause: "claim-missing",
            entity: "PersistentVolumeClaim/shop/orders?",
            says: &["orders", "data"],
            ..NO_NODE
        },
    );
}

#[test]
fn a_cluster_without_nodes_says_so() {
    let app = checkout();
    let mut world = waits(&app, "no nodes available to schedule pods");
    world.list(Kind::Node, Vec::new());
    check(&world, Expect { cause: "no-nodes", says: &["no node"], ..NO_NODE });
}

#[test]
fn replicas_that_find_no_room_beside_ready_ones_are_less_severe() {
    let app = asks("cpu", "3");
    let mut world = waits(&app, "0/1 nodes are available: 1 Insufficient cpu.");
    world.upsert(app.pod("b", status::ready(-600)));
    check(&world, Expect { cause: "no-room", severity: Medium, ..NO_NODE });
}

#[test]
fn a_refusal_of_the_scheduler_is_held_for_a_moment_and_an_autoscaler_is_given_time() {
    let app = asks("cpu", "3");
    let pod = app.pod("a", status::unschedulable("0/1 nodes are available: 1 Insufficient cpu.", 0));
    let mut plain = world(&app, [pod.clone()]);
    held(&mut plain.clone(), 0, 5);
    plain.upsert(event(&pod, "Normal", "TriggeredScaleUp", "pod triggered scale-up: [{pool 1->2 (max: 5)}]", 2, 2, 1));
    plain.set_time(60);
    patient(&plain);
}

#[test]
fn pods_that_are_not_asked_about_yet_or_gated_are_silent() {
    let app = checkout();
    let gated = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": "gated", "lastTransitionTime": at(-60)}]});
    let young = json!({"spec": {"nodeName": null}, "metadata": {"creationTimestamp": at(-9)}});
    silent(&world(&app, [app.pod_with("a", json!({"phase": "Pending"}), young)]));
    // Queues gate jobs on purpose; and while others serve, nothing is lost.
    let job = App::of(Kind::Job, "shop/train");
    silent(&world(&job, [job.pod_with("a", gated.clone(), json!({"spec": {"nodeName": null}}))]));
    let gated = app.pod_with("a", gated, json!({"spec": {"nodeName": null}}));
    silent(&world(&app, [gated, app.pod("b", status::ready(-600))]));
}

#[test]
fn the_pods_it_must_be_near_are_those_of_a_workload_that_is_scaled_to_zero() {
    let term = json!([{"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "cache"}}}]);
    let near =
        checkout().spec(json!({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": term}}}));
    let mut world = waits(&near, "0/1 nodes are available: 1 node(s) didn't match pod affinity rules.");
    let cache = App::deployment("shop/cache");
    world.upsert(cache.clone().replicas(0).top(json!({})));
    let expect = Expect {
        cause: "pod-affinity-unsatisfiable",
        entity: "Deployment/shop/cache",
        field: "spec.replicas",
        says: &[
            "no pod in namespace shop has app=cache",
            "Deployment cache would have it, and is scaled to 0 replicas",
        ],
        ..NO_NODE
    };
    let fault = check(&world, expect);
    assert!(fault.actions[0].command.contains("kubectl scale deployment/cache -n shop --replicas=1"));
    // One that is to run and does not is no matter of its number.
    let awake = cache.clone().replicas(2).top(json!({}));
    world.upsert(awake.clone());
    check(&world, Expect { cause: "pod-affinity-unsatisfiable", ..NO_NODE });
    // One that was deleted is to be made anew.
    let pod = cache.pod("a", status::ready(-600));
    world.upsert(pod.clone());
    world.delete(awake);
    world.delete(pod);
    let says = &["Deployment cache, whose pods had it, was deleted at"];
    let expect = Expect { cause: "pod-affinity-unsatisfiable", entity: "Deployment/shop/cache", says, ..NO_NODE };
    check(&world, expect);
    // Another has taken its place, whose node is full.
    let next = App::deployment("shop/cache-v2").pod_with(
        "a",
        status::ready(-600),
        json!({"metadata": {"labels": {"app": "cache"}}}),
    );
    world.upsert(next);
    let said = world.diagnose().faults[0].causes[0].statement.clone();
    assert!(!said.contains("was deleted at"), "{said}");
}
