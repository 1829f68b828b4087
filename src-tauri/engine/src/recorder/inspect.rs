//! A question about one workload: the logs it needs are read at the side, and judged when they are there.

use std::time::Duration;

use afterwatch_core::{
    incident::{Incident, IncidentId},
    inspect,
    ledger::{Ledger, Step},
    object::ObjectRef,
    observation::LogRead,
};
use futures::future::join_all;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{Kind, Recorder};
use crate::{
    event::IncidentStep,
    inspect::{Choices, InspectError, Inspection, Question, UnreadLog},
};

/// A log that has not come by then is told as unread. Longer than the adapter asks for one.
const PATIENCE: Duration = Duration::from_secs(22);

/// A question whose logs were read.
pub(super) struct Heard {
    question: Question,
    subject: ObjectRef,
    logs: Vec<LogRead>,
}

/// An answer that waits until what it tells of is written.
pub(super) struct Pending {
    ids: Vec<IncidentId>,
    subject: ObjectRef,
    unread: Vec<UnreadLog>,
    reply: oneshot::Sender<Result<Inspection, InspectError>>,
}

impl Recorder {
    /// Takes a question up: finds what is meant and has its logs read. Answers at once where that is not possible.
    pub(super) fn inquire(&mut self, question: Question, heard: &mpsc::UnboundedSender<Heard>) {
        let refused = match (&self.followed, self.paused, self.synced) {
            (Some(who), ..) => Some(InspectError::Followed(self.name(), who.clone())),
            (_, true, _) => Some(InspectError::Paused),
            (_, _, false) => Some(InspectError::NotRead(self.name())),
            _ => None,
        };
        let found = match refused {
            Some(error) => Err(error),
            None => inspect::find(&self.index, &question.target, &question.namespaces)
                .map_err(|none| InspectError::NotFound(Box::new(none))),
        };
        let subject = match found {
            Ok(subject) => subject,
            Err(error) => {
                let _ = question.reply.send(Err(error));
                return;
            }
        };
        let wants = inspect::wants(&self.index, &subject);
        let (cluster, heard) = (self.cluster.clone(), heard.clone());
        tokio::spawn(async move {
            let reads = wants.into_iter().map(|want| {
                let cluster = cluster.clone();
                async move {
                    let read = tokio::time::timeout(PATIENCE, cluster.read_log(want.clone())).await;
                    read.unwrap_or_else(|_| LogRead {
                        want,
                        lines: Err(format!("the log was not answered within {} s", PATIENCE.as_secs())),
                        truncated: false,
                        later: None,
                    })
                }
            });
            let logs = join_all(reads).await;
            let _ = heard.send(Heard { question, subject, logs });
        });
    }

    /// The logs are there: judges them, takes what is found into the ledger, and answers once that is written.
    pub(super) fn answer(&mut self, heard: Heard) {
        let Heard { question, subject, logs } = heard;
        // Who asked has gone: nothing is opened for nobody.
        if question.reply.is_closed() {
            return;
        }
        let now = self.now();
        let unread: Vec<UnreadLog> = logs
            .iter()
            .filter_map(|read| {
                let (pod, container) = (read.want.pod.clone(), read.want.container.clone());
                Some(UnreadLog { pod, container, why: read.lines.as_ref().err()?.clone() })
            })
            .collect();
        let look = inspect::look(&self.index, now, self.options(true), &subject, &logs);
        if self.ledger.is_none() && self.kind == Kind::Scan {
            // A cluster that answers lists but not who it is still gets its answer.
            self.ledger = Some(Ledger::new(self.cluster.name(), "", Vec::new()));
        }
        let Some(ledger) = &mut self.ledger else {
            let _ = question.reply.send(Err(InspectError::NotRead(self.cluster.name().to_owned())));
            return;
        };
        let mut mint = || IncidentId(Uuid::now_v7());
        if let Some((seen, needs)) = look.seen {
            let nothing = ledger.looked_at(now, &seen, needs, mint());
            let answer = Inspection { subject, incidents: Vec::new(), nothing: Some(Box::new(nothing)), unread };
            let _ = question.reply.send(Ok(answer));
            return;
        }
        let mut ids: Vec<IncidentId> = Vec::new();
        for fault in &look.faults {
            let (id, step) = ledger.ask(now, fault, &mut mint);
            if !ids.contains(&id) {
                ids.push(id);
            }
            let step = match step {
                Some(Step::Opened) => IncidentStep::Opened,
                Some(_) => IncidentStep::Updated,
                None => continue,
            };
            self.dirty_incidents.entry(id).or_insert(step);
        }
        ids.iter().for_each(|id| self.engine.saw(*id));
        self.pending.push(Pending { ids, subject, unread, reply: question.reply });
        self.hand_over(false);
        self.answer_written();
    }

    /// Answers the questions whose incidents are written.
    pub(super) fn answer_written(&mut self) {
        let Some(ledger) = &self.ledger else { return };
        let waits = |id: &IncidentId| {
            self.dirty_incidents.contains_key(id) || self.in_flight_ids.iter().any(|(other, _)| other == id)
        };
        let (waiting, written): (Vec<Pending>, Vec<Pending>) =
            std::mem::take(&mut self.pending).into_iter().partition(|p| p.ids.iter().any(waits));
        for Pending { ids, subject, unread, reply } in written {
            let known = |id: &IncidentId| ledger.incidents().iter().find(|i| i.id == *id).cloned();
            let incidents: Vec<Incident> = ids.iter().filter_map(known).collect();
            let _ = reply.send(Ok(Inspection { subject, incidents, nothing: None, unread }));
        }
        self.pending = waiting;
    }

    /// What can be asked about here.
    pub(super) fn choices(&self, text: &str, most: usize) -> Choices {
        let (choices, more) = match self.followed.is_some() || self.paused {
            true => (Vec::new(), false),
            false => inspect::choices(&self.index, text, most),
        };
        Choices { cluster: self.name(), choices, more }
    }
}
