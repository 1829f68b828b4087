//! Reading a container's log.

use crate::support::{Config, Reply, Request, Stub, pod};
use afterwatch_core::{
    observation::{LogRead, LogWant},
    port::Cluster,
};
use serde_json::json;

fn want(previous: bool) -> LogWant {
    let pod = afterwatch_core::object::ObjectRef {
        api_version: "v1".into(),
        kind: "Pod".into(),
        namespace: Some("shop".into()),
        name: "web-0".into(),
        uid: Some("uid-web-0".into()),
    };
    LogWant { pod, container: "app".into(), previous, restart: 1 }
}

async fn log(
    script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    previous: bool,
) -> Result<Vec<String>, String> {
    let stub = Stub::start(move |r| {
        if r.path.contains("/pods/web-0/log") {
            return Some(script(r));
        }
        r.path.ends_with("/pods/web-0").then(|| Reply::Json(pod("web-0", "1")))
    })
    .await;
    Config::new(&stub.address, json!({})).cluster().read_log(want(previous)).await.lines
}

#[tokio::test]
async fn a_log_is_read_plainly_with_its_bounds_in_the_request() {
    let lines = log(
        |r| {
            let asked = ["container=app", "tailLines=1000", "limitBytes=524288", "previous=true"];
            assert!(asked.iter().all(|a| r.path.contains(a)), "{}", r.path);
            Reply::Text(200, "\u{1b}[31mpanic\u{1b}[0m: no config\nbye\n".into())
        },
        true,
    )
    .await;
    assert_eq!(lines.unwrap(), ["panic: no config", "bye"]);
}

#[tokio::test]
async fn a_log_that_is_an_excuse_is_an_error_whatever_its_status() {
    let excuse = "unable to retrieve container logs for containerd://0123";
    let error = log(move |_| Reply::Text(200, excuse.into()), true).await.unwrap_err();
    assert!(error.contains("unable to retrieve container logs"), "{error}");
    let error =
        log(|_| Reply::Status(400, "previous terminated container \"app\" in pod \"web-0\" not found"), true).await;
    assert!(error.unwrap_err().contains("previous terminated container"));
}

/// While a log file is put in place of another, the kubelet complains of it as if that were the log.
#[tokio::test]
async fn what_the_kubelet_says_of_its_own_files_is_no_word_of_the_program() {
    let path = "/var/log/pods/shop_web-0_uid-web-0/app/1.log";
    let excuses = [
        format!("failed to try resolving symlinks in path \"{path}\": lstat {path}: no such file or directory"),
        format!("failed to open log file \"{path}\": open {path}: no such file or directory"),
        format!("failed to tail 1000 lines of log file \"{path}\": seek {path}: invalid argument"),
    ];
    for excuse in excuses {
        let words = excuse.clone();
        let error = log(move |_| Reply::Text(200, words.clone()), true).await.unwrap_err();
        assert!(error.starts_with(&excuse[..20]), "{error}");
        // It is asked again, as for a container that is being made anew.
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let settles = move |_: &Request| match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => Reply::Text(200, excuse.clone()),
            _ => Reply::Text(200, "panic: no config\n".into()),
        };
        assert_eq!(log(settles, true).await.unwrap(), ["panic: no config"]);
    }
    // What a program says of files, also one that collects logs, is its own.
    for own in [
        "failed to open log file \"/data/app.log\": no such file or directory\n",
        "starting\nfailed to open log file \"/var/log/pods/shop_api-1_u/app/0.log\": permission denied\n",
        "failed to create fsnotify watcher: too many open files\n",
    ] {
        assert_eq!(log(move |_| Reply::Text(200, own.into()), true).await.unwrap(), own.lines().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn the_log_of_a_container_that_was_made_anew_meanwhile_is_the_previous_one_now() {
    let script = |r: &Request| match r.path.contains("previous=true") {
        true => Reply::Text(200, "panic: no config\n".into()),
        false => Reply::Text(200, "unable to retrieve container logs for containerd://0123".into()),
    };
    assert_eq!(log(script, false).await.unwrap(), ["panic: no config"]);
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let late = move |_: &Request| match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => Reply::Status(400, "previous terminated container \"app\" in pod \"web-0\" not found"),
        _ => Reply::Text(200, "panic: no config\n".into()),
    };
    assert_eq!(log(late, true).await.unwrap(), ["panic: no config"]);
}

/// The pod as it is now: its container was restarted so often, and is in this state.
async fn read_after(restarts: u32, state: &'static str, previous: bool) -> LogRead {
    let stub = Stub::start(move |r| {
        if r.path.contains("/log?") {
            let of = if r.path.contains("previous=true") { restarts.checked_sub(1)? } else { restarts };
            return Some(Reply::Text(200, format!("instance {of}\n")));
        }
        r.path.ends_with("/pods/web-0").then(|| {
            let app = json!({"name": "app", "restartCount": restarts, "state": {state: {}}});
            let statuses = json!([{"name": "other", "restartCount": 9}, app]);
            Reply::Json(
                json!({"metadata": {"name": "web-0", "uid": "uid-web-0"}, "status": {"containerStatuses": statuses}}),
            )
        })
    })
    .await;
    Config::new(&stub.address, json!({})).cluster().read_log(want(previous)).await
}

/// The pod waits for its container's back-off: what died last is the previous one, and of the same count.
#[tokio::test]
async fn while_the_back_off_is_waited_for_the_previous_log_is_that_of_the_last_instance() {
    let stub = Stub::start(|r| {
        if r.path.contains("/log?") {
            return Some(Reply::Text(200, "instance 2\n".into()));
        }
        r.path.ends_with("/pods/web-0").then(|| {
            let waits = json!({"name": "app", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}});
            Reply::Json(json!({"metadata": {"uid": "uid-web-0"}, "status": {"containerStatuses": [waits]}}))
        })
    })
    .await;
    let cluster = Config::new(&stub.address, json!({})).cluster();
    let of = |restart| LogWant { restart, ..want(true) };
    assert_eq!(cluster.read_log(of(2)).await.lines.unwrap(), ["instance 2"]);
    assert_eq!(cluster.read_log(of(1)).await.later, Some(2));
    assert!(cluster.read_log(of(3)).await.lines.unwrap_err().contains("not there"));
}

