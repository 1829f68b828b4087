//! The settings screen. A change applies at once, or says why it could not. The settings are those of the record, also
//! while a drill is open.

use std::path::Path;

use afterwatch_contract::document::word;
use afterwatch_contract::settings::{
    AppearanceSettings, DataDto, IgnoreRequest, IgnoredDto, NotificationSettings, QuietHoursDto, RetentionSettings,
    RuleDto, SentNoteDto, SettingsPage, ThresholdDto,
};
use afterwatch_core::{
    Timestamp, detect,
    port::store::IncidentQuery,
    redact,
    settings::{
        Delivery, Ignored, IgnoredThing, NotificationPolicy, QuietHours, RecoveryNotice, Retention, RuleSetting,
        Settings,
    },
};
use jiff::civil::Time;
use serde::de::DeserializeOwned;
use serde_json::json;
use uuid::Uuid;

use super::{Answer, Held, check_size, error};

/// How the window looks is the window's business; the engine only keeps it.
const APPEARANCE: &str = "appearance";

/// The longest hold time a person may set: a day.
const LONGEST_HOLD: u32 = 24 * 60 * 60;

/// Everything the settings screen shows.
#[tauri::command]
pub async fn settings(shell: Held<'_>) -> Answer<SettingsPage> {
    let desk = shell.open().await.map_err(error)?;
    let settings = desk.engine.settings().await.map_err(error)?;
    let past = IncidentQuery { limit: Some(0), ..IncidentQuery::default() };
    let past = desk.engine.past(past).await.map_err(error)?;
    let looks = desk.engine.setting(APPEARANCE).await.map_err(error)?;
    let folder = shell.database.parent().unwrap_or(Path::new(""));
    Ok(SettingsPage {
        notifications: notifications(&settings.notifications),
        rules: rules(&settings),
        ignored: settings.ignored.iter().map(ignored).collect(),
        retention: RetentionSettings {
            evidence_days: settings.retention.evidence_days,
            changes_days: settings.retention.changes_days,
        },
        appearance: looks.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_else(usual_looks),
        data: DataDto {
            database: shell.database.display().to_string(),
            bytes: desk.engine.size_bytes(),
            incidents: past.of,
            recorded_since: past.extent.since.map(|at| at.to_string()),
            backups: folder.join("backups").display().to_string(),
            log: Some(folder.join("afterwatch.log").display().to_string()),
        },
        sent: desk
            .engine
            .sent_notes()
            .await
            .map_err(error)?
            .into_iter()
            .map(|note| SentNoteDto {
                at: note.at.to_string(),
                title: note.title,
                kind: word(&note.kind),
                incident: note.incident,
            })
            .collect(),
    })
}

/// What is told, and when.
#[tauri::command]
pub async fn set_notifications(shell: Held<'_>, notifications: NotificationSettings) -> Answer<()> {
    let policy = policy(&notifications)?;
    shell.open().await.map_err(error)?.engine.change_settings(|s| s.notifications = policy).await.map_err(error)
}

/// Switches a rule on or off, and sets its hold time and its threshold.
#[tauri::command]
pub async fn set_rule(
    shell: Held<'_>,
    id: String,
    on: bool,
    hold_s: Option<u32>,
    threshold: Option<u32>,
) -> Answer<()> {
    let Some(rule) = detect::rules().find(|rule| rule.id == id) else {
        return Err(error(format!("There is no rule {id}.")));
    };
    let threshold = own_threshold(rule, threshold)?;
    if hold_s.is_some_and(|hold| hold > LONGEST_HOLD) {
        return Err(error("A finding is held for at most a day. To hear nothing of it, switch the rule off."));
    }
    let setting = RuleSetting { on, hold_s, threshold };
    let change = |settings: &mut Settings| {
        match setting == RuleSetting::default() {
            true => _ = settings.rules.remove(&id),
            false => _ = settings.rules.insert(id, setting),
        };
    };
    shell.open().await.map_err(error)?.engine.change_settings(change).await.map_err(error)
}

/// The threshold as it is kept: nothing where it is the rule's own number.
fn own_threshold(rule: &detect::Rule, set: Option<u32>) -> Answer<Option<u32>> {
    let Some(set) = set else { return Ok(None) };
    let Some(own) = rule.threshold else { return Err(error(format!("{} has no threshold.", rule.id))) };
    if !(own.least..=own.most).contains(&set) {
        return Err(error(format!("{}: a number from {} to {} {}.", rule.id, own.least, own.most, own.unit)));
    }
    Ok((set != own.usual).then_some(set))
}

