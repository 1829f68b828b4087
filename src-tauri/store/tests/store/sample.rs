//! Values with every field set, and small helpers.

use std::path::{Path, PathBuf};

use afterwatch_core::{
    change::{Change, ChangeVerb, FieldChange, IncidentChange},
    coverage::{Coverage, EndedBy},
    evidence::{Evidence, EvidenceDraft, EvidenceKind, Observed},
    finding::Signs,
    graph::{Graph, GraphEdge, GraphNode, Relation, Role},
    incident::{Cause, FindingRecord, Incident, IncidentId, OpenedBy, RuledOut, State},
    object::{ObjectRef, kind::Mode},
    port::{Store, store::Saved},
    remediation::{Action, ActionDraft, ActionKind},
    severity::{Confidence, Severity},
    timeline::{EntryKind, TimelineEntry},
};
use afterwatch_store::{Options, SqliteStore};
use jiff::Timestamp;
use uuid::Uuid;

/// A moment of the night the samples play in, with nanoseconds.
pub fn at(second: i64) -> Timestamp {
    Timestamp::new(1_794_445_200 + second, 123_456_789).unwrap()
}

/// Short patience, no ballast: what most tests want.
pub fn quick() -> Options {
    Options { busy_timeout: std::time::Duration::from_millis(300), ballast: 0 }
}

pub fn open(path: &Path) -> SqliteStore {
    SqliteStore::open_with(path, &quick()).unwrap()
}

/// The newest format: one step each.
pub fn newest_format() -> u32 {
    let steps = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap();
    u32::try_from(steps.count()).unwrap()
}

/// A folder that goes with the test, and the database in it.
pub fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    (folder, path)
}

pub fn object(kind: &str, namespace: Option<&str>, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: "apps/v1".into(),
        kind: kind.into(),
        namespace: namespace.map(str::to_owned),
        name: name.into(),
        uid: Some(format!("uid-{name}")),
    }
}

pub fn change(second: i64, summary: &str) -> Change {
    Change {
        object: object("Deployment", Some("shop"), "checkout"),
        at: at(second),
        who: Some("helm".into()),
        verb: ChangeVerb::Modified,
        summary: summary.into(),
        fields: vec![FieldChange { path: "spec.replicas".into(), from: Some("3".into()), to: None }],
        observed: Observed::Live,
    }
}

pub fn evidence(n: u32, summary: &str, excerpt: &str) -> Evidence {
    Evidence {
        id: format!("E{n}"),
        draft: EvidenceDraft {
            key: format!("key-{n}"),
            kind: EvidenceKind::Log,
            at: at(i64::from(n)),
            observed: Observed::Reconstructed,
            object: object("Pod", Some("shop"), "checkout-5f8b97c6d-k2x7p"),
            summary: summary.into(),
            excerpt: excerpt.into(),
            truncated: n % 2 == 1,
        },
    }
}

pub fn entry(seq: u64, text: &str) -> TimelineEntry {
    TimelineEntry {
        seq,
        at: at(100 - seq as i64),
        until: Some(at(200)),
        kind: EntryKind::Gap,
        label: Some("detected".into()),
        text: text.into(),
        evidence: vec!["E1".into(), "C1".into()],
        observed: Observed::Reconstructed,
        who: Some("mara".into()),
    }
}

pub fn span(kind: &str, from: i64, to: i64, ended_by: Option<EndedBy>) -> Coverage {
    Coverage {
        cluster: "prod-eu".into(),
        kind: kind.into(),
        namespace: None,
        from: at(from),
        to: at(to),
        how: Mode::Watch,
        ended_by,
    }
}

/// Two nodes and what is between them.
fn graph() -> Graph {
    let node = |object: ObjectRef, role: Role| GraphNode {
        object,
        role,
        state: "0 of 3 ready".into(),
        count: 3,
        owner: Some(object_of_pods()),
        ill: true,
        missing: false,
    };
    Graph {
        at: at(53),
        nodes: vec![
            node(object_of_pods(), Role::Cause),
            node(object("Pod", Some("shop"), "checkout-5f8b97c6d-k2x7p"), Role::Symptom),
        ],
        edges: vec![GraphEdge {
            from: 0,
            to: 1,
            relation: Relation::Mounts,
            detail: Some("LEVEL".into()),
            broken: true,
        }],
        left_out: 4,
    }
}

