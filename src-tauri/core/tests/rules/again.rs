//! What was found before is taken again only where it still holds: after any observation and at any time, a diagnosis
//! that remembers says what one says that does not.

use super::support::*;
use afterwatch_core::{
    coverage::{EndedBy, UnreadableReason},
    object::{Kind, Object},
    observation::{Fact, LogRead, LogWant},
};
use afterwatch_testkit::World;
use proptest::prelude::*;

/// Something that happens, chosen by what, to whom and how.
type Step = (usize, usize, usize);

fn pick<T: Clone>(from: &[T], n: usize) -> T {
    from[n % from.len()].clone()
}

fn app(n: usize) -> App {
    let volume = json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]});
    let env = |name: &str, value: &str| json!({"env": [{"name": name, "value": value}]});
    let from = |kind: &str, of: &str| json!({"env": [{"name": "T", "valueFrom": {kind: {"name": of, "key": "k"}}}]});
    let probe = json!({"readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 5}});
    let apart = json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "cart"}}}]}}});
    match n % 8 {
        0 => App::deployment("shop/checkout").replicas(2).container(env("URL", "http://ledger")),
        1 => App::deployment("shop/cart").container(from("secretKeyRef", "pay")).spec(apart),
        2 => App::deployment("shop/front").container(from("configMapKeyRef", "flags")).container(probe),
        3 => App::of(Kind::StatefulSet, "shop/ledger")
            .spec(volume)
            .container(json!({"resources": {"limits": {"memory": "64Mi"}}})),
        4 => App::deployment("bank/till").container(json!({"resources": {"requests": {"cpu": "3"}}})),
        5 => App::of(Kind::DaemonSet, "bank/agent").container(env("PEER", "10.0.0.7:80")),
        6 => App::of(Kind::Job, "bank/report"),
        _ => App::deployment("bank/vault").revise(-30, json!({"image": "vault:2", "args": ["--peer=ledger.shop"]})),
    }
}

fn pod(world: &World, who: usize, how: usize) -> Object {
    let seconds = world.now.duration_since(t(0)).as_secs();
    let ago = |n: i64| seconds - n;
    let state = match how % 16 {
        0 | 1 => status::ready(ago(5)),
        2 => status::ready(ago(600)),
        3 => status::unready(ago(50)),
        4 => status::crashed(137, "OOMKilled", 3, ago(2)),
        5 => status::crashed(1, "Error", 3, ago(5)),
        6 => status::crashed(1, "Error", 0, ago(1)),
        7 => status::backing_off(1, "Error", 5, ago(40)),
        8 => status::restarted(1, "Error", 4, ago(30), ago(3)),
        9 => status::waiting("ImagePullBackOff", "x:9: not found", ago(30)),
        10 => status::waiting("CreateContainerConfigError", "secret \"pay\" not found", ago(20)),
        11 => status::waiting("ContainerCreating", "", ago(90)),
        12 => status::unschedulable("0/1 nodes are available: 1 Insufficient cpu.", ago(60)),
        13 => status::unschedulable("0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.", ago(9)),
        14 => status::finished(how as i32 / 16 % 2, ago(20)),
        _ => status::crashed(127, "StartError", 2, ago(3)),
    };
    let mut pod = app(who).pod(&(who / 8 % 3).to_string(), state);
    let meta = pod.meta_mut();
    if how / 16 % 5 == 4 {
        meta.deletion_timestamp = Some(t(ago(20 - how as i64 % 90)));
    }
    if how / 80 % 7 == 6 {
        meta.labels.insert("app".into(), "other".into());
    }
    pod
}

fn said(n: usize) -> &'static str {
    pick(
        &[
            "panic: boom",
            "dial tcp 10.0.0.7:80: connect: connection refused",
            "lookup ledger on 10.96.0.10:53: no such host",
            "FATAL: password authentication failed for user \"app\"",
            "open /etc/app/routes.toml: no such file or directory",
            "KeyError: 'DATABASE_URL'",
            "bind: address already in use: 0.0.0.0:8080",
            "listening on :8080",
            "",
        ],
        n,
    )
}

/// What the cluster says of a pod.
fn told(world: &World, who: usize, how: usize) -> Object {
    let seconds = world.now.duration_since(t(0)).as_secs();
    let (reason, message) = pick(
        &[
            ("BackOff", "Back-off restarting failed container app in pod"),
            ("Failed", "Failed to pull image \"x:9\": x:9: not found"),
            ("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"),
            ("FailedScheduling", "0/1 nodes are available: 1 Insufficient cpu."),
            ("FailedMount", "MountVolume.SetUp failed for volume \"data\": not found"),
            ("TriggeredScaleUp", "pod triggered scale-up"),
            ("Killing", "Container app failed liveness probe, will be restarted"),
        ],
        how,
    );
    event(&pod(world, who, 0), "Warning", reason, message, seconds - 60, seconds, how as u32 % 5 + 1)
}

