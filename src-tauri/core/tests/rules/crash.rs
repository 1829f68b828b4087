//! Containers that end.

mod bounds;
mod command;

use super::support::*;
use afterwatch_core::object::{Kind, Object};
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[
    ("container-crash-loop", a_crash_loop_in_the_terminated_state_is_found),
    ("container-oom-killed", a_container_killed_for_memory_names_its_limit),
    ("container-cannot-start", a_command_that_the_image_does_not_have_is_found),
    ("init-container-failing", a_failing_init_container_is_found),
    ("init-container-waiting", super::blame::an_init_container_that_waits_for_a_service_is_found),
];

const LOOP: Expect = Expect {
    rule: "container-crash-loop",
    cause: "log-missing-env",
    verdict: Established,
    field: "spec.template.spec.containers[app].env[STRIPE_KEY]",
    says: &["app", "exit code 1", "STRIPE_KEY"],
    ..CHECKOUT
};
const LOG: &str = "starting\nrequired environment variable STRIPE_KEY is not set";

#[test]
fn a_crash_loop_in_the_terminated_state_is_found() {
    let app = checkout();
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    let mut world = world(&app, [pod.clone()]);
    let wants = world.diagnose().wants;
    assert_eq!((wants.len(), wants[0].previous, wants[0].restart), (1, false, 3), "the current log is the dead one's");
    world.log(&pod, "app", 3, LOG);
    assert!(world.diagnose().wants.is_empty(), "a log is read once per death");
    let fault = check(&world, LOOP);
    says(&fault.causes[0], &["4 times"]);
    assert_eq!(fault.started_at, t(-5));
}

#[test]
fn a_crash_loop_in_the_back_off_state_is_found() {
    let app = checkout();
    let pod = app.pod("a", status::backing_off(1, "Error", 5, -30));
    let mut world = world(&app, [pod.clone()]);
    let wants = world.diagnose().wants;
    assert_eq!((wants.len(), wants[0].previous, wants[0].restart), (1, true, 5), "the previous log is the dead one's");
    world.log(&pod, "app", 5, LOG);
    says(&check(&world, LOOP).causes[0], &["5 times"]);
}

#[test]
fn between_two_crashes_the_loop_goes_on() {
    let app = checkout();
    let pod = app.pod("a", status::restarted(1, "Error", 4, -20, -10));
    let mut world = world(&app, [pod.clone()]);
    world.log(&pod, "app", 3, LOG);
    check(&world, LOOP);
}

#[test]
fn a_crash_loop_beside_a_healthy_pod_is_less_severe() {
    let app = checkout();
    let crashed = app.pod("a", status::crashed(1, "Error", 3, -5));
    let mut world = world(&app, [crashed.clone(), app.pod("b", status::ready(-600))]);
    world.log(&crashed, "app", 3, LOG);
    check(&world, Expect { severity: High, ..LOOP });
}

#[test]
fn a_service_that_ends_without_error_again_and_again_is_a_crash_loop() {
    let app = checkout();
    let pod = app.pod("a", status::crashed(0, "Completed", 3, -5));
    let mut world = world(&app, [pod.clone()]);
    world.log(&pod, "app", 3, "done");
    let expect =
        Expect { cause: "container-completes", field: "", says: &["exit code 0", "done", "runs to its end"], ..LOOP };
    check(&world, expect);
}

#[test]
fn without_a_telling_log_the_cause_is_open_and_says_what_would_tell() {
    let app = checkout();
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    let mut world = world(&app, [pod.clone()]);
    world.log(&pod, "app", 3, "");
    let fault = check(
        &world,
        Expect { cause: "container-exits", verdict: NotEstablished, field: "", says: &["exit code 1"], ..LOOP },
    );
    assert!(fault.causes[0].needs[0].contains("log"));
}

#[test]
fn the_first_crash_is_held_for_a_moment_and_later_ones_are_not() {
    for (exit, reason, restarts, hold) in [(1, "Error", 0, 8), (1, "Error", 2, 0), (137, "OOMKilled", 0, 0)] {
        let app = checkout();
        let mut world = world(&app, [app.pod("a", status::crashed(exit, reason, restarts, 0))]);
        world.refuse_logs();
        held(&mut world, 0, hold);
    }
}

