//! The post-mortem as a page that can be set: the words of the Markdown, and what the record itself brings (the block
//! of facts, the figure, the appendix). The PDF and the HTML are laid out from the same [`Paper`].
//!
//! What the house's own sections look like in Markdown is recognised here and laid out better: the timeline's table,
//! the block of facts under the title, the appendix. Everything else is ordinary text.

mod appendix;
mod cover;
mod section;

use afterwatch_core::{redact, words};
use serde::Serialize;
use sha2::{Digest, Sha256};

pub(crate) use appendix::Item;
pub(crate) use cover::Fact;
pub(crate) use section::{Form, Section};

use crate::{
    ReportInput,
    cite::Known,
    figure::{self, Figure},
    section::Page,
    text::one_line,
    tree::{Block, Inline, plain, tree},
};

/// How far people are with a post-mortem.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Review {
    #[default]
    Draft,
    InReview,
    Reviewed,
}

impl Review {
    /// The words in the block of facts.
    pub fn words(self) -> &'static str {
        match self {
            Review::Draft => "Draft, not reviewed",
            Review::InReview => "Draft, in review",
            Review::Reviewed => "Reviewed",
        }
    }
}

/// What a page says beside text and record.
#[derive(Clone, Debug, Default)]
pub struct PageOptions {
    pub review: Review,
    /// Who answers for the text; without one, whom the block of facts in the Markdown names.
    pub author: Option<String>,
}

/// A page before it is set.
#[derive(Debug, Serialize)]
pub(crate) struct Paper {
    /// `INC-47`, or `Incident` before it has a number.
    pub label: String,
    pub title: String,
    pub author: String,
    pub head_left: String,
    pub head_right: String,
    pub foot: String,
    pub cover: Vec<Fact>,
    /// Sentences about what the page could not print.
    pub cuts: Vec<String>,
    pub sections: Vec<Section>,
    #[serde(skip)]
    pub figure: Figure,
    pub alt: String,
    pub caption: String,
    /// The place of the section after which the figure stands.
    pub figure_after: usize,
    /// Where `[timeline]` leads: whether there is such a place.
    pub has_timeline: bool,
    pub evidence_note: String,
    pub evidence: Vec<Item>,
}

impl Paper {
    pub fn new(input: &ReportInput<'_>, markdown: &str, options: &PageOptions) -> Paper {
        // Whatever leaves the laptop goes through the redactor once more.
        let markdown = redact::text(markdown);
        let page = Page::new(input);
        let incident = input.incident;
        let known = Known::new(incident);
        let label = if incident.number == 0 { "Incident".to_owned() } else { incident.label() };
        let (head, blocks) = section::head(tree(&markdown, &known));
        let title = head.title.as_deref().map(|t| t.strip_prefix(&format!("{label}: ")).unwrap_or(t).trim());
        let said = [title.unwrap_or_default(), &one_line(&incident.title), &label];
        let title = said.into_iter().find(|t| !section::is_blank(t)).unwrap_or_default().to_owned();
        let author = options.author.clone().or(head.author).unwrap_or_else(|| "not named".to_owned());
        let mut cuts = Vec::new();
        let mut sections = section::sections(blocks, &known, &mut cuts);
        let mut evidence = appendix::items(&page);
        let mentioned = section::first_mentions(&mut sections);
        for item in &mut evidence {
            item.mentioned = mentioned.contains(&item.id);
        }
        let figure = figure::figure(&page);
        let date = input.generated_at.to_zoned(input.zone.clone()).strftime("%-d %B %Y").to_string();
        Paper {
            head_left: format!("{label} · {}", words::clip(&title, 64)),
            head_right: match options.review {
                Review::Draft => format!("Draft of {date}"),
                Review::InReview => format!("Draft in review, {date}"),
                Review::Reviewed => date,
            },
            foot: format!(
                "Afterwatch {} · times are {} · record {}",
                one_line(input.version),
                page.clock.zone_name(incident.detected_at),
                record_hash(input)
            ),
            cover: cover::facts(&page, &label, &author, options.review),
            cuts,
            figure_after: section::figure_after(&sections),
            has_timeline: sections.iter().any(|s| s.id == "timeline"),
            sections,
            alt: figure.alt.clone(),
            caption: figure.caption.clone(),
            figure,
            evidence_note: if evidence.is_empty() {
                "Nothing was kept.".to_owned()
            } else {
                crate::section::appendix::KEPT.to_owned()
            },
            evidence,
            label,
            title,
            author,
        }
    }

    /// Every text that is printed beside the figure's own, to look at or to change.
    pub fn each_text(&mut self, f: &mut impl FnMut(&mut String)) {
        for text in [&mut self.label, &mut self.title, &mut self.author, &mut self.head_left, &mut self.head_right] {
            f(text);
        }
        for text in [&mut self.foot, &mut self.alt, &mut self.caption, &mut self.evidence_note] {
            f(text);
        }
        self.cuts.iter_mut().for_each(&mut *f);
        for fact in &mut self.cover {
            f(&mut fact.name);
            f(&mut fact.value);
        }
        for section in &mut self.sections {
            f(&mut section.title);
            for part in &mut section.body {
                match part {
                    Form::Text { block } => block_text(block, f),
                    Form::Timeline { rows, .. } => {
                        for row in rows {
                            inline_text(&mut row.time, f);
                            inline_text(&mut row.what, f);
                            inline_text(&mut row.evidence, f);
                        }
                    }
                }
            }
        }
        for item in &mut self.evidence {
            f(&mut item.title);
            f(&mut item.provenance);
            item.runs.iter_mut().for_each(|run| f(&mut run.v));
            item.more.iter_mut().for_each(&mut *f);
        }
    }
}

fn block_text(block: &mut Block, f: &mut impl FnMut(&mut String)) {
    match block {
        Block::P { c } | Block::H { c, .. } => inline_text(c, f),
        Block::Quote { c } => c.iter_mut().for_each(|b| block_text(b, f)),
        Block::Code { v, .. } => f(v),
        Block::List { items, .. } => items.iter_mut().flatten().for_each(|b| block_text(b, f)),
        Block::Table { head, rows } => {
            head.iter_mut().for_each(|c| inline_text(c, f));
            rows.iter_mut().flatten().for_each(|c| inline_text(c, f));
        }
        Block::Rule => {}
    }
}

fn inline_text(inlines: &mut [Inline], f: &mut impl FnMut(&mut String)) {
    for inline in inlines {
        match inline {
            Inline::S { v } | Inline::C { v } | Inline::Label { v, .. } => f(v),
            Inline::Em { c }
            | Inline::Strong { c }
            | Inline::Del { c }
            | Inline::Unknown { c }
            | Inline::Link { c, .. } => inline_text(c, f),
            Inline::Soft | Inline::Br | Inline::Cite { .. } | Inline::Timeline => {}
        }
    }
}

/// `3fa1 90c4`: the beginning of the SHA-256 of the record as JSON. It tells whether two pages were printed from the
/// same record.
fn record_hash(input: &ReportInput<'_>) -> String {
    let json = serde_json::to_vec(input.incident).unwrap_or_default();
    short_hash(&json)
}

/// Eight digits of the SHA-256 in two groups.
pub(crate) fn short_hash(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let hex: Vec<String> = hash.iter().take(4).map(|b| format!("{b:02x}")).collect();
    format!("{}{} {}{}", hex[0], hex[1], hex[2], hex[3])
}

/// The words of a heading.
pub(crate) fn heading_words(c: &[Inline]) -> String {
    plain(c).split_whitespace().collect::<Vec<_>>().join(" ")
}
