//! Deletions that do not end, and those that only take their time.

use super::support::*;
use afterwatch_core::object::Object;
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[
    ("namespace-stuck-terminating", a_namespace_held_by_a_finalizer_of_a_claim_names_the_claim),
    ("pod-stuck-terminating", a_pod_held_by_a_finalizer_is_found),
    ("claim-stuck-terminating", a_claim_that_a_pod_still_mounts_names_the_pod),
    ("object-stuck-terminating", an_object_that_a_finalizer_keeps_is_found),
];

const GONE: Expect = Expect {
    rule: "namespace-stuck-terminating",
    object: "Namespace//old",
    subject: "Namespace//old",
    entity: "Namespace//old",
    severity: Medium,
    ..CHECKOUT
};

/// A namespace whose deletion was asked for then, with these conditions true.
fn namespace(since: i64, conditions: &[(&str, &str)]) -> Object {
    let conditions: Vec<Value> = conditions
        .iter()
        .map(|(kind, message)| json!({"type": kind, "status": "True", "message": message, "lastTransitionTime": at(since)}))
        .collect();
    object(
        "Namespace old",
        json!({"metadata": {"deletionTimestamp": at(since)}, "status": {"phase": "Terminating", "conditions": conditions}}),
    )
}

const CONTENT: (&str, &str) =
    ("NamespaceContentRemaining", "Some resources are remaining: persistentvolumeclaims. has 1 resource instances");
const PROTECTED: &str =
    "Some content in the namespace has finalizers remaining: kubernetes.io/pvc-protection in 1 resource instances";
const HELD: (&str, &str) = (
    "NamespaceFinalizersRemaining",
    "Some content in the namespace has finalizers remaining: example.com/backup in 1 resource instances",
);

fn leaving(what: &str, since: i64, finalizers: &[&str]) -> Object {
    object(what, json!({"metadata": {"deletionTimestamp": at(since), "finalizers": finalizers}}))
}

#[test]
fn a_namespace_held_by_a_finalizer_of_a_claim_names_the_claim() {
    let mut world = World::new();
    world.upsert(namespace(-90, &[CONTENT, HELD]));
    world.upsert(leaving("PersistentVolumeClaim old/data", -90, &["example.com/backup"]));
    let fault = check(
        &world,
        Expect {
            cause: "finalizer-left",
            entity: "PersistentVolumeClaim/old/data",
            field: "metadata.finalizers",
            says: &["Namespace old", "data", "example.com/backup", "Terminating"],
            ..GONE
        },
    );
    assert!(fault.actions.iter().any(|a| a.command.contains("kubectl patch persistentvolumeclaim/data -n old")));
}

#[test]
fn a_custom_resource_that_holds_a_namespace_is_told_in_its_own_words() {
    let mut world = World::new();
    let content =
        ("NamespaceContentRemaining", "Some resources are remaining: widgets.example.com has 1 resource instances");
    world.upsert(namespace(-90, &[content, HELD]));
    let says = &["old", "widgets.example.com", "example.com/backup"];
    check(&world, Expect { cause: "namespace-content-remains", says, ..GONE });
}

#[test]
fn an_api_that_does_not_answer_is_who_keeps_the_namespace() {
    let mut world = World::new();
    let failure = (
        "NamespaceDeletionDiscoveryFailure",
        "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: metrics.k8s.io/v1beta1: stale GroupVersion discovery: metrics.k8s.io/v1beta1",
    );
    world.upsert(namespace(-90, &[failure]));
    let cause = Expect { cause: "api-service-down", verdict: Likely, says: &["metrics.k8s.io"], ..GONE };
    check(&world, cause);
    world.upsert(object(
        "APIService v1beta1.metrics.k8s.io",
        json!({
            "spec": {"group": "metrics.k8s.io", "version": "v1beta1", "service": {"namespace": "kube-system", "name": "metrics-server"}},
            "status": {"conditions": [{"type": "Available", "status": "False", "reason": "MissingEndpoints"}]},
        }),
    ));
    check(
        &world,
        Expect {
            subject: "Service/kube-system/metrics-server",
            severity: High,
            cause: "aggregated-api-down",
            entity: "Service/kube-system/metrics-server?",
            verdict: Established,
            says: &["v1beta1.metrics.k8s.io", "MissingEndpoints", "metrics-server", "old"],
            ..cause
        },
    );
}

