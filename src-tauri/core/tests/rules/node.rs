//! Nodes that are lost or short of something.

use super::support::*;
use afterwatch_core::object::Kind;
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[
    ("node-not-ready", a_node_that_stopped_reporting_is_found),
    ("pod-on-lost-node", a_lost_node_takes_its_workloads_in),
    ("node-pressure", a_node_short_of_memory_is_found),
    ("node-problem", what_an_agent_reports_of_a_node_is_found),
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

/// A ready node that reports this besides.
fn reports(kind: &str, status: &str, message: &str) -> World {
    let mut world = World::new();
    let conditions = json!([
        {"type": "Ready", "status": "True"},
        {"type": kind, "status": status, "reason": "Test", "message": message, "lastTransitionTime": at(-30)},
    ]);
    world.upsert(object(
        "Node node-a",
        json!({"metadata": {"creationTimestamp": at(-86_400)}, "status": {"conditions": conditions}}),
    ));
    world
}

const PROBLEM: Expect =
    Expect { rule: "node-problem", cause: "node-condition", severity: High, says: &["node-a"], ..LOST };

#[test]
fn what_an_agent_reports_of_a_node_is_found() {
    let kernel = reports("KernelDeadlock", "True", "task docker:7 blocked for more than 300 seconds");
    check(&kernel, Expect { says: &["node-a", "KernelDeadlock", "blocked for more than 300 seconds"], ..PROBLEM });
    check(
        &reports("ReadonlyFilesystem", "True", "Filesystem is read-only"),
        Expect { says: &["read-only"], ..PROBLEM },
    );
    check(&reports("NetworkUnavailable", "True", "RouteController failed to create a route"), PROBLEM);
    check(&reports("FrequentContainerdRestart", "True", "restarted 6 times"), Expect { severity: Medium, ..PROBLEM });
    // What nobody has heard of, by what its name says.
    check(
        &reports("AcceleratedHardwareReady", "False", "GPU has fallen off the bus"),
        Expect { severity: Medium, ..PROBLEM },
    );
    check(&reports("DiskProblem", "True", "slow"), Expect { severity: Medium, ..PROBLEM });
}

#[test]
fn conditions_on_their_good_side_or_without_one_are_silent() {
    for (kind, status) in [
        ("KernelDeadlock", "False"),
        ("KernelDeadlock", "Unknown"),
        ("ReadonlyFilesystem", "False"),
        ("NetworkUnavailable", "False"),
        ("EtcdIsVoter", "True"),
        ("EtcdIsVoter", "False"),
        ("VMEventScheduled", "True"),
        ("SysctlChanged", "True"),
        ("AcceleratedHardwareReady", "True"),
        ("AcceleratedHardwareReady", "Unknown"),
        ("FrequentKubeletRestart", "False"),
    ] {
        silent(&reports(kind, status, "word"));
    }
}

#[test]
fn the_network_of_a_new_node_is_given_time() {
    let mut world = World::new();
    let conditions = json!([
        {"type": "Ready", "status": "True"},
        {"type": "NetworkUnavailable", "status": "True", "reason": "NoRouteCreated", "lastTransitionTime": at(0)},
    ]);
    world.upsert(object(
        "Node node-a",
        json!({"metadata": {"creationTimestamp": at(-5)}, "status": {"conditions": conditions}}),
    ));
    held(&mut world, 0, 180);
}

/// A ready node and what its kubelet or an agent says of it.
fn says_of_node(reason: &str, message: &str, times: u32) -> World {
    let mut world = World::new();
    world.upsert(event(&World::node("node-a", "True"), "Warning", reason, message, -60, -20, times));
    world
}

#[test]
fn a_node_that_kills_for_memory_names_the_victim() {
    let system = says_of_node("SystemOOM", "System OOM encountered, victim process: java, pid: 4711", 2);
    let expect = Expect { cause: "node-out-of-memory", says: &["node-a", "java", "SystemOOM", "twice"], ..PROBLEM };
    check(&system, expect);
    let agent = says_of_node("OOMKilling", "Out of memory: Killed process 4711 (java) total-vm:9000000kB", 1);
    check(&agent, Expect { says: &["java"], ..expect });
}

#[test]
fn a_kill_within_a_containers_limit_is_the_containers_whatever_the_kubelet_calls_it() {
    let mut world = says_of_node("SystemOOM", "System OOM encountered, victim process: java, pid: 4711", 1);
    let app = checkout().container(json!({"resources": {"limits": {"memory": "64Mi"}}}));
    world.run(&app, [app.pod("a", status::crashed(137, "OOMKilled", 2, -18))]);
    let faults = world.diagnose().faults;
    assert_eq!((faults.len(), faults[0].causes[0].rule_id.as_str()), (1, "memory-limit-too-low"));
}

#[test]
fn a_node_that_cannot_free_its_disk_is_found() {
    let free = says_of_node(
        "FreeDiskSpaceFailed",
        "Failed to garbage collect required amount of images. Attempted to free 5 GB, but only found 0 bytes eligible to free.",
        1,
    );
    let expect = Expect {
        cause: "node-disk-full",
        severity: afterwatch_core::severity::Severity::Low,
        says: &["node-a", "garbage collect"],
        ..PROBLEM
    };
    check(&free, expect);
    check(&says_of_node("ImageGCFailed", "failed to garbage collect required amount of images", 4), expect);
    let kernel = says_of_node("KernelOops", "BUG: unable to handle kernel NULL pointer dereference", 1);
    check(&kernel, Expect { cause: "node-kernel", severity: High, says: &["NULL pointer"], ..expect });
}

#[test]
fn what_nodes_say_on_an_ordinary_day_is_silent() {
    for (reason, message, times) in [
        ("OOMKilling", "Memory cgroup out of memory: Killed process 4711 (java)", 3),
        ("ImageGCFailed", "invalid capacity 0 on image filesystem", 9),
        ("ImageGCFailed", "failed to get imageFs info: unable to find data in memory cache", 2),
        ("ImageGCFailed", "wanted to free 1 byte", 1),
        ("InvalidDiskCapacity", "invalid capacity 0 on image filesystem", 1),
        ("CgroupV1", "cgroup v1 support is in maintenance mode", 1),
        ("Rebooted", "Node node-a has been rebooted", 1),
        ("NodeNotReady", "Node node-a status is now: NodeNotReady", 1),
    ] {
        silent(&says_of_node(reason, message, times));
    }
    let mut world = says_of_node("SystemOOM", "System OOM encountered, victim process: java, pid: 4711", 1);
    world.set_time(600);
    silent(&world);
}

#[test]
fn a_lost_node_says_nothing_new() {
    let mut world = lost("Unknown");
    world.upsert(event(
        &World::node("node-a", "True"),
        "Warning",
        "SystemOOM",
        "System OOM encountered, victim process: java, pid: 4711",
        -70,
        -65,
        1,
    ));
    assert_eq!(check(&world, LOST).findings.len(), 1);
}

#[test]
fn why_a_node_is_not_ready_is_said_in_words() {
    for (message, words) in [
        (
            "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized",
            "CNI",
        ),
        ("[container runtime is down, PLEG is not healthy: pleg was last seen active 5m3s ago]", "PLEG"),
        ("container runtime is down", "Its container runtime is down"),
        ("[CSINode is not yet initialized]", "storage driver"),
    ] {
        let mut world = World::new();
        let mut node = json!({"metadata": {"creationTimestamp": at(-86_400)}});
        merge(
            &mut node,
            &json!({"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": message, "lastTransitionTime": at(-60)}]}}),
        );
        world.upsert(object("Node node-a", node));
        let fault = check(&world, Expect { says: &["node-a"], ..LOST });
        says(&fault.causes[0], &[words]);
    }
}

#[test]
fn the_victims_of_a_node_under_pressure_are_named_and_are_part_of_its_fault() {
    let mut world = World::new();
    let conditions = json!([
        {"type": "Ready", "status": "True"},
        {"type": "DiskPressure", "status": "True", "reason": "KubeletHasDiskPressure", "message": "kubelet has disk pressure", "lastTransitionTime": at(-60)},
    ]);
    world.upsert(object(
        "Node node-a",
        json!({"metadata": {"creationTimestamp": at(-86_400)}, "status": {"conditions": conditions}}),
    ));
    let app = checkout().replicas(2);
    let evicted = json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: ephemeral-storage. Threshold quantity: 10Gi, available: 9Gi.", "startTime": at(-50)});
    world.run(&app, [app.pod("a", evicted), app.pod("b", status::ready(-3600))]);
    let expect = Expect {
        rule: "node-pressure",
        cause: "node-under-pressure",
        severity: High,
        says: &["disk pressure", "evicted 1 pod", "checkout-r1-a"],
        ..LOST
    };
    check(&world, expect);
}
