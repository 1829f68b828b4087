//! An incident as people read it: whole, or in the few lines that `scan` and `watch` end with.

use afterwatch_core::{
    coverage::Gap,
    evidence::Observed,
    finding::Signs,
    incident::State,
    incident::{Cause, Incident},
    metrics::{Span, times},
    object::ObjectRef,
    remediation::{Action, ActionKind},
    severity::Confidence,
    timeline::TimelineEntry,
    words,
};
use jiff::SignedDuration;

use super::page::{Look, Page};

/// Everything: headline, since when, cause, what changed, what is ruled out, next steps, timeline.
pub fn whole(page: &mut Page<'_>, i: &Incident, gaps: &[Gap]) {
    page.severe(&format!("{}  ", i.label()), i.severity, &format!("  {}", i.state.word()));
    page.heading(&i.title);
    page.blank();
    facts(page, i, gaps);
    causes(page, i);
    changed(page, i);
    ruled_out(page, i);
    next_steps(page, i);
    timeline(page, i, gaps);
    page.blank();
    page.line(format!(
        "{} kept: `kubectl afterwatch evidence {}` lists them, with an id behind it prints the excerpt.",
        words::count(i.evidence.len(), "piece of evidence").replace("piece of evidences", "pieces of evidence"),
        i.number
    ));
}

/// What broke, since when, why, and the first step. Without the number where it has none.
pub fn brief(page: &mut Page<'_>, i: &Incident) {
    page.severe(
        &if i.number == 0 { String::new() } else { format!("{}  ", i.label()) },
        i.severity,
        &format!("  {}, since {}  {}", i.state.word(), since(page.look, i), place(i)),
    );
    page.hanging("  ", &i.title, &[]);
    match i.top_cause() {
        Some(cause) => page.hanging(&format!("  {}: ", cause.confidence.word()), &cause.statement, &cause.evidence),
        None => {
            let needs = if i.needs.is_empty() {
                String::new()
            } else {
                format!(" What would tell: {}.", words::list(&i.needs, 3))
            };
            page.hanging("  ", format!("Cause not established.{needs}"), &[]);
        }
    }
    // What is well again needs no next step: following it could break what was put right.
    let hurt = matches!(i.state, State::Open | State::Acknowledged);
    if let Some(step) = i.advised().find(|a| hurt && !a.draft.command.is_empty()) {
        page.copy(2, &format!("Next: {}", step.draft.command));
    }
}

/// The timeline alone.
pub fn timeline(page: &mut Page<'_>, i: &Incident, gaps: &[Gap]) {
    page.heading(format!("Timeline, times in {}", page.look.zone_name()));
    let clock = |at| page.look.clock(at);
    let mut rows: Vec<(jiff::Timestamp, u64, String, String, Vec<String>)> =
        i.timeline.iter().map(|e| (e.at, e.seq, clock(e.at), entry(page.look, e), e.evidence.clone())).collect();
    let told =
        |g: &Gap| i.timeline.iter().any(|e| e.kind == afterwatch_core::timeline::EntryKind::Gap && e.at == g.from);
    rows.extend(
        gaps.iter().filter(|g| !told(g)).map(|g| (g.from, u64::MAX, clock(g.from), gap(page.look, g), Vec::new())),
    );
    rows.sort_by_key(|r| (r.0, r.1));
    let width = rows.iter().map(|r| r.2.chars().count()).max().unwrap_or(0);
    for (_, _, at, text, ids) in rows {
        page.hanging(&format!("  {at:<width$}  "), text, &ids);
    }
    if i.timeline.is_empty() {
        page.line("  Nothing is recorded yet.");
    }
}

/// Written steps with their kubectl lines.
pub fn steps<'a>(page: &mut Page<'_>, actions: impl Iterator<Item = &'a Action>) {
    for (n, action) in actions.enumerate() {
        step(page, n + 1, action);
    }
}