/// Ignores a namespace or a label from now on.
#[tauri::command]
pub async fn ignore(shell: Held<'_>, request: IgnoreRequest) -> Answer<()> {
    let tidy = |text: Option<String>| text.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty());
    let (cluster, reason) = (tidy(request.cluster), tidy(request.reason));
    check_size(reason.as_deref().unwrap_or_default())?;
    let thing = match (tidy(request.namespace), tidy(request.label)) {
        (Some(namespace), None) => IgnoredThing::Namespace(namespace),
        (None, Some(label)) => match label.split_once('=') {
            Some((key, _)) if key.trim().is_empty() => return Err(error("A label has a key: key=value.")),
            Some((key, value)) => {
                IgnoredThing::Label { key: key.trim().to_owned(), value: Some(value.trim().to_owned()) }
            }
            None => IgnoredThing::Label { key: label, value: None },
        },
        _ => return Err(error("Name a namespace or a label.")),
    };
    let reason = reason.map(|text| redact::text(&text).into_owned());
    shell.open().await.map_err(error)?.engine.ignore(cluster, thing, reason).await.map_err(error)
}

/// Minds something again.
#[tauri::command]
pub async fn unignore(shell: Held<'_>, id: String) -> Answer<()> {
    let id = Uuid::parse_str(&id).map_err(|_| error("There is no such entry."))?;
    shell.open().await.map_err(error)?.engine.unignore(id).await.map_err(error)
}

/// How long things are kept.
#[tauri::command]
pub async fn set_retention(shell: Held<'_>, retention: RetentionSettings) -> Answer<()> {
    let RetentionSettings { evidence_days, changes_days } = retention;
    if [evidence_days, changes_days].into_iter().flatten().any(|days| days == 0) {
        return Err(error("Keep it for at least a day, or for ever."));
    }
    let keep = Retention { evidence_days, changes_days };
    shell.open().await.map_err(error)?.engine.change_settings(|s| s.retention = keep).await.map_err(error)
}

/// How the window looks.
#[tauri::command]
pub async fn set_appearance(shell: Held<'_>, appearance: AppearanceSettings) -> Answer<()> {
    if !["system", "light", "dark"].contains(&appearance.theme.as_str())
        || !["local", "utc"].contains(&appearance.clock.as_str())
    {
        return Err(error("The theme is system, light or dark; the clock local or utc."));
    }
    if !(80..=200).contains(&appearance.zoom) {
        return Err(error("The zoom lies between 80 and 200 per cent."));
    }
    shell.open().await.map_err(error)?.engine.set_setting(APPEARANCE, json!(appearance)).await.map_err(error)
}

/// Shows a notification.
#[tauri::command]
pub async fn test_notification(shell: Held<'_>) -> Answer<()> {
    let shown = shell.open().await.map_err(error)?.engine.test_notification().await;
    shown.map_err(|problem| error(format!("The notification could not be shown: {problem}")))
}

/// Writes a copy of the history, and says where.
#[tauri::command]
pub async fn back_up(shell: Held<'_>) -> Answer<String> {
    shell.open().await.map_err(error)?.engine.back_up().await.map_err(error)
}

/// Shows the folder of the history in the system's file browser.
#[tauri::command]
pub async fn open_data_folder(shell: Held<'_>) -> Answer<()> {
    let folder = shell.database.parent().unwrap_or(Path::new("")).to_owned();
    let words = format!("{} could not be opened", folder.display());
    let opened = tokio::task::spawn_blocking(move || open::that_detached(folder)).await;
    match opened {
        Ok(Ok(())) => Ok(()),
        Ok(Err(problem)) => Err(error(format!("{words}: {problem}. The path can be copied."))),
        Err(problem) => Err(error(format!("{words}: {problem}. The path can be copied."))),
    }
}

fn usual_looks() -> AppearanceSettings {
    AppearanceSettings { theme: "system".to_owned(), single_keys: true, clock: "local".to_owned(), zoom: 100 }
}

fn notifications(policy: &NotificationPolicy) -> NotificationSettings {
    NotificationSettings {
        critical: word(&policy.critical),
        high: word(&policy.high),
        medium: word(&policy.medium),
        low: word(&policy.low),
        morning_at: clock(policy.morning_at),
        recovered: word(&policy.recovered),
        lost_sight: policy.lost_sight,
        quiet_hours: policy.quiet_hours.map(|quiet| QuietHoursDto {
            from: clock(quiet.from),
            to: clock(quiet.to),
            except_critical: quiet.except_critical,
        }),
        on_call_until: policy.on_call_until.map(|at| at.to_string()),
        hide_names: policy.hide_names,
    }
}