#[test]
fn a_namespace_whose_pods_are_still_ending_is_silent() {
    let mut world = World::new();
    let left = "Failed to delete all resource types, 1 remaining: unexpected items still remain in namespace: old for gvr: /v1, Resource=pods";
    let content = ("NamespaceContentRemaining", "Some resources are remaining: pods. has 1 resource instances");
    world.upsert(namespace(-90, &[("NamespaceDeletionContentFailure", left), content]));
    silent(&world);
}

#[test]
fn a_finalizer_of_the_namespace_itself_is_the_namespaces() {
    let mut world = World::new();
    let mut ns = namespace(-90, &[]);
    ns.meta_mut().finalizers = vec!["controller.cattle.io/namespace-auth".to_owned()];
    world.upsert(ns);
    let says = &["controller.cattle.io/namespace-auth", "Namespace old"];
    check(&world, Expect { cause: "finalizer-left", says, ..GONE });
}

#[test]
fn a_namespace_is_held_for_three_quarters_of_a_minute() {
    let mut world = World::new();
    world.upsert(namespace(0, &[HELD]));
    world.set_time(19);
    silent(&world);
    world.set_time(44);
    patient(&world);
    world.set_time(45);
    check(&world, Expect { cause: "namespace-content-remains", ..GONE });
}

