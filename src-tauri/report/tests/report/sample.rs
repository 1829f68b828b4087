//! The incident of the design's pictures: a memory limit lowered by a Helm upgrade.

use afterwatch_core::{
    change::{Change, ChangeVerb, FieldChange, IncidentChange},
    coverage::{Coverage, EndedBy, Gap},
    evidence::{Evidence, EvidenceDraft, EvidenceKind, Observed},
    finding::Signs,
    incident::{Cause, FindingRecord, Incident, IncidentId, OpenedBy, RuledOut, State},
    object::{ObjectRef, kind::Mode},
    remediation::{Action, ActionDraft, ActionKind},
    severity::{Confidence, Severity},
    timeline::{EntryKind, TimelineEntry},
};
use afterwatch_report::ReportInput;
use jiff::{Timestamp, tz::TimeZone};
use uuid::Uuid;

/// A moment of the night of 12 November 2026, by the clock on the wall in Berlin.
pub fn at(clock: &str) -> Timestamp {
    format!("2026-11-12T{clock}+01:00").parse().unwrap()
}

pub fn berlin() -> TimeZone {
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
}

pub fn input<'a>(incident: &'a Incident, gaps: &'a [Gap], coverage: &'a [Coverage]) -> ReportInput<'a> {
    ReportInput { incident, notes: "", gaps, coverage, zone: berlin(), generated_at: at("09:00:00"), version: "0.1.0" }
}

pub fn gap() -> Gap {
    Gap { from: at("03:04:10"), to: at("03:06:38"), cause: EndedBy::Disconnect }
}

pub fn coverage() -> Vec<Coverage> {
    let span = |kind: &str, from, to, how, ended_by| Coverage {
        cluster: "prod-eu".into(),
        kind: kind.into(),
        namespace: None,
        from: at(from),
        to: at(to),
        how,
        ended_by,
    };
    vec![
        span("pods", "01:00:00", "03:04:10", Mode::Watch, Some(EndedBy::Disconnect)),
        span("pods", "03:06:38", "09:00:00", Mode::Watch, None),
        span("deployments", "01:00:00", "09:00:00", Mode::Watch, None),
        span("ingressclasses", "01:00:00", "09:00:00", Mode::Poll, None),
    ]
}

pub fn object(kind: &str, name: &str) -> ObjectRef {
    ObjectRef { kind: kind.into(), namespace: Some("shop".into()), name: name.into(), ..ObjectRef::default() }
}

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

/// A log of checkout.
pub fn evidence(id: &str, clock: &str, excerpt: &str) -> Evidence {
    item(id, EvidenceKind::Log, clock, object("Pod", "checkout-5f8b97c6d-k2x7p"), "A log", excerpt)
}

fn item(id: &str, kind: EvidenceKind, clock: &str, object: ObjectRef, summary: &str, excerpt: &str) -> Evidence {
    Evidence {
        id: id.into(),
        draft: EvidenceDraft {
            key: id.into(),
            kind,
            at: at(clock),
            observed: Observed::Live,
            object,
            summary: summary.into(),
            excerpt: excerpt.into(),
            truncated: false,
        },
    }
}

fn change(id: &str, clock: &str, suspect: bool, summary: &str, from: &str, to: &str) -> IncidentChange {
    IncidentChange {
        id: id.into(),
        suspect,
        change: Change {
            object: object("Deployment", "checkout"),
            at: at(clock),
            who: Some("helm".into()),
            verb: ChangeVerb::Modified,
            summary: summary.into(),
            fields: vec![FieldChange {
                path: "spec.template.spec.containers[app].resources.limits.memory".into(),
                from: Some(from.into()),
                to: Some(to.into()),
            }],
            observed: Observed::Live,
        },
    }
}

