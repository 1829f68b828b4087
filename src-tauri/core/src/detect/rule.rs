//! What a rule says of itself: the rule reference is written from it, and the tests hold the findings to it.

use jiff::SignedDuration;

use crate::{finding::Finding, object::Kind, remediation::ActionKind, severity::Severity};

/// A rule, for the reference and for switching one off.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Stable, kebab case.
    pub id: &'static str,
    /// What it means, one sentence.
    pub means: &'static str,
    /// Where the behaviour is described.
    pub source: &'static str,
    /// Kinds without which the rule cannot speak.
    pub reads: &'static [Kind],
    /// How long its problem must have lasted before it is told.
    pub holds: &'static [Hold],
    /// How bad its findings can be, and when they are: half a sentence each.
    pub severities: &'static [(Severity, &'static str)],
    /// When it says nothing or takes back what it said, and what it does not claim: a sentence each.
    pub limits: &'static [&'static str],
    /// A number of the rule that the user may set.
    pub threshold: Option<Threshold>,
    /// The kinds of steps it may advise.
    pub advises: &'static [ActionKind],
}

/// A number from which on, or up to which, a rule tells of something. What lies on the silent side of a count opens
/// nothing and joins what is open; what lies beyond a time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// What the number says, in words that come before it: "tells of it from so many on".
    pub means: &'static str,
    /// `times`, `minutes` or `hours`.
    pub unit: &'static str,
    /// The number where the user set none.
    pub usual: u32,
    /// The smallest and the largest number that make sense.
    pub least: u32,
    pub most: u32,
}

/// A hold time and when it applies: half a sentence, empty where it always does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Seconds.
    Exactly(i64, &'static str),
    /// Seconds that are not passed, whatever the object says itself.
    AtMost(i64, &'static str),
    /// The finding joins an incident and never opens one.
    JoinsOnly(&'static str),
}

impl Rule {
    /// Whether the rule may hold a finding back for this long.
    pub fn holds_for(&self, hold: SignedDuration) -> bool {
        self.holds.iter().any(|h| match h {
            Hold::Exactly(seconds, _) => hold == SignedDuration::from_secs(*seconds),
            Hold::AtMost(seconds, _) => hold <= SignedDuration::from_secs(*seconds),
            Hold::JoinsOnly(_) => hold == Finding::JOINS_ONLY,
        })
    }
}

/// How bad it is that pods of a workload fail, where the rule itself says nothing else.
pub(super) const BY_WORKLOAD: &[(Severity, &str)] = &[
    (Severity::Critical, "no pod of the workload is ready"),
    (Severity::High, "some are ready, but fewer than wanted, or the pod has no controller"),
    (Severity::Medium, "as many are ready as wanted, or the pod is of a Job"),
];
