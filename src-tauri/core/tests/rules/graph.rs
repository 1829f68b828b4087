//! The object graph, and the small picture of it around a fault.

use super::support::*;
use afterwatch_core::{
    coverage::UnreadableReason,
    graph::{self, Graph, Role, Seeds},
    object::{Kind, ObjectRef},
};
use afterwatch_testkit::World;

/// Every reference of an object, as `from -relation(detail)-> to`; what is not there ends with `?`.
fn ties(world: &World, what: &str) -> Vec<String> {
    let object = named(what);
    let key = |o: &ObjectRef| format!("{}{}", o.key(), if o.uid.is_none() { "?" } else { "" });
    graph::neighbours(&world.index, &object)
        .iter()
        .map(|e| {
            let detail = e.detail.as_ref().map(|d| format!("({d})")).unwrap_or_default();
            format!("{} -{}{detail}-> {}", key(&e.from), e.relation.word(), key(&e.to))
        })
        .collect()
}

/// `Kind namespace/name`, as a reference whose uid is not known.
fn named(what: &str) -> ObjectRef {
    let (kind, path) = what.split_once(' ').expect("kind and name");
    let (ns, name) = path.split_once('/').map_or((None, path), |(ns, name)| (Some(ns), name));
    match Kind::parse(kind) {
        Some(kind) => ObjectRef::missing(kind, ns, name),
        None => ObjectRef { kind: kind.to_owned(), ..ObjectRef::external(name) },
    }
}

/// What the picture is to be about. A symptom is written with the workload it belongs to: `Pod shop/a of Deployment shop/b`.
fn draw(world: &World, cause: &str, referrer: &str, subject: &str, symptoms: &[&str]) -> Graph {
    let (cause, referrer, subject) = (named(cause), (!referrer.is_empty()).then(|| named(referrer)), named(subject));
    let symptoms: Vec<(ObjectRef, ObjectRef)> = symptoms
        .iter()
        .map(|s| s.split_once(" of ").map_or_else(|| (named(s), named(s)), |(o, w)| (named(o), named(w))))
        .collect();
    let seeds = Seeds {
        cause: Some((&cause, referrer.as_ref())),
        subject: Some(&subject),
        symptoms: symptoms.iter().map(|(o, w)| (o, w)).collect(),
    };
    let graph = graph::around(&world.index, world.now, seeds);
    bounded(&graph);
    graph
}

/// The picture in words: a line for each node and each reference.
fn words(graph: &Graph) -> Vec<String> {
    let node = |n: &graph::GraphNode| {
        let (ill, missing) = (if n.ill { "!" } else { "" }, if n.missing { "?" } else { "" });
        let role = format!("{:?}", n.role).to_lowercase();
        format!("{role} {}{missing}{ill}: {}", n.label(), n.state)
    };
    let edge = |e: &graph::GraphEdge| format!("{}{}", graph.sentence(e), if e.broken { " ✗" } else { "" });
    let lines = graph.nodes.iter().map(node).chain(graph.edges.iter().map(edge));
    lines.chain((graph.left_out > 0).then(|| format!("{} more", graph.left_out))).collect()
}

#[track_caller]
fn bounded(graph: &Graph) {
    assert!(graph.nodes.len() <= graph::MOST_NODES, "{} nodes", graph.nodes.len());
    let n = graph.nodes.len() as u32;
    assert!(graph.edges.iter().all(|e| e.from < n && e.to < n && e.from != e.to), "{:?}", graph.edges);
    assert!(graph.nodes.iter().filter(|n| n.role == Role::Cause).count() <= 1);
}

const UID: &str = "deployment-shop-checkout";

