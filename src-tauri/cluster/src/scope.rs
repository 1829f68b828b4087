//! One kind in one namespace, or everywhere: listed, then watched or listed again, until it cannot be.

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use afterwatch_core::{
    coverage::{EndedBy, UnreadableReason},
    object::{Kind, Object, kind::Mode},
    observation::Fact,
};

use crate::{
    access::Plan,
    emit::{Closed, Scope},
    server::{Ask, Failure, Line, Lines, Refusal, Server},
    session::{Pending, Session, Signal},
    wire,
};

pub(crate) const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const PAGE: u32 = 500;
/// The server ends a watch after this long; the next one proves that the connection lives.
const WATCH_SECONDS: u64 = 110;

/// Why a scope ends by itself.
#[derive(Debug)]
pub(crate) enum Ending {
    Forbidden,
    NotServed,
    /// The connection as a whole is in trouble, and the session knows.
    Trouble,
    Closed,
}

impl From<Closed> for Ending {
    fn from(_: Closed) -> Ending {
        Ending::Closed
    }
}

/// A complete list.
pub(crate) struct Listing {
    pub objects: Vec<Object>,
    version: String,
    skipped: u32,
    first_skip: Option<String>,
}

/// Follows the scope. `pending` is dropped when its first list is there or has failed.
pub(crate) async fn follow(session: &Session, scope: &Scope, mode: Mode, pending: Pending) -> Ending {
    let mut pending = Some(pending);
    let mut failures: u32 = 0;
    let mut errors: u32 = 0;
    loop {
        let listing = list(session, scope).await;
        let version = match listing {
            Ok(listing) => {
                failures = 0;
                let version = listing.version.clone();
                if let Err(closed) = tell(session, scope, mode, listing).await {
                    return closed.into();
                }
                version
            }
            Err(failure) => {
                failures += 1;
                match settle(session, scope, &failure, failures).await {
                    Ok(()) => {}
                    Err(ending) => return ending,
                }
                // What cannot be read is known to be unreadable now; nobody need wait for it.
                pending.take();
                pause(failures, &failure).await;
                continue;
            }
        };
        pending.take();
        if mode == Mode::Poll {
            tokio::time::sleep(jittered(session.clock().real(session.limits().poll))).await;
            continue;
        }
        match watch(session, scope, version, &mut errors).await {
            Ok(()) => {}
            Err(ending) => return ending,
        }
    }
}

/// Asks where the kind may be read, until there is an answer.
pub(crate) async fn plan(
    session: &Session,
    all: &Scope,
    pending: &mut Option<Pending>,
    refused: Option<Instant>,
) -> Result<Plan, Ending> {
    let mut failures = 0;
    loop {
        let link = session.link();
        let failure = match session.access(refused).plan(&link.watch, all.kind).await {
            Ok(plan) => return Ok(plan),
            Err(Failure::Refused(r)) if r.code == 401 && failures == 0 => {
                failures += 1;
                if session.renewed(link.generation, &r).await.is_ok() {
                    continue;
                }
                return Err(Ending::Trouble);
            }
            Err(failure) => failure,
        };
        failures += 1;
        settle(session, all, &failure, failures).await?;
        pending.take();
        pause(failures, &failure).await;
    }
}

/// Hands a complete list over.
pub(crate) async fn tell(session: &Session, scope: &Scope, how: Mode, listing: Listing) -> Result<(), Closed> {
    session.out.listed(scope, how, listing.objects).await?;
    if listing.skipped > 0 {
        skipped(session, scope, listing.skipped, listing.first_skip.unwrap_or_default()).await?;
    }
    Ok(())
}

async fn skipped(session: &Session, scope: &Scope, count: u32, message: String) -> Result<(), Closed> {
    let namespace = scope.namespace.as_deref().map(str::to_owned);
    session.out.send(Fact::Skipped { kind: scope.kind, namespace, count, message }).await
}

