//! Gateways and routes that lead nowhere, and those that do.

use super::support::*;
use afterwatch_core::{
    coverage::UnreadableReason,
    object::{Kind, Object},
};
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[
    ("gateway-wrong", a_gateway_of_a_class_that_is_not_there_is_found),
    ("route-wrong", a_route_to_a_service_that_is_not_there_is_found),
];

const GATEWAY: Expect = Expect {
    rule: "gateway-wrong",
    object: "Gateway/edge/public",
    subject: "Gateway/edge/public",
    entity: "Gateway/edge/public",
    cause: "gateway-class-missing",
    severity: High,
    ..CHECKOUT
};

const ROUTE: Expect = Expect {
    rule: "route-wrong",
    object: "HTTPRoute/shop/checkout",
    subject: "HTTPRoute/shop/checkout",
    entity: "HTTPRoute/shop/checkout",
    cause: "route-service-missing",
    ..GATEWAY
};

fn class(status: &str) -> Object {
    object(
        "GatewayClass envoy",
        json!({
            "spec": {"controllerName": "gateway.envoyproxy.io/controller"},
            "status": {"conditions": [{"type": "Accepted", "status": status, "reason": if status == "True" { "Accepted" } else { "InvalidParameters" }, "message": "parameters not found"}]},
        }),
    )
}

fn gateway(fields: Value) -> Object {
    let mut value = json!({"spec": {"gatewayClassName": "envoy", "listeners": [
        {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}},
    ]}});
    merge(&mut value, &fields);
    object("Gateway edge/public", value)
}

fn listener(fields: Value) -> Value {
    let mut value =
        json!({"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}});
    merge(&mut value, &fields);
    json!({"spec": {"listeners": [value]}})
}

fn route(fields: Value) -> Object {
    let mut value = json!({"spec": {
        "parentRefs": [{"name": "public", "namespace": "edge"}],
        "hostnames": ["shop.example.com"],
        "rules": [{"backendRefs": [{"name": "checkout", "port": 80}]}],
    }});
    merge(&mut value, &fields);
    object("HTTPRoute shop/checkout", value)
}

/// Everything is well: class, gateway, route, Service and pods.
fn edge(gateway_fields: Value, route_fields: Value) -> World {
    let app = checkout();
    let mut world = world(&app, [app.pod("a", status::ready(-600))]);
    world.upsert_all([app.service(json!({})), app.endpoints(&[true])]);
    world.upsert(object("Namespace shop", json!({"metadata": {"labels": {"team": "shop"}}})));
    world.upsert_all([class("True"), gateway(gateway_fields), route(route_fields)]);
    world
}

#[test]
fn a_gateway_that_works_is_silent() {
    silent(&edge(json!({}), json!({})));
    silent(&edge(listener(json!({"hostname": "*.example.com"})), json!({})));
    silent(&edge(
        listener(
            json!({"allowedRoutes": {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "shop"}}}}}),
        ),
        json!({}),
    ));
    // Parents and backends of other kinds are somebody else's.
    silent(&edge(json!({}), json!({"spec": {"parentRefs": [{"kind": "Service", "name": "checkout"}]}})));
    silent(&edge(
        json!({}),
        json!({"spec": {"rules": [{"backendRefs": [{"kind": "ServiceImport", "name": "far", "port": 80}]}]}}),
    ));
}

#[test]
fn a_gateway_of_a_class_that_is_not_there_is_found() {
    let world = edge(json!({"spec": {"gatewayClassName": "envoi"}}), json!({}));
    check(&world, Expect { field: "spec.gatewayClassName", says: &["envoi", "does not exist", "envoy"], ..GATEWAY });
}

#[test]
fn a_class_that_its_controller_refuses_is_the_class_fault() {
    let mut world = edge(json!({}), json!({}));
    world.upsert(class("False"));
    check(
        &world,
        Expect {
            object: "GatewayClass//envoy",
            subject: "GatewayClass//envoy",
            entity: "GatewayClass//envoy",
            cause: "gateway-class-refused",
            says: &["envoy", "InvalidParameters", "parameters not found", "public"],
            ..GATEWAY
        },
    );
}

