//! Webhooks and aggregated APIs without anybody behind them.

use super::support::*;
use afterwatch_core::{
    coverage::UnreadableReason,
    object::{Kind, Object},
    severity::Severity::Low,
};
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[
    ("webhook-backend-down", a_webhook_whose_service_does_not_exist_is_found),
    ("aggregated-api-down", an_api_whose_service_does_not_exist_is_found),
];

const HOOK: Expect = Expect {
    rule: "webhook-backend-down",
    object: "ValidatingWebhookConfiguration//policy",
    subject: "ValidatingWebhookConfiguration//policy",
    cause: "webhook-backend-down",
    entity: "Service/guard/policy-webhook?",
    severity: High,
    ..CHECKOUT
};

fn hook(fields: Value) -> Value {
    let mut value = json!({
        "name": "check.policy.test",
        "clientConfig": {"service": {"namespace": "guard", "name": "policy-webhook", "port": 443}},
        "failurePolicy": "Fail",
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
    });
    merge(&mut value, &fields);
    value
}

fn configuration(hooks: &[Value]) -> Object {
    object("ValidatingWebhookConfiguration policy", json!({"webhooks": hooks}))
}

/// The webhook and nothing behind it.
fn alone(fields: Value) -> World {
    let mut world = World::new();
    world.upsert_all([object("Namespace shop", json!({})), object("Namespace guard", json!({}))]);
    world.upsert(configuration(&[hook(fields)]));
    world
}

/// The webhook with its Service and Deployment, whose pod is like this.
fn served(service: Value, pods: &[Value]) -> World {
    let app = App::deployment("guard/policy-webhook");
    let mut world = alone(json!({}));
    let pods: Vec<Object> = pods.iter().enumerate().map(|(i, s)| app.pod(&i.to_string(), s.clone())).collect();
    world.run(&app, pods.clone());
    let mut port = json!({"spec": {"ports": [{"name": "https", "port": 443, "targetPort": 9443}]}});
    merge(&mut port, &service);
    let ready: Vec<bool> = pods.iter().map(|o| matches!(o, Object::Pod(p) if p.ready())).collect();
    world.upsert_all([app.service(port), app.endpoints(&ready)]);
    world
}

#[test]
fn a_webhook_whose_service_does_not_exist_is_found() {
    let fault = check(
        &alone(json!({})),
        Expect {
            says: &[
                "policy-webhook",
                "guard",
                "does not exist",
                "check.policy.test",
                "CREATE of pods",
                "failurePolicy Fail",
            ],
            ..HOOK
        },
    );
    assert!(fault.actions.iter().any(|a| a.command.contains("kubectl edit validatingwebhookconfiguration/policy")));
}

#[test]
fn a_mutating_webhook_is_no_different_and_both_are_one_fault() {
    let mut world = alone(json!({}));
    world.upsert(object("MutatingWebhookConfiguration policy", json!({"webhooks": [hook(json!({}))]})));
    let fault = check(&world, Expect { subject: "Service/guard/policy-webhook", ..HOOK });
    assert_eq!(fault.findings.len(), 2);
}

#[test]
fn a_new_webhook_waits_for_its_service() {
    let mut world = World::new();
    let mut made = configuration(&[hook(json!({}))]);
    made.meta_mut().creation_timestamp = Some(t(0));
    world.upsert(made);
    held(&mut world, 0, 15);
}

#[test]
fn a_webhook_that_is_ignored_or_called_elsewhere_is_silent() {
    silent(&alone(json!({"failurePolicy": "Ignore"})));
    silent(&alone(json!({"clientConfig": {"service": null, "url": "https://hooks.example.com"}})));
    // Only deletions are asked about.
    silent(&alone(json!({"rules": [{"apiGroups": [""], "operations": ["DELETE"], "resources": ["pods"]}]})));
}

#[test]
fn a_webhook_that_selects_no_namespace_or_object_opens_nothing() {
    patient(&alone(json!({"namespaceSelector": {"matchLabels": {"policy": "on"}}})));
    patient(&alone(json!({"objectSelector": {"matchLabels": {"inject": "true"}}})));
    let mut world = alone(json!({"namespaceSelector": {"matchLabels": {"policy": "on"}}}));
    world.upsert(object("Namespace shop", json!({"metadata": {"labels": {"policy": "on"}}})));
    check(&world, HOOK);
    let by_name = json!({"namespaceSelector": {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["shop"]}]}});
    check(&alone(by_name), HOOK);
}

