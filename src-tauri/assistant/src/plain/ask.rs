//! Answers to questions, by words: the common ones are understood, others are looked up in the record.

use std::sync::LazyLock;

use afterwatch_core::{
    evidence::EvidenceKind,
    writing::{Standing, Statement},
};
use regex::Regex;

use super::{NOT_ESTABLISHED, advise, search, section, unknown};
use crate::record::Record;

/// A question answers at most this many statements.
const CAP: usize = 8;

/// What a question is after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    NotKnown,
    RuledOut,
    Recorded,
    Who,
    Steps,
    Impact,
    HowLong,
    Over,
    Detected,
    Changed,
    Since,
    Why,
    LastWords,
    What,
}

/// Told in this order, whatever the order of the words.
static WORDS: LazyLock<Vec<(About, Regex)>> = LazyLock::new(|| {
    [
        (About::What, r"\bwhat('s| is| was| are| has| had)? (wrong|broken?|failing|down|happen(ed|ing)|going on|the (problem|matter|issue|incident))|\bwhat (broke|happened|failed)\b|\bsumm(ary|ari[sz]e)\b|\btl;?dr\b|\bwhich (pods?|workloads?|services?|things?) (is|are|was|were|broke)|\boverview\b|\bexplain (this|the) incident\b"),
        (About::Why, r"\bwhy\b|\b(root )?causes?\b|\bcaused\b|\breasons?\b|\bhow come\b|\bwhat made\b|\bto blame\b|\bculprit\b"),
        (About::Since, r"\bsince when\b|\bwhen did (it|this|that|the \w+) (start|begin|break|first)|\bstart(ed)? when\b|\bwhen (was|were) (it|this) first\b|\bbeginning\b|\bwhat time did\b.*\b(start|begin|break)|\bwhen did (it|this) happen\b"),
        (About::Changed, r"\bchang(e|ed|es)\b|\b(deploy|roll-?out|release)(ed|s|ments?)?\b.*\b(before|recent|last|just)|\btrigger(ed)?\b|\bwhat was different\b|\b(new|recent) (version|release|deploy\w*)\b"),
        (About::Steps, r"\bwhat (should|can|could|do|must) (i|we|one)\b|\bhow (do|can|should|could) (i|we|one)\b.*|\b(fix|mitigate|repair|remedy|remediat\w+|solve) (it|this|that)\b|\bnext steps?\b|\brecommend\w*|\badvi[cs]e\b|\bwhat now\b|\bdo first\b|\broll ?back\b"),
        (About::RuledOut, r"\bruled? out\b|\beliminat\w+|\bexclu(de|ded)\b|\bnot the cause\b|\bwhat is it not\b|\bwas checked\b|\bcan we rule\b"),
        (About::Over, r"\b(is|was) (it|this|that) (over|still|fixed|resolved|ok|well|back|recovered|done|mitigated)\b|\bstill (broken|failing|down|going|happening|open|ongoing)\b|\brecover(ed|y)?\b|\bresolved\b|\bare we (ok|fine|good|back)\b|\bongoing\b|\bhow did it end\b|\bwhat fixed it\b|\bwhen did it (end|stop|recover)\b"),
        (About::HowLong, r"\bhow long\b|\bduration\b|\btime to (mitigate|resolve|recover)\b|\bmttr\b|\bhow many (minutes|hours|seconds)\b"),
        (About::Impact, r"\bimpact(ed)?\b|\baffected\b|\b(users?|customers?|requests?)\b|\bhow (bad|severe|serious)\b|\bseverity\b|\bblast radius\b|\bhurt\b|\bdowntime\b|\boutage\b"),
        (About::Who, r"\bwho\b|\bwhose\b|\bwhich person\b"),
        (About::Detected, r"\bdetect(ed|ion)?\b|\bnotif(y|ied|ication)s?\b|\balert(ed|s)?\b|\backnowledg\w+|\bnoticed\b|\bhow was it found\b|\btime to detect\b"),
        (About::Recorded, r"\brecord(ed|ing)?\b|\bgaps?\b|\bwatch(ed|ing)\b|\bobserv(ed|ing)\b|\bmissing data\b|\bcoverage\b|\bcomplete\b"),
        (About::NotKnown, r"\b(not|n't|un)[ -]?known\b|\bunknowns?\b|\bnot (clear|established|sure)\b|\bunclear\b|\bopen questions?\b|\bdon'?t we know\b|\bwe don'?t know\b|\buncertain\w*"),
        (About::LastWords, r"\blogs?\b|\blast words\b|\bsay before\b|\bstack ?trace\b|\boutput\b|\berror messages?\b|\bexception\b"),
    ]
    .into_iter()
    .filter_map(|(about, pattern)| Some((about, Regex::new(pattern).ok()?)))
    .collect()
});

