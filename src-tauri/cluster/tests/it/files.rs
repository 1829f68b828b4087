//! kubeconfig files: missing, empty, broken, merged, wrong.

use std::path::Path;

use afterwatch_cluster::{ClusterOptions, Kubeconfigs, Trouble, load};
use afterwatch_core::{check::Level, object::Kind};
use serde_json::json;

use crate::support::{Config, Stub, limits};

const GOOD: &str = r#"
apiVersion: v1
kind: Config
current-context: a
clusters:
- name: ca
  cluster: {server: "https://a.example.com:6443", certificate-authority: ca.crt}
users:
- name: ua
  user: {token: planted-secret, exec: {command: ./bin/plugin}}
contexts:
- name: a
  context: {cluster: ca, user: ua, namespace: shop}
"#;

fn files(texts: &[Option<&str>]) -> (tempfile::TempDir, Kubeconfigs) {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (i, text) in texts.iter().enumerate() {
        let path = folder.path().join(format!("config{i}"));
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        paths.push(path);
    }
    let configs = Kubeconfigs::from_files(paths);
    (folder, configs)
}

fn problem(configs: &Kubeconfigs) -> String {
    configs.problems.iter().map(|p| format!("{p} {}", p.hint)).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_context_is_shown_with_where_it_comes_from_and_what_it_needs() {
    let (folder, configs) = files(&[Some(GOOD)]);
    assert_eq!(configs.problems, []);
    let context = &configs.contexts[0];
    assert_eq!((context.name.as_str(), context.cluster.as_str()), ("a", "ca"));
    assert_eq!(context.server.as_deref(), Some("https://a.example.com:6443"));
    assert_eq!((context.user.as_deref(), context.namespace.as_deref()), (Some("ua"), Some("shop")));
    assert_eq!(context.file, folder.path().join("config0"));
    assert_eq!(context.plugin.as_deref().map(Path::new), Some(&*folder.path().join("./bin/plugin")));
    assert!(context.current && !context.insecure && context.problem.is_none());
    assert!(!format!("{configs:?}").contains("planted-secret"));
}

#[test]
fn a_missing_file_is_reported_and_the_others_are_used() {
    let (_folder, configs) = files(&[None, Some(GOOD)]);
    assert!(problem(&configs).contains("there is no such file"));
    assert_eq!(configs.contexts.len(), 1);
    assert_eq!(configs.files.len(), 2, "the missing file is watched too: it may appear");
}

#[test]
fn no_file_at_all_is_said_with_what_to_do() {
    let configs = load(Some(Path::new("/no/such/kubeconfig")));
    assert!(problem(&configs).contains("/no/such/kubeconfig: there is no such file"));
    let error = configs.cluster("dev", &ClusterOptions::default()).err().unwrap();
    assert_eq!(error.trouble, Trouble::Misconfigured);
    assert!(error.message.contains("`dev` does not exist") && error.hint.contains("no such file"), "{error:?}");
}

#[test]
fn empty_binary_and_scalar_files_are_each_said_to_be_so() {
    let (_folder, configs) = files(&[Some(""), Some("just words"), Some("- a\n- b\n")]);
    let words = problem(&configs);
    assert!(words.contains("is empty"), "{words}");
    assert_eq!(words.matches("is not a kubeconfig").count(), 2, "{words}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("binary");
    std::fs::write(&path, [0xC3, 0x28, 0xA0]).unwrap();
    assert!(problem(&load(Some(&path))).contains("is not text"));
}

#[test]
fn broken_yaml_is_reported_with_its_line_and_without_its_secrets() {
    let (_folder, configs) =
        files(&[Some("users:\n- name: u\n  user: {token: planted-secret\nclusters: [\n"), Some(GOOD)]);
    let found = &configs.problems[0];
    assert!(found.line.is_some() && found.column.is_some(), "{found:?}");
    assert!(found.message.contains("is not valid YAML"));
    assert!(!problem(&configs).contains("planted-secret"));
    assert_eq!(configs.contexts.len(), 1, "the other file is used");
}

#[test]
fn a_broken_entry_costs_only_itself() {
    let broken =
        GOOD.replace("users:", "users:\n- name: bad\n  user: {token: [planted-secret], exec: \"planted-secret\"}");
    let broken = broken.replace("contexts:", "contexts:\n- 17");
    let (_folder, configs) = files(&[Some(&broken)]);
    let words = problem(&configs);
    assert!(words.contains("entry 1 of `users` (`bad`) is broken"), "{words}");
    assert!(words.contains("entry 1 of `contexts`"), "{words}");
    assert!(!words.contains("planted-secret"), "{words}");
    assert!(configs.cluster("a", &ClusterOptions::default()).is_ok());
}

#[test]
fn a_password_of_digits_in_a_broken_entry_is_not_quoted() {
    let broken = GOOD.replace("users:", "users:\n- name: bad\n  user: {password: 12345678}");
    let broken = broken.replace("clusters:", "clusters:\n- cluster: {server: 87654321}\n- cluster: {server: a}");
    let (_folder, configs) = files(&[Some(&broken)]);
    let words = problem(&configs);
    assert!(words.contains("entry 1 of `users` (`bad`) is broken and is skipped Correct"), "{words}");
    assert!(words.contains("entry 1 of `clusters` is broken and is skipped: invalid type: integer `…`"), "{words}");
    assert!(words.contains("entry 2 of `clusters` is broken and is skipped: missing field `name`"), "{words}");
    assert!(!words.contains("12345678") && !words.contains("87654321"), "{words}");
}

#[test]
fn of_two_files_the_first_to_name_something_wins() {
    let second = GOOD.replace("a.example.com", "b.example.com").replace("current-context: a", "current-context: b");
    let second = second.replace("contexts:", "contexts:\n- name: b\n  context: {cluster: cb, user: nobody}");
    let (folder, configs) = files(&[Some(GOOD), Some(&second)]);
    assert_eq!(configs.current.as_deref(), Some("a"));
    let names: Vec<_> = configs.contexts.iter().map(|c| (c.name.as_str(), c.file.file_name().unwrap())).collect();
    assert_eq!(names, [("a", "config0".as_ref()), ("b", "config1".as_ref())]);
    assert_eq!(configs.contexts[0].server.as_deref(), Some("https://a.example.com:6443"));
    assert!(configs.contexts[1].problem.as_deref().unwrap().contains("the cluster `cb`, which is not defined"));
    drop(folder);
}

#[test]
fn an_unknown_context_names_those_that_exist_and_a_broken_one_its_fault() {
    let more =
        "- name: nouser\n  context: {cluster: ca, user: ghost}\n- name: noserver\n  context: {cluster: cx, user: ua}\n";
    let text = format!("{GOOD}{more}").replace("users:", "- name: cx\n  cluster: {}\nusers:");
    let (_folder, configs) = files(&[Some(&text)]);
    let error = |name: &str| configs.cluster(name, &ClusterOptions::default()).err().unwrap();
    assert!(error("prod").hint.contains("a, nouser, noserver"));
    assert!(error("nouser").message.contains("the user `ghost`, which is not defined"));
    assert!(error("noserver").message.contains("no server address"));
}

#[test]
fn windows_encodings_and_several_documents_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wide");
    let mut bytes = vec![0xFF, 0xFE];
    bytes.extend(GOOD.encode_utf16().flat_map(u16::to_le_bytes));
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(load(Some(&path)).contexts.len(), 1);
    let (_folder, configs) =
        files(&[Some(&format!("{GOOD}\n---\ncontexts:\n- name: b\n  context: {{cluster: ca, user: ua}}\n"))]);
    assert_eq!(configs.contexts.len(), 2);
}

#[tokio::test]
async fn doctor_says_what_is_well_what_is_not_and_what_to_do() {
    let stub = Stub::start(|_| None).await;
    let config = Config::new(&stub.address, json!({"exec": {"command": "no-such-plugin"}}));
    let checks =
        load(Some(&config.file)).doctor(&["dev".into(), "gone".into()], &ClusterOptions::default(), limits()).await;
    let find = |name: &str| checks.iter().find(|c| c.name == name).unwrap_or_else(|| panic!("{name}: {checks:#?}"));
    assert_eq!(find("kubeconfig").level, Level::Ok);
    assert_eq!(find("dev: credential plugin").level, Level::Fail);
    assert_eq!(find("dev: API server").level, Level::Fail);
    assert_eq!(find("context gone").level, Level::Fail);
    let config = Config::new(&stub.address, json!({}));
    let checks = load(Some(&config.file)).doctor(&["dev".into()], &ClusterOptions::default(), limits()).await;
    let find = |name: &str| checks.iter().find(|c| c.name == name).unwrap_or_else(|| panic!("{name}: {checks:#?}"));
    assert!(find("dev: API server").message.contains("v1.36.0"));
    assert_eq!(find("dev: rights").message, format!("all {} kinds are readable", Kind::ALL.len() - 1));
    // The stub's clock stands still.
    assert_eq!(find("dev: clock").level, Level::Warn, "{checks:#?}");
}

#[cfg(unix)]
#[tokio::test]
async fn doctor_waits_for_a_plugin_only_as_long_as_it_is_told() {
    let stub = Stub::start(|_| None).await;
    let user = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "sleep", "args": ["30"]}});
    let config = Config::new(&stub.address, user);
    let configs = load(Some(&config.file));
    let checks = configs.doctor(&["dev".into()], &ClusterOptions::default(), limits()).await;
    let server = checks.iter().find(|c| c.name == "dev: API server").unwrap();
    assert!(server.message.contains("did not finish within 1 s"), "{server:?}");
}
