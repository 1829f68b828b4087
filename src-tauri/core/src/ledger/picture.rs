//! The objects around the fault, kept with the incident before the cluster throws them away.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{graph, incident::Incident, index::Index, object::ObjectRef};

/// Draws the picture anew when the cause is another one or more shows the fault than before. What recovers takes
/// nothing out of it: it stays as it was when the cause was last determined.
pub(super) fn draw(incident: &mut Incident, before: Option<&Incident>, index: &Index, now: Timestamp) {
    let stays = incident.graph.is_some()
        && before.is_some_and(|b| cause(b) == cause(incident) && b.subject.same_name(&incident.subject))
        && before.is_some_and(|b| shown(b, false).is_superset(&shown(incident, true)));
    if !stays {
        incident.graph = Some(graph::around(index, now, &*incident));
    }
}

fn cause(incident: &Incident) -> Option<(&str, String, Option<String>)> {
    let top = incident.top_cause()?;
    Some((top.rule_id.as_str(), top.entity.key(), top.referrer.as_ref().map(ObjectRef::key)))
}

/// Which problem on whose objects: a pod that follows another is nothing new.
fn shown(incident: &Incident, active: bool) -> BTreeSet<(&str, String)> {
    let findings = incident.findings.iter().filter(|f| f.active || !active);
    findings.map(|f| (f.rule_id.as_str(), f.subject.as_ref().unwrap_or(&f.object).key())).collect()
}
