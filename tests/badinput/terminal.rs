//! Around the program: wrong usage, signals, pipes that close, text that attacks the terminal, no notification daemon.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    afterwatch::{Home, unreadable},
    server::{Server, broken_pod, closed_port, items_of, kubeconfig},
};

fn broken_cluster(message: &'static str) -> (Server, Home) {
    let server = Server::plain(move |request| {
        (request.path == "/api/v1/pods" && !request.watches()).then(|| items_of(&[broken_pod("checkout", message)]))
    });
    let home = Home::with_kubeconfig(&server.kubeconfig());
    (server, home)
}

#[test]
fn wrong_usage_ends_with_2_and_says_how_it_is_right() {
    let home = Home::new();
    for words in [
        &["watch", "--for", "5"][..],
        &["watch", "--for", "yesterday"],
        &["scan", "--no-such-option"],
        &["explode"],
        &["incident"],
        &["evidence"],
        &["note", "1"],
        &["incidents", "-o", "xml"],
        &["report", "1", "--format", "docx"],
        &["silence"],
        &[],
    ] {
        let ended = home.run(words);
        assert_eq!(ended.code, Some(2), "{words:?}: {ended:#?}");
        assert_eq!(ended.stdout, "", "{words:?}");
        assert!(!ended.stderr.is_empty(), "{words:?}");
    }
    let ended = home.run(&["watch", "--for", "5"]);
    assert!(ended.stderr.contains("90s"), "{ended:#?}");
    for words in [&["--help"][..], &["watch", "--help"], &["--version"]] {
        let ended = home.run(words);
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert!(ended.stdout.contains("afterwatch"), "{ended:#?}");
    }
}

#[test]
fn a_watch_ends_within_2_s_of_a_signal_with_its_one_document() {
    let (_server, home) = broken_cluster("Back-off pulling image");
    for signal in ["INT", "TERM", "HUP"] {
        let mut watch = home.start(&["watch", "-o", "json", "--db", ":memory:", "--metrics", "-n", "shop"]);
        watch.says("opened");
        watch.signal(signal);
        let ended = watch.end();
        assert_eq!(ended.code, Some(130), "{signal}: {ended:#?}");
        assert!(ended.took < Duration::from_secs(2), "{signal}: {ended:#?}");
        let document = ended.document();
        assert_eq!(document["incidents"].as_array().map(Vec::len), Some(1), "{signal}: {document:#}");
        assert!(document["metrics"]["rss_bytes"].as_u64().unwrap_or(0) > 0, "{document:#}");
        let open_ended = |c: &Value| c["ended_by"].is_null();
        assert!(!document["coverage"].as_array().unwrap().iter().any(open_ended), "coverage goes on: {document:#}");
    }
}

#[test]
fn a_signal_ends_a_watch_of_a_dead_cluster_and_a_scan_of_a_silent_one() {
    let dead = kubeconfig(
        serde_json::json!({ "server": format!("https://127.0.0.1:{}", closed_port()) }),
        serde_json::json!({}),
    );
    let mut watch = Home::with_kubeconfig(&dead).start(&["watch", "-o", "json"]);
    watch.says("out of reach");
    watch.signal("INT");
    let ended = watch.end();
    assert_eq!(ended.code, Some(130), "{ended:#?}");
    assert!(ended.took < Duration::from_secs(2), "{ended:#?}");
    assert!(!unreadable(&ended.document()).is_empty());

    let server = Server::plain(|_| {
        std::thread::sleep(Duration::from_secs(600));
        None
    });
    let mut scan = Home::with_kubeconfig(&server.kubeconfig()).start(&["scan", "-o", "json"]);
    std::thread::sleep(Duration::from_secs(2));
    scan.signal("INT");
    let ended = scan.end();
    assert_eq!(ended.code, Some(130), "{ended:#?}");
    assert!(ended.took < Duration::from_secs(2), "{ended:#?}");
}

