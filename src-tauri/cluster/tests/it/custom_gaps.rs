//! Kinds of extensions that cannot be read now, or only in part: what was known of them stays, and is neither taken for
//! gone nor for all there is.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use afterwatch_core::{
    object::{Kind, ObjectRef},
    observation::Fact,
    port::Cluster,
};
use serde_json::{Value, json};

use crate::{
    custom::{database, databases, group, groups, index, names, path, resource, scanned, unread, until},
    support::{Config, Memory, Reply, Request, Stub, limits, list},
};

const ORDERS: &str = "Database.db.example.com/shop/orders";
const LIST: &str = "/apis/db.example.com/v1/databases";

/// A database of this name in this namespace.
fn named(name: &str, namespace: &str) -> ObjectRef {
    ObjectRef {
        api_version: "db.example.com/v1".into(),
        kind: "Database".into(),
        namespace: Some(namespace.into()),
        name: name.into(),
        uid: None,
    }
}

/// Watches until the kinds were asked for so often.
async fn watched(times: usize, script: impl Fn(usize, &Request) -> Option<Reply> + Send + Sync + 'static) -> Memory {
    let looks = Arc::new(AtomicUsize::new(0));
    let count = looks.clone();
    let stub = Stub::start(move |r| {
        let look = if path(r) == "/apis" { count.fetch_add(1, SeqCst) + 1 } else { count.load(SeqCst) };
        script(look, r)
    })
    .await;
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    until(&looks, times).await;
    memory
}

#[tokio::test]
async fn a_kind_that_fails_when_a_connection_begins_anew_is_not_gone() {
    let looks = Arc::new(AtomicUsize::new(0));
    let (count, fails) = (looks.clone(), Arc::new(AtomicUsize::new(0)));
    let now = fails.clone();
    let stub = Stub::start(move |r| match path(r) {
        "/apis" => {
            count.fetch_add(1, SeqCst);
            databases(r)
        }
        LIST if now.load(SeqCst) > 0 => Some(Reply::Status(500, "conversion webhook failed")),
        _ => databases(r),
    })
    .await;
    let memory = Memory::default();
    let handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    let listed = |f: &Fact| {
        matches!(f, Fact::Listed { kind: Kind::CustomResource, objects, .. } if objects.len() == 1).then_some(())
    };
    memory.until(listed).await;
    assert!(index(&memory).knows_extension(&named("other", "shop"), true));
    fails.store(1, SeqCst);
    handle.restart();
    memory.until(|f| matches!(f, Fact::Lost { kind: Kind::CustomResource, .. }).then_some(())).await;
    let before = looks.load(SeqCst);
    until(&looks, before + 3).await;
    assert_eq!(names(&memory), [ORDERS]);
    let index = index(&memory);
    assert!(!index.sees_extension(&named("orders", "shop")), "its controller may have changed its mind");
    assert!(!index.knows_extension(&named("other", "shop"), true), "it may be there");
    assert!(unread(&memory).iter().any(|w| w == "databases.db.example.com: conversion webhook failed"));
}

#[tokio::test]
async fn a_server_that_does_not_tell_its_kinds_any_more_has_them_still() {
    for code in [403, 404, 406, 500] {
        let memory = watched(4, move |look, r| match path(r) {
            "/apis" if look > 1 => Some(Reply::Status(code, "not now")),
            _ => databases(r),
        })
        .await;
        assert_eq!(names(&memory), [ORDERS], "{code}");
        assert_eq!(unread(&memory), ["not now"], "{code}");
    }
}

