//! What changed, from what to what, by whom, and whether it may have broken something.

mod back;
mod values;

use super::support::*;
use afterwatch_core::{
    change::{ChangeVerb, FieldChange, summarise},
    coverage::UnreadableReason,
    evidence::Observed,
    explain,
    incident::Incident,
    object::{Kind, Object},
};
use afterwatch_testkit::World;

/// The fields of a manager that wrote then.
fn by(manager: &str, when: i64) -> Value {
    json!({"metadata": {"managedFields": [{"manager": manager, "operation": "Update", "time": at(when)}]}})
}

/// Changes the Deployment `checkout` from one container to another, five seconds ago, and returns the summary.
#[track_caller]
fn summary(before: Value, after: Value) -> String {
    let mut world = World::new();
    let app = checkout();
    world.upsert(app.clone().container(before).top(by("helm", -3600)));
    let change = world.upsert(app.container(after).top(by("helm", -5))).expect("a change");
    assert_eq!((change.verb, change.who.as_deref(), change.at), (ChangeVerb::Modified, Some("helm"), t(-5)));
    change.summary
}

#[track_caller]
fn check(before: Value, after: Value, words: &[&str]) {
    let summary = summary(before, after);
    for word in words {
        assert!(summary.contains(word), "`{word}` is not in: {summary}");
    }
}

#[test]
fn fields_are_told_from_what_to_what() {
    check(json!({"image": "web:1"}), json!({"image": "web:2"}), &["image", "web:1 → web:2", "app"]);
    let limit = |m: &str| json!({"resources": {"limits": {"memory": m}}});
    check(limit("512Mi"), limit("64Mi"), &["limits.memory", "512Mi → 64Mi"]);
    let env = |v: &str| json!({"env": [{"name": "LOG_LEVEL", "value": v}, {"name": "PORT", "value": "80"}]});
    check(env("info"), env("verbos"), &["env LOG_LEVEL", "info → verbos"]);
    check(env("info"), json!({"env": [{"name": "PORT", "value": "80"}]}), &["env LOG_LEVEL", "removed", "info"]);
    check(json!({}), env("info"), &["env LOG_LEVEL", "added", "info"]);
    let probe = |n: u32| json!({"readinessProbe": {"httpGet": {"path": "/healthz", "port": n}}});
    check(probe(8080), probe(9090), &["readinessProbe", "8080 → 9090"]);
    check(json!({"args": ["--fast"]}), json!({"args": ["--fast", "--loud"]}), &["args", "--loud"]);
    check(json!({"command": ["serve"]}), json!({"command": ["serv"]}), &["command", "serve → serv"]);
}

#[test]
fn a_container_added_before_another_does_not_rename_it() {
    let mut world = World::new();
    let app = checkout();
    world.upsert(app.top(json!({})));
    let two = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "proxy", "image": "proxy:1"},
        {"name": "app", "image": "registry.test/checkout:1"},
    ]}}}});
    let change = world.upsert(app.top(two)).expect("a change");
    assert!(change.fields.iter().all(|f| f.path.contains("[proxy]")), "{:?}", change.fields);
}

