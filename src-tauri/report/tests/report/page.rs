//! The page as a whole, and single lines of it.

use afterwatch_core::{
    coverage::{EndedBy, Gap},
    incident::{Incident, State},
    object::ObjectRef,
    severity::Confidence,
};
use afterwatch_report::{ReportInput, file_name, html, markdown};
use jiff::tz::TimeZone;

use crate::sample::{at, coverage, gap, incident, input, object};

/// The section under a heading of the second level.
fn section(page: &str, title: &str) -> String {
    let start = page.find(&format!("\n## {title}\n")).unwrap_or_else(|| panic!("no section {title} in {page}"));
    let rest = &page[start + title.len() + 5..];
    rest[..rest.find("\n## ").unwrap_or(rest.len())].trim().to_owned()
}

fn metric(page: &str, name: &str) -> String {
    let row = page.lines().find(|l| l.starts_with(&format!("| {name}"))).unwrap();
    row.split(" | ").nth(1).unwrap().to_owned()
}

#[test]
fn a_resolved_incident_with_a_gap() {
    let (incident, gaps, coverage) = (incident(), [gap()], coverage());
    let notes = "# Mine\n\nSaw it *first* on the dashboard.\n\n[E1]: https://example.com\n```\nleft open";
    let page = markdown(&ReportInput { notes, ..input(&incident, &gaps, &coverage) });
    insta::assert_snapshot!("resolved", page);
    insta::assert_snapshot!("resolved_html", html(&page));
}

#[test]
fn an_open_incident_of_which_little_is_known() {
    let mut incident = incident();
    incident.number = 0;
    incident.state = State::Open;
    incident.verdict = Confidence::NotEstablished;
    incident.started_at = None;
    incident.acknowledged_at = None;
    incident.mitigated_at = None;
    incident.resolved_at = None;
    incident.recovered_by = None;
    incident.causes.clear();
    incident.changes.clear();
    incident.actions.clear();
    incident.ruled_out.clear();
    incident.evidence.clear();
    incident.findings.clear();
    incident.timeline.truncate(2);
    incident.timeline[0].evidence.clear();
    let gaps = [Gap { from: at("02:10:00"), to: at("02:55:00"), cause: EndedBy::Sleep }];
    let page = markdown(&input(&incident, &gaps, &[]));
    insta::assert_snapshot!("little_known", page);
}

#[test]
fn times_whose_end_lies_in_a_gap_are_unknown_and_say_which() {
    let (incident, coverage) = (incident(), coverage());
    let gaps = [Gap { from: at("03:14:00"), to: at("03:20:00"), cause: EndedBy::Sleep }];
    let page = markdown(&input(&incident, &gaps, &coverage));
    assert_eq!(metric(&page, "Time to detect"), "53 s");
    assert_eq!(metric(&page, "Time to acknowledge"), "12 m 25 s");
    assert_eq!(metric(&page, "Time to mitigate"), "unknown, the end lies in a gap (03:14:00–03:20:00)");
    assert_eq!(metric(&page, "Time to resolve (MTTR)"), "29 m 8 s");
    assert!(section(&page, "Impact").contains("*Not established:* how long it lasted; the end lies in a gap"));
    assert!(section(&page, "Summary").contains("When the impact ended is *not established*"));
}

#[test]
fn a_start_between_two_moments_gives_ranges_and_no_start_gives_none() {
    let mut incident = incident();
    incident.started_at_range = Some((at("02:50:00"), at("02:56:00")));
    let gaps = [Gap { from: at("02:50:00"), to: at("02:56:00"), cause: EndedBy::Sleep }];
    let page = markdown(&input(&incident, &gaps, &[]));
    assert_eq!(metric(&page, "Time to detect"), "between 1 m 5 s and 7 m 5 s");
    assert!(section(&page, "What is not known").contains("When exactly it started: between 02:50:00 and 02:56:00."));
    incident.started_at_range = None;
    incident.started_at = None;
    let page = markdown(&input(&incident, &gaps, &[]));
    assert_eq!(metric(&page, "Time to detect"), "unknown, the start lies in a gap (02:50:00–02:56:00)");
    assert_eq!(metric(&page, "Time to mitigate"), "unknown, the start lies in a gap (02:50:00–02:56:00)");
    assert_eq!(metric(&page, "Time to acknowledge"), "12 m 25 s");
    let page = markdown(&input(&incident, &[], &[]));
    assert_eq!(metric(&page, "Time to resolve (MTTR)"), "unknown, the start was not seen");
}

#[test]
fn a_statement_that_cites_nothing_that_is_there_is_not_established() {
    let mut incident = incident();
    incident.causes[0].evidence = vec!["E99".into()];
    let page = markdown(&input(&incident, &[], &[]));
    assert!(
        section(&page, "Root cause").contains("*Not established:* Container app was killed for exceeding its 192Mi"),
        "{page}"
    );
    incident.evidence[0].id = "E1](https://x.y".into();
    incident.causes[0].evidence = vec!["E1](https://x.y".into()];
    assert!(!markdown(&input(&incident, &[], &[])).contains("](https://"));
    assert!(!page.contains("E99"), "an id that leads nowhere is not printed");
}

#[test]
fn every_line_of_a_statement_section_cites_or_says_that_it_does_not() {
    let (incident, gaps, coverage) = (incident(), [gap()], coverage());
    let page = markdown(&input(&incident, &gaps, &coverage));
    for title in ["Summary", "Impact", "Detection", "Response and resolution", "Ruled out"] {
        for line in section(&page, title).lines().filter(|l| !l.is_empty()) {
            let cites = line.contains('[') && line.contains("].");
            assert!(cites || line.to_lowercase().contains("not established"), "{title}: {line}");
        }
    }
}

#[test]
fn an_incident_over_midnight_has_dates_and_utc_is_named() {
    let mut incident = incident();
    incident.resolved_at = Some("2026-11-13T00:10:00Z".parse().unwrap());
    let page = markdown(&ReportInput { zone: TimeZone::UTC, ..input(&incident, &[], &[]) });
    assert!(page.contains("| 12 Nov 2026, 01:56:12 | checkout keeps"), "{page}");
    assert!(page.contains("Times are UTC."));
}

#[test]
fn long_excerpts_are_cut_and_say_so() {
    let mut incident = incident();
    incident.evidence[0].draft.excerpt = (0..100).map(|n| format!("line {n}\n")).collect();
    incident.evidence[1].draft.excerpt = "x".repeat(10_000);
    let page = markdown(&input(&incident, &[], &[]));
    assert!(page.contains("line 59\n```\n\n40 more lines of E1 are in the record.\n"), "{page}");
    assert!(page.contains(&format!("\n{}…\n", "x".repeat(500))));
}

#[test]
fn files_are_named_after_incident_and_subject() {
    let named = |number, name: &str| {
        let subject = ObjectRef { name: name.into(), ..object("Deployment", "") };
        file_name(&Incident { number, subject, ..incident() })
    };
    assert_eq!(named(47, "checkout"), "INC-47-checkout.md");
    assert_eq!(named(47, "../../etc/Passwd"), "INC-47-etc-passwd.md");
    assert_eq!(named(1, "db.example.com:5432"), "INC-1-db.example.com-5432.md");
    assert_eq!(named(1, "Ünï\u{0}\n|"), "INC-1-n.md");
    assert_eq!(named(0, "…"), "incident.md");
}
