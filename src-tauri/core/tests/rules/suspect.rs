//! Which changes are suspected of a fault, which are only told, and which are nobody's business.

use super::support::*;
use afterwatch_core::object::{Kind, Object};
use afterwatch_testkit::World;

/// The fields of a manager that wrote then.
fn by(manager: &str, when: i64, fields: Value) -> Value {
    let mut out =
        json!({"metadata": {"managedFields": [{"manager": manager, "operation": "Update", "time": at(when)}]}});
    merge(&mut out, &fields);
    out
}

/// A Deployment whose container ends with these last words, after this was done to the world 20 s before.
fn after(app: &App, log: &str, setup: impl FnOnce(&mut World), change: impl FnOnce(&mut World)) -> World {
    let mut world = world(app, []);
    setup(&mut world);
    world.set_time(-20);
    change(&mut world);
    world.set_time(1);
    let pod = app.pod("a", status::crashed(1, "Error", 2, 0));
    world.upsert(pod.clone());
    world.log(&pod, "app", 2, log);
    world
}

/// The changes of the only fault: `who summary`, with `!` before a suspect one.
#[track_caller]
fn told(world: &World) -> Vec<String> {
    let faults = world.diagnose().faults;
    assert_eq!(faults.len(), 1);
    let line = |(c, suspect): &(afterwatch_core::change::Change, bool)| {
        let mark = if *suspect { "!" } else { "" };
        format!("{mark}{} {}: {}", c.who.as_deref().unwrap_or("?"), c.object.key(), c.summary)
    };
    faults[0].changes.iter().map(line).collect()
}

const LOG: &str = "ERROR cannot go on";

/// The workload itself is changed by `helm` from one container to another: that is what is told.
#[track_caller]
fn own(before: Value, after_: Value, line: &str) {
    let (old, new) = (checkout().container(before), checkout().container(after_));
    let mut world = world(&old, []);
    world.set_time(-20);
    world.upsert(new.top(by("helm", -20, json!({}))));
    world.set_time(1);
    let pod = new.pod("a", status::crashed(1, "Error", 2, 0));
    world.upsert(pod.clone());
    world.log(&pod, "app", 2, LOG);
    assert_eq!(told(&world), [format!("!helm Deployment/shop/checkout: {line}")]);
    let cause = &world.diagnose().faults[0].causes[0];
    assert!(cause.statement.contains("Just before, helm changed Deployment checkout"), "{}", cause.statement);
}

#[test]
fn what_was_changed_of_the_workload_is_suspect_with_both_sides() {
    let env = |v: &str| json!({"env": [{"name": "LOG_LEVEL", "value": v}]});
    own(env("info"), env("verbos"), "env LOG_LEVEL (container app) info → verbos");
    own(json!({"image": "web:1"}), json!({"image": "web:2"}), "image (container app) web:1 → web:2");
    let limit = |m: &str| json!({"resources": {"limits": {"memory": m}}});
    own(limit("512Mi"), limit("64Mi"), "limits.memory (container app) 512Mi → 64Mi");
    let port = |p: u16| json!({"ports": [{"name": "http", "containerPort": p}]});
    own(port(8080), port(8081), "ports[http].containerPort (container app) 8080 → 8081");
    let path = |p: &str| json!({"livenessProbe": {"httpGet": {"path": p, "port": 8080}}});
    own(path("/healthz"), path("/health"), "livenessProbe.httpGet.path (container app) /healthz → /health");
    let delay = |n: u32| json!({"livenessProbe": {"httpGet": {"path": "/", "port": 80}, "initialDelaySeconds": n}});
    own(delay(60), delay(1), "livenessProbe.initialDelaySeconds (container app) 60 → 1");
    own(json!({"args": ["--a"]}), json!({"args": ["--b"]}), "args (container app) --a → --b");
    let mount = |p: &str| json!({"volumeMounts": [{"name": "etc", "mountPath": p}]});
    own(mount("/etc/app"), mount("/etc/ap"), "volumeMounts[etc].mountPath (container app) /etc/app → /etc/ap");
    own(json!({}), json!({"securityContext": {"runAsUser": 0}}), "securityContext.runAsUser (container app) added: 0");
}

