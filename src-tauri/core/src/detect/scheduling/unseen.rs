//! Pods that no scheduler speaks of: nobody looks at them, a gate holds them, or they name a node that is not there.

use jiff::{SignedDuration, Timestamp};

use super::super::{
    Context,
    context::{Owner, action, cause, edit, event_evidence, evidence, finding, hold},
    placement,
};
use super::{FOREIGN, GATED, HOLD, PINNED, SILENT, nodes, serves, severity};
use crate::{
    evidence::EvidenceKind,
    finding::{CauseDraft, Finding},
    object::{Condition, Kind, KubeEvent, Object, ObjectRef, Pod},
    remediation::ActionKind,
    severity::Confidence,
    words,
};

/// Seconds that one look gives whoever lifts a gate, or a node that is just being told of.
const GLANCE: i64 = 2;

/// Claims for devices; they are not read.
const DEVICES: &str = "resource.k8s.io/v1";

/// Even one look lets a pod grow this old before it is called forgotten.
fn young(cx: &Context<'_>, since: Timestamp, seconds: i64) -> bool {
    cx.options.waive_holds && cx.now.within(since, SignedDuration::from_secs(seconds))
}

fn draft(
    cx: &Context<'_>,
    rule: &str,
    pod: &Pod,
    owner: &Owner,
    since: Timestamp,
    basis: &str,
    lines: &[(&str, &str)],
) -> (Finding, String) {
    let me = pod.reference();
    let mut f = finding(rule, me.clone(), &owner.subject, severity(cx, owner), since);
    f.started_basis = basis.into();
    let said: Vec<String> = lines.iter().map(|(k, v)| format!("{k}: {v}")).collect();
    let item = evidence(
        EvidenceKind::PodStatus,
        format!("{rule}|{}", me.uid.as_deref().unwrap_or(&me.name)),
        since,
        me.clone(),
        format!("{} is Pending; {}", me.name, said.join(", ")),
        format!("pod: {}\nphase: Pending\n{}", me.name, said.join("\n")),
    );
    let key = item.key.clone();
    f.evidence.push(item);
    (f, key)
}

/// No node has the devices that the pod's claims ask for. What offers them is not read.
pub(super) fn no_devices(pod: &Pod, owner: &Owner, tail: &str) -> CauseDraft {
    let named = pod.spec.resource_claims.iter().find_map(|c| c.resource_claim_name.as_deref());
    let (entity, whose) = match named {
        Some(name) => {
            let claim = ObjectRef::unread(DEVICES, "ResourceClaim", pod.metadata.namespace.as_deref(), name);
            (claim, format!("ResourceClaim {name}"))
        }
        None => (owner.subject.clone(), "its resource claims".to_owned()),
    };
    let text = format!(
        "No node can give {} the devices that {whose} asks for: no driver offers such devices (ResourceSlice) where it may run, or others hold them all. The scheduler says: {tail}",
        owner.subject
    );
    let mut c = cause("resource-claim-unsatisfied", Confidence::Likely, entity, text);
    c.referrer = Some(owner.subject.clone()).filter(|_| named.is_some());
    c.field =
        Some(if named.is_some() { "spec.devices.requests".to_owned() } else { owner.pod_field("resourceClaims") });
    c.signs.pro = 2;
    c.needs.push("which devices the nodes offer (kubectl get resourceslices, deviceclasses)".into());
    c
}

