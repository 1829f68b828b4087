//! cert-manager: from a Certificate down to who signs it.

use super::*;

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

#[test]
fn an_attempt_that_failed_before_a_later_one_succeeded_is_the_past() {
    let well = certificate(says("Ready", "True", "Ready", "Certificate is up to date"));
    let old = request(&well, says("Ready", "False", "Failed", "the order is invalid"));
    silent(&of([well, old, issuer(says("Ready", "True", "ACMEAccountRegistered", ""))]));
}

#[test]
fn a_certificate_that_cannot_be_renewed_is_told_while_the_old_one_is_good() {
    let fields = json!({"status": {"conditions": [
        condition("Ready", "True", "Ready", "Certificate is up to date", -9000),
        condition("Issuing", "False", "Failed", "The certificate request has failed to complete and will be retried: rate limited", -600),
    ]}});
    let renewing = certificate(fields);
    let failed =
        request(&renewing, says("Ready", "False", "Failed", "rate limited: too many certificates already issued"));
    let well = issuer(says("Ready", "True", "ACMEAccountRegistered", ""));
    let entity = "CertificateRequest.cert-manager.io/shop/shop-tls-1";
    let fault = check(&of([renewing, failed, well]), Expect { entity, says: &["too many"], ..CERTIFICATE });
    assert_eq!(fault.title, "Certificate shop-tls in shop is not renewed");
}

#[test]
fn an_issuer_of_a_kind_that_may_not_be_readable_is_not_called_missing() {
    let alone = || certificate(issuing(-900));
    check(&of([alone()]), CERTIFICATE);
    let other = custom(CERTIFICATES, "ClusterIssuer other", says("Ready", "True", "ACMEAccountRegistered", ""));
    let entity = "ClusterIssuer.cert-manager.io//letsencrypt?";
    check(&of([alone(), other]), Expect { entity, cause: "custom-resource-needs-missing", ..CERTIFICATE });
}
