//! The post-mortem as PDF: A4, tagged, PDF/A-2a and PDF/UA-1, set by typst from a fixed template.
//!
//! The words go to the template as data and are never read as typst's own language. The same incident, text, options
//! and fonts give the same bytes. Setting a long page takes seconds and cannot be cancelled: call it where that blocks
//! nobody.

mod font;
mod system;
mod world;

use std::{collections::BTreeSet, path::PathBuf};

use typst::{
    diag::SourceDiagnostic,
    foundations::{Datetime, Smart},
};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards};

use self::{font::Faces, world::Room};
use crate::{
    ReportInput,
    paper::{PageOptions, Paper},
};

pub use system::usual_font_folders;

/// Bytes of Markdown that are set: about 120 pages.
const LONGEST: usize = 500_000;

/// A word longer than this may be broken, every so many letters.
const WORD: usize = 28;
const PIECE: usize = 8;

/// Why there is no PDF.
#[derive(Debug, thiserror::Error)]
pub enum PdfError {
    #[error(
        "The text is too long for a PDF: {bytes} bytes, and {LONGEST} can be set. Export Markdown or HTML, or shorten it."
    )]
    TooLong { bytes: usize },
    #[error("The page could not be set: {0}. Export HTML instead, and report this as a bug.")]
    Set(String),
}

/// The post-mortem as the bytes of a PDF.
///
/// `markdown` is the text, as written by [`crate::markdown`] or edited since; block of facts, figure and appendix come
/// from the incident. `fonts` are folders in which faces are looked for when the text has letters that the embedded
/// ones have not, such as [`usual_font_folders`]; a letter that no face has is printed as `�`, and the page says so.
///
/// # Errors
/// When the text is too long, or cannot be set for a reason nobody has thought of.
pub fn pdf(
    input: &ReportInput<'_>,
    markdown: &str,
    options: &PageOptions,
    fonts: &[PathBuf],
) -> Result<Vec<u8>, PdfError> {
    if markdown.len() > LONGEST {
        return Err(PdfError::TooLong { bytes: markdown.len() });
    }
    let mut paper = Paper::new(input, markdown, options);
    let mut missing = BTreeSet::new();
    let mut look = |text: &mut String| missing.extend(text.chars().filter(|c| !font::own_covers(*c)));
    paper.each_text(&mut look);
    look(&mut paper.figure.svg);
    let faces = Faces::with(if missing.is_empty() { Vec::new() } else { system::faces_for(missing, fonts) });
    let result = match set(input, paper, |c| faces.covers(c), &faces) {
        // What a face has letter by letter it may still not have in this combination: the embedded letters alone are
        // always there.
        Err(PdfError::Set(_)) => {
            let paper = Paper::new(input, markdown, options);
            set(input, paper, |c| font::own_covers(c) && !combines(c), &faces)
        }
        done => done,
    };
    // What it remembers of this page would stay for the rest of the program's life.
    typst::comemo::evict(0);
    result
}

/// Marks that stand on the letter before.
fn combines(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}' | '\u{200c}' | '\u{200d}')
}

fn set(
    input: &ReportInput<'_>,
    mut paper: Paper,
    covered: impl Fn(char) -> bool,
    faces: &Faces,
) -> Result<Vec<u8>, PdfError> {
    let mut replaced = 0_usize;
    let mut replace = |text: &mut String| {
        if text.chars().any(|c| !covered(c)) {
            replaced += text.chars().filter(|c| !covered(*c)).count();
            *text = text.chars().map(|c| if covered(c) { c } else { '\u{fffd}' }).collect();
        }
    };
    paper.each_text(&mut replace);
    replace(&mut paper.figure.svg);
    if replaced > 0 {
        paper.cuts.push(format!(
            "No font of this computer has {replaced} of the letters; they are printed as \u{fffd}. The Markdown has them."
        ));
    }
    paper.each_text(&mut breakable);
    let figure = std::mem::take(&mut paper.figure.svg);
    let data = serde_json::to_vec(&paper).map_err(|e| PdfError::Set(e.to_string()))?;
    let room = Room::new(faces, data, figure);
    let document = typst::compile::<PagedDocument>(&room).output.map_err(|e| PdfError::Set(said(&e)))?;
    let standards = PdfStandards::new(&[PdfStandard::A_2a, PdfStandard::Ua_1])
        .map_err(|e| PdfError::Set(e.message().to_string()))?;
    let at = input.generated_at.to_zoned(jiff::tz::TimeZone::UTC);
    let number = |n: i8| u8::try_from(n).unwrap_or_default();
    let made = Datetime::from_ymd_hms(
        i32::from(at.year()),
        number(at.month()),
        number(at.day()),
        number(at.hour()),
        number(at.minute()),
        number(at.second()),
    );
    let options = PdfOptions {
        ident: Smart::Custom(input.incident.id.to_string()),
        creator: Smart::Custom(Some(format!("Afterwatch {}", crate::text::one_line(input.version)))),
        timestamp: made.map(typst_pdf::Timestamp::new_utc),
        standards,
        ..PdfOptions::default()
    };
    typst_pdf::pdf(&document, &options).map_err(|e| PdfError::Set(said(&e)))
}

/// The first reason in words.
fn said(errors: &[SourceDiagnostic]) -> String {
    errors.first().map(|e| e.message.to_string()).unwrap_or_default()
}

/// Lets long words be broken, first where a reader would: after a slash, a dot, a dash.
fn breakable(text: &mut String) {
    const BREAK: char = '\u{200b}';
    if !text.split_whitespace().any(|word| word.chars().nth(WORD).is_some()) {
        return;
    }
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for word in text.split_inclusive(char::is_whitespace) {
        if word.chars().nth(WORD).is_none() {
            out.push_str(word);
            continue;
        }
        let mut since = 0;
        for c in word.chars() {
            // Where no glyph ends nothing is broken: a mark stays with its letter.
            if since >= PIECE && !combines(c) && !c.is_whitespace() {
                out.push(BREAK);
                since = 0;
            }
            out.push(c);
            since += 1;
            if since > 3 && matches!(c, '/' | '.' | '-' | '_' | ':' | ',' | '=' | '?' | '&' | ';' | '@') {
                out.push(BREAK);
                since = 0;
            }
        }
    }
    *text = out;
}
