//! A person asks about a workload that looks healthy.

use afterwatch_core::{
    correlate::Options,
    incident::{IncidentId, OpenedBy, State},
    inspect::{self, Look, Target},
    ledger::Step,
    object::Kind,
    observation::LogRead,
};
use afterwatch_testkit::World;
use uuid::Uuid;

use super::support::*;
use crate::Shown;

pub const FAULTS: &[Shown] = &[("asked-log-errors", a_database_that_nobody_answers_for)];

const REFUSED: &str = "ERROR dial tcp orders-db:5432: connect: connection refused\nretrying in 5s\n";

/// What is asked about, with the logs of containers by pod.
fn ask(world: &World, what: &str, logs: &[(&str, &str)]) -> Look {
    let namespaces = ["shop".to_owned()];
    let subject = inspect::find(&world.index, &Target::parse(&[what]).unwrap(), &namespaces).unwrap();
    let reads: Vec<LogRead> = inspect::wants(&world.index, &subject)
        .into_iter()
        .map(|want| {
            let text = logs.iter().find(|(pod, _)| *pod == want.pod.name).map(|(_, text)| *text);
            let lines = text.map(|t| t.lines().map(str::to_owned).collect()).ok_or_else(|| "forbidden".to_owned());
            LogRead { want, lines, truncated: false, later: None }
        })
        .collect();
    let options = Options { waive_holds: true, ..Options::default() };
    inspect::look(&world.index, world.now, options, &subject, &reads)
}

/// `checkout` runs well and is configured with `orders-db`.
fn leaning() -> (World, App) {
    let app = checkout().container(json!({"env": [{"name": "DB_HOST", "value": "orders-db"}]}));
    (world(&app, [app.pod("a", status::ready(-600))]), app)
}

fn database() -> App {
    App::of(Kind::StatefulSet, "shop/orders-db")
}

fn a_database_that_nobody_answers_for() {
    let (mut world, _) = leaning();
    world.upsert_all([database().service(json!({})), database().endpoints(&[])]);
    // Nobody is behind the Service, and no rule says so: the StatefulSet was scaled to none.
    world.upsert(database().replicas(0).top(json!({})));
    let look = ask(&world, "deploy/checkout", &[("checkout-r1-a", &REFUSED.repeat(6))]);
    let fault = only(
        &world,
        look.faults,
        Expect {
            rule: "asked-log-errors",
            cause: "dependency-scaled-to-zero",
            entity: "StatefulSet/shop/orders-db",
            verdict: Established,
            severity: Medium,
            says: &["orders-db", "no endpoints", "scaled to zero", "checkout calls it"],
            ..CHECKOUT
        },
    );
    assert!(fault.findings[0].message.contains("connection refused"), "{}", fault.findings[0].message);
    assert!(fault.evidence.iter().any(|e| e.excerpt.contains("retrying in 5s")), "the log itself is evidence");
}

#[test]
fn an_error_that_goes_on_is_found_when_it_is_asked_for_and_only_then() {
    a_database_that_nobody_answers_for();
    let (world, _) = leaning();
    silent(&world);
    assert!(world.glance().wants.is_empty(), "nobody asked: no log of a healthy container is wanted");
}

#[test]
fn a_variable_that_a_running_container_misses_is_named_with_its_field() {
    let (world, _) = leaning();
    let line = "level=error msg=\"required environment variable STRIPE_KEY is not set\"\n";
    let look = ask(&world, "deploy/checkout", &[("checkout-r1-a", &line.repeat(4))]);
    only(
        &world,
        look.faults,
        Expect {
            rule: "asked-log-errors",
            cause: "log-missing-env",
            entity: "Deployment/shop/checkout",
            field: "spec.template.spec.containers[app].env[STRIPE_KEY]",
            verdict: Likely,
            severity: Medium,
            says: &["STRIPE_KEY"],
            ..CHECKOUT
        },
    );
}

