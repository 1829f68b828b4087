//! The history and what people do with it. Every function reads or writes the database off the watch path.

use afterwatch_core::{
    coverage::{Coverage, Gap},
    incident::Incident,
    port::{
        StoreError,
        store::{Draft, IncidentKey, IncidentQuery, Notes},
    },
    silence::{Silence, SilenceMatcher},
};
use jiff::SignedDuration;
use uuid::Uuid;

use crate::session::Engine;

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

impl Engine {
    /// Incidents by query, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn incidents(&self, _query: IncidentQuery) -> Result<Vec<Incident>, StoreError> {
        unimplemented!()
    }

    /// One incident whole.
    ///
    /// # Errors
    /// When there is none, or the database cannot be read.
    pub async fn incident(&self, _key: IncidentKey) -> Result<Incident, StoreError> {
        unimplemented!()
    }

    /// The incident with its notes, coverage, gaps and edited post-mortem.
    ///
    /// # Errors
    /// When there is none, or the database cannot be read.
    pub async fn source(&self, _key: IncidentKey) -> Result<MarkdownSource, StoreError> {
        unimplemented!()
    }

    /// The gaps of coverage (of pods) that overlap the incident.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn gaps(&self, _incident: &Incident) -> Result<Vec<Gap>, StoreError> {
        unimplemented!()
    }

    /// The newest revision of the database.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn revision(&self) -> Result<u64, StoreError> {
        unimplemented!()
    }

    /// Acknowledges an open incident; does nothing to one that is acknowledged already.
    ///
    /// # Errors
    /// When there is none, or it could not be written.
    pub async fn acknowledge(&self, _key: IncidentKey, _who: &str) -> Result<Incident, StoreError> {
        unimplemented!()
    }

    /// Closes an incident by hand.
    ///
    /// # Errors
    /// When there is none, or it could not be written.
    pub async fn resolve(&self, _key: IncidentKey, _who: &str, _reason: Option<&str>) -> Result<Incident, StoreError> {
        unimplemented!()
    }

    /// Opens a resolved incident again.
    ///
    /// # Errors
    /// When there is none, or it could not be written.
    pub async fn reopen(&self, _key: IncidentKey, _who: &str) -> Result<Incident, StoreError> {
        unimplemented!()
    }

    /// Adds a dated entry of a person to the timeline.
    ///
    /// # Errors
    /// When there is no such incident, or it could not be written.
    pub async fn add_entry(&self, _key: IncidentKey, _who: &str, _text: &str) -> Result<Incident, StoreError> {
        unimplemented!()
    }

    /// The notes document.
    ///
    /// # Errors
    /// When there is no such incident, or the database cannot be read.
    pub async fn notes(&self, _key: IncidentKey) -> Result<Notes, StoreError> {
        unimplemented!()
    }

    /// Saves the notes document, redacted; what it replaces is kept.
    ///
    /// # Errors
    /// When it could not be written: keep the text and try again.
    pub async fn save_notes(&self, _key: IncidentKey, _text: &str) -> Result<Notes, StoreError> {
        unimplemented!()
    }

    /// Saves the edited post-mortem, or goes back to the template with `None`.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn save_draft(&self, _key: IncidentKey, _markdown: Option<&str>) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// Silences that have not ended.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn silences(&self) -> Result<Vec<Silence>, StoreError> {
        unimplemented!()
    }

    /// Mutes the notifications of what the matcher names, for a while.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn silence(&self, _matcher: SilenceMatcher, _for_: SignedDuration, _reason: &str) -> Result<Silence, StoreError> {
        unimplemented!()
    }

    /// Ends a silence.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn unsilence(&self, _id: Uuid) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// A setting as JSON.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn setting(&self, _key: &'static str) -> Result<Option<serde_json::Value>, StoreError> {
        unimplemented!()
    }

    /// Writes a setting.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn set_setting(&self, _key: &'static str, _value: serde_json::Value) -> Result<(), StoreError> {
        unimplemented!()
    }
}
