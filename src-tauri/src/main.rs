//! The desktop shell: the window, the tray, notifications, and what holds the rooms together.
//!
//! It holds no decisions: every command calls a use case of `afterwatch-engine`, as the command line does. It is the
//! only crate that knows there is a desktop.

// A released program opens no console window of its own on Windows.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

mod app;
mod args;
mod commands;
mod contexts;
mod desk;
mod face;
mod journal;
mod notify;
mod relay;
mod shell;
mod tray;
mod window;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = args::Args::parse();
    if let Err(message) = app::display() {
        eprintln!("{message}");
        return ExitCode::FAILURE;
    }
    let folder = afterwatch_store::data_folder();
    journal::start(&folder);
    match app::run(args, folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the window could not be started");
            eprintln!("Afterwatch could not open its window: {error}");
            ExitCode::FAILURE
        }
    }
}
