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
        ("ErrImagePull", "dial tcp: lookup registry.test: no such host", "image-registry-unresolved", "no such host"),
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
fn a_pull_secret_that_is_no_login_is_the_cause_of_a_refusal() {
    let app = web().spec(json!({"imagePullSecrets": [{"name": "registry-login"}]}));
    let mut world = pulling(&app, "ErrImagePull", "failed to authorize: 401 Unauthorized");
    let login = |keys: Value| object("Secret shop/registry-login", json!({"keys": keys}));
    world.upsert(login(json!(["password", "username"])));
    let expect = Expect { cause: "image-unauthorised", ..PULL };
    check(
        &world,
        Expect {
            entity: "Secret/shop/registry-login",
            field: "type",
            says: &["registry-login", ".dockerconfigjson", "username"],
            ..expect
        },
    );
    // A login is one, be it the right one or not; and of keys that are not known nothing is said.
    for keys in [json!([".dockerconfigjson"]), Value::Null] {
        world.upsert(login(keys));
        check(&world, Expect { says: &["registry-login exists"], ..expect });
    }
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

#[test]
fn an_architecture_that_the_image_lacks_is_told_with_the_nodes() {
    for message in [
        "failed to pull and unpack image \"registry.test/shop/web:7\": no match for platform in manifest: not found",
        "no matching manifest for linux/arm64/v8 in the manifest list entries",
    ] {
        let mut world = pulling(&web(), "ErrImagePull", message);
        let mut node = World::node("node-a", "True");
        if let afterwatch_core::object::Object::Node(n) = &mut node {
            n.status.node_info.architecture = "arm64".into();
            n.status.node_info.operating_system = "linux".into();
        }
        world.upsert(node);
        check(
            &world,
            Expect {
                cause: "image-wrong-platform",
                says: &["platform", "Node node-a is linux/arm64", "shop/web:7"],
                ..PULL
            },
        );
    }
}

#[test]
fn registries_that_do_not_answer_are_named_and_told_apart() {
    for (message, cause, word) in [
        (
            "dial tcp: lookup registry.test on 10.0.0.10:53: no such host",
            "image-registry-unresolved",
            "does not resolve",
        ),
        ("dial tcp 10.9.9.9:443: i/o timeout", "image-registry-unreachable", "i/o timeout"),
        (
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "image-registry-untrusted",
            "x509",
        ),
        ("http: server gave HTTP response to HTTPS client", "image-registry-untrusted", "HTTPS"),
    ] {
        let fault = check(
            &pulling(&web(), "ErrImagePull", message),
            Expect { cause, says: &["registry registry.test"], ..PULL },
        );
        says(&fault.causes[0], &[word]);
    }
}

#[test]
fn a_login_that_is_there_and_does_not_help_is_told_so() {
    let app = web().spec(json!({"imagePullSecrets": [{"name": "registry-login"}]}));
    let mut world = pulling(&app, "ErrImagePull", "failed to authorize: 401 Unauthorized");
    world.upsert(object("Secret shop/registry-login", json!({})));
    check(
        &world,
        Expect { cause: "image-unauthorised", says: &["registry-login exists", "does not hold a login"], ..PULL },
    );
}

#[test]
fn a_pull_secret_that_the_kubelet_could_not_read_is_named_by_its_event() {
    let app = web().spec(json!({"imagePullSecrets": [{"name": "registry-login"}]}));
    let mut world = pulling(&app, "ErrImagePull", "failed to authorize: 401 Unauthorized");
    world.lose(afterwatch_core::object::Kind::Secret, afterwatch_core::coverage::UnreadableReason::Forbidden);
    let pod = app.pod("a", status::waiting("ErrImagePull", "", -30));
    let message =
        "Unable to retrieve some image pull secrets (registry-login); attempting to pull the image may not succeed.";
    world.upsert(event(&pod, "Warning", "FailedToRetrieveImagePullSecret", message, -29, -5, 4));
    let expect = Expect {
        cause: "image-unauthorised",
        entity: "Secret/shop/registry-login?",
        field: "",
        says: &["registry-login", "not found"],
        ..PULL
    };
    check(&world, expect);
}

#[test]
fn an_image_that_others_run_is_offered() {
    let mut world = pulling(&web(), "ErrImagePull", NOT_FOUND);
    let other = App::deployment("shop/admin").container(json!({"image": "registry.test/shop/web:6"}));
    world.run(&other, [other.pod("a", status::ready(-600))]);
    check(&world, Expect { says: &["shop/web:7", "not found", "run registry.test/shop/web:6"], ..PULL });
}

#[test]
fn the_image_of_a_volume_is_not_that_of_the_container() {
    let volume = json!({"name": "weights", "image": {"reference": "registry.invalid/weights:7"}});
    let app = checkout().spec(json!({"volumes": [volume]}));
    let message = "Back-off pulling image \"registry.invalid/weights:7\": ErrImagePull: failed to resolve image: registry.invalid/weights:7: not found";
    let world = world(&app, [app.pod("a", status::waiting("ImagePullBackOff", message, -60))]);
    check(
        &world,
        Expect {
            rule: "image-pull-failing",
            cause: "image-not-found",
            field: "spec.template.spec.volumes[weights].image.reference",
            says: &["Image registry.invalid/weights:7 of volume weights"],
            ..CHECKOUT
        },
    );
}

#[test]
fn a_registry_of_which_nothing_runs_here_may_hide_its_images_from_who_has_no_login() {
    let app = web().spec(json!({"imagePullSecrets": [{"name": "registry-login"}]}));
    let mut world = pulling(&app, "ErrImagePull", NOT_FOUND);
    let says = &["shop/web:7", "Its pull secret registry-login does not exist"];
    let secret = Expect { entity: "Secret/shop/registry-login?", field: "", verdict: Likely, says, ..PULL };
    let fault = check(&world, secret);
    assert!(fault.actions[0].command.contains("create secret docker-registry registry-login"), "{:?}", fault.actions);
    // It shows others.
    let other = App::deployment("shop/admin").container(json!({"image": "registry.test/shop/web:6"}));
    world.run(&other, [other.pod("a", status::ready(-600))]);
    check(&world, Expect { says, ..PULL });
}
