//! Credential plugins that are missing, fail, hang, want a person, or hand out what they should.

#![cfg(unix)]

use std::time::{Duration, Instant};

use afterwatch_core::{
    observation::{Connection, Fact},
    port::Cluster,
};
use serde_json::{Value, json};

use crate::support::{Config, Memory, Reply, Stub};

fn plugin(command: &str) -> Value {
    json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": command, "args": ["get-token"]}})
}

/// Watches with a user and waits for the state that wants a person.
async fn login_needed(server: &str, config: &Config) -> (Memory, String, String) {
    let _ = server;
    let memory = Memory::default();
    let _handle = config.cluster().watch(memory.sink());
    let (message, hint) = memory
        .until(|f| match f {
            Fact::Connection(Connection::LoginNeeded { message, hint }) => Some((message.clone(), hint.clone())),
            _ => None,
        })
        .await;
    (memory, message, hint)
}

/// A kubeconfig whose user runs this script.
fn with_script(server: &str, text: &str) -> Config {
    let config = Config::new(server, json!({}));
    let script = config.script("plugin", text);
    let again = Config::new(server, plugin(&script));
    // The script lives in the first folder, which must outlive the second.
    std::mem::forget(config);
    again
}

#[tokio::test]
async fn a_plugin_that_prints_a_credential_is_used_and_told_what_it_must_know() {
    let stub = Stub::start(|r| {
        let good = r.head.to_ascii_lowercase().contains("authorization: bearer good-token");
        (!good).then_some(Reply::Status(401, "Unauthorized"))
    })
    .await;
    let script = r#"
case "$KUBERNETES_EXEC_INFO" in *'"interactive":false'*) ;; *) exit 9;; esac
[ "$1" = get-token ] && [ "$EXTRA" = yes ] || exit 8
echo '{"kind":"ExecCredential","status":{"token":"good-token"}}'"#;
    let config = with_script(&stub.address, script);
    let text = std::fs::read_to_string(&config.file).unwrap();
    let with_env =
        text.replace(r#""args":["get-token"]"#, r#""args":["get-token"],"env":[{"name":"EXTRA","value":"yes"}]"#);
    assert_ne!(text, with_env);
    std::fs::write(&config.file, with_env).unwrap();
    let memory = Memory::default();
    let _handle = config.cluster().watch(memory.sink());
    memory.connected().await;
    assert!(!memory.words().contains("good-token"));
}

#[tokio::test]
async fn a_plugin_that_prints_yaml_is_understood_too() {
    let stub = Stub::start(|_| None).await;
    let config = with_script(&stub.address, "printf 'kind: ExecCredential\\nstatus:\\n  token: t\\n'");
    let memory = Memory::default();
    config.cluster().scan(memory.sink()).await;
    memory.connected().await;
}

#[tokio::test]
async fn a_missing_plugin_is_named_with_its_install_hint() {
    let stub = Stub::start(|_| None).await;
    let mut user = plugin("no-such-plugin-anywhere");
    user["exec"]["installHint"] = "Install it with: brew install it".into();
    let (_, message, hint) = login_needed(&stub.address, &Config::new(&stub.address, user)).await;
    assert!(message.contains("`no-such-plugin-anywhere` is not installed"), "{message}");
    assert_eq!(hint, "Install it with: brew install it");
}

#[tokio::test]
async fn what_a_failing_plugin_said_is_shown_and_what_it_printed_is_not() {
    let stub = Stub::start(|_| None).await;
    let script =
        "echo '{\"status\":{\"token\":\"planted-token-1\"}}'; echo 'session expired: run sso login' >&2; exit 1";
    let config = with_script(&stub.address, script);
    let (memory, message, hint) = login_needed(&stub.address, &config).await;
    assert!(message.contains("session expired: run sso login"), "{message}");
    assert!(hint.contains("get-token` in a terminal"), "{hint}");
    assert!(!memory.words().contains("planted-token-1"));
    assert_eq!(stub.count(|_| true), 0, "without credentials nothing is sent");
}

