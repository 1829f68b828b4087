//! Hosts: Services, policies, the cluster's DNS, what lies outside.

use super::*;

const REFUSED: &str = "dial tcp 10.0.0.7:80: connect: connection refused";

#[test]
fn a_service_that_leads_nowhere_is_told_by_why() {
    let down = Expect { entity: "Service/shop/db", field: "", ..DEAD };
    // Its workload is scaled to zero.
    let db = App::deployment("shop/db").replicas(0);
    let mut world = dead(&checkout(), REFUSED, db.objects());
    world.upsert_all([db.service(json!({})), db.endpoints(&[])]);
    check(
        &world,
        Expect {
            cause: "dependency-scaled-to-zero",
            entity: "Deployment/shop/db",
            field: "spec.replicas",
            verdict: Established,
            says: &["db", "scaled to zero"],
            ..down
        },
    );
    // Its pods are not ready: the log of the caller names the Service, whose own trouble is another finding's.
    let db = App::deployment("shop/db");
    let mut world = dead(&checkout(), REFUSED, db.objects());
    world.upsert_all([db.pod("a", status::unready(-2)), db.service(json!({})), db.endpoints(&[false])]);
    let diagnosis = world.diagnose();
    let cause = diagnosis.faults.iter().flat_map(|f| &f.causes).find(|c| c.rule_id == "dependency-without-endpoints");
    says(cause.expect("the Service"), &["Service db has no ready endpoints", "1 pod of Deployment db"]);
}

#[test]
fn a_port_that_the_service_does_not_have_is_told_with_both_sides() {
    let db = App::deployment("shop/db");
    let port = || db.service(json!({"spec": {"ports": [{"name": "pg", "port": 5432, "targetPort": 5432}]}}));
    let log = "connection to server at \"db\" (10.0.0.7), port 5433 failed: timeout expired";
    let app = env(json!([{"name": "DATABASE_URL", "value": "postgres://app@db:5433/app"}]));
    let mut world = dead(&app, log, db.objects());
    world.upsert_all([db.pod("a", status::ready(-600)), port(), db.endpoints(&[true])]);
    check(
        &world,
        Expect {
            cause: "service-port-unknown",
            verdict: Established,
            field: "spec.template.spec.containers[app].env[DATABASE_URL]",
            says: &["db:5433", "port 5432", "no port 5433"],
            ..DEAD
        },
    );
    // The right port and a pod that is ready: nothing is wrong with the Service.
    let mut world =
        dead(&app, "connection to server at \"db\" (10.0.0.7), port 5432 failed: Connection refused", db.objects());
    world.upsert_all([db.pod("a", status::ready(-600)), port(), db.endpoints(&[true])]);
    check(&world, Expect { cause: "log-connection-refused", says: &["has ready endpoints"], ..DEAD });
}

#[test]
fn a_host_name_that_is_nearly_a_services() {
    let unknown = Expect { cause: "host-name-unknown", ..DEAD };
    let log = "dial tcp: lookup orders-bd on 10.96.0.10:53: no such host";
    let orders = App::deployment("shop/orders-db");
    let others = || {
        let mut all = orders.objects();
        all.extend([orders.pod("a", status::ready(-600)), orders.service(json!({})), orders.endpoints(&[true])]);
        all
    };
    one(
        &env(json!([{"name": "DB", "value": "orders-bd:5432"}])),
        log,
        others(),
        Expect {
            verdict: Established,
            field: "spec.template.spec.containers[app].env[DB]",
            says: &["orders-bd", "not found", "Service orders-db exists"],
            ..unknown
        },
    );
    // The name stands in a ConfigMap, whose values are not known.
    one(
        &env(from_map("DB_HOST", "settings", "db")),
        log,
        others().into_iter().chain([map("settings", &["db"])]),
        Expect { entity: "ConfigMap/shop/settings", field: "data[db]", says: &["orders-bd", "settings"], ..unknown },
    );
    // The Service lies in another namespace.
    let other = App::deployment("data/ledger");
    let mut world =
        dead(&env(json!([{"name": "DB", "value": "ledger:5432"}])), "getaddrinfo ENOTFOUND ledger", other.objects());
    world.upsert_all([other.pod("a", status::ready(-600)), other.service(json!({})), other.endpoints(&[true])]);
    check(
        &world,
        Expect {
            verdict: Established,
            field: "spec.template.spec.containers[app].env[DB]",
            says: &["exists in namespace data", "ledger.data"],
            ..unknown
        },
    );
}

