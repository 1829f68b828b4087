//! The commands. Each opens what it needs, calls the engine, and prints.

mod advise;
mod ask;
mod doctor;
mod history;
mod inspect;
mod models;
mod people;
mod replay;
mod report;
mod scan;
mod silence;
mod watch;

use crate::{args::Command, context::Context, failure::Outcome};

/// Runs a command; gives the code to end with.
pub async fn run(context: &Context, command: Command) -> Outcome<u8> {
    match command {
        Command::Scan(args) => scan::run(context, &args).await,
        Command::Inspect(args) => inspect::run(context, &args).await,
        Command::Watch(args) => watch::run(context, &args).await,
        Command::Incidents(args) => history::incidents(context, args).await,
        Command::Incident(args) => history::incident(context, &args.id).await,
        Command::Timeline(args) => history::timeline(context, &args.id).await,
        Command::Evidence(args) => history::evidence(context, &args.one.id, args.item.as_deref()).await,
        Command::Changes(args) => history::changes(context, &args.id).await,
        Command::Note(args) => people::note(context, &args.one.id, &args.text.join(" ")).await,
        Command::Notes(args) => people::notes(context, &args.one.id, args.edit).await,
        Command::Ack(args) => people::acknowledge(context, &args.id).await,
        Command::Resolve(args) => people::resolve(context, &args.one.id, args.reason.as_deref()).await,
        Command::Reopen(args) => people::reopen(context, &args.id).await,
        Command::Silence(args) => silence::add(context, args).await,
        Command::Silences(args) => silence::list(context, args.end.as_deref()).await,
        Command::Ask(args) => ask::run(context, &args).await,
        Command::Advise(args) => advise::run(context, &args).await,
        Command::Report(args) => report::run(context, &args).await,
        Command::Replay(args) => replay::run(context, &args).await,
        Command::Models(args) => models::run(context, args).await,
        Command::Doctor => doctor::run(context).await,
    }
}
