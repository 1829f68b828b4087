//! Places that cannot be written to, opened or used: full disks, read-only mounts, missing permissions, foreign data.

use serde_json::Value;

use super::{
    Blame, Case,
    file::{Place, place},
};
use crate::{
    detect::context::{action, ns_flag},
    index::Now,
    logs::{Class, Signal},
    object::{Kind, Object, volume::Volume},
    remediation::ActionKind,
    severity::Confidence,
    words,
};

/// A disk that is full: the claim, the emptyDir or the container's own layer that holds the path.
pub(super) fn full(case: &Case<'_, '_>, signal: &Signal) -> Blame {
    let own = case.own(signal);
    let claims = |v: &Volume| v.persistent_volume_claim.as_ref().map(|c| c.claim_name.clone());
    let found = signal.subject.as_deref().filter(|s| s.starts_with('/')).and_then(|s| place(case, s));
    let sole = |fits: &dyn Fn(&Volume) -> bool| {
        let mut all = case.spec.volume_mounts.iter().filter_map(|mount| {
            let volume = case.pod.spec.volumes.iter().find(|v| v.name == mount.name).filter(|v| fits(v))?;
            Some(Place { mount, volume, within: String::new() })
        });
        all.next().filter(|_| all.next().is_none())
    };
    // Without a place: the only claim it mounts, or else the only volume in memory that is bounded. For what lies on the
    // node's disk the kubelet evicts; only memory is full by itself.
    let bounded = |v: &Volume| {
        let empty = v.empty_dir.as_ref();
        empty.is_some_and(|e| e.get("sizeLimit").is_some() && e.get("medium").and_then(Value::as_str) == Some("Memory"))
    };
    let only = || sole(&|v| v.persistent_volume_claim.is_some()).or_else(|| sole(&bounded));
    let told = found.is_some();
    let absolute = signal.subject.as_deref().is_some_and(|s| s.starts_with('/'));
    let Some(p) = found.or_else(|| if absolute { None } else { only() }) else {
        let limit = case.spec.resources.limits.get("ephemeral-storage");
        let said = limit.map(|l| format!("; its ephemeral-storage limit is {l}")).unwrap_or_default();
        return own.says(said).field(case.path("resources.limits.ephemeral-storage"));
    };
    let at = &p.mount.mount_path;
    if let Some(name) = claims(p.volume) {
        let reference = case.reference(Kind::PersistentVolumeClaim, &name);
        let Some(object @ Object::PersistentVolumeClaim(claim)) = case.get(Kind::PersistentVolumeClaim, &name) else {
            return own.says(format!("; claim {name} is mounted at {at}")).on(reference, None, case);
        };
        let size = claim.spec.resources.requests.get("storage").map(ToString::to_string).unwrap_or_default();
        let wide = if size.is_empty() { String::new() } else { format!(" of {size}") };
        return own
            .says(format!("; PersistentVolumeClaim {name}{wide}, mounted at {at}, is full"))
            .on(reference.clone(), Some("spec.resources.requests.storage".into()), case)
            .seen(object, "size", format!("PersistentVolumeClaim {name}{wide}"), &[("storage", size), ("mountPath", at.clone())], Now::STAMP)
            .step(action(
                ActionKind::ExpandClaim,
                &reference,
                "its file system is full",
                "needs a storage class that allows expansion",
                "patch persistentvolumeclaims",
                format!(
                    "kubectl patch pvc {name}{} -p '{{\"spec\":{{\"resources\":{{\"requests\":{{\"storage\":\"SIZE\"}}}}}}}}'",
                    ns_flag(&reference)
                ),
            ));
    }
    if let Some(empty) = &p.volume.empty_dir {
        let limit = empty.get("sizeLimit").and_then(Value::as_str);
        let said = limit.map_or_else(String::new, |l| format!(" with a sizeLimit of {l}"));
        return own
            .says(format!("; volume {} at {at} is an emptyDir{said}", p.volume.name))
            .sure(if limit.is_some() && told { Confidence::Established } else { Confidence::Likely })
            .field(case.owner.pod_field(&format!("volumes[{}].emptyDir.sizeLimit", p.volume.name)));
    }
    own.says(format!("; volume {} is mounted at {at}", p.volume.name))
        .field(case.owner.pod_field(&format!("volumes[{}]", p.volume.name)))
}

/// A setting of the container's security context, else of the pod's, with the path it stands at.
pub(super) fn security<'c>(case: &'c Case<'_, '_>, name: &str) -> Option<(&'c Value, String)> {
    let own = case.spec.security_context.as_ref().and_then(|s| s.get(name)).filter(|v| !v.is_null());
    if let Some(value) = own {
        return Some((value, case.path(&format!("securityContext.{name}"))));
    }
    let pod = case.pod.spec.security_context.as_ref().and_then(|s| s.get(name)).filter(|v| !v.is_null())?;
    Some((pod, case.owner.pod_field(&format!("securityContext.{name}"))))
}

