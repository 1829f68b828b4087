//! A question about one workload, answered by one look at its cluster.

use afterwatch_contract::document::UnreadableKind;
use afterwatch_core::{incident::Incident, inspect::Target};
use afterwatch_engine::{EngineEvent, InspectError, Inspection};
use jiff::Timestamp;

use super::scan;
use crate::{
    args::Inspect,
    context::{Context, Database},
    failure::{Failure, Outcome, exit, sentence},
    output::{Page, closing, incident, incident_line, list},
    signal,
};

pub async fn run(context: &Context, args: &Inspect) -> Outcome<u8> {
    let target =
        Target::parse(&args.what).map_err(|why| Failure::Told { message: sentence(&why), code: exit::WRONG_USAGE })?;
    let chosen = context.choose()?;
    let [name] = chosen.names.as_slice() else {
        return Err(Failure::new("One workload is looked into, of one cluster", "", "Name one --context"));
    };
    let namespaces = match context.common.namespace.as_slice() {
        [] => vec![chosen.namespace(name)],
        named => named.to_vec(),
    };
    let stop = signal::stop().map_err(scan::no_signals)?;
    tokio::pin!(stop);
    let desk = context.desk(Database::Throwaway).await?;
    let cluster = chosen.clusters(context, desk.salt().await?)?.remove(0);
    let mut progress = context.progress();
    let mut events = desk.engine.subscribe();
    let look = desk.engine.inspect_once(cluster, target, namespaces);
    tokio::pin!(look);
    let found = loop {
        tokio::select! {
            found = &mut look => break found,
            () = &mut stop => {
                desk.engine.shutdown().await;
                return Ok(exit::INTERRUPTED);
            }
            event = events.recv() => match event {
                Ok(EngineEvent::Cluster(view)) => progress.passing(&scan::reading(&view)),
                Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                Err(tokio::sync::broadcast::error::RecvError::Closed) => break (&mut look).await,
            },
        }
    };
    progress.clear();
    let views = desk.engine.clusters();
    // A cluster out of reach explains more than an object that was not found in it.
    if let (Err(InspectError::NotFound(_)), Some((what, hint))) =
        (&found, views.iter().find_map(|v| list::connection_words(v)))
    {
        return Err(Failure::new(what, "", hint));
    }
    let found = found.map_err(failure)?;
    let mut shown: Vec<Incident> = found.incidents.iter().chain(found.nothing.as_deref()).cloned().collect();
    let mut around = scan::result(context, &desk, &shown, &views, args.metrics);
    around.unreadable.extend(unread(&found, name, context.out.look.now));
    let document = around.document(desk.dtos(&shown).await?);
    // A number of a history that ends with this look would name another incident in the real one.
    if context.common.db.is_none() {
        shown.iter_mut().for_each(|i| i.number = 0);
    }
    let lines = || {
        let mut lines: Vec<_> = document.incidents.iter().map(incident_line).collect();
        lines.push(closing(&document));
        lines
    };
    context.out.show(&document, lines, |page| {
        answer(page, &found, &shown);
        page.blank();
        list::unreadable(page, &views);
        // Where nothing was found, it stands among what was looked at.
        for log in found.unread.iter().filter(|_| found.nothing.is_none()) {
            page.line(format!(
                "The log of container {} of {} could not be read. “{}”",
                log.container, log.pod.name, log.why
            ));
        }
    })?;
    desk.engine.shutdown().await;
    let part = !found.unread.is_empty() || views.iter().any(|v| !v.unreadable.is_empty());
    Ok(match (found.incidents.iter().any(|i| i.state.is_open()), part) {
        (true, _) => exit::OPEN_INCIDENTS,
        (false, true) => exit::IN_PART,
        (false, false) => exit::DONE,
    })
}

/// The logs that could not be read stand beside the kinds that could not.
fn unread(found: &Inspection, cluster: &str, now: Timestamp) -> Vec<UnreadableKind> {
    let mut out: Vec<UnreadableKind> = Vec::new();
    for log in &found.unread {
        let reason = if log.why.contains("forbidden") { "forbidden" } else { "unreachable" };
        let one = UnreadableKind {
            cluster: cluster.to_owned(),
            kind: "pods/log".to_owned(),
            namespace: log.pod.namespace.clone(),
            reason: reason.to_owned(),
            message: format!("container {} of {}: {}", log.container, log.pod.name, log.why),
            since: now.to_string(),
        };
        if !out.iter().any(|known| known.namespace == one.namespace && known.message == one.message) {
            out.push(one);
        }
    }
    out
}

