//! The watch of a whole cluster: connects, runs one task per kind, notices trouble, and tries again calmly, in one
//! place, instead of every kind by itself.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use afterwatch_core::{
    coverage::{EndedBy, UnreadableReason},
    object::{Kind, kind::Mode},
    observation::Connection,
};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
};

use crate::{
    access::{Access, Plan},
    connect::Link,
    emit::{Closed, Emitter, Scope},
    problem::{ConnectProblem, Trouble},
    scope::{self, Ending, jittered},
    server::{Failure, Server},
    session::Inner,
};

/// First lists under way at once.
pub(crate) const AT_ONCE: usize = 6;
/// Rights are asked about again after this long.
const REVIEW_AGAIN: Duration = Duration::from_secs(600);
/// One connection each; further namespaces are listed every minute instead.
const MOST_WATCHES: u64 = 30;
/// A connection is said to be good after this long even if a kind is still missing.
const SYNC_GRACE: Duration = Duration::from_secs(15);
/// The clocks are compared this often.
const TICK: Duration = Duration::from_secs(5);
/// Wall clock minus monotonic clock beyond this: the machine slept.
const SLEPT: Duration = Duration::from_secs(10);

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

    pub fn signal(&self, signal: Signal) {
        // Nobody receives during a scan, or while the session is being torn down.
        let _ = self.signals.send(signal);
    }

    /// What is known of the user's rights, not older than half the time after which they are asked about again.
    pub fn access(&self) -> Arc<Access> {
        let mut held = self.access.lock().unwrap_or_else(PoisonError::into_inner);
        if held.0.elapsed() > REVIEW_AGAIN / 2 {
            *held = (Instant::now(), Arc::new(fresh_access(&self.inner)));
        }
        held.1.clone()
    }

    /// Waits for a turn to list. Whoever holds the turns may hang; after five seconds it goes on without one.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let turn = self.turns.clone().acquire_owned();
        tokio::time::timeout(Duration::from_secs(5), turn).await.ok()?.ok()
    }

    fn mode(&self, wanted: Mode) -> Mode {
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
    _shared: Arc<PendingKind>,
}

