//! Which nodes a pod may be placed on, by the scheduler's own rules for selectors, required affinity and taints.

use serde_json::Value;

use crate::object::{Node, Pod, node::Taint, pod::Toleration};

/// The terms of the pod's required node affinity: a node must satisfy one of them.
pub(super) fn required_terms(pod: &Pod) -> Option<&Vec<Value>> {
    pod.spec
        .affinity
        .as_ref()?
        .pointer("/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms")?
        .as_array()
}

/// The node satisfies the pod's node selector and required node affinity.
pub(super) fn selected(pod: &Pod, node: &Node) -> bool {
    let labels = &node.metadata.labels;
    let expression = |e: &Value| {
        let text = |name: &str| e.get(name).and_then(Value::as_str).unwrap_or("");
        let values: Vec<&str> =
            e.get("values").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let have = labels.get(text("key")).map(String::as_str);
        let number = |t: &str| t.parse::<i64>().ok();
        match text("operator") {
            "In" => have.is_some_and(|h| values.contains(&h)),
            "NotIn" => have.is_none_or(|h| !values.contains(&h)),
            "Exists" => have.is_some(),
            "DoesNotExist" => have.is_none(),
            "Gt" => have.and_then(number).zip(values.first().copied().and_then(number)).is_some_and(|(h, v)| h > v),
            "Lt" => have.and_then(number).zip(values.first().copied().and_then(number)).is_some_and(|(h, v)| h < v),
            _ => false,
        }
    };
    // matchFields knows one field only: the node's name.
    let field = |e: &Value| {
        let values: Vec<&str> =
            e.get("values").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        values.contains(&node.metadata.name.as_str()) == (e.get("operator").and_then(Value::as_str) != Some("NotIn"))
    };
    let affinity = required_terms(pod).is_none_or(|terms| {
        terms.iter().any(|t| {
            let (by_label, by_field) = (list(t, "matchExpressions"), list(t, "matchFields"));
            !(by_label.is_empty() && by_field.is_empty())
                && by_label.iter().all(expression)
                && by_field.iter().all(field)
        })
    });
    affinity && pod.spec.node_selector.iter().all(|(k, v)| labels.get(k) == Some(v))
}

fn list<'v>(term: &'v Value, name: &str) -> &'v [Value] {
    term.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The first taint of the node that keeps the pod away.
pub(super) fn untolerated<'n>(pod: &Pod, node: &'n Node) -> Option<&'n Taint> {
    node.spec
        .taints
        .iter()
        .filter(|t| matches!(t.effect.as_str(), "NoSchedule" | "NoExecute"))
        .find(|t| !pod.spec.tolerations.iter().any(|tol| tolerates(tol, t)))
}

fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let effect = toleration.effect.as_deref().is_none_or(|e| e.is_empty() || e == taint.effect);
    let key = toleration.key.as_deref().unwrap_or("");
    let exists = toleration.operator.as_deref() == Some("Exists");
    effect
        && ((key.is_empty() && exists)
            || (key == taint.key
                && (exists || toleration.value.as_deref().unwrap_or("") == taint.value.as_deref().unwrap_or(""))))
}
