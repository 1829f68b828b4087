//! One look at the clusters.

use std::{cmp::Reverse, sync::Arc};

use afterwatch_contract::document::{Document, Metrics};
use afterwatch_core::incident::Incident;
use afterwatch_engine::{ClusterState, ClusterView, EngineEvent};
use futures::future::join_all;

use crate::{
    args::Scan,
    context::{Context, Database, Desk},
    failure::{Failure, Outcome, exit},
    output::{Closing, Page, closing, incident, incident_line, list},
    process, signal,
};

pub async fn run(context: &Context, args: &Scan) -> Outcome<u8> {
    let chosen = context.choose()?;
    let stop = signal::stop().map_err(no_signals)?;
    tokio::pin!(stop);
    let desk = context.desk(Database::Throwaway).await?;
    let clusters = chosen.clusters(context, desk.salt().await?)?;
    let mut progress = context.progress();
    let mut events = desk.engine.subscribe();
    let scans = join_all(clusters.into_iter().map(|c| desk.engine.scan(c)));
    tokio::pin!(scans);
    let done = loop {
        tokio::select! {
            done = &mut scans => break done,
            () = &mut stop => {
                desk.engine.shutdown().await;
                return Ok(exit::INTERRUPTED);
            }
            event = events.recv() => match event {
                Ok(EngineEvent::Cluster(view)) => progress.passing(&reading(&view)),
                Ok(_) => {}
                // Only words for people were missed.
                Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                // No more words will come; the scan itself goes on.
                Err(tokio::sync::broadcast::error::RecvError::Closed) => break (&mut scans).await,
            },
        }
    };
    progress.clear();
    let mut seen = desk.engine.seen().await?;
    seen.retain(|i| context.shows(i));
    let views = desk.engine.clusters();
    let around = result(context, &desk, &seen, &views, args.metrics);
    let document = around.document(desk.dtos(&seen).await?);
    // A number of a history that ends with this look would name another incident in the real one.
    if context.common.db.is_none() {
        seen.iter_mut().for_each(|i| i.number = 0);
    }
    show(context, &seen, &views, document, false)?;
    desk.engine.shutdown().await;
    // What could not be stored is told after what was found.
    done.into_iter().collect::<Result<Vec<_>, _>>()?;

    let blind: Vec<_> = views.iter().filter_map(|v| list::connection_words(v).or_else(|| nothing_read(v))).collect();
    if !views.is_empty() && blind.len() == views.len() {
        let what: Vec<String> = blind.iter().map(|b| crate::failure::sentence(&b.0)).collect();
        let hints: Vec<&str> = blind.iter().map(|b| b.1.as_str()).filter(|h| !h.is_empty()).collect();
        return Err(Failure::new(what.join(" "), "", hints.first().copied().unwrap_or_default()));
    }
    for (what, hint) in &blind {
        progress.trouble(&[crate::failure::sentence(what), crate::failure::sentence(hint)].join(" "));
    }
    Ok(if seen.iter().any(|i| i.state.is_open()) {
        exit::OPEN_INCIDENTS
    } else if !blind.is_empty() || views.iter().any(|v| !v.unreadable.is_empty()) {
        exit::IN_PART
    } else {
        exit::DONE
    })
}

/// What stands around the incidents in the document.
pub fn result(context: &Context, desk: &Desk, seen: &[Incident], views: &[Arc<ClusterView>], metrics: bool) -> Closing {
    let figures = desk.engine.figures();
    // With -n, only what was sent about what is shown.
    let sent = match context.common.namespace.is_empty() {
        true => desk.engine.notifications_sent(),
        false => seen.iter().map(|i| i.notifications).sum(),
    };
    Closing {
        coverage: views.iter().flat_map(|v| v.coverage.iter().map(Into::into)).collect(),
        unreadable: views.iter().flat_map(|v| v.unreadable.iter().map(Into::into)).collect(),
        notifications_sent: sent,
        metrics: metrics.then(|| Metrics {
            watches: figures.watches,
            requests: figures.requests,
            bytes_received: figures.bytes_received,
            objects_indexed: figures.objects_indexed,
            observations: figures.observations,
            dropped: figures.dropped,
            rss_bytes: process::rss_bytes(),
            cpu_seconds: process::cpu_seconds(),
            db_bytes: afterwatch_core::port::Store::size_bytes(&*desk.store),
        }),
    }
}

