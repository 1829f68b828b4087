//! Autoscalers that cannot do their work, and those that only wait.

use super::support::*;
use afterwatch_core::{object::Object, severity::Severity::Low};
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[
    ("autoscaler-blind", containers_without_a_request_blind_an_autoscaler),
    ("autoscaler-target-wrong", a_target_that_does_not_exist_is_found),
    ("autoscaler-at-maximum", an_autoscaler_that_stays_at_its_maximum_is_told_low),
];

const BLIND: Expect = Expect {
    rule: "autoscaler-blind",
    object: "HorizontalPodAutoscaler/shop/checkout",
    cause: "requests-missing-for-autoscaling",
    field: "spec.template.spec.containers[app].resources.requests.cpu",
    severity: Medium,
    ..CHECKOUT
};

fn active(reason: &str, message: &str, since: i64) -> Value {
    json!({"type": "ScalingActive", "status": "False", "reason": reason, "message": message, "lastTransitionTime": at(since)})
}

fn hpa(name: &str, conditions: &[Value], fields: Value) -> Object {
    let mut value = json!({
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"},
            "minReplicas": 2, "maxReplicas": 5,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}],
        },
        "status": {"conditions": conditions},
    });
    merge(&mut value, &fields);
    object(&format!("HorizontalPodAutoscaler shop/{name}"), value)
}

fn requesting() -> App {
    checkout().container(json!({"resources": {"requests": {"cpu": "100m"}}}))
}

/// The workload with one ready pod, its autoscaler, and the metrics API.
fn scaled(app: &App, autoscaler: Object) -> World {
    let mut world = world(app, [app.pod("a", status::ready(-600))]);
    world.upsert(object(
        "APIService v1beta1.metrics.k8s.io",
        json!({"spec": {"group": "metrics.k8s.io", "version": "v1beta1"}, "status": {"conditions": [{"type": "Available", "status": "True"}]}}),
    ));
    world.upsert(autoscaler);
    world
}

const MISSING: &str = "the HPA was unable to compute the replica count: failed to get cpu utilization: missing request for cpu in container app of Pod checkout-r1-a";

#[test]
fn containers_without_a_request_blind_an_autoscaler() {
    let world = scaled(&checkout(), hpa("checkout", &[active("FailedGetResourceMetric", MISSING, -60)], json!({})));
    let fault = check(&world, Expect { says: &["Container app", "no cpu request", "checkout", "70%"], ..BLIND });
    assert!(fault.actions.iter().any(|a| a.command.contains("deployment/checkout")));
}

#[test]
fn a_missing_request_is_proven_at_once() {
    let mut world = scaled(&checkout(), hpa("checkout", &[active("FailedGetResourceMetric", MISSING, 0)], json!({})));
    held(&mut world, 0, 15);
}

#[test]
fn of_several_containers_the_one_without_a_request_is_named() {
    let side = json!({"name": "proxy", "image": "p"});
    let mut app = requesting();
    app = app.spec(json!({"containers": [
        {"name": "app", "image": "a", "resources": {"requests": {"cpu": "100m"}}}, side]}));
    let world = scaled(&app, hpa("checkout", &[active("FailedGetResourceMetric", MISSING, -60)], json!({})));
    check(
        &world,
        Expect { field: "spec.template.spec.containers[proxy].resources.requests.cpu", says: &["proxy"], ..BLIND },
    );
}

#[test]
fn the_containers_own_metric_asks_for_its_own_request_only() {
    let containers = json!({"containers": [{"name": "app", "image": "a", "resources": {"requests": {"memory": "64Mi"}}}, {"name": "proxy", "image": "p"}]});
    let metric = json!({"spec": {"metrics": [{"type": "ContainerResource", "containerResource": {"name": "memory", "container": "app", "target": {"type": "Utilization", "averageUtilization": 60}}}]}});
    let no_metrics = active("FailedGetContainerResourceMetric", "no metrics returned from resource metrics API", -30);
    patient(&scaled(
        &checkout().spec(containers.clone()),
        hpa("checkout", std::slice::from_ref(&no_metrics), metric.clone()),
    ));
    let other = json!({"spec": {"metrics": [{"type": "ContainerResource", "containerResource": {"name": "memory", "container": "proxy", "target": {"type": "Utilization", "averageUtilization": 60}}}]}});
    check(
        &scaled(&checkout().spec(containers), hpa("checkout", &[no_metrics], other)),
        Expect { field: "spec.template.spec.containers[proxy].resources.requests.memory", says: &["memory"], ..BLIND },
    );
}