#[test]
fn a_variable_from_a_secret_is_told_as_one() {
    let from =
        |key: &str| json!({"env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "login", "key": key}}}]});
    assert_eq!(summary(json!({}), from("a")), "env TOKEN (container app) added: key a of Secret login");
    assert_eq!(
        summary(from("a"), from("b")),
        "env TOKEN (container app) key a of Secret login → key b of Secret login"
    );
    let literal = json!({"env": [{"name": "TOKEN", "value": "x"}]});
    assert_eq!(summary(literal, from("a")), "env TOKEN (container app) x → key a of Secret login");
    assert_eq!(summary(from("a"), json!({"env": []})), "env TOKEN (container app) removed (was key a of Secret login)");
}

#[test]
fn taints_are_told_by_name_and_those_of_the_cluster_itself_not_at_all() {
    let mut world = World::new();
    let tainted = |taints: Value| {
        let mut node = World::node("node-a", "True");
        if let afterwatch_core::object::Object::Node(n) = &mut node {
            n.spec.taints = serde_json::from_value(taints).expect("taints");
        }
        node
    };
    let own = json!({"key": "pool", "value": "gpu", "effect": "NoSchedule"});
    let change = world.upsert(tainted(json!([own]))).expect("a change");
    assert!(change.summary.contains("pool:NoSchedule added: gpu"), "{}", change.summary);
    let lost = json!({"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"});
    assert_eq!(world.upsert(tainted(json!([own, lost]))), None);
}

#[test]
fn what_changed_while_nobody_watched_is_not_told_as_seen() {
    let app = checkout();
    let mut world = world(&app, []);
    world.lose(Kind::Deployment, UnreadableReason::Unreachable);
    world.set_time(60);
    let revised = app.container(json!({"image": "web:2"})).top(by("helm", 30));
    let changes = world.list(Kind::Deployment, vec![revised]);
    assert_eq!((changes.len(), changes[0].at, changes[0].observed), (1, t(30), Observed::Reconstructed));
    // A list that only repeats what is watched, as those of polled kinds do, is seen.
    let again = checkout().container(json!({"image": "web:3"})).top(by("helm", 59));
    assert_eq!(world.list(Kind::Deployment, vec![again])[0].observed, Observed::Live);
}

#[test]
fn scaling_selectors_and_keys_are_told() {
    let app = checkout();
    let mut world = World::new();
    world.upsert(app.clone().replicas(3).top(json!({})));
    let change = world.upsert(app.clone().replicas(1).top(by("kubectl-scale", -1))).expect("a change");
    assert!(
        change.summary.contains("replicas 3 → 1") && change.who.as_deref() == Some("kubectl-scale"),
        "{}",
        change.summary
    );
    world.upsert(app.service(json!({})));
    let change = world.upsert(app.service(json!({"spec": {"selector": {"app": "chekout"}}}))).expect("a change");
    assert!(change.summary.contains("selector.app checkout → chekout"), "{}", change.summary);
    let map = |digests: Value| object("ConfigMap shop/settings", json!({"digests": digests}));
    let digest = |hash: &str| json!({"hash": hash, "bytes": 2});
    world.upsert(map(json!({"region": digest("aa"), "level": digest("bb"), "old": digest("cc")})));
    let change = world
        .upsert(map(json!({"region": digest("a2"), "level": digest("bb"), "new": digest("dd")})))
        .expect("a change");
    for words in ["key region changed", "key new added", "key old removed"] {
        assert!(change.summary.contains(words), "`{words}` is not in: {}", change.summary);
    }
    assert!(!change.summary.contains("level"), "{}", change.summary);
}

#[test]
fn status_heartbeats_and_pods_are_no_changes() {
    let app = checkout();
    let mut world = world(&app, [app.pod("a", status::ready(-60))]);
    assert_eq!(world.upsert(app.top(json!({"status": {"readyReplicas": 1}}))), None);
    assert_eq!(world.upsert(app.pod("a", status::unready(-1))), None);
    assert_eq!(world.upsert(World::node_since("node-a", "Unknown", -1)), None);
}

#[test]
fn what_is_made_and_taken_away_while_we_watch_is_told() {
    let mut world = World::new();
    let mut settings = object("ConfigMap shop/settings", by("kim", -1));
    settings.meta_mut().creation_timestamp = Some(t(-1));
    let made = world.upsert(settings.clone()).expect("a change");
    assert_eq!((made.verb, made.who.as_deref(), made.at), (ChangeVerb::Created, Some("kim"), t(-1)));
    world.set_time(5);
    let gone = world.delete(settings).expect("a change");
    assert_eq!((gone.verb, gone.who, gone.at), (ChangeVerb::Deleted, None, t(5)));
    // What is old in the cluster was not made now, only seen now.
    assert_eq!(world.upsert(object("ConfigMap shop/old", json!({}))), None);
}

fn limit(memory: &str) -> App {
    checkout().container(json!({"resources": {"limits": {"memory": memory}}}))
}

/// The limit is lowered at `changed`, the first kill is at second 0.
fn lowered(changed: i64) -> World {
    let mut world = world(&limit("512Mi"), []);
    world.set_time(changed);
    world.upsert(limit("64Mi").top(by("helm", changed)));
    world.set_time(1);
    world.upsert(limit("64Mi").pod("a", status::crashed(137, "OOMKilled", 1, 0)));
    world.set_time(1.max(changed));
    world.look();
    world
}

fn suspects(incident: &Incident) -> Vec<&str> {
    incident.changes.iter().filter(|c| c.suspect).map(|c| c.change.summary.as_str()).collect()
}

#[test]
fn the_change_just_before_is_suspect_and_told_with_the_cause() {
    let world = lowered(-20);
    let incident = world.only();
    assert_eq!(suspects(incident).len(), 1);
    let cause = &incident.causes[0];
    for word in ["64Mi", "512Mi", "helm"] {
        assert!(cause.statement.contains(word), "{}", cause.statement);
    }
    let diff = incident.evidence.iter().find(|e| e.draft.excerpt.contains("- 512Mi")).expect("the diff");
    assert!(diff.draft.excerpt.contains("+ 64Mi") && cause.evidence.contains(&diff.id), "the diff is evidence");
    let trigger = incident.labelled("trigger").expect("an entry");
    assert!(trigger.at == t(-20) && trigger.evidence.contains(&incident.changes[0].id));
    assert!(
        incident.actions.iter().any(|a| a.draft.command.contains("rollout undo deployment/checkout")),
        "the way back"
    );
}

#[test]
fn what_was_rolled_back_is_not_to_be_rolled_back_once_more() {
    let mut world = lowered(-20);
    let undo = |world: &World| world.only().advised().any(|a| a.draft.command.contains("rollout undo"));
    assert!(undo(&world));
    world.set_time(40);
    world.upsert(limit("512Mi").top(by("kubectl-rollout", 40)));
    world.upsert(limit("512Mi").pod("a", status::ready(45)));
    world.look_at(60);
    assert_eq!(world.only().recovered_by.as_deref(), Some("C2"));
    assert!(!undo(&world), "{:?}", world.only().actions);
}

#[test]
fn a_change_after_the_start_or_long_before_it_is_not_suspect() {
    for changed in [10, -2000] {
        let world = lowered(changed);
        assert_eq!(suspects(world.only()), Vec::<&str>::new(), "changed at {changed}");
        assert_eq!(world.only().changes.len(), 1, "it is told all the same");
    }
    // Told for an hour, no longer.
    assert!(lowered(-3500).only().changes.len() == 1);
}

#[test]
fn scaling_alone_is_told_and_not_suspected() {
    let mut world = world(&limit("64Mi"), []);
    world.set_time(-20);
    world.upsert(limit("64Mi").replicas(2).top(by("kubectl-scale", -20)));
    world.set_time(1);
    world.upsert(limit("64Mi").pod("a", status::crashed(137, "OOMKilled", 1, 0)));
    world.look();
    assert_eq!((world.only().changes.len(), suspects(world.only()).len()), (1, 0));
}

#[test]
fn a_restart_is_told_and_what_it_brought_to_light_is_suspected() {
    let mut world = world(&limit("64Mi"), []);
    world.set_time(-20);
    let restart =
        json!({"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": at(-20)}}}}});
    world.upsert(limit("64Mi").top(restart));
    world.set_time(1);
    world.upsert(limit("64Mi").pod("a", status::crashed(137, "OOMKilled", 1, 0)));
    world.refuse_logs();
    world.look();
    assert_eq!((world.only().changes.len(), suspects(world.only()).len()), (1, 0));
}

