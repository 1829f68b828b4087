//! The references one object makes, and who makes references to it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    Edge, Relation,
    reach::{PODS, Where, referrers},
};
use crate::{
    index::Index,
    object::{
        CustomResource, Gateway, HTTPRoute, Ingress, Kind, LabelSelector, NetworkPolicy, Object, ObjectRef,
        PersistentVolume, PodSpec, Service, StorageClass, config::HelmRelease,
    },
};

/// Every reference an object makes or that is made to it, in a fixed order. The object need not be there: who refers
/// to a missing ConfigMap is answered too. Of pods that a workload made, what they read and select is answered by
/// their own specification, host names by the workload's.
pub fn neighbours(index: &Index, object: &ObjectRef) -> Vec<Edge> {
    let known = index.resolve(object);
    let mut out = Draft { index, only: None, edges: Vec::new() };
    if let Some(known) = known {
        out.of(known);
    }
    // An owner of a kind that is not read is known by the uid its children name.
    let uid = known.map(|o| o.meta().uid.as_str()).or(object.uid.as_deref()).unwrap_or("");
    for child in index.owned_by(uid) {
        out.push(Relation::Owns, known.map_or_else(|| object.clone(), |o| o.reference()), child.reference(), None);
    }
    let target = known.map_or_else(|| object.clone(), |o| o.reference());
    let mut to_it = Draft { index, only: Some(&target), edges: Vec::new() };
    for (kind, place) in Kind::of(&object.api_version, &object.kind).map_or(&[][..], referrers) {
        let ns = object.namespace.as_deref().unwrap_or("");
        match place {
            Where::Same => index.in_namespace(*kind, ns).for_each(|o| to_it.of(o)),
            Where::Anywhere => index.all(*kind).for_each(|o| to_it.of(o)),
        }
    }
    let mut edges = out.edges;
    edges.append(&mut to_it.edges);
    edges.sort();
    edges.dedup();
    edges
}

/// Collects references; with `only`, those to this object and nothing else.
struct Draft<'a> {
    index: &'a Index,
    only: Option<&'a ObjectRef>,
    edges: Vec<Edge>,
}

impl<'a> Draft<'a> {
    fn push(&mut self, relation: Relation, from: ObjectRef, to: ObjectRef, detail: Option<String>) {
        if self.only.is_none_or(|only| only.same_name(&to)) {
            self.edges.push(Edge { relation, from, to, detail: detail.filter(|d| !d.is_empty()) });
        }
    }

    /// A reference by name; nothing is made where it is not the one that is looked for.
    fn to(&mut self, relation: Relation, from: &Object, kind: Kind, ns: Option<&str>, name: &str, detail: &str) {
        if name.is_empty() {
            return;
        }
        let wanted = self.only.is_none_or(|o| {
            o.name == name && o.kind == kind.as_str() && (!kind.namespaced() || o.namespace.as_deref() == ns)
        });
        if wanted {
            let to = match self.index.get(kind, ns, name) {
                Some(there) => there.reference(),
                None => ObjectRef::missing(kind, ns, name),
            };
            self.push(relation, from.reference(), to, Some(detail.to_owned()));
        }
    }

    /// A reference to this kind may be looked for.
    fn wants(&self, kind: Kind) -> bool {
        self.only.is_none_or(|o| o.kind == kind.as_str())
    }

