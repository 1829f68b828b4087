//! What `doctor` asks about kubeconfig, credential plugins, reachability, rights and clocks. Nothing is changed.

use std::time::Duration;

use afterwatch_core::{
    check::{Check, Level},
    object::Kind,
};
use futures::{StreamExt, stream::FuturesOrdered};
use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};

use crate::{
    access::{Access, Plan},
    cluster::{ClusterOptions, Inner, KubeCluster, Limits},
    environment,
    kubeconfig::Kubeconfigs,
    problem::ConnectProblem,
    server::{Ask, Server},
    watch,
};

/// Clusters asked at once.
const AT_ONCE: usize = 8;

fn failed(name: String, problem: ConnectProblem) -> Check {
    Check::new(name, Level::Fail, problem.message, problem.hint)
}

impl Kubeconfigs {
    /// Checks the files and these contexts, one line each, with what to do.
    pub async fn doctor(&self, contexts: &[String], options: &ClusterOptions, limits: Limits) -> Vec<Check> {
        let mut out = self.files_check();
        // One cluster that does not answer must not keep the others waiting.
        for some in contexts.chunks(AT_ONCE) {
            let mut asked = FuturesOrdered::new();
            for context in some {
                asked.push_back(self.doctor_of(context, options, limits));
            }
            while let Some(checks) = asked.next().await {
                out.extend(checks);
            }
        }
        out
    }

    async fn doctor_of(&self, context: &str, options: &ClusterOptions, limits: Limits) -> Vec<Check> {
        match self.cluster(context, options) {
            Ok(cluster) => cluster.with_limits(limits).doctor().await,
            Err(problem) => vec![failed(format!("context {context}"), problem)],
        }
    }

    fn files_check(&self) -> Vec<Check> {
        let mut out = Vec::new();
        let files: Vec<String> = self.files.iter().map(|f| f.display().to_string()).collect();
        let (count, files) = (self.contexts.len(), files.join(", "));
        out.push(if count == 0 {
            Check::new(
                "kubeconfig",
                Level::Fail,
                format!("no context found in {files}"),
                "Create a kubeconfig, or set $KUBECONFIG or --kubeconfig.",
            )
        } else {
            let contexts = if count == 1 { "1 context".to_owned() } else { format!("{count} contexts") };
            Check::new("kubeconfig", Level::Ok, format!("{contexts} in {files}"), "")
        });
        for problem in &self.problems {
            out.push(Check::new("kubeconfig", Level::Warn, problem.to_string(), problem.hint.clone()));
        }
        for context in self.contexts.iter().filter(|c| c.problem.is_some()) {
            let words = context.problem.clone().unwrap_or_default();
            let hint = format!("Correct it in {}.", context.file.display());
            out.push(Check::new(format!("context {}", context.name), Level::Warn, words, hint));
        }
        out
    }
}

impl KubeCluster {
    async fn doctor(&self) -> Vec<Check> {
        let mut out = Vec::new();
        let inner = &*self.inner;
        let context = &inner.connector.entry.name;
        let name = |what: &str| format!("{context}: {what}");
        if let Some(plugin) = inner.connector.entry.user.exec.as_ref().and_then(|e| e.command.as_deref()) {
            out.push(match environment::which(plugin) {
                Some(file) => Check::new(name("credential plugin"), Level::Ok, format!("{}", file.display()), ""),
                None => {
                    let path = environment::var("PATH").unwrap_or_default();
                    let words = format!("`{plugin}` is not on the PATH ({})", path.to_string_lossy());
                    Check::new(
                        name("credential plugin"),
                        Level::Fail,
                        words,
                        "Install it, or correct the PATH of your login shell.",
                    )
                }
            });
        }
        if inner.connector.entry.cluster.insecure_skip_tls_verify == Some(true) {
            let words = "the server's certificate is not verified (insecure-skip-tls-verify)";
            out.push(Check::new(
                name("certificate"),
                Level::Warn,
                words,
                "Give the cluster its certificate-authority instead.",
            ));
        }
        let began = std::time::Instant::now();
        let (link, identity) = match watch::connect(inner).await {
            Ok(connected) => connected,
            Err(problem) => {
                out.push(failed(name("API server"), problem));
                return out;
            }
        };
        let words = format!(
            "{} answers in {} ms, {}",
            inner.connector.address(),
            began.elapsed().as_millis(),
            identity.version
        );
        out.push(Check::new(name("API server"), Level::Ok, words, ""));
        out.push(clock(name("clock"), &link.watch).await);
        out.push(rights(name("rights"), inner, &link.watch).await);
        out
    }
}

