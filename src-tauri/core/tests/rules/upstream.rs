//! What was changed in another workload, which the one that fails calls: of itself nothing was changed, and it worked.

use super::support::*;
use afterwatch_core::object::{Kind, Object};
use afterwatch_testkit::World;

const CALLER: Expect =
    Expect { rule: "container-crash-loop", object: "Pod/shop/checkout-r1-a", verdict: Likely, ..CHECKOUT };

fn database() -> App {
    App::of(Kind::StatefulSet, "shop/mysql").container(json!({"image": "mysql:8.4"}))
}

fn caller() -> App {
    checkout().container(json!({"env": [{"name": "DATABASE_URL", "value": "jdbc:mysql://mysql:3306/shop"}]}))
}

/// Both run well since long ago.
fn well(caller: &App, server: &App) -> World {
    let mut world = world(caller, [caller.pod("a", status::ready(-3600))]);
    world.run(server, [server.pod("0", status::ready(-3600))]);
    world.upsert(server.service(json!({"spec": {"ports": [{"port": 3306, "targetPort": 3306}]}})));
    world.upsert(server.endpoints(&[true]));
    world
}

fn by(who: &str, when: i64) -> serde_json::Value {
    json!({"metadata": {"managedFields": [{"manager": who, "operation": "Update", "time": at(when)}]}})
}

/// The server is changed at -20 by this.
fn change(world: &mut World, server: &App, container: serde_json::Value) {
    world.set_time(-20);
    let changed = server.clone().revise(-20, container);
    world.upsert(changed.top(by("dba-team", -20)));
    world.upsert(changed.pod("0", status::ready(-15)));
}

/// The caller dies with this log.
fn dies(world: &mut World, caller: &App, log: &str) {
    world.set_time(1);
    let pod = caller.pod("a", status::crashed(1, "Error", 1, 0));
    world.upsert(pod.clone());
    world.log(&pod, "app", 1, log);
}

const ZONE: &str = "java.sql.SQLException: The server time zone value 'CEST' is unrecognized";

#[test]
fn a_database_that_was_changed_just_before_its_client_failed_is_looked_at_first() {
    let (caller, server) = (caller(), database());
    let mut world = well(&caller, &server);
    change(&mut world, &server, json!({"env": [{"name": "TZ", "value": "Europe/Berlin"}]}));
    dies(&mut world, &caller, ZONE);
    let says = &[
        "dba-team changed StatefulSet mysql",
        "env TZ",
        "Deployment checkout has failed since; of checkout itself nothing was changed",
        "CEST",
    ];
    let fault = check(&world, Expect { cause: "dependency-changed", entity: "StatefulSet/shop/mysql", says, ..CALLER });
    assert!(fault.actions[0].command.contains("rollout undo statefulset/mysql"), "{:?}", fault.actions[0]);
    assert!(fault.changes.iter().any(|(c, suspect)| *suspect && c.object.name == "mysql"));
}

#[test]
fn a_change_of_the_database_is_not_to_blame_for_what_its_client_says_of_something_else() {
    let (caller, server) = (caller(), database());
    let mut world = well(&caller, &server);
    change(&mut world, &server, json!({"env": [{"name": "TZ", "value": "Europe/Berlin"}]}));
    dies(&mut world, &caller, "IndexError: list index out of range");
    assert_ne!(world.diagnose().faults[0].causes[0].rule_id, "dependency-changed");
}

#[test]
fn one_of_several_pods_that_call_the_same_does_not_fail_for_what_was_changed_there() {
    let (caller, server) = (caller().replicas(2), database());
    let mut world = well(&caller, &server);
    world.upsert(caller.pod("b", status::ready(-3600)));
    change(&mut world, &server, json!({"env": [{"name": "TZ", "value": "Europe/Berlin"}]}));
    dies(&mut world, &caller, ZONE);
    assert_ne!(world.diagnose().faults[0].causes[0].rule_id, "dependency-changed");
}

#[test]
fn who_was_released_at_the_same_time_looks_at_its_own_release() {
    let (caller, server) = (caller(), database());
    let mut world = well(&caller, &server);
    change(&mut world, &server, json!({"env": [{"name": "TZ", "value": "Europe/Berlin"}]}));
    world.set_time(-10);
    let released = caller.clone().revise(-10, json!({"image": "checkout:2"}));
    world.upsert(released.top(by("ci", -10)));
    dies(&mut world, &caller, ZONE);
    assert_ne!(world.diagnose().faults[0].causes[0].rule_id, "dependency-changed");
}