#[tokio::test]
async fn a_group_whose_server_does_not_answer_keeps_what_was_known_of_it() {
    let stale = |r: &Request, look: usize| match path(r) {
        "/apis" if look > 1 => groups(vec![
            json!({"metadata": {"name": "db.example.com"}, "versions": [{"version": "v1", "freshness": "Stale"}]}),
        ]),
        _ => databases(r),
    };
    let memory = watched(4, move |look, r| stale(r, look)).await;
    assert_eq!(names(&memory), [ORDERS]);
    let words = "databases.db.example.com: the server of its API group does not answer";
    assert_eq!(unread(&memory)[0], words);

    for code in [404, 429, 500, 503] {
        let memory = watched(4, move |look, r| match path(r) {
            "/apis" => Some(Reply::Json(json!({"kind": "APIGroupList", "groups": [
                {"name": "db.example.com", "preferredVersion": {"groupVersion": "db.example.com/v1"}, "versions": null},
            ]}))),
            "/apis/db.example.com/v1" if look > 1 => Some(Reply::Status(code, "not now")),
            "/apis/db.example.com/v1" => Some(Reply::Json(json!({"kind": "APIResourceList", "resources": [
                {"name": "databases", "kind": "Database", "namespaced": true, "verbs": ["list"]},
                {"name": "databases/status", "kind": "Database", "namespaced": true, "verbs": ["get"]},
            ]}))),
            _ => databases(r),
        })
        .await;
        assert_eq!(names(&memory), [ORDERS], "{code}");
        assert_eq!(unread(&memory)[0], "databases.db.example.com: not now", "{code}");
    }
}

#[tokio::test]
async fn rights_that_were_taken_away_are_told_and_take_nothing_along() {
    let memory = watched(4, |look, r| match path(r) {
        LIST if look > 1 => Some(Reply::Status(403, "databases.db.example.com is forbidden")),
        LIST => Some(list(vec![database("orders", "shop"), database("far", "stock")])),
        // The namespace of the context may still be read.
        "/apis/db.example.com/v1/namespaces/shop/databases" => Some(list(vec![database("new", "shop")])),
        _ => databases(r),
    })
    .await;
    assert_eq!(names(&memory), ["Database.db.example.com/shop/new", "Database.db.example.com/stock/far"]);
    assert_eq!(unread(&memory), ["databases.db.example.com: databases.db.example.com is forbidden"]);
    let index = index(&memory);
    assert!(index.sees_extension(&named("orders", "shop")) && !index.sees_extension(&named("far", "stock")));
    let known = |namespace: &str| index.knows_extension(&named("other", namespace), true);
    assert!(known("shop") && !known("stock"));
}

#[tokio::test]
async fn every_version_of_a_group_is_asked_for_its_kinds() {
    let (stub, memory) = scanned(|r| {
        let served = |names: &[(&str, &str)]| {
            let each = |(plural, kind): &(&str, &str)| {
                let of = |name: String| json!({"name": name, "kind": kind, "namespaced": true, "verbs": ["list"]});
                [of((*plural).to_owned()), of(format!("{plural}/status"))]
            };
            let resources: Vec<Value> = names.iter().flat_map(each).collect();
            Some(Reply::Json(json!({"kind": "APIResourceList", "resources": resources})))
        };
        match path(r) {
            "/apis" => Some(Reply::Json(json!({"kind": "APIGroupList", "groups": [{
                "name": "db.example.com", "preferredVersion": {"groupVersion": "db.example.com/v1"},
                "versions": [{"groupVersion": "db.example.com/v1alpha1"}, {"groupVersion": "db.example.com/v1"}],
            }]}))),
            "/apis/db.example.com/v1" => served(&[("databases", "Database")]),
            "/apis/db.example.com/v1alpha1" => served(&[("databases", "Database"), ("backups", "Backup")]),
            "/apis/db.example.com/v1alpha1/databases" => panic!("the preferred version has it"),
            "/apis/db.example.com/v1alpha1/backups" => {
                Some(list(vec![json!({"metadata": {"name": "nightly", "namespace": "shop", "uid": "b"}})]))
            }
            _ => databases(r),
        }
    })
    .await;
    assert_eq!(names(&memory), ["Backup.db.example.com/shop/nightly", ORDERS]);
    assert_eq!(stub.count(|r| r.of("backups")), 1);
}

