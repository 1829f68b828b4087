//! Sections of a document that people edit, found by their heading. What is not touched stays letter by letter.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// A heading that stands in no quote and no list.
pub(crate) struct Heading {
    pub level: u8,
    pub words: String,
    /// The heading's own source.
    pub range: Range<usize>,
}

/// The headings of a document, in order.
pub(crate) fn headings(markdown: &str) -> Vec<Heading> {
    let parser = Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let mut out = Vec::new();
    let mut inside = 0_usize;
    let mut open: Option<Heading> = None;
    for (event, range) in parser.into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level, .. }) if inside == 0 => {
                open = Some(Heading { level: level as u8, words: String::new(), range });
            }
            Event::End(TagEnd::Heading(_)) => out.extend(open.take()),
            Event::Start(Tag::BlockQuote(_) | Tag::List(_)) => inside += 1,
            Event::End(TagEnd::BlockQuote(_) | TagEnd::List(_)) => inside = inside.saturating_sub(1),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut open {
                    heading.words.push_str(&text);
                }
            }
            _ => {}
        }
    }
    out
}

/// Where the body of the section lies, subsections included.
fn body(markdown: &str, heading: &str) -> Option<Range<usize>> {
    let all = headings(markdown);
    let at = all.iter().position(|h| same(&h.words, heading))?;
    let end = all[at + 1..].iter().find(|h| h.level <= all[at].level).map_or(markdown.len(), |h| h.range.start);
    Some(all[at].range.end.min(end)..end)
}

fn same(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}

/// The body under the first heading with these words (case ignored), without the heading and the space around it;
/// `None` when there is no such heading.
pub fn section_of<'a>(markdown: &'a str, heading: &str) -> Option<&'a str> {
    body(markdown, heading).map(|range| markdown[range].trim())
}

/// The document with another body under that heading; `None` when there is no such heading. Everything else stays as
/// it is.
pub fn replace_section(markdown: &str, heading: &str, body: &str) -> Option<String> {
    let range = self::body(markdown, heading)?;
    let (before, after) = (markdown[..range.start].trim_end_matches(['\n', '\r', ' ']), &markdown[range.end..]);
    let body = body.trim();
    let gap = if body.is_empty() { "" } else { "\n\n" };
    let end = if after.is_empty() { "\n" } else { "\n\n" };
    Some(format!("{before}{gap}{body}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAGE: &str = "# T\n\n## Summary\n\nOld.\n\n### Sub\n\nDeep.\n\n## Impact\n\n```\n## Trigger\n```\n";

    #[test]
    fn a_section_reaches_to_the_next_heading_of_its_rank() {
        assert_eq!(section_of(PAGE, "summary"), Some("Old.\n\n### Sub\n\nDeep."));
        assert_eq!(section_of(PAGE, "Sub"), Some("Deep."));
        assert_eq!(section_of(PAGE, "Impact"), Some("```\n## Trigger\n```"));
    }

    #[test]
    fn what_only_looks_like_a_heading_is_none() {
        assert_eq!(section_of(PAGE, "Trigger"), None, "it stands in a fence");
        assert_eq!(section_of("> ## Summary\n>\n> quoted\n", "Summary"), None);
        assert_eq!(replace_section(PAGE, "Trigger", "x"), None);
    }

    #[test]
    fn replacing_touches_nothing_else() {
        let page = replace_section(PAGE, "Summary", "New [E1].\n").unwrap();
        assert_eq!(page, "# T\n\n## Summary\n\nNew [E1].\n\n## Impact\n\n```\n## Trigger\n```\n");
        assert_eq!(replace_section("## A\n\nx", "A", "").unwrap(), "## A\n");
        assert_eq!(replace_section("## A", "A", "y").unwrap(), "## A\n\ny\n");
        assert_eq!(replace_section("A\n=\nx\n\n# B\n", "A", "y").unwrap(), "A\n=\n\ny\n\n# B\n");
    }

    proptest! {
        #[test]
        fn what_was_put_in_is_read_again(before in "[a-z \\n#>`-]{0,30}", body in "[a-z]{1,10}", after in "[a-z \\n>`-]{0,30}") {
            let page = format!("{before}\n\n## The section\n\nold\n\n# Next\n\n{after}");
            if let Some(page) = replace_section(&page, "The section", &body) {
                prop_assert_eq!(section_of(&page, "The section"), Some(&body[..]));
                let rest = format!("# Next\n\n{after}");
                prop_assert!(page.ends_with(&rest));
            }
        }
    }
}
