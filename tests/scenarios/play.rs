//! Plays a recording through index, rules and ledger at its own times, as the recorder of the engine does.

use std::collections::{BTreeMap, BTreeSet};

use afterwatch_core::{
    Timestamp,
    correlate::{self, Options},
    coverage::{Coverage, gaps},
    incident::{Incident, IncidentId},
    index::Index,
    ledger::{Ledger, Policy, Step},
    object::Kind,
    observation::{Connection, Fact, LogRead, LogWant, Observation},
};
use afterwatch_report::{ReportInput, markdown};
use jiff::{SignedDuration, tz::TimeZone};
use uuid::Uuid;

use crate::recording;

/// What arrives within this time of each other is looked at together.
const COALESCE: SignedDuration = SignedDuration::from_millis(60);
/// The end of a recording, and then this long of nothing more.
const QUIET: SignedDuration = SignedDuration::from_mins(11);

/// What came of a recording.
pub struct Played {
    pub incidents: Vec<Incident>,
    /// Moment, incident number and what happened to it.
    pub steps: Vec<(Timestamp, u64, Step)>,
    coverage: Vec<Coverage>,
    end: Timestamp,
}

struct Player {
    index: Index,
    ledger: Ledger,
    now: Timestamp,
    minted: u64,
    recorded: BTreeSet<LogWant>,
    steps: Vec<(Timestamp, u64, Step)>,
}

/// Plays the recording of this name.
pub fn play(name: &str) -> Played {
    let observations = recording::read(name);
    let (first, last) = (observations.first().expect("a recording").at, observations.last().expect("a recording").at);
    let cluster_uid = observations.iter().find_map(|o| match &o.fact {
        Fact::Connection(Connection::Connected { cluster_uid, .. }) => Some(cluster_uid.clone()),
        _ => None,
    });
    let recorded = observations
        .iter()
        .filter_map(|o| match &o.fact {
            Fact::Log(read) => Some(read.want.clone()),
            _ => None,
        })
        .collect();
    let ledger = Ledger::new("lab", &cluster_uid.expect("the cluster's identity"), Vec::new());
    let mut player = Player { index: Index::new(), ledger, now: first, minted: 0, recorded, steps: Vec::new() };
    for kind in unread(&observations) {
        player.index.apply(Observation { at: first, fact: Fact::NotServed { kind } });
    }
    // Watching goes on in silence until everything has settled.
    let coverage = coverage(&observations, last + QUIET);
    let mut rest = observations.into_iter().peekable();
    while let Some(observation) = rest.next() {
        let burst = observation.at;
        player.now = burst;
        player.index.apply(observation);
        while let Some(next) = rest.next_if(|o| o.at.duration_since(burst) < COALESCE) {
            player.now = next.at;
            player.index.apply(next);
        }
        player.now = burst + COALESCE;
        player.look_until(rest.peek().map_or(last + QUIET, |o| o.at));
    }
    Played { incidents: player.ledger.incidents().to_vec(), steps: player.steps, coverage, end: player.now }
}

