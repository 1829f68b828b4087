//! What the commands, the tray, the window and the notifications share.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use afterwatch_assistant::{choice::Writer, chosen::Chosen, models::Models};
use afterwatch_contract::window::{APP_EVENT, AppEvent, WindowError};
use afterwatch_core::{
    incident::IncidentId,
    port::{Notifier, StoreError, store::IncidentKey},
    silence::SilenceMatcher,
};
use jiff::SignedDuration;
use tauri::{AppHandle, Emitter, Manager};

use crate::{
    commands::error, desk::Desk, drill::Drill, face::Outlook, models, notify::Click, relay, tray, window,
    writings::Writings,
};

/// How often a history that cannot be opened is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// What the last attempt said is not asked again within this.
const ANSWER_HOLDS: Duration = Duration::from_secs(1);

/// How long the page may take to send what was typed last, when the app quits.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// A save that is under way may take this long more.
const SLOW_SAVE: Duration = Duration::from_secs(1);

/// The engine writes what it has and closes its coverage within this.
const SHUTDOWN: Duration = Duration::from_secs(2);

/// The shell's state, the same for all who hold it.
pub struct Shell {
    pub app: AppHandle,
    pub database: PathBuf,
    pub notifier: Arc<dyn Notifier>,
    desk: Mutex<Opening>,
    /// The drill that is open.
    pub(crate) drill: Mutex<Option<Drill>>,
    /// One attempt to open the history at a time; when the last one failed.
    turn: tokio::sync::Mutex<Option<Instant>>,
    /// The incident to show, and what to say, as soon as a page is there.
    wanted: Mutex<Option<String>>,
    unsaid: Mutex<Vec<String>>,
    /// The page asked for [`AppEvent`]s: from now on it hears them.
    page_hears: AtomicBool,
    quitting: AtomicBool,
    /// What is wrong with the recording, as the engine said last.
    trouble: Mutex<Option<String>>,
    /// Whether a closed window's page may go.
    pub closing: window::Closing,
    /// What is being written for the page.
    pub writings: Writings,
    pub models: Models,
    /// The choice that writes now, to tell when another process made another one.
    pub(crate) in_use: tokio::sync::Mutex<Option<Chosen>>,
    /// What writes, on every desk.
    pub writer: Arc<Writer>,
}

/// How far opening the history is.
enum Opening {
    Pending,
    Open(Arc<Desk>),
    Failed(StoreError),
}

impl Shell {
    pub fn new(app: AppHandle, database: PathBuf, models: Models, notifier: Arc<dyn Notifier>) -> Arc<Shell> {
        Arc::new(Shell {
            app,
            database,
            notifier,
            desk: Mutex::new(Opening::Pending),
            drill: Mutex::default(),
            turn: tokio::sync::Mutex::new(None),
            wanted: Mutex::new(None),
            unsaid: Mutex::default(),
            page_hears: AtomicBool::new(false),
            quitting: AtomicBool::new(false),
            trouble: Mutex::default(),
            closing: window::Closing::default(),
            writings: Writings::default(),
            models,
            in_use: tokio::sync::Mutex::default(),
            writer: Arc::default(),
        })
    }

    /// The shell of a running app.
    pub fn of(app: &AppHandle) -> Arc<Shell> {
        Arc::clone(&app.state::<Arc<Shell>>())
    }

    /// The desk the window works on: that of the drill while one is open. A history that could not be opened is tried again: whoever asks may have mended it.
    ///
    /// # Errors
    /// When the history cannot be opened.
    pub async fn desk(self: &Arc<Shell>) -> Result<Arc<Desk>, WindowError> {
        match self.drill_desk() {
            Some(desk) => Ok(desk),
            None => self.open().await.map_err(error),
        }
    }

    /// The desk of the record, when it is there now.
    pub fn desk_now(&self) -> Option<Arc<Desk>> {
        match &*self.opening() {
            Opening::Open(desk) => Some(Arc::clone(desk)),
            Opening::Pending | Opening::Failed(_) => None,
        }
    }

