//! The lines of a recording.

use std::path::PathBuf;

use afterwatch_core::observation::Observation;
use serde_json::Value;

/// Where a recording lies.
pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recordings").join(format!("{name}.jsonl"))
}

/// Reads a recording.
pub fn read(name: &str) -> Vec<Observation> {
    let path = path(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut out: Vec<Observation> = text
        .lines()
        .filter(|l| !l.trim().is_empty())
        .enumerate()
        .map(|(i, line)| serde_json::from_str(line).unwrap_or_else(|e| panic!("{name}, line {}: {e}", i + 1)))
        .collect();
    out.sort_by_key(|o| o.at);
    out
}

/// One observation as a line: without the fields that only say their default.
pub fn line(observation: &Observation) -> String {
    let whole = serde_json::to_value(observation).expect("an observation is JSON");
    for trim in [empty as fn(&Value) -> bool, Value::is_null] {
        let short = strip(&whole, trim);
        if serde_json::from_value::<Observation>(short.clone()).is_ok_and(|o| o == *observation) {
            return short.to_string();
        }
    }
    whole.to_string()
}

fn empty(v: &Value) -> bool {
    match v {
        Value::Null => true,
        Value::Bool(b) => !b,
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(m) => m.is_empty(),
        Value::Number(n) => n.as_i64() == Some(0),
    }
}

fn strip(v: &Value, drop: fn(&Value) -> bool) -> Value {
    match v {
        Value::Object(m) => Value::Object(
            m.iter().map(|(k, v)| (k.clone(), strip(v, drop))).filter(|(k, v)| keep(k) || !drop(v)).collect(),
        ),
        Value::Array(a) => Value::Array(a.iter().map(|v| strip(v, drop)).collect()),
        other => other.clone(),
    }
}

/// Fields that have no default, or whose emptiness says something.
fn keep(key: &str) -> bool {
    matches!(
        key,
        "objects"
            | "namespace"
            | "lines"
            | "truncated"
            | "previous"
            | "restart"
            | "uid"
            | "message"
            | "ready"
            | "started"
            | "serving"
            | "terminating"
            | "Ok"
            | "Err"
            | "emptyDir"
            | "optional"
            | "replicas"
    )
}
