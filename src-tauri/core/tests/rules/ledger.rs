//! From diagnoses to an incident's life.

use super::support::*;
use afterwatch_core::{
    coverage::{EndedBy, Gap, UnreadableReason},
    incident::{Incident, State},
    ledger::{self, Step},
    metrics::{Span, times},
    object::{Kind, Object},
    observation::Fact,
    timeline::EntryKind,
};
use afterwatch_testkit::World;

fn broken(restarts: u32, at: i64) -> Object {
    limited().pod("a", status::crashed(137, "OOMKilled", restarts, at))
}

fn limited() -> App {
    checkout().container(json!({"resources": {"limits": {"memory": "64Mi"}}}))
}

/// An incident that was opened at the beginning.
fn opened() -> World {
    let mut world = world(&limited(), [broken(1, -2)]);
    assert_eq!(world.look_at(0), [Step::Opened]);
    world
}

/// The same, mitigated after a minute.
fn mitigated() -> World {
    let mut world = opened();
    world.set_time(60);
    world.upsert(limited().pod("a", status::ready(60)));
    assert_eq!(world.look_at(60), [Step::Mitigated]);
    world
}

/// The same, resolved after the stability window.
fn resolved() -> World {
    let mut world = mitigated();
    assert_eq!(world.look_at(659), []);
    assert_eq!(world.ledger.next_due(&world.index, &world.diagnose(), world.policy), Some(t(660)));
    assert_eq!(world.look_at(660), [Step::Resolved]);
    world
}

fn labels(incident: &Incident) -> Vec<&str> {
    incident.timeline.iter().filter_map(|e| e.label.as_deref()).collect()
}

#[test]
fn an_incident_opens_with_its_times_and_says_what_they_rest_on() {
    let world = opened();
    let incident = world.only();
    assert_eq!((incident.state, incident.severity, incident.number), (State::Open, Critical, 0));
    assert_eq!((incident.started_at, incident.detected_at), (Some(t(-2)), t(0)));
    assert_eq!(incident.cluster, "kind-dev");
    assert!(incident.title.contains("checkout in shop") && !incident.started_at_basis.is_empty());
    assert!(labels(incident).contains(&"started") && labels(incident).contains(&"detected"));
    let started = incident.labelled("started").expect("the start");
    assert!(!started.evidence.is_empty(), "the start is proven");
}

#[test]
fn looking_again_at_the_same_changes_nothing() {
    let mut world = opened();
    let before = world.incidents().to_vec();
    assert_eq!(world.look_at(5), []);
    assert_eq!(world.incidents(), before);
}

#[test]
fn more_of_the_same_updates_the_incident_and_keeps_every_id() {
    let mut world = opened();
    let first = world.only().clone();
    for (restarts, second) in [(2, 20), (3, 45), (4, 90)] {
        world.set_time(second);
        world.upsert(broken(restarts, second - 1));
        assert_eq!(world.look_at(second), [Step::Updated]);
    }
    let incident = world.only();
    assert_eq!(incident.id, first.id);
    assert_eq!(incident.findings[0].count, 5);
    for (i, known) in first.evidence.iter().enumerate() {
        assert_eq!(&incident.evidence[i], known, "evidence is immutable and keeps its id");
    }
    let ids: Vec<String> = incident.evidence.iter().map(|e| e.id.clone()).collect();
    let counted: Vec<String> = (1..=ids.len()).map(|n| format!("E{n}")).collect();
    assert_eq!(ids, counted);
    assert_eq!(incident.started_at, Some(t(-2)));
    cited(incident);
}

/// Whatever cites something cites what the incident holds.
fn cited(incident: &Incident) {
    let known =
        |id: &String| incident.evidence.iter().any(|e| e.id == *id) || incident.changes.iter().any(|c| c.id == *id);
    for cause in &incident.causes {
        assert!(!cause.evidence.is_empty() && cause.evidence.iter().all(known), "{cause:?}");
    }
    for id in
        incident.timeline.iter().flat_map(|e| &e.evidence).chain(incident.findings.iter().flat_map(|f| &f.evidence))
    {
        assert!(known(id), "{id} is cited and not there");
    }
    for id in incident.ruled_out.iter().flat_map(|r| &r.evidence) {
        assert!(known(id), "{id} is cited and not there");
    }
}

