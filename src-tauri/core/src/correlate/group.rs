//! Which findings belong to one fault.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{asleep, cascade, route::Routes, shared};
use crate::{finding::Finding, index::Index, object::Object};

/// What a fault is made from besides the index: its findings, and for each the subjects whose faults it is a symptom of.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub findings: Vec<Arc<Finding>>,
    pub up: Vec<BTreeSet<String>>,
}

impl Group {
    /// They are the same.
    pub(crate) fn are(&self, others: &Group) -> bool {
        let same = |(a, b): (&Arc<Finding>, &Arc<Finding>)| Arc::ptr_eq(a, b) || a == b;
        self.up == others.up
            && self.findings.len() == others.findings.len()
            && self.findings.iter().zip(&others.findings).all(same)
    }

    /// The same findings in another order.
    pub(super) fn in_order(self, order: &[usize]) -> Group {
        let mut parts: Vec<Option<(Arc<Finding>, BTreeSet<String>)>> =
            self.findings.into_iter().zip(self.up).map(Some).collect();
        let (findings, up) = order.iter().filter_map(|i| parts.get_mut(*i)?.take()).unzip();
        Group { findings, up }
    }
}

/// Groups findings that share a subject, a cause, or a way along which a failure travels: node → its pods,
/// workload → its Service → its Ingress, dependency → what calls it. A group without a due finding is dropped.
pub(super) fn group(routes: &Routes<'_>, due: Vec<Arc<Finding>>, held: Vec<Arc<Finding>>) -> Vec<Group> {
    let index = routes.index;
    let opens = due.len();
    let mut all: Vec<Arc<Finding>> = due.into_iter().chain(held).collect();
    asleep::asleep(routes, &mut all);
    shared::changed(routes, &mut all);
    shared::missing(routes, &mut all);
    shared::registry(&mut all);
    let up = cascade::upstream(routes, &all, opens);
    let mut sets = Sets::new(all.len());
    let mut at: BTreeMap<String, usize> = BTreeMap::new();
    for (i, finding) in all.iter().enumerate() {
        for key in keys(index, finding) {
            match at.get(&key) {
                Some(&j) => sets.join(i, j),
                None => {
                    at.insert(key, i);
                }
            }
        }
    }
    for (i, up) in up.iter().enumerate() {
        for key in up {
            if let Some(&j) = at.get(key) {
                sets.join(i, j);
            }
        }
    }
    let mut groups: BTreeMap<usize, (bool, Group)> = BTreeMap::new();
    for (i, (finding, up)) in all.into_iter().zip(up).enumerate() {
        let entry =
            groups.entry(sets.find(i)).or_insert_with(|| (false, Group { findings: Vec::new(), up: Vec::new() }));
        entry.0 |= i < opens;
        entry.1.findings.push(finding);
        entry.1.up.push(up);
    }
    groups.into_values().filter(|(opens, _)| *opens).map(|(_, g)| g).collect()
}

/// What a finding hangs on: findings with a key in common are one fault.
fn keys(index: &Index, finding: &Finding) -> Vec<String> {
    let mut keys = vec![finding.subject.key()];
    if let Some(cause) = finding.causes.first() {
        // A cause outside the workload joins everything it breaks.
        keys.push(cause.entity.key());
    }
    // What cannot reach a Service names it as the cause.
    if finding.object.kind == "Service" {
        keys.push(finding.object.key());
    }
    // A Service is down because the workload behind it is: the pods its selector finds lead there.
    if finding.rule_id == "service-without-endpoints"
        && let Some(Object::Service(service)) = index.resolve(&finding.object).map(|o| &**o)
        && let Some(ns) = finding.object.namespace.as_deref()
    {
        for pod in index.pods_matching(ns, &service.spec.selector) {
            keys.push(index.top_owner_of(pod.reference(), &pod.metadata).key());
        }
    }
    keys.sort();
    keys.dedup();
    // What lies outside, and what everybody calls; but a registry that fails several workloads is one fault.
    let registry = finding.causes.first().is_some_and(|c| c.rule_id == shared::REGISTRY);
    keys.retain(|k| (registry || !k.starts_with("External/")) && k != "Service/default/kubernetes");
    keys
}

struct Sets(Vec<usize>);

impl Sets {
    fn new(n: usize) -> Sets {
        Sets((0..n).collect())
    }

    fn find(&mut self, mut i: usize) -> usize {
        while self.0[i] != i {
            self.0[i] = self.0[self.0[i]];
            i = self.0[i];
        }
        i
    }

    /// The smaller index leads, so that the order of findings decides nothing else.
    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        let (low, high) = (a.min(b), a.max(b));
        self.0[high] = low;
    }
}
