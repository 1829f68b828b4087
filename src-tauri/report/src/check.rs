//! Whether what people write cites the record: quick enough to run at every pause in typing.

use std::ops::Range;

use afterwatch_core::incident::Incident;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::cite::{Known, is_id};

/// Sections, by words in their heading, in which nothing needs a citation: what the record itself writes (timeline,
/// metrics, gaps, notes, the appendix), what says what is not known, what is still to be done, and what only people
/// can say (lessons, responders, messages).
const EXEMPT: [&str; 22] = [
    "timeline",
    "metrics",
    "gaps in the record",
    "notes",
    "supporting",
    "evidence",
    "appendix",
    "not known",
    "action",
    "went well",
    "went badly",
    "went wrong",
    "go so well",
    "got lucky",
    "lessons",
    "how did we do",
    "responders",
    "messaging",
    "internal",
    "external",
    "five whys",
    "backlog",
];

/// What a sentence stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Citing {
    /// On these items, all of them in the record; `timeline` for what the timeline itself records.
    Cites(Vec<String>),
    /// It says that it is not established, not known or not recorded.
    SaysNotEstablished,
    Nothing,
    /// It cites these, which the record does not hold.
    Unknown(Vec<String>),
}

/// A sentence of a section in which statements are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedParagraph {
    /// The heading it stands under; empty above the first.
    pub heading: String,
    pub citing: Citing,
    /// Of its beginning, from 1.
    pub line: usize,
    /// Where it stands in the Markdown, in bytes.
    pub bytes: Range<usize>,
    /// The same in UTF-16 units, as editors in a browser count.
    pub utf16: Range<usize>,
}

/// Every sentence that makes a statement, with what it cites. Tables, code, headings, prompts to the author, lines
/// that introduce a list, and whole sections that state nothing about the incident are passed over.
pub fn citations(markdown: &str, incident: &Incident) -> Vec<CheckedParagraph> {
    let known = Known::new(incident);
    let mut out = Vec::new();
    let mut place = Place { at: 0, line: 1, utf16: 0 };
    for unit in units(markdown) {
        for bytes in sentences(markdown, unit.range) {
            let Some(citing) = citing(&markdown[bytes.clone()], &known) else { continue };
            let (line, from) = place.to(markdown, bytes.start);
            let (_, to) = place.to(markdown, bytes.end);
            out.push(CheckedParagraph { heading: unit.heading.clone(), citing, line, bytes, utf16: from..to });
        }
    }
    for n in (1..out.len()).rev() {
        let (before, after) = (&out[n - 1], &out[n]);
        if before.citing == Citing::Nothing
            && matches!(after.citing, Citing::Cites(_))
            && !markdown[before.bytes.start..after.bytes.start].contains('\n')
            && is_cause(line_at(markdown, before.bytes.start))
        {
            out[n - 1].citing = out[n].citing.clone();
        }
    }
    out
}

/// Whether the record states its cause in this line: in one sentence or several, with what all of them stand on at the
/// end.
fn is_cause(line: &str) -> bool {
    ["Established", "Likely", "Possible"]
        .iter()
        .any(|word| line.starts_with(&format!("{word} cause: ")) || line.starts_with(&format!("**{word}** (")))
}

/// The line of this place.
fn line_at(text: &str, at: usize) -> &str {
    let from = text[..at].rfind('\n').map_or(0, |n| n + 1);
    text[from..].lines().next().unwrap_or_default()
}

/// Counts lines and UTF-16 units as it goes forward.
struct Place {
    at: usize,
    line: usize,
    utf16: usize,
}

impl Place {
    fn to(&mut self, text: &str, at: usize) -> (usize, usize) {
        for c in text[self.at..at].chars() {
            self.line += usize::from(c == '\n');
            self.utf16 += c.len_utf16();
        }
        self.at = at;
        (self.line, self.utf16)
    }
}

struct Unit {
    heading: String,
    range: Range<usize>,
}

