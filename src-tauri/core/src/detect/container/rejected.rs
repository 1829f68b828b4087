//! Pods that the kubelet of their node does not take in.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use super::super::{
    Context,
    context::{Owner, action, cause, edit, event_evidence, evidence, finding, hold},
};
use super::REJECTED;
use crate::{
    evidence::EvidenceKind,
    finding::{CauseDraft, Finding},
    object::{Kind, Object, Pod},
    remediation::ActionKind,
    severity::Confidence,
    words,
};

/// The kubelet's words before those of the check that failed (pkg/kubelet, `rejectPod`).
const PREFIX: &str = "Pod was rejected: ";
/// A DaemonSet makes a pod that fails anew after a quarter of an hour at the latest.
const NEWS: SignedDuration = SignedDuration::from_mins(16);

/// Looks at the pods that were rejected, by what makes them: most controllers make the next one at once, without end.
pub fn rejected(cx: &mut Context<'_>) {
    let index = cx.index;
    let mut by_maker: BTreeMap<&str, Vec<&Pod>> = BTreeMap::new();
    let graves = index.graves().filter_map(|(_, o)| if let Object::Pod(p) = &**o { Some(p) } else { None });
    for pod in graves.chain(index.unsettled_pods()).filter(|p| is_rejected(p)) {
        let maker = pod.metadata.controller().map_or(pod.metadata.uid.as_str(), |o| o.uid.as_str());
        by_maker.entry(maker).or_default().push(pod);
    }
    for (maker, mut pods) in by_maker {
        pods.retain(|p| when(p).is_some_and(|t| !cx.now.beyond(t, NEWS)));
        pods.sort_by_key(|p| (when(p), p.metadata.name.as_str()));
        if let (Some(first), Some(last)) = (pods.first(), pods.last())
            && wanted(cx, maker, last)
        {
            report(cx, first, last, &pods);
        }
    }
}

fn is_rejected(pod: &Pod) -> bool {
    let status = &pod.status;
    status.phase.as_deref() == Some("Failed")
        && status.message.as_deref().is_some_and(|m| m.starts_with(PREFIX))
        && status.reason.as_deref() != Some("NodeShutdown")
}

fn when(pod: &Pod) -> Option<Timestamp> {
    pod.status.start_time.or(pod.metadata.creation_timestamp)
}

/// What made the pod still wants one, and none that it made since was taken in.
fn wanted(cx: &Context<'_>, maker: &str, last: &Pod) -> bool {
    if last.metadata.controller().is_none() {
        return cx.index.by_uid(&last.metadata.uid).is_some();
    }
    let wants = match cx.index.by_uid(maker).map(Arc::as_ref) {
        Some(Object::ReplicaSet(r)) => r.spec.replicas != Some(0),
        Some(Object::StatefulSet(s)) => s.spec.replicas != Some(0),
        Some(Object::Job(j)) => {
            !j.spec.suspend && !j.status.conditions.iter().any(|c| c.kind == "Complete" && c.is_true())
        }
        Some(other) => !other.meta().deleting(),
        None => false,
    };
    let taken_in = |o: &Arc<Object>| match &**o {
        Object::Pod(p) => {
            !p.status.container_statuses.is_empty() && p.metadata.creation_timestamp >= last.metadata.creation_timestamp
        }
        _ => false,
    };
    wants && !cx.index.owned_by(maker).any(taken_in)
}

fn report(cx: &mut Context<'_>, first: &Pod, last: &Pod, pods: &[&Pod]) {
    let owner = cx.owner(last);
    let started = when(first).unwrap_or_else(|| cx.now.get());
    let maker = last.metadata.controller().map(|o| o.in_namespace(last.metadata.namespace.as_deref()));
    let object = maker.unwrap_or_else(|| last.reference());
    let reason = last.status.reason.as_deref().unwrap_or("");
    let told = last.status.message.as_deref().unwrap_or("");
    let told = told.strip_prefix(PREFIX).unwrap_or(told);
    let nodes: BTreeSet<&str> = pods.iter().filter_map(|p| p.spec.node_name.as_deref()).collect();
    let nodes: Vec<String> = nodes.into_iter().map(str::to_owned).collect();

    let mut f = finding("pod-rejected", object.clone(), &owner.subject, cx.workload_severity(&owner.subject), started);
    // There may be several a second: what is said must not change with each.
    f.count = round(pods.len() as u32);
    f.started_basis = "first pod that the kubelet rejected".into();
    // The scheduler and a kubelet may disagree for a moment over what is free; the next pod finds another node.
    let of_moment = reason.starts_with("OutOf")
        || matches!(
            reason,
            "NodeAffinity" | "NodeSelectorMismatching" | "TopologyAffinityError" | "UnexpectedAdmissionError"
        );
    let once = of_moment && pods.len() < 2 && last.metadata.controller().is_some();
    f.hold = if once { Finding::JOINS_ONLY } else { hold(REJECTED) };
    let how_many = match f.count {
        1 => "a pod".to_owned(),
        n => format!("{} pods", about(n)),
    };
    f.message = format!(
        "The kubelet of node {} rejected {how_many} of {} ({reason}): {}",
        words::list(&nodes, 3),
        owner.subject,
        words::clip(told, 240)
    );
    let item = evidence(
        EvidenceKind::PodStatus,
        format!("rejected|{}|{reason}|{told}", object.uid.as_deref().unwrap_or(&object.name)),
        started,
        first.reference(),
        format!("{} was rejected ({reason}): {}", first.metadata.name, words::clip(told, 140)),
        format!(
            "pod: {}\nnode: {}\nphase: Failed\nreason: {reason}\nmessage: {told}",
            first.metadata.name,
            words::list(&nodes, 3)
        ),
    );
    let mut keys = vec![item.key.clone()];
    f.evidence.push(item);
    let events = cx.index.events_of(&first.reference());
    if let Some(event) = events.into_iter().rev().find(|e| e.is_warning() && e.reason() == reason) {
        let item = event_evidence(event, cx.now);
        keys.push(item.key.clone());
        f.evidence.push(item);
    }
    let mut c = why(cx, &mut f, &owner, last, reason, told, &nodes);
    c.evidence = keys;
    c.signs.pro = 2;
    f.causes.push(c);
    cx.report(f);
}

