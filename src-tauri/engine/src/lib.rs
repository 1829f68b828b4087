//! The loop and the use cases, over the ports that core declares.
//!
//! `watch → record → detect → correlate → explain → store → tell`. The window and the command line call the same
//! functions of [`Engine`]; neither decides anything. This crate knows tokio and core; it must not know kube, SQLite,
//! tauri or the terminal.

mod assistant;
mod clock;
mod event;
mod history;
mod house;
mod inspect;
mod past;
mod postmortem;
mod recorder;
mod session;
mod setting;
mod writer;

pub use assistant::WriteError;
pub use clock::SystemClock;
pub use event::{ClusterState, ClusterView, EngineEvent, IncidentStep};
pub use history::MarkdownSource;
pub use inspect::{Choices, InspectError, Inspection, UnreadLog};
pub use past::{Insights, Past};
pub use session::{Engine, NotifyMode, Options, Ports, RunFigures};
pub use setting::SentNote;
