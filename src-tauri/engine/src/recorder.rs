//! One cluster, from observation to incident: the only task that owns its index and its ledger.
//!
//! It never waits for the disk: at most one write is under way, and what changes meanwhile is handed over afterwards
//! in its newest state.

mod coverage;
mod inspect;
mod lease;
mod life;
mod notice;
mod view;
mod write;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use afterwatch_core::{
    change::Change,
    correlate::{self, Diagnosis},
    coverage::EndedBy,
    detect::Memory,
    incident::{Incident, IncidentId},
    index::{Index, Reading},
    ledger::{Ledger, Policy, Step},
    object,
    observation::{Connection, Fact, LogRead, LogWant, Observation},
    port::{BoxFuture, Clock, Cluster, ObservationSink, cluster::ClusterMetrics, store::Saved},
};
use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    time::Instant,
};
use uuid::Uuid;

use crate::{
    event::{ClusterView, IncidentStep},
    inspect::{Choices, Question},
    session::Engine,
};

/// After the first change the rules wait this long for its company.
const COALESCE: Duration = Duration::from_millis(60);
const LEAST_COALESCE: Duration = Duration::from_millis(3);
/// When the first lists take longer than this, what is there is looked at.
const SYNC_PATIENCE: Duration = Duration::from_secs(12);
const HEARTBEAT: Duration = Duration::from_secs(10);
const LEAST_HEARTBEAT: Duration = Duration::from_secs(1);
/// How long a cluster must be out of sight before that is told.
const BLIND: SignedDuration = SignedDuration::from_mins(5);
/// After so long without sight, what is broken then is told as at the start.
const LONG_BLIND: SignedDuration = SignedDuration::from_mins(2);
/// What was broken at the start is told no later than this, whatever is still changing.
const START_PATIENCE: Duration = Duration::from_secs(10);
const LEASE: SignedDuration = SignedDuration::from_secs(30);
const LOG_READERS: usize = 16;
/// An incident waits for the log that names its cause no longer than this.
const LOG_PATIENCE: Duration = Duration::from_secs(5);

pub(crate) use life::guarded;

/// Orders to a recorder.
pub(crate) enum Control {
    Stop,
    Restart,
    Pause(bool),
    /// A newer version of an incident, written by a person or another process.
    Adopt(Box<Incident>),
    /// The settings changed: the rules look again.
    Look,
    /// A person deleted the incident; answered when it will not be written again.
    Forget(IncidentId, oneshot::Sender<()>),
    /// A person asks about one workload. One that waits for its first lists answers when they are there.
    Inspect(Box<Question>),
    /// What can be asked about whose names hold this text; at most so many.
    Choices(String, usize, oneshot::Sender<Choices>),
}

/// Watch until stopped, or look once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Watch,
    Scan,
}

/// What a recorder did so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub adapter: ClusterMetrics,
    pub objects: u64,
    pub observations: u64,
    /// Revisions this process wrote, to tell them from those of others.
    pub wrote: HashSet<(IncidentId, u64)>,
}

struct Sink(mpsc::Sender<Observation>);

impl ObservationSink for Sink {
    fn send(&self, observation: Observation) -> BoxFuture<'_, bool> {
        Box::pin(async move { self.0.send(observation).await.is_ok() })
    }
}

