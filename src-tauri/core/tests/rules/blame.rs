//! Who must be changed for what a container's last words say: a log, the objects around it, and the object, the field
//! and the words that must come of both.

mod bounds;
mod endless;
mod file;
mod host;
mod listens;
mod machine;
mod reach;
mod removed;
mod rights;
mod setting;
mod source;
mod spoken;
mod stated;

use super::support::*;
use afterwatch_core::object::{Kind, Object};
use afterwatch_testkit::World;

pub use reach::an_init_container_that_waits_for_a_service_is_found;

const DEAD: Expect = Expect { rule: "container-crash-loop", verdict: Likely, ..CHECKOUT };

/// `checkout` crashed with this log, and these objects are there too.
fn dead(app: &App, log: &str, others: impl IntoIterator<Item = Object>) -> World {
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    let mut world = world(app, [pod.clone()]);
    world.upsert_all(others);
    world.log(&pod, "app", 3, log);
    world
}

fn env(variables: Value) -> App {
    checkout().container(json!({"env": variables}))
}

fn map(name: &str, keys: &[&str]) -> Object {
    let digests: serde_json::Map<String, Value> =
        keys.iter().map(|k| ((*k).to_owned(), json!({"hash": format!("h{k}"), "bytes": 9}))).collect();
    object(&format!("ConfigMap shop/{name}"), json!({"digests": digests}))
}

fn from_map(name: &str, map: &str, key: &str) -> Value {
    json!([{"name": name, "valueFrom": {"configMapKeyRef": {"name": map, "key": key}}}])
}

/// `checkout` with a volume mounted.
fn mounted(volume: Value, mount: Value) -> App {
    let mut volume = volume;
    let mut mount = mount;
    merge(&mut volume, &json!({"name": "v"}));
    merge(&mut mount, &json!({"name": "v"}));
    checkout().spec(json!({"volumes": [volume]})).container(json!({"volumeMounts": [mount]}))
}

fn one(app: &App, log: &str, others: impl IntoIterator<Item = Object>, expect: Expect) {
    check(&dead(app, log, others), expect);
}
