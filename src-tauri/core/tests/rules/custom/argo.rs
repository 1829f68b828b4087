//! Argo CD: Applications by their health and their last sync.

use super::*;

fn application(status: Value) -> Object {
    let fields = json!({"spec": {"destination": {"namespace": "shop"}}, "status": status});
    custom(ARGO, "Application argocd/shop", fields)
}

const APPLICATION: Expect = Expect {
    rule: "application-degraded",
    object: "Application.argoproj.io/argocd/shop",
    subject: "Application.argoproj.io/argocd/shop",
    entity: "Application.argoproj.io/argocd/shop",
    ..CUSTOM
};

fn degraded() -> Value {
    json!({"sync": {"status": "Synced"}, "health": {"status": "Degraded", "lastTransitionTime": at(-300)}, "operationState": {"phase": "Succeeded"}})
}

#[test]
pub fn an_application_that_cannot_be_synced_is_found() {
    let failed = |message: &str| {
        application(json!({
            "sync": {"status": "OutOfSync"}, "health": {"status": "Healthy"},
            "operationState": {"phase": "Failed", "message": message, "finishedAt": at(-300)},
        }))
    };
    let fault = check(
        &of([failed("one or more objects failed to apply: admission denied")]),
        Expect { says: &["admission denied"], ..APPLICATION },
    );
    assert_eq!(fault.title, "Application shop in argocd cannot be synced");
    check(
        &of([failed("one or more objects failed to apply, reason: namespaces \"shop\" not found")]),
        Expect {
            cause: "custom-resource-needs-missing",
            entity: "Namespace//shop?",
            verdict: Established,
            ..APPLICATION
        },
    );
}

#[test]
fn an_application_that_is_degraded_or_misses_resources_is_found() {
    check(&of([application(degraded())]), APPLICATION);
    let missing = |more: Value| with(with(degraded(), json!({"health": {"status": "Missing"}})), more);
    check(&of([application(missing(json!({})))]), APPLICATION);
    let failed = json!({"sync": {"status": "OutOfSync"}, "operationState": {"phase": "Failed", "message": "denied"}});
    check(&of([application(missing(failed))]), APPLICATION);
    // What Argo CD syncs by itself was asked for.
    let out = missing(json!({"sync": {"status": "OutOfSync"}}));
    let by = |automated: Value| {
        let spec = json!({"spec": {"destination": {"namespace": "shop"}, "syncPolicy": {"automated": automated}}});
        of([custom(ARGO, "Application argocd/shop", with(spec, json!({"status": out})))])
    };
    check(&by(json!({"prune": true})), APPLICATION);
    silent(&by(json!({"enabled": false})));
    silent(&by(json!(null)));
}

#[test]
fn an_application_on_its_way_or_never_asked_to_sync_is_silent() {
    for status in [
        json!({"sync": {"status": "Synced"}, "health": {"status": "Healthy"}, "operationState": {"phase": "Succeeded"}}),
        json!({"sync": {"status": "OutOfSync"}, "health": {"status": "Healthy"}, "operationState": {"phase": "Succeeded"}}),
        json!({"sync": {"status": "OutOfSync"}, "health": {"status": "Missing"}}),
        json!({"sync": {"status": "Synced"}, "health": {"status": "Progressing"}}),
        json!({"sync": {"status": "Synced"}, "health": {"status": "Suspended"}}),
        json!({"sync": {"status": "OutOfSync"}, "health": {"status": "Missing"}, "operationState": {"phase": "Running"}}),
        json!({"sync": {"status": "Synced"}, "health": {"status": "Healthy"}, "operationState": {"phase": "Failed", "message": "an old one"}}),
    ] {
        silent(&of([application(status)]));
    }
    let mut young = degraded();
    merge(&mut young, &json!({"health": {"lastTransitionTime": at(-20)}}));
    ordinary(&mut of([application(young)]), -20, 60);
}

#[test]
fn an_application_whose_pods_crash_joins_them_by_label_or_tracking_id() {
    for metadata in [
        json!({"labels": {"app.kubernetes.io/instance": "shop"}}),
        json!({"labels": {"argocd.argoproj.io/instance": "shop"}}),
        json!({"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/checkout"}}),
    ] {
        let app = checkout();
        let mut world = world(&app, [app.pod("a", status::crashed(1, "Error", 5, -20))]);
        world.upsert(app.top(json!({ "metadata": metadata })));
        world.refuse_logs();
        world.upsert(application(degraded()));
        let faults = world.diagnose().faults;
        assert_eq!(
            faults.iter().map(|f| f.subject.key()).collect::<Vec<_>>(),
            ["Deployment/shop/checkout"],
            "{metadata}"
        );
        assert!(faults[0].findings.iter().any(|f| f.rule_id == "application-degraded"));
    }
}

#[test]
fn an_application_of_the_same_name_in_another_namespace_is_another() {
    let joined = |id: &str, key: &str| {
        let app = checkout();
        let mut world = world(&app, [app.pod("a", status::crashed(1, "Error", 5, -20))]);
        world.upsert(app.top(
            json!({"metadata": {key: {"argocd.argoproj.io/tracking-id": id, "argocd.argoproj.io/instance": id}}}),
        ));
        world.refuse_logs();
        world.upsert(application(degraded()));
        world.diagnose().faults.len() == 1
    };
    assert!(joined("argocd_shop:apps/Deployment:shop/checkout", "annotations"));
    assert!(!joined("team-a_shop:apps/Deployment:shop/checkout", "annotations"));
    assert!(joined("argocd_shop", "labels") && !joined("team-a_shop", "labels"));
}

#[test]
fn an_application_is_not_joined_to_what_another_deployed() {
    let app = checkout();
    let mut world = world(&app, [app.pod("a", status::crashed(1, "Error", 5, -20))]);
    world.upsert(app.top(json!({"metadata": {"labels": {"app.kubernetes.io/instance": "billing"}}})));
    world.refuse_logs();
    world.upsert(application(degraded()));
    assert_eq!(world.diagnose().faults.len(), 2);
}

#[test]
fn what_another_cluster_lacks_is_not_looked_for_here() {
    let remote = json!({"spec": {"destination": {"namespace": "shop", "server": "https://far.example.com"}}, "status": {
        "sync": {"status": "OutOfSync"}, "health": {"status": "Degraded", "lastTransitionTime": at(-300)},
        "operationState": {"phase": "Failed", "message": "namespaces \"shop\" not found", "finishedAt": at(-300)},
    }});
    let app = checkout();
    let mut world = world(&app, [app.pod("a", status::crashed(1, "Error", 5, -20))]);
    world.upsert(app.top(json!({"metadata": {"labels": {"app.kubernetes.io/instance": "shop"}}})));
    world.refuse_logs();
    world.upsert(custom(ARGO, "Application argocd/shop", remote));
    let faults = world.diagnose().faults;
    assert_eq!(faults.len(), 2, "its pods are elsewhere");
    let own = faults.iter().find(|f| f.subject.kind == "Application").unwrap();
    assert_eq!(own.causes[0].entity.key(), "Application.argoproj.io/argocd/shop");
}
