//! What network policies allow between two pods, and on the way to the cluster's DNS.

use super::support::*;
use afterwatch_core::{
    coverage::UnreadableReason,
    object::{Kind, Object, Pod},
    policy::{self, Direction},
};
use afterwatch_testkit::World;

/// Client `shop/front` and server `data/db` with port `pg` (5432), in namespaces with labels.
fn two() -> World {
    let mut world = World::new();
    world.upsert(object("Namespace shop", json!({"metadata": {"labels": {"team": "shop"}}})));
    world.upsert(object("Namespace data", json!({"metadata": {"labels": {"team": "data"}}})));
    world.upsert(object("Namespace kube-system", json!({})));
    world.upsert(pod("shop/front", json!({"app": "front"}), "10.1.0.5"));
    world.upsert(pod("data/db", json!({"app": "db"}), "10.1.0.9"));
    world
}

fn pod(path: &str, labels: Value, ip: &str) -> Object {
    object(
        &format!("Pod {path}"),
        json!({
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "app", "ports": [{"name": "pg", "containerPort": 5432}]}]},
            "status": {"phase": "Running", "podIP": ip},
        }),
    )
}

fn get<'w>(world: &'w World, path: &str) -> &'w Pod {
    let (ns, name) = path.split_once('/').expect("namespace/name");
    match world.index.get(Kind::Pod, Some(ns), name).map(|o| &**o) {
        Some(Object::Pod(p)) => p,
        _ => panic!("no pod {path}"),
    }
}

/// Whether the client reaches port 5432 of the server with these policies, and who drops it if not.
#[track_caller]
fn passes(policies: &[(&str, Value)], wanted: bool) {
    let mut world = two();
    for (path, spec) in policies {
        world.upsert(object(&format!("NetworkPolicy {path}"), json!({"spec": spec})));
    }
    let passage = policy::between(&world.index, get(&world, "shop/front"), get(&world, "data/db"), 5432, "TCP");
    let passage = passage.expect("policies are read");
    assert_eq!(passage.allows(), wanted, "{policies:?}: {passage:?}");
    assert_eq!(passage.blocked_by().1.is_empty(), wanted);
}

#[test]
fn without_a_policy_that_selects_it_a_pod_is_open() {
    passes(&[], true);
    passes(&[("data/other", json!({"podSelector": {"matchLabels": {"app": "cache"}}}))], true);
    passes(&[("shop/in", json!({"podSelector": {}}))], true);
}

#[test]
fn a_policy_without_rules_drops_everything_in_its_directions() {
    passes(&[("data/deny", json!({"podSelector": {}}))], false);
    passes(&[("shop/deny", json!({"podSelector": {}, "policyTypes": ["Egress"]}))], false);
    passes(&[("data/deny", json!({"podSelector": {}, "policyTypes": ["Egress"]}))], true);
    // Egress rules make it an egress policy where no types are written.
    passes(
        &[("shop/dns", json!({"podSelector": {}, "egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}]}))],
        false,
    );
}

#[test]
fn policies_add_up() {
    let deny = ("data/deny", json!({"podSelector": {}}));
    let from = |peer: Value| {
        ("data/allow", json!({"podSelector": {"matchLabels": {"app": "db"}}, "ingress": [{"from": [peer]}]}))
    };
    passes(&[deny.clone(), ("data/all", json!({"podSelector": {}, "ingress": [{}]}))], true);
    passes(&[deny.clone(), from(json!({"namespaceSelector": {"matchLabels": {"team": "shop"}}}))], true);
    passes(
        &[deny.clone(), from(json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}))],
        true,
    );
    passes(&[deny.clone(), from(json!({"namespaceSelector": {"matchLabels": {"team": "ops"}}}))], false);
    // A pod selector alone speaks of the policy's own namespace.
    passes(&[deny.clone(), from(json!({"podSelector": {"matchLabels": {"app": "front"}}}))], false);
    let both = |app: &str| json!({"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": app}}});
    passes(&[deny.clone(), from(both("front"))], true);
    passes(&[deny, from(both("back"))], false);
}

#[test]
fn ports_are_named_numbered_or_a_range() {
    let ports = |ports: Value| [("data/p", json!({"podSelector": {}, "ingress": [{"ports": ports}]}))];
    passes(&ports(json!([{"port": 5432}])), true);
    passes(&ports(json!([{"port": "pg"}])), true);
    passes(&ports(json!([{"port": "http"}])), false);
    passes(&ports(json!([{"port": 5432, "protocol": "UDP"}])), false);
    passes(&ports(json!([{"port": 5000, "endPort": 6000}])), true);
    passes(&ports(json!([{"port": 5000, "endPort": 5431}])), false);
    passes(&ports(json!([{"protocol": "TCP"}])), true);
}

