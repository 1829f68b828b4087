//! Two processes, one database.

use std::{path::Path, sync::Arc};

use afterwatch_core::{
    coverage::gaps,
    incident::State,
    port::{
        Store,
        store::{IncidentKey, Lease},
    },
};
use afterwatch_engine::{ClusterState, EngineEvent};
use afterwatch_store::SqliteStore;
use afterwatch_testkit::{FakeCluster, t};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::desk::{Desk, all, app, killed, well};

fn open(folder: &Path) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(&folder.join("afterwatch.db")).unwrap())
}

#[tokio::test]
async fn what_another_process_acknowledged_is_adopted_and_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let (desk, app) = (Desk::over(open(folder.path())), app("checkout"));
    desk.cluster.upsert(all(&app, well(&app, -600)));
    desk.watch().await;
    desk.cluster.upsert([killed(&app, 1, 0)]);
    let key = IncidentKey::Id(desk.incident("opened", |_| true).await.id);
    let other = Desk::beside(open(folder.path()), desk.clock.clone(), desk.cluster.clone(), "kubectl afterwatch ack");
    other.engine.acknowledge(key.clone(), "kim").await.unwrap();
    // The recorder writes at once, before it can have noticed.
    desk.clock.advance(3);
    desk.cluster.upsert([killed(&app, 2, 2)]);
    let incident = desk.incident("both", |i| i.findings.iter().any(|f| f.count == 3)).await;
    assert_eq!((incident.state, incident.acknowledged_at.is_some()), (State::Acknowledged, true));
    other.engine.add_entry(key, "kim", "on it").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    desk.clock.advance(3);
    desk.cluster.upsert([killed(&app, 3, 5)]);
    let incident = desk.incident("goes on", |i| i.findings.iter().any(|f| f.count == 4)).await;
    assert!(incident.timeline.iter().any(|e| e.text == "on it"));
    let seqs: Vec<u64> = incident.timeline.iter().map(|e| e.seq).collect();
    assert!(seqs.windows(2).all(|w| w[0] < w[1]), "{seqs:?}");
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn what_another_process_sets_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::over(open(folder.path()));
    desk.watch().await;
    let mut events = desk.engine.subscribe();
    let other =
        Desk::beside(open(folder.path()), desk.clock.clone(), desk.cluster.clone(), "kubectl afterwatch models");
    other.engine.set_setting("model", serde_json::json!({ "use": "none" })).await.unwrap();
    let told = async {
        loop {
            if matches!(events.recv().await, Ok(EngineEvent::Settings)) {
                return;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(5), told).await.expect("told");
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn a_second_process_follows_the_one_that_records_and_takes_over_when_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (desk, app) = (Desk::over(open(folder.path())), app("checkout"));
    desk.cluster.upsert(all(&app, well(&app, -600)));
    desk.watch().await;
    let second =
        Desk::beside(open(folder.path()), desk.clock.clone(), desk.cluster.clone(), "kubectl afterwatch watch");
    second.engine.watch(desk.cluster.clone()).await.unwrap();
    second.until("following", || second.state().filter(|s| *s == ClusterState::Following)).await;
    assert_eq!(second.engine.clusters()[0].followed.as_deref(), Some("the app"));
    desk.until("one connection", || (desk.cluster.watching() == 1).then_some(())).await;
    desk.cluster.upsert([killed(&app, 1, 0)]);
    let incident = desk.incident("opened once", |_| true).await;
    desk.moment().await;
    assert_eq!(second.notifier.shown(), [], "who follows does not notify");
    desk.engine.shutdown().await;
    second.until("it records now", || second.state().filter(|s| *s != ClusterState::Following)).await;
    second.clock.advance(10);
    desk.cluster.upsert([killed(&app, 2, 9)]);
    let after = second.incident("goes on", |i| i.findings.iter().any(|f| f.count == 3)).await;
    assert_eq!(after.id, incident.id);
    assert_eq!(second.notifier.shown(), [], "it was notified already");
    second.engine.shutdown().await;
}

#[tokio::test]
async fn two_contexts_of_one_cluster_are_recorded_once() {
    let (desk, app) = (Desk::new(), app("checkout"));
    desk.cluster.upsert(all(&app, well(&app, -600)));
    desk.watch().await;
    let twin = FakeCluster::context("kind-dev-admin", "kind-dev", desk.clock.clone());
    twin.upsert(all(&app, well(&app, -600)));
    desk.engine.watch(twin.clone()).await.unwrap();
    let following = || desk.engine.clusters().into_iter().find(|v| v.state == ClusterState::Following);
    let view = desk.until("following", following).await;
    assert_eq!((view.name.as_str(), view.followed.as_deref()), ("kind-dev-admin", Some("the app")));
    desk.cluster.upsert([killed(&app, 1, 0)]);
    twin.upsert([killed(&app, 1, 0)]);
    desk.incident("opened", |_| true).await;
    desk.moment().await;
    assert_eq!((desk.incidents().len(), desk.notifier.shown().len()), (1, 1));
    desk.engine.shutdown().await;
    let once = Desk::new();
    for cluster in [&desk.cluster, &twin] {
        once.engine.scan(cluster.clone()).await.unwrap();
    }
    assert_eq!(once.engine.seen().await.unwrap().len(), 1, "a look sees it once, too");
}

#[tokio::test]
async fn the_app_that_was_killed_does_not_follow_its_own_lease() {
    let (desk, app) = (Desk::new(), app("checkout"));
    desk.cluster.upsert(all(&app, well(&app, -600)));
    let until = |s: i64| t(s) + SignedDuration::from_secs(30);
    let dead = Lease { holder: Uuid::now_v7(), holder_name: "the app".into(), expires_at: until(0) };
    desk.store.take_lease(desk.cluster.uid(), &dead, t(0)).unwrap().unwrap();
    desk.watch().await;
    assert_eq!(desk.engine.clusters()[0].followed, None, "nobody else can be the app");
    desk.cluster.upsert([killed(&app, 1, 0)]);
    desk.incident("opened", |_| true).await;
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn the_time_in_which_another_recorded_is_covered_by_its_spans_alone() {
    let desk = Desk::new();
    let until: Timestamp = t(25);
    let other = Lease { holder: Uuid::now_v7(), holder_name: "kubectl afterwatch watch".into(), expires_at: until };
    desk.store.take_lease(desk.cluster.uid(), &other, t(0)).unwrap().unwrap();
    desk.engine.watch(desk.cluster.clone()).await.unwrap();
    desk.until("following", || desk.state().filter(|s| *s == ClusterState::Following)).await;
    desk.clock.advance(60);
    let spans = || desk.store.coverage("kind-dev", t(-60), t(600)).unwrap();
    desk.until("it records now", || spans().into_iter().find(|s| s.kind == "pods")).await;
    assert!(spans().iter().all(|s| s.from >= t(60)), "the other one watched, not this one: {:#?}", spans());
    assert!(gaps(&spans(), "pods", None, t(60), t(61)).is_empty());
    desk.engine.shutdown().await;
}