#[test]
fn how_bad_it_is_depends_on_what_is_asked_about() {
    let about = |group: &str, resource: &str| {
        alone(json!({"rules": [{"apiGroups": [group], "operations": ["CREATE"], "resources": [resource]}]}))
    };
    check(&about("apps", "deployments"), HOOK);
    check(&about("*", "*"), HOOK);
    check(&about("", "services"), Expect { severity: Medium, ..HOOK });
    check(&about("stable.example.com", "certificates"), Expect { severity: Low, ..HOOK });
}

#[test]
fn a_webhook_that_answers_is_silent_and_so_is_what_may_not_be_listed() {
    silent(&served(json!({}), &[status::ready(-600)]));
    let mut world = alone(json!({}));
    world.lose(Kind::Service, UnreadableReason::Forbidden);
    silent(&world);
}

#[test]
fn a_webhook_on_a_port_that_its_service_does_not_have_is_its_own_fault() {
    let world = served(
        json!({"spec": {"ports": [{"name": "https", "port": 8443, "targetPort": 9443}]}}),
        &[status::ready(-600)],
    );
    check(
        &world,
        Expect {
            entity: "ValidatingWebhookConfiguration//policy",
            field: "webhooks[check.policy.test].clientConfig.service.port",
            says: &["no port 443", "https (8443)"],
            ..HOOK
        },
    );
}

#[test]
fn a_webhook_whose_workload_is_scaled_to_zero_is_that_workloads_fault() {
    let mut world = served(json!({}), &[]);
    world.upsert(App::deployment("guard/policy-webhook").replicas(0).top(json!({})));
    world.set_time(30);
    check(
        &world,
        Expect {
            entity: "Deployment/guard/policy-webhook",
            field: "spec.replicas",
            says: &["scaled to 0", "policy-webhook"],
            ..HOOK
        },
    );
}

#[test]
fn a_webhook_whose_pods_fail_joins_their_incident() {
    let world = served(json!({}), &[status::backing_off(1, "Error", 4, -60)]);
    let fault = &world.diagnose().faults;
    assert_eq!(fault.len(), 1, "one fault");
    assert_eq!(fault[0].subject.key(), "Deployment/guard/policy-webhook");
    let rules: Vec<&str> = fault[0].findings.iter().map(|f| f.rule_id.as_str()).collect();
    assert!(rules.contains(&"container-crash-loop") && rules.contains(&"webhook-backend-down"), "{rules:?}");
    assert_ne!(fault[0].causes[0].rule_id, "webhook-backend-down", "the pods say why");
}

#[test]
fn pods_of_a_webhook_that_are_only_starting_are_waited_for() {
    let mut world = served(json!({}), &[status::unready(-5)]);
    ordinary(&mut world, -5, 30);
    check(
        &world,
        Expect {
            subject: "Deployment/guard/policy-webhook",
            entity: "Deployment/guard/policy-webhook",
            says: &["none of the 1 pod"],
            ..HOOK
        },
    );
}

const API: Expect = Expect {
    rule: "aggregated-api-down",
    object: "APIService//v1beta1.metrics.k8s.io",
    subject: "APIService//v1beta1.metrics.k8s.io",
    cause: "aggregated-api-down",
    entity: "Service/kube-system/metrics-server?",
    severity: Medium,
    ..CHECKOUT
};

fn api(status: &str, reason: &str, message: &str, since: i64) -> Object {
    object(
        "APIService v1beta1.metrics.k8s.io",
        json!({
            "spec": {"group": "metrics.k8s.io", "version": "v1beta1", "service": {"namespace": "kube-system", "name": "metrics-server", "port": 443}},
            "status": {"conditions": [{"type": "Available", "status": status, "reason": reason, "message": message, "lastTransitionTime": at(since)}]},
        }),
    )
}

#[test]
fn an_api_whose_service_does_not_exist_is_found() {
    let mut world = World::new();
    world.upsert(api("False", "ServiceNotFound", "service/metrics-server in \"kube-system\" is not present", -30));
    check(
        &world,
        Expect { says: &["metrics-server", "does not exist", "metrics.k8s.io/v1beta1", "ServiceNotFound"], ..API },
    );
}

#[test]
fn an_api_that_is_available_or_served_by_the_server_itself_is_silent() {
    let mut world = World::new();
    world.upsert(api("True", "Passed", "all checks passed", -30));
    world.upsert(object(
        "APIService v1.apps",
        json!({"spec": {"group": "apps", "version": "v1"}, "status": {"conditions": [{"type": "Available", "status": "True", "reason": "Local"}]}}),
    ));
    silent(&world);
}

