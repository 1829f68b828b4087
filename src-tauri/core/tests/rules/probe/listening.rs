//! Where a program listens, and what its log says behind a probe that says nothing.

use super::*;

#[test]
fn the_port_that_the_command_names_is_the_one_it_listens_on() {
    let app = checkout().container(json!({
        "command": ["sh", "-c", "mkdir -p /www && exec httpd -f -p 15020 -h /www"],
        "readinessProbe": {"httpGet": {"path": "/", "port": 15021}, "periodSeconds": 3},
    }));
    let message =
        "Readiness probe failed: Get \"http://10.1.0.7:15021/\": dial tcp 10.1.0.7:15021: connect: connection refused";
    decides(&app, message, "probe-port-wrong", Likely, ".httpGet.port", &["15021", "15020", "its command"]);
}

#[test]
fn a_probe_that_only_looks_for_a_file_leaves_the_reason_to_the_log() {
    let app = checkout().container(json!({
        "readinessProbe": {"exec": {"command": ["test", "-f", "/tmp/ready"]}, "periodSeconds": 5, "httpGet": null},
        "env": [{"name": "CELERY_BROKER_URL", "value": "amqp://app:app@rabbit:5672//"}],
    }));
    let pod = app.pod("a", status::unready(-60));
    let mut world = world(&app, [pod.clone()]);
    world.upsert(App::deployment("shop/rabbitmq").service(json!({})));
    world.upsert(event(&pod, "Warning", "Unhealthy", "Readiness probe failed:", -55, -1, 9));
    let line = "[2026-11-12 02:59:00,000: ERROR/MainProcess] consumer: Cannot connect to amqp://app:**@rabbit:5672//: [Errno -2] Name or service not known.";
    world.log(&pod, "app", 0, &format!("{line}\n{line}\n{line}"));
    let fault = world.diagnose().faults.remove(0);
    let cause = &fault.causes[0];
    assert_eq!(cause.rule_id, "host-name-unknown", "{}", cause.statement);
    assert!(
        cause.statement.contains("rabbit")
            && cause.field.as_deref().is_some_and(|f| f.ends_with("env[CELERY_BROKER_URL]"))
    );
}

#[test]
fn a_program_that_listens_for_itself_only_is_told_so() {
    let app = app().container(json!({"env": [{"name": "HOST", "value": "127.0.0.1"}]}));
    let pod = app.pod("a", status::unready(-60));
    let mut world = world(&app, [pod.clone()]);
    let message = "Readiness probe failed: Get \"http://10.1.0.7:8080/healthz\": dial tcp 10.1.0.7:8080: connect: connection refused";
    world.upsert(event(&pod, "Warning", "Unhealthy", message, -55, -1, 9));
    world.log(&pod, "app", 0, "listening on http://127.0.0.1:8080");
    check(
        &world,
        Expect {
            cause: "listens-on-loopback",
            verdict: Established,
            field: "spec.template.spec.containers[app].env[HOST]",
            says: &["127.0.0.1:8080", "connection refused"],
            ..READY
        },
    );
}

#[test]
fn what_the_command_waits_for_is_not_where_it_listens() {
    let app = app().container(json!({
        "command": ["sh", "-c", "until pg_isready -h db -p 5432; do sleep 1; done; exec ./server"],
    }));
    let message = "Readiness probe failed: Get \"http://10.1.0.7:8080/healthz\": dial tcp 10.1.0.7:8080: connect: connection refused";
    let statement = unready(&app, -60, message).diagnose().faults[0].causes[0].statement.clone();
    assert!(!statement.contains("5432"), "{statement}");
}

#[test]
fn another_port_of_the_loopback_address_says_nothing_of_the_one_that_is_asked() {
    let app = checkout().container(json!({
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 5},
    }));
    let message = "Readiness probe failed: Get \"http://10.1.0.7:8080/healthz\": dial tcp 10.1.0.7:8080: connect: connection refused";
    for (log, loopback) in [("pprof listening on 127.0.0.1:6060", false), ("listening on 127.0.0.1:8080", true)] {
        let pod = app.pod("a", status::unready(-60));
        let mut world = world(&app, [pod.clone()]);
        world.upsert(event(&pod, "Warning", "Unhealthy", message, -55, -1, 9));
        world.log(&pod, "app", 0, log);
        let cause = world.diagnose().faults[0].causes[0].clone();
        assert_eq!(cause.rule_id == "listens-on-loopback", loopback, "{}", cause.statement);
    }
}

/// The client's probe asks the Service, whose target port nobody behind it offers: one fault, told where it lies.
#[test]
fn a_probe_that_asks_a_service_of_a_wrong_port_is_a_symptom_of_it() {
    let mut world = World::new();
    let api = App::deployment("shop/api").container(json!({"ports": [{"containerPort": 8080}]}));
    world.run(&api, [api.pod("a", status::ready(-600))]);
    let ports = json!([{"name": "http", "port": 80, "targetPort": 9090}]);
    world.upsert_all([api.service(json!({"spec": {"ports": ports}})), api.endpoints(&[true])]);
    let command = json!(["sh", "-c", "wget -q -O- http://api/healthz"]);
    let web = App::deployment("shop/web")
        .container(json!({"readinessProbe": {"exec": {"command": command}, "periodSeconds": 5}}));
    let pod = web.pod("a", status::unready(-60));
    world.run(&web, [pod.clone()]);
    let said = "Readiness probe failed: wget: can't connect to remote host (10.0.0.7): Connection refused\n";
    world.upsert(event(&pod, "Warning", "Unhealthy", said, -55, -1, 9));
    world.log(&pod, "app", 0, "waiting for requests");
    let faults = world.diagnose().faults;
    let titles: Vec<&str> = faults.iter().map(|f| f.title.as_str()).collect();
    assert_eq!(titles.len(), 1, "{titles:?}");
    assert_eq!(faults[0].causes[0].entity.key(), "Service/shop/api", "{}", faults[0].causes[0].statement);
}
