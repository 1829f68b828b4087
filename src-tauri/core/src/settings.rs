//! What the user set: what is told and when, which rules speak, what is ignored, how long things are kept.
//!
//! Everything has a safe default, and whatever an older or newer version wrote is read as far as it is understood.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, civil::Time, tz::TimeZone};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    correlate::RuleFilter,
    incident::{Incident, Part},
    severity::Severity,
    silence::Silence,
};

/// The settings that the engine obeys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub notifications: NotificationPolicy,
    /// By rule id; a rule that is not named is on, with its own hold time.
    pub rules: BTreeMap<String, RuleSetting>,
    pub ignored: Vec<Ignored>,
    pub retention: Retention,
}

/// When something is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// A notification of its own, at once.
    Now,
    /// With everything else that waited, in one note in the morning.
    Morning,
    /// Never notified.
    Window,
}

/// Whose recovery is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecoveryNotice {
    /// That of every incident that was notified.
    Notified,
    /// Only of those somebody acknowledged.
    Acknowledged,
    Never,
}

/// What is told, and when. The default: Critical, High and Medium at once, Low not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NotificationPolicy {
    pub critical: Delivery,
    pub high: Delivery,
    pub medium: Delivery,
    pub low: Delivery,
    pub morning_at: Time,
    pub recovered: RecoveryNotice,
    /// Whether a cluster that is out of sight is told of.
    pub lost_sight: bool,
    pub quiet_hours: Option<QuietHours>,
    /// Until then quiet hours do not count.
    pub on_call_until: Option<Timestamp>,
    /// Notifications name no objects and namespaces.
    pub hide_names: bool,
}

impl Default for NotificationPolicy {
    fn default() -> NotificationPolicy {
        NotificationPolicy {
            critical: Delivery::Now,
            high: Delivery::Now,
            medium: Delivery::Now,
            low: Delivery::Window,
            morning_at: Time::constant(8, 30, 0, 0),
            recovered: RecoveryNotice::Notified,
            lost_sight: true,
            quiet_hours: None,
            on_call_until: None,
            hide_names: false,
        }
    }
}

/// Hours of the day in which notifications wait for the morning; they may span midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    pub from: Time,
    pub to: Time,
    /// Critical still comes through.
    pub except_critical: bool,
}

impl QuietHours {
    /// Whether this time of day is quiet. The end is not part of it; equal ends mean the whole day.
    pub fn contains(&self, at: Time) -> bool {
        if self.from < self.to { self.from <= at && at < self.to } else { at >= self.from || at < self.to }
    }
}

impl NotificationPolicy {
    /// When an incident is told: by its severity, the hour, and what is silenced.
    pub fn delivery(&self, incident: &Incident, silences: &[Silence], now: Timestamp, zone: &TimeZone) -> Delivery {
        if silences.iter().any(|s| s.active(now) && s.matcher.matches(incident)) {
            return Delivery::Window;
        }
        let by_severity = match incident.severity {
            Severity::Critical => self.critical,
            Severity::High => self.high,
            Severity::Medium => self.medium,
            Severity::Low => self.low,
        };
        match by_severity {
            Delivery::Now if self.is_quiet(incident.severity, now, zone) => Delivery::Morning,
            delivery => delivery,
        }
    }

    /// Whether notifications of this severity wait now.
    pub fn is_quiet(&self, severity: Severity, now: Timestamp, zone: &TimeZone) -> bool {
        let Some(quiet) = self.quiet_hours else { return false };
        let on_call = self.on_call_until.is_some_and(|until| now < until);
        let comes_through = quiet.except_critical && severity == Severity::Critical;
        quiet.contains(now.to_zoned(zone.clone()).time()) && !on_call && !comes_through
    }

    /// The newest moment at or before `now` at which the morning note is due: at its time, or when the quiet hours end
    /// that lie around it.
    pub fn last_morning(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let today = now.to_zoned(zone.clone()).date();
        let due = self.quiet_hours.filter(|quiet| quiet.contains(self.morning_at)).map_or(self.morning_at, |q| q.to);
        let at = |date: jiff::civil::Date| date.to_datetime(due).to_zoned(zone.clone()).ok();
        let mornings = [Some(today), today.yesterday().ok()].into_iter().flatten().filter_map(at);
        mornings.map(|zoned| zoned.timestamp()).find(|morning| *morning <= now)
    }
}

