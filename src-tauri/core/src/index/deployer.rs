//! Who put an object into the cluster, as its labels and annotations prove: an Argo CD Application, a Flux
//! Kustomization or HelmRelease, or a Helm release. Where they prove nothing, nobody is named.

use std::sync::Arc;

use super::Index;
use crate::object::{Kind, Meta, Object, ObjectRef, config::HelmRelease, custom::Named, kind::extension};

impl Index {
    /// The objects that deploy this one, those that are there. A Helm release is the Secret of its newest revision.
    pub fn deployers_of<'a>(&'a self, meta: &'a Meta) -> Vec<&'a Arc<Object>> {
        let mut out = Vec::new();
        for (api, kind) in FLUX {
            let group = api.split('/').next().unwrap_or_default();
            let label = |what: &str| meta.labels.get(&format!("{group}/{what}"));
            if let Some((name, namespace)) = label("name").zip(label("namespace")) {
                let named = Named { name: name.clone(), ..Named::default() };
                out.extend(self.resolve(&named.reference(api, kind, Some(namespace))));
            }
        }
        if application(meta).is_some() {
            let all = self.all(Kind::CustomResource);
            out.extend(all.filter(
                |o| matches!(&***o, Object::CustomResource(a) if a.is(ARGO, "Application") && tracks(a, meta)),
            ));
        }
        if let Some((namespace, name)) = release(meta) {
            out.extend(self.helm_release(namespace, name));
        }
        out
    }

    /// The Secret of a Helm release's newest revision.
    pub fn helm_release<'a>(&'a self, namespace: &'a str, name: &str) -> Option<&'a Arc<Object>> {
        self.in_namespace(Kind::Secret, namespace)
            .filter_map(|o| Some((HelmRelease::of(o).filter(|r| r.name == name)?.revision, o)))
            .max_by_key(|(revision, _)| *revision)
            .map(|(_, o)| o)
    }

    /// True when one deploys the other.
    pub fn deploys(&self, deployer: &ObjectRef, meta: &Meta) -> bool {
        let label = |api: &str, what: &str| {
            let group = api.split('/').next().unwrap_or_default();
            meta.labels.get(&format!("{group}/{what}"))
        };
        if let Some((api, _)) =
            FLUX.iter().find(|(api, kind)| *kind == deployer.kind && extension(api) == extension(&deployer.api_version))
        {
            return label(api, "name") == Some(&deployer.name)
                && label(api, "namespace") == deployer.namespace.as_ref();
        }
        match self.resolve(deployer).map(|o| &**o) {
            Some(Object::CustomResource(app)) if app.is(ARGO, "Application") => tracks(app, meta),
            Some(secret @ Object::Secret(_)) => HelmRelease::of(secret).is_some_and(|r| {
                let newest = |ns: &str| self.helm_release(ns, r.name).is_some_and(|o| o.meta().name == deployer.name);
                release(meta)
                    .is_some_and(|(ns, name)| name == r.name && Some(ns) == deployer.namespace.as_deref() && newest(ns))
            }),
            _ => false,
        }
    }
}

const ARGO: &str = "argoproj.io";

/// The kinds of Flux that deploy; each leaves two labels of its group.
const FLUX: [(&str, &str); 2] =
    [("kustomize.toolkit.fluxcd.io/v1", "Kustomization"), ("helm.toolkit.fluxcd.io/v2", "HelmRelease")];

/// The Helm release that an object says it is of: namespace and name.
pub fn release(meta: &Meta) -> Option<(&str, &str)> {
    let own = meta.namespace.as_deref();
    let said = |key: &str| meta.annotations.get(key).map(String::as_str);
    if let Some(name) = said("meta.helm.sh/release-name") {
        return Some((said("meta.helm.sh/release-namespace").or(own)?, name));
    }
    let by_helm = meta.labels.get("app.kubernetes.io/managed-by").is_some_and(|by| by == "Helm");
    meta.labels.get("app.kubernetes.io/instance").filter(|_| by_helm).and_then(|name| Some((own?, name.as_str())))
}

/// The Argo CD Application that an object says it is of.
struct Tracked<'a> {
    /// Where the Application lies; not said of one in Argo CD's own namespace.
    namespace: Option<&'a str>,
    name: &'a str,
    /// Nobody else would have written it.
    sure: bool,
}

impl Tracked<'_> {
    /// From `NAME` or `NAMESPACE_NAME`; neither of them has a `_` of its own.
    fn read(app: &str, sure: bool) -> Tracked<'_> {
        let (namespace, name) = app.split_once('_').map_or((None, app), |(namespace, name)| (Some(namespace), name));
        Tracked { namespace, name, sure }
    }
}

fn application(meta: &Meta) -> Option<Tracked<'_>> {
    // `APP:GROUP/KIND:NAMESPACE/NAME`; with its namespace and a `_` before it where that is not Argo CD's own.
    if let Some(id) = meta.annotations.get("argocd.argoproj.io/tracking-id") {
        return Some(Tracked::read(id.split(':').next().unwrap_or_default(), true));
    }
    let own = meta.labels.get("argocd.argoproj.io/instance").map(|app| Tracked::read(app, true));
    own.or_else(|| Some(Tracked::read(meta.labels.get("app.kubernetes.io/instance")?, false)))
}

/// The names of those that may have deployed an object, by what it says of itself; [`Index::deploys`] knows for sure.
/// Helm's releases are not among them.
pub fn names(meta: &Meta) -> impl Iterator<Item = &str> {
    let flux = FLUX.iter().filter_map(|(api, _)| {
        let group = api.split('/').next().unwrap_or_default();
        meta.labels.get(&format!("{group}/name")).map(String::as_str)
    });
    flux.chain(application(meta).map(|a| a.name))
}

/// The label that charts set as well proves something only in the namespace the Application deploys to.
fn tracks(app: &crate::object::CustomResource, meta: &Meta) -> bool {
    let place = app.spec.destination.namespace.as_deref().filter(|ns| !ns.is_empty() && !app.is_remote());
    application(meta).is_some_and(|of| {
        of.name == app.metadata.name
            && (of.namespace.is_none() || of.namespace == app.metadata.namespace.as_deref())
            && (of.sure || place.is_some() && place == meta.namespace.as_deref())
    })
}