#[test]
fn restarts_that_are_over_are_silent() {
    let app = checkout();
    for state in [
        status::ready(-600),
        // One restart long ago, even with an error.
        status::restarted(1, "Error", 1, -600, -590),
        // Many, and steady again for longer than its runs ever lasted.
        status::restarted(1, "Error", 7, -600, -590),
        status::restarted(137, "OOMKilled", 3, -600, -590),
        // A start-up race that mended itself.
        status::restarted(1, "Error", 1, -20, -10),
        // Ended once, as a program may.
        status::crashed(0, "Completed", 0, -5),
    ] {
        silent(&world(&app, [app.pod("a", state)]));
    }
}

#[test]
fn a_pod_being_deleted_may_end_as_it_likes() {
    let app = checkout();
    let deleting = json!({"metadata": {"deletionTimestamp": at(-5), "deletionGracePeriodSeconds": 30}});
    for state in [status::crashed(137, "Error", 0, -1), status::crashed(143, "Error", 4, -1), status::unready(-600)] {
        silent(&world(&app, [app.pod_with("old", state, deleting.clone()), app.pod("new", status::ready(-60))]));
    }
}

#[test]
fn a_container_killed_for_memory_names_its_limit() {
    let app = checkout().container(json!({"resources": {"limits": {"memory": "64Mi"}}}));
    let expect = Expect {
        rule: "container-oom-killed",
        cause: "memory-limit-too-low",
        field: "spec.template.spec.containers[app].resources.limits.memory",
        says: &["app", "64Mi", "6 times", "OOMKilled"],
        ..CHECKOUT
    };
    // On cgroup v1 only one process dies, and the container may end with 1; on v2 it is always 137.
    for exit in [137, 1] {
        let fault = check(&world(&app, [app.pod("a", status::crashed(exit, "OOMKilled", 5, -5))]), expect);
        assert!(fault.title.contains("memory"), "{}", fault.title);
        let bigger = fault.actions.iter().find(|a| a.command.contains("--limits=memory=128Mi"));
        assert!(bigger.is_some(), "{:?}", fault.actions);
    }
    check(&world(&app, [app.pod("a", status::backing_off(137, "OOMKilled", 6, -5))]), expect);
    // Running again for a moment changes nothing.
    check(&world(&app, [app.pod("a", status::restarted(137, "OOMKilled", 6, -20, -10))]), expect);
}

#[test]
fn a_memory_kill_without_a_limit_is_only_likely_the_containers_own() {
    let app = checkout();
    let expect = Expect {
        rule: "container-oom-killed",
        cause: "memory-without-limit",
        verdict: Likely,
        says: &["node-a", "no memory limit"],
        ..CHECKOUT
    };
    check(&world(&app, [app.pod("a", status::crashed(137, "OOMKilled", 2, -5))]), expect);
}

#[test]
fn a_kill_that_is_not_for_memory_is_not_called_one() {
    let app = checkout();
    let mut world = world(&app, [app.pod("a", status::crashed(137, "Error", 2, -5))]);
    world.refuse_logs();
    let fault = check(
        &world,
        Expect {
            rule: "container-crash-loop",
            cause: "container-exits",
            verdict: NotEstablished,
            says: &["137", "SIGKILL"],
            ..CHECKOUT
        },
    );
    assert!(!fault.causes[0].statement.contains("OOM"));
}

#[test]
fn a_command_that_the_image_does_not_have_is_found() {
    let app = checkout().container(json!({"command": ["serv"]}));
    let why = "failed to create containerd task: failed to create shim task: OCI runtime create failed: exec: \"serv\": executable file not found in $PATH";
    let mut state = status::crashed(128, "StartError", 2, -5);
    merge(&mut state["containerStatuses"][0], &json!({"state": {"terminated": {"message": why}}}));
    let world = world(&app, [app.pod("a", state)]);
    check(
        &world,
        Expect {
            rule: "container-cannot-start",
            cause: "command-cannot-start",
            field: "spec.template.spec.containers[app].command",
            says: &["serv", "128", "executable file not found"],
            ..CHECKOUT
        },
    );
    assert!(world.diagnose().wants.is_empty(), "what never started wrote no log");
}

