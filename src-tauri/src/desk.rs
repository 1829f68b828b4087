//! What the shell is put together from: the history, the engine over it, and the clusters it watches.

use std::{path::PathBuf, sync::Arc};

use afterwatch_core::port::{Clock, Model, Notifier, StoreError};
use afterwatch_engine::{Engine, NotifyMode, Options, Ports, SystemClock};
use afterwatch_store::SqliteStore;
use jiff::{SignedDuration, tz::TimeZone};

use crate::contexts::{Contexts, Source};

/// The running product behind the window.
pub struct Desk {
    pub engine: Engine,
    pub contexts: Arc<Contexts>,
}

impl Desk {
    /// Opens the history and an engine over it. Nothing is watched yet.
    ///
    /// # Errors
    /// When the history cannot be opened; trying again later is fine.
    pub async fn open(
        database: PathBuf,
        notifier: Arc<dyn Notifier>,
        model: Arc<dyn Model>,
    ) -> Result<Arc<Desk>, StoreError> {
        Desk::of(database, notifier, model, Arc::new(SystemClock), None).await
    }

    /// The same over the only cluster of this kubeconfig, going by this clock.
    ///
    /// # Errors
    /// When the history cannot be opened.
    pub async fn of_drill(
        database: PathBuf,
        notifier: Arc<dyn Notifier>,
        model: Arc<dyn Model>,
        clock: Arc<dyn Clock>,
        kubeconfig: PathBuf,
    ) -> Result<Arc<Desk>, StoreError> {
        Desk::of(database, notifier, model, clock, Some(kubeconfig)).await
    }

    async fn of(
        database: PathBuf,
        notifier: Arc<dyn Notifier>,
        model: Arc<dyn Model>,
        clock: Arc<dyn Clock>,
        kubeconfig: Option<PathBuf>,
    ) -> Result<Arc<Desk>, StoreError> {
        let path = database.display().to_string();
        let opening = tokio::task::spawn_blocking(move || {
            let store = SqliteStore::open(&database)?;
            let salt = store.salt()?;
            Ok::<_, StoreError>((store, salt))
        });
        let (store, salt) = match opening.await {
            Ok(outcome) => outcome?,
            // A panic while opening must not take the window down with it.
            Err(error) => return Err(StoreError::Other { path, message: error.to_string() }),
        };
        let ports = Ports { store: Arc::new(store), notifier, clock: Arc::clone(&clock), model };
        let options = Options {
            stability: SignedDuration::from_mins(10),
            notify: NotifyMode::Send,
            alone: true,
            zone: TimeZone::system(),
            recorder: "the app".to_owned(),
        };
        let engine = Engine::new(ports, options);
        let contexts = Contexts::new(engine.clone(), Source { salt, clock, kubeconfig }).await?;
        Ok(Arc::new(Desk { engine, contexts }))
    }
}
