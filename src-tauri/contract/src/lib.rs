//! What goes over a wire: the command line's JSON ([`document`]) and the window's messages ([`window`]).
//!
//! Field names are a promise (add, never rename). The TypeScript types in `ui/src/ipc/contract/` are generated from
//! here by `make gen` and checked for staleness by `make lint`. This crate knows core and nothing else.

pub mod assistant;
pub mod diagnostics;
pub mod document;
pub mod drill;
pub mod graph;
pub mod history;
pub mod inspect;
pub mod postmortem;
pub mod settings;
pub mod times;
pub mod window;
