//! The local history in SQLite: incidents with their evidence, timelines and notes, changes, coverage, silences,
//! settings.
//!
//! One connection writes, behind a mutex; another one reads. Two processes (the app and the command line) may use one
//! database at the same time: the write-ahead log, short immediate transactions and revisions keep them apart. What a
//! call acknowledged is in the write-ahead log and survives a killed process.
//!
//! This crate knows nothing of Kubernetes clients, the engine or the window. It decides nothing about incidents: it
//! refuses a write that would undo somebody else's, and never repairs, deletes or overwrites a file it cannot read.

mod backup;
mod ballast;
mod connection;
pub mod disk;
mod error;
mod migration;
mod place;
mod port;
mod salt;
mod store;
mod table;

pub use place::{data_folder, default_path};
pub use store::{Options, SqliteStore};
