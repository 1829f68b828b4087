//! The stories that come with the program: each is one incident, with the cause that was really at work, and silence
//! about everything else that happened meanwhile.

use afterwatch_core::{evidence::EvidenceKind, incident::State, severity::Severity};
use jiff::{SignedDuration, Timestamp};

use crate::stage::{Watched, watch};

/// Plays a story: its only incident must name this as the cause, in these words.
async fn told(name: &str, title: &str, entity: &str, field: Option<&str>, words: &str) -> Watched {
    let story = afterwatch_drill::stories().iter().find(|s| s.name == name).expect("the story is there");
    let watched = watch(&story.read(), 30.0, None).await;
    let incident = watched.only();
    let cause = incident.top_cause().expect("a cause");
    assert_eq!((incident.title.as_str(), cause.entity.key().as_str()), (title, entity), "{}", cause.statement);
    assert_eq!(cause.field.as_deref(), field);
    assert!(cause.statement.contains(words), "`{words}` is not in: {}", cause.statement);
    assert_eq!((watched.notified, incident.notifications), (1, 1), "one notification");
    watched
}

/// The moments that a log line begins with or names as its `time=`.
fn stamps(line: &str) -> impl Iterator<Item = Timestamp> + '_ {
    line.split_whitespace().filter_map(|word| word.trim_start_matches("time=").trim_matches('"').parse().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_limit() {
    let field = "spec.template.spec.containers[checkout].resources.limits.memory";
    let title = "checkout in shop keeps running out of memory";
    let watched = told("memory-limit", title, "Deployment/shop/checkout", Some(field), "128Mi memory limit").await;
    let incident = watched.only();
    let suspect = incident.changes.iter().any(|c| c.suspect && c.change.who.as_deref() == Some("helm"));
    assert!(suspect, "{:?}", incident.changes);
    assert_ne!(incident.state, State::Open, "somebody put the limit back");
    let mut stamped = 0;
    for evidence in incident.evidence.iter().filter(|e| e.draft.kind == EvidenceKind::Log) {
        // The cluster says when a container died in whole seconds.
        let died = evidence.draft.at + SignedDuration::from_secs(1);
        for said in evidence.draft.excerpt.lines().flat_map(stamps) {
            assert!(said <= died, "{} of {died} quotes a later instance: {}", evidence.id, evidence.draft.excerpt);
            stamped += 1;
        }
    }
    assert!(stamped > 0, "a log is quoted");
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_key() {
    let title = "invoices in billing cannot start: key password of Secret invoices-mail is missing";
    let watched =
        told("missing-key", title, "Secret/billing/invoices-mail", Some("data[password]"), "SMTP_PASSWORD").await;
    assert_eq!((watched.only().state, watched.only().severity), (State::Open, Severity::Medium));
}

#[tokio::test(flavor = "multi_thread")]
async fn node_lost() {
    let watched = told("node-lost", "Node node-3 is not ready", "Node//node-3", None, "stopped reporting").await;
    assert_ne!(watched.only().state, State::Open, "the node came back");
}
