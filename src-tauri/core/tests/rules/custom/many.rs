//! One issuer takes thousands of certificates down with it.

use super::super::load::{LIMIT, seconds};
use super::*;

#[test]
fn two_thousand_certificates_of_one_issuer_that_fails_are_diagnosed_in_time() {
    let refs = json!({"spec": {"issuerRef": {"name": "letsencrypt", "kind": "ClusterIssuer"}}});
    let labels = json!({"metadata": {"labels": {
        "app.kubernetes.io/instance": "sites",
        "kustomize.toolkit.fluxcd.io/name": "sites",
        "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
    }}});
    let waits = says("Ready", "False", "IssuerNotReady", "Referenced issuer is not ready");
    let fields = with(with(refs, labels), waits);
    let mut all = vec![custom(
        CERTIFICATES,
        "ClusterIssuer letsencrypt",
        says("Ready", "False", "ErrRegisterACMEAccount", "Failed to register ACME account: 403"),
    )];
    all.extend((0..2000).map(|n| {
        let secret = json!({"spec": {"secretName": format!("site-{n}-tls")}});
        custom(CERTIFICATES, &format!("Certificate team-{}/site-{n}", n % 10), with(secret, fields.clone()))
    }));
    let mut world = World::new();
    world.list(Kind::CustomResource, all);
    let took = seconds(&world, 1);
    assert!(took < LIMIT, "certificates: {took} s");
}
