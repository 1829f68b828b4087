//! Templates of pods, as ReplicaSets keep them: what a roll-out changed that nobody watched, and what is not rolled out.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use crate::{
    change::{Change, ChangeVerb, diff, summarise},
    correlate::Fault,
    detect::context::{action, ns_flag},
    evidence::Observed,
    index::Index,
    object::{Kind, Object, PodTemplate, ReplicaSet, workload::ReplicaSetSpec},
    remediation::ActionKind,
    words,
};

/// The newest template against the one before, from the ReplicaSets a Deployment keeps: this tells of a roll-out that
/// nobody watched.
pub(super) fn reconstructed(index: &Index, fault: &Fault) -> Vec<Change> {
    let mut out = Vec::new();
    let mut done = BTreeSet::new();
    for subject in fault.findings.iter().map(|f| &f.subject) {
        if !subject.is(Kind::Deployment) || !done.insert(subject.key()) {
            continue;
        }
        let Some(deployment) = index.resolve(subject) else { continue };
        let sets = sets(index, &deployment.meta().uid);
        let [.., before, newest] = sets.as_slice() else { continue };
        // A roll-back raises the old set's revision: then its creation says nothing about the time of the change.
        let Some(at) = newest.metadata.creation_timestamp else { continue };
        if before.metadata.creation_timestamp.is_some_and(|t| t > at) {
            continue;
        }
        let fields = diff(&bare(&before.spec.template), &bare(&newest.spec.template));
        if fields.is_empty() {
            continue;
        }
        let who = deployment
            .meta()
            .managed_fields
            .iter()
            .filter(|f| {
                f.subresource.is_none()
                    && f.time.is_some_and(|t| t.duration_since(at).abs() < SignedDuration::from_secs(5))
            })
            .map(|f| f.manager.clone())
            .next_back();
        out.push(Change {
            object: deployment.reference(),
            at,
            who,
            verb: ChangeVerb::Modified,
            summary: summarise(&fields, None),
            fields,
            observed: Observed::Reconstructed,
        });
    }
    out
}

fn revision(set: &ReplicaSet) -> u64 {
    set.metadata.annotations.get("deployment.kubernetes.io/revision").and_then(|r| r.parse().ok()).unwrap_or(0)
}

/// The ReplicaSets of a Deployment, the newest last.
fn sets<'a>(index: &'a Index, deployment: &str) -> Vec<&'a ReplicaSet> {
    let mut sets: Vec<&ReplicaSet> = index
        .owned_by(deployment)
        .filter_map(|o| match &**o {
            Object::ReplicaSet(r) => Some(r),
            _ => None,
        })
        .collect();
    sets.sort_by_key(|r| revision(r));
    sets
}

/// A template by itself, to be compared.
fn bare(template: &PodTemplate) -> Object {
    let mut template = template.clone();
    template.metadata.labels.remove("pod-template-hash");
    Object::ReplicaSet(ReplicaSet { spec: ReplicaSetSpec { template, ..Default::default() }, ..Default::default() })
}

/// A Deployment that is paused has a template that none of its pods was made from: what was changed since is said, and
/// that it waits to be resumed. kubectl refuses to roll back what is paused.
pub(super) fn held_back(index: &Index, fault: &mut Fault) {
    let subject = fault.subject.clone();
    let Some(Object::Deployment(deployment)) = index.resolve(&subject).map(|o| &**o) else { return };
    if !deployment.spec.paused {
        return;
    }
    let sets = sets(index, &deployment.metadata.uid);
    let Some(newest) = sets.last() else { return };
    let fields = diff(&bare(&newest.spec.template), &bare(&deployment.spec.template));
    if fields.is_empty() {
        return;
    }
    // It is what the cause is about, or it merely waits, perhaps half finished.
    let about = fault.causes.first().is_some_and(|c| {
        let one = |field: &str| fields.iter().any(|f| f.path.starts_with(field) || field.starts_with(&f.path));
        c.entity.same_name(&subject) && c.field.as_deref().is_none_or(one)
    });
    if let Some(cause) = fault.causes.first_mut() {
        let said = words::clip_parts(&summarise(&fields, cause.field.as_deref()), 180);
        cause.statement.push_str(&format!(
            " {subject} is paused, so that what its template says since ({said}) is not rolled out."
        ));
        // What was wrong is put right in the template: what is left to change is that it waits.
        if about && cause.field.is_some() {
            cause.field = Some("spec.paused".into());
        }
    }
    if !about {
        return;
    }
    let resume = action(
        ActionKind::RolloutResume,
        &subject,
        "what its template says since waits for that",
        "replaces its pods one after another",
        "patch deployments.apps",
        format!("kubectl rollout resume {}{}", subject.kubectl(), ns_flag(&subject)),
    );
    fault.actions.insert(0, resume);
}