impl Player {
    /// Looks now, and whenever something is due before that moment.
    fn look_until(&mut self, until: Timestamp) {
        if !Kind::ALL.iter().all(|k| self.index.has_reading(*k)) {
            return;
        }
        loop {
            let diagnosis = correlate::diagnose(&self.index, self.now, Options::default());
            let unread: Vec<LogWant> = diagnosis.wants.iter().filter(|w| !self.recorded.contains(w)).cloned().collect();
            if !unread.is_empty() {
                for want in unread {
                    let read =
                        LogRead { want, lines: Err("not in the recording".to_owned()), truncated: false, later: None };
                    self.index.apply(Observation { at: self.now, fact: Fact::Log(read) });
                }
                continue;
            }
            let policy = Policy { stability: SignedDuration::from_mins(10) };
            let minted = &mut self.minted;
            let mut mint = || {
                *minted += 1;
                IncidentId(Uuid::from_u128(u128::from(*minted)))
            };
            for (id, step) in self.ledger.step(self.now, &diagnosis, &self.index, policy, &mut mint) {
                if let Some(incident) = self.ledger.get_mut(id) {
                    incident.number = incident.id.0.as_u128() as u64;
                    self.steps.push((self.now, incident.number, step));
                }
            }
            let due = [diagnosis.next_due, self.ledger.next_due(&self.index, &diagnosis, policy)]
                .into_iter()
                .flatten()
                .filter(|t| *t > self.now)
                .min();
            match due {
                Some(due) if due < until => self.now = due,
                _ => return,
            }
        }
    }
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

/// The spans a recorder would have written.
fn coverage(observations: &[Observation], end: Timestamp) -> Vec<Coverage> {
    let mut open: BTreeMap<(Kind, Option<String>), Coverage> = BTreeMap::new();
    let mut out = Vec::new();
    for o in observations {
        match &o.fact {
            Fact::Listed { kind, namespace, how, .. } => {
                let span = Coverage {
                    cluster: "lab".to_owned(),
                    kind: kind.plural().to_owned(),
                    namespace: namespace.clone(),
                    from: o.at,
                    to: end,
                    how: *how,
                    ended_by: None,
                };
                open.entry((*kind, namespace.clone())).or_insert(span);
            }
            Fact::Lost { kind, namespace, ended_by, .. } => {
                if let Some(mut span) = open.remove(&(*kind, namespace.clone())) {
                    (span.to, span.ended_by) = (o.at, Some(*ended_by));
                    out.push(span);
                }
            }
            _ => {}
        }
    }
    out.extend(open.into_values());
    out
}

impl Played {
    /// The only incident there is.
    #[track_caller]
    pub fn only(&self) -> &Incident {
        let titles: Vec<&str> = self.incidents.iter().map(|i| i.title.as_str()).collect();
        assert_eq!(titles.len(), 1, "one incident is expected, there are {titles:?}");
        &self.incidents[0]
    }

    /// What happened, a line each: the moments, then every incident with its cause, findings and changes.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for (at, number, step) in &self.steps {
            out += &format!("{at:.0} INC-{number} {step:?}\n");
        }
        if self.steps.is_empty() {
            out += "nothing\n";
        }
        for i in &self.incidents {
            out += &format!("\nINC-{} {}\n", i.number, i.title);
            out += &format!("{} · {} · {}\n", i.severity.word(), i.state.word(), i.verdict.word());
            out += &format!("subject: {}\nstarted: {:?} ({})\n", i.subject.key(), i.started_at, i.started_at_basis);
            out += &format!("recovered by: {}\n", i.recovered_by.as_deref().unwrap_or("nothing yet"));
            for c in &i.causes {
                let entity = if c.entity.uid.is_some() { "" } else { " (does not exist)" };
                out += &format!(
                    "cause {}: {} {:?} on {}{entity} {}\n",
                    c.rank,
                    c.rule_id,
                    c.confidence,
                    c.entity.key(),
                    c.field.as_deref().unwrap_or("")
                );
                out += &format!("  {}\n  {}\n", c.statement, c.evidence.join(" "));
            }
            for f in &i.findings {
                out += &format!("finding: {} on {} ×{} {}\n", f.rule_id, f.object.key(), f.count, f.evidence.join(" "));
            }
            for c in &i.changes {
                let suspect = if c.suspect { ", suspect" } else { "" };
                let who = c.change.who.as_deref().unwrap_or("?");
                out += &format!(
                    "change {}: {} by {who} ({:?}{suspect}): {}\n",
                    c.id, c.change.object, c.change.observed, c.change.summary
                );
            }
            for a in i.advised() {
                out += &format!("action {}: {}\n", a.id, a.draft.command);
            }
        }
        out
    }

    /// The post-mortem of an incident.
    pub fn markdown(&self, incident: &Incident) -> String {
        let from = incident.started_at.unwrap_or(incident.detected_at) - SignedDuration::from_hours(1);
        let gaps = gaps(
            &self.coverage,
            "pods",
            incident.subject.namespace.as_deref(),
            from,
            incident.resolved_at.unwrap_or(self.end),
        );
        markdown(&ReportInput {
            incident,
            notes: "",
            gaps: &gaps,
            coverage: &self.coverage,
            zone: TimeZone::UTC,
            generated_at: self.end,
            version: "0.0.0-test",
        })
    }
}
