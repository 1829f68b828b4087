//! A recording, and everything that is needed to watch it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use afterwatch_assistant::choice::Writer;
use afterwatch_cluster::{ClusterOptions, Kubeconfigs};
use afterwatch_core::{
    coverage::Gap,
    incident::Incident,
    observation::Observation,
    port::{BoxFuture, Clock, Cluster, Notice, NoticeError, Notifier},
    recording::{Header, Line, Recording, Tape, What},
};
use afterwatch_drill::{Pace, Player, Recorder};
use afterwatch_engine::{Engine, NotifyMode, Options, Ports};
use afterwatch_store::SqliteStore;
use jiff::{SignedDuration, tz::TimeZone};

/// What came of watching a recording.
pub struct Watched {
    pub incidents: Vec<Incident>,
    pub gaps: Vec<Vec<Gap>>,
    pub notified: u32,
    /// How many objects were indexed.
    pub objects: u64,
}

/// A recording of the scenarios (one observation per line) in the format that is played.
pub fn recording(name: &str) -> Recording {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recordings").join(format!("{name}.jsonl"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut observations: Vec<Observation> = text
        .lines()
        .filter(|l| !l.trim().is_empty())
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{name}: {e}")))
        .collect();
    observations.sort_by_key(|o| o.at);
    let (mut tape, first, last) = (Tape::new(), observations[0].at, observations[observations.len() - 1].at);
    let mut lines: Vec<Line> = observations.iter().flat_map(|o| tape.observe(o)).collect();
    // These recordings end when the last thing happened.
    lines.push(Line { at: last + SignedDuration::from_secs(60), what: What::End });
    Recording { header: Header::new("prod-eu", first), lines, problems: Vec::new() }
}

/// Plays it, watches it with the engine until it is over, and records it once more where a file is named.
pub async fn watch(recording: &Recording, speed: f64, to: Option<&Path>) -> Watched {
    let player = Player::start(recording, Pace { speed, skip_calm: false }).await.expect("a port on loopback");
    let clock = player.clock();
    let store = Arc::new(SqliteStore::open_in_memory().unwrap());
    let ports = Ports { store, notifier: Arc::new(Nobody), clock: clock.clone(), model: Arc::new(Writer::default()) };
    let options = Options {
        stability: SignedDuration::from_mins(10),
        notify: NotifyMode::Count,
        zone: TimeZone::UTC,
        recorder: "a test".to_owned(),
        alone: false,
    };
    let engine = Engine::new(ports, options);
    let mut cluster = cluster(&player, clock.clone());
    let recorder = to.map(|path| {
        let header = Header::new(player.context(), clock.now());
        let recorder = Recorder::create(path, &header, clock.clone()).unwrap();
        cluster = recorder.tap(cluster.clone());
        recorder
    });
    engine.watch(cluster).await.unwrap();
    tokio::time::timeout(Duration::from_secs(30), engine.connected(player.context())).await.expect("connected");
    player.begin();
    player.ended().await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let objects = engine.clusters()[0].objects;
    // Before it ends: what is not watched from then on would be a gap.
    let incidents = engine.seen().await.unwrap();
    let mut gaps = Vec::new();
    for incident in &incidents {
        gaps.push(engine.gaps(incident).await.unwrap());
    }
    engine.shutdown().await;
    if let Some(recorder) = recorder {
        assert_eq!(recorder.finish().unwrap().lost, 0, "nothing may be left out of the recording");
    }
    Watched { incidents, gaps, notified: engine.notifications_sent(), objects }
}

/// The played cluster through the real client.
pub fn cluster(player: &Player, clock: Arc<dyn Clock>) -> Arc<dyn Cluster> {
    let configs = Kubeconfigs::from_files(vec![player.kubeconfig().to_owned()]);
    assert_eq!(configs.problems, []);
    let options = ClusterOptions { salt: [7; 16], ..ClusterOptions::default() };
    let cluster = configs.cluster(player.context(), &options).unwrap_or_else(|e| panic!("{e}"));
    Arc::new(cluster.with_clock(clock))
}

struct Nobody;

impl Notifier for Nobody {
    fn show(&self, _: Notice) -> BoxFuture<'_, Result<(), NoticeError>> {
        Box::pin(async { Ok(()) })
    }
}

impl Watched {
    /// The only incident there is.
    #[track_caller]
    pub fn only(&self) -> &Incident {
        let titles: Vec<&str> = self.incidents.iter().map(|i| i.title.as_str()).collect();
        assert_eq!(titles.len(), 1, "one incident is expected, there are {titles:?}");
        &self.incidents[0]
    }

    /// What must be the same however often and however fast it is played. The severity is not in it: it follows how many
    /// pods are ready at the moment, and these stories end between two deaths.
    pub fn told(&self) -> Vec<String> {
        let mut told: Vec<String> = self
            .incidents
            .iter()
            .map(|i| {
                let cause = i.top_cause();
                let mut findings: Vec<String> =
                    i.findings.iter().map(|f| format!("{} on {}", f.rule_id, f.object.key())).collect();
                findings.sort();
                format!(
                    "{} · {:?} · {:?} {:?} · {findings:?}",
                    i.title,
                    i.verdict,
                    cause.map(|c| (&c.rule_id, c.entity.key())),
                    cause.and_then(|c| c.field.as_deref()),
                )
            })
            .collect();
        told.sort();
        told
    }
}

/// Seconds from when it started until it was noticed.
pub fn to_detect(incident: &Incident) -> f64 {
    let started = incident.started_at.expect("it is known when it started");
    incident.detected_at.duration_since(started).as_secs_f64()
}