    /// What one object refers to.
    fn of(&mut self, object: &Object) {
        if self.only.is_none() {
            self.owners(object);
        }
        let ns = object.meta().namespace.as_deref();
        match object {
            Object::Pod(pod) => {
                let alone = pod.metadata.controller().is_none();
                // There are so many that what cannot lead there is not read.
                let leads = self.only.is_none_or(|o| o.kind != "Node" && (alone || o.kind != "Service"));
                if leads {
                    self.spec(object, &pod.spec, alone);
                }
                if let Some(node) = &pod.spec.node_name {
                    self.to(Relation::RunsOn, object, Kind::Node, None, node, "");
                }
            }
            Object::Service(service) => self.service(object, service),
            Object::EndpointSlice(slice) => {
                for endpoint in &slice.endpoints {
                    let Some(pod) = endpoint.target_ref.as_ref().filter(|t| t.kind == "Pod") else { continue };
                    let ready = endpoint.conditions.ready.unwrap_or(true);
                    let detail = if ready { "as ready" } else { "as not ready" };
                    self.to(Relation::Lists, object, Kind::Pod, ns, &pod.name, detail);
                }
            }
            Object::Ingress(ingress) => self.ingress(object, ingress),
            Object::HTTPRoute(route) => self.route(object, route),
            Object::Gateway(gateway) => self.gateway(object, gateway),
            Object::PersistentVolumeClaim(claim) => {
                if let Some(volume) = &claim.spec.volume_name {
                    self.to(Relation::BoundTo, object, Kind::PersistentVolume, None, volume, "");
                }
                let class = claim.spec.storage_class_name.clone().or_else(|| default_class(self.index));
                self.to(Relation::OfClass, object, Kind::StorageClass, None, &class.unwrap_or_default(), "");
            }
            Object::PersistentVolume(volume) => self.volume(object, volume),
            Object::HorizontalPodAutoscaler(scaler) => {
                let target = scaler.spec.scale_target_ref.in_namespace(ns);
                let target = self.index.resolve(&target).map_or(target, |o| o.reference());
                self.push(Relation::Scales, object.reference(), target, None);
            }
            Object::PodDisruptionBudget(budget) => {
                if let Some(selector) = &budget.spec.selector {
                    self.select(Relation::Protects, object, ns, selector, "", true);
                }
            }
            Object::NetworkPolicy(policy) => self.policy(object, policy),
            Object::ResourceQuota(_) | Object::LimitRange(_) => {
                self.select(Relation::Limits, object, ns, &LabelSelector::default(), "", false);
            }
            Object::ServiceAccount(account) => {
                for secret in &account.image_pull_secrets {
                    self.to(Relation::PullsWith, object, Kind::Secret, ns, &secret.name, "");
                }
            }
            Object::RoleBinding(binding) => {
                self.binding(object, &binding.role_ref.kind, &binding.role_ref.name, &binding.subjects);
            }
            Object::ClusterRoleBinding(binding) => {
                self.binding(object, &binding.role_ref.kind, &binding.role_ref.name, &binding.subjects);
            }
            Object::ValidatingWebhookConfiguration(hooks) => self.webhooks(object, &hooks.webhooks),
            Object::MutatingWebhookConfiguration(hooks) => self.webhooks(object, &hooks.webhooks),
            Object::APIService(api) => {
                if let Some(s) = &api.spec.service {
                    self.to(Relation::Calls, object, Kind::Service, Some(&s.namespace), &s.name, "");
                }
            }
            Object::StatefulSet(set) => {
                self.spec(object, &set.spec.template.spec, true);
                self.to(Relation::NamedBy, object, Kind::Service, ns, &set.spec.service_name, "");
            }
            Object::CustomResource(custom) => self.custom(object, custom),
            Object::Secret(_) if HelmRelease::of(object).is_some() => self.deployed(object),
            workload => {
                if let Some(template) = workload.pod_template() {
                    // A ReplicaSet or Job that somebody made names the hosts its maker names.
                    self.spec(object, &template.spec, workload.meta().controller().is_none());
                }
            }
        }
    }

    fn owners(&mut self, object: &Object) {
        for owner in &object.meta().owner_references {
            // Static pods belong to their node in the API, which makes nothing.
            if owner.kind == "Node" {
                continue;
            }
            let named = owner.in_namespace(object.meta().namespace.as_deref());
            self.push(Relation::Owns, named, object.reference(), None);
        }
        for deployer in self.index.deployers_of(object.meta()) {
            self.push(Relation::Deploys, deployer.reference(), object.reference(), None);
        }
    }

    /// What an object of an extension's kind names, makes and deploys.
    fn custom(&mut self, object: &Object, custom: &CustomResource) {
        for wanted in crate::detect::custom::lead::stands_on(custom) {
            match self.index.resolve(&wanted) {
                Some(there) => self.push(Relation::Needs, object.reference(), there.reference(), None),
                // What Flux makes by itself is no reference of anybody's.
                None if wanted.kind == "HelmChart" => {}
                None => self.push(Relation::Needs, object.reference(), wanted, None),
            }
        }
        self.to(Relation::Makes, object, Kind::Secret, custom.makes_in(), custom.makes_secret().unwrap_or(""), "");
        self.deployed(object);
    }

