//! What may be read, what may not, and what is only refused for a moment.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use afterwatch_cluster::Limits;
use afterwatch_core::{
    coverage::{EndedBy, UnreadableReason},
    index::{Index, Reading},
    object::Kind,
    observation::Fact,
    port::Cluster,
};
use serde_json::json;

use crate::support::{Config, Memory, Reply, Request, Stub, limits, list, pod};

fn listed(kind: Kind) -> impl Fn(&Fact) -> Option<usize> {
    move |fact| match fact {
        Fact::Listed { kind: k, objects, .. } if *k == kind => Some(objects.len()),
        _ => None,
    }
}

/// Ended by, reason and words of each loss of a kind in such a place.
fn losses(memory: &Memory, kind: Kind, namespace: Option<&str>) -> Vec<(EndedBy, UnreadableReason, String)> {
    let facts = memory.facts().into_iter();
    facts
        .filter_map(|fact| match fact {
            Fact::Lost { kind: k, namespace: n, ended_by, reason, message } => {
                (k == kind && n.as_deref() == namespace).then_some((ended_by, reason, message))
            }
            _ => None,
        })
        .collect()
}

/// Waits until a kind was listed so often.
async fn lists(memory: &Memory, kind: Kind, times: usize) {
    let began = Instant::now();
    while memory.facts().iter().filter(|f| listed(kind)(f).is_some()).count() < times {
        assert!(began.elapsed() < Duration::from_secs(20), "{:#?}", memory.facts());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A user with rights in these namespaces of many that exist.
fn by_namespace(r: &Request, exist: usize, mine: impl Fn(&str) -> bool) -> Option<Reply> {
    if let Some(asks) = r.review() {
        let namespace = asks["namespace"].as_str().unwrap_or_default();
        let allowed = asks["resource"] == "namespaces" || mine(namespace);
        return Some(Reply::Json(json!({"status": {"allowed": allowed}})));
    }
    if !r.of("namespaces") || r.is_watch() {
        return None;
    }
    let names = (0..exist).map(|i| json!({"metadata": {"name": format!("team-{i:03}"), "resourceVersion": "1"}}));
    Some(list(names.collect()))
}

fn told(memory: &Memory) -> Index {
    let mut index = Index::new();
    for observation in memory.told.lock().unwrap().iter() {
        index.apply(observation.clone());
    }
    index
}

#[tokio::test]
async fn namespaces_that_are_not_read_are_told_with_their_names() {
    let stub = Stub::start(|r| by_namespace(r, 60, |n| n.starts_with("team-00"))).await;
    let memory = Memory::default();
    Config::new(&stub.address, json!({})).cluster().scan(memory.sink()).await;
    memory.connected().await;
    let found = losses(&memory, Kind::Pod, None);
    let [(EndedBy::Forbidden, UnreadableReason::Forbidden, words)] = &*found else { panic!("{found:?}") };
    assert!(words.starts_with("50 of 61 namespaces are not read: team-010, team-011, "), "{words}");
    let index = told(&memory);
    let reading = index.readings().find(|((k, n), _)| *k == Kind::Pod && n.is_none()).unwrap().1;
    assert!(matches!(reading, Reading::Unreadable { .. }), "the lists of the others must not hide it: {reading:?}");
    assert!(index.knows(Kind::Pod, Some("team-003")) && !index.knows(Kind::Pod, Some("team-055")));
}

#[tokio::test]
async fn namespaces_that_are_not_read_stay_told_while_the_others_are_watched() {
    let stub = Stub::start(|r| by_namespace(r, 3, |n| n == "team-001")).await;
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    memory.until(|f| matches!(f, Fact::Alive { kind: Kind::Pod, .. }).then_some(())).await;
    memory.connected().await;
    memory.until(|f| matches!(f, Fact::Lost { kind: Kind::Pod, namespace: None, .. }).then_some(())).await;
    assert_eq!(losses(&memory, Kind::Pod, None)[0].2, "2 of 4 namespaces are not read: team-000 and team-002");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let index = told(&memory);
    assert!(index.readings().any(|((k, n), r)| *k == Kind::Pod
        && n.is_none()
        && matches!(r, Reading::Unreadable { reason: UnreadableReason::Forbidden, .. })));
}

#[tokio::test]
async fn a_kind_that_was_forbidden_everywhere_and_is_read_by_namespace_is_no_longer_told_as_forbidden() {
    let open = Arc::new(AtomicUsize::new(0));
    let stage = open.clone();
    // First everything may be read, then nothing, then the one namespace there is.
    let stub = Stub::start(move |r| {
        let stage = stage.load(SeqCst);
        if let Some(asks) = r.review() {
            let allowed = stage == 0 || (stage == 2 && asks["namespace"] == "shop");
            return Some(Reply::Json(json!({"status": {"allowed": allowed}})));
        }
        let all = ["/api/v1/pods", "/api/v1/namespaces"].iter().any(|p| r.path.starts_with(&format!("{p}?")));
        (stage > 0 && all).then_some(Reply::Status(403, "forbidden"))
    })
    .await;
    let memory = Memory::default();
    let limits = Limits { forbidden: Duration::from_millis(300), ..limits() };
    let _handle = Config::new(&stub.address, json!({})).cluster().with_limits(limits).watch(memory.sink());
    lists(&memory, Kind::Pod, 1).await;
    open.store(1, SeqCst);
    memory.until(|f| matches!(f, Fact::Lost { kind: Kind::Pod, ended_by: EndedBy::Forbidden, .. }).then_some(())).await;
    open.store(2, SeqCst);
    lists(&memory, Kind::Pod, 2).await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let index = told(&memory);
    let readings: Vec<_> = index.readings().filter(|((k, _), _)| *k == Kind::Pod).collect();
    assert!(readings.iter().all(|(_, r)| **r == Reading::Complete), "{readings:?}");
}

#[tokio::test]
async fn a_refusal_that_passes_costs_seconds_and_not_minutes() {
    let refuse = Arc::new(AtomicBool::new(false));
    let flag = refuse.clone();
    // While the rules are being read, the review says no as well.
    let stub = Stub::start(move |r| {
        if !flag.load(SeqCst) {
            return (r.of("pods") && r.is_watch()).then(|| Reply::LinesEnd(vec![]));
        }
        if r.review().is_some() {
            return Some(Reply::Json(json!({"status": {"allowed": false}})));
        }
        r.path.contains("/pods?").then_some(Reply::Status(403, "RBAC: not synced"))
    })
    .await;
    let memory = Memory::default();
    let limits = Limits { forbidden: Duration::from_millis(300), ..limits() };
    let _handle = Config::new(&stub.address, json!({})).cluster().with_limits(limits).watch(memory.sink());
    lists(&memory, Kind::Pod, 1).await;
    refuse.store(true, SeqCst);
    memory.until(|f| matches!(f, Fact::Lost { kind: Kind::Pod, ended_by: EndedBy::Forbidden, .. }).then_some(())).await;
    // Long enough for the first new plan to be a refusal too.
    tokio::time::sleep(Duration::from_millis(700)).await;
    refuse.store(false, SeqCst);
    lists(&memory, Kind::Pod, 2).await;
}

#[tokio::test]
async fn what_was_never_readable_is_not_asked_about_again_and_again() {
    let stub = Stub::start(|r| {
        let asks = r.review()?;
        let denied = asks["resource"] == "*" || asks["resource"] == "nodes";
        denied.then(|| Reply::Json(json!({"status": {"allowed": false}})))
    })
    .await;
    let memory = Memory::default();
    let limits = Limits { forbidden: Duration::from_millis(100), ..limits() };
    let _handle = Config::new(&stub.address, json!({})).cluster().with_limits(limits).watch(memory.sink());
    memory.connected().await;
    tokio::time::sleep(Duration::from_millis(1000)).await;
    assert_eq!(stub.count(|r| r.review().is_some_and(|a| a["resource"] == "nodes")), 2, "list and watch, once");
}

#[tokio::test]
async fn an_error_line_other_than_410_leads_to_a_new_list_and_counts_as_a_failure() {
    let count = Arc::new(AtomicUsize::new(0));
    let asked = count.clone();
    let stub = Stub::start(move |r| {
        if !r.of("pods") {
            return None;
        }
        Some(if !r.is_watch() {
            list(vec![pod(&format!("pod-{}", asked.fetch_add(1, SeqCst)), "5")])
        } else {
            let object = json!({"kind": "Status", "code": 500, "message": "etcdserver: required revision compacted"});
            Reply::LinesEnd(vec![json!({"type": "ERROR", "object": object})])
        })
    })
    .await;
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    lists(&memory, Kind::Pod, 3).await;
    let found = losses(&memory, Kind::Pod, None);
    assert_eq!((found[0].0, &*found[0].2), (EndedBy::Disconnect, "etcdserver: required revision compacted"));
    let so_far = count.load(SeqCst);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(count.load(SeqCst) <= so_far + 1, "the pauses grow");
}

#[tokio::test]
async fn a_404_for_what_every_server_has_is_a_failure_and_never_an_absence() {
    let stub = Stub::start(|r| r.of("pods").then(|| Reply::Text(404, "404 page not found".into()))).await;
    let memory = Memory::default();
    let handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    memory.until(|f| matches!(f, Fact::Lost { kind: Kind::Pod, .. }).then_some(())).await;
    drop(handle);
    Config::new(&stub.address, json!({})).cluster().scan(memory.sink()).await;
    let found = losses(&memory, Kind::Pod, None);
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|(e, r, _)| (*e, *r) == (EndedBy::Disconnect, UnreadableReason::Unreachable)));
    assert!(memory.facts().iter().all(|f| !matches!(f, Fact::NotServed { .. })));
}

#[tokio::test]
async fn a_404_in_one_namespace_ends_what_was_read_there() {
    let gone = Arc::new(AtomicBool::new(false));
    let flag = gone.clone();
    let stub = Stub::start(move |r| {
        if r.of("ingresses") && flag.load(SeqCst) {
            return Some(Reply::Text(404, "404 page not found".into()));
        }
        by_namespace(r, 0, |n| n == "shop")
    })
    .await;
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    lists(&memory, Kind::Ingress, 1).await;
    gone.store(true, SeqCst);
    memory.until(|f| matches!(f, Fact::Lost { kind: Kind::Ingress, namespace: Some(_), .. }).then_some(())).await;
    assert_eq!(losses(&memory, Kind::Ingress, Some("shop"))[0].0, EndedBy::Disconnect);
}

#[tokio::test]
async fn a_hung_authorizer_costs_one_limit_and_not_one_for_each_kind() {
    let stub = Stub::start(|r| r.review().is_some().then_some(Reply::Hang)).await;
    let memory = Memory::default();
    let began = Instant::now();
    Config::new(&stub.address, json!({})).cluster().scan(memory.sink()).await;
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(losses(&memory, Kind::Pod, None).len(), 1);
}
