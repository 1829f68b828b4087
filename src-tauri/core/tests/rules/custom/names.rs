//! What a message says is not there, and what only sounds like it.

use super::*;

const STORE: &str = "external-secrets.io/v1";

#[test]
fn nouns_that_end_like_a_kind_are_no_objects() {
    for message in [
        "service account not found",
        "node pool not found",
        "secret key not found",
        "cluster role does not exist",
        "the secrets were not found",
        "pq: role \"app\" does not exist",
        "Vault: secret kv/orders not found",
        "no such path: Secret \"kv/data/orders\" not found",
    ] {
        check(&of([database(says("Ready", "False", "ProvisionFailed", message))]), CUSTOM);
    }
    // Nor do they make a failure of what is on its way.
    for message in ["service account not found, retrying", "node pool not found yet"] {
        silent(&of([database(says("Ready", "False", "Provisioning", message))]));
    }
    let world = of([database(says("Ready", "False", "JobFailed", "jobs.batch import not found"))]);
    check(&world, Expect { cause: "custom-resource-needs-missing", entity: "Job/shop/import?", ..CUSTOM });
}

#[test]
fn a_secret_that_is_in_the_namespace_the_message_names_is_not_looked_for_elsewhere() {
    let message = "cannot read infra/orders-backup: secrets \"orders-backup\" not found";
    let failing = || database(says("Ready", "False", "BackupFailed", message));
    let mut world = of([failing(), object("Namespace infra", json!({}))]);
    let missing = Expect { cause: "custom-resource-needs-missing", verdict: Established, ..CUSTOM };
    check(&world, Expect { entity: "Secret/infra/orders-backup?", ..missing });
    world.upsert(object("Secret infra/orders-backup", json!({})));
    check(&world, CUSTOM);
}

#[test]
fn what_another_cluster_behind_a_store_lacks_is_not_missed_here() {
    let name = "ExternalSecret.external-secrets.io/shop/db";
    for target in [json!({}), json!({"spec": {"target": {"name": "db"}}})] {
        let said = says("Ready", "False", "SecretSyncedError", "could not get secret data: secrets \"db\" not found");
        let world = of([custom(STORE, "ExternalSecret shop/db", with(target, said))]);
        let fault = check(&world, Expect { object: name, subject: name, entity: name, ..CUSTOM });
        assert!(fault.actions.iter().all(|a| !a.command.contains("create secret")), "{:?}", fault.actions);
    }
}

#[test]
fn of_two_that_make_one_secret_the_surer_explains_what_misses_it() {
    let app = checkout().container(json!({"envFrom": [{"secretRef": {"name": "payments"}}]}));
    let failing = |name: &str, message: &str| {
        let target = json!({"spec": {"target": {"name": "payments"}}});
        let said = says("Ready", "False", "SecretSyncedError", message);
        custom(STORE, &format!("ExternalSecret shop/{name}"), with(target, said))
    };
    let [one, other] = ["a", "b"].map(|name| failing(name, "could not get secret data from provider"));
    for order in [[one.clone(), other.clone()], [other, one]] {
        let missing = status::waiting("CreateContainerConfigError", "secret \"payments\" not found", -300);
        let mut world = world(&app, [app.pod("a", missing)]);
        world.upsert_all(order);
        let faults = world.diagnose().faults;
        let pod = faults.iter().flat_map(|f| &f.findings).find(|f| f.object.kind == "Pod").expect("the pod");
        let blamed: Vec<String> = pod.causes.iter().map(|c| c.entity.key()).collect();
        assert_eq!(blamed[0], "ExternalSecret.external-secrets.io/shop/a");
        assert_eq!(blamed.iter().filter(|b| b.starts_with("ExternalSecret")).count(), 1, "{blamed:?}");
        let mut keys: Vec<&str> = pod.evidence.iter().map(|e| e.key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), pod.evidence.len(), "evidence is told once");
    }
}

#[test]
fn a_secret_that_an_operator_is_told_to_write_waits_for_what_the_operator_says() {
    let app = checkout().container(json!({"envFrom": [{"secretRef": {"name": "orders-db"}}]}));
    let missing = status::waiting("CreateContainerConfigError", "secret \"orders-db\" not found", -300);
    for written in [
        json!({"spec": {"connectionSecretName": "orders-db"}}),
        json!({"spec": {"writeConnectionSecretToRef": {"name": "orders-db"}}}),
    ] {
        let said = says("Ready", "False", "InvalidClass", "instance class db.r9.4xlarge is not offered here");
        let mut world = world(&app, [app.pod("a", missing.clone())]);
        world.upsert(database(with(written, said)));
        let fault = world.diagnose().faults.remove(0);
        assert_eq!(fault.causes[0].entity.kind, "Database", "{}", fault.causes[0].statement);
        assert!(fault.causes[0].statement.contains("db.r9.4xlarge"), "{}", fault.causes[0].statement);
    }
}