    /// What an object deploys, of workloads and custom resources. Asked of what is deployed, it answers itself.
    fn deployed(&mut self, object: &Object) {
        let index = self.index;
        let me = object.reference();
        let deploys = matches!(me.kind.as_str(), "Application" | "Kustomization" | "HelmRelease" | "Secret");
        if self.only.is_some() || !deploys {
            return;
        }
        let kinds =
            [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::CronJob, Kind::Job, Kind::CustomResource];
        for made in kinds.into_iter().flat_map(|kind| index.all(kind)).filter(|o| index.deploys(&me, o.meta())) {
            self.push(Relation::Deploys, me.clone(), made.reference(), None);
        }
    }

    /// What a pod specification refers to.
    fn spec(&mut self, object: &Object, spec: &PodSpec, with_hosts: bool) {
        let ns = object.meta().namespace.as_deref();
        for kind in [Kind::ConfigMap, Kind::Secret].into_iter().filter(|k| self.wants(*k)).collect::<Vec<_>>() {
            let refs = if kind == Kind::Secret { spec.secret_refs() } else { spec.config_map_refs() };
            let mut keys: BTreeMap<(Relation, String), BTreeSet<String>> = BTreeMap::new();
            // What is optional and not there is not referred to.
            for r in refs.into_iter().filter(|r| !r.optional || self.index.get(kind, ns, &r.name).is_some()) {
                let relation = if r.via.starts_with("volume") { Relation::Mounts } else { Relation::Reads };
                keys.entry((relation, r.name)).or_default().extend(r.key);
            }
            for ((relation, name), keys) in keys {
                let keys: Vec<String> = keys.into_iter().collect();
                self.to(relation, object, kind, ns, &name, &crate::words::list(&keys, 3));
            }
        }
        for (claim, _) in spec.claims() {
            self.to(Relation::Mounts, object, Kind::PersistentVolumeClaim, ns, claim, "");
        }
        for secret in &spec.image_pull_secrets {
            self.to(Relation::PullsWith, object, Kind::Secret, ns, &secret.name, "");
        }
        if let Some(account) = &spec.service_account_name {
            self.to(Relation::RunsAs, object, Kind::ServiceAccount, ns, account, "");
        }
        if let Some(class) = &spec.priority_class_name {
            self.to(Relation::Priority, object, Kind::PriorityClass, None, class, "");
        }
        if with_hosts && self.wants(Kind::Service) && self.only.is_none_or(|o| mentions(spec, &o.name)) {
            for host in crate::detect::host::hosts(spec) {
                if let Some((ns, name)) = named_service(self.index, ns, &host) {
                    self.to(Relation::NamesHost, object, Kind::Service, Some(&ns), &name, &host);
                }
            }
        }
    }

    fn service(&mut self, object: &Object, service: &Service) {
        let ns = object.meta().namespace.as_deref();
        if let Some(name) = service.spec.external_name.as_deref().filter(|_| is_external(service)) {
            self.push(Relation::StandsFor, object.reference(), ObjectRef::external(name), None);
            return;
        }
        if !service.spec.selector.is_empty() {
            let selector = LabelSelector { match_labels: service.spec.selector.clone(), ..LabelSelector::default() };
            self.select(Relation::Selects, object, ns, &selector, "", true);
        }
        if self.wants(Kind::EndpointSlice) {
            for slice in self.index.in_namespace(Kind::EndpointSlice, ns.unwrap_or("")) {
                if let Object::EndpointSlice(s) = &**slice
                    && s.service() == Some(service.metadata.name.as_str())
                {
                    self.push(Relation::ListsIn, object.reference(), slice.reference(), None);
                }
            }
        }
    }

    /// Pods with such labels, and the workloads that make them: the highest known ones and nothing in between.
    fn select(
        &mut self,
        relation: Relation,
        object: &Object,
        ns: Option<&str>,
        selector: &LabelSelector,
        detail: &str,
        owned_pods: bool,
    ) {
        let index = self.index;
        let fits = |other: &Object| {
            let meta = other.meta();
            let made = meta.controller().is_some_and(|o| index.by_uid(&o.uid).is_some());
            match other {
                Object::Pod(pod) => (owned_pods || !made) && selector.matches(&pod.metadata.labels),
                workload => !made && workload.pod_template().is_some_and(|t| selector.matches(&t.metadata.labels)),
            }
        };
        let found: Vec<ObjectRef> = match self.only {
            Some(only) if only.namespace.as_deref() != ns => Vec::new(),
            Some(only) => index.resolve(only).into_iter().filter(|o| fits(o)).map(|o| o.reference()).collect(),
            None => PODS
                .iter()
                .flat_map(|(kind, _)| index.in_namespace(*kind, ns.unwrap_or("")))
                .filter(|o| fits(o))
                .map(|o| o.reference())
                .collect(),
        };
        for other in found {
            self.push(relation, object.reference(), other, Some(detail.to_owned()));
        }
    }

