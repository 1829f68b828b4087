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
    let fault = world.diagnose().faults.remove(0);
    let rules: Vec<String> = fault.findings.iter().map(|f| f.rule_id.clone()).collect();
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

/// A roll-out of two: an old pod serves, the new one fails its readiness probe.
fn half_way(reason: &str, status_of: &str) -> World {
    let probe = json!({"ports": [{"containerPort": 8080}], "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 5}});
    let old = checkout().replicas(2).container(probe);
    let new = old.clone().revise(-90, json!({"image": "registry.test/checkout:2"}));
    let mut world = world(&old, [old.pod("a", status::ready(-3600)), old.pod("b", status::ready(-3600))]);
    let conditions =
        json!([{"type": "Progressing", "status": status_of, "reason": reason, "lastTransitionTime": at(-5)}]);
    let fields = json!({
        "spec": {"progressDeadlineSeconds": 60},
        "status": {"availableReplicas": 2, "readyReplicas": 2, "updatedReplicas": 1, "conditions": conditions},
    });
    world.upsert(new.top(fields));
    let pod = new.pod("x", status::unready(-80));
    world.upsert_all(new.between(json!({})));
    world.upsert(pod.clone());
    world.upsert(event(
        &pod,
        "Warning",
        "Unhealthy",
        "Readiness probe failed: HTTP probe failed with statuscode: 404",
        -75,
        -2,
        15,
    ));
    world
}

#[test]
fn a_roll_out_that_hangs_half_way_is_one_fault_whose_cause_is_the_new_pods() {
    for (reason, status_of, findings) in [("ReplicaSetUpdated", "True", 1), ("ProgressDeadlineExceeded", "False", 2)] {
        let fault = check(
            &half_way(reason, status_of),
            Expect {
                rule: "readiness-failing",
                object: "Pod/shop/checkout-r2-x",
                cause: "probe-path-wrong",
                field: "spec.template.spec.containers[app].readinessProbe.httpGet.path",
                verdict: Likely,
                severity: Medium,
                says: &["/ready", "404", "checkout:1 → registry.test/checkout:2"],
                ..CHECKOUT
            },
        );
        assert_eq!(fault.findings.len(), findings);
        assert!(fault.actions.iter().any(|a| a.command.contains("rollout undo deployment/checkout")));
    }
}

#[test]
fn an_update_of_a_daemon_set_that_its_first_pod_stops_is_the_daemon_sets() {
    let agent = App::of(Kind::DaemonSet, "ops/agent");
    let mut world = World::new();
    let state = json!({"status": {"desiredNumberScheduled": 3, "numberReady": 2, "updatedNumberScheduled": 1, "numberUnavailable": 1}});
    world.run(&agent, [agent.pod("a", status::ready(-3600)), agent.pod("b", status::ready(-3600))]);
    world.upsert(agent.top(state));
    let image =
        "rpc error: code = NotFound desc = failed to pull and unpack image \"registry.test/agent:2\": not found";
    world.upsert(agent.pod("c", status::waiting("ErrImagePull", image, -60)));
    let faults = world.diagnose().faults;
    assert_eq!(faults.len(), 1);
    assert_eq!(
        (faults[0].subject.key().as_str(), faults[0].causes[0].entity.kind.as_str()),
        ("DaemonSet/ops/agent", "DaemonSet")
    );
}

#[test]
fn ready_pods_that_are_not_yet_available_are_told_with_the_seconds_they_must_last() {
    let app = checkout().replicas(2);
    let mut world = world(&app, [app.pod("a", status::ready(-20)), app.pod("b", status::ready(-20))]);
    let fields = json!({
        "spec": {"progressDeadlineSeconds": 60, "minReadySeconds": 55},
        "status": {"readyReplicas": 2, "updatedReplicas": 2, "availableReplicas": 0, "conditions": [
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "lastTransitionTime": at(-5)},
        ]},
    });
    world.upsert(app.top(fields));
    let says = &["minReadySeconds (55 s)", "60 s"];
    let expect = Expect {
        rule: "deployment-stuck",
        object: "Deployment/shop/checkout",
        cause: "deployment-stuck",
        verdict: Possible,
        ..CHECKOUT
    };
    check(&world, Expect { field: "spec.minReadySeconds", says, ..expect });
}

#[test]
fn nobody_is_sent_back_to_what_is_not_there_or_is_broken() {
    let steps = |world: &World| -> Vec<String> {
        let faults = world.diagnose().faults;
        faults.iter().flat_map(|f| &f.actions).map(|a| a.command.clone()).collect()
    };
    let undo = |world: &World| steps(world).iter().any(|c| c.contains("rollout undo"));
    let wrong =
        "rpc error: code = NotFound desc = failed to pull and unpack image \"registry.test/checkout:2\": not found";
    let pod = |app: &App| app.pod("a", status::waiting("ErrImagePull", wrong, -60));
    let revision = |n: &str| json!({"metadata": {"annotations": {"deployment.kubernetes.io/revision": n}}});
    // Its first revision has none before it.
    let app = checkout();
    let mut first = world(&app, [pod(&app)]);
    first.upsert(app.top(revision("1")));
    assert!(!undo(&first), "{:?}", steps(&first));
    first.upsert(app.top(revision("2")));
    assert!(undo(&first), "{:?}", steps(&first));
    // It went back already: the revision before is the broken one.
    let image = |name: &str| checkout().container(json!({"image": name}));
    let by = |name: &str, when: i64| {
        let fields = json!([{"manager": "cd", "operation": "Update", "time": at(when)}]);
        image(name).top(json!({"metadata": {"managedFields": fields}}))
    };
    let mut reverted = World::new().at(-3600);
    reverted.upsert(by("registry.test/checkout:1", -3600));
    reverted.upsert_all(image("registry.test/checkout:2").between(json!({})));
    reverted.set_time(-70);
    reverted.upsert(by("registry.test/checkout:2", -70));
    reverted.upsert(pod(&image("registry.test/checkout:2")));
    reverted.set_time(-10);
    assert!(undo(&reverted), "{:?}", steps(&reverted));
    let mut restarted = reverted.clone();
    reverted.set_time(-5);
    reverted.upsert(by("registry.test/checkout:1", -5));
    reverted.set_time(0);
    assert!(!undo(&reverted), "{:?}", steps(&reverted));
    // It was only restarted since: what is before that is the broken one as well.
    restarted.set_time(-5);
    let mut again = by("registry.test/checkout:2", -5);
    if let afterwatch_core::object::Object::Deployment(d) = &mut again {
        let when = ("kubectl.kubernetes.io/restartedAt".to_owned(), at(-5));
        d.spec.template.metadata.annotations.extend([when]);
    }
    restarted.upsert(again);
    restarted.set_time(0);
    assert!(!undo(&restarted), "{:?}", steps(&restarted));
}

#[test]
fn what_was_put_right_under_a_pause_waits_to_be_resumed() {
    let broken = checkout().container(json!({"env": [{"name": "PRICE_MODE", "value": "brutto"}]}));
    let mut world = world(&broken, []);
    let pod = broken.pod("a", status::crashed(1, "Error", 3, -5));
    world.upsert(pod.clone());
    world.log(&pod, "app", 3, "ValueError: invalid PRICE_MODE: brutto");
    let mended = checkout().container(json!({"env": [{"name": "PRICE_MODE", "value": "net"}]}));
    let paused =
        json!({"metadata": {"annotations": {"deployment.kubernetes.io/revision": "2"}}, "spec": {"paused": true}});
    world.upsert(mended.top(paused));
    let fault = world.diagnose().faults.remove(0);
    let said = &fault.causes[0].statement;
    assert!(said.contains("is paused") && said.contains("brutto → net"), "{said}");
    assert!(fault.actions[0].command.contains("rollout resume deployment/checkout -n shop"), "{:?}", fault.actions);
    assert!(!fault.actions.iter().any(|a| a.command.contains("rollout undo")), "{:?}", fault.actions);
    // What waits is something else, perhaps half done: it is told, and nobody is told to roll it out.
    let aside = broken.clone().container(json!({"env": [{"name": "PRICE_MODE", "value": "brutto"}], "image": "b:9"}));
    let paused =
        json!({"metadata": {"annotations": {"deployment.kubernetes.io/revision": "2"}}, "spec": {"paused": true}});
    world.upsert(aside.top(paused));
    let fault = world.diagnose().faults.remove(0);
    assert!(fault.causes[0].statement.contains("is paused"), "{}", fault.causes[0].statement);
    assert!(!fault.actions.iter().any(|a| a.command.contains("rollout resume")), "{:?}", fault.actions);
    // A pause by itself holds nothing back.
    let same = json!({"spec": {"paused": true}});
    world.upsert(broken.top(same));
    let fault = world.diagnose().faults.remove(0);
    assert!(!fault.causes[0].statement.contains("paused"), "{}", fault.causes[0].statement);
}

#[test]
fn a_later_change_of_something_else_leaves_no_way_back_by_one_revision() {
    let image = |name: &str, level: &str| {
        checkout().container(json!({"image": name, "env": [{"name": "LOG_LEVEL", "value": level}]}))
    };
    let by = |app: App, when: i64| {
        let fields = json!([{"manager": "cd", "operation": "Update", "time": at(when)}]);
        app.top(json!({"metadata": {"managedFields": fields}}))
    };
    let wrong =
        "rpc error: code = NotFound desc = failed to pull and unpack image \"registry.test/checkout:2\": not found";
    let undo = |world: &World| {
        let faults = world.diagnose().faults;
        faults.iter().flat_map(|f| &f.actions).any(|a| a.command.contains("rollout undo"))
    };
    let mut world = World::new().at(-3600);
    world.upsert(by(image("registry.test/checkout:1", "info"), -3600));
    world.upsert_all(image("registry.test/checkout:2", "info").between(json!({})));
    world.set_time(-70);
    world.upsert(by(image("registry.test/checkout:2", "info"), -70));
    let pod = image("registry.test/checkout:2", "info").pod("a", status::waiting("ErrImagePull", wrong, -60));
    world.upsert(pod);
    world.set_time(0);
    assert!(undo(&world));
    world.upsert(by(image("registry.test/checkout:2", "debug"), -65));
    assert!(!undo(&world), "{:#?}", world.diagnose().faults[0].actions);
}
