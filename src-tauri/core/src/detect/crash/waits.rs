//! Init containers that do not end: they wait for a host that is not there, or for what cannot come.

use super::super::{
    Context,
    context::{evidence, finding, hold},
    host,
};
use super::{
    blame::{Blame, Case, awaited, blame, is_visible},
    endless,
};
use crate::{
    evidence::EvidenceKind,
    object::{Container, Object, Pod, PodSpec, has_all},
    observation::LogWant,
};

/// Seconds an init container may wait: what it waits for may be starting.
pub(super) const HOLD: i64 = 45;
/// Seconds after which its log is worth reading.
const READ: i64 = 15;

/// Looks at the init containers of a pod that run.
pub(super) fn pod(cx: &mut Context<'_>, pod: &Pod) {
    if pod.finished() || pod.status.phase.as_deref() == Some("Running") {
        return;
    }
    for (spec, status, init) in pod.containers() {
        let Some((status, running)) = status.and_then(|s| Some((s, s.state.running.as_ref()?))) else { continue };
        let Some(since) = running.started_at.filter(|_| init && spec.restart_policy.as_deref() != Some("Always"))
        else {
            continue;
        };
        let hosts = asked(spec);
        let me = pod.reference();
        let want =
            LogWant { pod: me.clone(), container: spec.name.clone(), previous: false, restart: status.restart_count };
        // What asks for nobody is left to its work for longer.
        if !cx.now.within(since, hold(if hosts.is_empty() { HOLD } else { READ })) {
            cx.want_again(want.clone(), since);
        }
        let owner = cx.owner(pod);
        let case = Case { cx, pod, spec, owner: &owner, init, died: since };
        let found = told(&case, &want).or_else(|| hosts.iter().find_map(|h| awaited(&case, h)));
        let found = found.or_else(|| endless::why(&case, &want, since, !hosts.is_empty()));
        let Some(found) = found.filter(|b| !is_own(cx, pod, b)) else {
            // Nobody else may look by then.
            let next = [READ, HOLD, endless::LONG].map(|after| since.checked_add(hold(after)).ok());
            cx.look_again(next.into_iter().flatten().find(|at| !cx.now.reached(*at)));
            continue;
        };
        let mut f =
            finding("init-container-waiting", me.clone(), &owner.subject, cx.workload_severity(&owner.subject), since);
        f.part.clone_from(&spec.name);
        f.hold = hold(HOLD);
        f.headline = format!("cannot start: init container {} waits", spec.name);
        f.started_basis = "start of the init container".into();
        f.message = format!("Init container {} of {} runs on: {}", spec.name, me.name, found.phrase);
        let item = running_evidence(pod, spec, since);
        let mut keys = vec![item.key.clone()];
        f.evidence.push(item);
        let mut said = String::new();
        if let Some(log) = cx.index.log(&pod.metadata.uid, &spec.name, status.restart_count).filter(|l| l.lines.is_ok())
        {
            let item = super::log_evidence(cx, &me, spec, log, since);
            keys.push(item.key.clone());
            f.evidence.push(item);
            if let Some((_, words)) = cx.index.said(&log.want).and_then(|r| r.words.as_ref()) {
                said = format!(" Its last words: “{words}”.");
            }
        }
        let statement = format!(
            "Init container {} does not end, so the pod's containers never start: {}.{said}",
            spec.name, found.phrase
        );
        super::why::take(&mut f, found, statement, keys);
        cx.report(f);
    }
}

/// The hosts its command asks for: those it names, and those of the variables it uses. What else stands in its
/// environment it may not need.
fn asked(spec: &Container) -> Vec<String> {
    let command = spec.command.iter().chain(&spec.args).cloned().collect::<Vec<_>>().join(" ");
    let mut spec = spec.clone();
    spec.env.retain(|e| command.contains(&format!("${}", e.name)) || command.contains(&format!("${{{}", e.name)));
    host::hosts(&PodSpec { containers: vec![spec], ..PodSpec::default() })
}

/// The pod is one of those that the Service leads to: peers that look for each other.
fn is_own(cx: &Context<'_>, pod: &Pod, blame: &Blame) -> bool {
    match cx.index.resolve(&blame.entity).map(|o| &**o) {
        Some(Object::Service(s)) => {
            s.metadata.namespace == pod.metadata.namespace
                && !s.spec.selector.is_empty()
                && has_all(&pod.metadata.labels, &s.spec.selector)
        }
        _ => false,
    }
}

/// What its log says it waits for, as far as the objects show that still.
fn told(case: &Case<'_, '_>, want: &LogWant) -> Option<Blame> {
    let signal = case.cx.index.said(want)?.signal()?;
    Some(blame(case, signal)).filter(is_visible)
}

fn running_evidence(pod: &Pod, spec: &Container, since: jiff::Timestamp) -> crate::evidence::EvidenceDraft {
    let me = pod.reference();
    let command: Vec<String> = spec.command.iter().chain(&spec.args).cloned().collect();
    evidence(
        EvidenceKind::ContainerStatus,
        format!("init-running|{}|{}", me.uid.as_deref().unwrap_or(&me.name), spec.name),
        since,
        me.clone(),
        format!("Init container {} has been running since {since}", spec.name),
        format!(
            "pod: {}\ncontainer: {}\nimage: {}\nstartedAt: {since}\ncommand: {}",
            me.name,
            spec.name,
            spec.image,
            crate::words::clip(&command.join(" "), 300)
        ),
    )
}
