//! The models as Settings and the command line show them: what is here, what can be had, what fits, what is chosen;
//! and what takes a while, one thing at a time.
//!
//! It knows neither the engine nor the history: what was chosen is given to it and given back.

use std::{
    collections::HashSet,
    future::Future,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use tokio::{
    sync::{oneshot, watch},
    task::AbortHandle,
};

use crate::{
    catalogue::{self, Entry},
    chosen::{Chosen, ModelChoice, ServerPlace},
    download::{self, Patience, Wanted},
    key::{Kept, Keys},
    library::{Installed, Library},
    machine::{self, CONTEXT, Fit, Machine},
    problem::{Problem, quoted},
    server,
};

/// The models.
#[derive(Clone)]
pub struct Models {
    library: Library,
    catalogue: Arc<[Entry]>,
    keys: Keys,
    patience: Patience,
    jobs: Arc<Jobs>,
    /// States of files that were hashed by themselves: once each, also where the folder keeps no note of it.
    hashed: Arc<Mutex<HashSet<State>>>,
}

/// What is shown.
#[derive(Clone, Debug)]
pub struct Page {
    pub machine: Machine,
    pub folder: PathBuf,
    pub installed: Vec<InstalledModel>,
    pub catalogue: Vec<CatalogueModel>,
    pub server: Option<ServerPage>,
    /// What is under way, or has failed; a failure is told once.
    pub job: Option<Job>,
}

/// A model that is here.
#[derive(Clone, Debug)]
pub struct InstalledModel {
    pub file: Installed,
    /// The catalogue's name, else the header's, else the file's.
    pub name: String,
    pub licence: Option<String>,
    pub memory_bytes: u64,
    pub fit: Fit,
    /// Its hash is that of the catalogue.
    pub verified: bool,
    pub chosen: bool,
}

/// A model that can be had.
#[derive(Clone, Debug)]
pub struct CatalogueModel {
    pub entry: Entry,
    pub memory_bytes: u64,
    pub fit: Fit,
    /// The installed model's id.
    pub installed: Option<String>,
}

/// The user's server.
#[derive(Clone, Debug)]
pub struct ServerPage {
    pub url: String,
    pub model: String,
    pub has_key: bool,
    pub chosen: bool,
    pub local: bool,
    /// What leaves this computer.
    pub warning: String,
}

/// What takes a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKind {
    /// A file is taken in, or one that is here is hashed.
    Import,
    Download,
    Exam,
}

impl JobKind {
    /// As the window's messages have it.
    pub fn word(self) -> &'static str {
        match self {
            JobKind::Import => "import",
            JobKind::Download => "download",
            JobKind::Exam => "exam",
        }
    }

    /// What `done` and `all` count.
    pub fn unit(self) -> &'static str {
        if self == JobKind::Exam { "incidents" } else { "bytes" }
    }
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub kind: JobKind,
    /// The model's name.
    pub model: String,
    pub done: u64,
    pub all: u64,
    /// Seconds left, where it can be said.
    pub left_s: Option<u32>,
    /// It ended with this problem.
    pub failed: Option<String>,
}

/// Something under way. Dropping this ends nothing; [`Models::cancel`] does.
pub struct Running<T>(oneshot::Receiver<Result<T, Problem>>);

impl<T> Running<T> {
    /// Waits for the end.
    ///
    /// # Errors
    /// When it failed or was cancelled.
    pub async fn end(self) -> Result<T, Problem> {
        self.0.await.unwrap_or_else(|_| Err(Problem::new("Cancelled.")))
    }
}

/// By which a job tells how far it is.
#[derive(Clone)]
pub struct Teller(watch::Sender<Option<Job>>);

impl Teller {
    pub fn told(&self, done: u64, all: u64, left_s: Option<u32>) {
        self.0.send_if_modified(|job| match job {
            Some(job) => {
                (job.done, job.all, job.left_s) = (done, all, left_s);
                true
            }
            None => false,
        });
    }
}

/// One at a time: two downloads only make both slower, and an exam wants the processor for itself.
struct Jobs {
    now: watch::Sender<Option<Job>>,
    task: Mutex<Option<AbortHandle>>,
}

