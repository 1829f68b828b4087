//! The table at the end of the run.

use std::collections::BTreeSet;
use std::process::ExitCode;

use crate::Played;
use crate::case::Case;
use crate::grade::Marks;

pub fn print(played: &[Played], skipped: &[Case], layer: &str) -> ExitCode {
    let seconds = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.1}"));
    println!(
        "\n{:<30} {:<18} {:>6} {:>6} {:>6} {:>9} {:>7} {:>9} {:>9} {:>6}  verdict",
        "case", "rule", "cause", "entity", "field", "incidents", "shown", "detected", "resolved", "took"
    );
    for one in played {
        let of = |yes: fn(&Marks) -> (usize, usize)| match one.marks.as_ref().map(yes) {
            None | Some((_, 0)) => "–".to_owned(),
            Some((yes, all)) if all > 1 => format!("{yes}/{all}"),
            Some((1, _)) => "yes".to_owned(),
            Some(_) => "NO".to_owned(),
        };
        println!(
            "{:<30} {:<18} {:>6} {:>6} {:>6} {:>9} {:>7} {:>9} {:>9} {:>6.0}  {}",
            one.name,
            one.rule,
            of(|marks| (marks.cause, marks.faults)),
            of(|marks| (marks.entity, marks.faults)),
            of(|marks| (marks.field, marks.fields)),
            one.marks.map_or("–".to_owned(), |marks| format!("{}/{}", marks.incidents, marks.faults)),
            seconds(one.shown.map(|shown| shown.as_secs_f64())),
            seconds(one.detected),
            seconds(one.resolved),
            one.took.as_secs_f64(),
            match (one.wrong.is_empty(), one.before.is_empty()) {
                (false, _) => "FAILED".to_owned(),
                (true, true) => one.verdict.clone(),
                (true, false) => format!("{} at the second play", one.verdict),
            },
        );
    }
    println!(
        "(cause: the first one is the object to change and says what it must; entity: it is that object; incidents per \
         fault; seconds: fault to first sign, started to detected, fix to resolved, the whole case)"
    );
    families(played);
    for case in skipped {
        println!(
            "{:<30} {:<18} skipped: it needs a node whose containers run, and this layer is {layer}",
            case.name, case.rule
        );
    }
    let failed: Vec<&Played> = played.iter().filter(|one| !one.wrong.is_empty()).collect();
    if !failed.is_empty() {
        println!("\nfailures:");
    }
    for one in &failed {
        println!("  {}: {}", one.name, one.summary);
        for wrong in &one.wrong {
            println!("    {wrong}");
        }
    }
    let twice: Vec<&Played> = played.iter().filter(|one| !one.before.is_empty()).collect();
    if !twice.is_empty() {
        println!("\nplayed twice, for what was wrong first:");
    }
    for one in &twice {
        println!("  {}: {}", one.name, one.before.join("; "));
    }
    let (passed, failed, skipped) = (played.len() - failed.len(), failed.len(), skipped.len());
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; {skipped} ignored; 0 measured; 0 filtered out"
    );
    println!(
        "{passed} passed, {} of them at the second play, {failed} failed, {skipped} skipped",
        twice.iter().filter(|one| one.wrong.is_empty()).count()
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The same by family of rules.
fn families(played: &[Played]) {
    println!(
        "\n{:<20} {:>6} {:>7} {:>7} {:>7} {:>7} {:>9} {:>9} {:>9}",
        "family", "faults", "right", "cause", "entity", "field", "incidents", "notified", "seconds"
    );
    let names: BTreeSet<&str> = played.iter().filter(|one| one.marks.is_some()).map(|one| one.rule.as_str()).collect();
    for family in names.into_iter().map(Some).chain([None]) {
        let of = || played.iter().filter(|one| family.is_none_or(|family| one.rule == family));
        let marks = || of().filter_map(|one| one.marks);
        let sum = |of: fn(Marks) -> usize| marks().map(of).sum::<usize>();
        let faults = sum(|marks| marks.faults);
        if faults == 0 {
            continue;
        }
        let per = |count: usize| format!("{:.2}", count as f64 / faults as f64);
        let mut detected: Vec<f64> = of().filter(|one| one.marks.is_some()).filter_map(|one| one.detected).collect();
        detected.sort_by(f64::total_cmp);
        println!(
            "{:<20} {faults:>6} {:>7} {:>7} {:>7} {:>7} {:>9} {:>9} {:>9}",
            family.unwrap_or("all faults"),
            of().filter(|one| one.wrong.is_empty())
                .filter_map(|one| one.marks)
                .map(|marks| marks.faults)
                .sum::<usize>(),
            sum(|marks| marks.cause),
            sum(|marks| marks.entity),
            format!("{}/{}", sum(|marks| marks.field), sum(|marks| marks.fields)),
            per(sum(|marks| marks.incidents)),
            per(sum(|marks| marks.notifications)),
            detected.get(detected.len() / 2).map_or("–".to_owned(), |middle| format!("{middle:.1}")),
        );
    }
    let calm = || played.iter().filter(|one| one.rule == "calm");
    println!(
        "calm: {} of {} silent (seconds: the middle one, started to detected)",
        calm().filter(|one| one.wrong.is_empty()).count(),
        calm().count()
    );
}
