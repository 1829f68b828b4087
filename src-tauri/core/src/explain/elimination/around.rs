//! What lies around a fault and is well: the cluster's DNS, what the workload calls, its quota, its other pods, and the
//! hour before. Each is told only where it could have been the cause.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{leave_open, rule_out};
use crate::{
    correlate::{Fault, cascade, route::Routes},
    detect::context::{evidence, object_evidence},
    evidence::EvidenceKind,
    finding::Finding,
    index::Index,
    object::{Kind, Object, ObjectRef, Pod, Service},
    severity::Confidence,
    words,
};

/// How long before the start nothing may have changed for it to be told.
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// Watching takes a while to begin.
const BEGIN: SignedDuration = SignedDuration::from_mins(1);

pub(super) fn explain(routes: &Routes<'_>, now: Timestamp, fault: &mut Fault) {
    let index = routes.index;
    dns(routes, now, fault);
    dependencies(routes, now, fault);
    quota(index, now, fault);
    siblings(index, now, fault);
    unchanged(index, fault);
}

/// Names are resolved: where a lookup fails, the cluster's DNS comes to mind first.
fn dns(routes: &Routes<'_>, now: Timestamp, fault: &mut Fault) {
    if !fault.findings.iter().any(cascade::looks_up) {
        return;
    }
    let services = routes.dns();
    let Some(service) = services.first().filter(|_| routes.index.knows(Kind::EndpointSlice, Some("kube-system")))
    else {
        leave_open(fault, "The cluster's DNS: it cannot be seen whether it answers".into());
        return;
    };
    let ready = ready_endpoints(routes.index, service);
    if ready == 0 {
        return;
    }
    let reference = service.reference();
    let item = object_evidence(
        EvidenceKind::Object,
        reference.clone(),
        "endpoints",
        format!("{reference} has {}", words::count(ready, "ready endpoint")),
        &[("ready endpoints", ready.to_string())],
        now,
    );
    let text = format!("The cluster's DNS: {reference} has {}", words::count(ready, "ready endpoint"));
    rule_out(fault, text, item);
}

fn ready_endpoints(index: &Index, service: &Service) -> usize {
    let namespace = service.metadata.namespace.as_deref().unwrap_or("");
    index
        .slices_of(namespace, &service.metadata.name)
        .flat_map(|s| &s.endpoints)
        .filter(|e| e.conditions.ready.unwrap_or(true) && !e.addresses.is_empty())
        .count()
}

/// What the workload calls runs, is ready, and never ended.
fn dependencies(routes: &Routes<'_>, now: Timestamp, fault: &mut Fault) {
    let failing: BTreeSet<String> = fault
        .findings
        .iter()
        .map(|f| &f.subject)
        .chain(fault.causes.iter().map(|c| &c.entity))
        .map(ObjectRef::key)
        .collect();
    let mut found: BTreeMap<String, (&Service, ObjectRef)> = BTreeMap::new();
    for finding in &fault.findings {
        for service in cascade::called(routes, finding) {
            for workload in routes.behind(service).iter() {
                if !failing.contains(&workload.key()) {
                    found.insert(workload.key(), (service, workload.clone()));
                }
            }
        }
    }
    for (service, workload) in found.into_values().take(3) {
        // What was changed just before is not well for being ready.
        if fault.changes.iter().any(|(c, suspect)| *suspect && c.object.same_name(&workload)) {
            continue;
        }
        let pods = workload.uid.as_deref().map(|uid| routes.index.pods_of(uid)).unwrap_or_default();
        let pods: Vec<&Pod> = pods.into_iter().filter(|p| !p.finished() && !p.metadata.deleting()).collect();
        // What nobody asks is ready whatever it does.
        let asked = |p: &Pod| p.spec.containers.iter().any(|c| c.readiness_probe.is_some());
        let steady =
            |p: &&Pod| p.ready() && asked(p) && p.status.container_statuses.iter().all(|s| s.restart_count == 0);
        if pods.is_empty() || !pods.iter().all(steady) {
            continue;
        }
        let lines: Vec<(&str, String)> =
            pods.iter().take(10).map(|p| (p.metadata.name.as_str(), "ready, 0 restarts".to_owned())).collect();
        let item = object_evidence(
            EvidenceKind::Object,
            workload.clone(),
            "steady",
            format!("Every pod of {workload} is ready and was never restarted"),
            &lines,
            now,
        );
        let text = format!(
            "{workload}, which it calls as {}: {} ready and not restarted",
            service.metadata.name,
            match pods.len() {
                1 => "its only pod is".to_owned(),
                n => format!("all {n} pods are"),
            }
        );
        rule_out(fault, text, item);
    }
}

