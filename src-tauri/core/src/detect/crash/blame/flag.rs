//! Options that the program does not know.

use super::{Blame, Case, contains_word};
use crate::{logs::Signal, remediation::ActionKind, severity::Confidence};

/// An option that the program does not know.
pub(super) fn unknown(case: &Case<'_, '_>, signal: &Signal) -> Blame {
    let own = case.own(signal);
    let Some(flag) = signal.subject.as_deref() else { return own.field(case.path("args")) };
    let bare = flag.trim_start_matches('-');
    let has = |list: &[String]| {
        list.iter().any(|a| case.unprinted(a).split([' ', '=', '\n']).any(|w| w.trim_start_matches('-') == bare))
    };
    for (list, name) in [(&case.spec.args, "args"), (&case.spec.command, "command")] {
        if has(list) {
            return own
                .says(format!("; it stands in its {name}"))
                .sure(Confidence::Established)
                .field(case.path(name))
                .step(case.edit(ActionKind::Patch, format!("the program has no option {flag}")));
        }
    }
    match case.spec.env.iter().find(|e| e.value.as_deref().is_some_and(|v| contains_word(v, bare))) {
        Some(e) => own
            .says(format!("; it stands in {}", e.name))
            .sure(Confidence::Established)
            .field(case.path(&format!("env[{}]", e.name))),
        None => own.field(case.path("args")),
    }
}
