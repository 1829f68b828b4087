//! One kind, wherever the user's rights allow it to be read.

use std::{collections::HashSet, sync::Arc};

use afterwatch_core::{
    coverage::{EndedBy, UnreadableReason},
    object::Kind,
};
use tokio::task::JoinSet;

use crate::{
    access::Plan,
    emit::Scope,
    scope::{self, Ending, jittered},
    session::{Pending, REVIEW_AGAIN, Session},
};

/// One kind, wherever it may be read.
pub(crate) async fn follow(session: Arc<Session>, kind: Kind) {
    let all = Scope::everywhere(kind);
    let mut pending = Some(Pending::new(session.clone(), kind, session.turn().await));
    let mut running: JoinSet<(Arc<str>, Ending)> = JoinSet::new();
    let mut followed: HashSet<Arc<str>> = HashSet::new();
    loop {
        let plan = match scope::plan(&session, &all, &mut pending).await {
            Ok(plan) => plan,
            Err(ending) => return rest(ending).await,
        };
        match plan {
            Plan::Everywhere(mode) => {
                running.shutdown().await;
                followed.clear();
                let first = pending.take().unwrap_or_else(|| Pending::new(session.clone(), kind, None));
                match scope::follow(&session, &all, mode, first).await {
                    Ending::Forbidden => {}
                    Ending::NotServed => {
                        if session.out.not_served(kind).await.is_err() {
                            return;
                        }
                    }
                    ending @ (Ending::Trouble | Ending::Closed) => return rest(ending).await,
                }
            }
            Plan::Denied(words) => {
                let (by, reason) = (EndedBy::Forbidden, UnreadableReason::Forbidden);
                if session.out.lost(&all, by, reason, words).await.is_err() {
                    return;
                }
            }
            Plan::Namespaces { readable, denied } => {
                for namespace in denied {
                    let words = format!("not permitted to list {} in namespace {namespace}", kind.plural());
                    let scope = Scope { kind, namespace: Some(namespace) };
                    let (by, reason) = (EndedBy::Forbidden, UnreadableReason::Forbidden);
                    if session.out.lost(&scope, by, reason, words).await.is_err() {
                        return;
                    }
                }
                let first = pending.take().unwrap_or_else(|| Pending::new(session.clone(), kind, None));
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
            }
        }
        pending.take();
        let replan = tokio::time::sleep(jittered(REVIEW_AGAIN));
        tokio::pin!(replan);
        loop {
            tokio::select! {
                () = &mut replan => break,
                Some(ended) = running.join_next() => match ended {
                    Ok((namespace, Ending::Forbidden | Ending::NotServed)) => {
                        followed.remove(&namespace);
                    }
                    Ok((_, ending)) => return rest(ending).await,
                    Err(_) => {}
                }
            }
        }
    }
}

/// The session is about to be torn down by whoever was told; until then there is nothing to do.
async fn rest(ending: Ending) {
    if matches!(ending, Ending::Trouble) {
        std::future::pending::<()>().await;
    }
}
