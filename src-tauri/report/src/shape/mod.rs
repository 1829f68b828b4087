//! Shapes: which sections a post-mortem has, in which order and under which headings.
//!
//! A shape is a Markdown file with names in double braces. A name that stands alone on a line becomes a part of the
//! post-mortem (`{{summary}}`); a name inside a line becomes a word or two (`{{id}}`). A section in which every such
//! part comes out empty is left out with its heading.

use std::borrow::Cow;

use afterwatch_core::writing::Section;

use crate::{
    ReportInput,
    edit::{headings, section_of},
    section::{self, Page},
};

/// Bytes of a shape.
const LONGEST: usize = 200_000;

/// A shape of the house's or of the user's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// For the command line and for keeping: `house`, `google-sre`, `pagerduty`, `atlassian`, or a file's name.
    pub name: String,
    /// For people.
    pub title: String,
    text: Cow<'static, str>,
}

/// Why a shape cannot be filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    #[error("Line {line} of the shape names {{{{{name}}}}}, which is not known. Known are: {known}.")]
    Unknown { name: String, line: usize, known: String },
    #[error(
        "Line {line} of the shape has {{{{{name}}}}} beside other words: it is a whole part and must stand alone on its line."
    )]
    NotAlone { name: String, line: usize },
    #[error("Line {line} of the shape opens a name with {{{{ and does not close it with }}}}.")]
    Unclosed { line: usize },
    #[error(
        "The shape is too long: {bytes} bytes, and {LONGEST} are read. Leave only headings, prompts and names in it."
    )]
    TooLong { bytes: usize },
}

type Write = fn(&mut Page<'_>);

/// Whole parts.
const PARTS: [(&str, Write); 17] = [
    ("facts", |p| p.facts()),
    ("written", |p| p.written()),
    ("summary", |p| p.summary()),
    ("impact", |p| p.impact()),
    ("timeline", |p| p.timeline()),
    ("trigger", |p| p.trigger()),
    ("contributing_factors", |p| p.contributing_factors()),
    ("root_cause", |p| p.root_cause()),
    ("detection", |p| p.detection()),
    ("response", |p| p.response()),
    ("not_known", |p| p.not_known()),
    ("action_items", |p| p.action_items()),
    ("metrics", |p| p.metrics()),
    ("ruled_out", |p| p.ruled_out()),
    ("gaps", |p| p.gaps()),
    ("notes", |p| p.notes()),
    ("evidence", |p| p.appendix()),
];

/// Words.
const WORDS: [&str; 6] = ["id", "title", "severity", "state", "cluster", "subject"];

impl Shape {
    /// Those that come with the program, the house's own first.
    pub fn bundled() -> [Shape; 4] {
        let shape =
            |name: &str, title: &str, text| Shape { name: name.into(), title: title.into(), text: Cow::Borrowed(text) };
        [
            shape("house", "Afterwatch", include_str!("house.md")),
            shape("google-sre", "Google SRE", include_str!("google-sre.md")),
            shape("pagerduty", "PagerDuty", include_str!("pagerduty.md")),
            shape("atlassian", "Atlassian", include_str!("atlassian.md")),
        ]
    }

    /// The bundled shape of that name, case ignored.
    pub fn named(name: &str) -> Option<Shape> {
        Shape::bundled().into_iter().find(|shape| shape.name.eq_ignore_ascii_case(name))
    }

    /// A shape of the user's own: the file's name without its ending, and what is in it.
    ///
    /// # Errors
    /// When it names something that is not known, or is too long: see [`ShapeError`].
    pub fn own(name: &str, text: String) -> Result<Shape, ShapeError> {
        let shape = Shape { name: name.to_owned(), title: name.to_owned(), text: Cow::Owned(text) };
        shape.check()?;
        Ok(shape)
    }

    /// The shape's own text, to begin one's own from.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn check(&self) -> Result<(), ShapeError> {
        if self.text.len() > LONGEST {
            return Err(ShapeError::TooLong { bytes: self.text.len() });
        }
        for (n, line) in self.text.lines().enumerate() {
            if part(line).is_none() {
                each_name(line, n + 1, |name| WORDS.contains(&name).then(String::new))?;
            }
        }
        Ok(())
    }
}

