//! Figure 1: the incident on a time axis, drawn as SVG.
//!
//! Diamond: a change. Tick: something broke. Dot: a person. Thick bar: it hurt; thin bar: it did not. Hatched over all
//! lanes: not recorded, and there a bar is dotted, since nobody knows. An open mark was put together afterwards. Forms
//! and thicknesses carry the meaning, colour repeats it, so that it reads in grey. Each form has a class, by which a
//! page may give it other colours.

use std::fmt::Write;

use afterwatch_core::{
    Timestamp,
    evidence::Observed,
    redact,
    severity::Severity,
    timeline::{EntryKind, TimelineEntry},
    words,
};

use crate::{clock, section::Page, text::one_line};

const WIDTH: f64 = 617.0;
/// Where the axis begins; the names of the lanes stand before it.
const LEFT: f64 = 92.0;
const LANE: f64 = 20.0;
const TOP: f64 = 18.0;
/// The axis reaches back to a suspected change, but no longer than this.
const BEFORE: i64 = 20 * 60;
/// As many marks in so many pixels are one bar with a count.
const CROWD: usize = 60;
const CELL: f64 = 40.0;
/// Lanes for other workloads that were hit.
const OTHERS: usize = 3;
/// About how wide a letter of a label is.
const LETTER: f64 = 5.25;

/// The drawing with its sentences.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub svg: String,
    /// What it shows, for those who cannot see it.
    pub alt: String,
    pub caption: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Change,
    Tick,
    Person,
}

struct Mark {
    at: i64,
    shape: Shape,
    hollow: bool,
    label: String,
}

struct Bar {
    from: i64,
    to: i64,
    class: &'static str,
}

struct Lane {
    name: String,
    marks: Vec<Mark>,
    bars: Vec<Bar>,
}

struct Axis {
    from: i64,
    to: i64,
}

impl Axis {
    fn x(&self, at: i64) -> f64 {
        let share = (at - self.from) as f64 / (self.to - self.from) as f64;
        LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT)
    }

    fn has(&self, at: i64) -> bool {
        (self.from..=self.to).contains(&at)
    }
}

pub(crate) fn figure(page: &Page<'_>) -> Figure {
    let i = page.incident;
    let start = i.started_at.or(i.started_at_range.map(|(from, _)| from)).unwrap_or(i.detected_at).as_second();
    let last = i.timeline.iter().map(|e| e.at.as_second()).max().unwrap_or(start);
    let until = i.resolved_at.map_or(last.max(page.input.generated_at.as_second()), Timestamp::as_second);
    let until = until.max(start + 60);
    let suspects = i.changes.iter().filter(|c| c.suspect).map(|c| c.change.at.as_second());
    let triggers = i.timeline.iter().filter(|e| e.label.as_deref() == Some("trigger")).map(|e| e.at.as_second());
    let first = suspects.chain(triggers).filter(|at| *at >= start - BEFORE && *at <= start).min().unwrap_or(start);
    let margin = ((until - first) * 6 / 100).max(30);
    let axis = Axis { from: first.min(start) - margin, to: until + margin };
    let gaps = gaps(page, &axis);
    let lanes = lanes(page, &axis, start, until);
    let hollow = lanes.iter().any(|l| l.marks.iter().any(|m| m.hollow));
    Figure { svg: draw(page, &axis, &gaps, &lanes), alt: sentence(page, start), caption: caption(&gaps, hollow) }
}

/// The gaps in sight, those that touch as one.
fn gaps(page: &Page<'_>, axis: &Axis) -> Vec<(i64, i64)> {
    let noted = page.incident.timeline.iter().filter(|e| e.kind == EntryKind::Gap);
    let noted = noted.filter_map(|e| e.until.map(|until| (e.at.as_second(), until.as_second())));
    let mut all: Vec<(i64, i64)> =
        page.input.gaps.iter().map(|g| (g.from.as_second(), g.to.as_second())).chain(noted).collect();
    all.retain(|(from, to)| from < to && *to > axis.from && *from < axis.to);
    all.sort_unstable();
    let mut out: Vec<(i64, i64)> = Vec::new();
    for (from, to) in all {
        match out.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => out.push((from.max(axis.from), to.min(axis.to))),
        }
    }
    out
}

