//! The post-mortem as a document: saved, reviewed, put back.

use afterwatch_core::{
    port::{StoreError, store::IncidentKey},
    postmortem::{Edit, Origin, Status, StatusChange, Version},
    redact,
};

use crate::session::{Engine, blocking};

impl Engine {
    /// Saves the edited post-mortem, redacted, or goes back to the template with `None`. What it replaces is kept; one
    /// that was reviewed is a draft again.
    ///
    /// # Errors
    /// When it could not be written: keep the text and try again.
    pub async fn save_draft(
        &self,
        key: IncidentKey,
        markdown: Option<&str>,
        origin: Origin,
        by: &str,
    ) -> Result<(), StoreError> {
        let (markdown, now) = (markdown.map(|m| redact::text(m).into_owned()), self.0.ports.clock.now());
        let by = by.to_owned();
        blocking(&self.0.ports.store, move |s| {
            s.save_draft(s.incident(&key)?.id, &Edit { markdown: markdown.as_deref(), origin, by: &by }, now)
        })
        .await
    }

    /// Every version, the current one included, newest first.
    ///
    /// # Errors
    /// When there is no such incident, or the database cannot be read.
    pub async fn draft_versions(&self, key: IncidentKey) -> Result<Vec<Version>, StoreError> {
        blocking(&self.0.ports.store, move |s| s.draft_versions(s.incident(&key)?.id)).await
    }

    /// Gives the post-mortem a status. Where the record still fills it, `filled` is kept as its text first: what is
    /// under review does not change by itself.
    ///
    /// # Errors
    /// When there is no such incident, or it could not be written.
    pub async fn set_draft_status(
        &self,
        key: IncidentKey,
        status: Status,
        filled: &str,
        by: &str,
    ) -> Result<(), StoreError> {
        let now = self.0.ports.clock.now();
        let (filled, by) = (redact::text(filled).into_owned(), by.to_owned());
        blocking(&self.0.ports.store, move |s| {
            let id = s.incident(&key)?.id;
            if status != Status::Draft && s.draft(id)?.is_none() {
                s.save_draft(id, &Edit { markdown: Some(&filled), origin: Origin::Kept, by: &by }, now)?;
            }
            s.set_draft_status(id, &StatusChange { status, at: now, by })
        })
        .await
    }

    /// Chooses the shape the record fills the post-mortem in. A person's text makes room for it and stays among the
    /// versions.
    ///
    /// # Errors
    /// When there is no such incident, or it could not be written.
    pub async fn set_draft_shape(&self, key: IncidentKey, shape: &str, by: &str) -> Result<(), StoreError> {
        let now = self.0.ports.clock.now();
        let (shape, by) = (shape.to_owned(), by.to_owned());
        blocking(&self.0.ports.store, move |s| {
            let id = s.incident(&key)?.id;
            if s.draft(id)?.is_some() {
                s.save_draft(id, &Edit { markdown: None, origin: Origin::Shaped, by: &by }, now)?;
            }
            s.set_draft_shape(id, &shape)
        })
        .await
    }
}
