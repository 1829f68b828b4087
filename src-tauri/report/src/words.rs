//! From what was written to Markdown.

use afterwatch_core::writing::{Standing, Writing};

use crate::{cite::is_id, text::inert};

/// The body of a section in the house's form: a statement per line, each with its citations; what is not tied to the
/// record begins with *Not established:*, what the record speaks against is left out. The text is inert, whoever
/// wrote it.
pub fn worded(writing: &Writing) -> String {
    let mut lines: Vec<String> = Vec::new();
    for statement in &writing.statements {
        let text = inert(statement.text.trim().trim_end_matches('.').trim_end());
        if text.is_empty() {
            continue;
        }
        let ids: Vec<&str> = statement.cites.iter().map(String::as_str).filter(|id| is_id(id)).collect();
        let cited = if ids.is_empty() { String::new() } else { format!(" [{}]", ids.join(", ")) };
        match &statement.standing {
            Standing::Struck(_) => {}
            Standing::Tied if !ids.is_empty() => lines.push(format!("{text}{cited}.")),
            Standing::Tied | Standing::NotEstablished(_) => lines.push(format!("*Not established:* {text}{cited}.")),
        }
    }
    if lines.is_empty() {
        return "*Not established:* nothing of what was written is tied to the record.\n".to_owned();
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use afterwatch_core::writing::{Author, Statement};

    use super::*;

    fn writing(statements: &[(&str, &[&str], Standing)]) -> Writing {
        let statement = |(text, cites, standing): &(&str, &[&str], Standing)| Statement {
            text: (*text).into(),
            cites: cites.iter().map(|id| (*id).to_owned()).collect(),
            standing: standing.clone(),
        };
        Writing {
            author: Author::Rules,
            statements: statements.iter().map(statement).collect(),
            actions: vec![],
            figures: None,
            instead: None,
        }
    }

    #[test]
    fn statements_carry_their_citations_and_what_is_struck_is_gone() {
        let text = worded(&writing(&[
            ("The pod was killed.", &["E1", "C2"], Standing::Tied),
            ("Traffic was high", &[], Standing::NotEstablished("cites nothing".into())),
            ("The node failed", &["E1"], Standing::Struck("the record says otherwise".into())),
            ("It says so", &[], Standing::Tied),
        ]));
        assert_eq!(
            text,
            "The pod was killed [E1, C2].\n*Not established:* Traffic was high.\n*Not established:* It says so.\n"
        );
    }

    #[test]
    fn what_a_model_wrote_makes_no_markup_and_no_citation() {
        let text = worded(&writing(&[("# [x](http://y) [E9]\n<b> |", &["E1", "E2](z"], Standing::Tied)]));
        assert_eq!(text, "\\# \\[x\\](http\\://y) \\[E9\\] \\<b> \\| [E1].\n");
    }

    #[test]
    fn a_writing_without_a_statement_says_so() {
        let text = worded(&writing(&[("x", &["E1"], Standing::Struck("no".into()))]));
        assert_eq!(text, "*Not established:* nothing of what was written is tied to the record.\n");
    }
}