struct PendingKind {
    session: Arc<Session>,
    kind: Kind,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Pending {
    pub fn new(session: Arc<Session>, kind: Kind, turn: Option<OwnedSemaphorePermit>) -> Pending {
        Pending { _shared: Arc::new(PendingKind { session, kind, _turn: turn }) }
    }
}

impl Drop for PendingKind {
    fn drop(&mut self) {
        self.session.signal(Signal::Resolved(self.kind));
    }
}

/// Who the cluster is.
pub(crate) struct Identity {
    pub uid: String,
    pub version: String,
}

/// How a session ended.
enum End {
    Closed,
    Restart,
    Slept,
    Trouble(ConnectProblem),
}

impl From<Closed> for End {
    fn from(_: Closed) -> End {
        End::Closed
    }
}

/// Watches until nobody listens any more.
pub(crate) async fn supervise(inner: Arc<Inner>, out: Arc<Emitter>, again: Arc<Notify>) {
    let connector = &inner.connector;
    let mut failures: u32 = 0;
    let mut announce = true;
    loop {
        if announce && out.connection(Connection::Connecting).await.is_err() {
            return;
        }
        announce = false;
        let problem = tokio::select! {
            () = out.closed() => return,
            () = again.notified() => {
                connector.forget(true).await;
                (failures, announce) = (0, true);
                continue;
            }
            connected = connect(&inner) => match connected {
                Err(problem) => problem,
                Ok((link, identity)) => {
                    failures = 0;
                    match run(&inner, &out, link, identity, &again).await {
                        End::Closed => return,
                        End::Restart => {
                            let words = "the connection was started anew";
                            if out.lost_all(EndedBy::Disconnect, UnreadableReason::Unreachable, words).await.is_err() {
                                return;
                            }
                            connector.forget(true).await;
                            announce = true;
                            continue;
                        }
                        End::Slept => {
                            let words = "this machine slept";
                            if out.lost_all(EndedBy::Sleep, UnreadableReason::Unreachable, words).await.is_err() {
                                return;
                            }
                            connector.forget(false).await;
                            announce = true;
                            continue;
                        }
                        End::Trouble(problem) => problem,
                    }
                }
            }
        };
        if out.trouble(&problem).await.is_err() {
            return;
        }
        connector.forget(false).await;
        let wait = Duration::from_millis(800).saturating_mul(1 << failures.min(6)).min(Duration::from_secs(30));
        failures = failures.saturating_add(1);
        let patience = async {
            match problem.trouble {
                Trouble::Unreachable => tokio::time::sleep(jittered(wait)).await,
                // Only a person can help.
                Trouble::LoginNeeded | Trouble::Misconfigured => std::future::pending().await,
            }
        };
        tokio::select! {
            () = out.closed() => return,
            () = again.notified() => {
                connector.forget(true).await;
                (failures, announce) = (0, true);
            }
            () = patience => {}
        }
    }
}

/// Clients whose credentials the server takes, and who it is.
pub(crate) async fn connect(inner: &Inner) -> Result<(Arc<Link>, Identity), ConnectProblem> {
    let connector = &inner.connector;
    let mut link = connector.link().await?;
    loop {
        match identify(&link.watch, inner).await {
            Ok(identity) => return Ok((link, identity)),
            Err(Failure::Refused(r)) if r.code == 401 => {
                link = connector.renew(link.generation, Some(&r.message)).await?;
            }
            Err(failure) => return Err(failure.problem(&link.watch)),
        }
    }
}

async fn identify(server: &Server, inner: &Inner) -> Result<Identity, Failure> {
    let (version, uid) = tokio::join!(version(server), cluster_uid(server));
    let uid = match uid {
        Ok(Some(uid)) => uid,
        Ok(None) => substitute_uid(inner),
        Err(failure) if failure.code() == 401 => return Err(failure),
        // The version was read, so the server is there; the namespace may be missing or forbidden.
        Err(Failure::Refused(_)) => substitute_uid(inner),
        Err(failure) => return Err(failure),
    };
    Ok(Identity { uid, version: version? })
}

/// The server's version, which also proves that it is an API server.
pub(crate) async fn version(server: &Server) -> Result<String, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Version {
        git_version: String,
    }
    match server.read("/version", "application/json").await {
        Ok(body) => serde_json::from_slice::<Version>(&body)
            .map(|v| v.git_version)
            .map_err(|_| Failure::Nonsense("/version is not what it should be".into())),
        Err(Failure::Refused(r)) if r.code == 403 => Ok("unknown".into()),
        Err(failure) => Err(failure),
    }
}

