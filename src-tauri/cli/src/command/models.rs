//! The language models: what is here, what can be had, which one writes.

mod document;
mod page;
mod test;

use std::{
    io::{IsTerminal, Read},
    path::Path,
};

use afterwatch_assistant::{
    chosen::{Chosen, ModelChoice, SETTING},
    models::{Job, JobKind, Models, Running},
    problem::{Problem, size},
    server,
};
use afterwatch_core::check::{Check, Level};

use self::document::Document;
use crate::{
    args::{self, ChooseModel, ModelsCommand},
    context::{Context, Database, Desk},
    failure::{Failure, Outcome, exit},
    output::{Progress, rows},
    signal,
};

impl From<Problem> for Failure {
    /// Such problems say everything themselves.
    fn from(problem: Problem) -> Failure {
        Failure::new(problem.message, "", "")
    }
}

pub async fn run(context: &Context, args: args::Models) -> Outcome<u8> {
    let models = models();
    match args.command {
        ModelsCommand::List => list(context, &models).await,
        ModelsCommand::Add(args) => add(context, &models, &args.model, args.choose).await,
        ModelsCommand::Choose(args) => choose(context, &models, args).await,
        ModelsCommand::Test(args) => test::run(context, &models, args.id.as_deref()).await,
        ModelsCommand::Remove(args) => remove(context, &models, &args.id).await,
    }
}

/// The app's own models: they are the computer's, whichever database is named.
fn models() -> Models {
    Models::new(afterwatch_store::data_folder().join("models"))
}

async fn chosen(desk: &Desk) -> Outcome<Chosen> {
    Ok(Chosen::from_setting(desk.engine.setting(SETTING).await?))
}

async fn keep(desk: &Desk, chosen: &Chosen) -> Outcome {
    Ok(desk.engine.set_setting(SETTING, chosen.to_setting()).await?)
}

async fn list(context: &Context, models: &Models) -> Outcome<u8> {
    let desk = context.desk(Database::Existing).await?;
    let chosen = chosen(&desk).await?;
    let mut progress = context.progress();
    // What was put into the folder by hand is known by its hash only after it was read.
    for model in models.look(&chosen).await?.installed {
        if model.file.sha256.is_some() || model.file.facts.is_err() {
            continue;
        }
        if follow(models, models.hash(&model.file.id)?, &mut progress).await?.is_none() {
            return Ok(exit::INTERRUPTED);
        }
    }
    progress.clear();
    let page = models.look(&chosen).await?;
    let document = Document::of(&page, &chosen).marked(&test::read(&desk).await?);
    context.out.show(&document, || document.lines(), |sheet| page::show(sheet, &page))?;
    Ok(exit::DONE)
}

async fn add(context: &Context, models: &Models, model: &Path, choose: bool) -> Outcome<u8> {
    let mut progress = context.progress();
    let id = model.to_str().filter(|id| !model.exists() && models.offers(id));
    let running = match id {
        Some(id) => models.download(id)?,
        None => models.import(model.to_owned())?,
    };
    let Some(added) = follow(models, running, &mut progress).await? else {
        progress.told(match id {
            Some(_) => "Interrupted. What came is kept; the same command goes on from there.",
            None => "Interrupted. Nothing was kept of the file.",
        });
        return Ok(exit::INTERRUPTED);
    };
    progress.clear();
    let desk = context.desk(if choose { Database::Made } else { Database::Existing }).await?;
    let mut chosen = chosen(&desk).await?;
    if choose {
        chosen.choice = ModelChoice::File { id: added.id.clone() };
        keep(&desk, &chosen).await?;
    }
    let page = models.look(&chosen).await?;
    let document = document::installed(page.installed.iter().find(|m| m.file.id == added.id));
    context.out.show(
        &document,
        || rows("model", std::slice::from_ref(&document)),
        |sheet| {
            sheet.line(format!("{} is here, as {}.", document.model.name, added.path.display()));
            if !document.model.verified {
                sheet.line("Its hash is none of the catalogue's: whether it is what its name says was not checked.");
            }
            match choose {
                true => sheet.line("It writes from now on."),
                false => sheet.line(format!("`kubectl afterwatch models choose {}` lets it write.", added.id)),
            }
        },
    )?;
    Ok(exit::DONE)
}

async fn choose(context: &Context, models: &Models, args: ChooseModel) -> Outcome<u8> {
    let desk = context.desk(Database::Made).await?;
    let mut chosen = chosen(&desk).await?;
    let mut told = Vec::new();
    if args.forget_server {
        models.forget_server(&mut chosen).await?;
        told.push("The server and its key are forgotten.".to_owned());
    }
    if let (Some(typed), Some(model)) = (&args.server, args.model) {
        let key = if args.key_stdin { Some(key_from_stdin()?) } else { None };
        if let Some(why) = models.name_server(&mut chosen, typed, model, args.context_tokens, key).await? {
            // This program ends now, and the key with it.
            return Err(Failure::new(why, "", "Start a keychain, or name a server that wants no key"));
        }
        told.extend(chosen.server.as_ref().map(|place| server::warning(&place.url)));
        // Whether it answers is worth knowing now; it may also be started later.
        if let Some(server) = models.server(&chosen)? {
            told.push(server.check().await.unwrap_or_else(|problem| problem.message));
        }
    }
    match args.id.as_deref() {
        None => {}
        Some("none") => {
            chosen.choice = ModelChoice::None;
            told.push("Rules and templates write everything.".to_owned());
        }
        Some(id) => {
            let model = models.installed_of(id).await?;
            chosen.choice = ModelChoice::File { id: model.id.clone() };
            told.push(format!("{} writes from now on, on this computer.", model.id));
            let page = models.look(&chosen).await?;
            let fit = page.installed.iter().find(|m| m.file.id == model.id).and_then(|m| m.fit.sentence());
            told.extend(fit.map(str::to_owned));
        }
    }
    keep(&desk, &chosen).await?;
    let page = models.look(&chosen).await?;
    let document = Document::of(&page, &chosen);
    context.out.show(&document, || document.lines(), |sheet| told.iter().for_each(|line| sheet.line(line)))?;
    Ok(exit::DONE)
}

