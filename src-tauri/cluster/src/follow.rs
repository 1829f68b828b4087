//! One kind, wherever the user's rights allow it to be read.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use afterwatch_core::{
    coverage::{EndedBy, UnreadableReason},
    object::Kind,
};
use tokio::task::JoinSet;

use crate::{
    access::{Plan, unread_words},
    emit::{Closed, Scope},
    scope::{self, Ending, jittered},
    session::{Pending, REVIEW_AGAIN, Session},
};

/// One kind, wherever it may be read.
pub(crate) async fn follow(session: Arc<Session>, kind: Kind) {
    if let Err(ending) = places(&session, kind).await {
        // The session is about to be torn down by whoever was told; until then there is nothing to do.
        if matches!(ending, Ending::Trouble) {
            std::future::pending::<()>().await;
        }
    }
}

async fn places(session: &Arc<Session>, kind: Kind) -> Result<(), Ending> {
    let all = Scope::everywhere(kind);
    let mut pending = Some(Pending::new(session.clone(), kind, session.turn().await));
    let mut running: JoinSet<(Arc<str>, Ending)> = JoinSet::new();
    let mut followed: HashSet<Arc<str>> = HashSet::new();
    let mut refusals = Refusals { least: session.limits().forbidden, count: 0, last: None };
    loop {
        let plan = scope::plan(session, &all, &mut pending, refusals.last).await?;
        let first = pending.take().unwrap_or_else(|| Pending::new(session.clone(), kind, None));
        let done = first.done();
        let mut wait = REVIEW_AGAIN;
        let mut untold = None;
        match plan {
            Plan::Everywhere(mode) => {
                running.shutdown().await;
                followed.clear();
                match scope::follow(session, &all, mode, first).await {
                    Ending::Forbidden => {}
                    Ending::NotServed => session.out.not_served(kind).await?,
                    ending @ (Ending::Trouble | Ending::Closed) => return Err(ending),
                }
                if session.out.ever_listed(|s| *s == all) {
                    wait = refusals.next();
                }
            }
            Plan::Denied(words) => {
                forbidden(session, &all, words).await?;
                drop(first);
                if session.out.ever_listed(|s| s.kind == kind) {
                    wait = refusals.next();
                }
            }
            Plan::Namespaces { readable, denied, unread } => {
                let gone = |n: &Arc<str>| denied.contains(n) || unread.contains(n);
                if session.out.ever_listed(|s| s.kind == kind && s.namespace.as_ref().is_none_or(gone)) {
                    wait = refusals.next();
                }
                for namespace in &denied {
                    let words = format!("not permitted to list {} in namespace {namespace}", kind.plural());
                    forbidden(session, &Scope { kind, namespace: Some(namespace.clone()) }, words).await?;
                }
                if unread.is_empty() {
                    session.out.partly(kind).await?;
                } else {
                    untold = Some(unread_words(&unread, readable.len() + denied.len()));
                }
                for (namespace, mode) in readable {
                    if followed.insert(namespace.clone()) {
                        let (session, first) = (session.clone(), first.clone());
                        running.spawn(async move {
                            let scope = Scope { kind, namespace: Some(namespace.clone()) };
                            let mode = session.mode(mode);
                            (namespace, scope::follow(&session, &scope, mode, first).await)
                        });
                    }
                }
                drop(first);
            }
        }
        let replan = tokio::time::sleep(jittered(wait));
        tokio::pin!(replan);
        let mut hurried = wait < REVIEW_AGAIN;
        loop {
            tokio::select! {
                () = &mut replan => break,
                // Not sooner: a kind of which something was told counts as looked at.
                () = done.notified(), if untold.is_some() => {
                    forbidden(session, &all, untold.take().unwrap_or_default()).await?;
                }
                Some(ended) = running.join_next() => match ended {
                    Ok((namespace, Ending::Forbidden | Ending::NotServed)) => {
                        followed.remove(&namespace);
                        let known = |s: &Scope| s.kind == kind && s.namespace.as_ref() == Some(&namespace);
                        if !hurried && session.out.ever_listed(known) {
                            hurried = true;
                            replan.as_mut().reset(tokio::time::Instant::now() + jittered(refusals.next()));
                        }
                    }
                    Ok((_, ending)) => return Err(ending),
                    Err(_) => {}
                }
            }
        }
    }
}

async fn forbidden(session: &Session, scope: &Scope, words: String) -> Result<(), Closed> {
    session.out.lost(scope, EndedBy::Forbidden, UnreadableReason::Forbidden, words).await
}

/// Refusals of what could be read before. An API server that was restarted forbids everything until it has read its
/// rules, and so the first is questioned soon; rights that were taken away are asked about ever less often.
struct Refusals {
    least: Duration,
    count: u32,
    last: Option<Instant>,
}

impl Refusals {
    /// Notes one, and says how long to wait.
    fn next(&mut self) -> Duration {
        if self.last.is_some_and(|at| at.elapsed() > REVIEW_AGAIN * 2) {
            self.count = 0;
        }
        self.last = Some(Instant::now());
        let wait = self.least.saturating_mul(1 << self.count.min(10)).min(REVIEW_AGAIN);
        self.count += 1;
        wait
    }
}
