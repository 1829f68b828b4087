//! Starts that take long, are never asked about, or never come.

use super::*;

#[test]
fn a_start_up_probe_that_cannot_be_run_is_told_though_nothing_is_restarted() {
    let probe = json!({"exec": {"command": ["/bin/grpc_health_probe", "-addr=:8080"]}, "periodSeconds": 2});
    let app = checkout().container(json!({"startupProbe": probe}));
    let mut state = status::unready(-60);
    state["containerStatuses"][0]["started"] = json!(false);
    let pod = app.pod("a", state);
    let message = "Startup probe errored and resulted in unknown state: rpc error: code = Unknown desc = failed to exec in \
        container: failed to start exec \"bc53\": OCI runtime exec failed: exec failed: unable to start container process: \
        exec: \"/bin/grpc_health_probe\": stat /bin/grpc_health_probe: no such file or directory";
    let told = |from: i64| event(&pod, "Warning", "Unhealthy", message, from, -1, 9);
    let mut world = world(&app, [pod.clone()]);
    world.upsert(told(-9));
    patient(&world);
    world.upsert(told(-58));
    check(
        &world,
        Expect {
            rule: "startup-failing",
            cause: "probe-command-missing",
            field: "spec.template.spec.containers[app].startupProbe.exec.command",
            says: &["startup probe", "/bin/grpc_health_probe", "does not exist"],
            ..CHECKOUT
        },
    );
    // It was asked in the end.
    let mut started = status::unready(-60);
    started["containerStatuses"][0]["started"] = json!(true);
    world.upsert(app.pod("a", started));
    silent(&world);
}

#[test]
fn a_command_that_only_sleeps_is_no_slow_start() {
    let startup = json!({"tcpSocket": {"port": 8200}, "periodSeconds": 5, "failureThreshold": 3});
    let app = checkout().container(json!({"command": ["sleep", "86400"], "startupProbe": startup}));
    let world = too_slow(&app, "startup", 16, &format!("Startup {REFUSED}"), "");
    let found = cause(&world, "startup-failing");
    assert_eq!(found.rule_id, "probe-refused", "{}", found.statement);
    says(&found, &["nothing listens on that port", "port 8200"]);
}

#[test]
fn a_start_that_is_as_slow_as_it_always_was_is_waited_for() {
    let app = app().replicas(2);
    // The pod of before took 20 s from its start until it was ready.
    let mut usual = status::ready(-600);
    for condition in usual["conditions"].as_array_mut().expect("conditions") {
        condition["lastTransitionTime"] = json!(at(-580));
    }
    usual["containerStatuses"][0]["state"]["running"]["startedAt"] = json!(at(-600));
    let new = app.pod("b", status::unready(-30));
    let told = event(
        &new,
        "Warning",
        "Unhealthy",
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
        -25,
        -1,
        9,
    );
    let mut world = world(&app, [app.pod("a", usual), new]);
    world.upsert(told);
    patient(&world);
    world.set_time(15);
    assert_eq!(world.diagnose().faults.len(), 1, "it takes more than twice as long");
}

#[test]
fn a_file_that_says_that_the_start_is_over_is_waited_for() {
    let app = asks(json!({"periodSeconds": 3, "exec": {"command": ["sh", "-c", "test -f /tmp/ready"]}}));
    let mut world = unready(&app, -16, "Readiness probe failed: ");
    patient(&world);
    world.set_time(16);
    let found = world.diagnose().faults[0].causes[0].clone();
    assert_eq!(found.rule_id, "probe-failing");
    assert!(!found.statement.contains("The kubelet says"), "it says no more than that: {}", found.statement);
}

#[test]
fn a_start_whose_probe_the_kubelet_has_not_answered_for_is_given_a_minute() {
    let app = app();
    let mut world = world(&app, [app.pod("a", status::unready(-59))]);
    patient(&world);
    world.set_time(1);
    assert_eq!(world.diagnose().faults.len(), 1);
}