fn policy(settings: &NotificationSettings) -> Answer<NotificationPolicy> {
    let quiet = |quiet: &QuietHoursDto| {
        Ok::<_, afterwatch_contract::window::WindowError>(QuietHours {
            from: time(&quiet.from)?,
            to: time(&quiet.to)?,
            except_critical: quiet.except_critical,
        })
    };
    let until = settings.on_call_until.as_deref().map(str::parse::<Timestamp>).transpose();
    Ok(NotificationPolicy {
        critical: one_of::<Delivery>(&settings.critical)?,
        high: one_of(&settings.high)?,
        medium: one_of(&settings.medium)?,
        low: one_of(&settings.low)?,
        morning_at: time(&settings.morning_at)?,
        recovered: one_of::<RecoveryNotice>(&settings.recovered)?,
        lost_sight: settings.lost_sight,
        quiet_hours: settings.quiet_hours.as_ref().map(quiet).transpose()?,
        on_call_until: until.map_err(|_| error("The end of the call is no date and time."))?,
        hide_names: settings.hide_names,
    })
}

fn one_of<T: DeserializeOwned>(word: &str) -> Answer<T> {
    serde_json::from_value(json!(word)).map_err(|_| error(format!("There is no choice {word} here.")))
}

fn time(text: &str) -> Answer<Time> {
    Time::strptime("%H:%M", text).map_err(|_| error(format!("{text} is no time of day; write it as 22:00.")))
}

fn clock(time: Time) -> String {
    time.strftime("%H:%M").to_string()
}

fn rules(settings: &Settings) -> Vec<RuleDto> {
    let dto = |rule: &detect::Rule| {
        let set = settings.rules.get(rule.id).copied().unwrap_or_default();
        RuleDto {
            id: rule.id.to_owned(),
            means: rule.means.to_owned(),
            source: rule.source.to_owned(),
            reads: rule.reads.iter().map(|kind| kind.as_str().to_owned()).collect(),
            on: set.on,
            hold_s: set.hold_s,
            threshold: rule.threshold.map(|own| ThresholdDto {
                means: own.means.to_owned(),
                unit: own.unit.to_owned(),
                usual: own.usual,
                least: own.least,
                most: own.most,
                set: set.threshold,
            }),
        }
    };
    detect::rules().map(dto).collect()
}

fn ignored(ignored: &Ignored) -> IgnoredDto {
    let (kind, what) = match &ignored.what {
        IgnoredThing::Namespace(name) => ("namespace", format!("namespace {name}")),
        IgnoredThing::Label { key, value: None } => ("label", format!("label {key}, whatever its value")),
        IgnoredThing::Label { key, value: Some(value) } => ("label", format!("label {key}={value}")),
        IgnoredThing::NotAnIncident { number, title, .. } => ("not_an_incident", format!("INC-{number}: {title}")),
    };
    let place = ignored.cluster.as_ref().map_or("in every cluster".to_owned(), |name| format!("in {name}"));
    IgnoredDto {
        id: ignored.id.to_string(),
        kind: kind.to_owned(),
        what: format!("{what}, {place}"),
        reason: ignored.reason.clone(),
        since: ignored.since.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_window_sends_comes_back_as_it_was() {
        let mut settings = notifications(&NotificationPolicy::default());
        settings.quiet_hours = Some(QuietHoursDto { from: "22:00".into(), to: "07:00".into(), except_critical: true });
        settings.medium = "morning".to_owned();
        settings.on_call_until = Some("2026-11-16T08:00:00Z".to_owned());
        assert_eq!(notifications(&policy(&settings).unwrap()), settings);
    }

    #[test]
    fn a_threshold_is_one_the_rule_knows_and_its_own_number_is_not_kept() {
        let rule = |id: &str| detect::rules().find(|rule| rule.id == id).unwrap();
        let killed = rule("container-oom-killed");
        assert_eq!(own_threshold(killed, Some(5)).unwrap(), Some(5));
        assert_eq!((own_threshold(killed, Some(1)).unwrap(), own_threshold(killed, None).unwrap()), (None, None));
        assert!(own_threshold(killed, Some(0)).unwrap_err().message.contains("from 1 to 100 times"));
        assert!(own_threshold(rule("claim-pending"), Some(5)).is_err());
    }

    #[test]
    fn what_is_no_choice_is_refused_in_words() {
        let mut settings = notifications(&NotificationPolicy::default());
        settings.high = "sometimes".to_owned();
        assert!(policy(&settings).unwrap_err().message.contains("sometimes"));
        settings = notifications(&NotificationPolicy::default());
        settings.morning_at = "25:00".to_owned();
        assert!(policy(&settings).unwrap_err().message.contains("25:00"));
    }
}
