//! Citations: checked against what the incident holds.

use std::collections::HashSet;

use afterwatch_core::incident::Incident;

use crate::text::inert;

/// The ids that may be cited.
#[derive(Debug)]
pub(crate) struct Citations<'a>(&'a Incident);

impl<'a> Citations<'a> {
    pub fn new(incident: &'a Incident) -> Citations<'a> {
        Citations(incident)
    }

    /// Those of the ids that are there, each once.
    pub fn known(&self, ids: &[String]) -> Vec<String> {
        let mut known: Vec<String> = Vec::new();
        for id in ids.iter().filter(|id| is_id(id)) {
            let there = self.0.evidence.iter().any(|e| &e.id == id)
                || self.0.changes.iter().any(|c| &c.id == id)
                || self.0.actions.iter().any(|a| &a.id == id);
            if there && !known.contains(id) {
                known.push(id.clone());
            }
        }
        known
    }

    /// Text from the record with its citations; *not established* when it has none.
    pub fn statement(&self, text: &str, ids: &[String]) -> String {
        match &self.known(ids)[..] {
            [] => format!("*Not established:* {}.", ended(text)),
            known => format!("{} [{}].", ended(text), known.join(", ")),
        }
    }

    /// The same for what the timeline itself records: what people and Afterwatch did. Evidence is cited where the
    /// entry has some.
    pub fn recorded(&self, text: &str, ids: &[String]) -> String {
        match &self.known(ids)[..] {
            [] => format!("{} [timeline].", ended(text)),
            known => format!("{} [{}].", ended(text), known.join(", ")),
        }
    }

    /// `E5, E7` for a table, `–` for none.
    pub fn cell(&self, ids: &[String]) -> String {
        match &self.known(ids)[..] {
            [] => "–".to_owned(),
            known => known.join(", "),
        }
    }
}

/// The ids an incident holds, looked up at once.
#[derive(Debug)]
pub(crate) struct Known(HashSet<String>);

impl Known {
    pub fn new(incident: &Incident) -> Known {
        let evidence = incident.evidence.iter().map(|e| &e.id);
        let changes = incident.changes.iter().map(|c| &c.id);
        let actions = incident.actions.iter().map(|a| &a.id);
        Known(evidence.chain(changes).chain(actions).filter(|id| is_id(id)).cloned().collect())
    }

    /// Just these.
    #[cfg(test)]
    pub fn of(ids: &[&str]) -> Known {
        Known(ids.iter().map(|id| (*id).to_owned()).collect())
    }

    pub fn has(&self, id: &str) -> bool {
        self.0.contains(id)
    }
}

/// `E7`, `C2`, `A1`: what is printed between brackets is nothing else, wherever the incident came from.
pub(crate) fn is_id(id: &str) -> bool {
    let digits = id.strip_prefix(['E', 'C', 'A']).unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// Inert, without the full stop: it comes after the citation.
fn ended(text: &str) -> String {
    inert(text.trim().trim_end_matches('.'))
}
