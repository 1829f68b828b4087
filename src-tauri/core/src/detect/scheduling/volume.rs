//! Volumes that keep a pod from being placed: claims that are missing or not bound, volumes that are elsewhere.

use serde_json::Value;

use super::super::{
    Context,
    context::{Owner, action, cause, edit, ns_flag, object_evidence},
    placement, storage,
};
use super::nodes;
use crate::{
    evidence::EvidenceKind,
    finding::{CauseDraft, Finding},
    index::Now,
    object::{Kind, Node, Object, ObjectRef, PersistentVolume, PersistentVolumeClaim, Pod},
    remediation::ActionKind,
    severity::Confidence,
    words,
};

fn claim_of<'a>(cx: &Context<'a>, ns: Option<&str>, name: &str) -> Option<&'a PersistentVolumeClaim> {
    let index = cx.index;
    match &**index.get(Kind::PersistentVolumeClaim, ns, name)? {
        Object::PersistentVolumeClaim(c) => Some(c),
        _ => None,
    }
}

fn volume_of<'a>(cx: &Context<'a>, name: &str) -> Option<&'a PersistentVolume> {
    let index = cx.index;
    match &**index.get(Kind::PersistentVolume, None, name)? {
        Object::PersistentVolume(v) => Some(v),
        _ => None,
    }
}

fn bound(claim: &PersistentVolumeClaim) -> bool {
    claim.status.phase.as_deref() == Some("Bound")
}

/// A claim of the pod that is missing, going, taken or not bound.
pub(super) fn claims(
    cx: &Context<'_>,
    f: &mut Finding,
    pod: &Pod,
    owner: &Owner,
    lower: &str,
    tail: &str,
) -> Option<CauseDraft> {
    let ns = pod.metadata.namespace.as_deref();
    for (name, volume_name) in pod.spec.claims() {
        let known = claim_of(cx, ns, name);
        let said = lower.contains(&format!("persistentvolumeclaim \"{name}\" not found"));
        if said || (known.is_none() && cx.index.knows(Kind::PersistentVolumeClaim, ns)) {
            return Some(missing(cx, f, owner, ns, name, volume_name));
        }
        let Some(claim) = known else { continue };
        if claim.metadata.deleting() && lower.contains("is being deleted") {
            return Some(going(cx, f, owner, claim));
        }
        if !bound(claim) && (!storage::waits_for_pod(cx, claim) || lower.contains("unbound immediate")) {
            let (mut c, steps) = storage::why_pending(cx, claim);
            c.referrer = Some(owner.subject.clone());
            f.hold = f.hold.max(storage::patience(&c));
            // A claim that was made later has its own time to be bound.
            f.started_at = claim.metadata.creation_timestamp.map_or(f.started_at, |made| made.max(f.started_at));
            f.headline = format!("cannot be scheduled: PersistentVolumeClaim {name} is not bound");
            f.actions.extend(steps);
            return Some(c);
        }
        if let Some(volume) = claim.spec.volume_name.as_deref().filter(|_| bound(claim))
            && volume_of(cx, volume).is_none()
            && (cx.index.knows(Kind::PersistentVolume, None) || lower.contains("bound to non-existent"))
        {
            let (mut c, steps) = storage::lost(claim, volume);
            f.actions.extend(steps);
            c.referrer = Some(owner.subject.clone());
            f.headline = format!("cannot be scheduled: the volume of claim {name} is gone");
            return Some(c);
        }
    }
    lower.contains("readwriteoncepod access mode").then(|| one_pod(cx, f, pod, owner, tail))
}

fn missing(cx: &Context<'_>, f: &mut Finding, owner: &Owner, ns: Option<&str>, name: &str, volume: &str) -> CauseDraft {
    let entity = ObjectRef::missing(Kind::PersistentVolumeClaim, ns, name);
    let all: Vec<&str> =
        cx.index.in_namespace(Kind::PersistentVolumeClaim, ns.unwrap_or("")).map(|o| o.meta().name.as_str()).collect();
    let near = placement::nearest(name, all.into_iter()).map(|n| format!(" There is {n}.")).unwrap_or_default();
    let mut c = cause(
        "claim-missing",
        Confidence::Established,
        entity.clone(),
        format!(
            "PersistentVolumeClaim {name} does not exist (not found) in namespace {}; volume {volume} of {} needs it.{near}",
            ns.unwrap_or(""),
            owner.subject
        ),
    );
    c.referrer = Some(owner.subject.clone());
    c.field = Some(owner.pod_field(&format!("volumes[{volume}].persistentVolumeClaim.claimName")));
    f.headline = format!("cannot be scheduled: PersistentVolumeClaim {name} is missing");
    f.actions.push(action(
        ActionKind::CreateClaim,
        &entity,
        format!("{} waits for it", owner.subject),
        "none for what runs already",
        "create persistentvolumeclaims",
        format!("kubectl apply{} -f CLAIM.yaml", ns_flag(&owner.subject)),
    ));
    c
}

