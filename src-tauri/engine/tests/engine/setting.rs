//! Settings that hold at once, and what people do with whole incidents.

use afterwatch_core::{
    incident::State,
    port::{notifier::NoticeKind, store::IncidentKey},
    settings::{Delivery, IgnoredThing, QuietHours},
};
use afterwatch_engine::EngineEvent;
use jiff::civil::time;

use crate::desk::{Desk, all, app, killed, well};

/// A desk on which one workload was just killed for memory.
async fn broken(desk: &Desk) {
    let app = app("checkout");
    desk.cluster.upsert(all(&app, well(&app, -600)));
    desk.watch().await;
    desk.cluster.upsert([killed(&app, 1, 0)]);
    desk.incident("opened", |_| true).await;
}

#[tokio::test]
async fn what_comes_in_quiet_hours_is_held_back_and_says_so() {
    let desk = Desk::new();
    let quiet = QuietHours { from: time(0, 0, 0, 0), to: time(0, 0, 0, 0), except_critical: false };
    desk.engine.change_settings(|s| s.notifications.quiet_hours = Some(quiet)).await.unwrap();
    broken(&desk).await;
    let incident = desk
        .incident("held back", |i| i.timeline.iter().any(|e| e.text == "Held back for the morning note at 08:30"))
        .await;
    desk.moment().await;
    assert_eq!((incident.notifications, desk.notifier.shown().len()), (0, 0));
    // The next morning it is told, once, with what waited.
    desk.until("kept", || desk.store.setting("held_notes").unwrap()).await;
    desk.clock.advance(24 * 3600);
    desk.engine.morning_note().await.unwrap();
    desk.engine.morning_note().await.unwrap();
    let shown = desk.notifier.shown();
    assert_eq!((shown.len(), shown[0].kind), (1, NoticeKind::Morning));
    assert!(shown[0].title.contains("1 Critical open"), "{}", shown[0].title);
    assert!(shown[0].body.contains("checkout"), "{}", shown[0].body);
    let told =
        |i: &afterwatch_core::incident::Incident| i.timeline.iter().any(|e| e.text == "Told in the morning note");
    desk.incident("told", told).await;
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn a_morning_note_that_could_not_be_shown_waits_and_is_tried_again() {
    let desk = Desk::new();
    let quiet = QuietHours { from: time(0, 0, 0, 0), to: time(0, 0, 0, 0), except_critical: false };
    desk.engine.change_settings(|s| s.notifications.quiet_hours = Some(quiet)).await.unwrap();
    broken(&desk).await;
    desk.until("kept", || desk.store.setting("held_notes").unwrap()).await;
    desk.clock.advance(24 * 3600);
    desk.notifier.fail(Some("the bus is not there yet"));
    desk.engine.morning_note().await.unwrap();
    desk.notifier.fail(None);
    let before = desk.notifier.shown().len();
    desk.engine.morning_note().await.unwrap();
    assert_eq!(desk.notifier.shown().len(), before + 1);
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn what_is_for_the_window_only_is_not_notified() {
    let desk = Desk::new();
    desk.engine.change_settings(|s| s.notifications.critical = Delivery::Window).await.unwrap();
    broken(&desk).await;
    desk.moment().await;
    assert!(desk.notifier.shown().is_empty());
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn names_are_left_out_where_they_are_to_be_hidden() {
    let desk = Desk::new();
    desk.engine.change_settings(|s| s.notifications.hide_names = true).await.unwrap();
    broken(&desk).await;
    let shown = desk.until("shown", || Some(desk.notifier.shown()).filter(|s| s.len() == 1)).await;
    let text = format!("{} {}", shown[0].title, shown[0].body);
    assert!(text.starts_with("Critical incident in kind-dev") && !text.contains("checkout"), "{text}");
    assert!(!text.contains("shop"), "{text}");
    // It is written down after it was shown.
    for _ in 0..500 {
        if !desk.engine.sent_notes().await.unwrap().is_empty() {
            break;
        }
        desk.moment().await;
    }
    assert_eq!(desk.engine.sent_notes().await.unwrap().len(), 1, "it is remembered that it was sent");
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn a_namespace_that_is_ignored_now_is_ignored_at_once_and_minded_again_at_once() {
    let desk = Desk::new();
    desk.engine.ignore(None, IgnoredThing::Namespace("shop".into()), None).await.unwrap();
    let (cart, checkout) = (app("cart"), app("checkout"));
    desk.cluster.upsert(all(&cart, well(&cart, -600)).into_iter().chain(all(&checkout, killed(&checkout, 1, -5))));
    desk.watch().await;
    desk.moment().await;
    assert!(desk.incidents().is_empty());
    let id = desk.engine.settings().await.unwrap().ignored[0].id;
    desk.engine.unignore(id).await.unwrap();
    desk.incident("opened", |i| i.subject.name == "checkout").await;
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn what_is_no_incident_closes_and_does_not_open_again() {
    let desk = Desk::new();
    broken(&desk).await;
    let closed = desk.engine.not_an_incident(IncidentKey::Number(1), "mara", Some("a load test")).await.unwrap();
    assert_eq!(closed.state, State::Resolved);
    desk.clock.advance(2 * 3600);
    let app = app("checkout");
    desk.cluster.upsert([well(&app, 3600)]);
    desk.moment().await;
    desk.cluster.upsert([killed(&app, 5, 7200)]);
    desk.moment().await;
    assert_eq!(desk.incident("closed", |_| true).await.state, State::Resolved);
    let ignored = desk.engine.settings().await.unwrap().ignored;
    assert_eq!((ignored.len(), ignored[0].reason.as_deref()), (1, Some("a load test")));
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn a_deleted_incident_is_gone_and_what_is_still_broken_opens_a_new_one() {
    let desk = Desk::new();
    broken(&desk).await;
    let mut events = desk.engine.subscribe();
    desk.engine.delete(IncidentKey::Number(1)).await.unwrap();
    let listed = std::iter::from_fn(|| events.try_recv().ok()).any(|e| matches!(e, EngineEvent::Listed));
    assert!(listed, "those who look are told to list again");
    desk.later(5);
    let again = desk.incident("opened anew", |i| i.state == State::Open).await;
    assert_eq!(again.number, 2, "no number is given twice");
    assert!(desk.engine.delete(IncidentKey::Number(1)).await.is_err());
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn a_split_and_a_merge_hold_while_it_is_being_recorded() {
    let (desk, cart, checkout) = (Desk::new(), app("cart"), app("checkout"));
    desk.cluster.upsert(all(&cart, well(&cart, -600)).into_iter().chain(all(&checkout, well(&checkout, -600))));
    desk.watch().await;
    desk.cluster.upsert([killed(&cart, 1, 0), killed(&checkout, 1, 0)]);
    desk.until("two", || (desk.incidents().len() == 2).then_some(())).await;
    let (into, other) = (IncidentKey::Number(1), IncidentKey::Number(2));
    desk.engine.merge(into.clone(), vec![other.clone()]).await.unwrap();
    desk.later(61);
    let both = |desk: &Desk| desk.incidents().into_iter().filter(|i| i.state != State::Resolved).collect::<Vec<_>>();
    let merged = desk
        .until("merged", || {
            let open = both(&desk);
            (open.len() == 1 && open[0].findings.iter().filter(|f| f.active).count() > 1).then(|| open[0].clone())
        })
        .await;
    assert_eq!(merged.number, 1);
    let name = desk.incidents()[1].subject.name.clone();
    let own = |f: &&afterwatch_core::incident::FindingRecord| f.subject.as_ref().is_some_and(|s| s.name == name);
    let findings: Vec<String> = merged.findings.iter().filter(own).map(|f| f.fingerprint.clone()).collect();
    let part = desk.engine.split(into, "mara", findings).await.unwrap();
    desk.later(122);
    desk.moment().await;
    let open = both(&desk);
    assert_eq!(open.len(), 2, "{:?}", open.iter().map(|i| (i.number, &i.title)).collect::<Vec<_>>());
    assert_eq!(open.iter().find(|i| i.id == part).map(|i| i.subject.name.clone()), Some(name));
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn a_ticket_is_kept_with_the_incident_until_it_is_taken_away() {
    let desk = Desk::new();
    broken(&desk).await;
    let url = "https://tracker.example.com/OPS-7";
    let incident = desk.engine.set_ticket(IncidentKey::Number(1), "mara", Some(url)).await.unwrap();
    assert_eq!(incident.ticket.as_deref(), Some(url));
    let incident = desk.engine.set_ticket(IncidentKey::Number(1), "mara", None).await.unwrap();
    assert_eq!(incident.ticket, None);
    desk.engine.shutdown().await;
}
