//! What a host name or an address means.

use super::*;

fn space(name: &str) -> Object {
    object(&format!("Namespace {name}"), json!({}))
}

/// A Deployment that runs behind a Service.
fn running(path: &str) -> Vec<Object> {
    let app = App::deployment(path);
    let mut all = app.objects();
    all.extend([app.pod("a", status::ready(-600)), app.service(json!({})), app.endpoints(&[true])]);
    all
}

#[test]
fn another_service_is_not_the_one_that_was_meant() {
    let unknown = Expect { cause: "host-name-unknown", field: "spec.template.spec.containers[app].env[DB]", ..DEAD };
    let app = |host: &str| env(json!([{"name": "DB", "value": format!("{host}:5432")}]));
    for (wanted, other) in [("cart", "card"), ("api", "app"), ("auth", "oauth")] {
        let log = format!("dial tcp: lookup {wanted} on 10.96.0.10:53: no such host");
        let fault = check(&dead(&app(wanted), &log, running(&format!("shop/{other}"))), unknown);
        assert!(!fault.causes[0].statement.contains("nearly so"), "{}", fault.causes[0].statement);
    }
    // Two that may be meant prove neither.
    let log = "dial tcp: lookup ledger on 10.96.0.10:53: no such host";
    one(
        &app("ledger"),
        log,
        running("books/ledger").into_iter().chain(running("data/ledger")),
        Expect { says: &["in the namespaces books and data"], ..unknown },
    );
    // The pod calls the Service that resembles by its own name.
    let both = env(json!([{"name": "DB", "value": "ledgr:5432"}, {"name": "OTHER", "value": "ledger:80"}]));
    let fault = check(&dead(&both, &log.replace("ledger", "ledgr"), running("shop/ledger")), unknown);
    assert!(!fault.causes[0].statement.contains("nearly so"), "{}", fault.causes[0].statement);
}

#[test]
fn a_name_that_the_resolver_completed_is_found_where_it_is_written() {
    one(
        &env(json!([{"name": "DB", "value": "ledger:5432"}])),
        "dial tcp: lookup ledger.shop.svc.cluster.local on 10.96.0.10:53: no such host",
        running("data/ledger"),
        Expect {
            cause: "host-name-unknown",
            verdict: Established,
            field: "spec.template.spec.containers[app].env[DB]",
            says: &["ledger.data"],
            ..DEAD
        },
    );
}

#[test]
fn a_host_that_is_no_name_is_an_unset_variable() {
    let unset = Expect { cause: "log-dns", says: &["undefined", "without a value"], ..DEAD };
    let log = "Error: getaddrinfo ENOTFOUND undefined";
    one(
        &env(json!([{"name": "LEVEL", "value": "info"}, {"name": "API_HOST", "value": ""}])),
        log,
        [],
        Expect {
            field: "spec.template.spec.containers[app].env[API_HOST]",
            says: &["undefined", "without a value", "sets API_HOST to an empty value"],
            ..unset
        },
    );
    one(
        &env(
            json!([{"name": "API_HOST", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "api", "optional": true}}}]),
        ),
        log,
        [map("settings", &["level"])],
        Expect { entity: "ConfigMap/shop/settings", field: "data[api]", says: &["undefined", "no key api"], ..unset },
    );
    one(&checkout(), log, [], Expect { field: "spec.template.spec.containers[app].env", ..unset });
}

#[test]
fn a_domain_is_not_a_namespace() {
    let spaces = || [space("shop"), space("staging")];
    let app = |host: &str| env(json!([{"name": "API", "value": format!("https://{host}")}]));
    let log = |host: &str| format!("dial tcp: lookup {host} on 10.96.0.10:53: no such host");
    let outside = Expect { cause: "log-dns", says: &["outside the cluster"], ..DEAD };
    one(&app("acme.ch"), &log("acme.ch"), spaces(), Expect { entity: "External//acme.ch?", ..outside });
    one(&app("pay.shopify"), &log("pay.shopify"), spaces(), Expect { entity: "External//pay.shopify?", ..outside });
    let inside = Expect { cause: "host-name-unknown", field: "spec.template.spec.containers[app].env[API]", ..DEAD };
    one(
        &app("pay.staging"),
        &log("pay.staging"),
        spaces(),
        Expect { says: &["no Service pay in namespace staging"], ..inside },
    );
    one(
        &app("pay.stagin"),
        &log("pay.stagin"),
        spaces(),
        Expect { says: &["namespace stagin does not exist"], ..inside },
    );
}