#[tokio::test]
async fn a_plugin_that_fails_is_not_run_again_before_a_person_asks() {
    let stub = Stub::start(|_| None).await;
    let config = Config::new(&stub.address, json!({}));
    let count = config.folder.path().join("count");
    let script = config.script("plugin", &format!("echo run >> {}; exit 1", count.display()));
    let user = Config::new(&stub.address, plugin(&script));
    let memory = Memory::default();
    let handle = user.cluster().watch(memory.sink());
    let runs = || std::fs::read_to_string(&count).unwrap_or_default().lines().count();
    memory.until(|f| matches!(f, Fact::Connection(Connection::LoginNeeded { .. })).then_some(())).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(runs(), 1);
    handle.restart();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(runs(), 2);
}

#[tokio::test]
async fn a_plugin_that_hangs_is_stopped_with_all_it_started_and_nobody_waits_for_it() {
    let stub = Stub::start(|_| None).await;
    let config = Config::new(&stub.address, json!({}));
    let mark = config.folder.path().join("survived");
    let script = config.script("plugin", &format!("(sleep 4; touch {}) & sleep 60", mark.display()));
    let user = Config::new(&stub.address, plugin(&script));
    let began = Instant::now();
    let (_, message, _) = login_needed(&stub.address, &user).await;
    assert!(message.contains("did not finish within"), "{message}");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(!mark.exists(), "what it started lives on");
}

#[tokio::test]
async fn a_plugin_that_prints_rubbish_is_told_without_quoting_it() {
    let stub = Stub::start(|_| None).await;
    let config = with_script(&stub.address, "echo 'token: planted-token-2'; echo careful >&2");
    let (memory, message, _) = login_needed(&stub.address, &config).await;
    assert!(message.contains("did not print a credential") && message.contains("careful"), "{message}");
    assert!(!memory.words().contains("planted-token-2"));
}

#[tokio::test]
async fn a_plugin_that_wants_a_terminal_is_never_run() {
    let stub = Stub::start(|_| None).await;
    let config = Config::new(&stub.address, json!({}));
    let mark = config.folder.path().join("ran");
    let script = config.script("plugin", &format!("touch {}", mark.display()));
    let mut user = plugin(&script);
    user["exec"]["interactiveMode"] = "Always".into();
    let (_, message, hint) = login_needed(&stub.address, &Config::new(&stub.address, user)).await;
    assert!(message.contains("asks for a terminal"), "{message}");
    assert!(hint.contains("once"), "{hint}");
    assert!(!mark.exists());
}

#[tokio::test]
async fn a_plugin_that_cannot_reach_its_service_is_tried_again() {
    let stub = Stub::start(|_| None).await;
    let config = Config::new(&stub.address, json!({}));
    let mark = config.folder.path().join("second");
    let script = format!(
        "if [ -e {0} ]; then echo '{{\"status\":{{\"token\":\"t\"}}}}'; else touch {0}; echo 'dial tcp: lookup sso: no such host' >&2; exit 1; fi",
        mark.display()
    );
    let script = config.script("plugin", &script);
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, plugin(&script)).cluster().watch(memory.sink());
    memory.until(|f| matches!(f, Fact::Connection(Connection::Unreachable { .. })).then_some(())).await;
    memory.connected().await;
}

#[tokio::test]
async fn a_credential_the_server_refuses_is_fetched_anew_once() {
    let config = Config::new("http://unused", json!({}));
    let count = config.folder.path().join("count");
    let script = format!(
        "echo run >> {0}; echo \"{{\\\"status\\\":{{\\\"token\\\":\\\"token-$(wc -l < {0} | tr -d ' ')\\\"}}}}\"",
        count.display()
    );
    let script = config.script("plugin", &script);
    let stub = Stub::start(|r| {
        let good = r.head.to_ascii_lowercase().contains("bearer token-2");
        (!good).then_some(Reply::Status(401, "Unauthorized"))
    })
    .await;
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, plugin(&script)).cluster().watch(memory.sink());
    memory.connected().await;
    assert_eq!(std::fs::read_to_string(&count).unwrap().lines().count(), 2);
    assert!(memory.facts().iter().all(|f| !matches!(f, Fact::Lost { .. })));
}

