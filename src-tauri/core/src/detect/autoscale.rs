//! Autoscalers that cannot do their work: without a target, without metrics, two of them on one workload, or at their
//! end for long.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    Context, Hold, Rule,
    context::{action, cause, edit, finding, hold, ns_flag, object_evidence},
    network::resembles,
};
use crate::{
    evidence::{EvidenceDraft, EvidenceKind},
    finding::{CauseDraft, Finding},
    object::{Condition, Container, HorizontalPodAutoscaler, Kind, Object, ObjectRef, Pod},
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
            Some(c) => blind(cx, h, c, &missing),
            None => at_maximum(cx, h),
        }
    }
}

fn reference(h: &HorizontalPodAutoscaler) -> ObjectRef {
    Object::HorizontalPodAutoscaler(h.clone()).reference()
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
    let me = reference(h);
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
    if !gone {
        return false;
    }
    let me = reference(h);
    let deleted = super::backing::deleted_at(cx, &wanted);
    let since = deleted
        .max(super::backing::changes(cx, &me).map(|c| c.at).max())
        .or(h.metadata.creation_timestamp)
        .unwrap_or(cx.now);
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
    let me = reference(h);
    let workload = target(cx, h);
    let since = h.metadata.creation_timestamp.unwrap_or(cx.now);
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

fn pods<'a>(cx: &Context<'a>, workload: &ObjectRef) -> Vec<&'a Pod> {
    let index = cx.index;
    let uid = workload.uid.clone().unwrap_or_default();
    index.pods_of(&uid).into_iter().filter(|p| !p.finished() && !p.metadata.deleting()).collect()
}

/// A metric that is a share of what containers request: the resource, the one container it speaks of, the target.
struct Share<'v> {
    resource: &'v str,
    container: Option<&'v str>,
    percent: u64,
}

fn shares(h: &HorizontalPodAutoscaler) -> impl Iterator<Item = Share<'_>> {
    h.spec.metrics.iter().filter_map(|m| {
        let source = m.get("resource").or_else(|| m.get("containerResource"))?;
        Some(Share {
            resource: source.get("name")?.as_str()?,
            container: source.get("container").and_then(Value::as_str),
            percent: source.pointer("/target/averageUtilization")?.as_u64()?,
        })
    })
}

/// The first container that has no request for a resource the autoscaler needs. Of live pods: a limit or a LimitRange
/// gives a request to what the template leaves out.
fn without_request<'p>(h: &HorizontalPodAutoscaler, pods: &[&'p Pod]) -> Option<(String, u64, Vec<&'p Container>)> {
    shares(h).find_map(|share| {
        let lacks = |c: &&Container| {
            share.container.is_none_or(|name| name == c.name) && !c.resources.requests.contains_key(share.resource)
        };
        let found: Vec<&Container> = pods.iter().find_map(|p| {
            let found: Vec<&Container> = p.spec.containers.iter().filter(lacks).collect();
            (!found.is_empty()).then_some(found)
        })?;
        Some((share.resource.to_owned(), share.percent, found))
    })
}

