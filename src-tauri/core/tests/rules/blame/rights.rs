//! Rights at the API server, ends without an error, what stands in for a log.

use super::*;

const FORBIDDEN: &str = "E1101 10:00:00.000000       1 main.go:9] failed to list: pods is forbidden: User \"system:serviceaccount:shop:checkout\" cannot list resource \"pods\" in API group \"\" in the namespace \"shop\"";

fn role(verbs: &[&str]) -> Object {
    object("Role shop/reader", json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": verbs}]}))
}

fn binding(account: &str) -> Object {
    object(
        "RoleBinding shop/reader-of-pods",
        json!({"subjects": [{"kind": "ServiceAccount", "name": account, "namespace": "shop"}], "roleRef": {"kind": "Role", "name": "reader"}}),
    )
}

#[test]
fn a_missing_right_leads_to_the_role_the_binding_or_the_account() {
    let account = |name: &str| object(&format!("ServiceAccount shop/{name}"), json!({}));
    let app = checkout().spec(json!({"serviceAccountName": "checkout"}));
    let rights = Expect { cause: "log-cluster-access", verdict: Established, ..DEAD };
    one(
        &app,
        FORBIDDEN,
        [account("checkout"), role(&["get"]), binding("checkout")],
        Expect {
            entity: "Role/shop/reader",
            field: "rules",
            says: &["list pods", "allows only get on pods", "lacks list", "reader"],
            ..rights
        },
    );
    one(
        &app,
        FORBIDDEN,
        [account("checkout")],
        Expect {
            entity: "ServiceAccount/shop/checkout",
            says: &["list pods", "shop", "checkout", "forbids"],
            ..rights
        },
    );
    one(
        &app,
        FORBIDDEN,
        [account("checkout"), role(&["list"]), binding("chekout")],
        Expect {
            entity: "RoleBinding/shop/reader-of-pods",
            field: "subjects",
            says: &["chekout", "instead"],
            ..rights
        },
    );
    one(
        &app,
        FORBIDDEN,
        [account("checkout"), binding("checkout")],
        Expect { entity: "Role/shop/reader?", says: &["does not exist (not found)", "reader"], ..rights },
    );
    // The workload forgot to say as whom it runs.
    one(
        &checkout(),
        &FORBIDDEN.replace("shop:checkout", "shop:default"),
        [account("default"), account("checkout"), role(&["list"]), binding("checkout")],
        Expect {
            entity: "Deployment/shop/checkout",
            field: "spec.template.spec.serviceAccountName",
            verdict: Likely,
            says: &["serviceAccountName", "checkout has the right"],
            ..rights
        },
    );
    let world = dead(&app, FORBIDDEN, [account("checkout")]);
    let fault = world.diagnose().faults.remove(0);
    let step = fault.actions.iter().find(|a| a.command.contains("kubectl create role ")).expect("a grant");
    assert!(
        step.command.contains("--verb=list --resource=pods") && step.command.contains("--serviceaccount=shop:checkout"),
        "{}",
        step.command
    );
}

#[test]
fn a_right_that_was_given_since_or_holds_for_some_names_is_told_so() {
    let account = || object("ServiceAccount shop/checkout", json!({}));
    let app = checkout().spec(json!({"serviceAccountName": "checkout"}));
    let rights = Expect { cause: "log-cluster-access", entity: "Role/shop/reader", ..DEAD };
    let mut given = binding("checkout");
    given.meta_mut().creation_timestamp = Some(t(-1));
    one(
        &app,
        FORBIDDEN,
        [account(), role(&["get", "list", "watch"]), given],
        Expect {
            entity: "RoleBinding/shop/reader-of-pods",
            says: &["allows it now", "RoleBinding reader-of-pods", "after this refusal"],
            ..rights
        },
    );
    // Given long before: somebody else refuses.
    let mut old = [role(&["get", "list", "watch"]), binding("checkout")];
    old.iter_mut().for_each(|o| o.meta_mut().creation_timestamp = Some(t(-9000)));
    let [allows, grants] = old;
    let elsewhere = Expect { cause: "log-cluster-access", says: &["not this cluster's RBAC"], ..DEAD };
    one(&app, FORBIDDEN, [account(), allows, grants], Expect { verdict: Possible, ..elsewhere });
    let rules = |rule: Value| object("Role shop/reader", json!({"rules": [rule]}));
    one(
        &app,
        FORBIDDEN,
        [
            account(),
            rules(
                json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["list"], "resourceNames": ["cart", "till"]}),
            ),
            binding("checkout"),
        ],
        Expect {
            verdict: Established,
            field: "rules",
            says: &["only by the names cart and till (resourceNames)"],
            ..rights
        },
    );
    one(
        &app,
        FORBIDDEN,
        [
            account(),
            rules(json!({"apiGroups": ["apps"], "resources": ["pods"], "verbs": ["list"]})),
            binding("checkout"),
        ],
        Expect { verdict: Established, says: &["names pods of API group “apps” only", "lacks list"], ..rights },
    );
    // Somebody else's account that is not there proves nothing.
    one(
        &app,
        FORBIDDEN,
        [account(), role(&["list"]), binding("warehouse")],
        Expect {
            verdict: Established,
            entity: "ServiceAccount/shop/checkout",
            says: &["no RoleBinding or ClusterRoleBinding grants it"],
            ..rights
        },
    );
}

