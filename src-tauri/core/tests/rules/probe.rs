//! Probes that fail.

use super::support::*;
use afterwatch_core::object::Object;
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[
    ("readiness-failing", a_pod_that_does_not_become_ready_is_found),
    ("liveness-failing", a_container_restarted_by_its_liveness_probe_is_found),
    ("startup-failing", a_container_restarted_by_its_start_up_probe_is_found),
    ("readiness-gate-unmet", a_readiness_gate_that_nobody_sets_is_found),
];

const READY: Expect = Expect {
    rule: "readiness-failing",
    cause: "probe-bad-status",
    verdict: Likely,
    field: "spec.template.spec.containers[app].readinessProbe",
    ..CHECKOUT
};

fn probe() -> Value {
    json!({"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 5, "failureThreshold": 3})
}

fn app() -> App {
    checkout().container(json!({"ports": [{"containerPort": 8080}], "readinessProbe": probe()}))
}

/// A pod that is not ready since then, and what the kubelet says of it.
fn unready(app: &App, since: i64, message: &str) -> World {
    let pod = app.pod("a", status::unready(since));
    let told = event(&pod, "Warning", "Unhealthy", message, since + 5, -1, 9);
    let mut world = world(app, [pod]);
    world.upsert(told);
    world
}

#[test]
fn a_pod_that_does_not_become_ready_is_found() {
    let fault = check(
        &unready(&app(), -60, "Readiness probe failed: HTTP probe failed with statuscode: 503"),
        Expect { says: &["GET /healthz on port 8080", "503"], ..READY },
    );
    assert_eq!(fault.started_at, t(-60));
}

#[test]
fn the_log_of_a_container_that_is_only_starting_is_not_read() {
    let mut world = unready(&app(), -5, "Readiness probe failed: HTTP probe failed with statuscode: 503");
    assert!(world.diagnose().wants.is_empty(), "within the budget");
    world.set_time(30);
    assert_eq!(world.diagnose().wants.len(), 1, "after it");
}

#[test]
fn what_the_kubelet_says_decides_the_cause() {
    let cases = [
        ("Readiness probe failed: HTTP probe failed with statuscode: 404", "probe-path-wrong"),
        (
            "Readiness probe failed: Get \"http://10.1.0.7:8080/healthz\": dial tcp 10.1.0.7:8080: connect: connection refused",
            "probe-refused",
        ),
        (
            "Readiness probe failed: Get \"http://10.1.0.7:8080/healthz\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
            "probe-timeout",
        ),
        ("Readiness probe failed: cat: can't open '/tmp/ready'", "probe-failing"),
    ];
    for (message, cause) in cases {
        check(&unready(&app(), -60, message), Expect { cause, ..READY });
    }
}

#[test]
fn a_port_that_the_container_does_not_declare_is_proof() {
    let app = app().container(json!({"ports": [{"containerPort": 9090}]}));
    let message = "Readiness probe failed: dial tcp 10.1.0.7:8080: connect: connection refused";
    check(
        &unready(&app, -60, message),
        Expect { cause: "probe-port-wrong", verdict: Established, says: &["8080", "9090"], ..READY },
    );
}

#[test]
fn readiness_is_held_for_the_probes_own_budget() {
    // 3 failures, 5 s apart.
    let app = app();
    let pod = app.pod("a", status::unready(0));
    let mut world = world(&app, [pod.clone()]);
    world.upsert(event(
        &pod,
        "Warning",
        "Unhealthy",
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
        5,
        5,
        1,
    ));
    held(&mut world, 0, 15);
}

#[test]
fn within_the_budget_one_look_believes_only_the_kubelet() {
    let app = app();
    let pod = app.pod("a", status::unready(-3));
    let mut world = world(&app, [pod.clone()]);
    silent(&world);
    world.upsert(event(
        &pod,
        "Warning",
        "Unhealthy",
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
        -1,
        -1,
        1,
    ));
    patient(&world);
    check_at_a_glance(&world, READY);
}

#[test]
fn slow_starts_within_their_budget_are_silent() {
    let slow = app().container(json!({"readinessProbe": {"initialDelaySeconds": 60}}));
    silent(&world(&slow, [slow.pod("a", status::unready(-50))]));
    // Before the start-up probe has passed, readiness is not asked.
    let starting = app().container(json!({"startupProbe": {"tcpSocket": {"port": 8080}, "failureThreshold": 60}}));
    let mut state = status::unready(-50);
    state["containerStatuses"][0]["started"] = json!(false);
    silent(&world(&starting, [starting.pod("a", state)]));
}

#[test]
fn without_a_readiness_probe_nobody_fails_one() {
    silent(&world(&checkout(), [checkout().pod("a", status::unready(-600))]));
}

#[test]
fn a_probe_that_failed_a_while_ago_is_silent() {
    let app = app();
    let pod = app.pod("a", status::ready(-600));
    let mut world = world(&app, [pod.clone()]);
    world.upsert(event(
        &pod,
        "Warning",
        "Unhealthy",
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
        -595,
        -590,
        2,
    ));
    silent(&world);
}

/// A container that the kubelet killed for this probe some seconds ago, and that runs again.
fn killed(app: &App, word: &str) -> (World, Object) {
    let pod = app.pod("a", status::restarted(137, "Error", 3, -12, -10));
    let mut world = world(app, [pod.clone()]);
    let probe = format!(
        "{} probe failed: HTTP probe failed with statuscode: 500",
        if word == "liveness" { "Liveness" } else { "Startup" }
    );
    world.upsert(event(&pod, "Warning", "Unhealthy", &probe, -200, -14, 9));
    world.upsert(event(
        &pod,
        "Normal",
        "Killing",
        &format!("Container app failed {word} probe, will be restarted"),
        -190,
        -14,
        3,
    ));
    (world, pod)
}

fn cause(world: &World, rule: &str) -> afterwatch_core::finding::CauseDraft {
    let fault = world.diagnose().faults.remove(0);
    let finding = fault.findings.iter().find(|f| f.rule_id == rule).expect("the probe's finding");
    finding.causes[0].clone()
}

#[test]
fn a_container_restarted_by_its_liveness_probe_is_found() {
    let app = checkout().container(json!({"livenessProbe": probe()}));
    let (world, _) = killed(&app, "liveness");
    check(
        &world,
        Expect {
            rule: "liveness-failing",
            field: "spec.template.spec.containers[app].livenessProbe",
            says: &["liveness probe", "GET /healthz on port 8080", "500"],
            ..READY
        },
    );
    assert_eq!(cause(&world, "liveness-failing").rule_id, "probe-bad-status");
}

#[test]
fn a_container_restarted_by_its_start_up_probe_is_found() {
    let app = checkout().container(json!({"startupProbe": probe()}));
    let (world, _) = killed(&app, "startup");
    check(
        &world,
        Expect {
            rule: "startup-failing",
            field: "spec.template.spec.containers[app].startupProbe",
            says: &["15 s"],
            ..READY
        },
    );
}

#[test]
fn a_container_that_has_been_up_for_long_since_the_last_kill_is_well() {
    let app = checkout().container(json!({"livenessProbe": probe()}));
    let (mut world, _) = killed(&app, "liveness");
    world.upsert(app.pod("a", status::restarted(137, "Error", 3, -12, -10)));
    world.set_time(600);
    silent(&world);
}

/// A pod whose containers are ready since then, with a gate that says this.
fn gated(since: i64, gate: &str) -> World {
    let app = checkout().spec(json!({"readinessGates": [{"conditionType": "lb.test/attached"}]}));
    let mut state = status::ready(since);
    state["conditions"] = json!([
        {"type": "ContainersReady", "status": "True", "lastTransitionTime": at(since)},
        {"type": "lb.test/attached", "status": gate},
        {"type": "Ready", "status": gate, "lastTransitionTime": at(since)},
    ]);
    world(&app, [app.pod("a", state)])
}

#[test]
fn a_readiness_gate_that_nobody_sets_is_found() {
    let gate = Expect {
        rule: "readiness-gate-unmet",
        cause: "readiness-gate-unmet",
        verdict: Established,
        field: "spec.template.spec.readinessGates",
        says: &["lb.test/attached"],
        ..READY
    };
    check(&gated(-60, "False"), gate);
    held(&mut gated(0, "False"), 0, 45);
    silent(&gated(-60, "True"));
}
