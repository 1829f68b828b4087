//! Claims that get no volume, cannot grow or cannot go; volumes that failed.

mod fit;
mod grow;
mod over;
mod provision;

use jiff::SignedDuration;

use super::{
    Context, Hold, Rule,
    context::{cause, event_evidence, finding, hold, object_evidence},
    placement,
};
use crate::{
    evidence::EvidenceKind,
    finding::CauseDraft,
    object::{Kind, KubeEvent, Object, ObjectRef, PersistentVolumeClaim, Pod, StorageClass},
    remediation::{ActionDraft, ActionKind},
    severity::{Confidence, Severity},
    words,
};

pub(super) use fit::{lost, why_unbound};

/// The rules of this family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "claim-pending",
        means: "A PersistentVolumeClaim gets no volume.",
        source: "kubernetes.io/docs/concepts/storage/persistent-volumes; events ProvisioningFailed, FailedBinding",
        reads: &[Kind::PersistentVolumeClaim, Kind::StorageClass, Kind::PersistentVolume],
        holds: &[
            Hold::Exactly(PROVEN, "when it is proven that nothing can serve the claim"),
            Hold::Exactly(SAID, "when a provisioner or the binder says that it failed, or no such provisioner is seen"),
            Hold::Exactly(UNPROVEN, "otherwise: a provisioner may take its time"),
            Hold::Exactly(SLOW, "when the provisioner is seen to run"),
        ],
        severities: &[(Severity::Medium, "always")],
        limits: &[
            "A claim whose class waits for its first consumer, while no node was chosen for a pod of it and nothing failed.",
            "A claim of the last ten seconds, unless it is proven that nothing can serve it.",
        ],
        threshold: None,
        advises: &[
            ActionKind::CreateClaim,
            ActionKind::SetStorageClass,
            ActionKind::Patch,
            ActionKind::Scale,
            ActionKind::ManualCheck,
        ],
    },
    Rule {
        id: "claim-not-resized",
        means: "A PersistentVolumeClaim does not get the size that was asked for.",
        source: "kubernetes.io/docs/concepts/storage/persistent-volumes#expanding-persistent-volumes-claims",
        reads: &[Kind::PersistentVolumeClaim, Kind::StorageClass],
        holds: &[
            Hold::Exactly(SAID, "when it is proven or said that it failed"),
            Hold::Exactly(SLOW, "while it waits: for a resizer, or for a pod to start again"),
        ],
        severities: &[(Severity::Medium, "when it failed"), (Severity::Low, "while it waits")],
        limits: &["While a change of size is under way and nothing says that it failed."],
        threshold: None,
        advises: &[ActionKind::ExpandClaim, ActionKind::RolloutRestart, ActionKind::Patch],
    },
    Rule {
        id: "volume-failed",
        means: "A PersistentVolume could not be reclaimed.",
        source: "kubernetes.io/docs/concepts/storage/persistent-volumes#phase",
        reads: &[Kind::PersistentVolume],
        holds: &[Hold::Exactly(SAID, "")],
        severities: &[(Severity::Low, "always: no claim uses it any more")],
        limits: &["Volumes that are Released and kept on purpose."],
        threshold: None,
        advises: &[ActionKind::ManualCheck],
    },
];

/// Hold times in seconds.
const PROVEN: i64 = 10;
const SAID: i64 = 15;
const UNPROVEN: i64 = 30;
const SLOW: i64 = 120;
/// Even one look does not call a claim forgotten that is not older than this.
const FRESH: i64 = 10;

/// Looks at every claim and volume.
pub fn all(cx: &mut Context<'_>) {
    let index = cx.index;
    for o in index.all(Kind::PersistentVolumeClaim) {
        let Object::PersistentVolumeClaim(claim) = &**o else { continue };
        if claim.metadata.deleting() {
            continue;
        }
        if claim.status.phase.as_deref() == Some("Bound") {
            grow::bound(cx, claim);
        } else {
            pending(cx, claim);
        }
    }
    for o in index.all(Kind::PersistentVolume) {
        if let Object::PersistentVolume(volume) = &**o
            && volume.status.phase.as_deref() == Some("Failed")
            && !volume.metadata.deleting()
        {
            over::failed(cx, volume);
        }
    }
}

/// Its class binds when a pod is placed, and no node was chosen for one.
pub(super) fn waits_for_pod(cx: &Context<'_>, claim: &PersistentVolumeClaim) -> bool {
    let waits = class_of(cx, claim).is_some_and(|c| c.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer"));
    // One that names its volume, or had one, waits for nobody.
    waits
        && claim.spec.volume_name.as_deref().is_none_or(str::is_empty)
        && !claim.metadata.annotations.contains_key("volume.kubernetes.io/selected-node")
        && complaint(&cx.index.events_of(&claim.reference())).is_none()
}

/// The last word of whoever failed to find or make a volume.
fn complaint<'e>(events: &[&'e KubeEvent]) -> Option<&'e KubeEvent> {
    // The binder's own words are no warning.
    let failed = |e: &&&KubeEvent| {
        e.reason() == "FailedBinding"
            || (e.is_warning()
                && matches!(e.reason(), "ProvisioningFailed" | "VolumeMismatch" | "ClaimMisbound" | "ClaimLost"))
    };
    events.iter().rev().find(failed).copied()
}