/// The answer; never empty.
pub(super) fn answer(r: &Record<'_>, question: &str) -> Vec<Statement> {
    let asked = question.to_lowercase();
    let mut abouts: Vec<About> = WORDS.iter().filter(|(_, p)| p.is_match(&asked)).map(|(a, _)| *a).collect();
    // "What was recorded as the cause" and the like ask for the thing, not for the recording.
    let narrow = |a: &About| !matches!(a, About::Recorded | About::What);
    if abouts.len() > 1 && abouts.contains(&About::Recorded) && abouts.iter().any(narrow) {
        abouts.retain(|a| *a != About::Recorded);
    }
    if abouts.contains(&About::NotKnown) {
        abouts = vec![About::NotKnown];
    }
    // Who is asked about something that changed is answered by what the cluster knows of writers.
    if abouts.contains(&About::Who) {
        abouts.retain(|a| !matches!(a, About::Changed | About::Why));
    }
    // The reason for a step is with the step; the cause of a fault that a person asks to mend is not asked for.
    if abouts.contains(&About::RuledOut) {
        abouts.retain(|a| !matches!(a, About::Why));
    }
    let mut out: Vec<Statement> = Vec::new();
    for about in abouts {
        for statement in told(r, about) {
            if !out.contains(&statement) {
                out.push(statement);
            }
        }
    }
    if out.is_empty() {
        out = search::rows(r, &asked);
    }
    if out.is_empty() {
        let standing = Standing::NotEstablished("nothing that was recorded speaks of it".to_owned());
        return vec![Statement { text: NOT_ESTABLISHED.to_owned(), cites: Vec::new(), standing }];
    }
    out.truncate(CAP);
    out
}

fn told(r: &Record<'_>, about: About) -> Vec<Statement> {
    match about {
        About::What => {
            let mut out = vec![section::what_is_wrong(r)];
            out.extend(
                r.incident
                    .findings
                    .iter()
                    .filter(|f| f.active || r.incident.mitigated_at.is_some())
                    .take(3)
                    .map(|f| r.cited(&f.message, &f.evidence)),
            );
            out
        }
        About::Why => {
            let mut out = vec![section::cause_in_a_sentence(r)];
            if r.cause().is_none() {
                let needs = r.incident.needs.iter();
                out.extend(needs.map(|n| r.recorded(&format!("What would settle it: {n}"), &[])));
            }
            out
        }
        About::Since => vec![section::start(r)],
        About::Changed => {
            let mut out = match r.suspect() {
                Some(_) => section::trigger(r),
                None => Vec::new(),
            };
            let suspect = r.suspect().map(|c| c.id.clone());
            let others = r.incident.changes.iter().filter(|c| Some(&c.id) != suspect.as_ref()).take(3);
            out.extend(others.map(|c| r.cited(&r.change(c), std::slice::from_ref(&c.id))));
            if out.is_empty() {
                let why = "no recorded change came just before and touches what failed";
                out.push(unknown(&format!("What changed is not established: {why}"), why));
                out.extend(r.gaps().iter().map(|gap| r.recorded(&r.gap(gap), &[])));
            }
            out
        }
        About::Steps => advise::advise(r).0,
        About::RuledOut => section::ruled_out(r),
        About::Over => {
            let mut out = vec![section::end(r)];
            match r.incident.resolved_at {
                Some(at) => out.push(r.recorded(&format!("It is resolved since {}", r.time(at)), &[])),
                None => out.push(r.recorded(&format!("Its state is {}", r.incident.state.word().to_lowercase()), &[])),
            }
            out
        }
        About::HowLong => vec![section::duration(r)],
        About::Impact => {
            let severity = r.incident.severity.word().to_lowercase();
            let mut out = vec![r.recorded(&format!("The severity is {severity}"), &[])];
            out.extend(section::impact(r));
            out
        }
        About::Who => {
            let mut out: Vec<Statement> = section::who(r).into_iter().collect();
            out.extend(section::people(r));
            if out.is_empty() {
                let why = "the cluster does not record who did it, and nobody wrote an entry";
                out.push(unknown(&format!("Who it was is not established: {why}"), why));
            }
            out
        }
        About::Detected => section::detection(r),
        About::Recorded => {
            let gaps = r.gaps();
            match gaps.is_empty() {
                true => vec![r.recorded("No gap in the record is known around the incident", &[])],
                false => gaps.iter().map(|gap| r.recorded(&r.gap(gap), &[])).collect(),
            }
        }
        About::NotKnown => section::not_known(r),
        About::LastWords => {
            let logs = r.incident.evidence.iter().filter(|e| e.draft.kind == EvidenceKind::Log);
            logs.take(3).map(|e| r.cited(&e.draft.summary, std::slice::from_ref(&e.id))).collect()
        }
    }
}
