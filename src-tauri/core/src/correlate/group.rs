//! Which findings belong to one fault.

use std::collections::BTreeMap;

use crate::{
    finding::Finding,
    index::Index,
    object::{Kind, Object},
};

/// Groups findings that share a subject, a cause, or a way along which a failure travels: node → its pods,
/// workload → its Service → its Ingress. A group without a due finding is dropped.
pub(super) fn group(index: &Index, due: Vec<Finding>, held: Vec<Finding>) -> Vec<Vec<Finding>> {
    let opens = due.len();
    let all: Vec<Finding> = due.into_iter().chain(held).collect();
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
    let mut groups: BTreeMap<usize, (bool, Vec<Finding>)> = BTreeMap::new();
    for (i, finding) in all.into_iter().enumerate() {
        let entry = groups.entry(sets.find(i)).or_default();
        entry.0 |= i < opens;
        entry.1.push(finding);
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
        && !service.spec.selector.is_empty()
        && let Some(ns) = finding.object.namespace.as_deref()
    {
        for pod in index.in_namespace(Kind::Pod, ns) {
            if service.spec.selector.iter().all(|(k, v)| pod.meta().labels.get(k) == Some(v)) {
                keys.push(index.top_owner(pod).key());
            }
        }
    }
    keys.sort();
    keys.dedup();
    keys.retain(|k| !k.starts_with("External/"));
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
