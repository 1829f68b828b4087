//! `tauri-plugin-notification`, for macOS and Windows.

use afterwatch_core::{
    incident::IncidentId,
    port::{BoxFuture, Notice, NoticeError},
};
use tauri::AppHandle;
use tauri_plugin_notification::{Action, ActionType, NotificationExt};
use uuid::Uuid;

use super::{BUTTONS, Click, Pressed, buttons, gather::Screen};

/// The type under which the buttons are registered.
const WITH_BUTTONS: &str = "incident";

/// Where a notification carries its incident.
const INCIDENT: &str = "incident";

/// The notifier of macOS and Windows. The plugin sends from a task of its own: a system that shows nothing (do not
/// disturb, no permission) is not reported as an error there.
pub struct Plugin {
    app: AppHandle,
}

impl Plugin {
    pub(super) fn new(app: AppHandle) -> Plugin {
        let actions = BUTTONS.iter().map(|(name, words)| Action::builder(*name, *words).build()).collect();
        let kind = ActionType::builder(WITH_BUTTONS).actions(actions).build();
        let pressed = Pressed(app.clone());
        let ready = app.notification().register_action_types(vec![kind]).and_then(|()| {
            app.notification().on_action(move |performed| {
                let extra = performed.notification().map(|shown| shown.extra());
                let incident = extra.and_then(|e| e.get(INCIDENT)).and_then(|value| value.as_str());
                let incident = incident.and_then(|text| Uuid::parse_str(text).ok()).map(IncidentId);
                if let Some(click) = Click::parse(performed.action_id()) {
                    pressed.tell(click, incident, None);
                }
            })
        });
        if let Err(error) = ready {
            tracing::warn!(%error, "notifications have no buttons");
        }
        Plugin { app }
    }
}

impl Screen for Plugin {
    /// These systems cannot take a shown notification's place, so the earlier ones stay.
    fn put(&self, notice: Notice, _replaces: Vec<IncidentId>) -> BoxFuture<'_, Result<(), NoticeError>> {
        let mut builder = self.app.notification().builder().title(&notice.title).body(&notice.body);
        if !buttons(&notice).is_empty() {
            builder = builder.action_type_id(WITH_BUTTONS);
        }
        if let Some(incident) = notice.incident {
            builder = builder.extra(INCIDENT, incident.to_string());
        }
        let shown = builder.show().map_err(|error| NoticeError { message: error.to_string() });
        Box::pin(std::future::ready(shown))
    }
}
