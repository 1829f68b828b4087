//! What controllers of extensions say: objects that are not ready, the ones they hang on, and what is on its way.

mod argo;
mod certificate;
mod flux;
mod helm;
mod many;
mod names;
mod rest;

use super::support::*;
use afterwatch_core::{
    coverage::UnreadableReason,
    graph,
    incident::State,
    object::{Kind, Object},
    redact,
    severity::Severity::Low,
};
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[
    ("custom-resource-not-ready", a_database_that_failed_is_found),
    ("application-degraded", argo::an_application_that_cannot_be_synced_is_found),
    ("helm-release-failed", helm::a_release_that_hangs_is_found),
];

const SOURCE: &str = "source.toolkit.fluxcd.io/v1";
const KUSTOMIZE: &str = "kustomize.toolkit.fluxcd.io/v1";
const HELM: &str = "helm.toolkit.fluxcd.io/v2";
const CERTIFICATES: &str = "cert-manager.io/v1";
const ACME: &str = "acme.cert-manager.io/v1";
const ARGO: &str = "argoproj.io/v1alpha1";
const DATABASE: &str = "db.example.com/v1";

const CUSTOM: Expect = Expect {
    rule: "custom-resource-not-ready",
    object: "Database.db.example.com/shop/orders",
    subject: "Database.db.example.com/shop/orders",
    entity: "Database.db.example.com/shop/orders",
    cause: "custom-resource-failed",
    verdict: Likely,
    severity: Medium,
    ..CHECKOUT
};

/// An object of an extension's kind, as the adapter hands it over: `custom(DATABASE, "Database shop/orders", …)`.
fn custom(api_version: &str, what: &str, fields: Value) -> Object {
    let (kind, path) = what.split_once(' ').unwrap();
    let (namespace, name) = path.split_once('/').map_or((None, path), |(namespace, name)| (Some(namespace), name));
    let mut value = json!({
        "apiVersion": api_version, "kind": kind, "resource": format!("{}s", kind.to_lowercase()),
        "metadata": {"name": name, "namespace": namespace, "uid": format!("{kind}-{path}"), "generation": 1, "creationTimestamp": at(-3600)},
    });
    merge(&mut value, &fields);
    let mut object = Object::from_value(Kind::CustomResource, value).unwrap();
    redact::object(&mut object);
    object
}

fn condition(kind: &str, status: &str, reason: &str, message: &str, since: i64) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": at(since)})
}

/// One condition, of ten minutes ago.
fn says(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({"status": {"observedGeneration": 1, "conditions": [condition(kind, status, reason, message, -600)]}})
}

fn with(mut fields: Value, more: Value) -> Value {
    merge(&mut fields, &more);
    fields
}

fn owned(by: &Object) -> Value {
    let o = by.reference();
    json!({"metadata": {"ownerReferences": [
        {"apiVersion": o.api_version, "kind": o.kind, "name": o.name, "uid": o.uid, "controller": true},
    ]}})
}

fn database(fields: Value) -> Object {
    custom(DATABASE, "Database shop/orders", fields)
}

fn of(objects: impl IntoIterator<Item = Object>) -> World {
    let mut world = World::new();
    world.upsert_all(objects);
    world
}

fn failed() -> Value {
    says("Ready", "False", "ProvisionFailed", "storage quota exceeded")
}

#[test]
fn a_database_that_failed_is_found() {
    let fault = check(&of([database(failed())]), Expect { says: &["orders", "ProvisionFailed", "quota"], ..CUSTOM });
    assert_eq!(fault.title, "Database orders in shop is not ready");
}

#[test]
fn conditions_that_say_that_something_is_wrong_are_found() {
    for (kind, status, reason, severity) in [
        ("Available", "False", "MinimumReplicasMissing", Medium),
        ("Healthy", "False", "ProbeFailed", Medium),
        ("Synced", "False", "ReconcileError", Medium),
        ("Reconciled", "False", "Error", Medium),
        ("Degraded", "True", "SyncError", Medium),
        ("Stalled", "True", "RetriesExceeded", Medium),
        ("Failed", "True", "BackendError", Low),
        ("Succeeded", "False", "Failed", Low),
        ("Ready", "False", "ProgressDeadlineExceeded", Medium),
    ] {
        let world = of([database(says(kind, status, reason, "it did not work"))]);
        let fault = check(&world, Expect { severity, says: &["did not work"], ..CUSTOM });
        assert!(fault.causes[0].statement.contains(reason), "{reason}");
    }
}

