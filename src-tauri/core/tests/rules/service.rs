//! More of Services: who was changed last, names for something else, load balancers, names of pods.

use super::support::*;
use afterwatch_core::object::{Kind, Object};
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[
    ("service-mixes-workloads", a_selector_that_finds_another_workload_too_is_found),
    ("external-name-wrong", a_name_for_a_service_that_is_not_there_is_found),
    ("load-balancer-failed", a_load_balancer_that_cannot_be_made_is_found),
    ("statefulset-service-missing", a_set_without_the_service_of_its_names_is_found),
];

const SERVICE: Expect = Expect {
    rule: "service-without-endpoints",
    object: "Service/shop/checkout",
    subject: "Service/shop/checkout",
    entity: "Service/shop/checkout",
    cause: "service-selector-wrong",
    field: "spec.selector",
    severity: High,
    ..CHECKOUT
};

fn listening(ports: Value) -> App {
    checkout().container(json!({"ports": ports}))
}

fn behind(app: &App, service: Value) -> World {
    let mut world = world(app, [app.pod("a", status::ready(-600))]);
    world.upsert_all([app.endpoints(&[true]), app.service(service)]);
    world
}

#[test]
fn labels_taken_from_the_pods_are_the_workloads_fault() {
    let labelled = |tier: Value| json!({"spec": {"template": {"metadata": {"labels": {"tier": tier}}}}});
    let app = checkout();
    let mut world = world(&app, []);
    world.upsert(app.top(labelled(json!("web"))));
    world.upsert(app.pod_with("a", status::ready(-600), json!({"metadata": {"labels": {"tier": "web"}}})));
    world.upsert_all([
        app.service(json!({"spec": {"selector": {"app": "checkout", "tier": "web"}}})),
        app.endpoints(&[true]),
    ]);
    silent(&world);
    world.set_time(5);
    world.upsert(app.top(json!({})));
    world.upsert(app.pod("a", status::ready(5)));
    world.upsert(app.endpoints(&[]));
    world.set_time(30);
    let fault = check(
        &world,
        Expect {
            entity: "Deployment/shop/checkout",
            field: "spec.template.metadata.labels.tier",
            says: &["tier=web", "no label tier"],
            ..SERVICE
        },
    );
    assert_eq!(fault.causes[0].referrer.as_ref().map(|r| r.kind.as_str()), Some("Service"));
}

#[test]
fn a_key_that_no_pod_has_is_named() {
    let app = checkout();
    let mut world = world(&app, [app.pod("a", status::ready(-600))]);
    world.upsert_all([
        app.service(json!({"spec": {"selector": {"app": "checkout", "tier": "web"}}})),
        app.endpoints(&[]),
    ]);
    check(&world, Expect { says: &["tier=web", "no label tier", "app=checkout"], ..SERVICE });
}

const PORT: Expect = Expect { rule: "service-port-wrong", cause: "service-target-port-wrong", ..SERVICE };

#[test]
fn ports_renamed_in_the_pods_are_the_workloads_fault() {
    let before = listening(json!([{"name": "web", "containerPort": 8080}]));
    let mut world = behind(&before, json!({"spec": {"ports": [{"name": "http", "port": 80, "targetPort": "web"}]}}));
    silent(&world);
    world.set_time(5);
    let after = before.revise(5, json!({"ports": [{"name": "http", "containerPort": 8080}]}));
    world.upsert_all(after.objects());
    world.delete(listening(json!([])).pod("a", status::ready(-600)));
    world.upsert(after.pod("b", status::ready(10)));
    world.set_time(30);
    let fault = check(
        &world,
        Expect {
            entity: "Deployment/shop/checkout",
            field: "spec.template.spec.containers[app].ports",
            says: &["web", "http (8080)"],
            ..PORT
        },
    );
    assert!(fault.actions.iter().any(|a| a.command.contains("rollout undo")));
}

