//! More of Ingresses: what was deleted under them, certificates on their way, nobody's and contested ones.

use super::support::*;
use afterwatch_core::object::Object;
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[
    ("ingress-unclaimed", an_ingress_without_a_class_beside_served_ones_is_found),
    ("ingress-conflict", two_ingresses_with_one_path_are_in_conflict),
];

/// The healthy workload `checkout` with its Service.
fn shopfront() -> World {
    let app = checkout();
    let mut world = world(&app, [app.pod("a", status::ready(-600))]);
    world.upsert_all([app.endpoints(&[true]), app.service(json!({}))]);
    world
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

fn front(name: &str, fields: Value) -> Object {
    let mut value = json!({"spec": {"ingressClassName": "nginx", "rules": [{"host": "shop.example.com", "http": {"paths": [
        {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "checkout", "port": {"number": 80}}}},
    ]}}]}});
    merge(&mut value, &fields);
    object(&format!("Ingress shop/{name}"), value)
}

fn shop() -> World {
    let mut world = shopfront();
    world.upsert(object("IngressClass nginx", json!({"spec": {"controller": "k8s.io/ingress-nginx"}})));
    world
}

#[test]
fn a_service_that_was_deleted_under_an_ingress_is_what_is_missing() {
    let mut world = shop();
    world.upsert(front("front", json!({})));
    silent(&world);
    world.delete(checkout().service(json!({})));
    world.delete(checkout().endpoints(&[true]));
    held(&mut world, 0, 15);
    check(&world, Expect { entity: "Service/shop/checkout?", says: &["checkout", "does not exist"], ..INGRESS });
}

#[test]
fn a_default_backend_that_is_not_there_has_its_own_field() {
    let mut world = shop();
    world.upsert(front(
        "front",
        json!({"spec": {"rules": [], "defaultBackend": {"service": {"name": "gone", "port": {"number": 80}}}}}),
    ));
    check(&world, Expect { field: "spec.defaultBackend.service.name", says: &["every path", "gone"], ..INGRESS });
    // A resource is not a Service.
    let mut world = shop();
    world.upsert(front("front", json!({"spec": {"defaultBackend": {"resource": {"apiGroup": "k8s.example.com", "kind": "Bucket", "name": "static"}}}})));
    silent(&world);
}

#[test]
fn a_service_with_endpoints_by_hand_needs_some() {
    let manual = |addresses: Value| {
        let mut world = shop();
        world
            .upsert(object("Service shop/legacy", json!({"spec": {"clusterIP": "10.0.0.8", "ports": [{"port": 80}]}})));
        world.upsert(object(
            "EndpointSlice shop/legacy-1",
            json!({"metadata": {"labels": {"kubernetes.io/service-name": "legacy"}}, "endpoints": addresses}),
        ));
        world.upsert(front("front", json!({"spec": {"rules": [{"host": "old.example.com", "http": {"paths": [{"path": "/", "backend": {"service": {"name": "legacy", "port": {"number": 80}}}}]}}]}})));
        world
    };
    check(
        &manual(json!([])),
        Expect {
            cause: "service-has-no-endpoints",
            entity: "Service/shop/legacy",
            says: &["legacy", "no selector", "no endpoints"],
            ..INGRESS
        },
    );
    silent(&manual(json!([{"addresses": ["192.0.2.4"], "conditions": {"ready": true}}])));
    let mut unused = manual(json!([]));
    unused.delete(front("front", json!({})));
    silent(&unused);
}

#[test]
fn a_certificate_that_is_being_issued_is_waited_for() {
    let mut world = shop();
    world.upsert(object(
        "APIService v1.cert-manager.io",
        json!({"spec": {"group": "cert-manager.io", "version": "v1"}}),
    ));
    world.upsert(front("front", json!({"metadata": {"creationTimestamp": at(0)}, "spec": {"tls": [{"hosts": ["shop.example.com"], "secretName": "shop-tls"}]}})));
    ordinary(&mut world, 0, 300);
}

