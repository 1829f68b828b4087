//! What the user lets the rules say.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::SignedDuration;

use crate::{finding::Finding, incident::Part, index::Index, object::ObjectRef};

/// The user's say over the rules in one cluster. The default lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleFilter {
    /// Rules that are switched off.
    pub off: BTreeSet<String>,
    /// Hold times in place of the rules' own.
    pub holds: BTreeMap<String, SignedDuration>,
    /// Thresholds in place of the rules' own.
    pub thresholds: BTreeMap<String, u32>,
    pub namespaces: BTreeSet<String>,
    /// Labels of the object or of the workload hit; without a value: any value.
    pub labels: Vec<(String, Option<String>)>,
    /// What a person said is no incident.
    pub known: Vec<Part>,
}

impl RuleFilter {
    /// Sets the hold time; false where the finding is to open nothing.
    pub(super) fn admit(&self, index: &Index, finding: &mut Arc<Finding>) -> bool {
        // One that only joins others stays so: it would open what its rule knows to be no fault by itself.
        if let Some(hold) = self.holds.get(&finding.rule_id)
            && finding.hold != Finding::JOINS_ONLY
        {
            Arc::make_mut(finding).hold = *hold;
        }
        let ignored = self.off.contains(&finding.rule_id)
            || self.in_namespace(&finding.object)
            || self.known.iter().any(|p| p.is_of(finding))
            || [&finding.object, &finding.subject].into_iter().any(|object| self.is_labelled(index, object));
        !ignored
    }

    fn in_namespace(&self, object: &ObjectRef) -> bool {
        let own = if object.kind == "Namespace" { Some(&object.name) } else { object.namespace.as_ref() };
        own.is_some_and(|namespace| self.namespaces.contains(namespace))
    }

    fn is_labelled(&self, index: &Index, object: &ObjectRef) -> bool {
        if self.labels.is_empty() {
            return false;
        }
        let Some(found) = index.resolve(object) else { return false };
        let labels = &found.meta().labels;
        self.labels.iter().any(|(key, value)| match (labels.get(key), value) {
            (Some(_), None) => true,
            (Some(has), Some(wanted)) => has == wanted,
            (None, _) => false,
        })
    }
}