#[test]
fn a_changed_key_of_a_config_map_it_reads_is_suspect() {
    let app = checkout().container(json!({"envFrom": [{"configMapRef": {"name": "settings"}}]}));
    let mut world = world(&app, []);
    let map = |hash: &str, when: i64| {
        let mut fields = by("kubectl-edit", when);
        merge(&mut fields, &json!({"digests": {"WORKERS": {"hash": hash, "bytes": 1}}}));
        object("ConfigMap shop/settings", fields)
    };
    world.upsert(map("aa", -3600));
    world.upsert(object("ConfigMap shop/unrelated", json!({})));
    world.set_time(-10);
    world.upsert(map("bb", -10));
    world.upsert(object("ConfigMap shop/unrelated", json!({"digests": {"k": {"hash": "1", "bytes": 1}}})));
    world.set_time(1);
    let pod = app.pod("a", status::crashed(2, "Error", 1, 0));
    world.upsert(pod.clone());
    world.log(&pod, "app", 1, "WORKERS=four");
    world.look();
    let incident = world.only();
    assert_eq!(suspects(incident).len(), 1, "what it does not read is no suspect: {:?}", incident.changes);
    assert!(suspects(incident)[0].contains("key WORKERS changed"));
    assert_eq!(incident.verdict, Likely, "a suspect change lifts what was only possible");
}

