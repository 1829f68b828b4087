//! What the past tells: which faults come back, and how long things took.

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    coverage::Gap,
    incident::{Head, IncidentId, Instants},
    metrics::{self, Span},
};

/// Below this many incidents a median says nothing.
const ENOUGH: usize = 3;

/// A fault that came more than once: the same workload and the same first cause in one cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Recurrence<'a> {
    /// The incident of the last time.
    pub newest: &'a Head,
    /// Oldest first.
    pub times: Vec<Time>,
}

/// One time it hurt.
#[derive(Clone, Debug, PartialEq)]
pub struct Time {
    pub id: IncidentId,
    pub number: u64,
    pub started_at: Timestamp,
    /// When it was well again.
    pub well_at: Option<Timestamp>,
    pub recovered_by: Option<String>,
    /// When it came back.
    pub back_at: Option<Timestamp>,
}

impl Recurrence<'_> {
    /// The longest time it stayed well before it came back, in seconds.
    pub fn longest_well(&self) -> f64 {
        let held = |t: &Time| Some(t.back_at?.duration_since(t.well_at?).as_secs_f64());
        self.times.iter().filter_map(held).fold(0.0, f64::max)
    }
}

/// Faults that came more than once, most often first, then the newest.
pub fn recurring(heads: &[Head]) -> Vec<Recurrence<'_>> {
    let mut groups: BTreeMap<(&str, &str), Vec<&Head>> = BTreeMap::new();
    for head in heads.iter().filter(|h| h.merged_into.is_none()) {
        groups.entry((&head.cluster_uid, &head.fingerprint)).or_default().push(head);
    }
    let mut out: Vec<Recurrence<'_>> = groups
        .into_values()
        .filter_map(|group| {
            let newest = group.iter().max_by_key(|h| h.detected_at).copied()?;
            let mut times: Vec<Time> = group.iter().flat_map(|head| times(head)).collect();
            times.sort_by_key(|t| (t.started_at, t.number));
            for at in 1..times.len() {
                times[at - 1].back_at = Some(times[at].started_at);
            }
            (times.len() > 1).then_some(Recurrence { newest, times })
        })
        .collect();
    out.sort_by_key(|r| std::cmp::Reverse((r.times.len(), r.newest.detected_at)));
    out
}

fn times(head: &Head) -> Vec<Time> {
    let one = |started: Option<Timestamp>, detected: Timestamp, well: Option<Timestamp>, by: &Option<String>| Time {
        id: head.id,
        number: head.number,
        started_at: started.unwrap_or(detected),
        well_at: well,
        recovered_by: by.clone(),
        back_at: None,
    };
    let earlier = head
        .earlier
        .iter()
        .map(|o| one(o.started_at, o.detected_at, o.mitigated_at.or(o.resolved_at), &o.recovered_by));
    let last = one(head.started_at, head.detected_at, head.mitigated_at.or(head.resolved_at), &head.recovered_by);
    earlier.chain([last]).collect()
}

/// The four times that are plotted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    Detect,
    Acknowledge,
    Mitigate,
    Resolve,
}

impl Metric {
    /// All, in the order of an incident's life.
    pub const ALL: [Metric; 4] = [Metric::Detect, Metric::Acknowledge, Metric::Mitigate, Metric::Resolve];

    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Metric::Detect => "detect",
            Metric::Acknowledge => "acknowledge",
            Metric::Mitigate => "mitigate",
            Metric::Resolve => "resolve",
        }
    }

    /// How it is counted.
    pub fn definition(self) -> &'static str {
        match self {
            Metric::Detect => "started to detected",
            Metric::Acknowledge => "detected to acknowledged by a person",
            Metric::Mitigate => "started to mitigated: the time users suffered",
            Metric::Resolve => "started to resolved (MTTR), the minutes in which it had to stay well included",
        }
    }
}

/// One metric over the incidents.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    pub metric: Metric,
    /// Oldest first.
    pub dots: Vec<Dot>,
    pub medians: Vec<Median>,
    /// Of everything that has a number, in seconds.
    pub median: Option<f64>,
    /// An end lies in a gap of coverage.
    pub unknown: u32,
    /// It has not happened (yet).
    pub pending: u32,
}

