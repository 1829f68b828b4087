//! What the window may ask: thin doors to the engine's use cases, one file per area. Each is named in
//! `src-tauri/permissions/desk.toml`, or it is refused.

mod app;
mod assistant;
mod clusters;
mod diagnostics;
mod drill;
mod history;
mod incidents;
mod inspect;
mod models;
mod notes;
mod postmortem;
mod settings;

use std::sync::Arc;

use afterwatch_contract::window::WindowError;
use afterwatch_core::port::StoreError;
use tauri::{State, Wry, ipc::Invoke};

use crate::shell::Shell;

/// The largest text that is taken: notes, a post-mortem, what is copied.
const LARGEST_TEXT: usize = 2 * 1024 * 1024;

type Answer<T> = Result<T, WindowError>;
type Held<'a> = State<'a, Arc<Shell>>;

/// All commands.
pub fn handler() -> impl Fn(Invoke<Wry>) -> bool + Send + Sync + 'static {
    tauri::generate_handler![
        app::app_info,
        app::autostart,
        app::copy_text,
        app::reload_environment,
        app::set_autostart,
        app::set_unsaved,
        assistant::ask,
        assistant::cancel_writing,
        assistant::exchanges,
        assistant::forget_exchange,
        assistant::advise,
        assistant::word_section,
        assistant::model_state,
        clusters::clusters,
        clusters::watch_cluster,
        clusters::retry_cluster,
        clusters::set_paused,
        clusters::set_cluster_mark,
        diagnostics::diagnostics,
        history::history,
        history::history_insights,
        drill::drills,
        drill::start_drill,
        drill::leave_drill,
        incidents::inbox,
        incidents::incident_page,
        incidents::evidence_item,
        incidents::acknowledge,
        incidents::resolve,
        incidents::reopen,
        incidents::silence,
        incidents::silences,
        incidents::unsilence,
        incidents::merge_incidents,
        incidents::split_incident,
        incidents::not_an_incident,
        incidents::delete_incident,
        incidents::set_ticket,
        inspect::workload_choices,
        inspect::inspect_workload,
        models::models,
        models::import_model,
        models::download_model,
        models::cancel_model_job,
        models::remove_model,
        models::choose_model,
        models::test_model,
        models::set_model_server,
        models::forget_model_server,
        models::choose_model_server,
        models::try_model_server,
        notes::add_entry,
        notes::save_notes,
        notes::notes_history,
        postmortem::postmortem,
        postmortem::save_postmortem,
        postmortem::preview_postmortem,
        postmortem::postmortem_versions,
        postmortem::set_postmortem_status,
        postmortem::set_postmortem_shape,
        postmortem::postmortem_section,
        postmortem::export::export_postmortem,
        postmortem::export::save_markdown_file,
        postmortem::export::open_exported,
        postmortem::export::show_exported,
        postmortem::export::chat_summary,
        settings::settings,
        settings::set_notifications,
        settings::set_rule,
        settings::ignore,
        settings::unignore,
        settings::set_retention,
        settings::set_appearance,
        settings::test_notification,
        settings::back_up,
        settings::open_data_folder,
    ]
}

/// A failure as the window reads it.
pub fn error(failure: impl Into<Failure>) -> WindowError {
    failure.into().0
}

/// What [`error`] takes.
pub struct Failure(WindowError);

impl Failure {
    /// One on which the window branches.
    fn coded(code: &str, message: impl Into<String>) -> Failure {
        Failure(WindowError { code: Some(code.to_owned()), message: message.into() })
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let code = match &error {
            StoreError::Locked { .. } => Some("locked"),
            StoreError::ReadOnly { .. } => Some("read_only"),
            StoreError::Newer { .. } => Some("newer"),
            StoreError::Corrupt { .. } => Some("corrupt"),
            StoreError::DiskFull { .. } => Some("disk_full"),
            StoreError::Conflict => Some("conflict"),
            StoreError::NoIncident(_) => Some("no_incident"),
            StoreError::Refused(_) | StoreError::Ambiguous(_) | StoreError::Other { .. } => None,
        };
        Failure(WindowError { code: code.map(str::to_owned), message: error.to_string() })
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Failure {
        Failure(WindowError { code: None, message: message.to_owned() })
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Failure {
        Failure(WindowError { code: None, message })
    }
}

/// Refuses what no person typed.
fn check_size(text: &str) -> Answer<()> {
    if text.len() <= LARGEST_TEXT {
        return Ok(());
    }
    Err(error(format!("The text has {} characters; at most {LARGEST_TEXT} bytes are kept.", text.chars().count())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_permitted_and_every_permission_has_a_command() {
        let permitted = include_str!("../../permissions/desk.toml");
        let mut permitted: Vec<&str> =
            permitted.lines().filter_map(|l| l.trim().strip_prefix('"')?.strip_suffix("\",")).collect();
        let code = include_str!("mod.rs");
        let list = code.split("generate_handler![").nth(1).and_then(|rest| rest.split(']').next()).unwrap();
        let mut commands: Vec<&str> =
            list.split(',').filter_map(|path| path.trim().rsplit_once("::").map(|(_, name)| name)).collect();
        permitted.sort_unstable();
        commands.sort_unstable();
        assert_eq!(commands, permitted);
    }

    #[test]
    fn the_window_gets_a_code_where_it_branches() {
        let full = error(StoreError::DiskFull { path: "x".into() });
        assert_eq!(full.code.as_deref(), Some("disk_full"));
        assert!(full.message.contains("Free some space"));
        assert_eq!(error("words").code, None);
        assert!(check_size(&"x".repeat(LARGEST_TEXT + 1)).is_err());
    }
}
