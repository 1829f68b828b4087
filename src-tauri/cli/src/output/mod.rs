//! Results go to stdout, in the form that was asked for; everything else goes to stderr.

mod document;
pub mod incident;
pub mod inert;
pub mod list;
pub mod page;
mod progress;
#[cfg(test)]
mod tests;
pub mod writing;

use std::io::{self, IsTerminal, Write};

pub use document::{Closing, Part, closing, incident_line, line, rows};
use jiff::{Timestamp, tz::TimeZone};
pub use page::{Look, Page};
pub use progress::Progress;
use serde::Serialize;

use crate::{
    args::{Common, Format},
    failure::{Failure, Outcome},
};

/// Where results go, and how they look.
#[derive(Clone, Debug)]
pub struct Out {
    pub format: Format,
    pub look: Look,
}

impl Out {
    pub fn new(common: &Common) -> Out {
        let terminal = io::stdout().is_terminal();
        let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        let columns = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Out {
            format: common.output,
            look: Look {
                colour: terminal && !common.no_color && !set("NO_COLOR") && !dumb,
                width: columns.filter(|w| terminal && *w > 0),
                zone: TimeZone::system(),
                now: Timestamp::now(),
            },
        }
    }

    /// Writes a result: one document, its lines, or a page for people.
    pub fn show(
        &self,
        document: &impl Serialize,
        lines: impl FnOnce() -> Vec<String>,
        page: impl FnOnce(&mut Page<'_>),
    ) -> Outcome {
        match self.format {
            Format::Table => {
                let mut sheet = Page::new(&self.look);
                page(&mut sheet);
                self.write(&sheet.into_text())
            }
            Format::Jsonl => lines().iter().try_for_each(|line| self.json_line(line)),
            Format::Json => {
                let text = serde_json::to_string_pretty(document).map_err(unwritable)?;
                self.write(&format!("{}\n", inert::json(&text)))
            }
            Format::Yaml => {
                let text = serde_saphyr::to_string(document).map_err(unwritable)?;
                if inert::is(&text) {
                    return self.write(&text);
                }
                // Rare enough that the order of the fields may go with it.
                let mut value = serde_json::to_value(document).map_err(unwritable)?;
                inert::hide(&mut value);
                self.write(&inert::reveal(&serde_saphyr::to_string(&value).map_err(unwritable)?))
            }
        }
    }

    /// A line of `-o jsonl`.
    pub fn json_line(&self, line: &str) -> Outcome {
        self.write(&format!("{}\n", inert::json(line)))
    }

    /// Writes as it is, at once.
    pub fn write(&self, text: &str) -> Outcome {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()?;
        Ok(())
    }
}

fn unwritable(error: impl std::fmt::Display) -> Failure {
    Failure::new("The result could not be written", error.to_string(), "")
}

/// Says something on stderr. That nobody may read it is no reason to stop.
pub fn say(text: &str) {
    let mut line = inert::lines(text).into_owned();
    line.push('\n');
    let _ = io::stderr().write_all(line.as_bytes());
}
