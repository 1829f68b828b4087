//! What the commands work with: the clusters that were named, the database, the engine over both.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use afterwatch_cluster::{ClusterOptions, ConnectProblem, Kubeconfigs, Limits};
use afterwatch_contract::document::IncidentDto;
use afterwatch_core::{
    incident::Incident,
    port::{Clock, Cluster, Model, Notifier, StoreError, store::IncidentKey},
};
use afterwatch_engine::{Engine, NotifyMode, Options, Ports, SystemClock};
use afterwatch_store::SqliteStore;
use jiff::{SignedDuration, Timestamp};

use crate::{
    args::Common,
    failure::{Failure, Outcome},
    notifier::Nobody,
    output::{Out, Progress, say},
    writer,
};

/// The invocation: common options, and where results go.
pub struct Context {
    pub common: Common,
    pub out: Out,
}

/// Which database a command wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// Kept nowhere unless `--db` names a file.
    Throwaway,
    /// The history, made where there is none.
    Made,
    /// The history. Where there is none there is nothing to read; an explicit `--db` that does not exist is a mistake.
    Existing,
}

/// The engine and the database below it.
pub struct Desk {
    pub engine: Engine,
    pub store: Arc<SqliteStore>,
    /// What the engine goes by.
    pub clock: Arc<dyn Clock>,
}

/// The contexts a command is about, all of them defined.
pub struct Chosen {
    pub kubeconfigs: Kubeconfigs,
    pub names: Vec<String>,
    limits: Limits,
}

impl Chosen {
    /// The namespace that the context works in.
    pub fn namespace(&self, name: &str) -> String {
        let context = self.kubeconfigs.contexts.iter().find(|c| c.name == name);
        context.and_then(|c| c.namespace.clone()).unwrap_or_else(|| "default".to_owned())
    }

    pub fn clusters(&self, context: &Context, salt: [u8; 16]) -> Outcome<Vec<Arc<dyn Cluster>>> {
        let options = context.cluster_options(salt);
        let mut clusters: Vec<Arc<dyn Cluster>> = Vec::new();
        for name in &self.names {
            let cluster = self.kubeconfigs.cluster(name, &options)?;
            clusters.push(Arc::new(cluster.with_limits(self.limits)));
        }
        Ok(clusters)
    }
}

/// How long things may take, with what the environment says of it.
pub fn limits() -> Outcome<Limits> {
    let Ok(text) = std::env::var("AFTERWATCH_PLUGIN_LIMIT") else { return Ok(Limits::default()) };
    let plugin = crate::span::parse(&text).map_err(|why| {
        Failure::new(
            format!("$AFTERWATCH_PLUGIN_LIMIT is not a time (`{text}`)"),
            why,
            "Correct it, or take it out of the environment",
        )
    })?;
    Ok(Limits { plugin: plugin.unsigned_abs(), ..Limits::default() })
}

impl Context {
    pub fn new(common: Common) -> Context {
        let out = Out::new(&common);
        Context { common, out }
    }

    /// The same at another moment: what is printed says how long ago things were.
    pub fn at(&self, now: Timestamp) -> Context {
        let mut out = self.out.clone();
        out.look.now = now;
        Context { common: self.common.clone(), out }
    }

    pub fn progress(&self) -> Progress {
        Progress::new(self.common.quiet)
    }

    /// The clusters of the named contexts, else of the current one. Nothing is contacted yet.
    pub fn choose(&self) -> Outcome<Chosen> {
        let kubeconfigs = afterwatch_cluster::load(self.common.kubeconfig.as_deref());
        let names = self.context_names(&kubeconfigs)?;
        // A broken entry is told before a database is made for it.
        for name in &names {
            kubeconfigs.cluster(name, &ClusterOptions::default())?;
        }
        if !self.common.quiet {
            // The rest is used; a file that is missing from a $KUBECONFIG list is said and no more.
            kubeconfigs.problems.iter().for_each(|p| say(&format!("afterwatch: skipped: {p}. {}", p.hint)));
        }
        Ok(Chosen { kubeconfigs, names, limits: limits()? })
    }

    /// The contexts a command is about, without repetition.
    pub fn context_names(&self, kubeconfigs: &Kubeconfigs) -> Outcome<Vec<String>> {
        let mut named = self.common.context.clone();
        if named.is_empty() {
            named.push(kubeconfigs.current.clone().ok_or_else(|| no_context(kubeconfigs))?);
        } else if kubeconfigs.contexts.is_empty() {
            return Err(no_context(kubeconfigs));
        }
        let mut seen = Vec::new();
        named.retain(|n| {
            !seen.contains(n) && {
                seen.push(n.clone());
                true
            }
        });
        Ok(named)
    }

    /// Where the whole cluster may not be read, the namespaces of `-n` are tried too.
    pub fn cluster_options(&self, salt: [u8; 16]) -> ClusterOptions {
        let extra_namespaces = self.common.namespace.clone();
        ClusterOptions { kubeconfig: self.common.kubeconfig.clone(), salt, extra_namespaces }
    }

    /// The database's place; none for memory.
    pub fn database(&self, want: Database) -> Option<PathBuf> {
        match (&self.common.db, want) {
            (Some(path), _) if path == Path::new(":memory:") => None,
            (Some(path), _) => Some(path.clone()),
            (None, Database::Throwaway) => None,
            (None, Database::Made | Database::Existing) => Some(afterwatch_store::default_path()),
        }
    }