#[test]
fn what_lies_in_front_and_around_is_suspect_where_nothing_is_proven() {
    let app = checkout().container(json!({"env": [{"name": "DB_HOST", "value": "orders-db"}]}));
    let db = App::deployment("shop/orders-db");
    let deny = || {
        object(
            "NetworkPolicy shop/deny",
            by("kim", -20, json!({"metadata": {"creationTimestamp": at(-20)}, "spec": {"policyTypes": ["Egress"]}})),
        )
    };
    let log = "timeout: no answer from orders-db:5432";
    let world = after(
        &app,
        log,
        |w| w.upsert_all([db.top(json!({})), db.service(json!({})), db.endpoints(&[true])]),
        |w| drop(w.upsert(deny())),
    );
    assert_eq!(told(&world), ["!kim NetworkPolicy/shop/deny: created"]);
    let port =
        || db.service(by("kim", -20, json!({"spec": {"ports": [{"name": "http", "port": 5433, "targetPort": 8080}]}})));
    let world = after(
        &app,
        log,
        |w| w.upsert_all([db.top(json!({})), db.service(json!({})), db.endpoints(&[true])]),
        |w| drop(w.upsert(port())),
    );
    assert_eq!(told(&world), ["!kim Service/shop/orders-db: ports[http].port 80 → 5433"]);
}

#[test]
fn what_is_proven_by_the_workload_itself_leaves_its_surroundings_innocent() {
    let mut world = World::new();
    world.set_time(-20);
    world
        .upsert(object("NetworkPolicy shop/deny", by("kim", -20, json!({"metadata": {"creationTimestamp": at(-20)}}))));
    world.set_time(1);
    let app = checkout().container(json!({"resources": {"limits": {"memory": "64Mi"}}}));
    world.run(&app, [app.pod("a", status::crashed(137, "OOMKilled", 2, 0))]);
    assert_eq!(told(&world), ["kim NetworkPolicy/shop/deny: created"]);
}

/// What bounds a namespace stops what is to be made in it; it ends no program.
#[test]
fn a_webhook_that_was_deleted_is_not_why_a_program_ends() {
    let webhook = || {
        object(
            "ValidatingWebhookConfiguration guard",
            json!({"webhooks": [{"name": "pods.guard.test", "clientConfig": {"url": "https://guard.example.com"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "operations": ["CREATE"]}]}]}),
        )
    };
    let mut world = World::new().at(-60);
    world.upsert(webhook());
    let app = checkout();
    world.run(&app, []);
    world.set_time(-30);
    world.delete(webhook());
    world.set_time(0);
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    world.upsert(pod.clone());
    world.log(&pod, "app", 3, "x509: certificate has expired or is not yet valid");
    assert!(told(&world).iter().all(|line| !line.starts_with('!')), "{:?}", told(&world));
    assert!(!world.diagnose().faults[0].causes[0].statement.contains("guard"));
}

#[test]
fn routine_changes_are_no_suspects() {
    let app = checkout().replicas(2);
    let scaled = |manager: &str, n: i32| app.clone().replicas(n).top(by(manager, -20, json!({})));
    let quiet = |change: Object, lines: &[&str]| {
        let world = after(&app, LOG, |w| drop(w.upsert(app.top(json!({})))), |w| drop(w.upsert(change)));
        assert_eq!(told(&world), lines);
    };
    quiet(scaled("kube-controller-manager", 5), &["kube-controller-manager Deployment/shop/checkout: replicas 2 → 5"]);
    quiet(scaled("kubectl", 1), &["kubectl Deployment/shop/checkout: replicas 2 → 1"]);
    let restart =
        json!({"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": at(-20)}}}}});
    let world = after(
        &app,
        LOG,
        |w| drop(w.upsert(app.top(json!({})))),
        |w| drop(w.upsert(app.top(by("kubectl", -20, restart)))),
    );
    assert!(told(&world).iter().all(|l| !l.starts_with('!')), "{:?}", told(&world));
    quiet(
        app.top(by("argocd", -20, json!({"metadata": {"labels": {"team": "web"}}}))),
        &["argocd Deployment/shop/checkout: labels.team added: web"],
    );
    // A workload that is none of its business.
    quiet(object("Deployment shop/other", json!({"spec": {"replicas": 7}})), &[]);
    quiet(object("ConfigMap shop/leader", json!({"digests": {"holder": {"hash": "b", "bytes": 1}}})), &[]);
}