#[test]
fn who_never_worked_is_not_broken_by_what_was_changed_since() {
    let (caller, server) = (caller(), database());
    let mut world = well(&caller, &server);
    // The pod is made when the change is.
    change(&mut world, &server, json!({"env": [{"name": "TZ", "value": "Europe/Berlin"}]}));
    world.set_time(1);
    let created = json!({"metadata": {"creationTimestamp": at(-18)}});
    let pod = caller.pod_with("a", status::crashed(1, "Error", 1, 0), created);
    world.upsert(pod.clone());
    world.log(&pod, "app", 1, ZONE);
    assert_ne!(world.diagnose().faults[0].causes[0].rule_id, "dependency-changed");
}

#[test]
fn a_change_of_long_before_explains_nothing() {
    let (caller, server) = (caller(), database());
    let mut world = well(&caller, &server);
    world.set_time(-900);
    let changed = server.clone().revise(-900, json!({"env": [{"name": "TZ", "value": "Europe/Berlin"}]}));
    world.upsert(changed.top(by("dba-team", -900)));
    dies(&mut world, &caller, ZONE);
    assert_ne!(world.diagnose().faults[0].causes[0].rule_id, "dependency-changed");
}

fn settings(name: &str, key: &str, hash: &str, when: i64) -> Object {
    let mut fields = by("terraform", when);
    merge(&mut fields, &json!({"digests": {key: {"hash": hash, "bytes": 2}}}));
    object(&format!("ConfigMap shop/{name}"), fields)
}

#[test]
fn the_configuration_of_what_is_called_is_what_was_changed() {
    let caller = checkout().container(json!({"env": [{"name": "REDIS_HOST", "value": "redis"}]}));
    let server = App::deployment("shop/redis").container(json!({"image": "redis:7"})).spec(json!({
        "volumes": [{"name": "conf", "configMap": {"name": "redis-conf"}}],
    }));
    let mut world = well(&caller, &server);
    world.upsert(settings("redis-conf", "redis.conf", "aa", -3600));
    world.set_time(-20);
    world.upsert(settings("redis-conf", "redis.conf", "bb", -20));
    world.upsert(server.pod("0", status::ready(-15)));
    dies(&mut world, &caller, "RedisSystemException: NOSCRIPT No matching script. Please use EVAL.");
    let says = &["terraform changed key redis.conf of ConfigMap redis-conf, which Deployment redis uses"];
    let fault = check(
        &world,
        Expect {
            cause: "configuration-changed",
            entity: "ConfigMap/shop/redis-conf",
            field: "data[redis.conf]",
            says,
            ..CALLER
        },
    );
    assert!(fault.changes.iter().any(|(c, suspect)| *suspect && c.object.name == "redis-conf"));
}

#[test]
fn a_key_of_a_neighbour_that_the_log_speaks_of_leads_to_it_though_nothing_names_the_neighbour() {
    let caller = checkout().container(json!({"env": [{"name": "OIDC_ISSUER", "value": "https://id.example.org"}]}));
    let server =
        App::deployment("shop/identity").container(json!({"envFrom": [{"configMapRef": {"name": "identity-config"}}]}));
    let mut world = well(&caller, &server);
    world.upsert(settings("identity-config", "issuer", "aa", -3600));
    world.set_time(-20);
    world.upsert(settings("identity-config", "issuer", "bb", -20));
    world.upsert(server.pod("0", status::ready(-15)));
    dies(&mut world, &caller, "fatal: oidc: issuer did not match the issuer returned by provider");
    let says = &["terraform changed key issuer of ConfigMap identity-config, which Deployment identity uses"];
    check(&world, Expect { cause: "configuration-changed", entity: "ConfigMap/shop/identity-config", says, ..CALLER });
}

#[test]
fn a_workload_that_the_log_names_and_that_was_changed_is_looked_at_first() {
    let caller = checkout();
    let server = App::deployment("shop/order-producer");
    let mut world = well(&caller, &server);
    change(&mut world, &server, json!({"env": [{"name": "ORDER_SCHEMA", "value": "4"}]}));
    dies(&mut world, &caller, "fatal: AvroTypeException: Found OrderV4, expecting OrderV3 (client.id=order-producer)");
    let says = &["dba-team changed Deployment order-producer"];
    check(&world, Expect { cause: "dependency-changed", entity: "Deployment/shop/order-producer", says, ..CALLER });
}