#[test]
fn an_absolute_target_needs_no_request() {
    let metric = json!({"spec": {"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "AverageValue", "averageValue": "500m"}}}]}});
    let well = json!({"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound"});
    silent(&scaled(&checkout(), hpa("checkout", &[well], metric)));
}

#[test]
fn a_healthy_autoscaler_and_one_of_a_sleeping_workload_are_silent() {
    let well = json!({"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound"});
    silent(&scaled(&requesting(), hpa("checkout", &[well], json!({}))));
    silent(&scaled(&requesting(), hpa("checkout", &[], json!({}))));
    let off = active("ScalingDisabled", "scaling is disabled since the replica count of the target is zero", -60);
    silent(&scaled(&checkout(), hpa("checkout", &[off], json!({}))));
}

const FRESH: &str = "the HPA was unable to compute the replica count: failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API";

#[test]
fn metrics_of_fresh_pods_are_waited_for() {
    let app = requesting();
    let mut world = scaled(&app, hpa("checkout", &[active("FailedGetResourceMetric", FRESH, 0)], json!({})));
    world.upsert(app.pod_with("a", status::ready(0), json!({"metadata": {"creationTimestamp": at(0)}})));
    ordinary(&mut world, 0, 180);
    check(
        &world,
        Expect {
            subject: "HorizontalPodAutoscaler/shop/checkout",
            entity: "HorizontalPodAutoscaler/shop/checkout",
            cause: "metrics-missing",
            field: "",
            verdict: Possible,
            says: &["no metrics returned"],
            ..BLIND
        },
    );
}

#[test]
fn pods_that_are_not_ready_have_no_metrics_and_it_is_their_affair() {
    let app = requesting();
    let mut world = scaled(
        &app,
        hpa(
            "checkout",
            &[active(
                "FailedGetResourceMetric",
                "did not receive metrics for targeted pods (pods might be unready)",
                -600,
            )],
            json!({}),
        ),
    );
    world.upsert(app.pod("a", status::unready(-600)));
    silent(&world);
    world.upsert(app.pod("a", status::backing_off(1, "Error", 5, -30)));
    world.refuse_logs();
    let faults = world.diagnose().faults;
    assert_eq!(faults.len(), 1);
    assert!(faults[0].findings.iter().any(|f| f.rule_id == "autoscaler-blind"), "it joins");
}

const NO_API: &str = "unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)";

fn without_api() -> World {
    let app = requesting();
    let mut world = world(&app, [app.pod("a", status::ready(-600))]);
    world.upsert(hpa("checkout", &[active("FailedGetResourceMetric", NO_API, -60)], json!({})));
    world
}

const NO_METRICS_API: Expect = Expect {
    subject: "HorizontalPodAutoscaler/shop/checkout",
    cause: "metrics-api-missing",
    entity: "APIService//v1beta1.metrics.k8s.io?",
    field: "",
    ..BLIND
};

#[test]
fn a_cluster_without_metrics_is_told_once_for_every_autoscaler() {
    let mut world = without_api();
    check(&world, Expect { says: &["metrics.k8s.io", "does not exist", "cpu"], ..NO_METRICS_API });
    let other = App::deployment("shop/cart").container(json!({"resources": {"requests": {"cpu": "1"}}}));
    world.run(&other, [other.pod("a", status::ready(-600))]);
    let target = json!({"spec": {"scaleTargetRef": {"name": "cart"}}});
    world.upsert(hpa("cart", &[active("FailedGetResourceMetric", NO_API, -60)], target));
    let fault = check(&world, Expect { subject: "APIService//v1beta1.metrics.k8s.io", ..NO_METRICS_API });
    assert_eq!(fault.findings.len(), 2);
}

#[test]
fn a_metrics_server_that_is_down_is_one_fault_with_its_autoscalers() {
    let mut world = without_api();
    world.upsert(object(
        "APIService v1beta1.metrics.k8s.io",
        json!({
            "spec": {"group": "metrics.k8s.io", "version": "v1beta1", "service": {"namespace": "kube-system", "name": "metrics-server", "port": 443}},
            "status": {"conditions": [{"type": "Available", "status": "False", "reason": "ServiceNotFound", "message": "service/metrics-server is not present", "lastTransitionTime": at(-60)}]},
        }),
    ));
    let faults = world.diagnose().faults;
    assert_eq!(faults.len(), 1, "{:?}", faults.iter().map(|f| &f.title).collect::<Vec<_>>());
    assert_eq!(faults[0].causes[0].entity.key(), "Service/kube-system/metrics-server");
    assert_eq!(faults[0].severity, High);
    assert!(faults[0].causes.iter().any(|c| c.statement.contains("Autoscalers without metrics: checkout")));
}

#[test]
fn a_missing_request_goes_before_a_missing_api() {
    let app = checkout();
    let mut world = world(&app, [app.pod("a", status::ready(-600))]);
    world.upsert(hpa("checkout", &[active("FailedGetResourceMetric", NO_API, -60)], json!({})));
    check(&world, BLIND);
}

#[test]
fn a_metric_nobody_serves_is_named() {
    let metric = json!({"spec": {"metrics": [{"type": "External", "external": {"metric": {"name": "queue_length"}, "target": {"type": "AverageValue", "averageValue": "30"}}}]}});
    let said = "unable to get external metric shop/queue_length/nil: unable to fetch metrics from external metrics API: the server could not find the requested resource (get queue_length.external.metrics.k8s.io)";
    let world = scaled(&requesting(), hpa("checkout", &[active("FailedGetExternalMetric", said, -60)], metric));
    check(
        &world,
        Expect {
            subject: "HorizontalPodAutoscaler/shop/checkout",
            entity: "HorizontalPodAutoscaler/shop/checkout",
            cause: "metrics-api-missing",
            field: "spec.metrics",
            says: &["queue_length", "external.metrics.k8s.io", "does not exist"],
            ..BLIND
        },
    );
}

#[test]
fn a_metric_that_its_api_does_not_know_is_likely_misspelt() {
    let metric = json!({"spec": {"metrics": [{"type": "Pods", "pods": {"metric": {"name": "requests_per_sec"}, "target": {"type": "AverageValue", "averageValue": "100"}}}]}});
    let said = "unable to get metric requests_per_sec: unable to fetch metrics from custom metrics API: the server could not find the metric requests_per_sec for pods";
    let mut world = scaled(&requesting(), hpa("checkout", &[active("FailedGetPodsMetric", said, 0)], metric));
    world.upsert(object(
        "APIService v1beta2.custom.metrics.k8s.io",
        json!({"spec": {"group": "custom.metrics.k8s.io", "version": "v1beta2"}}),
    ));
    ordinary(&mut world, 0, 180);
    check(
        &world,
        Expect {
            subject: "HorizontalPodAutoscaler/shop/checkout",
            entity: "HorizontalPodAutoscaler/shop/checkout",
            cause: "metric-missing",
            field: "spec.metrics",
            verdict: Likely,
            says: &["requests_per_sec", "custom.metrics.k8s.io"],
            ..BLIND
        },
    );
}

const TARGET: Expect = Expect {
    rule: "autoscaler-target-wrong",
    object: "HorizontalPodAutoscaler/shop/checkout",
    subject: "HorizontalPodAutoscaler/shop/checkout",
    entity: "HorizontalPodAutoscaler/shop/checkout",
    cause: "autoscaler-target-missing",
    field: "spec.scaleTargetRef.name",
    severity: Medium,
    ..CHECKOUT
};

#[test]
fn a_target_that_does_not_exist_is_found() {
    let wrong = json!({"spec": {"scaleTargetRef": {"name": "chekout"}}});
    let fault = check(
        &scaled(&requesting(), hpa("checkout", &[], wrong)),
        Expect { says: &["Deployment chekout", "does not exist", "There is checkout"], ..TARGET },
    );
    assert_eq!(fault.causes[0].referrer.as_ref().map(|r| r.name.as_str()), Some("chekout"));
}

#[test]
fn an_autoscaler_waits_for_its_workload() {
    let mut world = World::new();
    world.upsert(hpa("checkout", &[], json!({"metadata": {"creationTimestamp": at(0)}})));
    held(&mut world, 0, 15);
}

#[test]
fn a_target_of_another_kind_is_believed_to_be_there_unless_the_controller_says_no() {
    let target = json!({"spec": {"scaleTargetRef": {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "checkout"}}});
    silent(&scaled(&requesting(), hpa("checkout", &[], target.clone())));
    let said = json!({"type": "AbleToScale", "status": "False", "reason": "FailedGetScale", "message": "no matches for kind \"Rollout\"", "lastTransitionTime": at(-60)});
    check(&scaled(&requesting(), hpa("checkout", &[said], target)), Expect { says: &["Rollout checkout"], ..TARGET });
}

#[test]
fn two_autoscalers_of_one_workload_are_in_conflict_and_the_younger_is_told() {
    let mut world = scaled(&requesting(), hpa("checkout", &[], json!({})));
    let ambiguous = active("AmbiguousSelector", "pods by selector app=checkout are controlled by multiple HPAs", -60);
    world.upsert(hpa("checkout-v2", &[ambiguous], json!({"metadata": {"creationTimestamp": at(-120)}})));
    check(
        &world,
        Expect {
            object: "HorizontalPodAutoscaler/shop/checkout-v2",
            subject: "HorizontalPodAutoscaler/shop/checkout-v2",
            entity: "HorizontalPodAutoscaler/shop/checkout-v2",
            cause: "autoscalers-conflict",
            field: "spec.scaleTargetRef",
            says: &["Deployment checkout", "checkout and checkout-v2", "AmbiguousSelector"],
            ..TARGET
        },
    );
}

fn at_maximum(percent: u32, since: i64) -> World {
    let limited = json!({"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas", "lastTransitionTime": at(since)});
    let well = json!({"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound"});
    let now = json!({"status": {"currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": percent}}}]}});
    scaled(&requesting(), hpa("checkout", &[limited, well], now))
}

