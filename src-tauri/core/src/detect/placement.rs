//! Which nodes a pod may be placed on, by the scheduler's own rules for selectors, required affinity and taints; what
//! it asks for, and how much of that is left.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde_json::Value;

use super::Context;
use crate::object::{
    Kind, LabelSelector, Node, Object, ObjectRef, Pod, PodSpec, Quantity, has_all, node::Taint, pod::Toleration,
};

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
    labelled(&pod.spec, node) && required_terms(pod).is_none_or(|terms| in_terms(terms, node))
}

/// The node has every label of the pod's node selector.
pub(super) fn labelled(spec: &PodSpec, node: &Node) -> bool {
    has_all(&node.metadata.labels, &spec.node_selector)
}

/// The node satisfies one of these terms, as affinities of pods and volumes write them.
pub(super) fn in_terms(terms: &[Value], node: &Node) -> bool {
    terms.iter().any(|t| {
        let (by_label, by_field) = (list(t, "matchExpressions"), list(t, "matchFields"));
        !(by_label.is_empty() && by_field.is_empty())
            && by_label.iter().all(|e| expression(e, node))
            && by_field.iter().all(|e| field(e, node))
    })
}

/// One expression of a term about the node's labels.
pub(super) fn expression(e: &Value, node: &Node) -> bool {
    let values = values(e);
    let have = node.metadata.labels.get(text(e, "key")).map(String::as_str);
    let number = |t: &str| t.parse::<i64>().ok();
    let first = values.first().copied().and_then(number);
    match text(e, "operator") {
        "In" => have.is_some_and(|h| values.contains(&h)),
        "NotIn" => have.is_none_or(|h| !values.contains(&h)),
        "Exists" => have.is_some(),
        "DoesNotExist" => have.is_none(),
        "Gt" => have.and_then(number).zip(first).is_some_and(|(h, v)| h > v),
        "Lt" => have.and_then(number).zip(first).is_some_and(|(h, v)| h < v),
        _ => false,
    }
}

/// matchFields knows one field only: the node's name.
fn field(e: &Value, node: &Node) -> bool {
    values(e).contains(&node.metadata.name.as_str()) == (text(e, "operator") != "NotIn")
}

/// A text of a JSON object, empty when it is not there.
pub(super) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or("")
}

/// The values of an expression.
pub(super) fn values(e: &Value) -> Vec<&str> {
    list(e, "values").iter().filter_map(Value::as_str).collect()
}

/// Every expression of the terms, in words: `zone In z1,z2`.
pub(super) fn describe(terms: &[Value]) -> String {
    let said: Vec<String> = terms
        .iter()
        .flat_map(|t| list(t, "matchExpressions").iter().chain(list(t, "matchFields")))
        .map(|e| format!("{} {} {}", text(e, "key"), text(e, "operator"), values(e).join(",")).trim().to_owned())
        .collect();
    said.join("; ")
}

/// A label selector as it stands in an affinity term or a spread constraint.
pub(super) fn selector(value: Option<&Value>) -> Option<LabelSelector> {
    serde_json::from_value(value?.clone()).ok()
}

/// A label selector in words: `app=web, tier In a,b`.
pub(super) fn selector_words(selector: &LabelSelector) -> String {
    let equal = selector.match_labels.iter().map(|(k, v)| format!("{k}={v}"));
    let sets = selector
        .match_expressions
        .iter()
        .map(|r| format!("{} {} {}", r.key, r.operator, r.values.join(",")).trim().to_owned());
    equal.chain(sets).collect::<Vec<_>>().join(", ")
}

/// A list of a JSON object, empty when it is not there.
pub(super) fn list<'v>(term: &'v Value, name: &str) -> &'v [Value] {
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

/// What a pod asks of one resource.
pub(super) struct Ask {
    pub milli: i128,
    /// The amounts as the pod writes them, `1 + 2` where several containers ask.
    pub text: String,
    /// The container that asks for most, and whether it is an init container.
    pub container: String,
    pub init: bool,
    /// `requests`, or `limits` where only a limit is written.
    pub list: &'static str,
}

