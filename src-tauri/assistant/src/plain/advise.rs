//! Which of the offered steps to take, in the order the rules give.

use afterwatch_core::{words, writing::Statement};

use super::unknown;
use crate::record::{Record, action_name, offered, sentence};

/// A sentence or two for each step, and the steps.
pub(super) fn advise(record: &Record<'_>) -> (Vec<Statement>, Vec<String>) {
    let steps = offered(record.case);
    if steps.is_empty() {
        let what = "No step is recommended from what was recorded";
        return (vec![unknown(what, "no rule names one")], Vec::new());
    }
    // Whoever reads that a step would help wants to see why it is believed to.
    let proof = record.cause().map(|c| record.known(&c.evidence)).unwrap_or_default();
    let statements = steps
        .iter()
        .map(|step| {
            let draft = &step.draft;
            let because = draft.because.trim().trim_end_matches('.');
            let name = words::capital(&action_name(step));
            let mut text = if because.is_empty() { sentence(&name) } else { format!("{name}: {because}.") };
            if !draft.risk.trim().is_empty() {
                text.push_str(&format!(" At worst: {}.", draft.risk.trim().trim_end_matches('.')));
            }
            let mut cites = vec![step.id.clone()];
            cites.extend(proof.iter().take(2).cloned());
            record.cited(&text, &cites)
        })
        .collect();
    (statements, steps.iter().map(|s| s.id.clone()).collect())
}
