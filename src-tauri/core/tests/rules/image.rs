//! Images that cannot be pulled.

use super::support::*;
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[("image-pull-failing", an_image_that_is_not_there_is_found)];

const PULL: Expect = Expect {
    rule: "image-pull-failing",
    cause: "image-not-found",
    field: "spec.template.spec.containers[app].image",
    says: &["shop/web:7", "app", "not found"],
    ..CHECKOUT
};
const NOT_FOUND: &str = "failed to resolve reference \"registry.test/shop/web:7\": registry.test/shop/web:7: not found";

fn web() -> App {
    checkout().container(json!({"image": "registry.test/shop/web:7"}))
}

/// A pod that waits for its image, with the kubelet's event of it.
fn pulling(app: &App, reason: &str, message: &str) -> World {
    let pod = app.pod("a", status::waiting(reason, message, -30));
    let failed = event(
        &pod,
        "Warning",
        "Failed",
        &format!("Failed to pull image \"registry.test/shop/web:7\": {message}"),
        -28,
        -8,
        2,
    );
    let mut world = world(app, [pod]);
    world.upsert(failed);
    world
}

#[test]
fn an_image_that_is_not_there_is_found() {
    let fault = check(&pulling(&web(), "ErrImagePull", NOT_FOUND), PULL);
    assert_eq!(fault.started_at, t(-28), "the first failed pull");
}

#[test]
fn the_reason_is_kept_when_the_status_only_says_back_off() {
    let app = web();
    let mut world = pulling(&app, "ErrImagePull", NOT_FOUND);
    world.upsert(
        app.pod("a", status::waiting("ImagePullBackOff", "Back-off pulling image \"registry.test/shop/web:7\"", -30)),
    );
    check(&world, PULL);
}

#[test]
fn refusals_of_the_registry_are_told_apart() {
    let cases = [
        ("ErrImagePull", "failed to authorize: 401 Unauthorized", "image-unauthorised", "pull secret"),
        (
            "ErrImagePull",
            "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
            "image-unauthorised",
            "denies access",
        ),
        ("ErrImagePull", "dial tcp: lookup registry.test: no such host", "image-registry-unreachable", "no such host"),
        (
            "ErrImagePull",
            "unexpected status from HEAD request to https://r/v2/: 429 Too Many Requests",
            "image-rate-limited",
            "429",
        ),
        ("ErrImagePull", "no match for platform in manifest: not found", "image-wrong-platform", "platform"),
        (
            "InvalidImageName",
            "Failed to apply default image tag: couldn't parse image name: invalid reference format",
            "image-bad-name",
            "not a valid image reference",
        ),
        ("ErrImageNeverPull", "Container image is not present with pull policy of Never", "image-never-pull", "Never"),
    ];
    for (reason, message, cause, word) in cases {
        let fault = check(&pulling(&web(), reason, message), Expect { cause, says: &["app"], ..PULL });
        assert!(fault.causes[0].statement.contains(word), "{word}: {}", fault.causes[0].statement);
    }
}

#[test]
fn a_pull_secret_that_does_not_exist_is_the_cause_of_a_refusal() {
    let app = web().spec(json!({"imagePullSecrets": [{"name": "registry-login"}]}));
    let world = pulling(&app, "ErrImagePull", "failed to authorize: 401 Unauthorized");
    let expect = Expect {
        cause: "image-unauthorised",
        entity: "Secret/shop/registry-login?",
        field: "spec.template.spec.imagePullSecrets",
        says: &["registry-login", "does not exist"],
        ..PULL
    };
    let fault = check(&world, expect);
    assert_eq!(fault.causes[0].referrer.as_ref().map(|r| r.key()).as_deref(), Some("Deployment/shop/checkout"));
}

#[test]
fn a_secret_that_may_not_be_read_is_not_called_missing() {
    let app = web().spec(json!({"imagePullSecrets": [{"name": "registry-login"}]}));
    let mut world = pulling(&app, "ErrImagePull", "failed to authorize: 401 Unauthorized");
    world.lose(afterwatch_core::object::Kind::Secret, afterwatch_core::coverage::UnreadableReason::Forbidden);
    check(&world, Expect { cause: "image-unauthorised", says: &["denies access"], ..PULL });
}

#[test]
fn old_pods_that_still_serve_make_it_less_severe() {
    let app = web();
    let mut world = pulling(&app, "ErrImagePull", NOT_FOUND);
    world.upsert(app.pod("old", status::ready(-3000)));
    // As many serve as are wanted: a roll-out is stuck, nothing is lost.
    check(&world, Expect { severity: Medium, ..PULL });
}

#[test]
fn a_failed_pull_is_held_for_three_seconds() {
    let app = web();
    let pod = app.pod("a", status::waiting("ErrImagePull", NOT_FOUND, 0));
    held(&mut world(&app, [pod]), 0, 3);
}

#[test]
fn pods_that_are_being_made_are_silent() {
    for reason in ["ContainerCreating", "PodInitializing"] {
        let app = web();
        let pod = app.pod("a", status::waiting(reason, "", -20));
        let mut world = world(&app, [pod.clone()]);
        world.upsert(event(&pod, "Normal", "Pulling", "Pulling image \"registry.test/shop/web:7\"", -20, -20, 1));
        silent(&world);
    }
}
