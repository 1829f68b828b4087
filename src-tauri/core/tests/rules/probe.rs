//! Probes that fail.

mod grown;
mod listening;
mod start;

use super::support::*;
use afterwatch_core::{object::Object, severity::Confidence};
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[
    ("readiness-failing", a_pod_that_does_not_become_ready_is_found),
    ("liveness-failing", a_container_restarted_by_its_liveness_probe_is_found),
    ("startup-failing", a_container_restarted_by_its_start_up_probe_is_found),
    ("readiness-gate-unmet", a_readiness_gate_that_nobody_sets_is_found),
];

const READY: Expect =
    Expect { rule: "readiness-failing", cause: "probe-bad-status", verdict: Likely, field: FIELD, ..CHECKOUT };

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

const FIELD: &str = "spec.template.spec.containers[app].readinessProbe";

/// What the kubelet says of this app's readiness probe has this cause, this sure, in the field below the probe's own;
/// the statement has these words.
#[track_caller]
fn decides(app: &App, message: &str, cause: &'static str, verdict: Confidence, below: &str, words: &[&str]) {
    let fault = check(&unready(app, -60, message), Expect { cause, verdict, field: "", ..READY });
    says(&fault.causes[0], words);
    assert_eq!(fault.causes[0].field.as_deref(), Some(format!("{FIELD}{below}").as_str()), "{message}");
}

fn asks(probe: Value) -> App {
    let mut own = json!({"periodSeconds": 5, "httpGet": null});
    merge(&mut own, &probe);
    checkout().container(json!({"ports": [{"name": "http", "containerPort": 8080}], "readinessProbe": own}))
}

#[test]
fn what_the_kubelet_says_decides_the_cause() {
    let dial = "Get \"http://10.1.0.7:8080/healthz\":";
    let http = |rest: &str| format!("Readiness probe failed: {dial} {rest}");
    let code = |n: u32| format!("Readiness probe failed: HTTP probe failed with statuscode: {n}");
    let app = app();
    decides(&app, &code(404), "probe-path-wrong", Likely, ".httpGet.path", &["/healthz", "404", "8080"]);
    decides(&app, &code(405), "probe-path-wrong", Likely, ".httpGet.path", &["405"]);
    decides(&app, &code(401), "probe-unauthorized", Likely, ".httpGet.path", &["401", "credentials"]);
    decides(&app, &code(500), "probe-bad-status", Likely, "", &["500"]);
    let refused = http("dial tcp 10.1.0.7:8080: connect: connection refused");
    decides(&app, &refused, "probe-refused", Likely, "", &["connection refused", "8080"]);
    let late = http("context deadline exceeded (Client.Timeout exceeded while awaiting headers)");
    decides(&app, &late, "probe-timeout", Likely, ".timeoutSeconds", &["timeout of 1 s", "the default"]);
    let patient = app.clone().container(json!({"readinessProbe": {"timeoutSeconds": 3}}));
    decides(&patient, &late, "probe-timeout", Likely, ".timeoutSeconds", &["timeout of 3 s"]);
    decides(&app, "Readiness probe failed: something new", "probe-failing", Likely, "", &["something new"]);
}

#[test]
fn http_and_https_on_two_sides_are_a_wrong_scheme() {
    let tls = app().container(json!({"readinessProbe": {"httpGet": {"scheme": "HTTPS"}}}));
    let message = "Readiness probe failed: Get \"https://10.1.0.7:8080/healthz\": http: server gave HTTP response to HTTPS client";
    decides(&tls, message, "probe-scheme-wrong", Established, ".httpGet.scheme", &["by HTTPS", "speaks HTTP there"]);
    let message = "Readiness probe failed: Get \"http://10.1.0.7:8080/healthz\": net/http: HTTP/1.x transport connection broken: malformed HTTP response \"\\x15\\x03\\x01\\x00\\x02\\x02\"";
    decides(&app(), message, "probe-scheme-wrong", Established, ".httpGet.scheme", &["by HTTP,", "HTTPS (TLS)"]);
    let message = "Readiness probe failed: HTTP probe failed with statuscode: 400";
    decides(&app(), message, "probe-bad-status", Likely, "", &["400"]);
}

