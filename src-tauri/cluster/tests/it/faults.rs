//! Servers that misbehave: each costs what it must, and nothing more.

use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::{Duration, Instant},
};

use crate::support::{Config, Memory, Reply, Stub, limits, list, pod};
use afterwatch_cluster::{ClusterOptions, Limits};
use afterwatch_core::{
    coverage::{EndedBy, UnreadableReason},
    object::{Kind, Object},
    observation::{Connection, Fact},
    port::Cluster,
};
use serde_json::json;

fn listed(kind: Kind) -> impl Fn(&Fact) -> Option<Vec<Object>> {
    move |fact| match fact {
        Fact::Listed { kind: k, objects, .. } if *k == kind => Some(objects.clone()),
        _ => None,
    }
}

fn lost(kind: Kind) -> impl Fn(&Fact) -> Option<(EndedBy, UnreadableReason, String)> {
    move |fact| match fact {
        Fact::Lost { kind: k, ended_by, reason, message, .. } if *k == kind => {
            Some((*ended_by, *reason, message.clone()))
        }
        _ => None,
    }
}

fn unreachable(fact: &Fact) -> Option<(String, String)> {
    match fact {
        Fact::Connection(Connection::Unreachable { message, hint }) => Some((message.clone(), hint.clone())),
        _ => None,
    }
}

fn login_needed(fact: &Fact) -> Option<(String, String)> {
    match fact {
        Fact::Connection(Connection::LoginNeeded { message, hint }) => Some((message.clone(), hint.clone())),
        _ => None,
    }
}

fn event(kind: &str, object: serde_json::Value) -> serde_json::Value {
    json!({"type": kind, "object": object})
}

#[tokio::test]
async fn a_healthy_cluster_is_listed_watched_and_synced() {
    let stub = Stub::start(|r| {
        if !r.of("pods") {
            return None;
        }
        Some(if r.is_watch() {
            Reply::Lines(vec![
                event("ADDED", pod("new", "101")),
                event("DELETED", pod("old", "102")),
                event("BOOKMARK", json!({"metadata": {"resourceVersion": "103"}})),
            ])
        } else {
            list(vec![pod("old", "7")])
        })
    })
    .await;
    let memory = Memory::default();
    let handle = Config::new(&stub.address, json!({"token": "t"})).cluster().watch(memory.sink());
    assert_eq!(memory.connected().await, "uid-of-kube-system");
    assert_eq!(memory.until(listed(Kind::Pod)).await.len(), 1);
    memory.until(|f| matches!(f, Fact::Upserted(o) if o.meta().name == "new").then_some(())).await;
    memory.until(|f| matches!(f, Fact::Deleted(o) if o.meta().name == "old").then_some(())).await;
    memory.until(|f| matches!(f, Fact::Alive { kind: Kind::Pod, .. }).then_some(())).await;
    // Gateways are not served here; a watch may be between two connections.
    let watches = handle.metrics().watches;
    assert!((30..=33).contains(&watches), "{watches} watches");
    assert!(handle.metrics().requests > 40 && handle.metrics().bytes_received > 1000);
    assert!(stub.count(|r| r.head.contains("Bearer t") || r.head.contains("authorization")) > 40);
    assert!(stub.count(|r| r.of("secrets") && !r.head.contains("as=PartialObjectMetadata")) == 0);
    assert!(stub.count(|r| !matches!(r.method.as_str(), "GET" | "POST")) == 0, "nothing is ever changed");
}

#[tokio::test]
async fn a_kind_whose_list_never_answers_keeps_the_others_waiting_for_nothing() {
    let stub = Stub::start(|r| (r.of("nodes")).then_some(Reply::Hang)).await;
    let memory = Memory::default();
    let began = Instant::now();
    let _handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    memory.until(listed(Kind::Pod)).await;
    let (_, reason, message) = memory.until(lost(Kind::Node)).await;
    assert_eq!(reason, UnreadableReason::Unreachable);
    assert!(message.contains("did not answer"), "{message}");
    memory.connected().await;
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(memory.facts().iter().find_map(listed(Kind::Node)).is_none());
}