fn object_of_pods() -> ObjectRef {
    object("Deployment", Some("shop"), "checkout")
}

/// An incident with every field set, never saved.
pub fn incident() -> Incident {
    let deployment = object("Deployment", Some("shop"), "checkout");
    Incident {
        id: IncidentId(Uuid::now_v7()),
        number: 0,
        fingerprint: "prod-eu|Deployment/shop/checkout|memory".into(),
        title: "checkout has no ready pods".into(),
        opened_by: OpenedBy::Rule,
        state: State::Acknowledged,
        severity: Severity::Critical,
        cluster: "prod-eu".into(),
        cluster_uid: "6c1f".into(),
        subject: deployment.clone(),
        started_at: Some(at(0)),
        started_at_range: Some((at(-60), at(0))),
        started_at_basis: "the container's last state".into(),
        detected_at: at(53),
        acknowledged_at: Some(at(100)),
        mitigated_at: Some(at(200)),
        resolved_at: None,
        recovered_by: Some("C1".into()),
        verdict: Confidence::Established,
        causes: vec![Cause {
            rank: 1,
            rule_id: "memory-limit-too-low".into(),
            confidence: Confidence::Likely,
            signs: Signs { pro: 5, against: 0, unchecked: 1 },
            entity: deployment.clone(),
            referrer: Some(object("Service", Some("storefront"), "cart")),
            field: Some("spec.template.spec.containers[app].resources.limits.memory".into()),
            statement: "The heap may grow to 384 MiB in a container limited to 192 MiB.".into(),
            evidence: vec!["E1".into()],
            needs: vec!["request metrics".into()],
        }],
        needs: vec!["metrics for prod-eu".into()],
        ruled_out: vec![RuledOut { statement: "a new image".into(), result: "no".into(), evidence: vec!["E2".into()] }],
        findings: vec![FindingRecord {
            fingerprint: "oom|Pod/shop/checkout|app".into(),
            rule_id: "oom-killed".into(),
            object: object("Pod", Some("shop"), "checkout-5f8b97c6d-k2x7p"),
            subject: None,
            severity: Severity::High,
            first_seen: at(1),
            last_seen: at(90),
            count: 6,
            message: "Killed 6 times for exceeding 192 MiB.".into(),
            evidence: vec!["E1".into(), "E2".into()],
            active: true,
        }],
        changes: vec![IncidentChange {
            id: "C1".into(),
            suspect: true,
            change: change(-125, "limits.memory 512Mi → 192Mi"),
        }],
        actions: vec![Action {
            id: "A1".into(),
            applicable: true,
            withdrawn: false,
            draft: ActionDraft {
                kind: ActionKind::RolloutUndo,
                target: deployment,
                because: "revision 30 had 512Mi".into(),
                risk: "3 pods are replaced".into(),
                requires: vec!["patch deployments.apps".into()],
                command: "kubectl -n shop rollout undo deployment/checkout".into(),
            },
        }],
        evidence: vec![
            evidence(1, "Exit code 137", "java.lang.OutOfMemoryError: Java heap space"),
            evidence(2, "Image unchanged", "image: registry/checkout:2.3.1"),
        ],
        timeline: vec![entry(1, "Memory limit lowered"), entry(2, "Pod killed for memory")],
        notifications: 1,
        quiet_since: Some(at(250)),
        reopened: 2,
        earlier: Vec::new(),
        merged_into: None,
        ticket: None,
        split_off: Vec::new(),
        graph: Some(graph()),
        revision: 0,
    }
}

/// Saves one incident and gives it back with its number and revision.
pub fn saved(store: &SqliteStore, incident: Incident) -> Incident {
    match &store.save(std::slice::from_ref(&incident), &[], &[]).unwrap()[..] {
        [Saved::Written { number, revision }] => Incident { number: *number, revision: *revision, ..incident },
        other => panic!("not written: {other:?}"),
    }
}
