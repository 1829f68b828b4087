//! Init containers that cannot end.

use super::{reach::waiting, *};
use afterwatch_core::observation::LogWant;

const ENDLESS: Expect = Expect {
    rule: "init-container-waiting",
    cause: "init-never-ends",
    verdict: Established,
    field: "spec.template.spec.initContainers[wait].command",
    says: &["Init container wait does not end", "restartPolicy: Always"],
    ..CHECKOUT
};

fn runs(command: &str, since: i64, log: &str) -> World {
    let (app, pod) = waiting(command, since);
    let mut world = world(&app, [pod.clone()]);
    if !log.is_empty() {
        world.log(&pod, "wait", 0, log);
    }
    world
}

#[test]
fn a_command_without_an_end_is_told() {
    for command in ["sleep infinity", "prepare; tail -n 5 -F /var/log/x", "while true; do date; sleep 5; done"] {
        check(&runs(command, -60, ""), ENDLESS);
    }
    for command in [
        "sleep 900",
        "sleep infinity & work",
        "tail -f /log | grep -m1 ready",
        "tail -n 5 /var/log/x",
        "while true; do test -e /x && exit 0; sleep 5; done",
        "for i in $(seq 10); do work; sleep 5; done",
    ] {
        silent(&runs(command, -50, ""));
    }
}

#[test]
fn its_own_pod_does_not_answer_an_init_container() {
    let own =
        Expect { cause: "init-waits-for-own-pod", says: &["waits for localhost:8080", "start only after"], ..ENDLESS };
    check(&runs("until wget -q localhost:8080/ready; do sleep 1; done", -60, ""), own);
    // A helper that starts before it may answer.
    let (app, pod) = waiting("until wget -q localhost:8080/ready; do sleep 1; done", -50);
    let helper = json!({"spec": {"initContainers": [
        {"name": "proxy", "image": "envoy", "restartPolicy": "Always"},
        {"name": "wait", "image": "busybox", "command": ["sh", "-c", "until wget -q localhost:8080/ready; do sleep 1; done"]},
    ]}});
    let Object::Pod(pod) = &pod else { panic!() };
    let changed = app.clone().spec(helper["spec"].clone()).pod("a", serde_json::to_value(&pod.status).unwrap());
    silent(&world(&app, [changed]));
}

#[test]
fn a_loop_that_does_not_come_true_is_told_after_a_minute() {
    let file = Expect {
        cause: "init-waits-in-a-loop",
        verdict: Likely,
        says: &["waits in a loop for the file /work/ready", "not found"],
        ..ENDLESS
    };
    let loops = "until [ -f /work/ready ]; do echo waiting; sleep 2; done";
    check(&runs(loops, -70, ""), file);
    silent(&runs(loops, -55, ""));
    let query = "while ! kubectl get lease gate; do sleep 2; done";
    check(&runs(query, -70, ""), Expect { says: &["`! kubectl get lease gate`", "not come true"], ..file });
    // It writes the same line for a minute; one that goes on writes another each time.
    let waits = "2026-01-01T00:00:01Z waiting for the schema, try 1\n2026-01-01T00:00:02Z waiting for the schema, try 2\n\
                 2026-01-01T00:00:03Z waiting for the schema, try 3\n2026-01-01T00:00:04Z waiting for the schema, try 4";
    check(
        &runs("gate", -70, waits),
        Expect { says: &["writes “waiting for the schema, try 4” again and again"], ..file },
    );
    silent(&runs("gate", -70, "copying a\ncopying b\nindexing\nsorting"));
}

#[test]
fn what_it_fails_with_again_and_again_is_why_it_waits() {
    let line = "FATAL:  password authentication failed for user \"app\"\n";
    let refused = Expect {
        cause: "log-authentication",
        verdict: Likely,
        field: "",
        says: &["does not end", "password authentication failed"],
        ..ENDLESS
    };
    check(&runs("migrate", -70, &line.repeat(5)), refused);
    silent(&runs("migrate", -70, line));
}

#[test]
fn a_server_among_the_init_containers_never_ends() {
    let server = json!({"initContainers": [{"name": "wait", "image": "nginx", "ports": [{"containerPort": 80}]}]});
    let (app, pod) = waiting("", -70);
    let Object::Pod(pod) = &pod else { panic!() };
    let app = app.spec(server);
    let pod = app.pod("a", serde_json::to_value(&pod.status).unwrap());
    check(
        &world(&app, [pod]),
        Expect {
            verdict: Likely,
            field: "spec.template.spec.initContainers[wait].restartPolicy",
            says: &["offers port 80", "restartPolicy: Always"],
            ..ENDLESS
        },
    );
}

#[test]
fn the_log_of_an_init_container_that_asks_for_nobody_is_read_late() {
    let wants = |since: i64| -> Vec<LogWant> { runs("copy", since, "").diagnose().wants };
    assert!(wants(-40).is_empty());
    assert_eq!(wants(-50).len(), 1);
}
