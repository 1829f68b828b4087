//! The same fault again: within an hour the same number, later a new one.

use super::support::*;
use afterwatch_core::{
    incident::State,
    ledger::{Ledger, Step},
    object::Object,
};
use afterwatch_testkit::World;

fn app() -> App {
    checkout().container(json!({"resources": {"limits": {"memory": "64Mi"}}}))
}

fn broken(at: i64) -> Object {
    app().pod("a", status::crashed(137, "OOMKilled", 1, at))
}

/// An incident that was over at second 10 and resolved at second 610.
fn resolved() -> World {
    let mut world = world(&app(), [broken(-2)]);
    world.look_at(0);
    world.set_time(10);
    world.upsert(app().pod("a", status::ready(10)));
    world.look_at(10);
    assert_eq!(world.look_at(610), [Step::Resolved]);
    world
}

#[test]
fn within_an_hour_it_reopens_under_the_same_id_and_says_so() {
    let mut world = resolved();
    let id = world.incidents()[0].id;
    let evidence = world.incidents()[0].evidence.clone();
    world.set_time(3600);
    world.upsert(broken(3599));
    assert_eq!(world.look_at(3600), [Step::Reopened]);
    let incident = world.only();
    assert_eq!((incident.id, incident.state, incident.reopened), (id, State::Open, 1));
    assert_eq!((incident.resolved_at, incident.mitigated_at, incident.recovered_by.as_deref()), (None, None, None));
    assert_eq!((incident.started_at, incident.detected_at), (Some(t(3599)), t(3600)), "the times of this time");
    let before = &incident.earlier[0];
    assert_eq!(
        (before.started_at, before.detected_at, before.mitigated_at, before.resolved_at),
        (Some(t(-2)), t(0), Some(t(10)), Some(t(610))),
        "and those of before are kept"
    );
    assert_eq!(incident.labelled("reopened").map(|e| e.at), Some(t(3600)));
    assert_eq!(incident.evidence[..evidence.len()], evidence[..], "nothing is renumbered");
}

#[test]
fn what_set_it_off_before_is_not_what_set_it_off_again() {
    let mut world = world(&app(), []);
    let set = |world: &mut World, at: i64, memory: &str| {
        world.set_time(at);
        let new = checkout().container(json!({"resources": {"limits": {"memory": memory}}}));
        world.upsert(new.top(json!({"metadata": {"generation": at}})));
    };
    set(&mut world, 0, "32Mi");
    world.set_time(5);
    world.upsert(broken(4));
    world.look_at(5);
    let first = world.only().clone();
    assert!(first.changes.iter().any(|c| c.suspect), "{first:#?}");
    set(&mut world, 20, "256Mi");
    world.upsert(app().pod("a", status::ready(20)));
    world.look_at(20);
    assert_eq!(world.look_at(620), [Step::Resolved]);
    set(&mut world, 1000, "16Mi");
    world.set_time(1005);
    world.upsert(broken(1004));
    assert_eq!(world.look_at(1005), [Step::Reopened]);
    let suspects: Vec<_> = world.only().changes.iter().filter(|c| c.suspect).map(|c| c.change.at).collect();
    assert_eq!(suspects, [t(1000)]);
    assert_eq!(world.only().labelled("trigger").map(|e| e.at), Some(t(1000)));
}

#[test]
fn after_an_hour_it_is_a_new_incident() {
    let mut world = resolved();
    let id = world.incidents()[0].id;
    world.set_time(610 + 3600);
    world.upsert(broken(610 + 3599));
    assert_eq!(world.look_at(610 + 3600), [Step::Opened]);
    assert_ne!(world.only().id, id);
}

#[test]
fn another_fault_of_the_same_workload_is_a_new_incident() {
    let mut world = resolved();
    let id = world.incidents()[0].id;
    world.set_time(700);
    world.upsert(app().pod("a", status::waiting("CreateContainerConfigError", "secret \"payment\" not found", 690)));
    assert_eq!(world.look_at(700), [Step::Opened]);
    assert_ne!(world.only().id, id);
}

#[test]
fn the_same_fault_in_a_new_pod_of_the_same_workload_is_the_same() {
    let mut world = resolved();
    let id = world.incidents()[0].id;
    world.set_time(700);
    world.delete(app().pod("a", status::ready(10)));
    world.upsert(app().pod("b", status::crashed(137, "OOMKilled", 1, 699)));
    assert_eq!(world.look_at(700), [Step::Reopened]);
    assert_eq!(world.only().id, id);
}

#[test]
fn the_same_fault_of_another_workload_is_another_incident() {
    let mut world = resolved();
    let other = App::deployment("shop/cart").container(json!({"resources": {"limits": {"memory": "64Mi"}}}));
    world.set_time(700);
    world.run(&other, [other.pod("a", status::crashed(137, "OOMKilled", 1, 699))]);
    assert_eq!(world.look_at(700), [Step::Opened]);
    assert_eq!(world.only().subject.name, "cart");
}

#[test]
fn what_the_store_has_kept_goes_on_after_a_restart() {
    let mut world = world(&app(), [broken(-2)]);
    world.look_at(0);
    let kept = world.incidents().to_vec();
    let mut after = super::support::world(&app(), [broken(-2)]);
    after.ledger = Ledger::new("kind-dev", "cluster-1", kept.clone());
    after.look_at(30);
    assert_eq!(after.incidents().len(), 1);
    assert_eq!(after.only().id, kept[0].id);
    assert_eq!(after.only().evidence[..kept[0].evidence.len()], kept[0].evidence[..]);
}
