//! Builders and fakes for tests.
//!
//! [`object`] makes any object from a line and a few fields, [`App`] a workload with what it owns, [`status`] what a
//! kubelet would report. [`World`] holds an index, a ledger and a clock that only moves when it is told to. The fakes
//! stand in for the ports of core. This crate knows core only: no runtime, no database, no cluster.

mod app;
mod fake;
mod object;
pub mod status;
mod world;

pub use app::App;
pub use fake::{FakeCluster, FakeModel, ManualClock, RecordingNotifier};
pub use object::{at, event, merge, object, t};
pub use world::World;
