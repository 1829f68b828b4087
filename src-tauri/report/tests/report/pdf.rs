//! The PDF, read again by the tools of poppler.

use std::{process::Command, sync::OnceLock};

use afterwatch_core::{evidence::Observed, incident::Incident, timeline::EntryKind};
use afterwatch_report::{PageOptions, PdfError, Review, last_moment, markdown, pdf, usual_font_folders};

use crate::sample::{at, coverage, evidence, gap, incident, input};

/// The bytes and what poppler's tools say of them.
struct Read {
    bytes: Vec<u8>,
    file: tempfile::NamedTempFile,
}

impl Read {
    fn run(&self, tool: &str, before: &[&str], after: &[&str]) -> String {
        let out = Command::new(tool).args(before).arg(self.file.path()).args(after).output();
        let out = out.unwrap_or_else(|e| panic!("{tool} of poppler-utils is needed for this test: {e}"));
        assert!(out.status.success(), "{tool}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// The words, on one line with single spaces.
    fn words(&self) -> String {
        self.run("pdftotext", &["-layout"], &["-"]).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn info(&self, name: &str) -> String {
        let info = self.run("pdfinfo", &[], &[]);
        let line = info.lines().find(|l| l.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {info}"));
        line[name.len()..].trim_start_matches(':').trim().to_owned()
    }

    fn pages(&self) -> usize {
        self.info("Pages").parse().unwrap()
    }

    /// How often this stands in the file, where it is not compressed.
    fn count(&self, text: &str) -> usize {
        let spaced = text.replace('/', " /");
        let found = |t: &str| self.bytes.windows(t.len()).filter(|w| *w == t.as_bytes()).count();
        found(text) + found(spaced.trim_start())
    }
}

fn made(incident: &Incident, markdown: &str, options: &PageOptions) -> Read {
    let (gaps, coverage) = ([gap()], coverage());
    let bytes = pdf(&input(incident, &gaps, &coverage), markdown, options, &[]).unwrap();
    let file = tempfile::Builder::new().suffix(".pdf").tempfile().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    Read { bytes, file }
}

fn house(incident: &Incident) -> String {
    let (gaps, coverage) = ([gap()], coverage());
    markdown(&input(incident, &gaps, &coverage))
}

/// The sample as it is, set once for all tests that look at it.
fn sample() -> &'static Read {
    static MADE: OnceLock<Read> = OnceLock::new();
    MADE.get_or_init(|| made(&incident(), &house(&incident()), &PageOptions::default()))
}

fn of(markdown: &str) -> Read {
    made(&incident(), markdown, &PageOptions::default())
}

#[test]
fn the_page_is_a_tagged_archive_that_a_screen_reader_can_read() {
    let pdf = sample();
    assert_eq!(pdf.info("Tagged"), "yes");
    assert_eq!(pdf.info("Title"), "checkout in shop keeps running out of memory");
    assert!(pdf.info("Page size").contains("(A4)"));
    assert_eq!(pdf.info("JavaScript"), "no");
    let meta = pdf.run("pdfinfo", &["-meta"], &[]);
    assert!(meta.contains("<pdfaid:part>2</pdfaid:part>") && meta.contains("<pdfaid:conformance>A"), "{meta}");
    assert!(meta.contains("<pdfuaid:part>1</pdfuaid:part>"), "{meta}");
    let structure = pdf.run("pdfinfo", &["-struct-text"], &[]);
    for tag in ["H1", "H2", "Table", "TH", "Figure", "Link", "L ", "Code"] {
        assert!(structure.contains(tag), "{tag} in {structure}");
    }
}

#[test]
fn every_face_is_embedded_as_a_subset() {
    let fonts = sample().run("pdffonts", &[], &[]);
    let mut faces = 0;
    for line in fonts.lines().skip(2) {
        assert!(line.contains(" yes yes yes "), "{line}");
        assert!(["NotoSerif", "NotoSans", "DejaVuSansMono"].iter().any(|f| line.contains(f)), "{line}");
        faces += 1;
    }
    assert!(faces >= 4, "{fonts}");
}

#[test]
fn the_same_record_gives_the_same_bytes() {
    let one = incident();
    let text = house(&one);
    let first = sample();
    assert_eq!(first.bytes, made(&one, &text, &PageOptions::default()).bytes);
    // Dated by the record and not by the clock, it stays so.
    assert_eq!(last_moment(&one), at("03:25:20"));
    let reviewed = PageOptions { review: Review::Reviewed, ..PageOptions::default() };
    assert_ne!(first.bytes, made(&one, &text, &reviewed).bytes);
}

#[test]
fn the_page_says_what_the_record_says() {
    let pdf = sample();
    let words = pdf.words();
    for expected in [
        "Incident INC-47, prod-eu / shop / Deployment Severity Critical checkout",
        "Started 12 Nov 2026, 02:56:12 Time to detect 53 s",
        "Resolved 03:25:20",
        "Time to resolve (MTTR) 29 m 8 s",
        "Author not named Status Draft, not reviewed",
        "Container app of 3 pods was killed for memory 6 times (since 02:56:12) E1.",
        "Not recorded 03:04:10–03:06:38: API server out of reach",
        "restarts 4 → 6 reconstructed E4",
        "02:56:11.611 WARN Heap 171 MiB used of 384 MiB",
        "- limits.memory: 512Mi",
        "kubectl -n shop rollout undo deployment/checkout",
        "Draft of 12 November 2026",
        "Afterwatch 0.1.0 · times are CET (UTC+01:00) · record",
    ] {
        assert!(words.contains(expected), "{expected} in {words}");
    }
    assert!(!words.contains("For the author"), "what nobody answered is not printed: {words}");
    assert!(!words.contains("What went well"), "nor is its heading");
    assert_eq!(words.matches("Kept at the time and unchanged since").count(), 1, "one appendix: {words}");
    let last = pdf.pages();
    assert!(words.contains(&format!("1 of {last}")) && words.contains(&format!("{last} of {last}")));
}

#[test]
fn what_a_person_wrote_is_what_is_printed() {
    let pdf = of("# INC-47: Checkout was down\n\n| Incident | INC-47 |\n| --- | --- |\n| Author | Mara |\n\n\
                  Before all sections.\n\n## What we saw\n\nA sentence [E1].\n\n1. one\n2. two\n\n## Impact\n\nMuch [E2].\n");
    let words = pdf.words();
    for expected in
        ["Checkout was down", "Author Mara", "Before all sections.", "What we saw A sentence E1.", "Figure 1."]
    {
        assert!(words.contains(expected), "{expected} in {words}");
    }
    assert!(words.find("Much E2").unwrap() < words.find("Figure 1.").unwrap(), "the figure follows the impact");
    assert!(!words.contains("keeps running out of memory: Deployment"), "the template's own text is not there");
}

#[test]
fn draft_stands_in_the_head_until_it_is_reviewed() {
    let one = incident();
    let head = |review| {
        let options = PageOptions { review, author: Some("Mara Lindqvist".into()) };
        made(&one, "## Summary\n\nx [E1].\n", &options).words()
    };
    assert!(head(Review::Draft).contains("Draft of 12 November 2026"));
    assert!(head(Review::InReview).contains("Draft in review, 12 November 2026"));
    let reviewed = head(Review::Reviewed);
    assert!(!reviewed.contains("Draft") && reviewed.contains("Status Reviewed"), "{reviewed}");
    assert!(reviewed.contains("Author Mara Lindqvist"));
}

#[test]
fn ids_lead_to_the_appendix_and_back() {
    let links = |markdown: &str| of(markdown).count("/Subtype/Link");
    let none = links("## Summary\n\nNothing.\n");
    // A mention leads to the appendix, and the item leads back to its first mention.
    assert_eq!(links("## Summary\n\nKilled [E1].\n"), none + 2);
    assert_eq!(links("## Summary\n\nKilled [E1, E2]. Again [E1].\n"), none + 5);
    assert_eq!(links("## Summary\n\nNot there [E99], not meant \\[E1\\].\n"), none);
}

/// Five hundred entries, each with its evidence.
pub fn long(rows: usize) -> Incident {
    let mut one = incident();
    let first = one.timeline[0].clone();
    for n in 0..rows {
        let mut entry = first.clone();
        entry.seq = 100 + n as u64;
        entry.at = at("02:57:00") + jiff::SignedDuration::from_secs(n as i64 * 3);
        entry.kind = EntryKind::Symptom;
        entry.label = None;
        entry.text =
            format!("Pod checkout-5f8b97c6d-{n:05} was killed for exceeding its 192Mi memory limit, restart {n}");
        entry.observed = if n % 50 == 7 { Observed::Reconstructed } else { Observed::Live };
        one.timeline.push(entry);
    }
    one.resolved_at = Some(at("03:30:00"));
    one
}

#[test]
fn a_timeline_of_five_hundred_rows_repeats_its_head() {
    let one = long(500);
    let pdf = made(&one, &house(&one), &PageOptions::default());
    assert!(pdf.pages() > 8, "{}", pdf.pages());
    let words = pdf.words();
    assert!(words.contains("restart 499") && words.contains("restart 0"));
    assert!(words.matches("Time What happened Evidence").count() > 8, "the head comes again on every page");
}

#[test]
fn more_rows_than_a_page_takes_are_cut_and_it_says_so() {
    let rows: String = (0..2300).map(|n| format!("| {n} | x |\n")).collect();
    let pdf = of(&format!("## Summary\n\n| a | b |\n| - | - |\n{rows}"));
    assert!(
        pdf.words().contains("300 rows of tables are not printed: a page takes 2000. The Markdown has all of them.")
    );
}

#[test]
fn a_text_that_is_too_long_is_refused_in_words() {
    let one = incident();
    let error = pdf(&input(&one, &[], &[]), &"word ".repeat(120_000), &PageOptions::default(), &[]).unwrap_err();
    assert!(matches!(error, PdfError::TooLong { bytes: 600_000 }));
    assert_eq!(
        error.to_string(),
        "The text is too long for a PDF: 600000 bytes, and 500000 can be set. Export Markdown or HTML, or shorten it."
    );
}

#[test]
fn hostile_markdown_is_printed_letter_for_letter() {
    let hostile = "# x #read(\"/etc/passwd\") $a^2$\n\n## Summary\n\n#import \"@preview/x:1.0.0\": * $x_1$ <label> @ref \
                   // comment /* c */ #panic() \\u{41} ~ -- --- ... 'q' \"q\" = head\n\n+ item\n/ term: x\n\n\
                   ```typ\n#set page(fill: red)\n```\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1))\n\n\
                   ##### deep\n\n# top\n\n###### deeper\n";
    let pdf = of(hostile);
    let words = pdf.words();
    for expected in [
        "x #read(\"/etc/passwd\") $a^2$",
        "#import \"@preview/x:1.0.0\": * $x_1$ <label> @ref // comment /* c */ #panic()",
        "#set page(fill: red)",
        "<script>alert(1)</script>",
        "x (javascript:alert(1))",
    ] {
        assert!(words.contains(expected), "{expected} in {words}");
    }
    assert_eq!(pdf.count("javascript:"), 0, "no address of a link");
    assert!(!words.contains("root:"), "no file was read");
}

#[test]
fn deep_nesting_long_words_and_strange_letters_give_a_page() {
    let deep: String = (0..60).map(|n| format!("{}deep{n}\n", "> ".repeat(n + 1))).collect();
    let lists: String = (0..60).map(|n| format!("{}- list{n}\n", "  ".repeat(n))).collect();
    for text in [
        deep,
        lists,
        format!("{}x{}", "**_".repeat(50), "_**".repeat(50)),
        "y".repeat(20_000),
        format!("```\n{}\n```", "z".repeat(20_000)),
        format!("| {} | b |\n| - | - |\n| {} | c |", "h".repeat(300), "v".repeat(3000)),
        format!("|{}\n|{}\n|{}", "a|".repeat(120), "-|".repeat(120), "b|".repeat(120)),
        "\u{0}\u{1}\u{7f}\u{85}\u{2028}\u{202e}\u{feff}\u{fffe}\u{ffff}\u{e000}\u{10ffff} a\u{301}\u{302}\u{20e3} \u{200d}\u{200d} \u{fe0f}".into(),
        "[see [E1] and [timeline]](https://a.b)".into(),
        "- [ ] task\n\n[^1]: note\n\nterm\n: def\n".into(),
        "|a|\n|-|\n".into(),
        "#\n\n##\n\n### \n".into(),
        String::new(),
    ] {
        let pdf = of(&format!("## Summary\n\n{text}\n\nLast words [E1].\n"));
        assert!(pdf.words().contains("Last words"), "{}", &text[..text.len().min(40)]);
    }
}

#[test]
fn headings_that_skip_a_level_give_a_page() {
    for markdown in ["### Why [E1]\n\nSo.\n", "# Title\n\n#### Why\n\nSo.\n", "## A\n\n##### Why\n\nSo.\n"] {
        let words = of(markdown).words();
        assert!(words.contains("Why") && words.contains("So."), "{markdown}: {words}");
    }
}

#[test]
fn a_timeline_above_all_sections_is_printed() {
    let head = "| Time | What happened | Evidence | Seen |\n| - | - | - | - |\n| 02:56:12 | It began | E1 | live |\n";
    let words = of(&format!("{head}\n## Summary\n\nIt began [timeline].\n\n{head}")).words();
    assert_eq!(words.matches("02:56:12 It began E1").count(), 2, "{words}");
}

#[test]
fn letters_that_no_face_has_are_replaced_and_counted() {
    let pdf = of("## Summary\n\nChinese 中文 and emoji 🔥 [E1].\n");
    let words = pdf.words();
    assert!(words.contains("Chinese \u{fffd}\u{fffd} and emoji \u{fffd} E1."), "{words}");
    assert!(words.contains("No font of this computer has 3 of the letters"), "{words}");
}

#[test]
fn letters_of_other_scripts_come_from_fonts_of_the_computer() {
    let folders = usual_font_folders(None);
    let one = incident();
    let text = "## Summary\n\nArmenian Հայերեն and Georgian ქართული [E1].\n";
    let (gaps, coverage) = ([gap()], coverage());
    let input = input(&one, &gaps, &coverage);
    let with = pdf(&input, text, &PageOptions::default(), &folders).unwrap();
    assert_eq!(with, pdf(&input, text, &PageOptions::default(), &folders).unwrap());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &with).unwrap();
    let pdf = Read { bytes: with, file };
    let words = pdf.words();
    assert!(!words.contains("No font of this computer"), "a font such as DejaVu Sans is needed for this test: {words}");
    assert!(words.contains("Armenian Հայերեն and Georgian ქართული E1."), "{words}");
}

#[test]
fn a_secret_in_the_record_does_not_leave_with_the_page() {
    let mut one = incident();
    one.evidence[0].draft.excerpt = "Authorization: Bearer abcdefghijklmnopqrstuvwxyz012345".into();
    let words = made(&one, "## Summary\n\npassword=hunter2hunter2 [E1].\n", &PageOptions::default()).words();
    assert!(!words.contains("abcdefghijklmnop") && !words.contains("hunter2hunter2"), "{words}");
}

#[test]
fn every_mark_of_a_diff_is_a_letter_too() {
    // In grey nothing is lost: what was added and removed says so by its sign, what is dashed by a word.
    let words = sample().words();
    assert!(words.contains("- limits.memory: 512Mi + limits.memory: 192Mi"), "{words}");
    assert!(words.contains("reconstructed") && words.contains("trigger"));
}

#[test]
fn an_item_under_twelve_lines_is_not_broken() {
    let mut one = incident();
    one.evidence = (0..60)
        .map(|n| {
            let excerpt: String = (0..10).map(|l| format!("item {n} line {l}\n")).collect();
            evidence(&format!("E{}", n + 1), "02:56:12", &excerpt)
        })
        .collect();
    let pdf = made(&one, "## Summary\n\nx [E1].\n", &PageOptions::default());
    for page in pdf.run("pdftotext", &["-layout"], &["-"]).split('\u{c}') {
        for n in 0..60 {
            let lines = page.lines().filter(|l| l.contains(&format!("item {n} line"))).count();
            assert!(lines == 0 || lines == 10, "item {n} has {lines} lines on one page");
        }
    }
}
