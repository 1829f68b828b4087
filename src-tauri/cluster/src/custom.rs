//! Kinds that extensions brought. Which there are is asked of the server each time, and each is listed every minute or
//! two: they are many, they change rarely, and a watch is a connection.
//!
//! A kind that the user may not read is left out without a word, as one that is not served: nobody can be expected to
//! have rights on kinds that came with somebody else's operator. One that fails for another reason is told, and what
//! was known of it stays.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use afterwatch_core::{
    object::{
        CustomResource, Kind, Object,
        kind::{Mode, extension},
    },
    observation::Fact,
};
use futures::StreamExt;
use serde::Deserialize;

use crate::{
    emit::{Closed, Scope},
    scope::{self, Ending, encoded, jittered},
    server::Failure,
    session::{Pending, REVIEW_AGAIN, Session},
    wire,
};

/// More kinds than this are not read …
const MOST_KINDS: usize = 60;
/// … and of one kind not more objects than this.
const MOST_OBJECTS: usize = 2_000;
const PAGE: usize = 500;
/// Lists under way at once.
const AT_ONCE: usize = 4;
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

/// A resource that is listed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Resource {
    api_version: String,
    kind: String,
    plural: String,
    namespaced: bool,
}

impl Resource {
    fn group(&self) -> &str {
        self.api_version.split('/').next().unwrap_or_default()
    }

    fn path(&self, namespace: Option<&str>) -> String {
        let within = namespace.map(|n| format!("/namespaces/{}", encoded(n))).unwrap_or_default();
        format!("/apis/{}{within}/{}", self.api_version, self.plural)
    }
}

impl std::fmt::Display for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.plural, self.group())
    }
}

/// Lists them until the session ends.
pub(crate) async fn follow(session: Arc<Session>) {
    let mut pending = Some(Pending::new(session.clone(), Kind::CustomResource, session.turn().await));
    let mut known = Known::default();
    let mut failures = 0;
    loop {
        match sweep(&session, &mut known).await {
            Ok(Ok(())) => failures = 0,
            Ok(Err(failure)) => {
                failures += 1;
                match scope::settle(&session, &everywhere(), &failure, failures).await {
                    Ok(()) => {}
                    // The session is about to be torn down by whoever was told.
                    Err(Ending::Trouble) => std::future::pending().await,
                    Err(Ending::Closed | Ending::Forbidden | Ending::NotServed) => return,
                }
                pending.take();
                scope::pause(failures, &failure).await;
                continue;
            }
            Err(Closed) => return,
        }
        pending.take();
        tokio::time::sleep(jittered(session.clock().real(session.limits().poll))).await;
    }
}

/// Lists them once.
pub(crate) async fn once(session: &Session) -> Result<Result<(), Failure>, Closed> {
    sweep(session, &mut Known::default()).await
}

fn everywhere() -> Scope {
    Scope::everywhere(Kind::CustomResource)
}

/// What is known of each resource from the looks before.
#[derive(Default)]
struct Known {
    /// What was there, to tell what is gone.
    objects: HashMap<Resource, Vec<Object>>,
    /// Where it may not be read everywhere, and since when that is known.
    refused: HashMap<Resource, Instant>,
    listed: bool,
    /// What was said to be left unread.
    told: HashSet<String>,
}

/// One look at everything: an error where not even the kinds could be learned.
async fn sweep(session: &Session, known: &mut Known) -> Result<Result<(), Failure>, Closed> {
    let mut kinds = match discover(session).await {
        Ok(kinds) => kinds,
        Err(failure) => return Ok(Err(failure)),
    };
    let beyond = kinds.split_off(kinds.len().min(MOST_KINDS));
    known.refused.retain(|resource, since| kinds.contains(resource) && since.elapsed() < REVIEW_AGAIN);
    let refused = &known.refused;
    let mut lists = futures::stream::iter(kinds)
        .map(|resource| async move {
            let refused = refused.contains_key(&resource);
            let listing = read(session, &resource, refused).await;
            (resource, listing)
        })
        .buffered(AT_ONCE);
    let (mut read, mut failed, mut words) = (Vec::new(), Vec::new(), Vec::new());
    let (mut newly, mut last) = (Vec::new(), None);
    while let Some((resource, listing)) = lists.next().await {
        match listing {
            Ok(listing) => {
                if listing.refused {
                    newly.push(resource.clone());
                }
                words.extend(listing.words);
                read.push((resource, listing.objects));
            }
            Err(failure) if failure.code() == 401 => return Ok(Err(failure)),
            Err(failure) => {
                words.push(format!("{resource}: {failure}"));
                failed.push(resource);
                last = Some(failure);
            }
        }
    }
    drop(lists);
    // Where nothing answers it is not the kinds.
    if let Some(failure) = last.filter(|f| f.code() == 0 && read.is_empty()) {
        return Ok(Err(failure));
    }
    for resource in newly {
        known.refused.entry(resource).or_insert_with(Instant::now);
    }
    if !beyond.is_empty() {
        let names: Vec<String> = beyond.iter().map(ToString::to_string).collect();
        let names = afterwatch_core::words::list(&names, 8);
        words.push(format!("{} custom kinds beyond {MOST_KINDS} are not read: {names}", beyond.len()));
    }
    tell(session, known, read, &failed).await?;
    for message in words {
        if known.told.insert(message.clone()) {
            let kind = Kind::CustomResource;
            session.out.send(Fact::Skipped { kind, namespace: None, count: 1, message }).await?;
        }
    }
    Ok(Ok(()))
}