#[test]
fn a_binding_that_was_just_deleted_is_the_one_to_make_again() {
    let app = checkout().spec(json!({"serviceAccountName": "checkout"}));
    let account = object("ServiceAccount shop/checkout", json!({}));
    let gone = Expect { cause: "log-cluster-access", entity: "RoleBinding/shop/reader-of-pods?", ..DEAD };
    let mut world = dead(&app, FORBIDDEN, [account.clone(), role(&["list"])]);
    world.set_time(-60);
    world.upsert(binding("checkout"));
    world.set_time(-20);
    world.delete(binding("checkout"));
    world.set_time(0);
    check(&world, Expect { says: &["reader-of-pods was deleted", "list pods", "forbids"], ..gone });
    // Long ago, and in another namespace, bindings go for other reasons.
    let mut world = dead(&app, FORBIDDEN, [account, role(&["list"])]);
    let other = object(
        "RoleBinding lab/reader-of-pods",
        json!({"subjects": [], "roleRef": {"kind": "Role", "name": "reader"}}),
    );
    world.set_time(-20);
    world.upsert(other.clone());
    world.delete(other);
    world.set_time(0);
    let none = Expect { entity: "ServiceAccount/shop/checkout", verdict: Established, ..gone };
    check(&world, Expect { says: &["no RoleBinding or ClusterRoleBinding grants it"], ..none });
}

#[test]
fn a_command_that_runs_to_its_end_must_not_be_a_deployment() {
    let app = checkout().container(json!({"command": ["sh", "-c", "echo done"]}));
    let pod = app.pod("a", status::crashed(0, "Completed", 4, -5));
    let mut world = world(&app, [pod.clone()]);
    world.log(&pod, "app", 4, "done");
    check(
        &world,
        Expect {
            cause: "container-completes",
            verdict: Established,
            field: "spec.template.spec.containers[app].command",
            says: &["exit code 0", "runs to its end", "Deployment"],
            ..DEAD
        },
    );
}

#[test]
fn what_a_program_leaves_as_its_last_message_stands_in_for_its_log() {
    let app = checkout();
    let mut state = status::crashed(1, "Error", 3, -5);
    merge(
        &mut state["containerStatuses"][0],
        &json!({"state": {"terminated": {"message": "required environment variable QUEUE_URL is not set"}}}),
    );
    let mut world = world(&app, [app.pod("a", state)]);
    world.refuse_logs();
    check(&world, Expect { cause: "log-missing-env", verdict: Established, says: &["QUEUE_URL"], ..DEAD });
}

#[test]
fn what_is_not_listed_is_not_missing() {
    use afterwatch_core::coverage::UnreadableReason::Forbidden;
    let app = mounted(json!({"configMap": {"name": "app-config"}}), json!({"mountPath": "/etc/app"}));
    let mut world = dead(&app, "open /etc/app/routes.toml: no such file or directory", []);
    world.lose(Kind::ConfigMap, Forbidden);
    let fault = world.diagnose().faults.remove(0);
    assert_eq!(fault.causes[0].confidence, Likely, "{}", fault.causes[0].statement);
    assert!(!fault.causes[0].statement.contains("app-config, mounted at /etc/app, does not exist"));
    let app = env(json!([{"name": "DB", "value": "orders-db:5432"}]));
    let mut world = dead(&app, "dial tcp: lookup orders-db on 10.96.0.10:53: no such host", []);
    world.lose(Kind::Service, Forbidden);
    let fault = world.diagnose().faults.remove(0);
    assert!(!fault.causes[0].statement.contains("there is no Service"), "{}", fault.causes[0].statement);
}

