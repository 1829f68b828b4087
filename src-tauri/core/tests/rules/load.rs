//! A large cluster in trouble is diagnosed while people wait.

use super::support::*;
use afterwatch_core::{
    object::{Kind, Object},
    observation::{Fact, LogRead, LogWant},
};
use afterwatch_testkit::World;

/// How long a diagnosis of this world takes, in seconds.
#[allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "the time it takes is what is tested")]
pub fn seconds(world: &World, faults: usize) -> f64 {
    let start = std::time::Instant::now();
    assert_eq!(world.diagnose_again().faults.len(), faults);
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
pub const LIMIT: f64 = if cfg!(debug_assertions) { 20.0 } else { 1.0 };

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

/// CPU time of this thread in milliseconds: the machine may be busy with other things.
#[allow(clippy::disallowed_methods, reason = "the time it takes is what is measured")]
fn cpu_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos: f64 = text.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0.0);
    nanos / 1e6
}

/// Twenty ways to fail: container, status, log, what the cluster says.
fn causes() -> Vec<(Value, Value, &'static str, &'static str)> {
    let crashed = || status::crashed(1, "Error", 3, -5);
    let probe = |path: &str| json!({"readinessProbe": {"httpGet": {"path": path, "port": 8080}, "periodSeconds": 5}});
    vec![
        (json!({"resources": {"limits": {"memory": "64Mi"}}}), status::crashed(137, "OOMKilled", 3, -5), "", ""),
        (json!({}), crashed(), "KeyError: 'DATABASE_URL'", ""),
        (json!({}), crashed(), "dial tcp 10.9.9.9:5432: connect: connection refused", ""),
        (json!({}), crashed(), "lookup db.example.com on 10.96.0.10:53: no such host", ""),
        (json!({}), crashed(), "invalid value 'verbos' for LOG_LEVEL", ""),
        (json!({}), crashed(), "panic: runtime error: index out of range [3] with length 3", ""),
        (json!({}), crashed(), "open /etc/app/routes.toml: no such file or directory", ""),
        (json!({}), crashed(), "FATAL: password authentication failed for user \"app\"", ""),
        (json!({}), crashed(), "bind: address already in use: 0.0.0.0:8080", ""),
        (json!({}), crashed(), "no space left on device: /var/lib/data", ""),
        (json!({"image": "x:9"}), status::waiting("ImagePullBackOff", "x:9: not found", -60), "", ""),
        (
            json!({"image": "y:9"}),
            status::waiting("ErrImagePull", "y:9: unauthorized: authentication required", -60),
            "",
            "",
        ),
        (
            json!({"env": [{"name": "T", "valueFrom": {"secretKeyRef": {"name": "pay", "key": "k"}}}]}),
            status::waiting("CreateContainerConfigError", "secret \"pay\" not found", -60),
            "",
            "",
        ),
        (
            json!({"env": [{"name": "T", "valueFrom": {"configMapKeyRef": {"name": "flags", "key": "k"}}}]}),
            status::waiting("CreateContainerConfigError", "configmap \"flags\" not found", -60),
            "",
            "",
        ),
        (
            json!({"resources": {"requests": {"cpu": "64"}}}),
            status::unschedulable("0/1000 nodes are available: 1000 Insufficient cpu.", -60),
            "",
            "",
        ),
        (
            json!({}),
            status::unschedulable(
                "0/1000 nodes are available: 1000 node(s) didn't match pod anti-affinity rules.",
                -60,
            ),
            "",
            "",
        ),
        (
            probe("/healthz"),
            status::unready(-300),
            "",
            "Readiness probe failed: HTTP probe failed with statuscode: 404",
        ),
        (probe("/ready"), status::unready(-300), "", "Readiness probe failed: HTTP probe failed with statuscode: 503"),
        (json!({"command": ["run"]}), status::crashed(127, "StartError", 3, -5), "", ""),
        (json!({}), crashed(), "x509: certificate has expired or is not yet valid", ""),
    ]
}

/// As much of a log as is read, with what tells at its end.
fn long(lines: usize, pod: &str, last: String) -> Vec<String> {
    let line =
        |n| format!("2026-11-12T02:59:00Z INFO request {n} handled by {pod} in 12 ms, worker {} of pool main", n % 8);
    (1..lines).map(line).chain([last]).collect()
}

/// A thousand nodes, ten thousand pods with a Service for each hundred, of which five hundred fail for twenty causes
/// and wrote logs of this length.
fn mixed(length: usize) -> World {
    let mut world = World::new();
    world.list(Kind::Node, (0..1000).map(|n| World::node(&format!("node-{n}"), "True")).collect());
    let causes = causes();
    let mut lists: std::collections::BTreeMap<Kind, Vec<Object>> = std::collections::BTreeMap::new();
    let mut put = |object: Object| lists.entry(object.kind()).or_default().push(object);
    let mut logs = Vec::new();
    for w in 0..100 {
        let cause = causes.get(w);
        let container = cause.map_or(json!({}), |c| c.0.clone());
        let app = App::deployment(&format!("team-{}/app-{w}", w % 10)).replicas(100).container(container);
        app.objects().into_iter().for_each(&mut put);
        put(app.service(json!({})));
        put(app.endpoints(&[true; 100]));
        for n in 0..100 {
            let ill = cause.filter(|_| n < 25);
            let mut pod = app.pod(&format!("{n}"), ill.map_or_else(|| status::ready(-600), |c| c.1.clone()));
            if let Object::Pod(pod) = &mut pod {
                pod.spec.node_name = pod.spec.node_name.as_ref().map(|_| format!("node-{}", (w * 100 + n) % 1000));
            }
            if let Some((_, _, log, told)) = ill {
                if !log.is_empty() {
                    logs.push((pod.reference(), (*log).to_owned()));
                }
                if !told.is_empty() {
                    put(event(&pod, "Warning", "Unhealthy", told, -200, -2, 40));
                }
                put(event(&pod, "Warning", "BackOff", "Back-off restarting failed container app in pod", -90, -2, 7));
            }
            put(pod);
        }
    }
    for (kind, objects) in lists {
        world.list(kind, objects);
    }
    for (pod, text) in logs {
        let lines = long(length, &pod.name, text);
        let want = LogWant { pod, container: "app".into(), previous: false, restart: 3 };
        world.apply(Fact::Log(LogRead { want, lines: Ok(lines), truncated: false, later: None }));
    }
    world
}

