//! One fault, one incident: what an object's workloads show already, and what misses the Secret it was to make.

use super::{
    lead::{Lead, reference},
    said::is_over as is_over_by,
};
use crate::{
    detect::Context,
    finding::{CauseDraft, Finding},
    index::Index,
    object::{CustomResource, Kind, Object, ObjectRef},
    severity::Severity,
};

/// The subject of a fault that explains why what this object owns or deploys is not well: the worst, of these the
/// first.
pub(super) fn told(cx: &Context<'_>, o: &CustomResource, lead: &Lead<'_>) -> Option<ObjectRef> {
    // What fails before anything is deployed is no symptom of what runs.
    const BEFORE: &[&str] = &["Build", "Artifact", "Git", "Source", "Valid", "Auth", "Prune", "Storage", "Dependency"];
    let own = lead.missing.is_none() && lead.says.metadata.uid == o.metadata.uid;
    let early = BEFORE.iter().any(|word| lead.said.reason.contains(word)) || lead.said.condition.starts_with("sync ");
    if !own || early {
        return None;
    }
    let me = reference(o);
    cx.found()
        .iter()
        .filter(|f| f.hold != Finding::JOINS_ONLY && f.severity >= Severity::Medium && runs(&f.object.kind))
        .filter(|f| below(cx, &f.subject, &me) || below(cx, &f.object, &me))
        .max_by(|a, b| {
            a.severity.cmp(&b.severity).then(b.started_at.cmp(&a.started_at)).then_with(|| b.subject.cmp(&a.subject))
        })
        .map(|f| f.subject.clone())
}

/// The kinds whose trouble is a reason why what deploys them is not well.
fn runs(kind: &str) -> bool {
    matches!(
        kind,
        "Pod"
            | "Deployment"
            | "StatefulSet"
            | "DaemonSet"
            | "ReplicaSet"
            | "Job"
            | "PersistentVolumeClaim"
            | "Service"
            | "Ingress"
    )
}

/// The object is owned or deployed by the other, be it over several steps.
fn below(cx: &Context<'_>, object: &ObjectRef, above: &ObjectRef) -> bool {
    let mut at = object.clone();
    for _ in 0..6 {
        if at.same_name(above) {
            return true;
        }
        let Some(known) = cx.index.resolve(&at) else { return false };
        if cx.index.deploys(above, known.meta()) {
            return true;
        }
        let owners = &known.meta().owner_references;
        let Some(owner) = owners.iter().find(|o| o.controller).or_else(|| owners.first()) else { return false };
        if owner.kind == "Node" {
            return false;
        }
        at = ObjectRef {
            api_version: owner.api_version.clone(),
            kind: owner.kind.clone(),
            namespace: known.meta().namespace.clone(),
            name: owner.name.clone(),
            uid: Some(owner.uid.clone()),
        };
    }
    false
}

/// What misses the Secret that this object is to be made into fails because it is not.
pub(super) fn missed(
    cx: &mut Context<'_>,
    o: &CustomResource,
    because: &CauseDraft,
    item: &[crate::evidence::EvidenceDraft],
) {
    let Some(name) = o.makes_secret() else { return };
    let ns = o.metadata.namespace.as_deref();
    let secret = ObjectRef::missing(Kind::Secret, ns, name);
    if !cx.index.knows(Kind::Secret, ns) || cx.index.get(Kind::Secret, ns, name).is_some() {
        return;
    }
    for f in cx.findings_mut() {
        let names = |c: &CauseDraft| {
            c.entity.same_name(&secret) || c.referrer.as_ref().is_some_and(|r| r.uid.is_none() && r.same_name(&secret))
        };
        if f.causes.first().is_some_and(names) {
            f.causes.insert(0, CauseDraft { referrer: Some(secret.clone()), ..because.clone() });
            f.evidence.extend(item.iter().cloned());
        }
    }
}

/// The highest object of an extension's kind that owns this one: a request belongs to its Certificate.
pub(super) fn top(index: &Index, o: &CustomResource) -> ObjectRef {
    owners(index, o).last().map_or_else(|| reference(o), |top| reference(top))
}

/// An attempt at something that has come about since.
pub(super) fn is_over(index: &Index, o: &CustomResource) -> bool {
    owners(index, o).last().is_some_and(|top| is_over_by(top))
}

/// Its owners of extensions' kinds, the nearest first.
fn owners<'a>(index: &'a Index, o: &'a CustomResource) -> Vec<&'a CustomResource> {
    let mut out: Vec<&CustomResource> = Vec::new();
    let mut at = o;
    for _ in 0..6 {
        let Some(owner) = at.metadata.controller().and_then(|c| index.by_uid(&c.uid)) else { break };
        let Object::CustomResource(above) = &**owner else { break };
        out.push(above);
        at = above;
    }
    out
}
