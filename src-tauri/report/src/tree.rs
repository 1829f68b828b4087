//! Markdown as a tree: what the pages (PDF, HTML) are laid out from.
//!
//! A value of the tree is text and nothing else; whoever lays it out never parses it again. Raw HTML is the text it
//! is, an image its description, and only web and mail addresses stay links. The tree is at most [`DEPTH`] deep: what
//! is nested deeper is taken as plain paragraphs.

use std::{iter::Peekable, ops::Range};

use pulldown_cmark::{CodeBlockKind, Event, OffsetIter, Options, Parser, Tag, TagEnd};
use serde::Serialize;

use crate::cite::{Known, is_id};

/// Deeper nesting than this is laid out flat.
pub(crate) const DEPTH: usize = 10;

/// Stands for an escaped bracket until citations were looked for: what is escaped cites nothing.
const ESCAPED: char = '\u{f8ff}';

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub(crate) enum Block {
    P {
        c: Vec<Inline>,
    },
    /// `level` as it was written, from 1.
    H {
        level: u8,
        c: Vec<Inline>,
    },
    Quote {
        c: Vec<Block>,
    },
    Code {
        lang: String,
        v: String,
    },
    List {
        start: Option<u64>,
        items: Vec<Vec<Block>>,
    },
    Table {
        head: Vec<Vec<Inline>>,
        rows: Vec<Vec<Vec<Inline>>>,
    },
    Rule,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub(crate) enum Inline {
    S {
        v: String,
    },
    C {
        v: String,
    },
    Em {
        c: Vec<Inline>,
    },
    Strong {
        c: Vec<Inline>,
    },
    Del {
        c: Vec<Inline>,
    },
    /// A line end of the source, shown as a space.
    Soft,
    Br,
    Link {
        url: String,
        c: Vec<Inline>,
    },
    /// `[E3, C2]`, all of them there.
    Cite {
        ids: Vec<Cited>,
    },
    /// `[timeline]`.
    Timeline,
    /// A sentence that says it is not established.
    Unknown {
        c: Vec<Inline>,
    },
    /// A framed word: `trigger`, `started`; dashed: `reconstructed`.
    Label {
        v: String,
        dashed: bool,
    },
}

/// One cited id.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Cited {
    pub id: String,
    /// The first mention on the page: where the appendix leads back to.
    pub first: bool,
}

impl Inline {
    pub fn text(v: impl Into<String>) -> Inline {
        Inline::S { v: v.into() }
    }
}

/// What the Markdown says.
pub(crate) fn tree(markdown: &str, known: &Known) -> Vec<Block> {
    let parser = Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let mut reader = Reader { events: parser.into_offset_iter().peekable(), source: markdown, known };
    reader.blocks(0)
}

/// The words of a run of text.
pub(crate) fn plain(inlines: &[Inline]) -> String {
    let mut out = String::new();
    add_plain(inlines, &mut out);
    out
}

fn add_plain(inlines: &[Inline], out: &mut String) {
    for inline in inlines {
        match inline {
            Inline::S { v } | Inline::C { v } | Inline::Label { v, .. } => out.push_str(v),
            Inline::Em { c }
            | Inline::Strong { c }
            | Inline::Del { c }
            | Inline::Link { c, .. }
            | Inline::Unknown { c } => add_plain(c, out),
            Inline::Soft | Inline::Br => out.push(' '),
            Inline::Cite { ids } => {
                out.push_str(&ids.iter().map(|c| c.id.as_str()).collect::<Vec<_>>().join(", "));
            }
            Inline::Timeline => out.push_str("timeline"),
        }
    }
}

struct Reader<'a, 'k> {
    events: Peekable<OffsetIter<'a>>,
    source: &'a str,
    known: &'k Known,
}

