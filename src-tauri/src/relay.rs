//! From the engine to those who look: the window, the tray.

use std::{sync::Arc, time::Duration};

use afterwatch_contract::window::{AppEvent, IncidentSummary};
use afterwatch_core::{incident::Head, port::store::IncidentQuery};
use afterwatch_engine::{ClusterState, EngineEvent};
use tokio::sync::broadcast::error::RecvError;

use crate::{
    desk::Desk,
    face::{Outlook, Unseen},
    models,
    shell::Shell,
    tray,
};

/// Changes within this time are drawn in the tray together.
const GATHER: Duration = Duration::from_millis(150);

/// A cluster somebody else records tells of nothing itself: how far the record reaches is told this often.
const FOLLOW: Duration = Duration::from_secs(60);

/// Passes on what the engine says, from now to the end of the app.
pub fn start(shell: Arc<Shell>, desk: Arc<Desk>) {
    let mut events = desk.engine.subscribe();
    let changed = Arc::new(tokio::sync::Notify::new());
    tokio::spawn(keep_tray(Arc::clone(&shell), Arc::clone(&desk), Arc::clone(&changed)));
    tokio::spawn(keep_contexts(Arc::clone(&shell), Arc::clone(&desk), Arc::clone(&changed)));
    tokio::spawn(keep_followed(Arc::clone(&shell), Arc::clone(&desk)));
    tokio::spawn(async move {
        loop {
            match events.recv().await {
                Ok(event) => pass_on(&shell, &desk, event).await,
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "the window fell behind and lists again");
                    shell.tell_of(&desk, AppEvent::Incidents);
                    shell.tell_of(&desk, AppEvent::Clusters);
                }
                Err(RecvError::Closed) => return,
            }
            changed.notify_one();
        }
    });
}

/// Passes on what happens in a drill, until it is closed.
pub fn follow_drill(shell: &Arc<Shell>, desk: &Arc<Desk>) -> [tokio::task::JoinHandle<()>; 2] {
    let mut events = desk.engine.subscribe();
    let (told, listening) = (Arc::clone(shell), Arc::clone(desk));
    let passing = tokio::spawn(async move {
        loop {
            match events.recv().await {
                Ok(event) => pass_on(&told, &listening, event).await,
                Err(RecvError::Lagged(_)) => {
                    told.tell_of(&listening, AppEvent::Incidents);
                    told.tell_of(&listening, AppEvent::Clusters);
                }
                Err(RecvError::Closed) => return,
            }
        }
    });
    let changed = Arc::new(tokio::sync::Notify::new());
    [passing, tokio::spawn(keep_contexts(Arc::clone(shell), Arc::clone(desk), changed))]
}

/// Pauses or resumes, and says so in the window and the tray.
pub async fn set_paused(shell: &Arc<Shell>, desk: &Arc<Desk>, paused: bool) {
    desk.engine.set_paused(paused).await;
    shell.tell_of(desk, AppEvent::Clusters);
    draw_tray(shell, desk).await;
}

async fn pass_on(shell: &Arc<Shell>, desk: &Arc<Desk>, event: EngineEvent) {
    match event {
        EngineEvent::Incident { revision, previous, incident, .. } => {
            let summary = IncidentSummary::from(&Head::from(incident.as_ref()));
            let incident = Box::new(summary.silenced(desk.engine.silenced_until(&incident)));
            shell.tell_of(desk, AppEvent::Incident { revision, previous, incident });
        }
        EngineEvent::Listed => shell.tell_of(desk, AppEvent::Incidents),
        EngineEvent::Cluster(view) => {
            shell.tell_of(desk, AppEvent::Cluster { cluster: Box::new(desk.contexts.row(&view).await) });
            let contexts = Arc::clone(&desk.contexts);
            tokio::spawn(async move { contexts.notice(&view).await });
        }
        // The command line may have chosen another model. A drill writes with that of the record.
        EngineEvent::Settings => {
            if shell.is_record(desk) {
                models::notice(shell, desk).await;
            }
        }
        EngineEvent::Trouble(text) => {
            // Of a drill nothing is kept, so that nothing can be wrong with keeping it.
            if shell.is_record(desk) {
                shell.set_trouble(text.clone());
                shell.tell(AppEvent::Trouble { text });
            }
        }
    }
}

/// Tells of a changed kubeconfig: rows may have come and gone, and what is missing makes the tray blind.
async fn keep_contexts(shell: Arc<Shell>, desk: Arc<Desk>, changed: Arc<tokio::sync::Notify>) {
    loop {
        desk.contexts.changed().await;
        shell.tell_of(&desk, AppEvent::Clusters);
        changed.notify_one();
    }
}

async fn keep_followed(shell: Arc<Shell>, desk: Arc<Desk>) {
    loop {
        tokio::time::sleep(FOLLOW).await;
        for view in desk.engine.clusters().iter().filter(|view| view.state == ClusterState::Following) {
            shell.tell_of(&desk, AppEvent::Cluster { cluster: Box::new(desk.contexts.row(view).await) });
        }
    }
}

async fn keep_tray(shell: Arc<Shell>, desk: Arc<Desk>, changed: Arc<tokio::sync::Notify>) {
    loop {
        draw_tray(&shell, &desk).await;
        changed.notified().await;
        tokio::time::sleep(GATHER).await;
    }
}

/// Draws the tray as things stand now.
pub async fn draw_tray(shell: &Arc<Shell>, desk: &Arc<Desk>) {
    // The tray is about what is real.
    if !shell.is_record(desk) {
        return;
    }
    let open = IncidentQuery { open: true, ..IncidentQuery::default() };
    match desk.engine.heads(open).await {
        Ok(open) => {
            let unseen = Unseen { missing: desk.contexts.missing(), trouble: shell.trouble() };
            let mut outlook = Outlook::new(&open, &desk.engine.clusters(), &unseen, desk.engine.paused());
            outlook.drill = shell.drill_now().map(|drill| drill.title);
            tray::show(&shell.app, outlook);
        }
        Err(error) => tracing::warn!(%error, "the tray shows what it showed before"),
    }
}
