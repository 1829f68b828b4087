//! The settings screen. A change applies at once.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Everything the settings screen shows.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SettingsPage {
    pub notifications: NotificationSettings,
    pub rules: Vec<RuleDto>,
    pub ignored: Vec<IgnoredDto>,
    pub retention: RetentionSettings,
    pub appearance: AppearanceSettings,
    pub data: DataDto,
    /// What was sent in the last 7 days, newest first.
    pub sent: Vec<SentNoteDto>,
}

/// What is told, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct NotificationSettings {
    /// `now`, `morning` (in one note at `morning_at`) or `window` (never notified).
    pub critical: String,
    pub high: String,
    pub medium: String,
    pub low: String,
    /// `08:30`.
    pub morning_at: String,
    /// Whose recovery is told: `notified`, `acknowledged` (those somebody acknowledged) or `never`.
    pub recovered: String,
    /// Tell when a cluster has been out of sight for five minutes.
    pub lost_sight: bool,
    pub quiet_hours: Option<QuietHoursDto>,
    /// Until then quiet hours do not count.
    pub on_call_until: Option<String>,
    /// Notifications name no objects and namespaces.
    pub hide_names: bool,
}

/// Hours in which notifications wait for the morning note.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct QuietHoursDto {
    /// `22:00`.
    pub from: String,
    /// `07:00`.
    pub to: String,
    /// Critical still comes through.
    pub except_critical: bool,
}

/// A rule.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RuleDto {
    pub id: String,
    pub means: String,
    pub source: String,
    /// Kinds without which it cannot speak.
    pub reads: Vec<String>,
    pub on: bool,
    /// How long its findings must have lasted, in seconds, where the user set it; null: the rule's own.
    pub hold_s: Option<u32>,
    /// The number of the rule that can be set; null where it has none.
    pub threshold: Option<ThresholdDto>,
}

/// A number from which on, or up to which, a rule tells of something.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ThresholdDto {
    /// Words that come before the number: "tells of a container that has ended at least".
    pub means: String,
    /// `times`, `minutes` or `hours`.
    pub unit: String,
    /// The rule's own number.
    pub usual: u32,
    pub least: u32,
    pub most: u32,
    /// Where the user set it; null: the rule's own.
    pub set: Option<u32>,
}

/// Something that opens no incident any more.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct IgnoredDto {
    pub id: String,
    /// `namespace`, `label` or `not_an_incident`.
    pub kind: String,
    /// What it is, in words.
    pub what: String,
    pub reason: Option<String>,
    pub since: String,
}

/// What to ignore: a namespace, or a label of objects or of their workloads.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct IgnoreRequest {
    /// Null: in every cluster.
    pub cluster: Option<String>,
    pub namespace: Option<String>,
    /// `key=value`, or `key` for any value.
    pub label: Option<String>,
    pub reason: Option<String>,
}

/// How long what is recorded is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RetentionSettings {
    /// Excerpts of evidence of resolved incidents; then the report stays and the excerpts go. Null: for ever.
    pub evidence_days: Option<u32>,
    /// Changes that no incident took in, and coverage. Null: for ever.
    pub changes_days: Option<u32>,
}

/// How the window looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct AppearanceSettings {
    /// `system`, `light` or `dark`.
    pub theme: String,
    /// Single letters are keys.
    pub single_keys: bool,
    /// `local` or `utc`.
    pub clock: String,
    /// 80 to 200 per cent.
    pub zoom: u32,
}

/// Where the history lies.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct DataDto {
    pub database: String,
    #[ts(type = "number")]
    pub bytes: u64,
    pub incidents: u32,
    pub recorded_since: Option<String>,
    /// Where backups go.
    pub backups: String,
    /// The log file of the app.
    pub log: Option<String>,
}

/// A notification that was sent.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SentNoteDto {
    pub at: String,
    pub title: String,
    /// `opened`, `worse`, `recovered`, `summary`, `lost_sight` or `morning`.
    pub kind: String,
    pub incident: Option<String>,
}
