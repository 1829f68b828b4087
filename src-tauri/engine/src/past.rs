//! The history as a whole: lists, what comes back, how long things took.

use std::collections::BTreeMap;

use afterwatch_core::{
    coverage::{Coverage, Gap, gaps},
    history::{self, Plot, Recurrence},
    incident::Head,
    metrics::{Times, times},
    port::{
        StoreError,
        store::{Extent, IncidentKey, IncidentQuery},
    },
    silence::SilenceMatcher,
};
use jiff::Timestamp;

use crate::{
    history::{WATCHED, instants_window},
    session::{Engine, blocking},
};

/// A part of the history.
#[derive(Clone, Debug)]
pub struct Past {
    /// Newest first, each with its times.
    pub heads: Vec<(Head, Times)>,
    /// How many fit the query, and how many there are at all.
    pub total: u32,
    pub of: u32,
    pub extent: Extent,
}

/// What the charts show.
pub struct Insights {
    pub heads: Vec<Head>,
    pub plots: Vec<Plot>,
    pub extent: Extent,
    gaps: Gaps,
    now: Timestamp,
}

impl Insights {
    /// Faults that came more than once.
    pub fn recurring(&self) -> Vec<Recurrence<'_>> {
        history::recurring(&self.heads)
    }

    /// What of a span was not watched where this incident was; until now where it has no end.
    pub fn gaps(&self, head: &Head, from: Timestamp, to: Option<Timestamp>) -> Vec<Gap> {
        let to = to.unwrap_or(self.now);
        if from < to { self.gaps.between(head, from, to) } else { Vec::new() }
    }
}

impl Engine {
    /// Incidents by query, newest first, without what is recorded under them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn heads(&self, query: IncidentQuery) -> Result<Vec<Head>, StoreError> {
        blocking(&self.0.ports.store, move |s| s.heads(&query)).await
    }

    /// The same with until when each is muted.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn heads_muted(&self, query: IncidentQuery) -> Result<Vec<(Head, Option<Timestamp>)>, StoreError> {
        let now = self.0.ports.clock.now();
        blocking(&self.0.ports.store, move |s| {
            let silences = s.silences(now)?;
            let muted = |head: &Head| {
                let may: Vec<_> = silences.iter().filter(|silence| silence.matcher.may_match(head)).collect();
                // A silence may name a rule: then the findings decide, and these are not in a head.
                let whole = match may.iter().any(|silence| silence.matcher.rule_id.is_some()) {
                    true => s.incident(&IncidentKey::Id(head.id)).ok(),
                    false => None,
                };
                let holds = |matcher: &SilenceMatcher| {
                    matcher.rule_id.is_none() || whole.as_ref().is_some_and(|i| matcher.matches(i))
                };
                may.iter().filter(|silence| holds(&silence.matcher)).map(|silence| silence.until).max()
            };
            Ok(s.heads(&query)?
                .into_iter()
                .map(|head| (muted(&head), head))
                .map(|(until, head)| (head, until))
                .collect())
        })
        .await
    }

    /// A part of the history with each incident's times.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn past(&self, query: IncidentQuery) -> Result<Past, StoreError> {
        let now = self.0.ports.clock.now();
        blocking(&self.0.ports.store, move |s| {
            let heads = s.heads(&query)?;
            let gaps = Gaps::read(s, &heads, now)?;
            let timed = |head: Head| {
                let own = gaps.of(&head, now);
                let times = times(&head.instants(), &own);
                (head, times)
            };
            Ok(Past {
                total: s.count(&query)?,
                of: s.count(&IncidentQuery::default())?,
                extent: s.extent()?,
                heads: heads.into_iter().map(timed).collect(),
            })
        })
        .await
    }

    /// What comes back and how long things took, over everything that fits.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn insights(&self, query: IncidentQuery) -> Result<Insights, StoreError> {
        let (now, zone) = (self.0.ports.clock.now(), self.0.options.zone.clone());
        blocking(&self.0.ports.store, move |s| {
            let heads = s.heads(&IncidentQuery { limit: None, offset: 0, ..query })?;
            let gaps = Gaps::read(s, &heads, now)?;
            let plots = history::plots(&heads, |head| gaps.of(head, now), &zone);
            Ok(Insights { plots, extent: s.extent()?, heads, gaps, now })
        })
        .await
    }
}

/// The coverage of the clusters, read once for all incidents.
struct Gaps(BTreeMap<String, Vec<Coverage>>);

impl Gaps {
    fn read(store: &dyn afterwatch_core::port::Store, heads: &[Head], now: Timestamp) -> Result<Gaps, StoreError> {
        let mut windows: BTreeMap<&str, (Timestamp, Timestamp)> = BTreeMap::new();
        for head in heads {
            // What was well again is looked at until now: whether it stayed so is asked, too.
            let (from, _) = window(head, now);
            let known = windows.entry(&head.cluster).or_insert((from, now));
            known.0 = known.0.min(from);
        }
        let mut out = BTreeMap::new();
        for (cluster, (from, to)) in windows {
            let mut spans = store.coverage(cluster, from, to)?;
            spans.retain(|span| span.kind == WATCHED);
            out.insert(cluster.to_owned(), spans);
        }
        Ok(Gaps(out))
    }

    fn of(&self, head: &Head, now: Timestamp) -> Vec<Gap> {
        let (from, to) = window(head, now);
        self.between(head, from, to)
    }

    fn between(&self, head: &Head, from: Timestamp, to: Timestamp) -> Vec<Gap> {
        let Some(spans) = self.0.get(&head.cluster) else { return Vec::new() };
        // Only what touches the window: gaps are counted over it, and there are many spans in a year.
        let near: Vec<Coverage> = spans.iter().filter(|s| s.from <= to && s.to >= from).cloned().collect();
        let before = spans.iter().filter(|s| s.to < from).max_by_key(|s| s.to).cloned();
        let near: Vec<Coverage> = before.into_iter().chain(near).collect();
        gaps(&near, WATCHED, head.subject.namespace.as_deref(), from, to)
    }
}

fn window(head: &Head, now: Timestamp) -> (Timestamp, Timestamp) {
    let first = head.earlier.first().map_or((head.started_at, head.detected_at), |o| (o.started_at, o.detected_at));
    instants_window(first, head.resolved_at.unwrap_or(now))
}
