//! Claims that are to go while they are used, and volumes that could not be reclaimed.

use super::super::context::{action, cause, finding, hold, ns_flag, object_evidence};
use super::{Context, GOING, SAID, claim_ref, pods_with};
use crate::{
    evidence::EvidenceKind,
    object::{Object, PersistentVolume, PersistentVolumeClaim, Pod},
    remediation::ActionKind,
    severity::{Confidence, Severity},
    words,
};

/// A claim that is to go and is still used.
pub(super) fn going(cx: &mut Context<'_>, claim: &PersistentVolumeClaim) {
    let Some(since) = claim.metadata.deletion_timestamp else { return };
    if !claim.metadata.finalizers.iter().any(|f| f == "kubernetes.io/pvc-protection") {
        return;
    }
    let used: Vec<&Pod> =
        pods_with(cx, claim).into_iter().filter(|p| p.spec.node_name.is_some() && !p.metadata.deleting()).collect();
    let Some(first) = used.first() else { return };
    let me = claim_ref(claim);
    let owner = cx.owner(first).subject;
    let mut f = finding("claim-terminating", me.clone(), &owner, Severity::Medium, since);
    f.headline = format!("uses PersistentVolumeClaim {}, which is being deleted", me.name);
    f.started_basis = "deletion of the claim".into();
    f.hold = hold(GOING);
    let pods: Vec<String> = used.iter().map(|p| p.metadata.name.clone()).collect();
    f.message = format!("PersistentVolumeClaim {} is Terminating and still used by {}", me.name, words::list(&pods, 3));
    let item = object_evidence(
        EvidenceKind::Object,
        me.clone(),
        "deletion",
        format!("PersistentVolumeClaim {} is Terminating", me.name),
        &[
            ("deletionTimestamp", since.to_string()),
            ("finalizers", claim.metadata.finalizers.join(", ")),
            ("used by", pods.join(", ")),
        ],
        since,
    );
    let mut c = cause(
        "claim-in-use",
        Confidence::Established,
        me.clone(),
        format!(
            "PersistentVolumeClaim {} was deleted while pod {} of {owner} uses it: the finalizer kubernetes.io/pvc-protection keeps it Terminating until that pod ends; then the claim is gone and no new pod can start with it.",
            me.name,
            words::list(&pods, 3)
        ),
    );
    c.field = Some("metadata.deletionTimestamp".into());
    c.referrer = Some(owner);
    c.evidence.push(item.key.clone());
    f.evidence.push(item);
    f.causes.push(c);
    f.actions.push(action(
        ActionKind::ManualCheck,
        &me,
        "save what it holds before its pod ends; a deletion cannot be taken back",
        "reads only",
        "get persistentvolumeclaims",
        format!("kubectl describe pvc {}{}", me.name, ns_flag(&me)),
    ));
    cx.report(f);
}

/// A volume that nobody uses and that could not be deleted or recycled.
pub(super) fn failed(cx: &mut Context<'_>, volume: &PersistentVolume) {
    let me = Object::PersistentVolume(volume.clone()).reference();
    let events = cx.index.events_of(&me);
    let event = events.iter().rev().find(|e| e.is_warning());
    let since = event.and_then(|e| e.first_seen()).or(volume.metadata.creation_timestamp).unwrap_or(cx.now);
    let said = volume.status.message.as_deref().or(event.map(|e| e.message())).unwrap_or("no reason is given");
    let policy = volume.spec.persistent_volume_reclaim_policy.as_deref().unwrap_or("Delete");
    let claim = volume.spec.claim_ref.as_ref().map(|c| format!("{}/{}", c.namespace.as_deref().unwrap_or(""), c.name));
    let mut f = finding("volume-failed", me.clone(), &me, Severity::Low, since);
    f.headline = "could not be reclaimed".into();
    f.started_basis = "first failed reclaim".into();
    f.hold = hold(SAID);
    f.message = format!("PersistentVolume {} is Failed: {}", me.name, words::clip(said, 240));
    let item = object_evidence(
        EvidenceKind::Object,
        me.clone(),
        "phase",
        format!("PersistentVolume {} is Failed", me.name),
        &[
            ("phase", "Failed".into()),
            ("reason", volume.status.reason.clone().unwrap_or_default()),
            ("message", said.to_owned()),
            ("persistentVolumeReclaimPolicy", policy.to_owned()),
            ("claim", claim.clone().unwrap_or_default()),
        ],
        since,
    );
    let mut c = cause(
        "volume-not-reclaimed",
        Confidence::Likely,
        me.clone(),
        format!(
            "PersistentVolume {} (reclaim policy {policy}, last used by claim {}) is Failed: {}.",
            me.name,
            claim.as_deref().unwrap_or("none"),
            words::clip(said, 260)
        ),
    );
    c.signs.pro = 2;
    c.evidence.push(item.key.clone());
    f.evidence.push(item);
    f.causes.push(c);
    f.actions.push(action(
        ActionKind::ManualCheck,
        &me,
        "what keeps the volume from being reclaimed",
        "reads only",
        "get persistentvolumes",
        format!("kubectl describe pv {}", me.name),
    ));
    cx.report(f);
}
