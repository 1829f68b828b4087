//! Services and Ingresses that lead nowhere.

use super::support::*;
use afterwatch_core::{coverage::UnreadableReason, object::Kind};
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
