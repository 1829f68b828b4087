//! Along what a failure travels from one object to another: a host name leads to a Service, a Service to the workloads
//! behind it, a webhook, an aggregated API or an Ingress to the Service it calls, an autoscaler to what it scales.

use std::{
    cell::{OnceCell, RefCell},
    collections::{BTreeMap, BTreeSet, HashMap},
};

use crate::{
    detect::host,
    index::Index,
    object::{Kind, Object, ObjectRef, PodSpec, Service, has_all},
};

/// The ways of one cluster, found when they are asked for.
pub(crate) struct Routes<'a> {
    pub index: &'a Index,
    /// Services by the address the cluster gave them.
    by_ip: OnceCell<HashMap<&'a str, &'a Service>>,
    behind: RefCell<HashMap<String, Vec<ObjectRef>>>,
    configured: RefCell<HashMap<String, BTreeSet<String>>>,
}

impl<'a> Routes<'a> {
    pub(crate) fn new(index: &'a Index) -> Routes<'a> {
        Routes { index, by_ip: OnceCell::new(), behind: RefCell::default(), configured: RefCell::default() }
    }

    /// The host names a workload or pod is configured with.
    pub(crate) fn configured(&self, subject: &ObjectRef) -> BTreeSet<String> {
        if let Some(known) = self.configured.borrow().get(&subject.key()) {
            return known.clone();
        }
        let hosts = self.spec(subject).map(|spec| host::hosts(spec).into_iter().collect()).unwrap_or_default();
        self.configured.borrow_mut().entry(subject.key()).or_insert(hosts).clone()
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
        let bare = host.rsplit_once(':').filter(|(_, p)| p.parse::<u16>().is_ok()).map_or(host, |(h, _)| h);
        let bare = bare.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let found = if bare.parse::<std::net::IpAddr>().is_ok() {
            *self.by_ip().get(bare)?
        } else {
            let mut parts = bare.split('.');
            let (name, second, third) = (parts.next()?, parts.next(), parts.next());
            match (second, third) {
                (None, _) => self.named(namespace, name)?,
                // `name.namespace`, `name.namespace.svc…`; else a pod of a StatefulSet: `pod.name`, `pod.name.namespace…`.
                (Some(second), None) => {
                    self.named(second, name).or_else(|| self.named(namespace, second).filter(|s| headless(s)))?
                }
                (Some(second), Some("svc")) => self.named(second, name)?,
                (Some(second), Some(third)) => self.named(third, second).filter(|s| headless(s))?,
            }
        };
        (!hub(found)).then_some(found)
    }

    fn named(&self, namespace: &str, name: &str) -> Option<&'a Service> {
        match &**self.index.get(Kind::Service, Some(namespace), name)? {
            Object::Service(s) => Some(s),
            _ => None,
        }
    }

    fn by_ip(&self) -> &HashMap<&'a str, &'a Service> {
        self.by_ip.get_or_init(|| {
            let services = self.index.all(Kind::Service).filter_map(|o| match &**o {
                Object::Service(s) => Some(s),
                _ => None,
            });
            services
                .filter_map(|s| Some((s.spec.cluster_ip.as_deref().filter(|ip| *ip != "None" && !ip.is_empty())?, s)))
                .collect()
        })
    }

    /// The workloads whose pods a Service selects, be it that they have none at the moment.
    pub(crate) fn behind(&self, service: &Service) -> Vec<ObjectRef> {
        let key = reference(service).key();
        if let Some(known) = self.behind.borrow().get(&key) {
            return known.clone();
        }
        let namespace = service.metadata.namespace.as_deref().unwrap_or("");
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
        let found: Vec<ObjectRef> = found.into_values().collect();
        self.behind.borrow_mut().insert(key, found.clone());
        found
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
        let services = self.index.in_namespace(Kind::Service, "kube-system").filter_map(|o| match &**o {
            Object::Service(s) => Some(s),
            _ => None,
        });
        services.filter(|s| is_dns(s)).collect()
    }
}

/// A reference to a Service.
pub(crate) fn reference(service: &Service) -> ObjectRef {
    ObjectRef {
        api_version: "v1".to_owned(),
        kind: "Service".to_owned(),
        namespace: service.metadata.namespace.clone(),
        name: service.metadata.name.clone(),
        uid: Some(service.metadata.uid.clone()).filter(|u| !u.is_empty()),
    }
}

/// What everybody calls: naming it proves nothing.
fn hub(service: &Service) -> bool {
    let place = (service.metadata.namespace.as_deref().unwrap_or(""), service.metadata.name.as_str());
    place == ("default", "kubernetes") || is_dns(service)
}

fn is_dns(service: &Service) -> bool {
    let labels = &service.metadata.labels;
    service.metadata.namespace.as_deref() == Some("kube-system")
        && (matches!(service.metadata.name.as_str(), "kube-dns" | "coredns" | "rke2-coredns-rke2-coredns")
            || labels.get("k8s-app").is_some_and(|l| l == "kube-dns"))
}

fn headless(service: &Service) -> bool {
    service.spec.cluster_ip.as_deref() == Some("None")
}

fn matches(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    !selector.is_empty() && has_all(labels, selector)
}
