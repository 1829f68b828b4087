//! What controllers of extensions say: objects that are not ready, the ones they hang on, and what is on its way.

use super::support::*;
use afterwatch_core::{
    coverage::UnreadableReason,
    object::{Kind, Object},
    redact,
    severity::Severity::Low,
};
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[
    ("custom-resource-not-ready", a_database_that_failed_is_found),
    ("application-degraded", an_application_that_cannot_be_synced_is_found),
    ("helm-release-failed", a_release_that_hangs_is_found),
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
    for message in [
        "Secret \"orders-backup\" not found",
        "secrets \"orders-backup\" not found",
        "failed to read 'shop/orders-backup': secret \"shop/orders-backup\" not found",
        "secret shop/orders-backup does not exist",
    ] {
        let world = of([database(says("Ready", "False", "BackupFailed", message))]);
        check(
            &world,
            Expect {
                cause: "custom-resource-needs-missing",
                entity: "Secret/shop/orders-backup?",
                verdict: Established,
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
    let expect = Expect { entity: "Service/shop/orders-lb?", verdict: Established, ..CUSTOM };
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

// ------------------------------------------------------------------ Flux

fn repository(fields: Value) -> Object {
    custom(SOURCE, "GitRepository flux-system/shop", fields)
}

fn kustomization(name: &str, fields: Value) -> Object {
    let refs = json!({"spec": {"sourceRef": {"kind": "GitRepository", "name": "shop"}}});
    custom(KUSTOMIZE, &format!("Kustomization flux-system/{name}"), with(refs, fields))
}

const REPOSITORY: Expect = Expect {
    object: "GitRepository.source.toolkit.fluxcd.io/flux-system/shop",
    subject: "GitRepository.source.toolkit.fluxcd.io/flux-system/shop",
    entity: "GitRepository.source.toolkit.fluxcd.io/flux-system/shop",
    ..CUSTOM
};

fn no_clone() -> Value {
    says("Ready", "False", "GitOperationFailed", "failed to checkout: authentication required: repository denied")
}

#[test]
fn a_source_that_fails_is_the_cause_of_what_is_made_from_it() {
    let waits = || says("Ready", "False", "ArtifactFailed", "Source artifact not found, retrying in 30s");
    let objects = || [repository(no_clone()), kustomization("shop", waits()), kustomization("infra", waits())];
    let fault = check(&of(objects()), Expect { says: &["GitRepository shop", "authentication"], ..REPOSITORY });
    assert_eq!(fault.findings.len(), 3);
    let mut backwards = objects();
    backwards.reverse();
    check(&of(backwards), REPOSITORY);
}

#[test]
fn a_source_without_its_secret_is_explained_by_the_secret() {
    let world = of([
        repository(says(
            "Ready",
            "False",
            "AuthenticationFailed",
            "failed to get authentication secret 'flux-system/git-auth': secrets \"git-auth\" not found",
        )),
        kustomization("shop", says("Ready", "False", "ArtifactFailed", "Source artifact not found")),
    ]);
    check(
        &world,
        Expect {
            cause: "custom-resource-needs-missing",
            entity: "Secret/flux-system/git-auth?",
            subject: "Secret/flux-system/git-auth",
            verdict: Established,
            ..REPOSITORY
        },
    );
}

#[test]
fn a_source_that_nobody_made_is_missed() {
    let world = of([
        kustomization(
            "shop",
            says("Ready", "False", "ArtifactFailed", "GitRepository.source.toolkit.fluxcd.io \"shop\" not found"),
        ),
        custom(SOURCE, "GitRepository flux-system/other", says("Ready", "True", "Succeeded", "")),
    ]);
    check(
        &world,
        Expect {
            object: "Kustomization.kustomize.toolkit.fluxcd.io/flux-system/shop",
            subject: "Kustomization.kustomize.toolkit.fluxcd.io/flux-system/shop",
            cause: "custom-resource-needs-missing",
            entity: "GitRepository.source.toolkit.fluxcd.io/flux-system/shop?",
            ..CUSTOM
        },
    );
}

fn waiting() -> Value {
    with(
        says("Ready", "False", "DependencyNotReady", "dependency 'flux-system/infra' is not ready"),
        json!({"spec": {"dependsOn": [{"name": "infra"}]}}),
    )
}

#[test]
fn a_dependency_that_fails_explains_what_waits_for_it() {
    let broken =
        || kustomization("infra", says("Ready", "False", "BuildFailed", "kustomize build failed: invalid resource"));
    let infra = "Kustomization.kustomize.toolkit.fluxcd.io/flux-system/infra";
    let expect = Expect { object: infra, entity: infra, subject: infra, says: &["BuildFailed"], ..CUSTOM };
    let source = || repository(says("Ready", "True", "Succeeded", ""));
    check(&of([kustomization("shop", waiting()), broken(), source()]), expect);
    check(&of([source(), broken(), kustomization("shop", waiting())]), expect);
}

#[test]
fn what_waits_for_a_dependency_that_is_on_its_way_is_silent() {
    let on_its_way = says("Ready", "Unknown", "Progressing", "");
    silent(&of([kustomization("shop", waiting()), kustomization("infra", on_its_way), repository(json!({}))]));
}

#[test]
fn a_kustomization_whose_deployment_crashes_joins_it() {
    let app = checkout();
    let labels = json!({"metadata": {"labels": {
        "kustomize.toolkit.fluxcd.io/name": "shop", "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
    }}});
    let mut world = world(&app, [app.pod("a", status::crashed(1, "Error", 5, -20))]);
    world.upsert(app.top(labels));
    world.refuse_logs();
    let unhealthy = says(
        "Ready",
        "False",
        "HealthCheckFailed",
        "timeout waiting for: [Deployment/shop/checkout status: 'InProgress']",
    );
    world.upsert_all([kustomization("shop", unhealthy), repository(says("Ready", "True", "Succeeded", ""))]);
    let faults = world.diagnose().faults;
    assert_eq!(faults.iter().map(|f| f.subject.key()).collect::<Vec<_>>(), ["Deployment/shop/checkout"]);
    assert!(faults[0].findings.iter().any(|f| f.object.kind == "Kustomization"));
    sound(&world, &faults[0]);
    // What cannot even be built is a fault of its own.
    world.upsert(kustomization("shop", says("Ready", "False", "BuildFailed", "kustomize build failed")));
    assert_eq!(world.diagnose().faults.len(), 2);
}

#[test]
fn a_helm_release_without_its_chart_is_explained_by_the_chart() {
    let chart = json!({"spec": {"chart": {"spec": {"chart": "web", "sourceRef": {"kind": "HelmRepository", "name": "charts", "namespace": "flux-system"}}}}});
    let release = custom(
        HELM,
        "HelmRelease shop/web",
        with(
            chart,
            says(
                "Ready",
                "False",
                "SourceNotReady",
                "HelmChart 'flux-system/shop-web' is not ready: invalid chart reference",
            ),
        ),
    );
    let source = json!({"spec": {"sourceRef": {"kind": "HelmRepository", "name": "charts"}}});
    let fails = says("Ready", "False", "InvalidChartReference", "no 'web' chart with version matching '9.x' found");
    let world = of([
        release,
        custom(SOURCE, "HelmChart flux-system/shop-web", with(source, fails)),
        custom(SOURCE, "HelmRepository flux-system/charts", says("Ready", "True", "Succeeded", "")),
    ]);
    let name = "HelmChart.source.toolkit.fluxcd.io/flux-system/shop-web";
    check(&world, Expect { object: name, subject: name, entity: name, says: &["9.x"], ..CUSTOM });
}

// ------------------------------------------------------------------ cert-manager

fn certificate(fields: Value) -> Object {
    let spec =
        json!({"spec": {"secretName": "shop-tls", "issuerRef": {"name": "letsencrypt", "kind": "ClusterIssuer"}}});
    custom(CERTIFICATES, "Certificate shop/shop-tls", with(spec, fields))
}

fn issuing(since: i64) -> Value {
    let message = "Issuing certificate as Secret does not exist";
    json!({"status": {"conditions": [
        condition("Ready", "False", "DoesNotExist", message, since), condition("Issuing", "True", "DoesNotExist", message, since),
    ]}})
}

fn request(of: &Object, fields: Value) -> Object {
    let spec = json!({"spec": {"issuerRef": {"name": "letsencrypt", "kind": "ClusterIssuer"}}});
    custom(CERTIFICATES, "CertificateRequest shop/shop-tls-1", with(with(spec, owned(of)), fields))
}

fn issuer(fields: Value) -> Object {
    custom(CERTIFICATES, "ClusterIssuer letsencrypt", fields)
}

const CERTIFICATE: Expect = Expect {
    object: "Certificate.cert-manager.io/shop/shop-tls",
    subject: "Certificate.cert-manager.io/shop/shop-tls",
    entity: "Certificate.cert-manager.io/shop/shop-tls",
    ..CUSTOM
};

#[test]
fn a_certificate_that_is_being_issued_has_ten_minutes() {
    let ready = || issuer(says("Ready", "True", "ACMEAccountRegistered", ""));
    ordinary(&mut of([certificate(issuing(-30)), ready()]), -30, 600);
}

#[test]
fn an_issuer_that_nobody_made_is_what_the_certificate_misses() {
    let objects = || {
        let certificate = certificate(issuing(-300));
        let request = request(
            &certificate,
            says(
                "Ready",
                "False",
                "Pending",
                "Referenced \"ClusterIssuer\" not found: clusterissuer.cert-manager.io \"letsencrypt\" not found",
            ),
        );
        [certificate, request]
    };
    let expect = Expect {
        entity: "ClusterIssuer.cert-manager.io//letsencrypt?",
        cause: "custom-resource-needs-missing",
        says: &["letsencrypt", "does not exist"],
        ..CERTIFICATE
    };
    let fault = check(&of(objects()), expect);
    assert_eq!(fault.findings.len(), 2, "the certificate and its request");
    let mut backwards = objects();
    backwards.reverse();
    check(&of(backwards), expect);
}

#[test]
fn an_issuer_that_is_not_ready_is_the_cause() {
    let broken = issuer(says("Ready", "False", "ErrRegisterACMEAccount", "Failed to register ACME account: 403"));
    let certificate = certificate(issuing(-300));
    let request = request(
        &certificate,
        says("Ready", "False", "Pending", "Referenced issuer does not have a Ready status condition"),
    );
    let name = "ClusterIssuer.cert-manager.io//letsencrypt";
    check(
        &of([certificate, request, broken]),
        Expect { object: name, subject: name, entity: name, says: &["ErrRegisterACMEAccount"], ..CUSTOM },
    );
}

#[test]
fn a_challenge_that_cannot_be_answered_is_the_deepest() {
    let certificate = certificate(issuing(-1200));
    let request = request(
        &certificate,
        says("Ready", "False", "Pending", "Waiting on certificate issuance from order shop/shop-tls-1-1: \"pending\""),
    );
    let order = custom(ACME, "Order shop/shop-tls-1-1", with(owned(&request), json!({"status": {"state": "pending"}})));
    let reason = "Waiting for HTTP-01 challenge propagation: failed to perform self check GET request: no such host";
    let challenge = custom(
        ACME,
        "Challenge shop/shop-tls-1-1-1",
        with(owned(&order), json!({"status": {"state": "pending", "reason": reason}})),
    );
    let well = issuer(says("Ready", "True", "ACMEAccountRegistered", ""));
    let objects = [challenge, order, request, certificate, well];
    let expect =
        Expect { entity: "Challenge.acme.cert-manager.io/shop/shop-tls-1-1-1", says: &["no such host"], ..CERTIFICATE };
    check(&of(objects.clone()), expect);
    let mut backwards = objects;
    backwards.reverse();
    check(&of(backwards), expect);
}

#[test]
fn a_pod_that_misses_the_secret_of_a_certificate_is_explained_by_it() {
    let app = checkout().spec(json!({"volumes": [{"name": "tls", "secret": {"secretName": "shop-tls"}}]}));
    let mut world = world(&app, [app.pod("a", status::waiting("ContainerCreating", "", -400))]);
    let pod = app.pod("a", status::waiting("ContainerCreating", "", -400));
    world.upsert(event(
        &pod,
        "Warning",
        "FailedMount",
        "MountVolume.SetUp failed for volume \"tls\" : secret \"shop-tls\" not found",
        -390,
        -20,
        8,
    ));
    let broken = issuer(says("Ready", "False", "ErrRegisterACMEAccount", "Failed to register ACME account: 403"));
    world.upsert_all([certificate(issuing(-900)), broken]);
    let faults = world.diagnose().faults;
    assert_eq!(faults.len(), 1, "{:?}", faults.iter().map(|f| &f.title).collect::<Vec<_>>());
    assert_eq!(faults[0].causes[0].entity.key(), "ClusterIssuer.cert-manager.io//letsencrypt");
    sound(&world, &faults[0]);
}

// ------------------------------------------------------------------ Argo CD

fn application(status: Value) -> Object {
    let fields = json!({"spec": {"destination": {"namespace": "shop"}}, "status": status});
    custom(ARGO, "Application argocd/shop", fields)
}

const APPLICATION: Expect = Expect {
    rule: "application-degraded",
    object: "Application.argoproj.io/argocd/shop",
    subject: "Application.argoproj.io/argocd/shop",
    entity: "Application.argoproj.io/argocd/shop",
    ..CUSTOM
};

fn degraded() -> Value {
    json!({"sync": {"status": "Synced"}, "health": {"status": "Degraded", "lastTransitionTime": at(-300)}, "operationState": {"phase": "Succeeded"}})
}

#[test]
fn an_application_that_cannot_be_synced_is_found() {
    let failed = |message: &str| {
        application(json!({
            "sync": {"status": "OutOfSync"}, "health": {"status": "Healthy"},
            "operationState": {"phase": "Failed", "message": message, "finishedAt": at(-300)},
        }))
    };
    let fault = check(
        &of([failed("one or more objects failed to apply: admission denied")]),
        Expect { says: &["admission denied"], ..APPLICATION },
    );
    assert_eq!(fault.title, "Application shop in argocd cannot be synced");
    check(
        &of([failed("one or more objects failed to apply, reason: namespaces \"shop\" not found")]),
        Expect {
            cause: "custom-resource-needs-missing",
            entity: "Namespace//shop?",
            verdict: Established,
            ..APPLICATION
        },
    );
}

#[test]
fn an_application_that_is_degraded_or_misses_resources_is_found() {
    check(&of([application(degraded())]), APPLICATION);
    let missing = with(degraded(), json!({"health": {"status": "Missing"}}));
    check(&of([application(missing)]), APPLICATION);
}

#[test]
fn an_application_on_its_way_or_never_asked_to_sync_is_silent() {
    for status in [
        json!({"sync": {"status": "Synced"}, "health": {"status": "Healthy"}, "operationState": {"phase": "Succeeded"}}),
        json!({"sync": {"status": "OutOfSync"}, "health": {"status": "Healthy"}, "operationState": {"phase": "Succeeded"}}),
        json!({"sync": {"status": "OutOfSync"}, "health": {"status": "Missing"}}),
        json!({"sync": {"status": "Synced"}, "health": {"status": "Progressing"}}),
        json!({"sync": {"status": "Synced"}, "health": {"status": "Suspended"}}),
        json!({"sync": {"status": "OutOfSync"}, "health": {"status": "Missing"}, "operationState": {"phase": "Running"}}),
        json!({"sync": {"status": "Synced"}, "health": {"status": "Healthy"}, "operationState": {"phase": "Failed", "message": "an old one"}}),
    ] {
        silent(&of([application(status)]));
    }
    let mut young = degraded();
    merge(&mut young, &json!({"health": {"lastTransitionTime": at(-20)}}));
    ordinary(&mut of([application(young)]), -20, 60);
}

#[test]
fn an_application_whose_pods_crash_joins_them_by_label_or_tracking_id() {
    for metadata in [
        json!({"labels": {"app.kubernetes.io/instance": "shop"}}),
        json!({"labels": {"argocd.argoproj.io/instance": "shop"}}),
        json!({"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/checkout"}}),
    ] {
        let app = checkout();
        let mut world = world(&app, [app.pod("a", status::crashed(1, "Error", 5, -20))]);
        world.upsert(app.top(json!({ "metadata": metadata })));
        world.refuse_logs();
        world.upsert(application(degraded()));
        let faults = world.diagnose().faults;
        assert_eq!(
            faults.iter().map(|f| f.subject.key()).collect::<Vec<_>>(),
            ["Deployment/shop/checkout"],
            "{metadata}"
        );
        assert!(faults[0].findings.iter().any(|f| f.rule_id == "application-degraded"));
    }
}

#[test]
fn an_application_is_not_joined_to_what_another_deployed() {
    let app = checkout();
    let mut world = world(&app, [app.pod("a", status::crashed(1, "Error", 5, -20))]);
    world.upsert(app.top(json!({"metadata": {"labels": {"app.kubernetes.io/instance": "billing"}}})));
    world.refuse_logs();
    world.upsert(application(degraded()));
    assert_eq!(world.diagnose().faults.len(), 2);
}

// ------------------------------------------------------------------ Helm

fn release(revision: u32, status: &str, since: i64) -> Object {
    object(
        &format!("Secret shop/sh.helm.release.v1.web.v{revision}"),
        json!({"metadata": {"labels": {"owner": "helm", "name": "web", "status": status, "version": revision.to_string(), "modifiedAt": t(since).as_second().to_string()}}}),
    )
}

#[test]
fn a_release_that_hangs_is_found() {
    let name = "Secret/shop/sh.helm.release.v1.web.v3";
    let expect = Expect {
        rule: "helm-release-failed",
        cause: "helm-release-pending",
        object: name,
        subject: name,
        entity: name,
        ..CUSTOM
    };
    for status in ["pending-install", "pending-upgrade", "pending-rollback"] {
        let world = of([release(2, "deployed", -9000), release(3, status, -900)]);
        check(&world, Expect { says: &["web", "revision 3", "pending-"], ..expect });
    }
    ordinary(&mut of([release(1, "pending-install", -30)]), -30, 600);
}

#[test]
fn a_release_that_failed_is_low_and_one_of_long_ago_is_silent() {
    let name = "Secret/shop/sh.helm.release.v1.web.v3";
    let expect = Expect {
        rule: "helm-release-failed",
        cause: "helm-release-failed",
        object: name,
        subject: name,
        entity: name,
        severity: Low,
        ..CUSTOM
    };
    check(&of([release(2, "deployed", -9000), release(3, "failed", -900)]), expect);
    silent(&of([release(3, "failed", -90_000)]));
    silent(&of([release(3, "failed", -900), release(4, "deployed", -100)]));
    silent(&of([release(9, "superseded", -900), release(10, "deployed", -100)]));
    silent(&of([object(
        "Secret shop/sh.helm.release.v1.web.v1",
        json!({"metadata": {"labels": {"status": "failed"}}}),
    )]));
}

#[test]
fn a_failed_release_is_told_with_the_workload_that_fails_and_among_its_changes() {
    let app = checkout();
    let mut world = world(&app, [app.pod("a", status::ready(-600))]);
    world.upsert(app.top(json!({"metadata": {"annotations": {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop"}}})));
    world.set_time(60);
    let mut seven = release(7, "failed", 58);
    seven.meta_mut().creation_timestamp = Some(t(55));
    world.upsert(seven);
    world.upsert(app.pod("a", status::crashed(1, "Error", 3, 60)));
    world.set_time(130);
    world.upsert(app.pod("a", status::crashed(1, "Error", 5, 120)));
    world.refuse_logs();
    let faults = world.diagnose().faults;
    assert_eq!(faults.iter().map(|f| f.subject.key()).collect::<Vec<_>>(), ["Deployment/shop/checkout"]);
    let fault = &faults[0];
    assert!(fault.evidence.iter().any(|e| e.summary == "Helm release web revision 7 failed"));
    assert!(
        fault.changes.iter().any(|(c, _)| c.summary == "Helm release web revision 7 failed"),
        "{:?}",
        fault.changes
    );
    sound(&world, fault);
}
