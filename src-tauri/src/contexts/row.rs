//! One context as the clusters page shows it.

use afterwatch_cluster::ContextInfo;
use afterwatch_contract::window::{ClusterDto, SyncProgress};
use afterwatch_core::{coverage::Coverage, observation::Connection};
use afterwatch_engine::{ClusterState, ClusterView};

use super::{Known, past};

/// A context that was chosen and is no longer in the files.
pub fn gone(name: &str) -> ContextInfo {
    ContextInfo {
        name: name.to_owned(),
        file: Default::default(),
        cluster: String::new(),
        server: None,
        user: None,
        namespace: None,
        insecure: false,
        acting_as: None,
        plugin: None,
        current: false,
        problem: Some(format!("The context `{name}` is no longer in the kubeconfig.")),
    }
}

/// `before`: what the history has of it.
pub fn dto(
    context: &ContextInfo,
    view: Option<&ClusterView>,
    known: &Known,
    before: &[Coverage],
    paused: bool,
) -> ClusterDto {
    let watched = known.chosen.as_ref().is_some_and(|chosen| chosen.contains(&context.name));
    // What was watched earlier in this run is not news.
    let view = view.filter(|_| watched);
    let connection = view.and_then(|v| match &v.state {
        ClusterState::Connection(connection) => Some(connection),
        ClusterState::Following => None,
    });
    let (mut state, mut message, mut hint) = match connection {
        None if view.is_some() => ("following", None, None),
        None => ("idle", None, None),
        Some(connection) => state(connection),
    };
    if view.is_none()
        && watched
        && let Some((why, what)) = known.refused.get(&context.name)
    {
        (state, message, hint) = ("misconfigured", Some(why.clone()), Some(what.clone()));
    }
    if paused && watched {
        state = "paused";
    }
    let progress = match connection {
        Some(&Connection::Syncing { done, of, objects }) => Some(SyncProgress { done, of, objects }),
        _ => None,
    };
    let coverage = if watched { past::joined(before, view.map_or(&[], |v| v.coverage.as_slice())) } else { vec![] };
    let heard = view.and_then(|v| v.last_heard).or_else(|| before.iter().map(|span| span.to).max());
    ClusterDto {
        name: context.name.clone(),
        file: context.file.display().to_string(),
        server: context.server.clone().unwrap_or_default(),
        user: context.user.clone().unwrap_or_default(),
        namespace: context.namespace.clone(),
        current: context.current,
        watched,
        state: state.to_owned(),
        message,
        hint: hint.filter(|h| !h.is_empty()),
        problem: context.problem.clone(),
        server_version: view.and_then(|v| v.server_version.clone()),
        progress,
        objects: view.map_or(0, |v| v.objects),
        last_heard: heard.map(|at| at.to_string()),
        unreadable: view.map(|v| v.unreadable.iter().map(Into::into).collect()).unwrap_or_default(),
        coverage: coverage.iter().map(Into::into).collect(),
        mark: known.marks.get(&context.name).cloned(),
        insecure: context.insecure,
        followed: view.and_then(|v| v.followed.clone()),
    }
}

/// The connection in the window's word, with what is wrong and what to do.
fn state(connection: &Connection) -> (&'static str, Option<String>, Option<String>) {
    let told = |message: &String, hint: &String| (Some(message.clone()), Some(hint.clone()));
    match connection {
        Connection::Connecting => ("connecting", None, None),
        Connection::Syncing { .. } => ("syncing", None, None),
        Connection::Connected { .. } => ("connected", None, None),
        Connection::Unreachable { message, hint } => {
            let (message, hint) = told(message, hint);
            ("unreachable", message, hint)
        }
        Connection::LoginNeeded { message, hint } => {
            let (message, hint) = told(message, hint);
            ("login_needed", message, hint)
        }
        Connection::Misconfigured { message, hint } => {
            let (message, hint) = told(message, hint);
            ("misconfigured", message, hint)
        }
        Connection::Paused => ("paused", None, None),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use afterwatch_cluster::Kubeconfigs;
    use afterwatch_core::{Timestamp, coverage::EndedBy, object::kind::Mode};

    fn known(chosen: &[&str]) -> Known {
        Known {
            configs: Kubeconfigs::default(),
            reading: 1,
            chosen: Some(chosen.iter().map(|name| (*name).to_owned()).collect()),
            marks: BTreeMap::new(),
            running: BTreeMap::new(),
            refused: BTreeMap::new(),
            _watch: None,
        }
    }

    fn there() -> ContextInfo {
        ContextInfo { problem: None, ..gone("prod-eu") }
    }

    fn view(state: ClusterState, followed: Option<&str>) -> ClusterView {
        ClusterView {
            name: "prod-eu".into(),
            state,
            cluster_uid: None,
            server_version: None,
            unreadable: vec![],
            coverage: vec![],
            objects: 0,
            last_heard: None,
            followed: followed.map(str::to_owned),
        }
    }

    fn before() -> [Coverage; 1] {
        [Coverage {
            cluster: "prod-eu".into(),
            kind: "pods".into(),
            namespace: None,
            from: Timestamp::from_second(0).unwrap(),
            to: Timestamp::from_second(60).unwrap(),
            how: Mode::Watch,
            ended_by: Some(EndedBy::Quit),
        }]
    }

    #[test]
    fn what_another_process_records_has_a_word_of_its_own() {
        let followed = view(ClusterState::Following, Some("kubectl afterwatch watch"));
        let row = dto(&there(), Some(&followed), &known(&["prod-eu"]), &[], false);
        assert_eq!((row.state.as_str(), row.followed.as_deref()), ("following", Some("kubectl afterwatch watch")));
    }

    #[test]
    fn a_cluster_out_of_reach_since_the_start_shows_what_was_recorded_before() {
        let lost = Connection::Unreachable { message: "no route".into(), hint: String::new() };
        let lost = view(ClusterState::Connection(lost), None);
        let row = dto(&there(), Some(&lost), &known(&["prod-eu"]), &before(), false);
        assert_eq!(row.last_heard.as_deref(), Some("1970-01-01T00:01:00Z"));
        assert_eq!(row.coverage.len(), 1);
        let unwatched = dto(&there(), None, &known(&[]), &before(), false);
        assert_eq!(unwatched.last_heard.as_deref(), Some("1970-01-01T00:01:00Z"));
        assert!(unwatched.coverage.is_empty());
    }

    #[test]
    fn a_chosen_context_that_is_refused_or_gone_is_missing() {
        let mut known = known(&["prod-eu", "edge"]);
        assert!(known.is_missing("prod-eu"));
        known.configs.contexts.push(there());
        assert!(!known.is_missing("prod-eu"));
        known.refused.insert("prod-eu".into(), ("no such file".into(), String::new()));
        assert!(known.is_missing("prod-eu"));
    }
}