/// `cargo test --release -p afterwatch-core --test rules figures -- --ignored --nocapture`
#[test]
#[ignore = "prints figures; meant for a release build"]
#[allow(clippy::disallowed_macros, reason = "the figures are printed")]
fn figures_of_ten_thousand_pods() {
    for length in [2, 200] {
        let world = mixed(length);
        let from = cpu_ms();
        let faults = world.diagnose_again().faults.len();
        let took = cpu_ms() - from;
        println!("FIGURE first diagnosis, logs of {length} lines: {took:.1} ms of CPU, {faults} faults");
    }
    let mut world = mixed(200);
    world.diagnose_again();
    let whole = mean_ms(50, |_| {
        world.diagnose_anew();
    });
    println!("FIGURE diagnosis, 10000 pods, 500 failing: {whole:.2} ms of CPU");
    println!("FIGURE one change in trouble, 10000 pods, 500 failing: {:.2} ms of CPU", change_ms(&mut world));
    println!("FIGURE one more death in trouble, 10000 pods, 500 failing: {:.2} ms of CPU", death_ms(&mut world));
    assert_eq!(world.diagnose_again(), world.diagnose_anew());
    let mut calm = large("True", status::ready(-600), |_| false);
    println!("FIGURE one change in a healthy cluster, 10000 pods: {:.2} ms of CPU", change_ms(&mut calm));
}

/// The mean over many rounds: the system counts a thread's time in ticks of milliseconds.
fn mean_ms(rounds: i64, mut round: impl FnMut(i64)) -> f64 {
    let from = cpu_ms();
    (0..rounds).for_each(&mut round);
    (cpu_ms() - from) / rounds as f64
}

/// A pod that is well turns unready and ready again, once a second, and each time what is wrong is said.
fn change_ms(world: &mut World) -> f64 {
    let app = App::deployment("team-0/app-50").replicas(100);
    let states = [status::unready(-1), status::ready(-1)].map(|state| app.pod("7", state));
    mean_ms(200, |n| {
        world.set_time(n);
        world.upsert(states[(n % 2) as usize].clone());
        world.diagnose_again();
    })
}

/// A pod that fails dies once more, and so does the next one a second later.
fn death_ms(world: &mut World) -> f64 {
    let app = App::deployment("team-1/app-1").replicas(100);
    mean_ms(100, |n| {
        world.set_time(200 + n);
        let mut pod = app.pod(&(n % 25).to_string(), status::crashed(1, "Error", 4 + n as u32 / 25, 200 + n));
        if let Object::Pod(pod) = &mut pod {
            pod.spec.node_name = Some(format!("node-{}", 100 + n % 25));
        }
        world.upsert(pod);
        world.diagnose_again();
    })
}

/// Observations of a cluster that never stands still: pods come, fail, are spoken of and go.
fn churn(world: &mut World, from: i64, to: i64) {
    let app = App::deployment("shop/checkout");
    world.upsert_all(app.objects());
    for n in from..to {
        world.set_time(n);
        let pod = app.pod(&n.to_string(), status::crashed(1, "Error", 3, n));
        world.upsert(pod.clone());
        let told = event(&pod, "Warning", "BackOff", "Back-off restarting failed container app in pod", n, n, 1);
        world.upsert(told.clone());
        let want = LogWant { pod: pod.reference(), container: "app".into(), previous: false, restart: 3 };
        world.apply(Fact::Log(LogRead { want, lines: Ok(vec!["panic: boom".into()]), truncated: false, later: None }));
        let service = App::deployment(&format!("shop/s{}", n % 7));
        world.upsert(service.service(json!({"spec": {"selector": {"v": n.to_string()}}})));
        world.upsert(service.endpoints(&[n % 2 == 0]));
        world.delete(service.endpoints(&[true]));
        world.delete(service.service(json!({})));
        let map = object("ConfigMap shop/flags", json!({}));
        world.upsert(map.clone());
        world.delete(map);
        if n % 50 == 0 {
            world.diagnose_again();
        }
        world.delete(pod);
        world.delete(told);
    }
    world.diagnose_again();
}

#[test]
fn what_is_gone_leaves_nothing_behind() {
    let mut world = World::new();
    // Logs, graves and changes are kept up to a limit, reached by now; after that nothing may grow.
    let (full, rounds) = (2200, if cfg!(debug_assertions) { 800 } else { 108_800 });
    churn(&mut world, 0, full);
    let (objects, entries, remembered) = (world.index.len(), world.index.entries(), world.remembered());
    churn(&mut world, full, full + rounds);
    assert_eq!(world.index.len(), objects);
    assert!(world.remembered() <= remembered + 10, "{remembered} became {}", world.remembered());
    assert!(world.index.entries() <= entries + 10, "{entries} entries became {}", world.index.entries());
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
            let graph = afterwatch_core::graph::around(&world.index, world.now, &**fault);
            assert!(graph.nodes.len() > 2 && graph.nodes.len() <= afterwatch_core::graph::MOST_NODES);
        }
        let took = start.elapsed().as_secs_f64();
        assert!(took < LIMIT, "the pictures: {took} s");
    }
}
