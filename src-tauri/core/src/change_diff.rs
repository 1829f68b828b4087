//! The differ: two states of one object as JSON, walked side by side. Lists whose items have names are compared by
//! name, so that a container keeps its path when another is added before it.

use serde_json::{Map, Value};

use super::FieldChange;
use crate::object::Object;

/// Longest value quoted in a change.
const QUOTE: usize = 200;
/// So much of a value is told in one line.
const SHOWN: usize = 80;

pub(super) fn fields(old: &Object, new: &Object) -> Vec<FieldChange> {
    let mut out = Vec::new();
    walk("", &relevant(old), &relevant(new), &mut out);
    out
}

/// What of an object is compared: its specification and labels, never its status.
fn relevant(object: &Object) -> Value {
    let mut root = Map::new();
    let mut put = |name: &str, value: Result<Value, serde_json::Error>| {
        if let Ok(value) = value {
            root.insert(name.to_owned(), value);
        }
    };
    match object {
        Object::Deployment(o) => put("spec", serde_json::to_value(&o.spec)),
        Object::ReplicaSet(o) => put("spec", serde_json::to_value(&o.spec)),
        Object::StatefulSet(o) => put("spec", serde_json::to_value(&o.spec)),
        Object::DaemonSet(o) => put("spec", serde_json::to_value(&o.spec)),
        Object::Job(o) => put("spec", serde_json::to_value(&o.spec)),
        Object::CronJob(o) => put("spec", serde_json::to_value(&o.spec)),
        Object::Service(o) => put("spec", serde_json::to_value(&o.spec).map(once)),
        Object::Ingress(o) => put("spec", serde_json::to_value(&o.spec)),
        Object::IngressClass(o) => put("spec", serde_json::to_value(&o.spec)),
        Object::NetworkPolicy(o) => put("spec", serde_json::to_value(&o.spec)),
        Object::PersistentVolumeClaim(o) => put("spec", serde_json::to_value(&o.spec)),
        Object::PersistentVolume(o) => put("spec", serde_json::to_value(&o.spec)),
        Object::HorizontalPodAutoscaler(o) => put("spec", serde_json::to_value(&o.spec)),
        Object::PodDisruptionBudget(o) => put("spec", serde_json::to_value(&o.spec)),
        Object::ResourceQuota(o) => put("spec", serde_json::to_value(&o.spec)),
        Object::LimitRange(o) => put("spec", serde_json::to_value(&o.spec)),
        Object::Node(o) => put("spec", Ok(node(o))),
        Object::ConfigMap(o) => put("data", serde_json::to_value(&o.digests)),
        Object::StorageClass(o) => put("provisioner", Ok(Value::String(o.provisioner.clone()))),
        Object::ServiceAccount(o) => {
            // Whom its pods are to a cloud.
            let cloud = o.metadata.annotations.iter().filter(|(key, _)| crate::redact::is_identity(key));
            let cloud: std::collections::BTreeMap<_, _> = cloud.collect();
            put("metadata", Ok(serde_json::json!({"annotations": cloud})));
            put("imagePullSecrets", serde_json::to_value(&o.image_pull_secrets));
            // Not said is yes.
            put("automountServiceAccountToken", Ok(Value::Bool(o.automount_service_account_token.unwrap_or(true))));
        }
        // Of a Secret only the metadata is known: its resourceVersion changes with its data and with its labels.
        Object::Secret(o) => {
            put("resourceVersion", Ok(Value::String(o.metadata.resource_version.clone())));
            let keys = o.keys.iter().flatten().map(|k| (k.clone(), Value::String("set".into())));
            put("data", Ok(Value::Object(keys.collect())));
        }
        Object::PriorityClass(o) => put("value", Ok(o.value.into())),
        Object::ValidatingWebhookConfiguration(o) => put("webhooks", serde_json::to_value(&o.webhooks)),
        Object::MutatingWebhookConfiguration(o) => put("webhooks", serde_json::to_value(&o.webhooks)),
        Object::APIService(o) => put("spec", serde_json::to_value(&o.spec)),
        Object::Role(o) => put("rules", serde_json::to_value(&o.rules)),
        Object::ClusterRole(o) => put("rules", serde_json::to_value(&o.rules)),
        Object::RoleBinding(o) => {
            put("subjects", serde_json::to_value(&o.subjects));
            put("roleRef", serde_json::to_value(&o.role_ref));
        }
        Object::ClusterRoleBinding(o) => {
            put("subjects", serde_json::to_value(&o.subjects));
            put("roleRef", serde_json::to_value(&o.role_ref));
        }
        Object::GatewayClass(o) => put("spec", serde_json::to_value(&o.spec)),
        Object::Gateway(o) => put("spec", serde_json::to_value(&o.spec)),
        Object::HTTPRoute(o) => put("spec", serde_json::to_value(&o.spec)),
        Object::CustomResource(o) => {
            put("spec", serde_json::to_value(&o.spec));
            // Most of a specification is not read: that it was changed is told by its number. Argo CD counts its own
            // writes as well.
            if o.group() != "argoproj.io" {
                put("generation", serde_json::to_value(o.metadata.generation));
            }
        }
        Object::Pod(_) | Object::KubeEvent(_) | Object::Namespace(_) | Object::EndpointSlice(_) => {}
    }
    put("labels", serde_json::to_value(&object.meta().labels));
    Value::Object(root)
}

