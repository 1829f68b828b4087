//! Pods the API server refuses: which rule, which field, and who is on the other side.

use super::support::*;
use afterwatch_core::object::{Kind, Object};
use afterwatch_testkit::World;

mod bounds;
mod scope;
mod webhook;

pub const REFUSED: Expect =
    Expect { rule: "pods-not-created", object: "ReplicaSet/shop/checkout-r1", cause: "quota-exceeded", ..CHECKOUT };

/// A ReplicaSet without pods; the API server says this of them.
pub fn refused(app: &App, why: &str) -> World {
    let mut world = World::new();
    refuse(&mut world, app, why);
    world
}

fn refuse(world: &mut World, app: &App, why: &str) {
    let set = app.between(json!({"status": {"replicas": 0}})).expect("a ReplicaSet");
    world.upsert_all([app.top(json!({})), set.clone()]);
    world.upsert(event(&set, "Warning", "FailedCreate", &format!("Error creating: {why}"), -30, -5, 7));
}

pub fn forbidden(why: &str) -> String {
    format!("pods \"checkout-r1-x\" is forbidden: {why}")
}

#[test]
fn every_resource_of_a_quota_is_told_with_its_three_numbers() {
    let why = forbidden(
        "exceeded quota: team, requested: limits.cpu=2,requests.memory=1Gi, used: limits.cpu=3,requests.memory=7Gi, limited: limits.cpu=4,requests.memory=8Gi",
    );
    let mut world = refused(&checkout(), &why);
    world.upsert(object(
        "ResourceQuota shop/team",
        json!({"status": {"hard": {"limits.cpu": "4"}, "used": {"limits.cpu": "3"}}}),
    ));
    let says = &[
        "ResourceQuota team",
        "limits.cpu=2",
        "limits.cpu=3",
        "limits.cpu=4",
        "requests.memory=7Gi",
        "requests.memory=8Gi",
    ];
    let fault =
        check(&world, Expect { entity: "ResourceQuota/shop/team", field: "spec.hard[limits.cpu]", says, ..REFUSED });
    assert!(fault.evidence.iter().any(|e| e.excerpt.contains("limits.cpu: 3 used of 4")));
}

#[test]
fn pods_that_are_going_give_their_place_in_a_quota_to_the_next() {
    let why = forbidden("exceeded quota: team, requested: pods=1, used: pods=3, limited: pods=3");
    let app = checkout();
    let mut world = refused(&app, &why);
    world.upsert(app.pod_with("old", status::ready(-600), json!({"metadata": {"deletionTimestamp": at(20)}})));
    world.set_time(-1);
    silent(&world);
    world.set_time(0);
    assert_eq!(world.diagnose().faults.len(), 1, "after half a minute it is told all the same");
}

#[test]
fn a_quota_that_has_room_again_is_no_fault() {
    let why = forbidden("exceeded quota: team, requested: pods=1, used: pods=3, limited: pods=3");
    let quota = |used: &str| {
        object("ResourceQuota shop/team", json!({"status": {"hard": {"pods": "3"}, "used": {"pods": used}}}))
    };
    let mut world = refused(&checkout(), &why);
    let others = App::deployment("shop/cart");
    world.upsert_all(["a", "b", "c"].map(|suffix| others.pod(suffix, status::ready(-600))));
    world.upsert(quota("2"));
    world.set_time(-1);
    silent(&world);
    world.upsert(quota("3"));
    check(&world, Expect { entity: "ResourceQuota/shop/team", field: "spec.hard[pods]", says: &["pods=3"], ..REFUSED });
}

#[test]
fn a_policy_without_its_parameters_is_its_bindings() {
    let why = forbidden(
        "ValidatingAdmissionPolicy 'replica-limit' with binding 'replica-limit-shop' denied request: failed to configure \
         binding: no params found for policy binding with `Deny` parameterNotFoundAction",
    );
    let says = &["replica-limit-shop", "paramRef", "no params found"];
    let entity = "ValidatingAdmissionPolicyBinding//replica-limit-shop?";
    check(
        &refused(&checkout(), &why),
        Expect { cause: "admission-policy-broken", entity, field: "spec.paramRef", says, ..REFUSED },
    );
}

