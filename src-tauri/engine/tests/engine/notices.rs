//! One notification per incident.

use afterwatch_core::{
    coverage::{EndedBy, UnreadableReason},
    incident::State,
    object::{Kind, kind::Mode},
    observation::Fact,
    port::notifier::NoticeKind,
    severity::Severity,
    silence::SilenceMatcher,
    timeline::EntryKind,
};
use afterwatch_testkit::{App, status};
use jiff::SignedDuration;

use crate::desk::{Desk, all, app, killed, well};

#[tokio::test]
async fn one_fault_sends_one_notification_however_often_it_shows() {
    let (desk, app) = (Desk::new(), app("checkout"));
    desk.cluster.upsert(all(&app, well(&app, -600)));
    desk.watch().await;
    for restarts in 0..4 {
        desk.clock.advance(2);
        desk.cluster.upsert([killed(&app, restarts, 2 * i64::from(restarts))]);
        desk.incident("told", |i| i.findings.iter().any(|f| f.count == restarts + 1)).await;
    }
    let shown = desk.until("shown", || Some(desk.notifier.shown()).filter(|s| !s.is_empty())).await;
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!(shown[0].kind, NoticeKind::Opened);
    assert!(shown[0].title.contains("checkout") && shown[0].body.contains("03:00"), "{:?}", shown[0]);
    let incident = desk.incidents().remove(0);
    assert_eq!((incident.number, incident.notifications, desk.engine.notifications_sent()), (1, 1, 1));
    assert_eq!(shown[0].incident, Some(incident.id));
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn what_was_broken_at_the_start_is_one_summary() {
    let desk = Desk::new();
    for name in ["cart", "checkout", "invoice"] {
        let app = app(name);
        desk.cluster.upsert(all(&app, killed(&app, 3, -60)));
    }
    desk.watch().await;
    let shown = desk.until("shown", || Some(desk.notifier.shown()).filter(|s| !s.is_empty())).await;
    desk.moment().await;
    assert_eq!((desk.notifier.shown().len(), shown[0].kind), (1, NoticeKind::Summary));
    assert!(shown[0].title.contains('3'), "{}", shown[0].title);
    let incidents = desk.incidents();
    assert_eq!(incidents.iter().map(|i| i.notifications).collect::<Vec<_>>(), [1, 1, 1]);
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn crash_loops_that_wait_for_their_logs_are_part_of_the_summary() {
    let desk = Desk::new();
    for name in ["cart", "checkout", "invoice"] {
        let app = App::deployment(&format!("shop/{name}"));
        desk.cluster.write_log(&format!("{name}-r1-a"), "app", "starting\npanic: no config");
        desk.cluster.upsert(all(&app, app.pod("a", status::crashed(1, "Error", 3, -60))));
    }
    let oom = app("search");
    desk.cluster.upsert(all(&oom, killed(&oom, 3, -60)));
    desk.watch().await;
    let shown = desk.until("shown", || Some(desk.notifier.shown()).filter(|s| !s.is_empty())).await;
    desk.moment().await;
    assert_eq!((desk.notifier.shown().len(), shown[0].kind), (1, NoticeKind::Summary));
    assert!(shown[0].title.contains('4'), "{}", shown[0].title);
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn a_cluster_that_never_rests_is_told_of_all_the_same() {
    let (desk, app) = (Desk::new(), app("checkout"));
    desk.cluster.upsert(all(&app, killed(&app, 1, -60)));
    desk.engine.watch(desk.cluster.clone()).await.unwrap();
    // Something of the incident changes with every look.
    for restarts in 2..150 {
        if !desk.notifier.shown().is_empty() {
            desk.engine.shutdown().await;
            return;
        }
        desk.cluster.upsert([killed(&app, restarts, 0)]);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("nobody was told in 15 s");
}

#[tokio::test]
async fn what_broke_while_the_laptop_slept_is_one_summary() {
    let desk = Desk::new();
    let apps = ["cart", "checkout", "invoice"].map(app);
    for app in &apps {
        desk.cluster.upsert(all(app, well(app, -600)));
    }
    desk.watch().await;
    desk.cluster.tell(Fact::Lost {
        kind: Kind::Pod,
        namespace: None,
        ended_by: EndedBy::Sleep,
        reason: UnreadableReason::Unreachable,
        message: "asleep".into(),
    });
    desk.moment().await;
    desk.clock.advance(3600);
    let broken: Vec<_> = apps.iter().map(|app| killed(app, 3, 3000)).collect();
    desk.cluster.tell(Fact::Listed { kind: Kind::Pod, namespace: None, how: Mode::Watch, objects: broken });
    let shown = desk.until("shown", || Some(desk.notifier.shown()).filter(|s| !s.is_empty())).await;
    desk.moment().await;
    assert_eq!((desk.notifier.shown().len(), shown[0].kind), (1, NoticeKind::Summary));
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn what_goes_up_and_down_is_told_once_and_a_silence_mutes_it() {
    let (desk, app) = (Desk::new(), app("checkout").replicas(2));
    let pod = |suffix: &str, bad: Option<(u32, i64)>| match bad {
        Some((restarts, at)) => app.pod(suffix, status::crashed(137, "OOMKilled", restarts, at)),
        None => app.pod(suffix, status::ready(-600)),
    };
    desk.cluster.upsert(all(&app, pod("a", None)).into_iter().chain([pod("b", None)]));
    desk.watch().await;
    desk.cluster.upsert([pod("a", Some((1, 0)))]);
    desk.until("opened", || (desk.notifier.shown().len() == 1).then_some(())).await;
    for round in 1..4 {
        desk.clock.advance(5);
        desk.cluster.upsert([pod("b", Some((round, i64::from(round) * 10)))]);
        desk.incident("critical", |i| i.severity == Severity::Critical).await;
        desk.clock.advance(5);
        desk.cluster.upsert([pod("b", None)]);
        desk.incident("better", |i| i.severity == Severity::High).await;
    }
    desk.moment().await;
    let kinds: Vec<_> = desk.notifier.shown().iter().map(|n| n.kind).collect();
    assert_eq!(kinds, [NoticeKind::Opened, NoticeKind::Worse]);
    desk.engine.silence(SilenceMatcher::default(), SignedDuration::from_hours(1), "asleep").await.unwrap();
    desk.cluster.upsert([pod("a", None)]);
    desk.incident("mitigated", |i| i.state == State::Mitigated).await;
    desk.later(61);
    desk.incident("resolved", |i| i.state == State::Resolved).await;
    desk.moment().await;
    assert_eq!(desk.notifier.shown().len(), 2, "silenced");
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn a_recovery_is_told_once_and_only_of_what_was_notified() {
    let (desk, app) = (Desk::new(), app("checkout"));
    desk.cluster.upsert(all(&app, well(&app, -600)));
    desk.watch().await;
    desk.cluster.upsert([killed(&app, 1, 0)]);
    desk.until("shown", || Some(desk.notifier.shown()).filter(|s| s.len() == 1)).await;
    desk.clock.advance(5);
    desk.cluster.upsert([well(&app, 5)]);
    desk.incident("mitigated", |i| i.state == State::Mitigated).await;
    assert_eq!(desk.notifier.shown().len(), 1, "it may not hold yet");
    desk.later(61);
    desk.incident("resolved", |i| i.state == State::Resolved).await;
    let shown = desk.until("told", || Some(desk.notifier.shown()).filter(|s| s.len() == 2)).await;
    assert_eq!(shown[1].kind, NoticeKind::Recovered);
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn a_notification_that_cannot_be_shown_is_noted_on_the_timeline() {
    let (desk, app) = (Desk::new(), app("checkout"));
    desk.cluster.upsert(all(&app, well(&app, -600)));
    desk.watch().await;
    desk.notifier.fail(Some("no notification daemon answers"));
    desk.cluster.upsert([killed(&app, 1, 0)]);
    let said = |i: &afterwatch_core::incident::Incident| {
        i.timeline
            .iter()
            .any(|e| e.kind == EntryKind::Notification && e.text.contains("no notification daemon answers"))
    };
    let incident = desk.incident("noted", said).await;
    assert_eq!((incident.notifications, desk.engine.notifications_sent()), (0, 0));
    let lines = incident.timeline.iter().filter(|e| e.kind == EntryKind::Notification).count();
    assert_eq!(lines, 1, "nothing says that it was sent: {:#?}", incident.timeline);
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn what_comes_back_is_told_again_and_opens_nothing_anew() {
    let (desk, app) = (Desk::new(), app("checkout"));
    desk.cluster.upsert(all(&app, well(&app, -600)));
    desk.watch().await;
    desk.cluster.upsert([killed(&app, 1, 0)]);
    desk.incident("told", |i| i.timeline.iter().any(|e| e.text == "Notification sent")).await;
    desk.clock.advance(5);
    desk.cluster.upsert([well(&app, 5)]);
    desk.incident("mitigated", |i| i.state == State::Mitigated).await;
    desk.later(61);
    desk.incident("resolved", |i| i.state == State::Resolved).await;
    desk.clock.advance(60);
    desk.cluster.upsert([killed(&app, 2, 125)]);
    desk.incident("reopened", |i| i.state == State::Open && i.reopened == 1).await;
    let shown = desk.until("told", || Some(desk.notifier.shown()).filter(|s| s.len() == 3)).await;
    assert!(shown[2].body.contains("It is back: it was resolved at 03:01"), "{}", shown[2].body);
    assert_eq!(desk.engine.notifications_sent(), 1, "an update is not counted");
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn a_silence_mutes_the_notification_and_the_incident_still_opens() {
    let (desk, app) = (Desk::new(), app("checkout"));
    desk.cluster.upsert(all(&app, well(&app, -600)));
    desk.watch().await;
    let matcher = SilenceMatcher { namespace: Some("shop".into()), ..SilenceMatcher::default() };
    desk.engine.silence(matcher, SignedDuration::from_hours(1), "we know").await.unwrap();
    desk.cluster.upsert([killed(&app, 1, 0)]);
    let incident = desk.incident("opened", |_| true).await;
    desk.moment().await;
    assert_eq!((desk.notifier.shown().len(), incident.notifications), (0, 0));
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn after_a_restart_of_the_app_nothing_is_announced_again() {
    let (desk, app) = (Desk::new(), app("checkout"));
    desk.cluster.upsert(all(&app, well(&app, -600)));
    desk.watch().await;
    desk.cluster.upsert([killed(&app, 1, 0)]);
    let first = desk.incident("opened", |i| i.notifications == 1).await;
    desk.engine.shutdown().await;
    desk.clock.advance(30);
    let again = Desk::beside(desk.store.clone(), desk.clock.clone(), desk.cluster.clone(), "the app");
    again.watch().await;
    again.cluster.upsert([killed(&app, 2, 29)]);
    let incident = again.incident("goes on", |i| i.findings.iter().any(|f| f.count == 3)).await;
    again.moment().await;
    assert_eq!((incident.id, incident.number), (first.id, 1));
    assert_eq!(again.notifier.shown(), []);
    again.engine.shutdown().await;
}
