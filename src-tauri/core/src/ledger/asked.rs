//! What a person's question found, among the incidents.

use jiff::Timestamp;

use super::{Ledger, Step, merge, push};
use crate::{
    correlate::Fault,
    detect::asked,
    evidence::Observed,
    incident::{Incident, IncidentId, OpenedBy, State},
    severity::Severity,
    timeline::EntryKind,
};

impl Ledger {
    /// Takes in what a question found: into the open incident it belongs to, else into one of its own.
    pub fn ask(
        &mut self,
        now: Timestamp,
        fault: &Fault,
        mint: &mut dyn FnMut() -> IncidentId,
    ) -> (IncidentId, Option<Step>) {
        let known = self.find(now, fault).filter(|i| self.incidents[*i].state.is_open());
        if let Some(at) = known {
            let incident = &mut self.incidents[at];
            let before = incident.clone();
            merge::more(incident, fault, now);
            return (incident.id, (*incident != before).then_some(Step::Updated));
        }
        let mut incident = self.open(now, fault, mint());
        incident.opened_by = OpenedBy::User;
        if let Some(entry) = incident.timeline.iter_mut().rfind(|e| e.label.as_deref() == Some("detected")) {
            entry.text = "Afterwatch opened the incident, asked by a person".into();
        }
        merge::fault(&mut incident, fault, now);
        let id = incident.id;
        self.incidents.push(incident);
        (id, Some(Step::Opened))
    }

    /// What was looked at where nothing was found, as an incident that is over. It is no part of the ledger: nothing
    /// happened.
    pub fn looked_at(&self, now: Timestamp, fault: &Fault, needs: Vec<String>, id: IncidentId) -> Incident {
        let mut incident = self.open(now, fault, id);
        incident.timeline.clear();
        incident.opened_by = OpenedBy::User;
        merge::fault(&mut incident, fault, now);
        incident.state = State::Resolved;
        incident.severity = Severity::Low;
        incident.started_at = None;
        incident.resolved_at = Some(now);
        incident.needs = needs;
        let text = "Asked by a person: nothing was found".to_owned();
        push(&mut incident, now, EntryKind::State, Some("resolved"), text, Vec::new(), Observed::Live);
        incident
    }
}

/// Only a person's question found it: no rule sees it, so that no rule can say that it is over.
pub(super) fn stays(incident: &Incident) -> bool {
    incident.opened_by == OpenedBy::User && incident.findings.iter().all(|f| f.rule_id == asked::RULE)
}