#[test]
fn lines_of_a_watch_are_each_a_json_object_and_the_last_is_the_result() {
    let (_server, home) = broken_cluster("Back-off pulling image");
    let ended = home.run(&["watch", "--for", "6s", "-o", "jsonl", "--db", ":memory:"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let lines: Vec<Value> =
        ended.stdout.lines().map(|l| serde_json::from_str(l).expect("a JSON object per line")).collect();
    let (last, changes) = lines.split_last().expect("lines");
    assert_eq!((last["type"].as_str(), last["schema"].as_str()), (Some("result"), Some("afterwatch.incident/v1")));
    assert!(!changes.is_empty(), "{ended:#?}");
    assert!(changes.iter().all(|c| c["type"] == "incident" && c["incident"]["number"] == 1), "{changes:#?}");
}

#[test]
fn a_reader_that_goes_away_is_no_error_and_ends_a_watch() {
    let (_server, home) = broken_cluster("Back-off pulling image");
    for words in [&["scan", "-o", "json"][..], &["scan"], &["--help"], &["doctor"]] {
        let mut child = home.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("panicked") && !stderr.contains("could not be written"), "{words:?}: {stderr}");
    }
    let started = Instant::now();
    let mut child = home
        .command(&["watch", "-o", "jsonl", "--db", ":memory:"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(started.elapsed() < Duration::from_secs(30), "a watch that nobody reads goes on");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
}

#[test]
fn a_result_that_cannot_be_written_is_told() {
    if !std::path::Path::new("/dev/full").exists() {
        eprintln!("skipped: this system has no /dev/full");
        return;
    }
    let (_server, home) = broken_cluster("Back-off pulling image");
    for words in [&["scan", "-o", "json"][..], &["scan"], &["incidents"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = home.command(words).stdout(full).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {stderr}");
        assert!(stderr.contains("could not be written") && stderr.contains("full"), "{words:?}: {stderr}");
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = home.command(words).stdout(Stdio::piped()).stderr(full).output().unwrap();
        assert_ne!(output.status.code(), Some(101), "a full stderr ended it: {words:?}");
    }
}

#[test]
fn text_from_a_cluster_cannot_act_on_the_terminal() {
    let (_server, home) = broken_cluster(
        "\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[31mred\u{9b}5m \u{202e}gpj\u{200b}.exe\r\nafterwatch: all is well",
    );
    let database = home.path("x.db").display().to_string();
    home.run(&["scan", "--db", &database]);
    for words in [
        &["scan"][..],
        &["scan", "-o", "json"],
        &["scan", "-o", "jsonl"],
        &["scan", "-o", "yaml"],
        &["incident", "1", "--db", &database],
        &["evidence", "1", "E1", "--db", &database],
        &["timeline", "1", "--db", &database],
        &["watch", "--for", "3s", "--db", ":memory:"],
    ] {
        let ended = home.run(words);
        for text in [&ended.stdout, &ended.stderr] {
            let acts = |c: char| {
                c != '\n' && c != '\t' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || c == '\u{200b}')
            };
            assert!(!text.contains(acts), "{words:?} lets it through: {text:?}");
        }
        assert!(!ended.stderr.contains("\nafterwatch: all is well"), "{words:?}: a cluster spoke in our name");
    }
}

#[test]
fn without_a_notification_service_the_watch_goes_on_and_the_incident_says_so() {
    let (_server, home) = broken_cluster("Back-off pulling image");
    let ended = home.run(&["watch", "--for", "6s", "--notify", "-o", "json", "--db", ":memory:"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let document = ended.document();
    assert_eq!(document["incidents"].as_array().map(Vec::len), Some(1), "{document:#}");
    let timeline = document["incidents"][0]["timeline"].to_string();
    assert!(timeline.contains("notification"), "{document:#}");
    assert_eq!(document["notifications_sent"], 0, "{document:#}");
}

#[test]
fn the_doctor_says_what_is_wrong_and_what_to_do() {
    let ended = Home::new().run(&["doctor", "-o", "json"]);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    let checks = ended.document()["checks"].as_array().cloned().unwrap_or_default();
    let names: Vec<&str> = checks.iter().filter_map(|c| c["name"].as_str()).collect();
    for name in ["kubeconfig", "PATH", "database", "disk", "notifications", "model"] {
        assert!(names.contains(&name), "{name} is not checked: {names:?}");
    }
    for check in &checks {
        let wrong = check["level"] != "ok";
        assert!(!wrong || check["hint"] != "" || check["name"] == "context", "no hint: {check:#}");
    }
}
