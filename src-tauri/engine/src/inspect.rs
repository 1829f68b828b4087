//! A person asks about one workload.

use std::{sync::Arc, time::Duration};

use afterwatch_core::{
    incident::Incident,
    inspect::{Choice, NotFound, Target},
    object::ObjectRef,
    port::{Cluster, StoreError},
};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    event::ClusterView,
    recorder::{self, Control},
    session::{Engine, Running, lock},
};

/// A question waits no longer for its answer to be written.
const PATIENCE: Duration = Duration::from_secs(40);

/// What a question brought.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// What was asked about.
    pub subject: ObjectRef,
    /// What was found, as it is stored: its own first, then what lies upstream.
    pub incidents: Vec<Incident>,
    /// Where nothing was found: what was looked at, as an incident that is over. It is not stored.
    pub nothing: Option<Box<Incident>>,
    /// The logs that could not be read, and why.
    pub unread: Vec<UnreadLog>,
}

/// A log that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadLog {
    pub pod: ObjectRef,
    pub container: String,
    pub why: String,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error("{}.", .0.words().0)]
    NotFound(Box<NotFound>),
    /// Nobody watches this cluster, so that nothing is known of it.
    #[error("{0} is not watched.")]
    NotWatched(String),
    #[error("{0} is not read yet: wait until it is connected.")]
    NotRead(String),
    #[error("{0} is recorded by {1}, which alone knows what is there now.")]
    Followed(String, String),
    #[error("Recording is paused: nothing is known of now.")]
    Paused,
    /// The answer did not come, or what was found could not be written.
    #[error("What was found could not be recorded.")]
    Unwritten,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What can be asked about in one cluster.
#[derive(Clone, Debug)]
pub struct Choices {
    pub cluster: String,
    pub choices: Vec<Choice>,
    /// There are others whose names fit.
    pub more: bool,
}

/// A question on its way to the recorder that knows the cluster.
pub(crate) struct Question {
    pub target: Target,
    pub namespaces: Vec<String>,
    pub reply: oneshot::Sender<Result<Inspection, InspectError>>,
}

impl Engine {
    /// Looks into an object of a cluster that is watched: its state, its neighbours and the newest lines of a few
    /// logs. What is found is an incident from then on.
    ///
    /// # Errors
    /// When there is no such object, or the cluster is not known now.
    pub async fn inspect(
        &self,
        cluster: &str,
        target: Target,
        namespaces: Vec<String>,
    ) -> Result<Inspection, InspectError> {
        let (reply, answer) = oneshot::channel();
        let question = Question { target, namespaces, reply };
        let sent = lock(&self.0.running).get(cluster).map(|r| r.control.send(Control::Inspect(Box::new(question))));
        if !matches!(sent, Some(Ok(()))) {
            return Err(InspectError::NotWatched(cluster.to_owned()));
        }
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(inspection)) => inspection,
            Ok(Err(_)) | Err(_) => Err(InspectError::Unwritten),
        }
    }

    /// The same with one look, of a cluster that nobody watches.
    ///
    /// # Errors
    /// When there is no such object, or what was found could not be stored.
    pub async fn inspect_once(
        &self,
        cluster: Arc<dyn Cluster>,
        target: Target,
        namespaces: Vec<String>,
    ) -> Result<Inspection, InspectError> {
        let name = cluster.name().to_owned();
        self.refresh_silences().await;
        self.refresh_settings().await;
        let (control, inbox) = mpsc::unbounded_channel();
        let (sender, view) = watch::channel(Arc::new(ClusterView::idle(&name)));
        let (reply, answer) = oneshot::channel();
        // The question lies there before the first list: the scan ends with it.
        let _ = control.send(Control::Inspect(Box::new(Question { target, namespaces, reply })));
        let task = tokio::spawn(recorder::guarded(self.clone(), cluster.clone(), inbox, sender, recorder::Kind::Scan));
        lock(&self.0.running).insert(name, Running { cluster, control, view, task: tokio::spawn(async {}) });
        task.await.map_err(|e| StoreError::Other { path: String::new(), message: e.to_string() })?;
        answer.await.unwrap_or(Err(InspectError::Unwritten))
    }

    /// What can be asked about whose kind, namespace and name hold these words, in every cluster that is watched; at
    /// most so many of each.
    pub async fn choices(&self, text: &str, most: usize) -> Vec<Choices> {
        let asked: Vec<_> = lock(&self.0.running)
            .values()
            .filter_map(|running| {
                let (reply, answer) = oneshot::channel();
                running.control.send(Control::Choices(text.to_owned(), most, reply)).ok().map(|()| answer)
            })
            .collect();
        let mut out = Vec::with_capacity(asked.len());
        for answer in asked {
            out.extend(answer.await);
        }
        out
    }
}