async fn cluster_uid(server: &Server) -> Result<Option<String>, Failure> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Only {
        metadata: OnlyUid,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct OnlyUid {
        uid: String,
    }
    let body = server
        .read("/api/v1/namespaces/kube-system", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1")
        .await?;
    let only: Only = serde_json::from_slice(&body).unwrap_or_default();
    Ok(Some(only.metadata.uid).filter(|u| !u.is_empty()))
}

/// Server and authority name a cluster where kube-system may not be read.
fn substitute_uid(inner: &Inner) -> String {
    use sha2::Digest;
    let cluster = &inner.connector.entry.cluster;
    let mut hasher = sha2::Sha256::new();
    for part in [&cluster.server, &cluster.certificate_authority_data, &cluster.certificate_authority] {
        hasher.update(part.as_deref().unwrap_or_default());
        hasher.update([0]);
    }
    let digest = hasher.finalize();
    let hex: String = digest.iter().take(16).map(|b| format!("{b:02x}")).collect();
    format!("server-{hex}")
}

/// One connected stretch of time.
async fn run(inner: &Arc<Inner>, out: &Arc<Emitter>, link: Arc<Link>, identity: Identity, again: &Notify) -> End {
    let (session, mut signals) = Session::new(inner.clone(), out.clone(), link);
    let mut tasks = JoinSet::new();
    for kind in Kind::ALL {
        tasks.spawn(follow_kind(session.clone(), *kind));
    }
    let end = match oversee(&session, &mut signals, identity, again).await {
        Ok(end) | Err(end) => end,
    };
    // First the tasks, then the words: nothing may claim to be alive after it was told lost.
    tasks.shutdown().await;
    end
}

async fn oversee(
    session: &Arc<Session>,
    signals: &mut mpsc::UnboundedReceiver<Signal>,
    identity: Identity,
    again: &Notify,
) -> Result<End, End> {
    let out = &session.out;
    let of = u32::try_from(Kind::ALL.len()).unwrap_or(u32::MAX);
    let connected = Connection::Connected { cluster_uid: identity.uid, server_version: identity.version };
    let mut resolved: HashSet<Kind> = HashSet::new();
    let mut synced = false;
    let mut clock = Clock::start();
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let grace = tokio::time::sleep(SYNC_GRACE);
    tokio::pin!(grace);
    let mut probes = JoinSet::new();
    let mut renewals = JoinSet::new();
    let mut probed: Option<Instant> = None;
    out.connection(Connection::Syncing { done: 0, of, objects: 0 }).await?;
    loop {
        let mut progress = false;
        tokio::select! {
            () = out.closed() => return Ok(End::Closed),
            () = again.notified() => return Ok(End::Restart),
            _ = tick.tick() => {
                if clock.slept() {
                    return Ok(End::Slept);
                }
                let link = session.link();
                let soon = Timestamp::now() + Duration::from_secs(60);
                if link.expires.is_some_and(|end| end < soon) && renewals.is_empty() {
                    let session = session.clone();
                    // A failure here waits until the server really refuses the old ones.
                    renewals.spawn(async move { session.renew(link.generation, None).await.is_ok() });
                }
            }
            Some(_) = renewals.join_next() => {}
            Some(probe) = probes.join_next() => {
                if let Ok(Err(problem)) = probe {
                    return Ok(End::Trouble(problem));
                }
            }
            () = &mut grace, if !synced => {
                synced = true;
                out.connection(connected.clone()).await?;
            }
            signal = signals.recv() => match signal {
                None => return Ok(End::Closed),
                Some(Signal::Progress) => progress = true,
                Some(Signal::Resolved(kind)) => progress = resolved.insert(kind),
                Some(Signal::Suspect) => {
                    if probes.is_empty() && probed.is_none_or(|at| at.elapsed() > Duration::from_secs(3)) {
                        probed = Some(Instant::now());
                        probes.spawn(probe(session.link().watch.clone()));
                    }
                }
                Some(Signal::Refused(words)) => {
                    if let Err(problem) = session.renew(session.link().generation, Some(&words)).await {
                        return Ok(End::Trouble(problem));
                    }
                    return Ok(End::Restart);
                }
                Some(Signal::Trouble(problem)) => return Ok(End::Trouble(problem)),
            }
        }
        if progress && !synced {
            let done = u32::try_from(resolved.len()).unwrap_or(of);
            let objects = session.objects.load(Relaxed);
            out.connection(Connection::Syncing { done, of, objects }).await?;
            if done == of {
                synced = true;
                out.connection(connected.clone()).await?;
            }
        }
    }
}

/// Is the server still there? Asked twice: an API server that is being restarted is back within a moment.
async fn probe(server: Server) -> Result<(), ConnectProblem> {
    let mut last = None;
    for attempt in 0..2 {
        if attempt > 0 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let limit = Duration::from_secs(5);
        match tokio::time::timeout(limit, version(&server)).await {
            Ok(Ok(_)) => return Ok(()),
            // It answers, and so it is there; what it says is heard by whoever asks for something.
            Ok(Err(Failure::Refused(_))) => return Ok(()),
            Ok(Err(failure)) => last = Some(failure.problem(&server)),
            Err(_) => last = Some(server.silent(limit).problem(&server)),
        }
    }
    last.map_or(Ok(()), Err)
}

/// One kind, wherever it may be read.
async fn follow_kind(session: Arc<Session>, kind: Kind) {
    let all = Scope::everywhere(kind);
    let mut pending = Some(Pending::new(session.clone(), kind, session.turn().await));
    let mut running: JoinSet<(Arc<str>, Ending)> = JoinSet::new();
    let mut followed: HashSet<Arc<str>> = HashSet::new();
    loop {
        let plan = match scope::plan(&session, &all, &mut pending).await {
            Ok(plan) => plan,
            Err(ending) => return rest(ending).await,
        };
        match plan {
            Plan::Everywhere(mode) => {
                running.shutdown().await;
                followed.clear();
                let first = pending.take().unwrap_or_else(|| Pending::new(session.clone(), kind, None));
                match scope::follow(&session, &all, mode, first).await {
                    Ending::Forbidden => {}
                    Ending::NotServed => {
                        if session.out.not_served(kind).await.is_err() {
                            return;
                        }
                    }
                    ending @ (Ending::Trouble | Ending::Closed) => return rest(ending).await,
                }
            }
            Plan::Denied(words) => {
                let (by, reason) = (EndedBy::Forbidden, UnreadableReason::Forbidden);
                if session.out.lost(&all, by, reason, words).await.is_err() {
                    return;
                }
            }
            Plan::Namespaces { readable, denied } => {
                for namespace in denied {
                    let words = format!("not permitted to list {} in namespace {namespace}", kind.plural());
                    let scope = Scope { kind, namespace: Some(namespace) };
                    let (by, reason) = (EndedBy::Forbidden, UnreadableReason::Forbidden);
                    if session.out.lost(&scope, by, reason, words).await.is_err() {
                        return;
                    }
                }
                let first = pending.take().unwrap_or_else(|| Pending::new(session.clone(), kind, None));
                for (namespace, mode) in readable {
                    if followed.insert(namespace.clone()) {
                        let (session, first) = (session.clone(), first.clone());
                        running.spawn(async move {
                            let scope = Scope { kind, namespace: Some(namespace.clone()) };
                            let mode = session.mode(mode);
                            (namespace, scope::follow(&session, &scope, mode, first).await)
                        });
                    }
                }
            }
        }
        pending.take();
        let replan = tokio::time::sleep(jittered(REVIEW_AGAIN));
        tokio::pin!(replan);
        loop {
            tokio::select! {
                () = &mut replan => break,
                Some(ended) = running.join_next() => match ended {
                    Ok((namespace, Ending::Forbidden | Ending::NotServed)) => {
                        followed.remove(&namespace);
                    }
                    Ok((_, ending)) => return rest(ending).await,
                    Err(_) => {}
                }
            }
        }
    }
}

/// The session is about to be torn down by whoever was told; until then there is nothing to do.
async fn rest(ending: Ending) {
    if matches!(ending, Ending::Trouble) {
        std::future::pending::<()>().await;
    }
}

/// Notices that the machine slept: the wall clock went on while the monotonic one stood still.
struct Clock {
    wall: Timestamp,
    monotonic: Instant,
}

impl Clock {
    fn start() -> Clock {
        Clock { wall: Timestamp::now(), monotonic: Instant::now() }
    }

    fn slept(&mut self) -> bool {
        let wall = Timestamp::now().duration_since(self.wall);
        let awake = self.monotonic.elapsed();
        *self = Clock::start();
        // On Windows the monotonic clock counts sleep: there the late tick itself tells.
        let late = cfg!(windows) && awake > TICK + SLEPT;
        late || Duration::try_from(wall).is_ok_and(|wall| wall > awake + SLEPT)
    }
}
