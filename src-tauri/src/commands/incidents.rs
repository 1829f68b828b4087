//! Incidents: the inbox, the page, their states, silences.

use afterwatch_contract::{
    document::{EvidenceDto, IncidentDto},
    window::{GapDto, Inbox, IncidentPage, NotesDto, SilenceDto},
};
use afterwatch_core::{
    Timestamp,
    port::store::{IncidentKey, IncidentQuery},
    silence::{Silence, SilenceMatcher},
};
use jiff::SignedDuration;
use uuid::Uuid;

use super::{Answer, Held, check_size, error};
use crate::shell::person;

/// Resolved incidents stay in the inbox this long.
const SHOWN_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A silence ends by itself, at the latest after this.
const LONGEST_SILENCE: i64 = 30 * 24 * 60;

/// Every open incident and those resolved this week.
#[tauri::command]
pub async fn inbox(shell: Held<'_>) -> Answer<Inbox> {
    let desk = shell.desk().await?;
    // In this order: what is written in between is in the list and arrives again as a change, never neither.
    let revision = desk.engine.revision().await.map_err(error)?;
    let since = Timestamp::now().checked_sub(SHOWN_AFTER).ok();
    let query = IncidentQuery { since, limit: Some(500), ..IncidentQuery::default() };
    let incidents = desk.engine.incidents(query).await.map_err(error)?;
    Ok(Inbox { revision, incidents: incidents.iter().map(Into::into).collect() })
}

/// One incident with what its page shows beside it.
#[tauri::command]
pub async fn incident_page(shell: Held<'_>, id: String) -> Answer<IncidentPage> {
    let source = shell.desk().await?.engine.source(IncidentKey::parse(&id)).await.map_err(error)?;
    Ok(IncidentPage {
        incident: IncidentDto::new(&source.incident, &source.gaps),
        notes: notes_dto(&source.notes),
        coverage: source.coverage.iter().map(Into::into).collect(),
        gaps: source
            .gaps
            .iter()
            .map(|gap| GapDto {
                from: gap.from.to_string(),
                to: gap.to.to_string(),
                cause: gap.cause.words().to_owned(),
            })
            .collect(),
    })
}

/// One item with its excerpt.
#[tauri::command]
pub async fn evidence_item(shell: Held<'_>, id: String, evidence: String) -> Answer<EvidenceDto> {
    let incident = shell.desk().await?.engine.incident(IncidentKey::parse(&id)).await.map_err(error)?;
    let item = incident.evidence_by_id(&evidence);
    item.map(EvidenceDto::whole).ok_or_else(|| error(format!("{} has no evidence {evidence}.", incident.label())))
}

/// Somebody takes it on.
#[tauri::command]
pub async fn acknowledge(shell: Held<'_>, id: String) -> Answer<()> {
    let desk = shell.desk().await?;
    desk.engine.acknowledge(IncidentKey::parse(&id), &person()).await.map(drop).map_err(error)
}

/// Closes it by hand.
#[tauri::command]
pub async fn resolve(shell: Held<'_>, id: String, reason: Option<String>) -> Answer<()> {
    let reason = reason.as_deref().map(str::trim).filter(|text| !text.is_empty());
    check_size(reason.unwrap_or_default())?;
    let desk = shell.desk().await?;
    desk.engine.resolve(IncidentKey::parse(&id), &person(), reason).await.map(drop).map_err(error)
}

/// Opens a resolved one again.
#[tauri::command]
pub async fn reopen(shell: Held<'_>, id: String) -> Answer<()> {
    let desk = shell.desk().await?;
    desk.engine.reopen(IncidentKey::parse(&id), &person()).await.map(drop).map_err(error)
}

/// Mutes the notifications of the incident's workload for a while.
#[tauri::command]
pub async fn silence(shell: Held<'_>, id: String, minutes: i64, reason: String) -> Answer<()> {
    if !(1..=LONGEST_SILENCE).contains(&minutes) {
        return Err(error("A silence lasts from 1 minute to 30 days."));
    }
    check_size(&reason)?;
    let desk = shell.desk().await?;
    let incident = desk.engine.incident(IncidentKey::parse(&id)).await.map_err(error)?;
    let matcher = SilenceMatcher {
        cluster: Some(incident.cluster.clone()),
        subject: Some(incident.subject.key()),
        ..SilenceMatcher::default()
    };
    let silenced = desk.engine.silence(matcher, SignedDuration::from_mins(minutes), reason.trim()).await;
    silenced.map(drop).map_err(error)
}

/// Silences that have not ended.
#[tauri::command]
pub async fn silences(shell: Held<'_>) -> Answer<Vec<SilenceDto>> {
    let silences = shell.desk().await?.engine.silences().await.map_err(error)?;
    Ok(silences.iter().map(silence_dto).collect())
}

/// Ends a silence.
#[tauri::command]
pub async fn unsilence(shell: Held<'_>, silence: String) -> Answer<()> {
    let id = Uuid::parse_str(&silence).map_err(|_| error("There is no such silence."))?;
    shell.desk().await?.engine.unsilence(id).await.map_err(error)
}

/// The notes document as the window reads it.
pub(super) fn notes_dto(notes: &afterwatch_core::port::store::Notes) -> NotesDto {
    NotesDto { text: notes.text.clone(), updated_at: notes.updated_at.map(|at| at.to_string()), version: notes.version }
}

fn silence_dto(silence: &Silence) -> SilenceDto {
    SilenceDto {
        id: silence.id.to_string(),
        until: silence.until.to_string(),
        reason: silence.reason.clone(),
        matches: words(&silence.matcher),
    }
}

fn words(matcher: &SilenceMatcher) -> String {
    let parts: Vec<String> = [
        matcher.subject.clone(),
        matcher.rule_id.as_ref().map(|rule| format!("rule {rule}")),
        matcher.namespace.as_ref().map(|namespace| format!("namespace {namespace}")),
        matcher.cluster.as_ref().map(|cluster| format!("in {cluster}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() { "everything".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_silence_mutes_is_said_in_words() {
        let matcher = SilenceMatcher {
            cluster: Some("prod-eu".into()),
            subject: Some("Deployment/shop/checkout".into()),
            ..SilenceMatcher::default()
        };
        assert_eq!(words(&matcher), "Deployment/shop/checkout, in prod-eu");
        assert_eq!(words(&SilenceMatcher::default()), "everything");
    }
}