impl<'a> Reader<'a, '_> {
    /// Blocks up to the end of what contains them, that end included.
    fn blocks(&mut self, depth: usize) -> Vec<Block> {
        let mut out = Vec::new();
        while let Some((event, _)) = self.events.peek() {
            if is_inline(event) {
                // A tight list's item holds its text without a paragraph.
                push_paragraph(&mut out, self.inlines(depth));
                continue;
            }
            match self.events.next() {
                Some((Event::End(_), _)) | None => break,
                Some((Event::Start(tag), _)) => self.block(tag, depth, &mut out),
                Some((Event::Rule, _)) => out.push(Block::Rule),
                Some(_) => {}
            }
        }
        out
    }

    fn block(&mut self, tag: Tag<'a>, depth: usize, out: &mut Vec<Block>) {
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => {
                let inlines = self.inlines(depth);
                self.end();
                push_paragraph(out, inlines);
            }
            Tag::Heading { level, .. } => {
                let c = self.inlines(depth);
                self.end();
                out.push(Block::H { level: level as u8, c });
            }
            Tag::CodeBlock(kind) => {
                let lang = match kind {
                    CodeBlockKind::Fenced(info) => word(&info),
                    CodeBlockKind::Indented => String::new(),
                };
                let v = self.flat();
                out.push(Block::Code { lang, v: v.trim_end_matches('\n').to_owned() });
            }
            Tag::Table(_) => {
                let (head, rows) = self.table(depth);
                out.push(Block::Table { head, rows });
            }
            _ if depth + 1 >= DEPTH => {
                let text = self.flat();
                push_paragraph(out, vec![Inline::text(text)]);
            }
            Tag::BlockQuote(_) => {
                let c = self.blocks(depth + 1);
                out.push(Block::Quote { c });
            }
            Tag::List(start) => {
                let mut items = Vec::new();
                loop {
                    match self.events.next() {
                        Some((Event::Start(Tag::Item), _)) => items.push(self.blocks(depth + 1)),
                        Some((Event::End(_), _)) | None => break,
                        Some(_) => {}
                    }
                }
                out.push(Block::List { start, items });
            }
            _ => {
                let text = self.flat();
                push_paragraph(out, vec![Inline::text(text)]);
            }
        }
    }

    fn table(&mut self, depth: usize) -> (Vec<Vec<Inline>>, Vec<Vec<Vec<Inline>>>) {
        let (mut head, mut rows) = (Vec::new(), Vec::new());
        let mut row = Vec::new();
        loop {
            match self.events.next() {
                Some((Event::Start(Tag::TableCell), _)) => {
                    row.push(self.inlines(depth + 1));
                    self.end();
                }
                Some((Event::End(TagEnd::TableHead), _)) => head = std::mem::take(&mut row),
                Some((Event::End(TagEnd::TableRow), _)) => rows.push(std::mem::take(&mut row)),
                Some((Event::End(TagEnd::Table), _)) | None => return (head, rows),
                Some(_) => {}
            }
        }
    }

    /// Text up to what is not text, which stays where it is.
    fn inlines(&mut self, depth: usize) -> Vec<Inline> {
        let mut out: Vec<Inline> = Vec::new();
        while let Some((event, range)) = self.events.next_if(|(event, _)| is_inline(event)) {
            match event {
                Event::Text(text) | Event::InlineHtml(text) | Event::Html(text) => {
                    self.push_text(&mut out, &text, range)
                }
                Event::Code(v) => out.push(Inline::C { v: clean(&v) }),
                Event::SoftBreak => out.push(Inline::Soft),
                Event::HardBreak => out.push(Inline::Br),
                Event::Start(_) if depth + 1 >= DEPTH => {
                    let text = self.flat();
                    push(&mut out, &text);
                }
                Event::Start(Tag::Image { .. }) => {
                    let text = self.flat();
                    push(&mut out, &text);
                }
                Event::Start(tag) => {
                    let c = self.inlines(depth + 1);
                    self.end();
                    match tag {
                        Tag::Emphasis => out.push(Inline::Em { c }),
                        Tag::Strong => out.push(Inline::Strong { c }),
                        Tag::Strikethrough => out.push(Inline::Del { c }),
                        Tag::Link { dest_url, .. } => link(&dest_url, c, &mut out),
                        _ => out.extend(c),
                    }
                }
                _ => {}
            }
        }
        self.finished(out)
    }

    fn push_text(&self, out: &mut Vec<Inline>, text: &str, range: Range<usize>) {
        let mut text = clean(text);
        let escaped = range.start > 0 && self.source.as_bytes().get(range.start - 1) == Some(&b'\\');
        if escaped && text.starts_with('[') {
            text.replace_range(..1, ESCAPED.encode_utf8(&mut [0; 4]));
        }
        push(out, &text);
    }

    /// Citations found, sentences that are not established marked.
    fn finished(&self, inlines: Vec<Inline>) -> Vec<Inline> {
        let mut out = Vec::with_capacity(inlines.len());
        for inline in inlines {
            match inline {
                Inline::S { v } => cited(&v, self.known, &mut out),
                other => out.push(other),
            }
        }
        unknown(out)
    }

    /// The end of what was begun.
    fn end(&mut self) {
        let mut open = 0_usize;
        for (event, _) in self.events.by_ref() {
            match event {
                Event::Start(_) => open += 1,
                Event::End(_) if open == 0 => return,
                Event::End(_) => open -= 1,
                _ => {}
            }
        }
    }

    /// All text up to the end of what was begun, without its structure.
    fn flat(&mut self) -> String {
        let mut text = String::new();
        let mut open = 0_usize;
        for (event, _) in self.events.by_ref() {
            // What stood apart stays apart.
            let block = match &event {
                Event::Start(_) => !is_inline(&event),
                Event::End(end) => open > 0 && !is_inline_end(*end),
                _ => false,
            };
            if block && !text.is_empty() && !text.ends_with([' ', '\n']) {
                text.push(' ');
            }
            match event {
                Event::Start(_) => open += 1,
                Event::End(_) if open == 0 => break,
                Event::End(_) => open -= 1,
                Event::Text(v) | Event::Code(v) | Event::Html(v) | Event::InlineHtml(v) => text.push_str(&v),
                Event::SoftBreak | Event::HardBreak => text.push(' '),
                _ => {}
            }
        }
        clean(&text)
    }
}