#[test]
fn the_job_that_failed_names_who_must_be_changed_too() {
    let job = App::of(Kind::Job, "shop/import")
        .spec(json!({"restartPolicy": "Never"}))
        .container(json!({"env": from_map("LOG_LEVEL", "settings", "level")}));
    let pod = job.pod("a", status::finished(1, -20));
    let mut world = World::new();
    let failed = json!({"status": {"failed": 1, "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": at(-15)}]}});
    world.upsert_all([job.top(failed), pod.clone(), map("settings", &["level"])]);
    world.log(&pod, "app", 0, "config: invalid LOG_LEVEL 'verbos'");
    check(
        &world,
        Expect {
            rule: "job-failed",
            object: "Job/shop/import",
            subject: "Job/shop/import",
            cause: "log-bad-config",
            entity: "ConfigMap/shop/settings",
            field: "data[level]",
            verdict: Likely,
            severity: Medium,
            says: &["import", "LOG_LEVEL", "verbos"],
        },
    );
}

#[test]
fn a_binding_that_named_the_account_until_just_before_is_to_name_it_again() {
    let app = checkout().spec(json!({"serviceAccountName": "checkout"}));
    let account = |name: &str| object(&format!("ServiceAccount shop/{name}"), json!({}));
    let mut world = world(&app, []);
    world.upsert_all([account("checkout"), account("auditor"), role(&["list"]), binding("checkout")]);
    world.set_time(-20);
    let by = json!([{"manager": "iam-sync", "operation": "Update", "time": at(-20)}]);
    let mut moved = json!({"subjects": [{"kind": "ServiceAccount", "name": "auditor", "namespace": "shop"}]});
    merge(&mut moved, &json!({"roleRef": {"kind": "Role", "name": "reader"}, "metadata": {"managedFields": by}}));
    world.upsert(object("RoleBinding shop/reader-of-pods", moved));
    world.set_time(1);
    let pod = app.pod("a", status::crashed(1, "Error", 2, 0));
    world.upsert(pod.clone());
    world.log(&pod, "app", 2, FORBIDDEN);
    let expect = Expect {
        cause: "log-cluster-access",
        entity: "RoleBinding/shop/reader-of-pods",
        field: "subjects",
        says: &["RoleBinding reader-of-pods granted it until iam-sync changed its subjects at"],
        verdict: Established,
        ..DEAD
    };
    let fault = check(&world, expect);
    assert!(fault.changes.iter().any(|(c, suspect)| *suspect && c.who.as_deref() == Some("iam-sync")));
    assert_eq!(fault.actions[0].target.kind, "RoleBinding", "{:?}", fault.actions);
}

#[test]
fn who_adds_an_account_or_takes_its_namesake_away_has_taken_nothing_from_it() {
    let app = checkout().spec(json!({"serviceAccountName": "checkout"}));
    let subject = |name: &str, ns: &str| json!({"kind": "ServiceAccount", "name": name, "namespace": ns});
    let auditor = subject("auditor", "shop");
    for (before, after) in [
        (json!([auditor]), json!([auditor, subject("checkout", "shopp")])),
        (json!([auditor, subject("checkout", "other")]), json!([auditor])),
    ] {
        let names = |subjects: &serde_json::Value, when: i64| {
            let by = json!([{"manager": "iam-sync", "operation": "Update", "time": at(when)}]);
            let body = json!({
                "subjects": subjects, "roleRef": {"kind": "Role", "name": "reader"}, "metadata": {"managedFields": by}
            });
            object("RoleBinding shop/reader-of-pods", body)
        };
        let mut world = world(&app, []);
        let account = |name: &str| object(&format!("ServiceAccount shop/{name}"), json!({}));
        world.upsert_all([account("checkout"), account("auditor"), role(&["list"]), names(&before, -900)]);
        world.set_time(-20);
        world.upsert(names(&after, -20));
        world.set_time(1);
        let pod = app.pod("a", status::crashed(1, "Error", 2, 0));
        world.upsert(pod.clone());
        world.log(&pod, "app", 2, FORBIDDEN);
        let said = world.diagnose().faults[0].causes[0].statement.clone();
        assert!(!said.contains("granted it until"), "{said}");
    }
}
