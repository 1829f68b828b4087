//! Autoscalers that cannot do their work: without a target, without metrics, two of them on one workload, or at their
//! end for long.

mod metrics;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    Context, Hold, Rule,
    context::{action, cause, finding, hold, ns_flag, object_evidence},
    network::resembles,
};
use crate::{
    evidence::EvidenceKind,
    finding::{CauseDraft, Finding},
    object::{Condition, HorizontalPodAutoscaler, Kind, Object, ObjectRef},
    remediation::ActionKind,
    severity::{Confidence, Severity},
    words,
};

/// The rules of this family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "autoscaler-blind",
        means: "A HorizontalPodAutoscaler cannot read what it scales by.",
        source: "kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale: condition ScalingActive",
        reads: &[Kind::HorizontalPodAutoscaler, Kind::Pod],
        holds: &[
            Hold::Exactly(PROVEN, "when containers have no request, or the API of the metric is not served"),
            Hold::Exactly(METRICS, "when metrics do not come: those of new pods take a minute or two"),
            Hold::JoinsOnly(
                "when metrics do not come and pods of its target are not ready, or at one look before that time is up",
            ),
        ],
        severities: &[(Severity::Medium, "always")],
        limits: &[
            "While the autoscaler itself says that it can read its metrics (condition `ScalingActive`).",
            "A target that is scaled to zero: autoscaling is off then.",
        ],
        threshold: None,
        advises: &[ActionKind::SetResources, ActionKind::SetHpa, ActionKind::ManualCheck],
    },
    Rule {
        id: "autoscaler-target-wrong",
        means: "A HorizontalPodAutoscaler scales something that does not exist, or that another one scales too.",
        source: "kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale: conditions AbleToScale, ScalingActive (AmbiguousSelector)",
        reads: &[Kind::HorizontalPodAutoscaler, Kind::Deployment, Kind::StatefulSet],
        holds: &[Hold::Exactly(PROVEN, "")],
        severities: &[(Severity::Medium, "always")],
        limits: &[
            "A target of a kind that is not read, or whose kind may not be listed, unless the autoscaler says that it is not there.",
        ],
        threshold: None,
        advises: &[ActionKind::SetHpa],
    },
    Rule {
        id: "autoscaler-at-maximum",
        means: "A HorizontalPodAutoscaler is at its maximum and its metric stays above the target.",
        source: "kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale: condition ScalingLimited (TooManyReplicas)",
        reads: &[Kind::HorizontalPodAutoscaler],
        holds: &[Hold::Exactly(LIMITED, ""), Hold::JoinsOnly("at one look, before that time is up")],
        severities: &[(Severity::Low, "always")],
        limits: &["A metric that is at most a tenth above its target: the autoscaler tolerates that."],
        threshold: None,
        advises: &[ActionKind::SetHpa],
    },
];

/// Seconds: manifests are applied one after another.
const PROVEN: i64 = 15;
/// Seconds that the metrics of fresh pods may take.
const METRICS: i64 = 180;
/// Seconds at the maximum that are ordinary: a peak.
const LIMITED: i64 = 900;

/// Every autoscaler that is there to stay.
pub(super) fn all_autoscalers<'a>(cx: &Context<'a>) -> impl Iterator<Item = &'a HorizontalPodAutoscaler> {
    let index = cx.index;
    index.all(Kind::HorizontalPodAutoscaler).filter_map(|o| match &**o {
        Object::HorizontalPodAutoscaler(h) if !h.metadata.deleting() => Some(h),
        _ => None,
    })
}

/// Looks at every autoscaler.
pub fn all(cx: &mut Context<'_>) {
    let autoscalers: Vec<&HorizontalPodAutoscaler> = all_autoscalers(cx).collect();
    // How many miss the same API: one that is alone may ask for too much, several miss the API.
    let mut missing: BTreeMap<&str, usize> = BTreeMap::new();
    for h in &autoscalers {
        if let Some(api) = api_of(h) {
            *missing.entry(api).or_default() += 1;
        }
    }
    for h in &autoscalers {
        if target_missing(cx, h) || shared(cx, h, &autoscalers) {
            continue;
        }
        match Condition::find(&h.status.conditions, "ScalingActive").filter(|c| c.is_false()) {
            Some(c) if c.reason.as_deref() == Some("ScalingDisabled") => {}
            Some(c) => metrics::blind(cx, h, c, &missing),
            None => at_maximum(cx, h),
        }
    }
}

fn target(cx: &Context<'_>, h: &HorizontalPodAutoscaler) -> ObjectRef {
    let named = h.spec.scale_target_ref.in_namespace(h.metadata.namespace.as_deref());
    cx.index.resolve(&named).map_or(named, |o| o.reference())
}

