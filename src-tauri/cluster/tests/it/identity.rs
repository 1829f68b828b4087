//! Who a cluster is, whatever its server says at the moment.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering::SeqCst},
    },
    time::Duration,
};

use afterwatch_core::{
    observation::{Connection, Fact},
    port::Cluster,
};
use serde_json::json;

use crate::support::{Config, Memory, Reply, Stub};

fn uids(memory: &Memory) -> Vec<String> {
    let facts = memory.facts().into_iter();
    facts
        .filter_map(|f| match f {
            Fact::Connection(Connection::Connected { cluster_uid, .. }) => Some(cluster_uid),
            _ => None,
        })
        .collect()
}

/// A server that answers a read of kube-system with this status, 0 for a good one.
async fn server(status: &Arc<AtomicU16>) -> Stub {
    let status = status.clone();
    Stub::start(move |r| {
        let code = status.load(SeqCst);
        let asked = r.path.starts_with("/api/v1/namespaces/kube-system");
        (asked && code != 0).then_some(Reply::Status(code, "etcdserver: no leader"))
    })
    .await
}

#[tokio::test]
async fn a_server_without_its_store_is_unreachable_and_never_another_cluster() {
    let status = Arc::new(AtomicU16::new(500));
    let stub = server(&status).await;
    let memory = Memory::default();
    let _handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    let words = memory
        .until(|f| match f {
            Fact::Connection(Connection::Unreachable { message, .. }) => Some(message.clone()),
            _ => None,
        })
        .await;
    assert!(words.contains("no leader"), "{words}");
    status.store(0, SeqCst);
    assert_eq!(memory.connected().await, "uid-of-kube-system");
    assert_eq!(uids(&memory), ["uid-of-kube-system"]);
}

#[tokio::test]
async fn a_server_that_is_busy_for_a_moment_is_asked_once_more() {
    let status = Arc::new(AtomicU16::new(429));
    let stub = server(&status).await;
    let (memory, later) = (Memory::default(), status.clone());
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        later.store(0, SeqCst);
    });
    Config::new(&stub.address, json!({})).cluster().scan(memory.sink()).await;
    assert_eq!(memory.connected().await, "uid-of-kube-system");
}

#[tokio::test]
async fn a_cluster_that_was_known_stays_the_same_while_its_name_may_not_be_read() {
    let status = Arc::new(AtomicU16::new(0));
    let stub = server(&status).await;
    let memory = Memory::default();
    let handle = Config::new(&stub.address, json!({})).cluster().watch(memory.sink());
    memory.connected().await;
    status.store(403, SeqCst);
    handle.restart();
    for _ in 0..100 {
        if uids(&memory).len() > 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(uids(&memory), ["uid-of-kube-system", "uid-of-kube-system"]);
}
