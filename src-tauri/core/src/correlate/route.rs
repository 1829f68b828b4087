//! Along what a failure travels from one object to another: a host name leads to a Service, a Service to the workloads
//! behind it, a webhook, an aggregated API or an Ingress to the Service it calls, an autoscaler to what it scales.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{Hash, Hasher},
    sync::Arc,
};

use super::cascade::How;
use crate::{
    detect::host::hosts,
    finding::Finding,
    host,
    index::{Changed, Index, Now, Once},
    object::{Kind, Object, ObjectRef, PodSpec, Service, has_all},
};

/// The ways of one cluster, found when they are asked for.
pub(crate) struct Routes<'a> {
    pub index: &'a Index,
    ways: Ways,
}

/// What was found of the ways of a cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ways {
    behind: Once<String, Arc<[ObjectRef]>>,
    configured: Once<String, Arc<BTreeSet<String>>>,
    suspects: Once<(This, bool), Arc<[Suspected]>>,
}

/// A Service that may be to blame for a finding: its namespace and name, and how it is known to be called.
pub(super) type Suspected = (String, String, How);

/// This very finding: one that says the same is another.
#[derive(Clone, Debug)]
struct This(Arc<Finding>);

impl PartialEq for This {
    fn eq(&self, other: &This) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for This {}

impl Hash for This {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl Ways {
    /// Another look begins: only what still holds stays.
    pub(crate) fn look_again(&mut self, changed: &Changed, now: Now<'_>) {
        self.behind.look_again(changed, now);
        self.configured.look_again(changed, now);
        self.suspects.look_again(changed, now);
    }

    /// How much is kept.
    pub(crate) fn entries(&self) -> usize {
        self.behind.entries() + self.configured.entries() + self.suspects.entries()
    }
}

impl<'a> Routes<'a> {
    pub(crate) fn new(index: &'a Index, ways: Ways) -> Routes<'a> {
        Routes { index, ways }
    }

    /// What was found of them, for the next look.
    pub(crate) fn into_ways(self) -> Ways {
        self.ways
    }

    /// The Services that may be to blame for a finding.
    pub(super) fn suspects(
        &self,
        finding: &Arc<Finding>,
        has_own: bool,
        find: impl FnOnce() -> Vec<Suspected>,
    ) -> Arc<[Suspected]> {
        self.ways.suspects.get(self.index, (This(finding.clone()), has_own), |_| find().into())
    }

    /// The host names a workload or pod is configured with.
    pub(crate) fn configured(&self, subject: &ObjectRef) -> Arc<BTreeSet<String>> {
        self.ways.configured.get(self.index, subject.key(), |_| {
            Arc::new(self.spec(subject).map(|spec| hosts(spec).into_iter().collect()).unwrap_or_default())
        })
    }

    /// The pod specification of a workload, or of a pod without one.
    pub(crate) fn spec(&self, subject: &ObjectRef) -> Option<&'a PodSpec> {
        match &**self.index.resolve(subject)? {
            Object::Pod(pod) => Some(&pod.spec),
            other => other.pod_template().map(|t| &t.spec),
        }
    }

    /// The Service a host name means to a pod of this namespace. The API server and the cluster's DNS are everybody's
    /// neighbours and prove nothing.
    pub(crate) fn service(&self, host: &str, namespace: &str) -> Option<&'a Service> {
        host::service(
            self.index,
            namespace,
            host.trim_matches(|c: char| !(c.is_ascii_alphanumeric() || "[]:".contains(c))),
        )
        .filter(|s| !hub(s))
    }

    pub(super) fn named(&self, namespace: &str, name: &str) -> Option<&'a Service> {
        match &**self.index.get(Kind::Service, Some(namespace), name)? {
            Object::Service(s) => Some(s),
            _ => None,
        }
    }

    /// The workloads whose pods a Service selects, be it that they have none at the moment.
    pub(crate) fn behind(&self, service: &Service) -> Arc<[ObjectRef]> {
        let meta = &service.metadata;
        self.ways.behind.get(self.index, service.reference().key(), |_| {
            self.find_behind(meta.namespace.as_deref().unwrap_or(""), &meta.name).into()
        })
    }

