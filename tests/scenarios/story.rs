//! The stories. Each says what must be true of it, and the snapshots beside say the rest.

use afterwatch_core::{
    incident::{Incident, State},
    severity::{Confidence, Severity},
};

use crate::play::{Played, play};

/// Plays a recording and compares what came of it with its snapshots.
fn told(name: &str) -> Played {
    let played = play(name);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        insta::assert_snapshot!(format!("{name}.incidents"), played.text());
        for incident in &played.incidents {
            insta::assert_snapshot!(format!("{name}.{}", incident.number), played.markdown(incident));
        }
    });
    played
}

/// The first cause of the only incident: its object, and words of its statement.
#[track_caller]
fn caused<'a>(played: &'a Played, entity: &str, words: &[&str]) -> &'a Incident {
    let incident = played.only();
    let cause = incident.top_cause().expect("a cause");
    assert_eq!(cause.entity.key(), entity, "{}", cause.statement);
    for word in words {
        assert!(cause.statement.contains(word), "`{word}` is not in: {}", cause.statement);
    }
    let known = |id: &String| incident.evidence_by_id(id).is_some() || incident.changes.iter().any(|c| c.id == *id);
    assert!(!cause.evidence.is_empty() && cause.evidence.iter().all(known), "{:?}", cause.evidence);
    incident
}

#[track_caller]
fn suspect(incident: &Incident, who: &str, words: &str) {
    let found = incident
        .changes
        .iter()
        .any(|c| c.suspect && c.change.who.as_deref() == Some(who) && c.change.summary.contains(words));
    assert!(found, "{:?}", incident.changes);
}

#[test]
fn a_release_that_lowers_the_memory_limit() {
    let played = told("out-of-memory-after-release");
    let incident = caused(&played, "Deployment/rec-photos/thumbnails", &["64Mi", "256Mi", "helm", "OOMKilled"]);
    assert_eq!((incident.verdict, incident.state), (Confidence::Established, State::Resolved));
    suspect(incident, "helm", "256Mi → 64Mi");
    let mended =
        incident.recovered_by.as_ref().and_then(|by| incident.changes.iter().find(|c| c.id == *by)).expect("a change");
    assert!(mended.change.summary.contains("64Mi → 256Mi"), "{}", mended.change.summary);
}

#[test]
fn a_release_that_asks_for_a_key_the_secret_does_not_have() {
    let played = told("secret-key-missing-after-release");
    let incident = caused(&played, "Secret/rec-courses/mail-login", &["smtp-password", "mail-login"]);
    assert_eq!((incident.verdict, incident.subject.name.as_str()), (Confidence::Established, "newsletter"));
    suspect(incident, "helm", "SMTP_PASSWORD");
}

#[test]
fn a_bad_image_while_the_old_pods_serve() {
    let played = told("bad-image-old-pods-serve");
    let incident = caused(&played, "Deployment/rec-storefront/cart", &["busybox:1.36.99", "not found"]);
    assert!(incident.severity < Severity::Critical, "the old pods serve");
    assert_eq!(incident.state, State::Resolved);
    suspect(incident, "kubectl-set", "busybox:1.36.99");
}

#[test]
fn a_config_value_that_the_program_does_not_take() {
    let played = told("config-value-crash");
    let incident = caused(&played, "ConfigMap/rec-tickets/queue-settings", &["WORKERS", "exit code 2", "helm"]);
    assert_eq!(incident.verdict, Confidence::Established);
    suspect(incident, "helm", "key WORKERS changed");
    assert!(incident.evidence.iter().any(|e| e.draft.excerpt.contains("WORKERS must be a number")), "its own words");
}

#[test]
fn a_lost_node_with_its_workloads() {
    let played = told("node-lost-with-workloads");
    let incident = caused(&played, "Node//ranger-1", &["ranger-1", "stopped reporting"]);
    assert_eq!((incident.subject.kind.as_str(), incident.severity), ("Node", Severity::Critical));
    for name in ["sensors", "pumps"] {
        assert!(
            incident.findings.iter().any(|f| f.object.name.contains(name) || f.message.contains(name)),
            "{name} is taken in"
        );
    }
}

#[test]
fn a_healthy_roll_out() {
    assert!(told("healthy-roll-out").incidents.is_empty());
}

#[test]
fn broken_while_nobody_watched() {
    let played = told("broken-while-nobody-watched");
    let incident = caused(&played, "Deployment/rec-parcels/labels", &["PRINTER"]);
    assert!(incident.started_at < Some(incident.detected_at));
    suspect(incident, "kubectl-set", "tray-1 → lobby");
    let text = played.markdown(incident);
    assert!(text.contains("API server out of reach"), "the gap is said: {text}");
}