/// An object that is no pod.
fn thing(world: &World, who: usize, how: usize) -> Object {
    let seconds = world.now.duration_since(t(0)).as_secs();
    let app = app(how);
    let ns = app.namespace.clone();
    let is = how / 8;
    match who % 14 {
        0 => app.top(json!({"spec": {"replicas": is % 3}})),
        1 => app.between(json!({})).unwrap_or_else(|| app.top(json!({}))),
        2 => app.service(json!({"spec": {"selector": {"app": pick(&[app.name.as_str(), "chekout", "other"], is)}}})),
        3 => app.endpoints(&[is.is_multiple_of(2)]),
        4 => object(&format!("ConfigMap {ns}/flags"), json!({"data": {pick(&["k", "other"], is): "x"}})),
        5 => object(&format!("Secret {ns}/pay"), json!({"data": {pick(&["k", "other"], is): "eA=="}})),
        6 => World::node_since(pick(&["node-a", "node-b"], how), pick(&["True", "False", "Unknown"], is), seconds - 30),
        7 => {
            let taints = json!([{"key": "only", "value": "db", "effect": "NoSchedule"}]);
            let mut node = World::node("node-a", "True");
            if let Object::Node(node) = &mut node {
                node.spec.unschedulable = is % 3 == 1;
                node.spec.taints =
                    serde_json::from_value(if is % 3 == 2 { taints } else { json!([]) }).expect("taints");
            }
            node
        }
        8 => object(
            &format!("NetworkPolicy {ns}/lockdown"),
            json!({"metadata": {"creationTimestamp": at(seconds - 60)}, "spec": {"podSelector": {}, "policyTypes": [pick(&["Egress", "Ingress"], is)]}}),
        ),
        9 => object(
            &format!("ResourceQuota {ns}/small"),
            json!({"spec": {"hard": {"pods": "1"}}, "status": {"hard": {"pods": "1"}, "used": {"pods": (is % 2).to_string()}}}),
        ),
        10 => object(
            "PersistentVolumeClaim shop/data",
            json!({"spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}}, "status": {"phase": pick(&["Pending", "Bound"], is)}}),
        ),
        11 => object(
            &format!("Ingress {ns}/front"),
            json!({"spec": {"rules": [{"host": "shop.test", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": app.name, "port": {"number": pick(&[80, 81], is)}}}}]}}]}}),
        ),
        12 => object(
            &format!("Namespace {ns}"),
            if is % 4 == 3 { json!({"metadata": {"deletionTimestamp": at(seconds - 30)}}) } else { json!({}) },
        ),
        _ => told(world, how, is),
    }
}

fn happen(world: &mut World, (what, who, how): Step) {
    match what {
        0..=4 => {
            world.upsert(pod(world, who, how));
        }
        5 | 6 => {
            world.upsert(thing(world, who, how));
        }
        7 => {
            world.delete(thing(world, who, how));
        }
        8 => {
            world.delete(pod(world, who, how));
        }
        9 | 10 => {
            let lines = if how % 9 == 8 { Err("gone".to_owned()) } else { Ok(vec![said(how).to_owned(); 3]) };
            let wanted = world.diagnose().wants;
            let want = match wanted.get(who % 5) {
                Some(want) => want.clone(),
                None => LogWant {
                    pod: pod(world, who, 0).reference(),
                    container: "app".into(),
                    previous: how.is_multiple_of(2),
                    restart: (how % 4) as u32,
                },
            };
            world.apply(Fact::Log(LogRead { want, lines, truncated: false, later: None }));
        }
        11 => {
            let kind =
                pick(&[Kind::Pod, Kind::Service, Kind::EndpointSlice, Kind::Node, Kind::Secret, Kind::ConfigMap], who);
            match how % 3 {
                0 => world.lose(kind, UnreadableReason::Forbidden),
                1 => {
                    world.apply(Fact::Alive { kind, namespace: None });
                }
                _ => {
                    let (ended_by, reason) = (EndedBy::Disconnect, UnreadableReason::Forbidden);
                    let message = "test".into();
                    world.apply(Fact::Lost { kind, namespace: Some("shop".into()), ended_by, reason, message });
                }
            }
        }
        12 | 13 => {
            world.upsert(told(world, who, how));
        }
        14 => {
            world.upsert(app(who).endpoints(&[how.is_multiple_of(2)]));
        }
        15 => {
            let all: Vec<Object> = (0..3).map(|n| pod(world, who + n, how + n * 5)).collect();
            world.list(Kind::Pod, all);
        }
        _ => {
            for object in app(who).objects() {
                world.upsert(object);
            }
            world.upsert(app(who).service(json!({})));
            world.upsert(app(who).endpoints(&[how.is_multiple_of(3)]));
        }
    }
    world.now +=
        jiff::SignedDuration::from_millis(pick(&[0, 0, 20, 1000, 4000, 11_000, 31_000, 61_000, 400_000], who + how));
}

/// What stands behind a Service is found anew once it selects others.
#[test]
fn a_service_that_selects_others_leads_elsewhere() {
    let mut world = World::new();
    for step in [(16, 52, 0), (15, 5, 405), (0, 54, 484), (9, 5, 28), (5, 2, 164)] {
        happen(&mut world, step);
        world.diagnose();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_remembered_is_what_would_be_found_anew(
        steps in prop::collection::vec((0..18_usize, 0..64_usize, 0..600_usize), 5..40)
    ) {
        let mut world = World::new();
        for step in steps {
            happen(&mut world, step);
            // Compares the two.
            world.diagnose();
        }
    }
}
