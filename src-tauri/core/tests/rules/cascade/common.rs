//! What several workloads have in common: something missing, something changed, a webhook.

use super::*;

// What several have in common.

#[test]
fn a_missing_service_that_two_name_is_one_fault_of_the_service() {
    let mut world = World::new();
    for name in ["web", "cart"] {
        crashing(
            &mut world,
            &calls(&format!("shop/{name}"), "ledger"),
            -20,
            "lookup ledger on 10.96.0.10:53: no such host",
        );
    }
    let fault = one(&world);
    cause(&fault, "shared-object-missing", "Service/shop/ledger");
    says(&fault.causes[0], &["ledger", "does not exist", "web", "cart"]);
}

#[test]
fn a_missing_service_that_one_names_stays_what_the_rule_says() {
    let mut world = World::new();
    crashing(&mut world, &calls("shop/web", "ledger"), -20, "lookup ledger on 10.96.0.10:53: no such host");
    cause(&one(&world), "host-name-unknown", "Deployment/shop/web");
}

#[test]
fn a_service_that_was_deleted_is_the_cause_even_for_one() {
    let mut world = World::new().at(-100);
    let ledger = App::deployment("shop/ledger");
    world.run(&ledger, [ledger.pod("a", status::ready(-3000))]);
    world.upsert_all([ledger.service(json!({})), ledger.endpoints(&[true])]);
    world.set_time(-60);
    world.delete(ledger.service(json!({})));
    world.set_time(0);
    crashing(&mut world, &calls("shop/web", "ledger"), -20, "lookup ledger on 10.96.0.10:53: no such host");
    let fault = one(&world);
    cause(&fault, "service-missing", "Service/shop/ledger");
    says(&fault.causes[0], &["there is no Service ledger", "deleted at 02:59:00"]);
}

