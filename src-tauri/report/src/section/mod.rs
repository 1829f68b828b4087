//! The sections of the post-mortem, in the order of the page.

pub(crate) mod appendix;
pub(crate) mod cause;
mod follow_up;
mod head;
pub(crate) mod record;
mod response;
pub(crate) mod timeline;

use std::fmt::Write;

use afterwatch_core::{Timestamp, coverage::Gap, incident::Incident, object::ObjectRef};

use crate::{ReportInput, cite::Citations, clock::Clock, text::inert};

/// What every section writes from, and to.
pub(crate) struct Page<'a> {
    pub input: &'a ReportInput<'a>,
    pub incident: &'a Incident,
    cite: Citations<'a>,
    pub clock: Clock,
    out: String,
}

/// One part of the page without its heading, and without space around it.
pub(crate) fn body(input: &ReportInput<'_>, write: fn(&mut Page<'_>)) -> String {
    let mut page = Page::new(input);
    write(&mut page);
    let out = page.out.trim_matches('\n');
    match out.strip_prefix("## ") {
        Some(rest) => rest.split_once('\n').map_or("", |(_, body)| body).trim_matches('\n').to_owned(),
        None => out.to_owned(),
    }
}

fn instants(incident: &Incident) -> impl Iterator<Item = Timestamp> {
    [
        incident.started_at,
        Some(incident.detected_at),
        incident.acknowledged_at,
        incident.mitigated_at,
        incident.resolved_at,
    ]
    .into_iter()
    .flatten()
    .chain(incident.earlier.iter().flat_map(|o| [o.started_at, o.mitigated_at, o.resolved_at]).flatten())
}

impl<'a> Page<'a> {
    pub fn new(input: &'a ReportInput<'a>) -> Page<'a> {
        let incident = input.incident;
        let moments =
            incident.timeline.iter().map(|e| e.at).chain(instants(incident)).chain(input.gaps.iter().map(|g| g.from));
        Page {
            input,
            incident,
            cite: Citations::new(incident),
            clock: Clock::new(input.zone.clone(), moments),
            out: String::new(),
        }
    }

    /// A heading of the second level.
    fn heading(&mut self, title: &str) {
        self.paragraph(&format!("## {title}"));
    }

    /// A paragraph of finished Markdown.
    fn paragraph(&mut self, text: &str) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out.push_str(text);
        self.out.push('\n');
    }

    /// A list of finished Markdown, each item on one line.
    fn list(&mut self, items: &[String]) {
        if !items.is_empty() {
            self.paragraph(&items.iter().map(|item| format!("- {item}")).collect::<Vec<_>>().join("\n"));
        }
    }

    /// A table of finished cells.
    fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        let mut text = format!("| {} |\n|{}", head.join(" | "), " --- |".repeat(head.len()));
        for row in rows {
            let _ = write!(text, "\n| {} |", row.join(" | "));
        }
        self.paragraph(&text);
    }

    /// A line for the author to replace.
    fn prompt(&mut self, text: &str) {
        self.paragraph(&format!("*For the author: {text}*"));
    }

    /// `Deployment shop/checkout`.
    fn object(&self, object: &ObjectRef) -> String {
        inert(&plain_object(object))
    }

    /// The gaps by time.
    pub fn sorted_gaps(&self) -> Vec<Gap> {
        let mut gaps = self.input.gaps.to_vec();
        gaps.sort_by_key(|g| (g.from, g.to));
        gaps
    }
}

/// `Deployment shop/checkout`, not yet inert.
pub(crate) fn plain_object(object: &ObjectRef) -> String {
    match &object.namespace {
        Some(namespace) => format!("{} {namespace}/{}", object.kind, object.name),
        None => format!("{} {}", object.kind, object.name),
    }
}
