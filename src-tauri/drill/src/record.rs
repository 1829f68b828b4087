//! Writing down what a cluster shows while somebody watches it.
//!
//! The recorder stands between the adapter and whoever listens, and sees what that one sees: already reduced and
//! redacted. A thread of its own writes; the watch never waits for the disk longer than [`PATIENCE`]. Every burst is
//! written through at once, so that the file of a program that is killed can be played up to there.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use afterwatch_core::{
    observation::{Fact, LogRead, LogWant, Observation},
    port::{BoxFuture, Clock, Cluster, ObservationSink, WatchHandle},
    recording::{Header, Line, Tape, What},
};
use serde::Serialize;
use tokio::sync::watch;

/// Observations that may wait for the disk.
const WAITING: usize = 8192;
/// How long the watch waits for a slow disk before it goes on without the line.
const PATIENCE: Duration = Duration::from_millis(500);

/// What became of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// How often an object was written: with none, there is nothing to play.
    pub objects: u64,
    /// Observations that were too many for the disk.
    pub lost: u64,
}

/// A file that is being written.
pub struct Recorder {
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    writer: Option<JoinHandle<io::Result<u64>>>,
    broken: watch::Receiver<Option<String>>,
}

struct Shared {
    /// None once recording is over.
    queue: Mutex<Option<SyncSender<Observation>>>,
    lost: AtomicU64,
}

