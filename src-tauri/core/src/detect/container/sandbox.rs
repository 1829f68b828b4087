//! Pods whose sandbox cannot be made: the network has no address or no plugin, the runtime has no such handler.

use super::super::{
    Context,
    context::{action, cause, edit, event_evidence, finding, hold, ns_flag},
};
use super::{SANDBOX, quoted};
use crate::{
    object::{Kind, KubeEvent, ObjectRef, Pod},
    remediation::ActionKind,
    severity::Confidence,
    words,
};

/// Tells why the newest attempt failed.
pub(super) fn failing(cx: &mut Context<'_>, pod: &Pod, events: &[&KubeEvent]) {
    let Some(last) = events.last() else { return };
    let me = pod.reference();
    let owner = cx.owner(pod);
    let started = events.iter().filter_map(|e| e.first_seen()).min().unwrap_or_else(|| cx.now.get());
    let mut f = finding("sandbox-failing", me.clone(), &owner.subject, cx.workload_severity(&owner.subject), started);
    f.headline = "cannot start its sandbox".into();
    f.started_basis = "first failed sandbox".into();
    f.count = last.times();
    f.hold = hold(SANDBOX);
    f.message = format!("{}: {}", me.name, words::clip(last.message(), 240));
    let item = event_evidence(last, cx.now);
    let node = pod.spec.node_name.clone().unwrap_or_default();
    let entity = cx
        .index
        .get(Kind::Node, None, &node)
        .map_or_else(|| ObjectRef::missing(Kind::Node, None, &node), |o| o.reference());
    let message = last.message();
    let lower = message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| lower.contains(w));
    let said = words::clip(message, 300);
    let on_node =
        |rule, why: &str| cause(rule, Confidence::Likely, entity.clone(), format!("Node {node} {why}: {said}."));
    let mut c = if has(&["no runtime for", "runtimehandler", "runtime handler"]) {
        let handler = quoted(message, "no runtime for \"").or_else(|| quoted(message, "RuntimeHandler \""));
        let class = pod.spec.runtime_class_name.as_deref().unwrap_or("?");
        f.headline = "cannot start: its runtime class is not set up on its node".into();
        f.actions.push(edit(ActionKind::Patch, &owner.subject, "a runtime class that its nodes have"));
        let mut c = cause(
            "runtime-class-not-configured",
            Confidence::Established,
            owner.subject.clone(),
            format!(
                "{} asks for RuntimeClass {class} (runtimeClassName), whose handler {} is not configured on node {node}: {said}.",
                owner.subject,
                handler.as_deref().unwrap_or("")
            ),
        );
        c.field = Some(owner.pod_field("runtimeClassName"));
        c.referrer = Some(entity.clone());
        c
    } else if has(&[
        "no ip addresses available",
        "no addresses available",
        "no available ip",
        "failed to allocate for range",
        "insufficientfreeaddresses",
        "no free ip",
        "failed to assign an ip address",
        "no available addresses",
    ]) {
        f.headline = "cannot start: its node has no pod address left".into();
        let mut c =
            on_node("pod-addresses-exhausted", &format!("has no free IP address for the pods of {}", owner.subject));
        // Plugins of clouds take addresses from a network of the cloud, which no object of the cluster stands for.
        c.field = (!has(&["failed to assign an ip address", "insufficientfreeaddresses", "no available addresses"]))
            .then(|| "spec.podCIDR".into());
        c
    } else if has(&["seccomp", "apparmor"]) {
        f.headline = "cannot start: its security profile is missing on its node".into();
        f.actions.push(edit(ActionKind::Patch, &owner.subject, "a profile that its nodes have"));
        let mut c = cause(
            "security-profile-missing",
            Confidence::Established,
            owner.subject.clone(),
            format!("The security profile of {} cannot be used on node {node}: {said}.", owner.subject),
        );
        c.field = Some(owner.pod_field("securityContext.seccompProfile"));
        c.referrer = Some(entity.clone());
        c
    } else if has(&["cni", "network plugin", "networkplugin", "plugin type=", "networkready", "network is not ready"]) {
        f.headline = "cannot start: its node's network does not work".into();
        on_node("pod-network-failing", &format!("cannot give pods of {} a network (CNI)", owner.subject))
    } else {
        on_node("sandbox-failing", "cannot make the pod's sandbox")
    };
    if c.entity.kind == "Node" {
        f.actions.push(action(
            ActionKind::ManualCheck,
            &entity,
            "the network plugin's pod on this node says more",
            "reads only",
            "get pods",
            format!("kubectl get pods -A --field-selector spec.nodeName={node}{}", ns_flag(&entity)),
        ));
        c.referrer = Some(owner.subject.clone());
    }
    c.evidence.push(item.key.clone());
    c.signs.pro = 2;
    f.evidence.push(item);
    f.causes.push(c);
    cx.report(f);
}