#[test]
fn what_is_well_on_its_way_or_says_nothing_is_silent() {
    for fields in [
        json!({}),
        says("Ready", "True", "Ready", "all is well"),
        says("Ready", "Unknown", "Progressing", "reconciliation in progress"),
        says("Degraded", "False", "AsExpected", ""),
        says("Progressing", "False", "Done", ""),
        says("Established", "False", "NamesNotAccepted", "nobody's convention"),
        says("Upgradeable", "False", "PoolUpdating", ""),
        json!({"status": {"phase": "Failed", "state": "errored", "reason": "not a condition"}}),
        json!({"status": {"conditions": {"Ready": "False"}}}),
    ] {
        silent(&of([database(fields)]));
    }
    for reason in ["Progressing", "Reconciling", "Pending", "InProgress", "Creating", "Issuing", "WaitingForNodes"] {
        silent(&of([database(says("Ready", "False", reason, "not yet"))]));
    }
}

#[test]
fn what_is_left_alone_going_or_of_an_earlier_generation_is_silent() {
    for more in [
        json!({"spec": {"suspend": true}}),
        json!({"spec": {"paused": true}}),
        json!({"metadata": {"generation": 2}}),
        json!({"status": {"observedGeneration": null, "conditions": [
            {"type": "Ready", "status": "False", "reason": "Failed", "observedGeneration": 1, "lastTransitionTime": at(-600)},
        ]}, "metadata": {"generation": 2}}),
        json!({"metadata": {"deletionTimestamp": at(-5)}}),
    ] {
        silent(&of([database(with(failed(), more))]));
    }
}

#[test]
fn a_minute_of_ordinary_start_up_opens_nothing_and_a_vague_word_waits_longer() {
    let since = |seconds, reason, message| json!({"status": {"conditions": [condition("Ready", "False", reason, message, seconds)]}});
    ordinary(&mut of([database(since(-30, "ProvisionFailed", "no"))]), -30, 60);
    ordinary(&mut of([database(since(-30, "ClusterIsNotReady", "Cluster Is Not Ready"))]), -30, 300);
}

#[test]
fn a_secret_that_the_message_names_and_that_is_not_there_is_the_cause() {
    // Where the message does not say where it looks, that may be elsewhere.
    for (message, verdict) in [
        ("Secret \"orders-backup\" not found", Likely),
        ("secrets \"orders-backup\" not found", Likely),
        ("secrets orders-backup not found", Likely),
        ("failed to read 'shop/orders-backup': secret \"orders-backup\" not found", Established),
        ("secret \"shop/orders-backup\" not found", Established),
        ("secret \"orders-backup\" not found in namespace shop", Established),
        ("secret shop/orders-backup does not exist", Established),
    ] {
        let world = of([database(says("Ready", "False", "BackupFailed", message))]);
        check(
            &world,
            Expect {
                cause: "custom-resource-needs-missing",
                entity: "Secret/shop/orders-backup?",
                verdict,
                says: &["orders-backup", "does not exist", "BackupFailed"],
                ..CUSTOM
            },
        );
    }
}

#[test]
fn what_the_message_names_and_is_there_or_unreadable_or_no_object_is_not_blamed() {
    let named = || database(says("Ready", "False", "BackupFailed", "Secret \"orders-backup\" not found"));
    check(&of([named(), object("Secret shop/orders-backup", json!({}))]), CUSTOM);
    let mut world = of([named()]);
    world.lose(Kind::Secret, UnreadableReason::Forbidden);
    check(&world, CUSTOM);
    for message in ["key \"ca.crt\" not found", "Source artifact not found", "chart \"web\" version not found"] {
        check(&of([database(says("Ready", "False", "ArtifactFailed", message))]), CUSTOM);
    }
}