/// Paragraphs and tight list items that may state something, by place.
fn units(markdown: &str) -> Vec<Unit> {
    let parser = Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let mut out: Vec<Unit> = Vec::new();
    let (mut heading, mut open_heading) = (String::new(), None::<(u8, String)>);
    let mut exempt_under: Option<u8> = None;
    // Inside of tables, code and HTML nothing is looked at.
    let mut aside = 0_usize;
    let mut run: Option<Range<usize>> = None;
    // The needs under "What would settle it:" are what is not known.
    let mut needs = false;
    let mut listed = 0_usize;
    let mut before_section = true;
    let flush = |run: &mut Option<Range<usize>>, out: &mut Vec<Unit>, heading: &str, skip: bool| {
        if let Some(range) = run.take()
            && !skip
        {
            out.push(Unit { heading: heading.to_owned(), range });
        }
    };
    for (event, range) in parser.into_offset_iter() {
        let skip = exempt_under.is_some() || aside > 0 || (needs && listed > 0) || before_section;
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                flush(&mut run, &mut out, &heading, skip);
                open_heading = Some((level as u8, String::new()));
            }
            Event::End(TagEnd::Heading(_)) => {
                if let Some((level, words)) = open_heading.take() {
                    if exempt_under.is_some_and(|under| level <= under) {
                        exempt_under = None;
                    }
                    let lower = words.to_lowercase();
                    if exempt_under.is_none() && EXEMPT.iter().any(|word| lower.contains(word)) {
                        exempt_under = Some(level);
                    }
                    (heading, needs) = (words, false);
                    // What stands between the title and the first section is the block of facts.
                    before_section &= level == 1;
                }
            }
            Event::Start(Tag::Table(_) | Tag::CodeBlock(_) | Tag::HtmlBlock) => aside += 1,
            Event::End(TagEnd::Table | TagEnd::CodeBlock | TagEnd::HtmlBlock) => aside = aside.saturating_sub(1),
            Event::Start(Tag::List(_)) => {
                flush(&mut run, &mut out, &heading, skip);
                listed += 1;
            }
            Event::End(TagEnd::List(_)) => {
                flush(&mut run, &mut out, &heading, skip);
                listed = listed.saturating_sub(1);
                needs &= listed > 0;
            }
            Event::Start(Tag::Paragraph | Tag::Item) => flush(&mut run, &mut out, &heading, skip),
            Event::End(TagEnd::Paragraph | TagEnd::Item) => {
                if let Some(range) = run.clone().filter(|_| listed == 0) {
                    let text = markdown[range].trim();
                    needs = text.starts_with("What would") && text.ends_with(':');
                }
                flush(&mut run, &mut out, &heading, skip);
            }
            Event::Start(Tag::BlockQuote(_)) | Event::End(TagEnd::BlockQuote(_)) | Event::Rule => {
                flush(&mut run, &mut out, &heading, skip);
            }
            Event::Start(_) | Event::End(_)
                if !matches!(
                    event,
                    Event::Start(
                        Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Link { .. } | Tag::Image { .. }
                    )
                ) => {}
            _ => {
                if let (Some((_, words)), Event::Text(text) | Event::Code(text)) = (&mut open_heading, &event) {
                    words.push_str(text);
                } else if open_heading.is_none() && aside == 0 {
                    let start = run.as_ref().map_or(range.start, |r| r.start.min(range.start));
                    let end = run.as_ref().map_or(range.end, |r| r.end.max(range.end));
                    run = Some(start..end);
                }
            }
        }
    }
    out
}

/// The text with every sentence that rests on nothing in the record marked as *not established*: nobody who reads a
/// file sees the checks.
pub fn marked(markdown: &str, incident: &Incident) -> String {
    let mut out = markdown.to_owned();
    for checked in citations(markdown, incident).iter().rev() {
        if matches!(checked.citing, Citing::Nothing | Citing::Unknown(_)) {
            out.insert_str(checked.bytes.start, "*Not established:* ");
        }
    }
    out
}