/// From ten on only the order of magnitude.
fn round(n: u32) -> u32 {
    if n < 10 { n } else { 10_u32.pow(n.ilog10()) }
}

fn about(n: u32) -> String {
    if n < 10 { n.to_string() } else { format!("at least {n}") }
}

/// What must change, by the check of the kubelet that failed.
fn why(
    cx: &Context<'_>,
    f: &mut Finding,
    owner: &Owner,
    pod: &Pod,
    reason: &str,
    told: &str,
    nodes: &[String],
) -> CauseDraft {
    let subject = &owner.subject;
    let says = format!(
        "Node {} takes no pod of {subject} ({reason}, {} rejected so far): {}.",
        words::list(nodes, 3),
        about(f.count),
        words::clip(told.trim_end_matches('.'), 260)
    );
    // A pod that names its node was never seen by the scheduler.
    let pinned = match cx.index.resolve(subject).and_then(|o| o.pod_template().map(|t| t.spec.node_name.is_some())) {
        Some(pinned) => pinned,
        None => pod.metadata.controller().is_none(),
    };
    let pin = if pinned { " It names its node (nodeName), so that no scheduler looks for another one." } else { "" };
    let of_template = |rule: &str, field: &str, confidence, more: &str| {
        let mut c = cause(rule, confidence, subject.clone(), format!("{says}{more}"));
        c.field = Some(owner.pod_field(field));
        c
    };
    let (headline, step, c) = match reason {
        "SysctlForbidden" => (
            "is rejected by the kubelet: a sysctl is not allowed",
            ActionKind::Patch,
            of_template(
                "sysctl-forbidden",
                "securityContext.sysctls",
                Confidence::Established,
                " Only what the kubelet is told to allow (--allowed-unsafe-sysctls) may be set.",
            ),
        ),
        "AppArmor" => (
            "is rejected by the kubelet: its AppArmor profile is not there",
            ActionKind::Patch,
            of_template("security-profile-missing", "securityContext.appArmorProfile", Confidence::Established, ""),
        ),
        "NodeAffinity" | "NodeSelectorMismatching" => (
            "is rejected by the kubelet: its node has not the labels it asks for",
            if pinned { ActionKind::Patch } else { ActionKind::SetNodeSelector },
            of_template(
                "node-rejects-pod",
                if pinned { "nodeName" } else { "nodeSelector" },
                if pinned { Confidence::Established } else { Confidence::Likely },
                pin,
            ),
        ),
        _ if reason.starts_with("OutOf") => (
            "is rejected by the kubelet: its node has no room",
            if pinned { ActionKind::Patch } else { ActionKind::SetResources },
            of_template(
                "node-rejects-pod",
                if pinned { "nodeName" } else { "containers[].resources.requests" },
                if pinned { Confidence::Established } else { Confidence::Likely },
                pin,
            ),
        ),
        "TopologyAffinityError" | "UnexpectedAdmissionError" => {
            let node = nodes.first().map_or("", String::as_str);
            let node = cx.index.get(Kind::Node, None, node).map_or_else(|| subject.clone(), |o| o.reference());
            f.actions.push(action(
                ActionKind::ManualCheck,
                &node,
                "its device plugins and its kubelet say more",
                "reads only",
                "get nodes",
                format!("kubectl describe node {}", node.name),
            ));
            let mut c = cause("node-rejects-pod", Confidence::Likely, node, says.clone());
            c.referrer = Some(subject.clone());
            ("is rejected by the kubelet: its node cannot give it what it asks for", ActionKind::SetResources, c)
        }
        _ => (
            "is rejected by the kubelet",
            ActionKind::Patch,
            cause("node-rejects-pod", Confidence::Likely, subject.clone(), says.clone()),
        ),
    };
    f.headline = headline.into();
    f.actions.push(edit(step, subject, "what the kubelet rejects must change"));
    c
}