/// Prints what was found. `told`: a jsonl line per change was printed already, only the result is missing.
pub fn show(
    context: &Context,
    seen: &[Incident],
    views: &[Arc<ClusterView>],
    document: Document,
    told: bool,
) -> Outcome {
    let lines = || {
        let mut lines: Vec<_> = if told { Vec::new() } else { document.incidents.iter().map(incident_line).collect() };
        lines.push(closing(&document));
        lines
    };
    context.out.show(&document, lines, |page| {
        // What is open, then the worst, then the newest.
        let mut order: Vec<&Incident> = seen.iter().collect();
        order.sort_by_key(|i| Reverse((i.state.is_open(), i.severity, i.detected_at)));
        for i in order {
            page.blank();
            incident::brief(page, i);
        }
        page.blank();
        summary(page, context, seen.iter().filter(|i| i.state.is_open()).count(), views);
        list::unreadable(page, views);
    })
}

/// `Nothing is open. 412 objects of kind-dev were read.`
fn summary(page: &mut Page<'_>, context: &Context, open: usize, views: &[Arc<ClusterView>]) {
    let read: Vec<String> = views
        .iter()
        .filter(|v| list::connection_words(v).is_none())
        .map(|v| match v.state {
            ClusterState::Following => {
                format!("{} (recorded by {})", v.name, v.followed.as_deref().unwrap_or("another program"))
            }
            ClusterState::Connection(_) => format!("{} ({})", v.name, objects(v.objects)),
        })
        .collect();
    let scope = match context.common.namespace.as_slice() {
        [] => String::new(),
        names => format!(" in {}", afterwatch_core::words::list(names, 5)),
    };
    let count = match open {
        0 => format!("Nothing is open{scope}."),
        1 => format!("1 incident is open{scope}."),
        n => format!("{n} incidents are open{scope}."),
    };
    // No incident without pods means nothing.
    let podless: Vec<String> = views.iter().filter(|v| !reads_pods(v)).map(|v| v.name.clone()).collect();
    match (read.is_empty(), podless.len() == views.len()) {
        (true, _) => page.line("Nothing could be read."),
        (false, true) if open == 0 => {
            page.line("The pods could not be read: whether anything is wrong cannot be said.");
        }
        (false, _) => page.line(format!("{count} Read: {}.", read.join(", "))),
    }
    if !podless.is_empty() && podless.len() < views.len() {
        let names = afterwatch_core::words::list(&podless, 5);
        page.line(format!("The pods of {names} could not be read: nothing is said about them."));
    }
}

/// True where pods were listed, or another program records the cluster.
fn reads_pods(view: &ClusterView) -> bool {
    view.state == ClusterState::Following || view.coverage.iter().any(|c| c.kind == "pods")
}

/// A cluster that answers who it is and lists nothing, such as one whose etcd is down.
fn nothing_read(view: &ClusterView) -> Option<(String, String)> {
    let nothing = view.state != ClusterState::Following && view.coverage.is_empty();
    let said = view.unreadable.first().map(|u| u.message.clone()).unwrap_or_default();
    nothing.then(|| (format!("{} answers, and nothing of it could be read: {said}", view.name), String::new()))
}

/// `Reading kind-dev: 12 of 25 kinds, 340 objects`.
pub fn reading(view: &ClusterView) -> String {
    use afterwatch_core::observation::Connection as C;
    match &view.state {
        ClusterState::Connection(C::Syncing { done, of, objects }) => {
            format!("Reading {}: {done} of {of} kinds, {}", view.name, self::objects(*objects))
        }
        ClusterState::Connection(C::Connecting) => format!("Connecting to {}", view.name),
        _ => String::new(),
    }
}

fn objects(count: u64) -> String {
    afterwatch_core::words::count(usize::try_from(count).unwrap_or(usize::MAX), "object")
}

pub fn no_signals(error: std::io::Error) -> Failure {
    Failure::new("Ctrl C cannot be listened for", error.to_string(), "")
}
