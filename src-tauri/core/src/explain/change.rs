//! Changes near a fault: found by reach (the objects the fault hangs on) and time.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{
    reach::{Hangs, Reach, is_controller},
    template,
};
use crate::{
    change::{Change, ChangeVerb, FieldChange, summarise},
    correlate::{CLOCK_SLACK, Fault},
    detect::context::{evidence, undo},
    evidence::EvidenceKind,
    finding::{CauseDraft, Finding},
    index::Index,
    object::{Kind, ObjectRef},
    severity::Confidence,
};

/// A change this long before the start is still told.
const BEFORE: SignedDuration = SignedDuration::from_hours(1);
/// A change this long before the start may be the trigger.
const SUSPECT: SignedDuration = SignedDuration::from_mins(30);

/// Up to here a change is `just before`.
const JUST: SignedDuration = SignedDuration::from_mins(5);

/// How long after it happened a change may be heard of, where the cluster does not say when it was.
const ARRIVAL: SignedDuration = SignedDuration::from_secs(60);

/// Changes told at most.
const TOLD: usize = 20;

pub(super) fn explain(index: &Index, fault: &mut Fault) {
    let named = named(fault);
    let mut hangs = Hangs::default();
    let mut done = BTreeSet::new();
    for subject in fault.findings.iter().map(|f| &f.subject).chain([&fault.subject]) {
        if done.insert(subject.key()) {
            hangs.take(index, subject);
        }
    }
    let reach = |c: &Change| match named.contains(&c.object.key()) {
        true => Some(hangs.reach(c).map_or(Reach::Used, |r| r.min(Reach::Used))),
        false => hangs.reach(c),
    };
    let from = fault.started_at.saturating_sub(BEFORE).unwrap_or(Timestamp::MIN);
    let recent = |c: &&Change| c.at >= from || blamed(c, fault);
    let mut changes: Vec<(Change, Reach)> =
        index.changes().filter(recent).filter_map(|c| Some((c.clone(), reach(c)?))).collect();
    for change in template::reconstructed(index, fault) {
        // What was seen live needs no second telling.
        let seen = changes.iter().any(|(c, _)| {
            c.object.same_name(&change.object) && c.at.duration_since(change.at).abs() < SignedDuration::from_secs(10)
        });
        if !seen && change.at >= from {
            changes.push((change, Reach::Own));
        }
    }
    // What is far away and breaks nothing is no news here.
    changes.retain(|(c, reach)| *reach <= Reach::Used || !super::reach::routine(c));
    changes.sort_by(|(a, _), (b, _)| b.at.cmp(&a.at).then_with(|| a.key().cmp(&b.key())));
    changes.truncate(TOLD);
    let proof = proof(fault);
    let mut judged: Vec<(Change, Reach, bool)> = changes
        .into_iter()
        .map(|(c, reach)| {
            let suspect = suspect(index, &c, reach, fault);
            (c, reach, suspect)
        })
        .collect();
    acquit(fault, &proof, &mut judged);
    // The change of what is to be changed back is told first, then of what proves the cause, then the closest, then the
    // newest.
    let blamed = fault.causes.first().map(|c| (c.entity.clone(), c.field.clone()));
    let mut order: Vec<&(Change, Reach, bool)> = judged.iter().filter(|(_, _, suspect)| *suspect).collect();
    order.sort_by_key(|(c, reach, _)| {
        let hit = blamed.as_ref().is_some_and(|(entity, field)| {
            c.object.same_name(entity) && field.as_ref().is_none_or(|f| c.fields.iter().any(|x| x.path == *f))
        });
        (!hit, !proof.contains(&c.object.key()), *reach)
    });
    for (change, reach, _) in order {
        let item = diff_evidence(change);
        tie(fault, change, &item.key, *reach <= Reach::Used, proof.contains(&change.object.key()));
        if !fault.evidence.iter().any(|e| e.key == item.key) {
            fault.evidence.push(item);
        }
    }
    fault.changes.extend(judged.into_iter().map(|(c, _, suspect)| (c, suspect)));
}

/// Keys of the objects besides the workloads hit that are to be changed, or whose state proves the first cause.
fn proof(fault: &Fault) -> BTreeSet<String> {
    let Some(cause) = fault.causes.first() else { return BTreeSet::new() };
    let hit: BTreeSet<String> = fault.findings.iter().map(|f| f.subject.key()).collect();
    let shown = fault.evidence.iter().filter(|e| e.kind == EvidenceKind::Object && cause.evidence.contains(&e.key));
    let shown = shown.map(|e| e.object.key()).filter(|key| !key.starts_with("Pod/") && !hit.contains(key));
    shown
        .chain([cause.entity.key()])
        .chain(cause.referrer.iter().map(ObjectRef::key).filter(|k| !hit.contains(k)))
        .collect()
}