#[test]
fn a_start_that_tells_how_far_it_has_got_is_waited_for() {
    let refused = format!("Readiness {REFUSED}");
    let started = |since: i64, last: &str| {
        let app = app();
        let mut world = unready(&app, since, &refused);
        world.log(&app.pod("a", status::unready(since)), "app", 0, &format!("INFO catalogue 4.2\n{last}"));
        world
    };
    for last in [
        "INFO loading model shard 3 of 12",
        "rebuilding search index, this may take a few minutes",
        "Replaying journal segments from 2041",
        "warming cache: 45%",
        "INFO Downloading weights for ranker-v3",
        "server not ready, loading model 3 of 12",
    ] {
        let mut world = started(-60, last);
        patient(&world);
        assert!(world.glance().faults.is_empty(), "{last}: nor does one look");
        world.set_time(60);
        assert_eq!(world.diagnose().faults.len(), 1, "{last}: two minutes are enough to be told");
    }
    for last in [
        "INFO starting",
        "INFO connecting to redis://cache:6379/0",
        "reading rows failed, attempt 4/10",
        "Loading configuration for database",
        "allowed networks 10.0.0.0/8",
        "ERROR replaying journal segment 3 of 12: checksum differs",
        "INFO listening on :8080\nINFO warming cache: 45%",
    ] {
        assert_eq!(started(-60, last).diagnose().faults.len(), 1, "{last}");
    }
}

#[test]
fn a_start_that_got_slow_with_its_cpu_limit_is_told_with_it() {
    let probe = json!({"tcpSocket": {"port": 8080}, "periodSeconds": 5, "failureThreshold": 3});
    let limited = |cpu: Value| json!({"resources": {"limits": {"cpu": cpu}}, "startupProbe": probe});
    let before = checkout().container(limited(json!("500m")));
    let lowered = |to: &str, when: i64| {
        let mut world = World::new().at(-400);
        world.run(&before, [before.pod("a", status::ready(-3000))]);
        world.set_time(-220);
        let now = before.clone().revise(when, limited(json!(to)));
        world.upsert(now.top(json!({})));
        let mut state = status::restarted(137, "Error", 3, -12, -10);
        state["containerStatuses"][0]["ready"] = json!(false);
        state["containerStatuses"][0]["lastState"]["terminated"]["startedAt"] = json!(at(-28));
        let pod = now.pod("b", state);
        world.set_time(0);
        world.run(&now, [pod.clone()]);
        world.upsert(event(&pod, "Warning", "Unhealthy", &format!("Startup {REFUSED}"), -200, -14, 9));
        let killing = "Container app failed startup probe, will be restarted";
        world.upsert(event(&pod, "Normal", "Killing", killing, -190, -14, 3));
        world.log(&pod, "app", 3, "INFO warming cache: 15%");
        cause(&world, "startup-failing")
    };
    let limit = "spec.template.spec.containers[app].resources.limits.cpu";
    let found = lowered("20m", -219);
    assert_eq!((found.field.as_deref(), found.confidence), (Some(limit), Likely), "{}", found.statement);
    says(&found, &["startup probe", "15 s", "lowered from 500m to 20m", "a start takes longer"]);
    // What was raised is no reason, and neither is what was lowered after the pod was made.
    assert_ne!(lowered("1", -219).field.as_deref(), Some(limit));
    assert_ne!(lowered("450m", -219).field.as_deref(), Some(limit), "hardly less");
    assert_ne!(lowered("20m", -230).field.as_deref(), Some(limit));
}

#[test]
fn one_of_a_pair_that_waits_to_take_over_is_well() {
    let app = app().replicas(2);
    let words = "Readiness probe failed: standby: not the leader";
    let both = |leads: bool| {
        let mut world = unready(&app, -90, words);
        if leads {
            world.upsert(app.pod("b", status::ready(-600)));
        }
        world
    };
    assert_eq!(both(true).diagnose().faults.len(), 0);
    // Where nobody leads, it is down.
    assert_eq!(both(false).diagnose().faults.len(), 1);
    // Words that only sound like it.
    for words in ["consumer not active", "standby is not attached to primary", "license is not active"] {
        let mut world = unready(&app, -90, &format!("Readiness probe failed: {words}"));
        world.upsert(app.pod("b", status::ready(-600)));
        assert_eq!(world.diagnose().faults.len(), 1, "{words}");
    }
}

#[test]
fn what_has_just_begun_to_serve_is_asked_once_more() {
    let app = app();
    let words =
        "Readiness probe failed: Get \"http://10.0.0.7:8080/\": dial tcp 10.0.0.7:8080: connect: connection refused";
    let look = |age: i64, log: &str| {
        let mut world = unready(&app, -age, words);
        world.log(&app.pod("a", status::unready(-age)), "app", 0, log);
        world.diagnose().faults.len()
    };
    assert_eq!([33, 44].map(|age| look(age, "[notice] 1#1: start worker process 8")), [0, 1]);
    assert_eq!(look(33, "INFO something else"), 1);
}
