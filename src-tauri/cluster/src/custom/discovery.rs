//! Which kinds extensions brought, as the server tells of them. Every field is read by itself: one that is missing,
//! null or of another shape costs what it belongs to and nothing else.

use std::collections::BTreeMap;

use afterwatch_core::object::{Kind, kind::extension};
use serde_json::Value;

use super::Resource;
use crate::{scope, server::Failure, session::Session};

/// One request for all groups, where the server has it (since Kubernetes 1.26).
const TOGETHER: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
/// Of many kinds, those of these groups are read first: the rules know more of them.
const FIRST: &[&str] = &[
    "argoproj.io",
    "kustomize.toolkit.fluxcd.io",
    "helm.toolkit.fluxcd.io",
    "source.toolkit.fluxcd.io",
    "cert-manager.io",
    "acme.cert-manager.io",
    "external-secrets.io",
];

/// What the server tells.
#[derive(Default)]
pub(super) struct Found {
    /// What can be listed and has a status that a controller writes, in a fixed order.
    pub kinds: Vec<Resource>,
    /// What has none, or cannot be listed.
    pub left_out: Vec<Resource>,
    /// What was there before and is not told of, since its group does not answer, and the words for that.
    pub failed: Vec<(Resource, String)>,
    /// The groups that do not answer.
    pub silent: Vec<String>,
}

/// Asks for them. `known` is what was there at the last look. A server that never said anything of extensions has none.
pub(super) async fn discover(session: &Session, known: Option<&[Resource]>) -> Result<Found, Failure> {
    let body = match scope::read(session, "/apis", TOGETHER).await {
        Err(failure) if matches!(failure.code(), 403 | 404 | 406) && known.is_none() => return Ok(Found::default()),
        // Every API server has it: something else answers in its place, or it is starting.
        Err(failure) if matches!(failure.code(), 404 | 406) => return Err(Failure::Nonsense(failure.to_string())),
        other => other?,
    };
    let nonsense = || Failure::Nonsense("the list of API groups is no list".into());
    let all: Value = serde_json::from_slice(&body).map_err(|_| nonsense())?;
    if !text(&all, "kind").ends_with("List") && !all["items"].is_array() && !all["groups"].is_array() {
        return Err(nonsense());
    }
    let mut told: Vec<Told> = Vec::new();
    let mut trouble: BTreeMap<String, String> = BTreeMap::new();
    for group in items(&all, "items") {
        let name = text(&group["metadata"], "name");
        for version in items(group, "versions") {
            let api_version = format!("{name}/{}", text(version, "version"));
            if extension(&api_version).is_none() {
                continue;
            }
            told.extend(items(version, "resources").iter().map(|r| together(&api_version, r)));
            if text(version, "freshness") == "Stale" {
                trouble.insert(name.to_owned(), "the server of its API group does not answer".to_owned());
            }
        }
    }
    for group in items(&all, "groups") {
        for version in versions(group) {
            let failure = match scope::read(session, &format!("/apis/{version}"), "application/json").await {
                Ok(body) => match serde_json::from_slice::<Value>(&body) {
                    Ok(list) => {
                        told.extend(one_by_one(version, items(&list, "resources")));
                        continue;
                    }
                    Err(_) => Failure::Nonsense("the list of its API group is no list".into()),
                },
                Err(Failure::Refused(refusal)) if refusal.code != 401 => Failure::Refused(refusal),
                Err(failure) => return Err(failure),
            };
            let name = version.split('/').next().unwrap_or_default();
            trouble.insert(name.to_owned(), failure.to_string());
        }
    }
    Ok(sorted(told, trouble, known.unwrap_or_default()))
}

fn sorted(told: Vec<Told>, trouble: BTreeMap<String, String>, known: &[Resource]) -> Found {
    let mut found = Found::default();
    for Told { resource, listed } in told {
        let named = !resource.kind.is_empty() && !resource.plural.is_empty();
        let by_name = Kind::ALL.iter().any(|k| k.group() == resource.group() && k.plural() == resource.plural);
        if named && !by_name {
            if listed { &mut found.kinds } else { &mut found.left_out }.push(resource);
        }
    }
    let rank = |r: &Resource| FIRST.iter().position(|g| *g == r.group()).unwrap_or(FIRST.len());
    let same = |a: &Resource, b: &Resource| a.group() == b.group() && a.plural == b.plural;
    found.kinds.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| (a.group(), &a.plural).cmp(&(b.group(), &b.plural))));
    // Of several versions the preferred one comes first, and the order is kept among equals.
    found.kinds.dedup_by(|a, b| same(a, b));
    // It may be that only some versions of a kind have a status, or that it has none any more: then it is gone.
    let is = |a: &Resource, b: &Resource| a.group() == b.group() && a.kind == b.kind;
    found.left_out.retain(|r| !found.kinds.iter().chain(known).any(|k| is(k, r)));
    for resource in known {
        if let Some(words) = trouble.get(resource.group())
            && !found.kinds.iter().any(|k| same(k, resource))
        {
            found.failed.push((resource.clone(), words.clone()));
        }
    }
    found.silent = trouble.into_keys().collect();
    found
}

/// A resource, and whether it is to be listed.
struct Told {
    resource: Resource,
    listed: bool,
}

/// As aggregated discovery tells of it.
fn together(api_version: &str, told: &Value) -> Told {
    let resource = Resource {
        api_version: api_version.to_owned(),
        kind: text(&told["responseKind"], "kind").to_owned(),
        plural: text(told, "resource").to_owned(),
        namespaced: text(told, "scope") == "Namespaced",
    };
    let said = items(told, "subresources").iter().any(|s| text(s, "subresource") == "status");
    Told { listed: lists(told) && has_status(&resource, said), resource }
}

/// As the list of a group's version does: there a subresource is a line of its own.
fn one_by_one<'a>(api_version: &'a str, told: &'a [Value]) -> impl Iterator<Item = Told> + 'a {
    told.iter().filter(|r| !text(r, "name").contains('/')).map(move |r| {
        let resource = Resource {
            api_version: api_version.to_owned(),
            kind: text(r, "kind").to_owned(),
            plural: text(r, "name").to_owned(),
            namespaced: r["namespaced"].as_bool().unwrap_or_default(),
        };
        let status = format!("{}/status", resource.plural);
        let said = told.iter().any(|r| text(r, "name") == status);
        Told { listed: lists(r) && has_status(&resource, said), resource }
    })
}

/// The versions of a group in the older form, the preferred one first; none of Kubernetes' own groups.
fn versions(group: &Value) -> Vec<&str> {
    let all = std::iter::once(&group["preferredVersion"]).chain(items(group, "versions"));
    let mut out: Vec<&str> = Vec::new();
    for version in all.map(|v| text(v, "groupVersion")).filter(|v| extension(v).is_some()) {
        if !out.contains(&version) {
            out.push(version);
        }
    }
    out
}

fn lists(told: &Value) -> bool {
    items(told, "verbs").iter().any(|verb| verb == "list")
}

/// Argo CD writes the status of its Applications like any other field.
fn has_status(resource: &Resource, said: bool) -> bool {
    said || (resource.group() == "argoproj.io" && resource.plural == "applications")
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn items<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}