fn going(cx: &Context<'_>, f: &mut Finding, owner: &Owner, claim: &PersistentVolumeClaim) -> CauseDraft {
    let name = &claim.metadata.name;
    let users = storage::holders(cx, claim);
    let held = match users.first() {
        Some((pod, who)) => format!(" while {pod} of {who} still uses it"),
        None => String::new(),
    };
    let by = claim.metadata.finalizers.join(", ");
    let by = if by.is_empty() { String::new() } else { format!(" (finalizers: {by})") };
    f.headline = format!("cannot be scheduled: PersistentVolumeClaim {name} is being deleted");
    f.actions.push(action(
        ActionKind::CreateClaim,
        &claim.reference(),
        "once it is gone the pod needs a new one",
        "what the old one held is lost with it, unless its volume is kept",
        "create persistentvolumeclaims",
        format!("kubectl apply{} -f CLAIM.yaml", ns_flag(&owner.subject)),
    ));
    let mut c = cause(
        "claim-being-deleted",
        Confidence::Established,
        claim.reference(),
        format!(
            "PersistentVolumeClaim {name} is being deleted{held}{by}, so no new pod of {} may use it.",
            owner.subject
        ),
    );
    c.referrer = Some(owner.subject.clone());
    c
}

/// ReadWriteOncePod: one pod at a time, and another has it.
fn one_pod(cx: &Context<'_>, f: &mut Finding, pod: &Pod, owner: &Owner, tail: &str) -> CauseDraft {
    let ns = pod.metadata.namespace.as_deref();
    let once = |c: &&PersistentVolumeClaim| c.spec.access_modes.iter().any(|m| m == "ReadWriteOncePod");
    let mut all = pod.spec.claims().filter_map(|(c, _)| claim_of(cx, ns, c));
    let claim = all.find(once);
    let holder = claim.and_then(|c| storage::holders(cx, c).into_iter().find(|(p, _)| p.name != pod.metadata.name));
    f.headline = "cannot be scheduled: another pod has its volume".into();
    f.actions.push(edit(ActionKind::Scale, &owner.subject, "a volume for one pod serves one replica"));
    let name = claim.map_or("of the pod", |c| c.metadata.name.as_str());
    let by = holder.as_ref().map_or("another pod".to_owned(), |(p, who)| format!("{p} of {who}"));
    let mut c = cause(
        "claim-used-by-one-pod",
        if holder.is_some() { Confidence::Established } else { Confidence::Likely },
        owner.subject.clone(),
        format!(
            "PersistentVolumeClaim {name} has access mode ReadWriteOncePod and is used by {by}; {} cannot have it too. The scheduler says: {tail}",
            pod.reference()
        ),
    );
    c.signs.pro = 2;
    c.referrer = claim.map(PersistentVolumeClaim::reference);
    c.field = Some("spec.replicas".into()).filter(|_| super::replicas(cx, owner).is_some_and(|n| n > 1));
    c
}

/// The bound volumes of the pod that are tied to certain nodes, with their claims.
pub(super) fn tied<'a>(cx: &Context<'a>, pod: &Pod) -> Vec<(String, &'a PersistentVolume)> {
    let ns = pod.metadata.namespace.as_deref();
    pod.spec
        .claims()
        .filter_map(|(c, _)| {
            let volume = volume_of(cx, claim_of(cx, ns, c)?.spec.volume_name.as_deref()?)?;
            Some((c.to_owned(), volume))
        })
        .filter(|(_, v)| !places(v).is_empty() || zone(v).is_some())
        .collect()
}