async fn remove(context: &Context, models: &Models, id: &str) -> Outcome<u8> {
    let desk = context.desk(Database::Existing).await?;
    let mut chosen = chosen(&desk).await?;
    let was = chosen.choice.clone();
    let gone = models.remove(id).await?;
    chosen.forget_file(&gone.id);
    if chosen.choice != was {
        keep(&desk, &chosen).await?;
    }
    let page = models.look(&chosen).await?;
    let document = Document::of(&page, &chosen);
    context.out.show(
        &document,
        || document.lines(),
        |sheet| {
            sheet.line(format!("{} is deleted; {} are free again.", gone.id, size(gone.size_bytes)));
            if chosen.choice != was {
                sheet.line("It was what wrote: rules and templates write from now on.");
            }
        },
    )?;
    Ok(exit::DONE)
}

/// Shows how far it is until it ends; none when it was interrupted.
async fn follow<T>(models: &Models, running: Running<T>, progress: &mut Progress) -> Outcome<Option<T>> {
    let stop = signal::stop().map_err(super::scan::no_signals)?;
    let (mut watch, end) = (models.watch(), running.end());
    tokio::pin!(stop, end);
    loop {
        if let Some(job) = watch.borrow_and_update().as_ref() {
            progress.passing(&words(job));
        }
        tokio::select! {
            ended = &mut end => return Ok(Some(ended?)),
            () = &mut stop => {
                models.cancel();
                // What it was doing is put away before the program ends.
                let _ = end.await;
                return Ok(None);
            }
            Ok(()) = watch.changed() => {}
        }
    }
}

fn words(job: &Job) -> String {
    let doing = match job.kind {
        JobKind::Import => "Reading",
        JobKind::Download => "Downloading",
        JobKind::Exam => "Testing",
    };
    let left = job.left_s.map_or_else(String::new, |s| match s {
        0..90 => format!(", {s} s left"),
        _ => format!(", {} m left", s.div_ceil(60)),
    });
    let far = match job.kind {
        JobKind::Exam => format!("{} of {} incidents", job.done, job.all),
        JobKind::Import | JobKind::Download => format!("{} of {}", size(job.done), size(job.all)),
    };
    format!("{doing} {}, {far}{left}; Ctrl C ends it", job.model)
}

fn key_from_stdin() -> Outcome<String> {
    let mut input = std::io::stdin();
    if input.is_terminal() {
        return Err(Failure::Told {
            message: "--key-stdin reads the key from a pipe, so that it is neither seen nor kept by the shell. Write for example: pass show gpu | kubectl afterwatch models choose …".to_owned(),
            code: 2,
        });
    }
    let mut key = String::new();
    let read = std::io::Read::by_ref(&mut input).take(16 * 1024).read_to_string(&mut key);
    read.map_err(|_| Failure::new("The key could not be read from stdin", "", "Pipe it in as text"))?;
    if key.trim().is_empty() {
        return Err(Failure::new("There is no key on stdin", "", "Pipe it in, or leave --key-stdin out"));
    }
    Ok(key.trim().to_owned())
}

/// For the doctor: what writes, and whether it can. A server is not contacted.
pub async fn check(context: &Context) -> Check {
    let check =
        |level, message: String, hint: &str| Check { name: "model".to_owned(), level, message, hint: hint.to_owned() };
    let read = async {
        // No database is made only to ask what it says.
        if context.database(Database::Made).is_none_or(|path| !path.exists()) {
            return Ok(Chosen::default());
        }
        chosen(&context.desk(Database::Made).await?).await
    };
    // What is wrong with the database has a line of its own.
    let chosen = read.await.unwrap_or_else(|_: Failure| Chosen::default());
    let models = models();
    match &chosen.choice {
        ModelChoice::None => check(Level::Ok, "none; rules and templates write the text".to_owned(), ""),
        ModelChoice::Server { url, model } => check(Level::Ok, format!("{model} on {url}, not asked now"), ""),
        ModelChoice::File { id } => {
            let again = "Choose another with `kubectl afterwatch models choose`; until then rules and templates write.";
            let page = match (models.installed_of(id).await, models.look(&chosen).await) {
                (Err(problem), _) | (_, Err(problem)) => return check(Level::Warn, problem.message, again),
                (Ok(_), Ok(page)) => page,
            };
            let worker = afterwatch_assistant::choice::worker_program();
            if !worker.is_file() {
                let missing = format!("the program that runs models is missing ({})", worker.display());
                return check(Level::Warn, missing, "Install Afterwatch again; until then rules and templates write.");
            }
            let found = page.installed.into_iter().find(|m| m.chosen);
            match found.as_ref().map(|m| (m, m.fit.sentence())) {
                Some((m, None)) => check(Level::Ok, format!("{}, needs {}", m.name, size(m.memory_bytes)), ""),
                Some((m, Some(why))) => check(Level::Warn, format!("{}: {why}", m.name), again),
                None => check(Level::Warn, format!("{id} is not there"), again),
            }
        }
    }
}
