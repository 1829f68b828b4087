//! What people do with an incident: acknowledge it, close it, write about it.

use std::{
    io::{IsTerminal, Read, Write},
    path::{Path, PathBuf},
    process::Command,
};

use afterwatch_core::{incident::Incident, port::store::IncidentKey};
use serde::Serialize;

use super::history::told;
use crate::{
    args::Format,
    context::{Context, Database, Desk, who},
    failure::{Failure, Outcome, exit},
    output::{inert, line, say},
};

/// More than this is not a note.
const MOST: u64 = 1 << 20;

pub async fn acknowledge(context: &Context, id: &str) -> Outcome<u8> {
    let desk = context.desk(Database::Existing).await?;
    let incident = desk.engine.acknowledge(IncidentKey::parse(id), &who()).await?;
    done(context, &desk, &incident, &stands(&incident)).await
}

pub async fn resolve(context: &Context, id: &str, reason: Option<&str>) -> Outcome<u8> {
    let desk = context.desk(Database::Existing).await?;
    let incident = desk.engine.resolve(IncidentKey::parse(id), &who(), reason).await?;
    done(context, &desk, &incident, &stands(&incident)).await
}

pub async fn reopen(context: &Context, id: &str) -> Outcome<u8> {
    let desk = context.desk(Database::Existing).await?;
    let incident = desk.engine.reopen(IncidentKey::parse(id), &who()).await?;
    done(context, &desk, &incident, &stands(&incident)).await
}

/// Adds a dated entry to the timeline.
pub async fn note(context: &Context, id: &str, text: &str) -> Outcome<u8> {
    // What a person types is asked for when it is known to have a place; what a pipe brings is gone if it is not read.
    let piped = text == "-" && !std::io::stdin().is_terminal();
    let given = if piped { typed()? } else { text.to_owned() };
    let saved = async {
        let desk = context.desk(Database::Existing).await?;
        desk.incident(id).await?;
        Ok::<_, Failure>(desk)
    };
    let desk = match saved.await {
        Ok(desk) => desk,
        Err(failure) if piped => return Err(kept(&given, failure)),
        Err(failure) => return Err(failure),
    };
    let text = if given == "-" { typed()? } else { given };
    let text = text.trim();
    if text.is_empty() {
        return Err(Failure::new("The note is empty", "", "Write what happened behind the id, or pipe it in with -"));
    }
    match desk.engine.add_entry(IncidentKey::parse(id), &who(), text).await {
        Ok(incident) => {
            done(context, &desk, &incident, &format!("Added to the timeline of {}.", incident.label())).await
        }
        Err(error) => Err(kept(text, error.into())),
    }
}

/// Prints or edits the notes document.
pub async fn notes(context: &Context, id: &str, edit: bool) -> Outcome<u8> {
    let desk = context.desk(Database::Existing).await?;
    let key = IncidentKey::parse(id);
    let incident = desk.incident(id).await?;
    let mut notes = desk.engine.notes(key.clone()).await?;
    let mut words = None;
    if edit {
        let edited = edit_in_editor(&incident, &notes.text)?;
        let now = desk.engine.notes(key.clone()).await?;
        if edited.text == notes.text {
            words = Some(format!("The notes of {} are unchanged.", incident.label()));
        } else if now.version != notes.version {
            return Err(Failure::new(
                format!(
                    "The notes of {} were written by another window or command while you edited them",
                    incident.label()
                ),
                format!("Nothing was overwritten; your text is kept in {}", edited.keep()?.display()),
                format!("Run `kubectl afterwatch notes {} --edit` again and take over what you need", incident.number),
            ));
        } else {
            match desk.engine.save_notes(key, &edited.text).await {
                Ok(saved) => notes = saved,
                Err(error) => {
                    return Err(Failure::new(
                        error.to_string(),
                        format!("Your text is kept in {}", edited.keep()?.display()),
                        "",
                    ));
                }
            }
            words = Some(format!("The notes of {} are saved.", incident.label()));
        }
    }
    let document = Document {
        schema: "afterwatch.notes/v1",
        incident: incident.id.to_string(),
        number: incident.number,
        text: notes.text.clone(),
        updated_at: notes.updated_at.map(|t| t.to_string()),
        version: notes.version,
    };
    match (&words, context.out.format) {
        (None, Format::Table) if !notes.text.is_empty() => {
            let end = if notes.text.ends_with('\n') { "" } else { "\n" };
            context.out.write(&format!("{}{end}", inert::lines(&notes.text)))?;
        }
        (None, Format::Table) => {
            let number = incident.number;
            say(&format!("Nothing is written yet; `kubectl afterwatch notes {number} --edit` opens an editor."));
        }
        (words, _) => {
            let words = words.as_deref().unwrap_or_default();
            context.out.show(&document, || vec![line(&document)], |page| page.line(words))?;
        }
    }
    Ok(exit::DONE)
}