/// The server's `Date` against ours, at the middle of the request.
async fn clock(name: String, server: &Server) -> Check {
    let before = Timestamp::now();
    let ask = Ask { path: "/version", accept: "application/json", uncompressed: false };
    let date = server.get(&ask).await.ok().and_then(|r| r.headers().get("date")?.to_str().ok().map(str::to_owned));
    let after = Timestamp::now();
    let theirs = date.and_then(|d| DateTimeParser::new().parse_timestamp(&d).ok());
    let Some(theirs) = theirs else {
        return Check::new(name, Level::Warn, "the server does not say what time it is", "");
    };
    let middle = before + Duration::try_from(after.duration_since(before)).unwrap_or_default() / 2;
    // The header has whole seconds, cut off.
    let off = middle.duration_since(theirs).as_millis() - 500;
    if off.abs() <= 5_000 {
        return Check::new(name, Level::Ok, "this machine and the cluster agree to within 5 s", "");
    }
    let (seconds, way) = (off.abs() / 1000, if off > 0 { "ahead of" } else { "behind" });
    Check::new(
        name,
        Level::Warn,
        format!("this machine is {seconds} s {way} the cluster"),
        "Correct the clock: times on the timeline are compared across both.",
    )
}

async fn rights(name: String, inner: &Inner, server: &Server) -> Check {
    let entry = &inner.connector.entry;
    let access = Access::new(entry.context.namespace.as_deref(), &inner.options.extra_namespaces);
    // Nobody need have rights on what an extension brought.
    let kinds: Vec<Kind> = Kind::ALL.iter().copied().filter(|k| *k != Kind::CustomResource).collect();
    let plans: Vec<_> = futures::stream::iter(kinds.iter().copied())
        .map(|kind: Kind| {
            let access = &access;
            async move { (kind, access.plan(server, kind).await) }
        })
        .buffered(4)
        .collect()
        .await;
    let (mut denied, mut unknown) = (Vec::new(), Vec::new());
    let mut partly: Vec<(String, Vec<&str>)> = Vec::new();
    for (kind, plan) in plans {
        match plan {
            Ok(Plan::Everywhere(_)) => {}
            Ok(Plan::Namespaces { readable, .. }) => {
                let places: Vec<&str> = readable.iter().map(|(n, _)| &**n).collect();
                let places = places.join(", ");
                match partly.iter_mut().find(|(known, _)| *known == places) {
                    Some((_, kinds)) => kinds.push(kind.plural()),
                    None => partly.push((places, vec![kind.plural()])),
                }
            }
            Ok(Plan::Denied(_)) => denied.push(kind.plural()),
            Err(_) => unknown.push(kind.plural()),
        }
    }
    let mut words = Vec::new();
    if !denied.is_empty() {
        words.push(format!("not readable: {}", denied.join(", ")));
    }
    for (places, kinds) in partly {
        words.push(format!("only in {places}: {}", kinds.join(", ")));
    }
    if !unknown.is_empty() {
        words.push(format!("could not be asked about: {}", unknown.join(", ")));
    }
    if words.is_empty() {
        return Check::new(name, Level::Ok, format!("all {} kinds are readable", kinds.len()), "");
    }
    let hint = "What cannot be read is shown as such. The built-in role `view`, with nodes, volumes and secrets' metadata beside, covers nearly all.";
    Check::new(name, Level::Warn, words.join(". "), hint)
}
