//! Volumes that cannot be attached or mounted, told apart by the kubelet's and the driver's words.

use std::sync::LazyLock;

use jiff::SignedDuration;
use regex::Regex;

use super::super::{
    Context,
    context::{Owner, action, cause, edit, event_evidence, finding, hold, ns_flag},
    source,
};
use super::{HANDOVER, MOUNT, REGISTERING, quoted};
use crate::{
    finding::{CauseDraft, Finding},
    index::Index,
    object::{Kind, KubeEvent, Object, ObjectRef, PersistentVolume, PersistentVolumeClaim, Pod},
    remediation::ActionKind,
    severity::Confidence,
    words,
};

/// How long a node counts as one that has just joined.
const YOUNG: SignedDuration = SignedDuration::from_mins(10);

/// Tells why the newest attempt failed.
pub(super) fn failing(cx: &mut Context<'_>, pod: &Pod, mount: &[&KubeEvent]) {
    let Some(last) = mount.last() else { return };
    let me = pod.reference();
    let owner = cx.owner(pod);
    let started = mount.iter().filter_map(|e| e.first_seen()).min().unwrap_or_else(|| cx.now.get());
    if source::arrived(cx, pod, last.message(), started) && source::missing(cx, pod).is_empty() {
        return;
    }
    let mut f =
        finding("volume-not-mounted", me.clone(), &owner.subject, cx.workload_severity(&owner.subject), started);
    f.headline = "waits for a volume".into();
    f.started_basis = "first failed mount".into();
    f.count = last.times();
    f.hold = hold(MOUNT);
    f.message = format!("{} cannot mount a volume: {}", me.name, words::clip(last.message(), 240));
    let keys: Vec<String> = mount
        .iter()
        .rev()
        .take(2)
        .map(|e| {
            let item = event_evidence(e, cx.now);
            let key = item.key.clone();
            f.evidence.push(item);
            key
        })
        .collect();
    let place = Place::of(cx.index, pod, last.message());
    let named = mount.iter().rev().find_map(|e| source::from_message(e.message(), &pod.spec));
    let known = named.is_none().then(|| classify(cx, &mut f, pod, &owner, &place, last.message())).flatten();
    let missing = named.or_else(|| {
        let all = source::missing(cx, pod).into_iter();
        all.filter(|_| known.is_none()).find(|m| m.reference.via.starts_with("volume"))
    });
    let mut c = match (missing, known) {
        (Some(m), _) => {
            f.headline = format!("cannot start: {} {} is missing", m.kind, m.reference.name);
            if m.key_only {
                let key = m.reference.key.as_deref().unwrap_or("?");
                f.headline = format!("cannot start: key {key} of {} {} is missing", m.kind, m.reference.name);
            }
            source::cause_of(cx, pod, &owner, &m, &mut f)
        }
        (None, Some(c)) => c,
        (None, None) => {
            f.actions.push(edit(
                ActionKind::Patch,
                &owner.subject,
                "the volume it names must exist and be mountable on its node",
            ));
            let mut c = cause(
                "volume-mount-failing",
                Confidence::Likely,
                place.claim.map_or_else(|| owner.subject.clone(), PersistentVolumeClaim::reference),
                format!(
                    "A volume of {} cannot be mounted{}: {}.",
                    me.name,
                    place.words(),
                    words::clip(last.message(), 300)
                ),
            );
            c.referrer = Some(owner.subject.clone());
            c.signs.pro = 2;
            c
        }
    };
    c.evidence.splice(0..0, keys);
    f.causes.push(c);
    cx.report(f);
}

/// The volume a message speaks of, as far as it is known.
struct Place<'a> {
    /// Its name in the pod.
    volume: Option<&'a str>,
    claim: Option<&'a PersistentVolumeClaim>,
    pv: Option<&'a PersistentVolume>,
    node: &'a str,
}

