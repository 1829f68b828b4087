//! A part of a fault that a person wants to see as a fault of its own.

use std::collections::HashSet;

use super::{Fault, rank};
use crate::finding::Finding;

impl Fault {
    /// The fault with these findings only, and with the causes and evidence that are theirs; `None` without any.
    pub(crate) fn part(&self, keep: impl Fn(&Finding) -> bool) -> Option<Fault> {
        let (kept, left): (Vec<Finding>, Vec<Finding>) = self.findings.iter().cloned().partition(|f| keep(f));
        let lead = kept.first()?;
        let states = |findings: &[Finding], cause: &crate::finding::CauseDraft| {
            findings.iter().flat_map(|f| &f.causes).any(|c| c.rule_id == cause.rule_id && c.entity == cause.entity)
        };
        let causes: Vec<_> = self.causes.iter().filter(|c| states(&kept, c) || !states(&left, c)).cloned().collect();
        let own: HashSet<&str> = kept
            .iter()
            .flat_map(|f| &f.evidence)
            .map(|e| e.key.as_str())
            .chain(causes.iter().flat_map(|c| c.evidence.iter().map(String::as_str)))
            .collect();
        let foreign: HashSet<&str> =
            left.iter().flat_map(|f| &f.evidence).map(|e| e.key.as_str()).filter(|key| !own.contains(key)).collect();
        let subject = match kept.iter().any(|f| f.subject.same_name(&self.subject)) {
            true => self.subject.clone(),
            false => lead.subject.clone(),
        };
        let first = kept.iter().min_by_key(|f| f.started_at).unwrap_or(lead);
        Some(Fault {
            title: rank::title(&subject, lead, &kept),
            severity: kept.iter().map(|f| f.severity).max().unwrap_or(self.severity),
            started_at: first.started_at,
            started_basis: first.started_basis.clone(),
            evidence: self.evidence.iter().filter(|e| !foreign.contains(e.key.as_str())).cloned().collect(),
            causes,
            subject,
            findings: kept,
            ..self.clone()
        })
    }
}
