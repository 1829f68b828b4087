//! The way to the API server: nobody there, a dead proxy, a name that means nothing.

use std::time::Duration;

use serde_json::json;

use crate::{
    afterwatch::{Home, unreadable},
    server::{Server, closed_port, kubeconfig},
};

fn dead() -> String {
    kubeconfig(json!({ "server": format!("https://127.0.0.1:{}", closed_port()) }), json!({}))
}

#[test]
fn an_unreachable_server_fails_a_scan_and_the_document_says_what_was_not_read() {
    let home = Home::with_kubeconfig(&dead());
    let ended = home.run(&["scan", "-o", "json"]);
    ended.told(1, &["stub is out of reach", "127.0.0.1"]);
    let document = ended.document();
    assert_eq!(document["incidents"], json!([]));
    assert!(!unreadable(&document).is_empty(), "an empty result would say that all is well: {document:#}");
    assert!(unreadable(&document).iter().all(|u| u.1 == "unreachable"), "{document:#}");
}

#[test]
fn a_watch_goes_on_trying_and_says_so() {
    let home = Home::with_kubeconfig(&dead());
    let ended = home.run(&["watch", "--for", "5s", "-o", "json"]);
    ended.told(0, &["stub is out of reach"]);
    assert!(ended.took < Duration::from_secs(10), "{ended:#?}");
    assert!(!unreadable(&ended.document()).is_empty(), "{ended:#?}");
}

#[test]
fn a_dead_cluster_does_not_hold_up_the_one_that_answers() {
    let server = Server::usual();
    let mut config: serde_json::Value = serde_json::from_str(&server.kubeconfig()).unwrap();
    let dead = format!("http://127.0.0.1:{}", closed_port());
    config["clusters"].as_array_mut().unwrap().push(json!({"name": "dead", "cluster": {"server": dead}}));
    config["contexts"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "dead", "context": {"cluster": "dead", "user": "mara"}}));
    let home = Home::with_kubeconfig(&config.to_string());
    let ended = home.run(&["scan", "-o", "json", "--context", "stub", "--context", "dead"]);
    ended.told(4, &["dead is out of reach"]);
    let document = ended.document();
    assert!(document["unreadable"].as_array().unwrap().iter().all(|u| u["cluster"] == "dead"), "{document:#}");
    assert!(document["coverage"].as_array().unwrap().iter().all(|c| c["cluster"] == "stub"), "{document:#}");
}

#[test]
fn a_name_that_does_not_resolve_is_told() {
    let home = Home::with_kubeconfig(&kubeconfig(json!({ "server": "https://cluster.invalid:6443" }), json!({})));
    home.run(&["scan"]).told(1, &["stub is out of reach", "cluster.invalid"]);
}

#[test]
fn a_dead_proxy_is_named() {
    let server = Server::usual();
    let proxy = format!("http://127.0.0.1:{}", closed_port());
    let cluster = json!({ "server": server.url(), "proxy-url": proxy });
    let home = Home::with_kubeconfig(&kubeconfig(cluster, json!({})));
    home.run(&["scan"]).told(1, &["stub is out of reach", "proxy", &proxy["http://".len()..]]);
}

#[test]
fn a_proxy_of_an_unknown_kind_is_told() {
    let server = Server::usual();
    let cluster = json!({ "server": server.url(), "proxy-url": "gopher://127.0.0.1:70" });
    let home = Home::with_kubeconfig(&kubeconfig(cluster, json!({})));
    home.run(&["scan"]).told(1, &["stub", "proxy"]);
}

#[test]
fn the_history_stays_usable_without_any_cluster() {
    let home = Home::with_kubeconfig(&dead());
    let ended = home.run(&["incidents", "-o", "json"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.document()["incidents"], json!([]));
}