#[test]
fn namespaces_that_are_emptied_as_promised_are_silent() {
    // Content without a finalizer is on its way out.
    let mut world = World::new();
    world.upsert(namespace(-60, &[CONTENT]));
    silent(&world);
    world.set_time(119);
    silent(&world);
    world.set_time(120);
    check(&world, Expect { cause: "namespace-content-remains", verdict: Likely, ..GONE });
    // The control plane has not looked again since the last claim went, whose protection the namespace still names.
    let mut world = World::new();
    world.upsert(namespace(-60, &[CONTENT, ("NamespaceFinalizersRemaining", PROTECTED)]));
    silent(&world);
    world.upsert(leaving("PersistentVolumeClaim old/data", -60, &["kubernetes.io/pvc-protection"]));
    let stuck = |world: &World| {
        let findings = world.diagnose().faults.into_iter().flat_map(|f| f.findings.clone());
        findings.filter(|f| f.rule_id == "namespace-stuck-terminating").map(|f| f.causes[0].rule_id.clone()).next()
    };
    assert_eq!(stuck(&world).as_deref(), Some("finalizer-left"), "it is still there");
    // Its pods have a grace period of two minutes.
    let mut world = World::new();
    world.upsert(namespace(-60, &[CONTENT, HELD]));
    world.upsert(object(
        "Pod old/web",
        json!({"metadata": {"deletionTimestamp": at(60)}, "spec": {"nodeName": "node-a", "terminationGracePeriodSeconds": 120}}),
    ));
    silent(&world);
    // One whose node is at work on it, and slow: the claim that it uses waits for it.
    let protection = "kubernetes.io/pvc-protection";
    let ending = |finalizers: Value, node: Object| {
        let mut world = World::new();
        world.upsert(node);
        world.upsert(namespace(-90, &[CONTENT, ("NamespaceFinalizersRemaining", PROTECTED)]));
        world.upsert(leaving("PersistentVolumeClaim old/data", -90, &[protection]));
        world.upsert(object(
            "Pod old/web",
            json!({
                "metadata": {"deletionTimestamp": at(-90), "finalizers": finalizers},
                "spec": {"nodeName": "node-a", "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]},
            }),
        ));
        world
    };
    let told = |world: &World| !world.diagnose().faults.is_empty();
    let mut busy = ending(json!([]), World::node_since("node-a", "True", -9000));
    silent(&busy);
    busy.set_time(95);
    assert!(told(&busy), "three minutes are enough for any kubelet");
    assert!(told(&ending(json!(["example.com/backup"]), World::node_since("node-a", "True", -9000))));
    assert!(told(&ending(json!([]), World::node_since("node-a", "Unknown", -100))), "nobody is at work there");
    // One that only says that it is being deleted.
    let mut world = World::new();
    world.upsert(namespace(-600, &[]));
    silent(&world);
}

const STUCK: Expect = Expect {
    rule: "pod-stuck-terminating",
    object: "Pod/shop/checkout-r1-a",
    cause: "finalizer-left",
    entity: "Pod/shop/checkout-r1-a",
    severity: High,
    ..CHECKOUT
};

/// A Deployment with a pod that serves and one whose grace period ended then.
fn ending(grace_ended: i64, fields: Value) -> World {
    let app = checkout().replicas(2);
    let mut own = json!({"metadata": {"deletionTimestamp": at(grace_ended)}});
    merge(&mut own, &fields);
    world(&app, [app.pod_with("a", status::finished(0, grace_ended - 5), own), app.pod("b", status::ready(-600))])
}

#[test]
fn a_pod_held_by_a_finalizer_is_found() {
    let world = ending(-60, json!({"metadata": {"finalizers": ["example.com/drain"]}}));
    let says = &["checkout-r1-a", "example.com/drain", "Terminating"];
    let fault = check(&world, Expect { field: "metadata.finalizers", says, ..STUCK });
    assert!(fault.actions.iter().any(|a| a.command.contains("\"finalizers\":null")));
}

#[test]
fn a_finalizer_is_given_three_quarters_of_a_minute_past_the_grace_period() {
    let mut world = ending(0, json!({"metadata": {"finalizers": ["example.com/drain"]}}));
    world.set_time(19);
    silent(&world);
    world.set_time(44);
    patient(&world);
    world.set_time(45);
    check(&world, STUCK);
}

#[test]
fn a_pod_whose_node_is_lost_is_the_nodes() {
    let app = checkout().replicas(2).spec(json!({"nodeName": "node-b"}));
    let mut world = World::new();
    world.upsert(World::node_since("node-b", "Unknown", -400));
    let fields = json!({"metadata": {"deletionTimestamp": at(-70)}});
    let here = app.clone().spec(json!({"nodeName": "node-a"}));
    world.run(&app, [app.pod_with("a", status::ready(-3600), fields), here.pod("b", status::ready(-60))]);
    let lost =
        Expect { subject: "Node//node-b", entity: "Node//node-b", cause: "node-lost", severity: Critical, ..STUCK };
    check(&world, lost);
    // A node that is gone for good confirms nothing either.
    let node = World::node_since("node-b", "Unknown", -400);
    world.delete(node);
    let says = &["checkout-r1-a", "node-b", "does not exist"];
    check(
        &world,
        Expect { entity: "Node//node-b?", subject: "Deployment/shop/checkout", severity: High, says, ..lost },
    );
}

#[test]
fn a_kubelet_that_does_not_end_a_pod_is_told_with_its_own_words() {
    let app = checkout().replicas(2);
    let fields = json!({"metadata": {"deletionTimestamp": at(-90)}});
    let pod = app.pod_with("a", status::ready(-600), fields);
    let mut world = world(&app, [pod.clone(), app.pod("b", status::ready(-600))]);
    let slow = Expect { cause: "pod-not-killed", entity: "Node//node-a", verdict: Possible, ..STUCK };
    // It may only be busy, or just back: by itself that opens nothing.
    silent(&world);
    world.upsert(event(
        &pod,
        "Warning",
        "FailedKillPod",
        "error killing pod: failed to stop container: context deadline exceeded",
        -60,
        -5,
        4,
    ));
    check(&world, Expect { verdict: Likely, says: &["node-a", "context deadline exceeded"], ..slow });
}

#[test]
fn pods_that_end_as_they_may_are_silent() {
    // Within a grace period of an hour.
    silent(&ending(3000, json!({"spec": {"terminationGracePeriodSeconds": 3600}})));
    silent(&ending(-10, json!({"metadata": {"finalizers": ["example.com/drain"]}})));
    // A few seconds late.
    silent(&ending(-15, json!({})));
}

const CLAIM: Expect = Expect {
    rule: "claim-stuck-terminating",
    object: "PersistentVolumeClaim/shop/data",
    subject: "PersistentVolumeClaim/shop/data",
    cause: "claim-in-use",
    entity: "PersistentVolumeClaim/shop/data",
    severity: Medium,
    ..CHECKOUT
};

fn mounting() -> App {
    checkout().spec(json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}))
}

#[test]
fn a_claim_that_a_pod_still_mounts_names_the_pod() {
    let app = mounting();
    let mut world = world(&app, [app.pod("a", status::ready(-600))]);
    world.upsert(leaving("PersistentVolumeClaim shop/data", -60, &["kubernetes.io/pvc-protection"]));
    let says = &["data", "checkout-r1-a", "Deployment checkout", "kubernetes.io/pvc-protection", "Terminating"];
    check(&world, Expect { says, ..CLAIM });
}

