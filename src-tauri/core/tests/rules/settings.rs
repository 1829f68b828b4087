//! What the user set: what the rules may say, and when something is told.

use super::support::*;
use afterwatch_core::{
    incident::{Part, State},
    ledger::{self, Step},
    settings::{Delivery, Ignored, IgnoredThing, NotificationPolicy, QuietHours, RuleSetting, Settings},
    severity::Severity,
};
use afterwatch_testkit::World;
use jiff::{Timestamp, civil::time, tz::TimeZone};
use uuid::Uuid;

fn killed() -> World {
    let app = checkout().container(json!({"resources": {"limits": {"memory": "64Mi"}}}));
    world(&app, [app.pod("a", status::crashed(137, "OOMKilled", 3, -5))])
}

fn ignore(world: &mut World, cluster: Option<&str>, what: IgnoredThing) {
    let cluster = cluster.map(str::to_owned);
    world.settings.ignored.push(Ignored { id: Uuid::nil(), cluster, what, reason: None, since: t(0) });
}

#[test]
fn a_rule_that_is_switched_off_opens_nothing() {
    let mut world = killed();
    assert_eq!(world.diagnose().faults.len(), 1);
    for rule in world.diagnose().faults[0].findings.clone() {
        world.settings.rules.insert(rule.rule_id, RuleSetting { on: false, ..RuleSetting::default() });
    }
    assert_eq!((world.diagnose().faults.len(), world.look_at(0).len()), (0, 0));
}

#[test]
fn an_open_incident_does_not_heal_because_its_rule_was_switched_off() {
    let mut world = killed();
    assert_eq!(world.look_at(0), [Step::Opened]);
    for finding in world.only().findings.clone() {
        world.settings.rules.insert(finding.rule_id, RuleSetting { on: false, ..RuleSetting::default() });
    }
    assert_eq!(world.look_at(30), []);
    assert_eq!(world.only().state, State::Open);
    // When the trouble is really over, it is.
    world.set_time(60);
    world
        .upsert(checkout().container(json!({"resources": {"limits": {"memory": "64Mi"}}})).pod("a", status::ready(60)));
    assert_eq!(world.look_at(60), [Step::Mitigated]);
}

#[test]
fn a_longer_hold_time_waits_longer() {
    let mut world = killed();
    let rule = world.diagnose().faults[0].findings[0].rule_id.clone();
    for finding in world.diagnose().faults[0].findings.clone() {
        world.settings.rules.insert(finding.rule_id, RuleSetting { hold_s: Some(120), ..RuleSetting::default() });
    }
    let early = world.diagnose();
    assert!(early.faults.is_empty() && early.next_due == Some(t(115)), "{rule}: {:?}", early.next_due);
    world.set_time(115);
    assert_eq!(world.diagnose().faults.len(), 1);
}

fn from(n: u32) -> RuleSetting {
    RuleSetting { threshold: Some(n), ..RuleSetting::default() }
}

#[test]
fn what_ends_less_often_than_the_threshold_opens_nothing_and_keeps_open_what_it_was_part_of() {
    let mut world = killed();
    world.settings.rules.insert("container-oom-killed".into(), from(5));
    assert_eq!(world.diagnose().faults.len(), 0, "it was killed four times");
    world.settings.rules.insert("container-oom-killed".into(), from(4));
    assert_eq!(world.look_at(0), [Step::Opened]);
    // A hold time of one's own does not undo it, and a higher threshold heals nothing.
    world.settings.rules.insert("container-oom-killed".into(), RuleSetting { hold_s: Some(0), ..from(9) });
    assert_eq!(world.look_at(20), []);
    assert_eq!(world.only().state, State::Open);
}

#[test]
fn a_threshold_beyond_what_the_rule_allows_is_taken_as_its_limit() {
    let mut world = killed();
    world.settings.rules.insert("container-oom-killed".into(), from(0));
    assert_eq!(world.diagnose().faults.len(), 1);
    for rule in afterwatch_core::detect::rules() {
        let Some(own) = rule.threshold else { continue };
        assert!(own.least <= own.usual && own.usual <= own.most, "{}", rule.id);
        assert!(["times", "minutes", "hours"].contains(&own.unit), "{}", rule.id);
    }
}

#[test]
fn an_ignored_namespace_is_ignored_in_its_cluster_only() {
    let mut world = killed();
    ignore(&mut world, Some("elsewhere"), IgnoredThing::Namespace("shop".into()));
    assert_eq!(world.diagnose().faults.len(), 1);
    ignore(&mut world, Some("kind-dev"), IgnoredThing::Namespace("shop".into()));
    assert!(world.diagnose().faults.is_empty());
}

#[test]
fn a_label_is_ignored_by_key_or_by_value() {
    let label = |value: Option<&str>| IgnoredThing::Label { key: "app".into(), value: value.map(str::to_owned) };
    for (value, silent) in [(None, true), (Some("checkout"), true), (Some("cart"), false)] {
        let mut world = killed();
        ignore(&mut world, None, label(value));
        assert_eq!(world.diagnose().faults.is_empty(), silent, "{value:?}");
    }
}

