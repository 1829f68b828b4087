//! Kubernetes, seen from the outside: kubeconfig, credentials, watches, lists and logs, handed over as
//! [`afterwatch_core::observation::Observation`]s.
//!
//! Nothing in here changes a cluster. The crate must not know what is wrong with what it reads, what an incident
//! is, where things are stored or who looks at them; it speaks core's types and nothing of kube's or k8s-openapi's
//! leaves it. Secret values are never asked for (metadata requests), ConfigMap values become salted digests while
//! they are decoded, and every object and log line passes core's redaction before it is handed over.
//!
//! Lists and watches are spoken directly over kube's [`kube::Client`] (its TLS, proxies and credentials) instead of
//! kube's own watcher, for three reasons: an object that does not decode must not cost the page or go unnoticed,
//! bookmarks and re-watches are the proof of life the coverage ledger is built on, and kube logs response bodies it
//! cannot parse.
//!
//! Everything that waits here runs on tokio: [`KubeCluster`]'s methods must be called inside a runtime.

mod access;
mod certificate;
mod classify;
mod cluster;
mod connect;
mod custom;
mod doctor;
mod emit;
pub mod environment;
mod exec;
mod follow;
mod kubeconfig;
mod logs;
mod problem;
mod proxy;
mod scan;
mod scope;
mod server;
mod session;
mod watch;
mod watch_files;
mod wire;

pub use cluster::{ClusterOptions, KubeCluster, Limits};
pub use kubeconfig::{ContextInfo, FileProblem, Kubeconfigs, load};
pub use problem::{ConnectProblem, Trouble};
pub use watch_files::{FileWatch, watch_files};

/// What a log subscriber must add to its filter: kube writes whole response bodies into WARN lines when they do not
/// parse, and requests with their credentials' surroundings at finer levels.
pub const LOG_FILTER: &str =
    "kube_client=off,kube_runtime=off,kube=off,hyper=warn,hyper_util=warn,rustls=warn,tower=warn";

/// False for what [`LOG_FILTER`] keeps out. A subscriber whose directives somebody may choose asks this as well: a
/// directive for a module of kube is more exact than the filter's, and so would win over it.
pub fn may_be_logged(metadata: &tracing::Metadata<'_>) -> bool {
    passes(metadata.target(), *metadata.level())
}

fn passes(target: &str, level: tracing::Level) -> bool {
    match target.split("::").next() {
        Some("kube" | "kube_client" | "kube_runtime") => false,
        Some("hyper" | "hyper_util" | "rustls" | "tower") => level <= tracing::Level::WARN,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::passes;

    #[test]
    fn kube_is_never_logged_and_what_carries_it_only_when_it_warns() {
        assert!(!passes("kube_client::client", Level::ERROR) && !passes("kube", Level::TRACE));
        assert!(passes("hyper::proto", Level::WARN) && !passes("hyper::proto", Level::DEBUG));
        assert!(passes("afterwatch_engine", Level::TRACE) && passes("kubelet", Level::TRACE));
    }
}
