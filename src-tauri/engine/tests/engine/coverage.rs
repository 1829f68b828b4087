//! When we were really watching.

use afterwatch_core::coverage::{Coverage, EndedBy, gaps};
use afterwatch_testkit::t;

use crate::desk::{Desk, all, app, killed, well};

fn pods(desk: &Desk) -> Vec<Coverage> {
    let mut spans = desk.store.coverage("kind-dev", t(-3600), t(3600)).unwrap();
    spans.retain(|s| s.kind == "pods");
    spans.sort_by_key(|s| s.from);
    spans
}

#[tokio::test]
async fn a_pause_is_a_gap_and_what_happened_in_it_is_told_afterwards() {
    let (desk, app) = (Desk::new(), app("checkout"));
    desk.cluster.upsert(all(&app, well(&app, -600)));
    desk.watch().await;
    desk.later(30);
    desk.until("covered", || (pods(&desk).len() == 1).then_some(())).await;
    desk.engine.set_paused(true).await;
    let span = desk.until("closed", || pods(&desk).into_iter().find(|s| s.ended_by.is_some())).await;
    assert_eq!((span.from, span.to, span.ended_by), (t(0), t(30), Some(EndedBy::Paused)));
    assert_eq!(desk.cluster.watching(), 0, "no connection while paused");
    desk.clock.advance(60);
    desk.cluster.upsert([killed(&app, 1, 80)]);
    desk.moment().await;
    assert_eq!(desk.incidents(), [], "nothing is recorded while paused");
    desk.engine.set_paused(false).await;
    let incident = desk.incident("opened", |_| true).await;
    desk.until("a new span", || (pods(&desk).len() == 2).then_some(())).await;
    let found = gaps(&pods(&desk), "pods", None, t(0), t(100));
    assert_eq!(found.iter().map(|g| (g.from, g.to, g.cause)).collect::<Vec<_>>(), [(t(30), t(90), EndedBy::Paused)]);
    assert_eq!(incident.detected_at, t(90));
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn quitting_closes_every_span_and_gives_the_lease_back() {
    let desk = Desk::new();
    desk.watch().await;
    desk.later(10);
    desk.moment().await;
    desk.engine.shutdown().await;
    let spans = desk.store.coverage("kind-dev", t(-3600), t(3600)).unwrap();
    assert!(spans.len() > 20, "every kind has its span");
    assert!(spans.iter().all(|s| s.ended_by == Some(EndedBy::Quit)), "{spans:?}");
    let next = Desk::beside(desk.store.clone(), desk.clock.clone(), desk.cluster.clone(), "another");
    next.watch().await;
    assert_eq!(next.engine.clusters()[0].followed, None);
    next.engine.shutdown().await;
}