#[test]
fn what_is_no_incident_for_one_workload_still_is_for_another() {
    let mut world = killed();
    world.look_at(0);
    let mut incident = world.only().clone();
    ledger::not_an_incident(&mut incident, t(5), "mara", Some("load test"));
    assert_eq!(incident.state, State::Resolved);
    assert!(incident.timeline.iter().any(|e| e.text.contains("not an incident: load test")));
    let parts = ledger::parts(&incident);
    assert!(parts.contains(&Part {
        rule_id: "container-oom-killed".into(),
        subject: "Deployment/shop/checkout".into(),
        part: None
    }));
    ignore(&mut world, None, IgnoredThing::NotAnIncident { number: 1, title: incident.title.clone(), parts });
    world.ledger.adopt(incident);
    assert_eq!(world.look_at(10), []);
    let cart = App::deployment("shop/cart").container(json!({"resources": {"limits": {"memory": "64Mi"}}}));
    world.run(&cart, [cart.pod("a", status::crashed(137, "OOMKilled", 3, 20))]);
    assert_eq!(world.look_at(40), [Step::Opened]);
    assert_eq!(world.only().subject.name, "cart");
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn quiet_hours_may_span_midnight_and_let_critical_through() {
    let quiet = QuietHours { from: time(22, 0, 0, 0), to: time(7, 0, 0, 0), except_critical: true };
    let policy = NotificationPolicy { quiet_hours: Some(quiet), ..NotificationPolicy::default() };
    let zone = TimeZone::fixed(jiff::tz::offset(1));
    for (moment, severity, waits) in [
        ("2026-11-12T20:59:59Z", Severity::High, false),
        ("2026-11-12T21:00:00Z", Severity::High, true),
        ("2026-11-13T05:59:59Z", Severity::High, true),
        ("2026-11-13T06:00:00Z", Severity::High, false),
        ("2026-11-13T02:00:00Z", Severity::Critical, false),
    ] {
        assert_eq!(policy.is_quiet(severity, at(moment), &zone), waits, "{moment}");
    }
    let on_call = NotificationPolicy { on_call_until: Some(at("2026-11-13T03:00:00Z")), ..policy };
    assert!(!on_call.is_quiet(Severity::High, at("2026-11-13T02:59:00Z"), &zone));
    assert!(on_call.is_quiet(Severity::High, at("2026-11-13T03:00:00Z"), &zone));
}

#[test]
fn what_is_told_follows_severity_hour_and_silences() {
    let mut world = killed();
    world.look_at(0);
    let incident = world.only().clone();
    let policy = NotificationPolicy::default();
    let zone = TimeZone::UTC;
    assert_eq!(policy.delivery(&incident, &[], t(0), &zone), Delivery::Now);
    let mut low = incident.clone();
    low.severity = Severity::Low;
    assert_eq!(policy.delivery(&low, &[], t(0), &zone), Delivery::Window);
    let whole_day = QuietHours { from: time(0, 0, 0, 0), to: time(0, 0, 0, 0), except_critical: false };
    let quiet = NotificationPolicy { quiet_hours: Some(whole_day), ..policy.clone() };
    assert_eq!(quiet.delivery(&incident, &[], t(0), &zone), Delivery::Morning);
    let silence = afterwatch_core::silence::Silence {
        id: Uuid::nil(),
        matcher: Default::default(),
        until: t(60),
        reason: String::new(),
        created_at: t(0),
    };
    assert_eq!(policy.delivery(&incident, &[silence], t(0), &zone), Delivery::Window);
}

#[test]
fn the_last_morning_is_todays_or_yesterdays() {
    let policy = NotificationPolicy::default();
    let zone = TimeZone::fixed(jiff::tz::offset(1));
    assert_eq!(policy.last_morning(at("2026-11-12T07:30:00Z"), &zone), Some(at("2026-11-12T07:30:00Z")));
    assert_eq!(policy.last_morning(at("2026-11-12T07:29:59Z"), &zone), Some(at("2026-11-11T07:30:00Z")));
    // Who sleeps until nine is told at nine.
    let late = QuietHours { from: time(22, 0, 0, 0), to: time(9, 0, 0, 0), except_critical: true };
    let policy = NotificationPolicy { quiet_hours: Some(late), ..policy };
    assert_eq!(policy.last_morning(at("2026-11-12T08:00:00Z"), &zone), Some(at("2026-11-12T08:00:00Z")));
    assert_eq!(policy.last_morning(at("2026-11-12T07:59:59Z"), &zone), Some(at("2026-11-11T08:00:00Z")));
}

#[test]
fn settings_of_another_version_are_read_as_far_as_they_are_understood() {
    let ours = json!({"id": Uuid::nil(), "cluster": null, "what": {"namespace": "lab"}, "reason": null, "since": t(0)});
    let kept = json!({
        "notifications": {"medium": "morning", "later": 1},
        "ignored": [{"what": {"phase_of_the_moon": "full"}}, ours],
        "retention": {"evidence_days": "a while"},
        "unknown": true,
    });
    let read = Settings::read(&kept);
    assert_eq!((read.notifications.medium, read.notifications.critical), (Delivery::Morning, Delivery::Now));
    assert_eq!(read.ignored.len(), 1, "one entry that is not understood costs only itself");
    assert_eq!(read.retention.evidence_days, None, "what is not understood lets go of nothing");
    let mut changed = read.clone();
    changed.ignored.clear();
    let written = read.keep(&changed, &kept);
    assert_eq!(written["ignored"], json!([{"what": {"phase_of_the_moon": "full"}}]));
    assert_eq!((&written["unknown"], &written["retention"]), (&kept["unknown"], &kept["retention"]));
    assert_eq!(Settings::read(&json!(null)), Settings::default());
}