#[test]
fn a_quota_that_still_counts_what_just_went_is_given_time() {
    let quota = |name: &str, used: &str| {
        object("ResourceQuota shop/team", json!({"status": {"hard": {name: "3"}, "used": {name: used}}}))
    };
    for name in ["pods", "requests.cpu"] {
        let why = forbidden(&format!("exceeded quota: team, requested: {name}=1, used: {name}=3, limited: {name}=3"));
        let app = checkout().container(json!({"resources": {"requests": {"cpu": "1"}}}));
        let mut world = refused(&app, &why);
        // Two are there, and it counts three.
        world.upsert_all([quota(name, "3"), app.pod("a", status::ready(-600)), app.pod("b", status::ready(-600))]);
        world.set_time(-1);
        silent(&world);
        world.upsert(app.pod("c", status::ready(-600)));
        assert_eq!(world.diagnose().faults.len(), 1, "{name}: it counts what is there");
        world.delete(app.pod("c", status::ready(-600)));
        silent(&world);
        world.set_time(0);
        assert_eq!(world.diagnose().faults.len(), 1, "{name}: after half a minute it is told all the same");
    }
}

#[test]
fn a_roll_out_that_is_refused_again_and_again_and_goes_on_is_no_fault() {
    let why = forbidden("exceeded quota: team, requested: pods=1, used: pods=4, limited: pods=4");
    let app = checkout();
    let made = |suffix: &str, when: i64| {
        app.pod_with(suffix, status::ready(when), json!({"metadata": {"creationTimestamp": at(when)}}))
    };
    // Refused for the first time long ago, and it made a pod only just before the last time.
    let mut world = refused(&app, &why);
    world.upsert(made("a", -6));
    world.set_time(-2);
    patient(&world);
    world.set_time(0);
    assert_eq!(world.diagnose().faults.len(), 1, "it makes no more");
    // Made after the last refusal: nothing is refused now.
    let mut world = refused(&app, &why);
    world.upsert(made("a", 30));
    world.set_time(60);
    silent(&world);
    // It has made none for long.
    let mut world = refused(&app, &why);
    world.upsert(made("a", -600));
    assert_eq!(world.diagnose().faults.len(), 1);
}

#[test]
fn a_pod_that_is_larger_than_its_quota_is_told_so() {
    let why = forbidden(
        "exceeded quota: team, requested: requests.cpu=500m, used: requests.cpu=0, limited: requests.cpu=100m",
    );
    check(
        &refused(&checkout(), &why),
        Expect {
            entity: "ResourceQuota/shop/team?",
            says: &["500m", "100m", "more requests.cpu than the quota allows"],
            ..REFUSED
        },
    );
}

#[test]
fn a_quota_on_claims_stops_a_stateful_set() {
    let db = App::of(Kind::StatefulSet, "shop/db");
    let mut world = World::new();
    let set = db.top(json!({}));
    world.upsert(set.clone());
    world.upsert(object(
        "ResourceQuota shop/disks",
        json!({"status": {"hard": {"persistentvolumeclaims": "2"}, "used": {"persistentvolumeclaims": "2"}}}),
    ));
    let why = "create Claim data-db-0 for Pod db-0 in StatefulSet db failed error: persistentvolumeclaims \"data-db-0\" is forbidden: exceeded quota: disks, requested: persistentvolumeclaims=1, used: persistentvolumeclaims=2, limited: persistentvolumeclaims=2";
    world.upsert(event(&set, "Warning", "FailedCreate", why, -30, -5, 4));
    let expect = Expect {
        object: "StatefulSet/shop/db",
        subject: "StatefulSet/shop/db",
        entity: "ResourceQuota/shop/disks",
        field: "spec.hard[persistentvolumeclaims]",
        says: &["A claim of StatefulSet db", "persistentvolumeclaims=2"],
        ..REFUSED
    };
    check(&world, expect);
}

#[test]
fn a_quota_that_demands_limits_names_container_and_resource() {
    for why in [
        "failed quota: team: must specify limits.memory for: app; requests.cpu for: app",
        "failed quota: team: must specify limits.memory,requests.cpu",
    ] {
        let expect = Expect {
            cause: "quota-needs-resources",
            field: "spec.template.spec.containers[app].resources.limits.memory",
            says: &["team", "must specify limits.memory", "requests.cpu"],
            ..REFUSED
        };
        check(&refused(&checkout(), &forbidden(why)), expect);
    }
}

