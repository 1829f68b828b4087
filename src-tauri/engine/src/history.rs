//! The history and what people do with it. Every function reads or writes the database off the watch path.

use std::sync::Arc;

use afterwatch_core::{
    coverage::{Coverage, Gap, gaps},
    incident::{Incident, IncidentId, State},
    ledger,
    port::{
        Store, StoreError,
        store::{Draft, IncidentKey, IncidentQuery, Notes, Saved},
    },
    postmortem::StatusChange,
    redact,
    settings::IgnoredThing,
    silence::{Silence, SilenceMatcher},
};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::{
    event::{EngineEvent, IncidentStep},
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
    /// Its status with time and person; `None`: a draft that nobody moved.
    pub status: Option<StatusChange>,
    /// The shape the record fills it in; `None`: the house's own.
    pub shape: Option<String>,
}

impl MarkdownSource {
    /// When people last changed anything of it: its text, its status, the notes.
    pub fn changed_at(&self) -> Option<Timestamp> {
        let text = self.draft.as_ref().map(|draft| draft.updated_at);
        let status = self.status.as_ref().map(|change| change.at);
        [text, status, self.notes.updated_at].into_iter().flatten().max()
    }
}

/// The kind whose coverage decides whether an incident was watched.
pub(crate) const WATCHED: &str = "pods";

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
                status: s.draft_statuses(incident.id)?.pop(),
                shape: s.draft_shape(incident.id)?,
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

    /// Ties an incident to a ticket kept elsewhere, or unties it.
    ///
    /// # Errors
    /// When there is none, or it could not be written.
    pub async fn set_ticket(&self, key: IncidentKey, who: &str, url: Option<&str>) -> Result<Incident, StoreError> {
        let (who, url) = (who.to_owned(), url.map(|url| redact::text(url).into_owned()));
        self.edit(key, move |i, now| ledger::set_ticket(i, now, &who, url.as_deref())).await
    }

    /// Closes it as no incident, and ignores its rules on its workloads from now on.
    ///
    /// # Errors
    /// When there is none, or it could not be written.
    pub async fn not_an_incident(
        &self,
        key: IncidentKey,
        who: &str,
        reason: Option<&str>,
    ) -> Result<Incident, StoreError> {
        let (who, reason) = (who.to_owned(), reason.map(|r| redact::text(r).into_owned()));
        let said = reason.clone();
        // First what makes it stay closed: a closed incident whose rule still speaks would say what is not so.
        let incident = self.incident(key.clone()).await?;
        let (number, title) = (incident.number, incident.title.clone());
        let thing = IgnoredThing::NotAnIncident { number, title, parts: ledger::parts(&incident) };
        self.ignore(Some(incident.cluster.clone()), thing, said).await?;
        self.edit(key, move |i, now| ledger::not_an_incident(i, now, &who, reason.as_deref())).await
    }

    /// Deletes an incident with everything recorded and written under it.
    ///
    /// # Errors
    /// When there is none, or it could not be written.
    pub async fn delete(&self, key: IncidentKey) -> Result<(), StoreError> {
        let id = self.incident(key).await?.id;
        self.forget(id).await;
        blocking(&self.0.ports.store, move |s| s.delete(id)).await?;
        let _ = self.0.events.send(EngineEvent::Listed);
        Ok(())
    }

    /// Puts incidents together: what the others hold goes on in `into`.
    ///
    /// # Errors
    /// When one is not there, lies in another cluster, or it could not be written.
    pub async fn merge(&self, into: IncidentKey, others: Vec<IncidentKey>) -> Result<(), StoreError> {
        for other in others {
            let into = into.clone();
            self.edit_both(move |store, now| {
                let (mut one, mut target) = (store.incident(&other)?, store.incident(&into)?);
                if one.id == target.id || one.merged_into == Some(target.id) {
                    return Ok(Vec::new());
                }
                let (this, that) = (one.label(), target.label());
                let refused = |why: String| Err(StoreError::Refused(why));
                if one.cluster_uid != target.cluster_uid {
                    return refused(format!("{this} and {that} lie in different clusters and cannot be one."));
                }
                if one.merged_into.is_some() || target.merged_into.is_some() {
                    return refused(format!("{this} or {that} is part of another incident already: merge that one."));
                }
                if one.state.is_open() && !target.state.is_open() {
                    return refused(format!("{that} is resolved and {this} goes on: merge {that} into {this}."));
                }
                ledger::merge_into(&mut one, &mut target, now);
                Ok(vec![one, target])
            })
            .await?;
        }
        Ok(())
    }

    /// Splits findings, by fingerprint, off into an incident of their own.
    ///
    /// # Errors
    /// When they cannot be split off, or it could not be written.
    pub async fn split(&self, key: IncidentKey, who: &str, findings: Vec<String>) -> Result<IncidentId, StoreError> {
        let (who, id) = (who.to_owned(), IncidentId(Uuid::now_v7()));
        self.edit_both(move |store, now| {
            let mut incident = store.incident(&key)?;
            let part = ledger::split(&mut incident, &findings, id, now, &who);
            let part = part.map_err(|error| StoreError::Refused(error.to_string()))?;
            Ok(vec![incident, part])
        })
        .await?;
        Ok(id)
    }

    /// Changes several incidents in one; repeated when somebody else wrote one of them in between.
    async fn edit_both(
        &self,
        change: impl Fn(&dyn Store, Timestamp) -> Result<Vec<Incident>, StoreError> + Send + Sync + 'static,
    ) -> Result<(), StoreError> {
        let now = self.0.ports.clock.now();
        let changed = blocking(&self.0.ports.store, move |store| {
            for _ in 0..8 {
                let mut all = change(store, now)?;
                let saved = match store.save_together(&all) {
                    Err(StoreError::Conflict) => continue,
                    saved => saved?,
                };
                for (incident, saved) in all.iter_mut().zip(saved) {
                    if let Saved::Written { number, revision } = saved {
                        (incident.number, incident.revision) = (number, revision);
                    }
                }
                return Ok(all);
            }
            Err(StoreError::Conflict)
        })
        .await?;
        for incident in changed {
            self.adopt(&incident);
            self.tell(IncidentStep::Edited, Arc::new(incident));
        }
        Ok(())
    }

    /// Reads, changes and writes an incident; repeated when somebody else wrote it in between.
    pub(crate) async fn edit(
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

    /// Earlier versions of the notes, newest first.
    ///
    /// # Errors
    /// When there is no such incident, or the database cannot be read.
    pub async fn notes_history(&self, key: IncidentKey) -> Result<Vec<Notes>, StoreError> {
        blocking(&self.0.ports.store, move |s| s.notes_history(s.incident(&key)?.id)).await
    }

    /// Saves the notes document, redacted; what it replaces is kept.
    ///
    /// # Errors
    /// When it could not be written: keep the text and try again.
    pub async fn save_notes(&self, key: IncidentKey, text: &str) -> Result<Notes, StoreError> {
        let (text, now) = (redact::text(text).into_owned(), self.0.ports.clock.now());
        blocking(&self.0.ports.store, move |s| s.save_notes(s.incident(&key)?.id, &text, now)).await
    }

    /// Silences that have not ended.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn silences(&self) -> Result<Vec<Silence>, StoreError> {
        let now = self.0.ports.clock.now();
        blocking(&self.0.ports.store, move |s| s.silences(now)).await
    }

    /// Until when the notifications of an incident are muted, by the silences as last read.
    pub fn silenced_until(&self, incident: &Incident) -> Option<Timestamp> {
        let now = self.0.ports.clock.now();
        let silences = self.known_silences();
        let holding = silences.iter().filter(|s| s.active(now) && s.matcher.matches(incident));
        holding.map(|s| s.until).max()
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

    /// Size of the history on disk, in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.0.ports.store.size_bytes()
    }

    /// Writes a verified copy of the history, and returns its path.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn back_up(&self) -> Result<String, StoreError> {
        blocking(&self.0.ports.store, |s| s.back_up()).await
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
    instants_window(first, incident.resolved_at.unwrap_or(now))
}

/// From an hour before the start, or where that is not known the detection, to an end.
pub(crate) fn instants_window(first: (Option<Timestamp>, Timestamp), end: Timestamp) -> (Timestamp, Timestamp) {
    let start = first.0.unwrap_or(first.1).min(first.1);
    (start.saturating_sub(SignedDuration::from_hours(1)).unwrap_or(start), end)
}
