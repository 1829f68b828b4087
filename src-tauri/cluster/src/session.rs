//! What all tasks of one connected stretch of time share.

use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use afterwatch_core::{
    object::{Kind, kind::Mode},
    port::Clock,
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};

use crate::{
    access::Access,
    cluster::{Inner, Limits},
    connect::Link,
    emit::Emitter,
    problem::ConnectProblem,
};

/// First lists under way at once.
pub(crate) const AT_ONCE: usize = 6;
/// Rights are asked about again after this long.
pub(crate) const REVIEW_AGAIN: Duration = Duration::from_secs(600);
/// One connection each; further namespaces are listed every minute instead.
const MOST_WATCHES: u64 = 48;

/// What a kind's task tells the supervisor.
pub(crate) enum Signal {
    /// More objects arrived.
    Progress,
    /// The kind's first list is there, or known to be unreadable.
    Resolved(Kind),
    /// Something failed below HTTP; is the server still there?
    Suspect,
    /// The server refuses fresh credentials as well.
    Refused(String),
    Trouble(ConnectProblem),
}

/// What all tasks of one connected stretch of time share.
pub(crate) struct Session {
    pub out: Arc<Emitter>,
    pub salt: [u8; 16],
    /// Objects received so far.
    pub objects: AtomicU64,
    inner: Arc<Inner>,
    link: RwLock<Arc<Link>>,
    access: Mutex<(Instant, Arc<Access>)>,
    turns: Arc<Semaphore>,
    signals: mpsc::UnboundedSender<Signal>,
}

impl Session {
    pub fn new(
        inner: Arc<Inner>,
        out: Arc<Emitter>,
        link: Arc<Link>,
    ) -> (Arc<Session>, mpsc::UnboundedReceiver<Signal>) {
        let (signals, receiver) = mpsc::unbounded_channel();
        let access = Mutex::new((Instant::now(), Arc::new(fresh_access(&inner))));
        let session = Session {
            out,
            salt: inner.options.salt,
            objects: AtomicU64::new(0),
            inner,
            link: RwLock::new(link),
            access,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            signals,
        };
        (Arc::new(session), receiver)
    }

    /// The clients as they are now.
    pub fn link(&self) -> Arc<Link> {
        self.link.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fresh credentials in place of those of this generation.
    pub async fn renew(&self, generation: u64, words: Option<&str>) -> Result<Arc<Link>, ConnectProblem> {
        let link = self.inner.connector.renew(generation, words).await?;
        *self.link.write().unwrap_or_else(PoisonError::into_inner) = link.clone();
        Ok(link)
    }

    pub fn limits(&self) -> Limits {
        self.inner.connector.limits
    }

    pub fn clock(&self) -> &dyn Clock {
        &*self.inner.clock
    }

    pub fn signal(&self, signal: Signal) {
        // Nobody receives during a scan, or while the session is being torn down.
        let _ = self.signals.send(signal);
    }

    /// What is known of the user's rights, not older than half the time after which they are asked about again, and
    /// newer than the last refusal.
    pub fn access(&self, refused: Option<Instant>) -> Arc<Access> {
        let mut held = self.access.lock().unwrap_or_else(PoisonError::into_inner);
        if held.0.elapsed() > REVIEW_AGAIN / 2 || refused.is_some_and(|at| at >= held.0) {
            *held = (Instant::now(), Arc::new(fresh_access(&self.inner)));
        }
        held.1.clone()
    }

    /// Waits for a turn to list. Whoever holds the turns may hang; after five seconds it goes on without one.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let turn = self.turns.clone().acquire_owned();
        tokio::time::timeout(Duration::from_secs(5), turn).await.ok()?.ok()
    }

    pub fn mode(&self, wanted: Mode) -> Mode {
        let watches = self.inner.connector.counters.watches.load(Relaxed);
        if watches >= MOST_WATCHES { Mode::Poll } else { wanted }
    }
}

fn fresh_access(inner: &Inner) -> Access {
    Access::new(inner.connector.entry.context.namespace.as_deref(), &inner.options.extra_namespaces)
}

/// Held until a kind's first lists are there; then the kind counts as synced and its turn is free.
#[derive(Clone)]
pub(crate) struct Pending {
    shared: Arc<PendingKind>,
}

struct PendingKind {
    session: Arc<Session>,
    kind: Kind,
    done: Arc<Notify>,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Pending {
    pub fn new(session: Arc<Session>, kind: Kind, turn: Option<OwnedSemaphorePermit>) -> Pending {
        Pending { shared: Arc::new(PendingKind { session, kind, done: Arc::default(), _turn: turn }) }
    }

    /// Told when the first lists are there.
    pub fn done(&self) -> Arc<Notify> {
        self.shared.done.clone()
    }
}

impl Drop for PendingKind {
    fn drop(&mut self) {
        self.done.notify_one();
        self.session.signal(Signal::Resolved(self.kind));
    }
}
