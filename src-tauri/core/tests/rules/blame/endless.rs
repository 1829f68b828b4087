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
    for command in [
        "sleep infinity",
        "prepare; tail -n 5 -F /var/log/x",
        "prepare && sleep inf",
        "while true; do date; sleep 5; done",
    ] {
        check(&runs(command, -70, ""), ENDLESS);
        silent(&runs(command, -55, ""));
    }
    for command in [
        "sleep 900",
        "sleep infinity & work",
        "./migrate || sleep infinity",
        "[ \"$DEBUG\" = 1 ] && sleep infinity; ./migrate",
        "(while true; do echo at work; sleep 10; done) & ./migrate",
        "./work & tail --pid=$! -f /dev/null",
        "tail -f /log | grep -m1 ready",
        "tail -f /log|grep -m1 ready",
        "timeout 60 sleep infinity",
        "tail -n 5 /var/log/x",
        "while true; do test -e /x && exit 0; sleep 5; done",
        "for i in $(seq 10); do work; sleep 5; done",
    ] {
        silent(&runs(command, -600, ""));
    }
}

#[test]
fn its_own_pod_does_not_answer_an_init_container() {
    let asks = "until wget -q localhost:8080/ready; do sleep 1; done";
    let own = Expect {
        cause: "init-waits-for-own-pod",
        verdict: Likely,
        says: &["waits for localhost:8080", "start only after", "deadlock"],
        ..ENDLESS
    };
    check(&runs(asks, -70, ""), own);
    // A server of its own in the background, another machine's localhost, and one that must not be it.
    for command in [
        "mysqld & until mysqladmin ping -h 127.0.0.1; do sleep 1; done; mysql < dump.sql",
        "until kubectl exec db-0 -- pg_isready -h localhost; do sleep 1; done; work",
        "until getent hosts $(hostname) | grep -v 127.0.0.1; do sleep 1; done; work",
    ] {
        silent(&runs(command, -600, ""));
    }
    // A helper that starts before it may answer, and so may the node.
    let (app, pod) = waiting(asks, -600);
    let Object::Pod(pod) = &pod else { panic!() };
    let init = json!({"name": "wait", "image": "busybox", "command": ["sh", "-c", asks]});
    let helper = json!({"name": "proxy", "image": "envoy", "restartPolicy": "Always"});
    for spec in [json!({"initContainers": [helper, init]}), json!({"hostNetwork": true, "initContainers": [init]})] {
        let app = app.clone().spec(spec.clone());
        let faults = world(&app, [app.pod("a", serde_json::to_value(&pod.status).unwrap())]).glance().faults;
        assert!(faults.iter().flat_map(|f| &f.causes).all(|c| c.rule_id != "init-waits-for-own-pod"), "{spec}");
    }
}