/// What the user changed of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RuleSetting {
    pub on: bool,
    /// Seconds a finding must have lasted, in place of the rule's own.
    pub hold_s: Option<u32>,
    /// In the unit of the rule's threshold, in place of its own number.
    pub threshold: Option<u32>,
}

impl Default for RuleSetting {
    fn default() -> RuleSetting {
        RuleSetting { on: true, hold_s: None, threshold: None }
    }
}

/// Something that opens no incident any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignored {
    pub id: Uuid,
    /// The cluster's name; `None` for every cluster.
    pub cluster: Option<String>,
    pub what: IgnoredThing,
    pub reason: Option<String>,
    pub since: Timestamp,
}

/// What is ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IgnoredThing {
    Namespace(String),
    /// A label of the object that shows the problem or of the workload hit; without a value: any value.
    Label {
        key: String,
        value: Option<String>,
    },
    /// A person said that this is no incident.
    NotAnIncident {
        number: u64,
        title: String,
        parts: Vec<Part>,
    },
}

/// How long what is recorded is kept, in days; `None`: for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Retention {
    /// Excerpts of the evidence of resolved incidents. Their reports stay.
    pub evidence_days: Option<u32>,
    /// Changes that no incident took in.
    pub changes_days: Option<u32>,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention { evidence_days: Some(365), changes_days: Some(30) }
    }
}

impl Settings {
    /// Reads what is kept, part by part: one word that a newer version wrote costs its own part alone. What cannot be
    /// understood of the retention keeps everything.
    pub fn read(kept: &Value) -> Settings {
        fn part<T: DeserializeOwned + Default>(kept: &Value, name: &str) -> T {
            kept.get(name).and_then(|value| T::deserialize(value).ok()).unwrap_or_default()
        }
        let entries = kept.get("ignored").and_then(Value::as_array);
        Settings {
            notifications: part(kept, "notifications"),
            rules: part(kept, "rules"),
            ignored: entries.into_iter().flatten().filter_map(|entry| Ignored::deserialize(entry).ok()).collect(),
            retention: match kept.get("retention").map(Retention::deserialize) {
                None => Retention::default(),
                Some(Ok(retention)) => retention,
                Some(Err(_)) => Retention { evidence_days: None, changes_days: None },
            },
        }
    }

    /// What is to be kept when these settings changed to others: a part that did not change stays as it was written,
    /// and so does an entry that was not understood.
    pub fn keep(&self, changed: &Settings, kept: &Value) -> Value {
        let mut out = if kept.is_object() { kept.clone() } else { json!({}) };
        let (before, after) = (json!(self), json!(changed));
        for name in ["notifications", "rules", "ignored", "retention"] {
            if before[name] != after[name] {
                out[name] = after[name].clone();
                if name == "ignored" {
                    let entries = kept[name].as_array().into_iter().flatten();
                    let foreign = entries.filter(|entry| Ignored::deserialize(*entry).is_err()).cloned();
                    let all = after[name].as_array().into_iter().flatten().cloned().chain(foreign);
                    out[name] = Value::Array(all.collect());
                }
            }
        }
        out
    }

    /// What of the rules holds for a cluster.
    pub fn filter(&self, cluster: &str) -> RuleFilter {
        let mut filter = RuleFilter::default();
        for (id, rule) in &self.rules {
            if !rule.on {
                filter.off.insert(id.clone());
            }
            if let Some(seconds) = rule.hold_s {
                filter.holds.insert(id.clone(), SignedDuration::from_secs(i64::from(seconds)));
            }
        }
        filter.thresholds = self.rules.iter().filter_map(|(id, rule)| Some((id.clone(), rule.threshold?))).collect();
        for ignored in self.ignored.iter().filter(|i| i.cluster.as_deref().is_none_or(|name| name == cluster)) {
            match &ignored.what {
                IgnoredThing::Namespace(name) => _ = filter.namespaces.insert(name.clone()),
                IgnoredThing::Label { key, value } => filter.labels.push((key.clone(), value.clone())),
                IgnoredThing::NotAnIncident { parts, .. } => filter.known.extend(parts.iter().cloned()),
            }
        }
        filter
    }
}
