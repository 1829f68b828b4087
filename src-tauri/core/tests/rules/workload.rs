//! Roll-outs that stand still, pods that are refused, jobs that give up.

use super::support::*;
use afterwatch_core::object::Kind;
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[
    ("deployment-stuck", a_roll_out_past_its_deadline_is_found),
    ("pods-not-created", a_quota_that_is_used_up_is_found),
    ("job-failed", a_job_that_gave_up_quotes_its_last_words),
];

fn progress(reason: &str, status: &str, fields: Value) -> Value {
    let mut out = json!({"status": {"conditions": [{"type": "Progressing", "status": status, "reason": reason, "message": "ReplicaSet has timed out progressing.", "lastTransitionTime": at(-20)}]}});
    merge(&mut out, &fields);
    out
}

#[test]
fn a_roll_out_past_its_deadline_is_found() {
    let app = checkout().replicas(3);
    let mut world = World::new();
    world.run(&app, [app.pod("a", status::ready(-20)), app.pod("b", status::waiting("ContainerCreating", "", -620))]);
    let late = progress(
        "ProgressDeadlineExceeded",
        "False",
        json!({"spec": {"progressDeadlineSeconds": 60}, "status": {"availableReplicas": 1, "readyReplicas": 1, "updatedReplicas": 2}}),
    );
    world.upsert(app.top(late));
    check(
        &world,
        Expect {
            rule: "deployment-stuck",
            object: "Deployment/shop/checkout",
            cause: "deployment-stuck",
            verdict: Possible,
            severity: Medium,
            says: &["60 s", "1 of 3"],
            ..CHECKOUT
        },
    );
}

#[test]
fn roll_outs_that_move_pause_or_end_are_silent() {
    let app = checkout();
    let cases = [
        progress("ReplicaSetUpdated", "True", json!({})),
        progress("NewReplicaSetAvailable", "True", json!({})),
        progress("DeploymentPaused", "Unknown", json!({"spec": {"paused": true}})),
        progress("ProgressDeadlineExceeded", "False", json!({"spec": {"paused": true}})),
        progress("ProgressDeadlineExceeded", "False", json!({"metadata": {"deletionTimestamp": at(-1)}})),
    ];
    for fields in cases {
        let mut world = world(&app, [app.pod("a", status::ready(-60))]);
        world.upsert(app.top(fields));
        silent(&world);
    }
}

const REFUSED: Expect =
    Expect { rule: "pods-not-created", object: "ReplicaSet/shop/checkout-r1", cause: "quota-exceeded", ..CHECKOUT };

/// A ReplicaSet that has no pods, for this reason.
fn refused(app: &App, message: &str) -> World {
    let mut world = World::new();
    let set = app.between(json!({"status": {"replicas": 0}})).expect("a ReplicaSet");
    world.upsert_all([app.top(json!({})), set.clone()]);
    world.upsert(event(&set, "Warning", "FailedCreate", message, -30, -5, 7));
    world
}

#[test]
fn a_quota_that_is_used_up_is_found() {
    let message = "Error creating: pods \"checkout-r1-x\" is forbidden: exceeded quota: team, requested: pods=1, used: pods=4, limited: pods=4";
    let mut world = refused(&checkout(), message);
    world.upsert(object("ResourceQuota shop/team", json!({"status": {"hard": {"pods": "4"}, "used": {"pods": "4"}}})));
    let fault = check(
        &world,
        Expect {
            entity: "ResourceQuota/shop/team",
            field: "spec.hard[pods]",
            says: &["team", "pods=1", "pods=4"],
            ..REFUSED
        },
    );
    assert!(fault.evidence.iter().any(|e| e.excerpt.contains("4 used of 4")), "the quota's own numbers");
}

