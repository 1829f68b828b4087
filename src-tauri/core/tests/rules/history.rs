//! What the past tells.

use super::support::*;
use afterwatch_core::{
    coverage::{EndedBy, Gap},
    history::{Metric, plots, recurring},
    incident::{Head, IncidentId, Occurrence},
    metrics::Span,
};
use jiff::tz::TimeZone;
use uuid::Uuid;

/// An incident of a fault, that began at a second of the story and was well and resolved so many seconds later.
fn head(number: u64, fault: &str, start: i64, well: Option<i64>, resolved: Option<i64>) -> Head {
    let app = checkout().container(json!({"resources": {"limits": {"memory": "64Mi"}}}));
    let mut world = world(&app, [app.pod("a", status::crashed(137, "OOMKilled", 3, -5))]);
    world.look_at(0);
    let mut head = Head::from(world.only());
    head.id = IncidentId(Uuid::from_u128(u128::from(number)));
    head.number = number;
    head.fingerprint = fault.to_owned();
    head.started_at = Some(t(start));
    head.detected_at = t(start + 4);
    head.mitigated_at = well.map(|s| t(start + s));
    head.resolved_at = resolved.map(|s| t(start + s));
    head
}

const DAY: i64 = 24 * 3600;

#[test]
fn a_fault_that_came_twice_says_how_long_it_stayed_well() {
    let heads = [
        head(3, "memory", 10 * DAY, None, None),
        head(2, "image", DAY, Some(60), Some(660)),
        head(1, "memory", 0, Some(600), Some(1200)),
    ];
    let recurring = recurring(&heads);
    assert_eq!(recurring.len(), 1);
    let r = &recurring[0];
    assert_eq!((r.newest.number, r.times.len()), (3, 2));
    assert_eq!((r.times[0].number, r.times[0].back_at, r.times[1].back_at), (1, Some(t(10 * DAY)), None));
    assert_eq!(r.longest_well(), (10 * DAY - 600) as f64);
}

#[test]
fn an_incident_that_was_reopened_came_back_too() {
    let mut again = head(1, "memory", DAY, Some(60), Some(660));
    again.earlier.push(Occurrence {
        started_at: Some(t(0)),
        detected_at: t(2),
        acknowledged_at: None,
        mitigated_at: Some(t(100)),
        resolved_at: Some(t(700)),
        recovered_by: Some("C1".into()),
    });
    let heads = [again];
    let recurring = recurring(&heads);
    assert_eq!(recurring[0].times.iter().map(|t| t.number).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(recurring[0].times[0].recovered_by.as_deref(), Some("C1"));
}

#[test]
fn a_median_needs_three_and_is_the_middle() {
    let heads = |n: i64| (0..n).map(|i| head(i as u64 + 1, "f", i * 60, Some(100 * (i + 1)), None)).collect::<Vec<_>>();
    let mitigate = |n: i64| {
        let plots = plots(&heads(n), |_| Vec::new(), &TimeZone::UTC);
        (plots[2].metric, plots[2].median, plots[2].medians.len(), plots[3].pending)
    };
    assert_eq!(mitigate(2), (Metric::Mitigate, None, 0, 2));
    assert_eq!(mitigate(3), (Metric::Mitigate, Some(200.0), 1, 3));
    assert_eq!(mitigate(4).1, Some(250.0));
}

#[test]
fn medians_are_of_calendar_quarters() {
    let quarter = 92 * DAY;
    let heads: Vec<Head> = (0..6)
        .map(|i| head(i + 1, "f", (i as i64 / 3) * quarter + i as i64, Some(10 * (i as i64 + 1)), None))
        .collect();
    let medians = &plots(&heads, |_| Vec::new(), &TimeZone::UTC)[2].medians;
    assert_eq!(medians.iter().map(|m| (m.seconds, m.of)).collect::<Vec<_>>(), [(20.0, 3), (50.0, 3)]);
    assert!(medians[0].to <= medians[1].from);
}

#[test]
fn an_end_in_a_gap_is_a_range_or_unknown_and_never_a_number() {
    let gap = |from, to| Gap { from: t(from), to: t(to), cause: EndedBy::Sleep };
    let heads = [head(1, "f", 0, Some(600), None)];
    let began_in_gap = &plots(&heads, |_| vec![gap(-60, 2)], &TimeZone::UTC)[2];
    assert_eq!(began_in_gap.dots[0].span, Span::Range(600.0, 660.0));
    assert_eq!(began_in_gap.median, None);
    let ended_in_gap = &plots(&heads, |_| vec![gap(500, 700)], &TimeZone::UTC)[2];
    assert_eq!((ended_in_gap.dots.len(), ended_in_gap.unknown), (0, 1));
}
