//! The recorder without a window.

use std::{
    cell::Cell,
    collections::{BTreeMap, HashMap},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use afterwatch_contract::document::IncidentDto;
use afterwatch_core::{
    incident::{Incident, IncidentId},
    observation::Connection,
    port::{Clock, Cluster, Notifier, store::IncidentQuery},
    recording::Header,
};
use afterwatch_drill::{Recorded, Recorder};
use afterwatch_engine::{ClusterState, ClusterView, EngineEvent, IncidentStep, NotifyMode, SystemClock};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;

use super::scan::{no_signals, reading, result, show};
use crate::{
    args::{Format, Watch},
    context::{Chosen, Context, Database, Desk},
    failure::{Failure, Outcome, exit, sentence},
    notifier::{Desktop, Nobody},
    output::{Progress, inert, line, list, say},
    signal,
};

/// Of the 2 s in which a watch must end, so much belongs to the engine; the rest to printing.
const SHUTDOWN: Duration = Duration::from_millis(1200);
/// And so much to reading what was recorded, where the database is slow.
const READING: Duration = Duration::from_millis(500);

pub async fn run(context: &Context, args: &Watch) -> Outcome<u8> {
    let started = tokio::time::Instant::now();
    let chosen = context.choose()?;
    let stop = signal::stop().map_err(no_signals)?;
    let store = context.store(Database::Made).await?;
    let (notifier, notify): (Arc<dyn Notifier>, _) = match args.notify {
        true => (Arc::new(Desktop::default()), NotifyMode::Send),
        false => (Arc::new(Nobody), NotifyMode::Count),
    };
    let stability = SignedDuration::from_mins(if args.time.is_some() { 1 } else { 10 });
    let desk = context.desk_over(store, notifier, notify, stability, Arc::new(SystemClock));
    let mut clusters = chosen.clusters(context, desk.salt().await?)?;
    let tape = args.record.as_deref().map(|path| Tape::begin(path, &chosen, args)).transpose()?;
    if let Some(tape) = &tape {
        clusters = clusters.into_iter().map(|cluster| tape.recorder.tap(cluster)).collect();
    }
    let until = args.time.map(|t| started + t.unsigned_abs());
    let followed = Cell::new(None);
    let ending = async {
        let up = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        let unwritten = async {
            if let Some(tape) = &tape {
                let why = tape.recorder.broken().await;
                say(&format!(
                    "afterwatch: The recording {} ends here: {why}. The cluster is watched on.",
                    tape.path.display()
                ));
            }
            std::future::pending::<()>().await;
        };
        let code = tokio::select! {
            () = stop => exit::INTERRUPTED,
            () = up => exit::DONE,
            () = unwritten => exit::FAILED,
        };
        // While it is watched still: afterwards nobody is followed.
        followed.set(desk.engine.clusters().into_iter().find(|view| view.state == ClusterState::Following));
        code
    };
    let outcome = follow(context, &desk, clusters, ending, args.metrics).await;
    let Some(tape) = tape else { return outcome };
    // What was written can be played, also where watching failed; that is what is told then.
    let whole = tape.end(context.common.quiet, followed.take().as_deref());
    let code = outcome?;
    Ok(if whole? || code == exit::FAILED { code } else { exit::IN_PART })
}

/// A recording that is being made.
struct Tape {
    recorder: Recorder,
    path: PathBuf,
}

impl Tape {
    fn begin(path: &Path, chosen: &Chosen, args: &Watch) -> Outcome<Tape> {
        let [context] = chosen.names.as_slice() else {
            return Err(Failure::new(
                "Nothing is recorded",
                "a recording is of one cluster, and several contexts were named",
                "Name one of them with --context",
            ));
        };
        let clock = Arc::new(SystemClock);
        let header = Header {
            title: args.title.clone().unwrap_or_default(),
            summary: args.summary.clone().unwrap_or_default(),
            ..Header::new(context, clock.now())
        };
        let recorder = Recorder::create(path, &header, clock).map_err(|error| {
            let what = format!("The recording cannot be written to {}", path.display());
            let why = match error.kind() {
                io::ErrorKind::AlreadyExists => "the file exists already, and is not overwritten".to_owned(),
                _ => error.to_string(),
            };
            Failure::new(what, why, "Name another file with --record")
        })?;
        Ok(Tape { recorder, path: path.to_owned() })
    }

    /// Ends it and says what is in it; false where nothing is. `followed` is the cluster, where another program
    /// records it into the same database.
    fn end(self, quiet: bool, followed: Option<&ClusterView>) -> Outcome<bool> {
        let path = self.path.display();
        let Recorded { objects, lost } = self.recorder.finish().map_err(|error| {
            let what = format!("The recording {path} ends early");
            Failure::new(what, error.to_string(), "What is in it can be played all the same")
        })?;
        match (objects, lost, followed) {
            (0, _, Some(view)) => say(&format!(
                "afterwatch: Nothing of {} was written to {path}: {} records it into this database already, and its record was followed. Add --db :memory: to read the cluster here.",
                view.name,
                view.followed.as_deref().unwrap_or("another program")
            )),
            (0, ..) => say(&format!("afterwatch: Nothing was read, and no recording is kept at {path}.")),
            (_, 0, _) if quiet => {}
            (_, 0, _) => say(&format!("Recorded to {path}. Play it with: kubectl afterwatch replay {path}")),
            (_, lost, _) => say(&format!(
                "afterwatch: The recording {path} is not complete: the disk was too slow, and {lost} observations are not in it."
            )),
        }
        if objects == 0 {
            // It would only stand in the way of the next one.
            let _ = std::fs::remove_file(&self.path);
        }
        Ok(objects > 0)
    }
}

/// Watches until the ending comes, whose code it ends with, telling what happens; then prints every incident that was
/// open meanwhile.
pub async fn follow(
    context: &Context,
    desk: &Desk,
    clusters: Vec<Arc<dyn Cluster>>,
    ending: impl Future<Output = u8>,
    metrics: bool,
) -> Outcome<u8> {
    let mut talk = Talk {
        context,
        desk,
        progress: context.progress(),
        clusters: HashMap::new(),
        told: HashMap::new(),
        known: BTreeMap::new(),
        since: desk.clock.now(),
    };
    let mut events = desk.engine.subscribe();
    tokio::pin!(ending);
    let begin = async {
        for cluster in clusters {
            desk.engine.watch(cluster).await?;
        }
        Ok::<_, Failure>(())
    };
    tokio::pin!(begin);

    let mut begun = false;
    let ended = loop {
        tokio::select! {
            code = &mut ending => break Ok(code),
            started = &mut begin, if !begun => match started {
                Ok(()) => begun = true,
                Err(failure) => break Err(failure),
            },
            event = events.recv() => {
                let told = match event {
                    Ok(event) => talk.tell(event),
                    Err(RecvError::Lagged(_)) => talk.catch_up().await,
                    // The engine ended by itself; what it recorded is printed.
                    Err(RecvError::Closed) => break Ok(exit::FAILED),
                };
                if let Err(failure) = told {
                    break Err(failure);
                }
            }
        }
    };
    talk.progress.clear();
    let mut views = views(desk.engine.clusters());
    // In the time there is; what was recorded is in the database already.
    let _ = tokio::time::timeout(SHUTDOWN, desk.engine.shutdown()).await;
    // The last words: what was written while ending, and how coverage was closed.
    while let Ok(event) = events.try_recv() {
        match event {
            EngineEvent::Cluster(view) => _ = views.insert(view.name.clone(), view),
            event if ended.is_ok() => talk.tell(event)?,
            _ => {}
        }
    }
    let code = match ended {
        Ok(code) => code,
        // Nobody reads the lines any more: that is an end like Ctrl C.
        Err(Failure::NobodyReads) => return Ok(exit::INTERRUPTED),
        Err(failure) => return Err(failure),
    };
    let views: Vec<_> = views.into_values().collect();
    let read = async {
        let seen = desk.engine.seen().await?;
        let seen: Vec<Incident> = seen.into_iter().filter(|i| context.shows(i)).collect();
        let dtos = desk.dtos(&seen).await?;
        Ok::<_, Failure>((seen, dtos))
    };
    let (seen, dtos) = match tokio::time::timeout(READING, read).await {
        Ok(Ok(read)) => read,
        // The document is owed whatever the database does; its gaps are not known then.
        Ok(Err(Failure::Told { message, .. })) => talk.remembered(&message),
        Ok(Err(failure)) => return Err(failure),
        Err(_) => talk.remembered("The database does not answer."),
    };
    let context = &context.at(desk.clock.now());
    let around = result(context, desk, &seen, &views, metrics);
    show(context, &seen, &views, around.document(dtos), true)?;
    Ok(code)
}

fn views(views: Vec<Arc<ClusterView>>) -> BTreeMap<String, Arc<ClusterView>> {
    views.into_iter().map(|v| (v.name.clone(), v)).collect()
}

/// A line of `-o jsonl`.
#[derive(Serialize)]
struct Change<'a> {
    r#type: &'static str,
    step: &'static str,
    incident: &'a IncidentDto,
}

