//! Plays a recording of a real cluster through index, rules and ledger at its own times.

use std::{collections::BTreeSet, path::PathBuf};

use afterwatch_core::{
    Timestamp,
    correlate::{self, Options},
    coverage::{Coverage, Gap, gaps},
    incident::{Incident, IncidentId},
    index::Index,
    ledger::{Ledger, Policy},
    object::Kind,
    observation::{Connection, Fact, LogRead, LogWant, Observation},
};
use jiff::SignedDuration;
use uuid::Uuid;

const COALESCE: SignedDuration = SignedDuration::from_millis(60);
const QUIET: SignedDuration = SignedDuration::from_mins(11);

/// What came of a recording.
pub struct Played {
    pub incidents: Vec<Incident>,
    pub gaps: Vec<Gap>,
    pub end: Timestamp,
}

/// Plays the recording of this name, of those in `tests/recordings`.
pub fn play(name: &str) -> Played {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/recordings/{name}.jsonl"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut observations: Vec<Observation> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{name}: {e}")))
        .collect();
    observations.sort_by_key(|o| o.at);
    let last = observations.last().expect("a recording").at;
    let uid = observations.iter().find_map(|o| match &o.fact {
        Fact::Connection(Connection::Connected { cluster_uid, .. }) => Some(cluster_uid.clone()),
        _ => None,
    });
    let recorded: BTreeSet<LogWant> = observations
        .iter()
        .filter_map(|o| match &o.fact {
            Fact::Log(read) => Some(read.want.clone()),
            _ => None,
        })
        .collect();
    let spans = spans(&observations, last + QUIET);
    let mut index = Index::new();
    let mut ledger = Ledger::new("lab", &uid.expect("a cluster"), Vec::new());
    let mut minted = 0u128;
    let mut now = observations[0].at;
    for kind in unread(&observations) {
        index.apply(Observation { at: now, fact: Fact::NotServed { kind } });
    }
    let mut rest = observations.into_iter().peekable();
    while let Some(observation) = rest.next() {
        let burst = observation.at;
        index.apply(observation);
        while let Some(next) = rest.next_if(|o| o.at.duration_since(burst) < COALESCE) {
            index.apply(next);
        }
        now = burst + COALESCE;
        let until = rest.peek().map_or(last + QUIET, |o| o.at);
        if !Kind::ALL.iter().all(|k| index.has_reading(*k)) {
            continue;
        }
        loop {
            let diagnosis = correlate::diagnose(&index, now, Options::default());
            let unread: Vec<LogWant> = diagnosis.wants.iter().filter(|w| !recorded.contains(w)).cloned().collect();
            if !unread.is_empty() {
                for want in unread {
                    let read =
                        LogRead { want, lines: Err("not in the recording".to_owned()), truncated: false, later: None };
                    index.apply(Observation { at: now, fact: Fact::Log(read) });
                }
                continue;
            }
            let policy = Policy { stability: SignedDuration::from_mins(10) };
            let mut mint = || {
                minted += 1;
                IncidentId(Uuid::from_u128(minted))
            };
            ledger.step(now, &diagnosis, &index, policy, &mut mint);
            let due = [diagnosis.next_due, ledger.next_due(&index, &diagnosis, policy)];
            match due.into_iter().flatten().filter(|t| *t > now).min() {
                Some(due) if due < until => now = due,
                _ => break,
            }
        }
    }
    let incidents = ledger.incidents().to_vec();
    let from = incidents.iter().filter_map(|i| i.started_at).min().unwrap_or(last) - SignedDuration::from_hours(1);
    Played { gaps: gaps(&spans, "pods", None, from, last), incidents, end: now }
}

/// The kinds that were not read yet when this was recorded: they count as not served.
fn unread(observations: &[Observation]) -> Vec<Kind> {
    let read = |kind: Kind| {
        observations.iter().any(|o| match &o.fact {
            Fact::Listed { kind: k, .. } | Fact::Lost { kind: k, .. } | Fact::NotServed { kind: k } => *k == kind,
            _ => false,
        })
    };
    Kind::ALL.iter().copied().filter(|kind| !read(*kind)).collect()
}

/// When pods were watched.
fn spans(observations: &[Observation], end: Timestamp) -> Vec<Coverage> {
    let mut out: Vec<Coverage> = Vec::new();
    for o in observations {
        match &o.fact {
            Fact::Listed { kind: Kind::Pod, how, .. } if out.last().is_none_or(|s| s.ended_by.is_some()) => {
                out.push(Coverage {
                    cluster: "lab".to_owned(),
                    kind: "pods".to_owned(),
                    namespace: None,
                    from: o.at,
                    to: end,
                    how: *how,
                    ended_by: None,
                });
            }
            Fact::Lost { kind: Kind::Pod, ended_by, .. } => {
                if let Some(span) = out.last_mut() {
                    (span.to, span.ended_by) = (o.at, Some(*ended_by));
                }
            }
            _ => {}
        }
    }
    out
}
