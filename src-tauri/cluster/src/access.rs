//! What the user may read: access reviews first, then everywhere, else namespace by namespace.
//!
//! No API tells which namespaces somebody may use. The order is therefore: everywhere; else those of the context and
//! those a person named, and, where namespaces may be listed, all of them, each asked about by itself.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use afterwatch_core::object::{Kind, kind::Mode};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::server::{Failure, Server};

/// More than this many namespaces are not asked about one by one.
const MOST_NAMESPACES: usize = 50;
/// A question that failed is not asked again within this time.
const FAILURE_MEMORY: Duration = Duration::from_secs(10);
/// Reviews of one kind under way at once.
const AT_ONCE: usize = 4;

/// Where a kind may be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    Everywhere(Mode),
    Namespaces {
        readable: Vec<(Arc<str>, Mode)>,
        /// Named by the context or a person, and not readable.
        denied: Vec<Arc<str>>,
        /// The others that exist: not readable, or too many to be asked about.
        unread: Vec<Arc<str>>,
    },
    Denied(String),
}

/// What is to be said of namespaces that exist and are not read.
pub(crate) fn unread_words(unread: &[Arc<str>], read: usize) -> String {
    let names: Vec<String> = unread.iter().map(|n| n.to_string()).collect();
    let names = afterwatch_core::words::list(&names, 8);
    format!("{} of {} namespaces are not read: {names}", unread.len(), unread.len() + read)
}

/// What one session knows about the user's rights.
pub(crate) struct Access {
    /// The context's namespace and those a person named.
    named: Vec<Arc<str>>,
    everything: Once<bool>,
    listable: Once<Vec<Arc<str>>>,
}

/// An answer that is asked for once. A failure is remembered for a moment: where the server hangs, all who wait for
/// the answer learn so together and not one after another.
struct Once<T>(Mutex<Option<(Instant, Result<T, Failure>)>>);

impl<T: Clone> Once<T> {
    fn new() -> Once<T> {
        Once(Mutex::new(None))
    }

    async fn get(&self, ask: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let mut held = self.0.lock().await;
        match &*held {
            Some((at, answer)) if answer.is_ok() || at.elapsed() < FAILURE_MEMORY => answer.clone(),
            _ => {
                let answer = ask.await;
                *held = Some((Instant::now(), answer.clone()));
                answer
            }
        }
    }
}

impl Access {
    pub fn new(context: Option<&str>, extra: &[String]) -> Access {
        let mut named: Vec<Arc<str>> = Vec::new();
        let context = context.filter(|n| !n.is_empty()).unwrap_or("default");
        for namespace in std::iter::once(context).chain(extra.iter().map(String::as_str)) {
            if !namespace.is_empty() && !named.iter().any(|n| **n == *namespace) {
                named.push(namespace.into());
            }
        }
        Access { named, everything: Once::new(), listable: Once::new() }
    }

    /// The context's namespace and those a person named.
    pub fn named(&self) -> &[Arc<str>] {
        &self.named
    }

    /// Where the kind may be read now.
    pub async fn plan(&self, server: &Server, kind: Kind) -> Result<Plan, Failure> {
        // One question instead of fifty for whoever may read everything, as most owners of a cluster do.
        let everything = self
            .everything
            .get(async {
                let (list, watch) =
                    tokio::join!(review(server, "list", "*", "*", None), review(server, "watch", "*", "*", None));
                Ok(list?.allowed && watch?.allowed)
            })
            .await?;
        if everything {
            return Ok(Plan::Everywhere(kind.mode()));
        }
        match mode(server, kind, None).await? {
            Right::Yes(mode) => return Ok(Plan::Everywhere(mode)),
            Right::No(words) if !kind.namespaced() => return Ok(Plan::Denied(words)),
            Right::No(_) => {}
        }
        let (candidates, mut unread) = self.candidates(server).await?;
        let mut answers = futures::stream::iter(candidates)
            .map(|namespace| async move {
                let right = mode(server, kind, Some(&namespace)).await;
                (namespace, right)
            })
            .buffered(AT_ONCE);
        let (mut readable, mut denied, mut words) = (Vec::new(), Vec::new(), String::new());
        while let Some((namespace, right)) = answers.next().await {
            match right? {
                Right::Yes(mode) => readable.push((namespace, mode)),
                Right::No(why) => {
                    let list = if self.named.contains(&namespace) { &mut denied } else { &mut unread };
                    list.push(namespace);
                    if words.is_empty() {
                        words = why;
                    }
                }
            }
        }
        unread.sort_unstable();
        Ok(if readable.is_empty() { Plan::Denied(words) } else { Plan::Namespaces { readable, denied, unread } })
    }

