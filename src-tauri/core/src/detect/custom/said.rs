//! What a controller says of an object of its own kind, where it says that something is wrong.

use jiff::{SignedDuration, Timestamp};

use crate::{
    object::{CustomResource, custom::CustomCondition},
    severity::Severity,
};

/// After this long what fails is told.
pub(super) const FAILS: i64 = 60;
/// A reason without a word of failure may be a start that takes its time.
pub(super) const VAGUE: i64 = 300;
/// What somebody outside the cluster has to answer: certificates.
pub(super) const ISSUES: i64 = 600;
/// A run that failed is news for so long, as a failed pod is.
const NEWS: SignedDuration = SignedDuration::from_hours(1);

/// Something wrong, in its controller's words.
#[derive(Debug)]
pub(super) struct Said {
    /// `Ready=False`.
    pub condition: String,
    pub reason: String,
    pub message: String,
    pub since: Timestamp,
    /// Where that moment is from.
    pub basis: String,
    /// How long it must have lasted.
    pub patience: i64,
    /// It only waits for another object.
    pub waits: bool,
    pub headline: &'static str,
    pub severity: Severity,
}

impl Said {
    /// `Ready=False, BuildFailed: kustomization.yaml not found`.
    pub fn words(&self) -> String {
        let reason = if self.reason.is_empty() { String::new() } else { format!(", {}", self.reason) };
        let message = if self.message.is_empty() { String::new() } else { format!(": {}", self.message) };
        crate::words::clip(&format!("{}{reason}{message}", self.condition), 400)
    }
}

/// What its controller says is wrong, in few words; the time does not matter for that.
pub(crate) fn wrong(o: &CustomResource) -> Option<String> {
    let said = speaks(o, Timestamp::MAX)?;
    Some(if said.reason.is_empty() { said.condition } else { said.reason })
}

/// What is wrong with an object by its controller's word for what is asked for now; nothing where it is well, on its
/// way, left alone or going, or a run that failed a while ago.
pub(super) fn said(o: &CustomResource, now: Timestamp) -> Option<Said> {
    speaks(o, now).filter(|s| s.severity > Severity::Low || now.duration_since(s.since) < NEWS)
}

fn speaks(o: &CustomResource, now: Timestamp) -> Option<Said> {
    if o.metadata.deleting() || o.is_suspended() || o.is_behind() {
        return None;
    }
    match (o.group(), o.kind.as_str()) {
        ("argoproj.io", "Application") => application(o, now),
        ("acme.cert-manager.io", _) => acme(o, now),
        ("cert-manager.io", "Certificate") => certificate(o, now),
        _ => by_conditions(o, now),
    }
}

/// Bad when they are true, the plainest first; then bad when they are false.
const BAD: &[&str] = &["Failed", "Stalled", "Degraded"];
const GOOD: &[&str] = &["Ready", "Synced", "Available", "Healthy", "Reconciled", "Succeeded"];

fn by_conditions(o: &CustomResource, now: Timestamp) -> Option<Said> {
    let current =
        |c: &&CustomCondition| c.observed_generation.is_none_or(|g| o.metadata.generation.is_none_or(|now| g >= now));
    let rests = o.status.conditions.iter().any(rests);
    let at_rest = |c: &CustomCondition| rests && AT_WORK.contains(&c.kind.as_str()) && !fails(reason(c));
    let bad = BAD.iter().map(|k| (k, "True"));
    let found = bad.chain(GOOD.iter().map(|k| (k, "False"))).find_map(|(kind, status)| {
        let c = o.condition(kind).filter(|c| c.status == status).filter(current)?;
        (!is_left_alone(c) && !at_rest(c) && !is_progress(o, c)).then_some(c)
    })?;
    let reason = found.reason.clone().unwrap_or_default();
    let message = found.message.clone().unwrap_or_default();
    let patience = if fails(&reason) || fails(&message) { FAILS } else { VAGUE };
    let since = found.last_transition_time.or(o.metadata.creation_timestamp).unwrap_or(now).min(now);
    let (headline, severity) = match found.kind.as_str() {
        "Failed" | "Succeeded" => ("has failed", Severity::Low),
        "Stalled" => ("makes no progress", Severity::Medium),
        "Degraded" => ("is degraded", Severity::Medium),
        "Available" => ("is not available", Severity::Medium),
        "Healthy" => ("is not healthy", Severity::Medium),
        "Synced" | "Reconciled" => ("is not in sync", Severity::Medium),
        _ => ("is not ready", Severity::Medium),
    };
    let basis = format!("condition {} changed", found.kind);
    let condition = format!("{}={}", found.kind, found.status);
    let waits = reason == "DependencyNotReady";
    Some(Said { condition, reason, message, since, basis, patience, waits, headline, severity })
}

