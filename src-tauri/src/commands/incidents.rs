//! Incidents: the inbox, the page, their states, silences.

use afterwatch_contract::{
    document::{EvidenceDto, IncidentDto},
    window::{GapDto, Inbox, IncidentPage, IncidentSummary, NotesDto, SilenceDto},
};
use afterwatch_core::{
    Timestamp,
    coverage::Gap,
    incident::Head,
    port::store::{IncidentKey, IncidentQuery},
    silence::{Silence, SilenceMatcher},
};
use jiff::SignedDuration;
use uuid::Uuid;

use super::{Answer, Held, check_size, error};
use crate::shell::person;

/// Resolved incidents stay in the inbox this long.
const SHOWN_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);

/// More is not looked through by eye; the history is searched.
const MOST_SHOWN: u32 = 20_000;
/// Rows of one answer. A web view takes a large answer in slowly, and shows nothing of it before its end.
const AT_ONCE: u32 = 1_000;

/// A silence ends by itself, at the latest after this.
const LONGEST_SILENCE: i64 = 30 * 24 * 60;

/// Every open incident and those resolved this week, as many as one answer holds, from the `offset`th on.
#[tauri::command]
pub async fn inbox(shell: Held<'_>, offset: Option<u32>) -> Answer<Inbox> {
    let desk = shell.desk().await?;
    // In this order: what is written in between is in the list and arrives again as a change, never neither.
    let revision = desk.engine.revision().await.map_err(error)?;
    let since = Timestamp::now().checked_sub(SHOWN_AFTER).ok();
    let offset = offset.unwrap_or(0);
    let limit = Some(AT_ONCE.min(MOST_SHOWN.saturating_sub(offset)));
    let query = IncidentQuery { since, limit, offset, ..IncidentQuery::default() };
    let heads = desk.engine.heads_muted(query).await.map_err(error)?;
    let summary = |(head, muted): &(Head, Option<Timestamp>)| IncidentSummary::from(head).silenced(*muted);
    let more = heads.len() == AT_ONCE as usize;
    Ok(Inbox { revision, incidents: heads.iter().map(summary).collect(), more })
}

/// One incident with what its page shows beside it.
#[tauri::command]
pub async fn incident_page(shell: Held<'_>, id: String) -> Answer<IncidentPage> {
    let source = shell.desk().await?.engine.source(IncidentKey::parse(&id)).await.map_err(error)?;
    Ok(IncidentPage {
        incident: IncidentDto::new(&source.incident, &source.gaps),
        notes: notes_dto(&source.notes),
        coverage: source.coverage.iter().map(Into::into).collect(),
        gaps: source.gaps.iter().map(gap_dto).collect(),
        graph: source.incident.graph.as_ref().map(Into::into),
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

/// What the others recorded goes on in `into`.
#[tauri::command]
pub async fn merge_incidents(shell: Held<'_>, into: String, others: Vec<String>) -> Answer<()> {
    let others = others.iter().map(|id| IncidentKey::parse(id)).collect();
    shell.desk().await?.engine.merge(IncidentKey::parse(&into), others).await.map_err(error)
}

/// Findings become an incident of their own; the answer is its id.
#[tauri::command]
pub async fn split_incident(shell: Held<'_>, id: String, findings: Vec<String>) -> Answer<String> {
    let desk = shell.desk().await?;
    let part = desk.engine.split(IncidentKey::parse(&id), &person(), findings).await.map_err(error)?;
    Ok(part.to_string())
}

/// Closes it, and ignores its rules on its workloads from now on.
#[tauri::command]
pub async fn not_an_incident(shell: Held<'_>, id: String, reason: Option<String>) -> Answer<()> {
    let reason = reason.as_deref().map(str::trim).filter(|text| !text.is_empty());
    check_size(reason.unwrap_or_default())?;
    let desk = shell.desk().await?;
    desk.engine.not_an_incident(IncidentKey::parse(&id), &person(), reason).await.map(drop).map_err(error)
}

/// Deletes it with everything recorded and written under it.
#[tauri::command]
pub async fn delete_incident(shell: Held<'_>, id: String) -> Answer<()> {
    shell.desk().await?.engine.delete(IncidentKey::parse(&id)).await.map_err(error)
}

/// Ties it to a ticket kept elsewhere, or unties it.
#[tauri::command]
pub async fn set_ticket(shell: Held<'_>, id: String, url: Option<String>) -> Answer<()> {
    let url = url.as_deref().map(str::trim).filter(|url| !url.is_empty());
    if url.is_some_and(|url| !is_link(url)) {
        return Err(error("A ticket is a web address: it begins with https:// or http://, and has no spaces."));
    }
    let desk = shell.desk().await?;
    desk.engine.set_ticket(IncidentKey::parse(&id), &person(), url).await.map(drop).map_err(error)
}

fn is_link(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty())
        && url.len() <= 2_000
        && !url.contains(|c: char| c.is_whitespace() || c.is_control())
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

/// A span in which nothing was recorded as the window reads it.
pub(super) fn gap_dto(gap: &Gap) -> GapDto {
    GapDto { from: gap.from.to_string(), to: gap.to.to_string(), cause: gap.cause.words().to_owned() }
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
    fn a_ticket_is_a_web_address() {
        assert!(is_link("https://tracker.example.com/browse/OPS-1"));
        for bad in ["javascript:alert(1)", "OPS-1", "https://", "https://a b", "file:///etc/passwd"] {
            assert!(!is_link(bad), "{bad}");
        }
    }

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
