//! One look: every readable kind listed once.

use std::{sync::Arc, time::Duration};

use afterwatch_core::{
    coverage::{EndedBy, UnreadableReason},
    object::{Kind, kind::Mode},
    observation::Connection,
    port::ObservationSink,
};
use futures::StreamExt;

use crate::{
    access::{Plan, unread_words},
    cluster::Inner,
    custom,
    emit::{Closed, Emitter, Scope},
    scope,
    server::Failure,
    session::{self, Session},
    watch,
};

/// Lists every kind, tells what cannot be read, and ends.
pub(crate) async fn scan(inner: Arc<Inner>, sink: Box<dyn ObservationSink>) {
    let out = Arc::new(Emitter::new(sink, inner.clock.clone()));
    // A closed sink means that nobody wants the rest.
    let _ = look(&inner, &out).await;
}

async fn look(inner: &Arc<Inner>, out: &Arc<Emitter>) -> Result<(), Closed> {
    out.connection(Connection::Connecting).await?;
    let (link, identity) = match watch::connect(inner).await {
        Ok(connected) => connected,
        Err(problem) => return out.trouble(&problem).await,
    };
    let (session, _signals) = Session::new(inner.clone(), out.clone(), link);
    let of = u32::try_from(Kind::ALL.len()).unwrap_or(u32::MAX);
    let mut done = 0;
    let mut kinds = futures::stream::iter(Kind::ALL.iter().copied())
        .map(|kind| one(&session, kind))
        .buffer_unordered(session::AT_ONCE);
    while let Some(result) = kinds.next().await {
        result?;
        done += 1;
        let objects = session.objects.load(std::sync::atomic::Ordering::Relaxed);
        out.connection(Connection::Syncing { done, of, objects }).await?;
    }
    out.connection(Connection::Connected { cluster_uid: identity.uid, server_version: identity.version }).await
}

async fn one(session: &Session, kind: Kind) -> Result<(), Closed> {
    let all = Scope::everywhere(kind);
    if kind == Kind::CustomResource {
        return match custom::once(session).await? {
            Ok(()) => Ok(()),
            Err(failure) => unreadable(session, &all, &failure).await,
        };
    }
    let plan = match twice(|| async { session.access(None).plan(&session.link().watch, kind).await }).await {
        Ok(plan) => plan,
        Err(failure) => return unreadable(session, &all, &failure).await,
    };
    let (scopes, denied, unread) = match plan {
        Plan::Everywhere(_) => (vec![all.clone()], Vec::new(), Vec::new()),
        Plan::Denied(words) => {
            return session.out.lost(&all, EndedBy::Forbidden, UnreadableReason::Forbidden, words).await;
        }
        Plan::Namespaces { readable, denied, unread } => {
            let scope = |namespace| Scope { kind, namespace: Some(namespace) };
            (readable.into_iter().map(|(n, _)| scope(n)).collect(), denied.into_iter().map(scope).collect(), unread)
        }
    };
    for scope in &denied {
        let place = scope.namespace.as_deref().unwrap_or_default();
        let words = format!("not permitted to list {} in namespace {place}", kind.plural());
        session.out.lost(scope, EndedBy::Forbidden, UnreadableReason::Forbidden, words).await?;
    }
    for scope in &scopes {
        match twice(|| scope::list(session, scope)).await {
            Ok(listing) => scope::tell(session, scope, Mode::Poll, listing).await?,
            Err(failure) => unreadable(session, scope, &failure).await?,
        }
    }
    if !unread.is_empty() {
        let words = unread_words(&unread, scopes.len() + denied.len());
        session.out.lost(&all, EndedBy::Forbidden, UnreadableReason::Forbidden, words).await?;
    }
    Ok(())
}

async fn unreadable(session: &Session, scope: &Scope, failure: &Failure) -> Result<(), Closed> {
    let (ended_by, reason) = match failure.code() {
        404 if scope.namespace.is_none() && !scope::always_served(scope.kind) => {
            return session.out.not_served(scope.kind).await;
        }
        403 => (EndedBy::Forbidden, UnreadableReason::Forbidden),
        401 => (EndedBy::LoginNeeded, UnreadableReason::LoginNeeded),
        _ => (EndedBy::Disconnect, UnreadableReason::Unreachable),
    };
    session.out.lost(scope, ended_by, reason, failure.to_string()).await
}

/// Once more after a second, where that may help.
pub(crate) async fn twice<T, F: Future<Output = Result<T, Failure>>>(ask: impl Fn() -> F) -> Result<T, Failure> {
    match ask().await {
        Err(failure) if !matches!(failure.code(), 401 | 403) => {
            tokio::time::sleep(Duration::from_secs(1)).await;
            ask().await
        }
        other => other,
    }
}
