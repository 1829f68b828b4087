//! Prints what a cluster tells: `cargo run -p afterwatch-cluster --example observe -- [--scan] [CONTEXT] [SECONDS]`.
//! `--log [--previous] CONTEXT NAMESPACE POD CONTAINER` prints the end of a log.

use std::{path::PathBuf, time::Duration};

use afterwatch_cluster::{ClusterOptions, Limits, load};
use afterwatch_core::{
    object::{Kind, ObjectRef},
    observation::{Fact, LogWant, Observation},
    port::{BoxFuture, Cluster, ObservationSink},
};

struct Print(std::time::Instant);

impl ObservationSink for Print {
    fn send(&self, observation: Observation) -> BoxFuture<'_, bool> {
        let words = match observation.fact {
            Fact::Listed { kind, namespace, objects, .. } => {
                format!("listed {kind} in {}: {}", namespace.as_deref().unwrap_or("*"), objects.len())
            }
            Fact::Upserted(object) => format!("upserted {}", object.reference()),
            Fact::Deleted(object) => format!("deleted {}", object.reference()),
            other => format!("{other:?}"),
        };
        println!("{:7.3} {words}", self.0.elapsed().as_secs_f64());
        Box::pin(std::future::ready(true))
    }
}

#[tokio::main]
async fn main() {
    let began = std::time::Instant::now();
    let (flags, rest): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|a| a.starts_with("--"));
    let configs = load(std::env::var_os("OBSERVE_KUBECONFIG").map(PathBuf::from).as_deref());
    for problem in &configs.problems {
        println!("{problem}");
    }
    let context = rest.first().cloned().or(configs.current.clone()).unwrap_or_default();
    let cluster = match configs.cluster(&context, &ClusterOptions::default()) {
        Ok(cluster) => cluster,
        Err(problem) => return println!("{problem} {}", problem.hint),
    };
    if let (true, [_, namespace, pod, container]) = (flags.iter().any(|f| f == "--log"), rest.as_slice()) {
        let pod = ObjectRef {
            namespace: Some(namespace.clone()),
            name: pod.clone(),
            ..ObjectRef::missing(Kind::Pod, None, pod)
        };
        let previous = flags.iter().any(|f| f == "--previous");
        let want = LogWant { pod, container: container.clone(), previous, restart: 0 };
        return println!("{:#?}", cluster.read_log(want).await);
    }
    if flags.iter().any(|f| f == "--doctor") {
        for check in configs.doctor(&[context], &ClusterOptions::default(), Limits::default()).await {
            println!("{:?} {}: {} {}", check.level, check.name, check.message, check.hint);
        }
        return;
    }
    if flags.iter().any(|f| f == "--scan") {
        return cluster.scan(Box::new(Print(began))).await;
    }
    let seconds = rest.get(1).and_then(|s| s.parse().ok()).unwrap_or(10);
    let handle = cluster.watch(Box::new(Print(began)));
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    println!("{:?}", handle.metrics());
}