#[test]
fn a_service_that_was_deleted_is_what_is_missing() {
    let app = env(json!([{"name": "DB", "value": "orders-db:5432"}]));
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    let mut world = world(&app, [pod.clone()]);
    let service = App::deployment("shop/orders-db").service(json!({"spec": {"selector": null}}));
    world.set_time(-40);
    world.upsert(service.clone());
    world.set_time(-20);
    world.delete(service);
    world.set_time(0);
    world.log(&pod, "app", 3, "dial tcp: lookup orders-db on 10.96.0.10:53: no such host");
    check(
        &world,
        Expect {
            cause: "service-missing",
            verdict: Established,
            entity: "Service/shop/orders-db?",
            says: &["orders-db", "not found"],
            ..DEAD
        },
    );
}

#[test]
fn a_workload_without_its_service_lacks_one() {
    let db = App::deployment("shop/orders-db");
    let mut world = dead(
        &env(json!([{"name": "DB", "value": "orders-db:5432"}])),
        "dial tcp: lookup orders-db on 10.96.0.10:53: no such host",
        db.objects(),
    );
    world.upsert(db.pod("a", status::ready(-600)));
    check(
        &world,
        Expect {
            cause: "service-missing",
            entity: "Service/shop/orders-db?",
            says: &["a workload of this name runs there"],
            ..DEAD
        },
    );
}

#[test]
fn a_host_outside_is_named_with_its_port() {
    one(
        &env(json!([{"name": "API", "value": "https://api.bank.example.com:8443"}])),
        "dial tcp: connect to api.bank.example.com:8443: connection refused",
        [],
        Expect {
            cause: "log-connection-refused",
            entity: "External//api.bank.example.com:8443?",
            says: &["api.bank.example.com:8443", "outside the cluster"],
            ..DEAD
        },
    );
}

#[test]
fn who_refuses_for_too_many_requests_is_named() {
    let log = "requests.exceptions.HTTPError: 429 Client Error: Too Many Requests for url: https://api.geo.example.com/v2/search?q=a";
    let limited = Expect { cause: "log-rate-limit", ..DEAD };
    let outside = Expect { entity: "External//api.geo.example.com?", ..limited };
    one(&checkout(), log, [], Expect { says: &["api.geo.example.com refuses", "rate limit", "outside"], ..outside });
    // A Service of the cluster may be asked too much by its caller as well.
    let inside = log.replace("https://api.geo.example.com", "http://geo");
    one(&checkout(), &inside, [], Expect { says: &["geo refuses"], ..limited });
}

#[test]
fn a_server_that_answers_with_an_error_of_its_own_is_its_owners() {
    let log =
        "payment provider unavailable, exiting: POST https://api.pay.example.com/v1/ping: 503 Service Unavailable";
    let errs = Expect { cause: "log-server-error", ..DEAD };
    let outside = Expect { entity: "External//api.pay.example.com?", ..errs };
    one(&checkout(), log, [], Expect { says: &["api.pay.example.com", "HTTP 503", "outside the cluster"], ..outside });
    // What is in the cluster has a log of its own.
    let pay = App::deployment("shop/pay");
    let mut world = dead(&checkout(), &log.replace("https://api.pay.example.com", "http://pay"), pay.objects());
    world.upsert_all([pay.pod("a", status::ready(-600)), pay.service(json!({})), pay.endpoints(&[true])]);
    let says = &["Service pay leads to Deployment pay", "HTTP 503"];
    check(&world, Expect { entity: "Deployment/shop/pay", verdict: Possible, says, ..errs });
}

