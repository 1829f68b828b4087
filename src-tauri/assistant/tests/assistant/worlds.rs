//! Incidents as the project's own rules make them: of clusters that were built for it, and of recordings of real ones.

use afterwatch_assistant::exam::Paper;
use afterwatch_core::{
    incident::Incident,
    object::{Kind, Object},
};
use afterwatch_testkit::{App, World, at, event, merge, object, status};
use serde_json::{Value, json};

use crate::played;

/// What a person asks in the exam, and what a good answer stands on.
const QUESTIONS: &[&str] = &[
    "Why did it break?",
    "What is broken, and since when?",
    "What changed just before?",
    "What should I do first?",
    "What was ruled out?",
    "Is it over?",
];

/// All of them, in a fixed order.
pub fn papers() -> Vec<Paper> {
    let mut out: Vec<Paper> = Vec::new();
    let mut add = |name: &str, mut incident: Incident, gaps, notes: &str, now| {
        let n = out.len();
        incident.number = n as u64 + 1;
        let mut paper = Paper {
            name: name.to_owned(),
            question: QUESTIONS[n % QUESTIONS.len()].to_owned(),
            right: Vec::new(),
            notes: notes.to_owned(),
            gaps,
            now,
            incident,
        };
        let first = afterwatch_assistant::offered(&paper.case()).first().map(|a| a.id.clone());
        paper.right.extend(first);
        out.push(paper);
    };
    for name in [
        "out-of-memory-after-release",
        "bad-image-old-pods-serve",
        "broken-while-nobody-watched",
        "config-value-crash",
        "node-lost-with-workloads",
        "secret-key-missing-after-release",
    ] {
        let played = played::play(name);
        for incident in played.incidents {
            add(name, incident, played.gaps.clone(), "", played.end);
        }
    }
    for (name, mut world) in built() {
        world.look();
        world.set_time(30);
        world.look();
        let incident = world.incidents().first().unwrap_or_else(|| panic!("{name} gives no incident")).clone();
        add(name, incident, Vec::new(), "", world.now);
    }
    out
}

fn world(app: &App, pods: impl IntoIterator<Item = Object>) -> World {
    let mut world = World::new();
    world.run(app, pods);
    world
}

/// A pod that crashes with these last words.
fn crashing(app: &App, exit: i32, log: &str) -> World {
    let pod = app.pod("x7k2p", status::crashed(exit, "Error", 4, -9));
    let mut world = world(app, [pod.clone()]);
    world.log(&pod, "app", 4, log);
    world
}

/// A pod that waits for this reason, and what the kubelet says of it.
fn waiting(app: &App, reason: &str, message: &str, told: &str) -> World {
    let pod = app.pod("q9m4z", status::waiting(reason, message, -50));
    let mut world = world(app, [pod.clone()]);
    world.upsert(event(&pod, "Warning", told, message, -45, -4, 5));
    world
}

fn unready(app: &App, message: &str) -> World {
    let pod = app.pod("t5h8c", status::unready(-90));
    let mut world = world(app, [pod.clone()]);
    world.upsert(event(&pod, "Warning", "Unhealthy", message, -80, -2, 12));
    world
}

fn refused(app: &App, message: &str) -> World {
    let mut world = World::new();
    let set = app.between(json!({"status": {"replicas": 0}})).expect("a ReplicaSet");
    world.upsert_all([app.top(json!({})), set.clone()]);
    world.upsert(event(&set, "Warning", "FailedCreate", message, -40, -6, 7));
    world
}

