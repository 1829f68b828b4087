//! Claims that wait for a provisioner.

use super::super::context::{action, cause, ns_flag};
use super::{Context, complaint, fit::remake, size};
use crate::{
    finding::CauseDraft,
    object::{Kind, Object, ObjectRef, PersistentVolumeClaim, PodSpec, StorageClass},
    remediation::{ActionDraft, ActionKind},
    severity::Confidence,
    words,
};

/// Why a provisioner made no volume for the claim.
pub(super) fn why(
    cx: &Context<'_>,
    claim: &PersistentVolumeClaim,
    class: &StorageClass,
) -> (CauseDraft, Vec<ActionDraft>) {
    let me = claim.reference();
    let name = &me.name;
    let events = cx.index.events_of(&me);
    let modes = claim.spec.access_modes.join(", ");
    let class_name = &class.metadata.name;
    let runs = runs(cx, &class.provisioner);
    // Whoever is to make the volumes does not run.
    if let Some((workload, wanted, ready)) = runs.iter().find(|(_, _, ready)| *ready == 0)
        && runs.iter().all(|(_, _, ready)| *ready == 0)
        && complaint(&events).is_none()
    {
        let scaled = *wanted == 0;
        let mut c = cause(
            "provisioner-down",
            if scaled { Confidence::Established } else { Confidence::Likely },
            workload.clone(),
            format!(
                "PersistentVolumeClaim {name} ({}, {modes}) of StorageClass {class_name} waits for the provisioner {}, whose {workload} in {} has {ready} of {wanted} pods ready{}.",
                size(claim),
                class.provisioner,
                workload.namespace.as_deref().unwrap_or(""),
                if scaled { ": it is scaled to zero" } else { "" }
            ),
        );
        c.field = scaled.then(|| "spec.replicas".into());
        c.signs.pro = 2;
        c.referrer = Some(me);
        let up = action(
            ActionKind::Scale,
            workload,
            "it makes the volumes of this class",
            "none",
            "patch deployments/scale",
            format!("kubectl scale {}{} --replicas=1", workload.kubectl(), ns_flag(workload)),
        );
        return (c, if scaled { vec![up] } else { Vec::new() });
    }
    if let Some(failed) = complaint(&events) {
        let mut c = cause(
            "volume-not-provisioned",
            Confidence::Likely,
            me.clone(),
            format!(
                "No volume of class {class_name} is made for PersistentVolumeClaim {name} ({}, {modes}). The cluster says: {}",
                size(claim),
                words::clip(failed.message(), 260)
            ),
        );
        let said = failed.message().to_lowercase();
        c.field = match said.as_str() {
            s if s.contains("access mode") => Some("spec.accessModes".into()),
            s if s.contains("volumemode") || s.contains("block") => Some("spec.volumeMode".into()),
            s if ["size", "capacity", "quota", "space"].iter().any(|w| s.contains(w)) => {
                Some("spec.resources.requests.storage".into())
            }
            _ => None,
        };
        c.signs.pro = 2;
        c.referrer = Some(class_ref(class));
        c.needs.push("the provisioner's log".into());
        return (c, vec![remake(ActionKind::CreateClaim, &me, "the provisioner says what it cannot make")]);
    }
    let check = action(
        ActionKind::ManualCheck,
        &class_ref(class),
        format!("whether {} runs", class.provisioner),
        "reads only",
        "get pods",
        format!("kubectl describe pvc {name}{}", ns_flag(&me)),
    );
    if runs.iter().any(|(_, _, ready)| *ready > 0) || made_before(cx, &class.provisioner) {
        let mut c = cause(
            "provisioner-slow",
            Confidence::Possible,
            me.clone(),
            format!(
                "PersistentVolumeClaim {name} ({}, {modes}) waits for a volume of class {class_name} from the provisioner {}, which says nothing of it.",
                size(claim),
                class.provisioner
            ),
        );
        c.referrer = Some(class_ref(class));
        c.needs.push("the provisioner's log".into());
        return (c, vec![check]);
    }
    let waits = events.iter().rev().find(|e| e.reason() == "ExternalProvisioning");
    let mut c = cause(
        "provisioner-missing",
        if waits.is_some() { Confidence::Likely } else { Confidence::Possible },
        class_ref(class),
        format!(
            "PersistentVolumeClaim {name} ({}, {modes}) waits for the provisioner {} of StorageClass {class_name}, and nothing in the cluster runs under that name or ever made a volume.{}",
            size(claim),
            class.provisioner,
            waits.map(|e| format!(" The cluster says: {}", words::clip(e.message(), 240))).unwrap_or_default()
        ),
    );
    c.signs.pro = 2;
    c.field = Some("provisioner".into());
    c.referrer = Some(me.clone());
    c.needs.push(format!("whether the provisioner {} runs, and its log", class.provisioner));
    (c, vec![super::recreate(&me), check])
}

fn class_ref(class: &StorageClass) -> ObjectRef {
    ObjectRef {
        uid: Some(class.metadata.uid.clone()).filter(|u| !u.is_empty()),
        ..ObjectRef::missing(Kind::StorageClass, None, &class.metadata.name)
    }
}

/// A volume of this driver exists.
fn made_before(cx: &Context<'_>, provisioner: &str) -> bool {
    cx.index.all(Kind::PersistentVolume).any(
        |o| matches!(&**o, Object::PersistentVolume(v) if v.spec.csi.as_ref().is_some_and(|c| c.driver == provisioner)),
    )
}

/// The workloads that seem to be this provisioner, with the pods they want and have ready: they bear its name, or name
/// it in arguments or environment.
fn runs(cx: &Context<'_>, provisioner: &str) -> Vec<(ObjectRef, i32, i32)> {
    let short = match provisioner.split_once('/') {
        Some((_, name)) => name.to_owned(),
        None => provisioner.split('.').take(2).collect::<Vec<_>>().join("-"),
    };
    if short.len() < 3 {
        return Vec::new();
    }
    let mut out = Vec::new();
    for kind in [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet] {
        for o in cx.index.all(kind) {
            let Some(template) = o.pod_template() else { continue };
            if !o.meta().name.contains(&short) && !names(&template.spec, provisioner) {
                continue;
            }
            let (wanted, ready) = match &**o {
                Object::Deployment(d) => (d.spec.replicas.unwrap_or(1), d.status.ready_replicas),
                Object::StatefulSet(s) => (s.spec.replicas.unwrap_or(1), s.status.ready_replicas),
                Object::DaemonSet(d) => (d.status.desired_number_scheduled, d.status.number_ready),
                _ => continue,
            };
            out.push((o.reference(), wanted, ready));
        }
    }
    out
}

fn names(spec: &PodSpec, provisioner: &str) -> bool {
    spec.containers.iter().any(|c| {
        c.command.iter().chain(&c.args).any(|a| a.contains(provisioner))
            || c.env.iter().any(|e| e.value.as_deref() == Some(provisioner))
    })
}
