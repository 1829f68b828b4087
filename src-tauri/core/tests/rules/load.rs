//! A large cluster in trouble is diagnosed while people wait.

use super::support::*;
use afterwatch_core::object::{Kind, Object};
use afterwatch_testkit::World;

/// How long a diagnosis of this world takes, in seconds.
#[allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "the time it takes is what is tested")]
fn seconds(world: &World, faults: usize) -> f64 {
    let start = std::time::Instant::now();
    assert_eq!(world.diagnose().faults.len(), faults);
    start.elapsed().as_secs_f64()
}

/// A thousand nodes, and ten thousand pods of a hundred Deployments on them: `ill` are like the given one, the others
/// are ready.
fn large(ready: &str, state: Value, ill: impl Fn(usize) -> bool) -> World {
    let mut world = World::new();
    world.list(Kind::Node, (0..1000).map(|n| World::node_since(&format!("node-{n}"), ready, -60)).collect());
    let (mut workloads, mut sets, mut pods) = (Vec::new(), Vec::new(), Vec::new());
    for w in 0..100 {
        let app = App::deployment(&format!("team-{}/app-{w}", w % 10)).replicas(100);
        workloads.push(app.top(json!({})));
        sets.extend(app.between(json!({})));
        let (well, failing) = (app.pod("", status::ready(-600)), app.pod("", state.clone()));
        for n in w * 100..w * 100 + 100 {
            let mut pod = if ill(n) { failing.clone() } else { well.clone() };
            if let Object::Pod(pod) = &mut pod {
                pod.metadata.name = format!("app-{w}-r1-{n}");
                pod.metadata.uid = format!("pod-{n}");
                pod.spec.node_name = pod.spec.node_name.as_ref().map(|_| format!("node-{}", n % 1000));
            }
            pods.push(pod);
        }
    }
    world.list(Kind::Deployment, workloads);
    world.list(Kind::ReplicaSet, sets);
    world.list(Kind::Pod, pods);
    world
}

/// In a build for tests nothing is optimised, and the machine may be busy.
const LIMIT: f64 = if cfg!(debug_assertions) { 20.0 } else { 1.0 };

#[test]
fn five_hundred_failing_pods_of_ten_thousand_are_diagnosed_in_time() {
    // All pods of five workloads.
    let world = large("True", status::crashed(137, "OOMKilled", 3, -5), |n| n < 500);
    let took = seconds(&world, 5);
    assert!(took < LIMIT, "crashing pods: {took} s");
}

#[test]
fn a_thousand_lost_nodes_are_diagnosed_in_time() {
    let world = large("Unknown", status::unready(-60), |_| true);
    // Ten sets of workloads share their nodes.
    let took = seconds(&world, 10);
    assert!(took < LIMIT, "lost nodes: {took} s");
}

#[test]
fn five_hundred_pods_that_wait_for_a_node_are_diagnosed_in_time() {
    let message = "0/1000 nodes are available: 1000 Insufficient cpu.";
    let world = large("True", status::unschedulable(message, -60), |n| n % 20 == 0);
    let took = seconds(&world, 100);
    assert!(took < LIMIT, "waiting pods: {took} s");
}

#[test]
#[allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "the time it takes is what is tested")]
fn the_pictures_of_large_faults_are_drawn_in_time() {
    let message = "0/1000 nodes are available: 1000 Insufficient cpu.";
    for mut world in [
        large("Unknown", status::unready(-60), |_| true),
        large("True", status::unschedulable(message, -60), |n| n % 20 == 0),
    ] {
        // Each workload has a Service and names the host of the next one.
        for w in 0..100 {
            let (ns, next) = (format!("team-{}", w % 10), (w + 1) % 100);
            let host = format!("http://app-{next}.team-{}:80", next % 10);
            let app = App::deployment(&format!("{ns}/app-{w}")).replicas(100);
            world.upsert(app.clone().container(json!({"env": [{"name": "NEXT", "value": host}]})).top(json!({})));
            world.upsert(app.service(json!({})));
        }
        let diagnosis = world.diagnose();
        let start = std::time::Instant::now();
        for fault in diagnosis.faults.iter().take(20) {
            let graph = afterwatch_core::graph::around(&world.index, world.now, fault);
            assert!(graph.nodes.len() > 2 && graph.nodes.len() <= afterwatch_core::graph::MOST_NODES);
        }
        let took = start.elapsed().as_secs_f64();
        assert!(took < LIMIT, "the pictures: {took} s");
    }
}
