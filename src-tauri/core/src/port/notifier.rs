//! Desktop notifications.

use serde::{Deserialize, Serialize};

use super::BoxFuture;
use crate::{incident::IncidentId, severity::Severity};

/// What a notification is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    Opened,
    Worse,
    Recovered,
    /// What was already broken when watching began, in one.
    Summary,
    LostSight,
    /// What waited for the morning, in one.
    Morning,
    /// A person asked whether notifications arrive.
    Test,
}

/// A notification to show. At most one per incident is on screen: a later one replaces the earlier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    pub kind: NoticeKind,
    /// The incident it opens when clicked; none for summaries.
    pub incident: Option<IncidentId>,
    /// At most 45 characters.
    pub title: String,
    /// At most 110 characters.
    pub body: String,
    pub severity: Severity,
}

/// Why it could not be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NoticeError {
    pub message: String,
}

/// Shows notifications.
pub trait Notifier: Send + Sync {
    /// Shows or replaces a notification.
    ///
    /// # Errors
    /// When no notification service answers. The incident then says so on its timeline.
    fn show(&self, notice: Notice) -> BoxFuture<'_, Result<(), NoticeError>>;
}
