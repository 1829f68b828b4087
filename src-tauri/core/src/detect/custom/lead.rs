//! From an object that is not ready to the one that somebody must put right: what it owns, what it deploys, what it
//! refers to, what it says is missing.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use regex::{Captures, Regex};

use super::said::{Said, said};
use crate::{
    detect::Context,
    index::deployer,
    object::{CustomResource, Kind, Object, ObjectRef, custom::Named, kind::extension},
    severity::Confidence,
    words,
};

/// How far it is followed.
const STEPS: usize = 8;

/// Where the fault lies.
pub(super) struct Lead<'a> {
    /// The deepest object that says so.
    pub says: &'a CustomResource,
    pub said: Said,
    /// What it says is missing, and is; and whether both sides were read.
    pub missing: Option<(ObjectRef, Confidence)>,
    /// The objects in between, from the first on.
    pub way: Vec<ObjectRef>,
}

impl Lead<'_> {
    /// What somebody must change.
    pub fn entity(&self) -> ObjectRef {
        self.missing.as_ref().map_or_else(|| self.says.reference(), |(missing, _)| missing.clone())
    }
}

/// All that say something, looked up once: there may be thousands of them.
pub(super) struct Failing<'a> {
    by_uid: HashMap<&'a str, &'a CustomResource>,
    /// By the names of those that may have deployed them.
    made: HashMap<&'a str, Vec<&'a CustomResource>>,
    /// One object of each kind that there is.
    kinds: Vec<&'a CustomResource>,
}

impl<'a> Failing<'a> {
    /// Of `all` custom resources those that fail.
    pub fn new(all: impl Iterator<Item = &'a CustomResource>, failing: &[&'a CustomResource]) -> Failing<'a> {
        let mut made: HashMap<&str, Vec<&CustomResource>> = HashMap::new();
        for o in failing {
            for name in deployer::names(&o.metadata) {
                made.entry(name).or_default().push(o);
            }
        }
        let mut seen = HashSet::new();
        let with_uid = failing.iter().filter(|o| !o.metadata.uid.is_empty());
        Failing {
            by_uid: with_uid.map(|o| (o.metadata.uid.as_str(), *o)).collect(),
            made,
            kinds: all.filter(|o| seen.insert((o.group(), o.kind.as_str()))).collect(),
        }
    }

    fn get(&self, object: &Object) -> Option<&'a CustomResource> {
        self.by_uid.get(object.meta().uid.as_str()).copied()
    }
}

/// The cause of what this object says, as far as it can be followed.
pub(super) fn lead<'a>(cx: &Context<'a>, o: &'a CustomResource, failing: &Failing<'a>) -> Option<Lead<'a>> {
    let mut way = vec![o.reference()];
    let mut at = o;
    for _ in 0..STEPS {
        match next(cx, at, failing) {
            Next::Further(further) if !way.iter().any(|w| w.same_name(&further.reference())) => {
                way.push(further.reference());
                at = further;
            }
            Next::Missing(object, sure) => {
                return Some(Lead { says: at, said: said(at, cx.now.get())?, missing: Some((object, sure)), way });
            }
            Next::Further(_) | Next::End => break,
        }
    }
    let said = said(at, cx.now.get())?;
    let missing = missing(cx, at, &said, failing);
    Some(Lead { says: at, said, missing, way })
}

enum Next<'a> {
    Further(&'a CustomResource),
    Missing(ObjectRef, Confidence),
    End,
}

fn next<'a>(cx: &Context<'a>, o: &'a CustomResource, failing: &Failing<'a>) -> Next<'a> {
    let mut children = cx.index.owned_by(&o.metadata.uid).filter(|_| !o.metadata.uid.is_empty());
    if let Some(child) = children.find_map(|c| failing.get(c)) {
        return Next::Further(child);
    }
    for wanted in stands_on(o) {
        match cx.index.resolve(&wanted) {
            Some(there) => {
                if let Some(further) = failing.get(there) {
                    return Next::Further(further);
                }
            }
            // Others of its kind are read, so that this one is not there. Where none is, the kind may not be readable.
            None if knows(cx, &wanted, true) => {
                return Next::Missing(wanted, Confidence::Likely);
            }
            None => {}
        }
    }
    let me = o.reference();
    let deployer = matches!(o.kind.as_str(), "Kustomization" | "HelmRelease" | "Application");
    let made =
        failing.made.get(o.metadata.name.as_str()).filter(|_| deployer).and_then(|made| {
            made.iter().find(|f| f.metadata.uid != o.metadata.uid && cx.index.deploys(&me, &f.metadata))
        });
    made.map_or(Next::End, |f| Next::Further(f))
}