/// The API group whose absence makes an autoscaler blind, by its own words.
pub(super) fn api_of(h: &HorizontalPodAutoscaler) -> Option<&'static str> {
    let condition = Condition::find(&h.status.conditions, "ScalingActive").filter(|c| c.is_false())?;
    let message = condition.message.as_deref().unwrap_or("");
    let absent = [
        "could not find the requested resource",
        "currently unable to handle the request",
        "no custom metrics API",
        "no external metrics API",
        "service unavailable",
    ];
    absent.iter().any(|a| message.contains(a)).then(|| group(condition)).flatten()
}

fn group(condition: &Condition) -> Option<&'static str> {
    Some(match condition.reason.as_deref()? {
        "FailedGetResourceMetric" | "FailedGetContainerResourceMetric" => "metrics.k8s.io",
        "FailedGetPodsMetric" | "FailedGetObjectMetric" => "custom.metrics.k8s.io",
        "FailedGetExternalMetric" => "external.metrics.k8s.io",
        _ => return None,
    })
}

/// A finding about an autoscaler with one piece of evidence: what it says of itself.
fn draft(
    rule: &str,
    h: &HorizontalPodAutoscaler,
    subject: &ObjectRef,
    since: Timestamp,
    lines: &[(&str, String)],
) -> (Finding, String) {
    let me = h.reference();
    let mut f = finding(rule, me.clone(), subject, Severity::Medium, since);
    f.hold = hold(PROVEN);
    f.started_basis = "condition of the autoscaler".into();
    let t = &h.spec.scale_target_ref;
    let mut all = vec![
        ("scaleTargetRef", format!("{}/{}", t.kind, t.name)),
        ("replicas", format!("{} to {}", h.spec.min_replicas.unwrap_or(1), h.spec.max_replicas)),
    ];
    all.extend(lines.iter().cloned());
    let conditions = h.status.conditions.iter().map(|c| {
        let reason = c.reason.as_deref().unwrap_or("");
        (
            "condition",
            format!("{}={} {reason}: {}", c.kind, c.status, words::clip(c.message.as_deref().unwrap_or(""), 300)),
        )
    });
    all.extend(conditions);
    let item = object_evidence(
        EvidenceKind::Object,
        me,
        rule,
        format!("HorizontalPodAutoscaler {}", h.metadata.name),
        &all,
        since,
    );
    let key = item.key.clone();
    f.evidence.push(item);
    (f, key)
}

fn proven(rule: &str, entity: &ObjectRef, statement: String, keys: &[String]) -> CauseDraft {
    let mut c = cause(rule, Confidence::Established, entity.clone(), statement);
    c.evidence = keys.to_vec();
    c.signs.pro = 2;
    c
}

fn set_hpa(me: &ObjectRef, because: &str) -> crate::remediation::ActionDraft {
    action(
        ActionKind::SetHpa,
        me,
        because,
        "may change how many pods run",
        "patch horizontalpodautoscalers",
        format!("kubectl edit hpa {}{}", me.name, ns_flag(me)),
    )
}

fn target_missing(cx: &mut Context<'_>, h: &HorizontalPodAutoscaler) -> bool {
    let ns = h.metadata.namespace.as_deref();
    let named = &h.spec.scale_target_ref;
    let wanted = named.in_namespace(ns);
    let condition = Condition::find(&h.status.conditions, "AbleToScale")
        .filter(|c| c.is_false() && c.reason.as_deref() == Some("FailedGetScale"));
    let kind = Kind::parse(&named.kind).filter(|k| k.namespaced());
    let gone = match kind {
        Some(kind) if cx.index.knows(kind, ns) => cx.index.resolve(&wanted).is_none(),
        _ => condition.is_some(),
    };
    let unserved = condition.and_then(|c| c.message.as_deref()).filter(|m| m.contains("no matches for kind"));
    if !gone && unserved.is_none() {
        return false;
    }
    let me = h.reference();
    let deleted = super::backing::deleted_at(cx, &wanted);
    let since = deleted
        .max(super::backing::changes(cx, &me).map(|c| c.at).max())
        .or(h.metadata.creation_timestamp)
        .unwrap_or_else(|| cx.now.get());
    let (mut f, key) = draft("autoscaler-target-wrong", h, &me, since, &[("target", "does not exist".into())]);
    f.headline = "scales nothing: its target does not exist".into();
    let near: Vec<String> = kind
        .into_iter()
        .flat_map(|k| cx.index.in_namespace(k, ns.unwrap_or("")))
        .map(|o| o.meta().name.clone())
        .filter(|n| resembles(n, &named.name))
        .collect();
    let instead = match near.as_slice() {
        [] => String::new(),
        names => format!(" There is {}.", words::list(names, 3)),
    };
    f.message = format!("{me} is to scale {wanted}, which does not exist");
    let mut c = proven(
        "autoscaler-target-missing",
        &me,
        format!(
            "{me} is to scale {wanted} (scaleTargetRef), which does not exist (not found) in namespace {}: nothing is scaled.{instead}",
            ns.unwrap_or("")
        ),
        &[key],
    );
    c.field = Some("spec.scaleTargetRef.name".into());
    if let Some(said) = unserved.filter(|_| !gone) {
        c.statement = format!(
            "{me} is to scale {} {} of {} (scaleTargetRef), and the cluster has no such kind in that version: nothing is scaled. It says: {}",
            named.kind,
            named.name,
            named.api_version,
            words::clip(said, 200)
        );
        c.field = Some("spec.scaleTargetRef.apiVersion".into());
    }
    c.referrer = Some(ObjectRef { uid: None, ..wanted });
    f.causes.push(c);
    f.actions.push(set_hpa(&me, "it must name a workload that exists"));
    cx.report(f);
    true
}