impl Models {
    /// The models in a folder, with the catalogue that comes with the program and the system's keychain.
    pub fn new(folder: impl Into<PathBuf>) -> Models {
        Models::with(folder, catalogue::catalogue().to_vec(), Keys::system(), Patience::default())
    }

    /// The same with another catalogue, other keys and another patience.
    pub fn with(folder: impl Into<PathBuf>, catalogue: Vec<Entry>, keys: Keys, patience: Patience) -> Models {
        let jobs = Jobs { now: watch::Sender::new(None), task: Mutex::default() };
        Models {
            library: Library::new(folder),
            catalogue: catalogue.into(),
            keys,
            patience,
            jobs: Arc::new(jobs),
            hashed: Arc::default(),
        }
    }

    pub fn folder(&self) -> &Path {
        self.library.folder()
    }

    pub(crate) fn library(&self) -> &Library {
        &self.library
    }

    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// What is shown now. A file that was put into the folder by hand begins to be hashed, if nothing else is under
    /// way.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn page(&self, chosen: &Chosen) -> Result<Page, Problem> {
        let page = self.look(chosen).await?;
        let mut hashed = self.hashed.lock().unwrap_or_else(PoisonError::into_inner);
        let unhashed = |m: &&InstalledModel| m.file.sha256.is_none() && m.file.facts.is_ok();
        let next = page
            .installed
            .iter()
            .filter(unhashed)
            .map(|m| (m, state_of(&m.file.path)))
            .find(|(_, state)| !hashed.contains(state));
        if let Some((model, state)) = next.filter(|_| page.job.is_none())
            && self.hash(&model.file.id).is_ok()
        {
            hashed.insert(state);
        }
        drop(hashed);
        Ok(page)
    }

    /// What is shown now, without beginning anything.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn look(&self, chosen: &Chosen) -> Result<Page, Problem> {
        let library = self.library.clone();
        let read = tokio::task::spawn_blocking(move || Ok::<_, Problem>((library.list()?, Machine::look())));
        let (files, machine) = read.await.map_err(|e| Problem::new(e.to_string()))??;
        let server = chosen.server.as_ref().map(|place| ServerPage {
            has_key: place.has_key || self.keys.remembers(&place.url),
            chosen: matches!(chosen.choice, ModelChoice::Server { .. }),
            local: server::is_local(&place.url),
            warning: server::warning(&place.url),
            url: place.url.clone(),
            model: place.model.clone(),
        });
        Ok(Page {
            machine,
            folder: self.folder().to_owned(),
            catalogue: self.catalogue.iter().map(|e| self.offered(e, &files, machine)).collect(),
            installed: files.into_iter().map(|f| self.installed(f, chosen, machine)).collect(),
            server,
            job: self.jobs.read(),
        })
    }

    fn offered(&self, entry: &Entry, files: &[Installed], machine: Machine) -> CatalogueModel {
        let memory_bytes = machine::needs(entry.size_bytes, entry.kv_bytes(CONTEXT.min(entry.context)));
        let same = |f: &&Installed| f.sha256.is_some() && f.sha256 == entry.sha256;
        CatalogueModel {
            memory_bytes,
            fit: machine.fit(memory_bytes),
            installed: files.iter().find(same).map(|f| f.id.clone()),
            entry: entry.clone(),
        }
    }

    fn installed(&self, file: Installed, chosen: &Chosen, machine: Machine) -> InstalledModel {
        let entry = self.catalogue.iter().find(|e| e.sha256.is_some() && e.sha256 == file.sha256);
        let facts = file.facts.as_ref().ok();
        let memory_bytes = match (entry, facts) {
            (Some(entry), _) => machine::needs(entry.size_bytes, entry.kv_bytes(CONTEXT.min(entry.context))),
            (None, Some(facts)) => facts.memory_bytes,
            (None, None) => 0,
        };
        InstalledModel {
            name: self.name_of(&file),
            licence: entry.map(|e| e.licence.clone()).or_else(|| facts.and_then(|f| f.licence.clone())),
            memory_bytes,
            fit: machine.fit(memory_bytes),
            verified: entry.is_some(),
            chosen: chosen.choice == ModelChoice::File { id: file.id.clone() },
            file,
        }
    }

    /// What a file is called: the catalogue's name for it, else the header's, else the file's.
    pub fn name_of(&self, file: &Installed) -> String {
        let entry = self.catalogue.iter().find(|e| e.sha256.is_some() && e.sha256 == file.sha256);
        let own = file.facts.as_ref().ok().and_then(|facts| facts.name.clone());
        entry.map(|e| e.name.clone()).or(own).unwrap_or_else(|| file.id.clone())
    }

    /// Begins to take a file in.
    ///
    /// # Errors
    /// When something else is under way.
    pub fn import(&self, file: PathBuf) -> Result<Running<Installed>, Problem> {
        let name = file.file_name().map(|n| quoted(&n.to_string_lossy())).unwrap_or_default();
        let library = self.library.clone();
        self.run(JobKind::Import, name, move |teller| async move {
            library.take(file, move |done, all| teller.told(done, all, None)).await
        })
    }

    /// Begins to hash a file that was put into the folder by hand.
    ///
    /// # Errors
    /// When something else is under way.
    pub fn hash(&self, id: &str) -> Result<Running<Installed>, Problem> {
        let (library, id) = (self.library.clone(), id.to_owned());
        self.run(JobKind::Import, id.clone(), move |teller| async move {
            library.hash(id, move |done, all| teller.told(done, all, None)).await
        })
    }

    /// Begins to download a model of the catalogue. What came of an earlier attempt is used.
    ///
    /// # Errors
    /// When there is none of that id, its hash is not known, or something else is under way.
    pub fn download(&self, id: &str) -> Result<Running<Installed>, Problem> {
        let entry = self.entry(id)?;
        let wanted = Wanted::of(entry)?;
        let (library, patience) = (self.library.clone(), self.patience);
        self.run(JobKind::Download, entry.name.clone(), move |teller| async move {
            let folder = library.folder().to_owned();
            let tell = move |p: download::Progress| teller.told(p.done, p.all, p.left_s);
            let whole = download::download(&wanted, &folder, patience, &tell).await?;
            library.adopt(whole, wanted.file, wanted.sha256).await
        })
    }

    /// True for the id of a model in the catalogue.
    pub fn offers(&self, id: &str) -> bool {
        self.catalogue.iter().any(|e| e.id == id)
    }

    fn entry(&self, id: &str) -> Result<&Entry, Problem> {
        let found = self.catalogue.iter().find(|e| e.id == id);
        found.ok_or_else(|| Problem::new(format!("The catalogue has no model {}.", quoted(id))))
    }

    /// Runs something that takes a while, if nothing else does.
    ///
    /// # Errors
    /// When something else is under way.
    pub fn run<T, F>(&self, kind: JobKind, model: String, work: impl FnOnce(Teller) -> F) -> Result<Running<T>, Problem>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Problem>> + Send + 'static,
    {
        let mut task = self.jobs.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(job) = self.jobs.now.borrow().as_ref().filter(|j| j.failed.is_none()) {
            return Err(Problem::new(format!("{} is under way. Wait until it is done, or cancel it.", job.model)));
        }
        self.jobs.now.send_replace(Some(Job { kind, model, done: 0, all: 0, left_s: None, failed: None }));
        let (tell, end) = oneshot::channel();
        let (ended, work) = (Ended(self.jobs.clone()), work(Teller(self.jobs.now.clone())));
        let spawned = tokio::spawn(async move {
            let done = work.await;
            ended.with(done.as_ref().err());
            drop(tell.send(done));
        });
        *task = Some(spawned.abort_handle());
        Ok(Running(end))
    }

    /// How far it is, as it goes on.
    pub fn watch(&self) -> watch::Receiver<Option<Job>> {
        self.jobs.now.subscribe()
    }

    /// Ends what is under way. What a download has got so far is kept.
    pub fn cancel(&self) {
        if let Some(task) = self.jobs.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }

    /// Takes a model out.
    ///
    /// # Errors
    /// When there is none of that id, or it could not be deleted.
    pub async fn remove(&self, id: &str) -> Result<Installed, Problem> {
        let (library, id) = (self.library.clone(), id.to_owned());
        let done = tokio::task::spawn_blocking(move || library.remove(&id)).await;
        done.map_err(|e| Problem::new(e.to_string()))?
    }

    /// One that is here, by its id or its catalogue's.
    ///
    /// # Errors
    /// When it is not here, or cannot be used.
    pub async fn installed_of(&self, id: &str) -> Result<Installed, Problem> {
        let (library, id) = (self.library.clone(), id.to_owned());
        let of_catalogue = self.catalogue.iter().find(|e| e.id == id).and_then(|e| e.sha256.clone());
        let found = tokio::task::spawn_blocking(move || match of_catalogue {
            Some(hash) => match library.list()?.into_iter().find(|m| m.sha256.as_ref() == Some(&hash)) {
                Some(model) => Ok(model),
                None => library.get(&id),
            },
            None => library.get(&id),
        });
        let model = found.await.map_err(|e| Problem::new(e.to_string()))??;
        match &model.facts {
            Ok(_) => Ok(model),
            Err(why) => Err(Problem::new(format!("{} cannot be used. {why}", model.id))),
        }
    }

    /// Names a server as the user typed it, and chooses it. A key of `None` leaves the one that is kept for this
    /// address, an empty one removes it. Gives a sentence when the key could not be kept for longer than this run.
    /// Nothing is contacted.
    ///
    /// # Errors
    /// When the address is none, or a keychain that is locked does not let a key go.
    pub async fn name_server(
        &self,
        chosen: &mut Chosen,
        typed: &str,
        model: String,
        context: Option<u32>,
        key: Option<String>,
    ) -> Result<Option<String>, Problem> {
        let url = server::address(typed)?;
        let (mut has_key, mut told) = (chosen.server.as_ref().is_some_and(|s| s.url == url && s.has_key), None);
        if let Some(key) = key {
            let kept = self.keys.set(&url, key.clone()).await?;
            has_key = kept == Kept::Keychain && !key.trim().is_empty();
            if let Kept::UntilEnd(why) = kept {
                told = Some(why);
            }
        }
        // A key of another server is of no use any more.
        if let Some(before) = chosen.server.as_ref().filter(|s| s.url != url && s.has_key) {
            self.keys.remove(&before.url).await?;
        }
        chosen.use_server(ServerPlace { url, model: model.trim().to_owned(), context, has_key });
        Ok(told)
    }

    /// Forgets the server and its key. When it was chosen, the rules write again.
    ///
    /// # Errors
    /// When a keychain that is locked does not let the key go.
    pub async fn forget_server(&self, chosen: &mut Chosen) -> Result<(), Problem> {
        if let Some(place) = chosen.server.as_ref().filter(|s| s.has_key || self.keys.remembers(&s.url)) {
            self.keys.remove(&place.url).await?;
        }
        chosen.forget_server();
        Ok(())
    }

    /// The user's server, ready to write; none when none was named. No keychain is asked before something is written.
    ///
    /// # Errors
    /// When its address is none, or the network cannot be used at all.
    pub fn server(&self, chosen: &Chosen) -> Result<Option<server::Server>, Problem> {
        let Some(place) = &chosen.server else { return Ok(None) };
        let patience = server::Patience::default();
        match place.has_key || self.keys.remembers(&place.url) {
            true => server::Server::with_kept_key(place, self.keys.clone(), patience),
            false => server::Server::new(place, None, patience),
        }
        .map(Some)
    }
}

/// A file, and when it was changed.
type State = (PathBuf, Option<SystemTime>);

/// A file as it is now.
fn state_of(path: &Path) -> State {
    (path.to_owned(), std::fs::metadata(path).and_then(|about| about.modified()).ok())
}

impl Jobs {
    /// What is under way. A failure is told once.
    fn read(&self) -> Option<Job> {
        let job = self.now.borrow().clone();
        if job.as_ref().is_some_and(|j| j.failed.is_some()) {
            self.now.send_replace(None);
        }
        job
    }
}

/// Says that a job is over, also when it was cancelled.
struct Ended(Arc<Jobs>);

impl Ended {
    fn with(self, problem: Option<&Problem>) {
        let Some(problem) = problem else { return };
        self.0.now.send_modify(|job| {
            if let Some(job) = job {
                job.failed = Some(problem.message.clone());
            }
        });
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.now.send_if_modified(|job| {
            let over = job.as_ref().is_some_and(|j| j.failed.is_none());
            if over {
                *job = None;
            }
            over
        });
    }
}
