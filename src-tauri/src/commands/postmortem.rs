//! The post-mortem: read, edited, checked, reviewed.

pub mod export;
mod shape;

use std::sync::Arc;

use afterwatch_contract::{
    document::word,
    postmortem::{
        CitationsDto, PostmortemDto, PostmortemStatusDto, PostmortemVersionDto, PreviewDto, SectionHeadingDto,
        SentenceDto,
    },
};
use afterwatch_core::{
    Timestamp,
    incident::Incident,
    port::store::{Draft, IncidentKey},
    postmortem::{Origin, Status},
    redact,
    writing::Section,
};
use afterwatch_engine::MarkdownSource;
use afterwatch_report::{CheckedParagraph, Citing, PageOptions, ReportInput};
use jiff::tz::TimeZone;

use super::{Answer, Held, check_size, error};
use crate::shell::{Shell, person};

/// The post-mortem as a person edited it, else as the record fills it.
#[tauri::command]
pub async fn postmortem(shell: Held<'_>, id: String) -> Answer<PostmortemDto> {
    page(&shell, IncidentKey::parse(&id)).await
}

/// Saves the edited post-mortem; without a text the record fills it again. `origin` says why: `typed`, `restored`,
/// `filled` or `worded`.
#[tauri::command]
pub async fn save_postmortem(
    shell: Held<'_>,
    id: String,
    markdown: Option<String>,
    origin: Origin,
) -> Answer<PostmortemDto> {
    check_size(markdown.as_deref().unwrap_or_default())?;
    let key = IncidentKey::parse(&id);
    let desk = shell.desk().await?;
    if markdown.is_some() {
        // What the record had filled is the first version, so that what a person changed can be told for ever.
        let source = desk.engine.source(key.clone()).await.map_err(error)?;
        if source.draft.is_none() {
            let filled = text(&shell, &source);
            desk.engine.save_draft(key.clone(), Some(&filled), Origin::Kept, &person()).await.map_err(error)?;
        }
    }
    desk.engine.save_draft(key.clone(), markdown.as_deref(), origin, &person()).await.map_err(error)?;
    page(&shell, key).await
}

/// A text that is being typed: as sanitised HTML, and what its sentences rest on.
#[tauri::command]
pub async fn preview_postmortem(shell: Held<'_>, id: String, markdown: String) -> Answer<PreviewDto> {
    check_size(&markdown)?;
    let incident = shell.desk().await?.engine.incident(IncidentKey::parse(&id)).await.map_err(error)?;
    Ok(PreviewDto {
        html: afterwatch_report::html(&markdown),
        citations: citations(&markdown, &incident),
        sections: sections(&markdown),
    })
}

/// Every version, newest first.
#[tauri::command]
pub async fn postmortem_versions(shell: Held<'_>, id: String) -> Answer<Vec<PostmortemVersionDto>> {
    let versions = shell.desk().await?.engine.draft_versions(IncidentKey::parse(&id)).await.map_err(error)?;
    let dto = |version: afterwatch_core::postmortem::Version| PostmortemVersionDto {
        version: version.version,
        at: version.at.to_string(),
        by: version.by,
        origin: word(&version.origin),
        markdown: version.markdown,
    };
    Ok(versions.into_iter().map(dto).collect())
}

/// Gives it a status. Its text stays as it is from the moment its review begins.
#[tauri::command]
pub async fn set_postmortem_status(shell: Held<'_>, id: String, status: Status) -> Answer<PostmortemDto> {
    let key = IncidentKey::parse(&id);
    let desk = shell.desk().await?;
    let engine = &desk.engine;
    let source = engine.source(key.clone()).await.map_err(error)?;
    let filled = text(&shell, &source);
    engine.set_draft_status(key.clone(), status, &filled, &person()).await.map_err(error)?;
    page(&shell, key).await
}

/// Chooses the shape the record fills it in.
#[tauri::command]
pub async fn set_postmortem_shape(shell: Held<'_>, id: String, shape: String) -> Answer<PostmortemDto> {
    let key = IncidentKey::parse(&id);
    shape::check(&shell, &shape)?;
    shell.desk().await?.engine.set_draft_shape(key.clone(), &shape, &person()).await.map_err(error)?;
    page(&shell, key).await
}

