//! The watch of a whole cluster: connects, runs one task per kind, notices trouble, and tries again calmly, in one
//! place, instead of every kind by itself.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use afterwatch_core::{
    coverage::{EndedBy, UnreadableReason},
    object::Kind,
    observation::Connection,
};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tokio::{
    sync::{Mutex, Notify, mpsc},
    task::JoinSet,
};

use crate::{
    cluster::Inner,
    connect::Link,
    custom,
    emit::{Closed, Emitter},
    follow,
    problem::{ConnectProblem, Trouble},
    scope::jittered,
    server::{Failure, Server},
    session::{Session, Signal},
};

/// A connection is said to be good after this long even if a kind is still missing.
const SYNC_GRACE: Duration = Duration::from_secs(15);
/// The clocks are compared this often.
const TICK: Duration = Duration::from_secs(5);
/// Wall clock minus monotonic clock beyond this: the machine slept.
const SLEPT: Duration = Duration::from_secs(10);

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
    // What is known of extensions outlives sessions: what fails in a new one's first look was read in the one before.
    let extensions = Arc::new(Mutex::new(custom::Known::default()));
    let mut failures: u32 = 0;
    let mut announce = true;
    let (least, slow) = (Duration::from_millis(800), connector.limits.refused);
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
                    match run(&inner, &out, link, identity, &extensions, &again).await {
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
        let doubled = |wait: Duration, most| wait.saturating_mul(1 << failures.min(6)).min(most);
        let wait = match problem.trouble {
            Trouble::Unreachable => doubled(least, Duration::from_secs(30)),
            // A hotel's login page, an authenticator that is still starting: what came over the wire may pass.
            Trouble::LoginNeeded | Trouble::Misconfigured => doubled(slow, slow.saturating_mul(5)),
        };
        failures = failures.saturating_add(1);
        let patience = async {
            if connector.blocked().await {
                std::future::pending().await
            }
            tokio::time::sleep(jittered(wait)).await;
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
    let mut patient = true;
    loop {
        match identify(&link.watch, inner).await {
            Ok(identity) => return Ok((link, identity)),
            Err(Failure::Refused(r)) if r.code == 401 => {
                link = connector.renew(link.generation, Some(&r.message)).await?;
            }
            // A busy server has a better moment soon; a scan asks only here.
            Err(Failure::Refused(_)) if patient => {
                patient = false;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(failure) => return Err(failure.problem(&link.watch)),
        }
    }
}

async fn identify(server: &Server, inner: &Inner) -> Result<Identity, Failure> {
    let (version, uid) = tokio::join!(version(server), cluster_uid(server));
    let uid = match uid {
        Ok(Some(uid)) => inner.connector.known_uid(Some(uid)),
        // The namespace is missing or forbidden, for a moment or for good: who the cluster is does not change by that.
        Ok(None) => inner.connector.known_uid(None),
        Err(failure) if matches!(failure.code(), 403 | 404) => inner.connector.known_uid(None),
        // Anything else passes; under another name the cluster would be taken for a new one.
        Err(failure) => return Err(failure),
    };
    let uid = uid.unwrap_or_else(|| substitute_uid(inner));
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

/// Server and authority name a cluster whose kube-system could never be read.
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
async fn run(
    inner: &Arc<Inner>,
    out: &Arc<Emitter>,
    link: Arc<Link>,
    identity: Identity,
    extensions: &Arc<Mutex<custom::Known>>,
    again: &Notify,
) -> End {
    let (session, mut signals) = Session::new(inner.clone(), out.clone(), link);
    let mut tasks = JoinSet::new();
    for kind in Kind::ALL {
        match kind {
            Kind::CustomResource => tasks.spawn(custom::follow(session.clone(), extensions.clone())),
            _ => tasks.spawn(follow::follow(session.clone(), *kind)),
        };
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
                if link.renew_at.is_some_and(|at| at <= Timestamp::now()) && renewals.is_empty() {
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

/// Notices that the machine slept: the wall clock went on while the monotonic one stood still.
struct Clock {
    wall: Timestamp,
    monotonic: Instant,
}

impl Clock {
    fn start() -> Clock {
        Clock { wall: Timestamp::now(), monotonic: Instant::now() }
    }

    /// Since it was asked last.
    fn slept(&mut self) -> bool {
        let wall = Timestamp::now().duration_since(self.wall);
        let awake = self.monotonic.elapsed();
        *self = Clock::start();
        // On Windows the monotonic clock counts sleep: there the late tick itself tells.
        let late = cfg!(windows) && awake > TICK + SLEPT;
        late || slept(wall, awake)
    }
}

fn slept(wall: SignedDuration, awake: Duration) -> bool {
    Duration::try_from(wall).is_ok_and(|wall| wall > awake + SLEPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_wall_clock_that_ran_ahead_means_sleep() {
        let seconds = Duration::from_secs;
        assert!(slept(SignedDuration::from_secs(1200), seconds(5)));
        assert!(!slept(SignedDuration::from_secs(14), seconds(5)), "a small step of the clock");
        assert!(!slept(SignedDuration::from_secs(60), seconds(60)), "a machine under load");
        assert!(!slept(SignedDuration::from_secs(-3600), seconds(5)), "a clock set back");
    }
}