#[tokio::test]
async fn a_credential_about_to_end_is_renewed_without_losing_sight() {
    let config = Config::new("http://unused", json!({}));
    let count = config.folder.path().join("count");
    let soon = (afterwatch_core::Timestamp::now() + Duration::from_secs(8)).to_string();
    let script = format!(
        "echo run >> {}; echo '{{\"status\":{{\"token\":\"t\",\"expirationTimestamp\":\"{soon}\"}}}}'",
        count.display()
    );
    let script = config.script("plugin", &script);
    let stub = Stub::start(|_| None).await;
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, plugin(&script)).cluster().watch(memory.sink());
    memory.connected().await;
    let runs = || std::fs::read_to_string(&count).unwrap().lines().count();
    for _ in 0..150 {
        if runs() >= 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(runs(), 2);
    assert!(memory.facts().iter().all(|f| !matches!(f, Fact::Lost { .. })));
}

#[tokio::test]
async fn the_words_of_a_dead_network_are_known_whoever_says_them() {
    let stub = Stub::start(|_| None).await;
    for said in [
        "Connect timeout on endpoint URL: \"https://portal.sso.eu-west-1.amazonaws.com/\"",
        "[Errno 8] nodename nor servname provided, or not known",
        "NameResolutionError: Failed to resolve oauth2.googleapis.com",
        "[Errno -2] Name or service not known",
        "Post https://idp.example.com/token: context deadline exceeded",
        "read tcp 10.0.0.2:50000->10.0.0.1:443: read: connection reset by peer",
    ] {
        let config = with_script(&stub.address, &format!("echo '{said}' >&2; exit 1"));
        let memory = Memory::default();
        config.cluster().scan(memory.sink()).await;
        memory.until(|f| matches!(f, Fact::Connection(Connection::Unreachable { .. })).then_some(())).await;
    }
    let config = with_script(&stub.address, "echo 'authcode-browser error: context deadline exceeded' >&2; exit 1");
    login_needed(&stub.address, &config).await;
}

#[tokio::test]
async fn a_plugin_that_hangs_without_a_network_waits_for_the_network_and_not_for_a_person() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = Config::new("http://unused", json!({}));
    let count = config.folder.path().join("count");
    let script = format!(
        "echo run >> {0}; [ \"$(wc -l < {0})\" -gt 1 ] || exec sleep 60; echo '{{\"status\":{{\"token\":\"t\"}}}}'",
        count.display()
    );
    let script = config.script("plugin", &script);
    let memory = Memory::default();
    let user = Config::new(&format!("http://127.0.0.1:{port}"), plugin(&script));
    let _handle = user.cluster().watch(memory.sink());
    memory.until(|f| matches!(f, Fact::Connection(Connection::Unreachable { .. })).then_some(())).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let runs = || std::fs::read_to_string(&count).unwrap().lines().count();
    assert_eq!(runs(), 1, "a browser may be opened by each run");
    let _stub = Stub::start_at(port, |_| None).await;
    memory.connected().await;
    assert_eq!(runs(), 2);
}

#[tokio::test]
async fn a_plugin_that_leaves_something_running_is_not_waited_for() {
    let stub = Stub::start(|_| None).await;
    let config = with_script(&stub.address, "echo '{\"status\":{\"token\":\"t\"}}'; sleep 20 & exit 0");
    let memory = Memory::default();
    let began = Instant::now();
    // Were it waited for, it would be stopped with the plugin's time.
    config.cluster().scan(memory.sink()).await;
    memory.connected().await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn secrets_among_the_arguments_of_a_plugin_are_not_shown() {
    let stub = Stub::start(|_| None).await;
    let mut user = plugin("false");
    user["exec"]["args"] = json!(["get-token", "--client-secret", "planted-secret-3", "--login", "spn"]);
    let (memory, _, hint) = login_needed(&stub.address, &Config::new(&stub.address, user.clone())).await;
    assert!(hint.contains("false get-token --client-secret ‹removed: argument› --login spn"), "{hint}");
    assert!(!memory.words().contains("planted-secret-3"));
    user["exec"]["interactiveMode"] = "Always".into();
    let (memory, ..) = login_needed(&stub.address, &Config::new(&stub.address, user)).await;
    assert!(!memory.words().contains("planted-secret-3"));
}

/// Cargo sets this one for its tests.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_plugin_sees_the_library_path_as_with_kubectl() {
    let stub = Stub::start(|_| None).await;
    let script = r#"[ "$LD_LIBRARY_PATH" ] || exit 7
echo '{"status":{"token":"t"}}'"#;
    let config = with_script(&stub.address, script);
    let memory = Memory::default();
    config.cluster().scan(memory.sink()).await;
    memory.connected().await;
}
