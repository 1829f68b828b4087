//! What a program is given and is too little, too short, of another version, or not there at all.

use super::*;

/// The ConfigMap was there with another value of the key until shortly before the container first died.
fn rewritten(app: &App, log: &str, name: &str, key: &str) -> World {
    let with =
        |hash: &str| object(&format!("ConfigMap shop/{name}"), json!({"digests": {(key): {"hash": hash, "bytes": 9}}}));
    let mut world = World::new().at(-100);
    world.upsert(with("before"));
    world.run(app, []);
    world.set_time(-60);
    world.upsert(with("after"));
    world.set_time(0);
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    world.upsert(pod.clone());
    world.log(&pod, "app", 3, log);
    world
}

fn first(world: &World) -> afterwatch_core::finding::CauseDraft {
    world.diagnose().faults[0].causes[0].clone()
}

#[test]
fn a_heap_that_a_config_map_bounds_since_just_now_is_the_config_maps() {
    let log = "Terminating due to java.lang.OutOfMemoryError: Java heap space";
    let app = checkout().container(json!({
        "envFrom": [{"configMapRef": {"name": "jvm"}}], "resources": {"limits": {"memory": "768Mi"}}}));
    let cause = first(&rewritten(&app, log, "jvm", "JAVA_TOOL_OPTIONS"));
    assert_eq!(
        (cause.entity.key().as_str(), cause.field.as_deref()),
        ("ConfigMap/shop/jvm", Some("data[JAVA_TOOL_OPTIONS]"))
    );
    says(&cause, &["heap", "JAVA_TOOL_OPTIONS", "768Mi"]);
    // What was so for long does not explain it.
    let cause = first(&dead(&app, log, [map("jvm", &["JAVA_TOOL_OPTIONS"])]));
    assert_eq!(cause.field.as_deref(), Some("spec.template.spec.containers[app].resources.limits.memory"));
}

#[test]
fn a_timeout_of_a_few_milliseconds_is_the_programs_own_fault() {
    let log = "rate lookup failed: AxiosError: timeout of 3ms exceeded, GET https://api.carrier.example/rates";
    let app = checkout().container(json!({"envFrom": [{"configMapRef": {"name": "rates"}}]}));
    let cause = first(&rewritten(&app, log, "rates", "HTTP_TIMEOUT_MS"));
    assert_eq!(
        (cause.entity.key().as_str(), cause.field.as_deref()),
        ("ConfigMap/shop/rates", Some("data[HTTP_TIMEOUT_MS]"))
    );
    says(&cause, &["3 ms", "HTTP_TIMEOUT_MS"]);
    let literal = env(json!([{"name": "HTTP_TIMEOUT_MS", "value": "3"}]));
    let cause = first(&dead(&literal, log, []));
    assert_eq!(cause.field.as_deref(), Some("spec.template.spec.containers[app].env[HTTP_TIMEOUT_MS]"));
    // Whoever does not answer within seconds is another matter.
    let cause = first(&dead(&literal, &log.replace("3ms", "3000ms"), []));
    assert_eq!(cause.entity.kind, "External", "{}", cause.statement);
    // Nor is a pause before it tries again, or a part of a greater number.
    for log in [
        "GET https://api.carrier.example/rates: i/o timeout, retrying in 10ms",
        "GET https://api.carrier.example/rates timed out after 30,000 ms",
    ] {
        let cause = first(&dead(&literal, log, []));
        assert!(!cause.statement.contains("its own timeout"), "{}", cause.statement);
    }
}

#[test]
fn a_module_is_misspelt_where_its_whole_name_is_written() {
    let app = env(json!([{"name": "APP_MODULE", "value": "shop.wgsi:app"}]));
    let expect =
        Expect { cause: "log-missing-module", field: "spec.template.spec.containers[app].env[APP_MODULE]", ..DEAD };
    one(&app, "ModuleNotFoundError: No module named 'shop.wgsi'", [], expect);
    // A plain word in a variable is no module.
    let app = env(json!([{"name": "BROKER", "value": "redis"}]));
    let expect = Expect { cause: "log-missing-module", field: "spec.template.spec.containers[app].image", ..DEAD };
    one(&app, "ModuleNotFoundError: No module named 'redis'", [], expect);
}

