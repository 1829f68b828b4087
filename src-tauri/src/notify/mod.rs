//! Desktop notifications, by what each system offers.
//!
//! macOS and Windows: `tauri-plugin-notification`. Linux: our own words over D-Bus, because the plugin cannot replace
//! a shown notification, has no urgency, and says nothing when no notification service answers; an incident whose
//! notification nobody could see has to say so on its timeline.

mod check;
#[cfg(target_os = "linux")]
mod freedesktop;
mod gather;
#[cfg(any(not(target_os = "linux"), test))]
#[cfg_attr(target_os = "linux", allow(dead_code))]
mod plugin;

use std::sync::Arc;

use afterwatch_core::{
    incident::IncidentId,
    port::{Notice, Notifier, notifier::NoticeKind},
};
pub use check::check;
use tauri::AppHandle;

use crate::shell::Shell;

/// What a person pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Click {
    Open,
    Acknowledge,
    Silence,
}

impl Click {
    /// The name of the action; `default` is a click on the notification itself, `tap` the plugin's word for it.
    fn parse(action: &str) -> Option<Click> {
        match action {
            "default" | "tap" | "open" => Some(Click::Open),
            "acknowledge" => Some(Click::Acknowledge),
            "silence" => Some(Click::Silence),
            _ => None,
        }
    }
}

/// The buttons of a notification that opens an incident, beside the click on itself: name and words.
const BUTTONS: &[(&str, &str)] = &[("acknowledge", "Acknowledge"), ("silence", "Silence 1 h")];

/// The buttons of this notification.
fn buttons(notice: &Notice) -> &'static [(&'static str, &'static str)] {
    if notice.kind == NoticeKind::Opened && notice.incident.is_some() { BUTTONS } else { &[] }
}

/// Takes what was pressed to the shell.
#[derive(Clone)]
struct Pressed(AppHandle);

impl Pressed {
    /// `token` is the desktop's permission to come to the front, where it gives one.
    fn tell(&self, click: Click, incident: Option<IncidentId>, token: Option<String>) {
        let shell = Shell::of(&self.0);
        tauri::async_runtime::spawn(async move { shell.pressed(click, incident, token).await });
    }
}

/// This system's notifications.
pub fn native(app: &AppHandle) -> Arc<dyn Notifier> {
    #[cfg(target_os = "linux")]
    let screen = freedesktop::Freedesktop::new(Pressed(app.clone()));
    #[cfg(not(target_os = "linux"))]
    let screen = plugin::Plugin::new(app.clone());
    Arc::new(gather::Gathered::new(screen))
}
