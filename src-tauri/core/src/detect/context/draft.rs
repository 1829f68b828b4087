//! What rules draft: findings, causes, evidence and steps with the usual defaults.

use jiff::{SignedDuration, Timestamp};

use crate::{
    evidence::{EvidenceDraft, EvidenceKind, Observed},
    finding::{CauseDraft, Finding, Signs},
    index::Now,
    object::{Kind, KubeEvent, ObjectRef},
    remediation::{ActionDraft, ActionKind},
    severity::{Confidence, Severity},
};

/// Drafts a finding with the usual defaults.
pub fn finding(
    rule_id: &str,
    object: ObjectRef,
    subject: &ObjectRef,
    severity: Severity,
    started_at: Timestamp,
) -> Finding {
    Finding {
        rule_id: rule_id.to_owned(),
        object,
        part: String::new(),
        subject: subject.clone(),
        severity,
        headline: String::new(),
        message: String::new(),
        started_at,
        started_basis: String::new(),
        count: 1,
        hold: SignedDuration::ZERO,
        awaits_log: false,
        causes: Vec::new(),
        ruled_out: Vec::new(),
        evidence: Vec::new(),
        actions: Vec::new(),
    }
}

/// Drafts a cause.
pub fn cause(rule_id: &str, confidence: Confidence, entity: ObjectRef, statement: String) -> CauseDraft {
    CauseDraft {
        rule_id: rule_id.to_owned(),
        confidence,
        signs: Signs::default(),
        entity,
        referrer: None,
        field: None,
        statement,
        evidence: Vec::new(),
        needs: Vec::new(),
    }
}

/// Drafts evidence seen live.
pub fn evidence(
    kind: EvidenceKind,
    key: String,
    at: Timestamp,
    object: ObjectRef,
    summary: String,
    excerpt: String,
) -> EvidenceDraft {
    EvidenceDraft { key, kind, at, observed: Observed::Live, object, summary, excerpt, truncated: false }
}

/// A Kubernetes event as evidence. Repeats of one event are one piece of evidence.
pub fn event_evidence(event: &KubeEvent, now: Now<'_>) -> EvidenceDraft {
    let at = event.first_seen().unwrap_or_else(|| now.get());
    let times = event.times();
    let summary = format!("{} on {}: {}", event.reason(), event.object(), crate::words::clip(event.message(), 160));
    let excerpt = format!(
        "type: {}\nreason: {}\nobject: {}\ncount: {times}\nfirst seen: {at}\nlast seen: {}\nreported by: {}\nmessage: {}",
        event.severity.as_deref().unwrap_or(""),
        event.reason(),
        event.object().key(),
        event.last_seen().unwrap_or(at),
        event.reporting_component.as_deref().or(event.source.component.as_deref()).unwrap_or("not said"),
        event.message(),
    );
    evidence(
        EvidenceKind::KubeEvent,
        format!("event|{}|{}|{}", event.object().key(), event.reason(), event.message()),
        at,
        event.object(),
        summary,
        excerpt,
    )
}

/// An object's fields as evidence, as YAML-like lines.
pub fn object_evidence(
    kind: EvidenceKind,
    object: ObjectRef,
    aspect: &str,
    summary: String,
    lines: &[(&str, String)],
    at: Timestamp,
) -> EvidenceDraft {
    let excerpt = lines.iter().map(|(k, v)| format!("{k}: {v}")).collect::<Vec<_>>().join("\n");
    let key = format!("object|{}|{aspect}|{excerpt}", object.key());
    evidence(kind, key, at, object, summary, excerpt)
}

/// Drafts a step.
pub fn action(
    kind: ActionKind,
    target: &ObjectRef,
    because: impl Into<String>,
    risk: impl Into<String>,
    requires: &str,
    command: String,
) -> ActionDraft {
    ActionDraft {
        kind,
        target: target.clone(),
        because: because.into(),
        risk: risk.into(),
        requires: vec![requires.to_owned()],
        command,
    }
}

/// A step that sets something in the pod template of a workload: `kubectl set WHAT OBJECT REST`. The template of a Job and
/// most of a Pod cannot be changed: there the manifest is what must be changed, and made anew.
pub fn set(
    kind: ActionKind,
    subject: &ObjectRef,
    because: impl Into<String>,
    risk: &str,
    (what, rest): (&str, String),
) -> ActionDraft {
    let object = format!("{}{}", subject.kubectl(), ns_flag(subject));
    if subject.kind == "Job" || subject.kind == "Pod" && what != "image" {
        let risk = "it cannot be changed in place: it must be deleted, and made anew from its manifest with the change";
        let requires = format!("create {}", plural(&subject.kind));
        return action(kind, subject, because, risk, &requires, format!("kubectl get {object} -o yaml"));
    }
    let risk = if subject.kind == "CronJob" { "its next runs are made so" } else { risk };
    let requires = format!("patch {}", plural(&subject.kind));
    action(kind, subject, because, risk, &requires, format!("kubectl set {what} {object} {rest}"))
}

/// `-n NS` for kubectl lines.
pub fn ns_flag(object: &ObjectRef) -> String {
    object.namespace.as_ref().map(|n| format!(" -n {n}")).unwrap_or_default()
}

/// The step that goes back to the revision before, where the workload has revisions.
pub fn undo(subject: &ObjectRef, because: &str) -> Option<ActionDraft> {
    matches!(subject.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet").then(|| {
        action(
            ActionKind::RolloutUndo,
            subject,
            because,
            "replaces its pods one after another",
            &format!("patch {}s.apps", subject.kind.to_lowercase()),
            format!("kubectl rollout undo {}{}", subject.kubectl(), ns_flag(subject)),
        )
    })
}

/// The step that changes the workload by hand.
pub fn edit(kind: ActionKind, subject: &ObjectRef, because: impl Into<String>) -> ActionDraft {
    let risk = match subject.kind.as_str() {
        "Deployment" | "StatefulSet" | "DaemonSet" => "replaces its pods",
        "Job" | "Pod" => "most of it cannot be changed: it must be made anew",
        "CronJob" => "its next runs are made so",
        _ => "whatever else uses it is affected too",
    };
    action(
        kind,
        subject,
        because,
        risk,
        &format!("patch {}", plural(&subject.kind)),
        format!("kubectl edit {}{}", subject.kubectl(), ns_flag(subject)),
    )
}

/// The step that gives a workload without pods some again: so many replicas.
pub fn scale(workload: &ObjectRef, because: impl Into<String>, replicas: &str) -> ActionDraft {
    action(
        ActionKind::Scale,
        workload,
        because,
        "starts pods; they need room on a node",
        &format!("patch {}s.apps/scale", workload.kind.to_lowercase()),
        format!("kubectl scale {}{} --replicas={replicas}", workload.kubectl(), ns_flag(workload)),
    )
}

/// The step that reads the log of a container of a workload, or of one of its pods.
pub fn read_log(subject: &ObjectRef, of: &ObjectRef, container: &str, because: &str, how: &str) -> ActionDraft {
    let command = format!("kubectl logs {}{} -c {container} {how}", of.kubectl(), ns_flag(of));
    action(ActionKind::ManualCheck, subject, because, "reads only", "get pods/log", command)
}

/// Seconds as a hold time.
pub const fn hold(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// A kind as rights name it.
fn plural(kind: &str) -> String {
    match Kind::parse(kind) {
        Some(kind) => kind.plural().to_owned(),
        None => format!("{}s", kind.to_lowercase()),
    }
}
