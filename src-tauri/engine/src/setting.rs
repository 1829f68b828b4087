//! What the user set, read and changed.

use afterwatch_core::{
    port::{Notice, NoticeError, StoreError, notifier::NoticeKind},
    settings::{Ignored, IgnoredThing, Settings},
    severity::Severity,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::session::{Engine, blocking};

/// The name under which the settings are kept.
const SETTINGS: &str = "settings";

/// The notifications that were sent, for the settings screen.
const SENT: &str = "sent_notes";

/// So many of them are kept, for so long.
const SENT_MOST: usize = 100;
const SENT_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A notification that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentNote {
    pub at: Timestamp,
    pub title: String,
    pub kind: NoticeKind,
    pub incident: Option<String>,
}

impl Engine {
    /// The settings, read anew.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn settings(&self) -> Result<Settings, StoreError> {
        Ok(Settings::read(&self.setting(SETTINGS).await?.unwrap_or_default()))
    }

    /// Changes the settings; they hold at once.
    ///
    /// # Errors
    /// When they could not be written; the old ones hold then.
    pub async fn change_settings(&self, change: impl FnOnce(&mut Settings)) -> Result<(), StoreError> {
        let _turn = self.0.setting_turn.lock().await;
        let kept = self.setting(SETTINGS).await?.unwrap_or_default();
        let before = Settings::read(&kept);
        let mut settings = before.clone();
        change(&mut settings);
        self.set_setting(SETTINGS, before.keep(&settings, &kept)).await?;
        self.adopt_settings(settings);
        Ok(())
    }

    /// Ignores something from now on.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn ignore(
        &self,
        cluster: Option<String>,
        what: IgnoredThing,
        reason: Option<String>,
    ) -> Result<(), StoreError> {
        let since = self.0.ports.clock.now();
        let known = |i: &Ignored| i.cluster == cluster && i.what == what;
        if self.settings().await?.ignored.iter().any(known) {
            return Ok(());
        }
        let ignored = Ignored { id: Uuid::now_v7(), cluster, what, reason, since };
        self.change_settings(|settings| settings.ignored.push(ignored)).await
    }

    /// Minds something again.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn unignore(&self, id: Uuid) -> Result<(), StoreError> {
        self.change_settings(|settings| settings.ignored.retain(|i| i.id != id)).await
    }

    /// Shows a notification on a person's asking.
    ///
    /// # Errors
    /// Why it could not be shown.
    pub async fn test_notification(&self) -> Result<(), NoticeError> {
        self.0
            .ports
            .notifier
            .show(Notice {
                kind: NoticeKind::Test,
                incident: None,
                title: "Notifications arrive".to_owned(),
                body: "This is how an incident will be told. Nothing is wrong.".to_owned(),
                severity: Severity::Low,
            })
            .await
    }

    /// What was sent in the last 7 days, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sent_notes(&self) -> Result<Vec<SentNote>, StoreError> {
        let value = self.setting(SENT).await?;
        let all: Vec<SentNote> = value.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
        let now = self.0.ports.clock.now();
        Ok(all.into_iter().filter(|note| now.duration_since(note.at) < SENT_FOR).collect())
    }

    /// Shows a notification and remembers that it was sent.
    pub(crate) async fn show(&self, notice: Notice) -> Result<(), NoticeError> {
        let now = self.0.ports.clock.now();
        let note = SentNote {
            at: now,
            title: notice.title.clone(),
            kind: notice.kind,
            incident: notice.incident.map(|id| id.to_string()),
        };
        self.0.ports.notifier.show(notice).await?;
        let remember = move |store: &dyn afterwatch_core::port::Store| {
            let known = store.setting(SENT)?.and_then(|value| serde_json::from_value(value).ok());
            let mut all: Vec<SentNote> = known.unwrap_or_default();
            all.insert(0, note);
            all.retain(|n| now.duration_since(n.at) < SENT_FOR);
            all.truncate(SENT_MOST);
            store.set_setting(SENT, &json!(all))
        };
        let _turn = self.0.setting_turn.lock().await;
        if let Err(error) = blocking(&self.0.ports.store, remember).await {
            tracing::warn!(%error, "a notification was sent and not noted");
        }
        Ok(())
    }

    /// Reads the settings anew, after another process may have changed them.
    pub(crate) async fn refresh_settings(&self) {
        match self.settings().await {
            Ok(settings) => self.adopt_settings(settings),
            Err(error) => tracing::warn!(%error, "the settings could not be read; those of before hold"),
        }
    }
}
