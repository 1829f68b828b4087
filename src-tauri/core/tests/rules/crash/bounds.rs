//! What bounds a whole pod: its memory and its time.

use afterwatch_core::object::Kind;
use afterwatch_testkit::World;

use crate::support::*;

#[test]
fn a_limit_of_the_whole_pod_is_the_pods() {
    let app = checkout().spec(json!({"resources": {"limits": {"memory": "40Mi"}}}));
    let expect = Expect {
        rule: "container-oom-killed",
        cause: "memory-limit-too-low",
        field: "spec.template.spec.resources.limits.memory",
        says: &["40Mi", "pod's memory limit"],
        ..CHECKOUT
    };
    check(&world(&app, [app.pod("a", status::crashed(137, "OOMKilled", 5, -5))]), expect);
}

#[test]
fn a_pod_that_was_ended_at_its_deadline_says_so() {
    let app = App::of(Kind::Pod, "shop/crawler").spec(json!({"activeDeadlineSeconds": 8, "restartPolicy": "Never"}));
    let mut state = status::crashed(137, "Error", 0, -30);
    merge(
        &mut state,
        &json!({"phase": "Failed", "reason": "DeadlineExceeded", "message": "Pod was active on the node longer than the specified deadline"}),
    );
    merge(
        &mut state["containerStatuses"][0],
        &json!({"state": {"waiting": null, "terminated": {"exitCode": 137, "reason": "Error", "finishedAt": at(-30)}}}),
    );
    let fault = world(&app, [app.pod("", state)]).diagnose().faults.remove(0);
    let cause = &fault.causes[0];
    assert_eq!((cause.rule_id.as_str(), cause.confidence), ("pod-deadline", Established), "{}", cause.statement);
    assert_eq!(cause.field.as_deref(), Some("spec.activeDeadlineSeconds"));
    assert!(fault.title.contains("ran longer than it may"), "{}", fault.title);
}

/// A log that was read before the program's words had arrived says of no container that it never wrote any.
#[test]
fn an_empty_log_is_told_with_the_moment_it_was_read() {
    let app = checkout();
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    let mut world = world(&app, [pod.clone()]);
    world.log(&pod, "app", 3, "");
    let told = |world: &World| -> Vec<String> {
        let fault = world.diagnose().faults.remove(0);
        fault
            .evidence
            .iter()
            .map(|e| e.summary.clone())
            .filter(|s| s.contains("had written") || s.starts_with("Log"))
            .collect()
    };
    let first = told(&world);
    assert_eq!(first.len(), 1, "{first:?}");
    assert!(first[0].starts_with("Container app had written no log when it was read at "), "{first:?}");
    assert!(first[0].ends_with(" UTC"), "{first:?}");
    world.log(&pod, "app", 3, "FATAL: the ledger has two heads");
    assert_eq!(told(&world), ["Log of container app: FATAL: the ledger has two heads"]);
}
