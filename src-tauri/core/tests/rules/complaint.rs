//! What a program that runs and is not ready writes: who must be changed for that.

use super::support::*;
use afterwatch_core::object::{Kind, Object};
use afterwatch_testkit::World;

const UNREADY: Expect = Expect { rule: "readiness-failing", verdict: Likely, ..CHECKOUT };

fn app(more: Value) -> App {
    let probe = json!({"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 5, "failureThreshold": 2});
    checkout().container(json!({"ports": [{"containerPort": 8080}], "readinessProbe": probe})).container(more)
}

/// `checkout` answers its probe with 503 and writes these lines, and these objects are there too.
fn says(app: &App, log: &[&str], others: impl IntoIterator<Item = Object>) -> World {
    let pod = app.pod("a", status::unready(-60));
    let told = "Readiness probe failed: HTTP probe failed with statuscode: 503";
    let told = event(&pod, "Warning", "Unhealthy", told, -55, -1, 9);
    let mut world = world(app, [pod.clone()]);
    world.upsert(told);
    world.upsert_all(others);
    world.log(&pod, "app", 0, &log.join("\n"));
    world
}

const FORBIDDEN: &str = "E1101 10:00:00.000000       1 reflector.go:9] failed to list *v1.ConfigMap: configmaps is forbidden: User \"system:serviceaccount:shop:checkout\" cannot list resource \"configmaps\" in API group \"\" in the namespace \"shop\"";

#[test]
fn a_right_it_lacks_is_the_roles() {
    let others = || {
        [
            object("ServiceAccount shop/checkout", json!({})),
            object(
                "Role shop/reader",
                json!({"rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]}),
            ),
            object(
                "RoleBinding shop/reader",
                json!({"subjects": [{"kind": "ServiceAccount", "name": "checkout", "namespace": "shop"}], "roleRef": {"kind": "Role", "name": "reader"}}),
            ),
        ]
    };
    let app = app(json!({}));
    let expect = Expect {
        cause: "log-cluster-access",
        entity: "Role/shop/reader",
        field: "rules",
        says: &["configmaps", "lacks list", "503"],
        ..UNREADY
    };
    check(&says(&app, &[FORBIDDEN; 3], others()), expect);
    // What it said once, and not again, is over.
    let once = says(&app, &[FORBIDDEN, "listening on :8080"], others());
    check(&once, Expect { cause: "probe-bad-status", ..UNREADY });
}

#[test]
fn a_service_that_is_gone_is_the_one_to_make() {
    let log = ["level=ERROR msg=\"dependency check failed\" err=\"dial tcp: lookup search on 10.96.0.10:53: no such host\"";
        3];
    let search = App::deployment("shop/search");
    let mut world = says(&app(json!({})), &log, search.objects());
    world.upsert(search.pod("a", status::ready(-600)));
    let missing = Expect { cause: "service-missing", entity: "Service/shop/search?", ..UNREADY };
    check(&world, Expect { says: &["search", "no Service search", "503"], ..missing });
}

#[test]
fn a_port_that_the_service_does_not_have_is_the_callers() {
    let log =
        ["{\"level\":\"error\",\"msg\":\"redis connection lost\",\"err\":\"connect ETIMEDOUT 10.0.0.7:6380\"}"; 3];
    let cache = App::deployment("shop/cache");
    let app = app(json!({"env": [{"name": "REDIS_HOST", "value": "cache"}, {"name": "REDIS_PORT", "value": "6380"}]}));
    let mut world = says(&app, &log, cache.objects());
    let service = cache.service(json!({"spec": {"ports": [{"port": 6379, "targetPort": 8080}]}}));
    world.upsert_all([cache.pod("a", status::ready(-600)), service, cache.endpoints(&[true])]);
    check(
        &world,
        Expect {
            cause: "service-port-unknown",
            verdict: Established,
            field: "spec.template.spec.containers[app].env[REDIS_PORT]",
            says: &["port 6379 and no port 6380", "503"],
            ..UNREADY
        },
    );
}

#[test]
fn an_address_is_the_services_that_has_it() {
    let log = ["connect ECONNREFUSED 10.0.0.7:80"; 3];
    let db = App::deployment("shop/db").replicas(0);
    let mut world = says(&app(json!({})), &log, db.objects());
    world.upsert_all([db.service(json!({})), db.endpoints(&[])]);
    let asleep = Expect { cause: "dependency-scaled-to-zero", entity: "Deployment/shop/db", ..UNREADY };
    check(&world, Expect { verdict: Established, field: "spec.replicas", says: &["scaled to zero"], ..asleep });
}

#[test]
fn a_daemon_set_that_no_node_is_to_run_is_who_does_not_answer() {
    let log = [r#"{"level":50,"time":1790000000000,"pid":1,"hostname":"checkout-r1-a","msg":"upstream request failed","err":{"type":"FetchError","message":"request to http://cache/healthz failed, reason: connect ECONNREFUSED"}}"#;
        3];
    let cache = App::of(Kind::DaemonSet, "shop/cache").spec(json!({"nodeSelector": {"disk": "ssd"}}));
    let serves = |observed: i64| {
        let mut world = says(&app(json!({})), &log, []);
        let looked = json!({"metadata": {"generation": 2}, "status": {"observedGeneration": observed, "desiredNumberScheduled": 0}});
        world.upsert_all([cache.top(looked), cache.service(json!({})), cache.endpoints(&[])]);
        world
    };
    let asleep = Expect { cause: "dependency-on-no-node", entity: "DaemonSet/shop/cache", ..UNREADY };
    let field = "spec.template.spec.nodeSelector";
    let says = &["runs on no node", "nodeSelector disk=ssd matches none", "Service cache"];
    let fault = check(&serves(2), Expect { verdict: Established, field, says, ..asleep });
    assert!(!fault.causes[0].statement.contains("checkout-r1-a"), "{}", fault.causes[0].statement);
    // Its controller has not looked at it yet.
    assert_ne!(serves(1).diagnose().faults[0].causes[0].rule_id, "dependency-on-no-node");
    // A node carries the label: something else keeps it off.
    let mut world = serves(2);
    let mut node = World::node("node-b", "True");
    node.meta_mut().labels.insert("disk".into(), "ssd".into());
    world.upsert(node);
    check(&world, Expect { says: &["none is fit for it"], ..asleep });
}

#[test]
fn what_its_users_do_wrong_is_not_why_it_is_not_ready() {
    let log = ["10.1.0.9 - - \"POST /login HTTP/1.1\" 401 12", "10.1.0.9 - - \"GET /orders HTTP/1.1\" 429 12"];
    check(&says(&app(json!({})), &log, []), Expect { cause: "probe-bad-status", ..UNREADY });
}

#[test]
fn a_path_that_was_there_and_is_gone_is_explained_by_what_the_program_says_again_and_again() {
    let app = app(json!({}));
    let played = |started: i64| {
        let mut state = status::unready(-60);
        state["containerStatuses"][0]["state"]["running"]["startedAt"] = json!(at(started));
        let pod = app.pod("a", state);
        let told = "Readiness probe failed: HTTP probe failed with statuscode: 404";
        let mut world = world(&app, [pod.clone()]);
        world.upsert(event(&pod, "Warning", "Unhealthy", told, -55, -1, 9));
        let line = "ERROR 1 --- [nio-8080-exec-3] o.h.e.j.s.SqlExceptionHelper : HikariPool-1 - Connection is not \
                    available, request timed out after 30000ms (total=5, active=5, idle=0, waiting=42)";
        world.log(&pod, "app", 0, &[line; 4].join("\n"));
        world
    };
    let says = &["HikariPool-1", "404"];
    check(&played(-900), Expect { cause: "log-pool-exhausted", says, ..UNREADY });
    // One that was never ready with it may simply not have it.
    assert_eq!(played(-61).diagnose().faults[0].causes[0].rule_id, "probe-path-wrong");
}

#[test]
fn a_command_that_asks_a_service_by_its_variable_asks_that_service() {
    let asks = "wget -nv -T 2 -O /dev/null http://$QUOTE_ENGINE_SERVICE_HOST/healthz";
    let probe = json!({"exec": {"command": ["sh", "-c", asks]}, "periodSeconds": 4});
    let (app, engine) = (checkout().container(json!({"readinessProbe": probe})), App::deployment("shop/quote-engine"));
    let pod = app.pod("a", status::unready(-60));
    let mut world = world(&app, [pod.clone()]);
    world.upsert_all([engine.clone().replicas(0).top(json!({})), engine.service(json!({}))]);
    world.upsert(event(
        &pod,
        "Warning",
        "Unhealthy",
        "Readiness probe failed: failed: Connection refused.",
        -55,
        -1,
        9,
    ));
    let says = &["Service quote-engine", "is scaled to zero"];
    let cause = "dependency-scaled-to-zero";
    let expect = Expect { cause, entity: "Deployment/shop/quote-engine", field: "spec.replicas", says, ..UNREADY };
    check(&world, Expect { verdict: Established, ..expect });
}