#[test]
fn every_way_to_refuse_a_pod_has_its_cause() {
    let cases = [
        (
            "failed quota: team: must specify limits.memory for: app",
            "quota-needs-resources",
            "Deployment/shop/checkout",
            "limits.memory",
        ),
        (
            "error looking up service account shop/robot: serviceaccount \"robot\" not found",
            "service-account-missing",
            "ServiceAccount/shop/robot?",
            "robot",
        ),
        (
            "admission webhook \"policy.corp.test\" denied the request: images must be signed",
            "admission-denied",
            "Deployment/shop/checkout",
            "images must be signed",
        ),
        (
            "maximum memory usage per Container is 1Gi, but limit is 2Gi",
            "limit-range-violated",
            "Deployment/shop/checkout",
            "1Gi",
        ),
        (
            "violates PodSecurity \"restricted:latest\": privileged (container \"app\" must not set securityContext.privileged=true)",
            "pod-security-violated",
            "Deployment/shop/checkout",
            "privileged",
        ),
        ("no PriorityClass with name gold was found", "priority-class-missing", "Deployment/shop/checkout", "gold"),
        (
            "pods \"checkout-\" is forbidden: nobody knows why",
            "pod-refused",
            "Deployment/shop/checkout",
            "nobody knows why",
        ),
    ];
    for (why, cause, entity, word) in cases {
        let world = refused(&checkout(), &format!("Error creating: pods \"checkout-r1-x\" is forbidden: {why}"));
        let fault = check(&world, Expect { cause, entity, ..REFUSED });
        says(&fault.causes[0], &[word]);
    }
}

#[test]
fn a_webhook_that_cannot_be_called_is_the_one_to_mend() {
    let message = "Error creating: Internal error occurred: failed calling webhook \"policy.corp.test\": failed to call webhook: Post \"https://policy.ops.svc:443/\": dial tcp 10.0.0.9:443: connect: connection refused";
    let fault = refused(&checkout(), message).diagnose().faults.remove(0);
    assert_eq!(
        (fault.causes[0].rule_id.as_str(), fault.causes[0].entity.name.as_str()),
        ("webhook-unreachable", "policy")
    );
    says(&fault.causes[0], &["policy.corp.test", "connection refused"]);
}

#[test]
fn a_refusal_is_held_for_a_moment_and_forgotten_when_the_pods_are_there() {
    let app = checkout();
    let mut world = World::new();
    let set = app.between(json!({"status": {"replicas": 0}})).expect("a ReplicaSet");
    world.upsert_all([app.top(json!({})), set.clone()]);
    world.upsert(event(&set, "Warning", "FailedCreate", "Error creating: pods \"x\" is forbidden: exceeded quota: team, requested: pods=1, used: pods=4, limited: pods=4", 0, 0, 1));
    held(&mut world, 0, 5);
    world.run(&app, [app.pod("a", status::ready(6))]);
    silent(&world);
}

#[test]
fn a_refusal_of_an_old_revision_that_was_scaled_down_is_silent() {
    let app = checkout();
    let mut world = refused(
        &app,
        "Error creating: pods \"x\" is forbidden: exceeded quota: team, requested: pods=1, used: pods=4, limited: pods=4",
    );
    world.upsert(app.between(json!({"spec": {"replicas": 0}, "status": {"replicas": 0}})).expect("a ReplicaSet"));
    silent(&world);
}

fn job() -> App {
    App::of(Kind::Job, "shop/import").spec(json!({"restartPolicy": "Never"}))
}

const JOB: Expect = Expect {
    rule: "job-failed",
    object: "Job/shop/import",
    subject: "Job/shop/import",
    entity: "Job/shop/import",
    cause: "log-authentication",
    verdict: Likely,
    severity: Medium,
    ..CHECKOUT
};

fn gave_up(reason: &str, fields: Value) -> Value {
    let mut out = json!({
        "spec": {"backoffLimit": 2},
        "status": {"failed": 3, "conditions": [{"type": "Failed", "status": "True", "reason": reason, "message": "it gave up", "lastTransitionTime": at(-10)}]},
    });
    merge(&mut out, &fields);
    out
}

#[test]
fn a_job_that_gave_up_quotes_its_last_words() {
    let job = job();
    let pod = job.pod("a", status::finished(1, -12));
    let mut world = world(&job, [pod.clone()]);
    world.log(&pod, "app", 0, "connecting\nFATAL: password authentication failed for user \"importer\"");
    world.upsert(job.top(gave_up("BackoffLimitExceeded", json!({}))));
    let says = &["import", "3 times", "exit code 1", "password authentication failed"];
    let fault = check(&world, Expect { says, ..JOB });
    // What the API server refuses must not be found out when the old one is gone.
    let again = &fault.actions.iter().find(|a| a.command.contains("get job")).expect("it runs again").command;
    assert!(again.contains("del(.selector") && again.ends_with("kubectl replace --force -f -"), "{again}");
    assert!(!again.contains("kubectl delete"), "{again}");
}

#[test]
fn a_job_past_its_deadline_names_it() {
    let job = job();
    let mut world = world(&job, []);
    world.upsert(job.top(gave_up("DeadlineExceeded", json!({"spec": {"activeDeadlineSeconds": 30}}))));
    check(
        &world,
        Expect {
            cause: "job-deadline",
            verdict: Established,
            field: "spec.activeDeadlineSeconds",
            says: &["30 s"],
            ..JOB
        },
    );
}