/// What is said while watching.
struct Talk<'a> {
    context: &'a Context,
    desk: &'a Desk,
    progress: Progress,
    /// The last words about each cluster.
    clusters: HashMap<String, String>,
    /// The revision of each incident that was printed last.
    told: HashMap<IncidentId, u64>,
    /// Each incident as it was told last.
    known: BTreeMap<IncidentId, Arc<Incident>>,
    since: Timestamp,
}

impl Talk<'_> {
    fn tell(&mut self, event: EngineEvent) -> Outcome {
        match event {
            EngineEvent::Incident { step, incident, .. } => {
                self.incident(step, &incident)?;
                if self.watches(&incident) {
                    self.known.insert(incident.id, incident);
                }
            }
            // What is gone from the list was told when it came.
            EngineEvent::Listed | EngineEvent::Settings => {}
            EngineEvent::Cluster(view) => self.cluster(&view),
            EngineEvent::Trouble(Some(words)) => self.progress.trouble(&sentence(&words)),
            EngineEvent::Trouble(None) => self.progress.told("Recording goes on."),
        }
        Ok(())
    }

    /// Events were missed: what they told is in the database.
    async fn catch_up(&mut self) -> Outcome {
        let query = IncidentQuery { since: Some(self.since), ..IncidentQuery::default() };
        let mut missed = self.desk.engine.incidents(query).await?;
        missed.sort_by_key(|i| i.revision);
        missed.iter().try_for_each(|i| self.incident(IncidentStep::Updated, i))
    }

    /// The incidents as they were told last, for when they cannot be read back.
    fn remembered(&mut self, why: &str) -> (Vec<Incident>, Vec<IncidentDto>) {
        let why = sentence(why);
        self.progress.trouble(&format!(
            "What was recorded could not be read back. {why} The incidents are shown as they were told last."
        ));
        let seen: Vec<Incident> =
            self.known.values().filter(|i| self.context.shows(i)).map(|i| (**i).clone()).collect();
        let dtos = seen.iter().map(|i| IncidentDto::new(i, &[])).collect();
        (seen, dtos)
    }

    /// The database may hold other clusters, recorded by other programs meanwhile.
    fn watches(&self, incident: &Incident) -> bool {
        self.desk.engine.clusters().iter().any(|v| {
            v.name == incident.cluster || v.cluster_uid.as_ref().is_some_and(|uid| *uid == incident.cluster_uid)
        })
    }

    fn incident(&mut self, step: IncidentStep, incident: &Incident) -> Outcome {
        if !self.watches(incident)
            || !self.context.shows(incident)
            || self.told.get(&incident.id).is_some_and(|told| *told >= incident.revision)
        {
            return Ok(());
        }
        let first = self.told.insert(incident.id, incident.revision).is_none();
        if self.context.out.format == Format::Jsonl {
            // Gaps can only be known afterwards; the result has the times once more.
            let dto = IncidentDto::new(incident, &[]);
            let line = line(&Change { r#type: "incident", step: word(step), incident: &dto });
            return self.context.out.json_line(&line);
        }
        if step == IncidentStep::Updated && !first {
            return Ok(());
        }
        let clock = self.context.out.look.clock(self.desk.clock.now());
        let (label, severity) = (incident.label(), incident.severity.word());
        let told = format!("{clock}  {:<12} {label:<7} {severity:<8}  {}", word(step), inert::line(&incident.title));
        self.progress.told(&told);
        Ok(())
    }

    fn cluster(&mut self, view: &ClusterView) {
        let passing = reading(view);
        if !passing.is_empty() {
            return self.progress.passing(&passing);
        }
        let trouble = list::connection_words(view);
        let words = match (&view.state, &trouble) {
            (ClusterState::Following, _) => format!(
                "{} is recorded into this database by {} already; following that record.",
                view.name,
                view.followed.as_deref().unwrap_or("another program")
            ),
            (_, Some((what, hint))) => [sentence(what), sentence(hint)].join(" ").trim().to_owned(),
            (ClusterState::Connection(Connection::Paused), _) => format!("{} is paused.", view.name),
            (ClusterState::Connection(Connection::Connected { server_version, .. }), None) => {
                let unread = match view.unreadable.len() {
                    0 => String::new(),
                    n => {
                        format!(" {} cannot be read; the result says which.", afterwatch_core::words::count(n, "kind"))
                    }
                };
                let version =
                    if server_version.is_empty() { String::new() } else { format!(", Kubernetes {server_version}") };
                format!("Watching {}{version}.{unread}", view.name)
            }
            _ => return,
        };
        if self.clusters.insert(view.name.clone(), words.clone()).as_ref() == Some(&words) {
            return;
        }
        match trouble {
            Some(_) => self.progress.trouble(&words),
            None => self.progress.told(&words),
        }
    }
}

fn word(step: IncidentStep) -> &'static str {
    match step {
        IncidentStep::Opened => "opened",
        IncidentStep::Updated => "updated",
        IncidentStep::Worse => "worse",
        IncidentStep::Mitigated => "mitigated",
        IncidentStep::Resolved => "resolved",
        IncidentStep::Reopened => "reopened",
        IncidentStep::Merged => "merged",
        IncidentStep::Edited => "edited",
    }
}