#[tokio::test]
async fn what_is_null_in_discovery_costs_only_itself() {
    let (_stub, memory) = scanned(|r| match path(r) {
        "/apis" => groups(vec![
            Value::Null,
            json!({"metadata": null, "versions": null}),
            json!({"metadata": {"name": "a.example.com"}, "versions": [{"version": "v1", "resources": null}, null]}),
            group(
                "b.example.com",
                "v1",
                vec![
                    json!({"resource": "odds", "responseKind": null, "verbs": null, "subresources": null}),
                    Value::Null,
                ],
            ),
            group("db.example.com", "v1", vec![resource("databases", "Database", true), json!({"resource": 7})]),
        ]),
        _ => databases(r),
    })
    .await;
    assert_eq!(names(&memory), [ORDERS]);
    let (_stub, memory) = scanned(|r| match path(r) {
        "/apis" => Some(Reply::Json(json!({"kind": "APIGroupList", "groups": null}))),
        _ => None,
    })
    .await;
    assert!(names(&memory).is_empty() && unread(&memory).is_empty());
    let (_stub, memory) = scanned(|r| (path(r) == "/apis").then(|| Reply::Json(json!({"page": "login"})))).await;
    assert_eq!(unread(&memory), ["the list of API groups is no list"]);
}

#[tokio::test]
async fn the_limit_of_objects_holds_for_a_page_too_and_for_all_namespaces_together() {
    let many = |namespace: &str, n: usize| {
        let item = |i: usize| json!({"metadata": {"name": format!("d{i:04}"), "namespace": namespace, "uid": format!("{namespace}-{i}")}});
        Some(list((0..n).map(item).collect()))
    };
    let (_stub, memory) = scanned(move |r| match path(r) {
        LIST => many("shop", 2_500),
        _ => databases(r),
    })
    .await;
    assert_eq!(names(&memory).len(), 2_000);
    assert_eq!(unread(&memory), ["only the first 2000 databases.db.example.com are read"]);
    let index = index(&memory);
    assert!(!index.knows_extension(&named("other", "shop"), true), "it may be one of the rest");
    assert!(index.sees_extension(&named("d0000", "shop")) && !index.sees_extension(&named("d2400", "shop")));

    let stub = Stub::start(move |r| match path(r) {
        LIST => Some(Reply::Status(403, "forbidden")),
        "/apis/db.example.com/v1/namespaces/shop/databases" => many("shop", 1_500),
        "/apis/db.example.com/v1/namespaces/stock/databases" => many("stock", 1_500),
        _ => databases(r),
    })
    .await;
    let memory = Memory::default();
    let options = afterwatch_cluster::ClusterOptions { extra_namespaces: vec!["stock".into()], ..Default::default() };
    Config::new(&stub.address, json!({})).cluster_with(&options).scan(memory.sink()).await;
    assert_eq!(names(&memory).len(), 2_000);
    assert_eq!(unread(&memory), ["only the first 2000 databases.db.example.com are read"]);
}

#[tokio::test]
async fn an_error_that_is_worded_anew_each_time_is_one() {
    let memory = watched(5, |look, r| match path(r) {
        "/apis" => groups(vec![
            group("db.example.com", "v1", vec![resource("databases", "Database", true)]),
            group("queue.example.com", "v1", vec![resource("queues", "Queue", true)]),
        ]),
        p if p.ends_with("/databases") || p.ends_with("/queues") => {
            let words = json!({"kind": "Status", "message": format!("dial from port {}", 40_000 + look)});
            Some(Reply::Text(500, words.to_string()))
        }
        _ => databases(r),
    })
    .await;
    let told = unread(&memory);
    let first = "databases.db.example.com: dial from port 40001; queues.queue.example.com: dial from port 40001";
    assert_eq!(told[0], first);
    let observations = memory.told.lock().unwrap().clone();
    let since = observations.iter().find(|o| matches!(o.fact, Fact::Partly { .. })).unwrap().at;
    let skipped: Vec<_> = index(&memory).skipped().map(|(_, told)| told.clone()).collect();
    assert_eq!(skipped, [(2, told.last().unwrap().clone(), since)], "nothing is counted twice");
}

