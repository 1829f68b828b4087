//! Two processes, one database.

use std::{path::Path, sync::Arc};

use afterwatch_core::{
    incident::State,
    port::{Store, store::IncidentKey},
};
use afterwatch_engine::ClusterState;
use afterwatch_store::SqliteStore;

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
