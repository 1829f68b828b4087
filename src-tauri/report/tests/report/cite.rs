//! The check of what people write.

use std::time::{Duration, Instant};

use afterwatch_report::{Citing, Shape, citations, markdown_shaped};

use crate::sample::{coverage, gap, incident, input};

/// Each sentence with what it stands on, in one word.
fn check(markdown: &str) -> Vec<(String, &'static str)> {
    citations(markdown, &incident())
        .into_iter()
        .map(|c| {
            let word = match c.citing {
                Citing::Cites(_) => "cites",
                Citing::SaysNotEstablished => "open",
                Citing::Nothing => "nothing",
                Citing::Unknown(_) => "unknown",
            };
            (markdown[c.bytes].to_owned(), word)
        })
        .collect()
}

fn words(markdown: &str) -> Vec<&'static str> {
    check(&format!("## Summary\n\n{markdown}\n")).into_iter().map(|(_, word)| word).collect()
}

#[test]
fn each_sentence_is_told_apart() {
    assert_eq!(words("It was killed [E1]."), ["cites"]);
    assert_eq!(words("It was killed. [E1]"), ["cites"]);
    assert_eq!(words("It was killed [E1, C2] twice. Somebody saw it."), ["cites", "nothing"]);
    assert_eq!(words("It was killed [E99]. Both [E1] and [E98]."), ["unknown", "unknown"]);
    assert_eq!(words("*Not established:* why.\nThe cause is *not established*."), ["open", "open"]);
    assert_eq!(words("Opened at 02:57 [timeline]."), ["cites"]);
    assert_eq!(words("Version 1.2.3 of app.kubernetes.io ran on node-1.example.com [E1]."), ["cites"]);
    assert_eq!(words("One line\nof a sentence that goes on [E2]."), ["cites"]);
    assert_eq!(words("It said “no.” And then it died [E1]!"), ["nothing", "cites"]);
    assert_eq!(words(r"It read \[E1\]."), ["nothing"]);
    assert_eq!(words("`[E1]` is not prose [E1]."), ["cites"]);
    assert_eq!(words("**Established** (5 for, 0 against). The heap grew [E1]."), ["cites"]);
}

#[test]
fn items_of_lists_and_quotes_are_looked_at() {
    assert_eq!(words("- One [E1].\n- Two.\n  - Three [E2]\n\n1. Four"), ["cites", "nothing", "cites", "nothing"]);
    assert_eq!(words("> Quoted without a source."), ["nothing"]);
    assert_eq!(words("What happened:\n\n- One."), ["nothing"], "the line that introduces is none");
    assert_eq!(words("What would settle it:\n\n- request metrics\n\nAfter."), ["nothing"]);
}

#[test]
fn what_states_nothing_is_passed_over() {
    assert!(words("*For the author: what else?*").is_empty());
    assert!(words("```\nIn code.\n```\n\n| a |\n| - |\n| In a table. |\n\n<div>raw</div>").is_empty());
    for heading in
        ["Timeline", "Metrics", "Notes", "Supporting evidence", "What is not known", "Action items", "What went well"]
    {
        assert!(check(&format!("## {heading}\n\nSaid so.\n\n### Below\n\nAnd so.\n")).is_empty(), "{heading}");
    }
    let after = check("## Notes\n\nSaid.\n\n## Impact\n\nHurt.\n");
    assert_eq!(after, [("Hurt.".to_owned(), "nothing")]);
    assert!(check("# Title\n\nWritten by somebody.\n").is_empty());
}

#[test]
fn it_says_where_in_every_count() {
    let text = "## Impact 🔥\n\nÄrger [E1].\nNobody saw it.\n";
    let found = citations(text, &incident());
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].line, found[1].line), (3, 4));
    assert_eq!(&text[found[1].bytes.clone()], "Nobody saw it.");
    let units: Vec<u16> = text.encode_utf16().collect();
    assert_eq!(String::from_utf16(&units[found[1].utf16.clone()]).unwrap(), "Nobody saw it.");
    assert_eq!(found[1].heading, "Impact 🔥");
    assert_eq!(found[0].citing, Citing::Cites(vec!["E1".into()]));
}

#[test]
fn the_templates_own_statements_all_pass() {
    let (one, gaps, coverage) = (incident(), [gap()], coverage());
    for shape in Shape::bundled() {
        let page = markdown_shaped(&input(&one, &gaps, &coverage), &shape).unwrap();
        let found = citations(&page, &one);
        assert!(found.len() >= 15, "{}: {}", shape.name, found.len());
        for c in found {
            let fine = matches!(c.citing, Citing::Cites(_) | Citing::SaysNotEstablished);
            assert!(fine, "{}: {:?} {}", shape.name, c.citing, &page[c.bytes]);
        }
    }
}

#[test]
fn a_long_text_is_checked_between_two_keystrokes() {
    let text = format!("## Summary\n\n{}", "It was killed [E1]. Nobody saw it. It ended [C2].\n\n".repeat(800));
    assert!(text.len() > 40_000);
    let one = incident();
    let best = (0..5).map(|_| {
        let begun = Instant::now();
        assert_eq!(citations(&text, &one).len(), 2400);
        begun.elapsed()
    });
    // Ten times what an optimised build needs at most: this one is not, and the machine may be busy.
    assert!(best.min().unwrap() < Duration::from_millis(100));
}

proptest::proptest! {
    #[test]
    fn any_text_can_be_checked(text in "[a-zA-Z \\n.!?|`*_<>#\\[\\]()E1C2,:\\\\-]{0,160}|(?s).{0,80}") {
        let page = format!("## Summary\n\n{text}");
        let mut last = 0;
        for c in citations(&page, &incident()) {
            proptest::prop_assert!(c.bytes.start >= last && page.get(c.bytes.clone()).is_some());
            last = c.bytes.end;
        }
    }
}
