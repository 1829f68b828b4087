//! Full text over incidents, their evidence, timelines and notes.

use rusqlite::{OptionalExtension, Transaction};

use crate::error::Fail;

/// A condition on `incidents i` with one parameter from [`words`]: the word occurs in some part of the incident.
/// Words are looked for one by one, since one may stand in the notes and another in the title.
pub(crate) const CONTAINS: &str = " AND i.row IN (SELECT d.incident FROM search s JOIN search_documents d
     ON d.row = s.rowid WHERE s.text MATCH ?)";

/// Indexes a part of an incident, in place of what was indexed under that name.
pub(crate) fn put(tx: &Transaction<'_>, incident: i64, part: &str, text: &str) -> Result<(), Fail> {
    let known: Option<i64> = tx
        .prepare_cached("SELECT row FROM search_documents WHERE incident = ?1 AND part = ?2")?
        .query_row((incident, part), |row| row.get(0))
        .optional()?;
    let document = match known {
        Some(document) => {
            tx.prepare_cached("DELETE FROM search WHERE rowid = ?1")?.execute([document])?;
            document
        }
        None => tx
            .prepare_cached("INSERT INTO search_documents (incident, part) VALUES (?1, ?2) RETURNING row")?
            .query_row((incident, part), |row| row.get(0))?,
    };
    tx.prepare_cached("INSERT INTO search (rowid, text) VALUES (?1, ?2)")?.execute((document, text))?;
    Ok(())
}

/// What a person typed as FTS5 phrases that cannot be a syntax error, one per word. The last one matches beginnings,
/// since it is probably still being typed.
pub(crate) fn words(typed: &str) -> Vec<String> {
    // The parser of the query ends at a NUL; other control characters are no part of a word either.
    let clean: String = typed.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    // A phrase without a letter or digit matches nothing at all.
    let mut words: Vec<String> = clean
        .split_whitespace()
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .map(|word| format!("\"{}\"", word.replace('"', "\"\"")))
        .collect();
    if let Some(last) = words.last_mut() {
        last.push('*');
    }
    words
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn typed_text_becomes_quoted_words_and_the_last_one_a_prefix() {
        assert_eq!(words("out  of mem"), ["\"out\"", "\"of\"", "\"mem\"*"]);
        assert_eq!(words("say \"NOT\" - AND("), ["\"say\"", "\"\"\"NOT\"\"\"", "\"AND(\"*"]);
        assert_eq!(words("a\0b"), ["\"a\"", "\"b\"*"]);
        assert!(words(" - ** \" ").is_empty());
    }
}
