//! The bundled incidents are what the rules make of their clusters today.

use std::path::PathBuf;

use afterwatch_assistant::exam;

use crate::worlds;

#[test]
fn the_exams_incidents_are_what_the_rules_say_of_their_clusters() {
    let made: Vec<String> =
        worlds::papers().iter().map(|p| serde_json::to_string(p).expect("a paper is JSON")).collect();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("exam/incidents.jsonl");
    if std::env::var_os("UPDATE_EXAM").is_some() {
        std::fs::write(&path, made.join("\n") + "\n").expect("the exam can be written");
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    for (n, (made, kept)) in made.iter().zip(kept.lines()).enumerate() {
        assert!(made == kept, "paper {} is stale: run this test with UPDATE_EXAM=1", n + 1);
    }
    assert_eq!(made.len(), exam::papers().len(), "papers were added or removed: run this test with UPDATE_EXAM=1");
}

#[test]
fn at_least_twenty_incidents_of_different_families_are_bundled() {
    let papers = exam::papers();
    assert!(papers.len() >= 20, "{}", papers.len());
    let causes: std::collections::BTreeSet<&str> =
        papers.iter().filter_map(|p| p.incident.top_cause()).map(|c| c.rule_id.as_str()).collect();
    assert!(causes.len() >= 15, "{causes:?}");
}