#[test]
fn several_workloads_behind_one_quota_are_one_fault() {
    let mut world = World::new();
    world.upsert(object("ResourceQuota shop/team", json!({})));
    for app in [checkout(), App::deployment("shop/search"), App::deployment("shop/mailer")] {
        refuse(&mut world, &app, &forbidden("exceeded quota: team, requested: pods=1, used: pods=4, limited: pods=4"));
    }
    assert_eq!(world.diagnose().faults.len(), 1);
}

#[test]
fn a_refusal_that_only_the_condition_remembers_is_still_told() {
    let app = checkout();
    let mut world = World::new();
    let message = forbidden("exceeded quota: team, requested: pods=1, used: pods=4, limited: pods=4");
    let failure = json!({"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message, "lastTransitionTime": at(-7200)});
    world.upsert_all([
        app.top(json!({})),
        app.between(json!({"status": {"replicas": 0, "conditions": [failure]}})).expect("a ReplicaSet"),
    ]);
    check(&world, Expect { entity: "ResourceQuota/shop/team?", says: &["pods=4"], ..REFUSED });
}

#[test]
fn a_deployment_whose_replica_set_is_refused_is_told() {
    let app = checkout();
    let mut world = World::new();
    let message = "Failed to create new replica set \"checkout-r1\": replicasets.apps \"checkout-r1\" is forbidden: exceeded quota: team, requested: count/replicasets.apps=1, used: count/replicasets.apps=9, limited: count/replicasets.apps=9";
    let stuck = json!({"type": "Progressing", "status": "False", "reason": "ReplicaSetCreateError", "message": message, "lastTransitionTime": at(-60)});
    world.upsert(app.top(json!({"status": {"conditions": [stuck]}})));
    check(
        &world,
        Expect {
            object: "Deployment/shop/checkout",
            entity: "ResourceQuota/shop/team?",
            field: "spec.hard[count/replicasets.apps]",
            says: &["count/replicasets.apps=9"],
            ..REFUSED
        },
    );
}

#[test]
fn a_cron_job_whose_job_is_refused_is_told_until_the_next_one_is_made() {
    let cron = App::of(Kind::CronJob, "shop/report");
    let mut world = World::new();
    let top = cron.top(json!({"status": {"lastScheduleTime": at(-300)}}));
    world.upsert(top.clone());
    let why = "Error creating job: jobs.batch \"report-1\" is forbidden: exceeded quota: team, requested: count/jobs.batch=1, used: count/jobs.batch=2, limited: count/jobs.batch=2";
    world.upsert(event(&top, "Warning", "FailedCreate", why, -30, -5, 2));
    let expect = Expect {
        object: "CronJob/shop/report",
        subject: "CronJob/shop/report",
        entity: "ResourceQuota/shop/team?",
        severity: Medium,
        says: &["count/jobs.batch=2"],
        ..REFUSED
    };
    check(&world, expect);
    world.upsert(cron.top(json!({"status": {"lastScheduleTime": at(0)}})));
    silent(&world);
}

#[test]
fn limits_of_a_namespace_are_told_with_container_field_and_range() {
    let range = object(
        "LimitRange shop/bounds",
        json!({"spec": {"limits": [{"type": "Container", "max": {"memory": "1Gi", "cpu": "1"}, "min": {"memory": "128Mi"}, "maxLimitRequestRatio": {"cpu": "4"}}]}}),
    );
    let resources =
        json!({"resources": {"requests": {"memory": "64Mi", "cpu": "100m"}, "limits": {"memory": "2Gi", "cpu": "1"}}});
    let cases = [
        ("maximum memory usage per Container is 1Gi, but limit is 2Gi", "resources.limits.memory", &["1Gi", "2Gi"][..]),
        (
            "minimum memory usage per Container is 128Mi, but request is 64Mi",
            "resources.requests.memory",
            &["128Mi", "64Mi"][..],
        ),
        (
            "cpu max limit to request ratio per Container is 4, but provided ratio is 10.000000",
            "resources.limits.cpu",
            &["ratio", "4", "10.0"][..],
        ),
        (
            "maximum cpu usage per Container is 1.  No limit is specified",
            "resources.limits.cpu",
            &["cpu", "No limit"][..],
        ),
    ];
    for (why, field, says) in cases {
        let mut world = refused(&checkout().container(resources.clone()), &forbidden(why));
        world.upsert(range.clone());
        let field = format!("spec.template.spec.containers[app].{field}");
        let fault = check(&world, Expect { cause: "limit-range-violated", says, ..REFUSED });
        let cause = &fault.causes[0];
        assert_eq!(cause.field.as_deref(), Some(field.as_str()), "{why}");
        assert!(
            cause.statement.contains("LimitRange bounds") && cause.statement.contains("container app"),
            "{}",
            cause.statement
        );
    }
}

#[test]
fn a_default_limit_below_the_request_is_told_with_where_it_comes_from() {
    let app = checkout().container(json!({"resources": {"requests": {"memory": "1Gi"}}}));
    let why = "Pod \"checkout-r1-x\" is invalid: spec.containers[0].resources.requests: Invalid value: \"1Gi\": must be less than or equal to memory limit of 512Mi";
    let mut world = refused(&app, why);
    world.upsert(object(
        "LimitRange shop/defaults",
        json!({"spec": {"limits": [{"type": "Container", "default": {"memory": "512Mi"}}]}}),
    ));
    let expect = Expect {
        cause: "request-over-limit",
        field: "spec.template.spec.containers[app].resources.requests",
        says: &["1Gi", "512Mi", "LimitRange defaults"],
        ..REFUSED
    };
    check(&world, expect);
}

#[test]
fn a_pod_security_level_names_the_setting_and_the_label() {
    let cases = [
        (
            "violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false (container \"app\" must set securityContext.allowPrivilegeEscalation=false), runAsNonRoot != true (pod or container \"app\" must set securityContext.runAsNonRoot=true)",
            "spec.template.spec.containers[app].securityContext.allowPrivilegeEscalation",
        ),
        (
            "violates PodSecurity \"baseline:v1.31\": host namespaces (hostNetwork=true)",
            "spec.template.spec.hostNetwork",
        ),
        (
            "violates PodSecurity \"baseline:latest\": hostPath volumes (volume \"logs\")",
            "spec.template.spec.volumes[logs]",
        ),
        (
            "violates PodSecurity \"baseline:latest\": hostPort (container \"app\" uses hostPort 80)",
            "spec.template.spec.containers[app].ports",
        ),
    ];
    for (why, field) in cases {
        let mut world = refused(&checkout(), &forbidden(why));
        world.upsert(object(
            "Namespace shop",
            json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}),
        ));
        let fault = check(
            &world,
            Expect {
                cause: "pod-security-violated",
                field,
                says: &["violates PodSecurity", "pod-security.kubernetes.io/enforce=restricted"],
                ..REFUSED
            },
        );
        assert_eq!(fault.causes[0].referrer.as_ref().map(|r| r.key()).as_deref(), Some("Namespace//shop"));
    }
}

