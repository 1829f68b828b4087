//! The real window, driven as a person would: WebDriver in the page, D-Bus for the tray and the notifications, X11 for
//! the frame. Run by `make test-desktop`, which builds the app first.
//!
//! Every test has a desktop of its own (`support/desktop.rs`) and a Kubernetes API server of its own
//! (`support/stub.rs`). Pictures are kept in `tests/output`, to be looked at.

#![cfg(target_os = "linux")]

mod asking;
mod citizen;
mod drill;
mod figures;
mod frame;
mod newcomer;
mod package;
mod pages;
mod postmortem;
mod recovery;
mod scale;
mod support;
mod trouble;
mod walk;
mod wayland;
mod whole_loop;