/// Hands over what was read. A list replaces everything, and so it is one only where every kind could be read; else the
/// objects are told one by one, and those of a kind that failed stay as they were.
async fn tell(
    session: &Session,
    known: &mut Known,
    read: Vec<(Resource, Vec<Object>)>,
    failed: &[Resource],
) -> Result<(), Closed> {
    let before = std::mem::take(&mut known.objects);
    known.objects =
        read.iter().map(|(resource, objects)| (resource.clone(), objects.iter().map(bare).collect())).collect();
    if failed.is_empty() || !known.listed {
        known.listed = true;
        known.told.clear();
        let objects = read.into_iter().flat_map(|(_, objects)| objects).collect();
        return session.out.listed(&everywhere(), Mode::Poll, objects).await;
    }
    for (resource, objects) in before {
        if failed.contains(&resource) {
            known.objects.insert(resource, objects);
            continue;
        }
        let there: HashSet<_> = known.objects.get(&resource).into_iter().flatten().map(name).collect();
        for gone in objects.iter().filter(|o| !there.contains(&name(o))) {
            session.out.send(Fact::Deleted(gone.clone())).await?;
        }
    }
    for object in read.into_iter().flat_map(|(_, objects)| objects) {
        session.out.send(Fact::Upserted(object)).await?;
    }
    session.out.proof(&everywhere(), true).await
}

fn name(object: &Object) -> (Option<String>, String) {
    (object.meta().namespace.clone(), object.meta().name.clone())
}

/// Enough of an object to say that it is gone.
fn bare(object: &Object) -> Object {
    let mut bare = CustomResource::default();
    if let Object::CustomResource(o) = object {
        bare.api_version.clone_from(&o.api_version);
        bare.kind.clone_from(&o.kind);
        bare.resource.clone_from(&o.resource);
    }
    let (meta, of) = (&mut bare.metadata, object.meta());
    meta.name.clone_from(&of.name);
    meta.namespace.clone_from(&of.namespace);
    meta.uid.clone_from(&of.uid);
    Object::CustomResource(bare)
}

struct Listing {
    objects: Vec<Object>,
    /// Not everywhere, or nowhere.
    refused: bool,
    words: Vec<String>,
}

/// The objects of one kind: everywhere, else in the namespace of the context and those that a person named.
async fn read(session: &Session, resource: &Resource, refused: bool) -> Result<Listing, Failure> {
    let mut listing = Listing { objects: Vec::new(), refused, words: Vec::new() };
    if !refused {
        match pages(session, resource, None, &mut listing).await {
            Err(failure) if failure.code() == 403 => listing.refused = true,
            // It went between being learned and being asked for.
            Err(failure) if matches!(failure.code(), 404 | 405) => return Ok(listing),
            other => return other.map(|()| listing),
        }
    }
    for namespace in session.access(None).named().iter().filter(|_| resource.namespaced) {
        match pages(session, resource, Some(namespace), &mut listing).await {
            Err(failure) if matches!(failure.code(), 403..=405) => {}
            other => other?,
        }
    }
    Ok(listing)
}

async fn pages(
    session: &Session,
    resource: &Resource,
    namespace: Option<&str>,
    listing: &mut Listing,
) -> Result<(), Failure> {
    let begin = listing.objects.len();
    let mut next: Option<String> = None;
    let mut restarts = 0;
    loop {
        let mut path = format!("{}?limit={PAGE}", resource.path(namespace));
        if let Some(token) = &next {
            path.push_str("&continue=");
            path.push_str(&encoded(token));
        }
        let body = match scope::read(session, &path, "application/json").await {
            Err(Failure::Refused(r)) if r.code == 410 && next.is_some() && restarts < 3 => {
                restarts += 1;
                next = None;
                listing.objects.truncate(begin);
                continue;
            }
            other => other?,
        };
        let page = wire::page(&body).map_err(Failure::Nonsense)?;
        let items = page.items.unwrap_or_default();
        session.objects.fetch_add(items.len() as u64, Relaxed);
        for (i, raw) in items.into_iter().enumerate() {
            // What is not even an object with a name says nothing.
            listing.objects.extend(wire::custom(&resource.api_version, &resource.kind, &resource.plural, raw));
            if i % 64 == 63 {
                tokio::task::yield_now().await;
            }
        }
        next = page.metadata.next.filter(|t| !t.is_empty());
        if next.is_none() {
            return Ok(());
        }
        if listing.objects.len() - begin >= MOST_OBJECTS {
            listing.words.push(format!("only the first {MOST_OBJECTS} {resource} are read"));
            return Ok(());
        }
    }
}