#[test]
fn a_log_that_names_the_backend_links_a_probe_that_fails() {
    let mut world = World::new();
    let db = database().container(json!({"image": "registry.test/db:9"}));
    world.run(&db, [db.pod("0", status::waiting("ImagePullBackOff", "registry.test/db:9: not found", -120))]);
    dead_service(&mut world, &db);
    // Nothing in its configuration says whom it calls: that comes from a ConfigMap.
    let web = App::deployment("shop/web")
        .container(json!({"readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 5}}));
    let pod = web.pod("a", status::unready(-90));
    world.run(&web, [pod.clone()]);
    world.upsert(event(
        &pod,
        "Warning",
        "Unhealthy",
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
        -80,
        -2,
        6,
    ));
    several(&world, 2);
    world.log(&pod, "app", 0, "WARN connect to orders-db:5432 failed: connection refused, retrying");
    cause(&one(&world), "image-not-found", "StatefulSet/shop/orders-db");
}

fn reads_flags(name: &str) -> App {
    App::deployment(&format!("shop/{name}")).container(json!({"envFrom": [{"configMapRef": {"name": "flags"}}]}))
}

fn flags(value: &str) -> Object {
    object(
        "ConfigMap shop/flags",
        json!({"digests": {"url": {"hash": value, "bytes": 4}}, "metadata": {"managedFields": [{"manager": "kubectl-edit", "operation": "Update", "time": at(-60)}]}}),
    )
}

#[test]
fn a_config_map_that_was_changed_and_broke_two_is_one_fault_of_the_config_map() {
    let mut world = World::new().at(-600);
    world.upsert(flags("a"));
    world.set_time(-60);
    let change = world.upsert(flags("b"));
    assert!(change.is_some(), "the change is seen");
    world.set_time(0);
    for name in ["web", "cart"] {
        crashing(&mut world, &reads_flags(name), -30, "ValueError: invalid value 'x' for url");
    }
    let fault = one(&world);
    cause(&fault, "configuration-changed", "ConfigMap/shop/flags");
    says(&fault.causes[0], &["kubectl-edit", "key url of ConfigMap flags", "cart"]);
    assert_eq!(subjects(&fault), ["cart", "web"]);
}

#[test]
fn a_config_map_that_both_read_wrong_is_one_fault_whoever_changed_it() {
    let mut world = World::new().at(-600);
    world.upsert(flags("a"));
    world.set_time(0);
    for name in ["web", "cart"] {
        crashing(&mut world, &reads_flags(name), -30, "ValueError: invalid value 'x' for url");
    }
    cause(&one(&world), "log-bad-config", "ConfigMap/shop/flags");
}

#[test]
fn a_config_map_that_was_changed_is_not_blamed_for_memory() {
    let mut world = World::new().at(-600);
    world.upsert(flags("a"));
    world.set_time(-60);
    world.upsert(flags("b"));
    world.set_time(0);
    for name in ["web", "cart"] {
        let app = reads_flags(name).container(json!({"resources": {"limits": {"memory": "64Mi"}}}));
        world.run(&app, [app.pod("a", status::crashed(137, "OOMKilled", 3, -5))]);
    }
    several(&world, 2);
}

#[test]
fn a_webhook_whose_server_crashes_is_the_servers_fault() {
    let mut world = World::new();
    let server = App::deployment("policy/guard");
    crashing(&mut world, &server, -90, "FATAL: KeyError: 'TLS_CERT'");
    dead_service(&mut world, &server);
    world.upsert(object(
        "ValidatingWebhookConfiguration guard",
        json!({"webhooks": [{"name": "pods.guard.test", "clientConfig": {"service": {"namespace": "policy", "name": "guard", "port": 80}}, "rules": [{"apiGroups": [""], "resources": ["pods"], "operations": ["CREATE"]}]}]}),
    ));
    for name in ["web", "cart"] {
        let app = App::deployment(&format!("shop/{name}"));
        let set = app.between(json!({"status": {"replicas": 0}})).expect("a ReplicaSet");
        world.upsert_all([app.top(json!({})), set.clone()]);
        world.upsert(event(&set, "Warning", "FailedCreate", "Error creating: Internal error occurred: failed calling webhook \"pods.guard.test\": failed to call webhook: Post \"https://guard.policy.svc:443/validate\": no endpoints available for service \"guard\"", -60, -5, 4));
    }
    let fault = one(&world);
    assert_eq!(fault.causes[0].entity.key(), "Deployment/policy/guard", "{}", fault.causes[0].statement);
    assert_eq!(subjects(&fault), ["cart", "guard", "web"]);
}

#[test]
fn a_table_that_a_failed_migration_was_to_make_is_the_migrations_fault() {
    let calls =
        |host: &str| json!({"env": [{"name": "DATABASE_URL", "value": format!("postgres://{host}:5432/orders")}]});
    let both = |job: &str, host: &str| {
        let mut world = World::new();
        let job = App::of(Kind::Job, job).container(calls(host));
        crashing(&mut world, &job, -60, "FATAL: password authentication failed for user \"migrator\"");
        let web = App::deployment("shop/web").container(calls("orders-db"));
        crashing(&mut world, &web, -20, "ERROR: relation \"orders\" does not exist at character 15");
        world
    };
    let fault = one(&both("shop/orders-migrate", "orders-db"));
    cause(&fault, "log-authentication", "Job/shop/orders-migrate");
    assert_eq!(subjects(&fault), ["orders-migrate", "web"]);
    // Named by what runs before it.
    let mut world = World::new();
    let job = App::of(Kind::Job, "shop/orders-setup").container(calls("orders-db"));
    let job = job.spec(json!({"initContainers": [{"name": "flyway", "image": "flyway/flyway:10"}]}));
    crashing(&mut world, &job, -60, "FATAL: password authentication failed for user \"migrator\"");
    let web = App::deployment("shop/web").container(calls("orders-db"));
    crashing(&mut world, &web, -20, "ERROR: relation \"orders\" does not exist at character 15");
    assert_eq!(subjects(&one(&world)), ["orders-setup", "web"]);
    // One that does something else, one of another database, one of another namespace.
    several(&both("shop/orders-report", "orders-db"), 2);
    several(&both("shop/orders-migrate", "stock-db"), 2);
    several(&both("depot/orders-migrate", "orders-db"), 2);
    // A table whose name the program was given wrongly.
    let mut world = both("shop/orders-migrate", "orders-db");
    let env = json!({"env": [{"name": "DATABASE_URL", "value": "postgres://orders-db:5432/orders"}, {"name": "ARCHIVE", "value": "ordres_2025"}]});
    let words = "ERROR: relation \"ordres_2025\" does not exist at character 15";
    crashing(&mut world, &App::deployment("shop/web").container(env), -20, words);
    several(&world, 2);
}

#[test]
fn a_service_that_leads_to_a_wrong_port_stops_who_is_set_up_with_it() {
    let port = |target: u16| json!({"spec": {"ports": [{"name": "http", "port": 80, "targetPort": target}]}});
    let ledger = App::deployment("shop/ledger").container(json!({"ports": [{"name": "http", "containerPort": 8080}]}));
    let look = |target: u16| {
        let mut world = World::new().at(-100);
        world.run(&ledger, [ledger.pod("a", status::ready(-3000))]);
        world.upsert_all([ledger.service(port(8080)), ledger.endpoints(&[true])]);
        world.set_time(-60);
        world.upsert(ledger.service(port(target)));
        world.set_time(0);
        let probe = json!({"readinessProbe": {"exec": {"command": ["cat", "/tmp/ok"]}, "periodSeconds": 3}});
        let web = calls("shop/web", "ledger").container(probe);
        let pod = web.pod("a", status::unready(-52));
        world.run(&web, [pod.clone()]);
        let words = "Readiness probe failed: cat: can't open '/tmp/ok': No such file or directory";
        world.upsert(event(&pod, "Warning", "Unhealthy", words, -50, -2, 9));
        world
    };
    let fault = one(&look(8081));
    cause(&fault, "service-target-port-wrong", "Service/shop/ledger");
    assert!(subjects(&fault).iter().any(|s| s == "web"), "{:?}", subjects(&fault));
    let alone = one(&look(8080));
    assert_eq!(subjects(&alone), ["web"]);
    // A second port that leads nowhere keeps nobody from the first.
    let mut world = look(8080);
    world.upsert(ledger.service(json!({"spec": {"ports": [
        {"name": "http", "port": 80, "targetPort": 8080}, {"name": "metrics", "port": 9100, "targetPort": "metrics"}]}})));
    world.set_time(60);
    several(&world, 2);
}

#[test]
fn who_waits_for_a_job_that_failed_is_part_of_the_jobs_fault() {
    let look = |named: &str| {
        let mut world = World::new();
        let job = App::of(Kind::Job, "shop/db-migrate");
        crashing(&mut world, &job, -90, "ERROR: syntax error at or near \"TABEL\"");
        let web = App::deployment("shop/web").spec(json!({"initContainers": [
            {"name": "wait", "image": "i:1", "command": ["/wait-for-schema"]}]}));
        let mut state = status::waiting("PodInitializing", "", -80);
        state["initContainerStatuses"] = json!([
            {"name": "wait", "restartCount": 0, "state": {"running": {"startedAt": at(-80)}}}]);
        let pod = web.pod("a", state);
        world.run(&web, [pod.clone()]);
        world.log(
            &pod,
            "wait",
            0,
            &format!("waiting for migrations: schema is 41, want 42 (job {named})\n").repeat(12),
        );
        world
    };
    assert_eq!(subjects(&one(&look("db-migrate"))), ["db-migrate", "web"]);
    several(&look("db-migrate-stock"), 2);
}