/// Reads all pages.
pub(crate) async fn list(session: &Session, scope: &Scope) -> Result<Listing, Failure> {
    let accept = if scope.kind.metadata_only() { METADATA_LIST } else { "application/json" };
    let mut listing = Listing { objects: Vec::new(), version: String::new(), skipped: 0, first_skip: None };
    let mut next: Option<String> = None;
    let mut restarts = 0;
    loop {
        let mut path = format!("{}?limit={PAGE}", path(scope));
        if let Some(token) = &next {
            path.push_str("&continue=");
            path.push_str(&encoded(token));
        }
        let body = match read(session, &path, accept).await {
            // The token ran out between two pages: from the beginning, but not for ever.
            Err(Failure::Refused(r)) if r.code == 410 && next.is_some() && restarts < 3 => {
                restarts += 1;
                next = None;
                listing = Listing { objects: Vec::new(), version: String::new(), skipped: 0, first_skip: None };
                continue;
            }
            other => other?,
        };
        let page = wire::page(&body).map_err(Failure::Nonsense)?;
        let items = page.items.unwrap_or_default();
        session.objects.fetch_add(items.len() as u64, Relaxed);
        listing.objects.reserve(items.len());
        for (i, raw) in items.into_iter().enumerate() {
            match wire::object(scope.kind, raw, &session.salt) {
                Ok(object) => listing.objects.push(object),
                Err(skip) => {
                    listing.skipped += 1;
                    listing.first_skip.get_or_insert(skip.message);
                }
            }
            // Decoding is CPU work: let the other kinds have their turn.
            if i % 64 == 63 {
                tokio::task::yield_now().await;
            }
        }
        listing.version = page.metadata.resource_version;
        next = page.metadata.next.filter(|t| !t.is_empty());
        if next.is_none() {
            return Ok(listing);
        }
        session.signal(Signal::Progress);
    }
}

/// GET, with fresh credentials when the server no longer takes the ones at hand.
pub(crate) async fn read(session: &Session, path: &str, accept: &str) -> Result<bytes::Bytes, Failure> {
    let link = session.link();
    match link.watch.read(path, accept).await {
        Err(Failure::Refused(refusal)) if refusal.code == 401 => {
            let server = session.renewed(link.generation, &refusal).await?;
            server.read(path, accept).await
        }
        other => other,
    }
}

/// Every API server has these: one that does not know them is starting, or something else answers in its place.
pub(crate) fn always_served(kind: Kind) -> bool {
    matches!(kind.api_version(), "v1" | "apps/v1" | "batch/v1")
}

/// What a failure means for the scope: it goes on trying (`Ok`) or ends. Told once it is certain.
pub(crate) async fn settle(session: &Session, scope: &Scope, failure: &Failure, failures: u32) -> Result<(), Ending> {
    let lost = |ended_by, reason| session.out.lost(scope, ended_by, reason, failure.to_string());
    match failure {
        Failure::Refused(r) if r.code == 403 => {
            lost(EndedBy::Forbidden, UnreadableReason::Forbidden).await?;
            Err(Ending::Forbidden)
        }
        Failure::Refused(r) if r.code == 404 && !always_served(scope.kind) => {
            // The kind may be served elsewhere; only a whole kind is neither covered nor unreadable.
            if scope.namespace.is_some() {
                lost(EndedBy::Disconnect, UnreadableReason::Unreachable).await?;
            }
            Err(Ending::NotServed)
        }
        Failure::Refused(r) if r.code == 401 => {
            // Fresh credentials were refused as well, or there are none: the session says so for all kinds.
            session.signal(Signal::Refused(r.message.clone()));
            Err(Ending::Trouble)
        }
        _ => {
            session.signal(Signal::Suspect);
            // A stream that was cut is mended by the next attempt more often than not.
            if failures >= 2 || !session.out.covered(scope) {
                lost(EndedBy::Disconnect, UnreadableReason::Unreachable).await?;
            }
            Ok(())
        }
    }
}

/// Watches from this version on. `Ok`: list again. `errors` counts the watches in a row that ended with one.
async fn watch(session: &Session, scope: &Scope, mut version: String, errors: &mut u32) -> Result<(), Ending> {
    let mut failures = 0;
    loop {
        let began = Instant::now();
        let mut lines = match open(session, scope, &version).await {
            Ok(lines) => lines,
            Err(Failure::Refused(r)) if r.code == 410 => return Ok(()),
            Err(failure) => {
                failures += 1;
                settle(session, scope, &failure, failures).await?;
                pause(failures, &failure).await;
                if !session.out.covered(scope) {
                    return Ok(());
                }
                continue;
            }
        };
        failures = 0;
        session.out.proof(scope, true).await?;
        loop {
            let line = match lines.next(session.limits().idle).await {
                Line::Text(line) => line,
                Line::End | Line::Broken => break,
                Line::Silent => {
                    session.signal(Signal::Suspect);
                    break;
                }
            };
            match change(session, scope, &line, &mut version).await? {
                Next::Go => {}
                Next::Relist => return Ok(()),
                Next::Failed(failure) => {
                    drop(lines);
                    *errors = if began.elapsed() > Duration::from_secs(60) { 1 } else { errors.saturating_add(1) };
                    settle(session, scope, &failure, *errors).await?;
                    pause(*errors, &failure).await;
                    return Ok(());
                }
            }
        }
        drop(lines);
        // A server that ends every watch at once must not be asked a thousand times a second.
        if began.elapsed() < Duration::from_secs(1) {
            tokio::time::sleep(jittered(Duration::from_secs(1))).await;
        }
    }
}

