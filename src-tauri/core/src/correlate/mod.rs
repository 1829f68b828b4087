//! From findings to faults: symptoms of one fault become one group with its causes ranked.

mod asleep;
pub(crate) mod cascade;
mod filter;
mod group;
mod part;
mod rank;
pub(crate) mod route;
mod shared;

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    change::Change,
    detect::{self, Detection, Memory},
    evidence::{EvidenceDraft, Observed},
    explain,
    finding::{CauseDraft, EliminationDraft, Finding},
    index::{Index, Now},
    object::{Object, ObjectRef},
    observation::LogWant,
    remediation::{ActionDraft, ActionKind},
    severity::{Confidence, Severity},
};

pub(crate) use group::Group;

pub use filter::RuleFilter;

/// How the diagnosis is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// One look (`scan`): hold times are waived.
    pub waive_holds: bool,
    /// The user's say over the rules.
    pub rules: Arc<RuleFilter>,
}

/// One fault: what an incident is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The workload hit; of several, the shared cause's object, else the highest owner.
    pub subject: ObjectRef,
    pub title: String,
    pub severity: Severity,
    pub started_at: Timestamp,
    pub started_basis: String,
    /// Worst first.
    pub findings: Vec<Finding>,
    /// Surest and most upstream first.
    pub causes: Vec<CauseDraft>,
    pub ruled_out: Vec<EliminationDraft>,
    /// Changes that may matter, newest first, and whether each is suspect.
    pub changes: Vec<(Change, bool)>,
    pub evidence: Vec<EvidenceDraft>,
    pub actions: Vec<ActionDraft>,
    /// Since when pods are watched without a gap: what was before is reconstructed.
    pub watched_since: Option<Timestamp>,
}

impl Fault {
    /// Whether what happened at this moment was seen as it happened.
    pub fn observed(&self, at: Timestamp) -> Observed {
        // Timestamps of the cluster have whole seconds.
        let seen = self.watched_since.is_some_and(|since| at >= since.saturating_sub(CLOCK_SLACK).unwrap_or(since));
        if seen { Observed::Live } else { Observed::Reconstructed }
    }

    /// The same with its evidence taken in at a look at this time.
    pub(crate) fn taken(self: Arc<Fault>, now: Timestamp) -> Fault {
        let mut fault = Arc::unwrap_or_clone(self);
        let taken = |items: &mut Vec<EvidenceDraft>| items.drain(..).map(|item| item.taken(now)).collect();
        fault.evidence = taken(&mut fault.evidence);
        fault.findings.iter_mut().for_each(|f| f.evidence = taken(&mut f.evidence));
        fault
    }

    /// The strength of the first cause.
    pub fn verdict(&self) -> Confidence {
        self.causes.first().map_or(Confidence::NotEstablished, |c| c.confidence)
    }
}

/// What is wrong in a cluster now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diagnosis {
    pub faults: Vec<Arc<Fault>>,
    /// When a finding that is still held would be due, or another log is wanted, if nothing changes.
    pub next_due: Option<Timestamp>,
    /// Logs that would tell more. One that is known is to be read again.
    pub wants: Vec<LogWant>,
    /// Changes of the last minutes: what put a fault right is seen when the fault is gone.
    pub recent: Vec<Change>,
    /// Fingerprints of findings that are seen and do not open anything now: held, waiting for a log, or joining only.
    /// They keep open what they were part of; one that joins only (true), such as a Service that never had a pod, only
    /// what it is itself the subject of.
    pub waiting: BTreeMap<String, bool>,
}

/// How far back the change that put a fault right is looked for.
const RECENT: SignedDuration = SignedDuration::from_mins(10);

/// Looks at everything known: the same index and time always give the same diagnosis.
pub fn diagnose(index: &Index, now: Timestamp, options: Options) -> Diagnosis {
    let detection = detect::detect(index, now, options.clone());
    diagnose_of(index, now, options, detection, &mut Memory::default())
}

/// The same, faster: what was made in the looks before, at this index, is taken again where nothing of what it was made
/// from has changed. When a rule panics, everything is forgotten.
pub fn diagnose_again(memory: &mut Memory, index: &Index, now: Timestamp, options: Options) -> Diagnosis {
    let mut kept = std::mem::take(memory);
    kept.begin(index, now, &options);
    let (detection, mut kept) = detect::detect_again(index, now, options.clone(), kept);
    let diagnosis = diagnose_of(index, now, options, detection, &mut kept);
    kept.end();
    *memory = kept;
    diagnosis
}