struct Recorder {
    engine: Engine,
    cluster: Arc<dyn Cluster>,
    kind: Kind,
    view: watch::Sender<Arc<ClusterView>>,
    index: Index,
    /// What was found at this index before.
    memory: Memory,
    /// None until the cluster's identity is known: incidents belong to a cluster, not to a context.
    ledger: Option<Ledger>,
    coverage: coverage::Keeper,
    identity: Option<(String, String)>,
    /// Another process records this cluster.
    followed: Option<String>,
    dirty_incidents: BTreeMap<IncidentId, IncidentStep>,
    new_changes: Vec<Change>,
    in_flight: Option<oneshot::Receiver<Vec<Saved>>>,
    in_flight_ids: Vec<(IncidentId, IncidentStep)>,
    asked: BTreeSet<LogWant>,
    /// Questions whose answer waits to be written.
    pending: Vec<inspect::Pending>,
    /// Logs that are being read, and whether anything was observed that the rules have not looked at.
    reading: BTreeSet<LogWant>,
    unlooked: bool,
    readers: Arc<Semaphore>,
    synced: bool,
    /// Until the first look and the logs it asked for are through: what is found till then was there before, and is
    /// told as one summary. The same after time in which nobody watched.
    at_start: bool,
    /// This recorder among those that may record the cluster, and whether it holds the lease.
    holder: Uuid,
    holds: bool,
    paused: bool,
    started: Instant,
    figures: Figures,
    notices: notice::Notices,
    next_due: Option<Timestamp>,
    /// Since when the pods are out of sight.
    lost_since: Option<Timestamp>,
    /// Since when the cluster cannot be watched, and whether that was told.
    blind: Option<(Timestamp, bool)>,
}

impl Recorder {
    fn new(
        engine: Engine,
        cluster: Arc<dyn Cluster>,
        kind: Kind,
        view: watch::Sender<Arc<ClusterView>>,
        holder: Uuid,
        outcomes: mpsc::UnboundedSender<notice::Outcome>,
    ) -> Recorder {
        let name = cluster.name().to_owned();
        Recorder {
            engine,
            cluster,
            kind,
            view,
            index: Index::new(),
            memory: Memory::default(),
            ledger: None,
            coverage: coverage::Keeper::new(&name),
            identity: None,
            followed: None,
            dirty_incidents: BTreeMap::new(),
            new_changes: Vec::new(),
            in_flight: None,
            in_flight_ids: Vec::new(),
            asked: BTreeSet::new(),
            pending: Vec::new(),
            reading: BTreeSet::new(),
            unlooked: false,
            readers: Arc::new(Semaphore::new(LOG_READERS)),
            synced: false,
            at_start: true,
            holder,
            holds: false,
            paused: false,
            started: Instant::now(),
            figures: Figures::default(),
            notices: notice::Notices::new(outcomes),
            next_due: None,
            lost_since: None,
            blind: None,
        }
    }

    fn clock(&self) -> &dyn Clock {
        &*self.engine.0.ports.clock
    }

    fn now(&self) -> Timestamp {
        self.clock().now()
    }

    /// How long the rules wait for company. Where time runs fast the wait is as much of it, or what breaks and mends
    /// within seconds would be seen late.
    fn coalesce(&self) -> Duration {
        self.clock().real(COALESCE).clamp(LEAST_COALESCE, COALESCE)
    }

    /// How long until the next heartbeat. A clock that runs fast wants them more often, within reason.
    fn heartbeat_in(&self) -> Duration {
        self.clock().real(HEARTBEAT).clamp(LEAST_HEARTBEAT, HEARTBEAT)
    }

    fn name(&self) -> String {
        self.cluster.name().to_owned()
    }

    /// Takes one observation in.
    async fn take(&mut self, observation: Observation) {
        if let Fact::Log(read) = &observation.fact {
            self.reading.remove(&read.want);
        }
        // What was under way when watching ended is not watched.
        if (self.paused || self.followed.is_some()) && !matches!(observation.fact, Fact::Connection(_)) {
            return;
        }
        self.unlooked = true;
        self.coverage.observe(&observation);
        let told = matches!(
            observation.fact,
            Fact::Connection(_)
                | Fact::Lost { .. }
                | Fact::NotServed { .. }
                | Fact::Skipped { .. }
                | Fact::Listed { .. }
        );
        if let Fact::Connection(Connection::Connected { cluster_uid, server_version }) = &observation.fact {
            self.identity = Some((cluster_uid.clone(), server_version.clone()));
        }
        let connected = matches!(observation.fact, Fact::Connection(Connection::Connected { .. }));
        self.new_changes.extend(self.index.apply(observation));
        if connected {
            self.connected().await;
        }
        if told {
            self.show();
        }
    }