#[test]
fn a_port_of_the_other_protocol_is_named_with_both() {
    let udp = listening(json!([{"name": "stats", "containerPort": 8125, "protocol": "UDP"}]));
    for target in [json!("stats"), json!(8125)] {
        let verdict = if target.is_string() { Established } else { Likely };
        let world = behind(&udp, json!({"spec": {"ports": [{"name": "http", "port": 8125, "targetPort": target}]}}));
        check(
            &world,
            Expect {
                cause: "service-protocol-wrong",
                field: "spec.ports[http].protocol",
                verdict,
                says: &["TCP", "UDP", "8125"],
                ..PORT
            },
        );
    }
    // Both protocols of one port, of which the container declares one.
    silent(&behind(
        &udp,
        json!({"spec": {"ports": [
        {"name": "udp", "port": 8125, "targetPort": 8125, "protocol": "UDP"}, {"name": "tcp", "port": 8125, "targetPort": 8125}]}}),
    ));
    silent(&behind(
        &udp,
        json!({"spec": {"ports": [{"name": "udp", "port": 8125, "targetPort": "stats", "protocol": "UDP"}]}}),
    ));
}

#[test]
fn arguments_and_environment_say_where_a_program_listens() {
    let to = |n: u16| json!({"spec": {"ports": [{"name": "http", "port": 80, "targetPort": n}]}});
    let arguments = |words: &str| checkout().container(json!({"command": ["sh", "-c", words]}));
    let variable = checkout().container(json!({"env": [{"name": "PORT", "value": "8080"}]}));
    for app in [
        arguments("httpd -f -p 8080 -h /www"),
        arguments("python3 -m http.server 8080"),
        arguments("serve --listen=0.0.0.0:8080"),
        variable,
    ] {
        check(
            &behind(&app, to(9090)),
            Expect { verdict: Likely, field: "spec.ports[http].targetPort", says: &["9090", "listen on 8080"], ..PORT },
        );
        silent(&behind(&app, to(8080)));
    }
    // Another host's port says nothing of its own, and a probe's port is one it answers on.
    silent(&behind(&arguments("app --db=db:5432"), to(9090)));
    let probed = arguments("httpd -f -p 8080").container(json!({"readinessProbe": {"tcpSocket": {"port": 9090}}}));
    silent(&behind(&probed, to(9090)));
    // What is declared is not all: the arguments name the other port.
    let two = arguments("app --port 9090").container(json!({"ports": [{"containerPort": 8080}]}));
    silent(&behind(&two, to(9090)));
}

#[test]
fn clients_of_a_headless_service_choose_the_port_themselves() {
    let app = listening(json!([{"containerPort": 8080}]));
    silent(&behind(
        &app,
        json!({"spec": {"clusterIP": "None", "ports": [{"name": "http", "port": 80, "targetPort": 9090}]}}),
    ));
}

const MIXED: Expect =
    Expect { rule: "service-mixes-workloads", cause: "service-selector-too-wide", verdict: Likely, ..SERVICE };

/// `checkout` on 8080 and another workload with these ports, behind one Service that selects `part-of=shop`.
fn two_behind(ports: Value, service: Value) -> World {
    let labels = json!({"metadata": {"labels": {"part-of": "shop"}}});
    let app = listening(json!([{"name": "web", "containerPort": 8080}]));
    let other = App::deployment("shop/worker").container(json!({"ports": ports}));
    let mut world = world(&app, [app.pod_with("a", status::ready(-600), labels.clone())]);
    world.run(&other, [other.pod_with("a", status::ready(-600), labels)]);
    let mut fields = json!({"spec": {"selector": {"app": null, "part-of": "shop"}}});
    merge(&mut fields, &service);
    let mut made = app.service(fields);
    if let Object::Service(s) = &mut made {
        s.spec.selector.remove("app");
    }
    world.upsert_all([made, app.endpoints(&[true, true])]);
    world
}

#[test]
fn a_selector_that_finds_another_workload_too_is_found() {
    let world = two_behind(json!([{"name": "metrics", "containerPort": 9100}]), json!({}));
    let fault =
        check(&world, Expect { says: &["part-of=shop", "Deployment worker", "metrics (9100)", "8080"], ..MIXED });
    assert_eq!(fault.causes[0].referrer.as_ref().map(|r| r.name.as_str()), Some("worker"));
}

