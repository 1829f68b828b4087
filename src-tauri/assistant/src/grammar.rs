//! What a model may write: a grammar for the worker and a schema for a server, of the same JSON, built for one
//! incident with the ids that exist. Everything is bounded, so that every output ends.

use serde_json::{Value, json};

/// Steps that are offered, at most: the grammar has a rule for each set of what is left.
pub(crate) const STEPS: usize = 5;
/// Citations of a statement, at most.
const CITES: usize = 4;
/// Stands for the timeline, the incident's moments and the gaps, which have no id of their own.
pub(crate) const TIMELINE: &str = "T";

/// How much may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub statements: usize,
    /// Characters of a statement.
    pub chars: usize,
}

/// The shape of an output.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shape {
    pub grammar: String,
    pub schema: Value,
    /// More than the longest output takes, at a token a character.
    pub max_tokens: u32,
}

const CHARS: &str = r#"ch ::= [^"\\\x00-\x1F\x7F-\x9F<>`\u200B-\u200F\u2028-\u202E\u2060-\u206F\uFEFF]"#;

/// `{"statements":[{"text":"…","cites":["E1"]},…]}`; a statement cites something, or says that it is not established.
pub(crate) fn statements(ids: &[String], bounds: Bounds) -> Shape {
    let ids = with_timeline(ids);
    let grammar = format!(
        "root ::= \"{{\\\"statements\\\":[\" st (\",\" st){{0,{more}}} \"]}}\"\n\
         st ::= \"{{\\\"text\\\":\\\"\" ( none | ch{{1,{chars}}} {cites_part} )\n\
         none ::= {none}\n{id}\n{CHARS}\n",
        more = bounds.statements.saturating_sub(1),
        chars = bounds.chars,
        cites_part = cites_part(),
        none = literal(&format!("{}\",\"cites\":[]}}", crate::plain::NOT_ESTABLISHED)),
        id = id_rule(&ids),
    );
    let schema = json!({
        "type": "object",
        "properties": {"statements": {
            "type": "array", "minItems": 1, "maxItems": bounds.statements,
            "items": {
                "type": "object",
                "properties": {
                    "text": {"type": "string", "minLength": 1, "maxLength": bounds.chars},
                    "cites": {"type": "array", "minItems": 0, "maxItems": CITES, "items": {"enum": ids}},
                },
                "required": ["text", "cites"], "additionalProperties": false,
            },
        }},
        "required": ["statements"], "additionalProperties": false,
    });
    Shape { grammar, schema, max_tokens: longest(bounds) }
}

/// `{"steps":[{"action":"A1","text":"…","cites":["E1"]},…]}` with the offered steps, each at most once, in any order.
pub(crate) fn steps(actions: &[String], ids: &[String], bounds: Bounds) -> Shape {
    let ids = with_timeline(ids);
    let actions = &actions[..actions.len().min(STEPS)];
    let mut rules = String::new();
    let all = (1u32 << actions.len()) - 1;
    for left in 1..=all {
        let ways: Vec<String> = (0..actions.len())
            .filter(|n| left & (1 << n) != 0)
            .map(|n| {
                let rest = left & !(1 << n);
                let more = if rest == 0 { String::new() } else { format!(" (\",\" left{rest})?") };
                format!("a{n} tail{more}")
            })
            .collect();
        rules.push_str(&format!("left{left} ::= {}\n", ways.join(" | ")));
    }
    for (n, action) in actions.iter().enumerate() {
        let begin = literal(&format!("{{\"action\":\"{action}\",\"text\":\""));
        rules.push_str(&format!("a{n} ::= {begin}\n"));
    }
    let grammar = format!(
        "root ::= \"{{\\\"steps\\\":[\" left{all} \"]}}\"\n{rules}tail ::= ch{{1,{chars}}} {part}\n{id}\n{CHARS}\n",
        chars = bounds.chars,
        part = cites_part(),
        id = id_rule(&ids),
    );
    let schema = json!({
        "type": "object",
        "properties": {"steps": {
            "type": "array", "minItems": 1, "maxItems": actions.len(),
            "items": {
                "type": "object",
                "properties": {
                    "action": {"enum": actions},
                    "text": {"type": "string", "minLength": 1, "maxLength": bounds.chars},
                    "cites": {"type": "array", "minItems": 1, "maxItems": CITES, "items": {"enum": ids}},
                },
                "required": ["action", "text", "cites"], "additionalProperties": false,
            },
        }},
        "required": ["steps"], "additionalProperties": false,
    });
    Shape { grammar, schema, max_tokens: longest(Bounds { statements: actions.len(), ..bounds }) }
}

fn longest(bounds: Bounds) -> u32 {
    // The text at a token a character, keys and ids beside it, and what encloses all.
    let one = bounds.chars + 60;
    u32::try_from(bounds.statements * one + 40).unwrap_or(u32::MAX)
}

fn with_timeline(ids: &[String]) -> Vec<String> {
    let mut out: Vec<String> = ids.iter().filter(|id| is_id(id)).cloned().collect();
    out.push(TIMELINE.to_owned());
    out
}

/// A letter and a number, so that an id can never be grammar.
fn is_id(id: &str) -> bool {
    let digits = id.strip_prefix(['E', 'C', 'A']).unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

fn cites_part() -> String {
    format!("{} id (\",\" id){{0,{}}} \"]}}\"", literal("\",\"cites\":["), CITES - 1)
}

fn id_rule(ids: &[String]) -> String {
    let ways: Vec<String> = ids.iter().map(|id| literal(&format!("\"{id}\""))).collect();
    format!("id ::= {}", ways.join(" | "))
}

/// A text as a literal of the grammar.
fn literal(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
#[path = "grammar_tests.rs"]
mod tests;
