//! The contexts of the kubeconfig: which are there, which the user chose to watch, and what follows when files change.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use afterwatch_cluster::{ClusterOptions, ContextInfo, FileWatch, Kubeconfigs, environment};
use afterwatch_contract::window::{ClusterDto, ClustersPage};
use afterwatch_core::{
    Timestamp,
    coverage::Coverage,
    observation::Connection,
    port::{Clock, StoreError},
};
use afterwatch_engine::{ClusterState, ClusterView, Engine};

mod past;
mod row;

/// The setting that holds the names of the chosen contexts. Absent until somebody chose.
const WATCHED: &str = "watched_contexts";

/// The setting that holds what contexts are marked as.
const MARKS: &str = "cluster_marks";

/// A person waits for it here, so the login shell gets longer than at the start.
const SHELL_LIMIT: Duration = Duration::from_secs(10);

/// Where contexts come from, and how what they lead to is read.
pub struct Source {
    /// Salts the digests of ConfigMap values.
    pub salt: [u8; 16],
    /// What observations are stamped by.
    pub clock: Arc<dyn Clock>,
    /// This file alone; else those that kubectl reads.
    pub kubeconfig: Option<PathBuf>,
}

/// Which contexts there are and which are watched.
pub struct Contexts {
    engine: Engine,
    source: Source,
    known: Mutex<Known>,
    /// Starting and stopping is done by one at a time: a click and a changed file must not start a cluster twice.
    turn: tokio::sync::Mutex<()>,
    /// The files were read once.
    read_once: tokio::sync::watch::Sender<bool>,
    /// Told whenever the files were read or the choice changed.
    changed: tokio::sync::Notify,
    /// What the history has of each cluster, and when that was read.
    past: Mutex<BTreeMap<String, (Instant, Vec<Coverage>)>>,
}

/// What is known of the files and the choice.
struct Known {
    configs: Kubeconfigs,
    /// Counts how often the files were read.
    reading: u64,
    /// What the user chose; `None` before the first choice.
    chosen: Option<BTreeSet<String>>,
    /// What the user marked contexts as.
    marks: BTreeMap<String, String>,
    /// What runs: the context as it was, and the reading it came from.
    running: BTreeMap<String, (ContextInfo, u64)>,
    /// Contexts that could not be started, with what is wrong and what to do.
    refused: BTreeMap<String, (String, String)>,
    _watch: Option<FileWatch>,
}