/// One of them, under its number.
pub fn step(page: &mut Page<'_>, n: usize, action: &Action) {
    let a = &action.draft;
    let prefix = format!("  {n:>2}. ");
    let text = format!("{}, {}: {}", kind(a.kind), object(&a.target), sentence(&a.because));
    page.hanging(&prefix, text, std::slice::from_ref(&action.id));
    if !a.command.is_empty() {
        page.copy(6, &a.command);
    }
    let mut small = Vec::new();
    if !a.risk.is_empty() {
        small.push(format!("At worst: {}", sentence(&a.risk)));
    }
    if !a.requires.is_empty() {
        small.push(format!("Needs the right to {}.", words::list(&a.requires, 6)));
    }
    if !small.is_empty() {
        page.hanging("      ", small.join(" "), &[]);
    }
}

/// `kind-dev / shop`.
pub fn place(i: &Incident) -> String {
    match &i.subject.namespace {
        Some(namespace) => format!("{} / {namespace}", i.cluster),
        None => i.cluster.clone(),
    }
}

/// `02:58:12 (17 m 48 s)`; a range where that is all that is known.
pub fn since(look: &Look, i: &Incident) -> String {
    if let Some((from, to)) = i.started_at_range {
        return format!("{} to {}", look.clock(from), look.clock(to));
    }
    let start = i.started_at.unwrap_or(i.detected_at);
    let end = i.resolved_at.or(i.mitigated_at).unwrap_or(look.now);
    format!("{} ({})", look.clock(start), words::span(end.duration_since(start)))
}

/// `Deployment checkout in shop`.
pub fn object(o: &ObjectRef) -> String {
    match &o.namespace {
        Some(namespace) => format!("{} {} in {namespace}", o.kind, o.name),
        None if o.kind == "External" => o.name.clone(),
        None => format!("{} {}", o.kind, o.name),
    }
}

/// `not recorded 03:04:10 to 03:06:38: API server out of reach`.
pub fn gap(look: &Look, gap: &Gap) -> String {
    format!("Not recorded until {}: {}", look.clock(gap.to), gap.cause.words())
}

/// `Established: 5 signs for, 0 against, 1 could not be checked`.
pub fn tally(confidence: Confidence, signs: &Signs) -> String {
    let mut text =
        format!("{}: {} for, {} against", confidence.word(), words::count(signs.pro as usize, "sign"), signs.against);
    if signs.unchecked > 0 {
        text.push_str(&format!(", {} could not be checked", signs.unchecked));
    }
    text
}

fn facts(page: &mut Page<'_>, i: &Incident, gaps: &[Gap]) {
    let mut rows: Vec<(&str, String)> = Vec::new();
    let start = match (i.started_at_range, i.started_at) {
        (Some((from, to)), _) => format!("between {} and {}", page.look.moment(from), page.look.moment(to)),
        (None, Some(at)) => page.look.moment(at),
        (None, None) => "not established".to_owned(),
    };
    let basis = if i.started_at_basis.is_empty() { String::new() } else { format!(", {}", i.started_at_basis) };
    rows.push(("Since", format!("{start}{basis}")));
    rows.push(("Where", format!("{}, {}", place(i), i.subject)));
    let t = times(&i.instants(), gaps);
    let after = |span: Span, from: &str| match span {
        Span::Seconds(s) => format!(", {} after it {from}", words::span(SignedDuration::from_secs_f64(s))),
        Span::Range(a, b) => format!(
            ", {} to {} after it {from}",
            words::span(SignedDuration::from_secs_f64(a)),
            words::span(SignedDuration::from_secs_f64(b))
        ),
        Span::Unknown => ", after an unknown time: an end of it was not recorded".to_owned(),
        Span::Pending => String::new(),
    };
    rows.push(("Detected", format!("{}{}", page.look.clock(i.detected_at), after(t.to_detect, "started"))));
    if let Some(at) = i.acknowledged_at {
        let who =
            i.labelled("acknowledged").and_then(|e| e.who.clone()).map(|w| format!(" by {w}")).unwrap_or_default();
        rows.push(("Acknowledged", format!("{}{who}{}", page.look.clock(at), after(t.to_acknowledge, "was detected"))));
    }
    if let Some(at) = i.mitigated_at {
        rows.push(("Mitigated", format!("{}{}", page.look.clock(at), after(t.to_mitigate, "started"))));
    }
    if let Some(at) = i.resolved_at {
        rows.push(("Resolved", format!("{}{}", page.look.clock(at), after(t.to_resolve, "started"))));
    }
    match i.recovered_by.as_deref() {
        Some("itself") => rows.push(("Recovered by", "itself".to_owned())),
        Some(id) => rows.push(("Recovered by", id.to_owned())),
        None => {}
    }
    for (name, text) in rows {
        page.hanging(&format!("{name:<14}"), text, &[]);
    }
}

