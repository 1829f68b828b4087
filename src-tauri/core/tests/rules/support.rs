//! `check` for what must be found, `silent` for what must not.

use std::{cell::RefCell, collections::BTreeSet, sync::Arc};

use afterwatch_core::{
    correlate::{Diagnosis, Fault},
    detect,
    finding::{CauseDraft, Finding},
    object::{Object, ObjectRef},
    severity::{Confidence, Severity},
};
use afterwatch_testkit::World;

pub use afterwatch_core::severity::{
    Confidence::{Established, Likely, NotEstablished, Possible},
    Severity::{Critical, High, Medium},
};
pub use afterwatch_testkit::{App, at, event, merge, object, status, t};
pub use serde_json::{Value, json};

thread_local! {
    static SEEN: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// Forgets which rules were found on this thread.
pub fn begin() {
    SEEN.with_borrow_mut(BTreeSet::clear);
}

/// The rules that `check` has found on this thread.
pub fn seen() -> BTreeSet<String> {
    SEEN.with_borrow(Clone::clone)
}

/// What must be found. Objects are written `Kind/namespace/name`; one that does not exist ends with `?`.
#[derive(Clone, Copy)]
pub struct Expect {
    pub rule: &'static str,
    /// The object that shows it.
    pub object: &'static str,
    pub subject: &'static str,
    pub cause: &'static str,
    /// What must be changed.
    pub entity: &'static str,
    pub field: &'static str,
    pub verdict: Confidence,
    pub severity: Severity,
    /// Names and numbers in the cause's statement.
    pub says: &'static [&'static str],
}

/// Most tests are about the Deployment `checkout` in `shop`, whose only pod is down.
pub const CHECKOUT: Expect = Expect {
    rule: "",
    object: "Pod/shop/checkout-r1-a",
    subject: "Deployment/shop/checkout",
    cause: "",
    entity: "Deployment/shop/checkout",
    field: "",
    verdict: Established,
    severity: Critical,
    says: &[],
};

/// The Deployment `checkout` in `shop`.
pub fn checkout() -> App {
    App::deployment("shop/checkout")
}

/// A world in which the given workload runs with these pods.
pub fn world(app: &App, pods: impl IntoIterator<Item = Object>) -> World {
    let mut world = World::new();
    world.run(app, pods);
    world
}

/// Exactly one fault is due now, and it is this one. Returns it.
#[track_caller]
pub fn check(world: &World, expect: Expect) -> Fault {
    one(world, world.diagnose(), expect)
}

/// The same with hold times waived.
#[track_caller]
pub fn check_at_a_glance(world: &World, expect: Expect) -> Fault {
    one(world, world.glance(), expect)
}

#[track_caller]
fn one(world: &World, diagnosis: Diagnosis, expect: Expect) -> Fault {
    only(world, diagnosis.faults.into_iter().map(Arc::unwrap_or_clone).collect(), expect)
}

/// Exactly one fault is there, and it is this one. Returns it.
#[track_caller]
pub fn only(world: &World, faults: Vec<Fault>, expect: Expect) -> Fault {
    let titles: Vec<&str> = faults.iter().map(|f| f.title.as_str()).collect();
    assert_eq!(titles.len(), 1, "one fault is expected, there are {titles:?}");
    let fault = faults.into_iter().next().expect("one");
    let rules: Vec<&str> = fault.findings.iter().map(|f| f.rule_id.as_str()).collect();
    let finding = fault.findings.iter().find(|f| f.rule_id == expect.rule && f.object.key() == expect.object);
    assert!(finding.is_some(), "{} on {} is not among {rules:?}", expect.rule, expect.object);
    SEEN.with_borrow_mut(|s| s.insert(expect.rule.to_owned()));
    let cause = fault.causes.first().expect("a cause");
    assert_eq!(cause.rule_id, expect.cause, "the cause: {}", cause.statement);
    assert_eq!(name(&cause.entity), expect.entity, "what must be changed: {}", cause.statement);
    assert_eq!(fault.subject.key(), expect.subject, "the subject of {}", fault.title);
    if !expect.field.is_empty() {
        assert_eq!(cause.field.as_deref(), Some(expect.field), "the field");
    }
    assert_eq!(cause.confidence, expect.verdict, "the verdict on: {}", cause.statement);
    assert_eq!(fault.severity, expect.severity, "the severity of {}", fault.title);
    says(cause, expect.says);
    sound(world, &fault);
    fault
}

