//! Probes of programs whose log grows while they are not ready.

use super::*;
use afterwatch_core::{
    observation::{Fact, LogRead, LogWant},
    remediation::ActionKind,
};

const STATUS: &str = "Readiness probe failed: HTTP probe failed with statuscode: 503";
const REFUSED: &str =
    "Readiness probe failed: Get \"http://10.0.0.7:8080/healthz\": dial tcp 10.0.0.7:8080: connect: connection refused";

#[test]
fn the_log_of_a_container_that_stays_unready_is_read_again_and_again_more_seldom() {
    let app = app();
    let pod = app.pod("a", status::unready(0));
    let mut world = world(&app, [pod.clone()]);
    world.upsert(event(&pod, "Warning", "Unhealthy", STATUS, 5, 5, 1));
    let mut reads = Vec::new();
    for n in 16..=600 {
        world.set_time(n);
        let diagnosis = world.diagnose();
        if diagnosis.wants.is_empty() {
            assert!(diagnosis.next_due.is_some_and(|due| due > world.now), "somebody must look again");
            continue;
        }
        reads.push(n);
        world.log(&pod, "app", 0, "INFO boot");
        assert!(world.diagnose().wants.is_empty(), "it was just read");
    }
    assert_eq!(reads, [16, 32, 64, 128, 256, 512]);
    // One look reads it once.
    assert!(world.glance().wants.is_empty());
    // What could not be read again was read before.
    let want = LogWant { pod: pod.reference(), container: "app".into(), previous: false, restart: 0 };
    let lines = Err("the node does not answer".to_owned());
    world.apply(Fact::Log(LogRead { want: want.clone(), lines, truncated: false, later: None }));
    assert_eq!(world.index.said(&want).unwrap().words.as_ref().unwrap().1, "INFO boot");
}

#[test]
fn one_plain_error_is_why_a_program_says_that_it_cannot_serve() {
    let app = app();
    let scene = |log: &str, message: &str| {
        let mut world = unready(&app, -60, message);
        let pod = app.pod("a", status::unready(-60));
        world.log(&pod, "app", 0, log);
        world
    };
    let denied = r#"{"level":"error","logger":"leaderelection","msg":"error initially creating leader election record","error":"leases.coordination.k8s.io is forbidden: User \"system:serviceaccount:shop:default\" cannot create resource \"leases\" in API group \"coordination.k8s.io\" in the namespace \"shop\""}"#;
    let first = |world: &World| world.glance().faults[0].causes[0].clone();
    let cause = first(&scene(denied, STATUS));
    assert_eq!(cause.rule_id, "log-cluster-access", "{}", cause.statement);
    says(&cause, &["leases", "503"]);
    // A program that does not answer at all may be starting: once is not enough.
    assert_eq!(first(&scene(denied, REFUSED)).rule_id, "probe-refused");
    assert_eq!(
        first(&scene("INFO optional file /etc/x.yml: no such file or directory", STATUS)).rule_id,
        "probe-bad-status"
    );
}

#[test]
fn what_keeps_a_program_from_listening_is_said_again_and_again() {
    let app = app();
    let pod = app.pod("a", status::unready(-60));
    let mut world = unready(&app, -60, REFUSED);
    let db = App::deployment("shop/orders-db");
    world.upsert_all([db.top(json!({})), db.service(json!({})), db.endpoints(&[])]);
    let line = "waiting for database: could not connect to orders-db:5432: connection refused\n";
    world.log(&pod, "app", 0, &line.repeat(4));
    check(
        &world,
        Expect {
            cause: "probe-dependency-fails",
            entity: "Service/shop/orders-db",
            field: "",
            says: &["does not get that far", "orders-db"],
            ..READY
        },
    );
}

#[test]
fn a_refused_connection_in_a_first_start_is_only_a_start_for_half_a_minute() {
    let app = app();
    let pod = app.pod("a", status::unready(0));
    let mut world = world(&app, [pod.clone()]);
    world.upsert(event(&pod, "Warning", "Unhealthy", REFUSED, 5, 5, 1));
    held(&mut world, 0, 30);
}

#[test]
fn a_command_that_asks_another_host_is_refused_by_that() {
    let asks = json!({"exec": {"command": ["python3", "-c", "import urllib.request as u; u.urlopen('http://stock/healthz')"]}});
    let app = checkout().container(json!({"readinessProbe": asks}));
    let stock = App::deployment("shop/stock");
    let mut world = unready(&app, -60, "Readiness probe failed: <urlopen error [Errno 111] Connection refused>");
    world.upsert_all([stock.service(json!({})), stock.endpoints(&[])]);
    let fault = world.glance().faults[0].clone();
    let cause = &fault.causes[0];
    assert_eq!(cause.entity.key(), "Service/shop/stock", "{}", cause.statement);
    assert!(!cause.statement.contains("nothing listens on that port"), "{}", cause.statement);
}

#[test]
fn a_program_that_says_itself_that_it_cannot_serve_is_quoted_and_its_probe_left_alone() {
    let app = app();
    let mut world = unready(&app, -60, STATUS);
    let pod = app.pod("a", status::unready(-60));
    world.log(&pod, "app", 0, "INFO started\nERROR ledger 2026-Q4 is not reconciled\nGET /healthz 503");
    let fault = world.glance().faults.remove(0);
    says(&fault.causes[0], &["503", "Its log says: “ERROR ledger 2026-Q4 is not reconciled”"]);
    assert!(
        fault.actions[0].command.contains("kubectl logs deployment/checkout -n shop -c app"),
        "{:?}",
        fault.actions
    );
    assert!(fault.actions.iter().all(|a| a.kind != ActionKind::SetProbe), "{:?}", fault.actions);
    // One that asks for what is not there is to ask for something else.
    let gone = "Readiness probe failed: HTTP probe failed with statuscode: 404";
    let fault = unready(&app, -60, gone).glance().faults.remove(0);
    assert_eq!(fault.actions[0].kind, ActionKind::SetProbe, "{:?}", fault.actions);
}
