//! postStart hooks that fail: the kubelet kills the container, again and again.

use super::super::{
    Context,
    context::{Owner, cause, edit, event_evidence, finding, hold},
};
use super::{HOOK, STILL};
use crate::{
    finding::{CauseDraft, Finding},
    object::{Container, KubeEvent, Pod},
    remediation::ActionKind,
    severity::Confidence,
    words,
};

/// Looks for hooks that failed a moment ago.
pub(super) fn failing(cx: &mut Context<'_>, pod: &Pod) {
    if !pod.spec.containers.iter().chain(&pod.spec.init_containers).any(|c| c.lifecycle.is_some()) {
        return;
    }
    let me = pod.reference();
    let events = cx.index.events_of(&me);
    for (spec, status, init) in pod.containers() {
        if spec.lifecycle.as_ref().and_then(|l| l.get("postStart")).is_none() || status.is_some_and(|s| s.ready) {
            continue;
        }
        // Told by the kubelet's own word for it already.
        let waits = status.and_then(|s| s.state.waiting.as_ref()).and_then(|w| w.reason.as_deref());
        if waits == Some("PostStartHookError") {
            continue;
        }
        let path = format!("{{{}}}", spec.name);
        let of_it = |e: &&&KubeEvent| {
            e.reason() == "FailedPostStartHook"
                && e.involved_object.field_path.as_ref().is_none_or(|p| p.contains(&path))
                && e.last_seen().is_some_and(|t| cx.now.within(t, STILL))
        };
        let failed: Vec<&&KubeEvent> = events.iter().filter(of_it).collect();
        let Some(last) = failed.last() else { continue };
        let owner = cx.owner(pod);
        let started = failed.iter().filter_map(|e| e.first_seen()).min().unwrap_or_else(|| cx.now.get());
        let mut f = finding("hook-failing", me.clone(), &owner.subject, cx.workload_severity(&owner.subject), started);
        f.part.clone_from(&spec.name);
        f.started_basis = "first failed hook".into();
        f.hold = hold(HOOK);
        f.count = failed.iter().map(|e| e.times()).sum();
        f.message = format!(
            "The postStart hook of container {} of {} fails: {}",
            spec.name,
            me.name,
            words::clip(last.message(), 200)
        );
        let item = event_evidence(last, cx.now);
        let mut c = cause_of(&mut f, spec, &owner, init, last.message());
        c.evidence.push(item.key.clone());
        f.evidence.push(item);
        f.causes.push(c);
        cx.report(f);
    }
}

/// The hook itself is what must change.
pub(super) fn cause_of(f: &mut Finding, spec: &Container, owner: &Owner, init: bool, message: &str) -> CauseDraft {
    f.headline = "cannot start: its postStart hook fails".into();
    f.actions.push(edit(ActionKind::Patch, &owner.subject, "the hook must succeed, or the container is killed"));
    let said = message.trim().trim_end_matches('.');
    let said = if said.is_empty() || said == "PostStartHook failed" {
        String::new()
    } else {
        format!(": {}", words::clip(said, 260))
    };
    let mut c = cause(
        "post-start-hook-failed",
        Confidence::Established,
        owner.subject.clone(),
        format!(
            "The postStart hook of container {}, {}, fails (FailedPostStartHook), so the kubelet kills the container{said}.",
            spec.name,
            what(spec)
        ),
    );
    c.field = Some(owner.field(init, &spec.name, "lifecycle.postStart"));
    c
}

/// What the hook does, in a few words.
fn what(spec: &Container) -> String {
    let Some(hook) = spec.lifecycle.as_ref().and_then(|l| l.get("postStart")) else { return "not written".to_owned() };
    if let Some(command) = hook.pointer("/exec/command").and_then(|c| c.as_array()) {
        let words_of: Vec<&str> = command.iter().filter_map(|w| w.as_str()).collect();
        return format!("the command `{}`", words::clip(&words_of.join(" "), 160));
    }
    if let Some(http) = hook.get("httpGet") {
        let text =
            |n: &str| http.get(n).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).unwrap_or_default();
        return format!("GET {} on port {}", text("path"), text("port"));
    }
    "its action".to_owned()
}
