//! The post-mortem as one HTML file that needs nothing else: no script, no font, no picture from elsewhere.

use std::fmt::Write;

use crate::{
    ReportInput,
    figure::escaped,
    paper::{Form, Item, PageOptions, Paper, Section},
    tree::{Block, Inline},
};

const STYLE: &str = include_str!("page.css");

/// The post-mortem as a page for a browser, light or dark as the reader's desktop is, and light on paper.
///
/// `markdown` is the text, as written by [`crate::markdown`] or edited since; block of facts, figure and appendix come
/// from the incident. The page can be shown whatever the text holds: a content policy forbids scripts and anything
/// from outside, raw HTML is shown as the text it is, and only web and mail addresses are links.
pub fn html_page(input: &ReportInput<'_>, markdown: &str, options: &PageOptions) -> String {
    let paper = Paper::new(input, markdown, options);
    let mut page = Html { out: String::with_capacity(markdown.len() * 3), paper: &paper };
    page.whole();
    page.out
}

struct Html<'a> {
    out: String,
    paper: &'a Paper,
}

impl Html<'_> {
    fn whole(&mut self) {
        let paper = self.paper;
        let _ = write!(
            self.out,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
             img-src data:; base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n<title>{}: {}</title>\n<style>\n{STYLE}</style>\n\
             </head>\n<body>\n<main>\n",
            escaped(&paper.label),
            escaped(&paper.title)
        );
        let _ = write!(
            self.out,
            "<header class=\"run\"><span>{}</span><span>{}</span></header>\n<p class=\"kick\">Post-mortem</p>\n\
             <h1>{}</h1>\n",
            escaped(&paper.head_left),
            escaped(&paper.head_right),
            escaped(&paper.title)
        );
        self.cover();
        for cut in &paper.cuts {
            self.note(cut);
        }
        if paper.figure_after == 0 {
            self.figure();
        }
        for (n, section) in paper.sections.iter().enumerate() {
            self.section(section);
            if n + 1 == paper.figure_after {
                self.figure();
            }
        }
        self.out.push_str("<section aria-labelledby=\"evidence\">\n<h2 id=\"evidence\">Evidence</h2>\n");
        self.note(&paper.evidence_note);
        for item in &paper.evidence {
            self.item(item);
        }
        let _ = write!(
            self.out,
            "</section>\n</main>\n<footer class=\"run\"><span>{}</span></footer>\n</body>\n</html>\n",
            escaped(&paper.foot)
        );
    }

    fn note(&mut self, text: &str) {
        let _ = writeln!(self.out, "<p class=\"note\">{}</p>", escaped(text));
    }

    fn cover(&mut self) {
        self.out.push_str("<dl class=\"facts\">\n");
        for fact in &self.paper.cover {
            let _ = writeln!(self.out, "<div><dt>{}</dt><dd>{}</dd></div>", escaped(&fact.name), escaped(&fact.value));
        }
        self.out.push_str("</dl>\n");
    }

    fn figure(&mut self) {
        let svg = self.paper.figure.svg.replacen(
            "<svg ",
            &format!("<svg role=\"img\" aria-label=\"{}\" ", escaped(&self.paper.alt)),
            1,
        );
        let _ =
            writeln!(self.out, "<figure>\n{svg}<figcaption>{}</figcaption>\n</figure>", escaped(&self.paper.caption));
    }

    fn section(&mut self, section: &Section) {
        self.out.push_str("<section>\n");
        if !section.title.is_empty() {
            let id = if section.id.is_empty() { String::new() } else { format!(" id=\"{}\"", section.id) };
            let _ = writeln!(self.out, "<h2{id}>{}</h2>", escaped(&section.title));
        }
        for part in &section.body {
            match part {
                Form::Text { block } => self.block(block),
                Form::Timeline { rows, hatched, dashed } => {
                    let hints = [
                        (*hatched, "Hatched: not recorded."),
                        (*dashed, "A dashed frame: put together afterwards from what the cluster still said."),
                    ];
                    let hint: Vec<&str> = hints.iter().filter(|(there, _)| *there).map(|(_, text)| *text).collect();
                    if !hint.is_empty() {
                        self.note(&hint.join(" "));
                    }
                    self.out.push_str(
                        "<table class=\"time\">\n<thead><tr><th scope=\"col\">Time</th><th scope=\"col\">What \
                         happened</th><th scope=\"col\">Evidence</th></tr></thead>\n<tbody>\n",
                    );
                    for row in rows {
                        self.out.push_str(if row.gap { "<tr class=\"gap\">" } else { "<tr>" });
                        for cell in [&row.time, &row.what, &row.evidence] {
                            self.cell("td", cell);
                        }
                        self.out.push_str("</tr>\n");
                    }
                    self.out.push_str("</tbody>\n</table>\n");
                }
            }
        }
        self.out.push_str("</section>\n");
    }

    fn cell(&mut self, tag: &str, inlines: &[Inline]) {
        let _ = write!(self.out, "<{tag}>");
        self.line(inlines);
        let _ = write!(self.out, "</{tag}>");
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::P { c } => {
                self.cell("p", c);
                self.out.push('\n');
            }
            Block::H { level, c } => {
                let tag = format!("h{}", (*level).clamp(3, 6));
                self.cell(&tag, c);
                self.out.push('\n');
            }
            Block::Quote { c } => {
                self.out.push_str("<blockquote>\n");
                c.iter().for_each(|b| self.block(b));
                self.out.push_str("</blockquote>\n");
            }
            Block::Code { v, .. } => {
                let _ = writeln!(self.out, "<pre><code>{}</code></pre>", escaped_lines(v));
            }
            Block::List { start, items } => {
                match start {
                    Some(start) => {
                        let _ = writeln!(self.out, "<ol start=\"{start}\">");
                    }
                    None => self.out.push_str("<ul>\n"),
                }
                for item in items {
                    self.out.push_str("<li>");
                    match &item[..] {
                        [Block::P { c }] => self.line(c),
                        blocks => blocks.iter().for_each(|b| self.block(b)),
                    }
                    self.out.push_str("</li>\n");
                }
                self.out.push_str(if start.is_some() { "</ol>\n" } else { "</ul>\n" });
            }
            Block::Table { head, rows } => {
                self.out.push_str("<table>\n<thead><tr>");
                head.iter().for_each(|c| self.cell("th", c));
                self.out.push_str("</tr></thead>\n<tbody>\n");
                for row in rows {
                    self.out.push_str("<tr>");
                    row.iter().for_each(|c| self.cell("td", c));
                    self.out.push_str("</tr>\n");
                }
                self.out.push_str("</tbody>\n</table>\n");
            }
            Block::Rule => self.out.push_str("<hr>\n"),
        }
    }

    fn line(&mut self, inlines: &[Inline]) {
        for inline in inlines {
            match inline {
                Inline::S { v } => self.out.push_str(&escaped(v)),
                Inline::C { v } => self.cell_of("code", v),
                Inline::Em { c } => self.cell("em", c),
                Inline::Strong { c } => self.cell("strong", c),
                Inline::Del { c } => self.cell("del", c),
                Inline::Soft => self.out.push(' '),
                Inline::Br => self.out.push_str("<br>"),
                Inline::Link { url, c } => {
                    let _ = write!(self.out, "<a href=\"{}\" rel=\"noreferrer noopener\">", escaped(url));
                    self.line(c);
                    self.out.push_str("</a>");
                }
                Inline::Cite { ids } => {
                    for (n, cited) in ids.iter().enumerate() {
                        if n > 0 {
                            self.out.push(' ');
                        }
                        let id = &cited.id;
                        let back = if cited.first { format!(" id=\"use-{id}\"") } else { String::new() };
                        let _ = write!(self.out, "<a class=\"cite\"{back} href=\"#item-{id}\">{id}</a>");
                    }
                }
                Inline::Timeline if self.paper.has_timeline => {
                    self.out.push_str("<a class=\"cite\" href=\"#timeline\">timeline</a>");
                }
                Inline::Timeline => self.out.push_str("<span class=\"cite\">timeline</span>"),
                Inline::Unknown { c } => {
                    self.out.push_str("<span class=\"unknown\">");
                    self.line(c);
                    self.out.push_str("</span>");
                }
                Inline::Label { v, dashed } => {
                    let class = if *dashed { "framed dashed" } else { "framed" };
                    let _ = write!(self.out, "<span class=\"{class}\">{}</span>", escaped(v));
                }
            }
        }
    }

    fn cell_of(&mut self, tag: &str, text: &str) {
        let _ = write!(self.out, "<{tag}>{}</{tag}>", escaped(text));
    }

    fn item(&mut self, item: &Item) {
        let id = &item.id;
        let name = if item.mentioned {
            format!("<a class=\"cite\" href=\"#use-{id}\" title=\"Back to the first mention\">{id}</a>")
        } else {
            format!("<span class=\"cite\">{id}</span>")
        };
        let dashed = if item.reconstructed { " <span class=\"framed dashed\">reconstructed</span>" } else { "" };
        let _ = write!(
            self.out,
            "<article class=\"item\" id=\"item-{id}\">\n<h3>{name} {}{dashed}</h3>\n<p class=\"from\">{}</p>\n",
            escaped(&item.title),
            escaped(&item.provenance)
        );
        if !item.runs.is_empty() {
            self.out.push_str("<pre><code>");
            for run in &item.runs {
                let _ = write!(self.out, "<span class=\"{}\">{}</span>", run.kind, escaped_lines(&run.v));
            }
            self.out.push_str("</code></pre>\n");
        }
        if let Some(more) = &item.more {
            let _ = writeln!(self.out, "<p class=\"from\">{}</p>", escaped(more));
        }
        self.out.push_str("</article>\n");
    }
}

/// Line ends stay.
fn escaped_lines(text: &str) -> String {
    text.split('\n').map(escaped).collect::<Vec<_>>().join("\n")
}
