//! What every cluster does and no incident may come of, and faults that look like something else.

use super::support::*;
use afterwatch_core::object::{Kind, Object};
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[("job-kept-running", a_job_that_a_helper_keeps_from_completing_is_found)];

fn killed(pod: &Object, probe: &str, told: i64) -> Object {
    let text = format!("Container app failed {probe} probe, will be restarted");
    event(pod, "Normal", "Killing", &text, told, told, 1)
}

#[test]
fn an_init_container_that_succeeded_in_the_end_is_well_however_often_it_tried() {
    let app = checkout().spec(json!({"initContainers": [{"name": "wait-for-db", "image": "m:1"}]}));
    let mut state = status::ready(-60);
    let ended = json!({"exitCode": 0, "reason": "Completed", "startedAt": at(-65), "finishedAt": at(-62)});
    state["initContainerStatuses"] =
        json!([{"name": "wait-for-db", "restartCount": 4, "ready": true, "state": {"terminated": ended}}]);
    silent(&world(&app, [app.pod("a", state)]));
}

#[test]
fn a_program_that_ends_well_because_its_probe_ended_it_is_no_job() {
    let probe = json!({"httpGet": {"path": "/live", "port": 8080}, "periodSeconds": 5, "failureThreshold": 3});
    let app = checkout().container(json!({"ports": [{"containerPort": 8080}], "livenessProbe": probe}));
    for exit in [0, 137, 143] {
        let pod = app.pod("a", status::backing_off(exit, if exit == 0 { "Completed" } else { "Error" }, 3, -5));
        let mut world = world(&app, [pod.clone()]);
        let unhealthy = "Liveness probe failed: HTTP probe failed with statuscode: 500";
        world.upsert(event(&pod, "Warning", "Unhealthy", unhealthy, -90, -8, 12));
        world.upsert(killed(&pod, "liveness", -7));
        world.log(&pod, "app", 3, "received SIGTERM, shutting down");
        let fault = &world.diagnose().faults[0];
        assert_eq!(fault.causes[0].rule_id, "probe-bad-status", "{exit}: {}", fault.causes[0].statement);
        assert!(fault.causes.iter().all(|c| c.rule_id.starts_with("probe-")), "{:?}", fault.causes);
    }
    // Nobody ended this one: it is done.
    let pod = app.pod("a", status::backing_off(0, "Completed", 3, -5));
    let mut world = world(&app, [pod.clone()]);
    world.log(&pod, "app", 3, "all done");
    assert_eq!(world.diagnose().faults[0].causes[0].rule_id, "container-completes");
}

#[test]
fn a_port_that_nobody_declared_is_not_proven_wrong() {
    let refused = "Liveness probe failed: Get \"http://10.1.0.7:8081/health\": dial tcp 10.1.0.7:8081: connect: connection refused";
    let probe = json!({"httpGet": {"path": "/health", "port": 8081}, "periodSeconds": 5, "failureThreshold": 3});
    let app = checkout().replicas(2).container(json!({"ports": [{"containerPort": 8080}], "livenessProbe": probe}));
    let pod = app.pod("a", status::restarted(143, "Error", 2, -20, -19));
    let told = |world: &mut World, pod: &Object| {
        world.upsert(event(pod, "Warning", "Unhealthy", refused, -90, -22, 12));
        world.upsert(killed(pod, "liveness", -22));
    };
    let mut alone = world(&app, [pod.clone()]);
    told(&mut alone, &pod);
    let cause = &alone.diagnose().faults[0].causes[0];
    assert_eq!((cause.rule_id.as_str(), cause.confidence), ("probe-port-wrong", Likely));
    // Beside it the same port answers.
    let mut beside = world(&app, [pod.clone(), app.pod("b", status::ready(-600))]);
    told(&mut beside, &pod);
    assert_ne!(beside.diagnose().faults[0].causes[0].rule_id, "probe-port-wrong");
    // Its own log says where it listens.
    let mut said = world(&app, [pod.clone()]);
    told(&mut said, &pod);
    said.log(&pod, "app", 2, "Listening on port 8080");
    let cause = &said.diagnose().faults[0].causes[0];
    assert_eq!((cause.rule_id.as_str(), cause.confidence), ("probe-port-wrong", Established));
}