fn blind(cx: &mut Context<'_>, h: &HorizontalPodAutoscaler, condition: &Condition, missing: &BTreeMap<&str, usize>) {
    let me = reference(h);
    let workload = target(cx, h);
    let since = condition.last_transition_time.or(h.metadata.creation_timestamp).unwrap_or(cx.now);
    let pods = pods(cx, &workload);
    let said = condition.message.clone().unwrap_or_default();
    let reason = condition.reason.clone().unwrap_or_default();
    let resource = matches!(reason.as_str(), "FailedGetResourceMetric" | "FailedGetContainerResourceMetric");
    if resource && let Some((resource, percent, containers)) = without_request(h, &pods) {
        requests(cx, h, &me, &workload, since, &resource, percent, &containers);
        return;
    }
    let (mut f, key) = draft("autoscaler-blind", h, &me, since, &[]);
    f.headline = "cannot scale: it reads no metrics".into();
    f.message = format!("{me} cannot read its metrics ({reason}): {}", words::clip(&said, 220));
    if let Some(api) = api_of(h) {
        let registered = cx.index.all(Kind::APIService).find_map(|o| match &**o {
            Object::APIService(a) if a.spec.group == api => Some(a),
            _ => None,
        });
        let several = missing.get(api).copied().unwrap_or(0) > 1;
        let name = format!("v1beta1.{api}");
        let metric = metric_text(h, api);
        let (entity, referrer, statement, confidence) = match registered {
            // Registered and down: that has a finding of its own, which names the same entity.
            Some(a) => {
                let api_object = Object::APIService(a.clone()).reference();
                let entity = super::admission::answers_for(cx, a);
                let text = format!(
                    "{me} cannot scale {workload} by {metric}: the API {api} ({api_object}) is not available: {}",
                    words::clip(&said, 200)
                );
                (entity, Some(api_object), text, Confidence::Established)
            }
            None if !cx.index.knows(Kind::APIService, None) => {
                let text = format!(
                    "{me} cannot scale {workload} by {metric}: the API {api} does not answer: {}",
                    words::clip(&said, 200)
                );
                (ObjectRef::missing(Kind::APIService, None, &name), Some(me.clone()), text, Confidence::Likely)
            }
            None => {
                let text = format!(
                    "{me} cannot scale {workload} by {metric}: the cluster does not serve the API {api} (APIService {name} does not exist, not found), so there are no such metrics."
                );
                let missing = ObjectRef::missing(Kind::APIService, None, &name);
                match api == "metrics.k8s.io" || several {
                    true => (missing, Some(me.clone()), text, Confidence::Established),
                    false => (me.clone(), Some(missing), text, Confidence::Established),
                }
            }
        };
        let own = entity.same_name(&me);
        let mut c = proven("metrics-api-missing", &entity, statement, &[key]);
        c.confidence = confidence;
        c.referrer = referrer;
        c.field = own.then(|| "spec.metrics".into());
        f.causes.push(c);
        f.actions.push(action(
            ActionKind::ManualCheck,
            &entity,
            "autoscaling needs a server of these metrics",
            "none",
            "get apiservices.apiregistration.k8s.io",
            format!("kubectl get apiservices.apiregistration.k8s.io {name}"),
        ));
        cx.report(f);
        return;
    }
    if let Some((container, resource)) = said_missing(&said) {
        let mut c = requests_cause(h, &me, &workload, &resource, &container, None, vec![key]);
        c.confidence = Confidence::Established;
        f.subject = workload.clone();
        f.causes.push(c);
        f.actions.push(edit(
            ActionKind::SetResources,
            &workload,
            format!("a {resource} request makes its use measurable"),
        ));
        cx.report(f);
        return;
    }
    // Metrics of its own kind: the API answers and does not know this one.
    if let Some(api) = group(condition).filter(|g| *g != "metrics.k8s.io") {
        f.hold = hold(METRICS);
        cx.ordinary_until_due(&mut f);
        let mut c = proven(
            "metric-missing",
            &me,
            format!(
                "{me} cannot scale {workload} by {}: the API {api} is served and does not have this metric: {}",
                metric_text(h, api),
                words::clip(&said, 220)
            ),
            &[key],
        );
        c.confidence = Confidence::Likely;
        c.field = Some("spec.metrics".into());
        c.referrer = Some(workload);
        f.causes.push(c);
        f.actions.push(set_hpa(&me, "it must name a metric that exists"));
        cx.report(f);
        return;
    }
    // Pods that are not ready have no metrics that count, and findings of their own.
    let unready = pods.is_empty() || pods.iter().any(|p| !p.ready());
    f.hold = if unready { Finding::JOINS_ONLY } else { hold(METRICS) };
    if unready {
        f.subject = workload;
    } else {
        // The metrics of a pod start with the pod.
        let newest = pods.iter().filter_map(|p| p.metadata.creation_timestamp).max();
        f.started_at = newest.map_or(since, |t| t.max(since));
        cx.ordinary_until_due(&mut f);
        let mut c = proven(
            "metrics-missing",
            &me,
            format!("{me} gets no metrics of the pods of {workload} ({reason}): {}", words::clip(&said, 240)),
            &[key],
        );
        c.confidence = Confidence::Possible;
        c.needs.push("the log of the metrics server".into());
        c.referrer = Some(workload);
        f.causes.push(c);
        f.actions.push(set_hpa(&me, "its metrics must be ones that the cluster has"));
    }
    cx.report(f);
}

/// `missing request for cpu in container app of Pod web-1`: container and resource.
fn said_missing(message: &str) -> Option<(String, String)> {
    let rest = message.split_once("missing request for ")?.1;
    let mut words = rest.split_whitespace();
    let resource = words.next()?.to_owned();
    let container = rest.split_once("in container ").and_then(|(_, r)| r.split_whitespace().next()).unwrap_or("");
    Some((container.to_owned(), resource))
}