/// Where something else was changed that proves the cause, a change of what is hit only brought it to light, unless it
/// speaks of what is to be changed.
fn acquit(fault: &Fault, proof: &BTreeSet<String>, judged: &mut [(Change, Reach, bool)]) {
    let Some(cause) = fault.causes.first() else { return };
    // One workload is to blame: what was changed of the others that fail with it did not bring it about.
    let own = |o: &ObjectRef| o.same_name(&cause.entity) || cause.referrer.as_ref().is_some_and(|r| r.same_name(o));
    let hit = |o: &ObjectRef| fault.findings.iter().any(|f| f.subject.same_name(o));
    let proven = cause.confidence == Confidence::Established || judged.iter().any(|(c, _, s)| *s && own(&c.object));
    if proven && hit(&cause.entity) && cause.rule_id != "log-pool-exhausted" {
        judged
            .iter_mut()
            .filter(|(c, ..)| hit(&c.object) && !own(&c.object))
            .for_each(|(.., suspect)| *suspect = false);
    }
    if !judged.iter().any(|(c, _, suspect)| *suspect && proof.contains(&c.object.key())) {
        return;
    }
    // What asks for more than there is meets its bound by itself.
    let more = |f: &FieldChange| f.path == "spec.replicas" || f.path.contains(".resources.");
    let speaks = |c: &Change| {
        let apart = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.');
        let says =
            |text: &Option<String>| text.as_ref().is_some_and(|t| t.split(apart).any(|w| w == cause.entity.name));
        c.fields.iter().any(|f| {
            more(f) || says(&f.from) || says(&f.to) || cause.field.as_ref().is_some_and(|path| f.path == *path)
        })
    };
    for (change, _, suspect) in judged {
        if hit(&change.object)
            && !cause.entity.same_name(&change.object)
            && change.verb == ChangeVerb::Modified
            && !proof.contains(&change.object.key())
            && !speaks(change)
        {
            *suspect = false;
        }
    }
}

/// Keys of the objects that the fault itself names. Pods and events are no history.
fn named(fault: &Fault) -> BTreeSet<String> {
    let causes = fault.findings.iter().flat_map(|f| &f.causes);
    fault
        .findings
        .iter()
        .map(|f| f.object.key())
        .chain(
            causes.flat_map(|c| [Some(c.entity.key()), c.referrer.as_ref().map(ObjectRef::key)].into_iter().flatten()),
        )
        .filter(|k| !k.starts_with("Event/") && !k.starts_with("Pod/"))
        .collect()
}

/// The first cause is this very change, however long ago it was made.
fn blamed(change: &Change, fault: &Fault) -> bool {
    fault.causes.first().is_some_and(|c| {
        let key = format!("diff|{}", change.key());
        c.entity.same_name(&change.object)
            && matches!(
                c.rule_id.as_str(),
                "configuration-changed" | "dependency-changed" | "dependency-scaled-to-zero"
            )
            && c.evidence.contains(&key)
    })
}

/// Of the ConfigMap that is blamed another key was changed than the one that is.
fn other_key(change: &Change, fault: &Fault) -> bool {
    fault.causes.first().is_some_and(|c| {
        let key = c.field.as_deref().and_then(|f| f.strip_prefix("data[")?.strip_suffix(']'));
        c.entity.same_name(&change.object) && key.is_some_and(|key| change.spares(|k| k == key))
    })
}

/// What the first cause names was deleted or scaled to zero: that cannot have put anything right, and the cluster says
/// of neither when it happened, only the watch when it was heard of.
fn brings_it(change: &Change, fault: &Fault) -> bool {
    let zero = |f: &FieldChange| f.path == "spec.replicas" && f.to.as_deref().is_none_or(|n| n == "0");
    fault.causes.first().is_some_and(|c| {
        c.entity.same_name(&change.object)
            && match change.verb {
                ChangeVerb::Deleted => true,
                ChangeVerb::Modified => c.rule_id == "dependency-scaled-to-zero" && change.fields.iter().any(zero),
                ChangeVerb::Created => false,
            }
    })
}

/// What the first cause says is not there any more was deleted.
fn took_away(change: &Change, fault: &Fault) -> bool {
    let lost = |c: &CauseDraft| {
        c.rule_id == "volume-lost" && c.statement.contains(&format!("{}, which does not exist", change.object))
    };
    change.verb == ChangeVerb::Deleted && fault.causes.first().is_some_and(lost)
}