#[test]
fn a_progress_that_names_what_is_missing_gets_nowhere() {
    let world = of([database(says("Ready", "False", "Pending", "service \"orders-lb\" not found"))]);
    let expect = Expect { entity: "Service/shop/orders-lb?", ..CUSTOM };
    check(&world, Expect { cause: "custom-resource-needs-missing", ..expect });
}

#[test]
fn a_database_whose_pods_crash_is_the_fault_of_the_pods() {
    let db = database(failed());
    let app = App::of(Kind::StatefulSet, "shop/orders-db");
    let mut set = json!({});
    merge(&mut set, &owned(&db));
    let mut world = of([db]);
    let mut objects = app.objects();
    objects[0] = app.top(set);
    world.upsert_all(objects);
    world.upsert(app.pod("0", status::crashed(1, "Error", 5, -20)));
    world.refuse_logs();
    let diagnosis = world.diagnose();
    assert_eq!(diagnosis.faults.len(), 1, "{:?}", diagnosis.faults.iter().map(|f| &f.title).collect::<Vec<_>>());
    let fault = &diagnosis.faults[0];
    assert!(fault.findings.iter().any(|f| f.rule_id == "custom-resource-not-ready"), "it shows the fault as well");
    assert!(fault.causes.iter().all(|c| c.rule_id != "custom-resource-failed"), "and explains nothing");
    assert_eq!(fault.subject.key(), "Database.db.example.com/shop/orders");
    sound(&world, fault);
}

#[test]
fn two_kinds_of_one_name_are_two_objects() {
    let other = || custom("example.org/v1", "Database shop/orders", says("Ready", "True", "Ok", ""));
    for order in [[database(failed()), other()], [other(), database(failed())]] {
        check(&of(order), CUSTOM);
    }
    // A Service of Knative's is not the Service of the same name.
    let mut world = of([
        custom("serving.knative.dev/v1", "Service shop/web", says("Ready", "False", "RevisionFailed", "image failed")),
        object("Service shop/web", json!({"spec": {"type": "ExternalName", "externalName": "gateway"}})),
    ]);
    let name = "Service.serving.knative.dev/shop/web";
    check(&world, Expect { object: name, subject: name, entity: name, ..CUSTOM });
    world.delete(custom("serving.knative.dev/v1", "Service shop/web", json!({})));
    silent(&world);
    assert!(world.index.get(Kind::Service, Some("shop"), "web").is_some());
}

#[test]
fn what_heals_is_resolved() {
    let mut world = of([database(failed())]);
    world.look();
    assert!(world.only().findings.iter().any(|f| f.active));
    world.set_time(30);
    world.upsert(database(says("Ready", "True", "Running", "")));
    world.look();
    world.look_at(700);
    assert_eq!(world.incidents()[0].state, State::Resolved);
}

#[test]
fn the_same_word_in_another_look_is_the_same_incident() {
    let mut world = of([database(failed())]);
    world.look();
    world.set_time(60);
    world.list(Kind::CustomResource, vec![database(with(failed(), json!({"status": {"token": "other"}})))]);
    world.look();
    assert_eq!(world.incidents().len(), 1);
}

#[test]
fn a_change_of_what_is_wanted_is_told_by_its_generation_and_made_children_are_no_news() {
    let mut world = of([database(says("Ready", "True", "Running", ""))]);
    let change = world
        .upsert(database(with(failed(), json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 2}}))));
    assert!(change.unwrap().summary.contains("generation"), "what was changed is not read");
    let fault = check(&world, CUSTOM);
    assert!(fault.changes.iter().any(|(c, _)| c.object.kind == "Database"));
    let parent = database(json!({}));
    let child =
        |status: &str| custom(DATABASE, "Backup shop/orders-1", with(owned(&parent), says("Ready", status, "x", "")));
    assert!(world.upsert(child("True")).is_none() && world.upsert(child("False")).is_none());
    assert!(world.delete(child("False")).is_none());
}