#[test]
fn what_a_dependency_says_explains_what_is_said_about_it() {
    let (mut world, _) = leaning();
    let db = database();
    world.run(&db, [db.pod("0", status::ready(-600))]);
    world.upsert_all([db.service(json!({})), db.endpoints(&[true])]);
    let full = "FATAL: could not extend file: No space left on device: /var/lib/data/base\n";
    let look =
        ask(&world, "deploy/checkout", &[("checkout-r1-a", &REFUSED.repeat(6)), ("orders-db-0", &full.repeat(5))]);
    let fault = only(
        &world,
        look.faults,
        Expect {
            rule: "asked-log-errors",
            cause: "log-disk-full",
            entity: "StatefulSet/shop/orders-db",
            subject: "StatefulSet/shop/orders-db",
            verdict: Likely,
            severity: Medium,
            says: &["no space is left", "Service orders-db"],
            ..CHECKOUT
        },
    );
    assert_eq!(fault.findings.len(), 2, "both logs are of one fault");
}

#[test]
fn a_fault_that_a_rule_sees_is_told_and_a_neighbours_is_not() {
    let (mut world, _) = leaning();
    let loud = App::deployment("shop/loud");
    world.run(&loud, [loud.pod("a", status::crashed(1, "Error", 5, -20))]);
    let calm = "INFO served\n".repeat(30);
    let look = ask(&world, "deploy/checkout", &[("checkout-r1-a", &calm)]);
    assert!(look.faults.is_empty(), "{:?}", look.faults.iter().map(|f| &f.title).collect::<Vec<_>>());
    let look = ask(&world, "deployment/loud", &[]);
    assert_eq!(look.faults.len(), 1);
    assert_eq!(look.faults[0].subject.key(), "Deployment/shop/loud");
    assert_eq!(ask(&world, "pod/loud-r1-a", &[]).faults.len(), 1, "by its pod");
    // The database it leans on is broken: that lies upstream.
    let db = database();
    world.run(&db, [db.pod("0", status::crashed(1, "Error", 5, -20))]);
    world.upsert_all([db.service(json!({})), db.endpoints(&[])]);
    let look = ask(&world, "deploy/checkout", &[("checkout-r1-a", &calm)]);
    let subjects: Vec<String> = look.faults.iter().map(|f| f.subject.key()).collect();
    assert_eq!(subjects, ["StatefulSet/shop/orders-db"]);
}

#[test]
fn a_node_in_trouble_is_upstream_of_what_it_runs_and_a_node_that_keeps_others_out_is_not() {
    let (mut world, _) = leaning();
    world.upsert(World::node_since("node-a", "Unknown", -300));
    let look = ask(&world, "deploy/checkout", &[]);
    assert_eq!(look.faults.len(), 1);
    assert_eq!(look.faults[0].causes[0].entity.kind, "Node");
}

#[test]
fn where_nothing_is_found_it_is_told_what_was_looked_at() {
    let (mut world, app) = leaning();
    let db = database();
    world.run(&db, [db.pod("0", status::ready(-600))]);
    world.upsert_all([db.service(json!({})), db.endpoints(&[true]), app.service(json!({})), app.endpoints(&[true])]);
    let race = format!("{}connected to orders-db\n{}", REFUSED.repeat(4), "INFO served\n".repeat(30));
    let look = ask(&world, "deploy/checkout", &[("checkout-r1-a", &race), ("orders-db-0", "ready to accept\n")]);
    assert!(look.faults.is_empty(), "a start-up race that is long over");
    let (fault, needs) = look.seen.expect("what was looked at");
    sound(&world, &fault);
    assert!(fault.causes.is_empty() && fault.findings.is_empty() && fault.actions.is_empty());
    let told: Vec<&str> = fault.ruled_out.iter().map(|r| r.statement.as_str()).collect();
    for word in [
        "no container has restarted",
        "no warning event",
        "40 lines of 2 logs",
        "Service orders-db: 1 of 1 pod ready",
        "node node-a is ready",
    ] {
        assert!(told.iter().any(|t| t.contains(word)), "`{word}` is not in {told:#?}");
    }
    assert!(!needs.is_empty());
    assert!(fault.ruled_out.iter().all(|r| r.result == "no"));
}