/// The first address of a Service stands twice.
fn once(mut spec: Value) -> Value {
    if let Some(addresses) = spec.get_mut("clusterIPs").and_then(Value::as_array_mut) {
        addresses.drain(..1.min(addresses.len()));
    }
    spec
}

/// What people change of a node. The taints the cluster itself sets are symptoms, and told by the node's conditions.
fn node(node: &crate::object::Node) -> Value {
    let own = node.spec.taints.iter().filter(|t| !t.key.starts_with("node.kubernetes.io/"));
    let taints: Map<String, Value> = own
        .map(|t| {
            (
                format!("{}:{}", t.key, t.effect),
                Value::String(t.value.clone().unwrap_or_else(|| "(no value)".to_owned())),
            )
        })
        .collect();
    serde_json::json!({"unschedulable": node.spec.unschedulable, "taints": taints})
}

/// Fields of a pod that are true where nothing is said.
const TRUE_UNSAID: [&str; 2] = [".automountServiceAccountToken", ".enableServiceLinks"];

fn walk(path: &str, old: &Value, new: &Value, out: &mut Vec<FieldChange>) {
    let unsaid = TRUE_UNSAID.iter().any(|field| path.ends_with(field));
    let (old, new) = match unsaid {
        true => {
            (if old.is_null() { &Value::Bool(true) } else { old }, if new.is_null() { &Value::Bool(true) } else { new })
        }
        false => (old, new),
    };
    if old == new || (!unsaid && empty(old) && empty(new)) {
        return;
    }
    // A variable that comes, goes, or changes where its value is from reads best as one.
    if env_item(path) && (old.is_null() || new.is_null() || !literal(old) || !literal(new)) {
        out.push(FieldChange { path: path.to_owned(), from: env_text(old), to: env_text(new) });
        return;
    }
    // The name of a list's item stands in its path.
    let in_path = |m: &Map<String, Value>, key: &str| {
        key == "name" && m[key].as_str().is_some_and(|n| path.ends_with(&format!("[{n}]")))
    };
    match (old, new) {
        (Value::Object(a), Value::Object(b)) if !is_leaf(path, a, b) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                walk(&join(path, key), a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null), out);
            }
        }
        (Value::Object(a), Value::Null) if !is_leaf(path, a, a) => {
            for (key, value) in a.iter().filter(|(k, _)| !in_path(a, k)) {
                walk(&join(path, key), value, &Value::Null, out);
            }
        }
        (Value::Null, Value::Object(b)) if !is_leaf(path, b, b) => {
            for (key, value) in b.iter().filter(|(k, _)| !in_path(b, k)) {
                walk(&join(path, key), &Value::Null, value, out);
            }
        }
        (Value::Array(_) | Value::Null, Value::Array(_) | Value::Null) if named(old) && named(new) => {
            let (a, b) = (items(old), items(new));
            let mut names: Vec<&str> = a.iter().chain(&b).map(|(n, _)| *n).collect();
            let mut seen = std::collections::BTreeSet::new();
            names.retain(|n| seen.insert(*n));
            for name in names {
                let find = |list: &[(&str, &Value)]| {
                    list.iter().find(|(n, _)| *n == name).map_or(Value::Null, |(_, v)| (*v).clone())
                };
                walk(&format!("{path}[{name}]"), &find(&a), &find(&b), out);
            }
        }
        // Lists of the same length without names: item by item, so that the change is told and not the whole list.
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() && a.iter().chain(b).all(Value::is_object) => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                walk(&format!("{path}[{i}]"), a, b, out);
            }
        }
        _ => {
            let (from, to) = contrast(text(old), text(new));
            out.push(FieldChange { path: path.to_owned(), from, to });
        }
    }
}