fn is_inline(event: &Event<'_>) -> bool {
    match event {
        Event::Text(_)
        | Event::Code(_)
        | Event::Html(_)
        | Event::InlineHtml(_)
        | Event::SoftBreak
        | Event::HardBreak => true,
        Event::Start(tag) => {
            matches!(tag, Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Link { .. } | Tag::Image { .. })
        }
        _ => false,
    }
}

fn is_inline_end(end: TagEnd) -> bool {
    matches!(end, TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link | TagEnd::Image)
}

fn push_paragraph(out: &mut Vec<Block>, c: Vec<Inline>) {
    if c.iter().any(|i| !matches!(i, Inline::S { v } if v.trim().is_empty())) {
        out.push(Block::P { c });
    }
}

fn push(out: &mut Vec<Inline>, text: &str) {
    match out.last_mut() {
        Some(Inline::S { v }) => v.push_str(text),
        _ if text.is_empty() => {}
        _ => out.push(Inline::text(text)),
    }
}

/// A web or mail address stays a link. Any other is shown behind the text, as in the preview.
fn link(url: &str, c: Vec<Inline>, out: &mut Vec<Inline>) {
    let url = clean(url);
    let fine = ["https://", "http://", "mailto:"].iter().any(|s| url.to_ascii_lowercase().starts_with(s));
    if fine && url.len() <= 2000 && !url.contains(char::is_whitespace) {
        out.push(Inline::Link { url, c: uncited(c) });
    } else {
        let seen = plain(&c);
        out.extend(c);
        if !url.is_empty() && seen != url {
            push(out, &format!(" ({url})"));
        }
    }
}

/// A link leads to one place: what is cited inside of it is text.
fn uncited(c: Vec<Inline>) -> Vec<Inline> {
    c.into_iter()
        .map(|inline| match inline {
            Inline::Cite { .. } | Inline::Timeline => Inline::text(format!("[{}]", plain(&[inline]))),
            Inline::Em { c } => Inline::Em { c: uncited(c) },
            Inline::Strong { c } => Inline::Strong { c: uncited(c) },
            Inline::Del { c } => Inline::Del { c: uncited(c) },
            Inline::Unknown { c } => Inline::Unknown { c: uncited(c) },
            other => other,
        })
        .collect()
}