#[tokio::test]
async fn a_watch_that_starts_with_410_is_listed_anew() {
    let lists = std::sync::Arc::new(AtomicUsize::new(0));
    let count = lists.clone();
    let stub = Stub::start(move |r| {
        if !r.of("pods") {
            return None;
        }
        Some(if r.is_watch() {
            if count.load(SeqCst) < 2 { Reply::Status(410, "too old resource version") } else { Reply::Lines(vec![]) }
        } else {
            list(vec![pod(if count.fetch_add(1, SeqCst) == 0 { "first" } else { "second" }, "5")])
        })
    })
    .await;
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    memory.until(|f| listed(Kind::Pod)(f).filter(|o| o[0].meta().name == "second")).await;
    assert_eq!(memory.facts().iter().find_map(lost(Kind::Pod)), None, "a 410 is no loss of sight");
}

#[tokio::test]
async fn a_410_inside_the_stream_is_listed_anew() {
    let lists = std::sync::Arc::new(AtomicUsize::new(0));
    let count = lists.clone();
    let stub = Stub::start(move |r| {
        if !r.of("pods") {
            return None;
        }
        Some(if !r.is_watch() {
            count.fetch_add(1, SeqCst);
            list(vec![])
        } else if count.load(SeqCst) < 2 {
            Reply::LinesEnd(vec![event("ERROR", json!({"kind": "Status", "code": 410, "message": "too old"}))])
        } else {
            Reply::Lines(vec![event("ADDED", pod("late", "9"))])
        })
    })
    .await;
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    memory.until(|f| matches!(f, Fact::Upserted(o) if o.meta().name == "late").then_some(())).await;
    assert_eq!(lists.load(SeqCst), 2);
}

#[tokio::test]
async fn pages_are_followed_and_a_token_that_ran_out_starts_over() {
    let expired = std::sync::Arc::new(AtomicUsize::new(0));
    let count = expired.clone();
    let stub = Stub::start(move |r| {
        if !r.of("pods") || r.is_watch() {
            return None;
        }
        Some(if !r.path.contains("continue=") {
            Reply::Json(json!({"metadata": {"resourceVersion": "5", "continue": "a=b&c"}, "items": [pod("one", "1")]}))
        } else if !r.path.contains("continue=a%3Db%26c") {
            Reply::Status(400, "the token was not encoded")
        } else if count.fetch_add(1, SeqCst) == 0 {
            Reply::Status(410, "the token ran out")
        } else {
            list(vec![pod("two", "2")])
        })
    })
    .await;
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    let names: Vec<_> = memory.until(listed(Kind::Pod)).await.iter().map(|o| o.meta().name.clone()).collect();
    assert_eq!(names, ["one", "two"]);
}

#[tokio::test]
async fn a_kind_that_is_forbidden_is_unreadable_and_the_others_go_on() {
    let stub = Stub::start(|r| {
        let asks = r.review()?;
        // Not the whole cluster at once, and no nodes at all.
        let denied = asks["resource"] == "*" || asks["resource"] == "nodes";
        denied.then(|| Reply::Json(json!({"status": {"allowed": false, "reason": "no rule"}})))
    })
    .await;
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    memory.connected().await;
    let (ended_by, reason, message) = memory.until(lost(Kind::Node)).await;
    assert_eq!((ended_by, reason), (EndedBy::Forbidden, UnreadableReason::Forbidden));
    assert!(message.contains("list nodes") && message.contains("no rule"), "{message}");
    assert_eq!(memory.facts().iter().filter(|f| matches!(f, Fact::Listed { .. })).count(), Kind::ALL.len() - 1);
    assert_eq!(stub.count(|r| r.of("nodes")), 0, "what is not permitted is not even tried");
}

#[tokio::test]
async fn a_403_in_spite_of_the_review_is_unreadable_too() {
    let stub =
        Stub::start(|r| r.of("pods").then_some(Reply::Status(403, "pods is forbidden: a webhook says so"))).await;
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    let (ended_by, _, message) = memory.until(lost(Kind::Pod)).await;
    assert_eq!(ended_by, EndedBy::Forbidden);
    assert!(message.contains("a webhook says so"));
    memory.connected().await;
}

#[tokio::test]
async fn rights_that_are_taken_away_while_watching_end_the_kind_alone() {
    let stub = Stub::start(|r| {
        (r.of("pods") && r.is_watch()).then_some(Reply::Status(403, "pods is forbidden: the binding is gone"))
    })
    .await;
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    assert_eq!(memory.until(lost(Kind::Pod)).await.0, EndedBy::Forbidden);
    memory.connected().await;
    assert_eq!(memory.facts().iter().filter(|f| matches!(f, Fact::Lost { .. })).count(), 1);
}

