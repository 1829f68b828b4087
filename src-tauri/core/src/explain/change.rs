//! Changes near a fault: found by reach (the objects the fault hangs on) and time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::{
    change::{Change, ChangeVerb, FieldChange, diff, summarise},
    correlate::{CLOCK_SLACK, Fault},
    detect::context::{evidence, undo},
    evidence::{EvidenceKind, Observed},
    index::Index,
    object::{Kind, Object, ObjectRef, ReplicaSet},
    severity::Confidence,
};

/// A change this long before the start is still told.
const BEFORE: SignedDuration = SignedDuration::from_hours(1);
/// A change this long before the start may be the trigger.
const SUSPECT: SignedDuration = SignedDuration::from_mins(30);

/// Up to here a change is `just before`.
const JUST: SignedDuration = SignedDuration::from_mins(5);

pub(super) fn explain(index: &Index, fault: &mut Fault) {
    let (own, around) = reach(index, fault);
    let from = fault.started_at.saturating_sub(BEFORE).unwrap_or(Timestamp::MIN);
    let mut changes: Vec<Change> = index
        .changes()
        .filter(|c| c.at >= from && (own.contains(&c.object.key()) || around.contains(&c.object.key())))
        .cloned()
        .collect();
    for change in reconstructed(index, fault) {
        // What was seen live needs no second telling.
        let seen = changes.iter().any(|c| {
            c.object.same_name(&change.object) && c.at.duration_since(change.at).abs() < SignedDuration::from_secs(10)
        });
        if !seen && change.at >= from {
            changes.push(change);
        }
    }
    changes.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.key().cmp(&b.key())));
    changes.truncate(20);
    for change in changes {
        let suspect = suspect(&change, fault);
        if suspect {
            let item = diff_evidence(&change);
            tie(fault, &change, &item.key, own.contains(&change.object.key()));
            fault.evidence.push(item);
        }
        fault.changes.push((change, suspect));
    }
}

/// Keys of the objects a change of which may have broken this: what the fault names or its workloads use, and what
/// only lies in the same namespace.
fn reach(index: &Index, fault: &Fault) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut out, mut around) = (BTreeSet::new(), BTreeSet::new());
    let subjects: BTreeMap<String, &ObjectRef> =
        fault.findings.iter().map(|f| &f.subject).chain([&fault.subject]).map(|s| (s.key(), s)).collect();
    for (key, subject) in subjects {
        out.insert(key);
        let ns = subject.namespace.as_deref();
        let Some(object) = index.resolve(subject) else { continue };
        let spec = match &**object {
            Object::Pod(p) => Some(&p.spec),
            other => other.pod_template().map(|t| &t.spec),
        };
        let Some(spec) = spec else { continue };
        for r in spec.config_map_refs() {
            out.insert(ObjectRef::missing(Kind::ConfigMap, ns, &r.name).key());
        }
        for r in spec.secret_refs() {
            out.insert(ObjectRef::missing(Kind::Secret, ns, &r.name).key());
        }
        for (claim, _) in spec.claims() {
            out.insert(ObjectRef::missing(Kind::PersistentVolumeClaim, ns, claim).key());
        }
        if let Some(account) = &spec.service_account_name {
            out.insert(ObjectRef::missing(Kind::ServiceAccount, ns, account).key());
        }
        // What bounds the pods of a namespace.
        if let Some(ns) = ns {
            for kind in [Kind::ResourceQuota, Kind::LimitRange, Kind::NetworkPolicy] {
                around.extend(index.in_namespace(kind, ns).map(|o| o.reference().key()));
            }
        }
    }
    for finding in &fault.findings {
        out.insert(finding.object.key());
        for cause in &finding.causes {
            out.insert(cause.entity.key());
            out.extend(cause.referrer.as_ref().map(ObjectRef::key));
        }
    }
    out.retain(|k| !k.starts_with("Event/") && !k.starts_with("Pod/"));
    (out, around)
}

fn suspect(change: &Change, fault: &Fault) -> bool {
    let lead = fault.started_at.duration_since(change.at);
    let in_time = lead >= -CLOCK_SLACK && lead <= SUSPECT;
    let telling = match change.verb {
        ChangeVerb::Modified => change.fields.iter().any(|f| telling(change, f, fault)),
        ChangeVerb::Created | ChangeVerb::Deleted => true,
    };
    in_time && telling
}

/// Scaling by itself breaks little; it is told but not suspected, except where pods have no room. A restart only
/// brings to light what was changed before. Nothing selects an object by its own labels but nodes, and pods, whose
/// labels stand in a template.
fn telling(change: &Change, field: &FieldChange, fault: &Fault) -> bool {
    if field.path.starts_with("labels") && change.object.kind != "Node" {
        return false;
    }
    if field.path.ends_with("annotations.kubectl.kubernetes.io/restartedAt") {
        return false;
    }
    let scaling = field.path == "spec.replicas";
    !scaling
        || fault
            .causes
            .first()
            .is_some_and(|c| c.field.as_deref() == Some("spec.replicas") && c.entity.same_name(&change.object))
        || fault.findings.iter().any(|f| {
            matches!(f.rule_id.as_str(), "pod-unschedulable" | "pods-not-created" | "service-without-endpoints")
        })
}

