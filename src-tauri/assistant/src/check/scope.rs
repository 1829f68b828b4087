//! What a citation covers: the cited item itself, and what the record says on the strength of it.

use std::collections::{BTreeMap, BTreeSet};

use afterwatch_core::{
    Timestamp,
    evidence::EvidenceKind,
    metrics::Span,
    writing::{Section, Standing, Statement, Task},
};

use super::{
    moment,
    number::{self, Number, Unit},
    word::{self, occurs},
};
use crate::plain;
use crate::record::{Record, action_name, between, entity, object};

/// Text of the record with what can be compared in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    /// Everything, in small letters.
    pub text: String,
    /// Without what programs wrote into their logs, which anybody may have put there.
    pub unlogged: String,
    /// Without what says that something is not so.
    pub affirmed: String,
    /// What says that something is not so.
    pub denied: String,
    pub numbers: Vec<Number>,
    pub moments: Vec<Timestamp>,
    /// Durations in seconds.
    pub spans: Vec<f64>,
    /// What was changed, from and to.
    pub moves: Vec<(String, String)>,
    /// Field managers and people.
    pub writers: BTreeSet<String>,
}

impl Scope {
    /// Takes text in; what says `False`, and what was ruled out, is kept apart.
    pub fn add(&mut self, text: &str, denies: bool) {
        self.add_logged(text, denies);
        // A sentence of the rules quotes the last words of a program.
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('“') {
            self.unlogged.push_str(&before.to_lowercase());
            rest = after.split_once('”').map_or("", |(_, after)| after);
        }
        self.unlogged.push_str(&rest.to_lowercase());
        self.unlogged.push('\n');
    }

    /// Takes in what a program wrote.
    fn add_logged(&mut self, text: &str, denies: bool) {
        for line in text.lines() {
            let lower = line.to_lowercase();
            let no = denies
                || lower.trim_end().ends_with(": false")
                || lower.contains("reports no ")
                || lower.contains("ruled out");
            // A condition that is not known speaks neither for nor against.
            if !lower.contains("pressure: unknown") {
                let part = if no { &mut self.denied } else { &mut self.affirmed };
                part.push_str(&lower);
                part.push('\n');
            }
            self.text.push_str(&lower);
            self.text.push('\n');
        }
        let rest = moment::take(text).1;
        self.numbers.extend(number::numbers(&rest));
        self.numbers.extend(ports(&rest));
        for line in text.lines() {
            for part in line.split([';', ',', '(', ')']) {
                if let Some((from, to)) = part.split_once('→') {
                    let from = from.split_whitespace().next_back().unwrap_or_default().to_lowercase();
                    let to =
                        to.split_whitespace().next().unwrap_or_default().trim_end_matches(['.', '”']).to_lowercase();
                    self.moves.push((from, to));
                }
            }
        }
        for found in instants(text) {
            self.moments.push(found);
        }
    }

    /// Takes all of another in.
    pub fn join(&mut self, other: &Scope) {
        self.text.push_str(&other.text);
        self.unlogged.push_str(&other.unlogged);
        self.affirmed.push_str(&other.affirmed);
        self.denied.push_str(&other.denied);
        self.numbers.extend(other.numbers.iter().cloned());
        self.moments.extend(&other.moments);
        self.spans.extend(&other.spans);
        self.moves.extend(other.moves.iter().cloned());
        self.writers.extend(other.writers.iter().cloned());
    }
}

/// Ports behind addresses, as in `10.1.0.7:8080`.
fn ports(text: &str) -> impl Iterator<Item = Number> {
    text.split(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | ',' | '(' | ')')).filter_map(|word| {
        let (host, port) = word.rsplit_once(':')?;
        let port = port.trim_end_matches([':', '.']);
        let value: u16 = port.parse().ok()?;
        let number = Number { unit: Unit::Port, value: f64::from(value), text: port.to_owned(), about: false };
        (!host.is_empty() && port.len() > 1).then_some(number)
    })
}

/// Instants as the API writes them.
fn instants(text: &str) -> Vec<Timestamp> {
    text.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | '"'))
        .filter(|word| word.len() >= 20 && word.as_bytes()[4] == b'-')
        .filter_map(|word| word.trim_end_matches('.').parse().ok())
        .collect()
}

