//! How values are told that are long, or that mean something where nothing is said.

use super::*;

#[test]
fn of_long_values_the_parts_that_differ_are_told() {
    let script =
        "for a in \"$@\"; do case \"$a\" in --listen=*|--backend=*|--max-conns=*) ;; *) exit 2;; esac; done; sleep 9";
    let args = |more: &str| json!({"args": [script, "proxy", "--listen=:8080", more, "--max-conns=200"]});
    let told = summary(args("--backend=api"), args("--backend=api --enable-grpcweb"));
    assert!(told.contains("→ …") && told.contains("--enable-grpcweb --max-conns") && !told.contains("case"), "{told}");
    let long = |last: &str| json!({"args": ["é".repeat(300) + last]});
    check(long("a"), long("b"), &["éa → …"]);
}

#[test]
fn what_is_true_unsaid_is_changed_by_saying_no() {
    let mut world = World::new();
    let app = checkout();
    world.upsert(app.top(json!({})));
    for (now, told) in [(json!(false), "true → false"), (json!(true), "false → true")] {
        let said = json!({"spec": {"template": {"spec": {"automountServiceAccountToken": now}}}});
        let change = world.upsert(app.top(said)).expect("a change");
        assert_eq!(change.summary, format!("automountServiceAccountToken {told}"));
    }
}
