//! What the shell is put together from: the history, the engine over it, and the clusters it watches.

use std::{path::PathBuf, sync::Arc};

use afterwatch_core::port::{Notifier, StoreError};
use afterwatch_engine::{Engine, NotifyMode, Options, Ports, SystemClock};
use afterwatch_store::SqliteStore;
use jiff::{SignedDuration, tz::TimeZone};

use crate::contexts::Contexts;

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
    pub async fn open(database: PathBuf, notifier: Arc<dyn Notifier>) -> Result<Arc<Desk>, StoreError> {
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
        let ports = Ports { store: Arc::new(store), notifier, clock: Arc::new(SystemClock) };
        let options = Options {
            stability: SignedDuration::from_mins(10),
            notify: NotifyMode::Send,
            alone: true,
            zone: TimeZone::system(),
            recorder: "the app".to_owned(),
        };
        let engine = Engine::new(ports, options);
        let contexts = Contexts::new(engine.clone(), salt).await?;
        Ok(Arc::new(Desk { engine, contexts }))
    }
}