#[test]
fn what_could_not_be_read_is_open_and_not_well() {
    let (world, _) = leaning();
    let look = ask(&world, "deploy/checkout", &[]);
    let (fault, needs) = look.seen.expect("nothing was found");
    let open: Vec<&str> = fault.ruled_out.iter().filter(|r| r.result == "open").map(|r| r.statement.as_str()).collect();
    assert!(open.iter().any(|t| t.contains("could not be read of container app of checkout-r1-a")), "{open:?}");
    assert!(needs[0].contains("the log of container app"), "{needs:?}");
}

#[test]
fn restarts_that_are_over_are_told_with_how_they_ended() {
    let app = checkout();
    let world = world(&app, [app.pod("a", status::restarted(137, "OOMKilled", 3, -7300, -7200))]);
    let look = ask(&world, "deploy/checkout", &[("checkout-r1-a", "INFO served\n")]);
    let (fault, _) = look.seen.expect("nothing is wrong now");
    let told = fault.ruled_out.iter().any(|r| {
        r.statement.contains("restarted 3 times, the last time with exit code 137 (OOMKilled) at 2026-11-12 00:58 UTC")
    });
    assert!(told, "{:#?}", fault.ruled_out);
}

#[test]
fn the_logs_that_are_read_are_few() {
    let app = checkout().replicas(20).container(json!({"env": [{"name": "A", "value": "http://orders-db:80"}]}));
    let pods = (0..20).map(|i| {
        let made = json!({"metadata": {"creationTimestamp": at(-1000 + i)}});
        app.pod_with(&format!("{i:02}"), status::ready(-900), made)
    });
    let mut world = world(&app, pods);
    let db = database();
    world.run(&db, (0..9).map(|i| db.pod(&i.to_string(), status::ready(-600))));
    world.upsert(db.service(json!({})));
    let subject = inspect::find(&world.index, &Target::parse(&["deploy/checkout"]).unwrap(), &["shop".into()]).unwrap();
    let wants = inspect::wants(&world.index, &subject);
    let of = |name: &str| wants.iter().filter(|w| w.pod.name.starts_with(name)).count();
    assert_eq!((of("checkout"), of("orders-db")), (6, 4));
    assert_eq!(wants[0].pod.name, "checkout-r1-19", "the newest first");
    // What waits for its image has written nothing.
    let pending = app.pod("00", status::waiting("ImagePullBackOff", "no such image", -10));
    world.upsert(pending);
    assert!(!inspect::wants(&world.index, &subject).iter().any(|w| w.pod.name == "checkout-r1-00"));
}

#[test]
fn a_name_that_is_not_there_is_answered_with_what_is() {
    let (mut world, _) = leaning();
    world.run(&App::deployment("pay/ledger"), []);
    let find = |what: &str| inspect::find(&world.index, &Target::parse(&[what]).unwrap(), &["shop".to_owned()]);
    let (said, hint) = find("deploy/chekout").unwrap_err().words();
    assert_eq!(said, "There is no Deployment chekout in shop");
    assert_eq!(hint, "There is deployment/checkout -n shop");
    let (_, hint) = find("deploy/ledger").unwrap_err().words();
    assert_eq!(hint, "There is deployment/ledger -n pay");
    let (_, hint) = find("sts/checkout").unwrap_err().words();
    assert_eq!(hint, "There is deployment/checkout -n shop", "another kind of that name");
    let (said, hint) = find("node/node-b").unwrap_err().words();
    assert_eq!((said.as_str(), hint.as_str()), ("There is no Node node-b", "There is node/node-a"));
    world.lose(Kind::StatefulSet, afterwatch_core::coverage::UnreadableReason::Forbidden);
    let target = Target::parse(&["sts/zzz"]).unwrap();
    let (said, _) = inspect::find(&world.index, &target, &["shop".to_owned()]).unwrap_err().words();
    assert!(said.contains("whether zzz exists is not known"), "{said}");
}