    /// Opens the history unless it is open, and starts watching.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn open(self: &Arc<Shell>) -> Result<Arc<Desk>, StoreError> {
        if let Some(desk) = self.desk_now() {
            return Ok(desk);
        }
        let mut last_try = self.turn.lock().await;
        match &*self.opening() {
            Opening::Open(desk) => return Ok(Arc::clone(desk)),
            // The page asks for several things at once; one attempt answers them all.
            Opening::Failed(problem) if last_try.is_some_and(|at| at.elapsed() < ANSWER_HOLDS) => {
                return Err(problem.clone());
            }
            Opening::Failed(_) | Opening::Pending => {}
        }
        match Desk::open(self.database.clone(), Arc::clone(&self.notifier), self.writer.clone()).await {
            Ok(desk) => {
                let was = std::mem::replace(&mut *self.opening(), Opening::Open(Arc::clone(&desk)));
                if matches!(was, Opening::Failed(_)) {
                    // Everything the page was told until now was that there is nothing: it begins again.
                    window::reload(&self.app);
                }
                relay::start(Arc::clone(self), Arc::clone(&desk));
                tokio::spawn(models::start(Arc::clone(self), Arc::clone(&desk)));
                let contexts = Arc::clone(&desk.contexts);
                tokio::spawn(async move { contexts.start().await });
                Ok(desk)
            }
            Err(problem) => {
                tracing::error!(%problem, "the history cannot be opened");
                *self.opening() = Opening::Failed(problem.clone());
                *last_try = Some(Instant::now());
                tray::show(&self.app, Outlook::without_history());
                Err(problem)
            }
        }
    }

    /// Opens the history, and keeps trying where waiting can help.
    pub async fn keep_opening(self: Arc<Shell>) {
        while let Err(problem) = self.open().await {
            if matches!(problem, StoreError::Newer { .. } | StoreError::Corrupt { .. }) {
                return;
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    /// Sends an event to the window, if there is one.
    pub fn tell(&self, event: AppEvent) {
        if let Err(error) = self.app.emit_to(window::LABEL, APP_EVENT, event) {
            tracing::warn!(%error, "the window was not told");
        }
    }

    /// Shows an incident, named as people name it, in the window.
    pub async fn show_incident(self: &Arc<Shell>, name: &str) {
        let found = match self.open().await {
            Ok(desk) => desk.engine.incident(IncidentKey::parse(name)).await.map_err(error),
            Err(problem) => Err(error(problem)),
        };
        match found {
            Ok(incident) => self.go_to(Some(incident.id.to_string()), None).await,
            Err(problem) => {
                self.show_page(None, None);
                self.say(problem.message);
            }
        }
    }

    /// Brings the window to the front, on an incident's page when one is named. Wayland lets nobody come to the front
    /// without a token that ties it to what the user just did.
    pub fn show_page(&self, incident: Option<String>, token: Option<String>) {
        if incident.is_some() {
            *lock(&self.wanted) = incident;
        }
        window::show(&self.app, token);
        if self.page_hears.load(Ordering::SeqCst) {
            self.send_wanted();
        }
    }

    /// The page listens: what it could not hear before is sent now.
    pub fn page_hears(&self) {
        self.page_hears.store(true, Ordering::SeqCst);
        self.send_wanted();
    }

    /// The page is gone, or a new one is about to load.
    pub fn page_gone(&self) {
        self.page_hears.store(false, Ordering::SeqCst);
        self.closing.set_unsaved(false);
        // Nobody would read what is being written.
        self.writings.cancel_all();
    }

    /// Says in the window what happened outside of it, as soon as a page is there.
    pub fn say(&self, text: String) {
        lock(&self.unsaid).push(text);
        if self.page_hears.load(Ordering::SeqCst) {
            self.send_wanted();
        }
    }

    /// What is wrong with the recording itself.
    pub fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }

    /// Remembers it for the tray and for a page that is made later.
    pub fn set_trouble(&self, trouble: Option<String>) {
        *lock(&self.trouble) = trouble;
    }

    fn send_wanted(&self) {
        let wanted = lock(&self.wanted).take();
        if let Some(id) = wanted {
            self.tell(AppEvent::OpenIncident { id });
        }
        for text in std::mem::take(&mut *lock(&self.unsaid)) {
            tracing::info!("told in the window: {text}");
            self.tell(AppEvent::Notice { text });
        }
    }

    fn opening(&self) -> MutexGuard<'_, Opening> {
        lock(&self.desk)
    }

    /// What a person pressed on a notification.
    pub async fn pressed(self: Arc<Shell>, click: Click, incident: Option<IncidentId>, token: Option<String>) {
        let outcome = match (click, incident) {
            (Click::Open, incident) => {
                self.go_to(incident.map(|id| id.to_string()), token).await;
                return;
            }
            (_, None) => return,
            (Click::Acknowledge, Some(id)) => self.acknowledge(id).await,
            (Click::Silence, Some(id)) => self.silence_an_hour(id).await,
        };
        if let Err(problem) = outcome {
            // The note is gone from the screen by now: the window is where it can be said.
            tracing::warn!(problem = problem.message, "a notification's button failed");
            self.go_to(incident.map(|id| id.to_string()), token).await;
            self.say(problem.message);
        }
    }

    async fn acknowledge(self: &Arc<Shell>, id: IncidentId) -> Result<(), WindowError> {
        let desk = self.desk_of(id).await?;
        desk.engine.acknowledge(IncidentKey::Id(id), &person()).await.map_err(error)?;
        Ok(())
    }

    async fn silence_an_hour(self: &Arc<Shell>, id: IncidentId) -> Result<(), WindowError> {
        let desk = self.desk_of(id).await?;
        let incident = desk.engine.incident(IncidentKey::Id(id)).await.map_err(error)?;
        let matcher = SilenceMatcher {
            cluster: Some(incident.cluster.clone()),
            subject: Some(incident.subject.key()),
            ..SilenceMatcher::default()
        };
        desk.engine.silence(matcher, SignedDuration::from_hours(1), "from its notification").await.map_err(error)?;
        Ok(())
    }

    /// Whether the app is on its way out.
    pub fn is_quitting(&self) -> bool {
        self.quitting.load(Ordering::SeqCst)
    }

    /// A person quits. What they typed and could not be saved is not thrown away without a word.
    pub fn quit(self: &Arc<Shell>) {
        self.leave(true);
    }

    /// Ends the app: the page sends what was typed last, the engine writes what it has and closes its coverage. A
    /// session that ends, or a person who was asked already, is not asked.
    pub fn end(self: &Arc<Shell>) {
        self.leave(false);
    }

    fn leave(self: &Arc<Shell>, ask: bool) {
        if self.quitting.swap(true, Ordering::SeqCst) {
            return;
        }
        let this = Arc::clone(self);
        tauri::async_runtime::spawn(async move {
            if window::hide(&this.app) {
                tokio::time::sleep(LAST_WORDS).await;
            }
            if this.closing.unsaved() {
                tokio::time::sleep(SLOW_SAVE).await;
            }
            if ask && this.closing.unsaved() {
                this.quitting.store(false, Ordering::SeqCst);
                return window::ask_unsaved(&this.app);
            }
            tracing::info!("quitting");
            let record = async {
                let Some(desk) = this.desk_now() else { return };
                let began = Instant::now();
                if tokio::time::timeout(SHUTDOWN, desk.engine.shutdown()).await.is_err() {
                    tracing::error!("the engine did not stop in time");
                }
                tracing::info!(ms = began.elapsed().as_millis(), "the engine stopped");
            };
            // Both at once: nothing of a drill is kept, and the record does not wait for it.
            let _ = tokio::join!(record, tokio::time::timeout(SHUTDOWN, this.close_drill()));
            this.app.exit(0);
        });
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who does what is done here, for the timeline.
pub fn person() -> String {
    let name = |key: &str| std::env::var(key).ok().filter(|name| !name.trim().is_empty());
    name("USER").or_else(|| name("LOGNAME")).or_else(|| name("USERNAME")).unwrap_or_else(|| "you".to_owned())
}