#[test]
fn losing_the_last_ready_pod_makes_it_worse() {
    let app = limited().replicas(2);
    let mut world = world(&app, [broken(1, -2), app.pod("b", status::ready(-600))]);
    assert_eq!(world.look_at(0), [Step::Opened]);
    assert_eq!(world.only().severity, High);
    world.set_time(10);
    world.upsert(app.pod("b", status::crashed(137, "OOMKilled", 1, 9)));
    assert_eq!(world.look_at(10), [Step::Worse]);
    assert_eq!(world.only().severity, Critical);
}

#[test]
fn it_mitigates_at_once_and_resolves_after_the_stability_window() {
    let world = resolved();
    let incident = &world.incidents()[0];
    assert_eq!(
        (incident.state, incident.mitigated_at, incident.resolved_at),
        (State::Resolved, Some(t(60)), Some(t(660)))
    );
    assert_eq!(incident.recovered_by.as_deref(), Some("itself"));
    assert!(incident.findings.iter().all(|f| !f.active));
    let said = incident.labelled("resolved").expect("an entry");
    assert!(said.text.contains("10 m"), "{}", said.text);
}

#[test]
fn a_relapse_before_it_is_resolved_is_the_same_incident() {
    let mut world = mitigated();
    world.set_time(120);
    world.upsert(broken(5, 119));
    assert_eq!(world.look_at(120).len(), 1);
    let incident = world.only();
    assert_eq!((incident.state, incident.mitigated_at, incident.reopened), (State::Open, None, 0));
    assert!(incident.timeline.iter().any(|e| e.kind == EntryKind::Symptom && e.at == t(120)));
    // Then the window begins anew.
    world.set_time(200);
    world.upsert(limited().pod("a", status::ready(200)));
    world.look_at(200);
    assert_eq!(world.look_at(700), []);
    assert_eq!(world.look_at(800), [Step::Resolved]);
}

#[test]
fn acknowledging_is_kept_through_relapse_and_holds_the_title() {
    let mut world = opened();
    let id = world.only().id;
    ledger::acknowledge(world.ledger.get_mut(id).expect("there"), t(10), "kim");
    let title = world.only().title.clone();
    assert_eq!((world.only().state, world.only().acknowledged_at), (State::Acknowledged, Some(t(10))));
    // The image cannot be pulled any more either: another headline, the same incident.
    world.set_time(20);
    world.upsert(limited().pod("a", status::waiting("ErrImagePull", "registry.test/checkout:1: not found", 10)));
    world.look_at(20);
    assert_eq!(world.only().title, title, "the name people use stays");
    world.upsert(limited().pod("a", status::ready(30)));
    world.look_at(30);
    assert_eq!(world.only().state, State::Mitigated);
    world.upsert(broken(4, 39));
    world.look_at(40);
    assert_eq!(world.only().state, State::Acknowledged, "it was acknowledged, and is hurt again");
    let entry = world.only().labelled("acknowledged").expect("an entry");
    assert_eq!(entry.who.as_deref(), Some("kim"));
}

#[test]
fn a_person_may_close_it_and_the_same_look_does_not_open_it_anew() {
    let mut world = mitigated();
    let id = world.only().id;
    ledger::resolve(world.ledger.get_mut(id).expect("there"), t(70), "kim", Some("limit raised"));
    assert_eq!(world.look_at(71), []);
    let incident = &world.incidents()[0];
    assert_eq!((incident.state, incident.resolved_at), (State::Resolved, Some(t(70))));
    assert!(incident.labelled("resolved").expect("an entry").text.contains("limit raised"));
}

#[test]
fn what_a_person_closes_while_it_is_broken_stays_closed_until_it_was_well() {
    let mut world = opened();
    let id = world.only().id;
    ledger::resolve(world.ledger.get_mut(id).expect("there"), t(30), "kim", Some("known"));
    let said = world.incidents()[0].labelled("resolved").expect("an entry").text.clone();
    assert_eq!(said, "Closed by kim while it was still broken: known");
    for at in [31, 90, 4000] {
        world.set_time(at);
        world.upsert(broken(at as u32, at - 1));
        assert_eq!(world.look_at(at), [], "at {at}");
    }
    world.set_time(4010);
    world.upsert(limited().pod("a", status::ready(4010)));
    assert_eq!(world.look_at(4010), [Step::Updated], "it was well once, and the history knows");
    world.set_time(4020);
    world.upsert(broken(5000, 4019));
    assert_eq!(world.look_at(4020), [Step::Opened], "well in between, and more than an hour ago");
}