#[test]
fn a_command_that_the_image_does_not_have_is_proof() {
    let exec = asks(json!({"exec": {"command": ["/bin/grpc_health_probe", "-addr=:8080"]}}));
    let message = "Readiness probe errored and resulted in unknown state: rpc error: code = Unknown desc = failed to exec in container: failed to start exec \"1f\": OCI runtime exec failed: exec failed: unable to start container process: exec: \"/bin/grpc_health_probe\": stat /bin/grpc_health_probe: no such file or directory";
    let words = &["/bin/grpc_health_probe", "does not exist", "registry.test/checkout:1"];
    decides(&exec, message, "probe-command-missing", Established, ".exec.command", words);
    let shell = asks(json!({"exec": {"command": ["sh", "-c", "curl -f localhost:8080"]}}));
    let message = "Readiness probe failed: sh: curl: not found";
    decides(&shell, message, "probe-command-missing", Likely, ".exec.command", &["curl: not found"]);
    let message = "Readiness probe failed: cat: can't open '/tmp/ready': No such file or directory";
    let cat = asks(json!({"exec": {"command": ["cat", "/tmp/ready"]}}));
    decides(&cat, message, "probe-failing", Likely, "", &["/tmp/ready", "cat"]);
    let message = "Readiness probe failed: command timed out: \"sleep 9\" timed out after 1s";
    let slow = asks(json!({"exec": {"command": ["sleep", "9"]}}));
    decides(&slow, message, "probe-timeout", Likely, ".timeoutSeconds", &["sleep 9", "timeout of 1 s"]);
}

#[test]
fn grpc_probes_say_what_is_wrong() {
    let grpc = asks(json!({"grpc": {"port": 8080}}));
    let message = "Readiness probe failed: error: this server does not implement the grpc health protocol (grpc.health.v1.Health)";
    decides(&grpc, message, "probe-grpc-unimplemented", Established, ".grpc", &["gRPC health"]);
    let message = "Readiness probe failed: service unhealthy (responded with \"NOT_SERVING\")";
    decides(&grpc, message, "probe-failing", Likely, "", &["NOT_SERVING"]);
    let message = "Readiness probe failed: timeout: failed to connect service \"10.1.0.7:8080\" within 1s: context deadline exceeded";
    decides(&grpc, message, "probe-grpc-unimplemented", Likely, ".grpc", &["8080", "does not speak gRPC"]);
}

#[test]
fn a_grpc_probe_of_a_port_that_nobody_declares_asks_the_wrong_port() {
    let grpc = asks(json!({"grpc": {"port": 9999}}));
    let message = "Readiness probe failed: timeout: failed to connect service \"10.1.0.7:9999\" within 1s: context deadline exceeded";
    decides(&grpc, message, "probe-port-wrong", Likely, ".grpc.port", &["9999", "8080 (http)"]);
}

#[test]
fn a_program_that_misses_something_is_not_missing_itself() {
    let exec = asks(json!({"exec": {"command": ["check", "--key=leader"]}}));
    decides(&exec, "Readiness probe failed: key leader: not found", "probe-failing", Likely, "", &["key leader"]);
    // A command answers for itself, whatever the log said before.
    let pod = exec.pod("a", status::unready(-60));
    let mut world = world(&exec, [pod.clone()]);
    world.upsert(event(&pod, "Warning", "Unhealthy", "Readiness probe failed: exit 1", -55, -1, 9));
    world.log(&pod, "app", 0, "could not connect to orders-db:5432: connection refused");
    check(&world, Expect { cause: "probe-failing", says: &["check --key=leader"], ..READY });
}

#[test]
fn a_host_in_a_probe_leads_away_from_the_pod() {
    let host = app().container(json!({"readinessProbe": {"httpGet": {"host": "shop.example.com"}}}));
    let message = "Readiness probe failed: Get \"http://shop.example.com:8080/healthz\": dial tcp: lookup shop.example.com on 10.96.0.10:53: no such host";
    decides(&host, message, "probe-host-wrong", Established, ".httpGet.host", &["shop.example.com", "no such host"]);
}

#[test]
fn a_port_that_the_container_does_not_declare_is_proof() {
    let app = app().container(json!({"ports": [{"containerPort": 9090}]}));
    let message = "Readiness probe failed: dial tcp 10.1.0.7:8080: connect: connection refused";
    // For as long as a program may take to start, nothing is proven.
    decides(&app, message, "probe-port-wrong", Likely, ".httpGet.port", &["8080", "9090", "declares"]);
    let pod = app.pod("a", status::unready(-300));
    let mut later = world(&app, [pod.clone()]);
    later.upsert(event(&pod, "Warning", "Unhealthy", message, -280, -2, 40));
    let field = "spec.template.spec.containers[app].readinessProbe.httpGet.port";
    check(&later, Expect { cause: "probe-port-wrong", field, verdict: Established, ..READY });
    // By name, not even the kubelet needs to ask.
    let named = asks(json!({"httpGet": {"path": "/", "port": "web"}}));
    let message = "Readiness probe errored and resulted in unknown state: port \"web\" not found";
    decides(&named, message, "probe-port-wrong", Established, ".httpGet.port", &["web", "8080 (http)"]);
    let tcp = asks(json!({"tcpSocket": {"port": 9999}}));
    let message = "Readiness probe failed: dial tcp 10.1.0.7:9999: connect: connection refused";
    decides(&tcp, message, "probe-port-wrong", Likely, ".tcpSocket.port", &["9999", "8080"]);
}