/// A crash whose log says little, after this object of its namespace was changed this many seconds before.
fn crashed_after(app: &App, before: Object, after: Object, lead: i64) -> Incident {
    let mut world = world(app, []);
    world.upsert(before);
    world.set_time(-lead);
    world.upsert(after);
    world.set_time(1);
    let pod = app.pod("a", status::crashed(2, "Error", 1, 0));
    world.upsert(pod.clone());
    world.log(&pod, "app", 1, "WORKERS=four");
    world.look();
    world.only().clone()
}

#[test]
fn a_change_that_only_lies_in_the_same_namespace_makes_nothing_surer() {
    let app = checkout().container(json!({"envFrom": [{"secretRef": {"name": "payment"}}]}));
    let policy = |fields: Value| object("NetworkPolicy shop/default", fields);
    let label = json!({"metadata": {"labels": {"team": "web"}}});
    let incident = crashed_after(&app, policy(json!({})), policy(label.clone()), 20);
    assert_eq!((suspects(&incident).len(), incident.verdict), (0, Possible), "a label of a policy breaks nothing");
    let rules = json!({"spec": {"policyTypes": ["Egress"]}});
    let incident = crashed_after(&app, policy(json!({})), policy(rules.clone()), 1740);
    assert_eq!((suspects(&incident).len(), incident.verdict), (1, Possible));
    assert!(!incident.causes[0].statement.contains("default"), "{}", incident.causes[0].statement);
    let incident = crashed_after(&app, policy(json!({})), policy(rules), 20);
    assert!(incident.causes[0].statement.contains("Just before"), "{}", incident.causes[0].statement);
    // Whether a Secret's data changed or its annotations, nobody sees.
    let secret = |label: &str| object("Secret shop/payment", json!({"metadata": {"annotations": {"seen": label}}}));
    assert_eq!(crashed_after(&app, secret("a"), secret("b"), 20).verdict, Possible);
    // A label of the workload itself is none of its pods'.
    let incident = crashed_after(&app, app.top(json!({})), app.top(label), 20);
    assert_eq!((suspects(&incident).len(), incident.verdict), (0, Possible));
}

#[test]
fn a_release_is_told_by_what_its_pods_run_with_and_the_field_to_blame_first() {
    let field = |path: &str, from: &str, to: &str| FieldChange {
        path: path.to_owned(),
        from: Some(from.to_owned()),
        to: Some(to.to_owned()),
    };
    let limit = "spec.template.spec.containers[app].resources.limits.memory";
    let fields = [
        field("labels.app.kubernetes.io/version", "1.0", "1.1"),
        field("labels.helm.sh/chart", "web-3", "web-4"),
        field("spec.template.metadata.labels.app.kubernetes.io/version", "1.0", "1.1"),
        field("spec.template.spec.containers[app].image", "web:1.0", "web:1.1"),
        field(limit, "512Mi", "128Mi"),
    ];
    let (image, memory) = ("image (container app) web:1.0 → web:1.1", "limits.memory (container app) 512Mi → 128Mi");
    let labels = "pod label app.kubernetes.io/version 1.0 → 1.1; labels.helm.sh/chart web-3 → web-4";
    assert_eq!(summarise(&fields, None), format!("{image}; {memory}; {labels}"));
    assert_eq!(summarise(&fields, Some(limit)), format!("{memory}; {image}; {labels}"));
}

