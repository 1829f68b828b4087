//! The evidence pack: what a model gets to read of an incident, chosen and ranked by code.
//!
//! Every part is one item with a place on the page and a rank. Items are taken by rank until the budget, in tokens of
//! the model that will read them, is used up; then they are written in the order of the page. Lines that quote the
//! cluster begin with `| `, so that nothing inside can end the quotation.

pub(crate) mod neutral;

use std::collections::BTreeSet;

use afterwatch_core::{
    evidence::{Evidence, EvidenceKind, Observed},
    words,
    writing::Case,
};
use neutral::{block, line};

use crate::{
    plain,
    record::{Record, action_name, object, offered},
};

/// Characters of one line that quotes the record.
const LINE: usize = 260;
/// Characters of an excerpt.
const EXCERPT: usize = 700;
/// Lines of an excerpt, the last ones of a log.
const EXCERPT_LINES: usize = 12;
/// Items that are looked at, at most: no incident makes the counting endless.
const ITEMS: usize = 120;

/// What a model gets to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pack {
    /// The page, harmless and redacted.
    pub text: String,
    /// Recorded items on it.
    pub items: u32,
    /// Ids of evidence and changes on the page: what may be cited.
    pub cites: Vec<String>,
    /// Ids of the steps on the page, in the order of the rules.
    pub actions: Vec<String>,
}

/// Something that may be put on the page.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// Headings by their order on the page.
    place: Place,
    /// Lower is taken first; 0 is always taken.
    rank: u32,
    id: Option<String>,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Head,
    Causes,
    RuledOut,
    Changes,
    Steps,
    Gaps,
    Evidence,
    Timeline,
    Notes,
}

impl Place {
    fn heading(self) -> &'static str {
        match self {
            Place::Head => "INCIDENT",
            Place::Causes => "CAUSES, established by rules",
            Place::RuledOut => "RULED OUT OR NOT CHECKED",
            Place::Changes => "CHANGES",
            Place::Steps => "STEPS OFFERED",
            Place::Gaps => "NOT RECORDED",
            Place::Evidence => "EVIDENCE",
            Place::Timeline => "TIMELINE (cite as T)",
            Place::Notes => "NOTES OF PEOPLE (not evidence)",
        }
    }
}

/// Everything that may be put on the page. Item by item its tokens are counted, then [`assemble`] chooses.
pub(crate) fn items(case: &Case) -> Vec<Item> {
    let r = Record::new(case);
    let mut out = Vec::new();
    head(&r, &mut out);
    causes(&r, &mut out);
    record(&r, &mut out);
    evidence(&r, &mut out);
    timeline(&r, &mut out);
    out.truncate(ITEMS);
    out
}

/// The page, of the items whose tokens (`counts`, in their order) fit in the budget by rank. What is indispensable
/// (the head, the first cause, the steps) is always there.
pub(crate) fn assemble(items: &[Item], counts: &[u32], budget: u32) -> Pack {
    // A heading and line ends.
    const HEADINGS: u32 = 80;
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|n| (items[*n].rank, *n));
    let mut taken: BTreeSet<usize> = BTreeSet::new();
    let mut used = HEADINGS;
    for n in order {
        let cost = counts.get(n).copied().unwrap_or(u32::MAX / 2).saturating_add(1);
        if items[n].rank == 0 || used.saturating_add(cost) <= budget {
            used = used.saturating_add(cost);
            taken.insert(n);
        }
    }
    let mut pack = Pack::default();
    let mut at: Vec<usize> = taken.into_iter().collect();
    at.sort_by_key(|n| (items[*n].place, *n));
    let mut place = None;
    for n in at {
        let item = &items[n];
        if place != Some(item.place) {
            if !pack.text.is_empty() {
                pack.text.push('\n');
            }
            pack.text.push_str(item.place.heading());
            pack.text.push('\n');
            place = Some(item.place);
        }
        pack.text.push_str(&item.text);
        pack.text.push('\n');
        pack.items += u32::from(item.place != Place::Head);
        if let Some(id) = &item.id {
            let ids = if item.place == Place::Steps { &mut pack.actions } else { &mut pack.cites };
            ids.push(id.clone());
        }
    }
    pack
}

fn head(r: &Record<'_>, out: &mut Vec<Item>) {
    let i = r.incident;
    let mut text = format!("title: {}\n", line(&i.title, LINE));
    text.push_str(&format!("where: {}, cluster {}\n", line(&object(&i.subject), LINE), line(&i.cluster, 80)));
    text.push_str(&format!("severity: {}; state: {}\n", i.severity.word(), i.state.word()));
    for at in [plain::Moment::Started, plain::Moment::Detected, plain::Moment::Ended] {
        text.push_str(&line(&plain::moment(r, at), LINE));
        text.push('\n');
    }
    out.push(Item { place: Place::Head, rank: 0, id: None, text: text.trim_end().to_owned() });
}

fn cited(r: &Record<'_>, ids: &[String]) -> String {
    match &r.known(ids)[..] {
        [] => String::new(),
        known => format!(" [{}]", known.join(", ")),
    }
}

fn causes(r: &Record<'_>, out: &mut Vec<Item>) {
    for (n, cause) in r.incident.causes.iter().take(6).enumerate() {
        let text = format!(
            "{}. {}: {}{}",
            n + 1,
            cause.confidence.word(),
            line(&cause.statement, 520),
            cited(r, &cause.evidence)
        );
        let rank = if n == 0 { 0 } else { 20 + n as u32 };
        out.push(Item { place: Place::Causes, rank, id: None, text });
    }
    for one in r.incident.ruled_out.iter().take(12) {
        let before = if one.result == "no" { "ruled out" } else { "could not be checked" };
        let text = format!("- {before}: {}{}", line(&one.statement, LINE), cited(r, &one.evidence));
        out.push(Item { place: Place::RuledOut, rank: 30, id: None, text });
    }
}

