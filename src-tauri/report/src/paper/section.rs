//! The sections of the text: what is the house's own is recognised, prompts nobody answered are left out.

use std::collections::HashSet;

use serde::Serialize;

use super::heading_words;
use crate::{
    cite::Known,
    section::{appendix::KEPT, timeline::COLUMNS},
    tree::{Block, Inline, ids, plain},
};

/// Rows of tables on one page, all tables together.
const ROWS: usize = 2000;

/// The instants that carry the metrics; their words are framed.
const LABELS: [&str; 6] = ["trigger", "started", "detected", "acknowledged", "mitigated", "resolved"];

#[derive(Debug, Serialize)]
pub(crate) struct Section {
    /// Empty for what stands before the first heading.
    pub title: String,
    /// `timeline` or empty.
    pub id: &'static str,
    pub body: Vec<Form>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "form", rename_all = "snake_case")]
pub(crate) enum Form {
    Text { block: Block },
    Timeline { rows: Vec<Row>, hatched: bool, dashed: bool },
}

/// One row of the timeline.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub time: Vec<Inline>,
    pub what: Vec<Inline>,
    pub evidence: Vec<Inline>,
    /// Nothing was recorded then.
    pub gap: bool,
}

/// What stands above the first section and is printed elsewhere.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub title: Option<String>,
    pub author: Option<String>,
}

/// Takes title and block of facts out of the text.
pub(super) fn head(blocks: Vec<Block>) -> (Head, Vec<Block>) {
    let mut head = Head::default();
    let mut rest = Vec::with_capacity(blocks.len());
    let mut before = true;
    for block in blocks {
        match block {
            Block::H { level: 1, c } if before && head.title.is_none() && !is_blank(&heading_words(&c)) => {
                head.title = Some(heading_words(&c));
            }
            Block::Table { head: cells, rows } if before && cells.first().is_some_and(|c| plain(c) == "Incident") => {
                let author = rows.iter().find(|r| r.first().is_some_and(|c| plain(c).trim() == "Author"));
                head.author = author
                    .and_then(|r| r.get(1))
                    .map(|c| plain(c).trim().to_owned())
                    .filter(|name| !name.is_empty() && name != "not named");
            }
            Block::P { c } if before && plain(&c).starts_with("Written by Afterwatch ") => {}
            block => {
                before &= !matches!(block, Block::H { .. });
                rest.push(block);
            }
        }
    }
    (head, rest)
}

/// The text in sections. `cuts` learns what is not printed.
pub(super) fn sections(blocks: Vec<Block>, known: &Known, cuts: &mut Vec<String>) -> Vec<Section> {
    let mut out = vec![Section { title: String::new(), id: "", body: Vec::new() }];
    let mut budget = Budget { left: ROWS, cut: 0 };
    // The level of the heading under which the appendix's own items are passed over.
    let mut skipping: Option<u8> = None;
    // A heading is at most one level below the one before: the title is of the first. A page that skips one is refused.
    let mut last_level = 1;
    // A section of the appendix is not a section of the text, unless somebody wrote into it.
    let mut held_items = false;
    let end = |out: &mut Vec<Section>, held_items: bool| {
        let drop = out.last().is_some_and(|s| s.body.is_empty() && (held_items || s.title.is_empty()));
        if drop {
            out.pop();
        }
    };
    let mut prompted = false;
    for block in blocks {
        if let Block::H { level, c } = &block {
            if skipping.is_some_and(|under| *level > under) {
                continue;
            }
            skipping = None;
            let words = heading_words(c);
            // A heading that says nothing heads nothing.
            if is_blank(&words) {
                continue;
            }
            if words.split_once(" · ").is_some_and(|(id, _)| known.has(id)) {
                (skipping, held_items) = (Some(*level), true);
                continue;
            }
            if *level <= 2 {
                end(&mut out, held_items || prompted);
                (held_items, prompted, last_level) = (false, false, 2);
                let id = if words.to_lowercase().contains("timeline") { "timeline" } else { "" };
                let id = if out.iter().any(|s| s.id == id) { "" } else { id };
                out.push(Section { title: words, id, body: Vec::new() });
                continue;
            }
        }
        if skipping.is_some() {
            continue;
        }
        let Some(section) = out.last_mut() else { continue };
        match block {
            Block::H { level, c } => {
                last_level = level.min(last_level + 1);
                section.body.push(Form::Text { block: Block::H { level: last_level, c } });
            }
            Block::P { c } if is_prompt(&c) => prompted = true,
            Block::P { c } if plain(&c) == KEPT => held_items = true,
            Block::P { c } if plain(&c).starts_with("live: seen as it happened. reconstructed:") => {}
            Block::Table { head, rows } if is_timeline(&head) => {
                let rows: Vec<Row> = budget.of(rows).into_iter().map(|r| timeline_row(r, known)).collect();
                let hatched = rows.iter().any(|r| r.gap);
                let dashed =
                    rows.iter().any(|r| r.what.iter().any(|i| matches!(i, Inline::Label { dashed: true, .. })));
                section.body.push(Form::Timeline { rows, hatched, dashed });
                if section.id.is_empty()
                    && !section.title.is_empty()
                    && !out.iter().any(|s| s.id == "timeline")
                    && let Some(section) = out.last_mut()
                {
                    section.id = "timeline";
                }
            }
            block => {
                let mut block = block;
                tidy(&mut block, known, &mut budget, true);
                section.body.push(Form::Text { block });
            }
        }
    }
    end(&mut out, held_items || prompted);
    if budget.cut > 0 {
        cuts.push(format!(
            "{} rows of tables are not printed: a page takes {ROWS}. The Markdown has all of them.",
            budget.cut
        ));
    }
    out
}