#[test]
fn a_change_some_time_before_is_told_with_the_minutes() {
    let app = checkout();
    let changed = app.clone().container(json!({"args": ["--workers=four"]})).top(json!({}));
    let incident = crashed_after(&app, app.top(json!({})), changed.clone(), 1320);
    assert_eq!(incident.verdict, Likely);
    assert!(incident.causes[0].statement.contains("22 min before"), "{}", incident.causes[0].statement);
    let incident = crashed_after(&app, app.top(json!({})), changed, 60);
    assert!(incident.causes[0].statement.contains("Just before"), "{}", incident.causes[0].statement);
}

#[test]
fn a_roll_out_nobody_watched_is_put_together_from_the_replica_sets() {
    let old = limit("512Mi");
    let new = old.clone().revise(-120, json!({"resources": {"limits": {"memory": "64Mi"}}}));
    let mut world = World::new();
    world.upsert_all(old.between(json!({"spec": {"replicas": 0}, "status": {"replicas": 0}})));
    world.run(&new, [new.pod("a", status::crashed(137, "OOMKilled", 3, -5))]);
    world.upsert(new.top(by("helm", -121)));
    world.look();
    let incident = world.only();
    let change = &incident.changes[0];
    assert_eq!((change.suspect, change.change.observed, change.change.at), (true, Observed::Reconstructed, t(-120)));
    assert_eq!(change.change.who.as_deref(), Some("helm"));
    assert!(change.change.summary.contains("512Mi → 64Mi"), "{}", change.change.summary);
    assert!(incident.causes[0].statement.contains("512Mi"), "{}", incident.causes[0].statement);
}

#[test]
fn the_change_that_mended_it_is_named() {
    let mut world = lowered(-20);
    world.set_time(60);
    world.upsert(limit("512Mi").top(by("kubectl-edit", 60)));
    world.look();
    world.set_time(70);
    world.upsert(limit("512Mi").pod("a", status::ready(70)));
    world.look();
    let incident = world.only();
    let by = incident.recovered_by.clone().expect("known");
    let mending = incident.changes.iter().find(|c| c.id == by).expect("a change");
    assert!(mending.change.summary.contains("64Mi → 512Mi") && !mending.suspect, "{}", mending.change.summary);
    assert!(incident.labelled("mitigated").is_some_and(|e| e.evidence.contains(&by)));
}

/// What reaches `checkout`, closest first: object and how.
fn reaching(world: &World) -> Vec<String> {
    let workload = checkout().top(json!({})).reference();
    explain::changes_reaching(&world.index, &workload, t(-600))
        .into_iter()
        .map(|r| format!("{:?} {}", r.reach, r.change.object.key()))
        .collect()
}

