//! What was taken away shortly before, and tokens whose time is over.

use super::*;

const NULL: &str =
    "Unhandled exception. System.ArgumentNullException: Value cannot be null. (Parameter 'connectionString')";

/// `checkout` crashed with this log after its ConfigMap went from these keys to those.
fn after(before: &[&str], now: &[&str], log: &str) -> World {
    let app = checkout().container(json!({"envFrom": [{"configMapRef": {"name": "settings"}}]}));
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    let mut world = World::new();
    world.set_time(-60);
    world.upsert(map("settings", before));
    world.set_time(-20);
    world.upsert(map("settings", now));
    world.run(&app, [pod.clone()]);
    world.set_time(0);
    world.log(&pod, "app", 3, log);
    world
}

#[test]
fn a_key_that_was_removed_is_what_a_parameter_of_that_name_misses() {
    let env = ["ASPNETCORE_ENVIRONMENT"];
    let before = ["ASPNETCORE_ENVIRONMENT", "ConnectionStrings__Freight"];
    let renamed = ["ASPNETCORE_ENVIRONMENT", "ConnectionStrings__FreightDb"];
    for log in [NULL, "System.InvalidOperationException: The ConnectionString property has not been initialized."] {
        for now in [&env[..], &renamed[..]] {
            let fault = after(&before, now, log).diagnose().faults.remove(0);
            let cause = &fault.causes[0];
            assert_eq!(cause.entity.key(), "ConfigMap/shop/settings", "{}", cause.statement);
            assert_eq!(cause.field.as_deref(), Some("data[ConnectionStrings__Freight]"), "{}", cause.statement);
            assert!(cause.statement.contains("key ConnectionStrings__Freight was removed"), "{}", cause.statement);
            assert!(fault.actions.iter().all(|a| !a.command.contains("CONNECTION_STRING=")), "{:?}", fault.actions);
        }
    }
}

#[test]
fn a_key_that_is_back_is_not_what_is_missing() {
    let app = checkout().container(json!({"envFrom": [{"configMapRef": {"name": "settings"}}]}));
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    let mut world = World::new();
    let (with, without) = (["ConnectionStrings__Freight", "LEVEL"], ["LEVEL"]);
    for (when, keys) in [(-900, &with[..]), (-600, &without[..]), (-300, &with[..])] {
        world.set_time(when);
        world.upsert(map("settings", keys));
    }
    world.run(&app, [pod.clone()]);
    world.set_time(0);
    world.log(&pod, "app", 3, NULL);
    let said = world.diagnose().faults[0].causes[0].statement.clone();
    assert!(!said.contains("was removed"), "{said}");
}

#[test]
fn a_parameter_is_no_name_of_a_variable() {
    // Nothing of that name was removed.
    let fault =
        after(&["ASPNETCORE_ENVIRONMENT", "LEVEL"], &["ASPNETCORE_ENVIRONMENT"], NULL).diagnose().faults.remove(0);
    let cause = &fault.causes[0];
    assert!(!cause.statement.contains("has no key connectionString"), "{}", cause.statement);
    assert!(fault.actions.iter().all(|a| !a.command.contains("CONNECTION_STRING=")), "{:?}", fault.actions);
    // A setting by its name is looked for as before.
    let log = "required environment variable QUEUE_URL is not set";
    let cause = after(&["LEVEL"], &["LEVEL"], log).diagnose().faults[0].causes[0].clone();
    assert_eq!(cause.field.as_deref(), Some("data[QUEUE_URL]"), "{}", cause.statement);
}

#[test]
fn a_token_that_is_over_is_the_token_and_not_the_key_beside_it() {
    let s3 = |keys: &[&str]| object("Secret shop/s3", json!({"keys": keys}));
    let all = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
    let of = |name: &str| json!({"name": name, "valueFrom": {"secretKeyRef": {"name": "s3", "key": name}}});
    let single = env(json!([of(all[0]), of(all[1]), of(all[2])]));
    let expired = Expect { cause: "log-authentication", entity: "Secret/shop/s3", ..DEAD };
    let token = Expect { field: "data[AWS_SESSION_TOKEN]", says: &["AWS_SESSION_TOKEN"], ..expired };
    for log in [
        "botocore.exceptions.ClientError: An error occurred (ExpiredToken) when calling the PutObject operation: The provided token has expired.",
        "ExpiredTokenException: The security token included in the request is expired",
    ] {
        one(&single, log, [s3(&all)], token);
    }
    // Without a token, and where no token is spoken of, what says most plainly that it is a secret.
    let key = Expect { field: "data[AWS_SECRET_ACCESS_KEY]", says: &["AWS_SECRET_ACCESS_KEY"], ..expired };
    one(&env(json!([of(all[0]), of(all[1])])), "ERROR ExpiredToken: it has expired", [s3(&all[..2])], key);
    one(&single, "ERROR credentials have expired", [s3(&all)], key);
}
