//! Second ways into the index, so that a rule need not look at everything: pods by label, slices by Service, objects
//! that events speak of, and the pods that are not plainly well.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    net::IpAddr,
    sync::Arc,
};

use super::{
    Index, Key, key_of,
    reads::{Place, Tracker},
};
use crate::object::{Condition, Kind, KubeEvent, Node, Object, Pod, has_all};

/// Objects by namespace, something they say, and name.
type Places = HashMap<String, HashMap<String, BTreeMap<String, Arc<Object>>>>;

/// Kept up to date with every object that comes and goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Lookup {
    /// Pods by namespace, `label=value` and name.
    labels: Places,
    /// EndpointSlices by namespace, Service and name.
    slices: Places,
    /// How many events that are not everyday ones speak of an object.
    told: BTreeMap<(Kind, Key), u32>,
    /// Pods whose own status is not plainly well.
    unwell: BTreeSet<Key>,
    /// How many containers run an image.
    images: BTreeMap<String, u32>,
    /// Pods on a node that require others to keep away.
    apart: BTreeSet<Key>,
    /// How many objects there are of an extension's group and kind.
    extensions: BTreeMap<(String, String), u32>,
    /// Services, nodes and pods by the addresses they have.
    addresses: HashMap<IpAddr, Vec<Arc<Object>>>,
    /// What is being deleted.
    deleting: BTreeSet<(Kind, Key)>,
    /// Nodes of which a condition is not plainly well.
    ill: BTreeSet<Key>,
    /// The pods on a node, by its name.
    on: HashMap<String, BTreeSet<Key>>,
}

impl Lookup {
    pub(super) fn link(&mut self, object: &Arc<Object>, tracker: &mut Tracker) {
        let key = key_of(object);
        if object.meta().deleting() {
            self.deleting.insert((object.kind(), key.clone()));
        }
        for address in addresses(object) {
            self.addresses.entry(address).or_default().push(object.clone());
        }
        match &**object {
            Object::Pod(pod) => {
                let of = self.labels.entry(key.0.clone()).or_default();
                for (label, value) in &pod.metadata.labels {
                    of.entry(pair(label, value)).or_default().insert(key.1.clone(), object.clone());
                }
                for image in running(pod) {
                    let count = self.images.entry(image.to_owned()).or_default();
                    *count += 1;
                    if *count == 1 {
                        tracker.touch(Place::Images);
                    }
                }
                if keeps_apart(pod) {
                    self.apart.insert(key.clone());
                }
                if let Some(node) = &pod.spec.node_name {
                    self.on.entry(node.clone()).or_default().insert(key.clone());
                }
                if !well(pod) {
                    self.unwell.insert(key);
                }
            }
            Object::Node(node) if !healthy(node) => {
                self.ill.insert(key);
            }
            Object::EndpointSlice(slice) => {
                if let Some(service) = slice.service() {
                    let of = self.slices.entry(key.0).or_default();
                    of.entry(service.to_owned()).or_default().insert(key.1, object.clone());
                }
            }
            Object::KubeEvent(event) => {
                if let Some(about) = about(event) {
                    *self.told.entry(about).or_default() += 1;
                }
            }
            Object::CustomResource(o) => {
                *self.extensions.entry((o.group().to_owned(), o.kind.clone())).or_default() += 1;
            }
            _ => {}
        }
    }

    pub(super) fn unlink(&mut self, object: &Object, tracker: &mut Tracker) {
        let key = key_of(object);
        if object.meta().deleting() {
            self.deleting.remove(&(object.kind(), key.clone()));
        }
        for address in addresses(object) {
            if let Some(holders) = self.addresses.get_mut(&address) {
                holders.retain(|o| o.kind() != object.kind() || key_of(o) != key);
                if holders.is_empty() {
                    self.addresses.remove(&address);
                }
            }
        }
        match object {
            Object::Pod(pod) => {
                for (label, value) in &pod.metadata.labels {
                    forget(&mut self.labels, &key.0, &pair(label, value), &key.1);
                }
                for image in running(pod) {
                    if less(&mut self.images, image) {
                        tracker.touch(Place::Images);
                    }
                }
                self.apart.remove(&key);
                self.unwell.remove(&key);
                if let Some(node) = &pod.spec.node_name
                    && let Some(pods) = self.on.get_mut(node)
                {
                    pods.remove(&key);
                    if pods.is_empty() {
                        self.on.remove(node);
                    }
                }
            }
            Object::Node(_) => {
                self.ill.remove(&key);
            }
            Object::EndpointSlice(slice) => {
                if let Some(service) = slice.service() {
                    forget(&mut self.slices, &key.0, service, &key.1);
                }
            }
            Object::KubeEvent(event) => {
                if let Some(about) = about(event) {
                    _ = less(&mut self.told, &about);
                }
            }
            Object::CustomResource(o) => {
                _ = less(&mut self.extensions, &(o.group().to_owned(), o.kind.clone()));
            }
            _ => {}
        }
    }