fn claimed(mine: Value, classes: &[Object]) -> World {
    let mut world = shop();
    world.upsert_all(classes.iter().cloned());
    world.upsert(front("front", mine));
    let other = json!({"spec": {"rules": [{"host": "other.example.com"}]}, "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}});
    world.upsert(front("other", other));
    world
}

#[test]
fn an_ingress_without_a_class_beside_served_ones_is_found() {
    let world = claimed(json!({"spec": {"ingressClassName": null}}), &[]);
    check(
        &world,
        Expect {
            rule: "ingress-unclaimed",
            cause: "ingress-class-not-set",
            field: "spec.ingressClassName",
            verdict: Likely,
            severity: Medium,
            says: &["front", "ingressClassName", "nginx"],
            ..INGRESS
        },
    );
}

#[test]
fn an_ingress_without_a_class_is_silent_where_somebody_may_serve_it() {
    let none = || json!({"spec": {"ingressClassName": null}});
    let default = object(
        "IngressClass nginx",
        json!({"metadata": {"annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}}}),
    );
    silent(&claimed(none(), &[default]));
    let mut annotated = none();
    merge(&mut annotated, &json!({"metadata": {"annotations": {"kubernetes.io/ingress.class": "nginx"}}}));
    silent(&claimed(annotated, &[]));
    // Nobody says whom the controllers serve.
    let mut world = shop();
    world.upsert(front("front", none()));
    silent(&world);
    let mut fresh = none();
    merge(&mut fresh, &json!({"metadata": {"creationTimestamp": at(0)}}));
    ordinary(&mut claimed(fresh, &[]), 0, 60);
}

/// A second Service, and an Ingress that sends the first one's path there.
fn rival(fields: Value) -> World {
    let mut world = shop();
    let cart = App::deployment("shop/cart");
    world.run(&cart, [cart.pod("a", status::ready(-600))]);
    world.upsert_all([cart.service(json!({})), cart.endpoints(&[true])]);
    world.upsert(front("front", json!({"metadata": {"creationTimestamp": at(-172_800)}})));
    let mut value = json!({"metadata": {"creationTimestamp": at(-60)}, "spec": {"rules": [{"host": "shop.example.com", "http": {"paths": [
        {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "cart", "port": {"number": 80}}}}]}}]}});
    merge(&mut value, &fields);
    world.upsert(front("new", value));
    world
}

#[test]
fn two_ingresses_with_one_path_are_in_conflict() {
    check(
        &rival(json!({})),
        Expect {
            rule: "ingress-conflict",
            object: "Ingress/shop/new",
            subject: "Ingress/shop/new",
            entity: "Ingress/shop/new",
            cause: "ingress-path-taken",
            verdict: Likely,
            severity: Medium,
            says: &["shop.example.com/", "front", "cart:80", "checkout:80"],
            ..INGRESS
        },
    );
}

#[test]
fn ingresses_that_share_a_path_on_purpose_are_silent() {
    silent(&rival(json!({"metadata": {"annotations": {"nginx.ingress.kubernetes.io/canary": "true"}}})));
    silent(&rival(json!({"spec": {"rules": [{"host": "www.example.com"}]}})));
    silent(&rival(json!({"spec": {"rules": [{"host": "shop.example.com", "http": {"paths": [
        {"path": "/", "pathType": "Exact", "backend": {"service": {"name": "cart", "port": {"number": 80}}}}]}}]}})));
    // The same Service by two ways.
    silent(&rival(json!({"spec": {"rules": [{"host": "shop.example.com", "http": {"paths": [
        {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "checkout", "port": {"number": 80}}}}]}}]}})));
    patient(&rival(json!({"metadata": {"creationTimestamp": at(-100_000)}})));
}

#[test]
fn a_secret_without_a_certificate_is_found_where_its_keys_are_known() {
    let mut world = shop();
    world.upsert(front("front", json!({"spec": {"tls": [{"hosts": ["shop.example.com"], "secretName": "shop-tls"}]}})));
    let secret = |keys: Value| object("Secret shop/shop-tls", json!({"keys": keys}));
    world.upsert(secret(json!(["cert.pem", "tls.key"])));
    check(
        &world,
        Expect {
            cause: "ingress-certificate-unusable",
            entity: "Secret/shop/shop-tls",
            field: "data",
            severity: Medium,
            says: &["shop-tls", "tls.crt is missing", "cert.pem"],
            ..INGRESS
        },
    );
    for keys in [json!(["ca.crt", "tls.crt", "tls.key"]), Value::Null] {
        world.upsert(secret(keys));
        silent(&world);
    }
}

#[test]
fn a_default_backend_takes_only_what_no_rule_matches() {
    let mut world = shopfront();
    world.upsert_all([
        object("IngressClass nginx", json!({})),
        front("front", json!({"spec": {"defaultBackend": {"service": {"name": "fallback", "port": {"number": 80}}}}})),
    ]);
    check(
        &world,
        Expect {
            field: "spec.defaultBackend.service.name",
            says: &["sends every other path to Service fallback"],
            ..INGRESS
        },
    );
}
