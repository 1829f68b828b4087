//! A drill: a recording that is played beside the record, with a history, a cluster and a clock of its own. While one
//! is open the window works on it; the record goes on behind it, with its tray and its notifications. Nothing of a
//! drill is kept.

use std::{path::PathBuf, sync::Arc, time::Duration};

use afterwatch_contract::{
    drill::DrillDto,
    window::{AppEvent, WindowError},
};
use afterwatch_core::{
    incident::IncidentId,
    port::{BoxFuture, Notice, NoticeError, Notifier, store::IncidentKey},
    recording::{Header, Recording},
    words::clip,
};
use afterwatch_drill::{Pace, Player};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::{
    commands::error,
    desk::Desk,
    notify, relay,
    shell::{Shell, lock},
    window,
};

/// The story begins without what is not read by then.
const PATIENCE: Duration = Duration::from_secs(20);
/// The window hears this soon that the story waited.
const FOLLOW: Duration = Duration::from_secs(1);
/// What is told while the page is being loaded is lost: after so long it is told again.
const AGAIN: Duration = Duration::from_secs(3);
/// What a notification's title may hold.
const TITLE: usize = 45;

/// A drill that is open. What it is made of goes in this order: first who writes, last where it was written.
pub struct Drill {
    desk: Arc<Desk>,
    tasks: Vec<JoinHandle<()>>,
    player: Arc<Player>,
    header: Header,
    _folder: TempDir,
}

impl Drill {
    /// Plays a recording, and watches it from now on.
    async fn open(shell: &Arc<Shell>, recording: Recording, speed: f64) -> Result<Drill, WindowError> {
        let failed = |problem: std::io::Error| error(format!("The drill cannot be played: {problem}. Try again."));
        let folder = tempfile::Builder::new().prefix("afterwatch-drill-").tempdir().map_err(failed)?;
        let player = Player::start(&recording, Pace { speed, skip_calm: true }).await.map_err(failed)?;
        let (player, header) = (Arc::new(player), recording.header);
        // One of its own: what comes at once is put together into one notification, and never a drill with the record.
        let notifier = Arc::new(Marked(notify::native(&shell.app)));
        let (database, kubeconfig) = (folder.path().join("drill.db"), player.kubeconfig().to_owned());
        let desk = Desk::of_drill(database, notifier, shell.writer.clone(), player.clock(), kubeconfig)
            .await
            .map_err(error)?;
        desk.contexts.choose(player.context(), true).await.map_err(error)?;
        desk.contexts.start().await;
        let begin = {
            let (shell, desk, player, header) =
                (Arc::clone(shell), Arc::clone(&desk), Arc::clone(&player), header.clone());
            tokio::spawn(async move {
                let _ = tokio::time::timeout(PATIENCE, desk.engine.connected(player.context())).await;
                player.begin();
                // The story waits where the machine is too busy for it, and its times with it.
                let (mut told, mut since) = (None, Duration::MAX);
                loop {
                    let begun = player.clock().begun_at();
                    if begun != told || since >= AGAIN {
                        (told, since) = (begun, Duration::ZERO);
                        shell.tell_of(&desk, AppEvent::Drill { drill: dto(&player, &header) });
                    }
                    tokio::time::sleep(FOLLOW).await;
                    since = since.saturating_add(FOLLOW);
                }
            })
        };
        let mut tasks = vec![begin];
        tasks.extend(relay::follow_drill(shell, &desk));
        Ok(Drill { desk, tasks, player, header, _folder: folder })
    }
}

impl Drop for Drill {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn dto(player: &Player, header: &Header) -> DrillDto {
    let clock = player.clock();
    let title = if header.title.is_empty() { "A recorded incident" } else { &header.title };
    DrillDto {
        title: title.to_owned(),
        summary: header.summary.clone(),
        starts_at: clock.starts().to_string(),
        ends_at: clock.ends().to_string(),
        speed: clock.speed(),
        begun_at: clock.begun_at().map(|at| at.to_string()),
    }
}

impl Shell {
    /// Plays a recording in the window, in place of a drill that is open.
    ///
    /// # Errors
    /// When it cannot be played, in words; the window is as before then.
    pub async fn start_drill(self: &Arc<Shell>, recording: Recording, speed: f64) -> Result<(), WindowError> {
        let drill = Drill::open(self, recording, speed).await?;
        let before = lock(&self.drill).replace(drill);
        self.begin_anew();
        close(before).await;
        Ok(())
    }

