//! What the API server says of itself.

use std::collections::BTreeSet;

use afterwatch_core::object::Kind;
use serde_json::{Value, json};

use crate::world::World;

pub(crate) fn version(server: &str) -> Value {
    let mut numbers = server.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or("1"), numbers.next().unwrap_or("30"));
    json!({"major": major, "minor": minor, "gitVersion": server, "platform": "linux/amd64"})
}

pub(crate) fn versions() -> Value {
    json!({"kind": "APIVersions", "apiVersion": "v1", "versions": ["v1"], "serverAddressByClientCIDRs": []})
}

pub(crate) fn groups(world: &World) -> Value {
    let mut names: BTreeSet<String> = Kind::ALL.iter().map(|k| k.group()).map(str::to_owned).collect();
    names.extend(world.extensions().iter().filter_map(|e| Some(e.api_version.split_once('/')?.0.to_owned())));
    let groups: Vec<Value> = names.iter().filter_map(|name| group(name, world)).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// A group with the versions of it that are served.
pub(crate) fn group(name: &str, world: &World) -> Option<Value> {
    let of = |api: &&str| !name.is_empty() && api.split_once('/').is_some_and(|(group, _)| group == name);
    let extensions = world.extensions();
    let all = Kind::ALL.iter().map(|k| k.api_version()).chain(extensions.iter().map(|e| e.api_version.as_str()));
    let mut served: Vec<&str> = Vec::new();
    for api in all.filter(of) {
        if !served.contains(&api) {
            served.push(api);
        }
    }
    let versions: Vec<Value> = served
        .iter()
        .map(|api| json!({"groupVersion": api, "version": api.split('/').next_back().unwrap_or_default()}))
        .collect();
    let first = versions.first()?;
    Some(json!({"kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": versions, "preferredVersion": first}))
}

/// The resources of a group and version.
pub(crate) fn resources(api: &str, world: &World) -> Option<Value> {
    let kinds: Vec<Kind> = Kind::ALL.iter().copied().filter(|k| k.api_version() == api).collect();
    let extensions = world.extensions();
    if kinds.is_empty() && !extensions.iter().any(|e| e.api_version == api) {
        return None;
    }
    let mut resources: Vec<Value> = Vec::new();
    for kind in kinds.into_iter().filter(|k| world.serves(*k)) {
        let singular = kind.as_str().to_lowercase();
        resources.push(json!({
            "name": kind.plural(), "singularName": singular, "namespaced": kind.namespaced(), "kind": kind.as_str(),
            "verbs": ["get", "list", "watch"], "shortNames": short(kind), "categories": categories(kind),
        }));
        if kind == Kind::Pod {
            resources.push(
                json!({"name": "pods/log", "singularName": "", "namespaced": true, "kind": "Pod", "verbs": ["get"]}),
            );
        }
    }
    for e in extensions.iter().filter(|e| e.api_version == api) {
        let singular = e.kind.to_lowercase();
        for (name, singular, verbs) in [
            (e.resource.clone(), singular.as_str(), vec!["get", "list", "watch"]),
            (format!("{}/status", e.resource), "", vec!["get"]),
        ] {
            resources.push(json!({
                "name": name, "singularName": singular, "namespaced": e.namespaced, "kind": e.kind, "verbs": verbs,
            }));
        }
    }
    Some(json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api, "resources": resources}))
}

fn short(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Namespace => &["ns"],
        Kind::Node => &["no"],
        Kind::Deployment => &["deploy"],
        Kind::ReplicaSet => &["rs"],
        Kind::StatefulSet => &["sts"],
        Kind::DaemonSet => &["ds"],
        Kind::CronJob => &["cj"],
        Kind::Pod => &["po"],
        Kind::KubeEvent => &["ev"],
        Kind::Service => &["svc"],
        Kind::Ingress => &["ing"],
        Kind::ConfigMap => &["cm"],
        Kind::PersistentVolumeClaim => &["pvc"],
        Kind::PersistentVolume => &["pv"],
        Kind::HorizontalPodAutoscaler => &["hpa"],
        Kind::ResourceQuota => &["quota"],
        Kind::ServiceAccount => &["sa"],
        Kind::PodDisruptionBudget => &["pdb"],
        Kind::NetworkPolicy => &["netpol"],
        Kind::StorageClass => &["sc"],
        _ => &[],
    }
}

fn categories(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Pod
        | Kind::Service
        | Kind::Deployment
        | Kind::ReplicaSet
        | Kind::StatefulSet
        | Kind::DaemonSet
        | Kind::Job
        | Kind::CronJob
        | Kind::HorizontalPodAutoscaler => &["all"],
        _ => &[],
    }
}
