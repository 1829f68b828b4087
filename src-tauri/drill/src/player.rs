//! Playing a recording: the server, the clock, and the one task that moves the story on.

use std::{
    io::{self, Write},
    net::Ipv4Addr,
    path::Path,
    sync::Arc,
};

use afterwatch_core::{
    port::Clock,
    recording::{Line, Recording},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tempfile::NamedTempFile;
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    task::JoinHandle,
};
use uuid::Uuid;

use crate::{
    clock::DrillClock,
    server::{Stage, serve},
    world::World,
};

/// What is left of the calm before the story when it is skipped.
const CALM: SignedDuration = SignedDuration::from_secs(45);

/// How a recording is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Seconds of the story in a real one; at least 0.1.
    pub speed: f64,
    /// Begin shortly before something happens, where the recording says when that is.
    pub skip_calm: bool,
}

/// A recording that is being played. Dropping it ends the server and removes its kubeconfig.
pub struct Player {
    context: String,
    address: String,
    clock: Arc<DrillClock>,
    kubeconfig: NamedTempFile,
    begun: Arc<Notify>,
    ended: watch::Receiver<bool>,
    tasks: [JoinHandle<()>; 2],
}

impl Player {
    /// Starts the server. The story waits at its beginning until [`Player::begin`]. Must be called inside a tokio
    /// runtime.
    ///
    /// # Errors
    /// When there is no port on loopback, or the kubeconfig cannot be written.
    pub async fn start(recording: &Recording, pace: Pace) -> io::Result<Player> {
        let opens = opens_at(recording, pace.skip_calm);
        // Kubernetes writes whole seconds, and what is moved by whole seconds stays one.
        let ends = Timestamp::from_second(recording.ends_at().as_second() + 1).unwrap_or(recording.ends_at());
        let length = ends.duration_since(opens).max(SignedDuration::ZERO);
        let clock = Arc::new(DrillClock::new(length, pace.speed.max(0.1), Timestamp::now()));
        let moved = clock.starts().duration_since(opens);
        let mut world = World::new(moved, &recording.lines);
        let (before, after): (Vec<&Line>, Vec<&Line>) = recording.lines.iter().partition(|line| line.at <= opens);
        before.iter().for_each(|line| world.apply(&line.what));
        let after: Vec<Line> = after
            .into_iter()
            .filter_map(|l| Some(Line { at: l.at.checked_add(moved).ok()?, what: l.what.clone() }))
            .collect();

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let context = recording.header.context.clone();
        let kubeconfig = kubeconfig(&context, &format!("http://{address}"), &token)?;
        let shown = format!("http://{address}/{token}");
        let version = watch::Sender::new(world.now());
        let stage = Arc::new(Stage { world: world.into(), clock: clock.clone(), version, token, address });
        let (begun, (over, ended)) = (Arc::new(Notify::new()), watch::channel(false));
        let tasks =
            [tokio::spawn(serve(listener, stage.clone())), tokio::spawn(play(stage, after, begun.clone(), over))];
        Ok(Player { context, address: shown, clock, kubeconfig, begun, ended, tasks })
    }

    /// The story begins now: those who watch it have connected. Does nothing the second time.
    pub fn begin(&self) {
        self.clock.begin();
        self.begun.notify_one();
    }

    /// Ends with the story.
    pub async fn ended(&self) {
        // An error means that the task is gone, and then nothing more will happen either.
        let _ = self.ended.clone().wait_for(|over| *over).await;
    }

    /// The name the cluster is known by.
    pub fn context(&self) -> &str {
        &self.context
    }

    /// What leads to the server; only this user can read it.
    pub fn kubeconfig(&self) -> &Path {
        self.kubeconfig.path()
    }

    /// What to give kubectl as its `--server`. It holds the token: whoever has it may read the story.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The time of the story.
    pub fn clock(&self) -> Arc<DrillClock> {
        self.clock.clone()
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// When the story begins: once everything had been read for the first time, or later.
fn opens_at(recording: &Recording, skip_calm: bool) -> Timestamp {
    let opens = recording.opens_at();
    let begins = recording.header.begins_s.filter(|_| skip_calm).and_then(|seconds| {
        let span = SignedDuration::from_secs(i64::try_from(seconds).ok()?) - CALM;
        recording.header.recorded_at.checked_add(span).ok()
    });
    begins.map_or(opens, |begins| begins.clamp(opens, recording.ends_at().max(opens)))
}

/// Moves the story on, line by line, at the clock's times; the clock waits for the line.
async fn play(stage: Arc<Stage>, lines: Vec<Line>, begun: Arc<Notify>, over: watch::Sender<bool>) {
    let mut lines = lines.into_iter().peekable();
    stage.clock.stop_at(lines.peek().map(|l| l.at));
    begun.notified().await;
    while let Some(at) = lines.peek().map(|l| l.at) {
        reach(&stage.clock, at).await;
        let version = {
            let mut world = stage.world();
            while let Some(line) = lines.next_if(|l| l.at <= at) {
                world.apply(&line.what);
            }
            world.now()
        };
        stage.version.send_replace(version);
        stage.clock.stop_at(lines.peek().map(|l| l.at));
    }
    reach(&stage.clock, stage.clock.ends()).await;
    over.send_replace(true);
    // The world stays as it is for those who look at it.
}

async fn reach(clock: &DrillClock, at: Timestamp) {
    // The real clock may be set, and a machine may sleep: what counts is what the clock shows.
    while clock.now() < at {
        tokio::time::sleep(clock.until(at)).await;
    }
}

/// A kubeconfig of one context, in a file of its own. JSON is YAML as well.
fn kubeconfig(context: &str, server: &str, token: &str) -> io::Result<NamedTempFile> {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": context,
        "clusters": [{"name": context, "cluster": {"server": server}}],
        "users": [{"name": "drill", "user": {"token": token}}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": "drill"}}],
    });
    // Temporary files can be read by this user only.
    let mut file = tempfile::Builder::new().prefix("afterwatch-drill-").suffix(".json").tempfile()?;
    file.write_all(config.to_string().as_bytes())?;
    file.flush()?;
    Ok(file)
}
