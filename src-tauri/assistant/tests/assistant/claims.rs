//! What is caught: false sentences planted into drafts of different incidents, and true ones that must stand.
//!
//! A line is the incident, what the sentence cites, and the sentence. The true ones are worded by hand, not by the
//! templates; the false ones name a wrong pod, number, time, cause, image or person, or give a right fact a wrong id.

use std::collections::BTreeMap;

use afterwatch_assistant::{
    check::{Checker, Draft},
    exam,
};
use afterwatch_core::writing::{Case, Standing};

const INCIDENTS: &[(&str, &str)] = &[
    ("oom", "out-of-memory-after-release"),
    ("img", "bad-image-old-pods-serve"),
    ("gap", "broken-while-nobody-watched"),
    ("conf", "config-value-crash"),
    ("node", "node-lost-with-workloads"),
    ("sec", "secret-key-missing-after-release"),
    ("env", "environment-variable-missing"),
    ("dns", "host-name-unknown"),
    ("auth", "image-unauthorised"),
    ("probe", "readiness-503"),
    ("mem", "memory-limit-without-change"),
    ("quota", "quota-used-up"),
    ("sel", "service-selector-wrong"),
    ("class", "storage-class-missing"),
];

fn cases() -> BTreeMap<String, Case> {
    let papers = exam::papers();
    let all = papers.iter().map(|p| (p.name.clone(), p.case()));
    let short = INCIDENTS.iter().map(|(short, name)| {
        let paper = papers.iter().find(|p| p.name == *name).unwrap_or_else(|| panic!("no paper {name}"));
        ((*short).to_owned(), paper.case())
    });
    all.chain(short).collect()
}

/// The sentences that stand, and those that do not with the reason.
fn judge(lines: &str) -> (Vec<String>, Vec<String>) {
    let cases = cases();
    let checkers: BTreeMap<&str, Checker<'_>> =
        cases.iter().map(|(name, case)| (name.as_str(), Checker::new(case))).collect();
    let (mut stand, mut flagged) = (Vec::new(), Vec::new());
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let mut parts = line.splitn(3, '|');
        let (Some(of), Some(cites), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
            panic!("not a line: {line}")
        };
        let draft =
            Draft { text: text.trim().to_owned(), cites: cites.split(',').map(|id| id.trim().to_owned()).collect() };
        match checkers[of].check(&draft).standing {
            Standing::Tied => stand.push(line.to_owned()),
            Standing::NotEstablished(why) => flagged.push(format!("{line}\n      not established: {why}")),
            Standing::Struck(why) => flagged.push(format!("{line}\n      struck: {why}")),
        }
    }
    (stand, flagged)
}

#[test]
fn of_a_hundred_false_sentences_at_least_98_are_flagged() {
    let (stand, flagged) = judge(include_str!("claims/false.txt"));
    let all = stand.len() + flagged.len();
    println!("false sentences: {} of {all} flagged; missed:\n  {}", flagged.len(), stand.join("\n  "));
    assert!(all >= 100, "{all}");
    assert!(flagged.len() * 100 >= all * 98, "{} of {all} were flagged", flagged.len());
}

#[test]
fn of_a_hundred_true_sentences_at_most_2_are_flagged() {
    let (stand, flagged) = judge(include_str!("claims/true.txt"));
    let all = stand.len() + flagged.len();
    println!("true sentences: {} of {all} flagged:\n  {}", flagged.len(), flagged.join("\n  "));
    assert!(all >= 100, "{all}");
    assert!(flagged.len() * 100 <= all * 2, "{} of {all} were flagged", flagged.len());
}

/// Sentences that were written after the check. At first sight it flagged 37 of 40 false and 4 of 40 true ones, which
/// is what to expect of text it has not seen; a few general forms were mended since.
#[test]
fn sentences_it_was_never_fitted_to_are_told_apart_as_well() {
    let (stand, flagged) = judge(include_str!("claims/fresh_false.txt"));
    println!(
        "unseen false sentences: {} of {} flagged; missed:\n  {}",
        flagged.len(),
        flagged.len() + stand.len(),
        stand.join("\n  ")
    );
    assert!(flagged.len() * 10 >= (flagged.len() + stand.len()) * 8);
    let (stand, flagged) = judge(include_str!("claims/fresh_true.txt"));
    println!(
        "unseen true sentences: {} of {} flagged:\n  {}",
        flagged.len(),
        flagged.len() + stand.len(),
        flagged.join("\n  ")
    );
    assert!(flagged.len() * 10 <= (flagged.len() + stand.len()) * 3);
}

/// The opposite of what is cited, a number in words, a share nobody counted, another severity, a deed of Afterwatch.
/// Sentences made to get past the check, which was mended for them: of the next twenty of that kind, which it had never
/// seen, it flagged nine. What is false by a verb alone is beyond it.
#[test]
fn the_opposite_of_what_is_cited_is_flagged_and_the_same_words_in_true_sentences_are_not() {
    let (stand, flagged) = judge(include_str!("claims/contrary_false.txt"));
    println!("{} flagged:\n  {}\nmissed:\n  {}", flagged.len(), flagged.join("\n  "), stand.join("\n  "));
    let (_, wrongly) = judge(include_str!("claims/contrary_true.txt"));
    println!("true ones flagged:\n  {}", wrongly.join("\n  "));
    assert!(stand.is_empty() && wrongly.is_empty());
}
