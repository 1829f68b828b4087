//! Sections that were worded anew.

use afterwatch_core::writing::{Author, Section, Standing, Statement, Writing};
use afterwatch_report::worded;

use crate::sample::incident;

fn statement(text: &str, cites: &[&str], standing: Standing) -> Statement {
    Statement { text: text.to_owned(), cites: cites.iter().map(|id| (*id).to_owned()).collect(), standing }
}

fn writing(statements: Vec<Statement>) -> Writing {
    Writing { author: Author::Rules, statements, actions: Vec::new(), figures: None, instead: None }
}

#[test]
fn what_is_tied_is_cited_what_is_not_is_marked_and_what_was_struck_is_left_out() {
    let writing = writing(vec![
        statement("It was killed for memory.", &["E1", "E99", "E2"], Standing::Tied),
        statement("Users noticed", &[], Standing::NotEstablished("Nothing says it.".into())),
        statement("The disk was full.", &["E3"], Standing::Struck("It was ruled out.".into())),
        statement("Mara acknowledged it.", &[], Standing::Tied),
    ]);
    let text = worded(&incident(), Section::RootCause, &writing);
    assert_eq!(
        text,
        "It was killed for memory [E1, E2].\n*Not established:* Users noticed.\nMara acknowledged it [timeline].\n"
    );
    let text = worded(&incident(), Section::Impact, &writing);
    assert_eq!(
        text,
        "- It was killed for memory [E1, E2].\n- *Not established:* Users noticed.\n- Mara acknowledged it [timeline].\n"
    );
}

#[test]
fn action_items_are_a_table_that_no_text_can_break() {
    let writing = writing(vec![
        statement("Raise the limit | now", &["A1"], Standing::Tied),
        statement("Alert on restarts.", &["E1"], Standing::Tied),
    ]);
    let text = worded(&incident(), Section::ActionItems, &writing);
    let rows: Vec<&str> = text.lines().skip(2).collect();
    assert_eq!(
        rows,
        [
            r"| Repair | Raise the limit \| now [A1] | no owner yet | no date | proposed |",
            "| Follow up | Alert on restarts [E1] | no owner yet | no date | proposed |",
        ]
    );
}

#[test]
fn a_section_of_which_nothing_is_left_says_so() {
    let struck = statement("It was the moon.", &[], Standing::Struck("Nothing says it.".into()));
    let text = worded(&incident(), Section::Summary, &writing(vec![struck]));
    assert!(text.starts_with("*Not established:*"), "{text}");
}
