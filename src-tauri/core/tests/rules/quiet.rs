//! Ordinary life in a cluster, watched from second to second: nothing opens.

use super::support::*;
use afterwatch_core::object::{Kind, Object};
use afterwatch_testkit::World;

/// Looks every second until then.
#[track_caller]
fn nothing_opens(world: &mut World, from: i64, to: i64) {
    for second in from..=to {
        world.look_at(second);
        let titles: Vec<&String> = world.incidents().iter().map(|i| &i.title).collect();
        assert!(titles.is_empty(), "at second {second}: {titles:?}");
    }
}

fn probed(app: App) -> App {
    app.container(json!({"ports": [{"containerPort": 8080}], "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 5}}))
}

fn deleting(app: &App, suffix: &str, since: i64) -> Object {
    app.pod_with(suffix, status::unready(-3600), json!({"metadata": {"deletionTimestamp": at(since + 30)}}))
}

#[test]
fn a_roll_out_in_progress() {
    let old = probed(checkout()).replicas(2);
    let new = old.clone().revise(0, json!({"image": "registry.test/checkout:2"}));
    let mut world = world(&old, [old.pod("a", status::ready(-3600)), old.pod("b", status::ready(-3600))]);
    world.upsert_all([old.service(json!({})), old.endpoints(&[true, true])]);
    let progressing =
        json!({"status": {"conditions": [{"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}]}});
    world.upsert(new.top(progressing));
    world.upsert_all(new.between(json!({})));
    for (i, (mine, theirs)) in [("x", "a"), ("y", "b")].into_iter().enumerate() {
        let start = i as i64 * 20;
        nothing_opens(&mut world, start, start);
        world.upsert(new.pod(mine, status::waiting("ContainerCreating", "", start)));
        nothing_opens(&mut world, start, start + 4);
        world.upsert(new.pod(mine, status::unready(start + 4)));
        nothing_opens(&mut world, start + 4, start + 12);
        world.upsert(new.pod(mine, status::ready(start + 12)));
        world.upsert(deleting(&old, theirs, start + 12));
        nothing_opens(&mut world, start + 12, start + 18);
        world.delete(old.pod(theirs, status::finished(137, start + 18)));
    }
    nothing_opens(&mut world, 40, 300);
}

#[test]
fn a_first_deployment_with_its_service() {
    let app = probed(checkout());
    let mut world = World::new();
    world.upsert_all([app.service(json!({"metadata": {"creationTimestamp": at(0)}})), app.endpoints(&[])]);
    nothing_opens(&mut world, 0, 2);
    world.upsert_all(app.objects());
    nothing_opens(&mut world, 2, 3);
    world.upsert(app.pod("a", json!({"phase": "Pending"})));
    nothing_opens(&mut world, 3, 4);
    world.upsert(app.pod("a", status::waiting("ContainerCreating", "", 4)));
    nothing_opens(&mut world, 4, 20);
    world.upsert_all([app.pod("a", status::unready(20)), app.endpoints(&[false])]);
    nothing_opens(&mut world, 20, 28);
    world.upsert_all([app.pod("a", status::ready(28)), app.endpoints(&[true])]);
    nothing_opens(&mut world, 28, 200);
}

#[test]
fn a_paused_deployment_and_one_scaled_to_zero() {
    let (paused, asleep) = (checkout(), App::deployment("shop/cart").replicas(0));
    let mut world = world(&paused, [paused.pod("a", status::ready(-3600))]);
    world.upsert(paused.top(json!({"spec": {"paused": true}})));
    world.run(&asleep, []);
    world.upsert_all([asleep.service(json!({})), asleep.endpoints(&[])]);
    nothing_opens(&mut world, 0, 120);
}

#[test]
fn scaling_down_and_deleting_gracefully() {
    let app = probed(checkout()).replicas(2);
    let mut world = world(&app, [app.pod("a", status::ready(-3600)), app.pod("b", status::ready(-3600))]);
    world.upsert_all([app.service(json!({})), app.endpoints(&[true, true])]);
    world.upsert(app.clone().replicas(0).top(json!({})));
    for pod in ["a", "b"] {
        world.upsert(deleting(&app, pod, 0));
    }
    world.upsert(app.endpoints(&[]));
    nothing_opens(&mut world, 0, 29);
    // A shell that ignores SIGTERM ends with 137.
    for pod in ["a", "b"] {
        let killed =
            app.pod_with(pod, status::crashed(137, "Error", 0, 30), json!({"metadata": {"deletionTimestamp": at(30)}}));
        world.upsert(killed.clone());
        nothing_opens(&mut world, 30, 31);
        world.delete(killed);
    }
    nothing_opens(&mut world, 31, 120);
}

#[test]
fn a_job_that_completes_and_a_cron_job_between_its_runs() {
    let job = App::of(Kind::Job, "shop/import").spec(json!({"restartPolicy": "Never"}));
    let mut world = world(&job, [job.pod("a", status::ready(0))]);
    nothing_opens(&mut world, 0, 10);
    world.upsert(job.pod("a", status::finished(0, 10)));
    world.upsert(job.top(json!({"status": {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": at(10)}]}})));
    let cron = App::of(Kind::CronJob, "shop/report");
    world.upsert(cron.top(json!({"status": {"lastScheduleTime": at(-300)}})));
    nothing_opens(&mut world, 10, 120);
}

#[test]
fn a_namespace_that_is_deleted() {
    let app = probed(checkout());
    let mut world = world(&app, [app.pod("a", status::ready(-3600))]);
    world.upsert_all([app.service(json!({})), app.endpoints(&[true])]);
    world.upsert(object(
        "Namespace shop",
        json!({"metadata": {"deletionTimestamp": at(0)}, "status": {"phase": "Terminating"}}),
    ));
    world.delete(app.top(json!({})));
    nothing_opens(&mut world, 0, 1);
    world.upsert(deleting(&app, "a", 1));
    world.upsert(app.endpoints(&[false]));
    nothing_opens(&mut world, 1, 60);
    world.delete(app.pod("a", status::finished(137, 31)));
    world.delete(app.service(json!({})));
    nothing_opens(&mut world, 60, 90);
}

#[test]
fn an_autoscaler_that_takes_a_node_away() {
    let app = probed(checkout()).replicas(2);
    let there = app.clone().spec(json!({"nodeName": "node-b"}));
    let mut world = world(&app, [app.pod("a", status::ready(-3600)), there.pod("b", status::ready(-3600))]);
    let mut node = World::node_since("node-b", "True", -3600);
    world.upsert(node.clone());
    nothing_opens(&mut world, 0, 2);
    if let Object::Node(n) = &mut node {
        n.spec.unschedulable = true;
        n.spec.taints =
            serde_json::from_value(json!([{"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule"}]))
                .expect("a taint");
    }
    world.upsert(node.clone());
    world.upsert(there.pod_with("b", status::unready(-3600), json!({"metadata": {"deletionTimestamp": at(33)}})));
    nothing_opens(&mut world, 3, 4);
    world.upsert(app.pod("c", status::unready(4)));
    nothing_opens(&mut world, 4, 12);
    world.upsert(app.pod("c", status::ready(12)));
    world.delete(there.pod("b", status::unready(-3600)));
    nothing_opens(&mut world, 13, 20);
    node.meta_mut().deletion_timestamp = Some(t(20));
    node.meta_mut().finalizers = vec!["karpenter.sh/termination".to_owned()];
    node.meta_mut().resource_version = String::new();
    world.upsert(node);
    nothing_opens(&mut world, 20, 140);
    world.delete(World::node_since("node-b", "Unknown", 130));
    nothing_opens(&mut world, 141, 300);
}

#[test]
fn claims_and_volumes_that_go_with_their_workload() {
    let app = App::of(Kind::StatefulSet, "shop/ledger")
        .spec(json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-ledger-0"}}]}));
    let mut world = world(&app, [app.pod("0", status::ready(-3600))]);
    let claim = |deleted: Option<i64>| {
        let mut fields = json!({"metadata": {"finalizers": ["kubernetes.io/pvc-protection"]}, "status": {"phase": "Bound"}, "spec": {"volumeName": "pv-1"}});
        if let Some(t) = deleted {
            merge(&mut fields, &json!({"metadata": {"deletionTimestamp": at(t)}}));
        }
        object("PersistentVolumeClaim shop/data-ledger-0", fields)
    };
    world.upsert(claim(None));
    nothing_opens(&mut world, 0, 1);
    world.upsert(claim(Some(1)));
    world.upsert(deleting(&app, "0", 1));
    world.delete(app.top(json!({})));
    nothing_opens(&mut world, 1, 30);
    world.delete(app.pod("0", status::finished(137, 31)));
    nothing_opens(&mut world, 31, 33);
    world.delete(claim(Some(1)));
    nothing_opens(&mut world, 34, 120);
}