fn size(claim: &PersistentVolumeClaim) -> String {
    claim.spec.resources.requests.get("storage").map(ToString::to_string).unwrap_or_default()
}

fn pending(cx: &mut Context<'_>, claim: &PersistentVolumeClaim) {
    let me = claim.reference();
    if waits_for_pod(cx, claim) {
        return;
    }
    let phase = claim.status.phase.as_deref().unwrap_or("Pending");
    let events = cx.index.events_of(&me);
    let failing = complaint(&events);
    let users = users(cx, claim);
    let subject = users.first().cloned().unwrap_or_else(|| me.clone());
    // A class that was taken away later is when the trouble began, not the day the claim was made.
    let class_changed = cx
        .index
        .changes()
        .filter(|c| c.object.is(Kind::StorageClass) && Some(&c.object.name) == claim.spec.storage_class_name.as_ref())
        .map(|c| c.at)
        .max();
    let started = claim.metadata.creation_timestamp.max(class_changed).unwrap_or_else(|| cx.now.get());
    let (mut c, steps) = why_pending(cx, claim);
    let proven = c.confidence == Confidence::Established;
    if cx.options.waive_holds && !proven && cx.now.duration_since(started).as_secs() < FRESH {
        return;
    }
    let mut f = finding("claim-pending", me.clone(), &subject, Severity::Medium, started);
    f.headline = format!("waits for PersistentVolumeClaim {}", me.name);
    if subject.same_name(&me) {
        f.headline = if phase == "Lost" { "lost its volume".into() } else { "gets no volume".into() };
    }
    f.started_basis = "claim created".into();
    f.message = format!("PersistentVolumeClaim {} is {phase}", me.name);
    f.hold = match proven {
        true => hold(PROVEN),
        false => patience(&c),
    };
    let item = object_evidence(
        EvidenceKind::Object,
        me.clone(),
        "claim",
        format!("PersistentVolumeClaim {} is {phase}", me.name),
        &[
            ("phase", claim.status.phase.clone().unwrap_or_default()),
            ("storageClassName", claim.spec.storage_class_name.clone().unwrap_or_else(|| "(default)".into())),
            ("storage", size(claim)),
            ("accessModes", claim.spec.access_modes.join(", ")),
            ("volumeName", claim.spec.volume_name.clone().unwrap_or_default()),
        ],
        started,
    );
    c.evidence.push(item.key.clone());
    f.evidence.push(item);
    if let Some(e) = failing.or_else(|| events.last().copied()) {
        let item = event_evidence(e, cx.now);
        c.evidence.push(item.key.clone());
        f.evidence.push(item);
    }
    if c.referrer.is_none() {
        c.referrer = users.first().cloned();
    }
    f.causes.push(c);
    f.actions.extend(steps);
    cx.report(f);
}

/// How long a claim is given for this cause: a dynamic provisioner may take its time, and what is proven needs none.
pub(super) fn patience(c: &CauseDraft) -> SignedDuration {
    hold(match c.confidence {
        Confidence::Established => 0,
        Confidence::Likely => SAID,
        _ if c.rule_id == "provisioner-slow" => SLOW,
        _ => UNPROVEN,
    })
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

/// The pods that use a claim and have not finished.
fn pods_with<'a>(cx: &Context<'a>, claim: &PersistentVolumeClaim) -> Vec<&'a Pod> {
    let index = cx.index;
    let ns = claim.metadata.namespace.as_deref().unwrap_or("");
    // A namespace without such a pod is looked through once for each claim that is in trouble.
    let all = index.all(Kind::Pod).filter_map(|o| match &**o {
        Object::Pod(p) => Some(p),
        _ => None,
    });
    all.filter(|p| p.metadata.namespace.as_deref() == Some(ns) && !p.finished())
        .filter(|p| p.spec.claims().any(|(c, _)| c == claim.metadata.name))
        .collect()
}

/// The workloads that mount a claim.
fn users(cx: &Context<'_>, claim: &PersistentVolumeClaim) -> Vec<ObjectRef> {
    let mut out: Vec<ObjectRef> = Vec::new();
    for pod in pods_with(cx, claim) {
        let owner = cx.owner(pod).subject;
        if !out.iter().any(|o| o.same_name(&owner)) {
            out.push(owner);
        }
    }
    out
}

/// The pods that have the claim on a node, with their workloads.
pub(super) fn holders(cx: &Context<'_>, claim: &PersistentVolumeClaim) -> Vec<(ObjectRef, ObjectRef)> {
    let placed = pods_with(cx, claim).into_iter().filter(|p| p.spec.node_name.is_some());
    placed.map(|p| (p.reference(), cx.owner(p).subject)).collect()
}