#[test]
fn workloads_that_share_a_service_on_purpose_are_silent() {
    // A canary offers the same port.
    silent(&two_behind(json!([{"name": "web", "containerPort": 8080}]), json!({})));
    // One that does not say its ports may listen anywhere.
    silent(&two_behind(json!([]), json!({})));
    let other = json!([{"name": "metrics", "containerPort": 9100}]);
    silent(&two_behind(other.clone(), json!({"spec": {"clusterIP": "None"}})));
    silent(&two_behind(other.clone(), json!({"spec": {"ports": [{"name": "http", "port": 80, "targetPort": "web"}]}})));
    // Each has a port of the Service.
    silent(&two_behind(
        other,
        json!({"spec": {"ports": [
        {"name": "http", "port": 80, "targetPort": 8080}, {"name": "metrics", "port": 9100, "targetPort": 9100}]}}),
    ));
}

const NAME: Expect = Expect {
    rule: "external-name-wrong",
    object: "Service/shop/db",
    subject: "Service/shop/db",
    entity: "Service/shop/db",
    cause: "external-name-service-missing",
    field: "spec.externalName",
    severity: Medium,
    ..CHECKOUT
};

fn external(name: &str) -> World {
    let mut world = World::new();
    world.upsert(object("Service shop/db", json!({"spec": {"type": "ExternalName", "externalName": name}})));
    world
        .upsert(object("Service data/postgres", json!({"spec": {"clusterIP": "10.0.0.9", "ports": [{"port": 5432}]}})));
    world
}

#[test]
fn a_name_for_a_service_that_is_not_there_is_found() {
    check(
        &external("postgress.data.svc.cluster.local"),
        Expect { says: &["postgress", "namespace data", "does not exist", "There is Service postgres"], ..NAME },
    );
}

#[test]
fn an_address_is_no_name_and_a_short_name_does_not_resolve() {
    check(&external("10.1.2.3"), Expect { cause: "external-name-is-address", says: &["10.1.2.3"], ..NAME });
    let mut world = external("cache");
    silent(&world);
    world.upsert(object("Service shop/cache", json!({"spec": {"clusterIP": "10.0.0.3", "ports": [{"port": 6379}]}})));
    check(
        &world,
        Expect { cause: "external-name-not-full", verdict: Likely, says: &["cache.shop.svc.cluster.local"], ..NAME },
    );
}

#[test]
fn names_that_resolve_or_lie_outside_are_silent() {
    silent(&external("postgres.data.svc.cluster.local"));
    silent(&external("postgres-0.postgres.data.svc.cluster.local."));
    silent(&external("postgres.data.svc"));
    silent(&external("db.example.com"));
}

#[test]
fn a_service_that_was_deleted_behind_a_name_is_what_is_missing() {
    let mut world = external("postgres.data.svc.cluster.local");
    world.delete(object("Service data/postgres", json!({})));
    held(&mut world, 0, 20);
    check(&world, Expect { entity: "Service/data/postgres?", says: &["does not exist"], ..NAME });
}

fn balanced(last: i64, fields: Value) -> World {
    let said = "Error syncing load balancer: failed to ensure load balancer: could not find any suitable subnets";
    balanced_by("SyncLoadBalancerFailed", said, last, fields)
}

fn balanced_by(reason: &str, said: &str, last: i64, fields: Value) -> World {
    let app = checkout();
    let mut service = json!({"spec": {"type": "LoadBalancer"}});
    merge(&mut service, &fields);
    let mut world = behind(&app, service);
    world.upsert(event(&app.service(json!({})), "Warning", reason, said, last - 60, last, 4));
    world
}

#[test]
fn a_load_balancer_that_cannot_be_made_is_found() {
    let expect = Expect {
        rule: "load-balancer-failed",
        cause: "load-balancer-failed",
        field: "",
        verdict: Likely,
        severity: Medium,
        ..SERVICE
    };
    check(&balanced(-5, json!({})), Expect { says: &["checkout", "suitable subnets", "4 times"], ..expect });
    let pool = "Failed to allocate IP for \"shop/checkout\": no available IPs in pool edge";
    let world = balanced_by("AllocationFailed", pool, -5, json!({}));
    check(&world, Expect { says: &["no available IPs in pool edge", "AllocationFailed"], ..expect });
    let subnets = "Failed build model due to couldn't auto-discover subnets: unable to resolve at least one subnet";
    check(
        &balanced_by("FailedBuildModel", subnets, -5, json!({})),
        Expect { says: &["auto-discover subnets"], ..expect },
    );
}

#[test]
fn a_load_balancer_that_is_awaited_or_there_is_silent() {
    silent(&behind(&checkout(), json!({"spec": {"type": "LoadBalancer"}})));
    silent(&balanced(-5, json!({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}})));
    silent(&balanced(-1500, json!({})));
}