#[test]
fn a_sidecars_probe_is_a_probe() {
    let sidecar = json!({
        "name": "proxy", "image": "p:1", "restartPolicy": "Always",
        "startupProbe": {"httpGet": {"path": "/ready", "port": 15021}, "periodSeconds": 1, "failureThreshold": 10},
    });
    let app = checkout().spec(json!({"initContainers": [sidecar]}));
    let mut state = status::waiting("PodInitializing", "", -60);
    let ended = json!({"exitCode": 0, "reason": "Completed", "startedAt": at(-20), "finishedAt": at(-5)});
    state["initContainerStatuses"] = json!([{"name": "proxy", "restartCount": 3, "started": false,
        "state": {"running": {"startedAt": at(-4)}}, "lastState": {"terminated": ended}}]);
    let pod = app.pod("a", state);
    let mut world = world(&app, [pod.clone()]);
    let failed = "Startup probe failed: HTTP probe failed with statuscode: 500";
    world.upsert(event(&pod, "Warning", "Unhealthy", failed, -60, -6, 30));
    let text = "Container proxy failed startup probe, will be restarted";
    world.upsert(event(&pod, "Normal", "Killing", text, -40, -6, 3));
    let fault = &world.diagnose().faults[0];
    let cause = &fault.causes[0];
    assert!(fault.findings.iter().any(|f| f.rule_id == "startup-failing"), "{:?}", fault.findings);
    assert_eq!(cause.field.as_deref(), Some("spec.template.spec.initContainers[proxy].startupProbe"));
}