#[test]
fn a_pod_that_a_stateful_set_has_no_more_is_the_sets_where_it_was_scaled() {
    let log = "MongoServerSelectionError: getaddrinfo ENOTFOUND mongo-2.mongo";
    let app = env(json!([{"name": "MONGO_URL", "value": "mongodb://mongo-0.mongo,mongo-2.mongo/app"}]));
    let set = |replicas: i64| {
        object("StatefulSet shop/mongo", json!({"spec": {"replicas": replicas, "serviceName": "mongo"}}))
    };
    let mongo = App::deployment("shop/mongo");
    let headless = || {
        [
            mongo.service(json!({"spec": {"clusterIP": "None"}})),
            mongo.endpoints(&[true]),
            mongo.pod("a", status::ready(-600)),
        ]
    };
    let missing = Expect {
        cause: "stateful-pod-missing",
        verdict: Established,
        says: &["mongo-2.mongo", "has 1 replica,", "no pod mongo-2"],
        ..DEAD
    };
    let field = "spec.template.spec.containers[app].env[MONGO_URL]";
    one(&app, log, headless().into_iter().chain([set(1)]), Expect { field, ..missing });
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    let mut world = world(&app, [pod.clone()]);
    world.upsert_all(headless());
    world.set_time(-60);
    world.upsert(set(3));
    world.set_time(-20);
    world.upsert(set(1));
    world.set_time(0);
    world.log(&pod, "app", 3, log);
    check(&world, Expect { entity: "StatefulSet/shop/mongo", field: "spec.replicas", ..missing });
}

#[test]
fn an_expired_certificate_is_that_of_the_pods_that_serve_it() {
    let log = "urllib.error.URLError: <urlopen error [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1006)>";
    let app = env(json!([{"name": "LOGIN_URL", "value": "https://login:8443"}]));
    let login = |volumes: Value| App::deployment("shop/login").spec(json!({"volumes": volumes}));
    let served = |login: &App| {
        let mut world = dead(&app, log, login.objects());
        world.upsert_all([login.pod("a", status::ready(-600)), login.service(json!({})), login.endpoints(&[true])]);
        world
    };
    let expired =
        Expect { cause: "log-certificate", says: &["it has expired", "login is served by Service login"], ..DEAD };
    let tls = json!([{"name": "tls", "secret": {"secretName": "login-tls"}}, {"name": "x", "secret": {"secretName": "session-key"}}]);
    check(&served(&login(tls)), Expect { entity: "Secret/shop/login-tls?", ..expired });
    check(&served(&login(json!([]))), Expect { entity: "Service/shop/login", ..expired });
}

#[test]
fn its_own_network_is_not_another_host() {
    let app = checkout().container(json!({"env": [{"name": "CACHE", "value": "localhost:6379"}]}));
    one(
        &app,
        "Error: connect ECONNREFUSED 127.0.0.1:6379",
        [],
        Expect { cause: "log-connection-refused", says: &["127.0.0.1:6379", "the pod itself"], ..DEAD },
    );
}

fn policy(name: &str, spec: Value) -> Object {
    object(&format!("NetworkPolicy shop/{name}"), json!({"spec": spec}))
}