/// When that began which a change may have brought about: what blames the changed field itself, else all of it.
fn begun(change: &Change, fault: &Fault) -> Timestamp {
    let first = fault.causes.first().filter(|c| {
        let field = c.field.as_deref().is_some_and(|path| change.fields.iter().any(|f| f.path == path));
        field && c.entity.same_name(&change.object)
    });
    let blames = |cause: &CauseDraft| {
        let names =
            |f: &&Finding| f.causes.first().is_some_and(|c| c.rule_id == cause.rule_id && c.entity == cause.entity);
        let of_it: Vec<&Finding> = fault.findings.iter().filter(names).collect();
        let start = of_it.iter().map(|f| f.started_at).min()?;
        // Who failed before the change as well does not fail for it.
        let failed = |f: &Finding| f.started_at < change.at && of_it.iter().any(|o| o.object.same_name(&f.object));
        (!fault.findings.iter().any(failed)).then_some(start)
    };
    first.and_then(blames).unwrap_or(fault.started_at)
}

fn suspect(index: &Index, change: &Change, reach: Reach, fault: &Fault) -> bool {
    if blamed(change, fault) {
        return true;
    }
    let lead = begun(change, fault).duration_since(change.at);
    let slack = if brings_it(change, fault) { ARRIVAL } else { CLOCK_SLACK };
    let in_time = lead >= -slack && lead <= SUSPECT;
    if !in_time || change.who.as_deref().is_some_and(is_controller) && reach > Reach::Used {
        return false;
    }
    if other_key(change, fault) {
        return false;
    }
    // Where the fault is proven, what only lies around it is innocent.
    let proven = fault.causes.first().is_some_and(|c| c.confidence == Confidence::Established);
    if proven && reach > Reach::Used && !took_away(change, fault) && !decrees(change, fault) {
        return false;
    }
    if reach > Reach::Used && !concerns(change, fault) {
        return false;
    }
    match change.verb {
        ChangeVerb::Modified => change.fields.iter().any(|f| telling(change, f, fault)),
        ChangeVerb::Deleted => true,
        // What came together with the workload is part of it, and no change to it.
        ChangeVerb::Created => {
            let with_it = index
                .resolve(&fault.subject)
                .and_then(|o| o.meta().creation_timestamp)
                .is_some_and(|made| made.duration_since(change.at).abs() <= SignedDuration::from_secs(60));
            let itself = acts(&change.object) && change.object.same_name(&fault.subject);
            !with_it || itself || fault.causes.first().is_some_and(|c| c.entity.same_name(&change.object))
        }
    }
}

/// A Namespace that was given another Pod Security level, by which pods are refused since.
fn decrees(change: &Change, fault: &Fault) -> bool {
    let refused = fault.causes.first().is_some_and(|c| c.rule_id == "pod-security-violated");
    let level = |f: &FieldChange| f.path.contains("pod-security.kubernetes.io/");
    refused && change.object.is(Kind::Namespace) && change.fields.iter().any(level)
}

/// What acts on others does so from the moment it is made.
fn acts(object: &ObjectRef) -> bool {
    object.read_as().is_some_and(|kind| {
        matches!(
            kind,
            Kind::ValidatingWebhookConfiguration
                | Kind::MutatingWebhookConfiguration
                | Kind::NetworkPolicy
                | Kind::ResourceQuota
                | Kind::LimitRange
        )
    })
}

/// What bounds a namespace concerns what is made in it, a policy what is sent, a role what asks the API server.
fn concerns(change: &Change, fault: &Fault) -> bool {
    let finds = |rules: &[&str]| fault.findings.iter().any(|f| rules.contains(&f.rule_id.as_str()));
    let says = |words: &[&str]| {
        let ids = fault.causes.iter().map(|c| c.rule_id.as_str());
        ids.into_iter().any(|id| words.iter().any(|w| id.contains(w)))
    };
    // A program that says nothing of why it ends may miss anything.
    let silent = says(&["container-exits", "log-panic"]);
    let Some(kind) = change.object.read_as() else { return true };
    match kind {
        Kind::ResourceQuota
        | Kind::LimitRange
        | Kind::ValidatingWebhookConfiguration
        | Kind::MutatingWebhookConfiguration => finds(&[
            "pods-not-created",
            "deployment-stuck",
            "claim-pending",
            "statefulset-stuck",
            "webhook-backend-down",
        ]),
        Kind::NetworkPolicy => {
            silent
                || says(&[
                    "timeout",
                    "refused",
                    "reset",
                    "unreachable",
                    "dns",
                    "host",
                    "probe-",
                    "dependency",
                    "policy",
                ])
        }
        Kind::Role | Kind::RoleBinding | Kind::ClusterRole | Kind::ClusterRoleBinding => {
            silent || says(&["access", "auth", "permission"])
        }
        // Where it listens, and when, is its own affair.
        Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet => {
            let own = ["probe-refused", "probe-port-wrong", "probe-path-wrong", "probe-kills-slow-start"];
            !fault.causes.first().is_some_and(|c| own.contains(&c.rule_id.as_str()))
        }
        _ => true,
    }
}

