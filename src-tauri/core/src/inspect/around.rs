//! What lies around an object that is asked about: what belongs to it, what leads to it, and what it leans on.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    correlate::Fault,
    detect::asked,
    finding::Finding,
    index::Index,
    object::{Kind, Object, ObjectRef, Pod, has_all},
};

/// The neighbourhood of one object.
#[derive(Debug)]
pub(super) struct Around<'a> {
    /// Keys of the object itself, its owners, what it owns, and what leads to it.
    own: BTreeSet<String>,
    /// Its pods: those that are not ready first, then the newest.
    pub pods: Vec<&'a Pod>,
    /// The Services that the configuration of its pods names, one hop upstream, with the pods behind each.
    pub leans_on: Vec<(ObjectRef, Vec<&'a Pod>)>,
    /// Keys of what it leans on: these Services, the workloads and pods behind them, its claims and volumes.
    upstream: BTreeSet<String>,
    /// Keys of the nodes its pods run on.
    nodes: BTreeSet<String>,
}

impl<'a> Around<'a> {
    pub fn new(index: &'a Index, subject: &ObjectRef) -> Around<'a> {
        let mut around = Around {
            own: BTreeSet::from([subject.key()]),
            pods: Vec::new(),
            leans_on: Vec::new(),
            upstream: BTreeSet::new(),
            nodes: BTreeSet::new(),
        };
        let Some(object) = index.resolve(subject) else { return around };
        around.take_in(index, object);
        around.pods.sort_by(|a, b| {
            let made = |p: &Pod| p.metadata.creation_timestamp;
            let told = |p: &Pod| (p.metadata.deleting(), p.ready());
            told(a).cmp(&told(b)).then(made(b).cmp(&made(a))).then_with(|| a.metadata.name.cmp(&b.metadata.name))
        });
        around.pods.dedup_by(|a, b| a.metadata.uid == b.metadata.uid);
        around.lead_here(index);
        around.lean(index, subject);
        around
    }

    /// The object's own: owners above it, and pods below it.
    fn take_in(&mut self, index: &'a Index, object: &'a Object) {
        self.own.insert(index.top_owner(object).key());
        match object {
            Object::Pod(pod) => self.pods.push(pod),
            Object::Service(_) => self.behind(index, &object.reference()),
            Object::Ingress(ingress) => {
                let ns = ingress.metadata.namespace.as_deref();
                for (_, backend) in ingress.backends() {
                    self.own.insert(ObjectRef::missing(Kind::Service, ns, &backend.name).key());
                    if let Some(service) = index.get(Kind::Service, ns, &backend.name) {
                        self.behind(index, &service.reference());
                    }
                }
            }
            Object::HTTPRoute(route) => {
                let here = route.metadata.namespace.as_deref();
                for to in route.spec.rules.iter().flat_map(|r| &r.backend_refs) {
                    let ns = to.namespace.as_deref().or(here);
                    if let Some(service) = index.get(Kind::Service, ns, &to.name) {
                        self.own.insert(service.reference().key());
                        self.behind(index, &service.reference());
                    }
                }
            }
            other => self.pods.extend(index.pods_of(&other.meta().uid)),
        }
        for pod in self.pods.clone() {
            self.own.insert(pod.reference().key());
            let mut meta = &pod.metadata;
            // Between the pod and its workload: ReplicaSets and Jobs.
            while let Some(owner) = meta.controller().and_then(|o| index.by_uid(&o.uid)) {
                if !self.own.insert(owner.reference().key()) {
                    break;
                }
                meta = owner.meta();
            }
        }
    }

    /// The pods that a Service leads to belong to it.
    fn behind(&mut self, index: &'a Index, service: &ObjectRef) {
        self.pods.extend(asked::pods_behind(index, service));
    }

    /// The Services that select its pods, the Ingresses that lead there, and what scales it.
    fn lead_here(&mut self, index: &'a Index) {
        let namespaces: BTreeSet<&str> = self.pods.iter().filter_map(|p| p.metadata.namespace.as_deref()).collect();
        for ns in namespaces {
            let mut services = BTreeSet::new();
            for object in index.in_namespace(Kind::Service, ns) {
                let Object::Service(service) = &**object else { continue };
                let selects = |p: &&Pod| {
                    p.metadata.namespace.as_deref() == Some(ns) && has_all(&p.metadata.labels, &service.spec.selector)
                };
                if !service.spec.selector.is_empty() && self.pods.iter().any(selects) {
                    services.insert(service.metadata.name.as_str());
                    self.own.insert(object.reference().key());
                }
            }
            for object in index.in_namespace(Kind::Ingress, ns) {
                let Object::Ingress(ingress) = &**object else { continue };
                if ingress.backends().any(|(_, b)| services.contains(b.name.as_str())) {
                    self.own.insert(object.reference().key());
                }
            }
        }
    }

    /// What its pods name and mount, and where they run.
    fn lean(&mut self, index: &'a Index, subject: &ObjectRef) {
        let mut services: BTreeMap<String, ObjectRef> = BTreeMap::new();
        for pod in &self.pods {
            let ns = pod.metadata.namespace.as_deref();
            for service in asked::services_named(index, pod) {
                services.insert(service.key(), service);
            }
            for (claim, _) in pod.spec.claims() {
                self.upstream.insert(ObjectRef::missing(Kind::PersistentVolumeClaim, ns, claim).key());
            }
            self.nodes.extend(pod.spec.node_name.iter().map(|n| ObjectRef::missing(Kind::Node, None, n).key()));
        }
        for (key, service) in services {
            if self.own.contains(&key) || service.same_name(subject) {
                continue;
            }
            let pods: Vec<&Pod> = asked::pods_behind(index, &service)
                .into_iter()
                .filter(|p| !self.own.contains(&p.reference().key()))
                .collect();
            self.upstream.insert(key);
            for pod in &pods {
                self.upstream.insert(pod.reference().key());
                self.upstream.insert(index.top_owner_of(pod.reference(), &pod.metadata).key());
            }
            self.leans_on.push((service, pods));
        }
    }

    /// How a fault touches the object: 0 is its own, 1 lies upstream of it; none where it has nothing to do with it.
    pub fn touched_by(&self, fault: &Fault) -> Option<u8> {
        let cause = fault.causes.first();
        let named: Vec<String> = [&fault.subject]
            .into_iter()
            .chain(cause.map(|c| &c.entity))
            .chain(cause.and_then(|c| c.referrer.as_ref()))
            .chain(fault.findings.iter().flat_map(|f: &Finding| [&f.object, &f.subject]))
            .map(ObjectRef::key)
            .collect();
        if named.iter().any(|k| self.own.contains(k)) {
            return Some(0);
        }
        // Every workload of a node names it somehow; it is upstream where it is in trouble itself.
        let node = fault.findings.iter().any(|f| self.nodes.contains(&f.object.key()));
        (node || named.iter().any(|k| self.upstream.contains(k))).then_some(1)
    }
}
