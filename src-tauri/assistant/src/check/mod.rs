//! Claims are checked by code against what they cite.
//!
//! What can be compared is compared: ids, names, images, numbers by value, times in the case's zone and in UTC, the
//! families of causes, directions of changes, people, and claims that it is over or that nothing happened. What the
//! cited items do not have is not established; what the record speaks against is struck.

mod cause;
mod claim;
mod contrary;
mod lexicon;
mod moment;
mod name;
mod number;
mod scope;
mod word;

use afterwatch_core::writing::{Case, Standing, Statement};
use cause::Tone;
use claim::Wrong;
use scope::{Scope, Scopes};

use crate::{grammar::TIMELINE, plain::NOT_ESTABLISHED, record::Record};

/// A sentence as it was written, with the ids it names. `T` stands for the timeline, the incident's own times and the
/// gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    pub text: String,
    pub cites: Vec<String>,
}

/// Checks sentences of one case. Building it reads the case once; each check is a matter of microseconds to
/// milliseconds.
pub struct Checker<'a> {
    case: &'a Case,
    record: Record<'a>,
    scopes: Scopes,
    /// Families that a cause or the suspect change of the incident establishes.
    established: Vec<usize>,
}

impl<'a> Checker<'a> {
    /// For the sentences about a case.
    pub fn new(case: &'a Case) -> Checker<'a> {
        let record = Record::new(case);
        let scopes = scope::scopes(&record);
        let mut texts = String::new();
        for cause in &case.incident.causes {
            texts.push_str(&cause.statement.to_lowercase());
            texts.push('\n');
        }
        for finding in &case.incident.findings {
            texts.push_str(&finding.message.to_lowercase());
            texts.push('\n');
        }
        if let Some(change) = record.suspect() {
            texts.push_str(&record.change(change).to_lowercase());
        }
        let of_rule = |family: &cause::Family| {
            case.incident
                .causes
                .iter()
                .map(|c| &c.rule_id)
                .chain(case.incident.findings.iter().map(|f| &f.rule_id))
                .any(|rule| family.is_of(rule))
        };
        let established = cause::families()
            .iter()
            .enumerate()
            .filter(|(_, family)| family.proven(&texts) || of_rule(family))
            .map(|(n, _)| n)
            .collect();
        Checker { case, record, scopes, established }
    }

    /// The sentence with how it stands. Only ids the incident holds are kept.
    pub fn check(&self, draft: &Draft) -> Statement {
        let cites = self.record.known(&draft.cites);
        let standing = match self.judge(draft) {
            None => Standing::Tied,
            Some(Wrong::Against(why)) => Standing::Struck(why),
            Some(Wrong::Untied(why)) => Standing::NotEstablished(why),
        };
        Statement { text: draft.text.clone(), cites, standing }
    }

    fn judge(&self, draft: &Draft) -> Option<Wrong> {
        let text = draft.text.trim();
        if text.is_empty() || text.trim_end_matches('.').eq_ignore_ascii_case(NOT_ESTABLISHED.trim_end_matches('.')) {
            return Some(Wrong::Untied("the record does not say".to_owned()));
        }
        let unknown: Vec<&str> =
            draft.cites.iter().map(String::as_str).filter(|id| *id != TIMELINE && !self.record.holds(id)).collect();
        if !unknown.is_empty() {
            return Some(Wrong::Untied(format!("{} is not in the record", unknown.join(", "))));
        }
        if draft.cites.is_empty() {
            return Some(Wrong::Untied("it cites nothing".to_owned()));
        }
        let mut scope = self.scopes.common.clone();
        for id in &draft.cites {
            match id.as_str() {
                TIMELINE => scope.join(&self.scopes.timeline),
                id => match self.scopes.by_id.get(id) {
                    Some(cited) => scope.join(cited),
                    None => return Some(Wrong::Untied(format!("{id} is not in the record"))),
                },
            }
        }
        between_cited(&mut scope);
        let cited = draft.cites.join(", ").replace(TIMELINE, "the timeline");
        let mut wrong = claim::wrong(self.case, text, &scope, &self.scopes.world);
        let mut anchors = 0usize;
        let mut take = |found: Option<Wrong>| match (&wrong, found) {
            (None | Some(Wrong::Untied(_)), Some(against @ Wrong::Against(_))) => wrong = Some(against),
            (None, found) => wrong = found,
            _ => {}
        };
        take(contrary::wrong(self.case, text, &scope));
        take(self.causes(text, &scope, &cited, &mut anchors));
        take(self.times_names_numbers(text, &scope, &cited, &mut anchors));
        anchors += usize::from(claim::is_about_state(text));
        if let Some(quoted) = claim::misquoted(text, &scope.text) {
            take_quote(&mut wrong, quoted, &cited);
        }
        if wrong.is_none() && anchors == 0 && !shares_words(text, &scope.text) {
            return Some(Wrong::Untied(format!("nothing in it can be found in {cited}")));
        }
        wrong
    }

    fn causes(&self, text: &str, scope: &Scope, cited: &str, anchors: &mut usize) -> Option<Wrong> {
        let mut untied = None;
        for clause in cause::clauses(text) {
            let causal = cause::is_causal(&clause);
            for (n, family) in cause::families().iter().enumerate() {
                for found in family.claimed(&clause) {
                    let established = self.established.contains(&n);
                    match cause::tone(&clause, found.start()) {
                        Tone::Denies => {}
                        Tone::RulesOut if family.proven(&scope.denied) => *anchors += 1,
                        Tone::RulesOut if established && family.proven(&scope.affirmed) => {
                            return Some(Wrong::Against(format!("{} is among its causes", family.name)));
                        }
                        Tone::RulesOut => {
                            untied = Some(format!("{cited} does not rule out {}", family.name));
                        }
                        Tone::Says if family.proven(&scope.affirmed) && (!causal || established) => *anchors += 1,
                        Tone::Says if family.proven(&scope.denied) && !family.proven(&scope.affirmed) => {
                            return Some(Wrong::Against(format!("{} was looked at and is not it", family.name)));
                        }
                        Tone::Says if established => {
                            untied = Some(format!("{cited} says nothing of {}", family.name));
                        }
                        Tone::Says if causal => {
                            untied = Some(format!("{} is not among the causes that were found", family.name));
                        }
                        Tone::Says => untied = Some(format!("{cited} says nothing of {}", family.name)),
                    }
                }
            }
        }
        untied.map(Wrong::Untied)
    }

    fn times_names_numbers(&self, text: &str, scope: &Scope, cited: &str, anchors: &mut usize) -> Option<Wrong> {
        let world = &self.scopes.world;
        let cites = cited.split(", ").count();
        let (times, mut rest) = moment::take(text);
        let mut untied = None;
        for (said, written) in times {
            if moment::is_among(&said, &scope.moments, &self.case.zone)
                || word::occurs(&scope.text, &written.to_lowercase())
            {
                *anchors += 1;
            } else {
                let elsewhere = moment::is_among(&said, &world.moments, &self.case.zone);
                untied.get_or_insert(not_there(&written, cited, elsewhere));
            }
        }
        for found in name::names(&rest, &world.text) {
            let lower = found.text.to_lowercase();
            let there = name::is_there(&lower, &scope.text);
            if there {
                *anchors += 1;
            } else {
                untied.get_or_insert(not_there(found.text, cited, name::is_there(&lower, &world.text)));
            }
        }
        let kinds = name::wrong_kind(&rest, &self.case.incident, &scope.text);
        if let Some(why) = kinds {
            untied.get_or_insert(why);
        }
        let hidden: Vec<(usize, usize)> = word::words(&rest)
            .into_iter()
            .filter(|w| word::is_name(w.text) && !name::is_amount(w.text))
            .map(|w| (w.at, w.text.len()))
            .collect();
        for (at, len) in hidden {
            rest.replace_range(at..at + len, &" ".repeat(len));
        }
        for said in number::numbers(&rest) {
            // "Two Services" of two cited items are counted by the citations.
            let counted = said.unit == number::Unit::Plain && said.value >= 2.0 && said.value == cites as f64;
            if counted || number::borne_out(&said, &scope.numbers, &scope.spans) {
                *anchors += 1;
                continue;
            }
            let elsewhere = number::borne_out(&said, &world.numbers, &world.spans);
            // An exit code or an amount that differs from the one that is cited is not only missing there.
            let other = scope.numbers.iter().find(|n| {
                n.unit == said.unit
                    && matches!(said.unit, number::Unit::Exit | number::Unit::Bytes | number::Unit::Port)
            });
            if let (Some(other), false) = (other, elsewhere) {
                return Some(Wrong::Against(format!("{cited} says {}", other.text)));
            }
            untied.get_or_insert(not_there(&said.text, cited, elsewhere));
        }
        untied.map(Wrong::Untied)
    }
}

/// Words between quotation marks that are not those of what is cited.
fn take_quote(wrong: &mut Option<Wrong>, quoted: String, cited: &str) {
    if wrong.is_none() {
        *wrong = Some(Wrong::Untied(format!("{cited} does not say “{quoted}”")));
    }
}

fn not_there(what: &str, cited: &str, elsewhere: bool) -> String {
    match elsewhere {
        true => format!("“{what}” is in the record, but not in {cited}"),
        false => format!("“{what}” does not occur in the record"),
    }
}

/// The time from one cited moment to another may be said.
fn between_cited(scope: &mut Scope) {
    let moments = &scope.moments[..scope.moments.len().min(6)];
    let mut spans = Vec::new();
    for (n, a) in moments.iter().enumerate() {
        for b in &moments[n + 1..] {
            let span = b.duration_since(*a).as_secs_f64().abs();
            if span > 0.0 {
                spans.push(span);
            }
        }
    }
    scope.spans.extend(spans);
}

/// Whether a third of the sentence's telling words occur in what it cites.
fn shares_words(text: &str, scope: &str) -> bool {
    let telling: Vec<String> = word::words(text)
        .into_iter()
        .map(|w| w.text.to_lowercase())
        .filter(|w| w.chars().count() >= 4 && !name::is_function_word(w))
        .collect();
    let there = telling
        .iter()
        .filter(|w| {
            let stem: String = w.chars().take(w.chars().count().saturating_sub(2).max(4)).collect();
            scope.contains(&stem)
        })
        .count();
    !telling.is_empty() && there * 3 >= telling.len()
}