#[test]
fn a_loop_that_does_not_come_true_is_told_after_a_minute() {
    let file = Expect {
        cause: "init-waits-in-a-loop",
        verdict: Likely,
        says: &["waits in a loop for the file /shared/ready", "not found"],
        ..ENDLESS
    };
    let loops = "until [ -f /shared/ready ]; do echo waiting; sleep 2; done";
    check(&runs(loops, -70, ""), file);
    check(&runs("while [ ! -f /shared/ready ]; do sleep 2; done", -70, ""), file);
    silent(&runs(loops, -55, ""));
    let query = "while ! kubectl get lease gate; do sleep 2; done";
    check(
        &runs(query, -70, ""),
        Expect { says: &["(while `! kubectl get lease gate`)", "not come to its end"], ..file },
    );
    // A file that is to go away is not one that is missing.
    let goes = "while [ -e /shared/lock ]; do sleep 1; done";
    check(&runs(goes, -70, ""), Expect { says: &["(while `[ -e /shared/lock ]`)"], ..file });
    for command in [
        "until [ -f /vault/secrets/db ]; do sleep 1; done; /app/migrate up",
        "while [ $i -lt 100 ]; do work; sleep 1; done",
        "while read f; do work $f; sleep 1; done",
        "while kill -0 $PID; do sleep 1; done",
    ] {
        silent(&runs(command, -600, ""));
    }
    // It writes for a minute that it waits.
    let tries: Vec<String> =
        (1..=4).map(|n| format!("2026-01-01T00:00:0{n}Z waiting for the schema, try {n}")).collect();
    let says = &["writes “waiting for the schema, try 4” again and again"];
    check(&runs("gate", -70, &tries.join("\n")), Expect { says, ..file });
    for work in ["copied {} of 9000 files", "Downloading {}0%", "Applying migration 004{}"] {
        let log: Vec<String> = (1..=6).map(|n| work.replace("{}", &n.to_string())).collect();
        silent(&runs("work", -600, &log.join("\n")));
    }
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
    // It got over it and is at work.
    silent(&runs("migrate", -70, &format!("{}{}", line.repeat(5), "INFO applying\n".repeat(30))));
    // What it is connected to is there now.
    let (app, pod) = waiting("migrate --db ledger:80", -70);
    let ledger = App::deployment("shop/ledger");
    let mut busy = world(&app, [pod.clone()]);
    busy.run(&ledger, [ledger.pod("a", status::ready(-30))]);
    busy.upsert_all([ledger.service(json!({})), ledger.endpoints(&[true])]);
    busy.log(&pod, "wait", 0, &"dial tcp ledger:80: connect: connection refused\n".repeat(5));
    silent(&busy);
}

#[test]
fn a_server_among_the_init_containers_never_ends() {
    let told = |fields: Value| {
        let mut init = json!({"name": "wait", "image": "nginx", "ports": [{"containerPort": 80}]});
        merge(&mut init, &fields);
        let (app, pod) = waiting("", -70);
        let Object::Pod(pod) = &pod else { panic!() };
        let app = app.spec(json!({"initContainers": [init]}));
        let pod = app.pod("a", serde_json::to_value(&pod.status).unwrap());
        world(&app, [pod])
    };
    check(
        &told(json!({})),
        Expect {
            verdict: Likely,
            field: "spec.template.spec.initContainers[wait].restartPolicy",
            says: &["offers port 80", "restartPolicy: Always"],
            ..ENDLESS
        },
    );
    silent(&told(json!({"args": ["migrate"]})));
}

#[test]
fn somebody_looks_again_while_nothing_is_wrong_yet() {
    let due = |since: i64| runs("gate", since, "").diagnose().next_due.map(|t| t.as_second() - t_of(since));
    assert_eq!([due(-10), due(-20), due(-50)], [Some(15), Some(45), Some(60)]);
    assert_eq!(due(-600), None);
}

fn t_of(seconds: i64) -> i64 {
    t(seconds).as_second()
}

#[test]
fn the_log_of_one_that_ended_is_read_whole() {
    let (app, pod) = waiting("gate", -80);
    let mut world = world(&app, [pod.clone()]);
    world.log(&pod, "wait", 0, "INFO boot");
    assert!(world.diagnose().wants.is_empty());
    world.set_time(10);
    let mut state = status::waiting("PodInitializing", "", -80);
    state["initContainerStatuses"] = json!([{"name": "wait", "restartCount": 0, "state": {"terminated": {
        "exitCode": 1, "reason": "Error", "startedAt": at(-80), "finishedAt": at(9)}}}]);
    let dead = app.pod("a", state);
    world.upsert(dead.clone());
    assert_eq!(world.diagnose().wants.len(), 1, "it was read while it ran");
    world.log(&dead, "wait", 0, "INFO boot\nFATAL:  password authentication failed for user \"app\"");
    assert!(world.diagnose().wants.is_empty(), "once is enough, whatever the two clocks say");
    world.set_time(20);
    assert_eq!(world.diagnose().faults[0].causes[0].rule_id, "log-authentication");
}

#[test]
fn the_log_of_an_init_container_that_asks_for_nobody_is_read_late() {
    let wants = |since: i64| -> Vec<LogWant> { runs("copy", since, "").diagnose().wants };
    assert!(wants(-40).is_empty());
    assert_eq!(wants(-50).len(), 1);
}