/// What the scheduler counts of a resource: the sum of the containers and of the init containers that stay, or the
/// largest init container where that is more. `None` when no container names it.
pub(super) fn asked(spec: &PodSpec, name: &str) -> Option<Ask> {
    let of = |c: &'_ crate::object::pod::Container| -> Option<(&'static str, Quantity)> {
        let request = c.resources.requests.get(name).map(|q| ("requests", q.clone()));
        request.or_else(|| c.resources.limits.get(name).map(|q| ("limits", q.clone())))
    };
    let stays = |c: &&crate::object::pod::Container| c.restart_policy.as_deref() == Some("Always");
    let milli = |q: &Quantity| q.milli().unwrap_or(0);
    let sum: Vec<(&str, bool, &'static str, Quantity)> = spec
        .init_containers
        .iter()
        .filter(stays)
        .map(|c| (c, true))
        .chain(spec.containers.iter().map(|c| (c, false)))
        .filter_map(|(c, init)| of(c).map(|(list, q)| (c.name.as_str(), init, list, q)))
        .collect();
    let total: i128 = sum.iter().map(|(_, _, _, q)| milli(q)).sum();
    let before = spec.init_containers.iter().filter(|c| !stays(c));
    let largest = before
        .filter_map(|c| of(c).map(|(list, q)| (c.name.as_str(), true, list, q)))
        .max_by_key(|(_, _, _, q)| milli(q));
    if let Some((container, init, list, q)) = largest.filter(|(_, _, _, q)| milli(q) > total) {
        return Some(Ask { milli: milli(&q), text: q.to_string(), container: container.to_owned(), init, list });
    }
    let (container, init, list, _) = sum.iter().max_by_key(|(_, _, _, q)| milli(q))?;
    let text = sum.iter().map(|(_, _, _, q)| q.to_string()).collect::<Vec<_>>().join(" + ");
    Some(Ask { milli: total, text, container: (*container).to_owned(), init: *init, list })
}

/// What a pod takes of a resource, in thousandths; of `pods`, one.
pub(super) fn share(pod: &Pod, name: &str) -> i128 {
    match name {
        "pods" => 1000,
        _ => asked(&pod.spec, name).map_or(0, |a| a.milli),
    }
}

/// What a pod was made from, where that cannot have changed since: admission may have added to it.
pub(super) fn template<'a>(cx: &Context<'a>, pod: &Pod) -> Option<&'a PodSpec> {
    let maker = cx.index.by_uid(&pod.metadata.controller()?.uid)?;
    let kept = matches!(maker.kind(), Kind::ReplicaSet | Kind::Job);
    maker.pod_template().filter(|_| kept).map(|t| &t.spec)
}

/// The LimitRange that gives the containers of a namespace a limit for a resource (or a request), for the sentence about
/// a workload that sets none itself.
pub(super) fn given_by(cx: &Context<'_>, pod: &Pod, container: &str, list: &str, name: &str) -> Option<ObjectRef> {
    let spec = template(cx, pod)?;
    let own = spec.containers.iter().chain(&spec.init_containers).find(|c| c.name == container)?;
    // A request that is not set is as large as the limit that is.
    let sets =
        own.resources.limits.contains_key(name) || list == "requests" && own.resources.requests.contains_key(name);
    let gives = |o: &&Arc<Object>| {
        let Object::LimitRange(range) = &***o else { return false };
        range
            .spec
            .limits
            .iter()
            .any(|i| i.default.contains_key(name) || list == "requests" && i.default_request.contains_key(name))
    };
    let mut ranges = cx.index.in_namespace(Kind::LimitRange, pod.metadata.namespace.as_deref()?).filter(gives);
    ranges.next().filter(|_| !sets).map(|o| o.reference())
}

/// Who takes a resource, over the whole cluster.
#[derive(Default)]
pub(super) struct Room {
    /// In thousandths, by node; of `pods`, how many there are.
    by_node: HashMap<String, i128>,
    /// By workload, the most first, with how many pods it has.
    pub takers: Vec<(ObjectRef, usize, i128)>,
}

