//! The index's shortcuts say what a look at everything would say.

use std::collections::BTreeMap;

use super::support::*;
use afterwatch_core::{
    index::Index,
    object::{Kind, Object, Pod},
};
use afterwatch_testkit::World;

fn names(pods: &[&Pod]) -> Vec<String> {
    pods.iter().map(|p| p.metadata.name.clone()).collect()
}

fn selector(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn unsettled(world: &World) -> Vec<String> {
    world.index.unsettled_pods().map(|p| p.metadata.name.clone()).collect()
}

#[test]
fn pods_are_found_by_their_labels_as_these_change() {
    let app = checkout();
    let role = |role: &str| json!({"metadata": {"labels": {"role": role}}});
    let mut world = world(
        &app,
        [app.pod_with("a", status::ready(-60), role("reader")), app.pod_with("b", status::ready(-60), role("writer"))],
    );
    let find = |world: &World, pairs: &[(&str, &str)]| names(&world.index.pods_matching("shop", &selector(pairs)));
    assert_eq!(find(&world, &[("app", "checkout")]), ["checkout-r1-a", "checkout-r1-b"]);
    assert_eq!(find(&world, &[("app", "checkout"), ("role", "writer")]), ["checkout-r1-b"]);
    assert!(find(&world, &[("app", "checkout"), ("role", "none")]).is_empty());
    assert!(find(&world, &[]).is_empty(), "no label asks for no pod");
    assert!(world.index.pods_matching("other", &selector(&[("app", "checkout")])).is_empty());
    world.upsert(app.pod_with("b", status::ready(-60), role("reader")));
    assert!(find(&world, &[("role", "writer")]).is_empty());
    world.delete(app.pod("a", status::ready(-60)));
    assert_eq!(find(&world, &[("role", "reader")]), ["checkout-r1-b"]);
    world.list(Kind::Pod, Vec::new());
    assert!(find(&world, &[("app", "checkout")]).is_empty());
}

#[test]
fn a_service_has_the_endpoints_its_slices_say() {
    let app = checkout();
    let mut world = world(&app, []);
    let has = |world: &World| world.index.has_endpoint("shop", "checkout");
    assert_eq!(has(&world), Some(false));
    world.upsert(app.endpoints(&[false, true]));
    assert_eq!(has(&world), Some(true));
    world.upsert(app.endpoints(&[false]));
    assert_eq!(has(&world), Some(false));
    world.lose(Kind::EndpointSlice, afterwatch_core::coverage::UnreadableReason::Forbidden);
    assert_eq!(has(&world), None, "what is not known is not missing");
}

#[test]
fn a_service_that_publishes_pods_before_they_are_ready_has_those_that_run() {
    let app = checkout();
    let mut world = world(&app, [app.pod("a", status::unready(-60))]);
    world.upsert(app.service(json!({"spec": {"publishNotReadyAddresses": true}})));
    world.upsert(app.endpoints(&[true]));
    let has = |world: &World| world.index.has_endpoint("shop", "checkout");
    assert_eq!(has(&world), Some(true), "it is asked though it is not ready");
    world.upsert(app.pod("a", status::crashed(1, "Error", 3, -5)));
    assert_eq!(has(&world), Some(false), "its slice calls it ready still");
    world.upsert(app.pod("a", status::ready(-5)));
    assert_eq!(has(&world), Some(true));
}

#[test]
fn only_pods_that_may_have_something_to_tell_are_visited() {
    let app = checkout();
    let (ready, old) =
        (app.pod("a", status::ready(-600)), app.pod("b", status::restarted(1, "Error", 1, -9000, -8990)));
    let mut world = world(&app, [ready.clone(), old, app.pod("c", status::unready(-5))]);
    assert_eq!(unsettled(&world), ["checkout-r1-b", "checkout-r1-c"]);
    let everyday = event(&ready, "Normal", "Pulled", "Successfully pulled image", -600, -600, 1);
    world.upsert(everyday);
    assert_eq!(unsettled(&world).len(), 2);
    let told = event(&ready, "Warning", "Unhealthy", "Readiness probe failed", -60, -60, 1);
    world.upsert(told.clone());
    assert_eq!(unsettled(&world).len(), 3, "an event speaks of it");
    world.delete(told);
    assert_eq!(unsettled(&world).len(), 2, "the cluster has forgotten it");
    let mut going = ready.clone();
    going.meta_mut().deletion_timestamp = Some(t(30));
    world.upsert(going);
    assert_eq!(unsettled(&world).len(), 3, "it is about to go");
}

#[test]
fn a_pod_that_failed_in_any_way_is_visited() {
    let app = checkout();
    let mut init = status::ready(-5);
    init["initContainerStatuses"] =
        json!([{"name": "migrate", "restartCount": 1, "state": {"terminated": {"exitCode": 0}}}]);
    let mut disrupted = status::ready(-5);
    disrupted["conditions"]
        .as_array_mut()
        .expect("conditions")
        .push(json!({"type": "DisruptionTarget", "status": "True"}));
    let mut gated = status::ready(-5);
    gated["conditions"]
        .as_array_mut()
        .expect("conditions")
        .push(json!({"type": "example.com/gate", "status": "False"}));
    for state in [
        init,
        disrupted,
        gated,
        json!({"phase": "Pending"}),
        status::waiting("ErrImagePull", "", -5),
        status::crashed(1, "Error", 0, -5),
        status::backing_off(1, "Error", 3, -5),
        status::finished(1, -5),
        status::finished(0, -5),
        status::unschedulable("no", -5),
    ] {
        let world = world(&app, [app.pod("a", state.clone())]);
        assert_eq!(unsettled(&world).len(), 1, "{state}");
    }
}

#[test]
fn events_lead_to_what_they_speak_of() {
    let app = checkout();
    let set = app.between(json!({})).expect("a ReplicaSet");
    let mut world = world(&app, []);
    let told = |world: &World| world.index.told_of(Kind::ReplicaSet).count();
    assert_eq!(told(&world), 0);
    let first = event(&set, "Warning", "FailedCreate", "quota", -60, -60, 1);
    let second = event(&set, "Warning", "FailedCreate", "quota", -50, -50, 1);
    world.upsert_all([first.clone(), second.clone()]);
    assert_eq!(told(&world), 1);
    world.delete(first);
    assert_eq!(told(&world), 1, "the other still speaks of it");
    world.delete(second);
    assert_eq!(told(&world), 0);
}

#[test]
fn one_pod_speaks_for_its_template() {
    let old = checkout();
    let new = old.clone().revise(-60, json!({}));
    let pods: Vec<Object> = vec![
        old.pod("a", status::ready(-60)),
        old.pod("b", status::ready(-60)),
        new.pod("a", status::ready(-60)),
        App::of(Kind::Pod, "shop/alone").pod("", status::ready(-60)),
    ];
    let pods: Vec<&Pod> = pods
        .iter()
        .filter_map(|o| match o {
            Object::Pod(p) => Some(p),
            _ => None,
        })
        .collect();
    assert_eq!(names(&Index::one_per_template(&pods)), ["checkout-r1-a", "checkout-r2-a", "alone"]);
}