fn built() -> Vec<(&'static str, World)> {
    vec![
        ("memory-limit-without-change", memory()),
        ("environment-variable-missing", {
            let app = App::deployment("billing/invoicer").replicas(2);
            crashing(&app, 1, "invoicer 2.4.1 starting\nFATAL required environment variable STRIPE_KEY is not set")
        }),
        ("host-name-unknown", {
            let app = App::deployment("search/indexer");
            crashing(&app, 2, "connecting to elastic.search.svc:9200\nerror: getaddrinfo ENOTFOUND elastic.search.svc")
        }),
        ("crash-without-words", {
            let app = App::deployment("media/thumbnailer");
            crashing(&app, 139, "")
        }),
        ("command-not-found", {
            let app = App::deployment("ops/reporter").container(json!({"command": ["/usr/bin/reportd"]}));
            let message = "failed to create containerd task: exec: \"/usr/bin/reportd\": stat /usr/bin/reportd: no such file or directory";
            waiting(&app, "RunContainerError", message, "Failed")
        }),
        ("image-unauthorised", {
            let app = App::deployment("shop/cart").container(json!({"image": "registry.corp.test/shop/cart:3.18.0"}));
            waiting(
                &app,
                "ErrImagePull",
                "failed to authorize: failed to fetch oauth token: 401 Unauthorized",
                "Failed",
            )
        }),
        ("secret-missing", {
            let env = json!({"env": [{"name": "SMTP_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "mail-login", "key": "password"}}}]});
            let app = App::deployment("notify/mailer").replicas(3).container(env);
            waiting(&app, "CreateContainerConfigError", "secret \"mail-login\" not found", "Failed")
        }),
        ("volume-secret-missing", {
            let app = App::deployment("edge/gateway")
                .spec(json!({"volumes": [{"name": "tls", "secret": {"secretName": "gateway-tls"}}]}));
            let message = "MountVolume.SetUp failed for volume \"tls\" : secret \"gateway-tls\" not found";
            waiting(&app, "ContainerCreating", message, "FailedMount")
        }),
        ("no-addresses-left", {
            let app = App::deployment("games/lobby");
            let message = "Failed to create pod sandbox: plugin type=\"calico\" failed (add): no IP addresses available in range set";
            let pod = app.pod("q9m4z", status::waiting("ContainerCreating", "", -90));
            let mut world = world(&app, [pod.clone()]);
            world.upsert(event(&pod, "Warning", "FailedCreatePodSandBox", message, -80, -5, 6));
            world
        }),
        ("storage-evicted", {
            let app = App::deployment("logs/shipper");
            let message = "Pod ephemeral local storage usage exceeds the total limit of containers 50Mi.";
            let state = json!({"phase": "Failed", "reason": "Evicted", "message": message, "startTime": at(-60)});
            world(&app, [app.pod("b2v6n", state)])
        }),
        (
            "readiness-503",
            unready(
                &probed("shop/catalogue", "readinessProbe"),
                "Readiness probe failed: HTTP probe failed with statuscode: 503",
            ),
        ),
        ("readiness-wrong-port", {
            let app = probed("shop/reviews", "readinessProbe").container(json!({"ports": [{"containerPort": 9090}]}));
            unready(&app, "Readiness probe failed: dial tcp 10.1.0.7:8080: connect: connection refused")
        }),
        ("request-too-large", {
            let app = App::deployment("ml/trainer").container(json!({"resources": {"requests": {"memory": "64Gi"}}}));
            let message = "0/1 nodes are available: 1 Insufficient memory. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.";
            world(&app, [app.pod("w3d9f", status::unschedulable(message, -40))])
        }),
        ("no-node-with-label", {
            let app = App::deployment("ml/inference").spec(json!({"nodeSelector": {"disktype": "nvme"}}));
            let message = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";
            world(&app, [app.pod("k8s2a", status::unschedulable(message, -40))])
        }),
        ("quota-used-up", {
            let message = "Error creating: pods \"ledger-r1-x\" is forbidden: exceeded quota: team-pay, requested: pods=1, used: pods=4, limited: pods=4";
            let mut world = refused(&App::deployment("pay/ledger"), message);
            let quota = json!({"status": {"hard": {"pods": "4"}, "used": {"pods": "4"}}});
            world.upsert(object("ResourceQuota pay/team-pay", quota));
            world
        }),
        (
            "webhook-refuses",
            refused(
                &App::deployment("pay/refunds"),
                "Error creating: admission webhook \"policy.corp.test\" denied the request: images must be signed",
            ),
        ),
        ("storage-class-missing", {
            let mut world = World::new();
            world.upsert(object("StorageClass standard", json!({})));
            world.upsert(object("PersistentVolumeClaim data/orders", json!({
                "metadata": {"creationTimestamp": at(-120)},
                "spec": {"storageClassName": "fast", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}},
                "status": {"phase": "Pending"},
            })));
            world
        }),
        ("node-short-of-memory", {
            let mut world = World::new();
            let mut fields = json!({"status": {"conditions": [
                {"type": "Ready", "status": "True"},
                {"type": "MemoryPressure", "status": "True", "reason": "KubeletHasInsufficientMemory", "message": "kubelet has insufficient memory available", "lastTransitionTime": at(-30)},
            ]}});
            merge(&mut fields, &json!({"metadata": {"uid": "node-node-a"}}));
            world.upsert(object("Node node-a", fields));
            world
        }),
        ("service-selector-wrong", behind("shop/basket", json!({"spec": {"selector": {"app": "baskett"}}}))),
        (
            "service-port-wrong",
            behind("shop/pricing", json!({"spec": {"ports": [{"name": "http", "port": 80, "targetPort": "metrics"}]}})),
        ),
        ("job-failed", {
            let app = App::of(Kind::Job, "batch/nightly-export");
            let pod = app.pod("h6j1r", status::finished(1, -20));
            let mut world = World::new();
            world.upsert(app.top(json!({"spec": {"backoffLimit": 2}, "status": {"failed": 3, "conditions": [
                {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit", "lastTransitionTime": at(-15)},
            ]}})));
            world.upsert(pod.clone());
            world.log(&pod, "app", 0, "export started\nerror: permission denied: /exports/2026-11.csv");
            world
        }),
    ]
}

fn memory() -> World {
    let app = App::deployment("shop/checkout").replicas(2);
    let app = app.container(json!({"resources": {"limits": {"memory": "192Mi"}}}));
    let dead = app.pod("w8r4t", status::crashed(137, "OOMKilled", 5, -5));
    world(&app, [dead, app.pod("m1n7d", status::ready(-600))])
}

fn probed(path: &str, probe: &str) -> App {
    App::deployment(path).container(json!({
        "ports": [{"containerPort": 8080}],
        probe: {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 5, "failureThreshold": 3},
    }))
}

/// A healthy workload with its Service, changed like this.
fn behind(path: &str, fields: Value) -> World {
    let app = App::deployment(path).container(json!({"ports": [{"name": "web", "containerPort": 8080}]}));
    let mut world = world(&app, [app.pod("a4c2e", status::ready(-600))]);
    world.upsert_all([app.endpoints(&[true]), app.service(fields)]);
    world
}