/// What an object names that must be ready before it can be.
pub(crate) fn stands_on(o: &CustomResource) -> Vec<ObjectRef> {
    let own = o.metadata.namespace.as_deref();
    let (api, spec) = (o.api_version.as_str(), &o.spec);
    let mut out = Vec::new();
    let mut take = |named: &Named, api: &str, kind: &str| {
        if !named.name.is_empty() {
            out.push(named.reference(api, kind, own));
        }
    };
    const SOURCE: &str = "source.toolkit.fluxcd.io/v1";
    if let Some(source) = &spec.chart.spec.source_ref {
        let place = source.namespace.as_deref().or(own);
        // Flux makes a chart of its own for each release, beside the repository.
        let chart = format!("{}-{}", own.unwrap_or(""), o.metadata.name);
        let chart = Named { name: chart, namespace: place.map(str::to_owned), ..Named::default() };
        take(source, SOURCE, "HelmRepository");
        take(&chart, SOURCE, CHART);
    }
    spec.source_ref.iter().for_each(|r| take(r, SOURCE, "GitRepository"));
    spec.chart_ref.iter().for_each(|r| take(r, SOURCE, "OCIRepository"));
    spec.depends_on.iter().for_each(|r| take(r, api, &o.kind));
    spec.issuer_ref.iter().for_each(|r| take(r, "cert-manager.io/v1", "Issuer"));
    spec.secret_store_ref.iter().for_each(|r| take(r, api, "SecretStore"));
    out
}

/// Made by Flux itself: that it is not there yet is no fault of anybody's.
const CHART: &str = "HelmChart";

/// Objects of this group, or of this very kind, are read, so that one that is not among them is not there.
fn knows(cx: &Context<'_>, wanted: &ObjectRef, kind: bool) -> bool {
    wanted.kind != CHART && cx.index.knows_extension(wanted, kind)
}

static MISSING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"([A-Za-z][A-Za-z0-9]*)((?:\.[a-z0-9-]+)*) (?:["'“]([a-z0-9][a-z0-9./-]*)["'”]|([a-z0-9][a-z0-9./-]*[a-z0-9])) (?:(?:is|was) )?(?:not found|does not exist)"#).ok()
});

/// The text says of an object by kind and name that it is not there.
pub(super) fn names_missing(message: &str) -> bool {
    let Some(form) = MISSING.as_ref() else { return false };
    form.captures_iter(message).any(|m| name_in(&m).is_some())
}

/// The name in a match. What stands without quotes is one only behind a kind as the API writes it (`secrets`,
/// `jobs.batch`), or with its namespace: nouns of every language end with a word that is a kind, too.
fn name_in<'m>(m: &Captures<'m>) -> Option<&'m str> {
    const VERBS: &[&str] = &["is", "was", "are", "were"];
    if let Some(quoted) = m.get(3) {
        return Some(quoted.as_str());
    }
    let (kind, name) = (own_kind(&m[1], &m[2])?, m.get(4)?.as_str());
    let as_api = !m[2].is_empty() || m[1].to_lowercase() == kind.plural();
    let placed = kind.namespaced() && name.contains('/');
    ((as_api || placed) && !VERBS.contains(&name)).then_some(name)
}

/// One of Kubernetes' own kinds, singular or plural, in any case.
fn own_kind(word: &str, group: &str) -> Option<Kind> {
    let (lower, group) = (word.to_lowercase(), group.trim_start_matches('.'));
    // Databases have roles as well, and say of them in these words that they do not exist.
    if word == "role" && group.is_empty() {
        return None;
    }
    let mut all = Kind::ALL.iter().copied().filter(|k| *k != Kind::CustomResource);
    all.find(|k| {
        (k.plural() == lower || k.as_str().to_lowercase() == lower) && (group.is_empty() || k.group() == group)
    })
}

/// The object that a message says is not there, where it is known not to be.
fn missing(
    cx: &Context<'_>,
    o: &CustomResource,
    said: &Said,
    failing: &Failing<'_>,
) -> Option<(ObjectRef, Confidence)> {
    if o.is_remote() {
        return None;
    }
    MISSING.as_ref()?.captures_iter(&said.message).find_map(|m| {
        let whole = name_in(&m)?;
        let name = whole.split_once('/').map_or(whole, |(_, name)| name);
        let placed = place_in(cx, o, &said.message, name);
        // A path in some other store is no name.
        if name.contains('/') || (name != whole && placed.is_none()) {
            return None;
        }
        match own_kind(&m[1], &m[2]) {
            Some(kind) => own(cx, o, kind, placed, name),
            None => named(cx, o, failing, &m[1], &m[2], placed.or_else(|| place(o)), name),
        }
    })
}

