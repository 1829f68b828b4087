//! The kubeconfig: missing, empty, broken, incomplete.

use serde_json::json;

use crate::{
    afterwatch::Home,
    server::{Server, kubeconfig},
};

/// What needs a cluster, as people start it.
const STARTS: [&[&str]; 2] = [&["scan", "-o", "json"], &["watch", "--for", "1s", "-o", "json"]];

#[test]
fn without_a_kubeconfig_the_places_looked_at_are_named() {
    let home = Home::new();
    for words in STARTS {
        home.run(words).failed(&["No kubeconfig", ".kube/config", "--kubeconfig", "$KUBECONFIG"]);
    }
    assert!(!home.path(".local").exists(), "a database was made for nothing");
}

#[test]
fn a_kubeconfig_that_is_named_and_missing_is_named_back() {
    let home = Home::new();
    home.run(&["scan", "--kubeconfig", "/nowhere/config"]).failed(&["/nowhere/config", "--kubeconfig"]);
    let home = Home::new().env("KUBECONFIG", "/nowhere/a:/nowhere/b");
    home.run(&["scan"]).failed(&["/nowhere/a", "/nowhere/b"]);
}

#[test]
fn an_empty_kubeconfig_is_told_as_empty() {
    let home = Home::with_kubeconfig("");
    for words in STARTS {
        home.run(words).failed(&[".kube/config", "is empty"]);
    }
}

#[test]
fn a_kubeconfig_that_is_not_yaml_is_told_with_its_line_and_without_its_secrets() {
    let home = Home::with_kubeconfig("apiVersion: v1\nusers:\n- name: a\n  user: {token: s3cr3t-value\nclusters: ]\n");
    let ended = home.run(&["scan"]);
    ended.failed(&[".kube/config:", "is not valid YAML"]);
    assert!(!ended.stderr.contains("s3cr3t"), "{}", ended.stderr);
}

#[test]
fn other_things_that_are_no_kubeconfig_are_told_too() {
    for text in ["just words\n", "- a\n- b\n", "\u{0}\u{1}\u{2}", "{\"clusters\": \"none\"}"] {
        let ended = Home::with_kubeconfig(text).run(&["scan"]);
        ended.failed(&[]);
    }
    let home = Home::new();
    std::fs::create_dir_all(home.path(".kube/config")).unwrap();
    home.run(&["scan"]).failed(&["cannot be read"]);
}

#[test]
fn an_unknown_context_lists_those_that_exist() {
    let server = Server::usual();
    let home = Home::with_kubeconfig(&server.kubeconfig());
    for start in STARTS {
        let words = [start, &["--context", "prod"]].concat();
        home.run(&words).failed(&["`prod` does not exist", "stub"]);
    }
    let ended = home.run(&["scan", "--context", "stub", "--context", "prod"]);
    ended.failed(&["`prod` does not exist"]);
    assert!(!home.path(".local").exists(), "a database was made for nothing");
}

#[test]
fn a_current_context_that_is_missing_or_dangling_is_told() {
    let server = Server::usual();
    let none = server.kubeconfig().replace("\"current-context\":\"stub\"", "\"current-context\":\"\"");
    Home::with_kubeconfig(&none).run(&["scan"]).failed(&["No context is chosen", "--context", "stub"]);
    let dangling = server.kubeconfig().replace("\"current-context\":\"stub\"", "\"current-context\":\"gone\"");
    Home::with_kubeconfig(&dangling).run(&["scan"]).failed(&["`gone` does not exist", "stub"]);
    let ended = Home::with_kubeconfig(&dangling).run(&["scan", "--context", "stub"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn a_context_with_a_missing_cluster_user_or_address_is_told() {
    let config = |cluster: &str, user: &str| {
        json!({
            "current-context": "stub",
            "clusters": [{"name": "here", "cluster": {"server": "http://127.0.0.1:1"}}, {"name": "bare", "cluster": {}}],
            "users": [{"name": "mara", "user": {}}],
            "contexts": [{"name": "stub", "context": {"cluster": cluster, "user": user}}],
        })
        .to_string()
    };
    Home::with_kubeconfig(&config("gone", "mara")).run(&["scan"]).failed(&["cluster `gone`", "not defined"]);
    Home::with_kubeconfig(&config("here", "gone")).run(&["scan"]).failed(&["user `gone`", "not defined"]);
    Home::with_kubeconfig(&config("bare", "mara")).run(&["scan"]).failed(&["`bare`", "no server address"]);
}

#[test]
fn an_address_that_is_none_is_told() {
    for address in ["ht!tp://x", "127.0.0.1", "ftp://127.0.0.1/", "http://"] {
        let home = Home::with_kubeconfig(&kubeconfig(json!({ "server": address }), json!({})));
        home.run(&["scan"]).told(1, &["stub"]);
    }
}

#[test]
fn of_several_files_the_good_ones_are_used_and_the_others_named() {
    let server = Server::usual();
    let home = Home::new();
    let good = home.write("good", &server.kubeconfig());
    let broken = home.write("broken", "users: [");
    let list = format!("{}:/nowhere/config:{}", broken.display(), good.display());
    let home = home.env("KUBECONFIG", &list);
    let ended = home.run(&["scan", "-o", "json"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.told(0, &["skipped", "broken:", "/nowhere/config"]);
    assert_eq!(ended.document()["incidents"], json!([]));
    let quiet = home.run(&["scan", "-o", "json", "-q"]);
    assert_eq!(quiet.stderr, "");
}

#[test]
fn one_broken_entry_costs_only_itself() {
    let server = Server::usual();
    let mut config: serde_json::Value = serde_json::from_str(&server.kubeconfig()).unwrap();
    config["users"].as_array_mut().unwrap().insert(0, json!({"name": "odd", "user": {"token": {"not": "a string"}}}));
    let ended = Home::with_kubeconfig(&config.to_string()).run(&["scan"]);
    ended.told(0, &["skipped", "`odd`"]);
}