#[test]
fn an_address_is_whose_it_is_now() {
    let log = "dial tcp 10.1.0.9:5432: connect: connection refused";
    let refused = Expect { cause: "log-connection-refused", ..DEAD };
    let holder = |path: &str, mut state: Value, host: bool| {
        state["podIP"] = json!("10.1.0.9");
        App::deployment(path).spec(json!({"hostNetwork": host})).pod("a", state)
    };
    // A pod that has ended gave its address back.
    one(
        &checkout(),
        log,
        [holder("shop/aged", status::finished(0, -900), false), holder("shop/db", status::ready(-600), false)],
        Expect { says: &["this is pod db-r1-a"], ..refused },
    );
    // A pod on the node's network has the node's address.
    one(
        &checkout(),
        log,
        [holder("shop/agent", status::ready(-600), true)],
        Expect { says: &["the address of node node-a"], ..refused },
    );
    let node = {
        let mut node = World::node("node-b", "True");
        if let Object::Node(n) = &mut node {
            n.status.addresses =
                serde_json::from_value(json!([{"type": "InternalIP", "address": "10.1.0.9"}])).unwrap();
        }
        node
    };
    one(&checkout(), log, [node], Expect { says: &["the address of node node-b"], ..refused });
    one(&checkout(), log, [], Expect { entity: "External//10.1.0.9:5432?", says: &["outside the cluster"], ..refused });
}

#[test]
fn a_port_is_proven_where_it_is_written_as_a_port() {
    let db = App::deployment("shop/db");
    let port = || db.service(json!({"spec": {"ports": [{"name": "pg", "port": 5432, "targetPort": 5432}]}}));
    let log = "connection to server at \"db\" (10.0.0.7), port 5433 failed: timeout expired";
    let wrong = Expect { cause: "service-port-unknown", says: &["no port 5433"], ..DEAD };
    let scene = |container: Value| {
        let mut world = dead(&checkout().container(container), log, db.objects());
        world.upsert_all([db.pod("a", status::ready(-600)), port(), db.endpoints(&[true])]);
        world
    };
    // The number means something else there.
    check(&scene(json!({"args": ["--workers", "5433"], "env": [{"name": "DB_HOST", "value": "db"}]})), wrong);
    check(
        &scene(json!({"env": [{"name": "DB_HOST", "value": "db"}, {"name": "DB_PORT", "value": "5433"}]})),
        Expect { verdict: Established, field: "spec.template.spec.containers[app].env[DB_PORT]", ..wrong },
    );
    check(
        &scene(json!({"args": ["--db-port=5433"]})),
        Expect { field: "spec.template.spec.containers[app].args", ..wrong },
    );
    check(
        &scene(json!({"command": ["python3", "-c", "connect(('db', 5433))"]})),
        Expect { verdict: Established, field: "spec.template.spec.containers[app].command", ..wrong },
    );
}

const API: &str = "Get \"https://10.96.0.1:443/api?timeout=32s\": dial tcp 10.96.0.1:443: i/o timeout";