#[tokio::test]
async fn a_quiet_kind_is_listed_again_and_lost_when_it_fails_twice() {
    let lists = std::sync::Arc::new(AtomicUsize::new(0));
    let count = lists.clone();
    let stub = Stub::start(move |r| {
        // What may be listed and not watched is listed again.
        if let Some(asks) = r.review() {
            let allowed = asks["verb"] != "watch" || (asks["resource"] != "limitranges" && asks["resource"] != "*");
            return Some(Reply::Json(json!({"status": {"allowed": allowed}})));
        }
        let fails = r.of("limitranges") && count.fetch_add(1, SeqCst) >= 2;
        fails.then_some(Reply::Status(500, "etcd is away"))
    })
    .await;
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    let (ended_by, reason, message) = memory.until(lost(Kind::LimitRange)).await;
    assert_eq!((ended_by, reason), (EndedBy::Disconnect, UnreadableReason::Unreachable));
    assert_eq!(message, "etcd is away");
    assert_eq!(lists.load(SeqCst), 4);
    assert_eq!(memory.facts().iter().filter(|f| listed(Kind::LimitRange)(f).is_some()).count(), 2);
}

#[tokio::test]
async fn with_the_rights_of_one_namespace_that_namespace_is_read() {
    let stub = Stub::start(|r| {
        if let Some(asks) = r.review() {
            let allowed = ["shop", "extra"].iter().any(|n| asks["namespace"] == **n);
            return Some(Reply::Json(json!({"status": {"allowed": allowed}})));
        }
        (r.path.starts_with("/api/v1/namespaces"))
            .then_some(Reply::Status(403, "namespaces is forbidden"))
            .filter(|_| !r.path.contains("/shop/") && !r.path.contains("/extra/"))
    })
    .await;
    let memory = Memory::default();
    let options =
        ClusterOptions { extra_namespaces: vec!["extra".into(), "denied".into()], ..ClusterOptions::default() };
    let config = Config::new(&stub.address, json!({}));
    config.cluster_with(&options).scan(memory.sink()).await;
    let uid = memory.connected().await;
    assert!(uid.starts_with("server-"), "kube-system may not be read: {uid}");
    let facts = memory.facts();
    let places: Vec<_> = facts
        .iter()
        .filter_map(|f| match f {
            Fact::Listed { kind: Kind::Pod, namespace, .. } => namespace.clone(),
            _ => None,
        })
        .collect();
    assert_eq!(places, ["shop", "extra"]);
    assert!(facts.iter().any(|f| matches!(f, Fact::Lost { kind: Kind::Pod, namespace: Some(n), ended_by: EndedBy::Forbidden, .. } if n == "denied")));
    assert!(facts.iter().any(|f| matches!(f, Fact::Lost { kind: Kind::Node, namespace: None, .. })));
}

#[tokio::test]
async fn a_kind_the_server_does_not_serve_is_neither_watched_nor_unreadable() {
    let stub = Stub::start(|r| r.of("ingresses").then_some(Reply::Text(404, "404 page not found".into()))).await;
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    memory.until(|f| matches!(f, Fact::NotServed { kind: Kind::Ingress }).then_some(())).await;
    memory.connected().await;
    assert_eq!(memory.facts().iter().find_map(lost(Kind::Ingress)), None);
}

#[tokio::test]
async fn a_list_that_is_no_list_is_unreadable_and_never_empty() {
    let stub = Stub::start(|r| r.of("pods").then(|| Reply::Text(200, "<html>Please log in</html>".into()))).await;
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    let (_, reason, message) = memory.until(lost(Kind::Pod)).await;
    assert_eq!(reason, UnreadableReason::Unreachable);
    assert!(message.contains("web page") && !message.contains("Please log in"), "{message}");
    memory.connected().await;
    assert!(memory.facts().iter().find_map(listed(Kind::Pod)).is_none());
}