#[tokio::test]
async fn the_log_of_a_later_instance_is_never_taken_for_the_one_that_is_meant() {
    for (restarts, previous) in [(1, false), (2, true), (2, false)] {
        let read = read_after(restarts, "running", previous).await;
        assert_eq!((read.lines.unwrap(), read.later), (vec!["instance 1".to_owned()], None), "{restarts} {previous}");
    }
    for previous in [false, true] {
        let read = read_after(3, "running", previous).await;
        assert_eq!((read.lines.unwrap(), read.later), (vec!["instance 2".to_owned()], Some(2)), "{previous}");
    }
}

/// A container that ends at once: the next run ended as well before the log of the one that was seen could be read,
/// and a node keeps the log of one dead container.
#[tokio::test]
async fn where_the_log_is_gone_for_good_a_later_run_that_has_ended_speaks_and_says_so() {
    let stub = Stub::start(|r| {
        if r.path.contains("/log?") {
            let text = match r.path.contains("previous=true") {
                true => "unable to retrieve container logs for containerd://0123",
                false => "FATAL: cannot open /data/routes.db\n",
            };
            return Some(Reply::Text(200, text.into()));
        }
        r.path.ends_with("/pods/web-0").then(|| {
            let app = json!({"name": "app", "restartCount": 2, "state": {"terminated": {"exitCode": 1}}});
            Reply::Json(json!({"metadata": {"uid": "uid-web-0"}, "status": {"containerStatuses": [app]}}))
        })
    })
    .await;
    for previous in [false, true] {
        let read = Config::new(&stub.address, json!({})).cluster().read_log(want(previous)).await;
        assert_eq!(read.lines.unwrap(), ["FATAL: cannot open /data/routes.db"], "{previous}");
        assert_eq!(read.later, Some(2), "{previous}");
    }
}

#[tokio::test]
async fn the_log_of_another_pod_with_the_same_name_is_not_taken_for_the_one_that_died() {
    let stub = Stub::start(|r| {
        if r.path.contains("/log?") {
            return Some(Reply::Text(200, "all is well\n".into()));
        }
        r.path.ends_with("/pods/web-0").then(|| Reply::Json(json!({"metadata": {"name": "web-0", "uid": "another"}})))
    })
    .await;
    let read = Config::new(&stub.address, json!({})).cluster().read_log(want(false)).await;
    assert!(read.lines.unwrap_err().contains("replaced"));
}

/// What a kubelet answers: so many lines from the end, then forward until the limit.
fn kubelet(log: &str, r: &Request) -> Reply {
    let asked = |name: &str| r.path.split(['?', '&']).find_map(|p| p.strip_prefix(name)?.parse::<usize>().ok());
    let lines: Vec<&str> = log.lines().collect();
    let from = lines.len().saturating_sub(asked("tailLines=").unwrap());
    let mut text: String = lines[from..].iter().flat_map(|l| [*l, "\n"]).collect();
    text.truncate(asked("limitBytes=").unwrap());
    Reply::Text(200, text)
}

#[tokio::test]
async fn the_last_words_of_a_log_with_long_lines_are_kept() {
    for (long, lines) in [(1000, 1200), (20_000, 400), (500_000, 400)] {
        let chatter = format!("{{\"level\":\"info\",\"m\":\"{}\"}}\n", "x".repeat(long));
        let log_text = chatter.repeat(lines) + "panic: out of luck\n";
        let stub = Stub::start(move |r| r.path.contains("/pods/web-0/log").then(|| kubelet(&log_text, r))).await;
        let mut want = want(true);
        want.pod.uid = None;
        let read = Config::new(&stub.address, json!({})).cluster().read_log(want).await;
        assert_eq!(read.lines.unwrap().last().unwrap(), "panic: out of luck", "{long}");
        assert!(read.truncated);
        assert!(stub.count(|r| r.path.contains("/log?")) <= 10);
    }
}

#[tokio::test]
async fn a_log_that_does_not_arrive_is_asked_for_once_more() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let lines = log(
        move |_| match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => Reply::Hang,
            _ => Reply::Text(200, "panic: no config\n".into()),
        },
        true,
    )
    .await;
    assert_eq!(lines.unwrap(), ["panic: no config"]);
}
