//! A bound that became too narrow is to be changed, and not who asks for what it asked for before.

use super::*;

fn range(max: &str, manager: &str, when: i64) -> Object {
    object(
        "LimitRange shop/bounds",
        json!({
            "metadata": {"managedFields": [{"manager": manager, "operation": "Update", "time": at(when)}]},
            "spec": {"limits": [{"type": "Container", "max": {"memory": max}}]},
        }),
    )
}

#[test]
fn a_limit_range_that_was_narrowed_is_to_blame_unless_more_is_asked_for() {
    let app = |limit: &str| checkout().container(json!({"resources": {"limits": {"memory": limit}}}));
    let why = forbidden("maximum memory usage per Container is 48Mi, but limit is 64Mi");
    let told = |before: &str| {
        let mut world = World::new().at(-7200);
        world.upsert_all([app(before).top(json!({})), range("256Mi", "capacity", -7200)]);
        world.set_time(-60);
        world.upsert(range("48Mi", "capacity", -60));
        world.set_time(0);
        refuse(&mut world, &app("64Mi"), &why);
        world
    };
    let narrowed = Expect {
        cause: "limit-range-violated",
        entity: "LimitRange/shop/bounds",
        field: "spec.limits[0].max.memory",
        says: &["48Mi", "64Mi", "capacity changed the LimitRange"],
        ..REFUSED
    };
    let fault = check(&told("64Mi"), narrowed);
    assert_eq!(fault.actions[0].target.kind, "LimitRange", "{:?}", fault.actions);
    // Nothing became narrower, or another bound did.
    let mut raised = World::new().at(-7200);
    raised.upsert_all([app("64Mi").top(json!({})), range("32Mi", "capacity", -7200)]);
    raised.set_time(-60);
    raised.upsert(range("48Mi", "capacity", -60));
    raised.set_time(0);
    refuse(&mut raised, &app("64Mi"), &why);
    let field = "spec.template.spec.containers[app].resources.limits.memory";
    check(&raised, Expect { cause: "limit-range-violated", field, ..REFUSED });
    // It asks for more than it did.
    check(&told("32Mi"), Expect { cause: "limit-range-violated", field, ..REFUSED });
}
