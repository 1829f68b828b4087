//! A cluster of objects in memory. Watchers get the lists first and what changes afterwards, each in its own thread,
//! so that the fake needs no runtime.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use afterwatch_core::{
    coverage::{EndedBy, UnreadableReason},
    object::{Kind, Object},
    observation::{Connection, Fact, LogRead, LogWant, Observation},
    port::{BoxFuture, Clock, Cluster, ObservationSink, WatchHandle, cluster::ClusterMetrics},
};

use super::lock;

type Objects = BTreeMap<(Kind, String), Object>;

/// A scripted cluster.
pub struct FakeCluster {
    name: String,
    uid: String,
    clock: Arc<dyn Clock>,
    objects: Mutex<Objects>,
    /// What each running watch still gets.
    watchers: Arc<Mutex<BTreeMap<usize, mpsc::Sender<Observation>>>>,
    logs: Mutex<BTreeMap<(String, String), String>>,
    asked: Mutex<Vec<LogWant>>,
    unreadable: Mutex<Vec<Kind>>,
    versions: AtomicU64,
    started: AtomicUsize,
    restarts: Arc<AtomicUsize>,
}

impl FakeCluster {
    /// A cluster without objects. Its observations carry the clock's time.
    pub fn new(name: &str, clock: Arc<dyn Clock>) -> Arc<FakeCluster> {
        FakeCluster::context(name, name, clock)
    }

    /// A context of a cluster that may have several.
    pub fn context(name: &str, cluster: &str, clock: Arc<dyn Clock>) -> Arc<FakeCluster> {
        Arc::new(FakeCluster {
            name: name.to_owned(),
            uid: format!("uid-of-{cluster}"),
            clock,
            objects: Mutex::default(),
            watchers: Arc::default(),
            logs: Mutex::default(),
            asked: Mutex::default(),
            unreadable: Mutex::default(),
            versions: AtomicU64::new(1000),
            started: AtomicUsize::new(0),
            restarts: Arc::default(),
        })
    }

    /// Its identity.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// Adds or changes objects and tells whoever watches.
    pub fn upsert(&self, objects: impl IntoIterator<Item = Object>) {
        for mut object in objects {
            let version = self.versions.fetch_add(1, Ordering::SeqCst);
            object.meta_mut().resource_version = version.to_string();
            lock(&self.objects).insert((object.kind(), object.reference().key()), object.clone());
            self.tell(Fact::Upserted(object));
        }
    }

    /// Takes an object away and tells whoever watches.
    pub fn delete(&self, object: &Object) {
        if let Some(known) = lock(&self.objects).remove(&(object.kind(), object.reference().key())) {
            self.tell(Fact::Deleted(known));
        }
    }

    /// Hands any fact to whoever watches.
    pub fn tell(&self, fact: Fact) {
        let observation = Observation { at: self.clock.now(), fact };
        lock(&self.watchers).retain(|_, w| w.send(observation.clone()).is_ok());
    }

    /// A sign of life of the pods' watch: it also makes the rules look again.
    pub fn alive(&self) {
        self.tell(Fact::Alive { kind: Kind::Pod, namespace: None });
    }

    /// The rights to a kind are taken away.
    pub fn forbid(&self, kind: Kind) {
        lock(&self.unreadable).push(kind);
        self.tell(forbidden(kind));
    }

    /// What this container's log says from now on.
    pub fn write_log(&self, pod: &str, container: &str, text: &str) {
        lock(&self.logs).insert((pod.to_owned(), container.to_owned()), text.to_owned());
    }

    /// Which logs were asked for.
    pub fn logs_asked(&self) -> Vec<LogWant> {
        lock(&self.asked).clone()
    }

    /// How many watches run now.
    pub fn watching(&self) -> usize {
        lock(&self.watchers).len()
    }

    /// How many watches were ever started.
    pub fn started(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }

    /// How often a watch was told to start again.
    pub fn restarts(&self) -> usize {
        self.restarts.load(Ordering::SeqCst)
    }

    /// What a watch or a scan sees first.
    fn lists(&self, objects: &Objects) -> Vec<Observation> {
        let at = self.clock.now();
        let connected = Connection::Connected { cluster_uid: self.uid.clone(), server_version: "v1.36.3".into() };
        let mut facts = vec![Fact::Connection(connected)];
        let unreadable = lock(&self.unreadable).clone();
        for kind in Kind::ALL {
            if unreadable.contains(kind) {
                facts.push(forbidden(*kind));
                continue;
            }
            let objects = objects.iter().filter(|((k, _), _)| k == kind).map(|(_, o)| o.clone()).collect();
            facts.push(Fact::Listed { kind: *kind, namespace: None, how: kind.mode(), objects });
        }
        facts.into_iter().map(|fact| Observation { at, fact }).collect()
    }
}

fn forbidden(kind: Kind) -> Fact {
    let message = format!("{} is forbidden: User \"dev\" cannot list resource", kind.plural());
    Fact::Lost { kind, namespace: None, ended_by: EndedBy::Forbidden, reason: UnreadableReason::Forbidden, message }
}

impl Cluster for FakeCluster {
    fn name(&self) -> &str {
        &self.name
    }

    fn watch(&self, sink: Box<dyn ObservationSink>) -> Box<dyn WatchHandle> {
        let id = self.started.fetch_add(1, Ordering::SeqCst);
        let (sender, receiver) = mpsc::channel();
        // Held until the watcher is listed, so that no change falls between the lists and what follows.
        let objects = lock(&self.objects);
        for observation in self.lists(&objects) {
            let _ = sender.send(observation);
        }
        lock(&self.watchers).insert(id, sender);
        drop(objects);
        thread::spawn(move || {
            for observation in receiver {
                if !block_on(sink.send(observation)) {
                    return;
                }
            }
        });
        Box::new(Handle { id, watchers: self.watchers.clone(), restarts: self.restarts.clone() })
    }

    fn scan(&self, sink: Box<dyn ObservationSink>) -> BoxFuture<'_, ()> {
        let lists = self.lists(&lock(&self.objects));
        Box::pin(async move {
            for observation in lists {
                sink.send(observation).await;
            }
        })
    }

    fn read_log(&self, want: LogWant) -> BoxFuture<'_, LogRead> {
        lock(&self.asked).push(want.clone());
        let text = lock(&self.logs).get(&(want.pod.name.clone(), want.container.clone())).cloned();
        let lines = match text {
            Some(text) => Ok(text.lines().map(str::to_owned).collect()),
            None => Err("the fake cluster has no log of this container".to_owned()),
        };
        Box::pin(async move { LogRead { want, lines, truncated: false, later: None } })
    }
}

struct Handle {
    id: usize,
    watchers: Arc<Mutex<BTreeMap<usize, mpsc::Sender<Observation>>>>,
    restarts: Arc<AtomicUsize>,
}

impl WatchHandle for Handle {
    fn restart(&self) {
        self.restarts.fetch_add(1, Ordering::SeqCst);
    }

    fn metrics(&self) -> ClusterMetrics {
        ClusterMetrics { watches: lock(&self.watchers).len() as u64, requests: 1, bytes_received: 0 }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        lock(&self.watchers).remove(&self.id);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future on this thread.
fn block_on<T>(mut future: BoxFuture<'_, T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        match Future::poll(future.as_mut(), &mut cx) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}