fn lanes(page: &Page<'_>, axis: &Axis, start: i64, until: i64) -> Vec<Lane> {
    let i = page.incident;
    let mark = |e: &TimelineEntry, shape, label: String| Mark {
        at: e.at.as_second(),
        shape,
        hollow: e.observed == Observed::Reconstructed,
        label,
    };
    let of = |kinds: &[EntryKind]| -> Vec<&TimelineEntry> {
        i.timeline.iter().filter(|e| kinds.contains(&e.kind) && axis.has(e.at.as_second())).collect()
    };
    let told = |e: &TimelineEntry| {
        let change = i.changes.iter().find(|c| e.evidence.contains(&c.id) || c.change.at == e.at);
        change.map(|c| brief(&c.change.summary)).unwrap_or_default()
    };
    let mut lanes = vec![
        Lane {
            name: "Changes".into(),
            marks: of(&[EntryKind::Change]).iter().map(|e| mark(e, Shape::Change, told(e))).collect(),
            bars: vec![],
        },
        Lane {
            name: "Symptoms".into(),
            marks: of(&[EntryKind::Symptom]).iter().map(|e| mark(e, Shape::Tick, String::new())).collect(),
            bars: vec![],
        },
    ];
    let over = i.mitigated_at.map(Timestamp::as_second);
    let mut bars = vec![Bar { from: start, to: over.unwrap_or(until), class: class(i.severity) }];
    bars.extend(over.map(|over| Bar { from: over, to: until, class: "ok" }));
    lanes.push(Lane { name: i.subject.name.clone(), marks: vec![], bars });
    for (name, bars) in others(page) {
        lanes.push(Lane { name, marks: vec![], bars });
    }
    let people = of(&[EntryKind::Note, EntryKind::Action, EntryKind::State]);
    let people: Vec<Mark> = people
        .into_iter()
        .filter(|e| e.kind != EntryKind::State || e.who.is_some())
        .map(|e| mark(e, Shape::Person, e.label.clone().unwrap_or_default()))
        .collect();
    lanes.push(Lane { name: "People".into(), marks: people, bars: vec![] });
    lanes
}

/// Other workloads that showed something, from their first finding to the last.
fn others(page: &Page<'_>) -> Vec<(String, Vec<Bar>)> {
    let mut out: Vec<(String, Vec<Bar>)> = Vec::new();
    for finding in &page.incident.findings {
        let Some(subject) = finding.subject.as_ref().filter(|s| s.key() != page.incident.subject.key()) else {
            continue;
        };
        let bar = Bar {
            from: finding.first_seen.as_second(),
            to: finding.last_seen.as_second().max(finding.first_seen.as_second() + 1),
            class: class(finding.severity),
        };
        match out.iter().position(|(name, _)| *name == subject.name) {
            Some(lane) => out[lane].1.push(bar),
            None if out.len() < OTHERS => out.push((subject.name.clone(), vec![bar])),
            None => {}
        }
    }
    out
}

fn class(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "crit",
        Severity::High => "high",
        Severity::Medium => "med",
        Severity::Low => "low",
    }
}

/// The first part of a change's summary, without the container.
fn brief(summary: &str) -> String {
    let part = summary.split("; ").next().unwrap_or_default();
    let part = match (part.find(" (container "), part.find(')')) {
        (Some(a), Some(b)) if a < b => format!("{}{}", &part[..a], &part[b + 1..]),
        _ => part.to_owned(),
    };
    // The face of the figure has no arrow, and one letter of another face would set the whole label in it.
    words::clip(&one_line(&redact::text(&part)).replace('→', "to"), 40)
}

fn caption(gaps: &[(i64, i64)], hollow: bool) -> String {
    let mut text = "Figure 1. A diamond is a change, a tick a symptom, a dot a person; a thick bar shows the impact, \
                    a thin one that it was over."
        .to_owned();
    if !gaps.is_empty() {
        text.push_str(" Hatched time was not recorded; dotted bars across it are unknown.");
    }
    if hollow {
        text.push_str(" An open mark was put together afterwards.");
    }
    text
}

/// What the picture shows, in one sentence.
fn sentence(page: &Page<'_>, start: i64) -> String {
    let i = page.incident;
    let count = |kind, one: &str| words::count(i.timeline.iter().filter(|e| e.kind == kind).count(), one);
    let time = |at: i64| Timestamp::from_second(at).map(|at| page.clock.time(at)).unwrap_or_default();
    let mut parts = vec![format!(
        "{} and {} since {}",
        count(EntryKind::Change, "change"),
        count(EntryKind::Symptom, "symptom"),
        time(start)
    )];
    parts.extend(page.sorted_gaps().iter().map(|g| format!("not recorded {}", page.clock.range(g.from, g.to))));
    parts.push(match i.mitigated_at {
        Some(over) => format!("impact over after {}", clock::seconds((over.as_second() - start).max(0) as f64)),
        None => "the impact goes on".to_owned(),
    });
    format!("Time axis of the incident: {}. The timeline lists every entry.", parts.join("; "))
}

#[path = "figure_draw.rs"]
mod drawing;
use drawing::draw;
pub(crate) use drawing::escaped;