/// The namespace that a message gives an object: `shop/db`, or `in namespace shop`.
fn place_in<'m>(cx: &Context<'_>, o: &CustomResource, message: &'m str, name: &str) -> Option<&'m str> {
    let words = || {
        let parts = message.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '/')));
        parts.map(|w| w.trim_matches(['.', '/'])).filter(|w| !w.is_empty())
    };
    let is_place = |ns: &&str| {
        let own = [o.metadata.namespace.as_deref(), place(o)];
        own.contains(&Some(*ns)) || cx.index.get(Kind::Namespace, None, ns).is_some()
    };
    let before = words().filter_map(|word| word.strip_suffix(name)?.strip_suffix('/')).find(is_place);
    let after = || words().zip(words().skip(1)).filter(|(a, _)| a.eq_ignore_ascii_case("namespace")).map(|(_, b)| b);
    before.or_else(|| after().find(is_place))
}

/// Where what an object names without a namespace is looked for.
fn place(o: &CustomResource) -> Option<&str> {
    let target = match o.kind.as_str() {
        "Application" => o.spec.destination.namespace.as_deref(),
        _ => o.spec.target_namespace.as_deref(),
    };
    target.filter(|ns| !ns.is_empty()).or(o.metadata.namespace.as_deref())
}

/// An object of Kubernetes' own that is not there. A message that does not say where it should be may be about the
/// namespace of the controller; only what the message places, or the object itself asks for, is sure.
fn own(
    cx: &Context<'_>,
    o: &CustomResource,
    kind: Kind,
    placed: Option<&str>,
    name: &str,
) -> Option<(ObjectRef, Confidence)> {
    // External Secrets passes on what a store says, and a store may be another cluster.
    if o.group() == "external-secrets.io" {
        return None;
    }
    let usual = place(o);
    let places = match (kind.namespaced(), placed) {
        (false, _) => vec![None],
        (true, Some(ns)) => vec![Some(ns)],
        // Of the namespaces it may be meant in none has it.
        (true, None) => vec![usual, o.metadata.namespace.as_deref()],
    };
    let gone = places.iter().all(|ns| {
        (ns.is_some() || !kind.namespaced()) && cx.index.knows(kind, *ns) && cx.index.get(kind, *ns, name).is_none()
    });
    let object = ObjectRef::missing(kind, places[0], name);
    let asked = (kind == Kind::Namespace && usual == Some(name)) || stands_on(o).iter().any(|w| w.same_name(&object));
    let sure = asked || (kind.namespaced() && placed.is_some());
    gone.then_some((object, if sure { Confidence::Established } else { Confidence::Likely }))
}

/// The same for an extension's kind.
fn named(
    cx: &Context<'_>,
    o: &CustomResource,
    failing: &Failing<'_>,
    word: &str,
    group: &str,
    namespace: Option<&str>,
    name: &str,
) -> Option<(ObjectRef, Confidence)> {
    let (lower, said) = (word.to_lowercase(), extension(&format!("{}/v1", group.trim_start_matches('.'))).is_some());
    let group = if said { group.trim_start_matches('.') } else { o.group() };
    let known =
        failing.kinds.iter().find(|c| c.group() == group && (c.resource == lower || c.kind.to_lowercase() == lower));
    let known = known.map(|c| (c.kind.clone(), c.api_version.clone()));
    // A kind that nothing is of is one only where its group stands beside it: `key "ca.crt" not found` names none.
    // Messages write it in small letters; the object's own reference has its spelling.
    let own = stands_on(o).into_iter().find(|w| w.name == name && w.kind.to_lowercase() == lower);
    let own = own.map(|w| (w.kind, w.api_version));
    let (kind, api) = own.or(known).or_else(|| said.then(|| (words::capital(word), format!("{group}/v1"))))?;
    let named = Named { name: name.to_owned(), ..Named::default() };
    let wanted = named.reference(&api, &kind, namespace);
    (cx.index.resolve(&wanted).is_none() && knows(cx, &wanted, false)).then_some((wanted, Confidence::Likely))
}
