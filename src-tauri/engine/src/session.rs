//! The engine as its callers see it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use afterwatch_core::{
    incident::{Incident, IncidentId},
    observation::Connection,
    port::{Clock, Cluster, Model, Notifier, Store, StoreError, store::IncidentKey},
    settings::Settings,
    silence::Silence,
};
use jiff::{SignedDuration, tz::TimeZone};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use uuid::Uuid;

use crate::{
    event::{ClusterState, ClusterView, EngineEvent, IncidentStep},
    recorder::{self, Control, Figures},
    writer,
};

/// What the engine works over.
#[derive(Clone)]
pub struct Ports {
    pub store: Arc<dyn Store>,
    pub notifier: Arc<dyn Notifier>,
    pub clock: Arc<dyn Clock>,
    /// What writes about incidents. Never asked on the watch path.
    pub model: Arc<dyn Model>,
}

/// What happens with notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyMode {
    /// Sent to the notifier.
    Send,
    /// Only counted: what the default policy would have sent.
    Count,
}

/// How this run behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long everything must be well before an incident resolves by itself (10 minutes; 1 in `watch --for`).
    pub stability: SignedDuration,
    pub notify: NotifyMode,
    /// The zone of the clock times in notifications.
    pub zone: TimeZone,
    /// How others see who records: `the app`, `kubectl afterwatch watch (pid 4711)`.
    pub recorder: String,
    /// True where no other process of this name can live beside this one (the app): a lease that another one left in
    /// this name is of a process that died, and is taken over at once.
    pub alone: bool,
}

/// Figures of a run, for `--metrics`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunFigures {
    pub watches: u64,
    pub requests: u64,
    pub bytes_received: u64,
    pub objects_indexed: u64,
    pub observations: u64,
    pub dropped: u64,
}

/// The engine. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Engine(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub ports: Ports,
    pub options: Options,
    pub events: broadcast::Sender<EngineEvent>,
    pub writer: mpsc::Sender<writer::Job>,
    /// The recorders of this process among those that may record into the database: one per cluster watched, so that
    /// of two contexts of one cluster the second follows the first.
    pub holders: Mutex<BTreeSet<Uuid>>,
    /// Clusters looked at by a scan of this process, by identity: a second context of one has nothing to add.
    pub scanned: Mutex<BTreeSet<String>>,
    pub running: Mutex<BTreeMap<String, Running>>,
    seen: Mutex<Vec<IncidentId>>,
    sent: AtomicU32,
    told: AtomicU64,
    paused: AtomicBool,
    figures: Mutex<BTreeMap<String, Figures>>,
    silences: Mutex<Vec<Silence>>,
    settings: Mutex<Arc<Settings>>,
    /// Whoever reads a setting to change it has the turn.
    pub setting_turn: tokio::sync::Mutex<()>,
}

pub(crate) struct Running {
    pub cluster: Arc<dyn Cluster>,
    pub control: mpsc::UnboundedSender<Control>,
    pub view: watch::Receiver<Arc<ClusterView>>,
    pub task: tokio::task::JoinHandle<()>,
}

/// A lock that a panicking holder cannot take from the others.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a store call where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    store: &Arc<dyn Store>,
    call: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let store = store.clone();
    tokio::task::spawn_blocking(move || call(&*store))
        .await
        .unwrap_or_else(|e| Err(StoreError::Other { path: String::new(), message: e.to_string() }))
}

impl Engine {
    /// An engine that watches nothing yet. Must be called inside a tokio runtime.
    pub fn new(ports: Ports, options: Options) -> Engine {
        let (events, _) = broadcast::channel(1024);
        let writer = writer::start(ports.store.clone(), events.clone());
        let engine = Engine(Arc::new(Inner {
            ports,
            options,
            events,
            writer,
            holders: Mutex::default(),
            scanned: Mutex::default(),
            running: Mutex::default(),
            seen: Mutex::default(),
            sent: AtomicU32::new(0),
            told: AtomicU64::new(0),
            paused: AtomicBool::new(false),
            figures: Mutex::default(),
            silences: Mutex::default(),
            settings: Mutex::default(),
            setting_turn: tokio::sync::Mutex::default(),
        }));
        engine.poll_others();
        engine.keep_house();
        engine
    }

    /// What writes about incidents.
    pub fn model(&self) -> &Arc<dyn Model> {
        &self.0.ports.model
    }

