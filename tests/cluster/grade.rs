//! Is an incident the right answer to a case? Pure: documents in, complaints out.

use serde_json::Value;

use crate::case::{Case, Entity, Expect};

/// What is wrong with the incidents that touch the case's namespace; empty when they are right.
pub fn fault(case: &Case, incidents: &[Value]) -> Vec<String> {
    let [incident] = incidents else {
        let titles: Vec<&str> = incidents.iter().map(|incident| text(incident, "title")).collect();
        return vec![format!("{} incidents instead of one: {titles:?}", incidents.len())];
    };
    let mut wrong = cause(case, incident);
    let expect = &case.expect;
    if let Some(subject) = &expect.subject
        && !is(&incident["subject"], subject, &case.namespace)
    {
        wrong.push(format!("the subject is {}, not {}/{}", name(&incident["subject"]), subject.kind, subject.name));
    }
    let severity = text(incident, "severity");
    if !expect.severity.is_empty() && !expect.severity.iter().any(|wanted| wanted == severity) {
        wrong.push(format!("the severity is {severity}, not {}", expect.severity.join(" or ")));
    }
    let wanted = u64::from(severity != "low");
    if incident["notifications"].as_u64() != Some(wanted) {
        wrong.push(format!("{} notifications instead of {wanted}", incident["notifications"]));
    }
    for word in &expect.change {
        let named = list(incident, "changes")
            .iter()
            .any(|change| change["suspect"] == true && holds(text(change, "summary"), word));
        if !named {
            wrong.push(format!("no suspect change names {word}"));
        }
    }
    wrong
}

/// The first cause alone, for what looks once and keeps no history.
pub fn cause(case: &Case, incident: &Value) -> Vec<String> {
    let expect = &case.expect;
    let mut wrong = Vec::new();
    let verdict = text(incident, "verdict");
    if !expect.verdict.iter().any(|allowed| allowed == verdict) {
        wrong.push(format!("the verdict is {verdict}, not {}", expect.verdict.join(" or ")));
    }
    let Some(first) = list(incident, "causes").iter().min_by_key(|cause| cause["rank"].as_u64().unwrap_or(99)) else {
        if verdict == "not_established" && expect.verdict.iter().any(|allowed| allowed == verdict) {
            // Nothing is claimed, so what was seen has to carry the words.
            let seen = list(incident, "findings").iter().map(|finding| text(finding, "message"));
            let seen = seen.fold(text(incident, "title").to_owned(), |all, message| all + "\n" + message);
            said(expect, &seen, &mut wrong);
        } else {
            wrong.push("it names no cause".to_owned());
        }
        return wrong;
    };
    if !expect.entity.iter().any(|entity| is(&first["entity"], entity, &case.namespace)) {
        let wanted: Vec<String> = expect.entity.iter().map(|e| format!("{}/{}", e.kind, e.name)).collect();
        wrong.push(format!("the entity is {}, not {}", name(&first["entity"]), wanted.join(" or ")));
    }
    said(expect, text(first, "statement"), &mut wrong);
    let held = list(incident, "evidence");
    let cited: Vec<&str> = list(first, "evidence").iter().filter_map(Value::as_str).collect();
    if cited.is_empty() {
        wrong.push("the cause cites no evidence".to_owned());
    }
    let mut kinds = Vec::new();
    for id in cited {
        match held.iter().find(|item| item["id"] == id) {
            Some(item) => kinds.push(text(item, "kind")),
            None => wrong.push(format!("the cause cites {id}, which the incident does not hold")),
        }
    }
    for kind in &expect.evidence {
        if !kinds.contains(&kind.as_str()) {
            wrong.push(format!("the cause cites no {kind}, only {kinds:?}"));
        }
    }
    wrong
}

/// The incident is over, and says when and by what.
pub fn resolved(incident: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    if incident["state"] != "resolved" {
        wrong.push(format!("after the fix it is still {}", text(incident, "state")));
        return wrong;
    }
    for field in ["mitigated_at", "resolved_at", "recovered_by"] {
        if incident[field].is_null() {
            wrong.push(format!("it is resolved, and {field} is null"));
        }
    }
    wrong
}

fn said(expect: &Expect, statement: &str, wrong: &mut Vec<String>) {
    for group in &expect.says {
        if !group.iter().any(|word| holds(statement, word)) {
            wrong.push(format!("it does not say {}: {statement:?}", group.join(" or ")));
        }
    }
    for word in &expect.never {
        if holds(statement, word) {
            wrong.push(format!("it says {word}: {statement:?}"));
        }
    }
}

fn is(object: &Value, wanted: &Entity, namespace: &str) -> bool {
    let everywhere = ["Node", "PersistentVolume", "StorageClass", "IngressClass", "Namespace", "External"];
    let same_name = match wanted.kind.as_str() {
        "External" => text(object, "name").starts_with(&wanted.name), // a port may follow
        _ => object["name"] == wanted.name.as_str(),
    };
    object["kind"] == wanted.kind.as_str()
        && same_name
        && (everywhere.contains(&wanted.kind.as_str()) || object["namespace"] == namespace)
        && (!wanted.missing || object["uid"].is_null())
}

fn name(object: &Value) -> String {
    let known = if object["uid"].is_null() { " (uid null)" } else { "" };
    match object["namespace"].as_str() {
        Some(namespace) => format!("{}/{namespace}/{}{known}", text(object, "kind"), text(object, "name")),
        None => format!("{}/{}{known}", text(object, "kind"), text(object, "name")),
    }
}

fn holds(text: &str, word: &str) -> bool {
    text.to_lowercase().contains(&word.to_lowercase())
}

pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

pub fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

/// The grader graded, on a right answer and its spoilt copies; run with every check of the cases.
pub fn self_test(cases: &[Case]) -> Result<(), String> {
    let Some(case) = cases.iter().find(|case| case.name == "secret-missing") else {
        return Err("the grader's own case, secret-missing, is gone".to_owned());
    };
    let right = serde_json::json!({
        "title": "payslips cannot start", "verdict": "established", "severity": "critical", "notifications": 1,
        "subject": {"kind": "Deployment", "namespace": case.namespace, "name": "payslips", "uid": "1"},
        "causes": [{"rank": 1, "entity": {"kind": "Secret", "namespace": case.namespace, "name": "payroll-db", "uid": null},
            "statement": "Secret payroll-db does not exist.", "evidence": ["E1"]}],
        "evidence": [{"id": "E1", "kind": "container_status"}],
    });
    let complaints = fault(case, std::slice::from_ref(&right));
    if !complaints.is_empty() {
        return Err(format!("the grader refuses a right answer: {complaints:?}"));
    }
    let spoilt: [(&str, Value); 7] = [
        ("/verdict", "possible".into()),
        ("/notifications", 2.into()),
        ("/subject/name", "other".into()),
        ("/causes/0/entity/uid", "2".into()),
        ("/causes/0/entity/namespace", "default".into()),
        ("/causes/0/statement", "A secret is missing.".into()),
        ("/causes/0/evidence", serde_json::json!(["E2"])),
    ];
    for (field, value) in spoilt {
        let mut copy = right.clone();
        *copy.pointer_mut(field).ok_or("the grader's example has changed")? = value;
        if fault(case, &[copy]).is_empty() {
            return Err(format!("the grader does not notice a wrong {field}"));
        }
    }
    if fault(case, &[]).is_empty() || fault(case, &[right.clone(), right]).is_empty() {
        return Err("the grader does not count incidents".to_owned());
    }
    Ok(())
}