/// The Service of the API server and where it leads.
fn api_server() -> Vec<Object> {
    vec![
        object(
            "Service default/kubernetes",
            json!({"spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443, "targetPort": 6443}]}}),
        ),
        object(
            "EndpointSlice default/kubernetes",
            json!({"metadata": {"labels": {"kubernetes.io/service-name": "kubernetes"}},
                "endpoints": [{"addresses": ["172.18.0.2"]}], "ports": [{"name": "https", "port": 6443}]}),
        ),
    ]
}

fn egress(rules: Value) -> Object {
    object(
        "NetworkPolicy shop/egress",
        json!({"spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": rules}}),
    )
}

#[test]
fn the_way_to_the_api_server_is_a_policys_or_the_nodes() {
    let scene = |others: Vec<Object>| dead(&checkout(), API, api_server().into_iter().chain(others));
    let node = Expect { cause: "log-timeout", entity: "Node//node-a", ..DEAD };
    check(
        &scene(vec![egress(json!([{"to": [{"podSelector": {}}]}]))]),
        Expect {
            cause: "network-policy-blocks",
            entity: "NetworkPolicy/shop/egress",
            field: "spec.egress",
            says: &["egress", "172.18.0.2:6443"],
            ..DEAD
        },
    );
    // A policy that lets it through is not to blame.
    check(
        &scene(vec![egress(json!([{"to": [{"ipBlock": {"cidr": "172.18.0.0/16"}}]}]))]),
        Expect { verdict: Possible, says: &["API server", "node node-a"], ..node },
    );
    check(&scene(Vec::new()), Expect { verdict: Possible, says: &["API server", "node node-a"], ..node });
    // Who carries the node's traffic is ill.
    let proxy = App::of(Kind::DaemonSet, "kube-system/kube-proxy").spec(json!({"hostNetwork": true}));
    let fault = scene(vec![proxy.pod("a", status::unready(-300))]).diagnose().faults;
    let cause = fault.iter().flat_map(|f| &f.causes).find(|c| c.rule_id == "log-timeout").expect("the timeout");
    assert_eq!((cause.entity.key().as_str(), cause.confidence), ("Node//node-a", Likely), "{}", cause.statement);
    says(cause, &["pod kube-proxy-a", "not ready"]);
    // A workload that is only called like one carries nothing.
    let canal = App::deployment("shop/canal-booking");
    let fault = scene(vec![canal.pod("a", status::unready(-300))]).diagnose().faults;
    let cause = fault.iter().flat_map(|f| &f.causes).find(|c| c.rule_id == "log-timeout").expect("the timeout");
    assert!(!cause.statement.contains("canal-booking"), "{}", cause.statement);
    // Another pod of the same node says so too.
    let other = App::deployment("shop/billing");
    let pod = other.pod("a", status::crashed(1, "Error", 3, -5));
    let mut world = scene(other.objects());
    world.upsert(pod.clone());
    world.log(&pod, "app", 3, API);
    let faults = world.diagnose().faults;
    let cause = faults.iter().flat_map(|f| &f.causes).find(|c| c.entity.kind == "Node").expect("the node");
    assert_eq!(cause.confidence, Likely, "{}", cause.statement);
    says(cause, &["cannot reach it either", "node-a"]);
}

#[test]
fn a_service_without_a_selector_may_lie_behind_a_policy() {
    let service = object(
        "Service shop/ledger",
        json!({"spec": {"clusterIP": "10.0.0.8", "ports": [{"name": "pg", "port": 5432, "targetPort": 5432}]}}),
    );
    let slice = object(
        "EndpointSlice shop/ledger",
        json!({"metadata": {"labels": {"kubernetes.io/service-name": "ledger"}},
            "endpoints": [{"addresses": ["172.20.0.5"]}], "ports": [{"name": "pg", "port": 5432}]}),
    );
    let log = "dial tcp 10.0.0.8:5432: i/o timeout";
    one(
        &checkout(),
        log,
        [service.clone(), slice.clone()],
        Expect { cause: "log-timeout", entity: "Service/shop/ledger", says: &["172.20.0.5:5432", "by hand"], ..DEAD },
    );
    one(
        &checkout(),
        log,
        [service, slice, egress(json!([{"to": [{"podSelector": {}}]}]))],
        Expect {
            cause: "network-policy-blocks",
            entity: "NetworkPolicy/shop/egress",
            field: "spec.egress",
            says: &["172.20.0.5:5432"],
            ..DEAD
        },
    );
}