/// Started, found, acknowledged, rolled back and resolved.
pub fn incident() -> Incident {
    let deployment = object("Deployment", "checkout");
    let pod = object("Pod", "checkout-5f8b97c6d-k2x7p");
    let mut timeline: Vec<TimelineEntry> = Vec::new();
    let mut entry = |clock: &str, kind, label: Option<&str>, text: &str, cited: &[&str], who: Option<&str>| {
        timeline.push(TimelineEntry {
            seq: timeline.len() as u64 + 1,
            at: at(clock),
            until: None,
            kind,
            label: label.map(str::to_owned),
            text: text.into(),
            evidence: ids(cited),
            observed: Observed::Live,
            who: who.map(str::to_owned),
        });
    };
    entry("02:56:12", EntryKind::Symptom, Some("started"), "checkout keeps running out of memory", &["E1"], None);
    entry("02:57:05", EntryKind::State, Some("detected"), "Afterwatch opened the incident", &[], None);
    entry(
        "02:54:07",
        EntryKind::Change,
        Some("trigger"),
        "Deployment checkout changed by helm: limits.memory 512Mi → 192Mi",
        &["C1", "E2"],
        None,
    );
    entry("02:57:06", EntryKind::Notification, None, "Notification sent", &[], None);
    entry(
        "03:05:52",
        EntryKind::Symptom,
        None,
        "Pod checkout-5f8b97c6d-9wq4d was killed, restarts 4 → 6",
        &["E4"],
        None,
    );
    entry("03:09:30", EntryKind::State, Some("acknowledged"), "Acknowledged by mara", &[], Some("mara"));
    entry(
        "03:10:15",
        EntryKind::Note,
        None,
        "Limits moved to the shared values file in chart 2.4.0.",
        &[],
        Some("mara"),
    );
    entry("03:14:02", EntryKind::Change, None, "Deployment checkout changed by kubectl-rollout", &["C2"], None);
    entry(
        "03:14:51",
        EntryKind::Recovery,
        Some("mitigated"),
        "The impact is over, after Deployment checkout",
        &["C2"],
        None,
    );
    entry(
        "03:25:20",
        EntryKind::State,
        Some("resolved"),
        "Resolved by itself: everything was well for 10 m",
        &[],
        None,
    );
    timeline[4].observed = Observed::Reconstructed;
    let log = "02:56:11.611 WARN Heap 171 MiB used of 384 MiB\n02:56:12.031 INFO POST /v1/checkout 200 in 402 ms";
    let mut items = vec![
        item(
            "E1",
            EvidenceKind::ContainerStatus,
            "02:56:12",
            pod.clone(),
            "Killed for memory, exit code 137",
            "lastState.terminated:\n  reason: OOMKilled\n  exitCode: 137",
        ),
        item(
            "E2",
            EvidenceKind::Diff,
            "02:54:07",
            deployment.clone(),
            "limits.memory 512Mi → 192Mi",
            "- limits.memory: 512Mi\n+ limits.memory: 192Mi",
        ),
        item("E3", EvidenceKind::Log, "02:56:13", pod.clone(), "The last words before the kill", log),
        item("E4", EvidenceKind::PodStatus, "03:06:41", pod.clone(), "Re-list after the gap", "restarts 4 → 6"),
    ];
    items[2].draft.truncated = true;
    items[3].draft.observed = Observed::Reconstructed;
    Incident {
        id: IncidentId(Uuid::nil()),
        number: 47,
        fingerprint: "checkout".into(),
        title: "checkout in shop keeps running out of memory".into(),
        opened_by: OpenedBy::Rule,
        state: State::Resolved,
        severity: Severity::Critical,
        cluster: "prod-eu".into(),
        cluster_uid: "6c1f".into(),
        subject: deployment.clone(),
        started_at: Some(at("02:56:12")),
        started_at_range: None,
        started_at_basis: "first container termination".into(),
        detected_at: at("02:57:05"),
        acknowledged_at: Some(at("03:09:30")),
        mitigated_at: Some(at("03:14:51")),
        resolved_at: Some(at("03:25:20")),
        recovered_by: Some("C2".into()),
        verdict: Confidence::Established,
        causes: vec![
            Cause {
                rank: 1,
                rule_id: "memory-limit-too-low".into(),
                confidence: Confidence::Established,
                signs: Signs { pro: 5, against: 0, unchecked: 1 },
                entity: deployment.clone(),
                referrer: None,
                field: Some("spec.template.spec.containers[app].resources.limits.memory".into()),
                statement: "Container app was killed for exceeding its 192Mi memory limit 6 times.".into(),
                evidence: ids(&["E1", "E2"]),
                needs: vec!["memory use before the kills".into()],
            },
            Cause {
                rank: 2,
                rule_id: "memory-leak".into(),
                confidence: Confidence::Possible,
                signs: Signs { pro: 1, against: 1, unchecked: 0 },
                entity: deployment.clone(),
                referrer: None,
                field: None,
                statement: "The heap may grow to 384 MiB.".into(),
                evidence: ids(&["E3"]),
                needs: vec![],
            },
        ],
        needs: vec!["memory use before the kills".into()],
        ruled_out: vec![
            RuledOut { statement: "A new image".into(), result: "no".into(), evidence: ids(&["E2"]) },
            RuledOut { statement: "A node short of memory".into(), result: "no".into(), evidence: vec![] },
            RuledOut { statement: "More traffic than usual".into(), result: "open".into(), evidence: vec![] },
        ],
        findings: vec![FindingRecord {
            fingerprint: "oom".into(),
            rule_id: "container-oom-killed".into(),
            object: pod,
            subject: None,
            severity: Severity::Critical,
            first_seen: at("02:56:12"),
            last_seen: at("03:12:00"),
            count: 6,
            message: "Container app of 3 pods was killed for memory 6 times.".into(),
            evidence: ids(&["E1", "E99"]),
            active: false,
        }],
        changes: vec![
            change("C1", "02:54:07", true, "limits.memory 512Mi → 192Mi", "512Mi", "192Mi"),
            change("C2", "03:14:02", false, "limits.memory 192Mi → 512Mi", "192Mi", "512Mi"),
        ],
        actions: vec![Action {
            id: "A1".into(),
            applicable: false,
            withdrawn: false,
            draft: ActionDraft {
                kind: ActionKind::RolloutUndo,
                target: deployment,
                because: "Revision 30 had 512Mi.".into(),
                risk: "3 pods are replaced".into(),
                requires: vec![],
                command: "kubectl -n shop rollout undo deployment/checkout".into(),
            },
        }],
        evidence: items,
        timeline,
        notifications: 1,
        quiet_since: None,
        reopened: 0,
        earlier: Vec::new(),
        merged_into: None,
        ticket: None,
        split_off: Vec::new(),
        graph: None,
        revision: 3,
    }
}
