//! Policies that were changed just before pods began to fail.

use super::support::*;
use afterwatch_core::object::Object;
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[("traffic-cut-by-policy", a_policy_that_cuts_dns_explains_the_crash_after_it)];

const CUT: Expect = Expect {
    rule: "traffic-cut-by-policy",
    cause: "network-policy-blocks",
    entity: "NetworkPolicy/shop/lockdown",
    field: "spec.egress",
    verdict: Likely,
    severity: Critical,
    ..CHECKOUT
};

fn lockdown(spec: Value) -> Object {
    object("NetworkPolicy shop/lockdown", json!({"metadata": {"creationTimestamp": at(0)}, "spec": spec}))
}

fn client() -> App {
    checkout().container(json!({"env": [{"name": "DATABASE_URL", "value": "postgres://app@db:5432/shop"}]}))
}

/// `checkout` runs with its database `db`; the policy comes, and `checkout` crashes at this second.
fn after(policy: Object, crash: i64) -> World {
    let (app, db) = (client(), App::deployment("shop/db").container(json!({"ports": [{"containerPort": 5432}]})));
    let mut world = world(&app, [app.pod("a", status::ready(-600))]);
    world.run(&db, [db.pod("a", status::ready(-600))]);
    world.upsert_all([
        db.service(json!({"spec": {"ports": [{"name": "pg", "port": 5432, "targetPort": 5432}]}})),
        db.endpoints(&[true]),
        object("Namespace shop", json!({})),
        object("Namespace kube-system", json!({})),
    ]);
    world.upsert(policy);
    world.set_time(crash + 20);
    world.upsert(app.pod("a", status::backing_off(1, "Error", 2, crash)));
    world.refuse_logs();
    world
}

fn joined(world: &World) -> bool {
    world.diagnose().faults.iter().any(|f| f.findings.iter().any(|f| f.rule_id == "traffic-cut-by-policy"))
}

#[test]
fn a_policy_that_cuts_dns_explains_the_crash_after_it() {
    let world = after(
        lockdown(json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": {}}]}]})),
        60,
    );
    check(&world, Expect { says: &["lockdown", "every pod", "DNS", "53", "pods"], ..CUT });
}

#[test]
fn a_policy_in_front_of_a_service_that_the_pod_names_explains_it() {
    let only = json!({"podSelector": {"matchLabels": {"app": "db"}}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "report"}}}], "ports": [{"port": 5432}]}]});
    let world = after(lockdown(only), 60);
    check(&world, Expect { field: "spec.ingress", says: &["Service db", "5432", "app=report"], ..CUT });
}

#[test]
fn a_policy_that_lets_through_what_is_needed_explains_nothing() {
    let open = json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": {}}]}, {"ports": [{"port": 53, "protocol": "UDP"}]}]});
    assert!(!joined(&after(lockdown(open), 60)));
    let other = json!({"podSelector": {"matchLabels": {"app": "cart"}}, "policyTypes": ["Egress"]});
    assert!(!joined(&after(lockdown(other), 60)));
}

#[test]
fn a_policy_that_came_after_the_crash_or_long_before_it_explains_nothing() {
    let deny = || json!({"podSelector": {}, "policyTypes": ["Egress"]});
    assert!(joined(&after(lockdown(deny()), 60)));
    assert!(!joined(&after(lockdown(deny()), -120)), "the crash came first");
    assert!(!joined(&after(lockdown(deny()), 3000)), "the policy is an hour old");
}

#[test]
fn a_pod_whose_log_speaks_of_something_else_is_not_cut_off() {
    let told = |line: &str| {
        let mut world = after(lockdown(json!({"podSelector": {}, "policyTypes": ["Egress"]})), 60);
        let pod = client().pod("a", status::backing_off(1, "Error", 3, 90));
        world.set_time(100);
        world.upsert(pod.clone());
        world.log(&pod, "app", 3, line);
        joined(&world)
    };
    assert!(told("dial tcp: lookup db: i/o timeout"));
    assert!(!told("panic: invalid value for WORKERS: four"));
}

#[test]
fn a_policy_after_which_nothing_fails_is_silent() {
    let mut world = after(lockdown(json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})), 60);
    world.upsert(client().pod("a", status::ready(-600)));
    silent(&world);
}
