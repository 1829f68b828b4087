//! Lays text out for people: folded to the terminal's width, aligned, coloured by severity and by nothing else.
//! Everything that is put on a page is made inert first.

use afterwatch_core::severity::Severity;
use jiff::{Timestamp, Zoned, tz::TimeZone};
use unicode_width::UnicodeWidthStr;

use super::inert;

/// How things are shown.
#[derive(Clone, Debug)]
pub struct Look {
    pub colour: bool,
    /// Columns of the terminal; none where nothing is folded (a pipe, a file).
    pub width: Option<usize>,
    pub zone: TimeZone,
    pub now: Timestamp,
}

impl Look {
    /// `02:58:12` today, `12 Nov 2026, 02:58:12` on other days; the zone is added where it differs from today's.
    pub fn clock(&self, at: Timestamp) -> String {
        let (at, now) = (self.local(at), self.local(self.now));
        let mut text =
            at.strftime(if at.date() == now.date() { "%H:%M:%S" } else { "%-d %b %Y, %H:%M:%S" }).to_string();
        if at.offset() != now.offset() {
            text.push_str(&format!(" {}", at.strftime("%Z")));
        }
        text
    }

    /// `12 November 2026, 02:58:12 CET`.
    pub fn moment(&self, at: Timestamp) -> String {
        self.local(at).strftime("%-d %B %Y, %H:%M:%S %Z").to_string()
    }

    /// The short name of the zone that clock times are in.
    pub fn zone_name(&self) -> String {
        self.local(self.now).strftime("%Z").to_string()
    }

    fn local(&self, at: Timestamp) -> Zoned {
        at.to_zoned(self.zone.clone())
    }
}

/// A cell of a table.
pub struct Cell {
    text: String,
    severity: Option<Severity>,
}

impl Cell {
    pub fn new(text: impl AsRef<str>) -> Cell {
        Cell { text: inert::line(text.as_ref()).into_owned(), severity: None }
    }

    /// The word of a severity, in its colour.
    pub fn severity(severity: Severity) -> Cell {
        Cell { text: severity.word().to_owned(), severity: Some(severity) }
    }
}

/// Text as it grows.
pub struct Page<'a> {
    pub look: &'a Look,
    text: String,
}

impl<'a> Page<'a> {
    pub fn new(look: &'a Look) -> Page<'a> {
        Page { look, text: String::new() }
    }

    pub fn into_text(self) -> String {
        self.text
    }

    pub fn blank(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// A line, folded.
    pub fn line(&mut self, text: impl AsRef<str>) {
        self.hanging("", text, &[]);
    }

    /// A heading, with white above.
    pub fn heading(&mut self, text: impl AsRef<str>) {
        self.blank();
        let text = inert::line(text.as_ref()).into_owned();
        for line in fold(&text, self.look.width.unwrap_or(usize::MAX)) {
            self.push(&self.bold(&line));
        }
    }

    /// A text behind a prefix; what does not fit goes on below the text's own beginning. Ids stay together at the end.
    pub fn hanging(&mut self, prefix: &str, text: impl AsRef<str>, ids: &[String]) {
        let text = inert::line(text.as_ref());
        let text = if ids.is_empty() { text.into_owned() } else { format!("{text}  {}", inert::line(&ids.join(" "))) };
        let indent = prefix.width();
        let room = self.look.width.unwrap_or(usize::MAX).saturating_sub(indent).max(16);
        let mut lines = fold(&text, room).into_iter();
        self.push(&format!("{prefix}{}", lines.next().unwrap_or_default()));
        for line in lines {
            self.push(&format!("{}{line}", " ".repeat(indent)));
        }
    }

    /// A line to copy: never folded.
    pub fn copy(&mut self, indent: usize, text: &str) {
        for line in inert::lines(text).lines() {
            self.push(&format!("{}{line}", " ".repeat(indent)));
        }
    }

    /// A line that begins with a severity in its colour.
    pub fn severe(&mut self, before: &str, severity: Severity, after: &str) {
        let word = self.paint(severity);
        self.push(&format!("{}{word}{}", inert::line(before), inert::line(after)));
    }

    /// Rows under a header. The last column is folded beside the others, or below them where there is no room.
    pub fn table(&mut self, header: &[&str], rows: Vec<Vec<Cell>>) {
        let last = header.len().saturating_sub(1);
        let width = |i: usize| rows.iter().map(|r| r[i].text.width()).chain([header[i].width()]).max().unwrap_or(0);
        let widths: Vec<usize> = (0..last).map(width).collect();
        let before: usize = widths.iter().map(|w| w + 2).sum();
        let room = self.look.width.unwrap_or(usize::MAX).saturating_sub(before);
        let beside = room >= 28;
        let mut head: String = widths.iter().zip(header).map(|(w, h)| pad(h, *w)).collect();
        if beside {
            head.push_str(header[last]);
        }
        self.push(&self.bold(head.trim_end()));
        for row in rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let shown = cell.severity.map_or_else(|| cell.text.clone(), |s| self.paint(s));
                line.push_str(&shown);
                line.push_str(&" ".repeat(width + 2 - cell.text.width()));
            }
            let folded = fold(
                &row[last].text,
                if beside { room } else { self.look.width.unwrap_or(80).saturating_sub(2).max(16) },
            );
            let mut folded = folded.into_iter();
            if beside {
                line.push_str(&folded.next().unwrap_or_default());
            }
            self.push(line.trim_end());
            for rest in folded {
                self.push(&format!("{}{rest}", " ".repeat(if beside { before } else { 2 })));
            }
        }
    }

