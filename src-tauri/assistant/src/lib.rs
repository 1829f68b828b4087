//! The assistant: evidence becomes a prompt, a model's words become checked statements, and rules write where there is
//! no model.
//!
//! Code establishes facts; the model only words what it is offered. This crate knows core and the worker's protocol;
//! it must not know the engine, the history, Kubernetes or the window.

pub mod check;
pub mod exam;
pub mod generator;
mod grammar;
mod pack;
mod parse;
pub mod plain;
mod prompt;
mod record;
mod writer;

pub use record::offered;
pub use writer::{Assistant, ModelInUse};
