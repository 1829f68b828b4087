//! Whether silence means that all is well: only where somebody looked.

use crate::{
    correlate::Diagnosis,
    incident::{FindingRecord, Incident},
    index::{Index, Reading},
    object::{Kind, Object, ObjectRef},
};

/// True when everything the incident is about could be looked at now, nothing of it is still seen, and nothing waits
/// to be ready again.
pub(super) fn is_well(index: &Index, diagnosis: &Diagnosis, incident: &Incident) -> bool {
    incident.findings.iter().all(|f| is_seen(index, &f.object))
        && !incident.findings.iter().any(|f| f.active && is_waiting(diagnosis, incident, f))
        && !is_short(index, &incident.subject)
}

fn is_waiting(diagnosis: &Diagnosis, incident: &Incident, finding: &FindingRecord) -> bool {
    let joins_only = diagnosis.waiting.get(&finding.fingerprint);
    joins_only.is_some_and(|joins_only| !joins_only || finding.object.same_name(&incident.subject))
}

fn is_seen(index: &Index, object: &ObjectRef) -> bool {
    let Some(kind) = Kind::of(&object.api_version, &object.kind) else { return true };
    if kind == Kind::CustomResource && !index.sees_extension(object) {
        return false;
    }
    let mut places = index.readings().filter(|((k, ns), _)| *k == kind && (ns.is_none() || *ns == object.namespace));
    places.any(|(_, reading)| *reading == Reading::Complete)
}

/// A workload that still has fewer ready pods than it wants: its old pods are gone, its new ones are not there yet.
fn is_short(index: &Index, subject: &ObjectRef) -> bool {
    let wanted = match index.resolve(subject).map(|o| &**o) {
        Some(Object::Deployment(d)) => d.spec.replicas.unwrap_or(1),
        Some(Object::StatefulSet(s)) => s.spec.replicas.unwrap_or(1),
        _ => return false,
    };
    let Some(uid) = subject.uid.as_deref() else { return false };
    let ready = index.pods_of(uid).into_iter().filter(|p| p.ready() && !p.metadata.deleting()).count();
    i32::try_from(ready).unwrap_or(i32::MAX) < wanted
}