/// A container with one key of `settings` as a file of its own, which the runtime does not manage to mount.
fn mounts(source: Value, sub_path: &str, others: impl IntoIterator<Item = Object>) -> World {
    let mount = json!({"name": "conf", "mountPath": "/etc/app/app.yaml", "subPath": sub_path});
    let mut volume = json!({"name": "conf"});
    merge(&mut volume, &source);
    let app = checkout().spec(json!({"volumes": [volume]})).container(json!({"volumeMounts": [mount]}));
    let why = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error mounting \"/var/lib/kubelet/pods/1/volume-subpaths/conf/app/0\" to rootfs at \"/etc/app/app.yaml\": not a directory: unknown: Are you trying to mount a directory onto a file (or vice-versa)?";
    let mut state = status::crashed(128, "StartError", 2, -5);
    merge(&mut state["containerStatuses"][0], &json!({"state": {"terminated": {"message": why}}}));
    let mut world = world(&app, [app.pod("a", state)]);
    world.upsert_all(others);
    world
}

#[test]
fn a_key_that_is_mounted_as_a_file_and_is_not_there_is_named() {
    let found = Expect {
        rule: "container-cannot-start",
        cause: "mounted-key-missing",
        entity: "ConfigMap/shop/settings",
        field: "data[app.yaml]",
        says: &["conf", "/etc/app/app.yaml", "settings", "no key app.yaml", "application.toml"],
        ..CHECKOUT
    };
    let map = |key: &str| object("ConfigMap shop/settings", json!({"digests": {key: {"hash": "a1", "bytes": 2}}}));
    let of_map = json!({"configMap": {"name": "settings"}});
    check(&mounts(of_map.clone(), "app.yaml", [map("application.toml")]), found);
    // A name that is only misspelt is put right where it is written.
    let field = "spec.template.spec.containers[app].volumeMounts[conf].subPath";
    let misspelt = mounts(of_map.clone(), "app.yml", [map("app.yaml")]);
    let says = &["app.yaml and no app.yml"];
    check(&misspelt, Expect { entity: CHECKOUT.entity, field, says, ..found });
    let secret = object("Secret shop/keys", json!({"keys": ["other"]}));
    let of_secret = json!({"secret": {"secretName": "keys"}});
    let expect = Expect { entity: "Secret/shop/keys", says: &["keys", "no key app.yaml", "other"], ..found };
    check(&mounts(of_secret, "app.yaml", [secret]), expect);
    // A key that is there is not what the runtime stumbles over.
    let there = mounts(of_map, "app.yaml", [map("app.yaml")]);
    check(&there, Expect { cause: "command-cannot-start", entity: CHECKOUT.entity, field: "", says: &[], ..found });
}

#[test]
fn a_failing_init_container_is_found() {
    let app = checkout().spec(json!({"initContainers": [{"name": "migrate", "image": "m:1"}]}));
    let ended = json!({"exitCode": 1, "reason": "Error", "startedAt": at(-7), "finishedAt": at(-5)});
    let mut state = status::waiting("PodInitializing", "", -60);
    state["initContainerStatuses"] = json!([{"name": "migrate", "restartCount": 2, "state": {"terminated": ended}}]);
    let pod = app.pod("a", state);
    let mut world = world(&app, [pod.clone()]);
    world.log(&pod, "migrate", 2, "FATAL: password authentication failed for user \"app\"");
    check(
        &world,
        Expect {
            rule: "init-container-failing",
            cause: "log-authentication",
            verdict: Likely,
            says: &["migrate", "3 times", "password authentication failed"],
            ..CHECKOUT
        },
    );
}

#[test]
fn an_init_container_that_runs_or_has_done_its_work_is_silent() {
    let app = checkout().spec(json!({"initContainers": [{"name": "migrate", "image": "m:1"}]}));
    for init in [
        json!({"running": {"startedAt": at(-5)}}),
        json!({"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": at(-5)}}),
    ] {
        let mut state = status::waiting("PodInitializing", "", -10);
        state["initContainerStatuses"] = json!([{"name": "migrate", "restartCount": 0, "state": init}]);
        silent(&world(&app, [app.pod("a", state)]));
    }
}