/// Two autoscalers on one workload: the controller refuses both. The younger one is told.
fn shared(cx: &mut Context<'_>, h: &HorizontalPodAutoscaler, all: &[&HorizontalPodAutoscaler]) -> bool {
    let same = |o: &HorizontalPodAutoscaler| {
        let (a, b) = (&o.spec.scale_target_ref, &h.spec.scale_target_ref);
        o.metadata.namespace == h.metadata.namespace && a.kind == b.kind && a.name == b.name
    };
    let age = |o: &HorizontalPodAutoscaler| (o.metadata.creation_timestamp, o.metadata.name.clone());
    let mut those: Vec<&HorizontalPodAutoscaler> = all.iter().copied().filter(|o| same(o)).collect();
    if those.len() < 2 {
        return false;
    }
    those.sort_by_key(|o| age(o));
    if those.last().is_none_or(|last| last.metadata.name != h.metadata.name) {
        return true;
    }
    let me = h.reference();
    let workload = target(cx, h);
    let since = h.metadata.creation_timestamp.unwrap_or_else(|| cx.now.get());
    let since = super::backing::changes(cx, &me).map(|c| c.at).max().unwrap_or(since);
    let names: Vec<String> = those.iter().map(|o| o.metadata.name.clone()).collect();
    let (mut f, key) =
        draft("autoscaler-target-wrong", h, &me, since, &[("autoscalers of the target", names.join(", "))]);
    f.headline = "scales what another autoscaler scales".into();
    f.message = format!("{workload} has {} autoscalers: {}", names.len(), words::list(&names, 4));
    let mut c = proven(
        "autoscalers-conflict",
        &me,
        format!(
            "{workload} is the target of {} HorizontalPodAutoscalers, {}: they work against each other (AmbiguousSelector) and none of them scales it.",
            names.len(),
            words::list(&names, 4)
        ),
        &[key],
    );
    c.field = Some("spec.scaleTargetRef".into());
    c.referrer = Some(workload);
    f.causes.push(c);
    f.actions.push(set_hpa(&me, "one workload must have one autoscaler"));
    cx.report(f);
    true
}

fn at_maximum(cx: &mut Context<'_>, h: &HorizontalPodAutoscaler) {
    let Some(limited) = Condition::find(&h.status.conditions, "ScalingLimited")
        .filter(|c| c.is_true() && c.reason.as_deref() == Some("TooManyReplicas"))
    else {
        return;
    };
    let above = metrics::shares(h).find_map(|share| {
        let now = h.status.current_metrics.iter().flatten().find_map(|m| {
            let source = m.get("resource").or_else(|| m.get("containerResource"))?;
            (source.get("name")?.as_str()? == share.resource)
                .then(|| source.pointer("/current/averageUtilization"))??
                .as_u64()
        })?;
        (now * 10 > share.percent * 11).then_some((share.resource, now, share.percent))
    });
    let Some((resource, now, wanted)) = above else { return };
    let me = h.reference();
    let workload = target(cx, h);
    let since = limited.last_transition_time.unwrap_or_else(|| cx.now.get());
    let lines = [("current", format!("{resource} {now}%")), ("target", format!("{resource} {wanted}%"))];
    let (mut f, key) = draft("autoscaler-at-maximum", h, &workload, since, &lines);
    f.severity = Severity::Low;
    f.headline = "is at its maximum of replicas and still busy".into();
    f.hold = hold(LIMITED);
    cx.ordinary_until_due(&mut f);
    f.message = format!(
        "{me} is at its maximum of {} replicas, {resource} at {now}% of a target of {wanted}%",
        h.spec.max_replicas
    );
    let mut c = proven(
        "autoscaler-maximum-too-low",
        &me,
        format!(
            "{me} may run at most {} replicas of {workload} (maxReplicas) and runs as many; {resource} stays at {now}% with a target of {wanted}%.",
            h.spec.max_replicas
        ),
        &[key],
    );
    c.confidence = Confidence::Likely;
    c.field = Some("spec.maxReplicas".into());
    c.referrer = Some(workload);
    f.causes.push(c);
    f.actions.push(set_hpa(&me, "it may run more"));
    cx.report(f);
}