    /// There are objects of this group, and of this kind of it where one is named.
    pub(super) fn has_extension(&self, group: &str, kind: Option<&str>) -> bool {
        let from = (group.to_owned(), kind.unwrap_or_default().to_owned());
        match kind {
            Some(_) => self.extensions.contains_key(&from),
            None => self.extensions.range(from..).next().is_some_and(|((g, _), _)| g == group),
        }
    }

    /// How many entries it holds: what is gone must leave nothing behind.
    pub(super) fn len(&self) -> usize {
        let sets =
            |of: &Places| of.len() + of.values().flat_map(HashMap::values).map(|names| 1 + names.len()).sum::<usize>();
        sets(&self.labels)
            + sets(&self.slices)
            + self.told.len()
            + self.unwell.len()
            + self.images.len()
            + self.apart.len()
            + self.extensions.len()
            + self.addresses.values().map(Vec::len).sum::<usize>()
            + self.deleting.len()
            + self.ill.len()
            + self.on.values().map(BTreeSet::len).sum::<usize>()
    }
}

impl Index {
    /// The pods of a namespace that have all these labels, in order of their names; none where no label is asked for.
    pub fn pods_matching(&self, namespace: &str, selector: &BTreeMap<String, String>) -> Vec<&Pod> {
        // Whoever comes or goes has every one of the labels: the rarest, or one that nobody has, tells.
        let of = self.lookup.labels.get(namespace);
        let having = |label: &str, value: &str| of.and_then(|of| of.get(&pair(label, value)));
        let sets = selector.iter().map(|(label, value)| (label, value, having(label, value)));
        let rarest = sets.min_by_key(|(_, _, names)| names.map_or(0, BTreeMap::len));
        let Some((label, value, fewest)) = rarest else { return Vec::new() };
        self.note(Place::Labelled(namespace, label, value));
        fewest
            .into_iter()
            .flat_map(BTreeMap::values)
            .filter_map(|o| match &**o {
                Object::Pod(pod) => Some(pod),
                _ => None,
            })
            .filter(|pod| selector.len() == 1 || has_all(&pod.metadata.labels, selector))
            .collect()
    }

    /// The Services, nodes and pods that have this address, in order; pods that have ended have none.
    pub fn at_address(&self, address: IpAddr) -> Vec<&Object> {
        self.note(Place::Address(address));
        let mut found: Vec<&Object> = self.lookup.addresses.get(&address).into_iter().flatten().map(|o| &**o).collect();
        found.sort_by_cached_key(|o| (o.kind(), key_of(o)));
        found
    }