impl Contexts {
    /// Reads the user's choice. Nothing is watched yet.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub async fn new(engine: Engine, source: Source) -> Result<Arc<Contexts>, StoreError> {
        let chosen = engine.setting(WATCHED).await?.and_then(|value| serde_json::from_value(value).ok());
        let marks = engine.setting(MARKS).await?.and_then(|value| serde_json::from_value(value).ok());
        let marks = marks.unwrap_or_default();
        let known = Known {
            configs: Kubeconfigs::default(),
            reading: 0,
            chosen,
            marks,
            running: BTreeMap::new(),
            refused: BTreeMap::new(),
            _watch: None,
        };
        Ok(Arc::new(Contexts {
            engine,
            source,
            known: Mutex::new(known),
            turn: tokio::sync::Mutex::new(()),
            read_once: tokio::sync::watch::Sender::new(false),
            changed: tokio::sync::Notify::new(),
            past: Mutex::default(),
        }))
    }

    /// Nobody has chosen yet which contexts to watch.
    pub fn first_run(&self) -> bool {
        self.known().chosen.is_none()
    }

    /// Starts what the user chose, and follows the files from now on. A slow login shell delays this, and nothing else.
    pub async fn start(self: &Arc<Contexts>) {
        // Only the user's own files depend on it.
        if self.source.kubeconfig.is_none() {
            let asked = tokio::task::spawn_blocking(environment::prepare).await;
            if let Ok(Err(why)) = asked {
                tracing::warn!(why, "the login shell's environment is not known");
            }
        }
        self.read_again().await;
        self.read_once.send_replace(true);
        self.settle(None).await;
        self.changed.notify_one();
    }

    /// Waits until the contexts, or which of them are watched, changed.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What the user chose and what is not watched all the same: it is gone from the files, or was refused.
    pub fn missing(&self) -> Vec<String> {
        let known = self.known();
        if known.reading == 0 {
            return vec![];
        }
        known.chosen.iter().flatten().filter(|name| known.is_missing(name)).cloned().collect()
    }

    /// Asks the login shell anew, reads the files anew, and starts or stops what that changes.
    ///
    /// # Errors
    /// Why the login shell gave nothing; the files were read all the same.
    pub async fn reload_environment(self: &Arc<Contexts>) -> Result<(), String> {
        let asked = tokio::task::spawn_blocking(|| environment::read(SHELL_LIMIT)).await;
        let result = match asked {
            Ok(Ok(found)) => {
                environment::adopt(found);
                Ok(())
            }
            Ok(Err(why)) => Err(why),
            Err(error) => Err(error.to_string()),
        };
        self.reload().await;
        result
    }

    /// Watches a context from now on, or no longer. The choice is remembered.
    ///
    /// # Errors
    /// When the choice could not be written; what is watched is as before then.
    pub async fn choose(&self, name: &str, watched: bool) -> Result<(), StoreError> {
        // Two ticks set at once must not each write the set without the other's.
        let _turn = self.turn.lock().await;
        let chosen = {
            let mut chosen = self.known().chosen.clone().unwrap_or_default();
            if watched {
                chosen.insert(name.to_owned())
            } else {
                chosen.remove(name)
            };
            chosen
        };
        self.engine.set_setting(WATCHED, serde_json::json!(chosen)).await?;
        self.known().chosen = Some(chosen);
        self.settle_in_turn(None).await;
        Ok(())
    }

    /// The contexts of the files, and the names of those that were chosen.
    pub fn configs(&self) -> (Kubeconfigs, Vec<String>) {
        let known = self.known();
        (known.configs.clone(), known.chosen.iter().flatten().cloned().collect())
    }

    /// Marks a context, or takes its mark away. The mark is remembered.
    ///
    /// # Errors
    /// When it could not be written; the marks are as before then.
    pub async fn set_mark(&self, name: &str, mark: Option<String>) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        let mut marks = self.known().marks.clone();
        match mark {
            Some(mark) => _ = marks.insert(name.to_owned(), mark),
            None => _ = marks.remove(name),
        }
        self.engine.set_setting(MARKS, serde_json::json!(marks)).await?;
        self.known().marks = marks;
        Ok(())
    }

    /// Reads the files anew and connects this context from scratch, for example after a login.
    pub async fn retry(self: &Arc<Contexts>, name: &str) {
        self.read_again().await;
        self.settle(Some(name)).await;
        self.changed.notify_one();
    }

    /// Reads the files anew and starts or stops what that changes.
    pub async fn reload(self: &Arc<Contexts>) {
        self.read_again().await;
        self.settle(None).await;
        self.changed.notify_one();
    }

    /// A cluster's state changed. One that needs a person is connected anew when its files were read since: a token
    /// or a certificate may have been renewed without any other sign.
    pub async fn notice(&self, view: &ClusterView) {
        let ClusterState::Connection(Connection::LoginNeeded { .. } | Connection::Misconfigured { .. }) = view.state
        else {
            return;
        };
        let stale = {
            let known = self.known();
            known.running.get(&view.name).is_some_and(|(_, reading)| *reading < known.reading)
        };
        if stale {
            self.settle(Some(&view.name)).await;
        }
    }

    /// The clusters page, as soon as the files were read.
    pub async fn page(&self) -> ClustersPage {
        // Fails only when this is gone, and it is not while somebody asks it.
        let _ = self.read_once.subscribe().wait_for(|read| *read).await;
        // Chosen, but gone from the files: said instead of dropped silently.
        let contexts: Vec<ContextInfo> = {
            let known = self.known();
            let there = |name: &&String| known.configs.contexts.iter().any(|c| &c.name == *name);
            let gone = known.chosen.iter().flatten().filter(|name| !there(name)).map(|name| row::gone(name));
            known.configs.contexts.iter().cloned().chain(gone).collect()
        };
        let mut before = Vec::with_capacity(contexts.len());
        for context in &contexts {
            before.push(self.past(&context.name).await);
        }
        let views = self.engine.clusters();
        let known = self.known();
        let configs = &known.configs;
        let clusters = contexts
            .iter()
            .zip(&before)
            .map(|(context, before)| {
                let view = views.iter().find(|v| v.name == context.name).map(AsRef::as_ref);
                row::dto(context, view, &known, before, self.engine.paused())
            })
            .collect();
        ClustersPage {
            clusters,
            problems: configs.problems.iter().map(|p| format!("{p}. {}", p.hint)).collect(),
            files: configs.files.iter().filter(|f| f.is_file()).map(|f| f.display().to_string()).collect(),
            paused: self.engine.paused(),
        }
    }

    /// One row of the clusters page, for a cluster whose state changed.
    pub async fn row(&self, view: &ClusterView) -> ClusterDto {
        let before = self.past(&view.name).await;
        let known = self.known();
        let context = known.configs.contexts.iter().find(|c| c.name == view.name).cloned();
        let context = context.unwrap_or_else(|| row::gone(&view.name));
        row::dto(&context, Some(view), &known, &before, self.engine.paused())
    }

    /// What the history has of a cluster; without an answer, what it had a moment ago.
    async fn past(&self, name: &str) -> Vec<Coverage> {
        let held = self.held_past().get(name).cloned();
        if let Some((at, spans)) = &held
            && at.elapsed() < past::HOLDS
        {
            return spans.clone();
        }
        match past::read(&self.engine, name, Timestamp::now()).await {
            Ok(spans) => {
                self.held_past().insert(name.to_owned(), (Instant::now(), spans.clone()));
                spans
            }
            Err(error) => {
                tracing::warn!(%error, cluster = name, "what was recorded before is not known");
                held.map(|(_, spans)| spans).unwrap_or_default()
            }
        }
    }

    fn held_past(&self) -> MutexGuard<'_, BTreeMap<String, (Instant, Vec<Coverage>)>> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read_again(self: &Arc<Contexts>) {
        let configs = load(self.source.kubeconfig.clone()).await;
        let files_moved = {
            let mut known = self.known();
            let moved = known.configs.files != configs.files;
            known.configs = configs;
            known.reading += 1;
            moved
        };
        if files_moved {
            self.follow_files();
        }
    }

    fn follow_files(self: &Arc<Contexts>) {
        let runtime = tokio::runtime::Handle::current();
        let this = Arc::downgrade(self);
        let files = self.known().configs.files.clone();
        let watch = afterwatch_cluster::watch_files(files, move || {
            if let Some(this) = this.upgrade() {
                tracing::info!("the kubeconfig changed");
                runtime.spawn(async move { this.reload().await });
            }
        });
        self.known()._watch = Some(watch);
    }

    /// Makes what runs what should run. `anew` is stopped first, even when nothing about it changed.
    async fn settle(&self, anew: Option<&str>) {
        let _turn = self.turn.lock().await;
        self.settle_in_turn(anew).await;
    }

    /// The same for who holds the turn.
    async fn settle_in_turn(&self, anew: Option<&str>) {
        let (stop, start) = {
            let known = self.known();
            let wanted: Vec<&ContextInfo> = known
                .configs
                .contexts
                .iter()
                .filter(|c| known.chosen.as_ref().is_some_and(|chosen| chosen.contains(&c.name)))
                .collect();
            let stays = |name: &str, was: &ContextInfo| {
                anew != Some(name) && wanted.iter().any(|now| now.name == name && same(now, was))
            };
            let stop: Vec<String> = known
                .running
                .iter()
                .filter(|(name, (was, _))| !stays(name, was))
                .map(|(name, _)| name.clone())
                .collect();
            let start: Vec<ContextInfo> = wanted
                .into_iter()
                .filter(|c| !known.running.contains_key(&c.name) || stop.contains(&c.name))
                .cloned()
                .collect();
            (stop, start)
        };
        for name in stop {
            self.engine.unwatch(&name).await;
            self.known().running.remove(&name);
        }
        for context in start {
            self.start_one(context).await;
        }
    }

    async fn start_one(&self, context: ContextInfo) {
        let name = context.name.clone();
        let options = ClusterOptions { salt: self.source.salt, ..ClusterOptions::default() };
        let (cluster, reading) = {
            let known = self.known();
            (known.configs.cluster(&name, &options), known.reading)
        };
        let refused = match cluster {
            Ok(cluster) => {
                let cluster = cluster.with_clock(Arc::clone(&self.source.clock));
                self.engine.watch(Arc::new(cluster)).await.err().map(|error| (error.to_string(), String::new()))
            }
            Err(problem) => Some((problem.message, problem.hint)),
        };
        let mut known = self.known();
        match refused {
            Some(why) => {
                tracing::warn!(context = name, why = why.0, "not watched");
                known.refused.insert(name, why);
            }
            None => {
                known.refused.remove(&name);
                known.running.insert(name, (context, reading));
            }
        }
    }
}

impl Known {
    fn is_missing(&self, name: &str) -> bool {
        self.refused.contains_key(name) || !self.configs.contexts.iter().any(|c| c.name == name)
    }
}

/// Reading files may wait for a slow network folder.
async fn load(only: Option<PathBuf>) -> Kubeconfigs {
    tokio::task::spawn_blocking(move || afterwatch_cluster::load(only.as_deref())).await.unwrap_or_default()
}

/// Whether a cluster may keep running: `kubectl config use-context` changes the file, but nothing for us.
fn same(now: &ContextInfo, was: &ContextInfo) -> bool {
    ContextInfo { current: was.current, ..now.clone() } == *was
}