#[test]
fn a_sidecar_is_not_blamed_for_the_probe_of_the_program_beside_it() {
    let probe = json!({"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 5});
    let sidecar = json!({"name": "proxy", "image": "p:1", "restartPolicy": "Always", "livenessProbe": probe});
    let app = checkout().container(json!({"livenessProbe": probe})).spec(json!({"initContainers": [sidecar]}));
    let mut state = status::restarted(137, "Error", 3, -12, -10);
    state["initContainerStatuses"] = json!([{"name": "proxy", "restartCount": 0, "started": true, "ready": true,
        "state": {"running": {"startedAt": at(-600)}}}]);
    let pod = app.pod("a", state);
    let mut world = world(&app, [pod.clone()]);
    let failed = "Liveness probe failed: HTTP probe failed with statuscode: 500";
    world.upsert(event(&pod, "Warning", "Unhealthy", failed, -200, -14, 9));
    let text = "Container app failed liveness probe, will be restarted";
    world.upsert(event(&pod, "Normal", "Killing", text, -190, -14, 3));
    let faults = world.diagnose().faults;
    let parts: Vec<&str> = faults
        .iter()
        .flat_map(|f| &f.findings)
        .filter(|f| f.rule_id == "liveness-failing")
        .map(|f| f.part.as_str())
        .collect();
    assert_eq!(parts, ["app"]);
}

#[test]
fn a_registry_that_fails_many_is_one_fault() {
    let limited = "failed to pull and unpack image \"docker.io/library/x:1\": 429 Too Many Requests: toomanyrequests: You have reached your pull rate limit";
    let mut world = World::new();
    let apps = ["shop/web", "shop/api", "stock/web"].map(App::deployment);
    for app in &apps {
        let pod = app.pod("a", status::waiting("ImagePullBackOff", limited, -30));
        world.run(app, [pod.clone()]);
        world.upsert(event(&pod, "Warning", "Failed", &format!("Failed to pull image \"x:1\": {limited}"), -28, -8, 2));
    }
    let faults = world.diagnose().faults;
    assert_eq!(faults.len(), 1, "{faults:#?}");
    let cause = &faults[0].causes[0];
    assert_eq!((cause.rule_id.as_str(), cause.entity.kind.as_str()), ("registry-failing", "External"));
    says(cause, &["registry.test", "rate limit", "web in shop", "api in shop", "web in stock"]);
    assert!(faults[0].actions.iter().all(|a| !a.command.contains("set image")), "{:?}", faults[0].actions);
    // Two may be two names written wrong.
    let mut two = World::new();
    for app in &apps[..2] {
        two.run(app, [app.pod("a", status::waiting("ImagePullBackOff", limited, -30))]);
    }
    assert_eq!(two.diagnose().faults.len(), 2);
}

#[test]
fn a_machine_that_is_taken_away_is_no_lost_node() {
    let cordoned = json!({"spec": {"unschedulable": true}});
    let marked = json!({"spec": {"taints": [{"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule"}]}});
    let gone = |fields: &Value| {
        let Object::Node(node) = World::node_since("node-b", "Unknown", -60) else { panic!("a node") };
        let mut json = serde_json::to_value(&node).expect("JSON");
        merge(&mut json, fields);
        Object::from_value(Kind::Node, json).expect("a node")
    };
    for fields in [&cordoned, &marked] {
        let mut world = World::new();
        world.upsert(gone(fields));
        assert!(world.diagnose().faults.is_empty(), "{fields}");
        assert!(world.glance().faults.is_empty(), "{fields}");
    }
    // It still carries pods that somebody waits for.
    let mut world = World::new();
    world.upsert(gone(&cordoned));
    let app = checkout();
    let mut pod = app.pod("a", status::ready(-600));
    if let Object::Pod(pod) = &mut pod {
        pod.spec.node_name = Some("node-b".into());
    }
    world.run(&app, [pod]);
    assert_eq!(world.diagnose().faults.len(), 1);
}

#[test]
fn a_load_balancer_may_take_its_time_to_set_its_gate() {
    let gate = "target-health.elbv2.k8s.aws/k8s-shop-web";
    let app = checkout().spec(json!({"readinessGates": [{"conditionType": gate}]}));
    let mut state = status::unready(-100);
    state["conditions"] = json!([
        {"type": "PodScheduled", "status": "True"},
        {"type": "ContainersReady", "status": "True", "lastTransitionTime": at(-100)},
        {"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady", "lastTransitionTime": at(-100)},
    ]);
    state["containerStatuses"][0]["ready"] = json!(true);
    let mut world = world(&app, [app.pod("a", state)]);
    assert!(world.diagnose().faults.is_empty());
    world.set_time(120);
    let faults = world.diagnose().faults;
    assert_eq!(faults[0].causes[0].confidence, Likely);
}

#[test]
fn a_driver_that_is_not_yet_on_a_new_node_is_waited_for() {
    let text = "MountVolume.MountDevice failed for volume \"pv-1\" : kubernetes.io/csi: attacher.MountDevice failed to create newCsiDriverClient: driver name ebs.csi.aws.com not found in the list of registered CSI drivers";
    let app = checkout().spec(json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}));
    let pod = app.pod("a", status::waiting("ContainerCreating", "", -30));
    let mut world = world(&app, [pod.clone()]);
    world.upsert(event(&pod, "Warning", "FailedMount", text, -25, -5, 4));
    assert_eq!(world.diagnose().faults[0].causes[0].rule_id, "csi-driver-missing");
    let Object::Node(mut node) = World::node("node-a", "True") else { panic!("a node") };
    node.metadata.creation_timestamp = Some(t(-60));
    world.upsert(Object::Node(node));
    assert!(world.diagnose().faults.is_empty());
}

#[test]
fn a_number_that_has_been_served_undeclared_for_long_is_nobodys_fault() {
    let app = checkout().container(json!({"ports": [{"containerPort": 8080}]}));
    let service = |made: i64| {
        let ports = json!([{"name": "metrics", "port": 9100, "targetPort": 9100}]);
        app.service(json!({"metadata": {"creationTimestamp": at(made)}, "spec": {"ports": ports}}))
    };
    let mut world = world(&app, [app.pod("a", status::ready(-600))]);
    world.upsert_all([service(-7200), app.endpoints(&[true])]);
    assert!(world.diagnose().faults.is_empty());
    assert!(world.glance().faults.is_empty());
    world.upsert(service(-60));
    assert_eq!(world.diagnose().faults[0].causes[0].rule_id, "service-target-port-wrong");
}