/// What was found; where nothing was, what was looked at and what would tell.
pub fn answer(page: &mut Page<'_>, found: &Inspection, shown: &[Incident]) {
    let subject = incident::object(&found.subject);
    if let Some(nothing) = found.nothing.as_ref().and_then(|_| shown.first()) {
        page.heading(format!("Nothing was found on {subject}."));
        page.line("Looked at:");
        for looked in &nothing.ruled_out {
            let mark = if looked.result == "no" { "  " } else { "? " };
            page.hanging(&format!("  {mark}"), &looked.statement, &[]);
        }
        for change in &nothing.changes {
            page.hanging("    ", format!("Changed lately: {}", incident::change(change)), &[]);
        }
        if !nothing.needs.is_empty() {
            page.hanging("", format!("What would tell more: {}.", nothing.needs.join("; ")), &[]);
        }
        return;
    }
    for one in shown {
        incident::brief(page, one);
        page.blank();
    }
    let count = match shown.len() {
        1 => "1 fault".to_owned(),
        n => format!("{n} faults"),
    };
    page.line(format!("{count} found that concern{} {subject}.", if shown.len() == 1 { "s" } else { "" }));
}

fn failure(error: InspectError) -> Failure {
    match error {
        InspectError::NotFound(none) => {
            let (what, hint) = none.words();
            Failure::new(what, "", hint)
        }
        InspectError::Store(error) => error.into(),
        other => Failure::new(other.to_string(), "", ""),
    }
}

#[cfg(test)]
mod tests {
    use afterwatch_contract::document::IncidentDto;
    use afterwatch_core::object::{Kind, ObjectRef};
    use afterwatch_engine::UnreadLog;
    use jiff::tz::TimeZone;
    use serde_json::json;

    use super::*;
    use crate::output::Look;

    fn checkout() -> ObjectRef {
        ObjectRef::missing(Kind::Deployment, Some("shop"), "checkout")
    }

    /// What the engine answers where nothing was found.
    fn nothing() -> Inspection {
        let time = "2026-11-12T03:00:00Z";
        let incident: Incident = serde_json::from_value(json!({
            "id": "0198c5a2-7f31-7000-8000-000000000001", "number": 0, "fingerprint": "f",
            "title": "Deployment checkout in shop: nothing was found", "opened_by": "user", "state": "resolved",
            "severity": "low", "cluster": "kind-dev", "cluster_uid": "u", "subject": checkout(),
            "started_at": null, "started_at_range": null, "started_at_basis": "nothing was found",
            "detected_at": time, "acknowledged_at": null, "mitigated_at": null, "resolved_at": time,
            "recovered_by": null, "verdict": "not_established", "causes": [],
            "needs": ["when it went wrong, and what was seen of it"],
            "ruled_out": [
                {"statement": "Crashes: 3 of 3 pods ready, no container has restarted", "result": "no", "evidence": ["E2"]},
                {"statement": "Node trouble: nodes cannot be read", "result": "open", "evidence": []},
            ],
            "findings": [], "changes": [], "actions": [], "evidence": [], "timeline": [], "notifications": 0,
            "quiet_since": null, "reopened": 0, "revision": 0,
        }))
        .unwrap();
        Inspection { subject: checkout(), incidents: Vec::new(), nothing: Some(Box::new(incident)), unread: Vec::new() }
    }

    #[test]
    fn where_nothing_was_found_the_page_says_what_was_looked_at() {
        let now = "2026-11-12T03:00:01Z".parse().unwrap();
        let look = Look { colour: false, width: Some(76), zone: TimeZone::UTC, now };
        let mut page = Page::new(&look);
        let found = nothing();
        let shown: Vec<Incident> = found.nothing.as_deref().cloned().into_iter().collect();
        answer(&mut page, &found, &shown);
        assert_eq!(
            page.into_text(),
            "\
Nothing was found on Deployment checkout in shop.
Looked at:
    Crashes: 3 of 3 pods ready, no container has restarted
  ? Node trouble: nodes cannot be read
What would tell more: when it went wrong, and what was seen of it.
"
        );
    }

    #[test]
    fn the_document_of_a_look_in_vain_is_an_incident_that_is_over() {
        let found = nothing();
        let value = serde_json::to_value(IncidentDto::new(found.nothing.as_deref().unwrap(), &[])).unwrap();
        for (field, is) in [
            ("opened_by", json!("user")),
            ("state", json!("resolved")),
            ("verdict", json!("not_established")),
            ("severity", json!("low")),
            ("causes", json!([])),
            ("started_at", json!(null)),
            ("notifications", json!(0)),
        ] {
            assert_eq!(value[field], is, "{field}");
        }
        assert_eq!(value["ruled_out"][1]["result"], "open");
        assert_eq!(value["times"]["to_resolve_s"], json!(null), "it counts in no figure");
    }

    #[test]
    fn a_log_that_could_not_be_read_stands_among_what_could_not() {
        let pod = ObjectRef::missing(Kind::Pod, Some("shop"), "checkout-1");
        let why = "pods \"checkout-1\" is forbidden: User \"dev\" cannot get resource \"pods/log\"".to_owned();
        let log = UnreadLog { pod, container: "app".into(), why };
        let found = Inspection { unread: vec![log.clone(), log], ..nothing() };
        let told = unread(&found, "kind-dev", "2026-11-12T03:00:01Z".parse().unwrap());
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].kind.as_str(), told[0].reason.as_str()), ("pods/log", "forbidden"));
        assert!(told[0].message.contains("container app of checkout-1"), "{}", told[0].message);
    }
}
