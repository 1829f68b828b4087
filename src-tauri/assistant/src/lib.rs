//! The assistant: evidence becomes a prompt, a model's words become checked statements, and rules write where there is
//! no model.
//!
//! Code establishes facts; the model only words what it is offered. This crate knows core and the worker's protocol;
//! it must not know the engine, the history, Kubernetes or the window.

pub mod catalogue;
pub mod check;
pub mod choice;
pub mod chosen;
mod disk;
pub mod download;
pub mod exam;
pub mod generator;
mod grammar;
mod http;
pub mod key;
pub mod library;
pub mod machine;
pub mod marks;
pub mod models;
mod pack;
mod parse;
pub mod plain;
pub mod problem;
mod prompt;
mod record;
pub mod server;
pub mod worker;
mod writer;

pub use record::offered;
pub use writer::{Assistant, ModelInUse};

/// Bytes in small hexadecimal letters.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
