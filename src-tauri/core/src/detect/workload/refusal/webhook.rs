//! Admission webhooks: those that say no, and those that do not answer.

use std::sync::LazyLock;

use regex::Regex;

use super::super::super::{
    Context,
    context::{Owner, action, cause, edit, ns_flag, object_evidence},
};
use super::Told;
use crate::{
    evidence::EvidenceKind,
    finding::CauseDraft,
    index::Now,
    object::{Kind, Object, ObjectRef, admission::Webhook, has_all},
    remediation::{ActionDraft, ActionKind},
    severity::Confidence,
    words,
};

/// The configuration that has a webhook of this name.
fn configured<'a>(cx: &Context<'a>, name: &str) -> Option<(ObjectRef, &'a Webhook)> {
    let index = cx.index;
    [Kind::ValidatingWebhookConfiguration, Kind::MutatingWebhookConfiguration]
        .into_iter()
        .flat_map(|kind| index.all(kind))
        .find_map(|o| {
            let hooks = match &**o {
                Object::ValidatingWebhookConfiguration(c) => &c.webhooks,
                Object::MutatingWebhookConfiguration(c) => &c.webhooks,
                _ => return None,
            };
            hooks.iter().find(|w| w.name == name).map(|w| (o.reference(), w))
        })
}

/// A webhook that answered, and said no.
pub(super) fn denied(cx: &Context<'_>, owner: &Owner, name: &str, why: &str) -> (CauseDraft, Vec<ActionDraft>) {
    let by = configured(cx, name).map(|(c, _)| c);
    let of = by.as_ref().map(|c| format!(" ({c})")).unwrap_or_default();
    let why = if why.trim().is_empty() { "it gives no reason" } else { why };
    let mut c = cause(
        "admission-denied",
        Confidence::Established,
        owner.subject.clone(),
        format!("Admission webhook {name}{of} denies the pods of {}: {}", owner.subject, words::clip(why, 260)),
    );
    c.field = Some(owner.prefix.trim_end_matches(".spec").to_owned());
    c.referrer = by;
    (c, vec![edit(ActionKind::Patch, &owner.subject, "the refusal names the rule")])
}

/// What is known of the Service behind a webhook.
enum Behind {
    Missing,
    /// It has no ready endpoint; the workload its selector means, with the pods it wants.
    Empty(Option<(ObjectRef, i32)>),
    /// It has endpoints, or they may not be read.
    There,
}

fn behind(cx: &Context<'_>, service: &ObjectRef) -> Behind {
    let ns = service.namespace.as_deref().unwrap_or("");
    if !cx.index.knows(Kind::Service, Some(ns)) {
        return Behind::There;
    }
    let Some(Object::Service(s)) = cx.index.resolve(service).map(|o| &**o) else { return Behind::Missing };
    if !cx.index.knows(Kind::EndpointSlice, Some(ns)) {
        return Behind::There;
    }
    let ready = cx.index.in_namespace(Kind::EndpointSlice, ns).any(|o| match &**o {
        Object::EndpointSlice(e) => {
            e.metadata.labels.get("kubernetes.io/service-name") == Some(&service.name)
                && e.endpoints.iter().any(|p| p.conditions.ready.unwrap_or(true))
        }
        _ => false,
    });
    if ready {
        return Behind::There;
    }
    let workloads = [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet];
    let meant = workloads.into_iter().flat_map(|k| cx.index.in_namespace(k, ns)).find(|o| {
        let labels = o.pod_template().map(|t| &t.metadata.labels);
        !s.spec.selector.is_empty() && labels.is_some_and(|l| has_all(l, &s.spec.selector))
    });
    Behind::Empty(meant.map(|o| {
        let wanted = match &**o {
            Object::Deployment(d) => d.spec.replicas.unwrap_or(1),
            Object::StatefulSet(s) => s.spec.replicas.unwrap_or(1),
            _ => 1,
        };
        (o.reference(), wanted)
    }))
}