/// `checkout` with a Service and an Ingress in front, and what it reads.
fn shop(service: Value, pods: &[Value]) -> World {
    let app = checkout().replicas(pods.len() as i32).spec(json!({"serviceAccountName": "default"})).container(json!({
        "env": [
            {"name": "DATABASE_URL", "value": "postgres://app:s3cr3t-word@orders-db.prod:5432/orders"},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "pay", "key": "token"}}},
            {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "LEVEL"}}},
        ],
    }));
    let pods = pods.iter().zip(["a", "b", "c"]).map(|(status, name)| app.pod(name, status.clone()));
    let mut world = world(&app, pods.collect::<Vec<_>>());
    world.upsert_all([
        app.service(service),
        app.endpoints(&[true]),
        object("Secret shop/pay", json!({})),
        object("ConfigMap shop/settings", json!({"digests": {"LEVEL": {"hash": "a", "bytes": 3}}})),
        object(
            "Ingress shop/front",
            json!({"spec": {"rules": [{"host": "shop.example", "http": {"paths": [
                {"path": "/", "backend": {"service": {"name": "checkout", "port": {"number": 80}}}}]}}]}}),
        ),
        App::deployment("prod/orders-db").service(json!({"spec": {"selector": null}})),
    ]);
    world
}

#[test]
fn a_crash_shows_what_leads_to_the_workload_and_what_it_stands_on() {
    let world = shop(
        json!({}),
        &[status::ready(-600), status::backing_off(1, "Error", 6, -50), status::backing_off(1, "Error", 6, -50)],
    );
    let graph = draw(
        &world,
        "Deployment shop/checkout",
        "",
        "Deployment shop/checkout",
        &["Pod shop/checkout-r1-b of Deployment shop/checkout", "Pod shop/checkout-r1-c of Deployment shop/checkout"],
    );
    assert_eq!(
        words(&graph)[..8],
        [
            "cause Deployment checkout!: 1 of 3 ready",
            "symptom 3 pods of checkout!: 2 not ready: CrashLoopBackOff",
            "beside Service checkout: 1 endpoint",
            "beside Service orders-db!: no endpoints",
            "beside ConfigMap settings: 1 key",
            "beside Secret pay: ",
            "beside Node node-a: ready",
            "beside Ingress front: shop.example",
        ]
    );
    assert_eq!(graph.nodes[1].object.name, "checkout-r1-b", "the first pod that is not well stands for all");
    assert_eq!(graph.nodes[1].owner.as_ref().and_then(|o| o.uid.as_deref()), Some(UID));
}

#[test]
fn a_selector_that_finds_nothing_is_a_broken_reference_to_the_workload_that_was_meant() {
    let mut world = shop(json!({"spec": {"selector": {"app": "chekout"}}}), &[status::ready(-600)]);
    world.upsert(checkout().endpoints(&[]));
    let graph = draw(
        &world,
        "Service shop/checkout",
        "Deployment shop/checkout",
        "Service shop/checkout",
        &["Service shop/checkout"],
    );
    let words = words(&graph);
    assert_eq!(words[0], "cause Service checkout!: selects no pod");
    assert!(words.contains(&"Service checkout selects no pod of Deployment checkout ✗".to_owned()), "{words:#?}");
    assert!(
        words.contains(&"Ingress front sends shop.example/ (port 80) to Service checkout".to_owned()),
        "{words:#?}"
    );
    assert!(words.contains(&"Deployment checkout owns Pod checkout-r1-a".to_owned()), "{words:#?}");
}