fn record(r: &Record<'_>, out: &mut Vec<Item>) {
    let suspect = r.suspect().map(|c| c.id.as_str());
    for held in r.incident.changes.iter().take(20) {
        let mark = if held.suspect { " (suspect)" } else { "" };
        let text = format!("{}{mark}: {}", held.id, line(&r.change(held), 400));
        let rank = match (Some(held.id.as_str()) == suspect, held.suspect) {
            (true, _) => 5,
            (_, true) => 15,
            _ => 45,
        };
        out.push(Item { place: Place::Changes, rank, id: Some(held.id.clone()), text });
    }
    for step in offered(r.case).into_iter().take(crate::grammar::STEPS) {
        let text = format!(
            "{}: {}: {} (at worst: {})",
            step.id,
            line(&action_name(step), LINE),
            line(&step.draft.because, LINE),
            line(&step.draft.risk, 120)
        );
        out.push(Item { place: Place::Steps, rank: 0, id: Some(step.id.clone()), text });
    }
    for gap in r.gaps().iter().take(8) {
        out.push(Item { place: Place::Gaps, rank: 8, id: None, text: format!("- {}", line(&r.gap(gap), LINE)) });
    }
}

fn evidence(r: &Record<'_>, out: &mut Vec<Item>) {
    let i = r.incident;
    let first: Vec<&String> = i.causes.first().map(|c| c.evidence.iter().collect()).unwrap_or_default();
    for e in &i.evidence {
        let place = first.iter().position(|id| **id == e.id);
        let found = i.findings.iter().any(|f| f.evidence.contains(&e.id));
        let rank = match (place, e.draft.kind) {
            (Some(n), _) => 6 + n as u32,
            // The last words of what died explain more than what is said about it.
            (None, EvidenceKind::Log) => 16,
            (None, EvidenceKind::KubeEvent) if found => 26,
            (None, _) if found => 24,
            (None, _) => 36,
        };
        out.push(Item { place: Place::Evidence, rank, id: Some(e.id.clone()), text: shown(r, e) });
    }
}

/// One piece of evidence with its excerpt behind bars.
fn shown(r: &Record<'_>, e: &Evidence) -> String {
    let draft = &e.draft;
    let seen = if draft.observed == Observed::Reconstructed { ", reconstructed" } else { "" };
    let mut text = format!(
        "{}: {} of {}, {}{seen}: {}",
        e.id,
        kind(draft.kind),
        line(&object(&draft.object), 160),
        r.time(draft.at),
        line(&draft.summary, LINE)
    );
    let excerpt = block(&tail(&draft.excerpt, draft.kind), EXCERPT);
    for row in excerpt.lines().filter(|row| !row.trim().is_empty()).take(EXCERPT_LINES) {
        text.push_str("\n| ");
        text.push_str(&words::clip(row.trim_end(), LINE));
    }
    if draft.truncated {
        text.push_str("\n(the source had more than was kept)");
    }
    text
}

/// The part of an excerpt that tells most: a log's end, anything else's beginning.
fn tail(excerpt: &str, kind: EvidenceKind) -> String {
    let lines: Vec<&str> = excerpt.lines().collect();
    match kind {
        EvidenceKind::Log => {
            let from = lines.len().saturating_sub(EXCERPT_LINES);
            lines[from..].iter().map(|row| words::clip(row, LINE)).collect::<Vec<_>>().join("\n")
        }
        _ => lines.into_iter().take(EXCERPT_LINES).collect::<Vec<_>>().join("\n"),
    }
}

fn timeline(r: &Record<'_>, out: &mut Vec<Item>) {
    let mut entries: Vec<_> = r.incident.timeline.iter().collect();
    entries.sort_by_key(|e| (e.at, e.seq));
    let many = entries.len().saturating_sub(40);
    for e in entries.into_iter().skip(many) {
        let label = e.label.as_deref().map(|l| format!(" ({})", line(l, 20))).unwrap_or_default();
        let text = format!("{}{label}: {}{}", r.time(e.at), line(&e.text, LINE), cited(r, &e.evidence));
        let rank = match e.label.as_deref() {
            Some("cause") => 60,
            Some(_) => 28,
            None => 40,
        };
        out.push(Item { place: Place::Timeline, rank, id: None, text });
    }
    let notes = block(&r.case.notes, EXCERPT);
    if !notes.trim().is_empty() {
        let quoted: Vec<String> = notes
            .lines()
            .filter(|row| !row.trim().is_empty())
            .take(EXCERPT_LINES)
            .map(|row| format!("| {}", words::clip(row, LINE)))
            .collect();
        out.push(Item { place: Place::Notes, rank: 50, id: None, text: quoted.join("\n") });
    }
}

fn kind(kind: EvidenceKind) -> &'static str {
    match kind {
        EvidenceKind::ContainerStatus => "container status",
        EvidenceKind::PodStatus => "pod status",
        EvidenceKind::Log => "log",
        EvidenceKind::KubeEvent => "Kubernetes event",
        EvidenceKind::Object => "state",
        EvidenceKind::Diff => "difference",
        EvidenceKind::Node => "node",
        EvidenceKind::Coverage => "coverage",
        EvidenceKind::Action => "action",
        EvidenceKind::Note => "note",
        EvidenceKind::Metric => "metric",
    }
}
