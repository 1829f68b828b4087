//! Services with ready endpoints that refuse: nobody listens, or the wrong pods are found.

use super::*;

#[test]
fn pods_that_count_as_ready_because_nobody_asks_are_who_refuses() {
    let refused = "Error: connect ECONNREFUSED times:80";
    let port = |n: &str| json!({"env": [{"name": "PORT", "value": n}], "ports": [{"containerPort": 8080}]});
    let times = |n: &str| App::deployment("shop/times").container(port(n));
    let by = |n: &str, when: i64| {
        let fields = json!([{"manager": "times-ci", "operation": "Update", "time": at(when)}]);
        times(n).top(json!({"metadata": {"managedFields": fields}}))
    };
    let serves = |app: &App, since: i64| {
        [
            app.pod("a", status::ready(since)),
            app.service(json!({"spec": {"ports": [{"port": 80, "targetPort": 8080}]}})),
            app.endpoints(&[true]),
        ]
    };
    let mut world = World::new().at(-3600);
    world.upsert(by("8080", -3600));
    world.set_time(-60);
    world.upsert(by("9090", -60));
    world.set_time(0);
    let pod = checkout().pod("a", status::crashed(1, "Error", 3, -5));
    world.run(&checkout(), [pod.clone()]);
    world.upsert_all(times("9090").between(json!({})));
    world.upsert_all(serves(&times("9090"), -50));
    world.log(&pod, "app", 3, refused);
    let silent = Expect { cause: "dependency-not-listening", entity: "Deployment/shop/times", ..DEAD };
    let field = "spec.template.spec.containers[app].env[PORT]";
    let fault = check(
        &world,
        Expect { field, says: &["port 8080", "no readiness probe asks", "from 8080 to 9090", "times-ci"], ..silent },
    );
    assert!(!fault.ruled_out.iter().any(|r| r.statement.contains("Deployment times")), "{:?}", fault.ruled_out);
    let first = |world: &World| world.diagnose().faults[0].causes[0].rule_id.clone();
    // Another variable, or the port of what it calls, moves nothing.
    for (name, from, to) in [("LOG_LEVEL", "info", "debug"), ("DB_PORT", "5432", "5433"), ("EXPORT_PORTS", "8080", "1")]
    {
        let report = |value: &str, when: i64| {
            let app = App::deployment("shop/report").container(json!({"env": [{"name": name, "value": value}]}));
            let fields = json!([{"manager": "ci", "operation": "Update", "time": at(when)}]);
            (app.top(json!({"metadata": {"managedFields": fields}})), app)
        };
        let mut world = World::new().at(-3600);
        world.upsert(report(from, -3600).0);
        world.set_time(-60);
        let (top, app) = report(to, -60);
        world.upsert(top);
        world.set_time(0);
        world.run(&checkout(), [pod.clone()]);
        world.upsert_all(app.between(json!({})));
        world.upsert_all(serves(&app, -50));
        world.log(&pod, "app", 3, "Error: connect ECONNREFUSED report:80");
        assert_ne!(first(&world), silent.cause, "{name}");
    }
    // One that had not started yet when the caller died says nothing; one that is asked on that port listens.
    assert_ne!(first(&dead(&checkout(), refused, serves(&times("9090"), -3))), silent.cause);
    let probed = times("9090").container(json!({"readinessProbe": {"tcpSocket": {"port": 8080}}}));
    assert_ne!(first(&dead(&checkout(), refused, serves(&probed, -50))), silent.cause);
}

#[test]
fn a_selector_that_finds_the_pods_of_another_workload_is_told() {
    let api = App::deployment("shop/api")
        .container(json!({"ports": [{"containerPort": 8080}], "readinessProbe": {"tcpSocket": {"port": 8080}}}));
    let report = App::deployment("shop/report");
    let mut intruder = report.pod("a", status::ready(-60));
    intruder.meta_mut().labels.insert("app".into(), "api".into());
    let service = api.service(json!({"spec": {"ports": [{"port": 80, "targetPort": 8080}]}}));
    let others = report.objects().into_iter().chain(api.objects()).chain([
        api.pod("a", status::ready(-600)),
        intruder,
        service,
        api.endpoints(&[true, true]),
    ]);
    let several = Expect { cause: "service-selects-several", entity: "Deployment/shop/report", ..DEAD };
    let fault = check(
        &dead(&checkout(), "Error: connect ECONNREFUSED api:80", others),
        Expect {
            says: &["Service api", "Deployment api", "Deployment report"],
            field: "spec.template.metadata.labels",
            verdict: Possible,
            ..several
        },
    );
    assert!(fault.actions.iter().any(|a| a.command.contains("service/api")), "{:?}", fault.actions);
    // Nobody asks either of them: it is the one that came lately.
    let api = App::deployment("shop/api").container(json!({"ports": [{"containerPort": 8080}]}));
    let pod = checkout().pod("a", status::crashed(1, "Error", 3, -5));
    let mut world = world(&checkout(), [pod.clone()]);
    world.upsert_all(api.objects().into_iter().chain([
        api.pod("a", status::ready(-600)),
        api.service(json!({"spec": {"ports": [{"port": 80, "targetPort": 8080}]}})),
        api.endpoints(&[true, true]),
    ]));
    world.set_time(-60);
    let fields = json!([{"manager": "tom", "operation": "Update", "time": at(-60)}]);
    world.upsert(report.top(json!({"metadata": {"creationTimestamp": at(-60), "managedFields": fields}})));
    world.set_time(0);
    world.upsert_all(report.between(json!({})));
    let mut intruder = report.pod("a", status::ready(-50));
    intruder.meta_mut().labels.insert("app".into(), "api".into());
    world.upsert(intruder);
    world.log(&pod, "app", 3, "Error: connect ECONNREFUSED api:80");
    check(&world, Expect { says: &["Deployment report", "which tom created"], ..several });
}
