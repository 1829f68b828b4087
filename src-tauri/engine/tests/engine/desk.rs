//! An engine with everything it needs, and short ways to wait for what it does.

use std::{sync::Arc, time::Duration};

use afterwatch_core::{
    incident::Incident,
    object::Object,
    observation::Connection,
    port::{Store, store::IncidentQuery},
};
use afterwatch_engine::{ClusterState, Engine, NotifyMode, Options, Ports};
use afterwatch_store::SqliteStore;
use afterwatch_testkit::{App, FakeCluster, FakeModel, ManualClock, RecordingNotifier, status};
use jiff::{SignedDuration, tz::TimeZone};
use serde_json::json;

pub struct Desk {
    pub engine: Engine,
    pub cluster: Arc<FakeCluster>,
    pub clock: Arc<ManualClock>,
    pub notifier: Arc<RecordingNotifier>,
    pub store: Arc<dyn Store>,
    pub model: Arc<FakeModel>,
}

impl Desk {
    /// Over a database in memory.
    pub fn new() -> Desk {
        Desk::over(Arc::new(SqliteStore::open_in_memory().unwrap()))
    }

    pub fn over(store: Arc<dyn Store>) -> Desk {
        let clock = Arc::new(ManualClock::default());
        let cluster = FakeCluster::new("kind-dev", clock.clone());
        cluster.upsert([afterwatch_testkit::World::node("node-a", "True")]);
        Desk::beside(store, clock, cluster, "the app")
    }

    /// Another process at the same cluster.
    pub fn beside(store: Arc<dyn Store>, clock: Arc<ManualClock>, cluster: Arc<FakeCluster>, name: &str) -> Desk {
        let notifier = Arc::new(RecordingNotifier::default());
        let model = Arc::new(FakeModel::default());
        let ports =
            Ports { store: store.clone(), notifier: notifier.clone(), clock: clock.clone(), model: model.clone() };
        let options = Options {
            stability: SignedDuration::from_mins(1),
            notify: NotifyMode::Send,
            zone: TimeZone::UTC,
            recorder: name.to_owned(),
            alone: name == "the app",
        };
        Desk { engine: Engine::new(ports, options), cluster, clock, notifier, store, model }
    }

    /// Watches, and waits until the first look is over.
    pub async fn watch(&self) {
        self.engine.watch(self.cluster.clone()).await.unwrap();
        self.until("connected", || {
            self.state().filter(|s| matches!(s, ClusterState::Connection(Connection::Connected { .. })))
        })
        .await;
        tokio::time::sleep(Duration::from_millis(250)).await;
    }

    /// How the cluster is doing.
    pub fn state(&self) -> Option<ClusterState> {
        self.engine.clusters().first().map(|v| v.state.clone())
    }

    /// Every incident in the database, oldest first.
    pub fn incidents(&self) -> Vec<Incident> {
        let mut all = self.store.incidents(&IncidentQuery::default()).unwrap_or_default();
        all.sort_by_key(|i| i.number);
        all
    }

    /// Waits for the only incident to be like this.
    pub async fn incident(&self, what: &str, is: impl Fn(&Incident) -> bool) -> Incident {
        let incident = self.until(what, || self.incidents().into_iter().next().filter(|i| is(i))).await;
        assert_eq!(self.incidents().len(), 1, "one incident is expected");
        incident
    }

    /// Waits until there is something, at most six seconds.
    pub async fn until<T>(&self, what: &str, find: impl Fn() -> Option<T>) -> T {
        for _ in 0..300 {
            if let Some(found) = find() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!(
            "never: {what}; incidents: {:#?}",
            self.incidents().iter().map(|i| (&i.title, i.state)).collect::<Vec<_>>()
        );
    }

    /// A moment in which something that must not happen would have happened.
    pub async fn moment(&self) {
        tokio::time::sleep(Duration::from_millis(400)).await;
    }

    /// Moves the clock and makes the rules look.
    pub fn later(&self, seconds: i64) {
        self.clock.advance(seconds);
        self.cluster.alive();
    }
}

/// The Deployment of this name, whose container may use 64Mi.
pub fn app(name: &str) -> App {
    App::deployment(&format!("shop/{name}")).container(json!({"resources": {"limits": {"memory": "64Mi"}}}))
}

/// The workload and its pod.
pub fn all(app: &App, pod: Object) -> Vec<Object> {
    app.objects().into_iter().chain([pod]).collect()
}

/// Its pod, killed for memory.
pub fn killed(app: &App, restarts: u32, at: i64) -> Object {
    app.pod("a", status::crashed(137, "OOMKilled", restarts, at))
}

/// Its pod, well.
pub fn well(app: &App, since: i64) -> Object {
    app.pod("a", status::ready(since))
}
