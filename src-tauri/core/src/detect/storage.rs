//! Claims that are not bound.

use super::{
    Context, Hold, Rule,
    context::{action, cause, edit, event_evidence, finding, hold, ns_flag, object_evidence},
};
use crate::{
    evidence::EvidenceKind,
    finding::CauseDraft,
    object::{Kind, Object, ObjectRef, PersistentVolumeClaim, StorageClass},
    remediation::{ActionDraft, ActionKind},
    severity::{Confidence, Severity},
    words,
};

/// The rules of this family.
pub const RULES: &[Rule] = &[Rule {
    id: "claim-pending",
    means: "A PersistentVolumeClaim gets no volume.",
    source: "kubernetes.io/docs/concepts/storage/persistent-volumes; events ProvisioningFailed, FailedBinding",
    reads: &[Kind::PersistentVolumeClaim, Kind::StorageClass],
    holds: &[
        Hold::Exactly(PROVEN, "when it is proven that nothing can serve the claim"),
        Hold::Exactly(UNPROVEN, "otherwise: a provisioner may take its time"),
    ],
    severities: &[(Severity::Medium, "always")],
    limits: &[
        "A claim whose class waits for its first consumer, while no pod that uses it has been scheduled and nothing failed.",
    ],
    threshold: None,
    advises: &[ActionKind::CreateClaim, ActionKind::SetStorageClass],
}];

/// Hold times in seconds.
const PROVEN: i64 = 10;
const UNPROVEN: i64 = 45;

/// Looks at every claim.
pub fn all(cx: &mut Context<'_>) {
    let claims: Vec<PersistentVolumeClaim> = cx
        .index
        .all(Kind::PersistentVolumeClaim)
        .filter_map(|o| match &**o {
            Object::PersistentVolumeClaim(c)
                if c.status.phase.as_deref() != Some("Bound") && !c.metadata.deleting() =>
            {
                Some(c.clone())
            }
            _ => None,
        })
        .collect();
    for claim in claims {
        pending(cx, &claim);
    }
}