impl<'a> Place<'a> {
    fn of(index: &'a Index, pod: &'a Pod, message: &str) -> Place<'a> {
        let ns = pod.metadata.namespace.as_deref();
        let named = quoted(message, "volume \"");
        let unmounted =
            message.split_once("unmounted volumes=[").map(|(_, t)| t.split([']', ' ']).next().unwrap_or(""));
        let claims: Vec<(&str, &'a PersistentVolumeClaim)> = pod
            .spec
            .claims()
            .filter_map(|(c, v)| match &**index.get(Kind::PersistentVolumeClaim, ns, c)? {
                Object::PersistentVolumeClaim(claim) => Some((v, claim)),
                _ => None,
            })
            .collect();
        // The kubelet names the PersistentVolume; only volumes without one go by their name in the pod.
        let hit = claims.iter().find(|(v, c)| {
            let names = [Some(*v), c.spec.volume_name.as_deref(), Some(c.metadata.name.as_str())];
            names.into_iter().flatten().any(|n| named.as_deref() == Some(n) || unmounted == Some(n))
        });
        let plain = pod
            .spec
            .volumes
            .iter()
            .map(|v| v.name.as_str())
            .find(|v| named.as_deref() == Some(*v) || unmounted == Some(*v));
        let only = claims.first().filter(|_| plain.is_none());
        let claim = hit.or(only).map(|(_, c)| *c);
        let pv =
            claim.and_then(|c| match &**index.get(Kind::PersistentVolume, None, c.spec.volume_name.as_deref()?)? {
                Object::PersistentVolume(v) => Some(v),
                _ => None,
            });
        Place {
            volume: hit.or(only).map(|(v, _)| *v).or(plain),
            claim,
            pv,
            node: pod.spec.node_name.as_deref().unwrap_or(""),
        }
    }

    /// ` (claim orders, PersistentVolume pv-1)`.
    fn words(&self) -> String {
        let claim = self.claim.map(|c| format!("claim {}", c.metadata.name));
        let pv = self.pv.map(|v| format!("PersistentVolume {}", v.metadata.name));
        let said: Vec<String> = [claim, pv].into_iter().flatten().collect();
        if said.is_empty() { String::new() } else { format!(" ({})", said.join(", ")) }
    }

    /// What says where the volume is: the PersistentVolume, or the workload that writes it into its pods; and the field.
    fn holder(&self, owner: &Owner, field: &str) -> (ObjectRef, String) {
        match (self.pv, self.claim) {
            (Some(pv), _) => (pv.reference(), format!("spec.{field}")),
            (None, Some(claim)) => (claim.reference(), "spec.volumeName".into()),
            (None, None) => {
                (owner.subject.clone(), owner.pod_field(&format!("volumes[{}].{field}", self.volume.unwrap_or("?"))))
            }
        }
    }
}