#[test]
fn a_failed_run_of_a_cron_job_is_the_cron_jobs() {
    let cron = App::of(Kind::CronJob, "shop/report");
    let mut world = World::new();
    let run = cron.between(gave_up("DeadlineExceeded", json!({"spec": {"activeDeadlineSeconds": 30}}))).expect("a Job");
    world.upsert_all([cron.top(json!({})), run]);
    let expect = Expect {
        object: "CronJob/shop/report",
        subject: "CronJob/shop/report",
        entity: "CronJob/shop/report",
        cause: "job-deadline",
        verdict: Established,
        ..JOB
    };
    check(&world, expect);
    // The next run that succeeds makes it good.
    let next = cron.revise(20, json!({}));
    world.set_time(60);
    world.upsert(next.between(json!({"status": {"succeeded": 1, "completionTime": at(30)}})).expect("a Job"));
    silent(&world);
}

#[test]
fn jobs_that_run_wait_or_are_done_are_silent() {
    let job = job();
    for fields in [
        json!({"status": {"active": 1}}),
        json!({"spec": {"suspend": true}}),
        json!({"status": {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": at(-10)}]}}),
        gave_up("BackoffLimitExceeded", json!({"metadata": {"deletionTimestamp": at(-1)}})),
        // It failed a day ago: history.
        gave_up(
            "BackoffLimitExceeded",
            json!({"status": {"conditions": [{"type": "Failed", "status": "True", "lastTransitionTime": at(-86_400)}]}}),
        ),
    ] {
        let mut world = world(&job, [job.pod("a", status::finished(0, -12))]);
        world.upsert(job.top(fields));
        silent(&world);
    }
}

#[test]
fn a_failure_policy_that_ended_a_job_is_named() {
    let job = job();
    let policy = json!({"spec": {"podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}]}}});
    let mut fields = gave_up("PodFailurePolicy", policy);
    fields["status"]["conditions"][0]["message"] =
        json!("Container app for pod shop/import-a failed with exit code 42 matching FailJob rule at index 0");
    let pod = job.pod("a", status::finished(42, -12));
    let mut world = world(&job, [pod.clone()]);
    world.upsert(job.top(fields.clone()));
    let says = &["podFailurePolicy", "exit code 42", "FailJob rule at index 0"];
    let unread = Expect { cause: "job-failed", verdict: Possible, field: "spec.podFailurePolicy", says, ..JOB };
    check(&world, unread);
    world.log(&pod, "app", 0, "FATAL: password authentication failed for user \"importer\"");
    check(
        &world,
        Expect { cause: "log-authentication", verdict: Likely, field: "spec.template.spec.containers", ..unread },
    );
}

#[test]
fn the_indexes_of_a_job_that_gave_up_are_named() {
    let job = job();
    let mut world = world(&job, [job.pod("a", status::finished(3, -12))]);
    let indexed = json!({
        "spec": {"completionMode": "Indexed", "completions": 5, "backoffLimitPerIndex": 1},
        "status": {"failedIndexes": "1,3"},
    });
    world.upsert(job.top(gave_up("FailedIndexes", indexed)));
    let says = &["index 1,3", "backoffLimitPerIndex 1", "exit code 3"];
    check(&world, Expect { cause: "job-failed", verdict: Possible, says, ..JOB });
}

#[test]
fn a_deadline_that_passed_while_no_pod_ran_says_why_none_did() {
    let late = || gave_up("DeadlineExceeded", json!({"spec": {"activeDeadlineSeconds": 30}}));
    let cases = [
        (status::unschedulable("0/3 nodes are available: 3 Insufficient cpu.", -50), "Insufficient cpu"),
        (status::waiting("ImagePullBackOff", "Back-off pulling image \"import:nope\"", -50), "import:nope"),
    ];
    for (state, words) in cases {
        let job = job();
        let pod = job.pod("a", state);
        let mut world = world(&job, [pod.clone()]);
        // The Job takes what still waits with it.
        world.delete(pod);
        world.upsert(job.top(late()));
        let fault = check(&world, Expect { cause: "job-deadline", verdict: Established, ..JOB });
        says(&fault.causes[0], &[words, "30 s"]);
    }
}

#[test]
fn the_words_of_a_pod_that_the_job_took_with_it_are_not_lost() {
    let job = job().spec(json!({"restartPolicy": "OnFailure"}));
    let pod = job.pod("a", status::crashed(1, "Error", 2, -12));
    let mut world = world(&job, [pod.clone()]);
    world.log(&pod, "app", 2, "FATAL: password authentication failed for user \"importer\"");
    world.delete(pod);
    world.upsert(job.top(gave_up("BackoffLimitExceeded", json!({}))));
    check(&world, Expect { says: &["password authentication failed"], ..JOB });
}

#[test]
fn a_cron_jobs_deadline_is_in_its_template() {
    let cron = App::of(Kind::CronJob, "shop/report");
    let mut world = World::new();
    let run = cron.between(gave_up("DeadlineExceeded", json!({"spec": {"activeDeadlineSeconds": 30}}))).expect("a Job");
    world.upsert_all([cron.top(json!({})), run]);
    check(
        &world,
        Expect {
            object: "CronJob/shop/report",
            subject: "CronJob/shop/report",
            entity: "CronJob/shop/report",
            cause: "job-deadline",
            verdict: Established,
            field: "spec.jobTemplate.spec.activeDeadlineSeconds",
            ..JOB
        },
    );
}

#[test]
fn runs_that_fail_one_after_another_are_one_fault_of_the_cron_job() {
    let mut cron = App::of(Kind::CronJob, "shop/report");
    let mut world = World::new();
    world.upsert(cron.top(json!({})));
    for minute in 0..5 {
        world.set_time(minute * 60);
        cron = cron.revise(minute * 60, json!({}));
        let mut failed = gave_up("BackoffLimitExceeded", json!({}));
        failed["status"]["conditions"][0]["lastTransitionTime"] = json!(at(minute * 60));
        world.upsert_all(cron.between(failed));
        world.set_time(minute * 60 + 5);
        world.look();
        assert_eq!((world.incidents().len(), world.only().subject.kind.as_str()), (1, "CronJob"));
    }
}

#[test]
fn a_job_whose_command_is_not_there_says_so_without_a_log() {
    let job = job().container(json!({"command": ["python3 -m reindex --all"]}));
    let why = "exec: \"python3 -m reindex --all\": executable file not found in $PATH";
    let mut state = status::finished(128, -12);
    merge(
        &mut state["containerStatuses"][0],
        &json!({"state": {"terminated": {"reason": "StartError", "message": why}}}),
    );
    let mut world = world(&job, [job.pod("a", state)]);
    world.upsert(job.top(gave_up("BackoffLimitExceeded", json!({}))));
    let fault = world.diagnose().faults.remove(0);
    let cause = &fault.causes[0];
    assert_eq!(cause.confidence, Established, "{}", cause.statement);
    assert!(cause.field.as_deref().is_some_and(|f| f.ends_with("containers[app].command")), "{:?}", cause.field);
    assert!(cause.statement.contains("python3 -m reindex --all") && cause.statement.contains("not found"));
    assert!(cause.needs.is_empty(), "{:?}", cause.needs);
}

#[test]
fn a_run_that_refuses_what_a_config_map_was_changed_to_blames_the_key() {
    let job = job().container(json!({"envFrom": [{"configMapRef": {"name": "export-cfg"}}]}));
    let config = |format: &str, version: u32| {
        object(
            "ConfigMap shop/export-cfg",
            json!({
                "metadata": {"resourceVersion": version.to_string(), "managedFields": [{"manager": "data-eng", "operation": "Update", "time": at(-30)}]},
                "digests": {"BUCKET": {"hash": "b", "bytes": 12}, "FORMAT": {"hash": format, "bytes": format.len()}},
            }),
        )
    };
    let mut world = World::new();
    world.upsert(config("parquet", 900_001));
    world.set_time(-30);
    world.upsert(config("avro", 900_002));
    world.set_time(1);
    let pod = job.pod("a", status::finished(2, -12));
    world.run(&job, [pod.clone()]);
    world.log(&pod, "app", 0, "ValueError: unsupported FORMAT: avro (choose parquet or csv)");
    world.upsert(job.top(gave_up("BackoffLimitExceeded", json!({}))));
    let fault = world.diagnose().faults.remove(0);
    let cause = &fault.causes[0];
    assert_eq!(cause.entity.key(), "ConfigMap/shop/export-cfg", "{}", cause.statement);
    assert_eq!(cause.field.as_deref(), Some("data[FORMAT]"), "{}", cause.statement);
    assert!(fault.changes.iter().any(|(c, suspect)| *suspect && c.who.as_deref() == Some("data-eng")));
}