impl Room {
    /// Counts what every pod that is on a node asks for.
    pub fn count(cx: &Context<'_>, name: &str) -> Room {
        let mut room = Room::default();
        let mut by: BTreeMap<String, (ObjectRef, usize, i128)> = BTreeMap::new();
        for pod in cx.index.placed_pods().filter(|p| !p.finished()) {
            let Some(node) = &pod.spec.node_name else { continue };
            let milli = share(pod, name);
            if milli > 0 {
                *room.by_node.entry(node.clone()).or_default() += milli;
                let owner = cx.owner(pod).subject;
                let entry = by.entry(owner.key()).or_insert((owner, 0, 0));
                entry.1 += 1;
                entry.2 += milli;
            }
        }
        room.takers = by.into_values().collect();
        room.takers.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.0.key().cmp(&b.0.key())));
        room
    }

    /// What the pods of a node ask for.
    pub fn taken(&self, node: &str) -> i128 {
        self.by_node.get(node).copied().unwrap_or(0)
    }
}

/// An amount in the unit people write: `1500m`, `3`, `512Mi`, `2Gi`.
pub(super) fn amount(name: &str, milli: i128) -> String {
    let whole = milli / 1000;
    if name == "cpu" || name.ends_with(".cpu") {
        return if milli % 1000 == 0 { whole.to_string() } else { format!("{milli}m") };
    }
    let bytes = ["memory", "storage", "hugepages"].iter().any(|w| name.contains(w));
    let unit = [("Ti", 1i128 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
    match unit.iter().find(|(_, size)| bytes && whole >= *size && whole % size == 0) {
        Some((suffix, size)) => format!("{}{suffix}", whole / size),
        None if bytes && whole >= 1 << 20 => format!("{}Mi", whole >> 20),
        None => whole.to_string(),
    }
}

/// The name that is most like a wrong one, where one is alike enough to be what was meant.
pub(super) fn nearest<'n>(wrong: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let far = (wrong.len() / 3).clamp(1, 3);
    names
        .filter(|n| *n != wrong)
        .map(|n| (distance(wrong, n), n))
        .filter(|(d, n)| {
            *d <= far
                || (wrong.len() >= 4
                    && n.len() >= 4
                    && (n.starts_with(&format!("{wrong}-")) || wrong.starts_with(&format!("{n}-"))))
        })
        .min()
        .map(|(_, n)| n)
}

/// How many letters must be added, removed, changed or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(80).collect(), b.chars().take(80).collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::{amount, asked, nearest};
    use crate::object::PodSpec;

    #[test]
    fn what_is_alike_is_offered_and_what_is_not_is_not() {
        let names = ["settings", "session", "web-tls"];
        let near = |wrong: &str| nearest(wrong, names.into_iter());
        assert_eq!(near("setings"), Some("settings"));
        assert_eq!(near("stetings"), Some("settings"));
        assert_eq!(near("web"), None);
        assert_eq!(near("database"), None);
        assert_eq!(near("web-tls-v2"), Some("web-tls"));
    }

    #[test]
    fn amounts_are_written_as_people_do() {
        let gi = 1000i128 << 30;
        assert_eq!(amount("cpu", 1500), "1500m");
        assert_eq!(amount("cpu", 3000), "3");
        assert_eq!(amount("memory", 2 * gi), "2Gi");
        assert_eq!(amount("memory", gi / 2), "512Mi");
        assert_eq!(amount("nvidia.com/gpu", 2000), "2");
    }

    #[test]
    fn the_largest_init_container_counts_where_it_asks_for_more() {
        let spec: PodSpec = serde_json::from_str(
            r#"{"initContainers":[{"name":"load","resources":{"requests":{"cpu":"8"}}},{"name":"side","restartPolicy":"Always","resources":{"requests":{"cpu":"1"}}}],
                "containers":[{"name":"a","resources":{"requests":{"cpu":"2"}}},{"name":"b","resources":{"limits":{"cpu":"3"}}}]}"#,
        )
        .unwrap();
        let ask = asked(&spec, "cpu").unwrap();
        assert_eq!((ask.milli, ask.text.as_str(), ask.container.as_str(), ask.init), (8000, "8", "load", true));
        let mut less = spec.clone();
        less.init_containers.remove(0);
        let ask = asked(&less, "cpu").unwrap();
        assert_eq!(
            (ask.milli, ask.text.as_str(), ask.container.as_str(), ask.list),
            (6000, "1 + 2 + 3", "b", "limits")
        );
    }
}