/// One incident in a plot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dot {
    pub id: IncidentId,
    pub number: u64,
    /// When it was detected.
    pub at: Timestamp,
    /// [`Span::Seconds`] or [`Span::Range`].
    pub span: Span,
}

/// The median of a calendar quarter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Median {
    pub from: Timestamp,
    pub to: Timestamp,
    pub seconds: f64,
    pub of: u32,
}

/// The four plots. `gaps` are those of the incident's cluster and namespace; quarters are those of the zone.
pub fn plots(heads: &[Head], gaps: impl Fn(&Head) -> Vec<Gap>, zone: &TimeZone) -> Vec<Plot> {
    let mut all: Vec<(IncidentId, u64, Instants, Vec<Gap>)> = Vec::new();
    for head in heads.iter().filter(|h| h.merged_into.is_none()) {
        let gaps = gaps(head);
        for o in &head.earlier {
            let instants = Instants {
                started_at: o.started_at,
                started_at_range: None,
                detected_at: o.detected_at,
                acknowledged_at: o.acknowledged_at,
                mitigated_at: o.mitigated_at,
                resolved_at: o.resolved_at,
            };
            all.push((head.id, head.number, instants, gaps.clone()));
        }
        all.push((head.id, head.number, head.instants(), gaps));
    }
    all.sort_by_key(|(_, number, i, _)| (i.detected_at, *number));
    Metric::ALL.into_iter().map(|metric| plot(metric, &all, zone)).collect()
}

fn plot(metric: Metric, all: &[(IncidentId, u64, Instants, Vec<Gap>)], zone: &TimeZone) -> Plot {
    let mut plot = Plot { metric, dots: Vec::new(), medians: Vec::new(), median: None, unknown: 0, pending: 0 };
    for (id, number, instants, gaps) in all {
        let times = metrics::times(instants, gaps);
        let span = match metric {
            Metric::Detect => times.to_detect,
            Metric::Acknowledge => times.to_acknowledge,
            Metric::Mitigate => times.to_mitigate,
            Metric::Resolve => times.to_resolve,
        };
        match span {
            Span::Pending => plot.pending += 1,
            Span::Unknown => plot.unknown += 1,
            Span::Seconds(_) | Span::Range(..) => {
                plot.dots.push(Dot { id: *id, number: *number, at: instants.detected_at, span });
            }
        }
    }
    let mut quarters: BTreeMap<(Timestamp, Timestamp), Vec<f64>> = BTreeMap::new();
    for dot in &plot.dots {
        if let (Some(seconds), Some(quarter)) = (dot.span.seconds(), quarter(dot.at, zone)) {
            quarters.entry(quarter).or_default().push(seconds);
        }
    }
    plot.medians = quarters
        .into_iter()
        .filter_map(|((from, to), mut all)| {
            Some(Median { from, to, of: u32::try_from(all.len()).ok()?, seconds: median(&mut all)? })
        })
        .collect();
    plot.median = median(&mut plot.dots.iter().filter_map(|d| d.span.seconds()).collect::<Vec<_>>());
    plot
}

/// The middle value, or the mean of the two in the middle; `None` under three.
fn median(all: &mut [f64]) -> Option<f64> {
    if all.len() < ENOUGH {
        return None;
    }
    all.sort_by(f64::total_cmp);
    let mid = all.len() / 2;
    Some(if all.len() % 2 == 1 { all[mid] } else { (all[mid - 1] + all[mid]) / 2.0 })
}

/// The calendar quarter a moment lies in, its end excluded.
fn quarter(at: Timestamp, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
    let date = at.to_zoned(zone.clone()).date();
    let first = jiff::civil::Date::new(date.year(), (date.month() - 1) / 3 * 3 + 1, 1).ok()?;
    let next = first.checked_add(jiff::Span::new().months(3)).ok()?;
    let at = |date: jiff::civil::Date| date.to_zoned(zone.clone()).ok().map(|z| z.timestamp());
    Some((at(first)?, at(next)?))
}
