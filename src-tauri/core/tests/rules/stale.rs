//! Programs that still use what a Secret gave them when they started.

use super::support::*;
use afterwatch_core::object::Object;
use afterwatch_testkit::World;

pub const FAULTS: &[(&str, fn())] = &[("environment-outdated", an_old_password_in_a_running_container_is_found)];

fn secret(when: i64) -> Object {
    let by = json!([{"manager": "vault-sync", "operation": "Update", "time": at(when)}]);
    object("Secret shop/cache-auth", json!({"metadata": {"creationTimestamp": at(-7200), "managedFields": by}}))
}

fn app() -> App {
    let from = json!({"secretKeyRef": {"name": "cache-auth", "key": "password"}});
    checkout().container(json!({"env": [{"name": "CACHE_PASSWORD", "valueFrom": from}]}))
}

/// The Secret is changed at -30; a container that runs since then writes this.
fn changed(app: &App, since: i64, log: &str) -> World {
    let pod = app.pod("a", status::unready(since));
    let mut world = world(app, [pod.clone()]);
    world.upsert(secret(-3600));
    world.set_time(-30);
    world.upsert(secret(-30));
    world.set_time(0);
    world.log(&pod, "app", 0, log);
    world
}

fn refused(when: i64) -> String {
    format!("{} ERROR worker: WRONGPASS invalid username-password pair or user is disabled.\n", at(when))
}

const OUTDATED: Expect = Expect {
    rule: "environment-outdated",
    cause: "environment-outdated",
    verdict: Likely,
    says: &["vault-sync changed Secret cache-auth", "WRONGPASS", "must be restarted"],
    ..CHECKOUT
};

#[test]
fn an_old_password_in_a_running_container_is_found() {
    let log = [-20, -15, -10, -5].map(refused).concat();
    let fault = check(&changed(&app(), -3600, &log), OUTDATED);
    check_at_a_glance(&changed(&app(), -3600, &log), OUTDATED);
    assert!(fault.actions[0].command.contains("kubectl rollout restart"), "{:?}", fault.actions[0]);
    assert!(fault.changes.iter().any(|(c, suspect)| *suspect && c.object.name == "cache-auth"));
}

#[test]
fn who_is_well_with_a_changed_secret_is_silent() {
    let refusals = [-20, -15, -10, -5].map(refused).concat();
    // Started after the change; with other words; once only; long before the change; the value is in a file.
    silent(&changed(&app(), -20, &refusals));
    silent(&changed(&app(), -3600, "heartbeat PONG\nheartbeat PONG"));
    silent(&changed(&app(), -3600, &refused(-20)));
    silent(&changed(&app(), -3600, &[-500, -400, -300, -200].map(refused).concat()));
    let file = json!({"volumes": [{"name": "v", "secret": {"secretName": "cache-auth"}}]});
    silent(&changed(&checkout().spec(file), -3600, &refusals));
}

#[test]
fn what_was_read_before_the_change_says_nothing_of_after_it() {
    let unstamped = "ERROR worker: WRONGPASS invalid username-password pair\n".repeat(4);
    check(&changed(&app(), -3600, &unstamped), OUTDATED);
    let pod = app().pod("a", status::unready(-3600));
    let mut world = world(&app(), [pod.clone()]);
    world.upsert(secret(-3600));
    world.set_time(-40);
    world.log(&pod, "app", 0, &unstamped);
    world.set_time(-30);
    world.upsert(secret(-30));
    world.set_time(0);
    silent(&world);
}

#[test]
fn each_container_that_has_the_old_value_is_heard() {
    let from =
        json!([{"name": "CACHE_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "cache-auth", "key": "password"}}}]);
    let app = checkout().spec(json!({"containers": [
        {"name": "shipper", "image": "s:1", "env": from}, {"name": "app", "image": "a:1", "env": from}]}));
    let mut state = status::unready(-3600);
    let mut shipper = state["containerStatuses"][0].clone();
    shipper["name"] = json!("shipper");
    state["containerStatuses"].as_array_mut().expect("statuses").push(shipper);
    let mut world = world(&app, [app.pod("a", state)]);
    world.upsert(secret(-3600));
    world.set_time(-30);
    world.upsert(secret(-30));
    world.set_time(0);
    let wants: Vec<String> = world.diagnose().wants.into_iter().map(|w| w.container).collect();
    assert_eq!(wants, ["shipper", "app"]);
}

#[test]
fn the_log_of_who_has_the_old_value_is_read_and_of_nobody_else() {
    let app = app();
    let mut world = world(&app, [app.pod("a", status::unready(-3600)), app.pod("b", status::unready(-3600))]);
    world.upsert(secret(-3600));
    assert!(world.diagnose().wants.is_empty(), "nothing was changed");
    world.set_time(-30);
    world.upsert(secret(-30));
    assert!(world.diagnose().wants.is_empty(), "they may just be restarting");
    world.set_time(0);
    assert_eq!(world.diagnose().wants.len(), 1, "one of its pods is enough");
    world.upsert_all([app.pod("a", status::ready(-3600)), app.pod("b", status::ready(-3600))]);
    assert!(world.diagnose().wants.is_empty(), "what is well is not heard");
}
