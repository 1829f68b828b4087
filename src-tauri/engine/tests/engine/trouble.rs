//! A disk that is full, a database that hangs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use afterwatch_core::{Timestamp, port::Clock};
use afterwatch_engine::{Engine, EngineEvent, NotifyMode, Options, Ports};
use afterwatch_testkit::{ManualClock, RecordingNotifier};
use jiff::{SignedDuration, tz::TimeZone};

use crate::{
    desk::{Desk, all, app, killed, well},
    flaky::FlakyStore,
};

#[tokio::test]
async fn a_full_disk_is_told_retried_and_nothing_is_lost() {
    let store = FlakyStore::new();
    let (desk, app) = (Desk::over(store.clone()), app("checkout"));
    desk.cluster.upsert(all(&app, well(&app, -600)));
    desk.watch().await;
    let mut events = desk.engine.subscribe();
    store.full.store(true, Ordering::SeqCst);
    desk.cluster.upsert([killed(&app, 1, 0)]);
    desk.until("refused", || (store.refused.load(Ordering::SeqCst) >= 1).then_some(())).await;
    desk.clock.advance(5);
    desk.cluster.upsert([killed(&app, 2, 4)]);
    desk.until("tried again", || (store.refused.load(Ordering::SeqCst) >= 3).then_some(())).await;
    assert_eq!(
        (desk.incidents().len(), desk.notifier.shown().len()),
        (0, 0),
        "nothing is announced that is not stored"
    );
    store.full.store(false, Ordering::SeqCst);
    let incident = desk.incident("both deaths", |i| i.findings.iter().any(|f| f.count == 3)).await;
    assert_eq!(incident.number, 1);
    desk.until("announced", || (desk.notifier.shown().len() == 1).then_some(())).await;
    let mut troubles = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let EngineEvent::Trouble(trouble) = event {
            troubles.push(trouble);
        }
    }
    assert!(troubles[0].as_deref().is_some_and(|t| t.contains("is full")), "{troubles:?}");
    assert_eq!(troubles.last(), Some(&None), "it says when it is well again");
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn a_database_that_hangs_does_not_keep_the_program_from_ending() {
    let store = FlakyStore::new();
    let (desk, app) = (Desk::over(store.clone()), app("checkout"));
    desk.cluster.upsert(all(&app, well(&app, -600)));
    desk.watch().await;
    store.hangs.store(true, Ordering::SeqCst);
    desk.cluster.upsert([killed(&app, 1, 0)]);
    desk.moment().await;
    let began = Instant::now();
    desk.engine.shutdown().await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    store.hangs.store(false, Ordering::SeqCst);
}

/// A defect: it panics once when it is armed.
struct Mine {
    clock: Arc<ManualClock>,
    armed: AtomicBool,
}

impl Clock for Mine {
    fn now(&self) -> Timestamp {
        assert!(!self.armed.swap(false, Ordering::SeqCst), "a defect");
        self.clock.now()
    }
}

#[tokio::test]
async fn a_recorder_that_a_defect_ended_says_so_and_begins_anew() {
    let (desk, app) = (Desk::new(), app("checkout"));
    let clock = Arc::new(Mine { clock: desk.clock.clone(), armed: AtomicBool::new(false) });
    let notifier = Arc::new(RecordingNotifier::default());
    let engine = Engine::new(
        Ports { store: desk.store.clone(), notifier, clock: clock.clone(), model: desk.model.clone() },
        Options {
            stability: SignedDuration::from_mins(1),
            notify: NotifyMode::Send,
            zone: TimeZone::UTC,
            recorder: "the app".to_owned(),
            alone: true,
        },
    );
    desk.cluster.upsert(all(&app, well(&app, -600)));
    let mut events = engine.subscribe();
    engine.watch(desk.cluster.clone()).await.unwrap();
    desk.until("watching", || (desk.cluster.started() == 1).then_some(())).await;
    desk.moment().await;
    clock.armed.store(true, Ordering::SeqCst);
    desk.cluster.upsert([killed(&app, 1, 0)]);
    desk.until("watching again", || (desk.cluster.started() == 2).then_some(())).await;
    desk.incident("opened", |_| true).await;
    let mut said = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let EngineEvent::Trouble(Some(text)) = event {
            said.push(text);
        }
    }
    assert!(said[0].contains("kind-dev failed and begins anew"), "{said:?}");
    engine.shutdown().await;
}
