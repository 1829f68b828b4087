//! Pods that an admission webhook holds up which cannot be asked.

use super::*;

/// A configuration whose webhook is behind a Service of `ops`.
fn hook() -> Object {
    let client = json!({"service": {"namespace": "ops", "name": "guard"}});
    object(
        "ValidatingWebhookConfiguration guards",
        json!({"webhooks": [{"name": "guard.corp.test", "failurePolicy": "Fail", "clientConfig": client}]}),
    )
}

pub fn unreachable(why: &str) -> String {
    format!(
        "Internal error occurred: failed calling webhook \"guard.corp.test\": failed to call webhook: Post \"https://guard.ops.svc:443/check?timeout=10s\": {why}"
    )
}

const WEBHOOK: Expect = Expect { cause: "webhook-unreachable", ..REFUSED };

#[test]
fn a_webhook_whose_service_is_missing_names_the_service() {
    let mut world = refused(&checkout(), &unreachable("service \"guard\" not found"));
    world.upsert(hook());
    let fault = check(
        &world,
        Expect {
            entity: "Service/ops/guard?",
            says: &["guard.corp.test", "guards", "not found", "failurePolicy is Fail"],
            ..WEBHOOK
        },
    );
    let referrer = fault.causes[0].referrer.as_ref().map(|r| r.key());
    assert_eq!(referrer.as_deref(), Some("ValidatingWebhookConfiguration//guards"));
}

#[test]
fn a_webhook_without_pods_names_the_service_or_what_was_scaled_away() {
    let guard = App::deployment("ops/guard");
    let mut world = refused(&checkout(), &unreachable("no endpoints available for service \"guard\""));
    world.upsert_all([hook(), guard.service(json!({})), guard.top(json!({"status": {"replicas": 1}}))]);
    let fault = world.diagnose().faults.remove(0);
    assert_eq!(fault.causes[0].entity.key(), "Service/ops/guard", "{}", fault.causes[0].statement);
    says(&fault.causes[0], &["has no ready endpoints", "Deployment guard"]);
    world.upsert(guard.replicas(0).top(json!({})));
    let fault = world.diagnose().faults.remove(0);
    assert_eq!(fault.causes[0].entity.key(), "Deployment/ops/guard", "{}", fault.causes[0].statement);
    says(&fault.causes[0], &["scaled to zero"]);
}

#[test]
fn a_webhook_that_answers_wrongly_is_its_configurations() {
    let guard = App::deployment("ops/guard");
    for (why, verdict, word) in [
        ("dial tcp 10.0.0.9:443: connect: connection refused", Likely, "connection refused"),
        ("context deadline exceeded", Likely, "in time"),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", Established, "x509"),
    ] {
        let mut world = refused(&checkout(), &unreachable(why));
        world.upsert_all([hook(), guard.service(json!({})), guard.endpoints(&[true])]);
        world.run(&guard, [guard.pod("a", status::ready(-600))]);
        let expect = Expect {
            entity: "ValidatingWebhookConfiguration//guards",
            field: "webhooks[guard.corp.test].clientConfig",
            verdict,
            ..WEBHOOK
        };
        says(&check(&world, expect).causes[0], &["guard.corp.test", word]);
    }
}

#[test]
fn a_webhook_that_stops_many_namespaces_is_one_fault() {
    let mut world = World::new();
    world.upsert(hook());
    for app in [checkout(), App::deployment("blog/web"), App::deployment("ops/mailer")] {
        refuse(&mut world, &app, &unreachable("service \"guard\" not found"));
    }
    let faults = world.diagnose().faults;
    assert_eq!(faults.len(), 1, "one webhook, one fault");
    assert_eq!(faults[0].causes[0].entity.key(), "Service/ops/guard");
}

#[test]
fn how_long_the_api_server_waits_is_no_reason() {
    let hook = object(
        "MutatingWebhookConfiguration injector",
        json!({"webhooks": [{"name": "guard.corp.test", "failurePolicy": "Fail", "clientConfig": {"url": "https://injector.mesh.invalid:9443/inject"}}]}),
    );
    for (why, says) in [
        ("dial tcp: lookup injector.mesh.invalid on 10.96.0.10:53: no such host", "does not resolve (no such host)"),
        ("dial tcp 10.9.9.9:9443: connect: no route to host", "no route to host"),
        ("context deadline exceeded", "does not answer in time"),
    ] {
        let mut world = refused(
            &checkout(),
            &format!(
                "Internal error occurred: failed calling webhook \"guard.corp.test\": failed to call webhook: Post \"https://injector.mesh.invalid:9443/inject?timeout=3s\": {why}"
            ),
        );
        world.upsert(hook.clone());
        let statement = world.diagnose().faults[0].causes[0].statement.clone();
        assert!(statement.contains(says), "{statement}");
        assert_eq!(statement.contains("(timeout)"), says.contains("in time"), "{statement}");
    }
}