#[test]
fn what_came_with_a_new_workload_is_no_change_to_it() {
    let made = json!({"metadata": {"creationTimestamp": at(-20)}});
    let app = checkout().container(json!({"envFrom": [{"configMapRef": {"name": "settings"}}]}));
    let mut world = World::new();
    world.set_time(-20);
    world.upsert(object("ConfigMap shop/settings", by("helm", -20, made.clone())));
    world.upsert(app.top(by("helm", -20, made)));
    world.upsert_all(app.between(json!({})));
    world.set_time(1);
    let pod = app.pod("a", status::crashed(1, "Error", 2, 0));
    world.upsert(pod.clone());
    world.log(&pod, "app", 2, LOG);
    let lines = told(&world);
    assert_eq!(lines.len(), 2);
    // That it was made is how it began; what was made for it is not.
    let suspects: Vec<&String> = lines.iter().filter(|l| l.starts_with('!')).collect();
    assert_eq!(suspects, ["!helm Deployment/shop/checkout: created"]);
}

#[test]
fn what_was_deleted_is_suspect_and_nobody_is_named() {
    let app = checkout().container(json!({"envFrom": [{"configMapRef": {"name": "settings", "optional": true}}]}));
    let settings = || object("ConfigMap shop/settings", json!({}));
    let world = after(&app, LOG, |w| drop(w.upsert(settings())), |w| drop(w.delete(settings())));
    assert_eq!(told(&world), ["!? ConfigMap/shop/settings: deleted"]);
}

#[test]
fn the_change_of_the_field_to_blame_is_told_before_a_newer_one() {
    let app = |memory: &str, image: &str| {
        checkout().container(json!({"image": image, "resources": {"limits": {"memory": memory}}}))
    };
    let mut world = world(&app("512Mi", "web:1"), []);
    world.set_time(-40);
    world.upsert(app("64Mi", "web:1").top(by("helm", -40, json!({}))));
    world.set_time(-20);
    world.upsert(app("64Mi", "web:2").top(by("kim", -20, json!({}))));
    world.set_time(1);
    world.upsert(app("64Mi", "web:2").pod("a", status::crashed(137, "OOMKilled", 2, 0)));
    let statement = world.diagnose().faults[0].causes[0].statement.clone();
    assert!(
        statement.contains("helm changed Deployment checkout: limits.memory (container app) 512Mi → 64Mi"),
        "{statement}"
    );
    assert!(!statement.contains("web:2"), "{statement}");
}

#[test]
fn what_an_autoscaler_does_mends_nothing() {
    let app = checkout().container(json!({"resources": {"limits": {"memory": "64Mi"}}}));
    let mut world = world(&app, [app.pod("a", status::crashed(137, "OOMKilled", 2, 0))]);
    world.set_time(1);
    world.look();
    world.set_time(30);
    world.upsert(app.clone().replicas(2).top(by("kube-controller-manager", 30, json!({}))));
    world.set_time(40);
    world.upsert(app.pod("a", status::ready(35)));
    world.upsert(app.pod("b", status::ready(38)));
    world.look();
    assert_eq!(world.incidents()[0].recovered_by.as_deref(), Some("itself"));
}

#[test]
fn a_level_that_a_namespace_was_given_lately_is_suspect() {
    let level = |level: &str, when: i64| {
        let labels = json!({"pod-security.kubernetes.io/enforce": level});
        let wrote = json!([{"manager": "kubectl-label", "operation": "Update", "time": at(when)}]);
        object("Namespace shop", json!({"metadata": {"labels": labels, "managedFields": wrote}}))
    };
    let mut world = super::refusal::refused(
        &checkout(),
        &super::refusal::forbidden("violates PodSecurity \"restricted:latest\": privileged"),
    );
    world.set_time(-3000);
    world.upsert(level("privileged", -9000));
    world.set_time(-60);
    world.upsert(level("restricted", -60));
    world.set_time(0);
    let fault = check(&world, Expect { cause: "pod-security-violated", ..super::refusal::REFUSED });
    let (change, suspect) = &fault.changes[0];
    assert!(*suspect && change.summary.contains("privileged → restricted"), "{}", change.summary);
    assert_eq!(change.who.as_deref(), Some("kubectl-label"));
}

