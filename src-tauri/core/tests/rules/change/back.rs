//! Going back: to what a limit was, and not past who is innocent.

use super::*;

#[test]
fn a_limit_that_was_lowered_goes_back_to_what_it_was() {
    let limits = |memory: &str| json!({"limits": [{"type": "Container", "default": {"memory": memory}}]});
    let range = |memory: &str| object("LimitRange shop/defaults", json!({"spec": limits(memory)}));
    let app = checkout().container(json!({"resources": {"limits": {"memory": "24Mi"}}}));
    let mut world = World::new().at(-300);
    world.upsert(range("256Mi"));
    world.run(&checkout(), []);
    world.set_time(-100);
    world.upsert(range("24Mi"));
    world.set_time(0);
    world.upsert_all([checkout().top(json!({})), checkout().between(json!({})).expect("a ReplicaSet")]);
    world.upsert(app.pod("a", status::crashed(137, "OOMKilled", 3, -5)));
    let commands: Vec<String> = world.diagnose().faults[0].actions.iter().map(|a| a.command.clone()).collect();
    assert!(commands.iter().any(|c| c.ends_with("--limits=memory=256Mi")), "{commands:?}");
}

#[test]
fn who_refuses_pods_by_its_label_is_suspect_and_not_the_image() {
    let space = |level: &str| {
        object("Namespace shop", json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": level}}}))
    };
    let app = checkout();
    let mut world = World::new().at(-100);
    world.upsert(space("privileged"));
    world.run(&app, [app.pod("a", status::ready(-3000))]);
    world.set_time(-60);
    world.upsert(space("restricted"));
    world.set_time(-40);
    let newer = app.clone().revise(-40, json!({"image": "registry.test/checkout:2"}));
    world.upsert(newer.top(json!({"spec": {"replicas": 2}, "status": {"replicas": 1}})));
    let mut set = newer.between(json!({"spec": {"replicas": 1}, "status": {"replicas": 0}})).expect("a ReplicaSet");
    set.meta_mut().deletion_timestamp = None;
    world.upsert(set.clone());
    let words = "Error creating: pods \"checkout-x\" is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false (container \"app\" must set securityContext.allowPrivilegeEscalation=false)";
    world.upsert(event(&set, "Warning", "FailedCreate", words, -38, -2, 9));
    world.set_time(0);
    let fault = &world.diagnose().faults[0];
    assert_eq!(fault.causes[0].rule_id, "pod-security-violated");
    let suspect: Vec<&str> = fault.changes.iter().filter(|(_, s)| *s).map(|(c, _)| c.object.kind.as_str()).collect();
    assert_eq!(suspect, ["Namespace"], "{:?}", fault.changes);
    assert!(!fault.actions.iter().any(|a| a.command.contains("rollout undo")), "{:?}", fault.actions);
}