/// The cause's statement has these names and numbers.
#[track_caller]
pub fn says(cause: &CauseDraft, words: &[&str]) {
    for word in words {
        assert!(cause.statement.contains(word), "`{word}` is not in: {}", cause.statement);
    }
}

/// What holds for every fault: causes and eliminations cite evidence it has, and it is written for people.
#[track_caller]
pub fn sound(world: &World, fault: &Fault) {
    let keys: BTreeSet<&str> = fault.evidence.iter().map(|e| e.key.as_str()).collect();
    assert_eq!(keys.len(), fault.evidence.len(), "evidence is told once");
    for cause in &fault.causes {
        assert!(!cause.evidence.is_empty(), "no evidence for: {}", cause.statement);
        for key in &cause.evidence {
            assert!(keys.contains(key.as_str()), "`{key}` is cited and not there: {}", cause.statement);
        }
        assert!(cause.confidence >= Likely || !cause.needs.is_empty(), "what would tell? {}", cause.statement);
    }
    for key in fault.ruled_out.iter().flat_map(|r| &r.evidence) {
        assert!(keys.contains(key.as_str()), "`{key}` is cited by an elimination and not there");
    }
    assert!(fault.started_at <= world.now, "{} starts in the future", fault.title);
    assert!(!fault.title.is_empty() && !fault.title.contains("  "), "{}", fault.title);
    for finding in &fault.findings {
        assert!(!finding.headline.is_empty() && !finding.message.is_empty(), "{} says nothing", finding.rule_id);
        assert!(!finding.evidence.is_empty(), "nothing proves: {}", finding.message);
        assert!(!finding.started_basis.is_empty(), "{} does not say how it knows the start", finding.rule_id);
        kept(finding);
    }
}

/// The finding is as its rule says in the reference: its hold time, its severity, the steps it advises.
#[track_caller]
fn kept(finding: &Finding) {
    let rule = detect::rules().find(|r| r.id == finding.rule_id).expect("the rule is listed");
    assert!(rule.holds_for(finding.hold), "{} does not say that it holds for {}", rule.id, finding.hold);
    let severity = finding.severity;
    assert!(rule.severities.iter().any(|(s, _)| *s == severity), "{} does not say it can be {severity:?}", rule.id);
    for step in &finding.actions {
        assert!(rule.advises.contains(&step.kind), "{} does not say it advises {:?}", rule.id, step.kind);
    }
}

/// Nothing is wrong, not even at a glance.
#[track_caller]
pub fn silent(world: &World) {
    let told = world
        .glance()
        .faults
        .into_iter()
        .map(|f| format!("{}: {:?}", f.title, f.causes.first().map(|c| c.statement.clone())));
    let told: Vec<String> = told.collect();
    assert!(told.is_empty(), "nothing is wrong, and yet: {told:#?}");
    patient(world);
}

/// Nothing is due yet; one look may still tell.
#[track_caller]
pub fn patient(world: &World) {
    let told: Vec<String> = world.diagnose().faults.iter().map(|f| f.title.clone()).collect();
    assert!(told.is_empty(), "nothing is due, and yet: {told:?}");
}

/// A fault that began at `start` is held for exactly `hold` seconds, and told at a glance all the while.
#[track_caller]
pub fn held(world: &mut World, start: i64, hold: i64) {
    if hold > 0 {
        world.set_time(start + hold - 1);
        patient(world);
        let due = world.diagnose().next_due;
        assert_eq!(due, Some(t(start + hold)), "when it would be due");
        assert_eq!(world.glance().faults.len(), 1, "one look waives the hold");
    }
    world.set_time(start + hold);
    assert_eq!(world.diagnose().faults.len(), 1, "due after {hold} s");
}

/// A state that is ordinary for a while is told neither by a watch nor at a glance before `hold` seconds have passed.
#[track_caller]
pub fn ordinary(world: &mut World, start: i64, hold: i64) {
    world.set_time(start + hold - 1);
    silent(world);
    assert_eq!(world.diagnose().next_due, Some(t(start + hold)), "when it would be due");
    world.set_time(start + hold);
    assert_eq!(world.diagnose().faults.len(), 1, "due after {hold} s");
    assert_eq!(world.glance().faults.len(), 1, "and at a glance");
}

fn name(object: &ObjectRef) -> String {
    let missing = if object.uid.is_none() { "?" } else { "" };
    format!("{}{missing}", object.key())
}
