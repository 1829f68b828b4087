//! Claims that wait for a volume somebody made: which volume comes nearest, and what keeps it from being taken.

use super::super::context::{action, cause, ns_flag};
use super::{Context, complaint, size};
use crate::{
    finding::CauseDraft,
    object::{Kind, Object, ObjectRef, PersistentVolume, PersistentVolumeClaim, storage::ClaimRef},
    remediation::{ActionDraft, ActionKind},
    severity::Confidence,
    words,
};

/// The provisioner of classes whose volumes are made by hand.
pub(super) const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// What keeps a volume from a claim.
struct Misfit {
    /// The claim's field, or the volume's where it is the volume that is not free.
    field: &'static str,
    said: String,
    /// The volume belongs, or belonged, to another claim.
    taken: bool,
}

fn misfits(claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> Vec<Misfit> {
    let mut out = Vec::new();
    let mut push = |field, said: String, taken| out.push(Misfit { field, said, taken });
    let class = |c: &Option<String>| c.clone().unwrap_or_default();
    let (wanted, offered) = (class(&claim.spec.storage_class_name), class(&volume.spec.storage_class_name));
    if wanted != offered {
        let say = |c: &str| if c.is_empty() { "no class".to_owned() } else { format!("class {c}") };
        push("spec.storageClassName", format!("is of {} where {} is asked", say(&offered), say(&wanted)), false);
    }
    let asked = claim.spec.resources.requests.get("storage");
    let has = volume.spec.capacity.get("storage");
    if let (Some(a), Some(h)) = (asked, has)
        && a.milli() > h.milli()
    {
        push("spec.resources.requests.storage", format!("has {h} where {a} is asked"), false);
    }
    let missing: Vec<String> =
        claim.spec.access_modes.iter().filter(|m| !volume.spec.access_modes.contains(m)).cloned().collect();
    if !missing.is_empty() {
        let offers = words::list(&volume.spec.access_modes, 4);
        push("spec.accessModes", format!("offers {offers} where {} is asked", words::list(&missing, 4)), false);
    }
    let mode = |m: &Option<String>| m.clone().unwrap_or_else(|| "Filesystem".to_owned());
    let (a, h) = (mode(&claim.spec.volume_mode), mode(&volume.spec.volume_mode));
    if a != h {
        push("spec.volumeMode", format!("has volumeMode {h} where {a} is asked"), false);
    }
    if let Some(selector) = &claim.spec.selector
        && !selector.matches(&volume.metadata.labels)
    {
        let labels: Vec<String> = volume.metadata.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let labels = if labels.is_empty() { "no labels".to_owned() } else { words::list(&labels, 4) };
        let wanted = super::placement::selector_words(selector);
        push("spec.selector", format!("has {labels} where {wanted} is asked"), false);
    }
    let of = volume.spec.claim_ref.as_ref();
    let holder = of.map(|r| format!("{}/{}", r.namespace.as_deref().unwrap_or(""), r.name)).unwrap_or_default();
    let same_name = of.is_none_or(|r| r.name == claim.metadata.name && r.namespace == claim.metadata.namespace);
    let ours = same_name && of.and_then(|r| r.uid.as_ref()).is_none_or(|u| *u == claim.metadata.uid);
    match volume.status.phase.as_deref() {
        Some("Released") => {
            push("spec.claimRef", format!("is Released and still refers to claim {holder} of before (claimRef)"), true)
        }
        Some("Failed") => push("spec.claimRef", format!("is Failed after claim {holder}"), true),
        Some("Bound") if !ours => push("spec.claimRef", format!("is bound to claim {holder}"), true),
        _ if !ours => push("spec.claimRef", format!("is reserved for claim {holder} (claimRef)"), true),
        _ => {}
    }
    out
}

/// Why no volume that is there serves the claim.
pub(in super::super) fn why_unbound(cx: &Context<'_>, claim: &PersistentVolumeClaim) -> (CauseDraft, Vec<ActionDraft>) {
    let me = claim.reference();
    let known = cx.index.knows(Kind::PersistentVolume, None);
    let volumes: Vec<&PersistentVolume> = cx
        .index
        .all(Kind::PersistentVolume)
        .filter_map(|o| match &**o {
            Object::PersistentVolume(v) if !v.metadata.deleting() => Some(v),
            _ => None,
        })
        .collect();
    let mut steps = vec![remake(ActionKind::CreateClaim, &me, "a volume must match its class, size and access modes")];
    let wants = wants(claim);
    let named = claim.spec.volume_name.as_deref().filter(|v| !v.is_empty());
    if let Some(name) = named
        && known
        && !volumes.iter().any(|v| v.metadata.name == name)
    {
        let near = super::placement::nearest(name, volumes.iter().map(|v| v.metadata.name.as_str()));
        let near = near.map(|n| format!(" Is {n} meant?")).unwrap_or_default();
        let mut c = cause(
            "volume-missing",
            Confidence::Established,
            me,
            format!(
                "PersistentVolumeClaim {} asks for PersistentVolume {name} (volumeName), which does not exist (not found).{near}",
                claim.metadata.name
            ),
        );
        c.field = Some("spec.volumeName".into());
        return (c, steps);
    }
    // The fewest reasons against it first; volumes that serve others come last.
    let mut ranked: Vec<(usize, bool, &PersistentVolume, Vec<Misfit>)> = volumes
        .into_iter()
        .filter(|v| named.is_none_or(|n| v.metadata.name == n))
        .map(|v| {
            let m = misfits(claim, v);
            (m.len(), m.iter().any(|m| m.taken && m.said.starts_with("is bound")) && named.is_none(), v, m)
        })
        .collect();
    ranked.sort_by(|a, b| (a.1, a.0, &a.2.metadata.name).cmp(&(b.1, b.0, &b.2.metadata.name)));
    let said =
        complaint(&cx.index.events_of(&me)).map(|e| format!(" The cluster says: {}", words::clip(e.message(), 240)));
    let said = said.unwrap_or_default();
    let proven = if known { Confidence::Established } else { Confidence::Likely };
    let mut c = match ranked.first() {
        None => {
            let none = if known { "there is no PersistentVolume" } else { "no volume is available" };
            let mut c = cause(
                "no-volume-fits",
                proven,
                me,
                format!(
                    "No persistent volume fits PersistentVolumeClaim {} ({wants}): {none}, and no provisioner makes one.{said}",
                    claim.metadata.name
                ),
            );
            c.field = Some("spec.storageClassName".into());
            c
        }
        Some((0, _, volume, _)) => cause(
            "claim-not-bindable",
            Confidence::Likely,
            me,
            format!(
                "PersistentVolumeClaim {} ({wants}) is not bound, though PersistentVolume {} fits it{}.{said}",
                claim.metadata.name,
                volume.metadata.name,
                place(volume)
            ),
        ),
        Some((_, _, volume, reasons)) => {
            let why: Vec<String> = reasons.iter().map(|m| m.said.clone()).collect();
            let nearest = if named.is_some() { "the one it names" } else { "the nearest" };
            let only_taken = reasons.iter().all(|m| m.taken);
            let released = volume.status.phase.as_deref() != Some("Bound");
            // A volume that only hangs on to its last claim is what must be changed.
            let (rule, entity) = match only_taken {
                true if released => ("volume-released", volume_ref(volume)),
                true => ("volume-taken", me.clone()),
                false => ("no-volume-fits", me.clone()),
            };
            let mut c = cause(
                rule,
                proven,
                entity.clone(),
                format!(
                    "No persistent volume fits PersistentVolumeClaim {} ({wants}): {nearest}, {}, {}.{said}",
                    claim.metadata.name,
                    volume.metadata.name,
                    words::list(&why, 4)
                ),
            );
            c.field = reasons.first().map(|m| m.field.to_owned());
            if only_taken && !released && named.is_some() {
                c.field = Some("spec.volumeName".into());
            } else if !entity.same_name(&me) {
                // What another claim left, or was promised, is not this one's to take.
                steps.insert(0, if held_for(volume, &me) { release(volume, &me) } else { look_at(&entity) });
                c.referrer = Some(me);
            }
            c
        }
    };
    c.signs.pro = 2;
    (c, steps)
}

/// Makes a claim anew that is bound to nothing: of what it asks for, all but the size is fixed, and the size until it is
/// bound. One that is bound by the time the manifest is written stays.
pub(super) fn remake(kind: ActionKind, claim: &ObjectRef, because: &str) -> ActionDraft {
    let (object, file) = (format!("{}{}", claim.kubectl(), ns_flag(claim)), format!("{}.yaml", claim.name));
    action(
        kind,
        claim,
        because,
        "what it asks for cannot be changed in place, so it is deleted and made anew, unless it is bound by then; a claim of a StatefulSet is made from its volumeClaimTemplates, which must be changed as well",
        "get, create and delete persistentvolumeclaims",
        format!(
            "kubectl get {object} -o yaml > {file} && ${{EDITOR:-vi}} {file} && kubectl get {object} -o jsonpath={{.status.phase}} | grep -qx Pending && kubectl replace --force -f {file}"
        ),
    )
}

/// The volume was released by an earlier claim of the same name.
fn held_for(volume: &PersistentVolume, claim: &ObjectRef) -> bool {
    let same = |r: &ClaimRef| r.name == claim.name && r.namespace == claim.namespace && r.uid.is_some();
    volume.status.phase.as_deref() == Some("Released") && volume.spec.claim_ref.as_ref().is_some_and(same)
}

fn look_at(volume: &ObjectRef) -> ActionDraft {
    action(
        ActionKind::ManualCheck,
        volume,
        "whose it is, and whether what is on it may go to another claim",
        "reads only",
        "get persistentvolumes",
        format!("kubectl describe {}", volume.kubectl()),
    )
}

/// Frees a volume from the claim of before that it still refers to, and from no other.
fn release(volume: &PersistentVolume, claim: &ObjectRef) -> ActionDraft {
    let reference = volume_ref(volume);
    let uid = volume.spec.claim_ref.as_ref().and_then(|r| r.uid.as_deref()).unwrap_or("");
    action(
        ActionKind::Patch,
        &reference,
        format!("{claim} can be bound to it once it no longer refers to the claim of that name before"),
        "what is still on the volume is served to the next claim: look at it first",
        "patch persistentvolumes",
        format!(
            r#"kubectl patch {} --type=json -p '[{{"op":"test","path":"/spec/claimRef/uid","value":"{uid}"}},{{"op":"remove","path":"/spec/claimRef"}}]'"#,
            reference.kubectl()
        ),
    )
}

fn wants(claim: &PersistentVolumeClaim) -> String {
    let class = match claim.spec.storage_class_name.as_deref() {
        Some("") | None => "no storage class".to_owned(),
        Some(c) => format!("class {c}"),
    };
    let modes = claim.spec.access_modes.join(", ");
    [size(claim), modes, class].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(", ")
}

/// Where a volume can be used, where it is tied to a place.
fn place(volume: &PersistentVolume) -> String {
    let terms = volume.spec.node_affinity.as_ref().and_then(|a| a.pointer("/required/nodeSelectorTerms"));
    match terms.and_then(serde_json::Value::as_array) {
        Some(terms) => format!("; it can only be used where {}", super::placement::describe(terms)),
        None => String::new(),
    }
}

fn volume_ref(volume: &PersistentVolume) -> ObjectRef {
    ObjectRef {
        uid: Some(volume.metadata.uid.clone()).filter(|u| !u.is_empty()),
        ..ObjectRef::missing(Kind::PersistentVolume, None, &volume.metadata.name)
    }
}

/// The volume a claim was bound to is not there any more. What it held may be: where the volume was to be retained, its
/// storage is untouched, and a volume of the same name over it is bound to the claim again.
pub(in super::super) fn lost(claim: &PersistentVolumeClaim, volume: &str) -> (CauseDraft, Vec<ActionDraft>) {
    let me = claim.reference();
    let mut c = cause(
        "volume-lost",
        Confidence::Established,
        me.clone(),
        format!(
            "PersistentVolumeClaim {} was bound to PersistentVolume {volume}, which does not exist any more (not found): the claim is Lost, and so is what the volume held unless it is kept elsewhere.",
            claim.metadata.name
        ),
    );
    c.field = Some("spec.volumeName".into());
    let step = action(
        ActionKind::ManualCheck,
        &me,
        format!(
            "where the storage behind PersistentVolume {volume} is still there, make a volume of that name over it anew, and the claim is bound to it again; a new claim begins empty"
        ),
        "reads only; do not delete the claim before its data is safe or not needed",
        "get persistentvolumeclaims",
        format!("kubectl describe {}{}", me.kubectl(), ns_flag(&me)),
    );
    (c, vec![step])
}