/// Ties a suspect change to the first cause: evidence and the words, and, where it touches what failed itself, a sign
/// more.
fn tie(fault: &mut Fault, change: &Change, key: &str, own: bool) {
    let lead = fault.started_at.duration_since(change.at);
    let subject = fault.subject.clone();
    let Some(cause) = fault.causes.first_mut() else { return };
    // The field that is to be changed back leads, however much a release changes beside it.
    let summary = match change.fields.is_empty() {
        true => change.summary.clone(),
        false => summarise(&change.fields, cause.field.as_deref()),
    };
    let undo_step = undo(&subject, &format!("it goes back to the revision before: {summary}"));
    cause.evidence.push(key.to_owned());
    if own {
        cause.signs.pro += 1;
        // Of a Secret only the version is known: an annotation raises it as its data does.
        let said = change.object.kind != "Secret" && change.verb == ChangeVerb::Modified;
        if cause.confidence == Confidence::Possible && said {
            cause.confidence = Confidence::Likely;
        }
    } else if lead > JUST {
        return;
    }
    let told = cause.statement.contains(" changed ") || cause.statement.contains(" deleted ");
    let at = change.at.strftime("%H:%M:%S UTC");
    let who = change.who.as_deref();
    match change.verb {
        ChangeVerb::Modified if !told => {
            let what = crate::words::clip_parts(&summary, 180);
            let by = who.unwrap_or("somebody");
            let when = if lead > JUST { format!("{} min before", lead.as_mins()) } else { "Just before".to_owned() };
            cause.statement.push_str(&format!(" {when}, {by} changed {}: {what} ({at}).", change.object));
            if change.object.same_name(&subject) && change.fields.iter().any(|f| f.path.starts_with("spec.template")) {
                fault.actions.extend(undo_step);
            }
        }
        ChangeVerb::Deleted if !told && !change.object.same_name(&subject) => {
            cause.statement.push_str(&format!(" {} was deleted at {at}.", change.object));
        }
        _ => {}
    }
}

fn diff_evidence(change: &Change) -> crate::evidence::EvidenceDraft {
    let mut lines = Vec::new();
    for f in &change.fields {
        lines.push(format!("@ {}", f.path));
        if let Some(from) = &f.from {
            lines.push(format!("- {from}"));
        }
        if let Some(to) = &f.to {
            lines.push(format!("+ {to}"));
        }
    }
    if lines.is_empty() {
        lines.push(change.summary.clone());
    }
    if let Some(who) = &change.who {
        lines.push(format!("by field manager {who}; the cluster does not record who ran it"));
    }
    let mut item = evidence(
        EvidenceKind::Diff,
        format!("diff|{}", change.key()),
        change.at,
        change.object.clone(),
        format!("{}: {}", change.object, crate::words::clip(&change.summary, 140)),
        lines.join("\n"),
    );
    item.observed = change.observed;
    item
}

/// The newest template against the one before, from the ReplicaSets a Deployment keeps: this tells of a roll-out that
/// nobody watched.
fn reconstructed(index: &Index, fault: &Fault) -> Vec<Change> {
    let mut out = Vec::new();
    let mut done = BTreeSet::new();
    for subject in fault.findings.iter().map(|f| &f.subject) {
        if subject.kind != "Deployment" || !done.insert(subject.key()) {
            continue;
        }
        let Some(deployment) = index.resolve(subject) else { continue };
        let mut sets: Vec<&ReplicaSet> = index
            .owned_by(&deployment.meta().uid)
            .filter_map(|o| match &**o {
                Object::ReplicaSet(r) => Some(r),
                _ => None,
            })
            .collect();
        sets.sort_by_key(|r| revision(r));
        let [.., before, newest] = sets.as_slice() else { continue };
        // A roll-back raises the old set's revision: then its creation says nothing about the time of the change.
        let Some(at) = newest.metadata.creation_timestamp else { continue };
        if before.metadata.creation_timestamp.is_some_and(|t| t > at) {
            continue;
        }
        let wrap = |r: &ReplicaSet| {
            let mut template = r.spec.template.clone();
            template.metadata.labels.remove("pod-template-hash");
            Object::ReplicaSet(ReplicaSet {
                spec: crate::object::workload::ReplicaSetSpec { template, ..Default::default() },
                ..Default::default()
            })
        };
        let fields = diff(&wrap(before), &wrap(newest));
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