/// A pod whose devices cannot be claimed: no scheduler looks at it before the claim is there.
fn without_devices(cx: &mut Context<'_>, pod: &Pod, event: &KubeEvent) {
    let owner = cx.owner(pod);
    let me = pod.reference();
    let since = event.first_seen().or(pod.metadata.creation_timestamp).unwrap_or_else(|| cx.now.get());
    let mut f = finding("pod-unschedulable", me.clone(), &owner.subject, severity(cx, &owner), since);
    f.headline = "cannot be scheduled: the devices it claims cannot be asked for".into();
    f.started_basis = "first claim that could not be made".into();
    f.message = format!("No resource claim can be made for {}: {}", me.name, words::clip(event.message(), 240));
    f.hold = hold(HOLD);
    let item = event_evidence(event, cx.now);
    let named = event.message().split_once("resource claim template \"").and_then(|(_, rest)| rest.split('"').next());
    let missing = named.filter(|_| event.message().contains("not found"));
    let tail = words::clip(event.message(), 220);
    let mut c = match missing {
        Some(name) => {
            let entity = ObjectRef::unread(DEVICES, "ResourceClaimTemplate", me.namespace.as_deref(), name);
            let text = format!(
                "ResourceClaimTemplate {name}, by which {} claims devices, does not exist (not found) in namespace {}. The cluster says: {tail}",
                owner.subject,
                me.namespace.as_deref().unwrap_or("")
            );
            let mut c = cause("resource-claim-template-missing", Confidence::Established, entity, text);
            c.referrer = Some(owner.subject.clone());
            c
        }
        None => {
            let text = format!("The devices that {} claims cannot be asked for: {tail}", owner.subject);
            cause("resource-claim-failed", Confidence::Likely, owner.subject.clone(), text)
        }
    };
    c.field = Some(owner.pod_field("resourceClaims"));
    c.evidence = vec![item.key.clone()];
    c.signs.pro = 2;
    f.evidence.push(item);
    f.causes.push(c);
    f.actions.push(edit(
        ActionKind::Patch,
        &owner.subject,
        "it must name a template that exists, or that must be made",
    ));
    cx.report(f);
}

/// A pod that names a claim for devices, and of which no scheduler speaks: it is not even queued before the claim exists
/// (kube-scheduler, DynamicResources, PreEnqueue). The claims themselves are not read.
fn claim_awaited(cx: &mut Context<'_>, pod: &Pod, claim: &str) {
    let since = pod.metadata.creation_timestamp.unwrap_or_else(|| cx.now.get());
    if young(cx, since, FOREIGN) {
        return;
    }
    let owner = cx.owner(pod);
    let lines = [("resourceClaim", claim), ("conditions", "none")];
    let (mut f, key) = draft(cx, "pod-unschedulable", pod, &owner, since, "pod created", &lines);
    f.headline = format!("cannot be scheduled: it waits for ResourceClaim {claim}");
    f.message = format!("No scheduler looks at {}, which names ResourceClaim {claim}", f.object.name);
    f.hold = hold(FOREIGN);
    let entity = ObjectRef::unread(DEVICES, "ResourceClaim", f.object.namespace.as_deref(), claim);
    let mut c = cause(
        "resource-claim-missing",
        Confidence::Likely,
        entity,
        format!(
            "The pods of {} name ResourceClaim {claim} (resourceClaims), and no scheduler has looked at them: that is so while the claim does not exist (not found).",
            owner.subject
        ),
    );
    c.field = Some(owner.pod_field("resourceClaims"));
    c.referrer = Some(owner.subject.clone());
    c.evidence.push(key);
    f.causes.push(c);
    f.actions.push(edit(ActionKind::Patch, &owner.subject, "it must name a claim that exists, or that must be made"));
    cx.report(f);
}