#[test]
fn what_owns_from_outside_namespaces_is_one_object() {
    let class =
        custom("cloud.example.com/v1", "Platform shop-eu", says("Ready", "False", "ComposeFailed", "bucket denied"));
    let world = of([custom(DATABASE, "Database shop/orders", with(owned(&class), failed())), class]);
    let name = "Platform.cloud.example.com//shop-eu";
    let deep = "Database.db.example.com/shop/orders";
    let fault = check(&world, Expect { object: name, subject: name, entity: deep, ..CUSTOM });
    assert_eq!(fault.findings.len(), 2);
}

#[test]
fn a_secret_store_that_fails_explains_what_is_made_from_it_and_what_misses_it() {
    const STORE: &str = "external-secrets.io/v1";
    let app = checkout().container(json!({"envFrom": [{"secretRef": {"name": "payments"}}]}));
    let message = "secret \"payments\" not found";
    let mut world = world(&app, [app.pod("a", status::waiting("CreateContainerConfigError", message, -300))]);
    let refs = json!({"spec": {"secretStoreRef": {"name": "vault", "kind": "ClusterSecretStore"}, "target": {"name": "payments"}}});
    world.upsert_all([
        custom(
            STORE,
            "ExternalSecret shop/payments-of-vault",
            with(refs, says("Ready", "False", "SecretSyncedError", "could not get secret data from provider")),
        ),
        custom(
            STORE,
            "ClusterSecretStore vault",
            says("Ready", "False", "InvalidProviderConfig", "unable to log in: permission denied"),
        ),
    ]);
    let faults = world.diagnose().faults;
    assert_eq!(faults.len(), 1, "{:?}", faults.iter().map(|f| &f.title).collect::<Vec<_>>());
    assert_eq!(faults[0].causes[0].entity.key(), "ClusterSecretStore.external-secrets.io//vault");
    sound(&world, &faults[0]);
}

#[test]
fn the_picture_shows_what_it_stands_on_makes_and_deploys() {
    let neighbours = |world: &World, object: &Object| -> Vec<String> {
        let edges = graph::neighbours(&world.index, &object.reference());
        edges.iter().map(|e| format!("{} {} {}", e.from.name, e.relation.word(), e.to.name)).collect()
    };
    let certificate = custom(
        CERTIFICATES,
        "Certificate shop/shop-tls",
        json!({"spec": {"secretName": "tls", "issuerRef": {"name": "ca"}}, "metadata": {"labels": {"app.kubernetes.io/instance": "shop"}}}),
    );
    let issuer = custom(CERTIFICATES, "Issuer shop/ca", json!({}));
    let application = custom(ARGO, "Application argocd/shop", json!({"spec": {"destination": {"namespace": "shop"}}}));
    let release = object(
        "Secret shop/sh.helm.release.v1.web.v2",
        json!({"metadata": {"labels": {"owner": "helm", "name": "web", "status": "deployed"}}}),
    );
    let app = checkout();
    let mut world = of([certificate.clone(), issuer.clone(), application.clone(), release.clone()]);
    world.upsert(app.top(json!({"metadata": {"annotations": {"meta.helm.sh/release-name": "web"}}})));
    assert_eq!(neighbours(&world, &certificate), ["shop-tls needs ca", "shop deploys shop-tls", "shop-tls makes tls"]);
    assert_eq!(neighbours(&world, &issuer), ["shop-tls needs ca"]);
    assert_eq!(neighbours(&world, &application), ["shop deploys shop-tls"]);
    assert_eq!(neighbours(&world, &release), ["sh.helm.release.v1.web.v2 deploys checkout"]);
    assert!(neighbours(&world, &app.top(json!({}))).contains(&"sh.helm.release.v1.web.v2 deploys checkout".to_owned()));
}

#[test]
fn a_run_that_failed_is_news_for_an_hour() {
    let run = |since| {
        let conditions = json!([condition("Succeeded", "False", "Failed", "Tasks Completed: 3 (Failed: 1)", since)]);
        of([custom("tekton.dev/v1", "PipelineRun shop/build-7", json!({"status": {"conditions": conditions}}))])
    };
    let name = "PipelineRun.tekton.dev/shop/build-7";
    check(&run(-600), Expect { object: name, subject: name, entity: name, severity: Low, ..CUSTOM });
    silent(&run(-3700));
}