    /// Somebody else wrote an incident.
    fn adopt(&mut self, incident: Incident) -> bool {
        if self.identity.as_ref().is_none_or(|(uid, _)| *uid != incident.cluster_uid) {
            return false;
        }
        if self.followed.is_some() {
            if incident.state.is_open() {
                self.engine.saw(incident.id);
            }
            return false;
        }
        match &mut self.ledger {
            Some(ledger) => {
                let newer = ledger.get_mut(incident.id).is_none_or(|known| known.revision < incident.revision);
                if newer {
                    ledger.adopt(incident);
                }
                newer
            }
            None => false,
        }
    }

    /// Runs the rules and the ledger.
    fn look(&mut self, sender: &mpsc::Sender<Observation>, scanned: bool) {
        if self.ledger.is_none() && (self.kind == Kind::Scan) && scanned {
            // A cluster that answers lists but not who it is still gets its answer.
            self.ledger = Some(Ledger::new(self.cluster.name(), "", Vec::new()));
        }
        if self.paused || self.followed.is_some() || self.is_blind() {
            self.next_due = None;
            return;
        }
        // What broke while nobody watched (asleep, out of reach) comes as one summary.
        if self.lost_since.take().is_some_and(|since| self.now().duration_since(since) >= LONG_BLIND) {
            self.at_start = true;
            self.started = Instant::now();
        }
        if !self.synced {
            let all = object::Kind::ALL.iter().all(|k| self.index.has_reading(*k));
            let late = self.started.elapsed() > SYNC_PATIENCE && !self.index.is_empty();
            if !all && !late {
                self.next_due = Some(self.clock().after(Duration::from_millis(500)));
                return;
            }
            self.synced = true;
            self.started = Instant::now();
        }
        let Some(mut ledger) = self.ledger.take() else {
            self.next_due = None;
            return;
        };
        let now = self.now();
        self.unlooked = false;
        let options = self.options(self.kind == Kind::Scan);
        let diagnosis = correlate::diagnose_again(&mut self.memory, &self.index, now, options);
        let policy = Policy { stability: self.engine.0.options.stability };
        let steps = ledger.step(now, &diagnosis, &self.index, policy, &mut || IncidentId(Uuid::now_v7()));
        for (id, step) in steps {
            self.engine.saw(id);
            let step = match step {
                Step::Opened => IncidentStep::Opened,
                Step::Updated => IncidentStep::Updated,
                Step::Worse => IncidentStep::Worse,
                Step::Mitigated => IncidentStep::Mitigated,
                Step::Resolved => IncidentStep::Resolved,
                Step::Reopened => IncidentStep::Reopened,
                Step::Merged => IncidentStep::Merged,
            };
            let known = self.dirty_incidents.entry(id).or_insert(step);
            // An opening that is not written yet stays an opening.
            if *known != IncidentStep::Opened && step != IncidentStep::Updated {
                *known = step;
            }
        }
        self.next_due =
            [diagnosis.next_due, ledger.next_due(&self.index, &diagnosis, policy)].into_iter().flatten().min();
        self.ledger = Some(ledger);
        self.notices.plan(&self.engine, self.ledger.as_mut(), &self.dirty_incidents, self.at_start, now);
        self.read_logs(diagnosis, sender);
        self.settle();
        self.figures.objects = self.index.len() as u64;
        self.figures.observations = self.index.observations();
        self.engine.set_figures(self.cluster.name(), self.figures.clone());
    }

    /// How the rules look here: as the user set them.
    fn options(&self, waive_holds: bool) -> correlate::Options {
        let rules = Arc::new(self.engine.known_settings().filter(self.cluster.name()));
        correlate::Options { waive_holds, rules }
    }

    /// Pods were watched and are not any more: what is known of them grows old, and says nothing about now.
    fn is_blind(&mut self) -> bool {
        let readings = self.index.readings().filter(|((kind, _), _)| *kind == object::Kind::Pod);
        let lost: Vec<Option<Timestamp>> = readings
            .map(|(_, reading)| match reading {
                Reading::Stale { since, .. } => Some(*since),
                _ => None,
            })
            .collect();
        let blind = self.kind == Kind::Watch && !lost.is_empty() && lost.iter().all(Option::is_some);
        if blind && self.lost_since.is_none() {
            self.lost_since = lost.into_iter().flatten().min();
        }
        blind
    }

