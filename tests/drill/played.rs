//! What the product says of a recording that is played.

use afterwatch_core::evidence::EvidenceKind;

use crate::stage::{recording, to_detect, watch};

/// The first cause of the only incident, as entity and field.
#[track_caller]
fn caused(watched: &crate::stage::Watched, entity: &str, words: &str) {
    let incident = watched.only();
    let cause = incident.top_cause().expect("a cause");
    assert_eq!(cause.entity.key(), entity, "{}", cause.statement);
    assert!(cause.statement.contains(words), "`{words}` is not in: {}", cause.statement);
    assert_eq!((watched.notified, incident.notifications), (1, 1), "one notification for one incident");
    assert_eq!(watched.gaps, [vec![]], "it was watched all the time");
    assert!(watched.objects > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn out_of_memory_after_a_release_is_one_incident_with_its_logs_and_its_change() {
    let watched = watch(&recording("out-of-memory-after-release"), 60.0, None).await;
    caused(&watched, "Deployment/rec-photos/thumbnails", "memory");
    let incident = watched.only();
    assert!(incident.changes.iter().any(|c| c.suspect), "{:?}", incident.changes);
    assert!(incident.evidence.iter().any(|e| e.draft.kind == EvidenceKind::Log), "the log went the whole way");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_key_that_is_missing_after_a_release_is_one_incident() {
    let watched = watch(&recording("secret-key-missing-after-release"), 60.0, None).await;
    caused(&watched, "Secret/rec-courses/mail-login", "key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_lost_is_one_incident() {
    let watched = watch(&recording("node-lost-with-workloads"), 60.0, None).await;
    caused(&watched, "Node//ranger-1", "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_roll_out_is_none() {
    let watched = watch(&recording("healthy-roll-out"), 60.0, None).await;
    assert_eq!(watched.told(), Vec::<String>::new());
    assert_eq!(watched.notified, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_those_of_the_story_however_fast_it_is_played() {
    let recording = recording("out-of-memory-after-release");
    let (slow, fast) = tokio::join!(watch(&recording, 10.0, None), watch(&recording, 60.0, None));
    let (slow, fast) = (slow.only(), fast.only());
    let (a, b) = (to_detect(slow), to_detect(fast));
    assert!((0.0..30.0).contains(&a) && (0.0..30.0).contains(&b), "noticed after {a:.1} s and {b:.1} s");
    assert!((a - b).abs() < 10.0, "noticed after {a:.1} s and {b:.1} s");
    assert_eq!(slow.title, fast.title);
    let now = afterwatch_core::Timestamp::now();
    for incident in [slow, fast] {
        assert!(incident.timeline.iter().all(|e| e.at <= now), "nothing is in the future");
    }
}