/// The terms of a volume's node affinity.
fn places(volume: &PersistentVolume) -> &[Value] {
    let terms = volume.spec.node_affinity.as_ref().and_then(|a| a.pointer("/required/nodeSelectorTerms"));
    terms.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

const ZONES: [&str; 2] = ["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"];

/// The zone a volume is labelled with.
fn zone(volume: &PersistentVolume) -> Option<&str> {
    ZONES.iter().find_map(|z| volume.metadata.labels.get(*z)).map(String::as_str)
}

/// The volume can be used on the node.
pub(super) fn allows(volume: &PersistentVolume, node: &Node) -> bool {
    let terms = places(volume);
    let there = ZONES.iter().find_map(|z| node.metadata.labels.get(*z));
    let zoned = zone(volume).is_none_or(|z| there.is_none_or(|n| z.split("__").any(|z| z == n)));
    zoned && (terms.is_empty() || placement::in_terms(terms, node))
}

fn whereabouts(volume: &PersistentVolume) -> String {
    match places(volume) {
        [] => format!("in zone {}", zone(volume).unwrap_or("?")),
        terms => format!("where {}", placement::describe(terms)),
    }
}

/// A volume of the pod is where the pod may not be.
pub(super) fn elsewhere(
    cx: &Context<'_>,
    f: &mut Finding,
    pod: &Pod,
    owner: &Owner,
    tied: &[(String, &PersistentVolume)],
    tail: &str,
) -> CauseDraft {
    f.headline = "cannot be scheduled: its volume is where it may not be".into();
    let home =
        |v: &PersistentVolume| nodes(cx).filter(|n| allows(v, n)).map(|n| n.metadata.name.clone()).collect::<Vec<_>>();
    let homeless = tied.iter().find(|(_, v)| home(v).is_empty());
    let (claim, volume) = homeless.unwrap_or(&tied[0]);
    let me = volume.reference();
    let item = object_evidence(
        EvidenceKind::Object,
        me.clone(),
        "affinity",
        format!("PersistentVolume {} can be used {}", me.name, whereabouts(volume)),
        &[("claim", claim.clone()), ("usable", whereabouts(volume)), ("nodes", home(volume).join(", "))],
        Now::STAMP,
    );
    let why = tail;
    let (entity, field, statement) = if homeless.is_some() {
        let nodes: Vec<String> = nodes(cx).map(|n| n.metadata.name.clone()).collect();
        let to = (me.clone(), "spec.nodeAffinity".to_owned());
        let statement = format!(
            "PersistentVolume {} (claim {claim}) can only be used {}, and no node of the cluster matches (volume node affinity conflict); the nodes are {}. The scheduler says: {why}",
            me.name,
            whereabouts(volume),
            words::list(&nodes, 4)
        );
        (to.0, to.1, statement)
    } else if super::asks_for_nodes(pod) {
        let selector = !pod.spec.node_selector.is_empty();
        let asks = pod.spec.node_selector.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(", ");
        let asks = if selector {
            asks
        } else {
            placement::describe(placement::required_terms(pod).map_or(&[], Vec::as_slice))
        };
        let field = owner.pod_field(if selector { "nodeSelector" } else { "affinity.nodeAffinity" });
        let statement = format!(
            "PersistentVolume {} (claim {claim}) can only be used {} ({}), and {} asks for nodes with {asks} (volume node affinity conflict). The scheduler says: {why}",
            me.name,
            whereabouts(volume),
            words::list(&home(volume), 3),
            owner.subject
        );
        (owner.subject.clone(), field, statement)
    } else {
        let all: Vec<String> =
            tied.iter().map(|(c, v)| format!("{} (claim {c}) {}", v.metadata.name, whereabouts(v))).collect();
        let entity = claim_of(cx, pod.metadata.namespace.as_deref(), claim)
            .map_or_else(|| me.clone(), PersistentVolumeClaim::reference);
        let statement = format!(
            "The volumes of {} can be used on no node together (volume node affinity conflict): {}. The scheduler says: {why}",
            owner.subject,
            words::list(&all, 3)
        );
        (entity, "spec.volumeName".to_owned(), statement)
    };
    f.actions.push(edit(
        ActionKind::Patch,
        &owner.subject,
        "it must be allowed where its volume is, or use another claim",
    ));
    let mut c = cause("volume-node-affinity", Confidence::Established, entity.clone(), statement);
    c.field = Some(field);
    c.referrer = Some(if entity.same_name(&owner.subject) { me } else { owner.subject.clone() });
    c.evidence.push(item.key.clone());
    f.evidence.push(item);
    c
}

/// No volume can be had on any node: none fits, none is free, or the node has its fill.
pub(super) fn unbindable(
    cx: &Context<'_>,
    f: &mut Finding,
    pod: &Pod,
    owner: &Owner,
    lower: &str,
    tail: &str,
) -> CauseDraft {
    let ns = pod.metadata.namespace.as_deref();
    f.headline = "cannot be scheduled: no volume can be had for it".into();
    let open = pod.spec.claims().filter_map(|(c, _)| claim_of(cx, ns, c)).find(|c| !bound(c));
    if let Some(claim) = open {
        let (mut c, steps) = storage::why_unbound(cx, claim);
        if c.confidence != Confidence::Established {
            f.hold = f.hold.max(storage::patience(&c));
        }
        c.referrer = Some(owner.subject.clone());
        f.actions.extend(steps);
        return c;
    }
    let claims: Vec<String> = pod.spec.claims().map(|(c, _)| c.to_owned()).collect();
    let (rule, why) = match lower {
        l if l.contains("max volume count") => {
            ("volume-limit-reached", "the nodes have as many volumes as they can attach")
        }
        l if l.contains("zone") => ("volume-node-affinity", "its volume is in a zone without a node for it"),
        _ => (
            "volume-node-affinity",
            "its volume can only be used on nodes the pod may not run on (volume node affinity conflict)",
        ),
    };
    let first = claims.first().and_then(|c| claim_of(cx, ns, c)).map(PersistentVolumeClaim::reference);
    let mut c = cause(
        rule,
        Confidence::Likely,
        first.unwrap_or_else(|| owner.subject.clone()),
        format!(
            "{} cannot be placed with its claim {}: {why}. The scheduler says: {tail}",
            owner.subject,
            words::list(&claims, 3)
        ),
    );
    c.signs.pro = 2;
    c.referrer = Some(owner.subject.clone());
    c
}