#[test]
fn what_a_person_closed_comes_back_when_it_grows_worse() {
    let app = limited().replicas(2);
    let mut world = world(&app, [broken(1, -2), app.pod("b", status::ready(-600))]);
    world.look_at(0);
    let id = world.only().id;
    ledger::resolve(world.ledger.get_mut(id).expect("there"), t(5), "kim", None);
    assert_eq!(world.look_at(6), []);
    world.set_time(10);
    world.upsert(app.pod("b", status::crashed(137, "OOMKilled", 1, 9)));
    assert_eq!(world.look_at(10), [Step::Reopened]);
    assert_eq!((world.only().id, world.only().severity), (id, Critical));
}

#[test]
fn nothing_is_over_while_nobody_can_look() {
    let mut world = opened();
    let lost = |world: &mut World, at: i64| {
        world.set_time(at);
        world.apply(Fact::Lost {
            kind: Kind::Pod,
            namespace: None,
            ended_by: EndedBy::Sleep,
            reason: UnreadableReason::Unreachable,
            message: "asleep".into(),
        });
    };
    let back = |world: &mut World, at: i64, pod: Object| {
        world.set_time(at);
        world.list(Kind::Pod, vec![pod]);
    };
    world.delete(broken(1, -2));
    lost(&mut world, 10);
    assert_eq!(world.look_at(20), [], "no pods are seen, which says nothing");
    assert_eq!(world.only().state, State::Open);
    back(&mut world, 100, limited().pod("a", status::ready(90)));
    assert_eq!(world.look_at(100), [Step::Mitigated]);
    // Asleep from second 200 to hour 6: that it was well all the time is not known.
    lost(&mut world, 200);
    assert_eq!(world.look_at(21_500), []);
    assert_eq!(world.ledger.next_due(&world.index, &world.diagnose(), world.policy), None);
    back(&mut world, 21_600, limited().pod("a", status::ready(90)));
    assert_eq!(world.look_at(21_601), [], "the window begins when watching does");
    assert_eq!(world.only().mitigated_at, Some(t(100)));
    assert_eq!(world.look_at(22_200), [Step::Resolved]);
    assert!(world.incidents()[0].labelled("resolved").expect("an entry").text.contains("well for 10 m"));
}

#[test]
fn a_pod_that_is_made_anew_has_not_ended_the_impact() {
    let mut world = opened();
    world.set_time(30);
    world.delete(broken(1, -2));
    world.upsert(limited().pod("b", status::waiting("ContainerCreating", "", 30)));
    assert_eq!(world.look_at(31), []);
    assert_eq!(world.only().state, State::Open);
    world.set_time(40);
    world.upsert(limited().pod("b", status::ready(40)));
    assert_eq!(world.look_at(40), [Step::Mitigated]);
}

#[test]
fn incidents_that_turn_out_to_be_one_fault_go_on_as_one() {
    let slow = |path: &str| App::deployment(path).container(json!({"readinessProbe": {"tcpSocket": {"port": 8080}}}));
    let (checkout, cart) = (slow("shop/checkout"), slow("shop/cart"));
    let mut world = World::new();
    world.run(&checkout, [checkout.pod("a", status::unready(-300))]);
    world.run(&cart, [cart.pod("a", status::unready(-300))]);
    assert_eq!(world.look_at(0), [Step::Opened, Step::Opened]);
    let ids: Vec<_> = world.incidents().iter().map(|i| i.id).collect();
    ledger::note(world.ledger.get_mut(ids[0]).expect("there"), t(5), "kim", "looking at the load balancer");
    ledger::note(world.ledger.get_mut(ids[1]).expect("there"), t(6), "kim", "the cart, too");
    // The node they run on had been dying all along.
    world.upsert(World::node_since("node-a", "Unknown", -310));
    world.set_time(10);
    let steps = world.look();
    let into = world.only().id;
    let joined = world.incidents().iter().find(|i| i.id != into).expect("it is kept");
    assert!(steps.contains(&(joined.id, Step::Merged)), "{steps:?}");
    assert_eq!((joined.state, joined.merged_into, joined.mitigated_at), (State::Resolved, Some(into), None));
    assert!(joined.labelled("merged").expect("an entry").text.contains("node-a"), "{joined:#?}");
    assert_eq!(world.only().top_cause().expect("a cause").entity.name, "node-a");
    let notes = world.only().timeline.iter().filter(|e| e.kind == EntryKind::Note).count();
    assert_eq!(notes, 2, "what people wrote goes along");
    cited(world.only());
    // It stays where it went, and comes back there.
    assert_eq!(world.look_at(20), []);
}

