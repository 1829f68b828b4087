//! A recording, played as a cluster of its own and watched like any other.

use std::{path::Path, sync::Arc, time::Duration};

use afterwatch_cluster::{ClusterOptions, Kubeconfigs};
use afterwatch_core::{
    port::{Cluster, Notifier},
    recording::Recording,
    words,
};
use afterwatch_drill::{Pace, Player, Story};
use afterwatch_engine::{EngineEvent, NotifyMode};
use jiff::SignedDuration;
use serde::Serialize;
use tokio::sync::broadcast;

use super::{scan::no_signals, watch::follow};
use crate::{
    args::Replay,
    context::{Context, Database},
    failure::{Failure, Outcome, exit},
    notifier::{Desktop, Nobody},
    output::{rows, say},
    signal,
};

/// The story begins without those who are not connected by then.
const PATIENCE: Duration = Duration::from_secs(20);
/// After its end nothing is under way any more once it was quiet for so long, and no longer than that is waited.
const QUIET: Duration = Duration::from_millis(700);
const SETTLE: Duration = Duration::from_secs(8);

pub async fn run(context: &Context, args: &Replay) -> Outcome<u8> {
    let Some(named) = args.recording.as_deref().filter(|_| !args.list) else { return list(context) };
    let recording = read(named)?;
    if !context.common.quiet {
        tell(named, &recording, args.speed);
    }
    let stop = signal::stop().map_err(no_signals)?;
    let store = context.store(Database::Throwaway).await?;
    let player = Player::start(&recording, Pace { speed: args.speed, skip_calm: false }).await.map_err(|error| {
        Failure::new("The recording cannot be played", error.to_string(), "Check that programs may listen on 127.0.0.1")
    })?;
    if context.common.verbose > 0 {
        say(&format!("Look into it with: kubectl --server={} get pods -A", player.address()));
    }
    let (notifier, notify): (Arc<dyn Notifier>, _) = match args.notify {
        true => (Arc::new(Desktop::default()), NotifyMode::Send),
        false => (Arc::new(Nobody), NotifyMode::Count),
    };
    // As in `watch --for`: the story ends, and does not wait for ten clean minutes.
    let desk = context.desk_over(store, notifier, notify, SignedDuration::from_mins(1), player.clock());
    let options = ClusterOptions { salt: desk.salt().await?, ..ClusterOptions::default() };
    let configs = Kubeconfigs::from_files(vec![player.kubeconfig().to_owned()]);
    let cluster: Arc<dyn Cluster> = Arc::new(configs.cluster(player.context(), &options)?.with_clock(player.clock()));
    let mut events = desk.engine.subscribe();
    let engine = desk.engine.clone();
    let story = async {
        let connected = async {
            // Watching begins beside this.
            while engine.cluster(player.context()).is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            engine.connected(player.context()).await;
        };
        let _ = tokio::time::timeout(PATIENCE, connected).await;
        player.begin();
        player.ended().await;
        let _ = tokio::time::timeout(SETTLE, settled(&mut events)).await;
    };
    let ending = async {
        tokio::select! {
            () = stop => exit::INTERRUPTED,
            () = story => exit::DONE,
        }
    };
    follow(context, &desk, vec![cluster], ending, args.metrics).await
}

/// Ends when nothing was told for a while.
async fn settled(events: &mut broadcast::Receiver<EngineEvent>) {
    while let Ok(Ok(_) | Err(broadcast::error::RecvError::Lagged(_))) = tokio::time::timeout(QUIET, events.recv()).await
    {
    }
}

fn tell(named: &str, recording: &Recording, speed: f64) {
    for problem in &recording.problems {
        say(&format!("afterwatch: {named}, line {}: skipped: {}.", problem.line, problem.message));
    }
    let title = if recording.header.title.is_empty() { named } else { &recording.header.title };
    let (span, takes) = (recording.duration(), recording.duration().as_secs_f64() / speed);
    let pace = if speed == 1.0 { String::new() } else { format!(", played in about {:.0} s", takes.max(1.0)) };
    say(&format!("Drill: {title} ({}{pace}).", length(span)));
    if !recording.header.summary.is_empty() {
        say(&recording.header.summary);
    }
}

fn length(span: SignedDuration) -> String {
    match span.as_secs() {
        seconds @ 0..120 => words::count(usize::try_from(seconds).unwrap_or(0), "second"),
        seconds => words::count(usize::try_from((seconds + 30) / 60).unwrap_or(0), "minute"),
    }
}

/// The story of this name, else the file.
fn read(named: &str) -> Outcome<Recording> {
    let file = Path::new(named);
    let story = afterwatch_drill::stories().iter().find(|s| s.name == named);
    let (bytes, what) = match story {
        Some(story) if !file.exists() => (story.bytes(), format!("The story {named}")),
        _ => {
            let bytes = afterwatch_drill::read_file(file).map_err(|error| {
                let what = match error.kind() {
                    std::io::ErrorKind::NotFound => format!("There is no recording {named}"),
                    _ => format!("The recording {named} cannot be read"),
                };
                let names: Vec<&str> = afterwatch_drill::stories().iter().map(|s| s.name).collect();
                let next =
                    format!("Name a file that watch --record wrote, or one of the stories: {}", names.join(", "));
                Failure::new(what, error.to_string(), next)
            })?;
            (bytes, format!("{} cannot be played", file.display()))
        }
    };
    Recording::read(&bytes)
        .map_err(|error| Failure::new(what, error.to_string(), "A recording is a file that watch --record wrote"))
}

/// A story as it is listed.
#[derive(Serialize)]
struct Listed {
    name: &'static str,
    title: String,
    summary: String,
    duration_s: i64,
}

impl From<&Story> for Listed {
    fn from(story: &Story) -> Listed {
        let recording = story.read();
        Listed {
            name: story.name,
            title: recording.header.title.clone(),
            duration_s: recording.duration().as_secs(),
            summary: recording.header.summary,
        }
    }
}

fn list(context: &Context) -> Outcome<u8> {
    let stories: Vec<Listed> = afterwatch_drill::stories().iter().map(Listed::from).collect();
    context.out.show(
        &serde_json::json!({"schema": "afterwatch.stories/v1", "stories": stories}),
        || rows("story", &stories),
        |page| {
            for story in &stories {
                page.line(format!(
                    "{:<16} {} ({})",
                    story.name,
                    story.title,
                    length(SignedDuration::from_secs(story.duration_s))
                ));
            }
        },
    )?;
    Ok(exit::DONE)
}
