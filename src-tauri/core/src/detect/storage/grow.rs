//! Claims that do not get the size that was asked for.

use super::super::context::{action, cause, edit, event_evidence, finding, hold, ns_flag, object_evidence};
use super::{Context, SAID, SLOW, class_of, size, users};
use crate::{
    evidence::EvidenceKind,
    object::{Condition, Kind, KubeEvent, ObjectRef, PersistentVolumeClaim},
    remediation::ActionKind,
    severity::{Confidence, Severity},
    words,
};

/// Looks at a bound claim that may be growing.
pub(super) fn bound(cx: &mut Context<'_>, claim: &PersistentVolumeClaim) {
    let wanted = claim.spec.resources.requests.get("storage").and_then(|q| q.milli());
    let has = claim.status.capacity.get("storage");
    let (Some(wanted), Some(now)) = (wanted, has.and_then(|q| q.milli())) else { return };
    if wanted <= now {
        return;
    }
    let me = claim.reference();
    let (asked, has) = (size(claim), has.map(ToString::to_string).unwrap_or_default());
    let events = cx.index.events_of(&me);
    let last = |reasons: &[&str]| -> Option<&KubeEvent> {
        events.iter().rev().find(|e| reasons.contains(&e.reason())).copied()
    };
    let failed = last(&["VolumeResizeFailed", "FileSystemResizeFailed"]);
    let waiting = last(&["ExternalExpanding"]);
    let stands = |word: &str| claim.status.allocated_resource_statuses.values().find(|v| v.contains(word));
    let infeasible = stands("Infeasible").or_else(|| stands("Failed"));
    let pending = Condition::find(&claim.status.conditions, "FileSystemResizePending").filter(|c| c.is_true());
    let error = ["ControllerResizeError", "NodeResizeError"]
        .iter()
        .find_map(|n| Condition::find(&claim.status.conditions, n).filter(|c| c.is_true()));
    let class = class_of(cx, claim);
    let users = users(cx, claim);
    let asks = format!("PersistentVolumeClaim {} asks for {asked} and has {has}", me.name);
    let mut steps = Vec::new();
    let (since, held, severity, mut c) = if let Some(class) =
        class.filter(|c| !c.allow_volume_expansion && cx.index.knows(Kind::StorageClass, None))
    {
        let entity = ObjectRef {
            uid: Some(class.metadata.uid.clone()).filter(|u| !u.is_empty()),
            ..ObjectRef::missing(Kind::StorageClass, None, &class.metadata.name)
        };
        let mut c = cause(
            "expansion-not-allowed",
            Confidence::Established,
            entity.clone(),
            format!(
                "{asks}: its StorageClass {} does not allow volumes to grow (allowVolumeExpansion is not true).",
                class.metadata.name
            ),
        );
        c.field = Some("allowVolumeExpansion".into());
        c.referrer = Some(me.clone());
        steps.push(edit(ActionKind::Patch, &entity, "volumes of the class may grow then, where its driver can"));
        (failed.and_then(|e| e.first_seen()), SAID, Severity::Medium, c)
    } else if failed.is_some() || infeasible.is_some() || error.is_some() {
        let said = failed
            .map(|e| e.message().to_owned())
            .or_else(|| error.and_then(|c| c.message.clone()))
            .or_else(|| infeasible.cloned())
            .unwrap_or_default();
        let mut c = cause(
            "resize-failing",
            Confidence::Likely,
            me.clone(),
            format!("{asks}, and growing it fails: {}.", words::clip(&said, 260)),
        );
        c.field = Some("spec.resources.requests.storage".into());
        steps.push(edit(ActionKind::ExpandClaim, &me, "a size that its storage can give"));
        let since = failed.and_then(|e| e.first_seen()).or_else(|| error.and_then(|c| c.last_transition_time));
        (since, SAID, Severity::Medium, c)
    } else if let Some(pending) = pending {
        let mut c = cause(
            "resize-waits-for-restart",
            Confidence::Established,
            me.clone(),
            format!(
                "{asks}: its disk has grown, and its file system grows when a pod that uses it starts again (FileSystemResizePending)."
            ),
        );
        c.field = Some("spec.resources.requests.storage".into());
        if let Some(user) = users.first().filter(|u| u.kind != "Pod") {
            steps.push(action(
                ActionKind::RolloutRestart,
                user,
                "the file system grows when a pod starts",
                "replaces its pods one after another",
                &format!("patch {}s.apps", user.kind.to_lowercase()),
                format!("kubectl rollout restart {}{}", user.kubectl(), ns_flag(user)),
            ));
        }
        (pending.last_transition_time, SLOW, Severity::Low, c)
    } else if let Some(waiting) = waiting {
        let mut c = cause(
            "resizer-missing",
            Confidence::Possible,
            me.clone(),
            format!("{asks}, and waits for a resizer that does not answer: {}.", words::clip(waiting.message(), 240)),
        );
        c.field = Some("spec.resources.requests.storage".into());
        c.needs.push("whether the driver's resizer runs, and its log".into());
        (waiting.first_seen(), SLOW, Severity::Low, c)
    } else {
        return;
    };
    let subject = users.first().cloned().unwrap_or_else(|| me.clone());
    let since = since.or(claim.metadata.creation_timestamp).unwrap_or_else(|| cx.now.get());
    let mut f = finding("claim-not-resized", me.clone(), &subject, severity, since);
    f.headline = format!("has PersistentVolumeClaim {}, which does not grow", me.name);
    if subject.same_name(&me) {
        f.headline = "does not grow".into();
    }
    f.started_basis = "first sign that it does not grow".into();
    f.hold = hold(held);
    f.message.clone_from(&asks);
    let conditions: Vec<String> = claim.status.conditions.iter().map(|c| format!("{}={}", c.kind, c.status)).collect();
    let item = object_evidence(
        EvidenceKind::Object,
        me.clone(),
        "size",
        asks,
        &[("asked", asked), ("has", has), ("conditions", conditions.join(", "))],
        since,
    );
    c.evidence.push(item.key.clone());
    c.signs.pro = 2;
    f.evidence.push(item);
    if let Some(e) = failed.or(waiting) {
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