/// The notes document.
#[derive(Serialize)]
struct Document {
    schema: &'static str,
    incident: String,
    number: u64,
    text: String,
    updated_at: Option<String>,
    version: u64,
}

async fn done(context: &Context, desk: &Desk, incident: &Incident, words: &str) -> Outcome<u8> {
    told(context, desk, incident, words).await?;
    Ok(exit::DONE)
}

/// `INC-47 is acknowledged.`
fn stands(incident: &Incident) -> String {
    format!("{} is {}: {}.", incident.label(), incident.state.word().to_lowercase(), incident.title)
}

fn typed() -> Outcome<String> {
    let mut stdin = std::io::stdin().lock();
    if stdin.is_terminal() {
        say("Write the note; Ctrl D ends it.");
    }
    let mut bytes = Vec::new();
    let unreadable = |why: String| Failure::new("The note could not be read from stdin", why, "");
    Read::by_ref(&mut stdin).take(MOST + 1).read_to_end(&mut bytes).map_err(|e| unreadable(e.to_string()))?;
    if bytes.len() as u64 > MOST {
        return Err(unreadable("it is longer than 1 MiB".to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8 text".to_owned()))
}

/// What was typed is not lost with the error.
fn kept(text: &str, failure: Failure) -> Failure {
    let Failure::Told { message, code } = failure else { return failure };
    if text.trim().is_empty() {
        return Failure::Told { message, code };
    }
    let place = private_file("note-").and_then(|(mut file, path)| {
        file.write_all(text.trim().as_bytes())?;
        Ok(path)
    });
    let message = match place {
        Ok(path) => format!("{message} Your note is kept in {}.", path.display()),
        Err(_) => format!("{message} Your note was: {text}"),
    };
    Failure::Told { message, code }
}

/// A file of this user alone that outlives this process.
fn private_file(prefix: &str) -> std::io::Result<(std::fs::File, PathBuf)> {
    let file = tempfile::Builder::new().prefix(&format!("afterwatch-{prefix}")).suffix(".md").tempfile()?;
    file.keep().map_err(|e| e.error)
}

/// What came out of the editor.
struct Edited {
    text: String,
    file: tempfile::NamedTempFile,
}

impl Edited {
    /// Keeps the file, because its text could not be saved.
    fn keep(self) -> Outcome<PathBuf> {
        let (_, path) =
            self.file.keep().map_err(|e| Failure::new("The edited text could not be kept", e.to_string(), ""))?;
        Ok(path)
    }
}

fn edit_in_editor(incident: &Incident, text: &str) -> Outcome<Edited> {
    let trouble = |why: String| Failure::new("The notes could not be opened in an editor", why, "");
    let file = tempfile::Builder::new()
        .prefix(&format!("afterwatch-{}-", incident.label()))
        .suffix(".md")
        .tempfile()
        .map_err(|e| trouble(format!("no temporary file can be made: {e}")))?;
    std::fs::write(file.path(), text).map_err(|e| trouble(format!("{}: {e}", file.path().display())))?;
    let named = |name: &str| std::env::var(name).ok().filter(|v| !v.trim().is_empty());
    let editor = named("VISUAL")
        .or_else(|| named("EDITOR"))
        .unwrap_or_else(|| if cfg!(windows) { "notepad" } else { "vi" }.to_owned());
    let status = run_editor(&editor, file.path()).map_err(|e| {
        Failure::new(
            "The notes could not be opened in an editor",
            format!("`{editor}` does not start: {e}"),
            "Name another one in $EDITOR",
        )
    })?;
    let edited = std::fs::read(file.path()).map_err(|e| trouble(e.to_string()));
    let edited = Edited { text: String::from_utf8_lossy(&edited?).into_owned(), file };
    if !status.success() {
        let why = format!("`{editor}` ended with {status}");
        if edited.text == text {
            return Err(Failure::new("The notes are unchanged", why, ""));
        }
        return Err(Failure::new(
            "The notes were not saved",
            why,
            format!("Your text is kept in {}", edited.keep()?.display()),
        ));
    }
    Ok(edited)
}

/// `$EDITOR` may hold arguments (`code --wait`), which the shell takes apart, as git and kubectl do it.
fn run_editor(editor: &str, file: &Path) -> std::io::Result<std::process::ExitStatus> {
    if cfg!(windows) {
        return Command::new(editor).arg(file).status();
    }
    Command::new("sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(file).status()
}
