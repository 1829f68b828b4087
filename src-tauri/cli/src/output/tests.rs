//! How an incident reads, as a whole.

use afterwatch_core::{
    coverage::{EndedBy, Gap, Unreadable, UnreadableReason},
    incident::Incident,
    observation::Connection,
};
use afterwatch_engine::{ClusterState, ClusterView};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::json;

use super::{Look, Page, incident, list};

fn look(width: usize) -> Look {
    Look { colour: false, width: Some(width), zone: TimeZone::UTC, now: at("03:15:00") }
}

fn at(clock: &str) -> Timestamp {
    format!("2026-11-12T{clock}Z").parse().unwrap()
}

fn object() -> serde_json::Value {
    json!({"api_version": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "checkout", "uid": "u1"})
}

fn checkout() -> Incident {
    let time = |clock: &str| at(clock).to_string();
    serde_json::from_value(json!({
        "id": "0198c5a2-7f31-7000-8000-000000000001", "number": 47, "fingerprint": "f",
        "title": "checkout in shop has no ready pods: all 3 are killed for exceeding 64Mi of memory",
        "opened_by": "rule", "state": "acknowledged", "severity": "critical", "cluster": "prod-eu", "cluster_uid": "u",
        "subject": object(),
        "started_at": time("02:58:12"), "started_at_range": null, "started_at_basis": "first container termination",
        "detected_at": time("02:58:14"), "acknowledged_at": time("03:00:14"), "mitigated_at": null, "resolved_at": null,
        "recovered_by": null, "verdict": "established",
        "causes": [{
            "rank": 1, "rule_id": "memory-limit-too-low", "confidence": "established",
            "signs": {"for": 5, "against": 0, "unchecked": 1}, "entity": object(), "referrer": null,
            "field": "spec.template.spec.containers[app].resources.limits.memory",
            "statement": "Container app was killed for exceeding its 64Mi memory limit 6 times.",
            "evidence": ["E1"], "needs": [],
        }],
        "needs": [],
        "ruled_out": [{"statement": "Node memory pressure: node a has no MemoryPressure condition", "result": "no", "evidence": ["E2"]}],
        "findings": [],
        "changes": [{
            "id": "C1", "suspect": true, "object": object(), "at": time("02:54:10"), "who": "helm", "verb": "modified",
            "summary": "limits.memory 512Mi → 64Mi", "fields": [], "observed": "live",
        }],
        "actions": [{
            "id": "A1", "applicable": false, "kind": "rollout_undo", "target": object(),
            "because": "the revision before had a limit of 512Mi", "risk": "restarts 3 pods",
            "requires": ["patch deployments.apps"], "command": "kubectl rollout undo deployment/checkout -n shop",
        }],
        "evidence": [],
        "timeline": [
            {"seq": 1, "at": time("02:58:12"), "until": null, "kind": "symptom", "label": "started",
             "text": "Container app was killed", "evidence": ["E1"], "observed": "live", "who": null},
            {"seq": 2, "at": time("03:00:14"), "until": null, "kind": "state", "label": "acknowledged",
             "text": "Acknowledged", "evidence": [], "observed": "live", "who": "mara"},
        ],
        "notifications": 1, "quiet_since": null, "reopened": 0, "revision": 3,
    }))
    .unwrap()
}

#[test]
fn an_incident_reads_from_what_is_broken_to_what_to_do() {
    let look = look(76);
    let mut page = Page::new(&look);
    let gaps = [Gap { from: at("03:04:10"), to: at("03:06:38"), cause: EndedBy::Disconnect }];
    incident::whole(&mut page, &checkout(), &gaps);
    let text = page.into_text();
    assert_eq!(
        text,
        "\
INC-47  Critical  Acknowledged

checkout in shop has no ready pods: all 3 are killed for exceeding 64Mi of
memory

Since         12 November 2026, 02:58:12 UTC, first container termination
Where         prod-eu / shop, Deployment checkout
Detected      02:58:14, 2 s after it started
Acknowledged  03:00:14 by mara, 2 m after it was detected

Cause. Established: 5 signs for, 0 against, 1 could not be checked
  Container app was killed for exceeding its 64Mi memory limit 6 times.  E1
  To change: Deployment checkout in shop,
             spec.template.spec.containers[app].resources.limits.memory

Changed just before
  02:54:10  Deployment checkout in shop, by helm: limits.memory 512Mi → 64Mi
            (suspect)  C1

Ruled out
  No    Node memory pressure: node a has no MemoryPressure condition  E2

Next steps
   1. Rollout undo, Deployment checkout in shop: the revision before had a
      limit of 512Mi.  A1
      kubectl rollout undo deployment/checkout -n shop
      At worst: restarts 3 pods. Needs the right to patch deployments.apps.

Timeline, times in UTC
  02:58:12  [started] Container app was killed  E1
  03:00:14  [acknowledged] Acknowledged (mara)
  03:04:10  Not recorded until 03:06:38: API server out of reach

0 pieces of evidence kept: `kubectl afterwatch evidence 47` lists them, with
an id behind it prints the excerpt.
"
    );
}

#[test]
fn without_a_cause_the_page_says_what_would_tell() {
    let look = look(76);
    let mut page = Page::new(&look);
    let incident = Incident { causes: Vec::new(), needs: vec!["the log of container app".to_owned()], ..checkout() };
    incident::whole(&mut page, &incident, &[]);
    incident::brief(&mut page, &incident);
    let text = page.into_text();
    assert!(text.contains("Cause. Not established\n  What would tell: the log of container app\n"), "{text}");
    assert!(text.contains("  Cause not established. What would tell: the log of container app.\n"), "{text}");
    let mut page = Page::new(&look);
    incident::brief(&mut page, &Incident { number: 0, ..checkout() });
    assert!(page.into_text().starts_with("Critical  Acknowledged, since "), "a look that is not kept numbers nothing");
}

#[test]
fn kinds_that_could_not_be_read_share_a_line_and_a_reason() {
    let unreadable = |kind: &str, message: &str| Unreadable {
        cluster: "dev".to_owned(),
        kind: kind.to_owned(),
        namespace: None,
        reason: UnreadableReason::Forbidden,
        message: message.to_owned(),
        since: at("03:00:00"),
    };
    let view = |unreadable: Vec<Unreadable>| {
        let connected = Connection::Connected { cluster_uid: "u".to_owned(), server_version: "v1.36.0".to_owned() };
        std::sync::Arc::new(ClusterView {
            name: "dev".to_owned(),
            state: ClusterState::Connection(connected),
            cluster_uid: None,
            server_version: None,
            unreadable,
            coverage: Vec::new(),
            objects: 0,
            last_heard: None,
            followed: None,
        })
    };
    let one = view(vec![unreadable("nodes", "nodes is forbidden")]);
    assert_eq!(list::unreadable_lines(&[one]), ["You may not read nodes in dev. “nodes is forbidden”"]);
    let two = view(vec![unreadable("nodes", "nodes is forbidden"), unreadable("secrets", "secrets is forbidden")]);
    assert_eq!(list::unreadable_lines(&[two]), ["You may not read nodes and secrets in dev."]);
}