    /// Opens the database.
    pub async fn store(&self, want: Database) -> Outcome<Arc<SqliteStore>> {
        let mut path = self.database(want);
        if want == Database::Existing
            && let Some(file) = path.take_if(|p| !p.exists())
            && self.common.db.is_some()
        {
            return Err(Failure::new(
                format!("There is no database at {}", file.display()),
                "",
                "Correct --db, or leave it out to read the app's own history",
            ));
        }
        let open = move || match path {
            Some(path) => SqliteStore::open(&path),
            None => SqliteStore::open_in_memory(),
        };
        let opened = tokio::task::spawn_blocking(open)
            .await
            .map_err(|e| Failure::new("The database could not be opened", e.to_string(), ""))?;
        Ok(Arc::new(opened?))
    }

    /// Opens the database with an engine over it that only counts notifications.
    pub async fn desk(&self, want: Database) -> Outcome<Desk> {
        Ok(self.desk_with(self.store(want).await?, writer::rules()))
    }

    /// The same over an open database, with who writes.
    pub fn desk_with(&self, store: Arc<SqliteStore>, model: Arc<dyn Model>) -> Desk {
        let stability = SignedDuration::from_mins(10);
        self.desk_of(store, Arc::new(Nobody), NotifyMode::Count, stability, Arc::new(SystemClock), model)
    }

    /// An engine over an open database.
    pub fn desk_over(
        &self,
        store: Arc<SqliteStore>,
        notifier: Arc<dyn Notifier>,
        notify: NotifyMode,
        stability: SignedDuration,
        clock: Arc<dyn Clock>,
    ) -> Desk {
        self.desk_of(store, notifier, notify, stability, clock, writer::rules())
    }

    fn desk_of(
        &self,
        store: Arc<SqliteStore>,
        notifier: Arc<dyn Notifier>,
        notify: NotifyMode,
        stability: SignedDuration,
        clock: Arc<dyn Clock>,
        model: Arc<dyn Model>,
    ) -> Desk {
        let ports = Ports { store: store.clone(), notifier, clock: clock.clone(), model };
        let recorder = format!("kubectl afterwatch watch (pid {})", std::process::id());
        let options = Options { stability, notify, zone: self.out.look.zone.clone(), recorder, alone: false };
        Desk { engine: Engine::new(ports, options), store, clock }
    }

    /// True when the incident is in the namespaces that were named.
    pub fn shows(&self, incident: &Incident) -> bool {
        self.common.namespace.is_empty() || self.common.namespace.iter().any(|n| incident.touches(n))
    }
}

impl Desk {
    /// Salts the digests of ConfigMap values, the same for every run on this database.
    pub async fn salt(&self) -> Outcome<[u8; 16]> {
        self.stored(SqliteStore::salt).await
    }

    /// The incident as the promise has it. Its gaps decide which of its times are known; where they cannot be read
    /// the command fails, rather than tell a time that may lie in a gap.
    pub async fn dto(&self, incident: &Incident) -> Outcome<IncidentDto> {
        Ok(IncidentDto::new(incident, &self.engine.gaps(incident).await?))
    }

    pub async fn dtos(&self, incidents: &[Incident]) -> Outcome<Vec<IncidentDto>> {
        let mut out = Vec::with_capacity(incidents.len());
        for incident in incidents {
            out.push(self.dto(incident).await?);
        }
        Ok(out)
    }

    pub async fn incident(&self, id: &str) -> Outcome<Incident> {
        Ok(self.engine.incident(IncidentKey::parse(id)).await?)
    }

    /// Calls the store off the runtime's own threads.
    pub async fn stored<T: Send + 'static>(
        &self,
        call: impl FnOnce(&SqliteStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Outcome<T> {
        let store = self.store.clone();
        let done = tokio::task::spawn_blocking(move || call(&store)).await;
        Ok(done.map_err(|e| Failure::new("The database could not be read", e.to_string(), ""))??)
    }
}

impl From<ConnectProblem> for Failure {
    fn from(problem: ConnectProblem) -> Failure {
        Failure::new(problem.message, "", problem.hint)
    }
}

/// The name that notes and acknowledgements are signed with.
pub fn who() -> String {
    let named = |name: &str| std::env::var(name).ok().filter(|v| !v.trim().is_empty());
    ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(named).unwrap_or_else(|| "someone".to_owned())
}

/// Why there is no cluster to look at.
fn no_context(kubeconfigs: &Kubeconfigs) -> Failure {
    let names: Vec<&str> = kubeconfigs.contexts.iter().map(|c| c.name.as_str()).collect();
    if !names.is_empty() {
        let list = names.join(", ");
        return Failure::new(
            "No context is chosen",
            "the kubeconfig names no current-context",
            format!("Name one with --context: {list}"),
        );
    }
    let missing = |p: &&afterwatch_cluster::FileProblem| !p.file.exists();
    if let Some(broken) = kubeconfigs.problems.iter().find(|p| !missing(p)) {
        return Failure::new("There is no cluster to look at", broken.to_string(), &broken.hint);
    }
    let looked: Vec<String> = kubeconfigs.files.iter().map(|f| f.display().to_string()).collect();
    let files = if looked.is_empty() {
        "no home folder is known".to_owned()
    } else {
        format!("there is no {}", looked.join(", no "))
    };
    Failure::new("No kubeconfig was found", files, "Name one with --kubeconfig, or set $KUBECONFIG")
}