#[test]
fn a_class_that_nobody_serves_is_told_after_a_minute_and_only_where_a_gateway_names_it() {
    let mut world = World::new();
    let waiting = |made: i64| {
        object(
            "GatewayClass envoy",
            json!({
                "metadata": {"creationTimestamp": at(made)},
                "spec": {"controllerName": "example.com/nobody"},
                "status": {"conditions": [{"type": "Accepted", "status": "Unknown", "reason": "Pending", "message": "Waiting for controller"}]},
            }),
        )
    };
    world.upsert(waiting(0));
    silent(&world);
    world.upsert(gateway(json!({})));
    ordinary(&mut world, 0, 60);
    check(
        &world,
        Expect {
            object: "GatewayClass//envoy",
            subject: "GatewayClass//envoy",
            entity: "GatewayClass//envoy",
            cause: "gateway-class-unserved",
            verdict: Likely,
            says: &["example.com/nobody", "public"],
            ..GATEWAY
        },
    );
    // What is proven wrong beside it is told alone.
    world.upsert(route(json!({})));
    check(&world, Expect { ..ROUTE });
}

#[test]
fn a_certificate_that_is_not_there_is_the_entity() {
    let tls =
        json!({"name": "https", "port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "shop-tls"}]}});
    let mut world = edge(listener(tls), json!({}));
    check(
        &world,
        Expect {
            cause: "gateway-certificate-missing",
            entity: "Secret/edge/shop-tls?",
            field: "spec.listeners[https].tls.certificateRefs",
            says: &["shop-tls", "https", "does not exist"],
            ..GATEWAY
        },
    );
    world.lose(Kind::Secret, UnreadableReason::Forbidden);
    silent(&world);
}

#[test]
fn listeners_in_conflict_are_named() {
    let two = |second: Value| {
        json!({"spec": {"listeners": [
        {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}, second]}})
    };
    let same = json!({"name": "also", "port": 80, "protocol": "HTTP"});
    check(
        &edge(two(same), json!({})),
        Expect { cause: "gateway-listeners-conflict", says: &["http", "also", "port 80"], ..GATEWAY },
    );
    let protocol = json!({"name": "raw", "port": 80, "protocol": "TCP"});
    check(
        &edge(two(protocol), json!({})),
        Expect { cause: "gateway-listeners-conflict", says: &["TCP", "HTTP"], ..GATEWAY },
    );
    silent(&edge(
        two(json!({"name": "other", "port": 80, "protocol": "HTTP", "hostname": "a.example.com"})),
        json!({}),
    ));
    silent(&edge(two(json!({"name": "dns", "port": 80, "protocol": "UDP"})), json!({})));
}

#[test]
fn what_the_controller_says_of_a_gateway_is_told() {
    let said = json!({"status": {"listeners": [{"name": "http", "conditions": [
        {"type": "ResolvedRefs", "status": "False", "reason": "InvalidRouteKinds", "message": "kind TCPRoute is not supported"}]}]}});
    check(
        &edge(said, json!({})),
        Expect { cause: "gateway-refused", says: &["http", "InvalidRouteKinds", "TCPRoute"], ..GATEWAY },
    );
    let pending = json!({"status": {"conditions": [{"type": "Programmed", "status": "False", "reason": "AddressNotAssigned", "message": "no address yet"}]}});
    silent(&edge(pending, json!({})));
}

#[test]
fn a_route_to_a_service_that_is_not_there_is_found() {
    let world = edge(json!({}), json!({"spec": {"rules": [{"backendRefs": [{"name": "chekout", "port": 80}]}]}}));
    let fault = check(
        &world,
        Expect {
            field: "spec.rules[0].backendRefs[0].name",
            says: &["chekout", "does not exist", "There is Service checkout"],
            ..ROUTE
        },
    );
    assert_eq!(fault.causes[0].referrer.as_ref().map(|r| r.name.as_str()), Some("chekout"));
}

#[test]
fn a_service_that_was_deleted_under_a_route_is_what_is_missing() {
    let mut world = edge(json!({}), json!({}));
    world.delete(checkout().service(json!({})));
    world.delete(checkout().endpoints(&[true]));
    world.set_time(20);
    check(&world, Expect { entity: "Service/shop/checkout?", says: &["does not exist"], ..ROUTE });
}

#[test]
fn a_route_to_a_port_that_is_not_there_is_found() {
    let world = edge(json!({}), json!({"spec": {"rules": [{"backendRefs": [{"name": "checkout", "port": 8080}]}]}}));
    check(
        &world,
        Expect {
            cause: "route-port-missing",
            field: "spec.rules[0].backendRefs[0].port",
            says: &["8080", "http (80)"],
            ..ROUTE
        },
    );
}

#[test]
fn a_route_on_a_gateway_that_is_not_there_is_found() {
    let parent = |name: &str| json!({"spec": {"parentRefs": [{"name": name, "namespace": "edge"}]}});
    check(
        &edge(json!({}), parent("publik")),
        Expect {
            cause: "route-gateway-missing",
            field: "spec.parentRefs[0].name",
            says: &["publik", "does not exist", "There is Gateway public"],
            ..ROUTE
        },
    );
    let mut world = edge(json!({}), parent("publik"));
    world.lose(Kind::Gateway, UnreadableReason::Forbidden);
    silent(&world);
}

#[test]
fn several_routes_without_their_gateway_are_one_fault() {
    let mut world = edge(json!({}), json!({}));
    world.upsert(object(
        "HTTPRoute shop/cart",
        json!({"spec": {"parentRefs": [{"name": "public", "namespace": "edge"}], "rules": []}}),
    ));
    world.delete(gateway(json!({})));
    world.set_time(20);
    let fault = check(
        &world,
        Expect {
            cause: "route-gateway-missing",
            subject: "Gateway/edge/public",
            entity: "Gateway/edge/public?",
            says: &["public"],
            ..ROUTE
        },
    );
    assert_eq!(fault.findings.len(), 2);
}

#[test]
fn a_listener_that_is_not_there_is_found() {
    let section = json!({"spec": {"parentRefs": [{"name": "public", "namespace": "edge", "sectionName": "https"}]}});
    check(
        &edge(json!({}), section),
        Expect {
            cause: "route-listener-missing",
            field: "spec.parentRefs[0].sectionName",
            says: &["https", "http (80)"],
            ..ROUTE
        },
    );
    let port = json!({"spec": {"parentRefs": [{"name": "public", "namespace": "edge", "port": 8443}]}});
    check(
        &edge(json!({}), port),
        Expect { cause: "route-listener-missing", field: "spec.parentRefs[0].port", says: &["8443"], ..ROUTE },
    );
}

#[test]
fn a_gateway_that_takes_no_routes_from_there_must_be_changed() {
    check(
        &edge(listener(json!({"allowedRoutes": {"namespaces": {"from": "Same"}}})), json!({})),
        Expect {
            cause: "route-not-allowed",
            entity: "Gateway/edge/public",
            field: "spec.listeners[http].allowedRoutes",
            says: &["Same", "namespace shop", "namespace edge"],
            ..ROUTE
        },
    );
    let selector =
        json!({"allowedRoutes": {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "ops"}}}}});
    check(
        &edge(listener(selector), json!({})),
        Expect { cause: "route-not-allowed", entity: "Gateway/edge/public", says: &["team=ops"], ..ROUTE },
    );
}

#[test]
fn host_names_without_anything_in_common_are_found() {
    check(
        &edge(listener(json!({"hostname": "*.example.org"})), json!({})),
        Expect {
            cause: "route-hostname-wrong",
            field: "spec.hostnames",
            says: &["shop.example.com", "*.example.org"],
            ..ROUTE
        },
    );
    silent(&edge(listener(json!({"hostname": "shop.example.com"})), json!({"spec": {"hostnames": ["*.example.com"]}})));
}

#[test]
fn what_the_gateway_says_of_a_route_is_told() {
    let said = json!({"status": {"parents": [{"parentRef": {"name": "public", "namespace": "edge"}, "conditions": [
        {"type": "ResolvedRefs", "status": "False", "reason": "RefNotPermitted", "message": "backend ref to another namespace is not permitted by any ReferenceGrant"}]}]}});
    check(
        &edge(json!({}), said),
        Expect { cause: "route-refused", says: &["RefNotPermitted", "ReferenceGrant", "public"], ..ROUTE },
    );
}

#[test]
fn a_new_route_waits_for_what_it_names() {
    let mut world = World::new();
    world.upsert(route(json!({"metadata": {"creationTimestamp": at(0)}, "spec": {"rules": []}})));
    held(&mut world, 0, 15);
}
