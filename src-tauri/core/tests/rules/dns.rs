//! The cluster's DNS.

use super::support::*;
use afterwatch_core::{
    coverage::UnreadableReason,
    object::{Kind, Object},
};
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[("cluster-dns-down", a_dns_that_is_scaled_to_zero_is_critical)];

const DNS: Expect = Expect {
    rule: "cluster-dns-down",
    object: "Service/kube-system/kube-dns",
    subject: "Deployment/kube-system/coredns",
    entity: "Deployment/kube-system/coredns",
    cause: "cluster-dns-down",
    ..CHECKOUT
};

fn app() -> App {
    App::deployment("kube-system/coredns")
}

fn service(selector: &str) -> Object {
    object(
        "Service kube-system/kube-dns",
        json!({
            "metadata": {"labels": {"k8s-app": "kube-dns"}},
            "spec": {"clusterIP": "10.96.0.10", "selector": {"app": selector}, "ports": [{"name": "dns", "port": 53, "targetPort": 53, "protocol": "UDP"}]},
        }),
    )
}

fn endpoints(ready: &[bool]) -> Object {
    let addresses: Vec<Value> =
        ready.iter().map(|r| json!({"addresses": ["10.1.0.2"], "conditions": {"ready": r}})).collect();
    object(
        "EndpointSlice kube-system/kube-dns-1",
        json!({"metadata": {"labels": {"kubernetes.io/service-name": "kube-dns"}}, "endpoints": addresses}),
    )
}

fn cluster(pods: &[Value]) -> World {
    let app = app();
    let pods: Vec<Object> = pods.iter().enumerate().map(|(i, s)| app.pod(&i.to_string(), s.clone())).collect();
    let ready: Vec<bool> = pods.iter().map(|o| matches!(o, Object::Pod(p) if p.ready())).collect();
    let mut world = world(&app, pods);
    world.upsert_all([service("coredns"), endpoints(&ready)]);
    world
}

#[test]
fn a_dns_that_is_scaled_to_zero_is_critical() {
    let mut world = cluster(&[]);
    world.upsert(app().replicas(0).top(json!({})));
    world.set_time(15);
    check(&world, Expect { field: "spec.replicas", says: &["coredns", "scaled to 0", "DNS"], ..DNS });
}

#[test]
fn a_dns_whose_pods_fail_is_their_incident_and_critical() {
    let world = cluster(&[status::backing_off(1, "Error", 4, -60)]);
    let faults = world.diagnose().faults;
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].severity, Critical);
    assert_eq!(faults[0].subject.key(), "Deployment/kube-system/coredns");
    assert!(faults[0].findings.iter().any(|f| f.rule_id == "cluster-dns-down"));
    assert_ne!(faults[0].causes[0].rule_id, "cluster-dns-down", "the pods say why");
}

#[test]
fn a_dns_service_that_selects_nothing_is_the_services_fault() {
    let mut world = cluster(&[status::ready(-600)]);
    world.upsert_all([service("core-dns"), endpoints(&[])]);
    world.set_time(30);
    let faults = world.diagnose().faults;
    assert_eq!(faults.len(), 1, "{:?}", faults.iter().map(|f| &f.title).collect::<Vec<_>>());
    assert_eq!(faults[0].severity, Critical);
    assert_eq!(faults[0].causes[0].entity.key(), "Service/kube-system/kube-dns");
    assert_eq!(faults[0].causes[0].field.as_deref(), Some("spec.selector"));
}

#[test]
fn a_dns_service_that_was_deleted_is_missing() {
    let mut world = cluster(&[status::ready(-600)]);
    world.delete(service("coredns"));
    world.delete(endpoints(&[true]));
    world.set_time(15);
    check(
        &world,
        Expect {
            subject: "Service/kube-system/kube-dns",
            entity: "Service/kube-system/kube-dns?",
            says: &["kube-dns", "does not exist", "names are not resolved"],
            ..DNS
        },
    );
}

#[test]
fn a_dns_that_answers_or_restarts_one_pod_is_silent() {
    silent(&cluster(&[status::ready(-600)]));
    silent(&cluster(&[status::ready(-600), status::unready(-20)]));
}

#[test]
fn a_first_start_is_waited_for() {
    let mut world = cluster(&[status::unready(0)]);
    ordinary(&mut world, 0, 10);
}

#[test]
fn a_cluster_whose_dns_is_elsewhere_is_silent() {
    let mut world = World::new();
    world.upsert(object(
        "Service kube-system/kube-dns",
        json!({"spec": {"clusterIP": "10.96.0.10", "ports": [{"port": 53, "protocol": "UDP"}]}}),
    ));
    silent(&world);
    // A Service for pods that never were.
    let mut world = World::new();
    let mut old = service("coredns");
    old.meta_mut().creation_timestamp = Some(t(-172_800));
    world.upsert(old);
    patient(&world);
    let mut world = cluster(&[]);
    world.lose(Kind::EndpointSlice, UnreadableReason::Forbidden);
    silent(&world);
}