    fn ingress(&mut self, object: &Object, ingress: &Ingress) {
        let ns = object.meta().namespace.as_deref();
        let mut at: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (path, backend) in ingress.backends() {
            let path = path.strip_prefix('*').unwrap_or(&path);
            at.entry(&backend.name).or_default().push(format!("{path} (port {})", backend.port));
        }
        for (service, mut paths) in at {
            paths.dedup();
            self.to(Relation::SendsTo, object, Kind::Service, ns, service, &crate::words::list(&paths, 2));
        }
        for tls in &ingress.spec.tls {
            let hosts = hosts_of(&tls.hosts);
            self.to(Relation::Certificate, object, Kind::Secret, ns, tls.secret_name.as_deref().unwrap_or(""), &hosts);
        }
        let class = ingress.spec.ingress_class_name.as_deref().unwrap_or("");
        self.to(Relation::OfClass, object, Kind::IngressClass, None, class, "");
    }

    fn route(&mut self, object: &Object, route: &HTTPRoute) {
        let own = object.meta().namespace.as_deref();
        for parent in route.spec.parent_refs.iter().filter(|p| p.kind.as_deref().unwrap_or("Gateway") == "Gateway") {
            let ns = parent.namespace.as_deref().or(own);
            self.to(Relation::AttachesTo, object, Kind::Gateway, ns, &parent.name, "");
        }
        let hosts = hosts_of(&route.spec.hostnames);
        for rule in &route.spec.rules {
            let path =
                rule.matches.iter().find_map(|m| m.pointer("/path/value").and_then(Value::as_str)).unwrap_or("/");
            for back in rule.backend_refs.iter().filter(|b| b.kind.as_deref().unwrap_or("Service") == "Service") {
                let ns = back.namespace.as_deref().or(own);
                let port = back.port.map(|p| format!(" (port {p})")).unwrap_or_default();
                self.to(Relation::SendsTo, object, Kind::Service, ns, &back.name, &format!("{hosts}{path}{port}"));
            }
        }
    }

    fn gateway(&mut self, object: &Object, gateway: &Gateway) {
        let own = object.meta().namespace.as_deref();
        self.to(Relation::OfClass, object, Kind::GatewayClass, None, &gateway.spec.gateway_class_name, "");
        for listener in &gateway.spec.listeners {
            let refs = listener.tls.iter().filter_map(|t| t.get("certificateRefs")?.as_array()).flatten();
            for r in refs {
                let text = |name: &str| r.get(name).and_then(Value::as_str);
                if text("kind").unwrap_or("Secret") == "Secret" {
                    let host = listener.hostname.as_deref().map(|h| format!("for {h}")).unwrap_or_default();
                    let ns = text("namespace").or(own);
                    self.to(Relation::Certificate, object, Kind::Secret, ns, text("name").unwrap_or(""), &host);
                }
            }
        }
    }

    fn volume(&mut self, object: &Object, volume: &PersistentVolume) {
        let class = volume.spec.storage_class_name.as_deref().unwrap_or("");
        self.to(Relation::OfClass, object, Kind::StorageClass, None, class, "");
        if let Some(claim) = &volume.spec.claim_ref {
            let ns = claim.namespace.as_deref();
            // A claim that is bound to it says so itself.
            let bound = matches!(self.index.get(Kind::PersistentVolumeClaim, ns, &claim.name).map(|o| &**o),
                Some(Object::PersistentVolumeClaim(c)) if c.spec.volume_name.as_deref() == Some(&volume.metadata.name));
            if !bound {
                self.to(Relation::KeptFor, object, Kind::PersistentVolumeClaim, ns, &claim.name, "");
            }
        }
        let terms =
            volume.spec.node_affinity.iter().filter_map(|a| a.pointer("/required/nodeSelectorTerms")?.as_array());
        for wanted in terms.flatten().filter_map(|t| t.get("matchExpressions")?.as_array()).flatten() {
            if wanted.get("key").and_then(Value::as_str) == Some("kubernetes.io/hostname") {
                for node in wanted.get("values").and_then(Value::as_array).into_iter().flatten() {
                    self.to(Relation::LiesOn, object, Kind::Node, None, node.as_str().unwrap_or(""), "");
                }
            }
        }
    }