/// What can be listed and has a status that a controller writes, in a fixed order. One that says nothing of extensions
/// has none.
async fn discover(session: &Session) -> Result<Vec<Resource>, Failure> {
    let body = match scope::read(session, "/apis", TOGETHER).await {
        Err(failure) if matches!(failure.code(), 403 | 404 | 406) => return Ok(Vec::new()),
        other => other?,
    };
    let groups: Groups =
        serde_json::from_slice(&body).map_err(|_| Failure::Nonsense("the list of API groups is no list".into()))?;
    let mut found: Vec<Resource> = groups.items.into_iter().flat_map(together).collect();
    for group in groups.groups.iter().map(|g| &g.preferred_version.group_version).filter(|v| extension(v).is_some()) {
        match scope::read(session, &format!("/apis/{group}"), "application/json").await {
            Ok(body) => {
                found.extend(serde_json::from_slice(&body).map(|list| one_by_one(group, list)).unwrap_or_default())
            }
            // An aggregated API that does not answer is told by its APIService.
            Err(Failure::Refused(_)) => {}
            Err(failure) => return Err(failure),
        }
    }
    found.retain(|r| !read_by_name(r));
    let rank = |r: &Resource| FIRST.iter().position(|g| *g == r.group()).unwrap_or(FIRST.len());
    found.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| (a.group(), &a.plural).cmp(&(b.group(), &b.plural))));
    // Of several versions the preferred one comes first, and the order is kept among equals.
    found.dedup_by(|a, b| a.group() == b.group() && a.plural == b.plural);
    Ok(found)
}

/// The Gateway API's kinds that are watched.
fn read_by_name(r: &Resource) -> bool {
    Kind::ALL.iter().any(|k| k.group() == r.group() && k.plural() == r.plural)
}

/// Argo CD writes the status of its Applications like any other field.
fn has_status(group: &str, plural: &str, said: bool) -> bool {
    said || (group == "argoproj.io" && plural == "applications")
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Groups {
    /// All at once, with their resources.
    items: Vec<Group>,
    /// The older form: names and versions.
    groups: Vec<OldGroup>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Group {
    metadata: wire::OutlineMeta,
    versions: Vec<Version>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Version {
    version: String,
    resources: Vec<Served>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Served {
    resource: String,
    response_kind: ResponseKind,
    scope: String,
    verbs: Vec<String>,
    subresources: Vec<Subresource>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ResponseKind {
    kind: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Subresource {
    subresource: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OldGroup {
    preferred_version: OldVersion,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OldVersion {
    group_version: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OldList {
    resources: Vec<OldServed>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OldServed {
    name: String,
    kind: String,
    namespaced: bool,
    verbs: Vec<String>,
}

fn together(group: Group) -> Vec<Resource> {
    let mut out = Vec::new();
    for version in group.versions {
        let api_version = format!("{}/{}", group.metadata.name, version.version);
        if extension(&api_version).is_none() {
            continue;
        }
        for r in version.resources {
            let said = r.subresources.iter().any(|s| s.subresource == "status");
            let listed = r.verbs.iter().any(|v| v == "list") && has_status(&group.metadata.name, &r.resource, said);
            if listed && !out.iter().any(|o: &Resource| o.plural == r.resource) {
                let (kind, namespaced) = (r.response_kind.kind, r.scope == "Namespaced");
                out.push(Resource { api_version: api_version.clone(), kind, plural: r.resource, namespaced });
            }
        }
    }
    out
}

fn one_by_one(api_version: &str, list: OldList) -> Vec<Resource> {
    let with_status: HashSet<String> =
        list.resources.iter().filter_map(|r| Some(r.name.strip_suffix("/status")?.to_owned())).collect();
    let group = api_version.split('/').next().unwrap_or_default();
    let listed = list.resources.into_iter().filter(|r| {
        !r.name.contains('/')
            && r.verbs.iter().any(|v| v == "list")
            && has_status(group, &r.name, with_status.contains(&r.name))
    });
    let named = |r: OldServed| Resource {
        api_version: api_version.to_owned(),
        kind: r.kind,
        plural: r.name,
        namespaced: r.namespaced,
    };
    listed.map(named).collect()
}
