//! Lists: incidents, what could not be read, evidence, changes, silences.

use afterwatch_core::{incident::Incident, silence::Silence};
use afterwatch_engine::{ClusterState, ClusterView};

use super::{
    incident::{place, since},
    page::{Cell, Page},
};

/// One row per incident.
pub fn incidents(page: &mut Page<'_>, incidents: &[Incident]) {
    let since_header = format!("Since ({})", page.look.zone_name());
    let rows = incidents
        .iter()
        .map(|i| {
            vec![
                Cell::new(i.label()),
                Cell::severity(i.severity),
                Cell::new(i.state.word()),
                Cell::new(since(page.look, i)),
                Cell::new(place(i)),
                Cell::new(&i.title),
            ]
        })
        .collect();
    page.table(&["Id", "Severity", "State", &since_header, "Where", "What"], rows);
}

/// What could not be read: one line per cluster and reason, the server's words once.
pub fn unreadable(page: &mut Page<'_>, clusters: &[std::sync::Arc<ClusterView>]) {
    for line in unreadable_lines(clusters) {
        page.line(line);
    }
}

/// The same as sentences: `You may not read nodes in kind-dev. “nodes is forbidden: …”`.
pub fn unreadable_lines(clusters: &[std::sync::Arc<ClusterView>]) -> Vec<String> {
    use afterwatch_core::coverage::UnreadableReason as R;
    let mut lines = Vec::new();
    for view in clusters {
        // A connection that failed as a whole explains every kind at once, and `connection_words` says it.
        if connection_words(view).is_some() {
            continue;
        }
        // Kinds with one reason share a line, and the server's words where they are the same.
        let mut groups: Vec<(R, Vec<String>, Option<&str>)> = Vec::new();
        for u in &view.unreadable {
            let kind = match &u.namespace {
                Some(namespace) => format!("{} of {namespace}", u.kind),
                None => u.kind.clone(),
            };
            match groups.iter_mut().find(|g| g.0 == u.reason) {
                Some(group) => {
                    group.1.push(kind);
                    group.2 = group.2.filter(|m| *m == u.message);
                }
                None => groups.push((u.reason, vec![kind], Some(u.message.trim()).filter(|m| !m.is_empty()))),
            }
        }
        for (reason, kinds, message) in groups {
            let (what, name) = (afterwatch_core::words::list(&kinds, 8), &view.name);
            let told = match reason {
                R::Forbidden => format!("You may not read {what} in {name}."),
                R::Unreachable => format!("Could not be read in {name}: {what}."),
                R::LoginNeeded => format!("Sign in to read {what} in {name}."),
                R::Malformed => format!("Not everything was understood of {what} in {name}."),
                R::Misconfigured => format!("{name} cannot read {what}."),
            };
            lines.push(message.map_or_else(|| told.clone(), |m| format!("{told} “{m}”")));
        }
    }
    lines
}

/// Why nothing at all comes from a cluster, and what to do; none while it answers.
pub fn connection_words(view: &ClusterView) -> Option<(String, String)> {
    use afterwatch_core::observation::Connection as C;
    let ClusterState::Connection(connection) = &view.state else { return None };
    match connection {
        C::Unreachable { message, hint } => Some((format!("{} is out of reach: {message}", view.name), hint.clone())),
        C::LoginNeeded { message, hint } => Some((format!("Sign in to read {}: {message}", view.name), hint.clone())),
        C::Misconfigured { message, hint } => Some((format!("{} cannot be used: {message}", view.name), hint.clone())),
        C::Connecting | C::Syncing { .. } | C::Connected { .. } | C::Paused => None,
    }
}

/// One row per piece of evidence.
pub fn evidence(page: &mut Page<'_>, incident: &Incident) {
    let at = format!("At ({})", page.look.zone_name());
    let rows = incident
        .evidence
        .iter()
        .map(|e| {
            let cut = if e.draft.truncated { " (cut)" } else { "" };
            vec![
                Cell::new(&e.id),
                Cell::new(page.look.clock(e.draft.at)),
                Cell::new(word(&e.draft.kind)),
                Cell::new(word(&e.draft.observed)),
                Cell::new(format!("{}{cut}", e.draft.summary)),
            ]
        })
        .collect();
    page.table(&["Id", &at, "Kind", "Seen", "What it shows"], rows);
}

/// One row per change.
pub fn changes(page: &mut Page<'_>, incident: &Incident) {
    let at = format!("At ({})", page.look.zone_name());
    let rows = incident
        .changes
        .iter()
        .map(|c| vec![Cell::new(&c.id), Cell::new(page.look.clock(c.change.at)), Cell::new(super::incident::change(c))])
        .collect();
    page.table(&["Id", &at, "What"], rows);
}

/// One row per silence.
pub fn silences(page: &mut Page<'_>, silences: &[Silence]) {
    let until = format!("Until ({})", page.look.zone_name());
    let rows = silences
        .iter()
        .map(|s| {
            let what = matcher(s);
            let why = if s.reason.is_empty() { String::new() } else { format!(": {}", s.reason) };
            vec![Cell::new(s.id.to_string()), Cell::new(page.look.clock(s.until)), Cell::new(format!("{what}{why}"))]
        })
        .collect();
    page.table(&["Id", &until, "What is muted"], rows);
}

/// `Deployment/shop/checkout, findings of container-oom-killed`.
pub fn matcher(silence: &Silence) -> String {
    let m = &silence.matcher;
    let mut parts = Vec::new();
    parts.extend(m.subject.clone());
    parts.extend(m.namespace.as_ref().map(|n| format!("namespace {n}")));
    parts.extend(m.cluster.as_ref().map(|c| format!("cluster {c}")));
    parts.extend(m.rule_id.as_ref().map(|r| format!("findings of {r}")));
    if parts.is_empty() { "everything".to_owned() } else { parts.join(", ") }
}

/// The word of an enum as the JSON has it, with spaces.
fn word(value: &impl serde::Serialize) -> String {
    afterwatch_contract::document::word(value).replace('_', " ")
}
