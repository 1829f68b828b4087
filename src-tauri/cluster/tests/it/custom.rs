//! Kinds that extensions brought: which there are is learned from the server, and only what says something is kept.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use afterwatch_core::{
    index::{Index, Reading},
    object::{CustomResource, Kind, Object},
    observation::Fact,
    port::Cluster,
};
use serde_json::{Value, json};

use crate::support::{Config, Memory, Reply, Request, Stub, list};

/// A resource as aggregated discovery tells of it.
pub fn resource(plural: &str, kind: &str, status: bool) -> Value {
    json!({
        "resource": plural, "responseKind": {"group": "", "version": "", "kind": kind}, "scope": "Namespaced",
        "verbs": ["get", "list", "watch"], "subresources": if status { json!([{"subresource": "status"}]) } else { json!([]) },
    })
}

pub fn group(name: &str, version: &str, resources: Vec<Value>) -> Value {
    json!({"metadata": {"name": name}, "versions": [{"version": version, "resources": resources, "freshness": "Current"}]})
}

/// Everything at once, as servers since 1.26 answer.
pub fn groups(items: Vec<Value>) -> Option<Reply> {
    Some(Reply::Json(json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items})))
}

pub fn path(r: &Request) -> &str {
    r.path.split('?').next().unwrap_or_default()
}

pub fn database(name: &str, namespace: &str) -> Value {
    json!({
        "apiVersion": "db.example.com/v1", "kind": "Database",
        "metadata": {"name": name, "namespace": namespace, "uid": format!("uid-{name}"), "resourceVersion": "7", "generation": 3},
        "spec": {"password": "hunter2", "suspend": true},
        "status": {"token": "hunter2", "observedGeneration": 3, "conditions": [
            {"type": "Ready", "status": "False", "reason": "Failed", "message": "login with password=hunter2 failed", "lastTransitionTime": "2026-11-22T10:00:00Z"},
        ]},
    })
}

/// A server with databases, and whatever else the script says.
pub fn databases(r: &Request) -> Option<Reply> {
    match path(r) {
        "/apis" => groups(vec![group("db.example.com", "v1", vec![resource("databases", "Database", true)])]),
        "/apis/db.example.com/v1/databases" => Some(list(vec![database("orders", "shop")])),
        _ => None,
    }
}

