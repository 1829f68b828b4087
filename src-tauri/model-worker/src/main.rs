//! The process that holds llama.cpp: requests as JSON lines on standard input, replies on standard output.
//!
//! It is a process of its own because llama.cpp ends its process where a library would return an error, and because
//! memory comes back for certain only from a process that is gone. It opens no connection and no file but the model
//! it is given and what it keeps of fixed prompts. It knows nothing of incidents, windows or the history; what it is
//! told to read is text to it.
//!
//! Try it by hand: `printf '{"id":1,"ask":"info"}\n' | afterwatch-model`.

mod chat;
mod inbox;
mod limits;
mod log;
mod outlet;
mod prefix;
mod session;

use std::process::ExitCode;

use afterwatch_model_protocol::{FailureKind, Say, processor};

/// The processor lacks an instruction.
const UNFIT_PROCESSOR: u8 = 3;

fn main() -> ExitCode {
    if let Some(code) = limits::clean_environment() {
        return code;
    }
    let outlet = outlet::Outlet::new();
    let missing = processor::missing();
    if !missing.is_empty() {
        let message = processor::sentence(&missing);
        outlet.say(0, Say::Failed { kind: FailureKind::Processor, message });
        return UNFIT_PROCESSOR.into();
    }
    limits::step_back();
    log::start();
    let inbox = inbox::Inbox::open(&outlet);
    session::serve(&inbox, &outlet);
    ExitCode::SUCCESS
}
