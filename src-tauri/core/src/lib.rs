//! The domain of Afterwatch, pure: what was observed, what is wrong, what most likely caused it, what to do.
//!
//! This crate does no I/O, reads no clock, no file and no environment, and knows nothing of tokio, kube, SQLite or
//! the window. `now` is always an argument, and the same observations always give the same incidents. The outside
//! comes in through the traits in [`port`].

pub mod change;
pub mod check;
pub mod correlate;
pub mod coverage;
pub mod detect;
pub mod evidence;
pub mod explain;
pub mod finding;
pub mod graph;
pub mod history;
mod host;
pub mod incident;
pub mod index;
pub mod inspect;
pub mod ledger;
pub mod logs;
pub mod metrics;
pub mod notification;
pub mod object;
pub mod observation;
pub mod policy;
pub mod port;
pub mod postmortem;
pub mod recording;
pub mod redact;
pub mod remediation;
pub mod settings;
pub mod severity;
pub mod silence;
pub mod timeline;
pub mod words;
pub mod writing;

/// A moment, to the nanosecond, in UTC.
pub use jiff::Timestamp;