/// The step that makes a claim anew with another class.
fn recreate(claim: &ObjectRef) -> ActionDraft {
    fit::remake(
        ActionKind::SetStorageClass,
        claim,
        "a claim's class cannot be changed: make it anew with one that exists",
    )
}

/// Why a claim has no volume, as far as the objects say.
pub(super) fn why_pending(cx: &Context<'_>, claim: &PersistentVolumeClaim) -> (CauseDraft, Vec<ActionDraft>) {
    let me = claim.reference();
    if claim.status.phase.as_deref() == Some("Lost") {
        return lost(claim, claim.spec.volume_name.as_deref().unwrap_or("?"));
    }
    if claim.spec.volume_name.as_deref().is_some_and(|v| !v.is_empty()) {
        return why_unbound(cx, claim);
    }
    let classes: Vec<String> = cx.index.all(Kind::StorageClass).map(|o| o.meta().name.clone()).collect();
    let known = cx.index.knows(Kind::StorageClass, None);
    let of_class = |class: &str| {
        cx.index.all(Kind::PersistentVolume).any(|o| {
            matches!(&**o, Object::PersistentVolume(v) if v.spec.storage_class_name.as_deref().unwrap_or("") == class)
        })
    };
    if !known && class_of(cx, claim).is_none() {
        let class = claim.spec.storage_class_name.as_deref().unwrap_or("");
        let said = complaint(&cx.index.events_of(&me))
            .map(|e| format!(" The cluster says: {}", words::clip(e.message(), 240)));
        let mut c = cause(
            "volume-not-provisioned",
            if said.is_some() { Confidence::Likely } else { Confidence::Possible },
            me.clone(),
            format!(
                "PersistentVolumeClaim {} ({}, class {class}) gets no volume.{}",
                me.name,
                size(claim),
                said.unwrap_or_default()
            ),
        );
        c.signs.pro = 2;
        c.needs.push("the storage classes of the cluster, which may not be read".into());
        return (c, vec![recreate(&me)]);
    }
    match (claim.spec.storage_class_name.as_deref(), class_of(cx, claim)) {
        (_, Some(class)) if class.provisioner == fit::NO_PROVISIONER => why_unbound(cx, claim),
        (_, Some(class)) => provision::why(cx, claim, &class),
        (Some(class), None) if !class.is_empty() && known && !of_class(class) => {
            (class_missing(cx, claim, class, &classes), vec![recreate(&me)])
        }
        (None, None) if known && !of_class("") => (no_default(claim, &classes), vec![recreate(&me)]),
        _ => why_unbound(cx, claim),
    }
}

fn have(classes: &[String]) -> String {
    match classes {
        [] => "the cluster has no StorageClass".to_owned(),
        some => format!("the cluster has {}", words::list(some, 4)),
    }
}

fn class_missing(cx: &Context<'_>, claim: &PersistentVolumeClaim, class: &str, classes: &[String]) -> CauseDraft {
    let name = &claim.metadata.name;
    let near = placement::nearest(class, classes.iter().map(String::as_str));
    let near = near.map(|n| format!(" Is {n} meant?")).unwrap_or_default();
    let from = template_of(cx, claim);
    let mut c = cause(
        "storage-class-missing",
        Confidence::Established,
        claim.reference(),
        format!(
            "PersistentVolumeClaim {name} asks for StorageClass {class}, which does not exist (not found); {}.{near}{from}",
            have(classes)
        ),
    );
    c.field = Some("spec.storageClassName".into());
    c
}

fn no_default(claim: &PersistentVolumeClaim, classes: &[String]) -> CauseDraft {
    let mut c = cause(
        "no-default-storage-class",
        Confidence::Established,
        claim.reference(),
        format!(
            "PersistentVolumeClaim {} ({}) names no StorageClass and the cluster has no default one (no storage class is set); {}.",
            claim.metadata.name,
            size(claim),
            have(classes)
        ),
    );
    c.field = Some("spec.storageClassName".into());
    c
}

/// The StatefulSet whose template the claim was made from: there it must be put right as well.
fn template_of(cx: &Context<'_>, claim: &PersistentVolumeClaim) -> String {
    let ns = claim.metadata.namespace.as_deref().unwrap_or("");
    let made = cx.index.in_namespace(Kind::StatefulSet, ns).find_map(|o| match &**o {
        Object::StatefulSet(s) => s
            .spec
            .volume_claim_templates
            .iter()
            .find(|t| claim.metadata.name.starts_with(&format!("{}-{}-", t.metadata.name, s.metadata.name)))
            .map(|t| {
                format!(
                    " It is made from volumeClaimTemplates[{}] of StatefulSet {}.",
                    t.metadata.name, s.metadata.name
                )
            }),
        _ => None,
    });
    made.unwrap_or_default()
}
