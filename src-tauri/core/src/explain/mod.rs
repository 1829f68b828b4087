//! Around a fault: what changed just before, what can be ruled out, what to do first.

mod change;
mod elimination;
pub mod reach;
mod template;

use jiff::Timestamp;

pub(crate) use change::diff_evidence;
pub use reach::{Reach, Reached, changes_reaching};

use crate::{
    correlate::{Fault, route::Routes},
    detect::context::{action, edit, ns_flag, undo},
    remediation::ActionKind,
    severity::Confidence,
};

/// Adds changes, eliminations and the steps they suggest to a fault.
pub(crate) fn explain(routes: &Routes<'_>, now: Timestamp, fault: &mut Fault) {
    change::explain(routes.index, fault);
    elimination::explain(routes, now, fault);
    put_back(fault);
    template::held_back(routes.index, fault);
}

/// The step that puts back what was changed under the workload, where the cause is no part of the workload itself.
fn put_back(fault: &mut Fault) {
    let Some(cause) = fault.causes.first() else { return };
    let entity = &cause.entity;
    let step = match (cause.rule_id.as_str(), entity.kind.as_str()) {
        ("configuration-changed", "ConfigMap") => action(
            ActionKind::SetConfigmapKey,
            entity,
            "it holds again what it held before; what reads it as environment must be restarted then",
            "whatever else reads it changes, too",
            "patch configmaps",
            format!("kubectl edit {}{}", entity.kubectl(), ns_flag(entity)),
        ),
        ("configuration-changed", _) => {
            edit(ActionKind::ManualCheck, entity, "whether what it holds now is what the server accepts")
        }
        ("dependency-changed", _) if cause.confidence >= Confidence::Likely => {
            match undo(entity, "what was changed just before the trouble began is as it was") {
                Some(step) => step,
                None => return,
            }
        }
        _ => return,
    };
    fault.actions.insert(0, step);
}