#[test]
fn a_dependency_without_endpoints_is_blamed_before_who_calls_it() {
    let app = checkout();
    let database = App::deployment("shop/db");
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    let mut world = world(&app, [pod.clone()]);
    world.run(&database, []);
    world.upsert_all([database.service(json!({})), database.endpoints(&[])]);
    world.log(&pod, "app", 3, "dial tcp 10.0.0.7:80: connect: connection refused");
    let expect = Expect {
        cause: "dependency-without-endpoints",
        entity: "Service/shop/db",
        verdict: Likely,
        field: "",
        says: &["Service db", "no ready endpoints", "Deployment db has no pod"],
        ..LOOP
    };
    check(&world, expect);
}

#[test]
fn a_host_that_no_service_has_is_named() {
    let app = checkout();
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    let mut world = world(&app, [pod.clone()]);
    world.log(&pod, "app", 3, "dial tcp: lookup orders-db on 10.96.0.10:53: no such host");
    let missing = Expect {
        cause: "service-missing",
        entity: "Service/shop/orders-db?",
        verdict: Likely,
        field: "",
        says: &["orders-db", "shop"],
        ..LOOP
    };
    check(&world, missing);
    // Written into its own environment, the name is what must change.
    let app = app.container(json!({"env": [{"name": "DB", "value": "orders-db:5432"}]}));
    world.upsert(app.pod("a", status::crashed(1, "Error", 3, -5)));
    check(&world, Expect { cause: "host-name-unknown", entity: "Deployment/shop/checkout", ..missing });
}

#[test]
fn the_pods_of_a_job_are_the_jobs_business_until_it_gives_up() {
    let job = App::of(Kind::Job, "shop/import").spec(json!({"restartPolicy": "Never"}));
    let pod = job.pod("a", status::finished(1, -5));
    let world = world(&job, [pod]);
    silent(&world);
    assert_eq!(world.diagnose().wants.len(), 1, "its log is kept for later");
}

/// A pod of `checkout` that was killed this long ago and lies there since.
fn over(app: &App, ended: i64, fields: Value) -> afterwatch_core::object::Object {
    let mut state = status::finished(137, ended);
    merge(&mut state, &fields);
    app.pod("old", state)
}

