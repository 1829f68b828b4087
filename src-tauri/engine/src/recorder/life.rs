//! The life of a recorder: what it hears, in which order, and how it ends.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use afterwatch_core::{
    correlate,
    coverage::EndedBy,
    observation::Observation,
    port::{Cluster, WatchHandle},
};
use futures::FutureExt;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use uuid::Uuid;

use super::{Control, Kind, LOG_READERS, Recorder, Sink};
use crate::{
    event::{ClusterView, EngineEvent},
    inspect::Question,
    session::{Engine, lock},
};

/// A scan waits no longer for the logs that name the causes.
const SCAN_PATIENCE: Duration = Duration::from_secs(15);

/// The life of a recorder, begun anew where a defect ended it: nobody else would notice that nothing is watched.
pub(crate) async fn guarded(
    engine: Engine,
    cluster: Arc<dyn Cluster>,
    mut control: mpsc::UnboundedReceiver<Control>,
    view: watch::Sender<Arc<ClusterView>>,
    kind: Kind,
) {
    loop {
        let holder = Uuid::now_v7();
        lock(&engine.0.holders).insert(holder);
        let life = run(engine.clone(), cluster.clone(), &mut control, view.clone(), kind, holder);
        let ended = AssertUnwindSafe(life).catch_unwind().await;
        lock(&engine.0.holders).remove(&holder);
        if ended.is_ok() || kind == Kind::Scan {
            return;
        }
        let text = format!("The recorder of {} failed and begins anew. The log of the app says more.", cluster.name());
        tracing::error!(cluster = cluster.name(), "{text}");
        let _ = engine.0.events.send(EngineEvent::Trouble(Some(text)));
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

async fn run(
    engine: Engine,
    cluster: Arc<dyn Cluster>,
    control: &mut mpsc::UnboundedReceiver<Control>,
    view: watch::Sender<Arc<ClusterView>>,
    kind: Kind,
    holder: Uuid,
) {
    let (sender, mut observations) = mpsc::channel::<Observation>(2048);
    let mut handle: Option<Box<dyn WatchHandle>> = None;
    let mut scan = None;
    match kind {
        Kind::Watch => handle = Some(cluster.watch(Box::new(Sink(sender.clone())))),
        Kind::Scan => {
            let (cluster, sink) = (cluster.clone(), Sink(sender.clone()));
            scan = Some(tokio::spawn(async move { cluster.scan(Box::new(sink)).await }));
        }
    }
    let (told, mut outcomes) = mpsc::unbounded_channel();
    let (heard, mut hearings) = mpsc::unbounded_channel();
    // A scan ends with what it was asked.
    let mut question: Option<Box<Question>> = None;
    let mut r = Recorder::new(engine, cluster, kind, view, holder, told);
    let mut look_at: Option<Instant> = None;
    let mut heartbeat = Instant::now() + r.heartbeat_in();
    let mut followed = tokio::time::interval(Duration::from_secs(5));
    let mut rest = Instant::now();
    loop {
        let due = r.next_due.map(|at| Instant::now() + r.clock().until(at));
        let wake = match (look_at, due) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let wake = wake.map(|at| at.max(rest));
        tokio::select! {
            biased;
            order = control.recv() => match order {
                None | Some(Control::Stop) => {
                    drop(handle.take());
                    while let Ok(outcome) = outcomes.try_recv() {
                        r.note(outcome);
                    }
                    r.finish(EndedBy::Quit).await;
                    return;
                }
                Some(Control::Restart) => if let Some(h) = &handle { h.restart() },
                Some(Control::Pause(paused)) => {
                    if paused && !r.paused {
                        handle = None;
                        r.paused = true;
                        r.pause().await;
                    } else if !paused && r.paused {
                        r.resume();
                        handle = Some(r.cluster.watch(Box::new(Sink(sender.clone()))));
                    }
                }
                Some(Control::Look) => _ = look_at.get_or_insert_with(|| Instant::now() + r.coalesce()),
                Some(Control::Forget(id, done)) => {
                    r.drop_incident(id).await;
                    let _ = done.send(());
                }
                Some(Control::Inspect(asked)) if kind == Kind::Scan => question = Some(asked),
                Some(Control::Inspect(asked)) => r.inquire(*asked, &heard),
                Some(Control::Choices(text, most, reply)) => _ = reply.send(r.choices(&text, most)),
                Some(Control::Adopt(incident)) => {
                    if r.adopt(*incident) { look_at.get_or_insert_with(|| Instant::now() + r.coalesce()); }
                }
            },
            saved = async { match &mut r.in_flight { Some(flight) => flight.await, None => std::future::pending().await } } => {
                if r.saved(saved.unwrap_or_default()) { look_at.get_or_insert_with(|| Instant::now() + r.coalesce()); }
                r.hand_over(false);
            },
            Some(outcome) = outcomes.recv() => {
                r.note(outcome);
                r.hand_over(false);
            },
            Some(logs) = hearings.recv() => r.answer(logs),
            observation = observations.recv() => {
                let Some(first) = observation else { return };
                r.take(first).await;
                // What is already waiting is taken in one go.
                for _ in 0..512 {
                    match observations.try_recv() {
                        Ok(o) => r.take(o).await,
                        Err(_) => break,
                    }
                }
                look_at.get_or_insert_with(|| Instant::now() + r.coalesce());
                if r.followed.is_some() && handle.is_some() {
                    handle = None;
                }
            },
            () = async { match wake { Some(at) => tokio::time::sleep_until(at).await, None => std::future::pending().await } } => {
                look_at = None;
                let started = Instant::now();
                r.look(&sender, false);
                r.hand_over(false);
                // Under churn the rules take at most a fifth of a core; more where time runs faster.
                rest = Instant::now() + r.clock().real((started.elapsed() * 4).min(Duration::from_secs(2)));
            },
            () = tokio::time::sleep_until(heartbeat) => {
                if let Some(h) = &handle { r.figures.adapter = h.metrics(); }
                r.heartbeat().await;
                r.hand_over(true);
                heartbeat = Instant::now() + r.heartbeat_in();
            },
            _ = followed.tick(), if r.followed.is_some() && kind == Kind::Watch => {
                if r.try_lease().await {
                    handle = Some(r.cluster.watch(Box::new(Sink(sender.clone()))));
                }
            },
            _ = async { match &mut scan { Some(task) => { let _ = task.await; }, None => std::future::pending().await } } => {
                while let Ok(o) = observations.try_recv() {
                    r.take(o).await;
                }
                r.synced = true;
                // Logs first: what they say decides what belongs together. They arrive as observations, within their
                // time limit; more are asked for as readers become free.
                let patience = Instant::now() + SCAN_PATIENCE;
                let mut news = true;
                while Instant::now() < patience {
                    if news && r.readers.available_permits() > 0 {
                        news = false;
                        let found = correlate::diagnose(&r.index, r.now(), r.options(true));
                        r.read_logs(found, &sender);
                    }
                    if r.readers.available_permits() == LOG_READERS && observations.is_empty() {
                        break;
                    }
                    // A reader becomes free a moment after its log has come.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    while let Ok(o) = observations.try_recv() {
                        r.take(o).await;
                        news = true;
                    }
                }
                match question.take() {
                    None => r.look(&sender, true),
                    Some(asked) => {
                        r.inquire(*asked, &heard);
                        drop(heard);
                        // None where it was answered at once.
                        if let Some(logs) = hearings.recv().await {
                            r.answer(logs);
                        }
                    }
                }
                r.finish(EndedBy::Quit).await;
                return;
            },
        }
    }
}
