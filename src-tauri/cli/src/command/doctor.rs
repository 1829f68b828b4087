//! Everything Afterwatch needs, one line each, with what to do.

use afterwatch_cluster::Limits;
use afterwatch_core::{
    check::{Check, Level},
    port::store::IncidentQuery,
    words,
};
use afterwatch_store::disk;
use serde::Serialize;

use crate::{
    context::{Context, Database, limits},
    failure::{Failure, Outcome, exit},
    notifier,
    output::{Page, rows},
    signal,
};

pub async fn run(context: &Context) -> Outcome<u8> {
    let stop = signal::stop().map_err(super::scan::no_signals)?;
    let mut progress = context.progress();
    let started = std::time::Instant::now();
    let mut tick = tokio::time::interval(std::time::Duration::from_secs(1));
    let (checking, stop) = (all(context), stop);
    tokio::pin!(checking, stop);
    let checks = loop {
        tokio::select! {
            checks = &mut checking => break checks,
            () = &mut stop => return Ok(exit::INTERRUPTED),
            _ = tick.tick() => progress.passing(&format!("Asking the clusters, {} s; Ctrl C ends it", started.elapsed().as_secs())),
        }
    };
    progress.clear();
    let document = Document { schema: "afterwatch.doctor/v1", checks: checks.iter().map(dto).collect() };
    context.out.show(&document, || rows("check", &document.checks), |page| show(page, &checks))?;
    Ok(if checks.iter().any(|c| c.level == Level::Fail) { exit::FAILED } else { exit::DONE })
}

async fn all(context: &Context) -> Vec<Check> {
    let kubeconfigs = afterwatch_cluster::load(context.common.kubeconfig.as_deref());
    let mut checks = vec![path()];
    let (names, unnamed) = match context.context_names(&kubeconfigs) {
        Ok(names) => (names, None),
        Err(failure) => (Vec::new(), Some(failed("context", &failure))),
    };
    let (limits, wrong) = match limits() {
        Ok(limits) => (limits, None),
        Err(failure) => (Limits::default(), Some(failed("environment", &failure))),
    };
    let mut asked = kubeconfigs.doctor(&names, &context.cluster_options([0; 16]), limits).await;
    asked.extend(wrong);
    // Without any context the line about the files says why already.
    asked.extend(unnamed.filter(|_| !kubeconfigs.contexts.is_empty()));
    checks.splice(0..0, asked);
    checks.push(database(context).await);
    checks.push(disk(context));
    checks.push(match notifier::server().await {
        Ok(name) => check("notifications", Level::Ok, format!("{name} shows them")),
        Err(why) => Check {
            hint: "Start a notification service (most desktops have one), or leave --notify out.".to_owned(),
            ..check("notifications", Level::Warn, why)
        },
    });
    checks.push(super::models::check(context).await);
    checks
}

fn check(name: &str, level: Level, message: String) -> Check {
    Check { name: name.to_owned(), level, message, hint: String::new() }
}

fn failed(name: &str, failure: &Failure) -> Check {
    let message = match failure {
        Failure::Told { message, .. } => message.clone(),
        Failure::NobodyReads => String::new(),
    };
    check(name, Level::Fail, message)
}

fn path() -> Check {
    match std::env::var_os("PATH").filter(|p| !p.is_empty()) {
        Some(path) => check("PATH", Level::Ok, path.to_string_lossy().into_owned()),
        None => Check {
            hint: "Credential plugins are looked for there: set it.".to_owned(),
            ..check("PATH", Level::Warn, "is empty".to_owned())
        },
    }
}

/// Opens the database as a recorder would, but makes none.
async fn database(context: &Context) -> Check {
    let Some(path) = context.database(Database::Made) else {
        return check("database", Level::Ok, ":memory:, nothing is kept".to_owned());
    };
    if !path.exists() {
        let folder = disk::existing_folder(&path);
        let writable = tempfile::Builder::new().prefix(".afterwatch-").tempfile_in(&folder);
        return match writable {
            Ok(_) => check("database", Level::Ok, format!("none yet; it will be made at {}", path.display())),
            Err(error) => Check {
                hint: "Check the folder's permissions, or name another place with --db.".to_owned(),
                ..check("database", Level::Fail, format!("none can be made at {}: {error}", path.display()))
            },
        };
    }
    let read = async {
        let desk = context.desk(Database::Made).await?;
        let count = desk.engine.heads(IncidentQuery::default()).await?.len();
        let size = afterwatch_core::port::Store::size_bytes(&*desk.store);
        Ok::<_, Failure>(format!("{}, {}, {}", path.display(), words::count(count, "incident"), disk::bytes(size)))
    };
    match read.await {
        Ok(words) => check("database", Level::Ok, words),
        Err(failure) => failed("database", &failure),
    }
}

fn disk(context: &Context) -> Check {
    disk::check(&context.database(Database::Made).unwrap_or_else(std::env::temp_dir))
}

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    checks: Vec<CheckDto>,
}

#[derive(Serialize)]
struct CheckDto {
    name: String,
    /// `ok`, `warn` or `fail`.
    level: &'static str,
    message: String,
    /// Empty where there is nothing to do.
    hint: String,
}

fn dto(check: &Check) -> CheckDto {
    let c = check.clone();
    CheckDto { name: c.name, level: level(c.level).1, message: c.message, hint: c.hint }
}

fn level(level: Level) -> (&'static str, &'static str) {
    match level {
        Level::Ok => ("✓", "ok"),
        Level::Warn => ("!", "warn"),
        Level::Fail => ("✕", "fail"),
    }
}

fn show(page: &mut Page<'_>, checks: &[Check]) {
    let width = checks.iter().map(|c| c.name.chars().count()).max().unwrap_or(0);
    for c in checks {
        page.hanging(&format!("{} {:<width$}  ", level(c.level).0, c.name), &c.message, &[]);
        if !c.hint.is_empty() {
            page.hanging(&format!("  {:<width$}  → ", ""), &c.hint, &[]);
        }
    }
}
