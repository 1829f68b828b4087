//! What the user may read: access reviews first, then everywhere, else namespace by namespace.
//!
//! No API tells which namespaces somebody may use. The order is therefore: everywhere; else those of the context and
//! those a person named, and, where namespaces may be listed, all of them, each asked about by itself.

use std::sync::Arc;

use afterwatch_core::object::{Kind, kind::Mode};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::server::{Failure, Server};

/// More than this many namespaces are not asked about one by one.
const MOST_NAMESPACES: usize = 50;
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
    },
    Denied(String),
}

/// What one session knows about the user's rights.
pub(crate) struct Access {
    /// The context's namespace and those a person named.
    named: Vec<Arc<str>>,
    everything: OnceCell<bool>,
    listable: OnceCell<Vec<Arc<str>>>,
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
        Access { named, everything: OnceCell::new(), listable: OnceCell::new() }
    }

    /// Where the kind may be read now.
    pub async fn plan(&self, server: &Server, kind: Kind) -> Result<Plan, Failure> {
        // One question instead of fifty for whoever may read everything, as most owners of a cluster do.
        let everything = self
            .everything
            .get_or_try_init(|| async {
                let (list, watch) =
                    tokio::join!(review(server, "list", "*", "*", None), review(server, "watch", "*", "*", None));
                Ok::<bool, Failure>(list?.allowed && watch?.allowed)
            })
            .await?;
        if *everything {
            return Ok(Plan::Everywhere(kind.mode()));
        }
        match mode(server, kind, None).await? {
            Right::Yes(mode) => return Ok(Plan::Everywhere(mode)),
            Right::No(words) if !kind.namespaced() => return Ok(Plan::Denied(words)),
            Right::No(_) => {}
        }
        let candidates = self.candidates(server).await?;
        let answers: Vec<_> = futures::stream::iter(candidates)
            .map(|namespace| async move {
                let right = mode(server, kind, Some(&namespace)).await;
                (namespace, right)
            })
            .buffered(AT_ONCE)
            .collect()
            .await;
        let (mut readable, mut denied, mut words) = (Vec::new(), Vec::new(), String::new());
        for (namespace, right) in answers {
            match right? {
                Right::Yes(mode) => readable.push((namespace, mode)),
                Right::No(why) => {
                    if self.named.contains(&namespace) {
                        denied.push(namespace);
                    }
                    if words.is_empty() {
                        words = why;
                    }
                }
            }
        }
        Ok(if readable.is_empty() { Plan::Denied(words) } else { Plan::Namespaces { readable, denied } })
    }

    async fn candidates(&self, server: &Server) -> Result<Vec<Arc<str>>, Failure> {
        let listed = self
            .listable
            .get_or_try_init(|| async {
                match namespaces(server).await {
                    Err(Failure::Refused(r)) if r.code == 403 => Ok(Vec::new()),
                    other => other,
                }
            })
            .await?;
        let mut out = self.named.clone();
        for namespace in listed {
            if out.len() >= MOST_NAMESPACES {
                break;
            }
            if !out.contains(namespace) {
                out.push(namespace.clone());
            }
        }
        Ok(out)
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
        items: Vec<crate::wire::Outline>,
    }
    let accept = crate::scope::METADATA_LIST;
    let body = server.read("/api/v1/namespaces?limit=500", accept).await?;
    let list: List =
        serde_json::from_slice(&body).map_err(|_| Failure::Nonsense("the list of namespaces is no list".into()))?;
    Ok(list.items.into_iter().map(|o| o.metadata.name.into()).collect())
}