/// Maps that read best as one value: a digest.
fn is_leaf(_path: &str, a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    let digest = |m: &Map<String, Value>| m.contains_key("hash") && m.contains_key("bytes");
    digest(a) || digest(b)
}

/// The path of a whole environment variable.
fn env_item(path: &str) -> bool {
    path.rfind("].").map_or(path, |i| &path[i..]).starts_with("].env[") && path.ends_with(']')
}

fn literal(variable: &Value) -> bool {
    variable.get("valueFrom").is_none_or(empty)
}

/// A variable's value, or where it is taken from.
fn env_text(variable: &Value) -> Option<String> {
    if variable.is_null() {
        return None;
    }
    if let Some(text) = variable.get("value").and_then(Value::as_str) {
        return Some(crate::words::clip(text, QUOTE));
    }
    let from = [("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")].into_iter().find_map(|(field, kind)| {
        let source = variable.pointer(&format!("/valueFrom/{field}")).filter(|s| s.is_object())?;
        let text = |f: &str| source.get(f).and_then(Value::as_str).unwrap_or("?");
        Some(format!("key {} of {kind} {}", text("key"), text("name")))
    });
    Some(from.unwrap_or_else(|| "(no value)".to_owned()))
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn empty(v: &Value) -> bool {
    match v {
        Value::Null | Value::Bool(false) => true,
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(m) => m.values().all(empty),
        _ => false,
    }
}

fn named(v: &Value) -> bool {
    v.as_array().is_none_or(|a| a.iter().all(|i| i.get("name").is_some_and(Value::is_string)))
}

fn items(v: &Value) -> Vec<(&str, &Value)> {
    v.as_array().into_iter().flatten().filter_map(|i| Some((i.get("name")?.as_str()?, i))).collect()
}

/// Two values to be told beside each other: of long ones the parts where they differ, with a little of what is around.
fn contrast(from: Option<String>, to: Option<String>) -> (Option<String>, Option<String>) {
    const AROUND: usize = 24;
    let clip = |t: String| crate::words::clip(&t, QUOTE);
    let (Some(a), Some(b)) = (&from, &to) else { return (from.map(clip), to.map(clip)) };
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().max(b.len()) <= SHOWN {
        return (from, to);
    }
    let head = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let most = a.len().min(b.len()) - head;
    let tail = a.iter().rev().zip(b.iter().rev()).take(most).take_while(|(x, y)| x == y).count();
    let part = |text: &[char]| {
        let (start, end) = (head.saturating_sub(AROUND), (text.len() - tail + AROUND).min(text.len()));
        // Not in the middle of a word.
        let start = (0..=start).rev().find(|i| *i == 0 || text[*i - 1] == ' ').filter(|i| head - i <= 2 * AROUND);
        let start = start.unwrap_or(head.saturating_sub(AROUND));
        let (before, after) = (if start > 0 { "…" } else { "" }, if end < text.len() { "…" } else { "" });
        clip(format!("{before}{}{after}", text[start..end].iter().collect::<String>()))
    };
    (Some(part(&a)), Some(part(&b)))
}

fn text(v: &Value) -> Option<String> {
    if empty(v) && !matches!(v, Value::Bool(_)) {
        return None;
    }
    let text = match v {
        Value::String(s) => s.clone(),
        Value::Object(m) if m.contains_key("hash") && m.contains_key("bytes") => {
            format!("{} bytes, digest {}", m["bytes"], m["hash"].as_str().unwrap_or("?"))
        }
        Value::Array(a) if a.iter().all(Value::is_string) => {
            a.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
        }
        other => strip(other).to_string(),
    };
    Some(text)
}

/// Without the defaults that our own types add.
fn strip(v: &Value) -> Value {
    match v {
        Value::Object(m) => {
            Value::Object(m.iter().filter(|(_, v)| !empty(v)).map(|(k, v)| (k.clone(), strip(v))).collect())
        }
        Value::Array(a) => Value::Array(a.iter().map(strip).collect()),
        other => other.clone(),
    }
}

/// One line for a set of field changes: `limits.memory 512Mi → 64Mi; env LOG_LEVEL info → verbos`. What `first` names
/// comes first, and labels last: every release changes the version in them.
pub fn summarise(fields: &[FieldChange], first: Option<&str>) -> String {
    let mut fields: Vec<&FieldChange> = fields.iter().collect();
    fields.sort_by_key(|f| if first == Some(f.path.as_str()) { 0 } else { 1 + weight(&f.path) });
    let mut parts: Vec<String> = fields.iter().map(|f| describe(f)).collect();
    parts.dedup();
    // A label that is given to the object and to its pods alike is told once.
    let told = parts.clone();
    parts.retain(|p| p.strip_prefix("labels.").is_none_or(|l| !told.contains(&format!("pod label {l}"))));
    let more = parts.len().saturating_sub(4);
    parts.truncate(4);
    if more > 0 {
        parts.push(format!("and {more} more {}", if more == 1 { "field" } else { "fields" }));
    }
    parts.join("; ")
}

/// How late a field is told: what pods run with, then their labels and annotations, then those of the object itself.
fn weight(path: &str) -> u8 {
    if path.starts_with("labels.") { 2 } else { u8::from(path.contains("template.metadata.")) }
}

fn describe(field: &FieldChange) -> String {
    let name = short(&field.path);
    if let Some(key) = field.path.strip_prefix("data.") {
        return match (&field.from, &field.to) {
            (None, _) => format!("key {key} added"),
            (_, None) => format!("key {key} removed"),
            _ => format!("key {key} changed (values are not kept)"),
        };
    }
    if field.path == "resourceVersion" {
        return "content or labels changed (values are never read)".into();
    }
    let clip = |t: &str| crate::words::clip(t, SHOWN);
    match (&field.from, &field.to) {
        (Some(a), Some(b)) => format!("{name} {} → {}", clip(a), clip(b)),
        (None, Some(b)) => format!("{name} added: {}", clip(b)),
        (Some(a), None) => format!("{name} removed (was {})", clip(a)),
        (None, None) => name,
    }
}

/// The telling end of a path: `limits.memory`, `env LOG_LEVEL`, `image`, with the container where there is one.
fn short(path: &str) -> String {
    let tail = path
        .strip_prefix("spec.jobTemplate.spec.template.spec.")
        .or_else(|| path.strip_prefix("spec.template.spec."))
        .or_else(|| path.strip_prefix("spec.template."))
        .or_else(|| path.strip_prefix("spec."))
        .unwrap_or(path);
    if let Some(label) = tail.strip_prefix("metadata.labels.") {
        return format!("pod label {label}");
    }
    let Some(rest) = tail.strip_prefix("containers[").or_else(|| tail.strip_prefix("initContainers[")) else {
        return tail.to_owned();
    };
    let Some((container, field)) = rest.split_once(']') else { return tail.to_owned() };
    let field = field.trim_start_matches('.');
    let field = field.strip_prefix("resources.").unwrap_or(field);
    let field = match field.strip_prefix("env[").and_then(|e| e.split_once(']')) {
        Some((name, _)) => format!("env {name}"),
        None => field.to_owned(),
    };
    if field.is_empty() { format!("container {container}") } else { format!("{field} (container {container})") }
}
