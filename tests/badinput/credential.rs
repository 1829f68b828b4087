//! Who we are to the server: tokens that ended, plugins that fail.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    afterwatch::Home,
    server::{Reply, Server, kubeconfig},
};

fn exec(server: &Server, command: &str, more: Value) -> String {
    let mut exec = json!({ "apiVersion": "client.authentication.k8s.io/v1", "command": command, "interactiveMode": "IfAvailable" });
    if let (Some(exec), Some(more)) = (exec.as_object_mut(), more.as_object()) {
        exec.extend(more.clone());
    }
    kubeconfig(json!({ "server": server.url() }), json!({ "exec": exec }))
}

#[test]
fn an_expired_token_asks_for_a_login() {
    let server = Server::plain(|request| {
        let told = request.authorization.as_deref();
        assert!(told.is_none_or(|t| t == "Bearer stub-token"), "{told:?}");
        Some(Reply::failure(401, "Unauthorized", "Unauthorized"))
    });
    let ended = Home::with_kubeconfig(&server.kubeconfig()).run(&["scan", "-o", "json"]);
    ended.told(1, &["Sign in to read stub"]);
    assert!(!ended.stderr.contains("stub-token"), "the token must not be shown: {}", ended.stderr);
}

#[test]
fn a_missing_token_file_is_named() {
    let server = Server::usual();
    let home =
        Home::with_kubeconfig(&kubeconfig(json!({ "server": server.url() }), json!({ "tokenFile": "/nowhere/token" })));
    home.run(&["scan"]).told(1, &["stub", "/nowhere/token"]);
}

#[test]
fn a_plugin_that_is_missing_is_named_with_its_install_hint() {
    let server = Server::usual();
    let config = exec(&server, "afterwatch-no-such-plugin", json!({ "installHint": "Install it from the shelf." }));
    Home::with_kubeconfig(&config)
        .run(&["scan"])
        .told(1, &["afterwatch-no-such-plugin", "PATH", "Install it from the shelf."]);
}

#[test]
fn a_plugin_that_fails_is_quoted_and_its_output_is_not() {
    let (server, home) = (Server::usual(), Home::new());
    let plugin =
        home.script("plugin", "echo '{\"token\": \"s3cr3t\"}'; echo 'session ended, log in again' >&2; exit 7");
    home.write(".kube/config", &exec(&server, &plugin.display().to_string(), json!({})));
    let ended = home.run(&["scan"]);
    ended.told(1, &["plugin", "session ended, log in again", "7"]);
    assert!(!ended.stderr.contains("s3cr3t"), "{}", ended.stderr);
}

#[test]
fn a_plugin_that_prints_no_credential_is_told() {
    let (server, home) = (Server::usual(), Home::new());
    let plugin = home.script("plugin", "echo hello");
    home.write(".kube/config", &exec(&server, &plugin.display().to_string(), json!({})));
    let ended = home.run(&["scan"]);
    ended.told(1, &["plugin", "did not print a credential"]);
}

#[test]
fn a_plugin_that_hangs_is_stopped_with_all_it_started() {
    let (server, home) = (Server::usual(), Home::new());
    let plugin = home.script("plugin", "echo $$ > plugin.pid\nsleep 600 &\necho $! > child.pid\nwait");
    home.write(".kube/config", &exec(&server, &plugin.display().to_string(), json!({})));
    let home = home.env("AFTERWATCH_PLUGIN_LIMIT", "2s");
    let ended = home.run(&["scan"]);
    ended.told(1, &["plugin", "did not finish within 2 s"]);
    assert!(ended.took < Duration::from_secs(20), "{ended:#?}");
    for file in ["plugin.pid", "child.pid"] {
        let pid = std::fs::read_to_string(home.path(file)).unwrap();
        assert!(!running(pid.trim()), "{file} {pid} still runs");
    }
}

#[test]
fn a_watch_with_a_hanging_plugin_ends_when_it_is_told_to() {
    let (server, home) = (Server::usual(), Home::new());
    let plugin = home.script("plugin", "exec sleep 600");
    home.write(".kube/config", &exec(&server, &plugin.display().to_string(), json!({})));
    let mut watch = home.start(&["watch", "-o", "json"]);
    std::thread::sleep(Duration::from_secs(2));
    watch.signal("INT");
    let ended = watch.end();
    assert_eq!(ended.code, Some(130), "{ended:#?}");
    assert!(ended.took < Duration::from_secs(2), "{ended:#?}");
    ended.document();
}

#[test]
fn a_plugin_that_wants_a_terminal_is_not_run() {
    let (server, home) = (Server::usual(), Home::new());
    let plugin = home.script("plugin", "touch ran");
    home.write(".kube/config", &exec(&server, &plugin.display().to_string(), json!({ "interactiveMode": "Always" })));
    home.run(&["scan"]).told(1, &["plugin", "terminal"]);
    assert!(!home.path("ran").exists(), "the plugin was run");
}

#[test]
fn a_plugin_limit_that_is_no_time_is_told() {
    let server = Server::usual();
    let home = Home::with_kubeconfig(&server.kubeconfig()).env("AFTERWATCH_PLUGIN_LIMIT", "soon");
    home.run(&["scan"]).failed(&["AFTERWATCH_PLUGIN_LIMIT", "soon", "90s"]);
}

fn running(pid: &str) -> bool {
    // A zombie has ended; its parent has just not been told.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}