/// What is false of a thing that does nothing.
const AT_WORK: &[&str] = &["Ready", "Available", "Healthy", "Succeeded"];

fn reason(c: &CustomCondition) -> &str {
    c.reason.as_deref().unwrap_or("")
}

/// Somebody stopped it or nobody calls it, and its controller says no more than that: machines of KubeVirt's, runs of
/// Tekton's, revisions of Knative's.
fn is_left_alone(c: &CustomCondition) -> bool {
    const STEMS: &[&str] = &[
        "stopped",
        "halted",
        "hibernat",
        "suspended",
        "paused",
        "cancelled",
        "canceled",
        "notraffic",
        "scaledtozero",
        "vminotexists",
    ];
    let reason = reason(c).to_lowercase();
    !fails(&reason) && STEMS.iter().any(|stem| reason.contains(stem))
}

/// The whole thing is at rest, by this condition: what says no more than that it is not ready adds nothing.
fn rests(c: &CustomCondition) -> bool {
    const STATES: &[&str] = &["Paused", "Suspended", "Stopped", "Halted", "Hibernat", "hibernation"];
    match c.status.as_str() {
        "False" => AT_WORK.contains(&c.kind.as_str()) && is_left_alone(c),
        "True" => {
            let state = c.kind.rsplit('/').next().unwrap_or_default();
            !fails(reason(c)) && STATES.iter().any(|s| state.starts_with(s))
        }
        _ => false,
    }
}

/// On its way. What names an object that is not there gets nowhere, whatever its reason says.
fn is_progress(o: &CustomResource, c: &CustomCondition) -> bool {
    const STEMS: &[&str] = &[
        "progress",
        "reconciling",
        "pending",
        "creating",
        "issuing",
        "provisioning",
        "initiali",
        "waiting",
        "updating",
        "upgrading",
        "scaling",
        "starting",
        "installing",
        "deleting",
        "terminating",
        "paused",
        "suspended",
        "scheduled",
    ];
    let reason = c.reason.as_deref().unwrap_or("").to_lowercase();
    // A canary between two steps is not healthy yet.
    let canary = o.is("argoproj.io", "Rollout") && c.kind == "Healthy";
    let stuck = fails(&reason) || c.message.as_deref().is_some_and(super::lead::names_missing);
    canary || (!stuck && STEMS.iter().any(|stem| reason.contains(stem)))
}

/// Words that nobody writes of what is only on its way.
fn fails(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "fail",
        "error",
        "invalid",
        "denied",
        "forbidden",
        "not found",
        "notfound",
        "missing",
        "cannot",
        "unable",
        "refused",
        "exceeded",
        "deadline",
        "timed out",
        "timeout",
        "stalled",
        "rejected",
        "unauthorized",
        "conflict",
        "does not exist",
    ];
    let text = text.to_lowercase();
    WORDS.iter().any(|word| text.contains(word))
}

