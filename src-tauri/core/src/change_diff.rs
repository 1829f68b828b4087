use super::*;

pub fn fields(_old: &Object, _new: &Object) -> Vec<FieldChange> { Vec::new() }
/// One line for a set of field changes: `limits.memory 512Mi → 64Mi; LOG_LEVEL info → verbos`.
pub fn summarise(_fields: &[FieldChange]) -> String { String::new() }
