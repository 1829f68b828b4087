//! What people, disks and networks get wrong: each gives a clear message (what happened, why, what to do next), the
//! right exit code, and costs nothing that was recorded or typed.
//!
//! The built `kubectl-afterwatch` is driven as at a terminal: its path is in `AFTERWATCH_CLI`, else it lies beside
//! this test's own program (`cargo build -p kubectl-afterwatch` puts it there). No cluster is needed; where an API
//! server is, a small one of our own answers on loopback. What needs root (a full disk, a read-only one) says so and
//! is skipped elsewhere.

#![cfg(unix)]

mod afterwatch;
mod answers;
mod ask;
mod certificate;
mod connection;
mod credential;
mod database;
mod disk;
mod kubeconfig;
#[cfg(target_os = "linux")]
mod notice;
mod server;
mod terminal;