    fn policy(&mut self, object: &Object, policy: &NetworkPolicy) {
        let own = object.meta().namespace.as_deref();
        let spec = &policy.spec;
        let egress = spec.policy_types.iter().any(|t| t == "Egress") || !spec.egress.is_empty();
        let ingress = spec.policy_types.is_empty() || spec.policy_types.iter().any(|t| t == "Ingress");
        let detail = match (ingress, egress) {
            (true, true) => "traffic in and out",
            (false, true) => "traffic out",
            _ => "traffic in",
        };
        self.select(Relation::Restricts, object, own, &spec.pod_selector, detail, true);
        let sides = [(Relation::LetsIn, "from", &spec.ingress), (Relation::LetsOut, "to", &spec.egress)];
        for (relation, field, rules) in sides {
            for peer in rules.iter().filter_map(|r| r.get(field)?.as_array()).flatten() {
                let read =
                    |name: &str| peer.get(name).and_then(|v| serde_json::from_value::<LabelSelector>(v.clone()).ok());
                let (pods, spaces) = (read("podSelector"), read("namespaceSelector"));
                if pods.is_none() && spaces.is_none() {
                    continue;
                }
                let pods = pods.unwrap_or_default();
                let Some(spaces) = spaces else {
                    self.select(relation, object, own, &pods, "", false);
                    continue;
                };
                for space in self.index.all(Kind::Namespace).filter(|n| spaces.matches(&n.meta().labels)) {
                    self.select(relation, object, Some(&space.meta().name), &pods, "", false);
                }
            }
        }
    }

    fn binding(&mut self, object: &Object, kind: &str, role: &str, subjects: &[crate::object::access::Subject]) {
        let ns = object.meta().namespace.as_deref();
        let kind = if kind == "Role" { Kind::Role } else { Kind::ClusterRole };
        self.to(Relation::Grants, object, kind, ns, role, "");
        for subject in subjects.iter().filter(|s| s.kind == "ServiceAccount") {
            let ns = subject.namespace.as_deref().or(ns);
            self.to(Relation::GrantsTo, object, Kind::ServiceAccount, ns, &subject.name, "");
        }
    }

    fn webhooks(&mut self, object: &Object, hooks: &[crate::object::admission::Webhook]) {
        for service in hooks.iter().filter_map(|h| h.client_config.service.as_ref()) {
            self.to(Relation::Calls, object, Kind::Service, Some(&service.namespace), &service.name, "");
        }
    }
}

/// The word stands somewhere in the environment, the command or its arguments: only then is it worth reading closely.
fn mentions(spec: &PodSpec, word: &str) -> bool {
    spec.containers.iter().chain(&spec.init_containers).any(|c| {
        let values = c.env.iter().filter_map(|e| e.value.as_ref());
        values.chain(&c.command).chain(&c.args).any(|text| text.contains(word))
    })
}

/// The name of the class that claims without one get.
fn default_class(index: &Index) -> Option<String> {
    index
        .all(Kind::StorageClass)
        .find(|c| matches!(&***c, Object::StorageClass(c) if StorageClass::is_default(c)))
        .map(|c| c.meta().name.clone())
}

fn is_external(service: &Service) -> bool {
    service.spec.kind.as_deref() == Some("ExternalName")
}

fn hosts_of(hosts: &[String]) -> String {
    crate::words::list(hosts, 2)
}

/// The Service a host name means: `db`, `db.prod`, `db.prod.svc.cluster.local`, `kafka-0.kafka`. A name that no Service
/// has is one only where it is written out as a Service's.
fn named_service(index: &Index, own: Option<&str>, host: &str) -> Option<(String, String)> {
    let parts: Vec<&str> = host.trim_end_matches(".cluster.local").trim_end_matches(".svc").split('.').collect();
    let there =
        |ns: &str, name: &str| index.get(Kind::Service, Some(ns), name).map(|_| (ns.to_owned(), name.to_owned()));
    let own = own?;
    match parts.as_slice() {
        [name] => there(own, name),
        [name, ns] => there(ns, name)
            .or_else(|| there(own, ns))
            .or_else(|| (host.contains(".svc")).then(|| ((*ns).to_owned(), (*name).to_owned()))),
        [_, name, ns] => there(ns, name),
        _ => None,
    }
}