/// The post-mortem in that shape.
///
/// # Errors
/// When the shape names something that is not known: see [`ShapeError`].
pub fn markdown_shaped(input: &ReportInput<'_>, shape: &Shape) -> Result<String, ShapeError> {
    shape.check()?;
    let page = Page::new(input);
    let mut out: Vec<String> = Vec::new();
    for (from, section) in sections(shape.text()) {
        let (mut body, mut parts, mut filled) = (Vec::new(), 0, 0);
        let mut heading = None;
        for (n, line) in section.iter().enumerate() {
            let Some(write) = part(line) else {
                let line = each_name(line, from + n, |name| word(&page, name))?;
                match heading {
                    None if n == 0 && line.starts_with('#') => heading = Some(line),
                    _ => body.push(line),
                }
                continue;
            };
            parts += 1;
            let text = section::body(input, write);
            if !text.is_empty() {
                filled += 1;
                body.push(text);
            } else if body.last().is_some_and(String::is_empty) {
                body.pop();
            }
        }
        let text = body.join("\n").trim_matches('\n').to_owned();
        if parts > 0 && filled == 0 && text.trim().is_empty() {
            continue;
        }
        out.extend(heading);
        if !text.is_empty() {
            out.push(text);
        }
    }
    Ok(out.join("\n\n") + "\n")
}

/// A section of the post-mortem as the record and the rules have it, without its heading: what *going back to the
/// record* puts there, and what a model is given to word.
pub fn section_markdown(input: &ReportInput<'_>, which: Section) -> String {
    let name = part_name(which);
    PARTS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, write)| section::body(input, *write) + "\n")
        .unwrap_or_default()
}

/// What a shape calls it.
fn part_name(which: Section) -> &'static str {
    match which {
        Section::Summary => "summary",
        Section::Impact => "impact",
        Section::Trigger => "trigger",
        Section::ContributingFactors => "contributing_factors",
        Section::RootCause => "root_cause",
        Section::Detection => "detection",
        Section::Response => "response",
        Section::NotKnown => "not_known",
        Section::ActionItems => "action_items",
    }
}

/// Under which heading a document has that section: the house's own, or what another shape calls it. `None` when it
/// has none of them.
pub fn section_heading(markdown: &str, which: Section) -> Option<String> {
    let name = format!("{{{{{}}}}}", part_name(which));
    let there = headings(markdown);
    Shape::bundled().iter().find_map(|shape| {
        // Only where the section is all there is under the heading.
        let own = headings(shape.text());
        let heading = own.iter().find(|h| section_of(shape.text(), &h.words) == Some(&name[..]))?;
        there.iter().map(|h| h.words.trim()).find(|w| w.eq_ignore_ascii_case(&heading.words)).map(str::to_owned)
    })
}

/// The lines of a shape in sections, each beginning with its heading, with the number of its first line.
fn sections(text: &str) -> Vec<(usize, Vec<&str>)> {
    let mut out: Vec<(usize, Vec<&str>)> = vec![(1, Vec::new())];
    let mut fence = false;
    for (n, line) in text.lines().enumerate() {
        fence ^= line.trim_start().starts_with("```");
        if !fence && line.starts_with('#') {
            out.push((n + 1, Vec::new()));
        }
        if let Some((_, lines)) = out.last_mut() {
            lines.push(line);
        }
    }
    out.retain(|(_, lines)| lines.iter().any(|l| !l.trim().is_empty()));
    out
}

/// The part that a line asks for.
fn part(line: &str) -> Option<Write> {
    let name = line.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
    PARTS.iter().find(|(known, _)| *known == name).map(|(_, write)| *write)
}

/// The line with each name in it replaced.
fn each_name(line: &str, number: usize, value: impl Fn(&str) -> Option<String>) -> Result<String, ShapeError> {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(open) = rest.find("{{") {
        out.push_str(&rest[..open]);
        let Some(close) = rest[open..].find("}}") else { return Err(ShapeError::Unclosed { line: number }) };
        let name = rest[open + 2..open + close].trim();
        match value(name) {
            Some(value) => out.push_str(&value),
            None if PARTS.iter().any(|(known, _)| *known == name) => {
                return Err(ShapeError::NotAlone { name: name.to_owned(), line: number });
            }
            None => {
                let known: Vec<&str> = PARTS.iter().map(|(name, _)| *name).chain(WORDS).collect();
                let name = afterwatch_core::words::clip(name, 40);
                return Err(ShapeError::Unknown { name, line: number, known: known.join(", ") });
            }
        }
        rest = &rest[open + close + 2..];
    }
    out.push_str(rest);
    Ok(out)
}

fn word(page: &Page<'_>, name: &str) -> Option<String> {
    use crate::text::inert;
    let i = page.incident;
    Some(match name {
        "id" if i.number == 0 => "Post-mortem".to_owned(),
        "id" => i.label(),
        "title" => inert(&i.title),
        "severity" => i.severity.word().to_owned(),
        "state" => i.state.word().to_owned(),
        "cluster" => inert(&i.cluster),
        "subject" => inert(&section::plain_object(&i.subject)),
        _ => return None,
    })
}