/// The sentences of a paragraph. A citation after the full stop belongs to the sentence before it.
fn sentences(markdown: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let text = &markdown[range.clone()];
    let mut out: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    let (mut bracket, mut code) = (0_usize, false);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '`' => code = !code,
            '[' => bracket += 1,
            ']' => bracket = bracket.saturating_sub(1),
            '.' | '!' | '?' if bracket == 0 && !code => {
                let mut end = at + c.len_utf8();
                let rest = &text[end..];
                let quote = rest.len() - rest.trim_start_matches(['”', '"', '\'', ')', '*', '_']).len();
                end += quote;
                let rest = &text[end..];
                let next = rest.trim_start();
                if next.len() == rest.len() && !rest.is_empty() {
                    continue;
                }
                let cited =
                    next.strip_prefix('[').and_then(|n| n.split_once(']')).filter(|(inside, _)| is_list(inside));
                if let Some((inside, _)) = cited {
                    end += rest.len() - next.len() + inside.len() + 2;
                    end += text[end..].len() - text[end..].trim_start_matches('.').len();
                } else if next.starts_with(char::is_lowercase) || short(&text[start..at]) {
                    continue;
                }
                out.push(start..end);
                start = end;
                while chars.peek().is_some_and(|(i, _)| *i < end) {
                    chars.next();
                }
            }
            _ => {}
        }
    }
    out.push(start..text.len());
    let trimmed = |r: Range<usize>| {
        let part = &text[r.clone()];
        let from = r.start + (part.len() - part.trim_start().len());
        let to = r.end - (part.len() - part.trim_end().len());
        range.start + from.min(to)..range.start + to.max(from)
    };
    out.into_iter().map(trimmed).filter(|r| r.start < r.end).collect()
}

/// Too short to be a sentence of its own: `**Established** (5 for, 0 against)`, an initial, a number of a list.
fn short(text: &str) -> bool {
    let mut depth = 0_usize;
    let outside: String = text
        .chars()
        .filter(|c| {
            depth = if *c == '(' { depth + 1 } else { depth };
            let keep = depth == 0;
            depth = if *c == ')' { depth.saturating_sub(1) } else { depth };
            keep
        })
        .collect();
    outside.split_whitespace().count() < 2
}

fn is_list(inside: &str) -> bool {
    let mut ids = inside.split([',', ';', ' ']).filter(|id| !id.is_empty()).peekable();
    ids.peek().is_some() && ids.all(|id| is_id(id) || id.eq_ignore_ascii_case("timeline"))
}

/// What a sentence cites; `None` for what makes no statement.
fn citing(text: &str, known: &Known) -> Option<Citing> {
    let lower = text.to_lowercase();
    let plain = lower.trim_matches(|c: char| !c.is_alphanumeric());
    if plain.is_empty() || plain.starts_with("for the author:") || text.trim_end().ends_with(':') {
        return None;
    }
    let (mut cites, mut unknown) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let escaped = rest[..open].ends_with('\\');
        rest = &rest[open + 1..];
        let Some((inside, _)) = rest.split_once(']').filter(|(inside, _)| !escaped && is_list(inside)) else {
            continue;
        };
        for id in inside.split([',', ';', ' ']).filter(|id| !id.is_empty()) {
            let (id, there) = match id.eq_ignore_ascii_case("timeline") {
                true => ("timeline", true),
                false => (id, known.has(id)),
            };
            let to = if there { &mut cites } else { &mut unknown };
            if !to.iter().any(|seen| seen == id) {
                to.push(id.to_owned());
            }
        }
    }
    Some(if !unknown.is_empty() && plain.starts_with("not established:") {
        // Whoever marked it knows that what it names is not there.
        Citing::SaysNotEstablished
    } else if !unknown.is_empty() {
        Citing::Unknown(unknown)
    } else if !cites.is_empty() {
        Citing::Cites(cites)
    } else if ["not established", "not known", "not recorded"].iter().any(|says| lower.contains(says)) {
        Citing::SaysNotEstablished
    } else {
        Citing::Nothing
    })
}

#[cfg(test)]
mod cause_tests {
    use super::*;

    #[test]
    fn only_the_line_in_which_the_record_states_its_cause_is_cited_as_a_whole() {
        assert!(is_cause("Established cause: It was killed. Just before, it changed [E1, C2]."));
        assert!(is_cause("**Likely** (3 for, 0 against). It ended with exit code 3 [E1]."));
        assert!(!is_cause("The upgrade ran at night. Pods were killed [E5]."));
        assert_eq!(line_at("one\ntwo. three\nfour", 9), "two. three");
    }
}
