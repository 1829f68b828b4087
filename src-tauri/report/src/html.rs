//! Markdown to HTML for the preview.

use std::iter;

use pulldown_cmark::{Alignment, CodeBlockKind, CowStr, Event, Options, Parser, Tag, TagEnd};

/// HTML that is safe to show whatever the Markdown holds: it has only the elements `p h1…h6 blockquote pre code ul ol
/// li table thead tbody tr th td em strong del br hr`, and no attribute but a list's `start`. Raw HTML is shown as the
/// text it is, an image as its description, a link as its text with the address behind it.
pub fn html(markdown: &str) -> String {
    let parser = Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let mut links = Links::default();
    let events = parser.flat_map(move |event| links.tame(event));
    let mut out = String::with_capacity(markdown.len() * 3 / 2);
    pulldown_cmark::html::push_html(&mut out, events);
    out
}

/// Where the links lead that are open just now, with the text seen inside of each.
#[derive(Default)]
struct Links(Vec<(String, String)>);

impl Links {
    fn tame<'a>(&mut self, event: Event<'a>) -> Vec<Event<'a>> {
        if let Event::Text(text) | Event::Code(text) = &event
            && let Some((_, seen)) = self.0.last_mut()
        {
            seen.push_str(text);
        }
        let one = match event {
            Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
            Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
            Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
            Event::Start(Tag::Link { dest_url, .. }) => {
                self.0.push((dest_url.into_string(), String::new()));
                return Vec::new();
            }
            Event::End(TagEnd::Link) => {
                return match self.0.pop() {
                    Some((address, seen)) if !address.is_empty() && address != seen => {
                        vec![Event::Text(CowStr::from(format!(" ({address})")))]
                    }
                    _ => Vec::new(),
                };
            }
            Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => return Vec::new(),
            Event::Start(Tag::Heading { level, .. }) => {
                Event::Start(Tag::Heading { level, id: None, classes: Vec::new(), attrs: Vec::new() })
            }
            Event::Start(Tag::CodeBlock(_)) => Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)),
            Event::Start(Tag::BlockQuote(_)) => Event::Start(Tag::BlockQuote(None)),
            Event::End(TagEnd::BlockQuote(_)) => Event::End(TagEnd::BlockQuote(None)),
            Event::Start(Tag::Table(columns)) => {
                Event::Start(Tag::Table(iter::repeat_n(Alignment::None, columns.len()).collect()))
            }
            other => other,
        };
        vec![one]
    }
}

#[cfg(test)]
mod tests {
    use super::html;

    fn check(markdown: &str, expected: &str) {
        assert_eq!(html(markdown).trim_end(), expected, "{markdown}");
    }

    #[test]
    fn raw_html_is_shown_as_text() {
        check("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>");
        check("a <b onclick=x>b</b>", "<p>a &lt;b onclick=x&gt;b&lt;/b&gt;</p>");
        check("<!-- hidden -->", "<p>&lt;!-- hidden --&gt;</p>");
        check("<div>\n\n*x*\n\n</div>", "<p>&lt;div&gt;\n</p>\n<p><em>x</em></p>\n<p>&lt;/div&gt;</p>");
    }

    #[test]
    fn links_become_text_with_their_address() {
        check("[here](javascript:alert(1))", "<p>here (javascript:alert(1))</p>");
        check("[*a* `b`](https://x.y \"title\")", "<p><em>a</em> <code>b</code> (https://x.y)</p>");
        check("<https://x.y>", "<p>https://x.y</p>");
        check("[E1]\n\n[E1]: https://x.y", "<p>E1 (https://x.y)</p>");
    }

    #[test]
    fn images_become_their_description() {
        check("![a *cat*](https://x.y/?leak)", "<p>a <em>cat</em></p>");
        check("[![cat](https://x)](https://y)", "<p>cat (https://y)</p>");
    }

    #[test]
    fn nothing_carries_an_attribute() {
        check("# Head {#id .class onclick=x}", "<h1>Head {#id .class onclick=x}</h1>");
        check("```html onload=x\n<b>\n```", "<pre><code>&lt;b&gt;\n</code></pre>");
        check("> [!NOTE]\n> text", "<blockquote>\n<p>[!NOTE]\ntext</p>\n</blockquote>");
        check(
            "|a|b|\n|:-:|-:|\n|~~1~~|2|",
            "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody>\n<tr><td><del>1</del></td><td>2</td></tr>\n</tbody></table>",
        );
    }
}
