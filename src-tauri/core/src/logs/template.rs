//! Grouping lines that differ only in numbers, ids and quoted values.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// A group of lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// The common text, with `*` where lines differ.
    pub text: String,
    pub count: usize,
    /// Index of the first and the last line of the group.
    pub first: usize,
    pub last: usize,
}

/// The line with what varies replaced by `*`.
pub fn template(line: &str) -> String {
    static VARIES: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"\b[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}\b|\b0x[0-9a-fA-F]+\b|\b[0-9a-fA-F]{12,}\b|\d+(?:[.:,]\d+)*|"[^"]*"|'[^']*'"#).ok()
    });
    let message = super::message(line);
    match VARIES.as_ref() {
        Some(r) => r.replace_all(&message, "*").into_owned(),
        None => message,
    }
}

/// The groups of a log, in order of first appearance.
pub fn templates(lines: &[String]) -> Vec<Template> {
    let mut at: HashMap<String, usize> = HashMap::new();
    let mut out: Vec<Template> = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let text = template(line);
        match at.get(&text) {
            Some(&k) => {
                out[k].count += 1;
                out[k].last = i;
            }
            None => {
                at.insert(text.clone(), out.len());
                out.push(Template { text, count: 1, first: i, last: i });
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::templates;

    #[test]
    fn lines_that_differ_in_numbers_are_one_group() {
        let lines: Vec<String> =
            ["took 12 ms", "took 7 ms", "user \"a\" left", "user \"b\" left", "bye"].map(String::from).to_vec();
        let groups: Vec<(String, usize)> = templates(&lines).into_iter().map(|t| (t.text, t.count)).collect();
        assert_eq!(groups, [("took * ms".into(), 2), ("user * left".into(), 2), ("bye".into(), 1)]);
    }
}