#[test]
fn the_port_that_the_log_names_is_named() {
    let app = app().container(json!({"ports": null}));
    let pod = app.pod("a", status::unready(-60));
    let message = "Readiness probe failed: dial tcp 10.1.0.7:8080: connect: connection refused";
    let mut world = world(&app, [pod.clone()]);
    world.upsert(event(&pod, "Warning", "Unhealthy", message, -55, -1, 9));
    world.log(&pod, "app", 0, "2026-11-12 03:00:00 INFO server listening on http://0.0.0.0:3000");
    let field = "spec.template.spec.containers[app].readinessProbe.httpGet.port";
    check(&world, Expect { cause: "probe-port-wrong", field, says: &["8080", "listens on port 3000"], ..READY });
}

#[test]
fn a_dependency_that_the_probe_complains_of_is_named() {
    let app = app();
    let db = App::deployment("shop/orders-db");
    let pod = app.pod("a", status::unready(-60));
    let mut world = world(&app, [pod.clone()]);
    world.upsert(event(
        &pod,
        "Warning",
        "Unhealthy",
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
        -55,
        -1,
        9,
    ));
    world.log(&pod, "app", 0, "health check: could not connect to orders-db:5432: connection refused");
    let expect = Expect { cause: "probe-dependency-fails", field: "", says: &["orders-db", "refused", "503"], ..READY };
    check(&world, expect);
    world.upsert_all([db.top(json!({})), db.service(json!({})), db.endpoints(&[])]);
    check(&world, Expect { entity: "Service/shop/orders-db", says: &["no ready endpoints"], ..expect });
    // The same by the Service's address.
    world.log(&pod, "app", 0, "health check: dial tcp 10.0.0.7:5432: connect: connection refused");
    check(&world, Expect { entity: "Service/shop/orders-db", says: &["no ready endpoints"], ..expect });
    world.log(&pod, "app", 0, "health check: could not connect to orders-db:5432: connection refused");
    // Somebody scaled it down: that is what to change.
    world.upsert(db.replicas(0).top(json!({})));
    let entity = "Deployment/shop/orders-db";
    let asleep = Expect { cause: "dependency-scaled-to-zero", entity, verdict: Established, ..expect };
    check(&world, Expect { says: &["scaled to zero", "orders-db"], ..asleep });
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

/// A container that its liveness probe (or start-up probe) killed this long after its start, and that runs again.
fn too_slow(app: &App, word: &str, lived: i64, message: &str, log: &str) -> World {
    let mut state = status::restarted(137, "Error", 3, -12, -10);
    state["containerStatuses"][0]["ready"] = json!(false);
    state["containerStatuses"][0]["lastState"]["terminated"]["startedAt"] = json!(at(-12 - lived));
    let pod = app.pod("a", state);
    let mut world = world(app, [pod.clone()]);
    world.upsert(event(&pod, "Warning", "Unhealthy", message, -200, -14, 9));
    let killing = format!("Container app failed {word} probe, will be restarted");
    world.upsert(event(&pod, "Normal", "Killing", &killing, -190, -14, 3));
    world.log(&pod, "app", 3, log);
    world
}

const REFUSED: &str =
    "probe failed: Get \"http://10.1.0.7:8080/healthz\": dial tcp 10.1.0.7:8080: connect: connection refused";

const SLOW: Expect = Expect { rule: "liveness-failing", cause: "probe-kills-slow-start", ..READY };

#[test]
fn a_liveness_probe_that_kills_a_slow_start_says_how_long_it_waits() {
    let app = checkout().container(json!({"ports": [{"containerPort": 8080}], "livenessProbe": probe()}));
    let field = "spec.template.spec.containers[app].livenessProbe.initialDelaySeconds";
    let message = format!("Liveness {REFUSED}");
    let words =
        &["15 s", "initialDelaySeconds 0 + periodSeconds 5 × failureThreshold 3", "no startupProbe", "loading model"];
    let world = too_slow(&app, "liveness", 20, &message, "loading model 40 %");
    check(&world, Expect { field, says: words, ..SLOW });
    // Its own command sleeps first.
    let app = app.container(json!({"command": ["sh", "-c", "sleep 60 && serve"]}));
    let world = too_slow(&app, "liveness", 20, &message, "");
    check(&world, Expect { field, says: &["sleeps 60 s", "killed after 20 s"], ..SLOW });
}

#[test]
fn a_liveness_probe_that_kills_what_served_for_long_is_no_slow_start() {
    let app = checkout().container(json!({"ports": [{"containerPort": 8080}], "livenessProbe": probe()}));
    let message = format!("Liveness {REFUSED}");
    let cause_of = |world: &World| cause(world, "liveness-failing").rule_id;
    assert_eq!(cause_of(&too_slow(&app, "liveness", 900, &message, "loading model 40 %")), "probe-refused");
    assert_eq!(cause_of(&too_slow(&app, "liveness", 20, &message, "nothing of note")), "probe-refused");
    let other = app.clone().container(json!({"ports": [{"containerPort": 9090}]}));
    assert_eq!(cause_of(&too_slow(&other, "liveness", 20, &message, "loading model 40 %")), "probe-kills-slow-start");
    let progress = "INFO FareTableWarmup : done with 4 of 30 fare tables";
    assert_eq!(cause_of(&too_slow(&other, "liveness", 20, &message, progress)), "probe-kills-slow-start");
    assert_eq!(cause_of(&too_slow(&other, "liveness", 20, &message, "nothing of note")), "probe-port-wrong");
    let listening = "server listening on port 3000";
    assert_eq!(cause_of(&too_slow(&app, "liveness", 20, &message, listening)), "probe-port-wrong");
}

#[test]
fn a_probe_that_restarts_every_pod_at_once_speaks_of_what_they_share() {
    let app = checkout().replicas(2).container(json!({"ports": [{"containerPort": 8080}], "livenessProbe": probe()}));
    let message = "Liveness probe failed: HTTP probe failed with statuscode: 503";
    let mut world = too_slow(&app, "liveness", 900, message, "health: cannot reach orders-db:5432: connection refused");
    let alone = cause(&world, "liveness-failing").statement;
    assert!(!alone.contains("within a minute"), "{alone}");
    let other = app.pod("b", status::restarted(137, "Error", 1, -20, -18));
    world.upsert(other.clone());
    world.upsert(event(
        &other,
        "Normal",
        "Killing",
        "Container app failed liveness probe, will be restarted",
        -22,
        -22,
        1,
    ));
    let both = cause(&world, "liveness-failing").statement;
    assert!(both.contains("restarted 2 pods of Deployment checkout within a minute"), "{both}");
}

#[test]
fn a_start_up_budget_that_is_too_short_is_told_in_seconds() {
    let app = checkout().container(json!({"ports": [{"containerPort": 8080}], "startupProbe": probe()}));
    let world = too_slow(&app, "startup", 16, &format!("Startup {REFUSED}"), "restoring snapshot");
    check(
        &world,
        Expect {
            rule: "startup-failing",
            cause: "startup-budget-too-short",
            field: "spec.template.spec.containers[app].startupProbe.failureThreshold",
            says: &["15 s", "periodSeconds 5", "restoring snapshot", "killed after 16 s"],
            ..SLOW
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

#[test]
fn what_the_kubelet_said_while_it_started_is_not_why_it_is_unready_now() {
    let app = app();
    let mut state = status::unready(-20);
    state["containerStatuses"][0]["state"] = json!({"running": {"startedAt": at(-600)}});
    let pod = app.pod("a", state);
    let scene = |message: &str, last: i64| {
        let mut world = world(&app, [pod.clone()]);
        world.upsert(event(&pod, "Warning", "Unhealthy", message, -595, last, 3));
        world
    };
    let refused = "Readiness probe failed: Get \"http://10.0.0.7:8080/healthz\": dial tcp 10.0.0.7:8080: connect: connection refused";
    let rule = |world: &World| world.glance().faults[0].causes[0].rule_id.clone();
    assert_ne!(rule(&scene(refused, -590)), "probe-refused");
    assert_eq!(rule(&scene(refused, -25)), "probe-refused", "before it counted as unready");
    assert_eq!(rule(&scene(refused, -2)), "probe-refused");
}
