//! Makes a recording of one namespace of a real cluster.
//!
//! ```text
//! KUBECONFIG=… RECORD=oom RECORD_NAMESPACE=photos RECORD_SECONDS=90 \
//!     cargo test -p afterwatch-tests --test scenarios record -- --ignored --nocapture
//! ```
//! Meanwhile break things in the namespace. `RECORD_NODES=a,b` keeps these nodes too; `RECORD_GAP=20..50` looks away
//! between these seconds, as when the connection breaks.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    sync::{Arc, Mutex},
    time::Duration,
};

use afterwatch_cluster::{ClusterOptions, load};
use afterwatch_core::{
    correlate::{self, Options},
    coverage::{EndedBy, UnreadableReason},
    index::Index,
    object::{Kind, Object},
    observation::{Connection, Fact, LogWant, Observation},
    port::{BoxFuture, Cluster, ObservationSink},
};
use jiff::Timestamp;

use crate::recording;

#[derive(Default)]
struct Tape {
    index: Index,
    kept: Vec<Observation>,
    last: BTreeMap<String, Object>,
}

struct Recorder {
    namespace: String,
    nodes: Vec<String>,
    tape: Arc<Mutex<Tape>>,
}

impl ObservationSink for Recorder {
    fn send(&self, observation: Observation) -> BoxFuture<'_, bool> {
        let mut tape = self.tape.lock().unwrap();
        if let Some(kept) = self.keep(observation, &mut tape) {
            tape.index.apply(kept.clone());
            tape.kept.push(kept);
        }
        Box::pin(std::future::ready(true))
    }
}

impl Recorder {
    /// The observation, if it belongs to the story, without what does not.
    fn keep(&self, observation: Observation, tape: &mut Tape) -> Option<Observation> {
        let at = observation.at;
        let fact = match observation.fact {
            Fact::Listed { kind, namespace, how, objects } => {
                let objects: Vec<Object> = objects.into_iter().filter(|o| self.belongs(o)).collect();
                for object in &objects {
                    tape.last.insert(object.reference().key(), plain(object));
                }
                Fact::Listed { kind, namespace, how, objects }
            }
            // The namespace is taken down when the story is over.
            Fact::Upserted(Object::Namespace(_)) => return None,
            Fact::Upserted(object) => {
                // A heartbeat changes nothing but the version.
                let same =
                    tape.last.insert(object.reference().key(), plain(&object)).is_some_and(|o| o == plain(&object));
                (self.belongs(&object) && !same).then_some(Fact::Upserted(object))?
            }
            Fact::Deleted(object) => self.belongs(&object).then_some(Fact::Deleted(object))?,
            Fact::Alive { .. } | Fact::Connection(Connection::Connecting | Connection::Syncing { .. }) => return None,
            other => other,
        };
        Some(Observation { at, fact })
    }

    fn belongs(&self, object: &Object) -> bool {
        let meta = object.meta();
        match object {
            Object::Node(_) => self.nodes.contains(&meta.name),
            Object::Namespace(_) => meta.name == self.namespace,
            Object::KubeEvent(e) if e.involved_object.kind == "Node" => self.nodes.contains(&e.involved_object.name),
            _ => meta.namespace.as_deref() == Some(&self.namespace) && meta.name != "kube-root-ca.crt",
        }
    }
}

fn plain(object: &Object) -> Object {
    let mut object = object.clone();
    object.meta_mut().resource_version.clear();
    object
}

#[test]
#[ignore = "records from a real cluster"]
fn record() {
    let Ok(name) = env::var("RECORD") else { return };
    let namespace = env::var("RECORD_NAMESPACE").expect("RECORD_NAMESPACE names the namespace");
    let seconds: u64 = env::var("RECORD_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(60);
    let nodes = env::var("RECORD_NODES").unwrap_or_default().split(',').map(str::to_owned).collect();
    let gap = env::var("RECORD_GAP").ok().and_then(|g| {
        let (from, to) = g.split_once("..")?;
        Some((from.parse::<u64>().ok()?, to.parse::<u64>().ok()?))
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let tape = runtime.block_on(tape(Recorder { namespace, nodes, tape: Arc::default() }, seconds, gap));
    let text: String = tape.iter().map(|o| recording::line(o) + "\n").collect();
    std::fs::write(recording::path(&name), text).unwrap();
}

async fn tape(recorder: Recorder, seconds: u64, gap: Option<(u64, u64)>) -> Vec<Observation> {
    let configs = load(None);
    let context = configs.current.clone().expect("a current context");
    let cluster: Arc<dyn Cluster> = Arc::new(configs.cluster(&context, &ClusterOptions::default()).unwrap());
    let tape = recorder.tape.clone();
    let sink = || {
        Box::new(Recorder { namespace: recorder.namespace.clone(), nodes: recorder.nodes.clone(), tape: tape.clone() })
    };
    let mut handle = Some(cluster.watch(sink()));
    let mut asked: BTreeSet<LogWant> = BTreeSet::new();
    for tenth in 0..seconds * 10 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if gap.is_some_and(|(from, _)| tenth == from * 10) {
            handle = None;
            let mut tape = tape.lock().unwrap();
            for kind in Kind::ALL {
                let (ended_by, reason) = (EndedBy::Disconnect, UnreadableReason::Unreachable);
                let fact =
                    Fact::Lost { kind: *kind, namespace: None, ended_by, reason, message: "connection refused".into() };
                let lost = Observation { at: Timestamp::now(), fact };
                tape.index.apply(lost.clone());
                tape.kept.push(lost);
            }
        }
        if gap.is_some_and(|(_, to)| tenth == to * 10) {
            handle = Some(cluster.watch(sink()));
        }
        if handle.is_none() {
            continue;
        }
        let wants = correlate::diagnose(&tape.lock().unwrap().index, Timestamp::now(), Options::default()).wants;
        for want in wants.into_iter().filter(|w| asked.insert(w.clone())) {
            let read = cluster.read_log(want).await;
            let observation = Observation { at: Timestamp::now(), fact: Fact::Log(read) };
            let mut tape = tape.lock().unwrap();
            tape.index.apply(observation.clone());
            tape.kept.push(observation);
        }
    }
    drop(handle);
    std::mem::take(&mut tape.lock().unwrap().kept)
}