#[test]
fn a_kind_that_the_api_server_does_not_know_lacks_its_definition() {
    let log = |version: &str| format!("no matches for kind \"Tenant\" in version \"{version}\"");
    let cause = first(&dead(&checkout(), &log("example.com/v1alpha1"), []));
    assert_eq!(cause.entity.key(), "CustomResourceDefinition//tenants.example.com");
    assert!(cause.entity.uid.is_none() && cause.referrer.is_some_and(|r| r.name == "checkout"));
    let plural = |kind: &str| {
        let log = format!("no matches for kind \"{kind}\" in version \"networking.istio.io/v1\"");
        first(&dead(&checkout(), &log, [])).entity.name
    };
    let names = ["Gateway", "ServiceEntry", "DestinationRule"].map(plural);
    assert_eq!(names, ["gateways", "serviceentries", "destinationrules"].map(|n| format!("{n}.networking.istio.io")));
    // A server beside the API server has no definition.
    let server =
        object("APIService v1alpha1.example.com", json!({"spec": {"service": {"namespace": "x", "name": "y"}}}));
    let cause = first(&dead(&checkout(), &log("example.com/v1alpha1"), [server]));
    assert_eq!(cause.entity.key(), "Deployment/shop/checkout");
    // What Kubernetes no longer serves is the program's.
    for version in ["policy/v1beta1", "flowcontrol.apiserver.k8s.io/v1beta1"] {
        assert_eq!(first(&dead(&checkout(), &log(version), [])).entity.key(), "Deployment/shop/checkout");
    }
}

#[test]
fn a_client_that_is_older_than_its_server_is_the_images() {
    let log = "pg_dump: error: aborting because of server version mismatch\npg_dump: detail: server version: 16.4; pg_dump version: 14.13 (Debian 14.13-1)";
    let expect = Expect {
        cause: "log-runtime-version",
        field: "spec.template.spec.containers[app].image",
        says: &["16.4", "14.13"],
        ..DEAD
    };
    one(&checkout(), log, [], expect);
}

#[test]
fn an_address_among_those_of_the_clusters_services_is_not_outside() {
    let api = object("Service default/kubernetes", json!({"spec": {"clusterIP": "10.96.0.1"}}));
    let log = "FATAL dial tcp 10.96.11.2:5432: connect: connection refused";
    let cause = first(&dead(&checkout(), log, [api.clone()]));
    assert_eq!(cause.entity.key(), "Deployment/shop/checkout");
    says(&cause, &["10.96.11.2", "which nothing has now"]);
    let cause = first(&dead(&checkout(), &log.replace("10.96.11.2", "10.20.11.2"), [api]));
    assert_eq!(cause.entity.kind, "External");
}

#[test]
fn a_column_that_is_missing_since_a_new_image_is_the_images() {
    let log = "psycopg2.errors.UndefinedColumn: column users.mfa_enabled does not exist";
    let image = |tag: &str| checkout().container(json!({"image": format!("registry.test/users:{tag}")}));
    let mut world = World::new().at(-100);
    world.run(&image("1"), []);
    world.set_time(-20);
    let newer = checkout().revise(-20, json!({"image": "registry.test/users:2"}));
    world.run(&newer, []);
    world.set_time(0);
    let pod = newer.pod("a", status::crashed(1, "Error", 3, -5));
    world.upsert(pod.clone());
    world.log(&pod, "app", 3, log);
    assert_eq!(first(&world).field.as_deref(), Some("spec.template.spec.containers[app].image"));
    assert_eq!(first(&dead(&checkout(), log, [])).field, None);
}

#[test]
fn whom_a_pod_is_to_a_cloud_is_said_by_its_service_account() {
    let account =
        |annotations: Value| object("ServiceAccount shop/media", json!({"metadata": {"annotations": annotations}}));
    let app = checkout().spec(json!({"serviceAccountName": "media"}));
    let log = "botocore.exceptions.NoCredentialsError: Unable to locate credentials";
    let look = |after: Value| {
        let mut world = World::new().at(-100);
        world.upsert(account(json!({"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/media"})));
        world.run(&app, []);
        world.set_time(-60);
        world.upsert(account(after));
        world.set_time(0);
        let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
        world.upsert(pod.clone());
        world.log(&pod, "app", 3, log);
        first(&world)
    };
    let cause = look(json!({}));
    assert_eq!(cause.entity.key(), "ServiceAccount/shop/media", "{}", cause.statement);
    assert!(cause.field.as_deref().is_some_and(|f| f.contains("eks.amazonaws.com/role-arn")), "{:?}", cause.field);
    says(&cause, &["eks.amazonaws.com/role-arn was removed from the annotations of ServiceAccount media"]);
    let cause = look(json!({"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/media"}));
    assert_eq!(cause.entity.key(), "Deployment/shop/checkout");
    // Another annotation says nothing, and neither does a role of who is refused by a database.
    let tracked =
        json!({"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/media", "argocd.argoproj.io/tracking-id": "x"});
    assert_eq!(look(tracked).entity.key(), "Deployment/shop/checkout");
    let log = "FATAL: password authentication failed for user \"app\"";
    let mut world = World::new().at(-100);
    world.upsert(account(json!({"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/media"})));
    world.run(&app, []);
    world.set_time(-60);
    world.upsert(account(json!({})));
    world.set_time(0);
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    world.upsert(pod.clone());
    world.log(&pod, "app", 3, log);
    assert_eq!(first(&world).entity.key(), "Deployment/shop/checkout");
}