/// A webhook that cannot be called, which refuses whatever it is asked about.
pub(super) fn unreachable(cx: &Context<'_>, owner: &Owner, name: &str, why: &str) -> Told {
    static CALLED: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"https?://([a-z0-9-]+)\.([a-z0-9-]+)\.svc\b").ok());
    let found = configured(cx, name);
    let called = CALLED.as_ref().and_then(|r| r.captures(why));
    let service = found
        .as_ref()
        .and_then(|(_, w)| w.client_config.service.as_ref().map(|s| s.reference()))
        .or_else(|| called.map(|m| ObjectRef::missing(Kind::Service, Some(&m[2]), &m[1])));
    let fallback = ObjectRef::missing(Kind::ValidatingWebhookConfiguration, None, name);
    let configuration = found.as_ref().map_or(fallback, |(c, _)| c.clone());
    let state = service.as_ref().map_or(Behind::There, |s| behind(cx, s));
    let (entity, field, state_said) = match (&state, &service) {
        (Behind::Missing, Some(s)) => (
            s.clone(),
            None,
            format!(
                "its Service {} does not exist (not found) in namespace {}",
                s.name,
                s.namespace.as_deref().unwrap_or("")
            ),
        ),
        (Behind::Empty(Some((workload, 0))), Some(s)) => (
            workload.clone(),
            Some("spec.replicas".to_owned()),
            format!(
                "its Service {} has no endpoints, because {workload} in {} is scaled to zero",
                s.name,
                s.namespace.as_deref().unwrap_or("")
            ),
        ),
        (Behind::Empty(workload), Some(s)) => {
            let of =
                workload.as_ref().map(|(w, n)| format!(": no pod of {w} ({n} wanted) is ready")).unwrap_or_default();
            let real = cx.index.resolve(s).map_or_else(|| s.clone(), |o| o.reference());
            (
                real,
                None,
                format!(
                    "its Service {} in {} has no ready endpoints{of}",
                    s.name,
                    s.namespace.as_deref().unwrap_or("")
                ),
            )
        }
        _ => (configuration.clone(), Some(format!("webhooks[{name}].clientConfig")), kind_of(why).to_owned()),
    };
    let proven = found.is_some() && !matches!(state, Behind::There);
    let certificate = why.contains("x509");
    let policy = match &found {
        Some((_, w)) if w.fails_closed() => {
            " Its failurePolicy is Fail, so every request it is asked about is refused."
        }
        Some(_) => "",
        None => " Requests it is asked about are refused (failurePolicy Fail).",
    };
    let of = found.as_ref().map(|(c, _)| format!(" of {c}")).unwrap_or_default();
    let mut c = cause(
        "webhook-unreachable",
        if proven || (certificate && found.is_some()) { Confidence::Established } else { Confidence::Likely },
        entity.clone(),
        format!(
            "Admission webhook {name}{of} cannot be called: {state_said}.{policy} It says: {}",
            words::clip(why.trim_start_matches("failed to call webhook: "), 240)
        ),
    );
    c.signs.pro = 2;
    c.field = field;
    c.referrer = Some(if entity.same_name(&configuration) { owner.subject.clone() } else { configuration.clone() });
    c.needs.push("whether the API server can reach the webhook's Service".into());
    let mut steps = vec![action(
        ActionKind::FixWebhook,
        &configuration,
        "it must answer, or let requests pass (failurePolicy Ignore)",
        "what it guards against may be let in",
        &format!("patch {}s", configuration.kind.to_lowercase()),
        format!("kubectl edit {}", configuration.kubectl()),
    )];
    if let Behind::Empty(Some((workload, 0))) = &state {
        steps.insert(
            0,
            action(
                ActionKind::Scale,
                workload,
                "the webhook's pods must run",
                "none",
                "patch deployments/scale",
                format!("kubectl scale {}{} --replicas=1", workload.kubectl(), ns_flag(workload)),
            ),
        );
    }
    let mut told: Told = (c, steps).into();
    if let Some((reference, w)) = &found {
        told.evidence.push(object_evidence(
            EvidenceKind::Object,
            reference.clone(),
            name,
            format!("{reference} has the webhook {name}"),
            &[
                ("webhook", name.to_owned()),
                ("failurePolicy", w.failure_policy.clone().unwrap_or_else(|| "Fail".to_owned())),
                ("service", service.as_ref().map(ObjectRef::key).unwrap_or_default()),
                ("url", w.client_config.url.clone().unwrap_or_default()),
                ("timeoutSeconds", w.timeout_seconds.unwrap_or(10).to_string()),
            ],
            Now::STAMP,
        ));
    }
    told
}

/// What the call failed of, in words.
fn kind_of(why: &str) -> &'static str {
    // The API server writes how long it waits into every address it calls.
    let why = why.replace("?timeout=", "?wait=");
    let has = |words: &[&str]| words.iter().any(|w| why.contains(w));
    if has(&["x509"]) {
        "its certificate is not trusted (x509: caBundle and the serving certificate do not fit, or it has expired)"
    } else if has(&["connection refused"]) {
        "nothing listens where it is called (connection refused)"
    } else if has(&["no endpoints available"]) {
        "its Service has no endpoints"
    } else if has(&["no such host"]) {
        "its host does not resolve (no such host)"
    } else if has(&["no route to host", "network is unreachable"]) {
        "there is no way to its host (no route to host)"
    } else if has(&["not found"]) {
        "what it calls is not found"
    } else if has(&["deadline exceeded", "timeout", "Timeout"]) {
        "it does not answer in time (timeout)"
    } else {
        "the call fails"
    }
}
