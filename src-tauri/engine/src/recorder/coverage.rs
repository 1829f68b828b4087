//! Keeps the ledger of coverage of one cluster during one run.

use std::collections::BTreeMap;

use afterwatch_core::{
    coverage::{Coverage, EndedBy},
    object::Kind,
    observation::{Fact, Observation},
};
use jiff::Timestamp;

type Place = (Kind, Option<String>);

/// Spans by place: the open one, and those that ended in this run.
#[derive(Debug)]
pub(super) struct Keeper {
    cluster: String,
    open: BTreeMap<Place, Coverage>,
    ended: Vec<Coverage>,
    /// Ended spans that are not written yet, and whether a span opened or ended since the last write.
    unsaved: Vec<Coverage>,
    urgent: bool,
    last_heard: Option<Timestamp>,
}

impl Keeper {
    pub(super) fn new(cluster: &str) -> Keeper {
        Keeper {
            cluster: cluster.to_owned(),
            open: BTreeMap::new(),
            ended: Vec::new(),
            unsaved: Vec::new(),
            urgent: false,
            last_heard: None,
        }
    }

    /// A complete list opens a span, a sign of life extends it, a loss ends it at the last sign of life.
    pub(super) fn observe(&mut self, observation: &Observation) {
        let at = observation.at;
        match &observation.fact {
            Fact::Listed { kind, namespace, how, .. } => {
                let place = (*kind, namespace.clone());
                match self.open.get_mut(&place) {
                    Some(span) => span.to = span.to.max(at),
                    None => {
                        self.urgent = true;
                        let span = Coverage {
                            cluster: self.cluster.clone(),
                            kind: kind.plural().to_owned(),
                            namespace: namespace.clone(),
                            from: at,
                            to: at,
                            how: *how,
                            ended_by: None,
                        };
                        self.open.insert(place, span);
                    }
                }
                self.last_heard = Some(at);
            }
            Fact::Alive { kind, namespace } => self.alive(*kind, namespace.as_deref(), at),
            Fact::Upserted(o) | Fact::Deleted(o) => {
                let ns = o.meta().namespace.clone();
                self.alive(o.kind(), ns.as_deref(), at);
            }
            Fact::Lost { kind, namespace, ended_by, .. } => {
                if let Some(mut span) = self.open.remove(&(*kind, namespace.clone())) {
                    span.ended_by = Some(*ended_by);
                    self.end(span);
                }
            }
            Fact::NotServed { kind } => {
                let places: Vec<Place> = self.open.keys().filter(|(k, _)| k == kind).cloned().collect();
                for mut span in places.iter().filter_map(|p| self.open.remove(p)).collect::<Vec<_>>() {
                    span.ended_by = Some(EndedBy::Disconnect);
                    self.end(span);
                }
            }
            _ => {}
        }
    }

    fn alive(&mut self, kind: Kind, namespace: Option<&str>, at: Timestamp) {
        self.last_heard = Some(at);
        let everywhere = (kind, None);
        let here = (kind, namespace.map(str::to_owned));
        if let Some(span) = self.open.get_mut(&everywhere) {
            span.to = span.to.max(at);
        } else if let Some(span) = self.open.get_mut(&here) {
            span.to = span.to.max(at);
        }
    }

    /// Ends every span now.
    pub(super) fn close(&mut self, at: Timestamp, ended_by: EndedBy) {
        for (_, mut span) in std::mem::take(&mut self.open) {
            // A clean end is watched up to the moment of the end, as far as the last sign of life is not too old.
            if at.duration_since(span.to) < jiff::SignedDuration::from_secs(130) {
                span.to = span.to.max(at);
            }
            span.ended_by = Some(ended_by);
            self.end(span);
        }
    }

    fn end(&mut self, span: Coverage) {
        self.urgent = true;
        self.ended.push(span.clone());
        if self.ended.len() > 500 {
            self.ended.remove(0);
        }
        self.unsaved.push(span);
    }

    /// True when a span opened or ended and was not written.
    pub(super) fn urgent(&self) -> bool {
        self.urgent
    }

    /// What is to be written: the ended spans once, the open ones each time (their end moves).
    pub(super) fn take(&mut self) -> Vec<Coverage> {
        self.urgent = false;
        let mut out = std::mem::take(&mut self.unsaved);
        out.extend(self.open.values().cloned());
        out
    }

    /// What could not be handed over.
    pub(super) fn give_back(&mut self, spans: Vec<Coverage>) {
        self.unsaved.extend(spans.into_iter().filter(|s| s.ended_by.is_some()));
        self.urgent = true;
    }

    /// Every span of this run.
    pub(super) fn spans(&self) -> Vec<Coverage> {
        self.ended.iter().chain(self.open.values()).cloned().collect()
    }

    /// When anything was heard last.
    pub(super) fn last_heard(&self) -> Option<Timestamp> {
        self.last_heard
    }
}

#[cfg(test)]
mod tests {
    use afterwatch_core::object::kind::Mode;

    use super::*;

    #[test]
    fn a_kind_that_is_served_no_longer_is_watched_no_longer() {
        let mut keeper = Keeper::new("dev");
        let at: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let kind = Kind::Ingress;
        let listed = Fact::Listed { kind, namespace: Some("shop".into()), how: Mode::Watch, objects: Vec::new() };
        keeper.observe(&Observation { at, fact: listed });
        keeper.observe(&Observation { at: at + jiff::SignedDuration::from_mins(5), fact: Fact::NotServed { kind } });
        let spans = keeper.spans();
        assert_eq!((spans.len(), spans[0].to, spans[0].ended_by), (1, at, Some(EndedBy::Disconnect)));
        assert!(keeper.open.is_empty());
    }
}