#[test]
fn a_start_in_a_gap_makes_a_range_and_an_end_in_a_gap_is_unknown() {
    let incident = mitigated().only().clone();
    let gap = |from, to| [Gap { from: t(from), to: t(to), cause: EndedBy::Sleep }];
    assert_eq!(times(&incident.instants(), &[]).to_detect, Span::Seconds(2.0));
    assert_eq!(times(&incident.instants(), &gap(-30, -1)).to_detect, Span::Range(2.0, 30.0));
    assert_eq!(times(&incident.instants(), &gap(-30, -1)).to_mitigate, Span::Range(62.0, 90.0));
    assert_eq!(times(&incident.instants(), &gap(30, 70)).to_mitigate, Span::Unknown);
    assert_eq!(times(&incident.instants(), &gap(30, 70)).to_resolve, Span::Pending);
}

#[test]
fn notes_are_entries_with_their_author() {
    let mut world = opened();
    let id = world.only().id;
    ledger::note(world.ledger.get_mut(id).expect("there"), t(12), "kim", "raising the limit");
    let entry = world.only().timeline.last().expect("an entry");
    assert_eq!(
        (entry.kind, entry.at, entry.who.as_deref(), entry.text.as_str()),
        (EntryKind::Note, t(12), Some("kim"), "raising the limit")
    );
    let seqs: Vec<u64> = world.only().timeline.iter().map(|e| e.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
}

#[test]
fn a_later_cause_takes_the_first_rank_and_the_timeline_says_when() {
    let app = checkout();
    let mut world = world(&app, [app.pod("a", status::crashed(1, "Error", 3, -5))]);
    world.refuse_logs();
    world.look_at(0);
    assert_eq!(world.only().causes[0].rule_id, "container-exits");
    assert!(!world.only().needs.is_empty());
    world.set_time(2);
    let pod = app.pod("a", status::crashed(1, "Error", 4, 1));
    world.upsert(pod.clone());
    world.log(&pod, "app", 4, "required environment variable STRIPE_KEY is not set");
    world.look_at(2);
    let incident = world.only();
    assert_eq!((incident.causes[0].rank, incident.causes[0].rule_id.as_str()), (1, "log-missing-env"));
    assert_eq!(incident.verdict, Established);
    let said = incident.labelled("cause").expect("an entry");
    assert!(said.at == t(2) && said.text.contains("STRIPE_KEY") && !said.evidence.is_empty());
    cited(incident);
}

#[test]
fn a_node_is_not_mended_by_a_roll_out_of_what_ran_on_it() {
    let app = |image: &str| checkout().container(json!({"image": image}));
    let mut world = world(&app("a:1"), [app("a:1").pod("a", status::ready(-600))]);
    world.upsert(World::node_since("node-a", "Unknown", -60));
    world.upsert(app("a:1").pod("a", status::unready(-50)));
    world.look_at(60);
    assert_eq!(world.only().top_cause().map(|c| c.entity.kind.clone()).as_deref(), Some("Node"));
    world.set_time(90);
    world.upsert(app("a:2").top(json!({"metadata": {"generation": 2}})));
    world.look();
    world.set_time(120);
    world.upsert(World::node_since("node-a", "True", 120));
    world.upsert(app("a:2").pod("a", status::ready(120)));
    assert_eq!(world.look_at(120), [Step::Mitigated]);
    assert_eq!(world.only().recovered_by.as_deref(), Some("itself"));
}

#[test]
fn what_was_proven_stays_the_cause_when_it_was_put_right() {
    let (api, db) = (checkout(), App::deployment("shop/orders-db"));
    let api = api.container(json!({"env": [{"name": "DB_HOST", "value": "orders-db"}]}));
    let mut world = world(&api, []);
    world.upsert_all(db.clone().replicas(0).objects());
    world.upsert_all([db.service(json!({})), db.endpoints(&[])]);
    let pod = api.pod("a", status::crashed(1, "Error", 3, -5));
    world.upsert(pod.clone());
    world.log(&pod, "app", 3, "Error: connect ECONNREFUSED orders-db:80");
    assert_eq!(world.look_at(0), [Step::Opened]);
    let first = world.only().causes[0].clone();
    assert_eq!((first.rule_id.as_str(), first.confidence), ("dependency-scaled-to-zero", Established));
    world.set_time(20);
    world.upsert_all(db.objects());
    world.upsert_all([db.pod("d", status::ready(15)), db.endpoints(&[true])]);
    world.look_at(20);
    let now = &world.only().causes[0];
    assert_eq!((now.rule_id.as_str(), &now.entity), (first.rule_id.as_str(), &first.entity), "{}", now.statement);
}

/// A release of who only meets the fault comes first, the change that breaks it a moment later.
#[test]
fn who_was_suspected_while_less_was_known_is_cleared_and_nothing_is_advised_for_it() {
    let written = |by: &str, when: i64, fields: Value| {
        let mut out =
            json!({"metadata": {"managedFields": [{"manager": by, "operation": "Update", "time": at(when)}]}});
        merge(&mut out, &fields);
        out
    };
    let release = |n: &str| {
        checkout().container(json!({
            "env": [{"name": "RELEASE", "value": n}],
            "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 5, "failureThreshold": 2},
        }))
    };
    let db = |replicas: i32| App::deployment("shop/db").replicas(replicas);
    let mut world = world(&release("118"), []);
    world.upsert_all(db(1).objects());
    world.upsert_all([db(1).service(json!({})), db(1).endpoints(&[true])]);
    world.set_time(-50);
    world.upsert(release("119").top(written("release-bot", -50, json!({}))));
    world.set_time(-45);
    world.upsert_all([db(0).top(written("cleanup", -45, json!({}))), db(0).endpoints(&[])]);
    let pod = release("119").pod("a", status::unready(-40));
    world.upsert(pod.clone());
    let told = "Readiness probe failed: HTTP probe failed with statuscode: 503";
    world.upsert(event(&pod, "Warning", "Unhealthy", told, -38, -1, 9));
    world.look_at(60);
    let suspects = |world: &World| -> Vec<String> {
        let changes = world.only().changes.iter().filter(|c| c.suspect);
        changes.map(|c| c.change.who.clone().unwrap_or_default()).collect()
    };
    let trigger = |world: &World| world.only().labelled("trigger").map(|e| e.text.clone()).unwrap_or_default();
    assert_eq!(suspects(&world), ["release-bot"]);
    assert!(trigger(&world).contains("release-bot"));
    assert!(world.only().advised().any(|a| a.draft.command.contains("rollout undo")));
    let ids: Vec<String> = world.only().actions.iter().map(|a| a.id.clone()).collect();

    world.log(&pod, "app", 0, &["Error: connect ECONNREFUSED db:80"; 3].join("\n"));
    world.look_at(75);
    assert_eq!(world.only().causes[0].entity.key(), "Deployment/shop/db", "{}", world.only().causes[0].statement);
    assert_eq!(suspects(&world), ["cleanup"]);
    assert!(trigger(&world).contains("cleanup"), "{}", trigger(&world));
    assert_eq!(world.only().timeline.iter().filter(|e| e.label.as_deref() == Some("trigger")).count(), 1);
    let first = world.only().advised().next().expect("a step").draft.clone();
    assert_eq!(first.target.key(), "Deployment/shop/db", "{}", first.command);
    assert!(!world.only().advised().any(|a| a.draft.command.contains("rollout undo")));
    // Nothing that was said of them loses what it speaks of.
    assert!(ids.iter().all(|id| world.only().actions.iter().any(|a| &a.id == id)));
}