fn answers(world: &mut World, caller: &App, code: u16) {
    world.set_time(1);
    let pod = caller.pod("a", status::unready(-15));
    world.upsert(pod.clone());
    let told = format!("Readiness probe failed: HTTP probe failed with statuscode: {code}");
    world.upsert(event(&pod, "Warning", "Unhealthy", &told, -15, 0, 4));
    world.set_time(60);
}

fn probed() -> App {
    checkout().container(json!({"readinessProbe": {"httpGet": {"path": "/api/health", "port": 8080}}}))
}

#[test]
fn a_path_that_was_there_until_another_workload_was_changed_is_not_the_probes_fault() {
    let (caller, server) = (probed(), App::deployment("shop/search"));
    let mut world = well(&caller, &server);
    change(&mut world, &server, json!({"env": [{"name": "CONTEXT_PATH", "value": "/search"}]}));
    answers(&mut world, &caller, 404);
    let expect = Expect {
        rule: "readiness-failing",
        cause: "dependency-changed",
        entity: "Deployment/shop/search",
        says: &["dba-team changed Deployment search", "404"],
        verdict: Possible,
        ..CALLER
    };
    let fault = check(&world, expect);
    assert!(!fault.actions.iter().any(|a| a.command.contains("deployment/checkout")), "{:#?}", fault.actions);
    // Nothing says that the one calls the other: nobody is told to take anything back.
    assert!(!fault.actions.iter().any(|a| a.command.contains("rollout undo")), "{:#?}", fault.actions);
    assert!(fault.causes[0].needs[0].contains("whether checkout calls Deployment search"), "{:?}", fault.causes[0]);
}

#[test]
fn what_nobody_can_call_is_not_what_a_probe_depends_on() {
    let (caller, mailer) = (probed(), App::deployment("shop/mailer"));
    let mut world = world(&caller, [caller.pod("a", status::ready(-3600))]);
    world.run(&mailer, [mailer.pod("0", status::ready(-3600))]);
    change(&mut world, &mailer, json!({"image": "mailer:2"}));
    answers(&mut world, &caller, 503);
    assert!(world.diagnose().faults[0].causes.iter().all(|c| c.rule_id != "dependency-changed"));
}

#[test]
fn who_was_released_just_before_is_not_said_to_be_as_it_was() {
    let (caller, server) = (caller(), database());
    let mut world = well(&caller, &server);
    world.set_time(-60);
    let released = caller.clone().revise(-60, json!({"image": "checkout:2"}));
    world.upsert(released.top(by("ci", -60)));
    let made = json!({"metadata": {"creationTimestamp": at(-58)}});
    world.upsert(released.pod_with("b", status::ready(-50), made.clone()));
    change(&mut world, &server, json!({"env": [{"name": "TZ", "value": "Europe/Berlin"}]}));
    world.set_time(1);
    let pod = released.pod_with("b", status::crashed(1, "Error", 1, 0), made);
    world.upsert(pod.clone());
    world.log(&pod, "app", 1, ZONE);
    let fault = world.diagnose().faults.remove(0);
    assert!(fault.causes.iter().all(|c| c.rule_id != "dependency-changed"), "{:#?}", fault.causes);
}

#[test]
fn words_of_every_day_and_settings_of_its_own_lead_to_no_neighbour() {
    let blamed = |caller: &App, neighbour: &App, container: serde_json::Value, log: &str| {
        let mut world = well(caller, neighbour);
        change(&mut world, neighbour, container);
        dies(&mut world, caller, log);
        world.diagnose().faults[0].causes.iter().any(|c| c.rule_id == "dependency-changed")
    };
    let image = json!({"image": "server:2"});
    assert!(!blamed(&checkout(), &App::deployment("shop/server"), image, "fatal: Internal Server Error, giving up"));
    let log = "fatal: cannot go on with LEDGER_DSN";
    let dsn = json!({"env": [{"name": "LEDGER_DSN", "value": "b"}]});
    let own = checkout().container(json!({"env": [{"name": "LEDGER_DSN", "value": "a"}]}));
    let reports = App::deployment("shop/reports");
    assert!(blamed(&checkout(), &reports, dsn.clone(), log), "it has none of that name itself");
    assert!(!blamed(&own, &reports, dsn.clone(), log));
    // One of its pods goes on.
    let mut world = well(&checkout().replicas(2), &reports);
    world.upsert(checkout().replicas(2).pod("b", status::ready(-3600)));
    change(&mut world, &reports, dsn);
    dies(&mut world, &checkout().replicas(2), log);
    assert!(world.diagnose().faults[0].causes.iter().all(|c| c.rule_id != "dependency-changed"));
}

