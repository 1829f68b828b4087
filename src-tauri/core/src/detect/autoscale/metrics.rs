//! Autoscalers that read no metrics, and why: no requests, no API, no such metric, or nothing yet.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{METRICS, api_of, draft, group, proven, set_hpa, target};
use crate::{
    detect::{
        Context,
        context::{action, edit, hold, object_evidence},
    },
    evidence::{EvidenceDraft, EvidenceKind},
    finding::{CauseDraft, Finding},
    index::Now,
    object::{Condition, Container, HorizontalPodAutoscaler, Kind, Object, ObjectRef, Pod},
    remediation::ActionKind,
    severity::Confidence,
    words,
};

fn pods<'a>(cx: &Context<'a>, workload: &ObjectRef) -> Vec<&'a Pod> {
    let index = cx.index;
    let uid = workload.uid.clone().unwrap_or_default();
    index.pods_of(&uid).into_iter().filter(|p| !p.finished() && !p.metadata.deleting()).collect()
}

/// A metric that is a share of what containers request: the resource, the one container it speaks of, the target.
pub(super) struct Share<'v> {
    pub resource: &'v str,
    container: Option<&'v str>,
    pub percent: u64,
}

pub(super) fn shares(h: &HorizontalPodAutoscaler) -> impl Iterator<Item = Share<'_>> {
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

pub(super) fn blind(
    cx: &mut Context<'_>,
    h: &HorizontalPodAutoscaler,
    condition: &Condition,
    missing: &BTreeMap<&str, usize>,
) {
    let me = h.reference();
    let workload = target(cx, h);
    let since = condition.last_transition_time.or(h.metadata.creation_timestamp).unwrap_or_else(|| cx.now.get());
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
                let api_object = a.reference();
                let entity = crate::detect::admission::answers_for(cx, a);
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
    let item = resources_evidence(workload, containers, resource);
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

fn resources_evidence(workload: &ObjectRef, containers: &[&Container], resource: &str) -> EvidenceDraft {
    let lines: Vec<(&str, String)> =
        containers.iter().map(|c| (c.name.as_str(), format!("requests.{resource} not set"))).collect();
    object_evidence(
        EvidenceKind::Object,
        workload.clone(),
        "requests",
        format!("Containers of {workload} without a {resource} request"),
        &lines,
        Now::STAMP,
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
