//! From the engine to those who look: the window, the tray.

use std::{sync::Arc, time::Duration};

use afterwatch_contract::window::AppEvent;
use afterwatch_core::port::store::IncidentQuery;
use afterwatch_engine::EngineEvent;
use tokio::sync::broadcast::error::RecvError;

use crate::{desk::Desk, face::Outlook, shell::Shell, tray};

/// Changes within this time are drawn in the tray together.
const GATHER: Duration = Duration::from_millis(150);

/// Passes on what the engine says, from now to the end of the app.
pub fn start(shell: Arc<Shell>, desk: Arc<Desk>) {
    let mut events = desk.engine.subscribe();
    let changed = Arc::new(tokio::sync::Notify::new());
    tokio::spawn(keep_tray(Arc::clone(&shell), Arc::clone(&desk), Arc::clone(&changed)));
    tokio::spawn(async move {
        loop {
            match events.recv().await {
                Ok(event) => pass_on(&shell, &desk, event).await,
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "the window fell behind and lists again");
                    list_again(&shell, &desk).await;
                }
                Err(RecvError::Closed) => return,
            }
            changed.notify_one();
        }
    });
}

/// Pauses or resumes, and says so in the window and the tray.
pub async fn set_paused(shell: &Arc<Shell>, desk: &Arc<Desk>, paused: bool) {
    desk.engine.set_paused(paused).await;
    for cluster in desk.contexts.page().await.clusters {
        shell.tell(AppEvent::Cluster { cluster: Box::new(cluster) });
    }
    draw_tray(shell, desk).await;
}

async fn pass_on(shell: &Arc<Shell>, desk: &Arc<Desk>, event: EngineEvent) {
    match event {
        EngineEvent::Incident { revision, previous, incident, .. } => {
            shell.tell(AppEvent::Incident { revision, previous, incident: Box::new(incident.as_ref().into()) });
        }
        EngineEvent::Cluster(view) => {
            shell.tell(AppEvent::Cluster { cluster: Box::new(desk.contexts.row(&view)) });
            let contexts = Arc::clone(&desk.contexts);
            tokio::spawn(async move { contexts.notice(&view).await });
        }
        EngineEvent::Trouble(text) => shell.tell(AppEvent::Trouble { text }),
    }
}

/// Tells the window a revision it cannot follow on from, which makes it list.
async fn list_again(shell: &Arc<Shell>, desk: &Arc<Desk>) {
    let newest = IncidentQuery { limit: Some(1), ..IncidentQuery::default() };
    let (Ok(revision), Ok(incidents)) = (desk.engine.revision().await, desk.engine.incidents(newest).await) else {
        return;
    };
    if let Some(incident) = incidents.first() {
        shell.tell(AppEvent::Incident { revision, previous: revision, incident: Box::new(incident.into()) });
    }
    for cluster in desk.contexts.page().await.clusters {
        shell.tell(AppEvent::Cluster { cluster: Box::new(cluster) });
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
    let open = IncidentQuery { open: true, ..IncidentQuery::default() };
    match desk.engine.incidents(open).await {
        Ok(open) => tray::show(&shell.app, Outlook::new(&open, &desk.engine.clusters(), desk.engine.paused())),
        Err(error) => tracing::warn!(%error, "the tray shows what it showed before"),
    }
}
