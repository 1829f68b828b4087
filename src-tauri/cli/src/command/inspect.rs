//! A question about one workload, answered by one look at its cluster.

use afterwatch_contract::document::UnreadableKind;
use afterwatch_core::{incident::Incident, inspect::Target, words};
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
            page.hanging("", format!("What would tell more: {}.", words::list(&nothing.needs, 4)), &[]);
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