pub async fn scanned(script: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> (Stub, Memory) {
    let stub = Stub::start(script).await;
    let memory = Memory::default();
    Config::new(&stub.address, json!({})).cluster().scan(memory.sink()).await;
    memory.connected().await;
    (stub, memory)
}

pub fn index(memory: &Memory) -> Index {
    let mut index = Index::new();
    for observation in memory.told.lock().unwrap().iter() {
        index.apply(observation.clone());
    }
    index
}

pub fn names(memory: &Memory) -> Vec<String> {
    index(memory).all(Kind::CustomResource).map(|o| o.reference().key()).collect()
}

/// Waits until the kinds were asked for so often.
pub async fn until(looks: &AtomicUsize, times: usize) {
    let wait = async {
        while looks.load(SeqCst) < times {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap();
}

/// What was said not to be read, each once for as long as it is said.
pub fn unread(memory: &Memory) -> Vec<String> {
    let facts = memory.facts().into_iter();
    let mut told: Vec<String> = facts
        .filter_map(|f| match f {
            Fact::Partly { count, message, .. } => (count > 0).then_some(message),
            Fact::Lost { kind: Kind::CustomResource, message, .. } => Some(message),
            _ => None,
        })
        .collect();
    told.dedup();
    told
}

#[tokio::test]
async fn kinds_of_extensions_are_learned_and_reduced_to_what_their_controllers_say() {
    let (stub, memory) = scanned(databases).await;
    let index = index(&memory);
    let objects: Vec<CustomResource> = index
        .all(Kind::CustomResource)
        .filter_map(|o| match &**o {
            Object::CustomResource(o) => Some(o.clone()),
            _ => None,
        })
        .collect();
    let [found] = &objects[..] else { panic!("{objects:?}") };
    assert_eq!(
        (found.kind.as_str(), found.api_version.as_str(), found.resource.as_str()),
        ("Database", "db.example.com/v1", "databases")
    );
    assert!(found.is_suspended() && found.condition("Ready").unwrap().reason.as_deref() == Some("Failed"));
    assert!(!memory.words().contains("hunter2"), "{}", memory.words());
    assert_eq!(unread(&memory), Vec::<String>::new());
    assert_eq!(
        stub.count(|r| r.review().is_some_and(|a| a["resource"] == "databases")),
        0,
        "nobody is asked for rights"
    );
}

#[tokio::test]
async fn what_is_kubernetes_own_is_watched_anyway_or_has_no_status_is_not_read() {
    let (stub, memory) = scanned(|r| match path(r) {
        "/apis" => groups(vec![
            group("apps", "v1", vec![resource("deployments", "Deployment", true)]),
            group(
                "apiextensions.k8s.io",
                "v1",
                vec![resource("customresourcedefinitions", "CustomResourceDefinition", true)],
            ),
            group(
                "gateway.networking.k8s.io",
                "v1",
                vec![resource("gateways", "Gateway", true), resource("grpcroutes", "GRPCRoute", true)],
            ),
            group("metrics.k8s.io", "v1beta1", vec![resource("pods", "PodMetrics", false)]),
            group("config.example.com", "v1", vec![resource("settings", "Setting", false)]),
            group(
                "argoproj.io",
                "v1alpha1",
                vec![resource("applications", "Application", false), resource("appprojects", "AppProject", false)],
            ),
        ]),
        _ => None,
    })
    .await;
    let asked = |what: &str| stub.count(|r| path(r) == what);
    for never in [
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        "/apis/metrics.k8s.io/v1beta1/pods",
        "/apis/config.example.com/v1/settings",
        "/apis/argoproj.io/v1alpha1/appprojects",
    ] {
        assert_eq!(asked(never), 0, "{never}");
    }
    assert_eq!(asked("/apis/gateway.networking.k8s.io/v1/gateways"), 1, "by name only");
    assert_eq!(asked("/apis/gateway.networking.k8s.io/v1/grpcroutes"), 1);
    assert_eq!(asked("/apis/argoproj.io/v1alpha1/applications"), 1, "Argo CD writes its status without a subresource");
    assert!(unread(&memory).is_empty());
}

#[tokio::test]
async fn an_older_server_is_asked_group_by_group_and_one_that_does_not_answer_costs_itself() {
    let (_stub, memory) = scanned(|r| match path(r) {
        "/apis" => Some(Reply::Json(json!({"kind": "APIGroupList", "groups": [
            {"name": "apps", "preferredVersion": {"groupVersion": "apps/v1"}},
            {"name": "broken.example.com", "preferredVersion": {"groupVersion": "broken.example.com/v1"}},
            {"name": "db.example.com", "preferredVersion": {"groupVersion": "db.example.com/v1"}},
        ]}))),
        "/apis/apps/v1" => panic!("Kubernetes' own groups are known"),
        "/apis/broken.example.com/v1" => Some(Reply::Status(503, "service unavailable")),
        "/apis/db.example.com/v1" => Some(Reply::Json(json!({"kind": "APIResourceList", "resources": [
            {"name": "databases", "kind": "Database", "namespaced": true, "verbs": ["list"]},
            {"name": "databases/status", "kind": "Database", "namespaced": true, "verbs": ["get"]},
            {"name": "notes", "kind": "Note", "namespaced": true, "verbs": ["list"]},
        ]}))),
        "/apis/db.example.com/v1/notes" => panic!("without a status there is nothing to read"),
        _ => databases(r),
    })
    .await;
    assert_eq!(names(&memory), ["Database.db.example.com/shop/orders"]);
    assert!(unread(&memory).is_empty());
}

#[tokio::test]
async fn a_kind_that_may_not_be_read_is_left_out_without_a_word() {
    let (_stub, memory) = scanned(|r| match path(r) {
        "/apis" => groups(vec![
            group("db.example.com", "v1", vec![resource("databases", "Database", true)]),
            group("vault.example.com", "v1", vec![resource("vaults", "Vault", true)]),
        ]),
        p if p.ends_with("/vaults") => Some(Reply::Status(403, "vaults.vault.example.com is forbidden")),
        _ => databases(r),
    })
    .await;
    assert_eq!(names(&memory), ["Database.db.example.com/shop/orders"]);
    assert!(unread(&memory).is_empty(), "{:?}", unread(&memory));
    let index = index(&memory);
    let readings: Vec<_> = index.readings().filter(|((k, _), _)| *k == Kind::CustomResource).collect();
    assert!(readings.iter().all(|(_, r)| **r == Reading::Complete), "{readings:?}");
}

#[tokio::test]
async fn a_server_that_tells_nothing_of_extensions_is_well_and_has_none() {
    for reply in [403, 404, 406] {
        let (_stub, memory) = scanned(move |r| (path(r) == "/apis").then_some(Reply::Status(reply, "no"))).await;
        let empty =
            |f: &Fact| matches!(f, Fact::Listed { kind: Kind::CustomResource, objects, .. } if objects.is_empty());
        assert!(memory.facts().iter().any(empty) && unread(&memory).is_empty());
    }
}

#[tokio::test]
async fn rights_in_one_namespace_are_enough_for_what_is_there() {
    let (stub, memory) = scanned(|r| match path(r) {
        "/apis/db.example.com/v1/databases" => Some(Reply::Status(403, "forbidden")),
        "/apis/db.example.com/v1/namespaces/shop/databases" => Some(list(vec![database("orders", "shop")])),
        _ => databases(r),
    })
    .await;
    assert_eq!(names(&memory), ["Database.db.example.com/shop/orders"]);
    assert!(unread(&memory).is_empty());
    assert_eq!(stub.count(|r| r.of("databases")), 2);
}

#[tokio::test]
async fn a_kind_that_fails_is_told_once_and_what_was_known_of_it_stays() {
    let looks = Arc::new(AtomicUsize::new(0));
    let count = looks.clone();
    let stub = Stub::start(move |r| match path(r) {
        "/apis" => {
            count.fetch_add(1, SeqCst);
            groups(vec![
                group("db.example.com", "v1", vec![resource("databases", "Database", true)]),
                group("queue.example.com", "v1", vec![resource("queues", "Queue", true)]),
            ])
        }
        // Its conversion webhook is down from the second look on.
        "/apis/db.example.com/v1/databases" if count.load(SeqCst) > 1 => Some(Reply::Status(500, "conversion webhook failed")),
        "/apis/queue.example.com/v1/queues" => {
            let item = |name: &str| json!({"metadata": {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "1"}});
            let first = count.load(SeqCst) == 1;
            Some(list(if first { vec![item("a"), item("b")] } else { vec![item("b"), item("c")] }))
        }
        _ => databases(r),
    })
    .await;
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    until(&looks, 5).await;
    let told = [
        "databases.db.example.com: conversion webhook failed",
        "what is known of databases.db.example.com is old: conversion webhook failed",
    ];
    assert_eq!(unread(&memory), told, "at first, and once more when it has lasted");
    let expected =
        ["Database.db.example.com/shop/orders", "Queue.queue.example.com/shop/b", "Queue.queue.example.com/shop/c"];
    assert_eq!(names(&memory), expected);
}

#[tokio::test]
async fn a_kind_that_came_is_read_at_the_next_look_and_one_that_went_is_forgotten() {
    let looks = Arc::new(AtomicUsize::new(0));
    let count = looks.clone();
    let stub = Stub::start(move |r| match path(r) {
        "/apis" => match count.fetch_add(1, SeqCst) {
            1 | 2 => databases(r),
            _ => groups(vec![]),
        },
        _ => databases(r),
    })
    .await;
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    memory
        .until(|f| {
            matches!(f, Fact::Listed { kind: Kind::CustomResource, objects, .. } if objects.len() == 1).then_some(())
        })
        .await;
    until(&looks, 5).await;
    assert!(names(&memory).is_empty());
}

#[tokio::test]
async fn more_than_anybody_takes_in_is_not_read_and_that_is_told() {
    let (stub, memory) = scanned(|r| match path(r) {
        "/apis" => {
            let many = (0..210).map(|i| resource(&format!("things{i:03}"), &format!("Thing{i}"), true)).collect();
            groups(vec![group("cloud.example.com", "v1", many), group("argoproj.io", "v1alpha1", vec![resource("rollouts", "Rollout", true)])])
        }
        "/apis/argoproj.io/v1alpha1/rollouts" => {
            let page = r.path.split("continue=").nth(1).and_then(|t| t.parse::<usize>().ok()).unwrap_or(0);
            let item = |i: usize| json!({"metadata": {"name": format!("r{page}-{i}"), "namespace": "shop", "uid": format!("{page}-{i}")}});
            let items: Vec<Value> = (0..500).map(item).collect();
            Some(Reply::Json(json!({"kind": "List", "metadata": {"continue": (page + 1).to_string()}, "items": items})))
        }
        _ => None,
    })
    .await;
    assert_eq!(stub.count(|r| r.path.starts_with("/apis/cloud.example.com/v1/things")), 199);
    assert_eq!(names(&memory).len(), 2_000);
    let told = unread(&memory);
    let [told] = &told[..] else { panic!("{told:?}") };
    assert!(told.ends_with("; only the first 2000 rollouts.argoproj.io are read"), "{told}");
    assert!(told.starts_with("11 custom kinds beyond 200 are not read: things199.cloud.example.com, "), "{told}");
}