/// A file system that may not be written to.
pub(super) fn read_only(case: &Case<'_, '_>, signal: &Signal) -> Blame {
    let own = case.own(signal);
    let p = signal.subject.as_deref().and_then(|s| place(case, s));
    if let Some(p) = p {
        let at = &p.mount.mount_path;
        if p.mount.read_only {
            return own
                .says(format!("; volume {} is mounted at {at} with readOnly: true", p.volume.name))
                .sure(Confidence::Established)
                .field(case.path(&format!("volumeMounts[{}].readOnly", p.mount.name)));
        }
        if p.volume.config_map.is_some() || p.volume.secret.is_some() || p.volume.projected.is_some() {
            let what = if p.volume.secret.is_some() { "a Secret" } else { "a ConfigMap" };
            return own
                .says(format!("; volume {} at {at} is {what}, which is always read-only", p.volume.name))
                .sure(Confidence::Established)
                .field(case.path(&format!("volumeMounts[{}].mountPath", p.mount.name)));
        }
        if let Some(claim) = &p.volume.persistent_volume_claim {
            let reference = case.reference(Kind::PersistentVolumeClaim, &claim.claim_name);
            return own
                .says(format!("; PersistentVolumeClaim {} is mounted at {at}", claim.claim_name))
                .on(reference, None, case);
        }
        return own;
    }
    match security(case, "readOnlyRootFilesystem") {
        Some((Value::Bool(true), field)) => own
            .says("; readOnlyRootFilesystem is true and no volume is mounted there")
            .sure(Confidence::Established)
            .field(field)
            .step(case.edit(ActionKind::Patch, "mount an emptyDir where it writes")),
        _ => own,
    }
}

/// Something that may not be opened, written or run.
pub(super) fn denied(case: &Case<'_, '_>, signal: &Signal) -> Blame {
    let own = case.own(signal);
    let user = security(case, "runAsUser");
    let who = user.as_ref().map(|(v, _)| format!("; it runs as user {v} (runAsUser)")).unwrap_or_default();
    let Some(path) = signal.subject.as_deref() else {
        let own = own.says(who);
        return match user {
            Some((_, field)) => own.field(field),
            None => own,
        };
    };
    if !path.starts_with('/') {
        // A system call: what it may do is a matter of capabilities.
        let dropped = case.spec.security_context.as_ref().and_then(|s| s.pointer("/capabilities/drop"));
        let said = dropped.map(|d| format!("; its capabilities drop {}", list(d))).unwrap_or_default();
        return own.says(format!("{who}{said}")).field(case.path("securityContext.capabilities"));
    }
    match place(case, path) {
        Some(p) if p.volume.config_map.is_some() || p.volume.secret.is_some() || p.volume.projected.is_some() => {
            let kind = if p.volume.secret.is_some() { "secret" } else { "configMap" };
            let mode = p
                .volume
                .config_map
                .as_ref()
                .and_then(|c| c.default_mode)
                .or_else(|| p.volume.secret.as_ref()?.default_mode);
            let said =
                mode.map_or_else(|| " with the default mode 0644".to_owned(), |m| format!(" with defaultMode {m:#o}"));
            own.says(format!("; volume {} is mounted at {}{said}{who}", p.volume.name, p.mount.mount_path))
                .field(case.owner.pod_field(&format!("volumes[{}].{kind}.defaultMode", p.volume.name)))
        }
        Some(p) => {
            let on = match &p.volume.persistent_volume_claim {
                Some(c) => format!("; it lies on claim {} at {}", c.claim_name, p.mount.mount_path),
                None => format!("; it lies on volume {} at {}", p.volume.name, p.mount.mount_path),
            };
            let group = security(case, "fsGroup");
            let lacks = group
                .as_ref()
                .map_or_else(|| ", and no fsGroup is set".to_owned(), |(v, _)| format!(", and fsGroup is {v}"));
            own.says(format!("{on}{who}{lacks}")).field(case.owner.pod_field("securityContext.fsGroup"))
        }
        None => {
            let own = own.says(who);
            match user {
                Some((_, field)) => own.field(field),
                None if case.spec.command.iter().chain(&case.spec.args).any(|w| w.contains(path)) => {
                    own.field(case.path("command"))
                }
                None => own.field(case.path("securityContext.runAsUser")),
            }
        }
    }
}

fn list(value: &Value) -> String {
    let items: Vec<String> =
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    words::list(&items, 4)
}

/// A data folder that another version or another program wrote.
pub(super) fn data(case: &Case<'_, '_>, signal: &Signal) -> Blame {
    let own = case.own(signal);
    if signal.class == Class::DataVersion {
        return own.says(format!("; its image is {}", case.spec.image)).field(case.path("image"));
    }
    let Some(p) = signal.subject.as_deref().and_then(|s| place(case, s)) else { return own };
    let claim = p.volume.persistent_volume_claim.as_ref().map(|c| c.claim_name.clone());
    let said = claim.map_or_else(
        || format!("; volume {} is mounted at {}", p.volume.name, p.mount.mount_path),
        |c| format!("; claim {c} is mounted at {}", p.mount.mount_path),
    );
    let own = own.says(said);
    match case.spec.env.iter().find(|e| e.name == "PGDATA" || e.value.as_deref() == signal.subject.as_deref()) {
        Some(e) => own.field(case.path(&format!("env[{}]", e.name))),
        None => own.field(case.path(&format!("volumeMounts[{}].subPath", p.mount.name))),
    }
}