async fn open(session: &Session, scope: &Scope, version: &str) -> Result<Lines, Failure> {
    let accept = if scope.kind.metadata_only() { METADATA } else { "application/json" };
    let path = format!(
        "{}?watch=true&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={}",
        path(scope),
        encoded(version)
    );
    let ask = Ask { path: &path, accept, uncompressed: true };
    let link = session.link();
    let response = match link.watch.get(&ask).await {
        Err(Failure::Refused(refusal)) if refusal.code == 401 => {
            session.renewed(link.generation, &refusal).await?.get(&ask).await?
        }
        other => other?,
    };
    Ok(Lines::new(response, link.watch.counters.clone()))
}

enum Next {
    Go,
    Relist,
    /// The server gave up on this watch, for a reason that may repeat.
    Failed(Failure),
}

/// One line of a watch.
async fn change(session: &Session, scope: &Scope, line: &[u8], version: &mut String) -> Result<Next, Ending> {
    let Ok(change) = serde_json::from_slice::<wire::Change<'_>>(line) else {
        // The last line of a connection that was cut is half a line; what it held comes again.
        let message = format!("{}: a line of the watch is not JSON", scope.kind);
        if line.ends_with(b"\n") {
            skipped(session, scope, 1, message).await?;
        }
        return Ok(Next::Go);
    };
    let outline = wire::outline(change.object);
    if change.kind == "ERROR" {
        let refusal = Refusal { code: outline.code, message: outline.message, retry_after: None };
        // 410: too much time has passed.
        return Ok(if refusal.code == 410 { Next::Relist } else { Next::Failed(Failure::Refused(refusal)) });
    }
    if !outline.metadata.resource_version.is_empty() {
        *version = outline.metadata.resource_version;
    }
    let deleted = change.kind == "DELETED";
    match &*change.kind {
        "BOOKMARK" => {
            session.out.proof(scope, true).await?;
            return Ok(Next::Go);
        }
        "ADDED" | "MODIFIED" | "DELETED" => {}
        _ => return Ok(Next::Go),
    }
    let fact = match wire::object(scope.kind, change.object, &session.salt) {
        Ok(object) if deleted => Some(Fact::Deleted(object)),
        Ok(object) => Some(Fact::Upserted(object)),
        Err(_) if deleted => wire::remains(scope.kind, change.object).map(Fact::Deleted),
        Err(skip) => {
            skipped(session, scope, 1, skip.message).await?;
            None
        }
    };
    if let Some(fact) = fact {
        session.out.send(fact).await?;
    }
    session.out.proof(scope, false).await?;
    Ok(Next::Go)
}

/// The URL of a kind's list.
pub(crate) fn path(scope: &Scope) -> String {
    let Scope { kind, namespace } = scope;
    let root = if kind.group().is_empty() { "/api" } else { "/apis" };
    let within = namespace.as_deref().map(|n| format!("/namespaces/{}", encoded(n))).unwrap_or_default();
    format!("{root}/{}{within}/{}", kind.api_version(), kind.plural())
}

/// Percent-encoding of a query value or a path segment.
pub(crate) fn encoded(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::with_capacity(text.len()), |mut out, b| {
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(b));
        } else {
            let _ = write!(out, "%{b:02X}");
        }
        out
    })
}

/// 0.8 s, doubling to 30 s, each up to half as long again; never sooner than the server asked for.
pub(crate) async fn pause(failures: u32, failure: &Failure) {
    let wait = Duration::from_millis(800).saturating_mul(1 << failures.saturating_sub(1).min(6));
    let wait = jittered(wait.min(Duration::from_secs(30)));
    let asked = match failure {
        Failure::Refused(Refusal { retry_after: Some(after), .. }) => (*after).min(Duration::from_secs(120)),
        _ => Duration::ZERO,
    };
    tokio::time::sleep(wait.max(asked)).await;
}

pub(crate) fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(1.0 + 0.5 * fastrand::f64())
}

impl Session {
    /// The list client of the newest credentials, after the server refused those of this generation.
    async fn renewed(&self, generation: u64, refusal: &Refusal) -> Result<Server, Failure> {
        match self.renew(generation, Some(&refusal.message)).await {
            Ok(link) => Ok(link.watch.clone()),
            Err(problem) => {
                self.signal(Signal::Trouble(problem));
                Err(Failure::Refused(refusal.clone()))
            }
        }
    }
}