#[test]
fn a_policy_that_keeps_pods_apart_is_named() {
    let blocked = Expect { cause: "network-policy-blocks", ..DEAD };
    let db = App::deployment("shop/db");
    let service = || db.service(json!({"spec": {"ports": [{"name": "pg", "port": 5432, "targetPort": 5432}]}}));
    let log = "connection to server at \"db\" (10.0.0.7), port 5432 failed: timeout expired";
    let scene = |policies: Vec<Object>| {
        let mut world = dead(&checkout(), log, db.objects());
        world.upsert_all([db.pod("a", status::ready(-600)), service(), db.endpoints(&[true])]);
        world.upsert_all(policies);
        world
    };
    let deny = |types: &str| policy("strict", json!({"podSelector": {}, "policyTypes": [types]}));
    check(
        &scene(vec![deny("Ingress")]),
        Expect {
            entity: "NetworkPolicy/shop/strict",
            field: "spec.ingress",
            says: &["strict", "no ingress at all", "db:5432"],
            ..blocked
        },
    );
    check(
        &scene(vec![deny("Egress")]),
        Expect {
            entity: "NetworkPolicy/shop/strict",
            field: "spec.egress",
            says: &["strict", "no egress at all"],
            ..blocked
        },
    );
    // Another port, other pods, another namespace.
    for from in [
        json!([{"from": [{"podSelector": {"matchLabels": {"app": "checkout"}}}], "ports": [{"port": 80}]}]),
        json!([{"from": [{"podSelector": {"matchLabels": {"app": "billing"}}}]}]),
        json!([{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "web"}}}]}]),
    ] {
        let only = policy(
            "db-only",
            json!({"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"], "ingress": from}),
        );
        check(
            &scene(vec![only]),
            Expect {
                entity: "NetworkPolicy/shop/db-only",
                field: "spec.ingress",
                says: &["db-only", "not from Deployment checkout"],
                ..blocked
            },
        );
    }
    // One that allows it makes up for one that does not.
    let allow = policy(
        "allow",
        json!({"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "checkout"}}}], "ports": [{"port": 5432}]}]}),
    );
    check(&scene(vec![deny("Ingress"), allow]), Expect { cause: "log-timeout", says: &["db:5432"], ..DEAD });
    // A refusal is an answer: no policy gives one.
    let mut world = dead(&checkout(), "dial tcp 10.0.0.7:5432: connect: connection refused", db.objects());
    world.upsert_all([db.pod("a", status::ready(-600)), service(), db.endpoints(&[true]), deny("Ingress")]);
    check(&world, Expect { cause: "log-connection-refused", ..DEAD });
}

#[test]
fn a_policy_before_the_dns_server_is_named() {
    let db = App::deployment("shop/db");
    let log = "dial tcp: lookup db on 10.96.0.10:53: read udp 10.1.0.4:4444->10.96.0.10:53: i/o timeout";
    let scene = |egress: Value| {
        let mut world = dead(&checkout(), log, db.objects());
        world.upsert_all([db.pod("a", status::ready(-600)), db.service(json!({})), db.endpoints(&[true])]);
        world.upsert(policy(
            "egress",
            json!({"podSelector": {"matchLabels": {"app": "checkout"}}, "policyTypes": ["Egress"], "egress": egress}),
        ));
        world
    };
    check(
        &scene(json!([{"to": [{"podSelector": {"matchLabels": {"app": "db"}}}]}])),
        Expect {
            cause: "network-policy-blocks",
            entity: "NetworkPolicy/shop/egress",
            field: "spec.egress",
            says: &["DNS (port 53)", "egress"],
            ..DEAD
        },
    );
    let open = scene(json!([{"ports": [{"port": 53, "protocol": "UDP"}]}]));
    check(&open, Expect { cause: "log-dns", says: &["db"], ..DEAD });
}

#[test]
fn the_nodes_resolver_knows_no_service() {
    let db = App::deployment("shop/db");
    let app = checkout().spec(json!({"dnsPolicy": "Default"}));
    let mut world = dead(&app, "getaddrinfo ENOTFOUND db", db.objects());
    world.upsert_all([db.pod("a", status::ready(-600)), db.service(json!({})), db.endpoints(&[true])]);
    check(
        &world,
        Expect {
            cause: "dns-policy-wrong",
            verdict: Established,
            field: "spec.template.spec.dnsPolicy",
            says: &["dnsPolicy is Default"],
            ..DEAD
        },
    );
}

/// `checkout` whose init container runs since then.
pub(super) fn waiting(command: &str, since: i64) -> (App, Object) {
    let app = checkout()
        .spec(json!({"initContainers": [{"name": "wait", "image": "busybox", "command": ["sh", "-c", command]}]}));
    let mut state = status::waiting("PodInitializing", "", since);
    state["initContainerStatuses"] =
        json!([{"name": "wait", "restartCount": 0, "state": {"running": {"startedAt": at(since)}}}]);
    let pod = app.pod("a", state);
    (app, pod)
}

pub fn an_init_container_that_waits_for_a_service_is_found() {
    let wait = Expect {
        rule: "init-container-waiting",
        cause: "host-name-unknown",
        verdict: Likely,
        field: "spec.template.spec.initContainers[wait].command",
        says: &["Init container wait", "there is no Service ledger", "not found"],
        ..CHECKOUT
    };
    let (app, pod) = waiting("until nslookup ledger; do echo waiting for ledger; sleep 2; done", -60);
    check(&world(&app, [pod.clone()]), wait);
    // Options come before the name.
    let options = "until nslookup -type=a ledger.shop.svc.cluster.local >/dev/null 2>&1; do sleep 2; done";
    let (other, asks) = waiting(options, -60);
    check(&world(&other, [asks]), wait);
    let mut early = world(&app, [pod.clone()]);
    held(&mut early, -60, 45);
    // Its pods are not there yet.
    let ledger = App::deployment("shop/ledger").replicas(0);
    let mut scaled = world(&app, [pod]);
    scaled.run(&ledger, []);
    scaled.upsert_all([ledger.service(json!({})), ledger.endpoints(&[])]);
    check(
        &scaled,
        Expect {
            cause: "dependency-scaled-to-zero",
            verdict: Established,
            entity: "Deployment/shop/ledger",
            field: "spec.replicas",
            says: &["scaled to", "ledger"],
            ..wait
        },
    );
}

#[test]
fn a_waiting_init_container_and_its_look_alikes() {
    an_init_container_that_waits_for_a_service_is_found();
    // What it asks for is there: it is at work.
    let ledger = App::deployment("shop/ledger");
    let (app, pod) = waiting("migrate --db ledger:80", -600);
    let mut busy = world(&app, [pod]);
    busy.run(&ledger, [ledger.pod("a", status::ready(-900))]);
    busy.upsert_all([ledger.service(json!({})), ledger.endpoints(&[true])]);
    silent(&busy);
    // It asks for nobody, or for a host outside.
    for command in ["sleep 900", "curl https://dumps.example.com/all.sql"] {
        let (app, pod) = waiting(command, -600);
        silent(&world(&app, [pod]));
    }
    // Peers that look for each other.
    let (app, pod) = waiting("until nslookup checkout; do sleep 1; done", -600);
    let mut peers = world(&app, [pod]);
    peers.upsert_all([app.service(json!({})), app.endpoints(&[false])]);
    let faults = peers.glance().faults;
    let told = faults.iter().flat_map(|f| &f.findings).filter(|f| f.rule_id == "init-container-waiting").count();
    assert_eq!(told, 0);
}

#[test]
fn a_client_that_names_an_address_or_nothing_is_still_understood() {
    let api = App::deployment("shop/api");
    let scene = |app: &App, log: &str, policies: Vec<Object>| {
        let mut world = dead(app, log, api.objects());
        world.upsert_all([api.pod("a", status::ready(-600)), api.service(json!({})), api.endpoints(&[true])]);
        world.upsert_all(policies);
        world
    };
    // The port stands in the command alone.
    let wget =
        checkout().container(json!({"command": ["sh", "-c", "wget -T 3 -qO- http://api:8081/health || exit 1"]}));
    check(
        &scene(&wget, "wget: can't connect to remote host (10.0.0.7): Connection refused", Vec::new()),
        Expect {
            cause: "service-port-unknown",
            verdict: Established,
            field: "spec.template.spec.containers[app].command",
            says: &["Service api has port 80 and no port 8081"],
            ..DEAD
        },
    );
    // Neither host nor port: it has one host only.
    let wget = checkout().container(json!({"command": ["sh", "-c", "wget -T 3 -qO- http://api:80/health || exit 1"]}));
    check(
        &scene(
            &wget,
            "wget: download timed out",
            vec![policy("strict", json!({"podSelector": {}, "policyTypes": ["Ingress"]}))],
        ),
        Expect {
            cause: "network-policy-blocks",
            entity: "NetworkPolicy/shop/strict",
            field: "spec.ingress",
            says: &["strict", "no ingress at all", "api"],
            ..DEAD
        },
    );
}