#[test]
fn accounts_and_classes_that_do_not_exist_are_told_with_those_that_do() {
    let mut world = refused(
        &checkout(),
        "pods \"checkout-\" is forbidden: error looking up service account shop/robott: serviceaccount \"robott\" not found",
    );
    world.upsert(object("ServiceAccount shop/robot", json!({})));
    let expect = Expect {
        cause: "service-account-missing",
        entity: "ServiceAccount/shop/robott?",
        field: "spec.template.spec.serviceAccountName",
        says: &["robott", "not found", "Is robot meant?"],
        ..REFUSED
    };
    check(&world, expect);
    let mut world = refused(&checkout(), &forbidden("no PriorityClass with name golden was found"));
    world.upsert(object("PriorityClass gold", json!({"value": 1000})));
    check(
        &world,
        Expect {
            cause: "priority-class-missing",
            field: "spec.template.spec.priorityClassName",
            says: &["golden", "gold"],
            ..REFUSED
        },
    );
    let world = refused(&checkout(), &forbidden("pod rejected: RuntimeClass \"gvisor\" not found"));
    check(
        &world,
        Expect {
            cause: "runtime-class-missing",
            field: "spec.template.spec.runtimeClassName",
            says: &["gvisor", "not found"],
            ..REFUSED
        },
    );
}

