//! Services and Ingresses that lead nowhere.

use super::support::*;
use afterwatch_core::{
    coverage::UnreadableReason,
    object::{Kind, Object},
};
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[
    ("service-without-endpoints", a_selector_that_finds_no_pod_is_found),
    ("service-port-wrong", a_target_port_name_that_no_pod_has_is_found),
    ("ingress-backend-wrong", an_ingress_to_a_service_that_is_not_there_is_found),
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

/// The healthy workload `checkout` with its Service, changed like this.
fn behind(fields: Value) -> World {
    let app = checkout().container(json!({"ports": [{"name": "web", "containerPort": 8080}]}));
    let mut world = world(&app, [app.pod("a", status::ready(-600))]);
    world.upsert_all([app.endpoints(&[true]), app.service(fields)]);
    world
}

#[test]
fn a_selector_that_finds_no_pod_is_found() {
    let fault = check(
        &behind(json!({"spec": {"selector": {"app": "chekout"}}})),
        Expect { says: &["app=chekout", "app=checkout"], ..SERVICE },
    );
    assert_eq!(
        fault.causes[0].referrer.as_ref().map(|r| r.name.as_str()),
        Some("checkout"),
        "the pods that were meant"
    );
}

#[test]
fn a_selector_of_something_unknown_is_only_likely_wrong() {
    let mut world = World::new();
    world.upsert(App::deployment("shop/checkout").service(json!({"spec": {"selector": {"tier": "web"}}})));
    check(&world, Expect { verdict: Likely, says: &["tier=web", "shop"], ..SERVICE });
}

/// The Service with a selector of its own, made two days ago and never changed since.
fn old(fields: Value) -> Value {
    let mut value = json!({"metadata": {"creationTimestamp": at(-172_800)}});
    merge(&mut value, &fields);
    value
}

#[test]
fn an_old_service_with_a_misspelt_selector_is_found_and_one_for_nobody_is_not() {
    check(
        &behind(old(json!({"spec": {"selector": {"app": "chekout"}}}))),
        Expect { says: &["app=chekout"], ..SERVICE },
    );
    let longer = old(json!({"spec": {"selector": {"app": "checkout-v2"}}}));
    check(&behind(longer.clone()), Expect { says: &["app=checkout-v2"], ..SERVICE });
    // The workload with the shorter name has a Service of its own.
    let mut world = behind(longer);
    world.upsert(object("Service shop/other", json!({"spec": {"selector": {"app": "checkout"}}})));
    world.upsert(App::deployment("shop/other").endpoints(&[true]));
    patient(&world);
    patient(&behind(old(json!({"spec": {"selector": {"tier": "web"}}}))));
}

#[test]
fn a_service_for_a_role_that_nobody_has_is_silent() {
    let labels = |role: &str| json!({"metadata": {"labels": {"app": "checkout", "role": role}}});
    for service in [
        // Chart or operator: the role is a label that a program gives to running pods.
        old(json!({"spec": {"selector": {"app": "checkout", "role": "replica"}}})),
        json!({
            "metadata": {"ownerReferences": [{"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "name": "pg", "uid": "pg", "controller": true}]},
            "spec": {"selector": {"app": "checkout", "role": "replica"}},
        }),
    ] {
        let app = checkout();
        let mut world = world(&app, [app.pod_with("a", status::ready(-600), labels("primary"))]);
        world.upsert_all([app.endpoints(&[]), app.service(service)]);
        patient(&world);
    }
}

#[test]
fn a_service_that_loses_its_pods_or_its_selector_is_found_however_old_it_is() {
    let role = |role: &str| json!({"spec": {"selector": {"app": "checkout", "role": role}}});
    let labels = |role: &str| json!({"metadata": {"labels": {"app": "checkout", "role": role}}});
    let app = checkout();
    let replica = app.pod_with("b", status::ready(-600), labels("replica"));
    let mut world = world(&app, [app.pod_with("a", status::ready(-600), labels("primary")), replica.clone()]);
    world.upsert_all([app.endpoints(&[true]), app.service(old(role("replica")))]);
    silent(&world);
    let mut gone = world.clone();
    gone.delete(replica);
    patient(&gone);
    gone.set_time(20);
    check(&gone, Expect { says: &["role=replica"], ..SERVICE });
    world.upsert(app.service(old(role("reader"))));
    world.set_time(30);
    check(&world, Expect { says: &["role=reader"], ..SERVICE });
}

#[test]
fn services_that_need_no_pods_are_silent() {
    silent(&behind(json!({})));
    silent(&behind(json!({"spec": {"selector": null}})));
    silent(&behind(
        json!({"spec": {"type": "ExternalName", "externalName": "db.example.com", "selector": {"a": "b"}}}),
    ));
    // Scaled to zero: the template has the labels, no pod has.
    let asleep = checkout().replicas(0);
    let mut world = world(&asleep, []);
    world.upsert_all([asleep.service(json!({})), asleep.endpoints(&[])]);
    silent(&world);
    // Pods that may not be read are not absent.
    let mut world = behind(json!({"spec": {"selector": {"app": "chekout"}}}));
    world.lose(Kind::Pod, UnreadableReason::Forbidden);
    silent(&world);
}

#[test]
fn a_new_service_waits_for_its_workload() {
    let mut world = World::new();
    let mut service = checkout().service(json!({}));
    service.meta_mut().creation_timestamp = Some(t(0));
    world.upsert(service);
    held(&mut world, 0, 20);
}

const PORT: Expect = Expect {
    rule: "service-port-wrong",
    cause: "service-target-port-wrong",
    field: "spec.ports[http].targetPort",
    ..SERVICE
};

fn port(target: Value) -> Value {
    json!({"spec": {"ports": [{"name": "http", "port": 80, "targetPort": target}]}})
}

#[test]
fn a_target_port_name_that_no_pod_has_is_found() {
    check(&behind(port(json!("metrics"))), Expect { says: &["metrics", "web (8080)", "80"], ..PORT });
}

#[test]
fn a_target_port_number_that_no_pod_declares_is_likely_wrong() {
    check(&behind(port(json!(9090))), Expect { verdict: Likely, says: &["9090", "8080"], ..PORT });
}

#[test]
fn a_target_port_number_is_not_wrong_where_a_container_does_not_say_its_ports() {
    // A mesh's sidecar declares its own ports, the program declares none.
    let ports = json!([{"name": "metrics", "containerPort": 15090}]);
    let mesh = json!({"name": "proxy", "image": "p", "ports": ports, "restartPolicy": "Always"});
    for app in [
        checkout().spec(json!({"containers": [{"name": "app", "image": "a"}, mesh]})),
        checkout().spec(json!({"initContainers": [mesh]})),
        // A native sidecar takes the traffic itself.
        checkout()
            .container(json!({"ports": [{"containerPort": 8081}]}))
            .spec(json!({"initContainers": [{"name": "proxy", "image": "p", "restartPolicy": "Always", "ports": [{"containerPort": 9090}]}]})),
    ] {
        let mut world = world(&app, [app.pod("a", status::ready(-600))]);
        world.upsert_all([app.service(port(json!(9090))), app.endpoints(&[true])]);
        silent(&world);
    }
    // Beside a port that is declared, another one is often not.
    let two = |metrics: u16| json!({"spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "metrics", "port": 81, "targetPort": metrics}]}});
    let mut world = behind(two(9090));
    silent(&world);
    let both = json!({"spec": {"ports": [{"name": "http", "port": 80, "targetPort": 9090}, {"name": "more", "port": 81, "targetPort": 9091}]}});
    assert_eq!(behind(both).diagnose().faults[0].findings.len(), 2, "no port leads anywhere");
    // Unless somebody has just changed it.
    world.upsert(checkout().service(two(9091)));
    world.set_time(20);
    check(&world, Expect { verdict: Likely, field: "spec.ports[metrics].targetPort", says: &["9091"], ..PORT });
}

#[test]
fn target_ports_that_lead_somewhere_are_silent() {
    silent(&behind(port(json!("web"))));
    silent(&behind(port(json!(8080))));
    // Pods that declare no port may listen anywhere.
    let app = checkout();
    let mut world = world(&app, [app.pod("a", status::ready(-600))]);
    world.upsert_all([app.service(port(json!(9090))), app.endpoints(&[true])]);
    silent(&world);
}

#[test]
fn unready_pods_behind_a_service_open_nothing_by_themselves() {
    let app = checkout();
    let mut world = world(&app, [app.pod("a", status::unready(-40))]);
    world.upsert_all([app.service(json!({})), app.endpoints(&[false])]);
    silent(&world);
}

const INGRESS: Expect = Expect {
    rule: "ingress-backend-wrong",
    object: "Ingress/shop/front",
    subject: "Ingress/shop/front",
    entity: "Ingress/shop/front",
    cause: "ingress-service-missing",
    field: "",
    severity: High,
    ..CHECKOUT
};

fn ingress(fields: Value) -> World {
    let mut world = behind(json!({}));
    world.upsert(object("IngressClass nginx", json!({})));
    let mut value = json!({"spec": {"ingressClassName": "nginx", "rules": [{"host": "shop.example.com", "http": {"paths": [
        {"path": "/", "backend": {"service": {"name": "checkout", "port": {"number": 80}}}},
    ]}}]}});
    merge(&mut value, &fields);
    world.upsert(object("Ingress shop/front", value));
    world
}

fn backend(service: Value) -> Value {
    json!({"spec": {"rules": [{"host": "shop.example.com", "http": {"paths": [{"path": "/pay", "backend": {"service": service}}]}}]}})
}

#[test]
fn an_ingress_to_a_service_that_is_not_there_is_found() {
    let world = ingress(backend(json!({"name": "chekout", "port": {"number": 80}})));
    check(&world, Expect { says: &["shop.example.com/pay", "chekout"], ..INGRESS });
}

#[test]
fn an_action_that_a_load_balancer_reads_from_an_annotation_is_no_service() {
    silent(&ingress(backend(json!({"name": "ssl-redirect", "port": {"name": "use-annotation"}}))));
}

#[test]
fn an_ingress_to_a_port_that_is_not_there_is_found() {
    let world = ingress(backend(json!({"name": "checkout", "port": {"number": 8443}})));
    check(&world, Expect { cause: "ingress-port-missing", says: &["8443", "http (80)"], ..INGRESS });
    let world = ingress(backend(json!({"name": "checkout", "port": {"name": "https"}})));
    check(&world, Expect { cause: "ingress-port-missing", says: &["https"], ..INGRESS });
}

#[test]
fn an_ingress_of_a_class_that_is_not_there_is_found() {
    let world = ingress(json!({"spec": {"ingressClassName": "traefik"}}));
    check(
        &world,
        Expect {
            cause: "ingress-class-missing",
            field: "spec.ingressClassName",
            says: &["traefik", "nginx"],
            ..INGRESS
        },
    );
}

#[test]
fn a_certificate_that_is_not_there_is_the_entity() {
    let world = ingress(json!({"spec": {"tls": [{"hosts": ["shop.example.com"], "secretName": "shop-tls"}]}}));
    check(
        &world,
        Expect {
            cause: "ingress-certificate-missing",
            entity: "Secret/shop/shop-tls?",
            severity: Medium,
            says: &["shop-tls", "front"],
            ..INGRESS
        },
    );
}

#[test]
fn an_ingress_that_leads_somewhere_is_silent_and_so_is_what_cannot_be_read() {
    silent(&ingress(json!({})));
    let mut world = ingress(json!({"spec": {"tls": [{"secretName": "shop-tls"}]}}));
    world.lose(Kind::Secret, UnreadableReason::Forbidden);
    silent(&world);
    let mut world = ingress(backend(json!({"name": "chekout", "port": {"number": 80}})));
    world.lose(Kind::Service, UnreadableReason::Forbidden);
    silent(&world);
}

#[test]
fn a_new_ingress_waits_for_its_service() {
    let mut world = World::new();
    world.upsert(object(
        "Ingress shop/front",
        json!({
            "metadata": {"creationTimestamp": at(0)},
            "spec": {"defaultBackend": {"service": {"name": "late", "port": {"number": 80}}}},
        }),
    ));
    held(&mut world, 0, 15);
}

#[test]
fn a_class_that_was_only_just_deleted_is_held() {
    let mut world = ingress(json!({}));
    world.set_time(1);
    world.delete(object("IngressClass nginx", json!({})));
    world.set_time(15);
    patient(&world);
    world.set_time(16);
    assert_eq!(world.diagnose().faults.len(), 1);
}

#[test]
fn a_service_turned_to_a_workload_that_is_scaled_to_zero_is_found() {
    let colour = |c: &str| json!({"metadata": {"labels": {"app": "checkout", "color": c}}});
    let labelled = |name: &str, c: &str| {
        let labels = json!({"app": "checkout", "color": c});
        App::deployment(name).top(json!({"spec": {"template": {"metadata": {"labels": labels}}}}))
    };
    let blue = App::deployment("shop/checkout-blue");
    let service = |c: &str, version: u32| {
        checkout().service(json!({
            "metadata": {"resourceVersion": version.to_string(), "managedFields": [
                {"manager": "release-bot", "operation": "Update", "time": at(-30)}]},
            "spec": {"selector": {"app": "checkout", "color": c}},
        }))
    };
    let mut world = World::new();
    world.set_time(-600);
    world.run(&blue, [blue.pod_with("a", status::ready(-600), colour("blue"))]);
    world.upsert_all([labelled("shop/checkout-blue", "blue"), service("blue", 900_001)]);
    let mut zero = labelled("shop/checkout-green", "green");
    if let Object::Deployment(d) = &mut zero {
        d.spec.replicas = Some(0);
    }
    world.upsert(zero);
    world.set_time(-30);
    silent(&world);
    world.upsert(service("green", 900_002));
    world.set_time(1);
    let fault = check(&world, Expect { says: &["color=green", "checkout-green", "scaled to zero"], ..SERVICE });
    assert!(fault.changes.iter().any(|(c, suspect)| *suspect && c.who.as_deref() == Some("release-bot")));
}

#[test]
fn a_service_whose_workload_was_deleted_blames_the_deletion() {
    let app = checkout();
    let pod = app.pod("a", status::ready(-600));
    let mut world = behind(json!({}));
    silent(&world);
    world.set_time(-30);
    let set = app.between(json!({})).expect("a ReplicaSet");
    for gone in [app.top(json!({})), set, pod] {
        world.delete(gone);
    }
    world.upsert(app.endpoints(&[]));
    world.set_time(1);
    let fault = check(
        &world,
        Expect {
            cause: "selected-workload-deleted",
            entity: "Deployment/shop/checkout",
            field: "",
            says: &["Deployment checkout, to whose pods Service checkout leads, was deleted", "app=checkout"],
            ..SERVICE
        },
    );
    assert!(fault.changes.iter().any(|(c, suspect)| *suspect && c.object.name == "checkout"));
}

#[test]
fn a_deployment_whose_pods_were_relabelled_is_found_though_its_past_had_the_labels() {
    let app = checkout();
    let mut world = World::new();
    world.set_time(-600);
    world.run(&app, [app.pod("a", status::ready(-900))]);
    world.upsert_all([app.service(json!({})), app.endpoints(&[true])]);
    world.set_time(-60);
    let labels = json!({"app": "checkout-next"});
    world.upsert(app.top(json!({
        "metadata": {"resourceVersion": "900001", "managedFields": [{"manager": "helm", "operation": "Update", "time": at(-60)}]},
        "spec": {"template": {"metadata": {"labels": labels}}},
    })));
    world.delete(app.pod("a", status::ready(-900)));
    world.upsert(app.pod_with("b", status::ready(-50), json!({"metadata": {"labels": labels}})));
    world.upsert(app.endpoints(&[]));
    world.set_time(1);
    let fault = world.diagnose().faults.remove(0);
    let cause = &fault.causes[0];
    assert_eq!((cause.rule_id.as_str(), cause.confidence), ("service-selector-wrong", Established));
    assert!(cause.statement.contains("app=checkout-next"), "{}", cause.statement);
    assert!(fault.changes.iter().any(|(c, suspect)| *suspect && c.who.as_deref() == Some("helm")));
}

#[test]
fn a_workload_of_another_kind_whose_sets_have_the_labels_is_asleep_and_no_fault() {
    let app = checkout();
    let mut world = behind(json!({}));
    world.set_time(-60);
    world.delete(app.top(json!({})));
    world.delete(app.pod("a", status::ready(-600)));
    world.upsert(app.between(json!({
        "metadata": {"resourceVersion": "900001", "ownerReferences": [
            {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "checkout", "uid": "rollout-1", "controller": true}]},
        "spec": {"replicas": 0},
    })).expect("a ReplicaSet"));
    world.upsert(app.endpoints(&[]));
    world.set_time(1);
    silent(&world);
}