    /// The namespaces to ask about, and those beyond the limit.
    async fn candidates(&self, server: &Server) -> Result<(Vec<Arc<str>>, Vec<Arc<str>>), Failure> {
        let ask = async {
            match namespaces(server).await {
                Err(failure) if failure.code() == 403 => Ok(Vec::new()),
                other => other,
            }
        };
        let mut listed = self.listable.get(ask).await?;
        listed.retain(|n| !self.named.contains(n));
        let mut asked = self.named.clone();
        let beyond = listed.split_off(listed.len().min(MOST_NAMESPACES.saturating_sub(asked.len())));
        asked.append(&mut listed);
        Ok((asked, beyond))
    }
}

enum Right {
    Yes(Mode),
    No(String),
}

/// Whether, and how, a kind may be followed in a namespace or everywhere.
async fn mode(server: &Server, kind: Kind, namespace: Option<&str>) -> Result<Right, Failure> {
    let list = review(server, "list", kind.group(), kind.plural(), namespace);
    if kind.mode() == Mode::Poll {
        let list = list.await?;
        return Ok(if list.allowed { Right::Yes(Mode::Poll) } else { Right::No(denial(kind, namespace, &list)) });
    }
    let (list, watch) = tokio::join!(list, review(server, "watch", kind.group(), kind.plural(), namespace));
    let (list, watch) = (list?, watch?);
    Ok(match (list.allowed, watch.allowed) {
        (true, true) => Right::Yes(Mode::Watch),
        (true, false) => Right::Yes(Mode::Poll),
        (false, _) => Right::No(denial(kind, namespace, &list)),
    })
}

fn denial(kind: Kind, namespace: Option<&str>, review: &Review) -> String {
    let place = match namespace {
        Some(namespace) => format!("in namespace {namespace}"),
        None => "in the whole cluster".to_owned(),
    };
    let why = if review.reason.is_empty() { String::new() } else { format!(": {}", review.reason) };
    format!("not permitted to list {} {place}{why}", kind.plural())
}

/// The server's answer to "may I".
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Review {
    pub allowed: bool,
    pub reason: String,
}

/// Asks the server whether the user may do this. Where it cannot be asked, the answer is yes: the request itself
/// will tell.
pub(crate) async fn review(
    server: &Server,
    verb: &str,
    group: &str,
    resource: &str,
    namespace: Option<&str>,
) -> Result<Review, Failure> {
    let body = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": {
            "verb": verb, "group": group, "resource": resource, "namespace": namespace.unwrap_or_default(),
        }},
    });
    match server.review("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &body).await {
        Ok(answer) => {
            let status = answer.get("status").cloned().unwrap_or(Value::Null);
            serde_json::from_value(status).map_err(|_| Failure::Nonsense("the access review has no status".into()))
        }
        Err(Failure::Refused(r)) if matches!(r.code, 403..=405) => {
            Ok(Review { allowed: resource != "*", ..Review::default() })
        }
        Err(failure) => Err(failure),
    }
}

/// The names of the namespaces.
async fn namespaces(server: &Server) -> Result<Vec<Arc<str>>, Failure> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        metadata: crate::wire::PageMeta,
        #[serde(default)]
        items: Vec<crate::wire::Outline>,
    }
    let mut names = Vec::new();
    let mut path = "/api/v1/namespaces?limit=500".to_owned();
    loop {
        let body = server.read(&path, crate::scope::METADATA_LIST).await?;
        let list: List =
            serde_json::from_slice(&body).map_err(|_| Failure::Nonsense("the list of namespaces is no list".into()))?;
        names.extend(list.items.into_iter().map(|o| Arc::from(o.metadata.name)));
        match list.metadata.next.filter(|t| !t.is_empty()) {
            Some(token) => path = format!("/api/v1/namespaces?limit=500&continue={}", crate::scope::encoded(&token)),
            None => return Ok(names),
        }
    }
}