#[test]
fn what_a_family_of_servers_is_called_is_a_word_and_no_part_of_one() {
    let neighbour = App::deployment("shop/authors");
    let caller = checkout().container(json!({"env": [{"name": "AUTHORS_URL", "value": "http://authors:3306"}]}));
    let mut world = well(&caller, &neighbour);
    change(&mut world, &neighbour, json!({"image": "authors:2"}));
    dies(&mut world, &caller, "fatal: the jwt has no issuer");
    assert!(world.diagnose().faults[0].causes.iter().all(|c| c.rule_id != "dependency-changed"));
}

#[test]
fn of_two_that_were_changed_neither_is_blamed_without_a_word() {
    let (caller, server) = (probed(), App::deployment("shop/search"));
    let mut world = well(&caller, &server);
    let other = App::deployment("shop/mailer");
    world.set_time(-3000);
    world.run(&other, [other.pod("a", status::ready(-3000))]);
    change(&mut world, &server, json!({"env": [{"name": "CONTEXT_PATH", "value": "/search"}]}));
    let changed = other.clone().revise(-20, json!({"image": "mailer:2"}));
    world.upsert(changed.top(by("ci", -20)));
    answers(&mut world, &caller, 404);
    assert_ne!(world.diagnose().faults[0].causes[0].rule_id, "dependency-changed");
}

/// The caller is told something by the server that it calls, which nobody changed.
fn told(caller: &App, server: &App, log: &str) -> World {
    let mut world = well(caller, server);
    dies(&mut world, caller, log);
    world
}

#[test]
fn a_server_that_is_full_is_to_be_changed_not_who_is_told_so() {
    let caller = checkout().container(json!({"env": [{"name": "REDIS_HOST", "value": "redis"}]}));
    let server = App::deployment("shop/redis").container(json!({"image": "redis:7"}));
    let full = "RedisCommandExecutionException: OOM command not allowed when used memory > 'maxmemory'.";
    let says =
        &["a store has reached its own limit", "so says Deployment redis, which it calls, of itself", "maxmemory"];
    let expect = Expect { cause: "log-store-full", entity: "Deployment/shop/redis", says, ..CALLER };
    check(&told(&caller, &server, full), expect);
    // The server's own log is its own.
    let mut world = world(&server, []);
    let pod = server.pod("a", status::crashed(1, "Error", 1, 0));
    world.upsert(pod.clone());
    world.log(&pod, "app", 1, "redis: OOM command not allowed when used memory > 'maxmemory'.");
    assert_eq!(world.diagnose().faults[0].causes[0].entity.name, "redis");
}

#[test]
fn a_program_that_speaks_of_its_client_has_memory_and_disks_of_its_own() {
    let (caller, server) = (caller(), database());
    for line in [
        "Exception in thread \"HikariPool-1 housekeeper\" java.lang.OutOfMemoryError: Java heap space",
        "sqlalchemy.exc.OperationalError: (sqlite3.OperationalError) database or disk is full",
    ] {
        let fault = told(&caller, &server, line).diagnose().faults.remove(0);
        assert_ne!(fault.causes[0].entity.name, "mysql", "{}", fault.causes[0].statement);
    }
}

#[test]
fn shared_memory_that_a_database_lacks_is_the_databases() {
    let (caller, server) = (
        checkout().container(json!({"env": [{"name": "PGHOST", "value": "analytics-db"}]})),
        App::of(Kind::StatefulSet, "shop/analytics-db").container(json!({"image": "postgres:17"})),
    );
    let line = "psycopg.errors.DiskFull: could not resize shared memory segment \"/PostgreSQL.1\" to 8388608 bytes: \
                No space left on device";
    let expect = Expect { cause: "log-shared-memory", entity: "StatefulSet/shop/analytics-db", ..CALLER };
    check(&told(&caller, &server, line), expect);
    // A program that calls nothing of the kind speaks of its own.
    let own = told(&checkout(), &server, "RuntimeError: DataLoader's workers are out of shared memory");
    check(&own, Expect { cause: "log-shared-memory", ..CALLER });
}

