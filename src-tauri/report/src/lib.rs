//! From an incident to its post-mortem: Markdown by template and in the shape a team is used to, a safe preview, and
//! what leaves the laptop: Markdown with its figure, one HTML page, a PDF.
//!
//! Every statement cites a recorded item: evidence (`[E3]`), a change (`[C2]`), an action (`[A1]`) or the timeline
//! itself for what people and Afterwatch did. Citations are checked against the incident; a statement that cites
//! nothing that is there is printed as *not established*. Time that was not recorded is said to be so, and never
//! turned into a number. What people wrote instead is checked by [`citations`], and exported as they wrote it.
//!
//! Text that comes from a cluster is inert in what is written here: it makes no link, no image, no HTML, no table
//! cell. The words of a page reach the typesetter as data, and it sees no file but its template.
//!
//! This crate reads no clock and no environment, and writes no file. It reads files in one place, `pdf::system`: fonts,
//! from the folders a caller of [`pdf`] names, and only for letters that the embedded faces do not have.

mod chat;
mod check;
mod cite;
mod clock;
mod edit;
mod figure;
mod files;
mod html;
mod page_html;
mod paper;
mod pdf;
mod section;
mod shape;
mod text;
mod tree;
mod words;

use afterwatch_core::{
    coverage::{Coverage, Gap},
    incident::Incident,
};
use jiff::{Timestamp, tz::TimeZone};

pub use chat::chat;
pub use check::{CheckedParagraph, Citing, citations};
pub use edit::{replace_section, section_of};
pub use files::{ReportFile, front_matter, markdown_files};
pub use html::html;
pub use page_html::html_page;
pub use paper::{PageOptions, Review};
pub use pdf::{PdfError, pdf, usual_font_folders};
pub use shape::{Shape, ShapeError, markdown_shaped, section_heading, section_markdown};
pub use words::worded;

/// What a post-mortem is written from.
#[derive(Clone, Debug)]
pub struct ReportInput<'a> {
    pub incident: &'a Incident,
    /// The notes document, Markdown by the user; empty for none.
    pub notes: &'a str,
    /// When the cluster was not recorded, from before the start to the end of the incident.
    pub gaps: &'a [Gap],
    /// Spans of coverage of the incident's cluster that touch its time.
    pub coverage: &'a [Coverage],
    /// The zone times are written in.
    pub zone: TimeZone,
    pub generated_at: Timestamp,
    /// Of the program, for example `0.1.0`.
    pub version: &'a str,
}

/// The post-mortem as Markdown (CommonMark with tables). The same input gives the same text.
pub fn markdown(input: &ReportInput<'_>) -> String {
    let house = &Shape::bundled()[0];
    markdown_shaped(input, house).unwrap_or_else(|error| unreachable!("the house's own shape: {error}"))
}

/// The last moment the record knows of. A page dated by it, instead of by the clock, is the same however often it is
/// exported, until the record changes.
pub fn last_moment(incident: &Incident) -> Timestamp {
    let entries = incident.timeline.iter().flat_map(|e| [Some(e.at), e.until]);
    let instants = [incident.acknowledged_at, incident.mitigated_at, incident.resolved_at];
    let seen = incident.findings.iter().map(|f| Some(f.last_seen));
    let changes = incident.changes.iter().map(|c| Some(c.change.at));
    let all = entries.chain(instants).chain(seen).chain(changes).flatten();
    all.max().map_or(incident.detected_at, |at| at.max(incident.detected_at))
}

/// A name to offer for the file: `INC-47-checkout.md`. Made of letters, digits, dots and dashes only.
pub fn file_name(incident: &Incident) -> String {
    let mut subject = String::new();
    for c in incident.subject.name.chars().take(60) {
        match c {
            'a'..='z' | '0'..='9' => subject.push(c),
            'A'..='Z' => subject.push(c.to_ascii_lowercase()),
            '.' if !subject.is_empty() && !subject.ends_with('.') => subject.push('.'),
            _ if !subject.is_empty() && !subject.ends_with('-') => subject.push('-'),
            _ => {}
        }
    }
    let subject = subject.trim_end_matches(['-', '.']);
    let label = if incident.number == 0 { "incident".to_owned() } else { incident.label() };
    if subject.is_empty() { format!("{label}.md") } else { format!("{label}-{subject}.md") }
}