#[test]
fn memory_that_the_whole_node_lacked_does_not_prove_the_limit_too_low() {
    let app = checkout().container(json!({"resources": {"limits": {"memory": "64Mi"}}}));
    let mut world = world(&app, [app.pod("a", status::crashed(137, "OOMKilled", 1, -5))]);
    assert_eq!(world.diagnose().faults[0].causes[0].confidence, Established);
    let node = World::node("node-a", "True");
    world.upsert(event(
        &node,
        "Warning",
        "SystemOOM",
        "System OOM encountered, victim process: java, pid: 7",
        -6,
        -6,
        1,
    ));
    let faults = world.diagnose().faults;
    let cause = faults.iter().flat_map(|f| &f.causes).find(|c| c.rule_id == "memory-limit-too-low").expect("its cause");
    assert_eq!(cause.confidence, Likely);
    says(cause, &["64Mi", "SystemOOM", "node-a"]);
}

#[test]
fn a_job_that_a_helper_keeps_from_completing_is_found() {
    let job = App::of(Kind::Job, "shop/import").spec(json!({"containers": [
        {"name": "app", "image": "i:1"}, {"name": "proxy", "image": "p:1"},
    ]}));
    let mut state = status::ready(-600);
    let ended = json!({"exitCode": 0, "reason": "Completed", "startedAt": at(-500), "finishedAt": at(-300)});
    state["containerStatuses"] = json!([
        {"name": "app", "restartCount": 0, "state": {"terminated": ended}},
        {"name": "proxy", "restartCount": 0, "ready": true, "state": {"running": {"startedAt": at(-600)}}},
    ]);
    let mut world = world(&job, [job.pod("a", state)]);
    check(
        &world,
        Expect {
            rule: "job-kept-running",
            object: "Job/shop/import",
            subject: "Job/shop/import",
            cause: "job-kept-by-sidecar",
            entity: "Job/shop/import",
            field: "spec.template.spec.containers[proxy]",
            verdict: Likely,
            severity: Medium,
            says: &["import", "container app", "container proxy", "sidecar"],
        },
    );
    let cause = &world.diagnose().faults[0].causes[0];
    assert!(cause.statement.contains("cannot complete until container proxy ends"), "{}", cause.statement);
    // It was only just done, or it is complete.
    world.set_time(-250);
    assert!(world.diagnose().faults.is_empty());
    world.set_time(0);
    world.upsert(job.top(json!({"status": {"conditions": [{"type": "Complete", "status": "True"}]}})));
    silent(&world);
}

/// A Job of two containers, of which `app` ended five minutes ago.
fn half_done(other: Value) -> World {
    let job = App::of(Kind::Job, "shop/import").spec(json!({"containers": [{"name": "app", "image": "i:1"}, other]}));
    let mut state = status::ready(-600);
    let ended = json!({"exitCode": 0, "reason": "Completed", "startedAt": at(-500), "finishedAt": at(-300)});
    state["containerStatuses"] = json!([
        {"name": "app", "restartCount": 0, "state": {"terminated": ended}},
        {"name": other["name"], "restartCount": 0, "ready": true, "state": {"running": {"startedAt": at(-600)}}},
    ]);
    world(&job, [job.pod("a", state)])
}