#[test]
fn a_server_that_cannot_keep_what_it_is_given_is_to_be_changed() {
    let caller = checkout().container(json!({"env": [{"name": "REDIS_URL", "value": "redis://redis:6379/0"}]}));
    let server = App::deployment("shop/redis").container(json!({"image": "redis:7"}));
    let line = "redis.exceptions.ResponseError: MISCONF Redis is configured to save RDB snapshots, but it's currently \
                unable to persist to disk.";
    let expect = Expect { cause: "log-server-error", entity: "Deployment/shop/redis", ..CALLER };
    check(&told(&caller, &server, line), expect);
}

#[test]
fn what_was_scaled_to_zero_comes_before_what_its_callers_make_of_it() {
    let (caller, server) = (caller(), database());
    let mut world = well(&caller, &server);
    world.set_time(-20);
    world.upsert(server.clone().replicas(0).top(by("cost-janitor", -20)));
    world.delete(server.pod("0", status::ready(-3600)));
    world.upsert(server.endpoints(&[]));
    let log =
        "SQLTransientConnectionException: HikariPool-1 - Connection is not available, request timed out after 30000ms";
    dies(&mut world, &caller, log);
    let expect = Expect {
        cause: "dependency-scaled-to-zero",
        entity: "StatefulSet/shop/mysql",
        says: &["is scaled to zero", "cost-janitor"],
        ..CALLER
    };
    check(&world, expect);
}

#[test]
fn a_process_that_was_killed_was_not_killed_for_memory_unless_something_says_so() {
    let caller = checkout();
    let mut world = world(&caller, []);
    let pod = caller.pod("a", status::crashed(137, "Error", 2, 0));
    world.upsert(pod.clone());
    world.log(&pod, "app", 2, "exporting batch 12\nsh: line 4: 17 Killed");
    let cause = world.diagnose().faults[0].causes[0].clone();
    assert_eq!(cause.confidence, Possible, "{}", cause.statement);
    assert!(cause.statement.contains("a process of it was killed"), "{}", cause.statement);
    assert!(!cause.statement.contains("ran out of memory"), "{}", cause.statement);
}

#[test]
fn a_service_that_was_turned_elsewhere_just_before_its_caller_failed_is_looked_at_first() {
    let name = |n: &str| object("Service shop/mysql", json!({"spec": {"type": "ExternalName", "externalName": n}}));
    let caller = caller();
    let mut world = world(&caller, [caller.pod("a", status::ready(-3600))]);
    world.upsert(name("db.example.com"));
    world.set_time(-20);
    world.upsert(name("db.exmaple.com"));
    dies(&mut world, &caller, "java.net.SocketTimeoutException: Read timed out");
    let cause = &world.diagnose().faults[0].causes[0];
    assert_eq!((&*cause.entity.key(), cause.field.as_deref()), ("Service/shop/mysql", Some("spec.externalName")));
    says(cause, &["db.exmaple.com", "until shortly before"]);
}

#[test]
fn a_service_whose_way_was_changed_is_looked_at_though_nobody_names_it() {
    let env = json!({"env": [{"name": "DATABASE_URL", "value": "jdbc:mysql://mysql:3306/shop"}]});
    let (caller, server) = (probed().container(env), database());
    let look = |fields: Value| {
        let mut world = well(&caller, &server);
        world.set_time(-20);
        world.upsert(server.service(fields));
        answers(&mut world, &caller, 503);
        world.diagnose().faults[0].causes[0].clone()
    };
    let cause = look(json!({"spec": {"ports": [{"port": 3306, "targetPort": 3307}]}}));
    assert_eq!((&*cause.rule_id, &*cause.entity.key()), ("dependency-changed", "Service/shop/mysql"));
    assert!(cause.field.as_deref().is_some_and(|f| f.starts_with("spec.ports")), "{:?}", cause.field);
    // What does not change the way is innocent.
    for fields in [
        json!({"spec": {"ports": [{"port": 3306, "targetPort": 3306}], "sessionAffinity": "ClientIP"}}),
        json!({"spec": {"ports": [{"port": 3306, "targetPort": 3306}, {"name": "metrics", "port": 9104, "targetPort": 9104}]}}),
    ] {
        assert_eq!(look(fields).rule_id, "probe-bad-status");
    }
}