#[test]
fn what_can_be_asked_about_is_found_by_its_words() {
    let (mut world, _) = leaning();
    world.run(&App::deployment("pay/checkout"), []);
    let found = |text: &str| -> Vec<String> {
        inspect::choices(&world.index, text, 10).0.into_iter().map(|c| c.object.key()).collect()
    };
    assert_eq!(found("check"), ["Deployment/pay/checkout", "Deployment/shop/checkout"]);
    assert_eq!(found("shop/check"), ["Deployment/shop/checkout"]);
    assert_eq!(found("deploy pay"), ["Deployment/pay/checkout"]);
    assert_eq!(found("no/"), ["Node//node-a"], "a short name stands for its kind");
    let (some, more) = inspect::choices(&world.index, "", 1);
    assert_eq!((some.len(), more), (1, true));
}

#[test]
fn what_a_question_found_is_an_incident_that_no_rule_closes() {
    let (mut world, _) = leaning();
    world.upsert_all([database().service(json!({})), database().endpoints(&[])]);
    world.upsert(database().replicas(0).top(json!({})));
    let look = ask(&world, "deploy/checkout", &[("checkout-r1-a", &REFUSED.repeat(6))]);
    let fault = look.faults.into_iter().next().expect("a fault");
    let now = world.now;
    let mut mint = || IncidentId(Uuid::from_u128(77));
    let (id, step) = world.ledger.ask(now, &fault, &mut mint);
    assert_eq!(step, Some(Step::Opened));
    assert_eq!(world.only().opened_by, OpenedBy::User);
    assert!(world.only().causes[0].evidence.iter().all(|e| world.only().evidence_by_id(e).is_some()));
    assert_eq!(world.ledger.ask(now, &fault, &mut mint), (id, None), "asked again it is the same");
    world.look_at(30);
    world.look_at(3600);
    assert_eq!(world.only().state, State::Open, "no rule looks at that log");
}

#[test]
fn a_fault_of_the_rules_that_a_person_asked_about_ends_as_any_other() {
    let app = checkout();
    let mut world = world(&app, [app.pod("a", status::crashed(1, "Error", 5, -20))]);
    let fault = ask(&world, "deploy/checkout", &[]).faults.into_iter().next().expect("a fault");
    let now = world.now;
    world.ledger.ask(now, &fault, &mut || IncidentId(Uuid::from_u128(77)));
    world.look_at(1);
    assert_eq!(world.only().id, IncidentId(Uuid::from_u128(77)), "the rules find the same one");
    world.upsert(app.pod("a", status::ready(10)));
    world.look_at(120);
    assert_eq!(world.only().state, State::Mitigated);
}

#[test]
fn what_was_looked_at_in_vain_is_over_and_counts_nowhere() {
    let (mut world, _) = leaning();
    let look = ask(&world, "deploy/checkout", &[("checkout-r1-a", "INFO served\n")]);
    let (fault, needs) = look.seen.expect("nothing");
    let incident = world.ledger.looked_at(world.now, &fault, needs, IncidentId(Uuid::from_u128(1)));
    assert_eq!((incident.state, incident.opened_by), (State::Resolved, OpenedBy::User));
    assert_eq!((incident.started_at, incident.verdict), (None, NotEstablished));
    assert!(incident.causes.is_empty() && !incident.needs.is_empty() && !incident.ruled_out.is_empty());
    assert!(incident.ruled_out.iter().flat_map(|r| &r.evidence).all(|e| incident.evidence_by_id(e).is_some()));
    assert!(world.incidents().is_empty());
    assert!(world.look_at(60).is_empty());
}
