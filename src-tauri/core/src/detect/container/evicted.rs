//! Pods that the kubelet evicted.

use std::sync::LazyLock;

use jiff::SignedDuration;
use regex::Regex;

use super::super::{
    Context,
    context::{Owner, cause, edit, evidence, finding, hold},
};
use super::EVICTED;
use crate::{
    evidence::EvidenceKind,
    finding::{CauseDraft, Finding},
    object::{Kind, Pod},
    remediation::ActionKind,
    severity::Confidence,
    words,
};

/// Looks at a pod that is over.
pub fn evicted(cx: &mut Context<'_>, pod: &Pod) {
    if pod.status.phase.as_deref() != Some("Failed") || pod.status.reason.as_deref() != Some("Evicted") {
        return;
    }
    let me = pod.reference();
    let message = pod.status.message.clone().unwrap_or_default();
    let events = cx.index.events_of(&me);
    let event = events.iter().rev().find(|e| e.reason() == "Evicted");
    let at = event.and_then(|e| e.first_seen()).or(pod.status.start_time).unwrap_or_else(|| cx.now.get());
    // An evicted pod lies about until it is collected: it is news for an hour.
    if cx.now.beyond(at, SignedDuration::from_hours(1)) {
        return;
    }
    let owner = cx.owner(pod);
    let replaced = owner.subject.uid.as_deref().is_some_and(|uid| {
        let pods = cx.index.pods_of(uid);
        let ready = pods.iter().filter(|p| p.ready() && !p.metadata.deleting()).count();
        ready > 0 && !pods.iter().any(|p| !p.finished() && !p.ready())
    });
    if replaced && cx.now.beyond(at, SignedDuration::from_mins(2)) {
        return;
    }
    let mut f = finding("pod-evicted", me.clone(), &owner.subject, cx.workload_severity(&owner.subject), at);
    f.headline = "lost a pod to eviction".into();
    f.started_basis = "eviction by the kubelet".into();
    f.message = format!("{} was evicted: {}", me.name, words::clip(&message, 240));
    f.hold = hold(EVICTED);
    let item = evidence(
        EvidenceKind::PodStatus,
        format!("evicted|{}", me.uid.as_deref().unwrap_or(&me.name)),
        at,
        me.clone(),
        format!("{} was evicted: {}", me.name, words::clip(&message, 140)),
        format!(
            "phase: Failed\nreason: Evicted\nnode: {}\nmessage: {message}",
            pod.spec.node_name.as_deref().unwrap_or("")
        ),
    );
    let own = own_fault(&mut f, pod, &owner, &message);
    let mut c = own.unwrap_or_else(|| {
        let node = pod.spec.node_name.clone().unwrap_or_default();
        let entity = cx.index.get(Kind::Node, None, &node).map_or_else(|| owner.subject.clone(), |o| o.reference());
        cause(
            "node-pressure-eviction",
            Confidence::Likely,
            entity,
            format!("Node {node} evicted pod {} of {}: {}", me.name, owner.subject, words::clip(&message, 260)),
        )
    });
    c.referrer = Some(owner.subject.clone());
    c.evidence = vec![item.key.clone()];
    c.signs.pro = 2;
    f.evidence.push(item);
    f.causes.push(c);
    cx.report(f);
}

/// The pod went over a limit of its own: of a container, of all of them, or of a volume in memory or on disk.
fn own_fault(f: &mut Finding, pod: &Pod, owner: &Owner, message: &str) -> Option<CauseDraft> {
    static VOLUME: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"[Uu]sage of EmptyDir volume "([^"]+)" exceeds the limit "([^"]+)""#).ok());
    static CONTAINER: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"[Cc]ontainer (\S+) exceeded its local ephemeral storage limit "?([^".\s]+)"#).ok()
    });
    let name = &pod.metadata.name;
    let lower = message.to_lowercase();
    let find = |r: &LazyLock<Option<Regex>>| r.as_ref().and_then(|r| r.captures(message));
    let (field, statement) = if let Some(m) = find(&VOLUME) {
        f.headline = format!("lost a pod: volume {} grew over its limit", &m[1]);
        (
            owner.pod_field(&format!("volumes[{}].emptyDir.sizeLimit", &m[1])),
            format!("Pod {name} was evicted: its emptyDir volume {} exceeded its sizeLimit of {}.", &m[1], &m[2]),
        )
    } else if let Some(m) = find(&CONTAINER) {
        f.headline = "lost a pod: it wrote more than its ephemeral-storage limit".into();
        let init = pod.spec.init_containers.iter().any(|c| c.name == m[1]);
        (
            owner.field(init, &m[1], "resources.limits.ephemeral-storage"),
            format!("Pod {name} was evicted: container {} exceeded its ephemeral-storage limit of {}.", &m[1], &m[2]),
        )
    } else if lower.contains("exceeds the total limit") || lower.contains("usage exceeds") || lower.contains("emptydir")
    {
        f.headline = "lost a pod: it wrote more than its ephemeral-storage limit".into();
        let limited = pod.spec.containers.iter().find(|c| c.resources.limits.contains_key("ephemeral-storage"));
        (
            match limited {
                Some(c) => owner.field(false, &c.name, "resources.limits.ephemeral-storage"),
                None => owner.pod_field("containers[].resources.limits.ephemeral-storage"),
            },
            format!("Pod {name} was evicted for exceeding its own storage limit: {}", words::clip(message, 260)),
        )
    } else {
        return None;
    };
    f.actions.push(edit(
        ActionKind::SetResources,
        &owner.subject,
        "it needs more ephemeral storage, or must write less",
    ));
    let mut c = cause("ephemeral-storage-exceeded", Confidence::Established, owner.subject.clone(), statement);
    c.field = Some(field);
    Some(c)
}