/// A pod of which nothing was said, by nobody.
pub(super) fn ignored(cx: &mut Context<'_>, pod: &Pod) {
    let me = pod.reference();
    let events = cx.index.events_of(&me);
    if let Some(event) = events.iter().rev().find(|e| e.is_warning() && e.reason() == "FailedResourceClaimCreation") {
        return without_devices(cx, pod, event);
    }
    if !cx.index.knows(Kind::KubeEvent, me.namespace.as_deref())
        || events.iter().any(|e| matches!(e.reason(), "FailedScheduling" | "Scheduled" | "Nominated"))
    {
        return;
    }
    if let Some(claim) = pod.spec.resource_claims.iter().find_map(|c| c.resource_claim_name.as_deref()) {
        return claim_awaited(cx, pod, claim);
    }
    // A node was chosen, and the scheduler waits for the volume there: that is the claim's trouble.
    let unbound = |c: &str| {
        matches!(cx.index.get(Kind::PersistentVolumeClaim, me.namespace.as_deref(), c).map(|o| &**o),
            Some(Object::PersistentVolumeClaim(c)) if c.status.phase.as_deref() != Some("Bound"))
    };
    if pod.spec.claims().any(|(c, _)| unbound(c)) {
        return;
    }
    let since = pod.metadata.creation_timestamp.unwrap_or_else(|| cx.now.get());
    let name = pod.spec.scheduler_name.as_deref().filter(|n| !n.is_empty()).unwrap_or("default-scheduler");
    let foreign = name != "default-scheduler";
    // The cluster's own scheduler works through a queue: it is what all pods have in common, and blamed for none too soon.
    let old = !cx.now.within(since, hold(SILENT));
    if (!foreign && !old) || young(cx, since, FOREIGN) {
        return;
    }
    let owner = cx.owner(pod);
    let lines = [("schedulerName", name), ("conditions", "none"), ("events of a scheduler", "none")];
    let (mut f, key) = draft(cx, "pod-without-scheduler", pod, &owner, since, "pod created", &lines);
    f.headline = "is seen by no scheduler".into();
    f.message = format!("{} is Pending and no scheduler has looked at it (schedulerName {name})", me.name);
    f.hold = hold(if foreign { FOREIGN } else { SILENT });
    let mut c = if foreign {
        // Somebody places pods under this name, so it may only be slow.
        let placed = |p: &Pod| {
            p.spec.scheduler_name.as_deref() == Some(name)
                && Condition::find(&p.status.conditions, "PodScheduled").is_some_and(Condition::is_true)
        };
        let serving = cx.index.pods().any(placed);
        let near = cx
            .index
            .pods()
            .filter(|p| Condition::find(&p.status.conditions, "PodScheduled").is_some_and(Condition::is_true))
            .filter_map(|p| p.spec.scheduler_name.as_deref());
        let near = placement::nearest(name, near).map(|n| format!(" Is {n} meant?")).unwrap_or_default();
        f.actions.push(edit(
            ActionKind::Patch,
            &owner.subject,
            "name a scheduler that runs, for example default-scheduler",
        ));
        let mut c = cause(
            "scheduler-missing",
            if serving { Confidence::Possible } else { Confidence::Likely },
            owner.subject.clone(),
            if serving {
                format!(
                    "{} asks for the scheduler {name} (schedulerName), which placed other pods but says nothing of {}.",
                    owner.subject, me.name
                )
            } else {
                format!(
                    "{} asks for the scheduler {name} (schedulerName), and nothing in the cluster schedules under that name: no pod was placed by it, and {} has neither a condition nor an event.{near}",
                    owner.subject, me.name
                )
            },
        );
        c.field = Some(owner.pod_field("schedulerName"));
        c.needs.push(format!("whether a scheduler named {name} runs, and its log"));
        c
    } else {
        let entity = cx
            .index
            .in_namespace(Kind::Pod, "kube-system")
            .find(|o| o.meta().labels.get("component").is_some_and(|c| c == "kube-scheduler"))
            .map_or_else(|| ObjectRef::missing(Kind::Pod, Some("kube-system"), "kube-scheduler"), |o| o.reference());
        let down = matches!(cx.index.resolve(&entity).map(|o| &**o), Some(Object::Pod(p)) if !p.ready());
        f.actions.push(action(
            ActionKind::ManualCheck,
            &entity,
            "whether the scheduler runs, and what it says",
            "reads only",
            "get pods",
            "kubectl get pods -n kube-system -l component=kube-scheduler".into(),
        ));
        let mut c = cause(
            "scheduler-silent",
            if down { Confidence::Likely } else { Confidence::Possible },
            entity,
            format!(
                "The cluster's scheduler (default-scheduler) says nothing of new pods{}: they have neither a condition nor an event.",
                if down { ", and its own pod is not ready" } else { "" }
            ),
        );
        c.referrer = Some(owner.subject.clone());
        c.needs.push("the log of kube-scheduler".into());
        c
    };
    c.evidence.push(key);
    c.signs.pro = 2;
    f.causes.push(c);
    cx.report(f);
}

