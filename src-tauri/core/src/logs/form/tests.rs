//! No form may be dead: each is tried on lines made from its own pattern.

use std::{cell::RefCell, collections::HashMap, iter::Peekable, str::Chars};

use super::*;

#[test]
fn every_form_compiles_and_every_key_is_in_lower_case() {
    for (family, _) in &COMPILED.families {
        for (class, _, pattern) in family.forms {
            assert!(compile(pattern).is_ok(), "{class:?}: {:?}", compile(pattern).err());
        }
        for key in family.keys {
            assert_eq!(*key, key.to_lowercase());
        }
    }
    assert_eq!(COMPILED.keys.len(), COMPILED.leads.len());
}

/// Every alternative of a pattern stands in one of these lines.
fn lines_of(pattern: &str) -> Vec<String> {
    alternatives(&mut pattern.chars().peekable())
}

/// What fits up to the end of a group, once for each of its branches.
fn alternatives(rest: &mut Peekable<Chars<'_>>) -> Vec<String> {
    let mut branches: Vec<String> = Vec::new();
    let mut row: Vec<Vec<String>> = Vec::new();
    loop {
        match rest.next() {
            None | Some(')') => break,
            Some('|') => branches.extend(joined(&std::mem::take(&mut row))),
            Some('(') => {
                if let Some(item) = group_of(rest) {
                    row.push(repeated(item, rest));
                }
            }
            Some('[') => {
                let item = vec![one_of(rest)];
                row.push(repeated(item, rest));
            }
            Some('\\') => {
                let item = match rest.next() {
                    Some('d') => "1".to_owned(),
                    Some('w' | 'S' | 'D') => "x".to_owned(),
                    Some('s') => " ".to_owned(),
                    Some('b') | None => String::new(),
                    Some(c) => c.to_string(),
                };
                row.push(repeated(vec![item], rest));
            }
            Some('^' | '$') => {}
            Some('.') => row.push(repeated(vec![" ".to_owned()], rest)),
            Some(c) => row.push(repeated(vec![c.to_string()], rest)),
        }
    }
    branches.extend(joined(&row));
    branches
}

/// The inside of a group; `None` for flags alone.
fn group_of(rest: &mut Peekable<Chars<'_>>) -> Option<Vec<String>> {
    if rest.next_if_eq(&'?').is_some() {
        let mut head = String::new();
        for c in rest.by_ref() {
            match c {
                ')' => return None,
                ':' | '>' => break,
                _ => head.push(c),
            }
        }
    }
    Some(alternatives(rest))
}

/// A letter of a class.
fn one_of(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut class = String::from("[");
    while let Some(c) = rest.next() {
        class.push(c);
        match c {
            '\\' => class.extend(rest.next()),
            ']' if class.len() > 2 => break,
            _ => {}
        }
    }
    // What may be anything is a blank, beside which a word can end.
    let first = if class == r"[^\n]" { " " } else { "xX1- '\".:/" };
    let letter = |class: &str| {
        let fits = compile(&format!("^{class}$")).expect("a class");
        let mut letters = first.chars().chain(' '..='~');
        letters.find(|c| fits.is_match(c.to_string().as_bytes())).unwrap_or_else(|| panic!("no letter for {class}"))
    };
    LETTERS.with_borrow_mut(|known| *known.entry(class.clone()).or_insert_with(|| letter(&class))).to_string()
}

thread_local! {
    static LETTERS: RefCell<HashMap<String, char>> = RefCell::default();
}

/// With what the quantifier after it makes of it.
fn repeated(item: Vec<String>, rest: &mut Peekable<Chars<'_>>) -> Vec<String> {
    let out = match rest.peek() {
        Some('?' | '*') => {
            rest.next();
            item.into_iter().chain([String::new()]).collect()
        }
        Some('+') => {
            rest.next();
            item
        }
        Some('{') => {
            let bounds: String = rest.by_ref().skip(1).take_while(|c| *c != '}').collect();
            let least: usize = bounds.split(',').next().and_then(|n| n.parse().ok()).unwrap_or(0);
            item.iter().map(|i| i.repeat(least)).collect()
        }
        _ => return item,
    };
    rest.next_if_eq(&'?');
    out
}

/// One line for each place in the longest list of alternatives.
fn joined(row: &[Vec<String>]) -> Vec<String> {
    let most = row.iter().map(Vec::len).max().unwrap_or(1);
    (0..most).map(|i| row.iter().map(|item| item[i % item.len()].as_str()).collect()).collect()
}

#[test]
fn no_form_is_dead() {
    let mut wrong = Vec::new();
    for (family, regexes) in &COMPILED.families {
        for ((class, _, pattern), regex) in family.forms.iter().zip(regexes) {
            let regex = regex.get_or_init(|| compile(pattern).ok()).as_ref().expect("a form");
            let lines: Vec<String> =
                lines_of(pattern).into_iter().filter(|line| regex.is_match(line.as_bytes())).collect();
            if lines.is_empty() {
                wrong.push(format!("no line is made for {class:?} {pattern}"));
            }
            let mut heard = false;
            for line in &lines {
                let lower = line.to_ascii_lowercase();
                if !family.keys.iter().any(|key| lower.contains(key)) {
                    wrong.push(format!("no key word leads to {class:?}: {line}"));
                }
                heard |= !crate::logs::read(std::slice::from_ref(line)).signals.is_empty();
            }
            if !heard && !lines.is_empty() {
                wrong.push(format!("nothing is heard of {class:?}: {lines:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}