/// The same of findings that are there already.
pub(crate) fn diagnose_of(
    index: &Index,
    now: Timestamp,
    options: Options,
    detection: Detection,
    memory: &mut Memory,
) -> Diagnosis {
    let Detection { findings, wants, next } = detection;
    // What is to open nothing still keeps open what it was part of: that a rule is silent heals nothing.
    let mut ignored: Vec<String> = Vec::new();
    let findings: Vec<Arc<Finding>> = findings
        .into_iter()
        .filter_map(|mut finding| {
            let admitted = options.rules.admit(index, &mut finding);
            if !admitted {
                ignored.push(finding.fingerprint());
            }
            admitted.then_some(finding)
        })
        .collect();
    let (due, held): (Vec<Arc<Finding>>, Vec<Arc<Finding>>) = findings
        .into_iter()
        .partition(|f| f.hold != Finding::JOINS_ONLY && !f.awaits_log && (options.waive_holds || f.is_due(now)));
    // What waits for a log is looked at again when the log arrives, not by the clock.
    let held_due = held.iter().filter(|f| !f.awaits_log).filter_map(|f| f.started_at.checked_add(f.hold).ok());
    let next_due = held_due.chain(next).min();
    let mut waiting: BTreeMap<String, bool> =
        held.iter().map(|f| (f.fingerprint(), f.hold == Finding::JOINS_ONLY)).collect();
    waiting.extend(ignored.into_iter().map(|fingerprint| (fingerprint, false)));
    let routes = route::Routes::new(index, std::mem::take(&mut memory.ways));
    // A finding that is held still belongs to the fault it is part of; it opens nothing by itself.
    let mut faults: Vec<Arc<Fault>> = group::group(&routes, due, held)
        .into_iter()
        .map(|mut group| {
            if !options.waive_holds {
                group.findings.iter_mut().for_each(|f| wait(f, now));
            }
            build_again(&routes, Now::new(index, now), group, memory)
        })
        .collect();
    memory.ways = routes.into_ways();
    faults.sort_by(|a, b| {
        b.severity
            .cmp(&a.severity)
            .then(a.started_at.cmp(&b.started_at))
            .then_with(|| a.subject.key().cmp(&b.subject.key()))
    });
    let recent = index.changes().filter(|c| now.duration_since(c.at) < RECENT).cloned().collect();
    Diagnosis { faults, next_due, wants, recent, waiting }
}

/// Before its time is up a finding blames nothing and advises nothing: it may be a pod that is only starting.
fn wait(finding: &mut Arc<Finding>, now: Timestamp) {
    if finding.hold != Finding::JOINS_ONLY && !finding.awaits_log && !finding.is_due(now) {
        let finding = Arc::make_mut(finding);
        finding.causes.clear();
        finding.actions.clear();
    }
}

/// The fault of a group; the one of an earlier look where nothing of what it was made from has changed.
fn build_again(routes: &route::Routes<'_>, now: Now<'_>, group: Group, memory: &mut Memory) -> Arc<Fault> {
    let first = group.findings.first().map(|f| f.fingerprint()).unwrap_or_default();
    if let Some(fault) = memory.fault(&first, &group, now) {
        return fault;
    }
    let (fault, reads) = routes.index.noting(|| Arc::new(build(routes, now, group.clone())));
    memory.keep_fault(first, group, fault.clone(), reads);
    fault
}

