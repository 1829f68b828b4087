//! Quotas that count some pods only.

use super::*;

#[test]
fn a_quota_of_some_pods_only_says_of_which() {
    let why = forbidden("exceeded quota: best, requested: pods=1, used: pods=0, limited: pods=0");
    for (spec, says) in [
        (json!({"scopes": ["BestEffort"]}), "scope BestEffort (no requests and limits)"),
        (
            json!({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["batch"]}]}}),
            "scope PriorityClass In batch",
        ),
    ] {
        let mut world = refused(&checkout(), &why);
        world.upsert(object("ResourceQuota shop/best", json!({"spec": spec})));
        let expect = Expect { entity: "ResourceQuota/shop/best", field: "spec.hard[pods]", ..REFUSED };
        let fault = check(&world, expect);
        assert!(fault.causes[0].statement.contains(says), "{}", fault.causes[0].statement);
    }
}