/// The record by id, and the whole of it.
pub(super) struct Scopes {
    pub by_id: BTreeMap<String, Scope>,
    /// The timeline, the incident's moments, its state and the gaps.
    pub timeline: Scope,
    /// Everything.
    pub world: Scope,
    /// What every sentence may name: the workload hit, its namespace, the cluster.
    pub common: Scope,
}

/// Builds the scopes of a case.
pub(super) fn scopes(r: &Record<'_>) -> Scopes {
    let i = r.incident;
    let mut by_id: BTreeMap<String, Scope> = BTreeMap::new();
    for e in &i.evidence {
        let mut scope = Scope::default();
        let d = &e.draft;
        scope.add(&format!("{}\n{}", object(&d.object), d.object.name), false);
        let words = format!("{}\n{}", d.summary, d.excerpt);
        match d.kind {
            EvidenceKind::Log => scope.add_logged(&words, false),
            _ => scope.add(&words, false),
        }
        scope.moments.push(d.at);
        for pair in d.excerpt.lines().collect::<Vec<_>>().windows(2) {
            if let (Some(from), Some(to)) = (pair[0].strip_prefix("- "), pair[1].strip_prefix("+ ")) {
                scope.moves.push((from.to_lowercase(), to.to_lowercase()));
            }
        }
        by_id.insert(e.id.clone(), scope);
    }
    for held in &i.changes {
        let change = &held.change;
        let mut scope = Scope::default();
        scope.add(&r.change(held), false);
        scope.add(&change.object.name, false);
        for field in &change.fields {
            let side = |v: &Option<String>| v.clone().unwrap_or_else(|| "absent".to_owned());
            let (from, to) = (side(&field.from), side(&field.to));
            scope.add(&format!("{}\n{from}\n{to}", field.path), false);
            scope.moves.push((from.to_lowercase(), to.to_lowercase()));
        }
        scope.add("a field manager, not a person; the cluster does not record who ran it, it is not recorded", false);
        scope.writers.extend(change.who.iter().map(|who| who.to_lowercase()));
        scope.moments.push(change.at);
        by_id.insert(held.id.clone(), scope);
    }
    for action in &i.actions {
        let d = &action.draft;
        let mut scope = Scope::default();
        let requires = d.requires.join(", ");
        scope.add(&format!("{}\n{}\n{}\n{}\n{requires}", action_name(action), d.because, d.risk, d.command), false);
        by_id.insert(action.id.clone(), scope);
    }
    let own = by_id.clone();
    let mut world = Scope::default();
    // A sentence of the record covers an item it cites when the item carries most of what the sentence says.
    let mut link = |text: &str, ids: &[String], denies: bool| {
        for sentence in sentences(text) {
            world.add(sentence, denies);
            for id in ids {
                let Some(scope) = by_id.get_mut(id) else { continue };
                if ids.len() == 1 || own.get(id).is_some_and(|own| carries(own, sentence)) {
                    scope.add(sentence, denies);
                }
            }
        }
    };
    for cause in &i.causes {
        link(&cause.statement, &cause.evidence, false);
    }
    for finding in &i.findings {
        link(&format!("{} ({} times)", finding.message, finding.count.max(1)), &finding.evidence, false);
    }
    for one in &i.ruled_out {
        link(&one.statement, &one.evidence, one.result == "no");
    }
    for entry in i.timeline.iter().filter(|e| e.label.as_deref() != Some("cause")) {
        link(&entry.text, &entry.evidence, false);
    }
    // What is to be changed is said on the strength of all that the cause stands on.
    for cause in &i.causes {
        for id in &cause.evidence {
            if let Some(scope) = by_id.get_mut(id) {
                scope.add(&format!("To be changed: {}", entity(cause)), false);
            }
        }
    }
    let timeline = timeline(r);
    for scope in by_id.values() {
        world.join(scope);
    }
    world.join(&timeline);
    world.add(&r.case.notes, false);
    let mut common = Scope::default();
    let s = &i.subject;
    common.add(
        &format!("{} {}\n{}\n{}\n{}", s.kind, s.name, object(s), s.namespace.clone().unwrap_or_default(), i.cluster),
        false,
    );
    common.add(&i.label(), false);
    world.join(&common);
    Scopes { by_id, timeline, world, common }
}

