//! Writes incidents off the watch path: one task, one write at a time, retried while the disk is full or the database
//! is locked. Nothing that was handed over is dropped; a recorder keeps what it could not hand over and hands over the
//! newest state later.

use std::{sync::Arc, time::Duration};

use afterwatch_core::{
    change::Change,
    coverage::Coverage,
    incident::Incident,
    port::{Store, StoreError, store::Saved},
};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::event::EngineEvent;

/// One transaction's worth.
pub(crate) struct Job {
    pub incidents: Vec<Incident>,
    pub changes: Vec<(String, Change)>,
    pub coverage: Vec<Coverage>,
    pub reply: oneshot::Sender<Vec<Saved>>,
}

/// Starts the writer; it ends when every sender is gone.
pub(crate) fn start(store: Arc<dyn Store>, events: broadcast::Sender<EngineEvent>) -> mpsc::Sender<Job> {
    let (sender, mut jobs) = mpsc::channel::<Job>(16);
    tokio::spawn(async move {
        let mut trouble: Option<String> = None;
        while let Some(job) = jobs.recv().await {
            let Job { incidents, changes, coverage, reply } = job;
            let batch = Arc::new((incidents, changes, coverage));
            let mut pause = Duration::from_millis(200);
            loop {
                let (store, work) = (store.clone(), batch.clone());
                let result = tokio::task::spawn_blocking(move || store.save(&work.0, &work.1, &work.2))
                    .await
                    .unwrap_or_else(|e| Err(StoreError::Other { path: String::new(), message: e.to_string() }));
                match result {
                    Ok(saved) => {
                        if trouble.take().is_some() {
                            let _ = events.send(EngineEvent::Trouble(None));
                        }
                        let _ = reply.send(saved);
                        break;
                    }
                    Err(error) => {
                        let said = Some(error.to_string());
                        if trouble != said {
                            tracing::warn!(%error, "recording stopped");
                            let _ = events.send(EngineEvent::Trouble(said.clone()));
                            trouble = said;
                        }
                        // The recorder went away (shutdown): what cannot be written now never will be.
                        if reply.is_closed() {
                            break;
                        }
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(Duration::from_secs(5));
                    }
                }
            }
        }
    });
    sender
}