fn causes(page: &mut Page<'_>, i: &Incident) {
    let Some(first) = i.causes.first() else {
        page.heading("Cause. Not established");
        match i.needs.is_empty() {
            true => page.line("  The evidence names none."),
            false => i.needs.iter().for_each(|n| page.hanging("  What would tell: ", n, &[])),
        }
        return;
    };
    page.heading(format!("Cause. {}", tally(first.confidence, &first.signs)));
    page.hanging("  ", &first.statement, &first.evidence);
    page.hanging("  To change: ", change_here(first), &[]);
    first.needs.iter().chain(&i.needs).for_each(|n| page.hanging("  What would settle it: ", n, &[]));
    for other in &i.causes[1..] {
        let prefix = format!("  Or, {}: ", other.confidence.word().to_lowercase());
        page.hanging(&prefix, &other.statement, &other.evidence);
    }
}

fn change_here(cause: &Cause) -> String {
    let mut text = object(&cause.entity);
    if cause.entity.uid.is_none() && cause.entity.kind != "External" {
        text.push_str(", which does not exist");
    }
    if let Some(referrer) = &cause.referrer {
        text.push_str(&format!(" (named by {})", object(referrer)));
    }
    if let Some(field) = &cause.field {
        text.push_str(&format!(", {field}"));
    }
    text
}

fn changed(page: &mut Page<'_>, i: &Incident) {
    if i.changes.is_empty() {
        return;
    }
    page.heading("Changed just before");
    let mut changes: Vec<_> = i.changes.iter().collect();
    changes.sort_by_key(|c| (!c.suspect, std::cmp::Reverse(c.change.at)));
    for c in changes {
        page.hanging(&format!("  {}  ", page.look.clock(c.change.at)), change(c), std::slice::from_ref(&c.id));
    }
}

/// `Deployment checkout in shop, by helm: limits.memory 512Mi → 64Mi`.
pub fn change(c: &afterwatch_core::change::IncidentChange) -> String {
    let who = c.change.who.as_deref().map(|w| format!(", by {w}")).unwrap_or_default();
    let suspect = if c.suspect { " (suspect)" } else { "" };
    let rebuilt = if c.change.observed == Observed::Reconstructed { " (reconstructed)" } else { "" };
    format!("{}{who}: {}{suspect}{rebuilt}", object(&c.change.object), c.change.summary)
}

fn ruled_out(page: &mut Page<'_>, i: &Incident) {
    if i.ruled_out.is_empty() {
        return;
    }
    page.heading("Ruled out");
    for r in &i.ruled_out {
        let word = if r.result == "open" { "Open" } else { "No" };
        page.hanging(&format!("  {word:<5} "), &r.statement, &r.evidence);
    }
}

fn next_steps(page: &mut Page<'_>, i: &Incident) {
    let hurt = matches!(i.state, State::Open | State::Acknowledged);
    page.heading(if hurt { "Next steps" } else { "Steps that were advised" });
    // What was advised stays advised; what is well again needs no step.
    let told = || i.actions.iter().filter(|a| if hurt { i.offers(a) } else { !a.withdrawn });
    if told().next().is_none() {
        page.line("  No step is known for this.");
    }
    steps(page, told());
}

fn entry(look: &Look, e: &TimelineEntry) -> String {
    let label = e.label.as_deref().map(|l| format!("[{l}] ")).unwrap_or_default();
    let who = e.who.as_deref().map(|w| format!(" ({w})")).unwrap_or_default();
    let until = e.until.map(|u| format!(" (until {})", look.clock(u))).unwrap_or_default();
    let rebuilt = if e.observed == Observed::Reconstructed { " (reconstructed)" } else { "" };
    format!("{label}{}{who}{until}{rebuilt}", e.text)
}

/// `Set image`.
fn kind(kind: ActionKind) -> String {
    let word = afterwatch_contract::document::word(&kind).replace('_', " ");
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn sentence(text: &str) -> String {
    crate::failure::sentence(text)
}
