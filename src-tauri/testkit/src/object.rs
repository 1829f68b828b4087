//! Objects from a line and a few fields.

use afterwatch_core::{
    Timestamp,
    object::{Kind, Object},
};
use jiff::SignedDuration;
use serde_json::{Value, json};

/// The moment every test begins at, and the zero of every time in seconds.
const ZERO: &str = "2026-11-12T03:00:00Z";

/// The moment this many seconds after the beginning (or before it).
pub fn t(seconds: i64) -> Timestamp {
    let zero: Timestamp = ZERO.parse().expect("a time");
    zero + SignedDuration::from_secs(seconds)
}

/// The same as the API writes it.
pub fn at(seconds: i64) -> String {
    t(seconds).to_string()
}

/// Lays `patch` over `base`: maps are merged, everything else is replaced, `null` removes.
pub fn merge(base: &mut Value, patch: &Value) {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    base.remove(key);
                } else {
                    merge(base.entry(key.clone()).or_insert(Value::Null), value);
                }
            }
        }
        (base, patch) => *base = patch.clone(),
    }
}

/// An object: `object("Deployment shop/checkout", json!({"spec": {"replicas": 2}}))`. What is not said takes a
/// default: made an hour before the beginning, uid `deployment-shop-checkout`, no resource version (the [`World`] and
/// the fake cluster give one).
pub fn object(what: &str, fields: Value) -> Object {
    let (kind, path) = what.split_once(' ').unwrap_or_else(|| panic!("{what}: write `Kind namespace/name`"));
    let kind = Kind::parse(kind).unwrap_or_else(|| panic!("{what}: no such kind"));
    let (namespace, name) = match path.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, path),
    };
    assert_eq!(kind.namespaced(), namespace.is_some(), "{what}: namespace or not?");
    let uid =
        [Some(kind.as_str()), namespace, Some(name)].into_iter().flatten().collect::<Vec<_>>().join("-").to_lowercase();
    let mut value = json!({"metadata": {"name": name, "uid": uid, "creationTimestamp": at(-3600)}});
    if let Some(namespace) = namespace {
        value["metadata"]["namespace"] = json!(namespace);
    }
    merge(&mut value, &fields);
    Object::from_value(kind, value).unwrap_or_else(|e| panic!("{what}: {e}"))
}

/// A Kubernetes event about an object, seen `count` times between two moments. Its name is made of reason and first
/// moment, so the same event told again with a higher count replaces the first telling.
pub fn event(about: &Object, severity: &str, reason: &str, message: &str, first: i64, last: i64, count: u32) -> Object {
    let o = about.reference();
    let namespace = o.namespace.as_deref().unwrap_or("default");
    let name = format!("{}.{}.{first}", o.name, reason.to_lowercase());
    let fields = json!({
        "involvedObject": {"apiVersion": o.api_version, "kind": o.kind, "namespace": o.namespace, "name": o.name, "uid": o.uid},
        "type": severity, "reason": reason, "message": message, "count": count,
        "firstTimestamp": at(first), "lastTimestamp": at(last), "source": {"component": "test"},
    });
    object(&format!("Event {namespace}/{name}"), fields)
}
