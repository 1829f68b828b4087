//! Kinds of extensions that are read only in part: what nobody looked at is neither missing nor well again.

use super::support::*;
use afterwatch_core::{
    incident::State,
    object::{Kind, Object},
    observation::{Fact, Part, Partly},
};
use afterwatch_testkit::World;

const CERTIFICATES: &str = "cert-manager.io/v1";

fn custom(kind: &str, namespace: Option<&str>, name: &str, fields: Value) -> Object {
    let mut value = json!({
        "apiVersion": CERTIFICATES, "kind": kind, "resource": format!("{}s", kind.to_lowercase()),
        "metadata": {"name": name, "namespace": namespace, "uid": format!("{kind}-{name}"), "generation": 1, "creationTimestamp": at(-3600)},
    });
    merge(&mut value, &fields);
    Object::from_value(Kind::CustomResource, value).unwrap()
}

fn says(status: &str, message: &str) -> Value {
    let condition = json!({"type": "Ready", "status": status, "reason": "Said", "message": message, "lastTransitionTime": at(-600)});
    json!({"status": {"observedGeneration": 1, "conditions": [condition]}})
}

/// A certificate that waits for an Issuer, beside another Issuer.
fn waiting() -> Vec<Object> {
    let mut fields = says("False", "Referenced \"Issuer\" not found: issuer.cert-manager.io \"letsencrypt\" not found");
    merge(&mut fields, &json!({"spec": {"secretName": "tls", "issuerRef": {"kind": "Issuer", "name": "letsencrypt"}}}));
    vec![
        custom("Certificate", Some("shop"), "shop-tls", fields),
        custom("Issuer", Some("shop"), "other", says("True", "")),
    ]
}

/// What a look at all of them brought.
fn look(world: &mut World, partly: &[(&str, Part)], objects: Vec<Object>) {
    let only = |(kind, read): &(&str, Part)| Partly {
        group: "cert-manager.io".into(),
        kind: (*kind).to_owned(),
        read: read.clone(),
    };
    let kinds = partly.iter().map(only).collect();
    world.apply(Fact::Partly { kinds, count: 0, message: String::new() });
    world.list(Kind::CustomResource, objects);
}

#[test]
fn an_issuer_that_may_be_where_nobody_looked_is_not_called_missing() {
    let within = |name: &str| Part::Within(vec![name.to_owned()]);
    for (partly, missing) in [
        (vec![], true),
        (vec![("Issuer", within("shop"))], true),
        (vec![("Issuer", within("stock"))], false),
        (vec![("Issuer", Part::First)], false),
        (vec![("Issuer", Part::Nothing)], false),
        (vec![("", Part::Nothing)], false),
        (vec![("Order", Part::Nothing)], true),
    ] {
        let mut world = World::new();
        look(&mut world, &partly, waiting());
        let fault = world.diagnose().faults.pop().unwrap();
        assert_eq!(fault.causes[0].rule_id == "custom-resource-needs-missing", missing, "{partly:?}");
    }
}

/// Nothing of them is there any more, each minute of these seconds, as far as it is read.
fn looks(world: &mut World, seconds: std::ops::Range<i64>, partly: &[(&str, Part)]) {
    for second in seconds.step_by(60) {
        world.set_time(second);
        look(world, partly, Vec::new());
        world.look();
    }
}

#[test]
fn what_is_not_read_is_not_well_again() {
    let mut world = World::new();
    look(&mut world, &[], waiting());
    world.look_at(0);
    world.look_at(60);
    assert_eq!(world.only().state, State::Open);
    looks(&mut world, 120..2_000, &[("Certificate", Part::Nothing)]);
    assert_eq!(world.only().state, State::Open, "it stays as it was");
    assert!(world.index.all(Kind::CustomResource).count() == 1, "the Issuer is gone, the certificate is not read");
    // It can be read again, and is not there any more.
    looks(&mut world, 2_000..4_000, &[]);
    assert!(world.incidents().iter().all(|i| i.state == State::Resolved));
}

#[test]
fn an_incident_from_before_is_not_ended_by_a_kind_that_could_never_be_read() {
    let mut before = World::new();
    look(&mut before, &[], waiting());
    before.look_at(0);
    before.look_at(60);
    let mut world = World::new();
    world.ledger = before.ledger.clone();
    looks(&mut world, 120..2_000, &[("", Part::Nothing)]);
    assert_eq!(world.only().state, State::Open);
}
