//! Incidents that a person takes apart or puts together.

use super::support::*;
use afterwatch_core::{
    incident::{Incident, IncidentId, State},
    ledger::{self, SplitError, Step},
};
use afterwatch_testkit::World;
use uuid::Uuid;

/// Three workloads of which each misses the same Secret: one incident.
fn one_for_three() -> World {
    let mut world = World::new();
    for name in ["cart", "checkout", "invoice"] {
        world.run(&workload(name), [workload(name).pod("a", missing())]);
    }
    assert_eq!(world.look_at(0), [Step::Opened]);
    world
}

fn workload(name: &str) -> App {
    App::deployment(&format!("shop/{name}"))
        .container(json!({"env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "payment", "key": "k"}}}]}))
}

fn missing() -> Value {
    status::waiting("CreateContainerConfigError", "secret \"payment\" not found", -10)
}

fn of(incident: &Incident, name: &str) -> Vec<String> {
    let own = |s: &afterwatch_core::object::ObjectRef| s.name == name;
    incident.findings.iter().filter(|f| f.subject.as_ref().is_some_and(own)).map(|f| f.fingerprint.clone()).collect()
}

/// Splits a workload off, as the engine does.
fn split(world: &mut World, name: &str) -> IncidentId {
    let mut incident = world.only().clone();
    let id = IncidentId(Uuid::from_u128(99));
    let chosen = of(&incident, name);
    let part = ledger::split(&mut incident, &chosen, id, t(5), "mara").unwrap();
    world.ledger.adopt(incident);
    world.ledger.adopt(part);
    id
}

fn find(world: &World, id: IncidentId) -> &Incident {
    world.incidents().iter().find(|i| i.id == id).unwrap()
}

#[test]
fn what_was_split_off_stays_apart_and_each_goes_its_own_way() {
    let mut world = one_for_three();
    let whole = world.only().id;
    let part = split(&mut world, "invoice");
    world.look_at(10);
    world.look_at(70);
    let (rest, invoice) = (find(&world, whole), find(&world, part));
    assert_eq!((rest.state, invoice.state), (State::Open, State::Open));
    let active = |i: &Incident| i.findings.iter().filter(|f| f.active).count();
    assert_eq!((active(rest), active(invoice)), (2, 1));
    assert_eq!(invoice.subject.name, "invoice");
    assert_eq!(world.incidents().len(), 2, "nothing opened a third time");
    // The one that is mended ends; the other does not.
    world.set_time(80);
    world.upsert(workload("invoice").pod("a", status::ready(80)));
    world.look_at(80);
    assert_eq!((find(&world, whole).state, find(&world, part).state), (State::Open, State::Mitigated));
    world.look_at(700);
    assert_eq!((find(&world, whole).state, find(&world, part).state), (State::Open, State::Resolved));
}

#[test]
fn a_part_keeps_the_ids_of_its_evidence_and_says_where_it_came_from() {
    let mut world = one_for_three();
    let before = world.only().clone();
    let part = split(&mut world, "invoice");
    let (rest, invoice) = (find(&world, before.id), find(&world, part));
    for finding in &invoice.findings {
        for id in &finding.evidence {
            assert_eq!(invoice.evidence_by_id(id), before.evidence_by_id(id));
        }
    }
    assert!(invoice.timeline.iter().any(|e| e.text.starts_with("Split off from INC-0 by mara")));
    assert!(rest.timeline.iter().any(|e| e.text.contains("split off")));
    assert_eq!((invoice.notifications, invoice.number), (before.notifications, 0));
    assert!(invoice.labelled("started").is_some() && invoice.labelled("detected").is_some());
}

#[test]
fn a_split_needs_something_chosen_and_something_left() {
    let world = one_for_three();
    let mut incident = world.only().clone();
    let (before, id) = (incident.clone(), IncidentId(Uuid::nil()));
    let all: Vec<String> = incident.findings.iter().map(|f| f.fingerprint.clone()).collect();
    assert_eq!(ledger::split(&mut incident, &[], id, t(5), "mara"), Err(SplitError::NothingChosen));
    assert_eq!(ledger::split(&mut incident, &all, id, t(5), "mara"), Err(SplitError::NothingLeft));
    assert_eq!(incident, before, "a refusal changes nothing");
}

#[test]
fn one_of_two_containers_of_a_workload_can_be_split_off() {
    let two = json!([{"name": "app"}, {"name": "sidecar"}]);
    let app = checkout().spec(json!({"template": {"spec": {"containers": two.clone()}}}));
    let dead = |name: &str| {
        json!({"name": name, "ready": false, "restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": afterwatch_testkit::at(-9),
                "finishedAt": afterwatch_testkit::at(-5)}}})
    };
    let status = json!({"phase": "Running", "containerStatuses": [dead("app"), dead("sidecar")]});
    let mut world = World::new();
    world.run(&app, [app.pod_with("a", status, json!({"spec": {"containers": two}}))]);
    world.refuse_logs();
    world.look_at(30);
    let mut incident = world.only().clone();
    let of = |i: &Incident, name: &str| -> Vec<String> {
        i.findings.iter().map(|f| f.fingerprint.clone()).filter(|f| f.ends_with(&format!("|{name}"))).collect()
    };
    let sidecar = of(&incident, "sidecar");
    assert!(!sidecar.is_empty() && !of(&incident, "app").is_empty(), "{:?}", incident.findings);
    let id = IncidentId(Uuid::from_u128(99));
    let part = ledger::split(&mut incident, &sidecar, id, t(31), "mara").unwrap();
    let whole = incident.id;
    world.ledger.adopt(incident);
    world.ledger.adopt(part);
    world.look_at(60);
    assert_eq!((find(&world, whole).state, find(&world, id).state), (State::Open, State::Open));
    let active =
        |i: &Incident| i.findings.iter().filter(|f| f.active).map(|f| f.fingerprint.clone()).collect::<Vec<_>>();
    assert!(active(find(&world, id)).iter().all(|f| sidecar.contains(f)), "{:?}", active(find(&world, id)));
    assert!(!active(find(&world, whole)).iter().any(|f| sidecar.contains(f)));
}

#[test]
fn what_a_person_put_together_stays_together() {
    let mut world = World::new();
    let (a, b) = (checkout(), App::deployment("shop/cart"));
    let limits = json!({"resources": {"limits": {"memory": "64Mi"}}});
    for app in [&a, &b] {
        let app = app.clone().container(limits.clone());
        world.run(&app, [app.pod("a", status::crashed(137, "OOMKilled", 3, -5))]);
    }
    assert_eq!(world.look_at(0), [Step::Opened, Step::Opened]);
    let (mut one, mut into) = (world.incidents()[1].clone(), world.incidents()[0].clone());
    ledger::merge_into(&mut one, &mut into, t(5));
    let id = into.id;
    world.ledger.adopt(one);
    world.ledger.adopt(into);
    world.look_at(10);
    world.look_at(70);
    assert_eq!(world.only().id, id);
    let names: Vec<&str> = world.only().findings.iter().filter(|f| f.active).map(|f| f.object.name.as_str()).collect();
    assert!(
        names.iter().any(|n| n.starts_with("cart")) && names.iter().any(|n| n.starts_with("checkout")),
        "{names:?}"
    );
}
