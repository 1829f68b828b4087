//! The history and what people do with it. Every function reads or writes the database off the watch path.

use std::sync::Arc;

use afterwatch_core::{
    coverage::{Coverage, Gap, gaps},
    incident::{Incident, State},
    ledger,
    port::{
        StoreError,
        store::{Draft, IncidentKey, IncidentQuery, Notes, Saved},
    },
    redact,
    silence::{Silence, SilenceMatcher},
};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::{
    event::IncidentStep,
    session::{Engine, blocking},
};

/// Everything a post-mortem is written from.
#[derive(Clone, Debug)]
pub struct MarkdownSource {
    pub incident: Incident,
    pub notes: Notes,
    pub coverage: Vec<Coverage>,
    pub gaps: Vec<Gap>,
    /// The post-mortem as a person edited it.
    pub draft: Option<Draft>,
}

/// The kind whose coverage decides whether an incident was watched.
const WATCHED: &str = "pods";

impl Engine {
    /// Incidents by query, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn incidents(&self, query: IncidentQuery) -> Result<Vec<Incident>, StoreError> {
        blocking(&self.0.ports.store, move |s| s.incidents(&query)).await
    }

    /// One incident whole.
    ///
    /// # Errors
    /// When there is none, or the database cannot be read.
    pub async fn incident(&self, key: IncidentKey) -> Result<Incident, StoreError> {
        blocking(&self.0.ports.store, move |s| s.incident(&key)).await
    }

    /// The incident with its notes, coverage, gaps and edited post-mortem.
    ///
    /// # Errors
    /// When there is none, or the database cannot be read.
    pub async fn source(&self, key: IncidentKey) -> Result<MarkdownSource, StoreError> {
        let now = self.0.ports.clock.now();
        blocking(&self.0.ports.store, move |s| {
            let incident = s.incident(&key)?;
            let (from, to) = window(&incident, now);
            let coverage = s.coverage(&incident.cluster, from, to)?;
            Ok(MarkdownSource {
                notes: s.notes(incident.id)?,
                draft: s.draft(incident.id)?,
                gaps: gaps(&coverage, WATCHED, incident.subject.namespace.as_deref(), from, to),
                coverage,
                incident,
            })
        })
        .await
    }

    /// The gaps of coverage (of pods) that overlap the incident.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn gaps(&self, incident: &Incident) -> Result<Vec<Gap>, StoreError> {
        let (from, to) = window(incident, self.0.ports.clock.now());
        let (cluster, namespace) = (incident.cluster.clone(), incident.subject.namespace.clone());
        blocking(&self.0.ports.store, move |s| {
            Ok(gaps(&s.coverage(&cluster, from, to)?, WATCHED, namespace.as_deref(), from, to))
        })
        .await
    }

    /// Spans of coverage of a cluster that overlap the window, those of earlier runs included.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn coverage(&self, cluster: &str, from: Timestamp, to: Timestamp) -> Result<Vec<Coverage>, StoreError> {
        let cluster = cluster.to_owned();
        blocking(&self.0.ports.store, move |s| s.coverage(&cluster, from, to)).await
    }

    /// The newest revision of the database.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn revision(&self) -> Result<u64, StoreError> {
        blocking(&self.0.ports.store, |s| s.revision()).await
    }

    /// Acknowledges an open incident; does nothing to one that is acknowledged already.
    ///
    /// # Errors
    /// When there is none, or it could not be written.
    pub async fn acknowledge(&self, key: IncidentKey, who: &str) -> Result<Incident, StoreError> {
        let who = who.to_owned();
        self.edit(key, move |i, now| ledger::acknowledge(i, now, &who)).await
    }

    /// Closes an incident by hand.
    ///
    /// # Errors
    /// When there is none, or it could not be written.
    pub async fn resolve(&self, key: IncidentKey, who: &str, reason: Option<&str>) -> Result<Incident, StoreError> {
        let (who, reason) = (who.to_owned(), reason.map(|r| redact::text(r).into_owned()));
        self.edit(key, move |i, now| ledger::resolve(i, now, &who, reason.as_deref())).await
    }

    /// Opens a resolved incident again.
    ///
    /// # Errors
    /// When there is none, or it could not be written.
    pub async fn reopen(&self, key: IncidentKey, who: &str) -> Result<Incident, StoreError> {
        let why = format!("by {who}");
        self.edit(key, move |i, now| {
            if i.state == State::Resolved {
                ledger::reopen(i, now, &why);
            }
        })
        .await
    }

    /// Adds a dated entry of a person to the timeline.
    ///
    /// # Errors
    /// When there is no such incident, or it could not be written.
    pub async fn add_entry(&self, key: IncidentKey, who: &str, text: &str) -> Result<Incident, StoreError> {
        let (who, text) = (who.to_owned(), redact::text(text.trim()).into_owned());
        self.edit(key, move |i, now| ledger::note(i, now, &who, &text)).await
    }

    /// Reads, changes and writes an incident; repeated when somebody else wrote it in between.
    async fn edit(
        &self,
        key: IncidentKey,
        change: impl Fn(&mut Incident, Timestamp) + Send + Sync + 'static,
    ) -> Result<Incident, StoreError> {
        let now = self.0.ports.clock.now();
        let incident = blocking(&self.0.ports.store, move |store| {
            for _ in 0..8 {
                let read = store.incident(&key)?;
                let mut incident = read.clone();
                change(&mut incident, now);
                if incident == read {
                    return Ok(incident);
                }
                match store.save(std::slice::from_ref(&incident), &[], &[])?.pop() {
                    Some(Saved::Written { number, revision }) => {
                        incident.number = number;
                        incident.revision = revision;
                        return Ok(incident);
                    }
                    _ => continue,
                }
            }
            Err(StoreError::Conflict)
        })
        .await?;
        self.adopt(&incident);
        self.tell(IncidentStep::Edited, Arc::new(incident.clone()));
        Ok(incident)
    }

    /// The notes document.
    ///
    /// # Errors
    /// When there is no such incident, or the database cannot be read.
    pub async fn notes(&self, key: IncidentKey) -> Result<Notes, StoreError> {
        blocking(&self.0.ports.store, move |s| s.notes(s.incident(&key)?.id)).await
    }

    /// Saves the notes document, redacted; what it replaces is kept.
    ///
    /// # Errors
    /// When it could not be written: keep the text and try again.
    pub async fn save_notes(&self, key: IncidentKey, text: &str) -> Result<Notes, StoreError> {
        let (text, now) = (redact::text(text).into_owned(), self.0.ports.clock.now());
        blocking(&self.0.ports.store, move |s| s.save_notes(s.incident(&key)?.id, &text, now)).await
    }

    /// Saves the edited post-mortem, or goes back to the template with `None`.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn save_draft(&self, key: IncidentKey, markdown: Option<&str>) -> Result<(), StoreError> {
        let (markdown, now) = (markdown.map(|m| redact::text(m).into_owned()), self.0.ports.clock.now());
        blocking(&self.0.ports.store, move |s| s.save_draft(s.incident(&key)?.id, markdown.as_deref(), now)).await
    }

    /// Silences that have not ended.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn silences(&self) -> Result<Vec<Silence>, StoreError> {
        let now = self.0.ports.clock.now();
        blocking(&self.0.ports.store, move |s| s.silences(now)).await
    }

    /// Mutes the notifications of what the matcher names, for a while.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn silence(
        &self,
        matcher: SilenceMatcher,
        span: SignedDuration,
        reason: &str,
    ) -> Result<Silence, StoreError> {
        let now = self.0.ports.clock.now();
        let silence = Silence {
            id: Uuid::now_v7(),
            matcher,
            until: now.saturating_add(span).unwrap_or(now),
            reason: redact::text(reason).into_owned(),
            created_at: now,
        };
        let saved = silence.clone();
        blocking(&self.0.ports.store, move |s| s.save_silence(&saved)).await?;
        self.refresh_silences().await;
        Ok(silence)
    }

    /// Ends a silence.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn unsilence(&self, id: Uuid) -> Result<(), StoreError> {
        blocking(&self.0.ports.store, move |s| s.delete_silence(id)).await?;
        self.refresh_silences().await;
        Ok(())
    }

    /// A setting as JSON.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn setting(&self, key: &'static str) -> Result<Option<serde_json::Value>, StoreError> {
        blocking(&self.0.ports.store, move |s| s.setting(key)).await
    }

    /// Writes a setting.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn set_setting(&self, key: &'static str, value: serde_json::Value) -> Result<(), StoreError> {
        blocking(&self.0.ports.store, move |s| s.set_setting(key, &value)).await
    }
}

/// From an hour before it began until it ended, or now.
fn window(incident: &Incident, now: Timestamp) -> (Timestamp, Timestamp) {
    let first =
        incident.earlier.first().map_or((incident.started_at, incident.detected_at), |o| (o.started_at, o.detected_at));
    let start = first.0.unwrap_or(first.1).min(first.1);
    (start.saturating_sub(SignedDuration::from_hours(1)).unwrap_or(start), incident.resolved_at.unwrap_or(now))
}