    /// One pod of each template among these: what a template says, all of its pods say.
    pub fn one_per_template<'p>(pods: &[&'p Pod]) -> Vec<&'p Pod> {
        let (mut seen, mut last) = (HashSet::new(), None);
        let template = |pod: &'p Pod| {
            let owner = pod.metadata.controller()?;
            // A ReplicaSet has one template, whoever else makes pods has one at a time.
            let revision = match owner.kind.as_str() {
                "ReplicaSet" => "",
                _ => pod.metadata.labels.get("controller-revision-hash")?,
            };
            Some((owner.uid.as_str(), revision))
        };
        // Pods of one template mostly stand one after the other.
        let first = |pod: &&'p Pod| match template(pod) {
            Some(t) if last == Some(t) => false,
            Some(t) => {
                last = Some(t);
                seen.insert(t)
            }
            None => true,
        };
        pods.iter().copied().filter(first).collect()
    }

    /// The EndpointSlices of a Service.
    pub fn slices_of(&self, namespace: &str, service: &str) -> impl Iterator<Item = &crate::object::EndpointSlice> {
        self.note(Place::Slices(namespace, service));
        let slices = self.lookup.slices.get(namespace).and_then(|of| of.get(service));
        slices.into_iter().flat_map(BTreeMap::values).filter_map(|o| match &**o {
            Object::EndpointSlice(slice) => Some(slice),
            _ => None,
        })
    }

    /// Whether a Service has a ready endpoint; `None` when slices cannot be read there. The slices of one that publishes
    /// pods which are not ready call all of them ready: there those count that run, and have not died.
    pub fn has_endpoint(&self, namespace: &str, service: &str) -> Option<bool> {
        let of_pods = self.get(Kind::Service, Some(namespace), service).and_then(|o| match &**o {
            Object::Service(s) if s.spec.publish_not_ready_addresses && !s.spec.selector.is_empty() => Some(s),
            _ => None,
        });
        if let Some(service) = of_pods.filter(|_| self.knows(Kind::Pod, Some(namespace))) {
            let runs = |p: &&Pod| {
                let all = &p.status.container_statuses;
                !all.is_empty() && all.iter().all(|s| s.state.running.is_some() && s.restart_count == 0)
            };
            return Some(self.pods_matching(namespace, &service.spec.selector).iter().any(|p| p.ready() || runs(p)));
        }
        self.knows(Kind::EndpointSlice, Some(namespace)).then(|| {
            self.slices_of(namespace, service)
                .any(|s| s.endpoints.iter().any(|e| e.conditions.ready.unwrap_or(true) && !e.addresses.is_empty()))
        })
    }

    /// The objects of a kind of which an event speaks that is not an everyday one, in order.
    pub fn told_of(&self, kind: Kind) -> impl Iterator<Item = &std::sync::Arc<Object>> {
        self.note(Place::Told(kind));
        self.note(Place::Kind(kind));
        let from = (kind, Key::default());
        self.lookup
            .told
            .range(from..)
            .map(|(about, _)| about)
            .take_while(move |about| about.0 == kind)
            .filter_map(move |about| self.objects.get(&kind)?.get(&about.1))
    }

    /// The pods a rule need look at, in order: those whose status is not plainly well, and those that an event other
    /// than an everyday one speaks of. Every other pod runs, is ready, was never restarted and is there to stay.
    pub fn unsettled_pods(&self) -> impl Iterator<Item = &Pod> {
        self.note(Place::Told(Kind::Pod));
        self.note(Place::Kind(Kind::Pod));
        let told = self.lookup.told.range((Kind::Pod, Key::default())..).map(|(about, _)| about);
        let told = told.take_while(|about| about.0 == Kind::Pod).map(|about| &about.1);
        let keys: BTreeSet<&Key> = self.lookup.unwell.iter().chain(told).collect();
        self.pods_at(keys)
    }

    /// The nodes a rule need look at, in order: every condition of the others is plainly well, and no event but an
    /// everyday one speaks of them.
    pub fn unsettled_nodes(&self) -> impl Iterator<Item = &Node> {
        self.note(Place::Told(Kind::Node));
        self.note(Place::Kind(Kind::Node));
        let told = self.lookup.told.range((Kind::Node, Key::default())..).map(|(about, _)| about);
        let told = told.take_while(|about| about.0 == Kind::Node).map(|about| &about.1);
        let keys: BTreeSet<&Key> = self.lookup.ill.iter().chain(told).collect();
        let nodes = self.objects.get(&Kind::Node);
        keys.into_iter().filter_map(move |key| match &**nodes?.get(key)? {
            Object::Node(node) => Some(node),
            _ => None,
        })
    }

    /// The objects of a kind that are being deleted, in order.
    pub fn deleting(&self, kind: Kind) -> impl Iterator<Item = &Arc<Object>> {
        self.note(Place::Deleting(kind));
        let objects = self.objects.get(&kind);
        let going = self.lookup.deleting.range((kind, Key::default())..).take_while(move |(k, _)| *k == kind);
        going.filter_map(move |(_, key)| objects?.get(key))
    }

    /// The pods, in order, for those who read nothing of their status but whether they have finished.
    pub fn placed_pods(&self) -> impl Iterator<Item = &Pod> {
        self.note(Place::Placed);
        self.objects.get(&Kind::Pod).into_iter().flat_map(BTreeMap::values).filter_map(|o| match &**o {
            Object::Pod(pod) => Some(pod),
            _ => None,
        })
    }

    /// The images that containers run, each once, in order.
    pub fn running_images(&self) -> impl Iterator<Item = &str> {
        self.note(Place::Images);
        self.lookup.images.keys().map(String::as_str)
    }

    /// The pods on a node that require others to keep away, in order.
    pub fn pods_apart(&self) -> impl Iterator<Item = &Pod> {
        self.note(Place::Apart);
        self.pods_at(self.lookup.apart.iter())
    }

    /// The pods on a node, in order.
    pub fn pods_on(&self, node: &str) -> Vec<&Pod> {
        self.note(Place::On(node));
        self.pods_at(self.lookup.on.get(node).into_iter().flatten()).collect()
    }

    /// The pods with these names that are there.
    fn pods_at<'a>(&'a self, keys: impl IntoIterator<Item = &'a Key>) -> impl Iterator<Item = &'a Pod> {
        let pods = self.objects.get(&Kind::Pod);
        keys.into_iter().filter_map(move |key| match &**pods?.get(key)? {
            Object::Pod(pod) => Some(pod),
            _ => None,
        })
    }

    /// How much is kept besides the objects themselves.
    pub fn entries(&self) -> usize {
        self.note(Place::Anything);
        self.lookup.len()
            + self.by_uid.len()
            + self.children.values().map(BTreeSet::len).sum::<usize>()
            + self.events.values().map(BTreeSet::len).sum::<usize>()
            + self.answered.len()
            + self.changes.len()
            + self.logs.entries()
            + self.graves.len()
    }
}