    fn push(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn bold(&self, text: &str) -> String {
        if self.look.colour && !text.is_empty() { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn paint(&self, severity: Severity) -> String {
        let code = match severity {
            Severity::Critical => "1;31",
            Severity::High => "31",
            Severity::Medium => "33",
            Severity::Low => "34",
        };
        let word = severity.word();
        if self.look.colour { format!("\u{1b}[{code}m{word}\u{1b}[0m") } else { word.to_owned() }
    }
}

fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width + 2 - text.width().min(width)))
}

/// Breaks a text at spaces; a word that is longer than the line is cut.
pub fn fold(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        let bare = word.trim_end_matches(' ');
        if used > 0 && used + bare.width() > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if bare.width() > width {
            for c in word.chars() {
                let w = c.to_string().as_str().width();
                if used + w > width {
                    lines.push(std::mem::take(&mut line));
                    used = 0;
                }
                line.push(c);
                used += w;
            }
            continue;
        }
        line.push_str(word);
        used += word.width();
    }
    lines.push(line);
    lines.iter_mut().for_each(|l| l.truncate(l.trim_end().len()));
    if lines.len() > 1 && lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(width: Option<usize>, colour: bool) -> Look {
        Look { colour, width, zone: TimeZone::UTC, now: "2026-11-12T03:15:00Z".parse().unwrap() }
    }

    #[test]
    fn long_texts_fold_at_words_and_long_words_are_cut() {
        assert_eq!(fold("checkout keeps running out of memory", 16), ["checkout keeps", "running out of", "memory"]);
        assert_eq!(fold("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(fold("日本語テキスト", 6), ["日本語", "テキス", "ト"]);
        assert_eq!(fold("as long as it likes", usize::MAX), ["as long as it likes"]);
        assert_eq!(fold("", 10), [""]);
    }

    #[test]
    fn ids_stay_with_the_text_and_lines_hang_below_their_beginning() {
        let look = look(Some(40), false);
        let mut page = Page::new(&look);
        page.hanging("  No  ", "Node memory pressure: node a has no MemoryPressure", &["E9".into()]);
        assert_eq!(page.into_text(), "  No  Node memory pressure: node a has\n      no MemoryPressure  E9\n");
    }

    #[test]
    fn a_table_is_aligned_and_folds_its_last_column() {
        let look = look(Some(60), false);
        let mut page = Page::new(&look);
        let row = |a: &str, s, b: &str| vec![Cell::new(a), Cell::severity(s), Cell::new(b)];
        page.table(
            &["Id", "Severity", "What"],
            vec![
                row("INC-1", Severity::Critical, "checkout in shop keeps running out of memory again and again"),
                row("INC-12", Severity::Low, "x\u{1b}[31m\ny"),
            ],
        );
        let text = page.into_text();
        assert_eq!(
            text,
            "Id      Severity  What\n\
             INC-1   Critical  checkout in shop keeps running out of\n                  memory again and again\n\
             INC-12  Low       x y\n"
        );
        assert!(text.lines().all(|l| l.width() <= 60));
    }

    #[test]
    fn colour_is_for_severity_only_and_can_be_off() {
        for colour in [true, false] {
            let look = look(None, colour);
            let mut page = Page::new(&look);
            page.line("plain");
            page.severe("INC-1  ", Severity::Critical, "  Open");
            assert_eq!(page.into_text().contains('\u{1b}'), colour);
        }
    }

    #[test]
    fn times_of_today_are_short_and_others_carry_their_date() {
        let look = Look { zone: TimeZone::fixed(jiff::tz::offset(1)), ..look(None, false) };
        assert_eq!(look.clock("2026-11-12T01:58:12Z".parse().unwrap()), "02:58:12");
        assert_eq!(look.clock("2026-11-10T01:58:12Z".parse().unwrap()), "10 Nov 2026, 02:58:12");
        assert_eq!(look.moment("2026-11-12T01:58:12Z".parse().unwrap()), "12 November 2026, 02:58:12 +01");
    }
}