#[tokio::test]
async fn a_server_that_answers_nonsense_is_said_not_to_be_an_api_server() {
    let stub = Stub::start(|_| Some(Reply::Text(200, "<html>router</html>".into()))).await;
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    let (message, hint) = memory.until(unreachable).await;
    assert!(message.contains("does not answer like a Kubernetes API server"), "{message}");
    assert!(hint.contains("address"), "{hint}");
    assert_eq!(memory.facts().iter().filter(|f| matches!(f, Fact::Lost { .. })).count(), Kind::ALL.len());
}

#[tokio::test]
async fn one_malformed_object_is_skipped_and_counted_and_the_page_stays() {
    let broken = json!({"metadata": {"name": "odd", "namespace": "shop", "resourceVersion": "2"}, "spec": {"containers": "secret-word"}});
    let again = broken.clone();
    let stub = Stub::start(move |r| {
        if !r.of("pods") {
            return None;
        }
        Some(if r.is_watch() {
            Reply::Lines(vec![
                event("MODIFIED", again.clone()),
                event("DELETED", again.clone()),
                event("ADDED", pod("good", "9")),
            ])
        } else {
            list(vec![pod("fine", "1"), broken.clone(), pod("nulls", "3"), json!(7)])
        })
    })
    .await;
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    memory.until(|f| matches!(f, Fact::Upserted(o) if o.meta().name == "good").then_some(())).await;
    assert_eq!(memory.until(listed(Kind::Pod)).await.len(), 2);
    let skips: Vec<(u32, String)> = memory
        .facts()
        .iter()
        .filter_map(|f| match f {
            Fact::Skipped { kind: Kind::Pod, count, message, .. } => Some((*count, message.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(skips.len(), 2, "one for the list, one for the change: {skips:?}");
    assert_eq!(skips[0].0, 2);
    assert!(skips[0].1.contains("shop/odd") && !skips[0].1.contains("secret-word"), "{skips:?}");
    // Its deletion is told even so: it must not be taken for alive for ever.
    memory.until(|f| matches!(f, Fact::Deleted(o) if o.meta().name == "odd").then_some(())).await;
}

#[tokio::test]
async fn values_of_config_maps_become_digests_and_explicit_nulls_are_no_error() {
    let stub = Stub::start(|r| {
        if r.of("configmaps") && !r.is_watch() {
            return Some(list(vec![
                json!({"metadata": {"name": "m", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hunter2"}},
                    "data": {"PASSWORD": "hunter2", "EMPTY": ""}, "binaryData": {"b": "aGk="}}),
                json!({"metadata": {"name": "n", "labels": null}, "data": null}),
            ]));
        }
        (r.of("pods") && !r.is_watch()).then(|| {
            list(vec![json!({"metadata": {"name": "p", "ownerReferences": null}, "spec": {"containers": [{"name": "c", "env": null}], "volumes": null}})])
        })
    })
    .await;
    let memory = Memory::default();
    let options = ClusterOptions { salt: [7; 16], ..ClusterOptions::default() };
    Config::new(&stub.address, json!({})).cluster_with(&options).scan(memory.sink()).await;
    let maps = memory.until(listed(Kind::ConfigMap)).await;
    let Object::ConfigMap(map) = &maps[0] else { panic!("{maps:?}") };
    assert_eq!(map.digests.keys().collect::<Vec<_>>(), ["EMPTY", "PASSWORD", "b"]);
    let password = &map.digests["PASSWORD"];
    assert_eq!((password.bytes, password.hash.len()), (7, 16));
    assert_eq!(map.digests["b"].bytes, 2);
    assert_eq!(maps.len(), 2);
    assert_eq!(memory.until(listed(Kind::Pod)).await.len(), 1);
    assert!(memory.facts().iter().all(|f| !matches!(f, Fact::Skipped { .. })));
    assert!(memory.words().contains("PASSWORD"));
}

#[tokio::test]
async fn an_unreachable_server_is_tried_again_calmly_and_found() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let memory = Memory::default();
    let config = Config::new(&format!("http://127.0.0.1:{port}"), json!({}));
    let handle = config.cluster().watch(memory.sink());
    let (message, hint) = memory.until(unreachable).await;
    assert!(message.contains("the connection was refused"), "{message}");
    assert!(hint.contains("running"), "{hint}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(handle.metrics().requests <= 8, "{:?}", handle.metrics());
}

#[tokio::test]
async fn a_server_that_dies_is_lost_for_every_kind_at_the_last_proof_of_life() {
    let stub = Stub::start(|_| None).await;
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    memory.connected().await;
    stub.die().await;
    let died = afterwatch_core::Timestamp::now();
    memory.until(unreachable).await;
    let told = memory.told.lock().unwrap();
    let losses: Vec<_> = told.iter().filter(|o| matches!(o.fact, Fact::Lost { .. })).collect();
    assert_eq!(losses.len(), Kind::ALL.len());
    // What it had sent before may still arrive; that it was gone was known a second later.
    let noticed = told.iter().find(|o| unreachable(&o.fact).is_some()).unwrap().at;
    assert!(noticed > died + Duration::from_millis(900));
    let claimed = losses.iter().map(|o| o.at).max().unwrap();
    assert!(claimed < died + Duration::from_millis(400), "seen {claimed}, died {died}, noticed {noticed}");
}

#[tokio::test]
async fn a_silent_watch_is_noticed_and_a_living_server_is_not_called_dead() {
    let stub = Stub::start(|_| None).await;
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    memory.connected().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(stub.count(|r| r.of("pods") && r.is_watch()) >= 2, "asked again after a second of silence");
    assert_eq!(memory.facts().iter().find_map(lost(Kind::Pod)), None);
    assert_eq!(
        memory.facts().iter().filter(|f| listed(Kind::Pod)(f).is_some()).count(),
        1,
        "nothing was missed: no new list"
    );
}

#[tokio::test]
async fn a_kind_whose_watch_hangs_for_good_is_lost_alone() {
    let started = std::sync::Arc::new(AtomicUsize::new(0));
    let count = started.clone();
    let stub = Stub::start(move |r| {
        (r.of("pods") && r.is_watch())
            .then(|| if count.fetch_add(1, SeqCst) == 0 { Reply::Lines(vec![]) } else { Reply::Hang })
    })
    .await;
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    let (ended_by, reason, _) = memory.until(lost(Kind::Pod)).await;
    assert_eq!((ended_by, reason), (EndedBy::Disconnect, UnreadableReason::Unreachable));
    assert_eq!(memory.facts().iter().find_map(lost(Kind::Service)), None);
    assert_eq!(memory.facts().iter().find_map(unreachable), None);
}

#[tokio::test]
async fn refused_credentials_are_renewed_once_and_then_a_person_is_asked() {
    let stub = Stub::start(|_| Some(Reply::Status(401, "Unauthorized"))).await;
    let memory = Memory::default();
    let config = Config::new(&stub.address, json!({"token": "stale-token-value"}));
    let handle = config.cluster().watch(memory.sink());
    let (message, hint) = memory.until(login_needed).await;
    assert!(message.contains("did not accept the token of user `u`"), "{message}");
    assert!(hint.contains("fresh token"), "{hint}");
    let asked = handle.metrics().requests;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(handle.metrics().requests, asked, "not tried again at once");
    handle.restart();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(handle.metrics().requests > asked, "but when a person asks for it");
    assert!(!memory.words().contains("stale-token-value"));
}

#[tokio::test]
async fn an_authenticator_that_is_still_starting_does_not_end_the_watch_for_good() {
    let ready = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flag = ready.clone();
    let stub = Stub::start(move |_| (!flag.load(SeqCst)).then_some(Reply::Status(401, "Unauthorized"))).await;
    let memory = Memory::default();
    let limits = Limits { refused: Duration::from_millis(200), ..limits() };
    let cluster = Config::new(&stub.address, json!({"token": "t"})).cluster().with_limits(limits);
    let _handle = cluster.watch(memory.sink());
    memory.until(login_needed).await;
    ready.store(true, SeqCst);
    memory.connected().await;
}

#[tokio::test]
async fn a_token_that_expires_while_watching_means_login_needed_for_every_kind() {
    let expired = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flag = expired.clone();
    let stub = Stub::start(move |_| flag.load(SeqCst).then_some(Reply::Status(401, "Unauthorized"))).await;
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, json!({"token": "t"})).cluster().watch(memory.sink());
    memory.connected().await;
    expired.store(true, SeqCst);
    memory.until(login_needed).await;
    let (ended_by, reason, _) = memory.until(lost(Kind::Pod)).await;
    assert_eq!((ended_by, reason), (EndedBy::LoginNeeded, UnreadableReason::LoginNeeded));
}