/// Whether nothing of it would be seen.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}'))
}

/// Rows that may still be printed.
struct Budget {
    left: usize,
    cut: usize,
}

impl Budget {
    fn of<T>(&mut self, mut rows: Vec<T>) -> Vec<T> {
        let kept = rows.len().min(self.left);
        self.cut += rows.len() - kept;
        self.left -= kept;
        rows.truncate(kept);
        rows
    }
}

/// `*For the author: …*`, alone.
fn is_prompt(c: &[Inline]) -> bool {
    matches!(c, [Inline::Em { c }] if plain(c).starts_with("For the author: "))
}

fn is_timeline(head: &[Vec<Inline>]) -> bool {
    head.len() == COLUMNS.len() && head.iter().zip(COLUMNS).all(|(cell, name)| plain(cell).trim() == name)
}

fn timeline_row(mut cells: Vec<Vec<Inline>>, known: &Known) -> Row {
    let seen = cells.pop().map(|c| plain(&c).trim().to_lowercase()).unwrap_or_default();
    let evidence = cells.pop().map(|c| cited_cell(c, known)).unwrap_or_default();
    let mut what = cells.pop().unwrap_or_default();
    let time = cells.pop().unwrap_or_default();
    if let Some(Inline::Em { c }) = what.last()
        && LABELS.contains(&plain(c).trim())
    {
        let v = plain(c).trim().to_owned();
        what.pop();
        what.push(Inline::Label { v, dashed: false });
    }
    if seen == "reconstructed" {
        what.push(Inline::text(" "));
        what.push(Inline::Label { v: seen.clone(), dashed: true });
    }
    Row { time, what, evidence, gap: seen == "not recorded" }
}

/// `C1, E2` of a column that holds nothing else; a dash is an empty margin.
fn cited_cell(c: Vec<Inline>, known: &Known) -> Vec<Inline> {
    let text = plain(&c);
    match ids(text.trim(), known) {
        Some(ids) => vec![Inline::Cite { ids }],
        None if matches!(text.trim(), "–" | "-" | "") => Vec::new(),
        None => c,
    }
}

/// Headings inside of quotes and lists are bold lines, tables keep to the budget, columns of evidence are citations,
/// rows that only ask the author something are left out.
fn tidy(block: &mut Block, known: &Known, budget: &mut Budget, top: bool) {
    match block {
        Block::H { c, .. } if !top => *block = Block::P { c: vec![Inline::Strong { c: std::mem::take(c) }] },
        Block::Quote { c } => c.iter_mut().for_each(|b| tidy(b, known, budget, false)),
        Block::List { items, .. } => items.iter_mut().flatten().for_each(|b| tidy(b, known, budget, false)),
        Block::Table { head, rows } => {
            rows.retain(|row| !row.iter().any(|cell| is_prompt(cell)));
            *rows = budget.of(std::mem::take(rows));
            let column = head.iter().position(|c| plain(c).trim() == "Evidence");
            for row in rows {
                // A row that ends early has empty cells; one that goes on too long is cut, as in Markdown.
                row.resize(head.len(), Vec::new());
                if let Some(cell) = column.and_then(|i| row.get_mut(i)) {
                    *cell = cited_cell(std::mem::take(cell), known);
                }
            }
        }
        _ => {}
    }
}

/// Marks the first mention of each id and says which are mentioned.
pub(super) fn first_mentions(sections: &mut [Section]) -> HashSet<String> {
    let mut seen = HashSet::new();
    for section in sections {
        for form in &mut section.body {
            match form {
                Form::Text { block } => in_block(block, &mut seen),
                Form::Timeline { rows, .. } => {
                    for row in rows {
                        in_line(&mut row.time, &mut seen);
                        in_line(&mut row.what, &mut seen);
                        in_line(&mut row.evidence, &mut seen);
                    }
                }
            }
        }
    }
    seen
}

fn in_block(block: &mut Block, seen: &mut HashSet<String>) {
    match block {
        Block::P { c } | Block::H { c, .. } => in_line(c, seen),
        Block::Quote { c } => c.iter_mut().for_each(|b| in_block(b, seen)),
        Block::List { items, .. } => items.iter_mut().flatten().for_each(|b| in_block(b, seen)),
        // The head is printed again on every page: it can be no single place to lead back to.
        Block::Table { rows, .. } => rows.iter_mut().flatten().for_each(|c| in_line(c, seen)),
        Block::Code { .. } | Block::Rule => {}
    }
}

fn in_line(inlines: &mut [Inline], seen: &mut HashSet<String>) {
    for inline in inlines {
        match inline {
            Inline::Cite { ids } => {
                for cited in ids {
                    cited.first = seen.insert(cited.id.clone());
                }
            }
            Inline::Em { c }
            | Inline::Strong { c }
            | Inline::Del { c }
            | Inline::Unknown { c }
            | Inline::Link { c, .. } => in_line(c, seen),
            _ => {}
        }
    }
}

/// The figure stands after what it shows: the impact, else the summary, else the first section. Counted from 1; 0 is
/// before everything.
pub(super) fn figure_after(sections: &[Section]) -> usize {
    let of = |name: &str| sections.iter().position(|s| s.title.to_lowercase().contains(name)).map(|i| i + 1);
    of("impact").or_else(|| of("summary")).unwrap_or(usize::from(sections.first().is_some_and(|s| s.title.is_empty())))
}