/// Scaling by itself breaks little; it is told but not suspected, except where pods have no room. A restart only
/// brings to light what was changed before. Nothing selects an object by its own labels but nodes, namespaces, which
/// say by them what may run there and who may call, and pods, whose labels stand in a template.
fn telling(change: &Change, field: &FieldChange, fault: &Fault) -> bool {
    if field.path.starts_with("labels") {
        let finds = |rules: &[&str]| fault.findings.iter().any(|f| rules.contains(&f.rule_id.as_str()));
        return match change.object.read_as() {
            Some(Kind::Node) => true,
            Some(Kind::Namespace) => finds(&["pods-not-created", "traffic-cut-by-policy"]),
            _ => false,
        };
    }
    if field.path.contains(".template.metadata.annotations.") || field.path == "spec.paused" {
        return false;
    }
    // How many pods are refused, or from which image, is no reason to refuse them.
    const SECURITY: [&str; 5] = ["ecurity", "spec.template.spec.host", "hostPort", "volumes", "apabilities"];
    match fault.causes.first().map_or("", |c| c.rule_id.as_str()) {
        "admission-denied" if field.path == "spec.replicas" => return false,
        "pod-security-violated" => {
            // A container that was added brings what is refused with it.
            let added = field.from.is_none() && field.path.ends_with(".image");
            return added || SECURITY.iter().any(|w| field.path.contains(w));
        }
        _ => {}
    }
    if field.path != "spec.replicas" {
        return true;
    }
    // More pods take more connections.
    let more =
        field.from.as_ref().zip(field.to.as_ref()).and_then(|(a, b)| Some(a.parse::<u32>().ok()? < b.parse().ok()?));
    if more == Some(true) && fault.causes.first().is_some_and(|c| c.rule_id == "log-pool-exhausted") {
        return true;
    }
    // What is gone to zero serves nobody, whoever calls it.
    let to_zero = field.to.as_deref().is_none_or(|n| n == "0");
    let by_cluster = change.who.as_deref().is_some_and(is_controller);
    to_zero && !by_cluster
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
fn tie(fault: &mut Fault, change: &Change, key: &str, own: bool, proven: bool) {
    let lead = begun(change, fault).duration_since(change.at);
    let subject = fault.subject.clone();
    let Some(cause) = fault.causes.first_mut() else { return };
    // The field that is to be changed back leads, however much a release changes beside it.
    let summary = match change.fields.is_empty() {
        true => change.summary.clone(),
        false => summarise(&change.fields, cause.field.as_deref()),
    };
    let undo_step = undo(&subject, &format!("it undoes this change: {summary}"));
    if !cause.evidence.iter().any(|e| e == key) {
        cause.evidence.push(key.to_owned());
    }
    if own {
        cause.signs.pro += 1;
        // Of a Secret only the version is known: an annotation raises it as its data does.
        let said = !change.object.is(Kind::Secret) && change.verb == ChangeVerb::Modified;
        // Of two that were changed together neither became likelier.
        if cause.confidence == Confidence::Possible
            && said
            && !matches!(cause.rule_id.as_str(), "configuration-changed" | "dependency-changed")
        {
            cause.confidence = Confidence::Likely;
        }
    } else if lead > JUST {
        return;
    }
    if !cause.statement.ends_with(['.', '!', '?', '…']) {
        cause.statement.push('.');
    }
    let told =
        [" changed ", " deleted ", " created ", " scaled it from "].iter().any(|word| cause.statement.contains(word));
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
        ChangeVerb::Created if !told && (proven || change.object.same_name(&subject) && acts(&change.object)) => {
            cause.statement.push_str(&format!(" {} created {} at {at}.", who.unwrap_or("Somebody"), change.object));
        }
        ChangeVerb::Deleted if !told && !change.object.same_name(&subject) => {
            cause.statement.push_str(&format!(" {} was deleted at {at}.", change.object));
        }
        _ => {}
    }
}

/// A change as evidence.
pub(crate) fn diff_evidence(change: &Change) -> crate::evidence::EvidenceDraft {
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