fn build(routes: &route::Routes<'_>, now: Now<'_>, group: Group) -> Fault {
    let index = routes.index;
    let mut order: Vec<usize> = (0..group.findings.len()).collect();
    let prints: Vec<String> = group.findings.iter().map(|f| f.fingerprint()).collect();
    order.sort_by(|i, j| {
        let (a, b) = (&group.findings[*i], &group.findings[*j]);
        b.severity
            .cmp(&a.severity)
            .then_with(|| best(b).cmp(&best(a)))
            .then(a.started_at.cmp(&b.started_at))
            .then_with(|| prints[*i].cmp(&prints[*j]))
    });
    let group = group.in_order(&order);
    let causes = rank::causes(&group);
    let follows: Vec<bool> = group.up.iter().map(|up| !up.is_empty()).collect();
    let findings: Vec<Finding> = group.findings.into_iter().map(Arc::unwrap_or_clone).collect();
    let subject = rank::subject(&findings, &causes);
    // The headline is that of the finding the first cause explains; the worst one sets the severity.
    let lead = causes
        .first()
        .and_then(|c| findings.iter().find(|f| f.causes.iter().any(|d| d.rule_id == c.rule_id && d.entity == c.entity)))
        .unwrap_or(&findings[0]);
    let title = rank::title(&subject, lead, &findings);
    let first = findings.iter().min_by_key(|f| f.started_at).unwrap_or(lead);
    let mut seen = HashSet::new();
    let evidence: Vec<EvidenceDraft> =
        findings.iter().flat_map(|f| &f.evidence).filter(|e| seen.insert(e.key.as_str())).cloned().collect();
    let mut fault = Fault {
        subject,
        title,
        severity: findings.iter().map(|f| f.severity).max().unwrap_or(Severity::Low),
        started_at: now.min(first.started_at),
        started_basis: first.started_basis.clone(),
        causes,
        ruled_out: Vec::new(),
        changes: Vec::new(),
        evidence,
        actions: Vec::new(),
        watched_since: index.watched_since(crate::object::Kind::Pod),
        findings,
    };
    fault.actions.extend(fault.causes.first().and_then(|c| asleep::wake(index, c)));
    explain::explain(routes, Now::STAMP, &mut fault);
    let mut seen = HashSet::new();
    let own = std::mem::take(&mut fault.actions);
    // What only follows from the rest is put right with that: its probe need not ask something else.
    let led = follows.iter().any(|follows| !follows);
    let of = |following: bool| {
        let those = fault.findings.iter().zip(&follows).filter(move |(_, follows)| **follows == following);
        those.flat_map(|(f, _)| &f.actions).filter(move |a| !(led && following && a.kind == ActionKind::SetProbe))
    };
    let steps = own.iter().chain(of(false)).chain(of(true));
    fault.actions = steps.filter(|a| seen.insert(a.key())).filter(|a| goes_back(index, a, &fault)).cloned().collect();
    for i in 0..fault.evidence.len() {
        if fault.observed(fault.evidence[i].at) == Observed::Reconstructed {
            fault.evidence[i].observed = Observed::Reconstructed;
        }
    }
    fault
}

/// A step back leads somewhere, and not to what is broken: there is a revision before, and nothing was changed since the
/// change that is suspected, not even back. Other steps are as they are.
fn goes_back(index: &Index, step: &ActionDraft, fault: &Fault) -> bool {
    if step.kind != ActionKind::RolloutUndo {
        return true;
    }
    let target = &step.target;
    // kubectl refuses to roll back what is paused.
    if matches!(index.resolve(target).map(|o| &**o), Some(Object::Deployment(d)) if d.spec.paused) {
        return false;
    }
    let of_template = |c: &&Change| c.fields.iter().any(|f| f.path.starts_with("spec.template"));
    let changes: Vec<&Change> = index.changes_of(target).filter(of_template).collect();
    let judged = |c: &Change, as_: bool| fault.changes.iter().any(|(known, s)| *s == as_ && known.key() == c.key());
    // A later change did not touch what is to be changed back: the revision before has it, too.
    let blamed = fault.causes.first().filter(|c| c.entity.same_name(target)).and_then(|c| c.field.as_deref());
    let touches = |c: &&&Change| c.fields.iter().any(|f| blamed.is_some_and(|field| f.path.starts_with(field)));
    if let Some(newest) = changes.iter().max_by_key(|c| c.at) {
        if changes.iter().any(|c| touches(&c)) && !touches(&newest) {
            return false;
        }
        return !(judged(newest, false) && changes.iter().any(|old| old.at < newest.at && judged(old, true)));
    }
    // The Deployment's controller counts its revisions; of others the first generation has no other before it.
    !index.resolve(target).map(|o| o.meta()).is_some_and(|meta| {
        let revision = meta.annotations.get("deployment.kubernetes.io/revision");
        revision.is_some_and(|n| n == "1") || target.kind != "Deployment" && meta.generation == Some(1)
    })
}

fn best(f: &Finding) -> Confidence {
    f.causes.first().map_or(Confidence::NotEstablished, |c| c.confidence)
}

/// How long after a fault began a change may still count as its trigger: clocks differ by seconds.
pub(crate) const CLOCK_SLACK: SignedDuration = SignedDuration::from_secs(3);
