//! The desktop shell: the window, the tray, notifications, and what holds the rooms together.
//!
//! It holds no decisions: every command calls a use case of `afterwatch-engine`, as the command line does. It is the
//! only crate that knows there is a desktop.

// A released program opens no console window of its own on Windows.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

mod app;
mod args;
mod autostart;
mod commands;
mod contexts;
mod desk;
#[cfg(target_os = "linux")]
mod drawing;
mod drill;
mod face;
mod journal;
mod models;
mod notify;
#[cfg(target_os = "linux")]
mod raise;
mod relay;
#[cfg(target_os = "linux")]
mod resident;
mod shell;
mod tray;
mod window;
mod writings;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    drawing::suit();
    let args = args::Args::parse();
    if let Err(message) = app::display() {
        eprintln!("{message}");
        return ExitCode::FAILURE;
    }
    let folder = afterwatch_store::data_folder();
    journal::start(&folder);
    match app::run(args, folder) {
        Ok(()) => ExitCode::SUCCESS,
        // The running app was just quitting when this start wanted to hand over to it: it is gone by now.
        Err(tauri::Error::PluginInitialization(plugin, why)) if plugin == "single-instance" && !again() => {
            tracing::warn!(why, "starting once more");
            std::thread::sleep(std::time::Duration::from_millis(700));
            start_again()
        }
        Err(error) => {
            tracing::error!(%error, "the window could not be started");
            eprintln!("Afterwatch could not open its window: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Marks the second attempt.
const AGAIN: &str = "AFTERWATCH_STARTED_AGAIN";

fn again() -> bool {
    std::env::var_os(AGAIN).is_some()
}

/// Begins from the beginning: a toolkit that was initialised once cannot be taken back.
fn start_again() -> ExitCode {
    let arguments = std::env::args_os().skip(1);
    let started = std::env::current_exe().and_then(|exe| {
        let mut command = std::process::Command::new(exe);
        command.args(arguments).env(AGAIN, "1");
        // In this process's place, so that whoever started it keeps it.
        #[cfg(unix)]
        return Err::<(), _>(std::os::unix::process::CommandExt::exec(&mut command));
        #[cfg(not(unix))]
        command.spawn().map(drop)
    });
    match started {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Afterwatch could not be started: {error}");
            ExitCode::FAILURE
        }
    }
}
