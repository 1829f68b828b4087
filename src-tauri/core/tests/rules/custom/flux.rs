//! Flux: sources, what is made from them, and what waits for another.

use super::*;

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

#[test]
fn a_dependency_that_nobody_made_is_missed() {
    let shop = "Kustomization.kustomize.toolkit.fluxcd.io/flux-system/shop";
    check(
        &of([kustomization("shop", waiting()), repository(says("Ready", "True", "Succeeded", ""))]),
        Expect {
            object: shop,
            subject: shop,
            cause: "custom-resource-needs-missing",
            entity: "Kustomization.kustomize.toolkit.fluxcd.io/flux-system/infra?",
            ..CUSTOM
        },
    );
}
