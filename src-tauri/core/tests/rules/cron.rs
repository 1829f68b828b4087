//! CronJobs that do not run.

use super::support::*;
use afterwatch_core::object::{Kind, Object};
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[
    ("cron-job-not-scheduled", a_time_zone_that_nobody_knows_is_found),
    ("cron-job-blocked", a_run_that_hangs_blocks_the_next_ones),
];

const REPORT: Expect = Expect {
    rule: "cron-job-not-scheduled",
    object: "CronJob/shop/report",
    subject: "CronJob/shop/report",
    entity: "CronJob/shop/report",
    severity: Medium,
    ..CHECKOUT
};

/// The CronJob `report` and what its controller says of it.
fn told(fields: Value, reason: &str, message: &str, times: u32) -> World {
    let cron = App::of(Kind::CronJob, "shop/report").top(fields);
    let mut world = World::new();
    world.upsert(cron.clone());
    world.upsert(event(&cron, "Warning", reason, message, -60, -10, times));
    world
}

#[test]
fn a_time_zone_that_nobody_knows_is_found() {
    let message = "invalid timeZone: \"Mars/Base\": unknown time zone Mars/Base";
    let world = told(json!({"spec": {"timeZone": "Mars/Base"}}), "UnknownTimeZone", message, 3);
    let says = &["report", "Mars/Base", "not known"];
    check(&world, Expect { cause: "cron-time-zone-unknown", field: "spec.timeZone", says, ..REPORT });
}

#[test]
fn a_schedule_that_cannot_be_read_is_found() {
    for reason in ["UnparseableSchedule", "InvalidSchedule"] {
        let message = "unparseable schedule: \"61 * * * *\" : end of range (61) above maximum (59)";
        let world = told(json!({"spec": {"schedule": "61 * * * *"}}), reason, message, 1);
        let says = &["61 * * * *", "above maximum"];
        check(&world, Expect { cause: "cron-schedule-invalid", field: "spec.schedule", says, ..REPORT });
    }
}

#[test]
fn too_many_missed_starts_end_a_cron_job() {
    let message = "too many missed start times: 101. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
    let world = told(json!({}), "TooManyMissedTimes", message, 2);
    let says = &["missed", "100", "startingDeadlineSeconds"];
    check(&world, Expect { cause: "cron-starts-missed", field: "spec.startingDeadlineSeconds", says, ..REPORT });
}

#[test]
fn a_starting_deadline_under_ten_seconds_misses_every_start() {
    let world = told(
        json!({"spec": {"startingDeadlineSeconds": 5}}),
        "MissSchedule",
        "Missed scheduled time to start a job: Thu, 12 Nov 2026 02:55:00 UTC",
        1,
    );
    let says = &["startingDeadlineSeconds is 5", "10 s"];
    check(&world, Expect { cause: "cron-starts-missed", says, ..REPORT });
}

#[test]
fn a_cron_job_that_is_asleep_has_started_since_or_missed_once_is_silent() {
    let zone = ("UnknownTimeZone", "invalid timeZone: \"Mars/Base\"");
    silent(&told(json!({"spec": {"suspend": true, "timeZone": "Mars/Base"}}), zone.0, zone.1, 3));
    silent(&told(json!({"metadata": {"deletionTimestamp": at(-1)}}), zone.0, zone.1, 3));
    silent(&told(json!({"status": {"lastScheduleTime": at(-5)}}), zone.0, zone.1, 3));
    silent(&told(json!({}), "MissSchedule", "Missed scheduled time to start a job: …", 1));
    // A CronJob that slept for long misses many starts, and then makes a Job after all.
    let many = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
    let mut world = told(json!({"status": {"lastScheduleTime": at(-60)}}), "TooManyMissedTimes", many, 1);
    let run = App::of(Kind::CronJob, "shop/report").revise(-10, json!({}));
    world.upsert_all(run.between(json!({"status": {"active": 1}})));
    silent(&world);
    let mut world = told(json!({}), zone.0, zone.1, 3);
    world.set_time(3700);
    silent(&world);
    let mut world = World::new();
    world.upsert(App::of(Kind::CronJob, "shop/report").top(json!({"spec": {"schedule": "0 3 31 2 *"}})));
    silent(&world);
}