#[test]
fn a_missing_secret_stands_between_the_workloads_that_need_it() {
    let mut world = World::new();
    let names = ["cart", "checkout", "invoice"];
    for name in names {
        let app = App::deployment(&format!("shop/{name}"))
            .container(json!({"env": [{"name": "T", "valueFrom": {"secretKeyRef": {"name": "pay", "key": "k"}}}]}));
        world.run(&app, [app.pod("a", status::waiting("CreateContainerConfigError", "no secret", -10))]);
    }
    let symptoms = names.map(|n| format!("Pod shop/{n}-r1-a of Deployment shop/{n}"));
    let symptoms: Vec<&str> = symptoms.iter().map(String::as_str).collect();
    let graph = draw(&world, "Secret shop/pay", "Deployment shop/cart", "Secret shop/pay", &symptoms);
    assert_eq!(
        words(&graph),
        [
            "cause Secret pay?!: does not exist",
            "beside Deployment cart!: 0 of 1 ready",
            "symptom Pod cart-r1-a!: CreateContainerConfigError",
            "symptom Pod checkout-r1-a!: CreateContainerConfigError",
            "symptom Pod invoice-r1-a!: CreateContainerConfigError",
            "beside Deployment checkout!: 0 of 1 ready",
            "beside Deployment invoice!: 0 of 1 ready",
            "beside Node node-a: ready",
            "Deployment cart reads k from Secret pay ✗",
            "Deployment cart owns Pod cart-r1-a",
            "Pod cart-r1-a runs on Node node-a",
            "Pod checkout-r1-a runs on Node node-a",
            "Pod invoice-r1-a runs on Node node-a",
            "Deployment checkout reads k from Secret pay ✗",
            "Deployment checkout owns Pod checkout-r1-a",
            "Deployment invoice reads k from Secret pay ✗",
            "Deployment invoice owns Pod invoice-r1-a",
        ]
    );
    // What may not be read is not missing.
    world.lose(Kind::Secret, UnreadableReason::Forbidden);
    let graph = draw(&world, "Secret shop/pay", "Deployment shop/cart", "Secret shop/pay", &symptoms);
    assert_eq!(words(&graph)[0], "cause Secret pay: not readable");
}

#[test]
fn storage_is_followed_from_the_claim_to_its_class() {
    let app = App::of(Kind::StatefulSet, "shop/db").spec(json!({
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}],
    }));
    let mut world = world(&app, [app.pod("0", status::unschedulable("unbound immediate PersistentVolumeClaims", -60))]);
    let claim = json!({"spec": {"storageClassName": "fast"}, "status": {"phase": "Pending"}});
    world.upsert(object("PersistentVolumeClaim shop/data-db-0", claim));
    let graph = draw(
        &world,
        "StorageClass fast",
        "PersistentVolumeClaim shop/data-db-0",
        "StatefulSet shop/db",
        &["Pod shop/db-0 of StatefulSet shop/db"],
    );
    assert_eq!(
        words(&graph),
        [
            "cause StorageClass fast?!: does not exist",
            "beside PersistentVolumeClaim data-db-0!: Pending",
            "subject StatefulSet db!: 0 of 1 ready",
            "symptom Pod db-0!: Unschedulable",
            "PersistentVolumeClaim data-db-0 is of StorageClass fast ✗",
            "StatefulSet db mounts PersistentVolumeClaim data-db-0",
            "StatefulSet db owns Pod db-0",
        ]
    );
}

#[test]
fn the_way_between_cause_and_symptom_is_in_the_picture() {
    // The Ingress shows it, the workload's pods lie behind two other objects.
    let world = shop(json!({}), &[status::unready(-600)]);
    let graph = draw(&world, "ConfigMap shop/settings", "", "Ingress shop/front", &["Ingress shop/front"]);
    let roles: Vec<(Role, String)> = graph.nodes.iter().map(|n| (n.role, n.label())).collect();
    let expected = [
        (Role::Cause, "ConfigMap settings"),
        (Role::Subject, "Ingress front"),
        (Role::Beside, "Deployment checkout"),
        (Role::Beside, "Service checkout"),
    ];
    assert_eq!(&roles[..4], expected.map(|(r, n)| (r, n.to_owned())));
}