/// The namespace has room: where pods do not come, a quota may be why.
fn quota(index: &Index, now: Timestamp, fault: &mut Fault) {
    let missing =
        |f: &Finding| matches!(f.rule_id.as_str(), "pod-unschedulable" | "pods-not-created" | "deployment-stuck");
    let blamed = fault.causes.iter().any(|c| c.entity.kind == "ResourceQuota" || c.rule_id.contains("quota"));
    let Some(ns) = fault.subject.namespace.clone().filter(|_| fault.findings.iter().any(missing) && !blamed) else {
        return;
    };
    if !index.knows(Kind::ResourceQuota, Some(&ns)) {
        return;
    }
    let quotas: Vec<ObjectRef> = index.in_namespace(Kind::ResourceQuota, &ns).map(|o| o.reference()).collect();
    for reference in quotas.into_iter().take(3) {
        let Some(Object::ResourceQuota(q)) = index.resolve(&reference).map(|o| &**o) else { continue };
        let mut lines = Vec::new();
        let mut near = q.status.hard.is_empty();
        for (resource, hard) in &q.status.hard {
            let used = q.status.used.get(resource);
            let (Some(limit), Some(taken)) = (hard.milli(), used.and_then(|u| u.milli())) else { continue };
            near |= taken * 10 >= limit * 9;
            lines.push((resource.as_str(), format!("{} of {hard}", used.map_or("0".to_owned(), ToString::to_string))));
        }
        if near || lines.is_empty() {
            continue;
        }
        let told: Vec<String> = lines.iter().map(|(k, v)| format!("{k} {v}")).collect();
        let text = format!("A used-up quota: {reference} has room ({})", words::list(&told, 4));
        let summary = format!("{reference} has room");
        let item = object_evidence(EvidenceKind::Object, reference, "quota", summary, &lines, now);
        rule_out(fault, text, item);
    }
}

/// Others of the same template run well: where the cause is not known, it is not what they all have in common.
fn siblings(index: &Index, now: Timestamp, fault: &mut Fault) {
    let open = fault.causes.first().is_none_or(|c| c.confidence <= Confidence::Possible);
    if !open {
        return;
    }
    let revision = |p: &Pod| {
        let labels = &p.metadata.labels;
        labels.get("pod-template-hash").or(labels.get("controller-revision-hash")).cloned()
    };
    let failing: BTreeSet<String> =
        fault.findings.iter().filter(|f| f.object.kind == "Pod").map(|f| f.object.key()).collect();
    let ill = fault.findings.iter().find_map(|f| match index.resolve(&f.object).map(|o| &**o) {
        Some(Object::Pod(p)) if f.subject.same_name(&fault.subject) => Some(p),
        _ => None,
    });
    let (Some(ill), Some(uid)) = (ill, fault.subject.uid.clone()) else { return };
    let Some(mine) = revision(ill) else { return };
    let well: Vec<&Pod> = index
        .pods_of(&uid)
        .into_iter()
        .filter(|p| p.ready() && !p.metadata.deleting() && revision(p).as_ref() == Some(&mine))
        .filter(|p| !failing.contains(&p.reference().key()))
        .collect();
    if well.is_empty() {
        return;
    }
    let images: Vec<String> = ill.spec.containers.iter().map(|c| c.image.clone()).collect();
    let lines: Vec<(&str, String)> =
        well.iter().take(10).map(|p| (p.metadata.name.as_str(), "ready".to_owned())).collect();
    let item = object_evidence(
        EvidenceKind::Object,
        fault.subject.clone(),
        "siblings",
        format!("Other pods of {} with the same template are ready", fault.subject),
        &lines,
        now,
    );
    let text = format!(
        "The image {} and the settings: {} of the same template {} ready",
        words::list(&images, 2),
        words::count(well.len(), "other pod"),
        if well.len() == 1 { "is" } else { "are" }
    );
    rule_out(fault, text, item);
}

/// Nothing it hangs on was changed in the hour before, so far as that was watched.
fn unchanged(index: &Index, fault: &mut Fault) {
    if !fault.changes.is_empty() {
        return;
    }
    let before = fault.started_at.saturating_sub(HOUR).unwrap_or(Timestamp::MIN);
    let kinds = [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::ConfigMap, Kind::Secret, Kind::Service];
    let since =
        kinds.iter().map(|k| index.watched_since(*k)).try_fold(Timestamp::MIN, |latest, s| Some(latest.max(s?)));
    let watched = since.is_some_and(|s| s <= before.saturating_add(BEGIN).unwrap_or(before));
    let span = format!("{} and {}", before.strftime("%H:%M:%S"), fault.started_at.strftime("%H:%M:%S UTC"));
    if !watched {
        leave_open(
            fault,
            "A change in the hour before: it was not watched for so long, so that none can be ruled out".into(),
        );
        return;
    }
    let item = evidence(
        EvidenceKind::Coverage,
        format!("unchanged|{}", fault.subject.key()),
        fault.started_at,
        fault.subject.clone(),
        format!("No change of {} or of what it refers to was recorded between {span}", fault.subject),
        kinds.iter().map(|k| format!("{k}: watched without a gap")).collect::<Vec<_>>().join("\n"),
    );
    rule_out(fault, "A change: nothing that it hangs on was changed in the hour before".into(), item);
}