#[test]
fn what_the_controller_refuses_is_held_for_a_moment() {
    let cron = App::of(Kind::CronJob, "shop/report").top(json!({"spec": {"timeZone": "Mars/Base"}}));
    let mut world = World::new();
    world.upsert(cron.clone());
    world.upsert(event(&cron, "Warning", "UnknownTimeZone", "invalid timeZone: \"Mars/Base\"", 0, 0, 1));
    held(&mut world, 0, 5);
}

/// The CronJob, its run since then, and how many starts were skipped.
fn running(policy: &str, since: i64, skipped: (&str, u32)) -> (World, Object) {
    let app = App::of(Kind::CronJob, "shop/report");
    let cron = app.top(json!({"spec": {"concurrencyPolicy": policy, "schedule": "*/1 * * * *"}}));
    let mut world = World::new();
    world.upsert(cron.clone());
    let run = app.between(json!({"status": {"active": 1, "startTime": at(since)}})).expect("a Job");
    world.upsert(run.clone());
    world.upsert(event(
        &cron,
        "Normal",
        skipped.0,
        "Not starting job because prior execution is running and concurrency policy is Forbid",
        since + 60,
        -5,
        skipped.1,
    ));
    (world, run)
}

const BLOCKED: Expect = Expect { rule: "cron-job-blocked", cause: "cron-run-hangs", verdict: Likely, ..REPORT };

#[test]
fn a_run_that_hangs_blocks_the_next_ones() {
    let (world, _) = running("Forbid", -600, ("JobAlreadyActive", 9));
    let says = &["report-r1", "10 m", "9 starts", "Forbid", "activeDeadlineSeconds", "*/1 * * * *"];
    let field = "spec.jobTemplate.spec.activeDeadlineSeconds";
    check(&world, Expect { field, says, ..BLOCKED });
}

#[test]
fn a_run_that_takes_a_little_longer_or_has_ended_is_silent() {
    silent(&running("Forbid", -130, ("JobAlreadyActive", 2)).0);
    silent(&running("Allow", -600, ("JobAlreadyActive", 9)).0);
    let (mut world, _) = running("Forbid", -600, ("JobAlreadyActive", 9));
    let done = json!({"status": {"active": 0, "succeeded": 1, "startTime": at(-600), "completionTime": at(-2), "conditions": [{"type": "Complete", "status": "True"}]}});
    world.upsert(App::of(Kind::CronJob, "shop/report").between(done).expect("a Job"));
    silent(&world);
}

#[test]
fn runs_that_are_replaced_before_they_end_are_found() {
    let (mut world, _) = running("Replace", -300, ("SuccessfulDelete", 5));
    check(
        &world,
        Expect {
            cause: "cron-runs-replaced",
            field: "spec.concurrencyPolicy",
            says: &["Replace", "5 times"],
            ..BLOCKED
        },
    );
    // One that succeeded since is a matter of luck, not of policy.
    let top = json!({"spec": {"concurrencyPolicy": "Replace", "schedule": "*/1 * * * *"}, "status": {"lastSuccessfulTime": at(30)}});
    world.upsert(App::of(Kind::CronJob, "shop/report").top(top));
    silent(&world);
}

#[test]
fn runs_replaced_once_or_collected_as_history_are_silent() {
    silent(&running("Replace", -300, ("SuccessfulDelete", 1)).0);
    let (mut world, _) = running("Replace", -300, ("SuccessfulDelete", 5));
    let old = App::of(Kind::CronJob, "shop/report").revise(-200, json!({}));
    world.upsert(
        old.between(json!({"status": {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}}))
            .expect("a Job"),
    );
    silent(&world);
}