    /// Closes the drill that is open and shows the record again.
    pub async fn leave_drill(self: &Arc<Shell>) {
        let left = lock(&self.drill).take();
        if left.is_some() {
            self.begin_anew();
            close(left).await;
        }
    }

    /// Closes the drill that is open; the window is about to go.
    pub async fn close_drill(&self) {
        let left = lock(&self.drill).take();
        close(left).await;
    }

    /// Everything the page knows is of another desk now: it is loaded anew.
    fn begin_anew(self: &Arc<Shell>) {
        self.page_gone();
        window::begin_anew(&self.app);
        // The menu says whether a drill is open.
        if let Some(record) = self.desk_now() {
            let shell = Arc::clone(self);
            tauri::async_runtime::spawn(async move { relay::draw_tray(&shell, &record).await });
        }
    }

    /// The drill that is open, as the window reads it.
    pub fn drill_now(&self) -> Option<DrillDto> {
        lock(&self.drill).as_ref().map(|drill| dto(&drill.player, &drill.header))
    }

    /// The desk of the drill that is open.
    pub fn drill_desk(&self) -> Option<Arc<Desk>> {
        lock(&self.drill).as_ref().map(|drill| Arc::clone(&drill.desk))
    }

    /// True for the desk of the record.
    pub fn is_record(&self, desk: &Arc<Desk>) -> bool {
        self.desk_now().is_some_and(|record| Arc::ptr_eq(&record, desk))
    }

    /// Tells the window of a desk, if that is the one it works on.
    pub fn tell_of(&self, desk: &Arc<Desk>, event: AppEvent) {
        let shown = self.drill_desk().is_none_or(|drill| Arc::ptr_eq(&drill, desk));
        if shown && (self.is_record(desk) || self.drill_desk().is_some()) {
            self.tell(event);
        }
    }

    /// The desk that knows this incident: the drill's, if it does.
    ///
    /// # Errors
    /// When the history cannot be opened.
    pub async fn desk_of(self: &Arc<Shell>, incident: IncidentId) -> Result<Arc<Desk>, WindowError> {
        if let Some(drill) = self.drill_desk()
            && drill.engine.incident(IncidentKey::Id(incident)).await.is_ok()
        {
            return Ok(drill);
        }
        self.open().await.map_err(error)
    }

    /// Brings the window to the front, on an incident's page when one is named. One of the record ends a drill.
    pub async fn go_to(self: &Arc<Shell>, incident: Option<String>, token: Option<String>) {
        if let (Some(id), Some(drill)) = (&incident, self.drill_desk())
            && drill.engine.incident(IncidentKey::parse(id)).await.is_err()
        {
            self.leave_drill().await;
        }
        self.show_page(incident, token);
    }
}

async fn close(drill: Option<Drill>) {
    if let Some(drill) = drill {
        drill.desk.engine.shutdown().await;
    }
}

/// Reads a story that comes with the program, or a file.
///
/// # Errors
/// Why it cannot be played, in words.
pub async fn read(name: Option<&str>, file: Option<PathBuf>) -> Result<Recording, WindowError> {
    let bytes = match (name, file) {
        (Some(name), _) => {
            let story = afterwatch_drill::stories().iter().find(|s| s.name == name);
            story.ok_or_else(|| error(format!("There is no story {name}.")))?.bytes()
        }
        (None, Some(file)) => {
            let path = file.clone();
            let reading = tokio::task::spawn_blocking(move || afterwatch_drill::read_file(&path)).await;
            let read = reading.map_err(|problem| error(problem.to_string()))?;
            read.map_err(|problem| {
                error(format!("{} cannot be read: {problem}. Choose another file.", file.display()))
            })?
        }
        (None, None) => return Err(error("No recording was chosen.")),
    };
    let reading = tokio::task::spawn_blocking(move || Recording::read(&bytes)).await;
    match reading {
        Ok(Ok(recording)) => Ok(recording),
        Ok(Err(problem)) => {
            Err(error(format!("{problem} A recording is a file that kubectl afterwatch watch --record wrote.")))
        }
        Err(problem) => Err(error(problem.to_string())),
    }
}

/// Says of every notification that it is of a drill.
struct Marked(Arc<dyn Notifier>);

impl Notifier for Marked {
    fn show(&self, notice: Notice) -> BoxFuture<'_, Result<(), NoticeError>> {
        self.0.show(Notice { title: clip(&format!("Drill: {}", notice.title), TITLE).to_string(), ..notice })
    }
}