fn requests_cause(
    h: &HorizontalPodAutoscaler,
    me: &ObjectRef,
    workload: &ObjectRef,
    resource: &str,
    container: &str,
    percent: Option<u64>,
    keys: Vec<String>,
) -> CauseDraft {
    let aim = percent.map(|p| format!(" of {p}%")).unwrap_or_default();
    let mut c = proven(
        "requests-missing-for-autoscaling",
        workload,
        format!(
            "Container {container} of {workload} has no {resource} request, so {me} cannot compute the {resource} utilization it scales by (target{aim}, {} to {} replicas): missing request for {resource}.",
            h.spec.min_replicas.unwrap_or(1),
            h.spec.max_replicas
        ),
        &keys,
    );
    c.field = Some(format!("spec.template.spec.containers[{container}].resources.requests.{resource}"));
    c.referrer = Some(me.clone());
    c
}

#[allow(clippy::too_many_arguments, reason = "what the autoscaler says and what its pods have")]
fn requests(
    cx: &mut Context<'_>,
    h: &HorizontalPodAutoscaler,
    me: &ObjectRef,
    workload: &ObjectRef,
    since: Timestamp,
    resource: &str,
    percent: u64,
    containers: &[&Container],
) {
    let (mut f, key) = draft("autoscaler-blind", h, workload, since, &[]);
    f.headline = format!("is not scaled: its containers request no {resource}");
    f.message = format!(
        "{me} scales {workload} by {resource} utilization, and {} no {resource} request",
        match containers {
            [one] => format!("container {} has", one.name),
            many =>
                format!("containers {} have", words::list(&many.iter().map(|c| c.name.clone()).collect::<Vec<_>>(), 4)),
        }
    );
    let item = resources_evidence(cx, workload, containers, resource);
    let mut c =
        requests_cause(h, me, workload, resource, &containers[0].name, Some(percent), vec![key, item.key.clone()]);
    if containers.len() > 1 {
        let names: Vec<String> = containers.iter().map(|c| c.name.clone()).collect();
        c.statement.push_str(&format!(" Containers without it: {}.", words::list(&names, 4)));
    }
    f.evidence.push(item);
    f.causes.push(c);
    f.actions.push(edit(ActionKind::SetResources, workload, format!("a {resource} request makes its use measurable")));
    cx.report(f);
}

fn resources_evidence(
    cx: &Context<'_>,
    workload: &ObjectRef,
    containers: &[&Container],
    resource: &str,
) -> EvidenceDraft {
    let lines: Vec<(&str, String)> =
        containers.iter().map(|c| (c.name.as_str(), format!("requests.{resource} not set"))).collect();
    object_evidence(
        EvidenceKind::Object,
        workload.clone(),
        "requests",
        format!("Containers of {workload} without a {resource} request"),
        &lines,
        cx.now,
    )
}

/// What it scales by, in its own words: `metric queue_length`, `cpu`.
fn metric_text(h: &HorizontalPodAutoscaler, api: &str) -> String {
    let names: Vec<String> = h
        .spec
        .metrics
        .iter()
        .filter_map(|m| {
            let source = match api {
                "metrics.k8s.io" => m.get("resource").or_else(|| m.get("containerResource"))?.get("name")?,
                "external.metrics.k8s.io" => m.pointer("/external/metric/name")?,
                _ => m.pointer("/pods/metric/name").or_else(|| m.pointer("/object/metric/name"))?,
            };
            source.as_str().map(str::to_owned)
        })
        .collect();
    match names.is_empty() {
        true => "its metric".into(),
        false if api == "metrics.k8s.io" => words::list(&names, 3),
        false => format!("metric {}", words::list(&names, 3)),
    }
}

fn at_maximum(cx: &mut Context<'_>, h: &HorizontalPodAutoscaler) {
    let Some(limited) = Condition::find(&h.status.conditions, "ScalingLimited")
        .filter(|c| c.is_true() && c.reason.as_deref() == Some("TooManyReplicas"))
    else {
        return;
    };
    let above = shares(h).find_map(|share| {
        let now = h.status.current_metrics.iter().flatten().find_map(|m| {
            let source = m.get("resource").or_else(|| m.get("containerResource"))?;
            (source.get("name")?.as_str()? == share.resource)
                .then(|| source.pointer("/current/averageUtilization"))??
                .as_u64()
        })?;
        (now * 10 > share.percent * 11).then_some((share.resource, now, share.percent))
    });
    let Some((resource, now, wanted)) = above else { return };
    let me = reference(h);
    let workload = target(cx, h);
    let since = limited.last_transition_time.unwrap_or(cx.now);
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