#[test]
fn what_reaches_a_workload_is_told_closest_first_and_the_rest_not_at_all() {
    let app = checkout().container(json!({
        "env": [
            {"name": "DB_HOST", "value": "orders-db"},
            {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "level"}}},
        ],
    }));
    let db = App::of(Kind::StatefulSet, "shop/orders-db");
    let mut world = world(&app, [app.pod("a", status::ready(-3600))]);
    let map = |key: &str, hash: &str| {
        object("ConfigMap shop/settings", json!({"digests": {key: {"hash": hash, "bytes": 1}}}))
    };
    world.upsert_all([db.top(json!({})), db.service(json!({})), app.service(json!({})), map("level", "a")]);
    world.upsert(object(
        "Service shop/web",
        json!({"spec": {"selector": {"app": "checkout"}, "ports": [{"port": 80}]}}),
    ));
    world.upsert(object("Ingress shop/front", json!({"spec": {"defaultBackend": {"service": {"name": "web"}}}})));
    world.upsert(object(
        "RoleBinding shop/reader",
        json!({
            "subjects": [{"kind": "ServiceAccount", "name": "default"}], "roleRef": {"kind": "Role", "name": "reader"},
        }),
    ));
    world.upsert(object("Role shop/reader", json!({})));
    world.upsert(object("Deployment shop/other", json!({})));
    world.set_time(-10);
    world.upsert(object("ResourceQuota shop/team", json!({"metadata": {"creationTimestamp": at(-10)}})));
    world.upsert(object("Role shop/reader", json!({"rules": [{"verbs": ["get"]}]})));
    world.upsert(app.service(json!({"spec": {"selector": {"app": "chekout"}}})));
    world.upsert(object(
        "Service shop/web",
        json!({"spec": {"selector": {"app": "checkout"}, "ports": [{"port": 81}]}}),
    ));
    world.upsert(object("Ingress shop/front", json!({"spec": {"defaultBackend": {"service": {"name": "gone"}}}})));
    world.upsert(db.clone().replicas(0).top(by("kubectl", -10)));
    world.upsert(db.service(json!({"spec": {"ports": [{"name": "sql", "port": 5433}]}})));
    world.upsert(map("level", "b"));
    world.upsert(app.clone().container(json!({"image": "web:2"})).top(json!({})));
    world.upsert(object("Deployment shop/other", json!({"spec": {"replicas": 9}})));
    assert_eq!(
        reaching(&world),
        [
            "Own Deployment/shop/checkout",
            "Used ConfigMap/shop/settings",
            "Called Service/shop/orders-db",
            "Called StatefulSet/shop/orders-db",
            "Front Ingress/shop/front",
            "Front Service/shop/checkout",
            "Front Service/shop/web",
            "Rights Role/shop/reader",
            "Bounds ResourceQuota/shop/team",
        ],
        "what led there before its change is found by what it was"
    );
}

#[test]
fn what_is_routine_reaches_nobody() {
    let app = checkout().container(json!({
        "env": [{"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "level"}}}],
    }));
    let mut world = world(&app, []);
    let map = |other: &str| {
        let digest = |hash: &str| json!({"hash": hash, "bytes": 1});
        object("ConfigMap shop/settings", json!({"digests": {"level": digest("a"), "other": digest(other)}}))
    };
    world.upsert(map("a"));
    world.set_time(-10);
    // A key that it does not use, an autoscaler at work, a restart, a label.
    world.upsert(map("b"));
    let scale = json!({"metadata": {"managedFields": [
        {"manager": "kube-controller-manager", "operation": "Update", "subresource": "scale", "time": at(-10)},
    ]}});
    world.upsert(app.clone().replicas(4).top(scale));
    let restart =
        json!({"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": at(-9)}}}}});
    world.upsert(app.clone().replicas(4).top(restart.clone()));
    let mut labelled = restart;
    merge(&mut labelled, &json!({"metadata": {"labels": {"team": "web"}}}));
    world.upsert(app.clone().replicas(4).top(labelled));
    assert_eq!(reaching(&world), Vec::<String>::new());
}

#[test]
fn a_person_is_named_before_the_controller_that_wrote_after_them() {
    let mut world = World::new();
    world.upsert(checkout().replicas(2).top(json!({})));
    let both = json!({"metadata": {"managedFields": [
        {"manager": "kubectl", "operation": "Update", "subresource": "scale", "time": at(-4)},
        {"manager": "kube-controller-manager", "operation": "Update", "time": at(-3)},
    ]}});
    let change = world.upsert(checkout().replicas(0).top(both)).expect("a change");
    assert_eq!((change.who.as_deref(), change.at), (Some("kubectl"), t(-4)));
    assert_eq!(change.summary, "replicas 2 → 0");
}