/// The first word of a fence's info, if it looks like a language.
fn word(info: &str) -> String {
    let word = info.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    if word.len() <= 20 && word.bytes().all(|b| b.is_ascii_alphanumeric()) { word } else { String::new() }
}

/// Text cut at what it cites.
fn cited(text: &str, known: &Known, out: &mut Vec<Inline>) {
    let back = |text: &str| text.replace(ESCAPED, "[");
    let (mut done, mut from) = (0, 0);
    while let Some(open) = text[from..].find('[').map(|i| from + i) {
        let Some(close) = text[open..].find(']').map(|i| open + i) else { break };
        from = open + 1;
        let inside = text[open + 1..close].trim();
        let cite = if inside.eq_ignore_ascii_case("timeline") {
            Inline::Timeline
        } else {
            match ids(inside, known) {
                Some(ids) => Inline::Cite { ids },
                None => continue,
            }
        };
        if open > done {
            out.push(Inline::S { v: back(&text[done..open]) });
        }
        out.push(cite);
        (done, from) = (close + 1, close + 1);
    }
    if done < text.len() {
        out.push(Inline::S { v: back(&text[done..]) });
    }
}

/// `E3, C2` when all of them are there.
pub(crate) fn ids(list: &str, known: &Known) -> Option<Vec<Cited>> {
    let mut out = Vec::new();
    for id in list.split([',', ';', ' ']).map(str::trim).filter(|id| !id.is_empty()) {
        if !is_id(id) || !known.has(id) {
            return None;
        }
        out.push(Cited { id: id.to_owned(), first: false });
    }
    (!out.is_empty()).then_some(out)
}

/// Where another sentence begins in the text after this one. `ids_next`: citations follow, and they belong to the
/// sentence before them.
fn next_sentence(text: &str, ids_next: bool) -> Option<usize> {
    text.char_indices().filter(|(_, c)| matches!(c, '.' | '!' | '?')).map(|(i, _)| i + 1).find(|end| {
        let rest = &text[*end..];
        let next = rest.trim_start();
        next.len() < rest.len() && if next.is_empty() { !ids_next } else { !next.starts_with(char::is_lowercase) }
    })
}

/// The sentence that begins with *Not established:*, or the rest of its line, stands under a dashed line.
fn unknown(inlines: Vec<Inline>) -> Vec<Inline> {
    let says = |i: &Inline, what: &str| matches!(i, Inline::Em { c } if plain(c).trim().to_ascii_lowercase().starts_with(what));
    if !inlines.iter().any(|i| says(i, "not established")) {
        return inlines;
    }
    let mut out = Vec::with_capacity(inlines.len());
    let mut rest = inlines.into_iter().peekable();
    while let Some(inline) = rest.next() {
        if says(&inline, "not established:") {
            let mut c = vec![inline];
            let mut after = None;
            while let Some(more) = rest.next_if(|i| after.is_none() && !matches!(i, Inline::Soft | Inline::Br)) {
                let ids_next = matches!(rest.peek(), Some(Inline::Cite { .. } | Inline::Timeline));
                match more {
                    Inline::S { mut v } => {
                        after = next_sentence(&v, ids_next).map(|at| Inline::text(v.split_off(at)));
                        c.push(Inline::S { v });
                    }
                    more => c.push(more),
                }
            }
            out.push(Inline::Unknown { c });
            out.extend(after);
        } else if says(&inline, "not established") {
            out.push(Inline::Unknown { c: vec![inline] });
        } else {
            out.push(inline);
        }
    }
    out
}

/// Without control characters and what turns the writing direction; joiners that scripts and emoji need stay.
fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push(c),
            '\t' => out.push_str("    "),
            '\u{2028}' | '\u{2029}' | '\u{b}' | '\u{c}' => out.push(' '),
            '\u{200c}' | '\u{200d}' => out.push(c),
            '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {}
            '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}' => {}
            // Private use means something else in every font.
            '\u{e000}'..='\u{f8ff}' | '\u{f0000}'.. => out.push('\u{fffd}'),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