#[test]
fn a_claim_goes_with_its_pods() {
    let app = mounting();
    let fields = json!({"metadata": {"deletionTimestamp": at(20)}});
    let mut world = world(&app.clone().replicas(0), [app.pod_with("a", status::ready(-600), fields)]);
    world.upsert(leaving("PersistentVolumeClaim shop/data", -60, &["kubernetes.io/pvc-protection"]));
    silent(&world);
}

#[test]
fn a_claim_without_users_is_held_by_its_finalizer() {
    let mut world = World::new();
    world.upsert(leaving(
        "PersistentVolumeClaim shop/data",
        0,
        &["snapshot.storage.kubernetes.io/pvc-as-source-protection"],
    ));
    world.set_time(44);
    patient(&world);
    world.set_time(45);
    check(&world, Expect { cause: "finalizer-left", says: &["pvc-as-source-protection"], ..CLAIM });
}

#[test]
fn a_volume_that_is_still_bound_names_its_claim() {
    let mut world = World::new();
    world.upsert(object("PersistentVolumeClaim shop/data", json!({"status": {"phase": "Bound"}})));
    let mut volume = json!({"spec": {"claimRef": {"namespace": "shop", "name": "data"}}, "status": {"phase": "Bound"}});
    merge(
        &mut volume,
        &json!({"metadata": {"deletionTimestamp": at(-60), "finalizers": ["kubernetes.io/pv-protection"]}}),
    );
    world.upsert(object("PersistentVolume pv-1", volume));
    check(
        &world,
        Expect {
            object: "PersistentVolume//pv-1",
            subject: "PersistentVolume//pv-1",
            entity: "PersistentVolume//pv-1",
            says: &["pv-1", "PersistentVolumeClaim data", "kubernetes.io/pv-protection"],
            ..CLAIM
        },
    );
}

#[test]
fn an_object_that_a_finalizer_keeps_is_found() {
    let mut world = World::new();
    world.upsert(leaving("ConfigMap shop/settings", 0, &["example.com/audit"]));
    world.set_time(59);
    patient(&world);
    world.set_time(60);
    check(
        &world,
        Expect {
            rule: "object-stuck-terminating",
            object: "ConfigMap/shop/settings",
            subject: "ConfigMap/shop/settings",
            entity: "ConfigMap/shop/settings",
            cause: "finalizer-left",
            severity: Medium,
            says: &["settings", "example.com/audit"],
            ..CHECKOUT
        },
    );
}

#[test]
fn what_is_deleted_after_its_pods_is_told_by_the_pod_that_stays() {
    let app = checkout();
    let mut world = World::new();
    let mut top = app.top(json!({"metadata": {"deletionTimestamp": at(-90), "finalizers": ["foregroundDeletion"]}}));
    top.meta_mut().resource_version = String::new();
    world.upsert(top);
    let set = app.between(json!({"metadata": {"deletionTimestamp": at(-90), "finalizers": ["foregroundDeletion"]}}));
    world.upsert_all(set);
    world.upsert(app.pod_with(
        "a",
        status::finished(0, -70),
        json!({"metadata": {"deletionTimestamp": at(-60), "finalizers": ["example.com/drain"]}}),
    ));
    check(&world, Expect { severity: Critical, ..STUCK });
}

#[test]
fn nodes_that_are_drained_and_objects_on_their_way_are_silent() {
    let mut world = World::new();
    world.upsert(leaving("Node node-b", -600, &["karpenter.sh/termination"]));
    world.upsert(leaving("Service shop/web", -10, &["service.kubernetes.io/load-balancer-cleanup"]));
    world.upsert(leaving("ConfigMap shop/settings", -600, &[]));
    silent(&world);
}

#[test]
fn what_is_taken_down_outside_the_cluster_is_given_minutes() {
    let cleanup = "service.kubernetes.io/load-balancer-cleanup";
    let mut world = World::new();
    world.upsert(leaving("Service shop/web", 0, &[cleanup]));
    world.set_time(299);
    silent(&world);
    world.set_time(300);
    let told = world.diagnose().faults;
    assert_eq!((told.len(), told[0].causes[0].entity.key().as_str()), (1, "Service/shop/web"));
    let remaining =
        format!("Some content in the namespace has finalizers remaining: {cleanup} in 1 resource instances");
    let mut world = World::new();
    world.upsert(namespace(0, &[CONTENT, ("NamespaceFinalizersRemaining", &remaining)]));
    world.set_time(299);
    silent(&world);
    world.set_time(300);
    assert_eq!(world.diagnose().faults.len(), 1);
}