#[test]
fn a_node_shows_the_workloads_it_breaks_and_not_the_healthy_ones() {
    let mut world = World::new();
    world.upsert(World::node_since("node-b", "Unknown", -60));
    let on_b = json!({"spec": {"nodeName": "node-b"}});
    for name in ["cart", "checkout"] {
        let app = App::deployment(&format!("shop/{name}")).replicas(2);
        let pods = ["a", "b"].map(|p| app.pod_with(p, status::unready(-60), on_b.clone()));
        world.run(&app, pods);
    }
    let well = App::deployment("shop/well");
    world.run(&well, [well.pod_with("a", status::ready(-600), on_b)]);
    let symptoms = ["cart", "checkout"].map(|n| format!("Pod shop/{n}-r1-a of Deployment shop/{n}"));
    let symptoms: Vec<&str> = symptoms.iter().map(String::as_str).collect();
    let graph = draw(&world, "Node node-b", "", "Node node-b", &symptoms);
    assert_eq!(
        words(&graph),
        [
            "cause Node node-b!: NotReady",
            "symptom 2 pods of cart!: 2 not ready",
            "symptom 2 pods of checkout!: 2 not ready",
            "beside Deployment cart!: 0 of 2 ready",
            "beside Deployment checkout!: 0 of 2 ready",
            "2 pods of cart run on Node node-b",
            "2 pods of checkout run on Node node-b",
            "Deployment cart owns 2 pods of cart",
            "Deployment checkout owns 2 pods of checkout",
        ]
    );
}

#[test]
fn a_large_fault_stays_a_small_picture_and_says_how_much_is_left_out() {
    let mut world = World::new();
    let mut symptoms = Vec::new();
    for n in 10..40 {
        let app = App::deployment(&format!("shop/app-{n}"))
            .container(json!({"env": [{"name": "T", "valueFrom": {"secretKeyRef": {"name": "pay", "key": "k"}}}]}));
        world.run(&app, [app.pod("a", status::waiting("CreateContainerConfigError", "no secret", -10))]);
        symptoms.push(format!("Pod shop/app-{n}-r1-a of Deployment shop/app-{n}"));
    }
    let symptoms: Vec<&str> = symptoms.iter().map(String::as_str).collect();
    let graph = draw(&world, "Secret shop/pay", "", "Secret shop/pay", &symptoms);
    assert_eq!(graph.nodes.len(), graph::MOST_NODES);
    // Thirty workloads, their pods, the Secret and the node.
    assert!(graph.left_out >= 30 && graph.left_out < 62, "{}", graph.left_out);
    assert!(graph.edges.iter().any(|e| e.broken));
}

#[test]
fn what_lies_outside_and_what_nothing_refers_to_is_tied_to_the_workload_that_needs_it() {
    let world = shop(json!({}), &[status::unready(-600)]);
    for (cause, sentence) in [
        ("External db.example.com:5432", "Deployment checkout names the host db.example.com:5432"),
        ("Node node-z", "Deployment checkout waits for Node node-z"),
        ("Role shop/reader", "Deployment checkout needs Role reader"),
    ] {
        let graph = draw(&world, cause, "", "Deployment shop/checkout", &[]);
        assert!(words(&graph).iter().any(|w| w.starts_with(sentence)), "{:#?}", words(&graph));
    }
}

#[test]
fn a_pod_that_is_gone_is_one_of_its_workloads() {
    let world = shop(json!({}), &[status::ready(-600)]);
    let graph = draw(
        &world,
        "Deployment shop/checkout",
        "",
        "Deployment shop/checkout",
        &["Pod shop/checkout-r0-z of Deployment shop/checkout"],
    );
    assert_eq!(words(&graph)[1], "symptom Pod checkout-r1-a: ready");
}

#[test]
fn the_picture_has_names_and_keys_and_no_value() {
    let world = shop(json!({}), &[status::unready(-600)]);
    let graph = draw(&world, "Deployment shop/checkout", "", "Deployment shop/checkout", &[]);
    let text = serde_json::to_string(&graph).expect("JSON");
    assert!(text.contains("\"token\"") && text.contains("orders-db.prod"), "{text}");
    assert!(!text.contains("s3cr3t-word") && !text.contains("postgres://"), "{text}");
}