    /// By name: reading the Service has what was found forgotten once it changes.
    fn find_behind(&self, namespace: &str, name: &str) -> Vec<ObjectRef> {
        let Some(service) = self.named(namespace, name) else { return Vec::new() };
        let selector = &service.spec.selector;
        let mut found: BTreeMap<String, ObjectRef> = BTreeMap::new();
        if !selector.is_empty() {
            for pod in self.index.pods_matching(namespace, selector) {
                let reference = pod.reference();
                let owner = self.index.top_owner_of(reference, &pod.metadata);
                found.insert(owner.key(), owner);
            }
            for kind in [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::ReplicaSet] {
                for o in self.index.in_namespace(kind, namespace) {
                    let fits = o.pod_template().is_some_and(|t| matches(selector, &t.metadata.labels));
                    if fits && o.meta().controller().is_none() {
                        found.insert(o.reference().key(), o.reference());
                    }
                }
            }
        }
        found.into_values().collect()
    }

    /// The Services that an object other than a workload calls, and other objects it stands on.
    pub(crate) fn calls(&self, object: &ObjectRef) -> (Vec<&'a Service>, Vec<ObjectRef>) {
        let mut services: BTreeSet<(String, String)> = BTreeSet::new();
        let mut others = Vec::new();
        let mut call = |namespace: &str, name: &str| {
            services.insert((namespace.to_owned(), name.to_owned()));
        };
        let own = object.namespace.as_deref().unwrap_or("");
        for found in self.meant(object) {
            match found {
                Object::ValidatingWebhookConfiguration(c) => {
                    c.webhooks
                        .iter()
                        .filter_map(|w| w.client_config.service.as_ref())
                        .for_each(|s| call(&s.namespace, &s.name));
                }
                Object::MutatingWebhookConfiguration(c) => {
                    c.webhooks
                        .iter()
                        .filter_map(|w| w.client_config.service.as_ref())
                        .for_each(|s| call(&s.namespace, &s.name));
                }
                Object::APIService(a) => a.spec.service.iter().for_each(|s| call(&s.namespace, &s.name)),
                Object::Ingress(i) => i.backends().for_each(|(_, b)| call(own, &b.name)),
                Object::HTTPRoute(r) => {
                    r.spec.rules.iter().flat_map(|rule| &rule.backend_refs).for_each(|b| {
                        call(b.namespace.as_deref().unwrap_or(own), &b.name);
                    });
                }
                Object::HorizontalPodAutoscaler(h) => {
                    let target = &h.spec.scale_target_ref;
                    if let Some(kind) = Kind::parse(&target.kind) {
                        others.extend(self.index.get(kind, Some(own), &target.name).map(|o| o.reference()));
                    }
                    // What it measures by.
                    let metrics = Kind::APIService;
                    others.push(ObjectRef::missing(metrics, None, "v1beta1.metrics.k8s.io"));
                    if let Some(Object::APIService(a)) =
                        self.index.get(metrics, None, "v1beta1.metrics.k8s.io").map(|o| &**o)
                    {
                        a.spec.service.iter().for_each(|s| call(&s.namespace, &s.name));
                    }
                }
                _ => {}
            }
        }
        let services =
            services.iter().filter_map(|(namespace, name)| self.named(namespace, name)).filter(|s| !hub(s)).collect();
        (services, others)
    }

    /// The object, or the configuration that has a webhook of this name: refusals name the webhook alone.
    fn meant(&self, object: &ObjectRef) -> Vec<&'a Object> {
        if let Some(found) = self.index.resolve(object) {
            return vec![&**found];
        }
        let has = |hooks: &[crate::object::admission::Webhook]| hooks.iter().any(|w| w.name == object.name);
        match object.kind.as_str() {
            "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => self
                .index
                .all(Kind::ValidatingWebhookConfiguration)
                .chain(self.index.all(Kind::MutatingWebhookConfiguration))
                .map(|o| &**o)
                .filter(|o| match o {
                    Object::ValidatingWebhookConfiguration(c) => has(&c.webhooks),
                    Object::MutatingWebhookConfiguration(c) => has(&c.webhooks),
                    _ => false,
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The Services that answer the cluster's DNS.
    pub(crate) fn dns(&self) -> Vec<&'a Service> {
        host::dns_services(self.index).collect()
    }
}

/// What everybody calls: naming it proves nothing.
fn hub(service: &Service) -> bool {
    host::is_api_server(service) || host::is_dns(service)
}

fn matches(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    !selector.is_empty() && has_all(labels, selector)
}