#[test]
fn a_pod_that_the_cluster_ended_is_not_called_crashing() {
    let app = checkout();
    let disrupted =
        json!({"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}]});
    let reasons = ["Terminated", "NodeShutdown", "Shutdown", "Evicted", "Preempting"];
    let reasons = reasons.map(|reason| json!({"reason": reason, "startTime": at(-7200)}));
    for fields in reasons.into_iter().chain([disrupted]) {
        // The pod in its place is not there yet: that is another rule's.
        let mut world = world(&app, [over(&app, -15, fields)]);
        world.refuse_logs();
        silent(&world);
    }
}

#[test]
fn a_failed_pod_is_news_until_it_is_replaced_and_for_an_hour() {
    let app = checkout();
    let mut world = world(&app, [over(&app, -5, json!({}))]);
    world.refuse_logs();
    world.set_time(10);
    assert_eq!(world.diagnose().faults.len(), 1, "its workload lacks it");
    world.upsert(app.pod("a", status::ready(5)));
    silent(&world);
    // A runner's pod has nobody who replaces it.
    let runner = App::of(Kind::Pod, "ci/runner").spec(json!({"restartPolicy": "Never"}));
    let mut world = afterwatch_testkit::World::new();
    world.upsert(runner.pod("", status::finished(1, -30)));
    world.refuse_logs();
    assert_eq!(world.diagnose().faults.len(), 1);
    world.set_time(3600);
    silent(&world);
}

#[test]
fn a_program_that_ends_with_127_is_asked_for_its_log_first() {
    let app =
        checkout().spec(json!({"initContainers": [{"name": "clone", "image": "git", "command": ["git", "clone"]}]}));
    let failed = |code: i32| {
        let ended = json!({"exitCode": code, "reason": "Error", "startedAt": at(-7), "finishedAt": at(-5)});
        let mut state = status::waiting("PodInitializing", "", -60);
        state["initContainerStatuses"] = json!([{"name": "clone", "restartCount": 2, "state": {"terminated": ended}}]);
        state
    };
    let pod = app.pod("a", failed(128));
    let mut world = world(&app, [pod.clone()]);
    patient(&world);
    world.log(
        &pod,
        "clone",
        2,
        "Cloning into 'app'...\nfatal: Authentication failed for 'https://git.example.com/app.git/'",
    );
    let expect = Expect {
        rule: "init-container-failing",
        cause: "log-authentication",
        verdict: Likely,
        says: &["clone", "128", "Authentication failed"],
        ..CHECKOUT
    };
    check(&world, expect);
    // A script whose own line fails has started: nothing telling in the log, and still no missing command.
    let mut world = crate::support::world(&app, [app.pod("a", failed(127))]);
    world.log(&pod, "clone", 2, "step 11 of 12");
    let expect =
        Expect { cause: "container-exits", verdict: Possible, says: &["127", "a command was not found"], ..expect };
    check(&world, expect);
    // What wrote nothing may never have been there.
    let mut world = crate::support::world(&app, [app.pod("a", failed(127))]);
    world.log(&pod, "clone", 2, "");
    let expect = Expect {
        rule: "container-cannot-start",
        cause: "command-cannot-start",
        says: &["git clone", "127"],
        verdict: Likely,
        ..expect
    };
    check(&world, expect);
}

#[test]
fn a_finding_does_not_wait_for_a_log_that_was_read_and_forgotten() {
    let app = checkout();
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    let mut world = world(&app, [pod.clone()]);
    world.log(&pod, "app", 3, LOG);
    for i in 0..450 {
        let one = App::of(Kind::Pod, &format!("shop/run-{i}")).pod("", status::finished(0, -5));
        world.upsert(one.clone());
        world.log(&one, "app", 0, "done");
    }
    assert_eq!(world.diagnose().faults.len(), 1, "it is still failing");
}

#[test]
fn the_logs_of_pods_that_are_gone_make_room_first() {
    let app = checkout();
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    let mut world = world(&app, [pod.clone()]);
    world.log(&pod, "app", 3, LOG);
    for i in 0..450 {
        let one = App::of(Kind::Pod, &format!("shop/run-{i}")).pod("", status::finished(0, -5));
        world.log(&one, "app", 0, "done");
    }
    check(&world, LOOP);
}

#[test]
fn a_service_that_is_a_name_for_a_host_elsewhere_is_not_blamed() {
    let app = checkout();
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    let mut world = world(&app, [pod.clone()]);
    let external = json!({"spec": {"type": "ExternalName", "externalName": "db.example.com", "clusterIP": null, "selector": null}});
    world.upsert(App::deployment("shop/db").service(external));
    world.log(&pod, "app", 3, "connection to server at \"db\", port 5432 failed: Connection refused");
    let outside = Expect {
        cause: "log-connection-refused",
        entity: "External//db.example.com:5432?",
        verdict: Likely,
        field: "",
        says: &["db.example.com", "ExternalName"],
        ..LOOP
    };
    check(&world, outside);
    // Nor is one that only has the first word of the host's name.
    let orders = App::deployment("shop/orders").replicas(0);
    world.run(&orders, []);
    world.upsert(orders.service(json!({})));
    world.log(&pod, "app", 3, "connection to server at \"orders.example.com\", port 5432 failed: Connection refused");
    let fault = check(
        &world,
        Expect { entity: "External//orders.example.com:5432?", says: &["orders.example.com"], ..outside },
    );
    assert!(!fault.causes[0].statement.contains("Service"), "{}", fault.causes[0].statement);
}

#[test]
fn one_look_does_not_take_a_container_for_well_that_was_only_just_started_again() {
    let app = checkout();
    let lived = |life: i64, since: i64| {
        let mut fields = status::restarted(1, "Error", 1, since - 1, since);
        fields["containerStatuses"][0]["lastState"]["terminated"]["startedAt"] = at(since - 1 - life).into();
        let pod = app.pod("a", fields);
        let mut world = world(&app, [pod.clone()]);
        world.log(&pod, "app", 0, "panic: no config");
        world
    };
    patient(&lived(1, -3));
    assert_eq!(lived(1, -3).glance().faults.len(), 1);
    silent(&lived(1, -12));
    // One that takes its time to fail, on a busy node: it has not lived longer yet than the one before.
    patient(&lived(20, -12));
    assert_eq!(lived(20, -12).glance().faults.len(), 1);
    silent(&lived(20, -31));
    // One that ran for hours had an accident.
    silent(&lived(7200, -12));
}
