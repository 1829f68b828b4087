//! What a change can reach: which objects a workload hangs on, how closely, and the changes of those objects.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    change::{Change, ChangeVerb},
    detect::host::hosts,
    host,
    index::Index,
    object::{Kind, Object, ObjectRef, PodSpec, has_all},
};

/// How close an object lies to a workload; the closest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// The workload itself, its owner, or its autoscaler.
    Own,
    /// What its pods are made with: ConfigMaps, Secrets, claims, the service account; and who deploys it.
    Used,
    /// What its pods call: Services that its configuration names, and the workloads behind them.
    Called,
    /// What leads traffic to it: Services, Ingresses, routes.
    Front,
    /// What it may do: roles and bindings of its service account.
    Rights,
    /// Where it runs: its nodes, its volumes.
    Place,
    /// What bounds every pod of its namespace: policies, quotas, limit ranges.
    Bounds,
}

/// A change that can reach a workload.
#[derive(Clone, Copy, Debug)]
pub struct Reached<'a> {
    pub change: &'a Change,
    pub reach: Reach,
}

/// The objects a workload hangs on, by key.
#[derive(Clone, Debug, Default)]
pub struct Hangs {
    objects: BTreeMap<String, Reach>,
    /// The keys of a ConfigMap that are used, where only some are.
    keys: BTreeMap<String, BTreeSet<String>>,
    namespaces: BTreeSet<String>,
    /// The labels of its pods and the Services that lead to them, by namespace: what led there before a change did.
    labels: Vec<(String, BTreeMap<String, String>)>,
    services: BTreeSet<(String, String)>,
}

/// The changes since a moment that can reach a workload (or a pod without one): the closest first, of these the
/// newest. What is routine (scaling by an autoscaler, a restart, labels, a controller's own writes) is left out.
pub fn changes_reaching<'a>(index: &'a Index, workload: &ObjectRef, since: Timestamp) -> Vec<Reached<'a>> {
    let hangs = Hangs::of(index, workload);
    let mut out: Vec<Reached<'a>> = index
        .changes()
        .filter(|c| c.at >= since && !routine(c))
        .filter_map(|change| hangs.reach(change).map(|reach| Reached { change, reach }))
        .collect();
    out.sort_by(|a, b| {
        a.reach.cmp(&b.reach).then(b.change.at.cmp(&a.change.at)).then_with(|| a.change.key().cmp(&b.change.key()))
    });
    out
}

/// Managers that are parts of the cluster: what they write is a consequence, never the cause.
pub fn is_controller(manager: &str) -> bool {
    matches!(
        manager,
        "kube-controller-manager"
            | "kubelet"
            | "kube-scheduler"
            | "kube-apiserver"
            | "cloud-controller-manager"
            | "cluster-autoscaler"
            | "k3s"
            | "vpa-recommender"
            | "vpa-updater"
            | "karpenter"
    ) || manager.ends_with("-provisioner")
}

/// A change that breaks nothing by itself.
pub fn routine(change: &Change) -> bool {
    match change.verb {
        ChangeVerb::Modified => change.fields.iter().all(|f| routine_field(change, &f.path)),
        ChangeVerb::Created | ChangeVerb::Deleted => false,
    }
}

/// A change that can put something right: as the above, but a restart may, too.
pub fn mends(change: &Change) -> bool {
    change.verb != ChangeVerb::Modified
        || change
            .fields
            .iter()
            .any(|f| f.path.contains(".template.metadata.annotations.") || !routine_field(change, &f.path))
}

fn routine_field(change: &Change, path: &str) -> bool {
    let by_cluster = change.who.as_deref().is_some_and(is_controller);
    // Nothing selects an object by its own labels but nodes and namespaces.
    path.starts_with("labels") && !matches!(change.object.read_as(), Some(Kind::Node | Kind::Namespace))
        || path.contains(".template.metadata.annotations.")
        || path == "spec.replicas" && by_cluster
        || path == "spec.volumeName" && by_cluster
        || path.starts_with("spec.claimRef") && by_cluster
}

impl Hangs {
    /// What this workload hangs on.
    pub fn of(index: &Index, workload: &ObjectRef) -> Hangs {
        let mut hangs = Hangs::default();
        hangs.take(index, workload);
        hangs
    }