impl Recorder {
    /// Begins a recording in this file, which must not be there yet.
    ///
    /// # Errors
    /// When the file exists or cannot be written.
    pub fn create(path: &Path, header: &Header, clock: Arc<dyn Clock>) -> io::Result<Recorder> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        // It is redacted, and still tells much about a cluster.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut out = BufWriter::new(options.open(path)?);
        write(&mut out, header)?;
        out.flush()?;
        Recorder::over(out, clock)
    }

    /// Writes on in a file that has its header.
    fn over(out: BufWriter<File>, clock: Arc<dyn Clock>) -> io::Result<Recorder> {
        let (queue, waiting) = sync_channel(WAITING);
        let (told, broken) = watch::channel(None);
        let time = clock.clone();
        let writer = std::thread::Builder::new().name("recording".to_owned()).spawn(move || {
            let ended = record(out, &waiting, &*time);
            if let Err(error) = &ended {
                told.send_replace(Some(error.to_string()));
            }
            ended
        })?;
        let shared = Arc::new(Shared { queue: Mutex::new(Some(queue)), lost: AtomicU64::new(0) });
        Ok(Recorder { shared, clock, writer: Some(writer), broken })
    }

    /// Waits until nothing can be written any more, and says why; for ever where all is well.
    pub async fn broken(&self) -> String {
        let mut broken = self.broken.clone();
        loop {
            if let Some(why) = broken.borrow_and_update().clone() {
                return why;
            }
            if broken.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// The same cluster, with everything that is read of it written down.
    pub fn tap(&self, cluster: Arc<dyn Cluster>) -> Arc<dyn Cluster> {
        Arc::new(Tapped { cluster, shared: self.shared.clone(), clock: self.clock.clone() })
    }

    /// Ends the recording: writes what waits, and returns what is in the file.
    ///
    /// # Errors
    /// When the file could not be written to its end.
    pub fn finish(mut self) -> io::Result<Recorded> {
        self.shared.close();
        let ended = match self.writer.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            _ => Err(io::Error::other("the thread that writes the recording failed")),
        };
        ended.map(|objects| Recorded { objects, lost: self.shared.lost.load(Relaxed) })
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Shared {
    fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    async fn write(&self, observation: Observation) {
        if !worth(&observation.fact) {
            return;
        }
        let Some(queue) = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone() else { return };
        let began = Instant::now();
        let mut waiting = observation;
        loop {
            match queue.try_send(waiting) {
                // The writer gave up; it says why when the recording ends.
                Ok(()) | Err(TrySendError::Disconnected(_)) => return,
                Err(TrySendError::Full(_)) if began.elapsed() > PATIENCE => {
                    self.lost.fetch_add(1, Relaxed);
                    return;
                }
                Err(TrySendError::Full(back)) => {
                    waiting = back;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
    }
}

/// Signs of life are most of what arrives, and nothing is written of them.
fn worth(fact: &Fact) -> bool {
    !matches!(fact, Fact::Alive { .. })
}

fn record(mut out: BufWriter<File>, waiting: &Receiver<Observation>, clock: &dyn Clock) -> io::Result<u64> {
    let (mut tape, mut objects) = (Tape::new(), 0);
    while let Ok(first) = waiting.recv() {
        let mut next = Some(first);
        while let Some(observation) = next {
            for line in tape.observe(&observation) {
                write(&mut out, &line)?;
                objects += u64::from(matches!(line.what, What::Put { .. }));
            }
            next = waiting.try_recv().ok();
        }
        out.flush()?;
    }
    write(&mut out, &Line { at: clock.now(), what: What::End })?;
    out.flush()?;
    out.get_ref().sync_all()?;
    Ok(objects)
}

fn write(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

struct Tapped {
    cluster: Arc<dyn Cluster>,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
}

impl Cluster for Tapped {
    fn name(&self) -> &str {
        self.cluster.name()
    }

    fn watch(&self, sink: Box<dyn ObservationSink>) -> Box<dyn WatchHandle> {
        self.cluster.watch(Box::new(TappedSink { sink, shared: self.shared.clone() }))
    }

    fn scan(&self, sink: Box<dyn ObservationSink>) -> BoxFuture<'_, ()> {
        self.cluster.scan(Box::new(TappedSink { sink, shared: self.shared.clone() }))
    }

    fn read_log(&self, want: LogWant) -> BoxFuture<'_, LogRead> {
        Box::pin(async move {
            let read = self.cluster.read_log(want).await;
            self.shared.write(Observation { at: self.clock.now(), fact: Fact::Log(read.clone()) }).await;
            read
        })
    }
}

struct TappedSink {
    sink: Box<dyn ObservationSink>,
    shared: Arc<Shared>,
}

impl ObservationSink for TappedSink {
    fn send(&self, observation: Observation) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            self.shared.write(observation.clone()).await;
            self.sink.send(observation).await
        })
    }
}

#[cfg(test)]
mod tests {
    use afterwatch_core::recording::Recording;
    use afterwatch_testkit::{App, FakeCluster, ManualClock, status};

    use super::*;

    struct Deaf;
    impl ObservationSink for Deaf {
        fn send(&self, _: Observation) -> BoxFuture<'_, bool> {
            Box::pin(async { true })
        }
    }

    #[tokio::test]
    async fn what_is_watched_is_written_and_ends_with_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let (path, clock) = (folder.path().join("story.jsonl"), Arc::new(ManualClock::default()));
        let cluster = FakeCluster::new("kind-dev", clock.clone());
        let app = App::deployment("shop/checkout");
        cluster.upsert(app.objects());
        let recorder = Recorder::create(&path, &Header::new("kind-dev", clock.now()), clock.clone()).unwrap();
        let tapped = recorder.tap(cluster.clone());
        let handle = tapped.watch(Box::new(Deaf));
        clock.advance(7);
        cluster.upsert([app.pod("a", status::ready(0))]);
        // Until the fake's thread has handed it over.
        for _ in 0..200 {
            if std::fs::read_to_string(&path).unwrap().contains("checkout-r1-a") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        drop(handle);
        assert_eq!(recorder.finish().unwrap(), Recorded { objects: 3, lost: 0 });
        let recording = Recording::read(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!((recording.header.context.as_str(), recording.problems.len()), ("kind-dev", 0));
        let puts = recording.lines.iter().filter(|l| matches!(l.what, What::Put { .. })).count();
        assert_eq!(puts, 3, "a Deployment, a ReplicaSet, a pod");
        assert_eq!(recording.lines.last().map(|l| (&l.what, l.at)), Some((&What::End, clock.now())));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_full_disk_is_told_at_once_and_again_at_the_end() {
        let clock = Arc::new(ManualClock::default());
        let full = BufWriter::new(OpenOptions::new().write(true).open("/dev/full").unwrap());
        let recorder = Recorder::over(full, clock.clone()).unwrap();
        let cluster = FakeCluster::new("kind-dev", clock.clone());
        cluster.upsert(App::deployment("shop/checkout").objects());
        let _handle = recorder.tap(cluster.clone()).watch(Box::new(Deaf));
        let why = tokio::time::timeout(Duration::from_secs(20), recorder.broken()).await.unwrap();
        assert!(why.contains("No space left"), "{why}");
        assert_eq!(recorder.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn a_file_that_exists_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let (path, clock) = (folder.path().join("story.jsonl"), Arc::new(ManualClock::default()));
        let begin = || Recorder::create(&path, &Header::new("kind-dev", clock.now()), clock.clone());
        std::fs::write(&path, "an earlier story").unwrap();
        assert_eq!(begin().err().map(|e| e.kind()), Some(io::ErrorKind::AlreadyExists));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "an earlier story");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(begin().unwrap().finish().unwrap(), Recorded { objects: 0, lost: 0 });
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&path.metadata().unwrap()) & 0o777, 0o600);
    }
}