#[test]
fn a_pod_that_is_not_valid_names_its_field() {
    let why = "Pod \"checkout-r1-x\" is invalid: spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/etc/app\": must be unique";
    let expect = Expect {
        cause: "pod-invalid",
        field: "spec.template.spec.containers[app].volumeMounts[1].mountPath",
        says: &["/etc/app", "must be unique"],
        ..REFUSED
    };
    check(&refused(&checkout(), why), expect);
}

#[test]
fn a_policy_that_says_no_is_told_with_its_reason() {
    let mut world = refused(
        &checkout(),
        "admission webhook \"validate.policy.test\" denied the request: image tag latest is not allowed",
    );
    world.upsert(object(
        "ValidatingWebhookConfiguration policies",
        json!({"webhooks": [{"name": "validate.policy.test"}]}),
    ));
    let says = &["validate.policy.test", "ValidatingWebhookConfiguration policies", "latest is not allowed"];
    check(&world, Expect { cause: "admission-denied", says, ..REFUSED });
    let why = forbidden(
        "ValidatingAdmissionPolicy 'no-root' with binding 'no-root-shop' denied request: root is not allowed",
    );
    check(
        &refused(&checkout(), &why),
        Expect { cause: "admission-denied", says: &["no-root", "no-root-shop", "root is not allowed"], ..REFUSED },
    );
}

#[test]
fn refusals_that_are_over_are_silent() {
    let app = checkout();
    let mut world = refused(&app, &webhook::unreachable("service \"guard\" not found"));
    world.run(&app, [app.pod("a", status::ready(-3))]);
    silent(&world);
    // Jobs that wait, and sets that are scaled to zero, want no pods.
    let job = App::of(Kind::Job, "shop/import");
    let mut world = World::new();
    let top = job.top(json!({"spec": {"suspend": true}}));
    world.upsert(top.clone());
    world.upsert(event(
        &top,
        "Warning",
        "FailedCreate",
        &forbidden("exceeded quota: team, requested: pods=1, used: pods=4, limited: pods=4"),
        -30,
        -5,
        7,
    ));
    silent(&world);
}

#[test]
fn a_claim_template_beyond_the_limits_names_the_template() {
    let db = App::of(Kind::StatefulSet, "shop/db");
    let mut world = World::new();
    let set = db.top(json!({}));
    world.upsert(set.clone());
    let why = "create Claim data-db-0 for Pod db-0 in StatefulSet db failed error: persistentvolumeclaims \"data-db-0\" is forbidden: maximum storage usage per PersistentVolumeClaim is 5Gi, but request is 10Gi";
    world.upsert(event(&set, "Warning", "FailedCreate", why, -30, -5, 4));
    let expect = Expect {
        object: "StatefulSet/shop/db",
        subject: "StatefulSet/shop/db",
        entity: "StatefulSet/shop/db",
        cause: "limit-range-violated",
        field: "spec.volumeClaimTemplates[].spec.resources.requests.storage",
        says: &["5Gi", "10Gi"],
        ..REFUSED
    };
    check(&world, expect);
}

#[test]
fn annotations_that_are_forbidden_name_their_field() {
    let why = "Pod \"checkout-r1-x\" is invalid: metadata.annotations[corp.test/tier]: Forbidden: may not be set";
    check(
        &refused(&checkout(), why),
        Expect {
            cause: "pod-invalid",
            field: "spec.template.metadata.annotations[corp.test/tier]",
            says: &["corp.test/tier", "may not be set"],
            ..REFUSED
        },
    );
}

#[test]
fn a_policy_that_cannot_change_what_it_is_to_is_its_own() {
    let why = "policy 'pin-pool' with binding 'pin-shop' denied request: error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.nodeSelector";
    let says = &["pin-pool", "pin-shop", "ApplyConfiguration"];
    let entity = "MutatingAdmissionPolicy//pin-pool?";
    let field = "spec.mutations";
    check(&refused(&checkout(), why), Expect { cause: "admission-policy-broken", entity, field, says, ..REFUSED });
}