#[test]
fn what_proves_the_cause_was_changed_and_its_victim_only_met_it() {
    let app = checkout();
    let hook = json!({
        "name": "check.policy.test",
        "clientConfig": {"service": {"namespace": "guard", "name": "policy", "port": 443}},
        "failurePolicy": "Fail",
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
    });
    let refused = "Error creating: Internal error occurred: failed calling webhook \"check.policy.test\": failed to call webhook: Post \"https://policy.guard.svc:443/?timeout=10s\": service \"policy\" not found";
    let mut world = world(&app, []);
    world.upsert_all([object("Namespace shop", json!({})), object("Namespace guard", json!({}))]);
    world.list(Kind::Service, Vec::new());
    world.list(Kind::ValidatingWebhookConfiguration, Vec::new());
    world.set_time(-20);
    let mut fields = by("policy-team", -20, json!({"webhooks": [hook]}));
    merge(&mut fields, &json!({"metadata": {"creationTimestamp": at(-20)}}));
    world.upsert(object("ValidatingWebhookConfiguration policy", fields));
    world.set_time(1);
    let set = app.between(json!({})).unwrap();
    world.upsert(event(&set, "Warning", "FailedCreate", refused, 0, 0, 3));
    world.upsert(set);
    let diagnosis = world.diagnose();
    let fault = diagnosis.faults.iter().find(|f| f.causes.iter().any(|c| c.entity.is(Kind::Service))).unwrap();
    assert_eq!(suspects(fault), ["policy-team ValidatingWebhookConfiguration"]);
    let statement = &fault.causes[0].statement;
    assert!(statement.contains("policy-team created ValidatingWebhookConfiguration policy"), "{statement}");
}

fn suspects(fault: &afterwatch_core::correlate::Fault) -> Vec<String> {
    let suspect = fault.changes.iter().filter(|(_, suspect)| *suspect);
    suspect.map(|(c, _)| format!("{} {}", c.who.as_deref().unwrap_or("?"), c.object.kind)).collect()
}

#[test]
fn a_release_that_only_meets_what_was_deleted_is_innocent() {
    let account = |lost: bool| {
        let app = checkout().spec(json!({"serviceAccountName": "mirror"}));
        let mut world = world(&app, []);
        let mirror = object("ServiceAccount shop/mirror", json!({}));
        world.list(Kind::ServiceAccount, if lost { vec![mirror.clone()] } else { Vec::new() });
        world.set_time(-20);
        if lost {
            world.delete(mirror);
        }
        world.set_time(-10);
        let new = app.container(json!({"env": [{"name": "DEPTH", "value": "50"}]}));
        world.upsert(new.top(by("release", -10, json!({}))));
        world.set_time(30);
        let set = new.between(json!({"status": {"replicas": 0}})).unwrap();
        let refused = "Error creating: pods \"checkout-\" is forbidden: error looking up service account shop/mirror: serviceaccount \"mirror\" not found";
        world.upsert(event(&set, "Warning", "FailedCreate", refused, 0, 0, 3));
        world.upsert(set);
        let fault = world.diagnose().faults[0].clone();
        (suspects(&fault), fault.causes[0].statement.clone())
    };
    let (suspects, statement) = account(true);
    assert_eq!(suspects, ["? ServiceAccount"], "{statement}");
    assert!(statement.contains("deleted") && !statement.contains("release"), "{statement}");
    // Where nothing else was changed, what brought it to light is worth a look.
    assert_eq!(account(false).0, ["release Deployment"]);
}

#[test]
fn more_pods_take_more_connections() {
    let log = "psycopg2.OperationalError: FATAL:  sorry, too many clients already";
    let app = checkout();
    let scaled = |log: &str| {
        let world = after(
            &app,
            log,
            |_| {},
            |world| _ = world.upsert(app.clone().replicas(6).top(by("queue-scaler", -20, json!({})))),
        );
        told(&world)
    };
    assert_eq!(scaled(log), ["!queue-scaler Deployment/shop/checkout: replicas 1 → 6"]);
    assert_eq!(scaled(LOG), ["queue-scaler Deployment/shop/checkout: replicas 1 → 6"]);
}

#[test]
fn what_asks_for_more_than_its_bound_is_suspect_beside_the_bound() {
    let quota = json!({"metadata": {"creationTimestamp": at(-3)},
        "spec": {"hard": {"pods": "1"}}, "status": {"hard": {"pods": "1"}, "used": {"pods": "1"}}});
    let app = checkout();
    let mut world = world(&app, []);
    world.list(Kind::ResourceQuota, Vec::new());
    world.set_time(-3);
    world.upsert(object("ResourceQuota shop/team", quota));
    world.set_time(-2);
    world.upsert(app.clone().replicas(3).top(by("scaler", -2, json!({}))));
    world.set_time(30);
    let set = app.clone().replicas(3).between(json!({"status": {"replicas": 1}})).unwrap();
    let refused = "Error creating: pods \"checkout-\" is forbidden: exceeded quota: team, requested: pods=1, used: pods=1, limited: pods=1";
    world.upsert(event(&set, "Warning", "FailedCreate", refused, 0, 25, 3));
    world.upsert(set);
    let told = suspects(&world.diagnose().faults[0]);
    assert!(told.contains(&"scaler Deployment".to_owned()), "{told:?}");
}