#[test]
fn a_job_of_which_one_container_has_more_to_do_is_silent() {
    for (name, image) in [("video", "media:1"), ("hotel-import", "hotel:2"), ("load", "proxy.example.com/loader:3")] {
        silent(&half_done(json!({"name": name, "image": image})));
    }
    for helper in [
        json!({"name": "istio-proxy", "image": "mesh:1"}),
        json!({"name": "logs", "image": "registry.test/fluent-bit@sha256:aa"}),
        json!({"name": "cloud-sql-proxy", "image": "x:1"}),
        json!({"name": "cache", "image": "c:1", "ports": [{"containerPort": 6379}]}),
        json!({"name": "cache", "image": "c:1", "readinessProbe": {"tcpSocket": {"port": 6379}}}),
    ] {
        assert_eq!(half_done(helper.clone()).diagnose().faults.len(), 1, "{helper}");
    }
}

#[test]
fn what_an_operator_made_over_several_steps_is_as_bad_as_its_pods() {
    let owner = |api: &str, kind: &str, name: &str| {
        json!({"metadata": {"ownerReferences": [
            {"apiVersion": api, "kind": kind, "name": name, "uid": format!("{kind}-{name}"), "controller": true},
        ]}})
    };
    let own = |kind: &str, name: &str, by: Value| {
        let mut value = json!({
            "apiVersion": "serving.knative.dev/v1", "kind": kind, "resource": format!("{}s", kind.to_lowercase()),
            "metadata": {"name": name, "namespace": "shop", "uid": format!("{kind}-{name}")},
        });
        merge(&mut value, &by);
        Object::from_value(Kind::CustomResource, value).unwrap()
    };
    // A Service of Knative's is called like one of Kubernetes' own.
    const KNATIVE: &str = "serving.knative.dev/v1";
    let app = App::deployment("shop/web-1-deployment");
    let mut world = World::new();
    world.run(&app, [app.pod("0", status::crashed(137, "OOMKilled", 3, -5))]);
    world.upsert(app.top(owner(KNATIVE, "Revision", "web-1")));
    world.upsert(own("Revision", "web-1", owner(KNATIVE, "Configuration", "web")));
    world.upsert(own("Configuration", "web", owner(KNATIVE, "Service", "web")));
    world.upsert(own("Service", "web", json!({})));
    let faults = world.diagnose().faults;
    assert_eq!(faults.len(), 1);
    assert_eq!((faults[0].subject.kind.as_str(), faults[0].severity), ("Service", Critical));
}

#[test]
fn what_an_operator_made_is_as_bad_as_its_pods_and_one_fault() {
    let owner = json!([{"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "name": "pg", "uid": "cluster-pg", "controller": true}]);
    let app = App::of(Kind::StatefulSet, "shop/pg");
    let mut world = World::new();
    world.run(&app, [app.pod("0", status::crashed(137, "OOMKilled", 3, -5))]);
    world.upsert(app.top(json!({"metadata": {"ownerReferences": owner}})));
    let faults = world.diagnose().faults;
    assert_eq!(faults.len(), 1);
    assert_eq!((faults[0].subject.kind.as_str(), faults[0].severity), ("Cluster", Critical));
}

#[test]
fn a_sidecar_that_is_killed_when_the_work_is_done_is_no_fault() {
    let sidecar = json!({"name": "proxy", "image": "p:1", "restartPolicy": "Always"});
    let app = App::of(Kind::Job, "shop/nightly").spec(json!({"restartPolicy": "Never", "initContainers": [sidecar]}));
    let killed =
        json!({"name": "proxy", "state": {"terminated": {"exitCode": 137, "reason": "Error", "finishedAt": at(-20)}}});
    let pod = |phase: &str, state: Value| {
        let own = json!({"name": "app", "state": state});
        let status = json!({"phase": phase, "startTime": at(-30), "initContainerStatuses": [killed], "containerStatuses": [own]});
        app.pod_with("a", status, json!({}))
    };
    let ended = || json!({"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": at(-22)}});
    for phase in ["Running", "Succeeded"] {
        silent(&world(&app, [pod(phase, ended())]));
    }
    // While the program beside it still works it is missed, and its log is asked for.
    let world = world(&app, [pod("Running", json!({"running": {"startedAt": at(-28)}}))]);
    let diagnosis = world.diagnose();
    assert_eq!((diagnosis.waiting.len(), diagnosis.wants.len()), (1, 1));
}