/// A pod of a serving workload that a gate holds back.
pub(super) fn gated(cx: &mut Context<'_>, pod: &Pod, condition: &Condition) {
    let owner = cx.owner(pod);
    let ready = owner.subject.uid.as_deref().is_some_and(|uid| cx.serving(uid).ready > 0);
    let since = condition.last_transition_time.or(pod.metadata.creation_timestamp).unwrap_or_else(|| cx.now.get());
    if !serves(&owner) || ready || young(cx, since, GLANCE) {
        return;
    }
    let gates: Vec<String> = pod.spec.scheduling_gates.iter().map(|g| g.name.clone()).collect();
    let gates = words::list(&gates, 3);
    let lines = [("condition", "PodScheduled=False SchedulingGated"), ("schedulingGates", gates.as_str())];
    let (mut f, key) = draft(cx, "pod-gated", pod, &owner, since, "scheduling gate", &lines);
    f.headline = "waits behind a scheduling gate".into();
    f.message = format!("{} is not scheduled before its gate {gates} is lifted", f.object.name);
    f.hold = hold(GATED);
    f.actions.push(edit(
        ActionKind::Patch,
        &owner.subject,
        "whoever set the gate must lift it, or it must go from the template",
    ));
    let mut c = cause(
        "scheduling-gate",
        Confidence::Established,
        owner.subject.clone(),
        format!(
            "The pods of {} have the scheduling gate {gates} (schedulingGates), and nobody lifts it: the scheduler does not look at them (SchedulingGated), and none of them is ready.",
            owner.subject
        ),
    );
    c.field = Some(owner.pod_field("schedulingGates"));
    c.evidence.push(key);
    f.causes.push(c);
    cx.report(f);
}

/// A pod whose `nodeName` is the name of no node. What a scheduler placed has a condition that says so.
pub(super) fn pinned(cx: &mut Context<'_>, pod: &Pod) {
    let Some(name) = pod.spec.node_name.as_deref() else { return };
    let seen = pod.status.start_time.is_some() || !pod.status.container_statuses.is_empty();
    let placed = Condition::find(&pod.status.conditions, "PodScheduled").is_some();
    if seen || placed || !cx.index.knows(Kind::Node, None) || cx.index.get(Kind::Node, None, name).is_some() {
        return;
    }
    let since = pod.metadata.creation_timestamp.unwrap_or_else(|| cx.now.get());
    if young(cx, since, GLANCE) {
        return;
    }
    let owner = cx.owner(pod);
    let lines = [("nodeName", name), ("node", "not found"), ("conditions", "none")];
    let (mut f, key) = draft(cx, "pod-on-missing-node", pod, &owner, since, "pod created", &lines);
    f.headline = format!("is pinned to node {name}, which does not exist");
    f.message = format!("{} names node {name}, which does not exist", f.object.name);
    f.hold = hold(PINNED);
    f.actions.push(edit(
        ActionKind::Patch,
        &owner.subject,
        "name a node that exists, or leave the choice to the scheduler",
    ));
    let all: Vec<String> = nodes(cx).map(|n| n.metadata.name.clone()).collect();
    let near = placement::nearest(name, all.iter().map(String::as_str)).map(|n| format!(" Is {n} meant?"));
    let mut c = cause(
        "node-name-unknown",
        Confidence::Established,
        owner.subject.clone(),
        format!(
            "{} pins its pods to node {name} (nodeName), which does not exist (not found); the nodes are {}.{}",
            owner.subject,
            words::list(&all, 5),
            near.unwrap_or_default()
        ),
    );
    c.field = Some(owner.pod_field("nodeName"));
    c.evidence.push(key);
    f.causes.push(c);
    cx.report(f);
}
