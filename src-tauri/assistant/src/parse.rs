//! What a model wrote, read leniently: an output that was cut off, or has words around it, still has whole statements.

use serde::Deserialize;

use crate::{check::Draft, pack::neutral};

/// Characters of a statement that are kept.
const TEXT: usize = 600;
/// Statements that are kept.
const STATEMENTS: usize = 24;

#[derive(Deserialize)]
struct Part {
    text: String,
    #[serde(default)]
    cites: Vec<String>,
    #[serde(default)]
    action: Option<String>,
}

/// A statement with the step it is about, where it is about one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub action: Option<String>,
    pub draft: Draft,
}

/// The whole statements of an output, in their order.
pub(crate) fn parse(output: &str) -> Vec<Written> {
    let mut out = Vec::new();
    for object in objects(output) {
        let Ok(part) = serde_json::from_str::<Part>(object) else { continue };
        let text = tidy(&part.text);
        if text.is_empty() {
            continue;
        }
        let mut cites: Vec<String> = Vec::new();
        for id in part.cites {
            let id = id.trim().trim_matches(['[', ']']).to_owned();
            if !id.is_empty() && id.len() <= 12 && !cites.contains(&id) {
                cites.push(id);
            }
        }
        out.push(Written { action: part.action, draft: Draft { text, cites } });
        if out.len() == STATEMENTS {
            break;
        }
    }
    out
}

/// A model's text as it may be shown: one line, harmless, without marks of a page, ended.
pub(crate) fn tidy(text: &str) -> String {
    let text = neutral::line(text, TEXT);
    let text: String = text
        .chars()
        .map(|c| match c {
            '`' => '\'',
            '<' => '‹',
            '>' => '›',
            '[' => '(',
            ']' => ')',
            c => c,
        })
        .collect();
    let text = text.replace("!(", "(").replace(")(", ") (");
    crate::record::sentence(text.trim())
}

/// The innermost objects of a text that are whole.
fn objects(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let (mut string, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match (string, c) {
            (true, _) if escaped => escaped = false,
            (true, '\\') => escaped = true,
            (true, '"') => string = false,
            (true, _) => {}
            (false, '"') => string = !open.is_empty(),
            (false, '{') => open.push(at),
            (false, '}') => {
                if let Some(from) = open.pop() {
                    out.push(&text[from..=at]);
                }
            }
            (false, _) => {}
        }
    }
    out
}

/// The words of an output as it comes: the values of `text` alone, never ids or JSON.
#[derive(Debug, Default)]
pub(crate) struct Words {
    /// The last string that was no value, or the key of the value that is being read.
    key: String,
    string: Option<bool>,
    value_follows: bool,
    escape: Option<String>,
    any: bool,
}

impl Words {
    /// More of the output; returns more of the words.
    pub fn more(&mut self, piece: &str) -> String {
        let mut out = String::new();
        for c in piece.chars() {
            match (self.string, c) {
                (Some(shown), c) if self.escape.is_some() => self.unescape(c, shown, &mut out),
                (Some(_), '\\') => self.escape = Some(String::new()),
                (Some(_), '"') => self.string = None,
                (Some(true), c) => show(c, &mut out),
                (Some(false), c) => {
                    if self.key.len() < 64 {
                        self.key.push(c);
                    }
                }
                (None, '"') => {
                    let shown = self.value_follows && self.key == "text";
                    if shown && self.any {
                        out.push(' ');
                    }
                    self.any |= shown;
                    if !shown {
                        self.key.clear();
                    }
                    self.string = Some(shown);
                    self.value_follows = false;
                }
                (None, ':') => self.value_follows = true,
                (None, ',' | '{' | '[' | ']' | '}') => {
                    self.value_follows = false;
                    if c != ',' {
                        self.key.clear();
                    }
                }
                (None, _) => {}
            }
        }
        out
    }

    fn unescape(&mut self, c: char, shown: bool, out: &mut String) {
        let Some(so_far) = self.escape.as_mut() else { return };
        so_far.push(c);
        let read = match so_far.as_str() {
            "n" | "t" | "r" | "b" | "f" => Some(' '),
            s if s.starts_with('u') && s.len() < 5 => None,
            s if s.starts_with('u') => {
                Some(u32::from_str_radix(&s[1..], 16).ok().and_then(char::from_u32).unwrap_or('\u{fffd}'))
            }
            _ => Some(c),
        };
        if let Some(read) = read {
            self.escape = None;
            if shown {
                show(read, out);
            }
        }
    }
}

fn show(c: char, out: &mut String) {
    match c {
        '<' => out.push('‹'),
        '>' => out.push('›'),
        c if c.is_control() || neutral::hidden(c) => out.push('\u{fffd}'),
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str =
        r#"{"statements":[{"text":"It was \"killed\".","cites":["E1","E2"]},{"text":"helm did it","cites":["C1"]}]}"#;

    #[test]
    fn whole_statements_are_read_and_a_cut_one_is_left() {
        let all = parse(WHOLE);
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].draft.text, "It was \"killed\".");
        assert_eq!(all[1].draft.text, "helm did it.");
        assert_eq!(all[1].draft.cites, ["C1"]);
        for end in 0..WHOLE.len() {
            assert!(parse(&WHOLE[..end]).len() <= 2);
        }
        assert_eq!(parse(&WHOLE[..WHOLE.len() - 12]).len(), 1);
        assert_eq!(parse(&format!("Here you are:\n```json\n{WHOLE}\n```")).len(), 2);
        assert!(parse("no JSON at all { \"").is_empty());
    }

    #[test]
    fn words_come_without_json_and_ids_however_the_pieces_are_cut() {
        for size in [1, 2, 3, 7, 1000] {
            let mut words = Words::default();
            let chars: Vec<char> = WHOLE.chars().collect();
            let said: String = chars.chunks(size).map(|piece| words.more(&piece.iter().collect::<String>())).collect();
            assert_eq!(said, "It was \"killed\". helm did it", "in pieces of {size}");
        }
        let mut words = Words::default();
        assert_eq!(words.more(r#"{"steps":[{"action":"A1","text":"a\u003cb\n","cites":["text"]}"#), "a‹b ");
    }

    #[test]
    fn a_models_marks_of_a_page_mean_nothing() {
        let text = tidy("![x](http://a/b.png) <img src=x> `code` [click](javascript:x)");
        assert!(!text.contains(['[', ']', '<', '>', '`']), "{text}");
        assert!(!text.contains(")("), "{text}");
    }
}
