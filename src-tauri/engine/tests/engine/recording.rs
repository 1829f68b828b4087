//! What is recorded, and how watching begins and ends.

use std::time::{Duration, Instant};

use afterwatch_core::{incident::State, object::Kind, port::store::IncidentQuery, severity::Confidence};
use afterwatch_engine::{EngineEvent, IncidentStep};
use afterwatch_testkit::{App, status};

use crate::desk::{Desk, all, app, killed, well};

#[tokio::test]
async fn the_log_of_a_dead_container_is_read_and_quoted() {
    let (desk, app) = (Desk::new(), App::deployment("shop/checkout"));
    desk.cluster.write_log("checkout-r1-a", "app", "starting\nrequired environment variable STRIPE_KEY is not set");
    desk.cluster.upsert(all(&app, well(&app, -600)));
    desk.watch().await;
    desk.cluster.upsert([app.pod("a", status::crashed(1, "Error", 3, -1))]);
    let incident = desk.incident("quoted", |i| i.top_cause().is_some_and(|c| c.statement.contains("STRIPE_KEY"))).await;
    assert_eq!(incident.verdict, Confidence::Established);
    assert_eq!(desk.cluster.logs_asked().len(), 1, "a log is read once per death");
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn a_scan_reads_the_log_of_every_container_that_died() {
    let desk = Desk::new();
    // More than are read at once.
    for n in 0..40 {
        let app = App::deployment(&format!("shop/app{n}"));
        desk.cluster.write_log(&format!("app{n}-r1-a"), "app", &format!("starting\npanic: no config {n}"));
        desk.cluster.upsert(all(&app, app.pod("a", status::crashed(1, "Error", 3, -60))));
    }
    desk.engine.scan(desk.cluster.clone()).await.unwrap();
    let quoted =
        desk.incidents().iter().flat_map(|i| &i.evidence).filter(|e| e.draft.excerpt.contains("panic: no")).count();
    assert_eq!((desk.cluster.logs_asked().len(), quoted), (40, 40));
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn what_was_not_watched_after_a_fault_was_well_counts_until_now() {
    let (desk, app) = (Desk::new(), app("checkout"));
    desk.cluster.upsert(all(&app, killed(&app, 1, 0)));
    desk.watch().await;
    let first = desk.incident("opened", |i| i.state == State::Open).await;
    desk.engine.shutdown().await;
    desk.clock.advance(3600);
    let insights = desk.engine.insights(IncidentQuery::default()).await.unwrap();
    let head = &insights.heads[0];
    assert_eq!(head.id, first.id);
    let gaps = insights.gaps(head, first.detected_at, None);
    let whole: i64 = gaps.iter().map(|g| g.to.duration_since(g.from).as_secs()).sum();
    assert!((3590..=3600).contains(&whole), "{gaps:?}");
    assert!(insights.gaps(head, first.detected_at, Some(first.detected_at)).is_empty());
}

#[tokio::test]
async fn listeners_hear_of_an_incident_only_after_it_is_stored_and_in_order() {
    let (desk, app) = (Desk::new(), app("checkout"));
    let mut events = desk.engine.subscribe();
    desk.cluster.upsert(all(&app, well(&app, -600)));
    desk.watch().await;
    desk.cluster.upsert([killed(&app, 1, 0)]);
    desk.incident("opened", |_| true).await;
    desk.clock.advance(5);
    desk.cluster.upsert([well(&app, 5)]);
    desk.incident("mitigated", |i| i.state == State::Mitigated).await;
    desk.moment().await;
    let (mut steps, mut last) = (Vec::new(), 0);
    while let Ok(event) = events.try_recv() {
        if let EngineEvent::Incident { revision, previous, step, incident } = event {
            assert!(
                revision > previous && previous >= last && incident.number == 1,
                "revisions grow: {previous} → {revision}"
            );
            last = revision;
            steps.push(step);
        }
    }
    assert_eq!(
        (steps.first(), steps.last()),
        (Some(&IncidentStep::Opened), Some(&IncidentStep::Mitigated)),
        "{steps:?}"
    );
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn one_look_waives_hold_times_and_ends() {
    let (desk, app) = (Desk::new(), App::deployment("shop/checkout"));
    // Held for eight seconds when watched.
    desk.cluster.upsert(all(&app, app.pod("a", status::crashed(1, "Error", 0, -1))));
    desk.cluster.forbid(Kind::Secret);
    let began = Instant::now();
    desk.engine.scan(desk.cluster.clone()).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(desk.engine.seen().await.unwrap().len(), 1);
    assert_eq!(desk.cluster.started(), 0, "a look starts no watch");
    let view = desk.engine.clusters().remove(0);
    let unreadable: Vec<&str> = view.unreadable.iter().map(|u| u.kind.as_str()).collect();
    assert_eq!(unreadable, ["secrets"]);
    assert!(view.unreadable[0].message.contains("forbidden"));
}

#[tokio::test]
async fn what_a_person_writes_is_kept_while_the_recorder_goes_on() {
    let (desk, app) = (Desk::new(), app("checkout"));
    desk.cluster.upsert(all(&app, well(&app, -600)));
    desk.watch().await;
    desk.cluster.upsert([killed(&app, 1, 0)]);
    let key = afterwatch_core::port::store::IncidentKey::Id(desk.incident("opened", |_| true).await.id);
    desk.engine.acknowledge(key.clone(), "kim").await.unwrap();
    desk.engine.add_entry(key.clone(), "kim", "raising the limit; password=hunter2hunter2").await.unwrap();
    for restarts in 2..6 {
        desk.clock.advance(3);
        desk.cluster.upsert([killed(&app, restarts, 0)]);
    }
    let incident = desk.incident("goes on", |i| i.findings.iter().any(|f| f.count == 6)).await;
    assert_eq!((incident.state, incident.acknowledged_at.is_some()), (State::Acknowledged, true));
    let entry = incident
        .timeline
        .iter()
        .find(|e| e.who.as_deref() == Some("kim") && e.text.contains("raising the limit"))
        .expect("the entry");
    assert!(!entry.text.contains("hunter2hunter2"), "secrets are not kept: {}", entry.text);
    desk.engine.resolve(key.clone(), "kim", Some("done")).await.unwrap();
    assert_eq!(desk.engine.reopen(key, "kim").await.unwrap().state, State::Acknowledged);
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn watching_ends_within_two_seconds_and_everything_is_written() {
    let (desk, app) = (Desk::new(), app("checkout"));
    desk.cluster.upsert(all(&app, well(&app, -600)));
    desk.watch().await;
    desk.cluster.upsert([killed(&app, 1, 0)]);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    desk.engine.shutdown().await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    desk.until("the watch is closed", || (desk.cluster.watching() == 0).then_some(())).await;
}

#[tokio::test]
async fn the_log_of_a_container_that_stays_unready_is_read_again() {
    let (desk, app) = (Desk::new(), App::deployment("shop/checkout"));
    let probe = serde_json::json!({"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 5});
    let app = app.container(serde_json::json!({"readinessProbe": probe}));
    desk.cluster.write_log("checkout-r1-a", "app", "starting");
    desk.cluster.upsert(all(&app, app.pod("a", status::unready(-70))));
    desk.watch().await;
    desk.incident("opened", |i| i.state == State::Open).await;
    desk.moment().await;
    assert_eq!(desk.cluster.logs_asked().len(), 1);
    desk.cluster.write_log("checkout-r1-a", "app", "ERROR cannot connect to orders-db:5432: connection refused");
    desk.clock.advance(90);
    desk.cluster.upsert([app.pod("a", status::unready(-70))]);
    desk.incident("told", |i| i.evidence.iter().any(|e| e.draft.excerpt.contains("orders-db:5432"))).await;
    assert_eq!(desk.cluster.logs_asked().len(), 2);
    desk.engine.shutdown().await;
}
