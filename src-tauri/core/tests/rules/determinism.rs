//! The same observations always give the same diagnosis, in whatever order independent ones arrive.

use super::support::*;
use afterwatch_core::{
    correlate::Diagnosis,
    object::{Kind, Object},
    observation::{Fact, LogRead, LogWant},
};
use afterwatch_testkit::World;
use proptest::prelude::*;

/// A cluster with several things wrong at once: facts that do not depend on each other.
fn facts() -> Vec<Fact> {
    let crash = checkout().replicas(2);
    let image = App::deployment("shop/cart").container(json!({"image": "x:9"}));
    let secret = |name: &str| {
        App::deployment(&format!("stock/{name}"))
            .container(json!({"env": [{"name": "T", "valueFrom": {"secretKeyRef": {"name": "pay", "key": "k"}}}]}))
    };
    let no_secret =
        |app: &App| app.pod("a", status::waiting("CreateContainerConfigError", "secret \"pay\" not found", -10));
    let crashed = crash.pod("a", status::crashed(1, "Error", 3, -5));
    let pulled = image.pod("a", status::waiting("ErrImagePull", "x:9: not found", -20));
    let mut objects: Vec<Object> = Vec::new();
    for (app, pods) in [
        (&crash, vec![crashed.clone(), crash.pod("b", status::backing_off(1, "Error", 6, -50))]),
        (&image, vec![pulled.clone()]),
        (&secret("one"), vec![no_secret(&secret("one"))]),
        (&secret("two"), vec![no_secret(&secret("two"))]),
    ] {
        objects.extend(app.objects());
        objects.extend(pods);
        objects.push(app.service(json!({})));
        objects.push(app.endpoints(&[false]));
    }
    objects.push(World::node_since("node-b", "Unknown", -60));
    // A chain: the gate calls the ledger, which calls the vault, which has no memory; and two that call what is asleep
    // and what is not there.
    let vault =
        App::of(Kind::StatefulSet, "bank/vault").container(json!({"resources": {"limits": {"memory": "64Mi"}}}));
    let calls = |name: &str, host: &str| {
        App::deployment(&format!("bank/{name}"))
            .container(json!({"env": [{"name": "URL", "value": format!("http://{host}")}]}))
    };
    let (ledger, gate) = (calls("ledger", "vault"), calls("gate", "ledger"));
    let asleep = App::deployment("bank/nightly").replicas(0);
    let (caller, lost, astray) = (calls("till", "nightly"), calls("atm", "archive"), calls("kiosk", "archive"));
    let mut told_by: Vec<(Object, &str)> = Vec::new();
    for (n, (app, last)) in [
        (&vault, ""),
        (&ledger, "connect to vault:80 failed: connection refused"),
        (&gate, "connect to ledger:80 failed: connection refused"),
        (&caller, "connect to nightly:80 failed: connection refused"),
        (&lost, "lookup archive on 10.96.0.10:53: no such host"),
        (&astray, "lookup archive on 10.96.0.10:53: no such host"),
    ]
    .into_iter()
    .enumerate()
    {
        let status = if last.is_empty() {
            status::crashed(137, "OOMKilled", 3, -90)
        } else {
            status::crashed(1, "Error", 3, -40)
        };
        let pod = app.pod("0", status);
        objects.extend(app.objects());
        objects.push(pod.clone());
        objects.push(app.service(json!({"spec": {"clusterIP": format!("10.0.2.{n}")}})));
        objects.push(app.endpoints(&[false]));
        told_by.push((pod, last));
    }
    objects.extend(asleep.objects());
    objects.push(asleep.service(json!({"spec": {"clusterIP": "10.0.2.99"}})));
    objects.push(asleep.endpoints(&[]));
    objects.push(object("PriorityClass high", json!({"value": 1000})));
    objects.push(object(
        "ValidatingWebhookConfiguration guard",
        json!({"webhooks": [{"name": "guard.bank.test", "clientConfig": {"service": {"namespace": "bank", "name": "ledger"}}, "rules": []}]}),
    ));
    objects.push(object(
        "APIService v1.bank.test",
        json!({"spec": {"group": "bank.test", "version": "v1", "service": {"namespace": "bank", "name": "ledger"}}}),
    ));
    objects.push(event(&pulled, "Warning", "Failed", "Failed to pull image \"x:9\": x:9: not found", -19, -2, 3));
    objects.push(event(&crashed, "Warning", "BackOff", "Back-off restarting failed container app in pod", -90, -2, 7));
    let mut facts: Vec<Fact> = objects.into_iter().map(Fact::Upserted).collect();
    for (pod, restart, text) in
        [(&crashed, 3, "FATAL: password authentication failed for user \"app\""), (&crashed, 2, "starting")]
    {
        let want = LogWant { pod: pod.reference(), container: "app".into(), previous: false, restart };
        facts.push(Fact::Log(LogRead { want, lines: Ok(vec![text.to_owned()]), truncated: false }));
    }
    for (pod, last) in told_by.iter().filter(|(_, last)| !last.is_empty()) {
        let want = LogWant { pod: pod.reference(), container: "app".into(), previous: false, restart: 3 };
        facts.push(Fact::Log(LogRead { want, lines: Ok(vec![(*last).to_owned()]), truncated: false }));
    }
    facts
}

fn told(facts: &[Fact]) -> World {
    let mut world = World::new();
    for fact in facts {
        match fact.clone() {
            // The version says nothing here: every object comes once.
            Fact::Upserted(mut object) => {
                object.meta_mut().resource_version = "7".into();
                world.apply(Fact::Upserted(object));
            }
            other => {
                world.apply(other);
            }
        }
    }
    world
}

fn text(diagnosis: &Diagnosis) -> String {
    format!("{diagnosis:#?}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_independent_observations_decides_nothing(order in Just(facts()).prop_shuffle()) {
        let (a, mut b) = (told(&facts()), told(&order));
        prop_assert_eq!(text(&a.diagnose()), text(&b.diagnose()));
        let mut a = a;
        a.look();
        b.look();
        prop_assert_eq!(a.incidents(), b.incidents());
    }
}

#[test]
fn the_mixture_has_the_faults_it_should_have() {
    let world = told(&facts());
    let mut subjects: Vec<String> = world.diagnose().faults.iter().map(|f| f.subject.key()).collect();
    subjects.sort();
    let expected = [
        "Deployment/bank/till",
        "Deployment/shop/cart",
        "Deployment/shop/checkout",
        "Node//node-b",
        "Secret/stock/pay",
        "Service/bank/archive",
        "StatefulSet/bank/vault",
    ];
    assert_eq!(subjects, expected);
}