#[test]
fn an_autoscaler_that_stays_at_its_maximum_is_told_low() {
    check(
        &at_maximum(140, -1000),
        Expect {
            rule: "autoscaler-at-maximum",
            entity: "HorizontalPodAutoscaler/shop/checkout",
            cause: "autoscaler-maximum-too-low",
            field: "spec.maxReplicas",
            verdict: Likely,
            severity: Low,
            says: &["5 replicas", "140%", "70%"],
            ..BLIND
        },
    );
}

#[test]
fn a_peak_at_the_maximum_and_a_metric_near_its_target_are_silent() {
    silent(&at_maximum(140, -300));
    silent(&at_maximum(75, -2000));
}

#[test]
fn a_target_in_a_version_that_is_not_served_is_found() {
    let condition = json!({"type": "AbleToScale", "status": "False", "reason": "FailedGetScale", "lastTransitionTime": at(-60),
        "message": "the HPA controller was unable to get the target's current scale: no matches for kind \"Deployment\" in group \"extensions\""});
    let target = json!({"spec": {"scaleTargetRef": {"apiVersion": "extensions/v1beta1"}}});
    check(
        &scaled(&requesting(), hpa("checkout", &[condition], target)),
        Expect {
            rule: "autoscaler-target-wrong",
            cause: "autoscaler-target-missing",
            entity: "HorizontalPodAutoscaler/shop/checkout",
            subject: "HorizontalPodAutoscaler/shop/checkout",
            field: "spec.scaleTargetRef.apiVersion",
            says: &["extensions/v1beta1", "Deployment"],
            ..BLIND
        },
    );
}
