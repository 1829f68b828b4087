//! Claims that are to go while they are used, and volumes that could not be reclaimed.

use super::super::context::{action, cause, finding, hold, object_evidence};
use super::{Context, SAID};
use crate::{
    evidence::EvidenceKind,
    object::PersistentVolume,
    remediation::ActionKind,
    severity::{Confidence, Severity},
    words,
};

/// A volume that nobody uses and that could not be deleted or recycled.
pub(super) fn failed(cx: &mut Context<'_>, volume: &PersistentVolume) {
    let me = volume.reference();
    let events = cx.index.events_of(&me);
    let event = events.iter().rev().find(|e| e.is_warning());
    let since =
        event.and_then(|e| e.first_seen()).or(volume.metadata.creation_timestamp).unwrap_or_else(|| cx.now.get());
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
