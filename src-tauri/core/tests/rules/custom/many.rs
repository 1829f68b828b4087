//! Thousands of custom resources fail at once.

use super::super::load::{LIMIT, seconds};
use super::*;

#[test]
fn two_thousand_certificates_of_one_issuer_that_fails_are_diagnosed_in_time() {
    let refs = json!({"spec": {"issuerRef": {"name": "letsencrypt"}}});
    let waits = says("Ready", "False", "IssuerNotReady", "Referenced issuer is not ready");
    let fields = with(refs, waits);
    let mut all = vec![custom(
        CERTIFICATES,
        "Issuer shop/letsencrypt",
        says("Ready", "False", "ErrRegisterACMEAccount", "Failed to register ACME account: 403"),
    )];
    all.extend((0..2000).map(|n| {
        let secret = json!({"spec": {"secretName": format!("site-{n}-tls")}});
        custom(CERTIFICATES, &format!("Certificate shop/site-{n}"), with(secret, fields.clone()))
    }));
    let mut world = World::new();
    world.list(Kind::CustomResource, all);
    let took = seconds(&world, 1);
    assert!(took < LIMIT, "certificates: {took} s");
}

#[test]
fn two_thousand_kustomizations_whose_deployments_crash_are_diagnosed_in_time() {
    let unhealthy = says("Ready", "False", "HealthCheckFailed", "timeout waiting for a Deployment");
    let (mut all, mut tops, mut sets, mut pods) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for n in 0..2000 {
        let app = App::deployment(&format!("team-{}/app-{n}", n % 10));
        let labels = json!({"metadata": {"labels": {
            "kustomize.toolkit.fluxcd.io/name": format!("app-{n}"), "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
        }}});
        tops.push(app.top(labels));
        sets.extend(app.between(json!({})));
        pods.push(app.pod("a", status::crashed(137, "OOMKilled", 3, -5)));
        all.push(custom(KUSTOMIZE, &format!("Kustomization flux-system/app-{n}"), unhealthy.clone()));
    }
    let mut world = World::new();
    world.list(Kind::Deployment, tops);
    world.list(Kind::ReplicaSet, sets);
    world.list(Kind::Pod, pods);
    world.list(Kind::CustomResource, all);
    let took = seconds(&world, 2000);
    assert!(took < LIMIT, "kustomizations: {took} s");
}