const SET: Expect = Expect {
    rule: "statefulset-service-missing",
    object: "StatefulSet/shop/db",
    subject: "StatefulSet/shop/db",
    entity: "Service/shop/db-headless?",
    cause: "statefulset-service-missing",
    field: "spec.serviceName",
    severity: afterwatch_core::severity::Severity::Low,
    ..CHECKOUT
};

fn set(service_name: &str, made: i64) -> World {
    let app = App::of(Kind::StatefulSet, "shop/db");
    let mut world = World::new();
    world.upsert(app.top(json!({"metadata": {"creationTimestamp": at(made)}, "spec": {"serviceName": service_name}})));
    world.upsert(app.pod("0", status::ready(-60)));
    world
}

fn headless(name: &str) -> Object {
    object(
        &format!("Service shop/{name}"),
        json!({"spec": {"clusterIP": "None", "selector": {"app": "db"}, "ports": [{"port": 5432}]}}),
    )
}

#[test]
fn a_set_without_the_service_of_its_names_is_found() {
    let fault =
        check(&set("db-headless", -60), Expect { says: &["db-headless", "does not exist", "db-0.db-headless"], ..SET });
    let step = |words: &str| fault.actions.iter().any(|a| a.command.contains(words));
    assert!(step(r#""clusterIP":"None""#) && step(r#""selector":{"app":"db"}"#), "{:?}", fault.actions);
}

#[test]
fn a_missing_service_does_not_keep_a_pod_from_its_node() {
    let app = App::of(Kind::StatefulSet, "shop/db").spec(json!({"nodeSelector": {"disk": "ssd"}}));
    let mut world = World::new();
    world.upsert(World::node("node-a", "True"));
    let set = json!({"metadata": {"creationTimestamp": at(-60)}, "spec": {"serviceName": "db-headless"}});
    world.upsert(app.top(set));
    let message = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";
    world.upsert(app.pod("0", status::unschedulable(message, -30)));
    let faults = world.diagnose().faults;
    assert_eq!(faults.len(), 1);
    let named: Vec<&str> = faults[0].causes.iter().map(|c| c.rule_id.as_str()).collect();
    assert_eq!(named, ["node-selector-unmatched", "statefulset-service-missing"]);
}

#[test]
fn a_set_that_misspells_its_service_is_itself_at_fault() {
    let mut world = set("db-headles", -60);
    world.upsert(headless("db-headless"));
    check(&world, Expect { entity: "StatefulSet/shop/db", says: &["db-headles", "Service db-headless"], ..SET });
}

#[test]
fn a_set_with_its_service_or_without_any_is_silent_and_so_is_an_old_one() {
    let mut world = set("db-headless", -60);
    world.upsert(headless("db-headless"));
    silent(&world);
    silent(&set("", -60));
    patient(&set("db-headless", -172_800));
}

#[test]
fn a_set_waits_for_its_service() {
    held(&mut set("db-headless", 0), 0, 20);
}

#[test]
fn a_set_that_loses_its_service_is_found_however_old() {
    let mut world = set("db-headless", -172_800);
    world.upsert(headless("db-headless"));
    silent(&world);
    world.set_time(60);
    world.delete(headless("db-headless"));
    held(&mut world, 60, 20);
}

#[test]
fn a_name_that_ends_almost_like_the_clusters_domain_is_found() {
    let wrong =
        Expect { cause: "external-name-domain", verdict: Likely, says: &["cluster.lokal", "cluster.local"], ..NAME };
    check(&external("postgres.data.svc.cluster.lokal"), wrong);
    // A cluster may have a domain of its own.
    silent(&external("postgres.data.svc.prod.example.com"));
    silent(&external("postgres.data.svc.prod.cluster.local"));
    silent(&external("postgres.data.svc.cluster2.local"));
}

#[test]
fn a_set_that_is_to_have_no_pod_needs_no_names() {
    let app = App::of(Kind::StatefulSet, "shop/db");
    let mut world = World::new();
    let spec = json!({"serviceName": "db-headless", "replicas": 0});
    world.upsert(app.top(json!({"metadata": {"creationTimestamp": at(-60)}, "spec": spec})));
    silent(&world);
}