/// The addresses an object has now.
pub(super) fn addresses(object: &Object) -> Vec<IpAddr> {
    let texts: Vec<&str> = match object {
        Object::Service(s) => {
            s.spec.cluster_ip.as_deref().into_iter().chain(s.spec.cluster_ips.iter().map(String::as_str)).collect()
        }
        Object::Pod(p) if !p.finished() => {
            p.status.pod_ip.as_deref().into_iter().chain(p.status.pod_ips.iter().map(|i| i.ip.as_str())).collect()
        }
        Object::Node(n) => n.status.addresses.iter().map(|a| a.address.as_str()).collect(),
        _ => Vec::new(),
    };
    let mut out: Vec<IpAddr> = texts.into_iter().filter_map(|t| t.parse().ok()).collect();
    out.sort_unstable();
    out.dedup();
    out
}

fn pair(label: &str, value: &str) -> String {
    format!("{label}={value}")
}

fn forget(of: &mut Places, namespace: &str, what: &str, name: &str) {
    let Some(sets) = of.get_mut(namespace) else { return };
    if let Some(names) = sets.get_mut(what) {
        names.remove(name);
        if names.is_empty() {
            sets.remove(what);
        }
    }
    if sets.is_empty() {
        of.remove(namespace);
    }
}

/// One fewer; nothing is left of what is there no more. True when this was the last.
fn less<K: Ord + Borrow<Q>, Q: Ord + ?Sized>(counted: &mut BTreeMap<K, u32>, what: &Q) -> bool {
    let Some(n) = counted.get_mut(what) else { return false };
    *n -= 1;
    let last = *n == 0;
    if last {
        counted.remove(what);
    }
    last
}

/// Each condition of the node says that all is well.
fn healthy(node: &Node) -> bool {
    let good = |c: &Condition| match c.kind.ends_with("Ready") || c.kind.ends_with("Healthy") {
        true => c.is_true(),
        false => c.is_false(),
    };
    node.status.conditions.iter().all(good)
}

/// The images of the containers that run.
fn running(pod: &Pod) -> impl Iterator<Item = &str> {
    pod.containers().filter(|(_, s, _)| s.is_some_and(|s| s.state.running.is_some())).map(|(c, _, _)| c.image.as_str())
}

/// It is on a node, and no pod of some kind may join it there.
pub(super) fn keeps_apart(pod: &Pod) -> bool {
    let required = "/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution";
    pod.spec.node_name.is_some()
        && !pod.finished()
        && pod.spec.affinity.as_ref().is_some_and(|affinity| affinity.pointer(required).is_some())
}

/// What an event speaks of, unless it is what every pod goes through on its way to being well.
pub(super) fn about(event: &KubeEvent) -> Option<(Kind, Key)> {
    let everyday = !event.is_warning()
        && matches!(
            event.reason(),
            "Scheduled"
                | "Pulling"
                | "Pulled"
                | "Created"
                | "Started"
                | "SuccessfulAttachVolume"
                | "SuccessfulMountVolume"
        );
    let object = event.object();
    let kind = Kind::parse(&object.kind)?;
    let namespace = if kind.namespaced() { object.namespace.unwrap_or_default() } else { String::new() };
    (!everyday).then_some((kind, (namespace, object.name)))
}

/// Everything the pod's status says is good, and always was: it runs, is ready, and no container ever ended.
fn well(pod: &Pod) -> bool {
    let good = |c: &Condition| match c.kind.as_str() {
        "DisruptionTarget" => !c.is_true(),
        _ => c.is_true(),
    };
    let never_ended = |s: &crate::object::ContainerStatus| {
        s.restart_count == 0 && s.last_state.terminated.is_none() && s.state.waiting.is_none()
    };
    let status = &pod.status;
    status.phase.as_deref() == Some("Running")
        && status.reason.is_none()
        && !pod.metadata.deleting()
        && pod.spec.node_name.is_some()
        && pod.ready()
        && status.conditions.iter().all(good)
        && !status.container_statuses.is_empty()
        && status.container_statuses.iter().all(|s| never_ended(s) && s.ready && s.state.running.is_some())
        && status
            .init_container_statuses
            .iter()
            .all(|s| never_ended(s) && s.state.terminated.as_ref().is_none_or(|t| t.exit_code == 0))
}
