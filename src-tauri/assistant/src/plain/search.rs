//! Looks the terms of a question up in the record.

use std::{cmp::Reverse, collections::BTreeSet};

use afterwatch_core::{words, writing::Statement};

use crate::record::Record;

/// Rows that are told, at most.
const ROWS: usize = 3;
/// Characters of a line that are quoted.
const QUOTE: usize = 220;

/// Words that ask rather than name something.
const STOP: &[&str] = &[
    "the", "a", "an", "is", "are", "was", "were", "be", "been", "did", "do", "does", "of", "in", "on", "at", "to",
    "for", "from", "by", "with", "and", "or", "not", "no", "it", "its", "this", "that", "these", "those", "there",
    "what", "which", "when", "where", "how", "why", "who", "whom", "whose", "many", "much", "any", "some", "all", "i",
    "we", "you", "they", "he", "she", "me", "my", "our", "your", "can", "could", "should", "would", "will", "has",
    "have", "had", "about", "tell", "show", "give", "say", "says", "said", "know", "please", "than", "then", "as",
    "if", "so", "just", "before", "after", "during", "see", "seen", "used", "use", "get", "got", "out", "up", "down",
];

/// A line of the record that can be told.
struct Row {
    text: String,
    /// What is searched: more than what is told.
    in_full: String,
    ids: Vec<String>,
}

/// The best rows for the question's terms; none when nothing fits.
pub(super) fn rows(r: &Record<'_>, asked: &str) -> Vec<Statement> {
    let terms = terms(asked);
    if terms.is_empty() {
        return Vec::new();
    }
    let rows = all(r);
    // A term that is everywhere tells nothing: what is rare weighs more.
    let weight: Vec<(String, f64)> = terms
        .into_iter()
        .map(|term| {
            let found = rows.iter().filter(|row| has(&row.in_full, &term)).count();
            let weight = if found == 0 { 0.0 } else { (1.0 + rows.len() as f64 / found as f64).ln() };
            (term, weight)
        })
        .collect();
    // Most of what is asked must be there: one common word in it is no answer.
    let known = weight.iter().filter(|(_, w)| *w > 0.0).count();
    if known == 0 || known * 2 < weight.len() {
        return Vec::new();
    }
    let score = |row: &Row| weight.iter().filter(|(t, _)| has(&row.in_full, t)).map(|(_, w)| w).sum::<f64>();
    let mut found: Vec<(f64, usize)> = rows.iter().enumerate().map(|(n, row)| (score(row), n)).collect();
    found.retain(|(score, _)| *score > 0.0);
    found.sort_by_key(|(score, n)| (Reverse((score * 1000.0) as i64), *n));
    let best = found.first().map_or(0.0, |(score, _)| *score);
    let mut out: Vec<Statement> = Vec::new();
    for (score, n) in found.into_iter().take(ROWS * 3) {
        if score < best * 0.6 || out.len() == ROWS {
            break;
        }
        let row = &rows[n];
        let line = telling_line(&row.in_full, &weight).filter(|line| !row.text.contains(line.as_str()));
        let text = match line {
            Some(line) => format!("{} (“{}”)", row.text.trim_end_matches('.'), words::clip(&line, QUOTE)),
            None => row.text.clone(),
        };
        let statement = r.recorded(&text, &row.ids);
        if !out.contains(&statement) {
            out.push(statement);
        }
    }
    out
}

fn all(r: &Record<'_>) -> Vec<Row> {
    let i = r.incident;
    let mut rows: Vec<Row> = Vec::new();
    for e in &i.evidence {
        let in_full = format!("{}\n{}\n{}", e.draft.summary, e.draft.object.key(), e.draft.excerpt);
        rows.push(Row { text: e.draft.summary.clone(), in_full, ids: vec![e.id.clone()] });
    }
    for c in &i.changes {
        let paths: Vec<&str> = c.change.fields.iter().map(|f| f.path.as_str()).collect();
        let text = r.change(c);
        rows.push(Row { in_full: format!("{text}\n{}", paths.join("\n")), text, ids: vec![c.id.clone()] });
    }
    for f in &i.findings {
        rows.push(Row { in_full: f.message.clone(), text: f.message.clone(), ids: f.evidence.clone() });
    }
    for o in &i.ruled_out {
        let before = if o.result == "no" { "Ruled out" } else { "Could not be checked" };
        let text = format!("{before}: {}", o.statement);
        rows.push(Row { in_full: text.clone(), text, ids: o.evidence.clone() });
    }
    for a in i.advised() {
        let text = format!("{}: {}", crate::record::action_name(a), a.draft.because);
        rows.push(Row { in_full: format!("{text}\n{}", a.draft.command), text, ids: vec![a.id.clone()] });
    }
    for e in &i.timeline {
        let text = format!("{}: {}", r.time(e.at), e.text);
        rows.push(Row { in_full: text.clone(), text, ids: e.evidence.clone() });
    }
    rows
}

/// The line of the excerpt that has most of the terms.
fn telling_line(in_full: &str, weight: &[(String, f64)]) -> Option<String> {
    let score = |line: &str| weight.iter().filter(|(t, _)| has(line, t)).map(|(_, w)| (w * 1000.0) as i64).sum::<i64>();
    let best = in_full.lines().skip(2).map(|line| (score(line), line)).filter(|(s, _)| *s > 0).max_by_key(|(s, _)| *s);
    best.map(|(_, line)| line.trim().to_owned())
}

/// The words of the question that name something, each once.
fn terms(asked: &str) -> BTreeSet<String> {
    asked
        .split(|c: char| !(c.is_alphanumeric() || "-._/:=".contains(c)))
        .map(|word| word.trim_matches(['.', ':', '-', '/', '_', '=']))
        .filter(|word| word.chars().count() > 1 && !STOP.contains(word))
        .map(stem)
        .collect()
}

/// Without the endings that do not change what is meant.
fn stem(word: &str) -> String {
    for ending in ["ing", "ed", "es", "s"] {
        if let Some(stem) = word.strip_suffix(ending)
            && stem.len() >= 4
            && word.bytes().all(|b| b.is_ascii_lowercase())
        {
            return stem.to_owned();
        }
    }
    word.to_owned()
}

/// Whether a word of the text begins with the term, or the term is written together where people divide it.
fn has(text: &str, term: &str) -> bool {
    let text = text.to_lowercase();
    text.match_indices(term).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric()) || term.len() >= 5
    })
}