#[test]
fn the_service_of_a_sets_names_is_what_is_missing() {
    let set = App::of(Kind::StatefulSet, "shop/kv");
    let pod = set.pod("0", status::crashed(1, "Error", 3, -5));
    let mut world = World::new();
    world.upsert(set.top(json!({"metadata": {"creationTimestamp": at(-60)}, "spec": {"serviceName": "kv-hl"}})));
    world.upsert(pod.clone());
    world.upsert(object("Service shop/kv-headless", json!({"spec": {"clusterIP": "None", "selector": {"app": "kv"}}})));
    world.log(
        &pod,
        "app",
        3,
        "java.net.UnknownHostException: kv-0.kv-hl.shop.svc.cluster.local: Name or service not known",
    );
    let fault = &world.diagnose().faults[0];
    let cause = &fault.causes[0];
    assert_eq!((&*cause.rule_id, &*cause.entity.key()), ("statefulset-service-missing", "Service/shop/kv-hl"));
    assert_eq!(cause.field.as_deref(), Some("spec.serviceName"));
}

#[test]
fn a_port_that_no_line_names_is_the_one_that_both_open() {
    let two = json!({"containers": [
        {"name": "site", "image": "i:1", "ports": [{"containerPort": 8080}]},
        {"name": "app", "image": "i:1", "command": ["httpd", "-f", "-p", "8080"]},
    ]});
    let expect = Expect {
        cause: "log-port-in-use",
        verdict: Established,
        field: "spec.template.spec.containers[app].command",
        says: &["container site", "port 8080"],
        ..DEAD
    };
    one(&checkout().spec(two), "httpd: bind: Address already in use", [], expect);
}

#[test]
fn a_service_that_was_deleted_is_made_again_in_front_of_its_pods() {
    let mut world = World::new().at(-100);
    let stock = App::deployment("shop/stock").container(json!({"ports": [{"containerPort": 8080}]}));
    world.run(&stock, [stock.pod("a", status::ready(-3000))]);
    world.upsert(stock.service(json!({})));
    let app = env(json!([{"name": "STOCK_URL", "value": "http://stock:80/"}]));
    world.run(&app, []);
    world.set_time(-60);
    world.delete(stock.service(json!({})));
    world.set_time(0);
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    world.upsert(pod.clone());
    world.log(&pod, "app", 3, "lookup stock on 10.96.0.10:53: no such host");
    let commands: Vec<String> = world.diagnose().faults[0].actions.iter().map(|a| a.command.clone()).collect();
    assert!(
        commands[0].contains("kubectl expose deployment/stock -n shop --name=stock --port=80 --target-port=8080"),
        "{commands:?}"
    );
}

#[test]
fn a_folder_that_a_variable_names_since_just_now_is_the_variables() {
    let volume = json!({"volumes": [{"name": "v", "configMap": {"name": "schema"}}]});
    let app = |folder: &str| {
        checkout().spec(volume.clone()).container(json!({
            "env": [{"name": "SCHEMA_DIR", "value": folder}], "volumeMounts": [{"name": "v", "mountPath": "/schema"}]}))
    };
    let mut world = World::new().at(-100);
    world.upsert(map("schema", &["V1.sql"]));
    world.run(&app("/schema"), []);
    world.set_time(-30);
    world.run(&app("/schemas"), []);
    world.set_time(0);
    let pod = app("/schemas").pod("a", status::crashed(1, "Error", 3, -5));
    world.upsert(pod.clone());
    world.log(&pod, "app", 3, "ls: /schemas/V1.sql: No such file or directory");
    assert_eq!(first(&world).field.as_deref(), Some("spec.template.spec.containers[app].env[SCHEMA_DIR]"));
}