#[test]
fn address_blocks_have_exceptions() {
    let block = |block: Value| [("data/p", json!({"podSelector": {}, "ingress": [{"from": [{"ipBlock": block}]}]}))];
    passes(&block(json!({"cidr": "10.1.0.0/16"})), true);
    passes(&block(json!({"cidr": "0.0.0.0/0"})), true);
    passes(&block(json!({"cidr": "10.1.0.0/16", "except": ["10.1.0.0/24"]})), false);
    passes(&block(json!({"cidr": "192.168.0.0/16"})), false);
    assert!(policy::cidr_has("fd00::/8", "fd12::1".parse().expect("an address")));
    assert!(!policy::cidr_has("fd00::/8", "10.0.0.1".parse().expect("an address")));
}

#[test]
fn the_host_network_is_not_subject_to_policies_and_what_is_unread_is_unknown() {
    let mut world = two();
    world.upsert(object("NetworkPolicy data/deny", json!({"spec": {"podSelector": {}}})));
    let mut host = get(&world, "data/db").clone();
    host.spec.host_network = true;
    let passage = policy::between(&world.index, get(&world, "shop/front"), &host, 5432, "TCP").expect("read");
    assert!(passage.allows());
    world.lose(Kind::NetworkPolicy, UnreadableReason::Forbidden);
    assert_eq!(policy::between(&world.index, get(&world, "shop/front"), &host, 5432, "TCP"), None);
}

#[test]
fn an_egress_policy_without_port_53_blocks_dns() {
    let dns = |egress: Value| {
        let mut world = two();
        world.upsert(object(
            "NetworkPolicy shop/out",
            json!({"spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": egress}}),
        ));
        policy::dns(&world.index, get(&world, "shop/front")).expect("policies are read")
    };
    let only_db = dns(json!([{"to": [{"podSelector": {}}], "ports": [{"port": 5432}]}]));
    assert!(only_db.blocked() && !only_db.tcp);
    assert_eq!(only_db.selecting[0].name, "out");
    let by_tcp = dns(json!([{"ports": [{"port": 53, "protocol": "TCP"}]}]));
    assert!(by_tcp.blocked() && by_tcp.tcp, "lookups go by UDP first");
    let kube_system = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}});
    let usual = dns(json!([{"to": [kube_system], "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53}]}]));
    assert!(!usual.blocked() && usual.tcp);
    assert!(!dns(json!([{}])).blocked());
    let same_namespace = dns(json!([{"to": [{"podSelector": {}}]}]));
    assert!(same_namespace.blocked(), "a pod selector alone does not reach kube-system");
}

#[test]
fn a_policy_in_front_of_the_dns_pods_is_told_apart() {
    let mut world = two();
    world.upsert(pod("kube-system/coredns", json!({"k8s-app": "kube-dns"}), "10.1.0.2"));
    let client = |world: &World| policy::dns(&world.index, get(world, "shop/front")).expect("read");
    assert!(!client(&world).blocked());
    world.upsert(object("NetworkPolicy kube-system/deny", json!({"spec": {"podSelector": {}}})));
    let dns = client(&world);
    assert!(dns.blocked() && dns.selecting.is_empty());
    assert_eq!(dns.refused_by[0].name, "deny");
}

#[test]
fn a_services_port_leads_to_a_pods_port() {
    let world = two();
    let Object::Service(named) =
        object("Service data/db", json!({"spec": {"ports": [{"port": 80, "targetPort": "pg"}, {"port": 81}]}}))
    else {
        panic!("a Service")
    };
    let target = |port| policy::target(&named, port, get(&world, "data/db"));
    assert_eq!(target(80), Some((5432, "TCP".into())));
    assert_eq!(target(81), Some((81, "TCP".into())));
    assert_eq!(target(82), None);
}

#[test]
fn policies_are_described_in_words() {
    let text = |spec: Value, direction| {
        let Object::NetworkPolicy(p) = object("NetworkPolicy data/p", json!({"spec": spec})) else {
            panic!("a policy")
        };
        policy::describe(&p, direction)
    };
    assert_eq!(text(json!({"podSelector": {}}), Direction::Ingress), "nothing");
    let from =
        json!({"ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 8080}]}]});
    assert_eq!(text(from, Direction::Ingress), "only from pods app=web on TCP 8080");
    let to = json!({"egress": [{"to": [{"namespaceSelector": {}}], "ports": [{"port": 53, "protocol": "UDP"}]}]});
    assert_eq!(text(to, Direction::Egress), "only to all namespaces on UDP 53");
}