fn pending(cx: &mut Context<'_>, claim: &PersistentVolumeClaim) {
    let me = Object::PersistentVolumeClaim(claim.clone()).reference();
    let lost = claim.status.phase.as_deref() == Some("Lost");
    let class = class_of(cx, claim);
    // A class that waits for the first consumer is silent while there is none.
    let waits = class.as_ref().is_some_and(|c| c.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer"));
    let users = users(cx, claim);
    let events = cx.index.events_of(&me);
    let failing = events
        .iter()
        .rev()
        .find(|e| e.is_warning() && matches!(e.reason(), "ProvisioningFailed" | "FailedBinding" | "VolumeMismatch"));
    if waits && failing.is_none() && !users.iter().any(|(_, scheduled)| *scheduled) {
        return;
    }
    let subject = users.first().map_or_else(|| me.clone(), |(owner, _)| owner.clone());
    // A class that was taken away later is when the trouble began, not the day the claim was made.
    let class_changed = cx
        .index
        .changes()
        .filter(|c| c.object.kind == "StorageClass" && Some(&c.object.name) == claim.spec.storage_class_name.as_ref())
        .map(|c| c.at)
        .max();
    let started = claim.metadata.creation_timestamp.max(class_changed).unwrap_or(cx.now);
    let mut f = finding("claim-pending", me.clone(), &subject, Severity::Medium, started);
    f.headline = format!("waits for PersistentVolumeClaim {}", me.name);
    if subject.same_name(&me) {
        f.headline = if lost { "lost its volume".into() } else { "gets no volume".into() };
    }
    f.started_basis = "claim created".into();
    f.message = format!("PersistentVolumeClaim {} is {}", me.name, claim.status.phase.as_deref().unwrap_or("Pending"));
    // A dynamic provisioner may take its time; a claim nothing can serve is said soon.
    let (mut c, steps) = why_pending(cx, claim);
    f.hold = if c.confidence == Confidence::Established { hold(PROVEN) } else { hold(UNPROVEN) };
    let size = claim.spec.resources.requests.get("storage").map(ToString::to_string).unwrap_or_default();
    let item = object_evidence(
        EvidenceKind::Object,
        me.clone(),
        "claim",
        format!("PersistentVolumeClaim {} is {}", me.name, claim.status.phase.as_deref().unwrap_or("Pending")),
        &[
            ("phase", claim.status.phase.clone().unwrap_or_default()),
            ("storageClassName", claim.spec.storage_class_name.clone().unwrap_or_else(|| "(default)".into())),
            ("storage", size),
            ("accessModes", claim.spec.access_modes.join(", ")),
            ("volumeName", claim.spec.volume_name.clone().unwrap_or_default()),
        ],
        started,
    );
    c.evidence.push(item.key.clone());
    f.evidence.push(item);
    if let Some(e) = failing.or_else(|| events.last()) {
        let item = event_evidence(e, cx.now);
        c.evidence.push(item.key.clone());
        f.evidence.push(item);
    }
    c.referrer = users.first().map(|(o, _)| o.clone());
    f.causes.push(c);
    f.actions.extend(steps);
    cx.report(f);
}

fn class_of(cx: &Context<'_>, claim: &PersistentVolumeClaim) -> Option<StorageClass> {
    let name = claim.spec.storage_class_name.as_deref().filter(|n| !n.is_empty());
    let found = match name {
        Some(name) => cx.index.get(Kind::StorageClass, None, name).cloned(),
        None if claim.spec.storage_class_name.is_none() => cx
            .index
            .all(Kind::StorageClass)
            .find(|o| matches!(&***o, Object::StorageClass(c) if c.is_default()))
            .cloned(),
        None => None,
    };
    match found.as_deref() {
        Some(Object::StorageClass(c)) => Some(c.clone()),
        _ => None,
    }
}

/// The workloads that mount a claim, and whether one of their pods waits for it now.
fn users(cx: &Context<'_>, claim: &PersistentVolumeClaim) -> Vec<(ObjectRef, bool)> {
    let mut out: Vec<(ObjectRef, bool)> = Vec::new();
    let ns = claim.metadata.namespace.as_deref().unwrap_or("");
    for o in cx.index.in_namespace(Kind::Pod, ns) {
        let Object::Pod(pod) = &**o else { continue };
        if pod.spec.claims().any(|(c, _)| c == claim.metadata.name) && !pod.finished() {
            let owner = cx.owner(pod).subject;
            if !out.iter().any(|(o, _)| o.same_name(&owner)) {
                out.push((owner, true));
            }
        }
    }
    out
}

/// Why a claim has no volume, as far as the objects say.
pub(super) fn why_pending(cx: &Context<'_>, claim: &PersistentVolumeClaim) -> (CauseDraft, Vec<ActionDraft>) {
    let me = Object::PersistentVolumeClaim(claim.clone()).reference();
    let name = &me.name;
    let size = claim.spec.resources.requests.get("storage").map(ToString::to_string).unwrap_or_default();
    let classes: Vec<String> = cx.index.all(Kind::StorageClass).map(|o| o.meta().name.clone()).collect();
    let known = cx.index.knows(Kind::StorageClass, None);
    let have = if classes.is_empty() {
        "the cluster has no StorageClass".to_owned()
    } else {
        format!("the cluster has {}", words::list(&classes, 4))
    };
    let recreate = action(
        ActionKind::SetStorageClass,
        &me,
        "a claim's class cannot be changed: make it anew with one that exists",
        "the claim is empty, nothing is lost",
        "create persistentvolumeclaims",
        format!("kubectl get pvc {name}{} -o yaml > claim.yaml", ns_flag(&me)),
    );
    let events = cx.index.events_of(&me);
    let said = events
        .iter()
        .rev()
        .find(|e| e.is_warning())
        .or(events.last())
        .map(|e| words::clip(e.message(), 240))
        .unwrap_or_default();
    match claim.spec.storage_class_name.as_deref() {
        Some(class) if !class.is_empty() => {
            if known && !classes.iter().any(|c| c == class) {
                let volumes = cx.index.all(Kind::PersistentVolume).any(|o| matches!(&**o, Object::PersistentVolume(v) if v.spec.storage_class_name.as_deref() == Some(class)));
                if !volumes {
                    let entity = me.clone();
                    let mut c = cause(
                        "storage-class-missing",
                        Confidence::Established,
                        entity,
                        format!(
                            "PersistentVolumeClaim {name} asks for StorageClass {class}, which does not exist (not found); {have}."
                        ),
                    );
                    c.field = Some("spec.storageClassName".into());
                    return (c, vec![recreate]);
                }
            }
            let volumes: Vec<String> = cx
                .index
                .all(Kind::PersistentVolume)
                .filter_map(|o| match &**o {
                    Object::PersistentVolume(v) if v.spec.storage_class_name.as_deref() == Some(class) => {
                        Some(v.metadata.name.clone())
                    }
                    _ => None,
                })
                .collect();
            let mut c = cause(
                "volume-not-provisioned",
                if said.is_empty() { Confidence::Possible } else { Confidence::Likely },
                me.clone(),
                format!(
                    "No volume of class {class} fits PersistentVolumeClaim {name} ({size}, {}){}.{}",
                    claim.spec.access_modes.join(", "),
                    if volumes.is_empty() {
                        String::new()
                    } else {
                        format!("; volumes of the class: {}", words::list(&volumes, 4))
                    },
                    if said.is_empty() { String::new() } else { format!(" The cluster says: {said}") }
                ),
            );
            c.signs.pro = 2;
            c.needs.push("the provisioner's log".into());
            (c, vec![edit(ActionKind::CreateClaim, &me, "a volume must match its class, size and access modes")])
        }
        Some(_) | None => {
            let default = class_of(cx, claim);
            if claim.spec.storage_class_name.is_none() && default.is_none() && known {
                let mut c = cause(
                    "no-default-storage-class",
                    Confidence::Established,
                    me.clone(),
                    format!(
                        "PersistentVolumeClaim {name} ({size}) names no StorageClass and the cluster has no default one (no storage class is set); {have}."
                    ),
                );
                c.field = Some("spec.storageClassName".into());
                return (c, vec![recreate]);
            }
            let mut c = cause(
                "no-volume-fits",
                Confidence::Likely,
                me.clone(),
                format!(
                    "No persistent volume is available for PersistentVolumeClaim {name} ({size}, {}) and no storage class is set.{}",
                    claim.spec.access_modes.join(", "),
                    if said.is_empty() { String::new() } else { format!(" The cluster says: {said}") }
                ),
            );
            c.signs.pro = 2;
            (c, vec![recreate])
        }
    }
}