/// A Certificate of cert-manager says of an attempt what it says of no other condition: while there is one, `Ready` only
/// says that the certificate is not there yet, and one that cannot be renewed is ready until it expires.
fn certificate(o: &CustomResource, now: Timestamp) -> Option<Said> {
    let attempt = o.condition("Issuing");
    let failed = attempt.filter(|c| c.status == "False" && c.reason.as_deref() == Some("Failed"));
    let said = by_conditions(o, now);
    if let Some(c) = failed {
        let headline = if said.is_some() { "is not issued" } else { "is not renewed" };
        return Some(Said {
            condition: "Issuing=False".to_owned(),
            reason: "Failed".to_owned(),
            message: c.message.clone().unwrap_or_default(),
            since: c.last_transition_time.or(o.metadata.creation_timestamp).unwrap_or(now).min(now),
            basis: "condition Issuing changed".to_owned(),
            patience: FAILS,
            waits: false,
            headline,
            severity: Severity::Medium,
        });
    }
    let tries = attempt.is_some_and(|c| c.status == "True");
    said.map(|s| Said { patience: if tries { ISSUES } else { s.patience }, ..s })
}

/// The Certificate a request was made for is well and tries nothing: a later attempt has succeeded.
pub(super) fn is_over(certificate: &CustomResource) -> bool {
    let tries =
        certificate.condition("Issuing").is_some_and(|c| c.status == "True" || c.reason.as_deref() == Some("Failed"));
    certificate.is("cert-manager.io", "Certificate")
        && certificate.condition("Ready").is_some_and(|c| c.status == "True")
        && !tries
}

/// Orders and Challenges of cert-manager have a state and a reason.
fn acme(o: &CustomResource, now: Timestamp) -> Option<Said> {
    let state = o.status.state.as_deref()?;
    let message = o.status.reason.clone().unwrap_or_default();
    let patience = match state {
        "invalid" | "errored" | "expired" => FAILS,
        "pending" | "processing" if fails(&message) => ISSUES,
        _ => return None,
    };
    Some(Said {
        condition: format!("state {state}"),
        reason: String::new(),
        message,
        since: o.metadata.creation_timestamp.unwrap_or(now).min(now),
        basis: "made".to_owned(),
        patience,
        waits: false,
        headline: "is not fulfilled",
        severity: Severity::Medium,
    })
}

/// What Argo CD says: how the resources are, else how the last sync ended.
fn application(o: &CustomResource, now: Timestamp) -> Option<Said> {
    let (health, operation) = (&o.status.health, &o.status.operation_state);
    let failed = matches!(operation.phase.as_str(), "Failed" | "Error");
    // One that was never synced has nothing to miss, nor does one for what it was not asked to sync yet.
    let asked = failed || o.status.sync.status == "Synced" || o.is_synced_by_itself();
    let missing = health.status == "Missing" && !operation.phase.is_empty() && asked;
    let ill = health.status == "Degraded" || missing;
    let written = || o.metadata.managed_fields.iter().filter_map(|f| f.time).max();
    if ill && operation.phase != "Running" {
        let sync = if failed { format!(", sync {}", operation.phase) } else { String::new() };
        let message = health.message.clone().or_else(|| operation.message.clone().filter(|_| failed));
        let since = health.last_transition_time.or(operation.finished_at).or_else(written);
        return Some(Said {
            condition: format!("health {}{sync}", health.status),
            reason: String::new(),
            message: message.unwrap_or_default(),
            since: since.unwrap_or(now).min(now),
            basis: "health changed".to_owned(),
            patience: FAILS,
            waits: false,
            headline: if health.status == "Missing" { "has resources missing" } else { "is degraded" },
            severity: Severity::Medium,
        });
    }
    (failed && o.status.sync.status != "Synced").then(|| Said {
        condition: format!("sync {}", operation.phase),
        reason: String::new(),
        message: operation.message.clone().unwrap_or_default(),
        since: operation.finished_at.or_else(written).unwrap_or(now).min(now),
        basis: "sync ended".to_owned(),
        patience: FAILS,
        waits: false,
        headline: "cannot be synced",
        severity: Severity::Medium,
    })
}
