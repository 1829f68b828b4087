//! A question about an incident, answered from what was recorded.

use std::io::{IsTerminal, Read};

use afterwatch_contract::assistant::{AnswerDocument, ExchangeDto};
use afterwatch_core::{
    port::store::IncidentKey,
    writing::{By, Writing},
};
use afterwatch_engine::WriteError;

use crate::{
    args::{self, Writer},
    context::{Context, Database, Desk},
    failure::{Failure, Outcome, exit},
    output::{line, say, writing},
    signal, writer,
};

/// More than this is not a question.
const MOST: u64 = 64 << 10;

pub async fn run(context: &Context, args: &args::Ask) -> Outcome<u8> {
    let question = question(&args.question.join(" "))?;
    let (desk, by) = desk(context, &args.writer).await?;
    let incident = desk.incident(&args.one.id).await?;
    let shown = writing::Shown::new(context.progress());
    let asking = desk.engine.ask(IncidentKey::Id(incident.id), &question, by, &shown);
    let Some(exchange) = until_stopped(asking, &shown).await? else { return Ok(exit::INTERRUPTED) };
    tell_instead(&exchange.answer);
    let document = AnswerDocument {
        schema: "afterwatch.answer/v1".to_owned(),
        incident: incident.id.to_string(),
        number: incident.number,
        exchange: ExchangeDto::from(&exchange),
    };
    context.out.show(
        &document,
        || vec![line(&Row { r#type: "answer", answer: &document })],
        |page| {
            page.heading(&exchange.question);
            page.blank();
            writing::answer(page, &exchange.answer);
        },
    )?;
    Ok(exit::DONE)
}

#[derive(serde::Serialize)]
struct Row<'a> {
    r#type: &'static str,
    answer: &'a AnswerDocument,
}

/// The history, with who is to write over it.
pub async fn desk(context: &Context, wish: &Writer) -> Outcome<(Desk, By)> {
    let store = context.store(Database::Existing).await?;
    let wished = writer::wished(&store, wish).await?;
    Ok((context.desk_with(store, wished.model), wished.by))
}

/// What came of it; nothing when the person stopped it first, and then the model is stopped.
pub async fn until_stopped<T>(
    work: impl Future<Output = Result<T, WriteError>>,
    shown: &writing::Shown,
) -> Outcome<Option<T>> {
    let stop = signal::stop().map_err(super::scan::no_signals)?;
    let outcome = tokio::select! {
        outcome = work => Some(outcome),
        () = stop => None,
    };
    shown.clear();
    outcome.transpose().map_err(Failure::from)
}

/// Says on stderr why the rules wrote although a model was asked for.
pub fn tell_instead(writing: &Writing) {
    if let Some(why) = &writing.instead {
        say(&format!("afterwatch: {why}"));
    }
}

impl From<WriteError> for Failure {
    /// These errors say everything themselves.
    fn from(error: WriteError) -> Failure {
        Failure::new(error.to_string(), "", "")
    }
}

fn question(given: &str) -> Outcome<String> {
    if given != "-" {
        return Ok(given.to_owned());
    }
    if std::io::stdin().is_terminal() {
        say("Type the question, then Ctrl D.");
    }
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(MOST + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::new("The question could not be read", error.to_string(), ""))?;
    if bytes.len() as u64 > MOST {
        return Err(Failure::new("The question is longer than 64 KiB", "", "Ask in fewer words"));
    }
    String::from_utf8(bytes).map_err(|_| Failure::new("The question is not text", "it is not UTF-8", ""))
}