/// The body of a section as the record fills it.
#[tauri::command]
pub async fn postmortem_section(shell: Held<'_>, id: String, section: Section) -> Answer<String> {
    let source = shell.desk().await?.engine.source(IncidentKey::parse(&id)).await.map_err(error)?;
    Ok(afterwatch_report::section_markdown(&input(&source), section))
}

async fn page(shell: &Arc<Shell>, key: IncidentKey) -> Answer<PostmortemDto> {
    let source = shell.desk().await?.engine.source(key).await.map_err(error)?;
    let markdown = text(shell, &source);
    let status = source.status.as_ref();
    Ok(PostmortemDto {
        html: afterwatch_report::html(&markdown),
        citations: citations(&markdown, &source.incident),
        sections: sections(&markdown),
        file_name: afterwatch_report::file_name(&source.incident),
        edited: source.draft.is_some(),
        updated_at: source.draft.as_ref().map(|draft| draft.updated_at.to_string()),
        status: PostmortemStatusDto {
            status: word(&status.map_or(Status::Draft, |change| change.status)),
            at: status.map(|change| change.at.to_string()),
            by: status.map(|change| change.by.clone()),
        },
        shape: source.shape.clone().unwrap_or_else(|| shape::HOUSE.to_owned()),
        shapes: shape::all(shell),
        markdown,
    })
}

/// What a person wrote, else what the record fills in the chosen shape.
fn text(shell: &Shell, source: &MarkdownSource) -> String {
    match &source.draft {
        Some(Draft { markdown, .. }) => markdown.clone(),
        None => shape::fill(shell, &input(source), source.shape.as_deref().unwrap_or(shape::HOUSE)),
    }
}

/// What the sentences of a text rest on.
fn citations(markdown: &str, incident: &Incident) -> CitationsDto {
    let short = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let sentence = |checked: CheckedParagraph| {
        let (standing, unknown) = match checked.citing {
            Citing::Cites(_) => ("cites", Vec::new()),
            Citing::SaysNotEstablished => ("not_established", Vec::new()),
            Citing::Nothing => ("nothing", Vec::new()),
            Citing::Unknown(ids) => ("unknown", ids),
        };
        SentenceDto {
            standing: standing.to_owned(),
            line: short(checked.line),
            from: short(checked.utf16.start),
            to: short(checked.utf16.end),
            text: plain(&markdown[checked.bytes]),
            unknown,
        }
    };
    let before = markdown.matches(REMOVED).count();
    let replaced = redact::text(markdown).matches(REMOVED).count().saturating_sub(before);
    CitationsDto {
        sentences: afterwatch_report::citations(markdown, incident).into_iter().map(sentence).collect(),
        replaced: short(replaced),
    }
}

/// How a value that was taken out begins.
const REMOVED: &str = "‹removed";

/// A sentence as it reads: without the marks of Markdown.
fn plain(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek().is_some_and(char::is_ascii_punctuation) => out.extend(chars.next()),
            '*' | '`' => {}
            c if c.is_whitespace() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// The headings of the text under which sections of the record stand.
fn sections(markdown: &str) -> Vec<SectionHeadingDto> {
    let heading = |section: Section| {
        let heading = afterwatch_report::section_heading(markdown, section)?;
        Some(SectionHeadingDto { section: word(&section), heading })
    };
    Section::ALL.into_iter().filter_map(heading).collect()
}

fn input(source: &MarkdownSource) -> ReportInput<'_> {
    ReportInput {
        incident: &source.incident,
        notes: &source.notes.text,
        gaps: &source.gaps,
        coverage: &source.coverage,
        zone: TimeZone::system(),
        generated_at: Timestamp::now(),
        version: env!("CARGO_PKG_VERSION"),
    }
}

fn options(source: &MarkdownSource) -> PageOptions {
    let review = source.status.as_ref().map(|change| change.status.into()).unwrap_or_default();
    PageOptions { review, author: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_reads_without_its_marks() {
        assert_eq!(plain("*Not\nestablished:* `a` \\*b\\*"), "Not established: a *b*");
    }
}