    /// Starts recording a cluster, or follows the one who already records it into this database. Returns at once.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn watch(&self, cluster: Arc<dyn Cluster>) -> Result<(), StoreError> {
        let name = cluster.name().to_owned();
        self.unwatch(&name).await;
        let revision = self.revision().await?;
        self.0.told.fetch_max(revision, Ordering::SeqCst);
        self.refresh_silences().await;
        self.refresh_settings().await;
        let (control, inbox) = mpsc::unbounded_channel();
        let (sender, view) = watch::channel(Arc::new(ClusterView::idle(&name)));
        let task = tokio::spawn(recorder::guarded(self.clone(), cluster.clone(), inbox, sender, recorder::Kind::Watch));
        if self.paused() {
            let _ = control.send(Control::Pause(true));
        }
        lock(&self.0.running).insert(name, Running { cluster, control, view, task });
        Ok(())
    }

    /// Stops recording a cluster, closing its coverage.
    pub async fn unwatch(&self, name: &str) {
        let running = lock(&self.0.running).remove(name);
        if let Some(running) = running {
            let _ = running.control.send(Control::Stop);
            let _ = tokio::time::timeout(Duration::from_secs(2), running.task).await;
        }
    }

    /// Ends once everything that may be read of a cluster was read for the first time, or it is not watched any more.
    pub async fn connected(&self, name: &str) {
        let Some(mut view) = lock(&self.0.running).get(name).map(|r| r.view.clone()) else { return };
        let there = |v: &Arc<ClusterView>| {
            matches!(v.state, ClusterState::Connection(Connection::Connected { .. }) | ClusterState::Following)
        };
        // An error means that the recorder is gone.
        let _ = view.wait_for(there).await;
    }

    /// Drops a cluster's connections and starts again now (retry, after a login, after sleep).
    pub fn restart(&self, name: &str) {
        if let Some(running) = lock(&self.0.running).get(name) {
            let _ = running.control.send(Control::Restart);
        }
    }

    /// Pauses or resumes all recording. Paused time is a gap of coverage.
    pub async fn set_paused(&self, paused: bool) {
        self.0.paused.store(paused, Ordering::SeqCst);
        for running in lock(&self.0.running).values() {
            let _ = running.control.send(Control::Pause(paused));
        }
    }

    /// Whether recording is paused.
    pub fn paused(&self) -> bool {
        self.0.paused.load(Ordering::SeqCst)
    }

    /// Stops everything: what was recorded is written, coverage is closed, leases are given back. Within 2 s.
    pub async fn shutdown(&self) {
        let all = std::mem::take(&mut *lock(&self.0.running));
        for running in all.values() {
            let _ = running.control.send(Control::Stop);
        }
        let end = tokio::time::Instant::now() + Duration::from_millis(1800);
        for (_, running) in all {
            let _ = tokio::time::timeout_at(end, running.task).await;
        }
    }

    /// One look at a cluster: lists, detects, correlates, explains. Hold times are waived.
    ///
    /// # Errors
    /// When the incidents found could not be stored.
    pub async fn scan(&self, cluster: Arc<dyn Cluster>) -> Result<(), StoreError> {
        let name = cluster.name().to_owned();
        self.refresh_silences().await;
        self.refresh_settings().await;
        let (control, inbox) = mpsc::unbounded_channel();
        let (sender, view) = watch::channel(Arc::new(ClusterView::idle(&name)));
        let task = tokio::spawn(recorder::guarded(self.clone(), cluster.clone(), inbox, sender, recorder::Kind::Scan));
        // The view stays listed after the scan has ended: it says what could not be read.
        lock(&self.0.running).insert(name, Running { cluster, control, view, task: tokio::spawn(async {}) });
        task.await.map_err(|e| StoreError::Other { path: String::new(), message: e.to_string() })
    }

    /// What happens from now on. A slow reader may miss some and then sees `Lagged`: list again.
    pub fn subscribe(&self) -> broadcast::Receiver<EngineEvent> {
        self.0.events.subscribe()
    }

    /// The clusters that are watched (or were scanned) in this run.
    pub fn clusters(&self) -> Vec<Arc<ClusterView>> {
        lock(&self.0.running).values().map(|r| r.view.borrow().clone()).collect()
    }

    /// The cluster of this name, if it is watched.
    pub fn cluster(&self, name: &str) -> Option<Arc<dyn Cluster>> {
        lock(&self.0.running).get(name).map(|r| r.cluster.clone())
    }

    /// Every incident that was open at any time during this run, oldest first. One that turned out to be part of
    /// another is that one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn seen(&self) -> Result<Vec<Incident>, StoreError> {
        let ids = lock(&self.0.seen).clone();
        blocking(&self.0.ports.store, move |store| {
            let mut out = Vec::with_capacity(ids.len());
            for id in ids {
                out.push(store.incident(&IncidentKey::Id(id))?);
            }
            out.retain(|i| i.merged_into.is_none());
            out.sort_by_key(|i| i.number);
            Ok(out)
        })
        .await
    }

    /// Notifications sent in this run (or that would have been).
    pub fn notifications_sent(&self) -> u32 {
        self.0.sent.load(Ordering::SeqCst)
    }

    /// Figures of this run.
    pub fn figures(&self) -> RunFigures {
        let mut out = RunFigures::default();
        for f in lock(&self.0.figures).values() {
            out.watches += f.adapter.watches;
            out.requests += f.adapter.requests;
            out.bytes_received += f.adapter.bytes_received;
            out.objects_indexed += f.objects;
            out.observations += f.observations;
        }
        out
    }

    pub(crate) fn set_figures(&self, cluster: &str, figures: Figures) {
        lock(&self.0.figures).insert(cluster.to_owned(), figures);
    }

    pub(crate) fn saw(&self, id: IncidentId) {
        let mut seen = lock(&self.0.seen);
        if !seen.contains(&id) {
            seen.push(id);
        }
    }

    pub(crate) fn count_notice(&self) {
        self.0.sent.fetch_add(1, Ordering::SeqCst);
    }

    /// Tells everybody of an incident that was stored.
    pub(crate) fn tell(&self, step: IncidentStep, incident: Arc<Incident>) {
        let revision = incident.revision;
        let previous = self.0.told.fetch_max(revision, Ordering::SeqCst);
        let _ = self.0.events.send(EngineEvent::Incident { revision, previous, step, incident });
    }

    /// The silences as last read.
    pub(crate) fn known_silences(&self) -> Vec<Silence> {
        lock(&self.0.silences).clone()
    }

    /// Reads the silences anew.
    pub(crate) async fn refresh_silences(&self) {
        let now = self.0.ports.clock.now();
        if let Ok(silences) = blocking(&self.0.ports.store, move |s| s.silences(now)).await {
            let before = std::mem::replace(&mut *lock(&self.0.silences), silences.clone());
            if before != silences {
                let _ = self.0.events.send(EngineEvent::Listed);
            }
        }
    }

    /// The settings as last read.
    pub(crate) fn known_settings(&self) -> Arc<Settings> {
        lock(&self.0.settings).clone()
    }

    /// Takes settings over, and lets every recorder look with them.
    pub(crate) fn adopt_settings(&self, settings: Settings) {
        let settings = Arc::new(settings);
        if std::mem::replace(&mut *lock(&self.0.settings), settings.clone()) != settings {
            for running in lock(&self.0.running).values() {
                let _ = running.control.send(Control::Look);
            }
        }
    }

    /// Lets every recorder drop an incident; done when none of them will write it again.
    pub(crate) async fn forget(&self, id: IncidentId) {
        let asked: Vec<_> = lock(&self.0.running)
            .values()
            .filter_map(|running| {
                let (done, answer) = oneshot::channel();
                running.control.send(Control::Forget(id, done)).ok().map(|()| answer)
            })
            .collect();
        for answer in asked {
            let _ = answer.await;
        }
        lock(&self.0.seen).retain(|seen| *seen != id);
    }

    /// Hands a newer version of an incident to the recorder that holds it.
    pub(crate) fn adopt(&self, incident: &Incident) {
        for running in lock(&self.0.running).values() {
            let _ = running.control.send(Control::Adopt(Box::new(incident.clone())));
        }
    }

    /// Watches for what other processes write into the same database, and tells of it.
    fn poll_others(&self) {
        let weak = Arc::downgrade(&self.0);
        let store = self.0.ports.store.clone();
        tokio::spawn(async move {
            let mut known = blocking(&store, |s| s.data_version()).await.unwrap_or_default();
            let mut from = blocking(&store, |s| s.revision()).await.unwrap_or_default();
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let Some(inner) = weak.upgrade() else { return };
                let engine = Engine(inner);
                let Ok(version) = blocking(&store, |s| s.data_version()).await else { continue };
                if version == known {
                    continue;
                }
                known = version;
                engine.refresh_silences().await;
                engine.refresh_settings().await;
                let _ = engine.0.events.send(EngineEvent::Settings);
                let since = from;
                let Ok(changed) = blocking(&store, move |s| s.changed_since(since)).await else { continue };
                for (id, revision) in changed {
                    from = from.max(revision);
                    // What this process wrote itself was told when it was written.
                    if lock(&engine.0.figures).values().any(|f| f.wrote.contains(&(id, revision))) {
                        continue;
                    }
                    if let Ok(incident) = blocking(&store, move |s| s.incident(&IncidentKey::Id(id))).await {
                        engine.adopt(&incident);
                        engine.tell(IncidentStep::Edited, Arc::new(incident));
                    }
                }
            }
        });
    }
}
