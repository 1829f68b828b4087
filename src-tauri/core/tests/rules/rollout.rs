//! Roll-outs that stand still.

use super::support::*;
use afterwatch_core::object::{Kind, Object};
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[
    ("rollout-waits-for-old-pods", a_recreated_deployment_waits_for_its_old_pod),
    ("statefulset-stuck", a_broken_pod_of_an_earlier_revision_must_be_deleted),
];

fn recreate(app: &App, fields: Value) -> Object {
    let mut out = json!({"spec": {"strategy": {"type": "Recreate"}}});
    merge(&mut out, &fields);
    app.top(out)
}

/// A Deployment whose only pod was told to end two minutes ago and may take this long.
fn draining(grace: i64, top: Value) -> World {
    let app = checkout().spec(json!({"terminationGracePeriodSeconds": grace}));
    let ending = json!({"metadata": {"deletionTimestamp": at(grace - 120)}});
    let mut world = world(&app, [app.pod_with("a", status::unready(-3600), ending)]);
    world.upsert(recreate(&app, top));
    world
}

const DRAIN: Expect = Expect {
    rule: "rollout-waits-for-old-pods",
    object: "Deployment/shop/checkout",
    cause: "rollout-waits-for-old-pods",
    field: "spec.template.spec.terminationGracePeriodSeconds",
    ..CHECKOUT
};

#[test]
fn a_recreated_deployment_waits_for_its_old_pod() {
    check(&draining(3600, json!({})), Expect { says: &["Recreate", "checkout-r1-a", "3600"], ..DRAIN });
}

#[test]
fn old_pods_are_given_a_minute_and_a_half() {
    let app = checkout().spec(json!({"terminationGracePeriodSeconds": 600}));
    let ending = json!({"metadata": {"deletionTimestamp": at(600)}});
    let mut world = world(&app, [app.pod_with("a", status::unready(-3600), ending)]);
    world.upsert(recreate(&app, json!({})));
    held(&mut world, 0, 90);
}

#[test]
fn pods_that_drain_where_nobody_waits_for_them_are_silent() {
    silent(&draining(3600, json!({"spec": {"strategy": {"type": "RollingUpdate"}}})));
    silent(&draining(3600, json!({"spec": {"replicas": 0}})));
    silent(&draining(3600, json!({"spec": {"paused": true}})));
    silent(&draining(125, json!({"spec": {"strategy": {"type": "RollingUpdate"}}})));
    // The new pod is there.
    let app = checkout().spec(json!({"terminationGracePeriodSeconds": 3600}));
    let mut world = draining(3600, json!({}));
    world.upsert(app.pod("b", status::ready(-5)));
    silent(&world);
}

#[test]
fn a_condition_of_an_earlier_specification_says_nothing() {
    let app = checkout();
    let late = json!({
        "metadata": {"generation": 5},
        "status": {"observedGeneration": 4, "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "lastTransitionTime": at(-300)}]},
    });
    let mut world = world(&app, [app.pod("a", status::ready(-600))]);
    world.upsert(app.top(late.clone()));
    silent(&world);
    let mut seen = late;
    merge(&mut seen, &json!({"status": {"observedGeneration": 5}}));
    world.upsert(app.top(seen));
    assert_eq!(world.diagnose().faults.len(), 1);
}

fn ledger() -> App {
    App::of(Kind::StatefulSet, "shop/ledger").replicas(2)
}

/// `ledger` with a pod of revision `bad` that has been broken since then; the template is at revision `good`.
fn broken(since: i64, top: Value) -> World {
    let app = ledger();
    let revision = |hash: &str| json!({"metadata": {"labels": {"controller-revision-hash": hash}}});
    let mut own = json!({"status": {"currentRevision": "first", "updateRevision": "good", "updatedReplicas": 0}});
    merge(&mut own, &top);
    let mut world = World::new();
    world.upsert(app.top(own));
    world.upsert(app.pod_with("0", status::ready(-3600), revision("first")));
    let image = "Back-off pulling image \"registry.test/ledger:nope\": ErrImagePull: not found";
    world.upsert(app.pod_with("1", status::waiting("ImagePullBackOff", image, since), revision("bad")));
    world
}

const LEDGER: Expect = Expect {
    rule: "statefulset-stuck",
    object: "StatefulSet/shop/ledger",
    subject: "StatefulSet/shop/ledger",
    entity: "StatefulSet/shop/ledger",
    cause: "statefulset-broken-pod",
    severity: High,
    ..CHECKOUT
};

#[test]
fn a_broken_pod_of_an_earlier_revision_must_be_deleted() {
    let fault = check(&broken(-120, json!({})), Expect { says: &["ledger-1", "bad", "good", "deleted"], ..LEDGER });
    assert!(fault.actions.iter().any(|a| a.command == "kubectl delete pod/ledger-1 -n shop"), "{:?}", fault.actions);
    assert!(fault.findings.len() == 2, "the pod's own trouble is a symptom");
}

#[test]
fn a_pod_of_the_present_revision_has_a_fault_of_its_own() {
    let world = broken(-120, json!({"status": {"updateRevision": "bad"}}));
    let rules: Vec<String> = world.diagnose().faults.remove(0).findings.into_iter().map(|f| f.rule_id).collect();
    assert!(!rules.contains(&"statefulset-stuck".to_owned()), "{rules:?}");
}

#[test]
fn old_revisions_that_are_intended_are_no_stuck_roll_out() {
    let intended = [
        json!({"spec": {"updateStrategy": {"type": "OnDelete"}}}),
        json!({"spec": {"podManagementPolicy": "Parallel"}}),
        json!({"spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}}}),
    ];
    for top in intended {
        let world = broken(-120, top);
        let faults = world.glance().faults;
        assert!(faults.iter().flat_map(|f| &f.findings).all(|f| f.rule_id != "statefulset-stuck"));
    }
    // A partition whose pods are well, and an update that has begun a moment ago.
    let app = ledger();
    for (partition, hash) in [(2, "first"), (0, "good")] {
        let top = json!({
            "spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}},
            "status": {"currentRevision": "first", "updateRevision": "good"},
        });
        let mut world = World::new();
        world.upsert(app.top(top));
        let revision = |hash: &str| json!({"metadata": {"labels": {"controller-revision-hash": hash}}});
        world.upsert(app.pod_with("0", status::ready(-3600), revision("first")));
        world.upsert(app.pod_with("1", status::ready(-60), revision(hash)));
        silent(&world);
    }
}

#[test]
fn a_pod_that_is_only_being_replaced_is_silent() {
    let app = ledger();
    let mut world = World::new();
    world.upsert(app.top(json!({"status": {"currentRevision": "first", "updateRevision": "good"}})));
    let fields = json!({"metadata": {"labels": {"controller-revision-hash": "first"}, "deletionTimestamp": at(20)}});
    world.upsert(app.pod_with("1", status::unready(-3600), fields));
    world.upsert(app.pod_with(
        "0",
        status::ready(-3600),
        json!({"metadata": {"labels": {"controller-revision-hash": "first"}}}),
    ));
    silent(&world);
}
