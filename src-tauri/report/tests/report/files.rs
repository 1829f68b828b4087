//! What leaves as HTML, and as Markdown with its figure.

use afterwatch_core::incident::Incident;
use afterwatch_report::{PageOptions, Review, html_page, markdown, markdown_files};

use crate::sample::{coverage, gap, incident, input};

fn page(incident: &Incident, markdown: &str) -> String {
    let (gaps, coverage) = ([gap()], coverage());
    html_page(&input(incident, &gaps, &coverage), markdown, &PageOptions::default())
}

fn whole() -> String {
    let (one, gaps, coverage) = (incident(), [gap()], coverage());
    page(&one, &markdown(&input(&one, &gaps, &coverage)))
}

#[test]
fn the_page_needs_nothing_from_anywhere() {
    let html = whole();
    assert!(html.contains("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';"));
    let body = &html[html.find("<body>").unwrap()..];
    for outside in [
        "<script", "<img", "<link", "<iframe", "<object", " src=", "url(", "@import", " style=", " onload", "http:",
        "https:",
    ] {
        let found = body.replace("http://www.w3.org/2000/svg", "");
        assert!(!found.contains(outside), "{outside}");
    }
    assert!(!html.contains("@import") && !html.contains("url("));
}

#[test]
fn ids_lead_to_the_appendix_and_back() {
    let html = page(&incident(), "## Summary\n\nKilled [E1, E2]. Again [E1].\n");
    assert_eq!(html.matches("href=\"#item-E1\"").count(), 2);
    assert_eq!(html.matches("id=\"use-E1\"").count(), 1, "one place to come back to");
    for id in ["E1", "E2", "E3", "C1", "A1"] {
        assert_eq!(html.matches(&format!("id=\"item-{id}\"")).count(), 1, "{id}");
    }
    assert!(html.contains("href=\"#use-E2\""));
    assert!(!html.contains("href=\"#use-E3\""), "nothing mentions it");
    // No link leads nowhere.
    for link in whole().split("href=\"#").skip(1) {
        let target = &link[..link.find('"').unwrap()];
        assert!(whole().contains(&format!("id=\"{target}\"")), "{target}");
    }
}

#[test]
fn the_page_holds_the_same_as_the_pdf() {
    let html = whole();
    for expected in [
        "<dt>Time to resolve (MTTR)</dt><dd>29 m 8 s</dd>",
        "<tr class=\"gap\"><td>03:04:10</td>",
        "<span class=\"framed\">trigger</span>",
        "<span class=\"framed dashed\">reconstructed</span>",
        "<svg role=\"img\" aria-label=\"Time axis of the incident: 2 changes and 2 symptoms since 02:56:12; not recorded",
        "<span class=\"removed\">- limits.memory: 512Mi</span>",
        "<span class=\"unknown\"><em>Not established:</em> how many requests",
        "Draft of 12 November 2026",
    ] {
        assert!(html.contains(expected), "{expected}");
    }
}

#[test]
fn hostile_text_stays_text() {
    let mut one = incident();
    one.title = "</title><script>alert(1)</script>".into();
    one.subject.name = "\"><svg onload=alert(1)>".into();
    one.changes[0].change.summary = "</text></svg><script>x</script>".into();
    one.evidence[0].draft.excerpt = "</code></pre><img src=x onerror=alert(1)>".into();
    one.evidence[0].draft.summary = "<b>".into();
    let html = page(
        &one,
        "# <script>\n\n## <img src=x>\n\n<iframe src=x>\n\n[x](https://a.b/\"onclick=\"y) [y](javascript:z)\n\n| <b> |\n| - |\n| <i onclick=x> |\n",
    );
    let body = &html[html.find("</style>").unwrap()..];
    for active in ["<script", "<img", "<iframe", "<b>", "<i ", "<svg onload", "\"onclick", "href=\"javascript"] {
        assert!(!body.contains(active), "{active} in {body}");
    }
}

#[test]
fn the_figure_says_in_words_what_it_shows_and_reads_in_grey() {
    let html = whole();
    let svg = &html[html.find("<svg").unwrap()..html.find("</svg>").unwrap()];
    // What hurt is thick, what was well is thin, what is unknown is dotted: the forms differ, not only the colours.
    assert!(svg.contains("class=\"bar crit\"") && svg.contains("stroke-width=\"6\""));
    assert!(svg.contains("class=\"bar ok\"") && svg.contains("stroke-width=\"2.5\""));
    assert!(svg.contains("stroke-dasharray=\"1.75 3\""));
    assert_eq!(svg.matches("class=\"mark\"").count(), 3, "two changes, and one symptom put together afterwards");
    assert_eq!(svg.matches("class=\"tick\"").count(), 1);
    assert!(svg.contains("class=\"hatch\""));
    assert!(svg.contains(">limits.memory 512Mi to 192Mi</text>"));
}

#[test]
fn markdown_leaves_with_its_figure_beside_it() {
    let (one, gaps, coverage) = (incident(), [gap()], coverage());
    let input = input(&one, &gaps, &coverage);
    let text = markdown(&input);
    let options = PageOptions { review: Review::InReview, ..PageOptions::default() };
    let files = markdown_files(&input, &text, &options, true);
    assert_eq!(
        files.iter().map(|f| &f.name[..]).collect::<Vec<_>>(),
        ["INC-47-checkout.md", "INC-47-checkout-figure.svg"]
    );
    let page = String::from_utf8(files[0].bytes.clone()).unwrap();
    assert!(page.starts_with("---\ntitle: \"checkout in shop keeps running out of memory\"\nid: \"INC-47\"\nseverity: \"critical\"\nstate: \"resolved\"\nstarted: 2026-11-12T01:56:12Z\n"), "{page}");
    assert!(page.contains("\nstatus: \"Draft, in review\"\n---\n\n# INC-47: checkout"), "{page}");
    let picture = page.find("](INC-47-checkout-figure.svg)").unwrap();
    assert!(page.find("## Impact").unwrap() < picture && picture < page.find("## Timeline").unwrap());
    let svg = String::from_utf8(files[1].bytes.clone()).unwrap();
    assert!(svg.starts_with("<svg xmlns=") && svg.trim_end().ends_with("</svg>"));
    // Without the figure's lines and the facts it is the text itself.
    let plain = markdown_files(&input, &text, &options, false).remove(0);
    let plain = String::from_utf8(plain.bytes).unwrap();
    let kept: Vec<&str> = plain.lines().filter(|l| !l.starts_with("![") && !l.starts_with("*Figure 1")).collect();
    let expected: Vec<&str> = text.lines().collect();
    assert_eq!(
        kept.into_iter().filter(|l| !l.is_empty()).collect::<Vec<_>>(),
        expected.into_iter().filter(|l| !l.is_empty()).collect::<Vec<_>>()
    );
}

#[test]
fn front_matter_cannot_be_broken_out_of() {
    let mut one = incident();
    one.title = "x\"\n---\nevil: true # \\".into();
    let page = markdown_files(&input(&one, &[], &[]), "# x\n", &PageOptions::default(), true).remove(0);
    let page = String::from_utf8(page.bytes).unwrap();
    assert!(page.starts_with("---\ntitle: \"x\\\" --- evil: true # \\\\\"\nid:"), "{page}");
}
