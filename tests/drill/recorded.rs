//! What is recorded plays again with the same result, and gives nothing away.

use afterwatch_core::recording::{Recording, What};
use serde_json::json;

use crate::stage::{recording, watch};

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_of_a_played_recording_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["out-of-memory-after-release", "config-value-crash"] {
        let path = folder.path().join(name);
        let first = watch(&recording(name), 30.0, Some(&path)).await;
        let again = Recording::read(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!((again.problems.len(), again.header.context.as_str()), (0, "prod-eu"));
        let second = watch(&again, 30.0, None).await;
        assert!(!first.incidents.is_empty(), "{name} has an incident");
        assert_eq!(first.told(), second.told(), "{name}");
        assert_eq!((first.notified, first.objects), (second.notified, second.objects), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_not_in_a_recording() {
    let mut story = recording("config-value-crash");
    // Planted where people put them: in the played cluster nothing has been redacted yet.
    let line = story.lines.iter_mut().find_map(|l| match &mut l.what {
        What::Put { object } if object["kind"] == "Pod" => Some(object),
        _ => None,
    });
    let pod = line.expect("a pod");
    let container = &mut pod["spec"]["containers"][0];
    container["env"] = json!([{"name": "DB_PASSWORD", "value": "hunter2-env"}, {"name": "URL", "value": "postgres://app:hunter2-url@db/app"}]);
    container["args"] =
        json!(["--token", "hunter2-argument", "--header", "Authorization: Bearer hunter2hunter2hunter2"]);
    container["livenessProbe"] =
        json!({"httpGet": {"path": "/up", "httpHeaders": [{"name": "X-Key", "value": "hunter2-header"}]}});
    pod["metadata"]["annotations"] = json!({
        "kubectl.kubernetes.io/last-applied-configuration": "{\"hunter2\":\"applied\"}",
        "kubernetes.io/change-cause": "helm upgrade --set password=hunter2-cause",
    });
    let mut logs = 0;
    for line in &mut story.lines {
        match &mut line.what {
            What::Log(log) if log.error.is_none() => {
                log.lines.push("login with password=hunter2-log".to_owned());
                logs += 1;
            }
            What::Put { object } if object["kind"] == "Secret" => object["data"] = json!({"k": "aHVudGVyMg=="}),
            _ => {}
        }
    }
    assert!(logs > 0, "the story has a log");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("story.jsonl");
    watch(&story, 60.0, Some(&path)).await;
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("DB_PASSWORD") && text.contains("‹removed"), "what surrounds them is there");
    assert!(text.contains("login with password="), "the log is there");
    for secret in ["hunter2", "aHVudGVyMg"] {
        let at = text.find(secret);
        assert!(
            at.is_none(),
            "{secret}: {:?}",
            at.map(|at| text[at.saturating_sub(80)..].chars().take(160).collect::<String>())
        );
    }
}