fn classify(
    cx: &Context<'_>,
    f: &mut Finding,
    pod: &Pod,
    owner: &Owner,
    place: &Place<'_>,
    message: &str,
) -> Option<CauseDraft> {
    let lower = message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| lower.contains(w));
    let said = words::clip(message, 300);
    let node = place.node;
    let volume = place.volume.unwrap_or("?");
    let fix = |f: &mut Finding, entity: &ObjectRef, why: &str| f.actions.push(edit(ActionKind::Patch, entity, why));
    let draft = |rule: &str, confidence, (entity, field): (ObjectRef, String), statement: String| {
        let mut c = cause(rule, confidence, entity.clone(), statement);
        c.field = Some(field);
        c.signs.pro = 2;
        c.referrer = Some(owner.subject.clone())
            .filter(|s| !s.same_name(&entity))
            .or_else(|| place.claim.map(PersistentVolumeClaim::reference));
        c
    };
    if has(&["multi-attach error"]) {
        return Some(taken(cx, f, pod, owner, place, &said));
    }
    static ACCOUNT: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"serviceaccounts? "([^"]+)" not found"#).ok());
    if let Some(m) = ACCOUNT.as_ref().and_then(|r| r.captures(message)) {
        let ns = pod.metadata.namespace.as_deref();
        let account = ObjectRef::missing(Kind::ServiceAccount, ns, &m[1]);
        f.headline = format!("cannot start: ServiceAccount {} is missing", &m[1]);
        f.actions.push(action(
            ActionKind::ManualCheck,
            &account,
            format!("{} waits for it", owner.subject),
            "none for what runs already",
            "create serviceaccounts",
            format!("kubectl create serviceaccount {}{}", &m[1], ns_flag(&owner.subject)),
        ));
        return Some(draft(
            "service-account-missing",
            Confidence::Established,
            (account, owner.pod_field("serviceAccountName")),
            format!(
                "ServiceAccount {} does not exist (not found) in namespace {}, so the pods of {} get no token.",
                &m[1],
                ns.unwrap_or(""),
                owner.subject
            ),
        ));
    }
    if has(&["hostpath type check failed"]) {
        f.headline = "cannot start: a path of its node is not what it must be".into();
        fix(f, &owner.subject, "the path must exist on the node and be of the type that is asked for");
        let to = place.holder(owner, "hostPath");
        return Some(draft(
            "host-path-wrong",
            Confidence::Established,
            to,
            format!("The hostPath volume {volume} of {} does not fit on node {node}: {said}.", owner.subject),
        ));
    }
    static DRIVER: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"driver name ([\w./-]+) not found in the list of registered CSI drivers|does not contain driver ([\w./-]+)").ok()
    });
    if let Some(m) = DRIVER.as_ref().and_then(|r| r.captures(message)) {
        let driver = m.get(1).or(m.get(2)).map_or("", |d| d.as_str().trim_end_matches('.'));
        f.headline = format!("cannot start: storage driver {driver} is not on its node");
        // The driver's own pod starts on a new node beside those that need it.
        let joined = cx.index.get(Kind::Node, None, node).and_then(|n| n.meta().creation_timestamp);
        if joined.is_some_and(|t| cx.now.within(t, YOUNG)) {
            f.hold = hold(REGISTERING);
        }
        let to = place.holder(owner, "csi.driver");
        fix(f, &to.0, "a driver that runs on its nodes");
        f.actions.push(action(
            ActionKind::ManualCheck,
            &cx.index.get(Kind::Node, None, node).map_or_else(|| to.0.clone(), |o| o.reference()),
            format!("whether the node plugin of {driver} runs there"),
            "reads only",
            "get csinodes",
            format!("kubectl get csinode {node} -o yaml"),
        ));
        return Some(draft(
            "csi-driver-missing",
            Confidence::Established,
            to,
            format!(
                "The storage driver {driver} of volume {volume}{} is not registered on node {node} (not found): its node plugin does not run there. The kubelet says: {said}.",
                place.words()
            ),
        ));
    }
    if (has(&["mount.nfs", "nfs:"]) || place.pv.is_some_and(|v| v.spec.nfs.is_some()))
        && let Some(c) = file_server(f, pod, owner, place, &lower, &said, &draft)
    {
        return Some(c);
    }
    static UNKNOWN: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?:mount: \S+: )?unknown filesystem type '([^']+)'").ok());
    if let Some(m) = UNKNOWN.as_ref().and_then(|r| r.captures(message)) {
        static FROM: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\s([\w.-]+:/\S*)\s").ok());
        let from = FROM.as_ref().and_then(|r| r.captures(message)).map(|m| format!(" ({})", &m[1])).unwrap_or_default();
        f.headline = "cannot start: its node does not know the file system of its volume".into();
        let (entity, field) = place.holder(owner, if &m[1] == "nfs" { "nfs" } else { "csi.fsType" });
        f.actions.push(edit(
            ActionKind::ManualCheck,
            &entity,
            "the node needs what mounts it (for NFS the package nfs-common)",
        ));
        return Some(draft(
            "file-system-unknown",
            Confidence::Established,
            (entity, field),
            format!(
                "Node {node} knows no file system of type {}, so volume {volume}{}{from} cannot be mounted there: {}.",
                &m[1],
                place.words(),
                &m[0]
            ),
        ));
    }
    if has(&["wrong fs type", "bad superblock"]) {
        f.headline = "cannot start: the file system of its volume is not what is said".into();
        let to = place.holder(owner, "csi.fsType");
        return Some(draft(
            "file-system-wrong",
            Confidence::Likely,
            to,
            format!(
                "Volume {volume}{} cannot be mounted on node {node}: its file system is damaged or of another type: {said}.",
                place.words()
            ),
        ));
    }
    static PATH: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"path "([^"]+)" does not exist"#).ok());
    if let Some(m) = PATH.as_ref().and_then(|r| r.captures(message)) {
        f.headline = "cannot start: the folder of its volume is missing on its node".into();
        let to = place.holder(owner, "local.path");
        fix(f, &to.0, "a folder that the node has");
        return Some(draft(
            "volume-path-missing",
            Confidence::Established,
            to,
            format!("Path {} of volume {volume}{} does not exist on node {node}.", &m[1], place.words()),
        ));
    }
    if has(&["attachvolume.attach failed"]) && has(&["not found", "notfound", "does not exist"]) {
        f.headline = "cannot start: the disk of its volume is gone".into();
        let to = place.holder(owner, "csi.volumeHandle");
        return Some(draft(
            "disk-missing",
            Confidence::Likely,
            to,
            format!("The disk behind volume {volume}{} does not exist (not found): {said}.", place.words()),
        ));
    }
    if has(&["no space left on device"]) {
        f.headline = "cannot start: no space is left for its volume".into();
        let entity = cx.index.get(Kind::Node, None, node).map_or_else(|| owner.subject.clone(), |o| o.reference());
        return Some(draft(
            "node-disk-full",
            Confidence::Likely,
            (entity, "status.conditions".into()),
            format!("Node {node} has no space left to mount volume {volume}: {said}."),
        ));
    }
    if has(&["timed out waiting", "context deadline exceeded"]) {
        f.headline = "waits for a volume that does not come".into();
        f.actions.push(action(
            ActionKind::ManualCheck,
            &pod.reference(),
            "which volume hangs, and what its driver says",
            "reads only",
            "get pods",
            format!("kubectl describe pod {}{}", pod.metadata.name, ns_flag(&owner.subject)),
        ));
        let entity = place.claim.map_or_else(|| owner.subject.clone(), PersistentVolumeClaim::reference);
        let field = if place.claim.is_some() {
            "spec.volumeName".to_owned()
        } else {
            owner.pod_field(&format!("volumes[{volume}]"))
        };
        return Some(draft(
            "volume-mount-timeout",
            Confidence::Likely,
            (entity, field),
            format!(
                "Volume {volume}{} of {} is not mounted on node {node} in time: {said}.",
                place.words(),
                owner.subject
            ),
        ));
    }
    None
}

/// Drafts a cause: its rule, how sure it is, what must change and in which field, and the statement.
type Draft<'a> = dyn Fn(&str, Confidence, (ObjectRef, String), String) -> CauseDraft + 'a;

/// A file server that does not answer, is not found or says no.
fn file_server(
    f: &mut Finding,
    pod: &Pod,
    owner: &Owner,
    place: &Place<'_>,
    lower: &str,
    said: &str,
    draft: &Draft<'_>,
) -> Option<CauseDraft> {
    let inline = pod.spec.volumes.iter().find(|v| place.volume == Some(v.name.as_str())).and_then(|v| v.nfs.as_ref());
    let nfs = place.pv.and_then(|v| v.spec.nfs.as_ref()).or(inline);
    let text = |n: &str| nfs.and_then(|v| v.get(n)).and_then(|v| v.as_str()).unwrap_or("?").to_owned();
    let (server, path) = (text("server"), text("path"));
    let has = |words: &[&str]| words.iter().any(|w| lower.contains(w));
    let (field, why) = if has(&["failed to resolve", "name or service not known", "no such host"]) {
        ("nfs.server", "its name does not resolve")
    } else if has(&["access denied", "permission denied", "not permitted"]) {
        ("nfs.path", "it denies access to the path")
    } else if has(&["no such file", "does not exist"]) {
        ("nfs.path", "it has no such path")
    } else if has(&["timed out", "no route to host", "connection refused", "unreachable", "deadline exceeded"]) {
        ("nfs.server", "it cannot be reached")
    } else {
        return None;
    };
    f.headline = "cannot start: its file server does not serve it".into();
    let to = place.holder(owner, field);
    f.actions.push(edit(ActionKind::Patch, &to.0, "a server and path that the nodes can mount"));
    let statement = format!(
        "The NFS server {server} (path {path}) of volume {}{} does not serve node {}: {why}. The kubelet says: {said}.",
        place.volume.unwrap_or("?"),
        place.words(),
        place.node
    );
    Some(draft("file-server-failing", Confidence::Likely, to, statement))
}

/// A volume for one node at a time that another node has.
fn taken(cx: &Context<'_>, f: &mut Finding, pod: &Pod, owner: &Owner, place: &Place<'_>, said: &str) -> CauseDraft {
    let holders: Vec<&Pod> = cx
        .index
        .pods()
        .filter(|p| {
            p.metadata.namespace == pod.metadata.namespace && !p.finished() && p.metadata.name != pod.metadata.name
        })
        .filter(|p| p.spec.node_name.is_some() && p.spec.node_name != pod.spec.node_name)
        .filter(|p| place.claim.is_some_and(|claim| p.spec.claims().any(|(c, _)| c == claim.metadata.name)))
        .collect();
    // A pod that is ending gives it back; a roll-out may take its time.
    f.hold = hold(HANDOVER);
    f.headline = "waits for a volume that another node has".into();
    let first = holders.first();
    let by = first.map(|p| {
        format!("{} of {} on node {}", p.reference(), cx.owner(p).subject, p.spec.node_name.as_deref().unwrap_or(""))
    });
    let same = first.is_some_and(|p| cx.owner(p).subject.same_name(&owner.subject));
    let modes = place
        .claim
        .map(|c| c.spec.access_modes.join(", "))
        .filter(|m| !m.is_empty())
        .unwrap_or_else(|| "ReadWriteOnce".into());
    let name = place.claim.map_or_else(|| place.volume.unwrap_or("?").to_owned(), |c| c.metadata.name.clone());
    let advice = match same && owner.subject.kind == "Deployment" {
        true => " A Deployment that shares such a volume must have one replica and the strategy Recreate.",
        false => "",
    };
    f.actions.push(edit(ActionKind::Scale, &owner.subject, "only the pods of one node can have the volume"));
    let mut c = cause(
        "volume-held-elsewhere",
        if by.is_some() { Confidence::Established } else { Confidence::Likely },
        owner.subject.clone(),
        format!(
            "PersistentVolumeClaim {name} is {modes}, for one node at a time, and is held by {}; {} on node {} cannot have it too (Multi-Attach).{advice} The cluster says: {said}.",
            by.unwrap_or_else(|| "another node".to_owned()),
            pod.reference(),
            place.node
        ),
    );
    c.signs.pro = 2;
    c.field = Some(match (same, place.claim.is_some()) {
        (true, _) if owner.subject.kind == "Deployment" => "spec.strategy".into(),
        _ => owner.pod_field(&format!("volumes[{}].persistentVolumeClaim", place.volume.unwrap_or("?"))),
    });
    c.referrer = place.claim.map(PersistentVolumeClaim::reference);
    c
}