    /// Takes what another workload hangs on in, too.
    pub fn take(&mut self, index: &Index, workload: &ObjectRef) {
        self.put(workload.key(), Reach::Own);
        let Some(ns) = workload.namespace.as_deref() else { return };
        self.namespaces.insert(ns.to_owned());
        let Some(object) = index.resolve(workload) else { return };
        for deployer in index.deployers_of(object.meta()) {
            self.put(deployer.reference().key(), Reach::Used);
        }
        let (spec, labels) = match &**object {
            Object::Pod(p) => (&p.spec, &p.metadata.labels),
            other => match other.pod_template() {
                Some(t) => (&t.spec, &t.metadata.labels),
                None => return,
            },
        };
        self.used(ns, spec);
        self.called(index, ns, spec);
        self.front(index, ns, labels, workload);
        self.rights(index, ns, spec);
        self.place(index, workload, ns, spec);
    }

    /// How a change reaches the workload, if it does.
    pub fn reach(&self, change: &Change) -> Option<Reach> {
        let key = change.object.key();
        if let Some(reach) = self.objects.get(&key) {
            // Of a ConfigMap only the keys that are used count.
            let foreign = self.keys.get(&key).is_some_and(|used| change.spares(|k| used.contains(k)));
            return (!foreign).then_some(*reach);
        }
        if self.led_here(change) {
            return Some(Reach::Front);
        }
        let bounds = match change.object.read_as() {
            Some(Kind::NetworkPolicy | Kind::ResourceQuota | Kind::LimitRange) => {
                change.object.namespace.as_ref().is_some_and(|ns| self.namespaces.contains(ns))
            }
            Some(Kind::ValidatingWebhookConfiguration | Kind::MutatingWebhookConfiguration) => true,
            Some(Kind::Namespace) => self.namespaces.contains(&change.object.name),
            _ => false,
        };
        bounds.then_some(Reach::Bounds)
    }

    /// Before this change the Service or the Ingress led to the workload.
    fn led_here(&self, change: &Change) -> bool {
        let Some(ns) = change.object.namespace.as_deref() else { return false };
        change.fields.iter().any(|f| {
            let Some(from) = f.from.as_deref() else { return false };
            match change.object.read_as() {
                Some(Kind::Service) => f.path.strip_prefix("spec.selector.").is_some_and(|label| {
                    self.labels.iter().any(|(n, l)| n == ns && l.get(label).is_some_and(|v| v == from))
                }),
                Some(Kind::Ingress) => {
                    f.path.ends_with("service.name") && self.services.contains(&(ns.to_owned(), from.to_owned()))
                }
                _ => false,
            }
        })
    }