#[test]
fn references_are_found_from_both_ends() {
    let app = checkout().spec(json!({
        "serviceAccountName": "clerk", "priorityClassName": "high", "imagePullSecrets": [{"name": "registry"}],
    }));
    let mut world = world(&app, [app.pod("a", status::ready(-600))]);
    let selects = json!({"matchLabels": {"app": "checkout"}});
    let caller = App::deployment("web/front");
    world.run(&caller, []);
    world.upsert_all([
        app.service(json!({})),
        object(
            "EndpointSlice shop/checkout-1",
            json!({
                "metadata": {"labels": {"kubernetes.io/service-name": "checkout"}},
                "endpoints": [{"addresses": ["10.1.0.1"], "conditions": {"ready": false}, "targetRef": {"kind": "Pod", "name": "checkout-r1-a"}}],
            }),
        ),
        object("Namespace web", json!({"metadata": {"labels": {"team": "web"}}})),
        object("HorizontalPodAutoscaler shop/scaler", json!({"spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"}, "maxReplicas": 5}})),
        object("PodDisruptionBudget shop/budget", json!({"spec": {"selector": selects}})),
        object("ResourceQuota shop/quota", json!({})),
        object(
            "NetworkPolicy shop/wall",
            json!({"spec": {"podSelector": selects, "policyTypes": ["Ingress"], "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "web"}}}]}]}}),
        ),
        object("RoleBinding shop/clerks", json!({"roleRef": {"kind": "Role", "name": "reader"}, "subjects": [{"kind": "ServiceAccount", "name": "clerk"}]})),
        object("HTTPRoute shop/route", json!({"spec": {"parentRefs": [{"name": "gate", "namespace": "edge"}], "rules": [{"backendRefs": [{"name": "checkout", "port": 80}]}]}})),
        object("ValidatingWebhookConfiguration hooks", json!({"webhooks": [{"name": "a", "clientConfig": {"service": {"namespace": "shop", "name": "checkout"}}}]})),
        object("ServiceAccount shop/clerk", json!({})),
    ]);
    assert_eq!(
        ties(&world, "Deployment shop/checkout"),
        [
            "Deployment/shop/checkout -owns-> ReplicaSet/shop/checkout-r1",
            "Service/shop/checkout -selects-> Deployment/shop/checkout",
            "HorizontalPodAutoscaler/shop/scaler -scales-> Deployment/shop/checkout",
            "NetworkPolicy/shop/wall -restricts(traffic in)-> Deployment/shop/checkout",
            "PodDisruptionBudget/shop/budget -protects-> Deployment/shop/checkout",
            "ResourceQuota/shop/quota -limits-> Deployment/shop/checkout",
            "Deployment/shop/checkout -pulls with-> Secret/shop/registry?",
            "Deployment/shop/checkout -runs as-> ServiceAccount/shop/clerk",
            "Deployment/shop/checkout -priority-> PriorityClass//high?",
        ]
    );
    assert_eq!(
        ties(&world, "Pod shop/checkout-r1-a"),
        [
            "ReplicaSet/shop/checkout-r1 -owns-> Pod/shop/checkout-r1-a",
            "Service/shop/checkout -selects-> Pod/shop/checkout-r1-a",
            "Pod/shop/checkout-r1-a -runs on-> Node//node-a",
            "EndpointSlice/shop/checkout-1 -lists(as not ready)-> Pod/shop/checkout-r1-a",
            "NetworkPolicy/shop/wall -restricts(traffic in)-> Pod/shop/checkout-r1-a",
            "PodDisruptionBudget/shop/budget -protects-> Pod/shop/checkout-r1-a",
            "Pod/shop/checkout-r1-a -pulls with-> Secret/shop/registry?",
            "Pod/shop/checkout-r1-a -runs as-> ServiceAccount/shop/clerk",
            "Pod/shop/checkout-r1-a -priority-> PriorityClass//high?",
        ]
    );
    assert_eq!(
        ties(&world, "Service shop/checkout"),
        [
            "HTTPRoute/shop/route -sends to(/ (port 80))-> Service/shop/checkout",
            "Service/shop/checkout -selects-> Deployment/shop/checkout",
            "Service/shop/checkout -selects-> Pod/shop/checkout-r1-a",
            "Service/shop/checkout -endpoints in-> EndpointSlice/shop/checkout-1",
            "ValidatingWebhookConfiguration//hooks -calls-> Service/shop/checkout",
        ]
    );
    let clerk = ties(&world, "ServiceAccount shop/clerk");
    assert!(clerk.contains(&"RoleBinding/shop/clerks -grants to-> ServiceAccount/shop/clerk".to_owned()), "{clerk:?}");
    assert_eq!(ties(&world, "Role shop/reader"), ["RoleBinding/shop/clerks -grants-> Role/shop/reader?"]);
    assert_eq!(ties(&world, "Gateway edge/gate"), ["HTTPRoute/shop/route -attaches to-> Gateway/edge/gate?"]);
    assert_eq!(ties(&world, "Deployment web/front")[1..], ["NetworkPolicy/shop/wall -lets in-> Deployment/web/front"]);
    let high = ties(&world, "PriorityClass high");
    assert!(high.contains(&"Deployment/shop/checkout -priority-> PriorityClass//high?".to_owned()), "{high:?}");
}

#[test]
fn optional_configuration_that_is_not_there_is_no_reference() {
    let from = |name: &str, optional: bool| json!({"configMapRef": {"name": name, "optional": optional}});
    let app = checkout().container(json!({"envFrom": [from("extra", true), from("base", false)]}));
    let world = world(&app, []);
    let refs: Vec<String> =
        ties(&world, "Deployment shop/checkout").into_iter().filter(|t| t.contains("ConfigMap")).collect();
    assert_eq!(refs, ["Deployment/shop/checkout -reads-> ConfigMap/shop/base?"]);
}

#[test]
fn hosts_lead_to_the_service_they_name_and_to_nothing_they_do_not() {
    for (value, service) in [
        ("http://orders-db.prod:80", Some("prod/orders-db")),
        ("http://orders-db.prod.svc.cluster.local", Some("prod/orders-db")),
        ("http://orders-db-0.orders-db.prod:80", Some("prod/orders-db")),
        ("http://gone.prod.svc:80", Some("prod/gone?")),
        ("http://orders-db", None),
        ("http://api.example.com", None),
    ] {
        let app = checkout().container(json!({"env": [{"name": "URL", "value": value}]}));
        let mut world = world(&app, []);
        world.upsert(App::deployment("prod/orders-db").service(json!({})));
        let ties = ties(&world, "Deployment shop/checkout");
        let found = ties.iter().find_map(|t| t.split("-> Service/").nth(1));
        assert_eq!(found, service, "{value}: {ties:?}");
    }
}

#[test]
fn the_incident_keeps_the_picture_of_the_fault_when_it_recovers() {
    let app = checkout().replicas(2).container(json!({"image": "registry.test/shop/web:7"}));
    let pulls = |p: &str| app.pod(p, status::waiting("ImagePullBackOff", "registry.test/shop/web:7: not found", -700));
    let mut world = world(&app, [pulls("a"), pulls("b")]);
    world.look();
    let drawn = world.only().graph.clone().expect("drawn as it opens");
    assert!(words(&drawn).iter().any(|w| w == "symptom 2 pods of checkout!: 2 not ready: ImagePullBackOff"));
    assert_eq!(drawn.at, world.now);
    // One pod is well: nothing new is to be seen of the fault.
    world.upsert(app.pod("a", status::ready(10)));
    world.look_at(20);
    assert_eq!(world.only().graph.as_ref(), Some(&drawn));
    // A second symptom is: it is drawn again.
    world.upsert_all([app.service(json!({})), app.endpoints(&[false]), pulls("a")]);
    world.look_at(90);
    let again = world.only().graph.clone().expect("drawn");
    assert!(
        again.at > drawn.at && words(&again).iter().any(|w| w.starts_with("symptom Service checkout!")),
        "{:#?}",
        words(&again)
    );
    // All is well: the picture of the fault stays.
    world.upsert_all([app.pod("a", status::ready(95)), app.pod("b", status::ready(95)), app.endpoints(&[true])]);
    world.look_at(200);
    assert_eq!(world.incidents()[0].graph.as_ref(), Some(&again));
}
