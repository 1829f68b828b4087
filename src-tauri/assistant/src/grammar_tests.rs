//! The grammar says what it should; the worker's own tests show that llama.cpp takes it.

use super::*;

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

const SMALL: Bounds = Bounds { statements: 3, chars: 80 };

#[test]
fn only_ids_that_exist_can_be_named() {
    let shape = statements(&ids(&["E1", "C2", "E3\" | x", "evil"]), SMALL);
    assert!(shape.grammar.contains(r#"id ::= "\"E1\"" | "\"C2\"" | "\"T\"""#), "{}", shape.grammar);
    assert!(!shape.grammar.contains("evil"));
    assert_eq!(
        shape.schema["properties"]["statements"]["items"]["properties"]["cites"]["items"]["enum"],
        json!(["E1", "C2", "T"])
    );
}

#[test]
fn every_rule_that_is_used_is_there_and_every_step_comes_at_most_once() {
    let shape = steps(&ids(&["A1", "A2", "A3"]), &ids(&["E1"]), SMALL);
    let names: Vec<&str> = shape.grammar.lines().filter_map(|l| l.split_once(" ::= ").map(|(name, _)| name)).collect();
    for line in shape.grammar.lines() {
        let (_, body) = line.split_once(" ::= ").unwrap_or_else(|| panic!("{line}"));
        // What stands outside of literals and classes are names of rules, signs and counts.
        let mut outside = String::new();
        let (mut literal, mut class, mut escaped) = (false, false, false);
        for c in body.chars() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' if !class => literal = !literal,
                '[' if !literal => class = true,
                ']' if !literal => class = false,
                c if !literal && !class => outside.push(c),
                _ => {}
            }
        }
        for word in outside.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| w.starts_with(char::is_alphabetic)) {
            assert!(names.contains(&word), "{word} is used in {line}");
        }
    }
    // From what is left without the second step, the second step cannot be reached again.
    let left: Vec<&str> = shape.grammar.lines().filter(|l| l.starts_with("left5 ::=")).collect();
    assert_eq!(left, [r#"left5 ::= a0 tail ("," left4)? | a2 tail ("," left1)?"#]);
    assert_eq!(shape.schema["properties"]["steps"]["maxItems"], 3);
}

#[test]
fn an_output_always_ends_before_it_would_be_cut() {
    let shape = statements(&ids(&["E1", "E100"]), SMALL);
    // The longest output: every statement with all its characters and four of the longest ids.
    let one = r#"{"text":"","cites":["E100","E100","E100","E100"]},"#.len() + SMALL.chars;
    assert!(shape.max_tokens as usize >= SMALL.statements * one + r#"{"statements":[]}"#.len());
    assert!(shape.grammar.contains("ch{1,80}") && shape.grammar.contains("{0,2}"));
}