/// What the timeline itself carries.
fn timeline(r: &Record<'_>) -> Scope {
    let i = r.incident;
    let mut scope = Scope::default();
    scope.add(&i.title, false);
    scope.add(&format!("state {} severity {} {}", i.state.word(), i.severity.word(), i.started_at_basis), false);
    for entry in &i.timeline {
        scope.add(&entry.text, false);
        scope.moments.push(entry.at);
        scope.moments.extend(entry.until);
        scope.writers.extend(entry.who.iter().map(|who| who.to_lowercase()));
        if let Some(who) = &entry.who {
            scope.add(who, false);
        }
    }
    let ends = [i.started_at, Some(i.detected_at), i.acknowledged_at, i.mitigated_at, i.resolved_at];
    scope.moments.extend(ends.into_iter().flatten());
    if let Some((from, to)) = i.started_at_range {
        scope.moments.extend([from, to]);
    }
    for occurrence in &i.earlier {
        let ends =
            [occurrence.started_at, Some(occurrence.detected_at), occurrence.mitigated_at, occurrence.resolved_at];
        scope.moments.extend(ends.into_iter().flatten());
    }
    for gap in r.gaps() {
        scope.add(&format!("{} ({})", r.gap(&gap), between(gap.from, gap.to)), false);
        scope.moments.extend([gap.from, gap.to]);
        scope.spans.push((gap.to.duration_since(gap.from)).as_secs_f64());
    }
    let times = r.times();
    for span in [times.to_detect, times.to_acknowledge, times.to_mitigate, times.to_resolve] {
        match span {
            Span::Seconds(s) => scope.spans.push(s),
            Span::Range(a, b) => scope.spans.extend([a, b]),
            Span::Pending | Span::Unknown => {}
        }
    }
    // How long it has lasted so far, and how long it had to stay well.
    if i.mitigated_at.is_none() {
        let since = i.started_at.unwrap_or(i.detected_at);
        scope.spans.push(r.case.now.duration_since(since).as_secs_f64());
    }
    if let (Some(a), Some(b)) = (i.mitigated_at, i.resolved_at) {
        scope.spans.push(b.duration_since(a).as_secs_f64());
    }
    if let (Some(change), Some(start)) = (r.suspect(), i.started_at) {
        scope.spans.push(start.duration_since(change.change.at).as_secs_f64().abs());
    }
    // What the rules say of the timeline is said by the timeline.
    for section in [Section::Detection, Section::Response, Section::Impact, Section::RootCause, Section::ActionItems] {
        let said = plain::write(r.case, &Task::Section(section)).statements;
        let own = |s: &&Statement| s.standing == Standing::Tied && (s.cites.is_empty() || s.text.starts_with("It is "));
        for statement in said.iter().filter(own) {
            scope.add(&statement.text, false);
        }
    }
    scope.add(&plain::moment(r, plain::Moment::Ended), false);
    let count = |n: usize, what: &str| format!("{n} {what}");
    scope.add(&count(i.findings.len(), "findings"), false);
    scope.add(&count(i.changes.len(), "changes"), false);
    scope.add(&count(r.case.gaps.len(), "gaps"), false);
    scope
}

/// Sentences of the record.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split(". ").filter(|s| !s.trim().is_empty())
}

/// Whether an item has more than half of the names, numbers and times of a sentence.
fn carries(own: &Scope, sentence: &str) -> bool {
    let (said, rest) = moment::take(sentence);
    let mut all = 0usize;
    let mut there = 0usize;
    for (said, _) in &said {
        all += 1;
        there += usize::from(moment::is_among(said, &own.moments, &jiff::tz::TimeZone::UTC));
    }
    let mut names = rest.clone();
    for w in word::words(&rest) {
        if word::is_name(w.text) {
            all += 1;
            there += usize::from(occurs(&own.text, &w.text.to_lowercase()));
            names.replace_range(w.at..w.at + w.text.len(), &" ".repeat(w.text.len()));
        }
    }
    for n in number::numbers(&names) {
        all += 1;
        there += usize::from(number::borne_out(&n, &own.numbers, &[]));
    }
    all == 0 || there * 2 > all
}
