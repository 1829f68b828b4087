//! A person asks about one object that looks healthy: which logs are worth reading, what is found around it, and, where
//! nothing is, what was looked at.
//!
//! Pure, like everything here: [`wants`] says which logs to read, [`look`] judges them with what the index knows. What
//! was read for a question is handed over by the caller and does not get into the index: rules that nobody asked see
//! no log of a healthy container.

mod around;
mod seen;
mod target;

use std::sync::Arc;

use jiff::Timestamp;

use self::around::Around;
pub use self::target::{Choice, NotFound, Target, choices, find};
use crate::{
    correlate::{self, Fault, Options},
    detect::{
        self,
        asked::{self, Heard},
    },
    index::Index,
    object::{ObjectRef, Pod},
    observation::{LogRead, LogWant},
};

/// Containers of the object itself whose log is read, and of what it leans on.
const OWN_LOGS: usize = 6;
const UPSTREAM_LOGS: usize = 4;

/// What one look brought.
#[derive(Clone, Debug)]
pub struct Look {
    /// What touches the object: its own faults first, then those upstream of it.
    pub faults: Vec<Fault>,
    /// Where there is none: what was looked at, as a fault without findings and causes, and what would tell more.
    pub seen: Option<(Fault, Vec<String>)>,
}

/// The logs to read for a question: of its newest pods, and of the pods behind the Services it names.
pub fn wants(index: &Index, subject: &ObjectRef) -> Vec<LogWant> {
    let around = Around::new(index, subject);
    let mut out: Vec<LogWant> = around.pods.iter().flat_map(|p| readable(p)).take(OWN_LOGS).collect();
    // One pod of each Service first, then the next.
    let behind: Vec<Vec<LogWant>> =
        around.leans_on.iter().map(|(_, pods)| pods.iter().flat_map(|p| readable(p)).collect()).collect();
    let rounds = behind.iter().map(Vec::len).max().unwrap_or(0);
    let mut upstream = Vec::new();
    for round in 0..rounds {
        for want in behind.iter().filter_map(|logs| logs.get(round)) {
            if !out.contains(want) && !upstream.contains(want) && upstream.len() < UPSTREAM_LOGS {
                upstream.push(want.clone());
            }
        }
    }
    out.append(&mut upstream);
    out
}

/// The containers of a pod that have written something by now: what waits has no log.
fn readable(pod: &Pod) -> Vec<LogWant> {
    pod.containers()
        .filter(|(_, _, init)| !init)
        .filter_map(|(spec, status, _)| {
            let status = status.filter(|s| s.state.running.is_some() || s.state.terminated.is_some())?;
            Some(LogWant {
                pod: pod.reference(),
                container: spec.name.clone(),
                previous: false,
                restart: status.restart_count,
            })
        })
        .collect()
}

/// Judges what is known of an object and of the logs that were read for the question.
pub fn look(index: &Index, now: Timestamp, options: Options, subject: &ObjectRef, reads: &[LogRead]) -> Look {
    let around = Around::new(index, subject);
    let own = |read: &LogRead| around.pods.iter().any(|p| p.reference().same_name(&read.want.pod));
    let behind = |read: &LogRead| {
        let is = |p: &&Pod| p.reference().same_name(&read.want.pod);
        around.leans_on.iter().find(|(_, pods)| pods.iter().any(is)).map(|(service, _)| service)
    };
    let heard: Vec<Heard<'_>> =
        reads.iter().map(|read| Heard { read, behind: behind(read).filter(|_| !own(read)) }).collect();
    let mut detection = detect::detect(index, now, options.clone());
    // A person waits for the answer: what waits for a log is told without it.
    detection.findings.iter_mut().for_each(|f| Arc::make_mut(f).awaits_log = false);
    detection.findings.extend(asked::findings(index, now, options.clone(), &heard).into_iter().map(Arc::new));
    let diagnosis = correlate::diagnose_of(index, now, options, detection, &mut detect::Memory::default());
    let mut touching: Vec<(u8, Fault)> =
        diagnosis.faults.into_iter().filter_map(|f| Some((around.touched_by(&f)?, f.taken(now)))).collect();
    touching.sort_by_key(|(distance, _)| *distance);
    let faults: Vec<Fault> = touching.into_iter().map(|(_, fault)| fault).collect();
    let seen = faults.is_empty().then(|| seen::seen(index, now, subject, &around, &heard));
    Look { faults, seen }
}