#[test]
fn an_api_whose_server_starts_is_waited_for() {
    let app = App::deployment("kube-system/metrics-server");
    let mut world = world(&app, [app.pod("a", status::unready(0))]);
    world.upsert_all([
        app.service(json!({"spec": {"ports": [{"port": 443, "targetPort": 10250}]}})),
        app.endpoints(&[false]),
    ]);
    world.upsert(api("False", "MissingEndpoints", "endpoints for service/metrics-server have no addresses", 0));
    ordinary(&mut world, 0, 45);
    check(
        &world,
        Expect {
            subject: "Deployment/kube-system/metrics-server",
            entity: "Deployment/kube-system/metrics-server",
            severity: High,
            says: &["MissingEndpoints", "none of the 1 pod"],
            ..API
        },
    );
}

#[test]
fn an_api_that_answers_wrongly_is_only_likely_its_own_fault() {
    let app = App::deployment("kube-system/metrics-server");
    let mut world = world(&app, [app.pod("a", status::ready(-600))]);
    world.upsert_all([
        app.service(json!({"spec": {"ports": [{"port": 443, "targetPort": 10250}]}})),
        app.endpoints(&[true]),
    ]);
    world.upsert(api(
        "False",
        "FailedDiscoveryCheck",
        "failing or missing response from https://10.0.0.7:443: x509: certificate signed by unknown authority",
        -60,
    ));
    check(
        &world,
        Expect {
            entity: "APIService//v1beta1.metrics.k8s.io",
            verdict: Likely,
            says: &["FailedDiscoveryCheck", "x509", "metrics-server"],
            ..API
        },
    );
}

#[test]
fn two_apis_of_a_server_that_answers_wrongly_do_not_make_it_missing() {
    let app = App::deployment("kube-system/metrics-server");
    let mut world = world(&app, [app.pod("a", status::ready(-600))]);
    let port = json!({"spec": {"ports": [{"port": 443, "targetPort": 10250}]}});
    world.upsert_all([app.service(port), app.endpoints(&[true])]);
    let first = api("False", "FailedDiscoveryCheck", "x509: certificate has expired", -60);
    let mut second = first.clone();
    if let Object::APIService(a) = &mut second {
        (a.metadata.name, a.metadata.uid, a.spec.version) = ("v1.metrics.k8s.io".into(), "v1".into(), "v1".into());
    }
    world.upsert_all([first, second]);
    for fault in world.diagnose().faults {
        assert!(!fault.causes[0].statement.contains("does not exist"), "{}", fault.causes[0].statement);
        assert_eq!(fault.causes[0].entity.kind, "APIService");
    }
}

#[test]
fn a_namespace_that_cannot_go_because_of_it_makes_it_worse_and_is_named() {
    let mut world = World::new();
    world.upsert(api("False", "ServiceNotFound", "not present", -60));
    world.upsert(object(
        "Namespace old",
        json!({
            "metadata": {"deletionTimestamp": at(-50)},
            "status": {"phase": "Terminating", "conditions": [{"type": "NamespaceDeletionDiscoveryFailure", "status": "True", "reason": "DiscoveryFailed"}]},
        }),
    ));
    let faults = world.diagnose().faults;
    let fault =
        faults.iter().find(|f| f.causes.first().is_some_and(|c| c.rule_id == "aggregated-api-down")).expect("found");
    assert_eq!(fault.severity, High);
    says(&fault.causes[0], &["cannot be deleted: old"]);
}

#[test]
fn an_api_whose_pods_fail_joins_their_incident() {
    let app = App::deployment("kube-system/metrics-server");
    let mut world = world(&app, [app.pod("a", status::waiting("ImagePullBackOff", "Back-off pulling image", -120))]);
    world.upsert_all([
        app.service(json!({"spec": {"ports": [{"port": 443, "targetPort": 10250}]}})),
        app.endpoints(&[false]),
    ]);
    world.upsert(api("False", "MissingEndpoints", "no addresses", -120));
    let faults = world.diagnose().faults;
    assert_eq!(faults.len(), 1, "{:?}", faults.iter().map(|f| &f.title).collect::<Vec<_>>());
    assert_eq!(faults[0].subject.key(), "Deployment/kube-system/metrics-server");
    assert!(faults[0].findings.iter().any(|f| f.rule_id == "aggregated-api-down"));
}