    /// The start is over when nothing is under way any more, or has been for long enough: then what was found is told,
    /// in one. What was still being written then is told when it is.
    pub(super) fn settle(&mut self) {
        let known = self.reading.is_empty() && !self.unlooked;
        let written = self.in_flight.is_none() && self.dirty_incidents.is_empty();
        if self.at_start && self.synced && ((known && written) || self.started.elapsed() > START_PATIENCE) {
            self.at_start = false;
        }
        if !self.at_start {
            self.notices.tell_summary(&self.engine);
        }
    }

    fn read_logs(&mut self, diagnosis: Diagnosis, sender: &mpsc::Sender<Observation>) {
        for want in diagnosis.wants {
            // What is wanted though it is known is to be read again.
            let again = self.index.has_log(&want) && !self.reading.contains(&want);
            if !self.asked.insert(want.clone()) && !again {
                continue;
            }
            let Ok(permit) = self.readers.clone().try_acquire_owned() else {
                // All readers are busy: asked again at the next look.
                self.asked.remove(&want);
                self.next_due = Some(self.clock().after(Duration::from_millis(300)));
                return;
            };
            self.reading.insert(want.clone());
            let (cluster, sender, clock) = (self.cluster.clone(), sender.clone(), self.engine.0.ports.clock.clone());
            tokio::spawn(async move {
                let read = cluster.read_log(want.clone());
                tokio::pin!(read);
                let read = match tokio::time::timeout(LOG_PATIENCE, &mut read).await {
                    Ok(read) => read,
                    // The incident waits no longer; the log is taken in all the same when it comes.
                    Err(_) => {
                        let lines = Err(format!("the log was not answered within {} s", LOG_PATIENCE.as_secs()));
                        let late = LogRead { want, lines, truncated: false, later: None };
                        let _ = sender.send(Observation { at: clock.now(), fact: Fact::Log(late) }).await;
                        read.await
                    }
                };
                let _ = sender.send(Observation { at: clock.now(), fact: Fact::Log(read) }).await;
                drop(permit);
            });
        }
        if self.asked.len() > 4_000 {
            self.asked.clear();
        }
    }

    async fn heartbeat(&mut self) {
        self.figures.objects = self.index.len() as u64;
        self.figures.observations = self.index.observations();
        if self.figures.wrote.len() > 10_000 {
            self.figures.wrote.clear();
        }
        self.engine.set_figures(self.cluster.name(), self.figures.clone());
        self.watch_sight();
        if self.kind == Kind::Watch && self.followed.is_none() && self.identity.is_some() && !self.paused {
            match self.ledger {
                Some(_) => {
                    self.try_lease().await;
                }
                None => self.connected().await,
            }
        }
        self.settle();
        self.show();
    }

    /// A cluster that cannot be watched for a while is worth one notification.
    fn watch_sight(&mut self) {
        let now = self.now();
        let reason = match self.index.connection() {
            Some(
                Connection::Unreachable { message, .. }
                | Connection::LoginNeeded { message, .. }
                | Connection::Misconfigured { message, .. },
            ) => message.clone(),
            _ => {
                self.blind = None;
                return;
            }
        };
        let (since, told) = *self.blind.get_or_insert((now, false));
        if !told && now.duration_since(since) >= BLIND && self.followed.is_none() && !self.paused {
            self.blind = Some((since, true));
            self.notices.lost_sight(&self.engine, self.cluster.name(), &reason, since);
        }
    }

    async fn pause(&mut self) {
        self.coverage.close(self.now(), EndedBy::Paused);
        self.index.apply(Observation { at: self.now(), fact: Fact::Connection(Connection::Paused) });
        self.index.forget_readings();
        self.next_due = None;
        self.hand_over(true);
        self.release().await;
        self.holds = false;
        self.show();
    }

    /// The lease is taken again with the connection: another one may have taken it meanwhile.
    fn resume(&mut self) {
        self.paused = false;
        self.synced = false;
        self.at_start = true;
        self.started = Instant::now();
    }
}
