//! The post-mortem: read, edited, checked, reviewed.

pub mod export;
mod shape;

use afterwatch_contract::{
    document::word,
    postmortem::{
        CitationsDto, PostmortemDto, PostmortemStatusDto, PostmortemVersionDto, PreviewDto, SentenceDto,
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
use afterwatch_report::{PageOptions, ReportInput, Review};
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
    let engine = &shell.desk().await?.engine;
    engine.save_draft(key.clone(), markdown.as_deref(), origin, &person()).await.map_err(error)?;
    page(&shell, key).await
}

/// A text that is being typed: as sanitised HTML, and what its sentences rest on.
#[tauri::command]
pub async fn preview_postmortem(shell: Held<'_>, id: String, markdown: String) -> Answer<PreviewDto> {
    check_size(&markdown)?;
    let incident = shell.desk().await?.engine.incident(IncidentKey::parse(&id)).await.map_err(error)?;
    Ok(PreviewDto { html: afterwatch_report::html(&markdown), citations: citations(&markdown, &incident) })
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
    let engine = &shell.desk().await?.engine;
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

async fn page(shell: &Shell, key: IncidentKey) -> Answer<PostmortemDto> {
    let source = shell.desk().await?.engine.source(key).await.map_err(error)?;
    let markdown = text(shell, &source);
    let status = source.status.as_ref();
    Ok(PostmortemDto {
        html: afterwatch_report::html(&markdown),
        citations: citations(&markdown, &source.incident),
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
    let review = match source.status.as_ref().map(|change| change.status) {
        None | Some(Status::Draft) => Review::Draft,
        Some(Status::InReview) => Review::InReview,
        Some(Status::Reviewed) => Review::Reviewed,
    };
    PageOptions { review, author: None }
}