    /// The namespaces of the workload and of what it calls.
    pub fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.namespaces.iter().map(String::as_str)
    }

    /// How close this object lies, if it does.
    pub fn of_object(&self, object: &ObjectRef) -> Option<Reach> {
        self.objects.get(&object.key()).copied()
    }

    fn put(&mut self, key: String, reach: Reach) {
        let known = self.objects.entry(key).or_insert(reach);
        *known = reach.min(*known);
    }

    fn used(&mut self, ns: &str, spec: &PodSpec) {
        let mut whole = BTreeSet::new();
        for (kind, refs) in [(Kind::ConfigMap, spec.config_map_refs()), (Kind::Secret, spec.secret_refs())] {
            for r in refs {
                let key = ObjectRef::missing(kind, Some(ns), &r.name).key();
                match r.key {
                    Some(used) => {
                        self.keys.entry(key.clone()).or_default().insert(used);
                    }
                    None => {
                        whole.insert(key.clone());
                    }
                }
                self.put(key, Reach::Used);
            }
        }
        self.keys.retain(|key, _| !whole.contains(key));
        for (claim, _) in spec.claims() {
            self.put(ObjectRef::missing(Kind::PersistentVolumeClaim, Some(ns), claim).key(), Reach::Used);
        }
        let account = spec.service_account_name.as_deref().unwrap_or("default");
        self.put(ObjectRef::missing(Kind::ServiceAccount, Some(ns), account).key(), Reach::Used);
        for secret in &spec.image_pull_secrets {
            self.put(ObjectRef::missing(Kind::Secret, Some(ns), &secret.name).key(), Reach::Used);
        }
        if let Some(class) = &spec.priority_class_name {
            self.put(ObjectRef::missing(Kind::PriorityClass, None, class).key(), Reach::Used);
        }
    }

    fn called(&mut self, index: &Index, ns: &str, spec: &PodSpec) {
        for name in hosts(spec) {
            let service = host::service(index, ns, &name);
            let Some(place) = service.map(host::Place::of).or_else(|| host::place(index, ns, &name)) else { continue };
            self.put(ObjectRef::missing(Kind::Service, Some(&place.namespace), &place.name).key(), Reach::Called);
            let Some(service) = service.filter(|s| !s.spec.selector.is_empty()) else { continue };
            self.namespaces.insert(place.namespace.clone());
            for behind in behind(index, &place.namespace, &service.spec.selector) {
                self.put(behind.reference().key(), Reach::Called);
            }
        }
    }

    fn front(&mut self, index: &Index, ns: &str, labels: &BTreeMap<String, String>, workload: &ObjectRef) {
        let mut services = BTreeSet::new();
        for object in index.in_namespace(Kind::Service, ns) {
            let Object::Service(s) = &**object else { continue };
            if !s.spec.selector.is_empty() && has_all(labels, &s.spec.selector) {
                services.insert(s.metadata.name.clone());
                self.put(object.reference().key(), Reach::Front);
                self.services.insert((ns.to_owned(), s.metadata.name.clone()));
            }
        }
        self.labels.push((ns.to_owned(), labels.clone()));
        for object in index.in_namespace(Kind::Ingress, ns) {
            let Object::Ingress(i) = &**object else { continue };
            if i.backends().any(|(_, b)| services.contains(&b.name)) {
                self.put(object.reference().key(), Reach::Front);
            }
        }
        for object in index.in_namespace(Kind::HorizontalPodAutoscaler, ns) {
            if let Object::HorizontalPodAutoscaler(h) = &**object
                && h.spec.scale_target_ref.kind == workload.kind
                && h.spec.scale_target_ref.name == workload.name
            {
                self.put(object.reference().key(), Reach::Own);
            }
        }
    }

    fn rights(&mut self, index: &Index, ns: &str, spec: &PodSpec) {
        let account = spec.service_account_name.as_deref().unwrap_or("default");
        let is_it = |s: &crate::object::access::Subject, binding_ns: Option<&str>| {
            s.kind == "ServiceAccount" && s.name == account && s.namespace.as_deref().or(binding_ns) == Some(ns)
        };
        for object in index.all(Kind::RoleBinding).chain(index.all(Kind::ClusterRoleBinding)) {
            let (subjects, role, binding_ns) = match &**object {
                Object::RoleBinding(b) => (&b.subjects, &b.role_ref, b.metadata.namespace.as_deref()),
                Object::ClusterRoleBinding(b) => (&b.subjects, &b.role_ref, None),
                _ => continue,
            };
            if !subjects.iter().any(|s| is_it(s, binding_ns)) {
                continue;
            }
            self.put(object.reference().key(), Reach::Rights);
            if let Some(kind) = Kind::parse(&role.kind) {
                let its_ns = binding_ns.filter(|_| kind == Kind::Role);
                self.put(ObjectRef::missing(kind, its_ns, &role.name).key(), Reach::Rights);
            }
        }
    }

    fn place(&mut self, index: &Index, workload: &ObjectRef, ns: &str, spec: &PodSpec) {
        let own = match index.resolve(workload).map(|o| &**o) {
            Some(Object::Pod(pod)) => pod.spec.node_name.clone().into_iter().collect(),
            _ => workload.uid.as_deref().map(|uid| nodes_of(index, uid)).unwrap_or_default(),
        };
        for node in own {
            self.put(ObjectRef::missing(Kind::Node, None, &node).key(), Reach::Place);
        }
        for (claim, _) in spec.claims() {
            if let Some(Object::PersistentVolumeClaim(c)) =
                index.get(Kind::PersistentVolumeClaim, Some(ns), claim).map(|o| &**o)
                && let Some(volume) = &c.spec.volume_name
            {
                self.put(ObjectRef::missing(Kind::PersistentVolume, None, volume).key(), Reach::Place);
            }
        }
    }
}

fn nodes_of(index: &Index, uid: &str) -> BTreeSet<String> {
    index.pods_of(uid).into_iter().filter_map(|p| p.spec.node_name.clone()).collect()
}

/// The workloads whose pods a selector finds, by the labels of their templates: they are found when they have no pod.
pub fn behind<'a>(
    index: &'a Index,
    ns: &'a str,
    selector: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = &'a std::sync::Arc<Object>> {
    [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet]
        .into_iter()
        .flat_map(move |kind| index.in_namespace(kind, ns))
        .filter(move |o| o.pod_template().is_some_and(|t| has_all(&t.metadata.labels, selector)))
}
