//! The command line: the same use cases as the window's, without a window, as a kubectl plugin.
//!
//! Nothing is decided here. Every command calls the engine, on the same database as the app, and prints what comes
//! back: results to stdout, everything else to stderr. What must not be in here: what counts as broken, how things are
//! stored, how a cluster is spoken to.

mod args;
mod command;
mod context;
mod failure;
mod notifier;
mod output;
mod process;
mod signal;
mod span;
mod writer;

use std::{io::Write, process::ExitCode, time::Duration};

use clap::Parser;
use tracing_subscriber::{EnvFilter, filter::filter_fn, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    args::{Cli, Common},
    context::Context,
    failure::{Failure, exit},
};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => {
            // Help is no failure; nor is it one that nobody reads it.
            let _ = told.print();
            return ExitCode::from(u8::try_from(told.exit_code()).unwrap_or(2));
        }
    };
    log(&cli.common);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(Err(Failure::new("Afterwatch could not start", error.to_string(), ""))),
    };
    let context = Context::new(cli.common);
    let outcome = runtime.block_on(command::run(&context, cli.command));
    // The database is closed by now. A plugin or a name look-up that still hangs is not waited for.
    runtime.shutdown_timeout(Duration::from_millis(300));
    end(outcome)
}

/// Says what went wrong, once.
fn end(outcome: Result<u8, Failure>) -> ExitCode {
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(Failure::NobodyReads) => ExitCode::from(exit::DONE),
        Err(Failure::Told { message, code }) => {
            output::say(&format!("afterwatch: {message}"));
            ExitCode::from(code)
        }
    }
}

/// Logs go to stderr, warnings only unless asked for more; `AFTERWATCH_LOG` sets the filter.
fn log(common: &Common) {
    let level = match common.verbose {
        0 => "error",
        1 => "info",
        _ => "debug",
    };
    let wanted = std::env::var("AFTERWATCH_LOG").unwrap_or_else(|_| level.to_owned());
    // What kube logs may hold response bodies: whatever was asked for, it is left out.
    let filter = EnvFilter::builder().parse_lossy(format!("{wanted},{}", afterwatch_cluster::LOG_FILTER));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Harmless(Vec::new()))
        .with_ansi(false)
        .with_target(false)
        .log_internal_errors(false)
        .finish()
        .with(filter_fn(afterwatch_cluster::may_be_logged));
    // Fails only when one is set already.
    let _ = subscriber.try_init();
}

/// A log line on its way to stderr: what servers and plugins wrote into it must not act on the terminal.
struct Harmless(Vec<u8>);

impl Write for Harmless {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Harmless {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.0);
        let _ = std::io::stderr().write_all(output::inert::lines(&text).as_bytes());
    }
}
