//! Is an incident the right answer to a case? Pure: documents in, complaints out.

use serde_json::Value;

use crate::case::{Case, Entity, Expect, Glance};

/// What is wrong with the incidents that touch the case's namespace; empty when they are right.
pub fn fault(case: &Case, incidents: &[Value]) -> Vec<String> {
    matched(case, incidents, |key, incident| one(case, key, incident))
}

/// The first causes alone, for what looks once and keeps no history.
pub fn causes(case: &Case, incidents: &[Value]) -> Vec<String> {
    matched(case, incidents, |key, incident| cause(case, key, incident, &key.glance))
}

/// One incident for each fault; which is for which is what makes the fewest complaints.
fn matched(case: &Case, incidents: &[Value], wrong: impl Fn(&Expect, &Value) -> Vec<String>) -> Vec<String> {
    let keys = case.expect.each();
    if incidents.len() != keys.len() {
        let titles: Vec<&str> = incidents.iter().map(|incident| text(incident, "title")).collect();
        let wanted = if keys.len() == 1 { "one".to_owned() } else { keys.len().to_string() };
        return vec![format!("{} incidents instead of {wanted}: {titles:?}", incidents.len())];
    }
    let (mut left, mut all): (Vec<&Value>, _) = (incidents.iter().collect(), Vec::new());
    for key in keys {
        let best = left.iter().enumerate().map(|(at, incident)| (wrong(key, incident), at));
        if let Some((complaints, at)) = best.min_by_key(|(complaints, _)| complaints.len()) {
            left.remove(at);
            all.extend(complaints);
        }
    }
    all
}

/// What the table at the end says of one fault's answers.
#[derive(Debug, Default, Clone, Copy)]
pub struct Marks {
    pub faults: usize,
    /// How many of them have an incident whose first cause is the object to change and says what it must.
    pub cause: usize,
    /// … is the object to change, whatever it says.
    pub entity: usize,
    /// … names the field; of those whose key asks for one.
    pub field: usize,
    pub fields: usize,
    pub incidents: usize,
    pub notifications: usize,
}

pub fn marks(case: &Case, incidents: &[Value]) -> Marks {
    let keys = case.expect.each();
    let mut marks = Marks {
        faults: keys.len(),
        incidents: incidents.len(),
        notifications: incidents.iter().filter_map(|one| one["notifications"].as_u64()).sum::<u64>() as usize,
        ..Marks::default()
    };
    for key in keys {
        let firsts: Vec<&Value> = incidents.iter().filter_map(first).collect();
        let right: Vec<&Value> = firsts.into_iter().filter(|cause| named(case, key, cause)).collect();
        let says = |cause: &&Value| {
            let mut wrong = Vec::new();
            said(key, text(cause, "statement"), &mut wrong);
            wrong.is_empty()
        };
        marks.entity += usize::from(!right.is_empty());
        marks.cause += usize::from(right.iter().any(says));
        marks.fields += usize::from(!key.field.is_empty());
        marks.field += usize::from(!key.field.is_empty() && right.iter().any(|cause| in_field(key, cause)));
    }
    marks
}

fn first(incident: &Value) -> Option<&Value> {
    list(incident, "causes").iter().min_by_key(|cause| cause["rank"].as_u64().unwrap_or(99))
}

fn named(case: &Case, key: &Expect, cause: &Value) -> bool {
    key.entity.iter().any(|entity| is(&cause["entity"], entity, &case.namespace))
}

fn in_field(key: &Expect, cause: &Value) -> bool {
    key.field.is_empty() || key.field.iter().any(|word| holds(text(cause, "field"), word))
}

/// What is wrong with one incident, held against one answer key.
fn one(case: &Case, expect: &Expect, incident: &Value) -> Vec<String> {
    let mut wrong = cause(case, expect, incident, &Glance::default());
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
    let suspects = || list(incident, "changes").iter().filter(|change| change["suspect"] == true);
    for word in &expect.change {
        let mut naming = suspects().filter(|change| holds(text(change, "summary"), word)).peekable();
        if naming.peek().is_none() {
            wrong.push(format!("no suspect change names {word}"));
        } else if let Some(who) = &expect.who
            && !naming.any(|change| text(change, "who") == who)
        {
            wrong.push(format!("the change of {word} is not put down to {who}"));
        }
    }
    wrong
}

/// What is wrong with its first cause; what `or` holds is right as well.
fn cause(case: &Case, expect: &Expect, incident: &Value, or: &Glance) -> Vec<String> {
    let mut wrong = Vec::new();
    let verdict = text(incident, "verdict");
    if !expect.verdict.iter().any(|allowed| allowed == verdict) {
        wrong.push(format!("the verdict is {verdict}, not {}", expect.verdict.join(" or ")));
    }
    let Some(first) = first(incident) else {
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
    if !named(case, expect, first) && !or.entity.iter().any(|e| is(&first["entity"], e, &case.namespace)) {
        let wanted: Vec<String> = expect.entity.iter().map(|e| format!("{}/{}", e.kind, e.name)).collect();
        wrong.push(format!("the entity is {}, not {}", name(&first["entity"]), wanted.join(" or ")));
    }
    if !in_field(expect, first) && !or.field.iter().any(|word| holds(text(first, "field"), word)) {
        wrong.push(format!("the field is {}, not {}", first["field"], expect.field.join(" or ")));
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
    let everywhere = [
        "Node",
        "PersistentVolume",
        "StorageClass",
        "IngressClass",
        "Namespace",
        "External",
        "APIService",
        "PriorityClass",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
    ];
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
            "field": "spec.template.spec.containers[app].env", "statement": "Secret payroll-db does not exist.",
            "evidence": ["E1"]}],
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
