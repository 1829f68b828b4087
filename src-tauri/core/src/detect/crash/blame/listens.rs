//! Who refuses though a Service has ready endpoints: pods that count as ready because nobody asks the port.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::{Blame, Case};
use crate::{
    change::{Change, ChangeVerb},
    detect::context::edit,
    index::Now,
    object::{Object, ObjectRef, Pod},
    remediation::ActionKind,
    severity::Confidence,
    words,
};

/// Refusals of before a server had started say nothing of it.
const STARTING: SignedDuration = SignedDuration::from_secs(10);

/// The pods behind a Service that cannot be listening on its target port: the connection was refused while they ran and
/// were ready, and no readiness probe of theirs asks that port. Where only some of several workloads are so, those.
pub(super) fn nobody(case: &Case<'_, '_>, service: &Object, pods: &[&Pod], target: u16, own: &Blame) -> Option<Blame> {
    let before = case.ended().saturating_sub(STARTING).ok()?;
    let ran = |p: &Pod| {
        let running = p.status.container_statuses.iter().map(|s| s.state.running.as_ref()?.started_at);
        p.ready() && running.into_iter().all(|t| t.is_some_and(|t| t < before))
    };
    let mut by_owner: BTreeMap<String, (ObjectRef, &Pod)> = BTreeMap::new();
    let ready: Vec<&&Pod> = pods.iter().filter(|p| p.ready()).collect();
    for pod in &ready {
        let owner = case.cx.owner(pod).subject;
        by_owner.entry(owner.key()).or_insert((owner, pod));
    }
    let all: Vec<ObjectRef> = by_owner.values().map(|(owner, _)| owner.clone()).collect();
    let unasked: Vec<&(ObjectRef, &Pod)> = by_owner.values().filter(|(_, p)| ran(p) && !asked(p, target)).collect();
    let created = |owner: &ObjectRef| case.changes(owner).into_iter().find(|c| c.verb == ChangeVerb::Created);
    // Of several whom nobody asks the one that came lately, where the others were there before.
    let (workload, pod) = match unasked.as_slice() {
        [only] => only,
        several => {
            let mut new = several.iter().filter(|(owner, _)| created(owner).is_some());
            new.next().filter(|_| new.next().is_none())?
        }
    };
    if workload.same_name(&case.owner.subject) || !ready.iter().all(|p| ran(p)) {
        return None;
    }
    let name = &service.meta().name;
    let blame = own.clone().rule("dependency-not-listening").sure(Confidence::Likely);
    let lines = |what: String| [("target port", target.to_string()), ("pods", what)];
    if all.len() > 1 {
        let others: Vec<String> = all.iter().filter(|o| !o.same_name(workload)).map(ToString::to_string).collect();
        let history =
            created(workload).map(|c| format!(", which {} created at {}", who(c), c.at.strftime("%H:%M:%S UTC")));
        let said = format!(
            "; the selector of Service {name} finds pods of {} and of {workload}{}, and no readiness probe of the latter asks port {target}",
            words::list(&others, 3),
            history.unwrap_or_default()
        );
        let shared = lines(all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
        // Two may well serve behind one Service, such as a canary.
        let blame = match created(workload) {
            Some(_) => blame,
            None => blame.needs(format!("whether the pods of {workload} are meant to serve behind Service {name}")),
        };
        return Some(
            blame
                .says(said)
                .rule("service-selects-several")
                .on(workload.clone(), Some("spec.template.metadata.labels".into()), case)
                .seen(
                    service,
                    "pods",
                    format!("Service {name} finds pods of {}", words::count(all.len(), "workload")),
                    &shared,
                    Now::STAMP,
                )
                .step(edit(
                    ActionKind::SetServiceSelector,
                    &service.reference(),
                    format!("it must not find the pods of {workload}"),
                )),
        );
    }
    // A variable of this kind that was changed lately is where the port went.
    let moved = case.changes(workload).into_iter().find_map(|c| {
        let port = |path: &str| {
            let name = path.rsplit_once(".env[").and_then(|(_, rest)| rest.split(']').next()).unwrap_or("");
            name.eq_ignore_ascii_case("PORT") || name.to_ascii_uppercase().ends_with("_PORT")
        };
        // What it calls has a port as well: only where it listened on this one until then.
        let is = |value: &Option<String>| value.as_deref().and_then(|v| v.parse().ok()) == Some(target);
        c.fields.iter().find(|f| port(&f.path) && is(&f.from) && !is(&f.to)).map(|f| (c, f))
    });
    let (changed, field) = moved?;
    let text = |t: &Option<String>| t.clone().unwrap_or_else(|| "nothing".to_owned());
    let history = format!(
        "{} changed {} from {} to {} at {}",
        who(changed),
        field.path,
        text(&field.from),
        text(&field.to),
        changed.at.strftime("%H:%M:%S UTC")
    );
    Some(
        blame
            .says(format!(
                "; Service {name} leads to port {target} of {workload}, whose pods count as ready though no readiness probe asks that port; {history}"
            ))
            .on(workload.clone(), Some(field.path.trim_end_matches(".value").to_owned()), case)
            .seen(
                service,
                "ports",
                format!("Service {name} leads to port {target} of {workload}"),
                &lines(pod.metadata.name.clone()),
                Now::STAMP,
            )
            .step(edit(
                ActionKind::Patch,
                workload,
                format!("its program must listen on port {target}, or the Service lead to where it listens"),
            )),
    )
}

fn who(change: &Change) -> &str {
    change.who.as_deref().unwrap_or("somebody")
}

/// Where a mesh's side-car asks in the place of the kubelet.
const MESH: [u16; 2] = [15020, 15021];

/// A readiness probe of the pod asks this port, or a program that may do so.
fn asked(pod: &Pod, port: u16) -> bool {
    pod.spec.containers.iter().chain(&pod.spec.init_containers).any(|c| {
        let Some(probe) = &c.readiness_probe else { return false };
        let named = |name: &str| c.ports.iter().find(|p| p.name.as_deref() == Some(name)).map(|p| p.container_port);
        let number = || probe.port().and_then(|p| p.parse().ok().or_else(|| named(&p)));
        probe.exec.is_some() || number().is_some_and(|n| n == port || MESH.contains(&n))
    })
}
