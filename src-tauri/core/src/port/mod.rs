//! The traits through which everything outside comes in. Adapters implement them, the engine uses them.

pub mod clock;
pub mod cluster;
pub mod model;
pub mod notifier;
pub mod store;

use std::{future::Future, pin::Pin};

pub use clock::Clock;
pub use cluster::{Cluster, ObservationSink, WatchHandle};
pub use model::{Model, ModelError};
pub use notifier::{Notice, NoticeError, Notifier};
pub use store::{Store, StoreError};

/// A future that may be awaited on any thread; ports are used as trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
