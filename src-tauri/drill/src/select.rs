//! Label and field selectors, as far as kubectl and the product use them.

use serde_json::Value;

/// Conditions that all must hold.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Selector(Vec<Condition>);

#[derive(Debug, PartialEq)]
struct Condition {
    /// From the object's root.
    path: Vec<String>,
    test: Test,
}

#[derive(Debug, PartialEq)]
enum Test {
    Is(Vec<String>),
    IsNot(Vec<String>),
    Exists,
    Missing,
}

impl Selector {
    /// From the query's `labelSelector` and `fieldSelector`.
    pub fn parse(labels: &str, fields: &str) -> Selector {
        let label = |key: &str| vec!["metadata".to_owned(), "labels".to_owned(), key.to_owned()];
        let field = |key: &str| key.split('.').map(str::to_owned).collect();
        let labels = split(labels).into_iter().map(|item| condition(item, &label));
        Selector(labels.chain(split(fields).into_iter().map(|item| condition(item, &field))).collect())
    }

    pub fn holds(&self, object: &Value) -> bool {
        self.0.iter().all(|condition| condition.holds(object))
    }
}

impl Condition {
    fn holds(&self, object: &Value) -> bool {
        let found = self.path.iter().try_fold(object, |value, key| value.get(key));
        // A field that is not there is empty; a label that is not there is none.
        let text = found.map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
        let among = |values: &[String]| values.contains(text.as_ref().unwrap_or(&String::new()));
        match &self.test {
            Test::Is(values) => among(values),
            Test::IsNot(values) => !among(values),
            Test::Exists => found.is_some(),
            Test::Missing => found.is_none(),
        }
    }
}

/// At the commas outside parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut out, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                out.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    out.push(&text[from..]);
    out.into_iter().map(str::trim).filter(|item| !item.is_empty()).collect()
}

fn condition(item: &str, path: &dyn Fn(&str) -> Vec<String>) -> Condition {
    let listed = |list: &str| -> Vec<String> {
        list.trim().trim_matches(['(', ')']).split(',').map(|v| v.trim().to_owned()).collect()
    };
    let one = |value: &str| vec![value.trim().to_owned()];
    let (key, test) = if let Some((key, list)) = item.split_once(" notin ") {
        (key, Test::IsNot(listed(list)))
    } else if let Some((key, list)) = item.split_once(" in ") {
        (key, Test::Is(listed(list)))
    } else if let Some((key, value)) = item.split_once("!=") {
        (key, Test::IsNot(one(value)))
    } else if let Some((key, value)) = item.split_once("==").or_else(|| item.split_once('=')) {
        (key, Test::Is(one(value)))
    } else if let Some(key) = item.strip_prefix('!') {
        (key, Test::Missing)
    } else {
        (item, Test::Exists)
    };
    Condition { path: path(key.trim()), test }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_choose_as_kubectl_means_them() {
        let pod = json!({"metadata": {"name": "a", "labels": {"app": "checkout", "tier/x": "web"}}, "spec": {"nodeName": "n1"}});
        for (labels, fields, holds) in [
            ("", "", true),
            ("app=checkout", "", true),
            ("app==cart", "", false),
            ("app!=cart,tier/x", "", true),
            ("app in (cart, checkout)", "", true),
            ("app notin (cart,checkout)", "", false),
            ("!missing", "spec.nodeName=n1", true),
            ("missing", "", false),
            ("", "metadata.name=a,spec.nodeName!=n1", false),
            ("", "status.phase=", true),
        ] {
            assert_eq!(Selector::parse(labels, fields).holds(&pod), holds, "{labels} {fields}");
        }
    }
}
