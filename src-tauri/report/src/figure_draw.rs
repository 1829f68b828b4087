//! From lanes to SVG.

use super::*;

/// Thickness and colour of a bar.
fn bar_style(class: &str) -> (f64, &'static str) {
    match class {
        "crit" => (6.0, "#a3161d"),
        "high" => (5.0, "#8f3f00"),
        "med" => (4.5, "#6b5200"),
        "low" => (4.0, "#3c5877"),
        _ => (2.5, "#23603a"),
    }
}

pub(super) fn draw(page: &Page<'_>, axis: &Axis, gaps: &[(i64, i64)], lanes: &[Lane]) -> String {
    let height = TOP + LANE * lanes.len() as f64 + 2.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" font-family=\"Noto Sans, sans-serif\" font-size=\"10.5\">\n"
    );
    grid(&mut svg, page, axis, height);
    for (from, to) in gaps {
        hatch(&mut svg, axis.x(*from), axis.x(*to), TOP - 3.0, height);
    }
    for (n, lane) in lanes.iter().enumerate() {
        let y = TOP + LANE * n as f64 + LANE / 2.0;
        let name = words::clip(&one_line(&lane.name), 15);
        text(&mut svg, "name", 0.0, y + 3.7, "start", "#4f5256", &name);
        let idle = if lane.bars.is_empty() { 0.75 } else { 0.0 };
        if idle > 0.0 {
            line(&mut svg, "lane", (LEFT, y), (WIDTH, y), "#c9c5bb", idle, "");
        }
        for bar in &lane.bars {
            draw_bar(&mut svg, axis, gaps, bar, y);
        }
        draw_marks(&mut svg, axis, gaps, &lane.marks, y);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Lines and times, at most seven of them.
fn grid(svg: &mut String, page: &Page<'_>, axis: &Axis, height: f64) {
    const STEPS: [i64; 18] = [
        10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_419_200,
        31_536_000,
    ];
    let long = axis.to - axis.from;
    let step = STEPS.into_iter().find(|s| long / s <= 6).unwrap_or(long.max(1));
    let Ok(begin) = Timestamp::from_second(axis.from) else { return };
    let shift = i64::from(begin.to_zoned(page.input.zone.clone()).offset().seconds());
    let format = match step {
        ..60 => "%H:%M:%S",
        86_400.. => "%-d %b",
        _ if long > 86_400 => "%-d %b %H:%M",
        _ => "%H:%M",
    };
    let mut at = (axis.from + shift).div_euclid(step) * step + step - shift;
    while at < axis.to {
        let x = axis.x(at);
        line(svg, "axis", (x, TOP - 3.0), (x, height), "#cfccc4", 0.75, "");
        if let Ok(moment) = Timestamp::from_second(at) {
            let label = moment.to_zoned(page.input.zone.clone()).strftime(format).to_string();
            let room = label.len() as f64 * LETTER / 2.0;
            if x - room > LEFT - 20.0 && x + room < WIDTH {
                text(svg, "time", x, 10.0, "middle", "#4f5256", &label);
            }
        }
        at += step;
    }
}

/// Diagonal strokes on the page's own colour, cut at the edges.
fn hatch(svg: &mut String, left: f64, right: f64, top: f64, bottom: f64) {
    let width = (right - left).max(1.5);
    let right = left + width;
    let _ = writeln!(
        svg,
        "<rect class=\"page\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"#fff\"/>",
        bottom - top
    );
    let mut path = String::new();
    let high = bottom - top;
    let mut foot = left - (left - LEFT).rem_euclid(5.0);
    // Each stroke rises to the right by one; it begins where it enters the box and ends where it leaves.
    while foot - high < right {
        let (mut x0, mut y0) = (foot - high, bottom);
        if x0 < left {
            (x0, y0) = (left, bottom - (left - x0));
        }
        let (mut x1, mut y1) = (foot, top);
        if x1 > right {
            (x1, y1) = (right, top + (x1 - right));
        }
        if x1 > x0 {
            let _ = write!(path, "M{x0:.1} {y0:.1}L{x1:.1} {y1:.1}");
        }
        foot += 5.0;
    }
    let _ =
        writeln!(svg, "<path class=\"hatch\" d=\"{path}\" stroke=\"#8c887d\" stroke-width=\"0.75\" fill=\"none\"/>");
}

/// Solid where it was watched, dotted where it was not.
fn draw_bar(svg: &mut String, axis: &Axis, gaps: &[(i64, i64)], bar: &Bar, y: f64) {
    let (from, to) = (bar.from.max(axis.from), bar.to.min(axis.to));
    if from >= to {
        return;
    }
    let (thick, colour) = bar_style(bar.class);
    let class = format!("bar {}", bar.class);
    let mut at = from;
    for (a, b) in gaps.iter().filter(|(a, b)| *b > from && *a < to) {
        if *a > at {
            line(svg, &class, (axis.x(at), y), (axis.x(*a), y), colour, thick, "");
        }
        let (a, b) = ((*a).max(from), (*b).min(to));
        line(svg, &class, (axis.x(a), y), (axis.x(b), y), colour, 1.75, " stroke-dasharray=\"1.75 3\"");
        at = b;
    }
    if at < to {
        let (left, right) = (axis.x(at), axis.x(to));
        line(svg, &class, (left, y), (right.max(left + 1.5), y), colour, thick, "");
    }
}

fn draw_marks(svg: &mut String, axis: &Axis, gaps: &[(i64, i64)], marks: &[Mark], y: f64) {
    let mut cells: std::collections::BTreeMap<i64, Vec<&Mark>> = std::collections::BTreeMap::new();
    for mark in marks {
        cells.entry((axis.x(mark.at) / CELL).floor() as i64).or_default().push(mark);
    }
    let mut drawn: Vec<&Mark> = Vec::new();
    for there in cells.into_values() {
        if there.len() <= CROWD {
            drawn.extend(there);
            continue;
        }
        let left = there.iter().map(|m| axis.x(m.at)).fold(f64::MAX, f64::min);
        let right = there.iter().map(|m| axis.x(m.at)).fold(0.0, f64::max).max(left + 3.0);
        line(svg, "bar crit", (left, y), (right, y), "#a3161d", 9.0, "");
        text(svg, "label", right + 4.0, y + 3.7, "start", "#1b1d1f", &there.len().to_string());
    }
    for mark in &drawn {
        form(svg, mark, axis.x(mark.at), y);
    }
    for (x, anchor, label) in placed(&drawn, axis, gaps) {
        text(svg, "label", x, y + 3.7, anchor, "#1b1d1f", &label);
    }
}

fn form(svg: &mut String, mark: &Mark, x: f64, y: f64) {
    let dash = if mark.hollow { " stroke-dasharray=\"1.6 1.4\"" } else { "" };
    let _ = match (mark.shape, mark.hollow) {
        (Shape::Change, _) => writeln!(
            svg,
            "<path class=\"mark\" d=\"M{x:.1} {:.1}L{:.1} {y:.1} {x:.1} {:.1} {:.1} {y:.1}z\" fill=\"#fff\" \
             stroke=\"#1b1d1f\" stroke-width=\"1.2\"{dash}/>",
            y - 5.5,
            x + 5.5,
            y + 5.5,
            x - 5.5
        ),
        (Shape::Tick, false) => {
            writeln!(
                svg,
                "<rect class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" width=\"2.5\" height=\"12\" fill=\"#a3161d\"/>",
                x - 1.25,
                y - 6.0
            )
        }
        (Shape::Person, false) => {
            writeln!(svg, "<circle class=\"person\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"#0b5a6e\"/>")
        }
        (Shape::Tick | Shape::Person, true) => writeln!(
            svg,
            "<circle class=\"mark\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\" fill=\"#fff\" stroke=\"#1b1d1f\" \
             stroke-width=\"1.2\"{dash}/>"
        ),
    };
}

/// Each label on the free side of its mark; those that would collide are left to the timeline.
fn placed(marks: &[&Mark], axis: &Axis, gaps: &[(i64, i64)]) -> Vec<(f64, &'static str, String)> {
    let mut taken: Vec<(f64, f64, usize)> =
        marks.iter().enumerate().map(|(n, m)| (axis.x(m.at) - 6.0, axis.x(m.at) + 6.0, n)).collect();
    let mut out = Vec::new();
    for (n, mark) in marks.iter().enumerate().filter(|(_, m)| !m.label.is_empty()) {
        let x = axis.x(mark.at);
        let long = mark.label.chars().count() as f64 * LETTER;
        let sides = [("start", x + 9.0, x + 9.0 + long, x + 9.0), ("end", x - 9.0 - long, x - 9.0, x - 9.0)];
        let free =
            |a: f64, b: f64| a >= LEFT && b <= WIDTH && !taken.iter().any(|(c, d, of)| *of != n && a < *d && *c < b);
        // Rather not over a hatch, of which it would hide a part.
        let clear = |a: f64, b: f64| !gaps.iter().any(|(from, to)| a < axis.x(*to) && axis.x(*from) < b);
        let best = sides.iter().find(|(_, a, b, _)| free(*a, *b) && clear(*a, *b));
        let best = best.or_else(|| sides.iter().find(|(_, a, b, _)| free(*a, *b)));
        if let Some((anchor, a, b, at)) = best {
            taken.push((*a, *b, usize::MAX));
            out.push((*at, *anchor, mark.label.clone()));
        }
    }
    out
}

fn line(svg: &mut String, class: &str, a: (f64, f64), b: (f64, f64), colour: &str, thick: f64, more: &str) {
    let _ = writeln!(
        svg,
        "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" \
         stroke-width=\"{thick}\"{more}/>",
        a.0, a.1, b.0, b.1
    );
}

/// A text; a label stands on the page's own colour, so that it can be read over lines and hatches.
fn text(svg: &mut String, class: &str, x: f64, y: f64, anchor: &str, colour: &str, words: &str) {
    if class == "label" {
        let long = words.chars().count() as f64 * LETTER + 3.0;
        let left = if anchor == "end" { x - long + 2.0 } else { x - 2.0 };
        let _ = writeln!(
            svg,
            "<rect class=\"page\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{long:.1}\" height=\"13\" fill=\"#fff\"/>",
            y - 10.2
        );
    }
    let words = escaped(words);
    let _ = writeln!(
        svg,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{words}</text>"
    );
}

/// For XML: nothing in it is a tag or an entity.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Not a character of XML 1.0, whatever is written for it.
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