#[tokio::test]
async fn a_kind_that_hangs_costs_a_look_its_time_and_itself() {
    let stub = Stub::start(|r| match path(r) {
        "/apis" => groups(vec![
            group("a.example.com", "v1", vec![resource("hangers", "Hanger", true)]),
            group("db.example.com", "v1", vec![resource("databases", "Database", true)]),
        ]),
        "/apis/a.example.com/v1/hangers" => Some(Reply::Hang),
        _ => databases(r),
    })
    .await;
    let patient =
        afterwatch_cluster::Limits { look: Duration::from_secs(2), answer: Duration::from_secs(60), ..limits() };
    let memory = Memory::default();
    let cluster = Config::new(&stub.address, json!({})).cluster().with_limits(patient);
    let scan = cluster.scan(memory.sink());
    tokio::time::timeout(Duration::from_secs(20), scan).await.unwrap();
    assert_eq!(names(&memory), [ORDERS]);
    assert_eq!(unread(&memory), ["hangers.a.example.com: not read within 2 s"]);
}

#[tokio::test]
async fn a_scan_asks_once_more_for_what_failed() {
    for failing in ["/apis", LIST] {
        let asked = Arc::new(AtomicUsize::new(0));
        let (_stub, memory) = scanned(move |r| match path(r) {
            p if p == failing && asked.fetch_add(1, SeqCst) == 0 => Some(Reply::Status(500, "not now")),
            _ => databases(r),
        })
        .await;
        assert_eq!(names(&memory), [ORDERS]);
        assert!(unread(&memory).is_empty());
    }
}

#[tokio::test]
async fn a_kind_without_a_status_any_more_is_forgotten() {
    let memory = watched(4, |look, r| match path(r) {
        "/apis" => groups(vec![group("db.example.com", "v1", vec![resource("databases", "Database", look == 1)])]),
        _ => databases(r),
    })
    .await;
    assert!(names(&memory).is_empty() && unread(&memory).is_empty());
}

#[tokio::test]
async fn they_are_listed_at_once_when_something_is_missing_that_one_of_them_may_be_to_make() {
    let told = |version: &str, uid: &str, message: &str| {
        json!({"type": "ADDED", "object": {
            "metadata": {"name": format!("e{version}"), "namespace": "shop", "uid": format!("e{version}"), "resourceVersion": version},
            "involvedObject": {"kind": "Pod", "namespace": "shop", "name": uid, "uid": uid},
            "type": "Warning", "reason": "Failed", "message": message,
        }})
    };
    for (message, looks) in [("Error: secret \"db\" not found", 2), ("Back-off restarting failed container", 1)] {
        let times = Arc::new(AtomicUsize::new(0));
        let count = times.clone();
        let stub = Stub::start(move |r| {
            if path(r) == "/apis" {
                count.fetch_add(1, SeqCst);
            }
            // The same pod says so twice.
            let lines = vec![told("101", "a", message), told("102", "a", message)];
            if r.of("events") && r.is_watch() { Some(Reply::Lines(lines)) } else { databases(r) }
        })
        .await;
        let memory = Memory::default();
        let limits =
            afterwatch_cluster::Limits { poll: Duration::from_secs(60), idle: Duration::from_secs(60), ..limits() };
        let _handle = Config::new(&stub.address, json!({})).cluster().with_limits(limits).watch(memory.sink());
        until(&times, looks).await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert_eq!(times.load(SeqCst), looks, "{message}");
    }
}
