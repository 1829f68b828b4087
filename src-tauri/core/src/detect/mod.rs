//! The rules: pure functions from the index to findings, a file per family.
//!
//! Each rule has a stable id, a hold time and states its own causes with the evidence that carries them. Grouping and
//! ranking over several findings is [`crate::correlate`]'s job; a rule looks at one object and its neighbours.

pub mod admission;
pub mod asked;
pub mod autoscale;
pub(crate) mod backing;
pub mod budget;
pub mod container;
pub mod context;
pub mod crash;
pub mod cron;
pub mod custom;
pub mod deletion;
pub mod dns;
mod drift;
mod family;
pub mod gateway;
pub(crate) mod host;
pub mod image;
pub mod isolation;
pub(crate) mod memory;
pub mod network;
pub mod node;
mod placement;
pub mod probe;
pub mod rule;
pub mod scheduling;
pub mod source;
mod stale;
pub mod storage;
mod upstream;
pub mod workload;

pub use context::Context;
pub use memory::Memory;
pub use rule::{Hold, Rule, Threshold};

use crate::{finding::Finding, index::Index, object::Kind, observation::LogWant};
use jiff::Timestamp;
use std::sync::Arc;

/// Every rule there is.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    [
        crash::RULES,
        image::RULES,
        container::RULES,
        probe::RULES,
        scheduling::RULES,
        workload::RULES,
        workload::rollout::RULES,
        cron::RULES,
        deletion::RULES,
        storage::RULES,
        node::RULES,
        network::RULES,
        asked::RULES,
        gateway::RULES,
        dns::RULES,
        admission::RULES,
        autoscale::RULES,
        budget::RULES,
        isolation::RULES,
        stale::RULES,
        custom::RULES,
    ]
    .into_iter()
    .flatten()
}

/// What the rules see now.
#[derive(Clone, Debug, Default)]
pub struct Detection {
    pub findings: Vec<Arc<Finding>>,
    /// Logs that would tell more. One that is known is to be read again.
    pub wants: Vec<LogWant>,
    /// When more logs will be wanted, if nothing changes.
    pub next: Option<Timestamp>,
}

/// Runs every rule over the index.
pub fn detect(index: &Index, now: Timestamp, options: crate::correlate::Options) -> Detection {
    run(Context::new(index, now, options)).0
}

/// The same; what was found before is taken again where it must still hold.
pub(crate) fn detect_again(
    index: &Index,
    now: Timestamp,
    options: crate::correlate::Options,
    memory: Memory,
) -> (Detection, Memory) {
    run(Context::new(index, now, options).remembering(memory))
}

fn run(mut cx: Context<'_>) -> (Detection, Memory) {
    let index = cx.index;
    // A pod that runs, is ready, never failed and is not spoken of has nothing to tell: of ten thousand few are visited.
    for pod in index.unsettled_pods() {
        if pod.metadata.deleting() {
            continue;
        }
        cx.unit(memory::unit("pod", &pod.metadata), |cx| {
            index.get(Kind::Pod, pod.metadata.namespace.as_deref(), &pod.metadata.name);
            crash::pod(cx, pod);
            if pod.finished() {
                return container::evicted(cx, pod);
            }
            image::pod(cx, pod);
            container::pod(cx, pod);
            probe::pod(cx, pod);
            scheduling::pod(cx, pod);
        });
    }
    container::rejected(&mut cx);
    workload::all(&mut cx);
    cron::all(&mut cx);
    deletion::all(&mut cx);
    storage::all(&mut cx);
    node::all(&mut cx);
    network::all(&mut cx);
    gateway::all(&mut cx);
    // What others say of the workloads behind them goes before these.
    dns::all(&mut cx);
    admission::all(&mut cx);
    autoscale::all(&mut cx);
    budget::all(&mut cx);
    isolation::all(&mut cx);
    stale::all(&mut cx);
    custom::all(&mut cx);
    drift::all(&mut cx);
    upstream::all(&mut cx);
    cx.finish()
}
